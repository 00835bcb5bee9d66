//! A DHT of our own nodes in a simulated world: how well lookups do there is kept in
//! `testdata/dht/table.txt`; and what strangers can make a node do, and what it costs to have one.

mod cost;
mod hostile;
mod lookups;
mod table;
mod world;

use lookups::Scenario;
use world::Kind;

/// A small world, for each run of the tests: a fifth of it dies at one time just before the
/// lookups, a tenth is behind routers.
const SMALL: Scenario = Scenario {
    name: "small",
    nodes: 500,
    dead: 20,
    hidden: 10,
    liars: 0,
    liar: Kind::Liar,
    tries: 300,
};
/// A tenth of it lies.
const SMALL_LIARS: Scenario = Scenario {
    name: "small-liars",
    liars: 10,
    ..SMALL
};
/// They make up nodes near to whatever is looked for.
const SMALL_NEAR: Scenario = Scenario {
    name: "small-near",
    liar: Kind::NearLiar,
    ..SMALL_LIARS
};

/// The same one, ten times as large.
const fn large(name: &'static str, scenario: Scenario) -> Scenario {
    Scenario {
        name,
        nodes: 5_000,
        tries: 1_000,
        ..scenario
    }
}

/// A world as large as those of `make dht-world`, with dead nodes, hidden ones and liars at once,
/// and fewer lookups: what a change does to a DHT of that size is seen in each run of the tests.
const LARGE_BRIEF: Scenario = Scenario {
    tries: 200,
    ..large("large-brief", SMALL_NEAR)
};

/// A change that makes lookups better or worse is to be looked at, and then written to the table
/// with `GOLDEN=write`.
#[test]
fn lookups_do_as_well_as_the_table_says() {
    table::compare(&[SMALL, SMALL_LIARS, SMALL_NEAR, LARGE_BRIEF]);
}

/// The large worlds: five thousand nodes, a thousand lookups each.
#[test]
#[ignore = "it takes minutes: make dht-world"]
fn large_worlds() {
    table::compare(&[
        large("large", SMALL),
        large("large-liars", SMALL_LIARS),
        large("large-near", SMALL_NEAR),
    ]);
}

#[test]
fn the_same_seed_gives_the_same_world() {
    let scenario = Scenario {
        nodes: 60,
        tries: 20,
        ..SMALL_NEAR
    };
    assert_eq!(scenario.run(7), scenario.run(7));
    assert_ne!(scenario.run(7), scenario.run(8));
}
