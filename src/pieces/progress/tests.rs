//! How an open piece is hashed, and what becomes of it when some of it is wrong.

use super::*;

fn addr(last: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, last], 1))
}

fn open(blocks: u32) -> Progress {
    let geometry = Geometry::new(u64::from(blocks * BLOCK) - 100, blocks * BLOCK);
    Progress::new(geometry.expect("a geometry"), 0)
}

fn receive(progress: &mut Progress, number: u32, from: u8) -> bool {
    let fresh = progress.receive(number, addr(from), &mut Vec::new());
    if fresh {
        write(progress, number, from);
    }
    fresh
}

fn write(progress: &mut Progress, number: u32, from: u8) {
    let len = progress.geometry.block(0, number).len as usize;
    if let Some(hash) = progress.written(number) {
        hash.update(vec![from; len]);
    }
}

#[test]
fn hashing_follows_what_comes_in_order_and_what_is_read_back() {
    let mut progress = open(3);
    progress.take(1, false, 3, &mut Vec::new());
    assert!(receive(&mut progress, 1, 7) && !receive(&mut progress, 1, 7));
    assert_eq!(progress.due(), None, "block 0 is not here");
    assert!(receive(&mut progress, 0, 7) && receive(&mut progress, 2, 8));
    let due = progress.start_reading().expect("blocks 1 and 2 are due");
    assert_eq!((due.begin, due.len), (BLOCK, 2 * BLOCK - 100));
    assert!(!progress.end_reading(Block { begin: 0, ..due }));
    assert!(progress.end_reading(due) && !progress.end_reading(due));
    assert_eq!(progress.digest(), None);
    progress.hash(&vec![7; BLOCK as usize]);
    progress.hash(&vec![8; BLOCK as usize - 100]);
    let mut whole = vec![7; 2 * BLOCK as usize];
    whole.resize(3 * BLOCK as usize - 100, 8);
    assert_eq!(progress.digest(), Some(Sha1::digest(&whole).into()));
    assert_eq!(progress.contributors(), [addr(7), addr(8)]);
    progress.assert_invariants();
}

#[test]
fn what_is_not_written_is_neither_judged_nor_read_back() {
    let mut progress = open(3);
    for number in [0, 2, 1] {
        assert!(progress.receive(number, addr(1), &mut Vec::new()));
    }
    for number in [0, 2] {
        write(&mut progress, number, 7);
        assert_eq!(progress.due(), None, "block 1 is on its way");
    }
    write(&mut progress, 1, 7);
    let due = progress.start_reading().expect("block 2 is due");
    assert_eq!((due.begin, due.len), (2 * BLOCK, BLOCK - 100));
    assert!(progress.end_reading(due));
    progress.hash(&vec![7; BLOCK as usize - 100]);
    assert_eq!(
        progress.digest(),
        Some(Sha1::digest(vec![7; 3 * BLOCK as usize - 100]).into())
    );
}

#[test]
fn what_was_dropped_before_it_was_written_is_not_hashed() {
    let mut progress = open(2);
    assert!(progress.receive(0, addr(1), &mut Vec::new()));
    progress.reset();
    assert!(!progress.is_untouched(), "the disk is still to get it");
    assert!(progress.receive(0, addr(2), &mut Vec::new()));
    assert!(progress.written(0).is_none(), "this is the one dropped");
    assert!(progress.written(0).is_some(), "this is the one that counts");
    progress.assert_invariants();
}

#[test]
fn what_a_liar_sent_is_wanted_again_and_hashed_anew() {
    let mut progress = open(4);
    for (number, from) in [(0, 1), (1, 2), (2, 1)] {
        receive(&mut progress, number, from);
    }
    assert!(progress.strike(addr(2)) && !progress.strike(addr(3)));
    assert_eq!((progress.lacking(), progress.free()), (2, 2));
    assert_eq!(progress.contributors(), [addr(1)]);
    let due = progress.due().map(|due| (due.begin, due.len));
    assert_eq!(due, Some((0, BLOCK)), "from the front on, up to the gap");
    progress.assert_invariants();
    progress.reset();
    assert!(progress.is_untouched() && progress.due().is_none());
    progress.assert_invariants();
}

#[test]
fn a_long_piece_costs_little_until_it_has_several_senders() {
    let mut progress = open(1024);
    progress.take(1, false, 64, &mut Vec::new());
    (0..1000).for_each(|number| {
        receive(&mut progress, number, 1);
    });
    assert!(progress.senders.is_sole());
    receive(&mut progress, 1000, 2);
    assert!(!progress.senders.is_sole());
    assert_eq!(progress.contributors(), [addr(1), addr(2)]);
}
