//! States, what is taken in, and what is read back.

use brooklet::base::{BLOCK, Bits, Block, Geometry, Holdings, Padding, PieceHash, Rng, limits};
use brooklet::pieces::{Accepted, Pieces, State};

use crate::support::*;

#[test]
fn what_is_wanted_and_held_is_counted() {
    let geometry = Geometry::new(5 * 40_000 + 10, 40_000).expect("a geometry");
    let hashes = vec![PieceHash([0; 20]); 6];
    let wanted = bits(6, [0, 2, 3, 4, 5]);
    let mut pieces = Pieces::new(geometry, hashes, &wanted, false, Rng::from_seed(1));
    assert_eq!((pieces.wanted(), pieces.left()), (160_010, 160_010));
    let verified = bits(6, [0, 1, 5]);
    pieces.restore(&verified);
    pieces.assert_invariants();
    assert_eq!((pieces.done(), pieces.left()), (40_010, 120_000));
    assert_eq!(pieces.verified(), &verified);
    assert_eq!([0, 1, 2].map(|p| pieces.state(p)), {
        [State::Verified, State::Verified, State::Missing]
    });
    assert_eq!(
        [1, 2, 5, 6].map(|p| pieces.needs(p)),
        [false, true, false, false]
    );
    assert_eq!(pieces.wants_of(&Holdings::everything(6)), 3);
    assert_eq!(pieces.wants_of(&Holdings::nothing(6)), 0);
    let some = Holdings::from(bits(6, [1, 2, 5]));
    assert_eq!(pieces.wants_of(&some), 1);
    pieces.restore(&Bits::full(6));
    assert!(pieces.is_complete() && pieces.left() == 0 && pieces.partial_count() == 0);
}

#[test]
fn a_whole_torrent_counts_as_one_whose_pieces_were_restored() {
    let geometry = Geometry::new(5 * 40_000 + 10, 40_000).expect("a geometry");
    let padding = || Padding::new([10..50, 120_000..170_000]);
    for wanted in [Bits::full(6), bits(6, [0, 3, 5]), Bits::new(6)] {
        let (hashes, rng) = (vec![PieceHash([0; 20]); 6], || Rng::from_seed(1));
        let restored = Pieces::new(geometry, hashes, &wanted, false, rng());
        let mut restored = restored.with_padding(padding());
        restored.restore(&Bits::full(6));
        let whole = Pieces::whole(geometry, &wanted, padding(), rng());
        whole.assert_invariants();
        let counts = |it: &Pieces| (it.wanted(), it.done(), it.left(), it.verified_bytes());
        assert_eq!(counts(&whole), counts(&restored));
        assert_eq!(whole.verified(), restored.verified());
        assert!(whole.is_complete() && whole.state(5) == State::Verified);
    }
}

#[test]
fn skipped_pieces_are_never_asked_for() {
    let geometry = Geometry::new(u64::from(10 * BLOCK), BLOCK).expect("a geometry");
    let wanted = bits(10, [3]);
    let hashes = vec![PieceHash([0; 20]); 10];
    let mut pieces = Pieces::new(geometry, hashes, &wanted, false, Rng::from_seed(1));
    let (seed, mut out) = (Holdings::everything(10), Vec::new());
    pieces.pick(taker(1, &seed, 99), &mut out);
    assert_eq!(out, [geometry.block(3, 0)]);
    assert_eq!(
        (pieces.state(3), pieces.state(4)),
        (State::Partial, State::Skipped)
    );
}

#[test]
fn a_piece_of_which_nothing_came_is_missing_again() {
    let mut table = Table::of(8, 8);
    let seed = table.seed();
    let blocks = table.pick(1, &seed, 12);
    assert_eq!(table.pieces.partial_count(), 2);
    for &block in &blocks {
        assert_eq!(table.pieces.state(block.piece), State::Partial);
        table.pieces.release(1, block);
        table.pieces.release(1, block);
        table.pieces.assert_invariants();
    }
    assert_eq!(table.pieces.partial_count(), 0);
    assert_eq!(table.pieces.state(blocks[0].piece), State::Missing);
}

#[test]
fn what_nobody_asked_for_in_this_form_is_unwanted() {
    let mut table = Table::of(4, 2);
    let seed = table.seed();
    let piece = table.pick(1, &seed, 2)[0].piece;
    let other = (piece + 1) % 4;
    assert_eq!(table.send(1, other, 0), Accepted::Unwanted, "not partial");
    let odd = Block {
        piece,
        begin: 1,
        len: BLOCK,
    };
    assert_eq!(
        table.accept(1, odd, &[0; BLOCK as usize]),
        Accepted::Unwanted
    );
    let cut = Block {
        piece,
        begin: 0,
        len: BLOCK - 1,
    };
    assert_eq!(
        table.accept(1, cut, &[0; BLOCK as usize - 1]),
        Accepted::Unwanted
    );
    let block = table.block(piece, 0);
    assert_eq!(table.accept(1, block, &[0; 5]), Accepted::Unwanted);
    let past = Block {
        piece: 4,
        begin: 0,
        len: BLOCK,
    };
    assert_eq!(
        table.accept(1, past, &[0; BLOCK as usize]),
        Accepted::Unwanted
    );
    assert_eq!(table.send(1, piece, 0), Accepted::Fresh);
    assert_eq!(table.send(1, piece, 0), Accepted::Unwanted, "twice");
    table.pieces.release(7, past);
    table.pieces.late(7, odd);
    table.pieces.on_have(99);
    table.pieces.assert_invariants();
}

#[test]
fn in_order_nothing_is_read_back() {
    let mut table = Table::of(1, 40);
    let seed = table.seed();
    table.pick(1, &seed, 40);
    for number in 0..40 {
        table.send(1, 0, number);
    }
    assert_eq!(table.verdicts(), [(0, true, vec![])]);
    assert!(table.rereads.is_empty());
}

#[test]
fn a_run_behind_a_gap_is_read_back_once_the_gap_closes() {
    let mut table = Table::of(1, 40);
    let seed = table.seed();
    table.pick(1, &seed, 40);
    for number in (1..20).chain(25..30) {
        table.send(1, 0, number);
    }
    assert!(table.verdicts().is_empty() && table.rereads.is_empty());
    table.send(1, 0, 0);
    table.reread();
    let slice = limits::SLICE as u32;
    let (first, end) = (BLOCK, 20 * BLOCK);
    let begins = (first..end).step_by(limits::SLICE);
    let expected: Vec<_> = begins
        .map(|begin| (begin, slice.min(end - begin)))
        .collect();
    assert!(expected.len() > 1);
    let rereads: Vec<(u32, u32)> = table.rereads.iter().map(|b| (b.begin, b.len)).collect();
    assert_eq!(rereads, expected);
    for number in (20..25).chain(30..40) {
        table.send(1, 0, number);
        table.reread();
    }
    let later = (5 * BLOCK).div_ceil(slice) as usize;
    let all = expected.len() + later;
    assert_eq!(table.rereads.len(), all, "those of 25..30 besides");
    assert_eq!(table.verdicts(), [(0, true, vec![])]);
}
