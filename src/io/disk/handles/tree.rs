//! The files below one folder, reached without ever following a symbolic link: each folder on the
//! way is opened from the one before it, so that nothing that lies on disk already can lead out.
//! The folder itself is the user's choice and may be a link.

use std::fs::{self, File};
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{
    Access as Permission, AtFlags, FileType, Mode, OFlags, StatxFlags, Timespec, UTIME_NOW, statx,
};
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

use super::birth;
use super::pool::{Handle, HandleKey, Pool, Share, Side};
use super::stat::{self, Identity, Times, identity, stamp, stamp_of_statx, timestamps};
use crate::io::disk::disk_error::{DiskError, Why};
use crate::io::disk::faults::{self, Call};
use crate::storage::{Birth, Stamp};
use crate::wire::paths;

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// To be read; it must exist.
    Read,
    /// To be read and written; it is made, with the folders on its way, if it does not exist.
    Write {
        /// Whether a new file may be executed.
        executable: bool,
    },
}

/// The files below a folder.
#[derive(Debug)]
pub struct Tree {
    dir: Arc<Path>,
    /// Keeps the folder open, and the one visited last: files come in the torrent's order, which
    /// is mostly folder by folder.
    handles: Arc<Share>,
    side: Side,
    /// The folder that the last call did not find.
    absent: Option<String>,
}

impl Tree {
    /// The tree below `dir`, with handles from this pool. Nothing is touched yet.
    pub fn new(dir: &Path, pool: &Pool) -> Tree {
        Tree {
            dir: dir.into(),
            handles: Arc::new(pool.share()),
            side: Side::Reader,
            absent: None,
        }
    }

    /// The same tree, for another one to open files in.
    pub fn sibling(&self, side: Side) -> Tree {
        Tree {
            dir: Arc::clone(&self.dir),
            handles: Arc::clone(&self.handles),
            side,
            absent: None,
        }
    }

    /// What keeps its handles open.
    pub fn handles(&self) -> &Share {
        &self.handles
    }

    /// The user of its handles.
    pub fn side(&self) -> Side {
        self.side
    }

    /// Where a file lies, for messages.
    pub fn path(&self, path: &str) -> PathBuf {
        match path {
            "" => self.dir.to_path_buf(),
            _ if *self.dir == *Path::new(".") => PathBuf::from(path),
            _ => self.dir.join(path),
        }
    }

    /// Opens a file.
    ///
    /// # Errors
    /// It is missing (unless it is to be written), denied, or not a regular file; or a link is in
    /// the way.
    pub fn open(&mut self, path: &str, access: Access) -> Result<File, DiskError> {
        let (folder, name) = split(path);
        let (flags, mode) = match access {
            Access::Read => (OFlags::RDONLY, Mode::empty()),
            Access::Write { executable: false } => {
                (OFlags::RDWR | OFlags::CREATE, Mode::from(0o666))
            }
            Access::Write { executable: true } => {
                (OFlags::RDWR | OFlags::CREATE, Mode::from(0o777))
            }
        };
        // Not to be kept waiting by a named pipe.
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let folder = self.folder(folder, access != Access::Read)?;
        let folder = folder.as_fd();
        let what = || String::from(path);
        let opened = faults::call(Call::Open, what, |_| {
            rustix::fs::openat(folder, name, flags, mode)
        });
        let regular = opened.and_then(|file| {
            let kind = FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode);
            Ok((kind == FileType::RegularFile).then_some(file))
        });
        match regular {
            Ok(Some(file)) => Ok(File::from(file)),
            Ok(None) => Err(DiskError::new(self.path(path), Why::InTheWay)),
            Err(errno) => Err(DiskError::new(self.path(path), errno)),
        }
    }

    /// Size and time of a file; `None` if it does not exist.
    ///
    /// # Errors
    /// It cannot be told, or something else than a regular file is there.
    pub fn stamp(&mut self, path: &str) -> Result<Option<Stamp>, DiskError> {
        Ok(self.look(path)?.map(|(_, stamp)| stamp))
    }

    /// The folder that does not exist, where that is why the last call found no file: nothing else
    /// below it exists either.
    pub fn absent(&self) -> Option<&str> {
        self.absent.as_deref()
    }

    /// Which file this is, and its size and time; `None` if it does not exist.
    ///
    /// # Errors
    /// It cannot be told, or something else than a regular file is there.
    pub fn look(&mut self, path: &str) -> Result<Option<(Identity, Stamp)>, DiskError> {
        let (folder, name) = split(path);
        let folder = match self.folder(folder, false) {
            Ok(folder) => folder,
            Err(error) if error.why == Why::Missing => return Ok(None),
            Err(error) => return Err(error),
        };
        match rustix::fs::statat(folder.as_fd(), name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile => {
                Ok(Some((identity(&stat), stamp(&stat))))
            }
            Ok(_) => Err(DiskError::new(self.path(path), Why::InTheWay)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(DiskError::new(self.path(path), errno)),
        }
    }

    /// Size and time of a file, and which one it is for ever if that can be told; `None` if it does
    /// not exist.
    ///
    /// # Errors
    /// See [`Tree::look`].
    pub fn find(&mut self, path: &str) -> Result<Option<(Stamp, Option<Birth>)>, DiskError> {
        let (folder, name) = split(path);
        let wanted = StatxFlags::BASIC_STATS | birth::WANTED;
        let found = self
            .folder(folder, false)
            .map(|folder| statx(folder.as_fd(), name, AtFlags::SYMLINK_NOFOLLOW, wanted));
        match found {
            Ok(Ok(found)) if FileType::from_raw_mode(found.stx_mode.into()).is_file() => {
                Ok(Some((stamp_of_statx(&found), birth::told(&found))))
            }
            // What else there may be, the other call finds out, as where there is no such call.
            _ => Ok(self.look(path)?.map(|(_, stamp)| (stamp, None))),
        }
    }

    /// The folder's path without links on its way; `None` if it cannot be told.
    pub fn real_path(&mut self) -> Option<PathBuf> {
        // The system knows it of a folder that is open. Without that each name on the way is asked
        // for, as where the folder is removed or cannot be opened.
        let open = self.folder("", false).ok();
        let told =
            open.and_then(|open| fs::read_link(format!("/proc/self/fd/{}", open.as_raw_fd())).ok());
        told.filter(|path| !path.as_os_str().as_bytes().ends_with(b" (deleted)"))
            .or_else(|| fs::canonicalize(&self.dir).ok())
    }

    /// Whether a file of this length can be written to, or made with the folders on its way, as far
    /// as that can be told without doing it. Names that some file systems do not take are tried.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn check_writable(&mut self, path: &str, length: u64) -> Result<(), DiskError> {
        let fail = |tree: &Tree, errno| DiskError::new(tree.path(path), Why::from(errno));
        let (mut folder, name) = split(path);
        let most = getrlimit(Resource::Fsize).current;
        if most.is_some_and(|most| length > most) {
            let words = String::from("file too large: the shell allows none so long (ulimit -f)");
            return Err(DiskError::new(self.path(path), words));
        }
        if self.look(path)?.is_some() {
            let opened = self.folder(folder, false)?;
            let may =
                rustix::fs::accessat(opened.as_fd(), name, Permission::WRITE_OK, AtFlags::empty());
            return may.map_err(|errno| fail(self, errno));
        }
        let found = loop {
            match self.folder(folder, false) {
                Ok(found) => break found,
                Err(error) if error.why != Why::Missing || folder.is_empty() => return Err(error),
                Err(_) => folder = split(folder).0,
            }
        };
        let found = found.as_fd();
        let most = rustix::fs::fstatvfs(found).map_or(u64::MAX, |found| found.f_namemax);
        let may = Permission::WRITE_OK | Permission::EXEC_OK;
        let may = rustix::fs::accessat(found, ".", may, AtFlags::empty());
        let rest = || {
            path[folder.len()..]
                .split('/')
                .filter(|name| !name.is_empty())
        };
        let fits = rest().map(|name| name.len() as u64).all(|len| len <= most);
        let fits = if fits {
            Ok(())
        } else {
            Err(Errno::NAMETOOLONG)
        };
        let mut odd = rest().filter(|name| is_odd(name));
        let taken = may.and(fits).map(|()| odd.all(|name| takes(found, name)));
        match taken {
            Ok(true) => Ok(()),
            Ok(false) => {
                let words = String::from("the file system does not take this name");
                Err(DiskError::new(self.path(path), words))
            }
            Err(errno) => Err(fail(self, errno)),
        }
    }

    /// Has the names on the way to a file reach the disk, its own among them.
    ///
    /// # Errors
    /// A folder cannot be opened, or the system says so.
    pub fn sync_names(&mut self, path: &str) -> Result<(), DiskError> {
        let mut below = path;
        while !below.is_empty() {
            let (folder, _) = split(below);
            let opened = self.folder(folder, false)?;
            let what = || String::from(folder);
            match faults::call(Call::SyncName, what, |_| rustix::fs::fsync(opened.as_fd())) {
                // Some network file systems have no such thing as a folder to be synced.
                Ok(()) | Err(Errno::INVAL) => {}
                Err(errno) => return Err(DiskError::new(self.path(folder), errno)),
            }
            below = folder;
        }
        Ok(())
    }

    /// Sets a file's modification time, in seconds since 1970; to the present, where only that is
    /// allowed.
    ///
    /// # Errors
    /// As for [`Tree::open`].
    pub fn set_time(&mut self, path: &str, time: i64, which: Times) -> Result<(), DiskError> {
        let (folder, name) = split(path);
        let folder = self.folder(folder, false)?;
        let folder = folder.as_fd();
        let set = |seconds: i64, nanos| {
            let time = Timespec {
                tv_sec: seconds,
                tv_nsec: nanos,
            };
            let times = timestamps(time, which);
            let what = || format!("{seconds} {path}");
            faults::call(Call::Time, what, |ignored| {
                if !ignored {
                    rustix::fs::utimensat(folder, name, &times, AtFlags::SYMLINK_NOFOLLOW)
                } else {
                    Ok(())
                }
            })
        };
        let done = match set(time, 0) {
            // Another user's file, which we may write to.
            Err(Errno::PERM) => set(0, UTIME_NOW),
            done => done,
        };
        done.map_err(|errno| DiskError::new(self.path(path), errno))
    }

    /// The folder of these names, opened; made first, if `create` says so.
    fn folder(&mut self, names: &str, create: bool) -> Result<Arc<Handle>, DiskError> {
        self.absent = None;
        let root = match self.handles.get(HandleKey::Root) {
            Some(root) => root,
            None => {
                self.handles.make_room();
                let opened = File::from(open_root(&self.dir, create)?);
                match stat::look_at(&opened) {
                    Ok((identity, _)) => self.handles.keep_root(&self.dir, identity, opened),
                    Err(_) => self.handles.keep(HandleKey::Root, "", opened),
                }
            }
        };
        if names.is_empty() {
            return Ok(root);
        }
        let key = HandleKey::Folder(self.side);
        let last = self.handles.get(key);
        if let Some(folder) = last.filter(|last| last.names() == names) {
            return Ok(folder);
        }
        self.handles.make_room();
        match walk(&root, names, create) {
            Ok(opened) => Ok(self.handles.keep(key, names, opened.into())),
            Err((way, why)) => {
                if why == Why::Missing {
                    self.absent = Some(String::from(way));
                }
                Err(DiskError::new(self.path(way), why))
            }
        }
    }
}

/// The folder of these names below an open one. An error comes with the names that led to it.
fn walk<'a>(root: &File, names: &'a str, create: bool) -> Result<OwnedFd, (&'a str, Why)> {
    let mut inner: Option<OwnedFd> = None;
    let mut start = 0;
    let ends = names.match_indices('/').map(|(end, _)| end);
    for end in ends.chain([names.len()]) {
        let name = &names[start..end];
        assert_plain(name);
        let folder = inner.as_ref().map_or(root.as_fd(), OwnedFd::as_fd);
        let open = || rustix::fs::openat(folder, name, FOLDER | OFlags::NOFOLLOW, Mode::empty());
        let opened = match open() {
            Err(Errno::NOENT) if create => {
                match rustix::fs::mkdirat(folder, name, Mode::from(0o777)) {
                    Ok(()) | Err(Errno::EXIST) => open(),
                    Err(errno) => Err(errno),
                }
            }
            other => other,
        };
        inner = Some(opened.map_err(|errno| (&names[..end], errno.into()))?);
        start = end + 1;
    }
    Ok(inner.expect("there is a name"))
}

/// Whether FAT, exFAT or NTFS do not take a name, or another one in its place.
fn is_odd(name: &str) -> bool {
    let letter = |c: char| "\"*:<>?\\|".contains(c) || c.is_ascii_control();
    name.contains(letter) || name.ends_with(['.', ' '])
}

/// Makes a file of this name, and removes it. What is there already is left alone.
fn takes(folder: BorrowedFd<'_>, name: &str) -> bool {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    match rustix::fs::openat(folder, name, flags, Mode::from(0o666)) {
        Ok(_) => rustix::fs::unlinkat(folder, name, AtFlags::empty()).is_ok(),
        Err(errno) => errno == Errno::EXIST,
    }
}

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

fn open_root(dir: &Path, create: bool) -> Result<OwnedFd, DiskError> {
    if create {
        fs::create_dir_all(dir).map_err(|error| DiskError::new(dir, error))?;
    }
    rustix::fs::open(dir, FOLDER, Mode::empty()).map_err(|errno| DiskError::new(dir, errno))
}

/// The folders on the way, and the file's own name.
fn split(path: &str) -> (&str, &str) {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    assert_plain(name);
    (folder, name)
}

/// `wire::metainfo` lets no other name through; here is where one would do harm.
fn assert_plain(name: &str) {
    assert!(
        paths::is_plain(name),
        "a name that may lead out of its folder"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Resume data name the folder, so it must be where the files lie now.
    #[test]
    fn the_real_path_is_where_the_folder_lies_now() {
        let dir = std::env::temp_dir().join(format!("brooklet-tree-{}", std::process::id()));
        let (before, after) = (dir.join("in/before"), dir.join("moved/before"));
        fs::create_dir_all(&before).unwrap();
        let mut tree = Tree::new(&before, &Pool::new(4));
        let dir = fs::canonicalize(&dir).unwrap();
        assert_eq!(tree.real_path(), Some(dir.join("in/before")));
        fs::rename(dir.join("in"), dir.join("moved")).unwrap();
        std::os::unix::fs::symlink("moved", dir.join("in")).unwrap();
        assert_eq!(tree.real_path(), Some(dir.join("moved/before")));
        fs::remove_dir(&after).unwrap();
        assert_eq!(tree.real_path(), None, "it is deleted");
        fs::remove_dir_all(&dir).unwrap();
    }
}
