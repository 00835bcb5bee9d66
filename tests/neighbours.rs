//! Peers that are found by way of other peers (BEP 11), with clients that others wrote, each on a
//! host of its own: who knows one peer only, and that one is no seed, finds the seed all the same.

mod support;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use support::child::{Child, brooklet};
use support::clients::{Client, PORT, Program, Ways};
use support::content::Content;
use support::dir::Dir;
use support::net::{Family, Host, Net};
use support::torrent::Torrent;

use Family::{V4, V6};
use Program::{Aria2, Libtorrent, Transmission};

/// Transmission and aria2 think about whom to serve every ten seconds, and tell of others after up
/// to a minute.
const PATIENCE: Duration = Duration::from_secs(150);

/// Bytes a second that a peer in the middle receives, so that it is no seed for a long time.
const SLOW: u32 = 8 * 1024;

/// A torrent without trackers, and hosts to run clients on.
struct World {
    torrent: Torrent,
    file: PathBuf,
    dir: Dir,
    // Last, so that who lives in it is gone before.
    net: Net,
}

impl World {
    fn new(programs: &[Program], hosts: usize, seed: u64) -> Option<World> {
        if !programs.iter().all(|program| program.installed()) {
            return None;
        }
        let net = Net::new(hosts)?;
        let content = Content::file(seed, "content.bin", 3_000_000);
        let torrent = Torrent::new(content, 64 * 1024);
        let dir = Dir::new();
        let file = torrent.write(&dir.join("content.torrent"), &[]);
        Some(World {
            torrent,
            file,
            dir,
            net,
        })
    }

    /// A link that says nothing but the hash, and this peer.
    fn link(&self, peer: SocketAddr) -> String {
        format!("magnet:?xt=urn:btih:{}&x.pe={peer}", self.torrent.hex())
    }

    /// brooklet on a host, with a folder of its own.
    fn brooklet(&self, host: &Host, verb: &str, source: &str, options: &[&str]) -> Child {
        let mut command = brooklet(Some(host));
        command.args([verb, source, "--json", "--port", &PORT.to_string()]);
        command.arg("--dir").arg(self.dir.folder("ours"));
        command.arg("--state").arg(self.dir.join("state"));
        command.args(["--no-dht"]).args(options);
        Child::spawn("brooklet", &mut command)
    }

    /// Another client on a host.
    fn other(&self, program: Program, ways: &Ways, host: &Host, folder: &str) -> Client {
        let folder = self.dir.folder(folder);
        program.join_by(ways, host, &self.file, &folder)
    }

    /// A seed on a host.
    fn seed(&self, program: Program, ways: &Ways, host: &Host) -> Client {
        self.torrent.content.write(&self.dir.folder("seed"));
        let mut seed = self.other(program, ways, host, "seed");
        seed.wait_whole(PATIENCE);
        seed
    }

    fn assert_whole(&self, folder: &str) {
        self.torrent.content.assert_in(&self.dir.join(folder));
    }
}

/// Waits until brooklet is connected to this peer.
fn met(child: &mut Child, addr: SocketAddr) {
    let addr = addr.to_string();
    child.event_where("peer", PATIENCE, |peer| {
        peer.get("state").text() == "connected" && peer.get("addr").text() == addr
    });
}

/// brooklet has a link with one peer, a slow client, which knows the seed.
fn a_link_leads_to_the_seed(middle: Program, family: Family, seed: u64) {
    let Some(world) = World::new(&[Libtorrent, middle], 3, seed) else {
        return;
    };
    let [ours, between, at_seed] = [0, 1, 2].map(|host| world.net.host(host));
    let seed_addr = at_seed.socket(family, PORT);
    let _seed = match middle {
        // It is dialed by the seed, since only libtorrent is told whom to dial.
        Libtorrent => world.seed(Libtorrent, &Ways::default(), at_seed),
        _ => world.seed(
            Libtorrent,
            &Ways {
                peer: Some(between.socket(family, PORT)),
                ..Ways::default()
            },
            at_seed,
        ),
    };
    let ways = Ways {
        pex: true,
        peer: Some(seed_addr),
        down: Some(SLOW),
        ..Ways::default()
    };
    let _between = world.other(middle, &ways, between, "between");
    let link = world.link(between.socket(family, PORT));
    let mut get = world.brooklet(ours, "get", &link, &[]);
    met(&mut get, seed_addr);
    get.success(PATIENCE);
    world.assert_whole("ours");
}

#[test]
fn a_link_leads_to_the_seed_by_way_of_libtorrent() {
    a_link_leads_to_the_seed(Libtorrent, V4, 601);
}

#[test]
fn a_link_leads_to_the_seed_by_way_of_libtorrent_over_ipv6() {
    a_link_leads_to_the_seed(Libtorrent, V6, 602);
}

#[test]
fn a_link_leads_to_the_seed_by_way_of_transmission() {
    a_link_leads_to_the_seed(Transmission, V4, 603);
}

/// Another client knows brooklet only, which knows the seed.
fn brooklet_leads_to_the_seed(getter: Program, family: Family, seed: u64) {
    let Some(world) = World::new(&[Libtorrent, getter], 3, seed) else {
        return;
    };
    let [ours, at_getter, at_seed] = [0, 1, 2].map(|host| world.net.host(host));
    let _seed = world.seed(Libtorrent, &Ways::default(), at_seed);
    let ways = Ways {
        pex: true,
        peer: Some(ours.socket(family, PORT)),
        ..Ways::default()
    };
    let mut other = world.other(getter, &ways, at_getter, "other");
    let to_seed = at_seed.socket(family, PORT).to_string();
    let to_getter = at_getter.socket(family, PORT).to_string();
    let file = world.file.to_str().unwrap().to_string();
    let peers = ["--peer", &to_seed, "--peer", &to_getter, "--down", "8K"];
    let mut between = world.brooklet(ours, "get", &file, &peers);
    met(&mut between, at_seed.socket(family, PORT));
    other.wait_whole(PATIENCE);
    world.assert_whole("other");
    assert!(between.is_running(), "it has not got everything itself");
}

#[test]
fn libtorrent_hears_of_the_seed_from_brooklet() {
    brooklet_leads_to_the_seed(Libtorrent, V4, 611);
}

#[test]
fn libtorrent_hears_of_the_seed_from_brooklet_over_ipv6() {
    brooklet_leads_to_the_seed(Libtorrent, V6, 612);
}

#[test]
fn transmission_hears_of_the_seed_from_brooklet() {
    brooklet_leads_to_the_seed(Transmission, V4, 613);
}

#[test]
fn aria2_hears_of_the_seed_from_brooklet() {
    brooklet_leads_to_the_seed(Aria2, V4, 614);
}
