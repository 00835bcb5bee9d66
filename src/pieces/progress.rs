//! One open piece: which blocks came and from whom, who is asked for the others, and its running SHA-1.
//!
//! Blocks are hashed when they are written, while they come in order. One that comes early waits on disk: when the gap before it
//! closes, the run that begins there is read back at once, so that what comes after that run is hashed in place again. The piece is
//! whole when it is all received, written and hashed.

use std::net::SocketAddr;

use sha1::{Digest, Sha1};

use super::asks::Asks;
use super::suspects::Senders;
use super::table::Who;
use crate::base::bits::Bits;
use crate::base::geometry::{BLOCK, Block, Geometry};
use crate::base::limits;

/// What is read back of a piece that is whole: it failed, or follows a try that failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Exam {
    /// It failed: what each block was is remembered.
    Learn,
    /// It passed: its blocks are compared with those remembered.
    Compare,
}

/// Who may take over a piece that is one peer's alone, and begin it anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Grip {
    /// Nobody.
    Firm,
    /// Whoever is not as slow as its owner.
    Slow,
    /// Anybody: its owner choked us or is late.
    Loose,
}

/// A piece that was begun.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    geometry: Geometry,
    piece: u32,
    received: Bits,
    /// Blocks that may be asked for outside the end game: not received, and asked of nobody who is not late.
    free: Bits,
    asks: Asks,
    /// Blocks neither received nor asked of anybody.
    unasked: u32,
    /// Blocks received that are not on disk yet, in the order in which they came.
    unwritten: u32,
    /// The first of these, which came before some of the piece was dropped: the disk will have them, if nothing newer follows.
    stale: u32,
    hash: Sha1,
    hashed: u32,
    senders: Senders,
    reading: Option<Block>,
    exam: Option<(Exam, u32)>,
    /// Who continues it.
    pub owner: Option<Who>,
    /// Only the owner may send it.
    pub solo: bool,
    /// How firmly the owner holds a piece that is its alone.
    pub grip: Grip,
    /// How the table has filed it.
    pub filed: Filed,
}

/// Under what the table can find an open piece, kept with it so that it can be filed anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Filed {
    /// Whose piece it is among those with free blocks (`NOBODY`'s where it has no owner).
    pub under: Option<Who>,
    /// Blocks counted as asked of nobody.
    pub unasked: u32,
}

impl Progress {
    /// A piece of which nothing is asked or received.
    pub fn new(geometry: Geometry, piece: u32) -> Progress {
        let blocks = geometry.blocks(piece);
        Progress {
            geometry,
            piece,
            received: Bits::new(blocks),
            free: Bits::full(blocks),
            asks: Asks::default(),
            unasked: blocks,
            unwritten: 0,
            stale: 0,
            hash: Sha1::new(),
            hashed: 0,
            senders: Senders::default(),
            reading: None,
            exam: None,
            owner: None,
            solo: false,
            grip: Grip::Firm,
            filed: Filed::default(),
        }
    }

    /// Blocks not received.
    pub fn lacking(&self) -> u32 {
        self.received.len() - self.received.count()
    }

    /// Blocks that may be asked for outside the end game.
    pub fn free(&self) -> u32 {
        self.free.count()
    }

    /// Blocks neither received nor asked of anybody.
    pub fn unasked(&self) -> u32 {
        self.unasked
    }

    /// Whether nothing is received or asked, nor on its way to the disk.
    pub fn is_untouched(&self) -> bool {
        self.received.count() == 0 && self.asks.is_empty() && self.unwritten == 0
    }

    /// A block that was received is on disk. If it is the next to be hashed, its data are to be hashed: here is the hash so far.
    pub fn written(&mut self, number: u32) -> Option<&mut Sha1> {
        debug_assert!(self.unwritten > 0, "each block is written once");
        self.unwritten = self.unwritten.saturating_sub(1);
        if self.stale > 0 {
            self.stale -= 1;
            return None;
        }
        if !self.received.get(number) || number * BLOCK != self.hashed {
            return None;
        }
        self.hashed += self.geometry.block(self.piece, number).len;
        Some(&mut self.hash)
    }

    /// The hash of what was written in order.
    pub fn hash_mut(&mut self) -> &mut Sha1 {
        &mut self.hash
    }

    /// Every request, in the order of blocks.
    pub fn requests(&self) -> impl Iterator<Item = (Who, Block)> + '_ {
        let block = |number| self.geometry.block(self.piece, number);
        self.asks
            .iter()
            .map(move |(number, who)| (who, block(number)))
    }

    /// Who continues it and will not be interrupted.
    pub fn keeper(&self) -> Option<Who> {
        self.owner.filter(|_| self.grip == Grip::Firm)
    }

    /// Whether its owner, if it has one, is asked for none of it: it may have choked us with nothing on its way.
    pub fn is_idle(&self) -> bool {
        self.owner.is_none_or(|owner| !self.involves(owner))
    }

    /// Whether this peer is asked for any of it.
    pub fn involves(&self, who: Who) -> bool {
        self.asks.involves(who)
    }

    /// Whether [`Progress::take`] has a block for this peer.
    pub fn offers(&self, who: Who, untouched: bool) -> bool {
        self.takeable(who, untouched).next().is_some()
    }

    /// Asks this peer for free blocks, `room` at most, in order; with `untouched` only for those that nobody is asked for.
    pub fn take(&mut self, who: Who, untouched: bool, room: usize, out: &mut Vec<Block>) {
        let taken = out.len();
        let numbers = self.takeable(who, untouched).take(room);
        out.extend(numbers.map(|number| self.geometry.block(self.piece, number)));
        for block in &out[taken..] {
            self.ask(block.begin / BLOCK, who);
        }
    }

    /// Asks this peer for blocks that fewer than `most` others are asked for in time, `room` at most.
    pub fn take_again(&mut self, who: Who, most: usize, room: usize, out: &mut Vec<Block>) {
        let taken = out.len();
        let wanted = |&(number, _): &(u32, Who)| {
            self.asks.timely(number) < most && !self.asks.has(number, who)
        };
        let mut last = None;
        let numbers = self.asks.iter().filter(wanted).map(|(number, _)| number);
        let numbers = numbers.filter(|&number| last.replace(number) != Some(number));
        out.extend(
            numbers
                .take(room)
                .map(|number| self.geometry.block(self.piece, number)),
        );
        for block in &out[taken..] {
            self.ask(block.begin / BLOCK, who);
        }
    }

    /// Takes a request back; true if it stood.
    pub fn release(&mut self, number: u32, who: Who) -> bool {
        let stood = self.asks.remove(number, who);
        if stood && !self.asks.any(number) {
            self.unasked += 1;
        }
        if stood && self.asks.timely(number) == 0 {
            self.free.set(number);
        }
        stood
    }

    /// Frees a block for others while this request stands; true if it stood and was not late before.
    pub fn delay(&mut self, number: u32, who: Who) -> bool {
        let news = self.asks.delay(number, who);
        if news && self.asks.timely(number) == 0 {
            self.free.set(number);
        }
        news
    }

    /// Frees every block that is not here, whoever is asked for it.
    pub fn delay_all(&mut self) {
        self.asks.delay_all();
        for (number, _) in self.asks.iter() {
            self.free.set(number);
        }
    }

    /// A block came: nobody is asked for it any more, `asked` gets who was. False if it was here before.
    pub fn receive(&mut self, number: u32, from: SocketAddr, asked: &mut Vec<Who>) -> bool {
        if !self.received.set(number) {
            return false;
        }
        if !self.asks.any(number) {
            self.unasked -= 1;
        }
        self.unwritten += 1;
        self.asks.clear(number, asked);
        self.free.clear(number);
        self.senders.note(number, from, self.received.len());
        true
    }

    /// The SHA-1 of the piece, once it is all received, written and hashed.
    pub fn digest(&self) -> Option<[u8; 20]> {
        let whole = self.hashed == self.geometry.piece_size(self.piece) && self.unwritten == 0;
        whole.then(|| self.hash.clone().finalize().into())
    }

    /// Who sent the blocks that are here.
    pub fn contributors(&self) -> Vec<SocketAddr> {
        self.senders.of(&self.received)
    }

    /// Whether any of the blocks that are here came from this host.
    pub fn is_from(&self, sender: SocketAddr) -> bool {
        !self.senders.sent(sender, &self.received).is_empty()
    }

    /// Who sent which block; to be taken when the try is over.
    pub fn take_senders(&mut self) -> Senders {
        std::mem::take(&mut self.senders)
    }

    /// What is being found out about a piece that is whole.
    pub fn exam(&self) -> Option<Exam> {
        self.exam.map(|(exam, _)| exam)
    }

    /// Begins to read the whole piece back.
    pub fn examine(&mut self, exam: Exam) {
        self.exam = Some((exam, 0));
    }

    /// The bytes that are to be read back next; none while others are on their way, in either direction.
    pub fn due(&self) -> Option<Block> {
        if self.reading.is_some() || self.unwritten > 0 {
            return None;
        }
        let most = limits::SLICE as u32 / BLOCK;
        let begin = self.exam.map_or(self.hashed, |(_, begin)| begin);
        let first = begin / BLOCK;
        let run = (first..self.received.len().min(first + most))
            .take_while(|&number| self.received.get(number));
        let len = run
            .map(|number| self.geometry.block(self.piece, number).len)
            .sum();
        (len > 0).then_some(Block {
            piece: self.piece,
            begin,
            len,
        })
    }

    /// What is due, which is now on its way.
    pub fn start_reading(&mut self) -> Option<Block> {
        self.reading = self.due();
        self.reading
    }

    /// These bytes are back; false if they were not asked for.
    pub fn end_reading(&mut self, block: Block) -> bool {
        let expected = self.reading == Some(block);
        if expected {
            self.reading = None;
        }
        expected
    }

    /// The next bytes of the piece, hashed.
    pub fn hash(&mut self, data: &[u8]) {
        self.hash.update(data);
        self.hashed += data.len() as u32;
    }

    /// The next bytes of the piece, examined; true if these are the last.
    pub fn examined(&mut self, len: u32) -> bool {
        match &mut self.exam {
            Some((_, at)) => {
                *at += len;
                *at >= self.geometry.piece_size(self.piece)
            }
            None => false,
        }
    }

    /// Drops what this peer sent; true if there was any.
    pub fn strike(&mut self, sender: SocketAddr) -> bool {
        let struck = self.senders.sent(sender, &self.received);
        if !struck.is_empty() {
            self.drop_blocks(&struck);
        }
        !struck.is_empty()
    }

    /// Drops all that was received.
    pub fn reset(&mut self) {
        let all: Vec<u32> = self.received.ones().collect();
        self.drop_blocks(&all);
        self.senders = Senders::default();
    }

    /// Whatever is on its way is not awaited any more; it is returned.
    pub fn void_reading(&mut self) -> Option<Block> {
        self.reading.take()
    }

    /// What was hashed of a piece that lost some of it is hashed again.
    fn drop_blocks(&mut self, numbers: &[u32]) {
        self.stale = self.unwritten;
        for &number in numbers {
            self.received.clear(number);
            self.free.set(number);
            self.unasked += 1;
            if number * BLOCK < self.hashed {
                self.hash = Sha1::new();
                self.hashed = 0;
            }
        }
    }

    fn takeable(&self, who: Who, untouched: bool) -> impl Iterator<Item = u32> + '_ {
        self.free.ones().filter(move |&number| {
            if untouched {
                !self.asks.any(number)
            } else {
                !self.asks.has(number, who)
            }
        })
    }

    fn ask(&mut self, number: u32, who: Who) {
        if !self.asks.any(number) {
            self.unasked -= 1;
        }
        self.asks.add(number, who);
        self.free.clear(number);
    }

    /// Asserts that what is counted is what is there.
    pub fn assert_invariants(&self) {
        let mut unasked = 0;
        for number in 0..self.received.len() {
            let (received, asked) = (self.received.get(number), self.asks.any(number));
            assert!(!(received && asked), "a block that is here is asked for");
            let free = !received && self.asks.timely(number) == 0;
            assert_eq!(self.free.get(number), free, "block {number}");
            unasked += u32::from(!received && !asked);
        }
        assert_eq!(self.unasked, unasked);
        let mut hashed = 0..self.hashed.div_ceil(BLOCK);
        assert!(hashed.all(|number| self.received.get(number)));
        assert!(self.exam.is_none() || self.digest().is_some());
    }
}

#[cfg(test)]
mod tests;
