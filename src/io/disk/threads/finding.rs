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

/// The folder whose real path was found out last: most torrents lie in one.
#[derive(Debug, Default)]
pub struct Real {
    dir: PathBuf,
    path: PathBuf,
}

impl Real {
    /// The path by which a torrent's content is known, as [`real`] says. A folder that becomes a
    /// link while torrents of it are found is not asked for again.
    fn of(&mut self, dir: &Path, name: &str) -> PathBuf {
        if self.dir.as_os_str().is_empty() || self.dir != dir {
            *self = Real {
                dir: dir.to_path_buf(),
                path: real_dir(dir),
            };
        }
        self.path.join(name)
    }
}

/// Finds a torrent's files.
pub fn find(sought: Sought, folder: &mut Real, watch: &dyn Watch) -> Placed {
    let Sought {
        mut metainfo,
        dir,
        trial,
    } = sought;
    watch.asks(&dir);
    places::fold(&dir, &mut metainfo, trial);
    places::find(&dir, &mut metainfo);
    let place = folder.of(&dir, &metainfo.name);
    watch.answered();
    Placed { metainfo, place }
}

/// The path by which a torrent's content is known, whatever way leads there.
pub fn real(dir: &Path, name: &str) -> PathBuf {
    real_dir(dir).join(name)
}

fn real_dir(dir: &Path) -> PathBuf {
    // What is not there yet of the way is made there as it is named.
    let there = dir.ancestors().find_map(|outer| {
        let within = dir.strip_prefix(outer).ok()?;
        let named = !outer.as_os_str().is_empty();
        let outer = if named { outer } else { Path::new(".") };
        let outer = outer.canonicalize().ok()?;
        Some(outer.components().chain(within.components()).collect())
    });
    there.unwrap_or_else(|| dir.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn two_ways_to_one_folder_are_one_though_the_folder_is_not_there_yet() {
        let dir = std::env::temp_dir().join(format!("brooklet-real-{}", std::process::id()));
        fs::create_dir_all(dir.join("a")).unwrap();
        symlink(dir.join("a"), dir.join("link")).unwrap();
        let whole = dir.canonicalize().unwrap().join("a");
        for (way, there) in [
            ("link", ""),
            ("a", ""),
            ("link/new", "new"),
            ("link/./new/er", "new/er"),
            ("a/new", "new"),
        ] {
            let place: PathBuf = whole.join(there).components().collect();
            assert_eq!(real(&dir.join(way), "n"), place.join("n"), "{way}");
        }
        fs::remove_dir_all(&dir).unwrap();
        let here = Path::new(".").canonicalize().unwrap();
        assert_eq!(
            real(Path::new("none/other"), "n"),
            here.join("none/other/n")
        );
    }
}
