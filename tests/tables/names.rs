//! Names that cannot be written as they stand, and content that lies under other names: every
//! command says the same of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use brooklet::wire::bencode::{bytes, dict, int, list};
use sha1::{Digest as _, Sha1};

use crate::support::bench::{Bench, SOON, checked, listening};
use crate::support::child::brooklet;
use crate::support::content::Content;
use crate::support::json::Json;
use crate::support::peer::{Manners, Peer};
use crate::support::torrent::Torrent;
use crate::{Ended, run};

const PIECE: usize = 16 * 1024;

/// A file of a torrent: its path, and that under `path.utf-8` if there is one.
type Entry<'a> = (&'a [&'a [u8]], Option<&'a str>);

/// A torrent of these files, the first of 20,000 bytes and each of the others a byte longer.
fn torrent(name: &[u8], utf8: Option<&str>, entries: &[Entry<'_>]) -> (Torrent, Vec<Vec<u8>>) {
    // A file of one byte again and again is not known to be the torrent's.
    let content = |place: usize| -> Vec<u8> {
        let byte = |at: usize| (b'a' + place as u8).wrapping_add((at % 7) as u8);
        (0..20_000 + place).map(byte).collect()
    };
    let contents: Vec<Vec<u8>> = (0..entries.len()).map(content).collect();
    let file = |(&(path, utf8), content): (&Entry<'_>, &Vec<u8>)| {
        let path = list(path.iter().map(|name| bytes(*name)));
        let twin = utf8.map(|name| ("path.utf-8", list([bytes(name)])));
        let fields = [("length", int(content.len() as i64)), ("path", path)];
        dict(fields.into_iter().chain(twin))
    };
    let all = contents.concat();
    let hashes: Vec<u8> = all.chunks(PIECE).flat_map(Sha1::digest).collect();
    let info = [
        ("files", list(entries.iter().zip(&contents).map(file))),
        ("name", bytes(name)),
        ("piece length", int(PIECE as i64)),
        ("pieces", bytes(hashes)),
    ];
    let info = dict(
        info.into_iter()
            .chain(utf8.map(|name| ("name.utf-8", bytes(name)))),
    );
    let torrent = Torrent {
        content: Content::file(0, "unused", 0),
        bytes: all,
        piece_length: PIECE,
        info_hash: Sha1::digest(&info).into(),
        info,
    };
    (torrent, contents)
}

/// Every file below a folder, with its bytes.
fn on_disk(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![dir.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}

fn check(bench: &Bench) -> Ended {
    let mut command = brooklet(None);
    command.arg("check").arg("-d").arg(bench.content());
    run(command.arg(bench.dir.join("torrent")))
}

fn shown(bench: &Bench, json: bool) -> String {
    let mut command = brooklet(None);
    command.arg("show").arg("-d").arg(bench.content());
    if json {
        command.arg("--json");
    }
    let Ended { code, out, err } = run(command.arg(bench.dir.join("torrent")));
    assert_eq!(code, 0, "{err}");
    out
}

/// The lines of `check` about files, without the last one.
fn without_sum(out: &str) -> String {
    let (files, _) = out.rsplit_once("sum  ").expect("a sum at the end");
    files.to_string()
}

/// Puts content under these paths.
fn lay(bench: &Bench, paths: &[&str], contents: &[Vec<u8>]) {
    for (path, content) in paths.iter().zip(contents) {
        bench.dir.file(Path::new("content").join(path), content);
    }
}

/// Neither `get` nor `seed` misses anything, and nothing more is on disk afterwards.
fn assert_all_there(bench: &Bench) {
    let before = on_disk(&bench.content());
    let Ended { code, out, err } = check(bench);
    assert_eq!(code, 0, "{out}{err}");
    let lines = without_sum(&out);
    assert!(lines.lines().all(|line| line.starts_with("ok ")), "{out}");
    let mut seed = bench.run("seed", &[]);
    assert_eq!(checked(&mut seed), u64::from(bench.torrent.pieces()));
    seed.kill();
    bench.get(&[], &[]).success(SOON);
    assert_eq!(on_disk(&bench.content()), before);
}

#[test]
fn names_that_cannot_be_written_are_the_same_for_every_command() {
    let long = "э".repeat(130) + ".mkv";
    let entries: [Entry<'_>; 13] = [
        (&[b"\xc9\xcf.txt"], None),
        (&[b"\xcf\xc2.txt"], None),
        (&[long.as_bytes()], None),
        (&[b"AC/DC.mp3"], None),
        (&[b"README"], None),
        (&[b"readme"], None),
        (&[b"a"], None),
        (&[b"a", b"b"], None),
        (&[b"twice"], None),
        (&[b"twice"], None),
        (&[b"back\\slash"], None),
        (&[b"%C9%CF.txt"], None),
        (&[b"p?.txt"], Some("pä.txt")),
    ];
    let (torrent, contents) = torrent(b"n\xe9", None, &entries);
    // The digits are the start of what `sha1sum` says of the long name.
    let cut = format!("n%E9/{}~99b93cf1.mkv", "э".repeat(121));
    let names = [
        "n%E9/%C9%CF.1.txt",
        "n%E9/%CF%C2.txt",
        &cut,
        "n%E9/AC%2FDC.mp3",
        "n%E9/README",
        "n%E9/readme",
        "n%E9/a.1",
        "n%E9/a/b",
        "n%E9/twice",
        "n%E9/twice.1",
        "n%E9/back\\slash",
        "n%E9/%C9%CF.txt",
        "n%E9/pä.txt",
    ];
    let bench = Bench::of(torrent);
    let json = Json::parse(shown(&bench, true).trim_end()).unwrap();
    assert_eq!(json.get("name").text(), "n%E9");
    assert_eq!(json.get("torrent_name").text(), "n\\xe9");
    let files = json.get("files").list();
    let paths: Vec<&str> = files.iter().map(|file| file.get("path").text()).collect();
    assert_eq!(paths, names);
    let why = |file: &Json| file.find("renamed").map(|why| why.text().to_owned());
    let renamed: Vec<usize> = (0..files.len())
        .filter(|&file| why(&files[file]).is_some())
        .collect();
    assert_eq!(renamed, [0, 1, 2, 3, 6, 9]);
    assert_eq!(why(&files[1]).as_deref(), Some("not UTF-8"));
    assert_eq!(files[1].get("torrent_path").text(), "\\xcf\\xc2.txt");
    assert_eq!(files[5].get("folded_path").text(), "n%E9/readme.1");
    let words = shown(&bench, false);
    for said in [
        "in the torrent:  n\\xe9 (not UTF-8)",
        "in the torrent: \\xcf\\xc2.txt (not UTF-8)",
    ] {
        assert!(words.contains(said), "{words}");
    }

    let seed = Peer::start(&bench.torrent, Manners::default());
    bench.get(&[seed.addr()], &[]).success(SOON);
    let expected: BTreeMap<String, Vec<u8>> = names
        .iter()
        .map(|&name| name.to_owned())
        .zip(contents)
        .collect();
    assert_eq!(on_disk(&bench.content()), expected);
    let lines: Vec<String> = names
        .iter()
        .map(|name| format!("ok         {name}\n"))
        .collect();
    assert_eq!(without_sum(&check(&bench).out), lines.concat());
    assert_all_there(&bench);
}

/// 06: the short file shares a piece with one of a name that no file system takes.
#[test]
fn a_file_beside_one_of_a_long_name_arrives() {
    let long = "э".repeat(130) + ".mkv";
    let (torrent, contents) = torrent(b"t", None, &[(&[long.as_bytes()], None), (&[b"s"], None)]);
    let bench = Bench::of(torrent);
    let seed = Peer::start(&bench.torrent, Manners::default());
    bench.get(&[seed.addr()], &["--files", "2"]).success(SOON);
    assert_eq!(on_disk(&bench.content())["t/s"], contents[1]);
    bench.get(&[seed.addr()], &[]).success(SOON);
    assert_all_there(&bench);
}

/// The names of libtorrent 2.0.8, as its `file_path` gives them.
#[test]
fn content_that_libtorrent_renamed_is_found() {
    let long = "э".repeat(130) + ".mkv";
    let entries: [Entry<'_>; 6] = [
        (&[b"README"], None),
        (&[b"readme"], None),
        (&[b"a\x01b"], None),
        (&["c\u{202e}d".as_bytes()], None),
        (&[long.as_bytes()], None),
        (&[b"caf\xe9.txt"], None),
    ];
    let cut = "t/".to_owned() + &"э".repeat(120) + ".mkv";
    let theirs = ["t/README", "t/readme.1", "t/a_b", "t/cd", &cut, "t/caf_xt"];
    let (torrent, contents) = torrent(b"t", None, &entries);
    let bench = Bench::of(torrent);
    lay(&bench, &theirs, &contents);
    assert_all_there(&bench);
    // What was begun goes on under the same names.
    fs::remove_file(bench.content().join("t/cd")).unwrap();
    // The end of the piece that it shares with the file before it is there, so that it is ours.
    bench.dir.file("content/t/a_b", &contents[2][..12_000]);
    let seed = Peer::start(&bench.torrent, Manners::default());
    bench.get(&[seed.addr()], &["--recheck"]).success(SOON);
    let found = on_disk(&bench.content());
    assert_eq!(found["t/a_b"], contents[2]);
    assert_eq!(found["t/c\u{202e}d"], contents[3]);
    assert!(seed.sent() < 5 * PIECE as u64, "{}", seed.sent());
}

#[test]
fn content_begun_under_the_name_beside_the_utf8_one_is_found() {
    let entries: [Entry<'_>; 2] = [(&[b"p?.txt"], Some("pä.txt")), (&[b"q?"], Some("qä"))];
    let (torrent, contents) = torrent(b"n?", Some("nä"), &entries);
    let bench = Bench::of(torrent);
    let json = Json::parse(shown(&bench, true).trim_end()).unwrap();
    assert_eq!(json.get("name").text(), "nä");
    assert_eq!(json.get("files").list()[0].get("path").text(), "nä/pä.txt");
    lay(&bench, &["n?/p?.txt"], &contents);
    let mut seed = bench.run("seed", &[]);
    assert_eq!(
        checked(&mut seed),
        1,
        "the second piece has bytes of both files"
    );
    seed.kill();
    // The rest belongs beside it.
    let seed = Peer::start(&bench.torrent, Manners::default());
    bench.get(&[seed.addr()], &[]).success(SOON);
    let found: Vec<String> = on_disk(&bench.content()).into_keys().collect();
    assert_eq!(found, ["n?/p?.txt", "n?/q?"]);
    assert_all_there(&bench);
}

/// Content that an older brooklet got has replacement characters in its names.
#[test]
fn content_under_replacement_characters_is_found() {
    let entries: [Entry<'_>; 2] = [(&[b"\xc9\xcf.txt"], None), (&[b"\xcf.txt"], None)];
    let (torrent, contents) = torrent(b"t\xe9", None, &entries);
    let bench = Bench::of(torrent);
    let theirs = ["t\u{fffd}/\u{fffd}\u{fffd}.txt", "t\u{fffd}/\u{fffd}.txt"];
    lay(&bench, &theirs, &contents);
    assert_all_there(&bench);
}

/// A name that another file of the torrent has is never taken for the old name of a missing one.
#[test]
fn a_file_of_the_torrent_is_not_taken_for_another() {
    let entries: [Entry<'_>; 2] = [(&[b"a\x01b"], None), (&[b"a_b"], None)];
    let (torrent, contents) = torrent(b"t", None, &entries);
    let bench = Bench::of(torrent);
    bench.dir.file("content/t/a_b", &contents[1][..20_000]);
    let Ended { code, out, .. } = check(&bench);
    assert_eq!(code, 4);
    assert!(out.starts_with("missing    t/a\\x01b\n"), "{out}");
}

#[test]
fn names_that_would_leave_the_folder_are_refused_by_every_command() {
    for name in ["", ".", "..", "../x", "a/../../x", "/etc/x", "a\0b"] {
        let (torrent, _) = torrent(b"t", None, &[(&[name.as_bytes()], None)]);
        let bench = Bench::of(torrent);
        for verb in ["get", "seed", "check", "show"] {
            let mut command = brooklet(None);
            command.arg(verb).arg("-d").arg(bench.content());
            let Ended { code, err, .. } = run(command.arg(bench.dir.join("torrent")));
            assert_eq!(code, 3, "{verb} {name:?}: {err}");
            assert!(err.contains("outside the download folder"), "{err}");
        }
        assert!(on_disk(&bench.content()).is_empty());
    }
}

#[test]
fn show_says_where_symbolic_links_lead() {
    let link = |name: &str, target: &[&str]| {
        dict([
            ("attr", bytes("l")),
            ("length", int(0)),
            ("path", list([bytes(name)])),
            ("symlink path", list(target.iter().map(bytes))),
        ])
    };
    let file = dict([("length", int(1)), ("path", list([bytes("a"), bytes("b")]))]);
    let links = [
        link("to", &["a", "b"]),
        link("folder", &["a"]),
        link("gone", &["a", "c"]),
    ];
    let info = dict([
        ("files", list([file].into_iter().chain(links))),
        ("name", bytes("t")),
        ("piece length", int(PIECE as i64)),
        ("pieces", bytes([7; 20])),
    ]);
    let bench = Bench::of(Torrent {
        content: Content::file(0, "unused", 0),
        bytes: vec![0],
        piece_length: PIECE,
        info_hash: Sha1::digest(&info).into(),
        info,
    });
    let words = shown(&bench, false);
    for line in [
        "t/a/b\n",
        "t/to -> t/a/b (symbolic link, not made)\n",
        "t/folder -> t/a (symbolic link, not made)\n",
        "t/gone -> t/a/c (dangling symbolic link, not made: the torrent has nothing there)\n",
    ] {
        assert!(words.contains(line), "{words}");
    }
    let json = Json::parse(shown(&bench, true).trim_end()).unwrap();
    let files = json.get("files").list();
    assert_eq!(files[1].get("symlink").text(), "a/b");
    assert!(files[0].find("symlink").is_none());
}

/// A backslash is a letter like others.
#[test]
fn a_backslash_comes_through_create_and_get() {
    let bench = Bench::new(1, 1);
    let source = bench.dir.folder("source/back\\slash");
    fs::write(source.join("a\\b"), "text").unwrap();
    fs::write(source.join("..\\c"), "more").unwrap();
    let torrent = bench.dir.join("torrent");
    fs::remove_file(&torrent).unwrap();
    let mut create = brooklet(None);
    create.arg("create").arg("-o").arg(&torrent).arg(&source);
    let Ended { code, err, .. } = run(&mut create);
    assert_eq!(code, 0, "{err}");
    assert!(shown(&bench, false).contains("back\\slash/a\\b"));

    let mut seeding = brooklet(None);
    seeding
        .arg("seed")
        .arg(&torrent)
        .arg("-d")
        .arg(bench.dir.join("source"));
    seeding.args(["--port", "0", "--bind", "127.0.0.1", "--json"]);
    seeding.arg("--state").arg(bench.dir.join("seed-state"));
    let mut seed = crate::support::child::Child::spawn("seed", &mut seeding);
    let addr = listening(&mut seed).to_string();
    bench.get(&[addr], &[]).success(SOON);
    let found = on_disk(&bench.content());
    let names: Vec<&str> = found.keys().map(String::as_str).collect();
    assert_eq!(names, ["back\\slash/..\\c", "back\\slash/a\\b"]);
    seed.kill();
}

/// The name of the torrent that is made, and of what is written meanwhile, are no longer than a
/// name may be.
#[test]
fn content_of_the_longest_name_becomes_a_torrent() {
    let bench = Bench::new(1, 1);
    let name = "ü".repeat(125) + ".mkv";
    assert_eq!(name.len(), 254);
    let content = bench.dir.file(Path::new("in").join(&name), "x");
    let out = bench.dir.folder("out");
    let mut create = brooklet(None);
    create.current_dir(&out).arg("create").arg(&content);
    let Ended { code, err, .. } = run(&mut create);
    assert_eq!(code, 0, "{err}");
    let made: Vec<String> = on_disk(&out).into_keys().collect();
    assert!(
        made[0].len() <= 255 && made[0].ends_with(".torrent"),
        "{made:?}"
    );
    let named = "n".repeat(247) + ".torrent";
    let mut create = brooklet(None);
    create
        .current_dir(&out)
        .args(["create", "-o", &named])
        .arg(&content);
    let Ended { code, err, .. } = run(&mut create);
    assert_eq!(code, 0, "{err}");
    assert!(on_disk(&out).contains_key(&named));
}

/// exfat-fuse folds capitals as the kernel's exFAT does.
#[test]
fn names_that_the_file_system_folds_are_two_files() {
    let Some(mount) = Mount::exfat() else { return };
    let entries: [Entry<'_>; 4] = [
        (&[b"README"], None),
        (&[b"readme"], None),
        (&[b"X"], None),
        (&[b"x", b"y"], None),
    ];
    let (torrent, contents) = torrent(b"t", None, &entries);
    let bench = Bench::of(torrent);
    let seed = Peer::start(&bench.torrent, Manners::default());
    let run_at = |verb: &str, options: &[&str]| {
        let mut command = brooklet(None);
        command.arg(verb).arg(bench.dir.join("torrent"));
        run(command.arg("-d").arg(&mount.at).args(options))
    };
    let state = bench.dir.join("state");
    let state = state.to_str().unwrap();
    let addr = seed.addr();
    let options = ["--state", state, "--port", "0", "--peer", &addr];
    let Ended { code, err, .. } = run_at("get", &options);
    assert_eq!(code, 0, "{err}");
    let names = ["t/README", "t/readme.1", "t/X.1", "t/x/y"];
    let expected: BTreeMap<String, Vec<u8>> = names
        .iter()
        .map(|&name| name.to_owned())
        .zip(contents)
        .collect();
    assert_eq!(on_disk(&mount.at), expected);
    let Ended { code, out, .. } = run_at("check", &[]);
    let lines: Vec<String> = names
        .iter()
        .map(|name| format!("ok         {name}\n"))
        .collect();
    assert_eq!((code, without_sum(&out)), (0, lines.concat()));
    let json = Json::parse(run_at("show", &["--json"]).out.trim_end()).unwrap();
    let files = json.get("files").list().iter();
    let shown: Vec<&str> = files.map(|file| file.get("path").text()).collect();
    assert_eq!(shown, names);
}

/// What exFAT does not take is said before anything is fetched, and keeps no other file away.
#[test]
fn names_that_the_file_system_does_not_take_are_known_beforehand() {
    let Some(mount) = Mount::exfat() else { return };
    let entries: [Entry<'_>; 3] = [(&[b"a"], None), (&[b"b?"], None), (&[b"c"], None)];
    let (torrent, contents) = torrent(b"t", None, &entries);
    let bench = Bench::of(torrent);
    let seed = Peer::start(&bench.torrent, Manners::default());
    let get = |files: &str| {
        let mut command = brooklet(None);
        command.arg("get").arg(bench.dir.join("torrent"));
        command.arg("-d").arg(&mount.at);
        command.arg("--state").arg(bench.dir.join("state"));
        command.args(["--port", "0", "--peer", &seed.addr(), "--files", files]);
        run(&mut command)
    };
    let Ended { code, err, .. } = get("1-3");
    assert_eq!(code, 1, "{err}");
    assert!(
        err.contains("t/b?: the file system does not take this name"),
        "{err}"
    );
    assert_eq!((seed.sent(), on_disk(&mount.at).len()), (0, 0));
    let Ended { code, err, .. } = get("1,3");
    assert_eq!(code, 0, "{err}");
    let found = on_disk(&mount.at);
    assert!(found["t/a"] == contents[0] && found["t/c"] == contents[2]);
}

/// An exFAT file system in a file, mounted as long as this lives.
struct Mount {
    dir: crate::support::dir::Dir,
    at: std::path::PathBuf,
    device: String,
}

impl Mount {
    /// `None`, and skipped, if that cannot be had here.
    fn exfat() -> Option<Mount> {
        use crate::support;
        let tools = ["losetup", "mkfs.exfat", "mount.exfat-fuse", "umount"];
        if !support::root() || !support::installed(&tools) {
            return None;
        }
        let dir = support::dir::Dir::new();
        let image = dir.file("image", vec![0; 16 << 20]);
        let done = |command: &mut std::process::Command| command.output().unwrap();
        let new = |program: &str| std::process::Command::new(program);
        let made = done(new("mkfs.exfat").arg(&image));
        assert!(made.status.success(), "{made:?}");
        let found = done(new("losetup").args(["-f", "--show"]).arg(&image));
        if !found.status.success() {
            support::skip("no loop device can be had");
            return None;
        }
        let device = String::from_utf8(found.stdout).unwrap().trim().to_owned();
        let at = dir.folder("mount");
        let mounted = done(new("mount.exfat-fuse").arg(&device).arg(&at));
        let mount = Mount { dir, at, device };
        if !mounted.status.success() {
            support::skip("exFAT cannot be mounted with FUSE");
            return None;
        }
        assert!(mount.dir.join("image").exists());
        Some(mount)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(&self.at).output();
        let detach = ["-d", &self.device];
        let _ = std::process::Command::new("losetup").args(detach).output();
    }
}
