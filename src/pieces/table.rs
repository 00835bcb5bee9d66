//! The piece table: each piece is Missing, Open, Held or Skipped, and what is asked of whom.

use std::net::SocketAddr;

use crate::base::bits::Bits;
use crate::base::geometry::{Block, Geometry};
use crate::base::holdings::Holdings;
use crate::base::id::PieceHash;
use crate::base::rng::Rng;

/// The slot key of a peer; reused only after [`Pieces::forget`].
pub type Who = usize;

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
    /// New: the caller writes it to disk.
    Fresh,
    /// A duplicate, or of a piece that is not open.
    Unwanted,
}

/// The end of one try at a piece.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// Its index.
    pub piece: u32,
    /// Whether its SHA-1 matched: it is now Held. Otherwise it is Missing again.
    pub ok: bool,
    /// Who is now known to have sent bad bytes, for this piece: to be banned.
    pub guilty: Vec<SocketAddr>,
}

/// What [`Pieces::pick`] has to know of a peer.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// The peer.
    pub who: Who,
    /// What it has.
    pub have: &'a Holdings,
    /// Only these pieces (allowed-fast while choked, BEP 6); `None`: all.
    pub only: Option<&'a [u32]>,
    /// Blocks to ask for at most.
    pub count: usize,
    /// Peers that we download from.
    pub active: usize,
    /// Snubbed, or far slower than others: takes only what nobody else is at, one block.
    pub slow: bool,
}

/// The piece table of one torrent.
#[derive(Clone, Debug)]
pub struct Pieces {
    geometry: Geometry,
    held: Bits,
}

#[allow(unused_variables)]
impl Pieces {
    /// A table of which nothing is held; `wanted` are the pieces to get, `sequential` asks for them in order.
    pub fn new(
        geometry: Geometry,
        hashes: Vec<PieceHash>,
        wanted: &Bits,
        sequential: bool,
        rng: Rng,
    ) -> Pieces {
        Pieces {
            geometry,
            held: Bits::new(geometry.pieces()),
        }
    }

    /// Marks pieces that were found valid on disk as Held.
    pub fn restore(&mut self, held: &Bits) {}

    /// Where this piece stands; Skipped past the end.
    pub fn state(&self, piece: u32) -> State {
        State::Missing
    }

    /// The pieces that are Held.
    pub fn held(&self) -> &Bits {
        &self.held
    }

    /// Whether every wanted piece is Held.
    pub fn is_complete(&self) -> bool {
        false
    }

    /// Bytes of wanted pieces that are Held.
    pub fn done(&self) -> u64 {
        0
    }

    /// Bytes of wanted pieces.
    pub fn wanted(&self) -> u64 {
        0
    }

    /// Bytes of wanted pieces that are not Held.
    pub fn left(&self) -> u64 {
        0
    }

    /// How many pieces are Open.
    pub fn open_count(&self) -> usize {
        0
    }

    /// Whether this piece is wanted and not Held: what makes a peer interesting.
    pub fn needs(&self, piece: u32) -> bool {
        false
    }

    /// How many needed pieces somebody has. One pass over the pieces: for a bitfield, not for a `have`.
    pub fn wants_of(&self, have: &Holdings) -> u32 {
        0
    }

    /// How many peers have this piece.
    pub fn availability(&self, piece: u32) -> u32 {
        0
    }

    /// A peer has told what it has (`bitfield`, `have_all`, `have_none`, or nothing yet).
    pub fn joined(&mut self, have: &Holdings) {}

    /// A peer is gone that had this at last.
    pub fn left_swarm(&mut self, have: &Holdings) {}

    /// A peer has one more piece.
    pub fn on_have(&mut self, piece: u32) {}

    /// The last `have` of a peer (for which [`Pieces::on_have`] was called, as for those before) made it a seed.
    pub fn became_seed(&mut self) {}

    /// Names blocks to ask of a peer and marks them as requested from it; appends to `out`.
    pub fn pick(&mut self, plan: Plan<'_>, out: &mut Vec<Block>) {}

    /// The one door back for a request that will not be answered: choke, reject, time-out, disconnect.
    pub fn release(&mut self, who: Who, block: Block) {}

    /// A block is late: others may be asked for it while this peer's request stands.
    pub fn late(&mut self, who: Who, block: Block) {}

    /// A peer is gone; its blocks were released before.
    pub fn forget(&mut self, who: Who) {}

    /// A block came in. If it is Fresh, nobody is asked for it any more and the caller writes it to disk.
    pub fn accept(&mut self, who: Who, from: SocketAddr, block: Block, data: &[u8]) -> Accepted {
        Accepted::Unwanted
    }

    /// Who else had been asked for the block that was accepted last: they get `cancel`. Appends to `out`.
    pub fn also_asked(&self, block: Block, who: Who, out: &mut Vec<Who>) {}

    /// Bytes on disk that are now due for verification, `limits::SLICE` at most: read them and call [`Pieces::handle_reread`].
    pub fn next_reread(&mut self) -> Option<Block> {
        None
    }

    /// The bytes that [`Pieces::next_reread`] named.
    pub fn handle_reread(&mut self, block: Block, data: &[u8]) {}

    /// The next piece that passed or failed.
    pub fn next_verdict(&mut self) -> Option<Verdict> {
        None
    }
}
