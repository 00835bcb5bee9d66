//! What a poisoner among four seeds costs.

use std::collections::VecDeque;

use brooklet::base::geometry::{BLOCK, Block};
use brooklet::base::rng::Rng;
use brooklet::pieces::{Accepted, Who};

use crate::support::*;

const LIAR: Who = 4;
const CONTRIBUTORS: usize = 5;

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
}

/// A download from four seeds and a liar that all send a block a round, more or less.
struct Download {
    table: Table,
    rng: Rng,
    habit: Habit,
    /// What each peer was asked for.
    asked: Vec<VecDeque<Block>>,
    choked_until: usize,
    banned: bool,
    bad: usize,
}

impl Download {
    fn new((pieces, blocks): (u32, u32), habit: Habit, seed: u64) -> Download {
        let size = u64::from(pieces * blocks) * u64::from(BLOCK);
        let mut table = Table::new(size, blocks * BLOCK, false, seed);
        let everything = table.seed();
        (0..CONTRIBUTORS).for_each(|_| table.pieces.joined(&everything));
        Download {
            table,
            rng: Rng::from_seed(seed),
            habit,
            asked: vec![VecDeque::new(); CONTRIBUTORS],
            choked_until: 0,
            banned: false,
            bad: 0,
        }
    }

    /// Runs to the end; how many tries failed.
    fn run(&mut self, depth: usize) -> usize {
        let everything = self.table.seed();
        for round in 0..50_000 {
            for who in 0..CONTRIBUTORS {
                let away = who == LIAR && (self.banned || round < self.choked_until);
                if away || self.rng.below(5) == 0 {
                    continue;
                }
                let room = depth - self.asked[who].len().min(depth);
                let blocks = self.table.pick(who, &everything, room);
                self.asked[who].extend(blocks);
                self.deliver(who, round);
            }
            if self.table.pieces.is_complete() {
                assert!(self.table.disk == self.table.content);
                return self.bad;
            }
        }
        panic!("it is stuck");
    }

    fn deliver(&mut self, who: Who, round: usize) {
        let Some(block) = self.answer(who) else {
            return;
        };
        let trusted = self.table.pieces.done() * 3 > self.table.pieces.wanted();
        let lies = match self.habit {
            Habit::Always | Habit::BiteAndChoke | Habit::BiteAllAndChoke => true,
            Habit::OneInFifty => self.rng.below(50) == 0,
            Habit::OnceTrusted => trusted,
        };
        let data = match who == LIAR && lies {
            true => self.table.wrong(block),
            false => self.table.right(block),
        };
        let fresh = self.table.take(who, block, &data) == Accepted::Fresh;
        let mut others = Vec::new();
        self.table.pieces.also_asked(block, who, &mut others);
        for other in others {
            self.asked[other].retain(|&asked| asked != block);
        }
        let bites = match self.habit {
            Habit::BiteAndChoke => fresh,
            Habit::BiteAllAndChoke => self.asked[LIAR].iter().all(|block| block.begin > 0),
            _ => false,
        };
        if who == LIAR && bites {
            self.choked_until = round + 4;
            self.take_back();
        }
        self.judge();
    }

    /// The next block that a peer sends.
    fn answer(&mut self, who: Who) -> Option<Block> {
        let asked = &mut self.asked[who];
        let first = match who == LIAR && self.habit == Habit::BiteAllAndChoke {
            true => asked.iter().position(|block| block.begin == 0),
            false => None,
        };
        asked.remove(first.unwrap_or(0))
    }

    fn take_back(&mut self) {
        for block in self.asked[LIAR].drain(..) {
            self.table.pieces.release(LIAR, block);
        }
    }

    fn judge(&mut self) {
        for (_, ok, guilty) in self.table.verdicts() {
            self.bad += usize::from(!ok);
            assert!(guilty.iter().all(|&guilty| guilty == addr(LIAR)));
            if !guilty.is_empty() {
                self.take_back();
                self.table.pieces.forget(LIAR);
                self.banned = true;
            }
        }
    }
}

#[test]
fn a_poisoner_costs_at_most_one_bad_piece_for_each_contributor() {
    use Habit::{Always, BiteAllAndChoke, BiteAndChoke, OnceTrusted, OneInFifty};
    let shapes = [
        (20, 8, 4),
        (4, 32, 10),
        (40, 4, 10),
        (60, 2, 20),
        (60, 1, 5),
    ];
    for habit in [
        Always,
        OneInFifty,
        OnceTrusted,
        BiteAndChoke,
        BiteAllAndChoke,
    ] {
        for (pieces, blocks, depth) in shapes {
            let run = |seed| Download::new((pieces, blocks), habit, seed).run(depth);
            let bad = (0..3).map(run).max().unwrap_or(0);
            let what = format!("{habit:?}, {pieces} pieces of {blocks} blocks");
            assert!(bad <= CONTRIBUTORS, "{what}: {bad} bad pieces");
        }
    }
}
