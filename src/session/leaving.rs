//! From the check of what is on disk to the way out: the stages of a session.

use super::config::Stay;
use super::effect::{Effect, Report};
use super::session::Session;
use super::stage::Stage;
use crate::base::bits::Bits;
use crate::base::limits;
use crate::base::time::Now;
use crate::peer::fault::Fault;

impl Session {
    /// Ends the session: peers are left, trackers told, state saved. `reason` is for the user.
    pub fn stop(&mut self, reason: &str, now: Now) {
        if matches!(self.stage, Stage::Leaving { .. } | Stage::Over) {
            return;
        }
        let was_running = self.is_running();
        self.stage = Stage::Leaving {
            until: now + limits::FAREWELL,
        };
        let keys: Vec<usize> = self.slots.iter().map(|(key, _)| key).collect();
        for key in keys {
            self.hang_up(key, Fault::Stopping, now);
        }
        let changed = self.record.is_worth_closing(self.totals());
        if was_running && changed {
            self.save(true, now);
        }
        self.trackers.stop(now);
        self.report_progress(now);
        self.report_callers(true, now);
        self.report(Report::Stopped {
            reason: reason.to_string(),
        });
    }

    /// Something is wrong that cannot be got over: `why` is the line for the user.
    pub fn fail(&mut self, why: String, now: Now) {
        if self.failure.is_none() {
            self.report(Report::Error(why.clone()));
            self.failure = Some(why);
        }
        self.stop("error", now);
    }

    /// Why the session failed, if it did.
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// Whether all is done and said, so that the process may end.
    pub fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    pub(super) fn finish_check(&mut self, now: Now) {
        let busy = self
            .checking
            .as_ref()
            .is_some_and(|checking| checking.next_slice().is_some());
        if self.stage != Stage::Checking || busy {
            return;
        }
        let mut telling = self.config.trusted.clone();
        if let Some(checking) = self.checking.take() {
            self.torrent.pieces.restore(checking.valid());
            for piece in checking.telling().ones() {
                telling.set(piece);
            }
            self.record.set_outdated();
        }
        if let Some(why) = self.find_foreign(&telling) {
            self.record.set_current();
            return self.fail(why, now);
        }
        self.stage = Stage::Running;
        if self.config.download {
            self.effects.push_back(Effect::Begin);
        }
        self.search.restart(now);
        let pieces = &self.torrent.pieces;
        let missing = if self.config.download {
            pieces.wanted() - pieces.done()
        } else {
            self.config.size - pieces.held_bytes()
        };
        let (held, wanted) = (pieces.held(), &self.config.wanted);
        let (have, all) = if self.config.download {
            let wanted_held = held.ones().filter(|&piece| wanted.get(piece)).count();
            (wanted_held as u32, wanted.count())
        } else {
            (held.count(), self.config.geometry.pieces())
        };
        self.report(Report::Checked {
            have,
            pieces: all,
            missing,
        });
        self.report_progress(now);
        self.mind_completion(now);
        if self.is_running() {
            // Before the first write: what the resume data call clean is not hashed again after a
            // kill.
            if self.record.is_outdated() || self.complete_at.is_none() {
                self.save(self.complete_at.is_some(), now);
            }
            self.tell_totals();
            self.trackers.start(now);
        }
    }

    /// Why nothing may be written: a file that is there may be the user's own. `telling`: the
    /// pieces that prove a file to be this torrent's.
    fn find_foreign(&self, telling: &Bits) -> Option<String> {
        let geometry = self.config.geometry;
        let doubted = self.config.doubted.iter();
        let mut foreign = doubted.filter(|file| !file.is_proven(telling, geometry));
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

    /// Whether a download has become whole and has not said so yet: that is the moment to look at
    /// its files.
    pub fn is_whole(&self) -> bool {
        let download = self.config.download && self.is_running();
        download && self.complete_at.is_none() && self.torrent.pieces.is_complete()
    }

    /// Everything selected is there, perhaps: say so once, and go or stay.
    pub(super) fn mind_completion(&mut self, now: Now) {
        let whole = self.is_running() && self.torrent.pieces.is_complete();
        if self.complete_at.is_some() || !whole {
            return;
        }
        self.complete_at = Some(now);
        let totals = self.totals();
        if self.config.download {
            let seconds = now.since(self.started).as_secs_f64();
            self.report_progress(now);
            self.report(Report::Complete {
                seconds,
                downloaded: totals.down,
                uploaded: totals.up,
            });
        }
        self.tell_totals();
        if totals.down > 0 && self.torrent.pieces.held_bytes() == self.config.size {
            self.trackers.completed(now);
        }
        self.choke_due = true;
        if self.config.stay == Stay::No {
            self.stop("complete", now);
        } else if self.record.is_outdated() {
            self.save(true, now);
        }
    }

    pub(super) fn mind_stay(&mut self, now: Now) {
        let (Some(since), Stay::Until { ratio, time }) = (self.complete_at, self.config.stay)
        else {
            return;
        };
        if time.is_some_and(|time| now.since(since) >= time) {
            self.stop("seed-time", now);
            return;
        }
        let size = if self.config.download {
            self.torrent.pieces.wanted()
        } else {
            self.config.size
        };
        let uploaded = (self.config.earlier + self.totals()).up;
        if ratio.is_some_and(|ratio| uploaded as f64 >= ratio * size as f64) {
            self.stop("ratio", now);
        }
    }

    pub(super) fn mind_leaving(&mut self, now: Now) {
        // What was still being written when we stopped.
        if self.record.is_outdated() && matches!(self.stage, Stage::Leaving { .. } | Stage::Over) {
            self.save(true, now);
        }
        if let Stage::Leaving { until } = self.stage {
            if now >= until || self.trackers.is_idle() {
                self.stage = Stage::Over;
            }
        }
    }
}
