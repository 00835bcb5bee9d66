//! How much is asked for, and what becomes of requests that are answered late, out of turn, or not
//! at all.

use super::*;

fn block(number: u32) -> Block {
    Block {
        piece: 0,
        begin: number * BLOCK,
        len: BLOCK,
    }
}

fn at(millis: u64) -> Time {
    Time::from_micros(millis * 1000)
}

/// The depth, and the requests in flight, after twenty seconds on a link that brings a block every
/// `gap`, each `latency` after it was asked for at the soonest, in microseconds.
fn in_flight(latency: u64, gap: u64) -> (usize, usize) {
    let (mut requests, mut down) = (Requests::default(), Meter::new(at(0)));
    let (mut asked, mut next) = (VecDeque::new(), 0);
    for step in 0..20_000_000 / gap {
        let now = Time::from_micros(step * gap);
        while requests.room(now) > 0 {
            requests.ask(block(next), now);
            asked.push_back((block(next), now));
            next += 1;
        }
        let due = |since| now.since(since) >= Duration::from_micros(latency);
        if asked.front().is_some_and(|&(_, since)| due(since)) {
            let (block, _) = asked.pop_front().expect("one is there");
            down.add(u64::from(BLOCK), now);
            assert_eq!(requests.on_block(block, &down, now), Arrival::Expected);
        }
    }
    (requests.depth, requests.len())
}

#[test]
fn depth_grows_with_the_rate_and_then_follows_it() {
    // Three seconds of 100 blocks a second.
    let (depth, in_flight) = in_flight(30_000, 10_000);
    assert!((270..=330).contains(&depth), "{depth}");
    assert!(
        (depth * 7 / 8 - 1..=depth).contains(&in_flight),
        "{in_flight}"
    );
}

/// Blocks that come in a minute from a peer that answers 100 a second and drops, without a word,
/// what does not fit in its queue.
fn from_a_peer_that_drops(queue: usize) -> usize {
    let (mut requests, mut down) = (Requests::default(), Meter::new(at(0)));
    let (mut queued, mut next, mut got) = (VecDeque::new(), 0, 0);
    for step in 0..6000 {
        let now = at(step * 10);
        requests.take_late(now);
        requests.take_lost(now);
        for _ in 0..requests.room(now) {
            requests.ask(block(next), now);
            if queued.len() < queue {
                queued.push_back(block(next));
            }
            next += 1;
        }
        if let Some(block) = queued.pop_front() {
            down.add(u64::from(BLOCK), now);
            let arrival = requests.on_block(block, &down, now);
            got += usize::from(arrival == Arrival::Expected);
        }
    }
    got
}

#[test]
fn a_peer_that_drops_requests_is_kept_busy() {
    for queue in [2, 4, 8, 16, 32, 64, 128] {
        let got = from_a_peer_that_drops(queue);
        assert!(got >= 5_900, "a queue of {queue}: {got}");
    }
}

#[test]
fn a_near_peer_is_asked_for_little_at_a_time() {
    let (_, in_flight) = in_flight(500, 250);
    assert!(
        (limits::DEPTH_NEAR * 7 / 8..=limits::DEPTH_NEAR).contains(&in_flight),
        "{in_flight}"
    );
}

#[test]
fn a_late_block_is_named_once_after_two_seconds() {
    let mut requests = Requests::default();
    requests.ask(block(0), at(0));
    assert_eq!(requests.next_deadline(at(0)), Some(at(2000)));
    assert_eq!(requests.take_late(at(1999)), []);
    assert_eq!(requests.take_late(at(2000)), [block(0)]);
    assert_eq!(requests.take_late(at(3000)), []);
    assert!(requests.is_snubbing(at(2000)) && requests.room(at(2000)) == 0);
    let down = Meter::new(at(0));
    assert_eq!(
        requests.on_block(block(0), &down, at(3000)),
        Arrival::Expected
    );
    assert!(!requests.is_snubbing(at(3000)) && requests.room(at(3000)) > 0);
}

#[test]
fn a_peer_silent_for_a_minute_is_asked_for_one_block_at_a_time_until_it_sends_one() {
    let mut requests = Requests::default();
    let lost = limits::SNUBBED.as_micros() as u64 / 1000;
    for number in 0..4 {
        requests.ask(block(number), at(0));
    }
    assert_eq!(requests.take_lost(at(lost)).len(), 4);
    assert!(requests.is_snubbing(at(lost)));
    // Others have a second to be asked for it first.
    assert_eq!(requests.room(at(lost)), 0);
    let lost = lost + 1000;
    assert_eq!(requests.next_deadline(at(lost - 1)), Some(at(lost)));
    assert_eq!(requests.room(at(lost)), 1);
    requests.ask(block(4), at(lost));
    assert_eq!(requests.room(at(lost)), 0);
    let down = Meter::new(at(0));
    let arrival = requests.on_block(block(4), &down, at(lost + 10));
    assert_eq!(arrival, Arrival::Expected);
    assert!(!requests.is_snubbing(at(lost + 10)));
    assert!(requests.room(at(lost + 10)) > 1);
}

#[test]
fn a_peer_that_sends_later_requests_first_does_not_snub_us() {
    let mut requests = Requests::default();
    let lost = limits::SNUBBED.as_micros() as u64 / 1000;
    requests.ask(block(0), at(0));
    requests.ask(block(1), at(lost - 1000));
    let down = Meter::new(at(0));
    requests.on_block(block(1), &down, at(lost - 900));
    assert_eq!(requests.take_lost(at(lost)), [block(0)]);
    assert!(!requests.is_snubbing(at(lost)) && requests.room(at(lost)) > 1);
}

#[test]
fn cancelled_blocks_are_known_and_others_are_not() {
    let (mut requests, down) = (Requests::default(), Meter::new(at(0)));
    requests.ask(block(0), at(0));
    requests.ask(block(1), at(0));
    assert!(requests.call_off(block(0)) && !requests.call_off(block(0)));
    assert_eq!(requests.take_all(), [block(1)]);
    assert_eq!(
        requests.on_block(block(0), &down, at(1)),
        Arrival::CalledOff
    );
    assert_eq!(requests.on_block(block(0), &down, at(1)), Arrival::Unasked);
    assert_eq!(
        requests.on_block(block(1), &down, at(1)),
        Arrival::CalledOff
    );
}

#[test]
fn no_more_cancelled_blocks_are_remembered_than_may_be_in_flight() {
    let (mut requests, down) = (Requests::default(), Meter::new(at(0)));
    let most = limits::DEPTH_MOST as u32;
    for number in 0..=most {
        requests.ask(block(number), at(0));
        assert!(requests.call_off(block(number)));
    }
    let mut comes = |number| requests.on_block(block(number), &down, at(1));
    assert_eq!(comes(0), Arrival::Unasked);
    assert_eq!(comes(1), Arrival::CalledOff);
    assert_eq!(comes(most), Arrival::CalledOff);
}

#[test]
fn requests_passed_over_or_too_old_are_lost() {
    let (mut requests, down) = (Requests::default(), Meter::new(at(0)));
    requests.ask(block(0), at(0));
    for number in 1..100 {
        assert_eq!(requests.take_lost(at(1)), [], "{number} were asked since");
        requests.ask(block(number), at(0));
        requests.on_block(block(number), &down, at(1));
        if number as usize == limits::SKIPPED_LEAST {
            break;
        }
    }
    assert_eq!(requests.next_deadline(at(1)), Some(at(1)));
    assert_eq!(requests.take_lost(at(1)), [block(0)]);
    assert_eq!(
        requests.on_block(block(0), &down, at(2)),
        Arrival::CalledOff
    );

    requests.ask(block(200), at(0));
    assert_eq!(requests.take_lost(at(59_999)), []);
    assert_eq!(requests.take_lost(at(60_000)), [block(200)]);
    assert!(requests.is_empty());
}

#[test]
fn a_reject_pauses_only_while_unchoked() {
    let mut requests = Requests::default();
    requests.ask(block(0), at(0));
    requests.ask(block(1), at(0));
    assert!(requests.on_reject(block(0), true, at(5)) && requests.room(at(5)) > 0);
    assert!(requests.on_reject(block(1), false, at(5)));
    assert_eq!(
        (requests.room(at(5)), requests.next_deadline(at(5))),
        (0, Some(at(1005)))
    );
    assert!(requests.room(at(1005)) > 0);
}
