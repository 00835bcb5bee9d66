//! The bytes of one read, cut into frames. The bytes lie in a receive buffer, with the
//! start of a frame that the last read cut in two already copied in front of them, so that every
//! frame is whole and in one place.

use super::end_reason::EndReason;
use super::frames::FrameLimits;
use crate::wire::message::{PREFIX, frame_len};

/// The bytes of one read that no frame has been taken of yet.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    rest: &'a [u8],
    at: usize,
}

impl<'a> Input<'a> {
    /// What a read brought: the kept start of a frame, then the new bytes.
    pub fn new(bytes: &'a [u8]) -> Input<'a> {
        Input { rest: bytes, at: 0 }
    }

    /// What is left.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// How many bytes of the buffer have been taken.
    pub fn taken(&self) -> usize {
        self.at
    }

    /// Takes this many bytes; `None`, and nothing taken, if there are fewer.
    pub fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(bytes)?;
        self.rest = rest;
        self.at = self.at.saturating_add(bytes);
        Some(taken)
    }

    /// Takes the next whole frame, without its length.
    ///
    /// # Errors
    /// It is longer than its message may be: known as soon as its length and id are there.
    pub fn next_frame(&mut self, limits: FrameLimits) -> Result<Option<&'a [u8]>, EndReason> {
        let Some(len) = frame_len(self.rest) else {
            return Ok(None);
        };
        limits.check(len, self.rest.get(PREFIX).copied())?;
        match self.take(PREFIX.saturating_add(len as usize)) {
            Some(frame) => Ok(frame.get(PREFIX..)),
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_whole_or_not_at_all() {
        let limits = FrameLimits::of(8);
        let mut input = Input::new(&[0, 0, 0, 0, 0, 0, 0, 2, 9, 9, 0, 0]);
        assert_eq!(input.next_frame(limits), Ok(Some(&[][..])));
        assert_eq!(input.next_frame(limits), Ok(Some(&[9, 9][..])));
        assert_eq!(input.next_frame(limits), Ok(None));
        assert_eq!(input.rest(), [0, 0]);
    }

    #[test]
    fn long_frames_are_refused_by_their_first_bytes() {
        fn too_long(bytes: &[u8]) -> Result<Option<&[u8]>, EndReason> {
            Input::new(bytes).next_frame(FrameLimits::of(800))
        }
        assert_eq!(
            too_long(&[0xff, 0xff, 0xff, 0xff]),
            Err(EndReason::TooLong(u32::MAX))
        );
        assert_eq!(
            too_long(&[0, 0, 0x40, 0x09, 7]),
            Ok(None),
            "16 KiB and 9 bytes: a block"
        );
        assert_eq!(
            too_long(&[0, 0, 0x40, 0x0a, 7]),
            Err(EndReason::TooLong(0x400a))
        );
        assert_eq!(too_long(&[0, 0, 0, 101, 5]), Ok(None));
        assert_eq!(too_long(&[0, 0, 0, 102, 5]), Err(EndReason::BadBitfield));
    }
}
