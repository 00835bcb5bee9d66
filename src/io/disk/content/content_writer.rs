//! Writes the content of one torrent to disk. The half that reads and knows what is there is
//! `content`; it hears of what was written by [`Changes`], since the two may be in different
//! threads.
//!
//! A file that is written is made as long as it will be at once, as a hole; what is longer than it
//! should be is left so, since content is never thrown away. Its modification time is pinned (see
//! [`pinned`](super::super::handles::pinned)).
//!
//! After an error nothing more is written: the download is over.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use rustix::io::Errno;

use crate::base::{Bits, Block, SortedMap};
use crate::io::disk::disk_error::{DiskError, Why};
use crate::io::disk::elsewhere::Elsewhere;
use crate::io::disk::faults::{self, Call};
use crate::io::disk::handles::birth;
use crate::io::disk::handles::files::Files;
use crate::io::disk::handles::pinned::{Change, Pinned, prepare, set_time};
use crate::io::disk::handles::stat;
use crate::io::disk::handles::tree::Access;
use crate::storage::{Birth, Layout, Owned, Span, Stamp};

/// Blocks in a buffer that was read into: each with the place of its first byte there.
pub type Blocks = Vec<(Block, usize)>;

/// Writes the files of one torrent.
#[derive(Debug)]
pub struct ContentWriter {
    layout: Arc<Layout>,
    files: Files,
    /// Files written.
    pinned: BTreeMap<usize, Pinned>,
    changes: Changes,
    broken: Option<DiskError>,
    /// Takes the bytes of barred files.
    elsewhere: Option<Elsewhere>,
    /// Files to be written to only with what they hold already.
    precious: BTreeSet<usize>,
    /// Files that were there when we looked, and their identity: a file that is in such a place by
    /// now and is another one is not ours.
    there: Option<(Bits, SortedMap<usize, Birth>)>,
}

/// What writing changed.
#[derive(Debug, Default)]
pub struct Changes {
    /// Files that are written for the first time: what they were before, and what they are pinned
    /// at.
    pub pinned: Vec<(usize, Stamp, Pinned)>,
    /// Files that another program has changed meanwhile.
    pub changed: BTreeSet<usize>,
    /// Files whose time cannot be pinned, and their size and time after the last write.
    pub unpinned: BTreeMap<usize, Stamp>,
    /// Files whose time cannot be pinned and is not the one that the last write left.
    pub doubtful: BTreeSet<usize>,
    /// Files that were not chosen and cannot be made: barred from now on.
    pub barred: BTreeSet<usize>,
    /// Pieces of which bytes of barred files were kept elsewhere.
    pub elsewhere: BTreeSet<u32>,
    /// Files written.
    pub written: BTreeSet<usize>,
    /// Bytes written.
    pub bytes: u64,
}

/// What was not written of some blocks.
#[derive(Debug)]
pub struct Unwritten {
    /// The first block of which that is uncertain.
    pub from: usize,
    /// Why.
    pub error: DiskError,
}

/// Neighbouring bytes of one file that lie apart in a buffer. Written by one call, they cost half
/// of what a call for each block does.
#[derive(Debug)]
struct Run<'a> {
    first: usize,
    file: usize,
    offset: u64,
    end: u64,
    parts: Vec<IoSlice<'a>>,
}

impl ContentWriter {
    /// Writes to these files.
    pub fn new(layout: Arc<Layout>, files: Files) -> ContentWriter {
        ContentWriter {
            layout,
            files,
            pinned: BTreeMap::new(),
            changes: Changes::default(),
            broken: None,
            elsewhere: None,
            precious: BTreeSet::new(),
            there: None,
        }
    }

    /// The same with the bytes of barred files kept elsewhere, and nothing else written to
    /// `precious` files than what they hold.
    pub fn sparing(self, elsewhere: Option<Elsewhere>, precious: BTreeSet<usize>) -> ContentWriter {
        ContentWriter {
            elsewhere,
            precious,
            ..self
        }
    }

    /// The same with all files but those found, and no other in their place, expected to have no
    /// bytes when they are first written to.
    pub fn expecting(self, found: &[Option<Stamp>], owned: &Owned) -> ContentWriter {
        let mut there = Bits::new(found.len() as u32);
        for (file, _) in found
            .iter()
            .enumerate()
            .filter(|(_, stamp)| stamp.is_some())
        {
            there.set(file as u32);
        }
        ContentWriter {
            there: Some((there, owned.known().collect())),
            ..self
        }
    }

    /// Writes blocks that lie in a buffer to their files. Padding in them is dropped.
    ///
    /// # Errors
    /// A file cannot be made or written, or is not as we left it. What was written before that
    /// stays.
    pub fn write(&mut self, buffer: &[u8], blocks: &[(Block, usize)]) -> Result<(), Unwritten> {
        if let Some(error) = self.broken.clone() {
            return Err(Unwritten { from: 0, error });
        }
        let written = self.write_runs(buffer, blocks);
        self.broken = written.as_ref().err().map(|failed| failed.error.clone());
        written
    }

    fn write_runs(&mut self, buffer: &[u8], blocks: &[(Block, usize)]) -> Result<(), Unwritten> {
        let layout = Arc::clone(&self.layout);
        let mut run: Option<Run<'_>> = None;
        for (place, &(block, at)) in blocks.iter().enumerate() {
            let data = &buffer[at..at + block.len as usize];
            let start = layout.geometry().offset(block);
            for span in layout.spans(start, data.len()).filter(|span| !span.padding) {
                if self
                    .elsewhere
                    .as_ref()
                    .is_some_and(|away| away.takes(span.file))
                {
                    self.put(run.take())?;
                    let kept = self.keep_elsewhere(start, span, data);
                    kept.map_err(|error| Unwritten { from: place, error })?;
                    continue;
                }
                let part = IoSlice::new(&data[span.at..span.at + span.len]);
                match &mut run {
                    Some(run) if run.file == span.file && run.end == span.offset => {
                        run.parts.push(part);
                        run.end += span.len as u64;
                    }
                    _ => {
                        self.put(run.replace(Run::new(place, span, part)))?;
                    }
                }
            }
        }
        self.put(run)
    }

    /// What writing changed since the last call.
    pub fn take_changes(&mut self) -> Changes {
        std::mem::take(&mut self.changes)
    }

    fn keep_elsewhere(&mut self, start: u64, span: Span, data: &[u8]) -> Result<(), DiskError> {
        let Some(elsewhere) = &mut self.elsewhere else {
            return Ok(());
        };
        for (part, own) in elsewhere.parts(start, span) {
            elsewhere.write(part, &data[own.at..own.at + own.len])?;
            self.changes.elsewhere.insert(part.piece);
        }
        Ok(())
    }

    fn put(&mut self, run: Option<Run<'_>>) -> Result<(), Unwritten> {
        let Some(run) = run else { return Ok(()) };
        let from = run.first;
        self.put_down(run)
            .map_err(|error| Unwritten { from, error })
    }

    fn put_down(&mut self, run: Run<'_>) -> Result<(), DiskError> {
        if self.is_there(&run) {
            return Ok(());
        }
        let (file, bytes) = (run.file, run.end - run.offset);
        if self.precious.contains(&file) {
            return Err(DiskError::new(self.files.path(file), Why::Foreign));
        }
        if let Err(error) = self.pin(file) {
            return self.bar(&run, error);
        }
        self.changes.written.insert(file);
        self.changes.bytes += bytes;
        let path = self.files.path(file);
        let fail = |error: io::Error| DiskError::new(&path, error);
        let open = self.files.get(file)?;
        let open = &**open;
        let found = stat::look_at(open).map_err(fail)?;
        let pinned = self.pinned.get_mut(&file);
        if let Some(change) = pinned.as_ref().and_then(|pinned| pinned.change(found)) {
            self.changes.changed.insert(file);
            if change == Change::Gone {
                return Err(DiskError::new(&path, Why::Changed));
            }
        }
        let written = write_all(open, run.parts, run.offset, &path);
        match pinned.map(|pinned| (pinned.times, pinned)) {
            // Where it fails, the file is found to have been changed: then it is hashed, which is
            // right.
            Some((Some(times), pinned)) => {
                let _ = set_time(open, pinned.stamp, times, &path);
            }
            Some((None, pinned)) => {
                if found.1 != pinned.stamp {
                    self.changes.doubtful.insert(file);
                }
                pinned.stamp = stat::stamp_of(open).map_err(fail)?;
                self.changes.unpinned.insert(file, pinned.stamp);
            }
            None => {}
        }
        faults::keep_pace(bytes);
        written.map_err(fail)
    }

    /// A file cannot be made, or not as long as it will be: if it was not chosen its bytes are kept
    /// elsewhere. Where there is no room for it, there is none elsewhere either.
    fn bar(&mut self, run: &Run<'_>, error: DiskError) -> Result<(), DiskError> {
        let file = run.file;
        let length = self.layout.length(file);
        let metainfo = Arc::clone(self.files.metainfo());
        let found = self.files.tree.stamp(&metainfo.files[file].path);
        let whole = found.ok().flatten().is_some_and(|it| it.size >= length);
        let room = !matches!(error.why, Why::Full | Why::Quota);
        match &mut self.elsewhere {
            Some(elsewhere) if elsewhere.may_bar(file) && room && !whole => elsewhere.bar(file),
            _ => return Err(error),
        }
        log::debug!("its bytes are kept in the state folder: {error}");
        self.changes.barred.insert(file);
        let data: Vec<u8> = run
            .parts
            .iter()
            .flat_map(|part| part.iter())
            .copied()
            .collect();
        let span = Span {
            file,
            offset: run.offset,
            len: data.len(),
            padding: false,
            at: 0,
        };
        self.keep_elsewhere(self.layout.range(file).start + run.offset, span, &data)
    }

    /// Whether these bytes are on disk already, in a file of full size that we did not write. A
    /// file that is complete then keeps its time, though a piece that it shares with an incomplete
    /// one comes in again.
    fn is_there(&mut self, run: &Run<'_>) -> bool {
        if self.pinned.contains_key(&run.file) {
            return false;
        }
        let metainfo = Arc::clone(self.files.metainfo());
        let entry = &metainfo.files[run.file];
        let tree = &mut self.files.tree;
        let found = tree.stamp(&entry.path).ok().flatten();
        if found.is_none_or(|found| found.size < entry.length) {
            return false;
        }
        let Ok(open) = tree.open(&entry.path, Access::Read) else {
            return false;
        };
        let mut offset = run.offset;
        run.parts.iter().all(|part| {
            let mut present = vec![0; part.len()];
            let read = open.read_exact_at(&mut present, offset);
            offset += part.len() as u64;
            read.is_ok() && present[..] == part[..]
        })
    }

    /// Before the first write to a file: makes it as long as it will be, and notes the time to pin
    /// it at.
    fn pin(&mut self, file: usize) -> Result<(), DiskError> {
        if self.pinned.contains_key(&file) {
            return Ok(());
        }
        let length = self.layout.length(file);
        let path = self.files.path(file);
        let open = self.files.get(file)?;
        let open = &**open;
        let expected = self.there.as_ref().is_none_or(|(there, births)| {
            let known = births.get(&file).copied();
            there.get(file as u32) && (known.is_none() || known == birth::of_file(open))
        });
        if !expected && open.metadata().is_ok_and(|found| found.len() > 0) {
            return Err(DiskError::new(&path, Why::Foreign));
        }
        let prepared = prepare(open, length, &path);
        let (before, pinned) = prepared.map_err(|error| DiskError::new(&path, error))?;
        self.pinned.insert(file, pinned);
        self.changes.pinned.push((file, before, pinned));
        Ok(())
    }
}

impl<'a> Run<'a> {
    fn new(first: usize, span: Span, part: IoSlice<'a>) -> Run<'a> {
        Run {
            first,
            file: span.file,
            offset: span.offset,
            end: span.offset + span.len as u64,
            parts: vec![part],
        }
    }
}

fn write_all(
    file: &File,
    mut parts: Vec<IoSlice<'_>>,
    mut offset: u64,
    path: &Path,
) -> io::Result<()> {
    let mut left = &mut parts[..];
    while !left.is_empty() {
        let bytes: usize = left.iter().map(|part| part.len()).sum();
        let what = || format!("{offset} {bytes} {}", path.display());
        let written = faults::call(Call::Write, what, |short| {
            if !short {
                rustix::io::pwritev(file, left, offset)
            } else {
                rustix::io::pwrite(file, &left[0][..left[0].len().div_ceil(2)], offset)
            }
        });
        match written {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                offset += written as u64;
                IoSlice::advance_slices(&mut left, written);
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
