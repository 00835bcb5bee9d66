//! Names of files, as a torrent gives them. They come from strangers and end up on disk, so each
//! component must be a plain name. One that could lead out of its folder makes the torrent
//! invalid. One that is harmless but cannot be written as it stands gets a name of its own, made
//! from the torrent's bytes alone, so that it is the same in every run and on every machine:
//!
//! - a byte that is not UTF-8, and a `/`, become `%` and two hexadecimal digits;
//! - a name of more than [`limits::NAME_BYTES`] is cut in front of its extension, and eight digits
//!   of the SHA-1 of the torrent's spelling mark the place;
//! - where two names are the same after that, see [`super::naming`].

use std::borrow::Cow;
use std::fmt::Write as _;

use sha1::{Digest as _, Sha1};

use super::bencode::Value;
use super::files::Invalid;
use super::given::{Components, Given};
use crate::base::limits;

/// Bytes of an extension that is kept when a name is cut: a longer one is no extension.
const EXTENSION: usize = 32;

/// Whether this is a plain name: one that lies in the folder where it is put.
pub fn is_plain(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\0'])
}

/// Refuses a component that could lead out of its folder, even if its `/` were followed.
fn check(component: &[u8]) -> Result<(), Invalid> {
    let leads_out = component.starts_with(b"/")
        || matches!(component, b"" | b".")
        || component.contains(&0)
        || component
            .split(|&byte| byte == b'/')
            .any(|part| part == b"..");
    if !leads_out {
        return Ok(());
    }
    Err(Invalid::new(format!(
        "it names a file {}, which could lie outside the download folder",
        shown(&String::from_utf8_lossy(component))
    )))
}

/// The name on disk of a component that has passed [`check`]: itself, if it can be written.
pub(super) fn own(component: &[u8]) -> Cow<'_, str> {
    let mut name = match std::str::from_utf8(component) {
        Ok(text) if !text.contains('/') => Cow::Borrowed(text),
        _ => Cow::Owned(escaped(component)),
    };
    if name.len() > limits::NAME_BYTES {
        let digest = Sha1::digest(component);
        let mut mark = String::from("~");
        for byte in digest.iter().take(4) {
            let _ = write!(mark, "{byte:02x}");
        }
        name = Cow::Owned(shortened(&name, &mark));
    }
    name
}

fn escaped(component: &[u8]) -> String {
    let mut name = String::new();
    for chunk in component.utf8_chunks() {
        name.push_str(&chunk.valid().replace('/', "%2F"));
        for byte in chunk.invalid() {
            let _ = write!(name, "%{byte:02X}");
        }
    }
    name
}

/// A name with `mark` in front of its extension, cut there to fit a file system.
pub fn shortened(name: &str, mark: &str) -> String {
    let (stem, extension) = split(name);
    let room = limits::NAME_BYTES.saturating_sub(mark.len().saturating_add(extension.len()));
    format!("{}{mark}{extension}", cut(stem, room))
}

/// A name's stem, and its extension with the dot (empty if it has none).
pub(super) fn split(name: &str) -> (&str, &str) {
    let dot = name.rfind('.').filter(|&dot| dot > 0);
    let parts = dot.and_then(|dot| name.split_at_checked(dot));
    parts
        .filter(|(_, extension)| (2..=EXTENSION).contains(&extension.len()))
        .unwrap_or((name, ""))
}

/// As much of a text as fits into `most` bytes, in whole letters.
pub(super) fn cut(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.get(..end).unwrap_or_default()
}

/// A text: `plain` if it is UTF-8, else its twin `utf8` (which older creators add under a key
/// that ends in `.utf-8`) if there is one, else `plain` with replacement characters.
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

/// A name on disk, and how the torrent spells it where that says more.
pub(super) type Name = (String, Option<Given>);

/// The torrent's name: `utf8` if it is UTF-8, else `plain`.
pub(super) fn name(plain: Option<Value<'_>>, utf8: Option<Value<'_>>) -> Result<Name, Invalid> {
    let plain = plain.and_then(Value::bytes).map(|name| vec![name]);
    let utf8 = utf8.and_then(Value::bytes).map(|name| vec![name]);
    joined(plain, utf8)?.ok_or_else(|| Invalid::new("it has no name"))
}

/// Where a file of a torrent of several lies below the torrent's name: the components of `utf8`
/// if all of them are UTF-8, else those of `plain`.
pub(super) fn path(plain: Option<Value<'_>>, utf8: Option<Value<'_>>) -> Result<Name, Invalid> {
    let list = plain.and_then(Value::list);
    let components = list.and_then(|list| strings(list.iter()));
    if list.is_some() && components.is_none() {
        return Err(Invalid::new("a file's path is no list of strings"));
    }
    let twin = utf8.and_then(Value::list);
    match joined(components, twin.and_then(|list| strings(list.iter())))? {
        Some((path, _)) if path.is_empty() => Err(Invalid::new("a file's path is empty")),
        Some(name) => Ok(name),
        None => Err(Invalid::new("a file has no path")),
    }
}

fn strings<'a>(values: impl Iterator<Item = Value<'a>>) -> Option<Vec<&'a [u8]>> {
    values.map(Value::bytes).collect()
}

/// Decides which of two spellings counts, and makes the name on disk of it.
fn joined(plain: Option<Vec<&[u8]>>, utf8: Option<Vec<&[u8]>>) -> Result<Option<Name>, Invalid> {
    let sound = |twin: &Vec<&[u8]>| {
        !twin.is_empty() && twin.iter().all(|name| std::str::from_utf8(name).is_ok())
    };
    let (components, plain) = match utf8.filter(sound) {
        Some(twin) => (twin, plain.filter(|plain| !plain.is_empty())),
        None => match plain {
            Some(plain) => (plain, None),
            None => return Ok(None),
        },
    };
    let mut path = String::new();
    let mut altered = false;
    for (place, component) in components.iter().enumerate() {
        check(component)?;
        let name = own(component);
        altered |= name.as_bytes() != *component;
        if place > 0 {
            path.push('/');
        }
        path.push_str(&name);
    }
    // Content may lie under the other name only if that is a safe one.
    let safe = |plain: &Vec<&[u8]>| plain.iter().all(|name| check(name).is_ok());
    let plain = plain.filter(|plain| *plain != components && safe(plain));
    let given = (altered || plain.is_some()).then(|| Given {
        components: owned(&components),
        plain: plain.as_deref().map(owned),
    });
    Ok(Some((path, given)))
}

fn owned(names: &[&[u8]]) -> Components {
    names.iter().map(|&name| name.into()).collect()
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

    fn value(text: &[u8]) -> Option<Value<'_>> {
        Some(decode(text).unwrap().0)
    }

    fn read(plain: &[u8], utf8: Option<Value<'_>>) -> Result<String, String> {
        let path = path(value(plain), utf8).map(|(path, _)| path);
        path.map_err(|invalid| invalid.to_string())
    }

    #[test]
    fn plain_names_are_taken_and_no_others() {
        for name in ["a", "...", "a..b", " ", "ä\n", "-", "~", "a\\b", "..\\"] {
            assert!(is_plain(name), "{name}");
        }
        for name in ["", ".", "..", "/", "a/b", "/a", "a\0"] {
            assert!(!is_plain(name), "{name}");
        }
    }

    #[test]
    fn a_path_is_a_list_of_names_that_stay_in_their_folder() {
        let taken = list([bytes("a"), bytes("b\\..")]);
        assert_eq!(read(&taken, None), Ok(String::from("a/b\\..")));
        for bad in [
            list([]),
            list([bytes("")]),
            list([bytes(".")]),
            list([bytes("a"), bytes("..")]),
            list([bytes("a\0")]),
            list([bytes("/a")]),
            list([bytes("../a")]),
            list([bytes("a/../../b")]),
            list([bytes("a/..")]),
            list([int(1)]),
            bytes("a"),
        ] {
            assert!(read(&bad, None).is_err(), "{}", bad.escape_ascii());
        }
        let refused = read(&list([bytes("/x\n".repeat(1000))]), None).unwrap_err();
        assert!(
            refused.len() < 500 && !refused.contains('\n'),
            "one short line"
        );
    }

    /// `name.utf-8` and `path.utf-8` are the names, as in libtorrent, Transmission and aria2.
    #[test]
    fn the_utf8_twin_is_the_name_wherever_it_stands() {
        let twin = list([bytes("ä"), bytes("c")]);
        for plain in [list([bytes(b"\xe4"), bytes("b")]), list([bytes("?")])] {
            assert_eq!(read(&plain, value(&twin)), Ok(String::from("ä/c")));
        }
        let plain = list([bytes("a"), bytes("b")]);
        for unfit in [list([]), list([bytes(b"\xe4")]), list([int(1)]), int(1)] {
            assert_eq!(read(&plain, value(&unfit)), Ok(String::from("a/b")));
        }
        let evil = list([bytes("../x")]);
        assert!(read(&plain, value(&evil)).is_err(), "the twin is checked");
        let (path, _) = path(None, value(&twin)).unwrap();
        assert_eq!(path, "ä/c");
        let (own, given) = name(value(&bytes(b"\xe4")), value(&bytes("ä"))).unwrap();
        assert_eq!(own, "ä");
        assert_eq!(given.unwrap().plain.unwrap(), [Box::from(&b"\xe4"[..])]);
        assert_eq!(text(value(&int(1)), None), None);
        assert_eq!(text(None, value(&bytes("ä"))), Some(String::from("ä")));
    }

    #[test]
    fn what_cannot_be_written_gets_a_name_that_says_what_it_was() {
        for (given, own_name) in [
            (&b"\xc9\xcf.txt"[..], "%C9%CF.txt"),
            (b"AC/DC.mp3", "AC%2FDC.mp3"),
            (b"caf\xe9/\xc3\xa9.txt", "caf%E9%2Fé.txt"),
            (b"50%.txt", "50%.txt"),
            (b"a\\b", "a\\b"),
        ] {
            assert_eq!(own(given), own_name);
        }
    }

    /// The limit is 255 bytes on every Linux file system (NAME_MAX), after decoding.
    #[test]
    fn a_long_name_is_cut_in_front_of_its_extension() {
        let most = "x".repeat(limits::NAME_BYTES);
        assert_eq!(own(most.as_bytes()), most.as_str());
        let long = "э".repeat(130) + ".mkv";
        let short = own(long.as_bytes()).into_owned();
        assert!(short.len() <= limits::NAME_BYTES && short.len() > 240);
        assert!(
            short.starts_with("эээ") && short.ends_with(".mkv"),
            "{short}"
        );
        let other = own("э".repeat(131).as_bytes()).into_owned();
        assert_ne!(short, other + ".mkv");
        let bytes = vec![0xff; 100];
        let short = own(&bytes).into_owned();
        assert!(short.len() <= limits::NAME_BYTES && short.starts_with("%FF%FF"));
        let no_extension = format!("a.{}", "x".repeat(300));
        assert!(own(no_extension.as_bytes()).len() <= limits::NAME_BYTES);
        let hidden = format!(".{}", "x".repeat(300));
        assert!(own(hidden.as_bytes()).starts_with(".xxx"));
    }

    #[test]
    fn a_folder_holds_itself_and_what_lies_in_it() {
        assert!(is_in("a/b", "a/b") && is_in("a/b", "a/b/c"));
        assert!(!is_in("a/b", "a/bc") && !is_in("a/b", "a"));
    }
}
