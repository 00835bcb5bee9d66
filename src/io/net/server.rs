//! The server of remote control: it listens, and hands out requests as texts to be answered. It
//! does not know what they mean. Clients are bounded in number, bytes and idle time.

use std::ops::Range;
use std::path::Path;

use mio::event::Event;
use mio::net::{UnixListener, UnixStream};
use mio::{Interest, Registry, Token};
use slab::Slab;

use super::client::{Client, Room, Step};
use super::tcp;
use super::unix::{self, SocketGuard};
use crate::base::{Time, limits};
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
    _guard: SocketGuard,
    tokens: Range<usize>,
    clients: Slab<(u64, Client<UnixStream>)>,
    /// Clients that have come so far.
    serial: u64,
    /// Slots of clients whose turn it is.
    ready: Vec<usize>,
    /// Slots of clients that have a request, or send one, for which there was no room.
    held: Vec<usize>,
    /// Whether a client may wait to be accepted.
    calling: bool,
    /// Whether a client has gone, since it was last asked.
    has_gone: bool,
}

impl Server {
    /// Takes a folder, and listens on its Unix socket. `tokens`: the listener's, then those of
    /// [`limits::CONTROL_CLIENTS`] clients.
    ///
    /// # Errors
    /// Why not, as a line for the user.
    pub fn open(dir: &Path, registry: &Registry, tokens: Range<usize>) -> Result<Server, String> {
        let (listener, guard) = unix::listen(dir)?;
        let mut listener = UnixListener::from_std(listener);
        registry
            .register(&mut listener, Token(tokens.start), Interest::READABLE)
            .map_err(|error| format!("poll: {}", tcp::plain(&error)))?;
        Ok(Server {
            listener,
            _guard: guard,
            tokens,
            clients: Slab::new(),
            serial: 0,
            ready: Vec::new(),
            held: Vec::new(),
            calling: true,
            has_gone: false,
        })
    }

    /// Notes what the poll says of a socket whose token is the server's.
    pub fn on_event(&mut self, event: &Event) {
        let Some(slot) = event.token().0.checked_sub(self.tokens.start + 1) else {
            self.calling = true;
            return;
        };
        if let Some((_, client)) = self.clients.get_mut(slot) {
            // What it sent before is still to be read.
            client.has_hung_up |= event.is_read_closed() && event.is_write_closed();
            self.has_gone |= client.has_hung_up;
        }
        self.make_ready(slot);
    }

    /// The next request, if there is room for it beside those of so many bytes that are `at_work`
    /// and the answers that clients have not taken. To be called until there is none;
    /// [`Server::is_pending`] then tells whether to come again at once.
    pub fn next_request(
        &mut self,
        registry: &Registry,
        at_work: usize,
        now: Time,
    ) -> Option<(ClientKey, Incoming)> {
        self.accept(registry, now);
        // Each of them once: a client that has more to say is on the list again for the next time.
        for _ in 0..self.ready.len() {
            let slot = self.ready.remove(0);
            let room = self.room(slot, at_work);
            let Some((serial, client)) = self.clients.get_mut(slot) else {
                continue;
            };
            let key = ClientKey {
                slot,
                serial: *serial,
            };
            let unsent = client.unsent();
            let step = client.step(room, now);
            if client.unsent() < unsent {
                self.make_held_ready();
            }
            if matches!(step, Step::Request(_) | Step::TooLong) {
                self.make_held_ready();
            }
            match step {
                Step::Request(request) => return Some((key, Incoming::Request(request))),
                Step::TooLong => return Some((key, Incoming::TooLong)),
                // More of what it sends may have come meanwhile.
                Step::Held if self.held.contains(&slot) => {}
                Step::Held => self.held.push(slot),
                Step::Again => self.make_ready(slot),
                Step::Wait => {}
                Step::Close => self.close(slot, registry),
            }
        }
        None
    }

    /// What a client may take of what all of them share. The one that has sent most may always send
    /// the rest: were all of them to wait for each other, none would come to an end.
    fn room(&self, slot: usize, at_work: usize) -> Room {
        let buffered = self.clients.iter();
        let buffered = buffered.map(|(slot, (_, client))| (client.buffered(), slot));
        let is_furthest = buffered.clone().max().is_some_and(|(_, it)| it == slot);
        let others = buffered.filter(|(_, other)| *other != slot);
        let left = |taken| limits::CONTROL_BYTES.saturating_sub(taken);
        let beside = left(others.map(|(bytes, _)| bytes).sum());
        Room {
            buffer: if is_furthest {
                limits::CONTROL_REQUEST
            } else {
                beside.max(limits::CONTROL_SHORT)
            },
            request: if self.is_full() {
                0
            } else {
                left(at_work).max(limits::CONTROL_SHORT)
            },
        }
    }

    /// Whether clients have not taken so many answers that no more are made. The one that has most
    /// to take does not count: a single slow one keeps no other waiting.
    fn is_full(&self) -> bool {
        let clients = self.clients.iter();
        let unsent = clients.map(|(_, (_, client))| client.unsent());
        let most = unsent.clone().max().unwrap_or(0);
        unsent.sum::<usize>() - most >= limits::CONTROL_UNSENT
    }

    /// Whether the next turn has something to do though nothing happens.
    pub fn is_pending(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Whether the next request of a batch may be answered. A client that is gone takes anything.
    pub fn takes(&self, key: ClientKey) -> bool {
        let client = self.client(key);
        client.is_none_or(|it| it.unsent() <= limits::CONTROL_SHORT && !self.is_full())
    }

    /// Whether a client is connected.
    pub fn has_clients(&self) -> bool {
        !self.clients.is_empty()
    }

    /// Whether a client waits for an answer.
    pub fn has(&self, key: ClientKey) -> bool {
        self.client(key).is_some_and(|client| !client.has_hung_up)
    }

    /// Whether a client has gone since this was last asked.
    pub fn take_gone(&mut self) -> bool {
        std::mem::take(&mut self.has_gone)
    }

    fn client(&self, key: ClientKey) -> Option<&Client<UnixStream>> {
        let client = self.clients.get(key.slot);
        let client = client.filter(|(serial, _)| *serial == key.serial);
        client.map(|(_, client)| client)
    }

    /// Sends a part of the answer to a request. If the client is gone, nothing happens.
    pub fn send(&mut self, key: ClientKey, text: String, now: Time) {
        self.change_client(key, |client| client.send(text, now));
    }

    /// Answers a request; `None`: with nothing more. What it was decides whether the client is
    /// closed afterwards, see `Client::answer`. If the client is gone, nothing happens.
    pub fn answer(&mut self, key: ClientKey, text: Option<String>, heard: Heard, now: Time) {
        self.change_client(key, |client| client.answer(text, heard, now));
        self.make_held_ready();
    }

    fn change_client(&mut self, key: ClientKey, change: impl FnOnce(&mut Client<UnixStream>)) {
        let client = self.clients.get_mut(key.slot);
        if let Some((_, client)) = client.filter(|(serial, _)| *serial == key.serial) {
            change(client);
            self.make_ready(key.slot);
        }
    }

    /// When a client has been idle for too long.
    pub fn next_deadline(&self) -> Option<Time> {
        let is_full = self.is_full();
        let clients = self.clients.iter();
        let late = clients.filter_map(|(_, (_, client))| late_at(client, is_full));
        late.min()
    }

    /// Closes clients that have been idle for too long, or do not read.
    pub fn sweep(&mut self, registry: &Registry, now: Time) {
        let is_full = self.is_full();
        let clients = self.clients.iter();
        let late = clients.filter(|(_, (_, it))| late_at(it, is_full).is_some_and(|at| at <= now));
        let late: Vec<usize> = late.map(|(slot, _)| slot).collect();
        for slot in late {
            self.close(slot, registry);
        }
    }

    fn make_held_ready(&mut self) {
        for slot in std::mem::take(&mut self.held) {
            self.make_ready(slot);
        }
    }

    fn make_ready(&mut self, slot: usize) {
        if !self.ready.contains(&slot) {
            self.ready.push(slot);
        }
    }

    fn accept(&mut self, registry: &Registry, now: Time) {
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
        let clients = self.clients.iter();
        let clients = clients.filter(|(_, (_, client))| client.silent_since().is_some());
        let idlest = clients.min_by_key(|(_, (_, client))| client.moved);
        let slot = idlest.map(|(slot, _)| slot);
        slot.map(|slot| self.close(slot, registry)).is_some()
    }

    fn close(&mut self, slot: usize, registry: &Registry) {
        if let Some((_, mut client)) = self.clients.try_remove(slot) {
            // It is closed by being dropped; the poll forgets it by itself.
            let _ = registry.deregister(&mut client.stream);
            self.has_gone = true;
            self.ready.retain(|&other| other != slot);
            self.held.retain(|&other| other != slot);
            self.make_held_ready();
        }
    }
}

/// When a client is closed unless it does something. `is_full`: others wait for it to read.
fn late_at(client: &Client<UnixStream>, is_full: bool) -> Option<Time> {
    let patience = if is_full && client.unsent() > 0 {
        limits::CONTROL_STUCK
    } else {
        limits::CONTROL_IDLE
    };
    client.silent_since().map(|since| since + patience)
}

#[cfg(test)]
mod tests;
