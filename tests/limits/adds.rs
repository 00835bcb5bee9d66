//! Torrents that clients add.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use brooklet::base::limits;

use super::support::bench::SOON;
use super::support::child::Child;
use super::support::dir::Dir;
use super::support::room::Room;

/// Threads of a process that have this name.
fn threads(child: &Child, wanted: &str) -> usize {
    let tasks = fs::read_dir(format!("/proc/{}/task", child.pid())).unwrap();
    let name = |task: fs::DirEntry| fs::read_to_string(task.path().join("comm")).ok();
    let names = tasks.flatten().filter_map(name);
    names.filter(|name| name.trim() == wanted).count()
}

/// Threads that write small files.
fn keepers(child: &Child) -> usize {
    threads(child, "keeper")
}

/// A batch that adds a link for each of these numbers.
fn batch(numbers: std::ops::Range<usize>) -> String {
    let add = |id: usize| {
        let link = format!("magnet:?xt=urn:btih:{id:040x}");
        let params = format!(r#"{{"filename":"{link}","paused":true}}"#);
        format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"torrent_add","params":{params}}}"#)
    };
    let adds: Vec<String> = numbers.map(add).collect();
    format!("[{}]\n", adds.join(","))
}

#[test]
fn so_many_are_added_at_one_time() {
    if !Room::can_bind() {
        return;
    }
    let dir = Dir::new();
    let state = dir.folder("state");
    let room = Room::bind(&state, &dir.folder("real"));
    let mut command = room.enter();
    command.arg(env!("CARGO_BIN_EXE_brooklet"));
    command
        .arg("run")
        .arg(dir.join("run"))
        .arg("--state")
        .arg(&state);
    command.args(["--port", "0", "--bind", "127.0.0.1", "--no-dht"]);
    let run = Child::spawn("run", &mut command);
    let deadline = Instant::now() + SOON;
    let client = loop {
        assert!(Instant::now() < deadline, "nobody listens");
        if let Ok(client) = UnixStream::connect(dir.join("run/control")) {
            break client;
        }
    };
    client.set_read_timeout(Some(SOON)).unwrap();
    let mut answers = BufReader::new(&client);
    let mut answer = || {
        let mut line = String::new();
        answers.read_line(&mut line).unwrap();
        line.matches("torrent_added").count()
    };
    (&client).write_all(batch(1..2).as_bytes()).unwrap();
    assert_eq!(answer(), 1);
    while keepers(&run) > 0 {
        assert!(Instant::now() < deadline, "it is still written");
    }
    room.stall();
    let all = limits::CONTROL_BATCH;
    (&client).write_all(batch(2..2 + all).as_bytes()).unwrap();
    // Each has a thread that waits for the disk, which has its name a moment after it begins.
    while threads(&run, "waiting") < limits::ADDS_AT_ONCE {
        assert!(Instant::now() < deadline, "{}", keepers(&run));
    }
    // All of them wait for the disk; what else there is to do is done.
    let before = run.cpu();
    for _ in 0..100 {
        assert_eq!(keepers(&run), limits::ADDS_AT_ONCE);
    }
    assert!(run.cpu() - before < SOON / 100, "it spins");
    room.go_on();
    assert_eq!(answer(), all);
}
