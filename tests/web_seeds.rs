//! Content from web seeds (BEP 19): servers of all kinds, alone and beside peers. All of it arrives
//! whatever one of them does wrong, and the user hears what that was.

mod support;

use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use brooklet::base::limits;
use support::bench::{Bench, SOON, listening};
use support::child::{Child, Stream, command};
use support::content::Content;
use support::dir::Dir;
use support::torrent::Torrent;
use support::web_seed::{Reply, Request, WebSeed, status};

const PIECE: usize = 64 * 1024;
/// What a slow peer sends a second.
const SLOW: &str = "150K";

fn single(seed: u64, len: usize) -> Bench {
    Bench::new(seed, len)
}

fn folder(seed: u64) -> Bench {
    let files = [
        ("a first", 150_001),
        ("b/empty", 0),
        ("b/bad", 200_000),
        ("b/ä#?%.x", 300_007),
        ("c", 1),
        ("d", 400_000),
    ];
    let content = Content::folder(seed, "the folder", &files);
    Bench::of(Torrent::new(content, PIECE))
}

/// Gets all of it from this web seed and these peers.
fn get(bench: &Bench, urls: &[String], peers: &[String], options: &[&str]) -> Child {
    bench.name_seeds(urls);
    let quiet = ["--no-dht", "--no-lsd"];
    let options: Vec<&str> = quiet.iter().chain(options).copied().collect();
    let mut get = bench.get(peers, &options);
    get.success(2 * SOON);
    bench.assert_whole();
    get
}

/// A slow peer that has everything. It and where it is.
fn slow_peer(bench: &Bench, rate: &str) -> (Child, Bench, String) {
    let seed = Bench {
        dir: Dir::new(),
        torrent: Arc::clone(&bench.torrent),
    };
    seed.trackers(&[]);
    seed.dir.folder("content");
    seed.fill();
    let mut child = seed.run("seed", &["--no-dht", "--no-lsd", "--up", rate]);
    let addr = listening(&mut child).to_string();
    (child, seed, addr)
}

/// Lines of what it said that are about web seeds.
fn said(child: &mut Child) -> Vec<String> {
    let text = child.text(Stream::Err);
    let lines = text.lines().filter(|line| line.contains("web seed"));
    lines.map(String::from).collect()
}

// Real servers.

/// Starts a program that serves this folder, once it listens.
fn real(mut start: std::process::Command, port: u16) -> Child {
    let child = Child::spawn("server", &mut start);
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begun.elapsed() < SOON, "the server does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

/// A port that is free now.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn nginx(dir: &Path, root: &Path, port: u16) -> Child {
    let folder = dir.display();
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary = temporary.map(|name| format!("{name}_temp_path {folder}/{name}; "));
    let config = format!(
        "daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log; \
         events {{ worker_connections 64; }} \
         http {{ sendfile on; access_log off; {} \
         server {{ listen 127.0.0.1:{port}; root {}; }} }}",
        temporary.concat(),
        root.display()
    );
    let path = dir.join("nginx.conf");
    std::fs::write(&path, config).unwrap();
    // It gives up root, which must still be able to read.
    std::fs::write(dir.join("error.log"), "").unwrap();
    let mut start = command(None, "nginx");
    start
        .arg("-c")
        .arg(path)
        .arg("-e")
        .arg(dir.join("error.log"));
    start.args(["-g", &format!("user {};", user())]);
    real(start, port)
}

fn user() -> String {
    let name = std::process::Command::new("id")
        .arg("-un")
        .output()
        .unwrap();
    String::from_utf8(name.stdout).unwrap().trim().to_string()
}

fn python(root: &Path, port: u16) -> Child {
    let mut start = command(None, "python3");
    start.args([
        "-m",
        "http.server",
        &port.to_string(),
        "--bind",
        "127.0.0.1",
        "--directory",
    ]);
    start.arg(root);
    real(start, port)
}

/// Gets a file, a folder and a folder with padding of a server that serves these.
fn from_real(server: impl Fn(&Path, &Path, u16) -> Child) {
    let padded = Torrent::aligned(Content::awkward(5, PIECE), PIECE);
    for bench in [single(3, 3_000_000), folder(4), Bench::of(padded)] {
        let (dir, root, port) = (Dir::new(), Dir::new(), free_port());
        bench.torrent.content.write(&root);
        let _server = server(&dir, &root, port);
        let url = format!("http://127.0.0.1:{port}/");
        let mut child = get(&bench, &[url], &[], &[]);
        assert_eq!(said(&mut child), Vec::<String>::new());
        let events = child.events("peer");
        let connected = events
            .iter()
            .find(|event| event.get("state").text() == "connected");
        assert_eq!(connected.unwrap().get("transport").text(), "http");
    }
}

#[test]
fn nginx_serves() {
    if support::installed(&["nginx"]) {
        from_real(nginx);
    }
}

/// It knows no ranges, and closes after each file.
#[test]
fn python_serves() {
    if support::installed(&["python3"]) {
        from_real(|_, root, port| python(root, port));
    }
}

// Servers that do something wrong.

#[test]
fn a_redirect_is_followed_and_kept() {
    let bench = folder(11);
    let there = WebSeed::honest(&bench.torrent.content);
    let base = there.url("/mirror");
    let here = WebSeed::start(&bench.torrent.content, move |request| {
        let path = request.head.split(' ').nth(1).unwrap();
        status("302 Found", &format!("Location: {base}{path}\r\n"))
    });
    get(&bench, &[here.url("/pub/")], &[], &[]);
    assert!(
        here.count() <= limits::WEB_CONNECTIONS,
        "the mirror is remembered"
    );
    assert!(there.count() >= 5);
    let bench = single(12, 3_000_000);
    let there = WebSeed::honest(&bench.torrent.content);
    let (to, hops) = (there.url("/other/content.bin"), 4);
    let here = WebSeed::start(&bench.torrent.content, move |request| {
        let left: u32 = request.path[1..].parse().unwrap();
        let to = if left == 0 {
            to.clone()
        } else {
            format!("/{}", left - 1)
        };
        status("307 Temporary Redirect", &format!("Location: {to}\r\n"))
    });
    get(&bench, &[here.url(&format!("/{hops}"))], &[], &[]);
    assert_eq!(here.count(), hops + 1);
}

#[test]
fn redirects_without_end_are_given_up() {
    let bench = single(13, 200_000);
    let web = WebSeed::start(&bench.torrent.content, |_| {
        status("302 Found", "Location: /again\r\n")
    });
    let (_seed, _dir, peer) = slow_peer(&bench, "10M");
    let mut child = get(&bench, &[web.url("/x")], &[peer], &[]);
    assert!(web.count() <= 2 * 6, "{}", web.count());
    assert!(said(&mut child).len() <= 1);
}

#[test]
fn a_server_that_ignores_ranges_serves_whole_files() {
    for seed in [21, 22] {
        let bench = if seed == 21 {
            single(seed, 3_000_000)
        } else {
            folder(seed)
        };
        // Something of it is there, so that the first that is asked for is in the middle.
        let held = bench.content();
        bench.torrent.content.write(&held);
        for (path, bytes) in &bench.torrent.content.files {
            let path = held.join(&bench.torrent.content.name).join(path);
            let path = if bench.torrent.content.files.len() == 1 {
                held.join(&bench.torrent.content.name)
            } else {
                path
            };
            let mut half = bytes.clone();
            half[bytes.len() / 3..].fill(0);
            std::fs::write(path, half).unwrap();
        }
        let web = WebSeed::start(&bench.torrent.content, |_| Reply::Whole);
        get(&bench, &[web.url("/")], &[], &["--overwrite"]);
        let most = bench.torrent.content.len() * 2;
        assert!(web.sent() <= most, "{} of {most}", web.sent());
    }
}

#[test]
fn chunked_bodies_are_read() {
    let bench = folder(31);
    let web = WebSeed::start(&bench.torrent.content, |_| Reply::Chunked);
    let mut child = get(&bench, &[web.url("/")], &[], &[]);
    assert_eq!(said(&mut child), Vec::<String>::new());
}

#[test]
fn a_server_that_closes_early_is_asked_for_the_rest() {
    let bench = single(41, 3_000_000);
    let web = WebSeed::start(&bench.torrent.content, |_| Reply::Cut(400_000));
    let mut child = get(&bench, &[web.url("/")], &[], &[]);
    assert_eq!(said(&mut child), Vec::<String>::new());
    assert!(
        web.sent() < 3_400_000,
        "little is sent twice: {}",
        web.sent()
    );
    assert!(web.count() < 12);
}

#[test]
fn a_file_that_is_not_there_comes_from_a_peer() {
    let bench = folder(51);
    let web = WebSeed::start(&bench.torrent.content, |request| {
        if request.path.ends_with("/bad") {
            status("404 Not Found", "")
        } else {
            Reply::Honest
        }
    });
    let (_seed, _dir, peer) = slow_peer(&bench, SLOW);
    let mut child = get(&bench, &[web.url("/")], &[peer], &[]);
    let lines = said(&mut child);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].contains("\"the folder/b/bad\": HTTP 404: there is no such file"),
        "{lines:?}"
    );
    assert!(web.count_of("/the folder/b/bad") <= limits::WEB_CONNECTIONS);
    assert!(
        web.sent() > 600_000,
        "the rest came from there: {}",
        web.sent()
    );
}

#[test]
fn wrong_bytes_of_one_file_are_replaced_by_a_peers() {
    let bench = folder(61);
    let web = WebSeed::start(&bench.torrent.content, |request| {
        if request.path.ends_with("/bad") {
            Reply::Wrong
        } else {
            Reply::Honest
        }
    });
    let (_seed, _dir, peer) = slow_peer(&bench, SLOW);
    let mut child = get(&bench, &[web.url("/")], &[peer], &[]);
    let lines = said(&mut child);
    assert!((1..=2).contains(&lines.len()), "{lines:?}");
    assert!(lines[0].contains("was wrong"), "{lines:?}");
    assert!(web.count_of("/the folder/b/bad") <= 3);
}

#[test]
fn a_server_that_sends_nothing_right_is_left_alone() {
    let bench = single(62, 2_000_000);
    let web = WebSeed::start(&bench.torrent.content, |_| Reply::Wrong);
    let (_seed, _dir, peer) = slow_peer(&bench, "1M");
    let mut child = get(&bench, &[web.url("/")], &[peer], &[]);
    let lines = said(&mut child);
    assert!((1..=3).contains(&lines.len()), "{lines:?}");
    assert!(web.sent() < 4_000_000, "{}", web.sent());
}

#[test]
fn a_server_that_is_busy_is_asked_again_when_it_says() {
    let bench = single(71, 500_000);
    let web = WebSeed::start(&bench.torrent.content, |request| match request.number {
        0 => status("503 Service Unavailable", "Retry-After: 1\r\n"),
        _ => Reply::Honest,
    });
    let begun = Instant::now();
    let mut child = get(&bench, &[web.url("/")], &[], &[]);
    assert!(begun.elapsed() >= Duration::from_secs(1));
    let lines = said(&mut child);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("HTTP 503: it cannot answer now: it is asked again in "));
}

/// What is wrong with a server that has no file of ours; and no more than these bytes are read of
/// it.
fn useless(reply: impl Fn(&Request) -> Reply + Send + Sync + 'static, why: &str, most: usize) {
    let bench = single(81, 400_000);
    let web = WebSeed::start(&bench.torrent.content, reply);
    let (_seed, _dir, peer) = slow_peer(&bench, "200K");
    let mut child = get(&bench, &[web.url("/")], &[peer], &[]);
    let lines = said(&mut child);
    assert_eq!(lines.len(), 1, "{why}: {lines:?}");
    assert!(lines[0].contains(why), "{why}: {lines:?}");
    assert!(web.sent() <= most, "{why}: {}", web.sent());
}

#[test]
fn what_makes_no_sense_is_said_once() {
    let raw = |text: &str| Reply::Raw(text.replace('|', "\r\n").into_bytes());
    useless(
        move |_| raw("HTTP/1.1 206 P|Content-Range: bytes 7-9/400000|Content-Length: 3||abc"),
        "it sends other bytes than it is asked for: 7-9",
        1_000,
    );
    useless(
        move |_| raw("HTTP/1.1 200 OK|Content-Length: 3||abc"),
        "its file has 3 bytes",
        1_000,
    );
    useless(
        move |_| raw("HTTP/1.1 200 OK|Content-Length: 400000|Content-Encoding: gzip||abc"),
        "it answers in \"gzip\", unasked",
        1_000,
    );
    useless(move |_| raw("220 ready|"), "the answer is not HTTP", 1_000);
    useless(
        move |_| status("416 Range Not Satisfiable", ""),
        "HTTP 416: it has no such bytes of it",
        1_000,
    );
}

#[test]
fn what_does_not_end_is_ended() {
    let first = |text: &str| text.replace('|', "\r\n").into_bytes();
    let noise = vec![b'x'; 16 * 1024];
    let endless = move |head: &str, more: &[u8]| {
        let (head, more) = (first(head), more.to_vec());
        move |_: &Request| Reply::Endless(head.clone(), more.clone())
    };
    let socket = 8 << 20;
    useless(
        endless("HTTP/1.1 200 OK|", b"X: y\r\n"),
        "the answer's head is longer than 16 KiB",
        socket,
    );
    useless(
        endless("HTTP/1.1 200 OK|Transfer-Encoding: chunked||7a120|", &noise),
        "piece 0 of it was wrong",
        socket,
    );
}

#[test]
fn an_answer_that_comes_slowly_does_not_hold_up_a_peer() {
    let bench = single(91, 1_000_000);
    let web = WebSeed::start(&bench.torrent.content, |_| {
        Reply::Slow(1_000, Duration::from_millis(100))
    });
    let (_seed, _dir, peer) = slow_peer(&bench, "500K");
    get(&bench, &[web.url("/")], &[peer], &[]);
}

// Beside peers, and by the rules of the house.

#[test]
fn a_web_seed_serves_what_peers_lack() {
    let bench = single(101, 6_000_000);
    let web = WebSeed::honest(&bench.torrent.content);
    // A fast peer that has the first half.
    let (mut seed, dir, _) = slow_peer(&bench, "100M");
    seed.signal("INT");
    seed.exit(SOON);
    let path = dir.content().join("content.bin");
    let mut half = bench.torrent.bytes.clone();
    half[3_000_000..].fill(0);
    std::fs::write(path, half).unwrap();
    let mut seed = dir.run("seed", &["--no-dht", "--no-lsd", "--up", "4M"]);
    let peer = listening(&mut seed).to_string();
    get(&bench, &[web.url("/")], &[peer], &["--down", "4M"]);
    let most = bench.torrent.bytes.len() + 1_000_000;
    let sent = web.sent();
    assert!((2_900_000..most).contains(&sent), "{sent}");
    let first = web.asked.lock().unwrap()[0].range.clone();
    println!("first {first:?}, sent {sent}");
}

#[test]
fn a_download_limit_holds() {
    let bench = single(111, 1_000_000);
    let web = WebSeed::honest(&bench.torrent.content);
    let begun = Instant::now();
    get(&bench, &[web.url("/")], &[], &["--down", "300K"]);
    let took = begun.elapsed().as_secs_f64();
    assert!((2.0..8.0).contains(&took), "{took}");
}

#[test]
fn web_seeds_can_be_left_out() {
    let bench = single(121, 300_000);
    let web = WebSeed::honest(&bench.torrent.content);
    let (_seed, _dir, peer) = slow_peer(&bench, "10M");
    get(&bench, &[web.url("/")], &[peer], &["--no-web-seeds"]);
    assert_eq!(web.count(), 0);
}

#[test]
fn a_local_server_is_asked_without_a_query() {
    let bench = single(131, 300_000);
    let web = WebSeed::honest(&bench.torrent.content);
    let (_seed, _dir, peer) = slow_peer(&bench, "10M");
    let url = web.url("/admin?delete=/content.bin");
    let mut child = get(&bench, std::slice::from_ref(&url), &[peer], &[]);
    let lines = said(&mut child);
    assert_eq!((web.count(), lines.len()), (0, 1), "{lines:?}");
    assert!(lines[0].contains("(--allow-local lifts this)"), "{lines:?}");
    let bench = single(131, 300_000);
    get(&bench, &[url], &[], &["--allow-local"]);
    assert!(web.count() > 0);
}

#[test]
fn a_web_seed_that_is_not_there_is_said_once() {
    let bench = single(141, 400_000);
    let url = format!("http://127.0.0.1:{}/", free_port());
    let (_seed, _dir, peer) = slow_peer(&bench, "50K");
    let odd = ["udp://127.0.0.1:1/x", "ftp://127.0.0.1/x"].map(String::from);
    let urls = [std::slice::from_ref(&url), &odd[..]].concat();
    let mut child = get(&bench, &urls, &[peer], &[]);
    let lines = said(&mut child);
    assert_eq!(lines.len(), 2, "{lines:?}");
    let words = "web seeds: 2 of 3 cannot be asked: \"udp://127.0.0.1:1/x\": not an http URL";
    assert!(lines.iter().any(|line| line.ends_with(words)), "{lines:?}");
    let words = format!("web seed {url}: it refused the connection: it is asked again in 5 s");
    assert!(lines.iter().any(|line| line.ends_with(&words)), "{lines:?}");
}

#[test]
fn several_web_seeds_share_the_work() {
    let bench = single(151, 8_000_000);
    let slowly = |_: &Request| Reply::Slow(64 * 1024, Duration::from_millis(40));
    let one = WebSeed::start(&bench.torrent.content, slowly);
    let two = WebSeed::start(&bench.torrent.content, slowly);
    get(&bench, &[one.url("/"), two.url("/")], &[], &[]);
    let (one, two) = (one.sent(), two.sent());
    assert!(one > 2_000_000 && two > 2_000_000, "{one} {two}");
    assert!(one + two < 11_000_000, "{one} {two}");
}
