//! The DHT as the built program takes part in it: peers found without a tracker, nodes that are
//! known again after a restart, and the torrents that take no part.

mod clients;
#[path = "../support/mod.rs"]
mod support;

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::time::Duration;

use support::bench::{Bench, SOON, checked, listening};
use support::child::Child;
use support::content::Content;
use support::torrent::Torrent;

/// A seed that is a node of the DHT, and whose torrent nobody else has.
fn node(seed: u64) -> (Bench, Child, String) {
    let bench = Bench::new(seed, 100_000);
    bench.fill();
    let mut child = bench.run("seed", &[]);
    let addr = listening(&mut child).to_string();
    checked(&mut child);
    (bench, child, addr)
}

/// Waits until a lookup has asked so many nodes and found so many peers.
fn looked(child: &mut Child, nodes: u64, peers: u64) {
    let counts = |event: &support::json::Json| {
        event.get("nodes").count() >= nodes && event.get("peers").count() == peers
    };
    child.event_where("dht", SOON, counts);
}

#[test]
fn a_seed_is_found_by_the_dht_alone_and_nodes_are_known_after_a_restart() {
    let (_bench, mut node, addr) = node(501);
    let seeding = Bench::new(502, 1_000_000);
    seeding.fill();
    let mut seed = seeding.run("seed", &["--dht-node", &addr]);
    looked(&mut seed, 1, 0);

    let getting = Bench::new(502, 1_000_000);
    let mut get = getting.run("get", &["--dht-node", &addr]);
    looked(&mut get, 1, 1);
    get.success(SOON);
    getting.assert_whole();

    let file = std::fs::read_to_string(getting.dir.join("state").join("dht.nodes")).unwrap();
    assert!(file.contains(&format!(" {addr}\n")), "{file}");
    std::fs::remove_dir_all(getting.content()).unwrap();
    getting.dir.folder("content");
    let mut again = getting.run("get", &[]);
    again.success(SOON);
    getting.assert_whole();

    for child in [&mut node, &mut seed] {
        child.signal("TERM");
        assert_eq!(child.code(SOON), 143);
    }
}

/// What a download with these options sends to a node before it dials a peer, and so after it has
/// looked for some.
fn sent_to_node(bench: &Bench, options: &[&str]) -> Option<Vec<u8>> {
    let node = UdpSocket::bind("127.0.0.1:0").unwrap();
    let addr = node.local_addr().unwrap().to_string();
    let peer = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer_addr: SocketAddr = peer.local_addr().unwrap();
    let mut all = vec!["--dht-node", &addr];
    all.extend(options);
    let mut get = bench.get(&[peer_addr.to_string()], &all);
    let (_stream, _) = peer.accept().unwrap();
    get.signal("TERM");
    assert_eq!(get.code(SOON), 143);
    node.set_read_timeout(Some(Duration::from_millis(1)))
        .unwrap();
    let mut buffer = [0; 1500];
    let n = node.recv(&mut buffer).ok()?;
    Some(buffer[..n].to_vec())
}

#[test]
fn private_torrents_and_those_without_dht_send_no_packet() {
    let bench = Bench::new(503, 100_000);
    let sent = sent_to_node(&bench, &[]).expect("it takes part");
    assert!(sent.starts_with(b"d1:a"), "{sent:?}");
    assert_eq!(sent_to_node(&bench, &["--no-dht"]), None);

    let mut torrent = Torrent::new(Content::file(504, "content.bin", 100_000), 64 * 1024);
    // Keys are in order: "private" comes after "pieces".
    let end = torrent.info.pop();
    torrent.info.extend(b"7:privatei1e");
    torrent.info.extend(end);
    assert_eq!(sent_to_node(&Bench::of(torrent), &[]), None);
}
