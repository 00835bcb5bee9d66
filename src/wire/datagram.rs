//! Whose a datagram is that arrives at the client's one UDP port. Trackers, uTP and the DHT share
//! it, and the first bytes tell them apart.

/// The protocol of a datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protocol {
    /// An answer of a tracker (BEP 15): the action in four bytes, of which three are zero.
    Tracker,
    /// uTP (BEP 29): the packet's type in the high half of the first byte, version 1 in the low.
    Utp,
    /// The DHT (BEP 5): a bencoded dictionary.
    Dht,
    /// None of these.
    Unknown,
}

impl Protocol {
    /// That of a datagram.
    pub fn of(datagram: &[u8]) -> Protocol {
        match datagram {
            [0, 0, 0, _, ..] => Protocol::Tracker,
            [first, ..] if first & 0x0f == 1 && first >> 4 <= 4 => Protocol::Utp,
            [b'd', ..] => Protocol::Dht,
            _ => Protocol::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell() {
        for (datagram, protocol) in [
            (&b"\0\0\0\x01\0\0\0\x07"[..], Protocol::Tracker),
            (b"\0\0\0\x03\0\0\0\x07no", Protocol::Tracker),
            (b"\x01\0\0\x01", Protocol::Utp),
            (b"\x41\0", Protocol::Utp),
            (b"\x51\0", Protocol::Unknown),
            (b"\x42\0", Protocol::Unknown),
            (b"d1:ad2:id20:", Protocol::Dht),
            (b"\0\0\0", Protocol::Unknown),
            (b"\0\0\x04\x17\x27\x10\x19\x80", Protocol::Unknown),
            (b"", Protocol::Unknown),
        ] {
            assert_eq!(Protocol::of(datagram), protocol, "{datagram:?}");
        }
    }
}
