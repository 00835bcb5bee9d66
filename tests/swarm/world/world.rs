//! The world and its clock.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use brooklet::base::{Bits, Duration, Rng, Time};
use brooklet::session::sleep;
use brooklet::tracker::{Id, Input};

use super::disk::Source;
use super::manners::Manners;
use super::net::{Conn, round_up};
use super::node::{Link, Node, Role};
use super::queue::{Act, Event, Queue};
use super::tracker::Tracker;

/// Everything there is.
pub struct World {
    pub now: Time,
    pub queue: Queue,
    pub rng: Rng,
    pub source: Rc<Source>,
    pub nodes: Vec<Node>,
    pub conns: Vec<Conn>,
    pub tracker: Tracker,
    /// The network is in two parts.
    pub parted: bool,
    /// Reads are cut at random places and done in any order, and packets overtake each other.
    pub rough: bool,
    /// Seeds leave as soon as clients have another copy.
    pub seeds_leave: bool,
    /// All is done: nobody comes back.
    over: bool,
    /// Each turn of each node is looked at closely, however many there are.
    pub strict: bool,
    /// Torrents sleep that may.
    pub sleepy: bool,
    /// What sessions report is printed.
    pub told: bool,
    /// What any client has.
    pub copied: Bits,
    /// Events that happened.
    pub events: u64,
    pub buffer: Vec<u8>,
    hosts: BTreeMap<IpAddr, usize>,
    /// All that happened and all that was sent.
    pub digest: DefaultHasher,
}

impl World {
    /// One without nodes.
    pub fn new(source: &Rc<Source>, seed: u64) -> World {
        World {
            now: Time::default(),
            queue: Queue::default(),
            rng: Rng::from_seed(seed),
            source: Rc::clone(source),
            nodes: Vec::new(),
            conns: Vec::new(),
            tracker: Tracker::default(),
            parted: false,
            rough: false,
            seeds_leave: false,
            over: false,
            strict: false,
            sleepy: false,
            told: false,
            copied: Bits::new(source.geometry.pieces()),
            events: 0,
            buffer: Vec::new(),
            hosts: BTreeMap::new(),
            digest: DefaultHasher::new(),
        }
    }

    /// Another node, which comes at this time. Its number.
    pub fn add(&mut self, role: Role, manners: Manners, link: Link, joins: Time) -> usize {
        let number = self.nodes.len();
        let mut node = Node::new(number, role, manners, link, &self.source);
        node.joins = joins;
        self.hosts.insert((*node.addr.ip()).into(), number);
        if node.is_mute() {
            self.tracker.enter(node.addr);
        } else {
            self.queue.push(joins, Event::Script(Act::Join(number)));
        }
        self.nodes.push(node);
        number
    }

    /// The node at this address.
    pub fn node_at(&self, addr: SocketAddr) -> Option<usize> {
        self.hosts.get(&addr.ip()).copied()
    }

    /// Lets time pass until all have what they came for. The number of the run: equal runs have
    /// equal numbers.
    pub fn run(&mut self, limit: Duration) -> u64 {
        let limit = Time::default() + limit;
        while self.nodes.iter().any(|node| !node.is_satisfied()) {
            self.step_many(limit);
        }
        self.finish();
        self.digest.finish()
    }

    /// Lets time pass until then.
    pub fn run_until(&mut self, until: Time) {
        while self.queue.next_at().is_some_and(|at| at <= until) {
            self.step();
        }
        self.now = until;
    }

    fn step_many(&mut self, limit: Time) {
        for _ in 0..1000 {
            if !self.step() || self.now > limit {
                let left = self.nodes.iter().filter(|node| !node.is_satisfied());
                let left: Vec<usize> = left.map(|node| node.number).collect();
                assert!(
                    left.is_empty(),
                    "at {:?} nodes {left:?} lack some",
                    self.now
                );
                return;
            }
        }
    }

    /// Everybody leaves, and nothing is left over.
    fn finish(&mut self) {
        self.over = true;
        for node in 0..self.nodes.len() {
            self.act(Act::Leave(node));
        }
        let patience = self.now + Duration::from_secs(30);
        while self.nodes.iter().any(|node| node.session.is_some()) {
            assert!(
                self.step() && self.now < patience,
                "somebody does not leave"
            );
        }
    }

    /// The next thing happens; false: nothing does.
    fn step(&mut self) -> bool {
        let Some((at, event)) = self.queue.pop() else {
            return false;
        };
        debug_assert!(at >= self.now);
        self.now = at;
        self.events += 1;
        (at, &event).hash(&mut self.digest);
        match event {
            Event::Wake(node) => {
                if self.nodes[node].wake_at == Some(at) {
                    self.nodes[node].wake_at = None;
                    self.turn(node);
                }
            }
            Event::Sent(node) => {
                self.nodes[node].sending = false;
                self.send(node);
            }
            Event::Arrive(conn, dir, bytes) => self.on_arrive(conn, dir, bytes),
            Event::Deliver(conn, dir, bytes) => self.on_deliver(conn, dir, bytes),
            Event::Fin(conn, dir) => self.on_fin(conn, dir),
            Event::Ended(conn, dir) => self.end(conn, dir, true),
            Event::Syn(conn, repeated) => self.on_syn(conn, repeated),
            Event::Answered(conn, answer) => self.on_answered(conn, answer),
            Event::Refused(conn, end) => self.on_refused(conn, end),
            Event::Written(node, run) => self.on_written(node, run),
            Event::Awake(node, run, torrent) => self.on_awake(node, run, torrent),
            Event::Tracker(node, run, id, request) => self.announce(node, run, id, &request),
            Event::Script(act) => self.act(act),
        }
        true
    }

    /// A node is to have a turn then, or as soon after as turns may be.
    pub fn wake(&mut self, n: usize, at: Time) {
        let node = &mut self.nodes[n];
        let after = node
            .turned_at
            .map_or(self.now, |last| last + Duration::from_micros(1));
        let at = round_up(at.max(self.now).max(after));
        if node.wake_at.is_none_or(|wake| at < wake) {
            node.wake_at = Some(at);
            self.queue.push(at, Event::Wake(n));
        }
    }

    fn on_awake(&mut self, n: usize, run: u32, torrent: usize) {
        let node = &mut self.nodes[n];
        let order = node.order_again(&node.shares[torrent], &self.source);
        let Some(session) = node.session.as_mut().filter(|_| node.run == run) else {
            return;
        };
        sleep::wake_up(session, torrent, order, self.now);
        node.unread.extend(std::mem::take(&mut node.suspended));
        self.wake(n, self.now);
    }

    fn announce(&mut self, n: usize, run: u32, id: Id, request: &[u8]) {
        let (now, from) = (self.now, *self.nodes[n].addr.ip());
        let reply = self.tracker.answer(from, request, now, &mut self.rng);
        let node = &mut self.nodes[n];
        if let Some(session) = node.session.as_mut().filter(|_| node.run == run) {
            for input in [
                Input::Connected { id },
                Input::Bytes { id, bytes: &reply },
                Input::Closed { id, how: &Ok(()) },
            ] {
                session.handle_tracker(input, now);
            }
            self.wake(n, now);
        }
    }

    /// Something befalls the world.
    pub fn act(&mut self, act: Act) {
        match act {
            Act::Join(_) if self.over => {}
            Act::Join(n) if self.nodes[n].session.is_some() => {
                // It was to go, and its disk has not written all it had by then.
                let later = self.now + Duration::from_secs(1);
                self.queue.push(later, Event::Script(act));
            }
            Act::Join(n) => {
                self.come_back(n);
                let seed = self.rng.bits64();
                self.nodes[n].start(&self.source, seed, self.now);
                self.wake(n, self.now);
            }
            Act::Leave(n) => {
                let now = self.now;
                if let Some(session) = &mut self.nodes[n].session {
                    session.stop_all("SIGINT", now);
                    self.wake(n, now);
                }
            }
            Act::Crash(n) => self.crash(n),
            Act::Break(mean) => self.break_one(mean),
            Act::Part => self.parted = true,
            Act::Heal => self.heal(),
        }
    }
}
