//! The check of what is on disk, with what it needs only as long as it lasts.

use crate::base::{Bits, Block, Geometry, PieceHash};
use crate::storage::Check;
use crate::storage::check::Checked;

/// A check under way.
#[derive(Debug)]
pub struct Checking {
    check: Check,
    hashes: Vec<PieceHash>,
    valid: Bits,
    /// Those of the valid pieces that hold different bytes.
    telling: Bits,
    /// The byte that is repeated in what was read of the piece at hand.
    repeated: Option<u8>,
}

impl Checking {
    /// A check of these pieces against all hashes of the torrent.
    pub fn new(geometry: Geometry, hashes: Vec<PieceHash>, pieces: Bits) -> Checking {
        Checking {
            check: Check::new(geometry, pieces),
            hashes,
            valid: Bits::new(geometry.pieces()),
            telling: Bits::new(geometry.pieces()),
            repeated: None,
        }
    }

    /// What to read next; `None`: it is done.
    pub fn next_slice(&self) -> Option<Block> {
        self.check.next_slice()
    }

    /// The piece about to be begun.
    pub fn beginning(&self) -> Option<u32> {
        self.check.beginning()
    }

    /// The bytes of [`Checking::next_slice`].
    pub fn take(&mut self, data: &[u8]) {
        if self.check.beginning().is_some() {
            self.repeated = data.first().copied();
        }
        let repeated = self.repeated;
        self.repeated = repeated.filter(|byte| data.iter().all(|other| other == byte));
        let verdict = self.check.take(data, &self.hashes);
        self.note(verdict);
        if let (Some(Checked { piece, ok: true }), None) = (verdict, self.repeated) {
            self.telling.set(piece);
        }
    }

    /// The bytes of [`Checking::next_slice`] are not there.
    pub fn fail(&mut self) {
        let verdict = self.check.fail();
        self.note(verdict);
    }

    /// The piece about to be begun lies in a hole; whether that decided it.
    pub fn hole(&mut self) -> bool {
        let verdict = self.check.hole(&self.hashes);
        self.note(verdict);
        verdict.is_some()
    }

    /// The pieces that are whole.
    pub fn valid(&self) -> &Bits {
        &self.valid
    }

    /// The pieces that are whole and more than one byte again and again: zeros lie in many files.
    pub fn telling(&self) -> &Bits {
        &self.telling
    }

    /// Bytes decided, of how many.
    pub fn progress(&self) -> (u64, u64) {
        self.check.progress()
    }

    fn note(&mut self, verdict: Option<Checked>) {
        if let Some(Checked { piece, ok: true }) = verdict {
            self.valid.set(piece);
        }
    }
}
