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
use crate::base::{InfoHash, SortedMap, Time, TorrentKey, limits};
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
    /// disk or was refused, and for others to be written; and the bytes of their files.
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

    /// How many of them are being written.
    pub fn writing(&self) -> usize {
        self.writing.len()
    }

    /// Whether so many wait to be written that no more are to come. One write of the list is for
    /// all of a batch.
    pub fn is_full(&self) -> bool {
        let waiting = self.recording.len();
        let bytes = || -> usize { self.recording.iter().map(|(.., text)| text.len()).sum() };
        waiting >= limits::CONTROL_BATCH
            || waiting >= limits::ADDS_AT_ONCE && bytes() >= limits::URL_SHORT
    }

    /// Puts a torrent, or its link, into the folder once the list of this version is settled.
    pub fn add(&mut self, version: Version, opening: Opening, text: Vec<u8>) {
        self.recording.push_back((version, opening, text));
    }

    /// Goes on with those that waited for this version of the list, a few at a time.
    pub fn on_settled(&mut self, settled: Version) {
        while self.writing.len() < limits::ADDS_AT_ONCE {
            let mut waiting = self.recording.iter();
            let due = waiting.position(|(version, ..)| *version <= settled);
            let due = due.and_then(|place| self.recording.remove(place));
            let Some((_, opening, text)) = due else {
                return;
            };
            let is_link = opening.setup.origin.wanted.is_some();
            let ending = if is_link { "magnet" } else { "torrent" };
            self.write(opening, text, ending, None);
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

    /// Tells of disks that do not answer: see [`StateWriter::look_after`].
    pub fn look_after(&mut self, now: Time) {
        self.state_writer.look_after(now);
    }

    /// When that is due though nothing happens.
    pub fn next_deadline(&self) -> Option<Time> {
        self.state_writer.next_deadline()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::folder::folder_setup::FolderSetup;
    use crate::io::folder::settings::{Settings, Wishes};
    use crate::io::tokens;
    use crate::wire::magnet::Link;
    use std::time::{Duration, Instant};

    #[test]
    fn all_of_a_batch_wait_for_the_list_and_few_are_written_at_one_time() {
        let dir = std::env::temp_dir().join(format!("brooklet-arrivals-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let poll = mio::Poll::new().unwrap();
        let mut arrivals = Arrivals::new(dir.clone(), tokens::waker(&poll).unwrap());
        let (wishes, _) = Wishes::read(&dir, Settings::default(), |_, _| Default::default());
        let setup = FolderSetup::new(dir.clone(), wishes);
        let opening = |number: usize| Opening {
            asker: None,
            setup: setup.setup_of_link(Link::bare(InfoHash([number as u8; 20])), dir.clone()),
            record: Record::default(),
            torrent: None,
            brought_by: None,
            is_again: false,
        };
        for number in 0..limits::CONTROL_BATCH {
            assert!(!arrivals.is_full());
            arrivals.add(2, opening(number), b"link".to_vec());
        }
        assert!(arrivals.is_full());
        arrivals.on_settled(1);
        assert_eq!(arrivals.writing(), 0, "what is wanted of them is not kept");
        // One of which nothing is wanted does not wait for that.
        arrivals.add(0, opening(limits::CONTROL_BATCH), b"link".to_vec());
        arrivals.on_settled(1);
        assert_eq!(arrivals.writing(), 1);
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut written = 0;
        while written <= limits::CONTROL_BATCH {
            assert!(Instant::now() < deadline, "{written} are written");
            if let Some((ticket, result)) = arrivals.next_written() {
                assert_eq!(result, Ok(()));
                assert!(arrivals.take(ticket).is_some());
                written += 1;
            }
            arrivals.on_settled(2);
            let most = limits::ADDS_AT_ONCE.min(limits::CONTROL_BATCH + 1 - written);
            assert_eq!(arrivals.writing(), most);
        }
        // Long ones take memory.
        for number in 0..limits::ADDS_AT_ONCE {
            assert!(!arrivals.is_full());
            let text = vec![0; limits::URL_SHORT / limits::ADDS_AT_ONCE];
            arrivals.add(3, opening(number), text);
        }
        assert!(arrivals.is_full());
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
