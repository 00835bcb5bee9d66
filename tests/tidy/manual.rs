//! PROTOCOL.md names files, types, functions, tests and limits. Each of them exists; a name of the
//! form `Type::function` is a function, constant, field or variant of that very type.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use super::support::repository;
use super::support::source::has_word;
use super::{report, written_files};

#[test]
fn what_the_manual_names_exists() {
    let manual = fs::read_to_string(repository("PROTOCOL.md")).unwrap();
    let sources: Vec<String> = written_files()
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let members: BTreeSet<(&str, &str)> = sources.iter().flat_map(|it| members(it)).collect();
    let mut broken = String::new();
    for (line, text) in manual.lines().enumerate() {
        for name in text.split('`').skip(1).step_by(2) {
            if !exists(name, &sources, &members) {
                let _ = writeln!(broken, "PROTOCOL.md:{}: `{name}`", line + 1);
            }
        }
        for (file, name) in pairs(text) {
            let source = fs::read_to_string(repository("src").join(file)).unwrap_or_default();
            let last = name.rsplit("::").next().unwrap_or(name);
            if !source.is_empty() && !has_word(&source, last) {
                let _ = writeln!(broken, "PROTOCOL.md:{}: `{name}` in {file}", line + 1);
            }
        }
    }
    report("named and not there", &broken);
}

#[test]
fn a_function_belongs_to_its_type() {
    let text = "\
pub struct Table<T> {
    pub rows: Vec<T>,
}

impl<T: Into<u8>> fmt::Debug for Table<T> {
    fn fmt(&self) {
        helper();
    }
}

impl Shelf {}

pub enum Fault {
    Closed,
    Network(String),
}

impl rows::Row
where
    u8: Copy,
{
    const MOST: usize = 1;

    pub(super) const fn length(&self) -> usize {
        1
    }
}
";
    let found: Vec<(&str, &str)> = members(text);
    let expected = [
        ("Table", "rows"),
        ("Table", "fmt"),
        ("Fault", "Closed"),
        ("Fault", "Network"),
        ("Row", "MOST"),
        ("Row", "length"),
    ];
    assert_eq!(found, expected);
    let sources = [String::from(text)];
    let members = found.into_iter().collect();
    assert!(exists("Row::length", &sources, &members));
    assert!(!exists("Table::length", &sources, &members));
    assert!(!exists("Fault::Silent", &sources, &members));
}

/// The names of a line that follow the file which is said to hold them.
fn pairs(text: &str) -> Vec<(&str, &str)> {
    let parts: Vec<&str> = text.split('`').collect();
    let named = parts.windows(3).skip(1).step_by(2);
    named
        .filter(|parts| parts[0].ends_with(".rs") && parts[1] == ", ")
        .map(|parts| (parts[0], parts[2]))
        .filter(|(_, name)| !name.ends_with(".rs") && !name.starts_with("limits::"))
        .collect()
}

/// Whether a path, type, test or other name of ours that the manual mentions is there. What does
/// not look like one is taken.
fn exists(name: &str, sources: &[String], members: &BTreeSet<(&str, &str)>) -> bool {
    const FOLDERS: &[&str] = &["src", "tests", "testdata"];
    let plain = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "_:./-".contains(c));
    if !plain || name.is_empty() {
        return true;
    }
    let first = name.split('/').next().unwrap_or_default();
    if name.ends_with(".rs") || (name.contains('/') && FOLDERS.contains(&first)) {
        let roots = ["", "src", "tests"];
        return roots
            .iter()
            .any(|root| repository(root).join(name).exists());
    }
    let is_name = |word: &str| word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !name.split("::").all(is_name) || name.contains('/') {
        return true;
    }
    let known = |word: &str| sources.iter().any(|source| has_word(source, word));
    match name.rsplit_once("::") {
        Some((outer, last)) => {
            let of = outer.rsplit("::").next().unwrap_or(outer);
            if camel(of) {
                members.contains(&(of, last))
            } else {
                outer.split("::").all(known) && sources.iter().any(|it| declares(it, last))
            }
        }
        None if camel(name) || name.contains('_') => known(name),
        None => true,
    }
}

fn camel(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_uppercase())
        && word.contains(|c: char| c.is_ascii_lowercase())
}

/// Whether a function or a constant of this name stands there, not only a word.
fn declares(source: &str, name: &str) -> bool {
    source.lines().any(|line| {
        line.contains(&format!("const {name}:"))
            || (line.contains(&format!("fn {name}")) && has_word(line, name))
    })
}

/// The fields, variants, constants and functions that stand in a source, each with its type. The
/// source is formatted: what belongs to a type is indented by four more than the type.
fn members(source: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let (mut open, mut is_inside) = (None, false);
    for line in source.lines() {
        let text = line.trim_start();
        let indent = line.len() - text.len();
        match open {
            Some((at, _)) if indent <= at && text.starts_with('}') => open = None,
            Some((at, of)) if indent == at + 4 && is_inside => {
                found.extend(member(text).map(|name| (of, name)));
            }
            Some((at, _)) => is_inside |= indent == at && text == "{",
            None => {
                open = type_of(text).map(|of| (indent, of));
                is_inside = text.ends_with('{');
            }
        }
    }
    found
}

/// The type whose body, or whose functions, begin with this line.
fn type_of(line: &str) -> Option<&str> {
    let line = without_words(line, &["pub"]);
    if line.ends_with('}') || line.ends_with(';') {
        return None;
    }
    let named = ["struct ", "enum ", "trait "]
        .iter()
        .find_map(|kind| line.strip_prefix(kind));
    let path = match named {
        Some(path) => path,
        None => {
            let rest = line.strip_prefix("impl")?;
            match rest.rsplit_once(" for ") {
                Some((_, path)) => path,
                None => behind_generics(rest)?.trim_start(),
            }
        }
    };
    let path = path.split(['<', ' ', '(', '{']).next()?;
    path.rsplit("::").next().filter(|name| !name.is_empty())
}

/// What follows the generics at the beginning of this text, if there are any.
fn behind_generics(text: &str) -> Option<&str> {
    if !text.starts_with('<') {
        return Some(text);
    }
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '<' => depth += 1,
            '>' if !text[..at].ends_with('-') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(&text[at + 1..]);
        }
    }
    None
}

/// The name of the field, variant, constant or function that begins with this line.
fn member(line: &str) -> Option<&str> {
    let line = without_words(line, &["pub", "const", "fn", "unsafe"]);
    let end = line.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
    let (name, rest) = line.split_at(end);
    let begins = rest.starts_with([':', ',', '(', '<']) || rest.starts_with(" {");
    (begins && !name.is_empty()).then_some(name)
}

/// The line without these words at its beginning.
fn without_words<'a>(line: &'a str, words: &[&str]) -> &'a str {
    let mut line = line;
    while let Some(rest) = words.iter().find_map(|word| line.strip_prefix(word)) {
        let rest = match rest.strip_prefix('(') {
            Some(scope) => scope.split_once(')').map_or(rest, |(_, rest)| rest),
            None => rest,
        };
        match rest.strip_prefix(' ') {
            Some(rest) => line = rest,
            None => break,
        }
    }
    line
}
