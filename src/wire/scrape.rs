//! Asking an HTTP tracker how a swarm is (BEP 48): which URL to get, and what comes back.

use super::announce::{count, dictionary, joined};
use super::{Malformed, one_line, percent};
use crate::base::id::InfoHash;

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

/// The URL to get. By BEP 48's rule the text behind the last slash of the announce URL begins with `announce`, and that word becomes
/// `scrape`; `None`: this tracker cannot be scraped.
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
        let Some(swarm) = swarms.and_then(|swarms| swarms.get(info_hash.0)?.dict()) else {
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
}
