//! Content that does not lie where one looks first, and parts of it.

use std::fs;
use std::path::Path;

use crate::support::bench::{Bench, SOON, checked};
use crate::support::child::{Child, Stream, brooklet};
use crate::support::content::Content;
use crate::support::dir::Dir;
use crate::support::json::Json;
use crate::support::peer::{Manners, Peer};
use crate::support::torrent::Torrent;

/// Three files in pieces of 16 KiB: the second begins and ends on a piece.
fn album(dir: &Path) -> Torrent {
    let content = Content::folder(7, "album", &[("a", 32_768), ("b", 16_384), ("c/d", 20_000)]);
    let torrent = Torrent::new(content, 16_384);
    torrent.write(&dir.join("t.torrent"), &[]);
    torrent
}

/// Runs `check` in this folder: its exit code, and its two streams.
fn check(dir: &Path, args: &[&str]) -> (i32, String, String) {
    let mut command = brooklet(None);
    command.arg("check").args(args).current_dir(dir);
    let mut child = Child::spawn("check", &mut command);
    let code = child.code(SOON);
    (code, child.text(Stream::Out), child.text(Stream::Err))
}

#[test]
fn content_is_found_beside_the_torrent_and_in_the_folder_itself() {
    let dir = Dir::new();
    let torrent = album(&dir);
    torrent.content.write(&dir.folder("beside"));
    fs::copy(dir.join("t.torrent"), dir.join("beside/t.torrent")).unwrap();
    fs::copy(dir.join("t.torrent"), dir.join("beside/album/t.torrent")).unwrap();
    torrent.content.write(&dir.folder("store"));
    fs::rename(dir.join("store/album"), dir.join("store/renamed")).unwrap();
    dir.folder("empty");
    for (args, place) in [
        (&["t.torrent", "-d", "beside"][..], None),
        (&["beside/t.torrent"], Some("beside/album")),
        (&["beside/t.torrent", "-d", "empty"], Some("beside/album")),
        (
            &["beside/t.torrent", "-d", "no such folder"],
            Some("beside/album"),
        ),
        (&["beside/album/t.torrent"], Some("beside/album")),
        (&["t.torrent", "-d", "beside/album"], Some("beside/album")),
        (&["t.torrent", "-d", "store/renamed"], Some("store/renamed")),
    ] {
        let (code, out, err) = check(&dir, args);
        assert_eq!(code, 0, "{args:?}: {out}{err}");
        assert_eq!(
            err.lines().count(),
            usize::from(place.is_some()),
            "{args:?}: {err}"
        );
        assert!(err.contains(place.unwrap_or_default()), "{args:?}: {err}");
        assert_eq!(
            check(&dir, &[args, &["-q"]].concat()),
            (0, String::new(), String::new())
        );
        let mut seed = brooklet(None);
        seed.arg("seed").args(args).current_dir(&*dir);
        seed.args([
            "--json",
            "-p",
            "0",
            "--bind",
            "127.0.0.1",
            "--state",
            "state",
        ]);
        let mut seed = Child::spawn("seed", &mut seed);
        assert_eq!(checked(&mut seed), 5, "{args:?}");
        seed.signal("INT");
        assert_eq!(seed.code(SOON), 130);
    }
    // A torrent that is named without its folder lies in the current one.
    for args in [
        &["t.torrent", "-d", "../empty"][..],
        &["t.torrent", "-d", "nothing"],
    ] {
        let (code, out, err) = check(&dir.join("beside"), args);
        assert_eq!(code, 0, "{args:?}: {out}{err}");
        assert!(err.contains("using ./album"), "{args:?}: {err}");
    }
    // One file, by its own path.
    let film = Content::file(8, "film", 40_000);
    film.write(&dir.folder("films"));
    fs::rename(dir.join("films/film"), dir.join("films/other name")).unwrap();
    Torrent::new(film, 16_384).write(&dir.join("film.torrent"), &[]);
    let (code, out, err) = check(&dir, &["film.torrent", "-d", "films/other name"]);
    assert_eq!(code, 0, "{out}{err}");
    // A folder that holds nothing of it is none.
    let (code, _, err) = check(&dir, &["t.torrent", "-d", "films"]);
    assert_eq!((code, err.lines().count()), (4, 1), "{err}");
}

#[test]
fn a_seed_of_nothing_ends_with_4() {
    let bench = Bench::new(9, 200_000);
    let mut seed = bench.run("seed", &[]);
    assert_eq!(seed.code(SOON), 4);
    let said = seed.text(Stream::Err);
    assert!(said.contains("nothing of it is in"), "{said}");
    assert_eq!(
        seed.event("error", SOON)
            .get("message")
            .text()
            .lines()
            .count(),
        1
    );
    // A file of the right name and length, and not one piece of it.
    fs::write(bench.content().join("content.bin"), [0; 200_000]).unwrap();
    let mut seed = bench.run("seed", &[]);
    assert_eq!(seed.code(SOON), 4);
    let said = seed.text(Stream::Err);
    let last = said.lines().last().unwrap();
    assert!(last.contains("nothing to seed"), "{said}");
}

#[test]
fn check_sums_up_in_three_ways() {
    let dir = Dir::new();
    let torrent = album(&dir);
    torrent.content.write(&dir);
    let mut bytes = fs::read(dir.join("album/b")).unwrap();
    bytes[5] ^= 1;
    fs::write(dir.join("album/b"), bytes).unwrap();
    let (code, out, err) = check(&dir, &["t.torrent"]);
    let table = "ok         album/a\n\
                 damaged    album/b: 1 of 1 pieces\n\
                 ok         album/c/d\n\
                 sum        2 of 3 files whole, 4 of 5 pieces, 51.5 of 67.5 KiB\n";
    assert_eq!((code, &*out), (4, table), "{err}");
    assert_eq!(err.lines().count(), 1, "{err}");
    let (code, out, quiet) = check(&dir, &["t.torrent", "-q"]);
    assert_eq!((code, &*out, quiet), (4, "", err));
    let (code, out, _) = check(&dir, &["t.torrent", "--json"]);
    assert_eq!(code, 4);
    let object = Json::parse(out.trim_end()).unwrap();
    assert_eq!(object.get("info_hash").text(), torrent.hex());
    assert!(!object.get("whole").is_true());
    let numbers = ["size", "done", "pieces", "have"].map(|key| object.get(key).count());
    assert_eq!(numbers, [69_152, 52_768, 5, 4]);
    let files = object.get("files").list().iter();
    let states: Vec<_> = files
        .map(|file| (file.get("path").text(), file.get("state").text()))
        .collect();
    let expected = [
        ("album/a", "ok"),
        ("album/b", "damaged"),
        ("album/c/d", "ok"),
    ];
    assert_eq!(states, expected);
}

#[test]
fn check_looks_at_the_chosen_files_alone() {
    let dir = Dir::new();
    let torrent = album(&dir);
    torrent.content.write(&dir);
    fs::remove_file(dir.join("album/a")).unwrap();
    let (code, out, err) = check(&dir, &["t.torrent", "--files", "2-"]);
    let table = "ok         album/b\n\
                 ok         album/c/d\n\
                 sum        2 of 2 files whole, 3 of 3 pieces, 35.5 KiB\n";
    assert_eq!((code, &*out, &*err), (0, table, ""));
    let (code, out, _) = check(&dir, &["t.torrent", "--files", "a", "--files", "d"]);
    assert_eq!((code, out.lines().count()), (4, 3), "{out}");
    assert_eq!(check(&dir, &["t.torrent", "--files", "9"]).0, 2);
}

/// Whoever chooses files is told of these, not of all the torrent holds.
#[test]
fn a_download_speaks_of_what_was_chosen() {
    let dir = Dir::new();
    let bench = Bench::of(album(&dir));
    let seed = Peer::start(&bench.torrent, Manners::default());
    let mut get = bench.get(&[seed.addr()], &["--files", "2"]);
    let start = get.event("start", SOON);
    assert_eq!(
        (start.get("size").count(), start.get("pieces").count()),
        (16_384, 1)
    );
    let checked = get.event("checked", SOON);
    assert_eq!(
        (checked.get("have").count(), checked.get("pieces").count()),
        (0, 1)
    );
    get.success(SOON);
    let said = get.text(Stream::Err);
    assert!(
        said.starts_with("album: 16.0 KiB, pieces: 1, port: "),
        "{said}"
    );
}
