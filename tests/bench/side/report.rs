//! Tables and JSON of what was measured: medians over the rounds, and how brooklet stands to the
//! others.

use std::fmt::Write as _;

use super::cases::{Case, Kind, Values};
use super::clients::Client;

/// One run of one client in one case.
pub struct Outcome {
    pub case: &'static str,
    pub client: String,
    pub round: usize,
    pub result: Result<Values, String>,
}

/// All that is told in the end.
pub struct Report {
    /// Facts about the machine and the clients, each a name and a value.
    pub facts: Vec<(String, String)>,
    /// Clients that are not there, with the reason.
    pub missing: Vec<String>,
    pub outcomes: Vec<Outcome>,
}

/// What the columns mean.
const LEGEND: &str = "
Medians of the runs. Wall: from start to end, for uploads from the first block to the last. RSS: peak, with the pages of files
that a client maps into its memory (libtorrent, rtorrent). Load: the share of a core that the load generator took. Who has not
uploaded 2 GiB after 30 s is stopped, and its numbers are scaled up to that.
";

/// Who takes longer, in seconds, is not measured again.
const SLOW: f64 = 15.0;

/// A column: its heading, the value's name, what it is divided by, and digits after the point.
type Column = (&'static str, &'static str, f64, usize);

const WALL: Column = ("wall s", "wall", 1.0, 2);
const USER: Column = ("user s", "user", 1.0, 2);
const SYSTEM: Column = ("sys s", "sys", 1.0, 2);
const CPU: Column = ("CPU s", "cpu", 1.0, 2);
const RSS: Column = ("RSS MiB", "rss", 1024.0, 1);
const LOAD: Column = ("load %", "load", 0.01, 0);

fn columns(kind: Kind) -> Vec<Column> {
    match kind {
        Kind::Web | Kind::Download { disk: false, .. } => vec![WALL, USER, SYSTEM, CPU, RSS, LOAD],
        Kind::Download { disk: true, .. } => vec![
            WALL,
            ("with sync s", "synced", 1.0, 2),
            USER,
            SYSTEM,
            CPU,
            RSS,
        ],
        Kind::Upload { .. } => vec![
            ("MiB/s", "rate", 1.0, 0),
            WALL,
            USER,
            SYSTEM,
            CPU,
            RSS,
            LOAD,
        ],
        Kind::Idle { .. } => vec![
            ("% of a core", "percent", 1.0, 4),
            ("wake-ups", "wakeups", 1.0, 0),
            ("in s", "seconds", 1.0, 0),
            ("RSS MiB", "rss", 1024.0, 1),
            ("connected", "connected", 1.0, 0),
        ],
        Kind::Crowd { .. } => vec![
            WALL,
            CPU,
            RSS,
            LOAD,
            ("connected", "connected", 1.0, 0),
            ("least KiB", "least", 1.0, 0),
            ("median KiB", "median", 1.0, 0),
        ],
    }
}

impl Report {
    /// Whether this client is not to run again: it took long, failed twice, or said all that there
    /// is to say.
    pub fn settled(&self, case: &Case, client: &Client) -> bool {
        let mine =
            |outcome: &&Outcome| outcome.case == case.name && outcome.client == client.name();
        let (mut slow, mut failed) = (false, 0);
        for outcome in self.outcomes.iter().filter(mine) {
            match &outcome.result {
                Ok(values) => {
                    slow |= case.once() || values.get("wall").is_some_and(|wall| *wall > SLOW)
                }
                Err(_) => failed += 1,
            }
        }
        slow || failed >= 2
    }

    /// The median over the rounds.
    pub fn median(&self, case: &str, client: &str, value: &str) -> Option<f64> {
        let mut values: Vec<f64> = self
            .outcomes
            .iter()
            .filter(|outcome| outcome.case == case && outcome.client == client)
            .filter_map(|outcome| outcome.result.as_ref().ok()?.get(value).copied())
            .collect();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        match values.len() {
            0 => None,
            odd if odd % 2 == 1 => Some(values[middle]),
            _ => Some((values[middle - 1] + values[middle]) / 2.0),
        }
    }

    /// Everything as text, which is valid Markdown too.
    pub fn text(&self, cases: &[Case], clients: &[Client]) -> String {
        let mut out = String::new();
        for (name, value) in &self.facts {
            let _ = writeln!(out, "- {name}: {value}");
        }
        for missing in &self.missing {
            let _ = writeln!(out, "- left out: {missing}");
        }
        out.push_str(LEGEND);
        for case in cases {
            self.case(case, clients, &mut out);
        }
        out
    }

    fn case(&self, case: &Case, clients: &[Client], out: &mut String) {
        let columns = columns(case.kind);
        let mut head = vec!["client".to_string()];
        head.extend(columns.iter().map(|column| column.0.to_string()));
        head.push("runs".into());
        let mut rows = vec![head];
        let mut failures = String::new();
        for client in clients.iter().filter(|client| case.takes(client)) {
            let mine =
                |outcome: &&Outcome| outcome.case == case.name && outcome.client == client.name();
            let runs = self.outcomes.iter().filter(mine);
            let good = runs
                .clone()
                .filter(|outcome| outcome.result.is_ok())
                .count();
            for outcome in runs {
                if let Err(why) = &outcome.result {
                    let (client, round) = (&outcome.client, outcome.round);
                    let _ = writeln!(failures, "- {client}, round {round}: failed: {why}");
                }
            }
            let mut row = vec![client.name().to_string()];
            for (_, value, unit, digits) in &columns {
                let median = self.median(case.name, client.name(), value);
                row.push(
                    median.map_or("-".into(), |median| format!("{:.*}", digits, median / unit)),
                );
            }
            row.push(good.to_string());
            rows.push(row);
        }
        let _ = write!(
            out,
            "\n### {} (`{}`)\n\n{}",
            case.title,
            case.name,
            table(&rows)
        );
        let ratios = self.ratios(case, clients);
        if !ratios.is_empty() || !failures.is_empty() {
            let _ = write!(out, "\n{ratios}{failures}");
        }
    }

    /// Every build of brooklet against the best of the others, and against the floor.
    fn ratios(&self, case: &Case, clients: &[Client]) -> String {
        let mut out = String::new();
        let ours = clients
            .iter()
            .filter(|client| matches!(client, Client::Brooklet { .. }));
        for client in ours {
            let name = client.name();
            let mut parts = Vec::new();
            for (title, value) in [("wall", "wall"), ("CPU", "cpu"), ("RSS", "rss")] {
                let best = clients
                    .iter()
                    .filter(|client| client.is_other())
                    .filter_map(|other| {
                        Some((self.median(case.name, other.name(), value)?, other.name()))
                    })
                    .min_by(|a, b| a.0.total_cmp(&b.0));
                if let (Some(own), Some((best, other))) =
                    (self.median(case.name, name, value), best)
                {
                    parts.push(format!("{title} {:.2} × {other}", own / best));
                }
            }
            for floor in ["floor", "floor-sendfile"] {
                let cpu = |name| self.median(case.name, name, "cpu");
                if let (Some(own), Some(floor_cpu)) = (cpu(name), cpu(floor)) {
                    parts.push(format!("CPU {:.2} × {floor}", own / floor_cpu));
                }
            }
            if !parts.is_empty() {
                let _ = writeln!(out, "- {name}: {}", parts.join(", "));
            }
        }
        out
    }

    /// Everything as JSON: facts, each run, and the medians.
    pub fn json(&self) -> String {
        let mut out = String::from("{\n  \"facts\": {");
        for (at, (name, value)) in self.facts.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            let _ = write!(out, "{comma}\n    {}: {}", quoted(name), quoted(value));
        }
        let missing: Vec<String> = self.missing.iter().map(|line| quoted(line)).collect();
        let _ = write!(
            out,
            "\n  }},\n  \"missing\": [{}],\n  \"runs\": [",
            missing.join(", ")
        );
        for (at, outcome) in self.outcomes.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            let _ = write!(
                out,
                "{comma}\n    {{\"case\": {}, \"client\": {}, \"round\": {}, ",
                quoted(outcome.case),
                quoted(&outcome.client),
                outcome.round
            );
            match &outcome.result {
                Ok(values) => {
                    let fields = values
                        .iter()
                        .map(|(name, value)| format!("\"{name}\": {value:.6}"));
                    let _ = write!(out, "{}}}", fields.collect::<Vec<_>>().join(", "));
                }
                Err(why) => {
                    let _ = write!(out, "\"failed\": {}}}", quoted(why));
                }
            }
        }
        out.push_str("\n  ],\n  \"medians\": [");
        out.push_str(&self.json_medians());
        out.push_str("\n  ]\n}\n");
        out
    }

    fn json_medians(&self) -> String {
        let mut pairs: Vec<(&str, &str)> = Vec::new();
        for outcome in &self.outcomes {
            let pair = (outcome.case, outcome.client.as_str());
            if outcome.result.is_ok() && !pairs.contains(&pair) {
                pairs.push(pair);
            }
        }
        let lines = pairs.iter().map(|(case, client)| {
            let mine =
                |outcome: &&Outcome| (outcome.case, outcome.client.as_str()) == (*case, *client);
            let first = self
                .outcomes
                .iter()
                .filter(mine)
                .find_map(|outcome| outcome.result.as_ref().ok());
            let fields = first.into_iter().flatten().filter_map(|(name, _)| {
                Some(format!(
                    "\"{name}\": {:.6}",
                    self.median(case, client, name)?
                ))
            });
            format!(
                "\n    {{\"case\": {}, \"client\": {}, {}}}",
                quoted(case),
                quoted(client),
                fields.collect::<Vec<_>>().join(", ")
            )
        });
        lines.collect::<Vec<_>>().join(",")
    }
}

/// A Markdown table whose columns stand below each other: the first to the left, numbers to the
/// right.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for (number, row) in rows.iter().enumerate() {
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let _ = match column {
                0 => write!(out, "| {cell:<width$} "),
                _ => write!(out, "| {cell:>width$} "),
            };
        }
        out.push_str("|\n");
        if number == 0 {
            for (column, width) in widths.iter().enumerate() {
                let line = "-".repeat(*width);
                let _ = match column {
                    0 => write!(out, "|-{line}-"),
                    _ => write!(out, "|-{line}:"),
                };
            }
            out.push_str("|\n");
        }
    }
    out
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        let _ = match letter {
            '"' | '\\' => write!(out, "\\{letter}"),
            control if control < ' ' => write!(out, "\\u{:04x}", control as u32),
            other => write!(out, "{other}"),
        };
    }
    out.push('"');
    out
}
