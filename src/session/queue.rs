//! Which torrents download at the same time, where that is bounded: those that were added first.
//! One that an earlier run has begun keeps its place while what is on disk of it is checked, and
//! one of which only a link is known while its metadata are fetched. One that has got nothing for
//! [`limits::STALLED`] goes on, and does not count until something comes.

use crate::base::{SortedMap, SortedSet, TorrentKey, limits};
use crate::torrent::{Stage, Torrent};

/// The torrents that download, and those that wait for one of them to end.
#[derive(Debug)]
pub struct Queue {
    most: usize,
    downloading: SortedSet<TorrentKey>,
    /// Those that download and get nothing: at most [`limits::STALLED_MOST`].
    stalled: SortedSet<TorrentKey>,
    /// Numbers of those that keep a place and do not download yet.
    coming: SortedSet<u32>,
    /// By their numbers, which grow in the order of adding.
    waiting: SortedMap<u32, TorrentKey>,
}

impl Queue {
    /// At most this many torrents download at the same time; `None`: any number.
    pub fn new(most: Option<usize>) -> Queue {
        Queue {
            most: most.unwrap_or(usize::MAX),
            downloading: SortedSet::new(),
            stalled: SortedSet::new(),
            coming: SortedSet::new(),
            waiting: SortedMap::new(),
        }
    }

    /// From now on this many torrents may download at the same time.
    pub fn set_most(&mut self, most: usize) {
        self.most = most;
    }

    /// How many may.
    pub fn most(&self) -> usize {
        self.most
    }

    /// Whether the torrent of this number has to wait: as many download as may, those included
    /// that keep a place and were added before it.
    pub fn is_full_for(&self, number: u32) -> bool {
        if self.most == usize::MAX {
            return false;
        }
        let before = self.coming.iter().take_while(|&&other| other < number);
        self.downloading.len() + before.take(self.most).count() >= self.most
    }

    /// Whether no torrent downloads, and none is to.
    pub fn is_empty(&self) -> bool {
        let running = self.downloading.is_empty() && self.stalled.is_empty();
        running && self.coming.is_empty() && self.waiting.len() == 0
    }

    /// Takes note of what a torrent does now.
    pub fn note(&mut self, torrent: &Torrent) {
        let (key, number) = (torrent.key, torrent.life.number);
        let running = torrent.is_running() && torrent.is_downloading();
        let uncounted = self.stalled.contains(&key) || self.stalled.len() < limits::STALLED_MOST;
        let stalled = running && torrent.life.stalled && uncounted;
        set(&mut self.stalled, key, stalled);
        set(&mut self.downloading, key, running && !stalled);
        if torrent.keeps_place() {
            self.coming.insert(number);
        } else {
            self.coming.remove(&number);
        }
        if torrent.life.stage == Stage::Queued {
            self.waiting.insert(number, key);
        } else {
            self.waiting.remove(&number);
        }
    }

    /// The torrent that may begin to download now.
    pub fn next(&self) -> Option<TorrentKey> {
        let (&number, &first) = self.waiting.iter().next()?;
        (!self.is_full_for(number)).then_some(first)
    }

    /// A torrent is forgotten.
    pub fn forget(&mut self, torrent: &Torrent) {
        self.downloading.remove(&torrent.key);
        self.stalled.remove(&torrent.key);
        self.coming.remove(&torrent.life.number);
        self.waiting.remove(&torrent.life.number);
    }
}

fn set(keys: &mut SortedSet<TorrentKey>, key: TorrentKey, belongs: bool) {
    if belongs {
        keys.insert(key);
    } else {
        keys.remove(&key);
    }
}
