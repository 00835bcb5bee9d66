//! A machine that has no more threads: what is done by them is done all the same.

use std::fs;

use super::links::seed;
use super::run::{Run, one, wait};
use super::support::child::{Child, brooklet};

/// The stack of a thread, where nobody says how large it is: no machine has room for it.
const NO_THREADS: (&str, &str) = ("RUST_MIN_STACK", "1152921504606846976");

#[test]
fn torrents_are_added_downloaded_and_removed_without_a_thread() {
    let (_bench, _seed, addr) = seed(one("a", 300_000, 1), &[]);
    let torrent = one("a", 300_000, 1);
    let mut run = Run::start();
    run.stop();
    let mut command = brooklet(None);
    command.env(NO_THREADS.0, NO_THREADS.1);
    let options = ["--peer", &addr, "--on-complete", "/bin/true"];
    run.child = Run::begin_by(command, &run.folder(), &options);
    run.add(&torrent, &[]);
    run.until(&["seeding"]);
    torrent.content.assert_in(&run.folder().join("downloads"));
    let why = "on-complete: /bin/true: a: resource temporarily unavailable: tried again";
    run.child.line(why, super::run::SOON);
    let line = run.refused(&["add", "http://127.0.0.1:9/a"], 1);
    assert_eq!(line.lines().count(), 1, "{line}");
    run.says(&["remove", "1", "--data"]);
    assert_eq!(
        fs::read_dir(run.folder().join("downloads"))
            .unwrap()
            .count(),
        0
    );
    wait("something is kept of it", || {
        let kept = fs::read_dir(run.folder().join("torrents"))
            .unwrap()
            .flatten();
        let kept = kept.filter(|it| it.file_name().to_string_lossy().contains(&torrent.hex()));
        kept.count() == 0
    });
    run.stop();
}

#[test]
fn a_torrent_is_downloaded_and_checked_without_a_thread() {
    let (_bench, _seed, addr) = seed(one("a", 300_000, 1), &[]);
    let (torrent, dir) = (one("a", 300_000, 1), super::support::dir::Dir::new());
    let path = torrent.write(&dir.join("a.torrent"), &[]);
    let run = |args: &[&str]| {
        let mut command = brooklet(None);
        command.args(&args[..1]).arg(&path).args(&args[1..]);
        command.env(NO_THREADS.0, NO_THREADS.1);
        command.arg("-d").arg(dir.folder("down"));
        Child::spawn(args[0], &mut command).success(super::run::SOON);
    };
    let state = dir.join("state");
    let alone = ["--port", "0", "--bind", "127.0.0.1", "--no-dht"];
    let get = ["get", "--peer", &addr, "--state", state.to_str().unwrap()];
    run(&[&get[..], &alone[..]].concat());
    torrent.content.assert_in(&dir.join("down"));
    assert_eq!(fs::read_dir(&state).unwrap().count(), 1, "it is recorded");
    run(&["check"]);
}
