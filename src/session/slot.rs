//! A connection's place, and the deadlines of all places. A slot's key is also its socket's.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::base::id::PeerId;
use crate::base::time::Now;
use crate::peer::peer::Peer;

/// One connection and what the session keeps beside it.
#[derive(Debug)]
pub struct Slot {
    /// The protocol machine.
    pub peer: Peer,
    /// Its name, once it greeted us.
    pub remote: Option<PeerId>,
    /// Pieces it has that we need: we are interested while there are any.
    pub useful: u32,
    /// It could take more requests than there was to ask.
    pub hungry: bool,
    /// It is on the list of those to plan for.
    pub touched: bool,
    /// It is on the list of those to write to.
    pub unflushed: bool,
    armed: Option<Now>,
}

impl Slot {
    /// A place for this connection.
    pub fn new(peer: Peer) -> Slot {
        Slot {
            peer,
            remote: None,
            useful: 0,
            hungry: false,
            touched: false,
            unflushed: false,
            armed: None,
        }
    }
}

/// Deadlines by slot, soonest first. An entry is only a reminder to look: most deadlines move away before they come, so a slot is
/// armed anew when its reminder comes up, not each time the deadline moves.
#[derive(Debug, Default)]
pub struct Timers(BinaryHeap<Reverse<(Now, usize)>>);

impl Timers {
    /// Sees to it that the slot is looked at by `at`.
    pub fn arm(&mut self, key: usize, slot: &mut Slot, at: Option<Now>) {
        let Some(at) = at else { return };
        if slot.armed.is_none_or(|armed| at < armed) {
            slot.armed = Some(at);
            self.0.push(Reverse((at, key)));
        }
    }

    /// The next slot whose reminder has come up. The slot may be another one by now, or none.
    pub fn next_due(&mut self, now: Now) -> Option<(Now, usize)> {
        let &Reverse((at, _)) = self.0.peek()?;
        if at > now {
            return None;
        }
        self.0.pop().map(|Reverse(entry)| entry)
    }

    /// Whether a reminder is this slot's own; then it is not armed any more.
    pub fn disarm(slot: &mut Slot, at: Now) -> bool {
        let own = slot.armed == Some(at);
        if own {
            slot.armed = None;
        }
        own
    }

    /// When the next reminder comes up.
    pub fn next_deadline(&self) -> Option<Now> {
        self.0.peek().map(|&Reverse((at, _))| at)
    }
}
