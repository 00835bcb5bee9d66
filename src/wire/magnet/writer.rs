//! Writing a link.

use super::super::percent;
use crate::base::InfoHash;

/// The link of a torrent: its hash, name, trackers and web seeds.
pub fn link(
    info_hash: InfoHash,
    name: &str,
    trackers: &[Vec<String>],
    web_seeds: &[String],
) -> String {
    let mut link = format!("magnet:?xt=urn:btih:{info_hash}");
    let mut add = |key: &str, value: &str| {
        link.push_str(key);
        percent::encode(value.as_bytes(), &mut link);
    };
    add("&dn=", name);
    trackers.iter().flatten().for_each(|url| add("&tr=", url));
    web_seeds.iter().for_each(|url| add("&ws=", url));
    link
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
            link(InfoHash([0xab; 20]), "A & B", &tiers, &seeds),
            format!(
                "magnet:?xt=urn:btih:{}&dn=A%20%26%20B&tr=http%3A%2F%2Fa%2Fannounce&tr=udp%3A%2F%2Fb%3A1\
                 &tr=http%3A%2F%2Fc%2F%3Fk%3D1%26l%3D2&ws=http%3A%2F%2Fd%2Fx%20y",
                "ab".repeat(20)
            )
        );
    }
}
