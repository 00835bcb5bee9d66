//! Who gives up its place when all are taken and somebody else could have it: an address that we
//! could call, or one that calls us. Strangers who connect and are of no use would hold all places
//! for ever otherwise.
//!
//! First go those who have not said a word for some seconds. Then, one at a time: who says that it
//! wants something, was let and asked for nothing; who has nothing for us and has been idle; who
//! promises much and has given and taken nothing for minutes; and at last, of a host that has more
//! places than another would have, the connection that is of least use: what one host can have of
//! us is not all.
//!
//! Whoever calls us does not take the place of one that is interested in what we have, as long as
//! that may just be waiting for its turn; nor the last places, while we have somebody to call: or a
//! flood of callers would leave us with nobody that we chose.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::session::Session;
use super::slot::Slot;
use crate::base::host::Host;
use crate::base::limits;
use crate::base::time::{Duration, Now};
use crate::peer::fault::Fault;
use crate::peer::phase::Phase;

/// With all places taken, those of no use are looked for this often: that is a look at all
/// connections.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Session {
    /// With all places taken, makes room for an address that is to be called. While there is
    /// nothing left to download those who call us matter more.
    pub(super) fn make_room_to_call(&mut self, now: Now) {
        if self.dials.may_accept() || self.room_at > now {
            return;
        }
        self.hold_connected(now);
        if let Some(addr) = self.to_call(now) {
            self.room_at = now + LOOK_EVERY;
            self.give_way(addr, now, |slot| slot.useful == 0);
        }
    }

    /// Whether there is a place for somebody who calls us; with all taken, after making room.
    pub(super) fn has_room_for_caller(&mut self, addr: SocketAddr, now: Now) -> bool {
        if !self.dials.may_accept() && self.door_at <= now {
            self.door_at = now + LOOK_EVERY;
            self.give_way(addr, now, |slot| {
                slot.useful == 0 && !slot.peer.choke_state().peer_interested
            });
        }
        let kept = match self.to_call(now) {
            Some(_) => self.config.max_peers / limits::KEPT_TO_CALL,
            None => 0,
        };
        self.dials.free() > kept
    }

    /// The address to call, if there is one and something that it could give us.
    fn to_call(&self, now: Now) -> Option<SocketAddr> {
        let next = self.torrent.candidates.peek(now);
        next.filter(|_| self.complete_at.is_none())
    }

    /// Somebody leaves, if anybody should, so that there is room for who is at this address.
    fn give_way(&mut self, addr: SocketAddr, now: Now, is_useless: impl Fn(&Slot) -> bool) {
        let age = |slot: &Slot| now.since(slot.peer.since());
        let wordless = |slot: &Slot| {
            let silent = matches!(slot.peer.phase(), Phase::Greeting | Phase::Opening);
            silent && age(slot) >= limits::WORDLESS
        };
        let unused = |slot: &Slot| slot.is_wasteful(now) && !gives(slot, now);
        let idle = |slot: &Slot| !is_moving(slot, now) && age(slot) >= limits::IDLE;
        let barren = |slot: &Slot| {
            let moved = slot.peer.down().total() + slot.peer.up().total() > 0;
            !moved && age(slot) >= limits::BARREN
        };
        let oldest = |which: &dyn Fn(&Slot) -> bool| {
            let slots = self.slots.iter().filter(|(_, slot)| which(slot));
            let oldest = slots.min_by_key(|(_, slot)| slot.peer.since());
            oldest.map(|(key, _)| key)
        };
        let silent = self.slots.iter().filter(|(_, slot)| wordless(slot));
        let mut leaving: Vec<usize> = silent.map(|(key, _)| key).collect();
        if leaving.is_empty() {
            let one = oldest(&unused)
                .or_else(|| oldest(&|slot| is_useless(slot) && idle(slot)))
                .or_else(|| oldest(&barren))
                .or_else(|| self.one_too_many(Host::of(addr), now));
            leaving.extend(one);
        }
        for key in leaving {
            self.hang_up(key, Fault::Replaced, now);
        }
    }

    /// Of the host with most places, if another that calls would still not have more with one of
    /// them: the connection that moves nothing, or else the youngest.
    fn one_too_many(&self, caller: Host, now: Now) -> Option<usize> {
        let host = |slot: &Slot| Host::of(slot.peer.addr());
        let mut places: BTreeMap<Host, usize> = BTreeMap::new();
        for (_, slot) in &self.slots {
            *places.entry(host(slot)).or_default() += 1;
        }
        let its = places.get(&caller).copied().unwrap_or(0);
        let (crowd, most) = places.into_iter().max_by_key(|&(_, count)| count)?;
        let least = |(_, slot): &(usize, &Slot)| (is_moving(slot, now), Reverse(slot.peer.since()));
        let crowd = self.slots.iter().filter(|(_, slot)| host(slot) == crowd);
        let key = crowd.min_by_key(least).map(|(key, _)| key);
        key.filter(|_| most >= its + 2)
    }
}

fn is_moving(slot: &Slot, now: Now) -> bool {
    slot.peer.down().rate(now) + slot.peer.up().rate(now) > 0
}

/// Whether it has what we lack and lets us have it.
fn gives(slot: &Slot, now: Now) -> bool {
    let lets = !slot.peer.choke_state().peer_choking && !slot.peer.is_snubbing(now);
    slot.useful > 0 && (lets || slot.peer.down().rate(now) > 0)
}
