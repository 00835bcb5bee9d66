//! The Unix socket of a folder: how a process takes it, and how others find it. One process at a
//! time has a folder: it holds a lock on it, which the system takes back when the process ends, so
//! the socket that a dead process left behind is known to be one.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::io::disk::DiskError;

/// The socket's name in its folder.
const NAME: &str = "control";
/// Bytes of a path that the address of a Unix socket has room for.
const PATH_BYTES: usize = 107;

/// A folder that is ours, and its socket. The socket is taken away when this goes.
#[derive(Debug)]
pub struct SocketGuard {
    path: PathBuf,
    /// Held for its lock.
    _folder: File,
}

/// Takes a folder, and listens on its socket. Only this user may connect.
///
/// # Errors
/// Why it cannot be had, as a line for the user: another process has it, or the disk refuses.
pub fn listen(dir: &Path) -> Result<(UnixListener, SocketGuard), String> {
    let path = dir.join(NAME);
    let words = |path: &Path, error: io::Error| DiskError::new(path, error).to_string();
    let folder = File::open(dir).map_err(|error| words(dir, error))?;
    match flock(&folder, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => {
            let dir = dir.display();
            return Err(format!("{dir}: another brooklet runs here already"));
        }
        Err(errno) => return Err(words(dir, errno.into())),
    }
    if fs::symlink_metadata(&path).is_ok_and(|found| !found.file_type().is_socket()) {
        let path = path.display();
        return Err(format!("{path}: this is no socket: move it away"));
    }
    // It takes the socket's name when only this user may connect to it.
    let draft = dir.join(format!(".{NAME}-{}", process::id()));
    let made = bind(&folder, &draft).and_then(|listener| {
        fs::set_permissions(&draft, Permissions::from_mode(0o600))?;
        fs::rename(&draft, &path)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    match made {
        Ok(listener) => Ok((
            listener,
            SocketGuard {
                path,
                _folder: folder,
            },
        )),
        Err(error) => {
            let _ = fs::remove_file(&draft);
            Err(words(&path, error))
        }
    }
}

/// Connects to the process that has a folder.
///
/// # Errors
/// No process runs there ([`io::ErrorKind::NotFound`],
/// [`io::ErrorKind::ConnectionRefused`]), or the system refuses.
pub fn connect(dir: &Path) -> io::Result<UnixStream> {
    let path = dir.join(NAME);
    if path.as_os_str().len() <= PATH_BYTES {
        return UnixStream::connect(path);
    }
    let folder = File::open(dir)?;
    UnixStream::connect(short(&folder, Path::new(NAME)))
}

fn bind(folder: &File, path: &Path) -> io::Result<UnixListener> {
    match path.file_name() {
        Some(name) if path.as_os_str().len() > PATH_BYTES => {
            UnixListener::bind(short(folder, Path::new(name)))
        }
        _ => UnixListener::bind(path),
    }
}

/// Another path to a file of an open folder, however long the folder's own is.
fn short(folder: &File, name: &Path) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name)
}

impl Drop for SocketGuard {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}
