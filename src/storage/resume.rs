//! What is remembered of a torrent between two runs, so that content on disk need not be hashed
//! again.
//!
//! A resume file is bencoded: `body`, itself bencoded, and its SHA-1, so that a torn, zeroed or
//! altered file is recognised and counts as none. It records each file's size and modification
//! time. A piece that it names was verified and had reached the disk before the resume file was
//! written; of the rest it says nothing, unless it is *clean*: written after the last write to
//! content.
//!
//! While content is written, its files' modification times are set back to the recorded value each
//! time (`io::disk::content::content_writer` does it). So after a `kill -9` a matching time means
//! that no other program has written here since: verified pieces can be trusted, and only the
//! others may hold more than the resume file says. Any other program's write shows as another time
//! or size, and everything that touches such a file is hashed. Before a first write, a clean resume
//! file is replaced by one that is not.
//!
//! At the end files get a real time, all the same one, which the clean resume file names
//! beforehand. So whenever the power fails, each file has the time it was pinned at or that one,
//! and both are known.
//!
//! It records where the files lie and which they are, too ([`Owned`]): a file that another program
//! has cut off is still ours to be written to, one that was put in its place is not.

use sha1::{Digest as _, Sha1};

use super::layout::Layout;
use super::owned::Owned;
use crate::base::{Bits, InfoHash};
use crate::wire::bencode::{self, Dict, Value};

/// Raised when the meaning of a field changes; files of another version count as none.
const VERSION: i64 = 1;
/// Bytes for each file: size, seconds, nanoseconds.
const STAMP: usize = 20;
/// Size that stands for a file that was missing.
const MISSING: u64 = u64::MAX;
/// Bytes of a resume file besides the bits and the stamps.
const FRAME: usize = 1024;

/// The coarsest step, in seconds, in which a file system keeps times (FAT).
pub const COARSEST: i64 = 2;

/// What tells whether a file has been changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stamp {
    /// Size in bytes.
    pub size: u64,
    /// Modification time: seconds since 1970.
    pub seconds: i64,
    /// Modification time: nanoseconds within the second.
    pub nanos: u32,
}

impl Stamp {
    /// On record for a file that another program has changed: no file is like this, so it is
    /// hashed.
    pub const UNKNOWN: Stamp = Stamp {
        size: u64::MAX - 1,
        seconds: 0,
        nanos: 0,
    };

    /// On record for a file that was there and is not known to be ours: no file is like this
    /// either.
    pub const FOREIGN: Stamp = Stamp {
        size: u64::MAX - 2,
        ..Stamp::UNKNOWN
    };

    /// The same with its time rounded down as any file system can keep it.
    pub fn rounded(self) -> Stamp {
        Stamp {
            seconds: self.seconds - self.seconds.rem_euclid(COARSEST),
            nanos: 0,
            ..self
        }
    }

    /// Whether the modification time is this whole second.
    pub fn is_of(&self, time: i64) -> bool {
        (self.seconds, self.nanos) == (time, 0)
    }
}

/// What is remembered of a torrent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resume {
    /// Whose it is.
    pub info_hash: InfoHash,
    /// Pieces that were verified and are on disk.
    pub verified: Bits,
    /// Each file as it was; `None` where it was missing, and for padding and links.
    pub files: Vec<Option<Stamp>>,
    /// Where they lie, and which files they are.
    pub owned: Owned,
    /// Whether nothing was written after this: what is not verified is not there.
    pub clean: bool,
    /// The time, in whole seconds since 1970, that the files get when this is safe, if they get
    /// one. A file with that time and the size on record is unchanged, too.
    pub settled: Option<i64>,
    /// Bytes of content received over all runs.
    pub downloaded: u64,
    /// Bytes of content sent over all runs.
    pub uploaded: u64,
}

/// What to make of each piece. Those in neither set are not on disk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// Verified, without looking.
    pub trusted: Bits,
    /// To be hashed.
    pub hash: Bits,
}

impl Resume {
    /// The bytes of the resume file.
    pub fn encode(&self) -> Vec<u8> {
        let stamps: Vec<u8> = self
            .files
            .iter()
            .flat_map(|file| stamp_bytes(*file))
            .collect();
        let count = |number: u64| bencode::int(i64::try_from(number).unwrap_or(i64::MAX));
        let settled = self.settled.map(|time| ("settled", bencode::int(time)));
        let folder = self.owned.folder.as_ref();
        let folder = folder.map(|path| ("folder", bencode::bytes(path)));
        let births = self.owned.to_bytes();
        let births = (!births.is_empty()).then(|| ("births", bencode::bytes(births)));
        let fields = [
            ("clean", bencode::int(i64::from(self.clean))),
            ("downloaded", count(self.downloaded)),
            ("files", bencode::bytes(stamps)),
            ("info hash", bencode::bytes(self.info_hash.0)),
            ("pieces", bencode::bytes(self.verified.to_bytes())),
            ("uploaded", count(self.uploaded)),
            ("version", bencode::int(VERSION)),
        ];
        let body = bencode::dict(
            fields
                .into_iter()
                .chain(settled)
                .chain(folder)
                .chain(births),
        );
        bencode::dict([
            ("sha1", bencode::bytes(Sha1::digest(&body))),
            ("body", bencode::bytes(body)),
        ])
    }

    /// Reads a resume file of this torrent; `None` if it is damaged, another torrent's, or of
    /// another version.
    pub fn decode(text: &[u8], info_hash: InfoHash, layout: &Layout) -> Option<Resume> {
        let frame = whole(text)?;
        let body = frame.bytes(b"body")?;
        if frame.bytes(b"sha1")? != Sha1::digest(body).as_slice() {
            return None;
        }
        let body = whole(body)?;
        let stamps = body.bytes(b"files")?;
        let ours = body.int(b"version")? == VERSION && body.bytes(b"info hash")? == info_hash.0;
        if !ours || stamps.len() != layout.files().checked_mul(STAMP)? {
            return None;
        }
        Some(Resume {
            info_hash,
            verified: Bits::from_bytes(body.bytes(b"pieces")?, layout.geometry().pieces())?,
            files: stamps.chunks_exact(STAMP).map(stamp).collect(),
            owned: Owned::from_bytes(body.bytes(b"folder"), body.bytes(b"births"), layout.files())?,
            clean: body.int(b"clean")? == 1,
            settled: body.int(b"settled"),
            downloaded: u64::try_from(body.int(b"downloaded")?).ok()?,
            uploaded: u64::try_from(body.int(b"uploaded")?).ok()?,
        })
    }

    /// Whether a file that is like this now, `None` if it is missing, was not changed since.
    fn is_unchanged(&self, file: usize, now: Option<Stamp>) -> bool {
        let before = self.files.get(file).copied().flatten();
        let settled = |now: Stamp, before: Stamp| {
            now.size == before.size && self.settled.is_some_and(|time| now.is_of(time))
        };
        now == before
            || now
                .zip(before)
                .is_some_and(|(now, before)| settled(now, before))
    }

    /// Whether a file that is like this now, lies `here`, and should have this length, is one that
    /// we wrote or recorded:
    ///
    /// - the file on record, whatever has become of it, or one with its size and time;
    /// - after a kill, in the folder on record, one of full length that was not there when this was
    ///   saved, or of which it could not be recorded which it is: we make files as long as they
    ///   will be at once.
    ///
    /// Resume data that name no folder are believed of any.
    pub fn is_ours(&self, file: usize, now: Stamp, here: &Owned, length: u64) -> bool {
        let recorded = self.files.get(file).copied().flatten();
        let born = self.owned.birth(file);
        let folder = self.owned.folder.as_ref();
        let placed = folder.is_none_or(|folder| here.folder.as_ref() == Some(folder));
        let same = born.is_some() && born == here.birth(file);
        let lost = recorded == Some(Stamp::UNKNOWN) && folder.is_none();
        let made = !self.clean && placed && born.is_none() && now.size == length;
        let known = self.is_unchanged(file, Some(now));
        recorded != Some(Stamp::FOREIGN) && (known || same || lost || made)
    }

    /// Bytes that a resume file of such a torrent has at most. A longer file is none.
    pub fn most_bytes(layout: &Layout) -> usize {
        FRAME
            + layout.files() * STAMP
            + Owned::most_bytes(layout.files())
            + layout.geometry().pieces() as usize / 8
    }
}

/// What to make of each piece, given what is remembered (`None`: nothing, or not to be believed)
/// and the files as they are now.
///
/// - Where a file's bytes are missing, the piece is missing.
/// - Where all its files are unchanged, a verified piece is trusted; one not verified is missing
///   after a clean end, else hashed.
/// - Where one of its files has changed, the piece is hashed.
pub fn verdict(resume: Option<&Resume>, layout: &Layout, present: &[Option<Stamp>]) -> Verdict {
    let pieces = layout.geometry().pieces();
    let mut trusted = resume.map_or_else(|| Bits::new(pieces), |resume| resume.verified.clone());
    let mut hash = match resume {
        Some(resume) if resume.clean => Bits::new(pieces),
        _ => Bits::full(pieces),
    };
    for piece in trusted.ones() {
        hash.clear(piece);
    }
    for file in (0..layout.files()).filter(|&file| !layout.is_padding(file)) {
        let now = present.get(file).copied().flatten();
        if !resume.is_some_and(|resume| resume.is_unchanged(file, now)) {
            for piece in layout.pieces_of(file) {
                trusted.clear(piece);
                hash.set(piece);
            }
        }
    }
    // Last, so that no file adds what another one lacks.
    for file in (0..layout.files()).filter(|&file| !layout.is_padding(file)) {
        let size = present
            .get(file)
            .copied()
            .flatten()
            .map_or(0, |now| now.size);
        let range = layout.range(file);
        let lacking = range.start.saturating_add(size)..range.end;
        let lost = layout
            .geometry()
            .pieces_of(lacking.start, lacking.end.saturating_sub(lacking.start));
        for piece in lost {
            trusted.clear(piece);
            hash.clear(piece);
        }
    }
    Verdict { trusted, hash }
}

/// The dictionary that these bytes are, with nothing behind it.
fn whole(text: &[u8]) -> Option<Dict<'_>> {
    match bencode::decode(text) {
        Ok((Value::Dict(dict), [])) => Some(dict),
        _ => None,
    }
}

fn stamp_bytes(file: Option<Stamp>) -> [u8; STAMP] {
    let stamp = file.unwrap_or(Stamp {
        size: MISSING,
        seconds: 0,
        nanos: 0,
    });
    let mut bytes = [0; STAMP];
    bytes[..8].copy_from_slice(&stamp.size.to_be_bytes());
    bytes[8..16].copy_from_slice(&stamp.seconds.to_be_bytes());
    bytes[16..].copy_from_slice(&stamp.nanos.to_be_bytes());
    bytes
}

fn stamp(bytes: &[u8]) -> Option<Stamp> {
    let (size, time) = bytes.split_first_chunk()?;
    let (seconds, nanos) = time.split_first_chunk()?;
    let size = u64::from_be_bytes(*size);
    (size != MISSING).then_some(Stamp {
        size,
        seconds: i64::from_be_bytes(*seconds),
        nanos: u32::from_be_bytes(*nanos.first_chunk()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Geometry;
    use crate::wire::{FileEntry, FileKind};

    /// Three files of 10, 0 and 14 bytes in six pieces of 4; the third piece lies in two files.
    fn layout() -> Layout {
        let file = |name: &str, length| FileEntry {
            path: format!("t/{name}").into(),
            length,
            kind: FileKind::File,
            executable: false,
        };
        let files = [file("a", 10), file("b", 0), file("c", 14)];
        Layout::new(&files, Geometry::new(24, 4).unwrap())
    }

    fn at(size: u64, seconds: i64) -> Option<Stamp> {
        let nanos = 123_456_789;
        Some(Stamp {
            size,
            seconds,
            nanos,
        })
    }

    fn bits(ones: &[u32]) -> Bits {
        let mut bits = Bits::new(6);
        for &one in ones {
            bits.set(one);
        }
        bits
    }

    fn resume(verified: &[u32], clean: bool) -> Resume {
        Resume {
            info_hash: InfoHash([7; 20]),
            verified: bits(verified),
            files: vec![at(10, 100), None, at(14, -200)],
            owned: Owned::default(),
            clean,
            settled: None,
            downloaded: 1 << 40,
            uploaded: 3,
        }
    }

    #[test]
    fn survives_a_round_trip() {
        for clean in [false, true] {
            let settled = clean.then_some(1_700_000_000);
            let resume = Resume {
                settled,
                ..resume(&[0, 5], clean)
            };
            let text = resume.encode();
            assert!(text.len() <= Resume::most_bytes(&layout()));
            let back = Resume::decode(&text, resume.info_hash, &layout());
            assert_eq!(back, Some(resume));
        }
    }

    #[test]
    fn anything_damaged_counts_as_none() {
        let resume = resume(&[0, 5], true);
        let text = resume.encode();
        let decode = |text: &[u8]| Resume::decode(text, resume.info_hash, &layout());
        for cut in 0..text.len() {
            assert_eq!(decode(&text[..cut]), None, "cut at {cut}");
        }
        for bit in 0..text.len() * 8 {
            let mut flipped = text.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&flipped), None, "bit {bit} flipped");
        }
        for from in 0..text.len() {
            let mut zeroed = text.clone();
            zeroed[from..].fill(0);
            assert_eq!(decode(&zeroed), None, "zeros from {from} on");
        }
        assert_eq!(decode(&[text.as_slice(), b"x"].concat()), None);
        assert_eq!(Resume::decode(&text, InfoHash([8; 20]), &layout()), None);
    }

    #[test]
    fn unchanged_files_are_trusted() {
        let present = [at(10, 100), at(0, 5), at(14, -200)];
        let clean = verdict(Some(&resume(&[0, 2], true)), &layout(), &present);
        assert_eq!((clean.trusted, clean.hash), (bits(&[0, 2]), bits(&[])));
        let killed = verdict(Some(&resume(&[0, 2], false)), &layout(), &present);
        assert_eq!(killed.trusted, bits(&[0, 2]));
        assert_eq!(killed.hash, bits(&[1, 3, 4, 5]));
    }

    #[test]
    fn a_changed_file_is_hashed_with_every_piece_that_touches_it() {
        let changes = [
            at(10, 101),
            at(11, 100),
            Some(Stamp {
                nanos: 0,
                ..at(10, 100).unwrap()
            }),
        ];
        for changed in changes {
            let present = [changed, None, at(14, -200)];
            let found = verdict(Some(&resume(&[0, 2, 3], true)), &layout(), &present);
            assert_eq!(found.trusted, bits(&[3]), "{changed:?}");
            assert_eq!(found.hash, bits(&[0, 1, 2]), "{changed:?}");
        }
    }

    #[test]
    fn what_is_missing_or_cut_off_is_not_hashed() {
        let gone = verdict(
            Some(&resume(&[0, 2, 3], false)),
            &layout(),
            &[None, None, at(14, -200)],
        );
        assert_eq!((gone.trusted, gone.hash), (bits(&[3]), bits(&[4, 5])));
        let short = verdict(
            Some(&resume(&[0, 1, 2, 3, 4, 5], true)),
            &layout(),
            &[at(10, 100), None, at(7, 9)],
        );
        assert_eq!(short.trusted, bits(&[0, 1]));
        assert_eq!(short.hash, bits(&[2, 3]), "17 bytes are there");
        let both = verdict(None, &layout(), &[at(9, 1), None, at(14, 1)]);
        assert_eq!(both.hash, bits(&[0, 1, 3, 4, 5]), "piece 2 lacks a byte");
    }

    #[test]
    fn nothing_remembered_means_everything_is_hashed() {
        let present = [at(10, 100), None, at(14, -200)];
        let found = verdict(None, &layout(), &present);
        assert_eq!(
            (found.trusted, found.hash),
            (bits(&[]), bits(&[0, 1, 2, 3, 4, 5]))
        );
    }

    #[test]
    fn a_file_that_was_missing_and_is_there_now_is_hashed() {
        let mut before = resume(&[3, 4, 5], true);
        before.files[0] = None;
        let found = verdict(Some(&before), &layout(), &[at(10, 1), None, at(14, -200)]);
        assert_eq!(
            (found.trusted, found.hash),
            (bits(&[3, 4, 5]), bits(&[0, 1, 2]))
        );
    }
}
