//! How a try at a piece ends: reading back what came out of order, the comparison of hashes, and the blame.

use std::net::SocketAddr;

use super::progress::Exam;
use super::table::Pieces;
use crate::base::geometry::Block;
use crate::base::id::PieceHash;

/// The end of one try at a piece.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// Its index.
    pub piece: u32,
    /// Whether its SHA-1 matched: it is now Held. Otherwise it is Missing again.
    pub ok: bool,
    /// Who is now known to have sent bad bytes for this piece, an address of each host: to be banned.
    pub guilty: Vec<SocketAddr>,
}

impl Pieces {
    /// Bytes on disk that are now due for verification, `limits::SLICE` at most: read them and call [`Pieces::handle_reread`].
    /// Each is named once, and its answer awaited before another of the same piece is.
    pub fn next_reread(&mut self) -> Option<Block> {
        while let Some(piece) = self.due.pop_first() {
            // What a try before was waiting for comes first, lest it be taken for this one's.
            let void = self.void.iter().any(|block| block.piece == piece);
            let progress = self.open.get_mut(&piece).filter(|_| !void);
            let block = progress.and_then(|progress| progress.start_reading());
            if block.is_some() {
                return block;
            }
        }
        None
    }

    /// The bytes that [`Pieces::next_reread`] named; none if they could not be read.
    pub fn handle_reread(&mut self, block: Block, data: &[u8]) {
        if let Some(place) = self.void.iter().position(|&void| void == block) {
            self.void.swap_remove(place);
            self.settle(block.piece);
            return;
        }
        let Some(progress) = self.open.get_mut(&block.piece) else {
            return;
        };
        if !progress.end_reading(block) {
            return;
        }
        let lost = data.len() != block.len as usize;
        match progress.exam() {
            // What the disk lost is asked for again.
            None if lost => {
                progress.reset();
                self.news = true;
            }
            None => progress.hash(data),
            Some(Exam::Learn) => {
                if lost {
                    self.suspects.give_up(block.piece);
                } else {
                    self.suspects.learn(block.piece, block.begin, data);
                }
                if lost || progress.examined(block.len) {
                    self.conclude(block.piece, false, Vec::new());
                }
            }
            Some(Exam::Compare) => {
                if !lost {
                    self.suspects.compare(block.piece, block.begin, data);
                }
                if lost || progress.examined(block.len) {
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

    /// Ends the try of a piece that is whole, or has it examined first.
    pub(super) fn judge(&mut self, piece: u32) {
        let Some(progress) = self.open.get_mut(&piece) else {
            return;
        };
        let digest = progress.digest().filter(|_| progress.exam().is_none());
        let Some(digest) = digest else {
            return;
        };
        let ok = self.hashes.get(piece as usize) == Some(&PieceHash(digest));
        if ok && self.suspects.can_compare(piece) {
            progress.examine(Exam::Compare);
            self.due.insert(piece);
            return;
        }
        if ok {
            self.suspects.close(piece);
            self.conclude(piece, true, Vec::new());
            return;
        }
        let contributors = progress.contributors();
        if contributors.len() == 1 {
            self.conclude(piece, false, contributors);
            return;
        }
        let blocks = self.geometry.blocks(piece);
        let senders = progress.take_senders();
        for &addr in &contributors {
            self.take_part(addr, piece);
        }
        let room = self.suspects.open(piece, senders, &contributors, blocks);
        match self.open.get_mut(&piece).filter(|_| room) {
            Some(progress) => {
                progress.examine(Exam::Learn);
                self.due.insert(piece);
            }
            None => self.conclude(piece, false, Vec::new()),
        }
    }

    fn conclude(&mut self, piece: u32, ok: bool, guilty: Vec<SocketAddr>) {
        self.withdraw(piece);
        self.news |= self.confines(piece);
        if ok {
            self.hold(piece);
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
        let pieces: Vec<u32> = self.open.keys().copied().collect();
        for piece in pieces {
            let Some(progress) = self.open.get_mut(&piece) else {
                continue;
            };
            if progress.exam().is_none() && progress.strike(sender) {
                self.void.extend(progress.void_reading());
                self.news = true;
                self.settle(piece);
            }
        }
    }
}
