//! What a magnet link or an info hash says of a torrent. What only the torrent itself could say is
//! `null` in JSON.

use super::Page;
use crate::wire::json;
use crate::wire::magnet::Link;

/// As one JSON object.
pub fn object(link: &Link) -> String {
    let quoted =
        |texts: &[String]| -> Vec<String> { texts.iter().map(|text| json::quoted(text)).collect() };
    let null = |object: json::Object, keys: &[&str]| -> json::Object {
        let keys = keys.iter();
        keys.fold(object, |object, key| object.raw(key, "null"))
    };
    let tiers = link.trackers.iter().map(|tier| json::array(quoted(tier)));
    let object = json::Object::new()
        .text("name", link.name.as_deref())
        .text("info_hash", link.info_hash.to_string().as_str());
    let unknown = ["size", "piece_length", "pieces", "private", "files"];
    let object = null(object, &unknown)
        .list("trackers", tiers)
        .list("web_seeds", quoted(&link.web_seeds))
        .list("nodes", Vec::new());
    let object = null(object, &["comment", "created_by", "creation_date"]);
    object.list("peers", quoted(&link.peers)).finish() + "\n"
}

/// In words.
pub fn words(link: &Link) -> String {
    let mut page = Page(String::new());
    if let Some(name) = &link.name {
        page.line("name", name);
    }
    page.line("info hash", &link.info_hash.to_string());
    for (tier, urls) in (1..).zip(&link.trackers) {
        let label = format!("tracker, tier {tier}");
        urls.iter().for_each(|url| page.line(&label, url));
    }
    let seeds = link.web_seeds.iter();
    seeds.for_each(|url| page.line("web seed", url));
    link.peers.iter().for_each(|peer| page.line("peer", peer));
    if !link.selection.is_empty() {
        let shown = link.selection.iter().map(|range| {
            let (first, last) = (range.start() + 1, range.end() + 1);
            if first == last {
                first.to_string()
            } else {
                format!("{first}-{last}")
            }
        });
        let shown: Vec<String> = shown.collect();
        page.line("files", &format!("only {}", shown.join(",")));
    }
    page.line("the rest", "is not in the link: its peers have it");
    page.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: &str = "magnet:?xt=urn:btih:d2474e86c95b19b8bcfdb92bc12c9d44667cfa36&dn=a%1bb\
                        &tr=udp://t:1&tr=udp://u:2&ws=http://w/&x.pe=h:1&so=0,2-3";

    #[test]
    fn what_a_link_does_not_say_is_null() {
        let link = Link::parse(LINK).unwrap();
        assert_eq!(
            object(&link),
            "{\"name\":\"a\\u001bb\",\"info_hash\":\"d2474e86c95b19b8bcfdb92bc12c9d44667cfa36\",\
             \"size\":null,\"piece_length\":null,\"pieces\":null,\"private\":null,\"files\":null,\
             \"trackers\":[[\"udp://t:1\"],[\"udp://u:2\"]],\"web_seeds\":[\"http://w/\"],\
             \"nodes\":[],\"comment\":null,\"created_by\":null,\"creation_date\":null,\
             \"peers\":[\"h:1\"]}\n"
        );
        let bare = Link::bare(link.info_hash);
        assert!(object(&bare).starts_with("{\"name\":null,"));
    }

    #[test]
    fn a_page_says_what_the_link_says() {
        let page = words(&Link::parse(LINK).unwrap());
        let expected = "name:            a\\x1bb\n\
            info hash:       d2474e86c95b19b8bcfdb92bc12c9d44667cfa36\n\
            tracker, tier 1: udp://t:1\n\
            tracker, tier 2: udp://u:2\n\
            web seed:        http://w/\n\
            peer:            h:1\n\
            files:           only 1,3-4\n\
            the rest:        is not in the link: its peers have it\n";
        assert_eq!(page, expected);
    }
}
