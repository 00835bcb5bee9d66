//! Who keeps a place among our connections: not ourselves, not who is silent, and not who is of no
//! use while others wait.

use std::net::SocketAddr;

use brooklet::base::{Duration, limits};
use brooklet::peer::EndReason;

use crate::session::Bench;
use crate::transcript::words::encode;
use crate::{ended_since, seconds_pass};

#[test]
fn a_peer_of_no_use_makes_room_for_another() {
    let mut bench = Bench::getter(4, &[0]);
    let keys: Vec<usize> = (1..=limits::PEERS as u8)
        .map(|number| bench.join(number, true))
        .collect();
    // The oldest is of use to us, the next gets something of us all the time, and all have said
    // something.
    for &key in &keys[1..] {
        bench.says(key, "have none");
    }
    bench.says(keys[0], "bitfield 10");
    bench.says(keys[1], "interested");
    bench.says(keys[1], "request 0 at 0, 16384 bytes");
    let waiting = SocketAddr::from(([192, 0, 2, 200], 6881));
    let source = brooklet::torrent::Source::Tracker;
    bench
        .session
        .add_peers(bench.torrent, &[waiting], source, bench.now);
    let gone = |bench: &Bench| {
        let gone = keys.iter().filter(|&&key| bench.is_gone(key));
        gone.copied().collect::<Vec<usize>>()
    };
    for _ in 0..11 {
        seconds_pass(&mut bench, &keys, 5);
        bench.says(keys[1], "request 0 at 0, 16384 bytes");
    }
    assert_eq!(gone(&bench), [0; 0], "all may yet be of use");
    assert_eq!(bench.dialled(waiting), None);
    for _ in 0..3 {
        seconds_pass(&mut bench, &keys, 5);
        bench.says(keys[1], "request 0 at 0, 16384 bytes");
    }
    assert!(ended_since(&bench, &EndReason::Replaced.to_string()));
    let gone = gone(&bench);
    assert!(gone.len() == 1 && !keys[..2].contains(&gone[0]), "{gone:?}");
    assert!(bench.dialled(waiting).is_some());
}

/// A seed whose places are all taken, by peers that say this and then only that they are there.
/// Their keys.
fn full_seed(words: &str) -> (Bench, Vec<usize>) {
    let mut bench = Bench::seeder(4);
    let keys: Vec<usize> = (1..=limits::PEERS as u8)
        .map(|number| bench.join(number, true))
        .collect();
    for &key in &keys {
        bench.says(key, words);
    }
    (bench, keys)
}

/// Calls every second until there is a place: the key, and the seconds that it took.
fn calls_until_let_in(bench: &mut Bench, keys: &[usize], most: u64) -> (usize, u64) {
    let caller = SocketAddr::from(([198, 51, 100, 1], 50_001));
    for second in 0..=most {
        if let Some(key) = bench.session.handle_accepted(caller, bench.now) {
            bench.turn();
            return (key, second);
        }
        bench.turn();
        seconds_pass(bench, keys, 1);
    }
    panic!("no place in {most} s");
}

#[test]
fn a_peer_that_only_says_interested_keeps_no_other_out_of_a_seed() {
    let (mut bench, keys) = full_seed("interested");
    let (good, waited) = calls_until_let_in(&mut bench, &keys, 2 * limits::UNUSED.as_secs());
    assert!(waited >= limits::UNUSED.as_secs(), "{waited} s");
    bench.says(good, "handshake fast -TR3000-abcdefghi200");
    bench.says(good, "interested");
    let mut served = 0;
    while bench.session.peer(good).unwrap().choke_state().am_choking {
        seconds_pass(&mut bench, &keys, 1);
        served += 1;
        assert!(served <= 60, "it is its turn within a minute");
    }
    bench.says(good, "request 0 at 0, 16384 bytes");
    assert!(
        bench
            .hears(good)
            .iter()
            .any(|said| said.starts_with("piece"))
    );
    // Nobody lost its place but for the one that got it.
    assert_eq!(keys.iter().filter(|&&key| bench.is_gone(key)).count(), 1);
}

#[test]
fn a_torrent_that_asked_or_waits_for_its_turn_keeps_its_place() {
    let (mut bench, keys) = full_seed("interested");
    let caller = SocketAddr::from(([198, 51, 100, 1], 50_001));
    for _ in 0..100 {
        for &key in &keys {
            if !bench.session.peer(key).unwrap().choke_state().am_choking {
                bench.says(key, "request 0 at 0, 16384 bytes");
            }
        }
        assert_eq!(bench.session.handle_accepted(caller, bench.now), None);
        bench.turn();
        seconds_pass(&mut bench, &keys, 1);
    }
    assert!(keys.iter().all(|&key| !bench.is_gone(key)));
}

#[test]
fn one_host_does_not_have_all_places_while_others_call() {
    let mut bench = Bench::seeder(4);
    let callers = |host: u8| (0..).map(move |n| SocketAddr::from(([192, 0, 2, host], 40_000 + n)));
    let of_one: Vec<usize> = callers(1)
        .take(limits::PEERS)
        .map(|addr| bench.accepts(addr))
        .collect();
    for (n, &key) in of_one.iter().enumerate() {
        bench.says(key, &format!("handshake fast -TR3000-abcdefghi{n:03}"));
        bench.says(key, "have none");
    }
    bench.says(of_one[59], "interested");
    bench.says(of_one[59], "request 0 at 0, 16384 bytes");
    let one_more = callers(1).nth(100).unwrap();
    assert_eq!(bench.session.handle_accepted(one_more, bench.now), None);
    let mut others = 0;
    for caller in callers(2).take(limits::PEERS) {
        bench.wait(Duration::from_secs(1));
        let key = bench.session.handle_accepted(caller, bench.now);
        bench.turn();
        let Some(key) = key else { break };
        bench.says(key, &format!("handshake fast -TR3000-zzzzzzzzz{others:03}"));
        bench.says(key, "have none");
        others += 1;
    }
    assert_eq!(others, limits::PEERS / 2, "half for each");
    assert!(!bench.is_gone(of_one[59]), "it gets something of us");
}

#[test]
fn a_call_from_ourselves_is_answered_once_and_then_not_listened_to() {
    let setting = Bench::getter(2, &[0]).setting;
    let name = String::from_utf8(setting.local.peer_id.0.to_vec()).unwrap();
    let greeting = encode(&format!("handshake fast {name}"), &setting);
    // Whole, in two parts, and with more behind it.
    for cut in [0, 1, 20, 47, 48, 67, 68] {
        let mut bench = Bench::getter(2, &[0]);
        let key = bench.accepts(([192, 0, 2, 1], 50_001).into());
        let more = [
            "have all",
            "unchoke",
            "interested",
            "request 0 at 0, 16384 bytes",
        ];
        let more: Vec<u8> = more
            .iter()
            .flat_map(|more| encode(more, &setting))
            .collect();
        let (first, second) = greeting.split_at(cut);
        for part in [
            first,
            second,
            &more,
            &greeting,
            &more[..3],
            &more,
            &greeting,
        ] {
            // What was cut off is read again with what follows.
            let kept = bench.session.unparsed(key).expect("it is there").to_vec();
            bench.sends(key, &[&kept, part].concat());
        }
        assert_eq!(bench.hears(key), ["handshake"], "cut at {cut}");
        assert!(!bench.is_gone(key), "the caller hangs up");
        bench.wait(limits::HANDSHAKE_TIME);
        assert_eq!(bench.hears(key), [""; 0]);
        assert!(bench.is_gone(key), "but we do not wait for ever");
    }
}

#[test]
fn keep_alives_every_two_minutes_are_enough() {
    for fast in [false, true] {
        let mut bench = Bench::getter(2, &[0]);
        let key = bench.join(1, fast);
        // BEP 3: "generally sent once every two minutes", and then on their way.
        for _ in 0..5 {
            bench.wait(Duration::from_millis(120_900));
            assert!(!bench.is_gone(key));
            bench.says(key, "keep-alive");
        }
        bench.wait(Duration::from_secs(300));
        assert!(bench.is_gone(key));
        assert!(ended_since(&bench, &EndReason::Silent.to_string()));
    }
}

#[test]
fn a_flood_of_incoming_connections_does_not_stop_dials() {
    let mut bench = Bench::getter(4, &[0]);
    let mut number = 0_u32;
    let mut flood = |bench: &mut Bench| {
        for _ in 0..2 * limits::PEERS {
            let [_, b, c, d] = number.to_be_bytes();
            let caller = SocketAddr::from(([10, b, c, d], 50_001));
            bench.session.handle_accepted(caller, bench.now);
            number += 1;
        }
        bench.turn();
    };
    flood(&mut bench);
    let source = brooklet::torrent::Source::Tracker;
    let good = SocketAddr::from(([192, 0, 2, 200], 6881));
    bench
        .session
        .add_peers(bench.torrent, &[good], source, bench.now);
    for _ in 0..10 {
        bench.wait(Duration::from_secs(1));
        flood(&mut bench);
    }
    assert!(bench.dialled(good).is_some());
}

#[test]
fn a_peer_that_copies_a_peer_id_ends_no_connection() {
    // Names smaller and greater than ours decide which of two crossed calls stays.
    for name in ["-AA3000-abcdefghi001", "-zz3000-abcdefghi001"] {
        let mut bench = Bench::getter(4, &[0]);
        let owner = SocketAddr::from(([192, 0, 2, name.as_bytes()[1]], 6881));
        let key = bench.dials(owner);
        bench.session.handle_connected(key, bench.now);
        bench.says(key, &format!("handshake fast {name}"));
        let thief = bench.accepts(SocketAddr::from(([198, 51, 100, 1], 50_001)));
        bench.says(thief, &format!("handshake fast {name}"));
        assert!(!bench.is_gone(key) && !bench.is_gone(thief), "{name}");
        // From the owner's own address it is the owner, and one connection is enough.
        let twin = bench.accepts(SocketAddr::from((owner.ip(), 50_001)));
        bench.says(twin, &format!("handshake fast {name}"));
        assert!(bench.is_gone(key) != bench.is_gone(twin), "{name}");
    }
}

#[test]
fn a_connected_peer_is_not_dialed() {
    let mut bench = Bench::getter(4, &[]);
    let addr = SocketAddr::from(([192, 0, 2, 7], 6881));
    let theirs = bench.accepts(addr);
    bench.says(theirs, "handshake fast -TR3000-abcdefghi007");
    let source = brooklet::torrent::Source::Tracker;
    bench
        .session
        .add_peers(bench.torrent, &[addr], source, bench.now);
    bench.wait(Duration::from_secs(30));
    assert_eq!(bench.dialled(addr), None);
    bench
        .session
        .handle_closed(theirs, EndReason::Closed, bench.now);
    bench.wait(2 * limits::REDIAL);
    assert!(bench.dialled(addr).is_some(), "it is called later");
}

#[test]
fn an_incoming_peer_gets_a_slot_while_one_is_free_and_only_then() {
    let mut bench = Bench::getter(4, &[]);
    bench.begins(|config, _| config.max_peers = 2);
    bench.turn();
    let caller = |number| SocketAddr::from(([192, 0, 2, number], 50_001));
    let (first, _) = (bench.accepts(caller(1)), bench.accepts(caller(2)));
    assert_eq!(bench.session.handle_accepted(caller(3), bench.now), None);
    bench
        .session
        .handle_closed(first, EndReason::Closed, bench.now);
    bench.turn();
    bench.accepts(caller(3));
    bench.session.stop_all("SIGINT", bench.now);
    bench.turn();
    assert_eq!(bench.session.handle_accepted(caller(4), bench.now), None);
}

#[test]
fn a_call_that_is_answered_when_it_was_given_up_is_counted_once() {
    let mut bench = Bench::getter(4, &[]);
    let callee = |number| SocketAddr::from(([192, 0, 2, number], 6881));
    bench.wait(Duration::from_secs(1));
    let [one, other] = [1, 2].map(|number| bench.dials(callee(number)));
    let why = EndReason::Network("connection reset".to_string());
    bench.session.handle_closed(one, why, bench.now);
    bench.session.handle_connected(one, bench.now);
    bench.turn();
    bench.session.assert_invariants();
    bench.session.handle_connected(other, bench.now);
    bench.session.handle_connected(other, bench.now);
    bench.turn();
    bench.session.assert_invariants();
}
