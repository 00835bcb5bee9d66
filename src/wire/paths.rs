//! Names of files, as a torrent gives them. They come from strangers and end up on disk, so each component must be a plain name, and no
//! two files may need the same place.

use super::bencode::Value;
use super::metainfo::{FileEntry, FileKind, Invalid};

/// Letters of a name that are shown where it is refused.
const SHOWN: usize = 80;

/// Whether this is a plain name: one that lies in the folder where it is put, on every system.
pub fn is_plain(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\\', '\0'])
}

/// Refuses a name that is not plain.
pub(super) fn check(name: &str) -> Result<(), Invalid> {
    if is_plain(name) {
        return Ok(());
    }
    Err(Invalid(format!("a file is named {}", shown(name))))
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
) -> Result<Vec<String>, Invalid> {
    let mut twin = utf8
        .and_then(Value::list)
        .into_iter()
        .flat_map(|components| components.iter());
    let components = path
        .and_then(Value::list)
        .ok_or_else(|| Invalid(String::from("a file has no path")))?;
    let mut path = vec![name.to_owned()];
    for component in components.iter() {
        let component = text(Some(component), twin.next())
            .ok_or_else(|| Invalid(String::from("a file's path is no list of strings")))?;
        check(&component)?;
        path.push(component);
    }
    match path.len() {
        1 => Err(Invalid(String::from("a file's path is empty"))),
        _ => Ok(path),
    }
}

/// Refuses files that cannot lie on one disk: two at one path, or one where another needs a folder.
pub(super) fn check_all(files: &[FileEntry]) -> Result<(), Invalid> {
    let on_disk = files.iter().filter(|file| file.kind == FileKind::File);
    let mut paths: Vec<&[String]> = on_disk.map(|file| &file.path[..]).collect();
    // Sorted, the paths that begin with a path stand right behind it.
    paths.sort_unstable();
    let clash = paths
        .iter()
        .zip(paths.iter().skip(1))
        .find(|(path, next)| next.starts_with(path));
    match clash {
        None => Ok(()),
        Some((path, next)) if path == next => Err(Invalid(format!(
            "two files are named {}",
            shown(&path.join("/"))
        ))),
        Some((path, _)) => Err(Invalid(format!(
            "{} is a file and also a folder",
            shown(&path.join("/"))
        ))),
    }
}

/// A name in quotes, escaped, for a line of text.
fn shown(name: &str) -> String {
    match name.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?}…", name.get(..end).unwrap_or_default()),
        None => format!("{name:?}"),
    }
}
