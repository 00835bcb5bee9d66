//! Saving what a restart needs, off the event loop: syncing files may take seconds. One helper thread, started by the first job,
//! syncs the content that a resume file speaks of and only then puts that file in place.
//!
//! To end cleanly: save once more as before; when that is done, `Disk::settle`, and save what is clean. The first does the long
//! work, so that there is next to no time in which a kill would find new times on the content and old ones in the resume file.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use mio::Waker;

use super::disk::Unsynced;
use super::disk_error::{DiskError, Why};
use super::state;
use super::tree::{Access, Tree};

/// With more files than this, their whole file system is synced at once: one file after the other would take a millisecond and more
/// for each.
const MANY: usize = 8;

/// What is to be saved.
#[derive(Debug)]
pub struct Job {
    /// What must reach the disk first, from `Disk::unsynced`.
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
    pub fn save(&mut self, job: Job) -> Result<(), DiskError> {
        let path = job.path.clone();
        let sent = match &self.thread {
            Some((jobs, _)) => jobs.send(job).is_ok(),
            None => {
                let tree = self.tree.take().ok_or_else(|| gone(path.clone()))?;
                let thread = start(&self.waker, tree);
                let thread = thread.map_err(|error| DiskError::new(&path, error))?;
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

    /// The outcome of the next job that is done; `None` if none is yet. After an error it is unknown what of the content reached the
    /// disk, so that nothing more may be recorded as held: the jobs behind it fail too.
    pub fn next_outcome(&mut self) -> Option<Result<Synced, DiskError>> {
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

    /// Waits until every job is done, at most for `limit`.
    ///
    /// # Errors
    /// That of the first job that failed, or that the time is over.
    pub fn finish(&mut self, limit: Duration) -> Result<(), DiskError> {
        let until = Instant::now() + limit;
        let mut result = Ok(());
        while let Some(path) = self.waiting.pop_front() {
            let Some((_, outcomes)) = &self.thread else {
                break;
            };
            let left = until.saturating_duration_since(Instant::now());
            let outcome = match outcomes.recv_timeout(left) {
                Ok(outcome) => outcome,
                Err(RecvTimeoutError::Timeout) => {
                    let why = Why::Other(String::from("not saved yet: the disk is too slow"));
                    return result.and(Err(DiskError { path, why }));
                }
                Err(RecvTimeoutError::Disconnected) => Err(gone(path)),
            };
            result = result.and(outcome.map(|_| ()));
        }
        result
    }
}

fn gone(path: PathBuf) -> DiskError {
    let why = Why::Other(String::from("not saved, since an earlier save failed"));
    DiskError { path, why }
}

/// Our ends of the channels to and from the thread.
type Ends = (Sender<Job>, Receiver<Result<Synced, DiskError>>);

fn start(waker: &Arc<Waker>, mut tree: Tree) -> io::Result<Ends> {
    let (jobs, todo) = mpsc::channel::<Job>();
    let (done, outcomes) = mpsc::channel();
    let waker = Arc::clone(waker);
    thread::Builder::new()
        .name(String::from("saver"))
        .spawn(move || {
            for job in todo {
                let outcome = save(job, &mut tree);
                let failed = outcome.is_err();
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

fn save(job: Job, tree: &mut Tree) -> Result<Synced, DiskError> {
    let bytes = job.content.bytes;
    let begun = Instant::now();
    sync(job.content, tree)?;
    let time = begun.elapsed();
    if let Some(bytes) = job.bytes {
        state::replace(&job.path, &bytes)?;
    }
    Ok(Synced { bytes, time })
}

fn sync(content: Unsynced, tree: &mut Tree) -> Result<(), DiskError> {
    let many = content.paths.len() > MANY;
    let mut synced = BTreeSet::new();
    for path in content.paths {
        let file = match tree.open(&path, Access::Read) {
            Ok(file) => file,
            // Taken away under our hands: a restart sees that it is missing.
            Err(error) if error.why == Why::Missing => continue,
            Err(error) => return Err(error),
        };
        let done = if many {
            file.metadata()
                .and_then(|found| match synced.insert(found.dev()) {
                    true => Ok(rustix::fs::syncfs(&file)?),
                    false => Ok(()),
                })
        } else {
            file.sync_data()
        };
        done.map_err(|error| DiskError::new(tree.path(&path), error))?;
    }
    Ok(())
}
