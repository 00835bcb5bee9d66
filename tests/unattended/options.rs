//! The options that `run` has in common with `get` and `seed`: they hold for each of its torrents.

use std::fs;
use std::path::Path;

use super::run::{Run, SOON, one, wait};
use super::support::child::{Child, brooklet};
use super::support::content::Content;
use super::support::dir::Dir;
use super::support::json::Json;
use super::support::torrent::Torrent;

/// Nobody is found but who is named.
const ALONE: [&str; 4] = ["--no-trackers", "--no-dht", "--no-lsd", "--no-pex"];

/// A seed of these torrents, and where it listens.
fn seed(dir: &Path, torrents: &[&Torrent]) -> (Child, String) {
    let mut command = brooklet(None);
    command.arg("seed");
    for torrent in torrents {
        torrent.content.write(&dir.join("seeded"));
        let path = dir.join(format!("seeded-{}.torrent", torrent.content.name));
        torrent.write(&path, &[]);
        command.arg(path);
    }
    command.arg("-d").arg(dir.join("seeded")).args(ALONE);
    command.args(["--port", "0", "--bind", "127.0.0.1", "--json"]);
    command.arg("--state").arg(dir.join("seed-state"));
    let mut seed = Child::spawn("seed", &mut command);
    let port = seed.event("start", SOON).get("port").count();
    torrents.iter().for_each(|_| {
        seed.event("checked", SOON);
    });
    (seed, format!("127.0.0.1:{port}"))
}

fn begin(dir: &Dir, options: &[&str]) -> Child {
    Run::begin(&dir.join("run"), &[&ALONE[..], options].concat())
}

#[test]
fn peers_files_state_and_events_are_those_of_the_options() {
    let dir = Dir::new();
    let files = [("text", 50_000), ("image", 60_000)];
    let book = Torrent::new(Content::folder(1, "book", &files), 1 << 14);
    let single = one("single", 100_000, 2);
    let (_seed, addr) = seed(&dir, &[&book, &single]);
    // A file of the user's own lies in the way.
    let downloads = dir.folder("run/downloads");
    fs::create_dir(downloads.join("book")).unwrap();
    fs::write(downloads.join("book/text"), vec![7; 50_000]).unwrap();
    let state = dir.join("elsewhere");
    let state = state.to_str().unwrap();
    let options = ["--peer", &addr, "--files", "text", "--state", state];
    let child = begin(&dir, &[&options[..], &["--json", "--sequential"]].concat());
    let mut run = Run { dir, child };
    let path = run.dir.join("single.torrent");
    single.write(&path, &[]);
    let line = run.refused(&["add", path.to_str().unwrap()], 1);
    assert!(line.starts_with("single: --files text: "), "{line}");
    assert_eq!(run.torrents(), []);
    run.add(&book, &[]);
    let torrents = run.until(&["failed"]);
    let why = torrents[0].get("error").text();
    assert!(why.contains("--overwrite"), "{why}");
    run.child.kill();
    run.child = begin(
        &run.dir,
        &[&options[..], &["--json", "--overwrite"]].concat(),
    );
    wait("it is not there", || run.torrents().len() == 1);
    let torrents = run.until(&["seeding"]);
    // All pieces that it lies in.
    assert_eq!(torrents[0].get("size").count(), 65_536);
    let text = fs::read(run.dir.join("seeded/book/text")).unwrap();
    assert!(fs::read(downloads.join("book/text")).unwrap() == text);
    let image = fs::read(run.dir.join("seeded/book/image")).unwrap();
    let begun = fs::read(downloads.join("book/image")).unwrap_or_default();
    assert!(begun != image, "only what lies in a piece of the other");
    let kept = format!("{}.torrent", book.hex());
    assert!(Path::new(state).join(kept).exists());
    assert!(!run.folder().join("torrents").exists());
    let is_of = |event: &Json| event.get("info_hash").text() == book.hex();
    for name in ["start", "checked", "complete"] {
        run.child.event_where(name, SOON, is_of);
    }
}

#[test]
fn a_torrent_without_progress_fails_in_time_and_the_others_go_on() {
    let dir = Dir::new();
    let (found, missing) = (one("found", 100_000, 1), one("missing", 100_000, 2));
    let (_seed, addr) = seed(&dir, &[&found]);
    let child = begin(&dir, &["--timeout", "1s", "--peer", &addr]);
    let run = Run { dir, child };
    run.add(&found, &[]);
    run.add(&missing, &[]);
    wait("it waits for ever", || {
        let states: Vec<String> = run
            .torrents()
            .iter()
            .map(|it| it.get("state").text().to_string())
            .collect();
        states == ["seeding", "failed"]
    });
    let words = run.says(&["status", "2"]);
    assert!(words.contains("no progress for 1 s (--timeout)"), "{words}");
}

#[test]
fn what_is_on_disk_is_hashed_again_on_request() {
    let dir = Dir::new();
    let torrent = one("film", 100_000, 1);
    let (_seed, addr) = seed(&dir, &[&torrent]);
    let child = begin(&dir, &["--peer", &addr]);
    let mut run = Run { dir, child };
    run.add(&torrent, &[]);
    run.until(&["seeding"]);
    run.stop();
    // What nobody sees by size and time.
    let path = run.folder().join("downloads/film");
    let before = fs::metadata(&path).unwrap().modified().unwrap();
    let mut damaged = fs::read(&path).unwrap();
    damaged[20_000] ^= 1;
    fs::write(&path, damaged).unwrap();
    let file = fs::File::options().append(true).open(&path).unwrap();
    file.set_modified(before).unwrap();
    run.child = begin(&run.dir, &["--peer", &addr, "--recheck"]);
    run.child.line("film: on disk: 6 of 7 pieces", SOON);
    run.until(&["seeding"]);
    torrent.content.assert_in(&run.folder().join("downloads"));
}
