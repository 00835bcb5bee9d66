//! Torrents that are to be added to a folder, and what became of them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::control::Ticket;
use super::records::Record;
use crate::base::limits;
use crate::io::disk::state;
use crate::rpc::{Add, Added, Source, Trouble};
use crate::wire::Metainfo;

/// Where a torrent comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Asker {
    /// A client of remote control.
    Client(Ticket),
    /// A file of this name in the watch folder.
    Watch(OsString),
}

/// What became of a torrent that was to be added.
pub type Answer = (Asker, Result<Added, Trouble>);

/// A torrent that is to be added.
#[derive(Debug)]
pub struct Offer {
    /// Who brings it.
    pub asker: Asker,
    /// The torrent and its bytes.
    pub found: (Metainfo, Vec<u8>),
    /// What is wanted of it.
    pub record: Record,
}

impl Offer {
    /// What a client brings. `usual`: the folder of content where it names none.
    ///
    /// # Errors
    /// It cannot be read, or is no torrent, or its folder is none.
    pub fn of_client(ticket: Ticket, add: Add, usual: &Path) -> Result<Offer, Trouble> {
        let found = match add.source {
            Source::Metainfo(text) => parse("metainfo", text),
            Source::Named(name) if name.starts_with('/') => read(Path::new(&name)),
            Source::Named(name) => {
                let why = "expected the whole path of a .torrent: links are not there yet";
                Err(Trouble::NoTorrent(format!("{name}: {why}")))
            }
        };
        let dir = add.download_dir.map(PathBuf::from);
        if let Some(dir) = dir.as_ref().filter(|dir| dir.is_relative()) {
            let why = "download_dir: expected a whole path";
            return Err(Trouble::Failed(format!("{}: {why}", dir.display())));
        }
        Ok(Offer {
            asker: Asker::Client(ticket),
            found: found?,
            record: Record {
                paused: add.paused,
                dir: dir.filter(|dir| dir != usual),
                ..Record::default()
            },
        })
    }
}

/// Reads a torrent and its bytes.
///
/// # Errors
/// It cannot be read, or is none.
pub fn read(path: &Path) -> Result<(Metainfo, Vec<u8>), Trouble> {
    let name = path.display().to_string();
    match state::load(path, limits::METAINFO_BYTES + 1) {
        Ok(Some(text)) => parse(&name, text),
        Ok(None) => Err(Trouble::Failed(format!("{name}: no such file"))),
        Err(error) => Err(Trouble::Failed(error.to_string())),
    }
}

/// A torrent and its bytes. `name`: what they are called in messages.
///
/// # Errors
/// It is none.
pub fn parse(name: &str, text: Vec<u8>) -> Result<(Metainfo, Vec<u8>), Trouble> {
    let invalid = |why: &str| Trouble::NoTorrent(format!("{name}: {why}"));
    if text.len() > limits::METAINFO_BYTES {
        return Err(invalid("it is longer than any torrent is"));
    }
    let metainfo = Metainfo::parse(&text).map_err(|why| invalid(&why.to_string()))?;
    Ok((metainfo, text))
}
