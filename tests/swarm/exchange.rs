//! Peer exchange (BEP 11): a swarm whose tracker names one peer only finds together all the same.

use brooklet::base::{Duration, Time};

use crate::world::disk::Source;
use crate::world::manners::Manners;
use crate::world::node::{Link, Role};
use crate::world::world::World;

/// Clients of a slow seed, of which the last ones cannot be dialed, and the seconds that they take.
/// `pex`: they tell each other of others.
fn run(seed: u64, pex: bool, natted: usize) -> (World, u64) {
    let source = Source::new(2 << 20, 64 << 10);
    let mut world = World::new(&source, seed);
    world.strict = true;
    let link = |place: usize, natted: bool| Link {
        up: 128 << 10,
        down: 1 << 20,
        latency: Duration::from_millis(10 + place as u64),
        natted,
        side: false,
    };
    let first = world.add(Role::Seed, Manners::Honest, link(0, false), Time::default());
    world.tracker.only = Some(world.nodes[first].addr);
    for place in 0..20 {
        let link = link(place, place >= 20 - natted);
        let joins = Time::from_micros(place as u64 * 100_000);
        world.add(Role::Client(None), Manners::Honest, link, joins);
    }
    world.nodes.iter_mut().for_each(|node| node.pex = pex);
    world.run(Duration::from_secs(1800));
    let done = world.nodes.iter().filter_map(|node| node.fate.done).max();
    let seconds = done.unwrap().since(Time::default()).as_secs();
    (world, seconds)
}

#[test]
fn peers_find_each_other_though_the_tracker_names_one_only() {
    for seed in 1..=3 {
        let (_, slow) = run(seed, false, 0);
        let (_, fast) = run(seed, true, 0);
        // Sixteen seconds are what the seed needs to send everything once.
        assert!(fast <= 48, "{fast} s");
        assert!(
            slow >= 240,
            "without it everybody gets all of the seed: {slow} s"
        );
    }
}

/// Peers that cannot be dialed learn of those that can.
#[test]
fn who_cannot_be_dialed_dials_others() {
    let (world, seconds) = run(4, true, 10);
    assert!(seconds <= 60, "{seconds} s");
    for node in world.nodes.iter().filter(|node| node.link.natted) {
        let from_others = world.nodes[1..]
            .iter()
            .filter_map(|it| it.sent_to.get(&node.number));
        let got: u64 = from_others.sum();
        assert!(got > 1 << 20, "node {}: {got} bytes", node.number);
    }
}
