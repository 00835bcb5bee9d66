//! Incoming connections that fail before they belong to a torrent, counted by what went wrong, so
//! that "0 peers" has a reason. They are not named one by one, since there may be many.

use crate::base::{Duration, SortedMap, Time, limits};
use crate::peer::incoming::Failed;

/// Those of one moment are counted together before the user hears of them.
const GATHER: Duration = Duration::from_secs(1);

/// How many incoming connections failed, and when the user hears of it.
#[derive(Debug, Default)]
pub(super) struct FailedIncoming {
    counts: SortedMap<Failed, u64>,
    /// When the counts are to be reported; `None`: nothing is new.
    due: Option<Time>,
    reported: Option<Time>,
}

impl FailedIncoming {
    /// Counts one more.
    pub(super) fn count(&mut self, failed: Failed, now: Time) {
        *self.counts.get_or_insert_with(failed, Default::default) += 1;
        let next = self
            .reported
            .map_or(now, |last| last + limits::INCOMING_EVERY);
        self.due.get_or_insert(next.max(now + GATHER));
    }

    /// When the user is to hear of them.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.due
    }

    /// The counts, if it is time to report them; all that are new, if the session is ending.
    pub(super) fn take_due(&mut self, ending: bool, now: Time) -> Option<Vec<(Failed, u64)>> {
        self.due.filter(|&at| ending || at <= now)?;
        self.due = None;
        self.reported = Some(now);
        let counts = self.counts.iter();
        Some(counts.map(|(&failed, &count)| (failed, count)).collect())
    }
}
