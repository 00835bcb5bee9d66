//! Addresses of peers: who named each, and when to dial it again. All sources of peers end in
//! [`Candidates::add`]. Each address is dialed by one connection at a time, and after a failure
//! only after a wait that doubles. A useful peer that was lost by a network failure may be back at
//! once: it is dialed soon, and more often than others. Which of those that are due is dialed, and
//! which is forgotten where room is short, is decided in `dial_order`.

mod forms;
mod hosts;

use std::net::SocketAddr;

use forms::Known;
pub use forms::Tcp;

use super::dial_order::{Again, DialOrder, DialPlace};
use super::ports::Ports;
use super::refused::Refused;
use super::source::{Namer, Source};
use crate::base::reach::{canonical, lacks_interface, stands_for};
use crate::base::{Duration, PeerKey, Reach, Rng, SortedMap, Time, limits};
use crate::wire::extended::exchange::HOLE_PUNCH;

/// Whether an address may be dialed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Status {
    /// It waits for its turn.
    Waits(DialPlace),
    /// It is being dialed, or the peer that listens there is connected.
    Busy,
    /// The peer that listens there is probably connected, by a connection of its own: it is not
    /// dialed before [`Candidates::release`].
    Withheld,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    by: Namer,
    failures: u32,
    /// When the last dial or connection failed.
    failed: Time,
    /// What other peers say of it (BEP 11).
    flags: u8,
    /// The connection of the peer that named it last.
    introducer: Option<u32>,
    /// Its connection was of use and was lost by a network failure.
    lost: bool,
    /// A connection to it has been of use.
    worked: bool,
    form: Known,
    status: Status,
}

impl Candidate {
    /// A dial to it failed, and it has never been of use.
    fn is_dead(&self) -> bool {
        self.failures > 0 && !self.worked
    }

    /// It was dialed, or kept back for a while, or the user named it.
    fn was_tried(&self) -> bool {
        !matches!(self.status, Status::Waits(place) if place.is_untried())
    }

    /// Only nodes or peers, who may name anybody, have named it, and it has never been of use.
    fn is_doubtful(&self) -> bool {
        matches!(self.by.source, Source::Dht | Source::Exchange) && !self.worked
    }

    /// How often it is dialed again.
    fn repeats(&self) -> u32 {
        match self.by.source {
            Source::User => u32::MAX,
            _ if self.is_doubtful() => limits::DIAL_FAILURES_DOUBTFUL,
            _ => limits::DIAL_FAILURES,
        }
    }
}

/// The addresses that a torrent knows.
#[derive(Debug)]
pub struct Candidates {
    known: SortedMap<SocketAddr, Candidate>,
    /// Those that wait.
    order: DialOrder,
    /// How many are [`Status::Busy`].
    busy: u32,
    /// How many others there may be.
    room: u32,
    refused: Refused,
    ports: Ports,
    rng: Rng,
}

impl Candidates {
    /// No addresses yet.
    pub fn new(rng: Rng) -> Candidates {
        Candidates {
            known: SortedMap::new(),
            order: DialOrder::default(),
            busy: 0,
            room: limits::CANDIDATES as u32,
            refused: Refused::default(),
            ports: Ports::default(),
            rng,
        }
    }

    /// Adds an address; true if it is new and can be dialed at all.
    pub fn add(&mut self, addr: SocketAddr, by: impl Into<Namer>, now: Time) -> bool {
        let (addr, by) = (canonical(addr), by.into());
        let is_users = by.source == Source::User;
        // Names are told by the user and by links alone.
        let named = matches!(by.source, Source::User | Source::Link);
        let leads =
            Reach::of(addr.ip()) != Reach::Nowhere && (named || stands_for(addr.ip()).is_none());
        // Of what its user has named, the user hears why it cannot be dialed.
        let callable = addr.port() != 0 && leads && (is_users || !lacks_interface(addr));
        if self.known.contains_key(&addr) {
            self.promote(addr, by, now);
            return false;
        }
        if !callable
            || self.refused.has(addr, now)
            || !(is_users || self.has_place(addr.ip(), by, now))
            || !(is_users || self.make_room(by, now))
        {
            return false;
        }
        self.busy += 1;
        self.known.insert(
            addr,
            Candidate {
                by,
                failures: 0,
                failed: now,
                flags: 0,
                introducer: None,
                lost: false,
                worked: false,
                form: Known::default(),
                status: Status::Busy,
            },
        );
        self.enter(addr, now);
        // With one address more, another peer of that host may be the one that is connected.
        self.release(addr.ip(), now);
        true
    }

    /// Brings addresses that were named together into a random order: all who hear a tracker's
    /// answer would dial the same ones first.
    pub fn mix(&mut self, addrs: &[SocketAddr]) -> Vec<SocketAddr> {
        let mut addrs = addrs.to_vec();
        self.rng.shuffle(&mut addrs);
        addrs
    }

    /// An address that was not tried yet takes its place.
    fn enter(&mut self, addr: SocketAddr, now: Time) {
        if let Some(by) = self.known.get(&addr).map(|candidate| candidate.by) {
            let place = self.order.place_of(by, self.rng.bits32(), now);
            self.set_status(addr, Status::Waits(place));
        }
    }

    /// A known address was named by this one, too: the better one counts.
    fn promote(&mut self, addr: SocketAddr, by: Namer, now: Time) {
        let candidate = self.known.get(&addr).copied();
        let Some(candidate) = candidate.filter(|it| by.source < it.by.source) else {
            return;
        };
        self.set_status(addr, Status::Busy);
        if let Some(candidate) = self.known.get_mut(&addr) {
            candidate.by = by;
        }
        match candidate.status {
            Status::Waits(place) if place.is_untried() => self.enter(addr, now),
            Status::Waits(place) => self.schedule(addr, place.due_at()),
            status => self.set_status(addr, status),
        }
    }

    /// The peer itself has just said that it is there. If it failed before, it is dialed again
    /// soon, though not at once each time: anybody may say so.
    pub fn hear(&mut self, addr: SocketAddr, now: Time) {
        let addr = canonical(addr);
        let Some(candidate) = self.known.get(&addr).filter(|it| it.failures > 0) else {
            return;
        };
        if let Status::Waits(place) = candidate.status {
            let doublings = (candidate.failures - 1).min(limits::DIAL_FAILURES);
            let at = candidate.failed + limits::REDIAL_HEARD * (1 << doublings);
            if at.max(now) < place.due_at() {
                self.schedule(addr, at.max(now));
            }
        }
    }

    /// How many addresses there may be beside those that are connected. Those that are too many
    /// are forgotten.
    pub fn set_room(&mut self, room: usize, now: Time) {
        self.room = room as u32;
        while self.waiting() > room {
            let Some(last) = self.order.last(None) else {
                return;
            };
            self.drop(last, now);
        }
    }

    /// Makes room for one more address of this namer, unless it would be the last of all itself.
    fn make_room(&mut self, by: Namer, now: Time) -> bool {
        if self.waiting() < self.room as usize {
            return true;
        }
        let newcomer = self.order.place_of(by, 0, now);
        let last = self.order.last(Some(newcomer));
        last.into_iter().for_each(|last| self.drop(last, now));
        last.is_some()
    }

    /// Notes what another peer says of a known address, as BEP 11 numbers it.
    pub fn mark(&mut self, addr: SocketAddr, flags: u8) {
        if let Some(candidate) = self.known.get_mut(&canonical(addr)) {
            candidate.flags |= flags;
        }
    }

    /// What other peers say of an address.
    pub fn flags(&self, addr: SocketAddr) -> u8 {
        let candidate = self.known.get(&canonical(addr));
        candidate.map_or(0, |candidate| candidate.flags)
    }

    /// Notes which peer names a known address.
    pub fn introduce(&mut self, addr: SocketAddr, by: PeerKey) {
        if let Some(candidate) = self.known.get_mut(&canonical(addr)) {
            candidate.introducer = u32::try_from(by).ok();
        }
    }

    /// The peer, or another one that has its key by now, that named an address last and said that
    /// hole punching is spoken there (BEP 55).
    pub fn introducer(&self, addr: SocketAddr) -> Option<PeerKey> {
        let candidate = self.known.get(&canonical(addr))?;
        let speaks = candidate.flags & HOLE_PUNCH != 0;
        candidate
            .introducer
            .filter(|_| speaks)
            .map(|key| key as PeerKey)
    }

    /// How many addresses are known.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// How many of them are not connected, nor being dialed.
    pub fn waiting(&self) -> usize {
        self.known.len() - self.busy as usize
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// The next address to dial, if one is due. Its dial ends in [`Candidates::on_closed`],
    /// [`Candidates::on_failed`] and the like.
    pub fn next(&mut self, now: Time) -> Option<SocketAddr> {
        let addr = self.order.take_turn(now)?;
        self.set_status(addr, Status::Busy);
        Some(addr)
    }

    /// The address that [`Candidates::next`] would give.
    pub fn peek(&self, now: Time) -> Option<SocketAddr> {
        self.order.peek(now)
    }

    /// When the next address is due.
    pub fn next_deadline(&self) -> Option<Time> {
        self.order.next_deadline()
    }

    /// Counts an address as connected, so that it is not dialed until its connection is over; false
    /// if it is unknown, or connected already.
    pub fn occupy(&mut self, addr: SocketAddr) -> bool {
        let free = self
            .known
            .get(&addr)
            .is_some_and(|c| c.status != Status::Busy);
        self.set_status(addr, Status::Busy);
        free
    }

    /// Does not dial an address until [`Candidates::release`].
    pub fn withhold(&mut self, addr: SocketAddr) {
        self.set_status(addr, Status::Withheld);
    }

    /// The dial failed, or the connection ended before the peer was of any use: wait, longer each
    /// time, then forget. What the user named is never forgotten, and waits least.
    pub fn on_failed(&mut self, addr: SocketAddr, now: Time) {
        self.fail(addr, limits::REDIAL, now);
    }

    /// Two connections to the peer that listens there are over, each end may have closed a
    /// different one: dialing again soon mends it. To be called after [`Candidates::on_closed`] and
    /// the like.
    pub fn on_crossed(&mut self, addr: SocketAddr, now: Time) {
        let candidate = self.known.get_mut(&addr);
        if let Some(candidate) = candidate.filter(|c| c.status != Status::Busy) {
            // The end of its connection counted already.
            candidate.failures = candidate.failures.saturating_sub(1);
            self.fail(addr, limits::REDIAL_CROSSED, now);
        }
    }

    fn fail(&mut self, addr: SocketAddr, first: Duration, now: Time) {
        let Some(candidate) = self.known.get_mut(&addr) else {
            return;
        };
        let by_user = candidate.by.source == Source::User;
        if candidate.failures >= limits::DIAL_FAILURES && candidate.lost {
            (candidate.lost, candidate.failures) = (false, 0);
        }
        candidate.form.on_failed();
        let doublings = candidate.failures.min(limits::DIAL_FAILURES);
        candidate.failures += 1;
        candidate.failed = now;
        let (first, most) = if candidate.lost {
            (limits::REDIAL_LOST, limits::REDIAL)
        } else if by_user {
            (limits::REDIAL_USER, limits::REDIAL_MOST)
        } else {
            (first, limits::REDIAL_MOST)
        };
        if candidate.failures > candidate.repeats() {
            self.drop(addr, now);
            return;
        }
        let wait = (first * (1 << doublings)).min(most);
        let jitter = Duration::from_millis(self.rng.below(wait.as_millis() as u64 / 4 + 1));
        self.schedule(addr, now + wait + jitter);
    }

    /// We have left the swarm, and the connection with it: if we come back, the peer is dialed
    /// without a wait.
    pub fn on_left(&mut self, addr: SocketAddr, now: Time) {
        self.schedule(addr, now);
    }

    /// A connection that was of use is over: the first wait again.
    pub fn on_closed(&mut self, addr: SocketAddr, now: Time) {
        self.reset(addr, false, now);
    }

    /// A connection that was of use failed, and neither end wanted that: a short wait, doubled up
    /// to [`limits::REDIAL`] for [`limits::DIAL_FAILURES`] failures. After these the address is
    /// dialed as often as others.
    pub fn on_lost(&mut self, addr: SocketAddr, now: Time) {
        self.reset(addr, true, now);
    }

    fn reset(&mut self, addr: SocketAddr, lost: bool, now: Time) {
        if let Some(candidate) = self.known.get_mut(&addr) {
            (candidate.failures, candidate.lost) = (0, lost);
            candidate.worked = true;
            self.on_failed(addr, now);
        }
    }

    /// The address is not worth another dial in this run.
    pub fn refuse(&mut self, addr: SocketAddr, now: Time) {
        if self.known.contains_key(&addr) {
            self.owe(addr.ip(), now);
        }
        self.forget(addr);
        self.refused.add(addr, None, now);
    }

    /// An address that was tried, or withheld, waits until then.
    fn schedule(&mut self, addr: SocketAddr, at: Time) {
        if let Some(&Candidate { by, worked, .. }) = self.known.get(&addr) {
            let again = Again { by, worked, at };
            let place = self.order.place_again(again, self.rng.bits32());
            self.set_status(addr, Status::Waits(place));
        }
    }

    /// The only place that changes whether an address waits, or is busy.
    fn set_status(&mut self, addr: SocketAddr, status: Status) {
        let Some(candidate) = self.known.get_mut(&addr) else {
            return;
        };
        match std::mem::replace(&mut candidate.status, status) {
            Status::Waits(place) => self.order.remove(addr, candidate.by, place),
            Status::Busy => self.busy -= 1,
            Status::Withheld => {}
        }
        match status {
            Status::Waits(place) => self.order.insert(addr, candidate.by, place),
            Status::Busy => self.busy += 1,
            Status::Withheld => {}
        }
    }

    fn forget(&mut self, addr: SocketAddr) {
        self.set_status(addr, Status::Withheld);
        self.known.remove(&addr);
    }

    /// Forgets an address. If it was dialed, its host is not to be scanned by the next ones.
    fn drop(&mut self, addr: SocketAddr, now: Time) {
        if self.known.get(&addr).is_some_and(Candidate::was_tried) {
            self.owe(addr.ip(), now);
        }
        self.forget(addr);
    }

    /// Whether only nodes or peers have named this address, and it has never been of use.
    pub fn is_doubtful(&self, addr: SocketAddr) -> bool {
        self.known.get(&addr).is_some_and(Candidate::is_doubtful)
    }

    /// Whether this address is known.
    pub fn knows(&self, addr: SocketAddr) -> bool {
        self.known.contains_key(&canonical(addr))
    }

    /// The torrent is private (BEP 27): only addresses of its user, of the link that its user has
    /// named, and of its trackers remain.
    pub fn forget_found(&mut self) {
        let found = self
            .known
            .iter()
            .filter(|(_, c)| c.by.source > Source::Tracker);
        let found: Vec<SocketAddr> = found.map(|(&addr, _)| addr).collect();
        found.into_iter().for_each(|addr| self.forget(addr));
    }
}

#[cfg(test)]
mod tests;
