//! When packets that were not acknowledged are sent again (RFC 6298, with the bounds of BEP 29).

use crate::base::{Duration, limits};

/// The round trips of a connection.
#[derive(Debug, Default)]
pub(super) struct RoundTrips {
    /// Their mean, once one was measured.
    mean: Option<Duration>,
    /// The shortest.
    least: Option<Duration>,
    /// Their mean deviation.
    deviation: Duration,
    /// How often in a row the wait was for nothing.
    silences: u32,
}

impl RoundTrips {
    /// Takes one.
    pub(super) fn add(&mut self, sample: Duration) {
        self.least = Some(self.least.map_or(sample, |least| least.min(sample)));
        match &mut self.mean {
            None => (self.mean, self.deviation) = (Some(sample), sample / 2),
            Some(mean) => {
                self.deviation = (self.deviation * 3 + mean.abs_diff(sample)) / 4;
                *mean = (*mean * 7 + sample) / 8;
            }
        }
    }

    /// The mean; a second while none is known.
    pub(super) fn mean(&self) -> Duration {
        self.mean.unwrap_or(limits::UTP_RESEND_FIRST)
    }

    /// Bytes that the other end may have under way, so that it need not pause.
    pub(super) fn window(&self) -> usize {
        let trip = self.least.unwrap_or(limits::UTP_WINDOW_TRIP);
        let trip = trip.min(limits::UTP_WINDOW_TRIP);
        let part = trip.as_micros() as usize * (limits::UTP_WINDOW / 1_000);
        let whole = limits::UTP_WINDOW_TRIP.as_micros() as usize / 1_000;
        (part / whole).max(limits::UTP_WINDOW_LEAST)
    }

    /// How long to wait for an acknowledgement.
    pub(super) fn patience(&self) -> Duration {
        let usual = match self.mean {
            None => limits::UTP_RESEND_FIRST,
            Some(mean) => (mean + self.deviation * 4).max(limits::UTP_RESEND_LEAST),
        };
        (usual * (1 << self.silences.min(16))).min(limits::UTP_RESEND_MOST)
    }

    /// It has not come. Returns how often in a row.
    pub(super) fn on_silence(&mut self) -> u32 {
        self.silences += 1;
        self.silences
    }

    /// Something was acknowledged.
    pub(super) fn on_heard(&mut self) {
        self.silences = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_follows_the_round_trips_and_doubles() {
        let mut trips = RoundTrips::default();
        assert_eq!(trips.patience(), limits::UTP_RESEND_FIRST);
        for _ in 0..100 {
            trips.add(Duration::from_millis(10));
        }
        assert_eq!(trips.patience(), limits::UTP_RESEND_LEAST);
        for _ in 0..100 {
            trips.add(Duration::from_millis(800));
        }
        let usual = trips.patience();
        assert!((800..900).contains(&usual.as_millis()), "{usual:?}");
        trips.on_silence();
        assert_eq!(trips.patience(), usual * 2);
        for _ in 0..9 {
            trips.on_silence();
        }
        assert_eq!(trips.patience(), limits::UTP_RESEND_MOST);
        trips.on_heard();
        assert_eq!(trips.patience(), usual);
    }
}
