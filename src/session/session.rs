//! The session: what the process holds, and what `io` may ask of it. What happened arrives in
//! `intake`, and decisions are made once a turn in `planning`.
//!
//! A turn of the loop calls, in this order: [`Session::handle_accepted`], [`Session::open`] and
//! the like for all that happened; [`Session::plan`] once; [`Session::next_effect`]
//! until there is none, and [`Session::next_read`] as long as there is time; then it writes to the
//! slots of [`Session::take_unflushed`], through [`Session::seal`].

use std::net::SocketAddr;

use slab::Slab;

use super::budget::{Connections, Flow, Refusals};
use super::config::Config;
use super::finding::Finding;
use super::impatient::Impatient;
use super::incoming::FailedIncoming;
use super::invariants;
use super::replacing::Replacing;
use super::sending::Sending;
use super::shielding::Shielding;
use super::timers::Timers;
use super::torrents::Torrents;
use super::tracer::Tracer;
use crate::base::{Block, PeerKey, Rng, Time, TorrentKey, sooner};
use crate::peer::{EndReason, Peer, Segment};
use crate::pieces::Pieces;
use crate::torrent::{
    Agenda, Bans, Effect, Effects, Lent, Machine, Member, Namer, Order, Report, Slot, Then, Torrent,
};
use crate::tracker::{Input, Shared};
use crate::utp::Utp;

/// The process among peers.
#[derive(Debug)]
pub struct Session {
    pub(super) config: Config,
    pub(super) slots: Slab<Slot>,
    pub(super) torrents: Torrents,
    pub(super) timers: Timers,
    pub(super) bans: Bans,
    /// What the torrents' trackers have in common.
    pub(super) shared: Shared,
    /// Finds peers without trackers: our node in the DHT, and the local network.
    pub finding: Finding,
    /// Connections over uTP; `None`: only TCP is spoken.
    pub utp: Option<Box<Utp>>,
    pub(super) impatient: Impatient,
    pub(super) incoming: FailedIncoming,
    pub(super) refusals: Refusals,
    pub(super) connections: Connections,
    pub(super) replacing: Replacing,
    pub(super) down: Flow,
    pub(super) up: Flow,
    pub(super) agenda: Agenda,
    pub(super) effects: Effects,
    /// There if every message is to be logged.
    pub(super) tracer: Option<Tracer>,
    /// Scratch space for blocks to be asked for.
    pub(super) picked: Vec<Block>,
    pub(super) shielding: Shielding,
}

impl Session {
    /// A session without torrents. `seed` decides everything random.
    pub fn new(config: Config, seed: u64, now: Time) -> Session {
        Session {
            slots: Slab::new(),
            torrents: Torrents::new(config.active, config.metadata, Rng::from_seed(seed)),
            utp: config.begin_utp(seed),
            timers: Timers::default(),
            bans: Bans::default(),
            shared: Shared::default(),
            finding: Finding::default(),
            impatient: Impatient::default(),
            incoming: FailedIncoming::default(),
            refusals: Refusals::default(),
            connections: Connections::new(config.max_peers, now),
            replacing: Replacing::new(now),
            down: Flow::new(config.down, now),
            up: Flow::new(config.up, now),
            agenda: Agenda::default(),
            effects: Effects::new(),
            tracer: None,
            picked: Vec::new(),
            shielding: Shielding::new(seed),
            config,
        }
    }

    /// Takes a torrent on: how it begins, [`Torrent::new`] says. While all end, it ends, too.
    ///
    /// # Errors
    /// There is a torrent of this info hash already, under this key.
    pub fn add(&mut self, order: Order, now: Time) -> Result<TorrentKey, TorrentKey> {
        let us = self.config.us;
        let torrent = self.torrents.add(order, &us, &mut self.shared, now)?;
        torrent.report_start(us.port, &mut self.effects);
        let key = torrent.key;
        match self.torrents.ending.clone() {
            None => self.join_swarm(key, now),
            Some(reason) => self.stop(key, &reason, now),
        }
        Ok(key)
    }

    /// A torrent that was to be closed is closed, see [`Effect::Close`]: its key may be reused.
    pub fn forget(&mut self, torrent: TorrentKey) {
        self.torrents.forget(torrent);
        self.down.queue.forget_torrent(torrent);
        self.up.queue.forget_torrent(torrent);
        self.agenda.torrents.retain(|&other| other != torrent);
    }

    /// Adds addresses of peers to a torrent; `by` says who named them.
    pub fn add_peers(
        &mut self,
        torrent: TorrentKey,
        addrs: &[SocketAddr],
        by: impl Into<Namer>,
        now: Time,
    ) {
        if let Some(torrent) = self.torrents.get_mut(torrent) {
            torrent.add_peers(addrs, by.into(), &self.bans, now);
        }
        self.stir(torrent);
    }

    /// Something that the user should know, and that ends no torrent. `torrent`: what it is about.
    pub fn warn(&mut self, torrent: Option<TorrentKey>, message: String) {
        let report = Report::Warning(message);
        self.effects.push_back(Effect::Report { torrent, report });
    }

    /// Something happened to what trackers were asked.
    pub fn handle_tracker(&mut self, input: Input<'_>, now: Time) {
        for torrent in self.shared.recipients(&input) {
            self.with_torrent(torrent, |torrent, lent| {
                torrent.trackers.handle(input, lent.shared, now);
                torrent.stir(lent);
            });
        }
    }

    // How torrents end.

    /// Ends a torrent, if it has not ended: peers are left, trackers told, state saved. `reason` is
    /// for the user.
    pub fn stop(&mut self, torrent: TorrentKey, reason: &str, now: Time) {
        self.leave(torrent, Then::End, reason, now);
    }

    /// Has a torrent leave its swarm.
    pub(super) fn leave(&mut self, torrent: TorrentKey, then: Then, reason: &str, now: Time) {
        let Some(ending) = self.torrents.get_mut(torrent) else {
            return;
        };
        let was_running = ending.is_running();
        if !ending.begin_leaving(then, now) {
            return;
        }
        for key in ending.connections.clone() {
            self.hang_up(key, EndReason::Stopping, now);
        }
        self.with_torrent(torrent, |torrent, lent| {
            torrent.leave(was_running, lent, now);
        });
        if self.torrents.are_ending() {
            self.leave_strangers(now);
            self.report_incoming(true, now);
        }
        let reason = reason.to_string();
        self.torrents[torrent].report(Report::Stopped { reason }, &mut self.effects);
        self.agenda.leaving = true;
        self.stir(torrent);
    }

    /// Ends all torrents, those included that are added later.
    pub fn stop_all(&mut self, reason: &str, now: Time) {
        let all = self.torrents.end(reason).into_iter();
        all.for_each(|torrent| self.stop(torrent, reason, now));
    }

    /// A torrent cannot go on, and ends. `why` is the line for the user.
    pub fn fail(&mut self, torrent: TorrentKey, why: String, now: Time) {
        let Some(failed) = self.torrents.get_mut(torrent) else {
            return;
        };
        if failed.life.failure.is_none() {
            failed.report(Report::Error(why.clone()), &mut self.effects);
            failed.life.failure = Some(why);
        }
        self.stop(torrent, "error", now);
    }

    // What the outside needs to know.

    /// Takes the next thing for `io` to do. [`Effect::Hangup`] frees its slot here, so `io` must
    /// close the socket before it takes another effect: the key may be another connection's then.
    pub fn next_effect(&mut self) -> Option<Effect> {
        let effect = self.effects.pop_front()?;
        if let Effect::Hangup { key } = effect {
            let slot = self.slots.try_remove(key);
            self.torrents.lose(slot.and_then(|slot| slot.torrent), key);
            self.tracer.iter_mut().for_each(|it| it.forget(key));
        }
        Some(effect)
    }

    /// Whether the next turn has something to do though nothing happens.
    pub fn is_pending(&self) -> bool {
        let utp = self.utp.as_ref().is_some_and(|utp| utp.has_events());
        utp || !self.effects.is_empty() || !self.agenda.touched.is_empty() || self.agenda.leaving
    }

    /// Bytes of content to be read from disk and handed to [`Session::handle_read`] before the next
    /// call, a slice at a time: first what a download waits for, then what is checked.
    pub fn next_read(&mut self) -> Option<(TorrentKey, Block)> {
        self.torrents.next_read()
    }

    /// The piece that the next read begins, if [`Session::handle_hole`] may save reading it.
    pub fn next_hole(&self) -> Option<(TorrentKey, u32)> {
        self.torrents.next_hole()
    }

    /// The machine under this key, once both handshakes are done.
    pub fn peer(&self, key: PeerKey) -> Option<&Peer> {
        let member = self.slots.get(key)?.member()?;
        Some(&member.peer)
    }

    /// The bytes of a slot's socket that are read and not parsed yet, since a message or handshake
    /// is not whole, or waits for its torrent: they belong in front of what is read next. `None`:
    /// there is no such slot.
    pub fn unparsed(&self, key: PeerKey) -> Option<&[u8]> {
        self.slots.get(key).map(Slot::unparsed)
    }

    /// Whether there is anything to send to a slot's socket.
    pub fn wants_to_send(&self, key: PeerKey) -> bool {
        self.slots.get(key).is_some_and(Slot::wants_to_send)
    }

    /// What to send to a slot's socket, in order, once it went through [`Session::seal`]. What of
    /// it was sent is to be told to [`Session::transmitted`].
    pub fn transmit(&self, key: PeerKey) -> impl Iterator<Item = Segment<'_>> {
        let slot = self.slots.get(key).into_iter();
        slot.flat_map(Slot::transmit)
    }

    /// Bytes of the longest frame that a peer of any torrent may send, its length included: no cut
    /// frame is longer. It may grow when a torrent is added.
    pub fn longest_frame(&self) -> usize {
        self.torrents.longest_frame()
    }

    /// The torrent of the connection under this key. `None`: there is no such connection, or a peer
    /// that dialed us has not said which torrent it wants.
    pub fn torrent_of(&self, key: PeerKey) -> Option<TorrentKey> {
        self.slots.get(key)?.torrent
    }

    /// Bytes of blocks that may be sent to a slot without waiting, a block that has begun aside.
    pub fn upload_allowance(&self, key: PeerKey) -> u64 {
        let torrent = self.torrent_of(key).and_then(|key| self.torrents.get(key));
        let own = torrent.and_then(|torrent| torrent.traffic.up_limit.rate());
        self.up.allowance(own)
    }

    /// A slot's socket takes more: if blocks wait for it under an upload limit, it waits in
    /// the queue of [`Session::next_upload`].
    pub fn await_upload(&mut self, key: PeerKey) {
        self.sending().await_upload(key);
    }

    /// The slot that is sent a block next under the upload limits; `None`: no peer waits, or the
    /// limits allow nothing yet. A slot that has more to be sent after that is to wait again.
    pub fn next_upload(&mut self, now: Time) -> Option<PeerKey> {
        self.sending().next_upload(now)
    }

    /// When to call [`Session::next_upload`] again, if any slot waits: with a high limit several
    /// blocks are due by then.
    pub fn next_upload_at(&mut self, now: Time) -> Option<Time> {
        self.sending().next_upload_at(now)
    }

    /// The slots that have something to send since the last call.
    pub fn take_unflushed(&mut self) -> Vec<PeerKey> {
        let keys = std::mem::take(&mut self.agenda.unflushed);
        for &key in &keys {
            if let Some(slot) = self.slots.get_mut(key) {
                slot.unflushed = false;
            }
        }
        keys
    }

    /// When [`Session::plan`] has something to do though nothing happens.
    pub fn next_deadline(&mut self) -> Option<Time> {
        self.torrents.refile_all(&self.agenda.torrents);
        if self.is_over() {
            return None;
        }
        let mut next = sooner(self.timers.next_deadline(), self.torrents.plan.first());
        next = sooner(next, sooner(self.agenda.ask_at, self.incoming.deadline()));
        next = sooner(next, self.shared.next_deadline());
        next = sooner(next, self.finding.next_deadline());
        next = sooner(next, self.utp.as_ref().and_then(|utp| utp.next_deadline()));
        if self.connections.may_dial() {
            let due = self.torrents.dial.first();
            next = sooner(next, due.map(|due| due.max(self.connections.next())));
        }
        let unused = self.torrents.unused.first();
        sooner(next, unused.filter(|_| !self.connections.may_accept()))
    }

    /// A torrent, to look at.
    pub fn torrent(&self, torrent: TorrentKey) -> Option<&Torrent> {
        self.torrents.get(torrent)
    }

    /// Why a torrent failed, if it did.
    pub fn failure(&self, torrent: TorrentKey) -> Option<&str> {
        self.torrents.get(torrent)?.life.failure.as_deref()
    }

    /// Whether a download has become whole and has not said so: the moment to look at its files.
    pub fn is_newly_complete(&self, torrent: TorrentKey) -> bool {
        (self.torrents.get(torrent)).is_some_and(Torrent::is_newly_complete)
    }

    /// Whether every torrent is over, and has said so.
    pub fn is_over(&self) -> bool {
        self.torrents.are_over()
    }

    // For tests and simulations.

    /// Asserts what is true after [`Session::plan`] and its effects: a pass over everything.
    pub fn assert_invariants(&self) {
        invariants::check_slots(&self.slots, &self.connections, self.config.max_peers);
        assert!(self.timers.len() <= self.slots.len());
        invariants::check_queues([&self.down.queue, &self.up.queue], &self.slots);
        self.torrents
            .assert_invariants(&self.slots, &self.config.us);
    }

    /// The piece table of a torrent that there is, to look at.
    pub fn pieces(&self, torrent: TorrentKey) -> &Pieces {
        &self.torrents[torrent].awake().pieces
    }

    /// How many connections there are, those being made included.
    pub fn connections(&self) -> usize {
        self.slots.len()
    }

    /// The addresses that are banned.
    pub fn banned(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.bans.addresses()
    }

    /// The torrents, and what is lent to them.
    pub(super) fn split(&mut self) -> (&mut Torrents, Lent<'_>) {
        let lent = Lent {
            slots: &mut self.slots,
            agenda: &mut self.agenda,
            bans: &self.bans,
            shared: &mut self.shared,
            effects: &mut self.effects,
        };
        (&mut self.torrents, lent)
    }

    /// Lets a torrent do something.
    pub(super) fn with_torrent<T>(
        &mut self,
        torrent: TorrentKey,
        act: impl FnOnce(&mut Torrent, &mut Lent<'_>) -> T,
    ) -> Option<T> {
        let (torrents, mut lent) = self.split();
        Some(act(torrents.get_mut(torrent)?, &mut lent))
    }

    /// What uploading needs.
    pub(super) fn sending(&mut self) -> Sending<'_> {
        Sending {
            slots: &mut self.slots,
            torrents: &mut self.torrents,
            up: &mut self.up,
            effects: &mut self.effects,
        }
    }

    /// Something has happened to a torrent: it is planned for when the session plans next.
    pub(super) fn stir(&mut self, torrent: TorrentKey) {
        self.with_torrent(torrent, Torrent::stir);
    }

    /// The peer under this key, once both handshakes are done.
    pub(super) fn member(&mut self, key: PeerKey) -> Option<&mut Member> {
        self.slots.get_mut(key)?.member_mut()
    }

    /// Something has happened to a connection. A peer is looked at in this turn, and asked for more
    /// if it can take more; about a handshake there is nothing to plan.
    pub(super) fn touch(&mut self, key: PeerKey) {
        let Some(slot) = self.slots.get_mut(key) else {
            return;
        };
        let deadline = slot.greeting_deadline();
        match &mut slot.machine {
            Machine::Peer(member) => {
                member.askable = true;
                if let Some(torrent) = slot.torrent {
                    self.with_torrent(torrent, |torrent, lent| torrent.enlist(key, lent));
                }
            }
            Machine::Greeting(_) => self.arm(key, deadline),
            Machine::Web(pull) => {
                self.agenda.touched.extend(pull.turn.touch().then_some(key));
                let torrent = slot.torrent;
                torrent.into_iter().for_each(|it| self.stir(it));
            }
        }
    }

    /// A slot is looked at again by then, and written to if there is something to say.
    pub(super) fn arm(&mut self, key: PeerKey, deadline: Option<Time>) {
        let slot = &mut self.slots[key];
        self.timers.arm(key, slot, deadline);
        if slot.wants_to_send() && !slot.unflushed {
            slot.unflushed = true;
            self.agenda.unflushed.push(key);
        }
    }

    pub(super) fn add_slot(&mut self, slot: Slot) -> PeerKey {
        let torrent = slot.torrent;
        let key = self.slots.insert(slot);
        self.touch(key);
        if let Some(torrent) = torrent {
            self.torrents[torrent].connections.insert(key);
            self.stir(torrent);
        }
        key
    }
}
