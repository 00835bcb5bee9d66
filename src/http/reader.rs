//! An HTTP response, read as its bytes come in (RFC 9112): a head, then a body that ends by
//! `Content-Length`, by its last chunk, or with the connection. The body is handed on piece by
//! piece, as slices of what came; nothing is kept but the start of a head or of a line.

use super::head::{Framing, Head};
use crate::base::limits;

/// Reads one response.
#[derive(Clone, Debug)]
pub struct Reader {
    state: State,
    /// Bytes that the response may have, head and body.
    most: u64,
    /// Bytes taken so far.
    taken: u64,
    /// The beginning of a head or of a line between chunks.
    line: Vec<u8>,
}

/// What comes next in a response.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Part<'a> {
    /// The head is whole.
    Head(Head),
    /// The next piece of the body, never empty.
    Body(&'a [u8]),
    /// The response is whole: nothing more belongs to it.
    End,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Head,
    /// So many bytes of the body are to come.
    Length(u64),
    /// The body ends with the connection.
    UntilClosed,
    /// A line with a chunk's size.
    ChunkSize,
    /// So many bytes of a chunk are to come.
    Chunk(u64),
    /// The end of the line behind a chunk.
    ChunkEnd,
    /// Header lines behind the last chunk.
    Trailer,
    Done,
}

impl Reader {
    /// A reader that has seen nothing. `most`: the bytes that the response may have, head and body.
    pub fn new(most: usize) -> Reader {
        Reader {
            state: State::Head,
            most: most as u64,
            taken: 0,
            line: Vec::new(),
        }
    }

    /// The next part that these bytes complete, of which it takes what it has used. `None`: more
    /// bytes are needed, or the response has ended.
    ///
    /// # Errors
    /// What is wrong, in a few words. Nothing is to be read afterwards.
    pub fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Result<Option<Part<'a>>, String> {
        loop {
            let before = bytes.len();
            let part = match self.state {
                State::Done => return Ok(None),
                State::Length(0) => {
                    self.state = State::Done;
                    Some(Part::End)
                }
                _ if bytes.is_empty() => return Ok(None),
                State::Head => self.take_head(bytes)?.map(Part::Head),
                State::Length(left) => Some(self.take_body(bytes, left, State::Length)),
                State::Chunk(left) => Some(self.take_body(bytes, left, |left| match left {
                    0 => State::ChunkEnd,
                    _ => State::Chunk(left),
                })),
                State::UntilClosed => Some(self.take_body(bytes, u64::MAX, |_| State::UntilClosed)),
                State::ChunkSize | State::ChunkEnd | State::Trailer => {
                    self.take_line(bytes)?;
                    (self.state == State::Done).then_some(Part::End)
                }
            };
            self.taken += (before - bytes.len()) as u64;
            if self.taken > self.most {
                return Err(self.too_long());
            }
            if part.is_some() {
                return Ok(part);
            }
        }
    }

    /// Bytes taken so far: when the response has ended, its length.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// The connection has ended in order: so has a body that ends with it.
    ///
    /// # Errors
    /// The response is not whole.
    pub fn end(&self) -> Result<(), String> {
        match self.state {
            State::Done | State::UntilClosed => Ok(()),
            State::Head if self.taken == 0 => Err(String::from("closed without an answer")),
            _ => Err(String::from("the answer is cut short")),
        }
    }

    /// Gathers the head up to the empty line that ends it.
    fn take_head(&mut self, bytes: &mut &[u8]) -> Result<Option<Head>, String> {
        let known = self.line.len();
        let room = limits::HTTP_HEAD.saturating_sub(known);
        let (fresh, behind) = bytes.split_at(bytes.len().min(room));
        self.line.extend_from_slice(fresh);
        let start = b"HTTP/";
        let seen = self.line.len().min(start.len());
        if self.line[..seen] != start[..seen] {
            return Err(String::from("the answer is not HTTP"));
        }
        let Some(end) = head_end(&self.line, known) else {
            if self.line.len() == limits::HTTP_HEAD {
                return Err(format!(
                    "the answer's head is longer than {} KiB",
                    limits::HTTP_HEAD / limits::KIB
                ));
            }
            *bytes = behind;
            return Ok(None);
        };
        let line = std::mem::take(&mut self.line);
        *bytes = &bytes[end - known..];
        let Some(head) = Head::parse(&line[..end])? else {
            return Ok(None);
        };
        self.state = match head.body {
            Framing::Length(length) if length > self.most => return Err(self.too_long()),
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::ChunkSize,
            Framing::UntilClosed => State::UntilClosed,
        };
        Ok(Some(head))
    }

    /// Takes what belongs to the body, of which `left` bytes are to come; `rest` is the state when
    /// this many still are.
    fn take_body<'a>(
        &mut self,
        bytes: &mut &'a [u8],
        left: u64,
        rest: fn(u64) -> State,
    ) -> Part<'a> {
        let len = usize::try_from(left).unwrap_or(usize::MAX);
        let (mine, behind) = bytes.split_at(bytes.len().min(len));
        *bytes = behind;
        self.state = rest(left - mine.len() as u64);
        Part::Body(mine)
    }

    /// Gathers one line between chunks.
    fn take_line(&mut self, bytes: &mut &[u8]) -> Result<(), String> {
        let end = bytes.iter().position(|&byte| byte == b'\n');
        let (mine, behind) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
        *bytes = behind;
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
        Ok(())
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
                Ok(httparse::Status::Complete((_, size))) if size > self.most => {
                    Err(self.too_long())
                }
                Ok(httparse::Status::Complete((_, size))) => Ok(State::Chunk(size)),
                _ => Err(bad_chunk()),
            },
            _ => Err(bad_chunk()),
        }
    }

    fn too_long(&self) -> String {
        let most = self.most / limits::MIB as u64;
        format!("the answer is longer than {most} MiB")
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

fn bad_chunk() -> String {
    String::from("the answer's chunks make no sense")
}

#[cfg(test)]
mod tests;
