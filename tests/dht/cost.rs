//! What it costs to be a node: bytes of upkeep, bursts of announces. Memory: `tests/finding/cost.rs`.

use brooklet::base::{Duration, InfoHash, Time, limits};
use brooklet::dht::Output;

use crate::lookups::Scenario;
use crate::world::{Kind, World};

fn world(nodes: usize) -> World {
    let scenario = Scenario {
        name: "",
        nodes,
        dead: 0,
        hidden: 0,
        liars: 0,
        liar: Kind::Liar,
        tries: 0,
    };
    scenario.build(3)
}

/// An idle node with a full table sends less than 100 bytes a second, headers of IP and UDP
/// included, its answers aside.
#[test]
fn an_idle_node_costs_little_traffic() {
    let mut world = world(300);
    world.run(limits::DHT_QUESTIONABLE);
    let asked = |world: &World| -> u64 { world.nodes.iter().map(|node| node.asked.1).sum() };
    let before = asked(&world);
    let span = Duration::from_secs(900);
    world.run(span);
    let each = (asked(&world) - before) as f64 / world.nodes.len() as f64 / span.as_secs_f64();
    println!("{each:.1} bytes a second");
    assert!(each < 100.0, "{each} bytes a second");
    let known = world.nodes.iter().map(|node| node.dht.nodes()).min();
    assert!(known > Some(80), "tables stay full: {known:?}");
}

/// "1,000 torrents announce to the DHT without a burst over 50 packets/s", each every quarter of an
/// hour.
#[test]
fn a_thousand_torrents_announce_without_a_burst() {
    let mut world = world(80);
    let hashes: Vec<InfoHash> = (0..1_000)
        .map(|number: u64| {
            let mut hash = [0; 20];
            for (place, byte) in hash.iter_mut().enumerate() {
                *byte = (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (place % 8 * 8)) as u8;
            }
            InfoHash(hash)
        })
        .collect();
    world.keeps_times = true;
    world.nodes[5].said.clear();
    for &hash in &hashes {
        world.want(5, hash, Some(6881));
    }
    let start = world.now;
    world.run(Duration::from_secs(2_000));
    let node = &world.nodes[5];
    let times = &node.asked_at;
    for (place, &at) in times.iter().enumerate() {
        let second = Duration::from_secs(1);
        let within = times[place..]
            .iter()
            .take_while(|&&other| other.since(at) < second);
        assert!(within.count() <= limits::DHT_QUERIES, "at {at:?}");
    }
    // Each lookup's end: the first within the first quarter of an hour, and so on.
    let mut ends = std::collections::BTreeMap::<InfoHash, Vec<Time>>::new();
    for (at, output) in &node.said {
        if let Output::Looked(summary) = output {
            assert!(summary.announced > 0);
            ends.entry(summary.info_hash).or_default().push(*at);
        }
    }
    assert_eq!(ends.len(), 1_000);
    let most = limits::DHT_ANNOUNCE + Duration::from_secs(120);
    for times in ends.values() {
        let all = std::iter::once(&start).chain(times);
        let gaps: Vec<Duration> = all
            .clone()
            .zip(times)
            .map(|(one, next)| next.since(*one))
            .collect();
        assert!(gaps.iter().all(|&gap| gap <= most), "{gaps:?}");
    }
    let sent = times.len() as f64 / 2_000.0;
    println!("{sent:.1} packets a second");
}
