//! Torrents in the local network (BEP 14): which are announced, and who is dialed.

use std::net::SocketAddr;

use brooklet::base::{Duration, InfoHash, limits};
use brooklet::peer::EndReason;
use brooklet::session::{Command, command, datagrams, view};
use brooklet::torrent::Source;
use brooklet::wire::Family;
use brooklet::wire::lsd::Search;

use crate::session::Bench;

/// A download that searches the local network, or not.
fn bench(takes_part: bool) -> Bench {
    let mut bench = Bench::getter(2, &[]);
    bench.begins(|_, order| order.lsd = takes_part);
    bench.session.finding.nearby.join(6881, 1);
    bench.turn();
    bench
}

fn announced(bench: &mut Bench) -> Vec<InfoHash> {
    let searches = std::mem::take(&mut bench.searches);
    searches.into_iter().flat_map(|it| it.info_hashes).collect()
}

/// Somebody at this address announces this torrent.
fn hears(bench: &mut Bench, from: &str, port: u16, info_hash: InfoHash) {
    let search = Search {
        port,
        info_hashes: vec![info_hash],
        cookie: None,
    };
    let text = search.encode(Family::V4);
    let from: SocketAddr = from.parse().unwrap();
    datagrams::handle_search(&mut bench.session, from, text.as_bytes(), bench.now);
    bench.turn();
}

#[test]
fn torrents_are_announced_together_and_not_while_they_are_paused() {
    let mut bench = bench(true);
    let first = bench.setting.local.info_hash;
    let said = bench.searches[0].clone();
    assert_eq!((said.port, said.info_hashes), (6881, vec![first]));
    bench.searches.clear();
    let other = bench.adds("other", |order| order.lsd = true);
    bench.adds("private", |order| order.lsd = false);
    let hash = bench.session.torrent(other).unwrap().order.info_hash;
    bench.wait(Duration::from_secs(60));
    let said = announced(&mut bench);
    let of = |hash: InfoHash| said.iter().filter(|&&it| it == hash).count();
    assert_eq!((of(first), of(hash), said.len()), (1, 2, 3));
    let torrent = bench.torrent;
    command::perform(&mut bench.session, Command::Pause(torrent), bench.now).unwrap();
    bench.wait(Duration::from_secs(300));
    assert_eq!(announced(&mut bench), [hash]);
    command::perform(&mut bench.session, Command::Resume(torrent), bench.now).unwrap();
    bench.turn();
    assert_eq!(announced(&mut bench), [first], "at once");
}

#[test]
fn who_is_found_is_dialed_at_once() {
    let mut bench = bench(true);
    let hash = bench.setting.local.info_hash;
    hears(&mut bench, "10.0.0.2:6771", 7000, InfoHash([9; 20]));
    assert_eq!(bench.dialled("10.0.0.2:7000".parse().unwrap()), None);
    hears(&mut bench, "10.0.0.2:6771", 7000, hash);
    assert!(bench.dialled("10.0.0.2:7000".parse().unwrap()).is_some());
    // A link-local address is dialed at the interface where it was heard.
    bench.wait(Duration::from_secs(1));
    hears(&mut bench, "[fe80::2%3]:6771", 7000, hash);
    assert!(bench.dialled("[fe80::2%3]:7000".parse().unwrap()).is_some());
}

/// A client has the metadata within a moment and ends; it runs again at once, at the same port, for
/// the content.
#[test]
fn a_second_run_is_dialed_without_a_wait() {
    let mut bench = bench(true);
    let (hash, addr) = (
        bench.setting.local.info_hash,
        "10.0.0.2:7000".parse().unwrap(),
    );
    hears(&mut bench, "10.0.0.2:6771", 7000, hash);
    let first = bench.dialled(addr).expect("it is dialed");
    // It hangs up whether it is dialed with or without encryption.
    let mut form = Some(first);
    for _ in 0..2 {
        let key = form.expect("each form is tried");
        bench.session.handle_connected(key, bench.now);
        bench.turn();
        bench
            .session
            .handle_closed(key, EndReason::Closed, bench.now);
        bench.turn();
        bench.wait(Duration::from_millis(250));
        form = bench.dialled(addr);
    }
    assert_eq!(form, None);
    assert_eq!(bench.dialled(addr), None, "it has said nothing since");
    hears(&mut bench, "10.0.0.2:6771", 7000, hash);
    bench.wait(limits::REDIAL_HEARD);
    assert!(bench.dialled(addr).is_some());
}

/// BEP 27: a private torrent is neither announced nor found.
#[test]
fn a_private_torrent_takes_no_part() {
    let mut bench = bench(false);
    let hash = bench.setting.local.info_hash;
    hears(&mut bench, "10.0.0.2:6771", 7000, hash);
    bench.wait(Duration::from_secs(600));
    assert_eq!(announced(&mut bench), []);
    assert_eq!(bench.dialled("10.0.0.2:7000".parse().unwrap()), None);
}

/// A tracker tells of us, too, and so do others.
#[test]
fn our_own_addresses_are_not_dialed() {
    let mut bench = Bench::getter(2, &[]);
    let addr = |text: &str| -> SocketAddr { text.parse().unwrap() };
    let ours = [addr("198.51.100.1:6881"), addr("[2001:db8::1]:6881")];
    command::set_own(&mut bench.session, &ours);
    let other = addr("198.51.100.1:6882");
    let named = [ours[0], ours[1], addr("[::ffff:198.51.100.1]:6881"), other];
    for source in [Source::Tracker, Source::Dht] {
        let (torrent, now) = (bench.torrent, bench.now);
        bench.session.add_peers(torrent, &named, source, now);
    }
    bench.wait(Duration::from_secs(2));
    assert!(bench.dialled(other).is_some());
    for own in &named[..3] {
        assert_eq!(bench.dialled(*own), None, "{own}");
    }
    // The user hears what it is.
    let torrent = bench.torrent;
    bench
        .session
        .add_peers(torrent, &ours[..1], Source::User, bench.now);
    bench.wait(Duration::from_secs(1));
    assert!(bench.dialled(ours[0]).is_some());
}

/// The address under which others see us is known once one torrent has dialed it.
#[test]
fn we_dial_ourselves_once_and_no_failure_is_told_of_that() {
    let mut bench = Bench::getter(2, &[]);
    let ours: SocketAddr = "198.51.100.1:6881".parse().unwrap();
    let key = bench.dials(ours);
    bench.session.handle_connected(key, bench.now);
    bench.turn();
    bench
        .session
        .handle_closed(key, EndReason::Ourselves, bench.now);
    bench.turn();
    let ways = view::ways(&bench.session, bench.torrent, bench.now);
    let words = ways.alone.expect("it is alone");
    assert!(!words.contains("failed"), "{words}");
    let other = bench.adds("other", |_| ());
    bench
        .session
        .add_peers(other, &[ours], Source::Tracker, bench.now);
    bench.wait(Duration::from_secs(2));
    assert_eq!(bench.dialled(ours), None);
}
