//! Which addresses we send to when another node names them. A stranger may name any address: the
//! user's own machine, or a host that it wants us to flood.

use crate::base::Reach;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Whether we may send to an address that this sender named: it leads to a host, and is no nearer
/// to us than the sender, since a public node cannot know local hosts.
pub fn may_name(sender: SocketAddr, named: SocketAddr) -> bool {
    let reach = Reach::of(named.ip());
    named.port() != 0 && reach != Reach::Nowhere && reach >= Reach::of(sender.ip())
}

/// The network of an address, for counting how many come from there: /24 of IPv4, /64 of IPv6.
/// `None` for local addresses, where many clients share one.
pub fn network(addr: SocketAddr) -> Option<u64> {
    match addr.ip().to_canonical() {
        ip if Reach::of(ip).is_local() => None,
        IpAddr::V4(ip) => Some(u64::from(ip.to_bits() >> 8)),
        IpAddr::V6(ip) => Some(high(ip)),
    }
}

/// Whether two addresses count as one node's: one IP address has one node, but for local ones,
/// where the port counts too.
pub fn is_same(one: SocketAddr, other: SocketAddr) -> bool {
    one == other || (one.ip() == other.ip() && !Reach::of(one.ip()).is_local())
}

fn high(ip: Ipv6Addr) -> u64 {
    (ip.to_bits() >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn no_public_tracker_names_local_hosts() {
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

    #[test]
    fn networks_are_counted_in_public() {
        let same = |one: &str, other: &str| network(addr(one)) == network(addr(other));
        assert!(same("192.0.2.1:1", "192.0.2.200:2"));
        assert!(!same("192.0.2.1:1", "192.0.3.1:1"));
        assert!(same("[2001:db8::1]:1", "[2001:db8::9:9]:1"));
        assert!(!same("[2001:db8::1]:1", "[2001:db8:0:1::1]:1"));
        assert_eq!(network(addr("127.0.0.1:1")), None);
        assert!(is_same(addr("192.0.2.1:1"), addr("192.0.2.1:2")));
        assert!(!is_same(addr("127.0.0.1:1"), addr("127.0.0.1:2")));
    }
}
