//! The torrents that lie in a folder's state: what a start finds.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};

use super::records::Records;
use crate::base::{InfoHash, SortedSet, sorted_by};

/// The torrents in this folder in the order in which they were added; those that are not listed
/// came last.
pub fn torrents(state_dir: &Path, records: &Records) -> VecDeque<PathBuf> {
    let entries = fs::read_dir(state_dir).into_iter().flatten().flatten();
    let is_torrent = |path: &PathBuf| path.extension().is_some_and(|it| it == "torrent");
    let paths = entries.map(|entry| entry.path()).filter(is_torrent);
    let added = |path: &PathBuf| {
        let record = info_hash(path).and_then(|it| records.get(&it));
        let time = fs::metadata(path).and_then(|found| found.modified()).ok();
        (record.map_or(u32::MAX, |record| record.number), time)
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
fn info_hash(path: &Path) -> Option<InfoHash> {
    InfoHash::from_hex(path.file_stem()?.to_str()?)
}
