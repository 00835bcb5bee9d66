//! The SOURCE argument: the path of a `.torrent`, its URL, `-` for standard input, a magnet link,
//! or an info hash. What is none is named as what it is, with what to do.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::{DAMAGED, Failure, quote};
use crate::base::limits;
use crate::io::by_url::{self, Access, Fetched};
use crate::io::disk::locate::Located;
use crate::io::disk::{Why, locate, places, state};
use crate::io::{logging, merging};
use crate::storage::select;
use crate::wire::magnet::{self, Link};
use crate::wire::{Metainfo, bencode};

/// What an argument names.
#[derive(Clone, Debug)]
pub enum Target {
    /// A torrent, all of it, and its bytes.
    Torrent(Box<Metainfo>, Vec<u8>),
    /// A torrent as far as a magnet link or an info hash says.
    Link(Box<Link>),
}

/// Finds out what an argument names.
///
/// # Errors
/// It cannot be read, or it is not valid.
pub fn find(source: &OsStr, access: Access) -> Result<Target, Failure> {
    let text = source.to_str().unwrap_or_default();
    if by_url::is_url(text) {
        return find_by_url(text, access);
    }
    if magnet::is_magnet(text) || !Path::new(text).exists() {
        if let Some(given) = magnet::given(text) {
            return link(source, given);
        }
    }
    let text = read_any(source)?;
    from_text(source, text)
}

/// What a file holds: a torrent, or a link to one.
fn from_text(source: &OsStr, text: Vec<u8>) -> Result<Target, Failure> {
    let given = std::str::from_utf8(&text).ok().and_then(magnet::given);
    match given {
        Some(given) => link(source, given),
        None => load_text(source, checked(source, text)?),
    }
}

fn find_by_url(url: &str, access: Access) -> Result<Target, Failure> {
    let name = by_url::hide_login(url);
    if url.get(..8).is_some_and(by_url::is_lacked) {
        return Err(Failure::usage(format!("{name}: {}", by_url::NO_HTTPS)));
    }
    let source = OsString::from(name);
    match by_url::fetch(url, access, &mut |_| Ok(true)).map_err(Failure::failed)? {
        Fetched::File(text) => from_text(&source, text),
        Fetched::Link(text) => link(&source, Link::parse(&text)),
    }
}

/// The file that a source is; `None`: it is no file, and cannot be read again.
pub fn file(source: &OsStr) -> Option<PathBuf> {
    let is_url = source.to_str().is_some_and(by_url::is_url);
    let is_file = source != "-" && !is_url;
    is_file.then(|| std::path::absolute(source).ok()).flatten()
}

fn link(source: &OsStr, given: Result<Link, impl Display>) -> Result<Target, Failure> {
    let invalid = |why| {
        let name = match shown(source) {
            long if long.len() > LONGEST_SHOWN => Cow::Borrowed("magnet link"),
            name => name,
        };
        Failure::invalid(format!("{name}: {why}"))
    };
    Ok(Target::Link(Box::new(given.map_err(invalid)?)))
}

fn load_text(source: &OsStr, text: Vec<u8>) -> Result<Target, Failure> {
    let invalid = |why| Failure::invalid(format!("{}: {why}", shown(source)));
    let metainfo = Metainfo::parse(&text).map_err(invalid)?;
    Ok(Target::Torrent(Box::new(metainfo), text))
}

/// The torrent of a link whose metadata an earlier run has fetched, and its bytes, with the
/// trackers and web seeds of both.
pub fn known(link: &Link, state_dir: &Path) -> Option<(Metainfo, Vec<u8>)> {
    let path = state::path(state_dir, link.info_hash, "torrent");
    let text = state::load(&path, limits::METAINFO_BYTES).ok().flatten()?;
    let mut metainfo = Metainfo::parse(&text).ok()?;
    let before = metainfo.trackers.len();
    merging::add_tiers(&mut metainfo.trackers, &link.trackers);
    let seeds = &mut metainfo.web_seeds;
    let new_seeds = merging::add_names(seeds, &link.web_seeds, limits::WEB_SEEDS);
    let text = if metainfo.trackers.len() > before || !new_seeds.is_empty() {
        let info = bencode::decode(&text).ok()?.0.dict()?.dict("info")?.raw();
        magnet::torrent_of(info, &metainfo.trackers, &metainfo.web_seeds)
    } else {
        text
    };
    (metainfo.info_hash == link.info_hash).then_some((metainfo, text))
}

/// The torrent that an argument names; that of a link if an earlier run has fetched it, which is
/// kept in the state folder.
///
/// # Errors
/// It cannot be read, is not valid, or is not known.
pub fn load(source: &OsStr, state_dir: Option<&Path>) -> Result<Metainfo, Failure> {
    match find(source, Access::default())? {
        Target::Torrent(metainfo, _) => Ok(*metainfo),
        Target::Link(link) => {
            let known = state_dir.and_then(|dir| known(&link, dir));
            known.map(|(metainfo, _)| metainfo).ok_or_else(|| {
                Failure::failed(format!(
                    "{}: only its link is known: fetch the torrent first, with \
                     brooklet get --metadata-only",
                    link.title()
                ))
            })
        }
    }
}

/// A magnet link that is longer is not repeated in messages.
const LONGEST_SHOWN: usize = 100;

/// What an argument is called in messages.
pub fn shown(torrent: &OsStr) -> Cow<'_, str> {
    if torrent == "-" {
        Cow::Borrowed("standard input")
    } else {
        quote(torrent)
    }
}

/// All that a path or standard input holds.
fn read_any(torrent: &OsStr) -> Result<Vec<u8>, Failure> {
    if let Some(why) = torrent.to_str().and_then(no_path) {
        return Err(Failure::usage(why));
    }
    let name = shown(torrent);
    let text = if torrent == "-" {
        bounded(io::stdin().lock())
    } else {
        File::open(torrent).and_then(bounded)
    };
    let path = Path::new(torrent);
    text.map_err(|error| {
        let why = match error.kind() {
            io::ErrorKind::IsADirectory => folder(path),
            io::ErrorKind::NotFound => missing(path),
            io::ErrorKind::NotADirectory => {
                String::from("part of this path is a file, not a folder")
            }
            _ => Why::from(error).to_string(),
        };
        Failure::failed(format!("{name}: {why}"))
    })
}

/// What was read, if it begins as a torrent does.
fn checked(torrent: &OsStr, text: Vec<u8>) -> Result<Vec<u8>, Failure> {
    let name = shown(torrent);
    let invalid = |why: &str| Failure::invalid(format!("{name}: {why}"));
    if text.first() != Some(&b'd') {
        let beside = described_by(Path::new(torrent))
            .map(|path| format!("this is no torrent: did you mean {}?", path.display()));
        return Err(invalid(
            &beside.unwrap_or_else(|| String::from(other(&text))),
        ));
    }
    if text.len() > limits::METAINFO_BYTES {
        let most = limits::METAINFO_BYTES / limits::MIB;
        return Err(invalid(&format!(
            "it is longer than {most} MiB, which no torrent is"
        )));
    }
    Ok(text)
}

/// Looks for the content of a torrent that was loaded, if need be elsewhere than under `dir`; where
/// it lies elsewhere is said, unless `quiet`.
///
/// # Errors
/// Nothing of it is anywhere: exit code 4.
pub fn find_content(
    torrent: &OsStr,
    dir: &mut PathBuf,
    metainfo: &mut Metainfo,
    quiet: bool,
) -> Result<(), Failure> {
    let named = quote(dir.as_os_str()).into_owned();
    let name = metainfo.name.clone();
    places::find(dir, metainfo);
    let place = locate(dir, Path::new(torrent), metainfo);
    if matches!(place, Located::Elsewhere(_)) {
        places::find(dir, metainfo);
    }
    match place {
        Located::Here => {}
        Located::Elsewhere(_) if quiet => {}
        Located::Elsewhere(place) => {
            let line = format!("{name}: not in {named}; using {}", place.display());
            logging::say(&format!("brooklet: {}", logging::printable(&line)));
        }
        Located::Nowhere => {
            let why = format!("nothing of it is in {named} or beside the torrent");
            return Err(Failure {
                code: DAMAGED,
                message: Some(format!(
                    "{name}: {why}: name the folder that holds it with -d"
                )),
            });
        }
    }
    Ok(())
}

/// The files that any of the patterns of `--files` chooses, all (`None`) without one.
///
/// # Errors
/// A pattern that chooses none is a slip of the keyboard.
pub fn selected(patterns: &[String], metainfo: &Metainfo) -> Result<Option<Vec<usize>>, Failure> {
    let chosen = select::choose_all(patterns, &metainfo.files);
    chosen.map_err(|why| Failure::usage(format!("--files {why}: see brooklet show")))
}

/// Why an argument is no path, and what to do.
fn no_path(text: &str) -> Option<String> {
    let scheme = text
        .split_once("://")
        .map(|(scheme, _)| scheme.to_ascii_lowercase());
    let shown = quote(OsStr::new(text));
    match scheme.as_deref() {
        _ if text.is_empty() => Some(String::from("'': a torrent's path cannot be empty")),
        Some("ftp") => Some(format!(
            "{shown}: ftp is not supported: fetch it first, with curl -LO, and name the file"
        )),
        Some("file") => Some(format!(
            "{shown}: name the file by its path, without file://"
        )),
        _ => None,
    }
}

/// The `.torrent` that a user may have meant by a path without that ending.
fn described_by(path: &Path) -> Option<PathBuf> {
    let mut longer = path.as_os_str().to_owned();
    longer.push(".torrent");
    let named = [PathBuf::from(longer), path.with_extension("torrent")];
    named
        .into_iter()
        .find(|named| named != path && named.is_file())
}

fn missing(path: &Path) -> String {
    match described_by(path) {
        Some(torrent) => format!("no such file: did you mean {}?", torrent.display()),
        None => Why::Missing.to_string(),
    }
}

fn folder(path: &Path) -> String {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let mut torrents = entries.map(|entry| entry.path()).filter(|path| {
        path.extension()
            .is_some_and(|extension| extension == "torrent")
    });
    let beside = described_by(path);
    match (torrents.next().or(beside), torrents.next()) {
        (Some(torrent), None) => {
            format!("this is a folder: did you mean {}?", torrent.display())
        }
        _ => {
            String::from("this is a folder: name a .torrent; brooklet create makes one of a folder")
        }
    }
}

/// What a file is that does not begin as a torrent does, and what to do.
fn other(text: &[u8]) -> &'static str {
    let start = text
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(text)
        .trim_ascii_start();
    let head = start[..start.len().min(1024)].to_ascii_lowercase();
    let holds = |what: &[u8]| head.windows(what.len()).any(|part| part == what);
    let magic: [(&[u8], &str); 7] = [
        (
            b"\x1f\x8b",
            "this is compressed with gzip: unpack it first, with gunzip",
        ),
        (
            b"BZh",
            "this is compressed with bzip2: unpack it first, with bunzip2",
        ),
        (
            b"\xfd7zXZ",
            "this is compressed with xz: unpack it first, with unxz",
        ),
        (
            b"\x28\xb5\x2f\xfd",
            "this is compressed with zstd: unpack it first, with unzstd",
        ),
        (
            b"PK\x03\x04",
            "this is a zip archive: unpack it first, with unzip",
        ),
        (b"Rar!", "this is a rar archive: unpack it first"),
        (b"7z\xbc\xaf", "this is a 7z archive: unpack it first"),
    ];
    if let Some((_, why)) = magic.iter().find(|(magic, _)| text.starts_with(magic)) {
        why
    } else if text.is_empty() {
        "this file is empty: fetch the torrent again"
    } else if start.is_empty() {
        "there is nothing but white space in it: fetch the torrent again"
    } else if start.starts_with(b"<") && (holds(b"<html") || holds(b"<!doctype html")) {
        "this is a web page, not a torrent: fetch the .torrent itself, perhaps after logging in"
    } else if start.starts_with(b"<") {
        "this is XML, not a torrent: fetch the .torrent itself"
    } else if head.starts_with(b"http://") || head.starts_with(b"https://") {
        "this is a text file with a URL: name that instead"
    } else if start.starts_with(b"{") {
        "this is JSON, not a torrent: a server's error, perhaps: fetch the .torrent itself"
    } else {
        "this is no torrent but some other file: name the .torrent that describes it; \
         brooklet create makes one of a file or folder"
    }
}

/// Everything there is, up to one byte more than a torrent may have.
fn bounded(source: impl Read) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    source
        .take(limits::METAINFO_BYTES as u64 + 1)
        .read_to_end(&mut text)?;
    Ok(text)
}
