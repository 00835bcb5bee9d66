//! What one read brought, cut into frames. The bytes lie in the loop's shared buffer, with the
//! start of a frame that the last read cut in two already copied in front of them, so that every
//! frame is whole and in one place.

use super::fault::Fault;
use crate::base::limits;
use crate::wire::message::frame_len;

/// Bytes of a frame's length.
const PREFIX: usize = 4;
/// Id of the `bitfield` message (BEP 3).
const BITFIELD: u8 = 5;

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
    pub fn at(&self) -> usize {
        self.at
    }

    /// Takes so many bytes; `None`, and nothing taken, if there are fewer.
    pub fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(bytes)?;
        self.rest = rest;
        self.at = self.at.saturating_add(bytes);
        Some(taken)
    }

    /// Takes the next whole frame, without its length. A frame that may never become legal is
    /// refused as soon as its length and id are there: `bitfield_bytes` is what the torrent's
    /// bitfield has, and nothing else may be longer than a block.
    pub fn next_frame(&mut self, bitfield_bytes: usize) -> Result<Option<&'a [u8]>, Fault> {
        let Some(len) = frame_len(self.rest) else {
            return Ok(None);
        };
        let bitfield = bitfield_bytes.saturating_add(1);
        let longest = bitfield.max(limits::BLOCK_FRAME);
        if len as usize > longest {
            return Err(Fault::TooLong(len));
        }
        let most = match self.rest.get(PREFIX) {
            Some(&BITFIELD) => bitfield,
            Some(_) => limits::BLOCK_FRAME,
            None => longest,
        };
        if len as usize > most {
            return Err(match self.rest.get(PREFIX) {
                Some(&BITFIELD) => Fault::BadBitfield,
                _ => Fault::TooLong(len),
            });
        }
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
    fn room_for_a_bitfield_is_room_for_nothing_else() {
        // A torrent of 800,000 pieces: its bitfield has 100,000 bytes and its kind.
        let frame = |len: u32, id: u8| [&len.to_be_bytes()[..], &[id]].concat();
        let begun = |len, id| Input::new(&frame(len, id)).next_frame(100_000).map(|_| ());
        assert_eq!(begun(100_001, 5), Ok(()));
        assert_eq!(begun(100_002, 5), Err(Fault::TooLong(100_002)));
        assert_eq!(begun(16_393, 7), Ok(()));
        for id in [0, 4, 6, 7, 20, 255] {
            assert_eq!(begun(16_394, id), Err(Fault::TooLong(16_394)), "{id}");
        }
        // Before its kind is known it may be one.
        let unknown = 100_001_u32.to_be_bytes();
        assert_eq!(Input::new(&unknown).next_frame(100_000), Ok(None));
    }

    #[test]
    fn frames_come_whole_or_not_at_all() {
        let mut input = Input::new(&[0, 0, 0, 0, 0, 0, 0, 2, 9, 9, 0, 0]);
        assert_eq!(input.next_frame(1), Ok(Some(&[][..])));
        assert_eq!(input.next_frame(1), Ok(Some(&[9, 9][..])));
        assert_eq!(input.next_frame(1), Ok(None));
        assert_eq!(input.rest(), [0, 0]);
    }

    #[test]
    fn long_frames_are_refused_by_their_first_bytes() {
        fn too_long(bytes: &[u8]) -> Result<Option<&[u8]>, Fault> {
            Input::new(bytes).next_frame(100)
        }
        assert_eq!(
            too_long(&[0xff, 0xff, 0xff, 0xff]),
            Err(Fault::TooLong(u32::MAX))
        );
        assert_eq!(
            too_long(&[0, 0, 0x40, 0x09, 7]),
            Ok(None),
            "16 KiB and 9 bytes: a block"
        );
        assert_eq!(
            too_long(&[0, 0, 0x40, 0x0a, 7]),
            Err(Fault::TooLong(0x400a))
        );
        assert_eq!(too_long(&[0, 0, 0, 101, 5]), Ok(None));
        assert_eq!(too_long(&[0, 0, 0, 102, 5]), Err(Fault::BadBitfield));
    }
}
