//! Bounds of peer exchange (BEP 11).

use std::net::SocketAddr;

use brooklet::base::{Duration, Rng, Time, limits};
use brooklet::peer::EndReason;
use brooklet::torrent::{Candidates, Source};
use brooklet::wire::PeerExchange;

use crate::exchange::*;
use crate::session::Bench;

/// WebTorrent hangs up if a message follows another within less than 60 seconds.
#[test]
fn changes_are_told_once_a_minute_and_nothing_without_them() {
    let mut bench = bench();
    let listener = dials_us(&mut bench, 1, None);
    bench.wait(limits::PEX_SOON);
    assert_eq!(told(&mut bench, listener), [], "there is nobody to tell of");
    // The first message is not kept waiting, and says all.
    passes(&mut bench, &[listener], 10);
    let two = dials_us(&mut bench, 2, Some(7000));
    bench.wait(limits::PEX_SOON);
    let first = bench.now;
    assert_eq!(told(&mut bench, listener).len(), 1);
    let three = dials_us(&mut bench, 3, Some(7000));
    bench
        .session
        .handle_closed(two, EndReason::Closed, bench.now);
    let gone = dials_us(&mut bench, 4, Some(7000));
    bench
        .session
        .handle_closed(gone, EndReason::Closed, bench.now);
    let mut messages = Vec::new();
    while messages.is_empty() {
        passes(&mut bench, &[listener, three], 1);
        messages = told(&mut bench, listener);
    }
    let after = bench.now.since(first);
    assert!(
        after >= limits::PEX_GAP
            && after <= limits::PEX_GAP + limits::PEX_SPREAD + Duration::from_secs(1)
    );
    let changes = PeerExchange {
        added: vec![(addr("192.0.2.3:7000"), 0)],
        dropped: vec![addr("192.0.2.2:7000")],
    };
    assert_eq!(
        messages,
        [changes],
        "who came and went between is not named"
    );
    passes(&mut bench, &[listener, three], 300);
    assert_eq!(told(&mut bench, listener), [], "nothing has changed");
}

#[test]
fn a_message_names_fifty_and_the_next_one_the_others() {
    let mut bench = bench();
    let count = limits::PEX_NAMED as u8 + 9;
    bench.begins(|config, order| {
        config.max_peers = 200;
        order.pex = true;
    });
    bench.turn();
    let keys: Vec<usize> = (1..=count)
        .map(|it| dials_us(&mut bench, it, Some(7)))
        .collect();
    let listener = dials_us(&mut bench, 200, None);
    let named = |messages: &[PeerExchange]| -> Vec<SocketAddr> {
        let [message] = messages else {
            panic!("one message: {messages:?}")
        };
        assert!(message.dropped.is_empty());
        message.added.iter().map(|(addr, _)| *addr).collect()
    };
    bench.wait(limits::PEX_SOON);
    let mut all = named(&told(&mut bench, listener));
    assert_eq!(all.len(), limits::PEX_NAMED);
    passes(&mut bench, &[&keys[..], &[listener]].concat(), 66);
    all.extend(named(&told(&mut bench, listener)));
    all.sort();
    all.dedup();
    assert_eq!(all.len(), count.into());
    // Of those who go as many are told of.
    for &key in &keys {
        bench
            .session
            .handle_closed(key, EndReason::Closed, bench.now);
    }
    passes(&mut bench, &[listener], 66);
    let [message] = &told(&mut bench, listener)[..] else {
        panic!("one message")
    };
    assert_eq!(
        (message.added.len(), message.dropped.len()),
        (0, limits::PEX_NAMED)
    );
}

/// Who names too many, too often or nonsense is ignored, and goes on being a peer.
#[test]
fn who_breaks_the_rules_is_ignored() {
    let mut bench = bench();
    let key = dials_us(&mut bench, 1, Some(7000));
    let number = |bench: &Bench| {
        bench
            .session
            .torrent(bench.torrent)
            .unwrap()
            .candidates
            .len()
    };
    let many = |from: u32| -> Vec<(SocketAddr, u8)> {
        let host = |it: u32| SocketAddr::from(((0x2d00_0000 + from + it).to_be_bytes(), 7));
        (0..3 * limits::PEX_TAKEN as u32)
            .map(|it| (host(it), 0))
            .collect()
    };
    for message in 0..100 {
        names(&mut bench, key, &many(message * 1000));
    }
    let at_once = limits::PEX_TAKEN * limits::PEX_HEARD_AT_ONCE as usize;
    assert_eq!(number(&bench), at_once);
    passes(&mut bench, &[key], limits::PEX_HEARD_GAP.as_secs());
    names(&mut bench, key, &many(100_000));
    assert_eq!(number(&bench), at_once + limits::PEX_TAKEN);
    passes(&mut bench, &[key], limits::PEX_HEARD_GAP.as_secs());
    for nonsense in [
        &b""[..],
        b"le",
        b"d5:added",
        b"d5:addedi5e7:added.fd1:ai1eee",
    ] {
        says(&mut bench, key, OURS, nonsense);
    }
    assert!(!bench.is_gone(key));
}

/// What one peer names does not keep out those whom a tracker names, however many they are.
#[test]
fn addresses_of_trackers_find_a_place_among_those_of_peers() {
    let mut candidates = Candidates::new(Rng::from_seed(1));
    let now = Time::default();
    let host = |it: u32| SocketAddr::from(((0x2d00_0000 + it).to_be_bytes(), 7));
    let many = limits::CANDIDATES as u32;
    assert!((0..many).all(|it| candidates.add(host(it), Source::Exchange, now)));
    assert!(
        !candidates.add(host(many), Source::Exchange, now),
        "enough of them wait"
    );
    assert!(candidates.add(host(many), Source::Tracker, now));
    assert_eq!(candidates.len(), limits::CANDIDATES);
    assert_eq!(candidates.next(now), Some(host(many)));
    // One that a node names, too, counts as the node's.
    assert!(!candidates.add(host(9), Source::Dht, now));
    assert_eq!(candidates.next(now), Some(host(9)));
    candidates.forget_found();
    assert_eq!(candidates.len(), 1);
}
