//! A limited rate is shared: whoever waits for it gets at least half of an equal share within
//! thirty seconds, at any limit, while seeding and while downloading, in both directions. With more
//! peers than upload slots, so does each of them in its turn.

use std::rc::Rc;

use brooklet::base::{Bits, Duration, Time, Totals, limits};
use brooklet::torrent::Snapshot;

use crate::world::disk::Source;
use crate::world::manners::Manners;
use crate::world::node::{Link, Role};
use crate::world::world::World;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
/// Limits in bytes a second.
const RATES: [u64; 5] = [10 * KIB, 50 * KIB, 200 * KIB, MIB, 10 * MIB];
const HALF_A_MINUTE: u64 = 30;

/// A place with a fast line, whose number makes the way to it longer.
fn link(number: u64, natted: bool) -> Link {
    Link {
        up: 200 * MIB,
        down: 200 * MIB,
        latency: Duration::from_millis(1 + 7 * number),
        natted,
        side: true,
    }
}

fn second(number: u64) -> Time {
    Time::from_micros(number * 1_000_000)
}

/// Content that nobody has whole before the time is over, in pieces of `piece` KiB.
fn content(each: u64, piece: u32) -> Rc<Source> {
    let bytes = each + each / 4 + 2 * MIB;
    Source::new(bytes.next_multiple_of(MIB) as u32, piece * 1024)
}

/// Asserts that nobody is below half of an equal share, and that no less flows than may.
fn assert_shared(shares: &[u64], allowed: u64, what: &str) {
    let sum: u64 = shares.iter().sum();
    let equal = sum / shares.len() as u64;
    let least = *shares.iter().min().expect("there is somebody");
    assert!(2 * least >= equal, "{what}: {shares:?}");
    assert!(sum >= allowed * 8 / 10, "{what}: {sum} of {allowed}");
}

/// A seed with this limit and so many clients that want everything and know nobody else, for so
/// many seconds.
fn seeding(rate: u64, clients: u64, seconds: u64) -> World {
    let source = content(rate * seconds / clients.min(5), 256);
    let mut world = World::new(&source, rate);
    let seed = world.add(Role::Seed, Manners::Honest, link(0, false), second(0));
    world.nodes[seed].limits.1 = Some(rate);
    for number in 1..=clients {
        world.add(
            Role::Client(None),
            Manners::Honest,
            link(number, true),
            second(1),
        );
    }
    world
}

#[test]
fn a_seed_shares_its_upload_limit() {
    for rate in RATES {
        let mut world = seeding(rate, 4, HALF_A_MINUTE);
        world.run_until(second(2 + HALF_A_MINUTE));
        let shares: Vec<u64> = world.nodes[0].sent_to.values().copied().collect();
        assert_eq!(shares.len(), 4);
        assert_shared(&shares, rate * HALF_A_MINUTE, &format!("{rate} B/s"));
    }
}

#[test]
fn a_seed_serves_more_peers_than_it_has_slots_each_in_turn() {
    for rate in [10 * KIB, 50 * KIB, 150 * KIB] {
        // Five are served at a time and one makes room for another in each round: all were there
        // within as many rounds.
        let (clients, rounds) = (10, 40);
        let seconds = rounds * limits::CHOKE_ROUND.as_secs();
        let mut world = seeding(rate, clients, seconds);
        world.run_until(second(2 + seconds));
        let shares: Vec<u64> = world.nodes[0].sent_to.values().copied().collect();
        assert_eq!(shares.len(), clients as usize);
        assert_shared(&shares, rate * seconds, &format!("{rate} B/s"));
    }
}

#[test]
fn a_peer_that_cannot_take_its_share_leaves_it_to_the_others() {
    let rate = 400 * KIB;
    let mut world = seeding(rate, 4, HALF_A_MINUTE);
    world.nodes[1].link.down = 20 * KIB;
    world.run_until(second(2 + HALF_A_MINUTE));
    let mut shares = world.nodes[0].sent_to.clone();
    let (slow, of_line) = (shares.remove(&1), 20 * KIB * HALF_A_MINUTE);
    assert!(slow >= Some(of_line * 9 / 10), "{slow:?} of {of_line}");
    let shares: Vec<u64> = shares.into_values().collect();
    assert_shared(&shares, (rate - 20 * KIB) * HALF_A_MINUTE, "the others");
}

/// At higher limits there is not enough content to give for half a minute: see `tests/upload.rs`.
#[test]
fn downloaders_share_their_upload_limits_with_each_other() {
    for rate in RATES.into_iter().filter(|&rate| rate <= MIB) {
        let seconds = HALF_A_MINUTE;
        let source = content(rate * seconds * 4 / 3, 256);
        let pieces = source.geometry.pieces();
        let mut world = World::new(&source, rate);
        for n in 0..4 {
            let added = world.add(
                Role::Client(None),
                Manners::Honest,
                link(n, false),
                second(n),
            );
            let node = &mut world.nodes[added];
            node.limits.1 = Some(rate);
            let mut verified = Bits::new(pieces);
            for piece in (0..pieces).filter(|piece| u64::from(piece % 4) == n) {
                verified.set(piece);
                for number in 0..source.geometry.blocks(piece) {
                    let block = source.geometry.block(piece, number);
                    node.shares[0].disk.write(block, source.read(block));
                }
            }
            node.shares[0].saved = Some(Snapshot {
                verified,
                totals: Totals::default(),
                clean: true,
            });
        }
        world.run_until(second(1 + seconds));
        for (n, node) in world.nodes.iter().enumerate() {
            let shares: Vec<u64> = node.sent_to.values().copied().collect();
            assert_eq!(shares.len(), 3, "all are connected");
            assert_shared(
                &shares,
                rate * seconds,
                &format!("node {n} with {rate} B/s"),
            );
        }
    }
}

#[test]
fn a_download_limit_is_shared_by_peers_that_could_send() {
    for rate in RATES {
        let source = content(rate * HALF_A_MINUTE, 512);
        let mut world = World::new(&source, rate);
        for number in 0..4 {
            world.add(Role::Seed, Manners::Honest, link(number, false), second(0));
        }
        let client = world.add(
            Role::Client(None),
            Manners::Honest,
            link(0, false),
            second(1),
        );
        world.nodes[client].limits.0 = Some(rate);
        world.run_until(second(2 + HALF_A_MINUTE));
        let shares: Vec<u64> = (0..4)
            .map(|seed: usize| world.nodes[seed].sent_to[&client])
            .collect();
        assert_shared(&shares, rate * HALF_A_MINUTE, &format!("{rate} B/s"));
    }
}
