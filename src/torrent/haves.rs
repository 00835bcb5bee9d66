//! Verified pieces that are not announced yet. Each piece is announced to each peer (BEP 3), even
//! of one that it has itself, since a super-seed waits for that (BEP 16); only a peer that said in
//! one message that it has everything is left out. An announcement is a write to each socket, which
//! with many peers and pieces would take most of our time. So pieces that are verified soon after
//! one another are announced together: the more peers, the more pieces at a time.

use crate::base::{Time, limits};

/// Pieces to be announced by `have`.
#[derive(Debug, Default)]
pub struct Haves {
    /// The pieces that are not announced yet.
    pub pending: Vec<u32>,
    /// When pieces were last announced.
    told_at: Option<Time>,
}

impl Haves {
    /// When pieces are to be announced to this many peers.
    pub fn deadline(&self, peers: usize) -> Option<Time> {
        let gap = limits::TELL_GAP * u32::try_from(peers).unwrap_or(u32::MAX);
        let next = self.told_at.map_or(Time::default(), |last| last + gap);
        (!self.pending.is_empty()).then_some(next)
    }

    /// Takes the pieces to announce to this many peers now: all, if it is time, if there are many,
    /// or if no more will come (`complete`).
    pub fn take_due(&mut self, peers: usize, complete: bool, now: Time) -> Vec<u32> {
        let due = self.deadline(peers).is_some_and(|at| at <= now);
        let many = self.pending.len() >= limits::TOLD_AT_ONCE;
        if self.pending.is_empty() || !(due || many || complete) {
            return Vec::new();
        }
        self.told_at = Some(now);
        std::mem::take(&mut self.pending)
    }
}
