//! `--files`: which files a user wants, by the numbers that `show` prints or by a glob.
//!
//! Files are numbered from 1 in the torrent's order; padding (BEP 47) has no number, since it
//! cannot be chosen. In a glob `?` is any letter and `*` any run of letters but neither is a `/`,
//! `**` is any run at all, and `[a-z]` is one of a set (`[!a-z]`: none of it). A glob without `/`
//! is matched against the file's own name, one with `/` against its path, with or without the
//! torrent's name.
//!
//! Names may hold the signs of a glob. So a pattern that is a file's name or path, letter by letter
//! or as `show` prints it, chooses that file; only another one is a glob. Where a glob with
//! brackets chooses no file, its brackets are taken as letters. File numbers come before all of
//! that: a file whose name is a number of some file is chosen by its path (`NAME/2` or `./2`).

use crate::base::printable;
use crate::wire::{FileEntry, FileKind};

/// The files that have a number, in order: number `n` stands at place `n - 1`. Each with its index
/// among the torrent's files.
pub fn numbered(files: &[FileEntry]) -> impl Iterator<Item = (usize, &FileEntry)> {
    let indexed = files.iter().enumerate();
    indexed.filter(|(_, file)| file.kind != FileKind::Padding)
}

/// The files that any of these patterns chooses, as [`choose`] says; `None`: there are no patterns.
pub fn choose_all(patterns: &[String], all: &[FileEntry]) -> Result<Option<Vec<usize>>, String> {
    let chosen: Result<Vec<_>, String> = patterns.iter().map(|it| choose(it, all)).collect();
    let mut chosen = chosen?.concat();
    chosen.sort_unstable();
    chosen.dedup();
    Ok((!patterns.is_empty()).then_some(chosen))
}

/// The indices of the files that `pattern` chooses, ascending.
///
/// # Errors
/// What is wrong with the pattern, as `PATTERN: WHY`.
pub fn choose(pattern: &str, files: &[FileEntry]) -> Result<Vec<usize>, String> {
    let digits = |letter: char| letter.is_ascii_digit() || matches!(letter, ',' | '-' | ' ');
    let numbers = pattern.chars().all(digits);
    let numbered = by_number(pattern, files);
    if let (true, Ok(chosen)) = (numbers, &numbered) {
        return Ok(chosen.clone());
    }
    let glob = |sets| by_glob(&Pattern::new(pattern, sets), files);
    let chosen = by_name(pattern, files)
        .or_else(|| {
            (!numbers)
                .then(|| glob(true))
                .filter(|chosen| !chosen.is_empty())
        })
        .or_else(|| {
            (!numbers)
                .then(|| glob(false))
                .filter(|chosen| !chosen.is_empty())
        });
    match (chosen, numbered) {
        (Some(chosen), _) => Ok(chosen),
        (None, Err(_)) if pattern.is_empty() => Err(String::from("'': expected numbers or a glob")),
        (None, Err(why)) if numbers => Err(format!("{pattern}: {why}")),
        (None, _) => Err(match folder(pattern, files) {
            Some(name) => format!("{pattern}: a folder: '{name}/**' chooses what is in it"),
            None => format!("{pattern}: no file of the torrent matches"),
        }),
    }
}

/// A pattern without `/` at its end, if it is the path of a folder that holds files.
fn folder<'a>(pattern: &'a str, files: &[FileEntry]) -> Option<&'a str> {
    let path = pattern.trim_start_matches("./").trim_end_matches('/');
    let holds = |whole: &str| {
        let below = whole.strip_prefix(path);
        below.is_some_and(|rest| rest.starts_with('/'))
    };
    let mut paths = numbered(files).map(|(_, file)| &*file.path);
    let found = paths.any(|whole| {
        let below = whole.split_once('/');
        holds(whole) || below.is_some_and(|(_, below)| holds(below))
    });
    (found && !path.is_empty()).then_some(path)
}

/// The files whose own name, or with a `/` whose path, is `pattern`. A path with the torrent's name
/// counts before one without it.
fn by_name(pattern: &str, files: &[FileEntry]) -> Option<Vec<usize>> {
    let short = pattern.strip_prefix("./").unwrap_or(pattern);
    let is = |name: &str| {
        let shown = printable(name);
        [pattern, short]
            .iter()
            .any(|text| *text == name || *text == shown)
    };
    let below = |path: &str| path.split_once('/').is_some_and(|(_, below)| is(below));
    let own = |path: &str| path.rsplit('/').next().is_some_and(is);
    let find = |test: &dyn Fn(&str) -> bool| {
        let found = numbered(files).filter(|(_, file)| test(&file.path));
        let found: Vec<usize> = found.map(|(index, _)| index).collect();
        (!found.is_empty()).then_some(found)
    };
    if pattern.contains('/') {
        find(&is).or_else(|| find(&below))
    } else {
        find(&own)
    }
}

fn by_number(pattern: &str, files: &[FileEntry]) -> Result<Vec<usize>, String> {
    let indices: Vec<usize> = numbered(files).map(|(index, _)| index).collect();
    let mut chosen = Vec::new();
    for part in pattern.split(',') {
        let number = |text: &str| {
            let number = text.trim().parse::<usize>();
            number.map_err(|_| String::from("expected file numbers such as 1,3-5"))
        };
        let (first, last) = match part.split_once('-') {
            // An end that is left out is that of the list.
            Some((first, "")) if !first.is_empty() => (number(first)?, indices.len()),
            Some(("", last)) if !last.is_empty() => (1, number(last)?),
            Some((first, last)) => (number(first)?, number(last)?),
            None => (number(part)?, number(part)?),
        };
        if first > last && (1..=indices.len()).contains(&first) {
            return Err(String::from("the range ends before it begins"));
        }
        if first == 0 || first > last || last > indices.len() {
            let count = indices.len();
            return Err(format!("the torrent's files are numbered 1 to {count}"));
        }
        chosen.extend_from_slice(&indices[first - 1..last]);
    }
    chosen.sort_unstable();
    chosen.dedup();
    Ok(chosen)
}

fn by_glob(pattern: &Pattern, files: &[FileEntry]) -> Vec<usize> {
    let chosen = numbered(files).filter(|(_, file)| pattern.means(&file.path));
    chosen.map(|(index, _)| index).collect()
}

/// A glob as a user types it: one without `/` is about names, one with `/` about paths.
#[derive(Debug)]
pub struct Pattern {
    glob: Glob,
    whole_path: bool,
}

impl Pattern {
    /// Reads a pattern; every text is one. Without `sets`, a bracket is a letter.
    pub fn new(text: &str, sets: bool) -> Pattern {
        let text = text.trim_start_matches("./");
        Pattern {
            glob: Glob::new(text, sets),
            whole_path: text.contains('/'),
        }
    }

    /// Whether it matches this path, which begins with the torrent's name.
    pub fn means(&self, path: &str) -> bool {
        if self.whole_path {
            let below = path.split_once('/');
            self.glob.matches(path) || below.is_some_and(|(_, below)| self.glob.matches(below))
        } else {
            let name = path.rsplit('/').next();
            name.is_some_and(|name| self.glob.matches(name))
        }
    }
}

/// A glob, taken apart.
#[derive(Debug)]
struct Glob(Vec<Token>);

#[derive(Debug)]
enum Token {
    Letter(char),
    /// `?`: any letter but `/`.
    Any,
    /// `[…]`: ranges, and whether a letter must be outside them.
    Set(Vec<(char, char)>, bool),
    /// `*`: any run; `**` also across `/`.
    Run {
        slashes: bool,
    },
}

impl Glob {
    /// Takes a pattern apart; without `sets`, a bracket is a letter.
    fn new(pattern: &str, sets: bool) -> Glob {
        let mut tokens = Vec::new();
        let mut rest = pattern;
        while let Some(letter) = rest.chars().next() {
            rest = &rest[letter.len_utf8()..];
            tokens.push(match letter {
                '?' => Token::Any,
                '*' => {
                    let after = rest.trim_start_matches('*');
                    let slashes = after.len() < rest.len();
                    rest = after;
                    Token::Run { slashes }
                }
                // A set that is not closed is an ordinary bracket, as in a shell.
                '[' if sets => match set(rest) {
                    Some((token, after)) => {
                        rest = after;
                        token
                    }
                    None => Token::Letter('['),
                },
                letter => Token::Letter(letter),
            });
        }
        Glob(tokens)
    }

    /// Walks the text once with the set of places in the pattern that may be reached, so that no
    /// pattern takes exponential time.
    fn matches(&self, text: &str) -> bool {
        let mut reached = vec![false; self.0.len() + 1];
        reached[0] = true;
        self.pass_runs(&mut reached);
        for letter in text.chars() {
            let mut after = vec![false; reached.len()];
            for (place, token) in self.0.iter().enumerate() {
                if !reached[place] {
                    continue;
                }
                match token {
                    Token::Run { slashes } if *slashes || letter != '/' => after[place] = true,
                    token if token.takes(letter) => after[place + 1] = true,
                    _ => {}
                }
            }
            self.pass_runs(&mut after);
            reached = after;
        }
        reached[self.0.len()]
    }

    /// A run may be empty.
    fn pass_runs(&self, reached: &mut [bool]) {
        for (place, token) in self.0.iter().enumerate() {
            if reached[place] && matches!(token, Token::Run { .. }) {
                reached[place + 1] = true;
            }
        }
    }
}

impl Token {
    /// Whether this letter is the one letter that the token stands for.
    fn takes(&self, letter: char) -> bool {
        match self {
            Token::Letter(own) => *own == letter,
            Token::Any => letter != '/',
            Token::Set(ranges, outside) => {
                let inside = ranges
                    .iter()
                    .any(|&(low, high)| (low..=high).contains(&letter));
                letter != '/' && inside != *outside
            }
            Token::Run { .. } => false,
        }
    }
}

/// Reads a set behind its opening bracket; what follows the closing one is handed back. `None` if
/// it is not closed.
fn set(text: &str) -> Option<(Token, &str)> {
    let body = text.strip_prefix(['!', '^']).unwrap_or(text);
    let outside = body.len() < text.len();
    // A closing bracket that comes first is a member.
    let first = body.chars().next()?.len_utf8();
    let end = first + body.get(first..)?.find(']')?;
    let letters: Vec<char> = body[..end].chars().collect();
    let mut ranges = Vec::new();
    let mut rest = letters.as_slice();
    while let Some(&low) = rest.first() {
        match rest {
            [low, '-', high, ..] => {
                ranges.push((*low, *high));
                rest = &rest[3..];
            }
            _ => {
                ranges.push((low, low));
                rest = &rest[1..];
            }
        }
    }
    Some((Token::Set(ranges, outside), &body[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Vec<FileEntry> {
        let paths = [
            ("t/a.txt", FileKind::File),
            ("t/.pad/3", FileKind::Padding),
            ("t/sub/b.txt", FileKind::File),
            ("t/sub/deep/c[1].txt", FileKind::File),
            ("t/é.bin", FileKind::File),
        ];
        let entry = |&(path, kind): &(&str, FileKind)| FileEntry {
            path: path.into(),
            length: 3,
            kind,
            executable: false,
        };
        paths.iter().map(entry).collect()
    }

    #[test]
    fn numbers_count_from_one_and_pass_over_padding() {
        let files = files();
        assert_eq!(choose("2", &files), Ok(vec![2]));
        assert_eq!(choose("4,1-2,2", &files), Ok(vec![0, 2, 4]));
        assert_eq!(choose("3-", &files), Ok(vec![3, 4]));
        assert_eq!(choose("-2", &files), Ok(vec![0, 2]));
        for bad in [
            "0",
            "5",
            "3-2",
            "5-",
            "-0",
            "1-9",
            "-",
            "1,",
            "",
            "99999999999999999999",
        ] {
            assert!(choose(bad, &files).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_glob_without_a_slash_matches_names_at_any_depth() {
        let files = files();
        assert_eq!(choose("*.txt", &files), Ok(vec![0, 2, 3]));
        assert_eq!(choose("?.bin", &files), Ok(vec![4]));
        assert_eq!(choose("[a-b].txt", &files), Ok(vec![0, 2]));
        assert_eq!(choose("[!a]*.txt", &files), Ok(vec![2, 3]));
        assert_eq!(choose("c[[]1].txt", &files), Ok(vec![3]));
        assert!(choose("*.TXT", &files).is_err());
        assert!(choose("3*", &files).is_err(), "padding cannot be chosen");
    }

    #[test]
    fn a_glob_with_a_slash_matches_the_path() {
        let files = files();
        assert_eq!(choose("sub/*", &files), Ok(vec![2]));
        assert_eq!(choose("t/sub/*", &files), Ok(vec![2]));
        assert_eq!(choose("./sub/**", &files), Ok(vec![2, 3]));
        assert_eq!(choose("t/*.txt", &files), Ok(vec![0]));
        assert!(choose("ub/*", &files).is_err());
    }

    fn named(names: &[&str]) -> Vec<FileEntry> {
        let entry = |name: &&str| FileEntry {
            path: (*name).into(),
            length: 3,
            kind: FileKind::File,
            executable: false,
        };
        names.iter().map(entry).collect()
    }

    #[test]
    fn a_name_as_it_is_shown_chooses_its_file_whatever_signs_it_has() {
        let names = [
            "t/[Group] Show - 01 [1080p].mkv",
            "t/[Group] Show - 02 [1080p].mkv",
            "t/Season [1]/what?.txt",
            "t/Season [1]/what!.txt",
            "t/a*b",
            "t/ab",
            "t/axb",
            "t/2024",
            "t/1",
            "t/[!x]",
            "t/y",
            "t/new\nline",
            "t/t/ab",
            "t/ ./odd",
        ];
        let files = named(&names);
        for (index, name) in names.iter().enumerate() {
            assert_eq!(choose(name, &files), Ok(vec![index]), "{name}");
            assert_eq!(choose(&printable(name), &files), Ok(vec![index]), "{name}");
        }
        let chosen = |pattern| choose(pattern, &files).unwrap_or_default();
        assert_eq!(chosen("[Group] Show - 01 [1080p].mkv"), [0]);
        assert_eq!(chosen("./[Group] Show - 02 [1080p].mkv"), [1]);
        assert_eq!(chosen("Season [1]/what?.txt"), [2]);
        assert_eq!(chosen("what?.txt"), [2]);
        assert_eq!(chosen("a*b"), [4]);
        assert_eq!(chosen("[!x]"), [9]);
        assert_eq!(chosen("new\\x0aline"), [11]);
        assert_eq!(chosen("./new\\x0aline"), [11]);
        // A name at any depth, as a glob chooses names; a path is that of one file.
        assert_eq!(chosen("ab"), [5, 12]);
        assert_eq!(chosen("t/ab"), [5]);
        assert_eq!(chosen("./ab"), [5]);
        // Numbers are numbers; a name that is none of them is a name.
        assert_eq!(chosen("1"), [0]);
        assert_eq!(chosen("./1"), [8]);
        assert_eq!(chosen("2024"), [7]);
        assert!(choose("2025", &files).is_err());
        // What is no name is a glob, and where its brackets choose nothing they are letters.
        assert_eq!(chosen("*Show - 02*"), [1]);
        assert_eq!(chosen("what[!x].txt"), [2, 3]);
        assert_eq!(chosen("[Group] Show*"), [0, 1]);
        assert_eq!(chosen("Season [1]/*"), [2, 3]);
        assert!(choose("[Kk]*", &files).is_err());
    }

    #[test]
    fn a_folder_is_told_from_a_mistake() {
        let files = named(&["t/live/b.flac", "t/lively"]);
        for pattern in ["live", "live/", "t/live", "./live"] {
            let why = choose(pattern, &files).unwrap_err();
            assert!(why.contains("a folder: '"), "{why}");
            let glob = why.split('\'').nth(1).unwrap();
            assert_eq!(choose(glob, &files), Ok(vec![0]), "{why}");
        }
        for pattern in ["liv", "live/b", "/"] {
            let why = choose(pattern, &files).unwrap_err();
            assert!(why.ends_with("no file of the torrent matches"), "{why}");
        }
        assert_eq!(
            choose("", &files),
            Err(String::from("'': expected numbers or a glob"))
        );
        let why = choose("2-1", &files).unwrap_err();
        assert_eq!(why, "2-1: the range ends before it begins");
    }

    #[test]
    fn hostile_patterns_take_no_time() {
        let name = "a".repeat(2_000);
        assert!(!Glob::new(&format!("{}b", "*a".repeat(200)), true).matches(&name));
        for odd in ["[", "[]", "[!]", "[a-", "]", "[]a]"] {
            let _ = Glob::new(odd, true).matches("a");
        }
        assert!(Glob::new("[", true).matches("["));
        assert!(Glob::new("[]a]", true).matches("]"));
    }
}
