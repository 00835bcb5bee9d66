//! An HTTP response, read as its bytes come in (RFC 9112): a head, then a body that ends by `Content-Length`, by its last chunk, or
//! with the connection. Nothing is kept that is longer than the limits, and what was not asked for (compression) is refused.

use crate::base::limits;

/// A response, whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Where a redirect leads to.
    pub location: Option<String>,
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
        for (name, plain) in [
            ("content-encoding", "identity"),
            ("transfer-encoding", "chunked"),
        ] {
            let coding = field(name).filter(|coding| !coding.eq_ignore_ascii_case(plain));
            if let Some(coding) = coding.filter(|coding| !coding.is_empty()) {
                return Err(format!(
                    "compressed ({}), which was not asked for",
                    shown(&coding)
                ));
            }
        }
        if status == 204 || status == 304 {
            return Ok(State::Done);
        }
        if field("transfer-encoding").is_some_and(|coding| !coding.is_empty()) {
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

    /// Takes what belongs to the body, of which `left` bytes are to come; `rest` is the state while some still are.
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
mod tests {
    use super::*;

    /// Reads a response whole, then a byte at a time, which must come to the same.
    fn read(bytes: &[u8]) -> Result<Response, String> {
        let read_in = |size: usize| {
            let mut reader = Reader::new();
            for part in bytes.chunks(size) {
                if reader.take(part)? {
                    return Ok(reader.into_response());
                }
            }
            reader.end().map(|()| reader.into_response())
        };
        let whole = read_in(bytes.len().max(1));
        for size in [1, 2, 3, 7] {
            assert_eq!(read_in(size), whole, "in parts of {size}");
        }
        whole
    }

    fn body(bytes: &[u8]) -> Vec<u8> {
        let response = read(bytes).unwrap();
        assert_eq!(response.status, 200);
        response.body
    }

    #[test]
    fn a_body_ends_in_any_of_three_ways() {
        assert_eq!(
            body(b"HTTP/1.1 200 OK\r\ncontent-LENGTH: 5\r\n\r\nhello, and more"),
            b"hello"
        );
        assert_eq!(
            body(b"HTTP/1.0 200 OK\r\nServer: old\r\n\r\nuntil the end"),
            b"until the end"
        );
        assert_eq!(
            body(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                5\r\nhello\r\nA;x=y\r\n, in parts\r\n0\r\nTrailer: t\r\n\r\nmore"
            ),
            b"hello, in parts"
        );
        assert_eq!(body(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), b"");
        assert_eq!(body(b"HTTP/1.1 200\n\nbare line feeds"), b"bare line feeds");
    }

    /// RFC 9112, section 6.3: "If a message is received with both a Transfer-Encoding and a Content-Length header field, the
    /// Transfer-Encoding overrides the Content-Length."
    #[test]
    fn chunks_override_a_length() {
        let both = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
        assert_eq!(body(both), b"abc");
    }

    #[test]
    fn interim_answers_are_passed_over() {
        let answer = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx";
        assert_eq!(body(answer), b"x");
    }

    #[test]
    fn a_redirect_says_where_to() {
        let moved = read(b"HTTP/1.1 302 Found\r\nLocation:  /x \r\nContent-Length: 0\r\n\r\n");
        let moved = moved.unwrap();
        assert_eq!((moved.status, moved.location.as_deref()), (302, Some("/x")));
        let empty = read(b"HTTP/1.1 204 No Content\r\n\r\nmore").unwrap();
        assert_eq!((empty.status, empty.body), (204, vec![]));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (bytes, why) in [
            (&b""[..], "closed without an answer"),
            (b"d8:intervali1800ee", "the answer is not HTTP"),
            (b"\x16\x03\x01", "the answer is not HTTP"),
            (b"HTT", "the answer is cut short"),
            (b"HTTP/1.1 200 OK\r\nContent-Le", "the answer is cut short"),
            (
                b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
                "the answer is cut short",
            ),
            (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
                "the answer is cut short",
            ),
            (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
                "the answer's chunks make no sense",
            ),
            (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
                "the answer's chunks make no sense",
            ),
            (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
                "the answer's chunks make no sense",
            ),
            (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
                "the answer is longer than 2 MiB",
            ),
            (
                b"HTTP/1.1 200 OK\r\nContent-Length: 52428800\r\n\r\n",
                "the answer is longer than 2 MiB",
            ),
            (
                b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
                "a body of \"-1\" bytes makes no sense",
            ),
            (
                b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b",
                "compressed (\"gzip\"), which was not asked for",
            ),
            (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
                "compressed (\"gzip, chunked\"), which was not asked for",
            ),
            (
                b"HTTP/1.1 abc\r\n\r\n",
                "the answer's head makes no sense: invalid response status",
            ),
        ] {
            let bytes_shown = bytes.escape_ascii();
            assert_eq!(read(bytes), Err(String::from(why)), "{bytes_shown}");
        }
    }

    #[test]
    fn length_is_bounded_everywhere() {
        let mut reader = Reader::new();
        let _ = reader.take(b"HTTP/1.0 200 OK\r\n\r\n");
        let most = std::iter::repeat_n([0; 1024], limits::HTTP_REPLY / 1024);
        let failed = most.map(|part| reader.take(&part)).find(Result::is_err);
        assert_eq!(failed, Some(Err(too_long())));

        let endless = |line: &[u8]| {
            let mut reader = Reader::new();
            let _ = reader.take(b"HTTP/1.1 200 OK\r\n");
            (0..limits::HTTP_REPLY)
                .find(|_| reader.take(line).is_err())
                .map(|lines| lines * line.len())
        };
        assert!(endless(b"X: y\r\n").is_some_and(|bytes| bytes <= limits::HTTP_HEAD));
        assert!(endless(b"x").is_some_and(|bytes| bytes <= limits::HTTP_HEAD));
        let many = b"X: y\r\n".repeat(limits::HTTP_HEADERS + 1);
        let head = [b"HTTP/1.1 200 OK\r\n", &many[..], b"\r\n"].concat();
        assert!(read(&head).is_err());
    }
}
