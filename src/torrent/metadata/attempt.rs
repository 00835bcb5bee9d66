//! What came of an `info` dictionary of one length, and whose blocks are wrong.

use sha1::{Digest as _, Sha1};

use crate::base::{Duration, InfoHash, PeerKey, SortedMap, SortedSet, Time, limits};
use crate::wire::extended::metadata::{BLOCK, blocks};

/// SHA-1 of a block.
type Sum = [u8; 20];

/// A dictionary of one length.
#[derive(Debug, Default)]
pub(super) struct Attempt {
    pub(super) blocks: SortedMap<u32, (PeerKey, Vec<u8>)>,
    /// The blocks of several peers together were wrong: one alone is asked.
    pub(super) apart: bool,
    /// The peer that is asked alone, and until when.
    pub(super) solo: Option<(PeerKey, Time)>,
    /// How often a peer that was asked alone did not send all in time.
    pub(super) tried: u32,
    /// Blocks of dictionaries that were wrong, by their senders.
    doubted: Vec<(PeerKey, u32, Sum)>,
    /// When a block came last, or the peer to ask alone was chosen.
    pub(super) moved: Option<Time>,
    /// When a block came last.
    pub(super) came: Option<Time>,
}

impl Attempt {
    pub(super) fn give_up_solo(&mut self) {
        self.solo = None;
        self.tried += 1;
        self.blocks.clear();
    }

    /// Other lengths have their turn: the peer that is asked alone does not lose time by that.
    pub(super) fn stop_clock(&mut self, now: Time) {
        if let Some((_, until)) = &mut self.solo {
            *until = (*until).max(now + limits::METADATA_TURN);
            self.moved = Some(now);
        }
    }

    /// Its key may be another peer's from now on.
    pub(super) fn forget_sender(&mut self, key: PeerKey) {
        self.doubted.retain(|(sender, _, _)| *sender != key);
    }

    /// Whether the blocks, all of them, are what the info hash says.
    pub(super) fn is_right(&self, info_hash: InfoHash) -> bool {
        let mut sum = Sha1::new();
        for (_, block) in self.blocks.values() {
            sum.update(block);
        }
        sum.finalize()[..] == info_hash.0
    }

    /// The senders of doubted blocks that differ from the right ones, which are there now.
    pub(super) fn liars(&self) -> impl Iterator<Item = PeerKey> + '_ {
        let wrong = self.doubted.iter().filter(|(_, piece, doubted)| {
            let block = self.blocks.get(piece);
            block.is_some_and(|(_, block)| sum(block) != *doubted)
        });
        wrong.map(|(key, _, _)| *key)
    }

    /// Removes and returns the bytes of all blocks. Each block is freed when it is copied.
    pub(super) fn take_whole(&mut self) -> Vec<u8> {
        let mut whole = Vec::with_capacity(self.bytes());
        for (_, (_, block)) in std::mem::take(&mut self.blocks) {
            whole.extend(block);
        }
        whole
    }

    /// Bytes of blocks that are kept, as if all were as long as most are.
    pub(super) fn bytes(&self) -> usize {
        self.blocks.len() * BLOCK as usize
    }

    /// The blocks, all of them, are wrong: they are dropped. Returns their sender if it is one.
    pub(super) fn doubt(&mut self) -> Option<PeerKey> {
        let blocks = std::mem::take(&mut self.blocks);
        self.solo = None;
        let senders: SortedSet<PeerKey> = blocks.values().map(|(key, _)| *key).collect();
        if senders.len() == 1 {
            return senders.first().copied();
        }
        let blocks = blocks.iter();
        let doubted = blocks.map(|(&piece, (key, block))| (*key, piece, sum(block)));
        self.doubted = doubted.collect();
        self.apart = true;
        None
    }
}

fn sum(block: &[u8]) -> Sum {
    Sha1::digest(block).into()
}

/// The time that a peer gets at first to send a dictionary alone.
pub fn solo_time(size: u32) -> Duration {
    limits::METADATA_LATE * 2 + limits::METADATA_PACE * blocks(size)
}

/// The length of this block of a dictionary of `size` bytes; `None`: there is no such block.
pub fn length(size: u32, piece: u32) -> Option<usize> {
    let start = piece.checked_mul(BLOCK).filter(|&start| start < size)?;
    Some((size - start).min(BLOCK) as usize)
}
