//! Hosts that are banned from all torrents, in both directions.

use std::collections::VecDeque;
use std::net::SocketAddr;

use crate::base::{Host, SortedSet, limits};

/// The banned hosts. A ban covers the whole [`Host`]: a ban of one port would mean nothing, since a
/// peer that connects anew has another.
#[derive(Debug, Default)]
pub struct Bans {
    /// One address of each host, in the order in which they were banned.
    order: VecDeque<SocketAddr>,
    hosts: SortedSet<Host>,
}

impl Bans {
    /// Bans the host of this address. With more than [`limits::BANNED`] the oldest ban ends.
    pub fn add(&mut self, addr: SocketAddr) {
        if !self.hosts.insert(Host::of(addr)) {
            return;
        }
        self.order.push_back(addr);
        if self.order.len() > limits::BANNED {
            let first = self.order.pop_front();
            first.map(|first| self.hosts.remove(&Host::of(first)));
        }
    }

    /// Whether the host of this address is banned.
    pub fn covers(&self, addr: SocketAddr) -> bool {
        self.hosts.contains(&Host::of(addr))
    }

    /// An address of each banned host, the oldest ban first.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.order.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ban_covers_the_host_but_not_this_machine() {
        let mut bans = Bans::default();
        let addr = |text: &str| text.parse().unwrap();
        bans.add(addr("10.0.0.1:6881"));
        assert!(bans.covers(addr("10.0.0.1:1")));
        assert!(bans.covers(addr("[::ffff:10.0.0.1]:6881")));
        bans.add(addr("127.0.0.1:1"));
        assert!(bans.covers(addr("127.0.0.1:1")) && !bans.covers(addr("127.0.0.1:2")));
    }

    #[test]
    fn bans_are_bounded_and_the_oldest_are_forgotten() {
        let mut bans = Bans::default();
        let host = |n: u32| SocketAddr::from(((0x0a00_0000 + n).to_be_bytes(), 7));
        for n in 0..limits::BANNED as u32 {
            bans.add(host(n));
            bans.add(host(n));
        }
        assert!(bans.covers(host(0)) && bans.addresses().count() == limits::BANNED);
        bans.add(host(limits::BANNED as u32));
        assert!(!bans.covers(host(0)) && bans.covers(host(1)));
        assert_eq!(bans.addresses().count(), limits::BANNED);
    }
}
