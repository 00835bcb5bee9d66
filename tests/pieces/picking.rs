//! Which block is asked of which peer.

use brooklet::base::{BLOCK, PeerKey, limits};
use brooklet::pieces::{Accepted, State, Taker};

use crate::support::*;

#[test]
fn the_first_pieces_are_random_and_then_the_rarest() {
    let mut firsts = Vec::new();
    for seed in 0..10 {
        let mut table = Table::new(u64::from(40 * BLOCK), BLOCK, false, seed);
        let have = table.seed();
        table.pieces.joined(&have);
        let common = table.having((0..40).filter(|&piece| piece != 17));
        table.pieces.joined(&common);
        table.pieces.joined(&common);
        for _ in 0..limits::RANDOM_FIRST {
            let block = table.pick(1, &have, 1)[0];
            firsts.push(block.piece);
            table.send(1, block.piece, 0);
            table.verdicts();
        }
        if table.pieces.needs(17) {
            assert_eq!(table.picked(1, &have, 1), [(17, 0)]);
        }
        let other = table.pick(1, &have, 1)[0].piece;
        firsts.push(other);
    }
    firsts.sort_unstable();
    firsts.dedup();
    assert!(firsts.len() > 15, "{firsts:?}");
}

#[test]
fn the_rarest_that_a_peer_has_is_taken() {
    let mut table = Table::of(20, 1);
    table.past_random();
    let all = table.having(4..20);
    table.pieces.joined(&all);
    let some = table.having((4..20).filter(|&piece| piece != 11));
    table.pieces.joined(&some);
    let few = table.having((4..20).filter(|&piece| piece != 11 && piece != 6));
    table.pieces.joined(&few);
    assert_eq!(table.pieces.availability(6), 2);
    assert_eq!(table.picked(1, &some, 1), [(6, 0)]);
    assert_eq!(table.picked(2, &all, 1), [(11, 0)]);
    table.pieces.on_have(19);
    let last = table.pick(3, &all, 13);
    assert!(last.iter().all(|block| block.piece != 19));
    assert_eq!(table.picked(3, &all, 1), [(19, 0)]);
}

#[test]
fn in_sequence_the_lowest_comes_first() {
    let mut table = Table::new(u64::from(6 * 2 * BLOCK), 2 * BLOCK, true, 1);
    let seed = table.seed();
    assert_eq!(table.picked(1, &seed, 3), [(0, 0), (0, 1), (1, 0)]);
    assert_eq!(table.picked(2, &seed, 2), [(2, 0), (2, 1)]);
    let late = table.having([4, 5]);
    assert_eq!(table.picked(3, &late, 1), [(4, 0)]);
    let begun = table.having([1, 4]);
    assert_eq!(
        table.picked(4, &begun, 1),
        [(1, 1)],
        "the lowest to help with"
    );
    table.pieces.release(4, table.block(1, 1));
    let block = table.block(2, 0);
    table.pieces.release(2, block);
    let block = table.block(2, 1);
    table.pieces.release(2, block);
    assert_eq!(table.pieces.state(2), State::Missing);
    assert_eq!(table.picked(1, &seed, 2), [(1, 1), (2, 0)]);
}

#[test]
fn a_peer_is_given_whole_pieces_in_order() {
    let mut table = Table::of(8, 8);
    let seed = table.seed();
    let first = table.picked(1, &seed, 3);
    let piece = first[0].0;
    assert_eq!(first, numbers(piece, 0..3));
    let other = table.picked(2, &seed, 3);
    assert_ne!(other[0].0, piece, "a peer begins a piece of its own");
    assert_eq!(table.picked(1, &seed, 5), numbers(piece, 3..8));
    assert_ne!(table.pick(1, &seed, 1)[0].piece, piece);
}

#[test]
fn a_begun_piece_without_owner_comes_before_a_new_piece() {
    let mut table = Table::of(8, 8);
    let seed = table.seed();
    let piece = table.pick(1, &seed, 4)[0].piece;
    table.send(1, piece, 0);
    for number in 1..4 {
        let block = table.block(piece, number);
        table.pieces.release(1, block);
    }
    table.pieces.forget(1);
    assert_eq!(table.pieces.state(piece), State::Partial);
    assert_eq!(table.picked(2, &seed, 7), numbers(piece, 1..8));
}

#[test]
fn a_peer_that_rejects_one_block_keeps_its_piece() {
    let mut table = Table::of(8, 8);
    let seed = table.seed();
    let piece = table.pick(1, &seed, 4)[0].piece;
    table.pieces.release(1, table.block(piece, 1));
    assert_ne!(table.pick(2, &seed, 1)[0].piece, piece);
    assert_eq!(table.picked(1, &seed, 2), numbers(piece, [1, 4]));
}

#[test]
fn no_more_pieces_are_begun_than_one_and_a_half_for_each_peer() {
    let mut table = Table::of(40, 20);
    let seed = table.seed();
    let most = ACTIVE * 3 / 2 + 1;
    let begun: Vec<u32> = (0..most)
        .map(|key| table.pick(key, &seed, key + 1)[0].piece)
        .collect();
    assert_eq!(table.pieces.partial_count(), most);
    // The first owner has asked for least of its piece: most is left of it.
    assert_eq!(table.picked(50, &seed, 2), numbers(begun[0], 1..3));
    // A helper stays with the piece that it helps with.
    assert_eq!(table.picked(50, &seed, 2), numbers(begun[0], 3..5));
    assert_eq!(table.pieces.partial_count(), most);
    // Whom all this is of no use to begins another all the same.
    let unlike = (0..40).find(|piece| !begun.contains(piece));
    let other = table.having(unlike);
    assert_eq!(
        table.pick(51, &other, 1)[0].piece,
        unlike.expect("one is left")
    );
}

#[test]
fn small_pieces_limit_no_pipeline() {
    let mut table = Table::of(2_500, 1);
    let seed = table.seed();
    for key in 0..4 {
        assert_eq!(table.pick(key, &seed, 500).len(), 500);
    }
    assert_eq!(table.pieces.partial_count(), 2_000);
}

#[test]
fn partial_pieces_are_bounded() {
    let mut table = Table::of(limits::PARTIAL_PIECES as u32 + 100, 1);
    let seed = table.seed();
    let blocks = table.pick(1, &seed, limits::PARTIAL_PIECES + 50);
    assert_eq!(blocks.len(), limits::PARTIAL_PIECES);
    table.pieces.take_more_to_ask();
    table.send(1, blocks[0].piece, 0);
    assert!(table.pieces.take_more_to_ask(), "there is room for another");
    assert_eq!(table.pick(1, &seed, 50).len(), 1);
}

#[test]
fn in_the_end_game_a_block_is_asked_of_two() {
    let mut table = Table::of(2, 2);
    let (seed, half) = (table.seed(), table.having([0]));
    table.pieces.joined(&seed);
    assert_eq!(table.pick(1, &half, 9).len(), 2);
    assert_eq!(table.pick(2, &half, 9), [], "piece 1 is not asked for yet");
    table.pieces.take_more_to_ask();
    assert_eq!(table.picked(1, &seed, 9), [(1, 0), (1, 1)]);
    assert!(table.pieces.take_more_to_ask(), "the end game begins");
    let mut twice = table.picked(2, &seed, 9);
    twice.sort_unstable();
    assert_eq!(twice, [(0, 0), (0, 1), (1, 0), (1, 1)]);
    assert_eq!(table.pick(3, &seed, 9), [], "two are enough");
    assert_eq!(table.pick(1, &seed, 9), [], "never twice of the same peer");
    let block = table.block(0, 0);
    assert_eq!(table.send(2, 0, 0), Accepted::Fresh);
    let mut others = Vec::new();
    table.pieces.also_asked(block, 2, &mut others);
    assert_eq!(others, [1]);
    assert_eq!(table.send(1, 0, 0), Accepted::Unwanted);
    others.clear();
    table.pieces.also_asked(block, 1, &mut others);
    assert_eq!(others, [] as [PeerKey; 0]);
    assert_eq!(table.pieces.requests().count(), 6);
}

#[test]
fn the_end_game_is_news_however_often_it_begins() {
    let mut table = Table::of(3, 1);
    let (seed, two) = (table.seed(), table.having([0, 1]));
    table.pieces.joined(&two);
    assert_eq!(table.pick(1, &two, 9).len(), 2);
    assert!(
        table.pieces.take_more_to_ask(),
        "nobody has the third piece"
    );
    table.pieces.joined(&seed);
    assert_eq!(table.pick(3, &two, 9), [], "now somebody has it");
    assert!(!table.pieces.take_more_to_ask());
    assert_eq!(table.picked(2, &seed, 1), [(2, 0)]);
    assert!(table.pieces.take_more_to_ask());
    assert_eq!(table.pick(3, &two, 9).len(), 2);
}

#[test]
fn the_very_last_block_is_asked_of_three() {
    let mut table = Table::of(1, 2);
    let seed = table.seed();
    table.pieces.joined(&seed);
    for key in 1..4 {
        table.pick(key, &seed, 9);
    }
    table.pieces.take_more_to_ask();
    table.send(1, 0, 0);
    assert!(table.pieces.take_more_to_ask());
    assert_eq!(table.picked(3, &seed, 9), [(0, 1)]);
    assert_eq!(table.pick(4, &seed, 9), []);
    table.send(3, 0, 1);
    assert_eq!(table.verdicts(), [(0, true, vec![])]);
    assert!(table.pieces.is_complete());
}

#[test]
fn a_late_block_is_asked_of_another_while_the_request_stands() {
    let mut table = Table::of(8, 4);
    let seed = table.seed();
    table.pieces.joined(&seed);
    let piece = table.pick(1, &seed, 2)[0].piece;
    let block = table.block(piece, 0);
    table.pieces.late(1, block);
    table.pieces.assert_invariants();
    assert_eq!(
        table.picked(1, &seed, 1),
        [(piece, 2)],
        "not of the same peer again"
    );
    table.pieces.late(1, table.block(piece, 2));
    assert_eq!(
        table.picked(2, &seed, 3),
        [(piece, 0), (piece, 2), (piece, 3)]
    );
    assert_eq!(
        table.send(1, piece, 0),
        Accepted::Fresh,
        "it came after all"
    );
    let mut others = Vec::new();
    table.pieces.also_asked(block, 1, &mut others);
    assert_eq!(others, [2]);
    table.pieces.late(2, table.block(piece, 2));
    assert_eq!(
        table.picked(3, &seed, 1),
        [(piece, 2)],
        "however many are late"
    );
}

#[test]
fn a_slow_peer_takes_one_block_that_no_other_peer_is_asked_for() {
    let mut table = Table::of(2, 3);
    let seed = table.seed();
    table.pieces.joined(&seed);
    let snubbing = |key| Taker {
        snubs: true,
        ..taker(key, &seed, 9)
    };
    let first = table.pick_by(snubbing(1));
    assert_eq!(first.len(), 1);
    // It owns nothing: another goes on with the piece at once.
    let piece = first[0].piece;
    assert_eq!(table.picked(2, &seed, 1), [(piece, 1)]);
    table.pieces.late(2, table.block(piece, 1));
    assert_eq!(table.pick_by(snubbing(1)), [table.block(piece, 2)]);
    assert_eq!(table.pick(2, &seed, 3).len(), 3, "the other piece");
    assert_eq!(table.pick_by(snubbing(1)), [], "no late block, no end game");
    // What a peer owns when it begins to snub us is for others to go on with.
    let mut table = Table::of(2, 3);
    let piece = table.pick(1, &seed, 1)[0].piece;
    assert_eq!(table.pick_by(snubbing(1)), [table.block(piece, 1)]);
    assert_eq!(table.picked(2, &seed, 1), [(piece, 2)]);
}

#[test]
fn while_choked_only_allowed_pieces_are_asked_for() {
    let mut table = Table::of(10, 2);
    let have = table.having([2, 3, 4]);
    table.pieces.joined(&have);
    let taker = Taker {
        only: Some(&[4, 9, 12]),
        ..taker(1, &have, 9)
    };
    assert_eq!(table.pick_by(taker), [table.block(4, 0), table.block(4, 1)]);
    let none = Taker {
        only: Some(&[]),
        ..taker
    };
    assert_eq!(table.pick_by(none), []);
}
