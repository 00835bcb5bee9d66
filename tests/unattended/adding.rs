//! Torrents that are being added when the process is killed or told to end, and what is refused.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::symlink;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use super::links::link;
use super::run::{Run, SOON, one, wait};
use super::support::child::{Child, Stream, brooklet};
use super::support::dir::Dir;
use super::support::room::Room;
use super::support::torrent::Torrent;
use super::support::web::{Web, answer};

/// What the rules of a bad disk are given by.
const FAULTS: &str = "BROOKLET_FAULTS";
/// What a client hears whose torrent is not added any more.
const ENDING: &str = "the process is ending: repeat this once it is started again";

fn adding(run: &Run, args: &[&str]) -> Child {
    run.asks(&[&["add"], args].concat())
}

/// Wherever the kill comes between the calls that reach the disk, also where the client has no
/// answer.
#[test]
fn a_torrent_that_is_there_after_a_kill_is_as_it_was_wanted() {
    if cfg!(not(feature = "faults")) {
        return;
    }
    let torrent = one("a", 100_000, 1);
    let known = link(&torrent, &[]);
    for is_link in [false, true] {
        let mut found = 0;
        for call in 1.. {
            let dir = Dir::new();
            let mut command = brooklet(None);
            command.env(FAULTS, format!("settle:{call}:KILL"));
            let child = Run::begin_by(command, &dir.join("run"), &["--no-dht"]);
            let mut run = Run { dir, child };
            let place = run.dir.folder("place");
            let path = torrent.write(&run.dir.join("a.torrent"), &[]);
            let source = if is_link {
                &known
            } else {
                path.to_str().unwrap()
            };
            let mut add = adding(&run, &["--paused", "-d", place.to_str().unwrap(), source]);
            let is_told = add.exit(SOON).success();
            run.restart(&["--no-dht"]);
            let torrents = run.torrents();
            assert!(!is_told || torrents.len() == 1, "call {call}");
            for it in &torrents {
                found += 1;
                assert_eq!(it.get("state").text(), "paused", "call {call}");
                assert_eq!(it.get("dir").text(), place.to_str().unwrap());
                assert_eq!(it.get("number").count(), 1);
            }
            if is_told {
                break;
            }
        }
        assert!(found > 1, "no kill came after it was there");
    }
}

/// Numbers are for torrents that are there.
#[test]
fn a_torrent_that_is_refused_uses_no_number_up() {
    let mut run = Run::start();
    let (file, path) = (run.dir.file("file", "a file"), run.dir.join("bad.torrent"));
    one("bad", 1000, 1).write(&path, &[]);
    let bad = ["add", "-d", file.to_str().unwrap(), path.to_str().unwrap()];
    for _ in 0..3 {
        assert!(run.refused(&bad, 1).contains("it is not a folder"));
    }
    assert_eq!(run.add(&one("a", 1000, 2), &[]), "1 a\n");
    // Also after a kill.
    run.refused(&bad, 1);
    run.restart(&[]);
    assert_eq!(run.add(&one("b", 1000, 3), &[]), "2 b\n");
    run.says(&["remove", "2"]);
    assert_eq!(run.add(&one("c", 1000, 4), &[]), "3 c\n");
}

/// Wherever the kill comes: the next start deletes a torrent whose client has heard that it is
/// refused.
#[test]
fn a_torrent_that_was_refused_is_not_there_after_a_kill() {
    if cfg!(not(feature = "faults")) {
        return;
    }
    let torrent = one("bad", 1000, 1);
    let (mut told, mut kills) = (false, 0);
    while !told {
        kills += 1;
        let dir = Dir::new();
        let mut command = brooklet(None);
        command.env(FAULTS, format!("settle:{kills}:KILL"));
        let child = Run::begin_by(command, &dir.join("run"), &["--no-dht"]);
        let mut run = Run { dir, child };
        let (file, path) = (run.dir.file("file", "a file"), run.dir.join("bad.torrent"));
        torrent.write(&path, &[]);
        let args = ["--paused", "-d", file.to_str().unwrap()];
        let mut add = adding(&run, &[&args[..], &[path.to_str().unwrap()]].concat());
        assert_ne!(add.code(SOON), 0);
        told = add.text(Stream::Err).contains("it is not a folder");
        let list = run.folder().join("torrents/list");
        let list = std::fs::read_to_string(list).unwrap_or_default();
        let goes = !list.contains(&torrent.hex()) || list.contains("remove_data");
        assert!(!told || goes, "kill {kills}: {list}");
        run.child.kill();
    }
    assert!(kills > 2, "no kill came after it was there");
}

/// Both would write to the same files.
#[test]
fn two_ways_to_a_folder_that_is_not_there_yet_are_one() {
    let run = Run::start();
    let real = run.dir.folder("real");
    symlink(&real, run.dir.join("link")).unwrap();
    let of = |way: &str, torrent: &Torrent| {
        let path = run.dir.join(format!("{way}.torrent"));
        torrent.write(&path, &[]);
        [run.dir.join(way).join("new/er"), path].map(|it| it.to_str().unwrap().to_owned())
    };
    let [dir, path] = of("link", &one("t", 1000, 1));
    assert_eq!(run.says(&["add", "-d", &dir, &path]), "1 t\n");
    let [dir, path] = of("real", &one("t", 1000, 2));
    let why = run.refused(&["add", "-d", &dir, &path], 1);
    assert!(why.contains("number 1, t, has the same files"), "{why}");
    assert_eq!(run.torrents().len(), 1);
}

/// A server that does not answer keeps neither the process nor the client.
#[test]
fn a_torrent_that_is_fetched_when_the_process_ends_is_refused() {
    for is_long in [false, true] {
        let slow = |what: &'static str| {
            let (held, holds) = channel::<()>();
            let holds = Mutex::new(holds);
            let web = Web::start(move |path, _| {
                if path.contains(what) {
                    let _ = holds.lock().unwrap().recv();
                }
                answer("200 OK", "", b"d8:intervali1800e5:peers0:e")
            });
            (web, held)
        };
        let (web, _held) = slow("/a.torrent");
        // A tracker that is slow to hear that a peer has stopped keeps the process.
        let (tracker, _slow) = slow("event=stopped");
        let mut run = Run::start();
        let asked = |web: &Web, what: &str| {
            let asked = web.asked.lock().unwrap();
            asked.iter().any(|it| it.contains(what))
        };
        if is_long {
            run.restart(&["--allow-local"]);
            run.add(&one("b", 1000, 2), &[&tracker.url("/announce")]);
            wait("the tracker is not asked", || {
                asked(&tracker, "event=started")
            });
        }
        // The command fetches by itself; other clients leave that to the process.
        let mut client = run.client();
        let url = web.url("/a.torrent");
        let request = format!(r#""method":"torrent_add","params":{{"filename":"{url}"}}"#);
        writeln!(client, r#"{{"jsonrpc":"2.0","id":1,{request}}}"#).unwrap();
        wait("it is not fetched", || asked(&web, "/a.torrent"));
        let began = Instant::now();
        run.child.signal("TERM");
        let mut said = String::new();
        BufReader::new(&client).read_line(&mut said).unwrap();
        assert_eq!(said.matches(ENDING).count(), 1, "{said}");
        let soon = Duration::from_secs(5);
        assert!(began.elapsed() < soon, "{:?}", began.elapsed());
        assert_eq!(run.child.code(SOON), 143);
    }
}

/// Neither does a disk that does not answer. One that lies in the folder already is added, and the
/// next start opens it.
#[test]
fn a_torrent_whose_disk_does_not_answer_is_told_of_when_the_process_ends() {
    for below in ["sub", ""] {
        if !Room::can_bind() {
            return;
        }
        let dir = Dir::new();
        let (content, _) = (dir.folder("content"), dir.folder("real/sub"));
        let room = Room::bind(&content, &dir.join("real"));
        let child = Run::begin_by(room.brooklet(), &dir.join("run"), &["--no-trackers"]);
        let mut run = Run { dir, child };
        room.stall();
        let torrent = one("a", 1000, 1);
        let path = torrent.write(&run.dir.join("a.torrent"), &[]);
        let place = content.join(below);
        let args = ["--paused", "-d", place.to_str().unwrap()];
        let mut add = adding(&run, &[&args[..], &[path.to_str().unwrap()]].concat());
        run.child.line("the disk does not answer", SOON);
        assert!(add.is_running());
        run.child.signal("TERM");
        let is_added = add.code(SOON) == 0;
        let kept = run.kept_file(&torrent, "torrent");
        assert_eq!(is_added, kept.exists());
        room.go_on();
        run.child.exit(SOON);
        if is_added {
            assert_eq!(add.text(Stream::Out), "1 a\n");
            run.child = Run::begin(&run.folder(), &["--no-trackers"]);
            assert_eq!(run.until(&["paused"]).len(), 1);
        } else {
            let said = add.text(Stream::Err);
            assert!(said.contains(ENDING), "{said}");
        }
    }
}

/// What was answered holds after a kill.
#[test]
fn a_torrent_that_is_brought_for_a_link_is_on_disk_before_that_is_said() {
    if !Room::can_bind() {
        return;
    }
    let dir = Dir::new();
    let state = dir.folder("run/torrents");
    let room = Room::bind(&state, &dir.folder("real"));
    let child = Run::begin_by(
        room.brooklet(),
        &dir.join("run"),
        &["--no-trackers", "--no-dht"],
    );
    let mut run = Run { dir, child };
    let torrent = one("a", 1000, 1);
    run.says(&["add", &link(&torrent, &[])]);
    let path = torrent.write(&run.dir.join("a.torrent"), &[]);
    room.stall();
    let mut add = adding(&run, &[path.to_str().unwrap()]);
    run.child.line("the disk does not answer", SOON);
    assert!(add.is_running(), "it is told before it is on disk");
    room.go_on();
    add.success(SOON);
    let name = format!("{}.torrent", torrent.hex());
    assert!(room.inside.join(name).exists());
    run.until(&["downloading"]);
    run.stop();
}
