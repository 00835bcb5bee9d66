//! Bitfields that come before the metadata are there are kept until they are. Those that are longer
//! than other messages are bounded over all peers: where there is no room for one more, the peer
//! with the longest one has to go.

use super::session::Session;
use crate::base::{PeerKey, Time, limits};
use crate::peer::EndReason;
use crate::torrent::Slot;

/// A peer begins to send a bitfield whose frame has so many bytes: it is granted that.
///
/// # Errors
/// There is no room for it, and all others are no longer.
pub(super) fn grant(
    session: &mut Session,
    (key, bytes): (PeerKey, usize),
    now: Time,
) -> Result<(), EndReason> {
    loop {
        let open = session.slots.iter().filter(|(_, slot)| !slot.is_closing());
        let granted = open.filter_map(|(other, slot)| {
            let bytes = slot.member()?.peer.granted_bitfield();
            (bytes > 0 && other != key).then_some((bytes, other))
        });
        let granted: Vec<(usize, PeerKey)> = granted.collect();
        let all: usize = granted.iter().map(|(bytes, _)| bytes).sum();
        if all + bytes <= limits::EARLY_BITFIELDS {
            break;
        }
        match granted.into_iter().max() {
            Some((longest, other)) if longest > bytes => {
                session.hang_up(other, EndReason::Replaced, now);
            }
            _ => return Err(EndReason::Replaced),
        }
    }
    if let Some((_, member)) = session.slots.get_mut(key).and_then(Slot::peer_of_mut) {
        member.peer.grant_bitfield(bytes);
        let limits = member.peer.frame_limits();
        session.torrents.allow_frames(limits);
    }
    Ok(())
}
