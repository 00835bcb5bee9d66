//! Peer exchange (BEP 11): who is told of whom, and what becomes of those who are named.

use std::net::SocketAddr;
use std::num::NonZeroU32;

use brooklet::base::{Duration, limits};
use brooklet::peer::EndReason;
use brooklet::session::{Command, command, extending};
use brooklet::torrent::{Order, Source};
use brooklet::wire::extended::exchange::{ENCRYPTED, REACHABLE, SEED};
use brooklet::wire::{ExtendedGreeting, Message, PeerExchange};

use crate::exchange::*;
use crate::session::Bench;

#[test]
fn each_is_told_of_those_that_can_be_dialed_and_not_of_itself() {
    let mut bench = bench();
    let dialed = is_dialed(&mut bench, 1);
    let with_port = dials_us(&mut bench, 2, Some(7000));
    let without = dials_us(&mut bench, 3, None);
    bench.says(dialed, "have all");
    assert_eq!(
        told(&mut bench, dialed),
        [],
        "others may come in the same moment"
    );
    bench.wait(limits::PEX_SOON);
    let (one, two) = (addr("192.0.2.1:6881"), addr("192.0.2.2:7000"));
    let of = |added: &[(SocketAddr, u8)]| PeerExchange {
        added: added.to_vec(),
        dropped: Vec::new(),
    };
    assert_eq!(told(&mut bench, dialed), [of(&[(two, 0)])]);
    let seed = (one, SEED | REACHABLE);
    assert_eq!(told(&mut bench, with_port), [of(&[seed])]);
    assert_eq!(told(&mut bench, without), [of(&[seed, (two, 0)])]);
    bench.session.assert_invariants();
}

#[test]
fn who_is_named_is_dialed_after_those_of_trackers_and_its_flags_are_kept() {
    let mut bench = bench();
    let key = dials_us(&mut bench, 1, Some(7000));
    let heard = addr("198.51.100.1:1");
    let better = addr("198.51.100.2:1");
    bench.hands(key, &{
        let mut payload = Vec::new();
        let added = vec![(heard, ENCRYPTED | SEED)];
        PeerExchange {
            added,
            dropped: Vec::new(),
        }
        .encode(&mut payload);
        let mut bytes = Vec::new();
        Message::Extended {
            id: OURS,
            payload: &payload,
        }
        .encode(&mut bytes);
        bytes
    });
    bench
        .session
        .add_peers(bench.torrent, &[better], Source::Tracker, bench.now);
    bench.turn();
    assert!(bench.dialled(better).is_some() && bench.dialled(heard).is_none());
    bench.wait(Duration::from_secs(1));
    assert!(bench.dialled(heard).is_some());
    let torrent = bench.session.torrent(bench.torrent).unwrap();
    assert_eq!(torrent.candidates.flags(heard), ENCRYPTED | SEED);
    assert_eq!(torrent.candidates.flags(better), 0);
}

/// Nobody outside knows who is inside, and neither the sender nor we need to be named.
#[test]
fn who_cannot_be_meant_is_not_dialed() {
    let mut bench = bench();
    let key = bench.accepts(addr("192.0.2.1:50001"));
    let said = ExtendedGreeting {
        port: Some(7000),
        your_ip: Some([203, 0, 113, 5].into()),
        ..wanting()
    };
    greets(&mut bench, key, 1, &said);
    let other = dials_us(&mut bench, 2, Some(7000));
    let named = [
        "127.0.0.1:1",
        "10.0.0.1:1",
        "192.168.1.1:80",
        "169.254.169.254:80",
        "224.0.0.1:1",
        "198.51.100.1:0",
        "[::1]:1",
        "[fe80::1]:1",
        "[fd00::1]:1",
        // It, we, and a peer that is connected.
        "192.0.2.1:7000",
        "203.0.113.5:6881",
        "192.0.2.2:7000",
    ];
    let named: Vec<_> = named.iter().map(|it| (addr(it), 0)).collect();
    names(&mut bench, key, &named);
    names(&mut bench, key, &[(addr("[2001:db8::1]:1"), 0)]);
    for (addr, _) in named {
        assert_eq!(bench.dialled(addr), None, "{addr}");
    }
    assert!(bench.dialled(addr("[2001:db8::1]:1")).is_some());
    assert!(!bench.is_gone(key) && !bench.is_gone(other));
}

#[test]
fn a_complete_torrent_does_not_dial_seeds() {
    let mut bench = Bench::seeder(4);
    bench.begins(|_, order| order.pex = true);
    bench.turn();
    let key = dials_us(&mut bench, 1, Some(7000));
    let (seed, other) = (addr("198.51.100.1:1"), addr("198.51.100.2:1"));
    names(&mut bench, key, &[(seed, SEED), (other, 0)]);
    assert!(bench.dialled(seed).is_none() && bench.dialled(other).is_some());
}

/// BEP 27: a private torrent says nothing of it, and neither does one whose user wants it so.
#[test]
fn a_private_torrent_neither_tells_nor_listens() {
    let mut bench = Bench::getter(4, &[]);
    let one = is_dialed(&mut bench, 1);
    let two = dials_us(&mut bench, 2, Some(7000));
    passes(&mut bench, &[one, two], 200);
    names(&mut bench, two, &[(addr("198.51.100.1:1"), 0)]);
    assert_eq!(bench.dialled(addr("198.51.100.1:1")), None);
    for key in [one, two] {
        let heard = bench.hears_extended(key);
        let [(0, greeting)] = &heard[..] else {
            panic!("a greeting alone: {heard:?}")
        };
        let said = ExtendedGreeting::parse(greeting).unwrap();
        assert_eq!((said.exchange, said.metadata), (None, None));
    }
}

/// A torrent of which only a link is known exchanges peers from the start. If it turns out to be
/// private, that ends, and who was found so is not dialed.
#[test]
fn it_ends_when_a_torrent_turns_out_to_be_private() {
    for private in [false, true] {
        let mut bench = bench();
        let mut whole: Order = bench.order();
        let info_hash = whole.info_hash;
        bench.begins(|config, order| {
            config.max_peers = 2;
            // A tracker may have told them of us.
            let tracker = String::from("http://192.0.2.99/announce");
            *order = Order::of_link(info_hash, "x".into(), vec![vec![tracker]]);
            order.pex = true;
        });
        bench.turn();
        let (one, two) = (
            dials_us(&mut bench, 1, None),
            dials_us(&mut bench, 2, Some(7000)),
        );
        bench.wait(limits::PEX_SOON);
        assert_eq!(told(&mut bench, one).len(), 1);
        // There is no room to dial it yet.
        let named = addr("198.51.100.1:1");
        names(&mut bench, one, &[(named, 0)]);
        whole.pex = !private;
        whole.metadata_size = NonZeroU32::new(7).filter(|_| !private);
        let (torrent, now) = (bench.torrent, bench.now);
        extending::learn(&mut bench.session, torrent, whole, now);
        bench.turn();
        bench
            .session
            .handle_closed(two, EndReason::Closed, bench.now);
        passes(&mut bench, &[one], 70);
        assert_eq!(told(&mut bench, one).len(), usize::from(!private));
        assert_eq!(bench.dialled(named).is_some(), !private);
        names(&mut bench, one, &[(addr("198.51.100.2:1"), 0)]);
        assert_eq!(bench.dialled(addr("198.51.100.2:1")).is_some(), !private);
        bench.session.assert_invariants();
    }
}

/// Peers that are met again after a pause are told anew.
#[test]
fn a_pause_forgets_who_was_told() {
    let mut bench = bench();
    dials_us(&mut bench, 1, Some(7000));
    let torrent = bench.torrent;
    for order in [Command::Pause(torrent), Command::Resume(torrent)] {
        command::perform(&mut bench.session, order, bench.now).unwrap();
        bench.wait(Duration::from_secs(5));
    }
    let listener = dials_us(&mut bench, 2, None);
    dials_us(&mut bench, 3, Some(7000));
    bench.wait(limits::PEX_SOON);
    let [message] = &told(&mut bench, listener)[..] else {
        panic!("one message")
    };
    assert_eq!(message.added, [(addr("192.0.2.3:7000"), 0)]);
    assert_eq!(message.dropped, []);
}

/// Nobody else can dial it there: a message has no room for the interface.
#[test]
fn nobody_is_told_of_link_local_addresses() {
    let mut bench = bench();
    let dials_us = |bench: &mut Bench, number: u8, from: &str| {
        let key = bench.accepts(addr(from));
        let port = Some(7000);
        greets(bench, key, number, &ExtendedGreeting { port, ..wanting() });
        key
    };
    dials_us(&mut bench, 1, "[fe80::1%3]:50001");
    dials_us(&mut bench, 2, "10.0.0.2:50001");
    let near = dials_us(&mut bench, 3, "[fe80::3%3]:50001");
    bench.wait(limits::PEX_SOON);
    let added = vec![(addr("10.0.0.2:7000"), 0)];
    let dropped = Vec::new();
    assert_eq!(told(&mut bench, near), [PeerExchange { added, dropped }]);
    bench.session.assert_invariants();
}

/// A peer at a link-local address that has dialed us is known where it listens.
#[test]
fn a_link_local_peer_is_not_dialed_while_it_is_connected() {
    let mut bench = bench();
    let key = bench.accepts(addr("[fe80::1%3]:50001"));
    let port = Some(7000);
    greets(&mut bench, key, 1, &ExtendedGreeting { port, ..wanting() });
    let listens = addr("[fe80::1%3]:7000");
    bench
        .session
        .add_peers(bench.torrent, &[listens], Source::Local, bench.now);
    bench.wait(Duration::from_secs(1));
    assert_eq!(bench.dialled(listens), None);
}
