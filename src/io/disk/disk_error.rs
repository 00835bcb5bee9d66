//! Why the disk refused, in words that a user can act on.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

/// What went wrong with which file or folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskError {
    /// The file or folder.
    pub path: PathBuf,
    /// What is wrong with it.
    pub why: Why,
}

/// What is wrong with a file or folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// No room is left on the disk.
    Full,
    /// This user may have no more room.
    Quota,
    /// We may not.
    Denied,
    /// It does not exist.
    Missing,
    /// It ends before the bytes that were asked for.
    Short,
    /// A symbolic link, or something else that is not what should stand there.
    InTheWay,
    /// It is not as we left it: another program has written to it, cut it off, moved or deleted it,
    /// or put something else in its place.
    Changed,
    /// It is not this torrent's, so far as is known: it may be the user's own.
    Foreign,
    /// Anything else, in the system's words.
    Other(String),
}

/// What is said of a file that may be the user's own.
pub const FOREIGN: &str =
    "its content is not that of this torrent: move it away, or write over it with --overwrite";

impl DiskError {
    /// This is wrong with this file or folder.
    pub fn new(path: impl AsRef<Path>, why: impl Into<Why>) -> DiskError {
        DiskError {
            path: path.as_ref().to_path_buf(),
            why: why.into(),
        }
    }
}

impl From<Errno> for Why {
    fn from(errno: Errno) -> Why {
        match errno {
            Errno::NOSPC => Why::Full,
            Errno::DQUOT => Why::Quota,
            Errno::ACCESS | Errno::PERM => Why::Denied,
            Errno::NOENT => Why::Missing,
            // A link where none is followed, a file where a folder belongs, a folder where a file
            // belongs.
            Errno::LOOP | Errno::NOTDIR | Errno::ISDIR | Errno::EXIST => Why::InTheWay,
            errno => {
                let text = io::Error::from(errno).to_string();
                let words = text.split(" (os error").next().unwrap_or(&text);
                Why::Other(words.to_lowercase())
            }
        }
    }
}

impl From<String> for Why {
    fn from(words: String) -> Why {
        Why::Other(words)
    }
}

impl From<io::Error> for Why {
    fn from(error: io::Error) -> Why {
        match Errno::from_io_error(&error) {
            Some(errno) => Why::from(errno),
            None if error.kind() == io::ErrorKind::UnexpectedEof => Why::Short,
            None => Why::Other(error.to_string()),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Why::Full => "the disk is full: make room and start again, what is there is kept",
            Why::Quota => {
                "the disk quota is used up: make room and start again, what is there is kept"
            }
            Why::Denied => "permission denied",
            Why::Missing => "no such file or folder",
            Why::Short => "the file is shorter than it should be",
            Why::InTheWay => {
                "something else is in the way (a folder, a file, or a symbolic link, which is not followed): move it away"
            }
            Why::Changed => {
                "another program has changed, replaced, moved or deleted it: start again, what is there is hashed"
            }
            Why::Foreign => FOREIGN,
            Why::Other(words) => words,
        })
    }
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_and_why_in_one_line() {
        let words = |errno: Errno| DiskError::new("a/b", errno).to_string();
        assert!(words(Errno::NOSPC).starts_with("a/b: the disk is full"));
        assert_eq!(words(Errno::ACCESS), "a/b: permission denied");
        assert_eq!(words(Errno::IO), "a/b: input/output error");
        let end = io::Error::from(io::ErrorKind::UnexpectedEof);
        assert_eq!(DiskError::new("a", end).why, Why::Short);
    }
}
