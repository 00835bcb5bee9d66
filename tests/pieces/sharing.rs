//! How many unverified pieces a peer may have a part in together with others, and what happens
//! beyond.

use brooklet::base::limits;
use brooklet::pieces::{Accepted, State};

use crate::support::*;

const MOST: usize = limits::SHARED_PARTS;

#[test]
fn a_peer_with_a_part_in_many_unverified_pieces_gets_no_more() {
    let mut table = Table::of(20, 4);
    let seed = table.seed();
    table.pieces.joined(&seed);
    let mut parts = Vec::new();
    for _ in 0..MOST {
        let piece = table.pick(1, &seed, 2)[0].piece;
        table.send(1, piece, 0);
        table.pieces.release(1, table.block(piece, 1));
        table.pick(2, &seed, 3);
        parts.push(piece);
    }
    table.pieces.take_more_to_ask();
    assert_eq!(
        table.pick(1, &seed, 9),
        [],
        "it left what it began four times"
    );
    let piece = parts[2];
    for number in 1..4 {
        table.send(2, piece, number);
    }
    assert_eq!(table.verdicts(), [(piece, true, vec![])]);
    assert!(table.pieces.take_more_to_ask());
    assert!(!parts.contains(&table.pick(1, &seed, 1)[0].piece));
}

/// Peer 1 owns two pieces more than it may share, has sent the first block of each, and is asked
/// for the others.
fn many_begun() -> (Table, Vec<u32>) {
    let mut table = Table::of(20, 4);
    let seed = table.seed();
    let blocks = table.pick(1, &seed, (MOST + 2) * 4);
    let pieces: Vec<u32> = blocks.iter().step_by(4).map(|b| b.piece).collect();
    for &piece in &pieces {
        table.send(1, piece, 0);
    }
    (table, pieces)
}

#[test]
fn what_a_peer_leaves_beyond_its_share_is_dropped() {
    let (mut table, pieces) = many_begun();
    for block in (1..4).flat_map(|n| pieces.iter().map(move |&piece| (piece, n))) {
        table.pieces.release(1, table.block(block.0, block.1));
        table.pieces.assert_invariants();
    }
    let state = |&piece: &u32| table.pieces.state(piece);
    let (kept, dropped) = pieces.split_at(MOST);
    assert!(kept.iter().all(|piece| state(piece) == State::Partial));
    assert!(dropped.iter().all(|piece| state(piece) == State::Missing));
}

#[test]
fn what_it_sends_beyond_its_share_is_refused() {
    let (mut table, pieces) = many_begun();
    for &piece in &pieces {
        table.pieces.late(1, table.block(piece, 1));
    }
    assert_eq!(
        table.send(1, pieces[0], 1),
        Accepted::Fresh,
        "it has a part in this"
    );
    assert_eq!(table.send(1, pieces[MOST], 1), Accepted::Unwanted);
    let only = table.having([pieces[MOST]]);
    let anew = table.picked(2, &only, 9);
    assert_eq!(anew, numbers(pieces[MOST], 0..2), "2 and 3 are not late");
}

#[test]
fn the_end_game_keeps_to_it() {
    let mut table = Table::of(MOST as u32 + 2, 4);
    let seed = table.seed();
    table.pieces.joined(&seed);
    assert_eq!(table.pick(1, &seed, 99).len(), (MOST + 2) * 4);
    let mut pieces: Vec<u32> = table.pick(2, &seed, 99).iter().map(|b| b.piece).collect();
    assert_eq!(pieces.len(), MOST * 4);
    pieces.sort_unstable();
    pieces.dedup();
    assert_eq!(pieces.len(), MOST);
    // A piece of one block is one peer's in any case.
    let mut table = Table::of(30, 1);
    let seed = table.seed();
    table.pieces.joined(&seed);
    assert_eq!(table.pick(1, &seed, 99).len(), 30);
    assert_eq!(table.pick(2, &seed, 99).len(), 30);
}

#[test]
fn others_keep_away_from_the_pieces_of_a_peer_that_shares_enough() {
    let mut table = Table::of(MOST as u32 + 1, 4);
    let seed = table.seed();
    table.pieces.joined(&seed);
    let own = table.pick(1, &seed, 4)[0].piece;
    let others = table.pick(2, &seed, MOST * 4);
    assert_eq!(table.pick(1, &seed, 99).len(), others.len(), "the end game");
    assert_eq!(table.pick(3, &seed, 99), [], "the rest is asked of two");
    let verified = others[0].piece;
    for number in 0..4 {
        table.send(2, verified, number);
    }
    assert_eq!(table.verdicts(), [(verified, true, vec![])]);
    assert!(table.pieces.take_more_to_ask());
    assert_eq!(table.picked(3, &seed, 99), numbers(own, 0..4));
}

#[test]
fn others_go_on_with_what_its_owner_does_not() {
    let (mut table, pieces) = many_begun();
    let rest = |table: &mut Table, piece, count| {
        let only = table.having([piece]);
        table.picked(2, &only, count)
    };
    // It shares as many as it may.
    for &piece in &pieces[..MOST] {
        table.pieces.late(1, table.block(piece, 1));
    }
    let own = pieces[MOST];
    table.pieces.release(1, table.block(own, 3));
    assert_eq!(rest(&mut table, own, 9), [], "it is at work");
    table.send(1, own, 1);
    table.send(1, own, 2);
    assert_eq!(rest(&mut table, own, 9), numbers(own, 3..4));
}
