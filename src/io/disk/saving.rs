//! What becomes of a [`Snapshot`]: resume data, written by the saver's thread. One save is under
//! way at a time; of those that come meanwhile only the newest counts. A clean one, which says that
//! nothing is being written, waits until that is so; what is written by then is saved as not clean.
//! It names the time that the files are to get, and when it is safe they get it. As long as the
//! resume file is clean, nothing may be written: after a kill nobody would look for it.
//!
//! What is written and not synced is bounded, too, by what the disk takes in about a second: it is
//! synced before that is reached, and past it the loop waits. So a save, which is what a stop waits
//! for, never takes long, however slow the disk is; and no other program has to wait for gigabytes
//! of ours.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mio::Waker;

use super::content::Disk;
use super::ledger::Unsynced;
use super::saver::{Job, Saver, Synced, Unsaved};
use super::tree::Tree;
use crate::base::id::InfoHash;
use crate::storage::backlog::Backlog;
use crate::storage::resume::Resume;
use crate::torrent::effect::Snapshot;

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
    /// The clean one that is being saved, and the time that the files get when it is safe.
    settling: Option<(Snapshot, i64)>,
    /// Whether the resume file says that nothing is being written, and what the one will say that
    /// is being saved.
    clean: bool,
    next_clean: Option<bool>,
    failed: bool,
    /// Bytes that are being synced.
    syncing: u64,
    /// How many bytes may be written and not synced.
    backlog: Backlog,
}

impl Saving {
    /// Saves to this file, which says now that nothing is being written if it is `clean`; the
    /// content is below this tree.
    pub fn new(
        waker: Arc<Waker>,
        tree: Tree,
        path: PathBuf,
        info_hash: InfoHash,
        clean: bool,
    ) -> Saving {
        Saving {
            saver: Saver::new(waker, tree),
            path,
            info_hash,
            next: None,
            settling: None,
            clean,
            next_clean: None,
            failed: false,
            syncing: 0,
            backlog: Backlog::default(),
        }
    }

    /// Saves this as soon as what is being saved is done, and, if it is clean, as soon as nothing
    /// is being written.
    ///
    /// # Errors
    /// It cannot be saved.
    pub fn save(&mut self, snapshot: Snapshot, at: Standing<'_>) -> Result<(), Unsaved> {
        if self.failed {
            return Ok(());
        }
        self.next = Some(snapshot);
        self.go_on(at)
    }

    /// A job of the saver may be done, or something written.
    ///
    /// # Errors
    /// It failed. After [`Unsaved::Content`] nothing is saved any more.
    pub fn go_on(&mut self, at: Standing<'_>) -> Result<(), Unsaved> {
        while let Some(outcome) = self.saver.next_outcome() {
            self.take(outcome, at.disk)?;
        }
        if self.saver.busy() || self.failed {
            return Ok(());
        }
        match self.next.take() {
            Some(snapshot) if snapshot.clean && at.writing => {
                self.next = Some(snapshot.clone());
                // What is written already need not wait: there may be little time.
                match at.disk.ledger().unsynced_bytes() {
                    0 => Ok(()),
                    _ => {
                        let clean = false;
                        self.begin(Snapshot { clean, ..snapshot }, at.disk)
                    }
                }
            }
            Some(snapshot) => self.begin(snapshot, at.disk),
            None if at.disk.ledger().unsynced_bytes() >= self.backlog.most() / 2 => {
                let content = at.disk.unsynced();
                self.hand(content, None)
            }
            None => Ok(()),
        }
    }

    /// Whether no more should be read from who sends blocks: so much is written and not synced, or
    /// nothing may be written yet.
    pub fn is_behind(&self, disk: &Disk) -> bool {
        let behind = self.syncing + disk.ledger().unsynced_bytes() >= self.backlog.most();
        !self.failed && (self.clean || behind)
    }

    /// Waits until everything is saved, at most for `limit`. Nothing more will be written, though
    /// some may still be on its way: then what is saved is not clean.
    ///
    /// # Errors
    /// It was not saved.
    pub fn finish(&mut self, at: Standing<'_>, limit: Duration) -> Result<(), Unsaved> {
        let until = Instant::now() + limit;
        let mut result = Ok(());
        loop {
            if let Some(snapshot) = self.next.as_mut() {
                snapshot.clean &= !at.writing;
            }
            let left = until.saturating_duration_since(Instant::now());
            let done = match self.saver.next_outcome_within(left) {
                Some(outcome) => self.take(outcome, at.disk),
                None if self.next.is_some() => self.go_on(Standing {
                    disk: &mut *at.disk,
                    writing: at.writing,
                }),
                None => return result,
            };
            match done {
                Err(Unsaved::Content(error)) => return Err(Unsaved::Content(error)),
                other => result = result.and(other),
            }
        }
    }

    /// Begins to save what this says, and what must reach the disk before.
    fn begin(&mut self, snapshot: Snapshot, disk: &mut Disk) -> Result<(), Unsaved> {
        let content = disk.unsynced();
        let settled = (snapshot.clean && !disk.ledger().is_settled()).then(time_now);
        let (files, owned) = disk.ledger().record(disk.layout(), &snapshot.held);
        let resume = Resume {
            info_hash: self.info_hash,
            held: snapshot.held.clone(),
            files,
            owned,
            clean: snapshot.clean,
            settled,
            downloaded: snapshot.totals.down,
            uploaded: snapshot.totals.up,
        };
        self.next_clean = Some(snapshot.clean);
        self.settling = settled.map(|time| (snapshot, time));
        self.hand(content, Some(resume.encode()))
    }

    fn hand(&mut self, content: Unsynced, bytes: Option<Vec<u8>>) -> Result<(), Unsaved> {
        self.syncing = content.bytes;
        let path = self.path.clone();
        let begun = self.saver.save(Job {
            content,
            path,
            bytes,
        });
        self.note(begun)
    }

    /// Takes the outcome of a job.
    fn take(&mut self, outcome: Result<Synced, Unsaved>, disk: &mut Disk) -> Result<(), Unsaved> {
        self.syncing = 0;
        let settling = self.settling.take();
        if let Some(clean) = self.next_clean.take() {
            // Where it cannot be saved, a kill costs more; but waiting would not help.
            self.clean = clean && outcome.is_ok();
        }
        match &outcome {
            Ok(synced) if synced.bytes > 0 => self.backlog.on_synced(synced.bytes, synced.time),
            _ => {}
        }
        let saved = outcome.is_ok();
        self.note(outcome.map(|_| ()))?;
        if let Some((snapshot, time)) = settling.filter(|_| saved) {
            // Some files may have got another time than was said beforehand.
            if !disk.settle(time) {
                self.next.get_or_insert(snapshot);
            }
        }
        Ok(())
    }

    fn note(&mut self, outcome: Result<(), Unsaved>) -> Result<(), Unsaved> {
        if let Err(Unsaved::Content(_)) = outcome {
            self.failed = true;
            self.next = None;
        }
        outcome
    }
}

/// The time as any file system can keep it: FAT counts in steps of two seconds.
fn time_now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = since.unwrap_or_default().as_secs() & !1;
    i64::try_from(seconds).unwrap_or(i64::MAX)
}
