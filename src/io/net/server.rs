//! The server of remote control: it listens, and hands out requests as texts to be answered. It
//! does not know what they mean. Clients are bounded in number, bytes and idle time.

use std::ops::Range;
use std::path::Path;

use mio::event::Event;
use mio::net::{UnixListener, UnixStream};
use mio::{Interest, Registry, Token};
use slab::Slab;

use super::client::{Client, Step};
use super::link;
use super::unix::{self, Place};
use crate::base::{Now, limits};
use crate::rpc::Heard;

/// A client, as long as it is connected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClientKey {
    slot: usize,
    /// Tells it from another that has its slot later.
    serial: u64,
}

/// What a client sends.
#[derive(Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A request: one line.
    Request(Vec<u8>),
    /// The beginning of a request that is too long.
    TooLong,
}

/// The server.
#[derive(Debug)]
pub struct Server {
    listener: UnixListener,
    _place: Place,
    tokens: Range<usize>,
    clients: Slab<(u64, Client<UnixStream>)>,
    /// Clients that have come so far.
    serial: u64,
    /// Slots of clients whose turn it is.
    ready: Vec<usize>,
    /// Whether a client may wait to be accepted.
    calling: bool,
}

impl Server {
    /// Takes a folder, and listens on its Unix socket. `tokens`: the listener's, then those of
    /// [`limits::CONTROL_CLIENTS`] clients.
    ///
    /// # Errors
    /// Why not, as a line for the user.
    pub fn open(dir: &Path, registry: &Registry, tokens: Range<usize>) -> Result<Server, String> {
        let (listener, place) = unix::listen(dir)?;
        let mut listener = UnixListener::from_std(listener);
        registry
            .register(&mut listener, Token(tokens.start), Interest::READABLE)
            .map_err(|error| format!("poll: {}", link::plain(&error)))?;
        Ok(Server {
            listener,
            _place: place,
            tokens,
            clients: Slab::new(),
            serial: 0,
            ready: Vec::new(),
            calling: true,
        })
    }

    /// Notes what the poll says of a socket whose token is the server's.
    pub fn on_event(&mut self, event: &Event) {
        match event.token().0.checked_sub(self.tokens.start + 1) {
            None => self.calling = true,
            Some(slot) => self.make_ready(slot),
        }
    }

    /// The next request. To be called until there is none; [`Server::is_pending`] then tells
    /// whether to come again at once.
    pub fn next_request(&mut self, registry: &Registry, now: Now) -> Option<(ClientKey, Incoming)> {
        self.accept(registry, now);
        // Each of them once: a client that has more to say is on the list again for the next time.
        for _ in 0..self.ready.len() {
            let slot = self.ready.remove(0);
            let buffered: usize = self
                .clients
                .iter()
                .map(|(_, (_, client))| client.buffered())
                .sum();
            let room = limits::CONTROL_BYTES.saturating_sub(buffered);
            let Some((serial, client)) = self.clients.get_mut(slot) else {
                continue;
            };
            let key = ClientKey {
                slot,
                serial: *serial,
            };
            match client.step(room, now) {
                Step::Request(request) => return Some((key, Incoming::Request(request))),
                Step::TooLong => return Some((key, Incoming::TooLong)),
                Step::Again => self.make_ready(slot),
                Step::Wait => {}
                Step::Close => self.close(slot, registry),
            }
        }
        None
    }

    /// Whether the next turn has something to do though nothing happens.
    pub fn is_pending(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Answers a request; `None`: with nothing. What it was decides whether the client is closed
    /// afterwards, see `Client::answer`. If the client is gone, nothing happens.
    pub fn answer(&mut self, key: ClientKey, text: Option<&str>, heard: Heard) {
        let client = self.clients.get_mut(key.slot);
        if let Some((_, client)) = client.filter(|(serial, _)| *serial == key.serial) {
            client.answer(text, heard);
            self.make_ready(key.slot);
        }
    }

    /// When a client has been idle for too long.
    pub fn next_deadline(&self) -> Option<Now> {
        let clients = self.clients.iter().map(|(_, (_, client))| client);
        let idle = clients.filter(|client| !client.is_busy);
        idle.map(|client| client.moved + limits::CONTROL_IDLE).min()
    }

    /// Closes clients that have been idle for too long, or do not read.
    pub fn sweep(&mut self, registry: &Registry, now: Now) {
        let late = |client: &Client<UnixStream>| {
            !client.is_busy && client.moved + limits::CONTROL_IDLE <= now
        };
        let late: Vec<usize> = {
            let clients = self.clients.iter();
            clients
                .filter(|(_, (_, client))| late(client))
                .map(|(slot, _)| slot)
                .collect()
        };
        for slot in late {
            self.close(slot, registry);
        }
    }

    fn make_ready(&mut self, slot: usize) {
        if !self.ready.contains(&slot) {
            self.ready.push(slot);
        }
    }

    fn accept(&mut self, registry: &Registry, now: Now) {
        // As many as there may be, so that a flood of them does not keep the others waiting.
        for _ in 0..limits::CONTROL_CLIENTS {
            if !self.calling {
                return;
            }
            // None waits, or the system has no more handles: then clients that wait are accepted
            // when the next one connects.
            let Ok((mut stream, _)) = self.listener.accept() else {
                self.calling = false;
                return;
            };
            if self.clients.len() >= limits::CONTROL_CLIENTS && !self.make_room(registry) {
                continue;
            }
            let entry = self.clients.vacant_entry();
            let slot = entry.key();
            let token = Token(self.tokens.start + 1 + slot);
            let both = Interest::READABLE | Interest::WRITABLE;
            if registry.register(&mut stream, token, both).is_ok() {
                self.serial += 1;
                entry.insert((self.serial, Client::new(stream, now)));
                self.make_ready(slot);
            }
        }
    }

    /// Closes the client of which nothing was heard for the longest time; `false` if all of them
    /// wait for answers of ours.
    fn make_room(&mut self, registry: &Registry) -> bool {
        let clients = self
            .clients
            .iter()
            .filter(|(_, (_, client))| !client.is_busy);
        let idlest = clients.min_by_key(|(_, (_, client))| client.moved);
        let slot = idlest.map(|(slot, _)| slot);
        slot.map(|slot| self.close(slot, registry)).is_some()
    }

    fn close(&mut self, slot: usize, registry: &Registry) {
        if let Some((_, mut client)) = self.clients.try_remove(slot) {
            // It is closed by being dropped; the poll forgets it by itself.
            let _ = registry.deregister(&mut client.stream);
            self.ready.retain(|&other| other != slot);
        }
    }
}

#[cfg(test)]
mod tests;
