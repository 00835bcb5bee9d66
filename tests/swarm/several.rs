//! Nodes with several torrents each: two sessions have a connection for each torrent that they
//! share, and each handshake says which one is meant.

use std::rc::Rc;

use brooklet::base::{Duration, Time};

use crate::world::disk::Source;
use crate::world::manners::Manners;
use crate::world::node::{Link, Role};
use crate::world::world::World;

const MIB: u64 = 1 << 20;

fn link(number: u64) -> Link {
    Link {
        up: MIB,
        down: 4 * MIB,
        latency: Duration::from_millis(1 + 7 * (number % 20)),
        natted: number % 5 == 4,
        side: true,
    }
}

/// Adds a node with these torrents.
fn add(world: &mut World, source: &Rc<Source>, role: Role, torrents: &[u32]) -> usize {
    let number = world.nodes.len() as u64;
    let joins = Time::from_micros(number * 100_000);
    let node = world.add(role, Manners::Honest, link(number), joins);
    world.nodes[node].shares.clear();
    for &torrent in torrents {
        world.nodes[node].takes(torrent, source);
    }
    node
}

#[test]
fn two_nodes_have_a_connection_for_each_torrent() {
    let source = Source::new(32 << 20, 256 << 10);
    let mut world = World::new(&source, 1);
    world.strict = true;
    let seed = add(&mut world, &source, Role::Seed, &[0, 1]);
    let client = add(&mut world, &source, Role::Client(None), &[1, 0]);
    world.run_until(Time::from_micros(5_000_000));
    assert_eq!(world.nodes[seed].links.len(), 2);
    let verified = world.nodes[client].shares.iter();
    let verified: Vec<u32> = verified.map(|share| share.verified.count()).collect();
    assert!(
        verified.iter().all(|&verified| verified > 2),
        "both go on: {verified:?}"
    );
    world.run(Duration::from_secs(300));
}

#[test]
fn a_swarm_of_nodes_with_two_torrents_or_one() {
    for seed in 1..=3 {
        for rough in [false, true] {
            let source = Source::new(4 << 20, 64 << 10);
            let mut world = World::new(&source, seed);
            (world.rough, world.strict) = (rough, true);
            for torrents in [&[0, 1][..], &[1]] {
                add(&mut world, &source, Role::Seed, torrents);
            }
            let kinds = [&[0, 1][..], &[1, 0], &[0], &[1], &[0, 1, 2]];
            for torrents in kinds.iter().cycle().take(20) {
                let client = add(&mut world, &source, Role::Client(None), torrents);
                let slow = rough && client % 3 == 0;
                world.nodes[client].disk_rate = slow.then_some(200 << 10);
            }
            add(&mut world, &source, Role::Seed, &[2]);
            world.run(Duration::from_secs(600));
            for node in &world.nodes {
                assert!(node.shares.iter().all(|share| share.verified.all()));
            }
        }
    }
}

/// Each node sleeps between its neighbours' visits: whoever calls waits until it is awake, and what
/// is downloaded is whole.
#[test]
fn sleeping_seeds_serve_every_peer_that_connects() {
    for seed in 1..=3 {
        for rough in [false, true] {
            let source = Source::new(2 << 20, 64 << 10);
            let mut world = World::new(&source, seed);
            (world.rough, world.strict, world.sleepy) = (rough, true, true);
            let first = add(&mut world, &source, Role::Seed, &[0, 1, 2]);
            // One comes after the other has gone, and long after that two at the same time.
            let comes = [5, 20, 400, 400, 401, 900];
            for (place, seconds) in comes.into_iter().enumerate() {
                let torrents: &[u32] = [&[0][..], &[0, 1], &[2, 0]][place % 3];
                let joins = Time::from_micros(seconds * 1_000_000);
                let stays = Role::Client(Some(Duration::from_secs(10)));
                let client = world.add(stays, Manners::Honest, link(place as u64), joins);
                world.nodes[client].shares.clear();
                for &torrent in torrents {
                    world.nodes[client].takes(torrent, &source);
                }
            }
            world.run(Duration::from_secs(1800));
            for node in &world.nodes {
                assert!(node.shares.iter().all(|share| share.verified.all()));
            }
            let slept = world.nodes[first].slept;
            assert!(
                slept >= 7,
                "each torrent sleeps before, between and after: {slept}"
            );
        }
    }
}
