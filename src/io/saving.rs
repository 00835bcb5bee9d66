//! What becomes of a [`Snapshot`]: resume data, written by the saver's thread. One save is under way at a time; of those that come
//! meanwhile only the newest counts. The last one of a download goes in two steps, as `saver` says: the content is synced first, and
//! only then do files get their real times and the resume data say that nothing is under way.
//!
//! What is written and not synced is bounded, too, by what the disk takes in about a second: it is synced before that is reached, and
//! past it the loop waits. So a save, which is what a stop waits for, never takes long, however slow the disk is; and no other program
//! has to wait for gigabytes of ours.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::Waker;

use super::disk::{Disk, Unsynced};
use super::disk_error::DiskError;
use super::saver::{Job, Saver};
use super::tree::Tree;
use crate::base::id::InfoHash;
use crate::session::effect::Snapshot;
use crate::storage::backlog::Backlog;
use crate::storage::resume::Resume;

/// Where the content stands when something is to be saved.
#[derive(Debug)]
pub struct Standing<'a> {
    /// What was written.
    pub disk: &'a mut Disk,
    /// More is being written.
    pub writing: bool,
}

/// Saves snapshots of one torrent.
#[derive(Debug)]
pub struct Saving {
    saver: Saver,
    path: PathBuf,
    info_hash: InfoHash,
    next: Option<Snapshot>,
    failed: bool,
    /// Bytes that are being synced.
    syncing: u64,
    /// How many bytes may be written and not synced.
    backlog: Backlog,
}

impl Saving {
    /// Saves to this file; the content is below this tree.
    pub fn new(waker: Arc<Waker>, tree: Tree, path: PathBuf, info_hash: InfoHash) -> Saving {
        Saving {
            saver: Saver::new(waker, tree),
            path,
            info_hash,
            next: None,
            failed: false,
            syncing: 0,
            backlog: Backlog::default(),
        }
    }

    /// Saves this as soon as what is being saved is done, and, if it is clean, as soon as nothing is being written.
    ///
    /// # Errors
    /// It cannot be saved; nothing is saved any more then.
    pub fn save(&mut self, snapshot: Snapshot, at: Standing<'_>) -> Result<(), DiskError> {
        if self.failed {
            return Ok(());
        }
        self.next = Some(snapshot);
        self.go_on(at)
    }

    /// A job of the saver may be done, or something written.
    ///
    /// # Errors
    /// It failed; nothing is saved any more then, since it is unknown what of the content is safe.
    pub fn go_on(&mut self, at: Standing<'_>) -> Result<(), DiskError> {
        while let Some(outcome) = self.saver.next_outcome() {
            if let Ok(synced) = &outcome {
                self.syncing = 0;
                if synced.bytes > 0 {
                    self.backlog.on_synced(synced.bytes, synced.time);
                }
            }
            self.note(outcome.map(|_| ()))?;
        }
        if self.saver.busy() || self.failed {
            return Ok(());
        }
        match self.next.take() {
            Some(snapshot) => self.begin(snapshot, at),
            None if at.disk.unsynced_bytes() >= self.backlog.most() / 2 => {
                let content = at.disk.unsynced();
                self.hand(content, None)
            }
            None => Ok(()),
        }
    }

    /// Whether so much is written and not synced that no more should be read from who sends blocks.
    pub fn is_behind(&self, disk: &Disk) -> bool {
        !self.failed && self.syncing + disk.unsynced_bytes() >= self.backlog.most()
    }

    /// Waits until everything is saved, at most for `limit`.
    ///
    /// # Errors
    /// It was not saved.
    pub fn finish(&mut self, at: Standing<'_>, limit: Duration) -> Result<(), DiskError> {
        let until = Instant::now() + limit;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let outcome = self.saver.finish(left);
            self.note(outcome)?;
            if self.next.is_none() || at.writing {
                return Ok(());
            }
            let disk = &mut *at.disk;
            self.go_on(Standing { disk, ..at })?;
        }
    }

    fn begin(&mut self, snapshot: Snapshot, at: Standing<'_>) -> Result<(), DiskError> {
        let content = at.disk.unsynced();
        let mut clean = snapshot.clean;
        if clean && (at.writing || !content.paths.is_empty()) {
            // First what was written; this comes again when that is on the disk.
            self.next = Some(snapshot.clone());
            if content.paths.is_empty() {
                return Ok(());
            }
            clean = false;
        } else if clean {
            let settled = at.disk.settle(usize::MAX);
            self.note(settled.map(|_| ()))?;
        }
        let resume = Resume {
            info_hash: self.info_hash,
            held: snapshot.held,
            files: at.disk.stamps().to_vec(),
            clean,
            downloaded: snapshot.downloaded,
            uploaded: snapshot.uploaded,
        };
        self.hand(content, Some(resume.encode()))
    }

    fn hand(&mut self, content: Unsynced, bytes: Option<Vec<u8>>) -> Result<(), DiskError> {
        self.syncing = content.bytes;
        let path = self.path.clone();
        let begun = self.saver.save(Job {
            content,
            path,
            bytes,
        });
        self.note(begun)
    }

    fn note(&mut self, outcome: Result<(), DiskError>) -> Result<(), DiskError> {
        if outcome.is_err() {
            self.failed = true;
            self.next = None;
        }
        outcome
    }
}
