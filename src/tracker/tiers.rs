//! The order in which trackers are asked (BEP 12): tier by tier; within a tier at random at first,
//! then the one that answered last comes first.

use std::collections::BTreeSet;

use super::action::{Outbox, Response};
use super::site::Sites;
use super::standing::Families;
use super::tracker::Tracker;
use crate::base::{Rng, limits, sorted_by_key};

/// Gives trackers that have come their places, by their numbers: more tiers behind those that there
/// are, each shuffled.
pub fn append(trackers: &mut [Tracker], tiers: Vec<Vec<usize>>, rng: &mut Rng) {
    let fresh: usize = tiers.iter().map(Vec::len).sum();
    let known = &trackers[..trackers.len() - fresh];
    let first = known.iter().map(|tracker| tracker.place.0 + 1).max();
    for (mut numbers, tier) in tiers.into_iter().zip(first.unwrap_or(0)..) {
        rng.shuffle(&mut numbers);
        for (number, rank) in numbers.into_iter().zip(0..) {
            trackers[number].place = (tier, rank);
        }
    }
}

/// The numbers of all trackers, those first that are to be asked first.
pub fn order(trackers: &[Tracker]) -> Vec<usize> {
    let all = (0..trackers.len()).collect();
    sorted_by_key(all, |&number| trackers[number].place)
}

/// A tracker answered: it goes to the front of its tier.
pub fn promote(trackers: &mut [Tracker], number: usize) {
    let (tier, rank) = trackers[number].place;
    for tracker in &mut *trackers {
        let place = &mut tracker.place;
        place.1 += u16::from(place.0 == tier && place.1 < rank);
    }
    trackers[number].place.1 = 0;
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

    /// Trackers in tiers of these sizes.
    fn trackers(tiers: &[usize], rng: &mut Rng) -> Vec<Tracker> {
        let (mut sites, families) = (
            Sites::default(),
            Families {
                v4: true,
                v6: false,
            },
        );
        let (mut trackers, mut numbered) = (Vec::new(), Vec::new());
        for &size in tiers {
            numbered.push((trackers.len()..trackers.len() + size).collect());
            for _ in 0..size {
                let url = format!("http://t.example/{}", trackers.len());
                trackers.push(Tracker::new(sites.get(&url).unwrap(), families));
            }
        }
        append(&mut trackers, numbered, rng);
        trackers
    }

    /// BEP 12: "URLs within each tier will be processed in a randomly chosen order; in other words,
    /// the list will be shuffled when first read, and then parsed in order."
    #[test]
    fn each_tier_is_shuffled_by_itself() {
        let mut firsts = [0; 3];
        for seed in 0..300 {
            let order = order(&trackers(&[3, 1], &mut Rng::from_seed(seed)));
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
        let mut trackers = trackers(&[3, 2], &mut Rng::from_seed(1));
        for (number, place) in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)].iter().enumerate() {
            trackers[number].place = *place;
        }
        let mut promoted = |number| {
            promote(&mut trackers, number);
            order(&trackers)
        };
        assert_eq!(promoted(1), [1, 0, 2, 3, 4]);
        assert_eq!(promoted(2), [2, 1, 0, 3, 4]);
        assert_eq!(promoted(4), [2, 1, 0, 4, 3]);
        assert_eq!(promoted(2), [2, 1, 0, 4, 3]);
    }

    #[test]
    fn what_is_added_comes_behind() {
        let (mut rng, mut sites) = (Rng::from_seed(1), Sites::default());
        let mut trackers = trackers(&[1, 1], &mut rng);
        let site = sites.get("http://t.example/new").unwrap();
        trackers.push(Tracker::new(site, Families { v4: true, v6: true }));
        append(&mut trackers, vec![vec![2]], &mut rng);
        assert_eq!(trackers[2].place, (2, 0));
        assert_eq!(order(&trackers), [0, 1, 2]);
    }
}
