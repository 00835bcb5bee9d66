//! The client's UDP sockets, one a family on the same port: an IPv6 socket that also took IPv4
//! would show IPv4-mapped addresses, and not every system has such sockets.
//!
//! Each tracker that is asked gets a socket of its own beside them, on the same port and connected
//! to the tracker. Only to a connected socket does the system report that a datagram was refused
//! (ICMP), unless it keeps a queue of errors, which no safe interface can switch on. All other
//! datagrams go on arriving at the sockets that are not connected, as do a tracker's after its
//! socket is closed.

use std::cell::Cell;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::Range;

use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use quinn_udp::{RecvMeta, Transmit, UdpSocketState};
use rustix::net::SocketType;
use rustix::net::sockopt::{self, Ipv4PathMtuDiscovery};

use super::bind::Bind;
use super::{socket, tcp};
use crate::base::{Time, limits};
use crate::tracker::Families;
use crate::utp::{Datagrams, Fragments};

/// The system's number for a datagram that is too long.
const TOO_LONG: i32 = rustix::io::Errno::MSGSIZE.raw_os_error();

/// Batches that are sent one by one after one that the system refused as one: a refusal costs a
/// call, and another peer's way may take them.
const ONE_BY_ONE: u32 = 100;

/// The sockets of both families, and those connected to trackers.
#[derive(Debug)]
pub struct Udp {
    open: [Option<Common>; 2],
    connected: [Option<Connected>; limits::TRACKER_SOCKETS],
    first: usize,
    bind: Option<Bind>,
}

/// The socket of a family. Datagrams that came together are read as one, and sent as one where the
/// system takes them so: what is read of it must be cut again.
#[derive(Debug)]
struct Common {
    socket: UdpSocket,
    state: UdpSocketState,
    /// The system sends datagrams as one.
    joins: bool,
    /// So many batches are sent one by one, since one was refused.
    one_by_one: Cell<u32>,
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
    /// Datagrams, of which was told.
    Some,
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
            let state = UdpSocketState::new((&socket).into())?;
            let common = Common {
                socket,
                joins: state.max_gso_segments() > 1,
                state,
                one_by_one: Cell::new(0),
            };
            common.allow(Fragments::Usual);
            sockets[number] = Some(common);
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
        let Some(common) = &self.open[usize::from(to.is_ipv6())] else {
            return Err(io::ErrorKind::NetworkUnreachable.into());
        };
        sent(common.socket.send_to(bytes, to))
    }

    /// Sends datagrams that lie one behind the other: how many bytes of them are done with.
    ///
    /// # Errors
    /// They cannot be sent uncut.
    pub fn send_batch(&self, datagrams: Datagrams, bytes: &[u8]) -> io::Result<usize> {
        let Some(common) = &self.open[usize::from(datagrams.to.is_ipv6())] else {
            return Ok(bytes.len());
        };
        if datagrams.fragments == Fragments::Usual {
            return Ok(common.send(datagrams, bytes));
        }
        common.allow(datagrams.fragments);
        let sent = match datagrams.fragments {
            Fragments::Never => common.socket.send_to(bytes, datagrams.to),
            _ => Ok(common.send_one_by_one(datagrams, bytes)),
        };
        common.allow(Fragments::Usual);
        match sent {
            Ok(done) => Ok(done),
            Err(error) if error.raw_os_error() == Some(TOO_LONG) => Err(error),
            Err(_) => Ok(bytes.len()),
        }
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

    /// Reads the socket of this token once, and tells of each datagram.
    pub fn receive(
        &mut self,
        token: Token,
        buffer: &mut [u8],
        hear: &mut dyn FnMut(SocketAddr, &[u8]),
    ) -> Received {
        let place = token.0.wrapping_sub(self.first);
        if let Some(common) = self.open.get(place) {
            let received = common.as_ref().map(|common| common.receive(buffer, hear));
            return received.unwrap_or(Received::Nothing);
        }
        let connected = self.connected.get(place.wrapping_sub(2));
        let Some(connected) = connected.and_then(Option::as_ref) else {
            return Received::Nothing;
        };
        loop {
            match connected.socket.recv_from(&mut buffer[..limits::DATAGRAM]) {
                Ok((n, from)) => {
                    hear(from, &buffer[..n]);
                    return Received::Some;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Received::Nothing;
                }
                Err(error) => return Received::Refused(connected.to, plain(&error)),
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
                let mut socket = connect(&beside.socket, to, self.bind).ok()?;
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

impl Common {
    /// Sends datagrams: how many bytes of them are done with. What the system has no room for now
    /// is left over.
    fn send(&self, datagrams: Datagrams, bytes: &[u8]) -> usize {
        let Datagrams { to, each, .. } = datagrams;
        let paused = self.one_by_one.get();
        if bytes.len() > each && self.joins && paused > 0 {
            self.one_by_one.set(paused - 1);
        } else if bytes.len() > each && self.joins {
            let transmit = Transmit {
                destination: to,
                ecn: None,
                contents: bytes,
                segment_size: Some(each),
                src_ip: None,
            };
            match self.state.try_send((&self.socket).into(), &transmit) {
                Ok(()) => return bytes.len(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return 0,
                // Perhaps it is the way to this peer that takes no such batches.
                Err(_) => self.one_by_one.set(ONE_BY_ONE),
            }
        }
        self.send_one_by_one(datagrams, bytes)
    }

    fn send_one_by_one(&self, datagrams: Datagrams, bytes: &[u8]) -> usize {
        let mut done = 0;
        for datagram in bytes.chunks(datagrams.each) {
            match self.socket.send_to(datagram, datagrams.to) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                _ => done += datagram.len(),
            }
        }
        done
    }

    /// Has datagrams cut on their way, or not.
    fn allow(&self, fragments: Fragments) {
        let how = match fragments {
            Fragments::Usual => Ipv4PathMtuDiscovery::WANT,
            Fragments::Never => Ipv4PathMtuDiscovery::PROBE,
            Fragments::Allowed => Ipv4PathMtuDiscovery::DONT,
        };
        // quinn-udp has forbidden it for IPv6, where no datagram is longer than every path takes.
        let _ = sockopt::set_ip_mtu_discover(&self.socket, how);
    }

    fn receive(&self, buffer: &mut [u8], hear: &mut dyn FnMut(SocketAddr, &[u8])) -> Received {
        let mut about = [RecvMeta::default(); limits::DATAGRAMS_AT_ONCE];
        let read = {
            let parts = buffer
                .chunks_mut(limits::DATAGRAMS_BYTES)
                .map(IoSliceMut::new);
            let mut parts: Vec<IoSliceMut<'_>> = parts.collect();
            self.state
                .recv((&self.socket).into(), &mut parts, &mut about)
        };
        let read = match read {
            Ok(read) => read,
            Err(error) => return not_read(&error),
        };
        let parts = buffer.chunks(limits::DATAGRAMS_BYTES);
        for (about, part) in about[..read].iter().zip(parts) {
            let datagrams = part[..about.len].chunks(about.stride.max(1));
            for datagram in datagrams.filter(|it| it.len() <= limits::DATAGRAM) {
                hear(about.addr, datagram);
            }
        }
        Received::Some
    }
}

/// What to do after this error of a read. Any but that nothing is there concerns an earlier
/// datagram of ours or one that came: the next may be whole.
fn not_read(error: &io::Error) -> Received {
    if error.kind() == io::ErrorKind::WouldBlock {
        Received::Nothing
    } else {
        Received::Some
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
    // With less room more has to be sent again.
    let _ = sockopt::set_socket_recv_buffer_size(&socket, limits::UDP_BUFFER);
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
mod tests;
