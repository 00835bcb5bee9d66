//! Who gives up its place when all are taken and somebody else could have it: an address that we could call, or one that calls us.
//! Strangers who connect and are of no use would hold all places for ever otherwise.
//!
//! First go those who have not said a word for some seconds. Then, one at a time, who has nothing for us and has been idle, and at last
//! who promises much and has given and taken nothing for minutes. Whoever calls us does not take the place of one that is interested in
//! what we have, as long as that may just be waiting for its turn; nor the last places, while we have somebody to call: or a flood of
//! callers would leave us with nobody that we chose.

use super::session::Session;
use super::slot::Slot;
use crate::base::limits;
use crate::base::time::{Duration, Now};
use crate::peer::fault::Fault;
use crate::peer::phase::Phase;

/// With all places taken, those of no use are looked for this often: that is a look at all connections.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Session {
    /// With all places taken, makes room for an address that is to be called. While there is nothing left to download those who call us
    /// matter more.
    pub(super) fn make_room_to_call(&mut self, now: Now) {
        if !self.dials.may_accept() && self.room_at <= now && self.is_to_call(now) {
            self.room_at = now + LOOK_EVERY;
            self.give_way(now, |slot| slot.useful == 0);
        }
    }

    /// Whether there is a place for somebody who calls us; with all taken, after making room.
    pub(super) fn has_room_for_caller(&mut self, now: Now) -> bool {
        if !self.dials.may_accept() && self.door_at <= now {
            self.door_at = now + LOOK_EVERY;
            self.give_way(now, |slot| {
                slot.useful == 0 && !slot.peer.choke_state().peer_interested
            });
        }
        let kept = match self.is_to_call(now) {
            true => self.config.max_peers / limits::KEPT_TO_CALL,
            false => 0,
        };
        self.dials.free() > kept
    }

    /// Whether there is an address to call, and something that it could give us.
    fn is_to_call(&self, now: Now) -> bool {
        let due = self.torrent.candidates.next_deadline();
        due.is_some_and(|at| at <= now) && self.complete_at.is_none()
    }

    fn give_way(&mut self, now: Now, is_useless: impl Fn(&Slot) -> bool) {
        let age = |slot: &Slot| now.since(slot.peer.since());
        let wordless = |slot: &Slot| {
            let silent = matches!(slot.peer.phase(), Phase::Greeting | Phase::Opening);
            silent && age(slot) >= limits::WORDLESS
        };
        let idle = |slot: &Slot| {
            let moving = slot.peer.down().rate(now) + slot.peer.up().rate(now) > 0;
            !moving && age(slot) >= limits::IDLE
        };
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
            let one = oldest(&|slot| is_useless(slot) && idle(slot)).or_else(|| oldest(&barren));
            leaving.extend(one);
        }
        for key in leaving {
            self.hang_up(key, Fault::Replaced, now);
        }
    }
}
