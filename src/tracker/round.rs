//! A round of announces (BEP 12): trackers are asked in the order of their tiers, one at a time,
//! until one answers; those whose last answer named peers are asked in any case. While no peer is
//! connected, a silent tracker does not delay the round: after [`limits::TRACKER_HURRY`] others are
//! asked beside it, twice as many each time.

use std::collections::VecDeque;

use crate::base::{Now, limits};

/// What is wanted of a round.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Need {
    /// Peers are connected: each tracker has its time, and an answer ends the round.
    #[default]
    Nothing,
    /// No peer is connected: a silent tracker does not delay the round, and an answer ends it.
    Answer,
    /// No peer is known at all: only an answer that names peers ends the round.
    Peers,
}

/// A round. A new one is over: no tracker is to be asked.
#[derive(Debug, Default)]
pub struct Round {
    /// Trackers that are still to be asked, by number, in order.
    queue: VecDeque<usize>,
    /// Trackers that were asked and have neither answered nor failed.
    silent: Vec<usize>,
    /// How many trackers may be silent at one time while no peer is connected.
    most: usize,
    /// How many more there may be the next time that the round is widened.
    step: usize,
    widen_at: Now,
    answered: Option<usize>,
    /// The tracker that answered named peers.
    named: bool,
}

impl Round {
    /// A round that asks these trackers.
    pub fn new(queue: VecDeque<usize>, now: Now) -> Round {
        Round {
            queue,
            most: 1,
            step: 2,
            widen_at: now + limits::TRACKER_HURRY,
            ..Round::default()
        }
    }

    /// Whether no tracker is left to be asked, and an answer has come or none can come.
    pub fn is_over(&self) -> bool {
        self.queue.is_empty() && (self.answered.is_some() || self.silent.is_empty())
    }

    /// The tracker that answered; of several the first that named peers.
    pub fn answered(&self) -> Option<usize> {
        self.answered
    }

    /// Whether this tracker is still to be asked.
    pub fn awaits(&self, tracker: usize) -> bool {
        self.queue.contains(&tracker)
    }

    /// When more trackers are asked though none of those asked is heard of.
    pub fn next_deadline(&self, need: Need) -> Option<Now> {
        let waits = need != Need::Nothing && !self.queue.is_empty();
        waits.then_some(self.widen_at)
    }

    /// The next tracker to ask, if one is to be asked now.
    pub fn next(&mut self, need: Need, now: Now) -> Option<usize> {
        if self.next_deadline(need).is_some_and(|at| at <= now) {
            self.most += self.step;
            self.step *= 2;
            self.widen_at = now + limits::TRACKER_HURRY;
        }
        let most = if need == Need::Nothing { 1 } else { self.most };
        if self.silent.len() >= most {
            return None;
        }
        let next = self.queue.pop_front()?;
        self.silent.push(next);
        Some(next)
    }

    /// A tracker answered, and named peers or not. Trackers in the queue are not asked any more,
    /// unless `kept`, or unless no peer is known yet. True if this answer decides when the next
    /// round begins.
    pub fn on_answer(
        &mut self,
        tracker: usize,
        named: bool,
        need: Need,
        kept: impl Fn(usize) -> bool,
    ) -> bool {
        self.on_end(tracker);
        if named || need != Need::Peers {
            self.queue.retain(|&other| kept(other));
        }
        let better = self.answered.is_none() || (named && !self.named);
        if better {
            (self.answered, self.named) = (Some(tracker), named);
        }
        better
    }

    /// These trackers are to be asked, too.
    pub fn add(&mut self, trackers: impl IntoIterator<Item = usize>) {
        self.queue.extend(trackers);
    }

    /// A tracker is not being asked any more.
    pub fn on_end(&mut self, tracker: usize) {
        self.silent.retain(|&other| other != tracker);
    }

    /// A tracker is asked for another reason.
    pub fn leave_out(&mut self, tracker: usize) {
        self.queue.retain(|&other| other != tracker);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hurries: u32) -> Now {
        Now::default() + limits::TRACKER_HURRY * hurries
    }

    fn asked(round: &mut Round, need: Need, now: Now) -> usize {
        std::iter::from_fn(|| round.next(need, now)).count()
    }

    #[test]
    fn a_round_widens_while_nobody_answers_and_no_peer_is_connected() {
        let round = || Round::new((0..100).collect(), at(0));
        let mut patient = round();
        assert_eq!(asked(&mut patient, Need::Nothing, at(0)), 1);
        assert_eq!(asked(&mut patient, Need::Nothing, at(9)), 0);
        assert_eq!(patient.next_deadline(Need::Nothing), None);
        for need in [Need::Answer, Need::Peers] {
            let mut round = round();
            let counts: Vec<usize> = (0..4).map(|n| asked(&mut round, need, at(n))).collect();
            assert_eq!(counts, [1, 2, 4, 8]);
            round.on_end(3);
            assert_eq!(asked(&mut round, need, at(3)), 1, "one for one");
            assert_eq!(round.next_deadline(need), Some(at(4)));
            assert_eq!(asked(&mut round, Need::Nothing, at(4)), 0, "a peer came");
        }
    }

    #[test]
    fn an_answer_without_peers_ends_a_round_unless_nobody_is_known() {
        for (need, named, over) in [
            (Need::Nothing, false, true),
            (Need::Answer, false, true),
            (Need::Peers, false, false),
            (Need::Peers, true, true),
        ] {
            let mut round = Round::new((0..9).collect(), at(0));
            assert_eq!(round.next(need, at(0)), Some(0));
            assert!(round.on_answer(0, named, need, |_| false));
            assert_eq!(round.is_over(), over, "{need:?} {named}");
            assert_eq!(asked(&mut round, need, at(0)), usize::from(!over));
        }
        let mut round = Round::new((0..9).collect(), at(0));
        round.next(Need::Nothing, at(0));
        round.on_answer(0, false, Need::Nothing, |other| other == 5);
        assert_eq!(round.next(Need::Nothing, at(0)), Some(5));
        assert!(
            round.on_answer(5, true, Need::Nothing, |_| true),
            "it is of use"
        );
        assert_eq!(round.answered(), Some(5));
        assert!(!round.on_answer(7, true, Need::Nothing, |_| true));
    }
}
