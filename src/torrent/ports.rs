//! How fast strangers may name further ports of one host. Dialing a long list of ports would scan
//! or flood that host, so a few are taken at once and then a few a minute. There is no total limit,
//! since a peer that restarts has another port each time.

use std::net::IpAddr;

use crate::base::{Now, SortedMap, limits};

/// For each host of which ports were named lately, when all of them will have been paid for: each
/// costs [`limits::HOST_PORT_GAP`].
#[derive(Debug, Default)]
pub struct Ports(SortedMap<IpAddr, Now>);

impl Ports {
    /// Whether one more port of this host may be tried; then it counts.
    pub fn take(&mut self, ip: IpAddr, now: Now) -> bool {
        let paid = self.0.get(&ip).copied().unwrap_or(now).max(now);
        let ahead = limits::HOST_PORT_GAP * (limits::HOST_PORTS as u32 - 1);
        if paid.since(now) > ahead {
            return false;
        }
        if self.0.len() >= limits::CANDIDATES && !self.0.contains_key(&ip) {
            self.0.retain(|_, paid| *paid > now);
            if self.0.len() >= limits::CANDIDATES {
                return false;
            }
        }
        self.0.insert(ip, paid + limits::HOST_PORT_GAP);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Duration;

    fn at(seconds: u64) -> Now {
        Now::default() + Duration::from_secs(seconds)
    }

    fn host(number: usize) -> IpAddr {
        IpAddr::from((0x0800_0000 + number as u32).to_be_bytes())
    }

    /// Ports that may be tried in the seconds from `first` to `last`, if some is named each second.
    fn tried(ports: &mut Ports, first: u64, last: u64) -> usize {
        let named = (first..=last).flat_map(|second| [second; 20]);
        named.filter(|&at_| ports.take(host(0), at(at_))).count()
    }

    #[test]
    fn a_few_ports_at_once_and_then_one_each_half_minute() {
        let mut ports = Ports::default();
        assert_eq!(tried(&mut ports, 0, 0), limits::HOST_PORTS);
        assert_eq!(tried(&mut ports, 1, 29), 0);
        assert_eq!(tried(&mut ports, 30, 30), 1);
        assert_eq!(tried(&mut ports, 31, 3600), 119);
        assert!(ports.take(host(1), at(3600)), "another host has its own");
        // After a pause there may be as many at once as at first.
        assert_eq!(tried(&mut ports, 7200, 7200), limits::HOST_PORTS);
    }

    #[test]
    fn hosts_remembered_are_bounded() {
        let mut ports = Ports::default();
        for number in 0..limits::CANDIDATES {
            assert!(ports.take(host(number), at(0)));
        }
        let one_more = host(limits::CANDIDATES);
        assert!(!ports.take(one_more, at(0)));
        assert!(
            ports.take(one_more, at(30)),
            "the others have been paid for"
        );
        assert_eq!(ports.0.len(), 1);
    }
}
