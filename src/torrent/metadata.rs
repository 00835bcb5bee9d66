//! Fetching the `info` dictionary of a torrent of which only the info hash is known (BEP 9). Peers
//! say how many bytes it has, and send it in blocks; what comes of them counts only if its SHA-1 is
//! the info hash, so a liar costs some time and nothing else:
//!
//! - Peers that disagree about the length are asked at the same time, each for the length that it
//!   named.
//! - A dictionary that is wrong and came from one peer proves that peer a liar. One that came from
//!   several is fetched anew from one of them alone, and then from the next; once it is right,
//!   every peer that had sent other bytes is known.

use sha1::{Digest as _, Sha1};

use crate::base::{InfoHash, Now, PeerKey, SortedMap, SortedSet, limits, sooner};
use crate::wire::extended::metadata::{BLOCK, blocks};

/// SHA-1 of a block.
type Sum = [u8; 20];

/// The search for the dictionary.
#[derive(Debug)]
pub struct Metadata {
    info_hash: InfoHash,
    peers: SortedMap<PeerKey, Asked>,
    /// By the length that peers say there is.
    attempts: SortedMap<u32, Attempt>,
    /// Peers that sent wrong blocks and were not reported yet.
    liars: Vec<PeerKey>,
    whole: Option<Vec<u8>>,
}

/// A peer that speaks the metadata extension.
#[derive(Debug)]
struct Asked {
    /// Bytes of the dictionary, as it says; `None`: it does not have it.
    size: Option<u32>,
    /// The blocks that it was asked for, and when.
    asked: SortedMap<u32, Now>,
    /// The blocks that it was asked for and has not sent in time: they count if they come.
    late: SortedSet<u32>,
    /// Blocks that it may be asked for at a time.
    depth: usize,
    /// It answers one request at a time.
    orderly: bool,
    /// It is left alone until then.
    until: Option<Now>,
}

impl Asked {
    /// Nothing that it was asked for counts any more.
    fn forget_asked(&mut self) {
        self.asked.clear();
        self.late = SortedSet::new();
    }
}

/// A dictionary of one length.
#[derive(Debug, Default)]
struct Attempt {
    blocks: SortedMap<u32, (PeerKey, Vec<u8>)>,
    /// The only peer that is asked, since the blocks of several peers together were wrong.
    solo: Option<PeerKey>,
    /// Peers that were asked alone before.
    tried: SortedSet<PeerKey>,
    /// Blocks of dictionaries that were wrong, by their senders.
    doubted: Vec<(PeerKey, u32, Sum)>,
    /// When a block came last, or the only peer was chosen.
    moved: Option<Now>,
}

/// How far it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Reached {
    /// Peers that have it.
    pub peers: usize,
    /// Blocks that came, of how many.
    pub blocks: (u32, u32),
}

impl Metadata {
    /// A search in which no peer is known yet.
    pub fn new(info_hash: InfoHash) -> Metadata {
        Metadata {
            info_hash,
            peers: SortedMap::new(),
            attempts: SortedMap::new(),
            liars: Vec::new(),
            whole: None,
        }
    }

    /// A peer speaks the extension, and perhaps says how many bytes there are. `orderly`: it
    /// answers one request at a time.
    pub fn on_peer(&mut self, key: PeerKey, size: Option<u32>, orderly: bool, now: Now) {
        let size = size.filter(|&size| (1..=limits::METADATA_BYTES as u32).contains(&size));
        let peer = self.peers.get_or_insert_with(key, || Asked {
            size: None,
            asked: SortedMap::new(),
            late: SortedSet::new(),
            depth: limits::METADATA_DEPTH,
            orderly,
            until: None,
        });
        if orderly {
            peer.depth = 1;
        }
        if size != peer.size {
            (peer.size, peer.until) = (size, None);
            peer.forget_asked();
        }
        if size.is_none() {
            peer.until.get_or_insert(now + limits::METADATA_BACKOFF);
        }
        self.forget_unsaid();
    }

    /// A peer is gone, or does not speak the extension any more.
    pub fn on_gone(&mut self, key: PeerKey) {
        self.peers.remove(&key);
        for attempt in self.attempts.values_mut() {
            // Its key may be another peer's from now on.
            attempt.doubted.retain(|(sender, _, _)| *sender != key);
            if attempt.solo == Some(key) {
                attempt.solo = None;
                attempt.blocks.clear();
                attempt.tried.insert(key);
            }
        }
        self.forget_unsaid();
    }

    /// A block came. True if it was asked for; another is dropped.
    pub fn on_data(
        &mut self,
        key: PeerKey,
        (piece, total): (u32, Option<u32>),
        data: &[u8],
        now: Now,
    ) -> bool {
        let Some(peer) = self.peers.get_mut(&key) else {
            return false;
        };
        let was_late = peer.late.remove(&piece);
        if peer.asked.remove(&piece).is_none() && !was_late {
            return false;
        }
        if was_late {
            // It is slow, and answers what it is asked for.
            peer.depth = if peer.orderly {
                1
            } else {
                limits::METADATA_DEPTH
            };
        }
        if total.is_some() && total != peer.size {
            // The peer has got the metadata meanwhile, or contradicts itself.
            let orderly = peer.orderly;
            if peer.size.is_some() {
                peer.until = Some(now + limits::METADATA_BACKOFF);
            } else {
                self.on_peer(key, total, orderly, now);
            }
            return true;
        }
        let Some(size) = peer.size else { return true };
        if length(size, piece) != Some(data.len()) {
            self.liars.push(key);
            return true;
        }
        let Some(attempt) = self.attempts.get_mut(&size) else {
            return true;
        };
        if attempt.solo.is_none_or(|solo| solo == key) {
            attempt.moved = Some(now);
            let block = || (key, data.to_vec());
            attempt.blocks.get_or_insert_with(piece, block);
        }
        if attempt.blocks.len() == blocks(size) as usize {
            self.judge(size);
        }
        true
    }

    /// A peer does not send a block.
    pub fn on_reject(&mut self, key: PeerKey, piece: u32, now: Now) {
        if let Some(peer) = self.peers.get_mut(&key) {
            if peer.asked.remove(&piece).is_some() {
                peer.until = Some(now + limits::METADATA_BACKOFF);
                peer.forget_asked();
            }
        }
    }

    /// The peers to ask now, and the block for each.
    pub fn plan(&mut self, now: Now) -> Vec<(PeerKey, u32)> {
        let mut asks = Vec::new();
        if self.whole.is_some() {
            return asks;
        }
        for peer in self.peers.values_mut() {
            let late = |at: &Now| now.since(*at) >= limits::METADATA_LATE;
            if peer.asked.values().any(late) {
                // rtorrent answers nothing more if it was asked for several at once.
                peer.depth = 1;
                let all = peer.asked.iter().filter(|(_, at)| late(at));
                peer.late.extend(all.map(|(&piece, _)| piece));
                peer.asked.retain(|_, at| !late(at));
            }
            peer.until = peer.until.filter(|&at| at > now);
        }
        for size in self.active() {
            self.plan_attempt(size, now, &mut asks);
        }
        for (&key, peer) in &mut self.peers {
            if peer.size.is_none() && peer.until.is_none() {
                // It may have the metadata by now; no client announces that.
                peer.until = Some(now + limits::METADATA_BACKOFF);
                peer.asked.insert(0, now);
                asks.push((key, 0));
            }
        }
        asks
    }

    /// When there is something to ask though nothing happens.
    pub fn next_deadline(&self) -> Option<Now> {
        if self.whole.is_some() {
            return None;
        }
        let peers = self.peers.values().map(|peer| {
            let late = peer
                .asked
                .values()
                .min()
                .map(|&at| at + limits::METADATA_LATE);
            sooner(late, peer.until)
        });
        peers.fold(None, sooner)
    }

    /// The dictionary, once it is whole and right.
    pub fn take_whole(&mut self) -> Option<Vec<u8>> {
        self.whole.take()
    }

    /// Peers that sent something wrong, since the last call.
    pub fn take_liars(&mut self) -> Vec<PeerKey> {
        std::mem::take(&mut self.liars)
    }

    /// How far it is.
    pub fn reached(&self) -> Reached {
        let furthest = self.attempts.iter();
        let furthest = furthest.max_by_key(|(_, attempt)| attempt.blocks.len());
        let of = |(&size, attempt): (&u32, &Attempt)| (attempt.blocks.len() as u32, blocks(size));
        Reached {
            peers: self.peers.values().filter(|it| it.size.is_some()).count(),
            blocks: furthest.map_or((0, 0), of),
        }
    }

    /// The lengths to fetch now: first those that failed least, and of these the ones that most
    /// peers name; together no more bytes than one dictionary may have.
    fn active(&mut self) -> Vec<u32> {
        let mut said: SortedMap<u32, usize> = SortedMap::new();
        for size in self.peers.values().filter_map(|peer| peer.size) {
            *said.get_or_insert_with(size, Default::default) += 1;
        }
        let rank = |size: &u32| {
            let failed = self.attempts.get(size).map_or(0, |it| it.tried.len());
            (failed, std::cmp::Reverse(said.get(size).copied()), *size)
        };
        let mut sizes: Vec<u32> = said.keys().copied().collect();
        sizes.sort_by_key(rank);
        let mut bytes = 0;
        sizes.retain(|&size| {
            bytes += size as usize;
            bytes <= limits::METADATA_BYTES || bytes == size as usize
        });
        sizes.truncate(limits::METADATA_SIZES);
        self.attempts.retain(|size, _| sizes.contains(size));
        for &size in &sizes {
            self.attempts.get_or_insert_with(size, Default::default);
        }
        sizes
    }

    fn plan_attempt(&mut self, size: u32, now: Now, asks: &mut Vec<(PeerKey, u32)>) {
        let Some(attempt) = self.attempts.get_mut(&size) else {
            return;
        };
        let patience = limits::METADATA_LATE * 2;
        let since = |moved: Option<Now>| now.since(moved.unwrap_or(now)) >= patience;
        if let Some(solo) = attempt.solo.filter(|_| since(attempt.moved)) {
            attempt.tried.insert(solo);
            attempt.solo = None;
            attempt.blocks.clear();
        }
        if attempt.solo.is_none() && !attempt.doubted.is_empty() {
            attempt.moved = Some(now);
            let mut peers = self.peers.iter().filter(|(_, it)| it.size == Some(size));
            let untried = peers.clone().find(|(key, _)| !attempt.tried.contains(key));
            attempt.solo = untried.or_else(|| peers.next()).map(|(&key, _)| key);
        }
        let solo = attempt.solo;
        let mut askers: SortedMap<u32, usize> = SortedMap::new();
        for peer in self.peers.values().filter(|peer| peer.size == Some(size)) {
            for &piece in peer.asked.keys() {
                *askers.get_or_insert_with(piece, Default::default) += 1;
            }
        }
        let missing: Vec<u32> = (0..blocks(size))
            .filter(|piece| !attempt.blocks.contains_key(piece))
            .collect();
        let asked_of = |key: PeerKey| solo.is_none_or(|solo| solo == key);
        for most in 1..=limits::METADATA_TWICE {
            for (&key, peer) in &mut self.peers {
                let may = peer.size == Some(size) && peer.until.is_none() && asked_of(key);
                for &piece in missing.iter().filter(|_| may) {
                    let count = askers.get_or_insert_with(piece, Default::default);
                    let room = peer.asked.len() < peer.depth;
                    if room && *count < most && !peer.asked.contains_key(&piece) {
                        *count += 1;
                        peer.asked.insert(piece, now);
                        asks.push((key, piece));
                    }
                }
            }
        }
    }

    /// Everything of this length came.
    fn judge(&mut self, size: u32) {
        let Some(mut attempt) = self.attempts.remove(&size) else {
            return;
        };
        let parts = attempt.blocks.values().map(|(_, block)| &block[..]);
        let whole: Vec<u8> = parts.collect::<Vec<_>>().concat();
        let right = Sha1::digest(&whole)[..] == self.info_hash.0;
        let sum = |block: &[u8]| -> Sum { Sha1::digest(block).into() };
        if right {
            let wrong = attempt.doubted.iter().filter(|(_, piece, doubted)| {
                let block = attempt.blocks.get(piece);
                block.is_some_and(|(_, block)| sum(block) != *doubted)
            });
            self.liars.extend(wrong.map(|(key, _, _)| *key));
            self.liars.sort_unstable();
            self.liars.dedup();
            self.whole = Some(whole);
            self.attempts.clear();
            return;
        }
        let senders: SortedSet<PeerKey> = attempt.blocks.values().map(|(key, _)| *key).collect();
        match senders.first() {
            Some(&liar) if senders.len() == 1 => {
                self.liars.push(liar);
                self.peers.remove(&liar);
                attempt.tried.insert(liar);
            }
            _ => {
                let blocks = attempt.blocks.iter();
                let doubted = blocks.map(|(&piece, (key, block))| (*key, piece, sum(block)));
                attempt.doubted = doubted.collect();
            }
        }
        attempt.solo = None;
        attempt.blocks.clear();
        for peer in self.peers.values_mut() {
            if peer.size == Some(size) {
                peer.forget_asked();
            }
        }
        self.attempts.insert(size, attempt);
        self.forget_unsaid();
    }

    /// Forgets what came of lengths that no peer says any more.
    fn forget_unsaid(&mut self) {
        let said: SortedSet<u32> = self.peers.values().filter_map(|peer| peer.size).collect();
        self.attempts.retain(|size, _| said.contains(size));
    }
}

/// The length of this block of a dictionary of `size` bytes; `None`: there is no such block.
pub fn length(size: u32, piece: u32) -> Option<usize> {
    let start = piece.checked_mul(BLOCK).filter(|&start| start < size)?;
    Some((size - start).min(BLOCK) as usize)
}

#[cfg(test)]
mod tests;
