//! On a machine that has nothing yet: what the tests start is installed by `tests/setup.sh`, a test
//! that cannot run says so, and `make install` puts the program where it is told to.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use support::dir::Dir;
use support::repository;

/// Programs of packages that every Debian has: bash, bsdutils, coreutils, dash, mount, util-linux.
const EVERYWHERE: &[&str] = &[
    "bash",
    "cat",
    "chmod",
    "chown",
    "cp",
    "dd",
    "env",
    "id",
    "losetup",
    "mkdir",
    "mkfifo",
    "mount",
    "mountpoint",
    "nsenter",
    "script",
    "setpriv",
    "sh",
    "sleep",
    "stdbuf",
    "stty",
    "sync",
    "timeout",
    "true",
    "truncate",
    "umount",
    "unshare",
];

/// What stands before the name of a program that is started or looked for.
const STARTS: &[&str] = &[
    "Command::new(",
    "command(None, ",
    "command(Some(host), ",
    "command(host, ",
    "command_as_nobody(None, ",
    "installed(&[",
];

#[test]
fn what_the_tests_start_is_installed_by_the_setup() {
    let setup = fs::read_to_string(repository("tests/setup.sh")).unwrap();
    let needed = setup.lines().filter_map(|line| {
        let mut words = line.strip_prefix("need ")?.split(' ');
        words.next()
    });
    let known: BTreeSet<&str> = needed.chain(EVERYWHERE.iter().copied()).collect();
    assert!(known.contains("transmission-cli") && known.contains("strace"));
    let (mut seen, mut broken) = (0, String::new());
    for path in sources() {
        let text = fs::read_to_string(&path).unwrap();
        for program in started(&text) {
            seen += 1;
            if !known.contains(program) {
                broken += &format!("{}: {program}\n", path.display());
            }
        }
    }
    assert!(seen > 20, "only {seen} programs are found in the tests");
    assert!(broken.is_empty(), "not named in tests/setup.sh:\n{broken}");
}

#[test]
fn the_reader_of_tests_finds_each_program() {
    let text = r#"
        Command::new("one").arg("none"); command(None, "two"); installed(&["three", "four"])
        Command::new(PYTHON); command(Some(host), "five"); Command::new("/usr/bin/six")
    "#;
    assert_eq!(started(text), ["one", "two", "three", "four", "five"]);
}

/// The programs that a source names where it starts or looks for one, those of [`STARTS`] only.
fn started(text: &str) -> Vec<&str> {
    let mut found: Vec<(usize, &str)> = Vec::new();
    for &start in STARTS {
        for (at, _) in text.match_indices(start) {
            let rest = &text[at + start.len()..];
            let end = rest.find([')', ']']).unwrap_or(rest.len());
            let many = if start.ends_with('[') { usize::MAX } else { 1 };
            if rest.starts_with('"') {
                let names = rest[..end].split('"').skip(1).step_by(2).take(many);
                found.extend(names.map(|name| (at, name)));
            }
        }
    }
    found.retain(|(_, name)| !name.contains('/'));
    found.sort_by_key(|(at, _)| *at);
    found.into_iter().map(|(_, name)| name).collect()
}

/// The tests that `cargo test` runs; what measures and what fuzzes installs what it needs itself.
fn sources() -> Vec<PathBuf> {
    let apart = ["tests/bench", "tests/fuzz", "tests/fresh.rs"].map(repository);
    let mut folders = vec![repository("tests"), repository("src")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let rust = path.extension().is_some_and(|extension| extension == "rs");
            if apart.contains(&path) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if rust {
                found.push(path);
            }
        }
    }
    found
}

/// A test that skips when it is run by the next two: in a process of its own, under the harness.
#[test]
fn somebody_who_skips() {
    if std::env::var_os("MUST_SKIP").is_some() {
        support::skip("there is no moon");
    }
}

fn skipping(list: &Path, ci: &str) -> Output {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "somebody_who_skips"])
        .args(["--test-threads", "2"])
        .envs([("MUST_SKIP", "1"), ("CI", ci)])
        .env("SKIPPED", list)
        .output()
        .unwrap()
}

#[test]
fn a_test_that_is_skipped_says_so_though_it_passes() {
    let dir = Dir::new();
    let list = dir.join("list");
    let line = "SKIPPED somebody_who_skips: there is no moon\n";
    for times in 1..=2 {
        let done = skipping(&list, "");
        assert!(done.status.success(), "{done:?}");
        assert_eq!(String::from_utf8(done.stderr).unwrap(), line);
        assert_eq!(fs::read_to_string(&list).unwrap(), line.repeat(times));
    }
}

#[test]
fn a_test_that_cannot_run_fails_where_everything_has_to_be_there() {
    let dir = Dir::new();
    let list = dir.join("list");
    let done = skipping(&list, "true");
    let said = String::from_utf8(done.stdout).unwrap();
    assert!(!done.status.success(), "{said}");
    assert!(said.contains("cannot run: there is no moon"), "{said}");
    assert!(!list.exists());
}

#[test]
fn make_install_puts_the_program_below_its_prefix() {
    if !support::installed(&["make"]) {
        return;
    }
    let dir = Dir::new();
    // A program that is built already is installed as it is: installing as root runs no compiler.
    dir.file("built/release/brooklet", "#!/bin/sh\necho built\n");
    for (variables, place, says) in [
        (
            vec![format!("PREFIX={}", dir.join("own place").display())],
            dir.join("own place/bin/brooklet"),
            "own place/bin/brooklet",
        ),
        (
            vec![format!("DESTDIR={}", dir.join("stage").display())],
            dir.join("stage/usr/local/bin/brooklet"),
            "stage/usr/local/bin/brooklet",
        ),
    ] {
        let done = Command::new("make")
            .args(["-C", env!("CARGO_MANIFEST_DIR"), "install"])
            .args(variables)
            .env("CARGO_TARGET_DIR", dir.join("built"))
            .env_remove("MAKEFLAGS")
            .output()
            .unwrap();
        assert!(done.status.success(), "{done:?}");
        let said = String::from_utf8(done.stdout).unwrap();
        assert!(said.contains(says) && said.contains("help"), "{said}");
        let mode = fs::metadata(&place).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o755);
        assert_eq!(fs::read(&place).unwrap(), b"#!/bin/sh\necho built\n");
    }
}
