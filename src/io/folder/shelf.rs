//! The torrents that lie in a folder's state, and the links of those that are not known yet: what a
//! start finds.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};

use super::brought::Brought;
use super::records::Records;
use crate::base::{InfoHash, SortedSet, sorted_by};

/// The torrents that are not taken up yet.
#[derive(Debug, Default)]
pub struct Shelf {
    unopened: VecDeque<PathBuf>,
    /// Those whose disk does not answer: they are not read meanwhile, since each takes memory.
    aside: Vec<(InfoHash, PathBuf)>,
}

impl Shelf {
    /// These are to be taken up in this order.
    pub fn new(unopened: VecDeque<PathBuf>) -> Shelf {
        let aside = Vec::new();
        Shelf { unopened, aside }
    }

    /// The next one that is to be taken up. Those are put aside whose disk `is_silent`.
    pub fn next(&mut self, is_silent: impl Fn(&InfoHash) -> bool) -> Option<PathBuf> {
        loop {
            let path = self.unopened.pop_front()?;
            // Another program has put there what bears no such name.
            match info_hash(&path).filter(&is_silent) {
                Some(torrent) => self.aside.push((torrent, path)),
                None => return Some(path),
            }
        }
    }

    /// Other disks answer than before.
    pub fn look_anew(&mut self) {
        let aside = self.aside.drain(..);
        self.unopened.extend(aside.map(|(_, path)| path));
    }

    /// Whether all are taken up.
    pub fn is_empty(&self) -> bool {
        self.unopened.is_empty() && self.aside.is_empty()
    }

    /// Whether one that is not taken up yet may be this torrent.
    pub fn may_have(&self, torrent: &InfoHash) -> bool {
        let mut aside = self.aside.iter();
        !self.unopened.is_empty() || aside.any(|(it, _)| it == torrent)
    }
}

/// The torrents in this folder in the order in which they were added; those that are not listed
/// came last.
pub fn torrents(state_dir: &Path, records: &Records) -> VecDeque<PathBuf> {
    let entries = fs::read_dir(state_dir).into_iter().flatten().flatten();
    let is = |path: &PathBuf, what| path.extension().is_some_and(|it| it == what);
    // A link is of no use any more once its torrent is known.
    let is_left = |path: &PathBuf| is(path, "magnet") && path.with_extension("torrent").exists();
    let is_kept = |path: &PathBuf| is(path, "torrent") || is(path, "magnet");
    let (left, paths): (Vec<PathBuf>, Vec<PathBuf>) = entries
        .map(|entry| entry.path())
        .filter(is_kept)
        .partition(is_left);
    let mut paths = paths;
    for link in left {
        let torrent = link.with_extension("torrent");
        if Brought::read(&torrent).is_ok() {
            let _ = fs::remove_file(link);
        } else {
            // The torrent is damaged: what is known is what the link says.
            paths.retain(|path| *path != torrent);
            paths.push(link);
        }
    }
    let paths = paths.into_iter();
    let added = |path: &PathBuf| {
        let record = info_hash(path).and_then(|it| records.get(&it));
        // Those that are listed are not looked at: they are numbered.
        let look = || fs::metadata(path).and_then(|found| found.modified()).ok();
        match record {
            Some(record) => (record.number, None),
            None => (u32::MAX, look()),
        }
    };
    let paths: Vec<_> = paths.map(|path| (added(&path), path)).collect();
    let paths = sorted_by(paths, Ord::cmp);
    paths.into_iter().map(|(_, path)| path).collect()
}

/// Their info hashes; `None`: a file is not named after one, so another program has put it there.
pub fn info_hashes<'a>(
    mut torrents: impl Iterator<Item = &'a PathBuf>,
) -> Option<SortedSet<InfoHash>> {
    torrents.try_fold(SortedSet::new(), |mut names, path| {
        names.insert(info_hash(path)?);
        Some(names)
    })
}

/// The info hash that a file is named after.
pub fn info_hash(path: &Path) -> Option<InfoHash> {
    InfoHash::from_hex(path.file_stem()?.to_str()?)
}
