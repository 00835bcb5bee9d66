//! Swarms of real sessions in a simulated world. Each scenario of `scenarios` is run with a few seeds; a run that fails prints its seed,
//! and `SWARM=SCENARIO:SEED cargo test --test swarm` repeats it to the byte. `make sweep` runs many.

mod scenario;
mod scenarios;
mod world;

use scenario::Scenario;

#[test]
fn flash_crowd() {
    let scenario = Scenario {
        name: "flash",
        clients: std::env::var("N").map_or(20, |n| n.parse().unwrap()),
        ..Scenario::default()
    };
    let start = std::time::Instant::now();
    let outcome = scenario.run(1);
    println!("{outcome:?} {:?}", start.elapsed());
}
