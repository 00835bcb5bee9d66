//! Metainfo.

use std::fmt;

use crate::base::geometry::Geometry;
use crate::base::id::{InfoHash, PieceHash};

/// What a `.torrent` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metainfo {
    /// SHA-1 of the raw bytes of the `info` value.
    pub info_hash: InfoHash,
    /// The torrent's name: that of its file, or of the folder of its files.
    pub name: String,
    /// How the content is cut. Padding belongs to the content here.
    pub geometry: Geometry,
    /// A hash for each piece.
    pub hashes: Vec<PieceHash>,
    /// The files, in the order in which the pieces run through them.
    pub files: Vec<FileEntry>,
    /// Whether peers may come from its trackers only (BEP 27).
    pub private: bool,
    /// Announce URLs: tiers, each a list (BEP 12).
    pub trackers: Vec<Vec<String>>,
    /// HTTP addresses of the content (BEP 19).
    pub web_seeds: Vec<String>,
    /// DHT nodes, `host:port` (BEP 5).
    pub nodes: Vec<String>,
    /// A comment.
    pub comment: Option<String>,
    /// The program that made it.
    pub created_by: Option<String>,
    /// When it was made, in seconds since 1970.
    pub creation_date: Option<i64>,
    /// Whether it also describes the content by BEP 52.
    pub hybrid: bool,
    /// Whether it is one file, not a folder.
    pub single: bool,
}

/// A file of a torrent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// Where it lies below the download folder; the first component is the torrent's name. Empty for padding.
    pub path: Vec<String>,
    /// Its size in bytes.
    pub length: u64,
    /// What it is.
    pub kind: FileKind,
    /// Whether it is to be executable (BEP 47).
    pub executable: bool,
}

/// What a file of a torrent is (BEP 47).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A file that lies on disk.
    File,
    /// Zeros that make the next file begin with a piece. Never on disk.
    Padding,
    /// A symbolic link: listed, never created.
    Symlink,
}

/// Why a torrent is refused, as one plain sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid(String);

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Metainfo {
    /// Reads a `.torrent`. Bytes behind its dictionary are ignored.
    pub fn parse(_text: &[u8]) -> Result<Metainfo, Invalid> {
        Err(Invalid(String::from("not read yet")))
    }

    /// Bytes of all its files, padding left out.
    pub fn size(&self) -> u64 {
        let real = self
            .files
            .iter()
            .filter(|file| file.kind != FileKind::Padding);
        real.fold(0, |sum, file| sum.saturating_add(file.length))
    }
}
