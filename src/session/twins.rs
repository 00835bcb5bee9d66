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

use std::net::{IpAddr, SocketAddr};

use super::session::Session;
use super::slot::{Ended, Slot};
use crate::base::id::PeerId;
use crate::base::limits;
use crate::base::time::{Duration, Now};
use crate::peer::fault::{Fault, Redial};

impl Session {
    /// Ends the new connection under this key, by an error, or an older one to the same peer.
    pub(super) fn resolve_duplicate(
        &mut self,
        key: usize,
        remote: PeerId,
        now: Now,
    ) -> Result<(), Fault> {
        let Some(twin) = self.twin(key, remote) else {
            return Ok(());
        };
        let (new, old) = (&self.slots[key].peer, &self.slots[twin].peer);
        let ours_stays = self.local.peer_id.0 < remote.0;
        let crossed = new.is_outbound() != old.is_outbound()
            && apart(new.since(), old.since()) <= limits::CROSSING;
        if crossed && new.is_outbound() == ours_stays {
            self.inherit(twin, key, now);
            self.agenda.closing.push((twin, Fault::Duplicate));
            Ok(())
        } else {
            self.inherit(key, twin, now);
            Err(Fault::Duplicate)
        }
    }

    /// Another connection to the peer of this one, which is not about to end.
    fn twin(&self, key: usize, remote: PeerId) -> Option<usize> {
        let host = host(&self.slots[key]);
        let mut twins = self.slots.iter().filter(|&(other, slot)| {
            other != key
                && slot.remote == Some(remote)
                && slot.peer.is_open()
                && self::host(slot) == host
                && self
                    .agenda
                    .closing
                    .iter()
                    .all(|&(closing, _)| closing != other)
        });
        twins.next().map(|(twin, _)| twin)
    }

    /// What is known of the addresses of a connection's peer is known of the one that stays. With
    /// one caller less whose address is not known, others of its host may be dialed.
    fn inherit(&mut self, from: usize, to: usize, now: Now) {
        let listens_at = std::mem::take(&mut self.slots[from].listens_at);
        let slot = &mut self.slots[to];
        slot.listens_at.extend(listens_at);
        self.torrent.candidates.release(host(slot), now);
    }

    /// Holds back the addresses that are due and whose peers are connected, for all we know.
    pub(super) fn hold_connected(&mut self, now: Now) {
        while let Some(addr) = self.torrent.candidates.peek(now) {
            if let Some(key) = self.connected_at(addr) {
                self.torrent.candidates.next(now);
                self.slots[key].listens_at.push(addr);
            } else if self.may_be_caller(addr) {
                self.torrent.candidates.hold(addr);
            } else {
                return;
            }
        }
    }

    /// The connection whose other end is this very address.
    fn connected_at(&self, addr: SocketAddr) -> Option<usize> {
        let at = |slot: &Slot| (host(slot), slot.peer.addr().port());
        let mut slots = self
            .slots
            .iter()
            .filter(|(_, slot)| !slot.peer.is_closing());
        let slot = slots.find(|(_, slot)| at(slot) == (addr.ip(), addr.port()));
        slot.map(|(key, _)| key)
    }

    /// Whether a peer that dialed us may be the one that listens at this address.
    fn may_be_caller(&self, addr: SocketAddr) -> bool {
        let nameless = |slot: &Slot| {
            let dialed_us = !slot.peer.is_outbound() && slot.remote.is_some();
            dialed_us && slot.listens_at.is_empty() && host(slot) == addr.ip()
        };
        let callers = self.slots.iter().filter(|(_, slot)| nameless(slot)).count();
        callers > 0 && self.torrent.candidates.may_be_caller(addr, callers)
    }

    /// Decides when the addresses of a peer are dialed again whose connection, or the attempt at
    /// one, is over. If a connection begun by us and one begun by a peer of the same host end at
    /// nearly the same time, each end may have closed another one, or the peer both: then we dial
    /// again soon.
    pub(super) fn on_connection_over(
        &mut self,
        key: usize,
        was_dialing: bool,
        fault: &Fault,
        now: Now,
    ) {
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
        self.torrent.candidates.release(ip, now + wait);
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
            self.torrent.candidates.on_crossed(dialed, now);
        }
    }

    fn remember(&mut self, addr: SocketAddr, fault: &Fault, useful: bool, now: Now) {
        let candidates = &mut self.torrent.candidates;
        match fault.redial() {
            Redial::Never => candidates.refuse(addr, now),
            Redial::Later if useful && fault.is_loss() => candidates.on_lost(addr, now),
            Redial::Later if useful => candidates.on_closed(addr, now),
            Redial::Later => candidates.on_failed(addr, now),
        }
    }
}

fn host(slot: &Slot) -> IpAddr {
    slot.peer.addr().ip().to_canonical()
}

fn apart(one: Now, other: Now) -> Duration {
    one.since(other).max(other.since(one))
}
