//! Standard output that takes no more: its reader is gone, or its disk is full.

use std::fs::File;
use std::process::{Command, Stdio};

use crate::support::bench::Bench;
use crate::support::peer::{Manners, Peer};
use crate::{KIB, MIB};

/// Runs a download in the shell, its events going where `script` says. Its exit code, and what it
/// said on standard error.
fn run(bench: &Bench, seed: &Peer, out: Stdio) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_brooklet"));
    bench.arguments(&mut command, "get");
    let child = command
        .args(["--peer", &seed.addr()])
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(Stdio::piped())
        .spawn();
    let done = child.unwrap().wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    (done.status.code(), said)
}

fn assert_ends(bench: &Bench, seed: &Peer, out: Stdio, why: &str) {
    let (code, said) = run(bench, seed, out);
    assert_eq!(code, Some(1), "{said}");
    let ours = said.lines().filter(|line| line.starts_with("brooklet: "));
    let wanted = format!("brooklet: standard output: {why}");
    let ours: Vec<&str> = ours.collect();
    assert!(
        ours.len() == 1 && ours[0].starts_with(&wanted),
        "{wanted:?} is the line, not {ours:?}"
    );
    assert!(!said.contains("SIG"), "nobody sent a signal: {said}");
    // The next run goes on from there.
    bench.get(&[seed.addr()], &[]).success(crate::SOON);
    bench.assert_whole();
}

#[test]
fn events_that_nobody_reads_end_it_with_a_line() {
    let bench = Bench::new(1, MIB);
    let seed = Peer::start(&bench.torrent, Manners::default());
    let mut reader = Command::new("true").stdin(Stdio::piped()).spawn().unwrap();
    let pipe = reader.stdin.take().unwrap();
    reader.wait().unwrap();
    assert_ends(&bench, &seed, pipe.into(), "broken pipe");
}

#[test]
fn events_that_find_no_room_end_it_with_a_line() {
    let bench = Bench::new(2, 64 * KIB);
    let seed = Peer::start(&bench.torrent, Manners::default());
    let full = File::options().write(true).open("/dev/full").unwrap();
    assert_ends(&bench, &seed, full.into(), "the disk is full");
}
