//! Which torrents download at the same time, where that is bounded: those that were added first.

use crate::base::{SortedMap, SortedSet, TorrentKey};
use crate::torrent::{Stage, Torrent};

/// The torrents that download, and those that wait for one of them to end.
#[derive(Debug)]
pub struct Queue {
    most: usize,
    downloading: SortedSet<TorrentKey>,
    /// By their numbers, which grow in the order of adding.
    waiting: SortedMap<u32, TorrentKey>,
}

impl Queue {
    /// At most this many torrents download at the same time; `None`: any number.
    pub fn new(most: Option<usize>) -> Queue {
        Queue {
            most: most.unwrap_or(usize::MAX),
            downloading: SortedSet::new(),
            waiting: SortedMap::new(),
        }
    }

    /// From now on this many torrents may download at the same time.
    pub fn set_most(&mut self, most: usize) {
        self.most = most;
    }

    /// Whether no more torrents may download.
    pub fn is_full(&self) -> bool {
        self.downloading.len() >= self.most
    }

    /// Takes note of what a torrent does now.
    pub fn note(&mut self, torrent: &Torrent) {
        let (key, number) = (torrent.key, torrent.life.number);
        if torrent.is_running() && torrent.is_downloading() {
            self.downloading.insert(key);
        } else {
            self.downloading.remove(&key);
        }
        if torrent.life.stage == Stage::Queued {
            self.waiting.insert(number, key);
        } else {
            self.waiting.remove(&number);
        }
    }

    /// The torrent that may begin to download now.
    pub fn next(&self) -> Option<TorrentKey> {
        let first = self.waiting.values().next().copied();
        first.filter(|_| !self.is_full())
    }

    /// A torrent is forgotten.
    pub fn forget(&mut self, torrent: &Torrent) {
        self.downloading.remove(&torrent.key);
        self.waiting.remove(&torrent.life.number);
    }
}
