//! What is given as a torrent by mistake: each is named as what it is, with what to do.

use std::path::Path;

use crate::support::bench::SOON;
use crate::support::child::{Child, Stream, brooklet};
use crate::support::content::Content;
use crate::support::dir::Dir;
use crate::support::json::Json;
use crate::support::torrent::Torrent;

/// How `show` ends in this folder: its exit code, and its line.
fn show(dir: &Path, torrent: &str) -> (i32, String) {
    let mut command = brooklet(None);
    let mut child = Child::spawn("show", command.args(["show", torrent]).current_dir(dir));
    let code = child.code(SOON);
    let said = child.text(Stream::Err);
    assert_eq!(said.lines().count(), usize::from(code != 0), "{said}");
    (code, said)
}

#[test]
fn every_other_kind_of_file_is_named() {
    let dir = Dir::new();
    let page = "\u{feff}\n<!DOCTYPE HTML>\n<html><body>log in</body></html>";
    for (name, content, what) in [
        ("page.torrent", page.as_bytes(), "a web page"),
        (
            "xhtml.torrent",
            b"<?xml version='1.0'?>\n<html xmlns=''/>",
            "a web page",
        ),
        ("rss.torrent", b"<?xml version='1.0'?><rss/>", "XML"),
        ("gz.torrent", b"\x1f\x8b\x08\0\0\0\0\0\0\x03", "gunzip"),
        ("zip.torrent", b"PK\x03\x04\x14\0", "unzip"),
        ("xz.torrent", b"\xfd7zXZ\0", "unxz"),
        ("zstd.torrent", b"\x28\xb5\x2f\xfd\x04", "unzstd"),
        ("bz2.torrent", b"BZh91AY", "bunzip2"),
        ("empty.torrent", b"", "empty"),
        ("blank.torrent", b"\n\n \n", "white space"),
        (
            "link.magnet",
            b"magnet:?xt=urn:btih:00",
            "neither 40 hexadecimal digits nor 32 of base32",
        ),
        ("url.txt", b"https://example.org/a.torrent\n", "URL"),
        ("error.torrent", b"{\"error\": \"not found\"}", "JSON"),
        ("film.mkv", b"\x1a\x45\xdf\xa3\x01\0", "some other file"),
        ("disk.iso", &[0; 40_000], "some other file"),
        ("notes.txt", b"hello", "some other file"),
    ] {
        dir.file(name, content);
        let (code, line) = show(&dir, name);
        assert_eq!(code, 3, "{line}");
        let start = format!("brooklet: {name}: ");
        assert!(line.starts_with(&start) && line.contains(what), "{line}");
    }
}

#[test]
fn what_was_meant_is_named_where_it_lies_beside() {
    let dir = Dir::new();
    let content = Content::file(1, "film.mkv", 40_000);
    content.write(&dir);
    Torrent::new(content, 16_384).write(&dir.join("film.mkv.torrent"), &[]);
    dir.folder("nothing here");
    dir.folder("one/sub");
    dir.file("one/x.torrent", "d");
    for (torrent, code, what) in [
        ("film.mkv", 3, "did you mean film.mkv.torrent?"),
        ("film", 1, "no such file or folder"),
        ("film.mkv.torren", 1, "did you mean film.mkv.torrent?"),
        ("one", 1, "did you mean one/x.torrent?"),
        ("nothing here", 1, "this is a folder"),
        (".", 1, "did you mean ./film.mkv.torrent?"),
        ("HTTPS://example.org/x.torrent", 2, "this build lacks https"),
        ("file:///etc/passwd", 2, "without file://"),
        ("magnet:?xt=urn:btih:00", 3, "neither 40 hexadecimal digits"),
        ("magnet:?xt=urn:btmh:1220aa", 3, "v2-only torrent (BEP 52)"),
        (&"ab".repeat(32), 3, "v2-only torrent (BEP 52)"),
    ] {
        let (ended, line) = show(&dir, torrent);
        assert_eq!(ended, code, "{line}");
        assert!(line.contains(what), "{line}");
    }
    assert_eq!(show(&dir, "film.mkv.torrent").0, 0);
}

/// What `show --json` prints of this source in this folder.
fn shown(dir: &Path, source: &str) -> String {
    let mut command = brooklet(None);
    let args = ["show", "--json", source];
    let mut child = Child::spawn("show", command.args(args).current_dir(dir));
    assert_eq!(child.code(SOON), 0, "{}", child.text(Stream::Err));
    child.text(Stream::Out)
}

#[test]
fn a_link_a_file_with_it_and_its_hash_are_the_same_torrent() {
    let dir = Dir::new();
    let hash = "d2474e86c95b19b8bcfdb92bc12c9d44667cfa36";
    let link = format!("magnet:?xt=urn:btih:{}", hash.to_uppercase());
    dir.file("link.magnet", format!("\n{link}\n"));
    let expected = shown(&dir, hash);
    assert!(expected.contains(hash), "{expected}");
    for source in [&link, "link.magnet", "2JDU5BWJLMM3RPH5XEV4CLE5IRTHZ6RW"] {
        assert_eq!(shown(&dir, source), expected, "{source}");
    }
    // A file of that name is what it is.
    dir.file(hash, "d");
    assert_eq!(show(&dir, hash).0, 3);
}

#[test]
fn a_name_with_spaces_that_was_not_quoted_is_noticed() {
    let dir = Dir::new();
    dir.file("my film.torrent", "d");
    let mut command = brooklet(None);
    command
        .args(["get", "my", "film.torrent"])
        .current_dir(&*dir);
    let mut child = Child::spawn("get", &mut command);
    assert_eq!(child.code(SOON), 2);
    let line = child.text(Stream::Err);
    assert!(line.contains("did you mean 'my film.torrent'?"), "{line}");
}

#[test]
fn a_link_whose_torrent_never_came_ends_as_that() {
    let dir = Dir::new();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = silent.local_addr().unwrap().to_string();
    let link = format!("magnet:?xt=urn:btih:{}&dn=n", "ab".repeat(20));
    let get = |options: &[&str]| {
        let mut command = brooklet(None);
        command.args([
            "get",
            &link,
            "--port",
            "0",
            "--bind",
            "127.0.0.1",
            "--no-dht",
        ]);
        command
            .args(["--peer", &addr, "--state", "state"])
            .args(options);
        Child::spawn("get", command.current_dir(&*dir))
    };
    let mut late = get(&["--timeout", "1s"]);
    assert_eq!(late.code(SOON), 1);
    let said = late.text(Stream::Err);
    assert!(
        said.contains("n: stopped (error) before peers have sent the torrent\n"),
        "{said}"
    );
    let last = said.lines().last().unwrap();
    let start = "brooklet: n: no progress for 1 s (--timeout): no peer is connected: ";
    assert!(last.starts_with(start), "{said}");
    assert!(!said.contains('%'), "{said}");
    let mut stopped = get(&[]);
    stopped.line("asking peers for the torrent", SOON);
    stopped.signal("TERM");
    assert_eq!(stopped.code(SOON), 143);
    let said = stopped.text(Stream::Err);
    assert!(
        said.contains("n: stopped (SIGTERM) before peers have sent the torrent\n"),
        "{said}"
    );
    assert!(!said.contains('%') && !dir.join("n").exists(), "{said}");
}

/// Each by its name, whatever came of the others.
#[test]
fn several_that_cannot_be_read_are_events_that_name_them() {
    let dir = Dir::new();
    dir.file("torn.torrent", "d4:info");
    let content = Content::file(1, "whole", 40_000);
    content.write(&dir);
    Torrent::new(content, 16_384).write(&dir.join("whole.torrent"), &[]);
    for with_it in [&["whole.torrent"][..], &[]] {
        let mut command = brooklet(None);
        command.args(["get", "--json", "--port", "0", "--bind", "127.0.0.1"]);
        command.args(["--no-dht", "--no-lsd", "--overwrite", "--state", "state"]);
        command.args(["torn.torrent", "none.torrent"]).args(with_it);
        let mut child = Child::spawn("get", command.current_dir(&*dir));
        assert_eq!(child.code(SOON), 1);
        let errors = child.events("error");
        let named = |name: &str| {
            let of = |event: &&Json| event.get("message").text().starts_with(name);
            errors.iter().filter(of).count()
        };
        assert_eq!((named("torn.torrent: "), named("none.torrent: ")), (1, 1));
    }
}
