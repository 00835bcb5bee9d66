//! `get` and `seed`: the command line becomes a [`Setup`] for each torrent, and the event loop runs
//! them.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::Arc;

use lexopt::Parser;
use log::LevelFilter;

use super::args::{Command, Options, Verbosity};
use super::reporter::Reporter;
use super::{DAMAGED, Failure, USAGE, args, help, target};
use crate::io::disk::places;
use crate::io::{Ending, Mode, Setup, logging};

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
    let several = options.torrents.len() > 1;
    let result = prepare(command, options).and_then(|(setups, failed)| {
        let ending = crate::io::run(setups, &mut |torrent, report| {
            reporter.take(torrent, &report)
        });
        logging::draw(&[]);
        match ending {
            Ending::Done if failed > 0 => Err(Failure::failed(format!(
                "{failed} of the torrents could not be read"
            ))),
            Ending::Done => Ok(()),
            Ending::Signal(signal) => Err(Failure::silent(128 + signal as u8)),
            Ending::Failed(message) if reporter.found_nothing() && !several => Err(Failure {
                code: DAMAGED,
                message: Some(message),
            }),
            Ending::Failed(message) => Err(Failure::failed(message)),
        }
    });
    reporter.end(result)
}

/// The torrents to run, and how many of several cannot be: each of those is said.
///
/// # Errors
/// The only one cannot be, or none can.
fn prepare(command: Command, options: Options) -> Result<(Vec<Setup>, usize), Failure> {
    if let [torrent] = options.torrents.as_slice() {
        return Ok((vec![setup(command, torrent, &options)?], 0));
    }
    let (mut setups, mut failed) = (Vec::new(), Vec::new());
    for torrent in &options.torrents {
        match setup(command, torrent, &options) {
            Ok(setup) => setups.push(setup),
            Err(failure) if failure.code == USAGE => return Err(failure),
            Err(failure) => failed.push(failure),
        }
    }
    for failure in &failed {
        if let Some(message) = &failure.message {
            log::error!("{message}");
        }
    }
    if setups.is_empty() {
        return Err(Failure::failed("none of the torrents can be read"));
    }
    Ok((setups, failed.len()))
}

fn setup(command: Command, torrent: &OsStr, options: &Options) -> Result<Setup, Failure> {
    let mut metainfo = target::load(torrent)?;
    let mut dir = options.dir.clone();
    places::fold(&dir, &mut metainfo, command == Command::Get);
    let selection = target::selected(&options.files, &metainfo)?;
    if command == Command::Seed {
        let quiet = options.verbosity == Verbosity::Quiet;
        let found = target::find_content(torrent, &mut dir, &mut metainfo, quiet);
        // A folder that does not exist is said to be that.
        if dir.is_dir() {
            found?;
        }
    } else {
        places::find(&dir, &mut metainfo);
    }
    let state_dir = match &options.state {
        Some(dir) => dir.clone(),
        None => default_state()?,
    };
    Ok(Setup {
        hashes: std::mem::take(&mut metainfo.hashes),
        heartbeat: options.json,
        metainfo: Arc::new(metainfo),
        mode: match command {
            Command::Get => Mode::Get { stay: options.stay },
            Command::Seed => Mode::Seed { stay: options.stay },
        },
        dir,
        state_dir,
        port: options.port,
        bind: options.bind,
        peers: options.peers.clone(),
        max_peers: options.max_peers,
        memory: options.memory,
        down: options.down,
        up: options.up,
        selection,
        sequential: options.sequential,
        trackers: options.trackers,
        allow_local: options.allow_local,
        timeout: options.timeout,
        recheck: options.recheck,
        overwrite: options.overwrite,
    })
}

/// Where resume data are kept if `--state` does not say it.
///
/// # Errors
/// Neither variable of the environment says where the user's files are.
pub fn default_state() -> Result<PathBuf, Failure> {
    state_dir(std::env::var_os("XDG_STATE_HOME"), std::env::var_os("HOME"))
}

/// The XDG base directory specification: a variable that is empty or no absolute path counts as
/// unset.
fn state_dir(state: Option<OsString>, home: Option<OsString>) -> Result<PathBuf, Failure> {
    let absolute = |value: Option<OsString>| value.map(PathBuf::from).filter(|p| p.is_absolute());
    let base = absolute(state).or_else(|| absolute(home).map(|home| home.join(".local/state")));
    base.map(|base| base.join("brooklet")).ok_or_else(|| {
        Failure::failed("resume data: HOME is not set: say where to keep it with --state DIR")
    })
}
