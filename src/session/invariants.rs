//! What is true of a session whenever [`Session::plan`] was called and its effects were performed,
//! before anything else happens. Tests and simulations ask for it.

use std::net::SocketAddr;

use super::session::Session;
use crate::base::limits;
use crate::peer::peer::Peer;
use crate::peer::phase::Phase;
use crate::pieces::Pieces;
use crate::wire::message::frame_len;

impl Session {
    /// Asserts that what is counted is what is there, that what the piece table holds for requested
    /// is what the connections have in flight, and that bounds hold. Costs a pass over all pieces
    /// and all connections.
    pub fn assert_invariants(&self) {
        self.torrent.pieces.assert_invariants();
        assert!(self.counts_agree());
        let mut marked: Vec<_> = self.torrent.pieces.requests().collect();
        let mut in_flight: Vec<_> = self
            .slots
            .iter()
            .flat_map(|(key, slot)| slot.peer.requested().map(move |block| (key, block)))
            .collect();
        marked.sort_unstable();
        in_flight.sort_unstable();
        assert_eq!(marked, in_flight, "requests, in the table and in flight");
        let dialing = |peer: &Peer| *peer.phase() == Phase::Dialing;
        let dialing = self.slots.iter().filter(|(_, slot)| dialing(&slot.peer));
        let dialing = dialing.count();
        assert_eq!(self.dials.half_open(), dialing);
        assert!(dialing <= limits::HALF_OPEN);
        assert_eq!(self.dials.open(), self.slots.len());
        assert!(self.slots.len() <= self.config.max_peers);
        assert!(self.torrent.candidates.len() <= limits::CANDIDATES);
        for (key, slot) in &self.slots {
            assert!(!slot.peer.is_closing(), "slot {key} is over and not free");
            self.assert_bounds(&slot.peer);
        }
    }

    /// The piece table, to look at.
    pub fn pieces(&self) -> &Pieces {
        &self.torrent.pieces
    }

    /// How many connections there are, those being made included.
    pub fn connections(&self) -> usize {
        self.slots.len()
    }

    /// The addresses that are banned.
    pub fn banned(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.torrent.candidates.banned()
    }

    fn assert_bounds(&self, peer: &Peer) {
        let bitfield = self.local.geometry.pieces().div_ceil(8) as usize + 1;
        let frame = bitfield.max(limits::BLOCK_FRAME) + 4;
        assert!(peer.cut().len() < frame || frame_len(peer.cut()).is_none());
        assert!(peer.in_flight() <= limits::DEPTH_MOST);
        assert!(peer.uploads_waiting() <= limits::QUEUED_UPLOADS);
        // The last message may pass the bound before the connection is looked at.
        assert!(peer.unsent() <= self.local.unsent + frame);
    }
}
