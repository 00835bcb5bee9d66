//! What it costs to be a node of the DHT: memory.

use super::support::bench::SOON;
use super::support::child::{Child, brooklet, command};
use super::support::clients::PYTHON;
use super::support::dir::Dir;
use super::support::net::{Family, Net};
use super::support::{installed, repository};

use std::time::Duration;

use brooklet::base::limits;

/// Our id.
const OWN: &str = "5fbfbff10c5d6a4ec8a88e4c6ab4c28b95eee400";
/// No DHT has so many nodes that more buckets than this could be full; and all lookups together
/// ask those of so many, since each has less than [`limits::DHT_LOOKUP_QUERIES`].
const BUCKETS: usize = 56;
const PATIENCE: Duration = Duration::from_secs(220);

/// "RSS of an idle node with a full routing table and 2,000 stored peers ≤ 8 MiB": the most that it
/// ever had, with nodes in each bucket and as many networks, and each peer of a torrent of its own.
#[test]
fn a_node_with_a_full_table_and_many_stored_peers_needs_little_memory() {
    if !installed(&[PYTHON.trim_start_matches("/usr/bin/")]) {
        return;
    }
    let Some(net) = Net::new(1) else {
        return;
    };
    net.elsewhere("60.0.0.0/8");
    let dir = Dir::new();
    let state = dir.folder("state");
    dir.file(
        "state/dht.nodes",
        format!("brooklet DHT nodes 1\nid4 {OWN}\n"),
    );
    let host = net.host(0);
    let addr = host.socket(Family::V4, 6881);
    let mut others = command(Some(net.hub()), PYTHON);
    others.arg(repository("tests/support/full_dht.py"));
    others.args([OWN, &addr.ip().to_string(), &addr.port().to_string(), "60"]);
    others.args([BUCKETS, limits::DHT_LOOKUPS, 2_000].map(|it| it.to_string()));
    let mut others = Child::spawn("others", &mut others);
    others.event("ready", SOON);

    let mut node = brooklet(Some(host));
    node.arg("get");
    // All are looked up at one time. The last byte of a hash is its number.
    node.args((1..=limits::DHT_LOOKUPS).map(|number| format!("{}{number:02x}", &OWN[..38])));
    node.arg("--dir").arg(dir.folder("content"));
    node.arg("--state").arg(state);
    node.args(["--json", "--no-lsd", "--port", "6881"]);
    node.args(["--dht-node", "60.0.0.9:7100"]);
    let mut node = Child::spawn("brooklet", &mut node);
    let nodes = others.event("full", PATIENCE).get("nodes").count();
    let wide: usize = limits::DHT_WIDE_BUCKETS.iter().sum();
    let all = limits::DHT_K * (wide + BUCKETS - limits::DHT_WIDE_BUCKETS.len());
    assert_eq!(nodes, all as u64);
    let stored = others.event("stored", PATIENCE);
    let peers = stored.get("peers").count();
    assert_eq!((peers, stored.get("known").count()), (2_000, 100));
    assert!(node.is_running());
    let peak = node.peak();
    println!("{nodes} nodes, {peers} peers: {} KiB", peak / 1024);
    assert!(peak <= 8 << 20, "{} KiB", peak / 1024);
}
