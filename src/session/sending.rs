//! What goes out to peers: bytes that are ready for the network, what of them counts, and which
//! peer is sent a block next under the upload limits.

use super::budget::Flow;
use super::torrents::Torrents;
use crate::base::{BLOCK, Now, PeerKey, TorrentKey, limits};

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
        self.up.queue.charge(torrent, key, content);
    }

    /// See [`Session::next_upload`](super::Session::next_upload).
    pub(super) fn next_upload(&mut self, now: Now) -> Option<PeerKey> {
        let torrents = &mut *self.torrents;
        self.up
            .next_peer(now, |torrent| own_limit(torrents, torrent, now))
    }

    /// See [`Session::next_upload_at`](super::Session::next_upload_at).
    pub(super) fn next_upload_at(&mut self, now: Now) -> Option<Now> {
        let rate = self.up.bucket.rate().unwrap_or_default();
        let bytes = (rate / limits::SENDS_PER_SECOND).max(u64::from(BLOCK));
        let torrents = &mut *self.torrents;
        self.up
            .next_at(bytes, now, |torrent| own_limit(torrents, torrent, now))
    }
}

/// When the limit of a torrent lets one of its peers have a block; `None`: now.
fn own_limit(torrents: &mut Torrents, torrent: TorrentKey, now: Now) -> Option<Now> {
    let traffic = &mut torrents.get_mut(torrent)?.traffic;
    traffic.up_limit.ready_at(u64::from(BLOCK), now)
}
