//! Torrents that clients add.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use brooklet::base::limits;

use super::support::bench::SOON;
use super::support::child::Child;
use super::support::content::Content;
use super::support::dir::Dir;
use super::support::room::Room;
use super::support::torrent::{Torrent, metainfo};
use super::support::web::{Web, answer};

/// Threads that write small files: those that have the name of such a thread.
fn state_writers(child: &Child) -> usize {
    let tasks = fs::read_dir(format!("/proc/{}/task", child.pid())).unwrap();
    let name = |task: fs::DirEntry| fs::read_to_string(task.path().join("comm")).ok();
    let names = tasks.flatten().filter_map(name);
    names.filter(|name| name.trim() == "state writer").count()
}

/// A batch that adds what has these names, paused or not.
fn batch(names: &[String], paused: bool) -> String {
    let add = |(id, name): (usize, &String)| {
        let params = format!(r#"{{"filename":"{name}","paused":{paused}}}"#);
        format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"torrent_add","params":{params}}}"#)
    };
    let adds: Vec<String> = names.iter().enumerate().map(add).collect();
    format!("[{}]\n", adds.join(","))
}

/// Adds all of these while the disk of the state does not answer, and looks at what is done
/// meanwhile: `is_so` tells when all is done that can be. Where they are added `paused`, that is
/// written to the list first, for all of them.
fn stalled(names: &[String], paused: bool, mut is_so: impl FnMut(&Child) -> bool) {
    if !Room::can_bind() {
        return;
    }
    let dir = Dir::new();
    let state = dir.folder("state");
    let room = Room::bind(&state, &dir.folder("real"));
    let mut command = room.brooklet();
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
    let first = [link(0)];
    (&client)
        .write_all(batch(&first, paused).as_bytes())
        .unwrap();
    assert_eq!(answer(), 1);
    while state_writers(&run) > 0 {
        assert!(Instant::now() < deadline, "it is still written");
    }
    room.stall();
    (&client)
        .write_all(batch(names, paused).as_bytes())
        .unwrap();
    while !is_so(&run) {
        assert!(Instant::now() < deadline, "{}", state_writers(&run));
    }
    // All of them wait for the disk; what else there is to do is done.
    let (before, began) = (run.cpu(), Instant::now());
    while began.elapsed() < Duration::from_millis(500) {
        assert_eq!(state_writers(&run), writers(paused));
    }
    assert!(run.cpu() - before < began.elapsed() / 4, "it spins");
    room.go_on();
    assert_eq!(answer(), names.len());
}

fn link(number: usize) -> String {
    format!("magnet:?xt=urn:btih:{:040x}", number + 1)
}

/// How many files are written at one time while the disk does not answer.
fn writers(paused: bool) -> usize {
    if paused { 1 } else { limits::ADDS_AT_ONCE }
}

/// Each file that is written has a thread, which has its name a moment after it begins.
fn has_all_writers(run: &Child, paused: bool) -> bool {
    state_writers(run) == writers(paused)
}

#[test]
fn so_many_are_added_at_one_time() {
    let links: Vec<String> = (1..=limits::CONTROL_BATCH).map(link).collect();
    for paused in [false, true] {
        stalled(&links, paused, |run| has_all_writers(run, paused));
    }
}

#[test]
fn of_those_that_are_fetched_no_more_are_added_at_one_time() {
    let web = Web::start(|path, _| {
        let number: u64 = path[1..].parse().unwrap();
        let content = Content::file(number, &format!("{number}"), 1000);
        let torrent = Torrent::new(content, 1 << 14);
        answer("200 OK", "", &metainfo(&torrent.info, &[]))
    });
    let most = limits::ADDS_AT_ONCE + limits::URLS_AT_ONCE;
    let urls = 0..2 * most;
    let urls: Vec<String> = urls.map(|number| web.url(&format!("/{number}"))).collect();
    stalled(&urls, false, |run| {
        // Those that have come and are not taken keep others from being fetched.
        let asked = web.asked.lock().unwrap().len();
        assert!(asked <= most, "{asked} are fetched");
        asked == most && has_all_writers(run, false)
    });
}
