//! When the two ends of a connection last sent each other something: for keep-alives, and to find
//! silent peers. While we suspend reading from a peer, its clock is stopped, so it does not count
//! as silent.

use super::greeting::Greeting;
use crate::base::{Duration, Time, limits};

/// The moments of one connection.
#[derive(Debug)]
pub struct Contact {
    /// When the network connection came up.
    pub since: Time,
    /// When something was read last.
    heard: Time,
    /// When something was sent last.
    said: Time,
    /// We say something at least this often.
    keep_alive: Duration,
    /// When we stopped reading from it, and so stopped its clock.
    stopped_at: Option<Time>,
}

impl Contact {
    /// That of a peer whose handshake has just come.
    pub fn new(greeting: &Greeting, now: Time) -> Contact {
        Contact {
            since: greeting.since,
            heard: now,
            said: greeting.said,
            keep_alive: limits::KEEP_ALIVE,
            stopped_at: None,
        }
    }

    /// Something was read.
    pub fn on_heard(&mut self, now: Time) {
        self.heard = now;
    }

    /// Something was sent.
    pub fn on_said(&mut self, now: Time) {
        self.said = now;
    }

    /// How long we have said nothing.
    pub fn unspoken(&self, now: Time) -> Duration {
        now.since(self.said)
    }

    /// From now on something is said at least each [`limits::KEEP_ALIVE_SHORT`].
    pub fn hurry_keep_alives(&mut self) {
        self.keep_alive = limits::KEEP_ALIVE_SHORT;
    }

    /// Whether it is time to say something.
    pub fn is_keep_alive_due(&self, now: Time) -> bool {
        self.unspoken(now) >= self.keep_alive
    }

    /// When that is.
    pub fn keep_alive_at(&self) -> Time {
        self.said.later(self.keep_alive)
    }

    /// Whether nothing came for too long.
    pub fn is_silent(&self, now: Time) -> bool {
        self.its_time(now).since(self.heard) >= limits::SILENCE
    }

    /// When that is so, if nothing comes and its clock is not stopped.
    pub fn silent_at(&self) -> Time {
        self.heard.later(limits::SILENCE)
    }

    /// Stops its clock.
    pub fn stop_clock(&mut self, now: Time) {
        self.stopped_at.get_or_insert(now);
    }

    /// Its clock goes on; for how long it was stopped, if it was.
    pub fn start_clock(&mut self, now: Time) -> Option<Duration> {
        let stopped_for = now.since(self.stopped_at.take()?);
        self.heard = self.heard.later(stopped_for);
        Some(stopped_for)
    }

    /// Whether its clock is stopped.
    pub fn is_clock_stopped(&self) -> bool {
        self.stopped_at.is_some()
    }

    /// What its clock says.
    pub fn its_time(&self, now: Time) -> Time {
        self.stopped_at.unwrap_or(now)
    }
}
