//! Running scenarios on all cores, and what they gave as a table.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Mutex;

use crate::scenario::{Outcome, Scenario, middle};

/// What there is to do: a scenario with a seed.
pub struct Job {
    scenario: Scenario,
    seed: u64,
}

/// A job that is done.
pub struct Run {
    /// Which scenario.
    pub name: &'static str,
    /// How it went; none: it failed.
    pub outcome: Option<Outcome>,
    place: usize,
}

/// Each of these with each of these seeds.
pub fn jobs(scenarios: impl IntoIterator<Item = Scenario>, seeds: RangeInclusive<u64>) -> Vec<Job> {
    let with = |scenario: Scenario| {
        let scenario = move || scenario.clone();
        seeds.clone().map(move |seed| Job {
            scenario: scenario(),
            seed,
        })
    };
    scenarios.into_iter().flat_map(with).collect()
}

/// Does them on all cores. The results are in the order of the jobs.
pub fn run_all(jobs: &[Job]) -> Vec<Run> {
    let next = Mutex::new(0..jobs.len());
    let done = Mutex::new(Vec::new());
    let work = || {
        while let Some(place) = next.lock().ok().and_then(|mut next| next.next()) {
            let Job { scenario, seed } = &jobs[place];
            let outcome = scenario.attempt(*seed).ok();
            done.lock().expect("nobody panics holding it").push(Run {
                name: scenario.name,
                outcome,
                place,
            });
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(work);
        }
    });
    let mut done = done.into_inner().expect("nobody panics holding it");
    done.sort_by_key(|run| run.place);
    done
}

/// One scenario's runs in a line: how many, how many failed, and of the others the median over the
/// runs of the least time, of the median client's and of the slowest one's ratio to it, with the
/// slowest of all runs.
pub fn line(runs: &[Run]) -> String {
    let name = runs.first().map_or("", |run| run.name);
    let good: Vec<&Outcome> = runs.iter().filter_map(|run| run.outcome.as_ref()).collect();
    let ratio = |part: fn(&[u64]) -> u64| {
        let mut all: Vec<f64> = good
            .iter()
            .map(|outcome| part(&outcome.times) as f64 / outcome.least as f64)
            .collect();
        all.sort_by(f64::total_cmp);
        all
    };
    let (typical, slowest) = (ratio(middle), ratio(last));
    let at = |all: &[f64], place: usize| all.get(place).copied().unwrap_or(f64::NAN);
    let half = good.len() / 2;
    let mut least: Vec<u64> = good.iter().map(|outcome| outcome.least).collect();
    least.sort_unstable();
    let mut line = format!(
        "{name:<14} {:>4} {:>4}   {:>6.1} {:>6.2} {:>6.2} {:>6.2}",
        runs.len(),
        runs.len() - good.len(),
        middle(&least) as f64 / 1000.0,
        at(&typical, half),
        at(&slowest, half),
        at(&slowest, good.len().wrapping_sub(1)),
    );
    let takers = good.iter().filter(|outcome| !outcome.takers.is_empty());
    let mut later: Vec<f64> = takers
        .map(|outcome| middle(&outcome.takers) as f64 / middle(&outcome.times) as f64)
        .collect();
    later.sort_by(f64::total_cmp);
    let bad = good.iter().map(|outcome| outcome.failed.1).max();
    let later = match later.get(later.len() / 2) {
        Some(later) => format!("{later:.2}"),
        None => "-".to_string(),
    };
    let _ = write!(line, " {later:>6} {:>4}", bad.unwrap_or(0));
    line
}

/// Asserts that nothing failed, and that the table of these runs is the one that is kept; or keeps
/// it, with `GOLDEN=write`.
pub fn compare_with_table(runs: &[Run]) {
    let failed = runs.iter().filter(|run| run.outcome.is_none()).count();
    assert_eq!(failed, 0, "runs failed");
    let lines = runs.chunk_by(|a, b| a.name == b.name).map(line);
    let table = HEAD.to_string() + &lines.map(|line| line + "\n").collect::<String>();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/swarm/table.txt");
    if std::env::var_os("GOLDEN").is_some_and(|value| value == "write") {
        fs::write(&path, table).expect("the table can be written");
        return;
    }
    let kept = fs::read_to_string(&path).expect("there is a table");
    let differences = differences(&kept, &table);
    assert!(
        differences.is_empty(),
        "testdata/swarm/table.txt says otherwise (if that is right: GOLDEN=write cargo test --test swarm):\n{differences}"
    );
}

/// The rows of a table that are not as they are kept, in words.
fn differences(kept: &str, table: &str) -> String {
    let rows = |text: &str| -> BTreeMap<String, Vec<String>> {
        let rows = text.lines().filter(|line| !line.starts_with('#'));
        let cells = rows.map(|row| row.split_whitespace().map(str::to_string));
        let named = cells.filter_map(|mut cells| Some((cells.next()?, cells.collect())));
        named.collect()
    };
    let (kept, table) = (rows(kept), rows(table));
    let mut told = String::new();
    for name in kept.keys().filter(|&name| !table.contains_key(name)) {
        let _ = writeln!(told, "{name}: there is no such scenario");
    }
    for (name, row) in &table {
        let Some(kept) = kept.get(name) else {
            let _ = writeln!(told, "{name}: new");
            continue;
        };
        for (column, place, margin, more) in COLUMNS {
            let cell = |row: &[String]| row.get(place).and_then(|cell| cell.parse::<f64>().ok());
            let (was, is) = (cell(kept), cell(row));
            let change = is.unwrap_or(0.0) / was.unwrap_or(0.0) - 1.0;
            if was == is || change.abs() <= margin {
                continue;
            }
            let judgement = if (change > 0.0) == more {
                "worse"
            } else {
                "better"
            };
            let percent = change * 100.0;
            let (was, is) = (was.unwrap_or(f64::NAN), is.unwrap_or(f64::NAN));
            let _ = writeln!(
                told,
                "{name}: {judgement}: {column} is {is}, not {was} ({percent:+.0} %)"
            );
        }
    }
    told
}

/// The columns that are compared: their place behind the name, the share by which they may differ,
/// and whether more of it is worse.
const COLUMNS: [(&str, usize, f64, bool); 4] = [
    ("least", 2, 0.01, true),
    ("median", 3, 0.05, true),
    ("slow", 4, 0.1, true),
    ("takers", 6, 0.2, false),
];

#[test]
fn what_changes_more_than_the_margin_is_told() {
    let row = |median, slow, takers| {
        format!("# head\nflash  2    0   59.2   {median}  {slow}  1.40  {takers}   0\n")
    };
    let kept = row("1.00", "1.20", "-");
    assert_eq!(differences(&kept, &kept), "");
    assert_eq!(differences(&kept, &row("1.04", "1.10", "-")), "");
    let told = |median, slow, takers| differences(&kept, &row(median, slow, takers));
    let worse = "flash: worse: slow is 1.35, not 1.2 (+13 %)\n";
    assert_eq!(told("1.00", "1.35", "-"), worse);
    let better = "flash: better: median is 0.9, not 1 (-10 %)\n";
    assert_eq!(told("0.90", "1.20", "-"), better);
    assert!(told("1.00", "1.20", "2.0").starts_with("flash: better: takers"));
    assert_eq!(
        differences(&kept, "#\n"),
        "flash: there is no such scenario\n"
    );
    assert_eq!(differences("#\n", &kept), "flash: new\n");
}

/// What stands over the table.
const HEAD: &str = "\
# How well simulated swarms do, in scenarios of tests/swarm/scenarios.rs. `least`: seconds that no swarm could undercut, from a client's
# coming to its having everything, for the last of them (tests/swarm/least.rs: the greatest flow through the links, while their owners are
# there and can reach each other). `median`, `slow`: the median client's and the slowest client's time in units of that, in the median
# run, so that a median client may come before; `worst`: the slowest client's of all runs. `takers`: the time of clients that only take,
# in units of the others'. `bad`: pieces that failed at the client that had most of them. A test fails if `median` differs by more than
# 5 %, `slow` by 10 % or `takers` by 20 %.
#
# What limits the slow ones. slow-seed: what a seed is sending to one it sends to others as well, since nobody knows of it before it is
# whole (BEP 16 would help). trickle: the first to come wait for the seed, too; nobody who comes later does. nat-half: those who cannot
# be called get all they get from those who can, who would have to send to nobody else. mixed, takers: who sends little gets little, and
# when the others have left there is little to get; the least time knows no such justice. churn: it knows who is about to go, and would
# serve him first.
# scenario     runs fail    least median   slow  worst takers  bad
";

fn last(sorted: &[u64]) -> u64 {
    sorted.last().copied().unwrap_or(0)
}
