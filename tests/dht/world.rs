//! A simulated DHT: real nodes ([`Dht`]) on public addresses, the ways between them, and time.
//! Nothing in it is random but by its seed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::SocketAddr;

use brooklet::base::{Duration, InfoHash, NodeId, Rng, Time};
use brooklet::dht::{Config, Dht, Output, Want};
use brooklet::wire::Family;
use brooklet::wire::krpc::{
    Ask, Body, Message, NodeInfo, Query, Reply, Values, pack_node, pack_value,
};

/// How long a router lets answers in after something went out.
const MAPPING: Duration = Duration::from_secs(60);

/// What a node is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// As it should be.
    Honest,
    /// It answers with nodes that it makes up, at random, and with wrong peers.
    Liar,
    /// It makes up nodes that are nearer to the target than any.
    NearLiar,
}

/// One node.
pub struct Node {
    /// Its machine.
    pub dht: Dht,
    /// Where it is.
    pub addr: SocketAddr,
    /// What it is.
    pub kind: Kind,
    /// It is switched on.
    pub is_alive: bool,
    /// Behind a router that lets only answers in.
    pub is_hidden: bool,
    /// What it had to say besides datagrams, and when.
    pub said: Vec<(Time, Output)>,
    /// Datagrams and bytes that it sent, headers of IP and UDP included.
    pub sent: (u64, u64),
    /// The queries among them.
    pub asked: (u64, u64),
    /// When it sent those.
    pub asked_at: Vec<Time>,
    written_to: BTreeMap<SocketAddr, Time>,
    wakes_at: Option<Time>,
}

enum Happening {
    Arrives {
        to: usize,
        from: SocketAddr,
        bytes: Vec<u8>,
    },
    Wakes(usize),
}

/// All nodes.
pub struct World {
    /// The time.
    pub now: Time,
    /// The nodes, in the order in which they joined.
    pub nodes: Vec<Node>,
    /// The times of queries are noted.
    pub keeps_times: bool,
    /// Datagrams that went to nobody.
    pub lost: BTreeMap<SocketAddr, u64>,
    places: BTreeMap<SocketAddr, usize>,
    queue: BinaryHeap<Reverse<(Time, u64, usize)>>,
    happenings: Vec<Option<Happening>>,
    free: Vec<usize>,
    count: u64,
    /// For choices.
    pub rng: Rng,
}

impl World {
    /// An empty one.
    pub fn new(seed: u64) -> World {
        World {
            now: Time::from_micros(1_000_000),
            nodes: Vec::new(),
            keeps_times: false,
            lost: BTreeMap::new(),
            places: BTreeMap::new(),
            queue: BinaryHeap::new(),
            happenings: Vec::new(),
            free: Vec::new(),
            count: 0,
            rng: Rng::from_seed(seed),
        }
    }

    /// Some public address that is not taken.
    pub fn new_addr(&mut self) -> SocketAddr {
        loop {
            let [a, b, c, d] = self.rng.bits32().to_be_bytes();
            let addr: SocketAddr = ([20 + a % 60, b, c, d], 1024 + (u16::from(d) << 3)).into();
            if !self.places.contains_key(&addr) {
                return addr;
            }
        }
    }

    /// A node joins; it knows the first few.
    pub fn join(&mut self, kind: Kind, is_hidden: bool) -> usize {
        let addr = self.new_addr();
        let config = Config {
            v4: true,
            ..Config::default()
        };
        let rng = Rng::from_seed(self.rng.bits64());
        let mut dht = Dht::new(config, self.rng.bits64(), rng, self.now);
        for node in self.nodes.iter().take(3) {
            dht.add_contact(node.addr);
        }
        let place = self.nodes.len();
        self.places.insert(addr, place);
        self.nodes.push(Node {
            dht,
            addr,
            kind,
            is_alive: true,
            is_hidden,
            said: Vec::new(),
            sent: (0, 0),
            asked: (0, 0),
            asked_at: Vec::new(),
            written_to: BTreeMap::new(),
            wakes_at: None,
        });
        self.settle(place);
        place
    }

    /// A node takes part in a torrent.
    pub fn want(&mut self, place: usize, info_hash: InfoHash, port: Option<u16>) {
        let want = Want {
            port,
            implied: false,
            is_urgent: port.is_none(),
        };
        let now = self.now;
        self.nodes[place].dht.want(info_hash, want, now);
        self.settle(place);
    }

    /// A datagram comes from somewhere to a node, at once.
    pub fn inject(&mut self, place: usize, from: SocketAddr, bytes: &[u8]) {
        self.deliver(place, from, bytes);
    }

    /// Lets time go by.
    pub fn run_until(&mut self, until: Time) {
        while let Some(&Reverse((at, _, slot))) = self.queue.peek() {
            if at > until {
                break;
            }
            self.queue.pop();
            self.now = self.now.max(at);
            self.free.push(slot);
            match self.happenings[slot].take() {
                Some(Happening::Arrives { to, from, bytes }) => self.deliver(to, from, &bytes),
                Some(Happening::Wakes(place)) if self.nodes[place].wakes_at == Some(at) => {
                    self.nodes[place].wakes_at = None;
                    self.settle(place);
                }
                Some(Happening::Wakes(_)) | None => {}
            }
        }
        self.now = self.now.max(until);
    }

    /// The same for so long.
    pub fn run(&mut self, span: Duration) {
        self.run_until(self.now + span);
    }

    fn deliver(&mut self, place: usize, from: SocketAddr, bytes: &[u8]) {
        let now = self.now;
        let node = &mut self.nodes[place];
        let mapping = node.written_to.get(&from);
        let is_let_in = !node.is_hidden || mapping.is_some_and(|&at| now.since(at) < MAPPING);
        if !node.is_alive || !is_let_in {
            return;
        }
        if node.kind != Kind::Honest {
            if let Some(lie) = lie(node, from, bytes, &mut self.rng) {
                self.send(place, from, lie);
                return;
            }
        }
        self.nodes[place].dht.receive(from, bytes, now);
        self.settle(place);
    }

    /// A node does what is due, and what it says goes on its way.
    fn settle(&mut self, place: usize) {
        let now = self.now;
        self.nodes[place].dht.turn(now);
        while let Some(output) = self.nodes[place].dht.next_output() {
            match output {
                Output::Datagram { to, bytes } => self.send(place, to, bytes),
                other => self.nodes[place].said.push((now, other)),
            }
        }
        let node = &mut self.nodes[place];
        let Some(at) = node.dht.next_deadline() else {
            return;
        };
        assert!(at > now, "a deadline that is past does not go away");
        if node.is_alive && node.wakes_at.is_none_or(|wakes| at < wakes) {
            node.wakes_at = Some(at);
            self.push(at, Happening::Wakes(place));
        }
    }

    fn send(&mut self, place: usize, to: SocketAddr, bytes: Vec<u8>) {
        let node = &mut self.nodes[place];
        let size = bytes.len() as u64 + 28;
        node.sent = (node.sent.0 + 1, node.sent.1 + size);
        // A query begins with its arguments.
        if bytes.starts_with(b"d1:a") {
            node.asked = (node.asked.0 + 1, node.asked.1 + size);
            if self.keeps_times {
                node.asked_at.push(self.now);
            }
        }
        if node.is_hidden {
            node.written_to.insert(to, self.now);
        }
        let from = node.addr;
        match self.places.get(&to) {
            Some(&to) => {
                let at = self.now + one_way(from, self.nodes[to].addr);
                self.push(at, Happening::Arrives { to, from, bytes });
            }
            None => *self.lost.entry(to).or_default() += 1,
        }
    }

    fn push(&mut self, at: Time, happening: Happening) {
        let slot = match self.free.pop() {
            Some(slot) => {
                self.happenings[slot] = Some(happening);
                slot
            }
            None => {
                self.happenings.push(Some(happening));
                self.happenings.len() - 1
            }
        };
        self.count += 1;
        self.queue.push(Reverse((at, self.count, slot)));
    }
}

/// Half a round trip: 10 to 150 ms, always the same between two nodes.
fn one_way(one: SocketAddr, other: SocketAddr) -> Duration {
    let number = |addr: SocketAddr| match addr {
        SocketAddr::V4(addr) => u64::from(addr.ip().to_bits()),
        SocketAddr::V6(addr) => addr.ip().to_bits() as u64,
    };
    let both = (number(one) + number(other)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
    Duration::from_micros(10_000 + both % 140_001)
}

/// What a liar answers to this, if it is a query that it lies to.
fn lie(node: &Node, from: SocketAddr, bytes: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    let message = Message::parse(bytes).ok()?;
    let Body::Query(Query { ask, .. }) = message.body else {
        return None;
    };
    let target = match ask {
        Ask::FindNode(target) => target,
        Ask::GetPeers(info_hash) => NodeId::from(info_hash),
        _ => return None,
    };
    let (mut nodes, mut values) = (Vec::new(), Vec::new());
    for _ in 0..8 {
        let [a, b, c, d] = rng.bits32().to_be_bytes();
        let addr = ([20 + a % 60, b, c, d], 6881).into();
        let id = if node.kind == Kind::NearLiar {
            target.random_sharing(40, rng)
        } else {
            NodeId::random(rng)
        };
        pack_node(&NodeInfo { id, addr }, &mut nodes);
        pack_value(addr, &mut values);
    }
    let reply = Reply {
        nodes: Some(&nodes),
        values: matches!(ask, Ask::GetPeers(_)).then_some(Values(&values)),
        token: Some(b"lie"),
        ..Reply::bare(node.dht.id(Family::V4)?)
    };
    let answer = Message {
        body: Body::Reply(reply),
        external: Some(from),
        version: None,
        ..message
    };
    let mut out = Vec::new();
    answer.encode(&mut out);
    Some(out)
}
