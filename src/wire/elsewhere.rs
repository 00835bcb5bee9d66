//! Other paths at which the content of a torrent may lie, because another client, or an older
//! brooklet, put it there. The paths are made from the torrent alone; whether anything lies there
//! is for `io` to see.

use std::collections::BTreeMap;

use super::files::{FileEntry, FileKind};
use super::given::{Given, Names};
use super::metainfo::Metainfo;
use super::naming::{self, Matching};
use super::paths;

/// Bytes of a component after which libtorrent cuts it.
const CUT: usize = 240;
/// Bytes from the end of a component in which libtorrent looks for an extension to keep.
const EXTENSION: usize = 10;

/// A way to make paths of names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Style {
    /// The spelling under the plain key, where a twin under `.utf-8` stands beside it.
    Plain,
    /// Replacement characters for bytes that are not UTF-8, and a folder for each `/`.
    Lossy,
    /// As libtorrent 1.2 and 2.0 do (qBittorrent, Deluge).
    Libtorrent2,
    /// As libtorrent 2.1 does.
    Libtorrent21,
}

/// All of them, the likeliest first.
const STYLES: [Style; 4] = [
    Style::Plain,
    Style::Lossy,
    Style::Libtorrent2,
    Style::Libtorrent21,
];

/// Other paths of one file.
pub type Others = Vec<(Style, Box<str>)>;

impl Metainfo {
    /// For each file on disk the other paths it may have. Empty for nearly every torrent.
    pub fn elsewhere(&self) -> BTreeMap<usize, Others> {
        let alike = naming::clashes(&self.files, Matching::Libtorrent);
        let as_given = self.names.root.is_none() && self.names.files.is_empty();
        let ordinary = |file: &FileEntry| {
            let (root, below) = file.path.split_once('/').unwrap_or((&file.path, ""));
            is_ordinary(root) && is_ordinary(below)
        };
        if !alike && as_given && self.files.iter().all(ordinary) {
            return BTreeMap::new();
        }
        self.in_styles(alike)
    }

    /// The same without a look at how ordinary all names are.
    fn in_styles(&self, alike: bool) -> BTreeMap<usize, Others> {
        let mut elsewhere: BTreeMap<usize, Others> = BTreeMap::new();
        for style in STYLES {
            for (index, path) in self.in_style(style, alike) {
                elsewhere.entry(index).or_default().push((style, path));
            }
        }
        elsewhere
    }

    /// The files whose path is another one in this style. `alike`: libtorrent takes some for one.
    fn in_style(&self, style: Style, alike: bool) -> Vec<(usize, Box<str>)> {
        let root = self.root_in(style);
        let files = self.files.iter().enumerate();
        let mut made: Vec<(usize, FileEntry)> = files
            .filter(|(_, file)| file.kind == FileKind::File)
            .filter_map(|(index, file)| {
                let path = self.path_in(style, index, file, root.as_deref()?)?;
                let changed = path != *file.path;
                (changed || alike).then(|| {
                    let path = path.into();
                    (
                        index,
                        FileEntry {
                            path,
                            ..file.clone()
                        },
                    )
                })
            })
            .collect();
        if matches!(style, Style::Libtorrent2 | Style::Libtorrent21) {
            let mut entries: Vec<FileEntry> = made.iter().map(|(_, file)| file.clone()).collect();
            naming::separate(&mut entries, &mut Names::default(), Matching::Libtorrent);
            for ((_, file), entry) in made.iter_mut().zip(entries) {
                file.path = entry.path;
            }
        }
        let known = |index: usize| self.files.get(index).map(|file| &file.path);
        let moved = |(index, file): &(usize, FileEntry)| known(*index) != Some(&file.path);
        let moved = made.into_iter().filter(moved);
        moved.map(|(index, file)| (index, file.path)).collect()
    }

    fn root_in(&self, style: Style) -> Option<String> {
        let root = match &self.names.root {
            Some(given) => spelled(style, given),
            None => spelled(style, &as_given(&self.name)),
        };
        // A name that does not look like it must not lead into the folder of some program's
        // settings.
        root.filter(|root| !root.starts_with('.') || self.name.starts_with('.'))
    }

    fn path_in(&self, style: Style, index: usize, file: &FileEntry, root: &str) -> Option<String> {
        let Some((_, below)) = file.path.split_once('/') else {
            return Some(root.to_owned());
        };
        let below = match self.names.files.get(&index) {
            Some(given) => spelled(style, given)?,
            None if is_ordinary(below) => below.to_owned(),
            None => spelled(style, &as_given(below))?,
        };
        Some(format!("{root}/{below}"))
    }
}

fn as_given(path: &str) -> Given {
    let names = path.split('/');
    Given {
        components: names.map(|name| name.as_bytes().into()).collect(),
        plain: None,
    }
}

/// Whether every style leaves it as it is.
fn is_ordinary(path: &str) -> bool {
    let plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'\\';
    path.len() <= CUT && path.bytes().all(plain)
}

/// A name as this style has it on disk; `None` if that is no safe path.
fn spelled(style: Style, given: &Given) -> Option<String> {
    let own = |component: &[u8]| paths::own(component).into_owned();
    let names: Vec<String> = match style {
        Style::Plain => {
            let plain = given.plain.as_ref().unwrap_or(&given.components);
            plain.iter().map(|name| own(name)).collect()
        }
        Style::Lossy => {
            let lossy = given
                .components
                .iter()
                .map(|name| String::from_utf8_lossy(name));
            let parts: Vec<String> = lossy
                .flat_map(|name| name.split('/').map(str::to_owned).collect::<Vec<_>>())
                .collect();
            parts
        }
        Style::Libtorrent2 | Style::Libtorrent21 => {
            let newer = style == Style::Libtorrent21;
            let names = given.components.iter();
            names.map(|name| sanitized(name, newer)).collect()
        }
    };
    let safe = names.iter().all(|name| paths::is_plain(name));
    safe.then(|| names.join("/"))
}

/// `sanitize_append_path_element` of libtorrent, as seen in 2.0.8 and (`newer`) 2.1.1.
fn sanitized(component: &[u8], newer: bool) -> String {
    let mut name = String::new();
    let mut rest = component;
    let mut extension_found = false;
    while let Some((letter, length)) = letter(rest) {
        rest = rest.get(length..).unwrap_or_default();
        match letter {
            Some(letter) if is_dropped(letter, newer) => continue,
            Some(letter) if !is_replaced(letter, newer) => name.push(letter),
            _ => name.push('_'),
        }
        if name.len() >= CUT && !extension_found {
            let tail = rest.len().min(EXTENSION.saturating_sub(1));
            let tail = rest
                .get(rest.len().saturating_sub(tail)..)
                .unwrap_or_default();
            match tail.iter().rposition(|&byte| byte == b'.') {
                Some(dot) => rest = tail.get(dot..).unwrap_or_default(),
                None => break,
            }
            extension_found = true;
        }
    }
    name
}

/// The next letter and how many bytes libtorrent takes for it: what is not UTF-8 counts as long as
/// its first byte says.
fn letter(bytes: &[u8]) -> Option<(Option<char>, usize)> {
    let &first = bytes.first()?;
    let length = match first {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf7 => 4,
        0xf8..=0xfb => 5,
        _ => 1,
    };
    let length = length.min(bytes.len());
    let text = std::str::from_utf8(bytes.get(..length)?).ok();
    Some((text.and_then(|text| text.chars().next()), length))
}

fn is_dropped(letter: char, newer: bool) -> bool {
    let old = matches!(
        letter,
        '/' | '\\' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
    );
    let new = matches!(
        letter,
        '\u{61c}' | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2064}'
            | '\u{2066}'..='\u{2069}' | '\u{feff}'
    );
    old || newer && new
}

fn is_replaced(letter: char, newer: bool) -> bool {
    letter < ' ' || newer && letter.is_control()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::bencode::{bytes, dict, int, list};

    fn torrent(name: &[u8], paths: &[&[&[u8]]]) -> Metainfo {
        parsed(name, paths).unwrap()
    }

    /// The same; `None` if no torrent may have such names.
    fn parsed(name: &[u8], paths: &[&[&[u8]]]) -> Option<Metainfo> {
        let file = |path: &&[&[u8]]| {
            let path = list(path.iter().map(|name| bytes(*name)));
            dict([("length", int(1)), ("path", path)])
        };
        let info = dict([
            ("files", list(paths.iter().map(file))),
            ("name", bytes(name)),
            ("piece length", int(16_384)),
            ("pieces", bytes([7; 20])),
        ]);
        Metainfo::parse(&dict([("info", info)])).ok()
    }

    /// The paths in this style, where they differ from those on disk.
    fn paths_in(meta: &Metainfo, style: Style) -> Vec<String> {
        let elsewhere = meta.elsewhere();
        let own = |index: usize| meta.files[index].path.clone();
        let path = |index: usize| {
            let others = elsewhere.get(&index).into_iter().flatten();
            let mut found = others.filter(|(other, _)| *other == style);
            found.next().map_or(own(index), |(_, path)| path.clone())
        };
        (0..meta.files.len())
            .map(|index| path(index).into())
            .collect()
    }

    #[test]
    fn ordinary_names_are_nowhere_else() {
        let meta = torrent(b"t", &[&[b"a"], &[b"b", "é ä.txt".as_bytes()]]);
        assert_eq!(meta.elsewhere(), BTreeMap::new());
    }

    /// The short way for ordinary names and the long one say the same.
    #[test]
    fn plain_names_are_nowhere_else_by_either_way() {
        let compare = |root: &[u8], names: &[&[u8]]| {
            let paths: Vec<&[&[u8]]> = names.iter().map(std::slice::from_ref).collect();
            let meta = parsed(root, &paths)?;
            let alike = naming::clashes(&meta.files, Matching::Libtorrent);
            let elsewhere = meta.elsewhere();
            assert_eq!(elsewhere, meta.in_styles(alike), "{root:?} {names:?}");
            Some(elsewhere.is_empty())
        };
        for byte in 0..=0x7f {
            for name in [
                &[byte][..],
                &[b'x', byte],
                &[byte, b'x'],
                &[b'x', byte, b'y'],
            ] {
                let safe = byte.is_ascii_alphanumeric();
                assert!(
                    compare(b"t", &[name, b"other"]) == Some(true) || !safe,
                    "{name:?}"
                );
                assert!(
                    compare(name, &[b"other"]) == Some(true) || !safe,
                    "{name:?}"
                );
            }
        }
        for length in CUT - 1..=CUT + 1 {
            let name = "x".repeat(length);
            assert_eq!(compare(b"t", &[name.as_bytes()]), Some(length <= CUT));
            assert_eq!(compare(name.as_bytes(), &[b"other"]), Some(length <= CUT));
        }
        assert_eq!(compare(b"t", &[b"a", b"A"]), Some(false));
        assert_eq!(compare(b"t", &[b"a", b"b"]), Some(true));
    }

    /// Right values: `file_path` of libtorrent 2.0.8.
    #[test]
    fn libtorrent_2_0_has_names_of_its_own() {
        let long = "э".repeat(130) + ".mkv";
        let names: [(&[u8], &str); 15] = [
            (b"caf\xe9.txt", "caf_xt"),
            (b"\xc9\xcf.txt", "_.txt"),
            (b"a\xff\xfeb", "a__b"),
            (b"\xc3(x", "_x"),
            (b"\xf8abcdefgh", "_efgh"),
            (b"a\x01b", "a_b"),
            (b"a\x7fb", "a\x7fb"),
            (b"a\tb\r\nc", "a_b__c"),
            ("q\u{202e}b".as_bytes(), "qb"),
            ("a\u{200d}b".as_bytes(), "a\u{200d}b"),
            (b"AC/DC.mp3", "ACDC.mp3"),
            (b"a\\c", "ac"),
            (long.as_bytes(), &("э".repeat(120) + ".mkv")),
            (&[b'x'; 241], &"x".repeat(240)),
            (
                &["y".repeat(239).as_bytes(), b".mkv"].concat(),
                &("y".repeat(239) + "."),
            ),
        ];
        let paths: Vec<&[&[u8]]> = names
            .iter()
            .map(|(given, _)| std::slice::from_ref(given))
            .collect();
        let meta = torrent(b"r", &paths);
        for ((_, expected), path) in names.iter().zip(paths_in(&meta, Style::Libtorrent2)) {
            assert_eq!(path, format!("r/{expected}"));
        }
    }

    /// Right values: `file_path` of libtorrent 2.1.1, where it differs.
    #[test]
    fn libtorrent_2_1_drops_and_replaces_more() {
        let names: [&[u8]; 7] = [
            b"a\x7fb",
            "c\u{85}d".as_bytes(),
            "e\u{200d}f".as_bytes(),
            "g\u{feff}h".as_bytes(),
            "i\u{61c}j".as_bytes(),
            "k\u{2069}l".as_bytes(),
            "m\u{2065}\u{ad}n".as_bytes(),
        ];
        let paths: Vec<&[&[u8]]> = names.iter().map(std::slice::from_ref).collect();
        let meta = torrent(b"r", &paths);
        let expected = [
            "r/a_b",
            "r/c_d",
            "r/ef",
            "r/gh",
            "r/ij",
            "r/kl",
            "r/m\u{2065}\u{ad}n",
        ];
        assert_eq!(paths_in(&meta, Style::Libtorrent21), expected);
    }

    /// Right values: `file_path` of libtorrent 2.0.8.
    #[test]
    fn libtorrent_numbers_names_that_differ_by_case() {
        let meta = torrent(
            b"r",
            &[
                &[b"README"],
                &[b"readme"],
                &[b"ReadMe"],
                &[b"readme.1"],
                &[b"a.txt"],
                &[b"A.txt"],
                &[b"X"],
                &[b"x", b"y"],
                &[b"X", b"Y"],
                &["é".as_bytes()],
                &["É".as_bytes()],
            ],
        );
        let expected = [
            "README",
            "readme.1",
            "ReadMe.2",
            "readme.1.1",
            "a.txt",
            "A.1.txt",
            "X.1",
            "x/y",
            "X/Y.1",
            "é",
            "É",
        ];
        // A folder `X` stands in the torrent too, so the file of that name has its number anyway.
        let expected: Vec<String> = expected.iter().map(|path| format!("r/{path}")).collect();
        assert_eq!(paths_in(&meta, Style::Libtorrent2), expected);
    }

    #[test]
    fn no_other_name_is_a_hidden_folders_unless_the_torrents_is() {
        for name in ["\u{202e}.config", "\\.config", "\u{200b}.config"] {
            let meta = torrent(name.as_bytes(), &[&[b"a"]]);
            let others = meta.elsewhere();
            let mut others = others.values().flatten();
            assert!(others.all(|(_, path)| !path.starts_with('.')), "{name:?}");
        }
        let meta = torrent(".x\\".as_bytes(), &[&[b"a"]]);
        assert_eq!(paths_in(&meta, Style::Libtorrent2), [".x/a"]);
    }

    #[test]
    fn replacement_characters_and_folders_for_slashes_are_looked_for() {
        let meta = torrent(b"t\xe9", &[&[b"\xc9\xcf.txt"], &[b"AC/DC"], &[b"a/./b"]]);
        let elsewhere = meta.elsewhere();
        let lossy = |index: usize| {
            let mut others = elsewhere[&index].iter();
            others
                .find(|(style, _)| *style == Style::Lossy)
                .map(|(_, path)| &**path)
        };
        assert_eq!(lossy(0), Some("t\u{fffd}/\u{fffd}\u{fffd}.txt"));
        assert_eq!(lossy(1), Some("t\u{fffd}/AC/DC"));
        assert_eq!(lossy(2), None, "no safe path");
    }
}
