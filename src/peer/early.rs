//! What a peer says of its pieces before we have the metadata. The number of pieces is not known
//! then, so the messages are kept, within bounds, and applied when it is: few clients repeat them.

use super::end_reason::EndReason;
use crate::base::{Bits, Holdings, limits};

/// The pieces of a peer, as far as they can be known without the metadata.
#[derive(Debug, Default)]
pub struct Early {
    told: Told,
    /// Pieces that it named one by one after that.
    haves: Vec<u32>,
    /// Pieces that it lets us have though it chokes us.
    allowed: Vec<u32>,
    /// Bytes that a frame with its bitfield may have beyond the usual ones.
    pub granted: usize,
}

#[derive(Debug, Default)]
enum Told {
    #[default]
    Nothing,
    Everything,
    Bitfield(Vec<u8>),
}

/// The peer's pieces, once their number is known.
#[derive(Debug)]
pub struct Learned {
    /// What it has.
    pub holdings: Holdings,
    /// It said in one message that it has everything.
    pub declared_whole: bool,
    /// Pieces that it lets us have though it chokes us.
    pub allowed: Vec<u32>,
}

impl Early {
    /// It has everything, or nothing.
    pub fn on_all(&mut self, everything: bool) {
        self.haves.clear();
        self.told = if everything {
            Told::Everything
        } else {
            Told::Nothing
        };
    }

    /// It has what this bitfield says.
    pub fn on_bitfield(&mut self, bytes: &[u8]) {
        self.haves.clear();
        self.told = Told::Bitfield(bytes.to_vec());
    }

    /// It has this piece. Past a bound it is forgotten: the peer may be asked for fewer pieces than
    /// it has.
    pub fn on_have(&mut self, piece: u32) {
        if self.haves.len() < limits::EARLY_HAVES {
            self.haves.push(piece);
        }
    }

    /// It lets us have this piece though it chokes us.
    pub fn on_allowed(&mut self, piece: u32) {
        if self.allowed.len() < limits::ALLOWED_FAST_KEPT as usize {
            self.allowed.push(piece);
        }
    }

    /// Whether it has said that it has any.
    pub fn has_any(&self) -> bool {
        let told = match &self.told {
            Told::Nothing => false,
            Told::Everything => true,
            Told::Bitfield(bytes) => bytes.iter().any(|&byte| byte != 0),
        };
        told || !self.haves.is_empty()
    }

    /// The torrent has this many pieces.
    ///
    /// # Errors
    /// What it said does not fit them.
    pub fn learn(self, pieces: u32) -> Result<Learned, EndReason> {
        let named = self.haves.iter().chain(&self.allowed);
        if let Some(&piece) = named.clone().find(|&&piece| piece >= pieces) {
            return Err(EndReason::NoSuchPiece(piece));
        }
        let mut holdings = match self.told {
            Told::Nothing => Holdings::nothing(pieces),
            Told::Everything => Holdings::everything(pieces),
            Told::Bitfield(bytes) => {
                let bits = Bits::from_bytes(&bytes, pieces).ok_or(EndReason::BadBitfield)?;
                Holdings::from(bits)
            }
        };
        let declared_whole = holdings.is_seed();
        for &piece in &self.haves {
            holdings.add(piece);
        }
        Ok(Learned {
            holdings,
            declared_whole,
            allowed: self.allowed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_counts_once_the_pieces_are_known() {
        let mut early = Early::default();
        early.on_have(7);
        early.on_bitfield(&[0b1000_0000, 0b0100_0000]);
        early.on_have(1);
        early.on_allowed(3);
        let learned = early.learn(10).unwrap();
        let held: Vec<u32> = (0..10).filter(|&it| learned.holdings.has(it)).collect();
        assert_eq!((held, learned.allowed), (vec![0, 1, 9], vec![3]));
        assert!(!learned.declared_whole);
        let mut early = Early::default();
        early.on_all(true);
        assert!(early.learn(3).unwrap().declared_whole);
    }

    #[test]
    fn what_does_not_fit_the_torrent_ends_the_connection() {
        let mut early = Early::default();
        early.on_bitfield(&[0xff, 0xff]);
        assert_eq!(early.learn(10).unwrap_err(), EndReason::BadBitfield);
        let mut early = Early::default();
        early.on_have(10);
        assert_eq!(early.learn(10).unwrap_err(), EndReason::NoSuchPiece(10));
    }

    #[test]
    fn whoever_has_a_piece_is_known() {
        let mut early = Early::default();
        assert!(!early.has_any());
        early.on_bitfield(&[0, 0]);
        assert!(!early.has_any());
        early.on_have(3);
        assert!(early.has_any());
        early.on_all(false);
        assert!(!early.has_any());
        early.on_all(true);
        assert!(early.has_any());
        early.on_bitfield(&[0, 1]);
        assert!(early.has_any());
    }

    #[test]
    fn haves_are_bounded() {
        let mut early = Early::default();
        (0..2 * limits::EARLY_HAVES as u32).for_each(|piece| early.on_have(piece));
        let learned = early.learn(u32::MAX / 2).unwrap();
        assert_eq!(learned.holdings.count() as usize, limits::EARLY_HAVES);
    }
}
