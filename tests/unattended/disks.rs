//! Disks that are full or do not answer, for one torrent or for what is kept of all.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use brooklet::base::limits;

use super::run::{Run, SOON, one, wait};
use super::support::child::Child;
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
    let command = room.brooklet();
    let child = Run::begin_by(command, &dir.join("run"), &["--no-trackers"]);
    let mut run = Run { dir, child };
    assert_eq!(run.add(&one("a", 1000, 1), &[]), "1 a\n");
    run.until(&["downloading"]);
    room.stall();
    let path = run.dir.join("b.torrent");
    one("b", 1000, 2).write(&path, &[]);
    let mut pausing = run.asks(&["pause", "1"]);
    let mut adding = run.asks(&["add", path.to_str().unwrap()]);
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
    run.stop();
}

/// A user who is told that something is done takes it for kept.
#[test]
fn what_cannot_be_kept_is_said_to_the_client_that_asked_for_it() {
    let run = Run::start();
    run.add(&one("a", 1000, 1), &[]);
    let fresh = run.folder().join("torrents/list.new");
    fs::create_dir(&fresh).unwrap();
    let why = run.refused(&["pause", "1"], 1);
    let words = "it is done, but not kept for the next start: ";
    assert!(why.contains(words) && why.contains("list.new"), "{why}");
    assert_eq!(run.torrents()[0].get("state").text(), "paused");
    // However often it is asked.
    let again = run.refused(&["pause", "1"], 1);
    assert_eq!(again, why);
    let path = run.dir.join("b.torrent");
    one("b", 1000, 2).write(&path, &[]);
    let why = run.refused(&["add", path.to_str().unwrap()], 1);
    assert!(why.contains(words) && why.contains("list.new"), "{why}");
    assert_eq!(run.torrents().len(), 2);
    fs::remove_dir(&fresh).unwrap();
    assert_eq!(run.says(&["resume", "1"]), "");
}

/// What the disk has refused is tried at the end, as it may take it by then.
#[test]
fn what_could_not_be_kept_is_kept_at_the_end() {
    let mut run = Run::start();
    run.add(&one("a", 1000, 1), &[]);
    let fresh = run.folder().join("torrents/list.new");
    fs::create_dir(&fresh).unwrap();
    run.refused(&["pause", "1"], 1);
    fs::remove_dir(&fresh).unwrap();
    run.stop();
    run.start_again(&[]);
    wait("it is not loaded", || run.torrents().len() == 1);
    assert_eq!(run.torrents()[0].get("state").text(), "paused");
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
    let command = room.brooklet();
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
    // It keeps nobody from steering the others, and is what it was.
    assert_eq!(run.says(&["pause", "all"]), "");
    assert_eq!(states(&run), ["failed", "paused"]);
    let advice = "(mend what is said, then: brooklet resume 1)";
    assert!(run.says(&["status", "1"]).contains(advice), "{words}");
    // As long as there is no room it fails again.
    assert_eq!(run.says(&["resume", "all"]), "");
    wait("they do not end", || states(&run) == ["failed", "seeding"]);
    room.run("mount -o remount,size=8m \"$1\"");
    assert_eq!(run.says(&["resume", "1"]), "");
    assert_ne!(states(&run)[0], "failed", "it is shown at every moment");
    wait("it is not whole", || states(&run) == ["seeding"; 2]);
    torrents[0].content.assert_in(&room.inside);
    // What lies there goes with it, before the command ends.
    run.says(&["remove", "1", "--data"]);
    assert_eq!(fs::read_dir(&room.inside).unwrap().count(), 0);
    assert_eq!(run.torrents().len(), 1);
}

#[test]
fn a_torrent_that_cannot_be_opened_at_the_start_is_shown_and_resumed_or_removed() {
    let mut run = Run::start();
    let torrents = [one("a", 100_000, 1), one("b", 100_000, 2)];
    for torrent in &torrents {
        let place = run.dir.folder(format!("of-{}", torrent.content.name));
        let path = run.dir.join("some.torrent");
        torrent.write(&path, &[]);
        let (place, path) = (place.to_str().unwrap(), path.to_str().unwrap());
        run.says(&["add", "-d", place, path]);
    }
    run.says(&["pause", "2"]);
    run.child.kill();
    let places = ["of-a", "of-b"].map(|name| run.dir.join(name));
    for place in &places {
        fs::remove_dir(place).unwrap();
        fs::write(place, "a file").unwrap();
    }
    run.start_again(&[]);
    wait("they are not shown", || run.torrents().len() == 2);
    let torrents = run.until(&["failed"]);
    let shown: Vec<(u64, &str)> = torrents
        .iter()
        .map(|it| (it.get("number").count(), it.get("name").text()))
        .collect();
    assert_eq!(shown, [(1, "a"), (2, "b")]);
    assert!(
        torrents[0]
            .get("error")
            .text()
            .contains("of-a: it is not a folder")
    );
    run.says(&["resume", "all"]);
    run.until(&["failed"]);
    places
        .iter()
        .for_each(|place| fs::remove_file(place).unwrap());
    run.says(&["resume", "1"]);
    wait("it does not go on", || {
        run.torrents()[0].get("state").text() == "downloading"
    });
    // The other one is paused, and that holds after a kill.
    run.says(&["pause", "2"]);
    run.restart(&[]);
    wait("it does not go on", || {
        let state = |it: &super::support::json::Json| it.get("state").text().to_string();
        run.torrents().iter().map(state).collect::<Vec<_>>() == ["downloading", "paused"]
    });
    run.says(&["remove", "1", "2", "--data"]);
    assert_eq!(run.torrents(), []);
}

#[test]
fn a_download_that_is_paused_and_resumed_becomes_whole() {
    let files = [("a", 1 << 20), ("b/c", 3 << 20), ("d", 100_000)];
    let torrent = Torrent::new(Content::folder(1, "some", &files), 1 << 14);
    let Some(tracker) = OpenTracker::start(&[torrent.info_hash]) else {
        return;
    };
    let options = ["--allow-local", "--down", "1M"];
    let mut run = Run::start_with(&[], &options);
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
    run.restart(&options);
    run.child.line("some: on disk: 263 of 263 pieces", SOON);
}

/// A folder below a mount that does not answer any more, and a process that has torrents in other
/// folders.
struct Stalled {
    room: Room,
    run: Run,
    /// The folder.
    sub: PathBuf,
}

impl Stalled {
    /// A process that has a torrent whose content lies in the folder. The mount still answers.
    fn with_torrent() -> Option<Stalled> {
        if !Room::can_bind() {
            return None;
        }
        let dir = Dir::new();
        let content = dir.folder("content");
        dir.folder("real/sub");
        let room = Room::bind(&content, &dir.join("real"));
        let sub = content.join("sub");
        let child = Stalled::start(&room, &dir.join("run"), &[]);
        let run = Run { dir, child };
        let stalled = Stalled { room, run, sub };
        stalled.adding("a", 1).success(SOON);
        Some(stalled)
    }

    fn start(room: &Room, folder: &Path, options: &[&str]) -> Child {
        let command = room.brooklet();
        Run::begin_by(command, folder, &[&["--no-trackers"], options].concat())
    }

    /// A command that adds a torrent whose content is to lie in the folder.
    fn adding(&self, name: &str, seed: u64) -> Child {
        let path = self.run.dir.join(format!("{name}.torrent"));
        one(name, 1000, seed).write(&path, &[]);
        let [dir, path] = [&self.sub, &path].map(|it| it.to_str().unwrap());
        self.run.asks(&["add", "-d", dir, path])
    }

    /// The process is killed, and started on a disk that does not answer.
    fn restart(&mut self, options: &[&str]) {
        self.run.child.kill();
        self.room.stall();
        self.run.child = Stalled::start(&self.room, &self.run.folder(), options);
    }

    fn is_told(&mut self) {
        let line = format!("{}: the disk does not answer", self.sub.display());
        self.run.child.line(&line, SOON);
    }
}

/// A disk that does not answer leaves the user an answer.
#[test]
fn a_content_folder_that_does_not_answer_at_the_start_delays_clients_for_seconds() {
    let Some(mut stalled) = Stalled::with_torrent() else {
        return;
    };
    let began = Instant::now();
    stalled.restart(&[]);
    assert_eq!(stalled.run.torrents().len(), 0);
    let waited = began.elapsed();
    assert!(
        waited >= limits::LOADING && waited < 3 * limits::LOADING,
        "{waited:?}"
    );
    stalled.is_told();
    stalled.room.go_on();
    wait("it does not come", || stalled.run.torrents().len() == 1);
}

/// The same of the folder that all torrents share, and a signal ends the process.
#[test]
fn a_usual_content_folder_that_does_not_answer_delays_clients_for_seconds() {
    let Some(mut stalled) = Stalled::with_torrent() else {
        return;
    };
    let sub = stalled.sub.clone();
    stalled.restart(&["--dir", sub.to_str().unwrap()]);
    assert_eq!(stalled.run.torrents().len(), 0);
    stalled.is_told();
    stalled.run.stop();
    stalled.room.go_on();
}

/// Torrents elsewhere are added meanwhile, and a signal ends the process.
#[test]
fn a_content_folder_that_does_not_answer_holds_only_its_own_torrents() {
    let Some(mut stalled) = Stalled::with_torrent() else {
        return;
    };
    stalled.run.until(&["downloading"]);
    stalled.room.stall();
    let mut adding = stalled.adding("b", 2);
    stalled.is_told();
    let third = stalled.run.add(&one("c", 1000, 3), &[]);
    assert!(third.ends_with(" c\n"), "{third}");
    assert_eq!(stalled.run.torrents().len(), 2);
    assert!(adding.is_running());
    stalled.room.go_on();
    adding.success(SOON);
    assert_eq!(stalled.run.torrents().len(), 3);
    stalled.room.stall();
    stalled.run.says(&["remove", "2"]);
    stalled.room.go_on();
    stalled.run.stop();
}
