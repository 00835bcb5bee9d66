//! The command line of `get` and `seed`. What is wrong with it is said in one line that names the
//! option, what was given and what was expected.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::{Arg, Parser};

use super::Failure;
use super::slip;
use super::values::{self, Value};
use crate::base::{Duration, limits};
use crate::io::net::{Bind, Route};
use crate::io::setup::{Reaching, Sources};
use crate::torrent::Stay;

/// The commands that take these options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Download, then leave unless told to stay.
    Get,
    /// Upload until stopped.
    Seed,
}

impl Command {
    /// The word on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Command::Get => "get",
            Command::Seed => "seed",
        }
    }
}

/// How much is said on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// `-q`: errors.
    Quiet,
    /// Progress and warnings.
    Normal,
    /// `-v`: trackers, peers and bad pieces as well.
    Verbose,
    /// `-vv`: every message in words.
    Words,
}

/// What is wanted of torrents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// `--files`, each; a file is wanted if any chooses it, and all are if there is none.
    pub files: Vec<String>,
    /// `--metadata-only`, and the file of `-o`.
    pub metadata_only: Option<Option<PathBuf>>,
}

/// What `get` and `seed` are told. A field is the value of the option with its name.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// The torrents, each: a path, or `-` for standard input.
    pub torrents: Vec<OsString>,
    /// `--dir`.
    pub dir: PathBuf,
    /// `--port`; `None`: the first free one of the usual ones.
    pub port: Option<u16>,
    /// `--bind`, `--proxy`.
    pub route: Route,
    /// `--peer`, each: host (without brackets) and port.
    pub peers: Vec<(String, u16)>,
    /// `--max-peers`.
    pub max_peers: usize,
    /// `--memory` in bytes.
    pub memory: u64,
    /// `--down` in bytes a second; `None`: no limit.
    pub down: Option<u64>,
    /// `--up` in bytes a second; `None`: no limit.
    pub up: Option<u64>,
    /// What is wanted of the torrents.
    pub choice: Choice,
    /// `--sequential`.
    pub sequential: bool,
    /// `--no-trackers`, `--no-dht`, `--dht-node`.
    pub sources: Sources,
    /// `--allow-local`, `--encryption`.
    pub reaching: Reaching,
    /// `--timeout`; `None`: wait for ever.
    pub timeout: Option<Duration>,
    /// `--state`; `None`: where such data is kept by custom.
    pub state: Option<PathBuf>,
    /// `--recheck`.
    pub recheck: bool,
    /// `--overwrite`.
    pub overwrite: bool,
    /// `--json`.
    pub json: bool,
    /// `-q`, `-v`, `-vv`; the last one counts.
    pub verbosity: Verbosity,
    /// `--seed`, `--ratio`, `--seed-time`.
    pub stay: Stay,
}

/// Reads what follows the command's name; `None` if help was asked for.
///
/// # Errors
/// Wrong usage, with the line that says why.
pub fn parse(command: Command, parser: &mut Parser) -> Result<Option<Options>, Failure> {
    let mut options = Options::new(command);
    while let Some(arg) = parser.next().map_err(|error| wrong(command, error))? {
        let option = match arg {
            Arg::Short('h') | Arg::Long("help") => return Ok(None),
            Arg::Value(value) => {
                options.torrents.push(value);
                continue;
            }
            Arg::Short(letter) => format!("-{letter}"),
            Arg::Long(name) => format!("--{name}"),
        };
        options.take(command, &option, parser)?;
    }
    let name = command.name();
    if options.torrents.is_empty() {
        let why = format!("{name}: no torrent is named: see brooklet {name} --help");
        return Err(Failure::usage(why));
    }
    if let Some(failure) = slip::spaced(&options.torrents) {
        return Err(failure);
    }
    if options.torrents.len() > 1 && !options.choice.files.is_empty() {
        let why = format!("{name}: --files is for one torrent: run brooklet {name} once for each");
        return Err(Failure::usage(why));
    }
    Ok(Some(options))
}

impl Options {
    /// What is usual.
    pub fn new(command: Command) -> Options {
        Options {
            torrents: Vec::new(),
            dir: PathBuf::from("."),
            port: None,
            route: Route::default(),
            peers: Vec::new(),
            max_peers: limits::PEERS,
            memory: limits::MEMORY,
            down: None,
            up: None,
            choice: Choice::default(),
            sequential: false,
            sources: Sources::default(),
            reaching: Reaching::default(),
            timeout: None,
            state: None,
            recheck: false,
            overwrite: false,
            json: false,
            verbosity: Verbosity::Normal,
            stay: match command {
                Command::Get => Stay::No,
                Command::Seed => STAY,
            },
        }
    }

    /// Takes one option, whose value the parser has next.
    ///
    /// # Errors
    /// There is no such option, or its value is wrong.
    pub fn take(
        &mut self,
        command: Command,
        option: &str,
        parser: &mut Parser,
    ) -> Result<(), Failure> {
        let mut value = Value {
            command: command.name(),
            option,
            parser,
        };
        match option {
            "-d" | "--dir" => self.dir = value.path()?,
            "-p" | "--port" => self.port = Some(value.read(values::port)?),
            "--bind" => self.route.bind = Some(value.read(Bind::parse)?),
            "--proxy" => self.route.proxy = Some(value.proxy()?),
            "--peer" => self.peers.push(value.read(values::peer)?),
            "--max-peers" => self.max_peers = value.read(values::max_peers)?,
            "--memory" => self.memory = value.read(values::memory)?,
            "--down" => self.down = Some(value.read(values::rate)?),
            "--up" => self.up = Some(value.read(values::rate)?),
            "--files" => self.choice.files.push(value.text()?),
            "--metadata-only" if command == Command::Get => {
                self.choice.metadata_only.get_or_insert(None);
            }
            "-o" if command == Command::Get => {
                self.choice.metadata_only = Some(Some(value.path()?))
            }
            "--sequential" => self.sequential = true,
            "--no-lsd" => self.sources.lsd = false,
            "--no-utp" => self.sources.utp = false,
            "--no-web-seeds" => self.sources.web_seeds = false,
            "--no-pex" => self.sources.pex = false,
            "--no-dht" => self.sources.dht = false,
            "--dht-node" => self.sources.dht_nodes.push(value.read(values::peer)?),
            "--no-trackers" => self.sources.trackers = false,
            "--allow-local" => self.reaching.allow_local = true,
            "--encryption" => self.reaching.encryption = value.read(values::encryption)?,
            "--timeout" => self.timeout = Some(value.read(values::patience)?),
            "--state" => self.state = Some(value.path()?),
            "--recheck" => self.recheck = true,
            "--overwrite" => self.overwrite = true,
            "--trace" => return Err(Failure::usage("--trace: not there yet")),
            "--json" => self.json = true,
            "-q" | "--quiet" => self.verbosity = Verbosity::Quiet,
            "-v" | "--verbose" => self.verbosity = self.verbosity.more(),
            "--seed" if command == Command::Get => {
                let (ratio, time) = self.limits();
                self.stay = Stay::Until { ratio, time };
            }
            "--ratio" => {
                let ratio = Some(value.read(values::ratio)?);
                let (_, time) = self.limits();
                self.stay = Stay::Until { ratio, time };
            }
            "--seed-time" => {
                let time = Some(value.read(values::minutes)?);
                let (ratio, _) = self.limits();
                self.stay = Stay::Until { ratio, time };
            }
            _ => {
                let error = lexopt::Error::UnexpectedOption(option.to_string());
                return Err(wrong(command, error));
            }
        }
        Ok(())
    }

    fn limits(&self) -> (Option<f64>, Option<Duration>) {
        match self.stay {
            Stay::No => (None, None),
            Stay::Until { ratio, time } => (ratio, time),
        }
    }
}

impl Verbosity {
    fn more(self) -> Verbosity {
        match self {
            Verbosity::Quiet | Verbosity::Normal => Verbosity::Verbose,
            Verbosity::Verbose | Verbosity::Words => Verbosity::Words,
        }
    }
}

const STAY: Stay = Stay::Until {
    ratio: None,
    time: None,
};

/// lexopt's words in our form.
fn wrong(command: Command, error: lexopt::Error) -> Failure {
    super::usage(command.name(), error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;

    fn read(command: Command, line: &[&str]) -> Result<Option<Options>, String> {
        parse(command, &mut Parser::from_args(line))
            .map_err(|failure| failure.message.unwrap_or_default())
    }

    fn get(line: &[&str]) -> Options {
        read(Command::Get, &[line, &["t"]].concat())
            .unwrap()
            .unwrap()
    }

    #[test]
    fn defaults_are_those_of_the_manual() {
        let options = get(&[]);
        assert_eq!(options.torrents, ["t"]);
        assert_eq!(options.dir, PathBuf::from("."));
        assert_eq!(
            (options.port, options.route.bind, options.max_peers),
            (None, None, 60)
        );
        assert_eq!(
            (options.memory, options.down, options.up),
            (16 << 20, None, None)
        );
        assert!(
            options.sources.trackers && !options.sequential && !options.recheck && !options.json
        );
        assert_eq!(
            (options.stay, options.verbosity),
            (Stay::No, Verbosity::Normal)
        );
        let seed = read(Command::Seed, &["t"]).unwrap().unwrap();
        assert_eq!(
            seed,
            Options {
                stay: STAY,
                ..options
            }
        );
    }

    #[test]
    fn every_way_to_give_a_value() {
        for line in [
            ["-d", "x"],
            ["--dir", "x"],
            ["--dir=x", "--json"],
            ["-dx", "-q"],
            ["-d=x", "-v"],
        ] {
            assert_eq!(get(&line).dir, PathBuf::from("x"), "{line:?}");
        }
        let options = read(Command::Get, &["-vqvv", "-p0", "--", "--json"])
            .unwrap()
            .unwrap();
        assert_eq!(
            (options.verbosity, options.port),
            (Verbosity::Words, Some(0))
        );
        assert_eq!(options.torrents, ["--json"]);
        assert!(!options.json);
        assert_eq!(get(&["-v"]).verbosity, Verbosity::Verbose);
        assert_eq!(get(&["-v", "-q"]).verbosity, Verbosity::Quiet);
        assert_eq!(
            read(Command::Get, &["--json", "-"])
                .unwrap()
                .unwrap()
                .torrents,
            ["-"]
        );
    }

    #[test]
    fn staying_is_told_by_three_options_in_any_order() {
        let until = |ratio, minutes: Option<u64>| Stay::Until {
            ratio,
            time: minutes.map(|minutes| Duration::from_secs(minutes * 60)),
        };
        assert_eq!(get(&["--seed"]).stay, until(None, None));
        assert_eq!(
            get(&["--ratio", "1.5", "--seed"]).stay,
            until(Some(1.5), None)
        );
        assert_eq!(
            get(&["--seed-time=2", "--ratio=0"]).stay,
            until(Some(0.0), Some(2))
        );
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (line, message) in [
            (vec!["--port", "70000"], "--port 70000: expected 0 to 65535"),
            (vec!["-p", "x"], "-p x: expected 0 to 65535"),
            (vec!["--port="], "--port '': expected 0 to 65535"),
            (vec!["--max-peers=0"], "--max-peers 0: expected 1 to 10000"),
            (
                vec!["--memory=1K"],
                "--memory 1K: at least 1.00 MiB is needed",
            ),
            (
                vec!["--up=0"],
                "--up 0: nothing would ever move: leave the option out for no limit",
            ),
            (
                vec!["--down=fast"],
                "--down fast: expected a number of bytes such as 512K or 1.5M",
            ),
            (
                vec!["--ratio=-1"],
                "--ratio -1: expected a number such as 1.5",
            ),
            (
                vec!["--ratio=inf"],
                "--ratio inf: expected a number such as 1.5",
            ),
            (
                vec!["--seed-time=soon"],
                "--seed-time soon: expected minutes, or a time such as 90s or 1h30m",
            ),
            (
                vec!["--timeout=0"],
                "--timeout 0: expected minutes, more than 0",
            ),
            (
                vec!["--timeout=soon"],
                "--timeout soon: expected minutes, more than 0",
            ),
            (vec!["--dir="], "--dir '': a path cannot be empty"),
            (vec!["--trace=f"], "--trace: not there yet"),
            (
                vec!["--frob"],
                "--frob: no such option of get: see brooklet get --help",
            ),
            (
                vec!["-x"],
                "-x: no such option of get: see brooklet get --help",
            ),
            (
                vec!["--json=1"],
                "--json: it takes no value: see brooklet get --help",
            ),
            (
                vec!["-d"],
                "-d: its value is missing: see brooklet get --help",
            ),
            (
                vec!["a", "b", "--files=1"],
                "get: --files is for one torrent: run brooklet get once for each",
            ),
            (vec![], "get: no torrent is named: see brooklet get --help"),
        ] {
            assert_eq!(
                read(Command::Get, &line),
                Err(String::from(message)),
                "{line:?}"
            );
        }
        assert!(read(Command::Seed, &["--seed", "t"]).is_err());
        let why = read(Command::Get, &["--bind", "none0"]).unwrap_err();
        let expected = "--bind none0: expected an IP address or an interface of this machine (";
        assert!(why.starts_with(expected), "{why}");
    }

    #[test]
    fn help_may_stand_anywhere() {
        assert_eq!(read(Command::Get, &["-q", "--help"]), Ok(None));
        assert_eq!(read(Command::Seed, &["t", "-h"]), Ok(None));
    }

    #[cfg(unix)]
    #[test]
    fn paths_need_not_be_utf8() {
        use std::os::unix::ffi::OsStrExt as _;
        let odd = OsStr::from_bytes(b"--dir=\xff");
        let parsed = parse(Command::Get, &mut Parser::from_args([odd, OsStr::new("t")]));
        assert_eq!(parsed.unwrap().unwrap().dir.as_os_str().as_bytes(), b"\xff");
        let odd = OsStr::from_bytes(b"--files=\xff");
        assert!(parse(Command::Get, &mut Parser::from_args([odd, OsStr::new("t")])).is_err());
    }
}
