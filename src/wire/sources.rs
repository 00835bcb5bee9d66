//! Where a torrent's content is to be found: trackers in tiers (BEP 3, BEP 12), web seeds (BEP 19)
//! and DHT nodes (BEP 5). What cannot be used is left out, since a torrent with nine good addresses
//! is not worse for one bad one.

use super::bencode::Value;
use crate::base::{SortedSet, limits};

/// The tiers of `announce-list`, or `announce` where that names none.
pub(super) fn trackers(announce: Option<Value<'_>>, list: Option<Value<'_>>) -> Vec<Vec<String>> {
    let mut urls = Urls::new(limits::TRACKERS);
    let tiers = list.and_then(Value::list).into_iter();
    let tiers: Vec<Vec<String>> = tiers
        .flat_map(|tiers| tiers.iter())
        .map(|tier| urls.take(tier))
        .filter(|tier| !tier.is_empty())
        .collect();
    if !tiers.is_empty() {
        return tiers;
    }
    let lone = announce.map(|url| urls.take(url));
    lone.into_iter().filter(|tier| !tier.is_empty()).collect()
}

/// The addresses of `url-list`, which is a list or a single one.
pub(super) fn web_seeds(list: Option<Value<'_>>) -> Vec<String> {
    list.map_or_else(Vec::new, |list| Urls::new(limits::WEB_SEEDS).take(list))
}

/// The nodes, each a list of a host and a port, as `host:port`.
pub(super) fn nodes(list: Option<Value<'_>>) -> Vec<String> {
    let nodes = list.and_then(Value::list).into_iter();
    nodes
        .flat_map(|nodes| nodes.iter())
        .filter_map(node)
        .take(limits::NODES)
        .collect()
}

fn node(node: Value<'_>) -> Option<String> {
    let mut fields = node.list()?.iter();
    let host = usable(fields.next()?.bytes()?)?;
    let port = u16::try_from(fields.next()?.int()?).ok()?;
    Some(if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    })
}

/// Collects URLs, each once, up to a limit.
struct Urls<'a> {
    seen: SortedSet<&'a str>,
    limit: usize,
}

impl<'a> Urls<'a> {
    fn new(limit: usize) -> Urls<'a> {
        Urls {
            seen: SortedSet::new(),
            limit,
        }
    }

    /// The new ones of a list, or of a single string.
    fn take(&mut self, value: Value<'a>) -> Vec<String> {
        let list = value.list().into_iter().flat_map(|list| list.iter());
        let all = value
            .bytes()
            .into_iter()
            .chain(list.filter_map(Value::bytes));
        all.filter_map(usable)
            .filter(|url| self.seen.len() < self.limit && self.seen.insert(url))
            .map(str::to_owned)
            .collect()
    }
}

/// A URL or host name without the blanks around it. Control characters have no place in one; passed
/// on, a line break would begin a header of our own in an HTTP request.
pub(super) fn usable(text: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let fits = !text.is_empty() && text.len() <= limits::URL_BYTES;
    (fits && !text.contains(char::is_control)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::bencode::{bytes, decode, int, list};

    fn strings(texts: &[&str]) -> Vec<u8> {
        list(texts.iter().map(bytes))
    }

    fn value(text: &[u8]) -> Option<Value<'_>> {
        Some(decode(text).unwrap().0)
    }

    #[test]
    fn tiers_replace_announce_and_lose_what_is_no_use() {
        let announce = bytes(" http://a/announce\n");
        let tiers = list([
            strings(&[
                "http://b/announce",
                "",
                "http://b/announce",
                "http://c\r\nx: y/",
            ]),
            strings(&["", "http://b/announce"]),
            bytes("udp://d:1"),
            int(4),
            strings(&["http://a/announce "]),
        ]);
        assert_eq!(
            trackers(value(&announce), value(&tiers)),
            [["http://b/announce"], ["udp://d:1"], ["http://a/announce"]]
        );
        for none in [list([]), list([strings(&[""])]), bytes(""), int(1)] {
            assert_eq!(
                trackers(value(&announce), value(&none)),
                [["http://a/announce"]]
            );
        }
        assert_eq!(trackers(value(&bytes("")), None), Vec::<Vec<String>>::new());
        let many: Vec<String> = (0..1000).map(|n| format!("http://{n}/announce")).collect();
        let many = list([list(many.iter().map(bytes))]);
        assert_eq!(trackers(None, value(&many))[0].len(), limits::TRACKERS);
    }

    #[test]
    fn web_seeds_are_a_list_or_one() {
        assert_eq!(web_seeds(value(&bytes("http://a/"))), ["http://a/"]);
        let seeds = strings(&["http://a/b c", "http://a/b c", "", "http://b/"]);
        assert_eq!(web_seeds(value(&seeds)), ["http://a/b c", "http://b/"]);
        assert_eq!(web_seeds(value(&int(-20))), Vec::<String>::new());
        assert_eq!(web_seeds(None), Vec::<String>::new());
    }

    #[test]
    fn nodes_have_a_host_and_a_port() {
        let all = list([
            list([bytes("router.example"), int(6881)]),
            list([bytes("::1"), int(1)]),
            list([bytes("a"), int(65536)]),
            list([int(1), int(1)]),
            list([bytes("a")]),
            bytes("a:1"),
        ]);
        assert_eq!(nodes(value(&all)), ["router.example:6881", "[::1]:1"]);
    }
}
