//! How much of what a peer sends gets mixed with what others send before it is verified.
//!
//! A liar that never finishes a piece alone cannot be caught by it: it spoils pieces that it shares with others. So a peer may have
//! a part in only a few such pieces that are not verified yet. With as many as that, it goes on with them and with its own;
//! others keep away from its own; and what it leaves, or sends for others, beyond that is dropped. To an honest peer this seldom
//! happens: what is shared is mostly the end of a piece.

use std::net::SocketAddr;

use super::progress::Progress;
use super::table::{Pieces, Who};
use crate::base::limits;

/// What is remembered of a peer between picks.
#[derive(Clone, Debug, Default)]
pub(super) struct Peer {
    /// Where its blocks came from.
    pub addr: Option<SocketAddr>,
    /// The piece of another owner that it helps with.
    pub helps: Option<u32>,
    /// Pieces that it sent blocks of while another owned them, or that it left, or that failed with its blocks. Those that are
    /// verified by now are sorted out when that matters.
    pub parts: Vec<u32>,
}

impl Peer {
    /// It has a part in this piece.
    pub fn take_part(&mut self, piece: u32) {
        if !self.parts.contains(&piece) {
            self.parts.push(piece);
        }
    }

    /// Whether it has a part in as many pieces as it may, if none of them is verified.
    pub fn may_be_confined(&self) -> bool {
        self.parts.len() >= limits::SHARED_PARTS
    }
}

impl Pieces {
    /// Where a peer has a part in as many unverified pieces as it may: those. It goes on with them and its own, and nothing else.
    pub(super) fn confinement(&mut self, who: Who) -> Option<Vec<u32>> {
        let mut parts = match self.peers.get_mut(&who) {
            Some(peer) if peer.may_be_confined() => std::mem::take(&mut peer.parts),
            _ => return None,
        };
        parts.retain(|&piece| self.is_unverified(piece));
        let peer = self.peers.entry(who).or_default();
        peer.parts = parts;
        peer.may_be_confined().then(|| peer.parts.clone())
    }

    /// Whether others keep away from a piece: it is its owner's alone, or its owner shares too many already.
    pub(super) fn is_shunned(&self, progress: &Progress, who: Who) -> bool {
        progress.owner != Some(who) && self.is_kept(progress) && !progress.is_idle()
    }

    /// Whether others may go on with a piece that they kept away from, since its owner does not.
    pub(super) fn is_left(&self, piece: u32) -> bool {
        let left = |progress: &Progress| self.is_kept(progress) && progress.is_idle();
        self.open.get(&piece).is_some_and(left)
    }

    fn is_kept(&self, progress: &Progress) -> bool {
        let keeps = |owner| progress.solo || self.is_confined(owner);
        progress.owner.is_some_and(keeps)
    }

    /// Others go on with a piece that this peer owned: it has a part in it, or, if it has too many, its blocks are dropped.
    pub(super) fn expose(&mut self, owner: Who, piece: u32) {
        let confined = self.is_confined(owner);
        let (peer, progress) = (self.peers.get_mut(&owner), self.open.get_mut(&piece));
        let (Some(peer), Some(progress)) = (peer, progress) else {
            return;
        };
        if !confined || peer.parts.contains(&piece) {
            peer.take_part(piece);
        } else if peer.addr.is_some_and(|addr| progress.strike(addr)) {
            progress.owner = None;
            self.void.extend(progress.void_reading());
            self.news = true;
        }
    }

    /// Whether a peer may not send blocks of this piece: it is another's alone, or one too many to share.
    pub(super) fn is_barred(&self, who: Who, piece: u32) -> bool {
        let progress = self.open.get(&piece);
        let Some(progress) = progress.filter(|progress| progress.owner != Some(who)) else {
            return false;
        };
        let parts = self.peers.get(&who).map(|peer| &peer.parts);
        let part = parts.is_some_and(|parts| parts.contains(&piece));
        progress.solo || !part && self.is_shareable(piece) && self.is_confined(who)
    }

    /// Whether several peers can send it: not if it is a single block.
    pub(super) fn is_shareable(&self, piece: u32) -> bool {
        self.geometry.blocks(piece) > 1
    }

    /// Whether a peer has a part in as many unverified pieces as it may.
    fn is_confined(&self, who: Who) -> bool {
        let Some(peer) = self.peers.get(&who).filter(|peer| peer.may_be_confined()) else {
            return false;
        };
        let parts = peer.parts.iter();
        parts.filter(|&&piece| self.is_unverified(piece)).count() >= limits::SHARED_PARTS
    }

    /// Whether blocks of this piece wait to be verified, or were found wrong and the culprit is not known.
    fn is_unverified(&self, piece: u32) -> bool {
        self.open.contains_key(&piece) || self.suspects.contain(piece)
    }

    /// Whether some peer is given no new pieces because of this one.
    pub(super) fn confines(&self, piece: u32) -> bool {
        let mut peers = self.peers.values();
        peers.any(|peer| peer.may_be_confined() && peer.parts.contains(&piece))
    }
}
