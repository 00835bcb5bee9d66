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
        let [body, sha1] = whole(text)?.pick(["body", "sha1"]);
        let body = body?.bytes()?;
        if sha1?.bytes()? != Sha1::digest(body).as_slice() {
            return None;
        }
        let [
            births,
            clean,
            downloaded,
            files,
            folder,
            name,
            pieces,
            settled,
            uploaded,
            version,
        ] = whole(body)?.pick([
            "births",
            "clean",
            "downloaded",
            "files",
            "folder",
            "info hash",
            "pieces",
            "settled",
            "uploaded",
            "version",
        ]);
        let stamps = files?.bytes()?;
        let ours = version?.int()? == VERSION && name?.bytes()? == info_hash.0;
        if !ours || stamps.len() != layout.files().checked_mul(STAMP)? {
            return None;
        }
        Some(Resume {
            info_hash,
            verified: Bits::from_bytes(pieces?.bytes()?, layout.geometry().pieces())?,
            files: stamps.chunks_exact(STAMP).map(stamp).collect(),
            owned: Owned::from_bytes(
                folder.and_then(Value::bytes),
                births.and_then(Value::bytes),
                layout.files(),
            )?,
            clean: clean?.int()? == 1,
            settled: settled.and_then(Value::int),
            downloaded: u64::try_from(downloaded?.int()?).ok()?,
            uploaded: u64::try_from(uploaded?.int()?).ok()?,
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
mod tests;
