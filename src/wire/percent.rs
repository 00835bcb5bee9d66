//! Percent-encoding (RFC 3986), for announce URLs, their logins and magnet links.

/// Appends bytes; all but letters, digits and `-._~` become `%XX`.
pub fn encode(bytes: &[u8], out: &mut String) {
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for digit in [byte >> 4, byte & 15] {
                let digit = char::from_digit(u32::from(digit), 16).unwrap_or('0');
                out.push(digit.to_ascii_uppercase());
            }
        }
    }
}

/// The bytes that a text stands for; a `%` that two hexadecimal digits do not follow is itself.
pub fn decode(text: &str) -> Vec<u8> {
    let hex = |byte: &u8| char::from(*byte).to_digit(16);
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        let coded = match (first, behind) {
            (b'%', [high, low, behind @ ..]) => hex(high).zip(hex(low)).map(|it| (it, behind)),
            _ => None,
        };
        let (byte, behind) = match coded {
            Some(((high, low), behind)) => (((high << 4) | low) as u8, behind),
            None => (*first, behind),
        };
        out.push(byte);
        rest = behind;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_encoded_is_decoded() {
        assert_eq!(decode("me:pa%3Ass%20%ff"), b"me:pa:ss \xff");
        assert_eq!(decode("%%41%4%zz%"), b"%A%4%zz%");
        assert_eq!(decode(""), b"");
        let all: Vec<u8> = (0..=255).collect();
        let mut text = String::new();
        encode(&all, &mut text);
        assert_eq!(decode(&text), all);
    }

    #[test]
    fn unreserved_bytes_stay() {
        let mut out = String::new();
        encode(b"aZ09-._~ /&=+%\0\xff", &mut out);
        assert_eq!(out, "aZ09-._~%20%2F%26%3D%2B%25%00%FF");
    }
}
