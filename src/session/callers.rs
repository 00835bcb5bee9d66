//! Callers that fail before their handshake is whole, counted by what went wrong, so that "0 peers"
//! has a reason. They are counted and not named one by one, since there may be many.

use std::collections::BTreeMap;
use std::fmt;

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
    /// What became of a caller that did not greet us and whose connection ends by this fault;
    /// `None` if it is no failure of the caller.
    pub(super) fn of(peer: &Peer, fault: &Fault) -> Option<Failed> {
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
    /// Counts a caller.
    pub(super) fn count(&mut self, failed: Failed, now: Now) {
        *self.counts.entry(failed).or_default() += 1;
        let next = self
            .reported
            .map_or(now, |last| last + limits::CALLERS_EVERY);
        self.due.get_or_insert(next.max(now + GATHER));
    }

    /// When the user is to hear of them.
    pub(super) fn deadline(&self) -> Option<Now> {
        self.due
    }

    /// The counts, if it is time to report them; all that are new, if the session is ending.
    pub(super) fn take_due(&mut self, ending: bool, now: Now) -> Option<Vec<(Failed, u64)>> {
        self.due.filter(|&at| ending || at <= now)?;
        self.due = None;
        self.reported = Some(now);
        let counts = self.counts.iter();
        Some(counts.map(|(&failed, &count)| (failed, count)).collect())
    }
}
