//! Whether other nodes can reach us. Through a router that lets nothing in, only answers come: then
//! our queries say that we are read-only (BEP 43), and other nodes do not keep us in their tables.

use crate::base::{Now, limits};
use std::collections::VecDeque;
use std::net::IpAddr;

/// The addresses that we have sent to, and when another address last sent us a query.
#[derive(Debug)]
pub struct Reached {
    written_to: VecDeque<IpAddr>,
    /// When a query last came from an address that we had not sent to, or when we began.
    last: Now,
    /// We are gone soon: nobody should keep us in a table.
    brief: bool,
}

impl Reached {
    /// Until it is known, we count as reachable.
    pub fn new(now: Now) -> Reached {
        Reached {
            written_to: VecDeque::new(),
            last: now,
            brief: false,
        }
    }

    /// We are gone soon, so it does not matter whether we can be reached.
    pub fn set_brief(&mut self) {
        self.brief = true;
    }

    /// We send to an address: a router may let its packets in for a while.
    pub fn on_sent(&mut self, ip: IpAddr) {
        if self.written_to.back() == Some(&ip) {
            return;
        }
        if self.written_to.len() >= limits::DHT_WRITTEN_TO {
            self.written_to.pop_front();
        }
        self.written_to.push_back(ip);
    }

    /// A query came from this address.
    pub fn on_query(&mut self, ip: IpAddr, now: Now) {
        if !self.written_to.contains(&ip) {
            self.last = now;
        }
    }

    /// Whether nobody should keep us in a table: nothing reaches us, or we are gone soon.
    pub fn is_read_only(&self, now: Now) -> bool {
        self.brief || now.since(self.last) >= limits::DHT_UNREACHED
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Duration;

    #[test]
    fn only_an_unbidden_query_shows_that_we_are_reached() {
        let start = Now::from_micros(5);
        let mut reached = Reached::new(start);
        let ip = |last: usize| IpAddr::from([192, 0, (last / 250) as u8, (last % 250) as u8]);
        (0..limits::DHT_WRITTEN_TO).for_each(|last| reached.on_sent(ip(last)));
        let later = start + limits::DHT_UNREACHED;
        assert!(!reached.is_read_only(start + Duration::from_secs(60)));
        reached.on_query(ip(0), later);
        assert!(reached.is_read_only(later), "we asked it first");
        reached.on_query(ip(limits::DHT_WRITTEN_TO), later);
        assert!(!reached.is_read_only(later));
        reached.on_sent(ip(limits::DHT_WRITTEN_TO + 1));
        let last = later + limits::DHT_UNREACHED;
        assert!(reached.is_read_only(last));
        reached.on_query(ip(0), last);
        assert!(!reached.is_read_only(last), "that was long ago");
        reached.set_brief();
        assert!(reached.is_read_only(last));
    }
}
