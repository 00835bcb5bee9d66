//! An hour in which peers and torrents come and go: what the process holds does not grow. It is
//! counted by what the session prints of itself, a line for each number of each entry of each
//! collection, so that nothing can be forgotten here.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use brooklet::base::{Duration, Rng, Time};
use brooklet::session::{Change, Command, Session, command};

use crate::world::disk::Source;
use crate::world::manners::Manners;
use crate::world::node::{Link, Role};
use crate::world::queue::{Act, Event};
use crate::world::world::World;

const KIB: u64 = 1024;
const TORRENTS: usize = 50;
const ACTIVE: usize = 5;
const CONNECTIONS: usize = 200;
const HOUR: u64 = 3600;
/// Minutes that are compared: those after the first ones with the last ones.
const EARLY: std::ops::Range<usize> = 5..15;
const LATE: std::ops::Range<usize> = 50..60;
/// Levels of what is printed that are told apart.
const LEVELS: usize = 4;

/// Parts that are not counted: the bytes of a message that has come in part, of which there are as
/// many as chance will have it; and the hosts that are remembered to be impatient, up to
/// `limits::IMPATIENT_HOSTS`.
const LEFT_OUT: [&str; 2] = ["slots.machine.peer.cut", "impatient"];

fn second(number: u64) -> Time {
    Time::from_micros(number * 1_000_000)
}

/// Lines that each part of a session prints, by the names of its fields.
fn census(session: &Session) -> BTreeMap<String, usize> {
    let (mut lines, mut path) = (BTreeMap::new(), Vec::new());
    for line in format!("{session:#?}").lines() {
        let text = line.trim_start();
        let level = (line.len() - text.len()) / 4;
        // Keys of maps and places in lists are no names.
        let name = text.split(':').next().unwrap_or_default();
        let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
        let name = if name.chars().all(is_name) { name } else { "" };
        path.truncate(level);
        path.push(name.to_string());
        let names = path.iter().filter(|name| !name.is_empty()).take(LEVELS);
        let path: Vec<&str> = names.map(String::as_str).collect();
        let path = path.join(".");
        if !LEFT_OUT.iter().any(|part| path.starts_with(part)) {
            *lines.entry(path).or_default() += 1;
        }
    }
    lines
}

/// The node that is looked at, and what happens to it.
struct Hub {
    world: World,
    source: Rc<Source>,
    rng: Rng,
    /// Its torrents: key and number.
    torrents: Vec<(usize, u32)>,
    /// How many there ever were.
    count: u32,
}

impl Hub {
    fn new(seed: u64) -> Hub {
        let source = Source::new(128 << 10, 16 << 10);
        let mut world = World::new(&source, seed);
        let rng = Rng::from_seed(seed);
        let link = Link {
            up: 128 * KIB,
            down: 128 * KIB,
            latency: Duration::from_millis(10),
            natted: false,
            side: true,
        };
        let role = Role::Client(None);
        let hub = world.add(role, Manners::Honest, link, second(0));
        let node = &mut world.nodes[hub];
        // A session without torrents would be over.
        node.takes(1, &source);
        node.max_peers = CONNECTIONS;
        node.active = Some(ACTIVE);
        node.limits = (Some(16 * KIB), Some(32 * KIB));
        world.run_until(second(1));
        let (torrents, count) = (vec![(0, 0), (1, 1)], 2);
        Hub {
            world,
            source,
            rng,
            torrents,
            count,
        }
    }

    fn session(&self) -> &Session {
        self.world.nodes[0].session.as_ref().expect("it runs")
    }

    fn performs(&mut self, command: Command) {
        let now = self.world.now;
        let session = self.world.nodes[0].session.as_mut().expect("it runs");
        command::perform(session, command, now).expect("there is such a torrent");
        self.world.wake(0, now);
    }

    /// Another torrent: of three, two are to be downloaded.
    fn adds(&mut self) {
        let (number, now) = (self.count, self.world.now);
        let full = number % 3 == 0;
        let key = self.world.nodes[0].adds(number, full, &self.source, now);
        self.torrents.push((key, number));
        self.count += 1;
        self.world.wake(0, now);
    }

    fn removes_the_oldest(&mut self) {
        let (torrent, _) = self.torrents.remove(0);
        let data = false;
        self.performs(Command::Remove { torrent, data });
    }

    fn any(&mut self) -> (usize, u32) {
        let place = self.rng.below(self.torrents.len() as u64) as usize;
        self.torrents[place]
    }

    /// A new peer of some of the torrents that there are now, from an address of its own. It goes
    /// after some minutes, in order or not.
    fn meets_another(&mut self) {
        let now = self.world.now;
        let link = Link {
            up: (1 + self.rng.below(4)) * KIB,
            down: 64 * KIB,
            latency: Duration::from_millis(5 + self.rng.below(40)),
            natted: self.rng.below(3) == 0,
            side: true,
        };
        let role = match self.rng.below(3) {
            0 => Role::Seed,
            _ => Role::Client(None),
        };
        let node = self.world.add(role, Manners::Honest, link, now);
        let mut numbers: Vec<u32> = (0..4).map(|_| self.any().1).collect();
        numbers.sort_unstable();
        numbers.dedup();
        self.world.nodes[node].shares.clear();
        for number in numbers {
            self.world.nodes[node].takes(number, &self.source);
        }
        let stay = Duration::from_secs(60 + self.rng.below(180));
        let goes = match self.rng.below(2) {
            0 => Act::Leave(node),
            _ => Act::Crash(node),
        };
        self.world.queue.push(now + stay, Event::Script(goes));
    }

    /// What happens in this second.
    fn changes(&mut self, number: u64) {
        self.meets_another();
        if number % 5 == 0 {
            if self.torrents.len() >= TORRENTS {
                self.removes_the_oldest();
            }
            self.adds();
        }
        if number % 7 == 0 {
            let (torrent, _) = self.any();
            self.performs(Command::Pause(torrent));
        }
        if number % 7 == 3 {
            for (torrent, _) in self.torrents.clone() {
                self.performs(Command::Resume(torrent));
            }
        }
        if number % 11 == 0 {
            let (torrent, _) = self.any();
            let rate = Some(self.rng.below(2)).filter(|&rate| rate > 0);
            let limits = Change {
                down: Some(rate.map(|rate| rate * 8 * KIB)),
                up: Some(rate.map(|rate| rate * 8 * KIB)),
            };
            let torrent = Some(torrent);
            self.performs(Command::Limit { torrent, limits });
        }
    }
}

#[test]
fn an_hour_of_churn_leaves_nothing_behind() {
    let seed = 1;
    let mut hub = Hub::new(seed);
    (2..TORRENTS).for_each(|_| hub.adds());
    let mut counted: Vec<BTreeMap<String, usize>> = Vec::new();
    let mut connections = 0;
    for number in 2..=HOUR + 1 {
        hub.world.run_until(second(number));
        if number % 60 == 0 {
            connections += hub.session().connections();
            counted.push(census(hub.session()));
        }
        hub.changes(number);
    }
    let mean = connections / counted.len();
    println!("{mean} connections, {} events", hub.world.events);
    assert!(
        mean >= CONNECTIONS * 3 / 4,
        "{mean} connections are no crowd"
    );
    assert!(hub.count > 700, "{} torrents", hub.count);
    let most = |path: &str, minutes: std::ops::Range<usize>| {
        let counts = counted[minutes].iter();
        counts
            .map(|census| census.get(path).copied().unwrap_or(0))
            .max()
            .unwrap_or(0)
    };
    let mut grown = BTreeSet::new();
    for path in counted[LATE.start..].iter().flat_map(BTreeMap::keys) {
        let (early, late) = (most(path, EARLY), most(path, LATE));
        if late > early + early / 4 + 100 {
            grown.insert(format!("{path}: {early} lines, then {late}"));
        }
    }
    assert!(grown.is_empty(), "seed {seed}: it has grown: {grown:#?}");
    let sum = |census: &BTreeMap<String, usize>| census.values().sum::<usize>();
    let mean = |minutes: std::ops::Range<usize>| -> usize {
        let sums = counted[minutes.clone()].iter().map(sum);
        sums.sum::<usize>() / minutes.len()
    };
    let (early, late) = (mean(EARLY), mean(LATE));
    println!("{early} lines, then {late}");
    assert!(
        late <= early + early / 20,
        "seed {seed}: {early}, then {late}"
    );
}
