//! Content and torrents to measure with, made without the program under test.

use std::fs::{self, File};
use std::io::{BufReader, Read, Write as _};
use std::path::Path;

use brooklet::wire::Metainfo;
use sha1::{Digest as _, Sha1};

use super::Failure;

/// Reads a `.torrent`.
pub fn read(path: &Path) -> Result<Metainfo, Failure> {
    let bytes = fs::read(path).map_err(|why| format!("{}: {why}", path.display()))?;
    Ok(Metainfo::parse(&bytes).map_err(|why| format!("{}: {why}", path.display()))?)
}

/// Fills a file with bytes that do not repeat and do not compress (xorshift).
pub fn write_noise(path: &Path, len: u64) -> Result<(), Failure> {
    const CHUNK: usize = 1 << 20;
    assert!(len % CHUNK as u64 == 0, "content is whole mebibytes");
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut chunk = vec![0; CHUNK];
    let failed = |why| format!("{}: {why}", path.display());
    let mut file = File::create(path).map_err(failed)?;
    for _ in 0..len / CHUNK as u64 {
        for word in chunk.chunks_exact_mut(8) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            word.copy_from_slice(&state.to_le_bytes());
        }
        file.write_all(&chunk).map_err(failed)?;
    }
    Ok(())
}

/// Writes a `.torrent` of one file.
pub fn write(path: &Path, content: &Path, piece_length: u32, tracker: &str) -> Result<(), Failure> {
    let len = fs::metadata(content)?.len();
    let mut file = File::open(content)?;
    let mut piece = Vec::new();
    let mut hashes = Vec::new();
    loop {
        piece.clear();
        if (&mut file)
            .take(piece_length.into())
            .read_to_end(&mut piece)?
            == 0
        {
            break;
        }
        hashes.extend_from_slice(&Sha1::digest(&piece));
    }
    let name = content
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let mut out = format!("d8:announce{}:{tracker}", tracker.len()).into_bytes();
    let info = format!(
        "4:infod6:lengthi{len}e4:name{}:{name}12:piece lengthi{piece_length}e6:pieces{}:",
        name.len(),
        hashes.len()
    );
    out.extend_from_slice(info.as_bytes());
    out.extend_from_slice(&hashes);
    out.extend_from_slice(b"ee");
    Ok(fs::write(path, out)?)
}

/// Whether two files hold the same bytes.
pub fn same(a: &Path, b: &Path) -> Result<bool, Failure> {
    const CHUNK: usize = 1 << 20;
    if fs::metadata(a)?.len() != fs::metadata(b)?.len() {
        return Ok(false);
    }
    let open = |path| File::open(path).map(|file| BufReader::with_capacity(CHUNK, file));
    let (mut a, mut b) = (open(a)?, open(b)?);
    let (mut left, mut right) = (vec![0; CHUNK], vec![0; CHUNK]);
    loop {
        let count = a.read(&mut left)?;
        if count == 0 {
            return Ok(true);
        }
        b.read_exact(&mut right[..count])?;
        if left[..count] != right[..count] {
            return Ok(false);
        }
    }
}
