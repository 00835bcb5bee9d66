//! Datagrams through a proxy (RFC 1928, section 7): each carries before its content where it goes,
//! or where it came from.

use super::place::Place;

/// Appends a datagram for this place.
pub fn encode(to: &Place, content: &[u8], out: &mut Vec<u8>) {
    // Two bytes that mean nothing, and the number of a part of a datagram: 0, it is whole.
    out.extend([0, 0, 0]);
    to.encode(out);
    out.extend(content);
}

/// Where a datagram came from, and its content. `None`: it is none, or a part of one, which is to
/// be dropped where parts are not put together.
pub fn parse(datagram: &[u8]) -> Option<(Place, &[u8])> {
    match datagram {
        [_, _, 0, rest @ ..] => Place::parse(rest),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_says_where_it_goes() {
        let to = Place::Name("t.example".into(), 6969);
        let mut out = Vec::new();
        encode(&to, b"content", &mut out);
        assert_eq!(out, b"\0\0\0\x03\x09t.example\x1b\x39content");
        assert_eq!(parse(&out), Some((to, &b"content"[..])));
        for end in 0..out.len() - b"content".len() {
            assert_eq!(parse(&out[..end]), None);
        }
        out[2] = 1;
        assert_eq!(parse(&out), None, "a part");
    }
}
