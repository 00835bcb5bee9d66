//! Datagrams to trackers through the proxy (RFC 1928, section 7): it carries them for as long as a
//! connection to it lasts, and a socket of ours sends to it alone. It is asked for that when the
//! first datagram is to go out, and a while later again if it does not do it.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use mio::net::{TcpStream, UdpSocket};
use mio::{Interest, Registry, Token};
use rustix::net::SocketType;

use super::bind::Bind;
use super::proxy::Proxy;
use super::route::Route;
use super::socket;
use super::via::Via;
use super::words::plain;
use crate::base::{Time, limits};
use crate::socks::{Place, datagram};

/// What carries datagrams.
#[derive(Debug)]
pub struct Relay {
    proxy: Arc<Proxy>,
    bind: Option<Bind>,
    /// The token of the connection; that of the socket follows.
    first: usize,
    state: State,
    /// Datagrams that wait for it.
    waiting: VecDeque<(Place, Vec<u8>)>,
    /// Whom they are for.
    waiting_for: Vec<SocketAddr>,
    /// The numbers of questions to trackers by name, and the address that stands for each: answers
    /// come from addresses that only the proxy knows.
    asked: VecDeque<([u8; 4], SocketAddr)>,
    /// Something may be left to be read.
    unread: bool,
}

#[derive(Debug)]
enum State {
    Idle,
    Asking {
        control: TcpStream,
        via: Box<Via>,
        until: Time,
    },
    Up {
        control: TcpStream,
        socket: UdpSocket,
    },
    /// It does not carry them, for this reason, and is asked again then.
    Refused {
        why: String,
        until: Time,
    },
}

/// What has come of it.
#[derive(Clone, Copy, Debug)]
pub enum Heard<'a> {
    /// A datagram came from this address.
    Datagram(SocketAddr, &'a [u8]),
    /// None goes to this address, and why.
    Refused(SocketAddr, &'a str),
}

/// Where that goes.
pub type Hear<'a> = &'a mut dyn FnMut(Heard<'_>);

/// Datagrams that are read in one turn.
const READS: usize = 64;
/// Where the number of a question to a tracker stands in it, and in the answer (BEP 15).
const ASKED_AT: std::ops::Range<usize> = 12..16;
/// See [`ASKED_AT`].
const ANSWERED_AT: std::ops::Range<usize> = 4..8;

impl Relay {
    /// Tokens that its sockets need.
    pub const TOKENS: usize = 2;

    /// One through the proxy of this route, if it has one. Its sockets have the
    /// [`Relay::TOKENS`] tokens from `first` on.
    pub fn new(route: &Route, first: usize) -> Option<Relay> {
        let proxy = Arc::clone(route.proxy.as_ref()?);
        Some(Relay {
            proxy,
            bind: route.bind,
            first,
            state: State::Idle,
            waiting: VecDeque::new(),
            waiting_for: Vec::new(),
            asked: VecDeque::new(),
            unread: false,
        })
    }

    /// Whether a socket of this token is its own.
    pub fn owns(&self, Token(token): Token) -> bool {
        (self.first..self.first + Relay::TOKENS).contains(&token)
    }

    /// Sends a datagram to a place, which this address is or stands for.
    pub fn send(
        &mut self,
        (to, place): (SocketAddr, Place),
        bytes: Vec<u8>,
        registry: &Registry,
        now: Time,
        hear: Hear<'_>,
    ) {
        if let (Place::Name(..), Some(number)) = (&place, number(&bytes, ASKED_AT)) {
            if self.asked.len() == limits::PROXY_ASKED {
                self.asked.pop_front();
            }
            self.asked.push_back((number, to));
        }
        match &self.state {
            State::Up { socket, .. } => return transmit(socket, &place, &bytes),
            State::Refused { why, until } if now < *until => {
                return hear(Heard::Refused(to, why));
            }
            State::Asking { .. } => {}
            State::Idle | State::Refused { .. } => {
                self.state = State::Idle;
                if let Err(error) = self.begin(registry, now) {
                    self.waiting_for.push(to);
                    return self.give_up(&plain(&error), now, hear);
                }
            }
        }
        // Trackers are asked again after a while.
        if self.waiting.len() < limits::PROXY_WAITING {
            self.waiting.push_back((place, bytes));
            if !self.waiting_for.contains(&to) {
                self.waiting_for.push(to);
            }
        }
    }

    fn begin(&mut self, registry: &Registry, now: Time) -> io::Result<()> {
        let via = Via::to_relay(Arc::clone(&self.proxy));
        let connected = socket::connect(self.proxy.addr()?, self.bind);
        let mut control = connected.map_err(|error| via.failed(&plain(&error)))?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        registry.register(&mut control, Token(self.first), interest)?;
        self.state = State::Asking {
            control,
            via: Box::new(via),
            until: now + limits::PROXY_TIME,
        };
        Ok(())
    }

    /// One of its sockets is ready.
    pub fn on_event(&mut self, registry: &Registry, now: Time, buffer: &mut [u8], hear: Hear<'_>) {
        match &mut self.state {
            State::Asking { control, via, .. } => match go_on(control, via) {
                Ok(None) => {}
                Ok(Some(place)) => match self.open(place, registry) {
                    Ok(()) => {}
                    Err(error) => self.give_up(&plain(&error), now, hear),
                },
                Err(error) => self.give_up(&plain(&error), now, hear),
            },
            State::Up { control, .. } => {
                if !matches!(peek(control), Ok(None)) {
                    // The next datagram asks for it anew.
                    self.state = State::Idle;
                    return;
                }
                self.read(buffer, hear);
            }
            State::Idle | State::Refused { .. } => {}
        }
    }

    /// The proxy takes datagrams at this place.
    fn open(&mut self, place: Place, registry: &Registry) -> io::Result<()> {
        let proxy = self.proxy.addr()?;
        let to = match place {
            Place::Addr(addr) if addr.ip().is_unspecified() => {
                SocketAddr::new(proxy.ip(), addr.port())
            }
            Place::Addr(addr) => addr,
            Place::Name(..) => {
                let why = "it names by no address where it takes datagrams";
                return Err(self.proxy.failed(why, false));
            }
        };
        let failed = |why: &str| {
            let words = format!("it takes datagrams at {to}{why}");
            self.proxy.failed(&words, false)
        };
        if to.port() == 0 {
            return Err(failed(", which is no port"));
        }
        let any: IpAddr = if to.is_ipv4() {
            Ipv4Addr::UNSPECIFIED.into()
        } else {
            Ipv6Addr::UNSPECIFIED.into()
        };
        let local = self.bind.map_or(Some(any), |bind| bind.beside(any));
        let local = local.ok_or_else(|| io::ErrorKind::NetworkUnreachable.into());
        let socket = local.and_then(|local| {
            let local = SocketAddr::new(local, 0);
            let socket = socket::bound(local, SocketType::DGRAM, self.bind)?;
            rustix::net::connect(&socket, &to)?;
            Ok(socket)
        });
        let socket = socket.map_err(|error: io::Error| failed(&format!(": {}", plain(&error))))?;
        let mut socket = UdpSocket::from_std(socket.into());
        registry.register(&mut socket, Token(self.first + 1), Interest::READABLE)?;
        for (place, bytes) in self.waiting.drain(..) {
            transmit(&socket, &place, &bytes);
        }
        self.waiting_for.clear();
        let State::Asking { control, .. } = std::mem::replace(&mut self.state, State::Idle) else {
            return Ok(());
        };
        self.state = State::Up { control, socket };
        Ok(())
    }

    fn read(&mut self, buffer: &mut [u8], hear: Hear<'_>) {
        let State::Up { socket, .. } = &self.state else {
            return;
        };
        for _ in 0..READS {
            match socket.recv(buffer) {
                Ok(n) => {
                    let Some((place, content)) = datagram::parse(&buffer[..n]) else {
                        continue;
                    };
                    let number = number(content, ANSWERED_AT);
                    let named = self.asked.iter().find(|(asked, _)| Some(*asked) == number);
                    match (named, place) {
                        (Some((_, to)), _) => hear(Heard::Datagram(*to, content)),
                        (None, Place::Addr(from)) => hear(Heard::Datagram(from, content)),
                        (None, Place::Name(..)) => {}
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.unread = false;
                    return;
                }
                // What became of an earlier datagram is no reason to stop.
                Err(_) => {}
            }
        }
        self.unread = true;
    }

    /// When [`Relay::handle_timeout`] is due.
    pub fn next_deadline(&self) -> Option<Time> {
        match &self.state {
            State::Asking { until, .. } => Some(*until),
            State::Up { .. } if self.unread => Some(Time::default()),
            _ => None,
        }
    }

    /// Reads on, and gives up a proxy that does not answer.
    pub fn handle_timeout(&mut self, now: Time, buffer: &mut [u8], hear: Hear<'_>) {
        if self.unread {
            self.read(buffer, hear);
        }
        if let State::Asking { until, .. } = &self.state {
            if *until <= now {
                let error = self.proxy.failed("it does not answer in time", true);
                self.give_up(&plain(&error), now, hear);
            }
        }
    }

    /// It carries no datagrams: those that wait for it are lost.
    fn give_up(&mut self, why: &str, now: Time, hear: Hear<'_>) {
        self.state = State::Refused {
            why: why.to_owned(),
            until: now + limits::PROXY_AGAIN,
        };
        self.waiting.clear();
        for to in std::mem::take(&mut self.waiting_for) {
            hear(Heard::Refused(to, why));
        }
    }
}

fn go_on(control: &mut TcpStream, via: &mut Via) -> io::Result<Option<Place>> {
    match socket::connected(control) {
        Ok(true) => {}
        Ok(false) => return Ok(None),
        Err(error) => return Err(via.failed(&plain(&error))),
    }
    let place = via.converse(control)?;
    if place.is_some() {
        // Of what came together with the answer no other event tells.
        match peek(control) {
            Ok(None) => {}
            Ok(Some(1..)) => return Err(via.failed("it says more than its answer")),
            Ok(Some(0)) | Err(_) => return Err(via.failed("it closed the connection")),
        }
    }
    Ok(place)
}

/// Whether anything has come over the connection, or its end: `None`: nothing.
fn peek(control: &mut TcpStream) -> io::Result<Option<usize>> {
    socket::unless_blocked(|| control.peek(&mut [0]))
}

fn transmit(socket: &UdpSocket, place: &Place, bytes: &[u8]) {
    let mut packet = Vec::with_capacity(bytes.len() + 32);
    datagram::encode(place, bytes, &mut packet);
    // What needs an answer is sent again.
    let _ = socket.send(&packet);
}

fn number(bytes: &[u8], at: std::ops::Range<usize>) -> Option<[u8; 4]> {
    bytes.get(at)?.try_into().ok()
}

#[cfg(test)]
mod tests;
