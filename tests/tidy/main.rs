//! The rules of the house, read off the source: who may import whom, what is pure, how long things
//! may be, what the repository holds, and that its manual names nothing that is not there.

#[path = "../support/mod.rs"]
mod support;

mod manual;
mod structure;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::repository;
use support::source::{Source, has_word};

/// Folders by rank. A folder imports lower ranks only; folders of one rank do not know each other.
const RANKS: &[&[&str]] = &[
    &["base"],
    &["wire"],
    &["http"],
    &[
        "peer", "pieces", "storage", "tracker", "webseed", "dht", "lsd", "utp", "mse", "socks",
    ],
    &["torrent", "explain"],
    &["session"],
    &["rpc"],
    &["io"],
    &["cli"],
    &["main", "build"],
];

/// Folders that may touch the outside.
const IMPURE: &[&str] = &["io", "cli", "main", "lib", "build"];

/// Lines that a file may have.
const FILE_LINES: usize = 450;

/// Lines that a function may have.
const FUNCTION_LINES: usize = 70;

/// Crates besides our own that the program may stand on.
const CRATES: usize = 40;
/// The same with https.
const HTTPS_CRATES: usize = 55;

#[test]
fn rooms_import_lower_ranks_only() {
    let mut broken = String::new();
    for source in &sources() {
        if source.folder() == "lib" {
            continue;
        }
        let own = rank(source.folder())
            .unwrap_or_else(|| panic!("src/{}: a folder without a rank", source.path));
        for (line, path) in source.paths() {
            let Some(folder) = folder_named(source, &path) else {
                continue;
            };
            if folder != source.folder() && rank(&folder).is_some_and(|other| other >= own) {
                let _ = writeln!(
                    broken,
                    "src/{}:{line}: {} imports {folder}",
                    source.path,
                    source.folder()
                );
            }
        }
    }
    report("ranks", &broken);
}

#[test]
fn below_io_nothing_touches_the_outside() {
    const FORBIDDEN: &[&str] = &[
        "std::fs",
        "std::io",
        "std::env",
        "std::thread",
        "std::process",
        "std::os",
        "std::net::TcpStream",
        "std::net::TcpListener",
        "std::net::UdpSocket",
        "std::net::ToSocketAddrs",
        "std::time::Instant",
        "std::time::SystemTime",
        "std::time::UNIX_EPOCH",
        "log",
        "mio",
        "rustix",
        "signal_hook",
        "simplelog",
        "rand::rng",
        "rand::thread_rng",
        "rand::random",
        "rand::rngs::SysRng",
        "rand::rngs::OsRng",
        "rand::rngs::ThreadRng",
    ];
    const MACROS: &[&str] = &["println!", "eprintln!", "print!", "eprint!", "dbg!"];
    let mut broken = String::new();
    for source in &sources() {
        if IMPURE.contains(&source.folder()) {
            continue;
        }
        for (line, path) in source.paths() {
            let inside = |outer: &&&str| {
                path.strip_prefix(**outer)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
            };
            if FORBIDDEN.iter().any(|outer| inside(&outer)) {
                let _ = writeln!(broken, "src/{}:{line}: {path}", source.path);
            }
        }
        for (line, code) in source.code.lines().enumerate() {
            if MACROS.iter().any(|name| has_word(code, name)) {
                let _ = writeln!(broken, "src/{}:{}: {}", source.path, line + 1, code.trim());
            }
        }
    }
    report("purity", &broken);
}

/// Bytes from a peer reach a machine through `Session::open` alone, and leave through
/// `Session::seal`, whose result is all that a peer's socket takes.
#[test]
fn peers_bytes_pass_two_places() {
    const OPEN: &[&str] = &["Input::new", "next_handshake", "next_event", "next_frame"];
    const CALLERS: &[(&str, &[&str])] = &[
        ("Input::new", &["session/intake.rs"]),
        ("Sealed::new", &["session/intake.rs"]),
    ];
    let mut broken = String::new();
    let sources = sources();
    let machines = sources.iter().filter(|it| !it.module().contains(&"tests"));
    for source in machines {
        for (line, code) in source.code.lines().enumerate() {
            let outside = ["io", "cli"].contains(&source.folder());
            let by_hand = OPEN.iter().any(|name| outside && has_word(code, name));
            let elsewhere = CALLERS
                .iter()
                .any(|(name, places)| has_word(code, name) && !places.contains(&&*source.path));
            if by_hand || elsewhere {
                let _ = writeln!(broken, "src/{}:{}: {}", source.path, line + 1, code.trim());
            }
        }
    }
    report("past open and seal", &broken);
}

#[test]
fn some_things_are_not_used_at_all() {
    let mut broken = String::new();
    for source in &sources() {
        let mut words = vec!["unsafe", "todo!", "unimplemented!", "RefCell", "Rc", "dbg!"];
        // Their order differs from run to run, and strangers choose our keys: trees have an order,
        // and no worst case.
        words.extend(["HashMap", "HashSet", "hash_map", "hash_set"]);
        if source.folder() != "main" {
            words.push("Box<dyn Error>");
            words.push("Box<dyn std::error::Error>");
        }
        for (line, code) in source.code.lines().enumerate() {
            for word in words.iter().filter(|word| has_word(code, word)) {
                let _ = writeln!(broken, "src/{}:{}: {word}", source.path, line + 1);
            }
        }
        for line in source.let_chains() {
            let _ = writeln!(
                broken,
                "src/{}:{line}: a let chain (newer than rust-version)",
                source.path
            );
        }
    }
    report("not used here", &broken);
}

#[test]
fn files_and_functions_are_short() {
    let mut broken = String::new();
    for source in &sources() {
        let lines = source.text.lines().count();
        if lines > FILE_LINES {
            let _ = writeln!(broken, "src/{}: {lines} lines", source.path);
        }
        for (name, line, lines) in source.functions() {
            if lines > FUNCTION_LINES {
                let _ = writeln!(
                    broken,
                    "src/{}:{line}: {name} has {lines} lines",
                    source.path
                );
            }
        }
    }
    report("too long", &broken);
}

#[test]
fn the_top_level_holds_what_it_should() {
    const KEPT: &[&str] = &[
        ".ci",
        ".gitignore",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "Makefile",
        "PROTOCOL.md",
        "README.md",
        "findings",
        "src",
        "testdata",
        "tests",
    ];
    const UNKEPT: &[&str] = &[".git", "target"];
    let mut broken = String::new();
    for entry in fs::read_dir(repository(".")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !KEPT.contains(&name.as_str()) && !UNKEPT.contains(&name.as_str()) {
            let _ = writeln!(broken, "{name}");
        }
    }
    report("not on the list of the top level", &broken);
}

#[test]
fn nothing_is_left_over_and_no_machine_is_named() {
    // Put together here, so that this file does not name them.
    let leftovers = ["TO-DO", "FIX-ME", "XX-X"].map(|word| word.replace('-', ""));
    let places = ["work", "tmp", "root", "home", "farm"].map(|name| format!("/{name}"));
    let ignored = format!("#[{}]", "ignore");
    let mut broken = String::new();
    for path in written_files() {
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        let name = path
            .strip_prefix(repository(""))
            .unwrap_or(&path)
            .display()
            .to_string();
        for (line, text) in text.lines().enumerate() {
            let left = leftovers.iter().any(|word| has_word(text, word));
            if left || text.contains(&ignored) || places.iter().any(|place| names(text, place)) {
                let _ = writeln!(broken, "{name}:{}: {}", line + 1, text.trim());
            }
        }
    }
    report("left over", &broken);
}

#[test]
fn few_crates_are_needed() {
    let (usual, https) = (crates_with(""), crates_with("https"));
    assert!(usual.len() <= CRATES, "{} crates: {usual:#?}", usual.len());
    assert!(
        https.len() <= HTTPS_CRATES,
        "{} crates: {https:#?}",
        https.len()
    );
    let has = |crates: &BTreeSet<String>, name: &str| {
        crates.iter().any(|it| it.split(' ').next() == Some(name))
    };
    assert!(!has(&usual, "rustls") && has(&https, "rustls"));
    for all in [&usual, &https] {
        assert!(
            !has(all, "aws-lc-rs") && !has(all, "openssl-sys"),
            "{all:#?}"
        );
    }
}

/// The crates that the program stands on with these features.
fn crates_with(features: &str) -> BTreeSet<String> {
    let tree = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--features",
            features,
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--locked",
            "--offline",
        ])
        .current_dir(repository(""))
        .output()
        .unwrap();
    assert!(
        tree.status.success(),
        "{}",
        String::from_utf8_lossy(&tree.stderr)
    );
    let crates: BTreeSet<String> = String::from_utf8(tree.stdout)
        .unwrap()
        .lines()
        .map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" "))
        .filter(|name| !name.is_empty() && !name.starts_with("brooklet "))
        .collect();
    assert!(!crates.is_empty());
    crates
}

#[test]
fn the_reader_of_source_sees_what_is_there() {
    let text = r##"
use crate::{base::id::InfoHash, wire::{self, message}};
/* unsafe { } /* nested */ */ fn short<'a>(x: &'a str) -> char { let _ = "unsafe { \" println!"; '\'' }
fn chained() { if let Some(x) = y && z { } }
fn plain() { if let Some(x) = (y && z) { while let Some(b'{') = r#"}"#.next() {
} } }
#[cfg(test)]
mod tests { use std::fs; fn long() { } }
"##;
    let source = Source::new("peer/phase.rs".into(), text.into());
    let paths: Vec<String> = source.paths().into_iter().map(|(_, path)| path).collect();
    for path in [
        "crate::base::id::InfoHash",
        "crate::wire::self",
        "crate::wire::message",
    ] {
        assert!(
            paths.contains(&path.to_string()),
            "{path} is not in {paths:?}"
        );
    }
    assert!(!paths.iter().any(|path| path.starts_with("std::fs")));
    assert!(!has_word(&source.code, "unsafe") && !has_word(&source.code, "println!"));
    assert_eq!(source.let_chains(), [4]);
    let functions = [("short", 3, 1), ("chained", 4, 1), ("plain", 5, 2)];
    assert_eq!(
        source.functions(),
        functions.map(|(name, at, len)| (name.into(), at, len))
    );
    assert_eq!(
        folder_named(&source, "super::super::io::disk"),
        Some("io".into())
    );
    assert_eq!(folder_named(&source, "super::choke"), None);
    assert_eq!(source.code.lines().count(), text.lines().count());
}

fn rank(folder: &str) -> Option<usize> {
    RANKS.iter().position(|folders| folders.contains(&folder))
}

/// The folder that a path leads to, if it says so: from the crate's root, or up from where it
/// stands.
fn folder_named(source: &Source, path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split("::").collect();
    let supers = parts.iter().take_while(|part| **part == "super").count();
    match parts[..] {
        ["crate" | "brooklet", folder, ..] => Some(folder.into()),
        _ if supers > 0 && supers == source.module().len() => {
            parts.get(supers).map(|r| r.to_string())
        }
        _ => None,
    }
}

/// Whether a line names a place on a machine: this folder at the root, not a part of a longer path
/// or a URL.
fn names(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + place.len()..].chars().next();
        let joined = |c: char| c.is_ascii_alphanumeric() || "_-.}*)<>]/:$".contains(c);
        !before.is_some_and(joined)
            && !after.is_some_and(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
    })
}

fn sources() -> Vec<Source> {
    let root = repository("src");
    let mut sources: Vec<Source> = files(&root)
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| {
            let name = path
                .strip_prefix(&root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_string();
            Source::new(name, fs::read_to_string(&path).unwrap())
        })
        .collect();
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(sources.len() > 20);
    sources
}

/// What people wrote here: all but data, history and what is built.
fn written_files() -> Vec<PathBuf> {
    ["src", "tests", ".ci"]
        .iter()
        .flat_map(|folder| files(&repository(folder)))
        .chain(["Makefile", "README.md", "PROTOCOL.md", "Cargo.toml"].map(repository))
        .collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            found.push(path);
        } else if !path.ends_with("target") {
            found.extend(files(&path));
        }
    }
    found
}

fn report(what: &str, broken: &str) {
    assert!(broken.is_empty(), "{what}:\n{broken}");
}
