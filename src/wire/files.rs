//! A file as a torrent lists it, and the refusal of a torrent.

use std::fmt;

/// A file of a torrent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// Where it lies below the download folder: plain names (see [`super::paths::is_plain`]) with a
    /// `/` between them, the first of which is the torrent's name. Empty for padding.
    pub path: Box<str>,
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
    /// A symbolic link, of no bytes: listed, never created.
    Symlink,
}

/// Why a torrent is refused, in one plain line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid(String);

impl Invalid {
    pub(super) fn new(why: impl Into<String>) -> Invalid {
        Invalid(why.into())
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
