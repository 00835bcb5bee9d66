//! What is true of a session whenever it was planned for and its effects were performed, before
//! anything else happens: what is counted is what is there, what the piece tables list as requested
//! is what the connections have in flight, and bounds hold.

use slab::Slab;

use super::budget::Connections;
use super::fair_shares::FairShares;
use crate::base::limits;
use crate::peer::{Local, Peer};
use crate::pieces::Pieces;
use crate::torrent::{Member, Slot, Torrent, Us, lent};
use crate::wire::message::frame_len;

/// Asserts it of all connections.
pub fn check_slots(slots: &Slab<Slot>, connections: &Connections, max_peers: usize) {
    let dialing = slots.iter().filter(|(_, slot)| slot.is_dialing()).count();
    assert_eq!(connections.half_open(), dialing);
    assert!(dialing <= limits::HALF_OPEN);
    assert_eq!(connections.open(), slots.len());
    assert!(slots.len() <= max_peers);
    for (key, slot) in slots {
        assert!(!slot.is_closing(), "slot {key} is over and not free");
    }
}

/// Asserts it of the peers that wait for a limit.
pub fn check_queues(of_limits: [&FairShares; 2], slots: &Slab<Slot>) {
    for queue in of_limits {
        queue.assert_invariants(|torrent, key| {
            let sender = slots.get(key).and_then(Slot::sender);
            sender.is_some_and(|(own, _)| own == torrent)
        });
    }
}

/// Asserts it of a torrent.
pub fn check_torrent(torrent: &Torrent, slots: &Slab<Slot>, us: &Us) {
    let pieces = torrent.awake.as_ref().map(|awake| &awake.pieces);
    pieces.into_iter().for_each(Pieces::assert_invariants);
    assert!(torrent.counts_agree(slots));
    assert!(torrent.candidates.waiting() <= limits::CANDIDATES);
    let members = || lent::greeted(slots, &torrent.connections);
    let requests = pieces.map(|pieces| pieces.requests());
    let mut marked: Vec<_> = requests.into_iter().flatten().collect();
    let requested = |(key, member): (usize, &Member)| -> Vec<_> {
        let blocks = member.peer.requested();
        blocks.map(|block| (key, block)).collect()
    };
    let mut in_flight: Vec<_> = members().flat_map(requested).collect();
    for (key, slot) in lent::slots(slots, &torrent.connections) {
        let owed = slot.web().into_iter().flat_map(|pull| pull.wanted.blocks());
        in_flight.extend(owed.map(|block| (key, block)));
    }
    marked.sort_unstable();
    in_flight.sort_unstable();
    assert_eq!(marked, in_flight, "requests, in the table and in flight");
    for (_, member) in members() {
        check_bounds(&member.peer, &torrent.order.local(us));
    }
}

fn check_bounds(peer: &Peer, local: &Local) {
    let frame = peer.frame_limits().longest();
    assert!(peer.unparsed().len() < frame || frame_len(peer.unparsed()).is_none());
    assert!(peer.in_flight() <= limits::DEPTH_MOST);
    assert!(peer.uploads_waiting() <= limits::QUEUED_UPLOADS);
    // The last message may pass the bound before the connection is looked at.
    assert!(peer.unsent() <= local.unsent + frame);
}
