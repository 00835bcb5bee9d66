//! No two files of a torrent may need the same place on disk. Where they do, the first one keeps
//! its name and the others get a number in front of their extension, as libtorrent does it:
//! `a.txt`, `a.1.txt`. A file also makes way for a folder of its name. Names that stand in the
//! torrent as they are go before those that were made from others, so that no made name takes the
//! place of a real one.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hasher as _};

use super::files::{FileEntry, FileKind};
use super::given::{Given, Names};
use super::{fold, paths};
use crate::base::limits;

/// With fewer files than this, each is compared with each other.
const FEW: usize = 16;
/// Bytes that a number and its dot may take.
const NUMBER: usize = 12;

/// Which names are the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Matching {
    /// Those of the same bytes.
    Exact,
    /// Those that differ only in what some file systems fold: see [`fold`].
    Folded,
    /// Those that differ only in ASCII capitals; numbers are given in the order of the files, as
    /// libtorrent does it.
    Libtorrent,
}

impl Matching {
    /// What is the same for paths that match.
    fn key(self, path: &str) -> Cow<'_, str> {
        match self {
            Matching::Exact => Cow::Borrowed(path),
            Matching::Folded => fold::path(path),
            Matching::Libtorrent => Cow::Owned(path.to_ascii_lowercase()),
        }
    }
}

/// Whether [`separate`] would change any path.
pub(super) fn clashes(files: &[FileEntry], matching: Matching) -> bool {
    !are_apart(files, matching) && !Places::have_room(files, matching)
}

/// Gives each file that lies on disk a path that no other file or folder has. Returns whether any
/// path was changed.
pub(super) fn separate(files: &mut [FileEntry], names: &mut Names, matching: Matching) -> bool {
    if are_apart(files, matching) {
        return false;
    }
    let mut places = Places::new(files, matching);
    let (mut made, mut clashing) = (Vec::new(), Vec::new());
    for (index, file) in files.iter_mut().enumerate() {
        if file.kind != FileKind::File {
            continue;
        }
        if matching == Matching::Libtorrent {
            if !places.take(&file.path) {
                file.path = places.number(&file.path).into();
            }
        } else if names.files.contains_key(&index) {
            made.push(index);
        } else if !places.take(&file.path) {
            clashing.push(index);
        }
    }
    for index in made {
        if files
            .get(index)
            .is_some_and(|file| !places.take(&file.path))
        {
            clashing.push(index);
        }
    }
    for &index in &clashing {
        let Some(file) = files.get_mut(index) else {
            continue;
        };
        let below = file.path.split('/').skip(1);
        let given = || Given {
            components: below.map(|name| name.as_bytes().into()).collect(),
            plain: None,
        };
        names.files.get_or_insert_with(index, given);
        file.path = places.number(&file.path).into();
    }
    !clashing.is_empty()
}

/// Whether there are few files and each has a place of its own, which takes little to see.
fn are_apart(files: &[FileEntry], matching: Matching) -> bool {
    let on_disk = files.iter().filter(|file| file.kind == FileKind::File);
    let keys = on_disk.map(|file| matching.key(&file.path)).take(FEW);
    let keys: Vec<Cow<'_, str>> = keys.collect();
    let lies_in = |file: &str, folder: &str| {
        let rest = file.strip_prefix(folder);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let apart = |(at, one): (usize, &Cow<'_, str>)| {
        let others = keys.iter().skip(at.saturating_add(1));
        !others
            .into_iter()
            .any(|other| lies_in(one, other) || lies_in(other, one))
    };
    keys.len() < FEW && keys.iter().enumerate().all(apart)
}

/// The places that are taken, each by a hash: if two are equal by chance, a file only gets a number
/// without need.
struct Places {
    matching: Matching,
    folders: BTreeSet<u64>,
    files: BTreeSet<u64>,
    /// The number that was given last, for each folder, stem and extension.
    numbers: BTreeMap<u64, u32>,
}

impl Places {
    /// Only the folders of these files are taken.
    fn new(files: &[FileEntry], matching: Matching) -> Places {
        let mut places = Places {
            matching,
            folders: BTreeSet::new(),
            files: BTreeSet::new(),
            numbers: BTreeMap::new(),
        };
        let on_disk = files.iter().filter(|file| file.kind == FileKind::File);
        on_disk.for_each(|file| places.add_folders(&file.path));
        places
    }

    /// Whether each of these files has a place of its own.
    fn have_room(files: &[FileEntry], matching: Matching) -> bool {
        let mut places = Places::new(files, matching);
        let mut on_disk = files.iter().filter(|file| file.kind == FileKind::File);
        on_disk.all(|file| places.take(&file.path))
    }

    /// All folders on the way to a file.
    fn add_folders(&mut self, path: &str) {
        let key = self.matching.key(path);
        let mut hasher = DefaultHasher::new();
        let Some((way, _)) = key.rsplit_once('/') else {
            return;
        };
        let mut found = Vec::new();
        for name in way.split('/') {
            hasher.write(name.as_bytes());
            hasher.write_u8(b'/');
            found.push(hasher.finish());
        }
        self.folders.extend(found);
    }

    /// Takes a place, unless it is taken.
    fn take(&mut self, path: &str) -> bool {
        let hash = hash(&self.matching.key(path));
        !self.folders.contains(&hash) && self.files.insert(hash)
    }

    /// The first place that is free of those that differ from this one by a number.
    fn number(&mut self, path: &str) -> String {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let (stem, extension) = paths::split(name);
        let room = limits::NAME_BYTES.saturating_sub(extension.len().saturating_add(NUMBER));
        let stem = paths::cut(stem, room);
        let family = hash(&self.matching.key(&format!("{folder}/{stem}/{extension}")));
        let mut number = self.numbers.get(&family).copied().unwrap_or(0);
        loop {
            number = number.saturating_add(1);
            let numbered = match folder {
                "" => format!("{stem}.{number}{extension}"),
                folder => format!("{folder}/{stem}.{number}{extension}"),
            };
            if self.take(&numbered) {
                self.numbers.insert(family, number);
                return numbered;
            }
        }
    }
}

/// The hash of a path: that of its names, each with a `/` behind it.
fn hash(path: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    for name in path.split('/') {
        hasher.write(name.as_bytes());
        hasher.write_u8(b'/');
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Rng;

    fn entry(path: &str, on_disk: bool) -> FileEntry {
        FileEntry {
            path: format!("t/{path}").into(),
            length: 1,
            kind: if on_disk {
                FileKind::File
            } else {
                FileKind::Padding
            },
            executable: false,
        }
    }

    fn named(paths: &[&str], made: &[usize], matching: Matching) -> Vec<String> {
        let mut files: Vec<FileEntry> = paths.iter().map(|path| entry(path, true)).collect();
        let mut names = Names::default();
        for &index in made {
            names.files.insert(index, Given::default());
        }
        let changed = separate(&mut files, &mut names, matching);
        let named: Vec<String> = files.iter().map(|file| file.path[2..].to_owned()).collect();
        let expected: Vec<&str> = named.iter().map(String::as_str).collect();
        assert_eq!(changed, expected != paths);
        named
    }

    fn exact(paths: &[&str]) -> Vec<String> {
        named(paths, &[], Matching::Exact)
    }

    #[test]
    fn files_that_need_one_place_get_a_number() {
        assert_eq!(exact(&["b", "a/b", "a c"]), ["b", "a/b", "a c"]);
        assert_eq!(
            exact(&["a.txt", "a.txt", "a.txt"]),
            ["a.txt", "a.1.txt", "a.2.txt"]
        );
        assert_eq!(exact(&["a", "a.1", "a"]), ["a", "a.1", "a.2"]);
        assert_eq!(exact(&["a", "a", "a.1"]), ["a", "a.2", "a.1"]);
        assert_eq!(
            exact(&["A", "a", "É", "e\u{301}"]),
            ["A", "a", "É", "e\u{301}"]
        );
    }

    /// The short way for few files and the long one say the same.
    #[test]
    fn few_files_are_told_apart_as_many_are() {
        let mut rng = Rng::from_seed(1);
        let names = ["a", "A", "b", "ab", "a.", "é", "É", "e\u{301}"];
        let mut apart = 0;
        for round in 0..20_000 {
            let files: Vec<FileEntry> = (0..1 + rng.below(FEW as u64 - 1))
                .map(|_| {
                    let depth = 1 + rng.below(3);
                    let mut name = |_| names[rng.below(names.len() as u64) as usize];
                    let path: Vec<&str> = (0..depth).map(&mut name).collect();
                    entry(&path.join("/"), rng.below(8) > 0)
                })
                .collect();
            for matching in [Matching::Exact, Matching::Folded, Matching::Libtorrent] {
                let found = are_apart(&files, matching);
                let paths = || files.iter().map(|file| &*file.path).collect::<Vec<_>>();
                let right = Places::have_room(&files, matching);
                assert_eq!(found, right, "{round}: {matching:?} {:?}", paths());
                apart += usize::from(found);
            }
        }
        assert!(apart > 2_000 && apart < 58_000, "{apart}");
        let many: Vec<FileEntry> = (0..FEW)
            .map(|name| entry(&name.to_string(), true))
            .collect();
        assert!(are_apart(&many[1..], Matching::Exact) && !are_apart(&many, Matching::Exact));
    }

    #[test]
    fn a_file_makes_way_for_a_folder() {
        assert_eq!(exact(&["a", "a/b", "a/b/c"]), ["a.1", "a/b.1", "a/b/c"]);
        assert_eq!(exact(&["a.1/x", "a/b", "a"]), ["a.1/x", "a/b", "a.2"]);
    }

    #[test]
    fn a_name_that_stands_in_the_torrent_goes_before_one_that_was_made() {
        let names = named(&["%C9", "%C9", "%C9.1"], &[0], Matching::Exact);
        assert_eq!(names, ["%C9.2", "%C9", "%C9.1"]);
    }

    #[test]
    fn names_that_a_file_system_may_fold_are_told_apart() {
        let names = [
            "README",
            "readme",
            "e\u{301}.txt",
            "É.txt",
            "x/a",
            "X",
            "dot.",
            "dot",
        ];
        assert_eq!(
            named(&names, &[], Matching::Folded),
            [
                "README",
                "readme.1",
                "e\u{301}.txt",
                "É.1.txt",
                "x/a",
                "X.1",
                "dot.",
                "dot.1"
            ]
        );
    }

    #[test]
    fn numbered_names_are_not_too_long() {
        let long = "ü".repeat(127) + "x";
        let names = exact(&[&long, &long, &long]);
        let lengths: Vec<usize> = names.iter().map(String::len).collect();
        assert_eq!(lengths[0], 255);
        assert!(lengths[1] < 255 && lengths[2] < 255 && names[1] != names[2]);
    }

    #[test]
    fn a_hundred_thousand_files_of_one_name_take_no_time() {
        let names = exact(&["a"; 100_000]);
        assert_eq!(names[99_999], "a.99999");
    }
}
