//! How long packets queue on their way. A sample is the time that a packet took by two clocks that
//! know nothing of each other, so only differences of samples mean anything: the least sample of
//! the last minutes is taken for a way without a queue.

use super::number::is_less;
use crate::base::{Duration, Time, limits};

const MINUTE: Duration = Duration::from_secs(60);

/// The least samples of the last minutes in one direction.
#[derive(Debug, Default)]
pub(super) struct Delays {
    /// The least of each minute, that of the current one last. Empty: there was no sample.
    minutes: Vec<u32>,
    began: Time,
    /// The least of them all.
    base: u32,
    /// The last samples, as time above the base when they came.
    recent: [u32; limits::UTP_DELAY_SAMPLES],
    next: usize,
}

impl Delays {
    /// Takes a sample. Returns by how much it moved the base down: what an own clock that runs
    /// behind the other's looks like.
    pub(super) fn add(&mut self, sample: u32, now: Time) -> u32 {
        let before = self.base;
        match self.minutes.last_mut() {
            None => {
                self.minutes.push(sample);
                (self.base, self.began) = (sample, now);
                self.recent = [0; limits::UTP_DELAY_SAMPLES];
                return 0;
            }
            Some(least) if is_less(sample, *least) => *least = sample,
            Some(_) => {}
        }
        if now.since(self.began) >= MINUTE {
            if self.minutes.len() == limits::UTP_DELAY_MINUTES {
                self.minutes.remove(0);
            }
            self.minutes.push(sample);
            self.began = now;
        }
        self.find_base();
        self.recent[self.next] = sample.wrapping_sub(self.base);
        self.next = (self.next + 1) % self.recent.len();
        if is_less(self.base, before) {
            before.wrapping_sub(self.base)
        } else {
            0
        }
    }

    /// Moves the base up: the other end's clock runs faster than ours, by this much since the last
    /// call.
    pub(super) fn shift(&mut self, by: u32) {
        for least in &mut self.minutes {
            *least = least.wrapping_add(by);
        }
        self.find_base();
    }

    /// How long packets queue now, in microseconds.
    pub(super) fn queueing(&self) -> u32 {
        self.recent.iter().copied().min().unwrap_or(0)
    }

    fn find_base(&mut self) {
        let least = |a: u32, b: u32| if is_less(b, a) { b } else { a };
        if let Some(base) = self.minutes.iter().copied().reduce(least) {
            self.base = base;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn the_least_of_the_last_minutes_is_no_queue() {
        let mut delays = Delays::default();
        // The clocks differ by nearly all that there is, so the samples pass zero.
        let sample = |delay: u32| delay.wrapping_sub(20_000);
        for (second, delay) in [(0, 30_000), (1, 10_000), (2, 60_000), (3, 60_000)] {
            delays.add(sample(delay), at(second));
        }
        assert_eq!(delays.queueing(), 0, "of four samples the least counts");
        for second in 4..8 {
            delays.add(sample(60_000), at(second));
        }
        assert_eq!(delays.queueing(), 50_000);
        // The way has become longer: that is known once the minutes before are forgotten.
        for second in 8..limits::UTP_DELAY_MINUTES as u64 * 60 {
            delays.add(sample(60_000), at(second));
        }
        assert_eq!(delays.queueing(), 50_000);
        for second in 0..130 {
            delays.add(
                sample(60_000),
                at(limits::UTP_DELAY_MINUTES as u64 * 60 + second),
            );
        }
        assert_eq!(delays.queueing(), 0);
    }

    #[test]
    fn a_clock_that_drifts_is_followed() {
        let mut delays = Delays::default();
        delays.add(1_000, at(0));
        assert_eq!(delays.add(400, at(1)), 600);
        assert_eq!(delays.add(900, at(2)), 0);
        for _ in 0..4 {
            delays.add(900, at(3));
        }
        assert_eq!(delays.queueing(), 500);
        delays.shift(300);
        for _ in 0..4 {
            delays.add(900, at(3));
        }
        assert_eq!(delays.queueing(), 200);
    }
}
