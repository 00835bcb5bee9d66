//! What lying about data costs, over real sockets and as a session sees it, and whom a ban covers.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use brooklet::base::{Duration, limits};
use brooklet::peer::EndReason;
use brooklet::torrent::Source;

use crate::session;
use crate::support::bench::{Bench, SOON};
use crate::support::content::Content;
use crate::support::peer::{Answer, Manners, Peer};
use crate::support::torrent::Torrent;
use crate::transcript::words::encode;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
const SEEDS: usize = 4;
const CONTRIBUTORS: usize = SEEDS + 1;

/// When the poisoner lies: at its answers of these numbers, counted from 0.
type Habit = fn(u64) -> bool;

const HABITS: [(&str, Habit); 3] = [
    ("always", |_| true),
    ("one block in fifty", |n| n % 50 == 20),
    ("right until trusted", |n| n >= 60),
];

/// A download from four seeds and a poisoner, all as quick as each other.
fn download(len: usize, piece_length: usize, habit: Habit, what: &str, options: &[&str]) {
    let content = Content::file(len as u64, "content.bin", len);
    let bench = Bench::of(Torrent::new(content, piece_length));
    let rate = Some(2 * MIB as u64);
    let seeds: Vec<Peer> = (0..SEEDS)
        .map(|_| {
            let manners = Manners {
                rate,
                ..Manners::default()
            };
            Peer::start(&bench.torrent, manners)
        })
        .collect();
    let answers = AtomicU64::new(0);
    let manners = Manners {
        answer: Box::new(move |_| {
            if habit(answers.fetch_add(1, Ordering::SeqCst)) {
                Answer::Corrupt
            } else {
                Answer::Serve
            }
        }),
        rate,
        ..Manners::default()
    };
    let poisoner = Peer::start(&bench.torrent, manners);
    let all = seeds.iter().chain([&poisoner]);
    let addrs: Vec<String> = all.map(Peer::addr).collect();
    let mut get = bench.get(&addrs, options);
    get.success(3 * SOON);
    bench.assert_whole();

    let bad: Vec<u64> = get
        .events("piece")
        .iter()
        .filter(|piece| !piece.get("ok").is_true())
        .map(|piece| piece.get("index").count())
        .collect();
    assert!(poisoner.sent() > 0, "{what}: it was never asked");
    assert!(bad.len() <= CONTRIBUTORS, "{what}: {bad:?} failed");
    let reason = EndReason::Poisoner.to_string();
    let banned: Vec<String> = get
        .events("peer")
        .iter()
        .filter(|peer| peer.find("reason").is_some_and(|why| why.text() == reason))
        .map(|peer| peer.get("addr").text().to_string())
        .collect();
    let guilty: &[String] = if bad.is_empty() { &[] } else { &addrs[SEEDS..] };
    assert_eq!(banned, guilty, "{what}: {bad:?} failed");
    let calls: Vec<usize> = seeds
        .iter()
        .chain([&poisoner])
        .map(Peer::accepted)
        .collect();
    assert_eq!(calls, [1; CONTRIBUTORS], "{what}: nobody is called again");
    // What the seeds sent in vain is what they sent of the pieces that failed, and of tries by one
    // of them alone that it did not finish in time, as may happen where processors are short; and
    // the copies of the end game.
    let sent: u64 = seeds.iter().map(Peer::sent).sum();
    let tries = 1 + limits::SOLO_RESTARTS;
    let most = len + bad.len() * tries * piece_length + 64 * 16 * KIB;
    assert!(sent <= most as u64, "{what}: {sent} bytes sent for {len}");
}

#[test]
fn a_poisoner_among_four_seeds_costs_a_piece_for_each_of_them_at_most() {
    for (what, habit) in HABITS {
        download(6 * MIB, 64 * KIB, habit, what, &[]);
    }
}

#[test]
fn a_poisoner_of_pieces_of_one_block_is_found_by_the_first() {
    download(3 * MIB, 16 * KIB, |_| true, "a block each", &[]);
}

#[test]
fn a_poisoner_of_pieces_larger_than_memory_is_found() {
    let options = ["--memory", "2M"];
    download(16 * MIB, 4 * MIB, |n| n % 50 == 20, "4 MiB each", &options);
}

fn at(host: &str, port: u16) -> SocketAddr {
    SocketAddr::new(host.parse().unwrap(), port)
}

/// A download in which somebody at this address has just sent a bad piece, alone; and somebody else
/// is at `other`.
fn spoilt(liar: SocketAddr, other: SocketAddr) -> (session::Bench, [usize; 2]) {
    let mut bench = session::Bench::getter(8, &[]);
    let keys = [(liar, 1), (other, 2)].map(|(addr, number)| {
        let key = bench.accepts(addr);
        let words = format!("handshake fast -XX0000-peer0000000{number}");
        bench.sends(key, &encode(&words, &bench.setting));
        key
    });
    bench.says(keys[0], "have all");
    bench.says(keys[0], "unchoke");
    while !bench.is_gone(keys[0]) {
        let asked = bench.hears(keys[0]);
        let asked: Vec<&String> = asked
            .iter()
            .filter(|it| it.starts_with("request "))
            .collect();
        assert!(!asked.is_empty(), "it is neither asked nor banned");
        for request in asked {
            let words = request.replace("request ", "piece ");
            let mut bytes = encode(&words, &bench.setting);
            *bytes.last_mut().unwrap() ^= 1;
            bench.hands(keys[0], &bytes);
        }
        bench.turn();
    }
    (bench, keys)
}

/// Whether somebody at this address may come back: by calling us, or by being called.
fn may_return(bench: &mut session::Bench, addr: SocketAddr) -> bool {
    bench
        .session
        .add_peers(bench.torrent, &[addr], Source::User, bench.now);
    bench.wait(Duration::from_secs(2));
    let called = bench.dialled(addr).is_some();
    let accepted = bench.session.handle_accepted(addr, bench.now).is_some();
    assert_eq!(called, accepted, "{addr}: both directions are alike");
    called
}

#[test]
fn another_port_or_name_is_no_way_back_in() {
    let liar = at("192.0.2.1", 50_001);
    let (mut bench, _) = spoilt(liar, at("192.0.2.2", 50_001));
    assert!(!may_return(&mut bench, liar));
    assert!(
        !may_return(&mut bench, at("192.0.2.1", 6881)),
        "another port"
    );
    assert!(
        !may_return(&mut bench, at("::ffff:192.0.2.1", 7)),
        "the same host"
    );
    assert!(may_return(&mut bench, at("192.0.2.3", 50_001)));
}

#[test]
fn another_address_of_the_same_network_of_ipv6_is_no_way_back_in() {
    let (mut bench, keys) = spoilt(at("2001:db8:1:1::1", 50_001), at("2001:db8:1:2::1", 50_001));
    assert!(!may_return(&mut bench, at("2001:db8:1:1:9:9:9:9", 6881)));
    assert!(may_return(&mut bench, at("2001:db8:1:2::7", 6881)));
    assert!(!bench.is_gone(keys[1]));
}

/// Behind one router, the one who lies and the one who does not look alike, and both have to go.
/// Banning by port would keep nobody out, so this is the price; on this very machine ports do tell
/// clients apart.
#[test]
fn a_peer_at_the_address_of_a_poisoner_goes_with_it_except_on_this_machine() {
    for (host, goes) in [("192.0.2.1", true), ("127.0.0.1", false), ("::1", false)] {
        let (mut bench, keys) = spoilt(at(host, 50_001), at(host, 50_002));
        assert_eq!(bench.is_gone(keys[1]), goes, "{host}");
        assert!(!may_return(&mut bench, at(host, 50_001)));
        assert_eq!(may_return(&mut bench, at(host, 50_003)), !goes, "{host}");
    }
}

#[test]
fn the_bound_is_one_piece_for_each_contributor() {
    assert_eq!(limits::SHARED_PARTS + 1, CONTRIBUTORS);
}
