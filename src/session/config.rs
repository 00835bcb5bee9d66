//! What a session is started with.

use crate::torrent::{Then, Us};
use crate::utp::Utp;

/// What we call ourselves, and what the process may spend over all torrents.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// What all torrents say of us.
    pub us: Us,
    /// Connections at most.
    pub max_peers: usize,
    /// Bytes for short metadata that are being fetched, all together.
    pub metadata: usize,
    /// Bytes that connections over uTP may take, all together; `None`: there are none.
    pub utp: Option<usize>,
    /// Limits in bytes a second.
    pub down: Option<u64>,
    /// See `down`.
    pub up: Option<u64>,
    /// Torrents that download at the same time, at most; `None`: any number.
    pub active: Option<usize>,
    /// What becomes of a torrent that has stayed for as long as it was to.
    pub after_stay: Then,
}

impl Config {
    /// Connections over uTP, if there are to be any. Their seed is another than that of torrents,
    /// which begin alike with and without them.
    pub(super) fn begin_utp(&self, seed: u64) -> Option<Box<Utp>> {
        let begin = |memory| Box::new(Utp::new(memory, self.us.share, !seed));
        self.utp.map(begin)
    }
}
