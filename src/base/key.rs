//! Keys under which the process keeps what there are many of.

/// The key of a connection's slot. A key is reused after its connection is over and forgotten.
pub type PeerKey = usize;

/// The key of a torrent. A key is reused after its torrent is removed.
pub type TorrentKey = usize;
