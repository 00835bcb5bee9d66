//! One tracker of a torrent: its name is looked up, each family that we can use is asked, and what
//! comes back over both makes one answer; it failed only if neither answered.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::action::{Action, Counts, Id, Input, Response};
use super::attempt::Attempt;
use super::endpoint::Endpoint;
use super::history::Last;
use super::schedule::Schedule;
use super::site::Site;
use super::standing::{Context, Failure, Families, Heard, Over, Stage, Standing, failed};
use super::{http, naming};
use crate::base::{Time, limits, sooner};
use crate::wire::Scraped;
use crate::wire::announce::Reply;

/// A tracker and what is under way with it.
#[derive(Debug)]
pub struct Tracker {
    /// Where it stands: its tier (BEP 12), from 0, and its rank there.
    pub place: (u16, u16),
    /// It is to be asked as soon as others have been.
    pub queued: bool,
    site: Arc<Site>,
    /// What it gave us to send back.
    tracker_id: Option<Box<[u8]>>,
    schedule: Schedule,
    endpoints: Box<[Endpoint]>,
    attempt: Option<Box<Attempt>>,
    /// It answered since that was last looked at, and whether it named peers.
    heard: Option<bool>,
    ended: bool,
    /// Its last answer named peers.
    useful: bool,
    /// How the last visit ended.
    last: Option<Last>,
}

impl Tracker {
    /// A tracker that was never asked.
    pub fn new(site: Arc<Site>, families: Families) -> Tracker {
        Tracker {
            place: (0, 0),
            queued: false,
            site,
            tracker_id: None,
            schedule: Schedule::default(),
            endpoints: families.iter().map(Endpoint::new).collect(),
            attempt: None,
            heard: None,
            ended: false,
            useful: false,
            last: None,
        }
    }

    /// When it may be asked.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// Whether it answers and there is an event that it has not been told.
    pub fn owes(&self, us: &Standing) -> bool {
        self.endpoints.iter().any(|endpoint| endpoint.owes(us))
    }

    /// Whether it has to be told something on the way out.
    pub fn has_last_words(&self, us: &Standing) -> bool {
        self.endpoints
            .iter()
            .any(|endpoint| endpoint.has_last_words(us))
    }

    /// Whether it is being asked.
    pub fn is_busy(&self) -> bool {
        self.attempt.is_some()
    }

    /// The tracker as torrents name it.
    pub fn site(&self) -> &Arc<Site> {
        &self.site
    }

    /// Its announce URL.
    pub fn url(&self) -> &str {
        &self.site.announce
    }

    /// How the last visit ended.
    pub fn last(&self) -> Option<&Last> {
        self.last.as_ref()
    }

    /// Whether its last answer named peers.
    pub fn is_useful(&self) -> bool {
        self.useful
    }

    /// Once after each answer, over either family: whether it named peers.
    pub fn take_heard(&mut self) -> Option<bool> {
        self.heard.take()
    }

    /// Once after each time it was asked: true when nothing is under way any more.
    pub fn take_end(&mut self) -> bool {
        std::mem::take(&mut self.ended)
    }

    /// Asks: looks up the name, then announces or scrapes over each family. On the way out,
    /// announces `stopped` where the name is looked up already.
    pub fn ask(&mut self, context: &mut Context<'_>) {
        let give_up = match context.us.stage {
            Stage::Leaving { until } => until,
            _ => context.now + limits::HTTP_TIME,
        };
        self.attempt
            .get_or_insert_with(|| Box::new(Attempt::new(give_up)));
        if context.us.is_leaving() {
            for index in 0..self.endpoints.len() {
                self.say_last_words(index, context);
            }
        } else if let Some(ip) = self.site.url.ip() {
            self.found(&[ip], context);
        } else {
            let id = context.out.new_id();
            if let Some(attempt) = &mut self.attempt {
                attempt.lookup = Some(id);
            }
            let (host, port) = (self.site.url.host.clone(), self.site.url.port);
            context.out.push(Action::Resolve { id, host, port });
        }
        self.settle(context);
    }

    /// We leave: questions that the tracker may have read go on until this moment, the rest is
    /// dropped.
    pub fn leave(&mut self, until: Time, context: &mut Context<'_>) {
        self.end_lookup();
        self.endpoints
            .iter_mut()
            .for_each(|endpoint| endpoint.leave(until, context));
        if !self.endpoints.iter().any(Endpoint::is_busy) {
            self.attempt = None;
        }
    }

    /// We begin anew: what is under way is dropped, and nothing counts as told.
    pub fn restart(&mut self, context: &mut Context<'_>) {
        self.attempt = None;
        for endpoint in &mut self.endpoints {
            endpoint.restart(context);
        }
    }

    /// When [`Tracker::handle_timeout`] is due.
    pub fn next_deadline(&self) -> Option<Time> {
        let looking_up = self.attempt.as_ref().filter(|it| it.lookup.is_some());
        let lookup = looking_up.map(|attempt| attempt.give_up);
        let deadlines = self.endpoints.iter().map(Endpoint::next_deadline);
        deadlines.fold(lookup, sooner)
    }

    /// Something happened outside. False: it is not for this tracker.
    pub fn handle(&mut self, input: Input<'_>, context: &mut Context<'_>) -> bool {
        match input {
            Input::Resolved { id, found } => {
                if self.lookup() == Some(id) {
                    self.handle_found(found, context);
                    return true;
                }
                self.hand_on(id, input, context)
            }
            Input::Connected { id }
            | Input::Bytes { id, .. }
            | Input::Closed { id, .. }
            | Input::Admitted { id }
            | Input::Unanswered { id } => self.hand_on(id, input, context),
            Input::Datagram { from, bytes } => self.handle_datagram(from, bytes, context),
            Input::Undeliverable { to, why } => self.handle_undeliverable(to, why, context),
            Input::Seen { .. } | Input::MayAsk { .. } => false,
        }
    }

    /// Its own name was looked up.
    fn handle_found(&mut self, found: &Result<Vec<IpAddr>, String>, context: &mut Context<'_>) {
        self.end_lookup();
        match found {
            Ok(ips) => self.found(ips, context),
            Err(why) => self.note(None, why.clone()),
        }
        self.settle(context);
    }

    fn lookup(&self) -> Option<Id> {
        self.attempt.as_ref()?.lookup
    }

    fn end_lookup(&mut self) {
        if let Some(attempt) = &mut self.attempt {
            attempt.lookup = None;
        }
    }

    /// To the question that has this id.
    fn hand_on(&mut self, id: Id, input: Input<'_>, context: &mut Context<'_>) -> bool {
        for index in 0..self.endpoints.len() {
            let tracker_id = self.tracker_id.as_deref();
            let site = (&*self.site, tracker_id);
            if let Some(over) = self.endpoints[index].handle(id, input, site, context) {
                self.digest(index, over, context);
                return true;
            }
        }
        false
    }

    fn handle_datagram(
        &mut self,
        from: SocketAddr,
        bytes: &[u8],
        context: &mut Context<'_>,
    ) -> bool {
        for index in 0..self.endpoints.len() {
            if self.endpoints[index].recognises(from, bytes) {
                let over = self.endpoints[index].handle_response(bytes, context);
                self.digest(index, over, context);
                return true;
            }
        }
        false
    }

    fn handle_undeliverable(
        &mut self,
        to: SocketAddr,
        why: &str,
        context: &mut Context<'_>,
    ) -> bool {
        let mut taken = false;
        for index in 0..self.endpoints.len() {
            if self.endpoints[index].sends_to(to) {
                self.digest(index, failed(why), context);
                taken = true;
            }
        }
        taken
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, context: &mut Context<'_>) {
        let due = |attempt: &Attempt| attempt.lookup.is_some() && attempt.give_up <= context.now;
        if self.attempt.as_deref().is_some_and(due) {
            self.end_lookup();
            self.note(None, String::from("its name is not found in time"));
            self.settle(context);
        }
        for index in 0..self.endpoints.len() {
            let over = self.endpoints[index].handle_timeout(context);
            self.digest(index, over, context);
        }
    }

    /// The addresses are known: each family of which there are some is asked.
    fn found(&mut self, ips: &[IpAddr], context: &mut Context<'_>) {
        let give_up = self
            .attempt
            .as_ref()
            .map_or(context.now, |attempt| attempt.give_up);
        let mut usable = false;
        for index in 0..self.endpoints.len() {
            let sites = &mut context.shared.sites;
            if self.endpoints[index].set_addrs(ips, &self.site, sites) {
                usable = true;
                let site = (&*self.site, self.tracker_id.as_deref());
                let over = self.endpoints[index].ask(site, give_up, context);
                self.absorb(index, over, context);
            }
        }
        if !usable {
            let why = match self.endpoints[..] {
                [ref only] => format!("it has no {} address", http::name(only.family())),
                _ => String::from("it has no address that can be used"),
            };
            self.note(None, why);
        }
    }

    fn say_last_words(&mut self, index: usize, context: &mut Context<'_>) {
        let Stage::Leaving { until } = context.us.stage else {
            return;
        };
        let endpoint = &mut self.endpoints[index];
        if !endpoint.is_busy() && endpoint.has_last_words(context.us) {
            let site = (&*self.site, self.tracker_id.as_deref());
            let over = endpoint.ask(site, until, context);
            self.absorb(index, over, context);
        }
    }

    /// What came of an input, and whether that was the last thing to wait for.
    fn digest(&mut self, index: usize, over: Over, context: &mut Context<'_>) {
        if over.is_some() {
            self.absorb(index, over, context);
            self.settle(context);
        }
    }

    /// An exchange over one family has ended, or goes on.
    fn absorb(&mut self, index: usize, over: Over, context: &mut Context<'_>) {
        let Some(result) = over else { return };
        let endpoint = &mut self.endpoints[index];
        let outside = endpoint.is_outside();
        endpoint.finish(result.is_ok(), context);
        match result {
            Err(_) if context.us.is_leaving() => endpoint.give_up(),
            Err(failure) => {
                let family = Some(http::name(endpoint.family()));
                if let Some(attempt) = &mut self.attempt {
                    attempt.failures.push((family, failure));
                }
            }
            Ok(_) if context.us.is_leaving() => self.say_last_words(index, context),
            Ok(Heard::Announced(reply)) => self.heard(reply, outside, context),
            Ok(Heard::Scraped(scraped)) => self.heard_scrape(scraped, context),
        }
    }

    /// An answer. `outside`: from an address out in the world, not in our networks.
    fn heard(&mut self, mut reply: Reply, outside: bool, context: &mut Context<'_>) {
        if let Some(id) = reply.tracker_id.take() {
            self.tracker_id = Some(id.into());
        }
        let remark =
            naming::remove_useless(&mut reply, outside, context.us, &context.shared.locals);
        let counts = Counts {
            seeders: reply.seeders,
            leechers: reply.leechers,
            completed: None,
        };
        let again = self.attempt.as_ref().is_some_and(|it| it.answered);
        let before = self.last.as_ref().filter(|_| again);
        let last = Last::answered(before, reply.peers.len(), counts, context.now);
        self.last = Some(last);
        if let Some(attempt) = &mut self.attempt {
            attempt.answered = true;
            attempt.interval = attempt.interval.max(reply.interval);
            attempt.min_interval = attempt.min_interval.max(reply.min_interval);
        }
        self.useful = !reply.peers.is_empty();
        self.heard = Some(self.useful || self.heard == Some(true));
        context.out.respond(Response {
            url: self.site.announce.clone(),
            outcome: Ok(reply.peers),
            warning: reply.warning,
            remark,
            counts,
        });
    }

    /// One family is enough to know how a swarm is.
    fn heard_scrape(&mut self, scraped: Scraped, context: &mut Context<'_>) {
        self.endpoints
            .iter_mut()
            .for_each(|endpoint| endpoint.abort(context));
        if let Some(attempt) = &mut self.attempt {
            attempt.answered = true;
        }
        context.out.respond(Response {
            url: self.site.announce.clone(),
            outcome: Ok(Vec::new()),
            warning: None,
            remark: None,
            counts: Counts {
                seeders: Some(scraped.seeders),
                leechers: Some(scraped.leechers),
                completed: Some(scraped.completed),
            },
        });
    }

    fn note(&mut self, family: Option<&'static str>, why: String) {
        if let Some(attempt) = &mut self.attempt {
            attempt
                .failures
                .push((family, Failure { why, retry: None }));
        }
    }

    /// If nothing is under way any more, the attempt has ended: the schedule learns of it, and the
    /// user of a failure.
    fn settle(&mut self, context: &mut Context<'_>) {
        if self.lookup().is_some() || self.endpoints.iter().any(Endpoint::is_busy) {
            return;
        }
        let Some(attempt) = self.attempt.take() else {
            return;
        };
        self.ended = true;
        if context.us.is_leaving() {
            return;
        }
        if attempt.answered {
            self.schedule
                .answered(attempt.interval, attempt.min_interval, context.now);
            return;
        }
        self.schedule.failed(attempt.retry(), context.now);
        let why = attempt.reasons();
        let (at, words) = (context.now, why.clone());
        self.last = Some(Last::Failed { at, why: words });
        let url = self.site.announce.clone();
        context.out.respond(Response::failed(url, why));
    }
}
