//! Randomness from a seed: the same seed gives the same run.

use rand::rngs::SmallRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};

/// A generator for choices that need to be spread, not secret. It is small until it is used: most
/// torrents never use theirs.
#[derive(Clone, Debug)]
pub struct Rng {
    seed: u64,
    state: Option<Box<SmallRng>>,
}

impl Rng {
    /// The generator that this seed stands for.
    pub fn from_seed(seed: u64) -> Rng {
        Rng { seed, state: None }
    }

    fn get(&mut self) -> &mut SmallRng {
        let begin = || Box::new(SmallRng::seed_from_u64(self.seed));
        self.state.get_or_insert_with(begin)
    }

    /// A number in `0..bound`; 0 for an empty range.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 {
            0
        } else {
            self.get().random_range(0..bound)
        }
    }

    /// Any 32 bits.
    pub fn bits32(&mut self) -> u32 {
        self.get().next_u32()
    }

    /// Any 64 bits.
    pub fn bits64(&mut self) -> u64 {
        self.get().next_u64()
    }

    /// Puts the items in a random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_replays_and_a_shuffle_loses_nothing() {
        let (mut a, mut b) = (Rng::from_seed(7), Rng::from_seed(7));
        let (mut x, mut y): (Vec<u32>, Vec<u32>) = ((0..100).collect(), (0..100).collect());
        a.shuffle(&mut x);
        b.shuffle(&mut y);
        assert_eq!(x, y);
        assert!(
            x.iter()
                .enumerate()
                .any(|(place, &item)| place as u32 != item)
        );
        x.sort_unstable();
        assert!(
            x.iter()
                .enumerate()
                .all(|(place, &item)| place as u32 == item)
        );
        assert_eq!(a.below(0), 0);
    }
}
