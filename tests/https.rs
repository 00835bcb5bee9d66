//! Trackers, web seeds, and torrents by their URL, over https: with a server and certificates of
//! the tests' own.

#[path = "support/mod.rs"]
mod support;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Instant;

use support::authority::{Authority, Certificate};
use support::bench::{Bench, SOON, listening};
use support::child::{Child, Stream, brooklet, command};
use support::installed;
use support::net::free_port;
use support::web_seed::{Reply, WebSeed, status};

/// Days between which today is.
const NOW: [&str; 2] = ["20200101", "20990101"];

/// A bench with an authority that is trusted.
struct World {
    bench: Bench,
    authority: Authority,
}

impl World {
    fn new(seed: u64) -> Option<World> {
        if !installed(&["openssl"]) {
            return None;
        }
        let bench = Bench::new(seed, 300_000);
        let authority = Authority::new(bench.dir.folder("trusted"), "The tests' own");
        Some(World { bench, authority })
    }

    /// A server with this certificate, whose tracker names this peer; its port.
    fn serve(&self, certificate: &Certificate, peer: &str) -> (Child, u16) {
        let mut server = command(None, "/usr/bin/python3");
        server.arg(support::repository("tests/support/https.py"));
        server.arg(&certificate.file).arg(&certificate.key);
        server.arg(self.bench.dir.folder("files")).arg(peer);
        let mut server = Child::spawn("https.py", &mut server);
        let port = server.event("listening", SOON).get("port").count();
        (server, u16::try_from(port).unwrap())
    }

    fn good(&self) -> Certificate {
        self.authority
            .issue("good", "DNS:localhost,IP:127.0.0.1", NOW)
    }

    /// brooklet, which trusts the authority alone.
    fn brooklet(&self) -> std::process::Command {
        let mut command = brooklet(None);
        command.env("SSL_CERT_FILE", self.authority.file());
        command
    }

    /// What `scrape` says of a tracker at this URL, in a line.
    fn scrape(&self, url: &str, roots: &Path) -> String {
        self.bench.trackers(&[url]);
        let mut scrape = brooklet(None);
        scrape.env("SSL_CERT_FILE", roots).arg("scrape");
        scrape
            .arg(self.bench.dir.join("torrent"))
            .args(["--json", "--bind", "127.0.0.1"]);
        let mut scrape = Child::spawn("scrape", &mut scrape);
        scrape.code(SOON);
        let said = scrape.text(Stream::Out);
        assert_eq!(said.lines().count(), 1, "{said}");
        said
    }
}

/// The torrent comes by a redirect from the same server as its tracker's answer: the second
/// connection goes on with the session of the first.
#[test]
fn a_torrent_and_its_tracker_over_https() {
    let Some(world) = World::new(801) else { return };
    let bench = &world.bench;
    bench.fill();
    let mut seed = bench.run("seed", &["--no-dht", "--no-lsd"]);
    let peer = listening(&mut seed);
    let (mut server, port) = world.serve(&world.good(), &peer.to_string());
    let url = format!("https://localhost:{port}");
    let tracker = format!("{url}/announce");
    let file = bench.dir.join("files").join("content.torrent");
    bench.torrent.write(&file, &[&tracker]);
    for path in ["moved", "endless"] {
        let mut get = world.brooklet();
        get.args([
            "get",
            &format!("{url}/{path}"),
            "--json",
            "--no-dht",
            "--no-lsd",
        ]);
        get.args(["--port", "0", "--bind", "127.0.0.1"]);
        get.arg("--dir").arg(bench.dir.folder(path));
        get.arg("--state")
            .arg(bench.dir.folder(format!("{path}.state")));
        let mut get = Child::spawn("get", &mut get);
        get.success(SOON);
        bench.torrent.content.assert_in(&bench.dir.join(path));
        let told = get.event("tracker", SOON);
        assert_eq!(told.get("url").text(), tracker);
    }
    let asked = server.events("asked");
    let resumed = asked
        .iter()
        .filter(|it| it.get("resumed").is_true())
        .count();
    let paths: Vec<&str> = asked.iter().map(|it| it.get("path").text()).collect();
    assert!(
        paths.starts_with(&["/moved", "/content.torrent", "/announce"]),
        "{paths:?}"
    );
    let first = |path: &str| {
        asked
            .iter()
            .find(|it| it.get("path").text() == path)
            .unwrap()
    };
    assert!(!first("/moved").get("resumed").is_true());
    assert!(first("/announce").get("resumed").is_true(), "{paths:?}");
    assert!(resumed >= 4, "{resumed} of {}", asked.len());
}

#[test]
fn a_bad_certificate_is_one_line_that_says_why() {
    let Some(world) = World::new(802) else { return };
    let own = &world.authority;
    let other = Authority::new(world.bench.dir.folder("other"), "Nobody");
    let localhost = "DNS:localhost";
    for (certificate, why) in [
        (
            own.issue("expired", localhost, ["20200101", "20210203"]),
            "it expired on 2021-02-03",
        ),
        (
            own.issue("early", localhost, ["20980304", "20990101"]),
            "it is valid from 2098-03-04 on",
        ),
        (
            own.issue("name", "DNS:other.test,DNS:a.test", NOW),
            "it is for \\\"other.test, a.test\\\"",
        ),
        (
            other.issue("unknown", localhost, NOW),
            "its issuer is not known: \\\"Nobody\\\"",
        ),
        (
            other.self_signed("self", localhost),
            "it is self-signed: nobody vouches for it",
        ),
    ] {
        let (mut server, port) = world.serve(&certificate, "192.0.2.1:1");
        let url = format!("https://localhost:{port}/announce");
        let said = world.scrape(&url, &own.file());
        let expected = format!("the certificate of localhost is not good: {why}");
        assert!(said.contains(&expected), "{why}: {said}");
        assert_eq!(server.events("asked").len(), 0, "nothing is asked of it");
        let mut get = world.brooklet();
        let mut get = Child::spawn("get", get.args(["get", &url]));
        assert_eq!(get.code(SOON), 1);
        let line = format!("brooklet: {url}: {expected}\n").replace('\\', "");
        assert_eq!(get.text(Stream::Err), line);
    }
}

/// The same server by its address, and where the list of who is trusted is none.
#[test]
fn who_is_trusted_is_said_by_a_file() {
    let Some(world) = World::new(803) else { return };
    let (_server, port) = world.serve(&world.good(), "192.0.2.1:1");
    let url = format!("https://127.0.0.1:{port}/announce");
    let said = world.scrape(&url, &world.authority.file());
    assert!(said.contains("\"seeders\":3"), "{said}");
    let list = world.bench.dir.file("list", "nothing");
    let said = world.scrape(&url, &list);
    let expected = format!(
        "SSL_CERT_FILE: {}: there is no certificate in it",
        list.display()
    );
    assert!(said.contains(&expected), "{said}");
    // Those that the system, or else the program, trusts are others.
    let said = world.scrape(&url, Path::new(""));
    assert!(said.contains("its issuer is not known"), "{said}");
}

#[test]
fn a_server_that_does_not_speak_tls_is_named() {
    let Some(world) = World::new(804) else { return };
    for (answer, why) in [
        (
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            "it does not speak TLS",
        ),
        (b"", "it closed the connection before TLS"),
        (
            b"\x15\x03\x01\x00\x02\x02\x46",
            "it speaks no TLS that we do",
        ),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            use std::io::{Read as _, Write as _};
            for mut stream in listener.incoming().flatten() {
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(answer);
            }
        });
        let url = format!("https://127.0.0.1:{port}/announce");
        let said = world.scrape(&url, &world.authority.file());
        assert!(said.contains(why), "{why}: {said}");
    }
}

/// A session through a proxy, which looks the name up.
#[test]
fn https_goes_through_a_proxy() {
    let Some(world) = World::new(805) else { return };
    if !installed(&["microsocks"]) {
        return;
    }
    let port = free_port();
    let mut proxy = command(None, "microsocks");
    proxy.args(["-i", "127.0.0.1", "-p", &port.to_string()]);
    let _proxy = Child::spawn("microsocks", &mut proxy);
    let at = SocketAddr::from(([127, 0, 0, 1], port));
    let deadline = Instant::now() + SOON;
    while TcpStream::connect(at).is_err() {
        assert!(Instant::now() < deadline, "the proxy does not come up");
    }
    let (mut server, port) = world.serve(&world.good(), "192.0.2.1:1");
    world
        .bench
        .trackers(&[&format!("https://localhost:{port}/announce")]);
    let mut scrape = world.brooklet();
    scrape.arg("scrape").arg(world.bench.dir.join("torrent"));
    let mut scrape = Child::spawn(
        "scrape",
        scrape.args(["--proxy", &format!("socks5://{at}")]),
    );
    scrape.success(SOON);
    server.event("asked", SOON);
}

/// Several files over one server, then by redirects from http to https and back.
#[test]
fn content_comes_from_web_seeds_over_https() {
    let Some(world) = World::new(806) else { return };
    let bench = &world.bench;
    bench.torrent.content.write(&bench.dir.folder("files"));
    let (mut server, port) = world.serve(&world.good(), "192.0.2.1:1");
    let there = format!("https://localhost:{port}");
    let to = there.clone();
    let here = WebSeed::start(&bench.torrent.content, move |request| {
        match request.path.strip_prefix("/to") {
            Some(path) => status("302 Found", &format!("Location: {to}{path}\r\n")),
            None => Reply::Honest,
        }
    });
    let back = format!("{there}/to/{}/", here.addr.port());
    for url in [format!("{there}/"), here.url("/to/"), back] {
        bench.name_seeds(std::slice::from_ref(&url));
        let mut get = world.brooklet();
        bench.arguments(&mut get, "get");
        let mut get = Child::spawn("get", get.args(["--no-dht", "--no-lsd"]));
        get.success(SOON);
        bench.assert_whole();
        assert_eq!(
            get.text(Stream::Err).matches("web seed").count(),
            0,
            "{url}"
        );
        std::fs::remove_dir_all(bench.content()).unwrap();
        bench.dir.folder("content");
        std::fs::remove_dir_all(bench.dir.join("state")).unwrap();
    }
    assert!(server.events("asked").len() >= 3);
    assert!(here.count() >= 2);
}

#[test]
fn a_web_seed_with_a_bad_certificate_is_one_line_and_a_peer_serves() {
    let Some(world) = World::new(807) else { return };
    let bench = &world.bench;
    bench.fill();
    let mut seed = bench.run("seed", &["--no-dht", "--no-lsd", "--up", "50K"]);
    let peer = listening(&mut seed).to_string();
    let days = ["20200101", "20210203"];
    let expired = world.authority.issue("expired", "DNS:localhost", days);
    bench.torrent.content.write(&bench.dir.folder("files"));
    let (mut server, port) = world.serve(&expired, "192.0.2.1:1");
    let url = format!("https://localhost:{port}/");
    bench.name_seeds(std::slice::from_ref(&url));
    let mut get = world.brooklet();
    get.arg("get")
        .arg(bench.dir.join("torrent"))
        .args(["--json", "--peer", &peer]);
    get.args(["--no-dht", "--no-lsd", "--port", "0", "--bind", "127.0.0.1"]);
    get.arg("--dir").arg(bench.dir.folder("ours"));
    get.arg("--state").arg(bench.dir.folder("ours.state"));
    let mut get = Child::spawn("get", &mut get);
    get.success(2 * SOON);
    bench.torrent.content.assert_in(&bench.dir.join("ours"));
    let text = get.text(Stream::Err);
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("web seed"))
        .collect();
    let why = "the certificate of localhost is not good: it expired on 2021-02-03";
    let line = format!("web seed {url}: {why}: it is asked again in 5 s");
    assert!(lines.len() == 1 && lines[0].ends_with(&line), "{lines:?}");
    assert_eq!(server.events("asked").len(), 0, "nothing is asked of it");
}
