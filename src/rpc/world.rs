//! What answers are made of.

use super::process::About;
use crate::base::Time;
use crate::session::{PeerView, TorrentView, View, WaysView};

/// What answers are made of.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// What does not change.
    pub about: &'a About,
    /// What there is.
    pub view: &'a View,
    /// Looks up the peers of a torrent.
    pub peers: &'a dyn Fn(&TorrentView) -> Vec<PeerView>,
    /// Looks up the folder of its content; `None`: the usual one.
    pub dir: &'a dyn Fn(&TorrentView) -> Option<String>,
    /// Looks up how it looks for them.
    pub ways: &'a dyn Fn(&TorrentView) -> WaysView,
    /// The time.
    pub now: Time,
    /// The same in seconds since 1970.
    pub unix: u64,
}

impl World<'_> {
    /// A moment in seconds since 1970.
    pub fn unix_of(&self, moment: Time) -> u64 {
        let (past, ahead) = (self.now.since(moment), moment.since(self.now));
        let unix = self.unix.saturating_sub(past.as_secs());
        unix.saturating_add(ahead.as_secs())
    }
}
