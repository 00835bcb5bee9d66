//! Clients that others wrote, as nodes of one DHT with brooklet: each is on a host of its own and
//! knows one node of libtorrent. Nothing else can lead them to each other.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use super::support::bench::SOON;
use super::support::child::{Child, brooklet, command};
use super::support::clients::{PORT, PYTHON, Program, Ways};
use super::support::content::Content;
use super::support::dir::Dir;
use super::support::net::{Host, Net};
use super::support::repository;
use super::support::torrent::Torrent;

use Program::{Aria2, Libtorrent, Transmission, WebTorrent};

/// Transmission searches and announces when it knows a dozen nodes, of which it asks one every few
/// seconds.
const PATIENCE: Duration = Duration::from_secs(240);

/// A DHT of libtorrent's nodes on the hub, and two hosts that reach it.
struct World {
    torrent: Torrent,
    dir: Dir,
    node: SocketAddr,
    others: Child,
    // Last, so that who lives in it is gone before.
    net: Net,
}

impl World {
    fn new(program: Program, seed: u64) -> Option<World> {
        let programs = [Libtorrent, program];
        if !programs.iter().all(|program| program.installed()) {
            return None;
        }
        let net = Net::new(2)?;
        // What nodes at public addresses say of peers in a private network is not believed.
        net.elsewhere("10.128.0.0/9");
        let addr = |number: u8| SocketAddr::from(([10, 128 + number, 1, 1], PORT));
        let nodes: Vec<SocketAddr> = (0..20).map(addr).collect();
        let list: Vec<String> = nodes.iter().map(SocketAddr::to_string).collect();
        let mut others = command(Some(net.hub()), PYTHON);
        others.arg(repository("tests/support/lt_dht.py"));
        others.args(["--nodes", &list.join(",")]);
        let mut others = Child::spawn("libtorrent", &mut others);
        others.event("nodes", PATIENCE);
        let content = Content::file(seed, "content.bin", 1_000_000);
        Some(World {
            torrent: Torrent::new(content, 64 * 1024),
            dir: Dir::new(),
            node: nodes[0],
            others,
            net,
        })
    }

    /// The file of the torrent, without trackers.
    fn file(&self) -> String {
        let file = self.torrent.write(&self.dir.join("content.torrent"), &[]);
        file.to_str().unwrap().to_string()
    }

    /// Nothing but the hash.
    fn link(&self) -> String {
        format!("magnet:?xt=urn:btih:{}", self.torrent.hex())
    }

    /// brooklet, which has the DHT only.
    fn brooklet(&self, host: &Host, verb: &str, source: &str) -> Child {
        let mut command = brooklet(Some(host));
        command.args([verb, source, "--json", "--port", &PORT.to_string()]);
        command.arg("--dir").arg(self.dir.folder("ours"));
        command.arg("--state").arg(self.dir.join("state"));
        command.args(["--no-lsd", "--dht-node", &self.node.to_string()]);
        Child::spawn("brooklet", &mut command)
    }

    /// Waits until a node has taken an announce of this host.
    fn wait_announced(&mut self, host: usize) {
        let ip = self.net.host(host).v4.to_string();
        self.others.event_where("announced", PATIENCE, |announced| {
            announced.get("addr").text() == ip && announced.get("port").count() == PORT.into()
        });
    }
}

/// Another client seeds, and brooklet gets by the hash alone what it announced to the DHT.
fn is_found_by_a_hash_alone(program: Program, seed: u64) {
    let Some(mut world) = World::new(program, seed) else {
        return;
    };
    let folder = world.dir.folder("theirs");
    world.torrent.content.write(&folder);
    let ways = Ways {
        node: Some(world.node),
        ..Ways::default()
    };
    let file = world.file();
    let mut other = program.join_by(&ways, world.net.host(1), Path::new(&file), &folder);
    other.wait_whole(PATIENCE);
    world.wait_announced(1);
    let mut get = world.brooklet(world.net.host(0), "get", &world.torrent.hex());
    get.success(SOON);
    world.torrent.content.assert_in(&world.dir.join("ours"));
}

/// The other way round: it gets by the hash alone what brooklet announced.
fn finds_by_a_hash_alone(program: Program, seed: u64) {
    let Some(mut world) = World::new(program, seed) else {
        return;
    };
    world.torrent.content.write(&world.dir.folder("ours"));
    let mut seeding = world.brooklet(world.net.host(0), "seed", &world.file());
    world.wait_announced(0);
    let folder = world.dir.folder("theirs");
    let ways = Ways {
        node: Some(world.node),
        ..Ways::default()
    };
    let link = world.link();
    let mut other = program.join_by(&ways, world.net.host(1), Path::new(&link), &folder);
    other.wait_whole(PATIENCE);
    world.torrent.content.assert_in(&folder);
    assert!(seeding.is_running());
}

#[test]
fn a_hash_alone_finds_a_seed_of_transmission_in_the_dht() {
    is_found_by_a_hash_alone(Transmission, 531);
}

#[test]
fn a_hash_alone_finds_a_seed_of_aria2_in_the_dht() {
    is_found_by_a_hash_alone(Aria2, 532);
}

#[test]
fn a_hash_alone_finds_a_seed_of_webtorrent_in_the_dht() {
    is_found_by_a_hash_alone(WebTorrent, 533);
}

#[test]
fn transmission_finds_a_seed_in_the_dht_by_its_hash() {
    finds_by_a_hash_alone(Transmission, 534);
}

#[test]
fn aria2_finds_a_seed_in_the_dht_by_its_hash() {
    finds_by_a_hash_alone(Aria2, 535);
}

#[test]
fn webtorrent_finds_a_seed_in_the_dht_by_its_hash() {
    finds_by_a_hash_alone(WebTorrent, 536);
}
