//! Walks the tables of `testdata/torrents` (its README explains them): every torrent is taken or
//! refused as they say, and what comes out is what they say. Then torrents that are damaged in
//! every place: whatever comes out, nothing panics.

#[path = "support/json.rs"]
#[allow(dead_code)]
mod json;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use brooklet::base::{InfoHash, PieceHash};
use brooklet::wire::bencode::{self, Value};
use brooklet::wire::{FileEntry, FileKind, Metainfo};
use json::Json;
use sha1::{Digest as _, Sha1};

type Row = BTreeMap<String, String>;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/torrents")
}

fn read(path: &str) -> Vec<u8> {
    fs::read(folder().join(path)).unwrap_or_else(|why| panic!("{path}: {why}"))
}

/// The rows of a table, by the names of its columns.
fn table(name: &str) -> Vec<Row> {
    let text = String::from_utf8(read(name)).unwrap();
    let mut lines = text.lines();
    let columns: Vec<&str> = lines.next().unwrap().split('\t').collect();
    let row = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        assert_eq!(fields.len(), columns.len(), "{name}: {line}");
        let pairs = columns.iter().zip(fields);
        pairs.map(|(&c, f)| (c.to_owned(), f.to_owned())).collect()
    };
    let rows: Vec<Row> = lines.map(row).collect();
    assert!(!rows.is_empty(), "{name}");
    rows
}

/// A text field of a table, or of JSON in one: `\\` and `\uNNNN` undone. (`\xNN` stands where no
/// strict row has it.)
fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, escape)) = rest.split_once('\\') {
        out.push_str(before);
        let digits = match escape.as_bytes().first() {
            Some(b'x') => 2,
            Some(b'u') => 4,
            other => {
                assert_eq!(other, Some(&b'\\'), "{text}");
                out.push('\\');
                rest = &escape[1..];
                continue;
            }
        };
        let code = u32::from_str_radix(&escape[1..=digits], 16).unwrap();
        out.push(char::from_u32(code).unwrap());
        rest = &escape[1 + digits..];
    }
    out + rest
}

/// Every torrent that the tables know, with its row and what became of it.
fn torrents() -> Vec<(Row, Result<Metainfo, String>)> {
    let rows = table("EXPECT.tsv").into_iter();
    rows.map(|row| {
        let parsed = Metainfo::parse(&read(&row["file"])).map_err(|invalid| invalid.to_string());
        (row, parsed)
    })
    .collect()
}

fn real(meta: &Metainfo) -> impl Iterator<Item = &FileEntry> {
    meta.files
        .iter()
        .filter(|file| file.kind != FileKind::Padding)
}

/// `expect_v1_only_client` is the outcome for a client without BEP 52; where `alt` names another,
/// that one is right too.
#[test]
fn each_torrent_is_taken_or_refused() {
    let files = |folder: &str| fs::read_dir(self::folder().join(folder)).unwrap().count();
    let torrents = torrents();
    assert_eq!(torrents.len(), files("torrents") + files("malformed"));
    for (row, parsed) in torrents {
        let file = &row["file"];
        let outcome = if parsed.is_ok() { "ok" } else { "reject" };
        let right = [&row["expect_v1_only_client"], &row["alt"]];
        assert!(
            right.iter().any(|right| *right == outcome),
            "{file}: {outcome}"
        );
        if let Err(why) = parsed {
            assert!(
                !why.is_empty() && why.len() < 300 && !why.contains('\n'),
                "{file}: {why}"
            );
            assert_eq!(
                row["kind"] == "v2",
                why.contains("v2-only"),
                "{file}: {why}"
            );
        }
    }
}

/// What could lead out of the download folder makes the torrent invalid; a symbolic
/// link is never created.
#[test]
fn what_is_unsafe_is_refused_or_harmless() {
    let unsafe_rows = torrents()
        .into_iter()
        .filter(|(row, _)| row["unsafe"] == "1");
    let taken: Vec<_> = unsafe_rows
        .filter_map(|(row, parsed)| Some((row["file"].clone(), parsed.ok()?)))
        .collect();
    assert_eq!(taken.len(), 1);
    let (file, meta) = &taken[0];
    assert_eq!(file, "malformed/lt_symlink1.torrent");
    assert!(meta.files.iter().any(|file| file.kind == FileKind::Symlink));
}

/// A piece length of nothing is refused, whatever else the torrent says: nothing is divided by it.
#[test]
fn a_piece_length_of_nothing_is_refused() {
    for (length, hashes) in [(0, 1), (30, 0), (30, 1), (1 << 40, 2)] {
        let info = bencode::dict([
            ("length", bencode::int(length)),
            ("name", bencode::bytes("z.txt")),
            ("piece length", bencode::int(0)),
            ("pieces", bencode::bytes(vec![7; 20 * hashes])),
        ]);
        let why = Metainfo::parse(&bencode::dict([("info", info)])).unwrap_err();
        let right = "its piece length of 0 bytes is not between 1 and 268435456";
        assert_eq!(why.to_string(), right, "{length} {hashes}");
    }
}

#[test]
fn what_is_taken_says_what_the_table_says() {
    for (row, parsed) in torrents() {
        let Ok(meta) = parsed else { continue };
        let file = &row["file"];
        // A sound first half of a broken hybrid: the table, which follows libtorrent, has no more
        // to say of it.
        if row["expect"] == "reject" {
            assert!(
                row["expect_v1_only_client"] == "ok" && meta.hybrid,
                "{file}"
            );
            continue;
        }
        assert_eq!(meta.info_hash.to_string(), row["info_hash"], "{file}");
        if row["name_strict"] == "1" {
            assert_eq!(meta.name, unescape(&row["raw_name"]), "{file}");
        }
        let count = |column: &str| row[column].parse::<u64>().unwrap();
        assert_eq!(real(&meta).count() as u64, count("files"), "{file}");
        assert_eq!(meta.size(), count("size"), "{file}");
        assert_eq!(meta.files.len() as u64, count("files_with_pads"), "{file}");
        assert_eq!(meta.geometry.size(), count("size_with_pads"), "{file}");
        assert_eq!(
            u64::from(meta.geometry.piece_length()),
            count("piece_length"),
            "{file}"
        );
        assert_eq!(u64::from(meta.geometry.pieces()), count("pieces"), "{file}");
        assert_eq!(meta.hashes.len() as u64, count("pieces"), "{file}");
        assert_eq!(meta.private, row["private"] == "1", "{file}");
        assert_eq!(meta.hybrid, row["kind"] == "hybrid", "{file}");
    }
}

#[test]
fn files_are_those_of_the_table() {
    let mut rows: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for row in table("FILES.tsv") {
        rows.entry(row["torrent"].clone()).or_default().push(row);
    }
    for (row, parsed) in torrents() {
        let file = &row["file"];
        let Ok(meta) = parsed else { continue };
        if row["expect"] == "reject" {
            continue;
        }
        let rows = &rows[file];
        assert!(
            rows.len() == 2000 || rows.len() == meta.files.len(),
            "{file}"
        );
        for (entry, expected) in meta.files.iter().zip(rows) {
            let index = &expected["index"];
            let (kind, flags) = expected["kind"]
                .split_once(':')
                .unwrap_or((&expected["kind"], ""));
            let kind = match kind {
                "file" => FileKind::File,
                "pad" => FileKind::Padding,
                "symlink" => FileKind::Symlink,
                other => panic!("{other}"),
            };
            assert_eq!(entry.kind, kind, "{file} {index}");
            assert_eq!(entry.length.to_string(), expected["size"], "{file} {index}");
            assert_eq!(entry.executable, flags.contains('x'), "{file} {index}");
            if kind != FileKind::Padding && row["paths_strict"] == "1" {
                let path = Json::parse(&expected["raw_path"]).unwrap();
                let path: Vec<String> = path
                    .list()
                    .iter()
                    .map(|name| unescape(name.text()))
                    .collect();
                assert_eq!(*entry.path, path.join("/"), "{file} {index}");
            }
        }
    }
}

/// The strongest word on names, order, padding and hashes: the content itself.
#[test]
fn content_has_the_hashes_that_the_torrent_says() {
    let mut checked = 0;
    for (row, parsed) in torrents() {
        let Ok(meta) = parsed else { continue };
        let Some((parent, _)) = row["content"].rsplit_once('/') else {
            continue;
        };
        let mut content = Vec::new();
        for file in &meta.files {
            match file.kind {
                FileKind::Padding => content.resize(content.len() + file.length as usize, 0),
                _ => content.extend(read(&format!("{parent}/{}", file.path))),
            }
        }
        let pieces = content.chunks(meta.geometry.piece_length() as usize);
        let hashes: Vec<_> = pieces
            .map(|piece| PieceHash(Sha1::digest(piece).into()))
            .collect();
        assert_eq!(meta.hashes, hashes, "{}", row["file"]);
        checked += 1;
    }
    let with_content =
        |row: &&Row| row["expect_v1_only_client"] == "ok" && !row["content"].is_empty();
    assert_eq!(
        checked,
        table("EXPECT.tsv").iter().filter(with_content).count()
    );
}

#[test]
fn trackers_web_seeds_and_the_rest_are_those_of_the_table() {
    let known: BTreeMap<String, Metainfo> = torrents()
        .into_iter()
        .filter_map(|(row, parsed)| Some((row["file"].clone(), parsed.ok()?)))
        .collect();
    let mut rows = 0;
    for line in String::from_utf8(read("META.jsonl")).unwrap().lines() {
        let row = Json::parse(line).unwrap();
        let file = row.get("file").text();
        let Some(meta) = known.get(file) else {
            continue;
        };
        let text = |key: &str| row.find(key).map(|value| unescape(value.text()));
        assert_eq!(meta.comment, text("comment"), "{file}");
        assert_eq!(meta.created_by, text("created by"), "{file}");
        let date = row.find("creation date").map(|date| date.number() as i64);
        assert_eq!(meta.creation_date, date, "{file}");
        let nodes = row.find("nodes").map_or(&[][..], Json::list).iter();
        let nodes: Vec<_> = nodes
            .map(|node| format!("{}:{}", node.list()[0].text(), node.list()[1].count()))
            .collect();
        assert_eq!(meta.nodes, nodes, "{file}");
        let seeds = row.find("url-list").map_or(Vec::new(), strings);
        assert_eq!(meta.web_seeds, once(seeds, &mut BTreeSet::new()), "{file}");
        let theirs = row.get("libtorrent_trackers").list().iter();
        let theirs: BTreeSet<&str> = theirs.map(|tracker| tracker.list()[1].text()).collect();
        let ours: BTreeSet<&str> = meta.trackers.iter().flatten().map(String::as_str).collect();
        assert_eq!(ours, theirs, "{file}");
        if let Some(Json::List(tiers)) = row.find("announce-list") {
            let mut seen = BTreeSet::new();
            let tiers = tiers.iter().map(|tier| once(strings(tier), &mut seen));
            let tiers: Vec<_> = tiers.filter(|tier| !tier.is_empty()).collect();
            assert_eq!(meta.trackers, tiers, "{file}");
        }
        rows += 1;
    }
    assert!(rows >= 50, "{rows}");
}

/// A string, or the strings of a list.
fn strings(value: &Json) -> Vec<String> {
    let one = |value: &Json| match value {
        Json::Text(text) => Some(unescape(text)),
        _ => None,
    };
    match value {
        Json::List(items) => items.iter().filter_map(one).collect(),
        value => one(value).into_iter().collect(),
    }
}

fn once(strings: Vec<String>, seen: &mut BTreeSet<String>) -> Vec<String> {
    let new = |string: &String| !string.is_empty() && seen.insert(string.clone());
    strings.into_iter().filter(new).collect()
}

#[test]
fn bencode_is_taken_or_refused_as_the_table_says() {
    for row in table("BENCODE.tsv") {
        let hex = row["hex"].as_bytes().chunks(2);
        let digits = hex.map(|pair| std::str::from_utf8(pair).unwrap());
        let text: Vec<u8> = digits
            .map(|pair| u8::from_str_radix(pair, 16).unwrap())
            .collect();
        let whole = bencode::decode(&text).is_ok_and(|(_, rest)| rest.is_empty());
        let outcome = if whole { "ok" } else { "reject" };
        let shown = text.escape_ascii();
        assert_eq!(outcome, row["strict_grammar"], "{shown}");
        assert!([outcome, "either"].contains(&&*row["expect"]), "{shown}");
    }
}

#[test]
fn twenty_thousand_files_and_two_hundred_thousand_pieces_are_read() {
    let file = |number: usize| {
        let path = [format!("folder {}", number / 100), format!("file {number}")];
        bencode::dict([
            ("length", bencode::int(163_840)),
            ("path", bencode::list(path.map(bencode::bytes))),
        ])
    };
    let info = bencode::dict([
        ("files", bencode::list((0..20_000).map(file))),
        ("name", bencode::bytes("many")),
        ("piece length", bencode::int(16_384)),
        ("pieces", bencode::bytes(vec![1; 20 * 200_000])),
    ]);
    let hash = InfoHash(Sha1::digest(&info).into());
    let meta = Metainfo::parse(&bencode::dict([("info", info)])).unwrap();
    assert_eq!(
        (meta.info_hash, meta.files.len(), meta.hashes.len()),
        (hash, 20_000, 200_000)
    );
    let last = &*meta.files[19_999].path;
    assert_eq!(last, "many/folder 199/file 19999");
}

/// Small torrents cut at every byte, and with every byte changed to what means something, or
/// nothing, in bencode.
#[test]
fn damaged_torrents_never_panic() {
    for row in table("EXPECT.tsv") {
        let whole = read(&row["file"]);
        if whole.len() > 400 {
            continue;
        }
        // Only what lies behind the dictionary can be missing.
        let dictionary = bencode::decode(&whole).map_or(0, |(_, rest)| whole.len() - rest.len());
        for cut in 0..whole.len() {
            let parsed = Metainfo::parse(&whole[..cut]);
            assert!(
                parsed.is_err() || cut >= dictionary,
                "{} cut to {cut}",
                row["file"]
            );
        }
        let mut damaged = whole.clone();
        for place in 0..whole.len() {
            for byte in *b"eil0/\xff" {
                damaged[place] = byte;
                if let Ok(meta) = Metainfo::parse(&damaged) {
                    assert_sound(&meta);
                }
            }
            damaged[place] = whole[place];
        }
    }
}

/// What the rest of the program relies on, whatever the torrent.
fn assert_sound(meta: &Metainfo) {
    assert_eq!(meta.hashes.len(), meta.geometry.pieces() as usize);
    let sum: u64 = meta.files.iter().map(|file| file.length).sum();
    assert!(sum == meta.geometry.size() && meta.size() > 0 && meta.size() <= sum);
    for file in real(meta) {
        let mut names = file.path.split('/');
        assert_eq!(names.next(), Some(&*meta.name));
        assert!(meta.single == names.clone().next().is_none());
        for name in names.chain([&*meta.name]) {
            assert!(!["", ".", ".."].contains(&name) && !name.contains(['/', '\0']));
        }
    }
}

/// What a `Value` says of itself agrees with the bytes it was read from.
#[test]
fn values_read_back_as_they_are_written() {
    fn encoded(value: Value<'_>) -> Vec<u8> {
        match value {
            Value::Int(number) => bencode::int(number),
            Value::Bytes(bytes) => bencode::bytes(bytes),
            Value::List(list) => bencode::list(list.iter().map(encoded)),
            Value::Dict(dict) => {
                let mut out = vec![b'd'];
                for (key, value) in dict.iter() {
                    out.extend(bencode::bytes(key));
                    out.extend(encoded(value));
                }
                out.push(b'e');
                out
            }
        }
    }
    for row in table("EXPECT.tsv") {
        let text = read(&row["file"]);
        if let Ok((value, rest)) = bencode::decode(&text) {
            assert!(
                encoded(value) == text[..text.len() - rest.len()],
                "{}",
                row["file"]
            );
        }
    }
}
