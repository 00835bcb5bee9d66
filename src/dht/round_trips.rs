//! How long nodes take to answer, and after what time one counts as slow.

use crate::base::{Duration, limits};

/// A running mean of round trips, and of their distance from it, as TCP keeps them (RFC 6298).
#[derive(Clone, Copy, Debug, Default)]
pub struct RoundTrips {
    measured: Option<(Duration, Duration)>,
}

impl RoundTrips {
    /// A node answered after this long.
    pub fn note(&mut self, span: Duration) {
        self.measured = Some(match self.measured {
            None => (span, span / 2),
            Some((mean, spread)) => {
                let off = mean.abs_diff(span);
                (mean * 7 / 8 + span / 8, spread * 3 / 4 + off / 4)
            }
        });
    }

    /// When a node that has not answered counts as slow.
    pub fn slow_after(&self) -> Duration {
        let Some((mean, spread)) = self.measured else {
            return limits::DHT_SLOW;
        };
        (mean + spread * 3).clamp(limits::DHT_SLOW_LEAST, limits::DHT_SLOW)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;

    #[test]
    fn slow_is_what_few_are() {
        let (mut trips, mut rng) = (RoundTrips::default(), Rng::from_seed(1));
        assert_eq!(trips.slow_after(), limits::DHT_SLOW);
        let mut late = 0;
        for _ in 0..2_000 {
            let trip = Duration::from_millis(20 + rng.below(281));
            late += u32::from(trip > trips.slow_after());
            trips.note(trip);
        }
        assert!(late < 100, "{late} of 2000");
        assert!(trips.slow_after() < Duration::from_millis(600));
        (0..50).for_each(|_| trips.note(Duration::from_millis(1)));
        assert_eq!(trips.slow_after(), limits::DHT_SLOW_LEAST);
        (0..50).for_each(|_| trips.note(Duration::from_secs(5)));
        assert_eq!(trips.slow_after(), limits::DHT_SLOW);
    }
}
