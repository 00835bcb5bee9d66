//! Hosts that are banned from all torrents, in both directions, and our own addresses, which are
//! not dialed either.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::source::Source;
use crate::base::{Host, SortedSet, limits, plain};

/// The banned hosts. A ban covers the whole [`Host`]: a ban of one port would mean nothing, since a
/// peer that connects anew has another.
#[derive(Debug, Default)]
pub struct Bans {
    /// One address of each host, in the order in which they were banned.
    order: VecDeque<SocketAddr>,
    hosts: SortedSet<Host>,
    /// Where we listen, as far as it is known.
    ours: SortedSet<SocketAddr>,
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

    /// These are all the addresses at which we listen, as the system says.
    pub fn set_own(&mut self, addrs: &[SocketAddr]) {
        self.ours = SortedSet::new();
        addrs.iter().for_each(|&addr| self.add_own(addr));
    }

    /// At this address we have met ourselves. More than [`limits::OWN_ADDRESSES`] are not noted.
    pub fn add_own(&mut self, addr: SocketAddr) {
        if self.ours.len() < limits::OWN_ADDRESSES {
            self.ours.insert(plain(addr));
        }
    }

    /// Whether an address that `source` names is not to be dialed: if it is the user, only since
    /// its host is banned. The user hears that it is ours.
    pub fn bars(&self, addr: SocketAddr, source: Source) -> bool {
        let ours = source != Source::User && self.ours.contains(&plain(addr));
        ours || self.covers(addr)
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
    fn our_own_addresses_are_bounded_and_dialed_for_the_user_alone() {
        let mut bans = Bans::default();
        let port = |port: usize| SocketAddr::from(([192, 0, 2, 1], port as u16));
        let zoned: SocketAddr = "[fe80::1%3]:7".parse().unwrap();
        bans.set_own(&[port(1), zoned]);
        let bars = |bans: &Bans, addr| bans.bars(addr, Source::Tracker);
        assert!(bars(&bans, port(1)) && !bars(&bans, port(2)));
        assert!(bars(&bans, "[::ffff:192.0.2.1]:1".parse().unwrap()));
        assert!(bars(&bans, zoned) && bars(&bans, "[fe80::1]:7".parse().unwrap()));
        assert!(!bans.bars(port(1), Source::User) && !bans.covers(port(1)));
        (2..limits::OWN_ADDRESSES).for_each(|it| bans.add_own(port(it)));
        bans.add_own(port(limits::OWN_ADDRESSES));
        assert!(bars(&bans, port(limits::OWN_ADDRESSES - 1)));
        assert!(!bars(&bans, port(limits::OWN_ADDRESSES)));
        bans.set_own(&[port(9)]);
        assert!(bars(&bans, port(9)) && !bars(&bans, port(1)), "anew");
        bans.add(port(9));
        assert!(bans.bars(port(9), Source::User));
    }

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
