//! The shape of what is inside a folder: files that import each other in one direction, structs of
//! few fields, types that are not spread over many files, and lines that fit a window.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;

use super::support::repository;
use super::support::source::{Source, has_word};
use super::{report, sources, written_files};

/// Columns of a line.
const COLUMNS: usize = 100;

/// Fields that a struct may have.
const FIELDS: usize = 20;

/// Files over which the methods of one type may be spread.
const IMPL_FILES: usize = 3;

#[test]
fn files_of_a_room_import_each_other_without_a_circle() {
    let sources = sources();
    let modules: BTreeSet<String> = sources.iter().map(|s| s.module().join("::")).collect();
    let exported = exports(&sources);
    let mut arrows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources.iter().filter(|source| !source.is_index()) {
        let own = source.module().join("::");
        for (_, path) in source.paths() {
            let Some(path) = absolute(source, &path) else {
                continue;
            };
            let target = owner(&path, &modules, &exported);
            if let Some(target) = target.filter(|target| *target != own) {
                arrows.entry(own.clone()).or_default().insert(target);
            }
        }
    }
    assert!(arrows.len() > 50, "imports are seen");
    let mut broken = String::new();
    for (from, targets) in &arrows {
        for to in targets.iter().filter(|to| reaches(&arrows, to, from)) {
            let _ = writeln!(broken, "{from} and {to} import each other in a circle");
        }
    }
    report("circles", &broken);
}

/// As in `session::Session`: not by the file of the folder that declares the type.
#[test]
fn types_are_named_by_the_room_that_passes_them_on() {
    let sources = sources();
    let modules: BTreeSet<String> = sources.iter().map(|s| s.module().join("::")).collect();
    let passed_on: BTreeMap<String, String> = exports(&sources)
        .into_iter()
        .filter(|(_, module)| modules.contains(module))
        .filter_map(|(name, module)| {
            let last = name.rsplit_once("::")?.1;
            Some((format!("{module}::{last}"), name))
        })
        .collect();
    assert!(passed_on.len() > 80, "exports are seen");
    let tests = written_files()
        .into_iter()
        .filter(|path| path.starts_with(repository("tests")))
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let name = path.strip_prefix(repository("")).unwrap_or(&path);
            Source::new(format!("../{}", name.display()), text)
        });
    let mut broken = String::new();
    for source in sources.into_iter().chain(tests) {
        let own = source.module().join("::");
        for (line, path) in source.paths() {
            let Some(path) = absolute(&source, &path) else {
                continue;
            };
            let starts = path.match_indices("::").map(|(at, _)| &path[..at]);
            for start in starts.chain([path.as_str()]) {
                let Some(better) = passed_on.get(start) else {
                    continue;
                };
                let folder = better.rsplit_once("::").map_or("", |(folder, _)| folder);
                if !own.starts_with(&format!("{folder}::")) {
                    let _ = writeln!(broken, "src/{}:{line}: {start}: {better}", source.path);
                }
            }
        }
    }
    report("named by their file", &broken);
}

#[test]
fn an_index_lists_its_files_in_reading_order() {
    let sources = sources();
    let exported = exports(&sources);
    let mut broken = BTreeSet::new();
    let is_test = |source: &Source| source.module().contains(&"tests");
    for index in sources.iter().filter(|s| s.is_index() && !is_test(s)) {
        let folder = index.module();
        let children = index.children();
        for source in sources
            .iter()
            .filter(|s| s.path != index.path && !is_test(s))
        {
            let module = source.module();
            let Some([child, ..]) = module.strip_prefix(folder.as_slice()) else {
                continue;
            };
            let Some(own) = children.iter().position(|name| name == child) else {
                continue;
            };
            for (_, path) in source.paths() {
                let path = absolute(source, &path).unwrap_or_default();
                let path = exported.get(&path).unwrap_or(&path);
                let parts: Vec<&str> = path.split("::").collect();
                let Some([target, ..]) = parts.strip_prefix(folder.as_slice()) else {
                    continue;
                };
                if children.iter().position(|name| name == target) > Some(own) {
                    broken.insert(format!("src/{}: {target} after {child}\n", index.path));
                }
            }
        }
    }
    report(
        "not in reading order",
        &broken.into_iter().collect::<String>(),
    );
}

/// Then it takes no part in a circle: what it passes on is seen as the file's that declares it.
#[test]
fn an_index_holds_no_code() {
    let mut broken = String::new();
    let is_test = |source: &Source| source.module().contains(&"tests");
    for index in sources().iter().filter(|s| s.is_index() && !is_test(s)) {
        for word in ITEMS.iter().filter(|word| has_word(&index.code, word)) {
            let _ = writeln!(broken, "src/{}: {word}", index.path);
        }
    }
    report("code in an index", &broken);
}

/// Words that begin an item, but for modules and what is passed on.
const ITEMS: [&str; 9] = [
    "fn", "struct", "enum", "union", "impl", "trait", "const", "static", "type",
];

/// A literal is left whole, since it is looked for as it stands; all else is broken to fit.
#[test]
fn lines_fit_a_window() {
    let mut broken = String::new();
    for source in &sources() {
        let bare = source.bare();
        for (line, (text, bare)) in source.text.lines().zip(bare.lines()).enumerate() {
            let is_whole = !text.trim_start().starts_with("//") && is_of_literal(bare);
            if text.chars().count() > COLUMNS && !is_whole {
                let _ = writeln!(broken, "src/{}:{}", source.path, line + 1);
            }
        }
    }
    report("too wide", &broken);
}

/// Whether nothing stands on a line, of which the insides of literals are blanked out, but one
/// literal or a part of one, and what ends it.
fn is_of_literal(bare: &str) -> bool {
    let line = bare.trim_start().trim_start_matches(['&', '*', 'b']);
    let end = line.strip_prefix('"').unwrap_or(line).trim_start();
    end.chars().all(|letter| ",;)".contains(letter))
}

#[test]
fn structs_have_few_fields() {
    let mut broken = String::new();
    let mut seen = 0;
    for source in &sources() {
        for (name, fields) in source.structs() {
            seen += 1;
            if fields > FIELDS {
                let _ = writeln!(broken, "src/{}: {name} has {fields} fields", source.path);
            }
        }
    }
    assert!(seen > 100, "structs are seen");
    report("too many fields", &broken);
}

#[test]
fn a_type_stands_in_few_files() {
    let mut places: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in &sources() {
        for name in source.inherent_impls() {
            let name = format!("{}::{name}", source.folder());
            places.entry(name).or_default().insert(source.path.clone());
        }
    }
    assert!(places.len() > 100, "types are seen");
    let mut broken = String::new();
    for (name, files) in places {
        if files.len() > IMPL_FILES {
            let _ = writeln!(broken, "{name}: {files:?}");
        }
    }
    report("spread over too many files", &broken);
}

#[test]
fn the_reader_of_structure_sees_what_is_there() {
    let text = "
pub struct Unit;
struct Pair(u32, Vec<(u8, u8)>);
/// One.
pub(super) struct Wide<'a, T> where T: Fn(u8, u8) -> u8 {
    /// A, b.
    pub a: Map<u8, Vec<(T, T)>>,
    b: Option<fn(u8, u8) -> [u8; 4]>,
    c: &'a str,
}
impl<'a, T: Fn(u8) -> u8> Wide<'a, T> {}
impl Unit { fn f() -> impl Iterator<Item = u8> { None.into_iter() } }
impl std::fmt::Debug for Pair {}
impl<T> From<T> for Unit {}
";
    let source = Source::new("wire/info.rs".into(), text.into());
    let wide = "  \"a b\",\n  say(\"a\");\n  b\"a \\\n  b\");\n  \"a\", \"b\"\n  let a = 1;\n";
    let bare = Source::new("a.rs".into(), wide.into()).bare();
    let of_literals: Vec<bool> = bare.lines().map(is_of_literal).collect();
    assert_eq!(of_literals, [true, false, true, true, false, false]);
    assert_eq!(source.structs(), [("Wide".to_string(), 3)]);
    assert_eq!(source.inherent_impls(), ["Wide", "Unit"]);
    let path = |path| absolute(&source, path);
    assert_eq!(
        path("super::paths::is_in").as_deref(),
        Some("wire::paths::is_in")
    );
    assert_eq!(path("crate::base::id").as_deref(), Some("base::id"));
    assert_eq!(path("std::fmt"), None);
    let index = Source::new("wire/mod.rs".into(), "pub use info::{Info, Other};".into());
    let exported = exports(&[index]);
    assert_eq!(
        exported.get("wire::Other").map(String::as_str),
        Some("wire::info")
    );
    let modules = BTreeSet::from(["wire".to_string(), "wire::info".to_string()]);
    let owner = |path| owner(path, &modules, &exported);
    assert_eq!(owner("wire::Info").as_deref(), Some("wire::info"));
    assert_eq!(owner("wire::info::parse").as_deref(), Some("wire::info"));
    assert_eq!(owner("base::id::InfoHash"), None);
}

/// What each index file (`mod.rs`) passes on: the full name, and the module that declares it.
fn exports(sources: &[Source]) -> BTreeMap<String, String> {
    let mut exported = BTreeMap::new();
    for source in sources.iter().filter(|source| source.is_index()) {
        let folder = source.module().join("::");
        for (_, path) in source.paths() {
            if let Some((module, name)) = path.rsplit_once("::") {
                let module = module.strip_prefix("self::").unwrap_or(module);
                exported.insert(format!("{folder}::{name}"), format!("{folder}::{module}"));
            }
        }
    }
    exported
}

/// A path as it is from the crate's root; `None` if it leads out of the crate or says no more than
/// a name.
fn absolute(source: &Source, path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split("::").collect();
    let supers = parts.iter().take_while(|part| **part == "super").count();
    match parts[..] {
        ["crate" | "brooklet", ..] => Some(parts[1..].join("::")),
        _ if supers > 0 => {
            let module = source.module();
            let kept = module.len().checked_sub(supers)?;
            Some([&module[..kept], &parts[supers..]].concat().join("::"))
        }
        _ => None,
    }
}

/// The file in which what a path names is declared.
fn owner(
    path: &str,
    modules: &BTreeSet<String>,
    exported: &BTreeMap<String, String>,
) -> Option<String> {
    let mut path = path.to_string();
    loop {
        if let Some(module) = exported.get(&path) {
            return modules.contains(module).then(|| module.clone());
        }
        if modules.contains(&path) {
            return path.contains("::").then_some(path);
        }
        path.truncate(path.rfind("::")?);
    }
}

/// Whether one follows the arrows from a file to another.
fn reaches(arrows: &BTreeMap<String, BTreeSet<String>>, from: &str, to: &str) -> bool {
    let mut known = BTreeSet::new();
    let mut next = vec![from];
    while let Some(file) = next.pop() {
        if file == to {
            return true;
        }
        if known.insert(file) {
            next.extend(arrows.get(file).into_iter().flatten().map(String::as_str));
        }
    }
    false
}

#[test]
fn what_is_laid_apart_is_there() {
    let list = fs::read_to_string(repository("src/rare.txt")).unwrap();
    let paths = list.lines().filter(|path| path.contains("::"));
    let ours: Vec<&str> = paths.filter(|path| is_room(path)).collect();
    assert!(ours.len() > 30, "the list is seen");
    let mut broken = String::new();
    for path in ours.into_iter().filter(|path| !is_declared(path)) {
        let _ = writeln!(broken, "src/rare.txt: {path}");
    }
    report("named and not there", &broken);
}

fn is_room(path: &str) -> bool {
    let folder = path.split("::").next().unwrap_or(path);
    repository("src").join(folder).is_dir()
}

/// Whether a path leads to a folder, to a file, or to names that stand in the file it leads to.
fn is_declared(path: &str) -> bool {
    let parts: Vec<&str> = path.split("::").collect();
    (1..=parts.len()).rev().any(|depth| {
        let module = repository("src").join(parts[..depth].join("/"));
        let files = [module.with_extension("rs"), module.join("mod.rs")];
        let text = files
            .into_iter()
            .find_map(|file| fs::read_to_string(file).ok());
        text.is_some_and(|text| parts[depth..].iter().all(|name| has_word(&text, name)))
    })
}
