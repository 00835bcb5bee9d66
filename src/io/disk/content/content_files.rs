//! The content of one torrent on disk: the half that reads and knows what is there, owned by the
//! event loop. The half that writes is the [`ContentWriter`]; what that did is noted in the
//! [`Ledger`], so that it can be synced, recorded and settled.
//!
//! Another program may write to these files, cut them off, move or replace them meanwhile. What is
//! then found to be another file than it should be is recorded as unknown, so that a restart hashes
//! it, and never sent to a peer.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::Advice;

use super::content_writer::{Changes, ContentWriter};
use super::ledger::{Ledger, Unsynced};
use crate::base::{Block, InfoHash};
use crate::io::disk::disk_error::{DiskError, Why};
use crate::io::disk::elsewhere::Elsewhere;
use crate::io::disk::faults::{self, Call};
use crate::io::disk::handles::Pool;
use crate::io::disk::handles::files::Files;
use crate::io::disk::handles::holes::{self, Holes};
use crate::io::disk::handles::pool::{Handle, Share, Side};
use crate::io::disk::handles::stat;
use crate::io::disk::handles::tree::{Access, Tree};
use crate::storage::{Layout, Span, Stamp};
use crate::wire::{FileKind, Metainfo};

/// The files of one torrent.
#[derive(Debug)]
pub struct ContentFiles {
    pub(super) layout: Arc<Layout>,
    pub(super) files: Files,
    pub(super) ledger: Ledger,
    holes: Holes,
    /// Where the bytes of barred files are; `None`: there are none.
    elsewhere: Option<Elsewhere>,
    /// Files to be written to only with what they hold already.
    precious: BTreeSet<usize>,
}

impl ContentFiles {
    /// The content of this torrent below `dir`, with handles from this pool. Nothing is touched
    /// yet.
    pub fn new(dir: &Path, metainfo: Arc<Metainfo>, pool: &Pool) -> ContentFiles {
        ContentFiles {
            layout: Arc::new(Layout::new(&metainfo.files, metainfo.geometry)),
            ledger: Ledger::new(Arc::clone(&metainfo)),
            holes: Holes::default(),
            elsewhere: None,
            precious: BTreeSet::new(),
            files: Files::new(Tree::new(dir, pool), metainfo),
        }
    }

    /// Notes files that are not known to be ours: see [`Ledger::set_strangers`].
    pub fn set_strangers(&mut self, files: BTreeSet<usize>) {
        self.ledger.set_strangers(files);
    }

    /// Has nothing else written to these files than what they hold. To be called before
    /// [`ContentFiles::writer`].
    pub fn spare(&mut self, precious: BTreeSet<usize>) {
        self.precious = precious;
    }

    /// Has the bytes of barred files kept there. To be called before [`ContentFiles::writer`].
    pub fn keep_elsewhere(&mut self, elsewhere: Elsewhere) {
        self.ledger.bar(elsewhere.files());
        self.elsewhere = Some(elsewhere);
    }

    /// Where the bytes of barred files are, if there are any.
    pub fn elsewhere(&self) -> Option<&Elsewhere> {
        self.elsewhere.as_ref()
    }

    /// The half that writes: what it does is to be told to [`ContentFiles::note`]. Unless
    /// `overwrite`, it writes to no file that has come since the last look.
    pub fn writer(&self, overwrite: bool) -> ContentWriter {
        let files = Files::new(self.tree(Side::Writer), Arc::clone(self.files.metainfo()));
        let mut writer = ContentWriter::new(Arc::clone(&self.layout), files);
        if !overwrite {
            writer = writer.expecting(self.stamps(), self.ledger.owned());
        }
        writer.sparing(self.elsewhere.clone(), self.precious.clone())
    }

    /// Notes what was written.
    pub fn note(&mut self, changes: Changes) {
        if changes.bytes > 0 {
            self.holes.forget();
        }
        if let Some(elsewhere) = &mut self.elsewhere {
            elsewhere.note(&changes.barred, &changes.elsewhere);
            self.ledger.bar(elsewhere.files());
        }
        self.ledger.note(changes);
    }

    /// What is known of the files.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Which torrent it is.
    pub fn info_hash(&self) -> InfoHash {
        self.files.metainfo().info_hash
    }

    /// Where the files lie in the content.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Where a file lies on disk, for messages.
    pub fn path(&self, file: usize) -> PathBuf {
        self.files.path(file)
    }

    /// Looks at every file: see [`Ledger::look`].
    pub fn look(&mut self) -> Vec<DiskError> {
        self.ledger.look(&mut self.files.tree)
    }

    /// Finds out which files these are: see [`Ledger::find_owned`].
    pub fn find_owned(&mut self) {
        self.ledger.find_owned(&mut self.files.tree);
    }

    /// What is known of each file: see [`Ledger::stamps`].
    pub fn stamps(&self) -> &[Option<Stamp>] {
        self.ledger.stamps()
    }

    /// Files that are longer than the torrent says. Their surplus is left alone.
    pub fn oversized(&self) -> impl Iterator<Item = usize> + '_ {
        let sized = self.stamps().iter().enumerate();
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
            if !self.read_elsewhere(offset, span, buffer)? {
                self.read_span(span, &mut buffer[span.at..span.at + span.len])?;
            }
        }
        Ok(())
    }

    /// Reads what is kept elsewhere of a span of the content from `start` on; false if its file is
    /// where it belongs.
    pub(super) fn read_elsewhere(
        &mut self,
        start: u64,
        span: Span,
        buffer: &mut [u8],
    ) -> Result<bool, DiskError> {
        let away = |elsewhere: &&Elsewhere| !span.padding && elsewhere.takes(span.file);
        let Some(elsewhere) = self.elsewhere.as_ref().filter(away).cloned() else {
            return Ok(false);
        };
        for (part, own) in elsewhere.parts(start, span) {
            let out = &mut buffer[own.at..own.at + own.len];
            if elsewhere.kept().get(part.piece) {
                elsewhere.read(part, out)?;
            } else {
                self.read_span(own, out)?;
            }
        }
        Ok(true)
    }

    pub(super) fn read_span(&mut self, span: Span, part: &mut [u8]) -> Result<(), DiskError> {
        if span.padding {
            part.fill(0);
            return Ok(());
        }
        let open = self.files.get(span.file)?;
        self.read_open(&open, span, part)
    }

    /// Reads a span of a file that is open.
    ///
    /// # Errors
    /// It is too short, or cannot be read.
    pub fn read_open(&self, open: &Handle, span: Span, part: &mut [u8]) -> Result<(), DiskError> {
        let read = read_exact(open, part, span.offset);
        read.map_err(|error| DiskError::new(self.path(span.file), error))
    }

    /// Reads a span of a file that is open into several parts, by one call. Their lengths add up
    /// to that of the span. Whether all of it was read: an error is the business of whoever reads
    /// part by part.
    pub fn read_at_once(&self, open: &Handle, span: Span, parts: &mut [IoSliceMut<'_>]) -> bool {
        let read = faults::call(Call::Read, String::new, |short| {
            if short {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            rustix::io::preadv(&**open, parts, span.offset).map_err(io::Error::from)
        });
        read.is_ok_and(|read| read == span.len)
    }

    /// Whether some of a file is kept elsewhere, so that it is not read of the file itself.
    pub(super) fn is_elsewhere(&self, file: usize) -> bool {
        let elsewhere = self.elsewhere.as_ref();
        elsewhere.is_some_and(|elsewhere| elsewhere.takes(file))
    }

    /// Looks for changes by other programs: see [`Ledger::find_changed`]. The first file that was
    /// ever found to be changed.
    pub fn find_changed(&mut self) -> Option<DiskError> {
        self.ledger.find_changed(&mut self.files.tree);
        self.changed()
    }

    /// A file that another program has changed: see [`Ledger::changed`].
    pub fn changed(&self) -> Option<DiskError> {
        let file = self.ledger.changed()?;
        Some(DiskError::new(self.path(file), Why::Changed))
    }

    /// Another program has changed this file: see [`Ledger::on_changed`].
    pub fn on_changed(&mut self, file: usize) {
        self.ledger.on_changed(file);
    }

    /// What a user is told, once, where a file's time cannot be pinned.
    pub fn take_unpinned(&mut self) -> Option<String> {
        let file = self.ledger.take_unpinned()?;
        let path = self.path(file);
        let path = path.display();
        Some(format!(
            "{path}: its modification time cannot be set here: after a kill or a power cut, files \
             that were written since the last save are hashed again"
        ))
    }

    /// Asks the system to have a block in memory soon. Only a hint, so that failing is no error.
    pub fn read_ahead(&mut self, block: Block) {
        let start = self.layout.geometry().offset(block);
        let layout = Arc::clone(&self.layout);
        let spans = layout.spans(start, block.len as usize);
        for span in spans.filter(|span| !span.padding) {
            if let Ok(file) = self.files.get(span.file) {
                let len = std::num::NonZeroU64::new(span.len as u64);
                let _ = rustix::fs::fadvise(&**file, span.offset, len, Advice::WillNeed);
            }
        }
    }

    /// Whether a piece lies in holes of its files altogether, so that it reads as zeros. False
    /// where that cannot be told.
    pub fn is_hole(&mut self, piece: u32) -> bool {
        let layout = Arc::clone(&self.layout);
        let geometry = layout.geometry();
        let len = geometry.piece_size(piece) as usize;
        let mut spans = layout.spans(geometry.piece_start(piece), len);
        spans.all(|span| {
            let away = self.is_elsewhere(span.file);
            let length = layout.length(span.file);
            span.padding || (!away && self.holes.covers(&mut self.files, span, length))
        })
    }

    /// Gives files their real times: see [`Ledger::give_real_times`].
    pub fn give_real_times(&mut self, time: i64) -> bool {
        self.ledger.give_real_times(&mut self.files.tree, time)
    }

    /// The same files, for another one to open.
    pub fn tree(&self, side: Side) -> Tree {
        self.files.tree.sibling(side)
    }

    /// What keeps its files and folders open.
    pub fn handles(&self) -> &Share {
        self.files.tree.handles()
    }

    /// Closes all files and folders. What is used again is opened again.
    pub fn rest(&self) {
        self.handles().close();
    }

    /// What must be synced: see [`Ledger::unsynced`].
    pub fn unsynced(&mut self) -> Unsynced {
        self.ledger.unsynced()
    }

    /// Whether a file can be written to, or made: see [`Tree::check_writable`].
    ///
    /// # Errors
    /// Why it cannot.
    pub fn check_writable(&mut self, file: usize) -> Result<(), DiskError> {
        let metainfo = Arc::clone(self.files.metainfo());
        let entry = &metainfo.files[file];
        self.files.tree.check_writable(&entry.path, entry.length)
    }

    /// Whether a file holds nothing but zeros. False where that cannot be told.
    pub fn is_blank(&mut self, file: usize) -> bool {
        self.files
            .get(file)
            .is_ok_and(|open| holes::is_blank(&open))
    }

    /// Cuts off what those of `files` have too much.
    ///
    /// # Errors
    /// One cannot be written to.
    pub fn cut_off(&mut self, files: &[usize]) -> Result<(), DiskError> {
        let long: Vec<usize> = self.oversized().collect();
        let metainfo = Arc::clone(self.files.metainfo());
        for file in long.into_iter().filter(|file| files.contains(file)) {
            let access = Access::Write { executable: false };
            let open = self.files.tree.open(&metainfo.files[file].path, access)?;
            let cut = open.set_len(self.layout.length(file));
            cut.map_err(|error| DiskError::new(self.path(file), error))?;
            self.ledger.set(file, stat::stamp_of(&open).ok());
        }
        Ok(())
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
            if entry.kind == FileKind::File && entry.length == 0 && self.stamps()[file].is_none() {
                let made = self
                    .files
                    .tree
                    .open(&entry.path, Access::Write { executable })?;
                self.ledger.set(file, stat::stamp_of(&made).ok());
            }
        }
        Ok(())
    }
}

fn read_exact(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    faults::call(Call::Read, String::new, |short| {
        if !short {
            file.read_exact_at(buffer, offset)
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    })
}
