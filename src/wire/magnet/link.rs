//! Reading a link. Keys and the name of the hash may be of either case and percent-encoded, and a
//! key may carry a number behind a point (`xt.1`, `tr.1`), as other clients read and write them.
//! What cannot be used is left out, but for the hash.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::super::files::Invalid;
use super::super::{bencode, percent, sources};
use crate::base::InfoHash;
use crate::base::limits;

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

    /// The chosen files among so many; none: all.
    pub fn chosen(&self, files: usize) -> Vec<usize> {
        let ranges = self.selection.iter().cloned().flatten();
        ranges.filter(|&place| place < files).collect()
    }

    /// A `.torrent` of this `info` dictionary, with what else the link says.
    pub fn torrent(&self, info: &[u8]) -> Vec<u8> {
        let strings = |texts: &[String]| bencode::list(texts.iter().map(bencode::bytes));
        let first = self.trackers.iter().flatten().next();
        let tiers = self.trackers.iter().map(|tier| strings(tier));
        let entries = [
            first.map(|url| ("announce", bencode::bytes(url))),
            first.map(|_| ("announce-list", bencode::list(tiers))),
            Some(("info", info.to_vec())),
            self.web_seeds
                .first()
                .map(|_| ("url-list", strings(&self.web_seeds))),
        ];
        bencode::dict(entries.into_iter().flatten())
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
                "it names a v2-only torrent (BEP 52), which brooklet does not support"
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

/// BEP 53: indices and ranges with commas between them; what is neither is left out.
fn ranges(text: &[u8]) -> Vec<RangeInclusive<usize>> {
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
        let text = super::super::link(link.info_hash, "a+b &=%", &link.trackers, &link.web_seeds);
        assert_eq!(read(&text), link);
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
        assert_eq!(link.chosen(3), [1, 2]);
        let bare = Link::bare(link.info_hash).torrent(info);
        assert_eq!(bare, [b"d4:info", &info[..], b"e"].concat());
        assert!(Link::bare(link.info_hash).chosen(9).is_empty());
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
