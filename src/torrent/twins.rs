//! Two connections to one peer. Peers dial each other, so it happens, and one of the two must end:
//! the same one at both ends, and never the one that has worked for long.
//!
//! A connection that has come up beside an older one ends, whichever side began it. Only where the
//! two crossed on the way (see [`limits::CROSSING`]) does neither end know which was first: there
//! the one that the smaller peer id began stays. A peer id is no secret, so it counts only if the
//! host is the same, too: else a stranger who borrows an id could end the connection to its owner.
//!
//! Better than to end a second connection is not to begin it, since some clients close both then. A
//! peer that dialed us does not say at which port it listens (BEP 3), but once it was reached
//! there, too, that is known, and the port is not dialed while the peer is connected. Before that,
//! an address of its host is not dialed either, unless the host has more addresses than callers:
//! peers behind one router share an address, and one of those is not connected yet.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use slab::Slab;

use super::candidates::Candidates;
use super::members;
use super::slot::{Ended, Slot};
use super::torrent::Torrent;
use crate::base::id::PeerId;
use crate::base::key::PeerKey;
use crate::base::limits;
use crate::base::time::{Duration, Now};
use crate::peer::fault::{Fault, Redial};

/// The connections of one torrent beside the addresses of its peers.
#[derive(Debug)]
pub struct Twins<'a> {
    slots: &'a mut Slab<Slot>,
    members: &'a BTreeSet<PeerKey>,
    candidates: &'a mut Candidates,
    ended: &'a mut Option<Ended>,
}

impl<'a> Twins<'a> {
    /// Those of this torrent.
    pub fn of(torrent: &'a mut Torrent, slots: &'a mut Slab<Slot>) -> Twins<'a> {
        Twins {
            slots,
            members: &torrent.members,
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
        closing: &[(PeerKey, Fault)],
        now: Now,
    ) -> Result<Option<PeerKey>, Fault> {
        let Some(twin) = self.twin(key, remote, closing) else {
            return Ok(None);
        };
        let (new, old) = (&self.slots[key].peer, &self.slots[twin].peer);
        let ours_stays = ours.0 < remote.0;
        let crossed = new.is_outbound() != old.is_outbound()
            && apart(new.since(), old.since()) <= limits::CROSSING;
        if crossed && new.is_outbound() == ours_stays {
            self.inherit(twin, key, now);
            Ok(Some(twin))
        } else {
            self.inherit(key, twin, now);
            Err(Fault::Duplicate)
        }
    }

    /// Another connection to the peer of this one, which is not about to end.
    fn twin(&self, key: PeerKey, remote: PeerId, closing: &[(PeerKey, Fault)]) -> Option<PeerKey> {
        let host = host(&self.slots[key]);
        let mut twins = members::slots(self.slots, self.members).filter(|&(other, slot)| {
            other != key
                && slot.remote == Some(remote)
                && slot.peer.is_open()
                && self::host(slot) == host
                && closing.iter().all(|&(closing, _)| closing != other)
        });
        twins.next().map(|(twin, _)| twin)
    }

    /// What is known of the addresses of a connection's peer is known of the one that stays. With
    /// one caller less whose address is not known, others of its host may be dialed.
    fn inherit(&mut self, from: PeerKey, to: PeerKey, now: Now) {
        let listens_at = std::mem::take(&mut self.slots[from].listens_at);
        let slot = &mut self.slots[to];
        slot.listens_at.extend(listens_at);
        self.candidates.release(host(slot), now);
    }

    /// Holds back the addresses that are due and whose peers are connected, for all we know.
    pub fn hold_connected(&mut self, now: Now) {
        while let Some(addr) = self.candidates.peek(now) {
            if let Some(key) = self.connected_at(addr) {
                self.candidates.next(now);
                self.slots[key].listens_at.push(addr);
            } else if self.may_be_caller(addr) {
                self.candidates.hold(addr);
            } else {
                return;
            }
        }
    }

    /// The connection whose other end is this very address.
    fn connected_at(&self, addr: SocketAddr) -> Option<PeerKey> {
        let at = |slot: &Slot| (host(slot), slot.peer.addr().port());
        let mut slots =
            members::slots(self.slots, self.members).filter(|(_, slot)| !slot.peer.is_closing());
        let slot = slots.find(|(_, slot)| at(slot) == (addr.ip(), addr.port()));
        slot.map(|(key, _)| key)
    }

    /// Whether a peer that dialed us may be the one that listens at this address.
    fn may_be_caller(&self, addr: SocketAddr) -> bool {
        let nameless = |slot: &Slot| {
            let dialed_us = !slot.peer.is_outbound() && slot.remote.is_some();
            dialed_us && slot.listens_at.is_empty() && host(slot) == addr.ip()
        };
        let slots = members::slots(self.slots, self.members);
        let callers = slots.filter(|(_, slot)| nameless(slot)).count();
        callers > 0 && self.candidates.may_be_caller(addr, callers)
    }

    /// Decides when the addresses of a peer are dialed again whose connection, or the attempt at
    /// one, is over. If a connection begun by us and one begun by a peer of the same host end at
    /// nearly the same time, each end may have closed another one, or the peer both: then we dial
    /// again soon.
    pub fn on_connection_over(&mut self, key: PeerKey, was_dialing: bool, fault: &Fault, now: Now) {
        let slot = &mut self.slots[key];
        let listens_at = std::mem::take(&mut slot.listens_at);
        let (addr, outbound) = (slot.peer.addr(), slot.peer.is_outbound());
        let useful = slot.peer.down().total() > 0 || slot.peer.up().total() > 0;
        let ip = host(slot);
        for addr in listens_at {
            self.remember(addr, fault, useful, now);
        }
        let wait = if useful && fault.is_loss() {
            limits::REDIAL_LOST
        } else {
            limits::REDIAL
        };
        self.candidates.release(ip, now + wait);
        let by_other = matches!(fault, Fault::Duplicate | Fault::Closed | Fault::Network(_));
        if was_dialing || !by_other {
            return;
        }
        let at = now;
        let last = self.ended.replace(Ended { addr, outbound, at });
        let crossed = last.filter(|last| {
            let same = last.addr.ip().to_canonical() == ip;
            same && last.outbound != outbound && now.since(last.at) <= limits::CROSSING
        });
        if let Some(last) = crossed {
            let dialed = if outbound { addr } else { last.addr };
            self.candidates.on_crossed(dialed, now);
        }
    }

    fn remember(&mut self, addr: SocketAddr, fault: &Fault, useful: bool, now: Now) {
        match fault.redial() {
            Redial::Never => self.candidates.refuse(addr, now),
            Redial::Later if useful && fault.is_loss() => self.candidates.on_lost(addr, now),
            Redial::Later if useful => self.candidates.on_closed(addr, now),
            Redial::Later => self.candidates.on_failed(addr, now),
        }
    }
}

fn host(slot: &Slot) -> IpAddr {
    slot.peer.addr().ip().to_canonical()
}

fn apart(one: Now, other: Now) -> Duration {
    one.since(other).max(other.since(one))
}
