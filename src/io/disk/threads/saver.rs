//! Saving what a restart needs, off the event loop: syncing files may take seconds. One helper
//! thread for all torrents, started by the first job, syncs the content that a resume file speaks
//! of and only then puts that file in place.
//!
//! Content that does not reach the disk is lost, though it may still be read: the system says so
//! once, and then calls what it has in memory clean. So that is dropped from memory, nothing is
//! recorded of that torrent any more, and its download is over: the next run sees what is really
//! there. A resume file that cannot be written only costs the next run a check.

use std::collections::{BTreeSet, VecDeque};
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use mio::Waker;
use rustix::fs::Advice;

use super::waiting::Waiting;
use super::writer::EntryId;
use crate::io::channel::{Missing, Receiver, Sender, channel};
use crate::io::disk::content::ledger::Unsynced;
use crate::io::disk::disk_error::{DiskError, Why};
use crate::io::disk::faults::{self, Call};
use crate::io::disk::handles::pinned::Change;
use crate::io::disk::handles::stat;
use crate::io::disk::handles::tree::{Access, Tree};
use crate::io::disk::state;

/// With more files than this, their whole file system is synced at once: one file after the other
/// would take a millisecond and more for each.
const MANY: usize = 8;

/// What is to be saved of one torrent.
#[derive(Debug)]
pub struct Job {
    /// The folder of the content.
    pub tree: Tree,
    /// What must reach the disk first, from `Ledger::unsynced`.
    pub content: Unsynced,
    /// The resume file.
    pub path: PathBuf,
    /// What it is to hold; `None`: it stays as it is, only the content is synced.
    pub bytes: Option<Vec<u8>>,
}

/// Content that reached the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Synced {
    /// Bytes of it.
    pub bytes: u64,
    /// How long that took.
    pub time: Duration,
}

/// Why a job was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsaved {
    /// Content did not reach the disk, or is not there any more. Nothing that comes later may be
    /// recorded.
    Content(DiskError),
    /// The resume file was not replaced.
    Record(DiskError),
}

/// What became of a job.
pub type Outcome = Result<Synced, Unsaved>;

/// The helper thread and the jobs it has.
#[derive(Debug)]
pub struct Saver {
    waker: Arc<Waker>,
    thread: Option<Thread>,
    /// The jobs under way: each the torrent and its resume file.
    waiting: VecDeque<(EntryId, PathBuf)>,
    /// What became of those that were done here, since no thread could be started.
    done: VecDeque<(EntryId, Outcome)>,
}

/// Our ends of the channels to and from the thread.
#[derive(Debug)]
struct Thread {
    jobs: Sender<Job>,
    outcomes: Receiver<Outcome>,
    waiting: Arc<Waiting>,
}

impl Saver {
    /// A saver that wakes the loop whenever a job is done.
    pub fn new(waker: Arc<Waker>) -> Saver {
        Saver {
            waker,
            thread: None,
            waiting: VecDeque::new(),
            done: VecDeque::new(),
        }
    }

    /// Hands over a job for this torrent. Jobs are done in turn. Where the thread cannot be
    /// started, this one is done at once.
    ///
    /// # Errors
    /// The thread has ended.
    pub fn save(&mut self, id: EntryId, job: Job) -> Result<(), Unsaved> {
        let path = job.path.clone();
        if self.thread.is_none() {
            self.thread = start(&self.waker).ok();
        }
        let Some(thread) = &self.thread else {
            self.done.push_back((id, save(job, &Waiting::default())));
            // A loop that cannot be woken sees it on its next turn.
            let _ = self.waker.wake();
            return Ok(());
        };
        if thread.jobs.send(job).is_err() {
            return Err(gone(path));
        }
        self.waiting.push_back((id, path));
        Ok(())
    }

    /// Whether jobs are under way.
    pub fn is_busy(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Tells of a disk that does not answer: see [`Waiting::look_after`].
    pub fn look_after(&self) {
        let thread = self.thread.iter();
        thread.for_each(|thread| thread.waiting.look_after());
    }

    /// The outcome of the next job that is done, and its torrent; `None` if none is yet.
    pub fn next_outcome(&mut self) -> Option<(EntryId, Outcome)> {
        if let Some(done) = self.done.pop_front() {
            return Some(done);
        }
        let thread = self.thread.as_ref()?;
        let (id, path) = self.waiting.front()?;
        let outcome = match thread.outcomes.try_recv() {
            Ok(outcome) => (*id, outcome),
            Err(Missing::Yet) => return None,
            Err(Missing::ForEver) => (*id, Err(gone(path.clone()))),
        };
        self.waiting.pop_front();
        Some(outcome)
    }
}

fn gone(path: PathBuf) -> Unsaved {
    let why = Why::Other(String::from("not saved, since an earlier save failed"));
    Unsaved::Content(DiskError { path, why })
}

fn start(waker: &Arc<Waker>) -> io::Result<Thread> {
    let (jobs, todo) = channel::<Job>();
    let (done, outcomes) = channel();
    let waker = Arc::clone(waker);
    let waiting = Arc::new(Waiting::default());
    let told = Arc::clone(&waiting);
    thread::Builder::new()
        .name(String::from("saver"))
        .spawn(move || {
            while let Ok(job) = todo.recv() {
                if done.send(save(job, &told)).is_err() {
                    break;
                }
                // A loop that cannot be woken sees it on its next turn.
                let _ = waker.wake();
            }
        })?;
    Ok(Thread {
        jobs,
        outcomes,
        waiting,
    })
}

fn save(mut job: Job, waiting: &Waiting) -> Outcome {
    let bytes = job.content.bytes;
    let begun = Instant::now();
    sync(&job.content, &mut job.tree).map_err(Unsaved::Content)?;
    let time = begun.elapsed();
    if let Some(bytes) = job.bytes {
        let replaced = waiting.call(&job.path, || state::replace(&job.path, &bytes));
        replaced.map_err(Unsaved::Record)?;
    }
    Ok(Synced { bytes, time })
}

fn sync(content: &Unsynced, tree: &mut Tree) -> Result<(), DiskError> {
    let done = sync_files(content, tree);
    if done.is_err() {
        for (path, _) in content.each() {
            if let Ok(file) = tree.open(path, Access::Read) {
                let _ = rustix::fs::fadvise(&file, 0, None, Advice::DontNeed);
            }
        }
    }
    done
}

fn sync_files(content: &Unsynced, tree: &mut Tree) -> Result<(), DiskError> {
    let many = content.files.len() > MANY;
    let mut devices = BTreeSet::new();
    for (path, pinned) in content.each() {
        let file = match tree.open(path, Access::Read) {
            Err(error) if matches!(error.why, Why::Missing | Why::InTheWay) => {
                return Err(DiskError::new(error.path, Why::Changed));
            }
            opened => opened?,
        };
        let fail = |error: io::Error| DiskError::new(tree.path(path), error);
        // Its name may lead to another file now, and a file without a name is not content.
        let found = stat::look_at(&file).map_err(fail)?;
        if pinned.change(found) == Some(Change::Gone) {
            return Err(DiskError::new(tree.path(path), Why::Changed));
        }
        if !many || devices.insert(found.0.device) {
            sync_file(&file, many, path).map_err(fail)?;
        }
        if !many && pinned.new {
            tree.sync_names(path)?;
        }
    }
    Ok(())
}

/// Syncs a file with its time, or the whole file system that it lies on.
fn sync_file(file: &File, whole: bool, path: &str) -> io::Result<()> {
    let what = || {
        if whole {
            String::from("*")
        } else {
            String::from(path)
        }
    };
    faults::call(Call::Sync, what, |_| {
        if whole {
            Ok(rustix::fs::syncfs(file)?)
        } else {
            file.sync_all()
        }
    })
}
