//! Rank 8: what a user sees: one file per command, and what they share: options, errors, the
//! progress line.

pub mod help;
pub mod units;

pub mod slip;
pub mod values;

pub mod args;

pub mod target;

pub mod events;
pub mod progress;

pub mod reporter;

pub mod setups;

pub mod download;

pub mod check;

pub mod create;

pub mod network;

pub mod scrape;
pub mod show;

pub mod peers;

pub mod remote;

pub mod add;
pub mod rate_limits;
pub mod steer;

pub mod status;

pub mod unattended;

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{self, Write as _};
use std::process::ExitCode;

use lexopt::{Arg, Parser};

use self::steer::Steer;
use self::values::Value;
use crate::io::disk::DiskError;
use crate::io::{logging, signal};

/// Exit code for what could not be finished.
pub const FAILED: u8 = 1;
/// Exit code for wrong usage.
pub const USAGE: u8 = 2;
/// Exit code for a torrent or magnet link that is not valid.
pub const INVALID: u8 = 3;
/// Exit code of `check` when something is missing or damaged.
pub const DAMAGED: u8 = 4;

/// Runs the program: `args` are those of the process, its own name first. What went wrong is said
/// on standard error.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let watched = signal::watch().map_err(|error| Failure::failed(format!("signals: {error}")));
    let result = watched.and_then(|()| dispatch(&mut Parser::from_iter(args)));
    let Err(failure) = result else {
        return ExitCode::SUCCESS;
    };
    if let Some(message) = &failure.message {
        logging::fatal(message);
    }
    ExitCode::from(failure.code)
}

/// Every command reads its own arguments, `--help` among them, from the parser that has just handed
/// out its name. The folder of `brooklet run` may be named before the command, too.
fn dispatch(parser: &mut Parser) -> Result<(), Failure> {
    let mut dir = None;
    let command = loop {
        match parser.next().map_err(|error| usage("", error))? {
            None => return Err(Failure::usage("no command is named: see brooklet --help")),
            Some(Arg::Short('h') | Arg::Long("help")) => return print(help::PROGRAM),
            Some(Arg::Short('V') | Arg::Long("version")) => return print(help::VERSION),
            Some(Arg::Short('C')) => {
                let mut value = Value {
                    command: "",
                    option: "-C",
                    parser,
                };
                dir = Some(value.path()?);
            }
            Some(Arg::Value(command)) => break command,
            Some(option) => return Err(usage("", option.unexpected())),
        }
    };
    let steer = match command.to_str() {
        Some("status") => return status::run(dir, parser),
        Some("add") => Steer::Add,
        Some("pause") => Steer::Pause,
        Some("resume") => Steer::Resume,
        Some("remove") => Steer::Remove,
        Some("limit") => Steer::Limit,
        Some("run") if dir.is_some() => {
            return Err(Failure::usage(
                "-C: run takes its folder so: brooklet run DIR",
            ));
        }
        _ if dir.is_some() => {
            let why = "only status, add, pause, resume, remove and limit take it";
            return Err(Failure::usage(format!("-C: {why}")));
        }
        _ => return begin(&command, parser),
    };
    steer::run(steer, dir, parser)
}

/// The commands that steer no process.
fn begin(command: &OsStr, parser: &mut Parser) -> Result<(), Failure> {
    match command.to_str() {
        Some("get") => download::run(args::Command::Get, parser),
        Some("seed") => download::run(args::Command::Seed, parser),
        Some("create") => create::run(parser),
        Some("show") => show::run(parser),
        Some("check") => check::run(parser),
        Some("scrape") => scrape::run(parser),
        Some("peers") => peers::run(parser),
        Some("run") => unattended::run(parser),
        Some("explain") => absent("explain", help::EXPLAIN, parser),
        Some("help") => manual(parser),
        _ => Err(slip::command(command)),
    }
}

/// A command that has a manual and nothing else yet.
fn absent(name: &str, manual: &str, parser: &mut Parser) -> Result<(), Failure> {
    match parser.next() {
        Ok(Some(Arg::Short('h') | Arg::Long("help"))) => print(manual),
        _ => Err(Failure::usage(format!("{name}: not there yet"))),
    }
}

/// `brooklet help` and `brooklet help COMMAND`.
fn manual(parser: &mut Parser) -> Result<(), Failure> {
    match parser.next().map_err(|error| usage("", error))? {
        None => print(help::PROGRAM),
        Some(Arg::Value(command)) => match command.to_str().and_then(help::of) {
            Some(text) => print(text),
            None => Err(slip::command(&command)),
        },
        Some(option) => Err(usage("", option.unexpected())),
    }
}

/// Writes a result to standard output, as it is. A reader that has read enough and closed the pipe
/// is no error.
///
/// # Errors
/// It cannot be written.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::failed(unwritten(error)))
        }
        _ => Ok(()),
    }
}

/// Why standard output takes nothing more, in one line.
fn unwritten(error: io::Error) -> String {
    DiskError::new("standard output", error).to_string()
}

/// An argument as it stands in a message.
pub fn quote(argument: &OsStr) -> Cow<'_, str> {
    if argument.is_empty() {
        Cow::Borrowed("''")
    } else {
        argument.to_string_lossy()
    }
}

/// Wrong usage of a command (none: of the program), said in our words.
pub fn usage(command: &str, error: lexopt::Error) -> Failure {
    let (of, see) = match command {
        "" => (String::new(), String::from("brooklet --help")),
        name => (format!(" of {name}"), format!("brooklet {name} --help")),
    };
    let (what, why) = match error {
        lexopt::Error::MissingValue { option } => (
            option.unwrap_or_default(),
            String::from("its value is missing"),
        ),
        lexopt::Error::UnexpectedOption(option) => {
            let meant = slip::option(command, &option);
            let meant = meant.map_or(String::new(), |meant| format!(": did you mean {meant}?"));
            (option, format!("no such option{of}{meant}"))
        }
        lexopt::Error::UnexpectedValue { option, .. } => {
            (option, String::from("it takes no value"))
        }
        lexopt::Error::UnexpectedArgument(value) => (
            quote(&value).into_owned(),
            String::from("an argument too many"),
        ),
        lexopt::Error::NonUnicodeValue(value) => (
            quote(&value).into_owned(),
            String::from("this is not UTF-8"),
        ),
        lexopt::Error::ParsingFailed { value, error } => (value, error.to_string()),
        lexopt::Error::Custom(error) => (String::from(command), error.to_string()),
    };
    let gap = if why.ends_with('?') { "" } else { ":" };
    Failure::usage(format!("{what}: {why}{gap} see {see}"))
}

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
