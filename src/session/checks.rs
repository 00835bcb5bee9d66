//! Which torrents are checked: a few at the same time, those that were added first. A check needs
//! the hashes of all pieces, so in `run` the others sleep until their turn comes.

use std::collections::BTreeSet;

use crate::base::{TorrentKey, limits};
use crate::torrent::Torrent;

/// The torrents that are checked, and those that sleep until they are.
#[derive(Debug, Default)]
pub struct Checks {
    /// Those that are awake to be checked, or are to wake up for it.
    awake: BTreeSet<TorrentKey>,
    waiting: BTreeSet<TorrentKey>,
}

impl Checks {
    /// Takes note of what a torrent does now.
    pub fn note(&mut self, torrent: &Torrent) {
        let key = torrent.key;
        let (checks, waits) = (torrent.is_checking(), torrent.waits_for_check());
        for (set, belongs) in [(&mut self.awake, checks), (&mut self.waiting, waits)] {
            if belongs {
                set.insert(key);
            } else {
                set.remove(&key);
            }
        }
    }

    /// Whether enough others are checked, so that this torrent may wait.
    pub fn are_enough_without(&self, key: TorrentKey) -> bool {
        let others = self.awake.len() - usize::from(self.awake.contains(&key));
        others >= limits::CHECKS
    }

    /// The torrent that is to wake up, since it is its turn to be checked.
    pub fn next(&self) -> Option<TorrentKey> {
        let first = self.waiting.first().copied();
        first.filter(|_| self.awake.len() < limits::CHECKS)
    }

    /// A torrent is forgotten.
    pub fn forget(&mut self, key: TorrentKey) {
        self.awake.remove(&key);
        self.waiting.remove(&key);
    }
}
