//! Hashing a whole content on all cores, for `check` and `create`. Each core takes the next piece that nobody has taken, and reads it
//! in slices small enough to stay in its cache, so that memory does not depend on the content.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use sha1::{Digest as _, Sha1};

use crate::base::geometry::Geometry;
use crate::base::id::PieceHash;

/// Bytes read at a time: small enough that hashing finds them in the core's own cache.
const READ: usize = 64 * 1024;
/// How often progress is told.
const TICK: Duration = Duration::from_millis(200);

/// The hash of each piece; `None` where the content could not be read.
///
/// `reader` makes a reader for each core. It fills a buffer with the bytes from an offset in the content on, and answers whether it
/// could. `tick` is told now and then how many bytes have been hashed.
pub fn pieces<R>(
    geometry: Geometry,
    reader: impl Fn() -> R + Sync,
    mut tick: impl FnMut(u64),
) -> Vec<Option<PieceHash>>
where
    R: FnMut(u64, &mut [u8]) -> bool,
{
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let mut hashes = vec![None; geometry.pieces() as usize];
    let next = AtomicU32::new(0);
    let done = AtomicU64::new(0);
    let work = || {
        let mut read = reader();
        let mut buffer = vec![0; READ];
        let mut found = Vec::new();
        loop {
            // Pieces are so few that going past their number once for each core does not overflow.
            let piece = next.fetch_add(1, Ordering::Relaxed);
            if piece >= geometry.pieces() {
                return found;
            }
            let hash = hash(geometry, piece, &mut buffer, &mut read);
            done.fetch_add(geometry.piece_size(piece).into(), Ordering::Relaxed);
            found.push((piece, hash));
        }
    };
    let (results, finished) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..cores.min(hashes.len()) {
            let results = results.clone();
            scope.spawn(move || results.send(work()));
        }
        drop(results);
        loop {
            match finished.recv_timeout(TICK) {
                Ok(found) => {
                    for (piece, hash) in found {
                        hashes[piece as usize] = hash;
                    }
                }
                Err(RecvTimeoutError::Timeout) => tick(done.load(Ordering::Relaxed)),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
    });
    hashes
}

fn hash(
    geometry: Geometry,
    piece: u32,
    buffer: &mut [u8],
    read: &mut impl FnMut(u64, &mut [u8]) -> bool,
) -> Option<PieceHash> {
    let mut sha = Sha1::new();
    let mut offset = geometry.piece_start(piece);
    let end = offset + u64::from(geometry.piece_size(piece));
    while offset < end {
        let len = (end - offset).min(buffer.len() as u64) as usize;
        let part = &mut buffer[..len];
        if !read(offset, part) {
            return None;
        }
        sha.update(part);
        offset += len as u64;
    }
    Some(PieceHash(sha.finalize().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_is_hashed_and_what_cannot_be_read_is_none() {
        let content: Vec<u8> = (0..1_000_003).map(|i| (i * 7 % 251) as u8).collect();
        let geometry = Geometry::new(content.len() as u64, 70_000).unwrap();
        let reader = || {
            |offset: u64, buffer: &mut [u8]| {
                let start = offset as usize;
                buffer.copy_from_slice(&content[start..start + buffer.len()]);
                !(start..start + buffer.len()).contains(&500_000)
            }
        };
        let hashes = pieces(geometry, reader, |_| {});
        assert_eq!(hashes.len(), 15);
        for (index, piece) in content.chunks(70_000).enumerate() {
            let expected = PieceHash(Sha1::digest(piece).into());
            let readable = index != 500_000 / 70_000;
            assert_eq!(hashes[index], readable.then_some(expected), "piece {index}");
        }
    }
}
