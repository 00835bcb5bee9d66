//! `run`: many torrents in one process, without a terminal.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use lexopt::{Arg, Parser};
use log::LevelFilter;

use super::units::Bytes;
use super::values::{self, Value};
use super::{Failure, events, help, usage};
use crate::base::SortedMap;
use crate::io::folder::{FolderSetup, Settings, Wishes};
use crate::io::net::Bind;
use crate::io::{Ending, logging, signal};
use crate::torrent::Report;

/// What is said unless an option asks for more or less.
const LEVEL: LevelFilter = LevelFilter::Warn;

/// Runs the command with the arguments behind its name.
///
/// # Errors
/// Why it did not end with 0.
pub fn run(parser: &mut Parser) -> Result<(), Failure> {
    let Some((folder, line)) = parse(parser)? else {
        return super::print(help::RUN);
    };
    signal::reload_on_hangup();
    let (wishes, wrong) = Wishes::read(&folder, line, read_lines);
    logging::init(wishes.settings().level.unwrap_or(LEVEL));
    // Without `bind`, say, it would listen to the world.
    if let Some((first, others)) = wrong.split_first() {
        others.iter().for_each(|line| log::warn!("{line}"));
        return Err(Failure::usage(first.clone()));
    }
    let mut json = wishes.settings().json.is_some();
    let setup = FolderSetup::new(folder, wishes);
    let (mut names, mut hashes) = (SortedMap::new(), SortedMap::new());
    let ending = crate::io::run_folder(setup, &mut |torrent, report| {
        if let (Some(torrent), Report::Start { name, .. }) = (torrent, &report) {
            names.insert(torrent, name.clone().into_boxed_str());
        }
        let name = torrent.and_then(|torrent| names.get(&torrent));
        let subject = name.map_or(String::new(), |name| format!("{name}: "));
        log(&subject, &report);
        if json {
            if let (Some(torrent), Report::Start { info_hash, .. }) = (torrent, &report) {
                hashes.insert(torrent, *info_hash);
            }
            let info_hash = torrent.and_then(|torrent| hashes.get(&torrent));
            let event = events::event(&report, info_hash.copied(), SystemTime::now());
            send(&mut json, event);
        }
        Ok(())
    });
    match ending {
        Ending::Done => Ok(()),
        Ending::Signal(signal) => Err(Failure::silent(128 + signal as u8)),
        Ending::Failed(message) => {
            send(&mut json, Some(events::error(&message, SystemTime::now())));
            Err(Failure::failed(message))
        }
    }
}

/// Prints an event, if events are wanted. Torrents go on when nobody takes them any more.
fn send(wanted: &mut bool, event: Option<String>) {
    let Some(line) = event.filter(|_| *wanted) else {
        return;
    };
    let mut out = io::stdout().lock();
    if let Err(error) = writeln!(out, "{line}").and_then(|()| out.flush()) {
        *wanted = false;
        log::warn!("{}: no more events are printed", super::unwritten(error));
    }
}

fn parse(parser: &mut Parser) -> Result<Option<(PathBuf, Settings)>, Failure> {
    let mut folder: Option<PathBuf> = None;
    let mut settings = Settings::default();
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
        take(&mut settings, &option, parser)?;
    }
    let missing = || Failure::usage("run: no folder is named: see brooklet run --help");
    Ok(Some((folder.ok_or_else(missing)?, settings)))
}

/// Takes an option, whose value the parser stands before.
fn take(settings: &mut Settings, option: &str, parser: &mut Parser) -> Result<(), Failure> {
    let mut value = Value {
        command: "run",
        option,
        parser,
    };
    match option {
        "-d" | "--dir" => settings.dir = Some(value.path()?),
        "-p" | "--port" => settings.port = Some(value.read(values::port)?),
        "--bind" => settings.route.bind = Some(value.read(Bind::parse)?),
        "--proxy" => settings.route.proxy = Some(value.proxy()?),
        "--peer" => settings.handling.peers.push(value.read(values::peer)?),
        "--max-peers" => settings.max_peers = Some(value.read(values::max_peers)?),
        "--memory" => settings.memory = Some(value.read(values::memory)?),
        "--down" => settings.down = Some(value.read(values::rate)?),
        "--up" => settings.up = Some(value.read(values::rate)?),
        "--active" => settings.active = Some(value.read(values::active)?),
        "--ratio" => settings.ratio = Some(value.read(values::ratio)?),
        "--seed-time" => settings.seed_time = Some(value.read(values::minutes)?),
        "--on-complete" => settings.on_complete = Some(value.path()?),
        "--no-trackers" => settings.without.trackers = Some(()),
        "--no-dht" => settings.without.dht = Some(()),
        "--no-pex" => settings.without.pex = Some(()),
        "--no-lsd" => settings.without.lsd = Some(()),
        "--no-utp" => settings.without.utp = Some(()),
        "--no-web-seeds" => settings.reaching.no_web_seeds = Some(()),
        "--dht-node" => settings.dht_nodes.push(value.read(values::peer)?),
        "--allow-local" => settings.reaching.allow_local = Some(()),
        "--encryption" => {
            settings.reaching.encryption = Some(value.read(values::encryption)?);
        }
        "--files" => settings.handling.files.push(value.text()?),
        "--sequential" => settings.handling.sequential = Some(()),
        "--timeout" => settings.handling.timeout = Some(value.read(values::patience)?),
        "--state" => settings.handling.state = Some(value.path()?),
        "--recheck" => settings.handling.recheck = Some(()),
        "--overwrite" => settings.handling.overwrite = Some(()),
        "--trace" => return Err(Failure::usage("--trace: not there yet")),
        "--json" => settings.json = Some(()),
        "-q" | "--quiet" => settings.level = Some(LevelFilter::Error),
        "-v" | "--verbose" => {
            let less = settings.level.unwrap_or(LEVEL) < LevelFilter::Info;
            let level = if less {
                LevelFilter::Info
            } else {
                LevelFilter::Debug
            };
            settings.level = Some(level);
        }
        _ => {
            let option = String::from(option);
            return Err(usage("run", lexopt::Error::UnexpectedOption(option)));
        }
    }
    Ok(())
}

/// Reads the file of settings: options one a line, without the dashes.
fn read_lines(path: &Path, text: &str) -> (Settings, Vec<String>) {
    let (mut settings, mut wrong) = (Settings::default(), Vec::new());
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match read_line(line, settings.clone()) {
            Ok(more) => settings = more,
            Err(why) => wrong.push(format!("{}: line {}: {why}", path.display(), at + 1)),
        }
    }
    (settings, wrong)
}

fn read_line(line: &str, mut settings: Settings) -> Result<Settings, String> {
    let (name, value) = line.split_once([' ', '\t', '=']).unwrap_or((line, ""));
    let value = value.trim_start();
    let value = value.strip_prefix('=').unwrap_or(value).trim_start();
    if name.starts_with('-') {
        return Err(format!("{name}: options stand here without the dashes"));
    }
    let argument = if value.is_empty() {
        format!("--{name}")
    } else {
        format!("--{name}={value}")
    };
    let mut parser = Parser::from_args([argument]);
    let read = match parser.next() {
        Ok(_) => take(&mut settings, &format!("--{name}"), &mut parser),
        Err(error) => Err(usage("run", error)),
    };
    // An option without a value may have been given one.
    let read = read.and_then(|()| parser.next().map_err(|error| usage("run", error)));
    read.map_err(|failure| {
        let message = failure.message.unwrap_or_default();
        String::from(message.strip_prefix("--").unwrap_or(&message))
    })?;
    Ok(settings)
}

/// What a log says of a report. `of`: the torrent that it is about, if it is about one, and a
/// colon.
fn log(of: &str, report: &Report) {
    match report {
        Report::Start { content, port, .. } => match content {
            Some((size, _)) => log::info!("{of}{}, port: {port}", Bytes(*size)),
            None => log::info!("{of}asking peers for the torrent, port: {port}"),
        },
        Report::Metadata { size, .. } => {
            log::info!("{of}{}: peers have described it", Bytes(*size));
        }
        Report::Checked { have, pieces, .. } => {
            log::info!("{of}on disk: {have} of {pieces} pieces");
        }
        Report::Tracker {
            url,
            outcome: Ok(peers),
            ..
        } => log::info!("{of}tracker {url}: peers: {peers}"),
        Report::Tracker {
            url,
            outcome: Err(why),
            ..
        } => log::info!("{of}tracker {url}: {why}"),
        Report::TrackerWarning { url, message } => {
            log::info!("{of}tracker {url}: {message}");
        }
        Report::Dht { nodes, peers } => log::info!("{of}DHT: nodes: {nodes}, peers: {peers}"),
        Report::Connected {
            addr,
            client,
            transport,
            ..
        } => {
            let way = transport.remark();
            log::info!("{of}peer {addr}: connected ({client}{way})");
        }
        Report::Disconnected { addr, reason, .. } => {
            log::info!("{of}peer {addr}: disconnected: {reason}");
        }
        Report::WebSeed { addr, url } => log::info!("{of}web seed {url}: connected ({addr})"),
        Report::WebSeedOver { addr, reason } => {
            log::info!("{of}web seed {addr}: disconnected: {reason}");
        }
        Report::Complete { seconds, .. } => log::info!("{of}complete after {seconds:.1} s"),
        Report::Stopped { reason } => log::info!("{of}stopped: {reason}"),
        Report::Alone(why) => log::warn!("{of}{why}"),
        // These name what they are about: a file, mostly.
        Report::Warning(why) => log::warn!("{why}"),
        Report::Error(why) | Report::Unbegun(_, why) => log::error!("{of}{why}"),
        Report::FailedIncoming(_)
        | Report::Waiting { .. }
        | Report::Written(_)
        | Report::Invalid
        | Report::Progress(_)
        | Report::Piece { .. } => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Duration, limits};
    use crate::io::folder::Handling;
    use crate::torrent::Stay;

    fn read(line: &[&str]) -> Result<Option<(FolderSetup, LevelFilter)>, String> {
        let read = parse(&mut Parser::from_args(line));
        let read = read.map_err(|failure| failure.message.unwrap_or_default())?;
        Ok(read.map(|(folder, line)| {
            let (wishes, wrong) = Wishes::read(&folder, line, read_lines);
            assert!(wrong.is_empty());
            let level = wishes.settings().level.unwrap_or(LEVEL);
            (FolderSetup::new(folder, wishes), level)
        }))
    }

    #[test]
    fn a_file_has_options_without_dashes_and_a_wrong_line_is_named() {
        let text = "# all of it\n\nup 500K\n down=1M\nratio = 2\nno-trackers\non-complete /a b\n";
        let (settings, wrong) = read_lines(Path::new("d/config"), text);
        assert_eq!(wrong, [""; 0]);
        assert_eq!((settings.up, settings.down), (Some(512_000), Some(1 << 20)));
        assert_eq!(
            (settings.ratio, settings.without.trackers),
            (Some(2.0), Some(()))
        );
        assert_eq!(settings.on_complete, Some(PathBuf::from("/a b")));
        let text = "up 1K\nport 70000\n--down 1M\nno-trackers 1\nhelp\nnonsense\nup\n=\n";
        let (settings, wrong) = read_lines(Path::new("d/config"), text);
        assert_eq!((settings.up, settings.without.trackers), (Some(1024), None));
        assert_eq!(wrong.len(), 7, "{wrong:?}");
        for (wrong, words) in wrong.iter().zip([
            "2: port 70000: expected 0 to 65535",
            "3: --down: options stand here without the dashes",
            "4: no-trackers: it takes no value",
            "5: help: no such option of run",
            "6: nonsense: no such option of run",
            "7: up: its value is missing",
            "8: ",
        ]) {
            assert!(
                wrong.starts_with(&format!("d/config: line {words}")),
                "{wrong}"
            );
        }
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
    fn the_options_of_get_and_seed_are_taken_in_the_file_too() {
        let text = "peer [::1]:7\npeer a:8\nfiles *.txt\nfiles 2\nsequential\ntimeout 5\n\
                    state s\nrecheck\noverwrite\njson\n";
        let (settings, wrong) = read_lines(Path::new("d/config"), text);
        assert_eq!(wrong, [""; 0]);
        let peers = [("::1", 7), ("a", 8)].map(|(host, port)| (String::from(host), port));
        let right = Handling {
            peers: peers.to_vec(),
            files: ["*.txt", "2"].map(String::from).to_vec(),
            sequential: Some(()),
            timeout: Some(Duration::from_secs(300)),
            state: Some(PathBuf::from("s")),
            recheck: Some(()),
            overwrite: Some(()),
        };
        assert_eq!((settings.handling, settings.json), (right, Some(())));
        let line = ["a", "--state", "s", "--peer", "b:9", "--timeout", "1h"];
        let (setup, _) = read(&line).unwrap().unwrap();
        assert_eq!(setup.state_dir(), PathBuf::from("s"));
        assert_eq!(setup.handling.peers, [(String::from("b"), 9)]);
        assert!(
            read(&["a", "--trace", "x"])
                .unwrap_err()
                .contains("not there yet")
        );
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
