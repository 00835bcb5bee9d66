//! What a tracker said last and when it is asked next, for people.

use super::action::Counts;
use crate::base::Time;

/// How the last visit to a tracker ended, over all families.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Last {
    /// It answered.
    Answered {
        /// When.
        at: Time,
        /// Peers that it named.
        peers: u32,
        /// How many take part, as far as it said.
        counts: Counts,
    },
    /// It failed.
    Failed {
        /// When.
        at: Time,
        /// Why.
        why: String,
    },
}

/// When a tracker is asked again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// It is being asked.
    Asking,
    /// It is due, and asked once fewer of the process's torrents ask it.
    Queued,
    /// At this moment, unless something happens before.
    At(Time),
    /// When others fail, which come before it.
    Spare,
    /// Not as things are: the torrent is not announced, or the tracker wants to be left alone.
    Never,
}

/// A tracker of a torrent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TrackerView {
    /// Its announce URL.
    pub url: String,
    /// Its tier (BEP 12), from 0.
    pub tier: usize,
    /// How the last visit ended; `None`: there was none.
    pub last: Option<Last>,
    /// When the next one is.
    pub next: Next,
}

impl Last {
    /// What is known after an answer. `before`: the same visit's answer over another family.
    pub fn answered(before: Option<&Last>, peers: usize, counts: Counts, at: Time) -> Last {
        let (others, known) = match before {
            Some(Last::Answered { peers, counts, .. }) => (*peers, *counts),
            _ => (0, Counts::default()),
        };
        Last::Answered {
            at,
            peers: others.saturating_add(u32::try_from(peers).unwrap_or(u32::MAX)),
            counts: Counts {
                seeders: counts.seeders.max(known.seeders),
                leechers: counts.leechers.max(known.leechers),
                completed: None,
            },
        }
    }
}
