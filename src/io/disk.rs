//! The content of one torrent on disk: the half that reads and knows what is there, owned by the event loop. The half that writes is
//! the [`Pen`]; what that did is noted here, so that it can be synced, recorded and settled: [`Disk::settle`] gives the files that
//! were written, whose times were held until then, their real ones.
//!
//! Another program may write to these files, cut them off, move or replace them meanwhile. What is then found to be another file than
//! it should be is recorded as unknown, so that a restart hashes it, and never sent to anybody.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Advice, SeekFrom};
use rustix::io::Errno;

use super::disk_error::{DiskError, Why};
use super::faults::{self, Call};
use super::files::Files;
use super::pen::{Change, Held, News, Pen};
use super::tree::{self, Access, Tree};
use crate::base::geometry::Block;
use crate::storage::layout::{Layout, Span};
use crate::storage::resume::Stamp;
use crate::wire::metainfo::{FileKind, Metainfo};
use crate::wire::paths;

/// Files to be synced, by another thread.
#[derive(Debug)]
pub struct Unsynced {
    /// Each by its number.
    pub files: Vec<(usize, Held)>,
    /// Bytes written to them.
    pub bytes: u64,
    metainfo: Arc<Metainfo>,
}

impl Unsynced {
    /// Where each lies below the tree, with what is known of it.
    pub fn each(&self) -> impl Iterator<Item = (&str, &Held)> {
        let path = |file: usize| &*self.metainfo.files[file].path;
        self.files
            .iter()
            .map(move |(file, held)| (path(*file), held))
    }
}

/// The files of one torrent.
#[derive(Debug)]
pub struct Disk {
    layout: Arc<Layout>,
    files: Files,
    /// Each file as the resume data may call it; `None`: missing, or changed by somebody else while we looked.
    stamps: Vec<Option<Stamp>>,
    /// Files written since the last settling.
    held: BTreeMap<usize, Held>,
    /// A file that another program has changed: the first that was noticed.
    changed: Option<usize>,
    /// The file that was read last to be sent.
    to_send: Option<usize>,
    /// A file that was read to be sent and is not what it was, or cannot be looked at.
    other: Option<(usize, DiskError)>,
    /// Files written since they were last handed out to be synced, and how many bytes.
    unsynced: (BTreeSet<usize>, u64),
    /// A run of bytes of a file known to be a hole: from, to.
    hole: Option<(usize, u64, u64)>,
}

impl Disk {
    /// The content of this torrent below `dir`. Nothing is touched yet.
    pub fn new(dir: &Path, metainfo: Arc<Metainfo>) -> Disk {
        Disk {
            layout: Arc::new(Layout::new(&metainfo.files, metainfo.geometry)),
            stamps: vec![None; metainfo.files.len()],
            held: BTreeMap::new(),
            changed: None,
            to_send: None,
            other: None,
            unsynced: (BTreeSet::new(), 0),
            hole: None,
            files: Files::new(Tree::new(dir), metainfo, false),
        }
    }

    /// The same, holding at most `most` files open.
    pub fn with_handles(self, most: usize) -> Disk {
        Disk {
            files: self.files.with_most(most),
            ..self
        }
    }

    /// The half that writes: what it does is to be told to [`Disk::note`].
    ///
    /// # Errors
    /// There are too many open files.
    pub fn pen(&self) -> Result<Pen, DiskError> {
        let files = Files::new(self.tree()?, Arc::clone(self.files.metainfo()), true);
        Ok(Pen::new(Arc::clone(&self.layout), files))
    }

    /// Notes what was written.
    pub fn note(&mut self, news: News) {
        for (file, before, held) in news.held {
            self.held.insert(file, held);
            // Whoever changed the file since we looked at it may have damaged what we count as held.
            let ours = self.stamps[file].is_none_or(|known| known == before);
            self.stamps[file] = Some(held.stamp);
            if !ours {
                self.on_changed(file);
            }
        }
        for file in news.changed {
            self.on_changed(file);
        }
        if news.bytes > 0 {
            self.hole = None;
        }
        self.unsynced.0.extend(news.written);
        self.unsynced.1 += news.bytes;
    }

    /// Where the files lie in the content.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Where a file lies on disk, for messages.
    pub fn path(&self, file: usize) -> PathBuf {
        self.files.path(file)
    }

    /// Looks at every file's size and time. Where that fails, the file counts as missing; the reasons come back.
    pub fn look(&mut self) -> Vec<DiskError> {
        let mut errors = Vec::new();
        let metainfo = Arc::clone(self.files.metainfo());
        let mut absent = String::new();
        for (file, entry) in metainfo.files.iter().enumerate() {
            let known = !absent.is_empty() && paths::is_in(&absent, &entry.path);
            if known || entry.kind != FileKind::File {
                self.stamps[file] = None;
                continue;
            }
            let tree = &mut self.files.tree;
            self.stamps[file] = tree.stamp(&entry.path).unwrap_or_else(|error| {
                errors.push(error);
                None
            });
            absent = tree.absent().map_or(absent, String::from);
        }
        errors
    }

    /// Each file as the resume data are to record it; `None` where it is missing, and for padding and links. Costs nothing: files
    /// are looked at by [`Disk::look`], and after that only our own writes change what is known.
    pub fn stamps(&self) -> &[Option<Stamp>] {
        &self.stamps
    }

    /// Files that are longer than the torrent says. Their surplus is left alone.
    pub fn oversized(&self) -> impl Iterator<Item = usize> + '_ {
        let sized = self.stamps.iter().enumerate();
        sized
            .filter_map(|(file, stamp)| ((*stamp)?.size > self.layout.length(file)).then_some(file))
    }

    /// Fills `buffer` with the bytes from `offset` in the content on. Padding reads as zeros.
    ///
    /// # Errors
    /// A file is missing, too short, or cannot be read.
    pub fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        let layout = Arc::clone(&self.layout);
        for span in layout.spans(offset, buffer.len()) {
            self.read_span(span, &mut buffer[span.at..span.at + span.len])?;
        }
        Ok(())
    }

    /// The same for what is to be sent, once [`Disk::vouch`] has vouched for it. `writing` (to both): a thread of ours writes meanwhile.
    ///
    /// # Errors
    /// This file cannot be read; or it is not what was verified: [`Why::Changed`].
    pub fn read_to_send(
        &mut self,
        offset: u64,
        buffer: &mut [u8],
        writing: bool,
    ) -> Result<(), (usize, DiskError)> {
        let layout = Arc::clone(&self.layout);
        for span in layout.spans(offset, buffer.len()) {
            if self.to_send != Some(span.file) && !span.padding {
                self.look_again(writing);
                self.to_send = Some(span.file);
            }
            let read = self.read_span(span, &mut buffer[span.at..span.at + span.len]);
            read.map_err(|error| (span.file, self.since_verified(span.file, error)))?;
        }
        Ok(())
    }

    /// Whether the files that were read to be sent are still what was verified, as far as size, time and name tell. Asked after reading,
    /// it answers for what was read.
    ///
    /// # Errors
    /// This one is not ([`Why::Changed`]), or cannot be looked at.
    pub fn vouch(&mut self, writing: bool) -> Result<(), (usize, DiskError)> {
        self.look_again(writing);
        self.other.take().map_or(Ok(()), Err)
    }

    /// Looks at the file that was read last, while it is still open: there may be a thousand of them in a block.
    fn look_again(&mut self, writing: bool) {
        if let Some(file) = self.to_send.take() {
            if let Err(error) = self.look_at(file, writing) {
                let error = self.since_verified(file, error);
                self.other.get_or_insert((file, error));
            }
        }
    }

    fn read_span(&mut self, span: Span, part: &mut [u8]) -> Result<(), DiskError> {
        if span.padding {
            part.fill(0);
            return Ok(());
        }
        let read = read_exact(self.files.get(span.file)?, part, span.offset);
        read.map_err(|error| DiskError::new(self.path(span.file), error))
    }

    /// What an error says of a file that was there, and long enough, when it was verified.
    fn since_verified(&self, file: usize, error: DiskError) -> DiskError {
        match error.why {
            Why::Missing | Why::Short | Why::InTheWay => {
                DiskError::new(self.path(file), Why::Changed)
            }
            _ => error,
        }
    }

    fn look_at(&mut self, file: usize, writing: bool) -> Result<(), DiskError> {
        let (known, held) = (self.stamps[file], self.held.get(&file).copied());
        let found = tree::look_at(self.files.get(file)?);
        let found = found.map_err(|error| DiskError::new(self.path(file), error))?;
        let intact = match held {
            Some(held) => {
                let change = held.change(found);
                // Its time is another one while it is being written to.
                let ours = change == Some(Change::Written) && writing;
                known.is_some() && (change.is_none() || ours)
            }
            None => known == Some(found.1),
        };
        match intact && self.files.is_named(file)? {
            true => Ok(()),
            false => Err(DiskError::new(self.path(file), Why::Changed)),
        }
    }

    /// Whether this file was written to and not settled.
    pub fn is_held(&self, file: usize) -> bool {
        self.held.contains_key(&file)
    }

    /// Looks for changes by others in all files that were written and not settled, where their names lead. To be called when nothing
    /// is being written. The first file that was ever found to be changed.
    pub fn find_changed(&mut self) -> Option<DiskError> {
        let metainfo = Arc::clone(self.files.metainfo());
        let mut changed = Vec::new();
        for (&file, held) in &self.held {
            let changes = match self.files.tree.look(&metainfo.files[file].path) {
                Ok(found) => found.is_none_or(|found| held.change(found).is_some()),
                // What cannot be looked at now may be well: that is asked again when it is settled.
                Err(error) => error.why == Why::InTheWay,
            };
            if changes {
                changed.push(file);
            }
        }
        for file in changed {
            self.on_changed(file);
        }
        self.changed()
    }

    /// A file that another program has changed since it was looked at or written first. What is recorded of it is that nothing is known.
    pub fn changed(&self) -> Option<DiskError> {
        let file = self.changed?;
        Some(DiskError::new(self.path(file), Why::Changed))
    }

    /// Asks the system to have a block in memory soon. Only a hint, so that failing is no error.
    pub fn read_ahead(&mut self, block: Block) {
        let start = self.layout.geometry().offset(block);
        let layout = Arc::clone(&self.layout);
        let spans = layout.spans(start, block.len as usize);
        for span in spans.filter(|span| !span.padding) {
            if let Ok(file) = self.files.get(span.file) {
                let len = std::num::NonZeroU64::new(span.len as u64);
                let _ = rustix::fs::fadvise(file, span.offset, len, Advice::WillNeed);
            }
        }
    }

    /// Whether a piece lies in holes of its files altogether, so that it reads as zeros. False where that cannot be told.
    pub fn is_hole(&mut self, piece: u32) -> bool {
        let layout = Arc::clone(&self.layout);
        let geometry = layout.geometry();
        let len = geometry.piece_size(piece) as usize;
        let mut spans = layout.spans(geometry.piece_start(piece), len);
        spans.all(|span| span.padding || self.is_in_hole(span))
    }

    /// Gives all files that were written the modification time `time`, in seconds since 1970. To be called when nothing more will be
    /// written to them, all is synced, and the resume data name that time. True if every file that is still ours has it now.
    pub fn settle(&mut self, time: i64) -> bool {
        let mut exact = true;
        while let Some((file, held)) = self.held.pop_first() {
            let metainfo = Arc::clone(self.files.metainfo());
            let path = &metainfo.files[file].path;
            let tree = &mut self.files.tree;
            let found = tree.look(path).unwrap_or_default();
            if self.stamps[file].is_none() || found.is_none_or(|found| held.change(found).is_some())
            {
                self.on_changed(file);
                exact = false;
                continue;
            }
            if let Err(error) = tree.set_time(path, time) {
                log::debug!("its time is not set: {error}");
            }
            self.stamps[file] = tree.stamp(path).unwrap_or_default();
            exact &= self.stamps[file].is_some_and(|stamp| stamp.is_of(time));
        }
        exact
    }

    /// Whether no file was written to and not settled.
    pub fn is_settled(&self) -> bool {
        self.held.is_empty()
    }

    /// The same files, for another thread.
    ///
    /// # Errors
    /// There are too many open files.
    pub fn tree(&self) -> Result<Tree, DiskError> {
        self.files.tree.sibling()
    }

    /// What must be synced before resume data may say that everything noted so far is held. The next call names only what is written
    /// from now on.
    pub fn unsynced(&mut self) -> Unsynced {
        let (files, bytes) = std::mem::take(&mut self.unsynced);
        let known = files.into_iter().filter_map(|file| {
            let held = self.held.get_mut(&file)?;
            let new = std::mem::take(&mut held.new);
            Some((file, Held { new, ..*held }))
        });
        Unsynced {
            files: known.collect(),
            bytes,
            metainfo: Arc::clone(self.files.metainfo()),
        }
    }

    /// Bytes written since [`Disk::unsynced`] was called.
    pub fn unsynced_bytes(&self) -> u64 {
        self.unsynced.1
    }

    /// Makes those of `files` that have no bytes, with the folders they lie in.
    ///
    /// # Errors
    /// One cannot be made.
    pub fn make_empty(&mut self, files: impl IntoIterator<Item = usize>) -> Result<(), DiskError> {
        for file in files {
            let metainfo = Arc::clone(self.files.metainfo());
            let Some(entry) = metainfo.files.get(file) else {
                continue;
            };
            let executable = entry.executable;
            if entry.kind == FileKind::File && entry.length == 0 && self.stamps[file].is_none() {
                let made = self
                    .files
                    .tree
                    .open(&entry.path, Access::Write { executable })?;
                self.stamps[file] = tree::stamp_of(&made).ok();
            }
        }
        Ok(())
    }

    /// Another program has changed this file: what is recorded of it from now on is that nothing is known.
    pub fn on_changed(&mut self, file: usize) {
        self.stamps[file] = None;
        self.changed.get_or_insert(file);
    }

    fn is_in_hole(&mut self, span: Span) -> bool {
        let end = span.offset + span.len as u64;
        if let Some((file, from, to)) = self.hole {
            if file == span.file && from <= span.offset && end <= to {
                return true;
            }
        }
        let length = self.layout.length(span.file);
        let Ok(open) = self.files.get(span.file) else {
            return false;
        };
        let to = match rustix::fs::seek(open, SeekFrom::Data(span.offset)) {
            Ok(data) => data,
            // No data from there to the end of the file, wherever that is.
            Err(Errno::NXIO) => match tree::stamp_of(open) {
                Ok(stamp) => stamp.size.min(length),
                Err(_) => return false,
            },
            Err(_) => return false,
        };
        self.hole = Some((span.file, span.offset, to));
        end <= to
    }
}

fn read_exact(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    faults::call(Call::Read, String::new, |short| match short {
        false => file.read_exact_at(buffer, offset),
        true => Err(io::ErrorKind::UnexpectedEof.into()),
    })
}
