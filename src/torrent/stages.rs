//! The stages of a torrent: the check of what is on disk, the download, the stay, the way out.
//! While it stays and has no peers it sleeps: it wakes up for a peer that dials us, and when there
//! is one to be dialed.

use super::awake::Awake;
use super::effect::{Effect, Effects, Report};
use super::lent::{self, Lent};
use super::order::{Existing, Order, Stay};
use super::slot::Slot;
use super::stage::{Stage, Then};
use super::torrent::Torrent;
use crate::base::{Bits, Rng, Time, limits};

impl Torrent {
    /// Its metadata are there: it goes on with the check of what is on disk, unless it is paused.
    pub fn describe(&mut self, order: Order, rng: &mut Rng, now: Time) {
        let [picks, chokes] = [(); 2].map(|()| Rng::from_seed(rng.bits64()));
        self.order = order.kept();
        let mut awake = Awake::new(order, (picks, chokes), now);
        if let Some(before) = self.awake.take() {
            // The user is still told what the search has found.
            awake.search = before.search;
            awake.search.dht = self.order.dht;
            if self.order.pex {
                awake.exchange = before.exchange;
            }
        }
        self.awake = Some(Box::new(awake));
        if self.life.stage == Stage::Metadata {
            self.life.stage = Stage::Checking;
        }
    }

    /// Ends the check, if everything is hashed: true, and it is running.
    ///
    /// # Errors
    /// Nothing may be written, and why.
    pub fn finish_check(&mut self, effects: &mut Effects, now: Time) -> Result<bool, String> {
        let slice = |it: &Awake| it.checking.as_ref().and_then(|c| c.next_slice());
        let awake = self.awake.as_mut().filter(|it| slice(it).is_none());
        let Some(awake) = awake.filter(|_| self.life.stage == Stage::Checking) else {
            return Ok(false);
        };
        let mut telling = std::mem::take(&mut awake.trusted);
        if let Some(checking) = awake.checking.take() {
            awake.pieces.restore(checking.valid());
            for piece in checking.telling().ones() {
                telling.set(piece);
            }
            self.resume_state.set_outdated();
        }
        if let Some(why) = self.find_foreign(&telling) {
            self.resume_state.set_current();
            return Err(why);
        }
        self.life.stage = Stage::Running;
        self.life.checked = true;
        if self.order.download {
            effects.push_back(Effect::MakeReady { torrent: self.key });
        }
        let awake = self.awake_mut();
        awake.search.restart(now);
        awake.doubted = Vec::new();
        let checked = self.checked();
        self.report(checked, effects);
        self.report_progress(effects, now);
        Ok(true)
    }

    fn checked(&self) -> Report {
        let Awake { pieces, wanted, .. } = self.awake();
        let verified = pieces.verified();
        if self.order.download {
            let have = verified.ones().filter(|&piece| wanted.get(piece)).count();
            Report::Checked {
                have: have as u32,
                pieces: wanted.count(),
                missing: pieces.wanted() - pieces.done(),
            }
        } else {
            Report::Checked {
                have: verified.count(),
                pieces: self.order.geometry.pieces(),
                missing: self.order.size - pieces.verified_bytes(),
            }
        }
    }

    /// Whether it keeps a place among those that download: once its metadata have come, unless
    /// they are long in coming, or once what an earlier run has got of it is checked, it goes on
    /// with its download.
    pub fn keeps_place(&self) -> bool {
        let fetches = self.life.stage == Stage::Metadata && !self.life.stalled;
        (fetches && self.order.download) || self.resumes_after_check()
    }

    /// Whether it is checked, or waits for that, and an earlier run has got a part of it.
    fn resumes_after_check(&self) -> bool {
        let (done, all) = match (&self.life.unchecked, &self.awake) {
            (Some(unchecked), _) => (unchecked.done, unchecked.size),
            (None, Some(awake)) => (awake.pieces.done(), awake.pieces.wanted()),
            (None, None) => return false,
        };
        self.life.stage == Stage::Checking && self.order.download && done > 0 && done < all
    }

    /// It is its turn to download.
    pub fn leave_queue(&mut self, now: Time) {
        self.life.stage = Stage::Running;
        if let Some(awake) = &mut self.awake {
            awake.search.restart(now);
        }
    }

    /// Joins the swarm, once the check is over and nothing has ended the torrent. Before the first
    /// write its resume data are saved: what clean ones omit would not be hashed again after a
    /// kill.
    pub fn join_swarm(&mut self, lent: &mut Lent<'_>, now: Time) {
        let complete = self.life.complete_at.is_some();
        if self.resume_state.is_outdated() || !complete {
            self.save(complete, lent.effects, now);
        }
        self.announce(lent, now);
    }

    /// Begins to ask trackers, or asks anew after a pause.
    pub fn announce(&mut self, lent: &mut Lent<'_>, now: Time) {
        self.update_totals();
        self.trackers.start(lent.shared, now);
        self.trackers.restart(lent.shared, now);
    }

    /// Why nothing may be written: a file that is there may be the user's own. `telling`: the
    /// pieces that prove a file to be this torrent's.
    fn find_foreign(&self, telling: &Bits) -> Option<String> {
        let geometry = self.order.geometry;
        let Awake {
            doubted, pieces, ..
        } = self.awake();
        let verified = pieces.verified();
        let foreign = |file: &&Existing| !file.is_proven(verified, telling, geometry);
        let mut foreign = doubted.iter().filter(foreign);
        let first = foreign.next()?;
        let more = match foreign.count() {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        Some(format!(
            "{}{more}: its content is not that of this torrent: move it away, or write over it with \
             --overwrite",
            first.name
        ))
    }

    /// Whether a download is complete and that is not reported yet: the moment to look for changes
    /// of its files.
    pub fn is_newly_complete(&self) -> bool {
        let running = self.order.download && self.is_running();
        running && self.life.complete_at.is_none() && self.is_complete()
    }

    /// Whether every wanted piece is verified.
    pub fn is_complete(&self) -> bool {
        let awake = self.awake.as_ref();
        awake.is_none_or(|awake| awake.pieces.is_complete())
    }

    /// Reports once that everything selected is there. True: the torrent is not to stay.
    pub fn complete(&mut self, lent: &mut Lent<'_>, now: Time) -> bool {
        let whole = self.is_running() && self.is_complete();
        if self.life.complete_at.is_some() || !whole {
            return false;
        }
        self.life.complete_at = Some(now);
        let totals = self.totals();
        if self.order.download {
            self.report_progress(lent.effects, now);
            let report = Report::Complete {
                seconds: now.since(self.life.started).as_secs_f64(),
                downloaded: totals.down,
                uploaded: totals.up,
            };
            self.report(report, lent.effects);
        }
        self.update_totals();
        if totals.down > 0 && self.left() == 0 {
            self.trackers.completed(lent.shared, now);
        }
        self.set_choking_due();
        if self.order.stay != Stay::No && self.resume_state.is_outdated() {
            self.save(true, lent.effects, now);
        }
        self.order.stay == Stay::No
    }

    /// Frees what only a download or peers need, if there is nothing left to get, and wakes up when
    /// there is a peer to be dialed.
    pub fn update_idleness(&mut self, lent: &mut Lent<'_>, now: Time) {
        let torrent = self.key;
        let dial = self.candidates.next_deadline();
        let Some(awake) = &mut self.awake else {
            if self.is_running() && dial.is_some_and(|at| at <= now) {
                self.wake(lent.effects);
            }
            return;
        };
        if self.life.complete_at.is_none() {
            return;
        }
        awake.pieces.retire();
        let is_closing = |(_, slot): (_, &Slot)| slot.is_closing();
        if !lent::slots(lent.slots, &self.connections).all(is_closing) {
            (self.life.resting, self.life.drowsy) = (None, false);
            return;
        }
        if self.life.resting.is_none() {
            self.life.resting = Some(now);
            lent.effects.push_back(Effect::Rest { torrent });
        }
        let is_time = self.drowsy_deadline().is_some_and(|at| at <= now);
        if is_time && self.is_running() {
            if self.resume_state.is_worth_closing(self.totals()) {
                self.save(true, lent.effects, now);
            }
            self.life.drowsy = true;
            lent.effects.push_back(Effect::Sleep { torrent });
        }
    }

    /// When it is to fall asleep: at once if that costs nothing, since nothing is to be saved. Not
    /// if some of its content is missing, or a peer is to be dialed soon.
    pub fn drowsy_deadline(&self) -> Option<Time> {
        let mut at = self.life.resting.filter(|_| !self.life.drowsy)?;
        if self.resume_state.is_worth_closing(self.totals()) {
            at = at + limits::DROWSY;
        }
        let dial = self.candidates.next_deadline();
        let dials = dial.is_some_and(|dial| dial <= at + limits::DROWSY);
        let whole = self.awake.as_ref().is_some_and(|it| it.is_all_there());
        Some(at).filter(|_| whole && !dials)
    }

    /// Falls asleep. False: something has happened since it was to.
    pub fn fall_asleep(&mut self) -> bool {
        let idle = self.life.drowsy && self.connections.is_empty() && self.is_running();
        let saved = !self.resume_state.is_worth_closing(self.totals());
        let awake = self.awake.as_ref();
        let sleeps = idle && saved && awake.is_some_and(|awake| awake.is_all_there());
        if sleeps {
            self.awake = None;
        }
        sleeps
    }

    /// Sleeps until it is checked. False: there is nothing to check, or the check has begun.
    pub fn await_check(&mut self, now: Time) -> bool {
        let progress = self.progress(now);
        let waits = progress.checking.is_some_and(|(decided, _)| decided == 0);
        if waits {
            self.awake = None;
            self.life.unchecked = Some(Box::new(progress));
        }
        waits
    }

    /// Whether it is awake to be checked, or is to wake up for that.
    pub fn is_checking(&self) -> bool {
        let awake = self.awake.is_some() || self.life.waking;
        awake && self.life.stage == Stage::Checking
    }

    /// Whether it sleeps until it is its turn to be checked.
    pub fn waits_for_check(&self) -> bool {
        let asleep = self.life.unchecked.is_some() && !self.life.waking;
        asleep && self.life.stage == Stage::Checking
    }

    /// Has the outside find what it needs to be awake.
    pub fn wake(&mut self, effects: &mut Effects) {
        if self.awake.is_none() && !self.life.waking {
            self.life.waking = true;
            let torrent = self.key;
            effects.push_back(Effect::Wake { torrent });
        }
    }

    /// Wakes up with what `io` has found. If its files have changed, they are checked again.
    pub fn wake_up(&mut self, order: Order, rng: &mut Rng, now: Time) {
        let mut random = || Rng::from_seed(rng.bits64());
        let [picks, chokes] = [(); 2].map(|()| random());
        let awake = Awake::new(order, (picks, chokes), now);
        let is_whole = awake.is_all_there();
        self.awake = Some(Box::new(awake));
        let life = &mut self.life;
        (life.waking, life.drowsy, life.resting) = (false, false, None);
        life.unchecked = None;
        if !is_whole {
            (life.complete_at, life.checked) = (None, false);
            if life.stage == Stage::Running {
                life.stage = Stage::Checking;
            }
        }
    }

    /// Why it stays no longer, if that is so.
    pub fn stay_over(&self, now: Time) -> Option<&'static str> {
        let (Some(since), Stay::Until { ratio, time }) = (self.life.complete_at, self.order.stay)
        else {
            return None;
        };
        if self.life.endless {
            return None;
        }
        if ratio.is_some_and(|ratio| self.has_sent(ratio)) {
            return Some("ratio");
        }
        let over = time.is_some_and(|time| now.since(since) >= time);
        over.then_some("seed-time")
    }

    /// Whether it has sent so many bytes for each of its content.
    pub fn has_sent(&self, ratio: f64) -> bool {
        let size = match &self.awake {
            Some(awake) if self.order.download => awake.pieces.wanted(),
            _ => self.order.size,
        };
        let uploaded = (self.order.earlier + self.totals()).up;
        uploaded as f64 >= ratio * size as f64
    }

    /// When the time to stay is over.
    pub fn stay_deadline(&self) -> Option<Time> {
        match (self.life.complete_at, self.order.stay) {
            (Some(since), Stay::Until { time, .. }) if !self.life.endless => {
                time.map(|time| since + time)
            }
            _ => None,
        }
    }

    /// Begins to leave, unless it is on the way out already: its connections end.
    pub fn begin_leaving(&mut self, then: Then, now: Time) -> bool {
        let until = now + limits::FAREWELL;
        match self.life.stage {
            Stage::Over => return false,
            // A torrent that is being paused may be ended, too, and one that ends removed.
            Stage::Leaving {
                until,
                then: before,
            } if before != then && !self.life.is_being_removed() => {
                self.life.stage = Stage::Leaving { until, then };
                return true;
            }
            Stage::Leaving { .. } => return false,
            _ => self.life.stage = Stage::Leaving { until, then },
        }
        true
    }

    /// Saves what is known and tells trackers, once its peers are gone. `was_running`: it was in
    /// its swarm.
    pub fn leave(&mut self, was_running: bool, lent: &mut Lent<'_>, now: Time) {
        let changed = self.resume_state.is_worth_closing(self.totals());
        if was_running && changed {
            self.save(true, lent.effects, now);
        }
        self.trackers.stop(lent.shared, now);
        self.report_progress(lent.effects, now);
    }

    /// Whether it has left its swarm, or is about to.
    fn is_away(&self) -> bool {
        matches!(
            self.life.stage,
            Stage::Leaving { .. } | Stage::Paused | Stage::Over
        )
    }

    /// Goes on leaving: saves what was still being written when it was stopped, and is over once
    /// trackers know.
    pub fn update_leaving(&mut self, effects: &mut Effects, now: Time) {
        if self.resume_state.is_outdated() && self.is_away() {
            self.save(true, effects, now);
        }
        if let Stage::Leaving { until, then } = self.life.stage {
            if now >= until || self.trackers.is_idle() {
                let torrent = self.key;
                self.life.stage = match then {
                    Then::Pause => Stage::Paused,
                    Then::Reopen { paused } => Stage::Reopening { paused },
                    Then::End | Then::Remove { .. } => Stage::Over,
                };
                match then {
                    Then::Remove { data } => effects.push_back(Effect::Close { torrent, data }),
                    Then::Reopen { .. } => effects.push_back(Effect::Reopen { torrent }),
                    Then::End | Then::Pause => {}
                }
            }
        }
    }

    /// Goes on after a pause: true, and it may join the swarm if the check is over.
    pub fn resume(&mut self, now: Time) -> bool {
        if !matches!(
            self.life.stage,
            Stage::Paused
                | Stage::Leaving {
                    then: Then::Pause,
                    ..
                }
        ) {
            return false;
        }
        // The ratio or time that ended it before would end it again at once.
        self.life.endless |= self.life.reached;
        self.life.stage = if self.order.is_undescribed() {
            Stage::Metadata
        } else if self.life.checked {
            Stage::Running
        } else {
            Stage::Checking
        };
        if let Some(awake) = &mut self.awake {
            awake.search.restart(now);
        }
        true
    }
}
