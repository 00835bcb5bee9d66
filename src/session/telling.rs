//! Telling peers what we have. Each peer is told of each piece (BEP 3), even of one that it has
//! itself, since a super-seed waits for that (BEP 16); only a peer that said at once that it has
//! everything is left out. That is a write to each socket: with many peers and many pieces it would
//! be most of all work. So pieces that are verified soon after one another are told together, the
//! more of them the more peers there are. What follows for our interest is found out on the same
//! round.

use super::census::Census;
use super::session::Session;
use crate::base::limits;
use crate::base::time::Now;

impl Session {
    /// When peers are to be told of pieces.
    pub(super) fn telling_deadline(&self) -> Option<Now> {
        let gap = limits::TELL_GAP * u32::try_from(self.census.open).unwrap_or(u32::MAX);
        let next = self.news.told_at.map_or(Now::default(), |last| last + gap);
        (!self.news.untold.is_empty()).then_some(next)
    }

    /// Tells peers of the pieces they have not been told of, if it is time; at once, if there are
    /// many, or no more will come.
    pub(super) fn tell_pieces(&mut self, now: Now) {
        let due = self.telling_deadline().is_some_and(|at| at <= now);
        let many = self.news.untold.len() >= limits::TOLD_AT_ONCE;
        if !due && !many && !self.torrent.pieces.is_complete() {
            return;
        }
        let news = std::mem::take(&mut self.news.untold);
        if news.is_empty() {
            return;
        }
        self.news.told_at = Some(now);
        let keys: Vec<usize> = self.slots.iter().map(|(key, _)| key).collect();
        for key in keys {
            let slot = &mut self.slots[key];
            if !slot.peer.is_open() {
                continue;
            }
            let mut theirs = 0;
            for &piece in &news {
                theirs += u32::from(slot.peer.holdings().has(piece));
                slot.peer.have(piece);
            }
            let said = !slot.peer.declared_whole();
            slot.useful -= theirs;
            if said || slot.useful == 0 {
                self.enlist(key);
            }
        }
    }

    /// Whether what is counted as it changes is what a look at all connections gives. For debug
    /// builds: it costs a pass over the pieces of each peer.
    pub(super) fn counts_agree(&self) -> bool {
        let pieces = &self.torrent.pieces;
        let useful = self.slots.iter().all(|(_, slot)| {
            let have = slot.peer.holdings();
            let untold = self.news.untold.iter().filter(|&&piece| have.has(piece));
            let useful = pieces.wants_of(have) + untold.count() as u32;
            !slot.peer.is_open() || slot.useful == useful
        });
        useful && self.census == Census::of(&self.slots) && self.timers.len() <= self.slots.len()
    }
}
