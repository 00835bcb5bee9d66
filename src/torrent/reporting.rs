//! When the user hears of progress: once a second while there is any.

use super::effect::Progress;
use crate::base::{Duration, Now, Totals};

/// Progress is reported this often.
const EVERY: Duration = Duration::from_secs(1);

/// What was reported last, and when the next report is due.
#[derive(Debug)]
pub struct Reporting {
    /// It is reported once a second even while nothing changes.
    heartbeat: bool,
    last: Progress,
    totals: Totals,
    next: Now,
}

impl Reporting {
    /// Nothing has been reported yet.
    pub fn new(heartbeat: bool, now: Now) -> Reporting {
        Reporting {
            heartbeat,
            last: Progress::default(),
            totals: Totals::default(),
            next: now + EVERY,
        }
    }

    /// This is being reported.
    pub fn on_reported(&mut self, progress: Progress, totals: Totals, now: Now) {
        *self = Reporting {
            heartbeat: self.heartbeat,
            last: progress,
            totals,
            next: now + EVERY,
        };
    }

    /// Whether what the user was told last has changed, or bytes flow.
    pub fn is_stale(&self, totals: Totals, peers: usize) -> bool {
        let flowing = self.last.down_rate + self.last.up_rate > 0;
        self.heartbeat || flowing || totals != self.totals || peers != self.last.peers
    }

    /// When the next report is due.
    pub fn next(&self) -> Now {
        self.next
    }
}
