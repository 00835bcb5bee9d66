//! What a running torrent decides about its swarm: which peers are choked, what they are told, what
//! trackers are asked, and what the user hears of a search that finds no peer.

use std::net::SocketAddr;

use super::bans::Bans;
use super::choking::Terms;
use super::effect::{Effect, Effects, Report};
use super::exchange;
use super::lent::Lent;
use super::order::Us;
use super::search::{Dials, Explanation};
use super::slot::{Member, Slot};
use super::source::{Namer, Source};
use super::torrent::Torrent;
use super::web_seeds::WebSeeds;
use crate::base::BLOCK;
use crate::base::{Duration, PeerKey, Time, limits, sooner};
use crate::mse::{Encryption, Form, Shield};
use crate::peer::{EndReason, Greeting};
use crate::tracker::{Need, Response};
use crate::wire::PeerExchange;

impl Torrent {
    /// Chokes and unchokes peers, if it is time.
    pub fn update_chokes(&mut self, terms: Terms<'_>, lent: &mut Lent<'_>, now: Time) {
        let slots = (&*lent.slots, &self.connections);
        let Some(awake) = &mut self.awake else {
            return;
        };
        for (key, choking) in awake.choking.decide(self.census, slots, terms, now) {
            let member = lent.get(self.key, key);
            let choker = &mut self.awake_mut().choking;
            if member.is_some_and(|member| choker.set(member, choking, now)) {
                self.enlist(key, lent);
            }
        }
    }

    /// Something has happened that may leave an upload slot empty.
    pub fn set_choking_due(&mut self) {
        if let Some(awake) = &mut self.awake {
            awake.choking.set_due();
        }
    }

    /// Tells peers of the pieces they have not been told of, if it is time. Whether we are still
    /// interested in each peer is updated at the same time.
    pub fn tell_pieces(&mut self, lent: &mut Lent<'_>, now: Time) {
        let Some(awake) = &mut self.awake else {
            return;
        };
        let complete = awake.pieces.is_complete();
        let due = awake.haves.take_due(self.census.open, complete, now);
        if due.is_empty() {
            return;
        }
        let keys: Vec<usize> = self.connections.iter().copied().collect();
        for key in keys {
            let member = lent.get(self.key, key);
            let Some(member) = member.filter(|member| member.peer.is_open()) else {
                continue;
            };
            let mut theirs = 0;
            for &piece in &due {
                theirs += u32::from(member.peer.holdings().has(piece));
                member.peer.have(piece);
            }
            let said = !member.peer.declared_whole();
            member.useful -= theirs;
            if said || member.useful == 0 {
                self.enlist(key, lent);
            }
        }
    }

    /// Tells peers of each other (BEP 11), if it is time.
    pub fn tell_peers(&mut self, lent: &mut Lent<'_>, now: Time) {
        let awake = self.awake.as_mut();
        let messages = awake.map(|it| it.exchange.plan(lent.slots, &self.connections, now));
        for (key, message) in messages.into_iter().flatten() {
            if let Some(member) = lent.get(self.key, key) {
                member.peer.say_exchange(&message);
            }
            self.enlist(key, lent);
        }
    }

    /// A peer has told us of others. We listen on this port.
    pub fn add_exchanged(
        &mut self,
        message: PeerExchange,
        (key, sender, port): (PeerKey, &Member, u16),
        bans: &Bans,
        now: Time,
    ) {
        let complete = self.life.complete_at.is_some();
        let by = Namer::at(Source::Exchange, sender.peer.addr());
        for (addr, flags) in exchange::worth_dialing(message, (sender, port), complete) {
            if !bans.bars(addr, by.source) {
                self.candidates.add(addr, by, now);
                self.candidates.mark(addr, flags);
                self.candidates.introduce(addr, key);
            }
        }
    }

    /// Begins a connection to the address that is due next. One that may be anybody's is not waited
    /// for as long as others while further addresses are due.
    pub fn dial(&mut self, us: &Us, now: Time) -> Option<Slot> {
        let addr = self.candidates.next(now)?;
        let others = self.candidates.peek(now).is_some();
        let patience = if others && self.candidates.is_doubtful(addr) {
            limits::CONNECT_TIME_DOUBTFUL
        } else {
            limits::CONNECT_TIME
        };
        Some(self.dial_at(addr, patience, us, now))
    }

    /// Begins a connection to this address, which counts as busy already.
    pub fn dial_at(&mut self, addr: SocketAddr, patience: Duration, us: &Us, now: Time) -> Slot {
        let mut greeting = Greeting::dial_for(patience, &self.order.local(us), addr, now);
        let (form, other) = self.candidates.form(addr, us.encryption);
        if other {
            greeting.expect_within(limits::FORM_TIME);
        }
        let mut slot = Slot::new(greeting, Some(self.key));
        if let Form::Encrypted(offer) = form {
            slot.shield = Some(Box::new(Shield::dial(self.order.info_hash, offer)));
        }
        slot
    }

    /// Hears what trackers answered, and asks them. `may_dial`: more connections may be made.
    pub fn update_trackers(&mut self, may_dial: bool, lent: &mut Lent<'_>, now: Time) {
        self.update_totals();
        if self.trackers.next_deadline().is_some_and(|at| at <= now) {
            self.trackers.handle_timeout(lent.shared, now);
        }
        // What they answered comes first: whether peers are known follows from it.
        self.hear_trackers(lent, now);
        let next = self.candidates.next_deadline();
        let none_due = next.is_none_or(|at| at > now + limits::REDIAL);
        let wanting = self.life.is_among_peers() && self.is_downloading();
        if wanting && none_due && may_dial {
            self.trackers.want_peers(lent.shared, now);
        }
        let need = match self.census.open {
            0 if wanting && !self.is_trying(now) => Need::Peers,
            0 => Need::Answer,
            _ => Need::Nothing,
        };
        self.trackers.set_need(need, lent.shared, now);
        self.hear_trackers(lent, now);
    }

    /// Tells trackers how much was received and sent, and how much is left.
    pub fn update_totals(&mut self) {
        let totals = self.totals();
        let left = if self.order.is_undescribed() {
            // As libtorrent does: a tracker names no seeds to a client that has nothing left.
            u64::from(BLOCK)
        } else {
            self.left()
        };
        self.trackers.set_totals(totals.up, totals.down, left);
    }

    /// Passes on what trackers answered, and what they are to be asked.
    pub fn hear_trackers(&mut self, lent: &mut Lent<'_>, now: Time) {
        while let Some(response) = self.trackers.next_response() {
            self.on_response(response, lent, now);
        }
        while let Some(action) = self.trackers.next_action() {
            let torrent = self.key;
            lent.effects.push_back(Effect::Tracker { torrent, action });
        }
    }

    fn on_response(&mut self, response: Response, lent: &mut Lent<'_>, now: Time) {
        let Response {
            url,
            outcome,
            warning,
            remark,
            ..
        } = response;
        if let Some(message) = warning {
            let url = url.clone();
            self.report(Report::TrackerWarning { url, message }, lent.effects);
        }
        if let (Ok(addrs), true) = (&outcome, self.life.is_among_peers()) {
            self.add_peers(addrs, Namer::tracker(&url), lent.bans, now);
        }
        let outcome = outcome.map(|addrs| addrs.len());
        if let Some(awake) = &mut self.awake {
            awake.search.on_tracker(&url, outcome.clone());
        }
        let report = Report::Tracker {
            url,
            outcome,
            remark,
        };
        self.report(report, lent.effects);
    }

    /// Whether a peer is being tried, or is to be dialed now.
    fn is_trying(&self, now: Time) -> bool {
        let next = self.candidates.next_deadline();
        !self.connections.is_empty() || next.is_some_and(|at| at <= now)
    }

    fn dials(&self) -> Dials {
        Dials {
            under_way: self.connections.len(),
            waiting: self.candidates.waiting(),
        }
    }

    /// Whether neither peers nor trackers are being tried, so the search cannot change by itself.
    fn is_search_idle(&self) -> bool {
        self.connections.is_empty() && self.trackers.is_idle()
    }

    /// Tells the user why a download finds no peer, if it is time.
    ///
    /// # Errors
    /// There was no progress for longer than its user wants to wait, and why.
    pub fn update_search(&mut self, effects: &mut Effects, now: Time) -> Result<(), String> {
        let alone = self.is_downloading() && self.has_nobody();
        let (idle, dials) = (self.is_search_idle(), self.dials());
        let totals = self.totals();
        let Some(awake) = &mut self.awake else {
            return Ok(());
        };
        awake.search.set_alone(alone, now);
        let reached = awake.fetch.as_ref().map(|fetch| fetch.reached());
        let reached = reached.filter(|_| self.census.open > 0 && self.life.is_among_peers());
        let search = &mut awake.search;
        search.set_fetched(reached.map(|reached| reached.blocks.0), now);
        let told = search.tells(idle, now).then(|| match reached {
            Some(reached) => Explanation::fetch_words(reached, self.census.open),
            None => search.words(dials),
        });
        let moved = if self.order.download {
            totals.down
        } else {
            totals.up
        };
        let since = awake.search.on_moved(moved, now);
        if let Some(why) = told {
            self.report(Report::Alone(why), effects);
        }
        let over = |patience: &Duration| now.since(since) >= *patience;
        let Some(patience) = self.search_patience().filter(over) else {
            return Ok(());
        };
        let why = match (self.order.download, self.census.open) {
            (false, _) => String::from("no peer asked for anything"),
            (true, 0) => self.awake().search.words(dials),
            (true, peers) if reached.is_some() => {
                Explanation::fetch_words(reached.unwrap_or_default(), peers)
            }
            (true, peers) => format!("{peers} peers are connected and send nothing"),
        };
        let (name, waited) = (&self.order.name, words_of(patience));
        Err(format!(
            "{name}: no progress for {waited} (--timeout): {why}"
        ))
    }

    /// Finds out whether it has got nothing for long though it downloads.
    pub fn update_stall(&mut self, now: Time) {
        let down = self.totals().down;
        let wants = self.life.is_among_peers() && self.is_downloading();
        let awake = self.awake.as_mut().filter(|_| wants);
        let since = awake.map(|awake| awake.search.on_moved(down, now));
        self.life.stalled = since.is_some_and(|since| now.since(since) >= limits::STALLED);
    }

    /// When that may change though nothing happens.
    fn stall_deadline(&self) -> Option<Time> {
        let wants = self.life.is_among_peers() && self.is_downloading();
        let awake = self.awake.as_ref();
        let awake = awake.filter(|_| wants && !self.life.stalled)?;
        Some(awake.search.patient_until(limits::STALLED))
    }

    /// Why it has no peer, if it is a download without one.
    pub fn why_alone(&self) -> Option<String> {
        let alone = self.is_downloading() && self.life.is_among_peers() && self.has_nobody();
        let awake = self.awake.as_ref().filter(|_| alone)?;
        Some(awake.search.why(self.dials()))
    }

    /// Its web seeds, while it is awake.
    pub fn web(&self) -> Option<&WebSeeds> {
        self.awake.as_ref()?.web.as_deref()
    }

    /// The same, to change them.
    pub fn web_mut(&mut self) -> Option<&mut WebSeeds> {
        self.awake.as_mut()?.web.as_deref_mut()
    }

    /// Whether web seeds may be of use to it now.
    pub fn wants_web_seeds(&self) -> bool {
        let wants = self.is_running() && self.is_downloading();
        wants
            && self
                .awake
                .as_ref()
                .is_some_and(|it| !it.pieces.is_complete())
    }

    /// When something is to be done for its web seeds.
    pub fn web_deadline(&self) -> Option<Time> {
        self.web()
            .filter(|_| self.wants_web_seeds())?
            .next_deadline()
    }

    /// Whether neither a peer nor a web seed is connected.
    fn has_nobody(&self) -> bool {
        self.census.open == 0 && self.web().is_none_or(|web| web.connections.is_empty())
    }

    /// How long there may be no progress; `None`: there need not be any.
    fn search_patience(&self) -> Option<Duration> {
        let over = self.order.download && self.life.complete_at.is_some();
        self.order.timeout.filter(|_| !over)
    }

    /// When [`Torrent::update_search`] or [`Torrent::tell_peers`] has something to do.
    pub fn swarm_deadline(&self) -> Option<Time> {
        let awake = self.awake.as_ref()?;
        let (search, patience) = (&awake.search, self.search_patience());
        let end = patience.map(|patience| search.patient_until(patience));
        let told = sooner(end, search.tell_at(self.is_search_idle()));
        let stalls = self.stall_deadline();
        sooner(sooner(told, stalls), awake.exchange.deadline())
    }

    /// A peer that was dialed did not complete its handshake. The user hears of peers named with
    /// `--peer`.
    pub fn on_failed_dial(
        &mut self,
        (addr, reason, setting): (SocketAddr, &EndReason, Encryption),
        bans: &mut Bans,
        effects: &mut Effects,
    ) {
        if matches!(
            reason,
            EndReason::Stopping
                | EndReason::Replaced
                | EndReason::Duplicate
                | EndReason::OtherForm(_)
                | EndReason::OtherKeys
                | EndReason::OtherWay(_)
        ) {
            return;
        }
        let is_own = *reason == EndReason::Ourselves;
        if is_own {
            bans.add_own(addr);
        }
        let why = match reason {
            EndReason::Closed => {
                let more = match setting {
                    Encryption::Off => ", or takes encrypted connections only",
                    Encryption::Allow | Encryption::Prefer => "",
                    Encryption::Handshake | Encryption::Require => ", or takes no encryption",
                };
                format!("it hangs up: perhaps it does not share this torrent{more}")
            }
            reason => reason.to_string(),
        };
        let Some(awake) = &mut self.awake else {
            return;
        };
        // That is no peer which fails.
        if !is_own {
            awake.search.on_failed(&why);
        }
        if awake.search.is_named(addr) {
            self.report(Report::Warning(format!("peer {addr}: {why}")), effects);
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
