//! A connection's place, and the deadlines of all places. A slot's key is also its socket's.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use crate::base::id::PeerId;
use crate::base::limits;
use crate::base::time::Now;
use crate::peer::peer::Peer;

/// One connection and what the session keeps beside it.
#[derive(Debug)]
pub struct Slot {
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
    /// What it counts as in the session's census.
    pub counted: Counted,
    armed: Option<Now>,
}

impl Slot {
    /// A place for this connection.
    pub fn new(peer: Peer) -> Slot {
        let listens_at = if peer.is_outbound() {
            vec![peer.addr()]
        } else {
            Vec::new()
        };
        Slot {
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
    pub fn is_wasteful(&self, now: Now) -> bool {
        let lately = |at| now.since(at) < limits::BARREN;
        self.wasted.is_some_and(lately) || self.is_unused(now)
    }
}

/// What one connection counts as.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counted {
    pub(super) open: bool,
    pub(super) active: bool,
    pub(super) interested: bool,
    pub(super) served: bool,
}

impl Counted {
    /// What a connection with this machine counts as.
    pub(super) fn of(peer: &Peer) -> Counted {
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
pub(super) struct Ended {
    pub(super) addr: SocketAddr,
    pub(super) outbound: bool,
    pub(super) at: Now,
}

/// Deadlines by slot, soonest first: one a slot, whatever happens. It is only a reminder to look:
/// most deadlines move away before they come, so a slot is armed anew when its reminder comes up,
/// not each time the deadline moves.
#[derive(Debug, Default)]
pub struct Timers(BTreeSet<(Now, usize)>);

impl Timers {
    /// Sees to it that the slot is looked at by `at`.
    pub fn arm(&mut self, key: usize, slot: &mut Slot, at: Option<Now>) {
        let Some(at) = at else { return };
        if slot.armed.is_none_or(|armed| at < armed) {
            self.disarm(key, slot);
            slot.armed = Some(at);
            self.0.insert((at, key));
        }
    }

    /// The slot need not be looked at: its reminder has come up, or it is over.
    pub fn disarm(&mut self, key: usize, slot: &mut Slot) {
        if let Some(at) = slot.armed.take() {
            self.0.remove(&(at, key));
        }
    }

    /// A slot whose reminder has come up: to be disarmed.
    pub fn next_due(&self, now: Now) -> Option<usize> {
        let &(at, key) = self.0.first()?;
        (at <= now).then_some(key)
    }

    /// When the next reminder comes up.
    pub fn next_deadline(&self) -> Option<Now> {
        self.0.first().map(|&(at, _)| at)
    }

    /// How many reminders there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
