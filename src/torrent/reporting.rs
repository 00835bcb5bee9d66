//! When the user hears of progress: once a second while there is any.

use super::effect::Progress;
use crate::base::{Duration, Time, Totals};

/// Progress is reported this often.
const EVERY: Duration = Duration::from_secs(1);

/// What was reported last, and when the next report is due.
#[derive(Debug)]
pub struct Reporting {
    /// It is reported once a second even while nothing changes.
    heartbeat: bool,
    /// Bytes flowed then.
    flowing: bool,
    /// The peers that were connected then.
    peers: usize,
    totals: Totals,
    next: Time,
}

impl Reporting {
    /// Nothing has been reported yet.
    pub fn new(heartbeat: bool, now: Time) -> Reporting {
        Reporting {
            heartbeat,
            flowing: false,
            peers: 0,
            totals: Totals::default(),
            next: now + EVERY,
        }
    }

    /// This is being reported.
    pub fn on_reported(&mut self, progress: Progress, totals: Totals, now: Time) {
        *self = Reporting {
            heartbeat: self.heartbeat,
            flowing: progress.down_rate + progress.up_rate > 0,
            peers: progress.peers,
            totals,
            next: now + EVERY,
        };
    }

    /// Whether what the user was told last has changed, or bytes flow.
    pub fn is_stale(&self, totals: Totals, peers: usize) -> bool {
        self.heartbeat || self.flowing || totals != self.totals || peers != self.peers
    }

    /// When the next report is due.
    pub fn next(&self) -> Time {
        self.next
    }
}
