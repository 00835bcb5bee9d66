//! The running SHA-1 of one partial piece.
//!
//! Blocks are hashed when they are written, while they come in order. A block that comes early
//! waits on disk: when the gap before it closes, the run of blocks that begins there is read back
//! at once, so that what comes after that run is hashed in place again.

use std::ops::Range;

use sha1::{Digest, Sha1};

use crate::base::{BLOCK, Bits, Block, limits};

/// Why a piece whose blocks are all here is read back as a whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Exam {
    /// It failed: what each block was is remembered.
    Learn,
    /// It passed: its blocks are compared with those remembered.
    Compare,
}

/// How far one partial piece is written, hashed and read back.
#[derive(Clone, Debug, Default)]
pub(super) struct Hashing {
    /// Blocks received that are not on disk yet, in the order in which they came.
    unwritten: u32,
    /// How many of these came before some of the piece was dropped: they are not hashed when they
    /// are written.
    stale: u32,
    sha1: Sha1,
    /// Bytes from the front of the piece that `sha1` has taken.
    hashed: u32,
    /// Bytes on their way back from the disk.
    reading: Option<Block>,
    /// Why the whole piece is read back, and how many bytes of it have been.
    exam: Option<(Exam, u32)>,
}

impl Hashing {
    /// A block was received, and will be written.
    pub fn on_received(&mut self) {
        self.unwritten += 1;
    }

    /// Whether all that was received is on disk.
    pub fn is_written(&self) -> bool {
        self.unwritten == 0
    }

    /// Block `number` of `len` bytes is on disk. If it is the next to be hashed, the SHA-1 that
    /// takes its data.
    pub fn on_written(&mut self, number: u32, len: u32, received: &Bits) -> Option<&mut Sha1> {
        debug_assert!(self.unwritten > 0, "each block is written once");
        self.unwritten = self.unwritten.saturating_sub(1);
        if self.stale > 0 {
            self.stale -= 1;
            return None;
        }
        if !received.get(number) || number * BLOCK != self.hashed {
            return None;
        }
        self.hashed += len;
        Some(&mut self.sha1)
    }

    /// The SHA-1 of what was written in order.
    pub fn sha1_mut(&mut self) -> &mut Sha1 {
        &mut self.sha1
    }

    /// The SHA-1 of a piece of `size` bytes, once it is all written and hashed.
    pub fn digest(&self, size: u32) -> Option<[u8; 20]> {
        let whole = self.hashed == size && self.is_written();
        whole.then(|| self.sha1.clone().finalize().into())
    }

    /// Takes the next bytes of the piece, which were read back.
    pub fn update(&mut self, data: &[u8]) {
        self.sha1.update(data);
        self.hashed += data.len() as u32;
    }

    /// Why the piece is read back as a whole, if it is.
    pub fn exam(&self) -> Option<Exam> {
        self.exam.map(|(exam, _)| exam)
    }

    /// Begins to read the whole piece back.
    pub fn examine(&mut self, exam: Exam) {
        self.exam = Some((exam, 0));
    }

    /// Notes the next `len` bytes of an exam of `size` bytes; true if these are the last.
    pub fn examined(&mut self, len: u32, size: u32) -> bool {
        match &mut self.exam {
            Some((_, at)) => {
                *at += len;
                *at >= size
            }
            None => false,
        }
    }

    /// The blocks that are to be read back next: none while others are on their way, in either
    /// direction.
    pub fn due(&self, received: &Bits) -> Range<u32> {
        if self.reading.is_some() || !self.is_written() {
            return 0..0;
        }
        let most = limits::SLICE as u32 / BLOCK;
        let first = self.exam.map_or(self.hashed, |(_, at)| at) / BLOCK;
        let end = received.len().min(first + most);
        let run = (first..end).take_while(|&number| received.get(number));
        first..first + run.count() as u32
    }

    /// These bytes are on their way back from the disk.
    pub fn start_reading(&mut self, block: Block) {
        self.reading = Some(block);
    }

    /// These bytes are back; false if they were not asked for.
    pub fn end_reading(&mut self, block: Block) -> bool {
        let expected = self.reading == Some(block);
        if expected {
            self.reading = None;
        }
        expected
    }

    /// Forgets the read that has been asked for and has not come back; returns it.
    pub fn void_reading(&mut self) -> Option<Block> {
        self.reading.take()
    }

    /// These blocks were dropped: what was hashed of a piece that lost some of it is hashed again.
    pub fn on_dropped(&mut self, numbers: &[u32]) {
        self.stale = self.unwritten;
        if numbers.iter().any(|&number| number * BLOCK < self.hashed) {
            self.sha1 = Sha1::new();
            self.hashed = 0;
        }
    }

    /// Asserts that only blocks that are here were hashed.
    pub fn assert_invariants(&self, received: &Bits) {
        let mut hashed = 0..self.hashed.div_ceil(BLOCK);
        assert!(hashed.all(|number| received.get(number)));
        assert!(self.stale <= self.unwritten);
    }
}
