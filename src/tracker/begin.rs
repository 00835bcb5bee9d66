//! When the rounds of announces of a torrent begin.

use super::round::{Need, Round};
use super::shared::Shared;
use super::tiers;
use super::tracker::Tracker;
use super::trackers::Trackers;
use crate::base::{Time, sooner};

impl Trackers {
    /// Begins the round that is due. Of many torrents that have the same tracker a few ask it at a
    /// time, since a question that waits takes memory; one that knows no peer does not wait.
    pub(super) fn begin_if_due(&mut self, shared: &mut Shared, now: Time) {
        if self.due.is_none_or(|due| due > now) {
            return;
        }
        if self.need != Need::Peers {
            if self.waits {
                return;
            }
            let torrent = self.out.torrent();
            let first = self.first(now);
            self.waits = first.is_some_and(|it| !shared.sites.may_ask(it.site(), torrent));
            if self.waits {
                return;
            }
        }
        self.begin_round(shared, now);
    }

    /// The tracker that a round asks first.
    fn first(&self, now: Time) -> Option<&Tracker> {
        let may = self.trackers.iter().filter(|it| may_ask(it, now));
        may.min_by_key(|tracker| tracker.place)
    }

    /// Asks the trackers anew, but those that are to be left alone, and those still being asked.
    pub(super) fn begin_round(&mut self, shared: &mut Shared, now: Time) {
        self.waits = false;
        let first = self.first(now);
        self.permit = first.and_then(|first| shared.sites.take_permit(first.site()));
        let mut order = tiers::order(&self.trackers);
        order.retain(|&number| may_ask(&self.trackers[number], now));
        self.round = Round::new(order.into(), now);
        self.wanting = false;
        self.settle(shared, now);
    }

    /// The next round begins when the tracker that answered says so; if none answered, when the
    /// first may be tried again. While no peer is known, each may be asked as soon as it allows.
    pub(super) fn next_round(&self) -> Option<Time> {
        if !self.round.is_over() {
            return None;
        }
        let idle = || self.trackers.iter().filter(|tracker| !tracker.is_busy());
        let next = match self.round.answered().map(|number| &self.trackers[number]) {
            Some(current) if current.is_busy() => None,
            Some(current) if self.wanting => {
                let schedule = current.schedule();
                sooner(schedule.free(), schedule.next())
            }
            Some(current) => current.schedule().next(),
            None => idle().fold(None, |next, tracker| {
                sooner(next, tracker.schedule().next())
            }),
        };
        if self.need == Need::Peers {
            idle().fold(next, |next, tracker| {
                sooner(next, tracker.schedule().free())
            })
        } else {
            next
        }
    }
}

fn may_ask(tracker: &Tracker, now: Time) -> bool {
    !tracker.is_busy() && tracker.schedule().may_ask(now)
}
