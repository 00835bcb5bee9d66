//! Frames and peers: how much we ask of a peer, and how long we wait for it.

use std::collections::VecDeque;

use brooklet::base::{BLOCK, Block, Duration, Meter, Time, limits};
use brooklet::peer::Requests;
use brooklet::peer::request::Arrival;

const TICK: Duration = Duration::from_micros(1);

fn block(number: u32) -> Block {
    Block {
        piece: number / 64,
        begin: number % 64 * BLOCK,
        len: BLOCK,
    }
}

fn micros(micros: u64) -> Time {
    Time::from_micros(micros)
}

/// What is in flight after so many seconds on a link that brings a block every `gap`, each
/// `latency` after it was asked for at the soonest, in microseconds.
fn in_flight(latency: u64, gap: u64, seconds: u64) -> usize {
    let (mut requests, mut down) = (Requests::default(), Meter::new(micros(0)));
    let (mut asked, mut next, mut flight) = (VecDeque::new(), 0, 0);
    for step in 0..seconds * 1_000_000 / gap {
        let now = micros(step * gap);
        while requests.room(now) > 0 {
            requests.ask(block(next), now);
            asked.push_back((next, now));
            next += 1;
        }
        flight = requests.len();
        let due = asked
            .front()
            .is_some_and(|&(_, since)| now.since(since) >= Duration::from_micros(latency));
        if due {
            let (number, _) = asked.pop_front().expect("one is there");
            down.add(u64::from(BLOCK), now);
            assert_eq!(
                requests.on_block(block(number), &down, now),
                Arrival::Expected
            );
        }
    }
    flight
}

/// Requests are made in batches of an eighth of the depth.
fn assert_about(in_flight: usize, depth: usize) {
    assert!(
        (depth - depth / 8..=depth).contains(&in_flight),
        "{in_flight} of {depth}"
    );
}

#[test]
fn requests_in_flight() {
    // 50 blocks a second: three seconds of these.
    let held = limits::DEPTH_TIME.as_secs() as usize * 50;
    let flight = in_flight(30_000, 20_000, 30);
    assert!(
        (held * 8 / 10..=held * 11 / 10).contains(&flight),
        "{flight} of {held}"
    );
    // A block each four seconds, and a thousand a second.
    assert_eq!(in_flight(1_000, 4_000_000, 120), limits::DEPTH_LEAST);
    assert_about(in_flight(30_000, 1_000, 20), limits::DEPTH_MOST);
}

#[test]
fn requests_in_flight_to_a_near_peer() {
    let near = limits::NEAR.as_micros() as u64;
    assert_about(in_flight(near - 100, 100, 5), limits::DEPTH_NEAR);
    // One that never was as quick is not near, however much it sends.
    assert_about(in_flight(near, 100, 5), limits::DEPTH_MOST);
}

/// A near peer answers what waits twice a second, all at once: with few requests in flight it would
/// be idle most of the time.
#[test]
fn requests_in_flight_to_a_near_peer_that_pauses() {
    let (mut requests, mut down) = (Requests::default(), Meter::new(micros(0)));
    let (mut asked, mut next, mut most) = (VecDeque::new(), 0, 0);
    let pause = limits::NEAR_MEAN.as_micros() as u64 * 10;
    let quick = limits::NEAR.as_micros() as u64 / 2;
    for at in [0, quick]
        .into_iter()
        .chain((1..60).map(|turn| turn * pause))
    {
        let now = micros(at);
        for number in asked.drain(..) {
            down.add(u64::from(BLOCK), now);
            requests.on_block(block(number), &down, now);
        }
        while requests.room(now) > 0 {
            requests.ask(block(next), now);
            asked.push_back(next);
            next += 1;
        }
        most = most.max(requests.len());
    }
    assert!(most > limits::DEPTH_NEAR * 8, "{most}");
}

/// Requests to a peer that takes so long for each block, after some of them; the time by then.
fn slow(seconds: u64, blocks: u32) -> (Requests, Time) {
    let (mut requests, down) = (Requests::default(), Meter::new(micros(0)));
    let mut now = Time::default();
    for number in 0..blocks {
        requests.ask(block(number), now);
        now = now + Duration::from_secs(seconds);
        requests.on_block(block(number), &down, now);
    }
    (requests, now)
}

#[test]
fn a_block_is_late() {
    // A quick peer, and one that takes half a minute for each block.
    for (seconds, late) in [(0, limits::LATE_LEAST), (30, limits::LATE_MOST)] {
        let (mut requests, now) = slow(seconds, 20);
        requests.ask(block(99), now);
        assert_eq!(requests.next_deadline(now), Some(now + late));
        assert_eq!(requests.take_late(now + (late - TICK)), []);
        assert_eq!(requests.take_late(now + late), [block(99)]);
    }
}

#[test]
fn a_request_is_passed_over() {
    // With few in flight, a number that does not depend on them counts; with many, a multiple of
    // these.
    for warm in [0, 100] {
        let (mut requests, down) = (Requests::default(), Meter::new(micros(0)));
        for number in 0..warm {
            // Each takes so long that the peer is not near.
            requests.ask(block(number), micros(0));
            requests.on_block(block(number), &down, micros(0) + limits::NEAR);
        }
        // Nothing is in flight, so this is how many there may be.
        let depth = requests.room(micros(0));
        let most = (limits::SKIPPED * depth).max(limits::SKIPPED_LEAST);
        assert_eq!(most == limits::SKIPPED_LEAST, warm == 0);
        requests.ask(block(9_999), micros(0));
        for number in 1_000..1_000 + most as u32 {
            assert_eq!(requests.take_lost(micros(1)), [], "{number}");
            requests.ask(block(number), micros(1));
            requests.on_block(block(number), &down, micros(1));
        }
        assert_eq!(requests.take_lost(micros(1)), [block(9_999)]);
    }
}

#[test]
fn a_peer_snubs_us() {
    let (mut requests, now) = slow(1, 20);
    requests.ask(block(99), now);
    let (before, then) = (now + (limits::SNUBBED - TICK), now + limits::SNUBBED);
    assert!(!requests.is_snubbing(before) && requests.is_snubbing(then));
    assert_eq!(requests.take_lost(before), []);
    assert_eq!(requests.take_lost(then), [block(99)]);
}
