//! Names of files, as a torrent gives them. They come from strangers and end up on disk, so each component must be a plain name, and no
//! two files may need the same place.

use super::bencode::Value;
use super::metainfo::{FileEntry, FileKind, Invalid};
use crate::base::limits;

/// Whether this is a plain name: one that lies in the folder where it is put, on every system.
pub fn is_plain(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\\', '\0'])
}

/// Refuses a name that is not plain.
pub(super) fn check(name: &str) -> Result<(), Invalid> {
    if is_plain(name) {
        return Ok(());
    }
    Err(Invalid::new(format!(
        "it names a file {}, which could lie outside the download folder",
        shown(name)
    )))
}

/// A text: `plain` if it is UTF-8, else its twin `utf8` (which older creators add under a name that ends in `.utf-8`) if there is one,
/// else `plain` with replacement characters.
pub(super) fn text(plain: Option<Value<'_>>, utf8: Option<Value<'_>>) -> Option<String> {
    let plain = plain.and_then(Value::bytes);
    let utf8 = utf8.and_then(Value::bytes);
    [plain, utf8]
        .into_iter()
        .flatten()
        .find_map(|bytes| std::str::from_utf8(bytes).ok())
        .map(str::to_owned)
        .or_else(|| Some(String::from_utf8_lossy(plain?).into_owned()))
}

/// Where a file of a torrent of several lies: the torrent's name, then the components of `path` (or of its twin, as in [`text`]).
pub(super) fn path(
    name: &str,
    path: Option<Value<'_>>,
    utf8: Option<Value<'_>>,
) -> Result<Box<str>, Invalid> {
    let mut twin = utf8
        .and_then(Value::list)
        .into_iter()
        .flat_map(|components| components.iter());
    let components = path
        .and_then(Value::list)
        .ok_or_else(|| Invalid::new("a file has no path"))?;
    let mut path = name.to_owned();
    for component in components.iter() {
        let component = text(Some(component), twin.next())
            .ok_or_else(|| Invalid::new("a file's path is no list of strings"))?;
        check(&component)?;
        path.push('/');
        path.push_str(&component);
    }
    if path.len() == name.len() {
        return Err(Invalid::new("a file's path is empty"));
    }
    Ok(path.into())
}

/// Refuses files that cannot lie on one disk: two at one path, or one where another needs a folder.
pub(super) fn check_all(files: &[FileEntry]) -> Result<(), Invalid> {
    let on_disk = files.iter().filter(|file| file.kind == FileKind::File);
    let mut paths: Vec<&str> = on_disk.map(|file| &*file.path).collect();
    // Sorted by their names, the paths that begin with a path stand right behind it.
    paths.sort_unstable_by(|a, b| a.split('/').cmp(b.split('/')));
    let mut pairs = paths.iter().zip(paths.iter().skip(1));
    match pairs.find(|(path, next)| is_in(path, next)) {
        None => Ok(()),
        Some((path, next)) if path == next => {
            Err(Invalid::new(format!("two files are named {}", shown(path))))
        }
        Some((path, _)) => Err(Invalid::new(format!(
            "{} is a file and also a folder",
            shown(path)
        ))),
    }
}

/// Whether a path is this folder's, or lies in it.
pub fn is_in(folder: &str, path: &str) -> bool {
    let rest = path.strip_prefix(folder);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A name in quotes, escaped, for a line of text.
fn shown(name: &str) -> String {
    match name.char_indices().nth(limits::WORDS) {
        Some((end, _)) => format!("{:?}…", name.get(..end).unwrap_or_default()),
        None => format!("{name:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::bencode::{bytes, decode, int, list};

    fn file(path: &[&str], kind: FileKind) -> FileEntry {
        FileEntry {
            path: path.join("/").into(),
            length: 1,
            kind,
            executable: false,
        }
    }

    fn value(text: &[u8]) -> Option<Value<'_>> {
        Some(decode(text).unwrap().0)
    }

    fn joined(plain: &[u8], utf8: Option<Value<'_>>) -> Result<String, String> {
        path("t", value(plain), utf8)
            .map(String::from)
            .map_err(|invalid| invalid.to_string())
    }

    #[test]
    fn plain_names_are_taken_and_no_others() {
        for name in ["a", "...", "a..b", " ", "ä\n", "-", "~"] {
            assert!(is_plain(name), "{name}");
        }
        for name in ["", ".", "..", "/", "a/b", "/a", "a\\b", "..\\", "a\0"] {
            assert!(!is_plain(name), "{name}");
        }
    }

    #[test]
    fn a_path_is_a_list_of_plain_names() {
        assert_eq!(
            joined(&list([bytes("a"), bytes("b")]), None),
            Ok(String::from("t/a/b"))
        );
        for bad in [
            list([]),
            list([bytes("")]),
            list([bytes("a"), bytes("..")]),
            list([bytes("a/b")]),
            list([int(1)]),
            bytes("a"),
        ] {
            assert!(joined(&bad, None).is_err(), "{}", bad.escape_ascii());
        }
        let refused = joined(&list([bytes("x\n/".repeat(1000))]), None).unwrap_err();
        assert!(
            refused.len() < 500 && !refused.contains('\n'),
            "one short line"
        );
    }

    #[test]
    fn the_utf8_twin_helps_where_the_plain_one_is_not_utf8() {
        let plain = list([bytes(b"\xe4"), bytes("b")]);
        let twin = list([bytes("ä"), bytes("unused")]);
        assert_eq!(joined(&plain, value(&twin)), Ok(String::from("t/ä/b")));
        assert_eq!(joined(&plain, None), Ok(String::from("t/\u{fffd}/b")));
        let evil = list([bytes("../x")]);
        assert!(
            joined(&plain, value(&evil)).is_err(),
            "the twin is checked too"
        );
        assert_eq!(text(value(&int(1)), None), None);
        assert_eq!(text(None, value(&bytes("ä"))), Some(String::from("ä")));
    }

    #[test]
    fn files_that_need_one_place_are_refused() {
        use FileKind::{File, Padding, Symlink};
        let check = |paths: &[(&[&str], FileKind)]| {
            let files: Vec<_> = paths.iter().map(|&(path, kind)| file(path, kind)).collect();
            check_all(&files).map_err(|invalid| invalid.to_string())
        };
        let (a, ab, abc, ac): (&[&str], &[&str], &[&str], &[&str]) = (
            &["t", "a"],
            &["t", "a", "b"],
            &["t", "a", "b", "c"],
            &["t", "a c"],
        );
        assert_eq!(check(&[(ab, File), (ac, File)]), Ok(()));
        assert_eq!(
            check(&[(ab, File), (ac, File), (ab, File)]),
            Err(String::from("two files are named \"t/a/b\""))
        );
        let folder = Err(String::from("\"t/a\" is a file and also a folder"));
        assert_eq!(check(&[(abc, File), (ac, File), (a, File)]), folder);
        assert_eq!(check(&[(a, File), (ac, File), (ab, File)]), folder);
        assert_eq!(
            check(&[(&[], Padding), (&[], Padding), (ab, Symlink), (ab, File)]),
            Ok(())
        );
    }
}
