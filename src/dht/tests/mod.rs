//! The machine as a whole: what it answers, what it asks, what it lets itself be told.

use std::net::SocketAddr;

use super::{Config, Dht, Event, Output, Saved, Want, secure_id};
use crate::base::id::InfoHash;
use crate::base::limits;
use crate::base::node_id::NodeId;
use crate::base::rng::Rng;
use crate::base::time::{Duration, Now};
use crate::wire::compact::Family;
use crate::wire::krpc::{
    Ask, Body, Message, NodeInfo, Query, Reply, Values, Want as Families, pack_node, pack_value,
};

/// One machine, and what it sent.
struct Bench {
    dht: Dht,
    now: Now,
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
        let now = Now::from_micros(9_000_000);
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
        self.sent.clear();
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

#[test]
fn every_query_is_answered_with_its_transaction_and_its_senders_address() {
    let mut bench = Bench::new();
    let from = addr("203.0.113.7:4444");
    for ask in [
        Ask::Ping,
        Ask::FindNode(THEM),
        Ask::GetPeers(HASH),
        Ask::SampleInfohashes(THEM),
    ] {
        let answer = bench.ask(from, ask, None).expect("it answers");
        let message = Message::parse(&answer).unwrap();
        assert_eq!(message.transaction, b"xy");
        assert_eq!(message.external, Some(from));
        let reply = reply(&answer);
        assert_eq!(Some(reply.id), bench.dht.id(Family::V4));
        assert_eq!(reply.token.is_some(), matches!(ask, Ask::GetPeers(_)));
        assert_eq!(reply.nodes.is_some(), !matches!(ask, Ask::Ping));
    }
    bench.sent.clear();
    bench.dht.receive(from, b"d1:ad2:id20:abcdefghij0123456789e1:q3:wow1:t1:z1:y1:qe", bench.now);
    bench.turn();
    assert_eq!(failure(&bench.sent.pop().unwrap().1), 204);
    let over_v6 = bench.ask(addr("[2001:db8::7]:4"), Ask::FindNode(THEM), None);
    assert_eq!(Some(reply(&over_v6.unwrap()).id), bench.dht.id(Family::V6));
}

#[test]
fn a_peer_is_stored_only_with_its_token_and_found_by_others() {
    let mut bench = Bench::new();
    let (from, other) = (addr("203.0.113.7:4444"), addr("198.51.100.1:5"));
    let answer = bench.ask(from, Ask::GetPeers(HASH), None).unwrap();
    let token = reply(&answer).token.unwrap().to_vec();
    for (who, token) in [(from, &b"wrong"[..]), (from, b""), (other, &token)] {
        let answer = bench.ask(who, announce(token, 1, false), None).unwrap();
        assert_eq!(failure(&answer), 203);
    }
    assert_eq!(bench.dht.stored_peers(), 0);
    reply(&bench.ask(from, announce(&token, 7000, false), None).unwrap());
    reply(&bench.ask(from, announce(&token, 7000, true), None).unwrap());
    let answer = bench.ask(other, Ask::GetPeers(HASH), None).unwrap();
    let mut peers: Vec<SocketAddr> = reply(&answer).values.unwrap().iter().collect();
    peers.sort();
    // BEP 5: with `implied_port` "the port argument should be ignored and the source port of the
    // UDP packet should be used as the peer's port instead".
    assert_eq!(peers, [addr("203.0.113.7:4444"), addr("203.0.113.7:7000")]);
    let answer = bench.ask(other, Ask::SampleInfohashes(THEM), None).unwrap();
    let samples = reply(&answer).samples.unwrap();
    assert_eq!(samples.iter().collect::<Vec<_>>(), [HASH]);
    assert_eq!((samples.count, samples.interval), (1, limits::DHT_SAMPLE_INTERVAL));
    let over_v6 = bench.ask(addr("[2001:db8::7]:4"), Ask::GetPeers(HASH), None);
    assert!(reply(&over_v6.unwrap()).values.is_none(), "IPv6 is another DHT");
}

#[test]
fn a_lookup_asks_announces_and_hands_over_peers() {
    let mut bench = Bench::new();
    bench.dht.watch(true);
    let want = Want {
        port: Some(6881),
        implied: true,
        is_urgent: true,
    };
    bench.dht.want(HASH, want, bench.now);
    bench.turn();
    assert!(bench.sent.is_empty(), "nobody is known");
    let (host, next) = (addr("203.0.113.7:6881"), addr("198.51.100.1:6881"));
    bench.dht.add_contact(host);
    bench.turn();
    let first = bench.query_to(host).unwrap();
    let asked = Message::parse(&first).unwrap();
    assert_eq!(asked.transaction.len(), 4, "what all clients answer");
    let Body::Query(query) = asked.body else {
        panic!("it asks");
    };
    assert_eq!(query.ask, Ask::GetPeers(HASH), "at once, with no other step before");
    let (mut nodes, mut values) = (Vec::new(), Vec::new());
    pack_node(&NodeInfo { id: NodeId(HASH.0), addr: next }, &mut nodes);
    pack_value(addr("192.0.2.55:99"), &mut values);
    let named = Reply {
        nodes: Some(&nodes),
        values: Some(Values(&values)),
        token: Some(b"tok1"),
        ..Reply::bare(THEM)
    };
    bench.now = bench.now + Duration::from_millis(30);
    bench.answer(host, named, None);
    let found = Output::Peers {
        info_hash: HASH,
        from: Some(host),
        peers: vec![addr("192.0.2.55:99")],
    };
    assert!(bench.said.contains(&found));
    let last = Reply { token: Some(b"tok2"), ..Reply::bare(NodeId(HASH.0)) };
    bench.answer(next, last, None);
    for (node, token) in [(host, b"tok1"), (next, b"tok2")] {
        let bytes = bench.query_to(node).unwrap();
        let Body::Query(query) = Message::parse(&bytes).unwrap().body else {
            panic!("it asks");
        };
        assert_eq!(query.ask, announce(token, 6881, true));
    }
    let summary = bench.said.iter().find_map(|output| match output {
        Output::Looked(summary) => Some(*summary),
        _ => None,
    });
    let summary = summary.unwrap();
    assert_eq!((summary.queries, summary.answers), (2, 2));
    assert_eq!((summary.peers, summary.announced), (1, 2));
    let reports: Vec<&Event> = bench
        .said
        .iter()
        .filter_map(|output| match output {
            Output::Report(report) if report.target == HASH.into() => Some(&report.event),
            _ => None,
        })
        .collect();
    let answered = Event::Answered {
        round_trip: Duration::from_millis(30),
        nodes: 1,
        peers: 1,
        client: Some("XX 1.2".into()),
    };
    assert_eq!(*reports[0], Event::Asked);
    assert!(reports.contains(&&answered) && reports.contains(&&Event::Announced));

    bench.dht.unwant(HASH);
    bench.sent.clear();
    bench.run(limits::DHT_ANNOUNCE * 3);
    let is_about = |bytes: &[u8]| bytes.windows(20).any(|part| part == HASH.0);
    assert!(!bench.sent.iter().any(|(_, bytes)| is_about(bytes)));
}

#[test]
fn nobody_outside_makes_it_write_inside_or_to_one_victim() {
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
    let inside = ["127.0.0.1:6881", "10.0.0.1:1", "192.168.1.1:80", "224.0.0.5:5", "169.254.1.1:1"];
    let (mut nodes, mut values) = (Vec::new(), Vec::new());
    for (number, place) in inside.into_iter().enumerate() {
        let id = NodeId([number as u8; 20]);
        pack_node(&NodeInfo { id, addr: addr(place) }, &mut nodes);
        pack_value(addr(place), &mut values);
    }
    let victim = |port: u16| addr(&format!("198.51.100.66:{port}"));
    for port in 1..=11 {
        let id = NodeId([port as u8 + 100; 20]);
        pack_node(&NodeInfo { id, addr: victim(port) }, &mut nodes);
    }
    let named = Reply {
        nodes: Some(&nodes),
        values: Some(Values(&values)),
        ..Reply::bare(THEM)
    };
    bench.answer(host, named, None);
    bench.run(Duration::from_secs(4 * 60));
    assert!(!bench.said.iter().any(|said| matches!(said, Output::Peers { .. })));
    let to = |addr: SocketAddr| bench.sent.iter().filter(|(to, _)| to.ip() == addr.ip()).count();
    for place in inside {
        assert_eq!(to(addr(place)), 0, "{place}");
    }
    assert!((1..=2).contains(&to(victim(1))), "asked, silent, left alone: {}", to(victim(1)));
}

#[test]
fn answers_to_strangers_are_short_and_few() {
    let mut bench = Bench::new();
    // A full store and some nodes.
    for number in 0..60_u16 {
        let from: SocketAddr = ([60, 1, number as u8, 1], 6881).into();
        let answer = bench.ask(from, Ask::GetPeers(HASH), None).unwrap();
        let token = reply(&answer).token.unwrap().to_vec();
        bench.ask(from, announce(&token, 1, false), None).unwrap();
        bench.now = bench.now + Duration::from_millis(100);
    }
    let stranger = addr("203.0.113.7:4444");
    bench.now = bench.now + Duration::from_secs(1);
    let want = Some(Families { v4: true, v6: true });
    for ask in [Ask::GetPeers(HASH), Ask::FindNode(THEM), Ask::SampleInfohashes(THEM)] {
        let answer = bench.ask(stranger, ask, want).unwrap();
        assert!(answer.len() <= 4 * 104, "{} bytes", answer.len());
    }
    let answer = bench.ask(stranger, Ask::GetPeers(HASH), None).unwrap();
    assert_eq!(reply(&answer).values.unwrap().iter().count(), limits::DHT_UNPROVED);

    bench.now = bench.now + Duration::from_secs(2);
    let mut answers = 0;
    for _ in 0..10_000 {
        answers += usize::from(bench.ask(stranger, Ask::GetPeers(HASH), want).is_some());
    }
    assert_eq!(answers, limits::DHT_ANSWERS_EACH.into());
    bench.now = bench.now + Duration::from_secs(2);
    let mut answers = 0;
    for number in 0..10_000_u16 {
        let [a, b] = number.to_be_bytes();
        let from = ([70, a, b, 1], 6881).into();
        answers += usize::from(bench.ask(from, Ask::Ping, None).is_some());
    }
    assert_eq!(answers, limits::DHT_ANSWERS.into());
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
fn saved_nodes_are_asked_first_and_hosts_when_they_are_silent() {
    let saved = addr("203.0.113.7:6881");
    let host = addr("198.51.100.1:6881");
    let mut bench = Bench::with(Saved {
        id4: Some(THEM),
        id6: None,
        nodes: vec![NodeInfo { id: NodeId([7; 20]), addr: saved }],
    });
    assert_eq!(bench.dht.id(Family::V4), Some(THEM));
    bench.dht.add_contact(host);
    let want = Want {
        port: None,
        implied: false,
        is_urgent: true,
    };
    bench.dht.want(HASH, want, bench.now);
    bench.turn();
    assert!(bench.query_to(saved).is_some() && bench.query_to(host).is_none());
    bench.run(limits::DHT_SLOW - Duration::from_millis(1));
    assert!(bench.query_to(host).is_none());
    bench.run(Duration::from_millis(1));
    assert!(bench.query_to(host).is_some());
}

#[test]
fn a_querier_is_asked_back_before_it_gets_a_place() {
    let mut bench = Bench::new();
    let from = addr("203.0.113.7:6881");
    for read_only in [true, false] {
        let message = Message {
            transaction: b"xy",
            body: Body::Query(Query { id: THEM, ask: Ask::Ping, want: None }),
            version: None,
            external: None,
            read_only,
        };
        bench.sent.clear();
        bench.receive(from, &message);
        bench.run(Duration::from_millis(300));
        let asked: Vec<_> = bench.sent.iter().filter(|(_, bytes)| bytes.starts_with(b"d1:ad")).collect();
        assert_eq!(asked.len(), usize::from(!read_only), "BEP 43");
        assert_eq!(bench.dht.nodes(), 0);
    }
    bench.answer(from, Reply::bare(THEM), None);
    assert_eq!(bench.dht.nodes(), 1);
}

#[test]
fn what_nobody_reaches_only_reads() {
    let mut bench = Bench::new();
    let host = addr("203.0.113.7:6881");
    bench.dht.add_contact(host);
    bench.run(Duration::from_secs(1));
    let is_read_only = |bench: &Bench| Message::parse(&bench.query_to(host).unwrap()).unwrap().read_only;
    assert!(!is_read_only(&bench));
    bench.run(limits::DHT_UNREACHED + limits::DHT_ANNOUNCE);
    assert!(is_read_only(&bench));
    bench.ask(addr("198.51.100.1:5"), Ask::Ping, None).unwrap();
    bench.run(limits::DHT_ANNOUNCE + Duration::from_secs(60));
    assert!(!is_read_only(&bench));
}

#[test]
fn reports_are_bounded() {
    let mut bench = Bench::new();
    bench.dht.watch(true);
    let want = Want { port: None, implied: false, is_urgent: true };
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
