//! Twenty-byte names: of a torrent, of a peer, of a piece's content. Each is a type of its own, so
//! that one cannot be passed for another.

use std::{fmt, str};

use super::rng::Rng;

/// Client code and version in front of our peer ids (BEP 20, Azureus style). No known client uses
/// this code.
pub const PEER_ID_PREFIX: &[u8; 8] = b"-bk0100-";

/// Name and version, as trackers see it in `User-Agent` and as `created by`.
pub const CLIENT_NAME: &str = concat!("brooklet/", env!("CARGO_PKG_VERSION"));

/// SHA-1 of the raw bytes of a torrent's `info` value (BEP 3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InfoHash(pub [u8; 20]);

/// The name a client gives itself for one run (BEP 3, BEP 20).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PeerId(pub [u8; 20]);

/// SHA-1 of a piece's content.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PieceHash(pub [u8; 20]);

impl PeerId {
    /// A fresh id: our prefix, then twelve random letters and digits (some trackers mishandle other
    /// bytes).
    pub fn generate(rng: &mut Rng) -> PeerId {
        const ALPHABET: &[u8; 62] =
            b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let mut id = [0; 20];
        let (prefix, rest) = id.split_at_mut(PEER_ID_PREFIX.len());
        prefix.copy_from_slice(PEER_ID_PREFIX);
        for byte in rest {
            *byte = ALPHABET[rng.below(ALPHABET.len() as u64) as usize];
        }
        PeerId(id)
    }

    /// The readable front of the id (`-TR3000-`), for people: bytes that are no printable ASCII
    /// come out as `.`.
    pub fn client(&self) -> String {
        self.0[..8]
            .iter()
            .map(|&b| if b.is_ascii_graphic() { b as char } else { '.' })
            .collect()
    }
}

impl InfoHash {
    /// Reads forty hexadecimal digits of either case; `None` for anything else.
    pub fn from_hex(text: &str) -> Option<InfoHash> {
        let digits = text.as_bytes();
        if digits.len() != 40 {
            return None;
        }
        let mut hash = [0; 20];
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            let high = (pair[0] as char).to_digit(16)?;
            let low = (pair[1] as char).to_digit(16)?;
            *byte = (high * 16 + low) as u8;
        }
        Some(InfoHash(hash))
    }

    /// Reads thirty-two digits of base32 (RFC 4648) of either case, as some magnet links have them;
    /// `None` for anything else.
    pub fn from_base32(text: &str) -> Option<InfoHash> {
        let digits = text.as_bytes();
        if digits.len() != 32 {
            return None;
        }
        let mut hash = [0; 20];
        for (bytes, digits) in hash.chunks_exact_mut(5).zip(digits.chunks_exact(8)) {
            let mut bits = 0_u64;
            for digit in digits {
                let value = match digit.to_ascii_uppercase() {
                    letter @ b'A'..=b'Z' => letter - b'A',
                    digit @ b'2'..=b'7' => digit - b'2' + 26,
                    _ => return None,
                };
                bits = (bits << 5) | u64::from(value);
            }
            bytes.copy_from_slice(&bits.to_be_bytes()[3..]);
        }
        Some(InfoHash(hash))
    }

    /// Reads either form: what a user types, or a magnet link has.
    pub fn from_text(text: &str) -> Option<InfoHash> {
        InfoHash::from_hex(text).or_else(|| InfoHash::from_base32(text))
    }
}

fn hex(bytes: &[u8; 20], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let digit = |value: u8| b"0123456789abcdef"[usize::from(value)];
    let mut text = [0; 40];
    for (digits, byte) in text.chunks_exact_mut(2).zip(bytes) {
        digits.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    f.write_str(str::from_utf8(&text).unwrap_or_default())
}

impl fmt::Display for InfoHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

impl fmt::Debug for InfoHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

impl fmt::Debug for PieceHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_round_trips_and_refuses_what_is_not_hex() {
        let text = "0123456789abcdefABCD0123456789abcdef0000";
        assert_eq!(
            InfoHash::from_hex(text).map(|h| h.to_string()),
            Some(text.to_lowercase())
        );
        for bad in [
            "",
            "0123",
            "g123456789abcdefABCD0123456789abcdef0000",
            "+123456789abcdefABCD0123456789abcdef0000",
        ] {
            assert_eq!(InfoHash::from_hex(bad), None, "{bad}");
        }
    }

    #[test]
    fn peer_ids_differ_and_carry_the_prefix() {
        let mut rng = Rng::from_seed(1);
        let (a, b) = (PeerId::generate(&mut rng), PeerId::generate(&mut rng));
        assert_ne!(a, b);
        assert!(a.0.starts_with(PEER_ID_PREFIX));
        assert!(a.0.iter().all(u8::is_ascii_graphic));
    }
}
