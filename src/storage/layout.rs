//! Content is one run of bytes; files are cut out of it in the order the torrent lists them (BEP
//! 3). A block is therefore one span of a file, or several where it crosses from one file into the
//! next. Padding (BEP 47) takes up room in the content but lies in no file; zero-length files and
//! symbolic links take up none.

use std::ops::Range;

use crate::base::{Bits, Geometry, Padding};
use crate::wire::{FileEntry, FileKind};

/// Where each file of a torrent begins and ends in its content.
#[derive(Clone, Debug)]
pub struct Layout {
    geometry: Geometry,
    /// Where each file ends in the content; ascending. It begins where the one before it ends.
    ends: Vec<u64>,
    padding: Bits,
}

/// A run of bytes within one file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// Index of the file among the torrent's files.
    pub file: usize,
    /// Offset within the file, in bytes.
    pub offset: u64,
    /// Length in bytes, at least 1.
    pub len: usize,
    /// Whether this is padding: zeros when read, discarded when written.
    pub padding: bool,
    /// Offset within the caller's buffer.
    pub at: usize,
}

/// What a choice of files means for the pieces.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Selection {
    /// The pieces that hold any byte of a chosen file.
    pub pieces: Bits,
    /// Bytes of the chosen files (padding left out).
    pub bytes: u64,
}

impl Layout {
    /// The layout of these files. Their lengths add up to the geometry's size, as `wire::metainfo`
    /// has made sure.
    pub fn new(files: &[FileEntry], geometry: Geometry) -> Layout {
        let mut padding = Bits::new(u32::try_from(files.len()).unwrap_or(u32::MAX));
        let mut ends = Vec::with_capacity(files.len());
        let mut end = 0_u64;
        for (index, file) in files.iter().enumerate() {
            end = end.saturating_add(file.length);
            ends.push(end);
            if file.kind == FileKind::Padding {
                padding.set(index as u32);
            }
        }
        debug_assert_eq!(end, geometry.size(), "metainfo adds up its files");
        Layout {
            geometry,
            ends,
            padding,
        }
    }

    /// How the content is cut into pieces.
    pub fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// How many files there are, of every kind.
    pub fn files(&self) -> usize {
        self.ends.len()
    }

    /// Where in the content this file lies; empty past the last file.
    pub fn range(&self, file: usize) -> Range<u64> {
        let before = file.checked_sub(1).and_then(|before| self.ends.get(before));
        let start = before.copied().unwrap_or(0);
        start..self.ends.get(file).copied().unwrap_or(start)
    }

    /// Bytes of this file; 0 past the last file.
    pub fn length(&self, file: usize) -> u64 {
        let range = self.range(file);
        range.end - range.start
    }

    /// Whether this file is padding.
    pub fn is_padding(&self, file: usize) -> bool {
        self.padding.get(u32::try_from(file).unwrap_or(u32::MAX))
    }

    /// Where the padding lies.
    pub fn padding(&self) -> Padding {
        let files = self.padding.ones().map(|file| file as usize);
        Padding::new(files.map(|file| self.range(file)))
    }

    /// The spans that `len` bytes from `offset` in the content are made of, in order. Bytes past
    /// the end are left out.
    pub fn spans(&self, offset: u64, len: usize) -> impl Iterator<Item = Span> + '_ {
        let until = offset.saturating_add(len as u64).min(self.geometry.size());
        let mut file = self.file_at(offset);
        let mut next = offset;
        std::iter::from_fn(move || {
            // Files of no length end where the one before them does, so they are passed over here
            // and by the search.
            while next < until && self.ends.get(file).is_some_and(|&end| end <= next) {
                file += 1;
            }
            let range = self.range(file);
            let end = range.end.min(until);
            let len = end.checked_sub(next).filter(|&len| len > 0)?;
            let span = Span {
                file,
                offset: next - range.start,
                len: len as usize,
                padding: self.is_padding(file),
                at: (next - offset) as usize,
            };
            next = end;
            Some(span)
        })
    }

    /// The pieces that hold any byte of this file.
    pub fn pieces_of(&self, file: usize) -> Range<u32> {
        let range = self.range(file);
        self.geometry
            .pieces_of(range.start, range.end - range.start)
    }

    /// What choosing these files means.
    pub fn select(&self, files: impl IntoIterator<Item = usize>) -> Selection {
        let mut selection = Selection {
            pieces: Bits::new(self.geometry.pieces()),
            bytes: 0,
        };
        for file in files {
            if self.is_padding(file) {
                continue;
            }
            selection.bytes += self.length(file);
            for piece in self.pieces_of(file) {
                selection.pieces.set(piece);
            }
        }
        selection
    }

    /// The file that holds the byte at `offset`; the number of files if that is past the end.
    fn file_at(&self, offset: u64) -> usize {
        self.ends.partition_point(|&end| end <= offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(files: &[(u64, FileKind)], piece_length: u32) -> Layout {
        let entries: Vec<FileEntry> = files
            .iter()
            .enumerate()
            .map(|(index, &(length, kind))| FileEntry {
                path: format!("t/{index}").into(),
                length,
                kind,
                executable: false,
            })
            .collect();
        let size = files.iter().map(|(length, _)| length).sum();
        Layout::new(&entries, Geometry::new(size, piece_length).unwrap())
    }

    /// Ten bytes, none, six of padding, none, five.
    fn mixed() -> Layout {
        let files = [
            (10, FileKind::File),
            (0, FileKind::File),
            (6, FileKind::Padding),
            (0, FileKind::Symlink),
            (5, FileKind::File),
        ];
        layout(&files, 8)
    }

    fn short(span: Span) -> (usize, u64, usize, usize) {
        (span.file, span.offset, span.len, span.at)
    }

    #[test]
    fn a_run_is_cut_at_each_file_and_empty_ones_are_skipped() {
        let layout = mixed();
        let all: Vec<_> = layout.spans(0, 21).map(short).collect();
        assert_eq!(all, [(0, 0, 10, 0), (2, 0, 6, 10), (4, 0, 5, 16)]);
        let padding: Vec<bool> = layout.spans(0, 21).map(|span| span.padding).collect();
        assert_eq!(padding, [false, true, false]);
        let inner: Vec<_> = layout.spans(9, 2).map(short).collect();
        assert_eq!(inner, [(0, 9, 1, 0), (2, 0, 1, 1)]);
        let edge: Vec<_> = layout.spans(10, 6).map(short).collect();
        assert_eq!(edge, [(2, 0, 6, 0)], "neither the empty nor the next file");
    }

    #[test]
    fn nothing_lies_past_the_end() {
        let layout = mixed();
        let tail: Vec<_> = layout.spans(20, 100).map(short).collect();
        assert_eq!(tail, [(4, 4, 1, 0)]);
        assert_eq!(layout.spans(21, 1).count(), 0);
        assert_eq!(layout.spans(u64::MAX, usize::MAX).count(), 0);
        assert_eq!(layout.spans(3, 0).count(), 0);
        assert_eq!((layout.range(9), layout.length(9)), (0..0, 0));
    }

    #[test]
    fn every_byte_lies_in_exactly_one_span() {
        let layout = mixed();
        for start in 0..21_u64 {
            for len in 0..=(21 - start as usize) {
                let spans: Vec<Span> = layout.spans(start, len).collect();
                assert_eq!(spans.iter().map(|span| span.len).sum::<usize>(), len);
                for span in spans {
                    let place = layout.range(span.file).start + span.offset;
                    assert_eq!(place, start + span.at as u64);
                    assert!(
                        span.len > 0 && span.offset + span.len as u64 <= layout.length(span.file)
                    );
                }
            }
        }
    }

    #[test]
    fn pieces_and_files_name_each_other() {
        let layout = mixed();
        assert_eq!(layout.pieces_of(0), 0..2);
        assert_eq!(layout.pieces_of(1), 0..0);
        assert_eq!(layout.pieces_of(4), 2..3);
    }

    #[test]
    fn a_choice_of_files_wants_their_pieces_and_counts_their_bytes() {
        let layout = mixed();
        let chosen = layout.select([4, 1]);
        assert_eq!(chosen.pieces.ones().collect::<Vec<_>>(), [2]);
        assert_eq!(chosen.bytes, 5);
        let all = layout.select(0..5);
        assert_eq!(
            (all.pieces.count(), all.bytes),
            (3, 15),
            "padding is no choice"
        );
    }
}
