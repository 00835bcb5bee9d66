//! The order in which torrents and their peers share a limited rate: of the torrents that have a
//! peer waiting for the limit, the one that has got the fewest bytes under it comes next, and of
//! its peers again the one that has got the fewest. So a torrent with one slow peer gets all that
//! the peer can send as long as that is no more than an equal share, however many peers another
//! torrent has; and within a torrent all peers are equal.

use super::fair_queue::FairQueue;
use crate::base::{PeerKey, SortedMap, TorrentKey};

/// The peers that wait for a limited rate, by their torrents.
#[derive(Debug, Default)]
pub struct FairShares {
    torrents: FairQueue,
    peers: SortedMap<TorrentKey, FairQueue>,
}

impl FairShares {
    /// A peer of this torrent waits from now on, if it did not yet.
    pub fn join(&mut self, torrent: TorrentKey, key: PeerKey) {
        self.peers
            .get_or_insert_with(torrent, Default::default)
            .join(key);
        self.torrents.join(torrent);
    }

    /// The peer to serve next, of the torrents that may be served at all. It does not wait any
    /// more: if one block was not all, it joins again.
    pub fn pop_if(&mut self, may: impl FnMut(TorrentKey) -> bool) -> Option<PeerKey> {
        let torrent = self.torrents.pop_if(may)?;
        let peers = self.peers.get_mut(&torrent)?;
        let key = peers.pop_if(|_| true);
        if !peers.is_empty() {
            self.torrents.join(torrent);
        }
        key
    }

    /// Notes bytes that a peer of this torrent got under the limit.
    pub fn charge(&mut self, torrent: TorrentKey, key: PeerKey, bytes: u64) {
        self.torrents.charge(torrent, bytes);
        if let Some(peers) = self.peers.get_mut(&torrent) {
            peers.charge(key, bytes);
        }
    }

    /// Takes back bytes that were noted and that the peer did not get.
    pub fn refund(&mut self, torrent: TorrentKey, key: PeerKey, bytes: u64) {
        self.torrents.refund(torrent, bytes);
        if let Some(peers) = self.peers.get_mut(&torrent) {
            peers.refund(key, bytes);
        }
    }

    /// Whether a peer of this torrent waits.
    pub fn waits(&self, torrent: TorrentKey, key: PeerKey) -> bool {
        let peers = self.peers.get(&torrent);
        peers.is_some_and(|peers| peers.waits(key))
    }

    /// The torrents that have a peer waiting, the next one first.
    pub fn waiting(&self) -> impl Iterator<Item = TorrentKey> + '_ {
        self.torrents.waiting()
    }

    /// A connection is over: its key may be another's next.
    pub fn forget(&mut self, torrent: TorrentKey, key: PeerKey) {
        if let Some(peers) = self.peers.get_mut(&torrent) {
            peers.forget(key);
            if peers.is_empty() {
                self.torrents.leave(torrent);
            }
        }
    }

    /// A torrent is forgotten: its key may be another's next.
    pub fn forget_torrent(&mut self, torrent: TorrentKey) {
        self.torrents.forget(torrent);
        self.peers.remove(&torrent);
    }

    /// Asserts that the torrents that wait are those with a peer that waits, and that `is_member`
    /// is true of each of these peers.
    pub fn assert_invariants(&self, is_member: impl Fn(TorrentKey, PeerKey) -> bool) {
        for (&torrent, peers) in &self.peers {
            assert_eq!(self.torrents.waits(torrent), !peers.is_empty(), "{torrent}");
            let mut waiting = peers.waiting();
            assert!(waiting.all(|key| is_member(torrent, key)), "{torrent}");
        }
        let mut waiting = self.torrents.waiting();
        assert!(waiting.all(|torrent| self.peers.contains_key(&torrent)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Serves the next peer a block of 16 bytes; it waits on. Its torrent.
    fn serve(queue: &mut FairShares, may: impl Fn(TorrentKey) -> bool) -> Option<TorrentKey> {
        let key = queue.pop_if(may)?;
        let torrent = usize::from(key >= 100);
        queue.charge(torrent, key, 16);
        queue.join(torrent, key);
        queue.assert_invariants(|torrent, key| torrent == usize::from(key >= 100));
        Some(torrent)
    }

    /// Torrent 0 has one peer that waits, torrent 1 has fifty.
    fn one_and_fifty() -> FairShares {
        let mut queue = FairShares::default();
        queue.join(0, 7);
        (100..150).for_each(|key| queue.join(1, key));
        queue
    }

    fn served(
        queue: &mut FairShares,
        blocks: usize,
        may: impl Fn(TorrentKey) -> bool,
    ) -> [usize; 2] {
        let mut count = [0; 2];
        for _ in 0..blocks {
            count[serve(queue, &may).expect("one waits")] += 1;
        }
        count
    }

    #[test]
    fn a_torrent_with_one_peer_gets_as_much_as_one_with_fifty() {
        let mut queue = one_and_fifty();
        let [one, fifty] = served(&mut queue, 1000, |_| true);
        assert!(one.abs_diff(fifty) <= 1, "{one} and {fifty}");
    }

    #[test]
    fn what_a_torrent_does_not_take_goes_to_the_other() {
        let mut queue = one_and_fifty();
        queue.forget(0, 7);
        assert_eq!(queue.waiting().collect::<Vec<_>>(), [1]);
        assert_eq!(served(&mut queue, 100, |_| true), [0, 100]);
        queue.join(0, 8);
        assert!(served(&mut queue, 100, |_| true)[0] >= 49);
        queue.forget_torrent(1);
        assert_eq!(served(&mut queue, 100, |_| true), [100, 0]);
    }

    #[test]
    fn a_torrent_that_its_own_limit_held_back_is_not_repaid_when_that_is_lifted() {
        let mut queue = one_and_fifty();
        assert_eq!(served(&mut queue, 1000, |torrent| torrent == 1), [0, 1000]);
        let [one, fifty] = served(&mut queue, 100, |_| true);
        assert!(one.abs_diff(fifty) <= 2, "{one} and {fifty}");
    }
}
