//! A round of announces (BEP 12): trackers are asked in the order of their tiers, one at a time,
//! until one answers; those whose last answer named peers are asked in any case. While no peer is
//! connected, a silent tracker does not delay the round: after [`limits::TRACKER_HURRY`] others are
//! asked beside it, twice as many each time. While peers are connected it has its time, but others
//! wait no longer than [`limits::TRACKER_PATIENCE`] for a question that stands in a line.

use std::collections::VecDeque;
use std::ops::Range;

use crate::base::{Time, limits};

/// What is wanted of a round.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Need {
    /// Peers are connected: trackers have their time, and an answer ends the round.
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
    /// `None`: no tracker is left to be asked or to be heard of.
    open: Option<Box<Open>>,
    answered: Option<u32>,
    /// The tracker that answered named peers.
    named: bool,
}

/// What there is of a round until it has ended.
#[derive(Debug)]
struct Open {
    /// Trackers that are still to be asked, by number, in order.
    queue: VecDeque<usize>,
    /// Trackers that were asked and have neither answered nor failed.
    silent: Vec<usize>,
    /// How many trackers may be silent at one time while no peer is connected.
    most: usize,
    /// How many more there may be the next time that the round is widened.
    step: usize,
    widen_at: Time,
    /// The same two while peers are connected.
    calm: usize,
    patient_until: Time,
}

impl Round {
    /// A round that asks these trackers.
    pub fn new(queue: VecDeque<usize>, now: Time) -> Round {
        let mut round = Round::default();
        if !queue.is_empty() {
            round.open = Some(Box::new(Open {
                queue,
                silent: Vec::new(),
                most: 1,
                step: 2,
                widen_at: now + limits::TRACKER_HURRY,
                calm: 1,
                patient_until: now + limits::TRACKER_PATIENCE,
            }));
        }
        round
    }

    /// Whether no tracker is left to be asked, and an answer has come or none can come.
    pub fn is_over(&self) -> bool {
        let is_over = |open: &Open| open.queue.is_empty() && self.answered.is_some();
        self.open.as_deref().is_none_or(is_over)
    }

    /// Whether the trackers that were asked first do not delay the others any more: they were
    /// silent for [`limits::TRACKER_HURRY`].
    pub fn is_widened(&self) -> bool {
        let widened = |open: &Open| open.most > 1 || open.calm > 1;
        self.open.as_deref().is_some_and(widened)
    }

    /// When the trackers that were asked first will have been silent for
    /// [`limits::TRACKER_HURRY`], if there are others to go on to.
    pub fn hurry(&self) -> Option<Time> {
        let open = self.open.as_ref()?;
        (!open.queue.is_empty()).then_some(open.widen_at)
    }

    /// The tracker that answered; of several the first that named peers.
    pub fn answered(&self) -> Option<usize> {
        self.answered.map(|tracker| tracker as usize)
    }

    /// Whether this tracker is still to be asked.
    pub fn awaits(&self, tracker: usize) -> bool {
        let open = self.open.as_deref();
        open.is_some_and(|open| open.queue.contains(&tracker))
    }

    /// When more trackers are asked though none of those asked is heard of.
    pub fn next_deadline(&self, need: Need) -> Option<Time> {
        let open = self.open.as_ref()?;
        let at = match need {
            Need::Nothing => open.patient_until,
            _ => open.widen_at,
        };
        (!open.queue.is_empty()).then_some(at)
    }

    /// The next tracker to ask, if one is to be asked now.
    pub fn next(&mut self, need: Need, now: Time) -> Option<usize> {
        let widens = self.next_deadline(need).is_some_and(|at| at <= now);
        let open = self.open.as_mut()?;
        if widens && need == Need::Nothing {
            open.calm += 1;
        } else if widens {
            open.most += open.step;
            open.step *= 2;
            open.widen_at = now + limits::TRACKER_HURRY;
        }
        let calm = need == Need::Nothing;
        let most = if calm { open.calm } else { open.most };
        if open.silent.len() >= most {
            return None;
        }
        let next = open.queue.pop_front()?;
        open.patient_until = now + limits::TRACKER_PATIENCE;
        open.silent.push(next);
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
        if named || need != Need::Peers {
            self.keep(|&other| kept(other), |_| true);
        }
        self.on_end(tracker);
        let better = self.answered.is_none() || (named && !self.named);
        if better {
            (self.answered, self.named) = (Some(tracker as u32), named);
        }
        better
    }

    /// These trackers are to be asked, too.
    pub fn add(&mut self, trackers: Range<usize>, now: Time) {
        match &mut self.open {
            Some(open) => open.queue.extend(trackers),
            None => self.open = Round::new(trackers.collect(), now).open,
        }
    }

    /// A tracker is not being asked any more.
    pub fn on_end(&mut self, tracker: usize) {
        self.keep(|_| true, |&other| other != tracker);
    }

    /// A tracker is asked for another reason.
    pub fn leave_out(&mut self, tracker: usize) {
        self.keep(|&other| other != tracker, |_| true);
    }

    /// Keeps such trackers of the queue, and such of those that were asked.
    fn keep(&mut self, queue: impl Fn(&usize) -> bool, silent: impl Fn(&usize) -> bool) {
        if let Some(open) = &mut self.open {
            open.queue.retain(queue);
            open.silent.retain(silent);
            if open.queue.is_empty() && open.silent.is_empty() {
                self.open = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hurries: u32) -> Time {
        Time::default() + limits::TRACKER_HURRY * hurries
    }

    fn asked(round: &mut Round, need: Need, now: Time) -> usize {
        std::iter::from_fn(|| round.next(need, now)).count()
    }

    #[test]
    fn a_round_widens_while_nobody_answers_and_no_peer_is_connected() {
        let round = || Round::new((0..100).collect(), at(0));
        let mut patient = round();
        assert_eq!(asked(&mut patient, Need::Nothing, at(0)), 1);
        assert_eq!(asked(&mut patient, Need::Nothing, at(9)), 0);
        let late = at(0) + limits::TRACKER_PATIENCE;
        assert_eq!(patient.next_deadline(Need::Nothing), Some(late));
        assert_eq!(
            asked(&mut patient, Need::Nothing, late),
            1,
            "it stands in a line"
        );
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
