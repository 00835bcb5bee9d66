//! The files of one torrent, each opened when first needed. The pool keeps the handles, and closes
//! those that are not used.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::pool::{Handle, HandleKey, Side};
use super::stat;
use super::tree::{Access, Tree};
use crate::io::disk::disk_error::DiskError;
use crate::wire::Metainfo;

/// For so long the name of an open file need not be looked at: that can take a walk through its
/// folders, and what is read is right anyway.
const NAMED: Duration = Duration::from_secs(1);

/// The files of one torrent below a folder, as the reader or the writer opens them.
#[derive(Debug)]
pub struct Files {
    metainfo: Arc<Metainfo>,
    /// The folder.
    pub tree: Tree,
}

impl Files {
    /// None is open yet. They are opened to be read, or to be read and written if the tree is the
    /// writer's: then those that are missing are made.
    pub fn new(tree: Tree, metainfo: Arc<Metainfo>) -> Files {
        Files { metainfo, tree }
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
    pub fn get(&mut self, file: usize) -> Result<Arc<Handle>, DiskError> {
        let side = self.tree.side();
        let key = HandleKey::File(file, side);
        if let Some(handle) = self.tree.handles().get(key) {
            return Ok(handle);
        }
        let entry = &self.metainfo.files[file];
        let access = if side == Side::Writer {
            Access::Write {
                executable: entry.executable,
            }
        } else {
            Access::Read
        };
        self.tree.handles().make_room();
        let opened = self.tree.open(&entry.path, access)?;
        Ok(self.tree.handles().keep(key, "", opened))
    }

    /// Whether the name of an open file still leads to it, or did within the last second.
    ///
    /// # Errors
    /// The file or its name cannot be looked at.
    pub fn is_named(&mut self, file: usize, open: &Handle) -> Result<bool, DiskError> {
        if open.was_named_within(NAMED) {
            return Ok(true);
        }
        let path = &self.metainfo.files[file].path;
        let found = self.tree.look(path)?.map(|(identity, _)| identity);
        let opened = stat::look_at(open);
        let (identity, _) = opened.map_err(|error| DiskError::new(self.tree.path(path), error))?;
        open.on_named();
        Ok(found == Some(identity))
    }
}
