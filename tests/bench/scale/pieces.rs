//! The piece table: peers that say what they have, blocks picked among peers that come, go, choke
//! and differ, and whole downloads.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

use brooklet::base::{BLOCK, Bits, Block, Geometry, Holdings, PieceHash, Rng};
use brooklet::pieces::{Accepted, Pieces, Taker};
use sha1::{Digest as _, Sha1};

use super::{Row, Watch, median, resident, row};

/// Blocks of a piece in the course with churn.
const BLOCKS: u32 = 16;
/// Requests in flight to one peer.
const DEPTH: usize = 16;
/// Steps of the course with churn, of which the first half only warms up.
const STEPS: usize = 6_000;
/// Pieces of downloads to the end: small ones, so that hashing does not hide what choosing costs.
const SMALL: u32 = 64;

/// All rows, a value for each of these numbers of pieces.
pub fn rows(sizes: &[u32]) -> Vec<Row> {
    let all = |cost: fn(u32) -> f64| sizes.iter().map(|&pieces| cost(pieces)).collect();
    let (mut picks, mut accepts, mut wholes, mut rares) = (vec![], vec![], vec![], vec![]);
    for &pieces in sizes {
        let mut accepted = Vec::new();
        picks.push(median(|| {
            let (pick, accept) = churn(pieces);
            accepted.push(accept);
            pick
        }));
        accepted.sort_by(f64::total_cmp);
        accepts.push(accepted[accepted.len() / 2]);
        let mut rare = 0.0;
        wholes.push(median(|| {
            let (each, waste) = whole(pieces);
            rare = waste;
            each
        }));
        rares.push(rare);
    }
    vec![
        row("a have", "ns", all(have)),
        row("a block picked (24 peers, churn)", "ns", picks),
        row("a block of 16 KiB accepted, SHA-1 included", "ns", accepts),
        row("a one-block piece, from pick to verdict", "ns", wholes),
        row(
            "  sent by the seed while it had the only copy",
            "of 1",
            rares,
        ),
        row("a seed joins and leaves", "ns", all(seed_joins)),
        row(
            "a half-full peer joins and leaves: O(n)",
            "µs",
            all(half_joins),
        ),
        row("a table is made: O(n)", "µs", all(made)),
        row("  memory of it", "bytes a piece", all(memory)),
    ]
}

struct Other {
    have: Holdings,
    asked: VecDeque<Block>,
}

/// A torrent of zeros: every piece has the same hash.
fn table(pieces: u32, length: u32) -> Pieces {
    let geometry = Geometry::new(u64::from(pieces) * u64::from(length), length).expect("measures");
    let hash = PieceHash(Sha1::digest(vec![0; length as usize]).into());
    let hashes = vec![hash; pieces as usize];
    Pieces::new(
        geometry,
        hashes,
        &Bits::full(pieces),
        false,
        Rng::from_seed(1),
    )
}

/// Somebody who has each piece with a chance of one in `of`.
fn somebody(pieces: u32, of: u64, rng: &mut Rng) -> Holdings {
    let mut bits = Bits::new(pieces);
    for piece in 0..pieces {
        if rng.below(of) == 0 {
            bits.set(piece);
        }
    }
    Holdings::from(bits)
}

/// A quarter seeds, half with half of the pieces, and a quarter with about thirty.
fn swarm(table: &mut Pieces, pieces: u32, peers: usize, rng: &mut Rng) -> Vec<Other> {
    let others = (0..peers).map(|peer| {
        let have = match peer % 4 {
            0 => Holdings::everything(pieces),
            1 | 2 => somebody(pieces, 2, rng),
            _ => somebody(pieces, u64::from(pieces / 30), rng),
        };
        table.joined(&have);
        let asked = VecDeque::new();
        Other { have, asked }
    });
    others.collect()
}

fn have(pieces: u32) -> f64 {
    let (mut table, mut rng) = (table(pieces, BLOCKS * BLOCK), Rng::from_seed(2));
    swarm(&mut table, pieces, 24, &mut rng);
    median(|| {
        let news: Vec<u32> = (0..10_000)
            .map(|_| rng.below(u64::from(pieces)) as u32)
            .collect();
        let start = Instant::now();
        news.iter().for_each(|&piece| table.on_have(piece));
        start.elapsed().as_nanos() as f64 / news.len() as f64
    })
}

fn taker(peer: usize, have: &Holdings, count: usize) -> Taker<'_> {
    Taker {
        peer,
        addr: addr(peer),
        have,
        only: None,
        count,
        active: 24,
        repeat: false,
        snubs: false,
    }
}

/// Nanoseconds for a block picked, and for one accepted, while one peer in fifty chokes us at each
/// step.
fn churn(pieces: u32) -> (f64, f64) {
    let (mut table, mut rng) = (table(pieces, BLOCKS * BLOCK), Rng::from_seed(3));
    // The first few pieces are chosen at random; here it is about what comes after that.
    let mut held = Bits::new(pieces);
    (0..4).for_each(|piece| {
        held.set(piece);
    });
    table.restore(&held);
    let mut others = swarm(&mut table, pieces, 24, &mut rng);
    let zeros = vec![0; BLOCK as usize];
    let (mut picking, mut accepting) = (Watch::default(), Watch::default());
    let (mut picked, mut accepted) = (0, 0);
    let mut out = Vec::new();
    for step in 0..STEPS {
        if step == STEPS / 2 {
            (picking, accepting) = (Watch::default(), Watch::default());
            (picked, accepted) = (0, 0);
        }
        let peer = rng.below(others.len() as u64) as usize;
        let other = &mut others[peer];
        if rng.below(50) == 0 {
            other
                .asked
                .drain(..)
                .for_each(|block| table.release(peer, block));
        } else if let Some(block) = other.asked.pop_front() {
            let from = addr(peer);
            accepting.time(|| {
                if table.accept(peer, from, block, &zeros) == Accepted::Fresh {
                    table.written(&[(block, &zeros)]);
                }
            });
            accepted += 1;
            read_back(&mut table);
        }
        out.clear();
        let taker = taker(peer, &other.have, DEPTH - other.asked.len());
        picking.time(|| table.pick(taker, &mut out));
        picked += out.len();
        other.asked.extend(&out);
    }
    (picking.nanos_each(picked), accepting.nanos_each(accepted))
}

/// What came out of order is read back, and verdicts are passed.
fn read_back(table: &mut Pieces) {
    while let Some(block) = table.next_reread() {
        table.handle_reread(block, &vec![0; block.len as usize]);
    }
    while let Some(verdict) = table.next_verdict() {
        assert!(verdict.ok, "zeros are right");
    }
}

/// A download to the end: nanoseconds for each piece, and how many pieces the only seed had sent
/// when the last rare one was here, for each rare piece. One in twenty is rare: nobody but the seed
/// has it. As the session does it, a peer for which there was nothing is asked again when there is
/// news.
fn whole(pieces: u32) -> (f64, f64) {
    let (mut table, mut rng) = (table(pieces, SMALL), Rng::from_seed(4));
    let rare = |piece: u32| piece % 20 == 0;
    let mut others: Vec<Other> = (0..8)
        .map(|peer| {
            let mut bits = Bits::new(pieces);
            for piece in (0..pieces).filter(|&piece| !rare(piece)) {
                if peer % 4 == 0 || rng.below(2) == 0 {
                    bits.set(piece);
                }
            }
            let have = match peer {
                0 => Holdings::everything(pieces),
                _ => Holdings::from(bits),
            };
            table.joined(&have);
            let asked = VecDeque::new();
            Other { have, asked }
        })
        .collect();
    let zeros = vec![0; SMALL as usize];
    let mut hungry = vec![false; others.len()];
    let mut left = (0..pieces).filter(|&piece| rare(piece)).count();
    let (count, mut sent, mut out) = (left, 0, Vec::new());
    let start = Instant::now();
    while !table.is_complete() {
        for (peer, other) in others.iter_mut().enumerate() {
            if table.take_more_to_ask() {
                hungry.fill(false);
            }
            let room = DEPTH - other.asked.len();
            out.clear();
            if !hungry[peer] {
                table.pick(taker(peer, &other.have, room), &mut out);
                hungry[peer] = out.len() < room;
                other.asked.extend(&out);
            }
            let Some(block) = other.asked.pop_front() else {
                continue;
            };
            hungry[peer] = false;
            if table.accept(peer, addr(peer), block, &zeros) == Accepted::Fresh {
                table.written(&[(block, &zeros)]);
                sent += usize::from(peer == 0 && left > 0);
                left -= usize::from(rare(block.piece));
            }
            read_back(&mut table);
        }
    }
    let each = start.elapsed().as_nanos() as f64 / f64::from(pieces);
    table.assert_invariants();
    (each, sent as f64 / count as f64)
}

fn seed_joins(pieces: u32) -> f64 {
    let mut table = table(pieces, BLOCK);
    let have = Holdings::everything(pieces);
    median(|| {
        let start = Instant::now();
        for _ in 0..1_000 {
            table.joined(&have);
            table.left_swarm(&have);
        }
        start.elapsed().as_nanos() as f64 / 1_000.0
    })
}

fn half_joins(pieces: u32) -> f64 {
    let (mut table, mut rng) = (table(pieces, BLOCK), Rng::from_seed(5));
    swarm(&mut table, pieces, 24, &mut rng);
    let have = somebody(pieces, 2, &mut rng);
    median(|| {
        let start = Instant::now();
        table.joined(&have);
        table.left_swarm(&have);
        start.elapsed().as_nanos() as f64 / 1_000.0
    })
}

fn made(pieces: u32) -> f64 {
    median(|| {
        let start = Instant::now();
        let table = table(pieces, BLOCK);
        let spent = start.elapsed().as_nanos() as f64 / 1_000.0;
        drop(table);
        spent
    })
}

fn memory(pieces: u32) -> f64 {
    let before = resident();
    let many = 1.max(1_000_000 / pieces);
    let tables: Vec<Pieces> = (0..many).map(|_| table(pieces, BLOCK)).collect();
    let each = (resident() - before) / f64::from(many) / f64::from(pieces);
    drop(tables);
    each
}

fn addr(peer: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, peer as u8], 6881))
}
