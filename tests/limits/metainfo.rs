//! Bencode and metainfo.

use brooklet::base::limits;
use brooklet::wire::Metainfo;
use brooklet::wire::announce::Answer;
use brooklet::wire::bencode::{self, bytes, dict, int, list};

use crate::support::bench::SOON;
use crate::support::child::{Child, Stream, brooklet};
use crate::support::dir::Dir;

/// The `info` of one file.
fn info(length: i64, piece_length: i64, hashes: usize) -> Vec<u8> {
    dict([
        ("length", int(length)),
        ("name", bytes("a")),
        ("piece length", int(piece_length)),
        ("pieces", bytes(vec![7; 20 * hashes])),
    ])
}

/// A torrent with these keys before and after its `info`.
fn torrent(
    before: Option<(&str, Vec<u8>)>,
    info: Vec<u8>,
    after: Option<(&str, Vec<u8>)>,
) -> Vec<u8> {
    dict(before.into_iter().chain([("info", info)]).chain(after))
}

/// What is read of a torrent of one byte with these keys.
fn small(before: Option<(&str, Vec<u8>)>, after: Option<(&str, Vec<u8>)>) -> Metainfo {
    Metainfo::parse(&torrent(before, info(1, 1 << 14, 1), after)).unwrap()
}

fn refused(torrent: &[u8]) -> String {
    match Metainfo::parse(torrent) {
        Ok(_) => panic!("it is taken"),
        Err(why) => why.to_string(),
    }
}

#[test]
fn nesting() {
    let nest = |depth: u32| ["l".repeat(depth as usize), "e".repeat(depth as usize)].concat();
    assert!(bencode::decode(nest(limits::BENCODE_DEPTH).as_bytes()).is_ok());
    assert!(bencode::decode(nest(limits::BENCODE_DEPTH + 1).as_bytes()).is_err());
}

#[test]
fn values() {
    // The list itself is one of them.
    let many = |values: usize| [&b"l"[..], &b"le".repeat(values - 1), b"e"].concat();
    assert!(bencode::decode(&many(limits::BENCODE_VALUES)).is_ok());
    assert!(bencode::decode(&many(limits::BENCODE_VALUES + 1)).is_err());
}

#[test]
fn bytes_of_a_torrent_file() {
    let dir = Dir::new();
    let of = |size: usize| {
        let empty = torrent(None, info(1, 1 << 14, 1), Some(("z", bytes(""))));
        // The string's length takes eight digits in place of one.
        let padding = vec![b' '; size - empty.len() - 7];
        let text = torrent(None, info(1, 1 << 14, 1), Some(("z", bytes(padding))));
        assert_eq!(text.len(), size);
        dir.file("torrent", text)
    };
    let show = |path: std::path::PathBuf| {
        let mut show = Child::spawn("show", brooklet(None).arg("show").arg(path));
        (show.code(SOON), show.text(Stream::Err))
    };
    let (code, said) = show(of(limits::METAINFO_BYTES));
    assert_eq!(code, 0, "{said}");
    let (code, said) = show(of(limits::METAINFO_BYTES + 1));
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("64 MiB"), "{said}");
}

#[test]
fn length_of_a_piece() {
    let most = i64::from(limits::PIECE_LENGTH);
    let of = |length: i64| Metainfo::parse(&torrent(None, info(1, length, 1), None));
    assert_eq!(
        of(most).unwrap().geometry.piece_length(),
        limits::PIECE_LENGTH
    );
    assert!(of(most + 1).is_err());
}

#[test]
fn bytes_of_content() {
    let of = |size: u64| {
        let info = info(size as i64, limits::PIECE_LENGTH.into(), 1);
        refused(&torrent(None, info, None))
    };
    // At the bound it is only the hashes that are missing: 640 MiB of them.
    let at = of(limits::CONTENT_BYTES);
    assert!(!at.contains("larger"), "{at}");
    let past = of(limits::CONTENT_BYTES + 1);
    assert!(past.contains("larger"), "{past}");
}

#[test]
fn files() {
    let of = |count: usize| {
        let files = (0..count).map(|n| {
            let path = list([bytes(format!("{n}"))]);
            dict([("length", int(i64::from(n == 0))), ("path", path)])
        });
        let info = dict([
            ("files", list(files)),
            ("name", bytes("a")),
            ("piece length", int(1 << 14)),
            ("pieces", bytes([7; 20])),
        ]);
        Metainfo::parse(&torrent(None, info, None)).map(|metainfo| metainfo.files.len())
    };
    assert_eq!(of(limits::FILES).unwrap(), limits::FILES);
    let why = of(limits::FILES + 1).unwrap_err().to_string();
    assert!(why.contains("500000"), "{why}");
}

fn urls(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|n| bytes(format!("http://a/{n}"))).collect()
}

#[test]
fn trackers() {
    let of = |count: usize| {
        let tiers = urls(count).into_iter().map(|url| list([url]));
        let tiers = Some(("announce-list", list(tiers)));
        small(tiers, None).trackers.concat()
    };
    assert_eq!(of(limits::TRACKERS).len(), limits::TRACKERS);
    let kept = of(limits::TRACKERS + 1);
    assert_eq!(kept.len(), limits::TRACKERS);
    assert_eq!(kept[0], "http://a/0", "the first are kept");
}

#[test]
fn web_seeds() {
    let of = |count: usize| {
        let seeds = Some(("url-list", list(urls(count))));
        small(None, seeds).web_seeds.len()
    };
    let (at, past) = (of(limits::WEB_SEEDS), of(limits::WEB_SEEDS + 1));
    assert_eq!((at, past), (limits::WEB_SEEDS, limits::WEB_SEEDS));
}

#[test]
fn nodes() {
    let of = |count: usize| {
        let nodes = (0..count).map(|n| list([bytes(format!("node{n}")), int(6881)]));
        small(None, Some(("nodes", list(nodes)))).nodes.len()
    };
    let (at, past) = (of(limits::NODES), of(limits::NODES + 1));
    assert_eq!((at, past), (limits::NODES, limits::NODES));
}

#[test]
fn words() {
    let of = |letters: usize| {
        let reason = dict([("failure reason", bytes("ä".repeat(letters)))]);
        match Answer::parse(&reason) {
            Ok(Answer::Failure { reason, .. }) => reason.chars().count(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(of(limits::WORDS), limits::WORDS);
    assert_eq!(of(limits::WORDS + 1), limits::WORDS);
}

#[test]
fn bytes_of_a_url() {
    let of = |length: usize| {
        let url = format!("http://a/{}", "x".repeat(length - 9));
        small(Some(("announce", bytes(url))), None).trackers.len()
    };
    assert_eq!((of(limits::URL_BYTES), of(limits::URL_BYTES + 1)), (1, 0));
}
