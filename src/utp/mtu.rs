//! The largest datagram that a path takes, found by trying. A packet that tries a size carries no
//! more content than is known to go through and is made longer by an extension, so that it can be
//! sent again without that if it is lost. A lost try says nothing of the line's load.

use std::net::IpAddr;

use crate::base::{Time, limits};

/// What is known of a path.
#[derive(Debug)]
pub(super) struct Mtu {
    /// Bytes of a datagram that go through.
    floor: usize,
    /// Bytes of the largest that may.
    ceiling: usize,
    most: usize,
    least: usize,
    /// The size that is being tried: its packet is under way.
    trying: Option<usize>,
    /// How often the size that comes next was lost.
    lost: u32,
    /// When the search ended.
    done: Option<Time>,
}

impl Mtu {
    /// A path to this host, of which nothing is known.
    pub(super) fn to(ip: IpAddr) -> Mtu {
        let (least, most) = if ip.to_canonical().is_ipv4() {
            (limits::UTP_DATAGRAM_LEAST, limits::UTP_DATAGRAM_MOST)
        } else {
            (limits::UTP_DATAGRAM_LEAST_V6, limits::UTP_DATAGRAM_MOST_V6)
        };
        Mtu {
            floor: least,
            ceiling: most,
            most,
            least,
            trying: None,
            lost: 0,
            done: None,
        }
    }

    /// Bytes of a datagram that go through.
    pub(super) fn known(&self) -> usize {
        self.floor
    }

    /// The size to try next, if one is to be tried now.
    pub(super) fn next(&self, now: Time) -> Option<usize> {
        let again = |done| now.since(done) >= limits::UTP_PROBE_AGAIN;
        match (self.trying, self.done) {
            _ if self.floor >= self.most => None,
            (Some(_), _) => None,
            (None, Some(done)) => (self.floor < self.most && again(done)).then_some(self.most),
            // Most paths take the largest.
            (None, None) if self.ceiling == self.most => Some(self.most),
            (None, None) => Some(self.floor.midpoint(self.ceiling)),
        }
    }

    /// A packet of this size was sent.
    pub(super) fn on_tried(&mut self, size: usize) {
        self.trying = Some(size);
        (self.ceiling, self.done) = (self.ceiling.max(size), None);
    }

    /// The packet got there.
    pub(super) fn on_arrived(&mut self, now: Time) {
        if let Some(size) = self.trying.take() {
            self.floor = self.floor.max(size);
            self.ceiling = self.ceiling.max(self.floor);
            self.lost = 0;
            self.find_end(now);
        }
    }

    /// The packet was lost; or, if it is `certain`, no packet of its size can get there.
    pub(super) fn on_lost(&mut self, certain: bool, now: Time) {
        if let Some(size) = self.trying.take() {
            self.lost += 1;
            if certain || self.lost >= limits::UTP_PROBES {
                self.ceiling = (size - 1).max(self.floor);
                self.lost = 0;
            }
            self.find_end(now);
        }
    }

    fn find_end(&mut self, now: Time) {
        let known = self.ceiling - self.floor < limits::UTP_DATAGRAM_STEP;
        self.done = known.then_some(now);
    }

    /// Nothing gets there any more: perhaps the path takes less than before.
    pub(super) fn on_silence(&mut self) {
        self.trying = None;
        (self.floor, self.lost, self.done) = (self.least, 0, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many packets the search takes on a path that takes so much, and what it finds.
    fn search(takes: usize) -> (usize, usize) {
        let mut mtu = Mtu::to("192.0.2.1".parse().unwrap());
        let mut tried = 0;
        while let Some(size) = mtu.next(Time::default()) {
            mtu.on_tried(size);
            assert_eq!(mtu.next(Time::default()), None, "one at a time");
            tried += 1;
            if size <= takes {
                mtu.on_arrived(Time::default());
            } else {
                mtu.on_lost(false, Time::default());
            }
        }
        (tried, mtu.known())
    }

    #[test]
    fn what_a_path_takes_is_found() {
        let (least, most) = (limits::UTP_DATAGRAM_LEAST, limits::UTP_DATAGRAM_MOST);
        assert_eq!(search(most), (1, most));
        for takes in least..most {
            let (tried, found) = search(takes);
            assert!(
                found <= takes && takes - found < limits::UTP_DATAGRAM_STEP,
                "{takes}: {found}"
            );
            assert!(tried <= 16, "{takes}: {tried}");
        }
    }

    #[test]
    fn a_size_that_cannot_be_sent_is_tried_once() {
        let mtu = Mtu::to("2001:db8::1".parse().unwrap());
        assert_eq!(mtu.known(), limits::UTP_DATAGRAM_LEAST_V6);
        assert_eq!(limits::UTP_DATAGRAM_MOST_V6, limits::UTP_DATAGRAM_LEAST_V6);
        assert_eq!(mtu.next(Time::default()), None);
        let mut mtu = Mtu::to("192.0.2.1".parse().unwrap());
        let most = limits::UTP_DATAGRAM_MOST;
        assert_eq!(mtu.known(), limits::UTP_DATAGRAM_LEAST);
        assert_eq!(mtu.next(Time::default()), Some(most));
        mtu.on_tried(most);
        mtu.on_lost(true, Time::default());
        assert_eq!(mtu.next(Time::default()), Some(1009));
        // One lost packet is no proof; so many are.
        for _ in 0..limits::UTP_PROBES {
            assert_eq!(mtu.next(Time::default()), Some(1009));
            mtu.on_tried(1009);
            mtu.on_lost(false, Time::default());
        }
        assert!(mtu.next(Time::default()).is_some_and(|size| size < 1009));
    }

    #[test]
    fn the_largest_is_tried_again_later() {
        let mut mtu = Mtu::to("192.0.2.1".parse().unwrap());
        while let Some(size) = mtu.next(Time::default()) {
            mtu.on_tried(size);
            mtu.on_lost(true, Time::default());
        }
        assert_eq!(mtu.known(), 548);
        let later = Time::default() + limits::UTP_PROBE_AGAIN;
        assert_eq!(mtu.next(later), Some(1472));
    }
}
