//! One iterative lookup: the nodes nearest to a target are asked for nodes that are nearer still,
//! until the [`limits::DHT_K`] nearest have answered.
//!
//! A few queries are under way at one time. A node that takes longer than nodes usually do is slow:
//! it may still answer, but another is asked in its place, so that dead nodes cost a lookup little
//! time. What one node names is trusted less after several of them were silent.

use std::net::SocketAddr;

use super::guard;
use crate::base::{Distance, Duration, NodeId, Time, limits, network, sooner};
use crate::wire::krpc::NodeInfo;

/// A lookup under way.
#[derive(Debug)]
pub struct Lookup {
    target: NodeId,
    /// The nearest first.
    candidates: Vec<Candidate>,
    /// Addresses to ask if too few of the candidates answer.
    reserve: Vec<SocketAddr>,
    queries: usize,
    answers: usize,
    /// A node was slow.
    is_slow: bool,
}

/// A node that may be asked.
#[derive(Debug)]
struct Candidate {
    /// `None`: not known yet, as of a bootstrap host.
    id: Option<NodeId>,
    addr: SocketAddr,
    state: State,
    /// Whose answer named it.
    namer: Option<SocketAddr>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum State {
    /// Not asked yet.
    New,
    /// Asked at this time.
    Asked(Time),
    /// The same, and it takes long.
    Slow(Time),
    /// It is so slow that the lookup may end without it.
    Late,
    /// It answered, with a token or without.
    Answered(Option<Box<[u8]>>),
    /// It did not answer, or refused to.
    Failed,
}

/// A node that a lookup asks next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ask {
    /// The node to ask.
    pub addr: SocketAddr,
    /// Its id, as far as it is known.
    pub id: Option<NodeId>,
}

/// A node that a torrent can be announced to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// The node.
    pub node: NodeInfo,
    /// The token that it gave, if it gave one.
    pub token: Option<Box<[u8]>>,
}

impl Lookup {
    /// A lookup of this target that begins with these nodes. `reserve`: addresses to ask if there
    /// are none, if one is silent and no other has answered, or if all that there were to ask have
    /// led to fewer than [`limits::DHT_POOR`] that answer: a node may keep us among its friends.
    pub fn new(target: NodeId, nodes: &[NodeInfo], reserve: Vec<SocketAddr>) -> Lookup {
        let mut lookup = Lookup {
            target,
            candidates: Vec::new(),
            reserve,
            queries: 0,
            answers: 0,
            is_slow: false,
        };
        lookup.add_all(nodes);
        if lookup.candidates.is_empty() {
            lookup.take_reserve();
        }
        lookup
    }

    /// The id that it looks for.
    pub fn target(&self) -> NodeId {
        self.target
    }

    /// Queries sent so far.
    pub fn queries(&self) -> usize {
        self.queries
    }

    /// Nodes that answered so far.
    pub fn answers(&self) -> usize {
        self.answers
    }

    /// Whether this address is being asked, or will be unless enough nearer nodes answer.
    pub fn will_ask(&self, addr: SocketAddr) -> bool {
        let mut relevant = self.relevant();
        relevant.any(|node| {
            let is_open = matches!(node.state, State::New | State::Asked(_) | State::Slow(_));
            is_open && node.addr == addr
        })
    }

    /// The next node to ask, if one is to be asked now.
    pub fn peek(&self) -> Option<Ask> {
        let is_asked = |node: &&Candidate| matches!(node.state, State::Asked(_));
        let asked = self.candidates.iter().filter(is_asked).count();
        let most = if self.is_slow {
            limits::DHT_ALPHA_SLOW
        } else {
            limits::DHT_ALPHA
        };
        if asked >= most || self.queries >= limits::DHT_LOOKUP_QUERIES {
            return None;
        }
        let mut unasked = self.relevant().filter(|node| node.state == State::New);
        let first = unasked.next()?;
        let chosen = if self.is_distrusted(first) {
            unasked.find(|node| !self.is_distrusted(node))
        } else {
            None
        };
        let chosen = chosen.unwrap_or(first);
        Some(Ask {
            addr: chosen.addr,
            id: chosen.id,
        })
    }

    /// This node was asked.
    pub fn on_asked(&mut self, addr: SocketAddr, now: Time) {
        if let Some(node) = self.find(addr) {
            node.state = State::Asked(now);
            self.queries += 1;
        }
    }

    /// This node is not to be asked.
    pub fn pass_over(&mut self, addr: SocketAddr) {
        if let Some(node) = self.find(addr) {
            node.state = State::Failed;
        }
        self.look_for_reserve();
    }

    /// A node answered, and named others.
    pub fn on_answer(&mut self, from: NodeInfo, token: Option<&[u8]>, named: &[NodeInfo]) {
        let Some(node) = self.find(from.addr) else {
            return;
        };
        node.id = Some(from.id);
        node.state = State::Answered(token.map(Box::from));
        self.answers += 1;
        self.sort();
        self.add_named(named, from.addr);
        self.look_for_reserve();
    }

    /// Adds an address to begin with; a lookup that has found the DHT does without.
    pub fn add_contact(&mut self, addr: SocketAddr) {
        if self.answers < limits::DHT_POOR {
            self.add(None, addr, None);
        }
    }

    /// Nodes that are known.
    fn add_all(&mut self, nodes: &[NodeInfo]) {
        for node in nodes {
            self.add(Some(node.id), node.addr, None);
        }
    }

    /// Nodes that this one has named.
    pub fn add_named(&mut self, nodes: &[NodeInfo], namer: SocketAddr) {
        for node in nodes {
            self.add(Some(node.id), node.addr, Some(namer));
        }
    }

    /// A node did not answer, or refused to.
    pub fn on_failure(&mut self, addr: SocketAddr) {
        if let Some(node) = self.find(addr) {
            node.state = State::Failed;
        }
        self.look_for_reserve();
    }

    /// Notes the nodes that have become slow, which is after `slow_after`, and returns them.
    pub fn tick(&mut self, slow_after: Duration, now: Time) -> Vec<SocketAddr> {
        let mut slow = Vec::new();
        let hold = hold(self.answers);
        for node in &mut self.candidates {
            if let State::Asked(at) = node.state {
                if at + slow_after <= now {
                    node.state = State::Slow(at);
                    slow.push(node.addr);
                }
            }
            if let State::Slow(at) = node.state {
                if at + hold <= now {
                    node.state = State::Late;
                }
            }
        }
        if !slow.is_empty() {
            self.is_slow = true;
            self.look_for_reserve();
        }
        slow
    }

    /// Whether nothing is left to ask or to wait for.
    pub fn is_done(&self) -> bool {
        let may_ask = self.queries < limits::DHT_LOOKUP_QUERIES;
        let mut relevant = self.relevant();
        relevant.all(|node| match node.state {
            State::New => !may_ask,
            State::Asked(_) | State::Slow(_) => false,
            State::Late | State::Answered(_) | State::Failed => true,
        })
    }

    /// When [`Lookup::tick`] or [`Lookup::is_done`] says something else though nothing happens.
    pub fn next_deadline(&self, slow_after: Duration) -> Option<Time> {
        let due = self.candidates.iter().map(|node| match node.state {
            State::Asked(at) => Some(at + slow_after),
            State::Slow(at) => Some(at + hold(self.answers)),
            _ => None,
        });
        due.fold(None, sooner)
    }

    /// The nearest nodes that answered.
    pub fn found(&self) -> Vec<Found> {
        let answered = self.candidates.iter().filter_map(|node| match &node.state {
            State::Answered(token) => Some(Found {
                node: NodeInfo {
                    id: node.id?,
                    addr: node.addr,
                },
                token: token.clone(),
            }),
            _ => None,
        });
        answered.take(limits::DHT_K).collect()
    }

    /// The candidates that matter: the nearest, up to the last of the [`limits::DHT_K`] that
    /// answered.
    fn relevant(&self) -> impl Iterator<Item = &Candidate> {
        let mut answered = 0;
        self.candidates.iter().take_while(move |node| {
            let go_on = answered < limits::DHT_K;
            answered += usize::from(matches!(node.state, State::Answered(_)));
            go_on
        })
    }

    /// Whether the node that named this one has named several that were silent, and none that
    /// answered.
    fn is_distrusted(&self, node: &Candidate) -> bool {
        let Some(namer) = node.namer else {
            return false;
        };
        let mut silent = 0;
        for other in self.candidates.iter().filter(|it| it.namer == Some(namer)) {
            match other.state {
                State::Answered(_) => return false,
                State::Slow(_) | State::Late | State::Failed => silent += 1,
                State::New | State::Asked(_) => {}
            }
        }
        silent >= limits::DHT_DISTRUST
    }

    fn find(&mut self, addr: SocketAddr) -> Option<&mut Candidate> {
        self.candidates.iter_mut().find(|node| node.addr == addr)
    }

    /// If no candidate answers, or too few do, those in reserve are asked as well.
    fn look_for_reserve(&mut self) {
        let waits = |node: &Candidate| matches!(node.state, State::New | State::Asked(_));
        let waiting = self.candidates.iter().filter(|node| waits(node)).count();
        let is_stuck = match self.answers {
            0 => waiting < self.candidates.len(),
            answers => waiting == 0 && answers < limits::DHT_POOR,
        };
        if is_stuck {
            self.take_reserve();
        }
    }

    fn take_reserve(&mut self) {
        for addr in std::mem::take(&mut self.reserve) {
            self.add(None, addr, None);
        }
    }

    /// Notes a node. One address is asked once, and of one network a few; of two ids that are named
    /// for an address, the nearer counts until it answers.
    fn add(&mut self, id: Option<NodeId>, addr: SocketAddr, namer: Option<SocketAddr>) {
        let distance = self.distance(id);
        let known = self.candidates.iter().position(|node| node.addr == addr);
        if let Some(index) = known {
            let known = &self.candidates[index];
            if known.state == State::New && distance < self.distance(known.id) {
                self.candidates[index].id = id;
                self.sort();
            }
            return;
        }
        // The others may have been named with wrong ports, but a victim is not to be asked at every
        // port.
        let all = self.candidates.iter();
        let others = all.filter(|node| guard::is_same(node.addr, addr));
        let rules_out = |other: &Candidate| {
            matches!(other.state, State::Answered(_)) || is_same_namer(other.namer, namer)
        };
        let is_ruled_out = others.clone().any(rules_out);
        if is_ruled_out || others.count() >= limits::DHT_PORTS_EACH {
            return;
        }
        let theirs = network(addr);
        let same = |node: &&Candidate| theirs.is_some() && network(node.addr) == theirs;
        let others = self.candidates.iter();
        if others.filter(same).count() >= limits::DHT_ASKED_EACH {
            return;
        }
        let index = self
            .candidates
            .partition_point(|node| self.distance(node.id) <= distance);
        let candidate = Candidate {
            id,
            addr,
            state: State::New,
            namer,
        };
        self.candidates.insert(index, candidate);
        if self.candidates.len() > limits::DHT_CANDIDATES {
            self.drop_one();
        }
    }

    /// There are too many: one that is not trusted goes, or else one that failed, or the farthest.
    fn drop_one(&mut self) {
        let doubtful = |node: &Candidate| node.state == State::New && self.is_distrusted(node);
        let failed = |node: &Candidate| node.state == State::Failed;
        let new = |node: &Candidate| node.state == State::New;
        let all = self.candidates.iter();
        let index = all.clone().rposition(doubtful);
        let index = index.or_else(|| all.clone().rposition(failed));
        let index = index.or_else(|| all.clone().rposition(new));
        self.candidates
            .remove(index.unwrap_or(self.candidates.len() - 1));
    }

    /// Unknown ids come first.
    fn distance(&self, id: Option<NodeId>) -> Option<Distance> {
        id.map(|id| id.distance(&self.target))
    }

    fn sort(&mut self) {
        let target = self.target;
        self.candidates
            .sort_by_key(|node| node.id.map(|id| id.distance(&target)));
    }
}

/// Whether one may speak for both: they are in one network.
fn is_same_namer(one: Option<SocketAddr>, other: Option<SocketAddr>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => {
            one == other || (network(one).is_some() && network(one) == network(other))
        }
        (None, None) => true,
        _ => false,
    }
}

/// How long a slow node is waited for.
fn hold(answers: usize) -> Duration {
    if answers == 0 {
        limits::DHT_HOLD_ALONE
    } else {
        limits::DHT_HOLD
    }
}

#[cfg(test)]
#[path = "tests/lookup.rs"]
mod tests;
