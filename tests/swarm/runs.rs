//! Running scenarios on all cores, and what they gave as a table.

use std::cmp::Ordering;
use std::fmt::Write as _;
use std::fs;
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};
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
            let outcome = catch_unwind(AssertUnwindSafe(|| scenario.run(*seed))).ok();
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

/// One scenario's runs in a line: how many, how many failed, and of the others the median over the runs of the least time, of the median
/// client's and of the slowest one's ratio to it, with the slowest of all runs.
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

/// Asserts that nothing failed, and that the table of these runs is the one that is kept; or keeps it, with `GOLDEN=write`.
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
    let mut differences = String::new();
    for (kept, line) in kept.lines().zip(table.lines()) {
        if kept != line {
            let judgement = compared(kept, line);
            let _ = write!(differences, "\n- {kept}\n+ {line}   {judgement}");
        }
    }
    assert!(
        kept == table,
        "swarms do better or worse than testdata/swarm/table.txt says (if that is right, GOLDEN=write):{differences}"
    );
}

/// What became of a row, by the typical slowest client and else by the median one.
fn compared(kept: &str, line: &str) -> &'static str {
    let column = |row: &str, number| -> f64 {
        let text = row.split_whitespace().nth(number);
        text.and_then(|text| text.parse().ok()).unwrap_or(f64::NAN)
    };
    let (slowest, median) = (5, 4);
    let change = |number| column(line, number).partial_cmp(&column(kept, number));
    let changes = [change(slowest), change(median)];
    match changes.iter().flatten().find(|change| change.is_ne()) {
        Some(Ordering::Greater) => "worse",
        Some(_) => "better",
        None => "",
    }
}

/// What stands over the table.
const HEAD: &str = "\
# How well simulated swarms do, in scenarios of tests/swarm/scenarios.rs. `least`: seconds that no swarm could undercut, the content's size
# over the least of what seeds send, what all send for each who wants it, what those send who can be called for each who cannot, and what
# the slowest receives; partitions and absences are not reckoned with. `median`, `slow`: the
# median client's and the slowest client's time in units of that, in the median run; `worst`: the slowest client's of all runs. `takers`:
# the time of clients that only take, in units of the others'. `bad`: pieces that failed at the client that had most of them.
# scenario     runs fail    least median   slow  worst takers  bad
";

fn last(sorted: &[u64]) -> u64 {
    sorted.last().copied().unwrap_or(0)
}
