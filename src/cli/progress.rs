//! Shows how far a run is. On a terminal a line for each torrent is redrawn in place; otherwise
//! plain lines come at the start, at most every ten seconds, and at the end, so that a log file
//! stays short.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use super::units::{Bytes, Part, Span, counted};
use crate::base::{SortedMap, TorrentKey};
use crate::io::logging;
use crate::torrent::metadata::Reached;
use crate::torrent::{Progress, Report};

/// Plain lines come at most this often.
const EVERY: Duration = Duration::from_secs(10);
/// Nobody waits for what takes longer than this, and a number would pretend to know.
const LONGEST: u64 = 100 * 86_400;

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Not at all.
    Hidden,
    /// A line redrawn on a terminal, of this many columns at most.
    Redrawn(usize),
    /// Lines from time to time.
    Plain,
}

impl Style {
    /// The form that suits standard error, unless progress is switched off. Events on a terminal
    /// replace it, since a line that is redrawn would mix with them.
    pub fn suitable(quiet: bool, json: bool) -> Style {
        if quiet || (json && std::io::stdout().is_terminal()) {
            Style::Hidden
        } else if logging::terminal() {
            Style::Redrawn(logging::columns())
        } else {
            Style::Plain
        }
    }
}

/// What to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Show {
    /// A line that stays.
    Line(String),
    /// The redrawn lines, in place of the last ones.
    Status(Vec<String>),
}

impl Show {
    /// Writes it to standard error.
    pub fn write(&self) {
        match self {
            Show::Line(line) => logging::say(line),
            Show::Status(lines) => logging::draw(lines),
        }
    }
}

/// Where the torrents of a run stand.
#[derive(Debug)]
pub struct Board {
    style: Style,
    meters: SortedMap<TorrentKey, Meter>,
}

impl Board {
    /// Nothing has been reported yet.
    pub fn new(style: Style) -> Board {
        Board {
            style,
            meters: SortedMap::new(),
        }
    }

    /// What a torrent is called; empty before it has started.
    pub fn name(&self, torrent: TorrentKey) -> &str {
        self.meters.get(&torrent).map_or("", |meter| &meter.name)
    }

    /// Takes a report of a torrent in; what it changes for the user is handed back.
    pub fn note(&mut self, torrent: TorrentKey, report: &Report, now: Instant) -> Option<Show> {
        if let Style::Redrawn(columns) = &mut self.style {
            // The window may have got another width since.
            *columns = logging::columns();
        }
        let (style, several) = (self.style, self.meters.len() > 1);
        let started = matches!(report, Report::Start { .. });
        if !started && !self.meters.contains_key(&torrent) {
            return None;
        }
        let meter = self.meters.get_or_insert_with(torrent, Meter::new);
        meter.style = style;
        let show = meter.note(report, now);
        match (show, style) {
            (Some(Show::Status(_)), Style::Redrawn(columns)) if several => {
                Some(Show::Status(self.lines(columns, logging::rows())))
            }
            (show, _) => show,
        }
    }

    /// A line for each torrent, up to what fits; the others are counted in the last one.
    fn lines(&self, columns: usize, rows: usize) -> Vec<String> {
        let going: Vec<&Meter> = self
            .meters
            .values()
            .filter(|meter| !meter.stopped)
            .collect();
        let fits = rows.saturating_sub(1).max(1);
        let shown = if going.len() > fits { fits - 1 } else { fits };
        let longest = going.iter().map(|meter| meter.name.chars().count()).max();
        let width = longest.unwrap_or(0).min(columns / 3);
        let line = |meter: &&Meter| {
            let name: String = meter.name.chars().take(width).collect();
            let room = columns.saturating_sub(width + 2);
            format!("{name:width$}  {}", meter.words(room))
        };
        let mut lines: Vec<String> = going.iter().take(shown).map(line).collect();
        if going.len() > shown {
            lines.push(format!("and {} more", going.len() - shown));
        }
        lines
    }
}

/// How far the search for a torrent's metadata is: nodes of the DHT that answered, addresses found,
/// and what came of them.
type Waiting = (Option<usize>, usize, Reached);

/// Where a torrent stands, and what has been said of it.
#[derive(Debug)]
struct Meter {
    style: Style,
    name: String,
    last: Progress,
    /// How far the search for its metadata is: addresses found, and what came of them.
    waiting: Option<Waiting>,
    said: Option<(Instant, String)>,
    stopped: bool,
}

impl Meter {
    fn new() -> Meter {
        Meter {
            style: Style::Hidden,
            name: String::new(),
            last: Progress::default(),
            waiting: None,
            said: None,
            stopped: false,
        }
    }

    /// Takes a report in; what it changes for the user is handed back.
    fn note(&mut self, report: &Report, now: Instant) -> Option<Show> {
        self.stopped |= matches!(report, Report::Stopped { .. });
        match report {
            Report::Start {
                name,
                content,
                port,
                ..
            } => {
                self.name = logging::printable(name).into_owned();
                // Another torrent's report may draw this one's line before its own first comes.
                self.last.size = content.map_or(0, |(size, _)| size);
                self.waiting = content.is_none().then(Waiting::default);
                self.line(
                    &match content {
                        None => format!("asking peers for the torrent, port: {port}"),
                        Some((size, pieces)) => {
                            format!("{}, pieces: {pieces}, port: {port}", Bytes(*size))
                        }
                    },
                    now,
                )
            }
            Report::Metadata {
                name,
                size,
                pieces,
                seconds,
            } => {
                self.name = logging::printable(name).into_owned();
                (self.last.size, self.waiting) = (*size, None);
                let size = Bytes(*size);
                let told = format!("{size}, pieces: {pieces}, known after {seconds:.1} s");
                self.line(&told, now)
            }
            Report::Waiting {
                nodes,
                found,
                reached,
            } => {
                self.waiting = Some((*nodes, *found, *reached));
                None
            }
            Report::Progress(progress) => {
                self.last = *progress;
                self.state(now)
            }
            Report::Complete {
                seconds,
                downloaded,
                uploaded,
            } => {
                let (down, up) = (Bytes(*downloaded), Bytes(*uploaded));
                let took = format!("complete after {seconds:.1} s, {down} down, {up} up");
                self.line(&took, now)
            }
            Report::Written(name) => {
                self.show(format!("{}: written", logging::printable(name)), now)
            }
            Report::Stopped { reason } => self.stopped(reason, now),
            _ => None,
        }
    }

    /// How far it was when it stopped.
    fn stopped(&mut self, reason: &str, now: Instant) -> Option<Show> {
        // That has just been said.
        if reason == "complete" || reason == "metadata" {
            return None;
        }
        let Progress { done, size, .. } = self.last;
        let state = if self.waiting.is_some() {
            format!("stopped ({reason}) before peers have sent the torrent")
        } else {
            let part = Part { done, size };
            format!("stopped ({reason}) at {}, {part}", percent(done, size))
        };
        self.line(&state, now)
    }

    /// How far it is, in so many columns.
    fn words(&self, columns: usize) -> String {
        let Some((nodes, found, reached)) = self.waiting else {
            return describe(&self.last, columns);
        };
        let nodes = nodes.map_or(String::new(), |nodes| format!("  {nodes} nodes"));
        let blocks = match reached.blocks {
            (_, 0) => String::new(),
            (blocks, all) => format!("  {blocks} of {all} blocks"),
        };
        let mut line = format!(
            "asking for the torrent{nodes}  {} found  {} connected  {} with it{blocks}",
            counted(found),
            self.last.peers,
            reached.peers,
        );
        if line.len() > columns {
            line = format!("asking{}", &line["asking for the torrent".len()..]);
        }
        line.chars().take(columns).collect()
    }

    fn state(&mut self, now: Instant) -> Option<Show> {
        match self.style {
            Style::Hidden => None,
            Style::Redrawn(columns) => Some(Show::Status(vec![self.words(columns)])),
            Style::Plain => {
                let line = self.words(usize::MAX);
                let due = |(at, said): &(Instant, String)| now >= *at + EVERY && *said != line;
                let due = self.said.as_ref().is_none_or(due);
                due.then(|| {
                    self.said = Some((now, line.clone()));
                    Show::Line(format!("{}: {}", self.name, line))
                })
            }
        }
    }

    fn line(&mut self, text: &str, now: Instant) -> Option<Show> {
        self.show(format!("{}: {text}", self.name), now)
    }

    fn show(&mut self, line: String, now: Instant) -> Option<Show> {
        self.said = Some((now, String::new()));
        (self.style != Style::Hidden).then_some(Show::Line(line))
    }
}

/// Percent, bytes, rate down and up, peers, time left: as much of it as fits, the first things
/// first.
fn describe(progress: &Progress, columns: usize) -> String {
    let mut parts = Vec::new();
    if let Some((done, size)) = progress.checking {
        parts.push(format!("checking {}", percent(done, size)));
        parts.push(Part { done, size }.to_string());
    } else {
        let Progress { done, size, .. } = *progress;
        parts.push(percent(done, size));
        parts.push(Part { done, size }.to_string());
        parts.push(format!("down {}/s", Bytes(progress.down_rate)));
        parts.push(format!("up {}/s", Bytes(progress.up_rate)));
        parts.push(counted(progress.peers));
        match progress.web_seeds {
            0 => {}
            1 => parts.push(String::from("1 web seed")),
            many => parts.push(format!("{many} web seeds")),
        }
        parts.extend(left(progress));
    }
    let roomy = parts.iter().map(|part| part.len() + 2).sum::<usize>() - 2 <= columns;
    let gap = if roomy { "  " } else { " " };
    let mut line = String::new();
    for part in parts {
        let gap = if line.is_empty() { "" } else { gap };
        if line.len() + gap.len() + part.len() > columns {
            break;
        }
        line.push_str(gap);
        line.push_str(&part);
    }
    line
}

/// Rounded down: 100 % is said of what is whole, and of nothing else.
pub(super) fn percent(done: u64, size: u64) -> String {
    let tenths = (u128::from(done) * 1_000)
        .checked_div(u128::from(size))
        .unwrap_or(1_000);
    format!("{}.{}%", tenths / 10, tenths % 10)
}

fn left(progress: &Progress) -> Option<String> {
    let missing = progress.size.checked_sub(progress.done)?;
    let seconds = missing.checked_div(progress.down_rate)?;
    (missing > 0 && seconds < LONGEST)
        .then(|| format!("{} left", Span(Duration::from_secs(seconds))))
}

#[cfg(test)]
mod tests;
