//! Bounds of how torrents take part in the DHT.

use brooklet::base::{Duration, limits};
use brooklet::dht;
use brooklet::session::{Command, Start, command};

use crate::session::Bench;

/// A download of a process that has a node of the DHT and hosts to begin with.
fn bench(takes_part: bool) -> Bench {
    let mut bench = Bench::getter(2, &[]);
    bench.begins(|_, order| order.dht = takes_part);
    bench.session.finding.join(Start {
        config: dht::Config {
            v4: true,
            ..dht::Config::default()
        },
        secret: 1,
        seed: 2,
        has_hosts: true,
    });
    bench.turn();
    bench
}

/// While nobody is known, hosts are asked for again and again, and later each time.
#[test]
fn hosts_are_asked_for_later_each_time() {
    let mut bench = bench(true);
    assert_eq!(bench.finds, 1);
    let mut found = vec![0];
    let just = Duration::from_secs(1);
    for second in 1..=3600 {
        bench.wait(just);
        if bench.finds > found.len() {
            found.push(second);
        }
    }
    let gaps: Vec<u64> = found.windows(2).map(|two| two[1] - two[0]).collect();
    let first = limits::DHT_AGAIN.as_secs();
    assert_eq!(gaps[..3], [first, 2 * first, 4 * first]);
    assert!(
        gaps.iter()
            .all(|&gap| gap <= limits::DHT_ANNOUNCE.as_secs())
    );
    assert!(gaps.contains(&limits::DHT_ANNOUNCE.as_secs()));
}

#[test]
fn nodes_are_kept_so_often() {
    let mut bench = bench(true);
    bench.wait(limits::DHT_KEEP - Duration::from_micros(1));
    assert_eq!(bench.keeps, 0);
    bench.wait(Duration::from_micros(1));
    assert_eq!(bench.keeps, 1);
    bench.wait(limits::DHT_KEEP);
    assert_eq!(bench.keeps, 2);
}

/// A torrent that takes no part has no node made, and one that pauses is asked about no more.
#[test]
fn only_torrents_that_take_part_are_looked_for() {
    let mut without = bench(false);
    without
        .session
        .finding
        .add_nodes(&["127.0.0.1:7".parse().unwrap()]);
    without.wait(limits::DHT_KEEP);
    assert_eq!((without.finds, without.keeps), (0, 0));
    assert!(without.session.finding.dht().is_none() && without.datagrams.is_empty());

    let mut bench = bench(true);
    let info_hash = bench.setting.local.info_hash;
    let wanted = |bench: &Bench| bench.session.finding.dht().unwrap().wanted(info_hash);
    assert!(wanted(&bench).unwrap().is_urgent, "it has no peer");
    bench
        .session
        .finding
        .add_nodes(&["127.0.0.1:7".parse().unwrap()]);
    bench.turn();
    let (to, query) = bench.datagrams.pop().unwrap();
    assert_eq!(to, "127.0.0.1:7".parse().unwrap());
    assert!(query.windows(20).any(|part| part == info_hash.0));
    bench.join(1, true);
    bench.turn();
    assert!(!wanted(&bench).unwrap().is_urgent);
    let torrent = bench.torrent;
    command::perform(&mut bench.session, Command::Pause(torrent), bench.now).unwrap();
    bench.turn();
    assert_eq!(wanted(&bench), None);
}
