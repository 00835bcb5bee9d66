//! `check`: hashes what is on disk, and says of each file whether it is what the torrent describes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use lexopt::{Arg, Parser};

use super::units::Bytes;
use super::{DAMAGED, Failure, help, target, usage};
use crate::base::bits::Bits;
use crate::io::disk::Disk;
use crate::io::disk_error::{DiskError, Why};
use crate::io::hash;
use crate::io::logging::{self, printable};
use crate::io::places;
use crate::storage::resume;
use crate::wire::metainfo::{FileKind, Metainfo};

/// Files held open by each core: pieces come almost in order, so more would lie idle.
const HANDLES: usize = 4;

/// Runs the command with the arguments behind its name.
///
/// # Errors
/// Why it did not end with 0.
pub fn run(parser: &mut Parser) -> Result<(), Failure> {
    let (mut torrent, mut dir) = (None, PathBuf::from("."));
    while let Some(arg) = parser.next().map_err(|error| usage("check", error))? {
        match arg {
            Arg::Short('h') | Arg::Long("help") => return super::print(help::CHECK),
            Arg::Short('d') | Arg::Long("dir") => {
                dir = parser
                    .value()
                    .map_err(|error| usage("check", error))?
                    .into();
            }
            Arg::Value(value) if torrent.is_none() => torrent = Some(value),
            other => return Err(usage("check", other.unexpected())),
        }
    }
    let missing = || Failure::usage("check: no torrent is named: see brooklet check --help");
    let mut metainfo = target::load(&torrent.ok_or_else(missing)?)?;
    places::fold(&dir, &mut metainfo, false);
    places::find(&dir, &mut metainfo);
    let metainfo = Arc::new(metainfo);
    let found = look(&dir, &metainfo);
    let (page, wrong) = report(&metainfo, &found);
    super::print(&page)?;
    if wrong == 0 {
        return Ok(());
    }
    let files = metainfo
        .files
        .iter()
        .filter(|file| file.kind == FileKind::File);
    let pieces = metainfo.geometry.pieces();
    Err(Failure {
        code: DAMAGED,
        message: Some(format!(
            "{}: {wrong} of {} files are not whole: {} of {pieces} pieces are missing or damaged",
            metainfo.name,
            files.count(),
            pieces - found.good.count(),
        )),
    })
}

/// Draws how far hashing is, where there is a terminal; for a total of 0 bytes nothing is drawn.
pub(super) fn draw_progress(done: u64, total: u64) {
    if let Some(percent) = (done * 100)
        .checked_div(total)
        .filter(|_| logging::terminal())
    {
        logging::draw(&format!(
            "hashing {percent:3}%  {} of {}",
            Bytes(done),
            Bytes(total)
        ));
    }
}

/// What is on disk.
struct Found {
    disk: Disk,
    /// Pieces whose SHA-1 is right.
    good: Bits,
    /// Pieces all of whose bytes are there.
    there: Bits,
    /// Files and folders that could not be looked at or read.
    errors: BTreeMap<PathBuf, Why>,
}

fn look(dir: &Path, metainfo: &Arc<Metainfo>) -> Found {
    let mut disk = Disk::new(dir, Arc::clone(metainfo));
    let errors = Mutex::new(BTreeMap::new());
    let note = |error: DiskError| {
        let mut errors = errors.lock().unwrap_or_else(PoisonError::into_inner);
        errors.insert(error.path, error.why);
    };
    disk.look().into_iter().for_each(note);
    let geometry = metainfo.geometry;
    let there = resume::verdict(None, disk.layout(), disk.stamps()).hash;
    let reader = || {
        let mut disk = Disk::new(dir, Arc::clone(metainfo)).with_handles(HANDLES);
        let (there, note) = (&there, &note);
        move |offset, buffer: &mut [u8]| {
            let piece = geometry.pieces_of(offset, 1).start;
            there.get(piece) && disk.read(offset, buffer).map_err(note).is_ok()
        }
    };
    let hashes = hash::pieces(geometry, reader, |done| {
        draw_progress(done, geometry.size())
    });
    logging::draw("");
    let mut good = Bits::new(geometry.pieces());
    for (piece, (hash, wanted)) in (0..).zip(hashes.iter().zip(&metainfo.hashes)) {
        if hash.as_ref() == Some(wanted) {
            good.set(piece);
        }
    }
    let errors = errors.into_inner().unwrap_or_else(PoisonError::into_inner);
    Found {
        disk,
        good,
        there,
        errors,
    }
}

/// A line for each file, and how many files are not whole.
fn report(metainfo: &Metainfo, found: &Found) -> (String, usize) {
    let (mut page, mut wrong) = (String::new(), 0);
    for (index, file) in metainfo.files.iter().enumerate() {
        if file.kind == FileKind::File {
            let fault = fault(found, index, file.length);
            wrong += usize::from(fault.is_some());
            let (word, detail) = fault.unwrap_or(("ok", String::new()));
            let _ = writeln!(page, "{word:<10} {}{detail}", printable(&file.path));
        }
    }
    (page, wrong)
}

/// What is wrong with a file, in a word and a few more; `None` if it is whole.
fn fault(found: &Found, file: usize, length: u64) -> Option<(&'static str, String)> {
    let path = found.disk.path(file);
    let why = path.ancestors().find_map(|path| found.errors.get(path));
    if let Some(why) = why.filter(|why| **why != Why::Short) {
        return Some(("unreadable", format!(": {why}")));
    }
    let Some(stamp) = found.disk.stamps().get(file).copied().flatten() else {
        return Some(("missing", String::new()));
    };
    if stamp.size < length {
        return Some(("short", format!(": {} of {length} bytes", stamp.size)));
    }
    let pieces = found.disk.layout().pieces_of(file);
    let (all, lost) = (pieces.len(), |piece: &u32| !found.good.get(*piece));
    let unsure = pieces
        .clone()
        .filter(lost)
        .filter(|piece| !found.there.get(*piece))
        .count();
    let bad = pieces.filter(lost).count() - unsure;
    if bad > 0 {
        return Some(("damaged", format!(": {bad} of {all} pieces")));
    }
    if unsure > 0 {
        return Some((
            "unsure",
            String::from(": it shares a piece with a file that is not all there"),
        ));
    }
    let surplus = stamp.size - length;
    (surplus > 0).then(|| ("long", format!(": {surplus} bytes too many")))
}
