//! How long a peer's frames may be, by the message that is in them: the only place that says so. A
//! longer frame is refused by its first bytes, so this also bounds how much of a cut frame is kept
//! between reads.

use super::end_reason::EndReason;
use crate::base::{Bits, limits};
use crate::wire::message::{BITFIELD, EXTENDED, PREFIX};

/// What the frames of one torrent's peers may have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameLimits {
    /// Bytes of a frame with a bitfield, which has a bit a piece.
    bitfield: usize,
    /// Bytes of a frame as long as the byte has not come that says which message is in it.
    unknown: usize,
}

impl FrameLimits {
    /// The limits in a torrent of this many pieces.
    pub fn of(pieces: u32) -> FrameLimits {
        let bitfield = Bits::bytes(pieces).saturating_add(1);
        FrameLimits {
            bitfield,
            unknown: bitfield.max(limits::EXTENDED_FRAME),
        }
    }

    /// The limits while there are no metadata. `size`: bytes of these, as the peer says: each piece
    /// takes 20 of them; `None`: it has not said it.
    pub fn early(size: Option<u32>) -> FrameLimits {
        let most = limits::METADATA_BYTES as u32;
        FrameLimits::of(size.map_or(most, |size| size.min(most)) / 20)
    }

    /// The same, but longer than usual a bitfield may be by what it was granted (in bytes of its
    /// frame) alone.
    pub fn granted(self, bytes: usize) -> FrameLimits {
        let usual = limits::EXTENDED_FRAME.max(bytes);
        FrameLimits {
            bitfield: self.bitfield.min(usual),
            ..self
        }
    }

    /// Bytes of the longest frame, the four bytes of its length included.
    pub fn longest(self) -> usize {
        PREFIX.saturating_add(self.bitfield.max(limits::EXTENDED_FRAME))
    }

    /// Refuses a frame of `len` bytes, its length not counted, that is longer than its message may
    /// be. `id`: the byte that says which message it is; `None`: it has not come.
    ///
    /// # Errors
    /// It is too long.
    pub fn check(self, len: u32, id: Option<u8>) -> Result<(), EndReason> {
        let most = match id {
            Some(BITFIELD) => self.bitfield,
            Some(EXTENDED) => limits::EXTENDED_FRAME,
            Some(_) => limits::BLOCK_FRAME,
            None => self.unknown,
        };
        let bytes = len as usize;
        if bytes <= most {
            Ok(())
        } else if id == Some(BITFIELD) && bytes <= self.unknown {
            Err(EndReason::BadBitfield)
        } else {
            Err(EndReason::TooLong(len))
        }
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
        let refused = Err(EndReason::TooLong(100_002));
        assert_eq!(large.check(100_002, Some(BITFIELD)), refused);
        // Before its kind is known it may be one.
        assert_eq!(large.check(100_001, None), Ok(()));
        assert_eq!(large.check(100_002, None), refused);
        for id in [0, 4, 6, 7, 255] {
            assert_eq!(large.check(16_393, Some(id)), Ok(()), "{id}");
            let refused = Err(EndReason::TooLong(16_394));
            assert_eq!(large.check(16_394, Some(id)), refused, "{id}");
        }
    }

    #[test]
    fn before_the_metadata_a_bitfield_is_as_long_as_they_allow() {
        let early = FrameLimits::early(Some(16_000_000));
        assert_eq!(early, FrameLimits::of(800_000));
        let most = FrameLimits::of(limits::METADATA_BYTES as u32 / 20);
        for size in [None, Some(limits::METADATA_BYTES as u32 + 1)] {
            assert_eq!(FrameLimits::early(size), most);
        }
    }

    #[test]
    fn a_long_bitfield_before_the_metadata_needs_a_grant() {
        let early = FrameLimits::early(None);
        let without = early.granted(0);
        assert_eq!(without.longest(), limits::EXTENDED_FRAME + 4);
        assert_eq!(without.check(17_408, Some(BITFIELD)), Ok(()));
        let refused = Err(EndReason::BadBitfield);
        assert_eq!(without.check(17_409, Some(BITFIELD)), refused);
        // Before its kind is known it may become one.
        assert_eq!(without.check(200_000, None), Ok(()));
        let granted = early.granted(200_000);
        assert_eq!(granted.longest(), 200_004);
        assert_eq!(granted.check(200_000, Some(BITFIELD)), Ok(()));
        assert_eq!(granted.check(200_001, Some(BITFIELD)), refused);
        // No more than the length that the peer itself has named allows.
        let short = FrameLimits::early(Some(1_000)).granted(200_000);
        assert_eq!(short.check(8, Some(BITFIELD)), Ok(()));
        assert_eq!(short.check(9, Some(BITFIELD)), refused);
    }

    #[test]
    fn a_small_torrent_has_blocks_and_a_short_bitfield() {
        let small = FrameLimits::of(800);
        assert_eq!(small.longest(), limits::EXTENDED_FRAME + 4);
        assert_eq!(small.check(17_408, Some(EXTENDED)), Ok(()));
        let refused = Err(EndReason::TooLong(17_409));
        assert_eq!(small.check(17_409, Some(EXTENDED)), refused);
        assert_eq!(small.check(101, Some(BITFIELD)), Ok(()));
        let refused = Err(EndReason::BadBitfield);
        assert_eq!(small.check(102, Some(BITFIELD)), refused);
        assert_eq!(small.check(16_393, Some(7)), Ok(()));
        assert_eq!(
            small.check(16_394, Some(7)),
            Err(EndReason::TooLong(16_394))
        );
    }
}
