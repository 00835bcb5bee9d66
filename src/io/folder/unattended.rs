//! What `run` does without a terminal: it serves the torrents of a folder until a signal ends it,
//! and is steered through the folder's socket.

use std::ffi::OsStr;
use std::path::{self, Path};
use std::sync::Arc;

use mio::event::Event;
use mio::{Registry, Waker};

use super::completed;
use super::control::{Control, ENDING};
use super::folder_setup::FolderSetup;
use super::hosts::Hosts;
use super::library::Library;
use super::loading::Loading;
use super::notify::Notifier;
use super::offers::{Answer, Asker, Offer};
use super::on_complete::{Note, OnComplete};
use super::parting;
use super::record::Record;
use super::settings::Wishes;
use super::sleepers::{self, Sleepers};
use super::watch::{Found, Watch};
use crate::base::{InfoHash, Time, TorrentKey, limits, sooner};
use crate::io::disk::Store;
use crate::io::net::Outreach;
use crate::io::nodes::Nodes;
use crate::io::signal;
use crate::io::tokens;
use crate::rpc::{About, Added, Trouble};
use crate::session::{Command, Session, command, sleep};
use crate::torrent::Report;

/// The parts of a loop that serves a folder.
#[derive(Debug)]
pub struct Unattended {
    control: Control,
    library: Library,
    sleepers: Sleepers,
    watch: Watch,
    wishes: Wishes,
    on_complete: OnComplete,
    notifier: Notifier,
    loading: Loading,
    /// Torrents that have begun something else by themselves.
    changed: Vec<TorrentKey>,
    /// Whether `finish` has written the list, or the disk has refused it.
    finished: bool,
}

impl Unattended {
    /// Takes the folder. Its torrents come with the first turns. `port` is the one that peers
    /// dial, `waker` the loop's. What is not as it should be is said to `warn`.
    ///
    /// # Errors
    /// Why it cannot be had, as a line for the user.
    pub fn open(
        setup: FolderSetup,
        (port, waker): (u16, Arc<Waker>),
        registry: &Registry,
        warn: &mut dyn FnMut(String),
        now: Time,
    ) -> Result<Unattended, String> {
        let about = About {
            config_dir: absolute(&setup.folder),
            download_dir: absolute(&setup.dir),
            peer_port: port,
            peer_limit: setup.process.max_peers,
        };
        let on_complete = OnComplete::new(setup.on_complete.clone(), Arc::clone(&waker));
        on_complete.trouble().into_iter().for_each(&mut *warn);
        Ok(Unattended {
            control: Control::open(&setup.folder, about, registry)?,
            watch: Watch::open(&setup.folder, registry, warn, now)?,
            wishes: setup.wishes.clone(),
            on_complete,
            notifier: Notifier::from_environment(warn, now),
            loading: Loading::new(now),
            library: Library::new(setup, waker),
            sleepers: Sleepers::default(),
            changed: Vec::new(),
            finished: false,
        })
    }

    /// Takes up the torrents that are in the folder.
    pub fn load(&mut self, store: &mut Store, session: &mut Session, now: Time) {
        self.library.load(store, session, now);
    }

    /// Notes what the poll says of a socket of remote control, or of the watch folder.
    pub fn on_event(&mut self, event: &Event) {
        if event.token() == tokens::WATCH {
            self.watch.on_event();
        } else {
            self.control.on_event(event);
        }
    }

    /// Notes what a torrent has begun to do.
    pub fn on_report(&mut self, torrent: Option<TorrentKey>, report: &Report) {
        // One that is checked may turn out to be incomplete.
        let changes = match report {
            Report::Stopped { .. } | Report::Complete { .. } => true,
            Report::Checked { missing, .. } => *missing > 0,
            _ => false,
        };
        self.changed.extend(torrent.filter(|_| changes));
    }

    /// Does what is asked for, and goes on with torrents that come and go. The order: what has
    /// happened is noted first, then the library goes on, so that its results are in what clients
    /// are shown; then clients are answered; the list is saved last, so that one write has all
    /// changes of a turn.
    pub fn turn(
        &mut self,
        registry: &Registry,
        session: &mut Session,
        store: &mut Store,
        now: Time,
    ) {
        self.heed_signals(session, now);
        self.note_changed(session);
        let mut answers = Vec::new();
        if command::is_ending(session) {
            answers = parting::turn_away(&mut self.library);
        }
        answers.extend(self.library.turn(store, session, now));
        self.loading.turn(self.library.is_loading(), now);
        if !self.loading.lasts() {
            self.notifier.turn(now);
        }
        sleepers::wake_up(&self.library, store, session, now);
        self.look(&mut answers, (store, session), now);
        self.tell_deleted(session);
        self.tell_kept();
        if !self.loading.lasts() {
            self.control.turn(registry, session, &mut self.library, now);
        }
        let has_gone = self.control.take_gone();
        self.library
            .give_up_fetches(has_gone, |ticket| self.control.wants(ticket));
        self.take_adds(&mut answers, (store, session), now);
        self.settle_all(answers, session);
        self.tell_kept();
        self.library.save(now);
    }

    /// Has clients hear of torrents that were deleted, or not.
    fn tell_deleted(&mut self, session: &Session) {
        let failed = std::mem::take(&mut self.library.undeleted);
        let goes = |info_hash: &InfoHash| self.library.goes(info_hash, session);
        self.control.on_deleted(goes, &failed);
    }

    /// Takes the torrents that clients add, as long as not too many are being added; once all
    /// torrents end, it refuses them.
    fn take_adds(
        &mut self,
        answers: &mut Vec<Answer>,
        (store, session): (&mut Store, &mut Session),
        now: Time,
    ) {
        if command::is_ending(session) {
            self.refuse_adds(answers);
        }
        while !self.library.is_busy() {
            let Some((ticket, add)) = self.control.next_add() else {
                break;
            };
            let parts = (&mut *store, &mut *session);
            answers.extend(self.library.add(ticket, add, parts, now));
        }
    }

    /// All torrents end: none is added any more.
    fn refuse_adds(&mut self, answers: &mut Vec<Answer>) {
        while let Some((ticket, _)) = self.control.next_add() {
            let refusal = Err(Trouble::Failed(String::from(ENDING)));
            answers.push((Asker::Client(ticket), refusal));
        }
    }

    /// The process ends: what is not on disk yet is written, and who waits is answered.
    pub fn finish(&mut self, registry: &Registry, session: &mut Session, now: Time) {
        self.note_runs();
        let mut answers = parting::finish(&mut self.library);
        self.refuse_adds(&mut answers);
        self.settle_all(answers, session);
        let mut refused = None;
        parting::keep_list(&mut self.library, &mut refused);
        self.finished = true;
        self.tell_kept();
        for _ in 0..limits::LAST_TURNS {
            self.control.turn(registry, session, &mut self.library, now);
            let mut answers = Vec::new();
            self.refuse_adds(&mut answers);
            self.settle_all(answers, session);
            parting::keep_list(&mut self.library, &mut refused);
            self.tell_kept();
            if !self.control.is_pending() {
                break;
            }
        }
    }

    /// Takes note of the commands that were run since.
    fn note_runs(&mut self) {
        for note in self.on_complete.finish() {
            if let Note::Started(info_hash) = note {
                completed::set_run(&mut self.library, info_hash);
            }
        }
    }

    /// Tells what became of torrents that were to be added.
    fn settle_all(&mut self, answers: Vec<Answer>, session: &mut Session) {
        // What is in the watch folder is taken away before the torrent is listed: were it the other
        // way round, a start after a kill would take it for another of the same torrent.
        let mut clients = Vec::new();
        for (asker, outcome) in answers {
            match asker {
                Asker::Watch(name) => self.settle(&name, outcome, session),
                Asker::Client(ticket) => clients.push((ticket, outcome)),
            }
        }
        let (version, _) = self.library.versions();
        for (ticket, outcome) in clients {
            self.control.added(ticket, outcome, version);
        }
    }

    /// Has clients hear of what is kept by now.
    fn tell_kept(&mut self) {
        let (_, kept) = self.library.versions();
        self.control.on_kept(kept, self.library.why_not_kept());
    }

    /// Takes note of what torrents have begun by themselves, and runs the command for those that
    /// are complete.
    fn note_changed(&mut self, session: &mut Session) {
        let runs = self.on_complete.program.is_some();
        for torrent in std::mem::take(&mut self.changed) {
            if let Some(torrent) = session.torrent(torrent) {
                if let Some(subject) = completed::note(&mut self.library, torrent, runs) {
                    self.on_complete.add(subject);
                }
                self.library.note(torrent);
            }
        }
        for note in self.on_complete.turn() {
            match note {
                Note::Started(info_hash) => completed::set_run(&mut self.library, info_hash),
                Note::Failed(line) => session.warn(None, line),
            }
        }
    }

    fn heed_signals(&mut self, session: &mut Session, now: Time) {
        if signal::is_ending() {
            self.notifier.stop();
        }
        if signal::reload_asked() {
            self.notifier.reload();
            self.reload(session, now);
        }
    }

    /// Reads the settings again. What cannot be done about them is said.
    fn reload(&mut self, session: &mut Session, now: Time) {
        self.watch.look_anew(now);
        let (changes, later) = match self.wishes.reload() {
            Ok(changes) => changes,
            Err(wrong) => {
                wrong.into_iter().for_each(|line| session.warn(None, line));
                return;
            }
        };
        let said = self.wishes.words(&changes, !later.is_empty());
        said.into_iter()
            .chain(later)
            .for_each(|line| session.warn(None, line));
        let (torrent, limits) = (None, changes.limits);
        // Limits of all torrents together are never refused.
        let _ = command::perform(session, Command::Limit { torrent, limits }, now);
        let holds = self.wishes.settings();
        self.library.set_options(holds.down, holds.up);
        self.library.note_limits(session);
        if let Some(active) = changes.active {
            command::set_active(session, active);
        }
        if let Some(stay) = changes.stay {
            self.library.set_stay(stay);
            command::set_stay(session, stay);
        }
        if let Some(program) = changes.on_complete {
            self.on_complete.program = program;
        }
        let trouble = self.on_complete.trouble();
        trouble
            .into_iter()
            .for_each(|line| session.warn(None, line));
        self.changed
            .extend(completed::unrun(&self.library, session));
    }

    /// Takes what lies in the watch folder; the next start does once all torrents end.
    fn look(
        &mut self,
        answers: &mut Vec<Answer>,
        (store, session): (&mut Store, &mut Session),
        now: Time,
    ) {
        while let Some(Found { name, content }) = self.watch.next(now) {
            if command::is_ending(session) {
                continue;
            }
            let brought = match content {
                Ok(brought) => brought,
                Err(why) => {
                    let line = self.watch.refuse(&name, &why);
                    session.warn(None, line);
                    continue;
                }
            };
            let offer = Offer::new(Asker::Watch(name), brought, Record::default());
            answers.extend(self.library.take(offer, (store, session), now));
        }
    }

    /// A file of the watch folder was added, or was not.
    fn settle(&mut self, name: &OsStr, outcome: Result<Added, Trouble>, session: &mut Session) {
        let why = match outcome {
            Ok(added) if !added.is_duplicate => None,
            // The last run ended before it could take the file away.
            Ok(added) if self.library.was_interrupted(&added.info_hash) => None,
            Ok(added) => {
                let Added { name, number, .. } = &added;
                let line = format!("{name}: it is there already, as number {number}");
                match added.merged.words() {
                    Some(merged) => {
                        session.warn(None, format!("{line}; {merged}"));
                        None
                    }
                    None => Some(line),
                }
            }
            Err(trouble) => Some(trouble.text()),
        };
        let line = match why {
            Some(why) => Some(self.watch.refuse(name, &why)),
            None => self.watch.accept(name).err().map(|error| error.to_string()),
        };
        if let Some(line) = line {
            session.warn(None, line);
        }
    }

    /// The metadata of a torrent have come of which only a link was known.
    pub fn on_metadata(
        &mut self,
        torrent: TorrentKey,
        info: &[u8],
        parts: (&mut Store, &mut Session),
        now: Time,
    ) {
        self.library.on_metadata(torrent, info, parts, now);
    }

    /// Has the hosts looked up that torrents have named.
    pub fn look_up(&mut self, nodes: &mut Nodes, outreach: &mut Outreach, now: Time) {
        let Hosts { nodes: new, peers } = std::mem::take(&mut self.library.hosts);
        new.iter()
            .for_each(|node| nodes.look_up_new(node, outreach, now));
        for (torrent, host, port) in peers {
            outreach.look_ups.look_up_peer(torrent, host, port, now);
        }
    }

    /// A torrent is forgotten, and its files are being closed.
    pub fn on_removed(&mut self, info_hash: InfoHash, data: bool) {
        self.library.on_removed(info_hash, data);
    }

    /// A torrent may fall asleep, or sleeps and is to wake up, as
    /// [`Effect::Sleep`](crate::torrent::Effect::Sleep) and
    /// [`Effect::Wake`](crate::torrent::Effect::Wake) say.
    pub fn sleep_or_wake(&mut self, torrent: TorrentKey, store: &mut Store, session: &Session) {
        if sleep::is_asleep(session, torrent) {
            self.sleepers.wake(torrent, &self.library, store, session);
        } else {
            self.sleepers.add(torrent);
        }
    }

    /// Has torrents fall asleep.
    pub fn sweep(&mut self, store: &mut Store, session: &mut Session) {
        self.sleepers.turn(&self.library, store, session);
    }

    /// Whether somebody is connected who steers the process.
    pub fn is_steered(&self) -> bool {
        self.control.has_clients()
    }

    /// Whether the next turn has something to do though nothing happens.
    pub fn is_pending(&self) -> bool {
        let asked = self.control.is_pending() && !self.loading.lasts();
        let brought = self.control.has_adds() && !self.library.is_busy();
        asked || brought || self.watch.is_pending() || !self.changed.is_empty()
    }

    /// When there is something to do though nothing happens.
    pub fn next_deadline(&self) -> Option<Time> {
        let next = sooner(self.watch.next_deadline(), self.library.next_deadline());
        if self.loading.lasts() {
            return sooner(next, self.loading.next_deadline());
        }
        let next = sooner(next, self.control.next_deadline());
        sooner(next, self.notifier.next_deadline())
    }
}

impl Drop for Unattended {
    /// Writes what is not on disk yet if the loop has failed.
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        self.note_runs();
        parting::finish(&mut self.library);
        parting::keep_list(&mut self.library, &mut None);
    }
}

/// A path that leads there from everywhere. No disk is asked.
fn absolute(path: &Path) -> String {
    let whole = path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    whole.to_string_lossy().into_owned()
}
