//! Queries that wait for their answers, by transaction id.

use super::guard;
use crate::base::{InfoHash, NodeId, Rng, SortedMap, SortedSet, Time, limits};
use std::collections::VecDeque;
use std::net::SocketAddr;

/// Four bytes: the one length that all known clients answer, and enough that nobody guesses it.
pub type Transaction = [u8; 4];

/// What a query is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// A lookup, by its number; the torrent, if it looks for one.
    Lookup(u32, Option<InfoHash>),
    /// Announcing a torrent.
    Announce(InfoHash),
    /// Finding out whether a node is there.
    Check,
}

/// A query under way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sent {
    /// Where it went.
    pub to: SocketAddr,
    /// The id of the node there, as far as it is known.
    pub id: Option<NodeId>,
    /// When it was sent.
    pub at: Time,
    /// What it is for.
    pub purpose: Purpose,
}

/// All queries under way: as many as [`limits::DHT_QUERIES`] a second for [`limits::DHT_LOST`].
#[derive(Debug, Default)]
pub struct Queries {
    sent: SortedMap<Transaction, Sent>,
    /// In the order in which they went.
    order: VecDeque<(Time, Transaction)>,
}

impl Queries {
    /// Notes a query, and gives it a transaction id.
    pub fn add(&mut self, sent: Sent, rng: &mut Rng) -> Transaction {
        let mut transaction = rng.bits32().to_be_bytes();
        while self.sent.contains_key(&transaction) {
            transaction = rng.bits32().to_be_bytes();
        }
        self.sent.insert(transaction, sent);
        self.order.push_back((sent.at, transaction));
        transaction
    }

    /// Whether this address is being asked.
    pub fn has(&self, addr: SocketAddr) -> bool {
        self.sent.values().any(|sent| sent.to == addr)
    }

    /// How many other ports of its host are being asked.
    pub fn other_ports(&self, addr: SocketAddr) -> usize {
        let all = self.sent.values().map(|sent| sent.to);
        let others = all.filter(|&to| to != addr && guard::is_same(to, addr));
        let others: SortedSet<SocketAddr> = others.collect();
        others.len()
    }

    /// The query that this answers, if it comes from where that went.
    pub fn take(&mut self, transaction: &[u8], from: SocketAddr) -> Option<Sent> {
        let transaction: Transaction = transaction.try_into().ok()?;
        let sent = self.sent.get(&transaction)?;
        if sent.to != from {
            return None;
        }
        self.sent.remove(&transaction)
    }

    /// The next query that will not be answered any more.
    pub fn next_lost(&mut self, now: Time) -> Option<Sent> {
        while let Some(&(at, transaction)) = self.order.front() {
            let is_lost = at + limits::DHT_LOST <= now;
            if !is_lost && self.sent.contains_key(&transaction) {
                return None;
            }
            self.order.pop_front();
            if is_lost {
                if let Some(sent) = self.sent.remove(&transaction) {
                    return Some(sent);
                }
            }
        }
        None
    }

    /// When [`Queries::next_lost`] has something.
    pub fn next_deadline(&self) -> Option<Time> {
        let mut waiting = self.order.iter();
        let first = waiting.find(|(_, transaction)| self.sent.contains_key(transaction));
        first.map(|(at, _)| *at + limits::DHT_LOST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Duration;

    #[test]
    fn ports_of_a_host_that_are_being_asked_are_known() {
        let (mut queries, mut rng) = (Queries::default(), Rng::from_seed(1));
        let addr = |last: u8, port: u16| SocketAddr::from(([192, 0, 2, last], port));
        let mut ask = |to| {
            let sent = Sent {
                to,
                id: None,
                at: Time::default(),
                purpose: Purpose::Check,
            };
            queries.add(sent, &mut rng);
        };
        [1, 1, 2].into_iter().for_each(|port| ask(addr(1, port)));
        ask(([127, 0, 0, 1], 1).into());
        assert_eq!(queries.other_ports(addr(1, 1)), 1);
        assert_eq!(queries.other_ports(addr(1, 3)), 2, "one of them twice");
        assert_eq!(queries.other_ports(addr(2, 3)), 0);
        assert!(queries.has(addr(1, 2)) && !queries.has(addr(1, 9)));
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        assert_eq!(
            queries.other_ports(local(2)),
            0,
            "each may be a node of its own"
        );
    }

    #[test]
    fn an_answer_counts_once_in_time_and_from_the_right_address() {
        let (mut queries, mut rng) = (Queries::default(), Rng::from_seed(1));
        let addr = |last: u8| SocketAddr::from(([192, 0, 2, last], 6881));
        let sent = |last, at| Sent {
            to: addr(last),
            id: None,
            at,
            purpose: Purpose::Check,
        };
        let start = Time::default();
        let later = start + Duration::from_secs(1);
        let first = queries.add(sent(1, start), &mut rng);
        let second = queries.add(sent(2, later), &mut rng);
        assert_eq!(queries.next_deadline(), Some(start + limits::DHT_LOST));
        assert_eq!(queries.take(&first, addr(2)), None, "another address");
        assert_eq!(queries.take(&first[..3], addr(1)), None);
        assert_eq!(queries.take(b"", addr(1)), None);
        assert_eq!(queries.take(&first, addr(1)), Some(sent(1, start)));
        assert_eq!(queries.take(&first, addr(1)), None, "once");
        assert_eq!(queries.next_lost(start + limits::DHT_LOST), None);
        let due = queries.next_deadline().unwrap();
        assert_eq!(queries.next_lost(due), Some(sent(2, later)));
        assert_eq!(queries.take(&second, addr(2)), None, "too late");
        assert_eq!(queries.next_deadline(), None);
    }
}
