//! Base64 (RFC 4648): Basic authentication wants it (RFC 7617), and remote control brings torrents
//! in it.

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Bytes as text: four letters for each three of them, the last four filled up with `=`.
pub fn encode(bytes: &[u8]) -> String {
    let mut out = String::new();
    for group in bytes.chunks(3) {
        let mut three = [0; 4];
        for (place, byte) in three.iter_mut().skip(1).zip(group) {
            *place = *byte;
        }
        let all = u32::from_be_bytes(three);
        for (place, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let digit = DIGITS.get(((all >> shift) & 63) as usize);
            out.push(match digit {
                Some(&digit) if place <= group.len() => char::from(digit),
                _ => '=',
            });
        }
    }
    out
}

/// The bytes of such a text; `None` if it is none. White space is passed over, and what fills up
/// the end may be missing.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let letters = text.bytes().filter(|byte| !byte.is_ascii_whitespace());
    let (mut bits, mut count, mut filled) = (0_u32, 0_u32, 0_u32);
    for letter in letters {
        if letter == b'=' {
            filled = filled.saturating_add(1);
            continue;
        }
        let digit = digit(letter)?;
        if filled > 0 {
            return None;
        }
        bits = (bits << 6) | digit;
        count = (count.saturating_add(1)) % 4;
        if count == 0 {
            bytes.extend(bits.to_be_bytes().into_iter().skip(1));
            bits = 0;
        }
    }
    let whole = match count {
        0 => 0,
        2 => 1,
        3 => 2,
        _ => return None,
    };
    let lacking = 4_u32.saturating_sub(count) % 4;
    if filled != 0 && filled != lacking {
        return None;
    }
    let last = bits.checked_shl(lacking.saturating_mul(6))?;
    bytes.extend(last.to_be_bytes().into_iter().skip(1).take(whole));
    Some(bytes)
}

/// The six bits that a letter stands for.
fn digit(letter: u8) -> Option<u32> {
    let (first, value) = match letter {
        b'A'..=b'Z' => (b'A', 0),
        b'a'..=b'z' => (b'a', 26),
        b'0'..=b'9' => (b'0', 52),
        b'+' => (b'+', 62),
        b'/' => (b'/', 63),
        _ => return None,
    };
    Some(u32::from(letter.saturating_sub(first)).saturating_add(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4648, section 10.
    #[test]
    fn the_examples_of_rfc_4648_come_out() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(encode(bytes.as_bytes()), text);
            assert_eq!(decode(text), Some(bytes.as_bytes().to_vec()));
            let bare = text.trim_end_matches('=');
            assert_eq!(decode(bare), Some(bytes.as_bytes().to_vec()));
        }
        assert_eq!(decode("Zm9v\nYmFy "), Some(b"foobar".to_vec()));
        for wrong in ["Z", "Zg=", "Zg===", "=", "Z=g=", "Zm9vZ", "Zm9-", "é"] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
        assert_eq!(encode(b"\xff\xfe\xfd\0"), "//79AA==");
    }
}
