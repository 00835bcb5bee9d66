//! Torrents made without the program under test.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use sha1::{Digest, Sha1};

use super::content::Content;

/// A torrent and its content.
#[derive(Clone, Debug)]
pub struct Torrent {
    /// The content.
    pub content: Content,
    /// All of it in a row.
    pub bytes: Vec<u8>,
    /// Bytes of a piece.
    pub piece_length: usize,
    /// The bencoded `info`.
    pub info: Vec<u8>,
    /// Its SHA-1.
    pub info_hash: [u8; 20],
}

impl Torrent {
    /// Describes a content in pieces of this length.
    pub fn new(content: Content, piece_length: usize) -> Torrent {
        let bytes = content.bytes();
        let pieces = bytes.chunks(piece_length).flat_map(Sha1::digest).collect();
        let info = info(&content, piece_length, pieces);
        Torrent {
            info_hash: Sha1::digest(&info).into(),
            content,
            bytes,
            piece_length,
            info,
        }
    }

    /// The same with padding after each file but the last, so that each begins with a piece (BEP
    /// 47).
    pub fn aligned(content: Content, piece_length: usize) -> Torrent {
        let mut bytes = Vec::new();
        let mut entries = Vec::new();
        for (place, (path, data)) in content.files.iter().enumerate() {
            entries.push((path.clone(), data.len(), false));
            bytes.extend_from_slice(data);
            let gap = bytes.len().next_multiple_of(piece_length) - bytes.len();
            if gap > 0 && place + 1 < content.files.len() {
                entries.push((format!(".pad/{gap}"), gap, true));
                bytes.resize(bytes.len() + gap, 0);
            }
        }
        let pieces = bytes.chunks(piece_length).flat_map(Sha1::digest).collect();
        let mut info = b"d".to_vec();
        files(&mut info, entries);
        end(&mut info, &content.name, piece_length, pieces);
        Torrent {
            info_hash: Sha1::digest(&info).into(),
            content,
            bytes,
            piece_length,
            info,
        }
    }

    /// The same, but private (BEP 27). Keys are in order: "private" comes after "pieces".
    pub fn private(mut self) -> Torrent {
        let end = self.info.pop();
        self.info.extend(b"7:privatei1e");
        self.info.extend(end);
        self.info_hash = Sha1::digest(&self.info).into();
        self
    }

    /// Pieces in all.
    pub fn pieces(&self) -> u32 {
        self.bytes.len().div_ceil(self.piece_length) as u32
    }

    /// The info hash in hexadecimal.
    pub fn hex(&self) -> String {
        self.info_hash.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// Its file with a list of URLs under this key, in front of the other keys that it has.
    pub fn with_urls(&self, key: &str, urls: &[String]) -> Vec<u8> {
        let mut whole = metainfo(&self.info, &[]);
        assert_eq!(whole.pop(), Some(b'e'));
        text(&mut whole, key);
        whole.push(b'l');
        for url in urls {
            text(&mut whole, url);
        }
        whole.extend(b"ee");
        whole
    }

    /// Writes a `.torrent` that names these trackers, each in a tier of its own.
    pub fn write(&self, path: &Path, trackers: &[&str]) -> PathBuf {
        std::fs::write(path, metainfo(&self.info, trackers)).unwrap();
        path.to_path_buf()
    }
}

/// The bytes of a `.torrent` around this `info`.
pub fn metainfo(info: &[u8], trackers: &[&str]) -> Vec<u8> {
    let mut out = b"d".to_vec();
    if let Some(first) = trackers.first() {
        text(&mut out, "announce");
        text(&mut out, first);
        text(&mut out, "announce-list");
        out.push(b'l');
        for tracker in trackers {
            out.push(b'l');
            text(&mut out, tracker);
            out.push(b'e');
        }
        out.push(b'e');
    }
    text(&mut out, "info");
    out.extend_from_slice(info);
    out.push(b'e');
    out
}

/// The `info` of one file of this length that begins with `written` and goes on with zeros.
pub fn sparse(name: &str, written: &[u8], len: u64, piece_length: usize) -> Vec<u8> {
    assert!(len % piece_length as u64 == 0 && written.len() % piece_length == 0);
    let mut pieces: Vec<u8> = written
        .chunks(piece_length)
        .flat_map(Sha1::digest)
        .collect();
    let zeros = Sha1::digest(vec![0; piece_length]);
    pieces.extend(zeros.repeat((len / piece_length as u64) as usize - pieces.len() / 20));
    let mut out = b"d".to_vec();
    text(&mut out, "length");
    number(&mut out, len as usize);
    end(&mut out, name, piece_length, pieces);
    out
}

fn info(content: &Content, piece_length: usize, pieces: Vec<u8>) -> Vec<u8> {
    let mut out = b"d".to_vec();
    match &content.files[..] {
        [(path, bytes)] if path.is_empty() => {
            text(&mut out, "length");
            number(&mut out, bytes.len());
        }
        named => {
            let entries = named.iter();
            let entries = entries.map(|(path, bytes)| (path.clone(), bytes.len(), false));
            files(&mut out, entries);
        }
    }
    end(&mut out, &content.name, piece_length, pieces);
    out
}

/// The list of files: path, length, and whether it is padding.
fn files(out: &mut Vec<u8>, entries: impl IntoIterator<Item = (String, usize, bool)>) {
    text(out, "files");
    out.push(b'l');
    for (path, length, padding) in entries {
        out.push(b'd');
        if padding {
            text(out, "attr");
            text(out, "p");
        }
        text(out, "length");
        number(out, length);
        text(out, "path");
        out.push(b'l');
        path.split('/').for_each(|part| text(out, part));
        out.extend_from_slice(b"ee");
    }
    out.push(b'e');
}

fn end(out: &mut Vec<u8>, name: &str, piece_length: usize, pieces: Vec<u8>) {
    text(out, "name");
    text(out, name);
    text(out, "piece length");
    number(out, piece_length);
    text(out, "pieces");
    out.extend_from_slice(format!("{}:", pieces.len()).as_bytes());
    out.extend_from_slice(&pieces);
    out.push(b'e');
}

fn text(out: &mut Vec<u8>, value: &str) {
    out.extend_from_slice(format!("{}:{value}", value.len()).as_bytes());
}

fn number(out: &mut Vec<u8>, value: usize) {
    out.extend_from_slice(format!("i{value}e").as_bytes());
}
