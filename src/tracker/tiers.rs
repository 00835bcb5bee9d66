//! The order in which trackers are asked (BEP 12): tier by tier; within a tier at random at first,
//! then the one that answered last comes first.

use std::collections::BTreeSet;

use super::action::{Outbox, Response};
use super::standing::Families;
use super::tracker::Tracker;
use crate::base::{Rng, limits};
use crate::http::Url;

/// Trackers, by number, in tiers.
#[derive(Clone, Debug)]
pub struct Tiers(Vec<Vec<usize>>);

impl Tiers {
    /// Shuffles each tier.
    pub fn new(mut tiers: Vec<Vec<usize>>, rng: &mut Rng) -> Tiers {
        tiers.iter_mut().for_each(|tier| rng.shuffle(tier));
        Tiers(tiers)
    }

    /// More tiers behind these, each shuffled.
    pub fn append(&mut self, tiers: Vec<Vec<usize>>, rng: &mut Rng) {
        self.0.extend(Tiers::new(tiers, rng).0);
    }

    /// All trackers, those first that are to be asked first.
    pub fn order(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().flatten().copied()
    }

    /// The tier of a tracker, from 0.
    pub fn of(&self, tracker: usize) -> usize {
        let tier = self.0.iter().position(|tier| tier.contains(&tracker));
        tier.unwrap_or_default()
    }

    /// A tracker answered: it goes to the front of its tier.
    pub fn promote(&mut self, tracker: usize) {
        for tier in &mut self.0 {
            if let Some(place) = tier.iter().position(|&other| other == tracker) {
                tier[..=place].rotate_right(1);
            }
        }
    }
}

/// The trackers that can be asked beside those that are `known`, and their numbers by tier. Why one
/// cannot is reported.
pub fn usable(
    tiers: &[Vec<String>],
    known: &[Tracker],
    families: Families,
    out: &mut Outbox,
) -> (Vec<Tracker>, Vec<Vec<usize>>) {
    let mut trackers = Vec::new();
    let mut seen: BTreeSet<&str> = known.iter().map(Tracker::url).collect();
    let mut numbered = Vec::new();
    for tier in tiers {
        let mut numbers = Vec::new();
        for announce in tier.iter().map(|url| url.trim()) {
            let number = known.len() + trackers.len();
            if number >= limits::TRACKERS || !seen.insert(announce) {
                continue;
            }
            let url = announce.to_owned();
            match Url::parse(announce) {
                Ok(parsed) => {
                    numbers.push(number);
                    trackers.push(Tracker::new(url, parsed, families));
                }
                Err(why) => out.respond(Response::failed(url, why)),
            }
        }
        numbered.push(numbers);
    }
    // Most torrents have few trackers, and there may be thousands of such torrents.
    trackers.shrink_to_fit();
    (trackers, numbered)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// BEP 12: "URLs within each tier will be processed in a randomly chosen order; in other words,
    /// the list will be shuffled when first read, and then parsed in order."
    #[test]
    fn each_tier_is_shuffled_by_itself() {
        let mut firsts = [0; 3];
        for seed in 0..300 {
            let tiers = Tiers::new(vec![vec![0, 1, 2], vec![3]], &mut Rng::from_seed(seed));
            let order: Vec<usize> = tiers.order().collect();
            assert_eq!(order.last(), Some(&3), "\"processed sequentially\"");
            firsts[order[0]] += 1;
        }
        assert!(firsts.iter().all(|&count| count > 60), "{firsts:?}");
    }

    /// BEP 12's example: "if tracker1 cannot be reached, try tracker2. If tracker2 can be reached,
    /// the list is now: tracker2,tracker1,tracker3. […] If later neither tracker2 nor tracker1 can
    /// be reached, but tracker3 responds, then the list will be changed to:
    /// tracker3,tracker2,tracker1".
    #[test]
    fn a_tracker_that_answers_moves_to_the_front_of_its_tier() {
        let mut tiers = Tiers(vec![vec![1, 2, 3], vec![4, 5]]);
        tiers.promote(2);
        assert_eq!(tiers.0, [vec![2, 1, 3], vec![4, 5]]);
        tiers.promote(3);
        assert_eq!(tiers.0, [vec![3, 2, 1], vec![4, 5]]);
        tiers.promote(5);
        assert_eq!(tiers.0, [vec![3, 2, 1], vec![5, 4]]);
        tiers.promote(3);
        assert_eq!(tiers.order().collect::<Vec<_>>(), [3, 2, 1, 5, 4]);
    }
}
