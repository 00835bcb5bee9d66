//! In how many unverified pieces blocks of one host are mixed with blocks of others.
//!
//! A liar that never finishes a piece alone cannot be caught by it: it spoils pieces that it shares
//! with others. So a host may have a part in only a few such pieces that are not verified yet, for
//! each of its connections. With as many as that, it goes on with them and with its own; others
//! keep away from its own; and what it leaves, or sends for others, beyond that is dropped. To an
//! honest peer this seldom happens: what is shared is mostly the end of a piece. Reconnecting does
//! not help a liar: a host keeps the parts that it had.
//!
//! The table knows which pieces are verified, and passes that as an argument, `unverified`.

use std::net::SocketAddr;

use crate::base::{Host, PeerKey, SortedMap, SortedSet, limits};

/// What is remembered of a peer between picks.
#[derive(Clone, Copy, Debug)]
struct Peer {
    /// Where its blocks come from.
    addr: SocketAddr,
    /// The piece of another owner that it helps with.
    helps: Option<u32>,
}

/// What is remembered of a host: as long as it is connected, and until all that it has a part in is
/// verified.
#[derive(Clone, Debug, Default)]
struct Party {
    /// Peers of it that we have asked for anything.
    connections: usize,
    /// Pieces that it sent blocks of while another owned them, or that it left, or that failed with
    /// its blocks. Verified ones are removed only when the number matters.
    parts: Vec<u32>,
}

impl Party {
    /// Pieces that it may have a part in.
    fn most(&self) -> usize {
        limits::SHARED_PARTS * self.connections.max(1)
    }

    /// Whether it has a part in as many pieces as it may, if none of them is verified.
    fn may_be_confined(&self) -> bool {
        self.parts.len() >= self.most()
    }
}

/// The peers that we asked for anything, and what their hosts have a part in.
#[derive(Clone, Debug, Default)]
pub(super) struct Sharing {
    peers: SortedMap<PeerKey, Peer>,
    parties: SortedMap<Host, Party>,
    /// Those of them that are not connected any more.
    gone: SortedSet<Host>,
}

impl Sharing {
    /// Where a peer's blocks come from.
    pub fn addr(&self, peer: PeerKey) -> Option<SocketAddr> {
        self.peers.get(&peer).map(|peer| peer.addr)
    }

    /// The piece of another owner that a peer helps with.
    pub fn helps(&self, peer: PeerKey) -> Option<u32> {
        self.peers.get(&peer).and_then(|peer| peer.helps)
    }

    /// A peer helps with this piece of another owner.
    pub fn set_helps(&mut self, peer: PeerKey, piece: u32) {
        if let Some(peer) = self.peers.get_mut(&peer) {
            peer.helps = Some(piece);
        }
    }

    /// A peer is about to be asked for something, or sent something, from there.
    pub fn meet(&mut self, peer: PeerKey, addr: SocketAddr, unverified: impl Fn(u32) -> bool) {
        let host = Host::of(addr);
        if self.addr(peer).map(Host::of) == Some(host) {
            return;
        }
        self.part_with(peer, unverified);
        self.peers.insert(peer, Peer { addr, helps: None });
        self.parties
            .get_or_insert_with(host, Default::default)
            .connections += 1;
        self.gone.remove(&host);
    }

    /// A peer is gone; true if it was ever asked for anything. What its host has a part in is
    /// remembered as long as it is not verified.
    pub fn part_with(&mut self, peer: PeerKey, unverified: impl Fn(u32) -> bool) -> bool {
        let Some(host) = self.peers.remove(&peer).map(|peer| Host::of(peer.addr)) else {
            return false;
        };
        if let Some(party) = self.parties.get_mut(&host) {
            party.connections = party.connections.saturating_sub(1);
            if party.connections == 0 {
                self.gone.insert(host);
            }
        }
        let over = |host: &Host| {
            let parts = self.parties.get(host).map(|party| party.parts.iter());
            !parts.is_some_and(|mut parts| parts.any(|&piece| unverified(piece)))
        };
        let over: Vec<Host> = self.gone.iter().copied().filter(over).collect();
        for host in over {
            self.gone.remove(&host);
            self.parties.remove(&host);
        }
        true
    }

    /// A host has a part in a piece.
    pub fn take_part(&mut self, addr: SocketAddr, piece: u32) {
        let host = Host::of(addr);
        let party = self.parties.get_or_insert_with(host, Default::default);
        if !party.parts.contains(&piece) {
            party.parts.push(piece);
        }
        if party.connections == 0 {
            self.gone.insert(host);
        }
    }

    /// Whether a peer has a part in this piece.
    pub fn has_part(&self, peer: PeerKey, piece: u32) -> bool {
        let party = self.party(peer);
        party.is_some_and(|party| party.parts.contains(&piece))
    }

    /// Whether a peer has a part in as many unverified pieces as it may.
    pub fn is_confined(&self, peer: PeerKey, unverified: impl Fn(u32) -> bool) -> bool {
        let Some(party) = self.party(peer).filter(|party| party.may_be_confined()) else {
            return false;
        };
        let parts = party.parts.iter();
        parts.filter(|&&piece| unverified(piece)).count() >= party.most()
    }

    /// The pieces that a confined peer has a part in; `None` if it may have a part in more. A
    /// confined peer goes on with these and its own, and nothing else.
    pub fn confinement(
        &mut self,
        peer: PeerKey,
        unverified: impl Fn(u32) -> bool,
    ) -> Option<Vec<u32>> {
        let host = Host::of(self.addr(peer)?);
        let party = self.parties.get_mut(&host)?;
        if party.may_be_confined() {
            party.parts.retain(|&piece| unverified(piece));
        }
        party.may_be_confined().then(|| party.parts.clone())
    }

    /// Whether some peer is given no new pieces because of this one.
    pub fn confines(&self, piece: u32) -> bool {
        let mut parties = self.parties.values();
        parties.any(|party| party.may_be_confined() && party.parts.contains(&piece))
    }

    fn party(&self, peer: PeerKey) -> Option<&Party> {
        self.parties.get(&Host::of(self.addr(peer)?))
    }

    /// Asserts that hosts are counted as they are connected.
    pub fn assert_invariants(&self) {
        let connections = self.parties.values().map(|party| party.connections);
        assert_eq!(connections.sum::<usize>(), self.peers.len());
        for (host, party) in &self.parties {
            assert_eq!(self.gone.contains(host), party.connections == 0);
        }
    }
}
