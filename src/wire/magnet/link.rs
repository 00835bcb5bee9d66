//! Reading a link. Keys and the name of the hash may be of either case and percent-encoded, and a
//! key may carry a number behind a point (`xt.1`, `tr.1`), as other clients read and write them.
//! What cannot be used is left out, but for the hash.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::super::files::Invalid;
use super::super::{percent, sources};
use super::writer;
use crate::base::{InfoHash, limits, sorted_by_key};

/// What a link says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The torrent: the first `xt` that has an info hash of BEP 3.
    pub info_hash: InfoHash,
    /// What it calls the torrent: a hint for people (`dn`).
    pub name: Option<String>,
    /// Announce URLs, each a tier of its own (`tr`).
    pub trackers: Vec<Vec<String>>,
    /// Peers, `host:port` (`x.pe`); an IPv6 address stands in brackets.
    pub peers: Vec<String>,
    /// HTTP addresses of the content (`ws`, BEP 19).
    pub web_seeds: Vec<String>,
    /// The files to be downloaded, by their places in the torrent (`so`, BEP 53); none: all.
    pub selection: Vec<RangeInclusive<usize>>,
}

/// Whether what a user names is a magnet link, not a file.
pub fn is_magnet(text: &str) -> bool {
    text.get(..7)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("magnet:"))
}

/// The link that a user's argument is: a magnet link, or an info hash alone (40 hexadecimal digits
/// or 32 of base32); `None`: it is neither.
///
/// # Errors
/// It names no torrent that brooklet can get: in one line.
pub fn given(text: &str) -> Option<Result<Link, Invalid>> {
    // A file with a link may begin with a mark of its encoding.
    let text = text.trim_start_matches('\u{feff}').trim();
    if let Some((first, others)) = text.split_once('\n') {
        let is_link = |line: &str| given(line).is_some();
        if is_link(first) && others.lines().any(is_link) {
            return Some(Err(Invalid::new("it holds more than one link")));
        }
    }
    if is_magnet(text) {
        return Some(Link::parse(text));
    }
    let hex = || text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let base32 = |byte: u8| byte.is_ascii_alphabetic() || (b'2'..=b'7').contains(&byte);
    match text.len() {
        40 if hex() => {}
        32 if text.bytes().all(base32) => {}
        64 if hex() => return Some(Err(Invalid::new(NEWER))),
        _ => return None,
    }
    InfoHash::from_text(text).map(|info_hash| Ok(Link::bare(info_hash)))
}

/// What is said of a hash of BEP 52.
const NEWER: &str = "it names a v2-only torrent (BEP 52), which brooklet does not support";

impl Link {
    /// The link that an info hash alone is.
    pub fn bare(info_hash: InfoHash) -> Link {
        Link {
            info_hash,
            name: None,
            trackers: Vec::new(),
            peers: Vec::new(),
            web_seeds: Vec::new(),
            selection: Vec::new(),
        }
    }

    /// What people call it: its name, or else its info hash.
    pub fn title(&self) -> String {
        let name = self.name.clone();
        name.unwrap_or_else(|| self.info_hash.to_string())
    }

    /// The link as a text that says the same.
    pub fn text(&self) -> String {
        let name = self.name.as_deref();
        let (trackers, seeds) = (&self.trackers, &self.web_seeds);
        let mut text = writer::link(self.info_hash, name, trackers, seeds);
        for peer in &self.peers {
            writer::add(&mut text, "x.pe", peer);
        }
        if !self.selection.is_empty() {
            writer::add(&mut text, "so", &ranges_text(&self.selection));
        }
        text
    }

    /// A `.torrent` of this `info` dictionary, with what else the link says.
    pub fn torrent(&self, info: &[u8]) -> Vec<u8> {
        writer::torrent_of(info, &self.trackers, &self.web_seeds)
    }

    /// Reads a link.
    ///
    /// # Errors
    /// It names no torrent that brooklet can get: in one line.
    pub fn parse(text: &str) -> Result<Link, Invalid> {
        let text = text.trim();
        if text.len() > limits::LINK_BYTES {
            let most = limits::LINK_BYTES / limits::KIB;
            return Err(Invalid::new(format!("it is longer than {most} KiB")));
        }
        let pairs = text
            .get(7..)
            .filter(|_| is_magnet(text))
            .and_then(|rest| rest.strip_prefix('?'))
            .ok_or_else(|| Invalid::new("a magnet link begins with magnet:?"))?;
        let mut topics = Topics::default();
        let mut link = Link::bare(InfoHash([0; 20]));
        let mut seen = BTreeSet::new();
        for pair in pairs.split('&') {
            let (key, coded) = pair.split_once('=').unwrap_or((pair, ""));
            // A link that was copied out of the source of a web page.
            let key = key.strip_prefix("amp;").unwrap_or(key);
            let key = String::from_utf8_lossy(&percent::decode(key)).to_ascii_lowercase();
            let value = percent::decode(coded);
            match base_of(&key) {
                "xt" => topics.take(&value),
                "dn" if link.name.is_none() => link.name = name(coded),
                "tr" if link.trackers.len() < limits::TRACKERS => {
                    let url = sources::usable(&value).filter(|url| seen.insert(url.to_string()));
                    link.trackers.extend(url.map(|url| vec![url.to_string()]));
                }
                "ws" if link.web_seeds.len() < limits::WEB_SEEDS => {
                    let url = sources::usable(&value).map(str::to_string);
                    link.web_seeds.extend(url);
                }
                "x.pe" if link.peers.len() < limits::LINK_PEERS => {
                    let peer = sources::usable(&value).and_then(peer);
                    link.peers
                        .extend(peer.filter(|peer| !link.peers.contains(peer)));
                }
                "so" => link.selection.extend(ranges(&value)),
                _ => {}
            }
        }
        link.info_hash = topics.finish()?;
        Ok(link)
    }
}

/// A key without the number behind it.
fn base_of(key: &str) -> &str {
    match key.rsplit_once('.') {
        Some((base, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => base,
        _ => key,
    }
}

/// What a link says about which torrent it is.
#[derive(Default)]
struct Topics {
    hash: Option<InfoHash>,
    /// A hash of BEP 3 that is none.
    wrong: bool,
    /// A hash of BEP 52.
    newer: bool,
}

impl Topics {
    fn take(&mut self, topic: &[u8]) {
        let topic = String::from_utf8_lossy(topic);
        let rest = |name: &str| {
            let start = topic.get(..name.len())?;
            start
                .eq_ignore_ascii_case(name)
                .then(|| topic.get(name.len()..))?
        };
        if let Some(hash) = rest("urn:btih:") {
            match InfoHash::from_text(hash.trim()) {
                Some(hash) => self.hash = self.hash.or(Some(hash)),
                None => self.wrong = true,
            }
        }
        self.newer |= rest("urn:btmh:").is_some();
    }

    fn finish(self) -> Result<InfoHash, Invalid> {
        self.hash.ok_or_else(|| {
            Invalid::new(if self.wrong {
                "its info hash is neither 40 hexadecimal digits nor 32 of base32"
            } else if self.newer {
                NEWER
            } else {
                "it names no torrent: it has no xt=urn:btih:"
            })
        })
    }
}

/// A name for people: forms have `+` for a blank.
fn name(coded: &str) -> Option<String> {
    let name = percent::decode(&coded.replace('+', " "));
    let name = String::from_utf8_lossy(&name).trim().to_string();
    (!name.is_empty()).then_some(name)
}

/// Host (without brackets) and port of a peer that a link names.
pub fn host_and_port(peer: &str) -> Option<(String, u16)> {
    let (host, port) = peer.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Some((host.to_string(), port.parse().ok()?))
}

/// The peer, if a host and a port are named.
fn peer(text: &str) -> Option<String> {
    let (host, port) = text.rsplit_once(':')?;
    let port = port.parse::<u16>().ok().filter(|&port| port != 0)?;
    let inner = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let host = match inner {
        Some(inner) => format!("[{}]", inner.parse::<std::net::Ipv6Addr>().ok()?),
        None => {
            let named =
                |letter: char| letter.is_alphanumeric() || matches!(letter, '.' | '-' | '_');
            (!host.is_empty() && host.chars().all(named)).then(|| host.to_string())?
        }
    };
    Some(format!("{host}:{port}"))
}

/// The chosen files among so many, ascending; none: all.
pub fn chosen(selection: &[RangeInclusive<usize>], files: usize) -> Vec<usize> {
    let mut chosen = Vec::new();
    let mut next = 0;
    for range in sorted_by_key(selection.to_vec(), |range| *range.start()) {
        // A link may name each file any number of times.
        let end = files.min(range.end().saturating_add(1));
        chosen.extend(next.max(*range.start())..end);
        next = next.max(end);
    }
    chosen
}

/// Ranges as BEP 53 writes them.
pub fn ranges_text(ranges: &[RangeInclusive<usize>]) -> String {
    let written = ranges.iter().map(|range| {
        let (first, last) = (range.start(), range.end());
        if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        }
    });
    written.collect::<Vec<_>>().join(",")
}

/// BEP 53: indices and ranges with commas between them; what is neither is left out.
pub fn ranges(text: &[u8]) -> Vec<RangeInclusive<usize>> {
    let text = String::from_utf8_lossy(text);
    let number = |text: &str| {
        let number = text.trim().parse::<usize>().ok();
        number.filter(|&number| number < limits::FILES)
    };
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(number(first)?..=number(last)?).filter(|range| !range.is_empty())
    };
    text.split(',').filter_map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "d2474e86c95b19b8bcfdb92bc12c9d44667cfa36";

    fn read(text: &str) -> Link {
        Link::parse(text).unwrap()
    }

    fn refused(text: &str) -> String {
        Link::parse(text).unwrap_err().to_string()
    }

    /// BEP 9: "xt" is "urn:btih:" and "the infohash hex encoded, for a total of 40 characters. For
    /// compatability with existing links in the wild, clients should also support the 32 character
    /// base32 encoded info-hash."
    #[test]
    fn the_hash_is_read_in_each_form_that_clients_write() {
        let expected = InfoHash::from_hex(HASH).unwrap();
        for xt in [
            "xt=urn:btih:d2474e86c95b19b8bcfdb92bc12c9d44667cfa36",
            "xt=urn:btih:D2474E86C95B19B8BCFDB92BC12C9D44667CFA36",
            "xt=urn:btih:2JDU5BWJLMM3RPH5XEV4CLE5IRTHZ6RW",
            "xt=urn:btih:2jdu5bwjlmm3rph5xev4cle5irthz6rw",
            "xt=urn%3Abtih%3Ad2474e86c95b19b8bcfdb92bc12c9d44667cfa36",
            "XT=URN:BTIH:d2474e86c95b19b8bcfdb92bc12c9d44667cfa36",
            "xt.1=urn:btih:d2474e86c95b19b8bcfdb92bc12c9d44667cfa36&xt.2=urn:btmh:1220",
            "dn=x&amp;xt=urn:btih:d2474e86c95b19b8bcfdb92bc12c9d44667cfa36&amp;tr=",
            "xt=urn:sha1:x&xt=urn:btih:00&xt=urn:btih:d2474e86c95b19b8bcfdb92bc12c9d44667cfa36",
        ] {
            assert_eq!(read(&format!("magnet:?{xt}")).info_hash, expected, "{xt}");
            assert_eq!(read(&format!(" MAGNET:?{xt}\n")).info_hash, expected);
        }
    }

    #[test]
    fn hints_are_read_and_what_is_no_use_left_out() {
        let link = read(&format!(
            "magnet:?dn=A+%26%20B&xt=urn:btih:{HASH}&tr=http%3A%2F%2Fa%2Fannounce&tr.1=udp://b:1&tr=\
             &tr=udp://b:1&tr=x%0d%0ay&ws=http://d/x%20y&x.pe=10.0.0.1:6881&x.pe=[2001:DB8::1]:7\
             &x.pe=a.example:9&x.pe=10.0.0.1&x.pe=h:0&x.pe=h:70000&x.pe=::1:5&so=0,2,4-6,x,9-7,8-&y"
        ));
        assert_eq!(link.name.as_deref(), Some("A & B"));
        assert_eq!(link.trackers, [["http://a/announce"], ["udp://b:1"]]);
        assert_eq!(link.web_seeds, ["http://d/x y"]);
        let peers = ["10.0.0.1:6881", "[2001:db8::1]:7", "a.example:9"];
        assert_eq!(link.peers, peers);
        assert_eq!(link.selection, [0..=0, 2..=2, 4..=6]);
        let bare = Link::bare(InfoHash::from_hex(HASH).unwrap());
        assert_eq!(read(&format!("magnet:?xt=urn:btih:{HASH}")), bare);
    }

    #[test]
    fn what_names_no_torrent_is_refused_in_one_line() {
        for (text, why) in [
            ("magnet:", "begins with magnet:?"),
            ("magnet:xt=urn:btih:00", "begins with magnet:?"),
            ("magnet:?", "it names no torrent"),
            ("magnet:?dn=x&tr=y", "it names no torrent"),
            ("magnet:?xt=urn:btih:00", "neither 40 hexadecimal digits"),
            (
                "magnet:?xt=urn:btih:1jdu5bwjlmm3rph53ev4cle5irthz6rw",
                "neither",
            ),
            ("magnet:?xt=urn:btmh:1220aa", "v2-only torrent (BEP 52)"),
        ] {
            assert!(refused(text).contains(why), "{text}: {}", refused(text));
        }
        assert!(Link::parse(&format!("magnet:?\u{e9}%=&&=&xt=urn:btih:{HASH}&%ff=%ff")).is_ok());
    }

    #[test]
    fn a_link_that_is_written_is_read() {
        let mut link = Link::bare(InfoHash([0xab; 20]));
        link.name = Some("a+b &=%".into());
        link.trackers = vec![vec!["http://c/?k=1&l=2".into()], vec!["udp://d:1".into()]];
        link.web_seeds = vec!["http://d/x y".into()];
        assert_eq!(read(&link.text()), link);
        link.peers = vec!["[2001:db8::1]:7".into(), "a.example:9".into()];
        link.selection = vec![0..=0, 4..=6];
        assert!(link.text().contains("&so=0%2C4-6") || link.text().contains("&so=0,4-6"));
        assert_eq!(read(&link.text()), link);
        let peers: Vec<_> = link
            .peers
            .iter()
            .filter_map(|it| host_and_port(it))
            .collect();
        let expected = [("2001:db8::1", 7), ("a.example", 9)];
        assert_eq!(
            peers,
            expected.map(|(host, port)| (String::from(host), port))
        );
        let bare = Link::bare(link.info_hash);
        assert_eq!(read(&bare.text()), bare);
    }

    #[test]
    fn a_torrent_is_made_of_the_info_and_the_link() {
        let info = b"d6:lengthi5e4:name1:t12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaae";
        let link = read(&format!(
            "magnet:?xt=urn:btih:{HASH}&tr=udp://b:1&tr=udp://a:1&ws=http://w/&so=1-3,7"
        ));
        let meta = crate::wire::Metainfo::parse(&link.torrent(info)).unwrap();
        assert_eq!(meta.trackers, [["udp://b:1"], ["udp://a:1"]]);
        assert_eq!(
            (meta.web_seeds, meta.info_size),
            (vec!["http://w/".into()], info.len() as u32)
        );
        assert_eq!(chosen(&link.selection, 3), [1, 2]);
        assert_eq!(chosen(&ranges(b"2,0-1,1-9"), 4), [0, 1, 2, 3]);
        let bare = Link::bare(link.info_hash).torrent(info);
        assert_eq!(bare, [b"d4:info", &info[..], b"e"].concat());
        assert!(chosen(&[], 9).is_empty() && chosen(&ranges(b"5-7"), 0).is_empty());
    }

    #[test]
    fn an_argument_is_a_link_a_hash_or_neither() {
        let expected = Link::bare(InfoHash::from_hex(HASH).unwrap());
        for text in [
            HASH,
            &HASH.to_uppercase(),
            "2jdu5bwjlmm3rph5xev4cle5irthz6rw",
            &format!("Magnet:?xt=urn:btih:{HASH}"),
        ] {
            assert_eq!(given(text).unwrap().unwrap(), expected, "{text}");
        }
        for text in [
            "",
            "a.torrent",
            &HASH[1..],
            "1jdu5bwjlmm3rph5xev4cle5irthz6rw",
        ] {
            assert!(given(text).is_none(), "{text}");
        }
        let newer = given(&"ab".repeat(32)).unwrap().unwrap_err();
        assert!(newer.to_string().contains("v2-only"));
        assert!(given("magnet:?xt=urn:btih:00").unwrap().is_err());
    }

    #[test]
    fn the_scheme_tells() {
        assert!(is_magnet("magnet:?xt=urn:btih:00") && is_magnet("MAGNET:?x"));
        assert!(!is_magnet("magnet") && !is_magnet("./magnet:x") && !is_magnet("mägnet:"));
    }

    #[test]
    fn lists_end_at_their_limits() {
        let mut text = format!("magnet:?xt=urn:btih:{HASH}");
        for n in 1..300 {
            text += &format!("&tr=udp://a:{n}&x.pe=h:{n}");
        }
        let link = read(&text);
        assert_eq!(link.trackers.len(), limits::TRACKERS);
        assert_eq!(link.peers.len(), limits::LINK_PEERS);
        let start = format!("magnet:?xt=urn:btih:{HASH}&dn=");
        let fitting = limits::LINK_BYTES - start.len();
        assert!(Link::parse(&format!("{start}{}", "x".repeat(fitting))).is_ok());
        let longer = format!("{start}{}", "x".repeat(fitting + 1));
        assert_eq!(refused(&longer), "it is longer than 64 KiB");
    }
}
