//! What the torrents of a process share as they ask trackers: the queue of questions ([`Visits`]),
//! the connection ids of trackers over UDP (BEP 15), and where trackers see us. It is lent to each
//! [`Trackers`](super::Trackers) with every call.
//!
//! A connection id is the tracker's name for our address and serves all torrents for a minute. One
//! question at a time asks a tracker for it; others to that address wait until it is there, and
//! fail together with that one if the tracker is silent.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

use super::action::{Id, Input};
use super::locals::Locals;
use super::site::Sites;
use super::visits::{Ticket, Visits};
use crate::base::{Time, TorrentKey, limits, plain};
use crate::wire::udp_tracker::Response;

/// The shared part. After each call of a torrent's machine, and when [`Shared::next_deadline`] has
/// come, [`Shared::next_admitted`] is to be called until there is none, and each result handed to
/// the machine of its torrent.
#[derive(Debug, Default)]
pub struct Shared {
    pub(super) locals: Locals,
    /// The trackers that the torrents name.
    pub(super) sites: Sites,
    visits: Visits,
    connections: BTreeMap<SocketAddr, Connection>,
    /// Which question waits for the answer to a datagram, by where that went and its transaction
    /// id.
    asked: BTreeMap<(SocketAddr, u32), Id>,
    /// Questions that waited for a connection id that did not come.
    unanswered: VecDeque<Id>,
}

/// A connection id of one tracker, or the attempt to get one.
#[derive(Debug, Default)]
struct Connection {
    known: Option<Known>,
    /// The question that asks for one.
    asking: Option<Id>,
    /// Questions that wait for that.
    waiting: Vec<Ticket>,
}

/// A connection id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Known {
    /// The id.
    pub id: u64,
    /// When it came.
    pub since: Time,
}

impl Shared {
    /// The torrents that an input concerns. An input that concerns no torrent in particular is
    /// noted here.
    pub fn recipients(&mut self, input: &Input<'_>) -> Vec<TorrentKey> {
        match *input {
            Input::Resolved { id, .. }
            | Input::Connected { id }
            | Input::Bytes { id, .. }
            | Input::Closed { id, .. }
            | Input::Admitted { id }
            | Input::Unanswered { id } => vec![id.torrent],
            Input::MayAsk { torrent } => vec![torrent],
            Input::Datagram { from, bytes } => {
                let transaction = Response::transaction(bytes);
                let asked = transaction.and_then(|number| self.asked.get(&(plain(from), number)));
                asked.map(|id| id.torrent).into_iter().collect()
            }
            Input::Undeliverable { to, .. } => {
                let asked = self.asked.range((to, 0)..=(to, u32::MAX));
                let waiting = self.connections.get(&to).map(|known| &known.waiting[..]);
                let waiting = waiting.unwrap_or_default().iter();
                let all: BTreeSet<TorrentKey> = asked
                    .map(|(_, id)| id.torrent)
                    .chain(waiting.map(|ticket| ticket.id.torrent))
                    .collect();
                all.into_iter().collect()
            }
            Input::Seen { at } => {
                self.locals.note(at);
                Vec::new()
            }
        }
    }

    /// The next question that may be sent, or whose connection id did not come, or the next torrent
    /// that may begin to ask.
    pub fn next_admitted(&mut self, now: Time) -> Option<Input<'static>> {
        if let Some(id) = self.unanswered.pop_front() {
            return Some(Input::Unanswered { id });
        }
        if let Some(torrent) = self.sites.next_torrent() {
            return Some(Input::MayAsk { torrent });
        }
        let ticket = self.visits.next(now)?;
        Some(Input::Admitted { id: ticket.id })
    }

    /// When [`Shared::next_admitted`] is to be called again.
    pub fn next_deadline(&self) -> Option<Time> {
        if self.unanswered.is_empty() && !self.sites.has_next() {
            self.visits.next_deadline()
        } else {
            Some(Time::default())
        }
    }

    /// A question is to be asked: [`Shared::next_admitted`] names it when it may be.
    pub(super) fn enter(&mut self, ticket: Ticket, now: Time) {
        match self.connections.get_mut(&ticket.addr) {
            Some(connection) if !ticket.connects && connection.asking.is_some() => {
                connection.waiting.push(ticket);
            }
            _ => self.visits.enter(ticket, now),
        }
    }

    /// A question over HTTP is over, or is not to be asked any more.
    pub(super) fn leave(&mut self, id: Id, now: Time) {
        self.visits.leave(id, now);
    }

    /// The same for one over UDP. Those that waited for it to get a connection id go on without it.
    pub(super) fn leave_udp(&mut self, ticket: Ticket, transaction: u32, now: Time) {
        self.visits.leave(ticket.id, now);
        self.unanswered.retain(|&id| id != ticket.id);
        self.forget_asked(ticket, transaction);
        let Some(connection) = self.connections.get_mut(&ticket.addr) else {
            return;
        };
        connection.waiting.retain(|other| other.id != ticket.id);
        if connection.asking == Some(ticket.id) {
            connection.asking = None;
            for other in std::mem::take(&mut connection.waiting) {
                self.visits.enter(other, now);
            }
        }
    }

    /// The address has answered as a tracker does.
    pub(super) fn prove(&mut self, addr: SocketAddr, now: Time) {
        self.visits.prove(addr, now);
    }

    /// The connection id of a tracker, if it is still valid.
    pub(super) fn connection(&self, addr: SocketAddr, now: Time) -> Option<Known> {
        let known = self.connections.get(&addr)?.known;
        known.filter(|known| now.since(known.since) < limits::UDP_CONNECTION)
    }

    /// Whether a question other than this asks that tracker for a connection id.
    pub(super) fn is_connecting(&self, ticket: Ticket) -> bool {
        let asking = self.connections.get(&ticket.addr).and_then(|it| it.asking);
        asking.is_some_and(|id| id != ticket.id)
    }

    /// This question asks for a connection id. All others to that address wait for it.
    pub(super) fn connect(&mut self, ticket: Ticket, now: Time) {
        self.connections.retain(|_, connection| {
            let holds = |known: Known| now.since(known.since) < limits::UDP_CONNECTION;
            connection.asking.is_some() || connection.known.is_some_and(holds)
        });
        let waiting = self.visits.take_waiting(ticket.addr, now);
        let connection = self.connections.entry(ticket.addr).or_default();
        connection.asking = Some(ticket.id);
        connection.waiting.extend(waiting);
    }

    /// The connection id came that this question asked for.
    pub(super) fn connected(&mut self, ticket: Ticket, id: u64, now: Time) {
        let connection = self.connections.entry(ticket.addr).or_default();
        connection.known = Some(Known { id, since: now });
        connection.asking = None;
        for other in std::mem::take(&mut connection.waiting) {
            self.visits.enter(other, now);
        }
    }

    /// A tracker does not know a connection id any more.
    pub(super) fn disown(&mut self, addr: SocketAddr, id: u64) {
        if let Some(connection) = self.connections.get_mut(&addr) {
            connection.known = connection.known.filter(|known| known.id != id);
        }
    }

    /// The tracker did not give this question a connection id: all that wait for it have failed.
    pub(super) fn silent(&mut self, ticket: Ticket) {
        if let Some(connection) = self.connections.get_mut(&ticket.addr) {
            if connection.asking == Some(ticket.id) {
                let waiting = std::mem::take(&mut connection.waiting);
                self.unanswered.extend(waiting.iter().map(|other| other.id));
            }
        }
    }

    /// A question waits for the answer to a datagram.
    pub(super) fn note_asked(&mut self, ticket: Ticket, transaction: u32) {
        self.asked.insert((ticket.addr, transaction), ticket.id);
    }

    /// It waits for it no longer.
    pub(super) fn forget_asked(&mut self, ticket: Ticket, transaction: u32) {
        let key = (ticket.addr, transaction);
        if self.asked.get(&key) == Some(&ticket.id) {
            self.asked.remove(&key);
        }
    }
}
