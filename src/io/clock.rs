//! The clock that the machines' `Time` comes from: the system's monotonic one.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::base::{Duration, Time};

/// Starts at one hour, so that no machine computes a moment before zero.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

/// The time of day: seconds since 1970.
pub fn unix() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

const HEAD_START: Duration = Duration::from_secs(3600);

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Clock {
        Clock(Instant::now())
    }

    /// This moment.
    pub fn now(&self) -> Time {
        Time::default() + HEAD_START + self.0.elapsed()
    }
}
