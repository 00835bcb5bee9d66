//! Where `create` writes, what it leaves out, and what it tells.

use std::fs;
use std::path::Path;

use crate::support::child::{brooklet, command, command_as_nobody, copy_program};
use crate::support::dir::Dir;
use crate::support::json::Json;
use crate::{Ended, run};

/// Runs `create` in this folder.
fn create_in(dir: &Path, args: &[&str]) -> Ended {
    run(brooklet(None).arg("create").args(args).current_dir(dir))
}

/// A sparse file of a tebibyte: whoever hashes it first is still at it when patience ends.
fn tebibyte(dir: &Dir) {
    let big = fs::File::create(dir.join("big")).unwrap();
    big.set_len(1 << 40).unwrap();
}

#[test]
fn a_bad_place_is_found_before_anything_is_hashed() {
    let dir = Dir::new();
    tebibyte(&dir);
    dir.folder("folder");
    dir.file("file", "x");
    std::os::unix::fs::symlink("gone/far", dir.join("link")).unwrap();
    std::os::unix::fs::symlink("circle", dir.join("circle")).unwrap();
    let long = "n".repeat(256);
    for (output, why) in [
        ("missing/x.torrent", "there is no folder missing"),
        ("missing/", "there is no such folder"),
        ("file/x.torrent", "file is a file, not a folder"),
        ("file/x/y.torrent", "file/x: a part of it is a file"),
        ("folder", "this is a folder"),
        (".", "this is a folder"),
        ("file", "this file exists already"),
        ("link", "there is no folder gone"),
        ("circle", "something else is in the way"),
        (long.as_str(), "name too long"),
        ("big", "this file exists already"),
    ] {
        let ended = create_in(&dir, &["big", "-o", output]);
        let said = format!("-o {output}: {}", ended.err);
        assert_eq!(ended.code, 1, "{said}");
        let line = format!("brooklet: {output}: ");
        assert!(
            ended.err.starts_with(&line) && ended.err.contains(why),
            "{said}"
        );
        assert_eq!((ended.err.lines().count(), &*ended.out), (1, ""), "{said}");
    }
    let ended = create_in(&dir, &["big", "--force", "-o", "big"]);
    assert_eq!(ended.code, 1, "{}", ended.err);
    assert!(ended.err.contains("part of the content"), "{}", ended.err);
}

/// The superuser may do anything, so somebody else tries.
#[test]
fn what_may_not_be_written_or_read_is_found_before_anything_is_hashed() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = Dir::new();
    tebibyte(&dir);
    let allow = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let program = dir.join("brooklet");
    copy_program(env!("CARGO_BIN_EXE_brooklet"), &program);
    allow(&dir.folder("locked"), 0o555);
    allow(&dir.file("content/secret", "x"), 0o000);
    std::os::unix::fs::symlink("../big", dir.join("content/big")).unwrap();
    let superuser = fs::write(dir.join("locked/probe"), "").is_ok();
    for (content, output, what) in [
        (
            "big",
            "locked/x.torrent",
            "the folder locked: permission denied",
        ),
        ("content", "/dev/null", "content/secret: permission denied"),
    ] {
        let mut create = if superuser {
            command_as_nobody(None, &program)
        } else {
            command(None, &program)
        };
        create
            .args(["create", content, "-o", output])
            .current_dir(&*dir);
        let ended = run(&mut create);
        assert_eq!(ended.code, 1, "{}", ended.err);
        assert!(ended.err.contains(what), "{}", ended.err);
    }
}

#[test]
fn a_torrent_that_will_be_too_long_is_found_before_anything_is_hashed() {
    let dir = Dir::new();
    tebibyte(&dir);
    let ended = create_in(&dir, &["big", "--piece-length", "16K"]);
    assert_eq!(ended.code, 1, "{}", ended.err);
    assert!(ended.err.contains("larger --piece-length"), "{}", ended.err);
}

#[test]
fn a_file_is_replaced_by_force_alone() {
    let dir = Dir::new();
    dir.file("a", "one");
    dir.file("a.torrent", "something of the user's");
    std::os::unix::fs::symlink("a.torrent", dir.join("link")).unwrap();
    for args in [&["a"][..], &["a", "-o", "a.torrent"], &["a", "-o", "link"]] {
        let ended = create_in(&dir, args);
        assert_eq!(ended.code, 1, "{args:?}");
        assert!(ended.err.contains("--force"), "{}", ended.err);
        let kept = fs::read_to_string(dir.join("a.torrent")).unwrap();
        assert_eq!(kept, "something of the user's");
    }
    assert_eq!(create_in(&dir, &["a", "--force"]).code, 0);
    assert!(
        fs::read(dir.join("a.torrent"))
            .unwrap()
            .starts_with(b"d10:created")
    );
    let left: Vec<_> = fs::read_dir(&*dir).unwrap().collect();
    assert_eq!(left.len(), 3, "{left:?}");
}

/// The paths of the files of a torrent.
fn paths(dir: &Dir, torrent: &str) -> Vec<String> {
    let shown = run(brooklet(None)
        .args(["show", "--json"])
        .arg(dir.join(torrent)));
    let shown = Json::parse(shown.out.trim_end()).unwrap();
    let files = shown.get("files").list().iter();
    files
        .map(|file| file.get("path").text().to_string())
        .collect()
}

#[test]
fn a_torrent_never_holds_itself() {
    let dir = Dir::new();
    dir.file("photos/1.jpg", "one");
    let inside = dir.join("photos");
    let made = create_in(&inside, &["."]);
    assert_eq!(made.code, 0, "{}", made.err);
    let again = create_in(&inside, &["."]);
    assert_eq!(again.code, 1, "{}", again.err);
    let forced = create_in(&inside, &[".", "--force"]);
    assert_eq!((forced.code, &forced.out), (0, &made.out), "{}", forced.err);
    assert!(forced.err.contains("left out"), "{}", forced.err);
    assert_eq!(paths(&dir, "photos/photos.torrent"), ["photos/1.jpg"]);
    // What is no torrent is content, and stays.
    let content = create_in(&inside, &[".", "--force", "-o", "1.jpg"]);
    assert_eq!(content.code, 1, "{}", content.err);
    assert_eq!(fs::read(dir.join("photos/1.jpg")).unwrap(), b"one");
}

#[test]
fn what_is_excluded_is_left_out() {
    let dir = Dir::new();
    for name in [
        "a.txt",
        "b.tmp",
        "sub/c.tmp",
        "sub/d.txt",
        ".git/config",
        "sub/e[1].txt",
    ] {
        dir.file(Path::new("x").join(name), "1");
    }
    let all = [
        "x/.git/config",
        "x/a.txt",
        "x/b.tmp",
        "x/sub/c.tmp",
        "x/sub/d.txt",
        "x/sub/e[1].txt",
    ];
    for (exclude, left) in [
        (&[][..], &all[..]),
        (
            &["*.tmp", ".git"],
            &["x/a.txt", "x/sub/d.txt", "x/sub/e[1].txt"],
        ),
        (&["sub", ".*"], &["x/a.txt", "x/b.tmp"]),
        (
            &["sub/*.tmp", "x/.git"],
            &["x/a.txt", "x/b.tmp", "x/sub/d.txt", "x/sub/e[1].txt"],
        ),
        (&["sub/", ".git/"], &["x/a.txt", "x/b.tmp"]),
        (
            &["**/*.txt", "e[1].txt", ".git"],
            &["x/b.tmp", "x/sub/c.tmp"],
        ),
    ] {
        let mut args = vec!["x", "--force"];
        exclude
            .iter()
            .for_each(|glob| args.extend(["--exclude", glob]));
        let made = create_in(&dir, &args);
        assert_eq!(made.code, 0, "{exclude:?}: {}", made.err);
        assert_eq!(paths(&dir, "x.torrent"), left, "{exclude:?}");
    }
    let idle = create_in(&dir, &["x", "--force", "--exclude", "nothing"]);
    assert!(
        idle.err.contains("--exclude nothing: it matches nothing"),
        "{}",
        idle.err
    );
    let none = create_in(&dir, &["x", "-o", "none", "--exclude", "*"]);
    assert!(
        none.code == 1 && none.err.contains("no bytes"),
        "{}",
        none.err
    );
}

#[test]
fn what_was_made_is_told_in_three_ways() {
    let dir = Dir::new();
    dir.file("a", [9; 40_000]);
    let made = create_in(&dir, &["a", "--no-date"]);
    let (hash, link) = made.out.trim_end().split_once('\n').unwrap();
    let torrent = fs::read(dir.join("a.torrent")).unwrap();
    let quiet = create_in(&dir, &["a", "--no-date", "--force", "-q"]);
    assert_eq!((quiet.code, &*quiet.out, &*quiet.err), (0, &*made.out, ""));
    let json = create_in(&dir, &["a", "--no-date", "--force", "--json", "--quiet"]);
    let object = Json::parse(json.out.trim_end()).unwrap();
    assert_eq!(
        (object.get("info_hash").text(), object.get("magnet").text()),
        (hash, link)
    );
    assert_eq!(
        (object.get("torrent").text(), object.get("name").text()),
        ("a.torrent", "a")
    );
    let numbers = ["size", "piece_length", "pieces", "files"].map(|key| object.get(key).count());
    assert_eq!(numbers, [40_000, 16_384, 3, 1]);
    // The torrent itself, and nothing else.
    let script = r#""$0" create a --no-date -o - > piped"#;
    let mut shell = command(None, "sh");
    shell
        .args(["-c", script, env!("CARGO_BIN_EXE_brooklet")])
        .current_dir(&*dir);
    let piped = run(&mut shell);
    assert_eq!(
        (piped.code, fs::read(dir.join("piped")).unwrap()),
        (0, torrent)
    );
    assert!(
        piped.err.ends_with(&made.out) && !dir.join("-").exists(),
        "{}",
        piped.err
    );
    let both = create_in(&dir, &["a", "--json", "-o", "-"]);
    assert!(
        both.code == 2 && both.err.contains("standard output"),
        "{}",
        both.err
    );
    let full = r#""$0" create a -o - > /dev/full"#;
    let mut shell = command(None, "sh");
    shell
        .args(["-c", full, env!("CARGO_BIN_EXE_brooklet")])
        .current_dir(&*dir);
    let full = run(&mut shell);
    assert_eq!(
        (full.code, full.err.contains("the disk is full")),
        (1, true),
        "{}",
        full.err
    );
}
