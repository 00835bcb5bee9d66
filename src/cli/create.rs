//! `create`: makes a `.torrent` of a file or folder.

mod args;

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use lexopt::Parser;

use self::args::Options;
use super::check::draw_progress;
use super::units::Bytes;
use super::{Failure, help, quote};
use crate::base::{Geometry, PieceHash, limits};
use crate::io::disk::output::Output;
use crate::io::disk::source::{Omit, Source};
use crate::io::logging;
use crate::storage::{Recipe, create};
use crate::wire::{Metainfo, json, magnet};

/// Runs the command with the arguments behind its name. All that can be wrong is checked before
/// hashing, which may take an hour.
///
/// # Errors
/// Why it did not end with 0.
pub fn run(parser: &mut Parser) -> Result<(), Failure> {
    let Some(options) = args::parse(parser)? else {
        return super::print(help::CREATE);
    };
    let name = Source::name(&options.path).map_err(Failure::failed)?;
    let output = Output::new(options.output.clone(), &name);
    let option = (!options.force).then_some("--force");
    output.look(option).map_err(Failure::failed)?;
    let source = find(&options, &output)?;
    let (size, geometry) = measure(&options, &source)?;
    let recipe = Recipe {
        name: source.name.clone(),
        files: source.files.clone(),
        single: source.single,
        geometry,
        trackers: options.trackers,
        web_seeds: options.web_seeds,
        private: options.private,
        comment: options.comment,
        date: options.date.then(now),
    };
    let too_long = || {
        let why = "the torrent would be too long: choose a larger --piece-length";
        Failure::failed(format!("{}: {why}", output.name()))
    };
    let pieces = geometry.pieces() as usize;
    if pieces > limits::METAINFO_BYTES / size_of::<PieceHash>() {
        return Err(too_long());
    }
    // As long as the torrent will be, and like it but for the hashes.
    let draft = recipe.encode(&vec![PieceHash([0; 20]); pieces]);
    let invalid = |why| Failure::failed(format!("{}: {why}", output.name()));
    Metainfo::parse(&draft).map_err(invalid)?;
    if draft.len() > limits::METAINFO_BYTES {
        return Err(too_long());
    }
    output.probe(&draft).map_err(Failure::failed)?;
    drop(draft);
    let quiet = options.quiet;
    let hashes = source.hash(geometry, |done| {
        if !quiet {
            draw_progress(done, size);
        }
    });
    logging::draw(&[]);
    let text = recipe.encode(&hashes.map_err(Failure::failed)?);
    let metainfo = Metainfo::parse(&text).map_err(invalid)?;
    output.put(&text).map_err(Failure::failed)?;
    tell(&metainfo, &output, options.json, quiet)
}

/// What lies under the path; what is odd about it is said.
fn find(options: &Options, output: &Output) -> Result<Source, Failure> {
    let mut omit = Omit::new(&options.exclude, output.path());
    let source = Source::find(&options.path, &mut omit).map_err(Failure::failed)?;
    if let (Some(own), Some(output)) = (source.own.first(), output.path()) {
        if source.single || !is_torrent(own) {
            let why = "this is part of the content: choose another with -o";
            let output = quote(output.as_os_str());
            return Err(Failure::failed(format!("{output}: {why}")));
        }
    }
    if options.quiet {
        return Ok(source);
    }
    let remark = |paths: &[PathBuf], what| {
        for path in paths {
            let path = path.to_string_lossy();
            logging::say(&format!("brooklet: {}: {what}", logging::printable(&path)));
        }
    };
    remark(&source.skipped, "neither a file nor a folder: left out");
    remark(&source.own, "the torrent that is replaced: left out");
    let followed = "a symbolic link: followed, but not by seed and check";
    remark(&source.links, followed);
    for place in omit.idle() {
        let pattern = logging::printable(&options.exclude[place]);
        logging::say(&format!(
            "brooklet: --exclude {pattern}: it matches nothing"
        ));
    }
    Ok(source)
}

/// Whether a file that is to be replaced is a torrent, not content that only lies in its place.
fn is_torrent(path: &Path) -> bool {
    let named = path
        .extension()
        .is_some_and(|extension| extension == "torrent");
    named || std::fs::read(path).is_ok_and(|text| Metainfo::parse(&text).is_ok())
}

/// The content's size, and how it is cut.
fn measure(options: &Options, source: &Source) -> Result<(u64, Geometry), Failure> {
    let path = quote(options.path.as_os_str());
    let size = source.size();
    let chosen = options.piece_length;
    let piece_length = chosen.unwrap_or_else(|| create::piece_length(size));
    let why = match Geometry::new(size, piece_length) {
        Some(geometry) if size <= limits::CONTENT_BYTES => return Ok((size, geometry)),
        None if size == 0 => "there are no bytes in it to make a torrent of",
        _ => "it is too large for a torrent",
    };
    Err(Failure::failed(format!("{path}: {why}")))
}

/// Tells what was made, and its name in the swarm. What cannot go to standard output, because the
/// torrent does, goes to standard error.
fn tell(metainfo: &Metainfo, output: &Output, json: bool, quiet: bool) -> Result<(), Failure> {
    let (pieces, length) = (metainfo.geometry.pieces(), metainfo.geometry.piece_length());
    let (hash, trackers) = (metainfo.info_hash, &metainfo.trackers);
    let link = magnet::link(hash, Some(&metainfo.name), trackers, &metainfo.web_seeds);
    if json {
        let path = output.path().map(|path| path.to_string_lossy());
        let object = json::Object::new()
            .text("torrent", path.as_deref())
            .text("name", metainfo.name.as_str())
            .text("info_hash", hash.to_string().as_str())
            .text("magnet", link.as_str())
            .plain("size", metainfo.size())
            .plain("piece_length", length)
            .plain("pieces", pieces)
            .plain("files", metainfo.files.len());
        return super::print(&(object.finish() + "\n"));
    }
    let name = output.name();
    let name = logging::printable(&name);
    if !quiet {
        let (size, length) = (Bytes(metainfo.size()), Bytes(length.into()));
        logging::say(&format!("{name}: {size}, pieces: {pieces} of {length}"));
    }
    match output {
        Output::File(_) => super::print(&format!("{hash}\n{link}\n")),
        Output::Standard if quiet => Ok(()),
        Output::Standard => {
            logging::say(&format!("{hash}\n{link}"));
            Ok(())
        }
    }
}

/// Seconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}
