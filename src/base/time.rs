//! Points in time, in microseconds since some start that only the clock's owner knows. Time is an
//! argument in every module but `io` and `cli`, so a simulated world and a real one drive the same
//! machines.

use std::num::NonZeroU64;
use std::ops::Add;
pub use std::time::Duration;

/// A point in time; differences are [`Duration`]s. Arithmetic saturates. An `Option` of it takes no
/// more room: it is kept as microseconds plus one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct Time(NonZeroU64);

impl Time {
    /// The moment `micros` microseconds after the clock's start.
    pub const fn from_micros(micros: u64) -> Time {
        Time(NonZeroU64::MIN.saturating_add(micros))
    }

    /// Microseconds since the clock's start.
    pub const fn as_micros(self) -> u64 {
        self.0.get() - 1
    }

    /// The moment `span` after this one.
    pub fn later(self, span: Duration) -> Time {
        let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        Time(self.0.saturating_add(micros))
    }

    /// Time gone by since `earlier`; zero if that lies ahead.
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_micros(self.0.get().saturating_sub(earlier.0.get()))
    }
}

impl Default for Time {
    fn default() -> Time {
        Time::from_micros(0)
    }
}

impl Add<Duration> for Time {
    type Output = Time;

    fn add(self, span: Duration) -> Time {
        self.later(span)
    }
}

/// The sooner of two moments that may not exist.
pub fn sooner(a: Option<Time>, b: Option<Time>) -> Option<Time> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates() {
        let late = Time::from_micros(u64::MAX - 1);
        assert_eq!(late + Duration::from_secs(9), Time::from_micros(u64::MAX));
        assert_eq!(Time::default().since(late), Duration::ZERO);
        assert_eq!(sooner(None, Some(late)), Some(late));
        assert_eq!(
            sooner(Some(Time::default()), Some(late)),
            Some(Time::default())
        );
    }
}
