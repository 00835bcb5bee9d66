//! Which connection ends when all slots are taken and another peer could have one: an address that
//! we could dial, or a peer that dials us. Otherwise peers that connect and are of no use would
//! keep all slots for ever.
//!
//! First go peers that have not said a word for some seconds. Then, one at a time: a peer that is
//! interested, was unchoked and asked for nothing; a peer that has nothing for us and has been
//! idle; a peer that connected minutes ago and has transferred nothing at all; and at last, of a
//! host that has more slots than another would have, the connection that is of least use, so that
//! one host cannot take every slot. For an address to dial, the same holds for a torrent that has
//! more slots than the dialing one would have, so that one torrent cannot take every slot.
//!
//! A peer that dials us does not take the slot of one that is interested in what we have, as long
//! as that may just be waiting to be unchoked; nor the last slots while a download has an address
//! to dial. Otherwise a flood of incoming connections would leave us no peer that we chose.

use std::cmp::Reverse;
use std::net::SocketAddr;

use slab::Slab;

use crate::base::{Duration, Host, PeerKey, SortedMap, Time, TorrentKey, limits};
use crate::torrent::{Member, Slot};

/// While all slots are taken, connections of no use are looked for this often, since it takes a
/// pass over all slots.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// When connections may next be given up.
#[derive(Debug)]
pub struct Replacing {
    /// To make room for an address to dial.
    dial_at: Time,
    /// To make room for a peer that dials us.
    accept_at: Time,
}

impl Replacing {
    /// At once.
    pub fn new(now: Time) -> Replacing {
        Replacing {
            dial_at: now,
            accept_at: now,
        }
    }

    /// Whether connections may be given up for an address to dial.
    pub fn may_clear_to_dial(&self, now: Time) -> bool {
        self.dial_at <= now
    }

    /// The connections to end for this address of a torrent, to dial it. While there is nothing
    /// left to download peers that dial us matter more.
    pub fn clear_to_dial(
        &mut self,
        slots: &Slab<Slot>,
        (torrent, addr): (TorrentKey, SocketAddr),
        now: Time,
    ) -> Vec<PeerKey> {
        self.dial_at = now + LOOK_EVERY;
        let mut ending = to_end(slots, addr, now, |member| member.useful == 0);
        if ending.is_empty() {
            ending.extend(one_of_the_largest(slots, torrent, now));
        }
        ending
    }

    /// The connections to end for the peer at this address, which dials us.
    pub fn clear_to_accept(
        &mut self,
        slots: &Slab<Slot>,
        addr: SocketAddr,
        now: Time,
    ) -> Vec<PeerKey> {
        if self.accept_at > now {
            return Vec::new();
        }
        self.accept_at = now + LOOK_EVERY;
        to_end(slots, addr, now, |member| {
            member.useful == 0 && !member.peer.choke_state().peer_interested
        })
    }
}

/// The connections to end for the peer at this address; perhaps none.
fn to_end(
    slots: &Slab<Slot>,
    addr: SocketAddr,
    now: Time,
    is_useless: impl Fn(&Member) -> bool,
) -> Vec<PeerKey> {
    let silent = |slot: &Slot| slot.is_silent() && now.since(slot.since()) >= limits::WORDLESS;
    let age = |member: &Member| now.since(member.peer.since());
    let unused = |member: &Member| member.is_idle_unchoked(now) && !gives(member, now);
    let idle = |member: &Member| !is_moving(member, now) && age(member) >= limits::IDLE;
    let unproductive = |member: &Member| {
        let moved = member.peer.down().total() + member.peer.up().total() > 0;
        !moved && age(member) >= limits::BARREN
    };
    let oldest = |which: &dyn Fn(&Member) -> bool| {
        let members = slots.iter();
        let members = members.filter_map(|(key, slot)| slot.member().map(|member| (key, member)));
        let chosen = members.filter(|(_, member)| which(member));
        let oldest = chosen.min_by_key(|(_, member)| member.peer.since());
        oldest.map(|(key, _)| key)
    };
    let all = slots.iter().filter(|(_, slot)| silent(slot));
    let mut ending: Vec<PeerKey> = all.map(|(key, _)| key).collect();
    if ending.is_empty() {
        let one = oldest(&unused)
            .or_else(|| oldest(&|member| is_useless(member) && idle(member)))
            .or_else(|| oldest(&unproductive))
            .or_else(|| one_too_many(slots, Host::of(addr), now));
        ending.extend(one);
    }
    ending
}

/// Of the host with most slots, if the host `incoming` would still not have more with one of them:
/// the connection that transfers nothing, or else the youngest.
fn one_too_many(slots: &Slab<Slot>, incoming: Host, now: Time) -> Option<PeerKey> {
    let host = |slot: &Slot| Host::of(slot.addr());
    let mut counts: SortedMap<Host, usize> = SortedMap::new();
    for (_, slot) in slots {
        *counts.get_or_insert_with(host(slot), Default::default) += 1;
    }
    let its = counts.get(&incoming).copied().unwrap_or(0);
    let (crowd, most) = counts.into_iter().max_by_key(|&(_, count)| count)?;
    let crowd = slots.iter().filter(|(_, slot)| host(slot) == crowd);
    let key = crowd.min_by_key(|(_, slot)| least_use(slot, now));
    let key = key.map(|(key, _)| key);
    key.filter(|_| most >= its + 2)
}

/// Of the torrent with most slots, if the torrent `dialing` would still not have more with one of
/// them: the connection that transfers nothing, or else the youngest. One dial at a time, since a
/// dial may fail.
fn one_of_the_largest(slots: &Slab<Slot>, dialing: TorrentKey, now: Time) -> Option<PeerKey> {
    let mut counts: SortedMap<TorrentKey, usize> = SortedMap::new();
    for (_, slot) in slots {
        if let Some(torrent) = slot.torrent {
            *counts.get_or_insert_with(torrent, || 0) += 1;
        }
    }
    let its = counts.get(&dialing).copied().unwrap_or(0);
    let (largest, most) = counts.into_iter().max_by_key(|&(_, count)| count)?;
    let of = |torrent: TorrentKey| {
        let slots = slots.iter();
        slots.filter(move |(_, slot)| slot.torrent == Some(torrent))
    };
    let waits = of(dialing).any(|(_, slot)| slot.is_dialing());
    let key = of(largest).min_by_key(|(_, slot)| least_use(slot, now));
    key.map(|(key, _)| key)
        .filter(|_| most >= its + 2 && !waits)
}

/// Connections in the order in which they are given up: those that transfer nothing first, the
/// youngest first.
fn least_use(slot: &Slot, now: Time) -> (bool, Reverse<Time>) {
    let moves = |member| is_moving(member, now);
    let moving = slot.web().is_some() || slot.member().is_some_and(moves);
    (moving, Reverse(slot.since()))
}

fn is_moving(member: &Member, now: Time) -> bool {
    member.peer.down().rate(now) + member.peer.up().rate(now) > 0
}

/// Whether it has what we lack and lets us have it.
fn gives(member: &Member, now: Time) -> bool {
    let lets = !member.peer.choke_state().peer_choking && !member.peer.is_snubbing(now);
    member.useful > 0 && (lets || member.peer.down().rate(now) > 0)
}
