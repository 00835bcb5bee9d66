//! A DHT of our own nodes in a simulated world: how well lookups do there is kept in
//! `testdata/dht/table.txt`; and what strangers can make a node do.

mod lookups;
mod world;

use lookups::Scenario;
use world::Kind;

const SMALL: Scenario = Scenario {
    name: "small",
    nodes: 400,
    dead: 20,
    hidden: 10,
    liars: 0,
    liar: Kind::Liar,
    tries: 200,
};

#[test]
fn probe() {
    let number = |name: &str, usual: usize| {
        std::env::var(name)
            .ok()
            .map_or(usual, |t| t.parse().unwrap())
    };
    let mut scenario = SMALL;
    scenario.nodes = number("NODES", 400);
    scenario.tries = number("TRIES", 200);
    scenario.liars = number("LIARS", 0);
    scenario.dead = number("DEAD", 20);
    if number("NEAR", 0) == 1 {
        scenario.liar = Kind::NearLiar;
    }
    let t = std::time::Instant::now();
    let outcome = scenario.run(number("SEED", 1) as u64);
    println!("{outcome:?} {:?}", t.elapsed());
}
