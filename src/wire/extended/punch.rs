//! Messages of hole punching (BEP 55). A router lets packets in from where packets went out to, so
//! two peers behind routers reach each other if both call at one time. A third peer, which both are
//! connected to, has them do so: it is asked for a rendezvous with one by the other, and tells each
//! of them where to call, or the one who asked why it cannot.
//!
//! A message is a type, the family of an address, the address, its port and four bytes of an error
//! code. libtorrent leaves the code out where it says nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::super::Malformed;
use super::super::compact;

/// Why there is no rendezvous: nobody can be at this address, or nobody whom the one that asks
/// could call.
pub const NO_SUCH_PEER: u32 = 1;
/// No peer at this address is connected.
pub const NOT_CONNECTED: u32 = 2;
/// That peer does not know of hole punching.
pub const NO_SUPPORT: u32 = 3;
/// It is the address of the one that was asked, or of the one that asks.
pub const NO_SELF: u32 = 4;

/// One message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HolePunch {
    /// The receiver is to have the peer at this address and the sender call each other.
    Rendezvous(SocketAddr),
    /// The receiver is to call this address over uTP now.
    Connect(SocketAddr),
    /// There is no rendezvous with this address, by an error code.
    Error(SocketAddr, u32),
}

const RENDEZVOUS: u8 = 0;
const CONNECT: u8 = 1;
const ERROR: u8 = 2;

const V4: u8 = 0;
const V6: u8 = 1;

impl HolePunch {
    /// Reads the payload of a message. What follows is ignored.
    ///
    /// # Errors
    /// Its type or family is unknown, or it ends early.
    pub fn parse(payload: &[u8]) -> Result<HolePunch, Malformed> {
        let wrong = |at| Malformed {
            what: "a message about hole punching cannot be read",
            at,
        };
        let (&[kind, family], rest) = payload.split_first_chunk().ok_or(wrong(0))?;
        let (ip, rest) = match family {
            V4 => {
                let (ip, rest) = rest.split_first_chunk::<4>().ok_or(wrong(2))?;
                (IpAddr::from(Ipv4Addr::from(*ip)), rest)
            }
            V6 => {
                let (ip, rest) = rest.split_first_chunk::<16>().ok_or(wrong(2))?;
                (IpAddr::from(Ipv6Addr::from(*ip)), rest)
            }
            _ => return Err(wrong(1)),
        };
        let (&port, rest) = rest.split_first_chunk().ok_or(wrong(2))?;
        let addr = SocketAddr::new(ip, u16::from_be_bytes(port));
        match kind {
            RENDEZVOUS => Ok(HolePunch::Rendezvous(addr)),
            CONNECT => Ok(HolePunch::Connect(addr)),
            ERROR => {
                let code = rest
                    .first_chunk()
                    .map_or(0, |code| u32::from_be_bytes(*code));
                Ok(HolePunch::Error(addr, code))
            }
            _ => Err(wrong(0)),
        }
    }

    /// Appends the payload.
    pub fn encode(self, out: &mut Vec<u8>) {
        let (kind, addr, code) = match self {
            HolePunch::Rendezvous(addr) => (RENDEZVOUS, addr, 0),
            HolePunch::Connect(addr) => (CONNECT, addr, 0),
            HolePunch::Error(addr, code) => (ERROR, addr, code),
        };
        out.extend([kind, if addr.is_ipv4() { V4 } else { V6 }]);
        compact::encode(addr, out);
        out.extend(code.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn encoded(message: HolePunch) -> Vec<u8> {
        let mut out = Vec::new();
        message.encode(&mut out);
        out
    }

    /// BEP 55: "msg_type", one byte, "addr_type", one byte, "addr" of 4 or 16 bytes, "port", two
    /// bytes, "err_code", four bytes, of which the last are big-endian; the code is 0 in messages
    /// that are no errors.
    #[test]
    fn the_bytes_are_those_of_the_bep() {
        let v4 = addr("203.0.113.5:6881");
        let v6 = addr("[2001:db8::5]:6882");
        for (message, bytes) in [
            (
                HolePunch::Rendezvous(v4),
                &b"\0\0\xcb\0\x71\x05\x1a\xe1\0\0\0\0"[..],
            ),
            (
                HolePunch::Connect(v4),
                b"\x01\0\xcb\0\x71\x05\x1a\xe1\0\0\0\0",
            ),
            (
                HolePunch::Error(v4, NO_SUPPORT),
                b"\x02\0\xcb\0\x71\x05\x1a\xe1\0\0\0\x03",
            ),
            (
                HolePunch::Connect(v6),
                b"\x01\x01\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x05\x1a\xe2\0\0\0\0",
            ),
        ] {
            assert_eq!(encoded(message), bytes);
            assert_eq!(HolePunch::parse(bytes), Ok(message));
        }
    }

    #[test]
    fn what_libtorrent_leaves_out_is_not_missed() {
        let v4 = addr("203.0.113.5:6881");
        let whole = encoded(HolePunch::Rendezvous(v4));
        assert_eq!(HolePunch::parse(&whole[..8]), Ok(HolePunch::Rendezvous(v4)));
        let failed = encoded(HolePunch::Error(v4, NO_SELF));
        assert_eq!(HolePunch::parse(&failed[..8]), Ok(HolePunch::Error(v4, 0)));
    }

    #[test]
    fn what_is_cut_or_unknown_is_refused() {
        let whole = encoded(HolePunch::Connect(addr("[2001:db8::5]:6882")));
        for len in 0..20 {
            assert!(HolePunch::parse(&whole[..len]).is_err(), "{len}");
        }
        for (place, byte) in [(0, 3), (1, 2)] {
            let mut wrong = whole.clone();
            wrong[place] = byte;
            assert!(HolePunch::parse(&wrong).is_err());
        }
    }
}
