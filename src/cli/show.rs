//! `show`: what a torrent holds, in words or as one JSON object. Nothing in it reaches the terminal
//! unescaped.

mod link;

use std::borrow::Cow;
use std::fmt::Write as _;
use std::path::PathBuf;

use lexopt::{Arg, Parser};

use super::args::{Command, Options};
use super::target::{self, Target};
use super::units::Bytes;
use super::{Failure, help, network, setups, slip, usage};
use crate::base::SortedMap;
use crate::io::disk::places;
use crate::io::logging::printable;
use crate::storage::select;
use crate::wire::{FileEntry, FileKind, Metainfo, json, paths};

/// Runs the command with the arguments behind its name.
///
/// # Errors
/// Why it did not end with 0.
pub fn run(parser: &mut Parser) -> Result<(), Failure> {
    let (mut torrent, mut json, mut dir) = (None, false, PathBuf::from("."));
    let (mut fetch, mut network) = (false, Options::new(Command::Get));
    while let Some(arg) = parser.next().map_err(|error| usage("show", error))? {
        match arg {
            Arg::Short('h') | Arg::Long("help") => return super::print(help::SHOW),
            Arg::Long("json") => json = true,
            Arg::Long("fetch") => fetch = true,
            Arg::Long(name) if network::has(name) => {
                let option = format!("--{name}");
                network.take(Command::Get, &option, parser)?;
            }
            Arg::Short('p') => network.take(Command::Get, "-p", parser)?,
            Arg::Short('d') | Arg::Long("dir") => {
                dir = parser.value().map_err(|error| usage("show", error))?.into();
            }
            Arg::Value(value) if torrent.is_none() => torrent = Some(value),
            Arg::Value(value) => return Err(slip::another("show", torrent.as_deref(), &value)),
            // What could be said less or more is said already.
            Arg::Short('q' | 'v') | Arg::Long("quiet" | "verbose") => {}
            other => return Err(usage("show", other.unexpected())),
        }
    }
    let missing = || Failure::usage("show: no torrent is named: see brooklet show --help");
    let mut metainfo = match target::find(&torrent.ok_or_else(missing)?, setups::access(&network))?
    {
        Target::Torrent(metainfo, _) => metainfo,
        Target::Link(link) if fetch => Box::new(setups::fetch(*link, network)?),
        Target::Link(link) if json => return super::print(&link::object(&link)),
        Target::Link(link) => return super::print(&link::words(&link)),
    };
    places::fold(&dir, &mut metainfo, false);
    super::print(&if json {
        object(&metainfo)
    } else {
        words(&metainfo)
    })
}

fn object(metainfo: &Metainfo) -> String {
    let folded = places::folded_names(metainfo);
    let files = select::numbered(&metainfo.files).map(|(index, file)| {
        let mut object = json::Object::new()
            .text("path", &*file.path)
            .plain("size", file.length);
        if let Some((name, why)) = given_name(metainfo, index, file) {
            object = object.text("torrent_path", &*name).text("renamed", why);
        }
        if let Some(path) = folded.get(&index) {
            object = object.text("folded_path", &**path);
        }
        if file.kind == FileKind::Symlink {
            let target = metainfo.names.links.get(&index);
            object = object.text("symlink", target.map(|target| &**target));
        }
        object.finish()
    });
    let quoted =
        |texts: &[String]| -> Vec<String> { texts.iter().map(|text| json::quoted(text)).collect() };
    let tiers = metainfo
        .trackers
        .iter()
        .map(|tier| json::array(quoted(tier)));
    let date = metainfo.creation_date.map(|date| date.to_string());
    let object = json::Object::new()
        .text("name", metainfo.name.as_str())
        .text("info_hash", metainfo.info_hash.to_string().as_str())
        .plain("size", metainfo.size())
        .plain("piece_length", metainfo.geometry.piece_length())
        .plain("pieces", metainfo.geometry.pieces())
        .plain("private", metainfo.private)
        .list("files", files)
        .list("trackers", tiers)
        .list("web_seeds", quoted(&metainfo.web_seeds))
        .list("nodes", quoted(&metainfo.nodes))
        .text("comment", metainfo.comment.as_deref())
        .text("created_by", metainfo.created_by.as_deref())
        .raw("creation_date", date.as_deref().unwrap_or("null"));
    let object = match given_root(metainfo) {
        Some((name, why)) => object.text("torrent_name", &*name).text("renamed", why),
        None => object,
    };
    object.finish() + "\n"
}

/// What the torrent calls itself, and why it is called otherwise on disk.
fn given_root(metainfo: &Metainfo) -> Option<(String, &'static str)> {
    let given = metainfo.names.root.as_ref()?;
    Some((given.shown(), given.why(&metainfo.name)?))
}

/// What the torrent calls a file, below the torrent's name, and why it is called otherwise on disk.
fn given_name(
    metainfo: &Metainfo,
    index: usize,
    file: &FileEntry,
) -> Option<(String, &'static str)> {
    let (_, below) = file.path.split_once('/')?;
    let given = metainfo.names.files.get(&index)?;
    Some((given.shown(), given.why(below)?))
}

/// What is to be said of a file besides its path: in turn.
fn remarks(
    metainfo: &Metainfo,
    index: usize,
    file: &FileEntry,
    folded: &SortedMap<usize, Box<str>>,
) -> Vec<String> {
    let mut remarks = Vec::new();
    if let Some((name, why)) = given_name(metainfo, index, file) {
        let name = printable(&name);
        remarks.push(format!("in the torrent: {name} ({why})"));
    }
    if let Some(path) = folded.get(&index) {
        let path = printable(path);
        remarks.push(format!("where capitals make no difference: {path}"));
    }
    remarks
}

/// Where a symbolic link leads, and whether there is anything; empty for a file.
fn arrow(metainfo: &Metainfo, index: usize) -> Cow<'static, str> {
    let Some(target) = metainfo.names.links.get(&index) else {
        return Cow::Borrowed("");
    };
    let path = format!("{}/{target}", metainfo.name);
    let mut files = metainfo.files.iter().filter(|file| !file.path.is_empty());
    let what = if target.is_empty() {
        "symbolic link"
    } else if files.any(|file| paths::is_in(&path, &file.path)) {
        "symbolic link, not made"
    } else {
        "dangling symbolic link, not made: the torrent has nothing there"
    };
    Cow::Owned(format!(" -> {} ({what})", printable(&path)))
}

fn words(metainfo: &Metainfo) -> String {
    let mut page = Page(String::new());
    let geometry = metainfo.geometry;
    let size = metainfo.size();
    let count = select::numbered(&metainfo.files).count();
    let plural = if count == 1 { "" } else { "s" };
    page.line("name", &metainfo.name);
    if let Some((name, why)) = given_root(metainfo) {
        page.line("in the torrent", &format!("{name} ({why})"));
    }
    page.line("info hash", &metainfo.info_hash.to_string());
    let shown = match Bytes(size).to_string() {
        small if size < 1024 => small,
        rounded => format!("{rounded} ({size} bytes)"),
    };
    page.line("size", &format!("{shown} in {count} file{plural}"));
    let piece = Bytes(geometry.piece_length().into());
    page.line("pieces", &format!("{} of {piece}", geometry.pieces()));
    page.line(
        "private",
        if metainfo.private {
            "yes: peers from its trackers only"
        } else {
            "no"
        },
    );
    if metainfo.hybrid {
        page.line("version", "1 and 2 (BEP 52); used as version 1");
    }
    for (tier, urls) in (1..).zip(&metainfo.trackers) {
        let label = format!("tracker, tier {tier}");
        urls.iter().for_each(|url| page.line(&label, url));
    }
    metainfo
        .web_seeds
        .iter()
        .for_each(|url| page.line("web seed", url));
    metainfo
        .nodes
        .iter()
        .for_each(|node| page.line("DHT node", node));
    let texts = [
        ("comment", &metainfo.comment),
        ("created by", &metainfo.created_by),
    ];
    for (label, text) in texts {
        text.iter().for_each(|text| page.line(label, text));
    }
    if let Some(date) = metainfo.creation_date {
        page.line("created on", &calendar(date));
    }
    page.0.push('\n');
    let folded = places::folded_names(metainfo);
    for (number, (index, file)) in (1..).zip(select::numbered(&metainfo.files)) {
        let size = Bytes(file.length).to_string();
        let (path, arrow) = (printable(&file.path), arrow(metainfo, index));
        let _ = writeln!(page.0, "{number:>6}  {size:>9}  {path}{arrow}");
        for remark in remarks(metainfo, index, file, &folded) {
            let _ = writeln!(page.0, "{:>17}  {remark}", "");
        }
    }
    page.0
}

/// Lines of a label and a text.
struct Page(String);

impl Page {
    fn line(&mut self, label: &str, text: &str) {
        let label = format!("{label}:");
        let _ = writeln!(self.0, "{label:<16} {}", printable(text));
    }
}

/// A moment in seconds since 1970 as date and time of day (UTC); the bare number where it is no
/// plausible date.
fn calendar(seconds: i64) -> String {
    let (days, time) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    if !(-719_162..2_932_897).contains(&days) {
        return format!("{seconds} (no date: seconds since 1970 are expected)");
    }
    // Years are counted from March, so that the leap day is the last of its year: then a month's
    // first day is 153 days in five months.
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let (hour, minute, second) = (time / 3_600, time / 60 % 60, time % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_become_dates() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_359_599_503, "2013-01-31 02:31:43 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
            (-1, "1969-12-31 23:59:59 UTC"),
            (253_402_300_799, "9999-12-31 23:59:59 UTC"),
            (-62_135_596_800, "0001-01-01 00:00:00 UTC"),
            (
                253_402_300_800,
                "253402300800 (no date: seconds since 1970 are expected)",
            ),
            (
                i64::MIN,
                "-9223372036854775808 (no date: seconds since 1970 are expected)",
            ),
        ] {
            assert_eq!(calendar(seconds), text);
        }
    }
}
