//! The search for peers: what trackers are told and asked for, and what the user hears of a search
//! that finds nobody.

use std::net::SocketAddr;

use super::effect::{Effect, Report};
use super::session::Session;
use super::stage::Stage;
use crate::base::limits;
use crate::base::time::{Duration, Now, sooner};
use crate::peer::fault::Fault;
use crate::torrent::candidates::Source;
use crate::tracker::{Need, Response};

impl Session {
    pub(super) fn mind_trackers(&mut self, now: Now) {
        self.tell_totals();
        if self.trackers.next_deadline().is_some_and(|at| at <= now) {
            self.trackers.handle_timeout(now);
        }
        // What they answered comes first: whether peers are known follows from it.
        self.hear_trackers(now);
        let next = self.torrent.candidates.next_deadline();
        let nobody = next.is_none_or(|at| at > now + limits::REDIAL);
        let wanting = self.is_running() && self.is_downloading();
        if wanting && nobody && self.dials.may_dial() {
            self.trackers.want_peers(now);
        }
        let need = match self.census.open {
            0 if wanting && !self.is_trying(now) => Need::Peers,
            0 => Need::Answer,
            _ => Need::Nothing,
        };
        self.trackers.set_need(need, now);
        self.hear_trackers(now);
    }

    fn hear_trackers(&mut self, now: Now) {
        while let Some(response) = self.trackers.next_response() {
            self.heard_tracker(response, now);
        }
        while let Some(action) = self.trackers.next_action() {
            self.effects.push_back(Effect::Tracker(action));
        }
    }

    pub(super) fn tell_totals(&mut self) {
        let totals = self.totals();
        let left = self.config.size - self.torrent.pieces.held_bytes();
        self.trackers.set_totals(totals.up, totals.down, left);
    }

    fn heard_tracker(&mut self, response: Response, now: Now) {
        let Response {
            url,
            outcome,
            warning,
            remark,
            ..
        } = response;
        if let Some(message) = warning {
            let url = url.clone();
            self.report(Report::TrackerWarning { url, message });
        }
        if let (Ok(addrs), Stage::Running) = (&outcome, &self.stage) {
            self.add_peers(addrs, Source::Tracker, now);
        }
        let outcome = outcome.map(|addrs| addrs.len());
        self.search.on_tracker(&url, outcome.clone());
        self.report(Report::Tracker {
            url,
            outcome,
            remark,
        });
    }

    /// Whether something is still to be downloaded.
    pub(super) fn is_downloading(&self) -> bool {
        self.config.download && self.complete_at.is_none()
    }

    /// Whether a peer is being tried, or is to be dialed now.
    fn is_trying(&self, now: Now) -> bool {
        let next = self.torrent.candidates.next_deadline();
        !self.slots.is_empty() || next.is_some_and(|at| at <= now)
    }

    /// Whether neither peers nor trackers are being tried, so that no news of a search can come.
    fn is_search_idle(&self) -> bool {
        self.slots.is_empty() && self.trackers.is_idle()
    }

    /// A user whose download finds nobody is told why, and need not wait for ever.
    pub(super) fn mind_search(&mut self, now: Now) {
        let downloading = self.is_downloading();
        self.search
            .set_alone(downloading && self.census.open == 0, now);
        let (idle, dialing) = (self.is_search_idle(), self.slots.len());
        if let Some(why) = self.search.tell(idle, dialing, now) {
            self.report(Report::Alone(why));
        }
        let totals = self.totals();
        let moved = if self.config.download {
            totals.down
        } else {
            totals.up
        };
        let since = self.search.on_moved(moved, now);
        let Some(patience) = self.search_patience() else {
            return;
        };
        if now.since(since) >= patience {
            let why = match (self.config.download, self.census.open) {
                (false, _) => String::from("nobody asked for anything"),
                (true, 0) => self.search.words(dialing),
                (true, peers) => format!("{peers} peers are connected and send nothing"),
            };
            let (name, waited) = (&self.config.name, words_of(patience));
            self.fail(
                format!("{name}: no progress for {waited} (--timeout): {why}"),
                now,
            );
        }
    }

    /// How long there may be no progress; `None`: there need not be any.
    fn search_patience(&self) -> Option<Duration> {
        let over = self.config.download && self.complete_at.is_some();
        self.config.timeout.filter(|_| !over)
    }

    pub(super) fn search_deadline(&self) -> Option<Now> {
        let patience = self.search_patience();
        let end = patience.map(|patience| self.search.patient_until(patience));
        sooner(end, self.search.tell_at(self.is_search_idle()))
    }

    /// A peer that was dialed did not greet us. The user hears of those that he named.
    pub(super) fn tell_failed_dial(&mut self, addr: SocketAddr, fault: &Fault) {
        if matches!(fault, Fault::Stopping | Fault::Replaced | Fault::Duplicate) {
            return;
        }
        let why = match fault {
            Fault::Closed => String::from(
                "it hangs up: perhaps it does not share this torrent, or takes encrypted \
                 connections only",
            ),
            fault => fault.to_string(),
        };
        self.search.on_failed(&why);
        if self.search.is_named(addr) {
            self.warn(format!("peer {addr}: {why}"));
        }
    }
}

/// A span for people: minutes if they are whole ones, otherwise seconds.
fn words_of(span: Duration) -> String {
    let seconds = span.as_secs_f64();
    if seconds % 60.0 == 0.0 {
        format!("{} min", seconds / 60.0)
    } else {
        format!("{seconds} s")
    }
}
