//! Callers that fail before their handshake is whole, counted by what went wrong, so that "0 peers"
//! has a reason. They are counted and not named one by one, since there may be many.

use std::collections::BTreeMap;
use std::fmt;

use super::effect::Report;
use super::leaving::Stage;
use super::session::Session;
use crate::base::limits;
use crate::base::time::{Duration, Now};
use crate::peer::fault::Fault;
use crate::peer::peer::Peer;
use crate::wire::foreign::Foreign;

/// Callers of one moment are counted together before the user hears of them.
const GATHER: Duration = Duration::from_secs(1);

/// What became of a caller.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Failed {
    /// It spoke another protocol.
    Foreign(Foreign),
    /// Its handshake names a torrent that we do not have.
    OtherTorrent,
    /// It was this very client.
    Ourselves,
    /// It said nothing.
    Silent,
    /// It began a handshake and did not finish it in time.
    Slow,
    /// It hung up without a word.
    Closed,
    /// It hung up within its handshake.
    Cut,
    /// The network ended the connection.
    Reset,
    /// It came while what is on disk was being checked.
    TooEarly,
    /// All slots were taken by others.
    NoRoom,
    /// Its host is banned.
    Banned,
}

impl Failed {
    /// What became of a caller that did not greet us and whose connection ends by this fault; `None`
    /// if it is no failure of the caller.
    fn of(peer: &Peer, fault: &Fault) -> Option<Failed> {
        let begun = !peer.cut().is_empty();
        Some(match fault {
            Fault::NotBitTorrent => Failed::Foreign(peer.foreign().unwrap_or(Foreign::Unknown)),
            Fault::OtherTorrent => Failed::OtherTorrent,
            Fault::Closed | Fault::Network(_) | Fault::HandshakeTimeout if peer.is_ourselves() => {
                Failed::Ourselves
            }
            Fault::Closed if begun => Failed::Cut,
            Fault::Closed => Failed::Closed,
            Fault::Network(_) => Failed::Reset,
            Fault::HandshakeTimeout | Fault::Replaced if begun => Failed::Slow,
            Fault::HandshakeTimeout | Fault::Replaced => Failed::Silent,
            _ => return None,
        })
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Failed::Foreign(foreign) => return foreign.fmt(f),
            Failed::OtherTorrent => "for another torrent",
            Failed::Ourselves => "from this very client",
            Failed::Silent => "silent",
            Failed::Slow => "too slow",
            Failed::Closed => "closed without a word",
            Failed::Cut => "closed within the handshake",
            Failed::Reset => "reset",
            Failed::TooEarly => "before the check was done",
            Failed::NoRoom => "without a free slot",
            Failed::Banned => "banned",
        })
    }
}

/// How many callers failed, and when the user hears of it.
#[derive(Debug, Default)]
pub(super) struct Callers {
    counts: BTreeMap<Failed, u64>,
    /// When the counts are to be reported; `None`: nothing is new.
    due: Option<Now>,
    reported: Option<Now>,
}

impl Callers {
    fn count(&mut self, failed: Failed, now: Now) {
        *self.counts.entry(failed).or_default() += 1;
        let next = self
            .reported
            .map_or(now, |last| last + limits::CALLERS_EVERY);
        self.due.get_or_insert(next.max(now + GATHER));
    }
}

impl Session {
    /// Counts a caller that is turned away at once.
    pub(super) fn count_turned_away(&mut self, banned: bool, now: Now) {
        let failed = match self.stage {
            Stage::Running if banned => Failed::Banned,
            Stage::Running => Failed::NoRoom,
            Stage::Checking => Failed::TooEarly,
            Stage::Leaving { .. } | Stage::Over => return,
        };
        self.callers.count(failed, now);
    }

    /// Counts a caller whose connection ends before it greeted us.
    pub(super) fn count_failed(&mut self, key: usize, fault: &Fault, now: Now) {
        let failed = self
            .slots
            .get(key)
            .and_then(|slot| Failed::of(&slot.peer, fault));
        if let Some(failed) = failed {
            self.callers.count(failed, now);
        }
    }

    /// When the user is to hear of callers that failed.
    pub(super) fn callers_deadline(&self) -> Option<Now> {
        self.callers.due
    }

    /// Reports the callers that failed, if it is time; all that are new, if the session is ending.
    pub(super) fn report_callers(&mut self, ending: bool, now: Now) {
        if self.callers.due.is_some_and(|at| ending || at <= now) {
            self.callers.due = None;
            self.callers.reported = Some(now);
            let counts = self.callers.counts.iter();
            let counts = counts.map(|(&failed, &count)| (failed, count)).collect();
            self.report(Report::Callers(counts));
        }
    }
}
