//! The command line of `create`.

use std::path::PathBuf;

use lexopt::{Arg, Parser};

use super::super::units::parse_bytes;
use super::super::values::Value;
use super::super::{Failure, usage};
use crate::base::limits;
use crate::storage::create;

/// What the command line says. A field is the value of the option with its name.
pub(super) struct Options {
    pub path: PathBuf,
    pub output: Option<PathBuf>,
    pub force: bool,
    pub exclude: Vec<String>,
    pub trackers: Vec<String>,
    pub web_seeds: Vec<String>,
    pub piece_length: Option<u32>,
    pub private: bool,
    pub comment: Option<String>,
    pub date: bool,
    pub json: bool,
    pub quiet: bool,
}

/// Reads what follows the command's name; `None` if help was asked for.
pub(super) fn parse(parser: &mut Parser) -> Result<Option<Options>, Failure> {
    let mut options = Options {
        path: PathBuf::new(),
        output: None,
        force: false,
        exclude: Vec::new(),
        trackers: Vec::new(),
        web_seeds: Vec::new(),
        piece_length: None,
        private: false,
        comment: None,
        date: true,
        json: false,
        quiet: false,
    };
    let wrong = |error| usage("create", error);
    while let Some(arg) = parser.next().map_err(wrong)? {
        let option = match arg {
            Arg::Short('h') | Arg::Long("help") => return Ok(None),
            Arg::Value(value) if options.path.as_os_str().is_empty() => {
                options.path = value.into();
                continue;
            }
            value @ Arg::Value(_) => return Err(wrong(value.unexpected())),
            Arg::Short(letter) => format!("-{letter}"),
            Arg::Long(name) => format!("--{name}"),
        };
        options.take(&option, parser)?;
    }
    if options.path.as_os_str().is_empty() {
        return Err(Failure::usage(
            "create: no file or folder is named: see brooklet create --help",
        ));
    }
    if options.trackers.len() > limits::TRACKERS {
        let most = limits::TRACKERS;
        return Err(Failure::usage(format!(
            "--tracker: more than {most} are never asked"
        )));
    }
    if options.json && options.output.as_deref() == Some("-".as_ref()) {
        let why = "standard output is taken by -o -: leave one of them out";
        return Err(Failure::usage(format!("--json: {why}")));
    }
    Ok(Some(options))
}

impl Options {
    fn take(&mut self, option: &str, parser: &mut Parser) -> Result<(), Failure> {
        let mut value = Value {
            command: "create",
            option,
            parser,
        };
        match option {
            "-o" | "--output" => self.output = Some(value.path()?),
            "--force" | "-f" => self.force = true,
            "--exclude" => self.exclude.push(value.text()?),
            "--tracker" => {
                let schemes = ["http", "https", "udp", "ws", "wss"];
                self.trackers.push(url(&mut value, &schemes)?);
            }
            "--web-seed" => {
                let schemes = ["http", "https", "ftp"];
                self.web_seeds.push(url(&mut value, &schemes)?);
            }
            "--piece-length" => self.piece_length = Some(value.read(piece_length)?),
            "--private" => self.private = true,
            "--comment" => self.comment = Some(value.text()?),
            "--no-date" => self.date = false,
            "--json" => self.json = true,
            "-q" | "--quiet" => self.quiet = true,
            "-v" | "--verbose" => {}
            _ => {
                let error = lexopt::Error::UnexpectedOption(option.to_string());
                return Err(usage("create", error));
            }
        }
        Ok(())
    }
}

fn url(value: &mut Value<'_>, schemes: &[&str]) -> Result<String, Failure> {
    let url = value.text()?;
    let fits = url.split_once("://").is_some_and(|(scheme, rest)| {
        let known = |known: &&str| known.eq_ignore_ascii_case(scheme);
        schemes.iter().any(known) && !rest.is_empty()
    });
    let odd = url.len() > limits::URL_BYTES
        || url.contains(|letter: char| letter.is_control() || letter == ' ');
    if fits && !odd {
        return Ok(url);
    }
    let (option, expected) = (value.option, schemes.join("://, "));
    Err(Failure::usage(format!(
        "{option} {url}: expected a URL with one of {expected}://"
    )))
}

fn piece_length(text: &str) -> Result<u32, String> {
    let range = create::LEAST_PIECE..=create::MOST_PIECE;
    let length = parse_bytes(text).ok();
    length
        .and_then(|length| u32::try_from(length).ok())
        .filter(|length| length.is_power_of_two() && range.contains(length))
        .ok_or_else(|| String::from("expected a power of two from 16384 (16K) to 16777216 (16M)"))
}
