//! Torrents of the folder whose files are being found, which may take as long as their disk likes:
//! what is known of them meanwhile, and what follows.

use std::ops::RangeInclusive;

use super::offers::Asker;
use super::record::Record;
use crate::base::{InfoHash, SortedMap, TorrentKey, limits};
use crate::io::disk::Store;
use crate::io::disk::threads::finding::Sought;
use crate::io::disk::threads::opener::OpenId;
use crate::rpc::Added;
use crate::wire::magnet::Link;

/// Torrents of the folder whose files are found or opened at the same time, if their descriptions
/// are long, and if they are short. Each has its whole description in memory meanwhile, and the
/// heap keeps that room; but the loop and the opener wake each other for all of them together.
const AT_ONCE: RangeInclusive<usize> = 6..=16;
/// Bytes of the descriptions of as many as are short.
const DESCRIPTIONS: usize = 128 * limits::KIB;

/// The torrents whose files are being found.
#[derive(Debug, Default)]
pub struct Findings {
    /// By the id that the store knows them by.
    under_way: SortedMap<OpenId, Finding>,
    /// How many have begun so far: the id of the last one.
    begun: OpenId,
    /// Bytes of the longest description so far.
    longest: usize,
}

/// A torrent whose files are being found.
#[derive(Debug)]
pub struct Finding {
    /// Which torrent it is.
    pub info_hash: InfoHash,
    /// What is recorded of it, or wanted.
    pub record: Record,
    /// What follows.
    pub next: Next,
}

/// What follows when a torrent's files are found.
#[derive(Debug)]
pub enum Next {
    /// It lies in the folder, and is opened or deleted. `is_again`: the session has it, and what is
    /// found takes its place.
    TakeUp {
        /// See above.
        is_again: bool,
    },
    /// It is brought, and put into the folder.
    Add {
        /// Who brings it.
        asker: Asker,
        /// Its `.torrent`.
        text: Vec<u8>,
    },
    /// The session has it, and its `.torrent` takes the place of its link.
    Describe(Box<Description>),
}

/// A torrent of which only a link was known.
#[derive(Debug)]
pub struct Description {
    /// The torrent.
    pub torrent: TorrentKey,
    /// What is known of it.
    pub link: Link,
    /// Its `.torrent`.
    pub text: Vec<u8>,
    /// Who brings that, and what is told of the torrent; `None`: its peers did.
    pub brought_by: Option<(Asker, Added)>,
    /// Its peers have given its metadata: if these are of no use, it fails.
    pub fails: bool,
}

impl Finding {
    /// Whether the session has the torrent, and what is found takes its place.
    pub fn is_again(&self) -> bool {
        matches!(self.next, Next::TakeUp { is_again: true })
    }
}

impl Next {
    /// Who waits for it.
    pub fn asker(&self) -> Option<&Asker> {
        match self {
            Next::TakeUp { .. } => None,
            Next::Add { asker, .. } => Some(asker),
            Next::Describe(it) => it.brought_by.as_ref().map(|(asker, _)| asker),
        }
    }
}

impl Findings {
    /// Has the store find a torrent's files.
    pub fn begin(&mut self, finding: Finding, sought: Sought, store: &mut Store) {
        self.begun += 1;
        self.longest = self.longest.max(sought.metainfo.info_size as usize);
        self.under_way.insert(self.begun, finding);
        store.opener().find(self.begun, sought);
    }

    /// The torrent of this id, whose files are found.
    pub fn end(&mut self, id: OpenId) -> Option<Finding> {
        self.under_way.remove(&id)
    }

    /// Gives up those that are being added. Whoever waits for one of them, or for the files of a
    /// link, comes back, and is not told by anybody else.
    pub fn turn_away(&mut self) -> Vec<Asker> {
        let mut askers = Vec::new();
        self.under_way.retain(|_, finding| match &mut finding.next {
            Next::TakeUp { .. } => true,
            Next::Add { asker, .. } => {
                askers.push(asker.clone());
                false
            }
            Next::Describe(it) => {
                askers.extend(it.brought_by.take().map(|(asker, _)| asker));
                true
            }
        });
        askers
    }

    /// How many torrents of the folder may be found or opened at the same time.
    pub fn at_once(&self) -> usize {
        let fitting = DESCRIPTIONS / self.longest.max(1);
        fitting.clamp(*AT_ONCE.start(), *AT_ONCE.end())
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.under_way.values()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    /// Whether this torrent is among them.
    pub fn has(&self, info_hash: &InfoHash) -> bool {
        let mut all = self.under_way.values();
        all.any(|finding| finding.info_hash == *info_hash)
    }

    /// This torrent, if its `.torrent` is to take the place of its link.
    pub fn described(&mut self, info_hash: &InfoHash) -> Option<&mut Description> {
        let of = |finding: &&mut Finding| finding.info_hash == *info_hash;
        self.under_way
            .values_mut()
            .filter(of)
            .find_map(|finding| match &mut finding.next {
                Next::Describe(it) => Some(&mut **it),
                _ => None,
            })
    }
}
