//! One client of the server: its bytes, in and out. A request is a line, and so is an answer; both
//! end with a line feed. While a request is not answered, or an answer is not sent, nothing more is
//! read, so a client that asks and never reads delays only itself.

use std::io::{self, Read, Write};

use crate::base::{Now, limits};
use crate::rpc::Heard;

/// Bytes read at a time.
const READ: usize = 64 * limits::KIB;

/// A client, over any stream of bytes that does not block.
#[derive(Debug)]
pub struct Client<S> {
    /// Its socket.
    pub stream: S,
    input: Vec<u8>,
    /// Bytes of the input that are known to hold no line feed.
    scanned: usize,
    output: Vec<u8>,
    /// Bytes of the output that are sent.
    sent: usize,
    /// A request was handed out and is not answered.
    pub is_busy: bool,
    /// The last lines in a row that were no JSON.
    garbage: usize,
    /// The other end sends no more.
    ended: bool,
    /// It is closed once the output is sent.
    closing: bool,
    /// When bytes moved last.
    pub moved: Now,
}

/// What becomes of a client next.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Here is a request.
    Request(Vec<u8>),
    /// It sends a request that is longer than [`limits::CONTROL_REQUEST`], or all clients together
    /// send too much.
    TooLong,
    /// There may be more to read: it is to have another turn.
    Again,
    /// Until its socket is ready, or its request is answered, there is nothing to do.
    Wait,
    /// It is over.
    Close,
}

impl<S: Read + Write> Client<S> {
    /// A client that has just come.
    pub fn new(stream: S, now: Now) -> Client<S> {
        Client {
            stream,
            input: Vec::new(),
            scanned: 0,
            output: Vec::new(),
            sent: 0,
            is_busy: false,
            garbage: 0,
            ended: false,
            closing: false,
            moved: now,
        }
    }

    /// Bytes that wait for the rest of their request.
    pub fn buffered(&self) -> usize {
        self.input.len()
    }

    /// Whether all answers are sent and nothing is asked for.
    pub fn is_idle(&self) -> bool {
        !self.is_busy && self.output.is_empty()
    }

    /// Answers the request that was handed out; `None`: there is nothing to say. The client is
    /// closed afterwards if its line was not read to its end, or was the last of
    /// [`limits::CONTROL_GARBAGE`] in a row that were no JSON.
    pub fn answer(&mut self, text: Option<&str>, heard: Heard) {
        self.is_busy = false;
        self.garbage = match heard {
            Heard::Json => 0,
            Heard::Garbage => self.garbage + 1,
            Heard::Unread => limits::CONTROL_GARBAGE,
        };
        self.closing |= self.garbage >= limits::CONTROL_GARBAGE;
        if let Some(text) = text {
            self.output.extend_from_slice(text.as_bytes());
            self.output.push(b'\n');
        }
    }

    /// Writes what is to be written, then looks for a request, then reads, once. `room`: bytes
    /// that it may still buffer.
    pub fn step(&mut self, room: usize, now: Now) -> Step {
        if !self.flush(now) {
            return Step::Close;
        }
        if !self.is_idle() {
            return Step::Wait;
        }
        if self.closing {
            return Step::Close;
        }
        if let Some(request) = self.next_request() {
            self.is_busy = true;
            return Step::Request(request);
        }
        if self.ended {
            return Step::Close;
        }
        if self.input.len() > limits::CONTROL_REQUEST || room == 0 {
            self.input = Vec::new();
            self.is_busy = true;
            return Step::TooLong;
        }
        self.read(now)
    }

    /// The next line that is not empty. What the other end sent last needs no line feed.
    fn next_request(&mut self) -> Option<Vec<u8>> {
        loop {
            let fresh = self.input.get(self.scanned..).unwrap_or_default();
            let request = match fresh.iter().position(|&byte| byte == b'\n') {
                Some(end) => {
                    let rest = self.input.split_off(self.scanned + end + 1);
                    std::mem::replace(&mut self.input, rest)
                }
                None if self.ended => std::mem::take(&mut self.input),
                None => {
                    self.scanned = self.input.len();
                    return None;
                }
            };
            self.scanned = 0;
            if !request.trim_ascii().is_empty() {
                return Some(request);
            }
            if self.input.is_empty() {
                return None;
            }
        }
    }

    fn read(&mut self, now: Now) -> Step {
        let start = self.input.len();
        self.input.resize(start + READ, 0);
        let buffer = self.input.get_mut(start..).unwrap_or_default();
        let read = retry(|| self.stream.read(buffer));
        self.input.truncate(start + *read.as_ref().unwrap_or(&0));
        match read {
            Ok(0) => {
                self.ended = true;
                Step::Again
            }
            Ok(_) => {
                self.moved = now;
                Step::Again
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.input.shrink_to_fit();
                Step::Wait
            }
            Err(_) => Step::Close,
        }
    }

    /// Sends what the socket takes; whether it is still open.
    fn flush(&mut self, now: Now) -> bool {
        while let Some(rest @ [_, ..]) = self.output.get(self.sent..) {
            match retry(|| self.stream.write(rest)) {
                Ok(0) => return false,
                Ok(sent) => {
                    self.sent += sent;
                    self.moved = now;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(_) => return false,
            }
        }
        // A long answer leaves no memory behind.
        self.output = Vec::new();
        self.sent = 0;
        true
    }
}

fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}
