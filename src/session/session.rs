//! The session: what it holds, its clock-work, and what the outside may ask of it. What peers send
//! arrives in `intake`, decisions are made once a turn in `planning`, and the way out is in
//! `leaving`.
//!
//! A turn of the loop calls, in this order: [`Session::handle_accepted`], [`Session::receive`] and
//! the like for all that happened; [`Session::plan`] once; [`Session::next_effect`] and
//! [`Session::next_read`] until they are empty; then it writes to the slots of
//! [`Session::take_unflushed`].

use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};

use slab::Slab;

use super::agenda::Agenda;
use super::budget::{Dials, Flow, Refusals};
use super::callers::Callers;
use super::census::Census;
use super::checking::Checking;
use super::config::Config;
use super::damage::Damage;
use super::effect::{Effect, Progress, Report, Snapshot};
use super::news::News;
use super::record::Record;
use super::reporting::Reporting;
use super::search::Search;
use super::slot::{Ended, Slot, Timers};
use super::stage::Stage;
use crate::base::bits::Bits;
use crate::base::geometry::{BLOCK, Block};
use crate::base::limits;
use crate::base::rate::Totals;
use crate::base::rng::Rng;
use crate::base::time::{Now, sooner};
use crate::peer::peer::{Local, Peer};
use crate::peer::phase::Phase;
use crate::pieces::Pieces;
use crate::torrent::candidates::Source;
use crate::torrent::torrent::Torrent;
use crate::tracker::Trackers;

/// One torrent in its swarm.
#[derive(Debug)]
pub struct Session {
    pub(super) config: Config,
    pub(super) local: Local,
    pub(super) torrent: Torrent,
    pub(super) slots: Slab<Slot>,
    pub(super) timers: Timers,
    pub(super) census: Census,
    pub(super) trackers: Trackers,
    pub(super) search: Search,
    pub(super) checking: Option<Checking>,
    pub(super) refusals: Refusals,
    pub(super) stage: Stage,
    pub(super) dials: Dials,
    pub(super) down: Flow,
    pub(super) up: Flow,
    pub(super) agenda: Agenda,
    pub(super) news: News,
    /// Not before then are connections given up again for the sake of one to call.
    pub(super) room_at: Now,
    /// The same for the sake of one that calls us.
    pub(super) door_at: Now,
    pub(super) effects: VecDeque<Effect>,
    pub(super) choke_due: bool,
    /// When it is seen whether those unchoked last use their slots.
    pub(super) unused_at: Option<Now>,
    pub(super) record: Record,
    pub(super) damage: Damage,
    /// The connection that ended last, but for those that we ended for a reason of our own.
    pub(super) ended: Option<Ended>,
    pub(super) callers: Callers,
    /// Addresses of peers that hung up when we had been silent for a while.
    pub(super) impatient: BTreeSet<IpAddr>,
    pub(super) failure: Option<String>,
    pub(super) reporting: Reporting,
    pub(super) started: Now,
    pub(super) complete_at: Option<Now>,
}

impl Session {
    /// A session that begins now: with the check of what is on disk, if there is anything to hash.
    /// `seed` decides everything random.
    pub fn new(mut config: Config, seed: u64, now: Now) -> Session {
        let mut rng = Rng::from_seed(seed);
        let hashes = std::mem::take(&mut config.hashes);
        let mut trackers = Trackers::new(
            &config.trackers,
            config.identity(),
            config.families,
            now,
            Rng::from_seed(rng.bits64()),
        );
        trackers.allow_local(config.allow_local);
        let checking = (config.to_hash.count() > 0)
            .then(|| Checking::new(config.geometry, hashes.clone(), config.to_hash.clone()));
        let mut pieces = Pieces::new(
            config.geometry,
            hashes,
            &config.wanted,
            config.sequential,
            Rng::from_seed(rng.bits64()),
        );
        pieces = pieces.with_padding(std::mem::take(&mut config.padding));
        pieces.restore(&config.trusted);
        let (local, geometry) = (config.local(), config.geometry);
        let mut session = Session {
            local,
            torrent: Torrent::new(pieces, now, &mut rng),
            slots: Slab::new(),
            timers: Timers::default(),
            census: Census::default(),
            trackers,
            search: Search::new(&config.trackers, now),
            checking,
            refusals: Refusals::default(),
            stage: Stage::Checking,
            dials: Dials::new(config.max_peers, now),
            down: Flow::new(config.down, now),
            up: Flow::new(config.up, now),
            agenda: Agenda::default(),
            news: News::default(),
            room_at: now,
            door_at: now,
            effects: VecDeque::new(),
            choke_due: false,
            unused_at: None,
            record: Record::new(now),
            damage: Damage::new(geometry.pieces()),
            ended: None,
            callers: Callers::default(),
            impatient: BTreeSet::new(),
            failure: None,
            reporting: Reporting::new(now),
            started: now,
            complete_at: None,
            config,
        };
        session.report_start();
        session
    }

    // What happened outside.

    /// Somebody called us. The key of the slot for the socket, or `None`: close it.
    pub fn handle_accepted(&mut self, addr: SocketAddr, now: Now) -> Option<usize> {
        let banned = self.torrent.candidates.is_banned(addr);
        let welcome =
            self.stage == Stage::Running && !banned && self.has_room_for_caller(addr, now);
        if !welcome {
            self.count_turned_away(banned, now);
            return None;
        }
        self.dials.on_accept();
        Some(self.add_slot(Peer::accept(self.local, addr, now), now))
    }

    /// A call was answered. It may have been given up in the same turn.
    pub fn handle_connected(&mut self, key: usize, now: Now) {
        let slot = self.slots.get_mut(key);
        if let Some(slot) = slot.filter(|slot| *slot.peer.phase() == Phase::Dialing) {
            self.dials.on_connected();
            slot.peer.handle_connected(now);
            self.touch(key);
        }
    }

    /// Addresses of peers that somebody named.
    pub fn add_peers(&mut self, addrs: &[SocketAddr], source: Source, now: Now) {
        if source == Source::User {
            self.search.add_named(addrs);
        }
        for &addr in addrs {
            self.torrent.candidates.add(addr, source, now);
        }
    }

    /// Something that the user should know, and that does not end the session.
    pub fn warn(&mut self, message: String) {
        self.report(Report::Warning(message));
    }

    // What the outside needs to know.

    /// The tracker machine, for what arrives from trackers.
    pub fn trackers(&mut self) -> &mut Trackers {
        &mut self.trackers
    }

    /// What to do next outside, at once: a slot whose hanging up was named may be another
    /// connection's from now on.
    pub fn next_effect(&mut self) -> Option<Effect> {
        let effect = self.effects.pop_front()?;
        if let Effect::Hangup { key } = effect {
            self.slots.try_remove(key);
        }
        Some(effect)
    }

    /// Whether the next turn has something to do though nothing happens.
    pub fn is_pending(&self) -> bool {
        !self.effects.is_empty() || !self.agenda.touched.is_empty()
    }

    /// Bytes of content to be read from disk and handed to [`Session::handle_read`] before the next
    /// call, a slice at a time.
    pub fn next_read(&mut self) -> Option<Block> {
        match &self.checking {
            Some(checking) => checking.next_slice(),
            None => self.torrent.pieces.next_reread(),
        }
    }

    /// The piece that the next read begins, if holes are worth looking for: then
    /// [`Session::handle_hole`] may save reading it.
    pub fn next_hole(&self) -> Option<u32> {
        self.checking.as_ref().and_then(Checking::beginning)
    }

    /// The machine under this key.
    pub fn peer(&self, key: usize) -> Option<&Peer> {
        self.slots.get(key).map(|slot| &slot.peer)
    }

    /// Bytes of blocks that may be sent to a slot out of turn, beside a block that has begun: any
    /// number without an upload limit, none with one.
    pub fn may_send(&self) -> u64 {
        if self.up.is_limited() { 0 } else { u64::MAX }
    }

    /// A slot's socket takes more: if blocks wait for it under an upload limit, it comes to its
    /// turn, see [`Session::next_turn`].
    pub fn await_turn(&mut self, key: usize) {
        let peer = self.peer(key);
        if peer.is_some_and(|peer| peer.uploads_waiting() > 0) {
            self.up.queue.join(key);
        }
    }

    /// The slot whose turn it is to be sent a block under the upload limit; `None`: nobody waits,
    /// or the limit allows nothing yet. A slot that has more to be sent after its turn is to wait
    /// again.
    pub fn next_turn(&mut self, now: Now) -> Option<usize> {
        match self.up.bucket.ready_at(u64::from(BLOCK), now) {
            Some(_) => None,
            None => self.up.queue.pop(),
        }
    }

    /// When to ask for the next turn, if any slot waits for one. Where the limit is high that is
    /// not for each block.
    pub fn turn_at(&mut self, now: Now) -> Option<Now> {
        if self.up.queue.is_empty() {
            return None;
        }
        let rate = self.up.bucket.rate().unwrap_or_default();
        let bytes = (rate / limits::TURNS_PER_SECOND).max(u64::from(BLOCK));
        Some(self.up.bucket.ready_at(bytes, now).unwrap_or(now))
    }

    /// Notes bytes of a slot's [`Peer::transmit`] as sent.
    pub fn transmitted(&mut self, key: usize, bytes: usize, now: Now) {
        if let Some(slot) = self.slots.get_mut(key) {
            let content = slot.peer.transmitted(bytes, now);
            self.up.meter.add(content, now);
            self.up.bucket.take(content, now);
            self.up.queue.charge(key, content);
        }
    }

    /// The slots that have something to send since the last call.
    pub fn take_unflushed(&mut self) -> Vec<usize> {
        let keys = std::mem::take(&mut self.agenda.unflushed);
        for &key in &keys {
            if let Some(slot) = self.slots.get_mut(key) {
                slot.unflushed = false;
            }
        }
        keys
    }

    /// When [`Session::plan`] has something to do though nothing happens.
    pub fn next_deadline(&self) -> Option<Now> {
        let mut next = sooner(self.timers.next_deadline(), self.trackers.next_deadline());
        next = sooner(next, sooner(self.agenda.ask_at, self.report_deadline()));
        next = sooner(next, self.callers.deadline());
        match self.stage {
            Stage::Checking => {}
            Stage::Running => {
                if self.dials.may_dial() {
                    let due = self.torrent.candidates.next_deadline();
                    next = sooner(next, due.map(|due| due.max(self.dials.next())));
                }
                if self.census.interested > 0 {
                    next = sooner(next, Some(self.torrent.choker.next_round()));
                }
                next = sooner(next, self.unused_at.filter(|_| !self.dials.may_accept()));
                next = sooner(next, self.record.deadline());
                next = sooner(next, sooner(self.telling_deadline(), self.stay_deadline()));
                next = sooner(next, self.search_deadline());
            }
            Stage::Leaving { until } => next = sooner(next, Some(until)),
            Stage::Over => return None,
        }
        next
    }

    /// Where the download stands.
    pub fn progress(&self, now: Now) -> Progress {
        let pieces = &self.torrent.pieces;
        let (done, size) = if self.config.download {
            (pieces.done(), pieces.wanted())
        } else {
            (pieces.held_bytes(), self.config.size)
        };
        Progress {
            done,
            size,
            down_rate: self.down.meter.rate(now),
            up_rate: self.up.meter.rate(now),
            peers: self.census.open,
            checking: self.checking.as_ref().map(Checking::progress),
        }
    }

    /// Bytes of content received and sent since the start.
    pub fn totals(&self) -> Totals {
        Totals {
            down: self.down.meter.total(),
            up: self.up.meter.total(),
        }
    }

    // Helpers.

    pub(super) fn add_slot(&mut self, peer: Peer, now: Now) -> usize {
        let deadline = peer.next_deadline(now);
        let key = self.slots.insert(Slot::new(peer));
        self.timers.arm(key, &mut self.slots[key], deadline);
        key
    }

    /// Something has happened to a connection: it is looked at in this turn, and asked for more if
    /// it can take more.
    pub(super) fn touch(&mut self, key: usize) {
        if let Some(slot) = self.slots.get_mut(key) {
            slot.askable = true;
        }
        self.enlist(key);
    }

    /// We have something to say on a connection: it is looked at in this turn. Each change of a
    /// peer's machine ends here or in [`Session::touch`], so that it is counted.
    pub(super) fn enlist(&mut self, key: usize) {
        if let Some(slot) = self.slots.get_mut(key) {
            self.census.recount(slot);
            if !slot.touched {
                slot.touched = true;
                self.agenda.touched.push_back(key);
            }
        }
    }

    fn report_start(&mut self) {
        self.report(Report::Start {
            name: self.config.name.clone(),
            info_hash: self.config.info_hash,
            size: if self.config.download {
                self.torrent.pieces.wanted()
            } else {
                self.config.size
            },
            pieces: if self.config.download {
                self.config.wanted.count()
            } else {
                self.config.geometry.pieces()
            },
            port: self.config.port,
        });
    }

    pub(super) fn report(&mut self, report: Report) {
        self.effects.push_back(Effect::Report(report));
    }

    /// Verified pieces, except unreadable ones.
    pub(super) fn served(&self) -> Bits {
        self.damage.served(self.torrent.pieces.held())
    }

    pub(super) fn save(&mut self, clean: bool, now: Now) {
        let held = self.served();
        let clean = clean && self.damage.allows_clean(&held);
        let totals = self.totals();
        self.record.on_saved(totals, clean, now);
        self.effects.push_back(Effect::Save(Snapshot {
            held,
            totals: self.config.earlier + totals,
            clean,
        }));
    }
}
