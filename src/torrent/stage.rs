//! How far a torrent is: from the check of what is on disk to the way out.

use super::effect::Progress;
use crate::base::Time;

/// How far a torrent is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// Only its info hash is known: peers are asked for the rest.
    Metadata,
    /// What is on disk is being hashed; no peers yet.
    Checking,
    /// It waits until fewer other torrents download.
    Queued,
    /// In the swarm.
    Running,
    /// Peers are gone; trackers are being told, until this moment at the latest.
    Leaving {
        /// When to stop waiting for them.
        until: Time,
        /// What comes then.
        then: Then,
    },
    /// It is paused: by its user, or since it has stayed as long as it was to.
    Paused,
    /// It had failed, and is resumed: its files are closed, and it is looked for in the state
    /// folder as at a start. What is found takes its place.
    Reopening {
        /// It is to be paused then.
        paused: bool,
    },
    /// Nothing is left to do.
    Over,
}

/// What a torrent leaves its swarm for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Then {
    /// To end.
    End,
    /// To be paused.
    Pause,
    /// To be opened anew after it had failed, see [`Stage::Reopening`].
    Reopen {
        /// It is to be paused then.
        paused: bool,
    },
    /// To be forgotten, with its content on disk (`data`) or without.
    Remove {
        /// Whether its content is deleted.
        data: bool,
    },
}

/// What has become of a torrent, and when.
#[derive(Debug)]
pub struct Life {
    /// The number that users know it by.
    pub number: u32,
    /// How far it is.
    pub stage: Stage,
    /// When it began.
    pub started: Time,
    /// When nothing was left to download.
    pub complete_at: Option<Time>,
    /// Why it failed, if it did.
    pub failure: Option<String>,
    /// Since when nothing has been left to get for it and it has had no peers.
    pub resting: Option<Time>,
    /// The outside knows that it may sleep.
    pub drowsy: bool,
    /// It sleeps, and is to wake up.
    pub waking: bool,
    /// While it sleeps and is not checked yet, or is being opened anew: how far it was before.
    pub unchecked: Option<Box<Progress>>,
    /// The check of what is on disk is over.
    pub checked: bool,
    /// It downloads and has got nothing for [`limits::STALLED`](crate::base::limits::STALLED).
    pub stalled: bool,
    /// It has reached its ratio or its seed time.
    pub reached: bool,
    /// Its user resumed it after it had reached its ratio or seed time, which no longer apply.
    pub endless: bool,
}

impl Life {
    /// A torrent that begins now: with the check of what is on disk, unless only its info hash is
    /// known (`undescribed`).
    pub fn new(number: u32, undescribed: bool, now: Time) -> Life {
        Life {
            number,
            stage: if undescribed {
                Stage::Metadata
            } else {
                Stage::Checking
            },
            started: now,
            complete_at: None,
            failure: None,
            resting: None,
            drowsy: false,
            waking: false,
            unchecked: None,
            checked: false,
            stalled: false,
            reached: false,
            endless: false,
        }
    }

    /// Whether it dials peers and takes peers that dial us: as a torrent with known pieces, or
    /// while its metadata are fetched.
    pub fn is_among_peers(&self) -> bool {
        matches!(self.stage, Stage::Running | Stage::Metadata)
    }

    /// Whether it has ended or is about to.
    pub fn is_ending(&self) -> bool {
        match self.stage {
            Stage::Leaving { then, .. } => matches!(then, Then::End | Then::Remove { .. }),
            Stage::Over => true,
            Stage::Metadata
            | Stage::Checking
            | Stage::Queued
            | Stage::Running
            | Stage::Paused
            | Stage::Reopening { .. } => false,
        }
    }

    /// Whether it is about to be forgotten.
    pub fn is_being_removed(&self) -> bool {
        let Stage::Leaving { then, .. } = self.stage else {
            return false;
        };
        matches!(then, Then::Remove { .. })
    }
}
