//! What is always true of the piece table, in one place. Tests and simulations call it after every step.

use super::table::{NOBODY, Pieces};

impl Pieces {
    /// Asserts that each piece is in exactly one state, that everything derived from the open pieces agrees with them, and that
    /// bounds hold. Costs a pass over all pieces.
    pub fn assert_invariants(&self) {
        self.rarity.assert_invariants();
        self.suspects.assert_invariants();
        self.assert_parties();
        let mut done = 0;
        for piece in 0..self.geometry.pieces() {
            let missing = self.rarity.missing().get(piece);
            let open = self.open.contains_key(&piece);
            let held = self.held.get(piece);
            let states = u32::from(missing) + u32::from(open) + u32::from(held);
            assert!(states <= 1, "piece {piece} is in {states} states");
            assert_eq!(self.needed.get(piece), missing || open, "piece {piece}");
            done += u64::from(held) * u64::from(self.geometry.piece_size(piece));
        }
        assert!(self.done <= done && self.done <= self.wanted());
        let mut unasked = 0;
        let mut partial = 0;
        for (&piece, progress) in &self.open {
            progress.assert_invariants();
            assert!(!progress.is_untouched(), "piece {piece} should be Missing");
            if progress.free() > 0 {
                let owner = progress.keeper().unwrap_or(NOBODY);
                assert!(self.partial.contains(&(owner, piece)), "piece {piece}");
                partial += 1;
            }
            if !progress.solo {
                unasked += u64::from(progress.unasked());
            }
            let solo = !progress.solo || progress.contributors().len() <= 1;
            assert!(solo, "piece {piece} is one peer's alone");
            let waiting = progress.due().is_none() || self.due.contains(&piece);
            let void = self.void.iter().any(|block| block.piece == piece);
            assert!(waiting || void, "piece {piece} is never read back");
        }
        assert_eq!(self.unasked, unasked);
        assert_eq!(self.partial.len(), partial);
    }
}
