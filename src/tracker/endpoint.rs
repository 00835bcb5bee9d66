//! One tracker over one address family. Each family has its own announces (BEP 7), since many
//! trackers keep a swarm for each.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::action::{Id, Input};
use super::site::{Site, Sites};
use super::standing::{Context, Over, Stage, Standing, failed};
use super::udp::Patience;
use super::{http, udp};
use crate::base::{Reach, Time};
use crate::http::Scheme;
use crate::wire::Family;
use crate::wire::announce::Event;

/// A tracker, and what it gave us to send back: what both families have in common.
pub type Known<'a> = (&'a Site, Option<&'a [u8]>);

/// What was told over a family, and what is being told.
#[derive(Debug)]
pub struct Endpoint {
    family: Family,
    addrs: Arc<[SocketAddr]>,
    failures: u32,
    /// The last question was answered.
    answered: bool,
    started: bool,
    completed: bool,
    stopped: bool,
    talk: Option<Box<Talk>>,
}

/// A question under way.
#[derive(Debug)]
struct Talk {
    event: Option<Event>,
    exchange: Exchange,
}

#[derive(Debug)]
enum Exchange {
    Http(http::Exchange),
    Udp(udp::Exchange),
}

impl Endpoint {
    /// An endpoint that knows nothing of us.
    pub fn new(family: Family) -> Endpoint {
        Endpoint {
            family,
            addrs: Arc::default(),
            failures: 0,
            answered: false,
            started: false,
            completed: false,
            stopped: false,
            talk: None,
        }
    }

    /// Its family.
    pub fn family(&self) -> Family {
        self.family
    }

    /// Notes the addresses of both families that the tracker's name has now. True if one is of this
    /// family. After a failure the next one is tried first.
    pub fn set_addrs(&mut self, ips: &[IpAddr], site: &Site, sites: &mut Sites) -> bool {
        let mut addrs = http::addresses(ips, self.family, site.url.port);
        if !addrs.is_empty() {
            let first = self.failures as usize % addrs.len();
            addrs.rotate_left(first);
        }
        self.addrs = sites.keep(&site.announce, addrs);
        !self.addrs.is_empty()
    }

    /// Whether a question is under way.
    pub fn is_busy(&self) -> bool {
        self.talk.is_some()
    }

    /// Whether the tracker answers and there is an event that it has not been told.
    pub fn owes(&self, us: &Standing) -> bool {
        self.answered && self.due(us).is_some()
    }

    /// Whether the tracker knows us and has to be told something on the way out.
    pub fn has_last_words(&self, us: &Standing) -> bool {
        self.last_words(us).is_some()
    }

    /// Asks what is to be asked now: a scrape, or an announce with the event that is due. HTTP
    /// gives up at this moment; UDP too while the user waits: for a scrape, and on the way out.
    pub fn ask(
        &mut self,
        (site, tracker_id): Known<'_>,
        give_up: Time,
        context: &mut Context<'_>,
    ) -> Over {
        let event = if context.us.is_leaving() {
            self.last_words(context.us)
        } else {
            self.due(context.us)
        };
        let exchange = match site.url.scheme {
            Scheme::Http | Scheme::Https => {
                let begun = http::Exchange::begin(site, &self.addrs, give_up, context);
                match begun {
                    Ok(begun) => Exchange::Http(begun),
                    Err(failure) => return Some(Err(failure)),
                }
            }
            Scheme::Udp => {
                let Some(&to) = self.addrs.first() else {
                    return failed("no address");
                };
                let patience = match context.us.stage {
                    Stage::Waiting | Stage::Announcing => Patience::Usual,
                    Stage::Scraping | Stage::Asking => Patience::For(give_up.since(context.now)),
                    Stage::Leaving { .. } => Patience::Until(give_up),
                };
                let question = context.us.question(event, tracker_id);
                let begun = udp::Exchange::begin(question, to, patience, context);
                Exchange::Udp(begun)
            }
        };
        self.talk = Some(Box::new(Talk { event, exchange }));
        None
    }

    /// We leave: a question that the tracker may have read goes on until this moment, others are
    /// dropped.
    pub fn leave(&mut self, until: Time, context: &mut Context<'_>) {
        let Some(talk) = &mut self.talk else { return };
        match &mut talk.exchange {
            Exchange::Http(exchange) if exchange.has_asked() => exchange.limit(until),
            Exchange::Udp(exchange) if exchange.has_asked() => exchange.limit(until),
            _ => self.abort(context),
        }
    }

    /// We begin anew: the question under way is dropped, and nothing counts as told.
    pub fn restart(&mut self, context: &mut Context<'_>) {
        self.abort(context);
        (self.started, self.completed, self.stopped) = (false, false, false);
    }

    /// Drops the question under way.
    pub fn abort(&mut self, context: &mut Context<'_>) {
        match self.talk.take().map(|talk| talk.exchange) {
            Some(Exchange::Http(exchange)) => exchange.abort(context),
            Some(Exchange::Udp(exchange)) => exchange.end(context),
            None => {}
        }
    }

    /// When [`Endpoint::handle_timeout`] is due.
    pub fn next_deadline(&self) -> Option<Time> {
        match &self.talk.as_ref()?.exchange {
            Exchange::Http(exchange) => exchange.next_deadline(),
            Exchange::Udp(exchange) => exchange.next_deadline(),
        }
    }

    /// Whether the address that is asked, or that redirected us, is a public one.
    pub fn is_outside(&self) -> bool {
        match self.talk.as_ref().map(|talk| &talk.exchange) {
            Some(Exchange::Http(exchange)) => exchange.is_outside(),
            Some(Exchange::Udp(exchange)) => !Reach::of(exchange.addr().ip()).is_local(),
            None => true,
        }
    }

    /// Handles what happened to the question of this id, or its admission. `None`: it is not under
    /// way here.
    pub fn handle(
        &mut self,
        id: Id,
        input: Input<'_>,
        (site, tracker_id): Known<'_>,
        context: &mut Context<'_>,
    ) -> Option<Over> {
        let Talk { event, exchange } = self.talk.as_deref_mut()?;
        match exchange {
            Exchange::Http(exchange) if exchange.owns(id) => {
                if matches!(input, Input::Admitted { .. }) && !exchange.is_worded() {
                    let question = context.us.question(*event, tracker_id);
                    if let Err(why) = exchange.word(question, &site.announce) {
                        return Some(failed(why));
                    }
                }
                Some(exchange.handle(input, context))
            }
            Exchange::Udp(exchange) if exchange.owns(id) => Some(exchange.handle(input, context)),
            _ => None,
        }
    }

    /// Whether a datagram answers the question under way here.
    pub fn recognises(&self, from: SocketAddr, bytes: &[u8]) -> bool {
        let exchange = self.talk.as_ref().map(|talk| &talk.exchange);
        matches!(exchange, Some(Exchange::Udp(exchange)) if exchange.recognises(from, bytes))
    }

    /// Whether datagrams to this address come from the question under way here.
    pub fn sends_to(&self, to: SocketAddr) -> bool {
        let exchange = self.talk.as_ref().map(|talk| &talk.exchange);
        matches!(exchange, Some(Exchange::Udp(exchange)) if exchange.addr() == to)
    }

    /// The answer that was recognised.
    pub fn handle_response(&mut self, bytes: &[u8], context: &mut Context<'_>) -> Over {
        match &mut self.talk.as_mut()?.exchange {
            Exchange::Udp(exchange) => exchange.handle_response(bytes, context),
            Exchange::Http(_) => None,
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, context: &mut Context<'_>) -> Over {
        match &mut self.talk.as_mut()?.exchange {
            Exchange::Http(exchange) => exchange.handle_timeout(context),
            Exchange::Udp(exchange) => exchange.handle_timeout(context),
        }
    }

    /// Notes that the question under way was answered, or not.
    pub fn finish(&mut self, answered: bool, context: &mut Context<'_>) {
        let Some(Talk { event, exchange }) = self.talk.take().map(|talk| *talk) else {
            return;
        };
        match exchange {
            Exchange::Http(exchange) => exchange.end(context),
            Exchange::Udp(exchange) => exchange.end(context),
        }
        self.answered = answered;
        self.failures = if answered {
            0
        } else {
            self.failures.wrapping_add(1)
        };
        match event {
            Some(Event::Started) => self.started |= answered,
            Some(Event::Completed) => self.completed |= answered,
            Some(Event::Stopped) => self.stopped |= answered,
            None => {}
        }
    }

    /// The tracker does not answer on the way out: nothing more is said.
    pub fn give_up(&mut self) {
        self.stopped = true;
    }

    /// BEP 3: `started` first; `completed` when the download is complete.
    fn due(&self, us: &Standing) -> Option<Event> {
        if !self.started {
            Some(Event::Started)
        } else if us.completed && !self.completed {
            Some(Event::Completed)
        } else {
            None
        }
    }

    fn last_words(&self, us: &Standing) -> Option<Event> {
        match self.due(us) {
            _ if self.stopped => None,
            Some(Event::Started) => None,
            Some(event) => Some(event),
            None => Some(Event::Stopped),
        }
    }
}
