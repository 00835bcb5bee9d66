//! A block has come from a peer or a web seed: whether it is to be written.

use super::session::Session;
use crate::base::{Block, PeerKey, Time};
use crate::pieces::Accepted;
use crate::torrent::Slot;

/// Counts a block, and hands it to the piece table. Whether it is to be written; then others that
/// were asked for it need not send it.
pub(super) fn accept(
    session: &mut Session,
    key: PeerKey,
    (block, data): (Block, &[u8]),
    now: Time,
) -> bool {
    let Some((torrent, from)) = session.slots.get(key).and_then(Slot::sender) else {
        return false;
    };
    let torrent = &mut session.torrents[torrent];
    let content = torrent.awake().pieces.content_of(block);
    torrent.traffic.on_received(content, now);
    session.down.meter.add(content, now);
    let pieces = &mut torrent.awake_mut().pieces;
    if pieces.accept(key, from, block, data) != Accepted::Fresh {
        return false;
    }
    let mut others = Vec::new();
    pieces.also_asked(block, key, &mut others);
    for other in others {
        if let Some(slot) = session.slots.get_mut(other) {
            slot.cancel(block);
            session.touch(other);
        }
    }
    true
}
