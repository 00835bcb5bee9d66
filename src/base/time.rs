//! A moment, in microseconds since some start that only the clock's owner knows. Time is an
//! argument in every module but `io` and `cli`, so a simulated world and a real one drive the same
//! machines.

use std::ops::Add;
pub use std::time::Duration;

/// A moment; differences are [`Duration`]s. Arithmetic saturates.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Hash)]
pub struct Now(u64);

impl Now {
    /// The moment `micros` microseconds after the clock's start.
    pub const fn from_micros(micros: u64) -> Now {
        Now(micros)
    }

    /// Microseconds since the clock's start.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The moment `span` after this one.
    pub fn later(self, span: Duration) -> Now {
        Now(self
            .0
            .saturating_add(u64::try_from(span.as_micros()).unwrap_or(u64::MAX)))
    }

    /// Time gone by since `earlier`; zero if that lies ahead.
    pub fn since(self, earlier: Now) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Now {
    type Output = Now;

    fn add(self, span: Duration) -> Now {
        Now(self
            .0
            .saturating_add(u64::try_from(span.as_micros()).unwrap_or(u64::MAX)))
    }
}

/// The sooner of two moments that may not exist.
pub fn sooner(a: Option<Now>, b: Option<Now>) -> Option<Now> {
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
        let late = Now::from_micros(u64::MAX - 1);
        assert_eq!(late + Duration::from_secs(9), Now::from_micros(u64::MAX));
        assert_eq!(Now::default().since(late), Duration::ZERO);
        assert_eq!(sooner(None, Some(late)), Some(late));
        assert_eq!(
            sooner(Some(Now::default()), Some(late)),
            Some(Now::default())
        );
    }
}
