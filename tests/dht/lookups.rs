//! How well lookups do in a world, as a line of a table.

use brooklet::base::{Duration, InfoHash, Time};
use brooklet::dht::{Event, Output};

use crate::world::{Kind, World};

/// A world to look things up in.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Its name in the table.
    pub name: &'static str,
    /// Nodes that join.
    pub nodes: usize,
    /// Of a hundred, those that are switched off before the lookups, all at one time.
    pub dead: usize,
    /// Those that nobody reaches unbidden.
    pub hidden: usize,
    /// Those that lie.
    pub liars: usize,
    /// How they lie.
    pub liar: Kind,
    /// Lookups.
    pub tries: usize,
}

/// What came of the lookups.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Of a hundred, those that found the peer.
    pub found: f64,
    /// Queries until then, in the median.
    pub queries: usize,
    /// Milliseconds until then: in the median, and what 19 of 20 do not exceed.
    pub millis: (u64, u64),
    /// Queries until the end of the lookup, in the median.
    pub all_queries: usize,
    /// Milliseconds until then.
    pub end_millis: u64,
}

/// Lookups at one time.
const BATCH: usize = 50;

impl Scenario {
    /// Builds the world and looks things up in it.
    pub fn run(&self, seed: u64) -> Outcome {
        let mut world = self.build(seed);
        let mut tries = Vec::new();
        while tries.len() < self.tries {
            let count = BATCH.min(self.tries - tries.len());
            tries.extend(look_up(&mut world, count));
        }
        let middle = |mut all: Vec<u64>, part: f64| {
            all.sort_unstable();
            let place = (all.len() as f64 * part) as usize;
            all.get(place).copied().unwrap_or(u64::MAX)
        };
        let found: Vec<(Duration, usize)> = tries.iter().filter_map(|it| it.found).collect();
        let millis = |part| {
            middle(
                found.iter().map(|it| it.0.as_millis() as u64).collect(),
                part,
            )
        };
        let ends = tries.iter().map(|it| it.ended.0.as_millis() as u64);
        Outcome {
            found: found.len() as f64 * 100.0 / tries.len() as f64,
            queries: middle(found.iter().map(|it| it.1 as u64).collect(), 0.5) as usize,
            millis: (millis(0.5), millis(0.95)),
            all_queries: middle(tries.iter().map(|it| it.ended.1 as u64).collect(), 0.5) as usize,
            end_millis: middle(ends.collect(), 0.5),
        }
    }

    /// The nodes join within five minutes, and have three more to get to know each other.
    pub fn build(&self, seed: u64) -> World {
        let mut world = World::new(seed);
        let gap = Duration::from_secs(300) / self.nodes as u32;
        for place in 0..self.nodes {
            let lies = place >= 3 && world.rng.below(100) < self.liars as u64;
            let hides = place >= 3 && world.rng.below(100) < self.hidden as u64;
            let kind = if lies { self.liar } else { Kind::Honest };
            world.join(kind, hides);
            world.run(gap);
        }
        world.run(Duration::from_secs(180));
        for place in 0..self.nodes {
            if world.rng.below(100) < self.dead as u64 {
                world.nodes[place].is_alive = false;
            }
        }
        world.run(Duration::from_secs(10));
        world
    }
}

/// One lookup.
struct Try {
    /// Time and queries until the peer was found, if it was.
    found: Option<(Duration, usize)>,
    /// The same until the end.
    ended: (Duration, usize),
}

/// So many nodes announce a torrent each, and as many others look for them.
fn look_up(world: &mut World, count: usize) -> Vec<Try> {
    let port = 7777;
    let mut pairs = Vec::new();
    let chosen = honest(world, 2 * count);
    for pair in chosen.chunks_exact(2) {
        let (from, to) = (pair[0], pair[1]);
        let mut hash = [0; 20];
        hash.iter_mut()
            .for_each(|byte| *byte = world.rng.below(256) as u8);
        world.want(from, InfoHash(hash), Some(port));
        pairs.push((from, to, InfoHash(hash)));
    }
    world.run(Duration::from_secs(20));
    let start = world.now;
    for &(from, to, hash) in &pairs {
        world.nodes[from].dht.unwant(hash);
        world.nodes[to].said.clear();
        world.nodes[to].dht.watch(true);
        world.want(to, hash, None);
        // Not all at once: a node that has several lookups shares its pace among them.
        world.run(Duration::from_millis(20));
    }
    world.run(Duration::from_secs(20));
    let tries = pairs.iter().enumerate().map(|(number, &(from, to, hash))| {
        let mut peer = world.nodes[from].addr;
        peer.set_port(port);
        let began = start + Duration::from_millis(20 * number as u64);
        judge(&world.nodes[to].said, hash, peer, began)
    });
    let tries = tries.collect();
    for &(_, to, hash) in &pairs {
        world.nodes[to].dht.unwant(hash);
        world.nodes[to].dht.watch(false);
        world.nodes[to].said.clear();
    }
    tries
}

fn judge(said: &[(Time, Output)], hash: InfoHash, peer: std::net::SocketAddr, began: Time) -> Try {
    let mut queries = 0;
    let (mut found, mut ended) = (None, None);
    for (at, output) in said {
        let span = at.since(began);
        match output {
            Output::Report(report) => {
                let is_ours = report.target == hash.into() && report.event == Event::Asked;
                queries += usize::from(is_ours && ended.is_none());
            }
            Output::Peers {
                info_hash, peers, ..
            } if *info_hash == hash && peers.contains(&peer) => {
                found = found.or(Some((span, queries)));
            }
            Output::Looked(summary) if summary.info_hash == hash => {
                ended = ended.or(Some((span, summary.queries)));
            }
            _ => {}
        }
    }
    Try {
        found,
        ended: ended.unwrap_or((Duration::from_secs(20), queries)),
    }
}

/// So many nodes that are alive and do not lie.
fn honest(world: &mut World, count: usize) -> Vec<usize> {
    let is_good = |place: &usize| {
        let node = &world.nodes[*place];
        node.is_alive && node.kind == Kind::Honest
    };
    let mut places: Vec<usize> = (0..world.nodes.len()).filter(is_good).collect();
    world.rng.shuffle(&mut places);
    places.truncate(count);
    places
}
