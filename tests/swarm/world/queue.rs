//! What is going to happen, in the order of time; what happens at one moment happens in the order
//! in which it was put in.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use brooklet::base::Time;
use brooklet::tracker::Id;

/// Something that happens. Nodes, connections and their directions (0: from the caller) are named
/// by number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A node's session has its turn.
    Wake(usize),
    /// A node's uplink is free for the next packet.
    Sent(usize),
    /// A packet of so many bytes reaches the other end's downlink.
    Arrive(usize, usize, usize),
    /// A packet of so many bytes is there.
    Deliver(usize, usize, usize),
    /// The end of a direction reaches the other end's downlink.
    Fin(usize, usize),
    /// A direction has ended for who reads it.
    Ended(usize, usize),
    /// A call, repeated so many times, reaches whom it is for.
    Syn(usize, usize),
    /// A call was answered (true) or refused.
    Answered(usize, bool),
    /// What an end (0: the caller) sent comes back refused: the other end knows nothing of the
    /// connection.
    Refused(usize, usize),
    /// A node's disk has written what it got first, in this run of its session.
    Written(usize, u32),
    /// A node has found again what a torrent that is to wake up needs, in this run of its session.
    Awake(usize, u32, usize),
    /// A node's announce has come to the tracker and back, in this run of its session.
    Tracker(usize, u32, Id, Vec<u8>),
    /// What the scenario has in store.
    Script(Act),
}

/// What a scenario does to its world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    /// A node starts, with what it has on disk.
    Join(usize),
    /// A node stops, in order.
    Leave(usize),
    /// A node vanishes from the network without a word.
    Crash(usize),
    /// A random connection breaks; another will after a random time of this mean, in milliseconds.
    Break(u64),
    /// The network falls into two parts.
    Part,
    /// The network is whole again.
    Heal,
}

/// The events to come.
#[derive(Default)]
pub struct Queue {
    heap: BinaryHeap<Reverse<Entry>>,
    next: u64,
}

struct Entry {
    at: Time,
    number: u64,
    event: Event,
}

impl Queue {
    /// This will happen then.
    pub fn push(&mut self, at: Time, event: Event) {
        let number = self.next;
        self.next += 1;
        self.heap.push(Reverse(Entry { at, number, event }));
    }

    /// When something happens next.
    pub fn next_at(&self) -> Option<Time> {
        self.heap.peek().map(|Reverse(entry)| entry.at)
    }

    /// What happens next, and when.
    pub fn pop(&mut self) -> Option<(Time, Event)> {
        let Reverse(Entry { at, event, .. }) = self.heap.pop()?;
        Some((at, event))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Entry) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Entry) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        self.number == other.number
    }
}

impl Eq for Entry {}
