//! `run`: many torrents in one process, which nobody sits before.

use std::path::PathBuf;

use lexopt::{Arg, Parser};
use log::LevelFilter;

use super::units::Bytes;
use super::values::{self, Value};
use super::{Failure, help, usage};
use crate::base::limits;
use crate::io::logging;
use crate::io::setup::{Ending, Process, Stay, Whole};
use crate::torrent::effect::Report;

/// Runs the command with the arguments behind its name.
///
/// # Errors
/// Why it did not end with 0.
pub fn run(parser: &mut Parser) -> Result<(), Failure> {
    let Some((setup, level)) = parse(parser)? else {
        return super::print(help::RUN);
    };
    logging::init(level);
    match crate::io::run_folder(setup, &mut |_, report| {
        log(&report);
        Ok(())
    }) {
        Ending::Done => Ok(()),
        Ending::Signal(signal) => Err(Failure::silent(128 + signal as u8)),
        Ending::Failed(message) => Err(Failure::failed(message)),
    }
}

fn parse(parser: &mut Parser) -> Result<Option<(Whole, LevelFilter)>, Failure> {
    let (mut folder, mut dir): (Option<PathBuf>, Option<PathBuf>) = (None, None);
    let (mut port, mut bind, mut trackers) = (None, None, true);
    let (mut ratio, mut time) = (None, None);
    let mut level = LevelFilter::Warn;
    let mut process = Process {
        max_peers: limits::RUN_PEERS,
        memory: limits::MEMORY,
        down: None,
        up: None,
        active: Some(limits::ACTIVE),
        allow_local: false,
        heartbeat: false,
    };
    while let Some(arg) = parser.next().map_err(|error| usage("run", error))? {
        let option = match arg {
            Arg::Short('h') | Arg::Long("help") => return Ok(None),
            Arg::Value(value) if folder.is_none() && !value.is_empty() => {
                folder = Some(PathBuf::from(value));
                continue;
            }
            Arg::Value(_) => return Err(usage("run", arg.unexpected())),
            Arg::Short(letter) => format!("-{letter}"),
            Arg::Long(name) => format!("--{name}"),
        };
        let mut value = Value {
            command: "run",
            option: &option,
            parser,
        };
        match option.as_str() {
            "-d" | "--dir" => dir = Some(value.path()?),
            "-p" | "--port" => port = Some(value.read(values::port)?),
            "--bind" => bind = Some(value.read(values::address)?),
            "--max-peers" => process.max_peers = value.read(values::max_peers)?,
            "--memory" => process.memory = value.read(values::memory)?,
            "--down" => process.down = Some(value.read(values::rate)?),
            "--up" => process.up = Some(value.read(values::rate)?),
            "--active" => process.active = Some(value.read(values::active)?),
            "--ratio" => ratio = Some(value.read(values::ratio)?),
            "--seed-time" => time = Some(value.read(values::minutes)?),
            "--no-trackers" => trackers = false,
            "--allow-local" => process.allow_local = true,
            "-q" | "--quiet" => level = LevelFilter::Error,
            "-v" | "--verbose" if level < LevelFilter::Info => level = LevelFilter::Info,
            "-v" | "--verbose" => level = LevelFilter::Debug,
            _ => return Err(usage("run", lexopt::Error::UnexpectedOption(option))),
        }
    }
    let missing = || Failure::usage("run: no folder is named: see brooklet run --help");
    let folder = folder.ok_or_else(missing)?;
    let setup = Whole {
        dir: dir.unwrap_or_else(|| folder.join("downloads")),
        folder,
        port,
        bind,
        process,
        trackers,
        stay: Stay::Until { ratio, time },
    };
    Ok(Some((setup, level)))
}

/// What a log says of a report.
fn log(report: &Report) {
    match report {
        Report::Start {
            name, size, port, ..
        } => log::info!("{name}: {}, port: {port}", Bytes(*size)),
        Report::Checked { have, pieces, .. } => log::info!("on disk: {have} of {pieces} pieces"),
        Report::Tracker {
            url,
            outcome: Ok(peers),
            ..
        } => log::info!("tracker {url}: peers: {peers}"),
        Report::Tracker {
            url,
            outcome: Err(why),
            ..
        } => log::info!("tracker {url}: {why}"),
        Report::TrackerWarning { url, message } => log::info!("tracker {url}: {message}"),
        Report::Connected { addr, client } => log::info!("peer {addr}: connected ({client})"),
        Report::Disconnected { addr, reason } => {
            log::info!("peer {addr}: disconnected: {reason}");
        }
        Report::Complete { seconds, .. } => log::info!("complete after {seconds:.1} s"),
        Report::Stopped { reason } => log::info!("stopped: {reason}"),
        Report::Alone(why) | Report::Warning(why) => log::warn!("{why}"),
        Report::Error(why) => log::error!("{why}"),
        Report::FailedIncoming(_) | Report::Progress(_) | Report::Piece { .. } => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &[&str]) -> Result<Option<(Whole, LevelFilter)>, String> {
        parse(&mut Parser::from_args(line)).map_err(|failure| failure.message.unwrap_or_default())
    }

    #[test]
    fn what_is_not_said_is_as_the_manual_says() {
        let (setup, level) = read(&["a"]).unwrap().unwrap();
        assert_eq!(setup.dir, PathBuf::from("a/downloads"));
        assert_eq!(setup.state_dir(), PathBuf::from("a/torrents"));
        let process = setup.process;
        let counts = (process.max_peers, process.active, process.memory);
        assert_eq!(
            counts,
            (limits::RUN_PEERS, Some(limits::ACTIVE), limits::MEMORY)
        );
        assert!(help::RUN.contains(&format!("({})", limits::RUN_PEERS)));
        assert!(help::RUN.contains(&format!("({})", limits::ACTIVE)));
        let until_stopped = Stay::Until {
            ratio: None,
            time: None,
        };
        assert_eq!((setup.stay, level), (until_stopped, LevelFilter::Warn));
    }

    #[test]
    fn options_are_read_and_slips_are_said() {
        let line = ["-d", "b", "--active", "2", "--ratio", "1.5", "a", "-vv"];
        let (setup, level) = read(&line).unwrap().unwrap();
        assert_eq!(
            (setup.dir, setup.process.active),
            (PathBuf::from("b"), Some(2))
        );
        assert_eq!(level, LevelFilter::Debug);
        assert!(matches!(
            setup.stay,
            Stay::Until {
                ratio: Some(1.5),
                time: None
            }
        ));
        assert!(read(&["--help"]).unwrap().is_none());
        for (line, words) in [
            (&[][..], "run: no folder is named"),
            (&["a", "b"], "b: an argument too many"),
            (
                &["a", "--active", "0"],
                "--active 0: expected a number of torrents",
            ),
            (
                &["a", "--seed"],
                "--seed: no such option of run: did you mean --seed-time?",
            ),
        ] {
            let error = read(line).unwrap_err();
            assert!(error.starts_with(words), "{error}");
        }
    }
}
