//! Which peers to upload to. Every ten seconds the regular slots go to the interested peers that
//! give us most, and one optimistic slot moves on to another peer every thirty seconds, so that
//! better partners are found (BEP 3, "choking and optimistic unchoking"). A slot that falls empty
//! in between is filled at once. A peer that owes us blocks and sends none loses its regular slot.
//! A peer that is unchoked and asks for nothing, while all connections are taken, does not count as
//! having a slot, and comes last for some minutes.
//!
//! When we have everything ourselves no peer gives us anything, and each is served in turn: in each
//! round the peer that has been served longest is choked, and the one that has waited longest is
//! unchoked (the original client did the same in its later years). So a peer that downloads fast
//! and gives the swarm nothing cannot keep a slot, and every peer gets one. It keeps it long enough
//! for some whole pieces, since parts of pieces are of no use to others.

use std::cmp::Reverse;

use crate::base::{Rng, SortedMap, SortedSet, Time, limits, sorted_by_key};

/// What the choker needs to know of a peer.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// Its slot key.
    pub key: usize,
    /// It wants something of us.
    pub interested: bool,
    /// It is unchoked now.
    pub unchoked: bool,
    /// Bytes a second that it gives us; that we give it, when seeding (there it counts only whether
    /// there are any).
    pub rate: u64,
    /// It has requested blocks and waits for our upload limit, which is why it gets nothing.
    pub starved: bool,
    /// It owes us blocks and sends none.
    pub snubbing: bool,
    /// It has its slot, or had it lately, and asked for nothing.
    pub idle_unchoked: bool,
    /// When the connection came up.
    pub since: Time,
    /// While it is choked: since when it has waited for a slot.
    pub waits_since: Time,
}

/// Decides which peers are unchoked.
#[derive(Debug)]
pub struct Choker {
    next_round: Time,
    next_optimistic: Time,
    optimistic: Option<usize>,
    /// When each currently unchoked peer was unchoked.
    unchoked_at: SortedMap<usize, Time>,
    rng: Rng,
}

impl Choker {
    /// A choker whose first round is due at once.
    pub fn new(now: Time, rng: Rng) -> Choker {
        Choker {
            next_round: now,
            next_optimistic: now,
            optimistic: None,
            unchoked_at: SortedMap::new(),
            rng,
        }
    }

    /// When the next round is due.
    pub fn next_round(&self) -> Time {
        self.next_round
    }

    /// Regular slots for an upload rate in bytes a second: the limit, or where there is none what
    /// flows now. Four up to 167 KiB/s, then with the square root, half as many as the first client
    /// had: a slot is worth having only if it carries something, and with more slots more peers ask
    /// a seed for the same piece at the same time.
    pub fn slots(rate: u64) -> usize {
        let kib = rate / 1024;
        ((kib as f64 * 0.15).sqrt() as usize).clamp(limits::UPLOAD_SLOTS, limits::UPLOAD_SLOTS_MOST)
    }

    /// Chooses afresh: the keys of all that are to be unchoked, the others are to be choked.
    /// `slots` are the regular ones.
    pub fn round(&mut self, views: &[View], slots: usize, seeding: bool, now: Time) -> Vec<usize> {
        self.next_round = now + limits::CHOKE_ROUND;
        let served: SortedSet<usize> = views
            .iter()
            .filter(|view| view.unchoked && !view.idle_unchoked)
            .map(|view| view.key)
            .collect();
        self.unchoked_at.retain(|key, _| served.contains(key));
        let mut ranked: Vec<&View> = views
            .iter()
            .filter(|view| view.interested && !view.snubbing)
            .collect();
        self.rng.shuffle(&mut ranked);
        let unchoked_at = &self.unchoked_at;
        let waits_since = |view: &View| if view.unchoked { now } else { view.waits_since };
        let first = |view: &&View| {
            if seeding {
                // A peer that takes nothing does not keep its slot, unless our own limit is why
                // nothing flows.
                (
                    !view.idle_unchoked,
                    unchoked_at
                        .get(&view.key)
                        .filter(|_| view.rate > 0 || view.starved)
                        .copied(),
                    Reverse(waits_since(view)),
                    0,
                    false,
                )
            } else {
                (
                    !view.idle_unchoked,
                    None,
                    Reverse(now),
                    view.rate,
                    view.unchoked,
                )
            }
        };
        let ranked = sorted_by_key(ranked, |view| Reverse(first(view)));
        let mut chosen: Vec<usize> = ranked.iter().take(slots).map(|view| view.key).collect();
        let stays = |key| {
            let wants = |view: &View| view.key == key && view.interested && !view.idle_unchoked;
            views.iter().any(wants) && !chosen.contains(&key)
        };
        let kept = self
            .optimistic
            .filter(|&key| !seeding && now < self.next_optimistic && stays(key));
        self.optimistic = kept.or_else(|| {
            self.next_optimistic = now + limits::OPTIMISTIC_ROUND;
            let next = || ranked.get(slots).map(|view| view.key);
            self.draw(views, &chosen, seeding, now).or_else(next)
        });
        chosen.extend(self.optimistic);
        for &key in &chosen {
            self.unchoked_at.get_or_insert_with(key, || now);
        }
        chosen
    }

    /// Fills slots that have fallen empty since the last round: the keys to unchoke now. Regular
    /// ones go to the peers that give us most, as in a round: a random choice would favour peers
    /// that give nothing, since these are always waiting.
    pub fn refill(&mut self, views: &[View], slots: usize, seeding: bool, now: Time) -> Vec<usize> {
        let taken = views
            .iter()
            .filter(|view| view.interested && view.unchoked && !view.idle_unchoked)
            .count();
        let mut filled: Vec<usize> = Vec::new();
        while taken + filled.len() < slots + 1 {
            let regular = !seeding && taken + filled.len() < slots;
            let best = regular.then(|| best(views, &filled)).flatten();
            let Some(key) = best.or_else(|| self.draw(views, &filled, seeding, now)) else {
                break;
            };
            filled.push(key);
            self.unchoked_at.insert(key, now);
        }
        filled
    }

    /// A choked, interested peer that is not among `chosen`: when seeding, the one that has waited
    /// longest; else newcomers are three times as likely.
    fn draw(
        &mut self,
        views: &[View],
        chosen: &[usize],
        seeding: bool,
        now: Time,
    ) -> Option<usize> {
        let waits = |view: &&View| view.interested && !view.unchoked && !chosen.contains(&view.key);
        let waiting = views.iter().filter(waits);
        let (idle_unchoked, others): (Vec<&View>, Vec<&View>) =
            waiting.partition(|view| view.idle_unchoked);
        let mut views = if others.is_empty() {
            idle_unchoked
        } else {
            others
        };
        if seeding {
            let longest = views.iter().map(|view| view.waits_since).min();
            views.retain(|view| Some(view.waits_since) == longest);
        }
        let mut tickets = Vec::new();
        for view in views {
            let new = now.since(view.since) < limits::NEWCOMER;
            tickets.extend(std::iter::repeat_n(view.key, if new { 3 } else { 1 }));
        }
        let place = self.rng.below(tickets.len() as u64) as usize;
        tickets.get(place).copied()
    }
}

/// The choked, interested peer not among `chosen` that gives us most, if any gives us something.
fn best(views: &[View], chosen: &[usize]) -> Option<usize> {
    let giving = views.iter().filter(|view| {
        let waits = view.interested && !view.unchoked && !view.snubbing && !view.idle_unchoked;
        waits && view.rate > 0 && !chosen.contains(&view.key)
    });
    giving.max_by_key(|view| view.rate).map(|view| view.key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(key: usize, rate: u64) -> View {
        View {
            key,
            interested: true,
            unchoked: false,
            rate,
            starved: false,
            snubbing: false,
            idle_unchoked: false,
            since: Time::default(),
            waits_since: Time::default(),
        }
    }

    fn at(seconds: u64) -> Time {
        Time::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn the_fastest_and_one_optimistic_are_served() {
        let mut choker = Choker::new(at(0), Rng::from_seed(3));
        let views: Vec<View> = (0..10).map(|key| view(key, key as u64 * 1000)).collect();
        let chosen = choker.round(&views, 4, false, at(100));
        assert_eq!(chosen.len(), 5);
        assert_eq!(chosen[..4], [9, 8, 7, 6]);
        assert!(chosen[4] < 6);
        assert_eq!(choker.next_round(), at(110));
    }

    #[test]
    fn the_optimistic_slot_moves_on_after_thirty_seconds() {
        let mut choker = Choker::new(at(0), Rng::from_seed(3));
        let mut views: Vec<View> = (0..50).map(|key| view(key, 50 - key as u64)).collect();
        let first = choker.round(&views, 4, false, at(100))[4];
        views[first].unchoked = true;
        assert_eq!(choker.round(&views, 4, false, at(110))[4], first);
        assert_eq!(choker.round(&views, 4, false, at(120))[4], first);
        assert_ne!(choker.round(&views, 4, false, at(130))[4], first);
    }

    #[test]
    fn a_seed_serves_each_in_turn_for_some_rounds() {
        let mut choker = Choker::new(at(0), Rng::from_seed(3));
        let mut views: Vec<View> = (0..20).map(|key| view(key, 0)).collect();
        let mut first = choker.refill(&views, 4, true, at(99));
        let mut rounds = [0; 20];
        for round in 0..100 {
            for view in &mut views {
                let served = first.contains(&view.key);
                if view.unchoked && !served {
                    view.waits_since = at(100 + 10 * round);
                }
                view.unchoked = served;
                // A fast one, and what others still show of the time before they were choked.
                view.rate = if view.key == 7 { 9000 } else { 10 };
            }
            let chosen = choker.round(&views, 4, true, at(100 + 10 * round));
            let stayed = chosen.iter().filter(|key| first.contains(key)).count();
            assert_eq!((chosen.len(), stayed), (5, 4), "round {round}");
            chosen.iter().for_each(|&key| rounds[key] += 1);
            first = chosen;
        }
        // Five of twenty are served at a time: a quarter of the rounds for each, the fast one too,
        // but for one turn of five rounds.
        assert!(
            rounds.iter().all(|rounds| (20..=30).contains(rounds)),
            "{rounds:?}"
        );
    }

    #[test]
    fn a_peer_that_takes_nothing_does_not_keep_the_slot_of_a_seed() {
        let mut choker = Choker::new(at(0), Rng::from_seed(3));
        let mut views: Vec<View> = (0..50).map(|key| view(key, 0)).collect();
        let first = choker.refill(&views, 4, true, at(0));
        for &key in &first {
            views[key].unchoked = true;
        }
        views[first[0]].rate = 10;
        let chosen = choker.round(&views, 4, true, at(10));
        let stayed = chosen.iter().filter(|key| first.contains(key)).count();
        assert!(chosen.contains(&first[0]) && stayed < 4, "{stayed}");
    }

    #[test]
    fn a_peer_that_waits_for_our_limit_keeps_the_slot_of_a_seed() {
        let mut choker = Choker::new(at(0), Rng::from_seed(3));
        let mut views: Vec<View> = (0..50).map(|key| view(key, 0)).collect();
        let first = choker.refill(&views, 4, true, at(0));
        for &key in &first {
            (views[key].unchoked, views[key].starved) = (true, true);
        }
        // One of them got something; that the others did not is no reason to choke them.
        (views[first[0]].rate, views[first[0]].starved) = (10, false);
        let chosen = choker.round(&views, 4, true, at(10));
        let stayed = chosen.iter().filter(|key| first.contains(key)).count();
        assert_eq!(stayed, 4);
    }

    #[test]
    fn a_seed_unchokes_the_peer_that_has_waited_longest() {
        let mut choker = Choker::new(at(0), Rng::from_seed(3));
        let mut views: Vec<View> = (0..50).map(|key| view(key, 0)).collect();
        for view in &mut views {
            view.waits_since = at(100 - view.key as u64);
        }
        assert_eq!(
            choker.refill(&views, 4, true, at(100)),
            [49, 48, 47, 46, 45]
        );
        for view in &mut views[45..] {
            view.unchoked = true;
        }
        // Nothing flows: all make room, for the next five.
        let mut chosen = choker.round(&views, 4, true, at(110));
        chosen.sort_unstable();
        assert_eq!(chosen, [40, 41, 42, 43, 44]);
    }

    #[test]
    fn nobody_is_choked_while_there_is_room() {
        for seeding in [true, false] {
            let mut choker = Choker::new(at(0), Rng::from_seed(3));
            let mut views: Vec<View> = (0..5).map(|key| view(key, 10)).collect();
            views.iter_mut().for_each(|view| view.unchoked = true);
            assert_eq!(choker.round(&views, 4, seeding, at(100)).len(), 5);
            assert_eq!(choker.round(&views, 4, seeding, at(130)).len(), 5);
        }
    }

    #[test]
    fn freed_slots_go_to_the_peers_that_give_and_one_at_random() {
        let mut views: Vec<View> = (0..30).map(|key| view(key, 0)).collect();
        (views[7].rate, views[8].rate, views[9].rate) = (100, 300, 200);
        let mut last = std::collections::BTreeSet::new();
        for seed in 0..20 {
            let mut choker = Choker::new(at(0), Rng::from_seed(seed));
            let filled = choker.refill(&views, 2, false, at(0));
            assert_eq!(filled[..2], [8, 9]);
            last.insert(filled[2]);
            let seeding = choker.refill(&views, 2, true, at(0));
            assert_ne!(seeding[..2], [8, 9], "their rates say nothing here");
        }
        assert!(last.len() > 5, "the optimistic slot is for anybody");
    }

    #[test]
    fn snubbers_lose_their_slot_and_the_uninterested_have_none() {
        let mut choker = Choker::new(at(0), Rng::from_seed(3));
        let mut views: Vec<View> = (0..3).map(|key| view(key, 1000)).collect();
        views[0].snubbing = true;
        views[0].unchoked = true;
        views[1].interested = false;
        assert_eq!(choker.round(&views, 4, false, at(100)), [2]);
    }

    #[test]
    fn a_peer_that_does_not_use_its_slot_loses_it_and_comes_last() {
        for seeding in [true, false] {
            let mut choker = Choker::new(at(0), Rng::from_seed(3));
            let mut views: Vec<View> = (0..15).map(|key| view(key, 0)).collect();
            for view in &mut views[..5] {
                (view.unchoked, view.idle_unchoked) = (true, true);
            }
            let filled = choker.refill(&views, 4, seeding, at(5));
            assert!(filled.len() == 5 && filled.iter().all(|&key| key >= 5));
            let chosen = choker.round(&views, 4, seeding, at(10));
            assert!(chosen.len() == 5 && chosen.iter().all(|&key| key >= 5));
            // Better they than nobody.
            let chosen = choker.round(&views[..8], 4, seeding, at(50));
            assert!(chosen.len() >= 4 && (5..8).all(|key| chosen.contains(&key)));
        }
    }

    #[test]
    fn empty_slots_are_filled_at_once_and_newcomers_come_first() {
        let mut choker = Choker::new(at(0), Rng::from_seed(3));
        let mut views: Vec<View> = (0..9).map(|key| view(key, 0)).collect();
        views[0].unchoked = true;
        let mut filled = choker.refill(&views, 4, false, at(0));
        filled.sort_unstable();
        filled.dedup();
        assert_eq!(
            filled.len(),
            4,
            "four regular and one optimistic, one of which is taken"
        );
        // One newcomer among three old ones: drawn half of the time (3 of 6 tickets).
        let mut views: Vec<View> = (0..4).map(|key| view(key, 0)).collect();
        views[3].since = at(1000);
        let drawn = (0..2000)
            .filter(|_| choker.draw(&views, &[], false, at(1001)) == Some(3))
            .count();
        assert!((850..1150).contains(&drawn), "{drawn}");
    }

    #[test]
    fn slots_grow_with_the_rate() {
        assert_eq!(Choker::slots(0), 4);
        assert_eq!(Choker::slots(150 * 1024), 4);
        assert_eq!(Choker::slots(1000 * 1024), 12);
        assert_eq!(Choker::slots(u64::MAX), limits::UPLOAD_SLOTS_MOST);
    }
}
