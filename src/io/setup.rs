//! What the event loop is started with, and how it ends: plain values between a command and
//! [`run`](super::run).

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use crate::base::id::PieceHash;
use crate::base::time::Duration;
pub use crate::torrent::order::Stay;
use crate::wire::metainfo::Metainfo;

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
    /// Where resume data is kept.
    pub state_dir: PathBuf,
    /// Port to listen on; `None`: the first free one of 6881 to 6889, `Some(0)`: any.
    pub port: Option<u16>,
    /// Local address to listen on and connect from; `None`: all, IPv4 and IPv6.
    pub bind: Option<IpAddr>,
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
    /// Whether trackers are asked.
    pub trackers: bool,
    /// Whether trackers at local addresses are asked whatever their path.
    pub allow_local: bool,
    /// The run fails after so long without progress.
    pub timeout: Option<Duration>,
    /// Progress is reported once a second even while nothing changes.
    pub heartbeat: bool,
    /// Whether files that are not this torrent's are written over.
    pub overwrite: bool,
    /// Whether what is on disk is hashed, whatever the resume data says.
    pub recheck: bool,
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
