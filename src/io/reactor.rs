//! The event loop. One round of it is a turn, of six steps: *gather* events from the poll,
//! *observe* them (the session is told; blocks go to disk at once), *plan* (the session decides),
//! *perform* its effects, *flush* what is to be sent, *sweep* (look again at what had to wait).
//! PROTOCOL.md ("A turn of the loop") says which step may touch what.
//!
//! There is no tick: with nothing to do the loop sleeps until the next deadline. The work of a turn
//! is bounded, so that no connection starves another; if some is left over, the next turn comes at
//! once.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use mio::event::Event;
use mio::{Interest, Poll, Token};

use super::clock::Clock;
use super::datagrams;
use super::disk::{Store, Written};
use super::ending;
use super::folder::Unattended;
use super::gathered::Gathered;
use super::logging;
use super::net::{Heard, Listeners, Outreach, PeerSocket, PeerSockets, Route, Stream, own, tcp};
use super::nodes::Nodes;
use super::parts::Parts;
use super::pending::Pending;
use super::setup::{Ending, Reporter};
use super::signal;
use super::tokens::{LISTENERS, OUTREACH, PEERS, UNATTENDED, WAKER};
use crate::base::{Time, TorrentKey, limits, sooner};
use crate::peer::{EndReason, Peer};
use crate::session::{self, Session, command, reopening, view};
use crate::torrent::Effect;

/// Bytes of the buffer for what is sent, and read back: holds the largest block that is served.
const AREA: usize = 256 * 1024;

/// Everything the loop owns.
pub struct Reactor {
    pub(super) poll: Poll,
    pub(super) session: Session,
    /// Torrents that were to be run and could not be opened.
    unopened: usize,
    unattended: Option<Unattended>,
    pub(super) store: Store,
    pub(super) outreach: Outreach,
    /// Torrents of `get` and `seed` of which only a magnet link is known, and, under `run` too, the
    /// metadata that peers ask for.
    pending: Pending,
    nodes: Nodes,
    pub(super) clock: Clock,
    pub(super) route: Route,
    pub(super) sockets: PeerSockets,
    /// For what is sent, and read back.
    pub(super) buffer: Vec<u8>,
    /// Receive buffers that hold nothing.
    pub(super) free: Vec<Vec<u8>>,
    /// Writes that the session has not been told of.
    pub(super) written: Vec<(TorrentKey, Written)>,
    pub(super) listeners: Listeners,
    caught: Option<(i32, Time)>,
    /// The session is over.
    over: Option<Over>,
    pub(super) busy: bool,
}

/// How far the end of the process has come.
#[derive(Clone, Copy, Debug)]
struct Over {
    /// When the session was over.
    at: Time,
    /// When everything was written, or was to be.
    written: Option<Time>,
}

impl Reactor {
    /// A loop that is ready to turn.
    ///
    /// # Errors
    /// A socket cannot be registered.
    pub fn new(mut parts: Parts) -> io::Result<Reactor> {
        if log::log_enabled!(log::Level::Debug) {
            command::trace(&mut parts.session);
        }
        let registry = parts.poll.registry();
        for (place, socket) in parts.listeners.sockets.iter_mut().enumerate() {
            registry.register(socket, Token(LISTENERS.start + place), Interest::READABLE)?;
        }
        Ok(Reactor {
            caught: None,
            over: None,
            busy: true,
            sockets: PeerSockets::default(),
            buffer: vec![0; AREA],
            free: Vec::new(),
            written: Vec::new(),
            poll: parts.poll,
            session: parts.session,
            unopened: parts.unopened,
            unattended: parts.unattended,
            store: parts.store,
            outreach: parts.outreach,
            pending: parts.pending,
            nodes: parts.nodes,
            clock: parts.clock,
            route: parts.route,
            listeners: parts.listeners,
        })
    }

    /// Turns until the session is over and everything is saved.
    pub fn run(mut self, reporter: &mut Reporter<'_>) -> Ending {
        let mut events = Gathered::new();
        while !self.try_finish() {
            if let Err(error) = self.gather(&mut events) {
                return Ending::Failed(format!("poll: {}", tcp::plain(&error)));
            }
            self.observe(&events);
            let now = self.clock.now();
            self.session.plan(now);
            self.perform(now, reporter);
            self.flush(now);
            let sent_at = self.clock.now();
            self.busy |= datagrams::send(&mut self.session, &mut self.outreach, sent_at);
            self.sweep(now);
        }
        let now = self.clock.now();
        if let Some(unattended) = &mut self.unattended {
            unattended.finish(self.poll.registry(), &mut self.session, now);
        }
        for (torrent, unsaved) in self.store.too_slow() {
            self.on_unsaved(torrent, unsaved, now);
        }
        self.perform(now, reporter);
        self.nodes.keep(self.session.finding.dht());
        self.nodes.wait();
        let parts = (&self.session, &mut self.store);
        let signal = self.caught.map(|(signal, _)| signal);
        let ending = ending::conclude(parts, self.unopened, signal, reporter);
        // A folder of torrents is served until a signal comes, whatever has become of them.
        let served = signal.filter(|_| self.unattended.is_some());
        served.map_or(ending, Ending::Signal)
    }

    /// Does the last saves once the session is over: everything is written first, and then saved.
    /// True when nothing is left to do, or there is no more time for it.
    fn try_finish(&mut self) -> bool {
        let stays = self.unattended.is_some() && self.caught.is_none();
        if stays || !self.session.is_over() {
            return false;
        }
        let now = self.clock.now();
        let over = *self.over.get_or_insert(Over {
            at: now,
            written: None,
        });
        if over.written.is_none() {
            let late = self.over_by().is_some_and(|until| until <= now);
            if !late && !self.store.is_written() {
                return false;
            }
            let written = Some(now);
            self.over = Some(Over { written, ..over });
            self.store.hurry();
            self.go_on_saving(now);
        }
        self.store.is_saved() || self.over_by().is_some_and(|until| until <= now)
    }

    /// When everything is to be written, after a signal or the end of the session, and after that
    /// when everything is to be saved.
    fn over_by(&self) -> Option<Time> {
        let over = self.over?;
        let caught = self.caught.map(|(_, at)| at + limits::STOP_PATIENCE);
        Some(match (over.written, caught) {
            (None, Some(until)) => until,
            (Some(at), Some(until)) => until.max(at + limits::STOP_PATIENCE_LEAST),
            (written, None) => written.unwrap_or(over.at) + limits::SAVE_PATIENCE,
        })
    }

    fn gather(&mut self, events: &mut Gathered) -> io::Result<()> {
        let now = self.clock.now();
        let until = if self.busy {
            Some(now)
        } else {
            self.next_deadline(now)
        };
        let steered = self.unattended.as_ref().is_some_and(Unattended::is_steered);
        let waits = self.busy || steered || view::is_in_use(&self.session);
        let waits = waits || self.store.opener().is_busy();
        let more = |first: &_| !waits && self.outreach.expects_more(first);
        events.wait(&mut self.poll, until.map(|at| at.since(now)), more)
    }

    fn next_deadline(&mut self, now: Time) -> Option<Time> {
        let mut next = sooner(self.session.next_deadline(), self.outreach.next_deadline());
        next = sooner(next, self.over_by());
        let held = self.pending.next_deadline();
        next = sooner(next, sooner(self.store.next_deadline(now), held));
        let unattended = self.unattended.as_ref();
        next = sooner(next, unattended.and_then(Unattended::next_deadline));
        sooner(next, self.session.next_upload_at(now))
    }

    fn observe(&mut self, events: &Gathered) {
        let now = self.clock.now();
        self.busy = false;
        while let Some((torrent, written)) = self.store.next_written() {
            self.take_written(torrent, written, now);
        }
        self.tell_written(now);
        for event in events.iter() {
            match event.token() {
                Token(n) if LISTENERS.contains(&n) => {
                    self.listeners.ready.push(n - LISTENERS.start)
                }
                WAKER => self.on_woken(now),
                Token(n) if OUTREACH.contains(&n) => {
                    let registry = self.poll.registry();
                    let hear = &mut |heard: Heard<'_>| hear(&mut self.session, heard, now);
                    self.outreach.on_event(event, registry, now, hear);
                }
                Token(n) if UNATTENDED.contains(&n) => {
                    if let Some(unattended) = &mut self.unattended {
                        unattended.on_event(event);
                    }
                }
                Token(n) => self.on_peer_event(n - PEERS, event, now),
            }
        }
        let hear = &mut |heard: Heard<'_>| hear(&mut self.session, heard, now);
        self.outreach
            .handle_timeout(self.poll.registry(), now, hear);
        if self.outreach.take_new_network() {
            self.session.finding.nearby.renew(now);
            let own = own::addresses(self.listeners.port, self.route.bind);
            command::set_own(&mut self.session, &own);
        }
        self.pending.turn(&mut self.store, &mut self.session, now);
        let registry = self.poll.registry();
        datagrams::hear(&mut self.session, &mut self.sockets, registry, now);
        self.accept_peers(now);
        self.read_peers(now);
        if let Some(unattended) = &mut self.unattended {
            let registry = self.poll.registry();
            unattended.turn(registry, &mut self.session, &mut self.store, now);
            unattended.look_up(&mut self.nodes, &mut self.outreach, now);
            self.busy |= unattended.is_pending();
        }
    }

    fn on_signal(&mut self, now: Time) {
        if let Some(signal) = signal::pending() {
            self.caught = Some((signal, now));
            self.session.stop_all(&signal::name(signal), now);
        }
    }

    fn on_woken(&mut self, now: Time) {
        self.on_signal(now);
        if signal::resized() {
            logging::redraw();
        }
        self.outreach
            .on_woken(now, &mut |heard| hear(&mut self.session, heard, now));
        self.take_found(now);
    }

    fn on_peer_event(&mut self, key: usize, event: &Event, now: Time) {
        let Some(socket) = self.sockets.get(key) else {
            return;
        };
        if socket.is_connecting() {
            let reason = match socket.finish() {
                Ok(true) => {
                    self.session.handle_connected(key, now);
                    None
                }
                Ok(false) if !event.is_error() && !event.is_write_closed() => return,
                Ok(false) => Some(EndReason::Closed),
                Err(error) => Some(EndReason::Network(tcp::plain(&error))),
            };
            if let Some(reason) = reason {
                // The dial may go on over uTP.
                self.sockets.close(self.poll.registry(), key);
                return self.session.handle_closed(key, reason, now);
            }
        }
        socket.read_closed |= event.is_read_closed() || event.is_error();
        socket.readable |= event.is_readable() || socket.read_closed;
        let (reads, writes) = (
            socket.readable && !socket.queued,
            event.is_writable() && !socket.writable,
        );
        socket.queued |= reads;
        socket.writable |= writes;
        if reads {
            self.sockets.unread.push(key);
        }
        if writes {
            self.sockets.unwritten.push(key);
        }
    }

    fn perform(&mut self, now: Time, reporter: &mut Reporter<'_>) {
        while let Some(effect) = self.session.next_effect() {
            match effect {
                Effect::Dial { key, addr, tls } => self.dial(key, (addr, tls), now),
                Effect::Hangup { key } => {
                    self.sockets.close(self.poll.registry(), key);
                }
                Effect::Tracker { action, .. } => {
                    let hear = &mut |heard: Heard<'_>| hear(&mut self.session, heard, now);
                    let registry = self.poll.registry();
                    self.outreach.perform(action, registry, now, hear);
                }
                Effect::FindNodes { usual } => self.nodes.look_up(&mut self.outreach, usual, now),
                Effect::Search(search) => self.outreach.search(&search, self.poll.registry()),
                Effect::KeepNodes => self.nodes.keep(self.session.finding.dht()),
                Effect::Datagram { to, bytes } => self.outreach.send(to, &bytes),
                Effect::ReadAhead { torrent, block } => {
                    self.store.content(torrent).read_ahead(block);
                }
                effect @ (Effect::LookUp { .. } | Effect::Write { .. }) => self.fetch(effect, now),
                Effect::Save { torrent, snapshot } => {
                    self.store.save(torrent, snapshot);
                    self.go_on_saving(now);
                }
                // Only `run` closes the files of idle torrents, since it has many. `seed` keeps
                // them open, and so goes on serving a folder that is moved.
                Effect::Rest { torrent } if self.unattended.is_some() => self.store.rest(torrent),
                Effect::Rest { .. } => {}
                // `seed` lets none of its torrents sleep: their `.torrent` files may be gone.
                Effect::Sleep { torrent } | Effect::Wake { torrent } => {
                    if let Some(unattended) = &mut self.unattended {
                        unattended.sleep_or_wake(torrent, &mut self.store, &self.session);
                    }
                }
                Effect::Metadata { torrent, info } if self.unattended.is_some() => {
                    self.on_metadata(torrent, &info, now);
                }
                effect @ (Effect::Metadata { .. } | Effect::ReadMetadata { .. }) => {
                    let parts = (&mut self.store, &mut self.session);
                    self.pending.perform(effect, parts, now);
                }
                Effect::MakeReady { torrent } => self.make_ready(torrent, now),
                Effect::Close { torrent, data } => self.close(torrent, data),
                Effect::Reopen { torrent } => self.reopen(torrent, now),
                Effect::Trace { addr, ours, words } => {
                    let way = if ours { "->" } else { "<-" };
                    log::debug!("{addr} {way} {words}");
                }
                Effect::Report { torrent, report } => {
                    if let Some(unattended) = &mut self.unattended {
                        unattended.on_report(torrent, &report);
                    }
                    match reporter(torrent, report) {
                        // After a signal the output may fail since the terminal is gone: that is no
                        // reason to fail torrents.
                        Err(why) if self.caught.is_none() => {
                            let all = || view::torrent_keys(&self.session);
                            for torrent in torrent.map_or_else(all, |torrent| vec![torrent]) {
                                self.session.fail(torrent, why.clone(), now);
                            }
                        }
                        _ => {}
                    }
                }
            }
        }
        self.read_back(now);
    }

    fn on_metadata(&mut self, torrent: TorrentKey, info: &[u8], now: Time) {
        if let Some(unattended) = &mut self.unattended {
            let parts = (&mut self.store, &mut self.session);
            unattended.on_metadata(torrent, info, parts, now);
        }
    }

    /// Closes the files of a torrent that is to be forgotten, and forgets it.
    fn close(&mut self, torrent: TorrentKey, data: bool) {
        let info_hash = self.session.torrent(torrent).map(|it| it.order.info_hash);
        let Some(info_hash) = info_hash else { return };
        if let Some(unattended) = &mut self.unattended {
            unattended.on_removed(info_hash, data);
        }
        self.store.close(torrent, info_hash);
        self.session.forget(torrent);
    }

    /// Closes the files of a torrent that is to be opened anew.
    fn reopen(&mut self, torrent: TorrentKey, now: Time) {
        if let Some(known) = self.session.torrent(torrent) {
            self.store.close(torrent, known.order.info_hash);
        }
        reopening::release_files(&mut self.session, torrent, now);
    }

    fn dial(&mut self, key: usize, (addr, tls): (SocketAddr, Option<Arc<str>>), now: Time) {
        let registry = self.poll.registry();
        let target = self.outreach.target(addr, tls);
        let begun = (target.map_err(io::Error::other))
            .and_then(|target| Stream::connect(&target, &self.route))
            .map(|stream| PeerSocket::new(tcp::Way::Tcp(stream)))
            .and_then(|socket| self.sockets.add(registry, key, socket));
        if let Err(error) = begun {
            self.session
                .handle_closed(key, EndReason::Network(tcp::plain(&error)), now);
        }
    }

    fn sweep(&mut self, now: Time) {
        let session = &self.session;
        let (waiting, ready): (Vec<usize>, Vec<usize>) =
            std::mem::take(&mut self.sockets.after_uploads)
                .into_iter()
                .partition(|&key| session.peer(key).is_some_and(Peer::is_upload_queue_full));
        self.busy |= !ready.is_empty();
        self.sockets.after_uploads = waiting;
        self.sockets.unread.extend(ready);
        // Sockets may have waited for what is saved.
        self.go_on_saving(now);
        self.resume_sockets(now);
        if let Some(unattended) = &mut self.unattended {
            unattended.sweep(&mut self.store, &mut self.session);
        }
        self.store.hand_over();
        self.busy |= !self.sockets.unwritten.is_empty() || self.session.is_pending();
        self.busy |= self.unattended.is_some() && self.store.has_closed();
    }
}

/// Tells the session what happened outside of peers' connections.
fn hear(session: &mut Session, heard: Heard<'_>, now: Time) {
    match heard {
        Heard::Tracker(input) => session.handle_tracker(input, now),
        Heard::Datagram(from, bytes) => session::datagrams::handle(session, from, bytes, now),
        Heard::Search(from, bytes) => session::datagrams::handle_search(session, from, bytes, now),
    }
}
