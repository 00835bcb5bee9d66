//! The piece table beside its swarm: what to ask of one peer, and what comes of a piece that is whole.

use super::candidates::Candidates;
use super::choker::Choker;
use crate::base::geometry::Block;
use crate::base::rng::Rng;
use crate::base::time::Now;
use crate::peer::peer::Peer;
use crate::pieces::{Pieces, Plan, Who};

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

    /// Asks a peer for as many blocks as it can take. `active` is the number of peers that we download from. True if it could take
    /// more than there was to ask.
    pub fn ask(&mut self, who: Who, peer: &mut Peer, active: usize, now: Now) -> bool {
        let count = peer.room(now);
        if count == 0 || peer.allowed().is_some_and(<[u32]>::is_empty) {
            return false;
        }
        self.picked.clear();
        let (have, only, slow) = (peer.holdings(), peer.allowed(), peer.is_snubbing(now));
        self.pieces.pick(
            Plan {
                who,
                have,
                only,
                count,
                active,
                slow,
            },
            &mut self.picked,
        );
        for &block in &self.picked {
            peer.request(block, now);
        }
        self.picked.len() < count
    }

    /// Gives blocks back that a peer will not send.
    pub fn release(&mut self, who: Who, blocks: &[Block]) {
        for &block in blocks {
            self.pieces.release(who, block);
        }
    }
}
