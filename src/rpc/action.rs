//! What requests ask for that a view cannot answer.

use crate::base::InfoHash;
use crate::session::Command;
use crate::wire::json::Json;

/// What a request comes to.
#[derive(Clone, PartialEq, Debug)]
pub enum Action {
    /// It is answered.
    Answer(Json),
    /// These are to be performed, in this order.
    Command(Vec<Command>),
    /// A torrent is to be added.
    Add(Add),
}

/// A torrent to be added.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Add {
    /// Where it comes from.
    pub source: Source,
    /// Whether it waits until it is resumed.
    pub paused: bool,
    /// The folder for its content, if it is not the usual one.
    pub download_dir: Option<String>,
}

/// Where a torrent comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    /// A path, a magnet link, a URL or an info hash.
    Named(String),
    /// The bytes of a `.torrent`.
    Metainfo(Vec<u8>),
}

/// A torrent that is there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Added {
    /// The number that users know it by.
    pub number: u32,
    /// The torrent.
    pub info_hash: InfoHash,
    /// Its name.
    pub name: String,
    /// Whether it was there before.
    pub is_duplicate: bool,
    /// What it has got then by being added once more.
    pub merged: Merged,
}

/// What a torrent that is there has got from another source of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Merged {
    /// Trackers that it did not have.
    pub trackers: usize,
    /// Peers that were not known.
    pub peers: usize,
    /// Only a link was known, and its files are known now.
    pub described: bool,
}

impl Merged {
    /// In words; `None`: nothing.
    pub fn words(self) -> Option<String> {
        let Merged {
            trackers,
            peers,
            described,
        } = self;
        let parts = [
            described.then(|| String::from("its files are known now")),
            (trackers > 0).then(|| format!("trackers added: {trackers}")),
            (peers > 0).then(|| format!("peers added: {peers}")),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}
