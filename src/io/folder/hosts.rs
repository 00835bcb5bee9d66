//! Hosts that torrents and links name.

use crate::base::InfoHash;

/// Hosts to be looked up, since torrents name them.
#[derive(Debug, Default)]
pub struct Hosts {
    /// Those of nodes of the DHT, as `host:port`.
    pub nodes: Vec<String>,
    /// Those of peers, and their ports; without an info hash they are peers of all torrents.
    pub peers: Vec<(Option<InfoHash>, String, u16)>,
}
