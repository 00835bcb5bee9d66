//! From a block that came in to the verdict on its piece: a block is accepted when it arrives and
//! hashed when it is written; what came out of order is read back; when the whole piece is hashed
//! the hashes are compared and the senders of bad bytes named.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::hashing::Exam;
use super::outcome::{Accepted, Verdict};
use super::table::Pieces;
use crate::base::lanes::{self, Lane};
use crate::base::{Block, PeerKey, PieceHash};

impl Pieces {
    /// A block came in. If it is Fresh, no peer is asked for it any more, and it is to be written
    /// to disk.
    pub fn accept(
        &mut self,
        peer: PeerKey,
        from: SocketAddr,
        block: Block,
        data: &[u8],
    ) -> Accepted {
        let mut asked = std::mem::take(&mut self.last.asked);
        asked.clear();
        let mut accepted = Accepted::Unwanted;
        self.meet(peer, from);
        let barred = self.is_barred(peer, block.piece);
        if let Some((number, partial_piece)) = self.find(block) {
            if barred {
                self.more_to_ask |= partial_piece.release(number, peer);
            } else if data.len() == block.len as usize
                && partial_piece.receive(number, from, &mut asked)
            {
                accepted = Accepted::Fresh;
                let owner = partial_piece.owner;
                if owner != Some(peer) {
                    self.sharing.take_part(from, block.piece);
                    if let Some(owner) = owner {
                        self.expose(owner, block.piece);
                    }
                }
            }
        }
        self.last.asked = asked;
        self.last.block = Some(block);
        self.settle(block.piece);
        self.more_to_ask |= self.is_left(block.piece);
        accepted
    }

    /// Blocks that were Fresh are on disk, in the order in which they came. A piece is judged or
    /// read back only after all its received blocks are on disk.
    pub fn written(&mut self, blocks: &[(Block, &[u8])]) {
        let mut lanes: Vec<Lane<'_>> = Vec::new();
        let mut pieces: Vec<u32> = Vec::new();
        // Where a piece's lane is, if it has one. An index instead of a search, since a piece may
        // be one byte long and so there may be many.
        let mut places: BTreeMap<u32, Option<usize>> = BTreeMap::new();
        for &(block, data) in blocks {
            let place = places.entry(block.piece).or_insert_with(|| {
                pieces.push(block.piece);
                None
            });
            let next = self
                .find(block)
                .and_then(|(number, partial_piece)| partial_piece.written(number));
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
            if let Some(partial_piece) = self.partial.get_mut(lane.piece) {
                *partial_piece.sha1_mut() = lane.hash;
            }
        }
        for piece in pieces {
            self.settle(piece);
        }
    }

    /// The peers besides this one that had been asked for the block that was accepted last: they
    /// get `cancel`. Appends to `out`.
    pub fn also_asked(&self, block: Block, peer: PeerKey, out: &mut Vec<PeerKey>) {
        if self.last.block == Some(block) {
            out.extend(self.last.asked.iter().filter(|&&other| other != peer));
        }
    }

    /// Bytes on disk that are now due for verification, `limits::SLICE` at most: read them and call
    /// [`Pieces::handle_reread`]. Each is named once, and its answer awaited before another of the
    /// same piece is.
    pub fn next_reread(&mut self) -> Option<Block> {
        self.partial.start_reading()
    }

    /// Whether [`Pieces::next_reread`] may have something.
    pub fn is_reread_due(&self) -> bool {
        self.partial.is_reading_due()
    }

    /// The bytes that [`Pieces::next_reread`] named, all of them: where they cannot be read, the
    /// torrent ends.
    pub fn handle_reread(&mut self, block: Block, data: &[u8]) {
        if self.partial.take_void(block) {
            self.settle(block.piece);
            return;
        }
        let Some(partial_piece) = self.partial.get_mut(block.piece) else {
            return;
        };
        if !partial_piece.end_reading(block) {
            return;
        }
        debug_assert_eq!(data.len(), block.len as usize, "a read is whole or fails");
        match partial_piece.exam() {
            None => partial_piece.hash(data),
            Some(Exam::Learn) => {
                self.suspects.learn(block.piece, block.begin, data);
                if partial_piece.examined(block.len) {
                    self.conclude(block.piece, false, Vec::new());
                }
            }
            Some(Exam::Compare) => {
                self.suspects.compare(block.piece, block.begin, data);
                if partial_piece.examined(block.len) {
                    let guilty = self.suspects.close(block.piece);
                    self.conclude(block.piece, true, guilty);
                }
            }
        }
        self.settle(block.piece);
    }

    /// The next piece that passed or failed.
    pub fn next_verdict(&mut self) -> Option<Verdict> {
        self.verdicts.pop_front()
    }

    /// Ends the attempt at a piece that is whole, or first has its blocks compared.
    pub(super) fn compare_hash(&mut self, piece: u32) {
        let Some(partial_piece) = self.partial.get_mut(piece) else {
            return;
        };
        let digest = partial_piece
            .digest()
            .filter(|_| partial_piece.exam().is_none());
        let Some(digest) = digest else {
            return;
        };
        let ok = self.hashes.get(piece as usize) == Some(&PieceHash(digest));
        if ok && self.suspects.can_compare(piece) {
            partial_piece.examine(Exam::Compare);
            self.partial.set_due(piece);
            return;
        }
        if ok {
            self.suspects.close(piece);
            self.conclude(piece, true, Vec::new());
            return;
        }
        let contributors = partial_piece.contributors();
        if contributors.len() == 1 {
            self.conclude(piece, false, contributors);
            return;
        }
        let blocks = self.geometry.blocks(piece);
        let senders = partial_piece.take_senders();
        for &addr in &contributors {
            self.sharing.take_part(addr, piece);
        }
        let room = self.suspects.record(piece, senders, &contributors, blocks);
        match self.partial.get_mut(piece).filter(|_| room) {
            Some(partial_piece) => {
                partial_piece.examine(Exam::Learn);
                self.partial.set_due(piece);
            }
            None => self.conclude(piece, false, Vec::new()),
        }
    }

    fn conclude(&mut self, piece: u32, ok: bool, guilty: Vec<SocketAddr>) {
        self.withdraw(piece);
        self.more_to_ask |= self.sharing.confines(piece);
        if ok {
            self.set_verified(piece);
        } else {
            self.miss(piece);
        }
        for &sender in &guilty {
            self.condemn(sender);
        }
        self.verdicts.push_back(Verdict { piece, ok, guilty });
    }

    /// Drops what a guilty peer sent of pieces that are not whole yet: they would fail as well.
    fn condemn(&mut self, sender: SocketAddr) {
        let pieces: Vec<u32> = self.partial.iter().map(|(piece, _)| piece).collect();
        for piece in pieces {
            let Some(partial_piece) = self.partial.get_mut(piece) else {
                continue;
            };
            if partial_piece.exam().is_none() && partial_piece.strike(sender) {
                self.partial.void_reading(piece);
                self.more_to_ask = true;
                self.settle(piece);
            }
        }
    }
}
