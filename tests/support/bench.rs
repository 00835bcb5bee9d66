//! brooklet on loopback, with folders of its own for content and state.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use super::child::{Child, brooklet};
use super::content::Content;
use super::dir::Dir;
use super::json::Json;
use super::torrent::Torrent;

/// Long enough for anything that is not meant to take long, on a busy machine.
pub const SOON: Duration = Duration::from_secs(20);

/// A torrent, and a place to get it to or seed it from.
#[derive(Debug)]
pub struct Bench {
    /// Holds `torrent`, `content` and `state`.
    pub dir: Dir,
    /// The torrent, without trackers unless [`Bench::trackers`] was called.
    pub torrent: Arc<Torrent>,
}

impl Bench {
    /// One file of this length in pieces of 64 KiB.
    pub fn new(seed: u64, len: usize) -> Bench {
        Bench::of(Torrent::new(
            Content::file(seed, "content.bin", len),
            64 * 1024,
        ))
    }

    /// A torrent.
    pub fn of(torrent: Torrent) -> Bench {
        let dir = Dir::new();
        torrent.write(&dir.join("torrent"), &[]);
        dir.folder("content");
        Bench {
            dir,
            torrent: Arc::new(torrent),
        }
    }

    /// Puts these trackers into the torrent.
    pub fn trackers(&self, urls: &[&str]) {
        self.torrent.write(&self.dir.join("torrent"), urls);
    }

    /// Puts these web seeds into the torrent.
    pub fn name_seeds(&self, urls: &[String]) {
        let whole = self.torrent.with_urls("url-list", urls);
        std::fs::write(self.dir.join("torrent"), whole).unwrap();
    }

    /// The folder for `--dir`.
    pub fn content(&self) -> PathBuf {
        self.dir.join("content")
    }

    /// Writes the whole content, so that there is something to seed.
    pub fn fill(&self) {
        self.torrent.content.write(&self.content());
    }

    /// Completes a command line of brooklet: this torrent, these folders, any port on loopback,
    /// JSON.
    pub fn arguments(&self, command: &mut Command, verb: &str) {
        command.arg(verb).arg(self.dir.join("torrent"));
        command.arg("--dir").arg(self.content());
        command.arg("--state").arg(self.dir.join("state"));
        command.args(["--json", "--port", "0", "--bind", "127.0.0.1"]);
    }

    /// Starts brooklet.
    pub fn run(&self, verb: &str, options: &[&str]) -> Child {
        let mut command = brooklet(None);
        self.arguments(&mut command, verb);
        Child::spawn("brooklet", command.args(options))
    }

    /// Starts a download from these peers.
    pub fn get(&self, peers: &[String], options: &[&str]) -> Child {
        let peers = peers.iter().flat_map(|peer| ["--peer", peer]);
        let options: Vec<&str> = peers.chain(options.iter().copied()).collect();
        self.run("get", &options)
    }

    /// Panics unless the content is complete on disk.
    pub fn assert_whole(&self) {
        self.torrent.content.assert_in(&self.content());
    }
}

/// Where brooklet listens, once it says so.
pub fn listening(child: &mut Child) -> SocketAddr {
    let port = child.event("start", SOON).get("port").count();
    SocketAddr::from((Ipv4Addr::LOCALHOST, u16::try_from(port).unwrap()))
}

/// Waits until brooklet has looked at what is on disk; how many pieces it has.
pub fn checked(child: &mut Child) -> u64 {
    child.event("checked", SOON).get("have").count()
}

/// How many pieces it has verified so far.
pub fn verified(child: &mut Child) -> u64 {
    let passed = |piece: &&Json| piece.get("ok").is_true();
    child.events("piece").iter().filter(passed).count() as u64
}

/// Waits until it has verified this many pieces.
pub fn wait_verified(child: &mut Child, count: usize) {
    let mut passed = 0;
    child.find(&format!("{count} verified pieces"), SOON, |_, line| {
        let piece = Json::parse(line).ok()?;
        let counts = piece.find("event")?.text() == "piece" && piece.get("ok").is_true();
        passed += usize::from(counts);
        (passed >= count).then_some(())
    });
}
