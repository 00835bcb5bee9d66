//! Decisions, derived from what is known once a turn: verdicts on pieces, interest, requests,
//! chokes, calls, saves, reports. Only slots that something happened to are looked at, so a turn
//! costs what happened in it and not what is connected.

use super::census::Census;
use super::config::Stay;
use super::effect::{Effect, Report};
use super::session::Session;
use crate::base::geometry::BLOCK;
use crate::base::host::Host;
use crate::base::limits;
use crate::base::time::Now;
use crate::peer::fault::Fault;
use crate::peer::peer::Peer;
use crate::torrent::choker::{Choker, View};

impl Session {
    /// Decides what to do. Once a turn, after all that happened was told.
    pub fn plan(&mut self, now: Now) {
        self.finish_check(now);
        self.judge_pieces(now);
        self.mind_deadlines(now);
        for (key, fault) in std::mem::take(&mut self.agenda.closing) {
            self.hang_up(key, fault, now);
        }
        if self.is_running() {
            self.mind_chokes(now);
            self.tell_pieces(now);
            self.mind_peers(now);
            self.mind_stay(now);
            if self.record.deadline().is_some_and(|at| at <= now) {
                self.save(false, now);
            }
        } else {
            // Connections are looked at no more: the loop must not turn for their sake.
            self.agenda.touched.clear();
        }
        self.mind_trackers(now);
        if self.is_running() {
            // Addresses that a tracker has just named are dialed in this turn.
            self.dial_peers(now);
            self.mind_search(now);
        }
        self.mind_leaving(now);
        self.mind_report(now);
        debug_assert!(self.counts_agree());
    }

    pub(super) fn judge_pieces(&mut self, now: Now) {
        let told = self.news.untold.len();
        while let Some(verdict) = self.torrent.pieces.next_verdict() {
            if self.damage.is_lost(verdict.piece) {
                continue;
            }
            self.report(Report::Piece {
                index: verdict.piece,
                ok: verdict.ok,
            });
            if verdict.ok {
                self.news.untold.push(verdict.piece);
            }
            for addr in verdict.guilty {
                self.ban(addr, now);
            }
        }
        if self.news.untold.len() > told {
            self.record.set_outdated();
            self.mind_completion(now);
        }
    }

    fn ban(&mut self, addr: std::net::SocketAddr, now: Now) {
        self.torrent.candidates.ban(addr);
        let guilty = |peer: &Peer| Host::of(peer.addr()) == Host::of(addr);
        let keys: Vec<usize> = self
            .slots
            .iter()
            .filter(|(_, slot)| guilty(&slot.peer))
            .map(|(key, _)| key)
            .collect();
        for key in keys {
            self.hang_up(key, Fault::Poisoner, now);
        }
    }

    fn mind_deadlines(&mut self, now: Now) {
        while let Some(key) = self.timers.next_due(now) {
            let slot = &mut self.slots[key];
            self.timers.disarm(key, slot);
            if let Err(fault) = slot.peer.handle_timeout(now) {
                self.hang_up(key, fault, now);
                continue;
            }
            let late = slot.peer.take_late(now);
            let lost = slot.peer.take_lost(now);
            for &block in &late {
                self.torrent.pieces.late(key, block);
            }
            self.give_back(key, &lost);
            self.touch(key);
        }
    }

    fn mind_chokes(&mut self, now: Now) {
        let due = now >= self.torrent.choker.next_round();
        // Unused slots matter while places are short: else a round is soon enough.
        let short = !self.dials.may_accept();
        let unused_due = short && self.unused_at.is_some_and(|at| at <= now);
        if !due && !unused_due && !self.choke_due {
            return;
        }
        self.choke_due = false;
        self.unused_at = self.unused_at.filter(|&at| at > now);
        let slots = Choker::slots(
            self.up
                .bucket
                .rate()
                .unwrap_or_else(|| self.up.meter.rate(now)),
        );
        let Census {
            interested, served, ..
        } = self.census;
        if !due && (served == interested || (served > slots && !unused_due)) {
            return;
        }
        let seeding = self.torrent.pieces.is_complete();
        let views: Vec<View> = self
            .slots
            .iter()
            .filter(|(_, slot)| slot.peer.is_open())
            .map(|(key, slot)| View {
                key,
                interested: slot.peer.choke_state().peer_interested,
                unchoked: !slot.peer.choke_state().am_choking,
                rate: if seeding {
                    slot.peer.up().rate(now)
                } else {
                    slot.peer.down().rate(now)
                },
                // Who has nothing for us is not asked for anything: it cannot show that it has
                // changed its mind.
                snubbing: slot.useful > 0 && slot.peer.is_snubbing(now),
                starved: self.up.queue.waits(key),
                wasteful: short && slot.is_wasteful(now),
                since: slot.peer.since(),
                waits_since: slot.waits_since.max(slot.peer.since()),
            })
            .collect();
        if !due {
            for key in self.torrent.choker.refill(&views, slots, seeding, now) {
                self.set_choking(key, false, now);
            }
            return;
        }
        let chosen = self.torrent.choker.round(&views, slots, seeding, now);
        for view in &views {
            self.set_choking(view.key, !chosen.contains(&view.key), now);
        }
    }

    fn set_choking(&mut self, key: usize, choking: bool, now: Now) {
        let slot = &mut self.slots[key];
        if slot.peer.choke_state().am_choking != choking {
            if choking {
                if slot.is_unused(now) {
                    slot.wasted = Some(now);
                }
                slot.waits_since = now;
                slot.peer.choke();
            } else {
                slot.offered = now;
                slot.peer.unchoke();
                let due = now + limits::UNUSED;
                self.unused_at = self.unused_at.filter(|&at| at > now).or(Some(due));
            }
            self.enlist(key);
        }
    }

    /// Interest, requests, deadlines and output of every slot that something happened to. Under a
    /// download limit the slots that could be asked for more wait for their turn, and are asked for
    /// a block at a time.
    fn mind_peers(&mut self, now: Now) {
        let active = self.census.active + 1;
        let allowed = |session: &mut Session, bytes| {
            let ready_at = session.down.bucket.ready_at(bytes, now);
            ready_at.is_none()
        };
        let open = self.down.is_limited() && allowed(self, limits::ASKED_AT_ONCE);
        loop {
            while let Some(key) = self.next_touched() {
                self.mind_peer(key, active, now);
            }
            let turn = open && allowed(self, u64::from(BLOCK));
            let Some(key) = turn.then(|| self.down.queue.pop()).flatten() else {
                break;
            };
            self.ask(key, active, 1, now);
            self.settle(key, now);
        }
        let waits = !self.down.queue.is_empty();
        let ready_at = self.down.bucket.ready_at(limits::ASKED_AT_ONCE, now);
        self.agenda.ask_at = waits.then(|| ready_at.unwrap_or(now));
    }

    fn mind_peer(&mut self, key: usize, active: usize, now: Now) {
        let seeding = self.torrent.pieces.is_complete();
        let Some(slot) = self.slots.get_mut(key) else {
            return;
        };
        slot.touched = false;
        if slot.peer.is_open() {
            // One that says nothing either would not be noticed otherwise until it has been silent
            // for too long.
            let fault = if slot.peer.is_overfull() {
                Some(Fault::NotReading)
            } else {
                (seeding && slot.peer.holdings().is_seed()).then_some(Fault::NoUse)
            };
            if let Some(fault) = fault {
                self.hang_up(key, fault, now);
                return;
            }
            slot.peer.set_interested(slot.useful > 0);
            if std::mem::take(&mut slot.askable) {
                if !self.down.is_limited() {
                    self.ask(key, active, usize::MAX, now);
                } else if slot.peer.room(now) > 0 {
                    self.down.queue.join(key);
                }
            }
        }
        self.settle(key, now);
    }

    /// Asks a slot for as many blocks as it can take, at most `most`. If it could take more, it
    /// waits: for the download limit, or for something to ask it for.
    fn ask(&mut self, key: usize, active: usize, most: usize, now: Now) {
        let Some(slot) = self.slots.get_mut(key) else {
            return;
        };
        let asked = self.torrent.ask(key, &mut slot.peer, active, most, now);
        self.down.bucket.take(asked.bytes, now);
        self.down.queue.charge(key, asked.bytes);
        if asked.held_back {
            self.down.queue.join(key);
        } else if asked.hungry && !slot.wants_more {
            slot.wants_more = true;
            self.agenda.wants_more.push(key);
        }
    }

    /// A slot's turn is over: it is counted, looked at again in time, and written to if there is
    /// something to say.
    fn settle(&mut self, key: usize, now: Now) {
        let Some(slot) = self.slots.get_mut(key) else {
            return;
        };
        self.census.recount(slot);
        let deadline = slot.peer.next_deadline(now);
        self.timers.arm(key, slot, deadline);
        if slot.peer.wants_to_send(true) && !slot.unflushed {
            slot.unflushed = true;
            self.agenda.unflushed.push(key);
        }
    }

    /// The next slot to look at. What was asked for in this turn may have made more askable: then
    /// those with room left come again.
    fn next_touched(&mut self) -> Option<usize> {
        if self.agenda.touched.is_empty() && self.torrent.pieces.take_news() {
            self.wake_wanting();
        }
        self.agenda.touched.pop_front()
    }

    fn dial_peers(&mut self, now: Now) {
        self.make_room_to_call(now);
        while self.dials.may_dial() && self.dials.next() <= now {
            self.hold_connected(now);
            let Some(addr) = self.torrent.candidates.next(now) else {
                break;
            };
            self.dials.on_dial(now);
            let key = self.add_slot(Peer::dial(self.local, addr, now), now);
            self.effects.push_back(Effect::Dial { key, addr });
        }
    }

    fn mind_report(&mut self, now: Now) {
        self.report_callers(false, now);
        if self.report_deadline().is_some_and(|at| at <= now) {
            self.report_progress(now);
        }
    }

    /// Reports the callers that failed, if it is time; all that are new, if the session is ending.
    pub(super) fn report_callers(&mut self, ending: bool, now: Now) {
        if let Some(counts) = self.callers.take_due(ending, now) {
            self.report(Report::Callers(counts));
        }
    }

    pub(super) fn report_progress(&mut self, now: Now) {
        let progress = self.progress(now);
        self.reporting.on_reported(progress, self.totals(), now);
        self.report(Report::Progress(progress));
    }

    /// Progress is reported while there is any, unless somebody counts on it: an idle seed sleeps.
    pub(super) fn report_deadline(&self) -> Option<Now> {
        let downloading = self.is_downloading();
        let stale = self.reporting.is_stale(self.totals(), self.census.open);
        let lively = self.config.heartbeat || downloading || stale;
        let running = self.is_running() && lively;
        (running || self.checking.is_some()).then(|| self.reporting.next())
    }

    pub(super) fn stay_deadline(&self) -> Option<Now> {
        match (self.complete_at, self.config.stay) {
            (
                Some(since),
                Stay::Until {
                    time: Some(time), ..
                },
            ) => Some(since + time),
            _ => None,
        }
    }
}
