//! The order in which peers share a limited rate. The rule: of the peers that wait for the limit,
//! the one that has got the fewest bytes under it is served next, a block at a time. So peers that
//! wait all the time get equal shares, whatever their keys, the size of their requests and the
//! moments at which they ask; what one peer cannot use goes to the others.
//!
//! A connection that is new here comes behind all that wait, and behind all that have left:
//! otherwise a peer that reconnects for each block would always be next, and the others would get
//! nothing.
//!
//! Time in which a peer did not wait is not made up for: when it waits again, it counts as having
//! got at least as much as the peer that was served last had got. This is start-time fair queueing
//! with equal weights.

use crate::base::{SortedMap, SortedSet};

/// The peers that wait for a limited rate, by the key of their slot, and what each has got under
/// it.
#[derive(Debug, Default)]
pub struct FairQueue {
    /// Bytes that count as got, of each peer that has ever waited.
    got: SortedMap<usize, u64>,
    /// The peers that wait, those with the fewest bytes first.
    waiting: SortedSet<(u64, usize)>,
    /// What the peer that was served last had got before.
    level: u64,
    /// The most bytes that a peer had got whose connection is over.
    left: u64,
}

impl FairQueue {
    /// A peer waits from now on, if it did not yet.
    pub fn join(&mut self, key: usize) {
        let last = self.waiting.last().map_or(0, |(got, _)| *got);
        let behind = last.max(self.left).saturating_add(1);
        let got = self.got.get_or_insert_with(key, || behind);
        if !self.waiting.contains(&(*got, key)) {
            *got = (*got).max(self.level);
            self.waiting.insert((*got, key));
        }
    }

    /// The peer to serve next, of those that may be served at all. It does not wait any more: if
    /// one block was not all, it joins again. Peers before it that may not be served now are not
    /// repaid later: they count as if they had got as much as it had.
    pub fn pop_if(&mut self, mut may: impl FnMut(usize) -> bool) -> Option<usize> {
        let mut waiting = self.waiting.iter().copied();
        let (got, key) = waiting.find(|&(_, key)| may(key))?;
        let before = self.waiting.range(..(got, key));
        let passed: Vec<usize> = before.map(|&(_, key)| key).collect();
        for key in passed {
            self.change(key, |own| own.max(got));
        }
        self.waiting.remove(&(got, key));
        self.level = self.level.max(got);
        Some(key)
    }

    /// Notes bytes that a peer got under the limit.
    pub fn charge(&mut self, key: usize, bytes: u64) {
        self.change(key, |got| got.saturating_add(bytes));
    }

    /// Takes back bytes that were noted and that the peer did not get.
    pub fn refund(&mut self, key: usize, bytes: u64) {
        self.change(key, |got| got.saturating_sub(bytes));
    }

    /// Whether a peer waits.
    pub fn waits(&self, key: usize) -> bool {
        let got = self.got.get(&key);
        got.is_some_and(|&got| self.waiting.contains(&(got, key)))
    }

    /// The peers that wait, the next one first.
    pub fn waiting(&self) -> impl Iterator<Item = usize> + '_ {
        self.waiting.iter().map(|&(_, key)| key)
    }

    /// Whether no peer waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// A peer does not wait any more.
    pub fn leave(&mut self, key: usize) {
        if let Some(&got) = self.got.get(&key) {
            self.waiting.remove(&(got, key));
        }
    }

    /// A connection is over: its key may be another's next.
    pub fn forget(&mut self, key: usize) {
        if let Some(got) = self.got.remove(&key) {
            self.waiting.remove(&(got, key));
            self.left = self.left.max(got);
        }
    }

    fn change(&mut self, key: usize, change: impl Fn(u64) -> u64) {
        if let Some(got) = self.got.get_mut(&key) {
            let waits = self.waiting.remove(&(*got, key));
            *got = change(*got);
            if waits {
                self.waiting.insert((*got, key));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Serves the next peer a block of its size; it waits on.
    fn serve(queue: &mut FairQueue, sizes: &[u64]) -> usize {
        let key = queue.pop_if(|_| true).expect("somebody waits");
        queue.charge(key, sizes[key]);
        queue.join(key);
        key
    }

    #[test]
    fn peers_that_always_wait_get_equal_bytes_whatever_their_blocks() {
        let sizes = [16, 128, 1, 16, 50];
        let (mut queue, mut got) = (FairQueue::default(), [0; 5]);
        (0..5).for_each(|key| queue.join(key));
        while got.iter().sum::<u64>() < 10_000 {
            let key = serve(&mut queue, &sizes);
            got[key] += sizes[key];
        }
        // Nobody is ahead of or behind an equal share by more than the longest block.
        assert!(got.iter().all(|got| got.abs_diff(2_000) <= 128), "{got:?}");
    }

    #[test]
    fn time_without_waiting_is_not_made_up_for() {
        let mut queue = FairQueue::default();
        (0..2).for_each(|key| queue.join(key));
        for _ in 0..100 {
            serve(&mut queue, &[10, 10]);
        }
        queue.join(2);
        let served: Vec<usize> = (0..30).map(|_| serve(&mut queue, &[10; 3])).collect();
        let count = |key| served.iter().filter(|&&other| other == key).count();
        assert_eq!([count(0), count(1), count(2)], [10, 10, 10]);
    }

    #[test]
    fn a_member_that_leaves_the_queue_and_joins_again_gains_nothing() {
        let (mut queue, mut got) = (FairQueue::default(), [0; 2]);
        (0..2).for_each(|key| queue.join(key));
        for _ in 0..100 {
            let key = serve(&mut queue, &[10, 10]);
            got[key] += 10;
            queue.join(1);
        }
        assert_eq!(got, [500, 500]);
    }

    /// The churner's connection ends after each block, and the next has the lower key, or another.
    #[test]
    fn a_peer_that_connects_anew_for_each_block_gains_nothing() {
        for (block, step) in [(16, 0), (128, 0), (128, 2)] {
            let (mut queue, mut got) = (FairQueue::default(), [0_u64; 2]);
            let mut churner = 0;
            (0..2).for_each(|key| queue.join(key));
            while got.iter().sum::<u64>() < 10_000 {
                let key = queue.pop_if(|_| true).expect("somebody waits");
                let (who, bytes) = if key == 1 { (1, 16) } else { (0, block) };
                queue.charge(key, bytes);
                got[who] += bytes;
                if key == churner {
                    queue.forget(key);
                    churner += step;
                }
                queue.join(if who == 0 { churner } else { key });
            }
            assert!(got[0] <= got[1] + 128, "it gains: {got:?}");
            assert!(got[0] >= 4_500, "it is not starved either: {got:?}");
        }
    }

    #[test]
    fn a_key_that_passes_to_another_connection_begins_anew() {
        let mut queue = FairQueue::default();
        (0..2).for_each(|key| queue.join(key));
        assert!(queue.waits(0) && queue.waits(1));
        queue.forget(0);
        assert!(!queue.waits(0) && !queue.is_empty());
        queue.charge(0, 1_000);
        queue.join(0);
        assert_eq!(
            (
                queue.pop_if(|_| true),
                queue.pop_if(|_| true),
                queue.pop_if(|_| true)
            ),
            (Some(1), Some(0), None),
            "a new connection comes last"
        );
    }

    #[test]
    fn what_did_not_come_is_taken_back() {
        let mut queue = FairQueue::default();
        (0..2).for_each(|key| queue.join(key));
        assert_eq!(queue.pop_if(|_| true), Some(0));
        queue.charge(0, 100);
        queue.join(0);
        assert_eq!(queue.pop_if(|_| true), Some(1));
        queue.charge(1, 50);
        queue.join(1);
        queue.refund(0, 100);
        assert_eq!(queue.pop_if(|_| true), Some(0));
    }
}
