//! An HTTP response, read as its bytes come in (RFC 9112): a head, then a body that ends by
//! `Content-Length`, by its last chunk, or with the connection. Nothing is kept that is longer than
//! the limits.

use crate::base::limits;

/// A response, whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Where a redirect leads to.
    pub location: Option<String>,
    /// What the head says that was done to the body (compression), apart from chunks.
    pub codings: Vec<String>,
    /// The body, its chunks joined.
    pub body: Vec<u8>,
}

/// Reads one response.
#[derive(Clone, Debug)]
pub struct Reader {
    state: State,
    /// Bytes taken in all.
    taken: usize,
    /// The beginning of a head or of a line between chunks.
    line: Vec<u8>,
    response: Response,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Head,
    /// So many bytes of the body are to come.
    Length(usize),
    /// The body ends with the connection.
    UntilClosed,
    /// A line with a chunk's size.
    ChunkSize,
    /// So many bytes of a chunk are to come.
    Chunk(usize),
    /// The end of the line behind a chunk.
    ChunkEnd,
    /// Header lines behind the last chunk.
    Trailer,
    Done,
}

impl Reader {
    /// A reader that has seen nothing.
    pub fn new() -> Reader {
        Reader {
            state: State::Head,
            taken: 0,
            line: Vec::new(),
            response: Response {
                status: 0,
                location: None,
                codings: Vec::new(),
                body: Vec::new(),
            },
        }
    }

    /// Takes bytes; true when the response is whole. Bytes behind it are ignored.
    ///
    /// # Errors
    /// What is wrong, in a few words. Nothing is to be taken afterwards.
    pub fn take(&mut self, mut bytes: &[u8]) -> Result<bool, String> {
        self.taken = self.taken.saturating_add(bytes.len());
        if self.taken > limits::HTTP_REPLY {
            return Err(too_long());
        }
        while !bytes.is_empty() && self.state != State::Done {
            bytes = match self.state {
                State::Head => self.take_head(bytes)?,
                State::Length(left) => self.take_body(bytes, left, State::Length)?,
                State::Chunk(left) => self.take_body(bytes, left, State::Chunk)?,
                State::UntilClosed => self.take_body(bytes, usize::MAX, |_| State::UntilClosed)?,
                State::ChunkSize | State::ChunkEnd | State::Trailer => self.take_line(bytes)?,
                State::Done => bytes,
            };
        }
        Ok(self.state == State::Done)
    }

    /// The connection has ended in order.
    ///
    /// # Errors
    /// The response is not whole.
    pub fn end(&mut self) -> Result<(), String> {
        match self.state {
            State::Done | State::UntilClosed => Ok(()),
            State::Head if self.taken == 0 => Err(String::from("closed without an answer")),
            _ => Err(String::from("the answer is cut short")),
        }
    }

    /// What was read.
    pub fn into_response(self) -> Response {
        self.response
    }

    /// Gathers the head up to the empty line that ends it. Returns the bytes behind it.
    fn take_head<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], String> {
        let known = self.line.len();
        let room = limits::HTTP_HEAD.saturating_sub(known);
        self.line.extend_from_slice(&bytes[..bytes.len().min(room)]);
        let start = b"HTTP/";
        let seen = self.line.len().min(start.len());
        if self.line[..seen] != start[..seen] {
            return Err(String::from("the answer is not HTTP"));
        }
        let Some(end) = head_end(&self.line, known) else {
            return match self.line.len() {
                limits::HTTP_HEAD => Err(format!(
                    "the answer's head is longer than {} KiB",
                    limits::HTTP_HEAD / limits::KIB
                )),
                _ => Ok(&[]),
            };
        };
        let head = std::mem::take(&mut self.line);
        self.state = self.read_head(&head[..end])?;
        Ok(&bytes[end - known..])
    }

    fn read_head(&mut self, head: &[u8]) -> Result<State, String> {
        let mut headers = [httparse::EMPTY_HEADER; limits::HTTP_HEADERS];
        let mut parsed = httparse::Response::new(&mut headers);
        match parsed.parse(head) {
            Ok(httparse::Status::Complete(_)) => {}
            Ok(httparse::Status::Partial) => return Err(String::from("the answer is cut short")),
            Err(why) => return Err(format!("the answer's head makes no sense: {why}")),
        }
        let status = parsed.code.unwrap_or(0);
        if (100..200).contains(&status) {
            return Ok(State::Head);
        }
        self.response.status = status;
        let field = |name: &str| {
            let mut named = parsed.headers.iter();
            let header = named.find(|header| header.name.eq_ignore_ascii_case(name))?;
            Some(String::from_utf8_lossy(header.value.trim_ascii()).into_owned())
        };
        self.response.location = field("location");
        let list = |name: &str| {
            let named = parsed.headers.iter();
            let values = named.filter(|header| header.name.eq_ignore_ascii_case(name));
            let values = values.map(|header| String::from_utf8_lossy(header.value).into_owned());
            let values = values.collect::<Vec<_>>().join(",");
            let items = values
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty());
            items.map(String::from).collect::<Vec<_>>()
        };
        let (transfer, content) = (list("transfer-encoding"), list("content-encoding"));
        let is_chunked = |coding: &String| coding.eq_ignore_ascii_case("chunked");
        let chunked = transfer.iter().any(is_chunked);
        let codings = content.into_iter().chain(transfer);
        self.response.codings = codings.filter(|coding| !is_chunked(coding)).collect();
        if status == 204 || status == 304 {
            return Ok(State::Done);
        }
        if chunked {
            return Ok(State::ChunkSize);
        }
        match field("content-length") {
            None => Ok(State::UntilClosed),
            Some(length) => match length.parse() {
                Ok(0) => Ok(State::Done),
                Ok(length) if length > limits::HTTP_REPLY => Err(too_long()),
                Ok(length) => Ok(State::Length(length)),
                Err(_) => Err(format!("a body of {} bytes makes no sense", shown(&length))),
            },
        }
    }

    /// Takes what belongs to the body, of which `left` bytes are to come; `rest` is the state while
    /// some still are.
    fn take_body<'a>(
        &mut self,
        bytes: &'a [u8],
        left: usize,
        rest: fn(usize) -> State,
    ) -> Result<&'a [u8], String> {
        let (mine, behind) = bytes.split_at(bytes.len().min(left));
        self.response.body.extend_from_slice(mine);
        let left = left - mine.len();
        if left > 0 {
            self.state = rest(left);
        } else {
            self.state = match self.state {
                State::Chunk(_) => State::ChunkEnd,
                _ => State::Done,
            };
        }
        Ok(behind)
    }

    /// Gathers one line between chunks. Returns the bytes behind it.
    fn take_line<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], String> {
        let end = bytes.iter().position(|&byte| byte == b'\n');
        let (mine, behind) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
        let most = match self.state {
            State::Trailer => limits::HTTP_HEAD,
            _ => limits::HTTP_CHUNK_LINE,
        };
        self.line.extend_from_slice(mine);
        if self.line.len() > most {
            return Err(bad_chunk());
        }
        if end.is_some() {
            let line = std::mem::take(&mut self.line);
            self.state = self.read_line(&line)?;
        }
        Ok(behind)
    }

    fn read_line(&self, line: &[u8]) -> Result<State, String> {
        let empty = line.trim_ascii().is_empty();
        match self.state {
            State::ChunkEnd if empty => Ok(State::ChunkSize),
            State::Trailer if empty => Ok(State::Done),
            State::Trailer => Ok(State::Trailer),
            // A size without digits would be taken for 0.
            State::ChunkSize if !line.first().is_some_and(u8::is_ascii_hexdigit) => {
                Err(bad_chunk())
            }
            State::ChunkSize => match httparse::parse_chunk_size(line) {
                Ok(httparse::Status::Complete((_, 0))) => Ok(State::Trailer),
                Ok(httparse::Status::Complete((_, size))) => match usize::try_from(size) {
                    Ok(size) if size <= limits::HTTP_REPLY => Ok(State::Chunk(size)),
                    _ => Err(too_long()),
                },
                _ => Err(bad_chunk()),
            },
            _ => Err(bad_chunk()),
        }
    }
}

/// Where the empty line that ends a head ends. Only bytes from `known` on are new.
fn head_end(head: &[u8], known: usize) -> Option<usize> {
    let from = known.saturating_sub(3);
    let fresh = head.get(from..)?;
    let ends = |at: usize| {
        let before = fresh[..at].strip_suffix(b"\r").unwrap_or(&fresh[..at]);
        fresh[at] == b'\n' && before.ends_with(b"\n")
    };
    (0..fresh.len())
        .find(|&at| ends(at))
        .map(|at| from + at + 1)
}

/// A header's value in quotes, not all of it if it is long: it becomes a part of a line.
pub fn shown(value: &str) -> String {
    match value.char_indices().nth(limits::WORDS) {
        Some((end, _)) => format!("{:?}…", value.get(..end).unwrap_or_default()),
        None => format!("{value:?}"),
    }
}

fn too_long() -> String {
    format!(
        "the answer is longer than {} MiB",
        limits::HTTP_REPLY / limits::MIB
    )
}

fn bad_chunk() -> String {
    String::from("the answer's chunks make no sense")
}

#[cfg(test)]
mod tests;
