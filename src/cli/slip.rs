//! Slips of the keyboard, and habits from other programs: what a user may have meant.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::{Failure, help, quote};
use crate::wire::magnet;

/// Options of other clients, and ours that do the same.
const OPTIONS: &[(&str, &str)] = &[
    ("--directory", "--dir"),
    ("--download-dir", "--dir"),
    ("--save-path", "--dir"),
    ("--out", "--dir"),
    ("--output", "--dir"),
    ("-o", "--dir"),
    ("-O", "--dir"),
    ("-w", "--dir"),
    ("--download-limit", "--down"),
    ("--max-download-limit", "--down"),
    ("--max-overall-download-limit", "--down"),
    ("--limit-rate", "--down"),
    ("--downlimit", "--down"),
    ("--upload-limit", "--up"),
    ("--max-upload-limit", "--up"),
    ("--max-overall-upload-limit", "--up"),
    ("--uplimit", "--up"),
    ("--listen-port", "--port"),
    ("--interface", "--bind"),
    ("--all-proxy", "--proxy"),
    ("--socks5", "--proxy"),
    ("--seed-ratio", "--ratio"),
    ("--max-connections", "--max-peers"),
    ("--select-file", "--files"),
    ("--select", "--files"),
    ("--verify", "--recheck"),
    ("--check-integrity", "--recheck"),
    ("--announce", "--tracker"),
    ("-a", "--tracker"),
    ("-t", "--tracker"),
    ("--piece-size", "--piece-length"),
    ("-l", "--piece-length"),
    ("-p", "--private"),
    ("-c", "--comment"),
    ("-w", "--web-seed"),
    ("--webseed", "--web-seed"),
    ("--ignore", "--exclude"),
    ("--overwrite", "--force"),
    ("-v", "-V"),
    ("-?", "--help"),
];
/// Words that other programs have for our commands.
const COMMANDS: &[(&str, &str)] = &[
    ("download", "get"),
    ("fetch", "get"),
    ("leech", "get"),
    ("start", "get"),
    ("upload", "seed"),
    ("serve", "seed"),
    ("make", "create"),
    ("new", "create"),
    ("info", "show"),
    ("list", "show"),
    ("files", "show"),
    ("print", "show"),
    ("verify", "check"),
    ("hash", "check"),
    ("test", "check"),
];

/// The option of a command (none: of the program) that an unknown one was probably meant to be.
pub fn option(command: &str, given: &str) -> Option<&'static str> {
    let manual = help::text_of(if command.is_empty() { "help" } else { command })?;
    let lines = manual.lines().map(str::trim_start);
    let words = lines
        .filter(|line| line.starts_with('-'))
        .flat_map(|line| line.split([' ', ',']));
    let known: Vec<&str> = words.filter(|word| word.starts_with('-')).collect();
    let mut synonyms = OPTIONS.iter().filter(|(other, _)| *other == given);
    let synonym = synonyms.find_map(|(_, own)| known.iter().find(|known| *known == own));
    synonym.copied().or_else(|| nearest(given, known))
}

/// What is to be said of a command that does not exist.
pub fn command(given: &OsStr) -> Failure {
    let text = given.to_string_lossy();
    let synonym = COMMANDS.iter().find(|(other, _)| *other == text);
    let own = help::COMMANDS.iter().copied();
    let meant = synonym.map(|(_, own)| *own).or_else(|| nearest(&text, own));
    let name = quote(given);
    Failure::usage(match meant {
        _ if is_torrent(given) => {
            format!("{name}: this is no command: did you mean brooklet get {name}?")
        }
        Some(meant) => format!("{name}: no such command: did you mean {meant}?"),
        None => format!("{name}: no such command: see brooklet --help"),
    })
}

/// What is to be said of one more argument, where one torrent is named already.
pub fn another(command: &str, first: Option<&OsStr>, next: &OsStr) -> Failure {
    let name = quote(next);
    if let Some(failure) = first.and_then(|first| apart(first, next)) {
        return failure;
    }
    Failure::usage(if is_torrent(next) {
        format!("{name}: one torrent at a time: run brooklet {command} once for each")
    } else {
        format!("{name}: an argument too many: see brooklet {command} --help")
    })
}

/// What is to be said of two arguments that are the parts of one name, if any are.
pub fn spaced(arguments: &[OsString]) -> Option<Failure> {
    arguments
        .windows(2)
        .find_map(|pair| apart(&pair[0], &pair[1]))
}

fn apart(first: &OsStr, next: &OsStr) -> Option<Failure> {
    let mut whole = first.to_owned();
    whole.push(" ");
    whole.push(next);
    let one = !Path::new(first).exists() && Path::new(&whole).exists();
    one.then(|| {
        let (name, whole) = (quote(next), quote(&whole));
        let why = format!("did you mean '{whole}'? A name with spaces needs quotes");
        Failure::usage(format!("{name}: {why}"))
    })
}

/// Whether an argument names a torrent, as far as it says itself.
fn is_torrent(argument: &OsStr) -> bool {
    let text = argument.to_string_lossy();
    let lower = text.to_ascii_lowercase();
    lower.ends_with(".torrent")
        || magnet::is_magnet(&text)
        || (!lower.is_empty() && Path::new(argument).is_file())
}

/// The word that needs the fewest changes to be `given`, if they are few; else the only one that
/// begins like it.
fn nearest<'a>(given: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let words: Vec<&str> = words.into_iter().collect();
    let letters = given.trim_start_matches('-').chars().count();
    let changes = words
        .iter()
        .map(|word| (distance(given, word), *word))
        .min();
    let close = changes.filter(|(changes, _)| *changes <= letters / 3);
    close.map(|(_, word)| word).or_else(|| {
        let mut longer = words.iter().filter(|word| word.starts_with(given));
        let first = longer.next().filter(|_| letters > 1)?;
        longer.all(|other| other == first).then_some(*first)
    })
}

/// How many letters must be put in, left out, replaced or exchanged with their neighbour to make
/// one word of the other.
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    // Distances of the first letters of `one`, two rows back and one, to each beginning of `other`.
    let (mut before, mut last) = (Vec::new(), (0..=other.len()).collect::<Vec<usize>>());
    for (i, letter) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, counterpart) in other.iter().enumerate() {
            let replaced = last[j] + usize::from(letter != counterpart);
            let mut least = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *letter == other[j - 1] && one[i - 1] == *counterpart {
                let exchanged: &[usize] = &before;
                least = least.min(exchanged[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_counted() {
        for (one, other, changes) in [
            ("", "", 0),
            ("abc", "", 3),
            ("seed", "seeds", 1),
            ("sede", "seed", 1),
            ("port", "part", 1),
            ("kitten", "sitting", 3),
            ("ratoi", "ratio", 1),
        ] {
            assert_eq!(distance(one, other), changes, "{one} {other}");
            assert_eq!(distance(other, one), changes, "{other} {one}");
        }
    }

    #[test]
    fn a_slip_is_seen_and_nothing_else() {
        for (command, given, meant) in [
            ("get", "--sequental", Some("--sequential")),
            ("get", "--seq", Some("--sequential")),
            ("get", "--max-peer", Some("--max-peers")),
            ("get", "--no-tracker", Some("--no-trackers")),
            ("get", "--output", Some("--dir")),
            ("seed", "--upload-limit", Some("--up")),
            ("create", "--announce", Some("--tracker")),
            ("create", "--piece-size", Some("--piece-length")),
            ("create", "--dir", None),
            ("", "-v", Some("-V")),
            ("get", "--frobnicate", None),
            ("get", "-x", None),
            ("get", "--no", None),
        ] {
            assert_eq!(option(command, given), meant, "{command} {given}");
        }
    }
}
