//! The messages after the handshake (BEP 3, BEP 5's `port`, BEP 6's five, BEP 10's `extended`).
//! Each message is a frame: its length in four bytes, then one byte that says which message it is,
//! then its fields, all numbers big-endian. A frame of length zero is a keep-alive.

use std::fmt;

use nom::Parser as _;
use nom::combinator::{map, rest};
use nom::number::complete::{be_u8, be_u16, be_u32};

pub use super::kind::Kind;
use super::{Malformed, Parsed, finish_whole};
use crate::base::Block;

const CHOKE: u8 = 0;
const UNCHOKE: u8 = 1;
const INTERESTED: u8 = 2;
const NOT_INTERESTED: u8 = 3;
const HAVE: u8 = 4;
/// The id of `bitfield`, whose frame is as long as a torrent has pieces.
pub const BITFIELD: u8 = 5;
const REQUEST: u8 = 6;
const PIECE: u8 = 7;
const CANCEL: u8 = 8;
const PORT: u8 = 9;
const SUGGEST: u8 = 13;
const HAVE_ALL: u8 = 14;
const HAVE_NONE: u8 = 15;
const REJECT: u8 = 16;
const ALLOWED_FAST: u8 = 17;
/// The id of `extended`, whose frame may carry a block and a dictionary in front of it.
pub const EXTENDED: u8 = 20;

/// Bytes of a frame's length, in front of it.
pub const PREFIX: usize = 4;
/// Bytes of a `piece` message in front of its data: length, id, piece, begin.
pub const PIECE_HEADER: usize = 13;

/// One message; what is long is borrowed from the frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Message<'a> {
    /// Nothing; sent so that the connection is not taken for dead.
    KeepAlive,
    /// The sender will not serve requests.
    Choke,
    /// The sender will serve requests.
    Unchoke,
    /// The sender wants something that the receiver has.
    Interested,
    /// The sender wants nothing that the receiver has.
    NotInterested,
    /// The sender has got this piece.
    Have(u32),
    /// All that the sender has, a bit a piece: see [`crate::base::Bits::from_bytes`].
    Bitfield(&'a [u8]),
    /// The sender wants these bytes.
    Request(Block),
    /// Bytes of content.
    Piece {
        /// Index of the piece.
        piece: u32,
        /// Offset of the first byte within the piece.
        begin: u32,
        /// The bytes.
        data: &'a [u8],
    },
    /// The sender no longer wants these bytes.
    Cancel(Block),
    /// The UDP port of the sender's DHT node (BEP 5).
    Port(u16),
    /// The sender would like to be asked for this piece (BEP 6).
    Suggest(u32),
    /// The sender has every piece (BEP 6).
    HaveAll,
    /// The sender has no piece (BEP 6).
    HaveNone,
    /// The sender will not answer this request (BEP 6).
    Reject(Block),
    /// This piece may be asked for even while choked (BEP 6).
    AllowedFast(u32),
    /// A message of an extension (BEP 10).
    Extended {
        /// 0 for the extended handshake, otherwise the number that the receiver gave the extension.
        id: u8,
        /// Its content.
        payload: &'a [u8],
    },
    /// A message whose number we do not know.
    Unknown(u8),
}

/// The length of the frame that these bytes begin with (the four bytes of the length itself not
/// counted); `None` while there are fewer than four.
pub fn frame_len(bytes: &[u8]) -> Option<u32> {
    bytes
        .first_chunk()
        .map(|length| u32::from_be_bytes(*length))
}

/// All of a `piece` message but its data, which goes from the disk to the socket by itself.
pub fn piece_header(block: Block) -> [u8; PIECE_HEADER] {
    const FIELDS: u32 = (PIECE_HEADER - PREFIX) as u32;
    let [l0, l1, l2, l3] = block.len.saturating_add(FIELDS).to_be_bytes();
    let [p0, p1, p2, p3] = block.piece.to_be_bytes();
    let [b0, b1, b2, b3] = block.begin.to_be_bytes();
    [l0, l1, l2, l3, PIECE, p0, p1, p2, p3, b0, b1, b2, b3]
}

impl<'a> Message<'a> {
    /// Reads a frame, its length left out. A frame is exactly as long as its message needs.
    pub fn parse(frame: &'a [u8]) -> Result<Message<'a>, Malformed> {
        match frame {
            [] => Ok(Message::KeepAlive),
            _ => finish_whole(frame, message(frame)),
        }
    }

    /// Appends the whole frame, its length in front.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match *self {
            Message::KeepAlive => out.extend([0; 4]),
            Message::Choke => frame(out, CHOKE, &[]),
            Message::Unchoke => frame(out, UNCHOKE, &[]),
            Message::Interested => frame(out, INTERESTED, &[]),
            Message::NotInterested => frame(out, NOT_INTERESTED, &[]),
            Message::Have(piece) => frame(out, HAVE, &[&piece.to_be_bytes()]),
            Message::Bitfield(bits) => frame(out, BITFIELD, &[bits]),
            Message::Request(block) => block_frame(out, REQUEST, block),
            Message::Piece { piece, begin, data } => {
                let fields = [&piece.to_be_bytes()[..], &begin.to_be_bytes(), data];
                frame(out, PIECE, &fields);
            }
            Message::Cancel(block) => block_frame(out, CANCEL, block),
            Message::Port(port) => frame(out, PORT, &[&port.to_be_bytes()]),
            Message::Suggest(piece) => frame(out, SUGGEST, &[&piece.to_be_bytes()]),
            Message::HaveAll => frame(out, HAVE_ALL, &[]),
            Message::HaveNone => frame(out, HAVE_NONE, &[]),
            Message::Reject(block) => block_frame(out, REJECT, block),
            Message::AllowedFast(piece) => frame(out, ALLOWED_FAST, &[&piece.to_be_bytes()]),
            Message::Extended { id, payload } => frame(out, EXTENDED, &[&[id], payload]),
            Message::Unknown(id) => frame(out, id, &[]),
        }
    }

    /// Which message it is.
    pub fn kind(&self) -> Kind {
        match self {
            Message::KeepAlive => Kind::KeepAlive,
            Message::Choke => Kind::Choke,
            Message::Unchoke => Kind::Unchoke,
            Message::Interested => Kind::Interested,
            Message::NotInterested => Kind::NotInterested,
            Message::Have(_) => Kind::Have,
            Message::Bitfield(_) => Kind::Bitfield,
            Message::Request(_) => Kind::Request,
            Message::Piece { .. } => Kind::Piece,
            Message::Cancel(_) => Kind::Cancel,
            Message::Port(_) => Kind::Port,
            Message::Suggest(_) => Kind::Suggest,
            Message::HaveAll => Kind::HaveAll,
            Message::HaveNone => Kind::HaveNone,
            Message::Reject(_) => Kind::Reject,
            Message::AllowedFast(_) => Kind::AllowedFast,
            Message::Extended { .. } => Kind::Extended,
            Message::Unknown(_) => Kind::Unknown,
        }
    }
}

impl fmt::Display for Message<'_> {
    /// One line for logs: the name, then the fields (content only by its length).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind();
        match *self {
            Message::Have(piece) | Message::Suggest(piece) | Message::AllowedFast(piece) => {
                write!(f, "{kind} {piece}")
            }
            Message::Request(block) | Message::Cancel(block) | Message::Reject(block) => {
                let Block { piece, begin, len } = block;
                write!(f, "{kind} {piece} at {begin}, {len} bytes")
            }
            Message::Piece { piece, begin, data } => {
                write!(f, "{kind} {piece} at {begin}, {} bytes", data.len())
            }
            Message::Bitfield(bits) => write!(f, "{kind}, {} bytes", bits.len()),
            Message::Port(port) => write!(f, "{kind} {port}"),
            Message::Extended { id, payload } => {
                write!(f, "{kind} {id}, {} bytes", payload.len())
            }
            Message::Unknown(id) => write!(f, "{kind} {id}"),
            _ => write!(f, "{kind}"),
        }
    }
}

fn message(input: &[u8]) -> Parsed<'_, Message<'_>> {
    let (fields, id) = be_u8(input)?;
    match id {
        CHOKE => Ok((fields, Message::Choke)),
        UNCHOKE => Ok((fields, Message::Unchoke)),
        INTERESTED => Ok((fields, Message::Interested)),
        NOT_INTERESTED => Ok((fields, Message::NotInterested)),
        HAVE => map(be_u32, Message::Have).parse(fields),
        BITFIELD => map(rest, Message::Bitfield).parse(fields),
        REQUEST => map(block, Message::Request).parse(fields),
        PIECE => map((be_u32, be_u32, rest), |(piece, begin, data)| {
            Message::Piece { piece, begin, data }
        })
        .parse(fields),
        CANCEL => map(block, Message::Cancel).parse(fields),
        PORT => map(be_u16, Message::Port).parse(fields),
        SUGGEST => map(be_u32, Message::Suggest).parse(fields),
        HAVE_ALL => Ok((fields, Message::HaveAll)),
        HAVE_NONE => Ok((fields, Message::HaveNone)),
        REJECT => map(block, Message::Reject).parse(fields),
        ALLOWED_FAST => map(be_u32, Message::AllowedFast).parse(fields),
        EXTENDED => map((be_u8, rest), |(id, payload)| Message::Extended {
            id,
            payload,
        })
        .parse(fields),
        _ => map(rest, |_| Message::Unknown(id)).parse(fields),
    }
}

fn block(input: &[u8]) -> Parsed<'_, Block> {
    map((be_u32, be_u32, be_u32), |(piece, begin, len)| Block {
        piece,
        begin,
        len,
    })
    .parse(input)
}

fn frame(out: &mut Vec<u8>, id: u8, fields: &[&[u8]]) {
    let length = fields
        .iter()
        .fold(1_usize, |sum, field| sum.saturating_add(field.len()));
    debug_assert!(u32::try_from(length).is_ok(), "nothing we send is so long");
    out.extend((length as u32).to_be_bytes());
    out.push(id);
    for field in fields {
        out.extend_from_slice(field);
    }
}

fn block_frame(out: &mut Vec<u8>, id: u8, block: Block) {
    let Block { piece, begin, len } = block;
    let fields = [piece, begin, len].map(u32::to_be_bytes);
    frame(out, id, &[fields.as_flattened()]);
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: Block = Block {
        piece: 1,
        begin: 0x4000,
        len: 0x102,
    };

    /// Each message and its frame, written out by hand from the BEPs.
    const FRAMES: [(Message<'_>, &[u8]); 18] = [
        (Message::KeepAlive, b"\0\0\0\0"),
        (Message::Choke, b"\0\0\0\x01\x00"),
        (Message::Unchoke, b"\0\0\0\x01\x01"),
        (Message::Interested, b"\0\0\0\x01\x02"),
        (Message::NotInterested, b"\0\0\0\x01\x03"),
        (
            Message::Have(0x0102_0304),
            b"\0\0\0\x05\x04\x01\x02\x03\x04",
        ),
        (Message::Bitfield(b"\xf0\x80"), b"\0\0\0\x03\x05\xf0\x80"),
        (
            Message::Request(BLOCK),
            b"\0\0\0\x0d\x06\0\0\0\x01\0\0\x40\0\0\0\x01\x02",
        ),
        (
            Message::Piece {
                piece: 1,
                begin: 2,
                data: b"abc",
            },
            b"\0\0\0\x0c\x07\0\0\0\x01\0\0\0\x02abc",
        ),
        (
            Message::Cancel(BLOCK),
            b"\0\0\0\x0d\x08\0\0\0\x01\0\0\x40\0\0\0\x01\x02",
        ),
        (Message::Port(6881), b"\0\0\0\x03\x09\x1a\xe1"),
        (Message::Suggest(7), b"\0\0\0\x05\x0d\0\0\0\x07"),
        (Message::HaveAll, b"\0\0\0\x01\x0e"),
        (Message::HaveNone, b"\0\0\0\x01\x0f"),
        (
            Message::Reject(BLOCK),
            b"\0\0\0\x0d\x10\0\0\0\x01\0\0\x40\0\0\0\x01\x02",
        ),
        (Message::AllowedFast(7), b"\0\0\0\x05\x11\0\0\0\x07"),
        (
            Message::Extended {
                id: 3,
                payload: b"de",
            },
            b"\0\0\0\x04\x14\x03de",
        ),
        (Message::Unknown(33), b"\0\0\0\x01\x21"),
    ];

    #[test]
    fn frames_are_those_of_the_beps_both_ways() {
        for (message, frame) in FRAMES {
            let mut out = Vec::new();
            message.encode(&mut out);
            assert_eq!(out, frame, "{message}");
            assert_eq!(frame_len(frame), Some(frame.len() as u32 - 4), "{message}");
            assert_eq!(Message::parse(&frame[4..]), Ok(message));
        }
        assert_eq!(Message::parse(&[33, 1, 2, 3]), Ok(Message::Unknown(33)));
        assert_eq!(frame_len(b"\0\0\0"), None);
        assert_eq!(frame_len(b"\xff\xff\xff\xff\x07"), Some(u32::MAX));
    }

    #[test]
    fn a_frame_is_as_long_as_its_message_needs() {
        for (message, frame) in FRAMES {
            let frame = &frame[4..];
            let any_length = matches!(
                message.kind(),
                Kind::KeepAlive | Kind::Bitfield | Kind::Piece | Kind::Extended | Kind::Unknown
            );
            if !any_length {
                let longer = [frame, &[0]].concat();
                let refused = Message::parse(&longer).map_err(|wrong| wrong.at);
                assert_eq!(refused, Err(frame.len()), "{message}");
            }
            for cut in 1..frame.len() {
                let shorter = Message::parse(&frame[..cut]);
                let fields = match message.kind() {
                    Kind::Bitfield => 1,
                    Kind::Piece => 9,
                    Kind::Extended => 2,
                    _ => usize::MAX,
                };
                assert_eq!(shorter.is_ok(), cut >= fields, "{message} cut to {cut}");
            }
        }
    }

    #[test]
    fn a_piece_header_is_a_piece_message_without_its_data() {
        let data = [9; 0x102];
        let mut whole = Vec::new();
        Message::Piece {
            piece: 1,
            begin: 0x4000,
            data: &data,
        }
        .encode(&mut whole);
        assert_eq!([&piece_header(BLOCK)[..], &data].concat(), whole);
    }

    #[test]
    fn a_message_is_one_line_for_logs() {
        let line = |message: Message<'_>| message.to_string();
        assert_eq!(
            line(Message::Request(BLOCK)),
            "request 1 at 16384, 258 bytes"
        );
        assert_eq!(line(Message::Bitfield(&[0; 9])), "bitfield, 9 bytes");
        assert_eq!(line(Message::Have(7)), "have 7");
        assert_eq!(line(Message::NotInterested), "not interested");
        assert_eq!(line(Message::Unknown(200)), "unknown 200");
        let kinds = FRAMES.iter().map(|(message, _)| message.kind());
        assert!(
            kinds.eq(Kind::ALL.into_iter().skip(1)),
            "one of each but the handshake"
        );
    }
}
