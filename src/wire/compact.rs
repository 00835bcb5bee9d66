//! Compact addresses: six bytes for an IPv4 address and a port (BEP 23), eighteen for IPv6 (BEP 7),
//! one after the other.
//!
//! A part of an address at the end of a list is ignored: trackers that cut their reply to fit
//! somewhere do send it, and the whole addresses before it are as good as any.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::base::limits;

/// Bytes of an IPv4 address and its port.
const V4: usize = 6;
/// Bytes of an IPv6 address and its port.
const V6: usize = 18;

/// The two kinds of addresses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Family {
    /// IPv4: six bytes with the port.
    V4,
    /// IPv6: eighteen bytes with the port.
    V6,
}

impl Family {
    /// That of an address.
    pub fn of(ip: IpAddr) -> Family {
        match ip {
            IpAddr::V4(_) => Family::V4,
            IpAddr::V6(_) => Family::V6,
        }
    }

    /// The one that this is not.
    pub fn other(self) -> Family {
        match self {
            Family::V4 => Family::V6,
            Family::V6 => Family::V4,
        }
    }

    /// Its index in an array that has something of each.
    pub fn index(self) -> usize {
        match self {
            Family::V4 => 0,
            Family::V6 => 1,
        }
    }
}

/// The addresses of a list, [`limits::REPLY_PEERS`] of them at most.
pub fn parse(list: &[u8], family: Family) -> Vec<SocketAddr> {
    match family {
        Family::V4 => addresses::<4>(list, |ip| Ipv4Addr::from(ip).into()),
        Family::V6 => addresses::<16>(list, |ip| Ipv6Addr::from(ip).into()),
    }
}

/// The addresses of a list that is due to be of this family, and the family that they are of.
pub fn parse_either(list: &[u8], due: Family) -> (Vec<SocketAddr>, Family) {
    let family = match due {
        Family::V4 if is_v6(list) => Family::V6,
        Family::V6 if is_v4(list) => Family::V4,
        due => due,
    };
    (parse(list, family), family)
}

/// Whether a list that should be of IPv4 addresses is one of IPv6 addresses: its length fits, every
/// entry is then an address that a peer may have, and of the IPv4 ones most are not.
fn is_v6(list: &[u8]) -> bool {
    let (v4, v6) = (parse(list, Family::V4), parse(list, Family::V6));
    let fits = !list.is_empty() && list.len() % V6 == 0 && plausible(&v6) == v6.len();
    fits && plausible(&v4).saturating_mul(2) < v4.len()
}

/// Whether a list that should be of IPv6 addresses is one of IPv4 addresses, as npm's
/// `bittorrent-tracker` sends them to every client. The length tells, unless it is a multiple of
/// both: then the list is one of IPv4 if that makes every entry an address that a peer may have,
/// and reading it as IPv6 does so for half of them at most.
fn is_v4(list: &[u8]) -> bool {
    if list.is_empty() || list.len() % V4 != 0 {
        return false;
    }
    let (v4, v6) = (parse(list, Family::V4), parse(list, Family::V6));
    let is_v6 = list.len() % V6 == 0 && plausible(&v6).saturating_mul(2) > v6.len();
    !is_v6 && plausible(&v4) == v4.len()
}

fn plausible(addrs: &[SocketAddr]) -> usize {
    addrs.iter().filter(|addr| is_plausible(**addr)).count()
}

/// Whether a peer may have this address: global, private, link-local or loopback.
fn is_plausible(addr: SocketAddr) -> bool {
    let ip = match addr.ip() {
        IpAddr::V4(ip) => !matches!(ip.octets(), [0 | 224..=255, ..]),
        IpAddr::V6(ip) => {
            let first = ip.segments().into_iter().next().unwrap_or(0);
            matches!(first, 0x2000..=0x3fff | 0xfc00..=0xfdff | 0xfe80..=0xfebf)
                || ip.is_loopback()
                || ip.to_ipv4_mapped().is_some()
        }
    };
    ip && addr.port() != 0
}

/// Appends an address in the form of its family.
pub fn encode(addr: SocketAddr, out: &mut Vec<u8>) {
    match addr.ip() {
        IpAddr::V4(ip) => out.extend(ip.octets()),
        IpAddr::V6(ip) => out.extend(ip.octets()),
    }
    out.extend(addr.port().to_be_bytes());
}

fn addresses<const IP: usize>(mut list: &[u8], ip: fn([u8; IP]) -> IpAddr) -> Vec<SocketAddr> {
    std::iter::from_fn(|| {
        let (address, rest) = list.split_first_chunk::<IP>()?;
        let (port, rest) = rest.split_first_chunk::<2>()?;
        list = rest;
        Some(SocketAddr::new(ip(*address), u16::from_be_bytes(*port)))
    })
    .take(limits::REPLY_PEERS)
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(addrs: &[SocketAddr]) -> Vec<u8> {
        let mut out = Vec::new();
        addrs.iter().for_each(|&addr| encode(addr, &mut out));
        out
    }

    /// BEP 23: "The first 4 bytes contain the 32-bit ipv4 address. The remaining two bytes contain
    /// the port number. Both address and port use network-byte order."
    #[test]
    fn ipv4_is_six_bytes() {
        let addrs = [
            "10.1.2.3:6881".parse().unwrap(),
            "1.1.1.1:1".parse().unwrap(),
        ];
        let bytes = [10, 1, 2, 3, 0x1a, 0xe1, 1, 1, 1, 1, 0, 1];
        assert_eq!(encoded(&addrs), bytes);
        assert_eq!(parse(&bytes, Family::V4), addrs);
        for cut in 6..12 {
            assert_eq!(parse(&bytes[..cut], Family::V4), addrs[..1], "cut to {cut}");
        }
        assert_eq!(parse(&bytes[..5], Family::V4), []);
    }

    /// BEP 7: an IPv6 address takes 16 bytes, and its port 2.
    #[test]
    fn ipv6_is_eighteen_bytes() {
        let addrs = [
            "[2001:db8::1]:443".parse().unwrap(),
            "[::1]:9".parse().unwrap(),
        ];
        let bytes = encoded(&addrs);
        assert_eq!(bytes.len(), 36);
        assert_eq!(bytes[..4], [0x20, 0x01, 0x0d, 0xb8]);
        assert_eq!(bytes[15..18], [1, 0x01, 0xbb]);
        assert_eq!(parse(&bytes, Family::V6), addrs);
        assert_eq!(parse(&bytes[..35], Family::V6), addrs[..1]);
    }

    #[test]
    fn ipv4_where_ipv6_is_due_is_known() {
        let list = |addrs: &[&str]| {
            let addrs: Vec<_> = addrs.iter().map(|addr| addr.parse().unwrap()).collect();
            encoded(&addrs)
        };
        let v4 = [
            "10.1.2.3:6881",
            "91.5.6.7:51413",
            "203.0.113.9:1",
            "36.1.2.3:9",
        ];
        for count in 1..=4 {
            assert!(is_v4(&list(&v4[..count])), "{count}");
        }
        assert!(is_v4(&list(&v4[..3].repeat(7))));
        for v6 in [
            &["[2001:db8::1]:443"][..],
            &["[2a02:8109:9a40:1c3e:5d2f:8fa1:9be3:7c5d]:6881"; 2],
            &["[fd12:3456:789a:bcde:f012:3456:789a:bcde]:51413"],
            &["[fe80::1]:1", "[::]:6881", "[::1]:1"],
            &["[::1]:6881"],
            &["[::]:6881"],
            &["[::ffff:10.0.0.1]:6881"],
        ] {
            assert!(!is_v4(&list(v6)), "{v6:?}");
        }
        assert!(!is_v4(&[]) && !is_v4(&[7; 7]));
        assert!(!is_v4(&list(&["0.0.0.0:6881", "10.1.2.3:1"])));
    }

    #[test]
    fn ipv6_where_ipv4_is_due_is_known() {
        let list = |addrs: &[&str]| {
            let addrs: Vec<SocketAddr> = addrs.iter().map(|addr| addr.parse().unwrap()).collect();
            (encoded(&addrs), addrs)
        };
        for v6 in [
            &["[2001:db8::1]:443"][..],
            &["[::1]:6881"],
            &["[fd12:3456::1]:51413", "[2001:db8::2]:9"],
        ] {
            let (bytes, addrs) = list(v6);
            assert_eq!(parse_either(&bytes, Family::V4), (addrs, Family::V6));
        }
        for v4 in [
            &["45.1.2.3:6881", "91.5.6.7:51413", "203.0.113.9:1"][..],
            &["45.1.2.3:6881", "0.0.0.0:6881", "203.0.113.9:1"],
            &["0.0.0.0:6881", "0.0.0.0:1", "10.1.2.3:0"],
            &["45.1.2.3:0", "0.0.0.0:1"],
        ] {
            let (bytes, addrs) = list(v4);
            assert_eq!(parse_either(&bytes, Family::V4), (addrs, Family::V4));
        }
        assert_eq!(parse_either(&[], Family::V4), (Vec::new(), Family::V4));
    }

    #[test]
    fn a_list_ends_at_the_limit() {
        let list = vec![7; 6 * 5000];
        assert_eq!(parse(&list, Family::V4).len(), limits::REPLY_PEERS);
    }
}
