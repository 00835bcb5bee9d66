//! `scrape`: what each tracker of a torrent knows of its swarm, as a table or as JSON objects, one
//! a line.

use std::fmt::Write as _;
use std::path::PathBuf;

use lexopt::{Arg, Parser};

use super::args::{Command, Options};
use super::target::{self, Target};
use super::{Failure, help, network, setups, slip, usage};
use crate::io::by_url::Access;
use crate::io::logging::printable;
use crate::io::scrape;
use crate::io::scrape::Answer;
use crate::wire::magnet::Link;
use crate::wire::{Metainfo, json};

/// Runs the command with the arguments behind its name.
///
/// # Errors
/// Why it did not end with 0: no tracker answered.
pub fn run(parser: &mut Parser) -> Result<(), Failure> {
    let (mut torrent, mut json) = (None, false);
    let mut network = Options::new(Command::Get);
    while let Some(arg) = parser.next().map_err(|error| usage("scrape", error))? {
        match arg {
            Arg::Short('h') | Arg::Long("help") => return super::print(help::SCRAPE),
            Arg::Long("json") => json = true,
            Arg::Long(name) if network::has(name) => {
                let option = format!("--{name}");
                network.take(Command::Get, &option, parser)?;
            }
            Arg::Short('p') => network.take(Command::Get, "-p", parser)?,
            Arg::Value(value) if torrent.is_none() => torrent = Some(value),
            Arg::Value(value) => return Err(slip::another("scrape", torrent.as_deref(), &value)),
            // What could be said less or more is said already.
            Arg::Short('q' | 'v') | Arg::Long("quiet" | "verbose") => {}
            other => return Err(usage("scrape", other.unexpected())),
        }
    }
    let Options {
        route,
        reaching,
        state,
        ..
    } = network;
    let missing = || Failure::usage("scrape: no torrent is named: see brooklet scrape --help");
    let allow_local = reaching.allow_local;
    let access = Access {
        route: route.clone(),
        allow_local,
    };
    let (name, info_hash, trackers) = match target::find(&torrent.ok_or_else(missing)?, access)? {
        Target::Torrent(it, _) => (it.name, it.info_hash, it.trackers),
        Target::Link(link) => match known(&link, state) {
            Some(it) => (it.name, it.info_hash, it.trackers),
            None => (link.title(), link.info_hash, link.trackers),
        },
    };
    if trackers.iter().all(Vec::is_empty) {
        return Err(Failure::failed(format!("{name}: it names no tracker")));
    }
    let answers = scrape(&trackers, info_hash, &route, allow_local);
    let answers = answers.map_err(Failure::failed)?;
    super::print(&if json {
        objects(&answers)
    } else {
        table(&answers)
    })?;
    if answers.iter().any(|answer| answer.outcome.is_ok()) {
        Ok(())
    } else {
        Err(Failure::failed(format!("{name}: no tracker answered")))
    }
}

/// The torrent of a link, if an earlier run has fetched it.
fn known(link: &Link, state: Option<PathBuf>) -> Option<Metainfo> {
    let state_dir = state.or_else(|| setups::default_state().ok())?;
    target::known(link, &state_dir).map(|(metainfo, _)| metainfo)
}

fn objects(answers: &[Answer]) -> String {
    let mut lines = String::new();
    for Answer { url, outcome } in answers {
        let object = json::Object::new().text("url", url.as_str());
        let object = match outcome {
            Ok(counts) => object
                .plain("seeders", counts.seeders.unwrap_or(0))
                .plain("leechers", counts.leechers.unwrap_or(0))
                .plain("completed", counts.completed.unwrap_or(0)),
            Err(why) => object.text("error", why.as_str()),
        };
        lines += &object.finish();
        lines.push('\n');
    }
    lines
}

fn table(answers: &[Answer]) -> String {
    let mut lines = String::from(" seeders  leechers  completed  tracker\n");
    let shown = |number: Option<u32>| number.map_or(String::from("-"), |n| n.to_string());
    for Answer { url, outcome } in answers {
        let counts = outcome.as_ref().copied().unwrap_or_default();
        let _ = write!(
            lines,
            "{:>8}  {:>8}  {:>9}  {}",
            shown(counts.seeders),
            shown(counts.leechers),
            shown(counts.completed),
            printable(url)
        );
        if let Err(why) = outcome {
            let _ = write!(lines, ": {}", printable(why));
        }
        lines.push('\n');
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tracker::Counts;

    fn answers() -> [Answer; 2] {
        let counts = Counts {
            seeders: Some(12),
            leechers: Some(0),
            completed: Some(4_000_000_000),
        };
        let answer = |url: &str, outcome| Answer {
            url: String::from(url),
            outcome,
        };
        [
            answer("http://a/announce", Ok(counts)),
            answer("udp://b:1", Err(String::from("no \"answer\"\x1b[2J"))),
        ]
    }

    #[test]
    fn a_line_for_each_tracker() {
        assert_eq!(
            table(&answers()),
            " seeders  leechers  completed  tracker\n\
             \x20     12         0  4000000000  http://a/announce\n\
             \x20      -         -          -  udp://b:1: no \"answer\"\\x1b[2J\n"
        );
    }

    #[test]
    fn an_object_for_each_tracker() {
        assert_eq!(
            objects(&answers()),
            "{\"url\":\"http://a/announce\",\"seeders\":12,\"leechers\":0,\"completed\":4000000000}\n\
             {\"url\":\"udp://b:1\",\"error\":\"no \\\"answer\\\"\\u001b[2J\"}\n"
        );
    }
}
