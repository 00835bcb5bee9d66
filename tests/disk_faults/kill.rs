//! `kill -9` just before each call that a download makes to the file system, from the first to the
//! last: whatever it had verified is found again, and only the rest is fetched.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Command;

use crate::support::bench::{Bench, SOON, verified, wait_verified};
use crate::support::content::Content;
use crate::support::peer::{Manners, Peer};
use crate::support::torrent::Torrent;
use crate::{KIB, assert_recovers, get, paced};

/// Calls of a download of this size, at most.
const CALLS: usize = 200;

/// Two files of which one shares a piece with the other.
fn bench(number: u64) -> Bench {
    let files = [("a", 100 * KIB), ("sub/b", 156 * KIB)];
    Bench::of(Torrent::new(Content::folder(number, "t", &files), 32 * KIB))
}

/// Kills the download of what `prepare` leaves at each of its calls, until there is none left.
fn assert_survives(bench: &Bench, prepare: impl Fn(&Bench)) {
    for call in 1.. {
        assert!(call < CALLS, "it never ends");
        prepare(bench);
        let seed = Peer::start(&bench.torrent, Manners::default());
        let mut child = get(bench, &seed, &format!("any:{call}:KILL"));
        let status = child.exit(SOON);
        if status.success() {
            assert!(call > 20, "only {call} calls");
            bench.assert_whole();
            return;
        }
        assert_eq!(status.signal(), Some(9), "call {call}: {status}");
        let verified = verified(&mut child);
        let have = assert_recovers(bench);
        assert!(have >= verified, "call {call}: {have} of {verified} pieces");
    }
}

#[test]
fn a_download_that_is_killed_at_any_call_goes_on_from_there() {
    assert_survives(&bench(1), |bench| {
        copy(None, &bench.content());
        copy(None, &bench.dir.join("state"));
    });
}

#[test]
fn a_download_that_was_resumed_and_is_killed_at_any_call_goes_on_from_there() {
    let bench = bench(2);
    let seed = paced(&bench, 256 * KIB);
    let mut first = get(&bench, &seed, "");
    wait_verified(&mut first, 3);
    first.signal("TERM");
    assert_eq!(first.code(SOON), 143);
    let kept = |folder: &str| bench.dir.join(format!("{folder}.kept"));
    for folder in ["content", "state"] {
        copy(Some(&bench.dir.join(folder)), &kept(folder));
    }
    assert_survives(&bench, |bench| {
        for folder in ["content", "state"] {
            copy(Some(&kept(folder)), &bench.dir.join(folder));
        }
    });
}

/// Makes a folder what another one is, times and all; empty, if there is no other.
fn copy(from: Option<&Path>, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    match from {
        None => std::fs::create_dir(to).unwrap(),
        Some(from) => {
            let done = Command::new("cp").arg("-a").args([from, to]).status();
            assert!(done.unwrap().success());
        }
    }
}
