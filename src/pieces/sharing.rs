//! How much of what a host sends gets mixed with what others send before it is verified.
//!
//! A liar that never finishes a piece alone cannot be caught by it: it spoils pieces that it shares with others. So a host may have
//! a part in only a few such pieces that are not verified yet, for each of its connections. With as many as that, it goes on with them
//! and with its own; others keep away from its own; and what it leaves, or sends for others, beyond that is dropped. To an honest
//! peer this seldom happens: what is shared is mostly the end of a piece. To connect anew is no way out: the parts that a host had
//! are still its parts.

use std::net::SocketAddr;

use super::progress::Progress;
use super::table::{Pieces, Who};
use crate::base::host::Host;
use crate::base::limits;

/// What is remembered of a peer between picks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    /// Where its blocks come from.
    pub addr: SocketAddr,
    /// The piece of another owner that it helps with.
    pub helps: Option<u32>,
}

/// What is remembered of a host: as long as it is connected, and until all that it has a part in is verified.
#[derive(Clone, Debug, Default)]
pub(super) struct Party {
    /// Peers of it that we have asked for anything.
    connections: usize,
    /// Pieces that it sent blocks of while another owned them, or that it left, or that failed with its blocks. Those that are
    /// verified by now are sorted out when that matters.
    parts: Vec<u32>,
}

impl Party {
    /// It has a part in this piece.
    fn take_part(&mut self, piece: u32) {
        if !self.parts.contains(&piece) {
            self.parts.push(piece);
        }
    }

    /// Pieces that it may have a part in.
    fn most(&self) -> usize {
        limits::SHARED_PARTS * self.connections.max(1)
    }

    /// Whether it has a part in as many pieces as it may, if none of them is verified.
    fn may_be_confined(&self) -> bool {
        self.parts.len() >= self.most()
    }
}

impl Pieces {
    /// A peer is about to be asked for something, or sent something, from there.
    pub(super) fn meet(&mut self, who: Who, addr: SocketAddr) {
        let host = Host::of(addr);
        if self.peers.get(&who).map(|peer| Host::of(peer.addr)) == Some(host) {
            return;
        }
        self.part_with(who);
        self.peers.insert(who, Peer { addr, helps: None });
        self.parties.entry(host).or_default().connections += 1;
        self.gone.remove(&host);
    }

    /// A peer is gone. What its host has a part in is remembered as long as it is not verified.
    pub(super) fn part_with(&mut self, who: Who) {
        let Some(host) = self.peers.remove(&who).map(|peer| Host::of(peer.addr)) else {
            return;
        };
        if let Some(party) = self.parties.get_mut(&host) {
            party.connections = party.connections.saturating_sub(1);
            if party.connections == 0 {
                self.gone.insert(host);
            }
        }
        let over = |host: &Host| {
            let parts = self.parties.get(host).map(|party| party.parts.iter());
            !parts.is_some_and(|mut parts| parts.any(|&piece| self.is_unverified(piece)))
        };
        let over: Vec<Host> = self.gone.iter().copied().filter(over).collect();
        for host in over {
            self.gone.remove(&host);
            self.parties.remove(&host);
        }
    }

    /// A host has a part in a piece.
    pub(super) fn take_part(&mut self, addr: SocketAddr, piece: u32) {
        let host = Host::of(addr);
        let party = self.parties.entry(host).or_default();
        party.take_part(piece);
        if party.connections == 0 {
            self.gone.insert(host);
        }
    }

    fn party(&self, who: Who) -> Option<&Party> {
        let peer = self.peers.get(&who)?;
        self.parties.get(&Host::of(peer.addr))
    }

    /// Where a peer has a part in as many unverified pieces as it may: those. It goes on with them and its own, and nothing else.
    pub(super) fn confinement(&mut self, who: Who) -> Option<Vec<u32>> {
        let host = self.peers.get(&who).map(|peer| Host::of(peer.addr))?;
        let party = self.parties.get_mut(&host)?;
        if !party.may_be_confined() {
            return None;
        }
        let mut parts = std::mem::take(&mut party.parts);
        parts.retain(|&piece| self.is_unverified(piece));
        let party = self.parties.get_mut(&host)?;
        party.parts = parts;
        party.may_be_confined().then(|| party.parts.clone())
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

    /// Others go on with a piece that this peer owned: if it sent any of it, it has a part in it, or, if it has too many, its blocks are
    /// dropped.
    pub(super) fn expose(&mut self, owner: Who, piece: u32) {
        let Some(addr) = self.peers.get(&owner).map(|peer| peer.addr) else {
            return;
        };
        let confined = self.is_confined(owner) && !self.has_part(owner, piece);
        let sent = |progress: &&mut Progress| progress.is_from(addr);
        let Some(progress) = self.open.get_mut(&piece).filter(sent) else {
            return;
        };
        if !confined {
            self.take_part(addr, piece);
        } else if progress.strike(addr) {
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
        let part = self.has_part(who, piece);
        progress.solo || !part && self.is_shareable(piece) && self.is_confined(who)
    }

    /// Whether several peers can send it: not if it is a single block.
    pub(super) fn is_shareable(&self, piece: u32) -> bool {
        self.geometry.blocks(piece) > 1
    }

    fn has_part(&self, who: Who, piece: u32) -> bool {
        let party = self.party(who);
        party.is_some_and(|party| party.parts.contains(&piece))
    }

    /// Whether a peer has a part in as many unverified pieces as it may.
    fn is_confined(&self, who: Who) -> bool {
        let Some(party) = self.party(who).filter(|party| party.may_be_confined()) else {
            return false;
        };
        let parts = party.parts.iter();
        parts.filter(|&&piece| self.is_unverified(piece)).count() >= party.most()
    }

    /// Whether blocks of this piece wait to be verified, or were found wrong and the culprit is not known.
    fn is_unverified(&self, piece: u32) -> bool {
        self.open.contains_key(&piece) || self.suspects.contain(piece)
    }

    /// Whether some peer is given no new pieces because of this one.
    pub(super) fn confines(&self, piece: u32) -> bool {
        let mut parties = self.parties.values();
        parties.any(|party| party.may_be_confined() && party.parts.contains(&piece))
    }

    /// Asserts that hosts are counted as they are connected.
    pub(super) fn assert_parties(&self) {
        let connections = self.parties.values().map(|party| party.connections);
        assert_eq!(connections.sum::<usize>(), self.peers.len());
        for (host, party) in &self.parties {
            assert_eq!(self.gone.contains(host), party.connections == 0);
        }
    }
}
