//! Who sent bad blocks.
//!
//! Where a single peer sent a piece that fails, it is guilty. Where several did, each block is remembered by a digest with its
//! sender, and one peer alone repeats the piece: if that fails too, this peer is guilty, and if it passes, so is whoever had
//! sent other bytes than the right ones. Meanwhile the senders are accused, and get pieces of their own to work on as long as
//! there are any, so that what they send next speaks for or against them alone.
//!
//! The waste is bounded: the first piece that a peer spoils alone is its last, and of those it shares with others it has a part
//! in no more than `limits::SHARED_PARTS` before they are verified. Then it goes on with these and its own; others keep away
//! from those, and what it leaves of them is dropped. What a guilty peer sent of pieces that are not whole yet is dropped as
//! well, so that they do not fail, too.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use sha1::{Digest, Sha1};

use crate::base::bits::Bits;
use crate::base::geometry::BLOCK;
use crate::base::limits;

/// Who sent which block of a piece. One sender for all of them, the usual case, costs no memory per block.
#[derive(Clone, Debug, Default)]
pub(super) struct Senders {
    addrs: Vec<SocketAddr>,
    /// For each block an index into `addrs`; empty while there is one sender. A piece has at most 2¹⁴ blocks.
    by: Vec<u16>,
}

impl Senders {
    /// This block, of so many, came from there.
    pub fn note(&mut self, number: u32, from: SocketAddr, blocks: u32) {
        let known = self.addrs.iter().position(|&addr| addr == from);
        let index = known.unwrap_or(self.addrs.len());
        if known.is_none() {
            self.addrs.push(from);
        }
        if index > 0 && self.by.is_empty() {
            self.by = vec![0; blocks as usize];
        }
        if let Some(by) = self.by.get_mut(number as usize) {
            *by = index as u16;
        }
    }

    /// Whether there was never more than one.
    #[cfg(test)]
    pub fn is_sole(&self) -> bool {
        self.by.is_empty()
    }

    /// Who sent any of these blocks.
    pub fn of(&self, blocks: &Bits) -> Vec<SocketAddr> {
        let mut indices: Vec<usize> = blocks.ones().map(|number| self.index(number)).collect();
        indices.sort_unstable();
        indices.dedup();
        indices
            .iter()
            .filter_map(|&index| self.addrs.get(index).copied())
            .collect()
    }

    /// Which of these blocks came from there.
    pub fn sent(&self, from: SocketAddr, blocks: &Bits) -> Vec<u32> {
        match self.addrs.iter().position(|&addr| addr == from) {
            Some(index) => blocks.ones().filter(|&n| self.index(n) == index).collect(),
            None => Vec::new(),
        }
    }

    fn index(&self, number: u32) -> usize {
        self.by
            .get(number as usize)
            .map_or(0, |&index| index.into())
    }

    fn sender(&self, number: u32) -> Option<SocketAddr> {
        self.addrs.get(self.index(number)).copied()
    }
}

/// The first failed try of a piece that had several senders.
#[derive(Clone, Debug)]
struct Case {
    senders: Senders,
    accused: Vec<SocketAddr>,
    /// A digest for each block; empty where there was no room for them.
    digests: Vec<u64>,
    guilty: Vec<SocketAddr>,
    /// Tries by one peer alone that came to nothing.
    restarts: u32,
}

/// Pieces that failed, until they pass.
#[derive(Clone, Debug, Default)]
pub(super) struct Suspects {
    cases: BTreeMap<u32, Case>,
    digests: usize,
}

impl Suspects {
    /// Opens a case; true if its blocks, so many, are to be read and given to [`Suspects::learn`].
    pub fn open(
        &mut self,
        piece: u32,
        senders: Senders,
        accused: Vec<SocketAddr>,
        blocks: u32,
    ) -> bool {
        if let Some(case) = self.cases.get_mut(&piece) {
            case.restarts = 0;
            return false;
        }
        if self.cases.len() >= limits::SUSPECT_PIECES {
            return false;
        }
        let room = self.digests + blocks as usize <= limits::SUSPECT_DIGESTS;
        if room {
            self.digests += blocks as usize;
        }
        let case = Case {
            senders,
            accused,
            digests: vec![0; if room { blocks as usize } else { 0 }],
            guilty: Vec::new(),
            restarts: 0,
        };
        self.cases.insert(piece, case);
        room
    }

    /// Remembers what the blocks from `begin` on were.
    pub fn learn(&mut self, piece: u32, begin: u32, data: &[u8]) {
        if let Some(case) = self.cases.get_mut(&piece) {
            let kept = case.digests.iter_mut().skip((begin / BLOCK) as usize);
            for (digest, block) in kept.zip(data.chunks(BLOCK as usize)) {
                *digest = digest_of(block);
            }
        }
    }

    /// What the blocks were cannot be learnt.
    pub fn give_up(&mut self, piece: u32) {
        if let Some(case) = self.cases.get_mut(&piece) {
            self.digests -= std::mem::take(&mut case.digests).len();
        }
    }

    /// Compares the right bytes from `begin` on with what is remembered.
    pub fn compare(&mut self, piece: u32, begin: u32, data: &[u8]) {
        let Some(case) = self.cases.get_mut(&piece) else {
            return;
        };
        for (number, block) in (begin / BLOCK..).zip(data.chunks(BLOCK as usize)) {
            let same = case.digests.get(number as usize) == Some(&digest_of(block));
            let sender = case.senders.sender(number).filter(|_| !same);
            let news = sender.filter(|sender| !case.guilty.contains(sender));
            case.guilty.extend(news);
        }
    }

    /// Whether [`Suspects::compare`] can find out anything about this piece.
    pub fn can_compare(&self, piece: u32) -> bool {
        self.cases
            .get(&piece)
            .is_some_and(|case| !case.digests.is_empty())
    }

    /// The piece passed: who is guilty of its failure, as far as it was compared.
    pub fn close(&mut self, piece: u32) -> Vec<SocketAddr> {
        let Some(case) = self.cases.remove(&piece) else {
            return Vec::new();
        };
        self.digests -= case.digests.len();
        case.guilty
    }

    /// Whether this piece failed and has not passed since.
    pub fn contain(&self, piece: u32) -> bool {
        self.cases.contains_key(&piece)
    }

    /// Whether nobody is accused of anything.
    pub fn is_empty(&self) -> bool {
        self.cases.is_empty()
    }

    /// Whether this peer had a part in a piece that failed and has not passed since.
    pub fn accuses(&self, addr: SocketAddr) -> bool {
        self.cases.values().any(|case| case.accused.contains(&addr))
    }

    /// The pieces that failed.
    pub fn pieces(&self) -> impl Iterator<Item = u32> + '_ {
        self.cases.keys().copied()
    }

    /// Whether the next try of this piece is one peer's alone.
    pub fn is_solo(&self, piece: u32) -> bool {
        self.cases
            .get(&piece)
            .is_some_and(|case| case.restarts < limits::SOLO_RESTARTS)
    }

    /// A try of one peer alone came to nothing.
    pub fn restart(&mut self, piece: u32) {
        if let Some(case) = self.cases.get_mut(&piece) {
            case.restarts += 1;
        }
    }

    /// Asserts that the bounds hold.
    pub fn assert_invariants(&self) {
        let digests: usize = self.cases.values().map(|case| case.digests.len()).sum();
        assert_eq!(self.digests, digests);
        assert!(digests <= limits::SUSPECT_DIGESTS);
        assert!(self.cases.len() <= limits::SUSPECT_PIECES);
    }
}

/// The front of a block's SHA-1. Finding other bytes with the same 64 bits costs a liar more than a ban does.
fn digest_of(block: &[u8]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..]: [u8; 20] = Sha1::digest(block).into();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(last: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, last], 1))
    }

    /// Two senders, one block each.
    fn senders() -> (Senders, Vec<SocketAddr>) {
        let mut senders = Senders::default();
        senders.note(0, addr(1), 2);
        senders.note(1, addr(2), 2);
        (senders, vec![addr(1), addr(2)])
    }

    fn open(suspects: &mut Suspects, piece: u32, blocks: u32) -> bool {
        let (senders, accused) = senders();
        let room = suspects.open(piece, senders, accused, blocks);
        suspects.assert_invariants();
        room
    }

    #[test]
    fn whoever_sent_other_bytes_is_guilty() {
        let mut suspects = Suspects::default();
        assert!(open(&mut suspects, 5, 2) && suspects.can_compare(5));
        let mut bytes = vec![1; 2 * BLOCK as usize];
        suspects.learn(5, 0, &bytes[..BLOCK as usize]);
        suspects.learn(5, BLOCK, &bytes[BLOCK as usize..]);
        assert!(suspects.accuses(addr(2)) && !suspects.accuses(addr(3)));
        bytes[BLOCK as usize + 9] = 2;
        suspects.compare(5, 0, &bytes);
        assert_eq!(suspects.close(5), [addr(2)]);
        assert!(suspects.is_empty() && !suspects.accuses(addr(2)));
        assert_eq!(suspects.close(5), []);
    }

    #[test]
    fn memory_is_bounded_and_the_rest_is_repeated_without_evidence() {
        let mut suspects = Suspects::default();
        let most = limits::SUSPECT_DIGESTS as u32;
        assert!(open(&mut suspects, 0, most - 1));
        assert!(!open(&mut suspects, 1, 2), "no room for two digests");
        assert!(suspects.contain(1) && suspects.is_solo(1) && !suspects.can_compare(1));
        suspects.give_up(0);
        suspects.assert_invariants();
        assert!(!suspects.can_compare(0) && open(&mut suspects, 2, 2));
        for piece in 3..limits::SUSPECT_PIECES as u32 + 9 {
            open(&mut suspects, piece, 1);
        }
        assert_eq!(suspects.pieces().count(), limits::SUSPECT_PIECES);
    }

    #[test]
    fn one_peer_alone_gets_so_many_chances() {
        let mut suspects = Suspects::default();
        open(&mut suspects, 3, 2);
        for _ in 0..limits::SOLO_RESTARTS {
            assert!(suspects.is_solo(3));
            suspects.restart(3);
        }
        assert!(!suspects.is_solo(3) && !suspects.is_solo(4));
        assert!(!open(&mut suspects, 3, 2), "it is remembered already");
        assert!(suspects.is_solo(3), "it failed again among several");
    }
}
