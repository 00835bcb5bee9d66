//! Whose addresses are dialed and kept.

use super::*;

/// A node, or another peer, in a network of its own.
fn namer(source: Source, number: u32) -> Namer {
    let [_, b, c, d] = number.to_be_bytes();
    Namer::at(source, SocketAddr::from(([b + 40, c, d, 9], 6881)))
}

/// How many dials go to others until the address is dialed that this one names after `liars` liars
/// have named a hundred each.
fn dials_before(liars: &[Namer], honest: Namer) -> usize {
    let mut candidates = Candidates::new(Rng::from_seed(1));
    let mut number = 0;
    for &liar in liars {
        for _ in 0..100 {
            candidates.add(numbered(number), liar, at(0));
            number += 1;
        }
    }
    // Meanwhile some were dialed.
    assert!((0..30).all(|_| candidates.next(at(0)).is_some()));
    let good = "198.51.100.1:7".parse().unwrap();
    assert!(candidates.add(good, honest, at(1)), "there is room");
    let mut dialed = std::iter::from_fn(|| candidates.next(at(1)));
    dialed.position(|addr| addr == good).expect("it is dialed")
}

/// A node that names many does not keep those waiting that another names, nor does a peer.
#[test]
fn those_who_name_addresses_take_turns() {
    for source in [Source::Dht, Source::Exchange, Source::Local] {
        let liars = |count: u32| -> Vec<Namer> { (0..count).map(|it| namer(source, it)).collect() };
        let honest = namer(source, 9_999);
        assert!(dials_before(&liars(1), honest) <= 1, "{source:?}");
        assert!(dials_before(&liars(10), honest) <= 10, "{source:?}");
        // They have named more than there is room for.
        let before = dials_before(&liars(61), honest);
        assert!(before <= 61, "{source:?}: {before}");
        // All liars of a network are one.
        let one = Namer::at(source, "45.1.2.3:4".parse().unwrap());
        let other = Namer::at(source, "45.1.2.9:5".parse().unwrap());
        assert_eq!(one, other);
    }
    let trackers = ["http://a/announce", "http://b/announce"].map(Namer::tracker);
    assert!(dials_before(&trackers[..1], trackers[1]) <= 1);
}

/// A node that answers late, when the first address of each liar has been dialed, is not mixed with
/// the further ones of liars.
#[test]
fn the_first_address_of_a_late_namer_comes_before_further_ones_of_others() {
    for source in [Source::Dht, Source::Exchange, Source::Local] {
        let mut candidates = Candidates::new(Rng::from_seed(1));
        for number in 0..61 * 10 {
            let liar = namer(source, number as u32 % 61);
            candidates.add(numbered(number), liar, at(0));
        }
        assert!((0..70).all(|_| candidates.next(at(0)).is_some()));
        let good = "198.51.100.1:7".parse().unwrap();
        candidates.add(good, namer(source, 9_999), at(1));
        assert_eq!(candidates.next(at(1)), Some(good), "{source:?}");
        // It has no second turn in that round.
        let second = "198.51.100.2:7".parse().unwrap();
        candidates.add(second, namer(source, 9_999), at(1));
        let mut dialed = std::iter::from_fn(|| candidates.next(at(1)));
        assert!(dialed.position(|addr| addr == second) <= Some(61));
    }
}

/// However many nodes and peers name addresses, a tracker's go before theirs, and the other way
/// round a tracker does not keep all others waiting.
#[test]
fn the_sources_take_turns_and_trackers_have_two() {
    let flood = |source: Source| -> Vec<Namer> { (0..61).map(|it| namer(source, it)).collect() };
    let both = [flood(Source::Dht), flood(Source::Exchange)].concat();
    let trackers = Namer::tracker("http://a/announce");
    assert!(dials_before(&both, trackers) <= 2);
    assert!(dials_before(&both, Source::Link.into()) <= 2);
    assert_eq!(dials_before(&both, Source::User.into()), 0);
    let local = namer(Source::Local, 1);
    assert!(dials_before(&both, local) <= 2);
    for source in [Source::Dht, Source::Exchange] {
        assert!(dials_before(&[trackers], namer(source, 1)) <= 2);
    }
    let mut candidates = Candidates::new(Rng::from_seed(1));
    let sources = [Source::Exchange, Source::Dht, Source::Tracker];
    for number in 0..30 {
        candidates.add(numbered(number), sources[number % 3], at(0));
    }
    let dialed: Vec<SocketAddr> = (0..16).map(|_| candidates.next(at(0)).unwrap()).collect();
    let of = |place: usize| {
        let named =
            |addr: &&SocketAddr| (0..30).any(|it| it % 3 == place && numbered(it) == **addr);
        dialed.iter().filter(named).count()
    };
    assert_eq!([of(0), of(1), of(2)], [4, 4, 8]);
}

/// One that is due again has its turn among those that were never tried.
#[test]
fn an_address_that_failed_is_dialed_again_among_new_ones() {
    let mut candidates = Candidates::new(Rng::from_seed(1));
    let good = "198.51.100.1:7".parse().unwrap();
    candidates.add(good, Source::Tracker, at(0));
    candidates.next(at(0));
    candidates.on_failed(good, at(0));
    for number in 0..1_000 {
        candidates.add(
            numbered(number),
            namer(Source::Dht, number as u32 % 50),
            at(70),
        );
    }
    let mut dialed = std::iter::from_fn(|| candidates.next(at(80)));
    let before = dialed.position(|addr| addr == good);
    assert!(before.is_some_and(|it| it <= 2), "{before:?}");
}

/// What only nodes or peers have named is forgotten after two failures, unless it was of use.
#[test]
fn doubtful_addresses_are_forgotten_soon() {
    for source in [Source::Dht, Source::Exchange] {
        let dials = |worked: bool| {
            let mut candidates = Candidates::new(Rng::from_seed(1));
            candidates.add(addr(1), namer(source, 1), at(0));
            if worked {
                candidates.next(at(0));
                candidates.on_closed(addr(1), at(0));
            }
            never_answers(&mut candidates).1.len() as u32
        };
        assert_eq!(dials(false), 1 + limits::DIAL_FAILURES_DOUBTFUL);
        assert_eq!(dials(true), limits::DIAL_FAILURES);
    }
    // A tracker, too, has named it.
    let mut candidates = Candidates::new(Rng::from_seed(1));
    candidates.add(addr(1), namer(Source::Dht, 1), at(0));
    candidates.add(addr(1), Source::Tracker, at(0));
    assert_eq!(
        never_answers(&mut candidates).1.len() as u32,
        1 + limits::DIAL_FAILURES
    );
}

/// Where room is short, one that failed goes first, then one of those of whoever named most, and
/// what was of use last.
#[test]
fn what_would_be_dialed_last_is_forgotten_first() {
    let mut candidates = Candidates::new(Rng::from_seed(1));
    candidates.set_room(10, at(0));
    let (useful, failed) = (numbered(100), numbered(101));
    for addr in [useful, failed] {
        candidates.add(addr, Source::Tracker, at(0));
        candidates.next(at(0));
    }
    candidates.on_closed(useful, at(0));
    candidates.on_failed(failed, at(0));
    let liar = namer(Source::Dht, 1);
    assert!((0..8).all(|number| candidates.add(numbered(number), liar, at(0))));
    assert!(candidates.knows(failed) && candidates.waiting() == 10);
    assert!(
        candidates.add(numbered(8), liar, at(0)),
        "in place of the one that failed"
    );
    assert!(!candidates.knows(failed) && candidates.waiting() == 10);
    assert!(
        !candidates.add(numbered(9), liar, at(0)),
        "it would be the last"
    );
    for number in 0..4 {
        let honest = namer(Source::Exchange, number as u32);
        assert!(candidates.add(numbered(20 + number), honest, at(0)));
    }
    let left = (0..9).filter(|&number| candidates.knows(numbered(number)));
    assert!(left.eq(0..5), "its last ones went");
    assert!(candidates.knows(useful) && candidates.waiting() == 10);
    candidates.set_room(1, at(0));
    assert!(candidates.knows(useful) && candidates.waiting() == 1);
    // The user's find a place always.
    assert!(candidates.add(numbered(50), Source::User, at(0)));
    candidates.set_room(0, at(0));
    assert!(candidates.knows(numbered(50)) && candidates.waiting() == 1);
}

/// A peer that is started anew announces itself, and need not wait for the minute after which it
/// would be dialed again; but nobody has us dial it all the time.
#[test]
fn a_peer_that_says_it_is_there_is_dialed_again_soon() {
    let mut candidates = Candidates::new(Rng::from_seed(1));
    candidates.add(addr(1), namer(Source::Local, 1), at(0));
    candidates.next(at(0));
    candidates.on_failed(addr(1), at(0));
    candidates.hear(addr(1), at(0));
    let heard = at(0) + limits::REDIAL_HEARD;
    assert_eq!(candidates.next_deadline(), Some(heard));
    candidates.hear(addr(2), at(0));
    let mut dials = 0;
    for second in 1..=1_000 {
        candidates.hear(addr(1), at(second));
        if candidates.next(at(second)).is_some() {
            dials += 1;
            candidates.on_failed(addr(1), at(second));
        }
    }
    assert_eq!(dials, limits::DIAL_FAILURES, "and then it is forgotten");
    // It does not bring forward what is due earlier.
    candidates.add(addr(1), namer(Source::Local, 1), at(2_000));
    candidates.hear(addr(1), at(2_000));
    assert_eq!(candidates.next(at(2_000)), Some(addr(1)));
}

/// Liars who name a seed at ports where nobody is do not keep its true port from us.
#[test]
fn one_who_names_many_ports_of_a_host_leaves_room_to_others() {
    let mut candidates = Candidates::new(Rng::from_seed(1));
    let port = |port| SocketAddr::from(([192, 0, 2, 1], port));
    let [liar, honest] = [1, 2].map(|number| namer(Source::Dht, number));
    for number in 1..=1000 {
        candidates.add(port(number), liar, at(0));
    }
    let half = limits::HOST_PORTS as u16 / 2;
    for number in 2000..2000 + half {
        assert!(candidates.add(port(number), honest, at(0)), "{number}");
    }
    assert!(
        !candidates.add(port(3000), honest, at(0)),
        "no more than the other"
    );
    assert!(!candidates.add(port(3000), liar, at(0)));
    assert_eq!(candidates.len(), limits::HOST_PORTS);
    // It is among the first that are dialed, and a host is dialed no more often than before.
    let mut dialed = Vec::new();
    while let Some(addr) = candidates.next(at(0)) {
        dialed.push(addr.port());
        candidates.on_failed(addr, at(0));
    }
    assert!(dialed[..2].iter().any(|port| *port >= 2000), "{dialed:?}");
    assert_eq!(dialed.len(), limits::HOST_PORTS);
    // What was tried keeps its place as before.
    assert!(candidates.add(port(4000), honest, at(1)));
    assert!(!candidates.add(port(4001), honest, at(1)));
}

/// A tracker knows its peers: many strangers, each with a port that nobody listens at, do not push
/// out those that it has named of a host with many peers.
#[test]
fn strangers_do_not_push_out_ports_that_a_tracker_or_a_link_has_named() {
    let port = |port| SocketAddr::from(([192, 0, 2, 1], port));
    let most = limits::HOST_PORTS as u16;
    for by in [Namer::tracker("http://a/announce"), Source::Link.into()] {
        for source in [Source::Dht, Source::Exchange] {
            let mut candidates = Candidates::new(Rng::from_seed(1));
            for number in 1..=most {
                assert!(candidates.add(port(number), by, at(0)));
            }
            for number in 0..most {
                let stranger = namer(source, number.into());
                assert!(!candidates.add(port(2000 + number), stranger, at(0)));
            }
            assert!((1..=most).all(|number| candidates.knows(port(number))));
        }
    }
}

/// What was dialed when the torrent was paused was dialed: it gives its place to no other port as
/// if it had not been.
#[test]
fn a_pause_lets_nobody_have_more_ports_of_a_host_dialed() {
    let mut candidates = Candidates::new(Rng::from_seed(1));
    let port = |port| SocketAddr::from(([192, 0, 2, 1], port));
    let mut dialed = BTreeSet::new();
    let (liar, most) = (namer(Source::Dht, 1), limits::HOST_PORTS as u16);
    for number in 1..=most {
        candidates.add(port(number), liar, at(0));
    }
    for round in 1..=4 {
        let addrs: Vec<SocketAddr> = std::iter::from_fn(|| candidates.next(at(0))).collect();
        dialed.extend(addrs.iter().copied());
        for addr in addrs {
            candidates.on_left(addr, at(0));
        }
        for number in 0..most {
            let other = namer(Source::Dht, (round * 100 + number).into());
            candidates.add(port(round * 1000 + number), other, at(0));
        }
    }
    assert_eq!(dialed.len(), limits::HOST_PORTS, "{dialed:?}");
    // Nor where the room is short meanwhile.
    candidates.set_room(0, at(0));
    candidates.set_room(limits::CANDIDATES, at(0));
    assert!(!candidates.add(port(9000), liar, at(0)));
}
