//! `peers`: who is in the swarm of a torrent, a line for each address and whoever knows it.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use lexopt::{Arg, Parser};
use log::LevelFilter;

use super::args::{Command, Options, Verbosity};
use super::target::{self, Target};
use super::{Failure, help, network, setups, slip, usage};
use crate::base::{SortedMap, SortedSet, limits};
use crate::io::logging::{self, printable};
use crate::io::peers::{Event, Question, Source, Ways, peers};
use crate::wire::{Metainfo, json};

/// Runs the command with the arguments behind its name.
///
/// # Errors
/// Why it did not end with 0: nobody is known.
pub fn run(parser: &mut Parser) -> Result<(), Failure> {
    let Some((torrent, options)) = parse(parser)? else {
        return super::print(help::PEERS);
    };
    let mut subject = Subject::of(&torrent, &options)?;
    if options.route.has_proxy() {
        (subject.question.nodes, subject.question.nearby) = (None, false);
    }
    logging::init(match options.verbosity {
        Verbosity::Quiet => LevelFilter::Error,
        Verbosity::Normal => LevelFilter::Warn,
        Verbosity::Verbose | Verbosity::Words => LevelFilter::Info,
    });
    let ways = Ways {
        port: options.port,
        route: options.route.clone(),
        allow_local: options.reaching.allow_local,
        dht_nodes: options.sources.dht_nodes.clone(),
        state_dir: subject.state_dir.clone(),
        timeout: options.timeout,
        watch: options.verbosity >= Verbosity::Verbose,
    };
    let mut list = List::new(options.json);
    for (host, port) in &options.peers {
        list.add(&join(host, *port), ("user", None), "--peer")?;
    }
    let named = list.lines;
    for peer in &subject.peers {
        list.add(peer, ("link", None), "link")?;
    }
    let mut outcome = Outcome {
        trackers: subject.question.tiers.concat().len(),
        nodes: subject.question.nodes.is_some().then_some(0),
        nearby: subject.question.nearby,
        ..Outcome::default()
    };
    let mut written = Ok(());
    let asked = peers(subject.question, &ways, &mut |event| {
        if let Event::Peer(addr, source) = event {
            let added = list.found(&addr.to_string(), source);
            if written.is_ok() {
                written = added;
            }
        } else {
            outcome.note(event);
        }
    });
    asked.map_err(Failure::failed)?;
    written?;
    if list.lines == named {
        let (name, why) = (subject.name, outcome.words());
        let message = format!("{name}: no peer is known: {why}");
        return Err(Failure::failed(message));
    }
    if options.verbosity > Verbosity::Quiet {
        logging::say(&list.sum(outcome.nodes));
    }
    Ok(())
}

fn parse(parser: &mut Parser) -> Result<Option<(OsString, Options)>, Failure> {
    let (mut torrent, mut options) = (None, Options::new(Command::Get));
    while let Some(arg) = parser.next().map_err(|error| usage("peers", error))? {
        let option = match arg {
            Arg::Short('h') | Arg::Long("help") => return Ok(None),
            Arg::Value(value) if torrent.is_none() => {
                torrent = Some(value);
                continue;
            }
            Arg::Value(value) => return Err(slip::another("peers", torrent.as_deref(), &value)),
            Arg::Short(letter @ ('p' | 'q' | 'v')) => format!("-{letter}"),
            Arg::Long(name @ ("json" | "quiet" | "verbose")) => format!("--{name}"),
            Arg::Long(name) if network::has(name) => format!("--{name}"),
            other => return Err(usage("peers", other.unexpected())),
        };
        options.take(Command::Get, &option, parser)?;
    }
    let missing = || Failure::usage("peers: no torrent is named: see brooklet peers --help");
    Ok(Some((torrent.ok_or_else(missing)?, options)))
}

/// What came of the search beside peers.
#[derive(Default)]
struct Outcome {
    /// Trackers that were asked, and how many failed.
    trackers: usize,
    failed: usize,
    /// Nodes of the DHT that answered; `None`: none was asked.
    nodes: Option<usize>,
    /// The local network was asked.
    nearby: bool,
}

impl Outcome {
    fn note(&mut self, event: Event) {
        match event {
            Event::Failed(url, why) => {
                self.failed += 1;
                log::warn!("tracker {url}: {why}");
            }
            Event::Looked(nodes) => self.nodes = Some(nodes),
            Event::Step(node, ours, words) => {
                let way = if ours { "->" } else { "<-" };
                log::info!("{node} {way} {words}");
            }
            Event::More(source) => {
                let (name, most) = (printable(name(&source)), limits::PEERS_LISTED);
                log::warn!("{name}: it names more peers than {most}, the others are not listed");
            }
            Event::Peer(..) => {}
        }
    }

    /// Why no peer is known.
    fn words(&self) -> String {
        let (all, failed) = (self.trackers, self.failed);
        let trackers = match all {
            0 => String::from("no tracker is asked"),
            all if failed >= all => String::from("its trackers failed"),
            _ => format!("of {all} trackers {failed} failed, the others name none"),
        };
        let dht = match self.nodes {
            None => String::from("the DHT is not asked"),
            Some(0) => String::from("no node of the DHT answers: name one with --dht-node"),
            Some(nodes) => format!("the DHT names none, nodes that answered: {nodes}"),
        };
        let nearby = if self.nearby {
            "names none"
        } else {
            "is not asked"
        };
        format!("{trackers}; {dht}; the local network {nearby}")
    }
}

/// What the command is about.
struct Subject {
    name: String,
    question: Question,
    /// Those that a link names.
    peers: Vec<String>,
    state_dir: PathBuf,
}

impl Subject {
    fn of(source: &OsStr, options: &Options) -> Result<Subject, Failure> {
        let state_dir = setups::state_of(options)?;
        let (metainfo, peers) = match target::find(source, setups::access(options))? {
            Target::Torrent(metainfo, _) => (*metainfo, Vec::new()),
            Target::Link(link) => match target::known(&link, &state_dir) {
                Some((metainfo, _)) => (metainfo, link.peers),
                None => {
                    let mut metainfo = Metainfo::of_link(link.info_hash, link.title());
                    metainfo.trackers = link.trackers;
                    (metainfo, link.peers)
                }
            },
        };
        let (dht, lsd) = (options.sources.dht, options.sources.lsd);
        let is_public = !metainfo.private;
        let tiers = metainfo.trackers;
        let question = Question {
            info_hash: metainfo.info_hash,
            tiers: if options.sources.trackers {
                tiers
            } else {
                Vec::new()
            },
            nodes: (dht && is_public).then_some(metainfo.nodes),
            nearby: lsd && is_public,
        };
        Ok(Subject {
            name: metainfo.name,
            question,
            peers,
            state_dir,
        })
    }
}

/// The list on standard output, as it grows.
struct List {
    is_json: bool,
    lines: usize,
    /// Addresses, each once.
    addresses: SortedSet<String>,
    /// How many each source knows, by what people call it.
    counts: SortedMap<String, usize>,
}

impl List {
    fn new(is_json: bool) -> List {
        List {
            is_json,
            lines: 0,
            addresses: SortedSet::new(),
            counts: SortedMap::new(),
        }
    }

    /// A peer that was found.
    fn found(&mut self, addr: &str, source: Source) -> Result<(), Failure> {
        let kind = match &source {
            Source::Tracker(url) => ("tracker", Some(url.as_str())),
            Source::Dht => ("dht", None),
            Source::Nearby => ("lsd", None),
        };
        self.add(addr, kind, name(&source))
    }

    /// A line. `kind`: what the source is called in JSON, and its URL if it has one; `name`: what
    /// people call it.
    fn add(
        &mut self,
        addr: &str,
        (kind, url): (&str, Option<&str>),
        name: &str,
    ) -> Result<(), Failure> {
        self.lines += 1;
        self.addresses.insert(addr.to_string());
        *self.counts.get_or_insert_with(name.to_string(), || 0) += 1;
        let line = if self.is_json {
            let object = json::Object::new().text("addr", addr).text("source", kind);
            match url {
                Some(url) => object.text("url", url).finish(),
                None => object.finish(),
            }
        } else {
            format!("{addr:<21}  {}", printable(name))
        };
        super::print(&format!("{line}\n"))
    }

    /// All in one line. `nodes`: those of the DHT that answered, if it was asked.
    fn sum(&self, nodes: Option<usize>) -> String {
        let counts = self.counts.iter();
        let counts = counts.map(|(name, count)| format!("{}: {count}", printable(name)));
        let mut parts: Vec<String> = counts.collect();
        parts.extend(nodes.map(|nodes| format!("nodes of the DHT that answered: {nodes}")));
        let (all, parts) = (self.addresses.len(), parts.join(", "));
        format!("addresses: {all} ({parts})")
    }
}

/// What people call who names peers.
fn name(source: &Source) -> &str {
    match source {
        Source::Tracker(url) => url,
        Source::Dht => "DHT",
        Source::Nearby => "LSD",
    }
}

/// Host and port as they are written.
fn join(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_counts_by_source_and_each_address_once() {
        let mut list = List::new(true);
        let tracker = Source::Tracker(String::from("udp://t:1\x1b"));
        list.found("10.0.0.1:1", tracker.clone()).unwrap();
        list.found("10.0.0.2:1", tracker).unwrap();
        list.found("10.0.0.1:1", Source::Dht).unwrap();
        assert_eq!(
            list.sum(Some(7)),
            "addresses: 2 (DHT: 1, udp://t:1\\x1b: 2, nodes of the DHT that answered: 7)"
        );
        assert_eq!(join("::1", 7), "[::1]:7");
    }
}
