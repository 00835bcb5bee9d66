//! Which pieces a peer says it has. Seeds and newcomers, which are most peers, cost no memory.

use super::bits::Bits;

/// The pieces that a peer has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Holdings {
    set: Set,
    pieces: u32,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Set {
    Nothing,
    Some(Bits),
    Everything,
}

impl Holdings {
    /// Nothing, of this many pieces.
    pub fn nothing(pieces: u32) -> Holdings {
        Holdings {
            set: Set::Nothing,
            pieces,
        }
    }

    /// Everything, of this many pieces.
    pub fn everything(pieces: u32) -> Holdings {
        Holdings {
            set: Set::Everything,
            pieces,
        }
    }

    /// How many pieces the torrent has.
    pub fn pieces(&self) -> u32 {
        self.pieces
    }

    /// How many of them the peer has.
    pub fn count(&self) -> u32 {
        match &self.set {
            Set::Nothing => 0,
            Set::Some(bits) => bits.count(),
            Set::Everything => self.pieces,
        }
    }

    /// Whether the peer has all of them.
    pub fn is_seed(&self) -> bool {
        matches!(self.set, Set::Everything)
    }

    /// Whether the peer has this piece; false past the end.
    pub fn has(&self, piece: u32) -> bool {
        match &self.set {
            Set::Nothing => false,
            Set::Some(bits) => bits.get(piece),
            Set::Everything => piece < self.pieces,
        }
    }

    /// Adds a piece; true if that is news. Past the end nothing happens.
    pub fn add(&mut self, piece: u32) -> bool {
        if piece >= self.pieces || self.has(piece) {
            return false;
        }
        let mut bits = match std::mem::replace(&mut self.set, Set::Nothing) {
            Set::Some(bits) => bits,
            _ => Bits::new(self.pieces),
        };
        bits.set(piece);
        self.set = if bits.all() {
            Set::Everything
        } else {
            Set::Some(bits)
        };
        true
    }

    /// The set as bits; `None` for the two that need none (see [`Holdings::is_seed`] and
    /// [`Holdings::count`]).
    pub fn bits(&self) -> Option<&Bits> {
        match &self.set {
            Set::Some(bits) => Some(bits),
            _ => None,
        }
    }
}

impl From<Bits> for Holdings {
    fn from(bits: Bits) -> Holdings {
        let pieces = bits.len();
        let set = match bits.count() {
            0 => Set::Nothing,
            n if n == pieces => Set::Everything,
            _ => Set::Some(bits),
        };
        Holdings { set, pieces }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_from_nothing_to_everything() {
        let mut have = Holdings::nothing(3);
        assert!(have.add(1) && !have.add(1) && !have.add(3));
        assert_eq!((have.count(), have.has(1), have.has(0)), (1, true, false));
        assert!(have.add(0) && !have.is_seed() && have.add(2) && have.is_seed());
        assert_eq!(have, Holdings::everything(3));
        assert_eq!(Holdings::from(Bits::full(9)), Holdings::everything(9));
        assert_eq!(Holdings::from(Bits::new(9)), Holdings::nothing(9));
    }
}
