//! The trackers of one torrent as one machine. Announcing goes in rounds (BEP 12, `round`): the
//! trackers are asked in the order of their tiers until one answers; its interval says when the
//! next round begins. Every tracker that knows us is told when the download is complete, and on the
//! way out. A scrape asks all trackers.

use super::action::{Action, Input, Outbox, Response};
use super::round::{Need, Round};
use super::shared::Shared;
use super::site::Permit;
use super::standing::{Context, Families, Identity, Stage, Standing};
use super::tiers::{self, usable};
use super::tracker::Tracker;
use crate::base::{InfoHash, Rng, Time, TorrentKey, limits, plain, sooner};

/// The machine. Commands are [`Trackers::start`], [`Trackers::set_need`], [`Trackers::want_peers`],
/// [`Trackers::completed`] and [`Trackers::stop`]; what happens outside goes to
/// [`Trackers::handle`]. After each, [`Shared::next_admitted`], [`Trackers::next_action`] and
/// [`Trackers::next_response`] are to be called until there is none.
#[derive(Debug)]
pub struct Trackers {
    pub(super) us: Standing,
    pub(super) trackers: Vec<Tracker>,
    /// The last round of announces.
    pub(super) round: Round,
    pub(super) need: Need,
    /// More peers would be welcome before the next round is due.
    pub(super) wanting: bool,
    /// When the next round is due.
    pub(super) due: Option<Time>,
    /// It is due, and begins when fewer of the process's torrents ask the same tracker.
    pub(super) waits: bool,
    /// Our permit to ask it, or the tracker that the round goes on to: until the round is over, or
    /// that tracker is silent and there are others to go on to.
    pub(super) permit: Option<Permit>,
    /// Nothing was left to download when we started.
    began_complete: bool,
    /// When the first of the questions under way is to be seen to.
    patience: Option<Time>,
    rng: Rng,
    pub(super) out: Outbox,
}

impl Trackers {
    /// A machine that announces the torrent of this key, once it is started. URLs that cannot be
    /// used are reported at once and left out; repeated URLs are left out silently.
    pub fn new(
        key: TorrentKey,
        tiers: &[Vec<String>],
        identity: Identity,
        families: Families,
        shared: &mut Shared,
        mut rng: Rng,
    ) -> Trackers {
        let mut out = Outbox::new(key);
        let (mut trackers, tiers) = usable(tiers, &[], families, (&mut shared.sites, &mut out));
        tiers::append(&mut trackers, tiers, &mut rng);
        Trackers {
            us: Standing::new(identity),
            trackers,
            round: Round::default(),
            need: Need::Nothing,
            wanting: false,
            due: None,
            waits: false,
            permit: None,
            began_complete: false,
            patience: None,
            rng,
            out,
        }
    }

    /// Adds trackers behind those that there are, as many as a torrent may have; they are asked
    /// soon. Returns how many were not there.
    pub fn add(
        &mut self,
        tiers: &[Vec<String>],
        families: Families,
        shared: &mut Shared,
        now: Time,
    ) -> usize {
        let before = self.trackers.len();
        let lent = (&mut shared.sites, &mut self.out);
        let (mut fresh, tiers) = usable(tiers, &self.trackers, families, lent);
        self.trackers.append(&mut fresh);
        tiers::append(&mut self.trackers, tiers, &mut self.rng);
        let all = self.trackers.len();
        if self.us.stage == Stage::Announcing && all > before {
            // A round that waits to begin asks them all.
            if !self.waits {
                self.round.add(before..all, now);
            }
            self.settle(shared, now);
        }
        all - before
    }

    /// A machine that asks each tracker once how the swarm of a torrent is, beginning at once, and
    /// takes no part in it. It is done when it is idle. `allow_local`: see
    /// [`Trackers::allow_local`].
    pub fn scraper(
        tiers: &[Vec<String>],
        info_hash: InfoHash,
        families: Families,
        allow_local: bool,
        shared: &mut Shared,
        now: Time,
        rng: Rng,
    ) -> Trackers {
        let nameless = Identity::nameless(info_hash);
        let mut trackers = Trackers::new(0, tiers, nameless, families, shared, rng);
        trackers.us.allow_local = allow_local;
        trackers.ask_all(Stage::Scraping, shared, now);
        trackers
    }

    /// Asks each tracker once for peers, as one that has nothing yet: it is done when it is idle,
    /// and [`Trackers::stop`] takes it back.
    pub fn ask_once(&mut self, shared: &mut Shared, now: Time) {
        self.ask_all(Stage::Asking, shared, now);
    }

    fn ask_all(&mut self, stage: Stage, shared: &mut Shared, now: Time) {
        self.us.stage = stage;
        self.trackers.iter_mut().for_each(|it| it.queued = true);
        self.settle(shared, now);
    }

    /// Whether trackers at local addresses are asked whatever their path, and redirects to them
    /// followed: the user wants it so.
    pub fn allow_local(&mut self, allow: bool) {
        self.us.allow_local = allow;
    }

    /// Bytes of content sent and received since the start, and bytes still to come.
    pub fn set_totals(&mut self, uploaded: u64, downloaded: u64, left: u64) {
        (self.us.uploaded, self.us.downloaded, self.us.left) = (uploaded, downloaded, left);
    }

    /// Begins to announce.
    pub fn start(&mut self, shared: &mut Shared, now: Time) {
        if self.us.stage == Stage::Waiting {
            self.us.stage = Stage::Announcing;
            self.began_complete = self.us.left == 0;
            self.due = Some(now);
            self.begin_if_due(shared, now);
        }
    }

    /// The download is complete. All trackers that know us are told so. Nothing is said if there
    /// was nothing to download at the start (BEP 3).
    pub fn completed(&mut self, shared: &mut Shared, now: Time) {
        if self.us.stage != Stage::Announcing || self.began_complete || self.us.completed {
            return;
        }
        self.us.completed = true;
        self.settle(shared, now);
    }

    /// More peers are wanted: the next round begins as soon as the tracker in use allows.
    pub fn want_peers(&mut self, shared: &mut Shared, now: Time) {
        if self.us.stage == Stage::Announcing && !self.wanting {
            self.wanting = true;
            // What is due stays so while it waits.
            if !self.waits {
                self.due = self.next_round();
            }
        }
        self.begin_if_due(shared, now);
    }

    /// What is wanted of trackers from now on.
    pub fn set_need(&mut self, need: Need, shared: &mut Shared, now: Time) {
        if self.need == need {
            return;
        }
        self.need = need;
        if self.us.stage == Stage::Announcing {
            self.settle(shared, now);
            self.begin_if_due(shared, now);
        }
    }

    /// Tells every tracker that knows us that we leave, within [`limits::FAREWELL`]; nothing else
    /// is said afterwards.
    pub fn stop(&mut self, shared: &mut Shared, now: Time) {
        if self.us.is_leaving() {
            return;
        }
        let until = now + limits::FAREWELL;
        self.us.stage = Stage::Leaving { until };
        self.round = Round::default();
        let (trackers, mut context) = self.context(shared, now);
        trackers
            .iter_mut()
            .for_each(|tracker| tracker.leave(until, &mut context));
        for tracker in &mut self.trackers {
            tracker.queued = tracker.has_last_words(&self.us);
        }
        self.settle(shared, now);
    }

    /// Announces anew after [`Trackers::stop`].
    pub fn restart(&mut self, shared: &mut Shared, now: Time) {
        if self.us.is_leaving() {
            let (trackers, mut context) = self.context(shared, now);
            for tracker in trackers {
                tracker.restart(&mut context);
                tracker.queued = false;
            }
            (self.us.stage, self.us.completed) = (Stage::Waiting, false);
            self.need = Need::Nothing;
            self.start(shared, now);
        }
    }

    /// Handles what happened outside, or the admission of a question. False: it does not concern
    /// any of these trackers.
    pub fn handle(&mut self, input: Input<'_>, shared: &mut Shared, now: Time) -> bool {
        if let Input::MayAsk { .. } = input {
            if self.waits {
                self.begin_round(shared, now);
            }
            return true;
        }
        if let Input::Undeliverable { .. } = input {
            self.tell(shared, now, |tracker, context| {
                tracker.handle(input, context);
            });
            return true;
        }
        let input = match input {
            // A socket for both families shows IPv4 addresses inside IPv6 ones.
            Input::Datagram { from, bytes } => Input::Datagram {
                from: plain(from),
                bytes,
            },
            other => other,
        };
        let (trackers, mut context) = self.context(shared, now);
        let handle = |tracker: &mut Tracker| tracker.handle(input, &mut context);
        let taken = trackers.iter_mut().any(handle);
        if taken {
            self.settle(shared, now);
        }
        taken
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, shared: &mut Shared, now: Time) {
        if self.patience.is_some_and(|until| until <= now) {
            self.tell(shared, now, Tracker::handle_timeout);
        }
        if self.yielding().is_some_and(|at| at <= now) {
            self.permit = None;
        }
        if self.widening().is_some_and(|at| at <= now) {
            self.settle(shared, now);
        }
        self.begin_if_due(shared, now);
    }

    /// When [`Trackers::handle_timeout`] is due; `None`: not before something else happens.
    pub fn next_deadline(&self) -> Option<Time> {
        let round = self.due.filter(|_| !self.waits);
        let round = sooner(sooner(round, self.patience), self.widening());
        sooner(round, self.yielding())
    }

    /// When to give our permit up, as the tracker is silent and there are others to go on to.
    fn yielding(&self) -> Option<Time> {
        self.permit.as_ref().and_then(|_| self.round.hurry())
    }

    /// When to ask more trackers in this round; never while the maximum is asked already.
    fn widening(&self) -> Option<Time> {
        let at = self.round.next_deadline(self.need)?;
        (self.busy() < limits::TRACKERS_AT_ONCE).then_some(at)
    }

    /// How many trackers are being asked.
    fn busy(&self) -> usize {
        self.trackers.iter().filter(|it| it.is_busy()).count()
    }

    /// Whether there is no tracker to ask.
    pub fn is_empty(&self) -> bool {
        self.trackers.is_empty()
    }

    /// Whether nothing is under way: no tracker is being asked, and no action or response waits to
    /// be taken. So it is while a round that is due waits until fewer torrents ask.
    pub fn is_idle(&self) -> bool {
        let is_busy = |tracker: &Tracker| tracker.queued || tracker.is_busy();
        self.out.is_empty() && !self.trackers.iter().any(is_busy)
    }

    /// What the outside must do next.
    pub fn next_action(&mut self) -> Option<Action> {
        self.out.pop()
    }

    /// How the next tracker answered, or failed.
    pub fn next_response(&mut self) -> Option<Response> {
        self.out.pop_response()
    }

    /// Tells all trackers.
    fn tell(
        &mut self,
        shared: &mut Shared,
        now: Time,
        mut input: impl FnMut(&mut Tracker, &mut Context<'_>),
    ) {
        let (trackers, mut context) = self.context(shared, now);
        trackers
            .iter_mut()
            .for_each(|tracker| input(tracker, &mut context));
        self.settle(shared, now);
    }

    fn context<'a>(
        &'a mut self,
        shared: &'a mut Shared,
        now: Time,
    ) -> (&'a mut [Tracker], Context<'a>) {
        let context = Context {
            now,
            us: &self.us,
            rng: &mut self.rng,
            shared,
            out: &mut self.out,
        };
        (&mut self.trackers, context)
    }

    /// Acts on what trackers answered, asks the next ones, and finds out when there is more to do.
    pub(super) fn settle(&mut self, shared: &mut Shared, now: Time) {
        if self.us.stage == Stage::Announcing {
            self.announce(shared, now);
            // What is due stays so while it waits.
            if !self.waits {
                self.due = self.next_round();
            }
        } else {
            self.ask_queued(shared, now);
            (self.due, self.waits) = (None, false);
        }
        if self.round.is_over() || self.round.is_widened() {
            self.permit = None;
        }
        let deadlines = self.trackers.iter().map(Tracker::next_deadline);
        self.patience = deadlines.fold(None, sooner);
    }

    /// Asks all in the queue, up to the maximum at a time.
    fn ask_queued(&mut self, shared: &mut Shared, now: Time) {
        while self.busy() < limits::TRACKERS_AT_ONCE {
            let Some(next) = self.trackers.iter().position(|it| it.queued) else {
                return;
            };
            self.trackers[next].queued = false;
            self.ask(next, shared, now);
        }
    }

    /// Goes on with the round, and tells the trackers that know us what they have not been told.
    fn announce(&mut self, shared: &mut Shared, now: Time) {
        loop {
            (0..self.trackers.len()).for_each(|number| self.hear(number));
            if self.busy() >= limits::TRACKERS_AT_ONCE {
                return;
            }
            let owed = |tracker: &Tracker| !tracker.is_busy() && tracker.owes(&self.us);
            if let Some(number) = self.trackers.iter().position(owed) {
                self.round.leave_out(number);
                self.ask(number, shared, now);
            } else if let Some(number) = self.round.next(self.need, now) {
                if self.permit.is_some() {
                    self.permit = shared.sites.take_permit(self.trackers[number].site());
                }
                self.ask(number, shared, now);
            } else {
                return;
            }
        }
    }

    /// What a tracker has answered, or that it has not, counts for the round.
    fn hear(&mut self, number: usize) {
        if let Some(named) = self.trackers[number].take_heard() {
            // A tracker that named peers gets our announces from now on: later peers will ask it,
            // too.
            let kept = |other: usize| self.trackers[other].is_useful();
            if self.round.on_answer(number, named, self.need, kept) {
                tiers::promote(&mut self.trackers, number);
            }
            if named && self.need == Need::Peers {
                // Whether they are of any use is seen when they were dialed.
                self.need = Need::Answer;
            }
        }
        if self.trackers[number].take_end() {
            self.round.on_end(number);
        }
    }

    fn ask(&mut self, number: usize, shared: &mut Shared, now: Time) {
        let (trackers, mut context) = self.context(shared, now);
        trackers[number].ask(&mut context);
    }
}
