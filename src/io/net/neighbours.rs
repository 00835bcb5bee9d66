//! Multicast in the local network (BEP 14): a socket of each family, which are opened when there is
//! something to be announced for the first time, so that a process with private torrents alone
//! joins no group.
//!
//! A socket is bound to its group, not to all addresses: so nothing comes to it that was sent to
//! this machine alone, from anywhere in the world. Other clients on this machine have the same
//! address at the same time. A group is joined, and announced to, at each interface that has an
//! address; these are looked up anew each time, since they come and go. The loopback interface is
//! used if there is no other: programs on this machine hear each other at the others, too.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use rustix::net::{SocketType, netdevice, sockopt};

use super::{link, socket};
use crate::base::{Duration, Now, limits, sooner};
use crate::tracker::Families;
use crate::wire::Family;
use crate::wire::lsd::{GROUP_V4, GROUP_V6, Search, group};

/// The sockets, and where they are used.
#[derive(Debug)]
pub struct Neighbours {
    families: [bool; 2],
    bind: Option<IpAddr>,
    /// The token of the first socket.
    first: usize,
    sockets: Option<[Option<Multicast>; 2]>,
}

/// A socket.
#[derive(Debug)]
struct Multicast {
    socket: UdpSocket,
    /// When the second began in which datagrams are counted, and how many there were.
    since: Now,
    count: usize,
    /// There were too many: it is read again from then on.
    resumes: Option<Now>,
}

/// Where a group is joined.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    /// At the interface with this address.
    Address(Ipv4Addr),
    /// At the interface of this number.
    Index(u32),
}

impl Neighbours {
    /// Tokens that the sockets need.
    pub const TOKENS: usize = 2;

    /// Nothing is opened yet. `bind`: the only local address that is used. The
    /// [`Neighbours::TOKENS`] tokens from `first` on are for the sockets.
    pub fn new(bind: Option<IpAddr>, families: Families, first: usize) -> Neighbours {
        Neighbours {
            families: [families.v4, families.v6],
            bind,
            first,
            sockets: None,
        }
    }

    /// Announces something at all interfaces. What cannot be sent is lost: there are other ways to
    /// find peers.
    pub fn search(&mut self, search: &Search, registry: &Registry) {
        if self.sockets.is_none() {
            let open = |place, family| self.open(family, self.first + place, registry);
            self.sockets = Some([open(0, Family::V4), open(1, Family::V6)]);
        }
        let both = self.sockets.iter().flatten();
        for (open, family) in both.zip([Family::V4, Family::V6]) {
            let Some(open) = open else { continue };
            let text = search.encode(family);
            for place in places(family, self.bind) {
                let joined = join(&open.socket, family, place);
                let sent = joined.and_then(|()| {
                    let sent = open.socket.send_to(text.as_bytes(), group(family));
                    sent.map(drop)
                });
                if let Err(error) = sent {
                    log::debug!("local network, {place:?}: {}", link::plain(&error));
                }
            }
        }
    }

    /// Hands over the datagrams that came to the socket of this token, not too many. False: it is
    /// none of these sockets.
    pub fn receive(
        &mut self,
        token: Token,
        registry: &Registry,
        now: Now,
        hear: &mut dyn FnMut(SocketAddr, &[u8]),
    ) -> bool {
        let Some(number) = token.0.checked_sub(self.first) else {
            return false;
        };
        if number >= Neighbours::TOKENS {
            return false;
        }
        let sockets = self.sockets.as_mut();
        let open = sockets.and_then(|it| it.get_mut(number)?.as_mut());
        if let Some(open) = open.filter(|open| open.resumes.is_none()) {
            open.receive(registry, now, hear);
        }
        true
    }

    /// When [`Neighbours::handle_timeout`] is due.
    pub fn next_deadline(&self) -> Option<Now> {
        let open = self.sockets.iter().flatten().flatten();
        open.fold(None, |next, open| sooner(next, open.resumes))
    }

    /// Reads again from sockets to which too much came.
    pub fn handle_timeout(&mut self, registry: &Registry, now: Now) {
        let sockets = self.sockets.iter_mut().flatten();
        for (open, token) in sockets.zip(self.first..) {
            let Some(open) = open else { continue };
            if open.resumes.is_some_and(|at| at <= now) {
                open.resumes = None;
                // What waits there already is told of.
                let _ = registry.register(&mut open.socket, Token(token), Interest::READABLE);
            }
        }
    }

    fn open(&self, family: Family, token: usize, registry: &Registry) -> Option<Multicast> {
        let wanted = self.families[usize::from(family == Family::V6)];
        let bound = self.bind.is_none_or(|bind| Family::of(bind) == family);
        if !wanted || !bound {
            return None;
        }
        let opened = open(family).and_then(|mut socket| {
            registry.register(&mut socket, Token(token), Interest::READABLE)?;
            Ok(socket)
        });
        match opened {
            Ok(socket) => Some(Multicast {
                socket,
                since: Now::default(),
                count: 0,
                resumes: None,
            }),
            Err(error) => {
                let (group, why) = (group(family), link::plain(&error));
                log::info!("the local network is not searched at {group}: {why}");
                None
            }
        }
    }
}

impl Multicast {
    fn receive(&mut self, registry: &Registry, now: Now, hear: &mut dyn FnMut(SocketAddr, &[u8])) {
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

const SECOND: Duration = Duration::from_secs(1);

/// A socket that is bound to the group of a family, as those of other programs may be.
fn open(family: Family) -> io::Result<UdpSocket> {
    let addr = group(family);
    let socket = socket::unbound(addr, SocketType::DGRAM)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    sockopt::set_socket_reuseport(&socket, true)?;
    rustix::net::bind(&socket, &addr)?;
    Ok(UdpSocket::from_std(socket.into()))
}

/// Joins the group at an interface, if that was not done before, and sends to it from there next.
fn join(socket: &UdpSocket, family: Family, place: Place) -> io::Result<()> {
    let any = &Ipv4Addr::UNSPECIFIED;
    let joined = match (family, place) {
        (_, Place::Address(ip)) => sockopt::set_ip_add_membership(socket, &GROUP_V4, &ip),
        (Family::V4, Place::Index(index)) => {
            sockopt::set_ip_add_membership_with_ifindex(socket, &GROUP_V4, any, index)
        }
        (Family::V6, Place::Index(index)) => {
            sockopt::set_ipv6_add_membership(socket, &GROUP_V6, index)
        }
    };
    match joined {
        Ok(()) | Err(rustix::io::Errno::ADDRINUSE) => {}
        Err(error) => return Err(error.into()),
    }
    match (family, place) {
        (_, Place::Address(ip)) => sockopt::set_ip_multicast_if(socket, &ip)?,
        (Family::V4, Place::Index(index)) => {
            sockopt::set_ip_multicast_if_with_ifindex(socket, any, any, index)?;
        }
        (Family::V6, Place::Index(index)) => sockopt::set_ipv6_multicast_if(socket, index)?,
    }
    Ok(())
}

/// The interfaces that have an address of this family: the one of `bind`, if that is given, else
/// all; the loopback interface if it is the only one.
fn places(family: Family, bind: Option<IpAddr>) -> Vec<Place> {
    let bind = bind.filter(|bind| !bind.is_unspecified());
    if let Some(IpAddr::V4(ip)) = bind {
        return vec![Place::Address(ip)];
    }
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let found = match family {
        Family::V4 => routed(&read("/proc/net/route")),
        Family::V6 => addressed(&read("/proc/net/if_inet6"), bind),
    };
    match (family, found.is_empty()) {
        (Family::V4, true) => vec![Place::Address(Ipv4Addr::LOCALHOST)],
        _ => found,
    }
}

/// The interfaces that packets of IPv4 leave by, from a table of the system: a line each route, its
/// interface first. The loopback interface has none.
fn routed(table: &str) -> Vec<Place> {
    let Ok(socket) = rustix::net::socket(rustix::net::AddressFamily::INET, SocketType::DGRAM, None)
    else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for line in table.lines().skip(1) {
        let name = line.split_whitespace().next().unwrap_or_default();
        let index = netdevice::name_to_index(&socket, name);
        let place = index.map(Place::Index);
        found.extend(place.ok().filter(|it| !found.contains(it)));
    }
    found
}

/// The same of IPv6: a line each address, as 32 hexadecimal digits, then the number of its
/// interface. Without others, the loopback interface.
fn addressed(table: &str, bind: Option<IpAddr>) -> Vec<Place> {
    let (mut found, mut loopback) = (Vec::new(), Vec::new());
    for line in table.lines() {
        let mut words = line.split_whitespace();
        let ip = words
            .next()
            .and_then(|ip| u128::from_str_radix(ip, 16).ok());
        let index = words.next().and_then(|it| u32::from_str_radix(it, 16).ok());
        let (Some(ip), Some(index)) = (ip, index) else {
            continue;
        };
        let (ip, place) = (IpAddr::from(ip.to_be_bytes()), Place::Index(index));
        if bind.is_some_and(|bind| bind != ip) {
            continue;
        }
        if ip.is_loopback() {
            loopback.push(place);
        } else if !found.contains(&place) {
            found.push(place);
        }
    }
    if found.is_empty() { loopback } else { found }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_with_an_address_are_found() {
        let table = "\
            20010db8000000000000000000000002 07 40 00 80      net\n\
            fe800000000000000000000000000002 07 40 20 80      net\n\
            fe800000000000000000000000000003 0a 40 20 80     wlan\n\
            00000000000000000000000000000001 01 80 10 80       lo\n\
            nonsense\n";
        let bound = |bind: &str| addressed(table, Some(bind.parse().unwrap()));
        assert_eq!(addressed(table, None), [Place::Index(7), Place::Index(10)]);
        assert_eq!(bound("2001:db8::2"), [Place::Index(7)]);
        assert_eq!(bound("::1"), [Place::Index(1)]);
        assert_eq!(bound("2001:db8::9"), []);
        let alone = table.lines().nth(3).unwrap();
        assert_eq!(addressed(alone, None), [Place::Index(1)]);
        // The one interface that each machine has: its number is 1.
        let routes = "Iface\tDestination\nlo\t0000\nlo\t0001\nnone\t0\n";
        assert_eq!(routed(routes), [Place::Index(1)]);
        assert_eq!(
            places(Family::V4, Some([127, 0, 0, 1].into())),
            [Place::Address(Ipv4Addr::LOCALHOST)]
        );
    }

    /// Sends these to the group, on loopback.
    fn says(texts: &[Vec<u8>]) {
        let place = Place::Address(Ipv4Addr::LOCALHOST);
        let socket = open(Family::V4).unwrap();
        join(&socket, Family::V4, place).unwrap();
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
        let mut neighbours = Neighbours::new(Some(Ipv4Addr::LOCALHOST.into()), families, 7);
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
        let (mut heard, mut now, mut pauses) = (0, Now::default() + 10 * SECOND, 0);
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
        assert!(!neighbours.receive(Token(9), &registry, now, &mut |_, _| ()));
    }
}
