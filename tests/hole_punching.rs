//! Hole punching (BEP 55) with two real routers in between: network namespaces whose kernel
//! translates addresses. One end has the content, the other wants it, and a third peer on the
//! outside, which has nothing, is connected with both. The one that has it does not exchange peers,
//! so it calls only if it is told to.

mod support;

use std::path::Path;
use std::time::Duration;

use support::child::{Child, brooklet};
use support::clients::{PORT, Program, libtorrent};
use support::content::Content;
use support::dir::Dir;
use support::nat::{Nat, hide};
use support::net::{Family, Host, Net};
use support::torrent::Torrent;

use Nat::{AddressRestricted, PortRestricted};

/// Time for dials that are not answered, a rendezvous and a download.
const PATIENCE: Duration = Duration::from_secs(60);

/// A relay outside, and two ends behind routers of these kinds.
struct World {
    net: Net,
    dir: Dir,
    torrent: Torrent,
    inside: [Host; 2],
}

impl World {
    fn new(nats: [Nat; 2]) -> Option<World> {
        if !support::installed(&["nft"]) {
            return None;
        }
        let net = Net::new(5)?;
        let inside = [(1, nats[0]), (3, nats[1])].map(|(router, nat)| {
            let [within, hidden] = net.side([router, router + 1]);
            hide(&hidden, &within, nat, PORT);
            hidden
        });
        let content = Content::folder(1, "content", &[("a", 3_000_000), ("b", 70_001)]);
        let torrent = Torrent::new(content, 16 * 1024);
        let dir = Dir::new();
        torrent.write(&dir.join("torrent"), &[]);
        torrent.content.write(&dir.folder("seed"));
        Some(World {
            net,
            dir,
            torrent,
            inside,
        })
    }

    fn relay(&self) -> &Host {
        self.net.host(0)
    }

    /// The outside of a router.
    fn router(&self, end: usize) -> &Host {
        self.net.host(1 + 2 * end)
    }

    fn file(&self) -> std::path::PathBuf {
        self.dir.join("torrent")
    }

    fn folder(&self, name: &str) -> std::path::PathBuf {
        self.dir.folder(name)
    }

    fn start(&self, name: &str, host: &Host, options: &[&str]) -> Child {
        let verb = if name == "seed" { "seed" } else { "get" };
        let mut command = brooklet(Some(host));
        command.arg(verb).arg(self.file());
        command.args(["--json", "--port", &PORT.to_string()]);
        command.args(["--no-dht", "--no-lsd"]).args(options);
        command.arg("--dir").arg(self.folder(name));
        command
            .arg("--state")
            .arg(self.folder(&format!("state of {name}")));
        Child::spawn(name, &mut command)
    }

    /// A relay that gets next to nothing itself.
    fn starts_relay(&self, options: &[&str]) -> (Child, String) {
        let options = [&["--down", "1K"], options].concat();
        let mut relay = self.start("relay", self.relay(), &options);
        relay.event("checked", PATIENCE);
        (relay, self.relay().socket(Family::V4, PORT).to_string())
    }

    fn assert_whole(&self, name: &str) {
        self.torrent
            .content
            .assert_in(Path::new(&self.dir.join(name)));
    }
}

/// Waits for a connection, or the end of one, with a peer at this address.
fn hears_of(child: &mut Child, host: &Host, state: &str) -> String {
    let start = format!("{}:", host.v4);
    let event = child.event_where("peer", PATIENCE, |event| {
        event.get("addr").text().starts_with(&start) && event.get("state").text() == state
    });
    let transport = event.find("transport");
    transport
        .map(|it| it.text().to_string())
        .unwrap_or_default()
}

fn find_each_other(nats: [Nat; 2]) {
    let Some(world) = World::new(nats) else {
        return;
    };
    let (mut relay, there) = world.starts_relay(&[]);
    let seed = ["--no-pex", "--peer", &there];
    let mut seed = world.start("seed", &world.inside[0], &seed);
    hears_of(&mut relay, world.router(0), "connected");
    let mut get = world.start("get", &world.inside[1], &["--peer", &there]);
    assert_eq!(hears_of(&mut get, world.router(0), "connected"), "utp");
    assert_eq!(hears_of(&mut seed, world.router(1), "connected"), "utp");
    get.success(PATIENCE);
    world.assert_whole("get");
}

#[test]
fn two_behind_port_restricted_routers_find_each_other() {
    find_each_other([PortRestricted, PortRestricted]);
}

#[test]
fn two_behind_address_restricted_routers_find_each_other() {
    find_each_other([AddressRestricted, AddressRestricted]);
}

#[test]
fn two_behind_routers_of_both_kinds_find_each_other() {
    find_each_other([AddressRestricted, PortRestricted]);
    find_each_other([PortRestricted, AddressRestricted]);
}

/// Nothing but the rendezvous lets them through: with a relay that names one to the other, and
/// arranges none, each dial fails.
#[test]
fn without_a_rendezvous_the_routers_let_nothing_through() {
    for nat in [PortRestricted, AddressRestricted] {
        let Some(world) = World::new([nat, nat]) else {
            return;
        };
        let (mut relay, there) = world.starts_relay(&["--no-utp"]);
        let seed = ["--no-pex", "--peer", &there];
        let mut seed = world.start("seed", &world.inside[0], &seed);
        hears_of(&mut relay, world.router(0), "connected");
        let mut get = world.start("get", &world.inside[1], &["--peer", &there]);
        hears_of(&mut get, world.router(0), "disconnected");
        let start = format!("{}:", world.router(0).v4);
        let connected = |end: &mut Child| {
            let events = end.events("peer").into_iter();
            events
                .filter(|it| it.get("state").text() == "connected")
                .filter(|it| it.get("addr").text().starts_with(&start))
                .count()
        };
        assert_eq!(connected(&mut get), 0, "{nat:?}");
        assert!(seed.is_running());
    }
}

/// libtorrent asks brooklet, or is told to call by it, for or by brooklet.
#[test]
fn brooklet_and_libtorrent_find_each_other() {
    if !Program::Libtorrent.installed() {
        return;
    }
    for theirs in ["seed", "get"] {
        let Some(world) = World::new([PortRestricted, PortRestricted]) else {
            return;
        };
        let (mut relay, there) = world.starts_relay(&[]);
        let joins = |name: &str, host: &Host| {
            // Told to listen everywhere, it leaves the way through the router out.
            let listen = host.socket(Family::V4, PORT).to_string();
            let mut command = libtorrent(Some(host), &world.file(), &world.folder(name), &listen);
            let relay = world.relay().v4.to_string();
            command.args(["--utp", "--peer", &relay, &PORT.to_string()]);
            Child::spawn("libtorrent", &mut command)
        };
        if theirs == "seed" {
            let _seed = joins("seed", &world.inside[0]);
            hears_of(&mut relay, world.router(0), "connected");
            let mut get = world.start("get", &world.inside[1], &["--peer", &there]);
            assert_eq!(hears_of(&mut get, world.router(0), "connected"), "utp");
            get.success(PATIENCE);
        } else {
            let seed = ["--no-pex", "--peer", &there];
            let mut seed = world.start("seed", &world.inside[0], &seed);
            hears_of(&mut relay, world.router(0), "connected");
            let mut get = joins("get", &world.inside[1]);
            assert_eq!(hears_of(&mut seed, world.router(1), "connected"), "utp");
            get.event_where("state", PATIENCE, |state| state.get("seeding").is_true());
        }
        world.assert_whole("get");
    }
}
