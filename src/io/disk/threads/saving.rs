//! Turns the [`Snapshot`]s of one torrent into resume data, which the saver's thread writes. One
//! save of a torrent is under way at a time; of the snapshots that come meanwhile only the newest
//! is saved.
//!
//! A *clean* resume file promises that every piece that it does not name is missing. So it must be
//! replaced by one that is not clean before the first block is written: otherwise a run after a
//! kill would not look for that block. And a clean snapshot is saved only once no write is under
//! way; until then it is saved as not clean. A clean resume file also names the modification time
//! that the files are to have. The files get that time when the resume file is on disk.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use super::saver::{Job, Outcome, Saver, Unsaved};
use super::writer::EntryId;
use crate::io::disk::content::ContentFiles;
use crate::io::disk::disk_error::{DiskError, Why};
use crate::io::disk::handles::pool::Side;
use crate::storage::Resume;
use crate::torrent::Snapshot;

/// Saves snapshots of one torrent.
#[derive(Debug)]
pub struct Saving {
    path: PathBuf,
    next: Option<Snapshot>,
    /// A job of it is under way.
    busy: bool,
    /// The clean one that is being saved, and the time that the files get when it is safe.
    settling: Option<(Snapshot, i64)>,
    /// Whether the resume file is clean, and whether the one that is being saved will be.
    clean: bool,
    next_clean: Option<bool>,
    failed: bool,
    /// The process ends: saves do not wait for writes any more.
    hurried: bool,
    /// Bytes that are being synced.
    syncing: u64,
}

/// What a torrent's jobs are made of.
#[derive(Debug)]
pub struct Means<'a> {
    /// The torrent.
    pub id: EntryId,
    /// Its content.
    pub content: &'a mut ContentFiles,
    /// More of it is being written.
    pub writing: bool,
    /// The thread that does the jobs.
    pub saver: &'a mut Saver,
}

impl Saving {
    /// Saves to this file, which says now that nothing is being written if it is `clean`.
    pub fn new(path: PathBuf, clean: bool) -> Saving {
        Saving {
            path,
            next: None,
            busy: false,
            settling: None,
            clean,
            next_clean: None,
            failed: false,
            hurried: false,
            syncing: 0,
        }
    }

    /// What is to be saved, as soon as what is being saved is done, and, if it is clean, as soon as
    /// nothing is being written: [`Saving::go_on`] begins it.
    pub fn save(&mut self, snapshot: Snapshot) {
        if !self.failed {
            self.next = Some(snapshot);
        }
    }

    /// Begins what is to be done. `sync`: what is written is to be synced, though nothing is to be
    /// recorded.
    ///
    /// # Errors
    /// It cannot be begun; after [`Unsaved::Content`] nothing is saved any more.
    pub fn go_on(&mut self, sync: bool, means: Means<'_>) -> Result<(), Unsaved> {
        if self.busy || self.failed {
            return Ok(());
        }
        let unsynced = means.content.ledger().unsynced_bytes();
        match self.next.take() {
            Some(snapshot) if snapshot.clean && means.writing => {
                let clean = false;
                let now = Snapshot {
                    clean,
                    ..snapshot.clone()
                };
                if !self.hurried {
                    self.next = Some(snapshot);
                }
                // What is written already need not wait: there may be little time.
                if self.hurried || unsynced > 0 {
                    self.start(now, means)
                } else {
                    Ok(())
                }
            }
            Some(snapshot) => self.start(snapshot, means),
            None if sync && unsynced > 0 => self.hand(None, means),
            None => Ok(()),
        }
    }

    /// Whether nothing may be written yet, since the resume file is clean, or is about to be.
    pub fn forbids_writing(&self) -> bool {
        !self.failed && (self.clean || self.next_clean == Some(true))
    }

    /// Bytes that are being synced.
    pub fn syncing(&self) -> u64 {
        self.syncing
    }

    /// Whether nothing is under way, and nothing waits for it.
    pub fn is_done(&self) -> bool {
        !self.busy && self.next.is_none()
    }

    /// Whether nothing of it is saved any more, since content did not reach the disk.
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    /// Saves what there is without waiting for what is being written: then it is not clean.
    pub fn hurry(&mut self) {
        self.hurried = true;
    }

    /// Why not everything is saved, when there is no more time for it.
    pub fn too_slow(&self) -> Unsaved {
        let why = Why::Other(String::from("not saved yet: the disk is too slow"));
        let path = self.path.clone();
        Unsaved::Record(DiskError { path, why })
    }

    /// Takes the outcome of its job.
    ///
    /// # Errors
    /// It failed. After [`Unsaved::Content`] nothing is saved any more.
    pub fn take(&mut self, outcome: Outcome, content: &mut ContentFiles) -> Result<(), Unsaved> {
        self.busy = false;
        self.syncing = 0;
        let settling = self.settling.take();
        if let Some(clean) = self.next_clean.take() {
            // Where it cannot be saved, a kill costs more; but waiting would not help.
            self.clean = clean && outcome.is_ok();
        }
        let saved = outcome.is_ok();
        self.note(outcome.map(|_| ()))?;
        if let Some((snapshot, time)) = settling.filter(|_| saved) {
            // Some files may have got another time than was said beforehand.
            if !content.give_real_times(time) {
                self.next.get_or_insert(snapshot);
            }
        }
        Ok(())
    }

    /// Begins to save what this says, and what must reach the disk before.
    fn start(&mut self, snapshot: Snapshot, means: Means<'_>) -> Result<(), Unsaved> {
        let ledger = means.content.ledger();
        let settled = (snapshot.clean && !ledger.has_real_times()).then(time_now);
        let (files, owned) = ledger.record(means.content.layout(), &snapshot.verified);
        let resume = Resume {
            info_hash: means.content.info_hash(),
            verified: snapshot.verified.clone(),
            files,
            owned,
            clean: snapshot.clean,
            settled,
            downloaded: snapshot.totals.down,
            uploaded: snapshot.totals.up,
        };
        self.next_clean = Some(snapshot.clean);
        self.settling = settled.map(|time| (snapshot, time));
        self.hand(Some(resume.encode()), means)
    }

    fn hand(&mut self, bytes: Option<Vec<u8>>, means: Means<'_>) -> Result<(), Unsaved> {
        let content = means.content.unsynced();
        self.syncing = content.bytes;
        let job = Job {
            tree: means.content.tree(Side::Helper),
            content,
            path: self.path.clone(),
            bytes,
        };
        let begun = means.saver.save(means.id, job);
        self.busy = begun.is_ok();
        self.note(begun)
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
