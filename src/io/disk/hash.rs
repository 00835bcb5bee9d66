//! Hashing a whole content on all cores, for `check` and `create`. Each core takes the next few
//! pieces that are not taken yet, hashes them together (see [`lanes`]), and reads them in slices
//! small enough to stay in its cache, so that memory does not depend on the content.

use std::array;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use sha1::{Digest as _, Sha1};

use crate::base::lanes::{self, LANES, Lane};
use crate::base::{Geometry, PieceHash};
use crate::io::channel::{Missing, channel};

/// Bytes read at a time: small enough that hashing finds those of all lanes in the core's own
/// cache.
const READ: usize = 64 * 1024;
/// How often progress is told.
const TICK: Duration = Duration::from_millis(200);

/// The hash of each piece; `None` where the content could not be read.
///
/// `reader` makes a reader for each core. It fills a buffer with the bytes from an offset in the
/// content on, and answers whether it could. `tick` is told now and then how many bytes have been
/// hashed.
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
    // Where there are few pieces, every core is to have some.
    let share = hashes.len().div_ceil(cores).min(LANES) as u32;
    let next = AtomicU32::new(0);
    let done = AtomicU64::new(0);
    let work = || {
        let mut read = reader();
        let mut taken: [Taken; LANES] = array::from_fn(|_| Taken::new());
        let mut found = Vec::new();
        loop {
            // What is taken is a share more than there is at most, for each core: this does not
            // overflow.
            let first = next.fetch_add(share, Ordering::Relaxed);
            if first >= geometry.pieces() {
                return found;
            }
            let last = first.saturating_add(share).min(geometry.pieces());
            found.extend(hash(geometry, first..last, &mut taken, &mut read));
            let (from, to) = (geometry.piece_start(first), geometry.piece_start(last));
            done.fetch_add(to.min(geometry.size()) - from, Ordering::Relaxed);
        }
    };
    let (results, finished) = channel();
    thread::scope(|scope| {
        let mut begun = 0;
        for _ in 0..cores.min(hashes.len()) {
            let results = results.clone();
            let thread = thread::Builder::new();
            let thread = thread.spawn_scoped(scope, move || results.send(work()));
            begun += usize::from(thread.is_ok());
        }
        if begun == 0 {
            // The system has no more threads.
            let _ = results.send(work());
        }
        drop(results);
        loop {
            match finished.recv_timeout(TICK) {
                Ok(found) => {
                    for (piece, hash) in found {
                        hashes[piece as usize] = hash;
                    }
                }
                Err(Missing::Yet) => tick(done.load(Ordering::Relaxed)),
                Err(Missing::ForEver) => break,
            }
        }
    });
    hashes
}

/// Fills a buffer with the bytes from an offset on, and answers whether it could.
type Read<'a> = &'a mut dyn FnMut(u64, &mut [u8]) -> bool;

/// One of the pieces that a core hashes at once.
struct Taken {
    piece: u32,
    /// What is to be read next, in the content.
    unread: Range<u64>,
    /// `None` once it could not be read.
    sha: Option<Sha1>,
    buffer: Vec<u8>,
    /// Bytes in the buffer that are to be hashed.
    filled: usize,
}

impl Taken {
    fn new() -> Taken {
        Taken {
            piece: 0,
            unread: 0..0,
            sha: None,
            buffer: vec![0; READ],
            filled: 0,
        }
    }

    fn start_piece(&mut self, geometry: Geometry, piece: u32) {
        let start = geometry.piece_start(piece);
        self.piece = piece;
        self.unread = start..start + u64::from(geometry.piece_size(piece));
        self.sha = Some(Sha1::new());
    }

    /// Reads the next slice. There is none any more at the end, or where it cannot be read.
    fn fill(&mut self, read: Read<'_>) {
        let offset = self.unread.start;
        self.filled = (self.unread.end - offset).min(READ as u64) as usize;
        if self.filled > 0 && !read(offset, &mut self.buffer[..self.filled]) {
            (self.sha, self.filled) = (None, 0);
            self.unread.start = self.unread.end;
        }
        self.unread.start += self.filled as u64;
    }

    fn finish(&mut self) -> (u32, Option<PieceHash>) {
        let sha = self.sha.take();
        (self.piece, sha.map(|sha| PieceHash(sha.finalize().into())))
    }
}

/// Hashes these pieces, no more than can be taken.
fn hash(
    geometry: Geometry,
    pieces: Range<u32>,
    taken: &mut [Taken; LANES],
    read: Read<'_>,
) -> impl Iterator<Item = (u32, Option<PieceHash>)> {
    let taken = &mut taken[..pieces.len()];
    for (one, piece) in taken.iter_mut().zip(pieces) {
        one.start_piece(geometry, piece);
    }
    loop {
        taken.iter_mut().for_each(|one| one.fill(read));
        let mut lanes: Vec<Lane<'_>> = Vec::with_capacity(LANES);
        let mut hashes: Vec<&mut Sha1> = Vec::with_capacity(LANES);
        for one in taken.iter_mut().filter(|one| one.filled > 0) {
            if let Some(sha) = &mut one.sha {
                lanes.push(Lane {
                    piece: one.piece,
                    hash: std::mem::take(sha),
                    parts: vec![&one.buffer[..one.filled]],
                });
                hashes.push(sha);
            }
        }
        if lanes.is_empty() {
            return taken.iter_mut().map(Taken::finish);
        }
        lanes::hash(&mut lanes);
        for (hash, lane) in hashes.into_iter().zip(lanes) {
            *hash = lane.hash;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::lanes::STEP;

    /// Hashes content of this size, of which the byte at `lost` cannot be read, and compares with
    /// each piece hashed on its own.
    fn try_out(size: usize, piece_length: usize, lost: usize) {
        let content: Vec<u8> = (0..size).map(|i| (i * 7 % 251) as u8).collect();
        let geometry = Geometry::new(size as u64, piece_length as u32).unwrap();
        let asked = AtomicU64::new(0);
        let reader = || {
            |offset: u64, buffer: &mut [u8]| {
                let start = offset as usize;
                let end = start + buffer.len();
                assert!(!buffer.is_empty(), "nothing is asked for");
                assert_eq!(start / piece_length, (end - 1) / piece_length, "two pieces");
                asked.fetch_add(buffer.len() as u64, Ordering::Relaxed);
                buffer.copy_from_slice(&content[start..end]);
                !(start..end).contains(&lost)
            }
        };
        let hashes = pieces(geometry, reader, |_| {});
        let expected = content.chunks(piece_length).enumerate();
        let expected: Vec<_> = expected
            .map(|(index, piece)| {
                (index != lost / piece_length).then(|| PieceHash(Sha1::digest(piece).into()))
            })
            .collect();
        assert!(hashes == expected, "{size} bytes in {piece_length}");
        let asked = asked.into_inner();
        if lost < size {
            assert!(asked < size as u64 + READ as u64, "{asked} of {size}")
        } else {
            assert_eq!(asked, size as u64, "each byte is read once")
        }
    }

    #[test]
    fn every_piece_is_hashed_and_what_cannot_be_read_is_none() {
        let odd = READ + 4_465;
        for lost in [0, 500_000, 999_999, 1_000_002] {
            try_out(1_000_003, odd, lost);
        }
        // As many pieces as lanes, one more, one less; longer and shorter than a slice and a step,
        // and of just their length.
        for pieces in 1..=2 * LANES + 1 {
            for piece_length in [1, STEP - 1, STEP, READ - 1, READ, odd, 2 * READ] {
                let size = pieces * piece_length;
                try_out(size, piece_length, usize::MAX);
                try_out(size - piece_length / 2, piece_length, usize::MAX);
                try_out(size, piece_length, size / 2);
            }
        }
    }
}
