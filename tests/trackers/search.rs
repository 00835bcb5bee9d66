//! A download that looks for peers, from outside: trackers that are silent, many, or none; and what
//! the user hears when nobody is found.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::support::bench::{Bench, SOON};
use super::support::child::{Child, Stream};
use super::support::net::free_port;
use super::support::peer::{Manners, Peer};

/// An HTTP tracker that names one peer; the request lines that came, and when.
struct Tracker {
    addr: SocketAddr,
    asked: Arc<Mutex<Vec<(Instant, String)>>>,
}

impl Tracker {
    /// One that names this peer, or nobody.
    fn start(peer: Option<SocketAddr>) -> Tracker {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let addr = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<(Instant, String)>>> = Arc::default();
        let log = Arc::clone(&asked);
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let (mut head, mut byte) = (Vec::new(), [0]);
                while !head.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
                    head.push(byte[0]);
                }
                let line = String::from_utf8_lossy(&head)
                    .lines()
                    .next()
                    .map(str::to_owned);
                log.lock()
                    .unwrap()
                    .push((Instant::now(), line.unwrap_or_default()));
                let peers = match peer {
                    Some(SocketAddr::V4(peer)) => {
                        [&peer.ip().octets()[..], &peer.port().to_be_bytes()].concat()
                    }
                    _ => Vec::new(),
                };
                let mut body = format!("d8:intervali1800e5:peers{}:", peers.len()).into_bytes();
                body.extend(peers);
                body.push(b'e');
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                let _ = stream.write_all(&[head.as_bytes(), &body].concat());
            }
        });
        Tracker { addr, asked }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.addr)
    }

    fn lines(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        let lines = asked.iter().map(|(_, line)| line.clone());
        // A connection may be given up before its request is sent.
        lines.filter(|line| !line.is_empty()).collect()
    }
}

/// The trackers of a test, silent ones, whose sockets live as long as this.
#[derive(Default)]
struct Silent {
    udp: Vec<UdpSocket>,
    tcp: Vec<TcpListener>,
}

impl Silent {
    fn url(&mut self, number: usize) -> String {
        let any = "127.0.0.1:0";
        if number % 2 == 0 {
            let socket = UdpSocket::bind(any).unwrap();
            let url = format!("udp://{}/announce", socket.local_addr().unwrap());
            self.udp.push(socket);
            url
        } else {
            let socket = TcpListener::bind(any).unwrap();
            let url = format!("http://{}/announce", socket.local_addr().unwrap());
            self.tcp.push(socket);
            url
        }
    }
}

fn end(mut child: Child) {
    child.signal("INT");
    assert_eq!(child.code(SOON), 130);
}

#[test]
fn ten_silent_trackers_of_any_kind_cost_a_few_seconds() {
    let bench = Bench::new(201, 300_000);
    let peer = Peer::start(&bench.torrent, Manners::default());
    let good = Tracker::start(Some(peer.addr().parse().unwrap()));
    let mut silent = Silent::default();
    let mut urls: Vec<String> = (0..10).map(|number| silent.url(number)).collect();
    urls.push(good.url("announce"));
    bench.trackers(&urls.iter().map(String::as_str).collect::<Vec<_>>());
    let began = Instant::now();
    let mut get = bench.run("get", &["--port", "0"]);
    get.event("complete", SOON);
    let asked = good.asked.lock().unwrap()[0].0.duration_since(began);
    assert!(asked < Duration::from_secs(10), "{asked:?}");
    assert_eq!(get.code(SOON), 0);
    bench.assert_whole();
    let events: Vec<String> = good.lines();
    for (event, line) in ["started", "completed", "stopped"].iter().zip(&events) {
        assert!(line.contains(&format!("event={event}")), "{events:?}");
    }
    assert_eq!(events.len(), 3);
}

#[test]
fn a_tracker_that_knows_nobody_is_not_the_last_to_be_asked() {
    let bench = Bench::new(202, 300_000);
    let peer = Peer::start(&bench.torrent, Manners::default());
    let good = Tracker::start(Some(peer.addr().parse().unwrap()));
    let empty = Tracker::start(None);
    bench.trackers(&[&empty.url("announce"), &good.url("announce")]);
    let mut get = bench.run("get", &["--port", "0"]);
    assert_eq!(get.code(SOON), 0);
    bench.assert_whole();
    for tracker in [&empty, &good] {
        let lines = tracker.lines();
        assert!(lines.last().unwrap().contains("event=stopped"), "{lines:?}");
    }
}

#[test]
fn twelve_trackers_of_one_host_are_all_asked() {
    let bench = Bench::new(203, 300_000);
    let trackers: Vec<Tracker> = (0..12).map(|_| Tracker::start(None)).collect();
    let urls: Vec<String> = trackers.iter().map(|it| it.url("announce")).collect();
    bench.trackers(&urls.iter().map(String::as_str).collect::<Vec<_>>());
    let mut get = bench.run("get", &["--port", "0"]);
    for url in &urls {
        let event = get.event_where("tracker", SOON, |event| event.get("url").text() == url);
        assert_eq!(event.get("peers").count(), 0, "none is refused");
    }
    assert!(trackers.iter().all(|tracker| tracker.lines().len() == 1));
    end(get);
}

#[test]
fn a_user_who_runs_a_local_tracker_under_any_path_may_say_so() {
    for allowed in [false, true] {
        let bench = Bench::new(204, 300_000);
        let peer = Peer::start(&bench.torrent, Manners::default());
        let tracker = Tracker::start(Some(peer.addr().parse().unwrap()));
        bench.trackers(&[&tracker.url("t")]);
        let options = ["--port", "0", "--allow-local"];
        let mut get = bench.run("get", &options[..2 + usize::from(allowed)]);
        if allowed {
            assert_eq!(get.code(SOON), 0);
            bench.assert_whole();
        } else {
            let line = get.line("is a local address", SOON);
            assert!(line.contains("--allow-local"), "{line}");
            assert_eq!(tracker.lines(), [""; 0]);
            end(get);
        }
    }
}

/// What is said on standard error, without `-v`, of a download that finds nobody; and its exit
/// code.
fn lonely(trackers: &[&str], options: &[&str], lines: &[&str]) {
    let bench = Bench::new(205, 300_000);
    bench.trackers(trackers);
    let began = Instant::now();
    let mut get = bench.run(
        "get",
        &[&["--port", "0", "--timeout", "0.2"], options].concat(),
    );
    for line in lines {
        get.line(line, SOON);
        let said = began.elapsed();
        assert!(said < Duration::from_secs(11), "{line}: after {said:?}");
    }
    assert_eq!(get.code(SOON), 1);
    assert!(began.elapsed() >= Duration::from_secs(12));
    let said = get.text(Stream::Err);
    let last = said.lines().last().unwrap();
    assert!(
        last.contains("no progress for 12 s (--timeout): no peer is"),
        "{said}"
    );
    let alone = said
        .lines()
        .filter(|line| line.contains("warning: no peer is connected"));
    assert_eq!(alone.count(), 1, "{said}");
}

#[test]
fn a_download_without_trackers_says_so() {
    let none = "warning: no peer is connected: no tracker is asked";
    lonely(&[], &[], &[none]);
    lonely(&["udp://127.0.0.1:1/announce"], &["--no-trackers"], &[none]);
}

#[test]
fn trackers_that_do_not_work_and_a_peer_that_refuses_are_told() {
    let port = free_port();
    let (tracker, peer) = (
        format!("http://127.0.0.1:{port}/announce"),
        format!("127.0.0.1:{port}"),
    );
    lonely(
        &[&tracker, "https://127.0.0.1/announce"],
        &["--peer", &peer],
        &[
            &format!("warning: tracker {tracker}: it refused the connection"),
            "warning: tracker https://127.0.0.1/announce: this build lacks https",
            &format!("warning: peer {peer}: it refused the connection"),
            "warning: no peer is connected: all 2 trackers failed",
        ],
    );
}

/// A socket whose queue is full answers no connection, as a host behind a filter does.
#[test]
fn an_address_that_does_not_answer_is_told() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let tracker = format!("udp://{}", socket.local_addr().unwrap());
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = mute.local_addr().unwrap().to_string();
    lonely(
        &[&tracker],
        &["--no-dht", "--peer", &peer],
        &["warning: no peer is connected: its tracker is silent so far; dials of peers: 1 not"],
    );
}

#[test]
fn a_seed_that_nobody_asks_ends_by_its_timeout_too() {
    let bench = Bench::new(206, 300_000);
    bench.fill();
    let mut seed = bench.run("seed", &["--port", "0", "--timeout", "0.02"]);
    assert_eq!(seed.code(SOON), 1);
    let said = seed.text(Stream::Err);
    assert!(
        said.contains("(--timeout): no peer asked for anything"),
        "{said}"
    );
}
