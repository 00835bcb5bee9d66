//! Trackers that others wrote, on loopback, each on a free port for HTTP and UDP alike and killed
//! on drop.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::child::{Child, command};
use super::dir::Dir;
use super::net::free_port;

/// What a tracker gets to come up.
const PATIENCE: Duration = Duration::from_secs(20);

/// Debian's opentracker: IPv4.
#[derive(Debug)]
pub struct OpenTracker {
    /// `http://127.0.0.1:PORT/announce`.
    pub http_url: String,
    /// `udp://127.0.0.1:PORT/announce`.
    pub udp_url: String,
    child: Child,
    // It holds the whitelist.
    _dir: Dir,
}

/// npm's bittorrent-tracker: IPv6.
#[derive(Debug)]
pub struct NodeTracker {
    /// `http://[::1]:PORT/announce`.
    pub http_url: String,
    /// `udp://[::1]:PORT/announce`.
    pub udp_url: String,
    child: Child,
}

impl OpenTracker {
    /// Starts one that serves these torrents, and waits until it answers. `None`, and the test is
    /// skipped, where it is not installed.
    pub fn start(info_hashes: &[[u8; 20]]) -> Option<OpenTracker> {
        if !super::installed(&["opentracker"]) {
            return None;
        }
        let mut whitelist = String::new();
        for hash in info_hashes {
            hash.iter()
                .for_each(|byte| write!(whitelist, "{byte:02x}").unwrap());
            whitelist.push('\n');
        }
        let dir = Dir::new();
        dir.file("whitelist", whitelist);
        let addr = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), free_port());
        let port = addr.port().to_string();
        let mut program = command(None, "opentracker");
        program.args(["-i", "127.0.0.1", "-p", &port, "-P", &port]);
        program.args(["-w", "whitelist", "-d"]).arg(&*dir);
        let mut child = await_answer(Child::spawn("opentracker", &mut program), addr);
        // It reads the whitelist in a thread of its own.
        let deadline = Instant::now() + PATIENCE;
        while !info_hashes.iter().all(|hash| serves(addr, hash)) {
            if Instant::now() > deadline {
                child.fail("it does not serve its whitelist");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(OpenTracker {
            http_url: format!("http://{addr}/announce"),
            udp_url: format!("udp://{addr}/announce"),
            child,
            _dir: dir,
        })
    }

    /// Ends it at once, as a crash would.
    pub fn kill(&mut self) {
        self.child.kill();
    }
}

impl NodeTracker {
    /// Starts one that serves any torrent, and waits until it answers. `None`, and the test is
    /// skipped, where it is not installed.
    pub fn start() -> Option<NodeTracker> {
        if !super::npm_installed("bittorrent-tracker") {
            return None;
        }
        let folder = super::node_folder();
        let addr = SocketAddr::new(Ipv6Addr::LOCALHOST.into(), free_port());
        let mut program = command(None, "node");
        program.arg(super::repository("tests/support/tracker.mjs"));
        program.arg(folder);
        program.args([addr.ip().to_string(), addr.port().to_string()]);
        let child = await_answer(Child::spawn("bittorrent-tracker", &mut program), addr);
        Some(NodeTracker {
            http_url: format!("http://{addr}/announce"),
            udp_url: format!("udp://{addr}/announce"),
            child,
        })
    }

    /// Waits until it has said this line.
    pub fn heard(&mut self, line: &str) {
        self.child.line(line, Duration::from_secs(10));
    }
}

/// Waits until an HTTP tracker says anything at all.
fn await_answer(mut child: Child, addr: SocketAddr) -> Child {
    let deadline = Instant::now() + PATIENCE;
    while !answers(addr) {
        if Instant::now() > deadline || !child.is_running() {
            child.fail("no answer");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

fn answers(addr: SocketAddr) -> bool {
    get(addr, "/scrape?info_hash=aaaaaaaaaaaaaaaaaaaa")
        .is_some_and(|said| said.starts_with(b"HTTP/"))
}

/// Whether a tracker knows a torrent: it takes somebody in, who leaves at once.
fn serves(addr: SocketAddr, info_hash: &[u8; 20]) -> bool {
    let mut path = String::from("/announce?peer_id=-ZZ0001-aaaaaaaaaaaa&port=9&left=1&info_hash=");
    for byte in info_hash {
        write!(path, "%{byte:02x}").unwrap();
    }
    let refusal: &[u8] = b"failure reason";
    let refused = |said: Vec<u8>| said.windows(refusal.len()).any(|part| part == refusal);
    let took_in = get(addr, &path).is_some_and(|said| !refused(said));
    took_in && get(addr, &format!("{path}&event=stopped")).is_some()
}

/// What an HTTP server answers, up to its end or a pause of two seconds.
fn get(addr: SocketAddr, path: &str) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(addr).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").ok()?;
    let mut answer = Vec::new();
    let ended = stream.read_to_end(&mut answer);
    (ended.is_ok() || !answer.is_empty()).then_some(answer)
}
