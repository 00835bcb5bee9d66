//! Which torrents changed lately, and which are gone, for clients that ask repeatedly: what a
//! client is shown now is compared with what it was shown before.

use crate::base::{SortedMap, Time, Totals, limits};
use crate::session::{State, TorrentView, View};

/// What was last shown of torrents. Empty until a client asks.
#[derive(Debug, Default)]
pub struct Recent {
    /// By number: what it looked like, and since when.
    seen: SortedMap<u32, (Look, Time)>,
    /// Numbers of torrents that are gone, and since when.
    removed: SortedMap<u32, Time>,
}

/// What changes of a torrent when something happens to it.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Look {
    state: State,
    done: u64,
    peers: usize,
    checked: Option<(u64, u64)>,
    totals: Totals,
}

impl Recent {
    /// Looks at all torrents: those that are or became different within
    /// [`limits::RECENTLY_ACTIVE`].
    pub fn look<'a>(&mut self, view: &'a View, now: Time) -> Vec<&'a TorrentView> {
        let is_recent = |at: Time| now.since(at) < limits::RECENTLY_ACTIVE;
        let before = std::mem::take(&mut self.seen);
        let mut active = Vec::new();
        for torrent in &view.torrents {
            let look = Look::of(torrent);
            let same = before
                .get(&torrent.number)
                .filter(|(then, _)| *then == look);
            let since = same.map_or(now, |(_, since)| *since);
            if is_recent(since) {
                active.push(torrent);
            }
            self.seen.insert(torrent.number, (look, since));
        }
        let gone = before
            .keys()
            .filter(|number| !self.seen.contains_key(number));
        self.removed.extend(gone.map(|number| (*number, now)));
        self.removed.retain(|_, at| is_recent(*at));
        active
    }

    /// Numbers of torrents that were seen, and are gone since [`limits::RECENTLY_ACTIVE`] at most.
    pub fn removed(&self) -> impl Iterator<Item = u32> + '_ {
        self.removed.keys().copied()
    }
}

impl Look {
    fn of(torrent: &TorrentView) -> Look {
        Look {
            state: torrent.state,
            done: torrent.progress.done,
            peers: torrent.progress.peers,
            checked: torrent.progress.checking,
            totals: torrent.totals,
        }
    }
}
