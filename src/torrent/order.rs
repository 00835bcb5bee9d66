//! The values that a torrent is begun with: what it is to do, and how we present ourselves to
//! others.

use std::num::NonZeroU32;

use crate::base::{Bits, Duration, Geometry, InfoHash, Padding, PeerId, PieceHash, Totals, limits};
use crate::mse::Encryption;
use crate::peer::Local;
use crate::tracker::{Families, Identity};
use crate::webseed::Content;

/// How long to upload with nothing left to download.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stay {
    /// Not at all.
    No,
    /// Until one of these is reached; with neither, until stopped.
    Until {
        /// Bytes sent per byte of selected content.
        ratio: Option<f64>,
        /// Time since there was nothing left to download.
        time: Option<Duration>,
    },
}

/// A file on disk that is not known to be ours.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Existing {
    /// Where it lies, for messages.
    pub name: String,
    /// Where its bytes lie in the content.
    pub bytes: std::ops::Range<u64>,
}

impl Existing {
    /// Whether all of the file is this torrent's, so nothing will be written to it, or enough: the
    /// `telling` pieces in a row that prove it.
    pub fn is_proven(&self, verified: &Bits, telling: &Bits, geometry: Geometry) -> bool {
        let length = self.bytes.end - self.bytes.start;
        let mut pieces = geometry.pieces_of(self.bytes.start, length);
        if pieces.all(|piece| verified.get(piece)) {
            return true;
        }
        let enough = limits::PROOF.min(length.div_ceil(2));
        let mut run = 0;
        geometry.pieces_of(self.bytes.start, length).any(|piece| {
            let start = geometry.piece_start(piece);
            let end = start + u64::from(geometry.piece_size(piece));
            let own = end.min(self.bytes.end) - start.max(self.bytes.start);
            run = if telling.get(piece) { run + own } else { 0 };
            run >= enough
        })
    }
}

/// What the files of a torrent are, beyond its pieces.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// Where the padding lies.
    pub padding: Padding,
    /// Its web seeds: their URLs, and what they have. `None`: there are none, or they are not to be
    /// asked.
    pub web: Option<(Vec<String>, Content)>,
}

/// One torrent, and what is to be done with it.
#[derive(Clone, Debug)]
pub struct Order {
    /// The torrent's name.
    pub name: String,
    /// The torrent.
    pub info_hash: InfoHash,
    /// Bytes of its files (padding left out).
    pub size: u64,
    /// Its measures. Padding belongs to the content here.
    pub geometry: Geometry,
    /// What its files are, as far as it matters.
    pub files: Files,
    /// SHA-1 of each piece.
    pub hashes: Vec<PieceHash>,
    /// Pieces to download; none when only seeding.
    pub wanted: Bits,
    /// Whether missing pieces are downloaded at all.
    pub download: bool,
    /// When to leave once nothing is left to download.
    pub stay: Stay,
    /// Pieces that the resume data vouch for.
    pub trusted: Bits,
    /// Pieces that have to be hashed first.
    pub to_hash: Bits,
    /// Files that may be written to only if enough in them is this torrent's.
    pub doubted: Vec<Existing>,
    /// Bytes received and sent in earlier runs.
    pub earlier: Totals,
    /// Trackers by tier; none: do not ask any.
    pub trackers: Vec<Vec<String>>,
    /// Whether its peers are looked for in the DHT: never those of a private torrent (BEP 27).
    pub dht: bool,
    /// Whether its peers tell us of others, and we them: the same holds.
    pub pex: bool,
    /// Whether it is announced to the local network: the same holds.
    pub lsd: bool,
    /// How long there may be no progress before the torrent fails; `None`: for ever.
    pub timeout: Option<Duration>,
    /// Pieces in order, instead of the rarest first.
    pub sequential: bool,
    /// Bytes of the `info` dictionary, which peers may ask for (BEP 9); `None`: it is private, or
    /// the dictionary is to be fetched.
    pub metadata_size: Option<NonZeroU32>,
}

/// The part of its order that a torrent keeps, even while it sleeps: its fields are those of
/// [`Order`].
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct KeptOrder {
    pub name: String,
    pub info_hash: InfoHash,
    pub size: u64,
    pub geometry: Geometry,
    pub download: bool,
    pub stay: Stay,
    pub earlier: Totals,
    pub dht: bool,
    pub pex: bool,
    pub lsd: bool,
    pub timeout: Option<Duration>,
    pub sequential: bool,
    pub metadata_size: Option<NonZeroU32>,
}

/// Our names and addresses for others: the same for all torrents.
#[derive(Clone, Copy, Debug)]
pub struct Us {
    /// Our peer id.
    pub peer_id: PeerId,
    /// The port we listen on.
    pub port: u16,
    /// A number that lets trackers recognise us when our address changes.
    pub key: u32,
    /// Address families that we can use.
    pub families: Families,
    /// Whether trackers at local addresses are asked whatever their path.
    pub allow_local: bool,
    /// Whether connections are encrypted.
    pub encryption: Encryption,
    /// Bytes that one peer's buffers may take.
    pub share: usize,
    /// Report progress once a second even while nothing changes.
    pub heartbeat: bool,
}

impl Order {
    /// A torrent of which a link tells the info hash, and how people call it.
    pub fn of_link(info_hash: InfoHash, name: String, trackers: Vec<Vec<String>>) -> Order {
        let nothing = || Bits::new(1);
        Order {
            name,
            info_hash,
            size: 0,
            geometry: Geometry::UNKNOWN,
            files: Files::default(),
            hashes: vec![PieceHash([0; 20])],
            wanted: nothing(),
            download: true,
            stay: Stay::No,
            trusted: nothing(),
            to_hash: nothing(),
            doubted: Vec::new(),
            earlier: Totals::default(),
            trackers,
            dht: false,
            pex: false,
            lsd: false,
            timeout: None,
            sequential: false,
            metadata_size: None,
        }
    }

    /// The part that the torrent keeps.
    pub fn kept(&self) -> KeptOrder {
        KeptOrder {
            name: self.name.clone(),
            info_hash: self.info_hash,
            size: self.size,
            geometry: self.geometry,
            download: self.download,
            stay: self.stay,
            earlier: self.earlier,
            dht: self.dht,
            pex: self.pex,
            lsd: self.lsd,
            timeout: self.timeout,
            sequential: self.sequential,
            metadata_size: self.metadata_size,
        }
    }
}

impl KeptOrder {
    /// Whether only the info hash and the trackers are known: the rest is to be fetched from peers,
    /// and says nothing here.
    pub fn is_undescribed(&self) -> bool {
        self.geometry == Geometry::UNKNOWN
    }

    /// Whether peers may come only from its user, the link that its user has named, and its
    /// trackers (BEP 27).
    pub fn is_private(&self) -> bool {
        self.metadata_size.is_none() && !self.is_undescribed()
    }

    /// What every connection of this torrent says of us.
    pub fn local(&self, us: &Us) -> Local {
        Local {
            info_hash: self.info_hash,
            peer_id: us.peer_id,
            dht: self.dht,
            geometry: self.geometry,
            unsent: us.share.min(limits::UNSENT) + Bits::bytes(self.geometry.pieces()),
        }
    }

    /// What trackers are told of us.
    pub fn identity(&self, us: &Us) -> Identity {
        Identity {
            info_hash: self.info_hash,
            peer_id: us.peer_id,
            key: us.key,
            port: us.port.max(Identity::NO_PORT),
        }
    }
}
