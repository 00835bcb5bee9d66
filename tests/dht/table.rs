//! The table of how well lookups do, `testdata/dht/table.txt`: a row a world.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::lookups::{Outcome, Scenario};

const HEAD: &str = "\
# How well lookups do in simulated worlds (tests/dht): every node is one of ours, joined within five minutes; round trips take 20 to
# 300 ms. `dead`: of a hundred nodes, those that die at one time, seconds before the lookups, so that all tables are full of them.
# `nat`: those that nobody reaches unbidden. `liars`: they answer with nodes and peers that they make up, in the worlds called `near`
# with nodes nearer to the target than any. A node announces a torrent, another looks for it. `found`: of a hundred lookups, those
# that found the peer; in the median after so many `queries` and `ms`, and after `slow` ms in 19 of 20; `all` and `end`: queries and ms
# until the lookup was over.
# A test fails if `found` falls by more than 0.5, or if `queries`, `ms`, `all` or `end` differ by more than a tenth and by more than 1
# or 20 ms. `make dht-world` runs the large ones, the tests all others: `large-brief` is `large-near` with fewer lookups.
# world        nodes dead nat liars tries  found queries    ms   slow  all    end
";

/// Runs these worlds, and compares their rows with those that are kept; or keeps them, with
/// `GOLDEN=write`. Those that it does not run stay as they are.
pub fn compare(scenarios: &[Scenario]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/dht/table.txt");
    let kept = fs::read_to_string(&path).unwrap_or_default();
    let mut rows: Vec<String> = kept
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(String::from)
        .collect();
    let outcomes: BTreeMap<&str, Outcome> = std::thread::scope(|scope| {
        let runs = scenarios
            .iter()
            .map(|scenario| (scenario.name, scope.spawn(|| scenario.run(1))));
        let runs: Vec<_> = runs.collect();
        let done = |(name, run): (_, std::thread::ScopedJoinHandle<'_, _>)| {
            (name, run.join().expect("a world runs"))
        };
        runs.into_iter().map(done).collect()
    });
    let mut differences = String::new();
    for scenario in scenarios {
        let outcome = &outcomes[scenario.name];
        let row = row(scenario, outcome);
        println!("{row}");
        let at_least = if scenario.liars > 0 { 97.0 } else { 99.0 };
        assert!(outcome.found >= at_least, "{row}");
        assert!(outcome.queries <= 30 && outcome.millis.0 <= 1_000, "{row}");
        let name = |row: &String| row.split_whitespace().next() == Some(scenario.name);
        match rows.iter_mut().find(|row| name(row)) {
            Some(kept) => {
                if differs(kept, &row) {
                    let _ = writeln!(differences, "kept: {kept}\nnow:  {row}");
                }
                *kept = row;
            }
            None => {
                let _ = writeln!(differences, "new: {row}");
                rows.push(row);
            }
        }
    }
    if std::env::var_os("GOLDEN").is_some_and(|value| value == "write") {
        let table = HEAD.to_string() + &rows.join("\n") + "\n";
        fs::write(&path, table).expect("the table can be written");
        return;
    }
    assert!(
        differences.is_empty(),
        "testdata/dht/table.txt says otherwise (if that is right: GOLDEN=write):\n{differences}"
    );
}

fn row(scenario: &Scenario, outcome: &Outcome) -> String {
    format!(
        "{:<14} {:>5} {:>4} {:>3} {:>5} {:>5} {:>6.1} {:>7} {:>5} {:>6} {:>4} {:>6}",
        scenario.name,
        scenario.nodes,
        scenario.dead,
        scenario.hidden,
        scenario.liars,
        scenario.tries,
        outcome.found,
        outcome.queries,
        outcome.millis.0,
        outcome.millis.1,
        outcome.all_queries,
        outcome.end_millis,
    )
}

/// Whether two rows differ by more than chance.
fn differs(kept: &str, now: &str) -> bool {
    let numbers = |row: &str| -> Vec<f64> {
        let words = row.split_whitespace().skip(1);
        words.map(|word| word.parse().unwrap_or(f64::NAN)).collect()
    };
    let (kept, now) = (numbers(kept), numbers(now));
    let off = |place: usize, least: f64| {
        let (kept, now) = (kept[place], now[place]);
        let same = (kept - now).abs() <= least.max(kept / 10.0);
        !same
    };
    let as_often = now[5] >= kept[5] - 0.5;
    let found = !as_often;
    kept[..5] != now[..5] || found || off(6, 1.0) || off(7, 20.0) || off(9, 1.0) || off(10, 20.0)
}

#[test]
fn a_row_that_is_worse_is_noticed() {
    let kept = "small  500 20 10 0 300  99.5  5 120 400 15 1900";
    for (now, different) in [
        (kept, false),
        ("small  500 20 10 0 300  99.0  6 139 900 16 2000", false),
        ("small  500 20 10 0 300  98.9  5 120 400 15 1900", true),
        ("small  500 20 10 0 300  99.5  7 120 400 15 1900", true),
        ("small  500 20 10 0 300  99.5  5 141 400 15 1900", true),
        ("small  500 20 10 0 300  99.5  5 120 400 17 1900", true),
        ("small  500 20 10 0 300  99.5  5 120 400 15 2100", true),
        ("small  400 20 10 0 300  99.5  5 120 400 15 1900", true),
        ("small  500 20 10 0 300  NaN   5 120 400 15 1900", true),
    ] {
        assert_eq!(differs(kept, now), different, "{now}");
    }
}
