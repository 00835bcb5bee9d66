//! A fixed number of bits, first bit highest, as a `bitfield` message lays them out (BEP 3). Kept
//! as 64-bit words, so that sets of pieces are compared a word at a time.

/// A set of indices below a fixed length. Bits past the end are always zero.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Bits {
    words: Vec<u64>,
    len: u32,
    ones: u32,
}

impl Bits {
    /// Bytes that this many bits take in a `bitfield` message.
    pub fn bytes(len: u32) -> usize {
        len.div_ceil(8) as usize
    }

    /// `len` bits, none set.
    pub fn new(len: u32) -> Bits {
        Bits {
            words: vec![0; len.div_ceil(64) as usize],
            len,
            ones: 0,
        }
    }

    /// `len` bits, all set.
    pub fn full(len: u32) -> Bits {
        let mut bits = Bits {
            words: vec![u64::MAX; len.div_ceil(64) as usize],
            len,
            ones: len,
        };
        if let (Some(last), spare @ 1..) = (bits.words.last_mut(), (64 - len % 64) % 64) {
            *last <<= spare;
        }
        bits
    }

    /// Reads the payload of a `bitfield` message: exactly as many bytes as `len` needs, spare bits
    /// zero; `None` otherwise.
    pub fn from_bytes(bytes: &[u8], len: u32) -> Option<Bits> {
        if bytes.len() != Bits::bytes(len) {
            return None;
        }
        let mut bits = Bits::new(len);
        for (word, chunk) in bits.words.iter_mut().zip(bytes.chunks(8)) {
            let mut whole = [0; 8];
            whole[..chunk.len()].copy_from_slice(chunk);
            *word = u64::from_be_bytes(whole);
        }
        bits.ones = bits.words.iter().map(|word| word.count_ones()).sum();
        let spare = (64 - len % 64) % 64;
        match bits.words.last() {
            Some(last) if spare > 0 && last << (64 - spare) != 0 => None,
            _ => Some(bits),
        }
    }

    /// The payload of a `bitfield` message.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> = self
            .words
            .iter()
            .flat_map(|word| word.to_be_bytes())
            .collect();
        bytes.truncate(Bits::bytes(self.len));
        bytes
    }

    /// How many bits there are, set or not.
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Whether there are no bits at all.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many are set.
    pub fn count(&self) -> u32 {
        self.ones
    }

    /// Whether every bit is set.
    pub fn all(&self) -> bool {
        self.ones == self.len
    }

    /// Whether this bit is set; false past the end.
    pub fn get(&self, index: u32) -> bool {
        index < self.len
            && self
                .words
                .get(index as usize / 64)
                .is_some_and(|word| word & mask(index) != 0)
    }

    /// Sets a bit; true if it was not set before. Past the end nothing happens.
    pub fn set(&mut self, index: u32) -> bool {
        if index >= self.len || self.get(index) {
            return false;
        }
        if let Some(word) = self.words.get_mut(index as usize / 64) {
            *word |= mask(index);
            self.ones += 1;
        }
        true
    }

    /// Clears a bit; true if it was set before.
    pub fn clear(&mut self, index: u32) -> bool {
        if !self.get(index) {
            return false;
        }
        if let Some(word) = self.words.get_mut(index as usize / 64) {
            *word &= !mask(index);
            self.ones -= 1;
        }
        true
    }

    /// The indices of the set bits, ascending.
    pub fn ones(&self) -> impl Iterator<Item = u32> + '_ {
        self.words
            .iter()
            .enumerate()
            .flat_map(|(place, &word)| ones_of(place, word))
    }

    /// The indices set both here and in `other`, ascending, from `start` on.
    pub fn common<'a>(&'a self, other: &'a Bits, start: u32) -> impl Iterator<Item = u32> + 'a {
        let first = start as usize / 64;
        let pairs = self.words.iter().zip(&other.words).enumerate().skip(first);
        pairs
            .flat_map(|(place, (a, b))| ones_of(place, a & b))
            .skip_while(move |&index| index < start)
    }
}

fn mask(index: u32) -> u64 {
    1 << (63 - index % 64)
}

fn ones_of(place: usize, mut word: u64) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let lead = word.leading_zeros();
        word &= !(1_u64 << 63).checked_shr(lead)?;
        Some(place as u32 * 64 + lead)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_form_is_exact() {
        assert_eq!(
            Bits::from_bytes(&[0b1010_0000], 3).map(|b| b.ones().collect()),
            Some(vec![0, 2])
        );
        assert_eq!(
            Bits::from_bytes(&[0b1011_0000], 3),
            None,
            "a spare bit is set"
        );
        assert_eq!(Bits::from_bytes(&[0, 0], 3), None, "a byte too many");
        assert_eq!(Bits::from_bytes(&[], 3), None, "a byte too few");
        for len in [0, 1, 7, 8, 9, 63, 64, 65, 200] {
            let full = Bits::full(len);
            assert!(full.all() && full.count() == len && full.ones().count() as u32 == len);
            assert_eq!(Bits::from_bytes(&full.to_bytes(), len), Some(full));
        }
    }

    #[test]
    fn sets_count_themselves() {
        let mut bits = Bits::new(130);
        assert!(bits.set(129) && bits.set(0) && bits.set(64));
        assert!(!bits.set(129) && !bits.set(130));
        assert_eq!(
            (bits.count(), bits.get(129), bits.get(130)),
            (3, true, false)
        );
        assert!(bits.clear(64) && !bits.clear(64));
        assert_eq!(bits.ones().collect::<Vec<_>>(), [0, 129]);
        assert_eq!(bits.common(&Bits::full(130), 1).collect::<Vec<_>>(), [129]);
    }
}
