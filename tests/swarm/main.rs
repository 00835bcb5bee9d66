//! Swarms of real sessions in a simulated world. Each scenario of `scenarios` is run with a few
//! seeds; a run that fails prints its seed, and `SWARM=SCENARIO:SEED cargo test --test swarm`
//! repeats it to the byte. `make sweep` runs many, `make crowd` the large ones.

mod churn;
mod encrypted;
mod exchange;
mod fairness;
mod flow;
mod least;
mod runs;
mod scenario;
mod scenarios;
mod several;
mod sharing;
mod world;

use std::ops::RangeInclusive;
use std::time::Instant;

use runs::run_all;
use scenario::Scenario;

/// Seeds of each scenario in the table.
const SEEDS: u64 = 2;

/// How well swarms do is as it was: see `testdata/swarm/table.txt`. A change that makes it better
/// or worse is to be looked at, and then written there with `GOLDEN=write`.
#[test]
fn swarms_do_as_well_as_the_table_says() {
    if let Some((mut scenario, seed)) = asked_for() {
        scenario.strict = true;
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

#[test]
fn a_run_that_fails_is_told_by_its_name_and_seed_and_fails_again() {
    if asked_for().is_some() {
        return;
    }
    let mut scenario = named("everything");
    // Nobody has everything so soon.
    scenario.limit = 20;
    let failure = || scenario.attempt(7).expect_err("it cannot succeed");
    let (first, second) = (failure(), failure());
    assert_eq!(first, second);
    let told = "everything failed; to repeat it: SWARM=everything:7 cargo test --test swarm";
    assert_eq!(first.to_repeat, told);
    assert!(first.why.contains("lack some"), "{}", first.why);
}

/// Many seeds of each scenario of up to fifty clients (`SEEDS=500`, from `FROM=1` on), or of those
/// named in `ONLY`. Each turn of each session is looked at closely; with `LAX` as often as in the
/// table's runs, in half the time.
#[test]
#[ignore = "it takes long: make sweep"]
fn sweep() {
    let number = |name: &str, usual| {
        let given = std::env::var(name).ok();
        given.map_or(usual, |text| text.parse().expect("a number"))
    };
    let (seeds, from) = (number("SEEDS", 500), number("FROM", 1));
    let only = std::env::var("ONLY").unwrap_or_default();
    let mut failures = 0;
    for mut scenario in scenarios::all() {
        if !only.is_empty() && !only.split(',').any(|name| name == scenario.name) {
            continue;
        }
        scenario.strict = std::env::var_os("LAX").is_none();
        failures += run_and_tell(scenario, from..=from + seeds - 1);
    }
    assert_eq!(failures, 0, "runs failed");
}

/// Crowds of a hundred clients and of a thousand.
#[test]
#[ignore = "it takes a minute: make crowd"]
fn crowds() {
    let failures = scenarios::large()
        .into_iter()
        .map(|crowd| run_and_tell(crowd, 1..=1));
    assert_eq!(failures.sum::<usize>(), 0, "runs failed");
}

/// Runs a scenario with these seeds and prints its line of the table, with the time it took. How
/// many runs failed.
fn run_and_tell(scenario: Scenario, seeds: RangeInclusive<u64>) -> usize {
    let start = Instant::now();
    let done = run_all(&runs::jobs([scenario], seeds));
    println!("{} {:.0?}", runs::line(&done), start.elapsed());
    done.iter().filter(|run| run.outcome.is_none()).count()
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
