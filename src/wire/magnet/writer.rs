//! Writing a link, and the `.torrent` of one.

use super::super::{bencode, percent};
use crate::base::InfoHash;

/// The link of a torrent: its hash, name (if it is known), trackers and web seeds.
pub fn link(
    info_hash: InfoHash,
    name: Option<&str>,
    trackers: &[Vec<String>],
    web_seeds: &[String],
) -> String {
    let mut link = format!("magnet:?xt=urn:btih:{info_hash}");
    name.iter().for_each(|name| add(&mut link, "dn", name));
    let urls = trackers.iter().flatten();
    urls.for_each(|url| add(&mut link, "tr", url));
    web_seeds.iter().for_each(|url| add(&mut link, "ws", url));
    link
}

/// Adds one thing that a link says.
pub(super) fn add(link: &mut String, key: &str, value: &str) {
    link.push('&');
    link.push_str(key);
    link.push('=');
    percent::encode(value.as_bytes(), link);
}

/// A `.torrent` of this `info` dictionary, with these trackers and web seeds.
#[inline(never)]
pub fn torrent_of(info: &[u8], trackers: &[Vec<String>], web_seeds: &[String]) -> Vec<u8> {
    let strings = |texts: &[String]| bencode::list(texts.iter().map(bencode::bytes));
    let first = trackers.iter().flatten().next();
    let tiers = trackers.iter().map(|tier| strings(tier));
    let seeds = web_seeds.first();
    let entries = [
        first.map(|url| ("announce", bencode::bytes(url))),
        first.map(|_| ("announce-list", bencode::list(tiers))),
        Some(("info", info.to_vec())),
        seeds.map(|_| ("url-list", strings(web_seeds))),
    ];
    bencode::dict(entries.into_iter().flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// BEP 9: `magnet:?xt=urn:btih:<info-hash>&dn=<name>&tr=<tracker-url>`; BEP 19 adds `ws`.
    #[test]
    fn a_link_names_all_there_is() {
        let tiers = [
            vec![String::from("http://a/announce"), String::from("udp://b:1")],
            vec![String::from("http://c/?k=1&l=2")],
        ];
        let seeds = [String::from("http://d/x y")];
        assert_eq!(
            link(InfoHash([0xab; 20]), Some("A & B"), &tiers, &seeds),
            format!(
                "magnet:?xt=urn:btih:{}&dn=A%20%26%20B&tr=http%3A%2F%2Fa%2Fannounce&tr=udp%3A%2F%2Fb%3A1\
                 &tr=http%3A%2F%2Fc%2F%3Fk%3D1%26l%3D2&ws=http%3A%2F%2Fd%2Fx%20y",
                "ab".repeat(20)
            )
        );
    }
}
