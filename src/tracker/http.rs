//! One question to a tracker over HTTP (BEP 3, BEP 48), over one address family: a connection to
//! the first of its addresses that takes one, a GET, the response; then perhaps a redirect, and the
//! same again. One deadline covers it all, except the time in the queue of
//! [`Visits`](super::visits::Visits). A thousand questions may wait there, so one is put into words
//! when it is asked.

use std::net::{IpAddr, SocketAddr};

use super::action::{Action, Id, Input};
use super::gathered::Gathered;
use super::guard;
use super::reading::read;
use super::site::Site;
use super::standing::{Context, Failure, Over, Question, Stage, failed, refused};
use super::visits::Ticket;
use crate::base::{Duration, Reach, Time, limits};
use crate::http::{Url, get, shown};
use crate::wire::Family;

/// An exchange under way.
#[derive(Debug)]
pub struct Exchange {
    /// The question and where it goes; `None`: it waits to be asked for the first time.
    words: Option<Box<Words>>,
    family: Family,
    redirects: u32,
    /// Whoever answered so far, or redirected, is or was somewhere in the world.
    outside: bool,
    id: Id,
    /// Where it connected last.
    to: Option<SocketAddr>,
    step: Step,
    give_up: Time,
}

/// A question, and the URL that it or the last redirect has.
#[derive(Debug)]
struct Words {
    question: Question,
    url: Url,
}

#[derive(Debug)]
enum Step {
    /// The name that a redirect leads to is looked up.
    Resolving,
    /// It waits in the queue to connect there. `patience`: the time that is left for the exchange
    /// once it is admitted; `None`: waiting does not extend its deadline.
    Waiting {
        addr: SocketAddr,
        others: Vec<SocketAddr>,
        patience: Option<Duration>,
    },
    /// A connection is made; these addresses are left if it fails.
    Connecting {
        others: Vec<SocketAddr>,
        until: Time,
    },
    /// The request is out.
    Reading(Gathered),
}

impl Exchange {
    /// Asks, at the first of these addresses (all of one family) that takes a connection. When it
    /// is admitted, [`Exchange::word`] is to be called before it hears of that, unless it
    /// [has words](Exchange::is_worded).
    ///
    /// # Errors
    /// None of them may be asked, or the tracker cannot be scraped.
    pub fn begin(
        site: &Site,
        addrs: &[SocketAddr],
        give_up: Time,
        context: &mut Context<'_>,
    ) -> Result<Exchange, Failure> {
        let family = addrs
            .first()
            .map_or(Family::V4, |addr| Family::of(addr.ip()));
        let mut exchange = Exchange {
            words: None,
            family,
            redirects: 0,
            outside: false,
            id: context.out.new_id(),
            to: None,
            step: Step::Resolving,
            give_up,
        };
        if context.us.stage == Stage::Scraping {
            let question = context.us.question(None, None);
            let worded = exchange.word(question, &site.announce);
            worded.map_err(|why| Failure { why, retry: None })?;
        }
        let mut addrs = addrs.to_vec();
        // The next one is taken from the end.
        addrs.reverse();
        match exchange.connect(addrs, Some(&site.url), context) {
            Some(Err(failure)) => Err(failure),
            _ => Ok(exchange),
        }
    }

    /// Whether it is known what is asked.
    pub fn is_worded(&self) -> bool {
        self.words.is_some()
    }

    /// This is asked.
    ///
    /// # Errors
    /// There is no URL for it.
    pub fn word(&mut self, question: Question, announce: &str) -> Result<(), String> {
        let url = question.url(announce)?;
        self.words = Some(Box::new(Words { question, url }));
        Ok(())
    }

    /// Whether it was redirected by a server out in the world, not in our networks.
    pub fn is_outside(&self) -> bool {
        self.outside
    }

    /// Whether this look-up or connection belongs to it.
    pub fn owns(&self, id: Id) -> bool {
        self.id == id
    }

    /// Whether the tracker may have read the question.
    pub fn has_asked(&self) -> bool {
        matches!(self.step, Step::Reading(_)) || self.redirects > 0
    }

    /// When [`Exchange::handle_timeout`] is due.
    pub fn next_deadline(&self) -> Option<Time> {
        match self.step {
            Step::Waiting { patience, .. } => patience.is_none().then_some(self.give_up),
            Step::Connecting { until, .. } => Some(until.min(self.give_up)),
            Step::Resolving | Step::Reading(_) => Some(self.give_up),
        }
    }

    /// Gives up no later than this.
    pub fn limit(&mut self, give_up: Time) {
        self.give_up = self.give_up.min(give_up);
        if let Step::Waiting { patience, .. } = &mut self.step {
            *patience = None;
            self.give_up = give_up;
        }
    }

    /// Handles what happened to its look-up or connection, or its admission.
    pub fn handle(&mut self, input: Input<'_>, context: &mut Context<'_>) -> Over {
        match input {
            Input::Resolved { found, .. } => self.handle_resolved(found, context),
            Input::Connected { .. } => {
                self.handle_connected();
                None
            }
            Input::Bytes { bytes, .. } => self.handle_bytes(bytes, context),
            Input::Closed { how, .. } => self.handle_closed(how.clone(), context),
            Input::Admitted { .. } => {
                self.dial(context);
                None
            }
            _ => None,
        }
    }

    /// The name that a redirect leads to is looked up.
    fn handle_resolved(
        &mut self,
        found: &Result<Vec<IpAddr>, String>,
        context: &mut Context<'_>,
    ) -> Over {
        match found {
            Ok(ips) => self.follow(ips, context),
            Err(why) => failed(self.told(why)),
        }
    }

    /// The connection is up.
    fn handle_connected(&mut self) {
        if let Step::Connecting { .. } = self.step {
            self.step = Step::Reading(Gathered::new());
        }
    }

    /// Bytes came.
    fn handle_bytes(&mut self, bytes: &[u8], context: &mut Context<'_>) -> Over {
        self.handle_connected();
        let Step::Reading(gathered) = &mut self.step else {
            return None;
        };
        match gathered.take(bytes) {
            Ok(false) => None,
            Ok(true) => {
                self.release(context);
                self.digest(context)
            }
            Err(why) => {
                self.close(context);
                Some(Err(refused(why, None)))
            }
        }
    }

    /// The connection has ended: in order, or for this reason.
    fn handle_closed(&mut self, how: Result<(), String>, context: &mut Context<'_>) -> Over {
        match (&mut self.step, how) {
            (Step::Resolving | Step::Waiting { .. }, _) => None,
            (Step::Connecting { others, .. }, how) => {
                let others = std::mem::take(others);
                let why = how.err().unwrap_or_else(|| String::from("closed at once"));
                if others.is_empty() {
                    return failed(self.told(&why));
                }
                self.connect(others, None, context)
            }
            (Step::Reading(_), Err(why)) => failed(why),
            (Step::Reading(gathered), Ok(())) => match gathered.end() {
                Ok(()) => self.digest(context),
                Err(why) => failed(why),
            },
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, context: &mut Context<'_>) -> Over {
        if self.next_deadline().is_none_or(|due| context.now < due) {
            return None;
        }
        self.close(context);
        let late = context.now >= self.give_up;
        match &mut self.step {
            Step::Resolving => failed(self.told("look-up takes too long")),
            Step::Reading(_) => failed("no answer in time"),
            Step::Waiting { .. } => failed(self.told("not asked in time")),
            Step::Connecting { others, .. } => {
                let others = std::mem::take(others);
                if late || others.is_empty() {
                    return failed("no connection in time");
                }
                self.connect(others, None, context)
            }
        }
    }

    /// Ends it without an answer.
    pub fn abort(&self, context: &mut Context<'_>) {
        self.close(context);
        self.end(context);
    }

    /// It is over: another question may be admitted in its place.
    pub fn end(&self, context: &mut Context<'_>) {
        context.shared.leave(self.id, context.now);
    }

    /// Closes the connection, if there is one or is to be.
    fn close(&self, context: &mut Context<'_>) {
        if matches!(self.step, Step::Connecting { .. } | Step::Reading(_)) {
            context.out.push(Action::Abort { id: self.id });
        }
    }

    /// The answer is whole: the connection is kept if the server allows it.
    fn release(&self, context: &mut Context<'_>) {
        let Step::Reading(gathered) = &self.step else {
            return;
        };
        let id = self.id;
        context.out.push(match gathered.kept_length() {
            Some(length) => Action::Release { id, length },
            None => Action::Abort { id },
        });
    }

    /// Queues for a connection to the last of these addresses that may be asked. `url`: where it
    /// goes as long as it has no words.
    fn connect(
        &mut self,
        mut addrs: Vec<SocketAddr>,
        url: Option<&Url>,
        context: &mut Context<'_>,
    ) -> Over {
        let mut why = String::from("no address");
        while let Some(addr) = addrs.pop() {
            if let Err(refusal) = self.judge(addr.ip(), url, context) {
                why = refusal;
                continue;
            }
            self.end(context);
            self.id = context.out.new_id();
            let leaving = context.us.is_leaving();
            if addrs.is_empty() {
                addrs = Vec::new();
            }
            self.step = Step::Waiting {
                addr,
                others: addrs,
                patience: (!leaving).then(|| self.give_up.since(context.now)),
            };
            let ticket = Ticket {
                id: self.id,
                addr,
                connects: true,
                leaving,
            };
            context.shared.enter(ticket, context.now);
            return None;
        }
        failed(self.told(&why))
    }

    /// It is admitted.
    fn dial(&mut self, context: &mut Context<'_>) {
        let Step::Waiting {
            addr,
            others,
            patience,
        } = &mut self.step
        else {
            return;
        };
        let (addr, others) = (*addr, std::mem::take(others));
        if let Some(patience) = *patience {
            self.give_up = context.now + patience;
        }
        let Some(words) = &self.words else { return };
        let until = context.now + limits::CONNECT_TIME;
        self.step = Step::Connecting { others, until };
        self.to = Some(addr);
        context.out.push(Action::Connect {
            id: self.id,
            addr,
            tls: words.url.tls().map(String::from),
            request: get(&words.url),
        });
    }

    fn judge(
        &mut self,
        ip: IpAddr,
        url: Option<&Url>,
        context: &Context<'_>,
    ) -> Result<(), String> {
        let words = self.words.as_deref();
        let word = match words.map(|words| &words.question) {
            Some(Question::Scrape(_)) => "scrape",
            Some(Question::Announce(_)) | None => "announce",
        };
        let url = words.map(|words| &words.url).or(url);
        if let Some(url) = url.filter(|_| !context.us.allow_local) {
            guard::judge(ip, url, word, self.outside)?;
        }
        self.outside |= !Reach::of(ip).is_local();
        Ok(())
    }

    /// A reason, with where the tracker has led us.
    fn told(&self, why: &str) -> String {
        match &self.words {
            Some(words) if self.redirects > 0 => {
                format!("redirected to {}: {why}", words.url.host)
            }
            _ => why.to_owned(),
        }
    }

    /// The response is whole, and the connection ended or given back.
    fn digest(&mut self, context: &mut Context<'_>) -> Over {
        let answer = match std::mem::replace(&mut self.step, Step::Resolving) {
            Step::Reading(gathered) => gathered.into_answer(),
            _ => None,
        };
        let (Some((head, body)), Some(words)) = (answer, &self.words) else {
            return failed("closed without an answer");
        };
        match head.redirect() {
            Some(location) => self.redirect(location, context),
            None => {
                let (result, proven) = read(&words.question, &head, body);
                if let Some(to) = self.to.filter(|_| proven) {
                    context.shared.prove(to, context.now);
                }
                Some(result)
            }
        }
    }

    fn redirect(&mut self, location: &str, context: &mut Context<'_>) -> Over {
        self.redirects += 1;
        if self.redirects > limits::HTTP_REDIRECTS {
            let most = limits::HTTP_REDIRECTS;
            let why = format!("redirected more than {most} times");
            return Some(Err(refused(why, None)));
        }
        let Some(words) = &mut self.words else {
            return None;
        };
        words.url = match words.url.join(location) {
            Ok(url) => url,
            Err(why) => {
                let why = format!("redirected to {}: {why}", shown(location));
                return Some(Err(refused(why, None)));
            }
        };
        let (host, port) = (words.url.host.clone(), words.url.port);
        if let Some(ip) = words.url.ip() {
            return self.follow(&[ip], context);
        }
        self.end(context);
        let id = context.out.new_id();
        self.id = id;
        context.out.push(Action::Resolve { id, host, port });
        None
    }

    /// Goes where a redirect leads, staying in the family.
    fn follow(&mut self, ips: &[IpAddr], context: &mut Context<'_>) -> Over {
        let port = self.words.as_ref().map_or(0, |words| words.url.port);
        let mut addrs = addresses(ips, self.family, port);
        addrs.reverse();
        if addrs.is_empty() {
            return failed(self.told(&format!("no {} address", name(self.family))));
        }
        self.connect(addrs, None, context)
    }
}

/// The addresses of one family, those that are tried: more would only cost time.
pub fn addresses(ips: &[IpAddr], family: Family, port: u16) -> Vec<SocketAddr> {
    ips.iter()
        .map(IpAddr::to_canonical)
        .filter(|&ip| Family::of(ip) == family && Reach::of(ip) != Reach::Nowhere)
        .take(limits::TRACKER_ADDRESSES)
        .map(|ip| SocketAddr::new(ip, port))
        .collect()
}

/// A family's name.
pub fn name(family: Family) -> &'static str {
    match family {
        Family::V4 => "IPv4",
        Family::V6 => "IPv6",
    }
}
