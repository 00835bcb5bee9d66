//! Newcomers: who gets a place, who gives way, and what one of them may make us do for little.

use std::net::SocketAddr;

use brooklet::base::{BLOCK, Bits, Duration, Geometry, limits};
use brooklet::peer::EndReason;
use brooklet::torrent::{Effect, Report};

use crate::session::{Bench, PIECE};
use crate::transcript::words::encode;

/// A number of seconds goes by, in which these peers keep their connections alive.
fn seconds_pass(bench: &mut Bench, keys: &[usize], seconds: u64) {
    for second in 1..=seconds {
        bench.wait(Duration::from_secs(1));
        for &key in keys.iter().filter(|_| second % 30 == 0) {
            bench.says(key, "keep-alive");
        }
    }
}

/// So many peers call that all places are taken, and say this. Their keys.
fn full_house(bench: &mut Bench, words: &[&str]) -> Vec<usize> {
    let join = |number: usize| {
        let key = bench.join(number as u8, true);
        words.iter().for_each(|words| bench.says(key, words));
        key
    };
    (1..=limits::PEERS).map(join).collect()
}

/// Whether somebody who calls now is let in.
fn lets_in(bench: &mut Bench) -> bool {
    let caller = SocketAddr::from(([192, 0, 2, 201], 50_001));
    let key = bench.session.handle_accepted(caller, bench.now);
    bench.turn();
    key.is_some()
}

#[test]
fn a_silent_peer_makes_room_at_once_for_an_incoming_one() {
    for greets in [true, false] {
        let mut bench = Bench::getter(4, &[0]);
        let call = |number: usize| {
            let addr = SocketAddr::from(([192, 0, 2, number as u8], 50_001));
            if greets {
                return bench.join(number as u8, true);
            }
            bench.accepts(addr)
        };
        let keys: Vec<usize> = (1..=limits::PEERS).map(call).collect();
        assert!(!lets_in(&mut bench), "they may yet say something");
        // A keep-alive says nothing.
        bench.wait(limits::WORDLESS);
        if greets {
            bench.says(keys[0], "keep-alive");
        }
        assert!(lets_in(&mut bench));
        assert!(keys.iter().all(|&key| bench.is_gone(key)));
    }
}

#[test]
fn a_slot_goes_at_once_from_a_peer_that_does_not_use_it_and_after_a_minute_from_an_idle_one() {
    for (words, after) in [
        (&["have none"][..], limits::IDLE),
        (&["have none", "interested"], limits::UNUSED),
        (&["bitfield 40"], limits::BARREN),
    ] {
        let mut bench = Bench::getter(4, &[0]);
        let keys = full_house(&mut bench, words);
        seconds_pass(&mut bench, &keys, after.as_secs() - 2);
        assert!(!lets_in(&mut bench), "{words:?}");
        seconds_pass(&mut bench, &keys, 3);
        assert!(lets_in(&mut bench), "{words:?}");
        let gone = keys.iter().filter(|&&key| bench.is_gone(key)).count();
        assert_eq!(gone, 1, "{words:?}");
        assert!(!lets_in(&mut bench), "one a second");
    }
}

#[test]
fn a_seed_makes_room_as_well() {
    let mut bench = Bench::seeder(4);
    let keys = full_house(&mut bench, &["have none"]);
    seconds_pass(&mut bench, &keys, limits::IDLE.as_secs());
    assert!(lets_in(&mut bench));
}

#[test]
fn the_last_places_are_for_those_we_call() {
    let mut bench = Bench::getter(4, &[0]);
    let kept = limits::PEERS / limits::KEPT_TO_DIAL;
    (1..=limits::PEERS - kept - 1).for_each(|number| {
        bench.join(number as u8, true);
    });
    let source = brooklet::torrent::Source::Tracker;
    let good = SocketAddr::from(([192, 0, 2, 200], 6881));
    bench
        .session
        .add_peers(bench.torrent, &[good], source, bench.now);
    let caller = |n| SocketAddr::from(([198, 51, 100, n], 50_001));
    let mut call = |n| {
        bench
            .session
            .handle_accepted(caller(n), bench.now)
            .is_some()
    };
    assert!(call(1) && !call(2));
    bench.turn();
    assert!(bench.dialled(good).is_some());
    assert!(
        bench
            .session
            .handle_accepted(caller(3), bench.now)
            .is_some(),
        "nobody is left to call"
    );
}

#[test]
fn the_disk_reads_ahead_no_more_than_may_be_sent() {
    let mut bench = Bench::seeder(4_096);
    let key = bench.join(1, true);
    bench.says(key, "interested");
    let mut ahead = 0;
    for round in 0..4_000 {
        for words in ["request", "cancel"] {
            let words = format!("{words} {round} at 0, 16384 bytes");
            bench.hands(key, &encode(&words, &bench.setting));
        }
        bench.session.plan(bench.now);
        while let Some(effect) = bench.session.next_effect() {
            if let Effect::ReadAhead { block, .. } = effect {
                ahead += u64::from(block.len);
            }
        }
        bench.session.take_unflushed();
        let waits = bench.session.peer(key).map_or(0, |peer| peer.unsent());
        bench.session.transmitted(key, waits, bench.now);
    }
    assert!(!bench.is_gone(key), "it did nothing wrong");
    assert!(ahead >= limits::READ_AHEAD, "{ahead}");
    assert!(ahead <= limits::READ_AHEAD + u64::from(PIECE), "{ahead}");
}

/// Most requests need no hint, where a piece is long.
#[test]
fn the_disk_reads_ahead_long_stretches_at_a_time() {
    const LONG: u32 = 1 << 20;
    let mut bench = Bench::seeder(2 * LONG / PIECE);
    bench.setting.local.geometry = Geometry::new(u64::from(2 * LONG), LONG).unwrap();
    bench.begins(|_, order| {
        order.hashes.truncate(2);
        order.trusted = Bits::full(2);
    });
    bench.turn();
    let key = bench.join(1, true);
    bench.says(key, "interested");
    let mut hints = Vec::new();
    for at in (0..LONG).step_by(BLOCK as usize) {
        let words = format!("request 1 at {at}, 16384 bytes");
        bench.hands(key, &encode(&words, &bench.setting));
        bench.session.plan(bench.now);
        while let Some(effect) = bench.session.next_effect() {
            if let Effect::ReadAhead { block, .. } = effect {
                hints.push((block.begin, block.len));
            }
        }
    }
    let stretch = limits::READ_AHEAD_AT_ONCE as u32;
    let expected: Vec<(u32, u32)> = (0..LONG / stretch)
        .map(|n| (n * stretch, stretch))
        .collect();
    assert_eq!(hints, expected);
}

#[test]
fn what_it_has_is_said_so_often() {
    let mut bench = Bench::getter(16, &[]);
    let key = bench.join(1, true);
    for _ in 0..limits::HOLDINGS_TOLD {
        bench.says(key, "bitfield f0f0");
    }
    assert!(!bench.is_gone(key));
    bench.says(key, "have none");
    assert!(bench.is_gone(key));
    let flood = EndReason::HoldingsFlood.to_string();
    let said =
        |report: &Report| matches!(report, Report::Disconnected { reason, .. } if *reason == flood);
    assert!(bench.reports.iter().any(said));
}

/// Who only asks is read so little of at a time that what it asks for has room, so that none of it
/// is refused.
#[test]
fn one_read_of_requests_has_room() {
    let requests = limits::ASKING_READ.div_ceil(17);
    assert!(limits::UPLOADS_FULL + requests <= limits::QUEUED_UPLOADS);
}
