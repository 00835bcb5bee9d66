//! The order in which trackers are asked (BEP 12): tier by tier; within a tier at random at first,
//! then the one that answered last comes first.

use std::collections::BTreeSet;

use super::action::{Outbox, Response};
use super::site::Sites;
use super::standing::Families;
use super::tracker::Tracker;
use crate::base::{Rng, limits};

/// Trackers, by number, in tiers.
#[derive(Clone, Debug)]
pub struct Tiers(Box<[Place]>);

/// A tracker's place: its tier and its number.
type Place = (u16, u16);

impl Tiers {
    /// Shuffles each tier.
    pub fn new(tiers: Vec<Vec<usize>>, rng: &mut Rng) -> Tiers {
        let mut all = Tiers(Box::default());
        all.append(tiers, rng);
        all
    }

    /// More tiers behind these, each shuffled.
    pub fn append(&mut self, tiers: Vec<Vec<usize>>, rng: &mut Rng) {
        let mut places = std::mem::take(&mut self.0).into_vec();
        let first = places.iter().map(|&(tier, _)| tier + 1).max();
        for (mut numbers, tier) in tiers.into_iter().zip(first.unwrap_or(0)..) {
            rng.shuffle(&mut numbers);
            places.extend(numbers.iter().map(|&number| (tier, number as u16)));
        }
        self.0 = places.into();
    }

    /// All trackers, those first that are to be asked first.
    pub fn order(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().map(|&(_, tracker)| tracker.into())
    }

    /// The tier of a tracker, from 0.
    pub fn of(&self, tracker: usize) -> usize {
        self.place(tracker)
            .map_or(0, |place| self.0[place].0.into())
    }

    fn place(&self, tracker: usize) -> Option<usize> {
        let is_it = |&(_, other): &Place| usize::from(other) == tracker;
        self.0.iter().position(is_it)
    }

    /// A tracker answered: it goes to the front of its tier.
    pub fn promote(&mut self, tracker: usize) {
        let Some(place) = self.place(tracker) else {
            return;
        };
        let tier = self.0[place].0;
        let first = self.0.iter().position(|&(other, _)| other == tier);
        self.0[first.unwrap_or(place)..=place].rotate_right(1);
    }
}

/// The trackers that can be asked beside those that are `known`, and their numbers by tier. Why one
/// cannot is reported.
pub fn usable(
    tiers: &[Vec<String>],
    known: &[Tracker],
    families: Families,
    (sites, out): (&mut Sites, &mut Outbox),
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
            match sites.get(announce) {
                Ok(site) => {
                    numbers.push(number);
                    trackers.push(Tracker::new(site, families));
                }
                Err(why) => out.respond(Response::failed(announce.to_owned(), why)),
            }
        }
        if !numbers.is_empty() {
            numbered.push(numbers);
        }
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
        let mut tiers = Tiers([(0, 1), (0, 2), (0, 3), (1, 4), (1, 5)].into());
        let mut promoted = |tracker| {
            tiers.promote(tracker);
            tiers.order().collect::<Vec<_>>()
        };
        assert_eq!(promoted(2), [2, 1, 3, 4, 5]);
        assert_eq!(promoted(3), [3, 2, 1, 4, 5]);
        assert_eq!(promoted(5), [3, 2, 1, 5, 4]);
        assert_eq!(promoted(3), [3, 2, 1, 5, 4]);
        assert_eq!(promoted(9), [3, 2, 1, 5, 4], "no tracker of theirs");
    }
}
