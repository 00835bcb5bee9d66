//! What a torrent of the folder is run with, and what is kept of it: its number, its flags, its
//! limits, where its content lies.

use std::path::PathBuf;

use super::arrivals::Opening;
use super::chosen::Limits;
use super::control::{Folder, Ticket};
use super::crowd;
use super::finding::{Finding, Next};
use super::folder_setup::FolderSetup;
use super::library::Library;
use super::offers::{Answer, Asker, Offer};
use super::record::Record;
use super::records::Version;
use crate::base::{InfoHash, Time, TorrentKey, sooner};
use crate::io::disk::threads::finding::{Placed, Sought};
use crate::io::disk::threads::opener::OpenId;
use crate::io::disk::{DiskError, Store, state};
use crate::io::merging;
use crate::io::setup::Setup;
use crate::rpc::{Added, Merged, Trouble};
use crate::session::{Session, command, reopening, view};
use crate::storage::select;
use crate::torrent::{Stay, Torrent};
use crate::wire::Metainfo;
use crate::wire::magnet::{self, Link};

impl Library {
    pub(super) fn dir<'a>(&'a self, record: &'a Record) -> &'a PathBuf {
        record.special().dir.as_ref().unwrap_or(&self.setup.dir)
    }

    /// The folder of a torrent's content.
    pub fn content_dir(&self, info_hash: &InfoHash) -> PathBuf {
        self.records.dir(info_hash, &self.setup.dir).clone()
    }

    /// What the folder is run with.
    pub fn setup(&self) -> &FolderSetup {
        &self.setup
    }

    /// From now on torrents that are added stay for so long.
    pub fn set_stay(&mut self, stay: Stay) {
        self.setup.stay = stay;
    }

    /// A torrent that was brought is kept in the folder, or cannot be.
    pub(super) fn on_kept(
        &mut self,
        mut opening: Opening,
        written: Result<(), DiskError>,
        store: &mut Store,
        session: &mut Session,
        now: Time,
    ) -> Option<Answer> {
        let outcome = written.clone();
        let told = opening.brought_by.take().map(|(asker, added)| {
            let failed = |error: DiskError| Trouble::Failed(error.to_string());
            (asker, outcome.map(|()| added).map_err(failed))
        });
        let Opening { setup, torrent, .. } = &opening;
        let info_hash = setup.metainfo.info_hash;
        match (written, *torrent) {
            (Err(error), Some(torrent)) => {
                if Library::is_linked(session, torrent, &info_hash) {
                    session.fail(torrent, error.to_string(), now);
                }
            }
            (Err(error), None) => {
                self.claims.release(&info_hash);
                if self.records.get(&info_hash) == Some(&opening.record) {
                    self.records.remove(&info_hash);
                }
                self.records.give_back(opening.record.number);
                let outcome = Err(Trouble::Failed(error.to_string()));
                return opening.asker.map(|asker| (asker, outcome));
            }
            // It was removed meanwhile.
            (Ok(()), Some(torrent)) if !Library::is_linked(session, torrent, &info_hash) => {
                if view::find(session, &info_hash).is_none() {
                    self.eraser.erase(info_hash, setup.dir.clone(), false);
                }
            }
            (Ok(()), _) if setup.origin.wanted.is_some() => {
                return self.begin_linked(opening, session, now);
            }
            (Ok(()), _) => self.open(opening, store),
        }
        self.reopen_late(&info_hash, (store, session), now);
        told
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

    pub(super) fn options(&self) -> Limits {
        Limits {
            down: self.setup.process.down,
            up: self.setup.process.up,
        }
    }

    /// When [`Library::save`] has something to do though nothing happens.
    pub fn next_deadline(&self) -> Option<Time> {
        sooner(self.records.next_deadline(), self.arrivals.next_deadline())
    }

    /// Begins to save what has changed: see [`Library::versions`].
    pub fn save(&mut self, now: Time) {
        if let Some((path, text)) = self.records.next_text(now) {
            self.arrivals.write_list(path, text);
        }
        self.arrivals.look_after(now);
    }

    /// The version of what is known now, and the version that is on disk or that the disk refused.
    pub fn versions(&self) -> (Version, Version) {
        self.records.versions()
    }

    /// Why the disk refused the last version, if it did.
    pub fn why_not_kept(&self) -> Option<&str> {
        self.records.refusal()
    }

    /// Whether so many torrents are being added that others wait.
    pub fn is_busy(&self) -> bool {
        crowd::is_busy(self)
    }

    /// How many torrents are being found or opened of which this is true: see
    /// [`crowd::under_way`].
    pub(super) fn under_way(&self, which: fn(bool, bool) -> bool) -> usize {
        crowd::under_way(self, which)
    }

    /// Why a torrent is not to wait for its disk: see [`crowd::why_in_vain`].
    pub(super) fn why_in_vain(&self, offer: &Offer, is_early: bool) -> Option<Trouble> {
        crowd::why_in_vain(self, offer, is_early)
    }

    /// Gives up fetching what nobody waits for any more, if a client has gone.
    pub fn give_up_fetches(&mut self, has_gone: bool, is_wanted: impl Fn(Ticket) -> bool) {
        self.fetches.give_up(has_gone, is_wanted);
    }

    /// Takes torrents that were fetched while not too many are being added. The others stay where
    /// they are, so that no more are fetched.
    pub(super) fn take_fetched(
        &mut self,
        answers: &mut Vec<Answer>,
        (store, session): (&mut Store, &mut Session),
        now: Time,
    ) {
        while !command::is_ending(session) && !self.is_busy() {
            let Some(it) = self.fetches.next_fetched() else {
                break;
            };
            if let (Ok(brought), Some(long)) = (&it.brought, it.long) {
                self.long = Some((brought.info_hash(), long));
            }
            let offer = Offer::fetched(it.ticket, it.add, it.brought, &self.setup.dir);
            answers.extend(self.take_or_refuse(it.ticket, offer, (store, session), now));
        }
        let mut waiting = self.waiting.iter();
        let long = self.long.take();
        self.long = long.filter(|(info_hash, _)| {
            self.finding.has(info_hash)
                || self.arrivals.has(info_hash)
                || waiting.any(|it| it.brought.info_hash() == *info_hash)
        });
    }

    /// Where a torrent or its link is kept.
    pub(super) fn kept_at(&self, info_hash: &InfoHash, ending: &str) -> PathBuf {
        state::path(&self.setup.state_dir(), *info_hash, ending)
    }

    /// What a torrent is run with of which a link is known.
    pub(super) fn of_link(&self, mut link: Link, record: &Record) -> Setup {
        merging::add_tiers(&mut link.trackers, &record.special().trackers);
        self.setup.setup_of_link(link, self.dir(record).clone())
    }

    /// Has the files of a torrent found.
    pub(super) fn seek(&mut self, metainfo: Box<Metainfo>, finding: Finding, store: &mut Store) {
        let sought = Sought {
            metainfo,
            dir: self.dir(&finding.record).clone(),
            trial: finding.record.removing.is_none(),
        };
        self.finding.begin(finding, sought, store);
    }

    /// The files of a torrent are found. Whether others that wait may go on, and an answer.
    pub(super) fn on_found(
        &mut self,
        id: OpenId,
        placed: Placed,
        (store, session): (&mut Store, &mut Session),
        now: Time,
    ) -> (bool, Option<Answer>) {
        let Some(finding) = self.finding.end(id) else {
            return (false, None);
        };
        if command::is_ending(session) && !finding.is_again() {
            return (false, None);
        }
        let Placed { metainfo, place } = placed;
        let record = finding.record;
        // One that waits for these metadata has its turn, whatever becomes of them.
        let describes = matches!(finding.next, Next::Describe(_));
        let answer = match finding.next {
            Next::TakeUp { is_again } => {
                let (setup, chosen) = self.describe(*metainfo, &record);
                let prepared = (setup, chosen, Some(place));
                self.go_up(prepared, (record, is_again), (store, session), now);
                return (true, None);
            }
            Next::Add { asker, text } => {
                let holder = self.claims.holder(&place);
                if holder.is_some_and(|holder| self.goes(&holder, session)) {
                    let offer = Offer::again(asker, text, record);
                    offer.map(|offer| self.waiting.push(offer)).err()
                } else {
                    let (setup, chosen) = self.describe(*metainfo, &record);
                    self.keep_new((setup, chosen, Some(place)), (asker, record), text)
                }
            }
            Next::Describe(it) => {
                self.on_described(*it, (*metainfo, place), record, (store, session), now)
            }
        };
        (describes || answer.is_some(), answer)
    }

    /// Goes on with a torrent that lies in the folder, and whose files are found at this place. It
    /// is not begun if an option says so.
    pub(super) fn go_up(
        &mut self,
        (setup, chosen, place): (Setup, Result<(), String>, Option<PathBuf>),
        (record, is_again): (Record, bool),
        (store, session): (&mut Store, &mut Session),
        now: Time,
    ) {
        let info_hash = setup.metainfo.info_hash;
        let again = reopening::find(session, &info_hash);
        if is_again && again.is_none() {
            // It was removed meanwhile.
            return;
        }
        let removing = record.removing;
        if is_again {
            self.claims.release(&info_hash);
        }
        let claimed = self.claim(&setup, place);
        if let (Ok(()), Err(why), None) = (&claimed, chosen, removing) {
            return self.begin_failed(&setup, record, why, session, now);
        }
        match (claimed, removing) {
            (claimed, Some(data)) => {
                // Files that are another torrent's by now stay.
                let data = data && claimed.is_ok();
                self.eraser.erase(info_hash, setup.dir, data);
            }
            (Ok(()), None) => {
                let opening = Opening {
                    asker: None,
                    setup,
                    record,
                    torrent: None,
                    brought_by: None,
                    is_again,
                };
                if opening.setup.origin.wanted.is_some() {
                    self.begin_linked(opening, session, now);
                } else {
                    self.open(opening, store);
                }
            }
            (Err(why), None) => match again {
                Some(torrent) => session.fail(torrent, why, now),
                None => session.warn(None, why),
            },
        }
    }

    /// Puts a torrent that was brought, or its link, into the folder, if nobody has its files.
    pub(super) fn keep_new(
        &mut self,
        (setup, chosen, place): (Setup, Result<(), String>, Option<PathBuf>),
        (asker, record): (Asker, Record),
        text: Vec<u8>,
    ) -> Option<Answer> {
        if let Err(why) = chosen.and_then(|()| self.claim(&setup, place)) {
            self.records.give_back(record.number);
            return Some((asker, Err(Trouble::Failed(why))));
        }
        let mut version = Version::default();
        if record.paused || record.special().dir.is_some() {
            self.records
                .reserve(setup.metainfo.info_hash, record.clone());
            (version, _) = self.records.versions();
        }
        let opening = Opening {
            asker: Some(asker),
            setup,
            record,
            torrent: None,
            brought_by: None,
            is_again: false,
        };
        self.arrivals.add(version, opening, text);
        let (_, kept) = self.records.versions();
        self.arrivals.on_settled(kept);
        None
    }

    /// What a torrent is run with whose files are found, and why nothing of it is, if `--files`
    /// says so.
    pub(super) fn describe(
        &self,
        mut metainfo: Metainfo,
        record: &Record,
    ) -> (Setup, Result<(), String>) {
        let dir = self.dir(record);
        merging::add_tiers(&mut metainfo.trackers, &record.special().trackers);
        let chosen = magnet::chosen(&record.special().files, metainfo.files.len());
        let by_option = select::choose_all(&self.setup.handling.files, &metainfo.files);
        let mut setup = self.setup.setup_of(metainfo, dir.clone());
        setup.recheck = self.setup.handling.recheck.is_some();
        let mut outcome = Ok(());
        setup.selection = match by_option {
            // What a link says of its own torrent is more exact.
            _ if !chosen.is_empty() => Some(chosen),
            Ok(chosen) => chosen,
            Err(why) => {
                let name = &setup.metainfo.name;
                outcome = Err(format!("{name}: --files {why}"));
                None
            }
        };
        (setup, outcome)
    }

    /// Takes the files of a torrent for it, which lie at this place.
    pub(super) fn claim(&mut self, setup: &Setup, place: Option<PathBuf>) -> Result<(), String> {
        let taken = self.claims.take(setup.metainfo.info_hash, place, true);
        taken.map_err(|taken| self.records.why_taken(&setup.metainfo.name, taken))
    }

    /// Whether this torrent was there at the start without being listed: it was being added when
    /// the last run ended, and the client that added it may not know that it is there.
    pub fn was_interrupted(&self, info_hash: &InfoHash) -> bool {
        self.unlisted.contains(info_hash)
    }

    /// The session takes on a torrent, as `begin` says, under its number and with what is recorded
    /// of it. `None`: it does not.
    pub(super) fn enrol(
        &mut self,
        (info_hash, mut record): (InfoHash, Record),
        session: &mut Session,
        begin: impl FnOnce(&mut Session) -> Option<TorrentKey>,
        now: Time,
    ) -> Option<TorrentKey> {
        if let Some(before) = reopening::find(session, &info_hash) {
            // What was changed of it meanwhile holds.
            let changed = self.records.get(&info_hash).cloned();
            record = changed.unwrap_or(record);
            session.forget(before);
        }
        if record.number == 0 {
            record.number = self.records.next_number();
        }
        command::number_next(session, record.number);
        let torrent = begin(session)?;
        self.name_peers(info_hash, &record.special().peers);
        self.connect_named(torrent, session, now);
        record.apply(torrent, session, now);
        self.records.set(info_hash, record);
        Some(torrent)
    }

    /// What a client is told of a torrent that it wanted added.
    pub(super) fn added(&self, torrent: &Torrent, is_duplicate: bool) -> Added {
        Added {
            number: torrent.life.number,
            info_hash: torrent.order.info_hash,
            name: torrent.order.name.clone(),
            is_duplicate,
            merged: Merged::default(),
        }
    }
}

impl Folder for Library {
    /// Takes note of what all torrents do: what is to be kept then, unless it is on disk.
    fn keep(&mut self, session: &Session) -> Option<Version> {
        view::torrents(session).for_each(|torrent| self.note(torrent));
        self.note_limits(session);
        self.records.insist();
        let (now, kept) = self.versions();
        Some(now).filter(|&now| now > kept)
    }

    fn own_dir(&self, torrent: &InfoHash) -> Option<PathBuf> {
        self.records.get(torrent)?.special().dir.clone()
    }
}
