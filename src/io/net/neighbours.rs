//! Multicast in the local network (BEP 14): a socket of each family, which are opened when there is
//! something to be announced for the first time, so that a process with private torrents alone
//! joins no group.
//!
//! A socket is bound to its group, not to all addresses: so nothing comes to it that was sent to
//! this machine alone, from anywhere in the world. Other clients on this machine have the same
//! address at the same time. A group is joined, and announced to, at each interface that has an
//! address; these are looked up anew each time, and when the system tells that they have changed.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use rustix::net::{SocketType, sockopt};

use super::bind::Bind;
use super::interfaces::{Changes, Interface, Network, multicast_interfaces};
use super::{socket, tcp};
use crate::base::{Duration, Reach, Time, limits, sooner};
use crate::tracker::Families;
use crate::wire::Family;
use crate::wire::lsd::{GROUP_V4, GROUP_V6, Search, group};

/// The sockets, and where they are used.
#[derive(Debug)]
pub struct Neighbours {
    families: [bool; 2],
    bind: Option<Bind>,
    /// The token of the first socket.
    first: usize,
    sockets: Option<[Option<Multicast>; 2]>,
    /// What tells of interfaces that come and go, and when it is heeded.
    changes: Option<Changes>,
    heeded: Option<Time>,
    /// Where the groups were announced to last.
    interfaces: Vec<Interface>,
    /// The networks that we were in then.
    networks: Vec<Network>,
}

/// A socket.
#[derive(Debug)]
struct Multicast {
    socket: UdpSocket,
    /// When the second began in which datagrams are counted, and how many there were.
    since: Time,
    count: usize,
    /// There were too many: it is read again from then on.
    resumes: Option<Time>,
}

impl Neighbours {
    /// Tokens that the sockets need.
    pub const TOKENS: usize = 3;

    /// Nothing is opened yet. `bind`: the only local address or interface that is used. The
    /// [`Neighbours::TOKENS`] tokens from `first` on are for the sockets.
    pub fn new(bind: Option<Bind>, families: Families, first: usize) -> Neighbours {
        Neighbours {
            families: [families.v4, families.v6],
            bind,
            first,
            sockets: None,
            changes: None,
            heeded: None,
            interfaces: Vec::new(),
            networks: Vec::new(),
        }
    }

    /// Announces something at all interfaces. What cannot be sent is lost: there are other ways to
    /// find peers.
    pub fn search(&mut self, search: &Search, registry: &Registry) {
        if self.sockets.is_none() {
            let open = |place, family| self.open(family, self.first + place, registry);
            self.sockets = Some([open(0, Family::V4), open(1, Family::V6)]);
            // Without it, a network that comes is announced to when something is due anyway.
            self.changes = Changes::open(Token(self.first + CHANGES), registry).ok();
        }
        self.interfaces = self.all_interfaces();
        self.networks = Network::all();
        let both = self.sockets.iter().flatten();
        for (open, family) in both.zip([Family::V4, Family::V6]) {
            let Some(open) = open else { continue };
            let text = search.encode(family);
            for interface in multicast_interfaces(family, self.bind) {
                let joined = join(&open.socket, family, interface);
                let sent = joined.and_then(|()| {
                    let sent = open.socket.send_to(text.as_bytes(), group(family));
                    sent.map(drop)
                });
                if let Err(error) = sent {
                    log::debug!("local network, {interface:?}: {}", tcp::plain(&error));
                }
            }
        }
    }

    /// Hands over the datagrams that came to the socket of this token, not too many, and only those
    /// of hosts near to us: multicast may be led here from elsewhere. False: it is none of these
    /// sockets.
    pub fn receive(
        &mut self,
        token: Token,
        registry: &Registry,
        now: Time,
        hear: &mut dyn FnMut(SocketAddr, &[u8]),
    ) -> bool {
        let Some(number) = token.0.checked_sub(self.first) else {
            return false;
        };
        if number >= Neighbours::TOKENS {
            return false;
        }
        if number == CHANGES {
            // Several come together.
            self.heeded.get_or_insert(now + SECOND);
        }
        let (sockets, networks) = (self.sockets.as_mut(), &self.networks);
        let is_near = |ip: IpAddr| Reach::of(ip).is_local() || networks.iter().any(|it| it.has(ip));
        let open = sockets.and_then(|it| it.get_mut(number)?.as_mut());
        if let Some(open) = open.filter(|open| open.resumes.is_none()) {
            open.receive(registry, now, &mut |from, bytes| {
                if is_near(from.ip()) {
                    hear(from, bytes);
                }
            });
        }
        true
    }

    /// When [`Neighbours::handle_timeout`] is due.
    pub fn next_deadline(&self) -> Option<Time> {
        let open = self.sockets.iter().flatten().flatten();
        open.fold(self.heeded, |next, open| sooner(next, open.resumes))
    }

    /// Reads again from sockets to which too much came. Whether there is a network that was not
    /// there before.
    pub fn handle_timeout(&mut self, registry: &Registry, now: Time) -> bool {
        let sockets = self.sockets.iter_mut().flatten();
        for (open, token) in sockets.zip(self.first..) {
            let Some(open) = open else { continue };
            if open.resumes.is_some_and(|at| at <= now) {
                open.resumes = None;
                // What waits there already is told of.
                let _ = registry.register(&mut open.socket, Token(token), Interest::READABLE);
            }
        }
        if self.heeded.take_if(|at| *at <= now).is_none() {
            return false;
        }
        self.changes.iter().for_each(Changes::drain);
        let interfaces = self.all_interfaces();
        self.networks = Network::all();
        let before = std::mem::replace(&mut self.interfaces, interfaces);
        self.interfaces
            .iter()
            .any(|interface| !before.contains(interface))
    }

    fn all_interfaces(&self) -> Vec<Interface> {
        let of = |family| multicast_interfaces(family, self.bind);
        [of(Family::V4), of(Family::V6)].concat()
    }

    fn open(&self, family: Family, token: usize, registry: &Registry) -> Option<Multicast> {
        let wanted = self.families[usize::from(family == Family::V6)];
        let of_family = |ip| Family::of(ip) == family;
        let bound = self.bind.is_none_or(|bind| bind.ips().any(of_family));
        if !wanted || !bound {
            return None;
        }
        let opened = open(family, self.bind).and_then(|mut socket| {
            registry.register(&mut socket, Token(token), Interest::READABLE)?;
            Ok(socket)
        });
        match opened {
            Ok(socket) => Some(Multicast {
                socket,
                since: Time::default(),
                count: 0,
                resumes: None,
            }),
            Err(error) => {
                let (group, why) = (group(family), tcp::plain(&error));
                log::info!("the local network is not searched at {group}: {why}");
                None
            }
        }
    }
}

impl Multicast {
    fn receive(&mut self, registry: &Registry, now: Time, hear: &mut dyn FnMut(SocketAddr, &[u8])) {
        let mut buffer = [0; limits::LSD_DATAGRAM];
        if now.since(self.since) >= SECOND {
            (self.since, self.count) = (now, 0);
        }
        while self.count < limits::LSD_HEARD {
            self.count += 1;
            match self.socket.recv_from(&mut buffer) {
                Ok((n, from)) => hear(from, &buffer[..n]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
        // Until then not even the poll tells of more.
        self.resumes = Some(self.since + SECOND);
        let _ = registry.deregister(&mut self.socket);
    }
}

/// The number of the token, from the first on, of what tells of changes.
const CHANGES: usize = 2;
const SECOND: Duration = Duration::from_secs(1);

/// A socket that is bound to the group of a family, as those of other programs may be.
fn open(family: Family, bind: Option<Bind>) -> io::Result<UdpSocket> {
    let addr = group(family);
    let socket = socket::unbound(addr, SocketType::DGRAM, bind)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    sockopt::set_socket_reuseport(&socket, true)?;
    rustix::net::bind(&socket, &addr)?;
    Ok(UdpSocket::from_std(socket.into()))
}

/// Joins the group at an interface, if that was not done before, and sends to it from there next.
fn join(socket: &UdpSocket, family: Family, interface: Interface) -> io::Result<()> {
    let any = &Ipv4Addr::UNSPECIFIED;
    let joined = match (family, interface) {
        (_, Interface::Address(ip)) => sockopt::set_ip_add_membership(socket, &GROUP_V4, &ip),
        (Family::V4, Interface::Index(index)) => {
            sockopt::set_ip_add_membership_with_ifindex(socket, &GROUP_V4, any, index)
        }
        (Family::V6, Interface::Index(index)) => {
            sockopt::set_ipv6_add_membership(socket, &GROUP_V6, index)
        }
    };
    match joined {
        Ok(()) | Err(rustix::io::Errno::ADDRINUSE) => {}
        Err(error) => return Err(error.into()),
    }
    match (family, interface) {
        (_, Interface::Address(ip)) => sockopt::set_ip_multicast_if(socket, &ip)?,
        (Family::V4, Interface::Index(index)) => {
            sockopt::set_ip_multicast_if_with_ifindex(socket, any, any, index)?;
        }
        (Family::V6, Interface::Index(index)) => sockopt::set_ipv6_multicast_if(socket, index)?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends these to the group, on loopback.
    fn says(texts: &[Vec<u8>]) {
        let interface = Interface::Address(Ipv4Addr::LOCALHOST);
        let socket = open(Family::V4, None).unwrap();
        join(&socket, Family::V4, interface).unwrap();
        for text in texts {
            socket.send_to(text, group(Family::V4)).unwrap();
        }
    }

    #[test]
    fn a_flood_is_read_at_a_pace_and_long_datagrams_are_cut() {
        let mut poll = mio::Poll::new().unwrap();
        let mut events = mio::Events::with_capacity(8);
        let registry = poll.registry().try_clone().unwrap();
        let families = Families { v4: true, v6: true };
        let mut neighbours =
            Neighbours::new(Some(IpAddr::from(Ipv4Addr::LOCALHOST).into()), families, 7);
        // Now it listens.
        neighbours.search(&Search::default(), &registry);
        let mark = format!("{} {:?}", std::process::id(), std::thread::current().id());
        let text = |len: usize| {
            let mut text = mark.clone().into_bytes();
            text.resize(len, b'.');
            text
        };
        let many = 2 * limits::LSD_HEARD + 7;
        let mut texts = vec![text(100); many];
        texts[0] = text(2 * limits::LSD_DATAGRAM);
        says(&texts);
        let (mut heard, mut now, mut pauses) = (0, Time::default() + 10 * SECOND, 0);
        while heard < many {
            let timeout = std::time::Duration::from_secs(20);
            poll.poll(&mut events, Some(timeout)).unwrap();
            let tokens: Vec<Token> = events.iter().map(|event| event.token()).collect();
            assert_eq!(tokens, [Token(7)]);
            let before = heard;
            let hear = &mut |_, bytes: &[u8]| {
                // Its own comes back, too.
                if bytes.starts_with(mark.as_bytes()) {
                    let cut = if heard == 0 {
                        limits::LSD_DATAGRAM
                    } else {
                        100
                    };
                    assert_eq!(bytes.len(), cut);
                    heard += 1;
                }
            };
            assert!(neighbours.receive(Token(7), &registry, now, hear));
            assert!(heard - before <= limits::LSD_HEARD);
            if let Some(at) = neighbours.next_deadline() {
                assert_eq!(at, now + SECOND);
                assert!(neighbours.receive(Token(7), &registry, now, &mut |_, _| panic!("no")));
                (now, pauses) = (at, pauses + 1);
                neighbours.handle_timeout(&registry, now);
            }
        }
        assert_eq!(pauses, 2);
        let other = Token(7 + Neighbours::TOKENS);
        assert!(!neighbours.receive(other, &registry, now, &mut |_, _| ()));
    }
}
