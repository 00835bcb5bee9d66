//! Two connections to one peer. They come about since peers dial each other. One of the two must
//! end: the same one at both ends, and never one that has worked for long.
//!
//! A connection that has come up beside an older one ends, whichever side began it. Only where the
//! two crossed on the way (see [`limits::CROSSING`]) does neither end know which was first: there
//! the one that the smaller peer id began stays. A peer id is no secret, so it counts only if the
//! host is the same, too: otherwise a stranger could end a connection by using the peer id of its
//! other end.
//!
//! It is better not to begin a second connection than to end it, since some clients close both
//! then. A peer that dialed us does not say at which port it listens (BEP 3), but once it was
//! reached there, too, that is known, and the port is not dialed while the peer is connected.
//! Before that, an address of its host is not dialed either, unless the host has more addresses
//! than incoming connections: peers behind one router share an address, and one of those is not
//! connected yet.
//!
//! A peer that has several addresses, of both families for instance, is connected at each of them
//! if it lets us. If it does not, one of its addresses is enough: see `Twins::elsewhere`.

use std::net::{IpAddr, SocketAddr};

use slab::Slab;

use super::candidates::Candidates;
use super::lent;
use super::slot::{Ended, Member, Slot};
use super::torrent::Torrent;
use crate::base::{Duration, PeerId, PeerKey, SortedSet, Time, limits};
use crate::peer::{EndReason, Redial};

/// Bytes of a peer id that name the client and its version (BEP 20).
const CLIENT: usize = 8;

/// The connections of one torrent beside the addresses of its peers.
#[derive(Debug)]
pub struct Twins<'a> {
    slots: &'a mut Slab<Slot>,
    connections: &'a SortedSet<PeerKey>,
    candidates: &'a mut Candidates,
    ended: &'a mut Option<Box<Ended>>,
}

impl<'a> Twins<'a> {
    /// Those of this torrent.
    pub fn of(torrent: &'a mut Torrent, slots: &'a mut Slab<Slot>) -> Twins<'a> {
        Twins {
            slots,
            connections: &torrent.connections,
            candidates: &mut torrent.candidates,
            ended: &mut torrent.ended,
        }
    }

    /// Decides which of two connections to one peer ends, if the one under this key, which has just
    /// come up, is the second: it, by an error, or the older one, by its key. `ours`: our peer id.
    /// Connections in `closing` are about to end.
    ///
    /// # Errors
    /// The new one is to end.
    pub fn resolve(
        &mut self,
        key: PeerKey,
        (remote, ours): (PeerId, PeerId),
        closing: &[(PeerKey, EndReason)],
        now: Time,
    ) -> Result<Option<PeerKey>, EndReason> {
        let Some(twin) = self.twin(key, remote, closing) else {
            self.adopt(key, remote, now);
            return Ok(None);
        };
        let (new, old) = (&self.slots[key], &self.slots[twin]);
        let ours_stays = ours.0 < remote.0;
        let crossed = new.is_outbound() != old.is_outbound()
            && apart(new.since(), old.since()) <= limits::CROSSING;
        if crossed && new.is_outbound() == ours_stays {
            self.inherit(twin, key, now);
            Ok(Some(twin))
        } else {
            self.inherit(key, twin, now);
            Err(EndReason::Duplicate)
        }
    }

    /// Another connection to the peer of this one, which is not about to end.
    fn twin(
        &self,
        key: PeerKey,
        remote: PeerId,
        closing: &[(PeerKey, EndReason)],
    ) -> Option<PeerKey> {
        let host = host(&self.slots[key]);
        let mut twins = lent::greeted(self.slots, self.connections).filter(|&(other, member)| {
            other != key
                && member.remote == remote
                && member.peer.is_open()
                && member.peer.addr().ip().to_canonical() == host
                && closing.iter().all(|&(closing, _)| closing != other)
        });
        twins.next().map(|(twin, _)| twin)
    }

    /// Moves what is known of the peer's addresses to the connection that stays. One incoming
    /// connection less has an unknown listening address, so other addresses of its host may be
    /// dialed.
    fn inherit(&mut self, from: PeerKey, to: PeerKey, now: Time) {
        let listens_at = std::mem::take(&mut self.slots[from].listens_at);
        let slot = &mut self.slots[to];
        slot.listens_at.extend(listens_at);
        self.candidates.release(host(slot), now);
    }

    /// Withholds the addresses that are due and whose peers are probably connected.
    pub fn withhold_connected(&mut self, now: Time) {
        while let Some(addr) = self.candidates.peek(now) {
            if let Some(key) = self.connected_at(addr) {
                self.candidates.next(now);
                self.slots[key].listens_at.push(addr);
            } else if self.may_be_incoming(addr) {
                self.candidates.withhold(addr);
            } else {
                return;
            }
        }
    }

    /// The other connection of a peer that has just hung up on the one under this key, as
    /// libtorrent does on the older of two. Dialed again, it would hang up on the other one. A peer
    /// id alone proves nothing, so both must be connections that we began, and one of them must
    /// have come up within the last [`limits::CROSSING`].
    fn elsewhere(&self, key: PeerKey, remote: PeerId, now: Time) -> Option<PeerKey> {
        let over = &self.slots[key];
        let is_same = |&(other, member): &(PeerKey, &Member)| {
            let peer = &member.peer;
            let latest = peer.since().max(over.since());
            other != key
                && may_be_one((member.remote, peer.addr()), (remote, over.addr()))
                && peer.is_open()
                && peer.is_outbound()
                && now.since(latest) <= limits::CROSSING
        };
        let found = lent::greeted(self.slots, self.connections).find(is_same);
        found.filter(|_| over.is_outbound()).map(|(other, _)| other)
    }

    /// The same for a peer that hung up before it greeted us on the new connection, under this key:
    /// the address of the old one is no longer dialed.
    fn adopt(&mut self, key: PeerKey, remote: PeerId, now: Time) {
        let slot = &mut self.slots[key];
        let ended = self.ended.as_deref().filter(|ended| {
            let began = ended.outbound && slot.is_outbound();
            let new = (remote, slot.addr());
            let same = ended
                .remote
                .is_some_and(|old| may_be_one((old, ended.addr), new));
            began && same && now.since(ended.at) <= limits::CROSSING
        });
        if let Some(ended) = ended.filter(|ended| self.candidates.occupy(ended.addr)) {
            slot.listens_at.push(ended.addr);
        }
    }

    /// The connection whose other end is this very address, or has named it as its own.
    pub fn connected_at(&self, addr: SocketAddr) -> Option<PeerKey> {
        let at = |slot: &Slot| (host(slot), slot.addr().port());
        let named = |slot: &Slot| slot.member().and_then(Member::dialable_at);
        let mut slots =
            lent::slots(self.slots, self.connections).filter(|(_, slot)| !slot.is_closing());
        let is_there =
            |slot: &Slot| at(slot) == (addr.ip(), addr.port()) || named(slot) == Some(addr);
        let slot = slots.find(|(_, slot)| is_there(slot));
        slot.map(|(key, _)| key)
    }

    /// Whether a peer that dialed us may be the one that listens at this address.
    fn may_be_incoming(&self, addr: SocketAddr) -> bool {
        let nameless = |slot: &Slot| {
            let open = |member: &Member| member.peer.is_open();
            let dialed_us = !slot.is_outbound() && slot.member().is_some_and(open);
            dialed_us && slot.listens_at.is_empty() && host(slot) == addr.ip()
        };
        let slots = lent::slots(self.slots, self.connections);
        let incoming = slots.filter(|(_, slot)| nameless(slot)).count();
        incoming > 0 && self.candidates.may_be_incoming(addr, incoming)
    }

    /// Decides when the addresses of a peer are dialed again whose connection, or the attempt at
    /// one, is over. If a connection begun by us and one begun by a peer of the same host end at
    /// nearly the same time, each end may have closed another one, or the peer both: then we dial
    /// again soon.
    pub fn on_connection_over(
        &mut self,
        key: PeerKey,
        was_dialing: bool,
        reason: &EndReason,
        now: Time,
    ) {
        let hung_up = matches!(reason, EndReason::Closed | EndReason::Network(_));
        let remote = self.slots[key].member().map(|member| member.remote);
        let named = remote.filter(|_| hung_up);
        let elsewhere = named.and_then(|remote| self.elsewhere(key, remote, now));
        let slot = &mut self.slots[key];
        let listens_at = std::mem::take(&mut slot.listens_at);
        let (addr, outbound) = (slot.addr(), slot.is_outbound());
        let moved = |Member { peer, .. }: &Member| peer.down().total() + peer.up().total();
        let useful = slot.member().is_some_and(|member| moved(member) > 0);
        let ip = host(slot);
        if let Some(other) = elsewhere {
            self.slots[other].listens_at.extend(listens_at);
        } else {
            for addr in listens_at {
                self.remember(addr, reason, useful, now);
            }
        }
        let wait = match reason {
            EndReason::Stopping => Duration::ZERO,
            _ if useful && reason.is_loss() => limits::REDIAL_LOST,
            _ => limits::REDIAL,
        };
        self.candidates.release(ip, now + wait);
        if was_dialing || !(hung_up || *reason == EndReason::Duplicate) {
            return;
        }
        let last = self.ended.replace(Box::new(Ended {
            addr,
            // Only a peer that hung up itself may have chosen another connection.
            remote: named,
            outbound,
            at: now,
        }));
        let crossed = last.filter(|last| {
            let same = last.addr.ip().to_canonical() == ip;
            same && last.outbound != outbound && now.since(last.at) <= limits::CROSSING
        });
        if let Some(last) = crossed {
            let dialed = if outbound { addr } else { last.addr };
            self.candidates.on_crossed(dialed, now);
        }
    }

    fn remember(&mut self, addr: SocketAddr, reason: &EndReason, useful: bool, now: Time) {
        match reason.redial() {
            Redial::Never => self.candidates.refuse(addr, now),
            Redial::Later
                if matches!(
                    reason,
                    EndReason::Stopping
                        | EndReason::OtherForm(_)
                        | EndReason::OtherKeys
                        | EndReason::OtherWay(_)
                ) =>
            {
                self.candidates.on_left(addr, now);
            }
            Redial::Later if useful && reason.is_loss() => self.candidates.on_lost(addr, now),
            Redial::Later if useful => self.candidates.on_closed(addr, now),
            Redial::Later => self.candidates.on_failed(addr, now),
        }
    }
}

fn host(slot: &Slot) -> IpAddr {
    slot.addr().ip().to_canonical()
}

/// Whether two connections may lead to one peer at two of its addresses: under one peer id, or of
/// one client at one port, since libtorrent has another peer id on each connection.
fn may_be_one(one: (PeerId, SocketAddr), other: (PeerId, SocketAddr)) -> bool {
    let (id, other_id) = (one.0, other.0);
    let same_client = id.0.starts_with(&other_id.0[..CLIENT]);
    id == other_id || (same_client && one.1.port() == other.1.port())
}

fn apart(one: Time, other: Time) -> Duration {
    one.since(other).max(other.since(one))
}
