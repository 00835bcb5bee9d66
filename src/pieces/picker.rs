//! What to ask a peer for.
//!
//! A peer is given whole pieces in order, so that blocks are hashed as they come: each open piece has an owner that continues it.
//! What is begun is finished before more is begun; a peer that finds nothing else helps the owner of another piece. When all that
//! is missing is asked for, the end game begins: a block is asked of a few peers, and those that did not send it first get
//! `cancel`. No choice costs more for a torrent of more pieces: new pieces come from `rarity`, and open ones are few.

use std::net::SocketAddr;

use super::progress::{Grip, Progress};
use super::table::{NOBODY, Pieces, Who};
use crate::base::geometry::Block;
use crate::base::holdings::Holdings;
use crate::base::limits;

/// What [`Pieces::pick`] has to know of a peer.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// The peer.
    pub who: Who,
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
    /// Snubbed, or far slower than others: takes only what nobody else is at, one block, and owns no piece.
    pub slow: bool,
}

/// A plan being carried out.
struct Hand<'a> {
    plan: Plan<'a>,
    /// The only pieces for this peer, where it is confined.
    parts: Option<Vec<u32>>,
    out: &'a mut Vec<Block>,
    full: usize,
    /// No piece that could be begun is to be had of this peer: to look again would be in vain.
    dry: bool,
}

impl Hand<'_> {
    fn room(&self) -> usize {
        self.full - self.out.len()
    }

    /// Only these pieces; `None`: all.
    fn only(&self) -> Option<&[u32]> {
        self.plan.only.or(self.parts.as_deref())
    }

    /// Whether this peer may be asked for this piece.
    fn may(&self, piece: u32) -> bool {
        let only = self.only();
        self.plan.have.has(piece) && only.is_none_or(|only| only.contains(&piece))
    }

    /// Whether this peer can be asked for any of the free blocks of this piece.
    fn can(&self, piece: u32, progress: &Progress) -> bool {
        let Plan { who, slow, .. } = self.plan;
        let ours = progress.owner.is_none_or(|owner| owner == who);
        let free = match progress.grip {
            _ if ours || !progress.solo => true,
            Grip::Firm => progress.is_idle(),
            Grip::Slow => !slow,
            Grip::Loose => true,
        };
        free && self.may(piece) && progress.offers(who, slow)
    }
}

impl Pieces {
    /// Names blocks to ask of a peer and marks them as requested from it; appends to `out`.
    pub fn pick(&mut self, plan: Plan<'_>, out: &mut Vec<Block>) {
        let room = if plan.slow {
            plan.count.min(1)
        } else {
            plan.count
        };
        let full = out.len() + room;
        let hand = &mut Hand {
            plan,
            parts: None,
            out,
            full,
            dry: false,
        };
        self.meet(plan.who, plan.addr);
        if plan.slow {
            self.disown(plan.who);
        }
        self.continue_own(hand);
        hand.parts = self.confinement(plan.who);
        if self.suspects.accuse(plan.addr) {
            self.begin(hand, usize::MAX);
        }
        self.adopt(hand);
        self.begin(hand, plan.active + plan.active / 2 + 1);
        self.join(hand);
        self.begin(hand, usize::MAX);
        if !plan.slow {
            self.end_game(hand);
        }
    }

    /// The pieces that this peer owns.
    fn continue_own(&mut self, hand: &mut Hand<'_>) {
        while let Some(piece) = self.owned_by(hand.plan.who, hand) {
            self.deal(piece, hand);
        }
    }

    /// Pieces that were begun and that nobody continues.
    fn adopt(&mut self, hand: &mut Hand<'_>) {
        while let Some(piece) = self.owned_by(NOBODY, hand) {
            self.take_over(piece, hand);
        }
    }

    /// A piece changes its owner.
    fn take_over(&mut self, piece: u32, hand: &mut Hand<'_>) {
        let owner = self.open.get(&piece).and_then(|progress| progress.owner);
        if owner.is_some_and(|owner| owner != hand.plan.who) {
            self.seize(piece);
        }
        if let Some(progress) = self.open.get_mut(&piece) {
            own(progress, &hand.plan);
        }
        self.deal(piece, hand);
    }

    /// New pieces, while there are fewer than `most` that have free blocks.
    fn begin(&mut self, hand: &mut Hand<'_>, most: usize) {
        while hand.room() > 0
            && !hand.dry
            && self.partial.len() < most
            && self.open.len() < limits::OPEN_PIECES
        {
            let Some(piece) = self.choose(hand) else {
                hand.dry = true;
                return;
            };
            let mut progress = Progress::new(self.geometry, piece);
            progress.solo = self.suspects.is_solo(piece);
            own(&mut progress, &hand.plan);
            self.rarity.remove(piece);
            self.open.insert(piece, progress);
            self.deal(piece, hand);
        }
    }

    /// Pieces of others: the one that this peer helped with before, or the one with most left to ask for.
    fn join(&mut self, hand: &mut Hand<'_>) {
        let who = hand.plan.who;
        while hand.room() > 0 {
            let shared = |piece: u32| {
                let progress = self.open.get(&piece)?;
                let ours = !self.is_shunned(progress, who) && hand.can(piece, progress);
                ours.then(|| (progress.free(), piece))
            };
            let before = self.peers.get(&who).and_then(|peer| peer.helps);
            // A peer that is bound to few pieces need not look at all.
            let few = hand.only().into_iter().flatten().copied();
            let any = || self.partial.iter().map(|&(_, piece)| piece);
            let any = hand.only().is_none().then(any).into_iter().flatten();
            let all = few.chain(any).filter_map(shared);
            let chosen = match before.and_then(shared) {
                Some(chosen) => Some(chosen),
                None if self.sequential => all.min_by_key(|&(_, piece)| piece),
                None => all.max(),
            };
            let Some((_, piece)) = chosen else {
                return;
            };
            if self.open.get(&piece).is_some_and(|progress| progress.solo) {
                self.take_over(piece, hand);
                continue;
            }
            if let Some(peer) = self.peers.get_mut(&who) {
                peer.helps = Some(piece);
            }
            self.deal(piece, hand);
            self.join_in(piece, hand);
        }
    }

    /// Blocks that others are asked for, once everything that can be had is asked for.
    fn end_game(&mut self, hand: &mut Hand<'_>) {
        if hand.room() == 0 || !hand.plan.repeat {
            return;
        }
        let most = self.repeats();
        self.repeated = self.repeated.min(most);
        if most == 1 {
            return;
        }
        let middle = self.rng.below(u64::from(self.geometry.pieces())) as u32;
        let around = self.open.range(middle..).chain(self.open.range(..middle));
        let candidates: Vec<u32> = around
            .take(limits::END_GAME_PROBES)
            .filter(|&(&piece, progress)| {
                let alone = progress.solo || self.is_shunned(progress, hand.plan.who);
                hand.may(piece) && !alone
            })
            .map(|(&piece, _)| piece)
            .collect();
        for piece in candidates {
            let taken = hand.out.len();
            let progress = self.open.get_mut(&piece).filter(|_| hand.may(piece));
            if let Some(progress) = progress {
                progress.take_again(hand.plan.who, most, hand.room(), hand.out);
            }
            self.settle(piece);
            if hand.out.len() > taken {
                self.join_in(piece, hand);
            }
        }
    }

    /// A peer shares a piece with others now.
    fn join_in(&mut self, piece: u32, hand: &mut Hand<'_>) {
        if self.is_shareable(piece) {
            self.take_part(hand.plan.addr, piece);
            hand.parts = self.confinement(hand.plan.who);
        }
    }

    /// A missing piece for this peer: one that failed, so that it is known soon who spoilt it; then by the order that was asked for.
    fn choose(&mut self, hand: &Hand<'_>) -> Option<u32> {
        let have = hand.plan.have;
        let missing = self.rarity.missing();
        let mut failed = self.suspects.pieces();
        if let Some(piece) = failed.find(|&piece| missing.get(piece) && hand.may(piece)) {
            return Some(piece);
        }
        match hand.only() {
            Some(only) => self.rarity.rarest_among(only, have),
            None if self.sequential => self.rarity.lowest(have),
            None if self.held.count() < limits::RANDOM_FIRST => {
                self.rarity.random(have, &mut self.rng)
            }
            None => self.rarity.rarest(have, &mut self.rng),
        }
    }

    /// The first piece of this owner that this peer can be asked for.
    fn owned_by(&self, owner: Who, hand: &Hand<'_>) -> Option<u32> {
        let mut theirs = self.partial.range((owner, 0)..=(owner, u32::MAX));
        let can = |&&(_, piece): &&(Who, u32)| {
            let progress = self.open.get(&piece);
            hand.room() > 0 && progress.is_some_and(|progress| hand.can(piece, progress))
        };
        theirs.find(can).map(|&(_, piece)| piece)
    }

    fn deal(&mut self, piece: u32, hand: &mut Hand<'_>) {
        if let Some(progress) = self.open.get_mut(&piece) {
            progress.take(hand.plan.who, hand.plan.slow, hand.room(), hand.out);
        }
        self.settle(piece);
    }

    fn disown(&mut self, who: Who) {
        let theirs = self.partial.range((who, 0)..=(who, u32::MAX));
        let pieces: Vec<u32> = theirs.map(|&(_, piece)| piece).collect();
        for piece in pieces {
            if let Some(progress) = self.open.get_mut(&piece) {
                if progress.solo {
                    progress.grip = Grip::Slow;
                } else {
                    progress.owner = None;
                }
                self.news = true;
            }
            self.settle(piece);
        }
    }
}

/// Gives a piece to a peer. A slow one would hold up others: it owns only what must be one peer's alone, until a quicker one comes.
fn own(progress: &mut Progress, plan: &Plan<'_>) {
    progress.grip = if plan.slow { Grip::Slow } else { Grip::Firm };
    if progress.solo || !plan.slow {
        progress.owner = Some(plan.who);
    }
}
