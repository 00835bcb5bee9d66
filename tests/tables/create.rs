//! What `create` makes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::child::brooklet;
use crate::support::content::Content;
use crate::support::dir::Dir;
use crate::support::json::Json;
use crate::{Ended, run, strings, support, tables, with_content};

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

/// Sources whose names sort oddly, with links and an empty file, and a single file; each with a
/// piece length and `private` or not.
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

/// libtorrent lists a folder as the file system does, so it is told the files in order; see
/// `storage::create`.
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
    refused(&dir.folder("empty/folders/only"), &[], 1, "no bytes");
    refused(&dir.file("nothing", ""), &[], 1, "no bytes");
    refused(&dir.join("nowhere"), &[], 1, "nowhere: no such file");
    dir.file("broken/fine", "x");
    std::os::unix::fs::symlink("gone", dir.join("broken/link")).unwrap();
    let dangling = "link: a dangling symbolic link: there is no gone";
    refused(&dir.join("broken"), &[], 1, dangling);
    refused(&dir.join("broken/link"), &[], 1, dangling);
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
    let expected = "ok         content\n\
                    sum        1 of 1 file whole, 7 of 7 pieces, 97.7 KiB\n";
    assert_eq!((code, out.as_str()), (0, expected));
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

/// A link is followed here, as by mktorrent, and by nothing else: what it leads to is not seeded
/// from there.
#[test]
fn create_says_which_links_it_followed() {
    let dir = Dir::new();
    dir.file("else/where", "x");
    dir.file("photos/1.jpg", "x");
    for (to, link) in [
        ("../else/where", "photos/2.jpg"),
        ("../else", "photos/more"),
        ("photos", "mine"),
    ] {
        std::os::unix::fs::symlink(to, dir.join(link)).unwrap();
    }
    for (path, links) in [
        ("photos", &["photos/2.jpg", "photos/more"][..]),
        ("mine/", &["mine", "mine/2.jpg", "mine/more"]),
        ("else", &[]),
    ] {
        let output = dir.join(format!("{}.torrent", path.trim_end_matches('/')));
        let mut create = brooklet(None);
        let made = run(create
            .arg("create")
            .arg("-o")
            .arg(&output)
            .arg(dir.join(path)));
        assert_eq!(made.code, 0, "{}", made.err);
        let said = |link: &&str| {
            let link = dir.join(link);
            format!(
                "brooklet: {}: a symbolic link: followed, but not by seed and check",
                link.display()
            )
        };
        let mut heard: Vec<&str> = made.err.lines().collect();
        heard.retain(|line| line.contains("link"));
        assert_eq!(heard, links.iter().map(said).collect::<Vec<_>>(), "{path}");
        let check = run(brooklet(None)
            .arg("check")
            .arg("-d")
            .arg(&*dir)
            .arg(&output));
        assert_eq!(check.code, if links.is_empty() { 0 } else { 4 }, "{path}");
    }
}

/// A shell that lets no file grow, as a full disk does.
#[test]
fn a_torrent_that_cannot_be_written_leaves_what_was_there() {
    let dir = Dir::new();
    let content = dir.file("content", [1; 1000]);
    let output = dir.join("x.torrent");
    let create = |limit: &str| {
        let script = format!("ulimit -f {limit}; exec \"$0\" create --force -o \"$1\" \"$2\"");
        let program = env!("CARGO_BIN_EXE_brooklet");
        let mut shell = Command::new("sh");
        // A build that counts the lines that are run would say that it cannot write its count.
        shell.env("LLVM_PROFILE_FILE", "/dev/null");
        run(shell
            .args(["-c", &script, program])
            .args([&output, &content]))
    };
    for before in [None, Some("an older torrent")] {
        if let Some(text) = before {
            fs::write(&output, text).unwrap();
        }
        let ended = create("0");
        assert_eq!(ended.code, 1, "{}", ended.err);
        let line = format!("brooklet: {}: ", output.display());
        assert!(ended.err.starts_with(&line), "{}", ended.err);
        assert_eq!(ended.err.lines().count(), 1, "{}", ended.err);
        let names: Vec<_> = fs::read_dir(dir.join("")).unwrap().collect();
        assert_eq!(names.len(), 1 + usize::from(before.is_some()), "{names:?}");
        assert_eq!(fs::read_to_string(&output).ok().as_deref(), before);
    }
    // What is there is replaced, and what a link or a pipe leads to is written to.
    assert_eq!(create("unlimited").code, 0);
    let torrent = fs::read(&output).unwrap();
    assert!(torrent.starts_with(b"d"));
    fs::remove_file(&output).unwrap();
    std::os::unix::fs::symlink(dir.join("target"), &output).unwrap();
    assert_eq!(create("unlimited").code, 0);
    assert!(output.is_symlink() && fs::read(dir.join("target")).unwrap().starts_with(b"d"));
}
