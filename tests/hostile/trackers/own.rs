//! A tracker that sends us to ourselves.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use super::{Swarm, Tracker, answer, assert_asleep, param, reply};
use crate::support::bench::{SOON, listening};
use crate::support::json::Json;

/// Our own address, over and over: we call it once, notice, hang up, and never call it again.
#[test]
fn our_own_address_is_called_once() {
    let swarm = Swarm::new(41);
    let good: SocketAddr = swarm.peer.addr().parse().unwrap();
    let tracker = Tracker::start(move |stream, request| {
        let port = param(request, "port").and_then(|port| port.parse().ok());
        let own = SocketAddr::from((Ipv4Addr::LOCALHOST, port.unwrap_or(0)));
        let list = [vec![own; 500], vec![good; 1], vec![own; 400]].concat();
        stream.write_all(&answer(&reply(0, &list)))
    });
    let mut download = swarm.get(&[&tracker.url()], &[]);
    let own = listening(&mut download.child).to_string();
    let is_own = |peer: &Json| peer.get("addr").text() == own;
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
    download.end();
}
