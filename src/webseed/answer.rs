//! One answer of a web seed: whether it is what was asked for, and where in the content the bytes
//! of its body belong.

use std::fmt;
use std::ops::Range;

use super::content::Part;
use crate::base::{BLOCK, Duration, limits};
use crate::http::{Framing, Head, Reader, shown};

/// Why an answer is of no use.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// It is to be asked for there instead.
    Moved(String),
    /// The server has no such file, or refuses it, by this status.
    Gone(u16),
    /// The server cannot answer now, by this status, and may have said for how long.
    Busy(u16, Option<Duration>),
    /// It sends the whole file, and what is wanted lies too far from its beginning.
    WholeOnly,
    /// The file there has another length: so many bytes.
    OtherLength(u64),
    /// It makes no sense, in words.
    Senseless(String),
    /// The connection ended before the answer did.
    CutShort,
    /// The connection ends, and nothing is wrong.
    Last,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Moved(to) => write!(f, "it redirects to {}", shown(to)),
            Fault::Gone(status) => {
                let meaning = match status {
                    404 | 410 => "there is no such file",
                    416 => "it has no such bytes of it",
                    _ => "it refuses",
                };
                write!(f, "HTTP {status}: {meaning}")
            }
            Fault::Busy(status, _) => write!(f, "HTTP {status}: it cannot answer now"),
            Fault::WholeOnly => write!(f, "it sends whole files only"),
            Fault::OtherLength(length) => write!(f, "its file has {length} bytes"),
            Fault::Senseless(why) => write!(f, "{why}"),
            Fault::CutShort => write!(f, "it closes before the answer is whole"),
            Fault::Last => write!(f, "it closes the connection"),
        }
    }
}

/// One answer, as far as it has come.
#[derive(Debug)]
pub struct Answer {
    /// The file that was asked for.
    part: Part,
    /// The bytes of the content that were asked for.
    asked: Range<u64>,
    /// The first of them that is wanted.
    wanted: u64,
    /// Bytes in front of these that may be read, where they come though they are not asked for.
    skipped_most: u64,
    reader: Reader,
    /// Where the next byte of the body belongs; `None`: the head has not come.
    at: Option<u64>,
    /// Where the body ends.
    end: u64,
    /// The body is the whole file.
    whole: bool,
    /// The body ends with the connection.
    until_closed: bool,
    /// The connection may be used again.
    persists: bool,
    /// Bytes that came behind the body.
    tail: u64,
}

/// What comes next of an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Got {
    /// Nothing more without more bytes.
    Nothing,
    /// The head.
    Head,
    /// So many bytes of the body, which belong here in the content.
    Body(u64, usize),
    /// The answer is whole. Whether the connection may be used again.
    End(bool),
}

impl Answer {
    /// To a request for these bytes of a file, which must lie in it.
    pub fn new(part: Part, asked: Range<u64>, wanted: u64, skipped_most: u64) -> Answer {
        Answer {
            skipped_most,
            part,
            end: asked.end,
            asked,
            wanted,
            reader: Reader::new(usize::MAX),
            at: None,
            whole: false,
            until_closed: false,
            persists: false,
            tail: 0,
        }
    }

    /// Whether it is the whole file though a part was asked for.
    pub fn is_whole_unasked(&self) -> bool {
        self.whole && self.asked != self.part.bytes
    }

    /// Whether its head has come and says that it is the part that was asked for.
    pub fn is_part(&self) -> bool {
        self.at.is_some() && !self.whole
    }

    /// The bytes of the content that are to come; `None`: that is not known before the head.
    pub fn to_come(&self) -> Option<Range<u64>> {
        self.at.map(|at| at..self.end)
    }

    /// The next thing in these bytes, and how many of them it takes. The bytes of a body are the
    /// last of these.
    ///
    /// # Errors
    /// It is of no use.
    pub fn next(&mut self, bytes: &[u8]) -> Result<(usize, Got), Fault> {
        use crate::http::Part as Piece;
        let mut rest = bytes;
        let piece = self.reader.next(&mut rest).map_err(Fault::Senseless)?;
        let used = bytes.len() - rest.len();
        let got = match piece {
            None => {
                self.count_tail(used)?;
                Got::Nothing
            }
            Some(Piece::Head(head)) => {
                self.take_head(&head)?;
                Got::Head
            }
            Some(Piece::Body(body)) => {
                let at = self.at.unwrap_or(self.end);
                let room = self.end - at;
                if body.len() as u64 > room {
                    let most = self.end - self.asked.start.min(self.part.bytes.start);
                    let why = format!("it sends more than the {most} bytes that it is asked for");
                    return Err(Fault::Senseless(why));
                }
                self.at = Some(at + body.len() as u64);
                Got::Body(at, body.len())
            }
            Some(Piece::End) => {
                self.finish()?;
                Got::End(self.persists)
            }
        };
        Ok((used, got))
    }

    /// The connection has ended.
    ///
    /// # Errors
    /// The answer is not whole.
    pub fn close(&self) -> Result<(), Fault> {
        let whole = self.at == Some(self.end);
        if whole || self.until_closed && self.finish().is_ok() {
            Ok(())
        } else {
            Err(Fault::CutShort)
        }
    }

    /// The end of the answer.
    fn finish(&self) -> Result<(), Fault> {
        let start = self.part.bytes.start;
        match self.at {
            Some(at) if at == self.end => Ok(()),
            Some(at) if self.whole => Err(Fault::OtherLength(at - start)),
            _ => Err(Fault::CutShort),
        }
    }

    /// Counts what comes behind the last byte of the body.
    fn count_tail(&mut self, bytes: usize) -> Result<(), Fault> {
        if self.at == Some(self.end) {
            self.tail += bytes as u64;
        }
        if self.tail > limits::WEB_TAIL {
            let why = String::from("its answer does not end");
            return Err(Fault::Senseless(why));
        }
        Ok(())
    }

    fn take_head(&mut self, head: &Head) -> Result<(), Fault> {
        if let Some(to) = head.redirect() {
            return Err(Fault::Moved(to.to_string()));
        }
        match head.status {
            200 | 206 => {}
            408 | 425 | 429 | 500..=599 => {
                return Err(Fault::Busy(head.status, head.retry_after));
            }
            status => return Err(Fault::Gone(status)),
        }
        let coded = |coding: &&String| !coding.eq_ignore_ascii_case("identity");
        if let Some(coding) = head.codings.iter().find(coded) {
            let why = format!("it answers in {}, unasked", shown(coding));
            return Err(Fault::Senseless(why));
        }
        let file = &self.part.bytes;
        let length = file.end - file.start;
        let body = if head.status == 206 {
            let Some(range) = &head.range else {
                let why = "it does not say which bytes it sends";
                return Err(Fault::Senseless(String::from(why)));
            };
            if let Some(other) = range.length.filter(|&other| other != length) {
                return Err(Fault::OtherLength(other));
            }
            let place = |at: u64| file.start.saturating_add(at);
            let (start, end) = (place(range.bytes.start), place(range.bytes.end));
            let (least, block) = (
                self.wanted.saturating_sub(limits::WEB_GAP),
                u64::from(BLOCK),
            );
            let fits = (least..=self.wanted).contains(&start)
                && end <= self.asked.end
                && end >= self.asked.end.min(self.wanted + block);
            if !fits {
                let (first, last) = (range.bytes.start, range.bytes.end - 1);
                let why = format!("it sends other bytes than it is asked for: {first}-{last}");
                return Err(Fault::Senseless(why));
            }
            start..end
        } else {
            if let Framing::Length(other) = head.body {
                if other != length {
                    return Err(Fault::OtherLength(other));
                }
            }
            if self.wanted - file.start > self.skipped_most {
                return Err(Fault::WholeOnly);
            }
            file.clone()
        };
        if let Framing::Length(length) = head.body {
            if length != body.end - body.start {
                let why = format!("its answer has {length} bytes and is to have others");
                return Err(Fault::Senseless(why));
            }
        }
        self.whole = head.status == 200;
        self.until_closed = head.body == Framing::UntilClosed;
        self.persists = head.persists;
        (self.at, self.end) = (Some(body.start), body.end);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
