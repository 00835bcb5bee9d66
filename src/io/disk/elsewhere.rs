//! Bytes of files that were not chosen and whose place is barred, kept in the state folder: a piece
//! does not end where a file does, and cannot be verified, sent or checked without them. A place
//! is barred if it cannot be written to, or holds a file of the user's own. `INFOHASH.parts/` holds
//! a file for each such piece, in which each byte lies where it lies in the piece. None of it is
//! believed without hashing it.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::disk_error::DiskError;
use crate::base::{Bits, Geometry};
use crate::storage::Span;

/// Where the bytes of barred files are.
#[derive(Clone, Debug)]
pub struct Elsewhere {
    dir: PathBuf,
    geometry: Geometry,
    barred: BTreeSet<usize>,
    /// Files that were not chosen and become barred if they cannot be made after all.
    neighbours: BTreeSet<usize>,
    /// Pieces of which something is kept here.
    kept: Bits,
    /// The folder was there.
    is_there: bool,
}

/// A run of bytes of one piece.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// The piece.
    pub piece: u32,
    /// Where in the piece.
    pub begin: u64,
}

impl Elsewhere {
    /// The bytes of these files, in this folder. What an earlier run kept there is found.
    pub fn new(dir: &Path, geometry: Geometry, barred: BTreeSet<usize>) -> Elsewhere {
        let mut elsewhere = Elsewhere::nothing(dir, geometry);
        elsewhere.barred = barred;
        let entries = fs::read_dir(dir);
        let missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
        elsewhere.is_there = !entries.as_ref().is_err_and(missing);
        for entry in entries.into_iter().flatten().flatten() {
            let number = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok());
            if let Some(piece) = number.filter(|&piece: &u32| piece < geometry.pieces()) {
                elsewhere.kept.set(piece);
            }
        }
        elsewhere
    }

    /// Nothing is kept in this folder. It is not read.
    pub fn nothing(dir: &Path, geometry: Geometry) -> Elsewhere {
        Elsewhere {
            dir: dir.to_path_buf(),
            geometry,
            barred: BTreeSet::new(),
            neighbours: BTreeSet::new(),
            kept: Bits::new(geometry.pieces()),
            is_there: false,
        }
    }

    /// The same, where these files may be barred later.
    pub fn with_neighbours(self, neighbours: BTreeSet<usize>) -> Elsewhere {
        Elsewhere { neighbours, ..self }
    }

    /// Whether this file may be barred.
    pub fn may_bar(&self, file: usize) -> bool {
        self.neighbours.contains(&file)
    }

    /// From now on the bytes of this file are written here, too.
    pub fn bar(&mut self, file: usize) {
        self.barred.insert(file);
    }

    /// The files whose bytes are written here.
    pub fn files(&self) -> impl Iterator<Item = usize> + '_ {
        self.barred.iter().copied()
    }

    /// Whether the bytes of this file are written here.
    pub fn takes(&self, file: usize) -> bool {
        self.barred.contains(&file)
    }

    /// Pieces of which something is kept here.
    pub fn kept(&self) -> &Bits {
        &self.kept
    }

    /// Notes that these files are barred, too, and that something of these pieces is kept here now.
    pub fn note(&mut self, files: &BTreeSet<usize>, pieces: &BTreeSet<u32>) {
        self.barred.extend(files);
        for &piece in pieces {
            self.kept.set(piece);
        }
    }

    /// The parts of pieces that these bytes are, `start` being where the bytes begin in the
    /// content.
    pub fn parts(&self, start: u64, span: Span) -> impl Iterator<Item = (Part, Span)> + use<> {
        let length = u64::from(self.geometry.piece_length());
        let mut done = 0;
        std::iter::from_fn(move || {
            let at = start + (span.at + done) as u64;
            let begin = at % length;
            let len = usize::try_from(length - begin).unwrap_or(usize::MAX);
            let len = len.min(span.len - done);
            let part = Part {
                piece: u32::try_from(at / length).ok()?,
                begin,
            };
            let own = Span {
                offset: span.offset + done as u64,
                at: span.at + done,
                len,
                ..span
            };
            done += len;
            (len > 0).then_some((part, own))
        })
    }

    /// Keeps these bytes.
    ///
    /// # Errors
    /// The folder or the file cannot be made or written.
    pub fn write(&mut self, part: Part, data: &[u8]) -> Result<(), DiskError> {
        let path = self.path(part.piece);
        let fail = |error: io::Error| DiskError::new(&path, error);
        let mut made = DirBuilder::new();
        // What a user downloads is private to that user.
        made.recursive(true)
            .mode(0o700)
            .create(&self.dir)
            .map_err(fail)?;
        let mut options = File::options();
        options.write(true).create(true).truncate(false);
        // Not to be kept waiting by a named pipe.
        options.custom_flags(OFlags::NONBLOCK.bits() as i32);
        let file = options.open(&path).map_err(fail)?;
        file.write_all_at(data, part.begin).map_err(fail)?;
        self.kept.set(part.piece);
        Ok(())
    }

    /// Reads bytes that were kept.
    ///
    /// # Errors
    /// They were not, or cannot be read.
    pub fn read(&self, part: Part, buffer: &mut [u8]) -> Result<(), DiskError> {
        let path = self.path(part.piece);
        let mut options = File::options();
        options.read(true);
        options.custom_flags(OFlags::NONBLOCK.bits() as i32);
        let read = options.open(&path);
        let read = read.and_then(|file| file.read_exact_at(buffer, part.begin));
        read.map_err(|error| DiskError::new(path, error))
    }

    /// The same, where these files are barred.
    pub fn with_barred(self, barred: BTreeSet<usize>) -> Elsewhere {
        Elsewhere { barred, ..self }
    }

    /// The same without what earlier runs kept, which is removed: every file is in its own place
    /// now.
    pub fn cleared(self) -> Elsewhere {
        if !self.is_there {
            return self;
        }
        // What stays is not used again and only takes space.
        let _ = fs::remove_dir_all(&self.dir);
        Elsewhere::new(&self.dir, self.geometry, BTreeSet::new())
    }

    fn path(&self, piece: u32) -> PathBuf {
        self.dir.join(piece.to_string())
    }
}
