//! What goes out to peers: bytes that are ready for the network, what of them counts, and which
//! peer is sent a block next under the upload limits.

use slab::Slab;

use super::budget::Flow;
use super::torrents::Torrents;
use crate::base::{BLOCK, PeerKey, Time, TorrentKey, limits};
use crate::torrent::metadata::length;
use crate::torrent::{Effect, Effects, Slot};

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
    pub slots: &'a mut Slab<Slot>,
    pub torrents: &'a mut Torrents,
    pub up: &'a mut Flow,
    pub effects: &'a mut Effects,
}

impl Sending<'_> {
    /// Counts content that was sent to a peer.
    pub(super) fn count(&mut self, torrent: TorrentKey, key: PeerKey, content: u64, now: Time) {
        let traffic = &mut self.torrents[torrent].traffic;
        traffic.on_sent(content, now);
        traffic.up_limit.take(content, now);
        self.up.meter.add(content, now);
        self.up.bucket.take(content, now);
        self.up.queue.charge(torrent, key, content);
    }

    /// See [`Session::await_upload`](super::Session::await_upload).
    pub(super) fn await_upload(&mut self, key: PeerKey) {
        let peer = self.slots.get(key).and_then(Slot::peer_of);
        if let Some((torrent, member)) = peer {
            if member.peer.uploads_waiting() > 0 {
                self.up.queue.join(torrent, key);
            }
        }
    }

    /// See [`Session::next_upload`](super::Session::next_upload). Blocks of metadata go out under
    /// the same limits: the peers whose turn it is to get one are passed over here.
    pub(super) fn next_upload(&mut self, now: Time) -> Option<PeerKey> {
        loop {
            let torrents = &mut *self.torrents;
            let own = |torrent| own_limit(torrents, torrent, now);
            let key = self.up.next_peer(now, own)?;
            if !self.read_metadata(key, now) {
                return Some(key);
            }
            self.await_upload(key);
        }
    }

    /// Has the block of metadata read that a peer waits for, if it may have one now. It counts
    /// under the limits, and not as content.
    pub(super) fn read_metadata(&mut self, key: PeerKey, now: Time) -> bool {
        let Some((torrent, member)) = self.slots.get_mut(key).and_then(Slot::peer_of_mut) else {
            return false;
        };
        let Some(piece) = member.peer.next_metadata(now) else {
            return false;
        };
        let order = &self.torrents[torrent].order;
        let size = order.metadata_size.map_or(0, u32::from);
        let bytes = length(size, piece).unwrap_or(0) as u64;
        self.torrents[torrent].traffic.up_limit.take(bytes, now);
        self.up.bucket.take(bytes, now);
        self.up.queue.charge(torrent, key, bytes);
        self.effects.push_back(Effect::ReadMetadata {
            torrent,
            key,
            piece,
        });
        true
    }

    /// See [`Session::next_upload_at`](super::Session::next_upload_at).
    pub(super) fn next_upload_at(&mut self, now: Time) -> Option<Time> {
        let rate = self.up.bucket.rate().unwrap_or_default();
        let bytes = (rate / limits::SENDS_PER_SECOND).max(u64::from(BLOCK));
        let torrents = &mut *self.torrents;
        self.up
            .next_at(bytes, now, |torrent| own_limit(torrents, torrent, now))
    }
}

/// When the limit of a torrent lets one of its peers have a block; `None`: now.
fn own_limit(torrents: &mut Torrents, torrent: TorrentKey, now: Time) -> Option<Time> {
    let traffic = &mut torrents.get_mut(torrent)?.traffic;
    traffic.up_limit.ready_at(u64::from(BLOCK), now)
}
