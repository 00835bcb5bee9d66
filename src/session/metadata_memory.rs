//! The memory for metadata that are being fetched, over all torrents. Peers say how long a
//! dictionary is before anybody can tell whether that is true, so what all searches keep together
//! is bounded:
//!
//! - Short dictionaries are fetched side by side, as many as a part of `--memory` has room for.
//! - Of the torrents whose peers name longer ones, one after the other is granted memory.
//!
//! Where others wait, a grant ends: after as long as an ordinary uplink takes for so many bytes,
//! and sooner if no block has come for a while. What came is forgotten then, and the torrent waits
//! for its next grant behind the others.

use std::collections::VecDeque;

use crate::base::{Duration, SortedMap, Time, TorrentKey, limits, sooner};
use crate::torrent::metadata::{Needs, Room, solo_time};

/// Who may keep what.
#[derive(Debug)]
pub struct MetadataMemory {
    short: u32,
    shorts: Lane,
    longs: Lane,
}

/// A supply of which torrents are granted parts, one after the other.
#[derive(Debug)]
struct Lane {
    free: usize,
    grants: SortedMap<TorrentKey, Grant>,
    /// Torrents that wait, and what they need.
    waiting: VecDeque<(TorrentKey, Wish)>,
}

/// A part that a torrent wants.
#[derive(Clone, Copy, Debug)]
struct Wish {
    part: usize,
    /// How long it may have it though others wait.
    time: Duration,
}

/// A part that a torrent has.
#[derive(Clone, Copy, Debug)]
struct Grant {
    wish: Wish,
    since: Time,
    /// When it was of use last.
    moved: Time,
}

impl Grant {
    fn ends(&self) -> Time {
        let silent = self.moved + limits::METADATA_LATE * 2;
        silent.min(self.since + self.wish.time)
    }
}

impl Lane {
    fn new(free: usize) -> Lane {
        Lane {
            free,
            grants: SortedMap::new(),
            waiting: VecDeque::new(),
        }
    }

    /// A torrent wants this part now, or (0) none. `moved`: when it was of use last.
    fn ask(&mut self, torrent: TorrentKey, wish: Wish, moved: Option<Time>, now: Time) {
        let had = self.part(torrent);
        if let Some(grant) = self.grants.get_mut(&torrent) {
            grant.moved = grant.since.max(moved.unwrap_or(grant.since));
        }
        if wish.part == 0 {
            self.take_back(torrent);
        }
        if wish.part <= had {
            self.waiting.retain(|(waits, _)| *waits != torrent);
            if let Some(grant) = self.grants.get_mut(&torrent) {
                self.free += grant.wish.part - wish.part;
                grant.wish = wish;
            }
        } else {
            match self.waiting.iter_mut().find(|(it, _)| *it == torrent) {
                Some((_, waits)) => *waits = wish,
                None => self.waiting.push_back((torrent, wish)),
            }
        }
        self.settle(now);
    }

    /// Ends grants that are over while others wait, and begins those that there is enough for.
    fn settle(&mut self, now: Time) {
        while let Some(&(first, wish)) = self.waiting.front() {
            let more = wish.part.saturating_sub(self.part(first));
            if more <= self.free {
                self.waiting.pop_front();
                self.free -= more;
                let (since, moved) = (now, now);
                self.grants.insert(first, Grant { wish, since, moved });
                continue;
            }
            let over = self.grants.iter().find(|(_, grant)| grant.ends() <= now);
            let Some((&over, grant)) = over else { return };
            let wish = grant.wish;
            if !self.is_waiting(over) {
                self.waiting.push_back((over, wish));
            }
            self.take_back(over);
        }
    }

    fn take_back(&mut self, torrent: TorrentKey) {
        if let Some(grant) = self.grants.remove(&torrent) {
            self.free += grant.wish.part;
        }
    }

    /// What a torrent has.
    fn part(&self, torrent: TorrentKey) -> usize {
        self.grants.get(&torrent).map_or(0, |grant| grant.wish.part)
    }

    fn is_waiting(&self, torrent: TorrentKey) -> bool {
        self.waiting.iter().any(|(waits, _)| *waits == torrent)
    }

    /// When a grant of another torrent ends for which this one waits.
    fn wait(&self, torrent: TorrentKey) -> Option<Time> {
        let ends = self.grants.values().map(Grant::ends).min();
        ends.filter(|_| self.is_waiting(torrent))
    }
}

impl MetadataMemory {
    /// Short dictionaries take this many bytes together.
    pub fn new(bytes: usize) -> MetadataMemory {
        MetadataMemory {
            short: (bytes / limits::METADATA_SHORT) as u32,
            shorts: Lane::new(bytes),
            longs: Lane::new(1),
        }
    }

    /// Up to this many bytes a dictionary is short.
    pub fn short(&self) -> u32 {
        self.short
    }

    /// Whether nobody has or wants any.
    pub fn is_idle(&self) -> bool {
        let idle = |lane: &Lane| lane.grants.is_empty() && lane.waiting.is_empty();
        idle(&self.shorts) && idle(&self.longs)
    }

    /// A torrent needs so much now. Returns the torrents that have another room than before.
    pub fn ask(&mut self, torrent: TorrentKey, needs: Needs, now: Time) -> Vec<TorrentKey> {
        let before = self.having();
        let [short, long] = needs.moved;
        let wish = Wish {
            part: needs.shorts,
            time: solo_time(needs.shorts as u32),
        };
        self.shorts.ask(torrent, wish, short, now);
        let wish = Wish {
            part: usize::from(needs.longest > 0),
            time: solo_time(needs.longest),
        };
        self.longs.ask(torrent, wish, long, now);
        let after = self.having();
        let differs = |key: &TorrentKey| before.get(key) != after.get(key);
        let mut changed: Vec<TorrentKey> = before.keys().chain(after.keys()).copied().collect();
        changed.sort_unstable();
        changed.dedup();
        changed.retain(differs);
        changed
    }

    /// What a torrent may keep.
    pub fn room(&self, torrent: TorrentKey) -> Room {
        Room {
            short: self.short,
            shorts: self.shorts.part(torrent),
            longs: self.longs.part(torrent) > 0,
            wait: sooner(self.shorts.wait(torrent), self.longs.wait(torrent)),
        }
    }

    fn having(&self) -> SortedMap<TorrentKey, (usize, usize)> {
        let keys = self.shorts.grants.keys().chain(self.longs.grants.keys());
        keys.map(|&key| (key, (self.shorts.part(key), self.longs.part(key))))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u32 = limits::MIB as u32;

    fn at(seconds: u64) -> Time {
        Time::default() + Duration::from_secs(seconds)
    }

    fn needs(shorts: u32, longest: u32) -> Needs {
        Needs {
            shorts: shorts as usize,
            longest,
            ..Needs::default()
        }
    }

    #[test]
    fn short_dictionaries_are_fetched_side_by_side_as_far_as_there_is_room() {
        let mut memory = MetadataMemory::new(4 * limits::MIB);
        assert_eq!(
            memory.short() as usize,
            4 * limits::MIB / limits::METADATA_SHORT
        );
        for torrent in 0..4 {
            assert_eq!(memory.ask(torrent, needs(MIB, 0), at(0)), [torrent]);
        }
        assert_eq!(memory.ask(4, needs(MIB, 0), at(0)), []);
        assert_eq!(memory.room(4).shorts, 0);
        assert_eq!(memory.room(4).wait, Some(at(0) + limits::METADATA_LATE * 2));
        // One is done, and another needs less than before.
        assert_eq!(memory.ask(2, needs(0, 0), at(1)), [2, 4]);
        assert_eq!(memory.room(4).shorts, limits::MIB);
        assert_eq!(memory.ask(1, needs(MIB / 2, 0), at(1)), [1]);
        assert_eq!(memory.ask(5, needs(MIB / 2, 0), at(1)), [5]);
        assert!(!memory.is_idle());
    }

    #[test]
    fn long_dictionaries_have_their_turn_one_after_the_other() {
        let mut memory = MetadataMemory::new(4 * limits::MIB);
        for torrent in 0..3 {
            memory.ask(torrent, needs(0, 32 * MIB), at(0));
        }
        let having = |memory: &MetadataMemory| -> Vec<TorrentKey> {
            (0..3).filter(|&key| memory.room(key).longs).collect()
        };
        assert_eq!(having(&memory), [0]);
        // The first sends something now and then, the second nothing.
        let moving = |seconds| Needs {
            moved: [None, Some(at(seconds))],
            ..needs(0, 32 * MIB)
        };
        for seconds in 0..210 {
            memory.ask(0, moving(seconds), at(seconds));
            memory.ask(1, needs(0, 32 * MIB), at(seconds));
            assert_eq!(having(&memory), [0], "after {seconds} s");
        }
        let time = solo_time(32 * MIB);
        assert_eq!(memory.room(1).wait, Some(at(0) + time));
        assert_eq!(memory.ask(1, needs(0, 32 * MIB), at(0) + time), [0, 1]);
        let silent = memory.room(2).wait.unwrap();
        assert_eq!(silent, at(0) + time + limits::METADATA_LATE * 2);
        memory.ask(2, needs(0, 32 * MIB), silent);
        assert_eq!(having(&memory), [2]);
        assert_eq!(memory.ask(2, needs(0, 0), silent), [0, 2]);
        // It was first, and comes after the others.
        assert_eq!(having(&memory), [0]);
    }

    #[test]
    fn nobody_loses_its_turn_while_no_other_waits() {
        let mut memory = MetadataMemory::new(limits::MIB);
        memory.ask(0, needs(0, 32 * MIB), at(0));
        assert_eq!(memory.room(0).wait, None);
        assert_eq!(memory.ask(0, needs(0, 32 * MIB), at(5_000)), []);
        assert!(memory.room(0).longs);
        // Its grant was over long ago.
        assert_eq!(memory.ask(1, needs(0, 32 * MIB), at(5_000)), [0, 1]);
        memory.ask(0, needs(0, 0), at(5_001));
        memory.ask(1, needs(0, 0), at(5_001));
        assert!(memory.is_idle());
    }

    #[test]
    fn one_that_needs_more_waits_for_it_and_keeps_what_it_has() {
        let mut memory = MetadataMemory::new(4 * limits::MIB);
        memory.ask(0, needs(MIB, 0), at(0));
        memory.ask(1, needs(3 * MIB, 0), at(0));
        assert_eq!(memory.ask(0, needs(2 * MIB, 0), at(1)), []);
        assert_eq!(memory.room(0).shorts, limits::MIB);
        assert_eq!(memory.room(0).wait, Some(at(6)));
        // Both grants are over; there is enough for one of them.
        assert_eq!(memory.ask(0, needs(2 * MIB, 0), at(6)), [0, 1]);
        assert_eq!(
            memory.room(0).shorts + memory.room(1).shorts,
            2 * limits::MIB
        );
    }
}
