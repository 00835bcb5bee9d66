//! Which file it is, for ever: what [`Birth`] says, as this system tells it.

use std::fs::File;
use std::num::NonZeroU64;

use rustix::fs::{AtFlags, Statx, StatxFlags, statx};

use crate::storage::Birth;

/// What the system is asked for.
pub const WANTED: StatxFlags = StatxFlags::INO.union(StatxFlags::BTIME);

/// Which file an open one is; `None` if that cannot be told.
pub fn of_file(file: &File) -> Option<Birth> {
    told(&statx(file, "", AtFlags::EMPTY_PATH, WANTED).ok()?)
}

/// Which file this is, if the system has told that: it was asked for [`WANTED`].
pub fn told(found: &Statx) -> Option<Birth> {
    let known = StatxFlags::from_bits_retain(found.stx_mask).contains(WANTED);
    Some(Birth {
        inode: NonZeroU64::new(found.stx_ino).filter(|_| known)?,
        seconds: found.stx_btime.tv_sec,
        nanos: found.stx_btime.tv_nsec,
    })
}
