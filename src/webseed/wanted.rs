//! The runs of the content that are wanted of a web seed, and how what comes is sorted into them.

use std::collections::VecDeque;
use std::ops::Range;

use super::content::{Content, Part};
use crate::base::{BLOCK, Block, Geometry};

/// Runs of blocks, in order, and the bytes that have come of the first block.
#[derive(Debug)]
pub struct Wanted {
    geometry: Geometry,
    /// What has not come; each run begins and ends with a block.
    runs: VecDeque<Range<u64>>,
    /// Where the bytes that come next belong, if they are wanted.
    fill: u64,
    /// The start of the first block.
    kept: Vec<u8>,
}

impl Wanted {
    /// Nothing is wanted of a content with this geometry.
    pub fn nothing(geometry: Geometry) -> Wanted {
        Wanted {
            geometry,
            runs: VecDeque::new(),
            fill: 0,
            kept: Vec::new(),
        }
    }

    /// Whether nothing is wanted.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Where the bytes that come next belong.
    pub fn fill(&self) -> u64 {
        self.fill
    }

    /// The start of the first block.
    pub fn kept(&self) -> &[u8] {
        &self.kept
    }

    /// The runs.
    pub fn runs(&self) -> impl Iterator<Item = &Range<u64>> {
        self.runs.iter()
    }

    /// The same, block by block.
    pub fn blocks(&self) -> impl Iterator<Item = Block> + '_ {
        let runs = self.runs.iter().cloned();
        runs.flat_map(|run| blocks(self.geometry, run))
    }

    /// Where the last run ends.
    pub fn end(&self) -> Option<u64> {
        self.runs.back().map(|run| run.end)
    }

    /// Bytes in all.
    pub fn bytes(&self) -> u64 {
        self.runs.iter().map(|run| run.end - run.start).sum()
    }

    /// Where what is wanted from here on ends, if gaps of at most so many bytes do not count.
    pub fn stretch_end(&self, from: u64, gap: u64) -> u64 {
        let mut end = from;
        for run in self.runs.iter().filter(|run| run.end > from) {
            if run.start > end.saturating_add(gap) {
                break;
            }
            end = run.end;
        }
        end
    }

    /// Adds a run, which lies behind all others. Whether it is the first.
    pub fn add(&mut self, run: Range<u64>) -> bool {
        let first = self.runs.is_empty();
        match self.runs.back_mut() {
            Some(last) if last.end == run.start => last.end = run.end,
            last => {
                debug_assert!(last.is_none_or(|last| last.end < run.start));
                if first {
                    self.fill = run.start;
                    self.kept.clear();
                }
                self.runs.push_back(run);
            }
        }
        first
    }

    /// The start of the first block has come before.
    pub fn resume(&mut self, bytes: Vec<u8>) {
        if let Some(first) = self.runs.front() {
            self.fill = first.start + bytes.len() as u64;
            self.kept = bytes;
        }
    }

    /// Takes the start of the first block, and its place.
    pub fn take_rest(&mut self) -> Option<(u64, Vec<u8>)> {
        let at = self.runs.front()?.start;
        let kept = std::mem::take(&mut self.kept);
        (!kept.is_empty()).then_some((at, kept))
    }

    /// This block is not wanted any more.
    pub fn cancel(&mut self, block: Block) {
        let start = self.geometry.offset(block);
        let end = start + u64::from(block.len);
        let holds = |run: &Range<u64>| run.start <= start && end <= run.end;
        let Some(place) = self.runs.iter().position(holds) else {
            return;
        };
        let run = &mut self.runs[place];
        let (before, behind) = (run.start..start, end..run.end);
        if place == 0 && before.is_empty() {
            self.kept.clear();
            self.fill = end;
        }
        match (before.is_empty(), behind.is_empty()) {
            (true, true) => drop(self.runs.remove(place)),
            (true, false) => *run = behind,
            (false, true) => *run = before,
            (false, false) => {
                *run = before;
                self.runs.insert(place + 1, behind);
            }
        }
        if let Some(first) = self.runs.front() {
            self.fill = self.fill.max(first.start);
        }
    }

    /// Where the next bytes that are to be asked for lie; `None`: there are none.
    pub fn next(&self, content: &Content) -> Option<(Part, u64)> {
        let at = self.next_from(self.fill)?;
        Some((content.part(at), at))
    }

    /// The first wanted byte from here on.
    pub fn next_from(&self, place: u64) -> Option<u64> {
        self.run_at(place).map(|run| run.start.max(place))
    }

    /// The first run that ends behind this place.
    fn run_at(&self, place: u64) -> Option<Range<u64>> {
        self.runs.iter().find(|run| run.end > place).cloned()
    }

    /// Moves the wanted ones of these bytes of a body, which belong at `place` in the content, to
    /// `end` in the buffer. The new end.
    pub fn sift(
        &mut self,
        bytes: &mut [u8],
        body: Range<usize>,
        place: u64,
        mut end: usize,
    ) -> usize {
        let body_end = place + (body.end - body.start) as u64;
        while let Some(run) = self.run_at(self.fill) {
            let from = self.fill.max(run.start);
            let to = run.end.min(body_end);
            if from < place || from >= to {
                break;
            }
            let at = body.start + (from - place) as usize;
            let len = (to - from) as usize;
            if at != end {
                bytes.copy_within(at..at + len, end);
            }
            end += len;
            self.fill = to;
        }
        end
    }

    /// The first block.
    fn due(&self) -> Option<Block> {
        let start = self.runs.front()?.start;
        Some(block_at(self.geometry, start))
    }

    /// Takes the first block, if so many bytes of it and of what follows are there.
    pub fn take(&mut self, there: usize) -> Option<Block> {
        let block = self.due().filter(|it| there >= it.len as usize)?;
        self.kept.clear();
        self.pass(block);
        Some(block)
    }

    fn pass(&mut self, block: Block) {
        if let Some(first) = self.runs.front_mut() {
            first.start += u64::from(block.len);
            if first.is_empty() {
                self.runs.pop_front();
            }
        }
    }

    /// Keeps what is left of a read.
    pub fn keep(&mut self, rest: &[u8]) {
        self.kept.clear();
        self.kept.extend_from_slice(rest);
    }

    /// Takes the first block, if all of it is padding: no byte of it has come, nor will.
    pub fn take_padding(&mut self, content: &Content) -> Option<Block> {
        let block = self.due().filter(|_| self.kept.is_empty())?;
        let start = self.geometry.offset(block);
        let end = start + u64::from(block.len);
        if self.fill > start || !content.is_padding(start..end) {
            return None;
        }
        self.fill = end;
        self.pass(block);
        Some(block)
    }

    /// Puts in the padding that comes next, up to the end of the first block. One that is padding
    /// alone is left to [`Wanted::take_padding`].
    pub fn pad(&mut self, content: &Content) {
        let (Some(first), Some(block)) = (self.runs.front(), self.due()) else {
            return;
        };
        let (start, end) = (first.start, first.start + u64::from(block.len));
        self.fill = self.fill.max(start);
        if content.is_padding(start..end) {
            return;
        }
        while self.fill < end {
            let part = content.part(self.fill);
            if !part.padding {
                return;
            }
            let until = part.bytes.end.min(end);
            let len = self.kept.len() + (until - self.fill) as usize;
            self.kept.resize(len, 0);
            self.fill = until;
        }
    }

    /// Takes the first block if padding has made it whole, so that no further bytes are read for
    /// it.
    pub fn take_ready(&mut self) -> Option<(Block, Vec<u8>)> {
        let block = self.due()?;
        if self.kept.len() < block.len as usize {
            return None;
        }
        let kept = std::mem::take(&mut self.kept);
        self.pass(block);
        Some((block, kept))
    }

    /// Nothing is wanted any more. What was.
    pub fn clear(&mut self) -> Vec<Block> {
        let blocks = self.blocks().collect();
        self.runs.clear();
        self.kept = Vec::new();
        blocks
    }
}

/// The block that begins here, or in which this byte lies.
fn block_at(geometry: Geometry, at: u64) -> Block {
    let piece = geometry.pieces_of(at, 1).start;
    let begin = (at - geometry.piece_start(piece)) as u32;
    geometry.block(piece, begin / BLOCK)
}

/// The blocks of a run, which begins and ends with one.
pub fn blocks(geometry: Geometry, run: Range<u64>) -> impl Iterator<Item = Block> {
    let mut at = run.start;
    std::iter::from_fn(move || {
        let block = (at < run.end).then(|| block_at(geometry, at))?;
        at += u64::from(block.len);
        Some(block)
    })
}
