//! A piece table with the content that it is about, a disk, and short names for what tests do with
//! them.

use std::collections::VecDeque;
use std::net::SocketAddr;

use brooklet::base::{BLOCK, Bits, Block, Geometry, Holdings, PeerKey, PieceHash, Rng, limits};
use brooklet::pieces::{Accepted, Pieces, Taker};
use sha1::{Digest, Sha1};

pub const ACTIVE: usize = 4;

/// A piece table with the content that it is about, and the disk it writes to.
pub struct Table {
    pub pieces: Pieces,
    pub geometry: Geometry,
    pub content: Vec<u8>,
    pub disk: Vec<u8>,
    pub rereads: Vec<Block>,
    /// Blocks wait to be written until [`Table::write`] is called.
    pub slow: bool,
    pub writes: VecDeque<(Block, usize, Vec<u8>)>,
}

pub fn addr(key: PeerKey) -> SocketAddr {
    SocketAddr::from(([10, 0, (key >> 8) as u8, key as u8], 6881))
}

pub fn bits(len: u32, ones: impl IntoIterator<Item = u32>) -> Bits {
    let mut bits = Bits::new(len);
    for one in ones {
        bits.set(one);
    }
    bits
}

impl Table {
    pub fn new(size: u64, piece_length: u32, sequential: bool, seed: u64) -> Table {
        let geometry = Geometry::new(size, piece_length).expect("a geometry");
        let mut rng = Rng::from_seed(seed);
        let mut content = Vec::with_capacity(size as usize + 8);
        while content.len() < size as usize {
            content.extend(rng.bits64().to_le_bytes());
        }
        content.truncate(size as usize);
        let hashes = content
            .chunks(piece_length as usize)
            .map(|piece| PieceHash(Sha1::digest(piece).into()))
            .collect();
        let wanted = Bits::full(geometry.pieces());
        Table {
            pieces: Pieces::new(geometry, hashes, &wanted, sequential, rng),
            geometry,
            disk: vec![0; size as usize],
            content,
            rereads: Vec::new(),
            slow: false,
            writes: VecDeque::new(),
        }
    }

    /// `pieces` pieces of so many blocks.
    pub fn of(pieces: u32, blocks: u32) -> Table {
        let size = u64::from(pieces) * u64::from(blocks * BLOCK);
        Table::new(size, blocks * BLOCK, false, 1)
    }

    pub fn seed(&self) -> Holdings {
        Holdings::everything(self.geometry.pieces())
    }

    pub fn having(&self, theirs: impl IntoIterator<Item = u32>) -> Holdings {
        Holdings::from(bits(self.geometry.pieces(), theirs))
    }

    pub fn pick_by(&mut self, taker: Taker<'_>) -> Vec<Block> {
        let mut out = Vec::new();
        self.pieces.pick(taker, &mut out);
        self.pieces.assert_invariants();
        out
    }

    pub fn pick(&mut self, key: PeerKey, have: &Holdings, count: usize) -> Vec<Block> {
        self.pick_by(taker(key, have, count))
    }

    /// Picks without any number in the way, as piece and block number.
    pub fn picked(&mut self, key: PeerKey, have: &Holdings, count: usize) -> Vec<(u32, u32)> {
        let blocks = self.pick(key, have, count);
        blocks.iter().map(|b| (b.piece, b.begin / BLOCK)).collect()
    }

    pub fn block(&self, piece: u32, number: u32) -> Block {
        self.geometry.block(piece, number)
    }

    pub fn right(&self, block: Block) -> Vec<u8> {
        let start = self.geometry.offset(block) as usize;
        self.content[start..start + block.len as usize].to_vec()
    }

    pub fn wrong(&self, block: Block) -> Vec<u8> {
        let mut data = self.right(block);
        data[block.len as usize / 2] ^= 1;
        data
    }

    pub fn accept(&mut self, key: PeerKey, block: Block, data: &[u8]) -> Accepted {
        let accepted = self.take(key, block, data);
        self.pieces.assert_invariants();
        accepted
    }

    /// As [`Table::accept`], where looking at everything each time would take too long.
    pub fn take(&mut self, key: PeerKey, block: Block, data: &[u8]) -> Accepted {
        self.take_from(addr(key), key, block, data)
    }

    /// A block of a peer that is not at the address which goes with its key.
    pub fn take_from(
        &mut self,
        from: SocketAddr,
        key: PeerKey,
        block: Block,
        data: &[u8],
    ) -> Accepted {
        let accepted = self.pieces.accept(key, from, block, data);
        if accepted == Accepted::Fresh {
            let start = self.geometry.offset(block) as usize;
            self.writes.push_back((block, start, data.to_vec()));
            while !self.slow && self.write() {}
        }
        accepted
    }

    /// Writes the block that has waited longest to be written; false if none waits.
    pub fn write(&mut self) -> bool {
        let Some((block, start, data)) = self.writes.pop_front() else {
            return false;
        };
        self.disk[start..start + data.len()].copy_from_slice(&data);
        self.pieces.written(&[(block, &data)]);
        true
    }

    pub fn send(&mut self, key: PeerKey, piece: u32, number: u32) -> Accepted {
        let block = self.block(piece, number);
        let data = self.right(block);
        self.accept(key, block, &data)
    }

    pub fn send_wrong(&mut self, key: PeerKey, piece: u32, number: u32) -> Accepted {
        let block = self.block(piece, number);
        let data = self.wrong(block);
        self.accept(key, block, &data)
    }

    pub fn reread(&mut self) {
        while let Some(block) = self.pieces.next_reread() {
            assert!(block.len as usize <= limits::SLICE);
            let start = self.geometry.offset(block) as usize;
            let data = self.disk[start..start + block.len as usize].to_vec();
            self.pieces.handle_reread(block, &data);
            self.pieces.assert_invariants();
            self.rereads.push(block);
        }
    }

    /// Reads back what is due and takes the verdicts.
    pub fn verdicts(&mut self) -> Vec<(u32, bool, Vec<SocketAddr>)> {
        self.reread();
        let mut verdicts = Vec::new();
        while let Some(verdict) = self.pieces.next_verdict() {
            verdicts.push((verdict.piece, verdict.ok, verdict.guilty));
        }
        verdicts
    }

    /// Makes the first four pieces Held, so that the random ones are over.
    pub fn past_random(&mut self) {
        let held = bits(self.geometry.pieces(), 0..limits::RANDOM_FIRST);
        self.pieces.restore(&held);
    }
}

pub fn taker(key: PeerKey, have: &Holdings, count: usize) -> Taker<'_> {
    Taker {
        peer: key,
        addr: addr(key),
        have,
        only: None,
        count,
        active: ACTIVE,
        repeat: true,
        snubs: false,
    }
}

pub fn numbers(piece: u32, numbers: impl IntoIterator<Item = u32>) -> Vec<(u32, u32)> {
    numbers.into_iter().map(|number| (piece, number)).collect()
}
