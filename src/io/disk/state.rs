//! The state folder: small files that outlive a run, each replaced whole or not at all.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

use super::disk_error::{DiskError, Why};
use super::faults::{self, Call};
use crate::base::InfoHash;

/// Opening a named pipe would wait for its other end.
const WITHOUT_WAITING: i32 = OFlags::NONBLOCK.bits() as i32;

/// The file of a torrent in a state folder whose name ends so: `torrent` what it is, `magnet` its
/// link, `resume` what is on disk of it.
pub fn path(state_dir: &Path, info_hash: InfoHash, ending: &str) -> PathBuf {
    state_dir.join(format!("{info_hash}.{ending}"))
}

/// Reads a file, `None` if there is none. One longer than `most` bytes, which is not ours, is cut
/// there.
///
/// # Errors
/// It exists and cannot be read.
pub fn load(path: &Path, most: usize) -> Result<Option<Vec<u8>>, DiskError> {
    let mut bytes = Vec::new();
    let read: io::Result<()> = faults::call(Call::Load, String::new, |_| {
        let mut options = File::options();
        options.read(true);
        let file = options.custom_flags(WITHOUT_WAITING).open(path)?;
        let found = file.metadata()?;
        if !found.is_file() {
            return Err(Errno::NOTDIR.into());
        }
        let likely = usize::try_from(found.len()).unwrap_or(most).min(most);
        bytes.resize(likely, 0);
        let mut file = file.take(most as u64);
        let length = match file.read(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            read => read?,
        };
        bytes.truncate(length);
        // That was all if it is as much as the system has said.
        if length < likely || likely == 0 {
            file.read_to_end(&mut bytes)?;
        }
        Ok(())
    });
    match read.map_err(|error| DiskError::new(path, error)) {
        Ok(()) => Ok(Some(bytes)),
        Err(error) if error.why == Why::Missing => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a file may be put there by [`replace`]: a folder, a device or the like is not replaced.
///
/// # Errors
/// Something else is in the way.
pub fn look(path: &Path) -> Result<(), DiskError> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.is_file() && !found.is_symlink() => {
            Err(DiskError::new(path, Why::InTheWay))
        }
        _ => Ok(()),
    }
}

/// Puts `bytes` in the place of the file, so that after a crash at any moment either the old or the
/// new content is there. Its folder is made if need be. Of several processes that do so with one
/// file each has its turn: the last one's content stays.
///
/// # Errors
/// The folder or the file cannot be made, or the disk is full.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
    let named = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    let dir = named.unwrap_or(Path::new("."));
    // What a user downloads is private to that user.
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|error| DiskError::new(dir, error))?;
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    let fresh = PathBuf::from(fresh);
    let made = faults::call(Call::Create, what_of(&fresh), |_| create(&fresh));
    let written = made.and_then(|mut file| {
        if file.metadata()?.len() > 0 {
            // A process that was killed left it.
            faults::call(
                Call::Resize,
                || format!("0 {}", fresh.display()),
                |_| file.set_len(0),
            )?;
        }
        let what = || format!("{} {}", hex(bytes), fresh.display());
        faults::call(Call::Fill, what, |short| {
            if !short {
                file.write_all(bytes)
            } else {
                file.write_all(&bytes[..bytes.len() / 2])
            }
        })?;
        faults::call(Call::Flush, what_of(&fresh), |_| file.sync_all())?;
        Ok(file)
    });
    // It stays open, and locked, until it has its place.
    let _locked = written.map_err(|error| DiskError::new(&fresh, error))?;
    let renamed = faults::call(Call::Rename, what_of(path), |_| fs::rename(&fresh, path));
    let settled = renamed
        .and_then(|()| faults::call(Call::Settle, what_of(dir), |_| File::open(dir)?.sync_all()));
    match settled {
        // Some network file systems have no such thing as a folder to be synced.
        Err(error) if error.raw_os_error() != Some(Errno::INVAL.raw_os_error()) => {
            Err(DiskError::new(path, error))
        }
        _ => Ok(()),
    }
}

fn create(path: &Path) -> io::Result<File> {
    loop {
        // Any other file there is not ours.
        if fs::symlink_metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir()) {
            fs::remove_file(path)?;
        }
        let mut options = File::options();
        options.write(true).create(true).truncate(false);
        let file = options.custom_flags(WITHOUT_WAITING).open(path)?;
        // Another process may be writing it. The lock lasts until the file is closed.
        let locked = flock(&file, FlockOperation::LockExclusive);
        if locked == Err(Errno::INTR) || (locked.is_ok() && !is_at(&file, path)?) {
            // That process has put it in its place: ours is another one.
            continue;
        }
        // Where nothing can be locked, one process has the folder to itself, we hope.
        return Ok(file);
    }
}

/// Whether this is the file that has the name.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let ours = file.metadata()?;
    let named = fs::symlink_metadata(path);
    Ok(named.is_ok_and(|named| (named.dev(), named.ino()) == (ours.dev(), ours.ino())))
}

fn what_of(path: &Path) -> impl FnOnce() -> String {
    || path.display().to_string()
}

fn hex(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    /// A lock belongs to an opened file, so threads exclude each other as processes do.
    #[test]
    fn several_writers_of_one_file_neither_fail_nor_tear_it() {
        let dir = std::env::temp_dir().join(format!("brooklet-replace-{}", std::process::id()));
        let path = dir.join("record");
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let write = |letter: u8, length: usize| {
                let path = &path;
                move || (0..200).try_for_each(|_| replace(path, &vec![letter; length]))
            };
            let writers = [(b'a', 100_000), (b'b', 50_000), (b'c', 10)];
            let writers = writers.map(|(letter, length)| scope.spawn(write(letter, length)));
            let reader = scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let Ok(Some(bytes)) = load(&path, 1 << 20) else {
                        continue;
                    };
                    let length = match bytes.first() {
                        Some(b'a') => 100_000,
                        Some(b'b') => 50_000,
                        _ => 10,
                    };
                    assert_eq!(bytes, vec![bytes[0]; length], "it is torn");
                }
            });
            let outcomes = writers.map(|writer| writer.join().unwrap());
            over.store(true, Ordering::Relaxed);
            reader.join().unwrap();
            assert_eq!(outcomes, [Ok(()), Ok(()), Ok(())]);
        });
        let left: Vec<_> = fs::read_dir(&dir).unwrap().flatten().collect();
        assert_eq!(left.len(), 1, "{left:?}");
        fs::remove_dir_all(&dir).unwrap();
    }
}
