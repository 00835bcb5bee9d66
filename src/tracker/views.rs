//! What the trackers of a torrent said last, and when they are asked next, for people.

use super::history::{Next, TrackerView};
use super::round::Need;
use super::standing::Stage;
use super::trackers::Trackers;
use crate::base::Time;

impl Trackers {
    /// What each tracker said last, and when it is asked next.
    pub fn views(&self, now: Time) -> Vec<TrackerView> {
        let trackers = self.trackers.iter().enumerate();
        let views = trackers.map(|(number, tracker)| TrackerView {
            url: tracker.url().to_owned(),
            tier: tracker.place.0.into(),
            last: tracker.last().cloned(),
            next: self.next_visit(number, now),
        });
        views.collect()
    }

    fn next_visit(&self, number: usize, now: Time) -> Next {
        let tracker = &self.trackers[number];
        if tracker.is_busy() {
            return Next::Asking;
        }
        let free = tracker.schedule().free();
        let Some(free) = free.filter(|_| self.us.stage == Stage::Announcing) else {
            return Next::Never;
        };
        let others = |current| current != number && !tracker.is_useful();
        let spare = self.need != Need::Peers && self.round.answered().is_some_and(others);
        match self.due {
            Some(due) if !spare && !self.round.awaits(number) => match due.max(free) {
                at if self.waits && at <= now => Next::Queued,
                at => Next::At(at),
            },
            _ => Next::Spare,
        }
    }
}
