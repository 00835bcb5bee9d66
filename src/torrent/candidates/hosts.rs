//! The hosts behind the addresses: how many ports of one are known, and which of them may be those
//! of peers that have dialed us.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use super::super::source::{Namer, Source};
use super::{Candidate, Candidates, Status};
use crate::base::{Host, Reach, Time, limits};

impl Candidates {
    /// Whether strangers may name one more port of this host. In the world a host has
    /// [`limits::HOST_PORTS`] places. Whoever has named many of them gives way to another, before
    /// they are tried; and a port that failed gives its place to one that is named later, at the
    /// pace of `ports`. Around us each machine knows its own ports.
    pub(super) fn has_place(&mut self, ip: IpAddr, by: Namer, now: Time) -> bool {
        if Reach::of(ip).is_local() {
            return true;
        }
        let count = self.known.range(ports(ip)).count();
        let owed = self.ports.owed(ip, now);
        if count + owed < limits::HOST_PORTS {
            return true;
        }
        if let Some(untried) = self.surplus(ip, by) {
            self.forget(untried);
            return true;
        }
        let known = self.known.range(ports(ip));
        let worst = known
            .filter(|(_, c)| c.by.source != Source::User && c.failures > 0)
            .filter(|(_, c)| matches!(c.status, Status::Waits(..)))
            .max_by_key(|(_, c)| (c.is_dead(), c.failures));
        let worst = worst.map(|(&addr, _)| addr);
        let Some(worst) = worst.filter(|_| owed == 0) else {
            return false;
        };
        // If it were named again, it would take the place of a port that was not tried yet.
        self.drop(worst, now);
        self.refused
            .add(worst, Some(now + limits::REDIAL_MOST), now);
        true
    }

    /// A port of this host that was not tried yet, of whoever has named the most of them: at least
    /// two more than this one, of a source that is no better.
    fn surplus(&self, ip: IpAddr, by: Namer) -> Option<SocketAddr> {
        let known = || self.known.range(ports(ip));
        let named = |by: Namer| known().filter(|(_, c)| c.by == by).count();
        let untried = known().filter(|(_, c)| !c.was_tried() && c.by.source >= by.source);
        let (addr, most) = untried
            .map(|(&addr, c)| (addr, named(c.by)))
            .max_by_key(|(_, count)| *count)?;
        (most > named(by) + 1).then_some(addr)
    }

    pub(super) fn owe(&mut self, ip: IpAddr, now: Time) {
        if !Reach::of(ip).is_local() {
            self.ports.owe(ip, now);
        }
    }

    /// Whether this address may be that of one of `incoming` peers of its host that dialed us and
    /// whose listening ports are not known: if the host has fewer other addresses to dial than
    /// that. Other addresses to which a dial failed do not count; one that the user named is dialed
    /// anyway.
    pub fn may_be_incoming(&self, addr: SocketAddr, incoming: usize) -> bool {
        let by_user = |c: &Candidate| c.by.source == Source::User;
        let counts = |c: &Candidate| c.status != Status::Busy && !c.is_dead();
        let others = self.known.range(ports(addr.ip()));
        let others = others.filter(|&(&other, c)| other != addr && counts(c));
        incoming > others.count() && !self.known.get(&addr).is_none_or(by_user)
    }

    /// From `at` on, the addresses of this host that [`Candidates::withhold`] kept back may be
    /// dialed.
    pub fn release(&mut self, ip: IpAddr, at: Time) {
        let known = self.known.range(ports(ip.to_canonical()));
        let withheld = known.filter(|(_, c)| c.status == Status::Withheld);
        let withheld: Vec<SocketAddr> = withheld.map(|(&addr, _)| addr).collect();
        withheld
            .into_iter()
            .for_each(|addr| self.schedule(addr, at));
    }

    /// Forgets all addresses of a host: it is banned.
    pub fn forget_host(&mut self, host: Host) {
        let theirs = |known: &&SocketAddr| Host::of(**known) == host;
        let known: Vec<SocketAddr> = self.known.keys().filter(theirs).copied().collect();
        known.into_iter().for_each(|known| self.forget(known));
    }

    /// Whether any address of this host is known.
    pub fn knows_host(&self, ip: IpAddr) -> bool {
        self.known.range(ports(ip.to_canonical())).next().is_some()
    }
}

/// All addresses of a host.
fn ports(ip: IpAddr) -> RangeInclusive<SocketAddr> {
    SocketAddr::new(ip, 0)..=SocketAddr::new(ip, u16::MAX)
}
