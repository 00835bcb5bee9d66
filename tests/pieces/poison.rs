//! What a poisoner among four seeds costs.

use std::collections::VecDeque;

use brooklet::base::geometry::{BLOCK, Block};
use brooklet::base::rng::Rng;
use brooklet::pieces::{Accepted, Who};

use crate::support::*;

const LIAR: Who = 4;

#[derive(Clone, Copy, Debug)]
enum Habit {
    /// Every block is wrong.
    Always,
    /// One block in fifty is.
    OneInFifty,
    /// Right until so much of the content is there, then always wrong.
    OnceTrusted,
    /// Sends one wrong block, then chokes for a while.
    BiteAndChoke,
}

/// Runs a download from four seeds and a liar that all send a block a round, more or less. Returns the tries that failed.
fn bad_pieces(pieces: u32, blocks: u32, depth: usize, habit: Habit, seed: u64) -> usize {
    let mut table = Table::new(
        u64::from(pieces * blocks) * u64::from(BLOCK),
        blocks * BLOCK,
        false,
        seed,
    );
    let mut rng = Rng::from_seed(seed);
    let everything = table.seed();
    let mut queues: Vec<VecDeque<Block>> = vec![VecDeque::new(); 5];
    let (mut banned, mut choked_until, mut bad) = (false, 0, 0);
    (0..5).for_each(|_| table.pieces.joined(&everything));
    for round in 0..50_000 {
        if table.pieces.is_complete() {
            assert!(table.disk == table.content);
            return bad;
        }
        for who in 0..5 {
            let away = who == LIAR && (banned || round < choked_until);
            if away || rng.below(5) == 0 {
                continue;
            }
            let room = depth - queues[who].len().min(depth);
            let mut blocks = Vec::new();
            table.pieces.pick(plan(who, &everything, room), &mut blocks);
            queues[who].extend(blocks);
            let Some(block) = queues[who].pop_front() else {
                continue;
            };
            let done = table.pieces.done() * 3 > table.pieces.wanted();
            let lie = who == LIAR
                && match habit {
                    Habit::Always | Habit::BiteAndChoke => true,
                    Habit::OneInFifty => rng.below(50) == 0,
                    Habit::OnceTrusted => done,
                };
            let data = if lie {
                table.wrong(block)
            } else {
                table.right(block)
            };
            let fresh = table.take(who, block, &data) == Accepted::Fresh;
            let mut others = Vec::new();
            table.pieces.also_asked(block, who, &mut others);
            for other in others {
                queues[other].retain(|&queued| queued != block);
            }
            let mut gone = false;
            for (_, ok, guilty) in table.verdicts() {
                bad += usize::from(!ok);
                assert!(guilty.iter().all(|&guilty| guilty == addr(LIAR)));
                gone |= !guilty.is_empty();
            }
            let chokes = fresh && lie && matches!(habit, Habit::BiteAndChoke);
            if gone || chokes {
                for block in queues[LIAR].drain(..) {
                    table.pieces.release(LIAR, block);
                }
            }
            if chokes {
                choked_until = round + 3;
            }
            if gone {
                banned = true;
                table.pieces.forget(LIAR);
            }
        }
    }
    panic!("it is stuck");
}

#[test]
fn a_poisoner_costs_at_most_one_bad_piece_for_each_contributor() {
    use Habit::{Always, BiteAndChoke, OnceTrusted, OneInFifty};
    let shapes = [
        (20, 8, 4),
        (4, 32, 10),
        (40, 4, 10),
        (60, 2, 20),
        (60, 1, 5),
    ];
    for habit in [Always, OneInFifty, OnceTrusted, BiteAndChoke] {
        for (pieces, blocks, depth) in shapes {
            let worst = (0..3).map(|seed| bad_pieces(pieces, blocks, depth, habit, seed));
            let worst = worst.max().unwrap_or(0);
            let what = format!("{habit:?}, {pieces} pieces of {blocks} blocks");
            assert!(worst <= 5, "{what}: {worst} bad pieces");
        }
    }
}
