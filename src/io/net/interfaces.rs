//! The interfaces of this machine that have addresses, from tables of the system, and what tells of
//! those that come and go. The loopback interface counts if there is no other: programs on this
//! machine hear each other at the others, too.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsRawFd as _, OwnedFd};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, netdevice};

use super::bind::Bind;
use crate::wire::Family;

/// An interface at which a group of multicast is joined.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Interface {
    /// The one with this address.
    Address(Ipv4Addr),
    /// The one of this number.
    Index(u32),
}

/// What the system tells of addresses and routes that come and go (netlink). What it says is not
/// looked at: the tables say it, too.
#[derive(Debug)]
pub struct Changes(OwnedFd);

/// Addresses and routes of IPv4, addresses of IPv6, as linux/rtnetlink.h numbers them.
const GROUPS: u32 = 0x10 | 0x40 | 0x100;

impl Changes {
    /// Listens from now on.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn open(token: Token, registry: &Registry) -> io::Result<Changes> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let family = AddressFamily::NETLINK;
        let socket = rustix::net::socket_with(family, SocketType::RAW, flags, None)?;
        rustix::net::bind(&socket, &SocketAddrNetlink::new(0, GROUPS))?;
        registry.register(
            &mut SourceFd(&socket.as_raw_fd()),
            token,
            Interest::READABLE,
        )?;
        Ok(Changes(socket))
    }

    /// Reads what has come.
    pub fn drain(&self) {
        let mut buffer = [0; 4096];
        let read = |buffer: &mut [u8]| rustix::net::recv(&self.0, buffer, RecvFlags::empty());
        while read(&mut buffer).is_ok() {}
    }
}

/// The interfaces that have an address of this family: the one of `bind`, if that is given, else
/// all; the loopback interface if it is the only one.
pub fn multicast_interfaces(family: Family, bind: Option<Bind>) -> Vec<Interface> {
    if let Some(index) = bind.and_then(|bind| bind.interface()) {
        return vec![Interface::Index(index)];
    }
    let bind = bind.and_then(|bind| bind.ips().find(|ip| Family::of(*ip) == family));
    let bind = bind.filter(|bind| !bind.is_unspecified());
    if let Some(IpAddr::V4(ip)) = bind {
        return vec![Interface::Address(ip)];
    }
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let found = match family {
        Family::V4 => routed(&read("/proc/net/route")),
        Family::V6 => addressed(&read("/proc/net/if_inet6"), bind),
    };
    match (family, found.is_empty()) {
        (Family::V4, true) => vec![Interface::Address(Ipv4Addr::LOCALHOST)],
        _ => found,
    }
}

/// The interfaces that packets of IPv4 leave by, from a table of the system: a line each route, its
/// interface first. The loopback interface has none.
fn routed(table: &str) -> Vec<Interface> {
    let Ok(socket) = rustix::net::socket(AddressFamily::INET, SocketType::DGRAM, None) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for line in table.lines().skip(1) {
        let name = line.split_whitespace().next().unwrap_or_default();
        let index = netdevice::name_to_index(&socket, name);
        let interface = index.map(Interface::Index);
        found.extend(interface.ok().filter(|it| !found.contains(it)));
    }
    found
}

/// The same of IPv6: a line each address, as 32 hexadecimal digits, then the number of its
/// interface. Without others, the loopback interface.
fn addressed(table: &str, bind: Option<IpAddr>) -> Vec<Interface> {
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
        let (ip, interface) = (IpAddr::from(ip.to_be_bytes()), Interface::Index(index));
        if bind.is_some_and(|bind| bind != ip) {
            continue;
        }
        if ip.is_loopback() {
            loopback.push(interface);
        } else if !found.contains(&interface) {
            found.push(interface);
        }
    }
    if found.is_empty() { loopback } else { found }
}

/// A network that an interface of ours is in: its hosts are near though their addresses may be
/// public. Addresses of IPv4 stand as they are mapped into IPv6.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Network {
    first: u128,
    mask: u128,
}

impl Network {
    /// The networks of all interfaces.
    pub fn all() -> Vec<Network> {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let mut found = networks_v4(&read("/proc/net/route"));
        found.extend(networks_v6(&read("/proc/net/if_inet6")));
        found
    }

    /// Whether an address is in it.
    pub fn has(&self, ip: IpAddr) -> bool {
        let bits = match ip.to_canonical() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
            IpAddr::V6(ip) => ip.to_bits(),
        };
        bits & self.mask == self.first
    }

    fn new(ip: u128, mask: u128) -> Network {
        let first = ip & mask;
        Network { first, mask }
    }
}

/// Those of routes that lead through no gateway: interface, destination, gateway, flags, three
/// numbers, mask; addresses in hexadecimal digits, as they lie in memory. A route to everywhere
/// says nothing.
fn networks_v4(table: &str) -> Vec<Network> {
    let lines = table.lines().skip(1);
    let network = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let word = |place: usize| u32::from_str_radix(words.get(place)?, 16).ok();
        let bits = |word: u32| Ipv4Addr::from(word.to_ne_bytes()).to_bits();
        let (first, gateway, mask) = (word(1)?, word(2)?, word(7)?);
        let mapped = Ipv4Addr::from_bits(bits(first)).to_ipv6_mapped().to_bits();
        let mask = (u128::MAX << 32) | u128::from(bits(mask));
        (gateway == 0 && mask as u32 != 0).then(|| Network::new(mapped, mask))
    };
    lines.filter_map(network).collect()
}

/// Those of addresses: 32 hexadecimal digits, interface, length of the prefix.
fn networks_v6(table: &str) -> Vec<Network> {
    let network = |line: &str| {
        let mut words = line.split_whitespace();
        let ip = u128::from_str_radix(words.next()?, 16).ok()?;
        let length = u32::from_str_radix(words.nth(1)?, 16).ok()?;
        let mask = u128::MAX.checked_shl(128_u32.checked_sub(length)?)?;
        Some(Network::new(ip, mask))
    };
    table.lines().filter_map(network).collect()
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
        assert_eq!(
            addressed(table, None),
            [Interface::Index(7), Interface::Index(10)]
        );
        assert_eq!(bound("2001:db8::2"), [Interface::Index(7)]);
        assert_eq!(bound("::1"), [Interface::Index(1)]);
        assert_eq!(bound("2001:db8::9"), []);
        let alone = table.lines().nth(3).unwrap();
        assert_eq!(addressed(alone, None), [Interface::Index(1)]);
        // The one interface that each machine has: its number is 1.
        let routes = "Iface\tDestination\nlo\t0000\nlo\t0001\nnone\t0\n";
        assert_eq!(routed(routes), [Interface::Index(1)]);
        assert_eq!(
            multicast_interfaces(Family::V4, Some(IpAddr::from([127, 0, 0, 1]).into())),
            [Interface::Address(Ipv4Addr::LOCALHOST)]
        );
    }

    #[test]
    fn hosts_of_our_networks_are_near() {
        // A table of a machine with this order of bytes.
        let word = |ip: [u8; 4]| format!("{:08X}", u32::from_ne_bytes(ip));
        let route = |to, gateway, mask| {
            let [to, gateway, mask] = [to, gateway, mask].map(word);
            format!("net\t{to}\t{gateway}\t0001\t0\t0\t0\t{mask}\t0\t0\t0\n")
        };
        let table = [
            String::from("Iface\tDestination\n"),
            route([0, 0, 0, 0], [198, 51, 100, 1], [0, 0, 0, 0]),
            route([0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]),
            route([198, 51, 100, 0], [0, 0, 0, 0], [255, 255, 255, 0]),
            route([203, 0, 113, 0], [198, 51, 100, 1], [255, 255, 255, 0]),
            String::from("nonsense\n"),
        ];
        let mut networks = networks_v4(&table.concat());
        networks.extend(networks_v6(
            "20010db8000000000000000000000002 07 40 00 80      net\nnonsense\n",
        ));
        let near = |ip: &str| networks.iter().any(|it| it.has(ip.parse().unwrap()));
        assert!(near("198.51.100.200") && near("::ffff:198.51.100.7") && near("2001:db8::9"));
        assert!(!near("198.51.101.1") && !near("203.0.113.1") && !near("2001:db8:0:1::9"));
    }
}
