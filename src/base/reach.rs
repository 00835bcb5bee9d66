//! How far away an address is: on this machine, in its local networks, or public. An address that a
//! stranger names is judged by this: a public host has no reason to name a local address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Where an address leads to, the nearest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Reach {
    /// To no single host: unspecified, multicast, broadcast, reserved.
    Nowhere,
    /// To this machine.
    Machine,
    /// To the same wire: link-local addresses, where clouds also keep their keys (169.254.169.254).
    Link,
    /// To private networks (RFC 1918, RFC 4193, RFC 6598).
    Site,
    /// A public address.
    World,
}

impl Reach {
    /// The reach of an address. An address that contains an IPv4 address (mapped, NAT64, 6to4)
    /// leads no farther than that.
    pub fn of(ip: IpAddr) -> Reach {
        match ip.to_canonical() {
            IpAddr::V4(ip) => of_v4(ip),
            IpAddr::V6(ip) => of_v6(ip),
        }
    }

    /// Whether it stays inside: this machine and the networks around it.
    pub fn is_local(self) -> bool {
        self < Reach::World
    }
}

/// Whether we may send to an address that this sender named: it leads to a host, and is no nearer
/// to us than the sender, since a public node cannot know local hosts.
pub fn may_name(sender: SocketAddr, named: SocketAddr) -> bool {
    let reach = Reach::of(named.ip());
    named.port() != 0 && reach != Reach::Nowhere && reach >= Reach::of(sender.ip())
}

/// The address with its IPv4-mapped IPv6 form replaced by the plain IPv4 one. Only a link-local one
/// keeps the interface that it is at.
pub fn canonical(addr: SocketAddr) -> SocketAddr {
    if is_link_local(addr) {
        addr
    } else {
        plain(addr)
    }
}

/// An address without the interface that it is at, and with its IPv4-mapped IPv6 form replaced by
/// the plain IPv4 one.
pub fn plain(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}

/// Whether this is a link-local address of IPv6: it holds together with an interface alone, which
/// no message has room to name.
pub fn is_link_local(addr: SocketAddr) -> bool {
    matches!(addr, SocketAddr::V6(v6) if v6.ip().is_unicast_link_local())
}

/// Whether this is such an address without its interface: nothing can be sent there.
pub fn lacks_interface(addr: SocketAddr) -> bool {
    is_link_local(addr) && matches!(addr, SocketAddr::V6(v6) if v6.scope_id() == 0)
}

/// The address that stands for the name of this number, where a proxy looks names up. None that
/// leads to a host is among them (RFC 6666): whoever else names one names nothing.
pub fn stand_in(number: u64) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from_bits(STAND_INS | u128::from(number)))
}

/// The number of the name that this address stands for, if it does.
pub fn stands_for(ip: IpAddr) -> Option<u64> {
    match ip {
        IpAddr::V6(ip) if ip.to_bits() >> 64 == STAND_INS >> 64 => Some(ip.to_bits() as u64),
        _ => None,
    }
}

/// 100::/64.
const STAND_INS: u128 = 0x0100 << 112;

fn of_v4(ip: Ipv4Addr) -> Reach {
    match ip.octets() {
        [0 | 224..=255, ..] => Reach::Nowhere,
        [127, ..] => Reach::Machine,
        [169, 254, ..] => Reach::Link,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Reach::Site,
        _ => Reach::World,
    }
}

fn of_v6(ip: Ipv6Addr) -> Reach {
    let inside = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        of_v4(Ipv4Addr::new(a, b, c, d))
    };
    match ip.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => Reach::Machine,
        // Among them addresses that embed IPv4 ones in a way long abandoned (RFC 4291).
        [0, 0, 0, 0, 0, 0, ..] | [0xff00..=0xffff, ..] => Reach::Nowhere,
        [0xfe80..=0xfebf, ..] => Reach::Link,
        [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] | [0x64, 0xff9b, 1, ..] => Reach::Site,
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => inside(high, low),
        _ => Reach::World,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_address_is_known() {
        for (reach, ips) in [
            (
                Reach::Nowhere,
                "0.0.0.0 0.1.2.3 224.0.0.1 239.1.1.1 240.0.0.1 255.255.255.255 :: ff02::1 ::ffff:0.0.0.0 ::7f00:1",
            ),
            (
                Reach::Machine,
                "127.0.0.1 127.255.255.254 ::1 ::ffff:127.0.0.1 64:ff9b::127.0.0.1 2002:7f00:1::1",
            ),
            (
                Reach::Link,
                "169.254.169.254 fe80::1 febf::1 ::ffff:169.254.0.1 64:ff9b::169.254.169.254",
            ),
            (
                Reach::Site,
                "10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 100.64.0.1 fc00::1 fd12::1 fec0::1 \
                 ::ffff:10.0.0.1 64:ff9b::10.1.2.3 64:ff9b:1::1 2002:c0a8:101::1",
            ),
            (
                Reach::World,
                "1.1.1.1 9.255.255.255 11.0.0.1 100.63.0.1 100.128.0.1 126.1.1.1 128.0.0.1 172.15.1.1 172.32.0.1 \
                 192.0.2.1 192.167.1.1 223.255.255.255 2001:db8::1 ::ffff:8.8.8.8 64:ff9b::8.8.8.8 2002:808:808::1",
            ),
        ] {
            for ip in ips.split_whitespace() {
                assert_eq!(Reach::of(ip.parse().unwrap()), reach, "{ip}");
            }
        }
    }

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn nobody_outside_names_local_hosts() {
        let public = addr("198.51.100.1:6881");
        for named in [
            "127.0.0.1:6881",
            "10.0.0.1:6881",
            "169.254.169.254:80",
            "224.0.0.1:6881",
            "255.255.255.255:1",
            "0.0.0.0:6881",
            "203.0.113.5:0",
            "[::1]:6881",
            "[fe80::1]:6881",
            "[ff02::1]:6881",
            "[fd00::1]:6881",
        ] {
            assert!(!may_name(public, addr(named)), "{named}");
        }
        assert!(may_name(public, addr("203.0.113.5:6881")));
        assert!(may_name(public, addr("[2001:db8::1]:6881")));
        let here = addr("127.0.0.1:6881");
        let near = addr("192.168.1.2:6881");
        assert!(may_name(here, addr("127.0.0.2:1")) && may_name(near, addr("192.168.1.3:1")));
        assert!(!may_name(near, here) && !may_name(here, addr("127.0.0.1:0")));
    }
}
