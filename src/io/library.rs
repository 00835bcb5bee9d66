//! The torrents of a folder: each lies in `torrents/` as `INFOHASH.torrent`, so that a start finds
//! it again, and its content in `downloads/`. A torrent is taken into the folder first, then its
//! files are opened by the store's thread, then it is the session's.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use mio::Waker;

use super::control::Ticket;
use super::disk::disk_error::DiskError;
use super::disk::erase::{self, erase};
use super::disk::opening::Outcome;
use super::disk::store::Store;
use super::disk::{places, state};
use super::setup::{Mode, Setup, Whole};
use crate::base::id::InfoHash;
use crate::base::key::TorrentKey;
use crate::base::limits;
use crate::base::time::Now;
use crate::rpc::{Add, Added, Source, Trouble};
use crate::session::command::{self, Command};
use crate::session::session::Session;
use crate::session::view;
use crate::wire::metainfo::Metainfo;

/// Torrents of the folder whose files are opened at the same time.
const OPENING: usize = 16;

/// What became of a torrent that somebody asked to be added.
pub type Answer = (Ticket, Result<Added, Trouble>);

/// The torrents of a folder.
#[derive(Debug)]
pub struct Library {
    setup: Whole,
    waker: Arc<Waker>,
    /// Torrents of the folder that are not taken up yet.
    waiting: VecDeque<PathBuf>,
    /// Torrents whose files are being opened, by the key that the store knows them by.
    opening: BTreeMap<TorrentKey, Opening>,
    /// Openings so far.
    opened: TorrentKey,
    /// Torrents whose files are being closed to be deleted, and whether their content is, too.
    closing: BTreeMap<InfoHash, bool>,
    /// Threads that delete tell by these what went wrong.
    erased: (Sender<Vec<DiskError>>, Receiver<Vec<DiskError>>),
}

/// A torrent whose files are being opened.
#[derive(Debug)]
struct Opening {
    /// Who asked for it; `None`: it was there at the start.
    ticket: Option<Ticket>,
    setup: Setup,
    paused: bool,
}

impl Library {
    /// The torrents of this folder; [`Library::load`] takes up those that are there. `waker` is
    /// the loop's.
    pub fn new(setup: Whole, waker: Arc<Waker>) -> Library {
        Library {
            setup,
            waker,
            waiting: VecDeque::new(),
            opening: BTreeMap::new(),
            opened: 0,
            closing: BTreeMap::new(),
            erased: mpsc::channel(),
        }
    }

    /// Takes up the torrents that are in the folder. What cannot be read is told, and left.
    pub fn load(&mut self, store: &mut Store, session: &mut Session) {
        let state_dir = self.setup.state_dir();
        let entries = fs::read_dir(&state_dir).into_iter().flatten().flatten();
        let is_torrent = |path: &PathBuf| path.extension().is_some_and(|it| it == "torrent");
        let paths = entries.map(|entry| entry.path()).filter(is_torrent);
        // In the order in which they were added.
        let added = |path: &PathBuf| fs::metadata(path).and_then(|found| found.modified()).ok();
        let mut paths: Vec<_> = paths.map(|path| (added(&path), path)).collect();
        paths.sort();
        self.waiting = paths.into_iter().map(|(_, path)| path).collect();
        self.load_some(store, session);
    }

    /// Takes up torrents that are in the folder, a few at a time: with all at once their files
    /// would be described in memory together.
    fn load_some(&mut self, store: &mut Store, session: &mut Session) {
        while self.opening.len() < OPENING {
            let Some(path) = self.waiting.pop_front() else {
                return;
            };
            match read(&path) {
                Ok((metainfo, _)) => self.open(metainfo, None, false, store),
                Err(trouble) => session.warn(None, trouble.text()),
            }
        }
    }

    /// Takes a torrent into the folder, and has its files opened; an answer, if it is known at
    /// once.
    pub fn add(
        &mut self,
        ticket: Ticket,
        add: Add,
        store: &mut Store,
        session: &Session,
        now: Now,
    ) -> Option<Answer> {
        let taken = self.take(add.source, add.download_dir, session, now);
        match taken {
            Ok(Taken::New(metainfo)) => {
                self.open(*metainfo, Some(ticket), add.paused, store);
                None
            }
            Ok(Taken::There(added)) => Some((ticket, Ok(added))),
            Err(trouble) => Some((ticket, Err(trouble))),
        }
    }

    /// Goes on with torrents whose files were opened or closed. Answers come back.
    pub fn turn(&mut self, store: &mut Store, session: &mut Session, now: Now) -> Vec<Answer> {
        let mut answers = Vec::new();
        while let Some((key, outcome)) = store.next_opened() {
            answers.extend(self.begin(key, outcome, store, session, now));
        }
        self.load_some(store, session);
        while let Some(closed) = store.next_closed() {
            if let Some(data) = self.closing.remove(&closed.info_hash) {
                self.erase(closed.info_hash, data, session);
            }
        }
        while let Ok(errors) = self.erased.1.try_recv() {
            for error in errors {
                session.warn(None, error.to_string());
            }
        }
        answers
    }

    /// A torrent is forgotten, and its files are being closed: they are deleted afterwards.
    pub fn on_removed(&mut self, info_hash: InfoHash, data: bool) {
        self.closing.insert(info_hash, data);
    }

    fn take(
        &self,
        source: Source,
        download_dir: Option<String>,
        session: &Session,
        now: Now,
    ) -> Result<Taken, Trouble> {
        let dir = &self.setup.dir;
        if download_dir.is_some_and(|other| Path::new(&other) != dir) {
            let dir = dir.display();
            let why = format!("download_dir: all content lies in {dir} here");
            return Err(Trouble::Failed(why));
        }
        let (metainfo, text) = match source {
            Source::Metainfo(text) => parse("metainfo", text)?,
            Source::Named(name) if name.starts_with('/') => read(Path::new(&name))?,
            Source::Named(name) => {
                let why = "expected the whole path of a .torrent: links are not there yet";
                return Err(Trouble::NoTorrent(format!("{name}: {why}")));
            }
        };
        let info_hash = metainfo.info_hash;
        let view = view::of(session, now);
        let there = view
            .torrents
            .iter()
            .find(|torrent| torrent.info_hash == info_hash);
        if let Some(there) = there {
            return Ok(Taken::There(Added {
                number: there.number,
                info_hash,
                name: there.name.clone(),
                is_duplicate: true,
            }));
        }
        let name = &metainfo.name;
        let mut others = self.opening.values().map(|opening| &opening.setup.metainfo);
        let is_busy = self.closing.contains_key(&info_hash)
            || others.any(|other| other.info_hash == info_hash);
        if is_busy {
            let why = format!("{name}: it is being added or removed already");
            return Err(Trouble::Failed(why));
        }
        let names = view.torrents.iter().map(|torrent| &torrent.name);
        let others = self
            .opening
            .values()
            .map(|opening| &opening.setup.metainfo.name);
        if names.chain(others).any(|other| other == name) {
            let why = format!("{name}: another torrent has the same files: remove that first");
            return Err(Trouble::Failed(why));
        }
        let path = self.setup.state_dir().join(format!("{info_hash}.torrent"));
        let kept = state::replace(&path, &text);
        kept.map_err(|error| Trouble::Failed(error.to_string()))?;
        Ok(Taken::New(Box::new(metainfo)))
    }

    fn open(
        &mut self,
        mut metainfo: Metainfo,
        ticket: Option<Ticket>,
        paused: bool,
        store: &mut Store,
    ) {
        places::fold(&self.setup.dir, &mut metainfo, true);
        places::find(&self.setup.dir, &mut metainfo);
        let setup = self.setup.of(
            metainfo,
            Mode::Get {
                stay: self.setup.stay,
            },
        );
        self.opened += 1;
        store.open(self.opened, setup.request());
        let opening = Opening {
            ticket,
            setup,
            paused,
        };
        self.opening.insert(self.opened, opening);
    }

    /// The session takes a torrent on whose files are open.
    fn begin(
        &mut self,
        key: TorrentKey,
        outcome: Outcome,
        store: &mut Store,
        session: &mut Session,
        now: Now,
    ) -> Option<Answer> {
        let opening = self.opening.remove(&key)?;
        for warning in outcome.warnings {
            session.warn(None, warning);
        }
        let metainfo = Arc::clone(&opening.setup.metainfo);
        let opened = match outcome.result {
            Ok(opened) => opened,
            Err(why) => {
                // One that was just brought is not kept; one that was there may be the disk's
                // fault, and is tried again at the next start.
                match opening.ticket {
                    None => session.warn(None, why.clone()),
                    Some(_) => self.erase(metainfo.info_hash, false, session),
                }
                let ticket = opening.ticket?;
                return Some((ticket, Err(Trouble::Failed(why))));
            }
        };
        let (order, content, keeping) = opening.setup.order(opened);
        let torrent = match session.add(order, now) {
            Ok(torrent) => torrent,
            Err(_) => {
                let why = format!("{}: it is there already", metainfo.name);
                let ticket = opening.ticket?;
                return Some((ticket, Err(Trouble::Failed(why))));
            }
        };
        store.insert(torrent, content, keeping);
        if opening.paused {
            // It was added just now, so it can be paused.
            let _ = command::perform(session, Command::Pause(torrent), now);
        }
        let added = session.torrent(torrent).map(|torrent| Added {
            number: torrent.life.number,
            info_hash: metainfo.info_hash,
            name: metainfo.name.clone(),
            is_duplicate: false,
        });
        opening.ticket.zip(added.map(Ok))
    }

    /// Deletes what is kept of a torrent, and its content if `data` says so, in a thread: large
    /// files take their time.
    fn erase(&self, info_hash: InfoHash, data: bool, session: &mut Session) {
        let (dir, state_dir) = (self.setup.dir.clone(), self.setup.state_dir());
        let (told, waker) = (self.erased.0.clone(), Arc::clone(&self.waker));
        let work = move || {
            let place = erase::Place {
                dir: &dir,
                state_dir: &state_dir,
            };
            // Nobody hears of it if the loop is gone.
            let _ = told.send(erase(&place, info_hash, data));
            let _ = waker.wake();
        };
        if let Err(error) = thread::Builder::new().name("erase".into()).spawn(work) {
            session.warn(None, format!("{info_hash}: it is not deleted: {error}"));
        }
    }
}

/// What is in the folder now.
enum Taken {
    New(Box<Metainfo>),
    There(Added),
}

fn read(path: &Path) -> Result<(Metainfo, Vec<u8>), Trouble> {
    let name = path.display().to_string();
    match state::load(path, limits::METAINFO_BYTES + 1) {
        Ok(Some(text)) => parse(&name, text),
        Ok(None) => Err(Trouble::Failed(format!("{name}: no such file"))),
        Err(error) => Err(Trouble::Failed(error.to_string())),
    }
}

fn parse(name: &str, text: Vec<u8>) -> Result<(Metainfo, Vec<u8>), Trouble> {
    let invalid = |why: &str| Trouble::NoTorrent(format!("{name}: {why}"));
    if text.len() > limits::METAINFO_BYTES {
        return Err(invalid("it is longer than any torrent is"));
    }
    let metainfo = Metainfo::parse(&text).map_err(|why| invalid(&why.to_string()))?;
    Ok((metainfo, text))
}
