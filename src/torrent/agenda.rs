//! The slots and torrents that have to be visited: to be planned for, written to, or ended. Slots
//! and torrents that nothing happened to are on none of these lists, and cost nothing.

use std::collections::VecDeque;

use crate::base::{PeerKey, Time, TorrentKey};
use crate::peer::EndReason;

/// Lists of slots and torrents. For each of the first four lists a slot or torrent has a flag that
/// says whether it is on the list.
#[derive(Debug, Default)]
pub struct Agenda {
    /// Something happened to them: they are planned for in this turn, and their deadlines are
    /// looked up again.
    pub torrents: Vec<TorrentKey>,
    /// Something happened to them, or we have something to say: they are planned for in this turn.
    pub touched: VecDeque<PeerKey>,
    /// They could take more requests than we had blocks to request.
    pub wants_more: Vec<PeerKey>,
    /// They have something to send.
    pub unflushed: Vec<PeerKey>,
    /// Connections to be ended in this turn, and why.
    pub closing: Vec<(PeerKey, EndReason)>,
    /// A torrent has begun to leave its swarm: its trackers are told in the next turn at once.
    pub leaving: bool,
    /// When the download limit allows more to be asked for.
    pub ask_at: Option<Time>,
}
