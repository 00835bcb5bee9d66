//! The piece table: each piece is Missing, Partial, Verified or Skipped, and which peers are asked
//! for what of it.
//!
//! A piece is Partial from the first request on until its attempt ends; if everything asked comes
//! back unanswered, it is Missing again. Every change to a partial piece ends in `settle`, which
//! files the piece anew: so there is one place where a piece is closed, found due for reading back,
//! or judged. Requests leave by `pick` and come back by `accept` or `release`, and by nothing else.

use std::collections::VecDeque;

use super::outcome::{State, Verdict};
use super::partial_piece::{Claim, PartialPiece};
use super::partial_pieces::PartialPieces;
use super::rarity::Rarity;
use super::sharing::Sharing;
use super::suspects::Suspects;
use crate::base::{Bits, Block, Geometry, Holdings, Padding, PeerKey, PieceHash, Rng, limits};

/// The block that came last, and the peers that had been asked for it.
#[derive(Clone, Debug, Default)]
pub(super) struct LastBlock {
    pub block: Option<Block>,
    pub asked: Vec<PeerKey>,
}

/// The piece table of one torrent.
#[derive(Clone, Debug)]
pub struct Pieces {
    pub(super) geometry: Geometry,
    pub(super) hashes: Vec<PieceHash>,
    pub(super) sequential: bool,
    pub(super) rng: Rng,
    pub(super) verified: Bits,
    /// Wanted and not verified: Missing or Partial.
    pub(super) needed: Bits,
    /// The Missing ones are in it.
    pub(super) rarity: Rarity,
    pub(super) partial: PartialPieces,
    pub(super) sharing: Sharing,
    pub(super) suspects: Suspects,
    pub(super) verdicts: VecDeque<Verdict>,
    pub(super) last: LastBlock,
    padding: Padding,
    /// Bytes of wanted pieces that are Verified, padding left out, as in the next two.
    done: u64,
    /// Bytes of wanted pieces.
    wanted: u64,
    /// Bytes of pieces that are Verified.
    verified_bytes: u64,
    /// A peer that was given fewer blocks than it could take may be given more now.
    pub(super) more_to_ask: bool,
    /// Nothing is left to get: what only that needs is gone.
    retired: bool,
    /// The lowest value of `repeats` at which a peer was given fewer blocks than it could take,
    /// since `more_to_ask` was taken last.
    pub(super) repeated: usize,
}

impl Pieces {
    /// A table of which nothing is verified; `wanted` are the pieces to get, `sequential` asks for
    /// them in order.
    pub fn new(
        geometry: Geometry,
        hashes: Vec<PieceHash>,
        wanted: &Bits,
        sequential: bool,
        rng: Rng,
    ) -> Pieces {
        let pieces = geometry.pieces();
        debug_assert_eq!(hashes.len(), pieces as usize, "one for each piece");
        let (mut needed, mut rarity, mut size) = (Bits::new(pieces), Rarity::new(pieces), 0);
        for piece in wanted.ones().take_while(|&piece| piece < pieces) {
            needed.set(piece);
            rarity.insert(piece);
            size += u64::from(geometry.piece_size(piece));
        }
        Pieces {
            hashes,
            sequential,
            needed,
            rarity,
            wanted: size,
            ..Pieces::bare(geometry, Bits::new(pieces), rng)
        }
    }

    /// A table of which these pieces are verified and none is wanted.
    fn bare(geometry: Geometry, verified: Bits, rng: Rng) -> Pieces {
        Pieces {
            geometry,
            hashes: Vec::new(),
            sequential: false,
            rng,
            verified,
            needed: Bits::new(0),
            rarity: Rarity::new(0),
            partial: PartialPieces::default(),
            sharing: Sharing::default(),
            suspects: Suspects::default(),
            verdicts: VecDeque::new(),
            last: LastBlock::default(),
            padding: Padding::default(),
            done: 0,
            wanted: 0,
            verified_bytes: 0,
            more_to_ask: false,
            retired: false,
            repeated: 1,
        }
    }

    /// A table of which every piece is verified, without what [`Pieces::retire`] would free: what
    /// [`Pieces::new`], [`Pieces::with_padding`] and [`Pieces::restore`] make one piece at a time.
    pub fn whole(geometry: Geometry, wanted: &Bits, padding: Padding, rng: Rng) -> Pieces {
        let (pieces, size) = (geometry.pieces(), geometry.size());
        let mut whole = Pieces::bare(geometry, Bits::full(pieces), rng);
        whole.needed = Bits::new(pieces);
        whole.verified_bytes = size - padding.bytes_in(0..size);
        whole.padding = padding;
        whole.wanted = if wanted.count() == pieces {
            whole.verified_bytes
        } else {
            wanted.ones().map(|piece| whole.content_size(piece)).sum()
        };
        whole.done = whole.wanted;
        whole.retire();
        debug_assert!(whole.retired);
        whole
    }

    /// Once every wanted piece is verified, frees what only a download needs: the hashes, and the
    /// order of rarity. So a torrent that is only uploaded takes little memory.
    pub fn retire(&mut self) {
        let idle = self.partial.len() == 0 && self.verdicts.is_empty();
        if idle && !self.retired && self.is_complete() {
            self.retired = true;
            self.hashes = Vec::new();
            self.rarity = Rarity::new(0);
        }
    }

    /// The same for content of which some is padding: that is downloaded and counts for nothing.
    pub fn with_padding(mut self, padding: Padding) -> Pieces {
        debug_assert_eq!(self.verified_bytes, 0, "nothing is verified yet");
        self.padding = padding;
        let needed = self.needed.ones();
        self.wanted = needed.map(|piece| self.content_size(piece)).sum();
        self
    }

    /// Marks pieces that were found valid on disk as Verified.
    pub fn restore(&mut self, verified: &Bits) {
        let pieces = self.geometry.pieces();
        for piece in verified.ones().take_while(|&piece| piece < pieces) {
            self.withdraw(piece);
            self.set_verified(piece);
        }
    }

    /// Where this piece stands; Skipped past the end.
    pub fn state(&self, piece: u32) -> State {
        if self.verified.get(piece) {
            State::Verified
        } else if self.rarity.missing().get(piece) {
            State::Missing
        } else if self.needed.get(piece) {
            State::Partial
        } else {
            State::Skipped
        }
    }

    /// The pieces that are Verified, wanted or not.
    pub fn verified(&self) -> &Bits {
        &self.verified
    }

    /// Whether every wanted piece is Verified.
    pub fn is_complete(&self) -> bool {
        self.needed.count() == 0
    }

    /// Bytes of wanted pieces that are Verified, padding left out.
    pub fn done(&self) -> u64 {
        self.done
    }

    /// Bytes of pieces that are Verified, wanted or not, padding left out.
    pub fn verified_bytes(&self) -> u64 {
        self.verified_bytes
    }

    /// Bytes of wanted pieces, padding left out.
    pub fn wanted(&self) -> u64 {
        self.wanted
    }

    /// Bytes of wanted pieces that are not Verified, padding left out.
    pub fn left(&self) -> u64 {
        self.wanted - self.done
    }

    /// Bytes of a block, padding left out.
    pub fn content_of(&self, block: Block) -> u64 {
        let (start, len) = (self.geometry.offset(block), u64::from(block.len));
        len - self.padding.bytes_in(start..start + len)
    }

    /// How many pieces are Partial.
    pub fn partial_count(&self) -> usize {
        self.partial.len()
    }

    /// Every request that stands, in the order of pieces and blocks.
    pub fn requests(&self) -> impl Iterator<Item = (PeerKey, Block)> + '_ {
        self.partial.iter().flat_map(|(_, piece)| piece.requests())
    }

    /// Whether this piece is wanted and not Verified: what makes a peer interesting.
    pub fn needs(&self, piece: u32) -> bool {
        self.needed.get(piece)
    }

    /// How many needed pieces a peer has. Costs a pass over all pieces: call it for a bitfield, not
    /// for each `have`.
    pub fn wants_of(&self, have: &Holdings) -> u32 {
        match have.bits() {
            Some(theirs) => self.needed.common(theirs, 0).count() as u32,
            None if have.is_seed() => self.needed.count(),
            None => 0,
        }
    }

    /// How many peers have this piece.
    pub fn availability(&self, piece: u32) -> u32 {
        self.rarity.availability(piece)
    }

    /// A peer has told what it has (`bitfield`, `have_all`, `have_none`, or nothing yet).
    pub fn joined(&mut self, have: &Holdings) {
        if !self.retired {
            self.rarity.joined(have);
        }
    }

    /// A peer that had these pieces is gone.
    pub fn left_swarm(&mut self, have: &Holdings) {
        if !self.retired {
            self.rarity.left(have);
        }
    }

    /// A peer has one more piece.
    pub fn on_have(&mut self, piece: u32) {
        if !self.retired {
            self.rarity.on_have(piece);
        }
    }

    /// The last `have` of a peer (for which [`Pieces::on_have`] was called, as for those before)
    /// made it a seed.
    pub fn became_seed(&mut self) {
        if !self.retired {
            self.rarity.became_seed();
        }
    }

    /// True once after a change by which a peer that was given fewer blocks than it could take may
    /// be given more: a request came back or is late, a piece failed, the end game began. What the
    /// peer itself did (`have`, unchoke, a block) does not count: it is asked again anyway.
    pub fn take_more_to_ask(&mut self) -> bool {
        let repeats = self.repeats();
        let more = repeats > std::mem::replace(&mut self.repeated, repeats);
        std::mem::take(&mut self.more_to_ask) | more
    }

    /// Takes back a request that will not be answered, after a choke, reject, time-out or
    /// disconnect: all of these end here. Nothing happens if the block is not asked of this peer.
    pub fn release(&mut self, peer: PeerKey, block: Block) {
        let Some((number, partial_piece)) = self.find(block) else {
            return;
        };
        if !partial_piece.release(number, peer) {
            return;
        }
        if partial_piece.owner == Some(peer) && !partial_piece.involves(peer) {
            self.vacate(block.piece);
        }
        self.more_to_ask = true;
        self.settle(block.piece);
    }

    /// A block is late: others may be asked for it while this peer's request stands, and for what
    /// follows it.
    pub fn late(&mut self, peer: PeerKey, block: Block) {
        let Some((number, partial_piece)) = self.find(block) else {
            return;
        };
        if !partial_piece.delay(number, peer) {
            return;
        }
        if partial_piece.owner == Some(peer) {
            self.vacate(block.piece);
        }
        self.more_to_ask = true;
        self.settle(block.piece);
    }

    /// A peer is gone; its blocks were released before.
    pub fn forget(&mut self, peer: PeerKey) {
        debug_assert!(self.partial.iter().all(|(_, piece)| !piece.involves(peer)));
        let theirs = |(_, piece): &(u32, &PartialPiece)| piece.owner == Some(peer);
        let pieces: Vec<u32> = self.partial.iter().filter(theirs).map(|(p, _)| p).collect();
        for piece in pieces {
            let alone =
                |partial_piece: &PartialPiece| partial_piece.solo && partial_piece.lacking() > 0;
            if self.partial.get(piece).is_some_and(alone) {
                self.seize(piece);
            } else {
                self.vacate(piece);
            }
            self.settle(piece);
            self.more_to_ask = true;
        }
        let unverified = |piece| self.partial.contains(piece) || self.suspects.contain(piece);
        // A peer that was never asked for anything leaves no work to others, so peers that come and
        // go cost little.
        self.more_to_ask |= self.sharing.part_with(peer, unverified);
    }

    /// The partial piece of a block, and the block's number in it.
    pub(super) fn find(&mut self, block: Block) -> Option<(u32, &mut PartialPiece)> {
        let number = self.geometry.number(block)?;
        let partial_piece = self.partial.get_mut(block.piece)?;
        Some((number, partial_piece))
    }

    /// The owner of a piece does not continue it.
    fn vacate(&mut self, piece: u32) {
        let Some(partial_piece) = self.partial.get_mut(piece) else {
            return;
        };
        if partial_piece.solo {
            partial_piece.claim = Claim::Loose;
            return;
        }
        if let Some(owner) = partial_piece.owner.take() {
            self.expose(owner, piece);
        }
    }

    /// A piece that only one peer may send is taken from it: the attempt ends without a result.
    pub(super) fn seize(&mut self, piece: u32) {
        let Some(partial_piece) = self.partial.get_mut(piece) else {
            return;
        };
        let owner = partial_piece
            .owner
            .and_then(|owner| self.sharing.addr(owner));
        self.suspects.restart(piece, owner);
        partial_piece.solo = self.suspects.is_solo(piece);
        partial_piece.owner = None;
        partial_piece.reset();
        partial_piece.delay_all();
        self.partial.void_reading(piece);
        self.more_to_ask = true;
    }

    /// Brings everything that is derived from a partial piece up to date.
    pub(super) fn settle(&mut self, piece: u32) {
        let Some(partial_piece) = self.partial.get(piece) else {
            return;
        };
        if partial_piece.is_untouched() {
            self.withdraw(piece);
            self.miss(piece);
            return;
        }
        self.partial.refile(piece);
        self.compare_hash(piece);
    }

    /// Takes a piece out of the partial ones; its new state is to be set next.
    pub(super) fn withdraw(&mut self, piece: u32) {
        let full = self.partial.len() == limits::PARTIAL_PIECES;
        self.more_to_ask |= self.partial.remove(piece) && full;
    }

    /// Bytes of a piece, padding left out.
    fn content_size(&self, piece: u32) -> u64 {
        let start = self.geometry.piece_start(piece);
        let size = u64::from(self.geometry.piece_size(piece));
        size - self.padding.bytes_in(start..start + size)
    }

    /// A piece is Verified from now on.
    pub(super) fn set_verified(&mut self, piece: u32) {
        let size = self.content_size(piece);
        if self.verified.set(piece) {
            self.verified_bytes += size;
        }
        self.rarity.remove(piece);
        if self.needed.clear(piece) {
            self.done += size;
        }
    }

    /// A partial piece is Missing from now on.
    pub(super) fn miss(&mut self, piece: u32) {
        self.rarity.insert(piece);
        self.more_to_ask = true;
    }

    /// How many peers may be asked for one block: more than one in the end game, which begins when
    /// all that can be had is asked for.
    pub(super) fn repeats(&self) -> usize {
        if self.partial.unasked() > 0 || self.rarity.is_obtainable() {
            return 1;
        }
        let mut partial = self.partial.iter();
        let last_piece = self.partial.len() == 1 && self.rarity.missing().count() == 0;
        match partial.next() {
            Some((_, partial_piece)) if last_piece && partial_piece.lacking() == 1 => {
                limits::LAST_BLOCK
            }
            _ => limits::END_GAME,
        }
    }

    /// Asserts that each piece is in exactly one state, that everything derived from the partial
    /// pieces agrees with them, and that bounds hold. Costs a pass over all pieces.
    pub fn assert_invariants(&self) {
        self.rarity.assert_invariants();
        self.suspects.assert_invariants();
        self.sharing.assert_invariants();
        self.partial.assert_invariants();
        let mut done = 0;
        for piece in 0..self.geometry.pieces() {
            let missing = self.rarity.missing().get(piece);
            let partial = self.partial.contains(piece);
            let verified = self.verified.get(piece);
            let states = u32::from(missing) + u32::from(partial) + u32::from(verified);
            assert!(states <= 1, "piece {piece} is in {states} states");
            assert_eq!(self.needed.get(piece), missing || partial, "piece {piece}");
            done += u64::from(verified) * self.content_size(piece);
        }
        assert_eq!(self.verified_bytes, done);
        assert!(self.done <= done && self.done <= self.wanted());
    }
}
