//! A loop that nobody sits before: it serves the torrents of a folder until a signal ends it, and
//! is steered through the folder's socket.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mio::event::Event;
use mio::{Registry, Waker};

use super::control::Control;
use super::disk::store::Store;
use super::library::Library;
use super::setup::Whole;
use crate::base::id::InfoHash;
use crate::base::time::Now;
use crate::rpc::About;
use crate::session::session::Session;

/// What a loop has that serves a folder.
#[derive(Debug)]
pub struct Unattended {
    control: Control,
    library: Library,
}

impl Unattended {
    /// Takes the folder. Its torrents come with the first turns.
    ///
    /// # Errors
    /// Why it cannot be had, as a line for the user.
    pub fn open(
        setup: Whole,
        port: u16,
        registry: &Registry,
        waker: Arc<Waker>,
    ) -> Result<Unattended, String> {
        let about = About {
            config_dir: absolute(&setup.folder),
            download_dir: absolute(&setup.dir),
            peer_port: port,
            peer_limit: setup.process.max_peers,
        };
        Ok(Unattended {
            control: Control::open(&setup.folder, about, registry)?,
            library: Library::new(setup, waker),
        })
    }

    /// Takes up the torrents that are in the folder.
    pub fn load(&mut self, store: &mut Store, session: &mut Session) {
        self.library.load(store, session);
    }

    /// Notes what the poll says of a socket of remote control.
    pub fn on_event(&mut self, event: &Event) {
        self.control.on_event(event);
    }

    /// Does what is asked for, and goes on with torrents that come and go.
    pub fn turn(
        &mut self,
        registry: &Registry,
        session: &mut Session,
        store: &mut Store,
        now: Now,
    ) {
        let mut answers = self.library.turn(store, session, now);
        self.control.turn(registry, session, now);
        while let Some((ticket, add)) = self.control.next_add() {
            answers.extend(self.library.add(ticket, add, store, session, now));
        }
        for (ticket, outcome) in answers {
            self.control.added(ticket, outcome, session, now);
        }
    }

    /// A torrent is forgotten, and its files are being closed.
    pub fn on_removed(&mut self, info_hash: InfoHash, data: bool) {
        self.library.on_removed(info_hash, data);
    }

    /// Whether the next turn has something to do though nothing happens.
    pub fn is_pending(&self) -> bool {
        self.control.is_pending()
    }

    /// When there is something to do though nothing happens.
    pub fn next_deadline(&self) -> Option<Now> {
        self.control.next_deadline()
    }
}

/// A path that leads there from everywhere, as far as it can be found out.
fn absolute(path: &Path) -> String {
    let whole: PathBuf = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    whole.to_string_lossy().into_owned()
}
