//! The scenarios. Small contents and slow links make a run that is quick to simulate and long
//! beside the times that sessions keep, as real downloads are: a client that sends 128 KiB/s takes
//! over a minute.

use crate::scenario::{Churn, Scenario};
use crate::world::manners::Manners;

/// All that `make sweep` runs with many seeds, and `cargo test` with a few.
pub fn all() -> Vec<Scenario> {
    let mut all = crowds();
    all.extend(liars());
    all.extend(troubles());
    all
}

/// The large ones.
pub fn large() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "flash-100",
            clients: 100,
            ..Scenario::default()
        },
        Scenario {
            name: "flash-1000",
            clients: 1000,
            content: (16 * 1024, 128),
            within: (1.3, 1.6),
            ..Scenario::default()
        },
    ]
}

/// Swarms of those who mean well.
fn crowds() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "two",
            clients: 2,
            ..Scenario::default()
        },
        Scenario {
            name: "flash",
            clients: 50,
            ..Scenario::default()
        },
        // Each byte that the seed sends twice delays everybody.
        Scenario {
            name: "slow-seed",
            clients: 30,
            seeds: (1, 128),
            ..Scenario::default()
        },
        Scenario {
            name: "trickle",
            clients: 30,
            arrival: 120,
            stay: Some(30),
            ..Scenario::default()
        },
        Scenario {
            name: "mixed",
            clients: 30,
            up: (32, 512),
            down: (256, 4096),
            ..Scenario::default()
        },
        Scenario {
            name: "seeds-leave",
            clients: 30,
            seeds: (2, 256),
            seeds_leave: true,
            ..Scenario::default()
        },
        Scenario {
            name: "nat-half",
            clients: 30,
            natted: 50,
            ..Scenario::default()
        },
        Scenario {
            name: "nat-most",
            clients: 30,
            natted: 80,
            ..Scenario::default()
        },
    ]
}

/// Swarms with some that harm it.
fn liars() -> Vec<Scenario> {
    let among = |name, others| Scenario {
        name,
        others,
        seeds: (2, 256),
        rough: true,
        ..Scenario::default()
    };
    vec![
        among("poison", &[(3, Manners::Poisons)]),
        Scenario {
            clients: 1,
            seeds: (3, 128),
            ..among("poison-four", &[(1, Manners::Poisons)])
        },
        among("poison-seldom", &[(3, Manners::PoisonsOneIn(50))]),
        among("poison-late", &[(3, Manners::PoisonsAfter(64))]),
        among("withhold", &[(3, Manners::Withholds)]),
        among("boast", &[(3, Manners::Boasts)]),
        among("reject", &[(3, Manners::Rejects)]),
        among("mute", &[(10, Manners::Mute)]),
        // What clients give each other is what counts: the seed sends as much as four of them, and
        // who has everything leaves. Afterwards the takers have the seed for themselves, so what
        // they come later by is what nobody gave them before.
        Scenario {
            name: "takers",
            others: &[(20, Manners::OnlyTakes)],
            clients: 30,
            stay: Some(1),
            content: (16 * 1024, 64),
            takers_later: 2.0,
            ..Scenario::default()
        },
    ]
}

/// Swarms in bad networks.
fn troubles() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "churn",
            churn: Churn::Seconds(60, 2),
            ..Scenario::default()
        },
        Scenario {
            name: "breaks",
            breaks: Some(300),
            rough: true,
            ..Scenario::default()
        },
        Scenario {
            name: "parted",
            parted: Some((15, 45)),
            ..Scenario::default()
        },
        Scenario {
            name: "long-parted",
            parted: Some((15, 315)),
            ..Scenario::default()
        },
        // Half of the disks take less than the network brings, and what they have not written is
        // lost in a crash.
        Scenario {
            name: "slow-disks",
            slow_disks: (50, 100),
            churn: Churn::Seconds(90, 1),
            rough: true,
            ..Scenario::default()
        },
        Scenario {
            name: "everything",
            seeds: (3, 256),
            clients: 30,
            up: (64, 512),
            down: (256, 4096),
            natted: 40,
            arrival: 60,
            others: &[
                (1, Manners::Poisons),
                (1, Manners::PoisonsOneIn(50)),
                (1, Manners::PoisonsAfter(64)),
                (1, Manners::Withholds),
                (1, Manners::Boasts),
                (1, Manners::Rejects),
                (3, Manners::Mute),
                (3, Manners::OnlyTakes),
            ],
            churn: Churn::Seconds(90, 1),
            breaks: Some(1000),
            parted: Some((40, 70)),
            slow_disks: (20, 300),
            rough: true,
            ..Scenario::default()
        },
    ]
}
