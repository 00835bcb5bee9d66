//! Decisions, derived from what is known once a turn: verdicts on pieces, chokes, interest,
//! requests, dials, saves, reports. Only torrents and slots that something happened to are visited,
//! so a turn costs what happened in it and not what is connected.

use std::net::SocketAddr;

use super::asking;
use super::extending;
use super::meeting;
use super::parting;
use super::session::Session;
use super::sleep;
use super::streams;
use super::web_seeds;
use crate::base::{BLOCK, PeerKey, Time, TorrentKey, limits};
use crate::peer::EndReason;
use crate::torrent::{Choker, Effect, Report, Slot, Stage, Terms, Torrent};

impl Session {
    /// Decides what to do. Once a turn, after all that happened was told.
    pub fn plan(&mut self, now: Time) {
        streams::handle_timeout(self, now);
        self.wake_torrents(now);
        for place in 0..self.agenda.torrents.len() {
            let torrent = self.agenda.torrents[place];
            self.finish_check(torrent, now);
            self.apply_verdicts(torrent, now);
        }
        self.update_slots(now);
        self.each_torrent(|session, torrent| extending::plan(session, torrent, now));
        for (key, reason) in std::mem::take(&mut self.agenda.closing) {
            self.hang_up(key, reason, now);
        }
        // What happens to a torrent from here on is planned for in this turn, too.
        self.each_torrent(|session, torrent| session.plan_uploads(torrent, now));
        self.each_torrent(|session, torrent| web_seeds::plan(session, torrent, now));
        self.plan_downloads(now);
        self.each_torrent(|session, torrent| session.plan_stay(torrent, now));
        self.begin_queued(now);
        self.plan_trackers(now);
        let (mut finding, port) = (std::mem::take(&mut self.finding), self.config.us.port);
        let (torrents, mut lent) = self.split();
        finding.plan(torrents, &mut lent, port, now);
        self.finding = finding;
        self.dial_peers(now);
        self.each_torrent(|session, torrent| session.plan_reports(torrent, now));
        self.report_incoming(false, now);
        let mut planned = std::mem::take(&mut self.agenda.torrents);
        for torrent in planned.drain(..) {
            self.torrents.on_planned(torrent, now);
        }
        (self.agenda.torrents, self.agenda.leaving) = (planned, false);
        sleep::begin_checks(self);
        debug_assert!(self.torrents.iter().all(|t| t.counts_agree(&self.slots)));
    }

    /// Takes the verdicts on a torrent's pieces.
    pub(super) fn apply_verdicts(&mut self, torrent: TorrentKey, now: Time) {
        let judged =
            self.with_torrent(torrent, |torrent, lent| torrent.take_verdicts(lent.effects));
        let Some((guilty, new)) = judged else {
            return;
        };
        for addr in guilty {
            parting::ban(self, addr, now);
        }
        if new {
            self.complete(torrent, now);
        }
    }

    fn complete(&mut self, torrent: TorrentKey, now: Time) {
        let done = self.with_torrent(torrent, |torrent, lent| torrent.complete(lent, now));
        if done == Some(true) {
            self.stop(torrent, "complete", now);
        }
    }

    // The steps of a turn.

    /// Plans for torrents whose deadline has come.
    fn wake_torrents(&mut self, now: Time) {
        let mut due: Vec<TorrentKey> = self.torrents.plan.due(now).collect();
        if !self.connections.may_accept() {
            due.extend(self.torrents.unused.due(now));
        }
        due.into_iter().for_each(|torrent| self.stir(torrent));
    }

    /// Calls `act` for each torrent on the agenda, including those that are added meanwhile.
    fn each_torrent(&mut self, act: impl Fn(&mut Session, TorrentKey)) {
        let mut place = 0;
        while let Some(&torrent) = self.agenda.torrents.get(place) {
            act(self, torrent);
            place += 1;
        }
    }

    fn finish_check(&mut self, torrent: TorrentKey, now: Time) {
        match self.with_torrent(torrent, |t, lent| t.finish_check(lent.effects, now)) {
            Some(Ok(true)) => {
                self.complete(torrent, now);
                self.join_swarm(torrent, now);
            }
            Some(Err(why)) => self.fail(torrent, why, now),
            Some(Ok(false)) | None => {}
        }
    }

    /// Lets a torrent join its swarm, if it may: a download waits while enough others download.
    pub(super) fn join_swarm(&mut self, torrent: TorrentKey, now: Time) {
        self.stir(torrent);
        let full = self.torrents.is_full_for(torrent);
        self.with_torrent(torrent, |torrent, lent| {
            if torrent.is_running() && torrent.is_downloading() && full {
                torrent.life.stage = Stage::Queued;
            }
            if torrent.is_running() {
                torrent.join_swarm(lent, now);
            } else if torrent.life.stage == Stage::Metadata {
                torrent.announce(lent, now);
            }
        });
        meeting::introduce_all(self, torrent, now);
        self.torrents.refile(torrent);
    }

    /// A torrent that was paused goes on.
    pub(super) fn resume(&mut self, torrent: TorrentKey, now: Time) {
        self.stir(torrent);
        let resumed = self
            .torrents
            .get_mut(torrent)
            .is_some_and(|t| t.resume(now));
        if resumed {
            self.join_swarm(torrent, now);
        }
    }

    /// Downloads that waited begin, as many as may.
    fn begin_queued(&mut self, now: Time) {
        while let Some(torrent) = self.torrents.queue.next() {
            self.torrents[torrent].leave_queue(now);
            self.join_swarm(torrent, now);
        }
    }

    /// Handles the slots whose deadline has come: late requests, connections that take too long.
    fn update_slots(&mut self, now: Time) {
        while let Some(key) = self.timers.next_due(now) {
            self.timers.disarm(key, &mut self.slots[key]);
            if web_seeds::handle_timeout(self, key, now) {
                continue;
            }
            streams::handle_call_timeout(self, key, now);
            if let Err(reason) = self.slots[key].handle_timeout(now) {
                self.hang_up(key, reason, now);
                continue;
            }
            if let Some((torrent, member)) = self.slots[key].peer_of_mut() {
                let late = member.peer.take_late(now);
                let lost = member.peer.take_lost(now);
                let pieces = &mut self.torrents[torrent].awake_mut().pieces;
                late.iter().for_each(|&block| pieces.late(key, block));
                self.give_back(key, &lost);
            }
            self.touch(key);
        }
    }

    fn plan_uploads(&mut self, torrent: TorrentKey, now: Time) {
        if self.torrents.get(torrent).is_some_and(Torrent::wants_reads) {
            self.torrents.set_reading(torrent);
        }
        let short = !self.connections.may_accept();
        let limit = self.up.bucket.rate();
        let all = Choker::slots(limit.unwrap_or_else(|| self.up.meter.rate(now)));
        let slots = match self.torrents.get(torrent) {
            Some(_) => self.torrents.upload_slots(torrent, all),
            None => return,
        };
        let queue = std::mem::take(&mut self.up.queue);
        let starved = |key| queue.waits(torrent, key);
        self.with_torrent(torrent, |torrent, lent| {
            if torrent.is_running() {
                let terms = Terms {
                    slots,
                    short,
                    seeding: torrent.is_complete(),
                    starved: &starved,
                };
                torrent.update_chokes(terms, lent, now);
                torrent.tell_pieces(lent, now);
            }
        });
        self.up.queue = queue;
    }

    /// Interest, requests, deadlines and output of every slot that something happened to. Under a
    /// download limit the slots that could be asked for more wait for their turn, and are asked for
    /// a block at a time.
    fn plan_downloads(&mut self, now: Time) {
        self.each_torrent(|session, torrent| {
            if let Some(torrent) = session.torrents.get_mut(torrent) {
                torrent.active = torrent.census.active as u32 + 1;
            }
        });
        let allowed = |session: &mut Session, bytes| {
            let ready_at = session.down.bucket.ready_at(bytes, now);
            ready_at.is_none()
        };
        let open = allowed(self, limits::ASKED_AT_ONCE);
        loop {
            while let Some(key) = self.next_touched() {
                self.update_slot(key, now);
            }
            let open = open && allowed(self, u64::from(BLOCK));
            let torrents = &mut self.torrents;
            let own = |torrent: TorrentKey| {
                let traffic = &mut torrents.get_mut(torrent)?.traffic;
                traffic.down_limit.ready_at(u64::from(BLOCK), now)
            };
            let Some(key) = open.then(|| self.down.next_peer(now, own)).flatten() else {
                break;
            };
            self.ask(key, 1, now);
            self.settle_peer(key, now);
        }
        let least = limits::ASKED_AT_ONCE;
        self.agenda.ask_at = self.down.next_at(least, now, |torrent| {
            let traffic = &mut self.torrents.get_mut(torrent)?.traffic;
            traffic.down_limit.ready_at(least, now)
        });
    }

    fn update_slot(&mut self, key: PeerKey, now: Time) {
        if web_seeds::update(self, key, now) {
            return;
        }
        let Some((torrent, member)) = self.slots.get_mut(key).and_then(Slot::peer_of_mut) else {
            return;
        };
        member.touched = false;
        let torrent = &self.torrents[torrent];
        if torrent.is_running() && member.peer.is_open() {
            // A peer that does not read would not be noticed otherwise until it has been silent for
            // too long.
            let reason = if member.peer.is_overfull() {
                Some(EndReason::NotReading)
            } else {
                let useless = torrent.is_complete() && member.peer.holdings().is_seed();
                useless.then_some(EndReason::NoUse)
            };
            if let Some(reason) = reason {
                self.hang_up(key, reason, now);
                return;
            }
            member.peer.set_interested(member.useful > 0);
            if std::mem::take(&mut member.askable) {
                let own = torrent.traffic.down_limit.rate();
                if !self.down.is_limited() && own.is_none() {
                    self.ask(key, usize::MAX, now);
                } else if member.peer.room(now) > 0 {
                    self.down.queue.join(torrent.key, key);
                }
            }
        }
        extending::plan_peer(self, key, now);
        self.settle_peer(key, now);
    }

    /// Asks a slot for as many blocks as it can take, at most `most`. If it could take more, it
    /// waits: for the download limit, or for something to ask it for.
    fn ask(&mut self, key: PeerKey, most: usize, now: Time) {
        if asking::grant(self, key, now) {
            return;
        }
        let Some((torrent, member)) = self.slots.get_mut(key).and_then(Slot::peer_of_mut) else {
            return;
        };
        let torrent = &mut self.torrents[torrent];
        let asked = torrent.ask((key, &mut member.peer), most, &mut self.picked, now);
        self.down.bucket.take(asked.bytes, now);
        torrent.traffic.down_limit.take(asked.bytes, now);
        self.down.queue.charge(torrent.key, key, asked.bytes);
        if asked.held_back {
            self.down.queue.join(torrent.key, key);
        } else if asked.wants_more && !member.wants_more {
            member.wants_more = true;
            self.agenda.wants_more.push(key);
        }
    }

    /// A peer was looked at: it is counted, looked at again in time, and written to if there is
    /// something to say.
    fn settle_peer(&mut self, key: PeerKey, now: Time) {
        if let Some((torrent, member)) = self.slots.get_mut(key).and_then(Slot::peer_of_mut) {
            self.torrents[torrent].census.recount(member);
            let deadline = member.peer.next_deadline(now);
            self.arm(key, deadline);
        }
    }

    /// The next slot to look at. What was asked for in this turn may have made more askable: then
    /// the peers of that torrent that could take more come again.
    fn next_touched(&mut self) -> Option<PeerKey> {
        if self.agenda.touched.is_empty() {
            let torrents = &mut self.torrents;
            let mut more = |key: &TorrentKey| {
                let awake = torrents.get_mut(*key)?.awake.as_mut()?;
                awake.pieces.take_more_to_ask().then_some(*key)
            };
            let keys: Vec<TorrentKey> = self.agenda.torrents.iter().filter_map(&mut more).collect();
            keys.into_iter().for_each(|key| self.wake_wanting(key));
        }
        self.agenda.touched.pop_front()
    }

    /// Something can be asked for again: all peers of the torrent that could take more are looked
    /// at in this turn.
    fn wake_wanting(&mut self, torrent: TorrentKey) {
        let wanting = std::mem::take(&mut self.agenda.wants_more);
        let (woken, others) = wanting.into_iter().partition(|&key| {
            let slot = self.slots.get(key);
            slot.is_none_or(|slot| slot.torrent == Some(torrent))
        });
        self.agenda.wants_more = others;
        let woken: Vec<PeerKey> = woken;
        for key in woken {
            if let Some(member) = self.member(key) {
                member.wants_more = false;
            }
            self.touch(key);
        }
    }

    fn plan_stay(&mut self, torrent: TorrentKey, now: Time) {
        let staying = self.torrents.get(torrent).filter(|t| t.is_running());
        if let Some(reason) = staying.and_then(|torrent| torrent.stay_over(now)) {
            self.torrents[torrent].life.reached = true;
            self.leave(torrent, self.config.after_stay, reason, now);
        }
        self.with_torrent(torrent, |torrent, lent| {
            torrent.update_idleness(lent, now);
            torrent.update_stall(now);
            if torrent.is_running() && torrent.resume_state.deadline().is_some_and(|at| at <= now) {
                torrent.save(false, lent.effects, now);
            }
        });
        // Downloads that have ended or stalled make room for others in this turn.
        self.torrents.refile(torrent);
    }

    fn plan_trackers(&mut self, now: Time) {
        self.each_torrent(|session, torrent| {
            let may_dial = session.connections.may_dial();
            session.with_torrent(torrent, |torrent, lent| {
                torrent.update_trackers(may_dial, lent, now);
            });
        });
        while let Some(input) = self.shared.next_admitted(now) {
            self.handle_tracker(input, now);
        }
        self.each_torrent(|session, torrent| {
            session.with_torrent(torrent, |torrent, lent| torrent.hear_trackers(lent, now));
            // Addresses that a tracker has just named are dialed in this turn.
            session.torrents.refile(torrent);
        });
    }

    fn plan_reports(&mut self, torrent: TorrentKey, now: Time) {
        let searched = self.with_torrent(torrent, |torrent, lent| {
            if torrent.life.is_among_peers() {
                torrent.update_search(lent.effects, now)
            } else {
                Ok(())
            }
        });
        if let Some(Err(why)) = searched {
            self.fail(torrent, why, now);
        }
        self.with_torrent(torrent, |torrent, lent| {
            torrent.update_leaving(lent.effects, now);
            torrent.update_report(lent.effects, now);
        });
    }

    /// Reports incoming connections that failed, if it is time; all that are new, if the session is
    /// ending.
    pub(super) fn report_incoming(&mut self, ending: bool, now: Time) {
        if let Some(counts) = self.incoming.take_due(ending, now) {
            let (torrent, report) = (None, Report::FailedIncoming(counts));
            self.effects.push_back(Effect::Report { torrent, report });
        }
    }

    // Connections made and ended.

    fn dial_peers(&mut self, now: Time) {
        let mut first = self.make_room_to_dial(now);
        while self.connections.may_dial() && self.connections.next() <= now {
            let next = || self.torrents.next_to_dial(&mut self.slots, now);
            let Some(torrent) = first.take().or_else(next) else {
                break;
            };
            let Some(slot) = self.torrents[torrent].dial(&self.config.us, now) else {
                break;
            };
            self.connections.on_dial(now);
            streams::dial(self, slot, torrent, now);
            self.torrents.refile(torrent);
        }
    }

    /// With all slots taken, makes room for an address that is to be dialed. Its torrent, which is
    /// to have the room.
    fn make_room_to_dial(&mut self, now: Time) -> Option<TorrentKey> {
        if self.connections.may_accept() || !self.replacing.may_clear_to_dial(now) {
            return None;
        }
        self.torrents.next_to_dial(&mut self.slots, now);
        let (torrent, addr) = self.torrents.wanted_dial(now)?;
        for key in self
            .replacing
            .clear_to_dial(&self.slots, (torrent, addr), now)
        {
            self.hang_up(key, EndReason::Replaced, now);
        }
        Some(torrent)
    }

    /// Whether there is a slot for a peer that dials us; with all taken, after making room.
    pub(super) fn has_room_to_accept(&mut self, addr: SocketAddr, now: Time) -> bool {
        self.torrents.refile_all(&self.agenda.torrents);
        if !self.connections.may_accept() {
            for key in self.replacing.clear_to_accept(&self.slots, addr, now) {
                self.hang_up(key, EndReason::Replaced, now);
            }
        }
        let kept = match self.torrents.wanted_dial(now) {
            Some(_) => self.config.max_peers / limits::KEPT_TO_DIAL,
            None => 0,
        };
        self.connections.free() > kept
    }
}
