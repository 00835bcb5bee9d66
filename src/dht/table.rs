//! The routing table (BEP 5): nodes that answered us, in buckets by how many of their first bits
//! they share with our own id. So it knows many nodes near to us and a few in every direction. The
//! last bucket holds all that share more; it is split when it is full. The first buckets are wider,
//! since most lookups begin there.
//!
//! Only a node that has answered a query of ours gets a place, since another node may name any
//! address. Nodes that find their bucket full wait, and take the place of one that fails. One
//! address has one node, and one network a few. An id that fits its address (BEP 42) is preferred.

use std::net::SocketAddr;

use super::{guard, secure_id};
use crate::base::{Duration, NodeId, Rng, Time, limits, network};
use crate::wire::krpc::NodeInfo;

/// The nodes of one address family.
#[derive(Debug)]
pub struct Table {
    own: NodeId,
    buckets: Vec<Bucket>,
    len: usize,
}

#[derive(Debug, Default)]
struct Bucket {
    nodes: Vec<Node>,
    /// Nodes that wait for a place, the one heard of last at the end.
    waiting: Vec<Node>,
}

/// A node, and when something happened to it, in seconds of the clock.
#[derive(Clone, Copy, Debug)]
struct Node {
    info: NodeInfo,
    /// It answered last; 0 if it never did.
    heard: u32,
    /// It was asked last.
    asked: u32,
    /// Queries in a row that it left unanswered.
    failures: u8,
}

/// What upkeep is to ask.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Check {
    /// The node.
    pub node: NodeInfo,
    /// A place in its bucket: what it answers fills that.
    pub target: NodeId,
    /// It has not answered yet.
    pub is_new: bool,
}

/// A node that failed is asked again after this long.
const RETRY: Duration = Duration::from_secs(60);

impl Table {
    /// An empty table around our own id.
    pub fn new(own: NodeId) -> Table {
        Table {
            own,
            buckets: vec![Bucket::default()],
            len: 0,
        }
    }

    /// Our own id.
    pub fn own(&self) -> NodeId {
        self.own
    }

    /// How many nodes have a place.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether this address has answered us, and still does.
    pub fn is_known(&self, addr: SocketAddr) -> bool {
        self.nodes()
            .any(|node| node.info.addr == addr && node.failures == 0)
    }

    /// Whether another port of its host has answered us, and still does.
    pub fn is_host_known(&self, addr: SocketAddr) -> bool {
        let known = self.find(addr);
        known.is_some_and(|node| node.info.addr != addr && node.failures == 0)
    }

    /// Our id has changed: all nodes find new places.
    pub fn move_to(&mut self, own: NodeId) {
        let buckets = std::mem::replace(self, Table::new(own)).buckets;
        for node in buckets.iter().flat_map(|bucket| &bucket.nodes) {
            self.place(*node);
        }
    }

    /// A node has answered.
    pub fn on_answer(&mut self, info: NodeInfo, now: Time) {
        if info.id == self.own {
            return;
        }
        let heard = second(now);
        if let Some(known) = self.find_mut(info.addr) {
            if known.info == info {
                (known.heard, known.failures) = (heard, 0);
                return;
            }
            // Another node at this very address: the one that was there is gone. At another port
            // of the address: the first that came stays while it answers.
            if known.info.addr != info.addr && known.failures == 0 {
                return;
            }
            let gone = known.info.addr;
            self.remove(gone);
        }
        self.place(Node {
            info,
            heard,
            asked: heard,
            failures: 0,
        });
    }

    /// A node is said to be there: it may be asked, if there is room for it. Returns whether it
    /// will be.
    pub fn suggest(&mut self, info: NodeInfo) -> bool {
        let bucket = self.bucket_of(&info.id);
        let waiting = self.buckets[bucket].waiting.iter();
        let is_waiting = waiting
            .clone()
            .any(|node| guard::is_same(node.info.addr, info.addr));
        let has_room = self.is_open(bucket) && waiting.count() < limits::DHT_K;
        let is_new = info.id != self.own && !is_waiting && self.find(info.addr).is_none();
        let fine = has_room && is_new && self.has_room_for_network(info.addr);
        if fine {
            self.buckets[bucket].waiting.push(Node {
                info,
                heard: 0,
                asked: 0,
                failures: 0,
            });
        }
        fine
    }

    /// A node did not answer a query.
    pub fn on_silence(&mut self, addr: SocketAddr) {
        let Some(node) = self.nodes_mut().find(|node| node.info.addr == addr) else {
            return;
        };
        node.failures = node.failures.saturating_add(1);
        let (failures, id) = (node.failures, node.info.id);
        let bucket = self.bucket_of(&id);
        let waiting = self.buckets[bucket].waiting.iter();
        let is_awaited = waiting.clone().any(|node| node.heard > 0);
        let is_bad = failures >= limits::DHT_FAILURES
            || (is_awaited && failures >= limits::DHT_FAILURES_REPLACED);
        if is_bad {
            self.remove(addr);
            self.refill(bucket);
        }
    }

    /// A node is not what it was said to be.
    pub fn remove(&mut self, addr: SocketAddr) {
        for bucket in &mut self.buckets {
            let before = bucket.nodes.len();
            bucket.nodes.retain(|node| node.info.addr != addr);
            bucket.waiting.retain(|node| node.info.addr != addr);
            self.len -= before - bucket.nodes.len();
        }
    }

    /// The nodes nearest to a target, the nearest first. Those that did not answer last come last.
    pub fn closest(&self, target: &NodeId, most: usize) -> Vec<NodeInfo> {
        let mut all: Vec<(bool, _, NodeInfo)> = self
            .nodes()
            .map(|node| {
                let distance = node.info.id.distance(target);
                (node.failures > 0, distance, node.info)
            })
            .collect();
        if all.len() > most && most > 0 {
            all.select_nth_unstable(most - 1);
            all.truncate(most);
        }
        all.sort_unstable();
        all.truncate(most);
        all.into_iter().map(|(_, _, info)| info).collect()
    }

    /// Nodes that are worth saving, those heard last first.
    pub fn to_save(&self) -> Vec<NodeInfo> {
        let mut good: Vec<&Node> = self.nodes().filter(|node| node.failures == 0).collect();
        good.sort_unstable_by_key(|node| (std::cmp::Reverse(node.heard), node.info));
        good.truncate(limits::DHT_SAVED);
        good.into_iter().map(|node| node.info).collect()
    }

    /// What upkeep should ask now: a node that waits for a place which is free, or the one that was
    /// not heard for longest, if that is too long. It counts as asked.
    pub fn next_check(&mut self, now: Time, rng: &mut Rng) -> Option<Check> {
        for index in (0..self.buckets.len()).rev() {
            if self.is_open(index) {
                if let Some(node) = self.buckets[index].waiting.pop() {
                    let target = self.own.random_sharing(index, rng);
                    return Some(Check {
                        node: node.info,
                        target,
                        is_new: true,
                    });
                }
            }
        }
        let second = second(now);
        let node = self.nodes_mut().min_by_key(|node| node.due())?;
        if node.due() > second {
            return None;
        }
        node.asked = second;
        let info = node.info;
        let target = self.own.random_sharing(self.bucket_of(&info.id), rng);
        Some(Check {
            node: info,
            target,
            is_new: false,
        })
    }

    /// When there is something to check.
    pub fn check_at(&self) -> Option<Time> {
        let mut indices = 0..self.buckets.len();
        if indices.any(|index| self.is_open(index) && !self.buckets[index].waiting.is_empty()) {
            return Some(Time::default());
        }
        let due = self.nodes().map(Node::due).min()?;
        Some(Time::from_micros(u64::from(due) * 1_000_000))
    }

    fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.buckets.iter().flat_map(|bucket| &bucket.nodes)
    }

    fn nodes_mut(&mut self) -> impl Iterator<Item = &mut Node> {
        self.buckets.iter_mut().flat_map(|bucket| &mut bucket.nodes)
    }

    fn find(&self, addr: SocketAddr) -> Option<&Node> {
        self.nodes()
            .find(|node| guard::is_same(node.info.addr, addr))
    }

    fn find_mut(&mut self, addr: SocketAddr) -> Option<&mut Node> {
        self.nodes_mut()
            .find(|node| guard::is_same(node.info.addr, addr))
    }

    fn bucket_of(&self, id: &NodeId) -> usize {
        self.own.shared_bits(id).min(self.buckets.len() - 1)
    }

    fn has_room(&self, bucket: usize) -> bool {
        self.buckets[bucket].nodes.len() < capacity(bucket)
    }

    /// Whether another node may get a place: there is one, or the bucket can be split.
    fn is_open(&self, bucket: usize) -> bool {
        self.has_room(bucket) || (bucket + 1 == self.buckets.len() && bucket < NodeId::BITS)
    }

    fn has_room_for_network(&self, addr: SocketAddr) -> bool {
        let Some(ours) = network(addr) else {
            return true;
        };
        let same = |node: &&Node| network(node.info.addr) == Some(ours);
        self.nodes().filter(same).count() < limits::DHT_NODES_EACH
    }

    /// Gives a node that answered a place, or lets it wait for one.
    fn place(&mut self, node: Node) {
        if !self.has_room_for_network(node.info.addr) {
            return;
        }
        let mut index = self.bucket_of(&node.info.id);
        while !self.has_room(index) && index + 1 == self.buckets.len() && index < NodeId::BITS {
            self.split();
            index = self.bucket_of(&node.info.id);
        }
        let has_room = self.has_room(index);
        let bucket = &mut self.buckets[index];
        bucket
            .waiting
            .retain(|other| !guard::is_same(other.info.addr, node.info.addr));
        if has_room {
            bucket.nodes.push(node);
            self.len += 1;
            return;
        }
        let fits = |node: &Node| secure_id::fits(&node.info.id, node.info.addr.ip());
        let worse = bucket.nodes.iter_mut().filter(|other| {
            other.failures >= limits::DHT_FAILURES_REPLACED || (fits(&node) && !fits(other))
        });
        match worse.min_by_key(|other| (other.failures == 0, other.heard)) {
            Some(other) => *other = node,
            None => {
                if bucket.waiting.len() >= limits::DHT_K {
                    bucket.waiting.remove(0);
                }
                bucket.waiting.push(node);
            }
        }
    }

    /// Divides the last bucket: those that share one bit more with us get a bucket of their own.
    fn split(&mut self) {
        let index = self.buckets.len() - 1;
        let Some(last) = self.buckets.last_mut() else {
            return;
        };
        let own = self.own;
        let divide = |nodes: &mut Vec<Node>| {
            let all = std::mem::take(nodes).into_iter();
            let (nearer, rest) = all.partition(|node| own.shared_bits(&node.info.id) > index);
            *nodes = rest;
            nearer
        };
        let next = Bucket {
            nodes: divide(&mut last.nodes),
            waiting: divide(&mut last.waiting),
        };
        self.buckets.push(next);
        self.refill(index);
        self.refill(index + 1);
    }

    /// Nodes that answered and wait take the places that are free.
    fn refill(&mut self, index: usize) {
        while self.has_room(index) {
            let bucket = &mut self.buckets[index];
            let proven = bucket.waiting.iter().rposition(|node| node.heard > 0);
            let Some(proven) = proven else {
                return;
            };
            let node = bucket.waiting.remove(proven);
            if self.has_room_for_network(node.info.addr) && self.find(node.info.addr).is_none() {
                self.buckets[index].nodes.push(node);
                self.len += 1;
            }
        }
    }
}

impl Node {
    /// The second at which it is to be asked something, to know whether it is still there.
    fn due(&self) -> u32 {
        if self.failures > 0 {
            return self.asked.max(self.heard) + RETRY.as_secs() as u32;
        }
        self.asked.max(self.heard) + limits::DHT_QUESTIONABLE.as_secs() as u32
    }
}

/// How many nodes a bucket has room for.
fn capacity(bucket: usize) -> usize {
    limits::DHT_K * limits::DHT_WIDE_BUCKETS.get(bucket).unwrap_or(&1)
}

fn second(now: Time) -> u32 {
    // The first second is 1: 0 is never.
    u32::try_from(now.as_micros() / 1_000_000 + 1).unwrap_or(u32::MAX / 2)
}

#[cfg(test)]
#[path = "tests/table.rs"]
mod tests;
