//! What lies on disk before a download: which files can be written to, and which are not ours to
//! write to. A file is ours if the resume data know it ([`Resume::is_ours`]). Another one may be
//! written over only if enough in it is this torrent's, or if it holds nothing but zeros, as files
//! do that other clients make before they have anything to put into them.

use std::collections::BTreeSet;

use super::content_files::ContentFiles;
use crate::base::Bits;
use crate::io::disk::disk_error::DiskError;
use crate::storage::Resume;
use crate::storage::resume::Verdict;
use crate::torrent::Existing;
use crate::wire::{FileKind, Metainfo};

/// The files of a torrent that is to be downloaded.
#[derive(Debug)]
pub struct Survey<'a> {
    /// The torrent.
    pub metainfo: &'a Metainfo,
    /// The chosen files, ascending.
    pub chosen: &'a [usize],
    /// What an earlier run recorded.
    pub resume: Option<&'a Resume>,
}

/// Files that are not known to be ours, by what becomes of them.
#[derive(Debug, Default)]
pub struct Strangers {
    /// Chosen files that must prove to be this torrent's.
    pub doubted: Vec<Existing>,
    /// Chosen files of the right length, of which no piece can be hashed, since other files lack
    /// bytes of each: nothing else may be written to them than what they hold.
    pub precious: BTreeSet<usize>,
}

/// Files that were not chosen and share a wanted piece.
#[derive(Debug, Default)]
pub struct Neighbours {
    /// Those that may not or cannot be written to, or whose bytes were kept elsewhere before.
    pub barred: BTreeSet<usize>,
    /// Those that seem to be writable.
    pub others: BTreeSet<usize>,
}

impl Survey<'_> {
    /// Whether every chosen file can be written to, as far as it is not whole.
    ///
    /// # Errors
    /// The line for the user: the first that cannot, and how many more.
    pub fn check_writable(&self, disk: &mut ContentFiles) -> Result<(), String> {
        let (mut refused, mut writable) = (Vec::new(), 0);
        for &file in self.chosen {
            let entry = &self.metainfo.files[file];
            let whole = disk.stamps()[file].is_some_and(|found| found.size >= entry.length);
            if entry.kind == FileKind::File && !whole {
                match disk.check_writable(file) {
                    Ok(()) => writable += 1,
                    Err(error) => refused.push(error),
                }
            }
        }
        let advice = if writable > 0 {
            "--files can leave it out"
        } else {
            "choose another folder with -d"
        };
        first_of(&refused, DiskError::to_string, advice)
    }

    /// Whether no chosen file is longer than it should be: check would call it damaged.
    ///
    /// # Errors
    /// The line for the user: the first that is, and how many more.
    pub fn check_lengths(&self, disk: &ContentFiles) -> Result<(), String> {
        let long: Vec<usize> = disk
            .oversized()
            .filter(|file| self.chosen.binary_search(file).is_ok())
            .collect();
        let words = |&file: &usize| {
            let found = disk.stamps()[file].map_or(0, |stamp| stamp.size);
            let surplus = found - disk.layout().length(file);
            let path = disk.path(file);
            let path = path.display();
            format!("{path}: it is {surplus} bytes longer than the torrent says")
        };
        first_of(
            &long,
            words,
            "move it away, or have it cut off by --overwrite",
        )
    }

    /// The chosen files that are not known to be ours.
    pub fn strangers(&self, disk: &mut ContentFiles, verdict: &Verdict) -> Strangers {
        let mut strangers = Strangers::default();
        for &file in self.chosen {
            let Some(size) = self.foreign_size(disk, file) else {
                continue;
            };
            let mut pieces = disk.layout().pieces_of(file);
            let known = |piece| verdict.hash.get(piece) || verdict.trusted.get(piece);
            if size == disk.layout().length(file) && !pieces.any(known) {
                strangers.precious.insert(file);
            } else if !disk.is_blank(file) {
                let name = disk.path(file).display().to_string();
                let bytes = disk.layout().range(file);
                strangers.doubted.push(Existing { name, bytes });
            }
        }
        strangers
    }

    /// The files that were not chosen and share a wanted piece. `kept`: pieces of which an earlier
    /// run kept something elsewhere.
    pub fn neighbours(&self, disk: &mut ContentFiles, wanted: &Bits, kept: &Bits) -> Neighbours {
        let all = 0..self.metainfo.files.len();
        let others = all.filter(|file| self.chosen.binary_search(file).is_err());
        let mut neighbours = Neighbours::default();
        for file in others {
            let pieces = disk.layout().pieces_of(file);
            let at_an_end =
                |of: &Bits| !pieces.is_empty() && (of.get(pieces.start) || of.get(pieces.end - 1));
            if !at_an_end(wanted) || self.metainfo.files[file].kind != FileKind::File {
                continue;
            }
            let size = disk.stamps()[file].map_or(0, |found| found.size);
            let away = size < disk.layout().length(file) && at_an_end(kept);
            let stranger = self.foreign_size(disk, file).is_some();
            if away || stranger || disk.check_writable(file).is_err() {
                neighbours.barred.insert(file);
            } else {
                neighbours.others.insert(file);
            }
        }
        neighbours
    }

    /// All files that are there and not known to be ours.
    pub fn foreign(&self, disk: &ContentFiles) -> BTreeSet<usize> {
        let all = 0..self.metainfo.files.len();
        all.filter(|&file| self.foreign_size(disk, file).is_some())
            .collect()
    }

    /// The size of a file that is there, has bytes, and is not known to be ours.
    fn foreign_size(&self, disk: &ContentFiles, file: usize) -> Option<u64> {
        let found = disk.stamps()[file].filter(|found| found.size > 0)?;
        let length = disk.layout().length(file);
        let here = disk.ledger().owned();
        let ours = |resume: &Resume| resume.is_ours(file, found, here, length);
        (!self.resume.is_some_and(ours)).then_some(found.size)
    }
}

/// An error that names the first of these, with what to do about it; none where there are none.
fn first_of<T>(all: &[T], words: impl Fn(&T) -> String, advice: &str) -> Result<(), String> {
    match all {
        [] => Ok(()),
        [one] => Err(format!("{}: {advice}", words(one))),
        [one, more @ ..] => Err(format!(
            "{} (and {} more): {advice}",
            words(one),
            more.len()
        )),
    }
}
