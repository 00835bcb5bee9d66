//! Hashing blocks of several pieces at once. Each step of SHA-1 waits for the one before it, so a
//! processor that hashes one piece is idle half of the time. If the steps of several pieces follow
//! each other in turn, it works on them together, since it looks some hundred instructions ahead:
//! 4.3 GB/s instead of 2.2, where the processor has instructions for SHA-1.

use sha1::{Digest as _, Sha1};

/// Pieces hashed at once: two give 1.6 times the rate of one, three twice, four a little more.
pub const LANES: usize = 4;
/// Bytes of a piece that are hashed before it is the next one's turn: SHA-1's own block. With more
/// of them the processor does not see far enough ahead.
pub const STEP: usize = 64;

/// What comes next of one piece.
#[derive(Debug)]
pub struct Lane<'a> {
    /// The piece.
    pub piece: u32,
    /// Its hash so far.
    pub hash: Sha1,
    /// What follows, in order.
    pub parts: Vec<&'a [u8]>,
}

/// Hashes what is in these lanes, so that nothing is left in them.
pub fn hash(lanes: &mut [Lane<'_>]) {
    for lane in &mut *lanes {
        lane.parts.retain(|part| !part.is_empty());
        // The next part is the last, where it is cheap to take.
        lane.parts.reverse();
    }
    let mut waiting = lanes.iter_mut().filter(|lane| !lane.parts.is_empty());
    let mut active: Vec<&mut Lane<'_>> = waiting.by_ref().take(LANES).collect();
    while !active.is_empty() {
        let heads = active.iter_mut().filter_map(|lane| {
            let Lane { hash, parts, .. } = &mut **lane;
            parts.last_mut().map(|part| (hash, part))
        });
        let mut heads: Vec<(&mut Sha1, &mut &[u8])> = heads.collect();
        let shortest = heads.iter().map(|(_, part)| part.len()).min();
        together(&mut heads, shortest.unwrap_or(0));
        for lane in &mut active {
            if lane.parts.last().is_some_and(|part| part.is_empty()) {
                lane.parts.pop();
            }
        }
        active.retain(|lane| !lane.parts.is_empty());
        active.extend(waiting.by_ref().take(LANES - active.len()));
    }
}

/// Hashes this many bytes of each.
fn together(heads: &mut [(&mut Sha1, &mut &[u8])], len: usize) {
    let whole = len - len % STEP;
    if let [(hash, part)] = heads {
        hash.update(&part[..len]);
    } else {
        for at in (0..whole).step_by(STEP) {
            for (hash, part) in &mut *heads {
                hash.update(&part[at..at + STEP]);
            }
        }
        for (hash, part) in &mut *heads {
            hash.update(&part[whole..len]);
        }
    }
    for (_, part) in heads {
        **part = &part[len..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_of_any_length_are_hashed_as_if_alone() {
        let data: Vec<u8> = (0..10_000_u32).map(|n| ((n * n) >> 3) as u8).collect();
        for lengths in [
            vec![0],
            vec![5000],
            vec![64, 64],
            vec![1, 63, 64, 65, 1000, 128, 0],
            vec![9000, 1, 1, 1, 1, 1, 1, 1, 1, 1],
            vec![10_000, 640, 3],
        ] {
            let cut = |piece: usize, len: usize| {
                // In parts of uneven lengths, from different places.
                let from = &data[piece..];
                let len = len.min(from.len());
                (
                    from[..len].chunks(177 + 64 * piece).collect::<Vec<_>>(),
                    &from[..len],
                )
            };
            let mut lanes: Vec<Lane<'_>> = lengths
                .iter()
                .enumerate()
                .map(|(piece, &len)| Lane {
                    piece: piece as u32,
                    hash: Sha1::new(),
                    parts: cut(piece, len).0,
                })
                .collect();
            hash(&mut lanes);
            for (piece, (lane, &len)) in lanes.into_iter().zip(&lengths).enumerate() {
                assert!(lane.parts.is_empty() && lane.piece == piece as u32);
                assert_eq!(
                    lane.hash.finalize(),
                    Sha1::digest(cut(piece, len).1),
                    "{lengths:?}"
                );
            }
        }
    }
}
