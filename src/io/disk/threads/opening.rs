//! Looking at what is on disk of a torrent before it is begun: which files are there, what an
//! earlier run recorded of them, and which may be written to. It may take as long as a disk likes,
//! so a thread does it: see [`Opener`](super::opener::Opener).

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::{InfoHash, PieceHash, SortedSet, Totals, limits};
use crate::io::disk::content::ContentFiles;
use crate::io::disk::content::existing::{Strangers, Survey};
use crate::io::disk::disk_error::DiskError;
use crate::io::disk::elsewhere::Elsewhere;
use crate::io::disk::handles::Pool;
use crate::io::disk::handles::stat::Identity;
use crate::io::disk::places;
use crate::io::disk::state;
use crate::storage::resume::{self, Verdict};
use crate::storage::{Layout, Resume, Stamp};
use crate::torrent::Existing;
use crate::wire::{FileKind, Metainfo};

/// What is to be opened.
#[derive(Clone, Debug)]
pub struct Request {
    /// The torrent.
    pub metainfo: Arc<Metainfo>,
    /// Where the content lies: under `dir/NAME`.
    pub dir: PathBuf,
    /// Where resume data is kept.
    pub state_dir: PathBuf,
    /// Whether it is to be downloaded, or only what is there is to be uploaded.
    pub download: bool,
    /// Places of the chosen files, ascending; `None`: all.
    pub selection: Option<Vec<usize>>,
    /// Whether files that are not this torrent's are written over.
    pub overwrite: bool,
    /// Whether what is on disk is hashed, whatever the resume data says.
    pub recheck: bool,
    /// What must be there.
    pub due: Due,
}

/// What must be there of a torrent's files: if nothing is, their disk is likely not mounted, and it
/// is an error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Due {
    /// Nothing: what is not there is to be downloaded.
    Nothing,
    /// The files that its resume data name, if these name verified pieces, too.
    Recorded,
    /// All: it was whole when it was used last.
    Whole,
}

/// A torrent that sleeps: its metainfo lies in the state folder, and is to be read again.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The torrent.
    pub info_hash: InfoHash,
    /// Where the content lies: under `dir/NAME`.
    pub dir: PathBuf,
    /// Where its metainfo and its resume data are kept.
    pub state_dir: PathBuf,
    /// As [`Request::due`].
    pub due: Due,
}

/// What came of reading it again.
#[derive(Debug)]
pub struct Reloaded {
    /// The torrent.
    pub info_hash: InfoHash,
    /// What a user is told.
    pub warnings: Vec<String>,
    /// What is there, or why it cannot be begun: `WHAT: WHY`, in one line.
    pub result: Result<Found, String>,
}

/// A torrent that was found again.
#[derive(Debug)]
pub struct Found {
    /// Its metainfo.
    pub metainfo: Arc<Metainfo>,
    /// SHA-1 of each piece, taken out of `metainfo`.
    pub hashes: Vec<PieceHash>,
    /// Its files.
    pub opened: Opened,
}

/// What the store needs to know to write a torrent's files and to save its resume data.
#[derive(Debug)]
pub struct StoreParams {
    /// The resume file.
    pub path: PathBuf,
    /// Whether the resume file says that nothing is being written.
    pub clean: bool,
    /// The files to be downloaded.
    pub chosen: Vec<usize>,
    /// Whether files that are not ours are written over, and what they have too much is cut off.
    pub overwrite: bool,
}

/// What is on disk, as far as it is known without hashing it.
#[derive(Debug)]
pub struct Opened {
    /// The files.
    pub content: ContentFiles,
    /// What the store needs to know to write them.
    pub params: StoreParams,
    /// The pieces that are verified, and those to be hashed.
    pub verdict: Verdict,
    /// Files that must prove to be this torrent's.
    pub doubted: Vec<Existing>,
    /// Bytes received and sent in earlier runs.
    pub totals: Totals,
}

/// What came of opening a torrent's files.
#[derive(Debug)]
pub struct Outcome {
    /// What a user is told.
    pub warnings: Vec<String>,
    /// Why it cannot be begun: `WHAT: WHY`, in one line.
    pub result: Result<Opened, String>,
}

/// Hears where a disk is asked for something that may last, and when it has answered.
pub trait Watch {
    /// The disk at this path is asked.
    fn asks(&self, path: &Path);
    /// It has answered.
    fn answered(&self);
}

/// Looks at what is on disk.
pub fn open(request: &Request, pool: &Pool, watch: &dyn Watch) -> Outcome {
    let mut warnings = Vec::new();
    let result = look(request, pool, watch, &mut warnings);
    Outcome { warnings, result }
}

/// Reads a torrent's metainfo again, and looks at what is on disk.
pub fn reload(stored: &Stored, pool: &Pool, watch: &dyn Watch) -> Reloaded {
    let mut warnings = Vec::new();
    Reloaded {
        info_hash: stored.info_hash,
        result: look_again(stored, pool, watch, &mut warnings),
        warnings,
    }
}

fn look_again(
    stored: &Stored,
    pool: &Pool,
    watch: &dyn Watch,
    warnings: &mut Vec<String>,
) -> Result<Found, String> {
    let path = state::path(&stored.state_dir, stored.info_hash, "torrent");
    let fail = |why: &str| format!("{}: {why}", path.display());
    watch.asks(&path);
    let text = state::load(&path, limits::METAINFO_BYTES + 1);
    let text = text.map_err(|error| error.to_string())?;
    let text = text.ok_or_else(|| fail("no such file, and its torrent is to wake up"))?;
    let mut metainfo = Metainfo::parse(&text).map_err(|why| fail(&why.to_string()))?;
    if metainfo.info_hash != stored.info_hash {
        return Err(fail("it is another torrent than when this one fell asleep"));
    }
    watch.asks(&stored.dir);
    places::fold(&stored.dir, &mut metainfo, true);
    places::find(&stored.dir, &mut metainfo);
    let hashes = std::mem::take(&mut metainfo.hashes);
    let request = Request {
        metainfo: Arc::new(metainfo),
        dir: stored.dir.clone(),
        state_dir: stored.state_dir.clone(),
        download: true,
        selection: None,
        overwrite: false,
        recheck: false,
        due: stored.due,
    };
    let opened = look(&request, pool, watch, warnings)?;
    Ok(Found {
        metainfo: request.metainfo,
        hashes,
        opened,
    })
}

fn look(
    request: &Request,
    pool: &Pool,
    watch: &dyn Watch,
    warnings: &mut Vec<String>,
) -> Result<Opened, String> {
    watch.asks(&request.dir);
    let mut content = content(request, pool, warnings)?;
    let metainfo = &request.metainfo;
    let path = state::path(&request.state_dir, metainfo.info_hash, "resume");
    watch.asks(&path);
    let resume = recorded(&path, metainfo, content.layout(), warnings);
    watch.answered();
    warnings.extend(find_gone(request, &content, resume.as_ref())?);
    let believed = resume.as_ref().filter(|_| !request.recheck);
    let mut verdict = resume::verdict(believed, content.layout(), content.stamps());
    let parts = path.with_extension("parts");
    let admitted = admit(request, resume.as_ref(), &mut content, &mut verdict, &parts);
    let (chosen, doubted) = admitted?;
    Ok(Opened {
        content,
        params: StoreParams {
            path,
            // Before the first write it must be on record that files may be ours that are not
            // whole.
            clean: resume.as_ref().is_none_or(|resume| resume.clean),
            chosen,
            overwrite: request.overwrite,
        },
        verdict,
        doubted,
        totals: resume.map_or(Totals::default(), |resume| Totals {
            down: resume.downloaded,
            up: resume.uploaded,
        }),
    })
}

/// The content as it is on disk. What would make every write fail is an error now.
fn content(
    request: &Request,
    pool: &Pool,
    warnings: &mut Vec<String>,
) -> Result<ContentFiles, String> {
    let dir = &request.dir;
    let found = fs::metadata(dir);
    match &found {
        Ok(found) if found.is_dir() => {}
        Ok(_) => return Err(format!("{}: it is not a folder", dir.display())),
        Err(_) if request.download => {
            fs::create_dir_all(dir).map_err(|error| DiskError::new(dir, error).to_string())?;
        }
        Err(_) => return Err(format!("{}: there is no such folder", dir.display())),
    }
    let mut disk = ContentFiles::new(dir, Arc::clone(&request.metainfo), pool);
    if let Ok(found) = &found {
        disk.handles().join(dir, Identity::of(found));
    }
    // One obstacle may be in the way of every file.
    let errors = disk.look();
    let errors: SortedSet<String> = errors.iter().map(ToString::to_string).collect();
    if request.download {
        return Ok(disk);
    }
    warnings.extend(errors);
    for file in disk.oversized() {
        let path = disk.path(file).display().to_string();
        warnings.push(format!(
            "{path}: longer than the torrent says; the surplus is left alone"
        ));
    }
    Ok(disk)
}

/// The files that must be there and are not there any more, as a line for the user.
///
/// # Errors
/// None is there.
fn find_gone(
    request: &Request,
    disk: &ContentFiles,
    resume: Option<&Resume>,
) -> Result<Option<String>, String> {
    let metainfo = &request.metainfo;
    let recorded = resume.filter(|resume| resume.verified.count() > 0);
    let was_there = |file: &usize| match request.due {
        Due::Nothing => false,
        Due::Recorded => recorded.is_some_and(|it| it.files[*file].is_some_and(holds_ours)),
        Due::Whole => true,
    };
    let is_chosen = |file: &usize| {
        let chosen = request.selection.as_ref();
        chosen.is_none_or(|chosen| chosen.binary_search(file).is_ok())
    };
    let holds = |file: &usize| {
        let entry = &metainfo.files[*file];
        entry.kind == FileKind::File && entry.length > 0
    };
    let files = 0..metainfo.files.len();
    let files = files.filter(|file| was_there(file) && is_chosen(file) && holds(file));
    let is_gone = |file: &usize| disk.stamps()[*file].is_none();
    let (gone, there): (Vec<usize>, Vec<usize>) = files.partition(is_gone);
    let Some(&first) = gone.first() else {
        return Ok(None);
    };
    if there.is_empty() {
        let path = request.dir.join(&metainfo.name);
        return Err(format!(
            "{}: nothing of it is there any more: put it back (is its disk mounted?), or resume it \
             to download it again",
            path.display()
        ));
    }
    let more = match gone.len() - 1 {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    let path = disk.path(first);
    let path = path.display();
    Ok(Some(format!(
        "{path}{more}: it is gone, and downloaded again"
    )))
}

/// Whether a file that is on record like this held something of ours.
fn holds_ours(stamp: Stamp) -> bool {
    stamp != Stamp::FOREIGN && stamp.size > 0
}

/// The files to be downloaded and those that must prove to be this torrent's. What cannot be
/// written, or may not be, is an error before anything is written or fetched.
fn admit(
    request: &Request,
    resume: Option<&Resume>,
    disk: &mut ContentFiles,
    known: &mut Verdict,
    parts: &Path,
) -> Result<(Vec<usize>, Vec<Existing>), String> {
    let metainfo = &request.metainfo;
    let all = 0..metainfo.files.len();
    let every = || all.clone().collect();
    let chosen = request.selection.clone().unwrap_or_else(every);
    let survey = Survey {
        metainfo,
        chosen: &chosen,
        resume,
    };
    disk.find_owned();
    disk.set_strangers(survey.foreign(disk));
    if !request.download {
        let absent = |&file: &usize| {
            metainfo.files[file].kind == FileKind::File && disk.stamps()[file].is_none()
        };
        let elsewhere = Elsewhere::new(parts, metainfo.geometry, all.filter(absent).collect());
        keep_elsewhere(disk, known, elsewhere);
        return Ok((Vec::new(), Vec::new()));
    }
    survey.check_writable(disk)?;
    let mut strangers = Strangers::default();
    if !request.overwrite {
        survey.check_lengths(disk)?;
        strangers = survey.strangers(disk, known);
    }
    let wanted = disk.layout().select(chosen.iter().copied()).pieces;
    // What is whole needs no bytes elsewhere. What an earlier run has left of them is not looked
    // for, which would take a call for each torrent: nobody reads it, and `remove` deletes it.
    let earlier = if request.selection.is_none() && known.trusted.all() {
        Elsewhere::nothing(parts, metainfo.geometry)
    } else {
        Elsewhere::new(parts, metainfo.geometry, BTreeSet::new())
    };
    let neighbours = survey.neighbours(disk, &wanted, earlier.kept());
    disk.spare(strangers.precious);
    let elsewhere = if neighbours.barred.is_empty() {
        earlier.cleared()
    } else {
        earlier.with_barred(neighbours.barred)
    };
    keep_elsewhere(disk, known, elsewhere.with_neighbours(neighbours.others));
    Ok((chosen, strangers.doubted))
}

/// Has the bytes of barred files kept there; the pieces that may be whole with them are hashed.
fn keep_elsewhere(disk: &mut ContentFiles, known: &mut Verdict, elsewhere: Elsewhere) {
    let layout = disk.layout();
    let geometry = layout.geometry();
    for piece in elsewhere.kept().ones() {
        let len = geometry.piece_size(piece) as usize;
        let whole = layout.spans(geometry.piece_start(piece), len).all(|span| {
            let size = disk.stamps()[span.file].map_or(0, |stamp| stamp.size);
            let there = size >= span.offset + span.len as u64;
            span.padding || there || elsewhere.takes(span.file)
        });
        if whole {
            known.trusted.clear(piece);
            known.hash.set(piece);
        }
    }
    disk.keep_elsewhere(elsewhere);
}

/// What an earlier run recorded, if it can be believed.
fn recorded(
    path: &Path,
    metainfo: &Metainfo,
    layout: &Layout,
    warnings: &mut Vec<String>,
) -> Option<Resume> {
    let most = Resume::most_bytes(layout) + 1;
    let bytes = state::load(path, most).unwrap_or_else(|error| {
        warnings.push(error.to_string());
        None
    })?;
    let resume = Resume::decode(&bytes, metainfo.info_hash, layout);
    if resume.is_none() {
        let path = path.display();
        warnings.push(format!("{path}: damaged; the content is hashed again"));
    }
    resume
}
