//! `check`: hashes what is on disk, and says of each file whether it is what the torrent describes.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use lexopt::{Arg, Parser};

use super::units::{Bytes, Part};
use super::values::Value;
use super::{DAMAGED, Failure, help, setups, slip, target, usage};
use crate::base::Bits;
use crate::io::disk::content::patched;
use crate::io::disk::{ContentFiles, DiskError, Pool, Why, hash, places};
use crate::io::logging::{self, printable};
use crate::storage::resume;
use crate::wire::{FileEntry, FileKind, Metainfo, json};

/// Files and folders held open by each core: pieces come almost in order, so more would lie idle.
const HANDLES: usize = 6;

/// What the command line says. A field is the value of the option with its name.
#[derive(Default)]
struct Options {
    torrent: OsString,
    dir: PathBuf,
    files: Vec<String>,
    state: Option<PathBuf>,
    json: bool,
    quiet: bool,
}

fn parse(parser: &mut Parser) -> Result<Option<Options>, Failure> {
    let mut options = Options {
        dir: PathBuf::from("."),
        ..Options::default()
    };
    let mut torrent = None;
    while let Some(arg) = parser.next().map_err(|error| usage("check", error))? {
        let option = match arg {
            Arg::Short('h') | Arg::Long("help") => return Ok(None),
            Arg::Value(value) if torrent.is_none() => {
                torrent = Some(value);
                continue;
            }
            Arg::Value(value) => return Err(slip::another("check", torrent.as_deref(), &value)),
            Arg::Short(letter) => format!("-{letter}"),
            Arg::Long(name) => format!("--{name}"),
        };
        let mut value = Value {
            command: "check",
            option: &option,
            parser,
        };
        match option.as_str() {
            "-d" | "--dir" => options.dir = value.path()?,
            "--files" => options.files.push(value.text()?),
            "--state" => options.state = Some(value.path()?),
            "--json" => options.json = true,
            "-q" | "--quiet" => options.quiet = true,
            "-v" | "--verbose" => {}
            _ => return Err(usage("check", lexopt::Error::UnexpectedOption(option))),
        }
    }
    let missing = || Failure::usage("check: no torrent is named: see brooklet check --help");
    options.torrent = torrent.ok_or_else(missing)?;
    Ok(Some(options))
}

/// Runs the command with the arguments behind its name.
///
/// # Errors
/// Why it did not end with 0.
pub fn run(parser: &mut Parser) -> Result<(), Failure> {
    let Some(mut options) = parse(parser)? else {
        return super::print(help::CHECK);
    };
    let state = options
        .state
        .clone()
        .or_else(|| setups::default_state().ok());
    let mut metainfo = target::load(&options.torrent, state.as_deref())?;
    places::fold(&options.dir, &mut metainfo, false);
    let chosen = target::selected(&options.files, &metainfo)?;
    let quiet = options.quiet;
    let (torrent, dir) = (&options.torrent, &mut options.dir);
    // Where nothing is, each file is said to be missing.
    let _ = target::find_content(torrent, dir, &mut metainfo, quiet);
    let metainfo = Arc::new(metainfo);
    let mut found = look(dir, &metainfo, chosen.as_deref(), quiet);
    if let Some(state) = state {
        let parts = state.join(format!("{}.parts", metainfo.info_hash));
        found.patch(&parts, &metainfo);
    }
    let states = states(&metainfo, &found, chosen.as_deref());
    let sum = Sum::of(&metainfo, &found, &states, chosen.as_deref());
    match (options.json, quiet) {
        (true, _) => super::print(&object(&metainfo, &sum, &states))?,
        (false, true) => {}
        (false, false) => super::print(&table(&metainfo, &sum, &states))?,
    }
    let wrong = sum.files - sum.whole;
    if wrong == 0 {
        return Ok(());
    }
    Err(Failure {
        code: DAMAGED,
        message: Some(format!(
            "{}: {wrong} of {} files are not whole: {} of {} pieces are missing or damaged",
            metainfo.name,
            sum.files,
            sum.pieces - sum.have,
            sum.pieces,
        )),
    })
}

/// Draws how far hashing is, where there is a terminal; for a total of 0 bytes nothing is drawn.
pub(super) fn draw_progress(done: u64, total: u64) {
    if let Some(percent) = (done * 100)
        .checked_div(total)
        .filter(|_| logging::terminal())
    {
        logging::draw(&[format!(
            "hashing {percent:3}%  {} of {}",
            Bytes(done),
            Bytes(total)
        )]);
    }
}

/// What is on disk.
struct Found {
    disk: ContentFiles,
    /// Pieces whose SHA-1 is right.
    good: Bits,
    /// Pieces all of whose bytes are there.
    there: Bits,
    /// Pieces whose SHA-1 is right with bytes of these files that are kept in the state folder.
    patched: BTreeMap<u32, BTreeSet<usize>>,
    /// Files and folders that could not be looked at or read.
    errors: BTreeMap<PathBuf, Why>,
}

fn look(dir: &Path, metainfo: &Arc<Metainfo>, chosen: Option<&[usize]>, quiet: bool) -> Found {
    let mut disk = ContentFiles::new(dir, Arc::clone(metainfo), &Pool::for_process());
    let errors = Mutex::new(BTreeMap::new());
    let note = |error: DiskError| {
        let mut errors = errors.lock().unwrap_or_else(PoisonError::into_inner);
        errors.insert(error.path, error.why);
    };
    disk.look().into_iter().for_each(note);
    let geometry = metainfo.geometry;
    let there = resume::verdict(None, disk.layout(), disk.stamps()).hash;
    let wanted = chosen.map(|chosen| disk.layout().select(chosen.iter().copied()).pieces);
    let reader = || {
        let mut disk = ContentFiles::new(dir, Arc::clone(metainfo), &Pool::new(HANDLES));
        let (there, wanted, note) = (&there, &wanted, &note);
        move |offset, buffer: &mut [u8]| {
            let piece = geometry.pieces_of(offset, 1).start;
            let wanted = wanted.as_ref().is_none_or(|wanted| wanted.get(piece));
            wanted && there.get(piece) && disk.read(offset, buffer).map_err(note).is_ok()
        }
    };
    let hashes = hash::pieces(geometry, reader, |done| {
        if !quiet {
            draw_progress(done, geometry.size());
        }
    });
    logging::draw(&[]);
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
        patched: BTreeMap::new(),
        errors,
    }
}

impl Found {
    /// Looks for pieces that are right with what is kept below `parts`.
    fn patch(&mut self, parts: &Path, metainfo: &Metainfo) {
        let mut lost = Bits::full(metainfo.geometry.pieces());
        for piece in self.good.ones() {
            lost.clear(piece);
        }
        self.patched = patched::pieces(&mut self.disk, parts, &lost, &metainfo.hashes);
    }

    /// Whether the bytes that a file has in a piece are right, where it belongs.
    fn holds(&self, file: usize, piece: u32) -> bool {
        let patched = self.patched.get(&piece);
        self.good.get(piece) || patched.is_some_and(|away| !away.contains(&file))
    }
}

/// What a file is on disk.
struct State {
    /// Its place among the torrent's files.
    index: usize,
    /// `ok`, or what is wrong with it.
    word: &'static str,
    /// More of what is wrong.
    detail: String,
}

/// The state of each file that is looked at.
fn states(metainfo: &Metainfo, found: &Found, chosen: Option<&[usize]>) -> Vec<State> {
    let files = metainfo.files.iter().enumerate();
    let files = files.filter(|(index, file)| {
        let wanted = chosen.is_none_or(|chosen| chosen.contains(index));
        wanted && file.kind == FileKind::File
    });
    let state = |(index, file): (usize, &FileEntry)| {
        let fault = fault(found, index, file.length);
        let (word, detail) = fault.unwrap_or(("ok", String::new()));
        State {
            index,
            word,
            detail,
        }
    };
    files.map(state).collect()
}

/// All files together: how much there is, and how much of it is right. Padding is no part of it.
struct Sum {
    files: usize,
    whole: usize,
    pieces: u32,
    have: u32,
    size: u64,
    done: u64,
}

impl Sum {
    fn of(metainfo: &Metainfo, found: &Found, states: &[State], chosen: Option<&[usize]>) -> Sum {
        let geometry = metainfo.geometry;
        let wanted = match chosen {
            Some(chosen) => found.disk.layout().select(chosen.iter().copied()).pieces,
            None => Bits::full(geometry.pieces()),
        };
        let away = |piece: u32| {
            let mut away = found.patched.get(&piece).into_iter().flatten();
            away.any(|file| states.iter().any(|state| state.index == *file))
        };
        let patched = |piece: u32| found.patched.contains_key(&piece) && !away(piece);
        let good = || {
            let good = |piece: &u32| found.good.get(*piece) || patched(*piece);
            wanted.ones().filter(good)
        };
        let padding = found.disk.layout().padding();
        let bytes = |piece| {
            let (start, size) = (geometry.piece_start(piece), geometry.piece_size(piece));
            let size = u64::from(size);
            size - padding.bytes_in(start..start + size)
        };
        Sum {
            files: states.len(),
            whole: states.iter().filter(|state| state.word == "ok").count(),
            pieces: wanted.count(),
            have: good().count() as u32,
            size: wanted.ones().map(bytes).sum(),
            done: good().map(bytes).sum(),
        }
    }
}

/// A line for each file, and the sum.
fn table(metainfo: &Metainfo, sum: &Sum, states: &[State]) -> String {
    let mut page = String::new();
    for State {
        index,
        word,
        detail,
    } in states
    {
        let path = printable(&metainfo.files[*index].path);
        let _ = writeln!(page, "{word:<10} {path}{detail}");
    }
    let Sum {
        files,
        whole,
        pieces,
        have,
        size,
        done,
    } = *sum;
    let plural = if files == 1 { "" } else { "s" };
    let part = Part { done, size };
    let _ = writeln!(
        page,
        "{:<10} {whole} of {files} file{plural} whole, {have} of {pieces} pieces, {part}",
        "sum"
    );
    page
}

/// The same as one JSON object.
fn object(metainfo: &Metainfo, sum: &Sum, states: &[State]) -> String {
    let files = states.iter().map(|state| {
        let file = &metainfo.files[state.index];
        let detail = state.detail.strip_prefix(": ");
        json::Object::new()
            .text("path", &*file.path)
            .plain("size", file.length)
            .text("state", state.word)
            .text("detail", detail)
            .finish()
    });
    let object = json::Object::new()
        .text("name", metainfo.name.as_str())
        .text("info_hash", metainfo.info_hash.to_string().as_str())
        .plain("whole", sum.whole == sum.files)
        .plain("size", sum.size)
        .plain("done", sum.done)
        .plain("pieces", sum.pieces)
        .plain("have", sum.have)
        .list("files", files);
    object.finish() + "\n"
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
    let (all, lost) = (pieces.len(), |piece: &u32| !found.holds(file, *piece));
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
