//! The commands that steer a running process: `pause`, `resume`, `remove`, `limit` and `add`. They
//! print nothing on success, except `add`, which prints the number.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use lexopt::{Arg, Parser};

use super::remote::Remote;
use super::target::Target;
use super::values::{self, Value};
use super::{FAILED, Failure, help, quote, target, usage};
use crate::base::limits;
use crate::io::by_url::{self, Access};
use crate::io::logging;
use crate::wire::base64;
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
        return super::print(help::of(command.name()).unwrap_or_default());
    };
    options.dir = options.dir.or(dir);
    if command == Steer::Add {
        return add(options);
    }
    let named = Numbers::read(command, &options.arguments)?;
    let mut remote = Remote::connect(options.dir.clone())?;
    let ids = named.known(&mut remote)?;
    let (method, params) = match command {
        Steer::Resume => ("torrent_start", vec![]),
        Steer::Remove => (
            "torrent_remove",
            vec![("delete_local_data", options.data.into())],
        ),
        Steer::Limit if ids.is_none() => ("session_set", limits_of(&options, SESSION)),
        Steer::Limit => ("torrent_set", limits_of(&options, TORRENT)),
        Steer::Pause | Steer::Add => ("torrent_stop", vec![]),
    };
    let ids = ids.map(|ids| ("ids", ids));
    if options.data {
        // Large files take their time.
        remote.be_patient()?;
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
        Steer::Limit if options.down.is_none() && options.up.is_none() => "no limit is named",
        Steer::Limit => return Ok(Some(options)),
        Steer::Add => "no torrent is named",
        Steer::Pause | Steer::Resume => "no torrent is named: say its number, or all",
        Steer::Remove => "no torrent is named: say its number",
    };
    let is_missing = command == Steer::Limit || options.arguments.is_empty();
    if is_missing {
        return Err(Failure::usage(format!(
            "{name}: {missing}: see brooklet {name} --help"
        )));
    }
    Ok(Some(options))
}

/// The torrents that a command is about.
#[derive(Debug, PartialEq)]
enum Numbers {
    All,
    Some(Vec<i64>),
}

impl Numbers {
    fn read(command: Steer, arguments: &[OsString]) -> Result<Numbers, Failure> {
        let all_allowed = matches!(command, Steer::Pause | Steer::Resume);
        let is_all = |argument: &OsString| argument == "all";
        if (all_allowed && arguments.iter().any(is_all)) || arguments.is_empty() {
            return Ok(Numbers::All);
        }
        let number = |argument: &OsString| number(command.name(), argument);
        arguments
            .iter()
            .map(number)
            .collect::<Result<_, _>>()
            .map(Numbers::Some)
    }

    /// Them as `ids`, if each of them is there; `None` for all.
    fn known(self, remote: &mut Remote) -> Result<Option<Json>, Failure> {
        let Numbers::Some(numbers) = self else {
            return Ok(None);
        };
        let ids = Json::List(numbers.iter().copied().map(Json::Whole).collect());
        let fields = Json::List(vec!["id".into()]);
        let params = Json::object([("fields", fields), ("ids", ids.clone())]);
        let answer = remote.call("torrent_get", params)?;
        let there = answer
            .get("torrents")
            .and_then(Json::items)
            .unwrap_or_default();
        let is_there = |number: &&i64| {
            let known = |torrent: &Json| torrent.get("id").and_then(Json::whole) == Some(**number);
            there.iter().any(known)
        };
        match numbers.iter().find(|number| !is_there(number)) {
            Some(missing) => Err(unknown(*missing)),
            None => Ok(Some(ids)),
        }
    }
}

/// The number of a torrent.
///
/// # Errors
/// It is none: wrong usage.
pub fn number(command: &str, argument: &OsStr) -> Result<i64, Failure> {
    let text = argument.to_str().unwrap_or_default();
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|number| plain && *number > 0);
    number.ok_or_else(|| {
        let shown = quote(argument);
        if Path::new(argument).is_dir() {
            let why = format!("this is a folder: write brooklet {command} -C {shown}");
            return Failure::usage(format!("{shown}: {why}"));
        }
        let why = "expected the number of a torrent, as brooklet status prints it";
        Failure::usage(format!("{shown}: {why}: see brooklet {command} --help"))
    })
}

/// What is said of a number that no torrent has.
pub fn unknown(number: i64) -> Failure {
    Failure::failed(format!(
        "{number}: no torrent has this number: see brooklet status"
    ))
}

/// The names of limits: number and whether it counts, in and out.
type Names = [[&'static str; 2]; 2];
const SESSION: Names = [
    ["speed_limit_down", "speed_limit_down_enabled"],
    ["speed_limit_up", "speed_limit_up_enabled"],
];
const TORRENT: Names = [
    ["download_limit", "download_limited"],
    ["upload_limit", "upload_limited"],
];

/// The limits as parameters: in thousands of bytes, to the byte.
fn limits_of(options: &Options, names: Names) -> Vec<(&'static str, Json)> {
    let mut params = Vec::new();
    for ([number, counts], limit) in names.into_iter().zip([options.down, options.up]) {
        let Some(limit) = limit else {
            continue;
        };
        params.push((counts, limit.is_some().into()));
        params.extend(limit.map(|bytes| (number, Json::Real(bytes as f64 / 1000.0))));
    }
    params
}

/// Adds each torrent; one that cannot be added does not keep the others from it.
fn add(options: Options) -> Result<(), Failure> {
    let content = options.content.as_deref().map(content_dir).transpose()?;
    let wishes = [
        ("paused", Some(options.paused.into())),
        ("download_dir", content.map(Json::from)),
    ];
    let wishes = wishes.into_iter();
    let wishes: Vec<_> = wishes
        .filter_map(|(name, wish)| Some((name, wish?)))
        .collect();
    let mut remote = Remote::connect(options.dir)?;
    let mut last: Option<Failure> = None;
    for source in &options.arguments {
        if let Err(mut failure) = add_one(&mut remote, source, &wishes) {
            if let Some(before) = last.take() {
                failure.code = common_code(before.code, failure.code);
                before.message.iter().for_each(|it| logging::fatal(it));
            }
            last = Some(failure);
        }
    }
    last.map_or(Ok(()), Err)
}

/// The exit code of what has failed for two reasons: theirs, if they are of one kind.
fn common_code(one: u8, other: u8) -> u8 {
    if one == other { one } else { FAILED }
}

/// A folder as the other end is to know it, wherever that was started.
fn content_dir(dir: &Path) -> Result<String, Failure> {
    let why = |why: &str| Failure::failed(format!("{}: {why}", target::shown(dir.as_os_str())));
    let dir = std::path::absolute(dir).map_err(|error| why(&error.to_string()))?;
    let text = dir.into_os_string().into_string();
    text.map_err(|_| why("this is not UTF-8"))
}

fn add_one(remote: &mut Remote, source: &OsStr, wishes: &[(&str, Json)]) -> Result<(), Failure> {
    let source = match target::find(source, Access::default())? {
        Target::Link(link) => ("filename", link.text().into()),
        Target::Torrent(_, text) => {
            let coded = base64::encode(&text);
            if coded.len() < limits::CONTROL_REQUEST - limits::KIB {
                ("metainfo", coded.into())
            } else {
                ("filename", absolute(source)?.into())
            }
        }
    };
    let params = wishes.iter().cloned().chain([source]);
    let answer = remote.call("torrent_add", Json::object(params))?;
    let there = answer.get("torrent_duplicate");
    let torrent = there.or_else(|| answer.get("torrent_added"));
    let field = |key| torrent.and_then(|torrent| torrent.get(key));
    let number = field("id").and_then(Json::whole).unwrap_or_default();
    let name = field("name").and_then(Json::text).unwrap_or_default();
    let name = logging::printable(name);
    let merged = field("merged").and_then(Json::text);
    let merged = merged.map_or(String::new(), |merged| format!("; {merged}"));
    super::print(&if there.is_some() {
        format!("{number} {name} (it was there already{merged})\n")
    } else {
        format!("{number} {name}\n")
    })
}

/// Where the other end finds a torrent that is too large to be sent.
fn absolute(source: &OsStr) -> Result<String, Failure> {
    let name = target::shown(source);
    let why = |why: &str| Failure::failed(format!("{name}: {why}"));
    if source == "-" {
        return Err(why("it is too large to be sent: name it by its path"));
    }
    if let Some(url) = source.to_str().filter(|text| by_url::is_url(text)) {
        return Ok(String::from(url));
    }
    let path = std::fs::canonicalize(source).map_err(|error| why(&error.to_string()))?;
    let path = path.into_os_string().into_string();
    path.map_err(|_| why("it is too large to be sent, and its path is not UTF-8: move it"))
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
            (Steer::Limit, &["1"], "limit: no limit is named"),
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
            Ok(Numbers::Some(vec![3, 1]))
        );
        assert_eq!(numbers(Steer::Limit, &[]), Ok(Numbers::All));
        for wrong in ["all", "0", "-1", "+1", "x", "", "1.0"] {
            assert_eq!(numbers(Steer::Remove, &[wrong]), Err(2), "{wrong}");
        }
    }

    #[test]
    fn limits_are_sent_to_the_byte() {
        let options = Options {
            down: Some(Some(524_288)),
            up: Some(None),
            ..Options::default()
        };
        assert_eq!(
            Json::object(limits_of(&options, SESSION)).to_string(),
            r#"{"speed_limit_down_enabled":true,"speed_limit_down":524.288,"speed_limit_up_enabled":false}"#
        );
    }
}
