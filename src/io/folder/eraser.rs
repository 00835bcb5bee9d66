//! Torrents that are forgotten: once their files are closed, what is kept of them is deleted, by a
//! thread, as large files take their time.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use mio::Waker;

use crate::base::{InfoHash, SortedMap, SortedSet};
use crate::io::disk::erase::Place;
use crate::io::disk::{DiskError, erase};

/// Torrents that are forgotten.
#[derive(Debug)]
pub struct Eraser {
    state_dir: PathBuf,
    waker: Arc<Waker>,
    /// Those whose files are being closed: the folder of their content, and whether it goes, too.
    closing: SortedMap<InfoHash, (PathBuf, bool)>,
    /// Those that threads are at.
    erasing: SortedSet<InfoHash>,
    told: Sender<Erased>,
    hears: Receiver<Erased>,
}

/// A torrent of which nothing is kept any more, and what went wrong.
pub type Erased = (InfoHash, Vec<DiskError>);

impl Eraser {
    /// Nothing is to go yet. `waker` is the loop's.
    pub fn new(state_dir: PathBuf, waker: Arc<Waker>) -> Eraser {
        let (told, hears) = mpsc::channel();
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
        self.closing.insert(info_hash, (dir, data));
    }

    /// They are closed.
    ///
    /// # Errors
    /// The line for the user if no thread can be started.
    pub fn on_closed(&mut self, info_hash: InfoHash) -> Result<(), String> {
        match self.closing.remove(&info_hash) {
            Some((dir, data)) => self.erase(info_hash, dir, data),
            None => Ok(()),
        }
    }

    /// Deletes what is kept of a torrent whose files are closed, and its content if `data` says so.
    ///
    /// # Errors
    /// See [`Eraser::on_closed`].
    pub fn erase(&mut self, info_hash: InfoHash, dir: PathBuf, data: bool) -> Result<(), String> {
        self.erasing.insert(info_hash);
        let (told, waker) = (self.told.clone(), Arc::clone(&self.waker));
        let state_dir = self.state_dir.clone();
        let work = move || {
            let place = Place {
                dir: &dir,
                state_dir: &state_dir,
            };
            // The loop may be gone.
            let _ = told.send((info_hash, erase(&place, info_hash, data)));
            let _ = waker.wake();
        };
        let begun = thread::Builder::new().name("erase".into()).spawn(work);
        begun.map(drop).map_err(|error| {
            self.erasing.remove(&info_hash);
            format!("{info_hash}: it is not deleted: {error}")
        })
    }

    /// The next torrent of which nothing is kept any more.
    pub fn next_erased(&mut self) -> Option<Erased> {
        let erased = self.hears.try_recv().ok()?;
        self.erasing.remove(&erased.0);
        Some(erased)
    }
}
