//! Asking an HTTP tracker how a swarm is (BEP 48): which URL to get, and what comes back.

use super::announce::{count, dictionary, joined};
use super::bencode::Dict;
use super::{Malformed, one_line, percent};
use crate::base::InfoHash;

/// What a tracker knows of a swarm, over HTTP or UDP.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Scraped {
    /// Peers that have everything.
    pub seeders: u32,
    /// Downloads that ever completed.
    pub completed: u32,
    /// Peers that have not everything.
    pub leechers: u32,
}

/// A tracker's answer to a scrape for one torrent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ScrapeAnswer {
    /// It knows the torrent.
    Known(Scraped),
    /// It does not mention the torrent.
    Unknown,
    /// It refuses, in its words.
    Failure(String),
}

/// The URL to get. By BEP 48's rule the text behind the last slash of the announce URL begins with
/// `announce`, and that word becomes `scrape`; `None`: this tracker cannot be scraped.
pub fn scrape_url(announce: &str, info_hash: InfoHash) -> Option<String> {
    let (front, last) = announce.rsplit_once('/')?;
    let tail = last.strip_prefix("announce")?;
    let mut url = joined(&format!("{front}/scrape{tail}"), "info_hash=");
    percent::encode(&info_hash.0, &mut url);
    Some(url)
}

impl ScrapeAnswer {
    /// Reads the body of an HTTP response. Bytes behind the dictionary are ignored.
    pub fn parse(body: &[u8], info_hash: InfoHash) -> Result<ScrapeAnswer, Malformed> {
        let answer = dictionary(body)?;
        if let Some(reason) = answer.bytes("failure reason") {
            return Ok(ScrapeAnswer::Failure(one_line(reason)));
        }
        let swarms = answer.dict("files");
        let Some(swarm) = swarms.and_then(|swarms| swarm_of(swarms, info_hash)) else {
            return Ok(ScrapeAnswer::Unknown);
        };
        let number = |key| swarm.int(key).map_or(0, count);
        Ok(ScrapeAnswer::Known(Scraped {
            seeders: number("complete"),
            completed: number("downloaded"),
            leechers: number("incomplete"),
        }))
    }
}

/// The entry of a torrent. Its key should be the 20 bytes of the info hash; other forms of a hash
/// are known, too. Only one torrent is asked for, so an only entry is about that one, unless its
/// key is the info hash of another.
fn swarm_of(swarms: Dict<'_>, info_hash: InfoHash) -> Option<Dict<'_>> {
    let known = || {
        let mut entries = swarms.iter();
        entries.find_map(|(key, swarm)| (hash_of(key) == Some(info_hash)).then_some(swarm))
    };
    let only = || {
        let mut entries = swarms.iter();
        let (key, swarm) = entries.next()?;
        (entries.next().is_none() && hash_of(key).is_none()).then_some(swarm)
    };
    let exact = swarms.get(info_hash.0);
    exact.or_else(known).or_else(only)?.dict()
}

/// The info hash that a key is: its 20 bytes; 40 hexadecimal digits; or the bytes of which npm's
/// `bittorrent-tracker` writes each from 0x80 on as the two that UTF-8 has for the character of
/// that number.
fn hash_of(key: &[u8]) -> Option<InfoHash> {
    if let Ok(hash) = key.try_into() {
        return Some(InfoHash(hash));
    }
    let text = std::str::from_utf8(key).ok()?;
    let bytes = || {
        let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c).ok()).collect();
        bytes?.try_into().ok().map(InfoHash)
    };
    InfoHash::from_hex(text).or_else(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: InfoHash = InfoHash(*b"aaaaaaaaaaaaaaaaaaaa");

    /// The examples of the tracker scrape convention that BEP 48 describes.
    #[test]
    fn urls_follow_the_convention() {
        for (announce, scrape) in [
            (
                "http://example.com/announce",
                Some("http://example.com/scrape?"),
            ),
            (
                "http://example.com/x/announce",
                Some("http://example.com/x/scrape?"),
            ),
            (
                "http://example.com/announce.php",
                Some("http://example.com/scrape.php?"),
            ),
            ("http://example.com/a", None),
            (
                "http://example.com/announce?x2%0644",
                Some("http://example.com/scrape?x2%0644&"),
            ),
            ("http://example.com/announce?x=2/4", None),
            ("http://example.com/x%064announce", None),
            ("announce", None),
        ] {
            let expected = scrape.map(|url| format!("{url}info_hash=aaaaaaaaaaaaaaaaaaaa"));
            assert_eq!(scrape_url(announce, HASH), expected, "{announce}");
        }
    }

    #[test]
    fn only_our_torrent_is_read() {
        let files = b"d5:filesd20:bbbbbbbbbbbbbbbbbbbbd8:completei9ee20:aaaaaaaaaaaaaaaaaaaa\
            d8:completei5e10:downloadedi50e10:incompletei10eeee\n";
        let known = Scraped {
            seeders: 5,
            completed: 50,
            leechers: 10,
        };
        assert_eq!(
            ScrapeAnswer::parse(files, HASH),
            Ok(ScrapeAnswer::Known(known))
        );
        let unknown = Ok(ScrapeAnswer::Unknown);
        assert_eq!(ScrapeAnswer::parse(files, InfoHash([0; 20])), unknown);
        assert_eq!(ScrapeAnswer::parse(b"de", HASH), unknown);
        let failure = ScrapeAnswer::Failure(String::from("no"));
        assert_eq!(
            ScrapeAnswer::parse(b"d14:failure reason2:noe", HASH),
            Ok(failure)
        );
        assert!(ScrapeAnswer::parse(b"5:filesx", HASH).is_err());
    }

    const REAL: InfoHash = InfoHash([
        0x81, 0x7f, 0xff, 0x00, 0xc3, 0x24, 0x9c, 0x80, 0x41, 0xe9, 0x12, 0xd0, 0x0a, 0xfe, 0x5b,
        0xb5, 0x33, 0x88, 0x62, 0xa0,
    ]);

    fn answer_under(keys: &[&[u8]]) -> Result<ScrapeAnswer, Malformed> {
        let mut body = b"d5:filesd".to_vec();
        for (seeders, key) in (1..).zip(keys) {
            body.extend(format!("{}:", key.len()).as_bytes());
            body.extend(*key);
            body.extend(format!("d8:completei{seeders}ee").as_bytes());
        }
        body.extend(b"ee");
        ScrapeAnswer::parse(&body, REAL)
    }

    fn seeders(number: u32) -> Result<ScrapeAnswer, Malformed> {
        Ok(ScrapeAnswer::Known(Scraped {
            seeders: number,
            ..Scraped::default()
        }))
    }

    /// What `bittorrent-tracker` 10.0.12 and 11.2.3 send for the hash above.
    #[test]
    fn a_key_that_is_encoded_twice_is_ours() {
        let key =
            b"\xc2\x81\x7f\xc3\xbf\x00\xc3\x83$\xc2\x9c\xc2\x80A\xc3\xa9\x12\xc3\x90\n\xc3\xbe[\xc2\xb53\xc2\x88b\xc2\xa0";
        assert_eq!(answer_under(&[key]), seeders(1));
        assert_eq!(answer_under(&[&[b'b'; 20], key]), seeders(2));
        assert_eq!(answer_under(&[&REAL.0, key]), seeders(1));
    }

    #[test]
    fn a_key_in_hexadecimal_is_ours() {
        let hex = REAL.to_string();
        let other = "7".repeat(40);
        for hex in [&hex, &hex.to_uppercase()] {
            let keys = [other.as_bytes(), hex.as_bytes()];
            assert_eq!(answer_under(&keys), seeders(2), "{hex}");
        }
    }

    #[test]
    fn the_only_entry_is_ours_unless_it_names_another_torrent() {
        let hex = REAL.to_string();
        assert_eq!(answer_under(&[hex.as_bytes()]), seeders(1));
        assert_eq!(answer_under(&[b""]), seeders(1));
        let unknown = Ok(ScrapeAnswer::Unknown);
        assert_eq!(answer_under(&[&[b'b'; 20]]), unknown);
        assert_eq!(answer_under(&[b"x", b"y"]), unknown);
        // Another hash in the forms that ours may have.
        assert_eq!(answer_under(&[&[b'7'; 40]]), unknown);
        assert_eq!(answer_under(&["\u{80}".repeat(20).as_bytes()]), unknown);
        assert_eq!(answer_under(&[]), unknown);
    }
}
