//! A tracker that sends us to ourselves.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use super::{Swarm, Tracker, answer, assert_asleep, param, reply};
use crate::support::bench::{SOON, listening};
use crate::support::json::Json;

/// An address of this machine that no tracker sees.
const OTHER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// Our own address, over and over: the one that the tracker is asked from is never called. Another
/// one is called once; then we notice, hang up, and never call it again.
#[test]
fn our_own_addresses_are_dialed_once_at_most() {
    let swarm = Swarm::new(41);
    let good: SocketAddr = swarm.peer.addr().parse().unwrap();
    let tracker = Tracker::start(move |stream, request| {
        let port = param(request, "port").and_then(|port| port.parse().ok());
        let port = port.unwrap_or(0);
        let seen = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let other = SocketAddr::from((OTHER, port));
        let list = [vec![seen; 500], vec![good; 1], vec![other; 400]].concat();
        stream.write_all(&answer(&reply(0, &list)))
    });
    let mut download = swarm.get(&[&tracker.url()], &["--bind", "0.0.0.0"]);
    let seen = listening(&mut download.child);
    let other = SocketAddr::from((OTHER, seen.port())).to_string();
    let is_own = |peer: &Json| peer.get("addr").text() == other;
    let left = download.child.event_where("peer", SOON, is_own);
    assert_eq!(left.get("state").text(), "disconnected");
    assert_eq!(left.get("reason").text(), "it is this very client");
    download.complete();
    // It is told that the download is complete, and names us again.
    let deadline = Instant::now() + SOON;
    while tracker.asked() < 2 && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(20));
    }
    assert!(tracker.asked() >= 2, "it was asked once");
    assert_asleep(&mut download.child);
    let calls = download.child.events("peer");
    assert_eq!(calls.iter().filter(|peer| is_own(peer)).count(), 1);
    let seen = seen.to_string();
    let is_seen = |peer: &&Json| peer.get("addr").text() == seen;
    assert_eq!(calls.iter().filter(is_seen).count(), 0);
    download.end();
}
