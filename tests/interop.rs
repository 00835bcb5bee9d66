//! brooklet with clients and trackers that others wrote, each on a host of its own: every client
//! gets from brooklet and brooklet from it, they find each other by an HTTP and by a UDP tracker,
//! over IPv4 and over IPv6, with awkward files in pieces of every usual length.

mod support;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use support::child::{Child, brooklet, command, command_as_nobody};
use support::clients::{PORT, Program};
use support::content::Content;
use support::dir::Dir;
use support::net::{Family, Host, Net};
use support::torrent::Torrent;

use Family::{V4, V6};
use Program::{Aria2, Libtorrent, Transmission, WebTorrent};
use Way::{Http, Udp};

/// Transmission and aria2 think about whom to serve every ten seconds, and may need two turns.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a tracker is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Http,
    Udp,
}

/// Who has the content at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seed {
    Brooklet,
    Other,
}

macro_rules! pairs {
    ($($name:ident: $program:ident, $seed:ident, $way:ident, $family:ident, $kib:literal KiB;)*) => {
        $(#[test]
        fn $name() {
            pair($program, Seed::$seed, $way, $family, $kib * 1024);
        })*
    };
}

pairs! {
    gets_from_transmission_by_http_v4: Transmission, Other, Http, V4, 16 KiB;
    gets_from_transmission_by_http_v6: Transmission, Other, Http, V6, 64 KiB;
    gets_from_transmission_by_udp_v4: Transmission, Other, Udp, V4, 512 KiB;
    gets_from_transmission_by_udp_v6: Transmission, Other, Udp, V6, 16384 KiB;
    gets_from_aria2_by_http_v4: Aria2, Other, Http, V4, 32 KiB;
    gets_from_aria2_by_http_v6: Aria2, Other, Http, V6, 256 KiB;
    gets_from_aria2_by_udp_v4: Aria2, Other, Udp, V4, 2048 KiB;
    gets_from_aria2_by_udp_v6: Aria2, Other, Udp, V6, 16384 KiB;
    gets_from_libtorrent_by_http_v4: Libtorrent, Other, Http, V4, 16 KiB;
    gets_from_libtorrent_by_http_v6: Libtorrent, Other, Http, V6, 128 KiB;
    gets_from_libtorrent_by_udp_v4: Libtorrent, Other, Udp, V4, 1024 KiB;
    gets_from_libtorrent_by_udp_v6: Libtorrent, Other, Udp, V6, 16384 KiB;
    seeds_to_transmission_by_http_v4: Transmission, Brooklet, Http, V4, 16384 KiB;
    seeds_to_transmission_by_http_v6: Transmission, Brooklet, Http, V6, 4096 KiB;
    seeds_to_transmission_by_udp_v4: Transmission, Brooklet, Udp, V4, 256 KiB;
    seeds_to_transmission_by_udp_v6: Transmission, Brooklet, Udp, V6, 16 KiB;
    seeds_to_aria2_by_http_v4: Aria2, Brooklet, Http, V4, 16384 KiB;
    seeds_to_aria2_by_http_v6: Aria2, Brooklet, Http, V6, 1024 KiB;
    seeds_to_aria2_by_udp_v4: Aria2, Brooklet, Udp, V4, 64 KiB;
    seeds_to_aria2_by_udp_v6: Aria2, Brooklet, Udp, V6, 16 KiB;
    seeds_to_libtorrent_by_http_v4: Libtorrent, Brooklet, Http, V4, 16384 KiB;
    seeds_to_libtorrent_by_http_v6: Libtorrent, Brooklet, Http, V6, 8192 KiB;
    seeds_to_libtorrent_by_udp_v4: Libtorrent, Brooklet, Udp, V4, 512 KiB;
    seeds_to_libtorrent_by_udp_v6: Libtorrent, Brooklet, Udp, V6, 32 KiB;
    gets_from_webtorrent_by_http_v4: WebTorrent, Other, Http, V4, 64 KiB;
    seeds_to_webtorrent_by_udp_v4: WebTorrent, Brooklet, Udp, V4, 1024 KiB;
}

macro_rules! links {
    ($($name:ident: $program:ident, $seed:ident, $way:ident, $family:ident;)*) => {
        $(#[test]
        fn $name() {
            linked($program, Seed::$seed, $way, $family);
        })*
    };
}

links! {
    gets_a_link_from_transmission_v4: Transmission, Other, Http, V4;
    gets_a_link_from_transmission_v6: Transmission, Other, Http, V6;
    gets_a_link_from_aria2_v4: Aria2, Other, Udp, V4;
    gets_a_link_from_aria2_v6: Aria2, Other, Http, V6;
    gets_a_link_from_libtorrent_v4: Libtorrent, Other, Http, V4;
    gets_a_link_from_libtorrent_v6: Libtorrent, Other, Udp, V6;
    seeds_a_link_to_transmission_v4: Transmission, Brooklet, Udp, V4;
    seeds_a_link_to_transmission_v6: Transmission, Brooklet, Http, V6;
    seeds_a_link_to_aria2_v4: Aria2, Brooklet, Http, V4;
    seeds_a_link_to_aria2_v6: Aria2, Brooklet, Http, V6;
    seeds_a_link_to_libtorrent_v4: Libtorrent, Brooklet, Udp, V4;
    seeds_a_link_to_libtorrent_v6: Libtorrent, Brooklet, Http, V6;
    gets_a_link_from_webtorrent_v4: WebTorrent, Other, Udp, V4;
    gets_a_link_from_webtorrent_v6: WebTorrent, Other, Http, V6;
    seeds_a_link_to_webtorrent_v4: WebTorrent, Brooklet, Http, V4;
    seeds_a_link_to_webtorrent_v6: WebTorrent, Brooklet, Http, V6;
}

/// One other client and brooklet, one of which has the content. The other end knows the info hash
/// and a tracker, and gets the metadata from its peer (BEP 9): several blocks of it.
fn linked(program: Program, seed: Seed, way: Way, family: Family) {
    let Some(mut swarm) = Swarm::with(2, &[program], family, 16 * 1024, |piece_length| {
        // 2,000 hashes, in three blocks.
        Content::folder(
            1,
            "linked",
            &[("a", 1_000 * piece_length), ("b/c", 1_000 * piece_length)],
        )
    }) else {
        return;
    };
    let torrent = swarm.torrent_file(way_of(program, way, family));
    let url = swarm.tracker.url(way_of(program, way, family));
    let escaped = url.replace(':', "%3A").replace('/', "%2F");
    let link = format!(
        "magnet:?xt=urn:btih:{}&dn=linked&tr={escaped}",
        swarm.torrent.hex()
    );
    let link = Path::new(&link);
    let (here, there) = (swarm.net.host(0), swarm.net.host(1));
    let dir = &swarm.dir;
    match seed {
        Seed::Other => {
            swarm.torrent.content.write(&dir.folder("theirs"));
            let mut other = program.join(there, &torrent, &dir.join("theirs"));
            other.wait_whole(PATIENCE);
            swarm.tracker.wait_for_seeds(1);
            let mut getter = swarm.brooklet(here, "get", link, "ours", &["--no-dht"]);
            getter.event("metadata", PATIENCE);
            getter.success(PATIENCE);
            assert_met(&mut getter, there, family);
            swarm.torrent.content.assert_in(&dir.join("ours"));
        }
        Seed::Brooklet => {
            swarm.torrent.content.write(&dir.folder("ours"));
            let mut seeder = swarm.brooklet(here, "seed", &torrent, "ours", &["--no-dht"]);
            swarm.tracker.wait_for_seeds(1);
            let mut other = program.join(there, link, &dir.folder("theirs"));
            other.wait_whole(PATIENCE);
            assert_met(&mut seeder, there, family);
            swarm.torrent.content.assert_in(&dir.join("theirs"));
        }
    }
}

/// One other client and brooklet, one of which has the content.
fn pair(program: Program, seed: Seed, way: Way, family: Family, piece_length: usize) {
    let Some(mut swarm) = Swarm::new(2, &[program], family, piece_length) else {
        return;
    };
    let ours = swarm.torrent_file(way);
    let theirs = swarm.torrent_file(way_of(program, way, family));
    let (here, there) = (swarm.net.host(0), swarm.net.host(1));
    let dir = &swarm.dir;
    match seed {
        Seed::Other => {
            swarm.torrent.content.write(&dir.folder("theirs"));
            let mut other = program.join(there, &theirs, &dir.join("theirs"));
            other.wait_whole(PATIENCE);
            swarm.tracker.wait_for_seeds(1);
            let mut getter = swarm.brooklet(here, "get", &ours, "ours", &[]);
            getter.success(PATIENCE);
            assert_met(&mut getter, there, family);
            swarm.torrent.content.assert_in(&dir.join("ours"));
        }
        Seed::Brooklet => {
            swarm.torrent.content.write(&dir.folder("ours"));
            let mut seeder = swarm.brooklet(here, "seed", &ours, "ours", &[]);
            swarm.tracker.wait_for_seeds(1);
            let mut other = program.join(there, &theirs, &dir.folder("theirs"));
            other.wait_whole(PATIENCE);
            assert_met(&mut seeder, there, family);
            let wanted = program.leaves_on_disk(&swarm.torrent.content);
            wanted.assert_in(&dir.join("theirs"));
        }
    }
}

/// How a client can reach the tracker: Transmission 3 and aria2 1.36 know UDP trackers over IPv4
/// only. Then brooklet speaks UDP and they speak HTTP, to the same tracker.
fn way_of(program: Program, way: Way, family: Family) -> Way {
    match (program, family) {
        (Transmission | Aria2, V6) => Http,
        _ => way,
    }
}

/// The two of them spoke over the family of addresses that the tracker knows.
fn assert_met(child: &mut Child, other: &Host, family: Family) {
    let address = other.address(family).to_string();
    child.event_where("peer", PATIENCE, |peer| {
        peer.get("state").text() == "connected" && peer.get("addr").text().contains(&address)
    });
}

#[test]
fn a_mixed_swarm_completes_from_one_brooklet() {
    mixed_swarm(None, Http);
}

#[test]
fn a_mixed_swarm_completes_from_one_transmission() {
    mixed_swarm(Some(Transmission), Udp);
}

#[test]
fn a_mixed_swarm_completes_from_one_libtorrent() {
    mixed_swarm(Some(Libtorrent), Http);
}

/// All four clients, one of which (brooklet, if none is named) has the content.
fn mixed_swarm(seed: Option<Program>, way: Way) {
    let programs = [Transmission, Aria2, Libtorrent];
    let Some(mut swarm) = Swarm::new(4, &programs, V4, 64 * 1024) else {
        return;
    };
    let torrent = swarm.torrent_file(way);
    let content = &swarm.torrent.content;
    let us = swarm.net.host(0);
    let folder = |program: Program| swarm.dir.folder(format!("{program:?}"));
    let join = |program: Program, place: usize| {
        program.join(swarm.net.host(place), &torrent, &folder(program))
    };
    let mut seeder = None;
    let mut ours = None;
    let mut others = Vec::new();
    match seed {
        Some(program) => {
            content.write(&folder(program));
            let mut client = join(program, 1);
            client.wait_whole(PATIENCE);
            seeder = Some(client);
        }
        None => {
            content.write(&swarm.dir.folder("ours"));
            ours = Some(swarm.brooklet(us, "seed", &torrent, "ours", &["--up", "4M"]));
        }
    }
    swarm.tracker.wait_for_seeds(1);
    let getters = programs
        .into_iter()
        .filter(|&program| Some(program) != seed);
    for (program, place) in getters.zip(2 - usize::from(seed.is_none())..) {
        others.push((program, join(program, place)));
    }
    let mut ours = ours.unwrap_or_else(|| swarm.brooklet(us, "get", &torrent, "ours", &["--seed"]));
    if seed.is_some() {
        ours.event("complete", 2 * PATIENCE);
    }
    for (_, client) in &mut others {
        client.wait_whole(2 * PATIENCE);
    }
    content.assert_in(&swarm.dir.join("ours"));
    for (program, _) in &others {
        program.leaves_on_disk(content).assert_in(&folder(*program));
    }
    drop(seeder);
}

/// A torrent with its tracker, and hosts to run clients on.
struct Swarm {
    tracker: Tracker,
    torrent: Torrent,
    dir: Dir,
    // Last, so that who lives in it is gone before.
    net: Net,
}

impl Swarm {
    fn new(
        hosts: usize,
        programs: &[Program],
        family: Family,
        piece_length: usize,
    ) -> Option<Swarm> {
        Swarm::with(hosts, programs, family, piece_length, |piece_length| {
            Content::awkward(piece_length as u64, piece_length)
        })
    }

    /// The same with this content.
    fn with(
        hosts: usize,
        programs: &[Program],
        family: Family,
        piece_length: usize,
        content: impl Fn(usize) -> Content,
    ) -> Option<Swarm> {
        if !programs.iter().all(|program| program.installed()) {
            return None;
        }
        let net = Net::new(hosts)?;
        let torrent = Torrent::new(content(piece_length), piece_length);
        let tracker = Tracker::start(net.hub(), family, &torrent)?;
        Some(Swarm {
            tracker,
            torrent,
            dir: Dir::new(),
            net,
        })
    }

    /// The torrent, with the tracker's URL for this way.
    fn torrent_file(&self, way: Way) -> PathBuf {
        let name = format!("{way:?}.torrent");
        self.torrent
            .write(&self.dir.join(name), &[&self.tracker.url(way)])
    }

    fn brooklet(
        &self,
        host: &Host,
        verb: &str,
        torrent: &Path,
        folder: &str,
        options: &[&str],
    ) -> Child {
        let mut command = brooklet(Some(host));
        command.arg(verb).arg(torrent);
        command.args(["--json", "--port", &PORT.to_string()]);
        command.arg("--dir").arg(self.dir.folder(folder));
        command.arg("--state").arg(self.dir.join("state"));
        command.args(options);
        Child::spawn("brooklet", &mut command)
    }
}

/// A tracker on the hub: opentracker for IPv4, npm's bittorrent-tracker for IPv6.
struct Tracker {
    address: std::net::SocketAddr,
    asking: String,
    // Of the hub's namespace; asked from inside it.
    hub: Host,
    child: Child,
    _dir: Dir,
}

impl Tracker {
    fn start(hub: &Host, family: Family, torrent: &Torrent) -> Option<Tracker> {
        let dir = Dir::new();
        let (address, mut program) = match family {
            V4 if support::installed(&["opentracker"]) => {
                dir.file("whitelist", torrent.hex() + "\n");
                let mut program = command_as_nobody(Some(hub), "opentracker");
                program.args(["-i", &hub.v4.to_string(), "-p", "6969", "-P", "6969"]);
                program.args(["-w", "whitelist", "-d"]).arg(&*dir);
                (hub.socket(V4, 6969), program)
            }
            V6 if support::npm_installed("bittorrent-tracker") => {
                let mut program = command(Some(hub), "node");
                program.arg(support::repository("tests/support/tracker.mjs"));
                program.arg(support::node_folder());
                program.args([hub.v6.to_string().as_str(), "6969"]);
                (hub.socket(V6, 6969), program)
            }
            _ => return None,
        };
        let escaped: Vec<String> = torrent
            .info_hash
            .iter()
            .map(|b| format!("%{b:02x}"))
            .collect();
        let mut tracker = Tracker {
            address,
            asking: format!("/scrape?info_hash={}", escaped.concat()),
            hub: hub.clone(),
            child: Child::spawn("tracker", &mut program),
            _dir: dir,
        };
        tracker.wait("an answer", |_| true);
        Some(tracker)
    }

    fn url(&self, way: Way) -> String {
        let scheme = match way {
            Http => "http",
            Udp => "udp",
        };
        format!("{scheme}://{}/announce", self.address)
    }

    /// Waits until it has heard of this many peers that have everything.
    fn wait_for_seeds(&mut self, count: usize) {
        self.wait("a seed", |reply| {
            let wanted = format!("8:completei{count}e");
            reply
                .windows(wanted.len())
                .any(|part| part == wanted.as_bytes())
        });
    }

    fn wait(&mut self, what: &str, test: impl Fn(&[u8]) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !self
            .hub
            .http_get(self.address, &self.asking)
            .is_some_and(|reply| test(&reply))
        {
            if Instant::now() > deadline || !self.child.is_running() {
                self.child.fail(&format!("no {what}"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}
