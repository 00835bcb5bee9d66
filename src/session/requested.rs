//! What becomes of a request of a peer.

use super::session::Session;
use crate::base::{Block, PeerKey, Time};
use crate::peer::EndReason;
use crate::torrent::{Effect, Slot};

/// Serves a block that a peer asks for, or refuses it.
pub(super) fn answer(
    session: &mut Session,
    key: PeerKey,
    block: Block,
    now: Time,
) -> Result<(), EndReason> {
    let Some((torrent, member)) = session.slots.get_mut(key).and_then(Slot::peer_of_mut) else {
        return Ok(());
    };
    let torrent = &session.torrents[torrent];
    let served = torrent.awake().serves(block.piece);
    let peer = &mut member.peer;
    let choked = peer.choke_state().am_choking;
    if !served || (choked && !peer.may_have_choked(block)) {
        return peer.refuse(block);
    }
    let answer = peer.serve(block);
    (member.offered, member.wasted) = (now, None);
    if let Some(block) = member.next_read_ahead(block, torrent.order.geometry) {
        let torrent = torrent.key;
        session
            .effects
            .push_back(Effect::ReadAhead { torrent, block });
    }
    answer
}
