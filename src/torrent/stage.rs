//! How far a torrent is: from the check of what is on disk to the way out.

use crate::base::time::Now;

/// How far a torrent is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// What is on disk is being hashed; no peers yet.
    Checking,
    /// In the swarm.
    Running,
    /// Peers are gone; trackers are being told, until this moment at the latest.
    Leaving {
        /// When to stop waiting for them.
        until: Now,
    },
    /// Nothing is left to do.
    Over,
}

/// What has become of a torrent, and when.
#[derive(Debug)]
pub struct Life {
    /// How far it is.
    pub stage: Stage,
    /// When it began.
    pub started: Now,
    /// When nothing was left to download.
    pub complete_at: Option<Now>,
    /// Why it failed, if it did.
    pub failure: Option<String>,
}

impl Life {
    /// A torrent that begins now.
    pub fn new(now: Now) -> Life {
        Life {
            stage: Stage::Checking,
            started: now,
            complete_at: None,
            failure: None,
        }
    }

    /// Whether it has ended or is about to.
    pub fn is_ending(&self) -> bool {
        matches!(self.stage, Stage::Leaving { .. } | Stage::Over)
    }
}
