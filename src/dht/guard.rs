//! Which addresses we send to when another node names them. A stranger may name any address: the
//! user's own machine, or a host that it wants us to flood.

use crate::base::Reach;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

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
