//! Clients that others wrote, each run the same way: it joins the swarm of one torrent on a host of
//! its own, checks what is in its folder, gets the rest, and stays to seed until it is dropped.

use std::cell::Cell;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

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
    /// `qbittorrent-nox`
    QBittorrent,
    /// `rtorrent`
    Rtorrent,
}

/// Which connections it makes and takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrecy {
    /// Plain ones, as far as that can be said.
    Off,
    /// Those with an encrypted handshake.
    Handshake,
    /// Those whose payload is encrypted, too.
    Require,
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
    /// It speaks uTP, and no TCP as far as that can be said. Not all can.
    pub utp: bool,
    /// Which connections it makes and takes; `None`: as usual.
    pub secrecy: Option<Secrecy>,
}

/// The port that each listens on.
pub const PORT: u16 = 6881;

/// A client in a swarm.
#[derive(Debug)]
pub struct Client {
    program: Program,
    /// The running program.
    pub child: Child,
    host: Host,
    config: Dir,
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
            Program::QBittorrent => super::installed(&["qbittorrent-nox"]),
            Program::Rtorrent => super::installed(&["rtorrent"]),
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
                command.args(ways.utp.then_some("--utp"));
                let down = ways.down.unwrap_or(0).to_string();
                command.args(["--down", &down]);
                if let Some(secrecy) = ways.secrecy {
                    command.args(["--encryption", secrecy.word()]);
                }
                command
            }
            Program::WebTorrent => webtorrent(ways, host, torrent, folder),
            Program::QBittorrent => qbittorrent(ways, host, torrent, folder, &config),
            Program::Rtorrent => rtorrent(ways, host, torrent, folder, &config),
        };
        Client {
            program: self,
            host: host.clone(),
            child: Child::spawn(&format!("{self:?}"), &mut command),
            config,
        }
    }
}

impl Client {
    /// Waits until it says that it has everything and seeds.
    pub fn wait_whole(&mut self, within: Duration) {
        let program = self.program;
        // These two do not print it.
        match program {
            Program::QBittorrent => {
                // It says so before it has looked at the files, and hangs up while it does.
                let seen = Cell::new(0);
                return self.wait_until(within, |client| {
                    let is_whole = client.is_qbittorrent(&["uploading", "stalledUP"]);
                    seen.set(if is_whole { seen.get() + 1 } else { 0 });
                    seen.get() == STEADY
                });
            }
            Program::Rtorrent => {
                return self.wait_until(within, |it| it.config.join("whole").exists());
            }
            _ => {}
        }
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
                Program::QBittorrent | Program::Rtorrent => false,
            };
            seeding.then_some(())
        });
    }

    fn wait_until(&mut self, within: Duration, is_so: impl Fn(&Client) -> bool) {
        let deadline = Instant::now() + within;
        while !is_so(self) {
            if Instant::now() > deadline || !self.child.is_running() {
                self.child.fail("no whole content");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until it takes connections for the torrent, if it tells that.
    pub fn wait_ready(&mut self, within: Duration) {
        match self.program {
            Program::QBittorrent => self.wait_until(within, |client| {
                client.is_qbittorrent(&["downloading", "stalledDL", "uploading", "stalledUP"])
            }),
            Program::Rtorrent => {
                self.wait_until(within, |client| client.config.join("ready").exists());
            }
            // It hangs up before it has looked at its files.
            Program::Transmission => self.child.find("a start", within, |_, line| {
                line.starts_with("Progress: ").then_some(())
            }),
            _ => {}
        }
    }

    /// Whether its page for browsers says that the torrent is in one of these states.
    fn is_qbittorrent(&self, states: &[&str]) -> bool {
        let page = format!("http://127.0.0.1:{PAGE}/api/v2/torrents/info");
        let script = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1]).read())";
        let mut asking = command(Some(&self.host), "python3");
        let said = asking.args(["-c", script, &page]).output();
        let said = said.map(|done| done.stdout).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        states
            .iter()
            .any(|state| said.contains(&format!("\"state\":\"{state}\"")))
    }
}

impl Secrecy {
    /// What brooklet calls it.
    pub fn word(self) -> &'static str {
        match self {
            Secrecy::Off => "off",
            Secrecy::Handshake => "handshake",
            Secrecy::Require => "require",
        }
    }
}

/// Times in a row that qBittorrent says that it has everything: more than a second's.
const STEADY: u32 = 12;
/// The port of qBittorrent's page.
const PAGE: u16 = 8080;

fn qbittorrent(ways: &Ways, host: &Host, torrent: &Path, folder: &Path, config: &Dir) -> Command {
    // Prefer, require, none; what is required is RC4.
    let encryption = match ways.secrecy {
        None => 0,
        Some(Secrecy::Off) => 2,
        Some(Secrecy::Handshake | Secrecy::Require) => 1,
    };
    let transport = if ways.utp { "UTP" } else { "TCP" };
    let settings = format!(
        "[LegalNotice]\nAccepted=true\n[BitTorrent]\nSession\\Port={PORT}\nSession\\BTProtocol={transport}\n\
         Session\\DHTEnabled=false\nSession\\PeXEnabled={}\nSession\\LSDEnabled={}\n\
         Session\\Encryption={encryption}\nSession\\MultiConnectionsPerIp=true\n[Preferences]\n\
         Connection\\UPnP=false\nWebUI\\AuthSubnetWhitelistEnabled=true\n\
         WebUI\\AuthSubnetWhitelist=0.0.0.0/0\nWebUI\\HostHeaderValidation=false\n",
        ways.pex, ways.lsd
    );
    std::fs::create_dir_all(config.join("qBittorrent/config")).unwrap();
    config.file("qBittorrent/config/qBittorrent.conf", &settings);
    let mut command = command(Some(host), "qbittorrent-nox");
    command
        .arg(format!("--profile={}", config.display()))
        .arg(format!("--webui-port={PAGE}"))
        .arg(format!("--save-path={}", folder.display()))
        .arg("--skip-dialog=true")
        .arg(torrent)
        .env("HOME", &**config);
    command
}

fn rtorrent(ways: &Ways, host: &Host, torrent: &Path, folder: &Path, config: &Dir) -> Command {
    let encryption = match ways.secrecy {
        None => "",
        Some(Secrecy::Off) => "none",
        Some(Secrecy::Handshake) => "require,allow_incoming,try_outgoing",
        Some(Secrecy::Require) => "require,require_RC4,allow_incoming,try_outgoing",
    };
    let encryption = match encryption {
        "" => String::new(),
        words => format!("protocol.encryption.set = {words}\n"),
    };
    // Another version than the machine's, see tests/newer.sh.
    let newer = std::env::var("NEWER_RTORRENT").ok();
    let schedule = newer.as_ref().map_or("schedule2", |_| "schedule");
    let state = config.join("state");
    std::fs::create_dir_all(&state).unwrap();
    let [whole, ready] = ["whole", "ready"]
        .map(|name| format!("execute.nothrow=touch,{}", config.join(name).display()));
    let settings = format!(
        "directory.default.set = {}\nsession.path.set = {}\n\
         network.port_range.set = {PORT}-{PORT}\nnetwork.port_random.set = no\n\
         dht.mode.set = disable\nprotocol.pex.set = no\nsystem.daemon.set = true\n\
         trackers.use_udp.set = no\n{encryption}\
         method.set_key = event.download.finished,noted,\"{whole}\"\n\
         method.set_key = event.download.resumed,noted,\"{ready}\"\n\
         method.set_key = event.download.hash_done,noted,\"branch=d.complete=,\\\"{whole}\\\"\"\n\
         {schedule} = add,0,0,\"load.start=\\\"{}\\\"\"\n",
        folder.display(),
        state.display(),
        torrent.display(),
    );
    config.file("rtorrent.rc", &settings);
    let mut command = command(Some(host), newer.as_deref().unwrap_or("rtorrent"));
    command.args(["-n", "-o"]);
    command.arg(format!("import={}", config.join("rtorrent.rc").display()));
    command
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
    command.args((ways.secrecy == Some(Secrecy::Off)).then_some("--plain"));
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
    let utp = ways.utp;
    if let Some(node) = ways.node {
        let line = format!("{} {}\n", node.ip(), node.port());
        config.file("dht.bootstrap", &line);
    }
    let down = ways.down.map_or(1 << 20, |down| down / 1000);
    let encryption = match ways.secrecy {
        None => 1,
        Some(Secrecy::Off) => 0,
        Some(Secrecy::Handshake | Secrecy::Require) => 2,
    };
    let settings = format!(
        r#"{{
        "encryption": {encryption},
        "dht-enabled": {dht}, "pex-enabled": {pex}, "lpd-enabled": {lsd}, "utp-enabled": {utp}, "rpc-enabled": false,
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
        .args(match ways.secrecy {
            None | Some(Secrecy::Off) => None,
            Some(Secrecy::Handshake) => Some("--bt-require-crypto=true"),
            Some(Secrecy::Require) => Some("--bt-force-encryption=true"),
        })
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
