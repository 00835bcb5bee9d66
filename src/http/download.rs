//! One answer to a GET, gathered whole, within bounds of length and of time: it may take long as
//! long as bytes come, but not for ever.

use super::decode::decode;
use super::head::Head;
use super::reader::{Part, Reader};
use crate::base::{Now, limits};

/// An answer of which some came in.
#[derive(Debug)]
pub struct Download {
    reader: Reader,
    head: Option<Head>,
    body: Vec<u8>,
    most: usize,
    /// When something came last.
    heard: Now,
    /// When it has taken too long, whatever comes.
    until: Now,
}

impl Download {
    /// Nothing so far. `most`: bytes of the body.
    pub fn new(most: usize, now: Now) -> Download {
        Download {
            reader: Reader::new(most + limits::HTTP_HEAD),
            head: None,
            body: Vec::new(),
            most,
            heard: now,
            until: now + limits::URL_TIME,
        }
    }

    /// Takes bytes; true when the answer is whole.
    ///
    /// # Errors
    /// What is wrong, in a few words. Nothing is to be taken afterwards.
    pub fn take(&mut self, mut bytes: &[u8], now: Now) -> Result<bool, String> {
        self.heard = now;
        while let Some(part) = self.reader.next(&mut bytes)? {
            match part {
                Part::Head(head) => self.head = Some(head),
                Part::Body(piece) => self.body.extend_from_slice(piece),
                Part::End => return Ok(true),
            }
        }
        Ok(false)
    }

    /// When it is given up if nothing comes.
    pub fn deadline(&self) -> Now {
        self.until.min(self.heard + limits::HTTP_TIME)
    }

    /// Why it is given up, once it is.
    pub fn late(&self, now: Now) -> Option<String> {
        let (silent, all) = (limits::HTTP_TIME.as_secs(), limits::URL_TIME.as_secs());
        if now >= self.until {
            Some(format!("it is not there after {all} s"))
        } else if now >= self.deadline() {
            Some(format!("no answer within {silent} s"))
        } else {
            None
        }
    }

    /// The connection has ended, or all has come: the head, and the body as it was before it was
    /// compressed.
    ///
    /// # Errors
    /// The answer is not whole, or cannot be read.
    pub fn finish(self) -> Result<(Head, Vec<u8>), String> {
        self.reader.end()?;
        let head = self.head.ok_or("closed without an answer")?;
        let body = match head.status {
            200 => decode(self.body, &head.codings, self.most)?,
            // Nobody reads it.
            _ => Vec::new(),
        };
        Ok((head, body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Duration;

    #[test]
    fn an_answer_is_bounded_in_length() {
        let now = Now::default();
        let answer = |length: usize| {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
            [head.as_bytes(), &vec![b'x'; length]].concat()
        };
        let mut download = Download::new(limits::MIB, now);
        assert_eq!(download.take(&answer(limits::MIB), now), Ok(true));
        assert_eq!(download.finish().unwrap().1.len(), limits::MIB);
        let mut download = Download::new(limits::MIB, now);
        let longer = answer(limits::MIB + limits::HTTP_HEAD);
        assert!(download.take(&longer, now).is_err());
    }

    #[test]
    fn silence_ends_it_and_so_does_a_trickle() {
        let start = Now::default();
        let mut download = Download::new(limits::MIB, start);
        assert_eq!(download.deadline(), start + limits::HTTP_TIME);
        assert_eq!(download.late(start), None);
        let silent = download.late(start + limits::HTTP_TIME);
        assert_eq!(silent.as_deref(), Some("no answer within 30 s"));
        let head = b"HTTP/1.1 200 OK\r\n\r\n";
        assert_eq!(download.take(head, start), Ok(false));
        let mut now = start;
        while download.late(now).is_none() {
            now = now + Duration::from_secs(20);
            assert_eq!(download.take(b"x", now), Ok(false));
        }
        assert_eq!(now, start + limits::URL_TIME);
        let late = download.late(now);
        assert_eq!(late.as_deref(), Some("it is not there after 300 s"));
    }
}
