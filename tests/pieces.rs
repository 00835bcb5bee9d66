//! The piece table, rule by rule, then as a whole under a random course of events.

use std::net::SocketAddr;

use brooklet::base::bits::Bits;
use brooklet::base::geometry::{BLOCK, Block, Geometry};
use brooklet::base::holdings::Holdings;
use brooklet::base::id::PieceHash;
use brooklet::base::limits;
use brooklet::base::rng::Rng;
use brooklet::pieces::{Accepted, Pieces, Plan, State, Verdict, Who};
use sha1::{Digest, Sha1};

const ACTIVE: usize = 4;

/// A piece table with the content that it is about, and the disk it writes to.
struct Table {
    pieces: Pieces,
    geometry: Geometry,
    content: Vec<u8>,
    disk: Vec<u8>,
    verdicts: Vec<Verdict>,
    rereads: Vec<Block>,
}

fn addr(who: Who) -> SocketAddr {
    SocketAddr::from(([10, 0, (who >> 8) as u8, who as u8], 6881))
}

fn bits(len: u32, ones: impl IntoIterator<Item = u32>) -> Bits {
    let mut bits = Bits::new(len);
    for one in ones {
        bits.set(one);
    }
    bits
}

impl Table {
    fn new(size: u64, piece_length: u32, sequential: bool, seed: u64) -> Table {
        let geometry = Geometry::new(size, piece_length).expect("a geometry");
        let mut rng = Rng::from_seed(seed);
        let content: Vec<u8> = (0..size).map(|_| rng.bits32() as u8).collect();
        let hashes = content
            .chunks(piece_length as usize)
            .map(|piece| PieceHash(Sha1::digest(piece).into()))
            .collect();
        let wanted = Bits::full(geometry.pieces());
        Table {
            pieces: Pieces::new(geometry, hashes, &wanted, sequential, rng),
            geometry,
            disk: vec![0; size as usize],
            content,
            verdicts: Vec::new(),
            rereads: Vec::new(),
        }
    }

    /// `pieces` pieces of so many blocks.
    fn of(pieces: u32, blocks: u32) -> Table {
        let size = u64::from(pieces) * u64::from(blocks * BLOCK);
        Table::new(size, blocks * BLOCK, false, 1)
    }

    fn seed(&self) -> Holdings {
        Holdings::everything(self.geometry.pieces())
    }

    fn having(&self, theirs: impl IntoIterator<Item = u32>) -> Holdings {
        Holdings::from(bits(self.geometry.pieces(), theirs))
    }

    fn pick_by(&mut self, plan: Plan<'_>) -> Vec<Block> {
        let mut out = Vec::new();
        self.pieces.pick(plan, &mut out);
        self.pieces.assert_invariants();
        out
    }

    fn pick(&mut self, who: Who, have: &Holdings, count: usize) -> Vec<Block> {
        self.pick_by(plan(who, have, count))
    }

    /// Picks without any number in the way, as piece and block number.
    fn picked(&mut self, who: Who, have: &Holdings, count: usize) -> Vec<(u32, u32)> {
        let blocks = self.pick(who, have, count);
        blocks.iter().map(|b| (b.piece, b.begin / BLOCK)).collect()
    }

    fn block(&self, piece: u32, number: u32) -> Block {
        self.geometry.block(piece, number)
    }

    fn right(&self, block: Block) -> Vec<u8> {
        let start = self.geometry.offset(block) as usize;
        self.content[start..start + block.len as usize].to_vec()
    }

    fn wrong(&self, block: Block) -> Vec<u8> {
        let mut data = self.right(block);
        data[block.len as usize / 2] ^= 1;
        data
    }

    fn accept(&mut self, who: Who, block: Block, data: &[u8]) -> Accepted {
        let accepted = self.pieces.accept(who, addr(who), block, data);
        if accepted == Accepted::Fresh {
            let start = self.geometry.offset(block) as usize;
            self.disk[start..start + data.len()].copy_from_slice(data);
        }
        self.pieces.assert_invariants();
        accepted
    }

    fn send(&mut self, who: Who, piece: u32, number: u32) -> Accepted {
        let block = self.block(piece, number);
        let data = self.right(block);
        self.accept(who, block, &data)
    }

    fn send_wrong(&mut self, who: Who, piece: u32, number: u32) -> Accepted {
        let block = self.block(piece, number);
        let data = self.wrong(block);
        self.accept(who, block, &data)
    }

    fn reread(&mut self) {
        while let Some(block) = self.pieces.next_reread() {
            assert!(block.len as usize <= limits::SLICE);
            let start = self.geometry.offset(block) as usize;
            let data = self.disk[start..start + block.len as usize].to_vec();
            self.pieces.handle_reread(block, &data);
            self.pieces.assert_invariants();
            self.rereads.push(block);
        }
    }

    /// Reads back what is due and takes the verdicts.
    fn verdicts(&mut self) -> Vec<(u32, bool, Vec<SocketAddr>)> {
        self.reread();
        let mut verdicts = Vec::new();
        while let Some(verdict) = self.pieces.next_verdict() {
            self.verdicts.push(verdict.clone());
            verdicts.push((verdict.piece, verdict.ok, verdict.guilty));
        }
        verdicts
    }

    /// Makes the first four pieces Held, so that the random ones are over.
    fn past_random(&mut self) {
        let held = bits(self.geometry.pieces(), 0..limits::RANDOM_FIRST);
        self.pieces.restore(&held);
    }
}

fn plan(who: Who, have: &Holdings, count: usize) -> Plan<'_> {
    Plan {
        who,
        have,
        only: None,
        count,
        active: ACTIVE,
        slow: false,
    }
}

fn numbers(piece: u32, numbers: impl IntoIterator<Item = u32>) -> Vec<(u32, u32)> {
    numbers.into_iter().map(|number| (piece, number)).collect()
}

#[test]
fn what_is_wanted_and_held_is_counted() {
    let geometry = Geometry::new(5 * 40_000 + 10, 40_000).expect("a geometry");
    let hashes = vec![PieceHash([0; 20]); 6];
    let wanted = bits(6, [0, 2, 3, 4, 5]);
    let mut pieces = Pieces::new(geometry, hashes, &wanted, false, Rng::from_seed(1));
    assert_eq!((pieces.wanted(), pieces.left()), (160_010, 160_010));
    let held = bits(6, [0, 1, 5]);
    pieces.restore(&held);
    pieces.assert_invariants();
    assert_eq!((pieces.done(), pieces.left()), (40_010, 120_000));
    assert_eq!(pieces.held(), &held);
    assert_eq!([0, 1, 2].map(|p| pieces.state(p)), {
        [State::Held, State::Held, State::Missing]
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
    assert!(pieces.is_complete() && pieces.left() == 0 && pieces.open_count() == 0);
}

#[test]
fn skipped_pieces_are_never_asked_for() {
    let geometry = Geometry::new(u64::from(10 * BLOCK), BLOCK).expect("a geometry");
    let wanted = bits(10, [3]);
    let hashes = vec![PieceHash([0; 20]); 10];
    let mut pieces = Pieces::new(geometry, hashes, &wanted, false, Rng::from_seed(1));
    let (seed, mut out) = (Holdings::everything(10), Vec::new());
    pieces.pick(plan(1, &seed, 99), &mut out);
    assert_eq!(out, [geometry.block(3, 0)]);
    assert_eq!(
        (pieces.state(3), pieces.state(4)),
        (State::Open, State::Skipped)
    );
}

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
fn what_is_begun_and_nobodys_comes_before_a_new_piece() {
    let mut table = Table::of(8, 8);
    let seed = table.seed();
    let piece = table.pick(1, &seed, 4)[0].piece;
    table.send(1, piece, 0);
    for number in 1..4 {
        let block = table.block(piece, number);
        table.pieces.release(1, block);
    }
    table.pieces.forget(1);
    assert_eq!(table.pieces.state(piece), State::Open);
    assert_eq!(table.picked(2, &seed, 7), numbers(piece, 1..8));
}

#[test]
fn a_piece_of_which_nothing_came_is_missing_again() {
    let mut table = Table::of(8, 8);
    let seed = table.seed();
    let blocks = table.pick(1, &seed, 12);
    assert_eq!(table.pieces.open_count(), 2);
    for &block in &blocks {
        assert_eq!(table.pieces.state(block.piece), State::Open);
        table.pieces.release(1, block);
        table.pieces.release(1, block);
        table.pieces.assert_invariants();
    }
    assert_eq!(table.pieces.open_count(), 0);
    assert_eq!(table.pieces.state(blocks[0].piece), State::Missing);
}

#[test]
fn no_more_pieces_are_begun_than_one_and_a_half_for_each_peer() {
    let mut table = Table::of(40, 20);
    let seed = table.seed();
    let most = ACTIVE * 3 / 2 + 1;
    let begun: Vec<u32> = (0..most)
        .map(|who| table.pick(who, &seed, who + 1)[0].piece)
        .collect();
    assert_eq!(table.pieces.open_count(), most);
    // The first owner has asked for least of its piece: most is left of it.
    assert_eq!(table.picked(50, &seed, 2), numbers(begun[0], 1..3));
    // A helper stays with the piece that it helps with.
    assert_eq!(table.picked(50, &seed, 2), numbers(begun[0], 3..5));
    assert_eq!(table.pieces.open_count(), most);
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
    for who in 0..4 {
        assert_eq!(table.pick(who, &seed, 500).len(), 500);
    }
    assert_eq!(table.pieces.open_count(), 2_000);
}

#[test]
fn open_pieces_are_bounded() {
    let mut table = Table::of(limits::OPEN_PIECES as u32 + 100, 1);
    let seed = table.seed();
    let blocks = table.pick(1, &seed, limits::OPEN_PIECES + 50);
    assert_eq!(blocks.len(), limits::OPEN_PIECES);
    table.pieces.take_news();
    table.send(1, blocks[0].piece, 0);
    assert!(table.pieces.take_news(), "there is room for another");
    assert_eq!(table.pick(1, &seed, 50).len(), 1);
}

#[test]
fn in_the_end_game_a_block_is_asked_of_two() {
    let mut table = Table::of(2, 2);
    let (seed, half) = (table.seed(), table.having([0]));
    table.pieces.joined(&seed);
    assert_eq!(table.pick(1, &half, 9).len(), 2);
    assert_eq!(table.pick(2, &half, 9), [], "piece 1 is not asked for yet");
    table.pieces.take_news();
    assert_eq!(table.picked(1, &seed, 9), [(1, 0), (1, 1)]);
    assert!(table.pieces.take_news(), "the end game begins");
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
    assert_eq!(others, [] as [Who; 0]);
    assert_eq!(table.pieces.requests().count(), 6);
}

#[test]
fn the_very_last_block_is_asked_of_three() {
    let mut table = Table::of(1, 2);
    let seed = table.seed();
    table.pieces.joined(&seed);
    for who in 1..4 {
        table.pick(who, &seed, 9);
    }
    table.pieces.take_news();
    table.send(1, 0, 0);
    assert!(table.pieces.take_news());
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
fn a_slow_peer_takes_one_block_that_nobody_else_is_at() {
    let mut table = Table::of(2, 3);
    let seed = table.seed();
    table.pieces.joined(&seed);
    let slow = |who| Plan {
        slow: true,
        ..plan(who, &seed, 9)
    };
    let first = table.pick_by(slow(1));
    assert_eq!(first.len(), 1);
    // It owns nothing: another goes on with the piece at once.
    let piece = first[0].piece;
    assert_eq!(table.picked(2, &seed, 1), [(piece, 1)]);
    table.pieces.late(2, table.block(piece, 1));
    assert_eq!(table.pick_by(slow(1)), [table.block(piece, 2)]);
    assert_eq!(table.pick(2, &seed, 3).len(), 3, "the other piece");
    assert_eq!(table.pick_by(slow(1)), [], "no late block, no end game");
    // What a peer owns when it grows slow is for others to go on with.
    let mut table = Table::of(2, 3);
    let piece = table.pick(1, &seed, 1)[0].piece;
    assert_eq!(table.pick_by(slow(1)), [table.block(piece, 1)]);
    assert_eq!(table.picked(2, &seed, 1), [(piece, 2)]);
}

#[test]
fn while_choked_only_allowed_pieces_are_asked_for() {
    let mut table = Table::of(10, 2);
    let have = table.having([2, 3, 4]);
    table.pieces.joined(&have);
    let plan = Plan {
        only: Some(&[4, 9, 12]),
        ..plan(1, &have, 9)
    };
    assert_eq!(table.pick_by(plan), [table.block(4, 0), table.block(4, 1)]);
    let none = Plan {
        only: Some(&[]),
        ..plan
    };
    assert_eq!(table.pick_by(none), []);
}

#[test]
fn what_nobody_asked_for_in_this_form_is_unwanted() {
    let mut table = Table::of(4, 2);
    let seed = table.seed();
    let piece = table.pick(1, &seed, 2)[0].piece;
    let other = (piece + 1) % 4;
    assert_eq!(table.send(1, other, 0), Accepted::Unwanted, "not open");
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
    let expected = [(BLOCK, slice), (17 * BLOCK, 3 * BLOCK)];
    let rereads: Vec<(u32, u32)> = table.rereads.iter().map(|b| (b.begin, b.len)).collect();
    assert_eq!(rereads, expected);
    for number in (20..25).chain(30..40) {
        table.send(1, 0, number);
        table.reread();
    }
    assert_eq!(table.rereads.len(), 3, "one more for 25..30");
    assert_eq!(table.verdicts(), [(0, true, vec![])]);
}

#[test]
fn what_the_disk_lost_is_asked_for_again() {
    let mut table = Table::of(1, 3);
    let seed = table.seed();
    table.pick(1, &seed, 3);
    table.send(1, 0, 1);
    table.send(1, 0, 0);
    let due = table.pieces.next_reread().expect("block 1 is due");
    assert_eq!(table.pieces.next_reread(), None, "one at a time");
    table.pieces.handle_reread(due, &[]);
    table.pieces.assert_invariants();
    assert_eq!(table.picked(2, &seed, 9)[..2], [(0, 0), (0, 1)]);
}

#[test]
fn who_alone_sent_a_bad_piece_is_guilty_and_its_other_blocks_are_dropped() {
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

/// Piece 0 of a table of eight, four blocks each, comes from peers 1 and 2; what 2 sent of it is wrong. Both have all.
fn spoilt_by_two() -> (Table, Holdings) {
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
    assert_eq!(
        table.verdicts(),
        [(0, false, vec![])],
        "nobody is known to be guilty"
    );
    (table, seed)
}

#[test]
fn of_several_senders_the_repetition_tells_who_lied() {
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
    assert_eq!(table.pieces.state(0), State::Held);
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
    assert_eq!(table.pieces.state(1), State::Open);
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
fn a_repetition_that_comes_to_nothing_begins_anew() {
    let (mut table, seed) = spoilt_by_two();
    for round in 0..limits::SOLO_RESTARTS {
        let who = 10 + round as Who;
        assert_eq!(table.picked(who, &seed, 2), numbers(0, 0..2));
        table.send(who, 0, 0);
        if round == 0 {
            table.pieces.late(who, table.block(0, 1));
            assert_eq!(table.send(who, 0, 1), Accepted::Unwanted);
        } else {
            table.pieces.release(who, table.block(0, 1));
        }
        table.pieces.assert_invariants();
        table.pieces.forget(who);
        assert_eq!(table.pieces.state(0), State::Missing);
    }
    // Now it is a piece like others, lest it never be done.
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
