//! Bounds of what is read from the disk and written to it.

use super::{KIB, MIB};
use crate::base::time::Duration;

// Disk

/// Bytes hashed or read back at a time: few milliseconds on a slow disk, and still in the
/// second-level cache when it is hashed.
pub const SLICE: usize = 64 * KIB;
/// Bytes that the disk is told to read ahead at a time for a peer: a hint is a system call, and
/// most requests need none where a stretch is long.
pub const READ_AHEAD_AT_ONCE: usize = 256 * KIB;
/// Time one turn may spend on hashing what is on disk.
pub const CHECK_TURN: Duration = Duration::from_millis(10);
/// The disk is slow when the writes of one turn take this long: from then on a thread writes, so
/// that the loop does not wait again.
pub const SLOW_WRITE: Duration = Duration::from_millis(50);
/// Receive buffers that may wait to be written, of those that a quarter of `--memory` has room for:
/// 2 MiB, a disk's pause.
pub const BUFFERS: usize = 16;
/// Content that may be written and not synced is what the disk takes in this time: a stop waits for
/// it.
pub const UNSYNCED_TIME: Duration = Duration::from_millis(800);
/// The same in bytes, before it is known how fast the disk is.
pub const UNSYNCED_FIRST: u64 = 4 * MIB as u64;
/// The same at least, so that syncing pays.
pub const UNSYNCED_LEAST: u64 = 2 * MIB as u64;
/// The same at most: on a fast disk, holding back more brings nothing.
pub const UNSYNCED_MOST: u64 = 256 * MIB as u64;
/// Threads that look at what is on disk of new torrents: one, and another for each folder that does
/// not answer, up to this many.
pub const OPENERS: usize = 16;
/// Of these so many at most wait for folders of one mount: the others go on with what lies
/// elsewhere.
pub const OPENERS_EACH: usize = 3;
/// Handles of content files, and of folders that they lie in, that the whole process keeps open for
/// reading and for writing, if it may open many more.
pub const OPEN_FILES: usize = 128;
/// Bytes in a row of a file that was there before, of which whole pieces must be this torrent's if
/// it is to be written over: pieces may have one byte, which is right by chance in many a file, and
/// files of one kind begin alike, but not for so long. Half of a shorter file is enough.
pub const PROOF: u64 = 1_024;
/// Resume data is saved at most this often while pieces come in.
pub const SAVE_EVERY: Duration = Duration::from_secs(10);
