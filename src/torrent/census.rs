//! How many of a torrent's connections are open, active, interested and served. The numbers are
//! updated as connections change, since a turn asks for them and must not cost a pass over all
//! connections.

use super::slot::{Counted, Member};
use crate::base::PeerKey;

/// The numbers of all connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Census {
    /// Both ends have greeted each other.
    pub open: usize,
    /// They owe us blocks.
    pub active: usize,
    /// They want something of us.
    pub interested: usize,
    /// They want something of us and may ask for it.
    pub served: usize,
}

impl Census {
    /// Counts a connection anew. To be called after each change of its machine, and before its slot
    /// goes to another.
    pub fn recount(&mut self, member: &mut Member) {
        let now = Counted::of(&member.peer);
        let before = std::mem::replace(&mut member.counted, now);
        if now != before {
            self.add(now);
            self.open -= usize::from(before.open);
            self.active -= usize::from(before.active);
            self.interested -= usize::from(before.interested);
            self.served -= usize::from(before.served);
        }
    }

    /// The numbers, counted one by one: what the others must agree with.
    pub fn of<'a>(members: impl Iterator<Item = (PeerKey, &'a Member)>) -> Census {
        let mut census = Census::default();
        for (_, member) in members {
            census.add(Counted::of(&member.peer));
        }
        census
    }

    fn add(&mut self, standing: Counted) {
        self.open += usize::from(standing.open);
        self.active += usize::from(standing.active);
        self.interested += usize::from(standing.interested);
        self.served += usize::from(standing.served);
    }
}
