//! Where a proxy is to connect to or send to, as SOCKS5 writes it: the kind of the address, the
//! address, and the port.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

/// An address, or a name that the proxy looks up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// An address and a port.
    Addr(SocketAddr),
    /// A name, of 255 bytes at most, and a port.
    Name(Arc<str>, u16),
}

/// The kinds of addresses: IPv4, a name, IPv6.
const V4: u8 = 1;
const NAME: u8 = 3;
const V6: u8 = 4;

impl Place {
    /// Appends it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let port = match self {
            Place::Addr(addr) => {
                match addr.ip().to_canonical() {
                    IpAddr::V4(ip) => {
                        out.push(V4);
                        out.extend(ip.octets());
                    }
                    IpAddr::V6(ip) => {
                        out.push(V6);
                        out.extend(ip.octets());
                    }
                }
                addr.port()
            }
            Place::Name(name, port) => {
                // The names that get here are no longer than that.
                let name = &name.as_bytes()[..name.len().min(usize::from(u8::MAX))];
                out.extend([NAME, name.len() as u8]);
                out.extend(name);
                *port
            }
        };
        out.extend(port.to_be_bytes());
    }

    /// Bytes that it has, of which these are the first two; `None`: there is no such kind of
    /// address.
    pub fn length(first: [u8; 2]) -> Option<usize> {
        match first {
            [V4, _] => Some(1 + 4 + 2),
            [V6, _] => Some(1 + 16 + 2),
            [NAME, length] => Some(2 + usize::from(length) + 2),
            _ => None,
        }
    }

    /// Reads one, and what follows it; `None`: it is cut off, or no such thing. A name that is not
    /// UTF-8 is kept as far as it can be shown.
    pub fn parse(bytes: &[u8]) -> Option<(Place, &[u8])> {
        let first = [*bytes.first()?, *bytes.get(1)?];
        let (own, rest) = bytes.split_at_checked(Place::length(first)?)?;
        let (own, port) = own.split_last_chunk::<2>()?;
        let port = u16::from_be_bytes(*port);
        let place = match own {
            [V4, ip @ ..] => {
                let ip = Ipv4Addr::from(<[u8; 4]>::try_from(ip).ok()?);
                Place::Addr(SocketAddr::from((ip, port)))
            }
            [V6, ip @ ..] => {
                let ip = Ipv6Addr::from(<[u8; 16]>::try_from(ip).ok()?);
                Place::Addr(SocketAddr::new(IpAddr::V6(ip).to_canonical(), port))
            }
            [_, _, name @ ..] => Place::Name(String::from_utf8_lossy(name).into(), port),
            _ => return None,
        };
        Some((place, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_written_and_read() {
        for (place, bytes) in [
            (
                Place::Addr("192.0.2.1:6881".parse().unwrap()),
                &b"\x01\xc0\x00\x02\x01\x1a\xe1"[..],
            ),
            (
                Place::Addr("[2001:db8::1]:80".parse().unwrap()),
                b"\x04\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\0\x50",
            ),
            (
                Place::Name("t.example".into(), 443),
                b"\x03\x09t.example\x01\xbb",
            ),
        ] {
            let mut out = Vec::new();
            place.encode(&mut out);
            assert_eq!(out, bytes);
            assert_eq!(Place::length([bytes[0], bytes[1]]), Some(bytes.len()));
            out.extend(b"rest");
            assert_eq!(Place::parse(&out), Some((place, &b"rest"[..])));
            for end in 0..bytes.len() {
                assert_eq!(Place::parse(&bytes[..end]), None, "cut at {end}");
            }
        }
        let mut mapped = Vec::new();
        Place::Addr("[::ffff:192.0.2.1]:1".parse().unwrap()).encode(&mut mapped);
        assert_eq!(mapped, [1, 192, 0, 2, 1, 0, 1]);
        assert_eq!(Place::parse(&[2, 0, 0, 0]), None, "there is no such kind");
    }
}
