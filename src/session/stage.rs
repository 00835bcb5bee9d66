//! How far a session is: from the check of what is on disk to the way out.

use crate::base::time::Now;

/// How far a session is.
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
