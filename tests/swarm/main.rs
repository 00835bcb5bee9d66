//! Swarms of real sessions in a simulated world. Each scenario of `scenarios` is run with a few seeds; a run that fails prints its seed,
//! and `SWARM=SCENARIO:SEED cargo test --test swarm` repeats it to the byte. `make sweep` runs many.

mod flow;
mod least;
mod runs;
mod scenario;
mod scenarios;
mod world;

use std::time::Instant;

use runs::run_all;
use scenario::Scenario;

/// Seeds of each scenario in the table.
const SEEDS: u64 = 2;

/// How well swarms do is as it was: see `testdata/swarm/table.txt`. A change that makes it better or worse is to be looked at, and then
/// written there with `GOLDEN=write`.
#[test]
fn swarms_do_as_well_as_the_table_says() {
    if let Some((scenario, seed)) = asked_for() {
        println!("{:#?}", scenario.run(seed));
        return;
    }
    let mut jobs = runs::jobs(scenarios::all(), 1..=SEEDS);
    jobs.extend(runs::jobs(scenarios::large().into_iter().take(1), 1..=1));
    let done = run_all(&jobs);
    runs::compare_with_table(&done);
}

#[test]
fn the_same_seed_gives_the_same_run() {
    if asked_for().is_some() {
        return;
    }
    let scenario = named("everything");
    let (first, second, other) = (scenario.run(7), scenario.run(7), scenario.run(8));
    assert_eq!(first, second);
    assert_ne!(first.digest, other.digest);
}

/// Many seeds of each scenario (`SEEDS=500`, from `FROM=1` on), or of those named in `ONLY`.
#[test]
#[ignore = "it takes long: make sweep"]
fn sweep() {
    let number = |name: &str, usual| {
        let given = std::env::var(name).ok();
        given.map_or(usual, |text| text.parse().expect("a number"))
    };
    let (seeds, from) = (number("SEEDS", 20), number("FROM", 1));
    let only = std::env::var("ONLY").unwrap_or_default();
    let mut failures = 0;
    let mut all = scenarios::all();
    all.extend(scenarios::large());
    for mut scenario in all {
        let large = scenario.clients > 50;
        scenario.strict = !large;
        if !only.is_empty() && !only.split(',').any(|name| name == scenario.name) {
            continue;
        }
        let most = if large { from } else { from + seeds - 1 };
        let start = Instant::now();
        let done = run_all(&runs::jobs([scenario], from..=most));
        println!("{} {:.0?}", runs::line(&done), start.elapsed());
        failures += done.iter().filter(|run| run.outcome.is_none()).count();
    }
    assert_eq!(failures, 0, "runs failed");
}

/// What `SWARM` names.
fn asked_for() -> Option<(Scenario, u64)> {
    let asked = std::env::var("SWARM").ok()?;
    let (name, seed) = asked.split_once(':').expect("SWARM=SCENARIO:SEED");
    Some((named(name), seed.parse().expect("a seed is a number")))
}

fn named(name: &str) -> Scenario {
    let mut all = scenarios::all();
    all.extend(scenarios::large());
    let found = all.into_iter().find(|scenario| scenario.name == name);
    found.expect("a scenario of this name")
}
