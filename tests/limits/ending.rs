//! The end of a process that serves a folder.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use brooklet::base::limits;

use super::support::bench::{Bench, SOON, checked, listening};
use super::support::child::{Child, brooklet};
use super::support::content::Content;
use super::support::dir::Dir;
use super::support::room::Room;
use super::support::torrent::Torrent;

/// Begins to serve a folder.
fn serve(mut command: Command, folder: &Path, options: &[&str]) -> Child {
    command.arg("run").arg(folder);
    command.args(["--port", "0", "--bind", "127.0.0.1", "--no-dht"]);
    let run = Child::spawn("run", command.args(options));
    let deadline = Instant::now() + SOON;
    while UnixStream::connect(folder.join("control")).is_err() {
        assert!(Instant::now() < deadline, "nobody listens");
        thread::sleep(Duration::from_millis(5));
    }
    run
}

/// Asks without an end, and counts the answers, until the process has ended.
fn ask_on(folder: &Path, answers: &AtomicUsize) {
    let stream = UnixStream::connect(folder.join("control")).unwrap();
    stream.set_nonblocking(true).unwrap();
    let request = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"session_stats\"}\n";
    let requests = request.repeat(100);
    let (mut unsent, mut buffer) = (&requests[..], vec![0; 1 << 16]);
    loop {
        match (&stream).write(unsent) {
            Ok(sent) => unsent = &unsent[sent..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
        if unsent.is_empty() {
            unsent = &requests;
        }
        match (&stream).read(&mut buffer) {
            Ok(0) => return,
            Ok(read) => {
                let lines = buffer[..read].iter().filter(|&&byte| byte == b'\n');
                answers.fetch_add(lines.count(), Ordering::Relaxed);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::yield_now(),
            Err(_) => return,
        }
    }
}

/// Clients that ask on and on are answered for some time, and keep the process no longer.
#[test]
fn last_turns_of_remote_control() {
    let dir = Dir::new();
    let folder = dir.join("run");
    let mut run = serve(brooklet(None), &folder, &[]);
    let answers = AtomicUsize::new(0);
    let before = thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| ask_on(&folder, &answers));
        }
        let deadline = Instant::now() + SOON;
        while answers.load(Ordering::Relaxed) < 1000 {
            assert!(Instant::now() < deadline, "nobody is answered");
            thread::sleep(Duration::from_millis(1));
        }
        run.signal("TERM");
        let before = answers.load(Ordering::Relaxed);
        assert_eq!(run.code(SOON), 143);
        before
    });
    let last = answers.load(Ordering::Relaxed) - before;
    assert!(last >= limits::LAST_TURNS, "{last} are answered");
}

/// A disk that does not answer has the program; the command is run by the next start.
#[test]
fn time_that_commands_have_to_be_started_at_the_end() {
    if !Room::can_bind() {
        return;
    }
    let torrent = || Torrent::new(Content::file(1, "a", 100_000), 1 << 14);
    let bench = Bench::of(torrent());
    bench.fill();
    let mut seed = bench.run("seed", &[]);
    let addr = listening(&mut seed).to_string();
    checked(&mut seed);
    let dir = Dir::new();
    let programs = dir.folder("programs");
    let room = Room::bind(&programs, &dir.folder("real"));
    let (program, notes) = (programs.join("command"), dir.join("notes"));
    let script = format!("#!/bin/sh\necho run >> '{}'\n", notes.display());
    let real = dir.join("real/command");
    fs::write(&real, script).unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o755)).unwrap();
    let options = ["--peer", &addr, "--on-complete", program.to_str().unwrap()];
    let folder = dir.join("run");
    let mut run = serve(room.brooklet(), &folder, &options);
    room.stall();
    let path = torrent().write(&dir.join("a.torrent"), &[]);
    let mut add = brooklet(None);
    add.arg("add").arg(path).env("BROOKLET_DIR", &folder);
    Child::spawn("add", &mut add).success(SOON);
    let list = folder.join("torrents/list");
    let unrun = || fs::read_to_string(&list).unwrap().matches("unrun").count();
    let deadline = Instant::now() + SOON;
    while unrun() == 0 {
        assert!(Instant::now() < deadline, "it is not complete");
        thread::sleep(Duration::from_millis(5));
    }
    let began = Instant::now();
    run.signal("TERM");
    // What is to become the command waits for that disk, and holds what the process printed to.
    while run.is_running() {
        assert!(began.elapsed() < SOON, "it does not end");
        thread::sleep(Duration::from_millis(5));
    }
    let took = began.elapsed();
    assert!(took >= limits::STARTING_COMMANDS, "{took:?}");
    assert!(took < limits::STARTING_COMMANDS * 2, "{took:?}");
    room.go_on();
    assert_eq!(run.code(SOON), 143);
    let _run = serve(room.brooklet(), &folder, &options);
    let deadline = Instant::now() + SOON;
    while unrun() > 0 || !notes.exists() {
        assert!(Instant::now() < deadline, "it is not run");
        thread::sleep(Duration::from_millis(5));
    }
}
