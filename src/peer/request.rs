//! What we asked of a peer, and how much to ask. In flight is what the peer can send in a few
//! seconds: the depth grows by one with each block until the rate no longer grows, then follows the
//! rate. A block that takes much longer than this peer's blocks do is late, and may be asked of
//! another peer while it is still expected from this one. One that was passed over, or does not
//! come for a minute, is lost: peers drop requests without a word.

use std::collections::VecDeque;

use super::queue::slim;
use crate::base::{BLOCK, Block, Duration, Meter, Time, limits, sooner};

/// Requests in flight before a peer has sent anything.
const FIRST_DEPTH: usize = 4;
/// The part of all requests in flight that is asked for at a time, at least.
const BATCH: usize = 8;
/// How often the rate is looked at while the depth grows.
const GROWTH_ROUND: Duration = Duration::from_secs(1);
/// No request for this long after a peer rejected one while it does not choke us, since its answer
/// to the same request would be the same; after it choked us without having answered any; and after
/// one was lost and it is silent, so that others are asked for it first.
const BACKOFF: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug)]
struct Asked {
    block: Block,
    at: Time,
    late: bool,
    /// Requests made after it that may still be answered before it counts as lost.
    patience: usize,
    /// One that was asked for later came before it.
    passed: bool,
}

/// What became of a block that came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrival {
    /// It was expected.
    Expected,
    /// It was asked for once and then cancelled.
    CalledOff,
    /// It was never asked for.
    Unasked,
}

/// The requests in flight to one peer.
#[derive(Debug)]
pub struct Requests {
    asked: VecDeque<Asked>,
    called_off: VecDeque<Block>,
    depth: usize,
    growing: bool,
    round: Option<(Time, u64)>,
    last_round: u64,
    mean: f64,
    deviation: f64,
    /// The shortest time that a block took, in seconds.
    quickest: f64,
    last_block: Option<Time>,
    /// A request was lost, and no block came since it was made.
    silent: bool,
    /// A block came since the peer choked us last.
    answered: bool,
    backoff_until: Option<Time>,
}

impl Default for Requests {
    fn default() -> Requests {
        Requests {
            asked: VecDeque::new(),
            called_off: VecDeque::new(),
            depth: FIRST_DEPTH,
            growing: true,
            round: None,
            last_round: 0,
            mean: 0.0,
            deviation: 0.0,
            quickest: f64::INFINITY,
            last_block: None,
            silent: false,
            answered: false,
            backoff_until: None,
        }
    }
}

impl Requests {
    /// How many more to ask for now. Where many are in flight anyway, they are asked for in
    /// batches: a write for each few that came would cost a twentieth of a whole download.
    pub fn room(&self, now: Time) -> usize {
        if self.backoff_until.is_some_and(|until| now < until) {
            return 0;
        }
        let depth = if self.is_snubbing(now) {
            1
        } else if self.is_near() {
            self.depth.min(limits::DEPTH_NEAR)
        } else {
            self.depth
        };
        let room = depth.saturating_sub(self.asked.len());
        // A peer that drops requests when its queue is full gets them one by one, as it answers.
        let orderly = self.asked.front().is_none_or(|first| !first.passed);
        if orderly && room < depth / BATCH {
            0
        } else {
            room
        }
    }

    /// Whether few requests in flight keep the peer busy.
    fn is_near(&self) -> bool {
        let once = self.quickest < limits::NEAR.as_secs_f64();
        once && self.mean < limits::NEAR_MEAN.as_secs_f64()
    }

    /// How many are in flight.
    pub fn len(&self) -> usize {
        self.asked.len()
    }

    /// What is in flight, in the order in which it was asked for.
    pub fn iter(&self) -> impl Iterator<Item = Block> + '_ {
        self.asked.iter().map(|asked| asked.block)
    }

    /// Whether none is in flight.
    pub fn is_empty(&self) -> bool {
        self.asked.is_empty()
    }

    /// Whether this peer owes us blocks and has sent none for a long time, or is late with one
    /// before it ever sent any. That lasts until it sends a block, even after its requests are
    /// lost.
    pub fn is_snubbing(&self, now: Time) -> bool {
        if self.silent {
            return true;
        }
        let Some(oldest) = self.asked.front() else {
            return false;
        };
        let quiet_since = self
            .last_block
            .map_or(oldest.at, |last| last.max(oldest.at));
        now.since(quiet_since) >= limits::SNUBBED || (self.last_block.is_none() && oldest.late)
    }

    /// Notes that a block was asked for.
    pub fn ask(&mut self, block: Block, now: Time) {
        self.asked.push_back(Asked {
            block,
            at: now,
            late: false,
            passed: false,
            patience: self
                .depth
                .saturating_mul(limits::SKIPPED)
                .max(limits::SKIPPED_LEAST),
        });
    }

    /// Cancels a request; true if it was in flight. The block may still come.
    pub fn call_off(&mut self, block: Block) -> bool {
        let known = self.remove(block).is_some();
        if known {
            self.remember(block);
        }
        known
    }

    /// The peer will not send this block; true if it was in flight.
    pub fn on_reject(&mut self, block: Block, choked: bool, now: Time) -> bool {
        let known = self.remove(block).is_some();
        if known && !choked {
            self.backoff_until = Some(now.later(BACKOFF));
        }
        known
    }

    /// The peer chokes us. If it unchoked us, answered nothing and chokes us again, it is not asked
    /// at once when it unchokes us the next time.
    pub fn on_choke(&mut self, now: Time) {
        let answered = std::mem::take(&mut self.answered);
        if !answered && !self.asked.is_empty() {
            self.backoff_until = Some(now.later(BACKOFF));
        }
    }

    /// A block came.
    pub fn on_block(&mut self, block: Block, down: &Meter, now: Time) -> Arrival {
        let place = self.asked.iter().position(|asked| asked.block == block);
        for passed in self.asked.iter_mut().take(place.unwrap_or(0)) {
            passed.patience = passed.patience.saturating_sub(1);
            passed.passed = true;
        }
        let Some(asked) = self.remove(block) else {
            let place = self.called_off.iter().position(|&off| off == block);
            let off = place.and_then(|place| self.called_off.remove(place));
            if off.is_none() {
                return Arrival::Unasked;
            }
            // It crossed a choke on the way: an answer after all.
            (self.answered, self.silent, self.backoff_until) = (true, false, None);
            return Arrival::CalledOff;
        };
        self.time_block(now.since(asked.at), self.last_block.is_none());
        self.last_block = Some(now);
        (self.answered, self.silent) = (true, false);
        self.adapt(down, now);
        Arrival::Expected
    }

    /// Takes back everything in flight, for the piece table.
    pub fn take_all(&mut self) -> Vec<Block> {
        let blocks: Vec<Block> = self.asked.drain(..).map(|asked| asked.block).collect();
        slim(&mut self.asked);
        for &block in &blocks {
            self.remember(block);
        }
        blocks
    }

    /// The blocks that have just become late. Each is named once.
    pub fn take_late(&mut self, now: Time) -> Vec<Block> {
        let patience = self.patience();
        let mut late = Vec::new();
        for asked in self.asked.iter_mut() {
            if !asked.late && now.since(asked.at) >= patience {
                asked.late = true;
                late.push(asked.block);
            }
        }
        late
    }

    /// Takes back the requests that are lost. Their blocks may still come.
    pub fn take_lost(&mut self, now: Time) -> Vec<Block> {
        let asked = self.asked.iter().copied();
        let lost: Vec<Asked> = asked.filter(|asked| self.is_lost(asked, now)).collect();
        let unanswered = |asked: &Asked| self.last_block.is_none_or(|last| last < asked.at);
        if lost.iter().any(unanswered) {
            self.silent = true;
            self.backoff_until = Some(now.later(BACKOFF));
        }
        for asked in &lost {
            self.call_off(asked.block);
        }
        lost.into_iter().map(|asked| asked.block).collect()
    }

    /// Reading from the peer was suspended for this long: its blocks may have arrived meanwhile.
    pub fn postpone(&mut self, by: Duration) {
        for asked in &mut self.asked {
            asked.at = asked.at.later(by);
        }
        self.last_block = self.last_block.map(|at| at.later(by));
    }

    fn is_lost(&self, asked: &Asked, now: Time) -> bool {
        asked.patience == 0 || now.since(asked.at) >= limits::SNUBBED
    }

    /// When to look again: the next block becomes late or lost, or a backoff ends.
    pub fn next_deadline(&self, now: Time) -> Option<Time> {
        let oldest = self.asked.iter().find(|asked| !asked.late);
        let late = oldest.map(|asked| asked.at.later(self.patience()));
        let backoff = self.backoff_until.filter(|&until| now < until);
        let first = self.asked.front();
        let lost = first.map(|asked| {
            if self.is_lost(asked, now) {
                now
            } else {
                asked.at.later(limits::SNUBBED)
            }
        });
        sooner(lost, sooner(late, backoff))
    }

    /// How long a block may take: mean and four deviations of this peer's times, within bounds.
    fn patience(&self) -> Duration {
        let usual = self.deviation.mul_add(4.0, self.mean);
        // Whole microseconds, as moments are: a deadline that is reached has passed.
        Duration::from_micros((usual.clamp(0.0, 3600.0) * 1e6) as u64)
            .clamp(limits::LATE_LEAST, limits::LATE_MOST)
    }

    /// Smoothed as TCP does its round-trip time (RFC 6298).
    fn time_block(&mut self, took: Duration, first: bool) {
        let took = took.as_secs_f64();
        self.quickest = self.quickest.min(took);
        if first {
            (self.mean, self.deviation) = (took, took / 2.0);
        } else {
            self.deviation += ((took - self.mean).abs() - self.deviation) / 4.0;
            self.mean += (took - self.mean) / 8.0;
        }
    }

    fn adapt(&mut self, down: &Meter, now: Time) {
        if self.growing {
            self.depth = self.depth.saturating_add(1).min(limits::DEPTH_MOST);
            let (start, before) = *self.round.get_or_insert((now, down.total()));
            if now.since(start) >= GROWTH_ROUND {
                let got = down.total().saturating_sub(before);
                self.growing = got > self.last_round.saturating_add(self.last_round / 10);
                self.last_round = got;
                self.round = Some((now, down.total()));
            }
            return;
        }
        let bytes = down.rate(now).saturating_mul(limits::DEPTH_TIME.as_secs());
        let held = bytes.checked_div(u64::from(BLOCK)).unwrap_or(0);
        self.depth = usize::try_from(held)
            .unwrap_or(limits::DEPTH_MOST)
            .clamp(limits::DEPTH_LEAST, limits::DEPTH_MOST);
    }

    fn remove(&mut self, block: Block) -> Option<Asked> {
        let place = self.asked.iter().position(|asked| asked.block == block)?;
        let removed = self.asked.remove(place);
        slim(&mut self.asked);
        removed
    }

    fn remember(&mut self, block: Block) {
        if self.called_off.len() >= limits::DEPTH_MOST {
            self.called_off.pop_front();
        }
        self.called_off.push_back(block);
    }
}

#[cfg(test)]
mod tests;
