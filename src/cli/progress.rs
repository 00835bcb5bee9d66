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

/// Where a torrent stands, and what has been said of it.
#[derive(Debug)]
struct Meter {
    style: Style,
    name: String,
    last: Progress,
    /// How far the search for its metadata is: addresses found, and what came of them.
    waiting: Option<(usize, Reached)>,
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
                size,
                pieces,
                port,
                ..
            } => {
                self.name = logging::printable(name).into_owned();
                // Another torrent's report may draw this one's line before its own first comes.
                self.last.size = *size;
                let size = Bytes(*size);
                self.line(
                    &match pieces {
                        0 => format!("asking peers for the torrent, port: {port}"),
                        pieces => format!("{size}, pieces: {pieces}, port: {port}"),
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
            Report::Waiting { found, reached } => {
                self.waiting = Some((*found, *reached));
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
            // That has just been said.
            Report::Stopped { reason } if reason == "complete" || reason == "metadata" => None,
            Report::Stopped { reason } => {
                let Progress { done, size, .. } = self.last;
                let part = Part { done, size };
                let state = format!("stopped ({reason}) at {}, {part}", percent(done, size));
                self.line(&state, now)
            }
            _ => None,
        }
    }

    /// How far it is, in so many columns.
    fn words(&self, columns: usize) -> String {
        let Some((found, reached)) = self.waiting else {
            return describe(&self.last, columns);
        };
        let (blocks, all) = reached.blocks;
        let line = format!(
            "asking for the torrent  {} found  {} connected  {} with it  {blocks} of {all} blocks",
            counted(found),
            self.last.peers,
            reached.peers,
        );
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
        self.said = Some((now, String::new()));
        (self.style != Style::Hidden).then(|| Show::Line(format!("{}: {text}", self.name)))
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
mod tests {
    use super::*;
    use crate::base::InfoHash;

    const HALF: Progress = Progress {
        done: 999_999,
        size: 1_000_000,
        down_rate: 1,
        up_rate: 2_048,
        peers: 1,
        checking: None,
    };

    #[test]
    fn the_line_says_all_and_gives_up_the_last_first() {
        let all = "99.9%  977 of 977 KiB  down 1 B/s  up 2.00 KiB/s  1 peer  1s left";
        let tight = all.replace("  ", " ");
        assert_eq!(describe(&HALF, all.len()), all);
        for columns in 0..all.len() {
            let line = describe(&HALF, columns);
            assert!(line.len() <= columns && tight.starts_with(&line));
        }
        assert_eq!(describe(&HALF, tight.len()), tight);
        assert!(describe(&HALF, tight.len() - 1).ends_with("1 peer"));
    }

    #[test]
    fn only_what_is_whole_is_a_hundred_percent() {
        assert_eq!(percent(u64::MAX - 1, u64::MAX), "99.9%");
        assert_eq!(percent(5, 5), "100.0%");
        assert_eq!(percent(0, 0), "100.0%");
        assert_eq!(percent(0, 9), "0.0%");
    }

    #[test]
    fn no_time_is_named_that_nobody_knows() {
        let stalled = Progress {
            down_rate: 0,
            ..HALF
        };
        let endless = Progress {
            done: 0,
            size: u64::MAX,
            ..HALF
        };
        let whole = Progress {
            done: 1_000_000,
            ..HALF
        };
        assert_eq!(
            [stalled, endless, whole].map(|progress| left(&progress)),
            [None, None, None]
        );
    }

    #[test]
    fn checking_has_a_line_of_its_own() {
        let checking = Progress {
            checking: Some((1_024, 4_096)),
            ..HALF
        };
        assert_eq!(describe(&checking, 80), "checking 25.0%  1.00 of 4.00 KiB");
    }

    fn start() -> Report {
        Report::Start {
            name: String::from("n\x1b[2J"),
            info_hash: InfoHash([0; 20]),
            size: 1_000_000,
            pieces: 62,
            port: 6881,
        }
    }

    #[test]
    fn plain_lines_come_at_the_start_every_ten_seconds_and_at_the_end() {
        let start_at = Instant::now();
        let mut meter = Board::new(Style::Plain);
        let first = meter.note(0, &start(), start_at);
        let expected = "n\\x1b[2J: 977 KiB, pieces: 62, port: 6881";
        assert_eq!(first, Some(Show::Line(String::from(expected))));
        let mut said = Vec::new();
        for second in 0..60_u64 {
            let done = second.min(30) * 1_000;
            let report = Report::Progress(Progress { done, ..HALF });
            if let Some(show) = meter.note(0, &report, start_at + Duration::from_secs(second)) {
                assert!(matches!(show, Show::Line(_)));
                said.push(second);
            }
        }
        assert_eq!(said, [10, 20, 30], "and none while nothing changes");
        let stopped = Report::Stopped {
            reason: String::from("SIGINT"),
        };
        match meter.note(0, &stopped, start_at + Duration::from_secs(60)) {
            Some(Show::Line(line)) => {
                assert!(
                    line.ends_with("stopped (SIGINT) at 3.0%, 29.3 of 977 KiB"),
                    "{line}"
                );
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn several_torrents_have_a_line_each_up_to_what_fits() {
        let now = Instant::now();
        let mut board = Board::new(Style::Redrawn(80));
        for torrent in 0..5 {
            board.note(torrent, &start(), now);
            board.note(torrent, &Report::Progress(HALF), now);
        }
        board.note(5, &start(), now);
        let lines = board.lines(40, 24);
        assert!(lines[5].starts_with("n\\x1b[2J  0.0%"), "{}", lines[5]);
        let reason = String::from("complete");
        board.note(5, &Report::Stopped { reason }, now);
        let lines = board.lines(40, 24);
        assert_eq!(lines.len(), 5);
        assert!(
            lines
                .iter()
                .all(|line| line.starts_with("n\\x1b[2J  99.9%")),
            "{lines:?}"
        );
        assert!(lines.iter().all(|line| line.len() <= 40), "{lines:?}");
        let lines = board.lines(40, 4);
        assert_eq!((lines.len(), lines[2].as_str()), (3, "and 3 more"));
        let reason = String::from("complete");
        board.note(3, &Report::Stopped { reason }, now);
        assert_eq!(board.lines(40, 24).len(), 4);
    }

    #[test]
    fn a_terminal_has_one_line_and_quiet_has_none() {
        let now = Instant::now();
        let mut meter = Board::new(Style::Redrawn(30));
        meter.note(0, &start(), now);
        for _ in 0..3 {
            let Some(Show::Status(lines)) = meter.note(0, &Report::Progress(HALF), now) else {
                panic!("no status line");
            };
            assert_eq!(lines.len(), 1, "{lines:?}");
        }
        let mut quiet = Board::new(Style::Hidden);
        assert_eq!(quiet.note(0, &start(), now), None);
        assert_eq!(quiet.note(0, &Report::Progress(HALF), now), None);
    }
}
