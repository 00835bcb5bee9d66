//! Addresses of peers: where each came from, and when to dial it next. All sources of peers end in
//! [`Candidates::add`]. Each address is dialed by one connection at a time, and after a failure
//! only after a wait that doubles. A useful peer that was lost by a network failure may be back at
//! once: it is dialed soon, and more often than others.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;

use super::ports::Ports;
use crate::base::{Duration, Host, Now, Reach, Rng, SortedMap, SortedSet, limits, sooner};

/// Where an address came from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Source {
    /// The user, with `--peer`.
    User,
    /// A magnet link, with `x.pe` (BEP 9): whoever made it may name anybody. A private torrent
    /// takes it, as it takes the link's trackers: the user has chosen the link.
    Link,
    /// A tracker.
    Tracker,
    /// The local network: the peer itself (BEP 14).
    Local,
    /// A node of the DHT.
    Dht,
    /// Another peer (BEP 11), who may name anybody: such an address is dialed after the others.
    Exchange,
}

/// Whether an address may be dialed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Status {
    /// It may be dialed from this moment on; the random number decides between those due together.
    Waits(Now, u32),
    /// It is being dialed, or the peer that listens there is connected.
    Busy,
    /// The peer that listens there is probably connected, by a connection of its own: it is not
    /// dialed before [`Candidates::release`].
    Withheld,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    source: Source,
    failures: u32,
    /// What other peers say of it (BEP 11).
    flags: u8,
    /// Its connection was of use and was lost by a network failure.
    lost: bool,
    /// A connection to it has been of use.
    worked: bool,
    status: Status,
}

impl Candidate {
    /// A dial to it failed, and it has never been of use.
    fn is_dead(&self) -> bool {
        self.failures > 0 && !self.worked
    }

    /// Its place in [`Candidates::due`].
    fn rank(&self) -> u8 {
        u8::from(self.source == Source::Exchange)
    }
}

/// An address that waits: its rank, when it may be dialed, a random number, itself.
type Due = (u8, Now, u32, SocketAddr);

/// No address is less.
const LEAST: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// The addresses that a torrent knows.
#[derive(Debug)]
pub struct Candidates {
    known: SortedMap<SocketAddr, Candidate>,
    /// Those that wait: the ones that only peers have named behind the others.
    due: SortedSet<Due>,
    /// Addresses that are not worth a dial: until this moment, or (`None`) in this run.
    refused: SortedMap<SocketAddr, Option<Now>>,
    ports: Ports,
    rng: Rng,
}

impl Candidates {
    /// No addresses yet.
    pub fn new(rng: Rng) -> Candidates {
        Candidates {
            known: SortedMap::new(),
            due: SortedSet::new(),
            refused: SortedMap::new(),
            ports: Ports::default(),
            rng,
        }
    }

    /// Adds an address; true if it is new and can be dialed at all.
    pub fn add(&mut self, addr: SocketAddr, source: Source, now: Now) -> bool {
        let addr = canonical(addr);
        let callable = addr.port() != 0 && Reach::of(addr.ip()) != Reach::Nowhere;
        if self.known.contains_key(&addr) {
            self.promote(addr, source);
            return false;
        }
        // Whoever names addresses that lead nowhere keeps none of the better ones out.
        let crowded = source == Source::Exchange && self.due_of(1).count() >= limits::PEX_WAITING;
        if !callable
            || crowded
            || self.is_refused(addr, now)
            || (source != Source::User && !self.has_place(addr.ip(), now))
        {
            return false;
        }
        if self.known.len() >= limits::CANDIDATES && !self.forget_one() {
            return false;
        }
        self.known.insert(
            addr,
            Candidate {
                source,
                failures: 0,
                flags: 0,
                lost: false,
                worked: false,
                status: Status::Busy,
            },
        );
        self.schedule(addr, now);
        // With one address more, another peer of that host may be the one that is connected.
        self.release(addr.ip(), now);
        true
    }

    /// A known address was named by this source, too: the better one counts.
    fn promote(&mut self, addr: SocketAddr, source: Source) {
        let candidate = self.known.get_mut(&addr);
        if let Some(candidate) = candidate.filter(|it| source < it.source) {
            let status = candidate.status;
            self.set_status(addr, Status::Busy);
            if let Some(candidate) = self.known.get_mut(&addr) {
                candidate.source = source;
            }
            self.set_status(addr, status);
        }
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

    /// Whether strangers may name one more port of this host. In the world a host has
    /// [`limits::HOST_PORTS`] places, and a port that failed gives its place to one that is named
    /// later, at the pace of [`Ports`]. Around us each machine knows its own ports.
    fn has_place(&mut self, ip: IpAddr, now: Now) -> bool {
        if Reach::of(ip).is_local() {
            return true;
        }
        let known = || self.known.range(ports(ip));
        let worst = known()
            .filter(|(_, c)| c.source != Source::User && c.failures > 0)
            .filter(|(_, c)| matches!(c.status, Status::Waits(..)))
            .max_by_key(|(_, c)| (c.is_dead(), c.failures));
        let crowded = known().count() >= limits::HOST_PORTS;
        let worst = worst.map(|(&addr, _)| addr).filter(|_| crowded);
        if (crowded && worst.is_none()) || !self.ports.take(ip, now) {
            return false;
        }
        if let Some(addr) = worst {
            // If it were named again, it would take the place of a port that was not tried yet.
            self.forget(addr);
            self.set_refused(addr, Some(now + limits::REDIAL_MOST), now);
        }
        true
    }

    /// How many addresses are known.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// The next address to dial, if one is due. Its dial ends in [`Candidates::on_closed`],
    /// [`Candidates::on_failed`] and the like.
    pub fn next(&mut self, now: Now) -> Option<SocketAddr> {
        let addr = self.peek(now)?;
        self.set_status(addr, Status::Busy);
        Some(addr)
    }

    /// The address that [`Candidates::next`] would give.
    pub fn peek(&self, now: Now) -> Option<SocketAddr> {
        let first = [0, 1].map(|rank| self.due_of(rank).next());
        let due = first.into_iter().flatten().find(|(_, at, _, _)| *at <= now);
        due.map(|&(_, _, _, addr)| addr)
    }

    /// When the next address is due.
    pub fn next_deadline(&self) -> Option<Now> {
        let [first, second] = [0, 1].map(|rank| self.due_of(rank).next().map(|due| due.1));
        sooner(first, second)
    }

    fn due_of(&self, rank: u8) -> impl DoubleEndedIterator<Item = &Due> {
        let from = |rank| (rank, Now::default(), 0, LEAST);
        self.due.range(from(rank)..from(rank + 1))
    }

    /// Whether this address may be that of one of `incoming` peers of its host that dialed us and
    /// whose listening ports are not known: if the host has fewer other addresses to dial than
    /// that. Other addresses to which a dial failed do not count; one that the user named is dialed
    /// anyway.
    pub fn may_be_incoming(&self, addr: SocketAddr, incoming: usize) -> bool {
        let by_user = |c: &Candidate| c.source == Source::User;
        let counts = |c: &Candidate| c.status != Status::Busy && !c.is_dead();
        let others = self.known.range(ports(addr.ip()));
        let others = others.filter(|&(&other, c)| other != addr && counts(c));
        incoming > others.count() && !self.known.get(&addr).is_none_or(by_user)
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

    /// From `at` on, the addresses of this host that [`Candidates::withhold`] kept back may be
    /// dialed.
    pub fn release(&mut self, ip: IpAddr, at: Now) {
        let known = self.known.range(ports(ip.to_canonical()));
        let withheld = known.filter(|(_, c)| c.status == Status::Withheld);
        let withheld: Vec<SocketAddr> = withheld.map(|(&addr, _)| addr).collect();
        withheld
            .into_iter()
            .for_each(|addr| self.schedule(addr, at));
    }

    /// The dial failed, or the connection ended before the peer was of any use: wait, longer each
    /// time, then forget. What the user named is never forgotten, and waits least.
    pub fn on_failed(&mut self, addr: SocketAddr, now: Now) {
        self.fail(addr, limits::REDIAL, now);
    }

    /// Two connections to the peer that listens there are over, each end may have closed a
    /// different one: dialing again soon mends it. To be called after [`Candidates::on_closed`] and
    /// the like.
    pub fn on_crossed(&mut self, addr: SocketAddr, now: Now) {
        let candidate = self.known.get_mut(&addr);
        if let Some(candidate) = candidate.filter(|c| c.status != Status::Busy) {
            // The end of its connection counted already.
            candidate.failures = candidate.failures.saturating_sub(1);
            self.fail(addr, limits::REDIAL_CROSSED, now);
        }
    }

    fn fail(&mut self, addr: SocketAddr, first: Duration, now: Now) {
        let Some(candidate) = self.known.get_mut(&addr) else {
            return;
        };
        let by_user = candidate.source == Source::User;
        if candidate.failures >= limits::DIAL_FAILURES && candidate.lost {
            (candidate.lost, candidate.failures) = (false, 0);
        }
        let doublings = candidate.failures.min(limits::DIAL_FAILURES);
        candidate.failures += 1;
        let (first, most) = if candidate.lost {
            (limits::REDIAL_LOST, limits::REDIAL)
        } else if by_user {
            (limits::REDIAL_USER, limits::REDIAL_MOST)
        } else {
            (first, limits::REDIAL_MOST)
        };
        if candidate.failures > limits::DIAL_FAILURES && !by_user {
            self.forget(addr);
            return;
        }
        let wait = (first * (1 << doublings)).min(most);
        let jitter = Duration::from_millis(self.rng.below(wait.as_millis() as u64 / 4 + 1));
        self.schedule(addr, now + wait + jitter);
    }

    /// We have left the swarm, and the connection with it: if we come back, the peer is dialed
    /// without a wait.
    pub fn on_left(&mut self, addr: SocketAddr, now: Now) {
        self.schedule(addr, now);
    }

    /// A connection that was of use is over: the first wait again.
    pub fn on_closed(&mut self, addr: SocketAddr, now: Now) {
        self.reset(addr, false, now);
    }

    /// A connection that was of use failed, and neither end wanted that: a short wait, doubled up
    /// to [`limits::REDIAL`] for [`limits::DIAL_FAILURES`] failures. After these the address is
    /// dialed as often as others.
    pub fn on_lost(&mut self, addr: SocketAddr, now: Now) {
        self.reset(addr, true, now);
    }

    fn reset(&mut self, addr: SocketAddr, lost: bool, now: Now) {
        if let Some(candidate) = self.known.get_mut(&addr) {
            (candidate.failures, candidate.lost) = (0, lost);
            candidate.worked = true;
            self.on_failed(addr, now);
        }
    }

    /// The address is not worth another dial in this run.
    pub fn refuse(&mut self, addr: SocketAddr, now: Now) {
        self.forget(addr);
        self.set_refused(addr, None, now);
    }

    fn set_refused(&mut self, addr: SocketAddr, until: Option<Now>, now: Now) {
        if self.refused.len() >= limits::BANNED {
            self.refused
                .retain(|_, until| until.is_none_or(|until| until > now));
        }
        if self.refused.len() < limits::BANNED {
            self.refused.insert(addr, until);
        }
    }

    fn is_refused(&self, addr: SocketAddr, now: Now) -> bool {
        let until = self.refused.get(&addr);
        until.is_some_and(|until| until.is_none_or(|until| until > now))
    }

    /// Forgets all addresses of a host: it is banned.
    pub fn forget_host(&mut self, host: Host) {
        let theirs = |known: &&SocketAddr| Host::of(**known) == host;
        let known: Vec<SocketAddr> = self.known.keys().filter(theirs).copied().collect();
        known.into_iter().for_each(|known| self.forget(known));
    }

    fn schedule(&mut self, addr: SocketAddr, at: Now) {
        let tie = self.rng.bits32();
        self.set_status(addr, Status::Waits(at, tie));
    }

    /// The only place, but for [`Candidates::forget`], that changes whether an address is due.
    fn set_status(&mut self, addr: SocketAddr, status: Status) {
        let Some(candidate) = self.known.get_mut(&addr) else {
            return;
        };
        let rank = candidate.rank();
        if let Status::Waits(at, tie) = std::mem::replace(&mut candidate.status, status) {
            self.due.remove(&(rank, at, tie, addr));
        }
        if let Status::Waits(at, tie) = status {
            self.due.insert((rank, at, tie, addr));
        }
    }

    fn forget(&mut self, addr: SocketAddr) {
        self.set_status(addr, Status::Busy);
        self.known.remove(&addr);
    }

    /// Makes room by forgetting the address whose next dial is furthest away, unless it has never
    /// been tried: first of those that only peers have named.
    fn forget_one(&mut self) -> bool {
        let last = [1, 0].into_iter().find_map(|rank| {
            let &(_, _, _, addr) = self.due_of(rank).next_back()?;
            let candidate = self.known.get(&addr)?;
            let tried = candidate.failures > 0 && candidate.source != Source::User;
            tried.then_some(addr)
        });
        last.into_iter().for_each(|addr| self.forget(addr));
        last.is_some()
    }

    /// Whether this address is known.
    pub fn knows(&self, addr: SocketAddr) -> bool {
        self.known.contains_key(&canonical(addr))
    }

    /// Whether any address of this host is known.
    pub fn knows_host(&self, ip: IpAddr) -> bool {
        self.known.range(ports(ip.to_canonical())).next().is_some()
    }

    /// The torrent is private (BEP 27): only addresses of its user, of the link that its user has
    /// named, and of its trackers remain.
    pub fn forget_found(&mut self) {
        let found = self
            .known
            .iter()
            .filter(|(_, c)| c.source > Source::Tracker);
        let found: Vec<SocketAddr> = found.map(|(&addr, _)| addr).collect();
        found.into_iter().for_each(|addr| self.forget(addr));
    }
}

/// The address with its IPv4-mapped IPv6 form replaced by the plain IPv4 one. Only a link-local one
/// keeps the interface that it is at.
fn canonical(addr: SocketAddr) -> SocketAddr {
    match addr {
        SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() => addr,
        _ => SocketAddr::new(addr.ip().to_canonical(), addr.port()),
    }
}

/// All addresses of a host.
fn ports(ip: IpAddr) -> RangeInclusive<SocketAddr> {
    SocketAddr::new(ip, 0)..=SocketAddr::new(ip, u16::MAX)
}

#[cfg(test)]
mod tests;
