//! The partial pieces of the table, and the indices by which they are found: by owner, and by what
//! is due for reading back.

use super::partial_piece::{Filed, NO_OWNER, PartialPiece};
use crate::base::{Block, PeerKey, SortedMap, SortedSet};

/// Every partial piece, by its index in the torrent.
#[derive(Clone, Debug, Default)]
pub(super) struct PartialPieces {
    pieces: SortedMap<u32, PartialPiece>,
    /// Those with free blocks, by owner.
    with_free: SortedSet<(PeerKey, u32)>,
    /// Blocks of partial pieces (solo ones aside) that are neither here nor asked of any peer.
    unasked: u64,
    /// Those of which bytes are due for reading back.
    due: SortedSet<u32>,
    /// Bytes that are being read back, of attempts that are over.
    void: Vec<Block>,
}

impl PartialPieces {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.pieces.len()
    }

    /// How many of them have free blocks.
    pub fn free_count(&self) -> usize {
        self.with_free.len()
    }

    /// Blocks that we neither have nor have asked any peer for; solo pieces are left out.
    pub fn unasked(&self) -> u64 {
        self.unasked
    }

    /// Whether this piece is partial.
    pub fn contains(&self, piece: u32) -> bool {
        self.pieces.contains_key(&piece)
    }

    /// This piece, if it is partial.
    pub fn get(&self, piece: u32) -> Option<&PartialPiece> {
        self.pieces.get(&piece)
    }

    /// The same; after a change to it [`PartialPieces::refile`] is to be called.
    pub fn get_mut(&mut self, piece: u32) -> Option<&mut PartialPiece> {
        self.pieces.get_mut(&piece)
    }

    /// All of them, in the order of their indices.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &PartialPiece)> + '_ {
        self.pieces.iter().map(|(&index, piece)| (index, piece))
    }

    /// All of them, from `start` on and then from the front.
    pub fn iter_from(&self, start: u32) -> impl Iterator<Item = (u32, &PartialPiece)> + '_ {
        let all = self.pieces.range(start..).chain(self.pieces.range(..start));
        all.map(|(&index, piece)| (index, piece))
    }

    /// Those with free blocks, by owner.
    pub fn with_free(&self) -> impl Iterator<Item = u32> + '_ {
        self.with_free.iter().map(|&(_, piece)| piece)
    }

    /// Those with free blocks that have this owner ([`NO_OWNER`]: none).
    pub fn free_of(&self, owner: PeerKey) -> impl Iterator<Item = u32> + '_ {
        let theirs = self.with_free.range((owner, 0)..=(owner, u32::MAX));
        theirs.map(|&(_, piece)| piece)
    }

    /// A piece is partial from now on; then [`PartialPieces::refile`] is to be called.
    pub fn insert(&mut self, piece: u32, partial_piece: PartialPiece) {
        self.pieces.insert(piece, partial_piece);
    }

    /// A piece is not partial any more; true if it was.
    pub fn remove(&mut self, piece: u32) -> bool {
        let Some(mut partial_piece) = self.pieces.remove(&piece) else {
            return false;
        };
        self.void.extend(partial_piece.void_reading());
        self.due.remove(&piece);
        self.file(piece, partial_piece.filed, Filed::default());
        true
    }

    /// Brings the indices up to date with a piece.
    pub fn refile(&mut self, piece: u32) {
        let Some(partial_piece) = self.pieces.get_mut(&piece) else {
            return;
        };
        let owner = partial_piece.firm_owner().unwrap_or(NO_OWNER);
        let filed = Filed {
            under: (partial_piece.free() > 0).then_some(owner),
            unasked: if partial_piece.solo {
                0
            } else {
                partial_piece.unasked()
            },
        };
        let before = std::mem::replace(&mut partial_piece.filed, filed);
        if partial_piece.due().is_some() {
            self.due.insert(piece);
        }
        self.file(piece, before, filed);
    }

    /// The whole of this piece is due for reading back.
    pub fn set_due(&mut self, piece: u32) {
        self.due.insert(piece);
    }

    /// Stops waiting for bytes of this piece that are on their way back.
    pub fn void_reading(&mut self, piece: u32) {
        if let Some(partial_piece) = self.pieces.get_mut(&piece) {
            self.void.extend(partial_piece.void_reading());
        }
    }

    /// Whether bytes are due for reading back.
    pub fn is_reading_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// The next bytes to read back, which are now on their way.
    pub fn start_reading(&mut self) -> Option<Block> {
        while let Some(piece) = self.due.pop_first() {
            // A read from an earlier attempt must return first: it would be taken for this
            // attempt's.
            let void = self.is_void(piece);
            let partial_piece = self.pieces.get_mut(&piece).filter(|_| !void);
            let block = partial_piece.and_then(PartialPiece::start_reading);
            if block.is_some() {
                return block;
            }
        }
        None
    }

    /// These bytes are back. True if they belong to an attempt that is over: then they are ignored.
    pub fn take_void(&mut self, block: Block) -> bool {
        let place = self.void.iter().position(|&void| void == block);
        place.map(|place| self.void.swap_remove(place)).is_some()
    }

    fn is_void(&self, piece: u32) -> bool {
        self.void.iter().any(|block| block.piece == piece)
    }

    fn file(&mut self, piece: u32, before: Filed, now: Filed) {
        self.unasked = self.unasked + u64::from(now.unasked) - u64::from(before.unasked);
        if before.under != now.under {
            let stale = before.under.map(|owner| (owner, piece));
            stale.map(|entry| self.with_free.remove(&entry));
            self.with_free.extend(now.under.map(|owner| (owner, piece)));
        }
    }

    /// Asserts that the indices agree with the pieces.
    pub fn assert_invariants(&self) {
        let (mut unasked, mut with_free) = (0, 0);
        for (&piece, partial_piece) in &self.pieces {
            partial_piece.assert_invariants();
            assert!(
                !partial_piece.is_untouched(),
                "piece {piece} should be Missing"
            );
            if partial_piece.free() > 0 {
                let owner = partial_piece.firm_owner().unwrap_or(NO_OWNER);
                assert!(self.with_free.contains(&(owner, piece)), "piece {piece}");
                with_free += 1;
            }
            if !partial_piece.solo {
                unasked += u64::from(partial_piece.unasked());
            }
            let solo = !partial_piece.solo || partial_piece.contributors().len() <= 1;
            assert!(solo, "piece {piece} may be sent by one peer only");
            let waiting = partial_piece.due().is_none() || self.due.contains(&piece);
            assert!(
                waiting || self.is_void(piece),
                "piece {piece} is never read back"
            );
        }
        assert_eq!(self.unasked, unasked);
        assert_eq!(self.with_free.len(), with_free);
    }
}
