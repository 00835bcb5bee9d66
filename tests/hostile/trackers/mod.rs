//! Trackers that answer anything at all, or nothing, as the torrent of a download names them.
//! Whatever they do, the download completes from a good peer, the user reads one line of each, and
//! brooklet stays small and asleep.

mod http;
mod inside;
mod odd;
mod outside;
mod own;
mod peers;
mod udp;
mod words;

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::support::bench::{Bench, SOON};
use crate::support::child::{Child, Stream};
use crate::support::json::Json;
use crate::support::peer::{Manners, Peer};
use crate::support::torrent::Torrent;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
/// The most memory that brooklet may ever have.
const MEMORY: usize = 16 * MIB;
/// Downloads at one time.
const AT_ONCE: usize = 6;

/// A good peer, a good tracker that knows it, and what they share.
struct Swarm {
    torrent: Arc<Torrent>,
    peer: Peer,
    tracker: Tracker,
}

impl Swarm {
    fn new(seed: u64) -> Swarm {
        let torrent = Bench::new(seed, 512 * KIB).torrent;
        let peer = Peer::start(&torrent, Manners::default());
        let body = reply(1800, &[peer.addr().parse().unwrap()]);
        let tracker = Tracker::start(move |stream, _| stream.write_all(&answer(&body)));
        Swarm {
            torrent,
            peer,
            tracker,
        }
    }

    /// A download whose torrent names these trackers, and which stays to seed.
    fn get(&self, trackers: &[&str], options: &[&str]) -> Download {
        let bench = Bench::of(Torrent::clone(&self.torrent));
        bench.trackers(trackers);
        let child = bench.run("get", &[&["--seed"], options].concat());
        Download { bench, child }
    }

    /// What comes of a tracker that fails: its `error`. The good tracker, in the next tier, is
    /// asked then, and completes the download.
    fn failure(&self, hostile: &str, within: Duration) -> String {
        let mut download = self.get(&[hostile, &self.tracker.url()], &[]);
        let error = download.failure(hostile, within);
        download.complete();
        download.assert_one_line(hostile);
        download.end();
        error
    }

    /// A download that has the good peer from the user and completes while this tracker does what
    /// it does.
    fn meanwhile(&self, hostile: &str) -> Download {
        let mut download = self.get(&[hostile], &["--peer", &self.peer.addr()]);
        download.complete();
        download
    }
}

/// A download under way.
struct Download {
    bench: Bench,
    child: Child,
}

impl Download {
    /// The next thing said of this tracker.
    fn event(&mut self, url: &str, within: Duration) -> Json {
        let of = |event: &Json| event.get("url").text() == url;
        self.child.event_where("tracker", within, of)
    }

    /// Why this tracker failed: a few words, in one line.
    fn failure(&mut self, url: &str, within: Duration) -> String {
        let event = self.event(url, within);
        let Some(error) = event.find("error") else {
            self.child.fail(&format!("{url} did not fail"));
        };
        let error = error.text().to_string();
        assert!(!error.is_empty() && error.chars().count() < 400, "{error}");
        assert!(!error.chars().any(char::is_control), "{error:?}");
        error
    }

    /// How many peers this tracker named.
    fn peers(&mut self, url: &str, within: Duration) -> u64 {
        let event = self.event(url, within);
        match event.find("peers") {
            Some(peers) => peers.count(),
            None => self.child.fail(&format!("{url} failed")),
        }
    }

    fn complete(&mut self) {
        self.child.event("complete", 3 * SOON);
        self.bench.assert_whole();
    }

    /// Standard error has one line on this tracker, which names it and says why.
    fn assert_one_line(&mut self, url: &str) {
        let begin = format!("brooklet: warning: tracker {url}: ");
        self.child.line(&begin, SOON);
        let said = self.child.text(Stream::Err);
        let lines = said.lines().filter_map(|line| line.strip_prefix(&begin));
        let lines: Vec<&str> = lines.collect();
        assert!(lines.len() == 1 && !lines[0].is_empty(), "{lines:#?}");
    }

    /// It lives, sleeps, and never held much memory; told to end, it does so at once.
    fn end(mut self) {
        assert_asleep(&mut self.child);
        self.child.signal("INT");
        assert_eq!(self.child.code(SOON), 130);
    }
}

/// It uses next to no processor time, and held little memory all along.
fn assert_asleep(child: &mut Child) {
    let asleep = (0..20).any(|_| {
        let before = child.cpu();
        thread::sleep(Duration::from_millis(500));
        child.cpu() - before <= Duration::from_millis(20)
    });
    assert!(asleep, "it spins");
    if !child.is_running() {
        child.fail("it ended by itself");
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: Option<usize> = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
    let peak = kib.unwrap() * KIB;
    assert!(peak < MEMORY, "{peak} bytes at most");
}

/// An HTTP server in a tracker's place, a thread for each connection. It lives as long as the test.
struct Tracker {
    addr: SocketAddr,
    /// Connections that have come.
    met: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Tracker {
    /// `script` gets each connection when its request has come, and the request.
    fn start(
        script: impl Fn(&mut TcpStream, &str) -> io::Result<()> + Send + Sync + 'static,
    ) -> Tracker {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&requests);
        let tracker = Tracker::raw(move |stream| {
            let request = read_head(stream)?;
            heard.lock().unwrap().push(request.clone());
            script(stream, &request)
        });
        Tracker {
            requests,
            ..tracker
        }
    }

    /// `script` gets each connection as it comes; it is closed afterwards.
    fn raw(script: impl Fn(&mut TcpStream) -> io::Result<()> + Send + Sync + 'static) -> Tracker {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let addr = listener.local_addr().unwrap();
        let met = Arc::new(AtomicUsize::new(0));
        let (count, script) = (Arc::clone(&met), Arc::new(script));
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::SeqCst);
                let script = Arc::clone(&script);
                thread::spawn(move || script(&mut stream));
            }
        });
        Tracker {
            addr,
            met,
            requests: Arc::default(),
        }
    }

    /// One that answers with these bytes.
    fn saying(bytes: Vec<u8>) -> Tracker {
        Tracker::start(move |stream, _| stream.write_all(&bytes))
    }

    fn url(&self) -> String {
        self.at("announce")
    }

    /// The URL of another path.
    fn at(&self, path: &str) -> String {
        format!("http://{}/{path}", self.addr)
    }

    /// Requests that have come.
    fn asked(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    /// Connections that have come.
    fn met(&self) -> usize {
        self.met.load(Ordering::SeqCst)
    }

    /// The last of them.
    fn last(&self) -> String {
        let requests = self.requests.lock().unwrap();
        requests.last().cloned().unwrap_or_default()
    }
}

fn read_head(stream: &mut TcpStream) -> io::Result<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// A parameter of an announce.
fn param(request: &str, name: &str) -> Option<String> {
    let (_, rest) = request.split_once(&format!("{name}="))?;
    rest.split(['&', ' ']).next().map(str::to_string)
}

/// An answer's body: an interval, and these peers.
fn reply(interval: i64, peers: &[SocketAddr]) -> Vec<u8> {
    let mut compact = Vec::new();
    for peer in peers {
        let SocketAddr::V4(peer) = peer else {
            continue;
        };
        compact.extend(peer.ip().octets());
        compact.extend(peer.port().to_be_bytes());
    }
    let mut body = format!("d8:intervali{interval}e5:peers{}:", compact.len()).into_bytes();
    body.extend(compact);
    body.push(b'e');
    body
}

/// A response with this body.
fn answer(body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// Sends the same until nobody listens any more.
fn endless(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    loop {
        stream.write_all(bytes)?;
    }
}

/// Does something with each of these, several at one time. Panics if any did.
fn each<T: Sync>(cases: &[T], at_once: usize, act: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..at_once.min(cases.len()) {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::SeqCst)) {
                    act(case);
                }
            });
        }
    });
}
