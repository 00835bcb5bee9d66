//! What is remembered of one peer for hole punching (BEP 55): what it was asked for, and how often
//! it may ask and be told. Whoever asks has others send packets, so it is held to a pace.

use std::net::SocketAddr;

use crate::base::{Time, limits};

/// What is remembered of one peer for hole punching.
#[derive(Debug, Default)]
pub struct Punches {
    /// Addresses that it was asked for a rendezvous with, and when.
    asked: Vec<(SocketAddr, Time)>,
    /// What it asks for a rendezvous.
    asks: Pace,
    /// What it is told to call since others ask for that.
    told: Pace,
    /// What it tells us to call.
    tells: Pace,
}

/// When all is paid for that was let through: each time costs [`limits::PUNCH_GAP`].
#[derive(Clone, Copy, Debug, Default)]
struct Pace(Time);

impl Punches {
    /// Whether it may be asked for a rendezvous with this address now, which is noted then: once in
    /// a while, and with few addresses at a time.
    pub fn ask(&mut self, addr: SocketAddr, now: Time) -> bool {
        self.asked
            .retain(|(_, at)| now.since(*at) < limits::PUNCH_AGAIN);
        let again = self.asked.iter().any(|(asked, _)| *asked == addr);
        let may = !again && self.asked.len() < limits::PUNCH_ASKED;
        if may {
            self.asked.push((addr, now));
        }
        may
    }

    /// It asks for a rendezvous: whether it gets an answer.
    pub fn on_asked(&mut self, now: Time) -> bool {
        self.asks.admits(now)
    }

    /// Another asks for a rendezvous with it: whether it is told.
    pub fn may_tell(&mut self, now: Time) -> bool {
        self.told.admits(now)
    }

    /// It tells us to call an address: whether we do.
    pub fn on_told(&mut self, now: Time) -> bool {
        self.tells.admits(now)
    }
}

impl Pace {
    fn admits(&mut self, now: Time) -> bool {
        let paid = self.0.max(now);
        let admits = paid.since(now) <= limits::PUNCH_GAP * (limits::PUNCH_AT_ONCE - 1);
        if admits {
            self.0 = paid + limits::PUNCH_GAP;
        }
        admits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Duration;

    fn at(seconds: u64) -> Time {
        Time::default() + Duration::from_secs(seconds)
    }

    #[test]
    fn a_peer_is_asked_for_an_address_once_in_a_while_and_for_few() {
        let mut punches = Punches::default();
        let addr = |port: usize| SocketAddr::from(([203, 0, 113, 5], port as u16));
        assert!(punches.ask(addr(1), at(1)) && !punches.ask(addr(1), at(1)));
        let others = (2..1_000).filter(|&port| punches.ask(addr(port), at(2)));
        assert_eq!(others.count(), limits::PUNCH_ASKED - 1);
        let again = limits::PUNCH_AGAIN.as_secs();
        assert!(!punches.ask(addr(1), at(again)));
        assert!(punches.ask(addr(1), at(1 + again)));
        assert_eq!(punches.asked.len(), limits::PUNCH_ASKED);
    }

    #[test]
    fn some_at_once_and_then_one_after_each_gap() {
        let mut pace = Pace::default();
        let mut admitted = |from: u64, to: u64| {
            let all = (from..to).flat_map(|second| [second; 100]);
            all.filter(|&second| pace.admits(at(second))).count() as u32
        };
        assert_eq!(admitted(10, 11), limits::PUNCH_AT_ONCE);
        let gap = limits::PUNCH_GAP.as_secs();
        assert_eq!(admitted(11, 11 + 10 * gap), 10);
    }
}
