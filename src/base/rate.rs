//! How fast bytes flow, and how to keep them from flowing faster.

use super::time::{Duration, Time};

/// Bytes a second, averaged over about the last few seconds: a sum that decays by half in each
/// [`Meter::HALF_LIFE`].
#[derive(Clone, Copy, Debug)]
pub struct Meter {
    weight: f64,
    since: Time,
    at: Time,
    total: u64,
}

impl Meter {
    /// Short enough to follow a change, long enough to smooth a burst.
    pub const HALF_LIFE: Duration = Duration::from_secs(3);

    /// Until it is this old a meter counts as so old: a first burst is no rate.
    const YOUNGEST: Duration = Duration::from_secs(1);

    /// What has not moved for so long has no rate that is worth showing.
    pub const QUIET: Duration = Duration::from_secs(5);

    /// A meter that has seen nothing.
    pub fn new(now: Time) -> Meter {
        Meter {
            weight: 0.0,
            since: now,
            at: now,
            total: 0,
        }
    }

    /// Notes bytes that have just flowed.
    pub fn add(&mut self, bytes: u64, now: Time) {
        self.weight = self.decayed(now) + bytes as f64;
        self.at = self.at.max(now);
        self.total += bytes;
    }

    /// Bytes a second.
    pub fn rate(&self, now: Time) -> u64 {
        if self.weight == 0.0 {
            return 0;
        }
        // The integral of the decay over all the past is HALF_LIFE / ln 2; a young meter has seen
        // only a part of it.
        let half_life = Self::HALF_LIFE.as_secs_f64();
        let age = now.since(self.since).max(Self::YOUNGEST).as_secs_f64();
        let span = half_life / std::f64::consts::LN_2 * (1.0 - left_after(age / half_life));
        (self.decayed(now) / span) as u64
    }

    /// Bytes a second as they are shown: those of the last seconds. Where nothing flows any more
    /// the average takes a minute to come down; this falls to 0 within [`Meter::QUIET`].
    pub fn shown(&self, now: Time) -> u64 {
        let silent = now.since(self.at);
        let left = Self::QUIET.saturating_sub(silent).as_secs_f64();
        let falling = (Self::QUIET - Self::YOUNGEST).as_secs_f64();
        (self.rate(now) as f64 * (left / falling).min(1.0)) as u64
    }

    /// Bytes since the start.
    pub fn total(&self) -> u64 {
        self.total
    }

    fn decayed(&self, now: Time) -> f64 {
        let elapsed = now.since(self.at);
        if elapsed.is_zero() {
            return self.weight;
        }
        self.weight * left_after(elapsed.as_secs_f64() / Self::HALF_LIFE.as_secs_f64())
    }
}

/// Bytes of content that came in and went out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    /// Received.
    pub down: u64,
    /// Sent.
    pub up: u64,
}

impl std::ops::Add for Totals {
    type Output = Totals;

    fn add(self, other: Totals) -> Totals {
        Totals {
            down: self.down + other.down,
            up: self.up + other.up,
        }
    }
}

/// What is left of 1 after this many half-lives: two to the power of minus `half_lives`. The C
/// library has a function for it, too, but nothing else here needs that library, and mapping it
/// takes 0.4 MiB.
fn left_after(half_lives: f64) -> f64 {
    let whole = half_lives as u64;
    if whole >= 1023 {
        return 0.0;
    }
    // Two to the power of −`whole`, written as the bits of the number.
    let halved = f64::from_bits((1023 - whole) << 52);
    let exponent = (half_lives - whole as f64) * std::f64::consts::LN_2;
    // The series of the exponential function; beyond these terms it adds less than one bit.
    let terms = (1..=18_u32).rev();
    let power = terms.fold(1.0, |sum, n| 1.0 - sum * exponent / f64::from(n));
    halved * power
}

/// A token bucket: what may flow now without exceeding a rate, allowing bursts of up to a quarter
/// of a second (one block at least).
#[derive(Clone, Debug)]
pub struct Bucket(Option<Box<Limit>>);

/// A limit, and what may flow under it.
#[derive(Clone, Debug)]
struct Limit {
    rate: u64,
    tokens: f64,
    at: Time,
}

impl Bucket {
    /// A bucket for `rate` bytes a second; `None`: no limit.
    pub fn new(rate: Option<u64>, now: Time) -> Bucket {
        let limit = |rate| Limit {
            rate,
            tokens: 0.0,
            at: now,
        };
        Bucket(rate.map(limit).map(Box::new))
    }

    /// The limit in bytes a second.
    pub fn rate(&self) -> Option<u64> {
        self.0.as_ref().map(|limit| limit.rate)
    }

    /// Changes the limit from now on; debts remain as long as there is one.
    pub fn set_rate(&mut self, rate: Option<u64>, now: Time) {
        self.available(now);
        match (&mut self.0, rate) {
            (Some(limit), Some(rate)) => (limit.rate, limit.at) = (rate, now),
            _ => *self = Bucket::new(rate, now),
        }
    }

    /// Bytes that may flow now.
    pub fn available(&mut self, now: Time) -> u64 {
        let Some(limit) = &mut self.0 else {
            return u64::MAX;
        };
        let gained = now.since(limit.at).as_secs_f64() * limit.rate as f64;
        limit.tokens = (limit.tokens + gained).min(Self::burst(limit.rate));
        limit.at = limit.at.max(now);
        limit.tokens.max(0.0) as u64
    }

    /// Notes that bytes flowed. More than was available is a debt that the coming time pays off.
    pub fn take(&mut self, bytes: u64, now: Time) {
        // What time has brought so far is bounded by the burst, whatever is taken now.
        self.available(now);
        if let Some(limit) = &mut self.0 {
            limit.tokens -= bytes as f64;
        }
    }

    /// Takes back what was noted and did not flow after all.
    pub fn give_back(&mut self, bytes: u64) {
        if let Some(limit) = &mut self.0 {
            limit.tokens += bytes as f64;
        }
    }

    /// When at least `bytes` (or the whole burst, if that is less) may flow; `None` if they may
    /// now.
    pub fn ready_at(&mut self, bytes: u64, now: Time) -> Option<Time> {
        self.available(now);
        let limit = self.0.as_ref()?;
        let wanted = (bytes as f64).min(Self::burst(limit.rate));
        let lacking = wanted - limit.tokens;
        let seconds = (lacking.max(0.0) / limit.rate.max(1) as f64).min(3600.0);
        let wait = Duration::from_secs_f64(seconds);
        // Less than a moment is no wait.
        Some(now + wait).filter(|&at| at > now)
    }

    fn burst(rate: u64) -> f64 {
        (rate as f64 / 4.0).max(f64::from(super::geometry::BLOCK))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_is_left_after_each_half_life() {
        for thousandth in 0..20_000 {
            let half_lives = f64::from(thousandth) / 1000.0;
            let (ours, right) = (left_after(half_lives), (-half_lives).exp2());
            assert!((ours / right - 1.0).abs() < 1e-15, "{half_lives}: {ours}");
        }
        assert_eq!(left_after(1e9), 0.0);
        assert_eq!(left_after(f64::MAX), 0.0);
    }

    #[test]
    fn a_meter_finds_a_steady_rate_and_forgets_it() {
        let mut meter = Meter::new(Time::default());
        for tenth in 0..300 {
            meter.add(1000, Time::from_micros(tenth * 100_000));
        }
        let rate = meter.rate(Time::from_micros(30_000_000));
        assert!((9_500..10_500).contains(&rate), "{rate}");
        assert!(meter.rate(Time::from_micros(90_000_000)) < 10);
        let mut young = Meter::new(Time::default());
        for tenth in 0..20 {
            young.add(1000, Time::from_micros(tenth * 100_000));
        }
        let rate = young.rate(Time::from_micros(2_000_000));
        assert!((9_500..10_500).contains(&rate), "{rate}");
        assert_eq!(meter.total(), 300_000);
    }

    #[test]
    fn what_is_shown_is_the_rate_of_the_last_seconds() {
        let mut meter = Meter::new(Time::default());
        for tenth in 0..300 {
            meter.add(10_000_000, Time::from_micros(tenth * 100_000));
        }
        let last = Time::from_micros(29_900_000);
        let after = |millis| last + Duration::from_millis(millis);
        let (rate, shown) = (meter.rate(after(900)), meter.shown(after(900)));
        assert_eq!(shown, rate, "a short pause changes nothing");
        let falling = [1000, 2000, 3000, 4000, 4900].map(|millis| meter.shown(after(millis)));
        assert!(falling.windows(2).all(|two| two[1] < two[0]), "{falling:?}");
        assert!(meter.rate(after(5000)) > 10_000_000);
        assert_eq!(meter.shown(after(5000)), 0);
        assert_eq!(meter.shown(after(3_600_000)), 0);
        meter.add(1000, after(3_600_000));
        assert!(meter.shown(after(3_600_000)) > 0);
    }

    #[test]
    fn a_bucket_holds_its_rate() {
        let mut bucket = Bucket::new(Some(100_000), Time::default());
        let (mut sent, mut micros) = (0, 0);
        while micros < 10_000_000 {
            let now = Time::from_micros(micros);
            if let Some(later) = bucket.ready_at(16_384, now) {
                micros = later.as_micros().max(micros + 1);
                continue;
            }
            bucket.take(16_384, now);
            sent += 16_384;
        }
        assert!((950_000..=1_050_000).contains(&sent), "{sent}");
        // A debt is not paid by time that had filled the bucket before.
        let later = Time::from_micros(100_000_000);
        bucket.take(100_000, later);
        assert!(bucket.ready_at(16_384, later).is_some());
        assert_eq!(
            Bucket::new(None, Time::default()).ready_at(u64::MAX, Time::default()),
            None
        );
    }
}
