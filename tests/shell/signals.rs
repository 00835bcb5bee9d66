//! What ends the program, and how it leaves.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::bench::{Bench, SOON};
use crate::support::child::{Child, Stream, brooklet, command};
use crate::support::dir::Dir;
use crate::support::peer::{Manners, Peer};

const MIB: usize = 1024 * 1024;

/// Signals that end a program which does nothing about them, by the numbers of Linux.
const ENDS: [(i32, &str); 14] = [
    (1, "SIGHUP"),
    (2, "SIGINT"),
    (3, "SIGQUIT"),
    (10, "SIGUSR1"),
    (12, "SIGUSR2"),
    (14, "SIGALRM"),
    (15, "SIGTERM"),
    (16, "SIGSTKFLT"),
    (24, "SIGXCPU"),
    (26, "SIGVTALRM"),
    (27, "SIGPROF"),
    (30, "SIGPWR"),
    (34, "signal 34"),
    (64, "signal 64"),
];

/// A tracker that knows nobody, and answers so many questions. What it is told comes out of the
/// receiver, a request each.
fn tracker(answers: usize) -> (String, Receiver<String>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}/announce", listener.local_addr().unwrap());
    let (told, asked) = channel();
    thread::spawn(move || {
        let mut kept = Vec::new();
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let length = stream.read(&mut request).unwrap_or(0);
            let text = String::from_utf8_lossy(&request[..length]).into_owned();
            if number < answers {
                let body = "d8:intervali1800e5:peers0:e";
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                let _ = stream.write_all((head + body).as_bytes());
            } else {
                kept.push(stream);
            }
            if told.send(text).is_err() {
                return;
            }
        }
    });
    (url, asked)
}

/// Waits until the tracker has been told this event.
fn heard(asked: &Receiver<String>, event: &str) {
    let deadline = Instant::now() + SOON;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let request = asked.recv_timeout(left);
        let request = request.unwrap_or_else(|_| panic!("the tracker never heard {event}"));
        if request.contains(&format!("event={event}")) {
            return;
        }
    }
}

fn reason(child: &mut Child) -> String {
    child
        .event("stopped", SOON)
        .get("reason")
        .text()
        .to_string()
}

#[test]
fn every_signal_that_ends_a_program_is_a_clean_stop() {
    for (number, name) in ENDS {
        let bench = Bench::new(1, MIB);
        bench.fill();
        let (url, asked) = tracker(usize::MAX);
        bench.trackers(&[&url]);
        let mut seed = bench.run("seed", &[]);
        heard(&asked, "started");
        seed.signal(&number.to_string());
        assert_eq!(reason(&mut seed), name);
        assert_eq!(seed.code(SOON), 128 + number, "{name}");
        heard(&asked, "stopped");
        let said = seed.text(Stream::Err);
        assert!(said.contains(&format!("stopped ({name})")), "{said}");
        let resume = bench
            .dir
            .join(format!("state/{}.resume", bench.torrent.hex()));
        assert!(resume.is_file(), "{name}");
    }
}

#[test]
fn a_hangup_that_was_ignored_from_the_start_stays_ignored() {
    let bench = Bench::new(2, MIB);
    bench.fill();
    let (url, asked) = tracker(usize::MAX);
    bench.trackers(&[&url]);
    let mut shell = command(None, "sh");
    let script = "trap '' HUP USR1; exec \"$@\"";
    shell.args(["-c", script, "sh", env!("CARGO_BIN_EXE_brooklet")]);
    bench.arguments(&mut shell, "seed");
    let mut seed = Child::spawn("brooklet", &mut shell);
    heard(&asked, "started");
    seed.signal("HUP");
    seed.signal("USR1");
    seed.signal("TERM");
    assert_eq!(reason(&mut seed), "SIGTERM");
    assert_eq!(seed.code(SOON), 143);
}

/// A shell and a service manager may both pass on what they get.
#[test]
fn two_signals_at_once_are_one() {
    let bench = Bench::new(3, MIB);
    bench.fill();
    let (url, asked) = tracker(usize::MAX);
    bench.trackers(&[&url]);
    let mut seed = bench.run("seed", &[]);
    heard(&asked, "started");
    let pid = seed.pid();
    let both = format!("kill -s INT {pid}; kill -s HUP {pid}; kill -s INT {pid}");
    let sent = command(None, "sh").args(["-c", &both]).status();
    assert!(sent.is_ok_and(|status| status.success()));
    assert!(["SIGHUP", "SIGINT"].contains(&&*reason(&mut seed)));
    assert!([129, 130].contains(&seed.code(SOON)));
    heard(&asked, "stopped");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let bench = Bench::new(4, MIB);
    bench.fill();
    // It takes the farewell and never answers, so that leaving takes as long as it may.
    let (url, asked) = tracker(1);
    bench.trackers(&[&url]);
    let mut seed = bench.run("seed", &[]);
    heard(&asked, "started");
    seed.signal("INT");
    heard(&asked, "stopped");
    let first = Instant::now();
    while first.elapsed() < Duration::from_millis(200) {
        thread::yield_now();
    }
    seed.signal("TERM");
    assert_eq!(seed.code(SOON), 143, "the code of the second one");
}

#[test]
fn commands_that_work_offline_end_with_a_line() {
    let dir = Dir::new();
    let big = fs::File::create(dir.join("big")).unwrap();
    big.set_len(1 << 40).unwrap();
    for (number, name) in ENDS {
        let mut create = brooklet(None);
        create.args(["create", "big"]).current_dir(&*dir);
        let mut create = Child::spawn("brooklet", &mut create);
        let deadline = Instant::now() + SOON;
        while create.bytes_read() < 8 << 20 {
            assert!(Instant::now() < deadline, "it hashes nothing");
            thread::yield_now();
        }
        create.signal(&number.to_string());
        assert_eq!(create.code(SOON), 128 + number, "{name}");
        let line = format!("brooklet: stopped: {name}\n");
        assert_eq!(create.text(Stream::Err), line);
        let left: Vec<_> = fs::read_dir(&*dir).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }
}

/// The shell's limit of a file's size (`ulimit -f`, in blocks of 512 bytes) ends a program that
/// does nothing about it without a word.
#[test]
fn a_file_that_may_not_grow_is_an_error_of_the_disk() {
    let bench = Bench::new(5, MIB);
    let seed = Peer::start(&bench.torrent, Manners::default());
    let mut shell = command(None, "sh");
    let script = "ulimit -f 512; exec \"$@\"";
    shell.args(["-c", script, "sh", env!("CARGO_BIN_EXE_brooklet")]);
    bench.arguments(&mut shell, "get");
    let mut get = Child::spawn("brooklet", shell.args(["--peer", &seed.addr()]));
    assert_eq!(get.code(SOON), 1);
    let said = get.text(Stream::Err);
    let last = said.lines().last().unwrap();
    assert!(last.contains("content.bin: file too large"), "{said}");
    // That is known beforehand; of a torrent that is made it shows when it is written.
    bench.fill();
    let mut shell = command(None, "sh");
    let script = "ulimit -f 1; exec \"$@\"";
    shell.args(["-c", script, "sh", env!("CARGO_BIN_EXE_brooklet"), "create"]);
    let made = bench.dir.join("made.torrent");
    shell
        .arg(bench.content().join("content.bin"))
        .arg("-o")
        .arg(&made);
    let mut create = Child::spawn("brooklet", &mut shell);
    assert_eq!(create.code(SOON), 1);
    let said = create.text(Stream::Err);
    let last = said.lines().last().unwrap();
    assert!(last.contains("made.torrent: file too large"), "{said}");
}
