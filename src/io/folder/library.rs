//! The torrents of a folder: each lies in `torrents/` as `INFOHASH.torrent`, so that a start finds
//! it again, and its content in `downloads/`. A torrent is taken into the folder first, then its
//! files are opened by the store's thread, then it is the session's. One of which only a link is
//! known lies there as `INFOHASH.magnet`, and is the session's at once: see `linked`.

use std::fs;
use std::sync::Arc;

use mio::Waker;

use super::arrivals::{Arrivals, Opening};
use super::brought::Brought;
use super::control::Ticket;
use super::eraser::Eraser;
use super::finding::{Finding, Findings, Next};
use super::folder_setup::FolderSetup;
use super::hosts::Hosts;
use super::offers::{Answer, Asker, Offer};
use super::record::Record;
use super::records::Records;
use super::shelf::{self, Shelf};
use super::url_fetches::{Long, UrlFetches};
use crate::base::{InfoHash, SortedMap, SortedSet, Time};
use crate::io::by_url::{self, Access};
use crate::io::claims::Claims;
use crate::io::disk::threads::opener::OpenId;
use crate::io::disk::threads::opening::{Due, Outcome, Request};
use crate::io::disk::threads::silent::Silent;
use crate::io::disk::{Closed, Store};
use crate::rpc::{Add, Source, Trouble};
use crate::session::{Session, command, reopening, sleep, view};
use crate::wire::magnet::Link;

/// The torrents of a folder.
#[derive(Debug)]
pub struct Library {
    pub(super) setup: FolderSetup,
    pub(super) claims: Claims,
    pub(super) records: Records,
    /// Torrents of the folder that are not taken up yet.
    shelf: Shelf,
    /// Disks that do not answer.
    pub(super) silent: Silent,
    /// Torrents whose files are being found, before they are opened.
    pub(super) finding: Findings,
    /// Torrents whose files are being opened, by the id that the store knows them by.
    pub(super) opening: SortedMap<OpenId, Opening>,
    /// How many openings there were so far: the id of the last one.
    opened: OpenId,
    /// Torrents that are being put into the folder.
    pub(super) arrivals: Arrivals,
    /// Of these, torrents that have failed and are resumed: each is opened anew when it lies there.
    pub(super) late: SortedSet<InfoHash>,
    pub(super) fetches: UrlFetches,
    /// The torrent that has come with a long body, until that is on disk.
    pub(super) long: Option<(InfoHash, Long)>,
    pub(super) eraser: Eraser,
    /// Torrents that are to be added once others have come or gone.
    pub(super) waiting: Vec<Offer>,
    /// What could not be deleted lately of torrents that were removed.
    pub(super) undeleted: Vec<(InfoHash, String)>,
    /// Torrents that the folder had at the start and its list had not: the client that added them
    /// may not know that they are there.
    pub(super) unlisted: SortedSet<InfoHash>,
    /// What is known of the torrents whose metadata are being fetched.
    pub(super) linked: SortedMap<InfoHash, Link>,
    /// Hosts that torrents name and nobody has looked up.
    pub(super) hosts: Hosts,
}

impl Library {
    /// The torrents of this folder; [`Library::load`] takes up those that are there. `waker` is
    /// the loop's.
    pub fn new(setup: FolderSetup, waker: Arc<Waker>) -> Library {
        Library {
            fetches: UrlFetches::new(
                Access {
                    route: setup.route.clone(),
                    allow_local: setup.process.reaching.allow_local,
                },
                Arc::clone(&waker),
            ),
            arrivals: Arrivals::new(setup.state_dir(), Arc::clone(&waker)),
            long: None,
            eraser: Eraser::new(setup.state_dir(), waker),
            late: SortedSet::new(),
            setup,
            claims: Claims::default(),
            records: Records::default(),
            shelf: Shelf::default(),
            silent: Silent::default(),
            finding: Findings::default(),
            opening: SortedMap::new(),
            opened: 0,
            waiting: Vec::new(),
            undeleted: Vec::new(),
            unlisted: SortedSet::new(),
            linked: SortedMap::new(),
            hosts: Hosts::default(),
        }
    }

    /// Takes up the torrents that are in the folder. What cannot be read is told, and left.
    pub fn load(&mut self, store: &mut Store, session: &mut Session, now: Time) {
        let state_dir = self.setup.state_dir();
        let mut warn = |line| session.warn(None, line);
        self.records = Records::load(&state_dir, &mut warn);
        let unopened = shelf::torrents(&state_dir, &self.records);
        // What names a torrent goes last when it is deleted.
        let names = shelf::info_hashes(unopened.iter());
        let is_there = |it: &InfoHash| names.as_ref().is_none_or(|names| names.contains(it));
        self.records.retain(is_there);
        self.shelf = Shelf::new(unopened);
        if let Some(chosen) = self.records.chosen() {
            chosen.apply(self.options(), session, now);
        }
        self.load_some(store, session, now);
    }

    /// Whether some of them are still being read or looked for on disk.
    pub fn is_loading(&self) -> bool {
        let found = self.shelf.is_empty() && self.finding.is_empty();
        !found || !self.opening.is_empty()
    }

    /// Takes up torrents that are in the folder, a few at a time: with all at once their files
    /// would be described in memory together.
    fn load_some(&mut self, store: &mut Store, session: &mut Session, now: Time) {
        if command::is_ending(session) {
            return;
        }
        if store.opener().note_silent(&mut self.silent) {
            self.shelf.look_anew();
        }
        while self.under_way(|_, is_silent| !is_silent) < self.finding.at_once() {
            let silent = |it: &InfoHash| self.silent.has(self.records.dir(it, &self.setup.dir));
            let Some(path) = self.shelf.next(silent) else {
                return;
            };
            self.take_file(&path, store, session, now);
        }
    }

    /// Takes up one torrent that is in the folder, or goes on deleting it.
    pub(super) fn take_up(
        &mut self,
        brought: Brought,
        store: &mut Store,
        session: &mut Session,
        now: Time,
    ) {
        let info_hash = brought.info_hash();
        let record = self.records.get(&info_hash).cloned().unwrap_or_else(|| {
            self.unlisted.insert(info_hash);
            let mut record = Record {
                number: self.records.next_number(),
                ..Record::default()
            };
            brought.note(&mut record);
            record
        });
        self.records.set(info_hash, record.clone());
        let is_again = reopening::find(session, &info_hash).is_some();
        match brought {
            Brought::Torrent(metainfo, _) => {
                let next = Next::TakeUp { is_again };
                let finding = Finding {
                    info_hash,
                    record,
                    next,
                };
                self.seek(metainfo, finding, store);
            }
            Brought::Link(link) => {
                let setup = self.of_link(*link, &record);
                let (prepared, known) = ((setup, Ok(()), None), (record, is_again));
                self.go_up(prepared, known, (store, session), now);
            }
        }
    }

    /// Takes a torrent that a client brings into the folder, and has its files opened; an answer,
    /// if it is known at once.
    pub fn add(
        &mut self,
        ticket: Ticket,
        add: Add,
        parts: (&mut Store, &mut Session),
        now: Time,
    ) -> Option<Answer> {
        let offer = match &add.source {
            Source::Named(name) if by_url::is_url(name) => {
                let url = name.clone();
                self.fetches.begin(ticket, add, url);
                return None;
            }
            _ => Offer::of_client(ticket, add, &self.setup.dir),
        };
        self.take_or_refuse(ticket, offer, parts, now)
    }

    pub(super) fn take_or_refuse(
        &mut self,
        ticket: Ticket,
        offer: Result<Offer, Trouble>,
        parts: (&mut Store, &mut Session),
        now: Time,
    ) -> Option<Answer> {
        match offer {
            Ok(offer) => self.take(offer, parts, now),
            Err(trouble) => Some((Asker::Client(ticket), Err(trouble))),
        }
    }

    /// Takes a torrent into the folder, and has its files opened when it is there; an answer, if it
    /// is known at once.
    pub fn take(
        &mut self,
        offer: Offer,
        (store, session): (&mut Store, &mut Session),
        now: Time,
    ) -> Option<Answer> {
        let is_early = self.is_early(&offer.brought.info_hash(), session);
        let is_there = || view::find(session, &offer.brought.info_hash()).is_some();
        if is_early || !is_there() {
            if let Some(why) = self.why_in_vain(&offer, is_early) {
                self.records.give_back(offer.record.number);
                return Some((offer.asker, Err(why)));
            }
        }
        if is_early {
            self.waiting.push(offer);
            return None;
        }
        let Offer {
            asker,
            mut brought,
            mut record,
        } = offer;
        let info_hash = brought.info_hash();
        if let Some(there) = view::find(session, &info_hash) {
            self.records.give_back(std::mem::take(&mut record.number));
            let known = (there.key, self.added(there, true));
            return self.merge((asker, known), (brought, record), (store, session), now);
        }
        if record.number == 0 {
            // They are opened in any order.
            record.number = self.records.reserve_number();
        }
        let (_, text) = brought.take_kept();
        match brought {
            Brought::Torrent(metainfo, _) => {
                let next = Next::Add { asker, text };
                let finding = Finding {
                    info_hash,
                    record,
                    next,
                };
                self.seek(metainfo, finding, store);
                None
            }
            Brought::Link(link) => {
                let prepared = (self.of_link(*link, &record), Ok(()), None);
                self.keep_new(prepared, (asker, record), text)
            }
        }
    }

    /// Whether this torrent comes or goes at this moment.
    fn is_early(&self, info_hash: &InfoHash, session: &Session) -> bool {
        let is_of = |it: &Opening| it.setup.metainfo.info_hash == *info_hash;
        self.shelf.may_have(info_hash)
            || self.finding.has(info_hash)
            || self.opening.values().any(is_of)
            || self.arrivals.has(info_hash)
            || self.goes(info_hash, session)
            || view::find(session, info_hash).is_some_and(reopening::is_under_way)
    }

    /// Whether a torrent is on its way out, what is kept of it included.
    pub fn goes(&self, info_hash: &InfoHash, session: &Session) -> bool {
        let torrent = view::find(session, info_hash);
        torrent.is_some_and(|it| it.life.is_being_removed()) || self.eraser.has(info_hash)
    }

    /// Goes on with torrents whose files were opened or closed. Answers come back.
    pub fn turn(&mut self, store: &mut Store, session: &mut Session, now: Time) -> Vec<Answer> {
        let (mut answers, mut moved) = (Vec::new(), false);
        while let Some((ticket, written)) = self.arrivals.next_written() {
            let Some(opening) = self.arrivals.take(ticket) else {
                if let Some(error) = self.records.on_written(written, now) {
                    session.warn(None, error.to_string());
                }
                continue;
            };
            moved = true;
            answers.extend(self.on_kept(opening, written, store, session, now));
        }
        let (_, kept) = self.records.versions();
        self.arrivals.on_settled(kept);
        while let Some((id, placed)) = store.opener().next_placed() {
            let (left, answer) = self.on_found(id, placed, (store, session), now);
            moved |= left;
            answers.extend(answer);
        }
        while let Some((id, outcome)) = store.next_opened() {
            moved = true;
            answers.extend(self.hand_over(id, outcome, store, session, now));
        }
        self.load_some(store, session, now);
        let (version, kept) = self.records.versions();
        while let Some(Closed { info_hash, .. }) = store.next_closed() {
            if reopening::find(session, &info_hash).is_some() {
                self.reopen(&info_hash, (store, session), now);
                moved = true;
            } else {
                self.eraser.on_closed(info_hash, version);
            }
        }
        self.eraser.erase_settled(kept);
        while let Some((info_hash, errors)) = self.eraser.next_erased() {
            for error in errors {
                session.warn(None, error.to_string());
                self.undeleted.push((info_hash, error.to_string()));
            }
            let paths = ["torrent", "magnet"].map(|ending| self.kept_at(&info_hash, ending));
            if paths.iter().all(|path| fs::symlink_metadata(path).is_err()) {
                self.records.remove(&info_hash);
            }
            self.claims.release(&info_hash);
            moved = true;
        }
        if moved {
            for offer in std::mem::take(&mut self.waiting) {
                answers.extend(self.take(offer, (store, session), now));
            }
        }
        self.take_fetched(&mut answers, (store, session), now);
        answers
    }

    /// A torrent is forgotten, and its files are being closed: they are deleted afterwards.
    pub fn on_removed(&mut self, info_hash: InfoHash, data: bool) {
        self.linked.remove(&info_hash);
        let dir = self.content_dir(&info_hash);
        self.eraser.expect(info_hash, dir, data);
    }

    pub(super) fn open(&mut self, opening: Opening, store: &mut Store) {
        self.opened += 1;
        let is_start = opening.asker.is_none() && !opening.is_again;
        let request = Request {
            due: if !is_start {
                Due::Nothing
            } else if opening.record.complete {
                Due::Whole
            } else {
                Due::Recorded
            },
            ..opening.setup.request()
        };
        store.open(self.opened, request);
        self.opening.insert(self.opened, opening);
    }

    /// Hands a torrent whose files are open to the session.
    fn hand_over(
        &mut self,
        id: OpenId,
        outcome: Outcome,
        store: &mut Store,
        session: &mut Session,
        now: Time,
    ) -> Option<Answer> {
        let Opening {
            asker,
            setup,
            record,
            torrent,
            is_again,
            ..
        } = self.opening.remove(&id)?;
        for warning in outcome.warnings {
            session.warn(None, warning);
        }
        if self.setup.sources.dht && !setup.metainfo.private {
            self.hosts.nodes.extend_from_slice(&setup.metainfo.nodes);
        }
        if let Some(torrent) = torrent {
            Library::learn(torrent, setup, outcome.result, (store, session), now);
            return None;
        }
        let (info_hash, dir) = (setup.metainfo.info_hash, setup.dir.clone());
        if is_again && reopening::find(session, &info_hash).is_none() {
            // It was removed meanwhile.
            return None;
        }
        let opened = match outcome.result {
            Ok(opened) => opened,
            Err(why) => {
                // One that was just brought is not kept; one that was there may be the disk's
                // fault, and may be resumed.
                let Some(asker) = asker else {
                    self.begin_failed(&setup, record, why, session, now);
                    return None;
                };
                self.eraser.erase(info_hash, dir, false);
                self.records.give_back(record.number);
                // Nobody hears of it before the list says that it goes.
                let goes = Record {
                    removing: Some(false),
                    ..Record::default()
                };
                self.records.set(info_hash, goes);
                return Some((asker, Err(Trouble::Failed(why))));
            }
        };
        let (order, content, params) = setup.order(opened);
        // Each torrent of the session has claimed its files, so this one is new.
        let begin = |session: &mut Session| session.add(order, now).ok();
        let torrent = self.enrol((info_hash, record), session, begin, now)?;
        if sleep::await_check(session, torrent, now) {
            let name = view::name(session, torrent);
            log::info!("{name}: it is checked once others are");
        } else {
            store.insert(torrent, content, params);
        }
        let added = session.torrent(torrent).map(|it| self.added(it, false));
        asker.zip(added.map(Ok))
    }
}
