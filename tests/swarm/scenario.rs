//! A swarm to be: who takes part, how they are connected, what befalls them, and how well they
//! could do.

use std::panic::{AssertUnwindSafe, catch_unwind};

use brooklet::base::{Duration, Rng, Time, limits};

use crate::least::least;
use crate::world::disk::Source;
use crate::world::manners::Manners;
use crate::world::node::{Link, Role};
use crate::world::queue::{Act, Event};
use crate::world::world::World;

const KIB: u64 = 1024;

/// How clients come and go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Churn {
    /// They come at once and stay.
    None,
    /// Each leaves after a random time of up to so many seconds, in order or by vanishing, comes
    /// back after as long, and so on, for a number of times.
    Seconds(u64, u32),
}

/// What a swarm is made of.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name, by which it can be repeated.
    pub name: &'static str,
    /// KiB of content, and of a piece.
    pub content: (u32, u32),
    /// Seeds, and KiB/s that each sends.
    pub seeds: (usize, u64),
    /// Clients.
    pub clients: usize,
    /// KiB/s that clients send, least and most.
    pub up: (u64, u64),
    /// KiB/s that clients receive, least and most.
    pub down: (u64, u64),
    /// Of a hundred clients, those that cannot be called.
    pub natted: u64,
    /// Others, so many of each kind.
    pub others: &'static [(usize, Manners)],
    /// Seconds within which the clients come.
    pub arrival: u64,
    /// How they come and go.
    pub churn: Churn,
    /// Milliseconds between breaks of a connection anywhere, on average.
    pub breaks: Option<u64>,
    /// From when to when, in seconds, the network is in two parts.
    pub parted: Option<(u64, u64)>,
    /// Seeds leave as soon as there is another copy.
    pub seeds_leave: bool,
    /// Seconds that clients stay when they have everything; for ever, if none.
    pub stay: Option<u64>,
    /// The median of those who only take comes so many times as late as the others', at least.
    pub takers_later: f64,
    /// The median client and the slowest one take so many times the least time, at most.
    pub within: (f64, f64),
    /// Reads are cut at random places, and packets and reads of different connections overtake each
    /// other.
    pub rough: bool,
    /// Of a hundred clients, those whose disk is slow, and KiB/s that it takes.
    pub slow_disks: (u64, u64),
    /// Each turn is looked at closely, which takes its time where there are many clients.
    pub strict: bool,
    /// Virtual seconds after which it has failed.
    pub limit: u64,
}

impl Default for Scenario {
    fn default() -> Scenario {
        Scenario {
            name: "",
            content: (8 * 1024, 64),
            seeds: (1, 512),
            clients: 20,
            up: (128, 128),
            down: (1024, 1024),
            natted: 0,
            others: &[],
            arrival: 0,
            churn: Churn::None,
            breaks: None,
            parted: None,
            seeds_leave: false,
            stay: None,
            takers_later: 0.0,
            within: (f64::INFINITY, f64::INFINITY),
            rough: false,
            slow_disks: (0, 0),
            strict: false,
            limit: 3600,
        }
    }
}

/// How a run went. Times are in milliseconds from a client's coming to its having everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What no swarm could do better.
    pub least: u64,
    /// The honest clients' times, sorted.
    pub times: Vec<u64>,
    /// Those of the ones that only take.
    pub takers: Vec<u64>,
    /// Bad pieces that clients got, in all, and the most that one of them got.
    pub failed: (u32, u32),
    /// Equal runs have equal numbers.
    pub digest: u64,
    /// Events that happened.
    pub events: u64,
}

/// A run that failed.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// A line that says how to repeat it.
    pub to_repeat: String,
    /// What was asserted, and is not so.
    pub why: String,
}

impl Scenario {
    /// Runs it with this seed; a run that fails is told, with how to repeat it.
    pub fn attempt(&self, seed: u64) -> Result<Outcome, Failure> {
        catch_unwind(AssertUnwindSafe(|| self.run(seed))).map_err(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let literal = panic
                .downcast_ref::<&str>()
                .map(|literal| literal.to_string());
            let name = self.name;
            let to_repeat =
                format!("{name} failed; to repeat it: SWARM={name}:{seed} cargo test --test swarm");
            eprintln!("{to_repeat}");
            Failure {
                to_repeat,
                why: text.or(literal).unwrap_or_default(),
            }
        })
    }

    /// Runs it with this seed.
    pub fn run(&self, seed: u64) -> Outcome {
        let source = Source::new(self.content.0 * 1024, self.content.1 * 1024);
        let mut world = World::new(&source, seed);
        world.rough = self.rough;
        world.strict = self.strict;
        world.seeds_leave = self.seeds_leave;
        world.told = std::env::var_os("SWARM").is_some();
        self.populate(&mut world);
        self.befall(&mut world);
        let digest = world.run(Duration::from_secs(self.limit));
        let outcome = self.outcome(&world, digest);
        if world.told {
            tell(&world);
        }
        self.judge(&world, &outcome);
        outcome
    }

    fn populate(&self, world: &mut World) {
        let mut rng = Rng::from_seed(world.rng.bits64());
        for _ in 0..self.seeds.0 {
            let link = Link {
                up: self.seeds.1 * KIB,
                down: self.down.1 * KIB,
                natted: false,
                ..self.link(&mut rng)
            };
            world.add(Role::Seed, Manners::Honest, link, Time::default());
        }
        let client = Role::Client(self.stay.map(Duration::from_secs));
        let joins = |rng: &mut Rng| Time::from_micros(rng.below(1 + self.arrival * 1_000_000));
        for _ in 0..self.clients {
            let link = self.link(&mut rng);
            let at = joins(&mut rng);
            let n = world.add(client, Manners::Honest, link, at);
            let slow = rng.below(100) < self.slow_disks.0;
            world.nodes[n].disk_rate = slow.then_some(self.slow_disks.1 * KIB);
        }
        for &(count, manners) in self.others {
            for _ in 0..count {
                let role = if manners.claims_all() {
                    Role::Seed
                } else {
                    client
                };
                let link = self.link(&mut rng);
                let at = joins(&mut rng);
                world.add(role, manners, link, at);
            }
        }
    }

    fn link(&self, rng: &mut Rng) -> Link {
        let mut between = |(least, most): (u64, u64)| (least + rng.below(most - least + 1)) * KIB;
        Link {
            up: between(self.up),
            down: between(self.down),
            latency: Duration::from_millis(5 + rng.below(36)),
            natted: rng.below(100) < self.natted,
            side: rng.below(2) == 0,
        }
    }

    fn befall(&self, world: &mut World) {
        let seconds = |at: u64| Time::from_micros(at * 1_000_000);
        if let Some(mean) = self.breaks {
            let first = Act::Break(mean);
            world.queue.push(seconds(1), Event::Script(first));
        }
        if let Some((from, to)) = self.parted {
            world.queue.push(seconds(from), Event::Script(Act::Part));
            world.queue.push(seconds(to), Event::Script(Act::Heal));
        }
        if let Churn::Seconds(most, times) = self.churn {
            let clients: Vec<usize> = world
                .nodes
                .iter()
                .filter(|node| node.is_client())
                .map(|node| node.number)
                .collect();
            for n in clients {
                // Who has not come yet cannot leave.
                let mut at = 5 + world.nodes[n].joins.as_micros() / 1_000_000;
                for _ in 0..times {
                    at += 1 + world.rng.below(most);
                    let vanishes = world.rng.below(2) == 0;
                    let go = if vanishes {
                        Act::Crash(n)
                    } else {
                        Act::Leave(n)
                    };
                    world.queue.push(seconds(at), Event::Script(go));
                    let from = seconds(at);
                    at += 5 + world.rng.below(most);
                    world.queue.push(seconds(at), Event::Script(Act::Join(n)));
                    world.nodes[n].absent.push((from, seconds(at)));
                }
            }
        }
    }

    /// Asserts what is expected of the whole run.
    fn judge(&self, world: &World, outcome: &Outcome) {
        let poisoners = world.nodes.iter().filter(|node| node.manners.lies());
        // The first piece that one spoils alone is its last, and of those it shares it has a part
        // in no more than so many at a time.
        let each = 1 + limits::SHARED_PARTS;
        let most = (poisoners.count() * each) as u32;
        for node in &world.nodes {
            // Who starts anew knows nobody.
            let failed = node.fate.failed;
            assert!(failed <= most * node.run.max(1), "{failed} bad pieces");
        }
        let slowest = outcome.times.last().copied().unwrap_or(0);
        assert!(slowest >= outcome.least, "the least time is none");
        let times = |time: u64| time as f64 / outcome.least as f64;
        let (median, slowest) = (times(middle(&outcome.times)), times(slowest));
        let within = median <= self.within.0 && slowest <= self.within.1;
        assert!(within, "{median:.2} and {slowest:.2} times the least time");
        let (takers, givers) = (middle(&outcome.takers), middle(&outcome.times));
        let later = takers as f64 / givers as f64;
        let enough = outcome.takers.is_empty() || later >= self.takers_later;
        assert!(enough, "takers come {later:.2} times as late as others");
    }

    fn outcome(&self, world: &World, digest: u64) -> Outcome {
        let times = |taker: bool| {
            let theirs = world.nodes.iter().filter(|node| {
                if taker {
                    node.manners == Manners::OnlyTakes
                } else {
                    node.is_client()
                }
            });
            let times = theirs.filter_map(|node| Some((node.fate.joined?, node.fate.done?)));
            let mut times: Vec<u64> = times
                .map(|(from, to)| to.since(from).as_millis() as u64)
                .collect();
            times.sort_unstable();
            times
        };
        let failed = world.nodes.iter().map(|node| node.fate.failed);
        Outcome {
            least: least(world, self.parted).as_millis() as u64,
            times: times(false),
            takers: times(true),
            failed: (failed.clone().sum(), failed.max().unwrap_or(0)),
            digest,
            events: world.events,
        }
    }
}

/// Prints what became of each client.
fn tell(world: &World) {
    for node in world.nodes.iter().filter(|node| node.is_client()) {
        let Link {
            up, down, natted, ..
        } = node.link;
        if let (Some(from), Some(to)) = (node.fate.joined, node.fate.done) {
            let (came, took) = (from.as_micros() / 1_000_000, to.since(from).as_secs_f64());
            let (number, up, down) = (node.number, up / KIB, down / KIB);
            println!(
                "client {number}: came at {came} s, {up} up, {down} down, NAT {natted}: {took:.1} s"
            );
        }
    }
}

/// The median of sorted times.
pub fn middle(sorted: &[u64]) -> u64 {
    sorted.get(sorted.len() / 2).copied().unwrap_or(0)
}
