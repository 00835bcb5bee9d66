//! One question to a tracker over UDP (BEP 15): a connection id is asked for, unless one is still
//! valid, then the question is sent with it. What is not answered in 15 seconds is sent again and
//! gets twice as long; two losses in a row end it.

use std::net::SocketAddr;

use super::action::{Action, Id, Input};
use super::standing::{Context, Heard, Over, Question, failed, refused};
use super::visits::Ticket;
use crate::base::{Duration, Time, limits, sooner};
use crate::wire::Family;
use crate::wire::udp_tracker::{Body, Request, Response};

/// An exchange under way.
#[derive(Debug)]
pub struct Exchange {
    question: Question,
    ticket: Ticket,
    began: Time,
    /// The connection id came in this exchange, so that an error does not mean that it has expired;
    /// or one has expired already.
    fresh: bool,
    step: Step,
    transaction: u32,
    losses: u32,
    /// When to send again what was sent.
    repeat_at: Time,
    /// When to give up; `None` until it is admitted, with `patience` from then on.
    give_up: Option<Time>,
    patience: Option<Duration>,
    nonsense: Option<Nonsense>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    /// Nothing was sent, or a connection id is waited for that another question asks for.
    Waiting,
    /// A connection id was asked for.
    Connecting,
    /// The question was put, under this connection id.
    Asked { under: u64 },
}

/// An answer to the last request that makes no sense, and until when a better one may follow it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Nonsense {
    why: String,
    until: Time,
}

/// How long an exchange may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Patience {
    /// As long as the protocol says.
    Usual,
    /// This long after it is admitted.
    For(Duration),
    /// Until this moment, admitted or not.
    Until(Time),
}

impl Exchange {
    /// Queues a question to this address.
    pub fn begin(
        question: Question,
        to: SocketAddr,
        patience: Patience,
        context: &mut Context<'_>,
    ) -> Exchange {
        let ticket = Ticket {
            id: context.out.new_id(),
            addr: to,
            connects: false,
            leaving: context.us.is_leaving(),
        };
        context.shared.enter(ticket, context.now);
        let (give_up, patience) = match patience {
            Patience::Usual => (None, None),
            Patience::For(span) => (None, Some(span)),
            Patience::Until(at) => (Some(at), None),
        };
        Exchange {
            question,
            ticket,
            began: context.now,
            fresh: false,
            step: Step::Waiting,
            transaction: 0,
            losses: 0,
            repeat_at: context.now,
            give_up,
            patience,
            nonsense: None,
        }
    }

    /// Whom it asks.
    pub fn addr(&self) -> SocketAddr {
        self.ticket.addr
    }

    /// Whether it is the question of this id.
    pub fn owns(&self, id: Id) -> bool {
        self.ticket.id == id
    }

    /// Whether the tracker may have read the question.
    pub fn has_asked(&self) -> bool {
        matches!(self.step, Step::Asked { .. })
    }

    /// When [`Exchange::handle_timeout`] is due.
    pub fn next_deadline(&self) -> Option<Time> {
        let late = self.nonsense.as_ref().map(|nonsense| nonsense.until);
        let repeat_at = (self.step != Step::Waiting).then_some(self.repeat_at);
        sooner(sooner(late, self.give_up), repeat_at)
    }

    /// Gives up no later than this.
    pub fn limit(&mut self, give_up: Time) {
        self.give_up = sooner(self.give_up, Some(give_up));
        self.patience = None;
    }

    /// It is over: no question waits for it, and no answer is expected.
    pub fn end(&self, context: &mut Context<'_>) {
        context
            .shared
            .leave_udp(self.ticket, self.transaction, context.now);
    }

    /// Whether a datagram answers the last request: it comes from the tracker and has the
    /// transaction id. A stranger can forge the sender's address of a datagram, but cannot know
    /// that number.
    pub fn recognises(&self, from: SocketAddr, bytes: &[u8]) -> bool {
        self.step != Step::Waiting
            && from == self.ticket.addr
            && Response::transaction(bytes) == Some(self.transaction)
    }

    /// It is admitted, or the connection id that it waited for will not come.
    pub fn handle(&mut self, input: Input<'_>, context: &mut Context<'_>) -> Over {
        match input {
            Input::Admitted { .. } => {
                if let Some(patience) = self.patience.take() {
                    self.give_up = Some(context.now + patience);
                }
                self.ask(context);
                None
            }
            Input::Unanswered { .. } => failed("no answer"),
            _ => None,
        }
    }

    /// The tracker has answered.
    pub fn handle_response(&mut self, bytes: &[u8], context: &mut Context<'_>) -> Over {
        let body = match Response::parse(bytes, Family::of(self.ticket.addr.ip())) {
            Ok(response) => response.body,
            Err(why) => return self.doubt(&why.to_string(), context.now),
        };
        if !matches!(body, Body::Error(_)) {
            context.shared.prove(self.ticket.addr, context.now);
        }
        match (body, self.step, &self.question) {
            (Body::Connect(id), Step::Connecting, _) => {
                context.shared.connected(self.ticket, id, context.now);
                self.fresh = true;
                self.losses = 0;
                self.ask(context);
                None
            }
            (Body::Announce(reply), Step::Asked { .. }, Question::Announce(_)) => {
                Some(Ok(Heard::Announced(reply)))
            }
            (Body::Scrape(swarms), Step::Asked { .. }, Question::Scrape(_)) => {
                match swarms.first() {
                    Some(&swarm) => Some(Ok(Heard::Scraped(swarm))),
                    None => failed("the answer is empty"),
                }
            }
            // The tracker may have forgotten the connection id, for instance by a restart, but not
            // one that it gave since this question began.
            (Body::Error(_), Step::Asked { under }, _) if self.is_old(under, context) => {
                context.shared.disown(self.ticket.addr, under);
                self.fresh = true;
                self.ask(context);
                None
            }
            (Body::Error(why), ..) => Some(Err(refused(why, None))),
            _ => self.doubt("it answers another question", context.now),
        }
    }

    /// Whether this connection id was there before this question.
    fn is_old(&self, id: u64, context: &Context<'_>) -> bool {
        let known = context.shared.connection(self.ticket.addr, context.now);
        let newer = known.is_some_and(|known| known.id == id && known.since > self.began);
        !self.fresh && !newer
    }

    /// Notes an answer that makes no sense. A better one may follow it, but is not waited for as
    /// long as a lost one.
    fn doubt(&mut self, why: &str, now: Time) -> Over {
        self.nonsense.get_or_insert_with(|| Nonsense {
            why: format!("the answer makes no sense: {why}"),
            until: now + limits::UDP_SECOND_ANSWER,
        });
        None
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, context: &mut Context<'_>) -> Over {
        if self.next_deadline().is_none_or(|due| context.now < due) {
            return None;
        }
        if let Some(Nonsense { why, .. }) = self.nonsense.take() {
            return Some(Err(refused(why, None)));
        }
        self.losses += 1;
        let late = self.give_up.is_some_and(|give_up| context.now >= give_up);
        if late || self.losses >= limits::UDP_PATIENCE {
            if !context.us.is_leaving() {
                context.shared.silent(self.ticket);
            }
            return failed("no answer");
        }
        let addr = self.ticket.addr;
        if self.has_asked() && context.shared.connection(addr, context.now).is_none() {
            self.ask(context);
        } else {
            self.send(context);
        }
        None
    }

    /// Begins the next request: the question, or one for a connection id, unless another asks for
    /// that.
    fn ask(&mut self, context: &mut Context<'_>) {
        context.shared.forget_asked(self.ticket, self.transaction);
        self.nonsense = None;
        self.step = match context.shared.connection(self.ticket.addr, context.now) {
            Some(known) => Step::Asked { under: known.id },
            None if context.shared.is_connecting(self.ticket) => {
                context.shared.enter(self.ticket, context.now);
                self.step = Step::Waiting;
                return;
            }
            None => {
                context.shared.connect(self.ticket, context.now);
                Step::Connecting
            }
        };
        self.transaction = context.rng.bits32();
        context.shared.note_asked(self.ticket, self.transaction);
        self.send(context);
    }

    fn send(&mut self, context: &mut Context<'_>) {
        let transaction = self.transaction;
        let request = match (self.step, &self.question) {
            (Step::Waiting, _) => return,
            (Step::Connecting, _) => Request::Connect { transaction },
            (Step::Asked { under }, Question::Announce(query)) => Request::Announce {
                connection: under,
                transaction,
                query: query.clone(),
            },
            (Step::Asked { under }, Question::Scrape(info_hash)) => Request::Scrape {
                connection: under,
                transaction,
                info_hashes: vec![*info_hash],
            },
        };
        let mut bytes = Vec::new();
        request.encode(&mut bytes);
        context.out.push(Action::Datagram {
            to: self.ticket.addr,
            bytes,
        });
        self.repeat_at = context.now + limits::UDP_RETRY * 2_u32.saturating_pow(self.losses);
    }
}
