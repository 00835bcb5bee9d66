//! The files of one torrent that are open: each is opened when first needed, and the least recently
//! used is closed when there are too many. Reading and writing have a set each, since they may be
//! in different threads.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::Resource;

use super::disk_error::DiskError;
use super::tree::{self, Access, Tree};
use crate::base::limits;
use crate::wire::metainfo::Metainfo;

/// For so long the name of an open file need not be looked at: that can take a walk through its
/// folders, and what is read is right anyway.
const NAMED: Duration = Duration::from_secs(1);

/// Open files, below a folder.
#[derive(Debug)]
pub struct Files {
    metainfo: Arc<Metainfo>,
    /// The folder.
    pub tree: Tree,
    writable: bool,
    /// The last used first.
    open: Vec<Open>,
    most: usize,
}

/// An open file.
#[derive(Debug)]
struct Open {
    number: usize,
    file: File,
    /// When its name was known to lead to it last.
    named: Instant,
}

impl Files {
    /// None is open yet. They are opened to be read, or to be read and written: then those that are
    /// missing are made.
    pub fn new(tree: Tree, metainfo: Arc<Metainfo>, writable: bool) -> Files {
        Files {
            metainfo,
            tree,
            writable,
            open: Vec::new(),
            most: handles_allowed(),
        }
    }

    /// The same, with at most `most` of them open.
    pub fn with_most(self, most: usize) -> Files {
        Files {
            most: most.max(1),
            ..self
        }
    }

    /// What the files belong to.
    pub fn metainfo(&self) -> &Arc<Metainfo> {
        &self.metainfo
    }

    /// Where a file lies, for messages.
    pub fn path(&self, file: usize) -> PathBuf {
        let entry = self.metainfo.files.get(file);
        self.tree.path(entry.map_or("", |entry| &entry.path))
    }

    /// An open file.
    ///
    /// # Errors
    /// It is missing (if it is only to be read), denied, not a regular file, or a link is in the
    /// way.
    pub fn get(&mut self, file: usize) -> Result<&File, DiskError> {
        match self.open.iter().position(|open| open.number == file) {
            Some(place) => self.open[..=place].rotate_right(1),
            None => {
                self.open.truncate(self.most - 1);
                let entry = &self.metainfo.files[file];
                let access = if self.writable {
                    Access::Write {
                        executable: entry.executable,
                    }
                } else {
                    Access::Read
                };
                let opened = self.tree.open(&entry.path, access)?;
                let open = Open {
                    number: file,
                    file: opened,
                    named: Instant::now(),
                };
                self.open.insert(0, open);
            }
        }
        Ok(&self.open[0].file)
    }

    /// Whether the name of an open file still leads to it, or did within the last second.
    ///
    /// # Errors
    /// As for [`Files::get`]; and the name cannot be looked at.
    pub fn is_named(&mut self, file: usize) -> Result<bool, DiskError> {
        self.get(file)?;
        let open = &mut self.open[0];
        if open.named.elapsed() < NAMED {
            return Ok(true);
        }
        let path = &self.metainfo.files[file].path;
        let found = self.tree.look(path)?.map(|(identity, _)| identity);
        let opened = tree::look_at(&open.file);
        let (identity, _) = opened.map_err(|error| DiskError::new(self.tree.path(path), error))?;
        open.named = Instant::now();
        Ok(found == Some(identity))
    }
}

/// An eighth of what the process may open, for each of the two sets: the rest is for sockets, which
/// matter more.
fn handles_allowed() -> usize {
    let most = rustix::process::getrlimit(Resource::Nofile).current;
    let share = usize::try_from(most.unwrap_or(u64::MAX) / 8).unwrap_or(usize::MAX);
    share.clamp(1, limits::OPEN_FILES / 2)
}
