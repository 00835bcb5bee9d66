//! Hosts that are banned from a torrent, in both directions.

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;

use crate::base::host::Host;
use crate::base::limits;

/// The banned hosts. A ban covers the whole [`Host`]: a ban of one port would mean nothing, since a
/// peer that connects anew has another.
#[derive(Debug, Default)]
pub struct Bans {
    /// One address of each host, in the order in which they were banned.
    order: VecDeque<SocketAddr>,
    hosts: BTreeSet<Host>,
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
