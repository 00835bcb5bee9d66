//! The machine of one connection to a web seed. It is given runs of the content that are wanted,
//! asks for them file by file, one request at a time, and takes blocks out of the bodies.
//!
//! Bytes go the way of those of peers: what was read lies in a buffer, behind what was kept of the
//! last read, the start of a block. [`Pull::open`] takes heads and the like out of it, so that
//! wanted bytes alone are left, in order; [`Pull::next_block`] cuts these into blocks; and what is
//! left is kept. Padding is put in where it belongs, since no server has it.

use std::net::SocketAddr;
use std::ops::Range;

use super::answer::{Answer, Fault, Got};
use super::content::{Content, Part};
use super::timing::{Lapse, Timing, Work};
use super::wanted::Wanted;
use crate::base::{BLOCK, Block, Geometry, Holdings, Meter, Time, limits};
use crate::http::{Scheme, Url, get_range};

/// A connection to a web seed.
#[derive(Debug)]
pub struct Pull {
    /// Which of the torrent's web seeds it is.
    pub site: usize,
    addr: SocketAddr,
    /// Scheme, host and port that it was made for.
    place: (Scheme, String),
    /// The pieces that it may be asked for.
    pub have: Holdings,
    /// What it owes us.
    pub wanted: Wanted,
    answer: Option<Box<Answer>>,
    /// The file that was asked for last, and where the bytes of the content end that were.
    asked: (usize, u64),
    fault: Option<Fault>,
    out: Vec<u8>,
    sent: usize,
    meter: Meter,
    timing: Timing,
    /// Bytes of a body were read.
    heard: bool,
    /// What of it is looked at, and what it may read.
    pub turn: Turn,
}

/// What a session notes of a connection from turn to turn.
#[derive(Clone, Copy, Debug, Default)]
pub struct Turn {
    /// It is on the list of those to plan for.
    pub touched: bool,
    /// It is on the list of those that there was nothing to ask of.
    pub wants_more: bool,
    /// It has sent a whole file though a part was asked for.
    pub whole_only: bool,
    /// It has sent a part of a file, as it was asked to.
    pub ranged: bool,
    /// It is read under a download limit.
    pub limited: bool,
    /// Bytes that may be read then.
    pub allowance: u64,
}

/// A request that was begun.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asked {
    /// The file.
    pub file: usize,
    /// The bytes of the content; `None`: all of the file.
    pub bytes: Option<Range<u64>>,
}

impl Turn {
    /// Something has happened to it. Whether it is to be put on the list of those to plan for.
    pub fn touch(&mut self) -> bool {
        self.wants_more = false;
        !std::mem::replace(&mut self.touched, true)
    }
}

impl Pull {
    /// A connection that is being made to a web seed.
    pub fn dial(
        site: usize,
        (url, addr): (&Url, SocketAddr),
        (geometry, have): (Geometry, Holdings),
        now: Time,
    ) -> Pull {
        Pull {
            site,
            addr,
            place: (url.scheme, url.authority()),
            have,
            wanted: Wanted::nothing(geometry),
            answer: None,
            asked: (0, 0),
            fault: None,
            out: Vec::new(),
            sent: 0,
            meter: Meter::new(now),
            timing: Timing::dialing(now),
            heard: false,
            turn: Turn::default(),
        }
    }

    // What is known of it.

    /// Where the other end is.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// When it came up; before that, when it was begun.
    pub fn since(&self) -> Time {
        self.timing.since
    }

    /// Whether it is being made.
    pub fn is_dialing(&self) -> bool {
        self.timing.is_dialing()
    }

    /// Whether it is over.
    pub fn is_closing(&self) -> bool {
        self.timing.is_over()
    }

    /// Whether an answer is waited for, or comes in.
    pub fn is_busy(&self) -> bool {
        self.answer.is_some()
    }

    /// Whether a request may be sent for something at this URL.
    pub fn is_at(&self, url: &Url) -> bool {
        self.place.0 == url.scheme && self.place.1 == url.authority()
    }

    /// Bytes of content that came.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// The file that was asked for last.
    pub fn last_file(&self) -> usize {
        self.asked.0
    }

    /// Where the bytes of the content end that the answer under way brings, or was asked for.
    pub fn asked_until(&self) -> Option<u64> {
        self.answer.as_ref().map(|_| self.asked.1)
    }

    /// The bytes of the content that the answer under way has still to bring.
    pub fn to_come(&self) -> Option<Range<u64>> {
        self.answer.as_ref()?.to_come()
    }

    /// Bytes that the answer under way brings before the first wanted one, or in all if none of
    /// them is wanted.
    pub fn useless_bytes(&self) -> u64 {
        let Some(to_come) = self.to_come() else {
            return 0;
        };
        let next = self.wanted.next_from(self.wanted.fill());
        let next = next.unwrap_or(to_come.end).min(to_come.end);
        next.saturating_sub(to_come.start)
    }

    // What it is to do.

    /// The network connection is up.
    pub fn handle_connected(&mut self, now: Time) {
        self.timing.on_connected(now);
    }

    /// These blocks are wanted from now on. They lie behind all that were wanted before.
    pub fn want(&mut self, run: Range<u64>, now: Time) {
        if self.wanted.add(run) {
            self.timing.on_wanted(now);
        }
    }

    /// Asks for these bytes of a file; `None` asks for all of it. Where a server sends all of it
    /// though less is asked for, so many bytes may be dropped in front of the first wanted one.
    pub fn ask(
        &mut self,
        url: &Url,
        (part, bytes): (Part, Option<Range<u64>>),
        (wanted, skipped_most): (u64, u64),
        now: Time,
    ) -> Asked {
        debug_assert!(self.answer.is_none() && !self.is_dialing());
        let start = part.bytes.start;
        let in_file = bytes.as_ref().map(|it| it.start - start..it.end - start);
        self.out = get_range(url, in_file);
        self.sent = 0;
        let (file, all) = (part.file, part.bytes.clone());
        let asked = bytes.clone().unwrap_or(all);
        self.asked = (file, asked.end);
        self.answer = Some(Box::new(Answer::new(part, asked, wanted, skipped_most)));
        self.timing.on_begun(now);
        Asked { file, bytes }
    }

    // What comes and goes.

    /// What is to be sent.
    pub fn transmit(&self) -> &[u8] {
        self.out.get(self.sent..).unwrap_or_default()
    }

    /// So much of it was sent.
    pub fn transmitted(&mut self, bytes: usize) {
        self.sent += bytes;
        if self.sent >= self.out.len() {
            (self.out, self.sent) = (Vec::new(), 0);
        }
    }

    /// The start of a block, which belongs in front of what is read next.
    pub fn unparsed(&self) -> &[u8] {
        self.wanted.kept()
    }

    /// Bytes to read at most: with so many the last block is whole, as a rule.
    pub fn appetite(&self) -> usize {
        let begun = self.wanted.fill() % u64::from(BLOCK);
        match self.to_come() {
            Some(_) => limits::READ - begun as usize,
            None => limits::READ,
        }
    }

    /// Leaves of what was read, which begins with what was kept, the wanted bytes of the content
    /// alone, in front. How many they are.
    pub fn open(&mut self, bytes: &mut [u8]) -> usize {
        let mut end = self.wanted.kept().len().min(bytes.len());
        let mut at = end;
        let fresh = (bytes.len() - end) as u64;
        self.turn.allowance = self.turn.allowance.saturating_sub(fresh);
        while self.fault.is_none() {
            let Some(answer) = &mut self.answer else {
                if at < bytes.len() {
                    let why = String::from("it sends what it is not asked for");
                    self.fault = Some(Fault::Senseless(why));
                }
                break;
            };
            match answer.next(&bytes[at..]) {
                Err(fault) => self.fault = Some(fault),
                Ok((_, Got::Nothing)) => break,
                Ok((used, Got::Head)) => {
                    at += used;
                    self.turn.whole_only |= answer.is_whole_unasked();
                    self.turn.ranged |= answer.is_part();
                }
                Ok((used, Got::Body(place, len))) => {
                    at += used;
                    self.heard = true;
                    end = self.wanted.sift(bytes, at - len..at, place, end);
                }
                Ok((used, Got::End(persists))) => {
                    at += used;
                    self.answer = None;
                    if !persists {
                        self.fault = Some(Fault::Last);
                    }
                }
            }
        }
        end
    }

    /// Bytes were read: those of a body count, also those that are not wanted.
    pub fn hear(&mut self, now: Time) {
        if std::mem::take(&mut self.heard) {
            self.timing.on_moved(now);
        }
    }

    /// The next block, if so many bytes of it and of what follows are there.
    pub fn next_block(&mut self, there: usize, now: Time) -> Option<Block> {
        let block = self.wanted.take(there)?;
        self.pass(block, now);
        Some(block)
    }

    /// The next block if padding has made it whole, with its bytes; without any if it is padding
    /// alone.
    pub fn next_padded(
        &mut self,
        content: &Content,
        now: Time,
    ) -> Option<(Block, Option<Vec<u8>>)> {
        self.wanted.pad(content);
        let alone = self.wanted.take_padding(content);
        let (block, bytes) = match alone {
            Some(block) => (block, None),
            None => {
                let (block, bytes) = self.wanted.take_ready()?;
                (block, Some(bytes))
            }
        };
        self.pass(block, now);
        Some((block, bytes))
    }

    fn pass(&mut self, block: Block, now: Time) {
        self.timing.on_begun(now);
        self.meter.add(u64::from(block.len), now);
    }

    /// The connection was ended by the other end.
    pub fn handle_closed(&mut self) {
        let fault = self.answer.take().and_then(|answer| answer.close().err());
        self.fault = self.fault.take().or(fault).or(Some(Fault::Last));
    }

    /// What is wrong, once: then the connection is of no use any more.
    pub fn take_fault(&mut self) -> Option<Fault> {
        self.fault.take()
    }

    // Time.

    /// When to call [`Pull::handle_timeout`].
    pub fn next_deadline(&self) -> Option<Time> {
        self.timing.next_deadline(self.work())
    }

    /// What has come to pass without a byte.
    pub fn handle_timeout(&mut self, now: Time) -> Lapse {
        let work = self.work();
        self.timing.lapse(work, now)
    }

    fn work(&self) -> Work {
        match &self.answer {
            None => Work::Nothing,
            Some(_) if self.wanted.is_empty() => Work::Useless,
            Some(_) => Work::Owing,
        }
    }

    /// It is not read for a while, or read again.
    pub fn suspend(&mut self, suspended: bool, now: Time) {
        self.timing.suspend(suspended, now);
    }

    /// Ends it. What it owes us.
    pub fn close(&mut self) -> Vec<Block> {
        self.timing.on_over();
        self.wanted.clear()
    }
}

#[cfg(test)]
mod tests;
