//! TCP exchanges with trackers: connect, send a request, read until the other end closes or nobody
//! listens any more. What comes is handed on as it comes. A step never blocks and does little, so
//! that the caller can stop after as many as it likes.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use slab::Slab;

use super::link;
use crate::tracker::Id;

/// The exchanges under way.
#[derive(Debug)]
pub struct Fetcher {
    fetches: Slab<Fetch>,
    tokens: Range<usize>,
    bind: Option<IpAddr>,
}

#[derive(Debug)]
struct Fetch {
    id: Id,
    stream: TcpStream,
    connected: bool,
    unsent: Vec<u8>,
}

/// What a step has come to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// The connection is up, from this local address.
    Connected(IpAddr),
    /// So many bytes are in the buffer.
    Bytes(usize),
    /// It is over: in order, or for this reason. The exchange is gone.
    Closed(Result<(), String>),
    /// Nothing more until the poll says so.
    Wait,
}

impl Fetcher {
    /// A fetcher whose sockets have these tokens, which bounds their number. They connect from this
    /// local address, if one is named.
    pub fn new(tokens: Range<usize>, bind: Option<IpAddr>) -> Fetcher {
        Fetcher {
            fetches: Slab::new(),
            tokens,
            bind,
        }
    }

    /// Begins an exchange.
    ///
    /// # Errors
    /// Why it cannot; nothing more is heard of it then.
    pub fn start(
        &mut self,
        id: Id,
        addr: SocketAddr,
        request: Vec<u8>,
        registry: &Registry,
    ) -> Result<(), String> {
        let entry = self.fetches.vacant_entry();
        let token = Token(self.tokens.start + entry.key());
        if !self.tokens.contains(&token.0) {
            return Err(String::from("too many connections to trackers"));
        }
        let dialled = link::dial(addr, self.bind).and_then(|mut stream| {
            let interest = Interest::READABLE | Interest::WRITABLE;
            registry.register(&mut stream, token, interest)?;
            Ok(stream)
        });
        let stream = dialled.map_err(|error| link::plain(&error))?;
        entry.insert(Fetch {
            id,
            stream,
            connected: false,
            unsent: request,
        });
        Ok(())
    }

    /// Ends an exchange.
    pub fn abort(&mut self, id: Id, registry: &Registry) {
        let found = self.fetches.iter().find(|(_, fetch)| fetch.id == id);
        if let Some((key, _)) = found {
            self.end(key, registry);
        }
    }

    /// Whose socket has this token.
    pub fn id(&self, token: Token) -> Option<Id> {
        self.fetches.get(self.key(token)?).map(|fetch| fetch.id)
    }

    /// Does what can be done at once with the socket of this token: connects, sends, reads what the
    /// buffer holds.
    pub fn step(&mut self, token: Token, buffer: &mut [u8], registry: &Registry) -> Step {
        let Some(key) = self.key(token) else {
            return Step::Wait;
        };
        let Some(fetch) = self.fetches.get_mut(key) else {
            return Step::Wait;
        };
        let closed = match fetch.step(buffer) {
            Ok(Some(0)) => Ok(()),
            Ok(Some(n)) => return Step::Bytes(n),
            Ok(None) => match fetch.stream.local_addr() {
                Ok(local) => return Step::Connected(local.ip()),
                Err(error) => Err(link::plain(&error)),
            },
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Step::Wait,
            Err(error) => Err(link::plain(&error)),
        };
        self.end(key, registry);
        Step::Closed(closed)
    }

    fn key(&self, token: Token) -> Option<usize> {
        token.0.checked_sub(self.tokens.start)
    }

    fn end(&mut self, key: usize, registry: &Registry) {
        if let Some(mut fetch) = self.fetches.try_remove(key) {
            // It is closed next, which takes it off the poll anyway.
            let _ = registry.deregister(&mut fetch.stream);
        }
    }
}

impl Fetch {
    /// The number of bytes read (0: the other end has closed), or `None`: the connection is up.
    fn step(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        if !self.connected {
            if let Some(error) = self.stream.take_error()? {
                return Err(error);
            }
            self.stream
                .peer_addr()
                .map_err(|error| match error.kind() {
                    io::ErrorKind::NotConnected => io::ErrorKind::WouldBlock.into(),
                    _ => error,
                })?;
            self.connected = true;
            return Ok(None);
        }
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(n) => drop(self.unsent.drain(..n)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // The other end may have answered before it closed: reading tells.
                Err(_) => self.unsent.clear(),
            }
        }
        loop {
            match self.stream.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other.map(Some),
            }
        }
    }
}
