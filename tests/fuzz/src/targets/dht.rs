//! The DHT machine: strangers that send anything, answers to what it asks, torrents that come and
//! go, and time.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::super::script::Script;
use brooklet::base::{Duration, InfoHash, NodeId, Reach, Rng, Time, limits};
use brooklet::dht::{Config, Dht, Output, Saved, Want};
use brooklet::wire::Family;
use brooklet::wire::krpc::{Body, Message, NodeInfo, Reply, Values, pack_node, pack_value};

/// Queries that were sent and may still be answered.
const OPEN: usize = 64;

/// Fails where a promise is broken.
pub fn run(data: &[u8]) {
    let script = &mut Script::new(data);
    let mut now = Time::from_micros(1_000_000);
    let saved = Saved::read(script.bytes()).unwrap_or_default();
    let config = Config {
        v4: true,
        v6: script.flag(),
        saved,
    };
    let mut dht = Dht::new(config, 1, Rng::from_seed(script.byte().into()), now);
    dht.watch(script.flag());
    let mut open = VecDeque::new();
    let mut sent = Vec::new();
    while let Some(step) = script.step() {
        match step % 8 {
            0 => dht.receive(addr(script), script.bytes(), now),
            1 => dht.add_contact(addr(script)),
            2 => dht.want(hash(script), want(script), now),
            3 => dht.unwant(hash(script)),
            4 => now = now + Duration::from_millis(u64::from(script.short()) * 10),
            5 => now = dht.next_deadline().map_or(now, |due| due.max(now)),
            _ => answer(script, &mut dht, &mut open, now),
        }
        settle(&mut dht, &mut open, &mut sent, now);
    }
    assert!(dht.nodes() <= 2 * 2_000);
    let saved = dht.saved();
    assert_eq!(Saved::read(saved.write().as_bytes()), Ok(saved));
}

/// One of the queries is answered: by a node that may be honest, or name anybody.
fn answer(
    script: &mut Script<'_>,
    dht: &mut Dht,
    open: &mut VecDeque<(SocketAddr, Vec<u8>)>,
    now: Time,
) {
    let place = script.below(open.len());
    let Some((to, query)) = open.remove(place) else {
        return;
    };
    let Ok(query) = Message::parse(&query) else {
        panic!("what it sends can be read");
    };
    let (mut nodes, mut nodes6, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..script.below(12) {
        let (id, addr) = (NodeId(hash(script).0), addr(script));
        let list = if addr.is_ipv4() {
            &mut nodes
        } else {
            &mut nodes6
        };
        pack_node(&NodeInfo { id, addr }, list);
        pack_value(addr, &mut values);
    }
    let reply = Reply {
        nodes: script.flag().then_some(&nodes),
        nodes6: script.flag().then_some(&nodes6),
        values: script.flag().then_some(Values(&values)),
        token: script.flag().then(|| script.bytes()),
        ..Reply::bare(NodeId(hash(script).0))
    };
    let message = Message {
        body: Body::Reply(reply),
        external: script.flag().then(|| addr(script)),
        read_only: script.byte() & 7 == 7,
        ..query
    };
    let mut bytes = Vec::new();
    message.encode(&mut bytes);
    let from = if script.byte() & 7 == 7 {
        addr(script)
    } else {
        to
    };
    dht.receive(from, &bytes, now);
}

/// What is due is done, and what it sends is looked at.
fn settle(
    dht: &mut Dht,
    open: &mut VecDeque<(SocketAddr, Vec<u8>)>,
    sent: &mut Vec<Time>,
    now: Time,
) {
    dht.turn(now);
    while let Some(output) = dht.next_output() {
        match output {
            Output::Datagram { to, bytes } => {
                assert!(to.port() != 0 && Reach::of(to.ip()) != Reach::Nowhere);
                assert!(bytes.len() < 1_400, "it fits a packet");
                let message = Message::parse(&bytes).expect("what it sends can be read");
                if let Body::Query(_) = message.body {
                    sent.push(now);
                    open.push_back((to, bytes));
                }
            }
            Output::Peers { peers, .. } => {
                assert!(peers.iter().all(|peer| peer.port() != 0));
                assert!(!peers.is_empty() && peers.len() <= limits::KRPC_PEERS);
            }
            Output::Looked(summary) => assert!(summary.answers <= summary.queries),
            Output::Report(_) => {}
        }
    }
    sent.retain(|&at| now.since(at) < Duration::from_secs(1));
    assert!(sent.len() <= limits::DHT_QUERIES, "the pace is kept");
    while open.len() > OPEN {
        open.pop_front();
    }
    let due = dht.next_deadline();
    assert!(
        due.is_none_or(|due| due > now),
        "a deadline that is past does not go away"
    );
    for family in [Family::V4, Family::V6] {
        let _ = dht.id(family);
    }
}

/// Few addresses, so that they meet again: public ones of several networks, and local ones.
fn addr(script: &mut Script<'_>) -> SocketAddr {
    let (kind, number) = (script.below(8), script.byte());
    let port = u16::from(script.byte() & 3) * 1_000;
    let ip = match kind {
        0 => [127, 0, 0, number].into(),
        1 => [10, 0, number, 1].into(),
        2 => [224, 0, 0, number].into(),
        3 => std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, number.into(), 0, 0, 0, 1).into(),
        4 => [60, 1, 1, number].into(),
        _ => std::net::IpAddr::from([70, number, 1, 1]),
    };
    (ip, port).into()
}

/// Few info hashes and ids, some of them near to each other.
fn hash(script: &mut Script<'_>) -> InfoHash {
    let mut hash = [0; 20];
    (hash[0], hash[1]) = (script.byte(), script.byte() & 3);
    InfoHash(hash)
}

fn want(script: &mut Script<'_>) -> Want {
    Want {
        port: script.flag().then_some(6881),
        implied: script.flag(),
        is_urgent: script.flag(),
    }
}
