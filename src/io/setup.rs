//! What the event loop is started with, and how it ends: plain values between a command and
//! [`run`](super::run).

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use super::disk::ContentFiles;
use super::disk::threads::opening::{Due, Opened, Request, StoreParams};
use super::net::Route;
use crate::base::{Bits, Duration, PieceHash, TorrentKey};
use crate::mse::Encryption;
use crate::torrent::{Files, Order, Report, Stay};
use crate::webseed::Content;
use crate::wire::Metainfo;
use crate::wire::magnet::Link;

/// Everything one run needs to know.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The torrent.
    pub metainfo: Arc<Metainfo>,
    /// SHA-1 of each piece, taken out of `metainfo`: only the session needs them.
    pub hashes: Vec<PieceHash>,
    /// Whether to download, and when to stop.
    pub mode: Mode,
    /// Where the content lies: under `dir/NAME`.
    pub dir: PathBuf,
    /// Where it comes from, and where what outlives the run is kept.
    pub origin: Origin,
    /// Port to listen on; `None`: the first free one of 6881 to 6889, `Some(0)`: any.
    pub port: Option<u16>,
    /// Local address or interface to listen on and connect from, and the proxy.
    pub route: Route,
    /// Peers named by the user: host (a name, or an address without brackets) and port.
    pub peers: Vec<(String, u16)>,
    /// Connections at most.
    pub max_peers: usize,
    /// Bytes that buffers may take.
    pub memory: u64,
    /// Limit of what comes in, bytes a second.
    pub down: Option<u64>,
    /// Limit of what goes out, bytes a second.
    pub up: Option<u64>,
    /// Places in `metainfo.files` of the chosen files, ascending; `None`: all.
    pub selection: Option<Vec<usize>>,
    /// Pieces in order, instead of the rarest first.
    pub sequential: bool,
    /// Where peers are looked for.
    pub sources: Sources,
    /// How others are reached.
    pub reaching: Reaching,
    /// The run fails after so long without progress.
    pub timeout: Option<Duration>,
    /// Progress is reported once a second even while nothing changes.
    pub heartbeat: bool,
    /// Whether files that are not this torrent's are written over.
    pub overwrite: bool,
    /// Whether what is on disk is hashed, whatever the resume data says.
    pub recheck: bool,
}

/// Where a torrent comes from.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The `.torrent` file, where it does not lie in `state_dir`.
    pub file: Option<PathBuf>,
    /// What is wanted of a torrent that begins as a link: its metainfo is empty then.
    pub wanted: Option<Wanted>,
    /// Its peers that a link names, as `host:port`.
    pub peers: Vec<String>,
    /// Where resume data is kept.
    pub state_dir: PathBuf,
}

/// What is wanted of a torrent once its metadata are there.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// What is known of it.
    pub link: Link,
    /// The files to be downloaded, as `--files` names them; none: those of the link.
    pub files: Vec<String>,
    /// Only the metadata are.
    pub only: Option<Only>,
}

/// Where metadata go when nothing else of a torrent is wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Only {
    /// To the state folder alone.
    Kept,
    /// To what `-o` names, or (`None`) to `NAME.torrent`.
    Written(Option<PathBuf>),
}

/// How others are reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Reaching {
    /// Whether trackers at local addresses are asked whatever their path.
    pub allow_local: bool,
    /// Whether connections to peers are encrypted.
    pub encryption: Encryption,
}

/// Where peers are looked for, beside those that the user names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sources {
    /// Trackers are asked.
    pub trackers: bool,
    /// The DHT is asked, but for private torrents.
    pub dht: bool,
    /// Peers tell us of others, and we them, but for private torrents.
    pub pex: bool,
    /// The local network is searched, but for private torrents.
    pub lsd: bool,
    /// Web seeds are asked.
    pub web_seeds: bool,
    /// Nodes of the DHT to begin with, host and port; none: the usual ones.
    pub dht_nodes: Vec<(String, u16)>,
    /// Peers are called over uTP, too, and may call.
    pub utp: bool,
}

impl Sources {
    /// What of them there is by this route: through a proxy neither the DHT nor the local network.
    pub fn by(self, route: &Route) -> Sources {
        let direct = !route.has_proxy();
        Sources {
            dht: self.dht && direct,
            lsd: self.lsd && direct,
            utp: self.utp && direct,
            ..self
        }
    }
}

impl Default for Sources {
    fn default() -> Sources {
        Sources {
            trackers: true,
            dht: true,
            pex: true,
            lsd: true,
            web_seeds: true,
            dht_nodes: Vec::new(),
            utp: true,
        }
    }
}

/// What all torrents of a process share.
#[derive(Clone, Copy, Debug)]
pub struct Process {
    /// Connections at most.
    pub max_peers: usize,
    /// Bytes that buffers may take.
    pub memory: u64,
    /// Limit of what comes in, bytes a second.
    pub down: Option<u64>,
    /// Limit of what goes out, bytes a second.
    pub up: Option<u64>,
    /// Torrents that download at the same time, at most; `None`: any number.
    pub active: Option<usize>,
    /// How others are reached.
    pub reaching: Reaching,
    /// Peers are called over uTP, too, and may call.
    pub utp: bool,
    /// Progress is reported once a second even while nothing changes.
    pub heartbeat: bool,
}

impl Setup {
    /// What of the disk a run needs to know.
    pub fn request(&self) -> Request {
        Request {
            metainfo: Arc::clone(&self.metainfo),
            dir: self.dir.clone(),
            state_dir: self.origin.state_dir.clone(),
            download: matches!(self.mode, Mode::Get { .. }),
            selection: self.selection.clone(),
            overwrite: self.overwrite,
            recheck: self.recheck,
            due: Due::Nothing,
        }
    }

    /// The torrent as the session is to run it, and its files.
    pub fn order(self, opened: Opened) -> (Order, ContentFiles, StoreParams) {
        let metainfo = &self.metainfo;
        let layout = opened.content.layout();
        let (download, stay) = match self.mode {
            Mode::Get { stay } => (true, stay),
            Mode::Seed { stay } => (false, stay),
        };
        let order = Order {
            name: metainfo.name.clone(),
            info_hash: metainfo.info_hash,
            size: metainfo.size(),
            geometry: metainfo.geometry,
            files: Files {
                padding: layout.padding(),
                web: web_seeds(metainfo).filter(|_| self.sources.web_seeds && download),
            },
            hashes: self.hashes,
            wanted: match (download, self.selection) {
                (true, Some(chosen)) => layout.select(chosen).pieces,
                (true, None) => Bits::full(metainfo.geometry.pieces()),
                (false, _) => Bits::new(metainfo.geometry.pieces()),
            },
            download,
            stay,
            trusted: opened.verdict.trusted,
            to_hash: opened.verdict.hash,
            doubted: opened.doubted,
            earlier: opened.totals,
            trackers: if self.sources.trackers {
                metainfo.trackers.clone()
            } else {
                Vec::new()
            },
            dht: self.sources.dht && !metainfo.private,
            pex: self.sources.pex && !metainfo.private,
            lsd: self.sources.lsd && !metainfo.private,
            timeout: self.timeout,
            sequential: self.sequential,
            metadata_size: NonZeroU32::new(metainfo.info_size).filter(|_| !metainfo.private),
        };
        (order, opened.content, opened.params)
    }

    /// The torrent as the session is to run it while only a link is known.
    pub fn order_of_link(&self, link: &Link) -> Order {
        let trackers = if self.sources.trackers {
            link.trackers.clone()
        } else {
            Vec::new()
        };
        let (download, stay) = match self.mode {
            Mode::Get { stay } => (true, stay),
            Mode::Seed { stay } => (false, stay),
        };
        Order {
            download,
            stay,
            // Whether it is private is not known yet.
            dht: self.sources.dht,
            pex: self.sources.pex,
            lsd: self.sources.lsd,
            timeout: self.timeout,
            sequential: self.sequential,
            ..Order::of_link(link.info_hash, link.title(), trackers)
        }
    }

    /// What all torrents would share, if there were more of them.
    pub fn process(&self) -> Process {
        Process {
            max_peers: self.max_peers,
            memory: self.memory,
            down: self.down,
            up: self.up,
            active: None,
            reaching: self.reaching,
            utp: self.sources.utp,
            heartbeat: self.heartbeat,
        }
    }
}

/// The web seeds of a torrent, if it has any.
fn web_seeds(metainfo: &Arc<Metainfo>) -> Option<(Vec<String>, Content)> {
    let content = || Content::new(Arc::clone(metainfo));
    let urls = metainfo.web_seeds.clone();
    (!urls.is_empty()).then(|| (urls, content()))
}

/// What a run is for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode {
    /// Download what is missing, then stay or leave.
    Get {
        /// How long to stay once everything selected is there.
        stay: Stay,
    },
    /// Upload what is there; nothing is downloaded.
    Seed {
        /// How long to stay: never [`Stay::No`].
        stay: Stay,
    },
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// What it was for is done.
    Done,
    /// This signal stopped it; state is saved and trackers are told.
    Signal(i32),
    /// It could not go on: `WHAT: WHY`, in one line.
    Failed(String),
}

/// Takes each report that a user may want to read, with its torrent. An error, in one line, ends
/// that torrent, or all: nothing can be reported any more.
pub type Reporter<'a> = dyn FnMut(Option<TorrentKey>, Report) -> Result<(), String> + 'a;
