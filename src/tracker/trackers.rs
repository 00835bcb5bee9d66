//! The trackers of one torrent as one machine. Announcing goes in rounds (BEP 12): the trackers are asked in the order of their tiers,
//! one at a time, until one answers; its interval says when the next round begins. On the way out everybody who knows us is told at
//! once, and a scrape asks everybody.

use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};

use super::action::{Action, Counts, Id, Outbox};
use super::guard::Visits;
use super::standing::{Families, Identity, Locals, Stage, Standing, Turn};
use super::tiers::Tiers;
use super::tracker::Tracker;
use super::url::Url;
use crate::base::id::{InfoHash, PeerId};
use crate::base::limits;
use crate::base::rng::Rng;
use crate::base::time::{Now, sooner};

/// The machine. Commands are [`Trackers::start`], [`Trackers::completed`], [`Trackers::want_peers`] and [`Trackers::stop`]; what
/// happens outside goes to `handle_*`; after each, [`Trackers::next_action`] is to be called until there is none.
#[derive(Debug)]
pub struct Trackers {
    us: Standing,
    trackers: Vec<Tracker>,
    tiers: Tiers,
    /// Trackers that are to be asked as soon as others have been.
    queue: VecDeque<usize>,
    /// A round of announces is under way.
    in_round: bool,
    /// When the next round begins.
    due: Option<Now>,
    /// Who answered in the last round.
    current: Option<usize>,
    /// Nothing was left to download when we started.
    began_complete: bool,
    /// When the first of the questions under way is to be seen to.
    patience: Option<Now>,
    visits: Visits,
    rng: Rng,
    out: Outbox,
}

impl Trackers {
    /// A machine that announces, once it is started. URLs that cannot be used are reported at once and left out; so are those that
    /// come twice, without a word.
    pub fn new(
        tiers: &[Vec<String>],
        identity: Identity,
        families: Families,
        _now: Now,
        mut rng: Rng,
    ) -> Trackers {
        let mut out = Outbox::default();
        let (trackers, tiers) = usable(tiers, families, &mut out);
        let us = Standing {
            identity,
            stage: Stage::Waiting,
            uploaded: 0,
            downloaded: 0,
            left: 0,
            completed: false,
            locals: Locals::default(),
            allow_local: false,
        };
        Trackers {
            us,
            trackers,
            tiers: Tiers::new(tiers, &mut rng),
            queue: VecDeque::new(),
            in_round: false,
            due: None,
            current: None,
            began_complete: false,
            patience: None,
            visits: Visits::default(),
            rng,
            out,
        }
    }

    /// A machine that asks each tracker once how the swarm of a torrent is, beginning at once, and takes no part in it. It is done
    /// when it is idle. `allow_local`: see [`Trackers::allow_local`].
    pub fn scraper(
        tiers: &[Vec<String>],
        info_hash: InfoHash,
        families: Families,
        allow_local: bool,
        now: Now,
        rng: Rng,
    ) -> Trackers {
        // A scrape names the torrent only.
        let nobody = Identity {
            info_hash,
            peer_id: PeerId([0; 20]),
            key: 0,
            port: 0,
        };
        let mut trackers = Trackers::new(tiers, nobody, families, now, rng);
        trackers.us.stage = Stage::Scraping;
        trackers.us.allow_local = allow_local;
        trackers.queue = (0..trackers.trackers.len()).collect();
        trackers.settle(now);
        trackers
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
    pub fn start(&mut self, now: Now) {
        if self.us.stage == Stage::Waiting {
            self.us.stage = Stage::Announcing;
            self.began_complete = self.us.left == 0;
            self.begin_round(now);
        }
    }

    /// The download is complete. Whoever knows us is told so when asked next, the tracker in use now. Nothing is said if there was
    /// nothing to download at the start (BEP 3).
    pub fn completed(&mut self, now: Now) {
        if self.us.stage != Stage::Announcing || self.began_complete || self.us.completed {
            return;
        }
        self.us.completed = true;
        if !self.in_round {
            self.begin_round(now);
        }
    }

    /// More peers would be welcome: the next round begins as soon as the tracker in use allows.
    pub fn want_peers(&mut self, now: Now) {
        let Some(current) = self.current.and_then(|number| self.trackers.get(number)) else {
            return;
        };
        if self.us.stage == Stage::Announcing && !self.in_round {
            self.due = sooner(self.due, Some(current.schedule().early()));
            self.begin_if_due(now);
        }
    }

    /// Tells every tracker that knows us that we leave, within [`limits::FAREWELL`]; nothing else is said afterwards.
    pub fn stop(&mut self, now: Now) {
        if self.us.is_leaving() {
            return;
        }
        let until = now + limits::FAREWELL;
        self.us.stage = Stage::Leaving { until };
        self.in_round = false;
        self.due = None;
        for tracker in &mut self.trackers {
            tracker.leave(until, &mut self.out);
        }
        let known = |number: &usize| self.trackers[*number].has_last_words(&self.us);
        self.queue = (0..self.trackers.len()).filter(known).collect();
        self.settle(now);
    }

    /// A name was looked up.
    pub fn handle_resolved(&mut self, id: Id, found: Result<Vec<IpAddr>, String>, now: Now) {
        self.offer(now, |tracker, turn| {
            tracker.handle_resolved(id, &found, turn)
        });
    }

    /// A connection is up.
    pub fn handle_connected(&mut self, id: Id, now: Now) {
        self.offer(now, |tracker, turn| tracker.handle_connected(id, turn));
    }

    /// Bytes came over a connection. Those of a connection that was aborted are ignored.
    pub fn handle_bytes(&mut self, id: Id, bytes: &[u8], now: Now) {
        self.offer(now, |tracker, turn| tracker.handle_bytes(id, bytes, turn));
    }

    /// A connection could not be made or has ended: in order, or for this reason. It need not be aborted any more.
    pub fn handle_closed(&mut self, id: Id, how: Result<(), String>, now: Now) {
        self.offer(now, |tracker, turn| tracker.handle_closed(id, &how, turn));
    }

    /// A datagram came. False: it answers nothing that a tracker was asked.
    pub fn handle_datagram(&mut self, from: SocketAddr, bytes: &[u8], now: Now) -> bool {
        // A socket for both families shows IPv4 addresses inside IPv6 ones.
        let from = SocketAddr::new(from.ip().to_canonical(), from.port());
        self.offer(now, |tracker, turn| {
            tracker.handle_datagram(from, bytes, turn)
        })
    }

    /// A tracker is spoken to from this local address: a peer there, on our port, is ourselves.
    pub fn note_local(&mut self, ip: IpAddr) {
        self.us.locals.note(ip);
    }

    /// A datagram to this address can never get there, or nobody takes it there.
    pub fn handle_undeliverable(&mut self, to: SocketAddr, why: &str, now: Now) {
        self.tell(now, |tracker, turn| {
            tracker.handle_undeliverable(to, why, turn);
        });
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Now) {
        if self.patience.is_some_and(|until| until <= now) {
            self.tell(now, Tracker::handle_timeout);
        }
        self.begin_if_due(now);
    }

    /// When [`Trackers::handle_timeout`] is due; `None`: not before something else happens.
    pub fn next_deadline(&self) -> Option<Now> {
        sooner(self.due, self.patience)
    }

    /// Whether nothing is under way: no tracker is being asked, and no action waits to be taken.
    pub fn is_idle(&self) -> bool {
        self.out.is_empty() && self.queue.is_empty() && !self.trackers.iter().any(Tracker::is_busy)
    }

    /// What the outside must do next.
    pub fn next_action(&mut self) -> Option<Action> {
        self.out.pop()
    }

    /// Lets the trackers try an input until one takes it; false if none does.
    fn offer(
        &mut self,
        now: Now,
        mut input: impl FnMut(&mut Tracker, &mut Turn<'_>) -> bool,
    ) -> bool {
        let (trackers, mut turn) = self.turn(now);
        let taken = trackers.iter_mut().any(|tracker| input(tracker, &mut turn));
        if taken {
            self.settle(now);
        }
        taken
    }

    /// Tells all trackers.
    fn tell(&mut self, now: Now, mut input: impl FnMut(&mut Tracker, &mut Turn<'_>)) {
        let (trackers, mut turn) = self.turn(now);
        trackers
            .iter_mut()
            .for_each(|tracker| input(tracker, &mut turn));
        self.settle(now);
    }

    fn turn(&mut self, now: Now) -> (&mut [Tracker], Turn<'_>) {
        let turn = Turn {
            now,
            us: &self.us,
            rng: &mut self.rng,
            visits: &mut self.visits,
            out: &mut self.out,
        };
        (&mut self.trackers, turn)
    }

    fn begin_if_due(&mut self, now: Now) {
        if self.due.is_some_and(|due| due <= now) {
            self.begin_round(now);
        }
    }

    /// Asks the trackers anew, but those that are left alone after a failure.
    fn begin_round(&mut self, now: Now) {
        self.in_round = true;
        self.due = None;
        self.current = None;
        let may = |number: &usize| self.trackers[*number].schedule().may_ask(now);
        self.queue = self.tiers.order().filter(may).collect();
        self.settle(now);
    }

    /// Draws the consequences of what trackers answered, asks those who are next, and looks when there is more to do.
    fn settle(&mut self, now: Now) {
        self.go_on(now);
        let deadlines = self.trackers.iter().map(Tracker::next_deadline);
        self.patience = deadlines.fold(None, sooner);
    }

    fn go_on(&mut self, now: Now) {
        let announcing = self.us.stage == Stage::Announcing;
        let at_once = match announcing {
            true => 1,
            false => limits::TRACKERS_AT_ONCE,
        };
        loop {
            for number in 0..self.trackers.len() {
                if self.trackers[number].take_end() == Some(true) && announcing {
                    self.tiers.promote(number);
                    self.current = Some(number);
                    self.queue.clear();
                }
            }
            let busy = self.trackers.iter().filter(|tracker| tracker.is_busy());
            let busy = busy.count();
            if busy >= at_once {
                return;
            }
            let Some(next) = self.queue.pop_front() else {
                if busy == 0 && self.in_round {
                    self.end_round(now);
                }
                return;
            };
            let (trackers, mut turn) = self.turn(now);
            trackers[next].ask(&mut turn);
        }
    }

    /// The next round begins when the tracker that answered says so, at once if it is to be told something; if none answered, when
    /// the first may be tried again.
    fn end_round(&mut self, now: Now) {
        self.in_round = false;
        self.due = match self.current.map(|number| &self.trackers[number]) {
            Some(current) if current.owes(&self.us) => Some(now),
            Some(current) => current.schedule().next(),
            None => {
                let nexts = self
                    .trackers
                    .iter()
                    .map(|tracker| tracker.schedule().next());
                nexts.fold(None, sooner)
            }
        };
    }
}

/// The trackers that can be asked, and their numbers by tier. Why one cannot is reported.
fn usable(
    tiers: &[Vec<String>],
    families: Families,
    out: &mut Outbox,
) -> (Vec<Tracker>, Vec<Vec<usize>>) {
    let mut trackers = Vec::new();
    let mut seen = BTreeSet::new();
    let mut numbered = Vec::new();
    for tier in tiers {
        let mut numbers = Vec::new();
        for announce in tier.iter().map(|url| url.trim()) {
            if trackers.len() >= limits::TRACKERS || !seen.insert(announce) {
                continue;
            }
            let url = announce.to_owned();
            match Url::parse(announce) {
                Ok(parsed) => {
                    numbers.push(trackers.len());
                    trackers.push(Tracker::new(url, parsed, families));
                }
                Err(why) => out.push(Action::Report {
                    url,
                    outcome: Err(why),
                    warning: None,
                    remark: None,
                    counts: Counts::default(),
                }),
            }
        }
        numbered.push(numbers);
    }
    (trackers, numbered)
}
