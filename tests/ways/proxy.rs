//! `--proxy`, with proxies that others wrote, on a machine of their own: everybody is reached
//! through them, and what leaves our machine goes to them alone.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::support::bench::SOON;
use super::support::child::{Child, Stream, brooklet, command};
use super::support::content::Content;
use super::support::dir::Dir;
use super::support::installed;
use super::support::net::{Family, Host, Net};
use super::support::torrent::Torrent;
use super::{sent, watch};

const PORT: u16 = 6999;
const PROXY_PORT: u16 = 1080;
/// The tracker announces to others after a moment; a busy machine takes its time.
const PATIENCE: Duration = Duration::from_secs(60);

/// Our machine, that of the proxy, and that of everybody else.
struct World {
    torrent: Torrent,
    dir: Dir,
    // Last, so that who lives in it is gone before.
    net: Net,
}

impl World {
    fn new(programs: &[&str], seed: u64) -> Option<World> {
        if !installed(programs) {
            return None;
        }
        let net = Net::new(3)?;
        // Packets to anywhere would leave: so those of a look-up would be seen.
        net.elsewhere("60.0.0.0/8");
        let torrent = Torrent::new(Content::file(seed, "content.bin", 1_000_000), 64 * 1024);
        let dir = Dir::new();
        dir.file(
            "hosts",
            format!("{} seed.test tracker.test\n", net.host(2).v4),
        );
        Some(World { torrent, dir, net })
    }

    fn ours(&self) -> &Host {
        self.net.host(0)
    }

    fn proxy(&self) -> SocketAddr {
        self.net.host(1).socket(Family::V4, PROXY_PORT)
    }

    /// Runs a proxy, which knows the names of the file `hosts`, and waits until it listens.
    fn start(&self, name: &str, args: &[&str]) -> Child {
        let script = "mount --bind \"$1\" /etc/hosts && shift && exec \"$@\"";
        let mut start = command(Some(self.net.host(1)), "unshare");
        start.args(["--mount", "sh", "-c", script, "sh"]);
        start.arg(self.dir.join("hosts")).args(args);
        let mut child = Child::spawn(name, &mut start);
        let deadline = Instant::now() + SOON;
        while !is_listening(&child, PROXY_PORT) {
            assert!(child.is_running() && Instant::now() < deadline, "{name}");
            std::thread::sleep(Duration::from_millis(20));
        }
        child
    }

    fn microsocks(&self, args: &[&str]) -> Child {
        let port = PROXY_PORT.to_string();
        let all = [&["microsocks", "-p", &port], args].concat();
        self.start("microsocks", &all)
    }

    fn dante(&self) -> Child {
        let config = format!(
            "logoutput: stderr\ninternal: net port = {PROXY_PORT}\nexternal: net\n\
             socksmethod: none\nclientmethod: none\nuser.privileged: root\n\
             user.unprivileged: root\n\
             client pass {{ from: 0/0 to: 0/0 }}\nsocks pass {{ from: 0/0 to: 0/0 }}\n"
        );
        self.dir.file("danted.conf", config);
        let config = self.dir.join("danted.conf");
        self.start("danted", &["danted", "-f", config.to_str().unwrap()])
    }

    fn brooklet(&self, host: &Host, verb: &str, torrent: &Path, folder: &str) -> Command {
        let mut command = brooklet(Some(host));
        command.arg(verb).arg(torrent).arg("--json");
        command.arg("--dir").arg(self.dir.folder(folder));
        let state = self.dir.folder(format!("{folder}.state"));
        command.arg("--state").arg(state);
        command
    }

    /// Seeds on the third machine, and waits until its trackers know it.
    fn seed(&self, torrent: &Path, trackers: usize) -> Child {
        self.torrent.content.write(&self.dir.folder("seed"));
        let mut seed = self.brooklet(self.net.host(2), "seed", torrent, "seed");
        seed.args(["--port", &PORT.to_string(), "--no-dht", "--no-lsd"]);
        let mut seed = Child::spawn("seed", &mut seed);
        seed.event("checked", SOON);
        for _ in 0..trackers {
            seed.event_where("tracker", SOON, |it| it.get("ok").is_true());
        }
        seed
    }

    fn torrent(&self, name: &str, trackers: &[&str]) -> PathBuf {
        self.torrent.write(&self.dir.join(name), trackers)
    }

    /// Panics if our machine has sent anything but to the proxy; the protocols that it has used.
    fn assert_all_by_proxy(&self, wire: &mut Child) -> Vec<String> {
        let proxy = self.net.host(1).v4;
        let sent = sent(self.ours(), wire, &[proxy.into()]);
        let past = sent.iter().filter(|it| it.2 != proxy.to_string());
        assert_eq!(past.count(), 0, "{sent:?}");
        let mut protocols: Vec<String> = sent.into_iter().map(|it| it.1).collect();
        protocols.sort();
        protocols.dedup();
        protocols
    }
}

fn is_listening(child: &Child, port: u16) -> bool {
    listeners(child).contains(&port)
}

/// The ports that are listened on where this process is, and those of its UDP sockets.
fn listeners(child: &Child) -> Vec<u16> {
    let mut ports = Vec::new();
    for table in ["tcp", "tcp6"] {
        let path = format!("/proc/{}/net/{table}", child.pid());
        for line in std::fs::read_to_string(path)
            .unwrap_or_default()
            .lines()
            .skip(1)
        {
            let words: Vec<&str> = line.split_whitespace().collect();
            if words[3] == "0A" {
                let (_, port) = words[1].rsplit_once(':').unwrap();
                ports.push(u16::from_str_radix(port, 16).unwrap());
            }
        }
    }
    ports
}

/// The torrent comes by a URL, its trackers over HTTP and UDP, and peers by what these say: all by
/// names that our machine does not know.
#[test]
fn everything_goes_through_dante() {
    let Some(world) = World::new(&["danted", "opentracker", "unshare"], 711) else {
        return;
    };
    let there = world.net.host(2).v4.to_string();
    let mut tracker = command(Some(world.net.host(2)), "opentracker");
    world.dir.file("whitelist", world.torrent.hex() + "\n");
    tracker.args([
        "-i",
        &there,
        "-p",
        "6969",
        "-P",
        "6969",
        "-w",
        "whitelist",
        "-d",
    ]);
    let _tracker = Child::spawn("opentracker", tracker.arg(&*world.dir));
    let urls = |host: &str| ["http", "udp"].map(|it| format!("{it}://{host}:6969/announce"));
    let [http, udp] = urls(&there);
    let known = world.torrent("known.torrent", &[&http, &udp]);
    let _seed = world.seed(&known, 2);
    let [http, udp] = urls("tracker.test");
    world.torrent("content.torrent", &[&http, &udp]);
    let mut files = command(Some(world.net.host(2)), "/usr/bin/python3");
    files.args(["-m", "http.server", "8000", "-d"]);
    let _files = Child::spawn("http.server", files.arg(&*world.dir));
    let _proxy = world.dante();
    let mut wire = watch(world.ours(), &["net", "lo"]);
    let url = PathBuf::from("http://seed.test:8000/content.torrent");
    let deadline = Instant::now() + SOON;
    let at = SocketAddr::from(([127, 0, 0, 1], 8000));
    while world.net.host(2).http_get(at, "/").is_none() {
        assert!(Instant::now() < deadline, "the web server does not come up");
    }
    let mut get = world.brooklet(world.ours(), "get", &url, "ours");
    get.args(["--proxy", &format!("socks5://{}", world.proxy()), "--seed"]);
    let mut get = Child::spawn("get", &mut get);
    assert_eq!(get.event("start", PATIENCE).get("port").count(), 0);
    get.event("complete", PATIENCE);
    world.torrent.content.assert_in(&world.dir.join("ours"));
    assert_eq!(listeners(&get), [0; 0], "nobody can dial it");
    get.signal("INT");
    assert_eq!(get.code(SOON), 130);
    // The trackers of a torrent are asked one after the other; a scrape asks all.
    let mut scrape = brooklet(Some(world.ours()));
    scrape.arg("scrape").arg(world.dir.join("content.torrent"));
    let proxy = format!("socks5://{}", world.proxy());
    let mut scrape = Child::spawn("scrape", scrape.args(["--json", "--proxy", &proxy]));
    scrape.success(SOON);
    let said = scrape.text(Stream::Out);
    for url in [&http, &udp] {
        let line = said
            .lines()
            .find(|line| line.contains(url.as_str()))
            .unwrap();
        assert!(line.contains("\"seeders\":1"), "{said}");
    }
    assert_eq!(world.assert_all_by_proxy(&mut wire), ["tcp", "udp"]);
}

/// A peer by its name and one by an address of IPv6, which the way to the proxy has not; and an
/// ordinary client sees that they can exchange data in both directions.
#[test]
fn peers_are_reached_through_microsocks() {
    let Some(world) = World::new(&["microsocks", "unshare"], 712) else {
        return;
    };
    let plain = world.torrent("content.torrent", &[]);
    let _seed = world.seed(&plain, 0);
    let _proxy = world.microsocks(&["-u", "me", "-P", "pa ss"]);
    let mut wire = watch(world.ours(), &["net", "lo"]);
    let v6 = world.net.host(2).socket(Family::V6, PORT).to_string();
    for (folder, peer) in [("name", format!("seed.test:{PORT}")), ("v6", v6)] {
        let mut get = world.brooklet(world.ours(), "get", &plain, folder);
        get.args(["--proxy", &format!("socks5://me:pa%20ss@{}", world.proxy())]);
        let mut get = Child::spawn("get", get.args(["--peer", &peer]));
        get.success(PATIENCE);
        world.torrent.content.assert_in(&world.dir.join(folder));
        assert_eq!(get.text(Stream::Err).matches("warning").count(), 0);
    }
    assert_eq!(world.assert_all_by_proxy(&mut wire), ["tcp"]);
}

/// It carries no datagrams.
#[test]
fn a_tracker_over_udp_is_refused_in_one_line_where_the_proxy_has_no_udp() {
    let Some(world) = World::new(&["microsocks", "unshare"], 713) else {
        return;
    };
    let _proxy = world.microsocks(&[]);
    let mut wire = watch(world.ours(), &["net", "lo"]);
    let names = [
        "udp://tracker.test:6969/announce",
        "http://tracker.test:6969/announce",
    ];
    let torrent = world.torrent("content.torrent", &names);
    let mut scrape = brooklet(Some(world.ours()));
    scrape.arg("scrape").arg(torrent).arg("--json");
    scrape.args(["--proxy", &format!("socks5://{}", world.proxy())]);
    let mut scrape = Child::spawn("scrape", &mut scrape);
    assert_eq!(scrape.code(SOON), 1);
    let said = scrape.text(Stream::Out);
    let at = world.proxy();
    assert!(
        said.contains(&format!("proxy {at}: it carries no datagrams (UDP)")),
        "{said}"
    );
    assert!(
        said.contains(&format!(
            "proxy {at}: tracker.test: the connection was refused"
        )),
        "{said}"
    );
    assert_eq!(said.lines().count(), 2, "{said}");
    assert_eq!(world.assert_all_by_proxy(&mut wire), ["tcp"]);
}

/// A login is wrong, or is wanted: each is one line.
#[test]
fn a_login_that_is_wanted_is_one_line() {
    let Some(world) = World::new(&["microsocks", "unshare"], 714) else {
        return;
    };
    let _proxy = world.microsocks(&["-u", "me", "-P", "secret"]);
    let plain = world.torrent("content.torrent", &[]);
    let at = world.proxy();
    for (login, why) in [
        (
            "",
            "it wants a login: --proxy socks5://USER:PASSWORD@HOST:PORT",
        ),
        ("me:wrong@", "it refuses the user or the password"),
    ] {
        let mut get = world.brooklet(world.ours(), "get", &plain, "ours");
        get.args([
            "--proxy",
            &format!("socks5://{login}{at}"),
            "--peer",
            "seed.test:6999",
        ]);
        let mut get = Child::spawn("get", get.args(["--timeout", "0.05"]));
        assert_eq!(get.code(SOON), 1);
        let said = get.text(Stream::Err);
        let line = format!("brooklet: warning: proxy {at}: {why}\n");
        assert_eq!(said.matches(&line).count(), 1, "{said}");
    }
}

#[test]
fn the_machine_can_watch_its_packets() {
    let Some(net) = Net::new(1) else { return };
    let mut wire = watch(net.host(0), &["net"]);
    let to = net.hub().v4;
    let mut call = command(Some(net.host(0)), "bash");
    call.args(["-c", "echo >\"/dev/udp/$1/53\"", "bash", &to.to_string()]);
    assert!(call.status().unwrap().success());
    let seen = sent(net.host(0), &mut wire, &[to.into()]);
    let expected = (String::from("net"), String::from("udp"), to.to_string(), 53);
    assert_eq!(seen, [expected], "a packet past the proxy would be seen");
}
