//! Peers of little patience, incoming connections that fail, and connections that crossed.

use std::net::SocketAddr;

use brooklet::base::{Duration, limits};
use brooklet::peer::EndReason;
use brooklet::torrent::Report;

use crate::session::Bench;

const TICK: Duration = Duration::from_micros(1);

/// Whether a peer is spoken to often when it comes again, if it hung up after so long a silence.
fn is_remembered(silence: Duration) -> bool {
    let mut bench = Bench::seeder(4);
    let first = bench.join(1, true);
    bench.says(first, "have none");
    bench.wait(silence);
    bench
        .session
        .handle_closed(first, EndReason::Closed, bench.now);
    bench.turn();
    let again = bench.join(1, true);
    bench.hears(again);
    bench.wait(limits::KEEP_ALIVE_SHORT - TICK);
    assert!(bench.hears(again).is_empty());
    bench.wait(TICK);
    !bench.hears(again).is_empty()
}

#[test]
fn silence_after_which_a_peer_that_hangs_up_is_remembered() {
    assert!(!is_remembered(limits::IMPATIENCE - TICK));
    assert!(is_remembered(limits::IMPATIENCE));
    assert!(is_remembered(limits::KEEP_ALIVE - TICK));
}

#[test]
fn hosts_of_little_patience_that_are_remembered() {
    let mut bench = Bench::seeder(4);
    let count = limits::IMPATIENT_HOSTS + 1;
    let keys = bench.crowd(count as u16);
    bench.wait(limits::IMPATIENCE);
    for key in keys {
        bench
            .session
            .handle_closed(key, EndReason::Closed, bench.now);
    }
    bench.turn();
    let again: Vec<usize> = (1..=count as u16)
        .map(|number| {
            let [high, low] = number.to_be_bytes();
            let key = bench.accepts(SocketAddr::from(([198, 18, high, low], 50_002)));
            bench.says(key, &format!("handshake fast -TR3000-abcdefg{number:05}"));
            bench.hears(key);
            key
        })
        .collect();
    bench.wait(limits::KEEP_ALIVE_SHORT);
    let spoken_to = again.iter().filter(|&&key| !bench.hears(key).is_empty());
    assert_eq!(spoken_to.count(), limits::IMPATIENT_HOSTS);
}

#[test]
fn how_often_the_user_hears_of_incoming_connections() {
    let mut bench = Bench::seeder(4);
    let mut said = Vec::new();
    for second in 0..60 {
        let caller = bench.accepts(SocketAddr::from(([192, 0, 2, 1], 1 + second)));
        bench.sends(caller, b"GET / HTTP/1.1\r\n\r\n");
        bench.wait(Duration::from_secs(1));
        let reports = std::mem::take(&mut bench.reports);
        if reports
            .iter()
            .any(|report| matches!(report, Report::FailedIncoming(_)))
        {
            said.push(bench.now);
        }
    }
    let gaps = said.windows(2).map(|two| two[1].since(two[0]));
    assert!(gaps.clone().all(|gap| gap >= limits::INCOMING_EVERY) && said.len() >= 5);
}

/// A peer with a greater id than ours dials us, and we have dialed it: whether ours, the newer,
/// stays.
fn newer_stays(gap: Duration) -> bool {
    let mut bench = Bench::getter(4, &[]);
    let newer = bench.dials(SocketAddr::from(([192, 0, 2, 1], 6881)));
    let older = bench.accepts(SocketAddr::from(([192, 0, 2, 1], 50_001)));
    bench.says(older, "handshake fast -zz3000-abcdefghi001");
    bench.wait(gap);
    bench.session.handle_connected(newer, bench.now);
    bench.says(newer, "handshake fast -zz3000-abcdefghi001");
    assert_ne!(bench.is_gone(newer), bench.is_gone(older));
    !bench.is_gone(newer)
}

#[test]
fn time_within_which_two_connections_crossed() {
    assert!(newer_stays(limits::CROSSING));
    assert!(!newer_stays(limits::CROSSING + TICK));
}

#[test]
fn silence_after_which_a_peer_is_dialed_in_the_other_form() {
    let mut bench = Bench::getter(4, &[0]);
    let addr = SocketAddr::from(([192, 0, 2, 1], 6881));
    let plain = bench.dials(addr);
    bench.session.handle_connected(plain, bench.now);
    bench.turn();
    bench.wait(limits::FORM_TIME - TICK);
    assert!(!bench.is_gone(plain));
    bench.wait(TICK);
    assert!(bench.is_gone(plain));
    bench.wait(Duration::from_millis(100));
    assert!(bench.dialled(addr).is_some());
}
