//! Peers that others announced to us: the part of the DHT's content that we keep. Bounded in info
//! hashes, in peers of each and in all; what is oldest goes first.

use crate::base::{Duration, Host, InfoHash, Reach, Rng, SortedMap, Time, limits};
use std::net::SocketAddr;

/// The stored peers of one address family.
#[derive(Debug, Default)]
pub struct PeerStore {
    swarms: SortedMap<InfoHash, Vec<Stored>>,
    peers: usize,
    /// When what is too old is looked for again.
    sweep_at: Time,
}

/// A peer, and the second at which it is forgotten.
#[derive(Clone, Copy, Debug)]
struct Stored {
    addr: SocketAddr,
    until: u32,
}

/// What is too old is looked for this often: memory comes back soon enough.
const SWEEP: Duration = Duration::from_secs(60);

impl PeerStore {
    /// Stores a peer, or keeps it for longer. One of few peers is worth more than one of many: when
    /// the store is full, the largest swarm loses its oldest peer.
    pub fn insert(&mut self, info_hash: InfoHash, addr: SocketAddr, now: Time) {
        self.sweep(now);
        let stored = Stored {
            addr,
            until: second(now + limits::DHT_PEER_KEPT),
        };
        if !self.swarms.contains_key(&info_hash) && self.swarms.len() >= limits::DHT_HASHES {
            self.remove_stalest();
        }
        let swarm = self.swarms.get_or_insert_with(info_hash, Default::default);
        let before = swarm.len();
        swarm.retain(|other| other.addr != addr);
        make_room_of_host(swarm, addr);
        if swarm.len() >= limits::DHT_PEERS_EACH {
            remove_oldest(swarm);
        }
        swarm.push(stored);
        self.peers = self.peers + swarm.len() - before;
        if self.peers > limits::DHT_PEERS {
            if let Some(largest) = self.swarms.values_mut().max_by_key(|swarm| swarm.len()) {
                remove_oldest(largest);
                self.peers -= 1;
            }
        }
    }

    /// Up to so many peers of a torrent, chosen at random.
    pub fn some(&self, hash: InfoHash, most: usize, rng: &mut Rng, now: Time) -> Vec<SocketAddr> {
        let now = second(now);
        let swarm = self.swarms.get(&hash).map_or(&[][..], Vec::as_slice);
        let live = swarm.iter().filter(|stored| stored.until > now);
        let mut peers: Vec<SocketAddr> = live.map(|stored| stored.addr).collect();
        for index in 0..most.min(peers.len()) {
            let chosen = index as u64 + rng.below((peers.len() - index) as u64);
            peers.swap(index, chosen as usize);
        }
        peers.truncate(most);
        peers
    }

    /// Up to so many info hashes, chosen at random.
    pub fn samples(&self, most: usize, rng: &mut Rng) -> Vec<InfoHash> {
        let mut hashes: Vec<InfoHash> = self.swarms.keys().copied().collect();
        rng.shuffle(&mut hashes);
        hashes.truncate(most);
        hashes
    }

    /// How many info hashes there are.
    pub fn hashes(&self) -> usize {
        self.swarms.len()
    }

    /// How many peers there are.
    pub fn peers(&self) -> usize {
        self.peers
    }

    /// Forgets what is too old, from time to time.
    fn sweep(&mut self, now: Time) {
        if now < self.sweep_at {
            return;
        }
        self.sweep_at = now + SWEEP;
        let second = second(now);
        self.swarms.retain(|_, swarm| {
            swarm.retain(|stored| stored.until > second);
            swarm.shrink_to_fit();
            !swarm.is_empty()
        });
        self.peers = self.swarms.values().map(Vec::len).sum();
    }

    /// Makes room for another info hash: of those with the fewest peers, the one that was announced
    /// longest ago goes.
    fn remove_stalest(&mut self) {
        let newest = |swarm: &[Stored]| swarm.last().map(|stored| stored.until);
        let all = self.swarms.iter();
        let stalest = all.min_by_key(|(_, swarm)| (swarm.len(), newest(swarm)));
        if let Some(hash) = stalest.map(|(hash, _)| *hash) {
            self.peers -= self.swarms.remove(&hash).map_or(0, |swarm| swarm.len());
        }
    }
}

/// A host that has announced too many ports loses its oldest one. Around us each machine may have
/// many.
fn make_room_of_host(swarm: &mut Vec<Stored>, addr: SocketAddr) {
    if Reach::of(addr.ip()).is_local() {
        return;
    }
    let host = Host::of(addr);
    let of_host = |stored: &Stored| Host::of(stored.addr) == host;
    if swarm.iter().filter(|stored| of_host(stored)).count() >= limits::DHT_PEERS_OF_HOST {
        if let Some(oldest) = swarm.iter().position(of_host) {
            swarm.remove(oldest);
        }
    }
}

/// The peers stand in the order of their announces.
fn remove_oldest(swarm: &mut Vec<Stored>) {
    swarm.remove(0);
}

fn second(now: Time) -> u32 {
    u32::try_from(now.as_micros() / 1_000_000).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(number: usize) -> InfoHash {
        let mut hash = [0; 20];
        hash[..8].copy_from_slice(&number.to_be_bytes());
        InfoHash(hash)
    }

    fn peer(number: usize) -> SocketAddr {
        let [_, a, b, c] = (number as u32).to_be_bytes();
        ([7, a, b, c], 6881).into()
    }

    fn at(secs: u64) -> Time {
        Time::from_micros(secs * 1_000_000)
    }

    #[test]
    fn a_peer_is_kept_for_half_an_hour_after_it_was_last_announced() {
        let (mut store, mut rng) = (PeerStore::default(), Rng::from_seed(1));
        let kept = limits::DHT_PEER_KEPT.as_secs();
        store.insert(hash(1), peer(1), at(0));
        store.insert(hash(1), peer(2), at(10));
        store.insert(hash(1), peer(1), at(20));
        assert_eq!(store.peers(), 2, "the same peer once");
        let mut at = |secs| {
            let mut some = store.some(hash(1), 50, &mut rng, at(secs));
            some.sort();
            some
        };
        assert_eq!(at(kept + 9), [peer(1), peer(2)]);
        assert_eq!(at(kept + 10), [peer(1)]);
        assert_eq!(at(kept + 20), []);
        store.insert(hash(2), peer(9), self::at(kept + 90));
        assert_eq!((store.hashes(), store.peers()), (1, 1), "memory comes back");
    }

    #[test]
    fn each_bound_holds_and_the_oldest_goes() {
        let (mut store, mut rng) = (PeerStore::default(), Rng::from_seed(1));
        for number in 0..limits::DHT_PEERS_EACH + 7 {
            store.insert(hash(0), peer(number), at(number as u64));
        }
        let some = store.some(hash(0), 10_000, &mut rng, at(700));
        assert_eq!(some.len(), limits::DHT_PEERS_EACH);
        assert!(!some.contains(&peer(6)) && some.contains(&peer(7)));
        assert_eq!(
            store
                .some(hash(0), limits::DHT_VALUES, &mut rng, at(700))
                .len(),
            50
        );

        for number in 1..limits::DHT_HASHES + 9 {
            store.insert(hash(number), peer(number), at(700));
        }
        assert_eq!(store.hashes(), limits::DHT_HASHES);
        assert_eq!(store.some(hash(0), 1_000, &mut rng, at(700)).len(), 500);
        assert!(store.some(hash(1), 9, &mut rng, at(700)).is_empty());

        for number in 0..limits::DHT_PEERS {
            store.insert(hash(number % 100), peer(number), at(701));
        }
        assert_eq!(store.peers(), limits::DHT_PEERS);
        let sum: usize = store.swarms.values().map(Vec::len).sum();
        assert_eq!(sum, store.peers());
        assert_eq!(store.some(hash(300), 9, &mut rng, at(701)).len(), 1);
        assert_eq!(store.samples(20, &mut rng).len(), 20);
    }

    #[test]
    fn a_host_that_announces_many_ports_replaces_its_own() {
        let (mut store, mut rng) = (PeerStore::default(), Rng::from_seed(1));
        for number in 0..20 {
            store.insert(hash(0), peer(number), at(0));
        }
        let port = |ip: &str, port| SocketAddr::new(ip.parse().unwrap(), port);
        for number in 1..=1_000 {
            store.insert(hash(0), port("192.0.2.1", number), at(1));
            // A host of IPv6 has as many addresses as it likes.
            let ip = format!("2001:db8::{number:x}");
            store.insert(hash(0), port(&ip, 7), at(1));
        }
        let some = store.some(hash(0), 10_000, &mut rng, at(2));
        assert_eq!(some.len(), 20 + 2 * limits::DHT_PEERS_OF_HOST);
        assert_eq!(store.peers(), some.len());
        assert!((0..20).all(|number| some.contains(&peer(number))));
        assert!(
            some.contains(&port("192.0.2.1", 1_000)) && some.contains(&port("2001:db8::3e8", 7))
        );
        // Around us a host may have many.
        (1..=100).for_each(|it| store.insert(hash(1), port("10.0.0.1", it), at(2)));
        assert_eq!(store.some(hash(1), 1_000, &mut rng, at(2)).len(), 100);
    }
}
