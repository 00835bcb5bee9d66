//! How a partial piece is hashed, and what becomes of it when some of it is wrong.

use sha1::Digest;

use super::*;

fn addr(last: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, last], 1))
}

fn begun(blocks: u32) -> PartialPiece {
    let geometry = Geometry::new(u64::from(blocks * BLOCK) - 100, blocks * BLOCK);
    PartialPiece::new(geometry.expect("a geometry"), 0)
}

fn receive(partial_piece: &mut PartialPiece, number: u32, from: u8) -> bool {
    let fresh = partial_piece.receive(number, addr(from), &mut Vec::new());
    if fresh {
        write(partial_piece, number, from);
    }
    fresh
}

fn write(partial_piece: &mut PartialPiece, number: u32, from: u8) {
    let len = partial_piece.geometry.block(0, number).len as usize;
    if let Some(hash) = partial_piece.written(number) {
        hash.update(vec![from; len]);
    }
}

#[test]
fn hashing_follows_what_comes_in_order_and_what_is_read_back() {
    let mut partial_piece = begun(3);
    partial_piece.take(1, false, 3, &mut Vec::new());
    assert!(receive(&mut partial_piece, 1, 7) && !receive(&mut partial_piece, 1, 7));
    assert_eq!(partial_piece.due(), None, "block 0 is not here");
    assert!(receive(&mut partial_piece, 0, 7) && receive(&mut partial_piece, 2, 8));
    let due = partial_piece
        .start_reading()
        .expect("blocks 1 and 2 are due");
    assert_eq!((due.begin, due.len), (BLOCK, 2 * BLOCK - 100));
    assert!(!partial_piece.end_reading(Block { begin: 0, ..due }));
    assert!(partial_piece.end_reading(due) && !partial_piece.end_reading(due));
    assert_eq!(partial_piece.digest(), None);
    partial_piece.hash(&vec![7; BLOCK as usize]);
    partial_piece.hash(&vec![8; BLOCK as usize - 100]);
    let mut whole = vec![7; 2 * BLOCK as usize];
    whole.resize(3 * BLOCK as usize - 100, 8);
    assert_eq!(partial_piece.digest(), Some(Sha1::digest(&whole).into()));
    assert_eq!(partial_piece.contributors(), [addr(7), addr(8)]);
    partial_piece.assert_invariants();
}

#[test]
fn what_is_not_written_is_neither_judged_nor_read_back() {
    let mut partial_piece = begun(3);
    for number in [0, 2, 1] {
        assert!(partial_piece.receive(number, addr(1), &mut Vec::new()));
    }
    for number in [0, 2] {
        write(&mut partial_piece, number, 7);
        assert_eq!(partial_piece.due(), None, "block 1 is on its way");
    }
    write(&mut partial_piece, 1, 7);
    let due = partial_piece.start_reading().expect("block 2 is due");
    assert_eq!((due.begin, due.len), (2 * BLOCK, BLOCK - 100));
    assert!(partial_piece.end_reading(due));
    partial_piece.hash(&vec![7; BLOCK as usize - 100]);
    assert_eq!(
        partial_piece.digest(),
        Some(Sha1::digest(vec![7; 3 * BLOCK as usize - 100]).into())
    );
}

#[test]
fn what_was_dropped_before_it_was_written_is_not_hashed() {
    let mut partial_piece = begun(2);
    assert!(partial_piece.receive(0, addr(1), &mut Vec::new()));
    partial_piece.reset();
    assert!(!partial_piece.is_untouched(), "the disk is still to get it");
    assert!(partial_piece.receive(0, addr(2), &mut Vec::new()));
    assert!(
        partial_piece.written(0).is_none(),
        "this is the one dropped"
    );
    assert!(
        partial_piece.written(0).is_some(),
        "this is the one that counts"
    );
    partial_piece.assert_invariants();
}

#[test]
fn what_a_liar_sent_is_wanted_again_and_hashed_anew() {
    let mut partial_piece = begun(4);
    for (number, from) in [(0, 1), (1, 2), (2, 1)] {
        receive(&mut partial_piece, number, from);
    }
    assert!(partial_piece.strike(addr(2)) && !partial_piece.strike(addr(3)));
    assert_eq!((partial_piece.lacking(), partial_piece.free()), (2, 2));
    assert_eq!(partial_piece.contributors(), [addr(1)]);
    let due = partial_piece.due().map(|due| (due.begin, due.len));
    assert_eq!(due, Some((0, BLOCK)), "from the front on, up to the gap");
    partial_piece.assert_invariants();
    partial_piece.reset();
    assert!(partial_piece.is_untouched() && partial_piece.due().is_none());
    partial_piece.assert_invariants();
}

#[test]
fn a_long_piece_costs_little_until_it_has_several_senders() {
    let mut partial_piece = begun(1024);
    partial_piece.take(1, false, 64, &mut Vec::new());
    (0..1000).for_each(|number| {
        receive(&mut partial_piece, number, 1);
    });
    assert!(partial_piece.senders.is_sole());
    receive(&mut partial_piece, 1000, 2);
    assert!(!partial_piece.senders.is_sole());
    assert_eq!(partial_piece.contributors(), [addr(1), addr(2)]);
}
