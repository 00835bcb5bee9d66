//! Finding out under which names a torrent's files lie on disk, and what the real path of its
//! folder is: before they are opened, as another torrent may have them.

use std::path::{Path, PathBuf};

use super::opening::Watch;
use crate::io::disk::places;
use crate::wire::Metainfo;

/// A torrent whose files are to be found.
#[derive(Debug)]
pub struct Sought {
    /// The torrent.
    pub metainfo: Box<Metainfo>,
    /// Where the content lies, or will lie: under `dir/NAME`.
    pub dir: PathBuf,
    /// Whether a file may be made there for a moment: see [`places::fold`].
    pub trial: bool,
}

/// A torrent whose files were found.
#[derive(Debug)]
pub struct Placed {
    /// The torrent; its files have the paths that they have on disk.
    pub metainfo: Box<Metainfo>,
    /// Where its content lies, or will lie, without links on the way.
    pub place: PathBuf,
}

/// Finds a torrent's files.
pub fn find(sought: Sought, watch: &dyn Watch) -> Placed {
    let Sought {
        mut metainfo,
        dir,
        trial,
    } = sought;
    watch.asks(&dir);
    places::fold(&dir, &mut metainfo, trial);
    places::find(&dir, &mut metainfo);
    let place = real(&dir, &metainfo.name);
    watch.answered();
    Placed { metainfo, place }
}

/// The path by which a torrent's content is known, whatever way leads there.
pub fn real(dir: &Path, name: &str) -> PathBuf {
    // A folder that is not there yet has no other torrent in it.
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_path_buf());
    dir.join(name)
}
