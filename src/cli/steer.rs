//! The commands that steer a running process: `pause`, `resume`, `remove`, `limit` and `add`. They
//! print nothing on success, except `add`, which prints the number, and `limit` without limits.

use std::ffi::{OsStr, OsString};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use lexopt::{Arg, Parser};

use super::add::{self, Adding};
use super::rate_limits::{self, SESSION, TORRENT};
use super::remote::Remote;
use super::values::{self, Value};
use super::{Failure, help, quote, usage};
use crate::io::logging::printable;
use crate::wire::json::Json;

/// The commands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Steer {
    /// Adds torrents.
    Add,
    /// Has torrents leave their swarms.
    Pause,
    /// Has them go on.
    Resume,
    /// Forgets torrents.
    Remove,
    /// Limits rates.
    Limit,
}

/// What the command line says.
#[derive(Debug, Default, PartialEq)]
struct Options {
    dir: Option<PathBuf>,
    arguments: Vec<OsString>,
    paused: bool,
    content: Option<PathBuf>,
    data: bool,
    down: Option<Option<u64>>,
    up: Option<Option<u64>>,
}

impl Steer {
    fn name(self) -> &'static str {
        match self {
            Steer::Add => "add",
            Steer::Pause => "pause",
            Steer::Resume => "resume",
            Steer::Remove => "remove",
            Steer::Limit => "limit",
        }
    }
}

/// Runs the command with the arguments behind its name. `dir`: the folder that is named before it.
///
/// # Errors
/// Why it did not end with 0.
pub fn run(command: Steer, dir: Option<PathBuf>, parser: &mut Parser) -> Result<(), Failure> {
    let Some(mut options) = parse(command, parser)? else {
        return super::print(help::text_of(command.name()).unwrap_or_default());
    };
    options.dir = options.dir.or(dir);
    if command == Steer::Add {
        return add::run(Adding {
            dir: options.dir,
            sources: options.arguments,
            paused: options.paused,
            content: options.content,
        });
    }
    let named = Numbers::read(command, &options.arguments)?;
    let mut remote = Remote::connect(options.dir.clone())?;
    let ids = named.known(&mut remote)?;
    let limits = [options.down, options.up];
    let (method, params) = match command {
        Steer::Resume => ("torrent_start", vec![]),
        Steer::Remove => (
            "torrent_remove",
            vec![("delete_local_data", options.data.into())],
        ),
        Steer::Limit if limits == [None; 2] => return show_limits(&mut remote, ids),
        Steer::Limit if ids.is_none() => ("session_set", rate_limits::params(limits, SESSION)),
        Steer::Limit => ("torrent_set", rate_limits::params(limits, TORRENT)),
        Steer::Pause | Steer::Add => ("torrent_stop", vec![]),
    };
    let ids = ids.map(|ids| ("ids", ids));
    if options.data {
        // Large files take their time.
        remote.be_patient();
    }
    remote.call(method, Json::object(params.into_iter().chain(ids)))?;
    Ok(())
}

fn parse(command: Steer, parser: &mut Parser) -> Result<Option<Options>, Failure> {
    let mut options = Options::default();
    let name = command.name();
    while let Some(arg) = parser.next().map_err(|error| usage(name, error))? {
        let option = match arg {
            Arg::Short('h') | Arg::Long("help") => return Ok(None),
            Arg::Value(value) => {
                options.arguments.push(value);
                continue;
            }
            Arg::Short(letter) => format!("-{letter}"),
            Arg::Long(long) => format!("--{long}"),
        };
        let mut value = Value {
            command: name,
            option: &option,
            parser,
        };
        match (option.as_str(), command) {
            ("-C", _) => options.dir = Some(value.path()?),
            ("-d" | "--dir", Steer::Add) => options.content = Some(value.path()?),
            ("--paused", Steer::Add) => options.paused = true,
            ("--data", Steer::Remove) => options.data = true,
            ("--down", Steer::Limit) => options.down = Some(value.read(values::rate_or_none)?),
            ("--up", Steer::Limit) => options.up = Some(value.read(values::rate_or_none)?),
            _ => return Err(usage(name, lexopt::Error::UnexpectedOption(option))),
        }
    }
    let missing = match command {
        Steer::Limit => return Ok(Some(options)),
        Steer::Add => "no torrent is named",
        Steer::Pause | Steer::Resume => "no torrent is named: say its number, or all",
        Steer::Remove => "no torrent is named: say its number",
    };
    if options.arguments.is_empty() {
        return Err(Failure::usage(format!(
            "{name}: {missing}: see brooklet {name} --help"
        )));
    }
    Ok(Some(options))
}

/// Prints the limits in force: of these torrents, or of all together.
fn show_limits(remote: &mut Remote, ids: Option<Json>) -> Result<(), Failure> {
    let Some(ids) = ids else {
        let fields = SESSION.concat().into_iter().map(Json::from).collect();
        let params = Json::object([("fields", Json::List(fields))]);
        let settings = remote.call("session_get", params)?;
        let words = rate_limits::words(&settings, SESSION);
        return super::print(&format!("{words}\n"));
    };
    let fields = ["id", "name"].into_iter().chain(TORRENT.concat());
    let fields = Json::List(fields.map(Json::from).collect());
    let answer = remote.call(
        "torrent_get",
        Json::object([("fields", fields), ("ids", ids)]),
    )?;
    let torrents = answer.get("torrents").and_then(Json::items);
    let lines = torrents.unwrap_or_default().iter().map(|torrent| {
        let number = torrent.get("id").and_then(Json::whole).unwrap_or_default();
        let name = torrent.get("name").and_then(Json::text).unwrap_or_default();
        let words = rate_limits::words(torrent, TORRENT);
        format!("{number} {}: {words}\n", printable(name))
    });
    super::print(&lines.collect::<String>())
}

/// The torrents that a command is about.
#[derive(Debug, PartialEq)]
enum Numbers {
    All,
    /// Those with these numbers; ranges may have gaps.
    Some(Vec<RangeInclusive<i64>>),
}

impl Numbers {
    fn read(command: Steer, arguments: &[OsString]) -> Result<Numbers, Failure> {
        let all_allowed = matches!(command, Steer::Pause | Steer::Resume);
        let is_all = |argument: &OsString| argument == "all";
        if (all_allowed && arguments.iter().any(is_all)) || arguments.is_empty() {
            return Ok(Numbers::All);
        }
        let read = |argument: &OsString| match range(argument) {
            Some(range) => Ok(range),
            None => number(command.name(), argument).map(|number| number..=number),
        };
        arguments
            .iter()
            .map(read)
            .collect::<Result<_, _>>()
            .map(Numbers::Some)
    }

    /// Them as `ids`, if each of them is there; `None` for all.
    fn known(self, remote: &mut Remote) -> Result<Option<Json>, Failure> {
        let Numbers::Some(ranges) = self else {
            return Ok(None);
        };
        let fields = Json::List(vec!["id".into()]);
        let answer = remote.call("torrent_get", Json::object([("fields", fields)]))?;
        let torrents = answer.get("torrents").and_then(Json::items);
        let numbers = torrents.unwrap_or_default().iter();
        let numbers = numbers.filter_map(|torrent| torrent.get("id").and_then(Json::whole));
        let numbers: Vec<i64> = numbers.collect();
        let mut ids = Vec::new();
        for range in ranges {
            let before = ids.len();
            ids.extend(numbers.iter().filter(|number| range.contains(number)));
            if ids.len() == before {
                return Err(unknown(&range));
            }
        }
        let ids = ids.into_iter().map(Json::Whole);
        Ok(Some(Json::List(ids.collect())))
    }
}

/// Several torrents in a row: `N-N`.
fn range(argument: &OsStr) -> Option<RangeInclusive<i64>> {
    let (first, last) = argument.to_str()?.split_once('-')?;
    let (first, last) = (whole(first)?, whole(last)?);
    (first <= last).then_some(first..=last)
}

/// A number that a torrent may have.
fn whole(text: &str) -> Option<i64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| plain && *number > 0)
}

/// The number of a torrent.
///
/// # Errors
/// It is none: wrong usage.
pub fn number(command: &str, argument: &OsStr) -> Result<i64, Failure> {
    argument.to_str().and_then(whole).ok_or_else(|| {
        let shown = quote(argument);
        if Path::new(argument).is_dir() {
            let why = format!("this is a folder: write brooklet {command} -C {shown}");
            return Failure::usage(format!("{shown}: {why}"));
        }
        let why = "expected the number of a torrent, as brooklet status prints it";
        Failure::usage(format!("{shown}: {why}: see brooklet {command} --help"))
    })
}

/// What is said of numbers that no torrent has.
pub fn unknown(range: &RangeInclusive<i64>) -> Failure {
    let (first, last) = (range.start(), range.end());
    Failure::failed(if first == last {
        format!("{first}: no torrent has this number: see brooklet status")
    } else {
        format!("{first}-{last}: no torrent has such a number: see brooklet status")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(command: Steer, line: &[&str]) -> Result<Option<Options>, String> {
        parse(command, &mut Parser::from_args(line))
            .map_err(|failure| failure.message.unwrap_or_default())
    }

    #[test]
    fn what_is_missing_is_said() {
        for (command, line, words) in [
            (
                Steer::Pause,
                &[][..],
                "pause: no torrent is named: say its number, or all",
            ),
            (
                Steer::Remove,
                &["--data"],
                "remove: no torrent is named: say its number",
            ),
            (Steer::Add, &["--paused"], "add: no torrent is named"),
            (
                Steer::Add,
                &["--data", "x"],
                "--data: no such option of add",
            ),
            (
                Steer::Limit,
                &["--up", "0"],
                "--up 0: nothing would ever move",
            ),
        ] {
            let error = read(command, line).unwrap_err();
            assert!(error.starts_with(words), "{error}");
        }
    }

    #[test]
    fn torrents_are_named_by_number() {
        let words = |list: &[&str]| list.iter().map(OsString::from).collect::<Vec<_>>();
        let numbers = |command, list: &[&str]| {
            Numbers::read(command, &words(list)).map_err(|failure| failure.code)
        };
        assert_eq!(numbers(Steer::Pause, &["all"]), Ok(Numbers::All));
        assert_eq!(
            numbers(Steer::Pause, &["3", "1"]),
            Ok(Numbers::Some(vec![3..=3, 1..=1]))
        );
        assert_eq!(
            numbers(Steer::Remove, &["3-7", "9-9", "1"]),
            Ok(Numbers::Some(vec![3..=7, 9..=9, 1..=1]))
        );
        assert_eq!(numbers(Steer::Limit, &[]), Ok(Numbers::All));
        for wrong in [
            "all", "0", "-1", "+1", "x", "", "1.0", "7-3", "0-1", "1-", "1-2-3", "1-+2",
        ] {
            assert_eq!(numbers(Steer::Remove, &[wrong]), Err(2), "{wrong}");
        }
    }
}
