//! The links of all peers, and which of them have something to do in this turn or a later one.

use std::io;

use mio::{Interest, Registry, Token};

use super::link::Link;
use crate::base::PeerKey;
use crate::io::tokens::PEERS;

/// All links, each under the key of its slot.
#[derive(Debug, Default)]
pub struct Links {
    links: Vec<Option<Link>>,
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

impl Links {
    /// The link under this key.
    pub fn get(&mut self, key: PeerKey) -> Option<&mut Link> {
        self.links.get_mut(key)?.as_mut()
    }

    /// Puts a link under its slot's key, and has it polled.
    ///
    /// # Errors
    /// The system has no more handles.
    pub fn add(&mut self, registry: &Registry, key: PeerKey, mut link: Link) -> io::Result<()> {
        let both = Interest::READABLE | Interest::WRITABLE;
        registry.register(&mut link.stream, Token(PEERS + key), both)?;
        if self.links.len() <= key {
            self.links.resize_with(key + 1, || None);
        }
        self.links[key] = Some(link);
        Ok(())
    }

    /// Closes a link. Its key may soon be another's, which is not to be read in its place.
    pub fn close(&mut self, registry: &Registry, key: PeerKey) {
        let link = self.links.get_mut(key).and_then(Option::take);
        if let Some(mut link) = link {
            // It is closed by being dropped; the poll forgets it by itself.
            let _ = registry.deregister(&mut link.stream);
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
