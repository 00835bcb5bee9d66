//! Content on a real disk: where it may lie, what a restart may believe of it, and what happens
//! when the disk refuses.

#[path = "../support/mod.rs"]
mod support;

mod handles;
mod owned;
mod places;
mod refusals;
mod restart;
mod saving;
mod store;
mod swapped;

use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::Arc;

use brooklet::base::{Block, Geometry, InfoHash};
use brooklet::io::disk::{ContentFiles, ContentWriter, DiskError, Pool};
use brooklet::wire::given::Names;
use brooklet::wire::{FileEntry, FileKind, Metainfo};

const PIECE: u32 = 16 * 1024;

/// A torrent of these files; a name that begins with a dot is padding.
fn torrent(files: &[(&str, u64)]) -> Arc<Metainfo> {
    let files: Vec<FileEntry> = files
        .iter()
        .map(|&(path, length)| FileEntry {
            path: path.into(),
            length,
            kind: if path.starts_with('.') {
                FileKind::Padding
            } else {
                FileKind::File
            },
            executable: path.ends_with(".sh"),
        })
        .collect();
    let size = files.iter().map(|file| file.length).sum();
    let name = files[0].path.split('/').next().unwrap();
    Arc::new(Metainfo {
        info_hash: InfoHash([7; 20]),
        info_size: 1,
        name: String::from(name),
        geometry: Geometry::new(size, PIECE).unwrap(),
        hashes: Vec::new(),
        single: name == &*files[0].path,
        files,
        private: false,
        trackers: Vec::new(),
        web_seeds: Vec::new(),
        nodes: Vec::new(),
        comment: None,
        created_by: None,
        creation_date: None,
        hybrid: false,
        names: Names::default(),
    })
}

/// The block that is the whole of a piece.
fn whole(torrent: &Metainfo, piece: u32) -> Block {
    torrent.geometry.block(piece, 0)
}

/// Both halves of the content on disk: the one that reads, with what the other writes noted.
struct Content {
    disk: ContentFiles,
    pen: ContentWriter,
}

impl Content {
    fn new(dir: &Path, torrent: &Arc<Metainfo>) -> Content {
        let disk = ContentFiles::new(dir, Arc::clone(torrent), &Pool::for_process());
        let pen = disk.writer(true);
        Content { disk, pen }
    }

    fn write(&mut self, block: Block, data: &[u8]) -> Result<(), DiskError> {
        let written = self.pen.write(data, &[(block, 0)]);
        self.disk.note(self.pen.take_changes());
        written.map_err(|unwritten| unwritten.error)
    }

    /// Writes whole pieces, from the first on.
    fn write_all(&mut self, content: &[u8]) {
        for (piece, data) in (0..).zip(content.chunks(PIECE as usize)) {
            let block = self.disk.layout().geometry().block(piece, 0);
            self.write(block, data).unwrap();
        }
    }
}

impl Deref for Content {
    type Target = ContentFiles;

    fn deref(&self) -> &ContentFiles {
        &self.disk
    }
}

impl DerefMut for Content {
    fn deref_mut(&mut self) -> &mut ContentFiles {
        &mut self.disk
    }
}
