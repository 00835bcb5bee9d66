//! A torrent of which only a link was known turns out to be private (BEP 27): what becomes of the
//! peers that were met until then.

use std::net::SocketAddr;

use brooklet::base::Duration;
use brooklet::session::{extending, view};
use brooklet::torrent::{Order, Report, Source};

use crate::exchange::addr;
use crate::session::Bench;

/// A download of which only the info hash is known, and perhaps a tracker; and how it goes on.
fn bench(has_tracker: bool) -> (Bench, Order) {
    let mut bench = Bench::getter(4, &[]);
    let mut whole = bench.order();
    let info_hash = whole.info_hash;
    let tracker = vec![String::from("http://192.0.2.99/announce")];
    let trackers = Some(tracker).filter(|_| has_tracker).into_iter();
    bench.begins(|_, order| {
        *order = Order::of_link(info_hash, "x".into(), trackers.collect());
        (order.dht, order.pex, order.lsd) = (true, true, true);
    });
    // Several dials may follow each other after a pause.
    bench.wait(Duration::from_secs(1));
    whole.metadata_size = None;
    (bench, whole)
}

fn learns(bench: &mut Bench, whole: Order) {
    let (torrent, now) = (bench.torrent, bench.now);
    extending::learn(&mut bench.session, torrent, whole, now);
    bench.turn();
    bench.session.assert_invariants();
}

/// We dial an address that this source has named. The key; the network has not answered.
fn dials(bench: &mut Bench, addr: SocketAddr, source: Source) -> usize {
    let (torrent, now) = (bench.torrent, bench.now);
    bench.session.add_peers(torrent, &[addr], source, now);
    bench.turn();
    bench.dialled(addr).expect("it is dialed")
}

#[test]
fn it_leaves_peers_that_neither_the_user_nor_a_tracker_has_named() {
    let sources = [
        (Source::User, true),
        (Source::Link, true),
        (Source::Tracker, true),
        (Source::Local, false),
        (Source::Dht, false),
        (Source::Exchange, false),
    ];
    for is_connected in [true, false] {
        let (mut bench, whole) = bench(true);
        let mut keys = Vec::new();
        for (number, (source, _)) in (1..).zip(sources) {
            let key = dials(&mut bench, addr(&format!("198.51.100.{number}:7")), source);
            if is_connected {
                bench.session.handle_connected(key, bench.now);
                bench.turn();
                bench.says(key, &format!("handshake fast -TR3000-abcdefghi{number:03}"));
                bench.says(key, "have all");
            }
            keys.push(key);
        }
        learns(&mut bench, whole);
        for (key, (source, stays)) in keys.into_iter().zip(sources) {
            assert_eq!(!bench.is_gone(key), stays, "{source:?}, {is_connected}");
            if stays && is_connected {
                bench.says(key, "unchoke");
                let heard = bench.hears(key);
                assert!(heard.contains(&String::from("interested")), "{heard:?}");
            }
        }
        if is_connected {
            let said = |report: &Report| {
                matches!(report, Report::Disconnected { reason, .. }
                if reason == "the torrent is private, and no tracker named it")
            };
            assert_eq!(bench.reports.iter().filter(|it| said(it)).count(), 3);
        }
    }
}

/// A tracker may have told it of us; where there is none, only what found it has.
#[test]
fn one_that_dialed_us_stays_if_a_tracker_or_the_user_may_know_it() {
    for has_tracker in [true, false] {
        let (mut bench, whole) = bench(has_tracker);
        let stranger = bench.join(1, true);
        // Another port of that host was named by the user: it dials us as its peer, too.
        let (torrent, now) = (bench.torrent, bench.now);
        let named = addr("192.0.2.2:6881");
        bench
            .session
            .add_peers(torrent, &[named], Source::User, now);
        let known = bench.join(2, true);
        learns(&mut bench, whole);
        assert_eq!(bench.is_gone(stranger), !has_tracker);
        assert!(!bench.is_gone(known));
    }
}

/// The DHT is asked as long as nobody knows that the torrent is private, and not spoken of after.
#[test]
fn no_word_of_the_dht_is_said_once_it_is_known_to_be_private() {
    for (private, spoken_of) in [(true, false), (false, true)] {
        let (mut bench, mut whole) = bench(true);
        let why = |bench: &Bench| {
            let ways = view::ways(&bench.session, bench.torrent, bench.now);
            ways.alone.expect("it is alone")
        };
        assert!(why(&bench).contains("DHT: "), "{}", why(&bench));
        (whole.dht, whole.pex, whole.lsd) = (!private, !private, !private);
        learns(&mut bench, whole);
        bench.wait(Duration::from_secs(1));
        assert_eq!(why(&bench).contains("DHT"), spoken_of, "{}", why(&bench));
    }
}
