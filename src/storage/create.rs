//! Making a `.torrent` (BEP 3), version 1 only. What decides the info hash is done as mktorrent
//! does it, so that the same content, name, piece length and `private` give the same hash: keys
//! sorted, nothing else but what BEP 3 names, and the files of a folder in the order of their
//! paths, compared byte by byte with `/` between the names. (libtorrent takes them as the file
//! system lists them; given that order it comes to the same hash.)

use crate::base::{CLIENT_NAME, Geometry, PieceHash, sorted_by};
use crate::wire::{FileEntry, FileKind, bencode};

/// The smallest piece length that is made: that of a block, so that every block lies in one piece.
pub const LEAST_PIECE: u32 = 16 * 1024;
/// The largest piece length that is made: what every client takes.
pub const MOST_PIECE: u32 = 16 * 1024 * 1024;
/// Whole pieces to aim at, at most: enough to be traded early, few enough for a small `.torrent`.
const PIECES: u64 = 2_000;

/// What is to be in a `.torrent`.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The torrent's name.
    pub name: String,
    /// Its files below the download folder (the name comes first), in order. See [`sorted`].
    pub files: Vec<FileEntry>,
    /// Whether it is one file, not a folder.
    pub single: bool,
    /// How the content is cut.
    pub geometry: Geometry,
    /// Announce URLs, each in a tier of its own.
    pub trackers: Vec<String>,
    /// HTTP addresses of the content.
    pub web_seeds: Vec<String>,
    /// Whether peers may come from its trackers only.
    pub private: bool,
    /// A comment.
    pub comment: Option<String>,
    /// When it was made, in seconds since 1970.
    pub date: Option<i64>,
}

impl Recipe {
    /// The bytes of the `.torrent`, given the hash of each piece.
    pub fn encode(&self, hashes: &[PieceHash]) -> Vec<u8> {
        let mut root = vec![
            ("created by", bencode::bytes(CLIENT_NAME)),
            ("info", self.info(hashes)),
        ];
        if let Some(first) = self.trackers.first() {
            root.push(("announce", bencode::bytes(first)));
        }
        if self.trackers.len() > 1 {
            let tier = |url| bencode::list([bencode::bytes(url)]);
            root.push((
                "announce-list",
                bencode::list(self.trackers.iter().map(tier)),
            ));
        }
        if !self.web_seeds.is_empty() {
            let seeds = self.web_seeds.iter().map(bencode::bytes);
            root.push(("url-list", bencode::list(seeds)));
        }
        if let Some(comment) = &self.comment {
            root.push(("comment", bencode::bytes(comment)));
        }
        if let Some(date) = self.date {
            root.push(("creation date", bencode::int(date)));
        }
        bencode::dict(root)
    }

    fn info(&self, hashes: &[PieceHash]) -> Vec<u8> {
        let pieces: Vec<u8> = hashes.iter().flat_map(|hash| hash.0).collect();
        let mut info = vec![
            ("name", bencode::bytes(&self.name)),
            (
                "piece length",
                bencode::int(self.geometry.piece_length().into()),
            ),
            ("pieces", bencode::bytes(pieces)),
        ];
        if self.single {
            info.push(("length", length(self.geometry.size())));
        } else {
            info.push(("files", bencode::list(self.files.iter().map(entry))));
        }
        if self.private {
            info.push(("private", bencode::int(1)));
        }
        bencode::dict(info)
    }
}

/// The piece length for this many bytes: the least power of two that leaves no more than `PIECES`
/// whole ones, within bounds.
pub fn piece_length(size: u64) -> u32 {
    let mut length = LEAST_PIECE;
    while length < MOST_PIECE && size / u64::from(length) > PIECES {
        length *= 2;
    }
    length
}

/// Files in the order that the info hash wants.
pub fn sorted(files: Vec<FileEntry>) -> Vec<FileEntry> {
    sorted_by(files, |a, b| a.path.cmp(&b.path))
}

/// A file of the content.
pub fn file(path: Box<str>, length: u64) -> FileEntry {
    FileEntry {
        path,
        length,
        kind: FileKind::File,
        executable: false,
    }
}

fn entry(file: &FileEntry) -> Vec<u8> {
    let below = file.path.split('/').skip(1);
    bencode::dict([
        ("length", length(file.length)),
        ("path", bencode::list(below.map(bencode::bytes))),
    ])
}

fn length(bytes: u64) -> Vec<u8> {
    bencode::int(i64::try_from(bytes).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Metainfo;

    fn recipe(names: &[&str]) -> Recipe {
        let entry = |name: &&str| file(format!("t/{name}").into(), 10);
        let files = sorted(names.iter().map(entry).collect());
        Recipe {
            name: String::from("t"),
            geometry: Geometry::new(10 * names.len() as u64, LEAST_PIECE).unwrap(),
            files,
            single: false,
            trackers: Vec::new(),
            web_seeds: Vec::new(),
            private: false,
            comment: None,
            date: None,
        }
    }

    #[test]
    fn the_bytes_are_those_of_bep_3() {
        let mut recipe = recipe(&["b", "a/c"]);
        recipe.trackers = vec![String::from("http://x/a")];
        let expected = format!(
            "d8:announce10:http://x/a10:created by{}:{CLIENT_NAME}4:infod\
             5:filesld6:lengthi10e4:pathl1:a1:ceed6:lengthi10e4:pathl1:beee\
             4:name1:t12:piece lengthi16384e6:pieces20:{}ee",
            CLIENT_NAME.len(),
            "h".repeat(20)
        );
        let text = recipe.encode(&[PieceHash([b'h'; 20])]);
        assert_eq!(String::from_utf8(text), Ok(expected));
    }

    #[test]
    fn everything_comes_back_when_it_is_read() {
        let mut recipe = recipe(&["b", "a"]);
        recipe.trackers = vec![String::from("http://x/a"), String::from("udp://y:1/a")];
        recipe.web_seeds = vec![String::from("http://z/t")];
        recipe.private = true;
        recipe.comment = Some(String::from("é"));
        recipe.date = Some(1_000);
        let back = Metainfo::parse(&recipe.encode(&[PieceHash([1; 20])])).unwrap();
        let tiers = recipe.trackers.iter().map(|url| vec![url.clone()]);
        assert_eq!(back.trackers, tiers.collect::<Vec<_>>());
        assert_eq!(
            (back.files, back.web_seeds),
            (recipe.files, recipe.web_seeds)
        );
        assert_eq!((back.private, back.comment), (true, recipe.comment));
        assert_eq!((back.creation_date, back.single), (Some(1_000), false));
        assert_eq!(back.created_by.as_deref(), Some(CLIENT_NAME));
    }

    #[test]
    fn files_come_in_the_order_of_their_whole_paths() {
        let sorted = recipe(&["a/x", "a.b", "a b", "B", "é", "a/b/c"]).files;
        let paths: Vec<&str> = sorted.iter().map(|file| &file.path[2..]).collect();
        assert_eq!(paths, ["B", "a b", "a.b", "a/b/c", "a/x", "é"]);
    }

    #[test]
    fn pieces_are_a_power_of_two_and_not_too_many() {
        for (size, length) in [
            (1, 16 << 10),
            (32 << 20, 32 << 10),
            (1 << 30, 1 << 20),
            (1 << 45, 16 << 20),
        ] {
            assert_eq!(piece_length(size), length, "{size}");
        }
    }
}
