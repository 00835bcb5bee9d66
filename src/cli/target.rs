//! The TORRENT argument: the path of a `.torrent`, or `-` for standard input.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};

use super::{Failure, quote};
use crate::base::limits;
use crate::io::disk_error::Why;
use crate::wire::magnet;
use crate::wire::metainfo::Metainfo;

/// Reads the torrent that an argument names.
///
/// # Errors
/// It cannot be read, or it is not valid; a magnet link is wrong usage as yet.
pub fn load(torrent: &OsStr) -> Result<Metainfo, Failure> {
    if torrent.to_str().is_some_and(magnet::is_magnet) {
        return Err(Failure::usage("magnet links: not there yet"));
    }
    if torrent.is_empty() {
        return Err(Failure::usage("'': a torrent's path cannot be empty"));
    }
    let (name, text) = match torrent == "-" {
        true => ("standard input".into(), bounded(io::stdin().lock())),
        false => (quote(torrent), File::open(torrent).and_then(bounded)),
    };
    let text = text.map_err(|error| match error.kind() {
        io::ErrorKind::IsADirectory => Failure::failed(format!("{name}: this is a folder")),
        _ => Failure::failed(format!("{name}: {}", Why::from(error))),
    })?;
    if text.len() > limits::METAINFO_BYTES {
        let most = limits::METAINFO_BYTES / limits::MIB;
        return Err(Failure::invalid(format!(
            "{name}: it is longer than {most} MiB, which no torrent is"
        )));
    }
    Metainfo::parse(&text).map_err(|why| Failure::invalid(format!("{name}: {why}")))
}

/// Everything there is, up to one byte more than a torrent may have.
fn bounded(source: impl Read) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    source
        .take(limits::METAINFO_BYTES as u64 + 1)
        .read_to_end(&mut text)?;
    Ok(text)
}
