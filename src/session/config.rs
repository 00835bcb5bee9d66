//! What a session is started with.

use crate::torrent::{Then, Us};

/// What we call ourselves, and what the process may spend over all torrents.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// What all torrents say of us.
    pub us: Us,
    /// Connections at most.
    pub max_peers: usize,
    /// Bytes for short metadata that are being fetched, all together.
    pub metadata: usize,
    /// Limits in bytes a second.
    pub down: Option<u64>,
    /// See `down`.
    pub up: Option<u64>,
    /// Torrents that download at the same time, at most; `None`: any number.
    pub active: Option<usize>,
    /// What becomes of a torrent that has stayed for as long as it was to.
    pub after_stay: Then,
}
