//! From the arguments of the process to the command that they name.

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use lexopt::{Arg, Parser};

use super::steer::Steer;
use super::values::Value;
use super::{
    Failure, args, check, create, download, help, peers, print, scrape, show, slip, status, steer,
    unattended, usage,
};
use crate::io::{logging, signal};

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
                "-C: name the folder of run like this: brooklet run DIR",
            ));
        }
        _ if dir.is_some() => {
            let why = "only status, add, pause, resume, remove and limit take it";
            return Err(Failure::usage(format!("-C: {why}")));
        }
        _ => return run_alone(&command, parser),
    };
    steer::run(steer, dir, parser)
}

/// The commands that steer no process.
fn run_alone(command: &OsStr, parser: &mut Parser) -> Result<(), Failure> {
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
        Some(Arg::Value(command)) => match command.to_str().and_then(help::text_of) {
            Some(text) => print(text),
            None => Err(slip::command(&command)),
        },
        Some(option) => Err(usage("", option.unexpected())),
    }
}
