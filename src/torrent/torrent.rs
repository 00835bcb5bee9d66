//! The piece table beside its swarm: what to ask of one peer, and what comes of a piece that is
//! whole.

use super::candidates::Candidates;
use super::choker::Choker;
use crate::base::geometry::Block;
use crate::base::key::PeerKey;
use crate::base::rng::Rng;
use crate::base::time::Now;
use crate::peer::peer::Peer;
use crate::pieces::{Pieces, Plan};

/// One torrent: its pieces, the addresses of its swarm, and whom of it we serve.
#[derive(Debug)]
pub struct Torrent {
    /// Which pieces are missing, open and held.
    pub pieces: Pieces,
    /// Whom we could call.
    pub candidates: Candidates,
    /// Whom we serve.
    pub choker: Choker,
    picked: Vec<Block>,
}

/// What was asked of a peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Asked {
    /// Bytes of content.
    pub bytes: u64,
    /// It could take more than it was asked for.
    pub hungry: bool,
    /// It was not asked for more because that was not allowed.
    pub held_back: bool,
}

impl Torrent {
    /// A torrent with these pieces and no swarm yet.
    pub fn new(pieces: Pieces, now: Now, rng: &mut Rng) -> Torrent {
        Torrent {
            pieces,
            candidates: Candidates::new(Rng::from_seed(rng.bits64())),
            choker: Choker::new(now, Rng::from_seed(rng.bits64())),
            picked: Vec::new(),
        }
    }

    /// Asks a peer for as many blocks as it can take, at most `most`. `active` is the number of
    /// peers that we download from.
    pub fn ask(
        &mut self,
        key: PeerKey,
        peer: &mut Peer,
        active: usize,
        most: usize,
        now: Now,
    ) -> Asked {
        let room = peer.room(now);
        // While it chokes us there is mostly nothing to ask for, and nothing that others do changes
        // that.
        let wanted = |&piece: &u32| self.pieces.needs(piece) && peer.holdings().has(piece);
        let choked = |only: &[u32]| !only.iter().any(wanted);
        if room == 0 || peer.allowed().is_some_and(choked) {
            return Asked::default();
        }
        let count = room.min(most);
        self.picked.clear();
        let mut plan = Plan {
            peer: key,
            addr: peer.addr(),
            have: peer.holdings(),
            only: peer.allowed(),
            count,
            active,
            repeat: false,
            slow: peer.is_snubbing(now),
        };
        self.pieces.pick(plan, &mut self.picked);
        if self.picked.is_empty() && peer.in_flight() == 0 {
            // What is asked twice is mostly sent twice: only of a peer that has nothing else to do,
            // and a block at a time.
            (plan.repeat, plan.count) = (true, count.min(1));
            self.pieces.pick(plan, &mut self.picked);
        }
        for &block in &self.picked {
            peer.request(block, now);
        }
        Asked {
            bytes: self.picked.iter().map(|block| u64::from(block.len)).sum(),
            hungry: self.picked.len() < room,
            held_back: count < room && self.picked.len() == count,
        }
    }

    /// Gives blocks back that a peer will not send.
    pub fn release(&mut self, key: PeerKey, blocks: &[Block]) {
        for &block in blocks {
            self.pieces.release(key, block);
        }
    }
}
