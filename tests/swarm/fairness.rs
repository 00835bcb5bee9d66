//! What the torrents of one node share: connections, dials, rates, upload slots. A torrent with one
//! slow seed gets all that the seed can send, however many fast ones another torrent has.

use std::rc::Rc;

use brooklet::base::{Duration, Time};
use brooklet::session::{Command, command};

use crate::world::disk::Source;
use crate::world::manners::Manners;
use crate::world::node::{Link, Role};
use crate::world::world::World;

const KIB: u64 = 1024;
/// What the one slow seed sends in a second, and each of the many fast ones.
const SLOW: u64 = 40 * KIB;
const FAST: u64 = 100 * KIB;
const MANY: usize = 50;
/// Torrents.
const RARE: u32 = 0;
const POPULAR: u32 = 1;
/// Seconds until all are connected, and from then on those that are measured.
const START: u64 = 15;
const MEASURED: u64 = 30;

fn second(number: u64) -> Time {
    Time::from_micros(number * 1_000_000)
}

fn link(number: usize, up: u64, natted: bool) -> Link {
    Link {
        up,
        down: 16 * 1024 * KIB,
        latency: Duration::from_millis(2 + number as u64 % 30),
        natted,
        side: true,
    }
}

fn add(world: &mut World, source: &Rc<Source>, role: Role, up: u64, torrents: &[u32]) -> usize {
    let number = world.nodes.len();
    let node = world.add(role, Manners::Honest, link(number, up, false), second(0));
    world.nodes[node].shares.clear();
    for &torrent in torrents {
        world.nodes[node].takes(torrent, source);
    }
    node
}

/// The client comes when all others have announced; `torrents` are its own.
fn client(world: &mut World, source: &Rc<Source>, torrents: &[u32]) -> usize {
    let number = world.nodes.len();
    let link = link(number, 16 * 1024 * KIB, true);
    let client = world.add(Role::Client(None), Manners::Honest, link, second(5));
    world.nodes[client].shares.clear();
    for &torrent in torrents {
        world.nodes[client].takes(torrent, source);
    }
    client
}

/// What a node sent to another in the time that is measured.
fn measured(world: &mut World, from: &[usize], to: usize) -> u64 {
    let sent = |world: &World| {
        let sent = |&node: &usize| world.nodes[node].sent_to.get(&to).copied();
        from.iter().filter_map(sent).sum::<u64>()
    };
    world.run_until(second(5 + START));
    let before = sent(world);
    world.run_until(second(5 + START + MEASURED));
    sent(world) - before
}

/// A torrent of one slow seed, and with `many` another one of fast seeds, downloaded by one client
/// under this limit: what came of the slow seed, and of the others.
fn slow_among_fast(seed: u64, many: usize, down: Option<u64>) -> (u64, u64) {
    let source = Source::new(192 << 20, 512 << 10);
    let mut world = World::new(&source, seed);
    world.strict = true;
    let slow = add(&mut world, &source, Role::Seed, SLOW, &[RARE]);
    let fast: Vec<usize> = (0..many)
        .map(|_| add(&mut world, &source, Role::Seed, FAST, &[POPULAR]))
        .collect();
    let torrents = if many > 0 {
        &[RARE, POPULAR][..]
    } else {
        &[RARE]
    };
    let client = client(&mut world, &source, torrents);
    world.nodes[client].limits.0 = down;
    world.nodes[client].max_peers = 200;
    let before = measured(&mut world, &[slow], client);
    let others = fast
        .iter()
        .filter_map(|&node| world.nodes[node].sent_to.get(&client));
    (before, others.sum())
}

#[test]
fn a_slow_seed_of_one_torrent_stays_busy_beside_fifty_fast_ones_of_another() {
    for seed in 1..=2 {
        for down in [None, Some(1024 * KIB)] {
            let (alone, _) = slow_among_fast(seed, 0, down);
            let (beside, others) = slow_among_fast(seed, MANY, down);
            let told = format!("seed {seed}, {down:?}: {beside} of {alone}, others {others}");
            assert!(alone >= SLOW * MEASURED * 8 / 10, "{told}");
            assert!(beside * 10 >= alone * 9, "{told}");
            // What it leaves of the limit is used.
            let rest = down.map_or(FAST * MANY as u64, |down| down - SLOW);
            assert!(others * 10 >= rest * MEASURED * 7, "{told}");
        }
    }
}

/// The torrent with one seed is added when the other has every connection.
#[test]
fn a_torrent_gets_a_connection_though_another_has_all() {
    for seed in 1..=3 {
        let source = Source::new(96 << 20, 512 << 10);
        let mut world = World::new(&source, seed);
        world.strict = true;
        let slow = add(&mut world, &source, Role::Seed, SLOW, &[RARE]);
        let many: Vec<usize> = (0..MANY)
            .map(|_| add(&mut world, &source, Role::Seed, 20 * KIB, &[POPULAR]))
            .collect();
        let client = client(&mut world, &source, &[POPULAR]);
        world.nodes[client].max_peers = 20;
        world.run_until(second(20));
        assert_eq!(world.nodes[client].links.len(), 20, "seed {seed}");
        let now = world.now;
        let rare = world.nodes[client].adds(RARE, false, &source, now);
        world.wake(client, now);
        world.run_until(second(30));
        let got = |world: &World, from: usize| world.nodes[from].sent_to.get(&client).copied();
        let (before, others) = (got(&world, slow).unwrap_or(0), {
            let others = many.iter().filter_map(|&node| got(&world, node));
            others.sum::<u64>()
        });
        world.run_until(second(60));
        let sent = got(&world, slow).unwrap_or(0) - before;
        assert!(sent >= SLOW * 30 * 8 / 10, "seed {seed}: {sent}");
        let all = many
            .iter()
            .filter_map(|&node| got(&world, node))
            .sum::<u64>();
        // The other torrent gives up one connection, and keeps the others.
        assert!(all - others >= 19 * 20 * KIB * 30 * 8 / 10, "seed {seed}");
        assert_eq!(world.nodes[client].links.len(), 20, "seed {seed}");
        // What was the first torrent's is the other's once it is gone.
        for command in [
            Command::Pause(0),
            Command::Remove {
                torrent: 0,
                data: false,
            },
        ] {
            let session = world.nodes[client].session.as_mut().expect("it runs");
            command::perform(session, command, second(60)).expect("it is there");
            world.wake(client, second(60));
            let until = world.now + Duration::from_secs(10);
            world.run_until(until);
            let session = world.nodes[client].session.as_ref().expect("it runs");
            let members = |key| session.torrent(key).map_or(0, |it| it.connections.len());
            assert_eq!((members(0), members(rare)), (0, 1), "seed {seed}");
        }
        assert!(world.nodes[client].shares[0].forgotten);
    }
}

/// Two torrents of one seed, of which one has many clients and the other one.
fn one_client_among_many(seed: u64, up: u64, many: usize) -> (World, usize, usize, Vec<usize>) {
    let source = Source::new(64 << 20, 256 << 10);
    let mut world = World::new(&source, seed);
    world.strict = true;
    let giver = add(
        &mut world,
        &source,
        Role::Seed,
        16 * 1024 * KIB,
        &[RARE, POPULAR],
    );
    world.nodes[giver].limits.1 = Some(up);
    world.nodes[giver].max_peers = 200;
    let one = client(&mut world, &source, &[RARE]);
    let others: Vec<usize> = (0..many)
        .map(|_| client(&mut world, &source, &[POPULAR]))
        .collect();
    (world, giver, one, others)
}

#[test]
fn an_upload_limit_is_shared_by_torrents_and_what_one_leaves_goes_to_the_other() {
    for seed in 1..=2 {
        let up = 200 * KIB;
        let (mut world, giver, one, others) = one_client_among_many(seed, up, 30);
        let from = [giver];
        let to_one = measured(&mut world, &from, one);
        let all = |world: &World| -> u64 { world.nodes[giver].sent_to.values().sum() };
        assert!(
            to_one * 2 >= up * MEASURED * 8 / 10,
            "seed {seed}: {to_one}"
        );
        assert!(
            to_one * 2 <= up * MEASURED * 12 / 10,
            "seed {seed}: {to_one}"
        );
        // Each of the others has its turn.
        world.run_until(second(5 + 300));
        let served = |node: &&usize| world.nodes[giver].sent_to.contains_key(*node);
        assert_eq!(others.iter().filter(served).count(), 30, "seed {seed}");
        let now = world.now;
        let session = world.nodes[giver].session.as_mut().expect("it runs");
        command::perform(session, Command::Pause(0), now).expect("it is there");
        world.wake(giver, now);
        let before = all(&world);
        world.run_until(now + Duration::from_secs(30));
        let sent = all(&world) - before;
        assert!(sent >= up * 30 * 8 / 10, "seed {seed}: {sent}");
        assert!(
            sent <= up * 30 * 11 / 10,
            "seed {seed}: {sent} is over the limit"
        );
    }
}

#[test]
fn upload_slots_are_divided_by_interest() {
    // At this rate there are four, beside one more of each torrent that is given by lot.
    let source = Source::new(64 << 20, 256 << 10);
    let mut world = World::new(&source, 1);
    world.strict = true;
    let torrents = &[RARE, POPULAR];
    let giver = add(&mut world, &source, Role::Seed, 1024 * KIB, torrents);
    world.nodes[giver].limits.1 = Some(100 * KIB);
    for torrent in [RARE, POPULAR, POPULAR, POPULAR]
        .into_iter()
        .cycle()
        .take(16)
    {
        client(&mut world, &source, &[torrent]);
    }
    let served = |world: &World| {
        let session = world.nodes[giver].session.as_ref().expect("it runs");
        [0, 1].map(|key| session.torrent(key).map_or(0, |it| it.census.served))
    };
    world.run_until(second(30));
    for now in 31..60 {
        world.run_until(second(now));
        assert_eq!(served(&world), [1 + 1, 3 + 1], "at {now} s");
    }
    let session = world.nodes[giver].session.as_mut().expect("it runs");
    command::perform(session, Command::Pause(1), second(59)).expect("it is there");
    world.wake(giver, second(59));
    world.run_until(second(70));
    assert_eq!(served(&world), [4, 0], "all that want something");
}
