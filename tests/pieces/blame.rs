//! Which peer is banned for a bad piece, and which is not.

use brooklet::base::{BLOCK, Holdings, limits};
use brooklet::pieces::{Accepted, State, Taker};

use crate::support::*;

#[test]
fn the_only_sender_of_a_bad_piece_is_guilty_and_its_other_blocks_are_dropped() {
    let mut table = Table::of(3, 4);
    let seed = table.seed();
    table.pieces.joined(&seed);
    let blocks = table.pick(1, &seed, 8);
    let (bad, half) = (blocks[0].piece, blocks[4].piece);
    for number in [0, 2] {
        table.send_wrong(1, half, number);
        table.pieces.release(1, table.block(half, number + 1));
    }
    assert_eq!(table.picked(2, &seed, 2), numbers(half, [1, 3]));
    table.send(2, half, 1);
    for number in 0..3 {
        table.send(1, bad, number);
    }
    table.send_wrong(1, bad, 3);
    assert_eq!(table.verdicts(), [(bad, false, vec![addr(1)])]);
    assert_eq!(table.pieces.state(bad), State::Missing);
    assert_eq!(
        table.picked(2, &seed, 2),
        numbers(half, [0, 2]),
        "what it sent of another piece is asked for again"
    );
    table.send(2, half, 0);
    table.send(2, half, 2);
    table.send(2, half, 3);
    assert_eq!(table.verdicts(), [(half, true, vec![])]);
}

/// Piece 0 of a table of eight, four blocks each, has come from peers 1 and 2; what 2 sent of it is
/// wrong. Both have all.
fn come_from_two() -> (Table, Holdings) {
    let mut table = Table::new(u64::from(8 * 4 * BLOCK), 4 * BLOCK, true, 1);
    let seed = table.seed();
    table.pieces.joined(&seed);
    assert_eq!(table.picked(1, &seed, 2), numbers(0, 0..2));
    table.pieces.late(1, table.block(0, 0));
    table.pieces.late(1, table.block(0, 1));
    assert_eq!(table.picked(2, &seed, 4), numbers(0, 0..4));
    table.send(1, 0, 0);
    table.send(1, 0, 1);
    table.send_wrong(2, 0, 2);
    table.send(2, 0, 3);
    (table, seed)
}

/// The same, and it is known to be wrong.
fn spoilt_by_two() -> (Table, Holdings) {
    let (mut table, seed) = come_from_two();
    assert_eq!(
        table.verdicts(),
        [(0, false, vec![])],
        "nobody is known to be guilty"
    );
    (table, seed)
}

#[test]
fn the_right_blocks_tell_which_sender_is_guilty() {
    let (mut table, seed) = spoilt_by_two();
    assert_eq!(table.pieces.state(0), State::Missing);
    assert_eq!(table.picked(3, &seed, 4), numbers(0, 0..4));
    for number in 0..4 {
        table.send(3, 0, number);
    }
    assert_eq!(table.verdicts(), [(0, true, vec![addr(2)])]);
}

#[test]
fn of_several_senders_the_repetition_tells_which_lied() {
    let (mut table, seed) = spoilt_by_two();
    // It is repeated first, and by one peer alone.
    assert_eq!(table.picked(3, &seed, 3), numbers(0, 0..3));
    assert!(
        table
            .picked(4, &seed, 8)
            .iter()
            .all(|&(piece, _)| piece != 0)
    );
    assert_eq!(table.send(2, 0, 2), Accepted::Unwanted);
    assert_eq!(table.picked(3, &seed, 1), numbers(0, 3..4));
    for number in 0..4 {
        table.send(3, 0, number);
    }
    assert_eq!(table.verdicts(), [(0, true, vec![addr(2)])]);
    assert_eq!(table.pieces.state(0), State::Verified);
}

#[test]
fn a_liar_that_repeats_the_piece_is_guilty_at_once() {
    let (mut table, seed) = spoilt_by_two();
    assert_eq!(table.picked(2, &seed, 4), numbers(0, 0..4));
    for number in 0..4 {
        table.send_wrong(2, 0, number);
    }
    assert_eq!(table.verdicts(), [(0, false, vec![addr(2)])]);
    assert_eq!(table.picked(1, &seed, 4), numbers(0, 0..4));
    for number in 0..4 {
        table.send(1, 0, number);
    }
    assert_eq!(
        table.verdicts(),
        [(0, true, vec![addr(2)])],
        "1 is innocent"
    );
}

#[test]
fn the_accused_work_alone_while_there_is_work() {
    let (mut table, seed) = spoilt_by_two();
    assert_eq!(table.pick(3, &seed, 4).len(), 4);
    assert_eq!(table.picked(4, &seed, 1), [(1, 0)]);
    table.send(4, 1, 0);
    table.pieces.forget(4);
    assert_eq!(table.pieces.state(1), State::Partial);
    assert_eq!(table.picked(2, &seed, 1), [(2, 0)], "not with what 4 began");
    assert_eq!(table.picked(5, &seed, 1), [(1, 1)]);
    let only_that = table.having([1]);
    assert_eq!(
        table.picked(1, &only_that, 1),
        [(1, 2)],
        "better than nothing"
    );
}

#[test]
fn a_repetition_stays_with_its_peer_until_another_takes_it_over() {
    let (mut table, seed) = spoilt_by_two();
    assert_eq!(table.picked(10, &seed, 2), numbers(0, 0..2));
    table.send(10, 0, 0);
    table.pieces.release(10, table.block(0, 1));
    assert_eq!(table.picked(10, &seed, 2), numbers(0, 1..3), "it is back");
    table.pieces.late(10, table.block(0, 1));
    assert_eq!(
        table.send(10, 0, 1),
        Accepted::Fresh,
        "late, and still its own"
    );
    assert_eq!(
        table.picked(11, &seed, 4),
        numbers(0, 0..4),
        "from the front"
    );
    assert_eq!(table.send(10, 0, 2), Accepted::Unwanted);
    for number in 0..4 {
        assert_eq!(table.send(11, 0, number), Accepted::Fresh);
    }
    assert_eq!(table.verdicts(), [(0, true, vec![addr(2)])]);
}

#[test]
fn a_quick_peer_takes_a_repetition_over_from_a_slow_one() {
    let (mut table, seed) = spoilt_by_two();
    let snubbing = |key| Taker {
        snubs: true,
        ..taker(key, &seed, 9)
    };
    assert_eq!(table.pick_by(snubbing(10)), [table.block(0, 0)]);
    table.send(10, 0, 0);
    assert_ne!(
        table.pick_by(snubbing(11))[0].piece,
        0,
        "not for another that snubs us"
    );
    assert_eq!(table.pick_by(snubbing(10)), [table.block(0, 1)]);
    assert_eq!(table.picked(12, &seed, 1), [(0, 0)]);
    assert_eq!(table.send(10, 0, 1), Accepted::Unwanted);
}

#[test]
fn a_repetition_is_taken_over_from_a_peer_that_grows_slow() {
    let (mut table, seed) = spoilt_by_two();
    assert_eq!(table.picked(10, &seed, 1), [(0, 0)]);
    table.send(10, 0, 0);
    let snubbing = Taker {
        snubs: true,
        ..taker(10, &seed, 9)
    };
    assert_eq!(table.pick_by(snubbing), [table.block(0, 1)]);
    assert_eq!(table.picked(12, &seed, 1), [(0, 0)]);
    assert_eq!(table.send(10, 0, 1), Accepted::Unwanted);
}

#[test]
fn a_repetition_whose_peer_choked_us_with_nothing_on_its_way_is_not_stuck() {
    let (mut table, _) = spoilt_by_two();
    let only = table.having([0]);
    assert_eq!(table.picked(10, &only, 1), [(0, 0)]);
    assert_eq!(table.pick(11, &only, 1), [], "it is the other one's");
    table.send(10, 0, 0);
    assert_eq!(table.picked(11, &only, 2), numbers(0, 0..2));
    assert_eq!(table.pick(10, &only, 2), []);
}

#[test]
fn a_repetition_that_comes_to_nothing_too_often_is_everybodys() {
    let (mut table, seed) = spoilt_by_two();
    for key in (10..).take(limits::SOLO_RESTARTS) {
        assert_eq!(table.picked(key, &seed, 2), numbers(0, 0..2));
        table.send(key, 0, 0);
        table.pieces.release(key, table.block(0, 1));
        table.pieces.forget(key);
        table.pieces.assert_invariants();
        assert_eq!(table.pieces.state(0), State::Missing);
    }
    assert_eq!(table.picked(20, &seed, 2), numbers(0, 0..2));
    table.send(20, 0, 0);
    table.pieces.release(20, table.block(0, 1));
    assert_eq!(table.picked(21, &seed, 3), numbers(0, 1..4));
    for number in 1..4 {
        table.send(21, 0, number);
    }
    assert_eq!(table.verdicts(), [(0, true, vec![addr(2)])]);
}

#[test]
fn a_late_answer_to_a_lost_repetition_is_not_taken_for_the_next_one() {
    let (mut table, seed) = spoilt_by_two();
    assert_eq!(table.picked(3, &seed, 4), numbers(0, 0..4));
    table.pieces.late(3, table.block(0, 2));
    assert_eq!(table.picked(4, &seed, 4), numbers(0, 0..4));
    assert_eq!(table.send(3, 0, 0), Accepted::Unwanted);
    for number in 0..4 {
        assert_eq!(table.send(4, 0, number), Accepted::Fresh);
    }
    assert_eq!(table.verdicts(), [(0, true, vec![addr(2)])]);
}

#[test]
fn bytes_read_of_a_try_that_is_over_are_not_taken_for_the_next_one() {
    let (mut table, seed) = spoilt_by_two();
    assert_eq!(table.picked(2, &seed, 4), numbers(0, 0..4));
    table.send_wrong(2, 0, 1);
    table.send_wrong(2, 0, 0);
    let old = table.pieces.next_reread().expect("block 1 is due");
    let bytes = table.disk[BLOCK as usize..2 * BLOCK as usize].to_vec();
    table.pieces.late(2, table.block(0, 2));
    assert_eq!(table.picked(3, &seed, 4), numbers(0, 0..4));
    table.send(3, 0, 1);
    table.send(3, 0, 0);
    assert_eq!(
        table.pieces.next_reread(),
        None,
        "the old ones are on their way"
    );
    table.pieces.handle_reread(old, &bytes);
    table.pieces.assert_invariants();
    table.send(3, 0, 2);
    table.send(3, 0, 3);
    assert_eq!(table.verdicts(), [(0, true, vec![addr(2)])]);
}

#[test]
fn bytes_read_of_what_a_liar_sent_are_void_once_it_is_known() {
    let mut table = Table::of(3, 4);
    let seed = table.seed();
    table.pieces.joined(&seed);
    let blocks = table.pick(1, &seed, 8);
    let (bad, half) = (blocks[0].piece, blocks[4].piece);
    table.send_wrong(1, half, 1);
    table.send(1, half, 0);
    let old = table.pieces.next_reread().expect("block 1 is due");
    let bytes = table.wrong(old);
    table.pieces.late(1, table.block(half, 3));
    assert_eq!(table.picked(2, &seed, 1), [(half, 3)]);
    table.send(2, half, 3);
    for number in 0..4 {
        table.send_wrong(1, bad, number);
    }
    assert_eq!(table.verdicts(), [(bad, false, vec![addr(1)])]);
    table.pieces.release(1, table.block(half, 2));
    assert_eq!(table.picked(2, &seed, 3), numbers(half, 0..3));
    table.send(2, half, 1);
    table.send(2, half, 0);
    assert_eq!(
        table.pieces.next_reread(),
        None,
        "the old ones are on their way"
    );
    table.pieces.handle_reread(old, &bytes);
    table.send(2, half, 2);
    assert_eq!(table.verdicts(), [(half, true, vec![])]);
}
