//! Torrents that are to be added to a folder, and what became of them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::brought::Brought;
use super::control::Ticket;
use super::record::Record;
use crate::rpc::{Add, Added, Source, Trouble};
use crate::wire::magnet;

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
    /// What is brought.
    pub brought: Brought,
    /// What is wanted of it.
    pub record: Record,
}

impl Offer {
    /// Something that is brought.
    pub fn new(asker: Asker, brought: Brought, mut record: Record) -> Offer {
        brought.note(&mut record);
        Offer {
            asker,
            brought,
            record,
        }
    }

    /// What was brought once, and is looked at anew when others have come or gone.
    ///
    /// # Errors
    /// The text is no torrent: what is answered.
    pub fn again(asker: Asker, text: Vec<u8>, record: Record) -> Result<Offer, Answer> {
        match Brought::parse("metainfo", text) {
            Ok(brought) => Ok(Offer {
                asker,
                brought,
                record,
            }),
            Err(trouble) => Err((asker, Err(trouble))),
        }
    }

    /// What a client brings. `usual`: the folder of content where it names none.
    ///
    /// # Errors
    /// It cannot be read, or is no torrent, or its folder is none.
    pub fn of_client(ticket: Ticket, mut add: Add, usual: &Path) -> Result<Offer, Trouble> {
        let none = Source::Metainfo(Vec::new());
        let brought = match std::mem::replace(&mut add.source, none) {
            Source::Metainfo(text) => Brought::parse("metainfo", text),
            Source::Named(name) if name.starts_with('/') => Brought::read(Path::new(&name)),
            Source::Named(name) => named(name.trim()),
        };
        Offer::fetched(ticket, add, brought, usual)
    }

    /// What came from elsewhere for a client.
    ///
    /// # Errors
    /// It did not come, or its folder is none.
    pub fn fetched(
        ticket: Ticket,
        add: Add,
        brought: Result<Brought, Trouble>,
        usual: &Path,
    ) -> Result<Offer, Trouble> {
        let dir = add.download_dir.map(PathBuf::from);
        if let Some(dir) = dir.as_ref().filter(|dir| dir.is_relative()) {
            let why = "download_dir: expected a whole path";
            return Err(Trouble::Failed(format!("{}: {why}", dir.display())));
        }
        let mut record = Record {
            paused: add.paused,
            ..Record::default()
        };
        record.change(|special| special.dir = dir.filter(|dir| dir != usual));
        Ok(Offer::new(Asker::Client(ticket), brought?, record))
    }
}

/// What a client names that is no path.
fn named(name: &str) -> Result<Brought, Trouble> {
    if magnet::is_magnet(name) {
        return Brought::of_link("magnet link", name);
    }
    Brought::of_link(name, name).map_err(|trouble| match magnet::given(name) {
        Some(_) => trouble,
        None => {
            let why =
                "expected a magnet link, an info hash, a URL, or the whole path of a .torrent";
            Trouble::NoTorrent(format!("{name}: {why}"))
        }
    })
}
