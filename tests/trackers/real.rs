//! Trackers that others wrote.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use brooklet::tracker::Counts;

use super::client::{Client, HASH};
use super::support::trackers::{NodeTracker, OpenTracker};

/// What a tracker says of the swarm when it is scraped.
fn scraped(url: &str) -> Counts {
    let mut client = Client::scraper(&[&[url]]);
    let (_, outcome) = client.report(1);
    assert_eq!(outcome, Ok(vec![]), "{url}");
    client.reports[0].2
}

fn counts(seeders: u32, leechers: u32, completed: u32) -> Counts {
    let [seeders, leechers, completed] = [seeders, leechers, completed].map(Some);
    Counts {
        seeders,
        leechers,
        completed,
    }
}

/// A seed and a download meet at a tracker, each by its own URL; events and scrapes come to what
/// they should. `completed`: what the tracker counts as completed downloads while one is on, when
/// it is complete, and when all are gone.
fn meet(seed_url: &str, other_url: &str, completed: [u32; 3]) {
    let mut seed = Client::new(&[&[seed_url]], 4001);
    seed.trackers.set_totals(0, 0, 0);
    seed.start();
    let (_, outcome) = seed.report(1);
    assert!(outcome.is_ok(), "{outcome:?}");
    let mut other = Client::new(&[&[other_url]], 4002);
    other.start();
    let (_, peers) = other.report(1);
    let ports: Vec<u16> = peers.unwrap().iter().map(SocketAddr::port).collect();
    assert!(ports.contains(&4001), "{ports:?}");
    for url in [seed_url, other_url] {
        assert_eq!(scraped(url), counts(1, 1, completed[0]), "{url}");
    }
    other.trackers.set_totals(0, 1000, 0);
    other.complete();
    assert!(other.report(2).1.is_ok());
    for url in [seed_url, other_url] {
        assert_eq!(scraped(url), counts(2, 0, completed[1]), "{url}");
    }
    other.leave();
    seed.leave();
    assert_eq!(scraped(seed_url), counts(0, 0, completed[2]));
}

/// opentracker counts completed downloads, bittorrent-tracker the seeds that are there.
const EVER: [u32; 3] = [0, 1, 1];
const PRESENT: [u32; 3] = [1, 2, 0];

#[test]
fn opentracker_is_announced_to_and_scraped() {
    let Some(tracker) = OpenTracker::start(&[HASH]) else {
        return;
    };
    meet(&tracker.http_url, &tracker.udp_url, EVER);
}

#[test]
fn opentracker_is_announced_to_the_other_way_round() {
    let Some(tracker) = OpenTracker::start(&[HASH]) else {
        return;
    };
    meet(&tracker.udp_url, &tracker.http_url, EVER);
}

#[test]
fn opentracker_refuses_a_torrent_that_it_does_not_know() {
    let Some(tracker) = OpenTracker::start(&[[7; 20]]) else {
        return;
    };
    let mut client = Client::new(&[&[&tracker.http_url]], 4001);
    let why = client.failure();
    assert!(why.contains("not authorized"), "{why}");
    // Over UDP it answers with the transaction id alone.
    let mut client = Client::new(&[&[&tracker.udp_url]], 4001);
    assert_eq!(client.failure(), "it refused without a reason");
    assert!(client.began.elapsed() < Duration::from_secs(5));
}

#[test]
fn bittorrent_tracker_is_announced_to_and_scraped_over_ipv6() {
    let Some(mut tracker) = NodeTracker::start() else {
        return;
    };
    meet(&tracker.http_url, &tracker.udp_url, PRESENT);
    tracker.heard("complete ::1:4002");
    tracker.heard("stop [::1]:4001");
    let Some(tracker) = NodeTracker::start() else {
        return;
    };
    meet(&tracker.udp_url, &tracker.http_url, PRESENT);
}

#[test]
fn the_next_tracker_takes_over_when_one_dies() {
    let (Some(mut first), Some(second)) =
        (OpenTracker::start(&[HASH]), OpenTracker::start(&[HASH]))
    else {
        return;
    };
    let mut client = Client::hurried(&[&[&first.http_url], &[&second.http_url]], 4001, 1000);
    client.start();
    assert_eq!(client.report(1).0, first.http_url);
    first.kill();
    let (url, outcome) = client.report(2);
    assert_eq!(
        (url, outcome),
        (
            first.http_url.clone(),
            Err(String::from("it refused the connection"))
        )
    );
    let (url, outcome) = client.report(3);
    assert!(
        url == second.http_url && outcome.is_ok(),
        "{url} {outcome:?}"
    );
}

#[test]
fn a_dead_tracker_does_not_keep_us_from_leaving() {
    let Some(mut tracker) = OpenTracker::start(&[HASH]) else {
        return;
    };
    let mut client = Client::new(&[&[&tracker.udp_url]], 4001);
    client.start();
    assert!(client.report(1).1.is_ok());
    tracker.kill();
    let began = Instant::now();
    client.leave();
    let took = began.elapsed();
    assert!(took < Duration::from_secs(6), "{took:?}");
}
