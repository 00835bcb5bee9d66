//! The torrents of the process, and which of them have something to do.

use std::net::SocketAddr;
use std::ops::{Index, IndexMut};

use slab::Slab;

use super::checks::Checks;
use super::invariants;
use super::metadata_memory::MetadataMemory;
use super::queue::Queue;
use super::timers::Alarms;
use crate::base::{Block, InfoHash, PeerKey, Rng, SortedMap, SortedSet, Time, TorrentKey, limits};
use crate::mse::torrent_hash;
use crate::peer::{EndReason, FrameLimits};
use crate::torrent::{Order, Slot, Stage, Torrent, Twins, Us};
use crate::tracker::Shared;

/// All torrents by their keys, and when each is to be planned for though nothing happens to it.
#[derive(Debug)]
pub struct Torrents {
    slab: Slab<Torrent>,
    /// When each torrent has something to plan.
    pub plan: Alarms,
    /// When each has an address to dial; it counts only while another connection may be made.
    pub dial: Alarms,
    /// When each looks for upload slots that are not used; it counts only while all connections
    /// are taken.
    pub unused: Alarms,
    /// Which of them download, and which wait.
    pub queue: Queue,
    /// Which of them are checked, and which sleep until they are.
    pub checks: Checks,
    /// Which of them may keep what of metadata that are being fetched.
    pub fetching: MetadataMemory,
    /// Peers that want something of us, over all torrents.
    interested: usize,
    /// Those that have content to be read from disk and handed to us.
    reading: SortedSet<TorrentKey>,
    by_hash: SortedMap<InfoHash, TorrentKey>,
    /// The same by [`torrent_hash`], which stands for the info hash in an encrypted handshake.
    by_hidden: SortedMap<InfoHash, TorrentKey>,
    longest_frame: usize,
    /// How many were ever added.
    added: u32,
    /// Why all of them end, once they do: none begins from then on.
    pub ending: Option<String>,
    rng: Rng,
}

impl Index<TorrentKey> for Torrents {
    type Output = Torrent;

    fn index(&self, key: TorrentKey) -> &Torrent {
        &self.slab[key]
    }
}

impl IndexMut<TorrentKey> for Torrents {
    fn index_mut(&mut self, key: TorrentKey) -> &mut Torrent {
        &mut self.slab[key]
    }
}

impl Torrents {
    /// None yet. `active`: how many may download at the same time; `metadata`: see
    /// [`MetadataMemory::new`].
    pub fn new(active: Option<usize>, metadata: usize, rng: Rng) -> Torrents {
        Torrents {
            slab: Slab::new(),
            plan: Alarms::default(),
            dial: Alarms::default(),
            unused: Alarms::default(),
            queue: Queue::new(active),
            checks: Checks::default(),
            fetching: MetadataMemory::new(metadata),
            interested: 0,
            reading: SortedSet::new(),
            by_hash: SortedMap::new(),
            by_hidden: SortedMap::new(),
            longest_frame: FrameLimits::of(0).longest(),
            added: 0,
            ending: None,
            rng,
        }
    }

    /// Adds one.
    ///
    /// # Errors
    /// There is one of this info hash already, under this key.
    pub fn add(
        &mut self,
        order: Order,
        us: &Us,
        shared: &mut Shared,
        now: Time,
    ) -> Result<&mut Torrent, TorrentKey> {
        if let Some(key) = self.find(&order.info_hash) {
            return Err(key);
        }
        self.added += 1;
        let entry = self.slab.vacant_entry();
        self.by_hash.insert(order.info_hash, entry.key());
        let hidden = InfoHash(torrent_hash(order.info_hash));
        self.by_hidden.insert(hidden, entry.key());
        self.reading.insert(entry.key());
        let frames = FrameLimits::of(order.geometry.pieces()).longest();
        self.longest_frame = self.longest_frame.max(frames);
        let names = (entry.key(), self.added);
        let key = entry.key();
        entry.insert(Torrent::new(names, order, (us, shared), &mut self.rng, now));
        // From here on each may have a smaller part.
        let all = (self.slab.len() - 1).is_power_of_two();
        let keys = if all { self.keys() } else { vec![key] };
        keys.into_iter()
            .for_each(|key| self.share_addresses(key, now));
        Ok(&mut self.slab[key])
    }

    /// Gives one its part of the addresses of peers that may be remembered.
    fn share_addresses(&mut self, key: TorrentKey, now: Time) {
        let most = limits::CANDIDATES_ALL / self.slab.len().next_power_of_two();
        let most = most.clamp(limits::CANDIDATES_LEAST, limits::CANDIDATES);
        if let Some(torrent) = self.slab.get_mut(key) {
            let most = if torrent.is_downloading() {
                most
            } else {
                most.min(limits::CANDIDATES_COMPLETE)
            };
            torrent.candidates.set_room(most, now);
        }
    }

    /// One falls asleep, if it may.
    pub fn fall_asleep(&mut self, key: TorrentKey) -> bool {
        self.refile(key);
        let sleeps = self.get_mut(key).is_some_and(Torrent::fall_asleep);
        if sleeps {
            self.refile(key);
        }
        sleeps
    }

    /// One sleeps until it is checked, if it may.
    pub fn await_check(&mut self, key: TorrentKey, now: Time) -> bool {
        self.refile(key);
        let enough = self.checks.are_enough_without(key);
        let torrent = self.slab.get_mut(key);
        let waits = torrent.is_some_and(|it| (enough || !it.is_checking()) && it.await_check(now));
        if waits {
            self.reading.remove(&key);
            self.refile(key);
        }
        waits
    }

    /// One is awake again.
    pub fn wake_up(&mut self, key: TorrentKey, order: Order, now: Time) {
        if let Some(torrent) = self.slab.get_mut(key) {
            torrent.wake_up(order, &mut self.rng, now);
            self.reading.insert(key);
        }
    }

    /// The metadata of one are there.
    pub fn describe(&mut self, key: TorrentKey, order: Order, now: Time) {
        self.allow_frames(FrameLimits::of(order.geometry.pieces()));
        if let Some(torrent) = self.slab.get_mut(key) {
            torrent.describe(order, &mut self.rng, now);
            self.reading.insert(key);
        }
    }

    /// Frames may be so long from now on.
    pub fn allow_frames(&mut self, frames: FrameLimits) {
        self.longest_frame = self.longest_frame.max(frames.longest());
    }

    /// All of them are to end, for this reason. Their keys.
    pub fn end(&mut self, reason: &str) -> Vec<TorrentKey> {
        self.ending = Some(reason.to_string());
        self.keys()
    }

    /// How many were ever added, as far as numbers are concerned.
    pub fn set_added(&mut self, added: u32) {
        self.added = added;
    }

    /// The one of this info hash.
    pub fn find(&self, info_hash: &InfoHash) -> Option<TorrentKey> {
        self.by_hash.get(info_hash).copied()
    }

    /// The info hash of the one that an encrypted handshake names like this.
    pub fn reveal(&self, hidden: &[u8; 20]) -> Option<InfoHash> {
        let key = self.by_hidden.get(&InfoHash(*hidden))?;
        self.get(*key).map(|torrent| torrent.order.info_hash)
    }

    /// Bytes of the longest frame that a peer of any torrent may send, its length included. It only
    /// grows.
    pub fn longest_frame(&self) -> usize {
        self.longest_frame
    }

    /// The torrent that an incoming handshake names, if it is running or fetching its metadata.
    ///
    /// # Errors
    /// The connection is to end.
    pub fn meet(&self, info_hash: &InfoHash) -> Result<TorrentKey, EndReason> {
        let key = self.find(info_hash).ok_or(EndReason::NotServed)?;
        match self[key].life.stage {
            Stage::Running | Stage::Metadata => Ok(key),
            Stage::Checking => Err(EndReason::TooEarly),
            Stage::Queued
            | Stage::Paused
            | Stage::Leaving { .. }
            | Stage::Reopening { .. }
            | Stage::Over => Err(EndReason::NotServed),
        }
    }

    /// Whether any torrent may take a peer that dials us, or is still being checked.
    pub fn expect_peers(&self) -> bool {
        let early = |torrent: &Torrent| torrent.life.stage == Stage::Checking;
        self.iter()
            .any(|torrent| torrent.life.is_among_peers() || early(torrent))
    }

    /// Forgets one: its key may be another's.
    pub fn forget(&mut self, key: TorrentKey) {
        if let Some(gone) = self.slab.try_remove(key) {
            self.queue.forget(&gone);
            self.checks.forget(key);
            self.reading.remove(&key);
            let info_hash = gone.order.info_hash;
            self.by_hash.remove(&info_hash);
            self.by_hidden.remove(&InfoHash(torrent_hash(info_hash)));
            self.interested -= counted(&gone);
            for alarms in [&mut self.plan, &mut self.dial, &mut self.unused] {
                alarms.set(key, None);
            }
        }
    }

    /// One that may be there.
    pub fn get(&self, key: TorrentKey) -> Option<&Torrent> {
        self.slab.get(key)
    }

    /// See [`Torrents::get`].
    pub fn get_mut(&mut self, key: TorrentKey) -> Option<&mut Torrent> {
        self.slab.get_mut(key)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Torrent> + Clone {
        self.slab.iter().map(|(_, torrent)| torrent)
    }

    /// See [`Torrents::iter`].
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Torrent> {
        self.slab.iter_mut().map(|(_, torrent)| torrent)
    }

    /// The keys of all.
    pub fn keys(&self) -> Vec<TorrentKey> {
        self.slab.iter().map(|(key, _)| key).collect()
    }

    /// One has content to be read from disk.
    pub fn set_reading(&mut self, key: TorrentKey) {
        self.reading.insert(key);
    }

    /// Bytes to be read from disk next: what a download waits for comes before what is checked, and
    /// one torrent is checked after another.
    pub fn next_read(&mut self) -> Option<(TorrentKey, Block)> {
        while let Some(key) = self.next_reading() {
            if let Some(block) = self.get_mut(key).and_then(Torrent::next_read) {
                return Some((key, block));
            }
            self.reading.remove(&key);
        }
        None
    }

    /// The piece that the next read begins, if holes are worth looking for.
    pub fn next_hole(&self) -> Option<(TorrentKey, u32)> {
        let key = self.next_reading()?;
        let checking = self.get(key)?.awake.as_ref()?.checking.as_ref()?;
        Some((key, checking.beginning()?))
    }

    fn next_reading(&self) -> Option<TorrentKey> {
        let waits = |key: &TorrentKey| !self.get(*key).is_some_and(Torrent::is_running);
        let reading = self.reading.iter().copied();
        reading.min_by_key(|key| (waits(key), *key))
    }

    /// One was planned for in this turn.
    pub fn on_planned(&mut self, key: TorrentKey, now: Time) {
        if let Some(torrent) = self.slab.get_mut(key) {
            torrent.stirred = false;
        }
        self.share_addresses(key, now);
        self.refile(key);
    }

    /// Whether a torrent has to wait before it downloads.
    pub fn is_full_for(&self, key: TorrentKey) -> bool {
        let torrent = self.slab.get(key);
        torrent.is_some_and(|torrent| self.queue.is_full_for(torrent.life.number))
    }

    /// Takes note of what one does now, and of when it has something to do again.
    pub fn refile(&mut self, key: TorrentKey) {
        let Some(torrent) = self.slab.get_mut(key) else {
            return;
        };
        self.plan.set(key, torrent.next_deadline());
        let running = torrent.life.is_among_peers();
        let dial = torrent.candidates.next_deadline();
        let awake = torrent.awake.as_mut().filter(|_| running);
        self.dial.set(key, dial.filter(|_| awake.is_some()));
        self.unused
            .set(key, awake.and_then(|awake| awake.choking.unused_at()));
        self.queue.note(torrent);
        self.checks.note(torrent);
        if let Some(awake) = &mut torrent.awake {
            let interested = torrent.census.interested;
            self.interested -= std::mem::replace(&mut awake.choking.counted, interested);
            self.interested += interested;
        }
    }

    /// The same of several.
    pub fn refile_all(&mut self, keys: &[TorrentKey]) {
        keys.iter().for_each(|&key| self.refile(key));
    }

    /// A connection is gone, which may have been one of a torrent's.
    pub fn lose(&mut self, torrent: Option<TorrentKey>, key: PeerKey) {
        if let Some(torrent) = torrent.and_then(|torrent| self.get_mut(torrent)) {
            torrent.connections.remove(&key);
        }
    }

    /// The upload slots of one, of all that there are: in proportion to the peers that want
    /// something of it, rounded up, so that no slot is left over.
    pub fn upload_slots(&self, key: TorrentKey, all: usize) -> usize {
        let own = self[key].census.interested;
        // What has changed in this turn is not counted yet.
        let interested = self.interested - counted(&self[key]) + own;
        if own == interested {
            all
        } else {
            (all * own).div_ceil(interested)
        }
    }

    /// The torrent that may dial next: of those with an address that is due and whose peer is
    /// probably not connected, the one with the fewest connections for its needs.
    pub fn next_to_dial(&mut self, slots: &mut Slab<Slot>, now: Time) -> Option<TorrentKey> {
        let due: Vec<TorrentKey> = self.dial.due(now).collect();
        for key in due {
            Twins::of(&mut self.slab[key], slots).withhold_connected(now);
            self.refile(key);
        }
        let due = self.dial.due(now);
        due.min_by_key(|&key| {
            let own = self[key].connections.len();
            if self[key].is_downloading() {
                (own / limits::DIALS_OF_DOWNLOAD, false, key)
            } else {
                (own, true, key)
            }
        })
    }

    /// An address to dial, if there is one and something that it could give us, and its torrent:
    /// of several the one with the fewest connections.
    pub fn wanted_dial(&self, now: Time) -> Option<(TorrentKey, SocketAddr)> {
        let due = self.dial.due(now).map(|key| &self[key]);
        let wanting = due.filter(|torrent| torrent.life.complete_at.is_none());
        let torrent = wanting.min_by_key(|torrent| torrent.connections.len())?;
        Some((torrent.key, torrent.candidates.peek(now)?))
    }

    /// Asserts what is true of all torrents, and that the peers that want something of us are
    /// counted right.
    pub fn assert_invariants(&self, slots: &Slab<Slot>, us: &Us) {
        self.iter()
            .for_each(|torrent| invariants::check_torrent(torrent, slots, us));
        let counted = self.iter().map(counted);
        assert_eq!(counted.sum::<usize>(), self.interested);
    }

    /// Whether all have ended or are about to. Those that were added last end last: a look at them
    /// is mostly enough.
    pub fn are_ending(&self) -> bool {
        let mut all = self.slab.iter().rev();
        all.all(|(_, torrent)| torrent.life.is_ending())
    }

    /// Whether nothing is left to do for any.
    pub fn are_over(&self) -> bool {
        let mut all = self.slab.iter().rev();
        all.all(|(_, torrent)| torrent.life.stage == Stage::Over)
    }
}

/// How many of its peers count among those that want something of us, over all torrents.
fn counted(torrent: &Torrent) -> usize {
    let awake = torrent.awake.as_ref();
    awake.map_or(0, |awake| awake.choking.counted)
}
