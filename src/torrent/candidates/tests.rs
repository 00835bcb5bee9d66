use super::*;
use crate::base::Host;
use std::collections::BTreeSet;

mod turns;

fn at(seconds: u64) -> Time {
    Time::from_micros(seconds * 1_000_000)
}

fn addr(last: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, last], 6881))
}

#[test]
fn each_address_is_dialed_by_one_connection_at_a_time() {
    let mut candidates = Candidates::new(Rng::from_seed(1));
    assert!(candidates.is_empty());
    assert!(candidates.add(addr(1), Source::Tracker, at(0)));
    assert!(!candidates.add(addr(1), Source::Tracker, at(0)));
    assert_eq!(
        (candidates.next(at(0)), candidates.next(at(0))),
        (Some(addr(1)), None)
    );
    assert!(
        !candidates.add(addr(1), Source::Tracker, at(0)),
        "it is being called"
    );
    candidates.on_closed(addr(1), at(10));
    assert_eq!(candidates.next(at(69)), None);
    assert_eq!(candidates.next(at(10 + 75)), Some(addr(1)));
}

/// Calls the first address until it is forgotten: when that is, and the waits before each call, in
/// milliseconds.
fn never_answers(candidates: &mut Candidates) -> (Time, Vec<u64>) {
    let (mut now, mut waits) = (at(0), Vec::new());
    while let Some(due) = candidates.next_deadline() {
        waits.push(due.since(now).as_millis() as u64);
        now = due;
        assert_eq!(candidates.next(now), Some(addr(1)));
        candidates.on_failed(addr(1), now);
    }
    (now, waits)
}

#[test]
fn waits_double_and_then_the_address_is_forgotten() {
    let mut candidates = Candidates::new(Rng::from_seed(1));
    candidates.add(addr(1), Source::Tracker, at(0));
    let (now, waits) = never_answers(&mut candidates);
    assert_eq!(waits.len() as u32, limits::DIAL_FAILURES + 1);
    for (n, wait) in waits.iter().skip(1).enumerate() {
        let least = (60 << n).min(limits::REDIAL_MOST.as_secs());
        assert!((least * 1000..=least * 1250).contains(wait), "{waits:?}");
    }
    assert!(
        candidates.add(addr(1), Source::Tracker, now),
        "named again, it is new again"
    );
}

/// The first address, whose connection the network took at once.
fn lost() -> Candidates {
    let mut candidates = Candidates::new(Rng::from_seed(1));
    candidates.add(addr(1), Source::Tracker, at(0));
    candidates.next(at(0));
    candidates.on_lost(addr(1), at(0));
    candidates
}

#[test]
fn a_peer_that_the_network_took_is_dialed_soon_and_then_as_others() {
    let (_, waits) = never_answers(&mut lost());
    let first = limits::REDIAL_LOST.as_secs();
    assert_eq!(first, 5);
    let least = [first, 10, 20, 40, 60, 60, 60, 120, 240, 480, 960, 1800];
    assert_eq!(waits.len(), least.len(), "{waits:?}");
    for (wait, least) in waits.iter().zip(least) {
        assert!((least * 1000..=least * 1250).contains(wait), "{waits:?}");
    }
}

#[test]
fn a_peer_that_was_lost_and_hung_up_later_waits_as_others() {
    let mut candidates = lost();
    assert_eq!(candidates.next(at(7)), Some(addr(1)));
    candidates.on_closed(addr(1), at(100));
    assert_eq!(candidates.next(at(159)), None);
}

/// BEP 11: "0x01 prefers encryption, as indicated by e field in extension handshake".
#[test]
fn a_peer_that_others_call_encrypted_is_dialed_so() {
    use crate::mse::{Encryption, Form};
    use crate::wire::extended::exchange::ENCRYPTED;
    let named = || {
        let mut candidates = Candidates::new(Rng::from_seed(1));
        for last in 1..=2 {
            candidates.add(addr(last), Source::Exchange, at(0));
        }
        candidates.mark(addr(2), ENCRYPTED);
        candidates
    };
    for (setting, first, second) in [
        (Encryption::Allow, Form::Plain, Form::Encrypted(3)),
        (Encryption::Off, Form::Plain, Form::Plain),
        (
            Encryption::Handshake,
            Form::Encrypted(1),
            Form::Encrypted(1),
        ),
    ] {
        let mut candidates = named();
        assert_eq!(candidates.form(addr(1), setting).0, first);
        assert_eq!(candidates.form(addr(2), setting).0, second);
    }
    // What has worked counts more, until it fails.
    let mut candidates = named();
    assert!(candidates.try_other_form(addr(2), Encryption::Allow));
    candidates.on_form_taken(addr(2));
    let plain = (Form::Plain, true);
    assert_eq!(candidates.form(addr(2), Encryption::Allow), plain);
    assert!(candidates.try_other_form(addr(2), Encryption::Allow));
    assert!(
        !candidates.try_other_form(addr(2), Encryption::Allow),
        "both failed"
    );
    candidates.on_failed(addr(2), at(0));
    let encrypted = (Form::Encrypted(3), true);
    assert_eq!(candidates.form(addr(2), Encryption::Allow), encrypted);
}

#[test]
fn an_address_whose_connection_crossed_another_is_dialed_soon() {
    let mut candidates = Candidates::new(Rng::from_seed(1));
    candidates.add(addr(1), Source::Tracker, at(0));
    candidates.next(at(0));
    candidates.on_failed(addr(1), at(0));
    candidates.on_crossed(addr(1), at(0));
    let (due, least) = (candidates.next_deadline(), limits::REDIAL_CROSSED);
    assert!((at(0) + least..=at(0) + least * 5 / 4).contains(&due.unwrap()));
}

#[test]
fn a_banned_host_is_forgotten_with_all_its_ports() {
    let mut candidates = Candidates::new(Rng::from_seed(1));
    let other_port = SocketAddr::from(([10, 0, 0, 1], 1));
    assert!(candidates.add(other_port, Source::Tracker, at(0)));
    candidates.forget_host(Host::of(addr(1)));
    assert_eq!(candidates.next(at(0)), None, "it is not dialed");
}

fn numbered(number: usize) -> SocketAddr {
    let [_, b, c, d] = (number as u32).to_be_bytes();
    SocketAddr::from(([10, b, c, d], 7))
}

#[test]
fn addresses_that_are_being_dialed_are_not_forgotten_for_others() {
    let mut candidates = Candidates::new(Rng::from_seed(1));
    for number in 0..limits::CANDIDATES {
        assert!(candidates.add(numbered(number), Source::Tracker, at(0)));
        assert!(candidates.next(at(0)).is_some());
    }
    // They take none of the room.
    for number in 0..limits::CANDIDATES {
        let one_more = numbered(limits::CANDIDATES + number);
        assert!(candidates.add(one_more, Source::Tracker, at(0)));
    }
    let one_more = numbered(2 * limits::CANDIDATES);
    assert!(!candidates.add(one_more, Source::Tracker, at(0)));
    candidates.on_failed(numbered(7), at(0));
    assert_eq!(candidates.waiting(), limits::CANDIDATES + 1);
    assert!(candidates.add(one_more, Source::Tracker, at(0)));
    assert!(!candidates.knows(numbered(7)) && candidates.knows(numbered(8)));
    // Of an address that is not known any more nothing is to be learnt.
    candidates.on_failed(numbered(7), at(0));
    assert_eq!(candidates.next_deadline(), Some(at(0)));
}

/// A tracker that names every port of a host would have all its swarm scan or flood it.
#[test]
fn a_public_host_is_dialed_on_a_few_ports_only() {
    let mut candidates = Candidates::new(Rng::from_seed(1));
    let host = |ip: [u8; 4], port| SocketAddr::from((ip, port));
    let victim = |port| host([192, 0, 2, 1], port);
    for port in 1..=u16::MAX {
        candidates.add(victim(port), Source::Tracker, at(0));
    }
    assert_eq!(candidates.len(), limits::HOST_PORTS);
    while let Some(addr) = candidates.next(at(0)) {
        candidates.refuse(addr, at(0));
    }
    assert!(
        !candidates.add(victim(9999), Source::Tracker, at(1)),
        "they were tried"
    );
    assert!(candidates.add(victim(9999), Source::User, at(1)));
    assert!(candidates.add(host([192, 0, 2, 2], 1), Source::Tracker, at(1)));
    for port in 1..=100 {
        assert!(candidates.add(host([10, 0, 0, 1], port), Source::Tracker, at(1)));
    }
}

/// Such an address is known by the user's words and by links alone: nobody else can mean one.
#[test]
fn an_address_that_stands_for_a_name_is_no_strangers_to_tell() {
    let mut candidates = Candidates::new(Rng::from_seed(1));
    let addr = |number| SocketAddr::new(crate::base::reach::stand_in(number), 6881);
    for source in [
        Source::Tracker,
        Source::Exchange,
        Source::Dht,
        Source::Local,
    ] {
        assert!(!candidates.add(addr(1), source, at(0)), "{source:?}");
    }
    assert!(candidates.add(addr(2), Source::User, at(0)));
    assert!(candidates.add(addr(3), Source::Link, at(0)));
}

#[test]
fn unusable_addresses_are_not_dialed_and_the_number_is_bounded() {
    let mut candidates = Candidates::new(Rng::from_seed(1));
    for junk in [
        "0.0.0.0:1",
        "10.0.0.1:0",
        "224.0.0.1:1",
        "255.255.255.255:1",
        "240.0.0.1:1",
        "0.1.2.3:9",
        "[::]:1",
        "[ff02::1]:1",
    ] {
        assert!(
            !candidates.add(junk.parse().unwrap(), Source::Tracker, at(0)),
            "{junk}"
        );
    }
    for n in 0..limits::CANDIDATES as u32 + 10 {
        let [_, b, c, d] = n.to_be_bytes();
        candidates.add(SocketAddr::from(([10, b, c, d], 7)), Source::Tracker, at(0));
    }
    assert_eq!(candidates.len(), limits::CANDIDATES);
    let first = candidates.next(at(0)).unwrap();
    candidates.on_failed(first, at(0));
    assert!(candidates.add(SocketAddr::from(([11, 0, 0, 1], 7)), Source::Tracker, at(0)));
    assert_eq!(candidates.len(), limits::CANDIDATES);
}

/// Names ports of one host in the world, each time all of them, every half minute, as a tracker
/// does; nobody answers at any but the last. How many seconds pass until that one is dialed.
fn found_after(dead: u16, fails: impl Fn(&mut Candidates, SocketAddr, Time)) -> Option<u64> {
    let mut candidates = Candidates::new(Rng::from_seed(1));
    let port = |port| SocketAddr::from(([192, 0, 2, 1], port));
    for second in 0..3600 {
        if second % 30 == 0 {
            for number in 1..=dead + 1 {
                candidates.add(port(number), Source::Tracker, at(second));
            }
        }
        while let Some(addr) = candidates.next(at(second)) {
            if addr == port(dead + 1) {
                return Some(second);
            }
            fails(&mut candidates, addr, at(second));
        }
    }
    None
}

/// A peer that is started anew has another port each time, and trackers go on naming the old ones.
#[test]
fn ports_that_failed_give_their_place_to_another() {
    let dead = |candidates: &mut Candidates, addr, now| candidates.on_failed(addr, now);
    let refused = |candidates: &mut Candidates, addr, now| candidates.refuse(addr, now);
    let most = limits::HOST_PORTS as u16;
    for fails in [
        &dead as &dyn Fn(&mut Candidates, SocketAddr, Time),
        &refused,
    ] {
        assert_eq!(found_after(most - 1, fails), Some(0));
        assert_eq!(found_after(most, fails), Some(30));
        assert_eq!(
            found_after(most + 9, fails),
            Some(300),
            "one each half minute"
        );
    }
}

#[test]
fn a_list_of_ports_is_still_no_scan() {
    let mut candidates = Candidates::new(Rng::from_seed(1));
    let mut dialed = BTreeSet::new();
    for second in 0..3600 {
        for number in 0..50 {
            let port = ((second * 50 + number) % 60_000 + 1) as u16;
            let addr = SocketAddr::from(([192, 0, 2, 1], port));
            candidates.add(addr, Source::Tracker, at(second));
        }
        while let Some(addr) = candidates.next(at(second)) {
            dialed.insert(addr);
            candidates.on_failed(addr, at(second));
        }
        assert!(candidates.len() <= limits::HOST_PORTS);
    }
    let most = limits::HOST_PORTS + 3600 / limits::HOST_PORT_GAP.as_secs() as usize;
    assert!(dialed.len() <= most, "{} ports in an hour", dialed.len());
}

#[test]
fn a_port_that_was_of_use_is_displaced_last_and_one_that_the_user_named_never() {
    let mut candidates = Candidates::new(Rng::from_seed(1));
    let port = |port| SocketAddr::from(([192, 0, 2, 1], port));
    candidates.add(port(100), Source::User, at(0));
    for number in 1..limits::HOST_PORTS as u16 {
        assert!(candidates.add(port(number), Source::Tracker, at(0)));
    }
    while let Some(addr) = candidates.next(at(0)) {
        match addr.port() {
            1 => candidates.on_closed(addr, at(0)),
            _ => candidates.on_failed(addr, at(0)),
        }
    }
    for number in 1..limits::HOST_PORTS as u16 - 1 {
        let now = at(30 * u64::from(number));
        assert!(candidates.add(port(1000 + number), Source::Tracker, now));
        assert!(candidates.known.contains_key(&port(1)));
        candidates.set_status(port(1000 + number), Status::Busy);
    }
    assert!(candidates.add(port(2000), Source::Tracker, at(1000)));
    assert!(!candidates.known.contains_key(&port(1)));
    candidates.set_status(port(2000), Status::Busy);
    assert!(!candidates.add(port(2001), Source::Tracker, at(2000)));
    assert!(candidates.known.contains_key(&port(100)));
}

#[test]
fn an_address_that_may_be_an_incoming_peers_is_withheld_until_it_is_released() {
    let mut candidates = Candidates::new(Rng::from_seed(1));
    let port = |port| SocketAddr::from(([10, 0, 0, 1], port));
    candidates.add(port(1), Source::Tracker, at(0));
    assert!(!candidates.may_be_incoming(port(1), 0) && candidates.may_be_incoming(port(1), 1));
    candidates.withhold(port(1));
    assert_eq!(
        (candidates.next(at(9)), candidates.next_deadline()),
        (None, None)
    );
    // With two addresses and one caller, one of them is somebody else's: either may be.
    candidates.add(port(2), Source::Tracker, at(10));
    for number in [1, 2] {
        assert!(!candidates.may_be_incoming(port(number), 1));
        assert!(candidates.may_be_incoming(port(number), 2));
    }
    // One that nobody answers at is not the caller's, as long as there is another.
    let first = candidates.next(at(10)).expect("both are due");
    candidates.on_failed(first, at(10));
    let other = candidates.next(at(10)).expect("the other is due, too");
    candidates.withhold(other);
    assert!(candidates.may_be_incoming(other, 1) && !candidates.may_be_incoming(first, 1));
    candidates.release("::ffff:10.0.0.1".parse().unwrap(), at(20));
    assert_eq!(candidates.next(at(19)), None);
    assert_eq!(candidates.next(at(20)), Some(other));
    // The user waits for what he named.
    candidates.add(port(3), Source::User, at(20));
    assert!(!candidates.may_be_incoming(port(3), 9));
}

#[test]
fn what_a_link_names_is_bounded_as_what_strangers_name_is() {
    let mut candidates = Candidates::new(Rng::from_seed(1));
    let port = |port| SocketAddr::from(([192, 0, 2, 1], port));
    let added = (1..50).filter(|&number| candidates.add(port(number), Source::Link, at(0)));
    assert_eq!(added.count(), limits::HOST_PORTS);
    // It waits as long as others after a failure, and is forgotten in the end; a private torrent
    // keeps it, since its user has named the link.
    candidates.forget_found();
    assert_eq!(candidates.len(), limits::HOST_PORTS);
    let mut now = at(0);
    let mut dials = 0;
    while let Some(next) = candidates.next_deadline() {
        assert!(dials == 0 || next >= now);
        now = now.max(next);
        let addr = candidates.next(now).unwrap();
        candidates.on_failed(addr, now);
        dials += 1;
        if dials == limits::HOST_PORTS {
            assert!(candidates.next_deadline() >= Some(now + limits::REDIAL));
        }
    }
    assert!(candidates.is_empty());
    assert_eq!(
        dials,
        limits::HOST_PORTS * (limits::DIAL_FAILURES as usize + 1)
    );
}

/// Whoever names it: the peer that listens there is probably connected until then.
#[test]
fn an_address_that_is_released_later_keeps_its_wait_when_others_name_it() {
    let mut candidates = Candidates::new(Rng::from_seed(1));
    let addr = SocketAddr::from(([10, 0, 0, 1], 7));
    candidates.add(addr, Source::Exchange, at(0));
    candidates.withhold(addr);
    candidates.release(addr.ip(), at(20));
    candidates.add(addr, Source::Tracker, at(5));
    assert_eq!(candidates.next(at(19)), None);
    assert_eq!(candidates.next(at(20)), Some(addr));
    // One that was never kept back takes its turn among the better ones at once.
    let other = SocketAddr::from(([10, 0, 0, 2], 7));
    candidates.add(other, Source::Exchange, at(21));
    candidates.add(other, Source::Tracker, at(21));
    assert_eq!(candidates.next(at(21)), Some(other));
}

/// What others name of link-local addresses leads nowhere without an interface.
#[test]
fn link_local_addresses_count_with_their_interface_alone() {
    let mut candidates = Candidates::new(Rng::from_seed(1));
    let bare: SocketAddr = "[fe80::2]:7".parse().unwrap();
    let zoned: SocketAddr = "[fe80::2%3]:7".parse().unwrap();
    for source in [
        Source::Link,
        Source::Tracker,
        Source::Local,
        Source::Dht,
        Source::Exchange,
    ] {
        assert!(!candidates.add(bare, source, at(0)), "{source:?}");
    }
    assert!(candidates.add(zoned, Source::Local, at(0)));
    assert_eq!(candidates.next(at(0)), Some(zoned));
    // The user hears why it cannot be dialed. 169.254.0.0/16 needs no interface.
    assert!(candidates.add(bare, Source::User, at(0)));
    assert!(candidates.add("169.254.1.1:7".parse().unwrap(), Source::Exchange, at(0)));
}
