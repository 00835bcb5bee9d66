//! `get` and `seed`: the command line becomes a [`Setup`] for each torrent, and the event loop runs
//! them.

use lexopt::Parser;
use log::LevelFilter;

use super::args::{Command, Options, Verbosity};
use super::reporter::Reporter;
use super::{DAMAGED, Failure, USAGE, args, help, setups};
use crate::io::{Ending, Setup, ending, logging};

/// Runs the command with the arguments behind its name.
///
/// # Errors
/// Why it did not end with 0.
pub fn run(command: Command, parser: &mut Parser) -> Result<(), Failure> {
    let Some(options) = args::parse(command, parser)? else {
        return super::print(match command {
            Command::Get => help::GET,
            Command::Seed => help::SEED,
        });
    };
    logging::init(match options.verbosity {
        Verbosity::Quiet => LevelFilter::Error,
        Verbosity::Normal => LevelFilter::Warn,
        Verbosity::Verbose => LevelFilter::Info,
        Verbosity::Words => LevelFilter::Debug,
    });
    let mut reporter = Reporter::new(command, &options);
    let all = options.torrents.len();
    let several = all > 1;
    let prepared = prepare(command, options, &mut reporter);
    let result = prepared.and_then(|(setups, failed)| {
        if setups.is_empty() {
            let line = || Failure::failed(ending::words(failed, all));
            return if failed == 0 { Ok(()) } else { Err(line()) };
        }
        let ending = crate::io::run(setups, failed, &mut |torrent, report| {
            reporter.take(torrent, &report)
        });
        logging::draw(&[]);
        match ending {
            Ending::Done => Ok(()),
            Ending::Signal(signal) => Err(Failure::silent(128 + signal as u8)),
            Ending::Failed(message) if reporter.found_nothing() && !several => Err(Failure {
                code: DAMAGED,
                message: Some(message),
            }),
            Ending::Failed(message) if reporter.found_invalid() && !several => {
                Err(Failure::invalid(message))
            }
            Ending::Failed(message) => Err(Failure::failed(message)),
        }
    });
    reporter.end(result)
}

/// The torrents to run, and how many of several cannot be: each of those is said.
///
/// # Errors
/// The only one cannot be, or none can.
fn prepare(
    command: Command,
    options: Options,
    reporter: &mut Reporter,
) -> Result<(Vec<Setup>, usize), Failure> {
    if let [torrent] = options.torrents.as_slice() {
        let setup = setups::setup(command, torrent, &options)?;
        return Ok((setup.into_iter().collect(), 0));
    }
    let (mut setups, mut failed, mut done) = (Vec::new(), Vec::new(), false);
    for torrent in &options.torrents {
        match setups::setup(command, torrent, &options) {
            Ok(setup) => {
                done |= setup.is_none();
                setups.extend(setup);
            }
            Err(failure) if failure.code == USAGE => return Err(failure),
            Err(failure) => failed.push(failure),
        }
    }
    for failure in &failed {
        if let Some(message) = &failure.message {
            reporter.refuse(message);
        }
    }
    if setups.is_empty() && !done {
        let all = failed.len();
        return Err(Failure::failed(ending::words(all, all)));
    }
    Ok((setups, failed.len()))
}
