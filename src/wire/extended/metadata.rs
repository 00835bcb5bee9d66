//! Messages of the metadata extension (BEP 9): a bencoded dictionary, behind which a `data` message
//! has the bytes of the block. The message does not say how long the dictionary is, so the block
//! begins where the dictionary turns out to end.

use super::super::Malformed;
use super::super::bencode::{self, Value};

/// Bytes of every block of the `info` dictionary but the last.
pub const BLOCK: u32 = 16 * 1024;

/// One message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MetadataMessage<'a> {
    /// The sender wants the block of this number.
    Request(u32),
    /// A block.
    Data {
        /// Its number.
        piece: u32,
        /// Bytes of the whole `info` dictionary, as the sender has it; `None`: it does not say.
        total: Option<u32>,
        /// The block.
        data: &'a [u8],
    },
    /// The sender does not send the block of this number.
    Reject(u32),
    /// A message of another kind: "must be ignored, to support future extensibility".
    Unknown,
}

/// Blocks of so many bytes.
pub fn blocks(size: u32) -> u32 {
    size.div_ceil(BLOCK)
}

impl<'a> MetadataMessage<'a> {
    /// Reads the payload of a message.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(payload: &'a [u8]) -> Result<MetadataMessage<'a>, Malformed> {
        let (value, data) = bencode::decode_nearest(payload)?;
        let wrong = |what| Malformed { what, at: 0 };
        let dict = value.dict();
        let dict = dict.ok_or(wrong("a metadata message is no dictionary"))?;
        let [kind, piece, total] = dict.pick(["msg_type", "piece", "total_size"]);
        let number = |value: Option<Value<'_>>| u32::try_from(value?.int()?).ok();
        let piece = || number(piece).ok_or(wrong("a metadata message names no block"));
        Ok(match number(kind) {
            Some(0) => MetadataMessage::Request(piece()?),
            Some(1) => MetadataMessage::Data {
                piece: piece()?,
                total: number(total),
                data,
            },
            Some(2) => MetadataMessage::Reject(piece()?),
            _ => MetadataMessage::Unknown,
        })
    }

    /// Appends the payload.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let int = |number: u32| bencode::int(i64::from(number));
        let (kind, piece, total, data) = match *self {
            MetadataMessage::Request(piece) => (0, piece, None, &[][..]),
            MetadataMessage::Data { piece, total, data } => (1, piece, total, data),
            MetadataMessage::Reject(piece) => (2, piece, None, &[][..]),
            MetadataMessage::Unknown => return,
        };
        let entries = [
            Some(("msg_type", int(kind))),
            Some(("piece", int(piece))),
            total.map(|total| ("total_size", int(total))),
        ];
        out.extend(bencode::dict(entries.into_iter().flatten()));
        out.extend_from_slice(data);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of BEP 9.
    const EXAMPLES: [(MetadataMessage<'_>, &[u8]); 3] = [
        (MetadataMessage::Request(0), b"d8:msg_typei0e5:piecei0ee"),
        (
            MetadataMessage::Data {
                piece: 0,
                total: Some(34_256),
                data: b"xxxxxxxx",
            },
            b"d8:msg_typei1e5:piecei0e10:total_sizei34256eexxxxxxxx",
        ),
        (MetadataMessage::Reject(0), b"d8:msg_typei2e5:piecei0ee"),
    ];

    #[test]
    fn messages_are_those_of_the_bep_both_ways() {
        for (message, bytes) in EXAMPLES {
            let mut out = Vec::new();
            message.encode(&mut out);
            assert_eq!(out, bytes);
            assert_eq!(MetadataMessage::parse(bytes), Ok(message));
        }
    }

    #[test]
    fn a_block_begins_where_the_dictionary_ends_whatever_is_in_it() {
        let text = b"d8:msg_typei1e1:zd1:al1:eee5:piecei7eed1:ae";
        let data = MetadataMessage::Data {
            piece: 7,
            total: None,
            data: b"d1:ae",
        };
        assert_eq!(MetadataMessage::parse(text), Ok(data));
    }

    #[test]
    fn others_are_ignored_and_what_is_none_refused() {
        let unknown = MetadataMessage::parse(b"d8:msg_typei3ee");
        assert_eq!(unknown, Ok(MetadataMessage::Unknown));
        assert_eq!(MetadataMessage::parse(b"de"), Ok(MetadataMessage::Unknown));
        for bad in [
            &b""[..],
            b"i0e",
            b"d8:msg_typei0ee",
            b"d8:msg_typei0e5:piecei-1ee",
        ] {
            assert!(MetadataMessage::parse(bad).is_err());
        }
        assert_eq!((blocks(1), blocks(BLOCK), blocks(BLOCK + 1)), (1, 1, 2));
    }
}
