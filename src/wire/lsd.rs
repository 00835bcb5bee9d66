//! Messages of local service discovery (BEP 14): a client tells its local network by multicast
//! which torrents it has and at which port it listens. They look like a request of HTTP. Ours have
//! the lines of libtorrent's in the same order, since some clients read no other.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::Malformed;
use super::compact::Family;
use crate::base::InfoHash;

/// The port of both groups.
pub const PORT: u16 = 6771;
/// The group of IPv4.
pub const GROUP_V4: Ipv4Addr = Ipv4Addr::new(239, 192, 152, 143);
/// The group of IPv6.
pub const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff15, 0, 0, 0, 0, 0, 0xefc0, 0x988f);

/// One message.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Search {
    /// Where the sender listens.
    pub port: u16,
    /// The torrents that it has, or wants.
    pub info_hashes: Vec<InfoHash>,
    /// By which the sender knows its own messages.
    pub cookie: Option<String>,
}

/// The group of a family.
pub fn group(family: Family) -> SocketAddr {
    match family {
        Family::V4 => (GROUP_V4, PORT).into(),
        Family::V6 => (GROUP_V6, PORT).into(),
    }
}

impl Search {
    /// Reads a datagram. What cannot be used is left out.
    ///
    /// # Errors
    /// It is no such message, or names no port.
    pub fn parse(datagram: &[u8]) -> Result<Search, Malformed> {
        let text = String::from_utf8_lossy(datagram);
        let mut lines = text.lines();
        let wrong = |what| Malformed { what, at: 0 };
        let first = lines.next().unwrap_or_default();
        if !first.starts_with("BT-SEARCH ") {
            return Err(wrong("this is no search of the local network"));
        }
        let mut search = Search::default();
        for line in lines {
            let Some((name, value)) = line.split_once(':') else {
                continue;
            };
            let value = value.trim();
            match name.trim().to_ascii_lowercase().as_str() {
                "port" => search.port = value.parse().unwrap_or(0),
                "infohash" => search.info_hashes.extend(InfoHash::from_hex(value)),
                "cookie" => search.cookie = Some(value.to_string()),
                _ => {}
            }
        }
        if search.port == 0 {
            return Err(wrong("a search of the local network names no port"));
        }
        Ok(search)
    }

    /// The datagram for the group of a family.
    pub fn encode(&self, family: Family) -> String {
        let (group, port) = (group(family), self.port);
        let mut text = format!("BT-SEARCH * HTTP/1.1\r\nHost: {group}\r\nPort: {port}\r\n");
        for info_hash in &self.info_hashes {
            let _ = write!(text, "Infohash: {info_hash}\r\n");
        }
        if let Some(cookie) = &self.cookie {
            let _ = write!(text, "cookie: {cookie}\r\n");
        }
        // All clients end with two empty lines.
        text + "\r\n\r\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(byte: u8) -> InfoHash {
        InfoHash([byte; 20])
    }

    #[test]
    fn ours_has_the_lines_of_the_others_in_their_order() {
        let search = Search {
            port: 6881,
            info_hashes: vec![hash(0xab), hash(0x01)],
            cookie: Some("1a2b3c4d".into()),
        };
        let v4 = search.encode(Family::V4);
        let expected = format!(
            "BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\nPort: 6881\r\n\
             Infohash: {}\r\nInfohash: {}\r\ncookie: 1a2b3c4d\r\n\r\n\r\n",
            "ab".repeat(20),
            "01".repeat(20)
        );
        assert_eq!(v4, expected);
        let v6 = search.encode(Family::V6);
        assert!(v6.contains("\r\nHost: [ff15::efc0:988f]:6771\r\n"));
        for text in [v4, v6] {
            assert_eq!(Search::parse(text.as_bytes()), Ok(search.clone()));
        }
    }

    /// Transmission writes hashes in capitals, aria2 no cookie; BEP 14 calls names of headers as
    /// HTTP does, which tells no case.
    #[test]
    fn those_of_others_are_read() {
        let text = format!(
            "BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\nPort: 51413\r\nInfohash: {}\r\n\
             \r\n\r\n",
            "AB".repeat(20)
        );
        let said = Search {
            port: 51413,
            info_hashes: vec![hash(0xab)],
            cookie: None,
        };
        assert_eq!(Search::parse(text.as_bytes()), Ok(said.clone()));
        let odd = text.replace("\r\n", "\n").replace("Infohash", "INFOHASH ");
        assert_eq!(Search::parse(odd.as_bytes()), Ok(said));
    }

    #[test]
    fn what_cannot_be_used_is_left_out_and_what_is_none_refused() {
        let read = |text: &str| Search::parse(format!("BT-SEARCH * HTTP/1.1\r\n{text}").as_bytes());
        let said = read("Port: 7\r\nInfohash: abc\r\nInfohash:\r\nx\r\n\u{fffd}: 1\r\n").unwrap();
        assert_eq!((said.port, said.info_hashes), (7, Vec::new()));
        for text in ["", "Port: 0\r\n", "Port: 65536\r\n", "Port: x\r\n"] {
            assert!(read(text).is_err(), "{text}");
        }
        for datagram in [
            &b""[..],
            b"\xff\xfe",
            b"GET / HTTP/1.1\r\nPort: 7\r\n",
            b"M-SEARCH *",
        ] {
            assert!(Search::parse(datagram).is_err());
        }
    }
}
