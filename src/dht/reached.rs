//! Whether other nodes can reach us. Through a router that lets nothing in, only answers come: then
//! our queries say that we are read-only (BEP 43), we answer none, and other nodes do not keep us
//! in their tables. There is no such router between us and nodes around us.

use crate::base::{Reach, Time, limits};
use std::collections::VecDeque;
use std::net::IpAddr;

/// The addresses that we have sent to, and when another address last sent us a query.
#[derive(Debug)]
pub struct Reached {
    /// The latest at the end, and when.
    written_to: VecDeque<(IpAddr, Time)>,
    /// When a query last came from an address that we had not sent to, or when we began.
    last: Time,
    /// When a node last answered us, or when we began.
    heard: Time,
    /// We are gone soon: nobody should keep us in a table.
    brief: bool,
}

impl Reached {
    /// Until it is known, we count as reachable.
    pub fn new(now: Time) -> Reached {
        Reached {
            written_to: VecDeque::new(),
            last: now,
            heard: now,
            brief: false,
        }
    }

    /// We are gone soon, so it does not matter whether we can be reached.
    pub fn set_brief(&mut self) {
        self.brief = true;
    }

    /// We send to an address: a router may let its packets in for a while.
    pub fn on_sent(&mut self, ip: IpAddr, now: Time) {
        let before = self.written_to.iter().position(|(to, _)| *to == ip);
        if let Some(before) = before {
            self.written_to.remove(before);
        } else if self.written_to.len() >= limits::DHT_WRITTEN_TO {
            self.written_to.pop_front();
        }
        self.written_to.push_back((ip, now));
    }

    /// A query came from this address.
    pub fn on_query(&mut self, ip: IpAddr, now: Time) {
        let opened = |(to, at): &(IpAddr, Time)| *to == ip && now.since(*at) < limits::DHT_OPENED;
        if !Reach::of(ip).is_local() && !self.written_to.iter().any(opened) {
            self.last = now;
        }
    }

    /// A node at this address answered. If none did for longer than a single one is left unasked,
    /// the network was away: it is to be seen anew whether we are reached.
    pub fn on_answer(&mut self, ip: IpAddr, now: Time) {
        if Reach::of(ip).is_local() {
            return;
        }
        if now.since(self.heard) >= limits::DHT_QUESTIONABLE + limits::DHT_OPENED {
            self.last = now;
        }
        self.heard = now;
    }

    /// Whether the node at this address should not keep us in its table: nothing from there reaches
    /// us unless we have written first, or we are gone soon.
    pub fn is_read_only(&self, to: IpAddr, now: Time) -> bool {
        let is_reached = now.since(self.last) < limits::DHT_UNREACHED;
        self.brief || !(is_reached || Reach::of(to).is_local())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Duration;

    fn ip(number: usize) -> IpAddr {
        IpAddr::from([192, 0, (number / 250) as u8, (number % 250) as u8])
    }

    #[test]
    fn only_an_unbidden_query_shows_that_we_are_reached() {
        let start = Time::from_micros(5);
        let mut reached = Reached::new(start);
        let is_read_only = |reached: &Reached, now| reached.is_read_only(ip(9), now);
        let later = start + limits::DHT_UNREACHED;
        (0..limits::DHT_WRITTEN_TO).for_each(|last| reached.on_sent(ip(last), later));
        assert!(!is_read_only(&reached, start + Duration::from_secs(60)));
        reached.on_query(ip(0), later);
        assert!(is_read_only(&reached, later), "we asked it first");
        reached.on_query(ip(limits::DHT_WRITTEN_TO), later);
        assert!(!is_read_only(&reached, later));
        let last = later + limits::DHT_UNREACHED;
        reached.on_sent(ip(limits::DHT_WRITTEN_TO + 1), last);
        assert!(is_read_only(&reached, last));
        reached.on_query(ip(0), last);
        assert!(!is_read_only(&reached, last), "of so many we know none");
        reached.set_brief();
        assert!(is_read_only(&reached, last));
    }

    #[test]
    fn many_packets_to_few_addresses_leave_the_others_known() {
        let start = Time::from_micros(5);
        let mut reached = Reached::new(start);
        let later = start + limits::DHT_UNREACHED;
        reached.on_sent(ip(0), later);
        (0..2 * limits::DHT_WRITTEN_TO).for_each(|turn| reached.on_sent(ip(1 + turn % 2), later));
        reached.on_query(ip(0), later);
        assert!(reached.is_read_only(ip(9), later), "we asked it first");
    }

    #[test]
    fn a_way_that_we_have_opened_closes_again() {
        let start = Time::from_micros(5);
        let mut reached = Reached::new(start);
        let later = start + limits::DHT_UNREACHED;
        reached.on_sent(ip(1), start);
        reached.on_sent(ip(1), later);
        let almost = later + (limits::DHT_OPENED - Duration::from_micros(1));
        reached.on_query(ip(1), almost);
        assert!(reached.is_read_only(ip(2), almost));
        reached.on_query(ip(1), later + limits::DHT_OPENED);
        assert!(!reached.is_read_only(ip(2), later + limits::DHT_OPENED));
    }

    /// While no packet comes at all, nobody can reach us, and that says nothing of the time after.
    #[test]
    fn without_a_network_nothing_is_learnt() {
        let start = Time::from_micros(5);
        let minutes = |count: u32| start + Duration::from_secs(60) * count;
        let mut reached = Reached::new(start);
        (0..20).for_each(|minute| reached.on_answer(ip(1), minutes(minute)));
        reached.on_answer(IpAddr::from([192, 168, 0, 7]), minutes(50));
        assert!(reached.is_read_only(ip(2), minutes(60)));
        for minute in 60..90 {
            reached.on_answer(ip(1), minutes(minute));
            assert!(!reached.is_read_only(ip(2), minutes(minute)), "{minute}");
        }
        assert!(reached.is_read_only(ip(2), minutes(90)));
        // One node alone is asked each quarter of an hour.
        for quarter in 6..20 {
            reached.on_answer(ip(1), minutes(1 + 16 * quarter));
            assert!(reached.is_read_only(ip(2), minutes(1 + 16 * quarter)));
        }
    }

    #[test]
    fn nodes_around_us_need_no_router() {
        let start = Time::from_micros(5);
        let mut reached = Reached::new(start);
        let (local, later) = (
            IpAddr::from([192, 168, 0, 7]),
            start + limits::DHT_UNREACHED,
        );
        reached.on_query(local, later);
        assert!(
            reached.is_read_only(ip(1), later),
            "it says nothing of others"
        );
        assert!(!reached.is_read_only(local, later));
    }
}
