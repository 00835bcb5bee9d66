//! The content of a simulated torrent, and disks that hold parts of it. A disk remembers of each
//! block that it is right, or what other bytes were written: a thousand disks share the right bytes
//! with the source.

use std::collections::BTreeMap;
use std::rc::Rc;

use sha1::{Digest as _, Sha1};

use brooklet::base::{BLOCK, Bits, Block, Geometry, PieceHash};

/// The content, and what a metainfo says of it.
pub struct Source {
    /// Its measures.
    pub geometry: Geometry,
    /// SHA-1 of each piece.
    pub hashes: Vec<PieceHash>,
    bytes: Vec<u8>,
}

impl Source {
    /// Content of so many bytes.
    pub fn new(size: u32, piece_length: u32) -> Rc<Source> {
        let geometry = Geometry::new(size.into(), piece_length).expect("there is some content");
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let noise = |_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        };
        let bytes: Vec<u8> = (0..size).map(noise).collect();
        let hash = |piece: &[u8]| PieceHash(Sha1::digest(piece).into());
        Rc::new(Source {
            geometry,
            hashes: bytes.chunks(piece_length as usize).map(hash).collect(),
            bytes,
        })
    }

    /// The right bytes of a run of blocks.
    pub fn read(&self, block: Block) -> &[u8] {
        let start = self.geometry.offset(block) as usize;
        &self.bytes[start..start + block.len as usize]
    }
}

/// One node's disk.
#[derive(Clone)]
pub struct Disk {
    source: Rc<Source>,
    right: Bits,
    wrong: BTreeMap<u32, Vec<u8>>,
}

impl Disk {
    /// An empty one, for a part of this content.
    pub fn new(source: &Rc<Source>) -> Disk {
        let geometry = source.geometry;
        let blocks = geometry.pieces() * geometry.piece_length().div_ceil(BLOCK);
        Disk {
            source: Rc::clone(source),
            right: Bits::new(blocks),
            wrong: BTreeMap::new(),
        }
    }

    /// One that holds everything.
    pub fn full(source: &Rc<Source>) -> Disk {
        let mut disk = Disk::new(source);
        disk.right = Bits::full(disk.right.len());
        disk
    }

    /// Writes a block.
    pub fn write(&mut self, block: Block, data: &[u8]) {
        let number = self.number(block);
        self.right.clear(number);
        self.wrong.remove(&number);
        if data == self.source.read(block) {
            self.right.set(number);
        } else {
            self.wrong.insert(number, data.to_vec());
        }
    }

    /// Reads a run of blocks to the end of `out`; what was never written is zero.
    pub fn read(&self, run: Block, out: &mut Vec<u8>) {
        for begin in (run.begin..run.begin + run.len).step_by(BLOCK as usize) {
            let len = BLOCK.min(run.begin + run.len - begin);
            let block = Block { begin, len, ..run };
            let number = self.number(block);
            if self.right.get(number) {
                out.extend_from_slice(self.source.read(block));
            } else {
                let bytes = self.wrong.get(&number);
                let bytes = bytes.map_or(&[][..], |bytes| &bytes[..len as usize]);
                out.extend_from_slice(bytes);
                out.resize(out.len() + len as usize - bytes.len(), 0);
            }
        }
    }

    /// Whether a piece's bytes are those of the source.
    pub fn is_right(&self, piece: u32) -> bool {
        let mut blocks = 0..self.source.geometry.blocks(piece);
        blocks.all(|number| self.right.get(self.first(piece) + number))
    }

    /// Whether anything was written of a piece.
    pub fn has_any(&self, piece: u32) -> bool {
        let blocks = self.first(piece)..self.first(piece) + self.source.geometry.blocks(piece);
        let mut wrong = self.wrong.range(blocks.clone());
        wrong.next().is_some() || blocks.into_iter().any(|number| self.right.get(number))
    }

    fn first(&self, piece: u32) -> u32 {
        piece * self.source.geometry.piece_length().div_ceil(BLOCK)
    }

    fn number(&self, block: Block) -> u32 {
        assert_eq!(block.begin % BLOCK, 0, "{block:?}");
        self.first(block.piece) + block.begin / BLOCK
    }
}
