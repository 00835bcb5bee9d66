//! The first 68 bytes that each side sends (BEP 3): the length and name of the protocol, eight
//! reserved bytes whose bits name what the sender can do, the torrent's info hash, and the sender's
//! peer id.

use nom::Parser as _;
use nom::bytes::streaming::tag;
use nom::sequence::preceded;

use super::{Malformed, Parsed, array, finish};
use crate::base::{InfoHash, PeerId};

/// Bytes of a handshake.
pub const LEN: usize = 68;

/// Its first twenty bytes: 19, then the protocol's name.
pub const PROTOCOL: &[u8; 20] = b"\x13BitTorrent protocol";

/// The bit of the last reserved byte that means "I speak the fast extension" (BEP 6).
const FAST: u8 = 0x04;

/// The bit of the sixth reserved byte that means "I speak the extension protocol" (BEP 10).
const EXTENDED: u8 = 0x10;

/// The bit of the last reserved byte that means "I am a node of the DHT" (BEP 5).
const DHT: u8 = 0x01;

/// A handshake.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Handshake {
    /// Bits for what the sender can do; unknown ones mean nothing.
    pub reserved: [u8; 8],
    /// The torrent that the connection is about.
    pub info_hash: InfoHash,
    /// The sender's name.
    pub peer_id: PeerId,
}

impl Handshake {
    /// The handshake of a client that speaks the fast extension (BEP 6) and no other.
    pub fn with_fast(info_hash: InfoHash, peer_id: PeerId) -> Handshake {
        Handshake {
            reserved: [0, 0, 0, 0, 0, 0, 0, FAST],
            info_hash,
            peer_id,
        }
    }

    /// The handshake of brooklet: the fast extension (BEP 6) and the extension protocol (BEP 10).
    pub fn ours(info_hash: InfoHash, peer_id: PeerId) -> Handshake {
        Handshake {
            reserved: [0, 0, 0, 0, 0, EXTENDED, 0, FAST],
            info_hash,
            peer_id,
        }
    }

    /// The same of a client that is a node of the DHT, too (BEP 5).
    pub fn with_dht(mut self) -> Handshake {
        let [.., last] = &mut self.reserved;
        *last |= DHT;
        self
    }

    /// Whether the sender is a node of the DHT (BEP 5).
    pub fn dht(&self) -> bool {
        let [.., last] = self.reserved;
        last & DHT != 0
    }

    /// Whether the sender speaks the extension protocol (BEP 10).
    pub fn extended(&self) -> bool {
        let [_, _, _, _, _, byte, _, _] = self.reserved;
        byte & EXTENDED != 0
    }

    /// Whether the sender speaks the fast extension (BEP 6).
    pub fn fast(&self) -> bool {
        let [.., last] = self.reserved;
        last & FAST != 0
    }

    /// Reads the handshake that these bytes begin with; `None` while there are too few of them.
    /// Another protocol is refused at its first byte that differs, before all 68 bytes have come.
    pub fn parse(bytes: &[u8]) -> Result<Option<Handshake>, Malformed> {
        match handshake(bytes) {
            Err(nom::Err::Incomplete(_)) => Ok(None),
            parsed => match finish(bytes, parsed) {
                Ok((handshake, _)) => Ok(Some(handshake)),
                Err(_) => Err(Malformed {
                    what: "this is not the BitTorrent protocol",
                    at: bytes
                        .iter()
                        .zip(PROTOCOL)
                        .take_while(|(theirs, ours)| theirs == ours)
                        .count(),
                }),
            },
        }
    }

    /// Appends the 68 bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(PROTOCOL);
        out.extend_from_slice(&self.reserved);
        out.extend_from_slice(&self.info_hash.0);
        out.extend_from_slice(&self.peer_id.0);
    }
}

fn handshake(input: &[u8]) -> Parsed<'_, Handshake> {
    let fields = (array, array, array);
    let (rest, (reserved, info_hash, peer_id)) =
        preceded(tag(&PROTOCOL[..]), fields).parse(input)?;
    let handshake = Handshake {
        reserved,
        info_hash: InfoHash(info_hash),
        peer_id: PeerId(peer_id),
    };
    Ok((rest, handshake))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO_HASH: InfoHash = InfoHash(*b"abcdefghijklmnopqrst");
    const PEER_ID: PeerId = PeerId(*b"-XX0000-000000000000");

    /// BEP 3: "The handshake starts with character nineteen (decimal) followed by the string
    /// 'BitTorrent protocol'. […] eight reserved bytes […] 20 byte sha1 hash […] 20-byte peer id".
    #[test]
    fn layout_is_that_of_bep_3() {
        let mut bytes = Vec::new();
        Handshake::with_fast(INFO_HASH, PEER_ID).encode(&mut bytes);
        let expected =
            b"\x13BitTorrent protocol\0\0\0\0\0\0\0\x04abcdefghijklmnopqrst-XX0000-000000000000";
        assert_eq!(bytes, expected);
        assert_eq!(bytes.len(), LEN);
    }

    #[test]
    fn every_prefix_waits_and_the_whole_parses() {
        let mut bytes = Vec::new();
        let sent = Handshake::with_fast(INFO_HASH, PEER_ID);
        sent.encode(&mut bytes);
        for cut in 0..LEN {
            assert_eq!(Handshake::parse(&bytes[..cut]), Ok(None), "{cut}");
        }
        bytes.extend(b"\0\0\0\0");
        assert_eq!(Handshake::parse(&bytes), Ok(Some(sent)));
        let plain = Handshake {
            reserved: [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfb],
            ..sent
        };
        assert!(sent.fast() && !plain.fast());
        assert!(!sent.dht() && sent.with_dht().dht() && sent.with_dht().fast());
    }

    #[test]
    fn another_protocol_is_refused_at_its_first_wrong_byte() {
        let refused = |bytes: &[u8]| Handshake::parse(bytes).err().map(|wrong| wrong.at);
        assert_eq!(refused(b"G"), Some(0));
        assert_eq!(refused(b"\x13BitTorrent Pro"), Some(12));
        assert_eq!(refused(b"\x13BitTorrent protocoL"), Some(19));
        assert_eq!(refused(b"\x14"), Some(0));
    }
}
