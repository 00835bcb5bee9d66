//! `--files`: which files a user wants, by the numbers that `show` prints or by a glob.
//!
//! Files are numbered from 1 in the torrent's order; padding (BEP 47) has no number, as nobody can want it. In a glob `?` is any
//! letter and `*` any run of letters but neither is a `/`, `**` is any run at all, and `[a-z]` is one of a set (`[!a-z]`: none of it).
//! A glob without `/` is matched against the file's own name, one with `/` against its path, with or without the torrent's name.

use crate::wire::metainfo::{FileEntry, FileKind};

/// The files that have a number, in order: number `n` stands at place `n - 1`. Each with its index among the torrent's files.
pub fn numbered(files: &[FileEntry]) -> impl Iterator<Item = (usize, &FileEntry)> {
    let indexed = files.iter().enumerate();
    indexed.filter(|(_, file)| file.kind != FileKind::Padding)
}

/// The indices of the files that `pattern` chooses, ascending.
///
/// # Errors
/// What is wrong with the pattern, as `PATTERN: WHY`.
pub fn choose(pattern: &str, files: &[FileEntry]) -> Result<Vec<usize>, String> {
    let digits = |letter: char| letter.is_ascii_digit() || matches!(letter, ',' | '-' | ' ');
    let chosen = if pattern.chars().all(digits) {
        by_number(pattern, files).map_err(|why| format!("{pattern}: {why}"))?
    } else {
        by_glob(pattern, files)
    };
    if chosen.is_empty() {
        return Err(format!("{pattern}: no file of the torrent matches"));
    }
    Ok(chosen)
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
            Some((first, last)) => (number(first)?, number(last)?),
            None => (number(part)?, number(part)?),
        };
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

fn by_glob(pattern: &str, files: &[FileEntry]) -> Vec<usize> {
    let glob = Glob::new(pattern.trim_start_matches("./"));
    let whole_path = pattern.contains('/');
    let chosen = numbered(files).filter(|(_, file)| {
        if whole_path {
            let below = file.path.split_once('/');
            glob.matches(&file.path) || below.is_some_and(|(_, below)| glob.matches(below))
        } else {
            let name = file.path.rsplit('/').next();
            name.is_some_and(|name| glob.matches(name))
        }
    });
    chosen.map(|(index, _)| index).collect()
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
    fn new(pattern: &str) -> Glob {
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
                '[' => match set(rest) {
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

    /// Walks the text once with the set of places in the pattern that may be reached, so that no pattern takes exponential time.
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

/// Reads a set behind its opening bracket; what follows the closing one is handed back. `None` if it is not closed.
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
        for bad in [
            "0",
            "5",
            "3-2",
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

    #[test]
    fn hostile_patterns_take_no_time() {
        let name = "a".repeat(2_000);
        assert!(!Glob::new(&format!("{}b", "*a".repeat(200))).matches(&name));
        for odd in ["[", "[]", "[!]", "[a-", "]", "[]a]"] {
            let _ = Glob::new(odd).matches("a");
        }
        assert!(Glob::new("[").matches("["));
        assert!(Glob::new("[]a]").matches("]"));
    }
}
