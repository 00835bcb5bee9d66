//! Which file a byte of the content lies in, and where a web seed has that file.

use std::ops::Range;
use std::sync::Arc;

use crate::wire::{FileKind, Metainfo, percent};

/// The files of a torrent, in the order of its content.
#[derive(Clone, Debug)]
pub struct Content {
    metainfo: Arc<Metainfo>,
    /// Where each file begins.
    starts: Vec<u64>,
}

/// A file, as far as its bytes are concerned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// Its index in the torrent.
    pub file: usize,
    /// Where it lies in the content.
    pub bytes: Range<u64>,
    /// It is padding: zeros that no server has.
    pub padding: bool,
}

impl Content {
    /// The files of this torrent.
    pub fn new(metainfo: Arc<Metainfo>) -> Content {
        let mut at = 0;
        let start = |length: u64| {
            let start = at;
            at += length;
            start
        };
        let starts = metainfo.files.iter().map(|file| file.length).map(start);
        Content {
            starts: starts.collect(),
            metainfo,
        }
    }

    /// The file of this byte of the content; empty ones hold none. Past the end: the last one.
    pub fn part(&self, at: u64) -> Part {
        let next = self.starts.partition_point(|&start| start <= at);
        let file = next.saturating_sub(1);
        self.file(file)
    }

    /// The file of this index.
    pub fn file(&self, file: usize) -> Part {
        let start = self.starts.get(file).copied().unwrap_or(0);
        let entry = self.metainfo.files.get(file);
        Part {
            file,
            bytes: start..start + entry.map_or(0, |entry| entry.length),
            padding: entry.is_some_and(|entry| entry.kind == FileKind::Padding),
        }
    }

    /// Whether all of these bytes are padding.
    pub fn is_padding(&self, bytes: Range<u64>) -> bool {
        let mut at = bytes.start;
        while at < bytes.end {
            let part = self.part(at);
            if !part.padding {
                return false;
            }
            at = part.bytes.end;
        }
        true
    }

    /// Files that are no padding and not empty.
    pub fn count(&self) -> u64 {
        let files = self.metainfo.files.iter();
        let real = files.filter(|file| file.kind != FileKind::Padding && file.length > 0);
        real.count() as u64
    }

    /// The URL of a file on the web seed with this URL (BEP 19): "If the URL ends in a slash, "/"
    /// the client must add the "name" from the torrent"; of several files a slash is added if it is
    /// missing, then the name and the file's path.
    pub fn url(&self, base: &str, file: usize) -> String {
        let mut url = base.to_string();
        let single = self.metainfo.single;
        if !single && !url.ends_with('/') {
            url.push('/');
        }
        if url.ends_with('/') {
            self.add_path(file, &mut url);
        }
        url
    }

    /// The last part of the URLs of a file: its path with the torrent's name, percent-encoded.
    pub fn add_path(&self, file: usize, out: &mut String) {
        let names = &self.metainfo.names;
        let root = names.root.as_ref().and_then(|it| it.components.first());
        percent::encode(root.map_or(self.metainfo.name.as_bytes(), |name| name), out);
        if self.metainfo.single {
            return;
        }
        let mut add = |name: &[u8]| {
            out.push('/');
            percent::encode(name, out);
        };
        if let Some(given) = names.files.get(&file) {
            given.components.iter().for_each(|name| add(name));
        } else if let Some(entry) = self.metainfo.files.get(file) {
            let below = entry.path.split('/').skip(1);
            below.for_each(|name| add(name.as_bytes()));
        }
    }

    /// What a user calls a file.
    pub fn name(&self, file: usize) -> &str {
        let entry = self.metainfo.files.get(file);
        entry.map_or("", |entry| &entry.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::bencode::{bytes, dict, int, list};

    fn entry(path: &[&[u8]], length: i64, attr: &str) -> Vec<u8> {
        dict([
            ("attr", bytes(attr)),
            ("length", int(length)),
            ("path", list(path.iter().map(bytes))),
        ])
    }

    fn folder() -> Content {
        let files = [
            entry(&[b"a b", b"\xc3\xa4#?.x"], 5, ""),
            entry(&[b"empty"], 0, ""),
            entry(&[b".pad", b"3"], 3, "p"),
            entry(&[b"\xff%"], 9, ""),
            entry(&[b"last"], 0, ""),
        ];
        let info = dict([
            ("files", list(files)),
            ("name", bytes("n/m".replace('/', " "))),
            ("piece length", int(8)),
            ("pieces", bytes([0; 60])),
        ]);
        let metainfo = Metainfo::parse(&dict([("info", info)])).unwrap();
        Content::new(Arc::new(metainfo))
    }

    fn single() -> Content {
        let info = dict([
            ("length", int(5)),
            ("name", bytes("a b.iso")),
            ("piece length", int(8)),
            ("pieces", bytes([0; 20])),
        ]);
        let metainfo = Metainfo::parse(&dict([("info", info)])).unwrap();
        Content::new(Arc::new(metainfo))
    }

    #[test]
    fn bytes_lie_in_files() {
        let content = folder();
        let parts: Vec<(usize, Range<u64>, bool)> = [0, 4, 5, 7, 8, 16]
            .map(|at| content.part(at))
            .map(|part| (part.file, part.bytes, part.padding))
            .to_vec();
        assert_eq!(
            parts,
            [
                (0, 0..5, false),
                (0, 0..5, false),
                (2, 5..8, true),
                (2, 5..8, true),
                (3, 8..17, false),
                (3, 8..17, false),
            ]
        );
        assert!(content.is_padding(5..8) && !content.is_padding(4..8));
        assert!(!content.is_padding(7..9));
        assert_eq!(content.count(), 2);
    }

    /// BEP 19: "For example, torrent named "michael" with files "/tom/dick.txt" … url-list
    /// "http://mirror.com/pub/" … "http://mirror.com/pub/michael/tom/dick.txt"".
    #[test]
    fn urls_are_those_of_bep_19() {
        let content = folder();
        for base in ["http://h/pub", "http://h/pub/"] {
            assert_eq!(
                content.url(base, 0),
                "http://h/pub/n%20m/a%20b/%C3%A4%23%3F.x"
            );
            assert_eq!(content.url(base, 3), "http://h/pub/n%20m/%FF%25");
        }
        let single = single();
        assert_eq!(single.url("http://h/x?y=1", 0), "http://h/x?y=1");
        assert_eq!(single.url("http://h/pub/", 0), "http://h/pub/a%20b.iso");
    }
}
