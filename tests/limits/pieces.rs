//! Pieces: what is asked of whom, and what is remembered of those who lie.

use brooklet::base::{BLOCK, Bits, Duration, Geometry, Holdings, PieceHash, Rng, limits};
use brooklet::pieces::{Accepted, Pieces, State};

use crate::pieces_support::*;
use crate::session::Bench;

const TICK: Duration = Duration::from_micros(1);

/// A table of so many pieces of one block, of which nobody has the content.
fn empty(pieces: u32) -> Pieces {
    let geometry = Geometry::new(u64::from(pieces * BLOCK), BLOCK).unwrap();
    let hashes = vec![PieceHash([0; 20]); pieces as usize];
    Pieces::new(
        geometry,
        hashes,
        &Bits::full(pieces),
        false,
        Rng::from_seed(1),
    )
}

/// The piece that a peer is asked for next; the request is taken back.
fn next(pieces: &mut Pieces, have: &Holdings) -> u32 {
    let mut out = Vec::new();
    pieces.pick(taker(1, have, 1), &mut out);
    pieces.release(1, out[0]);
    out[0].piece
}

#[test]
fn pieces_at_random_before_the_rarest() {
    const PIECES: u32 = 200;
    let firsts = |held: u32| {
        let mut pieces = empty(PIECES);
        let seed = Holdings::everything(PIECES);
        let common = Holdings::from(bits(PIECES, (0..PIECES).filter(|&piece| piece != 77)));
        pieces.joined(&seed);
        pieces.joined(&common);
        pieces.restore(&bits(PIECES, 0..held));
        (0..50).filter(|_| next(&mut pieces, &seed) == 77).count()
    };
    assert!(firsts(limits::RANDOM_FIRST - 1) < 10);
    assert_eq!(firsts(limits::RANDOM_FIRST), 50);
}

/// How often of 100 times a peer is asked for piece 10, of its pieces the rarest, where it also has
/// `more` common ones, and where so many that it lacks are rarer than all.
fn rarest(rarer: u32, more: u32) -> usize {
    const PIECES: u32 = 1_000;
    let mut pieces = empty(PIECES);
    pieces.restore(&bits(PIECES, 0..limits::RANDOM_FIRST));
    let having = |ones: Vec<u32>| Holdings::from(bits(PIECES, ones));
    // These are had by one peer; piece 10 by two; the common ones by three.
    pieces.joined(&having((100..100 + rarer).collect()));
    pieces.joined(&having(vec![10]));
    let common: Vec<u32> = (999 - more..999).collect();
    pieces.joined(&having(common.clone()));
    pieces.joined(&having(common.clone()));
    let theirs = having(common.into_iter().chain([10]).collect());
    pieces.joined(&theirs);
    (0..100)
        .filter(|_| next(&mut pieces, &theirs) == 10)
        .count()
}

#[test]
fn places_looked_at_for_a_rare_piece() {
    let probes = limits::RAREST_PROBES as u32;
    assert_eq!(
        rarest(probes - 1, 700),
        100,
        "it is in the last place looked at"
    );
    assert!(rarest(probes, 700) < 30, "it is in the next");
}

#[test]
fn pieces_compared_where_few_are_had() {
    let (far, sample) = (limits::RAREST_PROBES as u32, limits::RAREST_SAMPLE as u32);
    assert_eq!(rarest(far, sample - 1), 100, "all it has are compared");
    assert!(
        rarest(far, sample) < 50,
        "one too many: mostly this one is left out"
    );
}

#[test]
fn partial_pieces() {
    let most = limits::PARTIAL_PIECES;
    let mut pieces = empty(most as u32 + 10);
    let (seed, mut out) = (Holdings::everything(most as u32 + 10), Vec::new());
    pieces.pick(taker(1, &seed, most), &mut out);
    assert_eq!((out.len(), pieces.partial_count()), (most, most));
    pieces.pick(taker(1, &seed, 1), &mut out);
    assert_eq!((out.len(), pieces.partial_count()), (most, most));
}

#[test]
fn partial_pieces_looked_at_in_the_end_game() {
    for more in [0, 100] {
        let count = limits::END_GAME_PROBES as u32 + more;
        let (mut pieces, seed) = (empty(count), Holdings::everything(count));
        let (mut first, mut second) = (Vec::new(), Vec::new());
        pieces.joined(&seed);
        pieces.pick(taker(1, &seed, 9_999), &mut first);
        pieces.pick(taker(2, &seed, 9_999), &mut second);
        assert_eq!(
            (first.len(), second.len()),
            (count as usize, limits::END_GAME_PROBES)
        );
    }
}

/// In the end game everybody sends all that it was asked for, whatever is cancelled: the most that
/// can be wasted.
#[test]
fn the_waste_of_the_end_game() {
    const PEERS: usize = 8;
    for (count, blocks) in [(1, 8), (3, 8), (20, 2), (40, 1)] {
        let mut table = Table::of(count, blocks);
        let seed = table.seed();
        (0..PEERS).for_each(|_| table.pieces.joined(&seed));
        let ask = |table: &mut Table, asked: &mut Vec<_>| {
            for who in 0..PEERS {
                let blocks = table.pick(who, &seed, 9_999);
                asked.extend(blocks.into_iter().map(|block| (who, block)));
            }
        };
        // The first is asked for everything: all that is outstanding when the end game begins.
        let mut asked = Vec::new();
        ask(&mut table, &mut asked);
        let outstanding = (count * blocks) as usize;
        let (mut fresh, mut wasted) = (0, 0);
        while !asked.is_empty() {
            let (who, block) = asked.remove(0);
            let data = table.right(block);
            match table.take(who, block, &data) {
                Accepted::Fresh => fresh += 1,
                Accepted::Unwanted => wasted += 1,
            }
            table.verdicts();
            ask(&mut table, &mut asked);
        }
        assert!(table.pieces.is_complete() && fresh == outstanding);
        let most = (limits::END_GAME - 1) * outstanding + (limits::LAST_BLOCK - limits::END_GAME);
        assert!(
            wasted <= most,
            "{wasted} blocks of {outstanding} came twice"
        );
        assert!(wasted > 0, "there is an end game");
    }
}

#[test]
fn peers_that_are_asked_for_a_block() {
    let mut table = Table::of(1, 2);
    let seed = table.seed();
    table.pieces.joined(&seed);
    let asked = |table: &mut Table| {
        let all = (1..9).filter(|&who| !table.pick(who, &seed, 9).is_empty());
        all.count()
    };
    assert_eq!(asked(&mut table), limits::END_GAME);
    table.send(1, 0, 0);
    assert_eq!(asked(&mut table) + limits::END_GAME, limits::LAST_BLOCK);
}

/// Peers that are told of pieces together.
#[test]
fn telling_peers_what_we_have() {
    const PEERS: u16 = 100;
    let mut bench = Bench::getter(200, &[]);
    let keys = bench.crowd(PEERS);
    let (seed, other) = (keys[0], keys[1]);
    bench.says(seed, "have all");
    bench.says(seed, "unchoke");
    let told = |bench: &mut Bench| {
        let said = bench.hears(other);
        said.iter().filter(|said| said.starts_with("have ")).count()
    };
    let mut asked = Vec::new();
    let mut next = |bench: &mut Bench| {
        let before = bench.verified().len();
        while bench.verified().len() == before {
            asked.extend(
                bench
                    .hears(seed)
                    .into_iter()
                    .filter(|said| said.starts_with("request ")),
            );
            let request = asked.remove(0);
            bench.sends_blocks(seed, &[request]);
        }
    };
    told(&mut bench);
    next(&mut bench);
    assert_eq!(told(&mut bench), 1, "the first is told at once");
    for _ in 1..limits::TOLD_AT_ONCE {
        next(&mut bench);
        assert_eq!(told(&mut bench), 0, "no time has passed");
    }
    next(&mut bench);
    assert_eq!(told(&mut bench), limits::TOLD_AT_ONCE);
    next(&mut bench);
    bench.wait(limits::TELL_GAP * u32::from(PEERS) - TICK);
    assert_eq!(told(&mut bench), 0);
    bench.wait(TICK);
    assert_eq!(told(&mut bench), 1);
}

/// More pieces fail than are remembered: what fails then is repeated without evidence, and nobody
/// innocent is banned for it.
#[test]
fn pieces_that_failed() {
    let most = limits::SUSPECT_PIECES as u32;
    let mut table = Table::of(most + 3, 2);
    let seed = table.seed();
    table.pieces.joined(&seed);
    // Of each piece a good peer sends the first block, a liar the second.
    for piece in 0..most + 3 {
        let (good, liar) = (1_000 + 2 * piece as usize, 1_001 + 2 * piece as usize);
        let only = table.having([piece]);
        assert_eq!(table.picked(good, &only, 1), [(piece, 0)]);
        assert_eq!(table.picked(liar, &only, 1), [(piece, 1)]);
        table.send(good, piece, 0);
        table.send_wrong(liar, piece, 1);
        assert_eq!(table.verdicts(), [(piece, false, vec![])]);
    }
    // Those remembered are repeated by one peer alone.
    for piece in 0..most + 3 {
        let only = table.having([piece]);
        assert_eq!(table.picked(1, &only, 1), [(piece, 0)]);
        let helps = !table.pick(2, &only, 1).is_empty();
        assert_eq!(helps, piece >= most, "piece {piece}");
    }
    for piece in 0..most + 3 {
        let only = table.having([piece]);
        table.pick(1, &only, 2);
        table.send(1, piece, 0);
        table.send(1, piece, 1);
        let liar = vec![addr(1_001 + 2 * piece as usize)];
        let guilty = if piece < most { liar } else { vec![] };
        assert_eq!(table.verdicts(), [(piece, true, guilty)]);
    }
    assert!(table.pieces.is_complete());
}

/// A piece so long that the blocks of one more do not fit: its digests take a quarter of the room,
/// and four may fail at a time.
#[test]
fn blocks_of_pieces_that_failed() {
    let blocks = limits::PIECE_LENGTH / BLOCK;
    assert_eq!(
        limits::SUSPECT_DIGESTS,
        limits::SHARED_PARTS * blocks as usize
    );
}

#[test]
fn parts_that_a_host_has_and_what_connecting_anew_changes() {
    let most = limits::SHARED_PARTS as u32;
    let mut table = Table::of(most + 2, 4);
    let seed = table.seed();
    table.pieces.joined(&seed);
    let liar = |port: u16| std::net::SocketAddr::from(([10, 9, 9, 9], port));
    for piece in 0..=most {
        let only = table.having([piece]);
        assert_eq!(table.picked(1, &only, 1), [(piece, 0)]);
        // Each time from another port, and under another key.
        let (who, from) = (100 + piece as usize, liar(1 + piece as u16));
        let blocks = table.pick_by(brooklet::pieces::Taker {
            addr: from,
            ..taker(who, &only, 1)
        });
        // It comes with that many parts already: there is nothing for it where others are at work.
        assert_eq!(blocks.len(), usize::from(piece < most), "piece {piece}");
        let block = table.block(piece, 1);
        let data = table.wrong(block);
        let taken = table.take_from(from, who, block, &data) == Accepted::Fresh;
        assert_eq!(taken, piece < most, "piece {piece}");
        if !taken {
            table.pieces.release(who, block);
        }
        table.pieces.forget(who);
        table.pieces.assert_invariants();
    }
    assert_eq!(table.pieces.state(most), State::Partial);
}

/// Hosts that begin a repetition and do not finish it, and how often one that comes back may.
#[test]
fn repetitions_that_come_to_nothing() {
    for (hosts, tries) in [
        (limits::SOLO_RESTARTS, limits::SOLO_RESTARTS),
        (1, limits::SOLO_TRIES as usize),
    ] {
        let mut table = Table::of(1, 4);
        let seed = table.seed();
        table.pieces.joined(&seed);
        assert_eq!(table.picked(1, &seed, 1), [(0, 0)]);
        assert_eq!(table.picked(2, &seed, 3), numbers(0, 1..4));
        table.send(1, 0, 0);
        (1..4).for_each(|number| {
            table.send_wrong(2, 0, number);
        });
        assert_eq!(table.verdicts(), [(0, false, vec![])]);
        for n in 0..=tries {
            let who = 10 + n % hosts;
            assert_eq!(table.picked(who, &seed, 2), numbers(0, 0..2));
            let helped = !table.pick(50, &seed, 1).is_empty();
            assert_eq!(helped, n == tries, "{n} of {tries}");
            if helped {
                break;
            }
            table.send(who, 0, 0);
            table.pieces.release(who, table.block(0, 1));
            table.pieces.forget(who);
        }
    }
}
