//! A leecher: which blocks it asks for, and what it makes of those that come.

use std::collections::VecDeque;

use brooklet::base::Block;
use brooklet::wire::Message;

use super::super::Failure;
use super::world::World;

/// What a leecher knows.
pub struct Asker {
    choked: bool,
    /// What it asks for next.
    piece: u32,
    block: u32,
    outstanding: VecDeque<Block>,
    /// The block that is coming, and how much of it has come.
    coming: Option<(Block, u32)>,
}

impl Asker {
    /// A leecher that begins with this piece and takes the others after it, round and round.
    pub fn new(piece: u32) -> Asker {
        Asker {
            choked: true,
            piece,
            block: 0,
            outstanding: VecDeque::new(),
            coming: None,
        }
    }

    /// It is unchoked, or choked: then nothing that was asked for will come.
    pub fn choked(&mut self, choked: bool, world: &mut World) {
        self.choked = choked;
        if choked {
            world.left_to_ask += self.outstanding_bytes();
            self.outstanding.clear();
        }
    }

    /// Requests that bring it to its full depth again, if it is far from it.
    pub fn ask(&mut self, world: &mut World, out: &mut Vec<u8>) {
        if self.choked || self.outstanding.len() > world.depth * 7 / 8 {
            return;
        }
        let geometry = world.geometry();
        while self.outstanding.len() < world.depth && world.left_to_ask > 0 {
            let block = geometry.block(self.piece, self.block);
            world.left_to_ask = world.left_to_ask.saturating_sub(block.len.into());
            Message::Request(block).encode(out);
            self.outstanding.push_back(block);
            self.block += 1;
            if self.block == geometry.blocks(self.piece) {
                (self.piece, self.block) = ((self.piece + 1) % geometry.pieces(), 0);
            }
        }
    }

    /// A block begins to come.
    pub fn begins(&mut self, block: Block, world: &mut World) -> Result<(), Failure> {
        let at = self.outstanding.iter().position(|asked| *asked == block);
        let at = at.ok_or_else(|| format!("{block:?} was not asked for"))?;
        self.outstanding.remove(at);
        self.coming = Some((block, 0));
        world.begins();
        Ok(())
    }

    /// A part of it came.
    pub fn part(&mut self, data: &[u8], world: &mut World) -> Result<(), Failure> {
        if let Some((block, begin)) = &mut self.coming {
            world.came(*block, *begin, data)?;
            *begin += data.len() as u32;
        }
        Ok(())
    }

    /// A request was refused (BEP 6): its bytes are asked for in another.
    pub fn refused(&mut self, block: Block, world: &mut World) {
        if let Some(at) = self.outstanding.iter().position(|asked| *asked == block) {
            self.outstanding.remove(at);
            world.left_to_ask += u64::from(block.len);
        }
    }

    /// Bytes asked for and not come.
    pub fn outstanding_bytes(&self) -> u64 {
        let coming = self.coming.map_or(0, |(block, begin)| block.len - begin);
        let blocks = self.outstanding.iter().map(|block| u64::from(block.len));
        blocks.sum::<u64>() + u64::from(coming)
    }
}
