//! `status`: what a running process does, as a table, in words, or as JSON.

mod tracker;

mod torrent;

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use lexopt::{Arg, Parser};

use super::rate_limits::{self, SESSION};
use super::remote::Remote;
use super::steer;
use super::units::Bytes;
use super::values::Value;
use super::{Failure, help, usage};
use crate::io::clock;
use crate::io::logging::printable;
use crate::rpc::{DETAILED, LISTED};
use crate::wire::json::{self, Json};
use torrent::Torrent;

/// How many torrents download at the same time, at most.
const ACTIVE: &str = "download_queue_size";

/// Runs the command with the arguments behind its name. `dir`: the folder that is named before it.
///
/// # Errors
/// Why it did not end with 0.
pub fn run(mut dir: Option<PathBuf>, parser: &mut Parser) -> Result<(), Failure> {
    let (mut number, mut is_json, mut is_detailed) = (None, false, false);
    while let Some(arg) = parser.next().map_err(|error| usage("status", error))? {
        match arg {
            Arg::Short('h') | Arg::Long("help") => return super::print(help::STATUS),
            Arg::Long("json") => is_json = true,
            Arg::Short('v') | Arg::Long("verbose") => is_detailed = true,
            Arg::Short('C') => {
                let mut value = Value {
                    command: "status",
                    option: "-C",
                    parser,
                };
                dir = Some(value.path()?);
            }
            Arg::Value(value) if number.is_none() => {
                number = Some(steer::number("status", &value)?)
            }
            other => return Err(usage("status", other.unexpected())),
        }
    }
    let mut remote = Remote::connect(dir)?;
    is_detailed |= number.is_some();
    let details = DETAILED.iter().filter(|_| is_detailed);
    let fields = LISTED.iter().chain(details).map(|name| Json::from(*name));
    let fields = ("fields", Json::List(fields.collect()));
    let ids = number.map(|number| ("ids", Json::Whole(number)));
    let answer = remote.call("torrent_get", Json::object([fields].into_iter().chain(ids)))?;
    let torrents = answer
        .get("torrents")
        .and_then(Json::items)
        .unwrap_or_default();
    let unix = clock::unix();
    let torrents: Vec<Torrent<'_>> = torrents.iter().map(|it| Torrent(it, unix)).collect();
    let text = match (number, torrents.first()) {
        (Some(number), None) => return Err(steer::unknown(&(number..=number))),
        (Some(_), Some(torrent)) if is_json => torrent.object().finish() + "\n",
        (Some(_), Some(torrent)) => torrent.words(),
        (None, _) if is_json => {
            let objects = torrents.iter().map(|torrent| torrent.object().finish());
            let object = json::Object::new().list("torrents", objects);
            in_force(object, &limits(&mut remote)?).finish() + "\n"
        }
        (None, _) if is_detailed => {
            let all: Vec<String> = torrents.iter().map(Torrent::words).collect();
            all.join("\n") + &footer(&limits(&mut remote)?)
        }
        (None, _) => match columns() {
            Some(columns) => table(&torrents, Some(columns)) + &footer(&limits(&mut remote)?),
            None => table(&torrents, None),
        },
    };
    super::print(&text)
}

/// What the process says of the limits of all torrents together.
fn limits(remote: &mut Remote) -> Result<Json, Failure> {
    let fields = SESSION.concat().into_iter().chain([ACTIVE]);
    let fields = Json::List(fields.map(Json::from).collect());
    remote.call("session_get", Json::object([("fields", fields)]))
}

/// The limits of all torrents together, in a line behind the torrents.
fn footer(settings: &Json) -> String {
    let active = settings
        .get(ACTIVE)
        .and_then(Json::whole)
        .unwrap_or_default();
    let words = rate_limits::words(settings, SESSION);
    format!("\nlimits of all together: {words}; downloads at the same time: {active}\n")
}

/// The same as members of an object: bytes a second.
fn in_force(object: json::Object, settings: &Json) -> json::Object {
    let active = settings
        .get(ACTIVE)
        .and_then(Json::whole)
        .unwrap_or_default();
    let [down, up] = rate_limits::shown(settings, SESSION).map(|limit| match limit {
        Some(limit) => limit.to_string(),
        None => String::from("null"),
    });
    let object = object.raw("down_limit", &down).raw("up_limit", &up);
    object.plain("active", active)
}

/// Columns of standard output, if it is a terminal.
fn columns() -> Option<usize> {
    let terminal = io::stdout().is_terminal();
    let window = rustix::termios::tcgetwinsize(io::stdout())
        .ok()
        .filter(|_| terminal)?;
    Some(usize::from(window.ws_col)).filter(|&columns| columns > 0)
}

/// A line for each torrent; names are cut to fit this many columns.
fn table(torrents: &[Torrent<'_>], columns: Option<usize>) -> String {
    let head = ["#", "done", "down", "up", "peers", "ratio", "state", "name"].map(String::from);
    let mut rows = vec![head];
    for torrent in torrents {
        rows.push([
            torrent.count("id").to_string(),
            torrent.percent(),
            format!("{}/s", Bytes(torrent.count("rate_download"))),
            format!("{}/s", Bytes(torrent.count("rate_upload"))),
            torrent.count("peers_connected").to_string(),
            format!("{:.2}", torrent.number("upload_ratio")),
            String::from(torrent.state()),
            printable(torrent.text("name")).into_owned(),
        ]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..7).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths).take(6) {
            line += &format!("{cell:>width$}  ");
        }
        line += &format!("{:<width$}  {}", row[6], row[7], width = widths[6]);
        text += &cut(&line, columns);
        text.push('\n');
    }
    text
}

/// As many letters as fit; what is left out shows.
fn cut(line: &str, columns: Option<usize>) -> String {
    match columns {
        Some(columns) if line.chars().count() > columns => {
            let kept = line.chars().take(columns.saturating_sub(1));
            kept.chain(['…']).collect()
        }
        _ => String::from(line),
    }
}

#[cfg(test)]
mod tests;
