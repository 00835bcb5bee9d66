//! The piece table: each piece is Missing, Open, Held or Skipped, and what is asked of whom.
//!
//! A piece is Open from the first request on until its try ends; if everything asked comes back unanswered, it is Missing again. Every
//! change to an open piece ends in `settle`, which files the piece anew: so there is one place where a piece is closed, found due
//! for reading back, or judged. Requests leave by `pick` and come back by `accept` or `release`, and by nothing else.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::progress::{Filed, Grip, Progress};
use super::rarity::Rarity;
use super::sharing::{Party, Peer};
use super::suspects::Suspects;
use super::verdict::Verdict;
use crate::base::bits::Bits;
use crate::base::geometry::{Block, Geometry};
use crate::base::holdings::Holdings;
use crate::base::host::Host;
use crate::base::id::PieceHash;
use crate::base::limits;
use crate::base::rng::Rng;

/// The slot key of a peer; reused only after [`Pieces::forget`].
pub type Who = usize;

/// The keeper of open pieces that have none.
pub(super) const NOBODY: Who = Who::MAX;

/// Where a piece stands. Each is in exactly one state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Wanted, and nothing of it is asked or received.
    Missing,
    /// Begun: some of it is asked, received, or being verified.
    Open,
    /// Verified.
    Held,
    /// Not wanted and not held.
    Skipped,
}

/// What became of a block that came in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Accepted {
    /// New: the caller writes it to disk, and then calls [`Pieces::written`].
    Fresh,
    /// A duplicate, or of a piece that is not open, or not this peer's to send.
    Unwanted,
}

/// The piece table of one torrent.
#[derive(Clone, Debug)]
pub struct Pieces {
    pub(super) geometry: Geometry,
    pub(super) hashes: Vec<PieceHash>,
    pub(super) sequential: bool,
    pub(super) rng: Rng,
    pub(super) held: Bits,
    /// Wanted and not held: Missing or Open.
    pub(super) needed: Bits,
    /// The Missing ones are in it.
    pub(super) rarity: Rarity,
    pub(super) open: BTreeMap<u32, Progress>,
    /// Open pieces with free blocks, by keeper.
    pub(super) partial: BTreeSet<(Who, u32)>,
    /// Blocks of open pieces (solo ones aside) that are neither here nor asked of anybody.
    pub(super) unasked: u64,
    pub(super) peers: BTreeMap<Who, Peer>,
    pub(super) parties: BTreeMap<Host, Party>,
    /// Those of them that are not connected any more.
    pub(super) gone: BTreeSet<Host>,
    pub(super) suspects: Suspects,
    /// Open pieces of which bytes are due for reading back.
    pub(super) due: BTreeSet<u32>,
    /// Bytes that are being read back, of tries that are over.
    pub(super) void: Vec<Block>,
    pub(super) verdicts: VecDeque<Verdict>,
    pub(super) done: u64,
    wanted: u64,
    /// The block that came last, and who had been asked for it.
    pub(super) accepted: Option<Block>,
    pub(super) asked: Vec<Who>,
    pub(super) news: bool,
    /// The least that `repeats` was when a peer went away with less than it had room for, since news were taken.
    pub(super) repeated: usize,
}

impl Pieces {
    /// A table of which nothing is held; `wanted` are the pieces to get, `sequential` asks for them in order.
    pub fn new(
        geometry: Geometry,
        hashes: Vec<PieceHash>,
        wanted: &Bits,
        sequential: bool,
        rng: Rng,
    ) -> Pieces {
        let pieces = geometry.pieces();
        debug_assert_eq!(hashes.len(), pieces as usize, "metainfo has one per piece");
        let (mut needed, mut rarity, mut size) = (Bits::new(pieces), Rarity::new(pieces), 0);
        for piece in wanted.ones().take_while(|&piece| piece < pieces) {
            needed.set(piece);
            rarity.insert(piece);
            size += u64::from(geometry.piece_size(piece));
        }
        Pieces {
            geometry,
            hashes,
            sequential,
            rng,
            held: Bits::new(pieces),
            needed,
            rarity,
            open: BTreeMap::new(),
            partial: BTreeSet::new(),
            unasked: 0,
            peers: BTreeMap::new(),
            parties: BTreeMap::new(),
            gone: BTreeSet::new(),
            suspects: Suspects::default(),
            due: BTreeSet::new(),
            void: Vec::new(),
            verdicts: VecDeque::new(),
            done: 0,
            wanted: size,
            accepted: None,
            asked: Vec::new(),
            news: false,
            repeated: 1,
        }
    }

    /// Marks pieces that were found valid on disk as Held.
    pub fn restore(&mut self, held: &Bits) {
        let pieces = self.geometry.pieces();
        for piece in held.ones().take_while(|&piece| piece < pieces) {
            self.withdraw(piece);
            self.hold(piece);
        }
    }

    /// Where this piece stands; Skipped past the end.
    pub fn state(&self, piece: u32) -> State {
        if self.held.get(piece) {
            State::Held
        } else if self.rarity.missing().get(piece) {
            State::Missing
        } else if self.needed.get(piece) {
            State::Open
        } else {
            State::Skipped
        }
    }

    /// The pieces that are Held, wanted or not.
    pub fn held(&self) -> &Bits {
        &self.held
    }

    /// Whether every wanted piece is Held.
    pub fn is_complete(&self) -> bool {
        self.needed.count() == 0
    }

    /// Bytes of wanted pieces that are Held.
    pub fn done(&self) -> u64 {
        self.done
    }

    /// Bytes of wanted pieces.
    pub fn wanted(&self) -> u64 {
        self.wanted
    }

    /// Bytes of wanted pieces that are not Held.
    pub fn left(&self) -> u64 {
        self.wanted - self.done
    }

    /// How many pieces are Open.
    pub fn open_count(&self) -> usize {
        self.open.len()
    }

    /// Every request that stands, in the order of pieces and blocks.
    pub fn requests(&self) -> impl Iterator<Item = (Who, Block)> + '_ {
        self.open.values().flat_map(Progress::requests)
    }

    /// Whether this piece is wanted and not Held: what makes a peer interesting.
    pub fn needs(&self, piece: u32) -> bool {
        self.needed.get(piece)
    }

    /// How many needed pieces somebody has. One pass over the pieces: for a bitfield, not for a `have`.
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
        self.rarity.joined(have);
    }

    /// A peer is gone that had this at last.
    pub fn left_swarm(&mut self, have: &Holdings) {
        self.rarity.left(have);
    }

    /// A peer has one more piece.
    pub fn on_have(&mut self, piece: u32) {
        self.rarity.on_have(piece);
    }

    /// The last `have` of a peer (for which [`Pieces::on_have`] was called, as for those before) made it a seed.
    pub fn became_seed(&mut self) {
        self.rarity.became_seed();
    }

    /// True once after something by which a peer that was given fewer blocks than it had room for may now be given more: a request
    /// came back or is late, a piece failed, the end game began. What the peer itself did (`have`, unchoke, a block) is not
    /// meant: it is asked again anyway.
    pub fn take_news(&mut self) -> bool {
        let repeats = self.repeats();
        let more = repeats > std::mem::replace(&mut self.repeated, repeats);
        std::mem::take(&mut self.news) | more
    }

    /// The one door back for a request that will not be answered: choke, reject, time-out, disconnect. Nothing happens if it
    /// does not stand.
    pub fn release(&mut self, who: Who, block: Block) {
        let Some((number, progress)) = self.find(block) else {
            return;
        };
        if !progress.release(number, who) {
            return;
        }
        if progress.owner == Some(who) && !progress.involves(who) {
            self.vacate(block.piece);
        }
        self.news = true;
        self.settle(block.piece);
    }

    /// A block is late: others may be asked for it while this peer's request stands, and for what follows it.
    pub fn late(&mut self, who: Who, block: Block) {
        let Some((number, progress)) = self.find(block) else {
            return;
        };
        if !progress.delay(number, who) {
            return;
        }
        if progress.owner == Some(who) {
            self.vacate(block.piece);
        }
        self.news = true;
        self.settle(block.piece);
    }

    /// A peer is gone; its blocks were released before.
    pub fn forget(&mut self, who: Who) {
        debug_assert!(self.open.values().all(|progress| !progress.involves(who)));
        let known = self.peers.contains_key(&who);
        let theirs = |(_, progress): &(&u32, &Progress)| progress.owner == Some(who);
        let pieces: Vec<u32> = self.open.iter().filter(theirs).map(|(&p, _)| p).collect();
        for piece in pieces {
            let alone = |progress: &Progress| progress.solo && progress.lacking() > 0;
            if self.open.get(&piece).is_some_and(alone) {
                self.seize(piece);
            } else {
                self.vacate(piece);
            }
            self.settle(piece);
            self.news = true;
        }
        self.part_with(who);
        // Who was never asked for anything leaves nothing to others: many who come and go must not make work.
        self.news |= known;
    }

    /// The open piece of a block, and the block's number in it.
    pub(super) fn find(&mut self, block: Block) -> Option<(u32, &mut Progress)> {
        let number = self.geometry.number(block)?;
        let progress = self.open.get_mut(&block.piece)?;
        Some((number, progress))
    }

    /// The owner of a piece does not continue it.
    fn vacate(&mut self, piece: u32) {
        let Some(progress) = self.open.get_mut(&piece) else {
            return;
        };
        if progress.solo {
            progress.grip = Grip::Loose;
            return;
        }
        if let Some(owner) = progress.owner.take() {
            self.expose(owner, piece);
        }
    }

    /// A piece that was one peer's alone is taken from it: the try is void.
    pub(super) fn seize(&mut self, piece: u32) {
        let Some(progress) = self.open.get_mut(&piece) else {
            return;
        };
        let owner = progress.owner.and_then(|owner| self.peers.get(&owner));
        self.suspects.restart(piece, owner.map(|owner| owner.addr));
        progress.solo = self.suspects.is_solo(piece);
        progress.owner = None;
        progress.reset();
        progress.delay_all();
        self.void.extend(progress.void_reading());
        self.news = true;
    }

    /// Brings everything that is derived from an open piece up to date.
    pub(super) fn settle(&mut self, piece: u32) {
        let Some(progress) = self.open.get_mut(&piece) else {
            return;
        };
        if progress.is_untouched() {
            self.withdraw(piece);
            self.miss(piece);
            return;
        }
        let owner = progress.keeper().unwrap_or(NOBODY);
        let filed = Filed {
            under: (progress.free() > 0).then_some(owner),
            unasked: if progress.solo { 0 } else { progress.unasked() },
        };
        let before = std::mem::replace(&mut progress.filed, filed);
        if progress.due().is_some() {
            self.due.insert(piece);
        }
        self.refile(piece, before, filed);
        self.judge(piece);
    }

    /// Takes a piece out of the open ones; the caller says what it is instead.
    pub(super) fn withdraw(&mut self, piece: u32) {
        let Some(mut progress) = self.open.remove(&piece) else {
            return;
        };
        self.news |= self.open.len() + 1 == limits::OPEN_PIECES;
        self.void.extend(progress.void_reading());
        self.due.remove(&piece);
        self.refile(piece, progress.filed, Filed::default());
    }

    /// A piece is Held from now on.
    pub(super) fn hold(&mut self, piece: u32) {
        self.held.set(piece);
        self.rarity.remove(piece);
        if self.needed.clear(piece) {
            self.done += u64::from(self.geometry.piece_size(piece));
        }
    }

    /// A piece that was open is Missing from now on.
    pub(super) fn miss(&mut self, piece: u32) {
        self.rarity.insert(piece);
        self.news = true;
    }

    /// How many peers may be asked for one block: more than one in the end game, which begins when all that can be had is asked for.
    pub(super) fn repeats(&self) -> usize {
        if self.unasked > 0 || self.rarity.is_obtainable() {
            return 1;
        }
        let mut open = self.open.values();
        let last_piece = open.len() == 1 && self.rarity.missing().count() == 0;
        match open.next() {
            Some(progress) if last_piece && progress.lacking() == 1 => limits::LAST_BLOCK,
            _ => limits::END_GAME,
        }
    }

    fn refile(&mut self, piece: u32, before: Filed, now: Filed) {
        self.unasked = self.unasked + u64::from(now.unasked) - u64::from(before.unasked);
        if before.under != now.under {
            let stale = before.under.map(|owner| (owner, piece));
            stale.map(|entry| self.partial.remove(&entry));
            self.partial.extend(now.under.map(|owner| (owner, piece)));
        }
    }
}
