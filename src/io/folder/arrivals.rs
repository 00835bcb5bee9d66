//! Torrents that are being put into the folder. What is wanted of one is on disk before the torrent
//! is: a start after a kill would take it for one of which nothing is wanted.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use mio::Waker;

use super::offers::Asker;
use super::record::Record;
use super::records::Version;
use super::state_writer::{StateWriter, Ticket, Written};
use crate::base::{InfoHash, SortedMap, TorrentKey};
use crate::io::disk::state;
use crate::io::setup::Setup;
use crate::rpc::Added;

/// A torrent whose files are being opened, or whose `.torrent` is written before that.
#[derive(Debug)]
pub struct Opening {
    /// Who asked for it; `None`: it was there at the start, or its link was.
    pub asker: Option<Asker>,
    /// What it is run with.
    pub setup: Setup,
    /// What is recorded of it.
    pub record: Record,
    /// The session has it, since its link was known before.
    pub torrent: Option<TorrentKey>,
    /// Who has brought the `.torrent` of such a link, and what is told once that is kept.
    pub brought_by: Option<(Asker, Added)>,
    /// The session has it, and what is found takes its place.
    pub is_again: bool,
}

/// The torrents that are being put into the folder.
#[derive(Debug)]
pub struct Arrivals {
    state_dir: PathBuf,
    state_writer: StateWriter,
    /// Those that wait until the list of this version, which says what is wanted of them, is on
    /// disk or was refused; and the bytes of their files.
    recording: VecDeque<(Version, Opening, Vec<u8>)>,
    /// Those whose files are being written.
    writing: SortedMap<Ticket, Opening>,
}

impl Arrivals {
    /// None yet. `waker` is the loop's.
    pub fn new(state_dir: PathBuf, waker: Arc<Waker>) -> Arrivals {
        Arrivals {
            state_dir,
            state_writer: StateWriter::new(waker),
            recording: VecDeque::new(),
            writing: SortedMap::new(),
        }
    }

    /// Whether this torrent is among them.
    pub fn has(&self, info_hash: &InfoHash) -> bool {
        let recording = self.recording.iter().map(|(_, it, _)| it);
        let mut all = recording.chain(self.writing.values());
        all.any(|it| it.setup.metainfo.info_hash == *info_hash)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.recording.len() + self.writing.len()
    }

    /// Puts a torrent, or its link, into the folder once the list of this version is settled.
    pub fn add(&mut self, version: Version, opening: Opening, text: Vec<u8>) {
        self.recording.push_back((version, opening, text));
    }

    /// Goes on with those that waited for this version of the list.
    pub fn on_settled(&mut self, settled: Version) {
        let is_due = |it: &(Version, Opening, Vec<u8>)| it.0 <= settled;
        while self.recording.front().is_some_and(is_due) {
            if let Some((_, opening, text)) = self.recording.pop_front() {
                let is_link = opening.setup.origin.wanted.is_some();
                self.write(
                    opening,
                    text,
                    if is_link { "magnet" } else { "torrent" },
                    None,
                );
            }
        }
    }

    /// Puts the `.torrent` of a torrent in the place of its link.
    pub fn replace_link(&mut self, opening: Opening, text: Vec<u8>) {
        let info_hash = opening.setup.metainfo.info_hash;
        let link = state::path(&self.state_dir, info_hash, "magnet");
        self.write(opening, text, "torrent", Some(link));
    }

    fn write(&mut self, opening: Opening, text: Vec<u8>, ending: &str, instead: Option<PathBuf>) {
        let path = state::path(&self.state_dir, opening.setup.metainfo.info_hash, ending);
        let ticket = self.state_writer.write_instead(path, text, instead);
        self.writing.insert(ticket, opening);
    }

    /// Writes the list.
    pub fn write_list(&mut self, path: PathBuf, text: Vec<u8>) {
        self.state_writer.write(path, text);
    }

    /// The next file that was written, or could not be.
    pub fn next_written(&mut self) -> Option<Written> {
        self.state_writer.next_written()
    }

    /// Waits for all files that are being written: what became of them.
    pub fn finish(&mut self) -> Vec<Written> {
        self.state_writer.finish()
    }

    /// The torrent whose file was written; `None`: it was the list.
    pub fn take(&mut self, ticket: Ticket) -> Option<Opening> {
        self.writing.remove(&ticket)
    }

    /// Gives up the next one that is not being written yet.
    pub fn give_up(&mut self) -> Option<Opening> {
        let (_, opening, _) = self.recording.pop_front()?;
        Some(opening)
    }
}
