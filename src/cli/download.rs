//! `get` and `seed`: the command line becomes a [`Setup`], the event loop runs it, and what it
//! reports becomes events, log lines and progress.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use lexopt::Parser;
use log::LevelFilter;

use super::args::{Command, Options, Verbosity};
use super::progress::{Meter, Style};
use super::units::Bytes;
use super::{DAMAGED, Failure, args, events, help, target};
use crate::io::disk::places;
use crate::io::logging;
use crate::io::setup::{Ending, Mode, Setup};
use crate::torrent::effect::Report;

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
    let result = prepare(command, options).and_then(|setup| {
        let ending = crate::io::run(setup, &mut |report| reporter.take(&report));
        logging::draw("");
        match ending {
            Ending::Done => Ok(()),
            Ending::Signal(signal) => Err(Failure::silent(128 + signal as u8)),
            Ending::Failed(message) if reporter.nothing => Err(Failure {
                code: DAMAGED,
                message: Some(message),
            }),
            Ending::Failed(message) => Err(Failure::failed(message)),
        }
    });
    reporter.end(result)
}

fn prepare(command: Command, mut options: Options) -> Result<Setup, Failure> {
    let mut metainfo = target::load(&options.torrent)?;
    places::fold(&options.dir, &mut metainfo, command == Command::Get);
    let selection = target::selected(&options.files, &metainfo)?;
    if command == Command::Seed {
        let quiet = options.verbosity == Verbosity::Quiet;
        let (torrent, dir) = (&options.torrent, &mut options.dir);
        let found = target::find_content(torrent, dir, &mut metainfo, quiet);
        // A folder that does not exist is said to be that.
        if dir.is_dir() {
            found?;
        }
    } else {
        places::find(&options.dir, &mut metainfo);
    }
    let state_dir = match options.state {
        Some(dir) => dir,
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
        dir: options.dir,
        state_dir,
        port: options.port,
        bind: options.bind,
        peers: options.peers,
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

/// Turns reports into what a user sees.
struct Reporter {
    seeding: bool,
    json: bool,
    meter: Meter,
    /// A seed has found nothing that it could send.
    nothing: bool,
    /// Whether the `error` event is out already.
    error: bool,
    /// Why standard output takes no more events.
    deaf: Option<String>,
    /// What has been warned of: said once, not for every piece of a file.
    warned: BTreeSet<String>,
    /// What each tracker last complained of: said once, not at every announce.
    complaints: BTreeMap<String, String>,
}

impl Reporter {
    fn new(command: Command, options: &Options) -> Reporter {
        Reporter {
            seeding: command == Command::Seed,
            json: options.json,
            meter: Meter::new(Style::suitable(
                options.verbosity == Verbosity::Quiet,
                options.json,
            )),
            nothing: false,
            error: false,
            deaf: None,
            warned: BTreeSet::new(),
            complaints: BTreeMap::new(),
        }
    }

    /// An error, if nobody takes the events any more, or there is nothing to seed.
    fn take(&mut self, report: &Report) -> Result<(), String> {
        self.error |= matches!(report, Report::Error(_));
        let sent = if self.json {
            self.send(events::event(report, SystemTime::now()))
        } else {
            Ok(())
        };
        if matches!(report, Report::Progress(_)) {
            self.meter.fit();
        }
        if let Some(show) = self.meter.note(report, Instant::now()) {
            show.write();
        }
        self.log(report);
        match report {
            Report::Checked { have: 0, .. } if self.seeding => {
                self.nothing = true;
                let (name, why) = (self.meter.name(), "not one piece of it is whole on disk");
                sent.and(Err(format!("{name}: {why}: there is nothing to seed")))
            }
            _ => sent,
        }
    }

    fn send(&mut self, event: Option<String>) -> Result<(), String> {
        let Some(line) = event.filter(|_| self.deaf.is_none()) else {
            return Ok(());
        };
        let mut out = io::stdout().lock();
        let written = writeln!(out, "{line}").and_then(|()| out.flush());
        written.map_err(|error| {
            let why = super::unwritten(error);
            self.deaf.insert(why).clone()
        })
    }

    fn log(&mut self, report: &Report) {
        match report {
            Report::Checked {
                have,
                pieces,
                missing,
            } => {
                log::info!("on disk: {have} of {pieces} pieces");
                if self.seeding && *missing > 0 {
                    let lacking = pieces - have;
                    let missing = Bytes(*missing);
                    log::warn!(
                        "{lacking} of {pieces} pieces ({missing}) are missing or damaged: \
                         seeding the rest"
                    );
                }
            }
            Report::Tracker {
                url,
                outcome,
                remark,
            } => match outcome {
                Ok(peers) => {
                    let ending = if *peers == 1 { "" } else { "s" };
                    let remark = remark.iter().map(|words| format!(" ({words})"));
                    let remark: String = remark.collect();
                    log::info!("tracker {url}: {peers} peer{ending}{remark}");
                }
                Err(why) => self.complain(url, why),
            },
            Report::TrackerWarning { url, message } => self.complain(url, message),
            Report::Connected { addr, client } => log::info!("peer {addr}: connected ({client})"),
            Report::Disconnected { addr, reason } => {
                log::info!("peer {addr}: disconnected: {reason}");
            }
            Report::FailedIncoming(counts) => {
                let parts: Vec<String> = counts
                    .iter()
                    .map(|(failed, count)| format!("{count} {failed}"))
                    .collect();
                log::info!(
                    "incoming connections that failed before their handshake: {}",
                    parts.join(", ")
                );
            }
            Report::Piece { index, ok: false } => {
                log::info!("piece {index}: its SHA-1 does not match");
            }
            Report::Piece { index, ok: true } => log::debug!("piece {index}: verified"),
            Report::Alone(why) => log::warn!("{why}"),
            Report::Warning(message) => {
                if self.warned.insert(message.clone()) {
                    log::warn!("{message}");
                }
            }
            // The meter shows these; the last line of the program says the error.
            Report::Start { .. }
            | Report::Progress(_)
            | Report::Complete { .. }
            | Report::Stopped { .. }
            | Report::Error(_) => {}
        }
    }

    fn complain(&mut self, url: &str, message: &str) {
        let before = self.complaints.insert(url.to_string(), message.to_string());
        if before.is_some_and(|before| before == message) {
            log::info!("tracker {url}: {message}");
        } else {
            log::warn!("tracker {url}: {message}");
        }
    }

    /// The last event, and how the command ends.
    fn end(mut self, result: Result<(), Failure>) -> Result<(), Failure> {
        let message = result.as_ref().err().and_then(|f| f.message.clone());
        if let Some(message) = message.filter(|_| self.json && !self.error) {
            // What could not be written is said below.
            let _ = self.send(Some(events::error(&message, SystemTime::now())));
        }
        match (result, self.deaf) {
            (Ok(()), Some(why)) => Err(Failure::failed(why)),
            (result, _) => result,
        }
    }
}
