//! What is brought to a folder: a torrent, or as much of one as a link says. It is kept in the
//! folder's state as it came, so that a start finds it again.

use std::path::Path;

use super::record::Record;
use crate::base::{InfoHash, limits};
use crate::io::disk::state;
use crate::rpc::Trouble;
use crate::wire::Metainfo;
use crate::wire::magnet::{self, Link};

/// A torrent that is to be added.
#[derive(Clone, Debug)]
pub enum Brought {
    /// All of it, and its bytes.
    Torrent(Box<Metainfo>, Vec<u8>),
    /// What a magnet link says of it.
    Link(Box<Link>),
}

impl Brought {
    /// Which torrent it is.
    pub fn info_hash(&self) -> InfoHash {
        match self {
            Brought::Torrent(metainfo, _) => metainfo.info_hash,
            Brought::Link(link) => link.info_hash,
        }
    }

    /// Has what is kept of the torrent say what a link says: which files are wanted, and which
    /// peers there are.
    pub fn note(&self, record: &mut Record) {
        if let Brought::Link(link) = self {
            record.change(|special| {
                special.files.clone_from(&link.selection);
                special.peers.clone_from(&link.peers);
            });
        }
    }

    /// Takes out what is kept of it in the folder's state: how the file's name ends, and its bytes.
    pub fn take_kept(&mut self) -> (&'static str, Vec<u8>) {
        match self {
            Brought::Torrent(_, text) => ("torrent", std::mem::take(text)),
            Brought::Link(link) => ("magnet", format!("{}\n", link.text()).into_bytes()),
        }
    }

    /// Reads what lies in this file, whose name ends in `.torrent` or `.magnet`.
    ///
    /// # Errors
    /// It cannot be read, or is none.
    pub fn read(path: &Path) -> Result<Brought, Trouble> {
        let name = path.display().to_string();
        match state::load(path, limits::METAINFO_BYTES + 1) {
            Ok(Some(text)) if is_link(path) => {
                let text = String::from_utf8_lossy(&text);
                Brought::of_link(&name, text.trim())
            }
            Ok(Some(text)) => Brought::parse(&name, text),
            Ok(None) => Err(Trouble::Failed(format!("{name}: no such file"))),
            Err(error) => Err(Trouble::Failed(error.to_string())),
        }
    }

    /// The torrent of these bytes. `name`: what they are called in messages.
    ///
    /// # Errors
    /// They are none.
    pub fn parse(name: &str, text: Vec<u8>) -> Result<Brought, Trouble> {
        let invalid = |why: &str| Trouble::NoTorrent(format!("{name}: {why}"));
        if text.len() > limits::METAINFO_BYTES {
            return Err(invalid("it is longer than any torrent is"));
        }
        let metainfo = Metainfo::parse(&text).map_err(|why| invalid(&why.to_string()))?;
        Ok(Brought::Torrent(Box::new(metainfo), text))
    }

    /// The link or info hash that a text is. `name`: what it is called in messages.
    ///
    /// # Errors
    /// It is neither, or names no torrent that can be got.
    pub fn of_link(name: &str, text: &str) -> Result<Brought, Trouble> {
        let invalid = |why: &str| Trouble::NoTorrent(format!("{name}: {why}"));
        match magnet::given(text) {
            Some(Ok(link)) => Ok(Brought::Link(Box::new(link))),
            Some(Err(why)) => Err(invalid(&why.to_string())),
            None => Err(invalid("it holds neither a magnet link nor an info hash")),
        }
    }
}

/// Whether a file holds a link, going by its name.
pub fn is_link(path: &Path) -> bool {
    let ending = path.extension();
    ending.is_some_and(|it| it.eq_ignore_ascii_case("magnet"))
}
