//! Clients that others wrote, each run the same way: it joins the swarm of one torrent on a host of
//! its own, checks what is in its folder, gets the rest, and stays to seed until it is dropped.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::child::{Child, Stream, command};
use super::content::Content;
use super::dir::Dir;
use super::json::Json;
use super::net::Host;

/// One of the other clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// `transmission-cli`
    Transmission,
    /// `aria2c`
    Aria2,
    /// libtorrent, by its Python module
    Libtorrent,
    /// npm's `webtorrent`
    WebTorrent,
}

/// How it finds peers beside trackers, and how fast it is.
#[derive(Clone, Debug, Default)]
pub struct Ways {
    /// It tells peers of others, and hears of others from them (BEP 11). libtorrent always does.
    pub pex: bool,
    /// It searches the local network (BEP 14).
    pub lsd: bool,
    /// It dials this peer. Only libtorrent and webtorrent do.
    pub peer: Option<SocketAddr>,
    /// It joins the DHT by this node. libtorrent does not.
    pub node: Option<SocketAddr>,
    /// Bytes a second that it receives at most.
    pub down: Option<u32>,
}

/// The port that each listens on.
pub const PORT: u16 = 6881;

/// A client in a swarm.
#[derive(Debug)]
pub struct Client {
    program: Program,
    /// The running program.
    pub child: Child,
    _config: Dir,
}

impl Program {
    /// Whether it is installed; if not, the test is skipped.
    pub fn installed(self) -> bool {
        match self {
            Program::Transmission => super::installed(&["transmission-cli", "stdbuf"]),
            Program::Aria2 => super::installed(&["aria2c"]),
            Program::Libtorrent => {
                let found = Command::new(PYTHON)
                    .args(["-c", "import libtorrent"])
                    .output()
                    .is_ok_and(|out| out.status.success());
                if !found {
                    super::skip("python3-libtorrent is not installed (see tests/setup.sh)");
                }
                found
            }
            Program::WebTorrent => super::npm_installed("webtorrent"),
        }
    }

    /// What of a content is on disk when it says that it has everything: Transmission makes empty
    /// files since version 4.1, webtorrent makes none.
    pub fn leaves_on_disk(self, content: &Content) -> Content {
        match self {
            Program::Transmission if transmission_version() < (4, 1) => content.without_empty(),
            Program::WebTorrent => content.without_empty(),
            _ => content.clone(),
        }
    }

    /// Joins the swarm of a torrent with content in `folder`.
    pub fn join(self, host: &Host, torrent: &Path, folder: &Path) -> Client {
        self.join_by(&Ways::default(), host, torrent, folder)
    }

    /// The same with other ways to find peers.
    pub fn join_by(self, ways: &Ways, host: &Host, torrent: &Path, folder: &Path) -> Client {
        let config = Dir::new();
        let mut command = match self {
            Program::Transmission => transmission(ways, host, torrent, folder, &config),
            Program::Aria2 => aria2(ways, host, torrent, folder, &config),
            Program::Libtorrent => {
                let everywhere = format!("0.0.0.0:{PORT},[::]:{PORT}");
                let mut command = libtorrent(Some(host), torrent, folder, &everywhere);
                if let Some(peer) = ways.peer {
                    let (ip, port) = (peer.ip().to_string(), peer.port().to_string());
                    command.args(["--peer", &ip, &port]);
                }
                command.args(ways.lsd.then_some("--lsd"));
                let down = ways.down.unwrap_or(0).to_string();
                command.args(["--down", &down]);
                command
            }
            Program::WebTorrent => webtorrent(ways, host, torrent, folder),
        };
        Client {
            program: self,
            child: Child::spawn(&format!("{self:?}"), &mut command),
            _config: config,
        }
    }
}

impl Client {
    /// Waits until it says that it has everything and seeds.
    pub fn wait_whole(&mut self, within: Duration) {
        let program = self.program;
        self.child.find("whole content", within, |stream, line| {
            let seeding = match program {
                Program::Transmission => line.starts_with("Seeding, "),
                Program::Aria2 => line.contains(" SEED("),
                Program::Libtorrent => {
                    stream == Stream::Out
                        && Json::parse(line)
                            .is_ok_and(|state| state.find("seeding") == Some(&Json::Bool(true)))
                }
                Program::WebTorrent => line.starts_with("{\"event\":\"whole\""),
            };
            seeding.then_some(())
        });
    }
}

fn webtorrent(ways: &Ways, host: &Host, torrent: &Path, folder: &Path) -> Command {
    let mut command = command(Some(host), "node");
    command.arg(super::repository("tests/support/webtorrent.mjs"));
    command.arg(super::node_folder()).arg(PORT.to_string());
    command.arg(torrent).arg(folder);
    for (option, addr) in [("--peer", ways.peer), ("--node", ways.node)] {
        if let Some(addr) = addr {
            command.args([option, &addr.to_string()]);
        }
    }
    command.args(ways.lsd.then_some("--lsd"));
    command
}

/// Debian's own, which has the module.
pub const PYTHON: &str = "/usr/bin/python3";

/// The version of `transmission-cli`, its first two numbers.
fn transmission_version() -> (u32, u32) {
    let said = Command::new("transmission-cli")
        .arg("--version")
        .output()
        .unwrap();
    // On one of the two streams, by version: `transmission-cli 4.1.0-beta.2 (ac5c9e082d)`.
    let said = [said.stdout, said.stderr].concat();
    version(&String::from_utf8(said).unwrap())
}

/// The first two numbers of the version in what a program says of itself.
pub fn version(said: &str) -> (u32, u32) {
    let word = said.split_whitespace().nth(1).unwrap_or_default();
    let mut numbers = word.split('.').map(|number| number.parse().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(major), Some(minor)) => (major, minor),
        _ => panic!("no version in {said:?}"),
    }
}

fn transmission(ways: &Ways, host: &Host, torrent: &Path, folder: &Path, config: &Dir) -> Command {
    let (pex, lsd, dht) = (ways.pex, ways.lsd, ways.node.is_some());
    if let Some(node) = ways.node {
        let line = format!("{} {}\n", node.ip(), node.port());
        config.file("dht.bootstrap", &line);
    }
    let down = ways.down.map_or(1 << 20, |down| down / 1000);
    let settings = format!(
        r#"{{
        "dht-enabled": {dht}, "pex-enabled": {pex}, "lpd-enabled": {lsd}, "utp-enabled": false, "rpc-enabled": false,
        "speed-limit-down-enabled": true, "speed-limit-down": {down},
        "port-forwarding-enabled": false, "blocklist-enabled": false, "rename-partial-files": false, "preallocation": 0, "cache-size-mb": 0
    }}"#
    );
    config.file("settings.json", &settings);
    // It buffers its output where that is no terminal.
    let mut command = command(Some(host), "stdbuf");
    command
        .args(["-o0", "transmission-cli", "--no-portmap", "--port"])
        .arg(PORT.to_string())
        .arg("--config-dir")
        .arg(&**config)
        .arg("--download-dir")
        .args([folder, torrent]);
    command
}

fn aria2(ways: &Ways, host: &Host, torrent: &Path, folder: &Path, config: &Dir) -> Command {
    // A link has no file.
    let link = torrent.as_os_str().as_encoded_bytes();
    let metainfo = std::fs::read(torrent).unwrap_or_else(|_| link.to_vec());
    // It speaks to UDP trackers only through the socket of its DHT, which finds nobody to talk to
    // here.
    let udp = metainfo.windows(6).any(|bytes| bytes == b"udp://");
    let mut command = command(Some(host), "aria2c");
    command
        .args(["--no-conf", "--enable-color=false", "--summary-interval=1"])
        .arg(format!("--bt-enable-lpd={}", ways.lsd))
        .arg(format!("--enable-peer-exchange={}", ways.pex))
        .arg(format!("--max-download-limit={}", ways.down.unwrap_or(0)))
        .args(["--allow-overwrite=true", "--check-integrity=true"])
        .args([
            "--file-allocation=none",
            "--disk-cache=0",
            "--seed-ratio=0.0",
        ])
        .arg(format!("--enable-dht={}", udp || ways.node.is_some()))
        .args(ways.node.map(|node| format!("--dht-entry-point={node}")))
        .arg(format!("--dht-listen-port={PORT}"))
        .arg(format!("--dht-file-path={}", config.join("dht").display()))
        .arg(format!("--listen-port={PORT}"))
        .arg("--dir")
        .args([folder, torrent]);
    command
}

/// libtorrent in the swarm of a torrent, listening on these addresses and ports; it prints its
/// state as JSON.
pub fn libtorrent(host: Option<&Host>, torrent: &Path, folder: &Path, listen: &str) -> Command {
    let mut command = command(host, PYTHON);
    command
        .arg(super::repository("tests/support/lt.py"))
        .args([torrent, folder])
        .args(["--listen", listen]);
    command
}
