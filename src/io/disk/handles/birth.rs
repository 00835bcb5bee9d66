//! Which file it is, for ever: what [`Birth`] says, as this system tells it.

use std::fs::File;
use std::num::NonZeroU64;
use std::os::fd::{AsFd as _, BorrowedFd};

use rustix::fs::{AtFlags, StatxFlags, statx};

use crate::storage::Birth;

/// Which file an open one is; `None` if that cannot be told.
pub fn of(file: &File) -> Option<Birth> {
    birth(file.as_fd(), "", AtFlags::EMPTY_PATH)
}

/// The identity of the file at this path; `None` if that cannot be told. Links are not followed.
pub fn of_name(folder: BorrowedFd<'_>, name: &str) -> Option<Birth> {
    birth(folder, name, AtFlags::SYMLINK_NOFOLLOW)
}

fn birth(folder: BorrowedFd<'_>, name: &str, flags: AtFlags) -> Option<Birth> {
    let wanted = StatxFlags::INO | StatxFlags::BTIME;
    let found = statx(folder, name, flags, wanted).ok()?;
    let known = StatxFlags::from_bits_retain(found.stx_mask).contains(wanted);
    Some(Birth {
        inode: NonZeroU64::new(found.stx_ino).filter(|_| known)?,
        seconds: found.stx_btime.tv_sec,
        nanos: found.stx_btime.tv_nsec,
    })
}
