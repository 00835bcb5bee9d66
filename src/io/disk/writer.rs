//! Who writes what peers send. The loop does it itself, while what it received is in the cache: on
//! most machines that is the least work. A disk that once kept it waiting gets a thread of its own:
//! from then on whole receive buffers go there and come back when they are written, without a copy.
//! There is a bounded number of them; when all are away, the loop stops reading from who sends
//! blocks, so that the network waits for the disk and nothing else does. The thread decides
//! nothing.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use mio::Waker;

use super::pen::{Blocks, News, Pen, Unwritten};
use crate::base::limits;

/// Writes, here or in a thread.
#[derive(Debug)]
pub struct Writer {
    place: Place,
    waker: Arc<Waker>,
    /// Buffers that may be away at one time.
    most: usize,
    /// What the loop has spent on writing in this turn.
    spent: Duration,
}

#[derive(Debug)]
enum Place {
    Here(Box<Pen>),
    Away(Away),
}

#[derive(Debug)]
struct Away {
    jobs: Sender<(Vec<u8>, Blocks)>,
    done: Receiver<Written>,
    out: usize,
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
    /// What `Disk::note` is to be told.
    pub news: News,
}

impl Writer {
    /// Writes with this pen; `waker` is woken when something is written by a thread. At most `most`
    /// buffers are in its hands.
    pub fn new(pen: Pen, waker: Arc<Waker>, most: usize) -> Writer {
        Writer {
            place: Place::Here(Box::new(pen)),
            waker,
            most: most.max(1),
            spent: Duration::ZERO,
        }
    }

    /// To be called once a turn: many peers send at once, and what makes the loop late is all that
    /// one turn writes.
    pub fn begin_turn(&mut self) {
        self.spent = Duration::ZERO;
    }

    /// Writes these blocks of `buffer`. `None`: they are not written yet, and the outcome comes
    /// from [`Writer::next_outcome`].
    pub fn write(&mut self, buffer: Vec<u8>, blocks: Blocks) -> Option<Written> {
        match &mut self.place {
            Place::Here(pen) => {
                let begun = Instant::now();
                let written = write(pen, buffer, blocks);
                self.spent += begun.elapsed();
                if self.spent >= limits::SLOW_WRITE {
                    self.go_away();
                }
                Some(written)
            }
            Place::Away(away) => {
                away.out += 1;
                let sent = away.jobs.send((buffer, blocks));
                assert!(sent.is_ok(), "the thread lasts as long as the sender");
                None
            }
        }
    }

    /// What became of the next blocks that a thread was given, if it is done with them.
    pub fn next_outcome(&mut self) -> Option<Written> {
        let Place::Away(away) = &mut self.place else {
            return None;
        };
        let written = away.done.try_recv().ok()?;
        away.out -= 1;
        Some(written)
    }

    /// Whether no more should be read from who sends blocks.
    pub fn is_full(&self) -> bool {
        matches!(&self.place, Place::Away(away) if away.out >= self.most)
    }

    /// How many more buffers a thread may be given.
    pub fn spare(&self) -> usize {
        match &self.place {
            Place::Here(_) => 0,
            Place::Away(away) => self.most.saturating_sub(away.out),
        }
    }

    /// Whether nothing more should be read at all: blocks come from who owes us none, too, if they
    /// were on their way.
    pub fn is_overfull(&self) -> bool {
        matches!(&self.place, Place::Away(away) if away.out >= 2 * self.most)
    }

    /// Whether everything is written.
    pub fn is_idle(&self) -> bool {
        !matches!(&self.place, Place::Away(away) if away.out > 0)
    }

    /// Gives the pen to a thread; without one it stays here.
    fn go_away(&mut self) {
        let (jobs, todo) = mpsc::channel::<(Vec<u8>, Blocks)>();
        let (outcomes, done) = mpsc::channel();
        let (hand, handed) = mpsc::channel::<Box<Pen>>();
        let waker = Arc::clone(&self.waker);
        let work = move || {
            let Ok(mut pen) = handed.recv() else { return };
            for (buffer, blocks) in todo {
                if outcomes.send(write(&mut pen, buffer, blocks)).is_err() {
                    return;
                }
                // A loop that cannot be woken looks on its next turn.
                let _ = waker.wake();
            }
        };
        let thread: io::Result<_> = thread::Builder::new()
            .name(String::from("writer"))
            .spawn(work);
        if thread.is_err() {
            return;
        }
        log::debug!("the disk is slow: writing goes on in a thread of its own");
        let away = Place::Away(Away { jobs, done, out: 0 });
        if let Place::Here(pen) = std::mem::replace(&mut self.place, away) {
            // It waits for nothing else.
            let _ = hand.send(pen);
        }
    }
}

fn write(pen: &mut Pen, buffer: Vec<u8>, blocks: Blocks) -> Written {
    let failed = pen.write(&buffer, &blocks).err();
    Written {
        buffer,
        blocks,
        failed,
        news: pen.take_news(),
    }
}
