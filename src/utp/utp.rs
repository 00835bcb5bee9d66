//! All connections over uTP, and what happened to them.

use std::collections::VecDeque;
use std::net::SocketAddr;

use slab::Slab;

use super::connection::{Connection, Gone, Reason, State};
use super::departing::{Datagrams, Fragments};
use super::strays::Strays;
use crate::base::{Duration, Rng, SortedMap, SortedSet, Time, limits};
use crate::wire::utp_packet::{Kind, Packet};

/// The key of a connection. It may be another one's once the connection was closed, or its owner
/// was told that it is gone.
pub type Key = usize;

/// Deadlines are this far ahead at least, so that none is met twice at one moment.
const SOON: Duration = Duration::from_millis(1);

/// What happened to a connection. The number is that of its owner.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// A peer called from this address: it is to be given an owner by [`Utp::own`], or to be
    /// closed.
    Accepted(Key, SocketAddr),
    /// Our call was answered.
    Connected(usize, Key),
    /// There is something to read.
    Readable(usize),
    /// There is room to write again.
    Writable(usize),
    /// It is over, and forgotten.
    Gone(usize, Key, Gone),
}

/// What was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Read {
    /// So many bytes. `false`: there are no more now.
    Bytes(usize, bool),
    /// Nothing now.
    Nothing,
    /// Everything was read, and nothing follows.
    End,
}

/// All connections.
#[derive(Debug)]
pub struct Utp {
    rng: Rng,
    connections: Slab<Connection>,
    /// By the address of the other end and the number by which it names the connection.
    named: SortedMap<(SocketAddr, u16), Key>,
    timers: SortedSet<(Time, Key)>,
    /// Connections that may have something to send.
    due: VecDeque<Key>,
    events: VecDeque<Event>,
    strays: Strays,
    /// Bytes that all may take together, and that each may take in any case.
    memory: usize,
    share: usize,
    /// Bytes that they take.
    used: usize,
    /// Connections that peers began and that have acknowledged no packet of ours.
    unproven: usize,
}

impl Utp {
    /// No connections. All of them may take `memory` bytes, and each `share` in any case. `seed`
    /// decides everything random.
    pub fn new(memory: usize, share: usize, seed: u64) -> Utp {
        let mut rng = Rng::from_seed(seed);
        Utp {
            strays: Strays::new(rng.bits64()),
            rng,
            connections: Slab::new(),
            named: SortedMap::default(),
            timers: SortedSet::default(),
            due: VecDeque::new(),
            events: VecDeque::new(),
            memory,
            share,
            used: 0,
            unproven: 0,
        }
    }

    /// Connections that there are, those included that are about to end.
    pub fn len(&self) -> usize {
        self.connections.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    /// Bytes of content that are kept for all of them.
    pub fn bytes(&self) -> usize {
        self.used
    }

    /// Whether [`Utp::next_event`] has something to tell.
    pub fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// Calls a peer. `None`: there are too many connections.
    pub fn connect(&mut self, to: SocketAddr, owner: usize, now: Time) -> Option<Key> {
        if self.connections.len() >= limits::UTP_CONNECTIONS {
            return None;
        }
        // The number next to it is the other end's name for it.
        let mut id = self.rng.bits32() as u16;
        while self.named.contains_key(&(to, id)) {
            id = id.wrapping_add(1);
        }
        let number = self.rng.bits32() as u16;
        let connection = Connection::call(to, id, number, owner, now);
        Some(self.insert(connection, now))
    }

    /// Gives a connection that a peer began an owner.
    pub fn own(&mut self, key: Key, owner: usize, now: Time) {
        if let Some(connection) = self.connections.get_mut(key) {
            connection.owner = Some(owner);
            self.settle(key, now);
        }
    }

    /// Takes a datagram that came from this address. `welcome`: whether a peer there may call,
    /// which is asked only if the packet belongs to no connection.
    pub fn receive(
        &mut self,
        from: SocketAddr,
        datagram: &[u8],
        welcome: impl FnOnce() -> bool,
        now: Time,
    ) {
        let Ok((packet, body)) = Packet::read(datagram) else {
            return;
        };
        let known = match packet.kind {
            Kind::Syn => return self.on_call(from, &packet, welcome, now),
            Kind::Reset => self.meant_by_reset(from, packet.connection),
            _ => self.named.get(&(from, packet.connection)).copied(),
        };
        let key = match known {
            Some(key) => key,
            None => match self.strays.admits(from, &packet, now) {
                Some((call, cookie)) if self.has_place() && welcome() => {
                    self.unproven += 1;
                    let id = packet.connection.wrapping_sub(1);
                    let connection = Connection::accept(from, id, call, cookie, now);
                    let key = self.insert(connection, now);
                    self.events.push_back(Event::Accepted(key, from));
                    key
                }
                _ => return self.strays.refuse(from, &packet, now),
            },
        };
        let most = self.most(key).min(limits::UTP_WINDOW);
        let connection = &mut self.connections[key];
        let calling = matches!(connection.state, State::Calling(..));
        let proven = connection.notes.proven;
        connection.receive(&packet, body, most, now);
        if connection.notes.proven && !proven && connection.notes.call.is_some() {
            self.unproven -= 1;
        }
        if calling && connection.state == State::Open {
            let owner = connection.owner;
            self.events
                .extend(owner.map(|owner| Event::Connected(owner, key)));
        }
        self.settle(key, now);
    }

    /// Whether a peer may begin one more connection.
    fn has_place(&self) -> bool {
        self.connections.len() < limits::UTP_CONNECTIONS - limits::UTP_OWN
            && self.unproven < limits::UTP_UNPROVEN
    }

    fn on_call(
        &mut self,
        from: SocketAddr,
        packet: &Packet,
        welcome: impl FnOnce() -> bool,
        now: Time,
    ) {
        let known = self
            .named
            .contains_key(&(from, packet.connection.wrapping_add(1)));
        if !known && welcome() {
            self.strays.answer(from, packet, now);
        }
    }

    /// A packet that ends a connection names it as either end does: some clients send back the
    /// number of what they refuse.
    fn meant_by_reset(&self, from: SocketAddr, id: u16) -> Option<Key> {
        let ids = [id, id.wrapping_sub(1), id.wrapping_add(1)];
        let mut keys = ids
            .iter()
            .filter_map(|id| self.named.get(&(from, *id)).copied());
        keys.find(|&key| {
            let connection = &self.connections[key];
            connection.receive_id == id || connection.send_id == id
        })
    }

    /// Reads from a connection.
    pub fn read(&mut self, key: Key, buffer: &mut [u8], now: Time) -> Read {
        let most = self.most(key);
        let Some(connection) = self.connections.get_mut(key) else {
            return Read::End;
        };
        let most = most.min(connection.trips.window());
        let n = connection.receiver.read(buffer);
        let more = connection.receiver.is_readable();
        connection.notes.readable = more;
        if n == 0 {
            let over = connection.receiver.is_over();
            return if over { Read::End } else { Read::Nothing };
        }
        // The other end may wait for room.
        let (told, room) = (
            connection.acks.told,
            most.saturating_sub(connection.receiver.bytes()),
        );
        connection.acks.urgent |= told < most / 2 && room >= told + most / 4;
        self.settle(key, now);
        Read::Bytes(n, more)
    }

    /// Bytes that a connection takes now.
    pub fn room(&self, key: Key) -> usize {
        let most = self.most(key).min(limits::UTP_UNSENT);
        self.connections
            .get(key)
            .map_or(0, |connection| connection.room(most))
    }

    /// Writes to a connection: the number of bytes taken. If that is less than all, its owner will
    /// hear that there is room again.
    pub fn write(&mut self, key: Key, bytes: &[u8], now: Time) -> usize {
        let taken = self.room(key).min(bytes.len());
        let Some(connection) = self.connections.get_mut(key) else {
            return 0;
        };
        connection.notes.blocked = taken < bytes.len();
        if taken > 0 {
            connection.sender.write(&bytes[..taken]);
            self.settle(key, now);
        }
        taken
    }

    /// What is written to a connection next goes into another packet than what was written before.
    pub fn end_packet(&mut self, key: Key) {
        if let Some(connection) = self.connections.get_mut(key) {
            connection.sender.end_packet();
        }
    }

    /// Refuses a connection that a peer began, and forgets it at once.
    pub fn turn_away(&mut self, key: Key, now: Time) {
        if let Some(connection) = self.connections.get(key) {
            self.strays.hang_up(connection.to, connection.send_id, now);
            self.forget(key, now);
        }
    }

    /// Closes a connection: what was written is sent, and then that this is the end, and why.
    pub fn close(&mut self, key: Key, reason: Reason, now: Time) {
        if let Some(connection) = self.connections.get_mut(key) {
            if matches!(connection.state, State::Calling(..)) {
                // The call may have got there.
                self.strays.hang_up(connection.to, connection.send_id, now);
            }
            connection.close(reason, now);
            self.settle(key, now);
        }
    }

    /// A datagram that is not to be cut on its way cannot be sent as it is.
    pub fn on_too_large(&mut self, to: SocketAddr, datagram: &[u8], now: Time) {
        let Ok(packet) = Packet::parse(datagram) else {
            return;
        };
        let id = packet.connection;
        let mut keys = [id.wrapping_sub(1), id.wrapping_add(1)].into_iter();
        let key = keys.find_map(|receive_id| {
            let key = *self.named.get(&(to, receive_id))?;
            (self.connections[key].send_id == id).then_some(key)
        });
        if let Some(key) = key {
            self.connections[key].on_too_large(now);
            self.settle(key, now);
        }
    }

    /// What happened next to any connection.
    pub fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Puts the datagrams to be sent next into the buffer, in place of what it holds; `None`:
    /// nothing is to be sent now.
    pub fn transmit(&mut self, out: &mut Vec<u8>, now: Time) -> Option<Datagrams> {
        out.clear();
        if let Some((to, each)) = self.strays.transmit(out) {
            let fragments = Fragments::Usual;
            return Some(Datagrams {
                to,
                each,
                fragments,
            });
        }
        while let Some(key) = self.due.pop_front() {
            let room = self.most(key);
            let Some(connection) = self.connections.get_mut(key) else {
                continue;
            };
            let room = room.min(connection.trips.window());
            connection.notes.due = false;
            let room = room.saturating_sub(connection.receiver.bytes());
            let datagrams = connection.transmit(room, now, out);
            self.settle(key, now);
            if datagrams.is_some() {
                return datagrams;
            }
        }
        None
    }

    /// When [`Utp::handle_timeout`] is due.
    pub fn next_deadline(&self) -> Option<Time> {
        self.timers.first().map(|&(at, _)| at)
    }

    /// Deadlines that have passed.
    pub fn handle_timeout(&mut self, now: Time) {
        while let Some(&(at, key)) = self.timers.first().filter(|(at, _)| *at <= now) {
            self.timers.remove(&(at, key));
            if let Some(connection) = self.connections.get_mut(key) {
                connection.notes.armed = None;
                connection.handle_timeout(now);
                self.settle(key, now);
            }
        }
    }

    /// Bytes that a connection may take in one direction: its share in any case, and half of what
    /// no other needs.
    fn most(&self, key: Key) -> usize {
        let own = self.connections.get(key).map_or(0, |it| it.notes.counted);
        let free = self.memory.saturating_sub(self.used - own);
        self.share.max(free / 2)
    }

    fn insert(&mut self, connection: Connection, now: Time) -> Key {
        let name = (connection.to, connection.receive_id);
        let key = self.connections.insert(connection);
        self.named.insert(name, key);
        self.settle(key, now);
        key
    }

    /// Something happened to a connection: it is sent for, looked at again in time, and its owner
    /// told.
    fn settle(&mut self, key: Key, now: Time) {
        let bytes = self.connections[key].bytes();
        let connection = &mut self.connections[key];
        self.used = self.used + bytes - std::mem::replace(&mut connection.notes.counted, bytes);
        if connection.is_over() {
            return self.forget(key, now);
        }
        if !connection.notes.due && connection.wants_to_send(now) {
            connection.notes.due = true;
            self.due.push_back(key);
        }
        if let Some(owner) = connection.owner {
            if connection.receiver.is_readable() && !connection.notes.readable {
                connection.notes.readable = true;
                self.events.push_back(Event::Readable(owner));
            }
            if connection.notes.blocked && connection.room(limits::UTP_UNSENT) > 0 {
                connection.notes.blocked = false;
                self.events.push_back(Event::Writable(owner));
            }
        }
        // It is only a reminder: most deadlines move away before they come.
        let armed = connection.notes.armed;
        // What is due is sent before time passes.
        let passed = |at: Time| at <= now && connection.notes.due;
        let deadline = connection.deadline().filter(|&at| !passed(at));
        let deadline = deadline.map(|at| at.max(now + SOON));
        if let Some(at) = deadline.filter(|at| armed.is_none_or(|armed| *at < armed)) {
            connection.notes.armed = Some(at);
            if let Some(armed) = armed {
                self.timers.remove(&(armed, key));
            }
            self.timers.insert((at, key));
        }
    }

    fn forget(&mut self, key: Key, now: Time) {
        let connection = self.connections.remove(key);
        if let Some(call) = connection.notes.call {
            let (from, id) = (connection.to, connection.send_id);
            self.strays.on_ended(from, id, call, now);
        }
        self.named.remove(&(connection.to, connection.receive_id));
        if let Some(at) = connection.notes.armed {
            self.timers.remove(&(at, key));
        }
        self.used -= connection.notes.counted;
        if connection.notes.call.is_some() && !connection.notes.proven {
            self.unproven -= 1;
        }
        if connection.owner.is_none() {
            // Its key may be another's before the event is told.
            let stale = |event: &Event| matches!(event, Event::Accepted(of, _) if *of == key);
            self.events.retain(|event| !stale(event));
        }
        if let (Some(owner), Some(gone)) = (connection.owner, connection.notes.gone) {
            self.events.push_back(Event::Gone(owner, key, gone));
        }
    }
}
