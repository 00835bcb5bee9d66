//! The machine as a whole: what it answers, what it asks, what it lets itself be told.

mod answers;
mod asking;
mod bounds;

use std::net::SocketAddr;

use super::{Config, Dht, Event, Output, Saved, Want, secure_id};
use crate::base::{Duration, InfoHash, NodeId, Rng, Time, limits};
use crate::wire::Family;
use crate::wire::krpc::{
    Ask, Body, Message, NodeInfo, Query, Reply, Values, Want as Families, pack_node, pack_value,
};

/// One machine, and what it sent.
struct Bench {
    dht: Dht,
    now: Time,
    sent: Vec<(SocketAddr, Vec<u8>)>,
    said: Vec<Output>,
}

const THEM: NodeId = NodeId(*b"abcdefghij0123456789");
const HASH: InfoHash = InfoHash(*b"mnopqrstuvwxyz123456");

impl Bench {
    fn new() -> Bench {
        Bench::with(Saved::default())
    }

    fn with(saved: Saved) -> Bench {
        let config = Config {
            v4: true,
            v6: true,
            saved,
        };
        let now = Time::from_micros(9_000_000);
        Bench {
            dht: Dht::new(config, 5, Rng::from_seed(5), now),
            now,
            sent: Vec::new(),
            said: Vec::new(),
        }
    }

    /// Does what is due, and gathers what comes of it.
    fn turn(&mut self) {
        self.dht.turn(self.now);
        while let Some(output) = self.dht.next_output() {
            match output {
                Output::Datagram { to, bytes } => self.sent.push((to, bytes)),
                other => self.said.push(other),
            }
        }
        assert!(self.dht.next_deadline().is_none_or(|due| due > self.now));
    }

    fn run(&mut self, span: Duration) {
        let until = self.now + span;
        while let Some(due) = self.dht.next_deadline().filter(|&due| due <= until) {
            self.now = due;
            self.turn();
        }
        self.now = until;
        self.turn();
    }

    fn receive(&mut self, from: SocketAddr, message: &Message<'_>) {
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        self.dht.receive(from, &bytes, self.now);
        self.turn();
    }

    /// Asks, and returns the answer.
    fn ask(&mut self, from: SocketAddr, ask: Ask<'_>, want: Option<Families>) -> Option<Vec<u8>> {
        self.sent.clear();
        let query = Query {
            id: THEM,
            ask,
            want,
        };
        let message = Message {
            transaction: b"xy",
            body: Body::Query(query),
            version: None,
            external: None,
            // So that it does not ask back.
            read_only: true,
        };
        self.receive(from, &message);
        let answer = self.sent.pop().filter(|(to, _)| *to == from);
        answer.map(|(_, bytes)| bytes)
    }

    /// The query that went to this address last.
    fn query_to(&self, addr: SocketAddr) -> Option<Vec<u8>> {
        let mut sent = self.sent.iter().rev();
        sent.find(|(to, _)| *to == addr)
            .map(|(_, bytes)| bytes.clone())
    }

    /// Lets time go by until something is asked there.
    fn wait_for_query(&mut self, addr: SocketAddr) {
        while self.query_to(addr).is_none() {
            self.now = self.dht.next_deadline().expect("it asks some time");
            self.turn();
        }
    }

    /// Answers the last query to this address.
    fn answer(&mut self, from: SocketAddr, reply: Reply<'_>, external: Option<SocketAddr>) {
        let query = self.query_to(from).expect("it was asked");
        let message = Message {
            transaction: Message::parse(&query).unwrap().transaction,
            body: Body::Reply(reply),
            version: Some(b"XX\x01\x02"),
            external,
            read_only: false,
        };
        self.receive(from, &message);
    }
}

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn reply(bytes: &[u8]) -> Reply<'_> {
    match Message::parse(bytes).unwrap().body {
        Body::Reply(reply) => reply,
        other => panic!("{other:?} is no reply"),
    }
}

fn failure(bytes: &[u8]) -> i64 {
    match Message::parse(bytes).unwrap().body {
        Body::Failure(failure) => failure.code,
        other => panic!("{other:?} is no failure"),
    }
}

fn announce(token: &[u8], port: u16, implied: bool) -> Ask<'_> {
    Ask::AnnouncePeer {
        info_hash: HASH,
        port,
        implied,
        token,
    }
}

const INSIDE: [&str; 5] = [
    "127.0.0.1:6881",
    "10.0.0.1:1",
    "192.168.1.1:80",
    "224.0.0.5:5",
    "169.254.1.1:1",
];

#[test]
fn no_public_node_has_us_write_to_local_hosts_or_flood_one_host() {
    let mut bench = Bench::new();
    let want = Want {
        port: None,
        implied: false,
        is_urgent: true,
    };
    let host = addr("203.0.113.7:6881");
    bench.dht.add_contact(host);
    for bad in ["127.0.0.1:0", "224.0.0.1:9", "[ff02::1]:1"] {
        bench.dht.add_contact(addr(bad));
    }
    bench.dht.want(HASH, want, bench.now);
    bench.turn();
    let (mut nodes, mut values) = (Vec::new(), Vec::new());
    for (number, place) in INSIDE.into_iter().enumerate() {
        let id = NodeId([number as u8; 20]);
        pack_node(
            &NodeInfo {
                id,
                addr: addr(place),
            },
            &mut nodes,
        );
        pack_value(addr(place), &mut values);
    }
    let victim = |port: u16| addr(&format!("198.51.100.66:{port}"));
    for port in 1..=11 {
        let id = NodeId([port as u8 + 100; 20]);
        pack_node(
            &NodeInfo {
                id,
                addr: victim(port),
            },
            &mut nodes,
        );
    }
    let named = Reply {
        nodes: Some(&nodes),
        values: Some(Values(&values)),
        ..Reply::bare(THEM)
    };
    bench.answer(host, named, None);
    bench.run(Duration::from_secs(4 * 60));
    assert!(
        !bench
            .said
            .iter()
            .any(|said| matches!(said, Output::Peers { .. }))
    );
    let to = |addr: SocketAddr| {
        bench
            .sent
            .iter()
            .filter(|(to, _)| to.ip() == addr.ip())
            .count()
    };
    for place in INSIDE {
        assert_eq!(to(addr(place)), 0, "{place}");
    }
    assert!(
        (1..=2).contains(&to(victim(1))),
        "asked, silent, left alone: {}",
        to(victim(1))
    );
}

#[test]
fn an_answer_that_nobody_asked_for_changes_nothing() {
    let mut bench = Bench::new();
    let host = addr("203.0.113.7:6881");
    bench.dht.add_contact(host);
    bench.turn();
    let query = bench.query_to(host).unwrap();
    let transaction = Message::parse(&query).unwrap().transaction.to_vec();
    for (from, transaction) in [
        (addr("203.0.113.8:6881"), &transaction[..]),
        (addr("203.0.113.7:6882"), &transaction),
        (host, b"none"),
        (host, b""),
    ] {
        let message = Message {
            transaction,
            body: Body::Reply(Reply::bare(THEM)),
            version: None,
            external: Some(addr("198.51.100.9:1")),
            read_only: false,
        };
        bench.receive(from, &message);
        assert_eq!(bench.dht.nodes(), 0);
    }
    for junk in [&b"d"[..], b"", b"d1:y1:re", &[b'd'; 60_000], &[b'l'; 9_000]] {
        bench.dht.receive(host, junk, bench.now);
        bench.turn();
    }
    bench.answer(host, Reply::bare(THEM), None);
    assert_eq!(bench.dht.nodes(), 1);
}

#[test]
fn the_id_follows_the_address_that_several_networks_see() {
    let mut bench = Bench::new();
    let seen = addr("198.51.100.9:6881");
    let first = bench.dht.id(Family::V4).unwrap();
    for number in 1..=limits::DHT_VOTES as u8 {
        assert_eq!(bench.dht.id(Family::V4), Some(first), "{number} votes");
        let host: SocketAddr = ([203, 0, number, 7], 6881).into();
        bench.dht.add_contact(host);
        bench.wait_for_query(host);
        bench.answer(host, Reply::bare(NodeId([number; 20])), Some(seen));
    }
    let id = bench.dht.id(Family::V4).unwrap();
    assert!(id != first && secure_id::fits(&id, seen.ip()));
    assert_eq!(bench.dht.nodes(), limits::DHT_VOTES, "the nodes are kept");
    let saved = bench.dht.saved();
    assert_eq!(saved.id4, Some(id));
    assert!(!saved.nodes.is_empty() && saved.nodes.len() <= limits::DHT_SAVED);
}

#[test]
fn a_querier_is_asked_back_before_it_gets_a_place() {
    let mut bench = Bench::new();
    let from = addr("203.0.113.7:6881");
    for read_only in [true, false] {
        let message = Message {
            transaction: b"xy",
            body: Body::Query(Query {
                id: THEM,
                ask: Ask::Ping,
                want: None,
            }),
            version: None,
            external: None,
            read_only,
        };
        bench.sent.clear();
        bench.receive(from, &message);
        bench.run(Duration::from_millis(300));
        let asked: Vec<_> = bench
            .sent
            .iter()
            .filter(|(_, bytes)| bytes.starts_with(b"d1:ad"))
            .collect();
        assert_eq!(asked.len(), usize::from(!read_only), "BEP 43");
        assert_eq!(bench.dht.nodes(), 0);
    }
    bench.answer(from, Reply::bare(THEM), None);
    assert_eq!(bench.dht.nodes(), 1);
}

#[test]
fn an_unreachable_node_is_read_only() {
    let mut bench = Bench::new();
    let host = addr("203.0.113.7:6881");
    bench.dht.add_contact(host);
    bench.run(Duration::from_secs(1));
    let is_read_only = |bench: &Bench| {
        Message::parse(&bench.query_to(host).unwrap())
            .unwrap()
            .read_only
    };
    assert!(!is_read_only(&bench));
    bench.run(limits::DHT_UNREACHED + limits::DHT_ANNOUNCE);
    bench.sent.clear();
    bench.wait_for_query(host);
    assert!(is_read_only(&bench));
    let answer = bench.ask(host, Ask::Ping, None);
    assert_eq!(answer, None, "it came by a way that we opened");
    bench.ask(addr("198.51.100.1:5"), Ask::Ping, None).unwrap();
    bench.run(limits::DHT_ANNOUNCE + Duration::from_secs(60));
    assert!(!is_read_only(&bench));
    bench.dht.only_read();
    let answer = bench.ask(addr("198.51.100.1:5"), Ask::Ping, None);
    assert_eq!(answer, None, "one that is gone soon");
}

#[test]
fn reports_are_bounded() {
    let mut bench = Bench::new();
    bench.dht.watch(true);
    let want = Want {
        port: None,
        implied: false,
        is_urgent: true,
    };
    for number in 0..=255 {
        bench.dht.add_contact(([203, 0, number, 7], 6881).into());
        bench.dht.want(InfoHash([number; 20]), want, bench.now);
    }
    // Nobody takes them.
    for _ in 0..10_000 {
        bench.now = bench.dht.next_deadline().unwrap();
        bench.dht.turn(bench.now);
    }
    let mut reports = 0;
    while let Some(output) = bench.dht.next_output() {
        reports += usize::from(matches!(output, Output::Report(_)));
    }
    assert_eq!(reports, limits::DHT_REPORTS);
}
