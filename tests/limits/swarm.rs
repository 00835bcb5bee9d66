//! Swarm: whom we call, how often, how many, and whom we serve.

use std::net::SocketAddr;

use brooklet::base::{Bits, Duration, Rng, Time, TorrentKey, limits};
use brooklet::peer::EndReason;
use brooklet::torrent::choker::View;
use brooklet::torrent::{Bans, Candidates, Choker, Report, Source};

use crate::session::Bench;

const TICK: Duration = Duration::from_micros(1);

fn addr(n: usize) -> SocketAddr {
    SocketAddr::from(((0x0a00_0000 + n as u32).to_be_bytes(), 6881))
}

fn candidates() -> Candidates {
    Candidates::new(Rng::from_seed(1))
}

fn after(time: Duration) -> Time {
    Time::default() + time
}

/// How many of these calls have been begun.
fn calls(bench: &mut Bench, addrs: &[SocketAddr]) -> usize {
    addrs
        .iter()
        .filter(|addr| bench.dialled(**addr).is_some())
        .count()
}

/// A seed that is reached by nobody has to dial, too, but a user waits for downloads.
#[test]
fn a_download_dials_before_the_seeds_of_the_process() {
    let mut bench = Bench::getter(2, &[]);
    bench.wait(Duration::from_secs(100));
    let seeds: Vec<TorrentKey> = (0..50)
        .map(|number| {
            bench.adds(&format!("seed {number}"), |order| {
                (order.trusted, order.download) = (Bits::full(2), false);
            })
        })
        .collect();
    let get = bench.adds("another", |_| ());
    bench.turn();
    for (number, &seed) in seeds.iter().enumerate() {
        let addrs = [addr(2 * number), addr(2 * number + 1)];
        (bench.session).add_peers(seed, &addrs, Source::Tracker, bench.now);
    }
    let peers: Vec<SocketAddr> = (1000..1100).map(addr).collect();
    (bench.session).add_peers(get, &peers, Source::Tracker, bench.now);
    bench.turn();
    let seeds: Vec<SocketAddr> = (0..100).map(addr).collect();
    let burst = limits::DIALS_PER_SECOND as usize + 1;
    let own = calls(&mut bench, &peers);
    assert_eq!(own, limits::DIALS_OF_DOWNLOAD);
    assert_eq!(calls(&mut bench, &seeds), burst - own);
}

#[test]
fn dials_in_a_second_and_dials_under_way() {
    let mut bench = Bench::getter(2, &[]);
    bench.wait(Duration::from_secs(100));
    let all: Vec<SocketAddr> = (0..100).map(addr).collect();
    bench
        .session
        .add_peers(bench.torrent, &all, Source::Tracker, bench.now);
    bench.turn();
    // Those of a second saved up, and the one that is due.
    let mut begun = calls(&mut bench, &all);
    let each = limits::DIALS_PER_SECOND as usize;
    assert_eq!(begun, each + 1);
    bench.wait(Duration::from_secs(1));
    for _ in 0..8 {
        let more = calls(&mut bench, &all);
        begun += more;
        assert!(more <= each + 1, "{more} in a second");
        for _ in 0..10 {
            bench.wait(Duration::from_millis(90));
        }
    }
    assert_eq!(begun, limits::HALF_OPEN, "nobody has answered");
    // They are given up: there is room again.
    bench.wait(limits::CONNECT_TIME);
    bench.wait(TICK);
    assert!(calls(&mut bench, &all) > 0);
}

#[test]
fn addresses_remembered() {
    let mut known = candidates();
    for n in 0..limits::CANDIDATES {
        assert!(known.add(addr(n), Source::Tracker, Time::default()));
    }
    let one_more = addr(limits::CANDIDATES);
    assert!(!known.add(one_more, Source::Tracker, Time::default()));
    assert_eq!(known.len(), limits::CANDIDATES);
    // One that failed makes room.
    let tried = known.next(Time::default()).unwrap();
    known.on_failed(tried, Time::default());
    assert!(known.add(one_more, Source::Tracker, Time::default()));
    assert_eq!(known.len(), limits::CANDIDATES);
}

/// Whatever nodes, peers and trackers name, all torrents together remember so many.
#[test]
fn addresses_remembered_over_all_torrents() {
    let mut bench = Bench::getter(2, &[]);
    let flood = |bench: &mut Bench, torrent| {
        let all: Vec<SocketAddr> = (0..2 * limits::CANDIDATES).map(addr).collect();
        let now = bench.now;
        bench.session.add_peers(torrent, &all, Source::Dht, now);
        let known = &bench.session.torrent(torrent).unwrap().candidates;
        known.waiting()
    };
    let first = bench.torrent;
    assert_eq!(flood(&mut bench, first), limits::CANDIDATES);
    let mut torrents = vec![first];
    for number in 0..63 {
        let name = format!("torrent {number}");
        torrents.push(bench.adds(&name, |_| ()));
        let torrent = *torrents.last().unwrap();
        flood(&mut bench, torrent);
        let of = |&it: &usize| bench.session.torrent(it).unwrap().candidates.waiting();
        let all: usize = torrents.iter().map(of).sum();
        assert!(all <= limits::CANDIDATES_ALL, "{all} of {}", torrents.len());
    }
    // Each has its part.
    let part = limits::CANDIDATES_ALL / torrents.len();
    let of = |it: usize| bench.session.torrent(it).unwrap().candidates.waiting();
    assert_eq!((of(first), of(torrents[63])), (part, part));
    assert!(part > limits::CANDIDATES_LEAST);
    // One that has nothing to download keeps fewer.
    let mut bench = Bench::seeder(2);
    bench.turn();
    let seed = bench.torrent;
    assert_eq!(flood(&mut bench, seed), limits::CANDIDATES_COMPLETE);
}

/// A dial to an address that may be anybody's is given up sooner while others wait.
#[test]
fn dials_to_doubtful_addresses_make_room() {
    for (count, patience) in [
        (100, limits::CONNECT_TIME_DOUBTFUL),
        (1, limits::CONNECT_TIME),
    ] {
        let mut bench = Bench::getter(2, &[]);
        let all: Vec<SocketAddr> = (0..count).map(addr).collect();
        let (torrent, now) = (bench.torrent, bench.now);
        bench.session.add_peers(torrent, &all, Source::Dht, now);
        bench.turn();
        let mut dialed = all.iter().filter_map(|it| bench.dialled(*it));
        let key = dialed.next().unwrap();
        drop(dialed);
        bench.wait(patience - TICK);
        assert!(!bench.is_gone(key), "{count}");
        bench.wait(2 * TICK);
        assert!(bench.is_gone(key), "{count}");
    }
}

#[test]
fn hosts_banned() {
    let mut bans = Bans::default();
    (0..limits::BANNED).for_each(|n| bans.add(addr(n)));
    assert!((0..limits::BANNED).all(|n| bans.covers(addr(n))));
    bans.add(addr(limits::BANNED));
    let banned = (0..=limits::BANNED).filter(|&n| bans.covers(addr(n)));
    assert!(banned.eq(1..=limits::BANNED), "the first one is forgotten");
}

/// The waits between calls that all fail, until the address is forgotten, or there have been so
/// many.
fn waits(source: Source, most: usize) -> Vec<Duration> {
    let (mut known, mut now, mut waits) = (candidates(), Time::default(), Vec::new());
    known.add(addr(1), source, now);
    while let Some(due) = known.next_deadline().filter(|_| waits.len() <= most) {
        waits.push(due.since(now));
        now = due;
        assert_eq!(known.next(now), Some(addr(1)));
        known.on_failed(addr(1), now);
    }
    waits
}

/// Each is a quarter longer at most than it says.
fn assert_waits(waits: &[Duration], first: Duration) {
    let mut least = first;
    for &wait in waits {
        assert!((least..=least + least / 4).contains(&wait), "{waits:?}");
        least = (least * 2).min(limits::REDIAL_MOST);
    }
}

#[test]
fn waits_between_calls() {
    let tracker = waits(Source::Tracker, 100);
    assert_eq!(tracker.len(), 1 + limits::DIAL_FAILURES as usize);
    assert_waits(&tracker[1..], limits::REDIAL);
    assert!(tracker.last() >= Some(&limits::REDIAL_MOST));
    // What the user named is called for ever.
    let user = waits(Source::User, 20);
    assert_waits(&user[1..8], limits::REDIAL_USER);
    assert_eq!(user.len(), 21);
    assert!(user.iter().all(|&wait| wait <= limits::REDIAL_MOST * 5 / 4));
}

/// With all places taken: when one is given to somebody else.
#[test]
fn connections_and_the_idle_among_them() {
    let mut bench = Bench::getter(2, &[]);
    let keys: Vec<usize> = (0..limits::PEERS as u8)
        .map(|n| bench.join(n, true))
        .collect();
    for &key in &keys {
        bench.says(key, "have none");
    }
    let late = SocketAddr::from(([198, 51, 100, 1], 6881));
    assert_eq!(bench.session.handle_accepted(late, bench.now), None);
    bench
        .session
        .add_peers(bench.torrent, &[late], Source::Tracker, bench.now);
    bench.wait(limits::IDLE - TICK);
    assert!(keys.iter().all(|&key| !bench.is_gone(key)));
    // Places are looked for once a second.
    bench.wait(Duration::from_secs(1));
    assert_eq!(keys.iter().filter(|&&key| bench.is_gone(key)).count(), 1);
    let reason = EndReason::Replaced.to_string();
    let replaced = |report: &Report| matches!(report, Report::Disconnected { reason: why, .. } if *why == reason);
    assert!(bench.reports.iter().any(replaced));
}

fn view(key: usize, rate: u64) -> View {
    View {
        key,
        interested: true,
        unchoked: false,
        rate,
        starved: false,
        snubbing: false,
        idle_unchoked: false,
        since: Time::default(),
        waits_since: Time::default(),
    }
}

#[test]
fn rounds_of_the_choker() {
    let mut choker = Choker::new(Time::default(), Rng::from_seed(1));
    let mut views: Vec<View> = (0..1_000)
        .map(|key| view(key, 1_000 - key as u64))
        .collect();
    let mut now = after(Duration::from_secs(3600));
    let optimistic = choker.round(&views, limits::UPLOAD_SLOTS, false, now)[limits::UPLOAD_SLOTS];
    views[optimistic].unchoked = true;
    let (start, mut stays) = (now, Duration::ZERO);
    loop {
        assert_eq!(choker.next_round(), now + limits::CHOKE_ROUND);
        now = choker.next_round();
        let chosen = choker.round(&views, limits::UPLOAD_SLOTS, false, now);
        if chosen[limits::UPLOAD_SLOTS] != optimistic {
            break;
        }
        stays = now.since(start);
    }
    assert_eq!(now.since(start), limits::OPTIMISTIC_ROUND);
    assert!(stays < limits::OPTIMISTIC_ROUND);
}

#[test]
fn upload_slots() {
    assert_eq!(Choker::slots(0), limits::UPLOAD_SLOTS);
    assert_eq!(Choker::slots(40 * 1024), limits::UPLOAD_SLOTS);
    // The rate at which a formula without bounds would give as many as may be, and one more.
    let rate = |slots: usize| ((slots * slots) as f64 / 0.15 * 1024.0) as u64 + 1024;
    assert_eq!(
        Choker::slots(rate(limits::UPLOAD_SLOTS_MOST)),
        limits::UPLOAD_SLOTS_MOST
    );
    assert_eq!(
        Choker::slots(rate(limits::UPLOAD_SLOTS_MOST + 1)),
        limits::UPLOAD_SLOTS_MOST
    );
    assert!(Choker::slots(rate(limits::UPLOAD_SLOTS_MOST - 1)) < limits::UPLOAD_SLOTS_MOST);
}

#[test]
fn newcomers_are_tried_first() {
    // Four regular slots are taken by others; one in ten is new. How often is it tried, with this
    // age?
    let tried = |age: Duration| {
        let now = after(Duration::from_secs(3600));
        let draws = 3_000;
        let tried = (0..draws).filter(|&seed| {
            let mut choker = Choker::new(Time::default(), Rng::from_seed(seed));
            let mut views: Vec<View> = (0..9).map(|key| view(key, 0)).collect();
            views[0].since = Time::from_micros(now.as_micros() - age.as_micros() as u64);
            choker.round(&views, 0, false, now) == [0]
        });
        tried.count() as f64 / draws as f64
    };
    let (new, old) = (tried(limits::NEWCOMER - TICK), tried(limits::NEWCOMER));
    // Three tickets of eleven, and one of nine.
    assert!((new - 3.0 / 11.0).abs() < 0.04, "{new}");
    assert!((old - 1.0 / 9.0).abs() < 0.04, "{old}");
}
