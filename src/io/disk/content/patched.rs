//! Pieces that are whole only with bytes that are kept in the state folder: what `get` found to be
//! complete, `check` must find, too, though the neighbour of a file that was chosen is not there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use sha1::{Digest as _, Sha1};

use super::content_files::ContentFiles;
use crate::base::{Bits, PieceHash, limits};
use crate::io::disk::disk_error::DiskError;
use crate::io::disk::elsewhere::Elsewhere;
use crate::storage::Span;

/// Those of the `lost` pieces that are right with what is kept below `parts`; for each the files
/// whose bytes were taken from there.
pub fn pieces(
    disk: &mut ContentFiles,
    parts: &Path,
    lost: &Bits,
    hashes: &[PieceHash],
) -> BTreeMap<u32, BTreeSet<usize>> {
    let geometry = disk.layout().geometry();
    let kept = Elsewhere::new(parts, geometry, BTreeSet::new());
    let mut found = BTreeMap::new();
    for piece in kept.kept().common(lost, 0) {
        if let Ok((hash, away)) = hash(disk, &kept, piece) {
            if hashes.get(piece as usize) == Some(&hash) {
                found.insert(piece, away);
            }
        }
    }
    found
}

fn hash(
    disk: &mut ContentFiles,
    kept: &Elsewhere,
    piece: u32,
) -> Result<(PieceHash, BTreeSet<usize>), DiskError> {
    let geometry = disk.layout().geometry();
    let start = geometry.piece_start(piece);
    let len = geometry.piece_size(piece) as usize;
    let spans: Vec<Span> = disk.layout().spans(start, len).collect();
    let mut sha = Sha1::new();
    let mut away = BTreeSet::new();
    let mut buffer = vec![0; limits::SLICE];
    for span in spans {
        let takes = !span.padding && is_away(disk, kept, start, span, &mut buffer);
        if takes {
            away.insert(span.file);
        }
        for (offset, len) in slices(start, span) {
            let slice = &mut buffer[..len];
            if takes {
                read(kept, offset, slice)?;
            } else {
                disk.read(offset, slice)?;
            }
            sha.update(&*slice);
        }
    }
    Ok((PieceHash(sha.finalize().into()), away))
}

/// Whether bytes of a file are kept elsewhere: where they are not, zeros are read there.
fn is_away(
    disk: &ContentFiles,
    kept: &Elsewhere,
    start: u64,
    span: Span,
    buffer: &mut [u8],
) -> bool {
    let size = disk.stamps()[span.file].map_or(0, |stamp| stamp.size);
    if size < span.offset + span.len as u64 {
        return true;
    }
    slices(start, span).any(|(offset, len)| {
        let slice = &mut buffer[..len];
        read(kept, offset, slice).is_ok() && slice.iter().any(|&byte| byte != 0)
    })
}

/// Where the slices of a span begin in the content, and their lengths.
fn slices(start: u64, span: Span) -> impl Iterator<Item = (u64, usize)> {
    let begins = (0..span.len).step_by(limits::SLICE);
    begins.map(move |begin| {
        let offset = start + (span.at + begin) as u64;
        (offset, limits::SLICE.min(span.len - begin))
    })
}

/// Reads bytes of the content that are kept elsewhere.
fn read(kept: &Elsewhere, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
    let all = Span {
        file: 0,
        offset: 0,
        len: buffer.len(),
        padding: false,
        at: 0,
    };
    for (part, own) in kept.parts(offset, all) {
        kept.read(part, &mut buffer[own.at..own.at + own.len])?;
    }
    Ok(())
}
