//! Saving what a restart needs, off the event loop: syncing files may take seconds. One helper
//! thread, started by the first job, syncs the content that a resume file speaks of and only then
//! puts that file in place.
//!
//! Content that does not reach the disk is lost, though it may still be read: the system says so
//! once, and then calls what it has in memory clean. So that is dropped from memory, nothing is
//! recorded any more, and the download is over: the next run sees what is really there. A resume
//! file that cannot be written only costs the next run a check.

use std::collections::{BTreeSet, VecDeque};
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use mio::Waker;
use rustix::fs::Advice;

use super::disk_error::{DiskError, Why};
use super::faults::{self, Call};
use super::held::Change;
use super::ledger::Unsynced;
use super::state;
use super::tree::{self, Access, Tree};
use super::waiting;

/// With more files than this, their whole file system is synced at once: one file after the other
/// would take a millisecond and more for each.
const MANY: usize = 8;

/// What is to be saved.
#[derive(Debug)]
pub struct Job {
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

/// The helper thread and the jobs it has.
#[derive(Debug)]
pub struct Saver {
    waker: Arc<Waker>,
    /// Until the thread has it.
    tree: Option<Tree>,
    thread: Option<Ends>,
    /// The resume files of the jobs under way.
    waiting: VecDeque<PathBuf>,
}

impl Saver {
    /// A saver of content below this tree, which wakes the loop whenever a job is done.
    pub fn new(waker: Arc<Waker>, tree: Tree) -> Saver {
        Saver {
            waker,
            tree: Some(tree),
            thread: None,
            waiting: VecDeque::new(),
        }
    }

    /// Hands over a job. Jobs are done in turn.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn save(&mut self, job: Job) -> Result<(), Unsaved> {
        let path = job.path.clone();
        let sent = match &self.thread {
            Some((jobs, _)) => jobs.send(job).is_ok(),
            None => {
                let tree = self.tree.take().ok_or_else(|| gone(path.clone()))?;
                let thread = start(&self.waker, tree);
                let thread =
                    thread.map_err(|error| Unsaved::Content(DiskError::new(&path, error)))?;
                let (jobs, _) = self.thread.insert(thread);
                jobs.send(job).is_ok()
            }
        };
        if !sent {
            return Err(gone(path));
        }
        self.waiting.push_back(path);
        Ok(())
    }

    /// Whether a job is under way. To save more often than that only delays.
    pub fn busy(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The outcome of the next job that is done; `None` if none is yet. After [`Unsaved::Content`]
    /// the jobs behind it fail too.
    pub fn next_outcome(&mut self) -> Option<Result<Synced, Unsaved>> {
        let (_, outcomes) = self.thread.as_ref()?;
        let path = self.waiting.front()?.clone();
        let outcome = match outcomes.try_recv() {
            Ok(outcome) => outcome,
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Disconnected) => Err(gone(path)),
        };
        self.waiting.pop_front();
        Some(outcome)
    }

    /// The outcome of the next job, waited for at most for `limit`; `None` if there is no job.
    pub fn next_outcome_within(&mut self, limit: Duration) -> Option<Result<Synced, Unsaved>> {
        let path = self.waiting.pop_front()?;
        let (_, outcomes) = self.thread.as_ref()?;
        Some(match outcomes.recv_timeout(limit) {
            Ok(outcome) => outcome,
            Err(RecvTimeoutError::Timeout) => {
                let why = Why::Other(String::from("not saved yet: the disk is too slow"));
                Err(Unsaved::Record(DiskError { path, why }))
            }
            Err(RecvTimeoutError::Disconnected) => Err(gone(path)),
        })
    }
}

fn gone(path: PathBuf) -> Unsaved {
    let why = Why::Other(String::from("not saved, since an earlier save failed"));
    Unsaved::Content(DiskError { path, why })
}

/// Our ends of the channels to and from the thread.
type Ends = (Sender<Job>, Receiver<Result<Synced, Unsaved>>);

fn start(waker: &Arc<Waker>, mut tree: Tree) -> io::Result<Ends> {
    let (jobs, todo) = mpsc::channel::<Job>();
    let (done, outcomes) = mpsc::channel();
    let waker = Arc::clone(waker);
    thread::Builder::new()
        .name(String::from("saver"))
        .spawn(move || {
            for job in todo {
                let outcome = save(job, &mut tree);
                let failed = matches!(outcome, Err(Unsaved::Content(_)));
                let alone = done.send(outcome).is_err();
                // A loop that cannot be woken sees it on its next turn.
                let _ = waker.wake();
                if failed || alone {
                    break;
                }
            }
        })?;
    Ok((jobs, outcomes))
}

fn save(job: Job, tree: &mut Tree) -> Result<Synced, Unsaved> {
    let bytes = job.content.bytes;
    let begun = Instant::now();
    sync(&job.content, tree).map_err(Unsaved::Content)?;
    let time = begun.elapsed();
    if let Some(bytes) = job.bytes {
        let replaced = waiting::tell_of(&job.path, || state::replace(&job.path, &bytes));
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
    for (path, held) in content.each() {
        let file = match tree.open(path, Access::Read) {
            Err(error) if matches!(error.why, Why::Missing | Why::InTheWay) => {
                return Err(DiskError::new(error.path, Why::Changed));
            }
            opened => opened?,
        };
        let fail = |error: io::Error| DiskError::new(tree.path(path), error);
        // Its name may lead elsewhere now. What has no name there any more is not content.
        let found = tree::look_at(&file).map_err(fail)?;
        if held.change(found) == Some(Change::Gone) {
            return Err(DiskError::new(tree.path(path), Why::Changed));
        }
        if !many || devices.insert(found.0.device) {
            sync_file(&file, many, path).map_err(fail)?;
        }
        if !many && held.new {
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
