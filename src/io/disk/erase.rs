//! Deletes a torrent's content, and what is kept of it in the state folder. Of the content only
//! files go that the resume data know as ours: what is the user's own, or was changed by another
//! program, stays, as does each folder that is not empty then. No symbolic link is followed.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{AtFlags, Mode, OFlags, openat, unlinkat};
use rustix::io::Errno;

use super::content::ContentFiles;
use super::disk_error::DiskError;
use super::handles::Pool;
use super::places;
use super::state;
use crate::base::{InfoHash, limits};
use crate::storage::Resume;
use crate::wire::Metainfo;

/// Where a torrent's files lie.
#[derive(Clone, Debug)]
pub struct TorrentDirs<'a> {
    /// The folder of the content: it lies under `dir/NAME`.
    pub dir: &'a Path,
    /// The folder of what is kept: `INFOHASH.torrent` (or `.magnet`) and `INFOHASH.resume`.
    pub state_dir: &'a Path,
}

/// Deletes what is kept of a torrent, and before that its content, if `data` says so. What goes
/// wrong comes back; it keeps nothing else from being deleted. It is not a part of the thread that
/// calls it: `rare.txt` names it.
#[inline(never)]
pub fn erase(dirs: &TorrentDirs<'_>, info_hash: InfoHash, data: bool) -> Vec<DiskError> {
    let mut errors = Vec::new();
    if data {
        errors.extend(erase_content(dirs, info_hash, &mut BTreeSet::new()).err());
    }
    // What names the torrent goes last: until then a start finds all of it. What a kill left of a
    // file that was being replaced goes, too.
    for ending in [
        "parts",
        "resume.new",
        "resume",
        "torrent.new",
        "magnet.new",
        "magnet",
        "torrent",
    ] {
        let path = state::path(dirs.state_dir, info_hash, ending);
        let removed = match ending {
            // A folder: see `elsewhere`.
            "parts" => fs::remove_dir_all(&path),
            _ => fs::remove_file(&path),
        };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                errors.push(DiskError::new(path, error));
            }
            _ => {}
        }
    }
    errors
}

/// Deletes the files that are ours, then the folders that they lay in. The first thing that goes
/// wrong comes back, when all was tried.
fn erase_content(
    dirs: &TorrentDirs<'_>,
    info_hash: InfoHash,
    folders: &mut BTreeSet<String>,
) -> Result<(), DiskError> {
    let file = |ending| state::path(dirs.state_dir, info_hash, ending);
    let Some(torrent) = state::load(&file("torrent"), limits::METAINFO_BYTES)? else {
        return Ok(());
    };
    let Ok(mut metainfo) = Metainfo::parse(&torrent) else {
        return Ok(());
    };
    places::fold(dirs.dir, &mut metainfo, false);
    places::find(dirs.dir, &mut metainfo);
    let metainfo = Arc::new(metainfo);
    let mut content = ContentFiles::new(dirs.dir, Arc::clone(&metainfo), &Pool::for_process());
    content.look();
    content.find_owned();
    let most = Resume::most_bytes(content.layout()) + 1;
    let resume = state::load(&file("resume"), most)?;
    let resume = resume.and_then(|text| Resume::decode(&text, info_hash, content.layout()));
    let Some(resume) = resume else {
        return Ok(());
    };
    let dir = File::open(dirs.dir).map_err(|error| DiskError::new(dirs.dir, error))?;
    let mut first = Ok(());
    for (file, stamp) in content.stamps().iter().enumerate() {
        let (entry, owned) = (&metainfo.files[file], content.ledger().owned());
        let gone = match stamp {
            // A kill may have ended this before: then its folder is to go yet.
            None => Ok(()),
            Some(stamp) if resume.is_ours(file, *stamp, owned, entry.length) => {
                remove(&dir, &entry.path, AtFlags::empty())
            }
            Some(_) => continue,
        };
        let mut folder = &*entry.path;
        while let Some((outer, _)) = folder.rsplit_once('/') {
            folders.insert(outer.into());
            folder = outer;
        }
        if let Err(errno) = gone {
            first = first.and(Err(DiskError::new(content.path(file), errno)));
        }
    }
    // What lies inside comes after what it lies in, and goes first.
    for folder in folders.iter().rev() {
        // One that is not empty holds what is not ours.
        let _ = remove(&dir, folder, AtFlags::REMOVEDIR);
    }
    first
}

/// Removes a file or folder below this one.
fn remove(dir: &File, path: &str, flags: AtFlags) -> Result<(), Errno> {
    let way = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::PATH | OFlags::CLOEXEC;
    let mut inner = None;
    let mut rest = path;
    while let Some((folder, behind)) = rest.split_once('/') {
        let next = match &inner {
            None => openat(dir, folder, way, Mode::empty())?,
            Some(outer) => openat(outer, folder, way, Mode::empty())?,
        };
        inner = Some(next);
        rest = behind;
    }
    match &inner {
        None => unlinkat(dir, rest, flags),
        Some(outer) => unlinkat(outer, rest, flags),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_were_kept_of_unselected_files_go_too() {
        let dir = std::env::temp_dir().join(format!("brooklet-erase-{}", std::process::id()));
        let info_hash = InfoHash([0xab; 20]);
        let parts = dir.join(format!("{info_hash}.parts"));
        fs::create_dir_all(&parts).unwrap();
        fs::write(parts.join("3"), "bytes of piece 3").unwrap();
        fs::write(dir.join(format!("{info_hash}.torrent")), "de").unwrap();
        let dirs = TorrentDirs {
            dir: &dir,
            state_dir: &dir,
        };
        assert_eq!(erase(&dirs, info_hash, false), []);
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
        fs::remove_dir(&dir).unwrap();
    }
}
