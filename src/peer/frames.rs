//! How long a peer's frames may be, by the message that is in them: the only place that says so. A
//! longer frame is refused by its first bytes, so this also bounds how much of a cut frame is kept
//! between reads.

use super::fault::Fault;
use crate::base::{Bits, limits};
use crate::wire::message::{BITFIELD, EXTENDED, PREFIX};

/// What the frames of one torrent's peers may have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameLimits {
    /// Bytes of a frame with a bitfield, which has a bit a piece.
    bitfield: usize,
}

impl FrameLimits {
    /// The limits in a torrent of this many pieces.
    pub fn of(pieces: u32) -> FrameLimits {
        FrameLimits {
            bitfield: Bits::bytes(pieces).saturating_add(1),
        }
    }

    /// The limits while there are no metadata. `size`: bytes of these, as the peer says: each piece
    /// takes 20 of them.
    pub fn early(size: Option<u32>) -> FrameLimits {
        let size = size.filter(|&size| size as usize <= limits::METADATA_BYTES);
        FrameLimits::of(size.unwrap_or(0) / 20)
    }

    /// Bytes of the longest frame, the four bytes of its length included.
    pub fn longest(self) -> usize {
        PREFIX.saturating_add(self.any())
    }

    /// Refuses a frame of `len` bytes, its length not counted, that is longer than its message may
    /// be. `id`: the byte that says which message it is; `None`: it has not come.
    ///
    /// # Errors
    /// It is too long.
    pub fn check(self, len: u32, id: Option<u8>) -> Result<(), Fault> {
        let most = match id {
            Some(BITFIELD) => self.bitfield,
            Some(EXTENDED) => limits::EXTENDED_FRAME,
            Some(_) => limits::BLOCK_FRAME,
            None => self.any(),
        };
        let bytes = len as usize;
        if bytes <= most {
            Ok(())
        } else if id == Some(BITFIELD) && bytes <= self.any() {
            Err(Fault::BadBitfield)
        } else {
            Err(Fault::TooLong(len))
        }
    }

    /// Bytes of the longest frame of any kind.
    fn any(self) -> usize {
        self.bitfield.max(limits::EXTENDED_FRAME)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_for_a_bitfield_is_room_for_nothing_else() {
        // A torrent of 800,000 pieces: its bitfield has 100,000 bytes and its kind.
        let large = FrameLimits::of(800_000);
        assert_eq!(large.longest(), 100_005);
        assert_eq!(large.check(100_001, Some(BITFIELD)), Ok(()));
        let refused = Err(Fault::TooLong(100_002));
        assert_eq!(large.check(100_002, Some(BITFIELD)), refused);
        // Before its kind is known it may be one.
        assert_eq!(large.check(100_001, None), Ok(()));
        assert_eq!(large.check(100_002, None), refused);
        for id in [0, 4, 6, 7, 255] {
            assert_eq!(large.check(16_393, Some(id)), Ok(()), "{id}");
            let refused = Err(Fault::TooLong(16_394));
            assert_eq!(large.check(16_394, Some(id)), refused, "{id}");
        }
    }

    #[test]
    fn before_the_metadata_a_bitfield_is_as_long_as_they_allow() {
        let early = FrameLimits::early(Some(16_000_000));
        assert_eq!(early, FrameLimits::of(800_000));
        let absurd = limits::METADATA_BYTES as u32 + 1;
        for size in [None, Some(absurd)] {
            assert_eq!(
                FrameLimits::early(size).longest(),
                limits::EXTENDED_FRAME + 4
            );
        }
    }

    #[test]
    fn a_small_torrent_has_blocks_and_a_short_bitfield() {
        let small = FrameLimits::of(800);
        assert_eq!(small.longest(), limits::EXTENDED_FRAME + 4);
        assert_eq!(small.check(17_408, Some(EXTENDED)), Ok(()));
        let refused = Err(Fault::TooLong(17_409));
        assert_eq!(small.check(17_409, Some(EXTENDED)), refused);
        assert_eq!(small.check(101, Some(BITFIELD)), Ok(()));
        let refused = Err(Fault::BadBitfield);
        assert_eq!(small.check(102, Some(BITFIELD)), refused);
        assert_eq!(small.check(16_393, Some(7)), Ok(()));
        assert_eq!(small.check(16_394, Some(7)), Err(Fault::TooLong(16_394)));
    }
}
