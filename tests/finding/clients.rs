//! DHTs of other programs' nodes: a torrent of which nothing but the hash is known completes by
//! them, and others find by them what we announced.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use super::support::bench::{Bench, SOON, checked};
use super::support::child::{Child, brooklet, command};
use super::support::clients::{PYTHON, Program};
use super::support::net::free_port;
use super::support::{node_folder, npm_installed, repository};

/// What libtorrent takes to announce a torrent: its lookup waits for nodes that are silent.
const ANNOUNCED: Duration = Duration::from_secs(60);

/// libtorrent as a DHT of these nodes, which has begun to answer.
fn libtorrent(nodes: &[SocketAddr], client: impl FnOnce(&mut Command)) -> Child {
    let mut program = command(None, PYTHON);
    let nodes: Vec<String> = nodes.iter().map(ToString::to_string).collect();
    program.arg(repository("tests/support/lt_dht.py"));
    program.args(["--nodes", &nodes.join(",")]);
    client(&mut program);
    let mut child = Child::spawn("libtorrent", &mut program);
    child.event("nodes", ANNOUNCED);
    child
}

/// Addresses on loopback, each in a network of its own: libtorrent takes one node of each.
fn loopback(count: u8) -> Vec<SocketAddr> {
    let addr = |net| SocketAddr::from(([127, 0, net, 1], free_port()));
    (2..count + 2).map(addr).collect()
}

/// Runs brooklet for the bench's torrent, of which it is told the hash only.
fn by_hash(bench: &Bench, verb: &str, bind: IpAddr, node: &str) -> Child {
    let mut program = brooklet(None);
    program.args([
        verb,
        &bench
            .torrent
            .info_hash
            .map(|byte| format!("{byte:02x}"))
            .concat(),
    ]);
    program.arg("--dir").arg(bench.content());
    program.arg("--state").arg(bench.dir.join("state"));
    program.args([
        "--json",
        "--port",
        "0",
        "--bind",
        &bind.to_string(),
        "--dht-node",
        node,
    ]);
    Child::spawn("brooklet", &mut program)
}

#[test]
fn a_bare_hash_completes_by_a_dht_of_thirty_libtorrent_nodes() {
    if !Program::Libtorrent.installed() {
        return;
    }
    let seeding = Bench::new(511, 3_000_000);
    seeding.fill();
    let nodes = loopback(30);
    let listen = SocketAddr::from(([127, 0, 100, 1], free_port()));
    let mut others = libtorrent(&nodes, |program| {
        program
            .arg("--seed")
            .arg(seeding.dir.join("torrent"))
            .arg(seeding.content());
        program.arg(listen.to_string());
    });
    others.event("announced", ANNOUNCED);

    let getting = Bench::new(511, 3_000_000);
    let mut get = by_hash(
        &getting,
        "get",
        IpAddr::from([127, 0, 0, 1]),
        &nodes[0].to_string(),
    );
    let found = |event: &super::support::json::Json| event.get("peers").count() >= 1;
    let lookup = get.event_where("dht", SOON, found);
    assert!(
        lookup.get("nodes").count() > 1,
        "the first node was asked for others"
    );
    get.success(SOON);
    getting.assert_whole();
}

#[test]
fn a_bare_hash_completes_by_a_dht_of_libtorrent_nodes_over_ipv6() {
    if !Program::Libtorrent.installed() {
        return;
    }
    let seeding = Bench::new(512, 1_000_000);
    seeding.fill();
    let addr = || SocketAddr::from((Ipv6Addr::LOCALHOST, free_port()));
    let nodes: Vec<SocketAddr> = (0..8).map(|_| addr()).collect();
    let mut others = libtorrent(&nodes, |program| {
        program
            .arg("--seed")
            .arg(seeding.dir.join("torrent"))
            .arg(seeding.content());
        program.arg(addr().to_string());
    });
    others.event("announced", ANNOUNCED);

    let getting = Bench::new(512, 1_000_000);
    let bind = IpAddr::from(Ipv6Addr::LOCALHOST);
    let mut get = by_hash(&getting, "get", bind, &nodes[0].to_string());
    get.success(SOON);
    getting.assert_whole();
}

#[test]
fn libtorrent_finds_by_its_own_nodes_what_we_announced_to_them() {
    if !Program::Libtorrent.installed() {
        return;
    }
    let nodes = loopback(12);
    let mut others = libtorrent(&nodes, |_| ());
    let seeding = Bench::new(513, 1_000_000);
    seeding.fill();
    let mut seed = seeding.run("seed", &["--dht-node", &nodes[0].to_string()]);
    checked(&mut seed);
    others.event("announced", SOON);

    let getting = Bench::new(513, 1_000_000);
    let hash = getting
        .torrent
        .info_hash
        .map(|byte| format!("{byte:02x}"))
        .concat();
    let mut program = command(None, PYTHON);
    program.arg(repository("tests/support/lt_dht.py"));
    program.args(["--ask", &nodes[0].to_string()]);
    program.args(["--get", &format!("magnet:?xt=urn:btih:{hash}")]);
    program.arg(getting.content());
    program.arg(SocketAddr::from(([127, 0, 101, 1], free_port())).to_string());
    let mut get = Child::spawn("libtorrent", &mut program);
    let whole = |state: &super::support::json::Json| state.get("whole").is_true();
    get.event_where("state", ANNOUNCED, whole);
    getting.assert_whole();
    assert!(others.is_running() && seed.is_running());
}

#[test]
fn a_bare_hash_completes_by_a_dht_of_npm_nodes() {
    if !npm_installed("bittorrent-dht") {
        return;
    }
    let mut program = command(None, "node");
    program
        .arg(repository("tests/support/dht.mjs"))
        .arg(node_folder())
        .arg("16");
    let mut others = Child::spawn("bittorrent-dht", &mut program);
    let line = others.line("listening ", ANNOUNCED);
    let node = line.trim_start_matches("listening ").to_string();

    let seeding = Bench::new(514, 1_000_000);
    seeding.fill();
    let mut seed = seeding.run("seed", &["--dht-node", &node]);
    checked(&mut seed);
    seed.event("dht", SOON);
    let getting = Bench::new(514, 1_000_000);
    let mut get = by_hash(&getting, "get", IpAddr::from([127, 0, 0, 1]), &node);
    get.success(SOON);
    getting.assert_whole();
    assert!(others.is_running() && seed.is_running());
}
