//! Incoming connections of a session with two torrents: the handshake says which of them is meant.

use std::net::SocketAddr;

use brooklet::base::{Bits, Duration, Geometry, InfoHash, TorrentKey, limits};
use brooklet::peer::EndReason;
use brooklet::peer::incoming::Failed;
use brooklet::torrent::{Report, Source};

use crate::session::{Bench, PIECE};
use crate::transcript::words::encode;

/// What the story words call another torrent.
const OTHER: InfoHash = InfoHash([0xaa; 20]);
const NAME: &str = "-TR3000-abcdefghi001";

fn addr(host: u8, port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, host], port))
}

/// A session that has all of one torrent and nothing of another; their keys.
fn two_torrents() -> (Bench, TorrentKey, TorrentKey) {
    let mut bench = Bench::getter(4, &[0, 1, 2, 3]);
    let other = bench.adds("another", |order| {
        order.info_hash = OTHER;
        order.trusted = Bits::new(4);
    });
    bench.turn();
    let first = bench.torrent;
    (bench, first, other)
}

fn hello(other: bool) -> String {
    let which = if other { " for another torrent" } else { "" };
    format!("handshake fast {NAME}{which}")
}

fn connections(bench: &Bench, torrent: TorrentKey) -> usize {
    let torrent = bench.session.torrent(torrent);
    torrent.expect("it is there").connections.len()
}

/// How many incoming connections failed, by the last report.
fn failed(bench: &Bench) -> Vec<(Failed, u64)> {
    let counts = bench.reports.iter().rev().find_map(|report| match report {
        Report::FailedIncoming(counts) => Some(counts.clone()),
        _ => None,
    });
    counts.unwrap_or_default()
}

#[test]
fn each_torrent_is_served_by_its_hash() {
    let (mut bench, first, other) = two_torrents();
    let [one, two] = [1, 2].map(|host| bench.accepts(addr(host, 50_001)));
    bench.says(one, &hello(false));
    bench.says(two, &hello(true));
    assert_eq!(bench.session.torrent_of(one), Some(first));
    assert_eq!(bench.session.torrent_of(two), Some(other));
    let said = [one, two].map(|key| bench.hears(key));
    assert_eq!(said[0][..2], ["handshake", "have all"]);
    assert_eq!(said[1][..2], ["handshake", "have none"]);
    for key in [one, two] {
        bench.says(key, "interested");
        bench.says(key, "request 0 at 0, 16384 bytes");
    }
    let [one, two] = [one, two].map(|key| bench.hears(key).concat());
    assert!(one.contains("piece 0 at 0"), "{one}");
    assert!(two.contains("reject request 0 at 0"), "{two}");
    bench.session.assert_invariants();
}

#[test]
fn what_is_downloaded_is_the_torrents_that_was_named() {
    let (mut bench, first, other) = two_torrents();
    let key = bench.accepts(addr(1, 50_001));
    bench.says(key, &hello(true));
    bench.says(key, "have all");
    bench.says(key, "unchoke");
    bench.everything_comes();
    assert!(bench.session.pieces(other).is_complete());
    let down = |torrent| bench.session.torrent(torrent).unwrap().totals().down;
    assert_eq!((down(first), down(other)), (0, u64::from(4 * PIECE)));
}

#[test]
fn one_peer_keeps_a_connection_for_each_torrent_and_one_only() {
    let (mut bench, ..) = two_torrents();
    let [one, two, again] = [1, 2, 3].map(|port| bench.accepts(addr(1, port)));
    bench.says(one, &hello(false));
    bench.says(two, &hello(true));
    bench.says(again, &hello(true));
    assert!(!bench.is_gone(one) && !bench.is_gone(two) && bench.is_gone(again));
    // The same where we dialed.
    let (mut bench, _, other) = two_torrents();
    let accepted = bench.accepts(addr(1, 50_001));
    bench.says(accepted, &hello(false));
    let at = [addr(1, 6881)];
    bench
        .session
        .add_peers(other, &at, Source::Tracker, bench.now);
    bench.turn();
    let dialed = bench.dialled(at[0]).expect("it is dialed");
    bench.session.handle_connected(dialed, bench.now);
    bench.says(dialed, &hello(true));
    assert!(!bench.is_gone(accepted) && !bench.is_gone(dialed));
    assert_eq!(bench.session.torrent_of(dialed), Some(other));
}

#[test]
fn an_unknown_hash_is_refused_after_the_handshake_and_holds_no_torrents_slot() {
    let mut bench = Bench::seeder(4);
    let key = bench.accepts(addr(1, 50_001));
    let greeting = encode(&hello(true), &bench.setting);
    bench.sends(key, &greeting[..67]);
    assert_eq!(connections(&bench, bench.torrent), 0);
    assert_eq!(bench.session.torrent_of(key), None);
    assert!(!bench.is_gone(key) && bench.session.connections() == 1);
    let kept = bench.session.unparsed(key).expect("it is there").to_vec();
    bench.sends(key, &[&kept[..], &greeting[67..]].concat());
    assert!(bench.is_gone(key) && bench.session.connections() == 0);
    assert_eq!(bench.hears(key), [""; 0], "not even our handshake");
    bench.wait(limits::INCOMING_EVERY);
    assert_eq!(failed(&bench), [(Failed::NotServed, 1)]);
    let connected = |report: &Report| matches!(report, Report::Connected { .. });
    assert!(!bench.reports.iter().any(connected));
}

#[test]
fn a_torrent_that_has_ended_is_unknown_and_the_other_goes_on() {
    let (mut bench, first, other) = two_torrents();
    let [one, two, silent] = [1, 2, 3].map(|host| bench.accepts(addr(host, 50_001)));
    bench.says(one, &hello(false));
    bench.says(two, &hello(true));
    bench.session.stop(first, "SIGINT", bench.now);
    bench.turn();
    assert!(bench.is_gone(one) && !bench.is_gone(two) && !bench.is_gone(silent));
    bench.says(silent, &hello(false));
    assert!(bench.is_gone(silent));
    let late = bench.accepts(addr(4, 50_001));
    bench.says(late, &hello(true));
    assert_eq!(connections(&bench, other), 2);
    // With the last torrent goes whoever has not said what it wants.
    let waiting = bench.accepts(addr(5, 50_001));
    bench.session.stop(other, "SIGINT", bench.now);
    bench.turn();
    assert!(bench.is_gone(waiting) && bench.session.connections() == 0);
    let addr = addr(6, 50_001);
    assert_eq!(bench.session.handle_accepted(addr, bench.now), None);
}

#[test]
fn a_ban_holds_in_all_torrents() {
    let mut bench = Bench::getter(4, &[]);
    let other = bench.adds("another", |order| order.info_hash = OTHER);
    bench.turn();
    let [liar, twin] = [1, 2].map(|port| bench.accepts(addr(1, port)));
    bench.says(liar, &hello(false));
    bench.says(twin, &hello(true));
    bench.says(liar, "have all");
    bench.says(liar, "unchoke");
    for request in bench.hears(liar) {
        let Some(block) = request.strip_prefix("request ") else {
            continue;
        };
        let mut bytes = encode(&format!("piece {block}"), &bench.setting);
        *bytes.last_mut().expect("it has data") ^= 1;
        bench.sends(liar, &bytes);
    }
    assert!(bench.is_gone(liar) && bench.is_gone(twin));
    let from = addr(1, 7);
    assert_eq!(bench.session.handle_accepted(from, bench.now), None);
    let at = [addr(1, 6881)];
    bench
        .session
        .add_peers(other, &at, Source::Tracker, bench.now);
    bench.wait(Duration::from_secs(5));
    assert_eq!(bench.dialled(at[0]), None);
}

#[test]
fn a_handshake_may_be_cut_anywhere_and_messages_may_follow_it_at_once() {
    let setting = Bench::seeder(4).setting;
    let words = [&hello(true)[..], "have none", "interested", "unknown 99"];
    let all: Vec<u8> = words
        .iter()
        .flat_map(|words| encode(words, &setting))
        .collect();
    for cut in 0..all.len() {
        let (mut bench, _, other) = two_torrents();
        let key = bench.accepts(addr(1, 50_001));
        bench.sends(key, &all[..cut]);
        let kept = bench.session.unparsed(key).expect("it is there").to_vec();
        bench.sends(key, &[&kept, &all[cut..]].concat());
        let peer = bench.session.peer(key).expect("it is there");
        assert!(
            peer.is_open() && peer.choke_state().peer_interested,
            "{cut}"
        );
        assert_eq!(bench.session.torrent_of(key), Some(other), "{cut}");
        assert_eq!(bench.hears(key)[..2], ["handshake", "have none"], "{cut}");
        bench.session.assert_invariants();
    }
}

#[test]
fn strangers_that_dawdle_or_rave_are_bounded() {
    let (mut bench, first, other) = two_torrents();
    let greeting = encode(&hello(false), &bench.setting);
    let slow = bench.accepts(addr(1, 50_001));
    for byte in greeting
        .iter()
        .take(limits::HANDSHAKE_TIME.as_secs() as usize)
    {
        assert!(!bench.is_gone(slow));
        let kept = bench.session.unparsed(slow).expect("it is there").to_vec();
        bench.sends(slow, &[&kept[..], &[*byte]].concat());
        bench.wait(Duration::from_secs(1));
    }
    assert!(bench.is_gone(slow), "each byte does not give it more time");
    let noise = bench.accepts(addr(2, 50_001));
    bench.sends(noise, &vec![0x13; 10 << 20]);
    assert!(bench.is_gone(noise));
    bench.wait(limits::INCOMING_EVERY);
    let counts = failed(&bench);
    assert!(counts.contains(&(Failed::Slow, 1)), "{counts:?}");
    assert_eq!(counts.iter().map(|&(_, count)| count).sum::<u64>(), 2);
    assert_eq!(connections(&bench, first) + connections(&bench, other), 0);
}

#[test]
fn the_same_torrent_is_not_added_twice() {
    let mut bench = Bench::getter(4, &[]);
    let order = bench.order();
    let again = bench.session.add(order, bench.now);
    assert_eq!(again, Err(bench.torrent));
}

#[test]
fn the_longest_frame_is_that_of_the_torrent_with_most_pieces() {
    let mut bench = Bench::getter(4, &[]);
    let block = limits::EXTENDED_FRAME + 4;
    assert_eq!(bench.session.longest_frame(), block);
    // 800,000 pieces: a bitfield of 100,000 bytes, its kind and its length.
    let geometry = Geometry::new(800_000, 1).expect("measures");
    bench.adds("fine", |order| {
        order.geometry = geometry;
        order.wanted = Bits::full(800_000);
        order.trusted = Bits::new(800_000);
        order.to_hash = Bits::new(800_000);
        order.hashes = vec![order.hashes[0]; 800_000];
    });
    assert_eq!(bench.session.longest_frame(), 100_005);
    // The other torrent's peers may not send so much.
    let key = bench.accepts(addr(1, 50_001));
    bench.says(key, &hello(false));
    bench.sends(key, &100_001_u32.to_be_bytes());
    assert!(bench.is_gone(key));
    let why = EndReason::TooLong(100_001).to_string();
    assert!(crate::ended_since(&bench, &why));
}
