//! Hashing what is on disk, in slices, so that the event loop can do it between other work.
//!
//! In a loop: [`Check::next_slice`] says which bytes to read; [`Check::take`] is given them, or
//! [`Check::fail`] is told that they cannot be read. Either answers when a piece is decided. A
//! sparse file is mostly holes, which read as zeros: where the next piece lies in one,
//! [`Check::hole`] decides it without reading, as soon as the digest of such a piece is known.

use sha1::{Digest as _, Sha1};

use crate::base::{Bits, Block, Geometry, PieceHash, limits};

/// The pieces to be hashed, and how far it is with them.
#[derive(Clone, Debug)]
pub struct Check {
    geometry: Geometry,
    /// Pieces not decided yet. The lowest is being hashed.
    todo: Bits,
    piece: Option<u32>,
    begin: u32,
    sha: Sha1,
    /// Whether the piece at hand lies in a hole.
    hole: bool,
    /// Digest of a whole piece of zeros, once one went by.
    zeros: Option<PieceHash>,
    done: u64,
    total: u64,
}

/// A piece that was checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Checked {
    /// Its index.
    pub piece: u32,
    /// Whether its SHA-1 is what the torrent says.
    pub ok: bool,
}

impl Check {
    /// A check of these pieces. The others are left alone: they are trusted, or known to be absent.
    pub fn new(geometry: Geometry, pieces: Bits) -> Check {
        let size = |piece| u64::from(geometry.piece_size(piece));
        let (first, total) = (pieces.ones().next(), pieces.ones().map(size).sum());
        Check {
            geometry,
            todo: pieces,
            piece: first,
            begin: 0,
            sha: Sha1::new(),
            hole: false,
            zeros: None,
            done: 0,
            total,
        }
    }

    /// What to read next, at most [`limits::SLICE`] bytes; `None` when every piece is decided.
    pub fn next_slice(&self) -> Option<Block> {
        let piece = self.piece?;
        let left = self.geometry.piece_size(piece) - self.begin;
        Some(Block {
            piece,
            begin: self.begin,
            len: left.min(limits::SLICE as u32),
        })
    }

    /// The piece that [`Check::next_slice`] is about to begin; `None` in the middle of one. Worth
    /// asking whether it is a hole.
    pub fn beginning(&self) -> Option<u32> {
        self.piece.filter(|_| self.begin == 0)
    }

    /// The piece about to be begun lies in a hole: answers at once, or `None` if it must be read
    /// after all.
    pub fn hole(&mut self, hashes: &[PieceHash]) -> Option<Checked> {
        let piece = self.beginning()?;
        // The last piece may be shorter, and then has another digest.
        if self.geometry.piece_size(piece) != self.geometry.piece_length() {
            return None;
        }
        self.hole = true;
        let digest = self.zeros?;
        Some(self.decide(piece, hashes.get(piece as usize) == Some(&digest)))
    }

    /// Takes the bytes of [`Check::next_slice`], all of them. Answers when they were the last of
    /// their piece.
    pub fn take(&mut self, data: &[u8], hashes: &[PieceHash]) -> Option<Checked> {
        let slice = self.next_slice()?;
        assert_eq!(data.len(), slice.len as usize, "a slice is taken whole");
        self.sha.update(data);
        self.begin += slice.len;
        self.done += u64::from(slice.len);
        if self.begin < self.geometry.piece_size(slice.piece) {
            return None;
        }
        let digest = PieceHash(self.sha.finalize_reset().into());
        if self.hole {
            self.zeros = Some(digest);
        }
        Some(self.decide(
            slice.piece,
            hashes.get(slice.piece as usize) == Some(&digest),
        ))
    }

    /// The bytes of [`Check::next_slice`] cannot be read: their piece is not there.
    pub fn fail(&mut self) -> Option<Checked> {
        self.sha.reset();
        Some(self.decide(self.piece?, false))
    }

    /// Bytes decided, of how many.
    pub fn progress(&self) -> (u64, u64) {
        (self.done, self.total)
    }

    fn decide(&mut self, piece: u32, ok: bool) -> Checked {
        self.done += u64::from(self.geometry.piece_size(piece) - self.begin);
        self.begin = 0;
        self.hole = false;
        self.todo.clear(piece);
        // From here on, not from the start: there may be millions.
        self.piece = self.todo.common(&self.todo, piece).next();
        Checked { piece, ok }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIECE: usize = limits::SLICE + 1000;

    fn hash(data: &[u8]) -> PieceHash {
        PieceHash(Sha1::digest(data).into())
    }

    /// Content of three and a half pieces, the third all zeros, with its hashes.
    fn content() -> (Vec<u8>, Geometry, Vec<PieceHash>) {
        let mut content: Vec<u8> = (0..PIECE * 7 / 2).map(|i| (i * 31 / 8) as u8).collect();
        content[2 * PIECE..3 * PIECE].fill(0);
        let hashes = content.chunks(PIECE).map(hash).collect();
        let geometry = Geometry::new(content.len() as u64, PIECE as u32).unwrap();
        (content, geometry, hashes)
    }

    fn run(check: &mut Check, content: &[u8], hashes: &[PieceHash]) -> Vec<(u32, bool)> {
        let mut verdicts = Vec::new();
        while let Some(slice) = check.next_slice() {
            assert!(slice.len as usize <= limits::SLICE);
            let start = slice.piece as usize * PIECE + slice.begin as usize;
            let data = &content[start..start + slice.len as usize];
            verdicts.extend(check.take(data, hashes).map(|v| (v.piece, v.ok)));
        }
        verdicts
    }

    #[test]
    fn whole_content_passes_and_one_wrong_byte_fails_its_piece() {
        let (mut content, geometry, hashes) = content();
        let mut check = Check::new(geometry, Bits::full(4));
        let all_ok = [(0, true), (1, true), (2, true), (3, true)];
        assert_eq!(run(&mut check, &content, &hashes), all_ok);
        assert_eq!(check.progress(), (geometry.size(), geometry.size()));
        content[PIECE] ^= 1;
        let mut check = Check::new(geometry, Bits::full(4));
        let verdicts = run(&mut check, &content, &hashes);
        assert_eq!(verdicts, [(0, true), (1, false), (2, true), (3, true)]);
    }

    #[test]
    fn only_what_is_asked_for_is_read_and_counted() {
        let (content, geometry, hashes) = content();
        let mut pieces = Bits::new(4);
        pieces.set(1);
        pieces.set(3);
        let mut check = Check::new(geometry, pieces);
        assert_eq!(check.progress(), (0, (PIECE + PIECE / 2) as u64));
        assert_eq!(run(&mut check, &content, &hashes), [(1, true), (3, true)]);
        assert_eq!(Check::new(geometry, Bits::new(4)).next_slice(), None);
    }

    #[test]
    fn what_cannot_be_read_is_not_there_and_leaves_no_trace() {
        let (content, geometry, hashes) = content();
        let mut check = Check::new(geometry, Bits::full(4));
        assert_eq!(check.take(&content[..limits::SLICE], &hashes), None);
        let failed = Checked {
            piece: 0,
            ok: false,
        };
        assert_eq!(check.fail(), Some(failed));
        assert_eq!(check.progress().0, PIECE as u64);
        assert_eq!(
            run(&mut check, &content, &hashes),
            [(1, true), (2, true), (3, true)]
        );
        assert_eq!(check.fail(), None);
    }

    #[test]
    fn holes_are_read_once() {
        let hashes: Vec<PieceHash> = [vec![1; PIECE], vec![0; PIECE], vec![0; PIECE], vec![0; 9]]
            .iter()
            .map(|piece| hash(piece))
            .collect();
        let geometry = Geometry::new(3 * PIECE as u64 + 9, PIECE as u32).unwrap();
        let mut check = Check::new(geometry, Bits::full(4));
        let zeros = vec![0; PIECE];
        assert_eq!(check.hole(&hashes), None, "the digest is not known yet");
        assert_eq!(check.take(&zeros[..limits::SLICE], &hashes), None);
        assert_eq!(check.hole(&hashes), None, "not in the middle of a piece");
        let verdict = |piece, ok| Some(Checked { piece, ok });
        assert_eq!(check.take(&zeros[..1000], &hashes), verdict(0, false));
        assert_eq!(check.hole(&hashes), verdict(1, true));
        assert_eq!(check.hole(&hashes), verdict(2, true));
        assert_eq!(check.hole(&hashes), None, "the last piece is shorter");
        assert_eq!(check.take(&[0; 9], &hashes), verdict(3, true));
        assert_eq!(check.progress(), (geometry.size(), geometry.size()));
    }

    #[test]
    fn a_piece_that_was_no_hole_does_not_stand_for_zeros() {
        let (content, geometry, hashes) = content();
        let mut check = Check::new(geometry, Bits::full(4));
        assert_eq!(check.take(&content[..limits::SLICE], &hashes), None);
        check.take(&content[limits::SLICE..PIECE], &hashes);
        assert_eq!(check.hole(&hashes), None);
    }
}
