//! A connection and what is kept beside it. A slot's key is also its socket's.

use std::net::SocketAddr;

use crate::base::id::PeerId;
use crate::base::key::TorrentKey;
use crate::base::limits;
use crate::base::time::Now;
use crate::peer::peer::Peer;

/// One connection and what is kept beside its machine.
#[derive(Debug)]
pub struct Slot {
    /// The torrent that it is about.
    pub torrent: TorrentKey,
    /// The protocol machine.
    pub peer: Peer,
    /// Its name, once it greeted us.
    pub remote: Option<PeerId>,
    /// Addresses among the candidates at which its peer listens, as far as that is known. They are
    /// not dialed while it is connected.
    pub listens_at: Vec<SocketAddr>,
    /// Pieces it has that we need, or needed when the peers were last told what we have: we are
    /// interested while there are any.
    pub useful: u32,
    /// It could take more requests than there was to ask.
    pub wants_more: bool,
    /// Something happened by which it may be asked for more than when it was asked last.
    pub askable: bool,
    /// Bytes of content that the disk was told to read ahead for it.
    pub read_ahead: u64,
    /// When it was unchoked, or asked for something after that.
    pub offered: Now,
    /// When it was choked last, or else connected.
    pub waits_since: Now,
    /// When it was choked after it had not used its upload slot.
    pub wasted: Option<Now>,
    /// It is on the list of those to plan for.
    pub touched: bool,
    /// It is on the list of those to write to.
    pub unflushed: bool,
    /// What it counts as in its torrent's census.
    pub counted: Counted,
    /// When a reminder to look at it comes up.
    pub armed: Option<Now>,
}

impl Slot {
    /// A slot for this connection.
    pub fn new(torrent: TorrentKey, peer: Peer) -> Slot {
        let listens_at = if peer.is_outbound() {
            vec![peer.addr()]
        } else {
            Vec::new()
        };
        Slot {
            torrent,
            peer,
            remote: None,
            listens_at,
            useful: 0,
            wants_more: false,
            askable: false,
            read_ahead: 0,
            offered: Now::default(),
            waits_since: Now::default(),
            wasted: None,
            touched: false,
            unflushed: false,
            counted: Counted::default(),
            armed: None,
        }
    }

    /// Whether it may ask, says that it wants something, and for [`limits::UNUSED`] neither asked
    /// nor got anything.
    pub fn is_unused(&self, now: Now) -> bool {
        let choke = self.peer.choke_state();
        let may_ask = self.peer.is_open() && choke.peer_interested && !choke.am_choking;
        let served = self.peer.uploads_waiting() > 0 || self.peer.up().rate(now) > 0;
        may_ask && !served && now.since(self.offered) >= limits::UNUSED
    }

    /// Whether that is so, or was so when it might ask last. It is forgotten after
    /// [`limits::BARREN`], so that it is tried again.
    pub fn is_idle_unchoked(&self, now: Now) -> bool {
        let lately = |at| now.since(at) < limits::BARREN;
        self.wasted.is_some_and(lately) || self.is_unused(now)
    }
}

/// What one connection counts as.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counted {
    /// Both ends have sent their handshakes.
    pub open: bool,
    /// It owes us blocks.
    pub active: bool,
    /// It wants something of us.
    pub interested: bool,
    /// It wants something of us and may ask for it.
    pub served: bool,
}

impl Counted {
    /// What a connection with this machine counts as.
    pub fn of(peer: &Peer) -> Counted {
        let (open, choke) = (peer.is_open(), peer.choke_state());
        let interested = open && choke.peer_interested;
        Counted {
            open,
            active: open && peer.in_flight() > 0,
            interested,
            served: interested && !choke.am_choking,
        }
    }
}

/// A connection that ended otherwise than by a decision about its peer.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// The other end.
    pub addr: SocketAddr,
    /// Its name, if it greeted us.
    pub remote: Option<PeerId>,
    /// Whether we dialed it.
    pub outbound: bool,
    /// When it ended.
    pub at: Now,
}
