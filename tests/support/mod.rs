//! What the outer tests share: temporary folders, child processes with deadlines, network
//! namespaces, content and torrents made here, scripted peers, and drivers for the clients and
//! trackers that others wrote.

// Each test binary uses its own part of this.
#![allow(dead_code)]

pub mod authority;
pub mod bench;
pub mod child;
pub mod clients;
pub mod content;
pub mod dir;
pub mod json;
pub mod meeting;
pub mod nat;
pub mod net;
pub mod peer;
pub mod room;
pub mod source;
pub mod torrent;
pub mod trackers;
pub mod web;
pub mod web_seed;

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Waits for events, or for so long at most. A signal to the process ends a wait early: the wait
/// is then begun again.
pub fn poll(poll: &mut mio::Poll, events: &mut mio::Events, most: std::time::Duration) {
    while let Err(error) = poll.poll(events, Some(most)) {
        assert_eq!(error.kind(), std::io::ErrorKind::Interrupted, "{error}");
    }
}

/// Says on standard error that this test cannot run here, and why; and in the file that `SKIPPED`
/// names, if it is set. Where everything has to be there (`CI=true`), that is a failure.
pub fn skip(why: &str) {
    assert!(
        std::env::var_os("CI").is_none_or(|value| value != "true"),
        "cannot run: {why}"
    );
    let thread = std::thread::current();
    let line = format!("SKIPPED {}: {why}\n", thread.name().unwrap_or("a test"));
    // The harness shows what `eprintln!` prints only of tests that fail.
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    if let Some(list) = std::env::var_os("SKIPPED") {
        let mut options = OpenOptions::new();
        let mut list = options.create(true).append(true).open(list).unwrap();
        list.write_all(line.as_bytes()).unwrap();
    }
}

/// Whether all these programs are on the path; if not, the test is skipped with a line that names
/// what is missing.
pub fn installed(programs: &[&str]) -> bool {
    let found = |program: &&&str| {
        std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
            .any(|folder| folder.join(program).is_file())
    };
    match programs.iter().find(|program| !found(program)) {
        Some(missing) => skip(&format!("{missing} is not installed (see tests/setup.sh)")),
        None => return true,
    }
    false
}

/// Whether we may make namespaces and mounts; if not, the test is skipped.
pub fn root() -> bool {
    let root = Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|out| out.stdout.trim_ascii() == b"0");
    if !root {
        skip("namespaces and mounts need root");
    }
    root
}

/// The folder where `tests/setup.sh` installs packages of npm, `node_modules` and all.
pub fn node_folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("../node")
}

/// Whether a package of npm and what runs it are there; if not, the test is skipped.
pub fn npm_installed(package: &str) -> bool {
    if !installed(&["node"]) {
        return false;
    }
    let there = node_folder().join("node_modules").join(package).is_dir();
    if !there {
        skip(&format!("{package} is not installed (see tests/setup.sh)"));
    }
    there
}

/// A file of the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
