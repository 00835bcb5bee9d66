//! Fetching the `info` dictionary of a torrent of which only the info hash is known (BEP 9). Peers
//! say how many bytes it has, and send it in blocks; what comes of them counts only if its SHA-1 is
//! the info hash, so a liar costs some time and nothing else:
//!
//! - Peers that disagree about the length are asked at the same time, each for the length that it
//!   named.
//! - A host that holds the search up gets a strike: a late block, a length that was fetched for a
//!   while and is not whole, a dictionary asked of it alone that did not come in time. Peers and
//!   lengths of hosts with few strikes come first, so each has its turn.
//! - A dictionary that is wrong and came from one peer proves that peer a liar. One that came from
//!   several is fetched anew from one of them alone, and then from the next; once it is right,
//!   every peer that had sent other bytes is known.

use std::net::IpAddr;

use crate::base::{InfoHash, PeerKey, SortedMap, SortedSet, Time, limits, sooner};
use crate::wire::extended::metadata::blocks;

mod asked;
mod attempt;
mod ranks;
mod room;

use asked::Asked;
use attempt::Attempt;
pub use attempt::{length, solo_time};
use ranks::Ranks;
pub use room::{Needs, Room};

/// The fetching of the dictionary.
#[derive(Debug)]
pub struct MetadataFetch {
    info_hash: InfoHash,
    peers: SortedMap<PeerKey, Asked>,
    /// By the length that peers say there is.
    attempts: SortedMap<u32, Attempt>,
    ranks: Ranks,
    /// What may be kept.
    room: Room,
    /// That is another than at the last plan.
    changed: bool,
    /// When other lengths are fetched in place of these.
    next_lengths_at: Option<Time>,
    /// Peers that sent wrong blocks and were not reported yet.
    liars: Vec<PeerKey>,
    whole: Option<Vec<u8>>,
}

/// How far it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Reached {
    /// Peers that have it.
    pub peers: usize,
    /// Those of them that have refused to send it.
    pub refusing: usize,
    /// Blocks that came, of how many.
    pub blocks: (u32, u32),
}

impl MetadataFetch {
    /// A search in which no peer is known yet.
    pub fn new(info_hash: InfoHash) -> MetadataFetch {
        MetadataFetch {
            info_hash,
            peers: SortedMap::new(),
            attempts: SortedMap::new(),
            ranks: Ranks::default(),
            room: Room::default(),
            changed: false,
            next_lengths_at: None,
            liars: Vec::new(),
            whole: None,
        }
    }

    /// A peer speaks the extension, and perhaps says how many bytes there are. `orderly`: it
    /// answers one request at a time.
    pub fn on_peer(
        &mut self,
        (key, host): (PeerKey, IpAddr),
        size: Option<u32>,
        orderly: bool,
        now: Time,
    ) {
        let size = size.filter(|&size| (1..=limits::METADATA_BYTES as u32).contains(&size));
        let asked = || Asked::new(host, orderly);
        let peer = self.peers.get_or_insert_with(key, asked);
        if orderly {
            peer.depth = 1;
        }
        if size != peer.size {
            (peer.size, peer.until) = (size, None);
            peer.forget_asked();
        }
        if size.is_none() {
            peer.until.get_or_insert(now + peer.poll);
        }
        self.forget_unsaid();
    }

    /// A peer is gone, or does not speak the extension any more.
    pub fn on_gone(&mut self, key: PeerKey) {
        self.peers.remove(&key);
        for attempt in self.attempts.values_mut() {
            // Its key may be another peer's from now on.
            attempt.forget_sender(key);
            if attempt.solo.is_some_and(|(solo, _)| solo == key) {
                attempt.give_up_solo();
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
        now: Time,
    ) -> bool {
        let Some(peer) = self.peers.get_mut(&key) else {
            return false;
        };
        let was_late = peer.late.remove(&piece);
        if peer.asked.remove(&piece).is_none() && !was_late {
            return false;
        }
        if was_late {
            peer.on_late_answer();
        }
        if total.is_some() && total != peer.size {
            // The peer has got the metadata meanwhile, or contradicts itself.
            let orderly = peer.orderly;
            if peer.size.is_some() {
                peer.until = Some(now + limits::METADATA_BACKOFF);
            } else {
                let host = peer.host;
                self.on_peer((key, host), total, orderly, now);
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
        if attempt.solo.is_none_or(|(solo, _)| solo == key) {
            (attempt.moved, attempt.came) = (Some(now), Some(now));
            let block = || (key, data.to_vec());
            attempt.blocks.get_or_insert_with(piece, block);
        }
        if attempt.blocks.len() == blocks(size) as usize {
            self.compare_hash(size);
        } else {
            self.keep_bound();
        }
        true
    }

    /// A peer does not send a block.
    pub fn on_reject(&mut self, key: PeerKey, piece: u32, now: Time) {
        if let Some(peer) = self.peers.get_mut(&key) {
            if peer.asked.remove(&piece).is_some() && peer.size.is_some() {
                peer.until = Some(now + limits::METADATA_BACKOFF);
                peer.forget_asked();
            }
        }
    }

    /// The peers to ask now, and the block for each.
    pub fn plan(&mut self, now: Time) -> Vec<(PeerKey, u32)> {
        let mut asks = Vec::new();
        self.changed = false;
        if self.whole.is_some() {
            return asks;
        }
        let mut slow = Vec::new();
        for (&key, peer) in &mut self.peers {
            if peer.miss_late(now) {
                slow.extend(peer.size.map(|_| key));
            }
            peer.until = peer.until.filter(|&at| at > now);
        }
        self.ranks.strike(&mut self.peers, slow);
        for size in self.active(now) {
            self.plan_attempt(size, now, &mut asks);
        }
        for (&key, peer) in &mut self.peers {
            if peer.size.is_none() && peer.until.is_none() {
                // It may have the metadata by now, and few clients say so.
                peer.poll = (peer.poll * 2).min(limits::METADATA_BACKOFF);
                peer.until = Some(now + peer.poll);
                peer.asked.insert(0, now);
                asks.push((key, 0));
            }
        }
        asks
    }

    /// When there is something to ask though nothing happens.
    pub fn next_deadline(&self) -> Option<Time> {
        if self.whole.is_some() {
            return None;
        }
        if self.changed {
            return Some(Time::default());
        }
        let peers = self.peers.values().map(|peer| {
            let late = peer
                .asked
                .values()
                .min()
                .map(|&at| at + limits::METADATA_LATE);
            sooner(late, peer.until)
        });
        let solos = self.attempts.values();
        let solos = solos.map(|attempt| attempt.solo.map(|(_, until)| until));
        let own = sooner(self.next_lengths_at, self.room.wait);
        peers.chain(solos).fold(own, sooner)
    }

    /// The dictionary, once it is whole and right.
    pub fn take_whole(&mut self) -> Option<Vec<u8>> {
        self.whole.take()
    }

    /// Peers that sent something wrong, since the last call.
    pub fn take_liars(&mut self) -> Vec<PeerKey> {
        std::mem::take(&mut self.liars)
    }

    /// What it could use of the memory for all searches. `short`: see [`Room::short`].
    pub fn needs(&self, short: u32) -> Needs {
        let mut needs = Needs::default();
        if self.whole.is_some() {
            return needs;
        }
        let sizes = self.ranks.sizes(&self.peers);
        let (shorts, longs): (Vec<u32>, Vec<u32>) = sizes.iter().partition(|it| **it <= short);
        let shorts = shorts.iter().take(limits::METADATA_SIZES);
        needs.shorts = shorts.map(|&size| size as usize).sum();
        needs.longest = longs.into_iter().max().unwrap_or(0);
        for (size, attempt) in &self.attempts {
            let moved = &mut needs.moved[usize::from(*size > short)];
            *moved = (*moved).max(attempt.came);
        }
        needs
    }

    /// It may keep so much from now on: what there is no room for any more is forgotten.
    pub fn set_room(&mut self, room: Room) {
        self.changed |= Room { wait: None, ..room }
            != Room {
                wait: None,
                ..self.room
            };
        self.room = room;
        self.keep_bound();
        for peer in self.peers.values_mut() {
            let class = peer.size.map(|size| room.bytes(room.is_short(size)));
            if class == Some(0) {
                peer.forget_asked();
            }
        }
    }

    /// Bytes of blocks that are kept.
    pub fn kept(&self) -> usize {
        self.attempts.values().map(Attempt::bytes).sum()
    }

    /// How far it is.
    pub fn reached(&self) -> Reached {
        let furthest = self.attempts.iter();
        let furthest = furthest.max_by_key(|(_, attempt)| attempt.blocks.len());
        let of = |(&size, attempt): (&u32, &Attempt)| (attempt.blocks.len() as u32, blocks(size));
        let with_it = || self.peers.values().filter(|it| it.size.is_some());
        Reached {
            peers: with_it().count(),
            refusing: with_it().filter(|it| it.until.is_some()).count(),
            blocks: furthest.map_or((0, 0), of),
        }
    }

    /// The lengths to fetch now: those in front that there is room for. Where there are several,
    /// their hosts get a strike after each turn.
    fn active(&mut self, now: Time) -> Vec<u32> {
        let mut sizes = self.fitting();
        if sizes.len() < 2 {
            self.next_lengths_at = None;
        } else if self.next_lengths_at.is_some_and(|ends| ends <= now) {
            let had_it = |peer: &Asked| {
                let mut had = sizes.iter().take(limits::METADATA_SIZES);
                had.any(|&size| peer.size == Some(size))
            };
            let struck = self.peers.iter().filter(|(_, peer)| had_it(peer));
            let struck = struck.map(|(&key, _)| key).collect();
            self.ranks.strike(&mut self.peers, struck);
            self.next_lengths_at = None;
            sizes = self.fitting();
        }
        if sizes.len() > 1 {
            self.next_lengths_at
                .get_or_insert(now + limits::METADATA_TURN);
        }
        sizes.truncate(limits::METADATA_SIZES);
        for &size in &sizes {
            self.attempts.get_or_insert_with(size, Default::default);
        }
        for (size, attempt) in &mut self.attempts {
            if !sizes.contains(size) {
                attempt.stop_clock(now);
            }
        }
        sizes
    }

    fn fitting(&self) -> Vec<u32> {
        self.room.fitting(&self.ranks.sizes(&self.peers))
    }

    /// Forgets the blocks of the lengths that rank last, where those of all lengths are too many.
    fn keep_bound(&mut self) {
        for short in [true, false] {
            let room = self.room;
            let of = |size: &u32| room.is_short(*size) == short;
            let kept = self.attempts.iter().filter(|(size, _)| of(size));
            let mut kept: usize = kept.map(|(_, attempt)| attempt.bytes()).sum();
            if kept <= room.bytes(short) {
                continue;
            }
            for size in self.ranks.sizes(&self.peers).into_iter().rev().filter(of) {
                if let Some(attempt) = self.attempts.get_mut(&size) {
                    kept -= attempt.bytes();
                    attempt.blocks.clear();
                }
                if kept <= room.bytes(short) {
                    break;
                }
            }
        }
    }

    /// Chooses the peer to ask alone, where the blocks of several were wrong. Each time that all
    /// were asked, they get more time for it: some are slow.
    fn choose_solo(&mut self, size: u32, now: Time) {
        let Some(attempt) = self.attempts.get_mut(&size).filter(|it| it.apart) else {
            return;
        };
        let silent = attempt.moved.unwrap_or(now) + limits::METADATA_LATE * 2;
        if let Some((solo, until)) = attempt.solo {
            if silent.min(until) > now {
                return;
            }
            attempt.give_up_solo();
            self.ranks.strike(&mut self.peers, vec![solo]);
        }
        let named = self.peers.iter().filter(|(_, it)| it.size == Some(size));
        let count = named.clone().count() as u32;
        let chosen = named.min_by_key(|(key, peer)| (peer.until, self.ranks.rank_of(peer), **key));
        let chosen = chosen.map(|(&key, _)| key);
        if let Some(attempt) = self.attempts.get_mut(&size) {
            let time = solo_time(size) * (1 + attempt.tried / count.max(1));
            attempt.solo = chosen.map(|key| (key, now + time));
            attempt.moved = Some(now);
        }
    }

    fn plan_attempt(&mut self, size: u32, now: Time, asks: &mut Vec<(PeerKey, u32)>) {
        self.choose_solo(size, now);
        let Some(attempt) = self.attempts.get(&size) else {
            return;
        };
        let mut askers: SortedMap<u32, usize> = SortedMap::new();
        for peer in self.peers.values().filter(|peer| peer.size == Some(size)) {
            for &piece in peer.asked.keys() {
                *askers.get_or_insert_with(piece, Default::default) += 1;
            }
        }
        let missing: Vec<u32> = (0..blocks(size))
            .filter(|piece| !attempt.blocks.contains_key(piece))
            .collect();
        let solo = attempt.solo.map(|(key, _)| key);
        let may = |(key, peer): &(&PeerKey, &Asked)| {
            let asked = solo.is_none_or(|solo| solo == **key);
            asked && peer.size == Some(size) && peer.until.is_none()
        };
        let mut keys: Vec<_> = self.peers.iter().filter(may).collect();
        keys.sort_by_key(|(key, peer)| (self.ranks.rank_of(peer), **key));
        let keys: Vec<PeerKey> = keys.into_iter().map(|(&key, _)| key).collect();
        for most in 1..=limits::METADATA_TWICE {
            for &key in &keys {
                let Some(peer) = self.peers.get_mut(&key) else {
                    continue;
                };
                for &piece in &missing {
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
    fn compare_hash(&mut self, size: u32) {
        let Some(attempt) = self.attempts.get_mut(&size) else {
            return;
        };
        if attempt.is_right(self.info_hash) {
            self.liars.extend(attempt.liars());
            self.liars.sort_unstable();
            self.liars.dedup();
            self.whole = Some(attempt.take_whole());
            self.attempts.clear();
            return;
        }
        if let Some(liar) = attempt.doubt() {
            self.liars.push(liar);
            self.peers.remove(&liar);
        }
        for peer in self.peers.values_mut() {
            if peer.size == Some(size) {
                peer.forget_asked();
            }
        }
        self.forget_unsaid();
    }

    /// Forgets what came of lengths that no peer says any more.
    fn forget_unsaid(&mut self) {
        let said: SortedSet<u32> = self.peers.values().filter_map(|peer| peer.size).collect();
        self.attempts.retain(|size, _| said.contains(size));
    }
}

#[cfg(test)]
mod tests;
