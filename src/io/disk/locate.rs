//! Finds content to be seeded or checked that is not at its usual place: beside the `.torrent`, or
//! directly in the folder that the user named.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::wire::{FileEntry, FileKind, Metainfo};

/// Where content was looked for, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Located {
    /// Some of it is in the folder that was named.
    Here,
    /// Some of it is there: the file, or the folder that holds the files.
    Elsewhere(PathBuf),
    /// Nothing of it is anywhere.
    Nowhere,
}

/// Looks for content under `dir`, then in `dir` itself, then beside the `.torrent`. Where it lies
/// elsewhere, `dir` and the paths of the files are changed to lead there.
pub fn locate(dir: &mut PathBuf, torrent: &Path, metainfo: &mut Metainfo) -> Located {
    let name = root(metainfo).to_string();
    if lies(dir, &name, metainfo, false) {
        return Located::Here;
    }
    let beside = match torrent.parent() {
        // A bare file name is in the current folder.
        Some(folder) if torrent.is_file() && folder.as_os_str().is_empty() => Some(Path::new(".")),
        Some(folder) if torrent.is_file() => Some(folder),
        _ => None,
    };
    let named = dir.clone();
    for folder in [Some(&*named), beside].into_iter().flatten() {
        let inside = Some((folder.to_path_buf(), name.clone()));
        let itself = fs::canonicalize(folder).ok().and_then(|path| {
            let root = path.file_name()?.to_str()?.to_string();
            Some((path.parent()?.to_path_buf(), root))
        });
        for (place, root) in [inside, itself].into_iter().flatten() {
            if lies(&place, &root, metainfo, root != name) {
                for file in &mut metainfo.files {
                    file.path = moved(&root, file).into();
                }
                let found = place.join(&root);
                *dir = place;
                return Located::Elsewhere(found);
            }
        }
    }
    Located::Nowhere
}

/// The first name of every path.
fn root(metainfo: &Metainfo) -> &str {
    let first = metainfo.files.iter().find(|file| !file.path.is_empty());
    let first = first.and_then(|file| file.path.split('/').next());
    first.unwrap_or(&metainfo.name)
}

/// The path of a file under another root.
fn moved(root: &str, file: &FileEntry) -> String {
    match file.path.split_once('/') {
        Some((_, below)) => format!("{root}/{below}"),
        None if file.path.is_empty() => String::new(),
        None => String::from(root),
    }
}

/// Whether anything is in the place of any file of the torrent; to be sure of a root that has
/// another name, a file of the same size.
fn lies(dir: &Path, root: &str, metainfo: &Metainfo, sure: bool) -> bool {
    let plain = |file: &&FileEntry| file.kind == FileKind::File && file.length > 0;
    let mut files = metainfo.files.iter().filter(plain);
    files.any(|file| {
        match fs::symlink_metadata(dir.join(moved(root, file))) {
            Ok(found) => !sure || (found.is_file() && found.len() == file.length),
            // Something is there, though it cannot be looked at.
            Err(error) => !sure && error.kind() == io::ErrorKind::PermissionDenied,
        }
    })
}
