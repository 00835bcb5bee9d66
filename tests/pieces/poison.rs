//! What poisoners cost, and that nobody else is banned: whole downloads from four seeds and some
//! liars, with liars of every kind.
//!
//! The bound, as `pieces/suspects.rs` states it: tries that fail are `SHARED_PARTS + 1` for each
//! poisoner at most. Those of a piece that had failed among several before are counted apart: each
//! takes `SOLO_RESTARTS` tries of one peer alone that came to nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

use brooklet::base::{BLOCK, Block, Host, PeerKey, Rng, limits};
use brooklet::pieces::{Accepted, Taker};

use crate::support::*;

const SEEDS: usize = 4;
/// What one poisoner may cost: with four seeds, one bad piece for each contributor.
const EACH: usize = limits::SHARED_PARTS + 1;

#[derive(Clone, Copy, PartialEq, Debug)]
enum Habit {
    /// Every block is wrong.
    Always,
    /// One block in fifty is.
    OneInFifty,
    /// Right until a third of the content is there, then always wrong.
    OnceTrusted,
    /// Sends one wrong block, then chokes for a while.
    BiteAndChoke,
    /// Sends a wrong first block of each piece that it was asked for, then chokes for a while.
    BiteAllAndChoke,
    /// Every other block is wrong, and each with this habit sends the same bytes for it.
    Alike,
    /// Wrong only where another poisoner sent a wrong block before.
    Follows,
    /// Sends a wrong block, hangs up and comes back at once, from another port.
    Reconnects,
    /// The same, and right when it sends a piece from its first block on, as one who repeats it.
    ReconnectsInTheMiddle,
    /// Right but for the last block of a piece that another has begun.
    SpoilsOthers,
}

use Habit::*;

const ALONE: [Habit; 9] = [
    Always,
    OneInFifty,
    OnceTrusted,
    BiteAndChoke,
    BiteAllAndChoke,
    Alike,
    Reconnects,
    ReconnectsInTheMiddle,
    SpoilsOthers,
];

struct Party {
    addr: SocketAddr,
    /// None: it tells the truth.
    habit: Option<Habit>,
    /// What it was asked for.
    asked: VecDeque<Block>,
    choked_until: usize,
}

/// A download from four seeds and some liars that all send a block a round, more or less.
struct Download {
    table: Table,
    rng: Rng,
    parties: BTreeMap<PeerKey, Party>,
    next: PeerKey,
    poisoned: BTreeSet<(u32, u32)>,
    banned: BTreeSet<Host>,
    /// Pieces that failed among several.
    shared: BTreeSet<u32>,
    cost: Cost,
}

/// Tries that failed.
#[derive(Clone, Copy, Default, PartialEq, Debug)]
struct Cost {
    bad: usize,
    /// Of a piece that had failed among several before, among several.
    again: usize,
}

impl Download {
    fn new((pieces, blocks): (u32, u32), habits: &[Habit], seed: u64) -> Download {
        let size = u64::from(pieces * blocks) * u64::from(BLOCK);
        let mut download = Download {
            table: Table::new(size, blocks * BLOCK, false, seed),
            rng: Rng::from_seed(seed),
            parties: BTreeMap::new(),
            next: 0,
            poisoned: BTreeSet::new(),
            banned: BTreeSet::new(),
            shared: BTreeSet::new(),
            cost: Cost::default(),
        };
        let everybody = [None; SEEDS].into_iter();
        for habit in everybody.chain(habits.iter().copied().map(Some)) {
            download.join(addr(download.next), habit);
        }
        download
    }

    fn join(&mut self, addr: SocketAddr, habit: Option<Habit>) {
        let party = Party {
            addr,
            habit,
            asked: VecDeque::new(),
            choked_until: 0,
        };
        self.table.pieces.joined(&self.table.seed());
        self.parties.insert(self.next, party);
        self.next += 1;
    }

    fn leave(&mut self, key: PeerKey) {
        self.take_back(key);
        self.table.pieces.forget(key);
        self.table.pieces.left_swarm(&self.table.seed());
        self.parties.remove(&key);
    }

    /// Runs to the end; what it cost.
    fn run(mut self, depth: usize) -> Cost {
        let everything = self.table.seed();
        for round in 0..50_000 {
            let all: Vec<PeerKey> = self.parties.keys().copied().collect();
            for key in all {
                let here = self.parties.get(&key);
                let Some(party) = here.filter(|party| round >= party.choked_until) else {
                    continue;
                };
                if self.rng.below(5) == 0 {
                    continue;
                }
                let taker = Taker {
                    addr: party.addr,
                    ..taker(key, &everything, depth.saturating_sub(party.asked.len()))
                };
                let blocks = self.table.pick_by(taker);
                if let Some(party) = self.parties.get_mut(&key) {
                    party.asked.extend(blocks);
                }
                self.deliver(key, round);
            }
            if self.table.pieces.is_complete() {
                assert!(self.table.disk == self.table.content);
                return self.cost;
            }
        }
        panic!("it is stuck");
    }

    fn deliver(&mut self, key: PeerKey, round: usize) {
        let Some(block) = self.answer(key) else {
            return;
        };
        let party = &self.parties[&key];
        let (from, habit) = (party.addr, party.habit);
        let lies = habit.is_some_and(|habit| self.lies(habit, block));
        let data = if !lies {
            self.table.right(block)
        } else if habit == Some(Alike) {
            vec![0; block.len as usize]
        } else {
            self.wrong(block)
        };
        if lies {
            self.poisoned.insert((block.piece, block.begin));
        }
        let fresh = self.table.take_from(from, key, block, &data) == Accepted::Fresh;
        let mut others = Vec::new();
        self.table.pieces.also_asked(block, key, &mut others);
        for other in others {
            if let Some(other) = self.parties.get_mut(&other) {
                other.asked.retain(|&asked| asked != block);
            }
        }
        self.judge();
        let Some(party) = self.parties.get_mut(&key) else {
            return;
        };
        let bites = match habit {
            Some(BiteAndChoke) => fresh,
            Some(BiteAllAndChoke) => party.asked.iter().all(|block| block.begin > 0),
            _ => false,
        };
        if bites {
            party.choked_until = round + 4;
            self.take_back(key);
        } else if lies && matches!(habit, Some(Reconnects | ReconnectsInTheMiddle)) {
            self.leave(key);
            self.join(SocketAddr::new(from.ip(), from.port() + 1), habit);
        }
    }

    /// Whether this block is to be wrong.
    fn lies(&mut self, habit: Habit, block: Block) -> bool {
        let pieces = &self.table.pieces;
        let last = block.begin + block.len == self.table.geometry.piece_size(block.piece);
        match habit {
            Always | BiteAndChoke | BiteAllAndChoke | Reconnects => true,
            OneInFifty => self.rng.below(50) == 0,
            OnceTrusted => pieces.done() * 3 > pieces.wanted(),
            Alike => block.begin / BLOCK % 2 == 0,
            Follows => self.poisoned.contains(&(block.piece, block.begin)),
            ReconnectsInTheMiddle => block.begin > 0,
            SpoilsOthers => last && block.begin > 0,
        }
    }

    /// Two seldom send the same wrong bytes.
    fn wrong(&mut self, block: Block) -> Vec<u8> {
        let mut data = self.table.right(block);
        data[self.rng.below(u64::from(block.len)) as usize] ^= 1 + self.rng.below(255) as u8;
        data
    }

    /// The next block that a peer sends.
    fn answer(&mut self, key: PeerKey) -> Option<Block> {
        let party = self.parties.get_mut(&key)?;
        let first = match party.habit {
            Some(BiteAllAndChoke) => party.asked.iter().position(|block| block.begin == 0),
            _ => None,
        };
        party.asked.remove(first.unwrap_or(0))
    }

    fn take_back(&mut self, key: PeerKey) {
        let asked = self.parties.get_mut(&key).map(|party| &mut party.asked);
        for block in asked.map(std::mem::take).into_iter().flatten() {
            self.table.pieces.release(key, block);
        }
    }

    fn judge(&mut self) {
        for (piece, ok, guilty) in self.table.verdicts() {
            if !ok {
                self.cost.bad += 1;
                let among_several = guilty.is_empty();
                self.cost.again += usize::from(among_several && !self.shared.insert(piece));
            }
            for addr in guilty {
                let host = Host::of(addr);
                let theirs = |(_, party): &(&PeerKey, &Party)| Host::of(party.addr) == host;
                let theirs: Vec<PeerKey> = self
                    .parties
                    .iter()
                    .filter(theirs)
                    .map(|(&key, _)| key)
                    .collect();
                for key in theirs {
                    assert!(self.parties[&key].habit.is_some(), "{addr} is innocent");
                    self.leave(key);
                }
                self.banned.insert(host);
            }
        }
    }
}

/// Pieces, blocks of each, and how many are asked of a peer at a time.
const SHAPES: [((u32, u32), usize); 5] = [
    ((20, 8), 4),
    ((4, 32), 10),
    ((40, 4), 10),
    ((60, 2), 20),
    ((60, 1), 5),
];

/// The most that a habit, or several, cost in any of so many runs of each shape.
fn worst(habits: &[Habit], runs: u64) -> Cost {
    let mut worst = Cost::default();
    for (shape, depth) in SHAPES {
        for seed in 0..runs {
            // A failure names what replays it.
            println!("{habits:?}, {shape:?}, seed {seed}");
            let cost = Download::new(shape, habits, seed).run(depth);
            let first = cost.bad - cost.again;
            assert!(first <= EACH * habits.len(), "{cost:?}");
            worst.bad = worst.bad.max(cost.bad);
            worst.again = worst.again.max(cost.again);
        }
    }
    worst
}

#[test]
fn a_poisoner_costs_at_most_one_bad_piece_for_each_contributor() {
    for habit in ALONE {
        let cost = worst(&[habit], 4);
        println!("{habit:?}: {cost:?}");
        assert!(cost.bad <= EACH, "{habit:?}: {cost:?}");
    }
}

#[test]
fn several_poisoners_cost_so_much_each_whatever_they_agree_on() {
    let parties: [&[Habit]; 8] = [
        &[Alike; 2],
        &[Alike; 6],
        &[Always, Follows],
        &[OneInFifty, Follows, Follows],
        &[BiteAndChoke; 4],
        &[BiteAllAndChoke, BiteAllAndChoke, Follows],
        &[Reconnects, ReconnectsInTheMiddle, Reconnects],
        &ALONE,
    ];
    for habits in parties {
        let cost = worst(habits, 2);
        println!("{habits:?}: {cost:?}");
    }
}
