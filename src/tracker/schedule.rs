//! When one tracker may be asked again: after the interval it named, within bounds; sooner for more
//! peers, but not before its `min interval`; after a failure, later each time.

use crate::base::{Duration, Time, limits};
use crate::wire::Retry;

/// One tracker's times.
#[derive(Clone, Debug, Default)]
pub struct Schedule {
    /// Answers in all.
    answers: u32,
    /// Failures since the last answer.
    failures: u32,
    again: Again,
    early: Time,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Again {
    At(Time),
    Never,
}

impl Default for Again {
    fn default() -> Again {
        Again::At(Time::default())
    }
}

impl Schedule {
    /// The tracker answered an announce, with these times.
    pub fn answered(
        &mut self,
        interval: Option<Duration>,
        min_interval: Option<Duration>,
        now: Time,
    ) {
        let interval = bounded(interval.unwrap_or(limits::INTERVAL_DEFAULT));
        let doublings = self.answers.min(limits::EARLY_DOUBLINGS);
        let unnamed = limits::INTERVAL_LEAST * 2_u32.saturating_pow(doublings);
        let early = min_interval.map_or_else(|| unnamed.min(interval), bounded);
        self.answers = self.answers.saturating_add(1);
        self.failures = 0;
        self.early = now + early;
        self.again = Again::At(now + interval.max(early));
    }

    /// The tracker did not answer (`None`), or refused and said when to come again (BEP 31).
    pub fn failed(&mut self, retry: Option<Retry>, now: Time) {
        let doubled = limits::TRACKER_BACKOFF * 2_u32.saturating_pow(self.failures.min(20));
        let wait = doubled.min(limits::TRACKER_BACKOFF_MOST);
        self.failures = self.failures.saturating_add(1);
        self.again = match retry {
            Some(Retry::Never) => Again::Never,
            Some(Retry::After(span)) => Again::At(now + bounded(span).max(wait)),
            None => Again::At(now + wait),
        };
    }

    /// When the tracker is to be asked again; `None`: never.
    pub fn next(&self) -> Option<Time> {
        match self.again {
            Again::At(at) => Some(at),
            Again::Never => None,
        }
    }

    /// The moment from which it may be asked if there is a reason to: after a failure and after an
    /// answer it is left alone for a while. `None`: never.
    pub fn free(&self) -> Option<Time> {
        if self.failures == 0 {
            Some(self.early)
        } else {
            self.next()
        }
    }

    /// Whether it may be asked now.
    pub fn may_ask(&self, now: Time) -> bool {
        self.free().is_some_and(|at| at <= now)
    }
}

/// A time that a tracker names, within ours.
fn bounded(span: Duration) -> Duration {
    span.clamp(limits::INTERVAL_LEAST, limits::INTERVAL_MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Time = Time::from_micros(1_000_000_000);

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    fn after(interval: Option<u64>, min_interval: Option<u64>) -> (Duration, Duration) {
        let mut schedule = Schedule::default();
        schedule.answered(interval.map(secs), min_interval.map(secs), START);
        let next = schedule.next().unwrap();
        (next.since(START), schedule.free().unwrap().since(START))
    }

    /// BEP 3: "interval, which maps to the number of seconds the downloader should wait between
    /// regular rerequests".
    #[test]
    fn intervals_are_kept_within_bounds() {
        assert_eq!(after(Some(1800), Some(60)), (secs(1800), secs(60)));
        assert_eq!(after(None, None).0, limits::INTERVAL_DEFAULT);
        assert_eq!(after(Some(0), None).0, limits::INTERVAL_LEAST);
        assert_eq!(after(Some(0), Some(0)).1, limits::INTERVAL_LEAST);
        let far = Some(i64::MAX as u64);
        assert_eq!(
            after(far, far),
            (limits::INTERVAL_MOST, limits::INTERVAL_MOST)
        );
        assert_eq!(
            after(Some(60), Some(900)),
            (secs(900), secs(900)),
            "a min interval above the interval"
        );
    }

    /// BEP 3: "downloaders may rerequest on nonscheduled times if an event happens or they need
    /// more peers".
    #[test]
    fn without_a_min_interval_early_announces_become_rarer() {
        let mut schedule = Schedule::default();
        let waits: Vec<Duration> = (0..6)
            .map(|_| {
                schedule.answered(Some(secs(1800)), None, START);
                schedule.free().unwrap().since(START)
            })
            .collect();
        assert_eq!(waits, [30, 60, 120, 240, 240, 240].map(secs));
        assert_eq!(after(Some(40), None).1, secs(30));
    }

    #[test]
    fn failures_wait_twice_as_long_each_time() {
        let mut schedule = Schedule::default();
        assert!(schedule.may_ask(START));
        let mut waits = Vec::new();
        for _ in 0..40 {
            schedule.failed(None, START);
            waits.push(schedule.next().unwrap().since(START));
        }
        assert_eq!(waits[..8], [15, 30, 60, 120, 240, 480, 960, 1800].map(secs));
        assert!(waits[8..].iter().all(|&wait| wait == secs(1800)));
        assert!(!schedule.may_ask(START) && schedule.may_ask(START + secs(1800)));
        schedule.answered(None, None, START);
        assert!(!schedule.may_ask(START) && schedule.may_ask(schedule.free().unwrap()));
        schedule.failed(None, START);
        assert_eq!(schedule.next(), Some(START + secs(15)));
    }

    /// BEP 31: "specifies the number of minutes in which a retry can be done for this tracker. This
    /// field is either a positive integer or the value "never". The latter specifies that the
    /// client should never send this query again."
    #[test]
    fn a_tracker_says_when_to_come_again() {
        let mut schedule = Schedule::default();
        schedule.failed(Some(Retry::After(secs(600))), START);
        assert_eq!(schedule.next(), Some(START + secs(600)));
        let mut waits = Vec::new();
        for _ in 0..4 {
            schedule.answered(None, None, START);
            schedule.failed(Some(Retry::After(Duration::ZERO)), START);
            waits.push(schedule.next());
        }
        let least = Some(START + limits::INTERVAL_LEAST);
        assert_eq!(
            waits, [least; 4],
            "who speaks is not asked more often than that"
        );
        schedule.failed(None, START);
        schedule.failed(Some(Retry::After(Duration::ZERO)), START);
        assert_eq!(
            schedule.next(),
            Some(START + secs(60)),
            "not sooner than without it"
        );
        schedule.failed(Some(Retry::After(Duration::MAX)), START);
        assert_eq!(schedule.next(), Some(START + limits::INTERVAL_MOST));
        schedule.failed(Some(Retry::Never), START);
        assert_eq!(schedule.next(), None);
        assert!(!schedule.may_ask(Time::from_micros(u64::MAX)));
    }
}
