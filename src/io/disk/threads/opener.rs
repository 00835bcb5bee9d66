//! The threads that look at what is on disk of torrents before they are begun, or wake up, one
//! torrent after the other. If the server of a mount is gone, or a disk sleeps, a call may last for
//! any time: the user is told, and another thread goes on with the torrents in other folders (see
//! `silent`). Meanwhile a signal can end the process only if the main thread is not in that call,
//! since the system gives signals to the main thread. A thread ends when there has been nothing for
//! a while that can be opened.
//!
//! What a turn of the loop begins is handed over together, and what comes of it is told together:
//! with thousands of torrents, to wake each other would take longer than to open them. A thread
//! takes one torrent at a time, so that a disk that does not answer holds up no other.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use mio::Waker;

use super::finding::{Placed, Real, Sought, find};
use super::opening::{Outcome, Reloaded, Request, Stored, Watch, open, reload};
use super::silent::Silent;
use super::telling::Telling;
use super::waiting::{LOOK, SILENCE, tell};
use crate::base::{SortedMap, TorrentKey, limits};
use crate::io::channel::{Receiver, Sender, channel};
use crate::io::disk::handles::Pool;

/// How long a thread waits for more to open before it ends: a turn of the loop takes less.
const LINGER: Duration = Duration::from_millis(100);

/// Names a torrent whose files are found or opened. Whoever asks for that chooses the number: it
/// need not be the key of the torrent in the session.
pub type OpenId = usize;

/// Opens torrents' files.
#[derive(Debug)]
pub struct Opener {
    shared: Arc<Shared>,
    outcomes: Receiver<(OpenId, Outcome)>,
    reloaded: Receiver<(TorrentKey, Reloaded)>,
    placed: Receiver<(OpenId, Placed)>,
    /// What this turn of the loop has begun.
    begun: VecDeque<(OpenId, Task)>,
    /// Torrents of which no outcome has come.
    waiting: usize,
}

/// What the threads share with the loop.
#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Something is to be opened.
    news: Condvar,
    pool: Pool,
    waker: Arc<Waker>,
    done: Sender<(OpenId, Outcome)>,
    again: Sender<(TorrentKey, Reloaded)>,
    found: Sender<(OpenId, Placed)>,
}

/// What is to be done for a torrent.
#[derive(Debug)]
enum Task {
    Find(Sought),
    Open(Request),
    Reload(Stored),
}

impl Task {
    /// The folder that the torrent's content lies in.
    fn dir(&self) -> &Path {
        match self {
            Task::Find(sought) => &sought.dir,
            Task::Open(request) => &request.dir,
            Task::Reload(stored) => &stored.dir,
        }
    }
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<(OpenId, Task)>,
    telling: Telling,
    threads: SortedMap<u64, At>,
    /// How many of them wait for something to open.
    idle: usize,
    started: u64,
    /// The folders that do not answer now.
    silent: Silent,
}

impl State {
    /// A disk has ceased to answer, or answered again.
    fn on_turn(&mut self) {
        let told = self.threads.values().filter(|at| at.told);
        let folders = told.map(|at| at.dir.clone()).collect();
        self.silent = Silent::new(folders, self.silent.turns + 1);
    }

    /// A thread waits for this disk, or for none.
    fn set(&mut self, thread: u64, asks: Option<(PathBuf, Instant)>) {
        if let Some(at) = self.threads.get_mut(&thread) {
            at.asks = asks;
            if std::mem::take(&mut at.told) {
                self.on_turn();
            }
        }
    }

    /// Where in the queue the first task is that need not wait for a folder that does not answer.
    fn next(&self) -> Option<usize> {
        let mut queue = self.queue.iter();
        queue.position(|(_, task)| !self.silent.has(task.dir()))
    }
}

/// Where a thread is.
#[derive(Debug, Default)]
struct At {
    /// The folder of the torrent that it is at.
    dir: PathBuf,
    /// The disk that it waits for, and since when.
    asks: Option<(PathBuf, Instant)>,
    /// A user was told that it does not answer.
    told: bool,
}

impl Opener {
    /// Nothing is opened yet. The loop is woken by `waker` when a torrent is.
    pub fn new(waker: Arc<Waker>, pool: Pool) -> Opener {
        let (done, outcomes) = channel();
        let (again, reloaded) = channel();
        let (found, placed) = channel();
        let shared = Shared {
            state: Mutex::default(),
            news: Condvar::new(),
            pool,
            waker,
            done,
            again,
            found,
        };
        Opener {
            shared: Arc::new(shared),
            outcomes,
            reloaded,
            placed,
            begun: VecDeque::new(),
            waiting: 0,
        }
    }

    /// Has a torrent's files found, as all that is begun after [`Opener::hand_over`];
    /// [`Opener::next_placed`] names it by this id.
    pub fn find(&mut self, id: OpenId, sought: Sought) {
        self.enqueue(id, Task::Find(sought));
    }

    /// Has a torrent's files opened; the outcome names it by this id.
    pub fn open(&mut self, id: OpenId, request: Request) {
        self.enqueue(id, Task::Open(request));
    }

    /// Has the metainfo of a torrent that sleeps read again, and its files found.
    pub fn reload(&mut self, torrent: TorrentKey, stored: Stored) {
        self.enqueue(torrent, Task::Reload(stored));
    }

    fn enqueue(&mut self, id: OpenId, task: Task) {
        self.waiting += 1;
        self.begun.push_back((id, task));
    }

    /// Hands over what was begun. To be called at the end of each turn of the loop.
    pub fn hand_over(&mut self) {
        if self.begun.is_empty() {
            return;
        }
        self.shared.lock().queue.append(&mut self.begun);
        if self.start_if_needed().is_err() && self.shared.lock().threads.is_empty() {
            // Better late than never.
            work(&self.shared, 0);
        }
    }

    /// What came of the next torrent; `None` if no more is known yet.
    pub fn next_outcome(&mut self) -> Option<(OpenId, Outcome)> {
        let outcome = self.outcomes.try_recv().ok()?;
        self.waiting -= 1;
        Some(outcome)
    }

    /// What came of the next torrent that is to wake up; `None` if no more is known yet.
    pub fn next_reloaded(&mut self) -> Option<(TorrentKey, Reloaded)> {
        let reloaded = self.reloaded.try_recv().ok()?;
        self.waiting -= 1;
        Some(reloaded)
    }

    /// Where the files of the next torrent lie; `None` if no more is known yet.
    pub fn next_placed(&mut self) -> Option<(OpenId, Placed)> {
        let placed = self.placed.try_recv().ok()?;
        self.waiting -= 1;
        Some(placed)
    }

    /// What [`Opener::next_outcome`] says, waited for. To be called when something is being opened.
    pub fn wait(&mut self) -> (OpenId, Outcome) {
        self.hand_over();
        loop {
            if let Ok(outcome) = self.outcomes.recv_timeout(LOOK) {
                self.waiting -= 1;
                return outcome;
            }
            self.look_after();
        }
    }

    /// Whether something is being opened.
    pub fn is_busy(&self) -> bool {
        self.waiting > 0
    }

    /// Tells of disks that do not answer, and has another thread go on with the other torrents. To
    /// be called at least every [`LOOK`] while something is being opened.
    pub fn look_after(&mut self) {
        if self.waiting == 0 {
            return;
        }
        let (mut state, mut is_new) = (self.shared.lock(), false);
        for at in state.threads.values_mut() {
            let asks = at.asks.as_ref().filter(|_| !at.told);
            if let Some((path, _)) = asks.filter(|(_, since)| since.elapsed() >= SILENCE) {
                tell(path);
                (at.told, is_new) = (true, true);
            }
        }
        if is_new {
            state.on_turn();
        }
        drop(state);
        // Without a thread, the others wait, too.
        let _ = self.start_if_needed();
    }

    /// Takes note of the folders that do not answer now. Whether these are others than before.
    pub fn note_silent(&self, silent: &mut Silent) -> bool {
        silent.follow(&self.shared.lock().silent)
    }

    /// Wakes a thread if something can be opened, or starts one if every other one waits for a disk
    /// that does not answer.
    fn start_if_needed(&self) -> io::Result<()> {
        let mut state = self.shared.lock();
        let stuck = state.threads.values().all(|at| at.told);
        let starts = stuck && state.threads.len() < limits::OPENERS;
        if (state.idle == 0 && !starts) || state.next().is_none() {
            return Ok(());
        }
        if state.idle > 0 {
            self.shared.news.notify_one();
            return Ok(());
        }
        state.started += 1;
        let number = state.started;
        let shared = Arc::clone(&self.shared);
        thread::Builder::new()
            .name(String::from("opener"))
            .spawn(move || work(&shared, number))?;
        state.threads.insert(number, At::default());
        Ok(())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens what is to be opened, until nothing is left.
fn work(shared: &Shared, number: u64) {
    let thread = Thread { shared, number };
    let mut real = Real::default();
    while let Some((id, task)) = thread.next() {
        let is_heard = match task {
            Task::Find(sought) => {
                let placed = find(sought, &mut real, &thread);
                shared.found.send((id, placed)).is_ok()
            }
            Task::Open(request) => {
                let outcome = open(&request, &shared.pool, &thread);
                shared.done.send((id, outcome)).is_ok()
            }
            Task::Reload(stored) => {
                let reloaded = reload(&stored, &shared.pool, &thread);
                shared.again.send((id, reloaded)).is_ok()
            }
        };
        let wakes = thread.has_done();
        if !is_heard {
            return;
        }
        if wakes {
            // A loop that cannot be woken sees it on its next turn.
            let _ = shared.waker.wake();
        }
    }
}

/// One of the threads.
struct Thread<'a> {
    shared: &'a Shared,
    number: u64,
}

impl Thread<'_> {
    fn next(&self) -> Option<(OpenId, Task)> {
        let mut state = self.shared.lock();
        // The loop itself, where no thread can be started, does not wait.
        if state.threads.contains_key(&self.number) {
            state.idle += 1;
            let nothing = |state: &mut State| state.next().is_none();
            let waited = self.shared.news.wait_timeout_while(state, LINGER, nothing);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
        let next = state.next().and_then(|at| state.queue.remove(at));
        match (&next, state.threads.get_mut(&self.number)) {
            (Some((_, task)), Some(at)) => at.dir = task.dir().to_path_buf(),
            _ => drop(state.threads.remove(&self.number)),
        }
        next
    }

    /// The disk has answered all that was asked for a torrent. Whether to wake the loop.
    fn has_done(&self) -> bool {
        let mut state = self.shared.lock();
        state.set(self.number, None);
        let goes_on = state.next().is_some();
        state.telling.on_done(goes_on, Instant::now())
    }

    fn set(&self, asks: Option<(PathBuf, Instant)>) {
        self.shared.lock().set(self.number, asks);
    }
}

impl Watch for Thread<'_> {
    fn asks(&self, path: &Path) {
        self.set(Some((path.to_path_buf(), Instant::now())));
    }

    fn answered(&self) {
        self.set(None);
    }
}

#[cfg(test)]
mod tests;
