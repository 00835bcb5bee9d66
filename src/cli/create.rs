//! `create`: makes a `.torrent` of a file or folder.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process;
use std::time::{SystemTime, UNIX_EPOCH};

use lexopt::{Arg, Parser};

use super::check::draw_progress;
use super::units::{Bytes, parse_bytes};
use super::{Failure, help, quote, usage};
use crate::base::geometry::Geometry;
use crate::base::limits;
use crate::io::disk_error::Why;
use crate::io::logging;
use crate::io::source::Source;
use crate::storage::create::{self, Recipe};
use crate::wire::magnet;
use crate::wire::metainfo::Metainfo;
use crate::wire::paths;

/// What the command line says. A field is what interface.md says of the option with its name.
struct Options {
    path: PathBuf,
    output: Option<PathBuf>,
    trackers: Vec<String>,
    web_seeds: Vec<String>,
    piece_length: Option<u32>,
    private: bool,
    comment: Option<String>,
    date: bool,
}

/// Runs the command with the arguments behind its name.
///
/// # Errors
/// Why it did not end with 0.
pub fn run(parser: &mut Parser) -> Result<(), Failure> {
    let Some(options) = parse(parser)? else {
        return super::print(help::CREATE);
    };
    let source = Source::find(&options.path).map_err(Failure::failed)?;
    let remark = |paths: &[PathBuf], what| {
        for path in paths {
            let path = path.to_string_lossy();
            logging::say(&format!("brooklet: {}: {what}", logging::printable(&path)));
        }
    };
    remark(&source.skipped, "neither a file nor a folder: left out");
    let followed = "a symbolic link: followed, but not by seed and check";
    remark(&source.links, followed);
    let path = quote(options.path.as_os_str());
    let size = source.size();
    let piece_length = options
        .piece_length
        .unwrap_or_else(|| create::piece_length(size));
    if size > limits::CONTENT_BYTES {
        return Err(Failure::failed(format!(
            "{path}: it is too large for a torrent"
        )));
    }
    let Some(geometry) = Geometry::new(size, piece_length) else {
        return Err(Failure::failed(format!(
            "{path}: there are no bytes in it to make a torrent of"
        )));
    };
    let output = options
        .output
        .unwrap_or_else(|| PathBuf::from(torrent_name(&source.name)));
    // Hashing may take an hour.
    let unfit = if output.is_dir() {
        Some("this is a folder: name a file in it with -o")
    } else if source.contains(&output) {
        Some("this is part of the content: choose another with -o")
    } else {
        None
    };
    if let Some(why) = unfit {
        let output = quote(output.as_os_str());
        return Err(Failure::failed(format!("{output}: {why}")));
    }
    let hashes = source.hash(geometry, |done| draw_progress(done, size));
    logging::draw("");
    let recipe = Recipe {
        name: source.name,
        files: source.files,
        single: source.single,
        geometry,
        trackers: options.trackers,
        web_seeds: options.web_seeds,
        private: options.private,
        comment: options.comment,
        date: options.date.then(now),
    };
    let text = recipe.encode(&hashes.map_err(Failure::failed)?);
    finish(&text, &output)
}

/// The name of a torrent of this content, as long as a name may be.
fn torrent_name(name: &str) -> String {
    let whole = format!("{name}.torrent");
    if whole.len() <= limits::NAME_BYTES {
        return whole;
    }
    paths::shortened(&whole, "~")
}

/// Puts the whole torrent there, or leaves what is there as it was. What is no plain file is written to: a link, a pipe, a device.
fn write(output: &Path, text: &[u8]) -> io::Result<()> {
    if fs::symlink_metadata(output).is_ok_and(|found| !found.is_file()) {
        return fs::write(output, text);
    }
    // A suffix could make the name too long.
    let fresh = output.with_file_name(format!(".brooklet-{}.torrent", process::id()));
    let mut file = File::create_new(&fresh)?;
    let written = file.write_all(text).and_then(|()| file.sync_all());
    let done = written.and_then(|()| fs::rename(&fresh, output));
    if done.is_err() {
        let _ = fs::remove_file(&fresh);
    }
    done
}

/// Writes the torrent, once it is sure that it can be read, and tells its name in the swarm.
fn finish(text: &[u8], output: &Path) -> Result<(), Failure> {
    let name = quote(output.as_os_str());
    let metainfo =
        Metainfo::parse(text).map_err(|why| Failure::failed(format!("{name}: {why}")))?;
    if text.len() > limits::METAINFO_BYTES {
        let why = "the torrent is too long: choose a larger --piece-length";
        return Err(Failure::failed(format!("{name}: {why}")));
    }
    write(output, text)
        .map_err(|error| Failure::failed(format!("{name}: {}", Why::from(error))))?;
    let (pieces, length) = (metainfo.geometry.pieces(), metainfo.geometry.piece_length());
    let (size, length) = (Bytes(metainfo.size()), Bytes(length.into()));
    logging::say(&format!(
        "{}: {size}, pieces: {pieces} of {length}",
        logging::printable(&name)
    ));
    let (hash, trackers) = (metainfo.info_hash, &metainfo.trackers);
    let link = magnet::link(hash, &metainfo.name, trackers, &metainfo.web_seeds);
    super::print(&format!("{hash}\n{link}\n"))
}

fn parse(parser: &mut Parser) -> Result<Option<Options>, Failure> {
    let mut options = Options {
        path: PathBuf::new(),
        output: None,
        trackers: Vec::new(),
        web_seeds: Vec::new(),
        piece_length: None,
        private: false,
        comment: None,
        date: true,
    };
    let wrong = |error| usage("create", error);
    while let Some(arg) = parser.next().map_err(wrong)? {
        match arg {
            Arg::Short('h') | Arg::Long("help") => return Ok(None),
            Arg::Short('o') => options.output = Some(parser.value().map_err(wrong)?.into()),
            Arg::Long("tracker") => {
                options.trackers.push(url(
                    parser,
                    "--tracker",
                    &["http", "https", "udp", "ws", "wss"],
                )?);
            }
            Arg::Long("web-seed") => {
                options
                    .web_seeds
                    .push(url(parser, "--web-seed", &["http", "https", "ftp"])?);
            }
            Arg::Long("piece-length") => {
                options.piece_length = Some(piece_length(&text(parser, "--piece-length")?)?)
            }
            Arg::Long("private") => options.private = true,
            Arg::Long("comment") => options.comment = Some(text(parser, "--comment")?),
            Arg::Long("no-date") => options.date = false,
            Arg::Value(value) if options.path.as_os_str().is_empty() => options.path = value.into(),
            other => return Err(usage("create", other.unexpected())),
        }
    }
    if options.path.as_os_str().is_empty() {
        return Err(Failure::usage(
            "create: no file or folder is named: see brooklet create --help",
        ));
    }
    if options.trackers.len() > limits::TRACKERS {
        let most = limits::TRACKERS;
        return Err(Failure::usage(format!(
            "--tracker: more than {most} are never asked"
        )));
    }
    Ok(Some(options))
}

fn text(parser: &mut Parser, option: &str) -> Result<String, Failure> {
    let value: OsString = parser.value().map_err(|error| usage("create", error))?;
    let refused =
        |value: OsString| Failure::usage(format!("{option} {}: this is not UTF-8", quote(&value)));
    value.into_string().map_err(refused)
}

fn url(parser: &mut Parser, option: &str, schemes: &[&str]) -> Result<String, Failure> {
    let url = text(parser, option)?;
    let fits = url.split_once("://").is_some_and(|(scheme, rest)| {
        schemes
            .iter()
            .any(|known| known.eq_ignore_ascii_case(scheme))
            && !rest.is_empty()
    });
    let odd = url.len() > limits::URL_BYTES
        || url.contains(|letter: char| letter.is_control() || letter == ' ');
    if fits && !odd {
        return Ok(url);
    }
    let expected = schemes.join("://, ");
    Err(Failure::usage(format!(
        "{option} {url}: expected a URL with one of {expected}://"
    )))
}

fn piece_length(text: &str) -> Result<u32, Failure> {
    let range = create::LEAST_PIECE..=create::MOST_PIECE;
    let length = parse_bytes(text)
        .ok()
        .and_then(|bytes| u32::try_from(bytes).ok());
    length
        .filter(|length| length.is_power_of_two() && range.contains(length))
        .ok_or_else(|| {
            let expected = "expected a power of two from 16384 (16K) to 16777216 (16M)";
            Failure::usage(format!("--piece-length {text}: {expected}"))
        })
}

/// Seconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}
