//! Holes of files: runs that were never written, take no place on the disk and read as zeros.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use rustix::fs::SeekFrom;
use rustix::io::Errno;

use super::files::Files;
use super::stat;
use crate::base::limits;
use crate::storage::Span;

/// The hole that was found last, since the next span mostly lies in it, too.
#[derive(Debug, Default)]
pub struct Holes {
    last: Option<Hole>,
}

/// A run of bytes of a file.
#[derive(Clone, Copy, Debug)]
struct Hole {
    file: usize,
    from: u64,
    to: u64,
}

impl Holes {
    /// Whether a span lies in a hole of its file, which has `length` bytes when it is whole. False
    /// where that cannot be told.
    pub fn covers(&mut self, files: &mut Files, span: Span, length: u64) -> bool {
        let end = span.offset + span.len as u64;
        let known =
            |hole: Hole| hole.file == span.file && hole.from <= span.offset && end <= hole.to;
        if self.last.is_some_and(known) {
            return true;
        }
        let Ok(open) = files.get(span.file) else {
            return false;
        };
        let to = match rustix::fs::seek(&**open, SeekFrom::Data(span.offset)) {
            Ok(data) => data,
            // No data from there to the end of the file, wherever that is.
            Err(Errno::NXIO) => match stat::stamp_of(&open) {
                Ok(stamp) => stamp.size.min(length),
                Err(_) => return false,
            },
            Err(_) => return false,
        };
        self.last = Some(Hole {
            file: span.file,
            from: span.offset,
            to,
        });
        end <= to
    }

    /// Something was written: what was known of holes may be wrong.
    pub fn forget(&mut self) {
        self.last = None;
    }
}

/// Bytes of a file that are read first: most files that are not blank show it there, and of a
/// thousand torrents a thousand files are looked at.
const FIRST: usize = 4 * limits::KIB;

/// Whether a file holds nothing but zeros. False where that cannot be told.
pub fn is_blank(file: &File) -> bool {
    let mut buffer = vec![0; FIRST];
    let mut next = 0;
    loop {
        match rustix::fs::seek(file, SeekFrom::Data(next)) {
            Ok(data) => next = data,
            Err(Errno::NXIO) => return true,
            // Holes cannot be asked for here.
            Err(_) => {}
        }
        match file.read_at(&mut buffer, next) {
            Ok(0) => return true,
            Ok(len) if buffer[..len].iter().all(|&byte| byte == 0) => next += len as u64,
            _ => return false,
        }
        if buffer.len() < limits::SLICE {
            buffer = vec![0; limits::SLICE];
        }
    }
}
