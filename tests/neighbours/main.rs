//! Peers that are found by way of other peers (BEP 11) and in the local network (BEP 14), with
//! clients that others wrote, each on a host of its own. A client that knows one peer only, which
//! is no seed, finds the seed all the same; so does one that knows nothing but the info hash.

mod interfaces;
mod listing;
#[path = "../support/mod.rs"]
mod support;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use brooklet::base::limits;
use support::bench::SOON;
use support::child::{Child, brooklet, command};
use support::clients::{Client, PORT, Program, Ways};
use support::content::Content;
use support::dir::Dir;
use support::json::Json;
use support::net::{Family, Host, Net};
use support::torrent::Torrent;

use Family::{V4, V6};
use Program::{Aria2, Libtorrent, Transmission, WebTorrent};

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

/// The local network, with nobody known.
const LSD: Ways = Ways {
    pex: false,
    lsd: true,
    peer: None,
    node: None,
    down: None,
    secrecy: None,
    utp: false,
};

/// Somebody on a host who listens to the local network, and perhaps says something there.
fn listener(host: &Host, address: &str, args: &[&str]) -> Child {
    let mut command = command(Some(host), "/usr/bin/python3");
    command.arg(support::repository("tests/support/multicast.py"));
    command.arg(address).args(args);
    let mut listener = Child::spawn("listener", &mut command);
    listener.event("listening", SOON);
    listener
}

/// Waits until brooklet is connected to this peer.
fn met(child: &mut Child, addr: SocketAddr) {
    // Whoever heard of the other first has dialed it.
    child.event_where("peer", PATIENCE, |peer| {
        let at: SocketAddr = peer.get("addr").text().parse().unwrap();
        peer.get("state").text() == "connected" && at.ip() == addr.ip()
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

#[test]
fn a_link_leads_to_the_seed_by_way_of_transmission_over_ipv6() {
    a_link_leads_to_the_seed(Transmission, V6, 604);
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

#[test]
fn transmission_hears_of_the_seed_from_brooklet_over_ipv6() {
    brooklet_leads_to_the_seed(Transmission, V6, 615);
}

#[test]
fn aria2_hears_of_the_seed_from_brooklet_over_ipv6() {
    brooklet_leads_to_the_seed(Aria2, V6, 616);
}

/// brooklet knows the info hash alone, and a seed is in its network.
fn a_hash_alone_finds_the_seed(program: Program, family: Family, seed: u64) {
    let Some(world) = World::new(&[program], 2, seed) else {
        return;
    };
    let (ours, at_seed) = (world.net.host(0), world.net.host(1));
    let _seed = world.seed(program, &LSD, at_seed);
    let bind = ours.address(family).to_string();
    let mut get = world.brooklet(ours, "get", &world.torrent.hex(), &["--bind", &bind]);
    get.success(PATIENCE);
    world.assert_whole("ours");
    // Whoever heard the other first has dialed it.
    let ip = at_seed.address(family).to_string();
    let met = get.events("peer").into_iter().any(|peer| {
        peer.get("state").text() == "connected" && peer.get("addr").text().contains(&ip)
    });
    assert!(met, "over this family");
}

#[test]
fn a_hash_alone_finds_a_seed_of_transmission_in_the_local_network() {
    a_hash_alone_finds_the_seed(Transmission, V4, 621);
}

#[test]
fn a_hash_alone_finds_a_seed_of_libtorrent_in_the_local_network() {
    a_hash_alone_finds_the_seed(Libtorrent, V4, 622);
}

#[test]
fn a_hash_alone_finds_a_seed_of_libtorrent_in_the_local_network_over_ipv6() {
    a_hash_alone_finds_the_seed(Libtorrent, V6, 623);
}

#[test]
fn a_hash_alone_finds_a_seed_of_webtorrent_in_the_local_network() {
    a_hash_alone_finds_the_seed(WebTorrent, V4, 624);
}

/// Another client downloads from brooklet, found in the local network.
fn is_found_in_the_local_network(program: Program, seed: u64) {
    let Some(world) = World::new(&[program], 2, seed) else {
        return;
    };
    let (ours, at_getter) = (world.net.host(0), world.net.host(1));
    world.torrent.content.write(&world.dir.folder("ours"));
    let file = world.file.to_str().unwrap().to_string();
    let _seeding = world.brooklet(ours, "seed", &file, &[]);
    let mut other = world.other(program, &LSD, at_getter, "other");
    other.wait_whole(PATIENCE);
    world.assert_whole("other");
}

#[test]
fn transmission_finds_brooklet_in_the_local_network() {
    is_found_in_the_local_network(Transmission, 631);
}

#[test]
fn aria2_finds_brooklet_in_the_local_network() {
    is_found_in_the_local_network(Aria2, 632);
}

#[test]
fn libtorrent_finds_brooklet_in_the_local_network() {
    is_found_in_the_local_network(Libtorrent, 633);
}

#[test]
fn webtorrent_finds_brooklet_in_the_local_network() {
    is_found_in_the_local_network(WebTorrent, 634);
}

/// Two of brooklet and one of libtorrent on one machine share the port of the groups, find each
/// other, and all find the seed of another machine.
#[test]
fn several_clients_of_one_machine_search_side_by_side() {
    let Some(world) = World::new(&[Libtorrent], 2, 641) else {
        return;
    };
    let (here, there) = (world.net.host(0), world.net.host(1));
    let mut other = world.other(Libtorrent, &LSD, here, "other");
    let hash = world.torrent.hex();
    let start = |folder: &str| {
        let mut command = brooklet(Some(here));
        command.args(["get", &hash, "--json", "--port", "0", "--no-dht", "--seed"]);
        command.arg("--dir").arg(world.dir.folder(folder));
        command
            .arg("--state")
            .arg(world.dir.join(format!("{folder}.state")));
        Child::spawn(folder, &mut command)
    };
    let mut both = ["one", "two"].map(start);
    for child in &mut both {
        child.event("start", SOON);
    }
    let _seed = world.seed(Libtorrent, &LSD, there);
    for (child, folder) in both.iter_mut().zip(["one", "two"]) {
        child.event("complete", PATIENCE);
        world.assert_whole(folder);
    }
    other.wait_whole(PATIENCE);
    world.assert_whole("other");
}

/// What is said is what other clients say, at once and once more, and by IPv4 and IPv6.
#[test]
fn a_torrent_is_announced_to_the_local_network_as_others_do_it() {
    let Some(world) = World::new(&[], 2, 651) else {
        return;
    };
    let (ours, there) = (world.net.host(0), world.net.host(1));
    let mut listener = listener(there, &there.v4.to_string(), &[]);
    let _get = world.brooklet(ours, "get", &world.torrent.hex(), &[]);
    let mut count = 0;
    listener.event_where("heard", SOON, |_| {
        count += 1;
        count == 4
    });
    let heard = listener.events("heard").into_iter().map(|said| {
        let text = |name: &str| said.get(name).text().to_string();
        (text("text"), text("from"), said.get("port").count())
    });
    let heard: Vec<(String, String, u64)> = heard.collect();
    for (ip, host) in [
        (IpAddr::from(ours.v4), "239.192.152.143:6771"),
        (ours.v6.into(), "[ff15::efc0:988f]:6771"),
    ] {
        let ip = ip.to_string();
        let of_it: Vec<&str> = heard
            .iter()
            .filter(|it| it.1 == ip)
            .map(|it| it.0.as_str())
            .collect();
        let [first, second] = of_it[..] else {
            panic!("two from {ip}: {heard:?}")
        };
        assert_eq!(first, second);
        let hash = world.torrent.hex();
        let start = format!(
            "BT-SEARCH * HTTP/1.1\r\nHost: {host}\r\nPort: {PORT}\r\nInfohash: {hash}\r\ncookie: "
        );
        let rest = first.strip_prefix(&start).expect(first);
        let cookie = rest.strip_suffix("\r\n\r\n\r\n").expect(first);
        assert!(cookie.len() == 8 && cookie.bytes().all(|it| it.is_ascii_hexdigit()));
    }
    assert!(
        heard.iter().all(|it| it.2 == 6771),
        "from the port of the groups"
    );
}

/// Does something; then somebody hears from this address once more.
fn one_more(listener: &mut Child, from: &str, act: impl FnOnce()) {
    let is_from = |said: &Json| said.get("from").text() == from;
    let before = listener
        .events("heard")
        .iter()
        .filter(|said| is_from(said))
        .count();
    act();
    let mut count = 0;
    listener.event_where("heard", SOON, |said| {
        count += usize::from(is_from(said));
        count > before
    });
}

/// A network that comes while it runs is announced to at once, and one that goes stops nothing.
#[test]
fn networks_may_come_and_go() {
    let Some(world) = World::new(&[Libtorrent], 2, 652) else {
        return;
    };
    let (ours, there) = (world.net.host(0), world.net.host(1));
    ours.link("down");
    let mut inside = listener(ours, "127.0.0.1", &[]);
    let mut outside = listener(there, &there.v4.to_string(), &[]);
    let mut get = world.brooklet(ours, "get", &world.torrent.hex(), &[]);
    // Without a network, programs of this machine are told.
    one_more(&mut inside, "127.0.0.1", || ());
    let ip = ours.v4.to_string();
    for _ in 0..2 {
        one_more(&mut outside, &ip, || ours.link("up"));
        one_more(&mut inside, "127.0.0.1", || ours.link("down"));
    }
    let _seed = world.seed(Libtorrent, &LSD, there);
    ours.link("up");
    get.success(PATIENCE);
    world.assert_whole("ours");
}

/// Whoever floods the network costs little: few of his ports are dialed, and the download goes on.
#[test]
fn a_flood_of_searches_does_no_harm() {
    let Some(world) = World::new(&[Libtorrent], 3, 661) else {
        return;
    };
    let [ours, at_seed, there] = [0, 1, 2].map(|host| world.net.host(host));
    let mut get = world.brooklet(ours, "get", &world.torrent.hex(), &[]);
    get.event("start", SOON);
    let begun = Instant::now();
    let mut flood = listener(
        there,
        &there.v4.to_string(),
        &["--flood", "200000", "7", &world.torrent.hex()],
    );
    flood.event("flooded", PATIENCE);
    let used = ticks(&get);
    let _seed = world.seed(Libtorrent, &LSD, at_seed);
    get.success(PATIENCE);
    world.assert_whole("ours");
    let ip = there.v4.to_string();
    let dialed = get
        .events("peer")
        .into_iter()
        .filter(|peer| peer.get("addr").text().contains(&ip));
    let dialed = dialed.count();
    let later = begun.elapsed().as_secs() / limits::LSD_PORT_GAP.as_secs();
    let most = limits::LSD_PORTS + later as usize;
    assert!(dialed <= most, "{dialed} ports were dialed");
    assert!(
        used < 100,
        "{used} hundredths of a second for 200,000 datagrams"
    );
}

/// Hundredths of a second that a child has worked.
fn ticks(child: &Child) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.pid())).unwrap();
    let fields = stat.rsplit_once(')').unwrap().1.split_whitespace();
    let times = fields.skip(11).take(2).map(|it| it.parse::<u64>().unwrap());
    times.sum()
}

/// BEP 27: a private torrent says nothing to the DHT or to the local network, and tells peers
/// neither of a node nor of other peers; one that nobody forbids it does all of that.
#[test]
fn private_torrents_say_nothing_to_anybody() {
    for private in [false, true] {
        let Some(net) = Net::new(2) else {
            return;
        };
        let mut torrent = Torrent::new(Content::file(671, "content.bin", 100_000), 64 * 1024);
        if private {
            torrent = torrent.private();
        }
        let dir = Dir::new();
        let file = torrent.write(&dir.join("content.torrent"), &[]);
        torrent.content.write(&dir.folder("ours"));
        let (ours, there) = (net.host(0), net.host(1));
        let mut ear = listener(there, &there.v4.to_string(), &["--ear", &torrent.hex()]);
        let ear_addr = there.socket(V4, 7000).to_string();
        let mut command = brooklet(Some(ours));
        command
            .arg("seed")
            .arg(&file)
            .args(["--json", "--port", &PORT.to_string()]);
        command.args(["--dht-node", &ear_addr, "--peer", &ear_addr]);
        command
            .arg("--dir")
            .arg(dir.join("ours"))
            .arg("--state")
            .arg(dir.join("state"));
        let mut seed = Child::spawn("brooklet", &mut command);
        seed.event("checked", SOON);
        // It has said all that it says at first once this peer has waited so long.
        ear.event("waited", SOON);
        seed.signal("TERM");
        assert_eq!(seed.code(SOON), 143);
        let heard = |ear: &mut Child, name: &str| ear.events(name).len();
        let counts = ["heard", "node", "pex", "port", "dialed"].map(|name| heard(&mut ear, name));
        if private {
            assert_eq!(
                counts, [0; 5],
                "searches, packets of the DHT, ut_pex, calls"
            );
        } else {
            assert!(counts.iter().all(|&count| count > 0), "{counts:?}");
        }
        assert_eq!(heard(&mut ear, "greeted"), 1);
    }
}
