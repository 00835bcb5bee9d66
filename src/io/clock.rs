//! The clock that the machines' `Now` comes from: the system's monotonic one.

use std::time::Instant;

use crate::base::{Duration, Now};

/// Starts at one hour, so that no machine computes a moment before zero.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

const HEAD_START: Duration = Duration::from_secs(3600);

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Clock {
        Clock(Instant::now())
    }

    /// This moment.
    pub fn now(&self) -> Now {
        Now::default() + HEAD_START + self.0.elapsed()
    }
}
