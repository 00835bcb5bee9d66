//! What the system says of a file: which one it is, its size, and its times.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;

use rustix::fs::{Stat, Statx, Timespec, Timestamps, UTIME_OMIT};

use crate::storage::Stamp;

/// Which of a file's times are set to pin its modification time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Times {
    /// That time alone.
    Modified,
    /// Set together with the time of access: file systems made with libfuse 2 ignore one without
    /// the other.
    Both,
}

/// Which file it is, by whatever name it is called.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Identity {
    /// The device that it lies on.
    pub device: u64,
    inode: u64,
}

impl Identity {
    /// Which file was found.
    pub fn of(found: &Metadata) -> Identity {
        Identity {
            device: found.dev(),
            inode: found.ino(),
        }
    }
}

/// Size and time of an open file.
///
/// # Errors
/// Whatever the system says.
pub fn stamp_of(file: &File) -> io::Result<Stamp> {
    look_at(file).map(|(_, stamp)| stamp)
}

/// Which file an open one is, and its size and time.
///
/// # Errors
/// Whatever the system says.
pub fn look_at(file: &File) -> io::Result<(Identity, Stamp)> {
    let stat = rustix::fs::fstat(file)?;
    Ok((identity(&stat), stamp(&stat)))
}

/// Sets an open file's modification time back to what its stamp says.
///
/// # Errors
/// The file is another user's.
pub fn set_time(file: &File, stamp: Stamp, which: Times) -> io::Result<()> {
    let time = Timespec {
        tv_sec: stamp.seconds,
        tv_nsec: stamp.nanos.into(),
    };
    Ok(rustix::fs::futimens(file, &timestamps(time, which))?)
}

/// The times to be set, of which one may be left as it is.
pub(super) fn timestamps(time: Timespec, which: Times) -> Timestamps {
    let untouched = Timespec {
        tv_sec: 0,
        tv_nsec: UTIME_OMIT,
    };
    Timestamps {
        last_access: match which {
            Times::Modified => untouched,
            Times::Both => time,
        },
        last_modification: time,
    }
}

/// Which file this is. The field types differ from one processor to the next.
#[allow(clippy::unnecessary_cast)]
pub(super) fn identity(stat: &Stat) -> Identity {
    Identity {
        device: stat.st_dev as u64,
        inode: stat.st_ino as u64,
    }
}

/// Its size and time: see [`identity`].
#[allow(clippy::unnecessary_cast)]
pub(super) fn stamp(stat: &Stat) -> Stamp {
    Stamp {
        size: stat.st_size as u64,
        seconds: stat.st_mtime as i64,
        nanos: stat.st_mtime_nsec as u32,
    }
}

/// The same, as the newer call tells it.
pub(super) fn stamp_of_statx(found: &Statx) -> Stamp {
    Stamp {
        size: found.stx_size,
        seconds: found.stx_mtime.tv_sec,
        nanos: found.stx_mtime.tv_nsec,
    }
}
