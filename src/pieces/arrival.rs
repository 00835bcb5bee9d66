//! What comes in: a block is accepted when it arrives, and hashed when it is written.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::table::{Accepted, Pieces, Who};
use crate::base::geometry::Block;
use crate::base::lanes::{self, Lane};

impl Pieces {
    /// A block came in. If it is Fresh, nobody is asked for it any more and the caller writes it to disk.
    pub fn accept(&mut self, who: Who, from: SocketAddr, block: Block, data: &[u8]) -> Accepted {
        let mut asked = std::mem::take(&mut self.asked);
        asked.clear();
        let mut accepted = Accepted::Unwanted;
        self.meet(who, from);
        let barred = self.is_barred(who, block.piece);
        if let Some((number, progress)) = self.find(block) {
            if barred {
                self.news |= progress.release(number, who);
            } else if data.len() == block.len as usize && progress.receive(number, from, &mut asked)
            {
                accepted = Accepted::Fresh;
                let owner = progress.owner;
                if owner != Some(who) {
                    self.take_part(from, block.piece);
                    if let Some(owner) = owner {
                        self.expose(owner, block.piece);
                    }
                }
            }
        }
        self.asked = asked;
        self.accepted = Some(block);
        self.settle(block.piece);
        self.news |= self.is_left(block.piece);
        accepted
    }

    /// Blocks that were Fresh are on disk, in the order in which they came. A piece is neither Held nor read back before they all are.
    pub fn written(&mut self, blocks: &[(Block, &[u8])]) {
        let mut lanes: Vec<Lane<'_>> = Vec::new();
        let mut pieces: Vec<u32> = Vec::new();
        // Where a piece's lane is, if it has one. There may be a piece for each byte: nothing is searched for.
        let mut places: BTreeMap<u32, Option<usize>> = BTreeMap::new();
        for &(block, data) in blocks {
            let place = places.entry(block.piece).or_insert_with(|| {
                pieces.push(block.piece);
                None
            });
            let next = self
                .find(block)
                .and_then(|(number, progress)| progress.written(number));
            let Some(hash) = next else {
                continue;
            };
            if let Some(lane) = place.and_then(|place| lanes.get_mut(place)) {
                lane.parts.push(data);
            } else {
                *place = Some(lanes.len());
                lanes.push(Lane {
                    piece: block.piece,
                    hash: std::mem::take(hash),
                    parts: vec![data],
                });
            }
        }
        lanes::hash(&mut lanes);
        for lane in lanes {
            if let Some(progress) = self.open.get_mut(&lane.piece) {
                *progress.hash_mut() = lane.hash;
            }
        }
        for piece in pieces {
            self.settle(piece);
        }
    }

    /// Who besides this peer had been asked for the block that was accepted last: they get `cancel`. Appends to `out`.
    pub fn also_asked(&self, block: Block, who: Who, out: &mut Vec<Who>) {
        if self.accepted == Some(block) {
            out.extend(self.asked.iter().filter(|&&other| other != who));
        }
    }
}
