//! Addresses of peers: where each came from, when to call it next, and who is banned. All sources of peers end in
//! [`Candidates::add`]; each address is called by one connection at a time, and after a failure only after a wait that doubles. A peer that
//! was of use and that the network took from us may be back at once: it is called soon, and more often than others.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};

use crate::base::host::Host;
use crate::base::limits;
use crate::base::reach::Reach;
use crate::base::rng::Rng;
use crate::base::time::{Duration, Now};

/// Who named an address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Source {
    /// The user, with `--peer`.
    User,
    /// A tracker.
    Tracker,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    source: Source,
    failures: u32,
    /// The network took it from us when it had been of use.
    lost: bool,
    /// When it may be called, and a random number that decides between those due together. `None`: it is being called.
    turn: Option<(Now, u32)>,
}

/// The addresses that a torrent knows.
#[derive(Debug)]
pub struct Candidates {
    known: BTreeMap<SocketAddr, Candidate>,
    due: BTreeSet<(Now, u32, SocketAddr)>,
    refused: BTreeSet<SocketAddr>,
    /// In the order in which they were banned.
    banned: VecDeque<SocketAddr>,
    banned_hosts: BTreeSet<Host>,
    rng: Rng,
}

impl Candidates {
    /// No addresses yet.
    pub fn new(rng: Rng) -> Candidates {
        Candidates {
            known: BTreeMap::new(),
            due: BTreeSet::new(),
            refused: BTreeSet::new(),
            banned: VecDeque::new(),
            banned_hosts: BTreeSet::new(),
            rng,
        }
    }

    /// Adds an address; true if it is new and can be called at all.
    pub fn add(&mut self, addr: SocketAddr, source: Source, now: Now) -> bool {
        let addr = canonical(addr);
        let callable = addr.port() != 0 && Reach::of(addr.ip()) != Reach::Nowhere;
        if !callable
            || (source != Source::User && self.is_crowded(addr.ip()))
            || self.known.contains_key(&addr)
            || self.refused.contains(&addr)
            || self.is_banned(addr)
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
                lost: false,
                turn: None,
            },
        );
        self.schedule(addr, now);
        true
    }

    /// Whether strangers named so many ports of this host that another is not called. Around us, each knows his own.
    fn is_crowded(&self, ip: IpAddr) -> bool {
        if Reach::of(ip).is_local() {
            return false;
        }
        let ports = SocketAddr::new(ip, 0)..=SocketAddr::new(ip, u16::MAX);
        let known = self.known.range(ports.clone()).count();
        known + self.refused.range(ports).count() >= limits::HOST_PORTS
    }

    /// How many addresses are known.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// The next address to call, if one is due. Its call ends in [`Candidates::on_closed`] or [`Candidates::on_failed`].
    pub fn next(&mut self, now: Now) -> Option<SocketAddr> {
        let &(at, tie, addr) = self.due.first()?;
        if at > now {
            return None;
        }
        self.due.remove(&(at, tie, addr));
        if let Some(candidate) = self.known.get_mut(&addr) {
            candidate.turn = None;
        }
        Some(addr)
    }

    /// The address that [`Candidates::next`] would give.
    pub fn peek(&self, now: Now) -> Option<SocketAddr> {
        let due = self.due.first().filter(|(at, _, _)| *at <= now);
        due.map(|&(_, _, addr)| addr)
    }

    /// When the next address is due.
    pub fn next_deadline(&self) -> Option<Now> {
        self.due.first().map(|&(at, _, _)| at)
    }

    /// The call failed, or ended before the peer was of any use: wait, longer each time, then forget. What the user named is never
    /// forgotten, and waits least.
    pub fn on_failed(&mut self, addr: SocketAddr, now: Now) {
        self.fail(addr, limits::REDIAL, now);
    }

    /// The call crossed another one on the way. If both ends gave up theirs, calling again soon mends it.
    pub fn on_crossed(&mut self, addr: SocketAddr, now: Now) {
        self.fail(addr, limits::REDIAL_USER, now);
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
        let (first, most) = match candidate.lost {
            true => (limits::REDIAL_LOST, limits::REDIAL),
            false if by_user => (limits::REDIAL_USER, limits::REDIAL_MOST),
            false => (first, limits::REDIAL_MOST),
        };
        if candidate.failures > limits::DIAL_FAILURES && !by_user {
            self.forget(addr);
            return;
        }
        let wait = (first * (1 << doublings)).min(most);
        let jitter = Duration::from_millis(self.rng.below(wait.as_millis() as u64 / 4 + 1));
        self.schedule(addr, now + wait + jitter);
    }

    /// A connection that was of use is over: the first wait again.
    pub fn on_closed(&mut self, addr: SocketAddr, now: Now) {
        self.reset(addr, false, now);
    }

    /// A connection that was of use failed, and neither end wanted that: a short wait, and for some failures none longer than the first
    /// after others.
    pub fn on_lost(&mut self, addr: SocketAddr, now: Now) {
        self.reset(addr, true, now);
    }

    fn reset(&mut self, addr: SocketAddr, lost: bool, now: Now) {
        if let Some(candidate) = self.known.get_mut(&addr) {
            (candidate.failures, candidate.lost) = (0, lost);
            self.on_failed(addr, now);
        }
    }

    /// The address is not worth another call in this run.
    pub fn refuse(&mut self, addr: SocketAddr) {
        self.forget(addr);
        if self.refused.len() < limits::BANNED {
            self.refused.insert(addr);
        }
    }

    /// Never again, in neither direction, and whoever else is of its [`Host`]: if a port were enough to come back, a ban would mean
    /// nothing. With too many, those banned first are forgotten.
    pub fn ban(&mut self, addr: SocketAddr) {
        let (addr, host) = (canonical(addr), Host::of(addr));
        let theirs = |known: &&SocketAddr| Host::of(**known) == host;
        let known: Vec<SocketAddr> = self.known.keys().filter(theirs).copied().collect();
        known.into_iter().for_each(|known| self.forget(known));
        if !self.banned_hosts.insert(host) {
            return;
        }
        self.banned.push_back(addr);
        if self.banned.len() > limits::BANNED {
            let first = self.banned.pop_front();
            first.map(|first| self.banned_hosts.remove(&Host::of(first)));
        }
    }

    /// Whether [`Candidates::ban`] covers this address.
    pub fn is_banned(&self, addr: SocketAddr) -> bool {
        self.banned_hosts.contains(&Host::of(addr))
    }

    /// The addresses that [`Candidates::ban`] was told of, one for each host.
    pub fn banned(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.banned.iter().copied()
    }

    fn schedule(&mut self, addr: SocketAddr, at: Now) {
        let tie = self.rng.bits32();
        if let Some(candidate) = self.known.get_mut(&addr) {
            candidate.turn = Some((at, tie));
            self.due.insert((at, tie, addr));
        }
    }

    fn forget(&mut self, addr: SocketAddr) {
        if let Some((at, tie)) = self
            .known
            .remove(&addr)
            .and_then(|candidate| candidate.turn)
        {
            self.due.remove(&(at, tie, addr));
        }
    }

    /// Makes room by forgetting the address whose turn is furthest away, unless it has never been tried.
    fn forget_one(&mut self) -> bool {
        let Some(&(_, _, addr)) = self.due.last() else {
            return false;
        };
        let tried = self
            .known
            .get(&addr)
            .is_some_and(|c| c.failures > 0 && c.source != Source::User);
        if tried {
            self.forget(addr);
        }
        tried
    }
}

/// IPv4 addresses that arrive in IPv6 clothes are the same hosts.
fn canonical(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Now {
        Now::from_micros(seconds * 1_000_000)
    }

    fn addr(last: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, last], 6881))
    }

    #[test]
    fn each_address_is_called_by_one_connection_at_a_time() {
        let mut candidates = Candidates::new(Rng::from_seed(1));
        assert!(candidates.is_empty());
        assert!(candidates.add(addr(1), Source::Tracker, at(0)));
        assert!(!candidates.add(addr(1), Source::Tracker, at(0)));
        assert_eq!(
            (candidates.next(at(0)), candidates.next(at(0))),
            (Some(addr(1)), None)
        );
        assert!(
            !candidates.add(addr(1), Source::Tracker, at(0)),
            "it is being called"
        );
        candidates.on_closed(addr(1), at(10));
        assert_eq!(candidates.next(at(69)), None);
        assert_eq!(candidates.next(at(10 + 75)), Some(addr(1)));
    }

    /// Calls the first address until it is forgotten: when that is, and the waits before each call, in milliseconds.
    fn never_answers(candidates: &mut Candidates) -> (Now, Vec<u64>) {
        let (mut now, mut waits) = (at(0), Vec::new());
        while let Some(due) = candidates.next_deadline() {
            waits.push(due.since(now).as_millis() as u64);
            now = due;
            assert_eq!(candidates.next(now), Some(addr(1)));
            candidates.on_failed(addr(1), now);
        }
        (now, waits)
    }

    #[test]
    fn waits_double_and_then_the_address_is_forgotten() {
        let mut candidates = Candidates::new(Rng::from_seed(1));
        candidates.add(addr(1), Source::Tracker, at(0));
        let (now, waits) = never_answers(&mut candidates);
        assert_eq!(waits.len() as u32, limits::DIAL_FAILURES + 1);
        for (n, wait) in waits.iter().skip(1).enumerate() {
            let least = (60 << n).min(limits::REDIAL_MOST.as_secs());
            assert!((least * 1000..=least * 1250).contains(wait), "{waits:?}");
        }
        assert!(
            candidates.add(addr(1), Source::Tracker, now),
            "named again, it is new again"
        );
    }

    /// The first address, whose connection the network took at once.
    fn lost() -> Candidates {
        let mut candidates = Candidates::new(Rng::from_seed(1));
        candidates.add(addr(1), Source::Tracker, at(0));
        candidates.next(at(0));
        candidates.on_lost(addr(1), at(0));
        candidates
    }

    #[test]
    fn what_the_network_took_is_called_soon_and_then_as_others_are() {
        let (_, waits) = never_answers(&mut lost());
        let first = limits::REDIAL_LOST.as_secs();
        assert_eq!(first, 5);
        let least = [first, 10, 20, 40, 60, 60, 60, 120, 240, 480, 960, 1800];
        assert_eq!(waits.len(), least.len(), "{waits:?}");
        for (wait, least) in waits.iter().zip(least) {
            assert!((least * 1000..=least * 1250).contains(wait), "{waits:?}");
        }
    }

    #[test]
    fn who_was_lost_and_hung_up_later_waits_as_others_do() {
        let mut candidates = lost();
        assert_eq!(candidates.next(at(7)), Some(addr(1)));
        candidates.on_closed(addr(1), at(100));
        assert_eq!(candidates.next(at(159)), None);
    }

    #[test]
    fn bans_cover_the_host_but_not_this_machine() {
        let mut candidates = Candidates::new(Rng::from_seed(1));
        let other_port = SocketAddr::from(([10, 0, 0, 1], 1));
        assert!(candidates.add(other_port, Source::Tracker, at(0)));
        candidates.ban(addr(1));
        assert_eq!(candidates.next(at(0)), None, "it is not called either");
        assert!(
            candidates.is_banned(other_port) && !candidates.add(other_port, Source::User, at(0))
        );
        let here = |port| SocketAddr::from(([127, 0, 0, 1], port));
        candidates.ban(here(1));
        assert!(candidates.is_banned(here(1)) && !candidates.is_banned(here(2)));
        let mapped: SocketAddr = "[::ffff:10.0.0.1]:6881".parse().unwrap();
        assert!(candidates.is_banned(mapped));
    }

    fn numbered(number: usize) -> SocketAddr {
        let [_, b, c, d] = (number as u32).to_be_bytes();
        SocketAddr::from(([10, b, c, d], 7))
    }

    #[test]
    fn addresses_that_are_being_called_are_not_forgotten_for_others() {
        let mut candidates = Candidates::new(Rng::from_seed(1));
        for number in 0..limits::CANDIDATES {
            assert!(candidates.add(numbered(number), Source::Tracker, at(0)));
            assert!(candidates.next(at(0)).is_some());
        }
        let one_more = numbered(limits::CANDIDATES);
        assert!(!candidates.add(one_more, Source::Tracker, at(0)));
        candidates.on_failed(numbered(7), at(0));
        assert!(candidates.add(one_more, Source::Tracker, at(0)));
        assert_eq!(candidates.len(), limits::CANDIDATES);
        // Of an address that is not known any more nothing is to be learnt.
        candidates.on_failed(numbered(7), at(0));
        assert_eq!(candidates.next_deadline(), Some(at(0)));
    }

    /// A tracker that names every port of a host would have all its swarm scan or flood it.
    #[test]
    fn a_host_in_the_world_is_called_on_a_few_ports_only() {
        let mut candidates = Candidates::new(Rng::from_seed(1));
        let host = |ip: [u8; 4], port| SocketAddr::from((ip, port));
        let victim = |port| host([192, 0, 2, 1], port);
        for port in 1..=u16::MAX {
            candidates.add(victim(port), Source::Tracker, at(0));
        }
        assert_eq!(candidates.len(), limits::HOST_PORTS);
        while let Some(addr) = candidates.next(at(0)) {
            candidates.refuse(addr);
        }
        assert!(
            !candidates.add(victim(9999), Source::Tracker, at(1)),
            "they were tried"
        );
        assert!(candidates.add(victim(9999), Source::User, at(1)));
        assert!(candidates.add(host([192, 0, 2, 2], 1), Source::Tracker, at(1)));
        for port in 1..=100 {
            assert!(candidates.add(host([10, 0, 0, 1], port), Source::Tracker, at(1)));
        }
    }

    #[test]
    fn bans_are_bounded_and_the_oldest_are_forgotten() {
        let mut candidates = Candidates::new(Rng::from_seed(1));
        let host = |n: u32| SocketAddr::from(((0x0a00_0000 + n).to_be_bytes(), 7));
        for n in 0..limits::BANNED as u32 {
            candidates.ban(host(n));
            candidates.ban(host(n));
        }
        assert!(candidates.is_banned(host(0)) && candidates.banned().count() == limits::BANNED);
        candidates.ban(host(limits::BANNED as u32));
        assert!(!candidates.is_banned(host(0)) && candidates.is_banned(host(1)));
        assert_eq!(candidates.banned().count(), limits::BANNED);
    }

    #[test]
    fn junk_is_not_called_and_the_number_is_bounded() {
        let mut candidates = Candidates::new(Rng::from_seed(1));
        for junk in [
            "0.0.0.0:1",
            "10.0.0.1:0",
            "224.0.0.1:1",
            "255.255.255.255:1",
            "240.0.0.1:1",
            "0.1.2.3:9",
            "[::]:1",
            "[ff02::1]:1",
        ] {
            assert!(
                !candidates.add(junk.parse().unwrap(), Source::Tracker, at(0)),
                "{junk}"
            );
        }
        for n in 0..limits::CANDIDATES as u32 + 10 {
            let [_, b, c, d] = n.to_be_bytes();
            candidates.add(SocketAddr::from(([10, b, c, d], 7)), Source::Tracker, at(0));
        }
        assert_eq!(candidates.len(), limits::CANDIDATES);
        let first = candidates.next(at(0)).unwrap();
        candidates.on_failed(first, at(0));
        assert!(candidates.add(SocketAddr::from(([11, 0, 0, 1], 7)), Source::Tracker, at(0)));
        assert_eq!(candidates.len(), limits::CANDIDATES);
    }
}
