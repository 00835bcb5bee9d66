//! The client's UDP sockets, one a family on the same port: an IPv6 socket that also took IPv4
//! would show IPv4-mapped addresses, and not every system has such sockets.
//!
//! Each tracker that is asked gets a socket of its own beside them, on the same port and connected
//! to the tracker. Only to a connected socket does the system report that a datagram was refused
//! (ICMP), unless it keeps a queue of errors, which no safe interface can switch on. All other
//! datagrams go on arriving at the sockets that are not connected, as do a tracker's after its
//! socket is closed.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::Range;

use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use rustix::net::{SocketType, sockopt};

use super::bind::Bind;
use super::{socket, tcp};
use crate::base::{Time, limits};
use crate::tracker::Families;

/// The sockets of both families, and those connected to trackers.
#[derive(Debug)]
pub struct Udp {
    open: [Option<UdpSocket>; 2],
    connected: [Option<Connected>; limits::TRACKER_SOCKETS],
    first: usize,
    bind: Option<Bind>,
}

/// A socket that is connected to a tracker.
#[derive(Debug)]
struct Connected {
    to: SocketAddr,
    local: IpAddr,
    socket: UdpSocket,
    used: Time,
}

/// What a socket had for us.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Received {
    /// A datagram from this address, of this many bytes.
    Datagram(SocketAddr, usize),
    /// Datagrams to this address do not get there: why, in a few words.
    Refused(SocketAddr, String),
    /// Nothing more now.
    Nothing,
}

impl Udp {
    /// Tokens that the sockets need.
    pub const TOKENS: usize = 2 + limits::TRACKER_SOCKETS;

    /// Opens the sockets of these families on a port (0: any, perhaps a different one each), at
    /// this local address or interface, or everywhere. The [`Udp::TOKENS`] tokens from `first` on
    /// are for IPv4, IPv6 and the connected sockets.
    pub fn open(
        port: u16,
        bind: Option<Bind>,
        families: Families,
        first: usize,
        registry: &Registry,
    ) -> io::Result<Udp> {
        let all = [
            families.v4.then_some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            families.v6.then_some(IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
        ];
        let mut sockets = [None, None];
        for (number, ip) in all.into_iter().enumerate() {
            let Some(ip) = ip else { continue };
            let Some(local) = bind.map_or(Some(ip), |bind| bind.beside(ip)) else {
                continue;
            };
            let mut socket = match open(SocketAddr::new(local, port), bind) {
                // A machine without one of the families is one with the other.
                Err(error) if local.is_unspecified() && socket::lacks_family(&error) => continue,
                other => other?,
            };
            registry.register(&mut socket, Token(first + number), Interest::READABLE)?;
            sockets[number] = Some(socket);
        }
        Ok(Udp {
            open: sockets,
            connected: [const { None }; limits::TRACKER_SOCKETS],
            first,
            bind,
        })
    }

    /// Sends a datagram, or loses it: what needs an answer is sent again.
    ///
    /// # Errors
    /// It can never get there.
    pub fn send(&self, to: SocketAddr, bytes: &[u8]) -> io::Result<()> {
        let Some(socket) = &self.open[usize::from(to.is_ipv6())] else {
            return Err(io::ErrorKind::NetworkUnreachable.into());
        };
        sent(socket.send_to(bytes, to))
    }

    /// The same for a tracker, whose refusal will be heard of. Returns the local address that the
    /// tracker sees, if that is known.
    ///
    /// # Errors
    /// It can never get there, or an earlier one was refused.
    pub fn ask(
        &mut self,
        to: SocketAddr,
        bytes: &[u8],
        registry: &Registry,
        now: Time,
    ) -> io::Result<Option<IpAddr>> {
        match self.connected_to(to, registry, now) {
            Some(connected) => {
                sent(connected.socket.send(bytes))?;
                Ok(Some(connected.local))
            }
            // Without a socket of its own, a refusal is not reported and looks like silence.
            None => self.send(to, bytes).map(|()| None),
        }
    }

    /// The next thing that the socket of this token has.
    pub fn receive(&mut self, token: Token, buffer: &mut [u8]) -> Received {
        let place = token.0.wrapping_sub(self.first);
        let (socket, to) = match place {
            0 | 1 => (self.open[place].as_ref(), None),
            _ => match self.connected.get(place - 2).and_then(Option::as_ref) {
                Some(connected) => (Some(&connected.socket), Some(connected.to)),
                None => (None, None),
            },
        };
        let Some(socket) = socket else {
            return Received::Nothing;
        };
        loop {
            match socket.recv_from(buffer) {
                Ok((n, from)) => return Received::Datagram(from, n),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Received::Nothing;
                }
                Err(error) => match to {
                    Some(to) => return Received::Refused(to, plain(&error)),
                    // What became of an earlier datagram of ours is no reason to stop.
                    None if error.kind() == io::ErrorKind::ConnectionRefused => {}
                    None => return Received::Nothing,
                },
            }
        }
    }

    /// The tokens of all its sockets.
    pub fn tokens(&self) -> Range<usize> {
        self.first..self.first + Udp::TOKENS
    }

    /// The socket that is connected to this address, or a new one if there is a place for it: that
    /// of a socket that was not used for as long as any exchange lasts.
    fn connected_to(
        &mut self,
        to: SocketAddr,
        registry: &Registry,
        now: Time,
    ) -> Option<&Connected> {
        let is_ours = |place: &Option<Connected>| place.as_ref().is_some_and(|it| it.to == to);
        let place = match self.connected.iter().position(is_ours) {
            Some(place) => place,
            None => {
                for place in &mut self.connected {
                    let idle = |it: &mut Connected| now.since(it.used) >= limits::UDP_CONNECTION;
                    if let Some(mut old) = place.take_if(idle) {
                        // It is closed next, which takes it off the poll anyway.
                        let _ = registry.deregister(&mut old.socket);
                    }
                }
                let place = self.connected.iter().position(Option::is_none)?;
                let beside = self.open[usize::from(to.is_ipv6())].as_ref()?;
                let mut socket = connect(beside, to, self.bind).ok()?;
                let local = socket.local_addr().ok()?.ip();
                let token = Token(self.first + 2 + place);
                registry
                    .register(&mut socket, token, Interest::READABLE)
                    .ok()?;
                self.connected[place] = Some(Connected {
                    to,
                    local,
                    socket,
                    used: now,
                });
                place
            }
        };
        let connected = self.connected[place].as_mut()?;
        connected.used = now;
        Some(connected)
    }
}

/// Why a datagram does not get there, in plain words.
pub fn plain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => String::from("nothing listens on its port"),
        _ => tcp::plain(error),
    }
}

fn sent(result: io::Result<usize>) -> io::Result<()> {
    use io::ErrorKind;
    match result {
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::NetworkUnreachable
                    | ErrorKind::HostUnreachable
                    | ErrorKind::AddrNotAvailable
                    | ErrorKind::PermissionDenied
                    | ErrorKind::InvalidInput
                    | ErrorKind::ConnectionRefused
            ) =>
        {
            Err(error)
        }
        _ => Ok(()),
    }
}

fn open(addr: SocketAddr, bind: Option<Bind>) -> io::Result<UdpSocket> {
    let socket = socket::bound(addr, SocketType::DGRAM, bind)?;
    Ok(UdpSocket::from_std(socket.into()))
}

/// A socket on the port of another and connected to this address. The other lets it in for a moment
/// only, so that no other program of the user can share the port.
fn connect(beside: &UdpSocket, to: SocketAddr, bind: Option<Bind>) -> io::Result<UdpSocket> {
    let local = beside.local_addr()?;
    let socket = socket::unbound(local, SocketType::DGRAM, bind)?;
    sockopt::set_socket_reuseport(&socket, true)?;
    sockopt::set_socket_reuseport(beside, true)?;
    let bound = rustix::net::bind(&socket, &local);
    sockopt::set_socket_reuseport(beside, false)?;
    bound?;
    rustix::net::connect(&socket, &to)?;
    Ok(UdpSocket::from_std(socket.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mio::Poll;

    /// So many trackers have a socket of their own, and so hear of a refusal; those past them are
    /// asked all the same.
    #[test]
    fn so_many_trackers_have_a_socket_of_their_own() {
        let poll = Poll::new().unwrap();
        let (registry, ip) = (poll.registry(), IpAddr::from(Ipv4Addr::LOCALHOST));
        let families = Families {
            v4: true,
            v6: false,
        };
        let mut udp = Udp::open(0, Some(ip.into()), families, 0, registry).unwrap();
        let there = std::net::UdpSocket::bind((ip, 0)).unwrap();
        let port = there.local_addr().unwrap().port();
        let mut ask = |last: usize| {
            let to = SocketAddr::from(([127, 0, 0, 1 + last as u8], port));
            udp.ask(to, b"question", registry, Time::default()).unwrap()
        };
        for last in 0..limits::TRACKER_SOCKETS {
            assert_eq!(ask(last), Some(ip));
        }
        assert_eq!(ask(limits::TRACKER_SOCKETS), None);
        assert_eq!(ask(0), Some(ip), "the first still has its own");
    }
}
