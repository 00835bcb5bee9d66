//! Encrypted connections: a swarm of clients with every setting, of which some cannot speak with
//! each other, completes, and those that allow encryption find it out by themselves.

use brooklet::base::{Duration, Time};
use brooklet::mse::Encryption;

use crate::world::disk::Source;
use crate::world::manners::Manners;
use crate::world::node::{Link, Role};
use crate::world::world::World;

/// A seed and four clients of each setting, all of which the tracker names, and the seconds until
/// all have everything.
fn run(seed: u64, settings: &[Encryption], rough: bool) -> (World, u64) {
    let source = Source::new(1 << 20, 64 << 10);
    let mut world = World::new(&source, seed);
    world.rough = rough;
    let link = |place: usize| Link {
        up: 256 << 10,
        down: 1 << 20,
        latency: Duration::from_millis(10 + place as u64),
        natted: false,
        side: false,
    };
    world.add(Role::Seed, Manners::Honest, link(0), Time::default());
    for place in 0..4 * settings.len() {
        let joins = Time::from_micros(place as u64 * 100_000);
        world.add(Role::Client(None), Manners::Honest, link(place), joins);
    }
    for (place, node) in world.nodes.iter_mut().enumerate() {
        node.encryption = match place.checked_sub(1) {
            None => Encryption::Allow,
            Some(client) => settings[client % settings.len()],
        };
    }
    world.run(Duration::from_secs(1800));
    let all = world.nodes[1..].iter().all(|node| node.fate.done.is_some());
    assert!(all, "{settings:?}, seed {seed}");
    let done = world.nodes.iter().filter_map(|node| node.fate.done).max();
    let seconds = done.unwrap().since(Time::default()).as_secs();
    (world, seconds)
}

/// The most that one node sent to another whose setting has no form in common with its own.
fn between_strangers(world: &World) -> u64 {
    let sent = world.nodes.iter().flat_map(|node| {
        let others = node.sent_to.iter();
        others.filter_map(|(other, bytes)| {
            let (ours, theirs) = (node.encryption, world.nodes[*other].encryption);
            let plain = ours.takes_plain() && theirs.takes_plain();
            let encrypted = ours.takes_encrypted() && theirs.takes_encrypted();
            (!plain && !encrypted).then_some(*bytes)
        })
    });
    sent.max().unwrap_or(0)
}

#[test]
fn a_swarm_of_all_settings_completes() {
    let all = Encryption::ALL.map(|(_, setting)| setting);
    for seed in 1..=3 {
        let (world, seconds) = run(seed, &all, seed == 3);
        assert!(seconds <= 90, "{seconds} s");
        // Handshakes that were refused, again and again, and no block.
        let stray = between_strangers(&world);
        assert!(stray < 16 << 10, "{stray} bytes");
    }
}

#[test]
fn a_seed_that_allows_encryption_serves_those_that_require_it_as_fast() {
    let (_, plain) = run(7, &[Encryption::Allow], false);
    let (_, encrypted) = run(7, &[Encryption::Require], false);
    assert!(encrypted <= plain + 5, "{encrypted} s, plain {plain} s");
}
