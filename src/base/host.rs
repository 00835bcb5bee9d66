//! The host behind an address, as far as an address tells. Bans and the search for senders of bad
//! blocks go by hosts.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::reach::Reach;

/// The host of an address. The port does not count, since a new connection has another one; nor do
/// the last 64 bits of an IPv6 address, since every host may use as many as it likes (RFC 8981). So
/// all peers behind one router, which share an IPv4 address, count as one host, and so does a home
/// network of IPv6. There are two exceptions: on this very machine many clients share an address,
/// and link-local addresses share their first 64 bits. There each address and port is a host of its
/// own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Host(SocketAddr);

impl Host {
    /// The host of this address. IPv4-mapped IPv6 addresses are the IPv4 hosts.
    pub fn of(addr: SocketAddr) -> Host {
        let (ip, port) = (addr.ip().to_canonical(), addr.port());
        Host(match ip {
            _ if ip.is_loopback() => SocketAddr::new(ip, port),
            IpAddr::V6(v6) if !v6.is_unicast_link_local() => {
                let network = v6.to_bits() >> 64 << 64;
                SocketAddr::new(Ipv6Addr::from_bits(network).into(), 0)
            }
            _ => SocketAddr::new(ip, 0),
        })
    }
}

/// The address that stands for a web seed where blocks are judged: a server may share its own with
/// peers, or with other web seeds. No host has such an address (RFC 4291 reserves 0100::/8).
pub fn web_seed_addr(number: usize) -> SocketAddr {
    let [.., high, low] = number.to_be_bytes();
    let number = u16::from_be_bytes([high, low]);
    let ip = Ipv6Addr::new(0x100, 0x19, number, 0, 0, 0, 0, 1);
    SocketAddr::new(ip.into(), 0)
}

/// The web seed that such an address stands for.
pub fn web_seed_at(addr: SocketAddr) -> Option<usize> {
    match addr.ip() {
        IpAddr::V6(ip) if addr.port() == 0 => match ip.segments() {
            [0x100, 0x19, number, ..] => Some(number.into()),
            _ => None,
        },
        _ => None,
    }
}

/// The network of an address, for counting how many come from there: /24 of IPv4, /64 of IPv6.
/// `None` for local addresses, where many clients share one.
pub fn network(addr: SocketAddr) -> Option<u64> {
    match addr.ip().to_canonical() {
        ip if Reach::of(ip).is_local() => None,
        IpAddr::V4(ip) => Some(u64::from(ip.to_bits() >> 8)),
        IpAddr::V6(ip) => Some((ip.to_bits() >> 64) as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn web_seeds_are_hosts_of_their_own() {
        for number in [0, 1, 65_535] {
            let addr = web_seed_addr(number);
            assert_eq!(web_seed_at(addr), Some(number));
            assert_ne!(Host::of(addr), Host::of(web_seed_addr(number ^ 1)));
        }
        assert_eq!(web_seed_at("[2001:db8::1]:0".parse().unwrap()), None);
        assert_eq!(web_seed_at("192.0.2.1:0".parse().unwrap()), None);
    }

    #[test]
    fn networks_are_counted_in_public() {
        let network = |text: &str| network(text.parse().unwrap());
        let same = |one: &str, other: &str| network(one) == network(other);
        assert!(same("192.0.2.1:1", "192.0.2.200:2"));
        assert!(!same("192.0.2.1:1", "192.0.3.1:1"));
        assert!(same("[2001:db8::1]:1", "[2001:db8::9:9]:1"));
        assert!(!same("[2001:db8::1]:1", "[2001:db8:0:1::1]:1"));
        assert_eq!(network("127.0.0.1:1"), None);
    }

    fn same(one: &str, other: &str) -> bool {
        let host = |text: &str| Host::of(text.parse().unwrap());
        host(one) == host(other)
    }

    #[test]
    fn a_host_is_what_costs_something_to_change() {
        assert!(same("192.0.2.1:6881", "192.0.2.1:50000"), "a port is free");
        assert!(!same("192.0.2.1:6881", "192.0.2.2:6881"));
        assert!(same("192.0.2.1:6881", "[::ffff:192.0.2.1]:1"));
        assert!(same("[2001:db8::1]:1", "[2001:db8::ffff:0:0:2]:2"));
        assert!(!same("[2001:db8:0:1::1]:1", "[2001:db8:0:2::1]:1"));
        assert!(!same("127.0.0.1:1", "127.0.0.1:2") && same("[::1]:1", "[::1]:1"));
        assert!(!same("[::1]:1", "[::1]:2") && !same("[fe80::1]:1", "[fe80::2]:1"));
        assert!(same("[fe80::1]:1", "[fe80::1]:2"));
    }
}
