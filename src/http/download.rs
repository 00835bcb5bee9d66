//! One answer to a GET, gathered whole, within bounds of length and of time: it may take long as
//! long as bytes come, but not for ever.

use super::decode::decode;
use super::head::Head;
use super::inflate::is_gzip;
use super::reader::{Part, Reader};
use crate::base::{Duration, Time, limits};

/// An answer of which some came in.
#[derive(Debug)]
pub struct Download {
    reader: Reader,
    head: Option<Head>,
    body: Vec<u8>,
    most: usize,
    /// Bytes that came, and when something came last.
    taken: usize,
    heard: Time,
    /// Since when its pace is looked at, and the bytes that had come by then; `None`: nothing came.
    pace: Option<(Time, usize)>,
    /// When it has taken too long, whatever comes.
    until: Time,
}

impl Download {
    /// Nothing so far. `most`: bytes of the body.
    pub fn new(most: usize, now: Time) -> Download {
        Download {
            reader: Reader::new(most + limits::HTTP_HEAD),
            head: None,
            body: Vec::new(),
            most,
            taken: 0,
            heard: now,
            pace: None,
            until: now + limits::URL_TIME,
        }
    }

    /// Takes bytes; true when the answer is whole.
    ///
    /// # Errors
    /// What is wrong, in a few words. Nothing is to be taken afterwards.
    pub fn take(&mut self, mut bytes: &[u8], now: Time) -> Result<bool, String> {
        self.heard = now;
        self.pace.get_or_insert((now, 0));
        self.taken += bytes.len();
        while let Some(part) = self.reader.next(&mut bytes)? {
            match part {
                Part::Head(head) => self.head = Some(head),
                Part::Body(piece) => self.body.extend_from_slice(piece),
                Part::End => return Ok(true),
            }
        }
        Ok(false)
    }

    /// Bytes of the body so far.
    pub fn length(&self) -> usize {
        self.body.len()
    }

    /// Whether the body is compressed, and may be longer than it seems.
    pub fn is_coded(&self) -> bool {
        let head = self.head.as_ref();
        is_gzip(&self.body) || head.is_some_and(|head| !head.codings.is_empty())
    }

    /// It was not taken for so long, which is not the other end's fault.
    pub fn excuse(&mut self, waited: Duration) {
        (self.heard, self.until) = (self.heard + waited, self.until + waited);
        self.pace = self.pace.map(|(since, taken)| (since + waited, taken));
    }

    /// When it may be given up if nothing comes: [`Download::late`] tells.
    pub fn deadline(&self) -> Time {
        let silent = self.until.min(self.heard + limits::HTTP_TIME);
        let slow = self.pace.map(|(since, _)| since + limits::URL_PACE_TIME);
        slow.map_or(silent, |slow| slow.min(silent))
    }

    /// Why it is given up, once it is.
    pub fn late(&mut self, now: Time) -> Option<String> {
        let (silent, all) = (limits::HTTP_TIME, limits::URL_TIME);
        if now >= self.until {
            Some(format!("it is not there after {} s", all.as_secs()))
        } else if now >= self.heard + silent {
            Some(format!("no answer within {} s", silent.as_secs()))
        } else if self.is_slow(now) {
            let (bytes, time) = (limits::URL_PACE, limits::URL_PACE_TIME.as_secs());
            let kib = bytes / limits::KIB;
            Some(format!("it sends less than {kib} KiB in {time} s"))
        } else {
            None
        }
    }

    fn is_slow(&mut self, now: Time) -> bool {
        let due = |(since, _): &(Time, usize)| now >= *since + limits::URL_PACE_TIME;
        let Some((_, before)) = self.pace.filter(due) else {
            return false;
        };
        self.pace = Some((now, self.taken));
        self.taken - before < limits::URL_PACE
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

    #[test]
    fn an_answer_is_bounded_in_length() {
        let now = Time::default();
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

    /// Takes so many bytes each time that so long has passed, until it is given up: when and why.
    fn given_up(bytes: usize, pause: Duration, start: Time) -> (Time, String) {
        let mut download = Download::new(limits::MIB, start);
        let head = b"HTTP/1.1 200 OK\r\n\r\n";
        assert_eq!(download.take(head, start), Ok(false));
        let mut now = start;
        loop {
            now = now + pause;
            if let Some(why) = download.late(now) {
                return (now, why);
            }
            assert_eq!(download.take(&vec![b'x'; bytes], now), Ok(false));
        }
    }

    #[test]
    fn silence_ends_it_and_so_does_a_trickle() {
        let start = Time::default();
        let mut download = Download::new(limits::MIB, start);
        assert_eq!(download.deadline(), start + limits::HTTP_TIME);
        assert_eq!(download.late(start), None);
        // A server may think for as long.
        assert_eq!(download.late(start + limits::URL_PACE_TIME), None);
        let silent = download.late(start + limits::HTTP_TIME);
        assert_eq!(silent.as_deref(), Some("no answer within 30 s"));
        let second = Duration::from_secs(1);
        let (ended, why) = given_up(1, second, start);
        assert_eq!(ended, start + limits::URL_PACE_TIME);
        assert_eq!(why, "it sends less than 20 KiB in 20 s");
        let (ended, why) = given_up(limits::URL_PACE / 19, second, start);
        assert_eq!(ended, start + limits::URL_TIME);
        assert_eq!(why, "it is not there after 300 s");
    }

    #[test]
    fn what_is_not_taken_is_not_the_servers_fault() {
        let start = Time::default();
        let mut download = Download::new(limits::MIB, start);
        let head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n123";
        assert_eq!(download.take(head, start), Ok(false));
        assert!(download.is_coded() && download.length() == 3);
        let before = download.deadline();
        download.excuse(limits::URL_TIME);
        assert_eq!(download.deadline(), before + limits::URL_TIME);
        assert_eq!(download.late(start + limits::URL_TIME), None);
        assert!(download.late(before + limits::URL_TIME).is_some());
    }
}
