//! Torrents that are forgotten: once their files are closed, what is kept of them is deleted, by a
//! thread, as large files take their time.

use std::path::PathBuf;
use std::sync::Arc;

use mio::Waker;

use super::records::Version;
use crate::base::{InfoHash, SortedMap, SortedSet};
use crate::io::channel::{Receiver, Sender, channel};
use crate::io::disk::erase::TorrentDirs;
use crate::io::disk::{DiskError, erase};
use crate::io::threads;

/// Torrents that are forgotten.
#[derive(Debug)]
pub struct Eraser {
    state_dir: PathBuf,
    waker: Arc<Waker>,
    closing: SortedMap<InfoHash, Closing>,
    /// Those that threads are at.
    erasing: SortedSet<InfoHash>,
    told: Sender<Erased>,
    hears: Receiver<Erased>,
}

/// A torrent whose files are being closed, or that waits until the list says that it is to go: what
/// a kill leaves of it is then deleted by the next start. Where the disk refuses the list, it is
/// deleted all the same, as that is what makes room on a full disk.
#[derive(Debug)]
struct Closing {
    /// The folder of its content, and whether that goes, too.
    dir: PathBuf,
    data: bool,
    /// Its files are closed, and this version of the records says that it is to go.
    recorded: Option<Version>,
}

/// A torrent of which nothing is kept any more, and what went wrong.
pub type Erased = (InfoHash, Vec<DiskError>);

impl Eraser {
    /// Nothing is to go yet. `waker` is the loop's.
    pub fn new(state_dir: PathBuf, waker: Arc<Waker>) -> Eraser {
        let (told, hears) = channel();
        Eraser {
            state_dir,
            waker,
            closing: SortedMap::new(),
            erasing: SortedSet::new(),
            told,
            hears,
        }
    }

    /// Whether a torrent is on its way out.
    pub fn has(&self, info_hash: &InfoHash) -> bool {
        self.closing.contains_key(info_hash) || self.erasing.contains(info_hash)
    }

    /// A torrent's files are being closed. Its content lies in this folder.
    pub fn expect(&mut self, info_hash: InfoHash, dir: PathBuf, data: bool) {
        let recorded = None;
        let closing = Closing {
            dir,
            data,
            recorded,
        };
        self.closing.insert(info_hash, closing);
    }

    /// They are closed, and this version of the records says that the torrent is to go.
    pub fn on_closed(&mut self, info_hash: InfoHash, version: Version) {
        if let Some(closing) = self.closing.get_mut(&info_hash) {
            closing.recorded = Some(version);
        }
    }

    /// Begins to delete what is closed and is to go by this version of the records, which is on
    /// disk, or which the disk refused.
    pub fn erase_settled(&mut self, settled: Version) {
        let is_due = |closing: &Closing| closing.recorded.is_some_and(|at| at <= settled);
        let due = self.closing.iter().filter(|(_, it)| is_due(it));
        let due: Vec<InfoHash> = due.map(|(info_hash, _)| *info_hash).collect();
        for info_hash in due {
            if let Some(Closing { dir, data, .. }) = self.closing.remove(&info_hash) {
                self.erase(info_hash, dir, data);
            }
        }
    }

    /// Deletes what is kept of a torrent whose files are closed, and its content if `data` says so.
    pub fn erase(&mut self, info_hash: InfoHash, dir: PathBuf, data: bool) {
        self.erasing.insert(info_hash);
        let (told, waker) = (self.told.clone(), Arc::clone(&self.waker));
        let state_dir = self.state_dir.clone();
        threads::run("erase", move || {
            let dirs = TorrentDirs {
                dir: &dir,
                state_dir: &state_dir,
            };
            // The loop may be gone.
            let _ = told.send((info_hash, erase(&dirs, info_hash, data)));
            let _ = waker.wake();
        });
    }

    /// The next torrent of which nothing is kept any more.
    pub fn next_erased(&mut self) -> Option<Erased> {
        let erased = self.hears.try_recv().ok()?;
        self.erasing.remove(&erased.0);
        Some(erased)
    }
}
