//! Recognises by the first bytes which other protocol an incoming connection speaks.

use std::fmt;

/// Words that HTTP begins with; `PRI` is that of HTTP/2. Others are known by the end of the line.
const HTTP: [&[u8]; 9] = [
    b"GET ",
    b"HEAD ",
    b"POST ",
    b"PUT ",
    b"DELETE ",
    b"OPTIONS ",
    b"CONNECT ",
    b"PRI * ",
    b"HTTP/",
];
/// A TLS record that holds a handshake; the minor version, of SSL 3.0 to TLS 1.3, comes next.
const TLS: &[u8] = b"\x16\x03";
/// The minor version of TLS 1.3; that of SSL 3.0 is 0.
const TLS_LAST: u8 = 4;
/// The line that both ends of SSH begin with.
const SSH: &[u8] = b"SSH-";
/// Bytes of a uTP header (BEP 29).
const UTP_HEADER: usize = 20;
/// The kinds of uTP packet, each in the upper half of the first byte, over version 1 (BEP 29).
const UTP_KINDS: [u8; 5] = [0x01, 0x11, 0x21, 0x31, 0x41];
/// Extensions of uTP that exist: none, selective acknowledgement, and a reserved one (BEP 29).
const UTP_EXTENSIONS: u8 = 2;
/// Fewer bytes than these are not enough to tell random bytes from others.
const RANDOM_LEAST: usize = 16;
/// Bytes that are looked at to tell random ones: those of an MSE public key.
const RANDOM_MOST: usize = 96;

/// Another protocol than BitTorrent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Foreign {
    /// Bytes that look random: the public key that Message Stream Encryption (MSE) begins with.
    Encrypted,
    /// HTTP, a request or an answer.
    Http,
    /// TLS.
    Tls,
    /// A uTP packet (BEP 29), which belongs in a datagram.
    Utp,
    /// SSH.
    Ssh,
    /// Some other text.
    Text,
    /// Something else.
    Unknown,
}

impl Foreign {
    /// The protocol that these first bytes of a connection belong to, if it is not BitTorrent.
    pub fn of(bytes: &[u8]) -> Foreign {
        let begins = |word: &&[u8]| bytes.starts_with(word) || word.starts_with(bytes);
        let is_text = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n');
        if bytes.is_empty() {
            Foreign::Unknown
        } else if let Some(protocol) = of_request(bytes) {
            protocol
        } else if HTTP.iter().any(begins) {
            Foreign::Http
        } else if begins(&TLS) && bytes.get(2).is_none_or(|minor| *minor <= TLS_LAST) {
            Foreign::Tls
        } else if begins(&SSH) {
            Foreign::Ssh
        } else if is_utp(bytes) {
            Foreign::Utp
        } else if bytes.iter().all(is_text) {
            Foreign::Text
        } else if is_random(bytes) {
            Foreign::Encrypted
        } else {
            Foreign::Unknown
        }
    }
}

/// The protocol that a request names at the end of its line, as HTTP does and others like it:
/// `PATCH / HTTP/1.1`, `OPTIONS rtsp://host RTSP/1.0`.
fn of_request(bytes: &[u8]) -> Option<Foreign> {
    let end = bytes.iter().position(|byte| b"\r\n".contains(byte))?;
    let last = bytes.get(..end)?.rsplit(|byte| *byte == b' ').next()?;
    let slash = last.iter().position(|byte| *byte == b'/')?;
    let (name, version) = last.split_at(slash);
    let number = |byte: &u8| b"/.0123456789".contains(byte);
    let is_name = !name.is_empty() && name.iter().all(u8::is_ascii_uppercase);
    let is_version = version.len() > 1 && version.iter().all(number);
    let protocol = if name == b"HTTP" {
        Foreign::Http
    } else {
        Foreign::Text
    };
    (is_name && is_version).then_some(protocol)
}

fn is_utp(bytes: &[u8]) -> bool {
    match bytes {
        [first, extension, ..] => {
            bytes.len() >= UTP_HEADER && UTP_KINDS.contains(first) && *extension <= UTP_EXTENSIONS
        }
        _ => false,
    }
}

/// Whether so many different bytes, below and above 128, are most likely random.
fn is_random(bytes: &[u8]) -> bool {
    let bytes = bytes.get(..RANDOM_MOST).unwrap_or(bytes);
    let mut sorted = bytes.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let high = bytes.iter().filter(|byte| **byte >= 0x80).count();
    let low = bytes.len().saturating_sub(high);
    let part = bytes.len() / 6;
    // Of 96 random bytes about 80 differ from each other.
    let different = bytes.len().saturating_mul(2) / 3;
    bytes.len() >= RANDOM_LEAST && high >= part && low >= part && sorted.len() >= different
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Foreign::Encrypted => "encrypted (MSE)",
            Foreign::Http => "HTTP",
            Foreign::Tls => "TLS",
            Foreign::Utp => "uTP inside TCP",
            Foreign::Ssh => "SSH",
            Foreign::Text => "text",
            Foreign::Unknown => "another protocol",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Rng;

    fn random(len: usize, rng: &mut Rng) -> Vec<u8> {
        (0..len).map(|_| rng.below(256) as u8).collect()
    }

    #[test]
    fn protocols_are_known_by_their_first_bytes() {
        let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
        let syn =
            b"\x41\x00\x12\x34\x00\x00\x00\x01\x00\x00\x00\x00\x00\x10\x00\x00\x00\x01\x00\x00";
        let cases: [(&[u8], Foreign); 24] = [
            (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", Foreign::Http),
            (b"POST /announce HTTP/1.0\r\n", Foreign::Http),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Foreign::Http),
            (b"HTTP/1.1 400 Bad Request\r\n", Foreign::Http),
            (b"G", Foreign::Http),
            (b"PATCH / HTTP/1.1\r\nHost: a\r\n\r\n", Foreign::Http),
            (b"TRACE / HTTP/1.1\r\n\r\n", Foreign::Http),
            (b"PROPFIND /dav HTTP/1.1\n", Foreign::Http),
            (b"GET /\r\n", Foreign::Http),
            (b"OPTIONS rtsp://a/b RTSP/1.0\r\nCSeq: 1\r\n", Foreign::Text),
            (b"OPTIONS sip:a@b SIP/2.0\r\n", Foreign::Text),
            (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", Foreign::Text),
            (b"\x16\x03\x05\x00\x01", Foreign::Unknown),
            (hello, Foreign::Tls),
            (b"\x16", Foreign::Tls),
            (b"SSH-2.0-OpenSSH_9.2p1\r\n", Foreign::Ssh),
            (syn, Foreign::Utp),
            (b"hello\r\n", Foreign::Text),
            (b"\x14BitTorrent protocol", Foreign::Unknown),
            (b"", Foreign::Unknown),
            (&[0; 200], Foreign::Unknown),
            (&[0xff; 96], Foreign::Unknown),
            (
                b"\x13BitTorrent protocoX\0\0\0\0\0\x10\0\x05",
                Foreign::Unknown,
            ),
            (b"\x05\x01\x00", Foreign::Unknown),
        ];
        for (bytes, expected) in cases {
            assert_eq!(Foreign::of(bytes), expected, "{bytes:02x?}");
        }
    }

    /// MSE: "Diffie Hellman Ya, PadA": 96 bytes of key, 0 to 512 of padding, all of them random.
    #[test]
    fn a_key_is_known_whatever_its_bytes_and_in_whatever_part_it_comes() {
        let mut rng = Rng::from_seed(1);
        for len in [96, 140, 608, 20, 32] {
            let keys = (0..1000).map(|_| random(len, &mut rng));
            let known = keys.filter(|key| Foreign::of(key) == Foreign::Encrypted);
            assert!(known.count() >= 990, "{len} bytes");
        }
    }
}
