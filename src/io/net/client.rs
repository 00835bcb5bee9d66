//! One client of the server: its bytes, in and out. A request is a line, and so is an answer; both
//! end with a line feed. While a request is not answered, or an answer is not sent, nothing more is
//! read, so a client that asks and never reads delays only itself. Its answer may come in parts.

use std::io::{self, Read, Write};

use crate::base::{Time, limits};
use crate::rpc::Heard;

/// Bytes read at a time.
const READ: usize = 64 * limits::KIB;
/// Bytes of an answer that are sent before their memory is given back.
const SENT: usize = limits::MIB;

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
    /// A request, or the rest of one, waits until there is room for it.
    is_held: bool,
    /// The other end is closed: it takes no answer.
    pub has_hung_up: bool,
    /// The last lines in a row that were no JSON.
    garbage: usize,
    /// The other end sends no more.
    ended: bool,
    /// It is closed once the output is sent.
    closing: bool,
    /// When bytes moved last.
    pub moved: Time,
}

/// What a client may take of what all clients share.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Room {
    /// Bytes of a request that it may have, and be read on.
    pub buffer: usize,
    /// Bytes of a request that may be handed out.
    pub request: usize,
}

/// What becomes of a client next.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Here is a request.
    Request(Vec<u8>),
    /// It has a request, or sends one, for which there is no room.
    Held,
    /// It sends a request that is longer than [`limits::CONTROL_REQUEST`].
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
    pub fn new(stream: S, now: Time) -> Client<S> {
        Client {
            stream,
            input: Vec::new(),
            scanned: 0,
            output: Vec::new(),
            sent: 0,
            is_busy: false,
            is_held: false,
            has_hung_up: false,
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

    /// Bytes of answers that it has not taken.
    pub fn unsent(&self) -> usize {
        self.output.len() - self.sent
    }

    /// Whether all answers are sent and nothing is asked for.
    pub fn is_idle(&self) -> bool {
        !self.is_busy && self.output.is_empty()
    }

    /// Since when it is for the client to do something; `None`: it waits for us.
    pub fn silent_since(&self) -> Option<Time> {
        let is_asking = self.is_busy || self.is_held;
        (!self.output.is_empty() || !is_asking).then_some(self.moved)
    }

    /// A part of the answer to the request that was handed out.
    pub fn send(&mut self, text: String, now: Time) {
        if text.is_empty() {
            return;
        }
        if self.output.is_empty() {
            self.output = text.into_bytes();
            // It could not take anything before.
            self.moved = now;
        } else {
            self.output.extend_from_slice(text.as_bytes());
        }
    }

    /// Answers the request that was handed out; `None`: there is nothing to say. The client is
    /// closed afterwards if its line was not read to its end, or was the last of
    /// [`limits::CONTROL_GARBAGE`] in a row that were no JSON.
    pub fn answer(&mut self, text: Option<String>, heard: Heard, now: Time) {
        self.is_busy = false;
        self.garbage = match heard {
            Heard::Json => 0,
            Heard::Garbage => self.garbage + 1,
            Heard::Unread => limits::CONTROL_GARBAGE,
        };
        self.closing |= self.garbage >= limits::CONTROL_GARBAGE;
        if self.output.is_empty() {
            self.moved = now;
        }
        if let Some(mut text) = text {
            text.push('\n');
            self.send(text, now);
        }
    }

    /// Writes what is to be written, then looks for a request, then reads, once.
    pub fn step(&mut self, room: Room, now: Time) -> Step {
        if !self.flush(now) {
            return Step::Close;
        }
        if !self.is_idle() {
            return Step::Wait;
        }
        if self.closing {
            return Step::Close;
        }
        let request = self.next_request();
        if request.is_none() && self.ended {
            return Step::Close;
        }
        if request.is_none() && self.input.len() > limits::CONTROL_REQUEST {
            self.input = Vec::new();
            self.scanned = 0;
            self.is_busy = true;
            return Step::TooLong;
        }
        let is_held = match request {
            Some(length) => length > room.request,
            None => self.input.len() > room.buffer,
        };
        if std::mem::replace(&mut self.is_held, is_held) && !is_held {
            // It could do nothing before.
            self.moved = now;
        }
        if is_held {
            return Step::Held;
        }
        let Some(length) = request else {
            return self.read(now);
        };
        let rest = self.input.split_off(length);
        self.scanned = 0;
        self.is_busy = true;
        Step::Request(std::mem::replace(&mut self.input, rest))
    }

    /// The length of the next line that is not empty, with its end: the input begins with it then.
    /// What the other end sent last needs no line feed.
    fn next_request(&mut self) -> Option<usize> {
        if self.scanned == 0 {
            let blank = self.input.len() - self.input.trim_ascii_start().len();
            self.input.drain(..blank);
        }
        let fresh = self.input.get(self.scanned..).unwrap_or_default();
        match fresh.iter().position(|&byte| byte == b'\n') {
            Some(end) => Some(self.scanned + end + 1),
            None if self.ended && !self.input.is_empty() => Some(self.input.len()),
            None => {
                self.scanned = self.input.len();
                None
            }
        }
    }

    fn read(&mut self, now: Time) -> Step {
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
    fn flush(&mut self, now: Time) -> bool {
        while let Some(rest @ [_, ..]) = self.output.get(self.sent..) {
            match retry(|| self.stream.write(rest)) {
                Ok(0) => return false,
                Ok(sent) => {
                    self.sent += sent;
                    self.moved = now;
                    if self.sent >= SENT {
                        self.output.drain(..self.sent);
                        self.output.shrink_to_fit();
                        self.sent = 0;
                    }
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
