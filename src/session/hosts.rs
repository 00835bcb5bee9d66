//! When hosts to begin with are looked up, as long as few nodes of the DHT are known. Those that
//! the user or a torrent names come first. The usual ones, which are the same for all clients, are
//! asked when nobody else has led us anywhere: a look-up of names costs memory, and those hosts
//! have enough to do.

use crate::base::{Duration, Time, limits};
use crate::torrent::Torrent;

/// When to look up which hosts.
#[derive(Debug, Default)]
pub struct Hosts {
    begun: Time,
    /// Hosts are named that have not been looked up yet.
    fresh: bool,
    /// There are usual ones, which have not been asked yet, and this long is left to others.
    usual: Option<Duration>,
    /// When something is due; `None`: enough nodes are known, or there is no host.
    next: Option<Time>,
    /// There are hosts.
    exist: bool,
    /// How often all were looked up.
    asked: u32,
}

impl Hosts {
    /// From now on nodes are wanted. `named`, `usual`: there are such hosts; `saved`: nodes of the
    /// last run are known.
    pub fn new(named: bool, usual: bool, saved: bool, now: Time) -> Hosts {
        let left_to_others = if named || saved {
            limits::DHT_HOSTS_SOON
        } else {
            Duration::ZERO
        };
        Hosts {
            begun: now,
            fresh: named,
            usual: usual.then_some(left_to_others),
            next: (named || usual).then_some(now),
            exist: named || usual,
            asked: 0,
        }
    }

    /// So many nodes are known. A few may be a circle of their own, which one that names no others
    /// makes of us.
    pub fn know(&mut self, nodes: usize, now: Time) {
        if nodes >= limits::DHT_POOR {
            self.next = None;
        } else if self.next.is_none() && self.exist {
            (self.next, self.asked) = (Some(now + limits::DHT_AGAIN), 0);
        }
    }

    /// When [`Hosts::due`] is to be asked.
    pub fn next_deadline(&self) -> Option<Time> {
        self.next
    }

    /// A torrent waits for usual hosts this long.
    pub fn hurry(&mut self, longest_wait: Duration) {
        if self.usual.is_some() {
            let due = self.begun + longest_wait;
            self.next = self.next.map(|next| next.min(due));
        }
    }

    /// Whether hosts are to be looked up now, and if so, whether the usual ones are among them.
    /// `longest_wait`: as long as the torrent that can wait least.
    pub fn due(&mut self, longest_wait: impl FnOnce() -> Duration, now: Time) -> Option<bool> {
        if self.next? > now {
            return None;
        }
        if let Some(left_to_others) = self.usual {
            let usual_at = self.begun + left_to_others.max(longest_wait());
            if usual_at > now {
                self.next = Some(usual_at);
                return std::mem::take(&mut self.fresh).then_some(false);
            }
        }
        (self.fresh, self.usual) = (false, None);
        // Later and later, since there may be no network yet.
        let wait = limits::DHT_AGAIN * (1 << self.asked.min(10));
        self.asked += 1;
        self.next = Some(now + wait.min(limits::DHT_ANNOUNCE));
        Some(true)
    }
}

/// How long a torrent can do without the usual hosts: not at all if nothing else leads to peers;
/// a short while if trackers or given peers may; longer if it has peers or needs none itself.
pub fn longest_wait(torrent: &Torrent) -> Duration {
    let alone = torrent.connections.is_empty() && torrent.candidates.is_empty();
    if alone && torrent.trackers.is_empty() {
        Duration::ZERO
    } else if torrent.is_downloading() && torrent.census.open == 0 {
        limits::DHT_HOSTS_SOON
    } else {
        limits::DHT_HOSTS_LATE
    }
}
