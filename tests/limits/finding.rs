//! Bounds of how torrents take part in the DHT.

use brooklet::base::{Duration, NodeId, Time, limits};
use brooklet::dht;
use brooklet::session::{Command, Start, command};
use brooklet::torrent::Order;
use brooklet::wire::krpc::{Body, Message, NodeInfo, Reply};

use crate::session::Bench;

/// A download of a process that has a node of the DHT and usual hosts to begin with.
fn bench(takes_part: bool) -> Bench {
    let mut bench = Bench::getter(2, &[]);
    bench.begins(|_, order| order.dht = takes_part);
    join(&mut bench, |_| ());
    bench.turn();
    bench
}

/// Has a process take part in the DHT, with usual hosts and what else is said.
fn join(bench: &mut Bench, change: impl FnOnce(&mut Start)) {
    let mut start = Start {
        config: dht::Config {
            v4: true,
            ..dht::Config::default()
        },
        secret: 1,
        seed: 2,
        named_hosts: false,
        usual_hosts: true,
    };
    change(&mut start);
    bench.session.finding.join(start);
}

/// While nobody is known, hosts are asked for again and again, and later each time.
#[test]
fn hosts_are_asked_for_later_each_time() {
    let mut bench = bench(true);
    let begun = bench.now;
    bench.wait(Duration::from_secs(3600));
    assert_eq!(bench.finds[0], (begun, true));
    let times = bench.finds.windows(2);
    let gaps: Vec<Duration> = times.map(|two| two[1].0.since(two[0].0)).collect();
    let first = limits::DHT_AGAIN;
    assert_eq!(gaps[..3], [first, 2 * first, 4 * first]);
    assert!(gaps.iter().all(|&gap| gap <= limits::DHT_ANNOUNCE));
    assert!(gaps.contains(&limits::DHT_ANNOUNCE));
}

/// Seconds until hosts are looked up for the first times, and whether with the usual ones.
fn looks(bench: &mut Bench, begun: Time) -> Vec<(u64, bool)> {
    bench.wait(limits::DHT_HOSTS_LATE);
    let finds = bench.finds.iter();
    let finds = finds.map(|&(at, usual)| (at.since(begun).as_secs(), usual));
    finds.take(2).collect()
}

/// A torrent that has a tracker.
fn tracked(order: &mut Order) {
    order.dht = true;
    order.trackers = vec![vec![String::from("http://192.0.2.1/announce")]];
}

/// Names of hosts are looked up when nothing else may lead to peers, and else only when that has
/// had its time.
#[test]
fn usual_hosts_are_asked_at_once_only_where_nothing_else_leads_to_peers() {
    let soon = limits::DHT_HOSTS_SOON.as_secs();
    let late = limits::DHT_HOSTS_LATE.as_secs();
    let again = limits::DHT_AGAIN.as_secs();
    let of = |mut bench: Bench, order: fn(&mut Order), start: fn(&mut Start), peer: bool| {
        bench.begins(|_, theirs| order(theirs));
        join(&mut bench, start);
        let begun = bench.now;
        bench.turn();
        if peer {
            bench.join(1, true);
        }
        looks(&mut bench, begun)
    };
    let get = || Bench::getter(2, &[]);
    let alone: fn(&mut Order) = |order| order.dht = true;
    let usual: fn(&mut Start) = |_| ();
    assert_eq!(of(get(), alone, usual, false), [(0, true), (again, true)]);
    assert_eq!(of(Bench::seeder(2), alone, usual, false)[0], (0, true));
    // A tracker has its time, longer where nobody waits for peers.
    assert_eq!(of(get(), tracked, usual, false)[0], (soon, true));
    assert_eq!(of(get(), tracked, usual, true), [(late, true)]);
    assert_eq!(of(Bench::seeder(2), tracked, usual, false), [(late, true)]);
    // Hosts that are named come first, and so do nodes of the last run.
    let named: fn(&mut Start) = |start| start.named_hosts = true;
    assert_eq!(of(get(), alone, named, false), [(0, false), (soon, true)]);
    let saved: fn(&mut Start) = |start| {
        let id = NodeId([7; 20]);
        let addr = "192.0.2.9:7".parse().unwrap();
        start.config.saved.nodes = vec![NodeInfo { id, addr }];
    };
    assert_eq!(of(get(), alone, saved, false)[0], (soon, true));
    // Where the user names hosts, there are no others.
    let theirs: fn(&mut Start) = |start| (start.named_hosts, start.usual_hosts) = (true, false);
    assert_eq!(
        of(get(), tracked, theirs, false),
        [(0, true), (again, true)]
    );
}

/// One node that names no other does not keep us from the others.
#[test]
fn usual_hosts_are_asked_while_few_nodes_are_known() {
    let mut bench = Bench::getter(2, &[]);
    bench.begins(|_, order| tracked(order));
    join(&mut bench, |_| ());
    bench.turn();
    let node = "192.0.2.9:7".parse().unwrap();
    bench.session.finding.add_nodes(&[node]);
    let begun = bench.now;
    let step = Duration::from_millis(100);
    while bench.now < begun + limits::DHT_HOSTS_LATE {
        bench.wait(step);
        for (to, query) in std::mem::take(&mut bench.datagrams) {
            assert_eq!(to, node);
            let query = Message::parse(&query).unwrap();
            let reply = Message {
                transaction: query.transaction,
                body: Body::Reply(Reply::bare(NodeId([7; 20]))),
                version: None,
                external: None,
                read_only: false,
            };
            let mut bytes = Vec::new();
            reply.encode(&mut bytes);
            bench.session.finding.receive(node, &bytes, bench.now);
        }
    }
    assert_eq!(bench.session.finding.dht().unwrap().nodes(), 1);
    assert_eq!(bench.finds[0], (begun + limits::DHT_HOSTS_SOON, true));
}

/// A torrent that has nothing else does not wait for the others' trackers.
#[test]
fn a_torrent_without_trackers_has_usual_hosts_asked_for_all() {
    let mut bench = Bench::seeder(2);
    bench.begins(|_, order| tracked(order));
    join(&mut bench, |_| ());
    bench.turn();
    bench.wait(Duration::from_secs(2));
    assert!(bench.finds.is_empty());
    bench.adds("another", |order| order.dht = true);
    bench.turn();
    assert_eq!(bench.finds, [(bench.now, true)]);
}

/// While no torrent takes part, nothing is due.
#[test]
fn no_host_is_asked_for_while_all_torrents_are_paused() {
    let mut bench = bench(true);
    let torrent = bench.torrent;
    command::perform(&mut bench.session, Command::Pause(torrent), bench.now).unwrap();
    bench.turn();
    let before = bench.finds.len();
    bench.wait(limits::DHT_ANNOUNCE);
    assert_eq!(bench.finds.len(), before);
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
    assert_eq!((without.finds.len(), without.keeps), (0, 0));
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
