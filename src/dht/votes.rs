//! Our own address, as other nodes see it (`ip` of BEP 42). A node may lie, so several in different
//! networks must agree.

use std::net::{IpAddr, SocketAddr};

use crate::base::{Reach, limits, network};

/// What nodes said last.
#[derive(Debug, Default)]
pub struct Votes {
    /// The voter's network, and our address; the oldest first.
    votes: Vec<(u64, IpAddr)>,
}

impl Votes {
    /// A node says that it sees us at this address. Each network has one vote.
    pub fn note(&mut self, voter: SocketAddr, seen: IpAddr) {
        let Some(network) = network(voter) else {
            return;
        };
        if Reach::of(seen) != Reach::World {
            return;
        }
        self.votes.retain(|&(other, _)| other != network);
        if self.votes.len() >= limits::DHT_VOTES_KEPT {
            self.votes.remove(0);
        }
        self.votes.push((network, seen.to_canonical()));
    }

    /// The address that most voted for, if they are enough, and more than half of all.
    pub fn winner(&self) -> Option<IpAddr> {
        let count = |ip: IpAddr| self.votes.iter().filter(|&&(_, other)| other == ip).count();
        let &(_, first) = self.votes.iter().max_by_key(|&&(_, ip)| count(ip))?;
        let most = count(first);
        (most >= limits::DHT_VOTES && most * 2 > self.votes.len()).then_some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_networks_must_agree() {
        let mut votes = Votes::default();
        let (right, wrong): (IpAddr, IpAddr) =
            ("192.0.2.7".parse().unwrap(), "203.0.113.9".parse().unwrap());
        let voter = |net: u8, host: u8| SocketAddr::from(([198, 51, net, host], 6881));
        for host in 0..50 {
            votes.note(voter(100, host), wrong);
        }
        assert_eq!(votes.winner(), None, "they are one network");
        for net in 0..limits::DHT_VOTES as u8 {
            assert_eq!(votes.winner(), None);
            votes.note(voter(net, 1), right);
        }
        assert_eq!(votes.winner(), Some(right));
        for local in ["127.0.0.1:1", "10.0.0.1:1"] {
            votes.note(local.parse().unwrap(), wrong);
        }
        votes.note(voter(77, 1), "192.168.1.2".parse().unwrap());
        assert_eq!(
            votes.votes.len(),
            limits::DHT_VOTES + 1,
            "these do not count"
        );
        for net in 0..100 {
            votes.note(voter(net, 1), wrong);
        }
        assert_eq!(votes.votes.len(), limits::DHT_VOTES_KEPT);
        assert_eq!(votes.winner(), Some(wrong), "an address may change");
    }
}
