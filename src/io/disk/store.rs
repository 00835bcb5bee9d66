//! The files of all torrents: one pool of handles, one thread that writes where a disk is slow, one
//! that syncs and saves. An error in one torrent's files is reported for that torrent, and does not
//! stop the others.
//!
//! What is written and not synced is bounded for all torrents together by what the disk takes in
//! about a second: it is synced before that is reached. Past it a torrent that has an equal part of
//! it waits. So a save, which is what a stop waits for, never takes long, however slow the disk is;
//! no other program has to wait for gigabytes of ours; and a torrent on a slow disk leaves the
//! others their part.

use std::collections::VecDeque;
use std::sync::Arc;

use mio::Waker;
use slab::Slab;

use super::content::sending::Sending;
use super::content::{Blocks, ContentFiles};
use super::disk_error::DiskError;
use super::handles::Pool;
use super::threads::opener::{OpenId, Opener};
use super::threads::opening::{Outcome, Request, StoreParams};
use super::threads::saving::Means;
use super::threads::waiting::LOOK;
use super::threads::writer::EntryId;
use super::threads::{Saver, Saving, Unsaved, Writer, Written};
use crate::base::{InfoHash, SortedSet, Time, TorrentKey};
use crate::storage::Backlog;
use crate::torrent::Snapshot;

/// The files of all torrents.
#[derive(Debug)]
pub struct Store {
    pool: Pool,
    entries: Slab<Entry>,
    /// Where each torrent that is not closed lies in `entries`.
    ids: Vec<Option<EntryId>>,
    opener: Opener,
    writer: Writer,
    saver: Saver,
    backlog: Backlog,
    /// Torrents of which something is unsynced, to be saved or being saved, or that are closing.
    active: SortedSet<EntryId>,
    unsaved: VecDeque<(TorrentKey, Unsaved)>,
    closed: VecDeque<Closed>,
}

/// A torrent's files that are closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// The torrent's info hash.
    pub info_hash: InfoHash,
    /// What was not saved of it meanwhile.
    pub unsaved: Option<Unsaved>,
}

/// What is kept of a torrent.
#[derive(Debug)]
struct Entry {
    torrent: TorrentKey,
    content: ContentFiles,
    saving: Saving,
    /// Files that are to be made ready to be downloaded, and whether those that are not ours are
    /// written over.
    chosen: Vec<usize>,
    overwrite: bool,
    /// It is to be closed, and what was not saved of it, if anything.
    closing: Option<Option<Unsaved>>,
}

impl Store {
    /// No torrent's files yet. The loop is woken by `waker` when something is done; at most
    /// `buffers` receive buffers wait to be written by the thread.
    pub fn new(waker: Arc<Waker>, buffers: usize, pool: Pool) -> Store {
        Store {
            opener: Opener::new(Arc::clone(&waker), pool.clone()),
            pool,
            entries: Slab::new(),
            ids: Vec::new(),
            writer: Writer::new(Arc::clone(&waker), buffers),
            saver: Saver::new(waker),
            backlog: Backlog::default(),
            active: SortedSet::new(),
            unsaved: VecDeque::new(),
            closed: VecDeque::new(),
        }
    }

    /// The handles of all torrents.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Begins to look at what is on disk of a torrent; the answer names it by this id. Its files
    /// are kept once [`Store::insert`] is told to.
    pub fn open(&mut self, id: OpenId, request: Request) {
        self.opener.open(id, request);
    }

    /// What came of opening the next torrent's files; `None` if no more is known yet.
    pub fn next_opened(&mut self) -> Option<(OpenId, Outcome)> {
        self.opener.next_outcome()
    }

    /// The same, waited for.
    pub fn wait_opened(&mut self) -> (OpenId, Outcome) {
        self.opener.wait()
    }

    /// Has done what was begun in this turn of the loop.
    pub fn hand_over(&mut self) {
        self.opener.hand_over();
    }

    /// What else is looked for on disk.
    pub fn opener(&mut self) -> &mut Opener {
        &mut self.opener
    }

    /// Whether all that was written of a torrent is saved, so that nothing is lost with what is
    /// known of its files: the next look at them finds the same.
    pub fn is_settled(&self, torrent: TorrentKey) -> bool {
        let id = self.id(torrent);
        let Entry {
            content, saving, ..
        } = &self.entries[id];
        let ledger = content.ledger();
        let written = self.writer.is_idle(id) && ledger.unsynced_bytes() == 0;
        let saved = saving.is_done() && !saving.has_failed() && ledger.has_real_times();
        let elsewhere = content.elsewhere();
        let is_ours = ledger.changed().is_none();
        written && saved && is_ours && elsewhere.is_none_or(|it| it.files().next().is_none())
    }

    /// Lets go of a torrent's files, of which nothing is left to be done.
    pub fn forget(&mut self, torrent: TorrentKey) {
        let id = self.id(torrent);
        self.ids[torrent] = None;
        self.active.remove(&id);
        self.writer.end(id);
        self.entries.remove(id);
    }

    /// When [`Store::go_on`] is to be called without a result: a disk may not answer.
    pub fn next_deadline(&self, now: Time) -> Option<Time> {
        (self.opener.is_busy() || self.saver.is_busy()).then(|| now + LOOK)
    }

    /// Keeps the files of this torrent, whose key has none yet.
    pub fn insert(&mut self, torrent: TorrentKey, content: ContentFiles, params: StoreParams) {
        let id = self.entries.insert(Entry {
            torrent,
            content,
            saving: Saving::new(params.path, params.clean),
            chosen: params.chosen,
            overwrite: params.overwrite,
            closing: None,
        });
        if self.ids.len() <= torrent {
            self.ids.resize(torrent + 1, None);
        }
        let before = self.ids[torrent].replace(id);
        assert!(before.is_none(), "a torrent's files are kept once");
    }

    /// Whether the files of a torrent are kept here.
    pub fn has(&self, torrent: TorrentKey) -> bool {
        self.ids.get(torrent).is_some_and(Option::is_some)
    }

    /// The files of a torrent.
    ///
    /// # Panics
    /// It has none here.
    pub fn content(&mut self, torrent: TorrentKey) -> &mut ContentFiles {
        let id = self.id(torrent);
        &mut self.entries[id].content
    }

    /// Reads what is to be sent of a torrent.
    pub fn sending(&mut self, torrent: TorrentKey) -> Sending<'_> {
        let id = self.id(torrent);
        let writing = !self.writer.is_idle(id);
        Sending::new(&mut self.entries[id].content, writing)
    }

    /// A torrent is idle: its files and folders are closed until they are used again.
    pub fn rest(&mut self, torrent: TorrentKey) {
        self.content(torrent).rest();
    }

    /// To be called once a turn: see [`Writer::begin_turn`].
    pub fn begin_turn(&mut self) {
        self.writer.begin_turn();
    }

    /// Writes these blocks of `buffer`. `None`: they are not written yet, and the outcome comes
    /// from [`Store::next_written`].
    pub fn write(
        &mut self,
        torrent: TorrentKey,
        buffer: Vec<u8>,
        blocks: Blocks,
    ) -> Option<Written> {
        let id = self.id(torrent);
        if !self.writer.has(id) {
            let entry = &self.entries[id];
            self.writer.begin(id, entry.content.writer(entry.overwrite));
        }
        let mut written = self.writer.write(id, buffer, blocks)?;
        self.note(id, &mut written);
        Some(written)
    }

    /// What became of the next blocks that are written by the thread. Those of a torrent that is
    /// being closed are noted here and not returned.
    pub fn next_written(&mut self) -> Option<(TorrentKey, Written)> {
        loop {
            let (id, mut written) = self.writer.next_outcome()?;
            self.note(id, &mut written);
            let entry = &self.entries[id];
            if entry.closing.is_none() {
                return Some((entry.torrent, written));
            }
        }
    }

    fn note(&mut self, id: EntryId, written: &mut Written) {
        let changes = std::mem::take(&mut written.changes);
        if changes.bytes > 0 {
            self.active.insert(id);
        }
        self.entries[id].content.note(changes);
    }

    /// Makes a torrent's chosen files that have no bytes, and, if it may, cuts those that are too
    /// long to their length.
    ///
    /// # Errors
    /// One cannot be made or cut.
    pub fn make_ready(&mut self, torrent: TorrentKey) -> Result<(), DiskError> {
        let id = self.id(torrent);
        let entry = &mut self.entries[id];
        let chosen = std::mem::take(&mut entry.chosen);
        if entry.overwrite {
            entry.content.cut_off(&chosen)?;
        }
        entry.content.make_empty(chosen)
    }

    /// Whether everything is written.
    pub fn is_written(&self) -> bool {
        self.writer.is_all_idle()
    }

    /// How many more buffers the thread may be given.
    pub fn spare(&self) -> usize {
        self.writer.spare()
    }

    /// Whether to stop reading from peers that send blocks of this torrent: the disk is behind, or
    /// nothing may be written yet.
    pub fn is_behind(&self, torrent: TorrentKey) -> bool {
        let id = self.id(torrent);
        self.writer.is_full(id) || self.entries[id].saving.forbids_writing() || self.has_share(id)
    }

    /// Whether nothing more should be read at all for this torrent: see [`Writer::is_overfull`].
    pub fn is_overfull(&self, torrent: TorrentKey) -> bool {
        self.writer.is_overfull(self.id(torrent))
    }

    /// Looks for changes by other programs in the files of this torrent, unless they are being
    /// written to: then they have another time. The first file that was ever found to be changed.
    pub fn find_changed(&mut self, torrent: TorrentKey) -> Option<DiskError> {
        let id = self.id(torrent);
        if !self.writer.is_idle(id) {
            return None;
        }
        self.entries[id].content.find_changed()
    }

    /// Whether a change of a file may be a write of our own that was not reported yet.
    pub fn may_be_ours(&self, torrent: TorrentKey, file: usize) -> bool {
        let id = self.id(torrent);
        !self.writer.is_idle(id) && self.entries[id].content.ledger().pinned(file).is_none()
    }

    /// Saves this as soon as possible: see [`Saving`].
    pub fn save(&mut self, torrent: TorrentKey, snapshot: Snapshot) {
        let id = self.id(torrent);
        self.entries[id].saving.save(snapshot);
        self.active.insert(id);
        self.go_on();
    }

    /// Takes what was saved, begins to save what waits for it, and to sync what was written, if
    /// that is due. To be called when something was written or saved.
    pub fn go_on(&mut self) {
        self.opener.look_after();
        self.saver.look_after();
        while let Some((id, outcome)) = self.saver.next_outcome() {
            if let Ok(synced) = &outcome {
                if synced.bytes > 0 {
                    self.backlog.on_synced(synced.bytes, synced.time);
                }
            }
            let entry = &mut self.entries[id];
            let was_settled = entry.content.ledger().has_real_times();
            let taken = entry.saving.take(outcome, &mut entry.content);
            if entry.content.ledger().has_real_times() && !was_settled {
                // What it knows of the files was true before they got their real times.
                self.writer.end(id);
            }
            self.tell(id, taken);
        }
        let unsynced = |id: &EntryId| self.entries[*id].content.ledger().unsynced_bytes();
        let unsynced: u64 = self.active.iter().map(unsynced).sum();
        let sync = unsynced >= self.backlog.most() / 2;
        for id in self.active.clone() {
            let entry = &mut self.entries[id];
            let means = Means {
                id,
                content: &mut entry.content,
                writing: !self.writer.is_idle(id),
                saver: &mut self.saver,
            };
            let begun = entry.saving.go_on(sync, means);
            self.tell(id, begun);
            self.let_go(id);
        }
    }

    /// Reports what was not saved: as the answer to closing the torrent, if it is being closed.
    fn tell(&mut self, id: EntryId, saved: Result<(), Unsaved>) {
        let Err(unsaved) = saved else { return };
        let entry = &mut self.entries[id];
        match &mut entry.closing {
            Some(told) => *told = Some(unsaved),
            None => self.unsaved.push_back((entry.torrent, unsaved)),
        }
    }

    /// Lets go of a torrent of which nothing is left to be done.
    fn let_go(&mut self, id: EntryId) {
        let entry = &self.entries[id];
        if !entry.saving.is_done() || !self.writer.is_idle(id) {
            return;
        }
        let synced = entry.content.ledger().unsynced_bytes() == 0 || entry.saving.has_failed();
        if let Some(unsaved) = entry.closing.clone() {
            self.writer.end(id);
            let info_hash = self.entries.remove(id).content.info_hash();
            self.closed.push_back(Closed { info_hash, unsaved });
            self.active.remove(&id);
        } else if synced {
            self.active.remove(&id);
        }
    }

    /// The next torrent's files that are closed.
    pub fn next_closed(&mut self) -> Option<Closed> {
        self.closed.pop_front()
    }

    /// Whether [`Store::next_closed`] has one.
    pub fn has_closed(&self) -> bool {
        !self.closed.is_empty()
    }

    /// What was not saved.
    pub fn next_unsaved(&mut self) -> Option<(TorrentKey, Unsaved)> {
        self.unsaved.pop_front()
    }

    /// Closes a torrent's files once what was handed over is written and what is to be saved is
    /// saved; those that were let go of are closed. Its key may be another's at once.
    pub fn close(&mut self, torrent: TorrentKey, info_hash: InfoHash) {
        let id = self.ids.get_mut(torrent).and_then(Option::take);
        let Some(id) = id else {
            let unsaved = None;
            if !self.is_closing(&info_hash) {
                self.closed.push_back(Closed { info_hash, unsaved });
            }
            return;
        };
        self.entries[id].closing = Some(None);
        self.active.insert(id);
        self.go_on();
    }

    fn is_closing(&self, info_hash: &InfoHash) -> bool {
        let mut entries = self.active.iter().map(|&id| &self.entries[id]);
        entries.any(|it| it.closing.is_some() && it.content.info_hash() == *info_hash)
    }

    /// How many torrents are being saved, or wait for that.
    pub fn saving(&self) -> usize {
        self.unfinished().count()
    }

    /// Whether nothing is left to be saved.
    pub fn is_saved(&self) -> bool {
        self.unfinished().next().is_none()
    }

    /// Saves at once, without waiting for writes; the resume data say that something was being
    /// written.
    pub fn hurry(&mut self) {
        for &id in &self.active {
            self.entries[id].saving.hurry();
        }
        self.go_on();
    }

    /// The lines for the user about torrents that could not be saved in time.
    pub fn too_slow(&self) -> Vec<(TorrentKey, Unsaved)> {
        let told = |entry: &Entry| (entry.torrent, entry.saving.too_slow());
        self.unfinished().map(told).collect()
    }

    fn unfinished(&self) -> impl Iterator<Item = &Entry> {
        let entries = self.active.iter().map(|&id| &self.entries[id]);
        entries.filter(|entry| !entry.saving.is_done())
    }

    /// Whether the bound of unsynced bytes is reached, and this torrent has an equal part of them.
    fn has_share(&self, id: EntryId) -> bool {
        if !self.active.contains(&id) || self.entries[id].saving.has_failed() {
            return false;
        }
        let unsynced = |id: EntryId| {
            let entry = &self.entries[id];
            entry.saving.syncing() + entry.content.ledger().unsynced_bytes()
        };
        let all = self
            .active
            .iter()
            .map(|&id| unsynced(id))
            .filter(|&bytes| bytes > 0);
        let (torrents, bytes) = all.fold((0, 0), |(n, sum), bytes| (n + 1, sum + bytes));
        let most = self.backlog.most();
        bytes >= most && unsynced(id) >= most / torrents
    }

    fn id(&self, torrent: TorrentKey) -> EntryId {
        let id = self.ids.get(torrent).copied().flatten();
        id.expect("the torrent's files are kept here")
    }
}
