//! The part of a torrent that is there only while it is awake. A torrent that is complete and has
//! no peers sleeps: its trackers, its candidates and an incoming handshake do not need this part.

use super::checking::Checking;
use super::choking::Choking;
use super::damage::Damage;
use super::exchange::Exchange;
use super::haves::Haves;
use super::metadata::MetadataFetch;
use super::order::{Existing, Order};
use super::search::Explanation;
use super::web_seeds::WebSeeds;
use crate::base::{Bits, Block, Geometry, Rng, Time};
use crate::pieces::{Pieces, Verdict};

/// What one torrent has while it is awake.
#[derive(Debug)]
pub struct Awake {
    /// The fetching of its metadata, as long as it lasts; the other fields are empty then.
    pub fetch: Option<Box<MetadataFetch>>,
    /// Which pieces are missing, partial, verified and skipped.
    pub pieces: Pieces,
    /// The check of what is on disk, as long as it lasts.
    pub checking: Option<Box<Checking>>,
    /// Pieces that the disk has lost.
    pub damage: Damage,
    /// Which peers it uploads to.
    pub choking: Choking,
    /// Pieces that peers have not been told of.
    pub haves: Haves,
    /// Peers that peers have not been told of.
    pub exchange: Exchange,
    /// Its web seeds, if it has any.
    pub web: Option<Box<WebSeeds>>,
    /// What its user hears of the search for peers.
    pub search: Explanation,
    /// Pieces to download.
    pub wanted: Bits,
    /// Pieces that the resume data vouched for.
    pub trusted: Bits,
    /// Files that may be written to only if enough in them is this torrent's.
    pub doubted: Vec<Existing>,
}

impl Awake {
    /// That part of a torrent with this order. It begins with a check if there is anything to
    /// hash.
    pub fn new(order: Order, (mut picks, chokes): (Rng, Rng), now: Time) -> Awake {
        let web = order.files.web.map(|web| {
            let rng = Rng::from_seed(picks.bits64());
            Box::new(WebSeeds::new(web, rng, now))
        });
        let (hashes, wanted, trusted) = (order.hashes, order.wanted, order.trusted);
        let checking = (order.to_hash.count() > 0)
            .then(|| Checking::new(order.geometry, hashes.clone(), order.to_hash))
            .map(Box::new);
        let pieces = if trusted.all() {
            Pieces::whole(order.geometry, &wanted, order.files.padding, picks)
        } else {
            let pieces = Pieces::new(order.geometry, hashes, &wanted, order.sequential, picks);
            let mut pieces = pieces.with_padding(order.files.padding);
            pieces.restore(&trusted);
            pieces
        };
        let is_undescribed = order.geometry == Geometry::UNKNOWN;
        let fetch = is_undescribed.then(|| MetadataFetch::new(order.info_hash));
        Awake {
            fetch: fetch.map(Box::new),
            pieces,
            checking,
            damage: Damage::new(order.geometry.pieces()),
            choking: Choking::new(now, chokes),
            haves: Haves::default(),
            exchange: Exchange::default(),
            web,
            search: Explanation::new(&order.trackers, order.dht, now),
            wanted,
            trusted,
            doubted: order.doubted,
        }
    }

    /// Verified pieces, except unreadable ones.
    pub fn served(&self) -> Bits {
        self.damage.served(self.pieces.verified())
    }

    /// Whether a piece is verified and readable.
    pub fn serves(&self, piece: u32) -> bool {
        self.pieces.verified().get(piece) && !self.damage.is_damaged(piece)
    }

    /// Whether every piece is verified and on disk, and neither a check nor an announcement of
    /// pieces is left.
    pub fn is_all_there(&self) -> bool {
        let whole = self.pieces.verified().all() && self.damage.is_none();
        whole && self.checking.is_none() && self.haves.pending.is_empty()
    }

    /// Content that was read back from disk: the next slice of the check, or a block of a piece
    /// that came out of order.
    pub fn handle_read(&mut self, block: Block, data: &[u8]) {
        match &mut self.checking {
            Some(checking) => checking.take(data),
            None => self.pieces.handle_reread(block, data),
        }
    }

    /// Takes the verdicts on pieces. `None`: there are no more.
    pub fn next_verdict(&mut self) -> Option<Verdict> {
        loop {
            let verdict = self.pieces.next_verdict()?;
            if !self.damage.is_damaged(verdict.piece) {
                return Some(verdict);
            }
        }
    }
}
