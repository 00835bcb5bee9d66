//! The memory that one search may use. What all searches of a process take together is bounded, so
//! each is told what it may keep, and says what it could use.

use crate::base::{Time, limits};

/// What a search may keep of dictionaries that are not whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Room {
    /// Up to this many bytes a dictionary is short.
    pub short: u32,
    /// Bytes that short ones may take, all together.
    pub shorts: usize,
    /// Whether longer ones are fetched.
    pub longs: bool,
    /// Others have their turn; it ends by then.
    pub wait: Option<Time>,
}

/// What a search could use.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Needs {
    /// Bytes of the short dictionaries that it would fetch now.
    pub shorts: usize,
    /// Bytes of the longest of the others; 0: there is none.
    pub longest: u32,
    /// When a block came last: of a short one, and of a longer one.
    pub moved: [Option<Time>; 2],
}

impl Default for Room {
    /// As much as a search may ever use.
    fn default() -> Room {
        Room {
            short: 0,
            shorts: 0,
            longs: true,
            wait: None,
        }
    }
}

impl Room {
    /// Whether a dictionary of this length is short.
    pub fn is_short(&self, size: u32) -> bool {
        size <= self.short
    }

    /// Bytes for dictionaries that are short, or for those that are not.
    pub(super) fn bytes(&self, short: bool) -> usize {
        match (short, self.longs) {
            (true, _) => self.shorts,
            (false, true) => limits::METADATA_BYTES,
            (false, false) => 0,
        }
    }

    /// Of these lengths, the first ones that there is room for, and no more than are fetched side
    /// by side.
    pub(super) fn fitting(&self, sizes: &[u32]) -> Vec<u32> {
        let mut left = self.shorts;
        let fits = |size: &u32| {
            if !self.is_short(*size) {
                return self.longs;
            }
            let fits = *size as usize <= left;
            left -= if fits { *size as usize } else { 0 };
            fits
        };
        sizes.iter().copied().filter(fits).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_fit_as_far_as_there_is_room() {
        let room = Room {
            short: 100,
            shorts: 150,
            longs: false,
            wait: None,
        };
        assert_eq!(room.fitting(&[90, 101, 70, 60]), [90, 60]);
        let longs = true;
        assert_eq!(
            Room { longs, ..room }.fitting(&[90, 101, 70, 200]),
            [90, 101, 200]
        );
        assert_eq!(Room::default().fitting(&[5, 9]), [5, 9]);
    }
}
