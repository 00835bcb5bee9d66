//! The folder that new torrents are dropped into. A file is taken once it is whole; one that is not
//! may still be written, so it is looked at again, and refused if nothing has changed by then. What
//! is refused goes to `failed/`, with the reason beside it. The system tells of changes; a rare
//! look at the whole folder finds what it does not tell of, on a network file system say.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use mio::unix::SourceFd;
use mio::{Interest, Registry};
use rustix::fs::OFlags;
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};

use super::brought::{Brought, is_link};
use crate::base::{SortedMap, SortedSet, Time, limits, printable, sooner};
use crate::io::disk::{DiskError, Why};
use crate::io::tokens;
use crate::wire::{Metainfo, magnet};

/// Where what is refused goes.
const FAILED: &str = "failed";
/// A symbolic link is not followed, and a named pipe is not waited for.
const FLAGS: OFlags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK);
/// Bytes that a file system allows in a name.
const NAME_BYTES: usize = 255;

/// Behind the name of a file that was refused: the reason.
const ERROR: &str = ".error";

/// Bytes of what the system tells at once.
const TOLD: usize = 4096;

/// The folder.
#[derive(Debug)]
pub struct Watch {
    dir: PathBuf,
    /// What the system tells of changes by; `None`: it has refused.
    told: Option<OwnedFd>,
    /// Something may have changed.
    changed: bool,
    /// The folder was taken away.
    gone: bool,
    /// When to look at the whole folder in any case.
    rescan_at: Time,
    /// Names that are to be looked at.
    queue: VecDeque<OsString>,
    /// Files that are there and were looked at.
    sights: SortedMap<OsString, Sight>,
    /// How many of them are being added.
    adding: usize,
}

/// A file that was looked at.
#[derive(Clone, Copy, Debug)]
struct Sight {
    stamp: Stamp,
    fate: Fate,
}

/// What is to become of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    /// It may not be whole, and is taken or refused if it is the same at this moment.
    Doubted(Time),
    /// It is being added, or refused.
    Adding,
    /// It cannot be moved away: it stays until it changes.
    Stuck,
}

/// Tells whether a file has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Stamp {
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

/// A torrent that was found.
#[derive(Debug)]
pub struct Found {
    /// The file's name.
    pub name: OsString,
    /// The torrent or link, or why it is none.
    pub content: Result<Brought, String>,
}

impl Watch {
    /// Makes the folder if need be, and has the system tell of changes. If it cannot, a line says
    /// so to `warn`: changes are then found by the rare look.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn open(
        folder: &Path,
        registry: &Registry,
        warn: &mut dyn FnMut(String),
        now: Time,
    ) -> Result<Watch, String> {
        let dir = folder.join("watch");
        let failed = dir.join(FAILED);
        let made = fs::create_dir_all(&failed);
        made.map_err(|error| DiskError::new(&failed, error).to_string())?;
        let told = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC);
        let told = told.map_err(io::Error::from).and_then(|told| {
            registry.register(
                &mut SourceFd(&told.as_raw_fd()),
                tokens::WATCH,
                Interest::READABLE,
            )?;
            Ok(told)
        });
        let mut watch = Watch {
            dir,
            told: None,
            changed: true,
            gone: false,
            rescan_at: now,
            queue: VecDeque::new(),
            sights: SortedMap::new(),
            adding: 0,
        };
        let told = told.and_then(|told| {
            watch.told = Some(told);
            watch.ask()
        });
        if let Err(error) = told {
            let (dir, why) = (watch.dir.display(), Why::from(error));
            let every = limits::WATCH_RESCAN.as_secs();
            warn(format!("{dir}: it is looked at every {every} s: {why}"));
        }
        Ok(watch)
    }

    /// Has the system tell of changes in the folder that stands there now.
    fn ask(&self) -> io::Result<()> {
        let events = WatchFlags::CREATE
            | WatchFlags::CLOSE_WRITE
            | WatchFlags::MOVED_TO
            | WatchFlags::ATTRIB
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR;
        if let Some(told) = &self.told {
            inotify::add_watch(told, &self.dir, events)?;
        }
        Ok(())
    }

    /// Notes that the system has told of changes.
    pub fn on_event(&mut self) {
        let Some(told) = &self.told else {
            return;
        };
        let mut buffer = [MaybeUninit::uninit(); TOLD];
        let mut reader = Reader::new(told, &mut buffer);
        // Which names they are about does not matter: the folder tells, even if some were lost.
        let ends = ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF | ReadFlags::IGNORED;
        while let Ok(event) = reader.next() {
            self.changed = true;
            self.gone |= event.events().intersects(ends);
        }
    }

    /// Has the whole folder looked at.
    pub fn look_anew(&mut self, now: Time) {
        self.rescan_at = now;
    }

    /// Whether the next turn has something to do though nothing happens.
    pub fn is_pending(&self) -> bool {
        self.has_room() && (self.changed || !self.queue.is_empty())
    }

    /// When there is something to do though nothing happens.
    pub fn next_deadline(&self) -> Option<Time> {
        let fates = self.sights.values().map(|sight| match sight.fate {
            Fate::Doubted(at) => Some(at),
            Fate::Adding | Fate::Stuck => None,
        });
        // While as many are being added as may be, the next look comes when one of them is done.
        let next = fates.fold(Some(self.rescan_at), sooner);
        next.filter(|_| self.has_room())
    }

    fn has_room(&self) -> bool {
        self.adding < limits::WATCH_AT_ONCE
    }

    /// The next file that is whole, or cannot be: it counts as being added until [`Watch::accept`]
    /// or [`Watch::refuse`] is called for it, and at most [`limits::WATCH_AT_ONCE`] are at one
    /// time.
    pub fn next(&mut self, now: Time) -> Option<Found> {
        if !self.has_room() {
            return None;
        }
        if self.queue.is_empty() {
            self.scan(now);
        }
        while let Some(name) = self.queue.pop_front() {
            if let Some(content) = self.look(&name, now) {
                return Some(Found { name, content });
            }
        }
        None
    }

    /// Puts the names into the queue that are to be looked at.
    fn scan(&mut self, now: Time) {
        if std::mem::take(&mut self.gone) {
            // Whoever has taken it away may be about to put another one in its place.
            self.rescan_at = self.rescan_at.min(now + limits::WATCH_SETTLED);
        }
        let rescan = self.rescan_at <= now;
        if rescan {
            self.rescan_at = now + limits::WATCH_RESCAN;
            // It may have been taken away, and another one put in its place.
            let _ = fs::create_dir_all(self.dir.join(FAILED)).and_then(|()| self.ask());
        }
        let changed = std::mem::take(&mut self.changed);
        if rescan || changed {
            let entries = fs::read_dir(&self.dir).into_iter().flatten().flatten();
            let names = entries.map(|entry| entry.file_name());
            let names: SortedSet<OsString> = names.filter(|name| is_meant(name)).collect();
            self.sights
                .retain(|name, sight| sight.fate == Fate::Adding || names.contains(name));
            self.queue.extend(names);
            return;
        }
        let due = self.sights.iter().filter(|(_, sight)| match sight.fate {
            Fate::Doubted(at) => at <= now,
            Fate::Adding | Fate::Stuck => false,
        });
        self.queue.extend(due.map(|(name, _)| name.clone()));
    }

    /// Looks at a file: the torrent, or why it is refused; `None`: it is left for now.
    fn look(&mut self, name: &OsStr, now: Time) -> Option<Result<Brought, String>> {
        let path = self.dir.join(name);
        let Ok(found) = fs::symlink_metadata(&path) else {
            self.sights.remove(name);
            return None;
        };
        let stamp = Stamp::of(&found);
        let before = self.sights.get(name).copied();
        let same = before.filter(|before| before.stamp == stamp);
        match (before.map(|before| before.fate), same.map(|same| same.fate)) {
            (Some(Fate::Adding), _) | (_, Some(Fate::Stuck)) => return None,
            (_, Some(Fate::Doubted(at))) if now < at => return None,
            _ => {}
        }
        let read = match read(&path, &found) {
            Read::Whole(brought) => Ok(brought),
            Read::Never(why) => Err(why),
            Read::Perhaps(read) => {
                if !matches!(same.map(|same| same.fate), Some(Fate::Doubted(_))) {
                    let fate = Fate::Doubted(now + limits::WATCH_SETTLED);
                    self.sights.insert(name.into(), Sight { stamp, fate });
                    return None;
                }
                read
            }
        };
        let fate = Fate::Adding;
        self.sights.insert(name.into(), Sight { stamp, fate });
        self.adding += 1;
        Some(read)
    }

    /// A file was added: it is kept elsewhere from now on.
    ///
    /// # Errors
    /// It cannot be taken away, and stays.
    pub fn accept(&mut self, name: &OsStr) -> Result<(), DiskError> {
        let path = self.dir.join(name);
        let Some(sight) = self.release(name) else {
            return Ok(());
        };
        // A file that was put in its place meanwhile is another torrent.
        let is_same = |found: Metadata| Stamp::of(&found) == sight.stamp;
        if !fs::symlink_metadata(&path).is_ok_and(is_same) {
            self.changed = true;
            return Ok(());
        }
        fs::remove_file(&path).map_err(|error| {
            self.stick(name, sight);
            DiskError::new(path, error)
        })
    }

    /// Puts a file away, with the reason beside it; it comes back as a line for the user.
    pub fn refuse(&mut self, name: &OsStr, why: &str) -> String {
        let path = self.dir.join(name);
        let sight = self.release(name);
        let mut line = format!("{}: {why}", path.display());
        if let Err(error) = self.put_away(&path, name, why) {
            if let Some(sight) = sight {
                self.stick(name, sight);
            }
            line = format!("{line}; it cannot be moved away: {error}");
        }
        line
    }

    fn put_away(&self, path: &Path, name: &OsStr, why: &str) -> Result<(), DiskError> {
        let failed = self.dir.join(FAILED);
        let made = fs::create_dir_all(&failed);
        made.map_err(|error| DiskError::new(&failed, error))?;
        let (place, reason) = free(&failed, name);
        // The reason comes first: until the file is moved, a start would look at it again.
        fs::write(&reason, format!("{}\n", printable(why)))
            .map_err(|error| DiskError::new(&reason, error))?;
        fs::rename(path, &place).map_err(|error| {
            let _ = fs::remove_file(&reason);
            DiskError::new(path, error)
        })
    }

    fn release(&mut self, name: &OsStr) -> Option<Sight> {
        let sight = self.sights.remove(name)?;
        if sight.fate == Fate::Adding {
            self.adding -= 1;
        }
        Some(sight)
    }

    fn stick(&mut self, name: &OsStr, sight: Sight) {
        let fate = Fate::Stuck;
        self.sights.insert(name.into(), Sight { fate, ..sight });
    }
}

impl Stamp {
    fn of(found: &Metadata) -> Stamp {
        Stamp {
            inode: found.ino(),
            size: found.size(),
            modified: (found.mtime(), found.mtime_nsec()),
        }
    }
}

/// What a file holds.
enum Read {
    /// All that it is to hold.
    Whole(Brought),
    /// Nothing, whatever is done to it.
    Never(String),
    /// This, but it may still be written.
    Perhaps(Result<Brought, String>),
}

/// Whether a file of this name is meant for us. A name that begins with a dot is one that another
/// program still works at.
fn is_meant(name: &OsStr) -> bool {
    let hidden = name.as_encoded_bytes().starts_with(b".");
    let path = Path::new(name);
    let ending = path.extension();
    let is_torrent = ending.is_some_and(|it| it.eq_ignore_ascii_case("torrent"));
    !hidden && (is_torrent || is_link(path))
}

fn read(path: &Path, found: &Metadata) -> Read {
    let kind = found.file_type();
    let never = |why: &str| Read::Never(String::from(why));
    if kind.is_symlink() {
        return never("it is a symbolic link: put the torrent itself here");
    } else if kind.is_dir() {
        return never("it is a folder");
    } else if !kind.is_file() {
        return never("it is not a file");
    }
    let torn = |why: String| Read::Perhaps(Err(why));
    if found.len() > limits::METAINFO_BYTES as u64 {
        let most = limits::METAINFO_BYTES / limits::MIB;
        return torn(format!("it is longer than {most} MiB, which no torrent is"));
    }
    let mut text = Vec::new();
    let mut options = File::options();
    let file = options
        .read(true)
        .custom_flags(FLAGS.bits() as i32)
        .open(path);
    let read = file.and_then(|file| {
        file.take(limits::METAINFO_BYTES as u64)
            .read_to_end(&mut text)
    });
    if let Err(error) = read {
        return torn(Why::from(error).to_string());
    }
    if text.is_empty() {
        return torn(String::from("it is empty"));
    }
    if is_link(path) {
        return read_link(&text);
    }
    match Metainfo::parse(&text) {
        Ok(metainfo) => Read::Whole(Brought::Torrent(Box::new(metainfo), text)),
        Err(why) => torn(why.to_string()),
    }
}

/// The beginning of a link is a link, too: only the end of its line says that it is whole.
fn read_link(text: &[u8]) -> Read {
    let read = match magnet::given(String::from_utf8_lossy(text).trim()) {
        Some(Ok(link)) => Ok(Brought::Link(Box::new(link))),
        Some(Err(why)) => Err(why.to_string()),
        None => Err(String::from(
            "it holds neither a magnet link nor an info hash",
        )),
    };
    match read {
        Ok(link) if text.ends_with(b"\n") => Read::Whole(link),
        read => Read::Perhaps(read),
    }
}

/// Where a file of this name may be put, and the reason: beside those that were put there before.
/// Of a name that is too long with what is added to it, the end stays.
fn free(failed: &Path, name: &OsStr) -> (PathBuf, PathBuf) {
    let numbers = std::iter::once(String::new()).chain((2..).map(|n| format!("{n}.")));
    let mut places = numbers.map(|number| {
        let room = NAME_BYTES - number.len() - ERROR.len();
        let name = name.as_bytes();
        let mut place = OsString::from(number);
        place.push(OsStr::from_bytes(&name[name.len().saturating_sub(room)..]));
        let mut reason = place.clone();
        reason.push(ERROR);
        (failed.join(place), failed.join(reason))
    });
    let is_free = |(place, _): &(PathBuf, PathBuf)| fs::symlink_metadata(place).is_err();
    // There are more numbers than files.
    places.find(is_free).unwrap_or_default()
}

#[cfg(test)]
mod tests;
