//! Incoming connections that fail before they belong to a torrent are counted, each by what went
//! wrong.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use brooklet::base::{Duration, Rng, limits};
use brooklet::mse::Encryption;
use brooklet::peer::EndReason;
use brooklet::session::sleep;
use brooklet::torrent::Report;

use crate::session::Bench;

/// The last report on incoming connections that failed, in the words that the user sees, and how
/// many there were.
fn counted(bench: &Bench) -> (BTreeMap<String, u64>, usize) {
    let reports = bench.reports.iter().filter_map(|report| match report {
        Report::FailedIncoming(counts) => Some(counts),
        _ => None,
    });
    let reports: Vec<_> = reports.collect();
    let last = reports.last().into_iter().flat_map(|counts| counts.iter());
    let words = last.map(|(failed, count)| (failed.to_string(), *count));
    (words.collect(), reports.len())
}

fn addr(number: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], number))
}

#[test]
fn incoming_connections_that_fail_are_counted_by_kind() {
    let mut bench = Bench::seeder(4);
    bench.begins(|config, _| config.us.encryption = Encryption::Off);
    bench.turn();
    let mut rng = Rng::from_seed(1);
    let key: Vec<u8> = (0..140).map(|_| rng.below(256) as u8).collect();
    let syn = [&[0x41, 0][..], &[7; 18]].concat();
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    let openings: [&[u8]; 7] = [
        &key,
        &key,
        b"GET / HTTP/1.1\r\n\r\n",
        hello,
        &syn,
        b"SSH-2.0-x\r\n",
        b"USER a\r\n",
    ];
    for (number, bytes) in (1..).zip(openings) {
        let incoming = bench.accepts(addr(number));
        bench.sends(incoming, bytes);
        assert!(bench.is_gone(incoming));
    }
    let other = bench.accepts(addr(100));
    let mut greeting = b"\x13BitTorrent protocol\0\0\0\0\0\0\0\0".to_vec();
    greeting.extend(b"another torrent     -XX0001-abcdefghijkl");
    bench.sends(other, &greeting);
    let ended = [
        (&b""[..], EndReason::Closed),
        (&greeting[..30], EndReason::Closed),
        (
            &b""[..],
            EndReason::Network("it reset the connection".to_string()),
        ),
    ];
    for (number, (bytes, reason)) in (200..).zip(ended) {
        let incoming = bench.accepts(addr(number));
        bench.hands(incoming, bytes);
        bench.session.handle_closed(incoming, reason, bench.now);
    }
    bench.accepts(addr(300));
    let slow = bench.accepts(addr(301));
    bench.sends(slow, &greeting[..30]);
    bench.wait(limits::HANDSHAKE_TIME + limits::INCOMING_EVERY);
    let expected = [
        ("encrypted (MSE)", 2),
        ("HTTP", 1),
        ("TLS", 1),
        ("uTP inside TCP", 1),
        ("SSH", 1),
        ("text", 1),
        ("for a torrent not shared here", 1),
        ("closed without a word", 1),
        ("closed within the handshake", 1),
        ("reset", 1),
        ("silent", 1),
        ("too slow", 1),
    ];
    let expected = expected.map(|(what, count)| (what.to_string(), count));
    let (counts, reports) = counted(&bench);
    assert_eq!(counts, BTreeMap::from(expected));
    assert!(reports <= 4, "{reports} in half a minute");
}

/// What could be the key of an encrypted handshake is waited for; what cannot is refused at once.
#[test]
fn a_key_is_told_from_other_protocols() {
    let mut bench = Bench::seeder(4);
    let mut rng = Rng::from_seed(1);
    let mut random = |len: usize| -> Vec<u8> { (0..len).map(|_| rng.below(256) as u8).collect() };
    let (short, key, long) = (random(12), random(140), random(96 + 512 + 20));
    let zeros = [0; 96];
    let at_once: [&[u8]; 7] = [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"SSH-2.0-x\r\n",
        b"USER a\r\n",
        b"text without an end, which is long",
        &zeros,
        &long,
    ];
    for (number, bytes) in (1..).zip(at_once) {
        let incoming = bench.accepts(addr(number));
        bench.sends(incoming, bytes);
        assert!(bench.is_gone(incoming), "{bytes:02x?}");
    }
    let waiting: Vec<usize> = [&b"USER"[..], &short, &key, &zeros[..95], b""]
        .into_iter()
        .zip(20..)
        .map(|(bytes, number)| {
            let incoming = bench.accepts(addr(number));
            bench.stops_reading(incoming);
            bench.sends(incoming, bytes);
            assert!(!bench.is_gone(incoming), "{bytes:02x?}");
            incoming
        })
        .collect();
    bench.wait(limits::HANDSHAKE_TIME + limits::INCOMING_EVERY);
    assert!(waiting.into_iter().all(|incoming| bench.is_gone(incoming)));
    let expected = [
        ("HTTP", 1),
        ("TLS", 1),
        ("SSH", 1),
        ("text", 3),
        ("another protocol", 1),
        ("encrypted (MSE)", 1),
        ("too slow", 3),
        ("silent", 1),
    ];
    let expected = expected.map(|(what, count)| (what.to_string(), count));
    assert_eq!(counted(&bench).0, BTreeMap::from(expected));
}

#[test]
fn a_peer_that_greeted_us_has_not_failed() {
    let mut bench = Bench::seeder(4);
    let twin = bench.join(1, true);
    let again = bench.accepts(SocketAddr::from(([192, 0, 2, 1], 7)));
    bench.says(again, "handshake fast -TR3000-abcdefghi001");
    assert!(bench.is_gone(again) && !bench.is_gone(twin));
    bench
        .session
        .handle_closed(twin, EndReason::Closed, bench.now);
    bench.wait(Duration::from_secs(60));
    assert_eq!(counted(&bench).1, 0);
}

#[test]
fn incoming_connections_that_are_refused_are_counted_and_all_is_said_at_the_end() {
    let mut bench = Bench::getter_with(4, &[], |config, _| config.max_peers = 1);
    let only = bench.join(1, true);
    assert!(bench.session.handle_accepted(addr(2), bench.now).is_none());
    bench.turn();
    assert_eq!(counted(&bench).1, 0, "others may come in the same second");
    bench.session.stop_all("SIGTERM", bench.now);
    bench.turn();
    let expected = BTreeMap::from([("without a free slot".to_string(), 1)]);
    assert_eq!(counted(&bench), (expected, 1));
    assert!(bench.is_gone(only));
}

/// What a peer has sent is kept while the torrent that it names wakes up. If that takes too long it
/// is our disk's fault: the peer was neither slow nor cut off within its handshake.
#[test]
fn peers_whose_torrent_did_not_wake_up_in_time_are_a_kind_of_their_own() {
    let mut bench = Bench::seeder(4);
    assert!(sleep::fall_asleep(&mut bench.session, bench.torrent));
    let [one, two] = [1, 2].map(|number| {
        let incoming = bench.accepts(addr(number));
        bench.says(
            incoming,
            &format!("handshake fast -TR3000-abcdefghi{number:03}"),
        );
        incoming
    });
    bench
        .session
        .handle_closed(one, EndReason::Closed, bench.now);
    bench.wait(limits::HANDSHAKE_TIME + limits::INCOMING_EVERY);
    assert!(bench.is_gone(one) && bench.is_gone(two));
    let expected = BTreeMap::from([("before its torrent was awake".to_string(), 2)]);
    assert_eq!(counted(&bench).0, expected);
}

/// We dialed ourselves: the dialing end says so.
#[test]
fn this_very_client_is_a_kind_of_its_own() {
    let mut bench = Bench::seeder(4);
    let incoming = bench.accepts(addr(1));
    bench.says(incoming, "handshake fast -bk0100-ABCDEFGHIJKL");
    bench
        .session
        .handle_closed(incoming, EndReason::Closed, bench.now);
    bench.wait(limits::INCOMING_EVERY);
    let expected = BTreeMap::from([("from this very client".to_string(), 1)]);
    assert_eq!(counted(&bench), (expected, 1));
}
