//! Compression that servers apply to a body (RFC 9110, section 8.4.1): gzip (RFC 1952), zlib (RFC
//! 1950, which a head calls deflate) and deflate alone (RFC 1951). How much may come out of it is
//! an argument.

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_PARSE_ZLIB_HEADER, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

use crate::base::limits;

/// Why nothing comes out of a compressed body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unreadable {
    /// It ends too soon.
    CutShort,
    /// It is no such format, or damaged.
    Damaged,
    /// What comes out is longer than the bound.
    TooLong,
}

/// The first bytes of a gzip member, with deflate as its only method (RFC 1952).
const GZIP: [u8; 3] = [0x1f, 0x8b, 8];

/// Whether this begins as gzip does.
pub fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&GZIP)
}

/// Whether this begins as zlib's format does. Two bytes may look so by chance.
pub fn is_zlib(bytes: &[u8]) -> bool {
    match bytes {
        [method, flags, ..] => {
            method & 0x8f == 8 && u16::from_be_bytes([*method, *flags]) % 31 == 0
        }
        _ => false,
    }
}

/// The content of all members of a gzip file, up to this many bytes. Their checksums are not
/// compared: what was damaged on the way does not reach us over TCP, and a server that counts wrong
/// has still answered.
///
/// # Errors
/// Why there is none.
pub fn gunzip(mut packed: &[u8], most: usize) -> Result<Vec<u8>, Unreadable> {
    let (mut all, mut members) = (Vec::new(), 0);
    while packed.starts_with(&GZIP) {
        // Each costs a machine of its own, even if nothing is in it.
        members += 1;
        if members > limits::HTTP_MEMBERS {
            return Err(Unreadable::Damaged);
        }
        let stream = behind_head(packed).ok_or(Unreadable::CutShort)?;
        let (content, used) = inflate(stream, most)?;
        if all.len() + content.len() > most {
            return Err(Unreadable::TooLong);
        }
        all.extend(content);
        // A checksum and a length stand between two members.
        packed = stream.get(used + 8..).unwrap_or_default();
    }
    Ok(all)
}

/// What follows the head of a gzip member; `None`: the head is cut short.
fn behind_head(member: &[u8]) -> Option<&[u8]> {
    let (flags, mut rest) = (*member.get(3)?, member.get(10..)?);
    if flags & 4 != 0 {
        let (length, extra) = rest.split_first_chunk()?;
        rest = extra.get(usize::from(u16::from_le_bytes(*length))..)?;
    }
    for words in [8, 16] {
        if flags & words != 0 {
            let end = rest.iter().position(|&byte| byte == 0)?;
            rest = &rest[end + 1..];
        }
    }
    if flags & 2 != 0 {
        rest.get(2..)
    } else {
        Some(rest)
    }
}

/// The content of a deflate stream, up to this many bytes, and how many bytes the stream has.
///
/// # Errors
/// Why there is none.
pub fn inflate(packed: &[u8], most: usize) -> Result<(Vec<u8>, usize), Unreadable> {
    unpack(packed, most, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF)
}

/// The same in zlib's format.
///
/// # Errors
/// Why there is none.
pub fn unzlib(packed: &[u8], most: usize) -> Result<(Vec<u8>, usize), Unreadable> {
    let flags = TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF | TINFL_FLAG_PARSE_ZLIB_HEADER;
    unpack(packed, most, flags)
}

/// The buffer grows with the content, up to the bound, so that a short stream takes little memory
/// whatever it claims.
fn unpack(packed: &[u8], most: usize, flags: u32) -> Result<(Vec<u8>, usize), Unreadable> {
    let mut machine = Box::<DecompressorOxide>::default();
    let (mut out, mut written, mut used) = (vec![0; most.min(4 * limits::KIB)], 0, 0);
    loop {
        let (status, read, more) =
            decompress(&mut machine, &packed[used..], &mut out, written, flags);
        (used, written) = (used + read, written + more);
        match status {
            TINFLStatus::Done => {
                out.truncate(written);
                return Ok((out, used));
            }
            TINFLStatus::HasMoreOutput if out.len() >= most => return Err(Unreadable::TooLong),
            TINFLStatus::HasMoreOutput => out.resize(most.min(2 * out.len()), 0),
            TINFLStatus::FailedCannotMakeProgress | TINFLStatus::NeedsMoreInput => {
                return Err(Unreadable::CutShort);
            }
            _ => return Err(Unreadable::Damaged),
        }
    }
}

#[cfg(test)]
#[allow(missing_docs)]
pub mod tests {
    use super::*;

    const MOST: usize = 64 * limits::KIB;

    /// Deflate that compresses nothing: stored blocks (RFC 1951, section 3.2.4).
    pub fn stored(content: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        if content.is_empty() {
            out.extend([1, 0, 0, 0xff, 0xff]);
            return out;
        }
        let blocks = content.chunks(0xffff);
        let last = blocks.len() - 1;
        for (place, block) in blocks.enumerate() {
            let length = block.len() as u16;
            out.push(u8::from(place == last));
            out.extend(length.to_le_bytes());
            out.extend((!length).to_le_bytes());
            out.extend(block);
        }
        out
    }

    /// A bomb: a letter, then the 258 bytes before again and again, 13 bits each.
    pub fn bomb(repeats: usize) -> Vec<u8> {
        // A last block in fixed codes, the letter `l`; then length 258 at distance 1; the end.
        let mut bits = vec![1, 1, 0];
        let mut code = |value: u32, length: u32| {
            bits.extend((0..length).rev().map(|place| (value >> place) & 1));
        };
        code(0x30 + u32::from(b'l'), 8);
        (0..repeats).for_each(|_| {
            code(0xc5, 8);
            code(0, 5);
        });
        code(0, 7);
        let byte = |bits: &[u32]| {
            bits.iter()
                .rev()
                .fold(0, |byte, bit| (byte << 1) | *bit as u8)
        };
        bits.chunks(8).map(byte).collect()
    }

    #[test]
    fn a_bomb_ends_at_the_bound() {
        let most = MOST / 258;
        let whole = inflate(&bomb(most), MOST).unwrap().0;
        assert_eq!(whole, vec![b'l'; most * 258 + 1]);
        for repeats in [most + 1, 4 * most] {
            assert_eq!(inflate(&bomb(repeats), MOST), Err(Unreadable::TooLong));
        }
        let exact = stored(&vec![b'l'; MOST]);
        assert_eq!(inflate(&exact, MOST).unwrap().0.len(), MOST);
        let more = stored(&vec![b'l'; MOST + 1]);
        assert_eq!(inflate(&more, MOST), Err(Unreadable::TooLong));
        assert_eq!(inflate(&stored(b"four"), 3), Err(Unreadable::TooLong));
    }
}
