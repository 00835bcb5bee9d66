//! Messages of peer exchange (BEP 11): a peer names others that it is connected to, and those that
//! it is no longer. IPv4 and IPv6 addresses stand in lists of their own, and beside each list of
//! new ones a list of flags, a byte each.
//!
//! rqbit and rtorrent send no flags, and Transmission leaves out lists that are empty: what is
//! missing says nothing. Ours are never without flags, since libtorrent ignores such a list.

use std::net::SocketAddr;

use super::super::Malformed;
use super::super::bencode::{self, Value};
use super::super::compact::{self, Family};
use crate::base::limits;

/// The peer would rather be dialed with encryption.
pub const ENCRYPTED: u8 = 0x01;
/// The peer has everything, or downloads nothing.
pub const SEED: u8 = 0x02;
/// The peer speaks uTP (BEP 29).
pub const UTP: u8 = 0x04;
/// The peer speaks of hole punching (BEP 55): the sender can have it call through its router.
pub const HOLE_PUNCH: u8 = 0x08;
/// The sender has dialed the peer, so it can be reached.
pub const REACHABLE: u8 = 0x10;

/// One message.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PeerExchange {
    /// Peers that the sender is connected to since its last message, with their flags.
    pub added: Vec<(SocketAddr, u8)>,
    /// Peers that it named before and is no longer connected to.
    pub dropped: Vec<SocketAddr>,
}

impl PeerExchange {
    /// Reads the payload of a message, [`limits::PEX_TAKEN`] peers of each list at most.
    ///
    /// # Errors
    /// It is no dictionary.
    pub fn parse(payload: &[u8]) -> Result<PeerExchange, Malformed> {
        let (value, _) = bencode::decode_nearest(payload)?;
        let dict = value.dict().ok_or(Malformed {
            what: "a peer exchange is no dictionary",
            at: 0,
        })?;
        let lists = dict.pick(KEYS);
        let [added, flags, added6, flags6, dropped, dropped6] =
            lists.map(|list| list.and_then(Value::bytes).unwrap_or_default());
        let mut said = PeerExchange::default();
        for (family, added, flags, dropped) in [
            (Family::V4, added, flags, dropped),
            (Family::V6, added6, flags6, dropped6),
        ] {
            let mut flags = flags.iter().copied();
            let added = peers(added, family).map(|addr| (addr, flags.next().unwrap_or(0)));
            said.added.extend(added);
            said.dropped.extend(peers(dropped, family));
        }
        Ok(said)
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.dropped.is_empty()
    }

    /// Appends the payload, without the lists that are empty.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut lists = [const { Vec::new() }; 6];
        let [added, flags, added6, flags6, dropped, dropped6] = &mut lists;
        for &(addr, marks) in &self.added {
            let (list, flags) = match addr {
                SocketAddr::V4(_) => (&mut *added, &mut *flags),
                SocketAddr::V6(_) => (&mut *added6, &mut *flags6),
            };
            compact::encode(addr, list);
            flags.push(marks);
        }
        for &addr in &self.dropped {
            match addr {
                SocketAddr::V4(_) => compact::encode(addr, dropped),
                SocketAddr::V6(_) => compact::encode(addr, dropped6),
            }
        }
        let said = KEYS.into_iter().zip(&lists);
        let said = said.filter(|(_, list)| !list.is_empty());
        out.extend(bencode::dict(
            said.map(|(key, list)| (key, bencode::bytes(list))),
        ));
    }
}

const KEYS: [&str; 6] = [
    "added", "added.f", "added6", "added6.f", "dropped", "dropped6",
];

fn peers(list: &[u8], family: Family) -> impl Iterator<Item = SocketAddr> {
    let peers = compact::parse(list, family).into_iter();
    peers.take(limits::PEX_TAKEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// What libtorrent 2.0.14 sends: all six lists, the empty ones too.
    const LIBTORRENT: &[u8] = b"d5:added12:\x0a\x00\x00\x01\x1a\xe1\x0a\x00\x00\x02\x1a\xe2\
        7:added.f2:\x02\x086:added60:8:added6.f0:7:dropped6:\x0a\x00\x00\x03\x00\x078:dropped60:e";

    #[test]
    fn what_libtorrent_says_is_read() {
        let said = PeerExchange::parse(LIBTORRENT).unwrap();
        let added = [
            (addr("10.0.0.1:6881"), SEED),
            (addr("10.0.0.2:6882"), HOLE_PUNCH),
        ];
        assert_eq!(said.added, added);
        assert_eq!(said.dropped, [addr("10.0.0.3:7")]);
    }

    #[test]
    fn what_we_say_is_sorted_and_read_back() {
        let said = PeerExchange {
            added: vec![
                (addr("[2001:db8::1]:1"), REACHABLE),
                (addr("10.0.0.1:2"), SEED | REACHABLE),
            ],
            dropped: vec![addr("[2001:db8::2]:3"), addr("10.0.0.2:4")],
        };
        let mut out = Vec::new();
        said.encode(&mut out);
        let expected = b"d5:added6:\x0a\0\0\x01\0\x027:added.f1:\x126:added618:\
            \x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\0\x018:added6.f1:\x107:dropped6:\x0a\0\0\x02\
            \0\x048:dropped618:\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02\0\x03e";
        assert_eq!(out, expected);
        let mut back = PeerExchange::parse(&out).unwrap();
        back.added.reverse();
        back.dropped.reverse();
        assert_eq!(back, said);
        let mut out = Vec::new();
        PeerExchange::default().encode(&mut out);
        assert_eq!(out, b"de");
    }

    #[test]
    fn lists_without_flags_and_of_odd_length_are_read() {
        let read = |text: &[u8]| PeerExchange::parse(text).unwrap();
        let odd = read(b"d5:added8:\x0a\0\0\x01\0\x02\x0a\0e");
        assert_eq!(odd.added, [(addr("10.0.0.1:2"), 0)]);
        let few = read(b"d5:added12:\x0a\0\0\x01\0\x02\x0a\0\0\x02\0\x027:added.f1:\x02e");
        assert_eq!(
            few.added,
            [(addr("10.0.0.1:2"), SEED), (addr("10.0.0.2:2"), 0)]
        );
        let many = read(b"d5:added6:\x0a\0\0\x01\0\x027:added.f3:\x01\x02\x03e");
        assert_eq!(many.added, [(addr("10.0.0.1:2"), ENCRYPTED)]);
        for nothing in [
            &b"de"[..],
            b"d5:addedi7ee",
            b"d5:added0:e",
            b"d5:addedle7:droppeddee",
        ] {
            assert!(read(nothing).is_empty(), "{nothing:?}");
        }
        for bad in [&b""[..], b"le", b"d5:added6:e"] {
            assert!(PeerExchange::parse(bad).is_err());
        }
    }

    #[test]
    fn lists_end_at_the_limit() {
        let list = bencode::bytes(vec![7; 6 * 2 * limits::PEX_TAKEN]);
        let text = bencode::dict([("added", list.clone()), ("dropped", list)]);
        let said = PeerExchange::parse(&text).unwrap();
        assert_eq!(said.added.len(), limits::PEX_TAKEN);
        assert_eq!(said.dropped.len(), limits::PEX_TAKEN);
    }
}
