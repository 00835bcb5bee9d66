//! How content is cut: into pieces of one length (the last may be shorter), and pieces into blocks
//! of 16 KiB (the last may be shorter). The only file that divides by the piece length.

/// What is asked for in one request: 16 KiB, the only size that every client serves (BEP 3).
pub const BLOCK: u32 = 16 * 1024;

/// A run of bytes within one piece, as `request`, `piece` and `cancel` name it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Block {
    /// Index of the piece.
    pub piece: u32,
    /// Offset within the piece, in bytes.
    pub begin: u32,
    /// Length in bytes.
    pub len: u32,
}

/// The measures of one torrent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Geometry {
    size: u64,
    piece_length: u32,
    pieces: u32,
}

impl Geometry {
    /// The geometry of a torrent before its metadata are known: no torrent has pieces of this
    /// length.
    pub const UNKNOWN: Geometry = Geometry {
        size: 1,
        piece_length: u32::MAX,
        pieces: 1,
    };

    /// The geometry of `size` bytes in pieces of `piece_length`; `None` if either is zero or there
    /// are more than 2³² − 1 pieces.
    pub fn new(size: u64, piece_length: u32) -> Option<Geometry> {
        if size == 0 || piece_length == 0 {
            return None;
        }
        let pieces = u32::try_from(size.div_ceil(u64::from(piece_length))).ok()?;
        Some(Geometry {
            size,
            piece_length,
            pieces,
        })
    }

    /// Bytes in all.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Bytes in every piece but the last.
    pub fn piece_length(&self) -> u32 {
        self.piece_length
    }

    /// How many pieces there are.
    pub fn pieces(&self) -> u32 {
        self.pieces
    }

    /// Where a piece begins in the content.
    pub fn piece_start(&self, piece: u32) -> u64 {
        u64::from(piece) * u64::from(self.piece_length)
    }

    /// Bytes in this piece; 0 past the end.
    pub fn piece_size(&self, piece: u32) -> u32 {
        let left = self.size.saturating_sub(self.piece_start(piece));
        left.min(u64::from(self.piece_length)) as u32
    }

    /// Blocks in this piece.
    pub fn blocks(&self, piece: u32) -> u32 {
        self.piece_size(piece).div_ceil(BLOCK)
    }

    /// The block of this number in this piece.
    pub fn block(&self, piece: u32, number: u32) -> Block {
        let begin = number * BLOCK;
        Block {
            piece,
            begin,
            len: self.piece_size(piece).saturating_sub(begin).min(BLOCK),
        }
    }

    /// The number of a block that we would ask for; `None` if it is cut otherwise than we cut.
    pub fn number(&self, block: Block) -> Option<u32> {
        let number = block.begin / BLOCK;
        let known = block.piece < self.pieces && number < self.blocks(block.piece);
        (known && self.block(block.piece, number) == block).then_some(number)
    }

    /// Whether these bytes lie inside a piece.
    pub fn contains(&self, block: Block) -> bool {
        let end = block.begin.checked_add(block.len);
        block.piece < self.pieces
            && block.len > 0
            && end.is_some_and(|end| end <= self.piece_size(block.piece))
    }

    /// Where a block begins in the content.
    pub fn offset(&self, block: Block) -> u64 {
        self.piece_start(block.piece) + u64::from(block.begin)
    }

    /// The pieces that hold any of the bytes `start..start + len`.
    pub fn pieces_of(&self, start: u64, len: u64) -> std::ops::Range<u32> {
        let piece_length = u64::from(self.piece_length);
        let end = start.saturating_add(len).min(self.size);
        if len == 0 || start >= end {
            return 0..0;
        }
        (start / piece_length) as u32..end.div_ceil(piece_length) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_piece_and_block_are_cut_short() {
        let g = Geometry::new(100_000, 40_000).unwrap();
        assert_eq!(
            (
                g.pieces(),
                g.piece_size(1),
                g.piece_size(2),
                g.piece_size(3)
            ),
            (3, 40_000, 20_000, 0)
        );
        assert_eq!((g.blocks(0), g.blocks(2)), (3, 2));
        assert_eq!(
            g.block(0, 2),
            Block {
                piece: 0,
                begin: 32_768,
                len: 7_232
            }
        );
        assert_eq!(
            g.block(2, 1),
            Block {
                piece: 2,
                begin: 16_384,
                len: 3_616
            }
        );
        assert_eq!(g.number(g.block(2, 1)), Some(1));
        assert_eq!(
            g.number(Block {
                piece: 2,
                begin: 16_384,
                len: 16_384
            }),
            None
        );
        assert_eq!(
            g.number(Block {
                piece: 3,
                begin: 0,
                len: 16_384
            }),
            None
        );
        assert_eq!(g.offset(g.block(2, 1)), 96_384);
    }

    #[test]
    fn ranges_stay_inside() {
        let g = Geometry::new(100_000, 40_000).unwrap();
        assert!(g.contains(Block {
            piece: 2,
            begin: 0,
            len: 20_000
        }));
        assert!(!g.contains(Block {
            piece: 2,
            begin: 1,
            len: 20_000
        }));
        assert!(!g.contains(Block {
            piece: 2,
            begin: u32::MAX,
            len: 2
        }));
        assert!(!g.contains(Block {
            piece: 0,
            begin: 0,
            len: 0
        }));
        assert_eq!(g.pieces_of(39_999, 2), 0..2);
        assert_eq!(g.pieces_of(40_000, 0), 0..0);
        assert_eq!(g.pieces_of(80_000, u64::MAX), 2..3);
        assert_eq!(
            (
                Geometry::new(0, 1),
                Geometry::new(1, 0),
                Geometry::new(1 << 40, 1)
            ),
            (None, None, None)
        );
    }
}
