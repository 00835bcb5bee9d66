//! When each torrent is looked up.

use super::*;
use crate::base::NodeId;

fn at(secs: u64) -> Time {
    Time::from_micros(secs * 1_000_000)
}

fn hash(number: u8) -> InfoHash {
    InfoHash([number; 20])
}

fn want(is_urgent: bool) -> Want {
    Want {
        port: Some(1),
        implied: false,
        is_urgent,
    }
}

const FOUND: Outcome<'_> = Outcome {
    answered: true,
    few: false,
    nodes: &[],
};
const NOTHING: Outcome<'_> = Outcome {
    answered: false,
    few: false,
    nodes: &[],
};

#[test]
fn each_is_announced_again_in_fourteen_to_fifteen_minutes() {
    let (mut wanted, mut rng) = (Wanted::default(), Rng::from_seed(1));
    let mut spans = Vec::new();
    for number in 0..100 {
        wanted.insert(hash(number), want(false), at(5));
        assert_eq!(wanted.begin_lookup(Family::V4, at(5)), Some(hash(number)));
        assert_eq!(wanted.begin_lookup(Family::V4, at(5)), None, "once");
        wanted.end(hash(number), Family::V4, FOUND, &mut rng, at(9));
        let due = wanted.next_deadline(Family::V4).unwrap();
        spans.push(due.since(at(9)));
        wanted.remove(hash(number));
        assert_eq!(wanted.next_deadline(Family::V4), None);
    }
    let (least, most) = (spans.iter().min().unwrap(), spans.iter().max().unwrap());
    assert!(*most <= limits::DHT_ANNOUNCE && *least >= limits::DHT_ANNOUNCE * 14 / 15);
    assert!(*most - *least > Duration::from_secs(30), "they spread");
}

#[test]
fn a_torrent_without_peers_goes_first_and_again_soon_then_later() {
    let (mut wanted, mut rng) = (Wanted::default(), Rng::from_seed(1));
    for number in [1, 2, 3] {
        wanted.insert(hash(number), want(number == 3), at(number.into()));
    }
    assert_eq!(wanted.begin_lookup(Family::V4, at(9)), Some(hash(3)));
    assert_eq!(wanted.begin_lookup(Family::V4, at(9)), Some(hash(1)));
    assert_eq!(wanted.begin_lookup(Family::V4, at(9)), Some(hash(2)));
    assert_eq!(
        wanted.begin_lookup(Family::V6, at(9)),
        Some(hash(3)),
        "each family"
    );
    let mut now = at(10);
    for failures in 0..12 {
        let outcome = if failures % 2 == 0 { NOTHING } else { FOUND };
        wanted.end(hash(3), Family::V4, outcome, &mut rng, now);
        let due = wanted.next_deadline(Family::V4).unwrap();
        let span = (limits::DHT_AGAIN * (1 << failures)).min(limits::DHT_ANNOUNCE);
        assert_eq!(due.since(now), span);
        assert_eq!(wanted.begin_lookup(Family::V4, due), Some(hash(3)));
        now = due;
    }
    // It has peers now.
    wanted.end(hash(3), Family::V4, FOUND, &mut rng, now);
    wanted.insert(hash(3), want(false), now);
    let due = wanted.next_deadline(Family::V4).unwrap();
    assert_eq!(due.since(now), limits::DHT_ANNOUNCE);
    // Who needs peers again asks again, but not at once.
    wanted.insert(hash(3), want(true), now);
    let due = wanted.next_deadline(Family::V4).unwrap();
    assert_eq!(due.since(now), limits::DHT_AGAIN);
    // A seed for which nobody answered.
    wanted.end(hash(1), Family::V4, NOTHING, &mut rng, now);
    assert_eq!(
        wanted.next_deadline(Family::V4),
        Some(now + limits::DHT_AGAIN)
    );
    wanted.hurry(Family::V4, true, now);
    assert_eq!(
        wanted.next_deadline(Family::V4),
        Some(now),
        "somebody answers at last"
    );
    // One for which few did, who may know nobody else.
    wanted.begin_lookup(Family::V4, now);
    for few in [false, true] {
        wanted.end(hash(1), Family::V4, Outcome { few, ..FOUND }, &mut rng, now);
        wanted.hurry(Family::V4, false, now);
        assert_eq!(wanted.next_deadline(Family::V4) == Some(now), few);
    }
    // A node that is alone comes and goes every few seconds.
    let mut lookups = 0;
    for second in 0..900 {
        let now = now + Duration::from_secs(second);
        wanted.hurry(Family::V4, true, now);
        if wanted.begin_lookup(Family::V4, now) == Some(hash(1)) {
            lookups += 1;
            let few = Outcome { few: true, ..FOUND };
            wanted.end(hash(1), Family::V4, few, &mut rng, now);
        }
    }
    assert!(
        (8..=10).contains(&lookups),
        "{lookups} in a quarter of an hour"
    );
}

#[test]
fn the_next_lookup_begins_where_the_last_one_ended() {
    let (mut wanted, mut rng) = (Wanted::default(), Rng::from_seed(1));
    let nodes = [NodeInfo {
        id: NodeId([4; 20]),
        addr: "192.0.2.1:6881".parse().unwrap(),
    }];
    wanted.insert(hash(1), want(false), at(1));
    wanted.begin_lookup(Family::V4, at(1));
    let outcome = Outcome {
        nodes: &nodes,
        ..FOUND
    };
    wanted.end(hash(1), Family::V4, outcome, &mut rng, at(2));
    assert_eq!(wanted.nodes(hash(1), Family::V4), nodes);
    assert_eq!(wanted.nodes(hash(1), Family::V6), []);
    wanted.insert(hash(1), want(true), at(3));
    assert_eq!(wanted.nodes(hash(1), Family::V4), nodes, "they are kept");
    wanted.remove(hash(1));
    wanted.end(hash(1), Family::V4, outcome, &mut rng, at(4));
    assert_eq!(wanted.next_deadline(Family::V4), None, "it is gone");
}

/// Many torrents without peers do not keep one that is to be announced waiting.
#[test]
fn one_lookup_in_a_few_is_for_the_one_that_is_due_longest() {
    let (mut wanted, mut rng) = (Wanted::default(), Rng::from_seed(1));
    for number in 1..=100 {
        wanted.insert(hash(number), want(true), at(0));
    }
    wanted.insert(hash(200), want(false), at(1));
    wanted.insert(hash(201), want(false), at(2));
    let begun: Vec<InfoHash> = (0..3 * limits::DHT_FAIR)
        .map(|_| {
            let hash = wanted.begin_lookup(Family::V4, at(3)).unwrap();
            wanted.end(hash, Family::V4, FOUND, &mut rng, at(3));
            hash
        })
        .collect();
    let place = |number| begun.iter().position(|&it| it == hash(number));
    assert_eq!(place(200), Some(limits::DHT_FAIR as usize - 1));
    assert_eq!(place(201), Some(2 * limits::DHT_FAIR as usize - 1));
    assert_eq!(begun.iter().filter(|it| it.0[0] <= 100).count(), 7);
}

/// However often a torrent is looked up, a node is asked to store it a few times an hour.
#[test]
fn a_node_that_took_an_announce_is_not_asked_again_for_a_while() {
    let mut wanted = Wanted::default();
    wanted.insert(hash(1), want(true), at(0));
    let node = |number: u8| NodeId([number; 20]);
    assert!(wanted.is_news(hash(1), Family::V4, node(1), at(0)));
    wanted.on_announced(hash(1), Family::V4, node(1), at(0));
    let again = limits::DHT_ANNOUNCE_AGAIN.as_secs();
    let news =
        |wanted: &Wanted, number, secs| wanted.is_news(hash(1), Family::V4, node(number), at(secs));
    assert!(!news(&wanted, 1, again - 1) && news(&wanted, 1, again));
    assert!(news(&wanted, 2, 1) && wanted.is_news(hash(1), Family::V6, node(1), at(1)));
    // The next regular lookup comes later than that.
    assert!(limits::DHT_ANNOUNCE_AGAIN < limits::DHT_ANNOUNCE * 14 / 15);
    // Those remembered are bounded, the oldest goes.
    for number in 2..=limits::DHT_TOLD as u8 + 1 {
        wanted.on_announced(hash(1), Family::V4, node(number), at(1));
    }
    assert!(news(&wanted, 1, 2) && !news(&wanted, 2, 2));
    // With another port it is news to all.
    let moved = Want {
        port: Some(2),
        ..want(true)
    };
    wanted.insert(hash(1), moved, at(3));
    assert!(news(&wanted, 2, 3));
}
