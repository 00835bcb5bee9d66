//! What to ask a peer for.
//!
//! A peer is given whole pieces in order, so that blocks are hashed as they come: each partial
//! piece has an owner that continues it. What is begun is finished before more is begun; a peer
//! that finds nothing else helps the owner of another piece. When all that is missing is asked for,
//! the end game begins: a block is asked of a few peers, and those that did not send it first get
//! `cancel`. The cost of a choice does not grow with the number of pieces: new pieces come from
//! `rarity`, and partial ones are few.

use std::net::SocketAddr;

use super::partial_piece::{Claim, NO_OWNER, PartialPiece};
use super::table::Pieces;
use crate::base::{Block, Holdings, PeerKey, limits};

/// A peer that takes blocks, as far as [`Pieces::pick`] has to know it.
#[derive(Clone, Copy, Debug)]
pub struct Taker<'a> {
    /// The peer.
    pub peer: PeerKey,
    /// Where it is.
    pub addr: SocketAddr,
    /// What it has.
    pub have: &'a Holdings,
    /// Only these pieces (allowed-fast while choked, BEP 6); `None`: all.
    pub only: Option<&'a [u32]>,
    /// Blocks to ask for at most.
    pub count: usize,
    /// Peers that we download from.
    pub active: usize,
    /// In the end game, name blocks that others are asked for too.
    pub repeat: bool,
    /// It snubs us: it takes one block that no other peer is asked for, and owns no piece.
    pub snubs: bool,
}

/// A pick under way.
struct Picking<'a> {
    taker: Taker<'a>,
    /// The only pieces for this peer, where it is confined.
    parts: Option<Vec<u32>>,
    out: &'a mut Vec<Block>,
    full: usize,
    /// This peer has no piece to begin.
    dry: bool,
}

impl Picking<'_> {
    fn room(&self) -> usize {
        self.full - self.out.len()
    }

    /// Only these pieces; `None`: all.
    fn only(&self) -> Option<&[u32]> {
        self.taker.only.or(self.parts.as_deref())
    }

    /// Whether this peer may be asked for this piece.
    fn may(&self, piece: u32) -> bool {
        let only = self.only();
        self.taker.have.has(piece) && only.is_none_or(|only| only.contains(&piece))
    }

    /// Whether this peer can be asked for any of the free blocks of this piece.
    fn can(&self, piece: u32, partial_piece: &PartialPiece) -> bool {
        let Taker { peer, snubs, .. } = self.taker;
        let ours = partial_piece.owner.is_none_or(|owner| owner == peer);
        let free = match partial_piece.claim {
            _ if ours || !partial_piece.solo => true,
            Claim::Firm => partial_piece.is_idle(),
            Claim::Snubbing => !snubs,
            Claim::Loose => true,
        };
        free && self.may(piece) && partial_piece.offers(peer, snubs)
    }
}

impl Pieces {
    /// Names blocks to ask of a peer and marks them as requested from it; appends to `out`.
    pub fn pick(&mut self, taker: Taker<'_>, out: &mut Vec<Block>) {
        let room = if taker.snubs {
            taker.count.min(1)
        } else {
            taker.count
        };
        let full = out.len() + room;
        let picking = &mut Picking {
            taker,
            parts: None,
            out,
            full,
            dry: false,
        };
        self.meet(taker.peer, taker.addr);
        if taker.snubs {
            self.disown(taker.peer);
        }
        self.continue_own(picking);
        picking.parts = self.confinement(taker.peer);
        if self.suspects.accuse(taker.addr) {
            self.start_pieces(picking, usize::MAX);
        }
        self.adopt(picking);
        self.start_pieces(picking, taker.active + taker.active / 2 + 1);
        self.join(picking);
        self.start_pieces(picking, usize::MAX);
        if !taker.snubs {
            self.end_game(picking);
        }
    }

    /// The pieces that this peer owns.
    fn continue_own(&mut self, picking: &mut Picking<'_>) {
        while let Some(piece) = self.owned_by(picking.taker.peer, picking) {
            self.deal(piece, picking);
        }
    }

    /// Pieces that were begun and have no owner.
    fn adopt(&mut self, picking: &mut Picking<'_>) {
        while let Some(piece) = self.owned_by(NO_OWNER, picking) {
            self.take_over(piece, picking);
        }
    }

    /// A piece changes its owner.
    fn take_over(&mut self, piece: u32, picking: &mut Picking<'_>) {
        let owner = self
            .partial
            .get(piece)
            .and_then(|partial_piece| partial_piece.owner);
        if owner.is_some_and(|owner| owner != picking.taker.peer) {
            self.seize(piece);
        }
        if let Some(partial_piece) = self.partial.get_mut(piece) {
            own(partial_piece, &picking.taker);
        }
        self.deal(piece, picking);
    }

    /// New pieces, while there are fewer than `most` that have free blocks.
    fn start_pieces(&mut self, picking: &mut Picking<'_>, most: usize) {
        while picking.room() > 0
            && !picking.dry
            && self.partial.free_count() < most
            && self.partial.len() < limits::PARTIAL_PIECES
        {
            let Some(piece) = self.choose(picking) else {
                picking.dry = true;
                return;
            };
            let mut partial_piece = PartialPiece::new(self.geometry, piece);
            partial_piece.solo = self.suspects.is_solo(piece);
            own(&mut partial_piece, &picking.taker);
            self.rarity.remove(piece);
            self.partial.insert(piece, partial_piece);
            self.deal(piece, picking);
        }
    }

    /// Pieces of others, while there is one that this peer can help with.
    fn join(&mut self, picking: &mut Picking<'_>) {
        while let Some(piece) = self.shared_piece(picking) {
            if self
                .partial
                .get(piece)
                .is_some_and(|partial_piece| partial_piece.solo)
            {
                self.take_over(piece, picking);
                continue;
            }
            self.sharing.set_helps(picking.taker.peer, piece);
            self.deal(piece, picking);
            self.join_in(piece, picking);
        }
    }

    /// A piece of another owner: the one that this peer helped with before, or the one with most
    /// left to ask for.
    fn shared_piece(&self, picking: &Picking<'_>) -> Option<u32> {
        if picking.room() == 0 {
            return None;
        }
        let peer = picking.taker.peer;
        let shared = |piece: u32| {
            let partial_piece = self.partial.get(piece)?;
            let ours = !self.is_shunned(partial_piece, peer) && picking.can(piece, partial_piece);
            ours.then(|| (partial_piece.free(), piece))
        };
        if let Some((_, piece)) = self.sharing.helps(peer).and_then(shared) {
            return Some(piece);
        }
        // A peer that is bound to few pieces need not look at all.
        let few = picking.only().into_iter().flatten().copied();
        let any = picking.only().is_none().then(|| self.partial.with_free());
        let all = few.chain(any.into_iter().flatten()).filter_map(shared);
        let chosen = if self.sequential {
            all.min_by_key(|&(_, piece)| piece)
        } else {
            all.max()
        };
        chosen.map(|(_, piece)| piece)
    }

    /// Blocks that others are asked for, once everything that can be had is asked for.
    fn end_game(&mut self, picking: &mut Picking<'_>) {
        if picking.room() == 0 || !picking.taker.repeat {
            return;
        }
        let most = self.repeats();
        self.repeated = self.repeated.min(most);
        if most == 1 {
            return;
        }
        let middle = self.rng.below(u64::from(self.geometry.pieces())) as u32;
        let candidates: Vec<u32> = self
            .partial
            .iter_from(middle)
            .take(limits::END_GAME_PROBES)
            .filter(|&(piece, partial_piece)| {
                let alone =
                    partial_piece.solo || self.is_shunned(partial_piece, picking.taker.peer);
                picking.may(piece) && !alone
            })
            .map(|(piece, _)| piece)
            .collect();
        for piece in candidates {
            let taken = picking.out.len();
            let partial_piece = self.partial.get_mut(piece).filter(|_| picking.may(piece));
            if let Some(partial_piece) = partial_piece {
                partial_piece.take_again(picking.taker.peer, most, picking.room(), picking.out);
            }
            self.settle(piece);
            if picking.out.len() > taken {
                self.join_in(piece, picking);
            }
        }
    }

    /// A peer shares a piece with others now.
    fn join_in(&mut self, piece: u32, picking: &mut Picking<'_>) {
        if self.is_shareable(piece) {
            self.sharing.take_part(picking.taker.addr, piece);
            picking.parts = self.confinement(picking.taker.peer);
        }
    }

    /// A missing piece for this peer: one that failed, so that the peer that spoilt it is known
    /// soon; then by the order that the user asked for.
    fn choose(&mut self, picking: &Picking<'_>) -> Option<u32> {
        let have = picking.taker.have;
        let missing = self.rarity.missing();
        let mut failed = self.suspects.pieces();
        if let Some(piece) = failed.find(|&piece| missing.get(piece) && picking.may(piece)) {
            return Some(piece);
        }
        match picking.only() {
            Some(only) => self.rarity.rarest_among(only, have),
            None if self.sequential => self.rarity.lowest(have),
            None if self.verified.count() < limits::RANDOM_FIRST => {
                self.rarity.random(have, &mut self.rng)
            }
            None => self.rarity.rarest(have, &mut self.rng),
        }
    }

    /// The first piece of this owner that this peer can be asked for.
    fn owned_by(&self, owner: PeerKey, picking: &Picking<'_>) -> Option<u32> {
        let mut theirs = self.partial.free_of(owner);
        let can = |&piece: &u32| {
            let partial_piece = self.partial.get(piece);
            picking.room() > 0
                && partial_piece.is_some_and(|partial_piece| picking.can(piece, partial_piece))
        };
        theirs.find(can)
    }

    fn deal(&mut self, piece: u32, picking: &mut Picking<'_>) {
        if let Some(partial_piece) = self.partial.get_mut(piece) {
            partial_piece.take(
                picking.taker.peer,
                picking.taker.snubs,
                picking.room(),
                picking.out,
            );
        }
        self.settle(piece);
    }

    fn disown(&mut self, peer: PeerKey) {
        let pieces: Vec<u32> = self.partial.free_of(peer).collect();
        for piece in pieces {
            if let Some(partial_piece) = self.partial.get_mut(piece) {
                if partial_piece.solo {
                    partial_piece.claim = Claim::Snubbing;
                } else {
                    partial_piece.owner = None;
                }
                self.more_to_ask = true;
            }
            self.settle(piece);
        }
    }

    /// A peer is about to be asked for something, or sent something, from there.
    pub(super) fn meet(&mut self, peer: PeerKey, addr: SocketAddr) {
        let unverified = |piece| self.partial.contains(piece) || self.suspects.contain(piece);
        self.sharing.meet(peer, addr, unverified);
    }

    /// Where a peer has a part in as many unverified pieces as it may: those.
    pub(super) fn confinement(&mut self, peer: PeerKey) -> Option<Vec<u32>> {
        let unverified = |piece| self.partial.contains(piece) || self.suspects.contain(piece);
        self.sharing.confinement(peer, unverified)
    }

    fn is_confined(&self, peer: PeerKey) -> bool {
        let unverified = |piece| self.partial.contains(piece) || self.suspects.contain(piece);
        self.sharing.is_confined(peer, unverified)
    }

    /// Whether a piece is left to its owner: only the owner may send it, or the owner shares too
    /// many already.
    fn is_shunned(&self, partial_piece: &PartialPiece, peer: PeerKey) -> bool {
        partial_piece.owner != Some(peer) && self.is_kept(partial_piece) && !partial_piece.is_idle()
    }

    /// Whether other peers may continue a piece that was left to its owner, since its owner does
    /// not.
    pub(super) fn is_left(&self, piece: u32) -> bool {
        let left =
            |partial_piece: &PartialPiece| self.is_kept(partial_piece) && partial_piece.is_idle();
        self.partial.get(piece).is_some_and(left)
    }

    fn is_kept(&self, partial_piece: &PartialPiece) -> bool {
        let keeps = |owner| partial_piece.solo || self.is_confined(owner);
        partial_piece.owner.is_some_and(keeps)
    }

    /// Other peers continue a piece that this peer owned. If this peer sent some of it, it has a
    /// part in it from now on; if it has too many parts already, its blocks are dropped.
    pub(super) fn expose(&mut self, owner: PeerKey, piece: u32) {
        let Some(addr) = self.sharing.addr(owner) else {
            return;
        };
        let confined = self.is_confined(owner) && !self.sharing.has_part(owner, piece);
        let sent = |partial_piece: &&mut PartialPiece| partial_piece.is_from(addr);
        let Some(partial_piece) = self.partial.get_mut(piece).filter(sent) else {
            return;
        };
        if !confined {
            self.sharing.take_part(addr, piece);
        } else if partial_piece.strike(addr) {
            partial_piece.owner = None;
            self.partial.void_reading(piece);
            self.more_to_ask = true;
        }
    }

    /// Whether a peer may not send blocks of this piece: another peer must send it alone, or this
    /// peer shares too many pieces already.
    pub(super) fn is_barred(&self, peer: PeerKey, piece: u32) -> bool {
        let partial_piece = self.partial.get(piece);
        let Some(partial_piece) = partial_piece.filter(|piece| piece.owner != Some(peer)) else {
            return false;
        };
        let part = self.sharing.has_part(peer, piece);
        partial_piece.solo || !part && self.is_shareable(piece) && self.is_confined(peer)
    }

    /// Whether several peers can send it: not if it is a single block.
    fn is_shareable(&self, piece: u32) -> bool {
        self.geometry.blocks(piece) > 1
    }
}

/// Makes a peer the owner of a piece. One that snubs us would delay others, so it owns only pieces
/// that must come from one peer alone, until one that does not takes over.
fn own(partial_piece: &mut PartialPiece, taker: &Taker<'_>) {
    partial_piece.claim = if taker.snubs {
        Claim::Snubbing
    } else {
        Claim::Firm
    };
    if partial_piece.solo || !taker.snubs {
        partial_piece.owner = Some(taker.peer);
    }
}
