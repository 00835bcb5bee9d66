//! The content of one torrent on disk, owned by the event loop.
//!
//! Files are opened when first needed, and the least recently used is closed when there are too many. A file that is written is
//! made as long as it will be at once, as a hole; what is longer than it should be is left so, since content is never thrown away.
//!
//! While a download lasts, the modification time of the files it writes is held: after the writes of a turn it is set back to what
//! the resume data say. So after a `kill -9` our own writes are told from anybody else's (see `storage::resume`).
//! [`Disk::settle`] ends that: the real time is set, once.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Advice, SeekFrom};
use rustix::io::Errno;
use rustix::process::Resource;

use super::disk_error::{DiskError, Why};
use super::tree::{self, Access, Tree};
use crate::base::geometry::Block;
use crate::base::limits;
use crate::storage::layout::{Layout, Span};
use crate::storage::resume::Stamp;
use crate::wire::metainfo::{FileKind, Metainfo};

/// The files of one torrent.
#[derive(Debug)]
pub struct Disk {
    metainfo: Arc<Metainfo>,
    layout: Layout,
    tree: Tree,
    /// Open files, the last used first.
    handles: Vec<Handle>,
    most_handles: usize,
    /// Each file as the resume data may call it; `None`: missing, or changed by somebody else while we looked.
    stamps: Vec<Option<Stamp>>,
    /// Files written since the last settling, with the time they are held at.
    held: BTreeMap<usize, Stamp>,
    /// Files written since their time was last set back.
    touched: BTreeSet<usize>,
    /// Files written since they were last handed out to be synced.
    unsynced: BTreeSet<usize>,
    /// A run of bytes of a file known to be a hole: from, to.
    hole: Option<(usize, u64, u64)>,
}

#[derive(Debug)]
struct Handle {
    file: usize,
    open: File,
    writable: bool,
}

impl Disk {
    /// The content of this torrent below `dir`. Nothing is touched yet.
    pub fn new(dir: &Path, metainfo: Arc<Metainfo>) -> Disk {
        Disk {
            layout: Layout::new(&metainfo.files, metainfo.geometry),
            tree: Tree::new(dir),
            handles: Vec::new(),
            most_handles: handles_allowed(),
            stamps: vec![None; metainfo.files.len()],
            held: BTreeMap::new(),
            touched: BTreeSet::new(),
            unsynced: BTreeSet::new(),
            hole: None,
            metainfo,
        }
    }

    /// The same, holding at most `most` files open.
    pub fn with_handles(mut self, most: usize) -> Disk {
        self.most_handles = most.max(1);
        self
    }

    /// Where the files lie in the content.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Where a file lies on disk, for messages.
    pub fn path(&self, file: usize) -> PathBuf {
        let entry = self.metainfo.files.get(file);
        self.tree.path(entry.map_or(&[], |entry| &entry.path))
    }

    /// Looks at every file's size and time. Where that fails, the file counts as missing; the reasons come back.
    pub fn look(&mut self) -> Vec<DiskError> {
        let mut errors = Vec::new();
        for (file, entry) in self.metainfo.files.iter().enumerate() {
            if entry.kind == FileKind::File {
                self.stamps[file] = self.tree.stamp(&entry.path).unwrap_or_else(|error| {
                    errors.push(error);
                    None
                });
            }
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

    /// Writes a block to its files. Padding in it is dropped.
    ///
    /// # Errors
    /// A file cannot be made or written. What was written before that stays.
    pub fn write(&mut self, block: Block, data: &[u8]) -> Result<(), DiskError> {
        let start = self.layout.geometry().offset(block);
        let spans: Spans = self.layout.spans(start, data.len()).collect();
        for span in spans.into_iter().filter(|span| !span.padding) {
            let bytes = &data[span.at..span.at + span.len];
            if self.is_there(span, bytes) {
                continue;
            }
            self.hold(span.file)?;
            self.hole = None;
            let written = self
                .handle(span.file, true)?
                .write_all_at(bytes, span.offset);
            self.touched.insert(span.file);
            self.unsynced.insert(span.file);
            written.map_err(|error| DiskError::new(self.path(span.file), error))?;
        }
        Ok(())
    }

    /// Fills `buffer` with the bytes from `offset` in the content on. Padding reads as zeros.
    ///
    /// # Errors
    /// A file is missing, too short, or cannot be read.
    pub fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        let spans: Spans = self.layout.spans(offset, buffer.len()).collect();
        for span in spans {
            let part = &mut buffer[span.at..span.at + span.len];
            if span.padding {
                part.fill(0);
                continue;
            }
            let read = self
                .handle(span.file, false)?
                .read_exact_at(part, span.offset);
            read.map_err(|error| DiskError::new(self.path(span.file), error))?;
        }
        Ok(())
    }

    /// Asks the system to have a block in memory soon. Only a hint, so that failing is no error.
    pub fn read_ahead(&mut self, block: Block) {
        let start = self.layout.geometry().offset(block);
        let spans: Spans = self.layout.spans(start, block.len as usize).collect();
        for span in spans.into_iter().filter(|span| !span.padding) {
            if let Ok(file) = self.handle(span.file, false) {
                let len = std::num::NonZeroU64::new(span.len as u64);
                let _ = rustix::fs::fadvise(file, span.offset, len, Advice::WillNeed);
            }
        }
    }

    /// Whether a piece lies in holes of its files altogether, so that it reads as zeros. False where that cannot be told.
    pub fn is_hole(&mut self, piece: u32) -> bool {
        let geometry = self.layout.geometry();
        let len = geometry.piece_size(piece) as usize;
        let spans: Spans = self
            .layout
            .spans(geometry.piece_start(piece), len)
            .collect();
        spans
            .into_iter()
            .all(|span| span.padding || self.is_in_hole(span))
    }

    /// Sets the times of what was written back to what they are held at. To be called after the writes of a turn.
    pub fn pin(&mut self) {
        for file in std::mem::take(&mut self.touched) {
            if let Some(handle) = self.handles.iter().find(|handle| handle.file == file) {
                set_back(&handle.open, self.held.get(&file));
            }
        }
    }

    /// Gives files that were written their real modification time, at most `most` of them; true when none is left. To be called when
    /// nothing more will be written to them and all is synced: a kill before the resume data record the new time costs a full check.
    ///
    /// # Errors
    /// A file's time cannot be set. One that is gone is none.
    pub fn settle(&mut self, most: usize) -> Result<bool, DiskError> {
        for _ in 0..most {
            let Some((file, _)) = self.held.pop_first() else {
                break;
            };
            self.touched.remove(&file);
            let path = &self.metainfo.files[file].path;
            // Unknown until it is looked at again, so that an error leaves nothing untrue on record.
            let known = self.stamps[file].take();
            match self.tree.touch(path) {
                Ok(()) if known.is_some() => self.stamps[file] = self.tree.stamp(path)?,
                Err(error) if error.why != Why::Missing => return Err(error),
                _ => {}
            }
        }
        Ok(self.held.is_empty())
    }

    /// What must be synced before resume data may say that everything written so far is held: a tree for another thread, and the
    /// paths in it. The next call names only what is written from now on.
    ///
    /// # Errors
    /// There are too many open files.
    pub fn unsynced(&mut self) -> Result<(Tree, Vec<Vec<String>>), DiskError> {
        let tree = self.tree.sibling()?;
        let files = std::mem::take(&mut self.unsynced).into_iter();
        let paths = files.map(|file| self.metainfo.files[file].path.clone());
        Ok((tree, paths.collect()))
    }

    /// Makes those of `files` that have no bytes, with the folders they lie in.
    ///
    /// # Errors
    /// One cannot be made.
    pub fn make_empty(&mut self, files: impl IntoIterator<Item = usize>) -> Result<(), DiskError> {
        for file in files {
            let Some(entry) = self.metainfo.files.get(file) else {
                continue;
            };
            let executable = entry.executable;
            if entry.kind == FileKind::File && entry.length == 0 && self.stamps[file].is_none() {
                let made = self.tree.open(&entry.path, Access::Write { executable })?;
                self.stamps[file] = tree::stamp_of(&made).ok();
            }
        }
        Ok(())
    }

    /// Whether these bytes are on disk already, in a file of full size that we did not write. A file that is complete then keeps its
    /// time, though a piece that it shares with an incomplete one comes in again.
    fn is_there(&mut self, span: Span, bytes: &[u8]) -> bool {
        let length = self.layout.length(span.file);
        let whole = self.stamps[span.file].is_some_and(|stamp| stamp.size >= length);
        if !whole || self.held.contains_key(&span.file) {
            return false;
        }
        let mut present = vec![0; bytes.len()];
        let read = self
            .handle(span.file, false)
            .map(|file| file.read_exact_at(&mut present, span.offset));
        matches!(read, Ok(Ok(()))) && present == bytes
    }

    /// Before the first write to a file: makes it as long as it will be, and notes the time to hold it at.
    fn hold(&mut self, file: usize) -> Result<(), DiskError> {
        if self.held.contains_key(&file) {
            return Ok(());
        }
        let length = self.layout.length(file);
        let known = self.stamps[file];
        let open = self.handle(file, true)?;
        let prepared = tree::stamp_of(open).and_then(|before| {
            if before.size < length {
                open.set_len(length)?;
            }
            Ok((before, tree::stamp_of(open)?))
        });
        let (before, after) = prepared.map_err(|error| DiskError::new(self.path(file), error))?;
        self.held.insert(file, after);
        // Whoever changed the file since we looked at it may have damaged what we count as held: better recorded as unknown.
        let ours = known.is_none_or(|known| known == before);
        self.stamps[file] = ours.then_some(after);
        Ok(())
    }

    fn is_in_hole(&mut self, span: Span) -> bool {
        let end = span.offset + span.len as u64;
        if let Some((file, from, to)) = self.hole {
            if file == span.file && from <= span.offset && end <= to {
                return true;
            }
        }
        let length = self.layout.length(span.file);
        let Ok(open) = self.handle(span.file, false) else {
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

    /// An open file, moved to the front of those that are.
    fn handle(&mut self, file: usize, writable: bool) -> Result<&File, DiskError> {
        let place = self.handles.iter().position(|handle| handle.file == file);
        match place {
            Some(place) if self.handles[place].writable || !writable => {
                self.handles[..=place].rotate_right(1);
            }
            place => {
                if let Some(place) = place {
                    self.handles.remove(place);
                }
                while self.handles.len() >= self.most_handles {
                    self.close_last();
                }
                let entry = &self.metainfo.files[file];
                let access = match writable {
                    true => Access::Write {
                        executable: entry.executable,
                    },
                    false => Access::Read,
                };
                let open = self.tree.open(&entry.path, access)?;
                self.handles.insert(
                    0,
                    Handle {
                        file,
                        open,
                        writable,
                    },
                );
            }
        }
        Ok(&self.handles[0].open)
    }

    fn close_last(&mut self) {
        if let Some(handle) = self.handles.pop() {
            if self.touched.remove(&handle.file) {
                set_back(&handle.open, self.held.get(&handle.file));
            }
        }
    }
}

/// The spans of one read or write; mostly one.
type Spans = Vec<Span>;

/// Sets a file's time back. That fails on another user's file: then its content is hashed after a kill, which is right too.
fn set_back(file: &File, stamp: Option<&Stamp>) {
    let set: io::Result<()> = stamp.map_or(Ok(()), |stamp| tree::set_time(file, *stamp));
    drop(set);
}

/// A quarter of what the process may open: the rest is for sockets, which matter more.
fn handles_allowed() -> usize {
    let most = rustix::process::getrlimit(Resource::Nofile).current;
    let quarter = usize::try_from(most.unwrap_or(u64::MAX) / 4).unwrap_or(usize::MAX);
    quarter.clamp(1, limits::OPEN_FILES)
}
