//! Strangers that mean no good: floods, and answers that point elsewhere.

use std::net::SocketAddr;

use brooklet::base::{Duration, InfoHash, NodeId, Rng, limits};
use brooklet::wire::Family;
use brooklet::wire::krpc::{Ask, Body, Message, Query};

use crate::lookups::Scenario;
use crate::world::{Kind, World};

fn world() -> World {
    let scenario = Scenario {
        name: "",
        nodes: 100,
        dead: 0,
        hidden: 0,
        liars: 0,
        liar: Kind::Liar,
        tries: 0,
    };
    scenario.build(4)
}

fn query(ask: Ask<'_>, rng: &mut Rng) -> Vec<u8> {
    let message = Message {
        transaction: b"flod",
        body: Body::Query(Query {
            id: NodeId::random(rng),
            ask,
            want: None,
        }),
        version: None,
        external: None,
        read_only: false,
    };
    let mut bytes = Vec::new();
    message.encode(&mut bytes);
    bytes
}

/// Ten thousand queries a second from one address, and announces with made-up tokens, for ten
/// seconds: they get their few answers, and everything else goes on.
#[test]
fn a_flood_from_one_address_is_bounded() {
    let mut world = world();
    let mut rng = Rng::from_seed(9);
    let from: SocketAddr = "203.0.113.5:6881".parse().unwrap();
    let hash = InfoHash([7; 20]);
    world.want(50, hash, Some(6881));
    let (sent, nodes) = (world.nodes[10].sent, world.nodes[10].dht.nodes());
    let seconds = 10;
    for number in 0..seconds * 10_000 {
        let token = rng.bits64().to_be_bytes();
        let ask = match number % 3 {
            0 => Ask::Ping,
            1 => Ask::GetPeers(hash),
            _ => Ask::AnnouncePeer {
                info_hash: hash,
                port: 1,
                implied: false,
                token: &token,
            },
        };
        let bytes = query(ask, &mut rng);
        world.inject(10, from, &bytes);
        world.run(Duration::from_micros(100));
    }
    let node = &world.nodes[10];
    let packets = node.sent.0 - sent.0;
    let most = (seconds + 1) * (u64::from(limits::DHT_ANSWERS_EACH) + 20);
    assert!(packets <= most, "{packets} packets in {seconds} s");
    assert!(world.lost[&from] <= (seconds + 1) * u64::from(limits::DHT_ANSWERS_EACH) + 10);
    assert_eq!(
        node.dht.stored_peers(),
        usize::from(node.dht.stored_peers() > 0)
    );
    assert!(node.dht.nodes() >= nodes, "nobody was driven out");
    let next = InfoHash(NodeId::random(&mut rng).0);
    world.want(10, next, None);
    world.run(Duration::from_secs(5));
    let looked = world.nodes[10].said.iter().any(|(_, said)| {
        matches!(said, brooklet::dht::Output::Looked(summary) if summary.info_hash == next && summary.answers >= 8)
    });
    assert!(looked, "it still looks things up");
}

/// A flood from everywhere, of queries and of junk: memory and answers are bounded.
#[test]
fn a_flood_from_everywhere_is_bounded() {
    let mut world = world();
    let mut rng = Rng::from_seed(11);
    let own = world.nodes[10].dht.id(Family::V4).unwrap();
    let sent = world.nodes[10].sent;
    let seconds = 5;
    for number in 0..seconds * 10_000_u64 {
        let [a, b, c, d] = rng.bits32().to_be_bytes();
        let from = ([20 + a % 60, b, c, d], 6881).into();
        let mut bytes = query(Ask::FindNode(own.random_sharing(30, &mut rng)), &mut rng);
        if number % 2 == 0 {
            let place = rng.below(bytes.len() as u64) as usize;
            bytes[place] = rng.below(256) as u8;
        }
        world.inject(10, from, &bytes);
        world.run(Duration::from_micros(100));
    }
    let node = &world.nodes[10];
    let packets = node.sent.0 - sent.0;
    let each_second = u64::from(limits::DHT_ANSWERS) + 10;
    assert!(packets <= (seconds + 1) * each_second, "{packets} packets");
    assert!(node.dht.nodes() < 1_000);
}

/// Nodes that announce with real tokens, again and again, from many addresses: what is stored is
/// bounded.
#[test]
fn what_is_stored_is_bounded() {
    let mut world = world();
    let mut rng = Rng::from_seed(12);
    for number in 0..600_u32 {
        world.want(
            (number % 90) as usize,
            InfoHash(NodeId::random(&mut rng).0),
            Some(1),
        );
    }
    world.run(Duration::from_secs(600));
    let stored: usize = world.nodes.iter().map(|node| node.dht.stored_peers()).sum();
    assert!(stored >= 600, "they are stored: {stored}");
    assert!(
        world
            .nodes
            .iter()
            .all(|node| node.dht.stored_peers() <= limits::DHT_PEERS)
    );
}
