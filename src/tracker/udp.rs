//! One question to a tracker over UDP (BEP 15): a connection id is asked for, unless there is one
//! that still holds, then the question is put under it. What is not answered in 15 seconds is sent
//! again and gets twice as long; two losses in a row end it.

use std::net::SocketAddr;

use super::action::Action;
use super::standing::{Heard, Over, Question, Turn, failed, refused};
use crate::base::limits;
use crate::base::time::{Now, sooner};
use crate::wire::compact::Family;
use crate::wire::udp_tracker::{Body, Request, Response};

/// A connection id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Connection {
    with: SocketAddr,
    id: u64,
    until: Now,
}

/// An exchange under way.
#[derive(Debug)]
pub struct Exchange {
    question: Question,
    to: SocketAddr,
    connection: Option<Connection>,
    /// The connection id came in this exchange, so that it is not to blame for an error.
    fresh: bool,
    /// The last request is the question itself, not one for a connection id.
    asked: bool,
    transaction: u32,
    losses: u32,
    /// Nothing is sent yet: other questions to that address come first.
    waiting: bool,
    repeat_at: Now,
    give_up: Option<Now>,
    nonsense: Option<Nonsense>,
}

/// An answer to the last request that is none, and until when a better one may follow it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Nonsense {
    why: String,
    until: Now,
}

impl Exchange {
    /// Asks at an address from this moment on, under this connection id if it belongs to that
    /// address and still holds. `give_up`: when to, at the latest.
    pub fn begin(
        question: Question,
        to: SocketAddr,
        connection: Option<Connection>,
        at: Now,
        give_up: Option<Now>,
        turn: &mut Turn<'_>,
    ) -> Exchange {
        let mut exchange = Exchange {
            question,
            to,
            connection: connection.filter(|connection| connection.with == to),
            fresh: false,
            asked: false,
            transaction: 0,
            losses: 0,
            waiting: at > turn.now,
            repeat_at: at,
            give_up,
            nonsense: None,
        };
        if !exchange.waiting {
            exchange.ask(turn);
        }
        exchange
    }

    /// Whom it asks.
    pub fn to(&self) -> SocketAddr {
        self.to
    }

    /// The connection id, for the next exchange.
    pub fn connection(&self) -> Option<Connection> {
        self.connection
    }

    /// Whether the tracker may have read the question.
    pub fn has_asked(&self) -> bool {
        self.asked
    }

    /// When [`Exchange::handle_timeout`] is due.
    pub fn next_deadline(&self) -> Now {
        let late = self.nonsense.as_ref().map(|nonsense| nonsense.until);
        sooner(late, self.give_up).map_or(self.repeat_at, |late| late.min(self.repeat_at))
    }

    /// Gives up no later than this.
    pub fn limit(&mut self, give_up: Now) {
        self.give_up = Some(self.give_up.unwrap_or(give_up).min(give_up));
    }

    /// Whether a datagram answers the last request: it comes from the tracker and has the
    /// transaction id. Anybody can send datagrams in a tracker's name, but not guess that number.
    pub fn recognises(&self, from: SocketAddr, bytes: &[u8]) -> bool {
        !self.waiting && from == self.to && Response::transaction(bytes) == Some(self.transaction)
    }

    /// The tracker has answered.
    pub fn handle_response(&mut self, bytes: &[u8], turn: &mut Turn<'_>) -> Over {
        let body = match Response::parse(bytes, Family::of(self.to.ip())) {
            Ok(response) => response.body,
            Err(why) => return self.doubt(&why.to_string(), turn.now),
        };
        match (body, &self.question) {
            (Body::Connect(id), _) if !self.asked => {
                self.connection = Some(Connection {
                    with: self.to,
                    id,
                    until: turn.now + limits::UDP_CONNECTION,
                });
                self.fresh = true;
                self.losses = 0;
                self.ask(turn);
                None
            }
            (Body::Announce(reply), Question::Announce(_)) if self.asked => {
                Some(Ok(Heard::Announced(reply)))
            }
            (Body::Scrape(swarms), Question::Scrape(_)) if self.asked => match swarms.first() {
                Some(&swarm) => Some(Ok(Heard::Scraped(swarm))),
                None => failed("the answer is empty"),
            },
            // It may have forgotten the connection id, by a restart say.
            (Body::Error(_), _) if self.asked && !self.fresh => {
                self.connection = None;
                self.ask(turn);
                None
            }
            (Body::Error(why), _) => Some(Err(refused(why, None))),
            _ => self.doubt("it answers another question", turn.now),
        }
    }

    /// Notes an answer that makes no sense. A better one may follow it, but is not waited for as
    /// long as a lost one.
    fn doubt(&mut self, why: &str, now: Now) -> Over {
        self.nonsense.get_or_insert_with(|| Nonsense {
            why: format!("the answer makes no sense: {why}"),
            until: now + limits::UDP_SECOND_ANSWER,
        });
        None
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, turn: &mut Turn<'_>) -> Over {
        if turn.now < self.next_deadline() {
            return None;
        }
        if self.waiting && turn.now >= self.repeat_at {
            self.waiting = false;
            self.ask(turn);
            return None;
        }
        if let Some(Nonsense { why, .. }) = self.nonsense.take() {
            return Some(Err(refused(why, None)));
        }
        self.losses += 1;
        let late = self.give_up.is_some_and(|give_up| turn.now >= give_up);
        if late || self.losses >= limits::UDP_PATIENCE {
            return failed("no answer");
        }
        if self.asked && self.valid(turn.now).is_none() {
            self.ask(turn);
        } else {
            self.send(turn);
        }
        None
    }

    fn valid(&self, now: Now) -> Option<Connection> {
        self.connection.filter(|connection| now < connection.until)
    }

    /// Begins the next request: the question, or one for a connection id.
    fn ask(&mut self, turn: &mut Turn<'_>) {
        self.asked = self.valid(turn.now).is_some();
        self.transaction = turn.rng.bits32();
        self.nonsense = None;
        self.send(turn);
    }

    fn send(&mut self, turn: &mut Turn<'_>) {
        let transaction = self.transaction;
        let request = match self.connection.filter(|_| self.asked) {
            None => Request::Connect { transaction },
            Some(Connection { id, .. }) => match &self.question {
                Question::Announce(query) => Request::Announce {
                    connection: id,
                    transaction,
                    query: query.clone(),
                },
                Question::Scrape(info_hash) => Request::Scrape {
                    connection: id,
                    transaction,
                    info_hashes: vec![*info_hash],
                },
            },
        };
        let mut bytes = Vec::new();
        request.encode(&mut bytes);
        turn.out.push(Action::Datagram { to: self.to, bytes });
        self.repeat_at = turn.now + limits::UDP_RETRY * 2_u32.saturating_pow(self.losses);
    }
}
