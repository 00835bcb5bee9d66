//! Which lengths and peers come first: those of hosts that have not held the search up.

use std::cmp::Reverse;
use std::net::IpAddr;

use super::asked::Asked;
use crate::base::{PeerKey, SortedMap, SortedSet, limits};

/// Strikes of hosts, of those that are gone too.
#[derive(Debug, Default)]
pub(super) struct Ranks {
    hosts: SortedMap<IpAddr, u32>,
}

impl Ranks {
    /// Peers of a lower rank are asked first.
    pub(super) fn rank_of(&self, peer: &Asked) -> (u32, u32) {
        (
            self.hosts.get(&peer.host).copied().unwrap_or(0),
            peer.strikes,
        )
    }

    /// The lengths that peers name: first those of hosts with the fewest strikes, and of these the
    /// ones that most hosts name.
    pub(super) fn sizes(&self, peers: &SortedMap<PeerKey, Asked>) -> Vec<u32> {
        let mut said: SortedMap<u32, ((u32, u32), SortedSet<IpAddr>)> = SortedMap::new();
        for peer in peers.values() {
            if let Some(size) = peer.size {
                let rank = self.rank_of(peer);
                let (least, hosts) = said.get_or_insert_with(size, || (rank, SortedSet::new()));
                *least = rank.min(*least);
                hosts.insert(peer.host);
            }
        }
        let mut sizes: Vec<u32> = said.keys().copied().collect();
        sizes.sort_by_key(|size| {
            let said = said
                .get(size)
                .map(|(least, hosts)| (*least, Reverse(hosts.len())));
            (said, *size)
        });
        sizes
    }

    /// Gives these of the peers a strike, and each of their hosts one.
    pub(super) fn strike(&mut self, peers: &mut SortedMap<PeerKey, Asked>, struck: Vec<PeerKey>) {
        let mut hosts = SortedSet::new();
        for key in struck {
            if let Some(peer) = peers.get_mut(&key) {
                peer.strikes += 1;
                hosts.insert(peer.host);
            }
        }
        for &host in hosts.iter() {
            *self.hosts.get_or_insert_with(host, Default::default) += 1;
        }
        if self.hosts.len() > limits::METADATA_HOSTS {
            let here: SortedSet<IpAddr> = peers.values().map(|peer| peer.host).collect();
            self.hosts.retain(|host, _| here.contains(host));
        }
    }

    /// Hosts that are remembered.
    #[cfg(test)]
    pub(super) fn hosts(&self) -> usize {
        self.hosts.len()
    }
}
