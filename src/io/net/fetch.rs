//! HTTP exchanges with trackers over TCP: a connection, a request, and what comes is handed on as
//! it comes. A connection that the answer leaves open is kept for a while, and the next request to
//! the same address goes over it. A step never blocks and does little, so that the loop can stop
//! after any number of steps.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use mio::{Interest, Registry, Token};
use slab::Slab;

use super::route::Route;
use super::stream::{Stream, Target};
use super::tcp;
use crate::base::{Duration, Time, limits, sooner};
use crate::tracker::Id;

/// How long to wait for an answer over a kept connection before the request is repeated over a new
/// one: less than the time for `stopped` at the end.
const SILENCE: Duration = Duration::from_secs(1);

/// The connections, in use and kept.
#[derive(Debug)]
pub struct Fetcher {
    connections: Slab<Connection>,
    tokens: Range<usize>,
    route: Route,
}

#[derive(Debug)]
struct Connection {
    stream: Stream,
    addr: SocketAddr,
    target: Target,
    /// Our address there, once it is up.
    local: Option<IpAddr>,
    used: Use,
}

#[derive(Debug)]
enum Use {
    Exchange(Exchange),
    /// It is kept until this moment.
    Kept(Time),
}

/// A request and its answer.
#[derive(Debug)]
struct Exchange {
    id: Id,
    request: Vec<u8>,
    /// How much of the request went out.
    sent: usize,
    /// How much came back.
    received: u64,
    /// The connection was kept from an exchange before, and is given up for a new one if nothing
    /// came back over it by then.
    again: Option<Time>,
}

/// What a step has come to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// The connection is up, from this local address.
    Connected(IpAddr),
    /// This many bytes are in the buffer.
    Bytes(usize),
    /// It is over: in order, or for this reason. The exchange is gone.
    Closed(Result<(), String>),
    /// Nothing more until the poll says so.
    Wait,
}

/// How an exchange begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start {
    /// A connection is being made.
    Connecting,
    /// A kept connection is used, from this local address.
    Connected(IpAddr),
}

impl Fetcher {
    /// A fetcher whose sockets have these tokens, which bounds their number. They connect by this
    /// route.
    pub fn new(tokens: Range<usize>, route: Route) -> Fetcher {
        Fetcher {
            connections: Slab::new(),
            tokens,
            route,
        }
    }

    /// Begins an exchange, over a connection to that address which is kept, if there is one.
    ///
    /// # Errors
    /// Why it cannot; nothing more is heard of it then.
    pub fn start(
        &mut self,
        id: Id,
        (addr, target): (SocketAddr, Target),
        request: Vec<u8>,
        registry: &Registry,
        now: Time,
    ) -> Result<Start, String> {
        let mut exchange = Exchange {
            id,
            request,
            sent: 0,
            received: 0,
            again: None,
        };
        while let Some(key) = self.newest_kept(addr, &target) {
            let connection = &mut self.connections[key];
            exchange.again = Some(now + SILENCE);
            match connection.take_up(&mut exchange) {
                Ok(local) => {
                    connection.used = Use::Exchange(exchange);
                    return Ok(Start::Connected(local));
                }
                // The server has closed it meanwhile.
                Err(_) => self.close(key, registry),
            }
        }
        exchange.again = None;
        if self.connections.len() >= limits::TRACKER_CONNECTIONS {
            self.close_oldest_kept(registry);
        }
        let entry = self.connections.vacant_entry();
        let token = Token(self.tokens.start + entry.key());
        if !self.tokens.contains(&token.0) {
            return Err(String::from("too many connections to trackers"));
        }
        let connected = connect(&target, &self.route, token, registry);
        let stream = connected.map_err(|error| tcp::plain(&error))?;
        entry.insert(Connection {
            stream,
            addr,
            target,
            local: None,
            used: Use::Exchange(exchange),
        });
        Ok(Start::Connecting)
    }

    /// Ends an exchange, and its connection.
    pub fn abort(&mut self, id: Id, registry: &Registry) {
        if let Some(key) = self.find(id) {
            self.close(key, registry);
        }
    }

    /// Ends an exchange whose answer had this many bytes. The connection is kept for the next to
    /// the same address, unless more came than that, or there are enough.
    pub fn release(&mut self, id: Id, length: u64, registry: &Registry, now: Time) {
        let Some(key) = self.find(id) else { return };
        let connection = &mut self.connections[key];
        let addr = connection.addr;
        match &connection.used {
            Use::Exchange(exchange) if exchange.is_over(length) => {
                connection.used = Use::Kept(now + limits::TRACKER_KEPT_FOR);
            }
            _ => return self.close(key, registry),
        }
        if self.kept().filter(|(_, it)| it.addr == addr).count() > limits::TRACKER_KEPT_EACH {
            self.close(key, registry);
        } else if self.kept().count() > limits::TRACKER_KEPT {
            self.close_oldest_kept(registry);
        }
    }

    /// Whether this is the token of one of its sockets.
    pub fn has(&self, token: Token) -> bool {
        self.tokens.contains(&token.0)
    }

    /// Whether several exchanges are under way, those included whose connections are being made.
    pub fn has_several(&self) -> bool {
        let mut all = self.connections.iter();
        all.nth(self.kept().count() + 1).is_some()
    }

    /// When [`Fetcher::handle_timeout`] is due.
    pub fn next_deadline(&self) -> Option<Time> {
        self.connections
            .iter()
            .map(|(_, connection)| sooner(connection.kept_until(), connection.answer_by()))
            .fold(None, sooner)
    }

    /// Closes connections that were kept for long enough without being used, and repeats over a new
    /// connection what a server does not answer over a kept one: some servers keep a connection
    /// open and serve it no more.
    pub fn handle_timeout(&mut self, registry: &Registry, now: Time) {
        let silent = self.connections.iter().filter(|(_, connection)| {
            let until = connection.answer_by();
            until.is_some_and(|until| until <= now)
        });
        for key in silent.map(|(key, _)| key).collect::<Vec<_>>() {
            // Where that cannot be done, the old one may still answer.
            let _ = self.renew(key, registry);
        }
        let stale = self.connections.iter().filter(|(_, connection)| {
            let until = connection.kept_until();
            until.is_some_and(|until| until <= now)
        });
        for key in stale.map(|(key, _)| key).collect::<Vec<_>>() {
            self.close(key, registry);
        }
    }

    /// The exchange of the socket with this token; none if it is only kept.
    pub fn id(&self, token: Token) -> Option<Id> {
        match &self.connections.get(self.key(token)?)?.used {
            Use::Exchange(exchange) => Some(exchange.id),
            Use::Kept(_) => None,
        }
    }

    /// A kept connection has something to read: its end, or bytes that were not asked for. Either
    /// way it is of no use any more.
    pub fn check_kept(&mut self, token: Token, registry: &Registry) {
        let Some(key) = self.key(token) else { return };
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        if matches!(connection.used, Use::Kept(_)) && connection.stream.is_spent() {
            self.close(key, registry);
        }
    }

    /// Does what can be done at once with the socket of this token: connects, sends, reads what the
    /// buffer holds.
    pub fn step(&mut self, token: Token, buffer: &mut [u8], registry: &Registry) -> Step {
        let Some(key) = self.key(token) else {
            return Step::Wait;
        };
        let Some(connection) = self.connections.get_mut(key) else {
            return Step::Wait;
        };
        let Use::Exchange(exchange) = &mut connection.used else {
            return Step::Wait;
        };
        let closed = match exchange.step(&mut connection.stream, buffer) {
            Ok(Step::Closed(how)) => how,
            Ok(Step::Connected(at)) => {
                connection.local = Some(at);
                return Step::Connected(at);
            }
            Ok(step) => return step,
            Err(error) => Err(tcp::plain(&error)),
        };
        if !exchange.is_unheard() {
            self.close(key, registry);
            return Step::Closed(closed);
        }
        // The server closed it before the request arrived, or closes every connection without an
        // answer.
        match self.renew(key, registry) {
            Ok(()) => Step::Wait,
            Err(error) => {
                self.connections.remove(key);
                Step::Closed(Err(tcp::plain(&error)))
            }
        }
    }

    /// Makes a new connection for the exchange of this one, and asks again.
    fn renew(&mut self, key: usize, registry: &Registry) -> io::Result<()> {
        let token = Token(self.tokens.start + key);
        let connection = &mut self.connections[key];
        if let Use::Exchange(exchange) = &mut connection.used {
            exchange.again = None;
        }
        let fresh = connect(&connection.target, &self.route, token, registry)?;
        let mut old = std::mem::replace(&mut connection.stream, fresh);
        let _ = registry.deregister(&mut old);
        connection.local = None;
        if let Use::Exchange(exchange) = &mut connection.used {
            exchange.sent = 0;
        }
        Ok(())
    }

    fn key(&self, token: Token) -> Option<usize> {
        token.0.checked_sub(self.tokens.start)
    }

    fn find(&self, id: Id) -> Option<usize> {
        let mut all = self.connections.iter();
        let found = all.find(|(_, connection)| match &connection.used {
            Use::Exchange(exchange) => exchange.id == id,
            Use::Kept(_) => false,
        });
        found.map(|(key, _)| key)
    }

    fn kept(&self) -> impl Iterator<Item = (usize, &Connection)> {
        let all = self.connections.iter();
        all.filter(|(_, connection)| matches!(connection.used, Use::Kept(_)))
    }

    fn newest_kept(&self, addr: SocketAddr, target: &Target) -> Option<usize> {
        let same = |it: &Connection| it.addr == addr && it.target == *target;
        let there = self.kept().filter(|(_, it)| same(it));
        let newest = there.max_by_key(|(_, it)| it.kept_until());
        newest.map(|(key, _)| key)
    }

    fn close_oldest_kept(&mut self, registry: &Registry) {
        let oldest = self.kept().min_by_key(|(_, it)| it.kept_until());
        if let Some((key, _)) = oldest {
            self.close(key, registry);
        }
    }

    fn close(&mut self, key: usize, registry: &Registry) {
        if let Some(mut connection) = self.connections.try_remove(key) {
            // It is closed next, which takes it off the poll anyway.
            let _ = registry.deregister(&mut connection.stream);
        }
    }
}

impl Connection {
    fn kept_until(&self) -> Option<Time> {
        match self.used {
            Use::Exchange(_) => None,
            Use::Kept(until) => Some(until),
        }
    }

    /// When an answer over a kept connection is not waited for any more.
    fn answer_by(&self) -> Option<Time> {
        match &self.used {
            Use::Exchange(exchange) if exchange.is_unheard() => exchange.again,
            Use::Exchange(_) | Use::Kept(_) => None,
        }
    }

    /// Sends a request over a kept connection; our address there.
    fn take_up(&mut self, exchange: &mut Exchange) -> io::Result<IpAddr> {
        let local = self.local.ok_or(io::ErrorKind::NotConnected)?;
        if self.stream.is_spent() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        exchange.send(&mut self.stream);
        Ok(local)
    }
}

impl Exchange {
    /// The next step, if there is no error.
    fn step(&mut self, stream: &mut Stream, buffer: &mut [u8]) -> io::Result<Step> {
        if stream.is_connecting() {
            return Ok(if stream.finish()? {
                Step::Connected(stream.local_ip()?)
            } else {
                Step::Wait
            });
        }
        self.send(stream);
        Ok(match stream.read(buffer)? {
            Some(0) => Step::Closed(Ok(())),
            Some(n) => {
                self.received += n as u64;
                Step::Bytes(n)
            }
            None => Step::Wait,
        })
    }

    /// Sends what the socket takes.
    fn send(&mut self, stream: &mut Stream) {
        while self.sent < self.request.len() {
            match stream.write(&self.request[self.sent..]) {
                Ok(Some(n)) => self.sent += n,
                Ok(None) => return,
                // The server may have answered before it closed: reading tells.
                Err(_) => self.sent = self.request.len(),
            }
        }
    }

    /// Whether the server may not have taken the request: it came over a kept connection, and no
    /// byte came back.
    fn is_unheard(&self) -> bool {
        self.again.is_some() && self.received == 0
    }

    /// Whether all was sent and this is all that came.
    fn is_over(&self, length: u64) -> bool {
        self.sent == self.request.len() && self.received == length
    }
}

fn connect(
    target: &Target,
    route: &Route,
    token: Token,
    registry: &Registry,
) -> io::Result<Stream> {
    let mut stream = Stream::connect(target, route)?;
    let interest = Interest::READABLE | Interest::WRITABLE;
    registry.register(&mut stream, token, interest)?;
    Ok(stream)
}

#[cfg(test)]
mod tests;
