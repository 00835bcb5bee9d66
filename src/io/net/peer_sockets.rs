//! The sockets of all peers, and which of them have something to do in this turn or a later one.

use std::io;

use mio::{Interest, Registry, Token};

use super::tcp::{PeerSocket, Way};
use crate::base::PeerKey;
use crate::io::tokens::PEERS;

/// The sockets of all peers, each under the key of its slot.
#[derive(Debug, Default)]
pub struct PeerSockets {
    sockets: Vec<Option<PeerSocket>>,
    /// Those that may have something to read.
    pub unread: Vec<PeerKey>,
    /// Those whose peers have too many requests waiting: not read before some are answered.
    pub after_uploads: Vec<PeerKey>,
    /// Those that wait for the disk: it is behind, or their torrent sleeps.
    pub after_disk: Vec<PeerKey>,
    /// Those that were read from in this turn and whose peers only take.
    pub heard: Vec<PeerKey>,
    /// Those that take more, and may be written to.
    pub unwritten: Vec<PeerKey>,
}

impl PeerSockets {
    /// The socket under this key.
    pub fn get(&mut self, key: PeerKey) -> Option<&mut PeerSocket> {
        self.sockets.get_mut(key)?.as_mut()
    }

    /// Puts a socket under its slot's key, and has it polled.
    ///
    /// # Errors
    /// The system has no more handles.
    pub fn add(
        &mut self,
        registry: &Registry,
        key: PeerKey,
        mut socket: PeerSocket,
    ) -> io::Result<()> {
        if let Way::Tcp(stream) = &mut socket.way {
            let both = Interest::READABLE | Interest::WRITABLE;
            registry.register(stream, Token(PEERS + key), both)?;
        }
        if self.sockets.len() <= key {
            self.sockets.resize_with(key + 1, || None);
        }
        self.sockets[key] = Some(socket);
        Ok(())
    }

    /// Closes a socket. Its key may soon be another's, which is not to be read in its place.
    pub fn close(&mut self, registry: &Registry, key: PeerKey) {
        let socket = self.sockets.get_mut(key).and_then(Option::take);
        if let Some(mut socket) = socket {
            if let Way::Tcp(stream) = &mut socket.way {
                // It is closed by being dropped; the poll forgets it by itself.
                let _ = registry.deregister(stream);
            }
            for keys in [
                &mut self.unread,
                &mut self.after_uploads,
                &mut self.after_disk,
            ] {
                keys.retain(|&other| other != key);
            }
        }
    }
}
