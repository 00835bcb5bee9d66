//! Percent-encoding (RFC 3986), for announce URLs and magnet links.

use std::fmt::Write as _;

/// Appends bytes; all but letters, digits and `-._~` become `%XX`.
pub fn encode(bytes: &[u8], out: &mut String) {
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unreserved_bytes_stay() {
        let mut out = String::new();
        encode(b"aZ09-._~ /&=+%\0\xff", &mut out);
        assert_eq!(out, "aZ09-._~%20%2F%26%3D%2B%25%00%FF");
    }
}
