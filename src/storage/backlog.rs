//! How much may be written and not yet synced: what the disk takes in about a second, so that a
//! stop, which waits for it, does not wait long, and no other program has to wait for gigabytes of
//! ours.
//!
//! How fast a disk is shows in how long it takes to sync this many bytes. But syncing costs some
//! time whatever the number of bytes, on memory cards and with many files most of all: to sync less
//! at a time would only make that worse. So what counts is how much longer more bytes take, which
//! two batches of different size tell.

use crate::base::{Duration, limits};

/// Two batches tell a disk's speed if one has this many times the bytes of the other.
const DIFFERENT: f64 = 1.25;
/// If a batch takes this many times as long as expected, what is known of the disk's speed is
/// forgotten.
const SURPRISE: f64 = 4.0;

/// The bytes that may be written and not synced.
#[derive(Clone, Debug)]
pub struct Backlog {
    most: u64,
    last: Option<Batch>,
    /// Seconds that one more byte takes, as far as is known.
    slope: Option<f64>,
}

#[derive(Clone, Copy, Debug)]
struct Batch {
    bytes: f64,
    seconds: f64,
}

impl Default for Backlog {
    fn default() -> Backlog {
        Backlog {
            most: limits::UNSYNCED_FIRST,
            last: None,
            slope: None,
        }
    }
}

impl Backlog {
    /// The bytes that may be written and not synced.
    pub fn most(&self) -> u64 {
        self.most
    }

    /// Notes how long a batch took.
    pub fn on_synced(&mut self, bytes: u64, time: Duration) {
        let batch = Batch {
            bytes: bytes.max(1) as f64,
            seconds: time.as_secs_f64().max(1e-6),
        };
        let average = batch.seconds / batch.bytes;
        let expected = self.last.map(|last| {
            let more = (batch.bytes - last.bytes).max(0.0);
            last.seconds + more * self.slope.unwrap_or(0.0)
        });
        let surprise = expected.is_some_and(|expected| batch.seconds > SURPRISE * expected);
        match self.last {
            Some(last) if !surprise => {
                let (small, large) = if last.bytes < batch.bytes {
                    (last, batch)
                } else {
                    (batch, last)
                };
                if large.bytes >= DIFFERENT * small.bytes {
                    let slope = (large.seconds - small.seconds) / (large.bytes - small.bytes);
                    let known = self.slope.unwrap_or(slope);
                    // Other programs use the disk, too: one pair of batches says little.
                    self.slope = Some(((known + slope) / 2.0).max(0.0));
                    self.last = Some(batch);
                }
            }
            _ => (self.last, self.slope) = (Some(batch), None),
        }
        // What a byte takes is never more than what it takes on average.
        let slope = self.slope.map_or(average, |slope| slope.min(average));
        let taken = limits::UNSYNCED_TIME.as_secs_f64() / slope.max(1e-12);
        // Step by step: a disk's own cache may have taken a batch, and a pause may have held one
        // up.
        let (least, most) = (self.most / 2, self.most.saturating_mul(2));
        self.most = (taken as u64)
            .clamp(least, most)
            .clamp(limits::UNSYNCED_LEAST, limits::UNSYNCED_MOST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1_000_000;

    /// What may be unsynced in the end on a disk that takes `fixed` seconds for each sync and
    /// `rate` bytes a second, with batches of a half to all of what is allowed.
    fn settle(backlog: &mut Backlog, fixed: f64, rate: f64, syncs: u64) -> u64 {
        for n in 0..syncs {
            let bytes = backlog.most() * (50 + n * 37 % 51) / 100;
            backlog.on_synced(bytes, Duration::from_secs_f64(fixed + bytes as f64 / rate));
        }
        backlog.most()
    }

    #[test]
    fn a_disk_is_given_what_it_takes_in_its_time() {
        for (rate, fixed) in [
            (5 * MB, 0.0),
            (5 * MB, 0.05),
            (30 * MB, 0.0),
            (100 * MB, 0.3),
        ] {
            let most = settle(&mut Backlog::default(), fixed, rate as f64, 30);
            let wanted = (rate as f64 * limits::UNSYNCED_TIME.as_secs_f64()) as u64;
            assert!(
                (wanted * 9 / 10..=wanted * 11 / 10).contains(&most),
                "{rate}: {most}"
            );
        }
    }

    #[test]
    fn a_sync_that_costs_the_same_for_any_number_of_bytes_holds_nothing_back() {
        for fixed in [0.0, 0.1, 0.5, 1.0, 5.0] {
            let most = settle(&mut Backlog::default(), fixed, 1e15, 30);
            assert_eq!(most, limits::UNSYNCED_MOST, "{fixed}");
        }
    }

    #[test]
    fn batches_of_one_size_are_told_apart_as_soon_as_the_size_changes() {
        let mut backlog = Backlog::default();
        for _ in 0..30 {
            backlog.on_synced(backlog.most() / 2, Duration::from_secs(1));
        }
        assert_eq!(backlog.most(), limits::UNSYNCED_MOST);
    }

    #[test]
    fn a_disk_that_becomes_slow_is_soon_found_out() {
        let mut backlog = Backlog::default();
        assert_eq!(settle(&mut backlog, 0.0, 2e9, 20), limits::UNSYNCED_MOST);
        let most = settle(&mut backlog, 0.0, 5e6, 10);
        assert!(most <= 5 * MB, "{most}");
        assert_eq!(settle(&mut backlog, 0.0, 2e9, 20), limits::UNSYNCED_MOST);
    }
}
