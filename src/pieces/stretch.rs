//! Long stretches of missing content, for one that sends them in order and costs a round trip for
//! each: a web seed. It is given pieces that no peer has begun, one behind the other, and what was
//! begun and left. What it is asked for belongs to it as what a peer is asked for belongs to that.

use std::net::SocketAddr;
use std::ops::Range;

use super::partial_piece::{Claim, NO_OWNER, PartialPiece};
use super::table::Pieces;
use crate::base::{BLOCK, Block, Holdings, PeerKey, limits};

/// Who takes a stretch.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    /// The connection.
    pub peer: PeerKey,
    /// What stands for its sender where blocks are judged.
    pub addr: SocketAddr,
    /// What it has.
    pub have: &'a Holdings,
}

/// Where it is best to begin: at what was begun and left; else at the pieces that fewest peers
/// have, in the longest run of these. `None`: there is no free stretch, or it may begin nothing
/// new since too much of what it shares with others is not verified. A run that another is reading
/// towards is begun in its middle if it has more bytes than `split`.
pub fn begin(pieces: &mut Pieces, reader: Reader<'_>, split: u64) -> Option<u64> {
    pieces.meet(reader.peer, reader.addr);
    if pieces.confinement(reader.peer).is_some() {
        return None;
    }
    let left = |piece: &u32| reader.have.has(*piece);
    let own = [reader.peer, NO_OWNER];
    let left = own.into_iter().find_map(|owner| {
        let mut theirs = pieces.partial.free_of(owner);
        theirs.find_map(|piece| {
            let partial_piece = pieces.partial.get(piece).filter(|_| left(&piece))?;
            let free = may_take(partial_piece, reader.peer);
            let number = partial_piece.first_free(reader.peer).filter(|_| free)?;
            Some(pieces.geometry.piece_start(piece) + u64::from(number * BLOCK))
        })
    });
    left.or_else(|| {
        let piece = best(pieces, reader.have, split)?;
        Some(pieces.geometry.piece_start(piece))
    })
}

/// Takes what is free from this block on, up to the first that is not, and at most so many bytes
/// (rounded up to a block). Where the stretch ends.
pub fn follow(pieces: &mut Pieces, reader: Reader<'_>, from: u64, bytes: u64) -> u64 {
    pieces.meet(reader.peer, reader.addr);
    let geometry = pieces.geometry;
    let mut at = from;
    while at < geometry.size() && at < from + bytes {
        let piece = geometry.pieces_of(at, 1).start;
        let number = ((at - geometry.piece_start(piece)) / u64::from(BLOCK)) as u32;
        let room = (from + bytes - at).div_ceil(u64::from(BLOCK));
        let room = u32::try_from(room).unwrap_or(u32::MAX);
        let taken = take(pieces, reader, (piece, number), room);
        let Some(last) = taken.checked_sub(1) else {
            break;
        };
        let last = geometry.block(piece, number + last);
        at = geometry.offset(last) + u64::from(last.len);
        if number + taken < geometry.blocks(piece) {
            break;
        }
    }
    at
}

/// Where the run of missing pieces ends that begins here, or in a piece of this reader.
pub fn reach(pieces: &Pieces, reader: Reader<'_>, from: u64) -> u64 {
    let geometry = pieces.geometry;
    let mut first = geometry.pieces_of(from, 1).start;
    let owner = pieces.partial.get(first).and_then(|it| it.owner);
    if owner == Some(reader.peer) {
        first += 1;
    }
    let have = reader.have;
    let missing = |&piece: &u32| pieces.rarity.missing().get(piece) && have.has(piece);
    let run = (first..geometry.pieces()).take_while(missing).count() as u32;
    geometry
        .piece_start(first + run)
        .clamp(from, geometry.size())
}

/// The first missing piece among these bytes, from its beginning.
pub fn next_missing(pieces: &Pieces, have: &Holdings, bytes: Range<u64>) -> Option<u64> {
    let geometry = pieces.geometry;
    let len = bytes.end.saturating_sub(bytes.start);
    let mut all = geometry.pieces_of(bytes.start, len);
    let starts_in = |piece: &u32| geometry.piece_start(*piece) >= bytes.start;
    let piece = all
        .find(|piece| starts_in(piece) && pieces.rarity.missing().get(*piece) && have.has(*piece));
    piece.map(|piece| geometry.piece_start(piece))
}

/// Whether any block that it has may be asked for.
pub fn is_anything_free(pieces: &Pieces, have: &Holdings) -> bool {
    let mut partial = pieces.partial.with_free();
    let mut missing = pieces.rarity.missing().ones();
    partial.any(|piece| have.has(piece)) || missing.any(|piece| have.has(piece))
}

/// Where a block begins in the content.
pub fn place(pieces: &Pieces, block: Block) -> u64 {
    pieces.geometry.offset(block)
}

/// The first block that begins here or behind.
pub fn next_block(pieces: &Pieces, at: u64) -> Option<u64> {
    let geometry = pieces.geometry;
    let piece = geometry.pieces_of(at, 1).next()?;
    let start = geometry.piece_start(piece);
    let begin = (at - start).next_multiple_of(u64::from(BLOCK));
    let next = start + begin.min(u64::from(geometry.piece_size(piece)));
    (next < geometry.size()).then_some(next)
}

/// What `of` says of the place of the first piece that it has and that is not whole, or of a place
/// behind it in that piece.
pub fn first_needed<T>(
    pieces: &Pieces,
    have: &Holdings,
    of: impl Fn(u64) -> Option<T>,
) -> Option<T> {
    let geometry = pieces.geometry;
    let needed = pieces.needed.ones().filter(|&piece| have.has(piece));
    let mut blocks = needed.flat_map(|piece| {
        let numbers = 0..geometry.blocks(piece);
        numbers.map(move |number| geometry.offset(geometry.block(piece, number)))
    });
    blocks.find_map(of)
}

fn may_take(partial_piece: &PartialPiece, peer: PeerKey) -> bool {
    partial_piece.owner.is_none_or(|owner| owner == peer)
}

/// Takes blocks of one piece, which becomes its own. How many.
fn take(pieces: &mut Pieces, reader: Reader<'_>, (piece, number): (u32, u32), room: u32) -> u32 {
    if !reader.have.has(piece) {
        return 0;
    }
    if number == 0 && pieces.rarity.missing().get(piece) {
        if pieces.partial.len() >= limits::PARTIAL_PIECES / 2 {
            return 0;
        }
        let mut partial_piece = PartialPiece::new(pieces.geometry, piece);
        partial_piece.solo = pieces.suspects.is_solo(piece);
        pieces.rarity.remove(piece);
        pieces.partial.insert(piece, partial_piece);
    }
    let partial_piece = pieces.partial.get_mut(piece);
    let Some(partial_piece) = partial_piece.filter(|it| may_take(it, reader.peer)) else {
        return 0;
    };
    (partial_piece.owner, partial_piece.claim) = (Some(reader.peer), Claim::Firm);
    let taken = partial_piece.take_run(reader.peer, number, room);
    pieces.settle(piece);
    taken
}

/// The first of the rarest missing pieces in the run of missing pieces that has most of these. A
/// long run that another is reading towards is begun in its middle, and a short one is left to it
/// if `split` is more than what is asked for first.
fn best(pieces: &Pieces, have: &Holdings, split: u64) -> Option<u32> {
    let missing = || {
        pieces
            .rarity
            .missing()
            .ones()
            .filter(|&piece| have.has(piece))
    };
    if pieces.sequential {
        return missing().next();
    }
    let rarest = missing()
        .map(|piece| pieces.rarity.availability(piece))
        .min()?;
    // The run that is looked at: its first piece and first rare one, and how many are rare.
    let mut best: Option<(u32, u32, Range<u32>)> = None;
    let mut run: Option<(u32, u32, Range<u32>)> = None;
    let better = |run: Option<(u32, u32, Range<u32>)>,
                  best: &mut Option<(u32, u32, Range<u32>)>| {
        let most = best.as_ref().map_or(0, |best| best.0);
        if run.as_ref().is_some_and(|run| run.0 > most) {
            *best = run;
        }
    };
    for piece in missing() {
        let rare = pieces.rarity.availability(piece) == rarest;
        match &mut run {
            Some((count, first, span)) if span.end == piece => {
                span.end = piece + 1;
                if *count == 0 {
                    *first = piece;
                }
                *count += u32::from(rare);
            }
            _ => better(
                run.replace((u32::from(rare), piece, piece..piece + 1)),
                &mut best,
            ),
        }
    }
    better(run, &mut best);
    let (_, first, span) = best?;
    let before = span
        .start
        .checked_sub(1)
        .and_then(|it| pieces.partial.get(it));
    let approached = first == span.start && before.is_some_and(|it| it.owner.is_some());
    let length = u64::from(span.end - span.start) * u64::from(pieces.geometry.piece_length());
    if approached && length > split {
        return Some(span.start + (span.end - span.start) / 2);
    }
    if approached && split > limits::WEB_RANGE_FIRST {
        return None;
    }
    Some(first)
}
