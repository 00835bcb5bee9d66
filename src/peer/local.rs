//! What every connection of a torrent says of us.

use crate::base::{Geometry, InfoHash, PeerId};
use crate::wire::Handshake;

/// What every connection of a torrent says of us.
#[derive(Clone, Copy, Debug)]
pub struct Local {
    /// The torrent.
    pub info_hash: InfoHash,
    /// Our name in this run.
    pub peer_id: PeerId,
    /// We are a node of the DHT, and the torrent takes part in it (BEP 5).
    pub dht: bool,
    /// The torrent's measures.
    pub geometry: Geometry,
    /// Bytes of messages that may wait for one peer: more mean that it does not read.
    pub unsent: usize,
}

impl Local {
    /// Our handshake.
    pub fn handshake(&self) -> Handshake {
        let ours = Handshake::ours(self.info_hash, self.peer_id);
        if self.dht { ours.with_dht() } else { ours }
    }
}
