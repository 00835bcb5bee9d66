//! Pieces that are verified and that the disk has lost since, or may have.

use crate::base::Bits;

/// What is wrong with the content on disk.
#[derive(Debug)]
pub struct Damage {
    /// Pieces that cannot be read, or were not written: they are neither served nor recorded as
    /// verified.
    damaged: Bits,
    /// Pieces that could not be read when they were to be checked or sent: they may be there.
    unknown: Vec<u32>,
}

impl Damage {
    /// No damage to a content of this many pieces.
    pub fn new(pieces: u32) -> Damage {
        Damage {
            damaged: Bits::new(pieces),
            unknown: Vec::new(),
        }
    }

    /// Whether nothing is wrong.
    pub fn is_none(&self) -> bool {
        self.damaged.count() == 0 && self.unknown.is_empty()
    }

    /// Whether this piece is damaged.
    pub fn is_damaged(&self, piece: u32) -> bool {
        self.damaged.get(piece)
    }

    /// A block of this piece was not written.
    pub fn on_unwritten(&mut self, piece: u32) {
        self.damaged.set(piece);
    }

    /// This piece could not be read to be checked.
    pub fn on_unchecked(&mut self, piece: u32) {
        self.unknown.push(piece);
    }

    /// This piece could not be read to be sent.
    pub fn on_unreadable(&mut self, piece: u32) {
        if self.damaged.set(piece) {
            self.unknown.push(piece);
        }
    }

    /// Verified pieces, except damaged ones.
    pub fn served(&self, verified: &Bits) -> Bits {
        let mut served = verified.clone();
        for piece in self.damaged.ones() {
            served.clear(piece);
        }
        served
    }

    /// Whether a record of these pieces may be clean. A clean record means that every piece it
    /// omits is missing, so it must not omit one that we merely failed to read.
    pub fn allows_clean(&self, served: &Bits) -> bool {
        self.unknown.iter().all(|&piece| served.get(piece))
    }
}
