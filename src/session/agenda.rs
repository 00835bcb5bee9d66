//! The slots that have to be visited: to be planned for, written to, or ended. Slots that nothing
//! happened to stand on none of these lists, so that they cost nothing.

use std::collections::VecDeque;

use crate::base::key::PeerKey;
use crate::base::time::Now;
use crate::peer::fault::Fault;

/// Lists of slots. A slot says itself whether it stands on the first three.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    /// Something happened to them, or we have something to say: they are planned for in this turn.
    pub touched: VecDeque<PeerKey>,
    /// They could take more requests than there was to ask.
    pub wants_more: Vec<PeerKey>,
    /// They have something to send.
    pub unflushed: Vec<PeerKey>,
    /// Connections to be ended in this turn, and why.
    pub closing: Vec<(PeerKey, Fault)>,
    /// When the download limit allows more to be asked for.
    pub ask_at: Option<Now>,
}
