//! What `show` says of every torrent.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use crate::support::json::Json;
use crate::{Ended, Row, show, shown, strings, table, tables, taken, unescape};

#[test]
fn show_takes_or_refuses_as_the_table_says() {
    for row in table("EXPECT.tsv") {
        let file = &row["file"];
        for args in [&["--json"][..], &[]] {
            let Ended { code, out, err } = show(args, file);
            let outcome = match code {
                0 => "ok",
                3 => "reject",
                code => panic!("{file}: exit code {code}: {err}"),
            };
            let right = [&row["expect_v1_only_client"], &row["alt"]];
            assert!(
                right.iter().any(|right| *right == outcome),
                "{file}: {outcome}"
            );
            if outcome == "ok" {
                assert!(!out.is_empty() && err.is_empty(), "{file}: {err}");
                let odd = |letter: char| letter.is_control() && letter != '\n';
                assert!(!out.contains(odd), "{file}: {out:?}");
            } else {
                assert!(
                    out.is_empty() && err.lines().count() == 1,
                    "{file}: {out}{err}"
                );
                assert!(
                    err.starts_with("brooklet: ") && err.contains(file),
                    "{file}: {err}"
                );
                assert_eq!(
                    row["kind"] == "v2",
                    err.contains("v2-only"),
                    "{file}: {err}"
                );
            }
        }
    }
}

#[test]
fn show_says_what_the_table_says() {
    let mut files: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for row in table("FILES.tsv")
        .into_iter()
        .filter(|row| !row["kind"].starts_with("pad"))
    {
        files.entry(row["torrent"].clone()).or_default().push(row);
    }
    for row in taken() {
        let file = &row["file"];
        let shown = shown(file);
        // A sound first half of a broken hybrid: the table, which follows libtorrent, has no more
        // to say of it.
        if row["expect"] == "reject" {
            continue;
        }
        let count = |key: &str| shown.get(key).count().to_string();
        assert_eq!(shown.get("info_hash").text(), row["info_hash"], "{file}");
        assert_eq!(count("size"), row["size"], "{file}");
        assert_eq!(count("piece_length"), row["piece_length"], "{file}");
        assert_eq!(count("pieces"), row["pieces"], "{file}");
        assert_eq!(
            shown.get("private").is_true(),
            row["private"] == "1",
            "{file}"
        );
        if row["name_strict"] == "1" {
            assert_eq!(
                shown.get("name").text(),
                unescape(&row["raw_name"]),
                "{file}"
            );
        }
        let listed = shown.get("files").list();
        assert_eq!(listed.len().to_string(), row["files"], "{file}");
        for (entry, expected) in listed.iter().zip(&files[file]) {
            assert_eq!(
                entry.get("size").count().to_string(),
                expected["size"],
                "{file}"
            );
            if row["paths_strict"] == "1" {
                let path = Json::parse(&expected["raw_path"]).unwrap();
                let path: Vec<String> = path
                    .list()
                    .iter()
                    .map(|name| unescape(name.text()))
                    .collect();
                assert_eq!(entry.get("path").text(), path.join("/"), "{file}");
            }
        }
    }
}

#[test]
fn show_says_what_stands_beside_the_info() {
    let taken: BTreeSet<String> = taken().map(|row| row["file"].clone()).collect();
    let text = fs::read_to_string(tables().join("META.jsonl")).unwrap();
    let rows = text.lines().map(|line| Json::parse(line).unwrap());
    let rows = rows.filter(|row| taken.contains(row.get("file").text()));
    let mut walked = 0;
    for row in rows {
        let file = row.get("file").text();
        let shown = shown(file);
        let text = |key: &str| {
            row.find(key)
                .map_or(Json::Null, |text| Json::Text(unescape(text.text())))
        };
        assert_eq!(*shown.get("comment"), text("comment"), "{file}");
        assert_eq!(*shown.get("created_by"), text("created by"), "{file}");
        let date = row.find("creation date").unwrap_or(&Json::Null);
        assert_eq!(shown.get("creation_date"), date, "{file}");
        let nodes = row.find("nodes").map_or(&[][..], Json::list).iter();
        let nodes =
            nodes.map(|node| format!("{}:{}", node.list()[0].text(), node.list()[1].count()));
        assert_eq!(
            strings(shown.get("nodes")),
            nodes.collect::<Vec<_>>(),
            "{file}"
        );
        let seeds = once(
            row.find("url-list").map_or(Vec::new(), strings),
            &mut BTreeSet::new(),
        );
        assert_eq!(strings(shown.get("web_seeds")), seeds, "{file}");
        let tiers: Vec<_> = shown.get("trackers").list().iter().map(strings).collect();
        let theirs = row.get("libtorrent_trackers").list().iter();
        let theirs: BTreeSet<&str> = theirs.map(|tracker| tracker.list()[1].text()).collect();
        assert_eq!(
            tiers
                .iter()
                .flatten()
                .map(String::as_str)
                .collect::<BTreeSet<_>>(),
            theirs,
            "{file}"
        );
        if let Some(Json::List(expected)) = row.find("announce-list") {
            let mut seen = BTreeSet::new();
            let expected = expected.iter().map(|tier| once(strings(tier), &mut seen));
            let expected: Vec<_> = expected.filter(|tier| !tier.is_empty()).collect();
            assert_eq!(tiers, expected, "{file}");
        }
        walked += 1;
    }
    assert!(walked >= 45, "{walked}");
}

/// Without what is empty or was seen before.
fn once(strings: Vec<String>, seen: &mut BTreeSet<String>) -> Vec<String> {
    let new = |string: &String| !string.is_empty() && seen.insert(string.clone());
    strings.into_iter().filter(new).collect()
}

#[test]
fn standard_input_is_a_torrent_too() {
    let file = "torrents/wt_leaves.torrent";
    let torrent = fs::File::open(tables().join(file)).unwrap();
    let piped = Command::new(env!("CARGO_BIN_EXE_brooklet"))
        .args(["show", "--json", "-"])
        .stdin(torrent)
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&piped.stdout),
        show(&["--json"], file).out
    );
}
