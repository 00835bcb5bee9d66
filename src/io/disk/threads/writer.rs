//! Writes what peers send to the files of all torrents. The event loop does it itself, while what
//! it received is in the cache: on most machines that is the least work. Where a disk once kept the
//! loop waiting, the torrent on it is handed to a thread: from then on whole receive buffers go
//! there and come back when they are written, without a copy. Torrents on fast disks stay with the
//! loop, so a slow disk does not hold them up. The thread decides nothing.
//!
//! There is one thread and a bounded number of buffers for all torrents. When as many buffers are
//! away as there may be, a torrent that has its share of them, an equal part, is not read for: the
//! network waits for its disk and nothing else does. The thread writes one buffer of each torrent
//! in turn, so that a torrent waits for one write of each other torrent, not for all that they
//! have queued. The order within a torrent is kept.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use mio::Waker;

use crate::base::{SortedMap, limits};
use crate::io::channel::{Receiver, Sender, channel};
use crate::io::disk::content::content_writer::{Changes, Unwritten};
use crate::io::disk::content::{Blocks, ContentWriter};

/// What a store knows the files of one torrent by.
pub type EntryId = usize;

/// Writes, here or in a thread.
#[derive(Debug)]
pub struct Writer {
    places: SortedMap<EntryId, WriterPlace>,
    thread: Option<Thread>,
    waker: Arc<Waker>,
    /// Buffers that may be away at one time.
    most: usize,
    /// Buffers that are away.
    out: usize,
    turn: u64,
    /// What the loop has spent on writing in this turn.
    spent: Duration,
}

/// Where the files of one torrent are written.
#[derive(Debug)]
enum WriterPlace {
    Here(Here),
    /// In the thread, which has this many buffers of it.
    Away(usize),
}

#[derive(Debug)]
struct Here {
    writer: Box<ContentWriter>,
    /// What the loop has spent on it in this turn.
    spent: Duration,
    turn: u64,
}

/// Our ends of the channels to and from the thread.
#[derive(Debug)]
struct Thread {
    jobs: Sender<(EntryId, Job)>,
    done: Receiver<(EntryId, Written)>,
}

#[derive(Debug)]
enum Job {
    Begin(Box<ContentWriter>),
    Write(Vec<u8>, Blocks),
    End,
}

/// What became of the blocks of one buffer.
#[derive(Debug)]
pub struct Written {
    /// The buffer.
    pub buffer: Vec<u8>,
    /// The blocks.
    pub blocks: Blocks,
    /// What could not be written of them.
    pub failed: Option<Unwritten>,
    /// What `ContentFiles::note` is to be told.
    pub changes: Changes,
}

impl Writer {
    /// Writes for no torrent yet; `waker` is woken when something is written by the thread. At most
    /// `most` buffers are in its hands.
    pub fn new(waker: Arc<Waker>, most: usize) -> Writer {
        Writer {
            places: SortedMap::new(),
            thread: None,
            waker,
            most: most.max(1),
            out: 0,
            turn: 0,
            spent: Duration::ZERO,
        }
    }

    /// To be called once a turn: many peers send at once, and what makes the loop late is all that
    /// one turn writes.
    pub fn begin_turn(&mut self) {
        self.turn += 1;
        self.spent = Duration::ZERO;
    }

    /// Whether [`Writer::begin`] was called for this torrent.
    pub fn has(&self, id: EntryId) -> bool {
        self.places.contains_key(&id)
    }

    /// Writes the files of this torrent from now on.
    pub fn begin(&mut self, id: EntryId, writer: ContentWriter) {
        let here = Here {
            writer: Box::new(writer),
            spent: Duration::ZERO,
            turn: self.turn,
        };
        self.places.insert(id, WriterPlace::Here(here));
    }

    /// Lets go of this torrent's files once what the thread was given of it is written.
    pub fn end(&mut self, id: EntryId) {
        let place = self.places.remove(&id);
        if let (Some(WriterPlace::Away(out)), Some(thread)) = (place, &self.thread) {
            self.out -= out;
            let _ = thread.jobs.send((id, Job::End));
        }
    }

    /// Writes these blocks of `buffer`. `None`: they are not written yet, and the outcome comes
    /// from [`Writer::next_outcome`].
    pub fn write(&mut self, id: EntryId, buffer: Vec<u8>, blocks: Blocks) -> Option<Written> {
        match self.places.get_mut(&id)? {
            WriterPlace::Here(here) => {
                let begun = Instant::now();
                let written = write(&mut here.writer, buffer, blocks);
                let spent = begun.elapsed();
                if here.turn != self.turn {
                    (here.turn, here.spent) = (self.turn, Duration::ZERO);
                }
                here.spent += spent;
                self.spent += spent;
                if self.spent >= limits::SLOW_WRITE {
                    self.hand_over();
                }
                Some(written)
            }
            WriterPlace::Away(out) => {
                *out += 1;
                self.out += 1;
                let jobs = self.thread.as_ref().map(|thread| &thread.jobs);
                let sent = jobs.is_some_and(|jobs| {
                    let job = (id, Job::Write(buffer, blocks));
                    jobs.send(job).is_ok()
                });
                assert!(sent, "the thread lasts as long as the sender");
                None
            }
        }
    }

    /// What became of the next blocks that the thread was given, if it is done with them, and the
    /// torrent that they are of.
    pub fn next_outcome(&mut self) -> Option<(EntryId, Written)> {
        let (id, written) = self.thread.as_ref()?.done.try_recv().ok()?;
        if let Some(WriterPlace::Away(out)) = self.places.get_mut(&id) {
            *out -= 1;
            self.out -= 1;
        }
        Some((id, written))
    }

    /// Whether no more should be read from peers that send blocks of this torrent.
    pub fn is_full(&self, id: EntryId) -> bool {
        self.has_share(id, self.most)
    }

    /// Whether nothing should be read for this torrent: a peer that owes us no block may still send
    /// one that was on its way.
    pub fn is_overfull(&self, id: EntryId) -> bool {
        self.has_share(id, 2 * self.most)
    }

    /// Whether the thread has this many buffers, and this torrent an equal part of them.
    fn has_share(&self, id: EntryId, most: usize) -> bool {
        let Some(&WriterPlace::Away(out)) = self.places.get(&id) else {
            return false;
        };
        let away = |place: &&WriterPlace| matches!(place, WriterPlace::Away(1..));
        self.out >= most && {
            let others = self.places.values().filter(away).count();
            out >= (most / others.max(1)).max(1)
        }
    }

    /// How many more buffers the thread may be given.
    pub fn spare(&self) -> usize {
        let any = self
            .places
            .values()
            .any(|place| matches!(place, WriterPlace::Away(_)));
        if any {
            self.most.saturating_sub(self.out)
        } else {
            0
        }
    }

    /// Whether everything of this torrent is written.
    pub fn is_idle(&self, id: EntryId) -> bool {
        !matches!(self.places.get(&id), Some(WriterPlace::Away(1..)))
    }

    /// Whether everything is written.
    pub fn is_all_idle(&self) -> bool {
        self.out == 0
    }

    /// Hands the torrent that took longest in this turn to the thread; without one it stays here.
    fn hand_over(&mut self) {
        let turn = self.turn;
        let spent = |(&id, place): (&EntryId, &WriterPlace)| match place {
            WriterPlace::Here(here) if here.turn == turn => Some((here.spent, id)),
            _ => None,
        };
        let Some((_, id)) = self.places.iter().filter_map(spent).max() else {
            return;
        };
        if self.thread.is_none() {
            self.thread = start(&self.waker).ok();
        }
        let Some(thread) = &self.thread else {
            return;
        };
        log::debug!("the disk is slow: writing goes on in a thread of its own");
        if let Some(WriterPlace::Here(here)) = self.places.insert(id, WriterPlace::Away(0)) {
            // It waits for nothing else.
            let _ = thread.jobs.send((id, Job::Begin(here.writer)));
        }
        self.spent = Duration::ZERO;
    }
}

fn start(waker: &Arc<Waker>) -> io::Result<Thread> {
    let (jobs, todo) = channel();
    let (outcomes, done) = channel();
    let waker = Arc::clone(waker);
    thread::Builder::new()
        .name(String::from("writer"))
        .spawn(move || work(&todo, &outcomes, &waker))?;
    Ok(Thread { jobs, done })
}

/// The thread's loop. It ends when the event loop is gone and everything is written. Few disks
/// need it: it is not a part of the function that starts it, so that `rare.txt` can name it.
#[inline(never)]
fn work(todo: &Receiver<(EntryId, Job)>, outcomes: &Sender<(EntryId, Written)>, waker: &Waker) {
    let mut writers: SortedMap<EntryId, Box<ContentWriter>> = SortedMap::new();
    let mut queue = Queue::default();
    loop {
        if queue.turns.is_empty() {
            let Ok(job) = todo.recv() else { return };
            queue.add(job);
        }
        std::iter::from_fn(|| todo.try_recv().ok()).for_each(|job| queue.add(job));
        match queue.next() {
            Some((id, Job::Begin(writer))) => {
                writers.insert(id, writer);
            }
            Some((id, Job::End)) => {
                writers.remove(&id);
            }
            Some((id, Job::Write(buffer, blocks))) => {
                let Some(writer) = writers.get_mut(&id) else {
                    continue;
                };
                if outcomes.send((id, write(writer, buffer, blocks))).is_err() {
                    return;
                }
                // A loop that cannot be woken looks on its next turn.
                let _ = waker.wake();
            }
            None => {}
        }
    }
}

/// The jobs of the thread: one of each torrent in turn.
#[derive(Debug, Default)]
struct Queue {
    jobs: SortedMap<EntryId, VecDeque<Job>>,
    /// Torrents with jobs, that of the next one first.
    turns: VecDeque<EntryId>,
}

impl Queue {
    fn add(&mut self, (id, job): (EntryId, Job)) {
        let jobs = self.jobs.get_or_insert_with(id, Default::default);
        if jobs.is_empty() {
            self.turns.push_back(id);
        }
        jobs.push_back(job);
    }

    fn next(&mut self) -> Option<(EntryId, Job)> {
        let id = self.turns.pop_front()?;
        let jobs = self.jobs.get_mut(&id)?;
        let job = jobs.pop_front()?;
        if jobs.is_empty() {
            self.jobs.remove(&id);
        } else {
            self.turns.push_back(id);
        }
        Some((id, job))
    }
}

fn write(writer: &mut ContentWriter, buffer: Vec<u8>, blocks: Blocks) -> Written {
    let failed = writer.write(&buffer, &blocks).err();
    Written {
        buffer,
        blocks,
        failed,
        changes: writer.take_changes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_of_one_torrent_keep_their_order_and_torrents_take_turns() {
        let mut queue = Queue::default();
        let job = |byte| Job::Write(vec![byte], Vec::new());
        for (id, byte) in [(3, 0), (3, 1), (3, 2), (1, 3), (1, 4), (2, 5)] {
            queue.add((id, job(byte)));
        }
        let mut order = Vec::new();
        while let Some((id, Job::Write(buffer, _))) = queue.next() {
            order.push((id, buffer[0]));
        }
        assert_eq!(order, [(3, 0), (1, 3), (2, 5), (3, 1), (1, 4), (3, 2)]);
        assert!(queue.jobs.is_empty() && queue.turns.is_empty());
    }
}
