//! What goes out to peers: bytes that are ready for the network, what of them counts, and which
//! peer is sent a block next under the upload limits.

use slab::Slab;

use super::budget::Flow;
use super::torrents::Torrents;
use crate::base::{BLOCK, Now, PeerKey, TorrentKey, limits};
use crate::torrent::Slot;

/// Bytes as they go onto the network. Only [`Session::seal`](super::Session::seal) makes them, and
/// a peer's socket takes nothing else.
#[derive(Clone, Copy, Debug)]
pub struct Sealed<'a>(&'a [u8]);

impl<'a> Sealed<'a> {
    /// These bytes are ready.
    pub(super) fn new(bytes: &'a [u8]) -> Sealed<'a> {
        Sealed(bytes)
    }

    /// The bytes.
    pub fn bytes(self) -> &'a [u8] {
        self.0
    }
}

/// What of the session has to do with uploading.
pub(super) struct Sending<'a> {
    pub slots: &'a Slab<Slot>,
    pub torrents: &'a mut Torrents,
    pub up: &'a mut Flow,
}

impl Sending<'_> {
    /// Counts content that was sent to a peer.
    pub(super) fn count(&mut self, torrent: TorrentKey, key: PeerKey, content: u64, now: Now) {
        let traffic = &mut self.torrents[torrent].traffic;
        traffic.up.add(content, now);
        traffic.up_limit.take(content, now);
        self.up.meter.add(content, now);
        self.up.bucket.take(content, now);
        self.up.queue.charge(key, content);
    }

    /// See [`Session::next_turn`](super::Session::next_turn).
    pub(super) fn next_turn(&mut self, now: Now) -> Option<PeerKey> {
        let (slots, torrents) = (self.slots, &mut *self.torrents);
        self.up
            .next_turn(now, |key| own_turn(slots, torrents, key, now))
    }

    /// See [`Session::turn_at`](super::Session::turn_at).
    pub(super) fn turn_at(&mut self, now: Now) -> Option<Now> {
        let rate = self.up.bucket.rate().unwrap_or_default();
        let bytes = (rate / limits::TURNS_PER_SECOND).max(u64::from(BLOCK));
        let (slots, torrents) = (self.slots, &mut *self.torrents);
        self.up
            .turn_at(bytes, now, |key| own_turn(slots, torrents, key, now))
    }
}

/// When the limit of its torrent lets a peer have a block; `None`: now.
fn own_turn(slots: &Slab<Slot>, torrents: &mut Torrents, key: PeerKey, now: Now) -> Option<Now> {
    let torrent = torrents.get_mut(slots.get(key)?.torrent?)?;
    torrent.traffic.up_limit.ready_at(u64::from(BLOCK), now)
}
