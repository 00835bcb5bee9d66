//! Which peers sent bad blocks.
//!
//! Where a single host sent a piece that fails, it is guilty. Where several did, each block is
//! remembered by a digest with its sender, and one peer alone repeats the piece: if that fails too,
//! this peer is guilty, and if it passes, so is each peer that had sent other bytes than the right
//! ones. No peer is guilty by suspicion: only by bytes that differ from those that matched the
//! hash, or by a failed piece that it sent alone. Meanwhile the senders are suspects, and each gets
//! pieces of its own as long as there are any, so that the next failure or success is one peer's
//! alone.
//!
//! What a poisoner costs is bounded. A host that sends whatever it likes, whenever it likes, has a
//! part in at most [`limits::SHARED_PARTS`] pieces, for each of its connections, that are shared
//! with others and not verified. A failed piece stays among them until it passes, and then the
//! poisoner is found out. The first piece that it spoils alone gets it banned. So one connection
//! makes at most `SHARED_PARTS + 1` attempts fail, and n poisoners n times as many; each costs the
//! bytes that other peers had sent of that piece. What else a guilty peer sent of pieces that are
//! not whole yet is dropped as well, so that they do not fail, too: that costs no more than what it
//! sent itself.
//!
//! Two things are outside this bound, and have bounds of their own. One peer alone may begin the
//! repetition of a piece and not finish it: after [`limits::SOLO_RESTARTS`] hosts did, or
//! [`limits::SOLO_TRIES`] such attempts, several may help with it again, and a poisoner among them
//! spoil it again; each such failure is remembered beside the first. And evidence takes memory:
//! with [`limits::SUSPECT_PIECES`] pieces or [`limits::SUSPECT_DIGESTS`] blocks remembered, the
//! next failed piece is repeated without remembering its blocks, so that no peer can push out older
//! evidence. A poisoner goes undetected for that piece, but not for the next one for which there is
//! memory.

use std::net::SocketAddr;

use sha1::{Digest, Sha1};

use crate::base::{BLOCK, Bits, Host, SortedMap, limits};

/// The sender of each block of a piece. One sender for all of them, the usual case, costs no memory
/// per block.
#[derive(Clone, Debug, Default)]
pub(super) struct Senders {
    /// An address of each host.
    addrs: Vec<SocketAddr>,
    /// For each block an index into `addrs`; empty while there is one sender. A piece has at most
    /// 2¹⁴ blocks.
    by: Vec<u16>,
}

impl Senders {
    /// Notes that this block, of `blocks`, came from there.
    pub fn note(&mut self, number: u32, from: SocketAddr, blocks: u32) {
        let known = self.place(from);
        let index = known.unwrap_or(self.addrs.len());
        // With more senders than an index can count, none is named rather than a wrong one.
        let index = u16::try_from(index).unwrap_or(u16::MAX);
        if known.is_none() && index < u16::MAX {
            self.addrs.push(from);
        }
        if index > 0 && self.by.is_empty() {
            self.by = vec![0; blocks as usize];
        }
        if let Some(by) = self.by.get_mut(number as usize) {
            *by = index;
        }
    }

    /// Whether there was never more than one.
    #[cfg(test)]
    pub fn is_sole(&self) -> bool {
        self.by.is_empty()
    }

    /// The senders of these blocks.
    pub fn of_blocks(&self, blocks: &Bits) -> Vec<SocketAddr> {
        let mut indices: Vec<usize> = blocks.ones().map(|number| self.index(number)).collect();
        indices.sort_unstable();
        indices.dedup();
        indices
            .iter()
            .filter_map(|&index| self.addrs.get(index).copied())
            .collect()
    }

    /// Which of these blocks came from this host.
    pub fn sent(&self, from: SocketAddr, blocks: &Bits) -> Vec<u32> {
        match self.place(from) {
            Some(index) => blocks.ones().filter(|&n| self.index(n) == index).collect(),
            None => Vec::new(),
        }
    }

    fn place(&self, from: SocketAddr) -> Option<usize> {
        let host = Host::of(from);
        self.addrs.iter().position(|&addr| Host::of(addr) == host)
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

/// A failed attempt of a piece that had several senders.
#[derive(Clone, Debug)]
struct FailedAttempt {
    senders: Senders,
    accused: Vec<Host>,
    /// A digest for each block.
    digests: Vec<u64>,
    guilty: Vec<SocketAddr>,
}

impl FailedAttempt {
    fn compare(&mut self, begin: u32, data: &[u8]) {
        for (number, block) in (begin / BLOCK..).zip(data.chunks(BLOCK as usize)) {
            let same = self.digests.get(number as usize) == Some(&digest_of(block));
            let sender = self.senders.sender(number).filter(|_| !same);
            let new = sender.filter(|sender| !self.guilty.contains(sender));
            self.guilty.extend(new);
        }
    }
}

/// A piece that failed: the attempts of several senders, as far as there was memory for their
/// digests.
#[derive(Clone, Debug, Default)]
struct Case {
    attempts: Vec<FailedAttempt>,
    /// Attempts by one peer alone since the last failure that were not finished.
    restarts: u32,
    /// The hosts that did not finish them.
    idlers: Vec<Host>,
}

/// Pieces that failed, until they pass.
#[derive(Clone, Debug, Default)]
pub(super) struct Suspects {
    cases: SortedMap<u32, Case>,
    digests: usize,
}

impl Suspects {
    /// An attempt by several senders failed; true if its blocks are to be read and given to
    /// [`Suspects::learn`].
    pub fn record(
        &mut self,
        piece: u32,
        senders: Senders,
        accused: &[SocketAddr],
        blocks: u32,
    ) -> bool {
        let full = self.cases.len() >= limits::SUSPECT_PIECES;
        if full && !self.cases.contains_key(&piece) {
            return false;
        }
        let case = self.cases.get_or_insert_with(piece, Case::default);
        case.restarts = 0;
        case.idlers.clear();
        let blocks = blocks as usize;
        let room = self.digests + blocks <= limits::SUSPECT_DIGESTS;
        if room {
            self.digests += blocks;
            case.attempts.push(FailedAttempt {
                senders,
                accused: accused.iter().copied().map(Host::of).collect(),
                digests: vec![0; blocks],
                guilty: Vec::new(),
            });
        }
        room
    }

    /// Remembers what the blocks of the last attempt were, from `begin` on.
    pub fn learn(&mut self, piece: u32, begin: u32, data: &[u8]) {
        let last = self
            .cases
            .get_mut(&piece)
            .map(|case| case.attempts.last_mut());
        if let Some(last) = last.flatten() {
            let kept = last.digests.iter_mut().skip((begin / BLOCK) as usize);
            for (digest, block) in kept.zip(data.chunks(BLOCK as usize)) {
                *digest = digest_of(block);
            }
        }
    }

    /// Compares the right bytes from `begin` on with what is remembered.
    pub fn compare(&mut self, piece: u32, begin: u32, data: &[u8]) {
        let attempts = self
            .cases
            .get_mut(&piece)
            .map(|case| case.attempts.iter_mut());
        for failed in attempts.into_iter().flatten() {
            failed.compare(begin, data);
        }
    }

    /// Whether [`Suspects::compare`] can find out anything about this piece.
    pub fn can_compare(&self, piece: u32) -> bool {
        let case = self.cases.get(&piece);
        case.is_some_and(|case| !case.attempts.is_empty())
    }

    /// The piece passed: the hosts guilty of its failures, as far as it was compared.
    pub fn close(&mut self, piece: u32) -> Vec<SocketAddr> {
        let mut guilty: Vec<SocketAddr> = Vec::new();
        for failed in self.cases.remove(&piece).unwrap_or_default().attempts {
            self.digests -= failed.digests.len();
            for addr in failed.guilty {
                if !guilty
                    .iter()
                    .any(|&known| Host::of(known) == Host::of(addr))
                {
                    guilty.push(addr);
                }
            }
        }
        guilty
    }

    /// Whether this piece failed and has not passed since.
    pub fn contain(&self, piece: u32) -> bool {
        self.cases.contains_key(&piece)
    }

    /// Whether this peer's host had a part in a piece that failed and has not passed since.
    pub fn accuse(&self, addr: SocketAddr) -> bool {
        let host = Host::of(addr);
        let mut attempts = self.cases.values().flat_map(|case| &case.attempts);
        attempts.any(|failed| failed.accused.contains(&host))
    }

    /// The pieces that failed.
    pub fn pieces(&self) -> impl Iterator<Item = u32> + '_ {
        self.cases.keys().copied()
    }

    /// Whether the next attempt of this piece is one peer's alone.
    pub fn is_solo(&self, piece: u32) -> bool {
        let alone = |case: &Case| {
            case.idlers.len() < limits::SOLO_RESTARTS && case.restarts < limits::SOLO_TRIES
        };
        self.cases.get(&piece).is_some_and(alone)
    }

    /// An attempt of this peer alone was not finished.
    pub fn restart(&mut self, piece: u32, addr: Option<SocketAddr>) {
        if let Some(case) = self.cases.get_mut(&piece) {
            case.restarts += 1;
            let host = addr.map(Host::of);
            let new = host.filter(|host| !case.idlers.contains(host));
            case.idlers.extend(new);
        }
    }

    /// Asserts that the bounds hold.
    pub fn assert_invariants(&self) {
        let attempts = self.cases.values().flat_map(|case| &case.attempts);
        let digests: usize = attempts.map(|failed| failed.digests.len()).sum();
        assert_eq!(self.digests, digests);
        assert!(digests <= limits::SUSPECT_DIGESTS);
        assert!(self.cases.len() <= limits::SUSPECT_PIECES);
    }
}

/// The front of a block's SHA-1. Finding other bytes with the same 64 bits costs a liar more than a
/// ban does.
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

    fn record(suspects: &mut Suspects, piece: u32, blocks: u32) -> bool {
        let (senders, accused) = senders();
        let room = suspects.record(piece, senders, &accused, blocks);
        suspects.assert_invariants();
        room
    }

    #[test]
    fn a_peer_that_sent_other_bytes_is_guilty() {
        let mut suspects = Suspects::default();
        assert!(record(&mut suspects, 5, 2) && suspects.can_compare(5));
        let mut bytes = vec![1; 2 * BLOCK as usize];
        suspects.learn(5, 0, &bytes[..BLOCK as usize]);
        suspects.learn(5, BLOCK, &bytes[BLOCK as usize..]);
        assert!(suspects.accuse(addr(2)) && !suspects.accuse(addr(3)));
        bytes[BLOCK as usize + 9] = 2;
        suspects.compare(5, 0, &bytes);
        assert_eq!(suspects.close(5), [addr(2)]);
        assert!(!suspects.contain(5) && !suspects.accuse(addr(2)));
        assert_eq!(suspects.close(5), []);
    }

    #[test]
    fn each_failed_try_is_compared() {
        let mut suspects = Suspects::default();
        let right = vec![1; 2 * BLOCK as usize];
        for wrong in [9, BLOCK as usize + 9] {
            assert!(record(&mut suspects, 5, 2));
            let mut bytes = right.clone();
            bytes[wrong] = 2;
            suspects.learn(5, 0, &bytes);
        }
        suspects.compare(5, 0, &right);
        assert_eq!(suspects.close(5), [addr(1), addr(2)]);
        suspects.assert_invariants();
    }

    #[test]
    fn memory_is_bounded_and_the_rest_is_repeated_without_evidence() {
        let mut suspects = Suspects::default();
        let most = limits::SUSPECT_DIGESTS as u32;
        assert!(record(&mut suspects, 0, most - 1));
        assert!(!record(&mut suspects, 1, 2), "no room for two digests");
        assert!(suspects.contain(1) && suspects.is_solo(1) && !suspects.can_compare(1));
        suspects.close(0);
        suspects.assert_invariants();
        assert!(!suspects.can_compare(0) && record(&mut suspects, 2, 2));
        for piece in 3..limits::SUSPECT_PIECES as u32 + 9 {
            record(&mut suspects, piece, 1);
        }
        assert_eq!(suspects.pieces().count(), limits::SUSPECT_PIECES);
        assert!(record(&mut suspects, 2, 2), "what is known may fail again");
    }

    #[test]
    fn one_peer_alone_gets_so_many_chances() {
        let mut suspects = Suspects::default();
        record(&mut suspects, 3, 2);
        for host in 1..=limits::SOLO_RESTARTS as u8 {
            assert!(suspects.is_solo(3));
            suspects.restart(3, Some(addr(host)));
        }
        assert!(!suspects.is_solo(3) && !suspects.is_solo(4));
        record(&mut suspects, 3, 2);
        assert!(suspects.is_solo(3), "it failed again among several");
        // One that comes back and begins it again counts once, but not for ever.
        for _ in 0..limits::SOLO_TRIES {
            assert!(suspects.is_solo(3));
            suspects.restart(3, Some(addr(1)));
        }
        assert!(!suspects.is_solo(3));
    }

    #[test]
    fn no_peer_is_blamed_where_there_are_too_many_to_tell_apart() {
        let host = |n: u32| SocketAddr::from(((0x0a00_0000 + n).to_be_bytes(), 1));
        let most = u32::from(u16::MAX);
        let mut senders = Senders {
            addrs: (0..most - 1).map(host).collect(),
            by: vec![0; 2],
        };
        senders.note(0, host(most - 1), 2);
        senders.note(1, host(most), 2);
        assert_eq!(senders.sender(1), None, "the last one");
        assert_eq!(senders.sender(0), Some(host(most - 1)));
    }
}
