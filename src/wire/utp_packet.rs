//! The packets of uTP (BEP 29): a head of 20 bytes, extensions one behind the other, content.

use nom::Parser as _;
use nom::bytes::streaming::take;
use nom::number::streaming::{be_u8, be_u16, be_u32};

use super::{Malformed, Parsed, Wrong, finish};

const VERSION: u8 = 1;
/// Bytes of a head without extensions.
pub const HEAD: usize = 20;
/// The extension that names packets which came beyond a gap.
const SACK: u8 = 1;
/// The extension of libutp with the bits of what its sender knows: eight bytes.
const BITS: u8 = 2;
/// The extension of libtorrent that says why a connection ends, in four bytes.
const REASON: u8 = 3;
/// An extension of ours that only makes a packet longer. Receivers pass over what they do not know.
const PADDING: u8 = 200;
/// Bytes that an extension has at most, with its own two in front.
const LONGEST: usize = 2 + u8::MAX as usize;
const ZEROS: [u8; u8::MAX as usize] = [0; u8::MAX as usize];
/// Bytes that stand in front of extensions that libutp does not know: it (Transmission) takes a
/// packet whose first extension is 3 or more for one of an older version, and drops it. Empty bits
/// in front of them say nothing and are taken by all.
pub const LEAD: usize = 10;

/// What a packet is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// It carries content.
    Data,
    /// The last one of its sender.
    Fin,
    /// It acknowledges only.
    State,
    /// The receiver is to forget the connection.
    Reset,
    /// It opens a connection.
    Syn,
}

/// The head of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Packet {
    /// What it is for.
    pub kind: Kind,
    /// The connection; the two sides number it differently, but both know the number of a `Syn`.
    pub connection: u16,
    /// The sender's clock, in microseconds.
    pub timestamp: u32,
    /// How long the last packet of the other side was under way by both clocks, in microseconds.
    pub difference: u32,
    /// Bytes that the sender would take.
    pub window: u32,
    /// The number of this packet.
    pub seq: u16,
    /// The number of the last packet received.
    pub ack: u16,
}

/// What follows the head of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Body<'a> {
    /// A bit for each packet from `ack + 2` on, the lowest of a byte first: whether it came.
    pub sack: &'a [u8],
    /// Why the connection ends, in libtorrent's numbers.
    pub reason: Option<u32>,
    /// The content.
    pub content: &'a [u8],
}

/// What is written between the head of a packet and its content.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Extensions<'a> {
    /// See [`Body::sack`].
    pub sack: &'a [u8],
    /// See [`Body::reason`].
    pub reason: Option<u32>,
    /// Bytes by which it is made longer: none, or at least two, beside [`LEAD`].
    pub padding: usize,
}

impl Packet {
    /// Reads the head of a datagram; the extensions behind it are passed over and must be whole.
    pub fn parse(datagram: &[u8]) -> Result<Packet, Malformed> {
        Packet::read(datagram).map(|(packet, _)| packet)
    }

    /// Reads a datagram. Extensions that are not known are passed over.
    pub fn read(datagram: &[u8]) -> Result<(Packet, Body<'_>), Malformed> {
        let ((packet, body), content) = finish(datagram, packet(datagram))?;
        Ok((packet, Body { content, ..body }))
    }

    /// Appends the datagram, without extensions or content: 20 bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.encode_with(Extensions::default(), out);
    }

    /// Appends the head and these extensions.
    pub fn encode_with(&self, extensions: Extensions<'_>, out: &mut Vec<u8>) {
        let reason = extensions.reason.map(u32::to_be_bytes);
        let mut list: Vec<(u8, &[u8])> = Vec::new();
        if !extensions.sack.is_empty() {
            list.push((SACK, extensions.sack));
        } else if reason.is_some() || extensions.padding >= 2 {
            list.push((BITS, &[0; LEAD - 2]));
        }
        list.extend(reason.iter().map(|reason| (REASON, &reason[..])));
        let mut left = extensions.padding;
        while left >= 2 {
            let most = left.min(LONGEST);
            // A single byte left over would have no room for an extension's head.
            let part = most.saturating_sub(usize::from(left.saturating_sub(most) == 1));
            let zeros = ZEROS.get(..part.saturating_sub(2)).unwrap_or_default();
            list.push((PADDING, zeros));
            left = left.saturating_sub(part);
        }
        let mut kinds = list.iter().map(|(kind, _)| *kind).chain([0]);
        self.encode_head(kinds.next().unwrap_or(0), out);
        for ((_, bytes), next) in list.iter().zip(kinds) {
            out.extend([next, bytes.len() as u8]);
            out.extend_from_slice(bytes);
        }
    }

    fn encode_head(&self, extension: u8, out: &mut Vec<u8>) {
        let kind: u8 = match self.kind {
            Kind::Data => 0,
            Kind::Fin => 1,
            Kind::State => 2,
            Kind::Reset => 3,
            Kind::Syn => 4,
        };
        out.extend([(kind << 4) | VERSION, extension]);
        out.extend(self.connection.to_be_bytes());
        for field in [self.timestamp, self.difference, self.window] {
            out.extend(field.to_be_bytes());
        }
        out.extend(self.seq.to_be_bytes());
        out.extend(self.ack.to_be_bytes());
    }

    /// The refusal of a connection that this packet opens, sent at this moment by our clock.
    pub fn refusal(&self, timestamp: u32) -> Packet {
        Packet {
            kind: Kind::Reset,
            connection: self.connection,
            timestamp,
            difference: timestamp.wrapping_sub(self.timestamp),
            window: 0,
            seq: 0,
            ack: self.seq,
        }
    }
}

fn packet(input: &[u8]) -> Parsed<'_, (Packet, Body<'_>)> {
    let (rest, (first, extension, connection)) = (be_u8, be_u8, be_u16).parse(input)?;
    if first & 0x0f != VERSION {
        return Wrong::at(input, "this is no uTP of version 1");
    }
    let kind = match first >> 4 {
        0 => Kind::Data,
        1 => Kind::Fin,
        2 => Kind::State,
        3 => Kind::Reset,
        4 => Kind::Syn,
        _ => return Wrong::at(input, "there is no such type of packet"),
    };
    let (rest, (timestamp, difference, window)) = (be_u32, be_u32, be_u32).parse(rest)?;
    let (mut rest, (seq, ack)) = (be_u16, be_u16).parse(rest)?;
    let mut next = extension;
    let mut body = Body::default();
    while next != 0 {
        let (behind, (following, length)) = (be_u8, be_u8).parse(rest)?;
        let (behind, bytes) = take(length).parse(behind)?;
        match (next, <[u8; 4]>::try_from(bytes)) {
            (SACK, _) => body.sack = bytes,
            (REASON, Ok(reason)) => body.reason = Some(u32::from_be_bytes(reason)),
            _ => {}
        }
        (rest, next) = (behind, following);
    }
    let packet = Packet {
        kind,
        connection,
        timestamp,
        difference,
        window,
        seq,
        ack,
    };
    Ok((rest, (packet, body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A SYN as Transmission 4.1 sends it.
    const SYN: [u8; 20] = [
        0x41, 0, 0x12, 0x34, 1, 2, 3, 4, 0, 0, 0, 0, 0, 4, 0, 0, 0xab, 0xcd, 0, 0,
    ];

    /// The table of BEP 29, field by field.
    #[test]
    fn a_head_is_laid_out_as_in_bep_29() {
        let syn = Packet {
            kind: Kind::Syn,
            connection: 0x1234,
            timestamp: 0x0102_0304,
            difference: 0,
            window: 0x0004_0000,
            seq: 0xabcd,
            ack: 0,
        };
        assert_eq!(Packet::parse(&SYN), Ok(syn));
        let mut out = Vec::new();
        syn.encode(&mut out);
        assert_eq!(out, SYN);
        for cut in 0..20 {
            assert!(Packet::parse(&SYN[..cut]).is_err(), "{cut}");
        }
        for first in [0x40, 0x42, 0x51, 0xf1] {
            let other = [&[first], &SYN[1..]].concat();
            assert!(Packet::parse(&other).is_err(), "{first:x}");
        }
    }

    #[test]
    fn extensions_are_passed_over() {
        let head = [&SYN[..1], &[1], &SYN[2..]].concat();
        let whole = [&head[..], &[3, 4, 9, 9, 9, 9, 0, 1, 7]].concat();
        let packet = Packet::parse(&SYN).unwrap();
        assert_eq!(Packet::parse(&whole), Ok(packet));
        for cut in 20..whole.len() {
            assert!(Packet::parse(&whole[..cut]).is_err(), "{cut}");
        }
    }

    /// Whatever stands between head and content is read as it was written, and padding of any
    /// length makes the packet longer by just that; the first extension is one that libutp knows.
    #[test]
    fn what_is_written_is_read() {
        let packet = Packet::parse(&SYN).unwrap();
        for padding in (0..600).filter(|&padding| padding != 1) {
            let sack: &[u8] = if padding % 2 == 0 { &[5, 0, 0, 1] } else { &[] };
            let reason = (padding % 3 == 0).then_some(8);
            let extensions = Extensions {
                sack,
                reason,
                padding,
            };
            let mut out = Vec::new();
            packet.encode_with(extensions, &mut out);
            let others = match (sack.len(), reason.is_some() || padding > 0) {
                (0, false) => 0,
                (0, true) => LEAD,
                _ => 6,
            };
            let others = others + reason.map_or(0, |_| 6);
            assert_eq!(out.len(), HEAD + others + padding);
            assert!(out[1] < 3, "libutp drops it");
            out.extend(b"content");
            let body = Body {
                sack,
                reason,
                content: b"content",
            };
            assert_eq!(Packet::read(&out), Ok((packet, body)), "{padding}");
        }
    }

    /// What libtorrent and Transmission take as a refusal: type 3, the connection and the number of
    /// their SYN, window 0.
    #[test]
    fn a_refusal_names_the_connection_and_the_packet() {
        let refusal = Packet::parse(&SYN).unwrap().refusal(0x0102_0305);
        let mut out = Vec::new();
        refusal.encode(&mut out);
        let expected = [
            0x31, 0, 0x12, 0x34, 1, 2, 3, 5, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xab, 0xcd,
        ];
        assert_eq!(out, expected);
    }
}
