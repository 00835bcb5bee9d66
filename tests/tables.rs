//! The program beside the tables of `testdata/torrents` (its README explains them), every row: what `show` says, what `check` finds, and
//! that `create` comes to the same info hash as mktorrent and libtorrent.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use support::child::{Child, Stream, brooklet};
use support::content::Content;
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
        let shown = Json::parse(show(&["--json"], file).out.trim_end()).unwrap();
        // A sound first half of a broken hybrid: the table, which follows libtorrent, has no more to say of it.
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
        let shown = Json::parse(show(&["--json"], file).out.trim_end()).unwrap();
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

/// Without what is empty or was seen before.
fn once(strings: Vec<String>, seen: &mut BTreeSet<String>) -> Vec<String> {
    let new = |string: &String| !string.is_empty() && seen.insert(string.clone());
    strings.into_iter().filter(new).collect()
}

fn check(dir: &Path, torrent: &str) -> Ended {
    run(brooklet(None)
        .arg("check")
        .arg("-d")
        .arg(dir)
        .arg(tables().join(torrent)))
}

/// Each torrent that has content, in a folder of its own: the torrent, its row, and the paths of its files with their sizes.
fn with_content() -> Vec<(Dir, Row, Vec<(PathBuf, u64)>)> {
    let rows = taken().filter(|row| !row["content"].is_empty());
    rows.map(|row| {
        let dir = Dir::new();
        let shown = Json::parse(show(&["--json"], &row["file"]).out.trim_end()).unwrap();
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

#[test]
fn check_finds_whole_content_whole() {
    let all = with_content();
    assert!(all.len() >= 12, "{}", all.len());
    for (dir, row, files) in all {
        let Ended { code, out, err } = check(&dir, &row["file"]);
        assert_eq!(code, 0, "{}: {out}{err}", row["file"]);
        let lines: Vec<&str> = out.lines().collect();
        let expected: Vec<String> = files
            .iter()
            .map(|(path, _)| format!("ok         {}", path.display()))
            .collect();
        assert_eq!(lines, expected, "{}", row["file"]);
        assert_eq!(err, "", "{}", row["file"]);
    }
}

#[test]
fn check_finds_every_kind_of_damage() {
    for (dir, row, files) in with_content() {
        let torrent = &row["file"];
        for (place, (path, size)) in files.iter().enumerate() {
            let whole = fs::read(dir.join(path)).unwrap();
            let middle = (*size / 2) as usize;
            let mut flipped = whole.clone();
            flipped[middle] ^= 0x10;
            let longer = [&whole[..], b"x"].concat();
            for (word, content) in [
                ("damaged", Some(&flipped[..])),
                ("short", Some(&whole[..middle])),
                ("long", Some(&longer)),
                ("missing", None),
            ] {
                fs::remove_file(dir.join(path)).unwrap();
                if let Some(content) = content {
                    fs::write(dir.join(path), content).unwrap();
                }
                let Ended { code, out, err } = check(&dir, torrent);
                let said = format!("{torrent}: {}: {word}: {out}{err}", path.display());
                assert_eq!(code, 4, "{said}");
                let line = out.lines().nth(place).unwrap();
                assert!(
                    line.starts_with(word) && line.contains(path.to_str().unwrap()),
                    "{said}"
                );
                assert_eq!(out.lines().count(), files.len(), "{said}");
                assert!(
                    err.starts_with("brooklet: ") && err.lines().count() == 1,
                    "{said}"
                );
            }
            fs::write(dir.join(path), whole).unwrap();
            // One file of many is enough where there are dozens.
            if files.len() > 10 && place >= 2 {
                break;
            }
        }
        assert_eq!(check(&dir, torrent).code, 0, "{torrent}: whole again");
    }
}

#[test]
fn check_of_nothing_is_all_missing() {
    let dir = Dir::new();
    for row in taken() {
        let Ended { code, out, err } = check(&dir.join("no such folder"), &row["file"]);
        assert_eq!(code, 4, "{}: {out}{err}", row["file"]);
        assert!(
            out.lines().all(|line| line.starts_with("missing ")),
            "{}: {out}",
            row["file"]
        );
    }
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

/// Runs `create` in a folder of its own; the info hash that it printed, and the torrent.
fn create(args: &[&str], path: &Path) -> (String, Vec<u8>) {
    let dir = Dir::new();
    let output = dir.join("out.torrent");
    let ended = run(brooklet(None)
        .arg("create")
        .args(args)
        .arg("-o")
        .arg(&output)
        .arg(path));
    assert_eq!(ended.code, 0, "{}: {}", path.display(), ended.err);
    let lines: Vec<&str> = ended.out.lines().collect();
    let [hash, link] = lines[..] else {
        panic!("{}", ended.out);
    };
    assert!(
        link.starts_with(&format!("magnet:?xt=urn:btih:{hash}&dn=")),
        "{link}"
    );
    let shown = run(brooklet(None).args(["show", "--json"]).arg(&output));
    let shown = Json::parse(shown.out.trim_end()).unwrap();
    assert_eq!(shown.get("info_hash").text(), hash);
    (String::from(hash), fs::read(output).unwrap())
}

/// The torrents of the tables whose files stand in the order that we would choose.
#[test]
fn create_makes_the_torrents_of_the_tables_again() {
    let mut same = 0;
    for (dir, row, files) in with_content() {
        let sorted = files.is_sorted_by_key(|(path, _)| path.to_str().unwrap().to_owned());
        let plain = sorted && row["kind"] == "v1" && row["files"] == row["files_with_pads"];
        // What no option of ours puts there: file attributes, a source, a set of sums.
        let extra = ["attr", "source", "md5sum", "sha1", "collections", "private"];
        let text = fs::read(tables().join(&row["file"])).unwrap();
        let holds = |key: &&str| {
            let key = format!("{}:{key}", key.len()).into_bytes();
            text.windows(key.len()).any(|part| part == key)
        };
        let private = row["private"] == "1";
        if !plain
            || extra
                .iter()
                .any(|key| holds(key) && !(*key == "private" && private))
        {
            continue;
        }
        let mut args = vec!["--piece-length", &row["piece_length"]];
        args.extend(private.then_some("--private"));
        let root = files[0].0.components().next().unwrap();
        assert_eq!(
            create(&args, &dir.join(root)).0,
            row["info_hash"],
            "{}",
            row["file"]
        );
        same += 1;
    }
    assert!(same >= 5, "{same}");
}

/// Sources whose names sort oddly, with links and an empty file, and a single file; each with a piece length and `private` or not.
fn sources(dir: &Dir) -> Vec<(PathBuf, u32, bool)> {
    let odd = [
        "a/x", "a/b/y", "a.b/r", "a b/t", "a-z", "A/q", "B", "é", "n10", "n2", ".hidden", "foo~",
        "empty",
    ];
    let sizes = odd.map(|name| {
        (
            name,
            if name == "empty" {
                0
            } else {
                1_000 + name.len() * 7_919
            },
        )
    });
    let content = Content::folder(1, "odd", &sizes);
    content.write(dir);
    std::os::unix::fs::symlink("a/x", dir.join("odd/link")).unwrap();
    std::os::unix::fs::symlink("a", dir.join("odd/folder link")).unwrap();
    Content::awkward(2, 1 << 18).write(dir);
    Content::file(3, "one ünï.bin", 3 << 20).write(dir);
    let awkward = Content::awkward(2, 0).name;
    vec![
        (dir.join("odd"), 15, false),
        (dir.join("odd"), 18, true),
        (dir.join(awkward), 18, false),
        (dir.join("one ünï.bin"), 16, false),
        (dir.join("one ünï.bin"), 24, true),
        (tables().join("content/resources"), 15, false),
    ]
}

#[test]
fn create_agrees_with_mktorrent() {
    if !support::installed(&["mktorrent"]) {
        return;
    }
    let dir = Dir::new();
    for (path, power, private) in sources(&dir) {
        let output = dir.join("theirs.torrent");
        let mut theirs = Command::new("mktorrent");
        theirs.args([
            "-a",
            "http://tracker.invalid/announce",
            "-d",
            "-l",
            &power.to_string(),
        ]);
        theirs
            .args(private.then_some("-p"))
            .arg("-o")
            .arg(&output)
            .arg(&path);
        assert!(theirs.output().unwrap().status.success(), "{theirs:?}");
        let shown = run(brooklet(None).args(["show", "--json"]).arg(&output));
        let shown = Json::parse(shown.out.trim_end()).unwrap();
        let length = (1_u32 << power).to_string();
        let mut args = vec![
            "--no-date",
            "--tracker",
            "http://tracker.invalid/announce",
            "--piece-length",
            &length,
        ];
        args.extend(private.then_some("--private"));
        let (hash, _) = create(&args, &path);
        assert_eq!(hash, shown.get("info_hash").text(), "{}", path.display());
        fs::remove_file(output).unwrap();
    }
}

/// libtorrent lists a folder as the file system does, so it is told the files in order; see `storage::create`.
#[test]
fn create_agrees_with_libtorrent() {
    const SCRIPT: &str = "
import libtorrent, os, sys
path, power, private = sys.argv[1], int(sys.argv[2]), sys.argv[3] == 'true'
files = libtorrent.file_storage()
if os.path.isfile(path):
    files.add_file(os.path.basename(path), os.path.getsize(path))
else:
    found = [os.path.join(top, name) for top, _, names in os.walk(path, followlinks=True) for name in names]
    for name in sorted(found, key=lambda name: os.fsencode(name)):
        files.add_file(os.path.relpath(name, os.path.dirname(path)), os.path.getsize(name))
torrent = libtorrent.create_torrent(files, 1 << power, 64)
torrent.set_priv(private)
libtorrent.set_piece_hashes(torrent, os.path.dirname(path))
print(libtorrent.torrent_info(torrent.generate()).info_hash())
";
    let python = "/usr/bin/python3";
    let found = Command::new(python)
        .args(["-c", "import libtorrent"])
        .output();
    if !found.is_ok_and(|done| done.status.success()) {
        return support::skip("libtorrent's Python module is not installed (see tests/setup.sh)");
    }
    let dir = Dir::new();
    for (path, power, private) in sources(&dir) {
        let mut theirs = Command::new(python);
        theirs
            .args(["-c", SCRIPT])
            .arg(&path)
            .args([power.to_string(), private.to_string()]);
        let done = theirs.output().unwrap();
        let theirs = String::from_utf8(done.stdout).unwrap();
        let length = (1_u32 << power).to_string();
        let mut args = vec!["--piece-length", &length];
        args.extend(private.then_some("--private"));
        let said = String::from_utf8_lossy(&done.stderr);
        assert_eq!(
            create(&args, &path).0,
            theirs.trim(),
            "{}: {said}",
            path.display()
        );
    }
}

#[test]
fn create_refuses_what_no_torrent_can_hold() {
    use std::os::unix::ffi::OsStrExt as _;
    let dir = Dir::new();
    let refused = |path: &Path, args: &[&str], code: i32, what: &str| {
        let ended = run(brooklet(None)
            .arg("create")
            .args(args)
            .arg("-o")
            .arg(dir.join("never"))
            .arg(path));
        let said = format!("{}: {}{}", path.display(), ended.out, ended.err);
        assert_eq!(ended.code, code, "{said}");
        let last = ended.err.lines().last().unwrap();
        assert!(
            last.starts_with("brooklet: ") && last.contains(what),
            "{said}"
        );
        assert!(
            ended.out.is_empty() && !dir.join("never").exists(),
            "{said}"
        );
    };
    let latin1 = std::ffi::OsStr::from_bytes(b"caf\xe9");
    dir.file(Path::new("latin").join(latin1), "x");
    refused(&dir.join("latin"), &[], 1, "not UTF-8");
    dir.file("back/slash\\es", "x");
    refused(&dir.join("back"), &[], 1, "backslash");
    refused(&dir.folder("empty/folders/only"), &[], 1, "no bytes");
    refused(&dir.file("nothing", ""), &[], 1, "no bytes");
    refused(&dir.join("nowhere"), &[], 1, "nowhere: no such file");
    dir.file("broken/fine", "x");
    std::os::unix::fs::symlink("gone", dir.join("broken/link")).unwrap();
    refused(&dir.join("broken"), &[], 1, "link: no such file");
    dir.file("loop/a/fine", "x");
    std::os::unix::fs::symlink("..", dir.join("loop/a/up")).unwrap();
    refused(&dir.join("loop"), &[], 1, "up: this link leads back");
    let fine = dir.file("fine", "x");
    for length in ["0", "1000", "8K", "24K", "32M", "-1", "x"] {
        refused(&fine, &["--piece-length", length], 2, "power of two");
    }
    for url in [
        "",
        "x",
        "://",
        "http://",
        "http://a b",
        "file:///etc/passwd",
    ] {
        refused(&fine, &["--tracker", url], 2, "expected a URL");
    }
    let own = run(brooklet(None).arg("create").arg(&*dir).arg("-o").arg(&fine));
    assert_eq!(
        (own.code, fs::read(&fine).unwrap()),
        (1, b"x".to_vec()),
        "{}",
        own.err
    );
}

#[test]
fn create_puts_in_what_it_is_told() {
    let dir = Dir::new();
    let path = dir.file("content", vec![7; 100_000]);
    let args = [
        "--tracker",
        "http://a.invalid/announce",
        "--tracker",
        "udp://b.invalid:1/announce",
        "--private",
        "--web-seed",
        "https://c.invalid/content",
        "--comment",
        "żółć",
        "--no-date",
    ];
    let (_, text) = create(&args, &path);
    assert_eq!(
        text,
        create(&args, &path).1,
        "without a date nothing changes"
    );
    let file = dir.file("t.torrent", text);
    let shown = Json::parse(
        run(brooklet(None).args(["show", "--json"]).arg(&file))
            .out
            .trim_end(),
    )
    .unwrap();
    let tiers: Vec<_> = shown.get("trackers").list().iter().map(strings).collect();
    assert_eq!(
        tiers,
        [
            ["http://a.invalid/announce"],
            ["udp://b.invalid:1/announce"]
        ]
    );
    assert_eq!(
        strings(shown.get("web_seeds")),
        ["https://c.invalid/content"]
    );
    assert_eq!(
        (shown.get("comment").text(), shown.get("creation_date")),
        ("żółć", &Json::Null)
    );
    assert!(shown.get("private").is_true());
    assert!(shown.get("created_by").text().starts_with("brooklet"));
    assert_eq!(shown.get("piece_length").count(), 16_384);
    let Ended { code, out, .. } = run(brooklet(None).arg("check").arg("-d").arg(&*dir).arg(&file));
    assert_eq!((code, out.as_str()), (0, "ok         content\n"));
    let (_, dated) = create(&[], &path);
    assert!(dated.windows(13).any(|part| part == b"creation date"));
}

/// By default the torrent lies where one stands, under the content's name.
#[test]
fn create_names_the_torrent_after_the_content() {
    let dir = Dir::new();
    dir.file("deep/photos/1.jpg", "x");
    for path in ["deep/photos", "deep/photos/", "./deep/photos/."] {
        let done = Command::new(env!("CARGO_BIN_EXE_brooklet"))
            .arg("create")
            .arg(path)
            .current_dir(&*dir)
            .output()
            .unwrap();
        assert!(done.status.success(), "{path}");
        fs::remove_file(dir.join("photos.torrent")).unwrap();
    }
    let inside = Command::new(env!("CARGO_BIN_EXE_brooklet"))
        .args(["create", "."])
        .current_dir(dir.join("deep/photos"))
        .output()
        .unwrap();
    assert!(inside.status.success() && dir.join("deep/photos/photos.torrent").exists());
}
