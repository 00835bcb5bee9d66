//! The name of a DHT node (BEP 5). Node ids and info hashes are numbers of 160 bits in one space;
//! how far apart two of them are is their bitwise exclusive or, taken as a number.

use std::fmt;

use super::id::InfoHash;
use super::rng::Rng;

/// A node's id, or any other place in the space of ids.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeId(pub [u8; 20]);

/// The exclusive or of two ids: the smaller, the nearer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Distance([u8; 20]);

impl NodeId {
    /// Bits of an id.
    pub const BITS: usize = 160;

    /// Any id.
    pub fn random(rng: &mut Rng) -> NodeId {
        let mut id = [0; 20];
        id.iter_mut().for_each(|byte| *byte = rng.below(256) as u8);
        NodeId(id)
    }

    /// How far it is to another id.
    pub fn distance(&self, other: &NodeId) -> Distance {
        let mut xor = self.0;
        for (byte, other) in xor.iter_mut().zip(other.0) {
            *byte ^= other;
        }
        Distance(xor)
    }

    /// How many of the first bits two ids have in common.
    pub fn shared_bits(&self, other: &NodeId) -> usize {
        Self::BITS - self.distance(other).bits()
    }

    /// A random id that has exactly `bits` first bits in common with this one, at most all of them.
    pub fn random_sharing(&self, bits: usize, rng: &mut Rng) -> NodeId {
        let mut id = NodeId::random(rng).0;
        for (place, (byte, own)) in id.iter_mut().zip(self.0).enumerate() {
            let kept = bits.saturating_sub(place * 8).min(8) as u32;
            let mask = !0xff_u8.checked_shr(kept).unwrap_or(0);
            *byte = (own & mask) | (*byte & !mask);
            if bits / 8 == place {
                let differing = 0x80 >> (bits % 8);
                *byte = (*byte & !differing) | (!own & differing);
            }
        }
        NodeId(id)
    }
}

impl Distance {
    /// How many bits the number has: 0 for the same id, 160 for one whose first bit differs. Each
    /// bit more is twice the distance.
    pub fn bits(self) -> usize {
        let zero = self.0.iter().take_while(|&&byte| byte == 0).count();
        let rest = self.0.get(zero).map_or(0, |byte| byte.leading_zeros());
        NodeId::BITS - zero * 8 - rest as usize
    }
}

impl From<InfoHash> for NodeId {
    fn from(hash: InfoHash) -> NodeId {
        NodeId(hash.0)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        InfoHash(self.0).fmt(f)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        InfoHash(self.0).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(first: u8, last: u8) -> NodeId {
        let mut id = [0; 20];
        (id[0], id[19]) = (first, last);
        NodeId(id)
    }

    #[test]
    fn distance_is_the_exclusive_or() {
        assert_eq!(id(0, 5).distance(&id(0, 5)).bits(), 0);
        assert_eq!(id(0, 5).distance(&id(0, 4)).bits(), 1);
        assert_eq!(id(0, 5).distance(&id(0, 13)).bits(), 4);
        assert_eq!(id(0x80, 0).distance(&id(0, 0)).bits(), 160);
        assert_eq!(id(0x11, 0).distance(&id(0x10, 0)).bits(), 153);
        assert_eq!(id(0x11, 0).shared_bits(&id(0x10, 0)), 7);
        // "distance(A,B) = |A xor B| Smaller values are closer." (BEP 5)
        let from = id(0b0101, 0);
        assert!(from.distance(&id(0b0100, 255)) < from.distance(&id(0b0111, 0)));
    }

    #[test]
    fn a_random_id_shares_as_many_bits_as_are_asked_for() {
        let mut rng = Rng::from_seed(1);
        let own = NodeId::random(&mut rng);
        for bits in 0..160 {
            for _ in 0..20 {
                let other = own.random_sharing(bits, &mut rng);
                assert_eq!(own.shared_bits(&other), bits);
            }
        }
        assert_eq!(own.random_sharing(160, &mut rng), own);
        assert_eq!(own.random_sharing(999, &mut rng), own);
        assert_ne!(
            own.random_sharing(3, &mut rng),
            own.random_sharing(3, &mut rng)
        );
    }
}
