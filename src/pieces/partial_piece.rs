//! One partial piece: which blocks came and from which peers, and which peers are asked for the
//! others. The piece is whole when it is all received, written and hashed.

use std::net::SocketAddr;

use sha1::Sha1;

use super::asks::Asks;
use super::hashing::{Exam, Hashing};
use super::suspects::Senders;
use crate::base::{BLOCK, Bits, Block, Geometry, PeerKey};

/// How firmly its owner keeps a piece that only one peer may send. A peer that takes it over begins
/// it anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Claim {
    /// No other peer may take it over while the owner is asked for any of it.
    Firm,
    /// A peer that does not snub us may: the owner does.
    Snubbing,
    /// Any peer may: the owner choked us or is late.
    Loose,
}

/// A piece that was begun.
#[derive(Clone, Debug)]
pub(super) struct PartialPiece {
    geometry: Geometry,
    piece: u32,
    received: Bits,
    /// Blocks that may be asked for outside the end game: not received, and not asked of any peer
    /// that is in time.
    free: Bits,
    asks: Asks,
    /// Blocks neither received nor asked of any peer.
    unasked: u32,
    hashing: Hashing,
    senders: Senders,
    /// The peer that continues it.
    pub owner: Option<PeerKey>,
    /// Only the owner may send it.
    pub solo: bool,
    /// How firmly the owner keeps a piece that it alone may send.
    pub claim: Claim,
    /// How the table has filed it.
    pub filed: Filed,
}

/// The index entries under which the table finds a partial piece, kept so that they can be updated.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Filed {
    /// The owner under which it stands among those with free blocks ([`NO_OWNER`] where it has
    /// none).
    pub under: Option<PeerKey>,
    /// Blocks counted as asked of no peer.
    pub unasked: u32,
}

/// Stands for the owner of partial pieces that have none.
pub(super) const NO_OWNER: PeerKey = PeerKey::MAX;

impl PartialPiece {
    /// A piece of which nothing is asked or received.
    pub fn new(geometry: Geometry, piece: u32) -> PartialPiece {
        let blocks = geometry.blocks(piece);
        PartialPiece {
            geometry,
            piece,
            received: Bits::new(blocks),
            free: Bits::full(blocks),
            asks: Asks::default(),
            unasked: blocks,
            hashing: Hashing::default(),
            senders: Senders::default(),
            owner: None,
            solo: false,
            claim: Claim::Firm,
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

    /// Blocks neither received nor asked of any peer.
    pub fn unasked(&self) -> u32 {
        self.unasked
    }

    /// Whether nothing is received or asked, nor on its way to the disk.
    pub fn is_untouched(&self) -> bool {
        self.received.count() == 0 && self.asks.is_empty() && self.hashing.is_written()
    }

    /// Block `number` is on disk. If it is the next to be hashed, the SHA-1 that takes its data.
    pub fn written(&mut self, number: u32) -> Option<&mut Sha1> {
        let len = self.geometry.block(self.piece, number).len;
        self.hashing.on_written(number, len, &self.received)
    }

    /// The SHA-1 of what was written in order.
    pub fn sha1_mut(&mut self) -> &mut Sha1 {
        self.hashing.sha1_mut()
    }

    /// Every request, in the order of blocks.
    pub fn requests(&self) -> impl Iterator<Item = (PeerKey, Block)> + '_ {
        let block = |number| self.geometry.block(self.piece, number);
        self.asks
            .iter()
            .map(move |(number, peer)| (peer, block(number)))
    }

    /// The owner, if no other peer may take the piece over.
    pub fn firm_owner(&self) -> Option<PeerKey> {
        self.owner.filter(|_| self.claim == Claim::Firm)
    }

    /// Whether no block of it is asked of its owner, or it has none. The owner may have choked us.
    pub fn is_idle(&self) -> bool {
        self.owner.is_none_or(|owner| !self.involves(owner))
    }

    /// Whether this peer is asked for any of it.
    pub fn involves(&self, peer: PeerKey) -> bool {
        self.asks.involves(peer)
    }

    /// Whether [`PartialPiece::take`] has a block for this peer.
    pub fn offers(&self, peer: PeerKey, untouched: bool) -> bool {
        self.takeable(peer, untouched).next().is_some()
    }

    /// Asks this peer for up to `room` free blocks, in order; with `untouched` only for those that
    /// no peer is asked for.
    pub fn take(&mut self, peer: PeerKey, untouched: bool, room: usize, out: &mut Vec<Block>) {
        let taken = out.len();
        let numbers = self.takeable(peer, untouched).take(room);
        out.extend(numbers.map(|number| self.geometry.block(self.piece, number)));
        for block in &out[taken..] {
            self.ask(block.begin / BLOCK, peer);
        }
    }

    /// Asks this peer for free blocks from this one on, up to the first that is not free, at most
    /// `room`. How many these are.
    pub fn take_run(&mut self, peer: PeerKey, from: u32, room: u32) -> u32 {
        let end = self.free.len().min(from.saturating_add(room));
        let free = |&number: &u32| self.free.get(number) && !self.asks.has(number, peer);
        let run: Vec<u32> = (from..end).take_while(free).collect();
        for &number in &run {
            self.ask(number, peer);
        }
        run.len() as u32
    }

    /// The first free block that this peer is not asked for.
    pub fn first_free(&self, peer: PeerKey) -> Option<u32> {
        self.takeable(peer, false).next()
    }

    /// Asks this peer for up to `room` blocks that are asked of fewer than `most` others, late
    /// requests aside.
    pub fn take_again(&mut self, peer: PeerKey, most: usize, room: usize, out: &mut Vec<Block>) {
        let taken = out.len();
        let wanted = |&(number, _): &(u32, PeerKey)| {
            self.asks.timely(number) < most && !self.asks.has(number, peer)
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
            self.ask(block.begin / BLOCK, peer);
        }
    }

    /// Takes a request back; true if it stood.
    pub fn release(&mut self, number: u32, peer: PeerKey) -> bool {
        let stood = self.asks.remove(number, peer);
        if stood && !self.asks.any(number) {
            self.unasked += 1;
        }
        if stood && self.asks.timely(number) == 0 {
            self.free.set(number);
        }
        stood
    }

    /// Frees a block for others while this request stands; true if it stood and was not late
    /// before.
    pub fn delay(&mut self, number: u32, peer: PeerKey) -> bool {
        let first = self.asks.delay(number, peer);
        if first && self.asks.timely(number) == 0 {
            self.free.set(number);
        }
        first
    }

    /// Frees every block that has not come, whichever peer is asked for it.
    pub fn delay_all(&mut self) {
        self.asks.delay_all();
        for (number, _) in self.asks.iter() {
            self.free.set(number);
        }
    }

    /// A block came: it is asked of no peer any more, `asked` gets those that were asked. False if
    /// it was here before.
    pub fn receive(&mut self, number: u32, from: SocketAddr, asked: &mut Vec<PeerKey>) -> bool {
        if !self.received.set(number) {
            return false;
        }
        if !self.asks.any(number) {
            self.unasked -= 1;
        }
        self.hashing.on_received();
        self.asks.clear(number, asked);
        self.free.clear(number);
        self.senders.note(number, from, self.received.len());
        true
    }

    /// The SHA-1 of the piece, once it is all received, written and hashed.
    pub fn digest(&self) -> Option<[u8; 20]> {
        self.hashing.digest(self.geometry.piece_size(self.piece))
    }

    /// The senders of the blocks that are here.
    pub fn contributors(&self) -> Vec<SocketAddr> {
        self.senders.of_blocks(&self.received)
    }

    /// Whether any block that has come is from this host.
    pub fn is_from(&self, sender: SocketAddr) -> bool {
        !self.senders.sent(sender, &self.received).is_empty()
    }

    /// Takes the sender of each block, once the attempt is over.
    pub fn take_senders(&mut self) -> Senders {
        std::mem::take(&mut self.senders)
    }

    /// Why the whole piece is read back, if it is.
    pub fn exam(&self) -> Option<Exam> {
        self.hashing.exam()
    }

    /// Begins to read the whole piece back.
    pub fn examine(&mut self, exam: Exam) {
        self.hashing.examine(exam);
    }

    /// The bytes that are to be read back next; none while others are on their way, in either
    /// direction.
    pub fn due(&self) -> Option<Block> {
        let blocks = self.hashing.due(&self.received);
        let begin = blocks.start * BLOCK;
        let len = blocks
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
        let due = self.due()?;
        self.hashing.start_reading(due);
        Some(due)
    }

    /// These bytes are back; false if they were not asked for.
    pub fn end_reading(&mut self, block: Block) -> bool {
        self.hashing.end_reading(block)
    }

    /// Hashes the next bytes of the piece, which were read back.
    pub fn hash(&mut self, data: &[u8]) {
        self.hashing.update(data);
    }

    /// Notes the next `len` bytes of an exam; true if these are the last.
    pub fn examined(&mut self, len: u32) -> bool {
        let size = self.geometry.piece_size(self.piece);
        self.hashing.examined(len, size)
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

    /// Forgets the read that has been asked for and has not come back; returns it.
    pub fn void_reading(&mut self) -> Option<Block> {
        self.hashing.void_reading()
    }

    fn drop_blocks(&mut self, numbers: &[u32]) {
        for &number in numbers {
            self.received.clear(number);
            self.free.set(number);
            self.unasked += 1;
        }
        self.hashing.on_dropped(numbers);
    }

    fn takeable(&self, peer: PeerKey, untouched: bool) -> impl Iterator<Item = u32> + '_ {
        self.free.ones().filter(move |&number| {
            if untouched {
                !self.asks.any(number)
            } else {
                !self.asks.has(number, peer)
            }
        })
    }

    fn ask(&mut self, number: u32, peer: PeerKey) {
        if !self.asks.any(number) {
            self.unasked -= 1;
        }
        self.asks.add(number, peer);
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
        self.hashing.assert_invariants(&self.received);
        assert!(self.exam().is_none() || self.digest().is_some());
    }
}

#[cfg(test)]
mod tests;
