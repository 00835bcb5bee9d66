//! When slots and torrents are looked at again though nothing happens to them.

use std::cmp::Reverse;

use crate::base::{PeerKey, SortedSet, Time, TorrentKey};
use crate::torrent::Slot;

/// Deadlines by slot, soonest first: one a slot, whatever happens. It is only a reminder to look:
/// most deadlines move away before they come, so a slot is armed anew when its reminder comes up,
/// not each time the deadline moves.
#[derive(Debug, Default)]
pub struct Timers(SortedSet<(Time, PeerKey)>);

impl Timers {
    /// Sets the reminder so that the slot is looked at by `at`.
    pub fn arm(&mut self, key: PeerKey, slot: &mut Slot, at: Option<Time>) {
        let Some(at) = at else { return };
        if slot.armed.is_none_or(|armed| at < armed) {
            self.disarm(key, slot);
            slot.armed = Some(at);
            self.0.insert((at, key));
        }
    }

    /// The slot need not be looked at: its reminder has come up, or it is over.
    pub fn disarm(&mut self, key: PeerKey, slot: &mut Slot) {
        if let Some(at) = slot.armed.take() {
            self.0.remove(&(at, key));
        }
    }

    /// A slot whose reminder has come up: to be disarmed.
    pub fn next_due(&self, now: Time) -> Option<PeerKey> {
        let &(at, key) = self.0.first()?;
        (at <= now).then_some(key)
    }

    /// When the next reminder comes up.
    pub fn next_deadline(&self) -> Option<Time> {
        self.0.first().map(|&(at, _)| at)
    }

    /// How many reminders there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Moments by torrent, soonest first: one a torrent, or none.
#[derive(Debug, Default)]
pub struct Alarms {
    /// By the torrent's key.
    set: Vec<Option<Time>>,
    /// The soonest stands last: what comes and goes often is at the end, where it moves little.
    order: SortedSet<Reverse<(Time, TorrentKey)>>,
}

impl Alarms {
    /// Replaces the moment of a torrent.
    pub fn set(&mut self, torrent: TorrentKey, at: Option<Time>) {
        let before = self.set.get(torrent).copied().flatten();
        if before == at {
            return;
        }
        if let Some(before) = before {
            self.order.remove(&Reverse((before, torrent)));
        }
        if let Some(at) = at {
            self.order.insert(Reverse((at, torrent)));
        }
        if self.set.len() <= torrent {
            self.set.resize(torrent + 1, None);
        }
        self.set[torrent] = at;
    }

    /// The soonest moment.
    pub fn first(&self) -> Option<Time> {
        self.order.last().map(|&Reverse((at, _))| at)
    }

    /// The torrents whose moment has come, the longest due first.
    pub fn due(&self, now: Time) -> impl Iterator<Item = TorrentKey> + '_ {
        let soonest = self.order.iter().rev().map(|&Reverse(it)| it);
        let due = soonest.take_while(move |(at, _)| *at <= now);
        due.map(|(_, torrent)| torrent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_come_soonest_first_and_those_of_one_moment_by_key() {
        let at = Time::from_micros;
        let due = |alarms: &Alarms, now| alarms.due(at(now)).collect::<Vec<_>>();
        let mut alarms = Alarms::default();
        assert_eq!((alarms.first(), due(&alarms, 9)), (None, vec![]));
        for (torrent, moment) in [(5, 3), (1, 7), (4, 3), (0, 5), (3, 3)] {
            alarms.set(torrent, Some(at(moment)));
        }
        assert_eq!(alarms.first(), Some(at(3)));
        assert_eq!(due(&alarms, 2), []);
        assert_eq!(due(&alarms, 3), [3, 4, 5]);
        assert_eq!(due(&alarms, 6), [3, 4, 5, 0]);
        // Replaced by a later moment, by none, by a sooner one, and by the same.
        alarms.set(3, Some(at(8)));
        alarms.set(4, None);
        alarms.set(1, Some(at(1)));
        alarms.set(5, Some(at(3)));
        assert_eq!(alarms.first(), Some(at(1)));
        assert_eq!(due(&alarms, 9), [1, 5, 0, 3]);
        (0..6).for_each(|torrent| alarms.set(torrent, None));
        assert_eq!((alarms.first(), due(&alarms, 9)), (None, vec![]));
    }
}
