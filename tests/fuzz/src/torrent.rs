//! The torrents that the machines are fuzzed with: small, and each awkward in its own way.

use std::sync::OnceLock;

use brooklet::base::limits::SERVED_BLOCK;
use brooklet::base::{BLOCK, Block, Geometry, InfoHash, PeerId, PieceHash};
use brooklet::peer::Local;
use sha1::{Digest as _, Sha1};

/// Bytes of content, and of a piece.
const SHAPES: &[(u32, u32)] = &[
    // Pieces of a block, tiny: hashing costs next to nothing.
    (9 * 1000 + 1, 1000),
    // Two blocks a piece, the last one odd.
    (3 * 2 * BLOCK + 20_000, 2 * BLOCK),
    // More blocks than are read back at a time.
    (40 * BLOCK + 5, 20 * BLOCK),
    // Pieces that blocks do not fill.
    (17 * 24_576 - 7, 24_576),
    // One piece, one byte.
    (1, BLOCK),
    // Many pieces: a bitfield of several bytes.
    (70 * 64, 64),
];

/// The info hash of a second torrent, whose content is that of the first.
pub const SECOND: InfoHash = InfoHash([0xaa; 20]);

/// A torrent and its content.
pub struct Torrent {
    pub local: Local,
    pub content: Vec<u8>,
    pub hashes: Vec<PieceHash>,
}

impl Torrent {
    /// One of the torrents, by number.
    pub fn get(number: usize) -> &'static Torrent {
        static TORRENTS: OnceLock<Vec<Torrent>> = OnceLock::new();
        let all = TORRENTS.get_or_init(|| SHAPES.iter().map(Torrent::new).collect());
        &all[number % all.len()]
    }

    fn new(&(size, piece): &(u32, u32)) -> Torrent {
        let content: Vec<u8> = (0..size)
            .map(|at| (at ^ (at >> 7) ^ (at >> 14)) as u8)
            .collect();
        let hash = |piece: &[u8]| PieceHash(Sha1::digest(piece).into());
        Torrent {
            hashes: content.chunks(piece as usize).map(hash).collect(),
            content,
            local: Local {
                info_hash: InfoHash(*b"abcdefghijklmnopqrst"),
                peer_id: PeerId(*b"-bk0100-ABCDEFGHIJKL"),
                dht: false,
                geometry: Geometry::new(size.into(), piece).expect("a torrent has content"),
                unsent: 64 * 1024,
            },
        }
    }

    /// Its measures.
    pub fn geometry(&self) -> Geometry {
        self.local.geometry
    }

    /// Where a block lies in the content; it must lie in it.
    pub fn range(&self, block: Block) -> std::ops::Range<usize> {
        let start = self.geometry().offset(block) as usize;
        start..start + block.len as usize
    }

    /// The bytes of a block as they should be; zeros where it lies outside.
    pub fn block(&self, block: Block) -> Vec<u8> {
        let start = usize::try_from(self.geometry().offset(block)).unwrap_or(usize::MAX);
        let len = block.len.min(SERVED_BLOCK) as usize;
        let rest = self.content.get(start..).unwrap_or_default();
        let mut bytes = rest[..rest.len().min(len)].to_vec();
        bytes.resize(len, 0);
        bytes
    }
}
