//! A file under download, whose modification time is pinned: after each write it is set back to
//! what the resume data say. So after a `kill -9` our own writes can be told from those of other
//! programs (see `storage::resume`); and before each write it shows whether the file is still as we
//! left it.
//!
//! Some file systems ignore the call that sets a time, or take it only together with the time of
//! access, and another user's file keeps its own. So before a file's first write another time is
//! set and read back. Where no time can be pinned, the resume data are given the time after the
//! last write: then a `kill -9` costs another hashing of the files written since the last save.
//! There, a time that we did not leave is no proof that another program wrote; it only has the file
//! hashed by the next run.

use std::fs::File;
use std::io;
use std::path::Path;

use super::birth;
use super::stat::{self, Identity, Times};
use crate::io::disk::faults::{self, Call};
use crate::storage::resume::COARSEST;
use crate::storage::{Birth, Stamp};

/// A file under download.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pinned {
    /// Which file it is.
    pub identity: Identity,
    /// Which it is for ever, where that can be told.
    pub birth: Option<Birth>,
    /// Its size, and the time that it is pinned at; where the time cannot be pinned, the last one.
    pub stamp: Stamp,
    /// How its time is pinned; `None` where it cannot be: then another time does not show that
    /// another program wrote.
    pub times: Option<Times>,
    /// Whether it had no bytes before, so that its name may be new, too.
    pub new: bool,
}

/// What another program did to a file under download.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// It wrote to it.
    Written,
    /// What was there is gone: cut off, or replaced by something else.
    Gone,
}

impl Pinned {
    /// Whether a file that is found where this one was is not as we left it.
    pub fn change(&self, (identity, stamp): (Identity, Stamp)) -> Option<Change> {
        if identity != self.identity || stamp.size < self.stamp.size {
            Some(Change::Gone)
        } else if stamp.size != self.stamp.size || self.times.is_some() && stamp != self.stamp {
            Some(Change::Written)
        } else {
            None
        }
    }
}

/// Makes a file as long as it will be. What it was before, and what it is pinned at.
///
/// # Errors
/// It cannot be looked at, or there is no room for it.
pub fn prepare(file: &File, length: u64, path: &Path) -> io::Result<(Stamp, Pinned)> {
    let before = stat::stamp_of(file)?;
    if before.size < length {
        let what = || format!("{length} {}", path.display());
        faults::call(Call::Resize, what, |_| file.set_len(length))?;
    }
    let (identity, mut stamp) = stat::look_at(file)?;
    if before.size == 0 {
        // A time in the past: no later write has it, however the file system rounds.
        stamp = stamp.rounded();
        stamp.seconds -= COARSEST;
    }
    let (times, stamp) = match probe(file, stamp, path) {
        Some((times, stamp)) => (Some(times), stamp),
        None => (None, stat::stamp_of(file)?),
    };
    let pinned = Pinned {
        identity,
        birth: birth::of_file(file),
        stamp,
        times,
        new: before.size == 0,
    };
    Ok((before, pinned))
}

/// How a file's time can be pinned, and at what: `stamp`, or that time as any file system can keep
/// it. `None` if it cannot be pinned. Another time is set first and read back: the time that the
/// file has would also be read back from a file system that ignores the call.
fn probe(file: &File, stamp: Stamp, path: &Path) -> Option<(Times, Stamp)> {
    let keeps = |stamp: Stamp, times| {
        let set = set_time(file, stamp, times, path).and_then(|()| stat::stamp_of(file));
        set.is_ok_and(|found| found == stamp)
    };
    let mut other = stamp.rounded();
    other.seconds -= 2 * COARSEST;
    let times = [Times::Modified, Times::Both];
    let times = times.into_iter().find(|&times| keeps(other, times))?;
    let stamps = [stamp, stamp.rounded()];
    let stamp = stamps.into_iter().find(|&stamp| keeps(stamp, times))?;
    Some((times, stamp))
}

/// Sets a content file's time.
///
/// # Errors
/// It cannot be set.
pub fn set_time(file: &File, stamp: Stamp, times: Times, path: &Path) -> io::Result<()> {
    let what = || format!("{}.{:09} {}", stamp.seconds, stamp.nanos, path.display());
    faults::call(Call::Time, what, |ignored| {
        if !ignored {
            stat::set_time(file, stamp, times)
        } else {
            Ok(())
        }
    })
}
