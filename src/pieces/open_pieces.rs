//! The open pieces of the table, and the indices by which they are found: by owner, and by what is
//! due for reading back.

use super::open_piece::{Filed, NO_OWNER, OpenPiece};
use crate::base::{Block, PeerKey, SortedMap, SortedSet};

/// Every open piece, by its index in the torrent.
#[derive(Clone, Debug, Default)]
pub(super) struct OpenPieces {
    pieces: SortedMap<u32, OpenPiece>,
    /// Those with free blocks, by owner.
    partial: SortedSet<(PeerKey, u32)>,
    /// Blocks of open pieces (solo ones aside) that are neither here nor asked of any peer.
    unasked: u64,
    /// Those of which bytes are due for reading back.
    due: SortedSet<u32>,
    /// Bytes that are being read back, of tries that are over.
    void: Vec<Block>,
}

impl OpenPieces {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.pieces.len()
    }

    /// How many of them have free blocks.
    pub fn partial_count(&self) -> usize {
        self.partial.len()
    }

    /// Blocks (of solo pieces aside) that are neither here nor asked of any peer.
    pub fn unasked(&self) -> u64 {
        self.unasked
    }

    /// Whether this piece is open.
    pub fn contains(&self, piece: u32) -> bool {
        self.pieces.contains_key(&piece)
    }

    /// This piece, if it is open.
    pub fn get(&self, piece: u32) -> Option<&OpenPiece> {
        self.pieces.get(&piece)
    }

    /// The same; after a change to it [`OpenPieces::refile`] is to be called.
    pub fn get_mut(&mut self, piece: u32) -> Option<&mut OpenPiece> {
        self.pieces.get_mut(&piece)
    }

    /// All of them, in the order of their indices.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &OpenPiece)> + '_ {
        self.pieces.iter().map(|(&index, piece)| (index, piece))
    }

    /// All of them, from `start` on and then from the front.
    pub fn around(&self, start: u32) -> impl Iterator<Item = (u32, &OpenPiece)> + '_ {
        let all = self.pieces.range(start..).chain(self.pieces.range(..start));
        all.map(|(&index, piece)| (index, piece))
    }

    /// Those with free blocks, by owner.
    pub fn partial(&self) -> impl Iterator<Item = u32> + '_ {
        self.partial.iter().map(|&(_, piece)| piece)
    }

    /// Those with free blocks that have this owner ([`NO_OWNER`]: none).
    pub fn partial_of(&self, owner: PeerKey) -> impl Iterator<Item = u32> + '_ {
        let theirs = self.partial.range((owner, 0)..=(owner, u32::MAX));
        theirs.map(|&(_, piece)| piece)
    }

    /// A piece is open from now on; then [`OpenPieces::refile`] is to be called.
    pub fn insert(&mut self, piece: u32, open_piece: OpenPiece) {
        self.pieces.insert(piece, open_piece);
    }

    /// A piece is not open any more; true if it was.
    pub fn remove(&mut self, piece: u32) -> bool {
        let Some(mut open_piece) = self.pieces.remove(&piece) else {
            return false;
        };
        self.void.extend(open_piece.void_reading());
        self.due.remove(&piece);
        self.file(piece, open_piece.filed, Filed::default());
        true
    }

    /// Brings the indices up to date with a piece.
    pub fn refile(&mut self, piece: u32) {
        let Some(open_piece) = self.pieces.get_mut(&piece) else {
            return;
        };
        let owner = open_piece.firm_owner().unwrap_or(NO_OWNER);
        let filed = Filed {
            under: (open_piece.free() > 0).then_some(owner),
            unasked: if open_piece.solo {
                0
            } else {
                open_piece.unasked()
            },
        };
        let before = std::mem::replace(&mut open_piece.filed, filed);
        if open_piece.due().is_some() {
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
        if let Some(open_piece) = self.pieces.get_mut(&piece) {
            self.void.extend(open_piece.void_reading());
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
            let open_piece = self.pieces.get_mut(&piece).filter(|_| !void);
            let block = open_piece.and_then(OpenPiece::start_reading);
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
            stale.map(|entry| self.partial.remove(&entry));
            self.partial.extend(now.under.map(|owner| (owner, piece)));
        }
    }

    /// Asserts that the indices agree with the pieces.
    pub fn assert_invariants(&self) {
        let (mut unasked, mut partial) = (0, 0);
        for (&piece, open_piece) in &self.pieces {
            open_piece.assert_invariants();
            assert!(
                !open_piece.is_untouched(),
                "piece {piece} should be Missing"
            );
            if open_piece.free() > 0 {
                let owner = open_piece.firm_owner().unwrap_or(NO_OWNER);
                assert!(self.partial.contains(&(owner, piece)), "piece {piece}");
                partial += 1;
            }
            if !open_piece.solo {
                unasked += u64::from(open_piece.unasked());
            }
            let solo = !open_piece.solo || open_piece.contributors().len() <= 1;
            assert!(solo, "piece {piece} may be sent by one peer only");
            let waiting = open_piece.due().is_none() || self.due.contains(&piece);
            assert!(
                waiting || self.is_void(piece),
                "piece {piece} is never read back"
            );
        }
        assert_eq!(self.unasked, unasked);
        assert_eq!(self.partial.len(), partial);
    }
}
