//! The program beside the tables of `testdata/torrents` (its README explains them), every row: what
//! `show` says, what `check` finds, and that `create` comes to the same info hash as mktorrent and
//! libtorrent.

#[path = "../support/mod.rs"]
mod support;

mod check;
mod create;
mod names;
mod output;
mod show;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use support::child::{Child, Stream, brooklet};
use support::dir::Dir;
use support::json::Json;
use support::repository;

/// Nothing here takes a second; a hang is a failure, not an endless run.
const PATIENCE: Duration = Duration::from_secs(60);

type Row = BTreeMap<String, String>;

/// How a run ended: its exit code, and its two streams.
struct Ended {
    code: i32,
    out: String,
    err: String,
}

fn run(command: &mut Command) -> Ended {
    let mut child = Child::spawn("brooklet", command);
    let code = child.code(PATIENCE);
    let (out, err) = (child.text(Stream::Out), child.text(Stream::Err));
    Ended { code, out, err }
}

fn tables() -> PathBuf {
    repository("testdata/torrents")
}

/// The rows of a table, by the names of its columns.
fn table(name: &str) -> Vec<Row> {
    let text = fs::read_to_string(tables().join(name)).unwrap();
    let mut lines = text.lines().map(|line| line.split('\t').map(String::from));
    let columns: Vec<String> = lines.next().unwrap().collect();
    let rows: Vec<Row> = lines
        .map(|fields| columns.iter().cloned().zip(fields).collect())
        .collect();
    assert!(!rows.is_empty(), "{name}");
    rows
}

/// A text field of a table: `\\` and `\uNNNN` undone. (`\xNN` stands where no strict row has it.)
fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, escape)) = rest.split_once('\\') {
        out.push_str(before);
        let len = match escape.as_bytes()[0] {
            b'\\' => {
                out.push('\\');
                1
            }
            kind => {
                let len = if kind == b'u' { 5 } else { 3 };
                let code = u32::from_str_radix(&escape[1..len], 16).unwrap();
                out.push(char::from_u32(code).unwrap());
                len
            }
        };
        rest = &escape[len..];
    }
    out + rest
}

/// The rows whose torrent a client without BEP 52 must take.
fn taken() -> impl Iterator<Item = Row> {
    let rows = table("EXPECT.tsv").into_iter();
    rows.filter(|row| row["expect_v1_only_client"] == "ok" && row["alt"] == "-")
}

fn show(args: &[&str], file: &str) -> Ended {
    run(brooklet(None)
        .arg("show")
        .args(args)
        .arg(tables().join(file)))
}

/// What `show --json` says of a torrent of the tables.
fn shown(file: &str) -> Json {
    Json::parse(show(&["--json"], file).out.trim_end()).unwrap()
}

/// A string, or the strings of a list.
fn strings(value: &Json) -> Vec<String> {
    match value {
        Json::Text(text) => vec![unescape(text)],
        Json::List(items) => items
            .iter()
            .filter(|item| matches!(item, Json::Text(_)))
            .flat_map(strings)
            .collect(),
        _ => Vec::new(),
    }
}

/// A torrent whose content lies in a folder of its own: the folder, the torrent's row, the paths of
/// its files with their sizes.
type Sample = (Dir, Row, Vec<(PathBuf, u64)>);

/// Each torrent that has content, laid out.
fn with_content() -> Vec<Sample> {
    let rows = taken().filter(|row| !row["content"].is_empty());
    rows.map(|row| {
        let dir = Dir::new();
        let shown = shown(&row["file"]);
        let files = shown.get("files").list().iter().map(|file| {
            let path = PathBuf::from(file.get("path").text());
            fs::create_dir_all(dir.join(&path).parent().unwrap()).unwrap();
            fs::write(
                dir.join(&path),
                fs::read(tables().join("content").join(&path)).unwrap(),
            )
            .unwrap();
            (path, file.get("size").count())
        });
        let files: Vec<_> = files.collect();
        (dir, row, files)
    })
    .collect()
}
