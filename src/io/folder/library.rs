//! The torrents of a folder: each lies in `torrents/` as `INFOHASH.torrent`, so that a start finds
//! it again, and its content in `downloads/`. A torrent is taken into the folder first, then its
//! files are opened by the store's thread, then it is the session's.

use std::collections::VecDeque;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use mio::Waker;

use super::chosen::Limits;
use super::control::Ticket;
use super::eraser::Eraser;
use super::keeper::{self, Keeper};
use super::offers::{Answer, Asker, Offer, read};
use super::on_complete::Subject;
use super::records::{Record, Records, Version};
use super::shelf;
use super::whole::Whole;
use crate::base::{InfoHash, Now, SortedMap, SortedSet, TorrentKey};
use crate::io::claims::{Claims, Taken};
use crate::io::disk::threads::opening::Outcome;
use crate::io::disk::{Store, places, state};
use crate::io::setup::Setup;
use crate::rpc::{Add, Added, Trouble};
use crate::session::{Session, command, sleep, view};
use crate::torrent::{Stage, Stay, Then, Torrent};
use crate::wire::Metainfo;

/// Torrents of the folder whose files are opened at the same time.
const OPENING: usize = 16;

/// The torrents of a folder.
#[derive(Debug)]
pub struct Library {
    setup: Whole,
    claims: Claims,
    records: Records,
    /// Torrents of the folder that are not taken up yet.
    unopened: VecDeque<PathBuf>,
    /// Torrents whose files are being opened, by the key that the store knows them by.
    opening: SortedMap<TorrentKey, Opening>,
    /// Openings so far.
    opened: TorrentKey,
    /// Torrents that are being put into the folder.
    writing: SortedMap<keeper::Ticket, Opening>,
    keeper: Keeper,
    eraser: Eraser,
    /// Torrents that are to be added once others have come or gone.
    waiting: Vec<Offer>,
    /// Torrents that the folder had at the start and its list had not: the client that added them
    /// may not know that they are there.
    unlisted: SortedSet<InfoHash>,
}

/// A torrent whose files are being opened.
#[derive(Debug)]
struct Opening {
    /// Who asked for it; `None`: it was there at the start.
    asker: Option<Asker>,
    setup: Setup,
    record: Record,
}

impl Library {
    /// The torrents of this folder; [`Library::load`] takes up those that are there. `waker` is
    /// the loop's.
    pub fn new(setup: Whole, waker: Arc<Waker>) -> Library {
        Library {
            keeper: Keeper::new(Arc::clone(&waker)),
            eraser: Eraser::new(setup.state_dir(), waker),
            writing: SortedMap::new(),
            setup,
            claims: Claims::default(),
            records: Records::default(),
            unopened: VecDeque::new(),
            opening: SortedMap::new(),
            opened: 0,
            waiting: Vec::new(),
            unlisted: SortedSet::new(),
        }
    }

    /// Takes up the torrents that are in the folder. What cannot be read is told, and left.
    pub fn load(&mut self, store: &mut Store, session: &mut Session, now: Now) {
        let state_dir = self.setup.state_dir();
        let mut warn = |line| session.warn(None, line);
        self.records = Records::load(&state_dir, &mut warn);
        self.unopened = shelf::torrents(&state_dir, &self.records);
        // What names a torrent goes last when it is deleted.
        if let Some(names) = shelf::info_hashes(self.unopened.iter()) {
            self.records.retain(|info_hash| names.contains(info_hash));
        }
        if let Some(chosen) = self.records.chosen() {
            chosen.apply(self.options(), session, now);
        }
        self.load_some(store, session);
    }

    /// Takes up torrents that are in the folder, a few at a time: with all at once their files
    /// would be described in memory together.
    fn load_some(&mut self, store: &mut Store, session: &mut Session) {
        while self.opening.len() < OPENING {
            let Some(path) = self.unopened.pop_front() else {
                return;
            };
            match read(&path) {
                Ok((metainfo, _)) => self.take_up(metainfo, store, session),
                Err(trouble) => session.warn(None, trouble.text()),
            }
        }
    }

    /// Takes up one torrent that is in the folder, or goes on deleting it.
    fn take_up(&mut self, metainfo: Metainfo, store: &mut Store, session: &mut Session) {
        let info_hash = metainfo.info_hash;
        let record = self.records.get(&info_hash).cloned().unwrap_or_else(|| {
            self.unlisted.insert(info_hash);
            Record {
                number: self.records.next_number(),
                ..Record::default()
            }
        });
        self.records.set(info_hash, record.clone());
        let removing = record.removing;
        let setup = self.prepare(metainfo, &record);
        match (self.claim(&setup), removing) {
            (_, Some(data)) => {
                if let Err(why) = self.eraser.erase(info_hash, setup.dir, data) {
                    session.warn(None, why);
                }
            }
            (Ok(()), None) => {
                let opening = Opening {
                    asker: None,
                    setup,
                    record,
                };
                self.open(opening, store);
            }
            (Err(why), None) => session.warn(None, why),
        }
    }

    /// Takes a torrent that a client brings into the folder, and has its files opened; an answer,
    /// if it is known at once.
    pub fn add(&mut self, ticket: Ticket, add: Add, session: &Session) -> Option<Answer> {
        match Offer::of_client(ticket, add, &self.setup.dir) {
            Ok(offer) => self.take(offer, session),
            Err(trouble) => Some((Asker::Client(ticket), Err(trouble))),
        }
    }

    /// Takes a torrent into the folder, and has its files opened when it is there; an answer, if it
    /// is known at once.
    pub fn take(&mut self, offer: Offer, session: &Session) -> Option<Answer> {
        if self.is_early(&offer, session) {
            self.waiting.push(offer);
            return None;
        }
        let Offer {
            asker,
            found: (metainfo, text),
            record,
        } = offer;
        let info_hash = metainfo.info_hash;
        if let Some(there) = view::find(session, &info_hash) {
            let added = self.added(there, true);
            return Some((asker, Ok(added)));
        }
        let setup = self.prepare(metainfo, &record);
        if let Err(why) = self.claim(&setup) {
            return Some((asker, Err(Trouble::Failed(why))));
        }
        let path = self.setup.state_dir().join(format!("{info_hash}.torrent"));
        let opening = Opening {
            asker: Some(asker),
            setup,
            record,
        };
        self.writing.insert(self.keeper.write(path, text), opening);
        None
    }

    /// Whether this torrent, or one that has the same files, comes or goes at this moment.
    fn is_early(&self, offer: &Offer, session: &Session) -> bool {
        let metainfo = &offer.found.0;
        let comes = |opening: &Opening| opening.setup.metainfo.info_hash == metainfo.info_hash;
        let place = self.dir(&offer.record).join(&metainfo.name);
        let holder = self.claims.holder(&place);
        // A torrent that is not read yet may be this one.
        !self.unopened.is_empty()
            || self
                .opening
                .values()
                .chain(self.writing.values())
                .any(comes)
            || self.goes(&metainfo.info_hash, session)
            || holder.is_some_and(|holder| self.goes(&holder, session))
    }

    /// Whether a torrent is on its way out.
    fn goes(&self, info_hash: &InfoHash, session: &Session) -> bool {
        let stage = view::find(session, info_hash).map(|torrent| torrent.life.stage);
        let leaves = match stage {
            Some(Stage::Leaving { then, .. }) => matches!(then, Then::Remove { .. }),
            _ => false,
        };
        leaves || self.eraser.has(info_hash)
    }

    fn dir<'a>(&'a self, record: &'a Record) -> &'a PathBuf {
        record.dir.as_ref().unwrap_or(&self.setup.dir)
    }

    /// Whether this torrent was there at the start without being listed: it was being added when
    /// the last run ended, and the client that added it may not know that it is there.
    pub fn was_interrupted(&self, info_hash: &InfoHash) -> bool {
        self.unlisted.contains(info_hash)
    }

    /// Goes on with torrents whose files were opened or closed. Answers come back.
    pub fn turn(&mut self, store: &mut Store, session: &mut Session, now: Now) -> Vec<Answer> {
        let (mut answers, mut moved) = (Vec::new(), false);
        while let Some((ticket, written)) = self.keeper.next_written() {
            let Some(opening) = self.writing.remove(&ticket) else {
                if let Some(error) = self.records.on_written(written, now) {
                    session.warn(None, error.to_string());
                }
                continue;
            };
            if let Err(error) = written {
                moved = true;
                self.claims.release(&opening.setup.metainfo.info_hash);
                let outcome = Err(Trouble::Failed(error.to_string()));
                answers.extend(opening.asker.map(|asker| (asker, outcome)));
            } else {
                self.open(opening, store);
            }
        }
        while let Some((key, outcome)) = store.next_opened() {
            moved = true;
            answers.extend(self.begin(key, outcome, store, session, now));
        }
        self.load_some(store, session);
        let (version, kept) = self.records.versions();
        while let Some(closed) = store.next_closed() {
            self.eraser.on_closed(closed.info_hash, version);
        }
        for why in self.eraser.begin(kept) {
            session.warn(None, why);
        }
        while let Some((info_hash, errors)) = self.eraser.next_erased() {
            for error in errors {
                session.warn(None, error.to_string());
            }
            let path = self.setup.state_dir().join(format!("{info_hash}.torrent"));
            if fs::symlink_metadata(path).is_err() {
                self.records.remove(&info_hash);
            }
            self.claims.release(&info_hash);
            moved = true;
        }
        if moved {
            for offer in std::mem::take(&mut self.waiting) {
                answers.extend(self.take(offer, session));
            }
        }
        answers
    }

    /// A torrent is forgotten, and its files are being closed: they are deleted afterwards.
    pub fn on_removed(&mut self, info_hash: InfoHash, data: bool) {
        let dir = self.place(&info_hash);
        self.eraser.expect(info_hash, dir, data);
    }

    /// The folder of a torrent's content.
    pub fn place(&self, info_hash: &InfoHash) -> PathBuf {
        let record = self.records.get(info_hash);
        let dir = record.map_or(&self.setup.dir, |record| self.dir(record));
        dir.clone()
    }

    /// What the folder is run with.
    pub fn setup(&self) -> &Whole {
        &self.setup
    }

    /// From now on torrents that are added stay for so long.
    pub fn set_stay(&mut self, stay: Stay) {
        self.setup.stay = stay;
    }

    /// What to tell of a torrent that has become complete by being downloaded; once.
    pub fn completed(&mut self, torrent: &Torrent) -> Option<Subject> {
        let info_hash = torrent.order.info_hash;
        let record = self.records.get(&info_hash)?.clone();
        if torrent.life.complete_at.is_none() || record.complete {
            return None;
        }
        let subject = Subject::of(torrent, self.dir(&record));
        let complete = true;
        self.records.set(info_hash, Record { complete, ..record });
        subject
    }

    /// Takes note of what a torrent does now.
    pub fn note(&mut self, torrent: &Torrent) {
        self.records.note(torrent);
    }

    /// Takes note of the limits of all torrents together.
    pub fn note_limits(&mut self, session: &Session) {
        let (limits, options) = (Limits::of(session), self.options());
        self.records.note_limits(limits, options);
    }

    /// From now on the options say this of the limits of all torrents together.
    pub fn set_options(&mut self, down: Option<u64>, up: Option<u64>) {
        (self.setup.process.down, self.setup.process.up) = (down, up);
    }

    fn options(&self) -> Limits {
        Limits {
            down: self.setup.process.down,
            up: self.setup.process.up,
        }
    }

    /// Begins to save what has changed: see [`Library::versions`].
    pub fn save(&mut self, now: Now) {
        if let Some((path, text)) = self.records.next_text(now) {
            self.keeper.write(path, text);
        }
    }

    /// The version of what is known now, and the version that is on disk.
    pub fn versions(&self) -> (Version, Version) {
        self.records.versions()
    }

    /// What a torrent's setup is.
    fn prepare(&self, mut metainfo: Metainfo, record: &Record) -> Setup {
        let dir = self.dir(record);
        places::fold(dir, &mut metainfo, true);
        places::find(dir, &mut metainfo);
        self.setup.of(metainfo, dir.clone())
    }

    /// Takes the files of a torrent for it.
    fn claim(&mut self, setup: &Setup) -> Result<(), String> {
        let name = &setup.metainfo.name;
        let other = match self.claims.take(&setup.request()) {
            Ok(()) => return Ok(()),
            Err(Taken::Twice) => return Err(format!("{name}: it is there already")),
            Err(Taken::By(other)) => other,
        };
        let record = self.records.get(&other.info_hash);
        let number = record.map_or(String::new(), |it| format!("number {}, ", it.number));
        let other_name = other.name;
        Err(if other.is_nested {
            format!("{name}: its folder and that of {number}{other_name}, lie within each other")
        } else {
            format!("{name}: {number}{other_name}, has the same files: remove that first")
        })
    }

    fn open(&mut self, opening: Opening, store: &mut Store) {
        self.opened += 1;
        store.open(self.opened, opening.setup.request());
        self.opening.insert(self.opened, opening);
    }

    /// Hands a torrent whose files are open to the session.
    fn begin(
        &mut self,
        key: TorrentKey,
        outcome: Outcome,
        store: &mut Store,
        session: &mut Session,
        now: Now,
    ) -> Option<Answer> {
        let Opening {
            asker,
            setup,
            mut record,
        } = self.opening.remove(&key)?;
        for warning in outcome.warnings {
            session.warn(None, warning);
        }
        let (info_hash, dir) = (setup.metainfo.info_hash, setup.dir.clone());
        let opened = match outcome.result {
            Ok(opened) => opened,
            Err(why) => {
                // One that was just brought is not kept; one that was there may be the disk's
                // fault, and is tried again at the next start.
                let Some(asker) = asker else {
                    session.warn(None, why);
                    return None;
                };
                if let Err(why) = self.eraser.erase(info_hash, dir, false) {
                    session.warn(None, why);
                }
                return Some((asker, Err(Trouble::Failed(why))));
            }
        };
        if record.number == 0 {
            record.number = self.records.next_number();
        }
        let (order, content, keeping) = setup.order(opened);
        command::number_next(session, record.number);
        // Each torrent of the session has claimed its files, so this one is new.
        let torrent = session.add(order, now).ok()?;
        record.apply(torrent, session, now);
        if sleep::await_check(session, torrent, now) {
            let name = view::name(session, torrent);
            log::info!("{name}: it is checked once others are");
        } else {
            store.insert(torrent, content, keeping);
        }
        self.records.set(info_hash, record);
        let added = session.torrent(torrent).map(|it| self.added(it, false));
        asker.zip(added.map(Ok))
    }

    fn added(&self, torrent: &Torrent, is_duplicate: bool) -> Added {
        Added {
            number: torrent.life.number,
            info_hash: torrent.order.info_hash,
            name: torrent.order.name.clone(),
            is_duplicate,
        }
    }
}

impl Drop for Library {
    /// Writes what is not on disk yet before the process ends.
    fn drop(&mut self) {
        self.keeper.finish();
        if let Some((path, text)) = self.records.last_words() {
            if let Err(error) = state::replace(&path, &text) {
                log::warn!("{error}");
            }
        }
    }
}
