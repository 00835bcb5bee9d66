//! What is known of each file of a torrent: its size and time as the resume data may name them,
//! which files are being written, which other programs have changed, and what is not synced yet.
//! [`Ledger::give_real_times`] gives the files that were written, whose times were pinned until
//! then, their real ones.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::ffi::OsStringExt as _;
use std::sync::Arc;

use super::content_writer::Changes;
use crate::base::Bits;
use crate::io::disk::disk_error::{DiskError, Why};
use crate::io::disk::handles::pinned::Pinned;
use crate::io::disk::handles::stat::Times;
use crate::io::disk::handles::tree::Tree;
use crate::storage::{Layout, Owned, Stamp};
use crate::wire::{FileKind, Metainfo, paths};

/// Files to be synced, by another thread.
#[derive(Debug)]
pub struct Unsynced {
    /// Each by its number.
    pub files: Vec<(usize, Pinned)>,
    /// Bytes written to them.
    pub bytes: u64,
    metainfo: Arc<Metainfo>,
}

impl Unsynced {
    /// Where each lies below the tree, with what is known of it.
    pub fn each(&self) -> impl Iterator<Item = (&str, &Pinned)> {
        let path = |file: usize| &*self.metainfo.files[file].path;
        self.files
            .iter()
            .map(move |(file, pinned)| (path(*file), pinned))
    }
}

/// What is known of the files of one torrent.
#[derive(Debug)]
pub struct Ledger {
    metainfo: Arc<Metainfo>,
    /// Each file as it was found or written; `None`: missing, or changed by another program.
    stamps: Vec<Option<Stamp>>,
    /// Where they lie, and which files they are.
    owned: Owned,
    /// Files written since the last settling.
    pinned: BTreeMap<usize, Pinned>,
    /// Files that another program has changed, and the first of them that was noticed.
    changed: BTreeSet<usize>,
    first_changed: Option<usize>,
    /// Files whose time cannot be pinned and was not what our last write left.
    doubtful: BTreeSet<usize>,
    /// Files that are there and not known to be ours.
    strangers: BTreeSet<usize>,
    /// Those of them that nothing is written to.
    barred: BTreeSet<usize>,
    /// The first file whose time cannot be pinned, and whether that was told.
    unpinned: Option<(usize, bool)>,
    /// Files written since they were last handed out to be synced, and how many bytes.
    unsynced: (BTreeSet<usize>, u64),
}

impl Ledger {
    /// Nothing is known yet.
    pub fn new(metainfo: Arc<Metainfo>) -> Ledger {
        Ledger {
            stamps: vec![None; metainfo.files.len()],
            owned: Owned::new(metainfo.files.len()),
            metainfo,
            pinned: BTreeMap::new(),
            changed: BTreeSet::new(),
            first_changed: None,
            doubtful: BTreeSet::new(),
            strangers: BTreeSet::new(),
            barred: BTreeSet::new(),
            unpinned: None,
            unsynced: (BTreeSet::new(), 0),
        }
    }

    /// Notes what was written.
    pub fn note(&mut self, changes: Changes) {
        for (file, before, pinned) in changes.pinned {
            self.pinned.insert(file, pinned);
            self.strangers.remove(&file);
            if pinned.times.is_none() {
                self.unpinned.get_or_insert((file, false));
            }
            // Another program that changed the file since we looked at it may have damaged verified
            // pieces.
            let ours = self.stamps[file].is_none_or(|known| known == before);
            self.stamps[file] = Some(pinned.stamp);
            if ours {
                self.owned.set(file, pinned.birth);
            } else {
                self.on_changed(file);
            }
        }
        for (file, stamp) in changes.unpinned {
            if let Some(pinned) = self.pinned.get_mut(&file) {
                pinned.stamp = stamp;
            }
            self.stamps[file] = self.stamps[file].map(|_| stamp);
        }
        self.doubtful.extend(changes.doubtful);
        for file in changes.changed {
            self.on_changed(file);
        }
        self.unsynced.0.extend(changes.written);
        self.unsynced.1 += changes.bytes;
    }

    /// Looks at every file's size and time, and which file each is that has bytes. Where that
    /// fails, the file counts as missing; the reasons come back.
    pub fn look(&mut self, tree: &mut Tree) -> Vec<DiskError> {
        let mut errors = Vec::new();
        let mut absent = String::new();
        for (file, entry) in self.metainfo.files.iter().enumerate() {
            let known = !absent.is_empty() && paths::is_in(&absent, &entry.path);
            if known || entry.kind != FileKind::File {
                self.stamps[file] = None;
                continue;
            }
            let found = tree.find(&entry.path).unwrap_or_else(|error| {
                errors.push(error);
                None
            });
            self.stamps[file] = found.map(|(stamp, _)| stamp);
            if let Some((_, birth)) = found.filter(|(stamp, _)| stamp.size > 0) {
                self.owned.set(file, birth);
            }
            absent = tree.absent().map_or(absent, String::from);
        }
        errors
    }

    /// Finds out where the files lie. After that only our own writes change what is known.
    pub fn find_owned(&mut self, tree: &mut Tree) {
        let folder = tree.real_path();
        self.owned.folder = folder.map(|folder| folder.into_os_string().into_vec());
    }

    /// What is known of where the files lie and which they are.
    pub fn owned(&self) -> &Owned {
        &self.owned
    }

    /// Each file as it was found or written last; `None` where it is missing, and for padding and
    /// links. Costs nothing: files are looked at by [`Ledger::look`], and after that only our own
    /// writes change what is known.
    pub fn stamps(&self) -> &[Option<Stamp>] {
        &self.stamps
    }

    /// Notes files that are there and not known to be ours.
    pub fn set_strangers(&mut self, files: BTreeSet<usize>) {
        self.strangers = files;
    }

    /// Notes files that nothing is written to: pieces in them are verified by bytes elsewhere.
    pub fn bar(&mut self, files: impl Iterator<Item = usize>) {
        self.barred = files.collect();
    }

    /// Each file as the resume data are to record it, with these pieces verified. What another
    /// program has changed, or may have changed, matches no file; what may be the user's own, since
    /// less than half of it is verified, is on record as foreign.
    pub fn record(&self, layout: &Layout, verified: &Bits) -> (Vec<Option<Stamp>>, Owned) {
        let (mut record, mut owned) = (self.stamps.clone(), self.owned.clone());
        for &file in &self.strangers {
            let geometry = layout.geometry();
            let range = layout.range(file);
            let own = |piece| {
                let start = geometry.piece_start(piece);
                let end = start + u64::from(geometry.piece_size(piece));
                end.min(range.end) - start.max(range.start)
            };
            let pieces = layout.pieces_of(file).filter(|&piece| verified.get(piece));
            let verified: u64 = pieces.map(own).sum();
            let proven = verified >= layout.length(file).div_ceil(2);
            if self.barred.contains(&file) || !proven {
                record[file] = record[file].map(|_| Stamp::FOREIGN);
                owned.set(file, None);
            }
        }
        for &file in self.changed.iter().chain(&self.doubtful) {
            record[file] = Some(Stamp::UNKNOWN);
        }
        (record, owned)
    }

    /// Notes a file that we have made or cut to its length.
    pub fn set(&mut self, file: usize, stamp: Option<Stamp>) {
        self.stamps[file] = stamp;
    }

    /// What is known of a file that was written to and whose time is still pinned.
    pub fn pinned(&self, file: usize) -> Option<Pinned> {
        self.pinned.get(&file).copied()
    }

    /// Looks for changes by other programs in all files whose times are still pinned: at what lies
    /// under their names now. To be called when nothing is being written.
    pub fn find_changed(&mut self, tree: &mut Tree) {
        let metainfo = Arc::clone(&self.metainfo);
        let mut changed = Vec::new();
        for (&file, pinned) in &self.pinned {
            let changes = match tree.look(&metainfo.files[file].path) {
                Ok(found) => found.is_none_or(|found| pinned.change(found).is_some()),
                // A file that cannot be looked at now may be unchanged. It is looked at again when
                // it gets its real time.
                Err(error) => error.why == Why::InTheWay,
            };
            if changes {
                changed.push(file);
            }
        }
        for file in changed {
            self.on_changed(file);
        }
    }

    /// The first file that another program was found to have changed since it was looked at or
    /// written first. What is recorded of it is that nothing is known.
    pub fn changed(&self) -> Option<usize> {
        self.first_changed
    }

    /// Another program has changed this file: what is recorded of it from now on is that nothing
    /// is known.
    pub fn on_changed(&mut self, file: usize) {
        self.stamps[file] = None;
        self.changed.insert(file);
        self.first_changed.get_or_insert(file);
    }

    /// A file whose time cannot be pinned, the first time that there is one.
    pub fn take_unpinned(&mut self) -> Option<usize> {
        let (file, told) = self.unpinned.as_mut()?;
        (!std::mem::replace(told, true)).then_some(*file)
    }

    /// Gives all files that were written the modification time `time`, in seconds since 1970. To
    /// be called when nothing more will be written to them, all is synced, and the resume data
    /// name that time. True if every file that is still ours has it now.
    pub fn give_real_times(&mut self, tree: &mut Tree, time: i64) -> bool {
        let mut exact = true;
        let metainfo = Arc::clone(&self.metainfo);
        while let Some((file, pinned)) = self.pinned.pop_first() {
            let path = &metainfo.files[file].path;
            let found = tree.look(path).unwrap_or_default();
            let changed = found.is_none_or(|found| pinned.change(found).is_some());
            if self.stamps[file].is_none() || changed {
                self.on_changed(file);
                exact = false;
                continue;
            }
            let times = pinned.times.unwrap_or(Times::Modified);
            if let Err(error) = tree.set_time(path, time, times) {
                log::debug!("its time is not set: {error}");
            }
            self.stamps[file] = tree.stamp(path).unwrap_or_default();
            exact &= self.stamps[file].is_some_and(|stamp| stamp.is_of(time));
        }
        exact
    }

    /// Whether no file still has a pinned time.
    pub fn has_real_times(&self) -> bool {
        self.pinned.is_empty()
    }

    /// What must be synced before resume data may say that everything noted so far is verified. The
    /// next call names only what is written from now on.
    pub fn unsynced(&mut self) -> Unsynced {
        let (files, bytes) = std::mem::take(&mut self.unsynced);
        let known = files.into_iter().filter_map(|file| {
            let pinned = self.pinned.get_mut(&file)?;
            let new = std::mem::take(&mut pinned.new);
            Some((file, Pinned { new, ..*pinned }))
        });
        Unsynced {
            files: known.collect(),
            bytes,
            metainfo: Arc::clone(&self.metainfo),
        }
    }

    /// Bytes written since [`Ledger::unsynced`] was called.
    pub fn unsynced_bytes(&self) -> u64 {
        self.unsynced.1
    }
}
