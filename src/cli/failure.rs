//! How commands fail: with an exit code, and one line that says what and why.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt;

/// Exit code for what could not be finished.
pub const FAILED: u8 = 1;
/// Exit code for wrong usage.
pub const USAGE: u8 = 2;
/// Exit code for a torrent or magnet link that is not valid.
pub const INVALID: u8 = 3;
/// Exit code of `check` when something is missing or damaged.
pub const DAMAGED: u8 = 4;

/// Why a command did not end with 0: the exit code, and the line for standard error (none where all
/// has been said already).
#[derive(Debug)]
pub struct Failure {
    /// Exit code of the process.
    pub code: u8,
    /// `WHAT: WHY`, without the program's name in front.
    pub message: Option<String>,
}

impl Failure {
    /// It could not be finished.
    pub fn failed(message: impl fmt::Display) -> Failure {
        Failure {
            code: FAILED,
            message: Some(message.to_string()),
        }
    }

    /// The command line is wrong.
    pub fn usage(message: impl fmt::Display) -> Failure {
        Failure {
            code: USAGE,
            message: Some(message.to_string()),
        }
    }

    /// The torrent or magnet link is not valid.
    pub fn invalid(message: impl fmt::Display) -> Failure {
        Failure {
            code: INVALID,
            message: Some(message.to_string()),
        }
    }

    /// The process ends with this code, and all has been said.
    pub fn silent(code: u8) -> Failure {
        Failure {
            code,
            message: None,
        }
    }
}

/// An argument as it stands in a message.
pub fn quote(argument: &OsStr) -> Cow<'_, str> {
    if argument.is_empty() {
        Cow::Borrowed("''")
    } else {
        argument.to_string_lossy()
    }
}
