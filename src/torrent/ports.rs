//! How fast strangers may name further ports of one host. Dialing a long list of ports would scan
//! or flood that host, so a few are known at a time, and one that was dialed and is forgotten keeps
//! its place for a while. There is no total limit, since a peer that restarts has another port each
//! time.

use std::net::IpAddr;

use crate::base::{SortedMap, Time, limits};

/// For each host of which ports were dialed and forgotten lately, when all of them will have been
/// paid for: each costs [`limits::HOST_PORT_GAP`].
#[derive(Debug, Default)]
pub struct Ports(SortedMap<IpAddr, Time>);

/// Those that are paid for are looked for each time that so many were added, and when there is no
/// room.
const SWEEP: usize = 64;

impl Ports {
    /// How many ports of this host were forgotten and are not paid for.
    pub fn owed(&self, ip: IpAddr, now: Time) -> usize {
        let paid = self.0.get(&ip).copied().unwrap_or(now);
        let gap = limits::HOST_PORT_GAP.as_micros();
        paid.since(now).as_micros().div_ceil(gap) as usize
    }

    /// A port of this host was dialed and is forgotten.
    pub fn owe(&mut self, ip: IpAddr, now: Time) {
        if !self.0.contains_key(&ip) {
            if self.0.len() % SWEEP == 0 || self.0.len() >= limits::CANDIDATES {
                self.0.retain(|_, paid| *paid > now);
            }
            if self.0.len() >= limits::CANDIDATES {
                return;
            }
        }
        let paid = self.0.get_or_insert_with(ip, || now);
        *paid = (*paid).max(now) + limits::HOST_PORT_GAP;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Duration;

    fn at(seconds: u64) -> Time {
        Time::default() + Duration::from_secs(seconds)
    }

    fn host(number: usize) -> IpAddr {
        IpAddr::from((0x0800_0000 + number as u32).to_be_bytes())
    }

    #[test]
    fn a_port_is_paid_for_each_half_minute() {
        let mut ports = Ports::default();
        assert_eq!(ports.owed(host(0), at(0)), 0);
        (0..5).for_each(|_| ports.owe(host(0), at(0)));
        let owed = |second| ports.owed(host(0), at(second));
        assert_eq!(
            [owed(0), owed(29), owed(30), owed(149), owed(150)],
            [5, 5, 4, 1, 0]
        );
        assert_eq!(ports.owed(host(1), at(0)), 0, "another host has its own");
    }

    #[test]
    fn hosts_remembered_are_bounded() {
        let mut ports = Ports::default();
        for number in 0..limits::CANDIDATES + 9 {
            ports.owe(host(number), at(0));
        }
        assert_eq!(ports.0.len(), limits::CANDIDATES);
        ports.owe(host(limits::CANDIDATES), at(0));
        assert_eq!(ports.owed(host(limits::CANDIDATES), at(0)), 0);
        for number in 0..SWEEP {
            ports.owe(host(1_000_000 + number), at(30 + number as u64));
        }
        assert!(ports.0.len() <= SWEEP, "the others have been paid for");
    }
}
