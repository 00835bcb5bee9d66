//! Seeds without peers, and peers that wait for them.

use std::net::SocketAddr;

use brooklet::base::{Bits, Duration, limits};
use brooklet::peer::EndReason;
use brooklet::session::{Appetite, DiskLoad, sleep};

use crate::session::Bench;

#[test]
fn time_before_a_seed_that_has_sent_something_sleeps() {
    let mut bench = Bench::seeder(4);
    let key = bench.join(1, true);
    bench.says(key, "interested");
    bench.says(key, "request 0 at 0, 16384 bytes");
    bench.drowsy.clear();
    bench
        .session
        .handle_closed(key, EndReason::Closed, bench.now);
    bench.turn();
    bench.wait(limits::DROWSY - Duration::from_micros(1));
    assert!(bench.drowsy.is_empty());
    bench.wait(Duration::from_micros(1));
    assert_eq!(bench.drowsy, [bench.torrent]);
}

/// So many bytes are kept at most, beside the start of a handshake, while a torrent wakes up.
#[test]
fn bytes_read_of_a_peer_that_has_not_greeted_us() {
    let mut bench = Bench::seeder(4);
    let key = bench.accepts(SocketAddr::from(([192, 0, 2, 1], 50_001)));
    let appetite = |bench: &Bench| bench.session.appetite(key, DiskLoad::default());
    assert_eq!(
        appetite(&bench),
        Some(Appetite::Read(limits::GREETING_READ))
    );
    bench.says(key, "handshake fast -TR3000-abcdefghi001");
    assert_eq!(appetite(&bench), Some(Appetite::Read(limits::ASKING_READ)));
}

#[test]
fn torrents_of_a_folder_that_are_awake_to_be_checked() {
    let mut bench = Bench::seeder(4);
    let mut waits = |number: usize| {
        let key = bench.adds(&format!("t{number}"), |order| {
            (order.trusted, order.to_hash) = (Bits::new(4), Bits::full(4));
        });
        sleep::await_check(&mut bench.session, key, bench.now)
    };
    assert!(!(0..limits::CHECKS).any(&mut waits));
    assert!(waits(limits::CHECKS));
}
