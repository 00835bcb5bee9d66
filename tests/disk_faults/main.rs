//! Disks that fail, fill up or lose power, files that other programs meddle with, and resume data
//! that are not what was saved. Each ends in one clear line and the right exit code; when the cause
//! is gone, another run completes and fetches no more than was not there. Most faults are made by
//! `BROOKLET_FAULTS` (see `src/io/disk/faults/plan.rs`), some by real devices.

#[path = "../support/mod.rs"]
mod support;

mod crash;
mod damage;
mod devices;
mod download;
mod kill;
mod meddling;
mod model;
mod output;
mod record;
mod seeding;
mod times;

use std::path::PathBuf;

use support::bench::{Bench, SOON, checked, verified};
use support::child::{Child, Stream, brooklet};
use support::peer::{Manners, Peer};

/// Faults to be made, see `src/io/disk/faults/plan.rs`.
const FAULTS: &str = "BROOKLET_FAULTS";
/// The file that calls are recorded in.
const CALLS: &str = "BROOKLET_CALLS";
const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// Starts brooklet with these faults.
fn faulty(bench: &Bench, verb: &str, faults: &str, options: &[&str]) -> Child {
    let mut command = brooklet(None);
    bench.arguments(&mut command, verb);
    if !faults.is_empty() {
        command.env(FAULTS, faults);
    }
    Child::spawn("brooklet", command.args(options))
}

/// A download from this seed with these faults.
fn get(bench: &Bench, seed: &Peer, faults: &str) -> Child {
    faulty(bench, "get", faults, &["--peer", &seed.addr()])
}

/// A seed that sends so many bytes a second: a fault hits in mid-download.
fn paced(bench: &Bench, rate: usize) -> Peer {
    let rate = Some(rate as u64);
    let manners = Manners {
        rate,
        ..Manners::default()
    };
    Peer::start(&bench.torrent, manners)
}

/// It ends with exit code 1 and one line that names all this.
fn assert_fails(child: &mut Child, names: &[&str]) {
    let code = child.code(SOON);
    if code != 1 {
        child.fail(&format!("exit code {code}"));
    }
    let lines = lines(child, false);
    let [line] = &lines[..] else {
        child.fail(&format!("one line should say why, not {lines:?}"));
    };
    if !names.iter().all(|name| line.contains(name)) || line.matches(": ").count() < 2 {
        child.fail(&format!("{line:?} should name {names:?} and say why"));
    }
}

/// It has warned once, in a line that names all this.
fn assert_warned(child: &mut Child, names: &[&str]) {
    child.line("brooklet: warning: ", SOON);
    let lines = lines(child, true);
    let [line] = &lines[..] else {
        child.fail(&format!("one line should warn, not {lines:?}"));
    };
    if !names.iter().all(|name| line.contains(name)) {
        child.fail(&format!("{line:?} should name {names:?}"));
    }
}

/// Lines of the program itself: warnings, or what it ended with.
fn lines(child: &mut Child, warnings: bool) -> Vec<String> {
    let text = child.text(Stream::Err);
    let ours = text.lines().filter(|line| {
        line.starts_with("brooklet: ") && line.starts_with("brooklet: warning: ") == warnings
    });
    ours.map(String::from).collect()
}

/// Another run, without faults, completes. It fetches what was not there and nothing else. How many
/// pieces it found.
fn assert_recovers(bench: &Bench) -> u64 {
    // One of its own: another may be busy yet with who is gone.
    let seed = Peer::start(&bench.torrent, Manners::default());
    let mut again = get(bench, &seed, "");
    let have = checked(&mut again);
    again.success(SOON);
    bench.assert_whole();
    assert_eq!(seed.sent(), missing(bench, have), "{have} pieces");
    have
}

/// Bytes that lack when there are so many pieces, the last not among them unless it is whole.
fn missing(bench: &Bench, have: u64) -> u64 {
    let size = bench.torrent.bytes.len() as u64;
    size.saturating_sub(have * bench.torrent.piece_length as u64)
}

/// The same, and everything that the run before had verified was still there.
fn assert_nothing_lost(bench: &Bench, before: &mut Child) {
    let verified = verified(before);
    let have = assert_recovers(bench);
    assert!(have >= verified, "{have} of {verified} pieces");
}

/// The only file of a [`Bench::new`].
fn file(bench: &Bench) -> PathBuf {
    bench.content().join("content.bin")
}

fn resume(bench: &Bench) -> PathBuf {
    bench
        .dir
        .join(format!("state/{}.resume", bench.torrent.hex()))
}
