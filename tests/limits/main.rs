//! Every bound of `base/limits.rs`, driven to: at the bound things work, one past it what is
//! documented happens. A module for each heading there, a test for each constant or for a few that
//! belong together. That none is forgotten is checked below; some are tested where the code is that
//! they bound (`src/**/tests`, and the `mod tests` at the end of files), or among the tests of a
//! whole machine (`tests/utp`, `tests/session`).

#[path = "../support/exchange.rs"]
#[allow(dead_code)]
mod exchange;
#[path = "../pieces/support.rs"]
#[allow(dead_code)]
mod pieces_support;
#[path = "../support/session.rs"]
#[allow(dead_code)]
mod session;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/transcript.rs"]
#[allow(dead_code)]
mod transcript;

mod adds;
mod disk;
mod ending;
mod exchanging;
mod finding;
mod frames;
mod handles;
mod metainfo;
mod newcomers;
mod patience;
mod pieces;
mod poisoners;
mod requests;
mod sleepers;
mod stalled;
mod swarm;
mod trackers;
mod urls;
mod web_seeds;

use std::fs;
use std::path::{Path, PathBuf};

use support::repository;
use support::source::has_word;

/// The code of tests: of those here, and of those that stand beside what they test.
fn tests() -> String {
    fn files(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files(&path, found);
            } else if path.extension().is_some_and(|it| it == "rs") {
                found.push(path);
            }
        }
    }
    let mut paths = Vec::new();
    files(&repository("src"), &mut paths);
    for folder in ["tests/limits", "tests/utp", "tests/session", "tests/ways"] {
        files(&repository(folder), &mut paths);
    }
    let mut all = String::new();
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        let whole =
            path.components().any(|part| part.as_os_str() == "tests") || path.ends_with("tests.rs");
        let tests = if whole {
            Some(&text[..])
        } else {
            text.split_once("#[cfg(test)]\nmod tests").map(|it| it.1)
        };
        all.extend(tests);
    }
    all
}

#[test]
fn each_bound_is_named_by_a_test() {
    let (limits, tests) = (
        [
            "limits.rs",
            "limits/dht.rs",
            "limits/disk.rs",
            "limits/encryption.rs",
            "limits/finding.rs",
            "limits/metadata.rs",
            "limits/proxy.rs",
            "limits/trackers.rs",
            "limits/unattended.rs",
            "limits/utp.rs",
            "limits/web.rs",
        ]
        .map(|name| fs::read_to_string(repository("src/base").join(name)).unwrap())
        .concat(),
        tests(),
    );
    let names = limits.lines().filter_map(|line| {
        let name = line.strip_prefix("pub const ")?;
        name.split_once(':').map(|(name, _)| name)
    });
    let names: Vec<&str> = names
        .filter(|name| !matches!(*name, "KIB" | "MIB"))
        .collect();
    assert!(names.len() > 100);
    let named = |name: &&&str| has_word(&tests, &format!("limits::{name}"));
    let missing: Vec<&&str> = names.iter().filter(|name| !named(name)).collect();
    assert!(missing.is_empty(), "no test drives to {missing:?}");
}
