//! Addresses of peers: where each came from, when to call it next, and who is banned. All sources of peers end in
//! [`Candidates::add`]; each address is called by one connection at a time, and after a failure only after a wait that doubles. A peer that
//! was of use and that the network took from us may be back at once: it is called soon, and more often than others.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use crate::base::limits;
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
    banned: BTreeSet<SocketAddr>,
    banned_hosts: BTreeSet<IpAddr>,
    rng: Rng,
}

impl Candidates {
    /// No addresses yet.
    pub fn new(rng: Rng) -> Candidates {
        Candidates {
            known: BTreeMap::new(),
            due: BTreeSet::new(),
            refused: BTreeSet::new(),
            banned: BTreeSet::new(),
            banned_hosts: BTreeSet::new(),
            rng,
        }
    }

    /// Adds an address; true if it is new and can be called at all.
    pub fn add(&mut self, addr: SocketAddr, source: Source, now: Now) -> bool {
        let addr = canonical(addr);
        let callable = addr.port() != 0 && is_host(addr.ip());
        if !callable
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

    /// How many addresses are known.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// How many could be called at some time.
    pub fn waiting(&self) -> usize {
        self.due.len()
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
        if self.refused.len() < limits::CANDIDATES {
            self.refused.insert(addr);
        }
    }

    /// Never again, in neither direction. A host is banned whole, but for this very machine, where many clients share an address.
    pub fn ban(&mut self, addr: SocketAddr) {
        let addr = canonical(addr);
        self.forget(addr);
        if self.banned.len() >= limits::CANDIDATES {
            return;
        }
        self.banned.insert(addr);
        if !addr.ip().is_loopback() {
            self.banned_hosts.insert(addr.ip());
        }
    }

    /// Whether [`Candidates::ban`] covers this address.
    pub fn is_banned(&self, addr: SocketAddr) -> bool {
        let addr = canonical(addr);
        self.banned.contains(&addr) || self.banned_hosts.contains(&addr.ip())
    }

    /// The addresses that [`Candidates::ban`] was told of.
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

fn is_host(ip: IpAddr) -> bool {
    let broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast() || ip.octets()[0] == 0);
    !ip.is_unspecified() && !ip.is_multicast() && !broadcast
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

    #[test]
    fn waits_double_and_then_the_address_is_forgotten() {
        let mut candidates = Candidates::new(Rng::from_seed(1));
        candidates.add(addr(1), Source::Tracker, at(0));
        let (mut now, mut waits) = (0, Vec::new());
        while let Some(due) = candidates.next_deadline() {
            waits.push(due.since(at(now)).as_secs());
            now = due.as_micros().div_ceil(1_000_000);
            assert_eq!(candidates.next(at(now)), Some(addr(1)));
            candidates.on_failed(addr(1), at(now));
        }
        assert_eq!(waits.len() as u32, limits::DIAL_FAILURES + 1);
        for (n, wait) in waits.iter().skip(1).enumerate() {
            let least = (60 << n).min(limits::REDIAL_MOST.as_secs());
            assert!((least..=least + least / 4 + 1).contains(wait), "{waits:?}");
        }
        assert!(
            candidates.add(addr(1), Source::Tracker, at(now)),
            "named again, it is new again"
        );
    }

    #[test]
    fn what_the_network_took_is_called_soon_and_then_as_others_are() {
        let mut candidates = Candidates::new(Rng::from_seed(1));
        candidates.add(addr(1), Source::Tracker, at(0));
        candidates.next(at(0));
        candidates.on_lost(addr(1), at(0));
        let (mut now, mut waits) = (at(0), Vec::new());
        while let Some(due) = candidates.next_deadline() {
            waits.push(due.since(now).as_millis() as u64);
            now = due;
            assert_eq!(candidates.next(now), Some(addr(1)));
            candidates.on_failed(addr(1), now);
        }
        let least = [5, 10, 20, 40, 60, 60, 60, 120, 240, 480, 960, 1800];
        assert_eq!(waits.len(), least.len(), "{waits:?}");
        for (wait, least) in waits.iter().zip(least) {
            assert!((least * 1000..=least * 1250).contains(wait), "{waits:?}");
        }
    }

    #[test]
    fn who_was_lost_and_hung_up_later_waits_as_others_do() {
        let mut candidates = Candidates::new(Rng::from_seed(1));
        candidates.add(addr(1), Source::Tracker, at(0));
        candidates.next(at(0));
        candidates.on_lost(addr(1), at(0));
        assert_eq!(candidates.next(at(7)), Some(addr(1)));
        candidates.on_closed(addr(1), at(100));
        assert_eq!(candidates.next(at(159)), None);
    }

    #[test]
    fn bans_cover_the_host_but_not_this_machine() {
        let mut candidates = Candidates::new(Rng::from_seed(1));
        candidates.ban(addr(1));
        let other_port = SocketAddr::from(([10, 0, 0, 1], 1));
        assert!(
            candidates.is_banned(other_port) && !candidates.add(other_port, Source::User, at(0))
        );
        let here = |port| SocketAddr::from(([127, 0, 0, 1], port));
        candidates.ban(here(1));
        assert!(candidates.is_banned(here(1)) && !candidates.is_banned(here(2)));
        let mapped: SocketAddr = "[::ffff:10.0.0.1]:6881".parse().unwrap();
        assert!(candidates.is_banned(mapped));
    }

    #[test]
    fn junk_is_not_called_and_the_number_is_bounded() {
        let mut candidates = Candidates::new(Rng::from_seed(1));
        for junk in [
            "0.0.0.0:1",
            "10.0.0.1:0",
            "224.0.0.1:1",
            "255.255.255.255:1",
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
