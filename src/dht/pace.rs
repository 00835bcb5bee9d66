//! How fast we ask: at most [`limits::DHT_QUERIES`] queries in any second. One lookup may use them
//! all at once; a thousand torrents share them.

use crate::base::{Duration, Time, limits};
use std::collections::VecDeque;

const SECOND: Duration = Duration::from_secs(1);

/// When the last queries were sent.
#[derive(Debug, Default)]
pub struct Pace {
    sent: VecDeque<Time>,
    /// A query was held back by the limit since [`Pace::forget_wait`].
    waiting: bool,
}

impl Pace {
    /// Whether a query may be sent now; if so, it counts as sent.
    pub fn take(&mut self, now: Time) -> bool {
        while self.sent.front().is_some_and(|&at| at + SECOND <= now) {
            self.sent.pop_front();
        }
        let free = self.sent.len() < limits::DHT_QUERIES;
        if free {
            self.sent.push_back(now);
        }
        self.waiting |= !free;
        free
    }

    /// Forgets that something waited: it will ask again.
    pub fn forget_wait(&mut self) {
        self.waiting = false;
    }

    /// When the next query may be sent, if something waits for that.
    pub fn next_deadline(&self) -> Option<Time> {
        let first = self.sent.front().filter(|_| self.waiting)?;
        Some(*first + SECOND)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_second_has_more_than_it_may() {
        let mut pace = Pace::default();
        let mut sent = Vec::new();
        let mut now = Time::from_micros(3);
        for _ in 0..400 {
            pace.forget_wait();
            while pace.take(now) {
                sent.push(now);
            }
            let next = pace.next_deadline().expect("something waits");
            assert!(next > now);
            now = next;
        }
        assert_eq!(sent.len(), 400 * limits::DHT_QUERIES);
        for (index, &at) in sent.iter().enumerate() {
            let later = sent[index..].iter();
            let within = later.take_while(|&&other| other.since(at) < SECOND);
            assert!(within.count() <= limits::DHT_QUERIES);
        }
        pace.forget_wait();
        assert_eq!(pace.next_deadline(), None);
    }
}
