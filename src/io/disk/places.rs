//! Paths of content that the torrent alone does not decide: on a file system that folds letters two
//! of its names may be one, and another client may have put content under other names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::fs::{IFlags, Mode, OFlags};

use super::handles::Pool;
use super::handles::tree::Tree;
use crate::base::{SortedMap, SortedSet};
use crate::wire::elsewhere::Style;
use crate::wire::{FileKind, Metainfo};

/// Names of a folder that are looked at to find one that tells.
const NAMES: usize = 1_000;
/// The flag of a folder of ext4, f2fs or tmpfs that folds letters: `FS_CASEFOLD_FL` of Linux.
const CASEFOLD: IFlags = IFlags::from_bits_retain(0x4000_0000);
/// File systems that fold letters, by the magic number that `statfs` gives: vfat, exFAT, HFS+.
const FOLDING: [u64; 3] = [0x4d44, 0x2011_bab0, 0x482b];

/// Gives each file a name of its own where the file system would take two for one. With `trial` a
/// file is made below `dir` for a moment to find that out, if there is any need; else what is
/// there has to tell.
pub fn fold(dir: &Path, metainfo: &mut Metainfo, trial: bool) {
    let Some(folded) = metainfo.folded() else {
        return;
    };
    let own = dir.join(&metainfo.name);
    // Nothing is made behind a link.
    let folds = if fs::symlink_metadata(&own).is_ok_and(|found| found.is_dir()) {
        folds(&own, trial)
    } else {
        folds(dir, trial)
    };
    if folds {
        *metainfo = folded;
    }
}

/// Finds content that lies under other names than ours: from here on its files have those paths.
pub fn find(dir: &Path, metainfo: &mut Metainfo) {
    let elsewhere = metainfo.elsewhere();
    if elsewhere.is_empty() {
        return;
    }
    let mut tree = Tree::new(dir, &Pool::for_process());
    let mut taken: BTreeSet<Box<str>> = BTreeSet::new();
    taken.extend(metainfo.files.iter().map(|f| f.path.clone()));
    let mut found: Vec<(usize, Box<str>)> = Vec::new();
    let mut missing = Vec::new();
    let mut styles: BTreeMap<Style, usize> = BTreeMap::new();
    for (&file, others) in &elsewhere {
        let entry = &metainfo.files[file];
        if tree.stamp(&entry.path).is_ok_and(|stamp| stamp.is_some()) {
            continue;
        }
        let mut fits = |path: &str| {
            let stamp = tree.stamp(path).ok().flatten();
            let most = entry.length;
            stamp.is_some_and(|stamp| (most.min(1)..=most).contains(&stamp.size))
        };
        let mut free = others.iter().filter(|(_, path)| !taken.contains(path));
        match free.find(|(_, path)| fits(path)) {
            Some((style, path)) => {
                taken.insert(path.clone());
                found.push((file, path.clone()));
                *styles.entry(*style).or_default() += 1;
            }
            None => missing.push(file),
        }
    }
    // The folder has another name: what is still to come belongs there, too.
    let most = styles.iter().max_by_key(|(_, files)| **files);
    if let Some((&style, _)) = most.filter(|_| !dir.join(&metainfo.name).exists()) {
        for file in missing {
            let other = elsewhere[&file].iter().find(|(other, _)| *other == style);
            let free = other.filter(|(_, path)| taken.insert(path.clone()));
            found.extend(free.map(|(_, path)| (file, path.clone())));
        }
    }
    for (file, path) in found {
        metainfo.files[file].path = path;
    }
}

/// Whether this folder takes names of other capitals for one.
fn folds(folder: &Path, trial: bool) -> bool {
    let tried = trial.then(|| folds_a_trial(folder)).flatten();
    tried
        .or_else(|| folds_its_names(folder))
        .unwrap_or_else(|| is_known_to_fold(folder))
}

/// Makes a file and looks for it under two other spellings; `None` if it cannot be made.
fn folds_a_trial(folder: &Path) -> Option<bool> {
    // Two threads may look at one folder.
    static TRIALS: AtomicUsize = AtomicUsize::new(0);
    let trial = TRIALS.fetch_add(1, Ordering::Relaxed);
    let named = |name: &str| folder.join(format!(".{name}-{}-{trial}", process::id()));
    let made = named("brooklet-é");
    fs::create_dir_all(folder).ok()?;
    File::create_new(&made).ok()?;
    let others = [named("BROOKLET-É"), named("brooklet-e\u{301}")];
    let folds = others.iter().any(|path| fs::symlink_metadata(path).is_ok());
    fs::remove_file(&made).ok()?;
    Some(folds)
}

/// Looks for a name of the folder with its capitals exchanged; `None` if there is none to try.
fn folds_its_names(folder: &Path) -> Option<bool> {
    let entries = fs::read_dir(folder).ok()?.take(NAMES);
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let names: SortedSet<String> = names.collect();
    let exchanged = |name: &String| -> String {
        let exchange = |letter: char| {
            if letter.is_ascii_lowercase() {
                letter.to_ascii_uppercase()
            } else {
                letter.to_ascii_lowercase()
            }
        };
        name.chars().map(exchange).collect()
    };
    let other = names.iter().map(exchanged).find(|name| {
        let letters = name.bytes().any(|byte| byte.is_ascii_alphabetic());
        letters && !names.contains(name)
    })?;
    Some(fs::symlink_metadata(folder.join(other)).is_ok())
}

/// What the file system says of itself. `folder` may be missing: then its own folder is asked.
fn is_known_to_fold(folder: &Path) -> bool {
    let there: PathBuf = match folder.ancestors().find(|folder| folder.is_dir()) {
        Some(there) if !there.as_os_str().is_empty() => there.into(),
        _ => PathBuf::from("."),
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(open) = rustix::fs::open(&there, flags, Mode::empty()) else {
        return false;
    };
    let kind = rustix::fs::fstatfs(&open).map(|found| found.f_type as u64);
    kind.is_ok_and(|kind| FOLDING.contains(&kind))
        || rustix::fs::ioctl_getflags(&open).is_ok_and(|flags| flags.contains(CASEFOLD))
}

/// The files of which a file system that folds letters would have another name: their indices, and
/// that name.
pub fn folded_names(metainfo: &Metainfo) -> SortedMap<usize, Box<str>> {
    let Some(folded) = metainfo.folded() else {
        return SortedMap::new();
    };
    let pairs = metainfo.files.iter().zip(folded.files).enumerate();
    let moved =
        pairs.filter(|(_, (file, folded))| file.kind == FileKind::File && file.path != folded.path);
    moved
        .map(|(index, (_, folded))| (index, folded.path))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn two_threads_try_one_folder_at_one_time() {
        let dir = std::env::temp_dir().join(format!("brooklet-trial-{}", process::id()));
        let tries = || (0..1_000).map(|_| folds_a_trial(&dir)).collect::<Vec<_>>();
        let found = thread::scope(|scope| {
            let threads = [scope.spawn(tries), scope.spawn(tries)];
            threads.map(|it| it.join().unwrap()).concat()
        });
        assert!(found.iter().all(Option::is_some), "a trial was in the way");
        fs::remove_dir_all(&dir).unwrap();
    }
}
