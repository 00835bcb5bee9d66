//! Where a `.torrent` is written for its user, by `create` and `get --metadata-only`: what is wrong
//! with the place is found before any work is done, and a file of the user's own is not replaced.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process;

use rustix::fs::{Access, access};

use super::disk_error::{DiskError, Why};
use crate::base::limits;
use crate::wire::paths;

/// Where a torrent goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// `-o -`.
    Standard,
    /// A file, or what stands in the place of one: a link, a pipe, a device.
    File(PathBuf),
}

impl Output {
    /// What `-o` names; by default a file with the content's name.
    pub fn new(option: Option<PathBuf>, name: &str) -> Output {
        match option {
            Some(path) if path.as_os_str() == "-" => Output::Standard,
            Some(path) => Output::File(path),
            None => Output::File(PathBuf::from(torrent_name(name))),
        }
    }

    /// Its path, if it has one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Output::Standard => None,
            Output::File(path) => Some(path),
        }
    }

    /// What it is called in messages.
    pub fn name(&self) -> Cow<'_, str> {
        match self {
            Output::Standard => Cow::Borrowed("standard output"),
            Output::File(path) => path.to_string_lossy(),
        }
    }

    /// Whether what stands there now lets a torrent be written. A file does not, unless there is no
    /// `option` that has it replaced, since the user has given it.
    ///
    /// # Errors
    /// Why it does not, in one line.
    pub fn look(&self, option: Option<&str>) -> Result<(), String> {
        match self {
            Output::Standard => Ok(()),
            Output::File(path) => look(path, option).map_err(|why| self.refused(&why)),
        }
    }

    /// Whether a file with these bytes can be made there. It is made beside it, and taken away.
    ///
    /// # Errors
    /// Why it cannot, in one line.
    pub fn probe(&self, draft: &[u8]) -> Result<(), String> {
        match self {
            Output::File(path) if is_replaced(path) => {
                let made = Fresh::make(path).and_then(|fresh| fresh.fill(draft, false));
                made.map_err(|error| self.refused(&Why::from(error).to_string()))
            }
            _ => Ok(()),
        }
    }

    /// Puts the whole torrent there, or leaves what is there as it was. What is no plain file is
    /// written to.
    ///
    /// # Errors
    /// Why it cannot be written, in one line.
    pub fn put(&self, text: &[u8]) -> Result<(), String> {
        let path = match self {
            Output::Standard => {
                let mut out = io::stdout().lock();
                let written = out.write_all(text).and_then(|()| out.flush());
                return written
                    .map_err(|error| DiskError::new("standard output", error).to_string());
            }
            Output::File(path) => path,
        };
        let written = if is_replaced(path) {
            Fresh::make(path).and_then(|fresh| {
                fresh.fill(text, true)?;
                fs::rename(&fresh.path, path)
            })
        } else {
            fs::write(path, text)
        };
        written.map_err(|error| self.refused(&Why::from(error).to_string()))
    }

    fn refused(&self, why: &str) -> String {
        format!("{}: {why}", self.name())
    }
}

/// The name of a torrent of this content, as long as a name may be.
fn torrent_name(name: &str) -> String {
    let whole = format!("{name}.torrent");
    if whole.len() <= limits::NAME_BYTES {
        return whole;
    }
    paths::shortened(&whole, "~")
}

/// Whether a new file takes the place of what is there, if anything is.
fn is_replaced(path: &Path) -> bool {
    fs::symlink_metadata(path).map_or(true, |found| found.is_file())
}

fn look(path: &Path, option: Option<&str>) -> Result<(), String> {
    let words = |error: io::Error| Why::from(error).to_string();
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Err("this is a folder: name a file in it with -o".into()),
        Ok(found) if found.is_file() && option.is_some() => Err(format!(
            "this file exists already: replace it with {}, or choose another with -o",
            option.unwrap_or_default()
        )),
        Ok(_) if is_replaced(path) => look_at_folder(path),
        // What a link leads to, a pipe, a device.
        Ok(_) => access(path, Access::WRITE_OK).map_err(|errno| Why::from(errno).to_string()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => match fs::read_link(path) {
            Ok(target) => {
                let folder = path.parent().unwrap_or(Path::new(""));
                look_at_folder(&folder.join(target))
            }
            Err(_) => look_at_folder(path),
        },
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => look_at_folder(path),
        Err(error) => Err(words(error)),
    }
}

/// Whether a file of this path can be made, as far as its folder says.
fn look_at_folder(path: &Path) -> Result<(), String> {
    if path.as_os_str().as_bytes().ends_with(b"/") {
        return Err("there is no such folder, and a file's name has no / at its end".into());
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let shown = folder.to_string_lossy();
    match fs::metadata(folder) {
        Ok(found) if found.is_dir() => access(folder, Access::WRITE_OK | Access::EXEC_OK)
            .map_err(|errno| format!("the folder {shown}: {}", Why::from(errno))),
        Ok(_) => Err(format!("{shown} is a file, not a folder")),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound => Err(format!(
                "there is no folder {shown}: make it first, or choose another with -o"
            )),
            io::ErrorKind::NotADirectory => Err(format!("{shown}: a part of it is a file")),
            _ => Err(format!("the folder {shown}: {}", Why::from(error))),
        },
    }
}

/// A new file beside the output, which is gone again when it has not been put in its place.
struct Fresh {
    path: PathBuf,
    file: File,
}

impl Fresh {
    fn make(output: &Path) -> io::Result<Fresh> {
        // A short name: the output's own may be as long as a name can be.
        let name = format!(".brooklet-{}.torrent", process::id());
        let path = output.with_file_name(name);
        let file = File::create_new(&path)?;
        Ok(Fresh { path, file })
    }

    fn fill(&self, text: &[u8], sync: bool) -> io::Result<()> {
        (&self.file).write_all(text)?;
        if sync { self.file.sync_all() } else { Ok(()) }
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        // After the rename nothing of this name is there.
        let _ = fs::remove_file(&self.path);
    }
}
