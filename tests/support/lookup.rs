//! A lookup in a DHT of three nodes, told datagram by datagram: each node is the machine that the
//! client runs. Nothing in it is random but by its seed.

use std::net::SocketAddr;

use brooklet::base::{Duration, InfoHash, NodeId, Rng, Time};
use brooklet::dht::{Config, Dht, Output, Saved, Want};
use brooklet::wire::krpc::{Ask, Body, Message, Query};

use crate::transcript::extending::bencoded;

const HASH: &str = "d2474e86c95b19b8bcfdb92bc12c9d44667cfa36";
/// We, a node that is far from the torrent, and one that is near to it.
const NODES: [(&str, &str); 3] = [
    ("192.0.2.1:6881", "5fbfbff10c5d6a4ec8a88e4c6ab4c28b95eee401"),
    (
        "198.51.100.2:6881",
        "61a4ff10c5d6a4ec8a88e4c6ab4c28b95eee4013",
    ),
    (
        "203.0.113.3:6881",
        "d2a50b1f6c2d7e8f901a2b3c4d5e6f708192a3b4",
    ),
];
/// What a datagram takes.
const WAY: Duration = Duration::from_millis(20);

struct World {
    now: Time,
    nodes: Vec<(SocketAddr, Dht)>,
    told: String,
    /// Whether our lookup has ended.
    looked: bool,
}

/// What we say to find a peer of a torrent and to announce ourselves, and what is answered; and a
/// ping by one of the others.
pub fn lookup() -> String {
    let hash = InfoHash::from_hex(HASH).expect("a hash");
    let mut world = World::new();
    let want = |port| Want {
        port: Some(port),
        implied: false,
        is_urgent: true,
    };
    // Before us, the far one has left its peer with the near one.
    let (near, now) = (world.nodes[2].0, world.now);
    world.nodes[1].1.add_contact(near);
    world.nodes[1].1.want(hash, want(51413), now);
    world.run();
    world.nodes[1].1.unwant(hash);
    (world.told, world.looked) = (String::new(), false);

    let (far, now) = (world.nodes[1].0, world.now);
    world.nodes[0].1.add_contact(far);
    world.nodes[0].1.want(hash, want(6881), now);
    world.run();

    let ping = Message {
        transaction: b"ping",
        body: Body::Query(Query {
            id: world.id(2),
            ask: Ask::Ping,
            want: None,
        }),
        version: None,
        external: None,
        read_only: false,
    };
    let mut bytes = Vec::new();
    ping.encode(&mut bytes);
    world.tell(2, 0, &bytes);
    world.nodes[0].1.receive(near, &bytes, world.now);
    let answer = world.outputs(0).into_iter().next();
    let (_, answer) = answer.expect("an answer");
    world.tell(0, 2, &answer);
    world.told
}

impl World {
    fn new() -> World {
        let now = Time::from_micros(1_000_000);
        let node = |(number, (addr, id)): (u64, &(&str, &str))| {
            let id = InfoHash::from_hex(id).map(NodeId::from);
            let saved = Saved {
                id4: id,
                ..Saved::default()
            };
            let config = Config {
                v4: true,
                v6: false,
                saved,
            };
            let dht = Dht::new(config, number, Rng::from_seed(number), now);
            (addr.parse().expect("an address"), dht)
        };
        World {
            now,
            nodes: (1..).zip(&NODES).map(node).collect(),
            told: String::new(),
            looked: false,
        }
    }

    fn id(&self, node: usize) -> NodeId {
        let family = brooklet::wire::Family::V4;
        self.nodes[node].1.id(family).expect("it takes part")
    }

    /// Lets datagrams go their ways until a lookup has ended and nothing is under way.
    fn run(&mut self) {
        for _ in 0..1_000 {
            let mut sent = Vec::new();
            for from in 0..self.nodes.len() {
                self.nodes[from].1.turn(self.now);
                let outputs = self.outputs(from).into_iter();
                sent.extend(outputs.map(|(to, bytes)| (from, to, bytes)));
            }
            if sent.is_empty() && self.looked {
                return;
            }
            self.now = self.now + WAY;
            for (from, to, bytes) in sent {
                self.tell(from, to, &bytes);
                let (addr, now) = (self.nodes[from].0, self.now);
                self.nodes[to].1.receive(addr, &bytes, now);
            }
        }
        panic!("the lookup does not end");
    }

    /// Datagrams that a node sends: to whom, and their bytes.
    fn outputs(&mut self, node: usize) -> Vec<(usize, Vec<u8>)> {
        let mut sent = Vec::new();
        while let Some(output) = self.nodes[node].1.next_output() {
            match output {
                Output::Datagram { to, bytes } => {
                    let place = self.nodes.iter().position(|(addr, _)| *addr == to);
                    sent.push((place.expect("one of the three"), bytes));
                }
                Output::Looked(_) => self.looked = true,
                _ => {}
            }
        }
        sent
    }

    /// A datagram between us and another is told.
    fn tell(&mut self, from: usize, to: usize, bytes: &[u8]) {
        let name = |node: usize| match node {
            0 => String::from("we"),
            _ => self.nodes[node].0.to_string(),
        };
        let line = format!("{} -> {}\n  {}\n", name(from), name(to), bencoded(bytes));
        if from == 0 || to == 0 {
            self.told += &line;
        }
    }
}
