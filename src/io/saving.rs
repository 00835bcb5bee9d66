//! What becomes of a [`Snapshot`]: resume data, written by the saver's thread. One save is under way at a time; of those that come
//! meanwhile only the newest counts. The last one of a download goes in two steps, as `saver` says: the content is synced first, and
//! only then do files get their real times and the resume data say that nothing is under way.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mio::Waker;

use super::disk::Disk;
use super::disk_error::DiskError;
use super::saver::{Job, Saver};
use crate::base::id::InfoHash;
use crate::session::effect::Snapshot;
use crate::storage::resume::Resume;

/// Saves snapshots of one torrent.
#[derive(Debug)]
pub struct Saving {
    saver: Saver,
    path: PathBuf,
    info_hash: InfoHash,
    next: Option<Snapshot>,
    failed: bool,
}

impl Saving {
    /// Saves to this file.
    pub fn new(waker: Arc<Waker>, path: PathBuf, info_hash: InfoHash) -> Saving {
        Saving {
            saver: Saver::new(waker),
            path,
            info_hash,
            next: None,
            failed: false,
        }
    }

    /// Saves this as soon as what is being saved is done.
    ///
    /// # Errors
    /// It cannot be saved; nothing is saved any more then.
    pub fn save(&mut self, snapshot: Snapshot, disk: &mut Disk) -> Result<(), DiskError> {
        if self.failed {
            return Ok(());
        }
        self.next = Some(snapshot);
        self.go_on(disk)
    }

    /// A job of the saver may be done.
    ///
    /// # Errors
    /// It failed; nothing is saved any more then, since it is unknown what of the content is safe.
    pub fn on_woken(&mut self, disk: &mut Disk) -> Result<(), DiskError> {
        while let Some(outcome) = self.saver.next_outcome() {
            self.note(outcome)?;
        }
        self.go_on(disk)
    }

    /// Waits until everything is saved, at most for `limit` at each of two steps.
    ///
    /// # Errors
    /// It was not saved.
    pub fn finish(&mut self, disk: &mut Disk, limit: Duration) -> Result<(), DiskError> {
        loop {
            let outcome = self.saver.finish(limit);
            self.note(outcome)?;
            if self.next.is_none() {
                return Ok(());
            }
            self.go_on(disk)?;
        }
    }

    fn go_on(&mut self, disk: &mut Disk) -> Result<(), DiskError> {
        if self.saver.busy() {
            return Ok(());
        }
        let Some(snapshot) = self.next.take() else {
            return Ok(());
        };
        let content = disk.unsynced()?;
        let mut clean = snapshot.clean;
        if clean && !content.1.is_empty() {
            // First what was written; this comes again when that is on the disk.
            self.next = Some(snapshot.clone());
            clean = false;
        } else if clean {
            disk.settle(usize::MAX)?;
        }
        let resume = Resume {
            info_hash: self.info_hash,
            held: snapshot.held,
            files: disk.stamps().to_vec(),
            clean,
            downloaded: snapshot.downloaded,
            uploaded: snapshot.uploaded,
        };
        let job = Job {
            content,
            path: self.path.clone(),
            bytes: resume.encode(),
        };
        let begun = self.saver.save(job);
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
