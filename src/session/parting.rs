//! A peer of a torrent disconnects: what it owes and what it was owed goes back; and a host that
//! sent bad data is left and not dialed any more.

use std::net::SocketAddr;

use super::session::Session;
use crate::base::{Host, PeerKey, Time, plain};
use crate::peer::EndReason;
use crate::torrent::Slot;

/// A torrent's peer is gone: what was asked of it may be asked of others.
pub(super) fn part_with_peer(session: &mut Session, key: PeerKey, reason: &EndReason, now: Time) {
    let Some((left, member)) = session.slots.get_mut(key).and_then(Slot::peer_of_mut) else {
        return;
    };
    session.impatient.note(&member.peer, reason, now);
    let blocks = member.peer.close(reason.clone());
    let torrent = &mut session.torrents[left];
    torrent.census.recount(member);
    torrent.awake_mut().exchange.on_gone(member, now);
    let holdings = member.peer.holdings();
    torrent.awake_mut().pieces.left_swarm(holdings);
    if let Some(fetch) = &mut torrent.awake_mut().fetch {
        fetch.on_gone(key);
    }
    session.give_back(key, &blocks);
    session.torrents[left].awake_mut().pieces.forget(key);
    session.down.queue.forget(left, key);
    session.up.queue.forget(left, key);
}

/// The peers of this host sent bad data.
pub(super) fn ban(session: &mut Session, addr: SocketAddr, now: Time) {
    let host = Host::of(addr);
    session.bans.add(plain(addr));
    for torrent in session.torrents.iter_mut() {
        torrent.candidates.forget_host(host);
    }
    let guilty = |slot: &Slot| Host::of(slot.addr()) == host && slot.web().is_none();
    let guilty = session.slots.iter().filter(|(_, slot)| guilty(slot));
    let keys: Vec<PeerKey> = guilty.map(|(key, _)| key).collect();
    for key in keys {
        session.hang_up(key, EndReason::Poisoner, now);
    }
}
