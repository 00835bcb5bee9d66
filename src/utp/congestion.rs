//! How many bytes may be under way. The window grows until packets begin to queue, and shrinks in
//! proportion while they queue for longer than [`limits::UTP_TARGET`] (LEDBAT, RFC 6817): so what
//! other programs send, which fills queues, drives this sender back to almost nothing.
//!
//! A sender that begins while others fill the line takes their queue for a part of the way, and
//! would push them aside. So each sender that has met a queue empties its own now and then, for two
//! round trips: then all see how long the way is. (The same is done in LEDBAT++.)

use super::delay::Delays;
use crate::base::{Duration, Time, limits};

/// The window never falls below so many packets: with two an acknowledgement comes at once.
const LEAST: f64 = 2.0;
/// The part of the window by which it grows in a round trip at most, past slow start.
const GENTLE: f64 = 0.1;
/// Bytes by which it grows in a round trip, past slow start, at least.
const GENTLE_LEAST: f64 = 300.0;
/// Slow start ends when packets queue for this part of the target.
const ENOUGH: f64 = 0.75;

/// The window of a sender.
#[derive(Debug)]
pub(super) struct Congestion {
    /// Bytes that may be under way.
    window: f64,
    /// Below it the window doubles in each round trip.
    threshold: f64,
    /// Delays of our packets, as the other end reports them.
    ours: Delays,
    /// Delays of the other end's packets.
    theirs: Delays,
    drain: Drain,
    /// When the queue is to be emptied next.
    next_drain: Option<Time>,
    /// The window was reduced because of a lost packet.
    reduced: Option<Time>,
}

/// What is done to empty the queue.
#[derive(Clone, Copy, Debug)]
enum Drain {
    None,
    /// Little is sent, since the first moment until the second.
    Empty(Time, Time),
    /// The window is to be what it was, since that first moment.
    Refill(Time),
}

impl Congestion {
    /// A sender of packets of this size.
    pub(super) fn new(packet: usize) -> Congestion {
        Congestion {
            window: 4.0 * packet as f64,
            threshold: f64::MAX,
            ours: Delays::default(),
            theirs: Delays::default(),
            drain: Drain::None,
            next_drain: None,
            reduced: None,
        }
    }

    /// Bytes that may be under way.
    pub(super) fn window(&self) -> usize {
        self.window as usize
    }

    /// A packet of ours took so long by the two clocks.
    pub(super) fn on_delay(&mut self, sample: u32, now: Time) {
        self.ours.add(sample, now);
    }

    /// A packet of the other end took so long by the two clocks. If it is less than ever, the
    /// clocks drift apart, and ours seem to take longer by as much.
    pub(super) fn on_their_delay(&mut self, sample: u32, now: Time) {
        let drift = self.theirs.add(sample, now);
        if drift > 0 && drift <= limits::UTP_DRIFT {
            self.ours.shift(drift);
        }
    }

    /// Bytes were acknowledged. `full`: the window was used up, so that it says something that they
    /// got there. `trip`: the mean round trip.
    pub(super) fn on_acked(
        &mut self,
        bytes: usize,
        full: bool,
        trip: Duration,
        packet: usize,
        now: Time,
    ) {
        let least = LEAST * packet as f64;
        let queueing = f64::from(self.ours.queueing()) / limits::UTP_TARGET.as_micros() as f64;
        let acked = bytes as f64;
        if let Drain::Empty(since, until) = self.drain {
            if now < until {
                return;
            }
            self.drain = Drain::Refill(since);
        }
        if self.window < self.threshold {
            if queueing > ENOUGH && !matches!(self.drain, Drain::Refill(_)) {
                self.threshold = self.window;
                self.next_drain = Some(now + trip * 2);
            } else if full {
                self.window = (self.window + acked).min(self.threshold);
            }
            if self.window >= self.threshold {
                self.on_refilled(now);
            }
        } else {
            let gain = (self.window * GENTLE).clamp(GENTLE_LEAST, f64::from(limits::UTP_GAIN));
            let share = acked / self.window;
            if queueing <= 1.0 {
                self.window += if full { gain * share } else { 0.0 };
            } else {
                let excess = self.window * (queueing - 1.0);
                self.window += (gain - excess).max(-self.window / 2.0) * share;
                self.threshold = self.threshold.min(self.window);
            }
        }
        self.window = self.window.clamp(least, limits::UTP_UNSENT as f64);
        if queueing > ENOUGH && self.next_drain.is_none() && matches!(self.drain, Drain::None) {
            // Slow start was ended by a loss, before it met the queue.
            self.next_drain = Some(now + trip * 2);
        }
        let due = self.next_drain.is_some_and(|at| at <= now);
        if due && queueing > ENOUGH / 2.0 && self.window > 2.0 * least {
            self.next_drain = None;
            self.drain = Drain::Empty(now, now + trip * 2);
            (self.threshold, self.window) = (self.window, least);
        }
    }

    fn on_refilled(&mut self, now: Time) {
        if let Drain::Refill(since) = self.drain {
            let pause = now.since(since) * limits::UTP_BETWEEN_DRAINS;
            self.next_drain = Some(now + pause.max(limits::UTP_BETWEEN_DRAINS_LEAST));
            self.drain = Drain::None;
        }
    }

    /// A packet was lost. What is lost in one round trip counts once.
    pub(super) fn on_lost(&mut self, trip: Duration, packet: usize, now: Time) {
        if self.reduced.is_some_and(|at| now.since(at) < trip) {
            return;
        }
        self.reduced = Some(now);
        // What was lost while the queue is emptied was sent before.
        let (was, emptying) = match self.drain {
            Drain::Empty(..) => (self.threshold, true),
            _ => (self.window, false),
        };
        self.threshold = (was / 2.0).max(LEAST * packet as f64);
        if !emptying {
            self.window = self.threshold;
            self.on_refilled(now);
        }
    }

    /// Nothing was acknowledged for too long: all that was under way is taken for lost.
    pub(super) fn on_silence(&mut self, packet: usize, now: Time) {
        let was = match self.drain {
            Drain::None => self.window,
            // It is small for the queue to be emptied, or is being restored.
            _ => self.threshold,
        };
        self.threshold = (was / 2.0).max(LEAST * packet as f64);
        self.window = packet as f64;
        self.reduced = Some(now);
        self.drain = Drain::None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: usize = 1_000;
    const TRIP: Duration = Duration::from_millis(50);

    fn at(millis: u64) -> Time {
        Time::from_micros(millis * 1_000)
    }

    /// Lets a whole window be acknowledged, with packets that queue for so many milliseconds.
    fn round(congestion: &mut Congestion, queue: u32, now: Time) {
        for _ in 0..limits::UTP_DELAY_SAMPLES {
            congestion.on_delay(10_000 + queue * 1_000, now);
        }
        let window = congestion.window();
        congestion.on_acked(window, true, TRIP, PACKET, now);
    }

    #[test]
    fn the_window_doubles_until_packets_queue_and_then_creeps() {
        let mut congestion = Congestion::new(PACKET);
        round(&mut congestion, 0, at(0));
        round(&mut congestion, 0, at(50));
        assert_eq!(congestion.window(), 16 * PACKET);
        round(&mut congestion, 80, at(100));
        assert_eq!(congestion.window(), 16 * PACKET);
        for _ in 0..20 {
            round(&mut congestion, 20, at(101));
        }
        let crept = congestion.window();
        assert!((20 * PACKET..=76 * PACKET).contains(&crept), "{crept}");
        let before = congestion.window();
        round(&mut congestion, 20, at(102));
        assert!(congestion.window() - before <= limits::UTP_GAIN as usize);
        for _ in 0..30 {
            round(&mut congestion, 400, at(103));
        }
        assert_eq!(congestion.window(), 2 * PACKET, "others fill the queue");
    }

    #[test]
    fn a_window_that_is_not_used_does_not_grow() {
        let mut congestion = Congestion::new(PACKET);
        for _ in 0..100 {
            congestion.on_acked(PACKET, false, TRIP, PACKET, at(1));
        }
        assert_eq!(congestion.window(), 4 * PACKET);
    }

    #[test]
    fn losses_of_one_round_trip_halve_once_and_silence_leaves_one_packet() {
        let mut congestion = Congestion::new(PACKET);
        for millis in 0..4 {
            round(&mut congestion, 0, at(millis));
        }
        let before = congestion.window();
        congestion.on_lost(TRIP, PACKET, at(100));
        congestion.on_lost(TRIP, PACKET, at(120));
        assert_eq!(congestion.window(), before / 2);
        congestion.on_lost(TRIP, PACKET, at(151));
        assert_eq!(congestion.window(), before / 4);
        congestion.on_silence(PACKET, at(400));
        assert_eq!(congestion.window(), PACKET);
    }

    /// Up to the target the window grows; beyond it shrinks.
    #[test]
    fn a_queue_of_the_target_is_aimed_for() {
        let target = limits::UTP_TARGET.as_millis() as u32;
        let windows = [target - 20, target, target + 20].map(|queue| {
            let mut congestion = Congestion::new(PACKET);
            for millis in 0..6 {
                round(&mut congestion, 0, at(millis * 50));
            }
            congestion.on_lost(TRIP, PACKET, at(300));
            let before = congestion.window() as i64;
            for _ in 0..3 {
                round(&mut congestion, queue, at(301));
            }
            congestion.window() as i64 - before
        });
        assert!(windows[0] > 0 && windows[1] > 0, "{windows:?}");
        assert!(windows[2] < 0, "{windows:?}");
    }

    /// The queue is not emptied again before so much time has passed.
    #[test]
    fn the_queue_is_emptied_now_and_then() {
        let mut congestion = Congestion::new(PACKET);
        let (mut now, mut emptied) = (0, Vec::new());
        let mut low = false;
        while now < 60_000 {
            let queue = (congestion.window() / PACKET) as u32;
            round(&mut congestion, queue.min(90), at(now));
            let is_low = congestion.window() == 2 * PACKET;
            if is_low && !low {
                emptied.push(now);
            }
            (low, now) = (is_low, now + 50);
        }
        let least = limits::UTP_BETWEEN_DRAINS_LEAST.as_millis() as u64;
        assert!(emptied.len() >= 3, "{emptied:?}");
        for pair in emptied.windows(2).skip(1) {
            assert!(pair[1] - pair[0] >= least, "{emptied:?}");
        }
        // Filling it again took longer than a round trip: so many times that is waited.
        let between = TRIP.as_millis() as u64 * u64::from(limits::UTP_BETWEEN_DRAINS);
        assert!(emptied[2] - emptied[1] >= between, "{emptied:?}");
    }

    /// The other end's clock falls behind by so much at a time, and our packets seem to take
    /// longer: that is no queue. More is a step of its clock, which says nothing.
    #[test]
    fn so_much_drift_is_followed() {
        for (drift, queueing) in [(limits::UTP_DRIFT, 0), (limits::UTP_DRIFT + 1, 1)] {
            let mut congestion = Congestion::new(PACKET);
            congestion.on_delay(50_000, at(0));
            congestion.on_their_delay(50_000, at(0));
            congestion.on_their_delay(50_000 - drift, at(1));
            for _ in 0..limits::UTP_DELAY_SAMPLES {
                congestion.on_delay(50_000 + drift, at(2));
            }
            assert_eq!(congestion.ours.queueing() > 0, queueing == 1);
        }
    }

    /// A loss has ended slow start before packets queued: the queue that builds up is emptied, too.
    #[test]
    fn the_queue_is_emptied_after_an_early_loss() {
        let mut congestion = Congestion::new(PACKET);
        for millis in 0..4 {
            round(&mut congestion, 0, at(millis * 50));
        }
        congestion.on_lost(TRIP, PACKET, at(200));
        for millis in 5..8 {
            round(&mut congestion, 90, at(millis * 50));
        }
        assert_eq!(congestion.window(), 2 * PACKET);
        // Silence meanwhile: half of what it was before comes back soon.
        let before = congestion.threshold;
        congestion.on_silence(PACKET, at(401));
        assert_eq!(congestion.threshold, before / 2.0);
    }

    #[test]
    fn the_queue_is_emptied_after_it_was_met() {
        let mut congestion = Congestion::new(PACKET);
        for millis in 0..5 {
            round(&mut congestion, 0, at(millis * 50));
        }
        round(&mut congestion, 90, at(300));
        let before = congestion.window();
        round(&mut congestion, 90, at(350));
        round(&mut congestion, 90, at(400));
        assert_eq!(congestion.window(), 2 * PACKET);
        round(&mut congestion, 0, at(450));
        assert_eq!(congestion.window(), 2 * PACKET);
        let mut now = 500;
        while congestion.window() < before && now < 1000 {
            round(&mut congestion, 0, at(now));
            now += 50;
        }
        assert!(now < 900, "it is full again after a few round trips: {now}");
    }
}
