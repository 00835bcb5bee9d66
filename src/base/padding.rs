//! Which bytes of the content are padding (BEP 47): zeros that move the next file to the start of a
//! piece. They are hashed and sent like other bytes, and lie in no file on disk.

use std::ops::Range;

/// The runs of padding in the content of one torrent. Looking one up costs a binary search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Padding {
    /// Each run, in order, with the bytes of padding before it.
    runs: Vec<(Range<u64>, u64)>,
}

impl Padding {
    /// Padding at these offsets, which are in order and do not overlap.
    pub fn new(ranges: impl IntoIterator<Item = Range<u64>>) -> Padding {
        let mut before = 0;
        let mut runs = Vec::new();
        for range in ranges.into_iter().filter(|range| !range.is_empty()) {
            let len = range.end - range.start;
            runs.push((range, before));
            before += len;
        }
        runs.shrink_to_fit();
        Padding { runs }
    }

    /// Bytes of padding among those from `range.start` up to `range.end`.
    pub fn bytes_in(&self, range: Range<u64>) -> u64 {
        self.bytes_before(range.end) - self.bytes_before(range.start)
    }

    /// Bytes of padding before this offset.
    fn bytes_before(&self, offset: u64) -> u64 {
        let next = self.runs.partition_point(|(run, _)| run.start < offset);
        let last = next.checked_sub(1).and_then(|at| self.runs.get(at));
        last.map_or(0, |(run, before)| before + run.end.min(offset) - run.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_counted_wherever_a_range_is_cut() {
        let runs = [3..5, 9..9, 10..16, 16..17];
        let padding = Padding::new(runs.clone());
        let is_padding = |at: &u64| runs.iter().any(|run| run.contains(at));
        for start in 0..20 {
            for end in start..20 {
                let counted = (start..end).filter(is_padding).count() as u64;
                assert_eq!(padding.bytes_in(start..end), counted, "{start}..{end}");
            }
        }
        assert_eq!(Padding::default().bytes_in(0..u64::MAX), 0);
    }
}
