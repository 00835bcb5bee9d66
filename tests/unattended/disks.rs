//! Disks that are full or do not answer, for one torrent or for what is kept of all.

use std::fs;

use super::run::{Run, SOON, one, wait};
use super::support::child::{Child, brooklet};
use super::support::content::Content;
use super::support::dir::Dir;
use super::support::room::Room;
use super::support::torrent::Torrent;
use super::support::trackers::OpenTracker;

#[test]
fn a_state_folder_that_does_not_answer_delays_only_requests_that_change_something() {
    if !Room::can_bind() {
        return;
    }
    let dir = Dir::new();
    let state = dir.folder("run/torrents");
    let room = Room::bind(&state, &dir.folder("real"));
    let mut command = room.enter();
    command.arg(env!("CARGO_BIN_EXE_brooklet"));
    let child = Run::begin_by(command, &dir.join("run"), &["--no-trackers"]);
    let mut run = Run { dir, child };
    assert_eq!(run.add(&one("a", 1000, 1), &[]), "1 a\n");
    run.until(&["downloading"]);
    room.stall();
    let asks = |run: &Run, args: &[&str]| {
        let mut command = brooklet(None);
        command.args(args).env("BROOKLET_DIR", run.folder());
        Child::spawn(args[0], &mut command)
    };
    let path = run.dir.join("b.torrent");
    one("b", 1000, 2).write(&path, &[]);
    let mut pausing = asks(&run, &["pause", "1"]);
    let mut adding = asks(&run, &["add", path.to_str().unwrap()]);
    // It is paused for all to see, though the one that asked is not told yet.
    wait("it is not paused", || {
        run.torrents()[0].get("state").text() == "paused"
    });
    run.child.line("the disk does not answer", SOON);
    assert_eq!(run.torrents().len(), 1);
    assert!(pausing.is_running() && adding.is_running());
    room.go_on();
    pausing.success(SOON);
    adding.success(SOON);
    assert_eq!(run.torrents().len(), 2);
    run.child.signal("TERM");
    assert_eq!(run.child.code(SOON), 143);
}

#[test]
fn a_full_disk_of_one_torrent_stops_that_one_only() {
    if !Room::possible() {
        return;
    }
    let torrents = [one("small", 4 << 20, 1), one("large", 4 << 20, 2)];
    let hashes = [torrents[0].info_hash, torrents[1].info_hash];
    let Some(tracker) = OpenTracker::start(&hashes) else {
        return;
    };
    let dir = Dir::new();
    let full = dir.folder("full");
    let room = Room::make(&full, "size=1m");
    let mut command = room.enter();
    command.arg(env!("CARGO_BIN_EXE_brooklet"));
    let options = ["--allow-local", "--down", "4M"];
    let child = Run::begin_by(command, &dir.join("run"), &options);
    let mut run = Run { dir, child };
    let _seeds = torrents
        .each_ref()
        .map(|torrent| run.seed(torrent, &tracker));
    let path = |torrent: &Torrent| run.dir.join(format!("{}.torrent", torrent.content.name));
    for torrent in &torrents {
        torrent.write(&path(torrent), &[&tracker.http_url]);
    }
    let (small, large) = (path(&torrents[0]), path(&torrents[1]));
    let places = [full.to_str().unwrap(), small.to_str().unwrap()];
    run.says(&["add", "-d", places[0], places[1]]);
    run.says(&["add", large.to_str().unwrap()]);
    let states = |run: &Run| -> Vec<String> {
        let state = |it: &super::support::json::Json| it.get("state").text().to_string();
        run.torrents().iter().map(state).collect()
    };
    wait("they do not end", || states(&run) == ["failed", "seeding"]);
    let words = run.says(&["status", "1"]);
    assert!(words.contains("the disk is full"), "{words}");
    run.child.line("small: ", SOON);
    torrents[1]
        .content
        .assert_in(&run.folder().join("downloads"));
    // What has failed can be removed, and what was written of it goes.
    run.says(&["remove", "1", "--data"]);
    wait("it is there yet", || {
        fs::read_dir(&room.inside).unwrap().count() == 0 && run.torrents().len() == 1
    });
}

#[test]
fn a_download_that_is_paused_and_resumed_becomes_whole() {
    let files = [("a", 1 << 20), ("b/c", 3 << 20), ("d", 100_000)];
    let torrent = Torrent::new(Content::folder(1, "some", &files), 1 << 14);
    let Some(tracker) = OpenTracker::start(&[torrent.info_hash]) else {
        return;
    };
    let mut run = Run::start();
    run.child.kill();
    let options = ["--allow-local", "--down", "1M"];
    run.child = Run::begin(&run.folder(), &options);
    let _seed = run.seed(&torrent, &tracker);
    run.add(&torrent, &[&tracker.http_url]);
    let done = |run: &Run| run.torrents()[0].get("done").count();
    let mut before = 0;
    for _ in 0..4 {
        wait("it does not go on", || done(&run) > before + 300_000);
        run.says(&["pause", "1"]);
        run.until(&["paused"]);
        before = done(&run);
        // At once, and when all that it has is on disk.
        run.says(&["resume", "1"]);
        wait("it does not go on", || done(&run) > before);
        run.says(&["pause", "1"]);
        let list = run
            .folder()
            .join(format!("torrents/{}.resume", torrent.hex()));
        let written = || fs::metadata(&list).unwrap().modified().unwrap();
        let last = written();
        run.says(&["resume", "1"]);
        wait("it is not saved", || written() != last);
    }
    run.until(&["seeding"]);
    torrent.content.assert_in(&run.folder().join("downloads"));
    // Nothing is hashed again, and nobody else is blamed.
    run.child.kill();
    run.child = Run::begin(&run.folder(), &options);
    run.child.line("some: on disk: 263 of 263 pieces", SOON);
}
