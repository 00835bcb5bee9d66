//! Where it happens: the namespaces, the content on tmpfs, the torrents, and folders for results.

use std::fs;
use std::path::{Path, PathBuf};

use super::load::TRACKER;
use super::net::Net;
use super::{Failure, is_stale, torrent};

/// The name of the content.
pub const NAME: &str = "content.bin";

/// Bytes of content.
const SIZE: u64 = 1 << 30;

const PREFIX: &str = "brooklet-bench-";

/// Everything that a run needs; removed on drop.
pub struct Place {
    /// The namespaces.
    pub net: Net,
    root: PathBuf,
    /// Holds the content.
    pub content: PathBuf,
    /// Where downloads go, on tmpfs.
    pub result: PathBuf,
    /// Where they go on the real disk.
    pub disk: PathBuf,
    /// Settings and the like of the client that runs.
    pub state: PathBuf,
    logs: PathBuf,
    keep: bool,
}

impl Place {
    /// Makes it all, for torrents with pieces of these lengths, with a folder for results below
    /// `disk`; `keep` it in the end.
    pub fn new(piece_kibs: &[u32], disk: &Path, keep: bool) -> Result<Place, Failure> {
        let net = Net::new()?;
        let parent = if Path::new("/dev/shm").is_dir() {
            PathBuf::from("/dev/shm")
        } else {
            std::env::temp_dir()
        };
        for folder in [&parent, disk] {
            sweep(folder);
        }
        let name = format!("{PREFIX}{}", std::process::id());
        let root = parent.join(&name);
        let place = Place {
            net,
            content: root.join("content"),
            result: root.join("result"),
            disk: disk.join(&name),
            state: root.join("state"),
            logs: root.join("logs"),
            keep,
            root: root.clone(),
        };
        for folder in [&place.content, &place.logs] {
            fs::create_dir_all(folder)?;
        }
        torrent::write_noise(&place.content.join(NAME), SIZE)?;
        // Memory that a virtual machine has never touched is slow at first; the first client should
        // not pay for that.
        let warm = root.join("warm");
        torrent::write_noise(&warm, 2 * SIZE)?;
        fs::remove_file(warm)?;
        let url = format!("http://{}:{}/announce", TRACKER.0, TRACKER.1);
        for kib in piece_kibs {
            let path = place.torrent(*kib);
            torrent::write(&path, &place.content.join(NAME), kib * 1024, &url)?;
        }
        Ok(place)
    }

    /// The torrent with pieces of this length.
    pub fn torrent(&self, piece_kib: u32) -> PathBuf {
        self.root.join(format!("{piece_kib}k.torrent"))
    }

    /// Where the output of a program goes.
    pub fn log(&self, name: &str) -> PathBuf {
        self.logs.join(name)
    }

    /// Empties the folders for results and settings.
    pub fn clear(&self) -> Result<(), Failure> {
        for folder in [&self.result, &self.disk, &self.state] {
            let _ = fs::remove_dir_all(folder);
            fs::create_dir_all(folder)?;
        }
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.disk);
        if self.keep {
            eprintln!("kept: {}", self.root.display())
        } else {
            drop(fs::remove_dir_all(&self.root))
        }
    }
}

/// Removes the folders of runs that were killed.
fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        if is_stale(Path::new(&entry.file_name()), PREFIX) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
