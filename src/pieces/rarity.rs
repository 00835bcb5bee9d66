//! Which pieces are missing, in the order of how few peers have them.
//!
//! `order` is a permutation of all pieces, cut into runs: first the pieces that are not missing,
//! then the missing ones that no peer has, then those that one has, and so on; `starts` says where
//! each run begins. A `have` swaps its piece to the edge of its run and moves the boundary over it:
//! one swap, however many pieces there are. A piece that is begun, or given up, crosses one
//! boundary for each peer that has it. Seeds have everything, so they change no order and are only
//! counted.

use std::collections::VecDeque;

use crate::base::{Bits, Holdings, Rng, limits};

/// The missing pieces of a torrent and how many peers have each piece.
#[derive(Clone, Debug)]
pub(super) struct Rarity {
    missing: Bits,
    order: Vec<u32>,
    position: Vec<u32>,
    /// Peers (not seeds) that have each piece, plus `zero`. There are fewer peers than 2¹⁶
    /// (`limits::PEERS_MOST`).
    counts: Vec<u16>,
    /// What stands for none in `counts`. A peer that becomes a seed counted in each of them:
    /// raising this takes it out of all.
    zero: u16,
    starts: VecDeque<u32>,
    seeds: u32,
    /// No piece below this one is missing.
    first: u32,
}

impl Rarity {
    /// A table of this many pieces, none of them missing, without peers.
    pub fn new(pieces: u32) -> Rarity {
        Rarity {
            missing: Bits::new(pieces),
            order: (0..pieces).collect(),
            position: (0..pieces).collect(),
            counts: vec![0; pieces as usize],
            zero: 0,
            starts: VecDeque::from([pieces]),
            seeds: 0,
            first: pieces,
        }
    }

    /// The missing pieces.
    pub fn missing(&self) -> &Bits {
        &self.missing
    }

    /// How many peers have this piece, seeds included.
    pub fn availability(&self, piece: u32) -> u32 {
        let known = piece < self.missing.len();
        let peers = if known { self.peers_with(piece) } else { 0 };
        peers as u32 + self.seeds
    }

    /// Whether some peer has a missing piece.
    pub fn is_obtainable(&self) -> bool {
        let run = if self.seeds > 0 { 0 } else { 1 };
        self.starts
            .get(run)
            .is_some_and(|&start| start < self.missing.len())
    }

    /// This piece is missing now.
    pub fn insert(&mut self, piece: u32) {
        if !self.missing.set(piece) {
            return;
        }
        self.first = self.first.min(piece);
        let peers = self.peers_with(piece);
        for run in 0..=peers {
            self.raise(piece, run);
        }
    }

    /// This piece is not missing any more.
    pub fn remove(&mut self, piece: u32) {
        if !self.missing.clear(piece) {
            return;
        }
        for run in (0..=self.peers_with(piece)).rev() {
            self.lower(piece, run);
        }
    }

    /// A peer came.
    pub fn joined(&mut self, have: &Holdings) {
        if have.is_seed() {
            self.seeds += 1;
        }
        for piece in have.bits().into_iter().flat_map(Bits::ones) {
            self.on_have(piece);
        }
    }

    /// A peer that has this left.
    pub fn left(&mut self, have: &Holdings) {
        if have.is_seed() {
            debug_assert!(self.seeds > 0, "a seed left that never came");
            self.seeds = self.seeds.saturating_sub(1);
        }
        for piece in have.bits().into_iter().flat_map(Bits::ones) {
            self.on_lost(piece);
        }
    }

    /// A peer has this piece now.
    pub fn on_have(&mut self, piece: u32) {
        if piece >= self.missing.len() {
            return;
        }
        if self.missing.get(piece) {
            self.raise(piece, self.peers_with(piece) + 1);
        }
        let count = &mut self.counts[piece as usize];
        *count = count.wrapping_add(1);
    }

    /// A peer, of which each piece was counted, has them all now.
    pub fn became_seed(&mut self) {
        self.zero = self.zero.wrapping_add(1);
        self.seeds += 1;
        if self.starts.len() > 1 {
            debug_assert_eq!(self.starts[0], self.starts[1], "it has every piece");
            self.starts.pop_front();
        }
    }

    /// A missing piece that this peer has, as rare as any of them; ties are broken at random.
    ///
    /// Only this many places are looked at in the order of rarity. Where the peer has none of them,
    /// it has little, and a scan of its bits, a word at a time, gives a few to take the rarest of.
    pub fn rarest(&self, have: &Holdings, rng: &mut Rng) -> Option<u32> {
        let mut probes = limits::RAREST_PROBES;
        // What no other peer has only a seed can give.
        let from = if have.is_seed() { 0 } else { 1 };
        for run in from..self.starts.len() {
            let (start, len) = self.run(run);
            let offset = rng.below(u64::from(len)) as u32;
            for step in 0..len {
                if probes == 0 {
                    return self.rarest_of_few(have, rng);
                }
                probes -= 1;
                let piece = self.order[(start + (offset + step) % len) as usize];
                if have.has(piece) {
                    return Some(piece);
                }
            }
        }
        None
    }

    /// Any missing piece that this peer has.
    pub fn random(&self, have: &Holdings, rng: &mut Rng) -> Option<u32> {
        let start = self.starts[0];
        for _ in 0..limits::RAREST_PROBES.min(self.missing.count() as usize) {
            let place = start + rng.below(u64::from(self.missing.count())) as u32;
            let piece = self.order[place as usize];
            if have.has(piece) {
                return Some(piece);
            }
        }
        self.scan(have, rng).next()
    }

    /// The missing piece of the lowest index that this peer has.
    pub fn lowest(&mut self, have: &Holdings) -> Option<u32> {
        self.first = self
            .missing
            .common(&self.missing, self.first)
            .next()
            .unwrap_or(self.missing.len());
        let theirs = self.bits_of(have)?;
        self.missing.common(theirs, self.first).next()
    }

    /// The rarest of these pieces that is missing and that this peer has.
    pub fn rarest_among(&self, pieces: &[u32], have: &Holdings) -> Option<u32> {
        let theirs = |&piece: &u32| self.missing.get(piece) && have.has(piece);
        let pieces = pieces.iter().copied().filter(theirs);
        pieces.min_by_key(|&piece| self.peers_with(piece))
    }

    fn rarest_of_few(&self, have: &Holdings, rng: &mut Rng) -> Option<u32> {
        let few = self.scan(have, rng).take(limits::RAREST_SAMPLE);
        few.min_by_key(|&piece| self.peers_with(piece))
    }

    /// The missing pieces that this peer has, from a random place on, around.
    fn scan<'a>(&'a self, have: &'a Holdings, rng: &mut Rng) -> impl Iterator<Item = u32> + 'a {
        let middle = rng.below(u64::from(self.missing.len())) as u32;
        self.bits_of(have).into_iter().flat_map(move |theirs| {
            let upper = self.missing.common(theirs, middle);
            let lower = self.missing.common(theirs, 0);
            upper.chain(lower.take_while(move |&piece| piece < middle))
        })
    }

    /// A seed's bits would be all ones: those of the missing pieces do as well.
    fn bits_of<'a>(&'a self, have: &'a Holdings) -> Option<&'a Bits> {
        if have.is_seed() {
            Some(&self.missing)
        } else {
            have.bits()
        }
    }

    fn peers_with(&self, piece: u32) -> usize {
        usize::from(self.counts[piece as usize].wrapping_sub(self.zero))
    }

    fn on_lost(&mut self, piece: u32) {
        let peers = self.peers_with(piece);
        debug_assert!(peers > 0, "piece {piece} left with a peer that never came");
        if peers == 0 {
            return;
        }
        if self.missing.get(piece) {
            self.lower(piece, peers);
        }
        let count = &mut self.counts[piece as usize];
        *count = count.wrapping_sub(1);
    }

    /// Where this run begins and how many pieces are in it.
    fn run(&self, run: usize) -> (u32, u32) {
        let start = self.starts[run];
        let end = self.starts.get(run + 1).copied();
        (start, end.unwrap_or(self.missing.len()) - start)
    }

    /// Moves a piece from the run before into this one.
    fn raise(&mut self, piece: u32, run: usize) {
        while self.starts.len() <= run {
            self.starts.push_back(self.missing.len());
        }
        self.starts[run] -= 1;
        self.swap_to(piece, self.starts[run]);
    }

    /// Moves a piece from this run into the one before.
    fn lower(&mut self, piece: u32, run: usize) {
        self.swap_to(piece, self.starts[run]);
        self.starts[run] += 1;
    }

    fn swap_to(&mut self, piece: u32, place: u32) {
        let other = self.order[place as usize];
        let from = self.position[piece as usize];
        self.order.swap(from as usize, place as usize);
        self.position[piece as usize] = place;
        self.position[other as usize] = from;
    }

    /// Asserts that every piece lies in the run that it belongs to.
    pub fn assert_invariants(&self) {
        let mut runs = 0;
        for (place, &piece) in self.order.iter().enumerate() {
            assert_eq!(self.position[piece as usize] as usize, place);
            let after = |&start: &u32| start as usize <= place;
            while self.starts.get(runs).is_some_and(after) {
                runs += 1;
            }
            let own = if self.missing.get(piece) {
                self.peers_with(piece) + 1
            } else {
                0
            };
            assert_eq!(runs, own, "piece {piece} lies in the wrong run");
        }
        assert!(self.missing.ones().all(|piece| piece >= self.first));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(pieces: u32, theirs: impl IntoIterator<Item = u32>) -> Holdings {
        let mut have = Holdings::nothing(pieces);
        theirs.into_iter().for_each(|piece| {
            have.add(piece);
        });
        have
    }

    fn all_missing(pieces: u32) -> Rarity {
        let mut rarity = Rarity::new(pieces);
        (0..pieces).for_each(|piece| rarity.insert(piece));
        rarity
    }

    #[test]
    fn the_rarest_that_the_peer_has_comes_first() {
        let mut rng = Rng::from_seed(1);
        let mut rarity = all_missing(10);
        rarity.joined(&peer(10, [1, 2, 3]));
        rarity.joined(&peer(10, [2, 3]));
        rarity.joined(&peer(10, [3]));
        let seed = Holdings::everything(10);
        rarity.joined(&seed);
        assert_eq!((rarity.availability(3), rarity.availability(0)), (4, 1));
        assert_eq!(rarity.rarest(&peer(10, [3, 2]), &mut rng), Some(2));
        assert_eq!(rarity.rarest(&peer(10, [3, 1, 2]), &mut rng), Some(1));
        rarity.remove(1);
        assert_eq!(rarity.rarest(&peer(10, [1]), &mut rng), None);
        let common: Vec<u32> = (0..50)
            .filter_map(|_| rarity.rarest(&seed, &mut rng))
            .collect();
        assert!(common.iter().all(|&piece| !(1..=3).contains(&piece)));
        assert!(
            common.iter().any(|&piece| piece != common[0]),
            "ties are random"
        );
        rarity.assert_invariants();
    }

    #[test]
    fn a_peer_that_becomes_a_seed_leaves_as_one() {
        let mut rarity = all_missing(3);
        rarity.remove(2);
        rarity.joined(&peer(3, [0]));
        let mut grown = peer(3, []);
        for piece in [2, 0, 1] {
            assert!(grown.add(piece));
            rarity.on_have(piece);
        }
        rarity.became_seed();
        rarity.assert_invariants();
        rarity.insert(2);
        let counts = |rarity: &Rarity| [0, 1, 2].map(|piece| rarity.availability(piece));
        assert_eq!(counts(&rarity), [2, 1, 1]);
        rarity.left(&grown);
        assert_eq!(counts(&rarity), [1, 0, 0]);
        assert!(rarity.is_obtainable());
        rarity.remove(0);
        assert!(!rarity.is_obtainable(), "nobody has 1 or 2");
        rarity.assert_invariants();
    }

    #[test]
    fn a_peer_with_little_is_served_beyond_the_probes() {
        let pieces = limits::RAREST_PROBES as u32 * 100;
        let mut rng = Rng::from_seed(3);
        let mut rarity = all_missing(pieces);
        rarity.joined(&peer(pieces, 0..pieces - 1));
        let poor = peer(pieces, [7_000.min(pieces - 1), 9]);
        rarity.joined(&poor);
        rarity.on_have(9);
        for _ in 0..20 {
            assert_eq!(rarity.rarest(&poor, &mut rng), Some(7_000.min(pieces - 1)));
            assert!(rarity.random(&poor, &mut rng).is_some_and(|p| poor.has(p)));
        }
        assert_eq!(rarity.rarest(&peer(pieces, []), &mut rng), None);
    }

    #[test]
    fn lowest_first_keeps_up_with_what_comes_back() {
        let mut rarity = all_missing(200);
        let seed = Holdings::everything(200);
        (0..150).for_each(|piece| rarity.remove(piece));
        assert_eq!(rarity.lowest(&seed), Some(150));
        assert_eq!(rarity.lowest(&peer(200, [3, 199])), Some(199));
        rarity.insert(3);
        assert_eq!(rarity.lowest(&peer(200, [3, 199])), Some(3));
        assert_eq!(rarity.rarest_among(&[0, 7, 160, 199], &seed), Some(160));
        rarity.assert_invariants();
    }

    #[test]
    fn any_course_of_events_keeps_the_order() {
        for seed in 0..20 {
            let mut rng = Rng::from_seed(seed);
            let pieces = 1 + rng.below(70) as u32;
            let mut rarity = Rarity::new(pieces);
            let mut peers: Vec<Holdings> = Vec::new();
            for _ in 0..400 {
                let piece = rng.below(u64::from(pieces)) as u32;
                let at = rng.below(peers.len() as u64) as usize;
                match rng.below(5) {
                    0 => rarity.insert(piece),
                    1 => rarity.remove(piece),
                    2 if peers.len() < 9 => {
                        let theirs = (0..pieces).filter(|_| rng.below(3) > 0);
                        peers.push(peer(pieces, theirs.collect::<Vec<_>>()));
                        peers.last().iter().for_each(|have| rarity.joined(have));
                    }
                    3 if peers.len() > 3 => rarity.left(&peers.swap_remove(at)),
                    _ if at < peers.len() && peers[at].add(piece) => {
                        rarity.on_have(piece);
                        if peers[at].is_seed() {
                            rarity.became_seed();
                        }
                    }
                    _ => {}
                }
                rarity.assert_invariants();
            }
            for piece in 0..pieces {
                let with = peers.iter().filter(|have| have.has(piece)).count();
                assert_eq!(rarity.availability(piece), with as u32);
            }
        }
    }
}
