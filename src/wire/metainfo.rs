//! A `.torrent` file (BEP 3): a dictionary whose `info` says what the content is, and whose other keys say where to find it. The
//! SHA-1 of the bytes of `info`, as they stand in the file, is the torrent's name in the whole swarm.
//!
//! A torrent that describes its content by BEP 52 too (a hybrid) is read by its BEP 3 half; one that describes it by BEP 52 only is
//! refused. What could lead out of the download folder is refused, not repaired (see [`super::paths`]).

use std::fmt;

use sha1::{Digest as _, Sha1};

use super::bencode::{self, Dict, Value};
use super::{paths, sources};
use crate::base::geometry::Geometry;
use crate::base::id::{InfoHash, PieceHash};
use crate::base::limits;

/// What a `.torrent` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metainfo {
    /// SHA-1 of the raw bytes of the `info` value.
    pub info_hash: InfoHash,
    /// The torrent's name: that of its file, or of the folder of its files.
    pub name: String,
    /// How the content is cut. Padding belongs to the content here.
    pub geometry: Geometry,
    /// A hash for each piece.
    pub hashes: Vec<PieceHash>,
    /// The files, in the order in which the pieces run through them.
    pub files: Vec<FileEntry>,
    /// Whether peers may come from its trackers only (BEP 27).
    pub private: bool,
    /// Announce URLs: tiers, each a list (BEP 12).
    pub trackers: Vec<Vec<String>>,
    /// HTTP addresses of the content (BEP 19).
    pub web_seeds: Vec<String>,
    /// DHT nodes, `host:port` (BEP 5).
    pub nodes: Vec<String>,
    /// A comment.
    pub comment: Option<String>,
    /// The program that made it.
    pub created_by: Option<String>,
    /// When it was made, in seconds since 1970.
    pub creation_date: Option<i64>,
    /// Whether it describes the content by BEP 52 too.
    pub hybrid: bool,
    /// Whether it is one file, not a folder.
    pub single: bool,
}

/// A file of a torrent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// Where it lies below the download folder; the first component is the torrent's name. Empty for padding.
    pub path: Vec<String>,
    /// Its size in bytes.
    pub length: u64,
    /// What it is.
    pub kind: FileKind,
    /// Whether it is to be executable (BEP 47).
    pub executable: bool,
}

/// What a file of a torrent is (BEP 47).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A file that lies on disk.
    File,
    /// Zeros that make the next file begin with a piece. Never on disk.
    Padding,
    /// A symbolic link, of no bytes: listed, never created.
    Symlink,
}

/// Why a torrent is refused, in one plain line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid(pub(super) String);

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the `info` dictionary says.
struct Info {
    name: String,
    geometry: Geometry,
    hashes: Vec<PieceHash>,
    files: Vec<FileEntry>,
    private: bool,
    hybrid: bool,
    single: bool,
}

impl Metainfo {
    /// Reads a `.torrent`. Bytes behind its dictionary are ignored.
    pub fn parse(text: &[u8]) -> Result<Metainfo, Invalid> {
        let (root, _) = bencode::decode(text)
            .map_err(|malformed| Invalid(format!("it is not bencoded: {malformed}")))?;
        let root = root.dict().ok_or_else(|| invalid("it is no dictionary"))?;
        let [info, announce, announce_list, url_list, nodes] =
            root.pick(["info", "announce", "announce-list", "url-list", "nodes"]);
        let [comment, comment_utf8, created_by, creation_date] =
            root.pick(["comment", "comment.utf-8", "created by", "creation date"]);
        let raw_info = info
            .and_then(Value::dict)
            .ok_or_else(|| invalid("it has no info dictionary"))?;
        let info = read_info(raw_info)?;
        Ok(Metainfo {
            info_hash: InfoHash(Sha1::digest(raw_info.raw()).into()),
            name: info.name,
            geometry: info.geometry,
            hashes: info.hashes,
            files: info.files,
            private: info.private,
            trackers: sources::trackers(announce, announce_list),
            web_seeds: sources::web_seeds(url_list),
            nodes: sources::nodes(nodes),
            comment: paths::text(comment, comment_utf8),
            created_by: paths::text(created_by, None),
            creation_date: creation_date.and_then(Value::int),
            hybrid: info.hybrid,
            single: info.single,
        })
    }

    /// Bytes of all its files, padding left out.
    pub fn size(&self) -> u64 {
        real_size(&self.files)
    }
}

fn read_info(info: Dict<'_>) -> Result<Info, Invalid> {
    let [name, name_utf8, piece_length, pieces, private] =
        info.pick(["name", "name.utf-8", "piece length", "pieces", "private"]);
    let [length, files, attr, meta_version, file_tree] =
        info.pick(["length", "files", "attr", "meta version", "file tree"]);
    let hybrid = file_tree.is_some() || meta_version == Some(Value::Int(2));
    if hybrid && pieces.is_none() {
        return Err(invalid(
            "it is a v2-only torrent (BEP 52), which brooklet does not support",
        ));
    }
    let name = paths::text(name, name_utf8).ok_or_else(|| invalid("it has no name"))?;
    paths::check(&name)?;
    let single = files.is_none();
    let files = match files {
        Some(files) => read_files(&name, files)?,
        None => vec![FileEntry {
            path: vec![name.clone()],
            length: read_length(length)?,
            kind: FileKind::File,
            executable: attributes(attr).contains(&b'x'),
        }],
    };
    paths::check_all(&files)?;
    let geometry = read_geometry(&files, piece_length)?;
    Ok(Info {
        name,
        geometry,
        hashes: read_hashes(pieces, geometry.pieces())?,
        files,
        private: private.and_then(Value::int).is_some_and(|flag| flag != 0),
        hybrid,
        single,
    })
}

fn read_files(name: &str, files: Value<'_>) -> Result<Vec<FileEntry>, Invalid> {
    let files = files
        .list()
        .ok_or_else(|| invalid("its files are no list"))?;
    if files.iter().nth(limits::FILES).is_some() {
        return Err(Invalid(format!("it has more than {} files", limits::FILES)));
    }
    files.iter().map(|file| read_file(name, file)).collect()
}

fn read_file(name: &str, file: Value<'_>) -> Result<FileEntry, Invalid> {
    let file = file
        .dict()
        .ok_or_else(|| invalid("a file is described by something else than a dictionary"))?;
    let [length, path, path_utf8, attr] = file.pick(["length", "path", "path.utf-8", "attr"]);
    let attributes = attributes(attr);
    let kind = match attributes {
        flags if flags.contains(&b'p') => FileKind::Padding,
        flags if flags.contains(&b'l') => FileKind::Symlink,
        _ => FileKind::File,
    };
    Ok(FileEntry {
        path: match kind {
            FileKind::Padding => Vec::new(),
            _ => paths::path(name, path, path_utf8)?,
        },
        length: match kind {
            FileKind::Symlink => 0,
            _ => read_length(length)?,
        },
        kind,
        executable: attributes.contains(&b'x'),
    })
}

/// The letters of BEP 47's `attr`.
fn attributes(attr: Option<Value<'_>>) -> &[u8] {
    attr.and_then(Value::bytes).unwrap_or_default()
}

fn read_length(length: Option<Value<'_>>) -> Result<u64, Invalid> {
    let length = length
        .and_then(Value::int)
        .ok_or_else(|| invalid("a file has no length"))?;
    u64::try_from(length).map_err(|_| invalid("a file has a negative length"))
}

fn read_geometry(
    files: &[FileEntry],
    piece_length: Option<Value<'_>>,
) -> Result<Geometry, Invalid> {
    let piece_length = piece_length
        .and_then(Value::int)
        .ok_or_else(|| invalid("it has no piece length"))?;
    let piece_length = u32::try_from(piece_length)
        .ok()
        .filter(|length| (1..=limits::PIECE_LENGTH).contains(length))
        .ok_or_else(|| {
            let most = limits::PIECE_LENGTH;
            Invalid(format!(
                "its piece length of {piece_length} bytes is not between 1 and {most}"
            ))
        })?;
    let size = files
        .iter()
        .try_fold(0_u64, |sum, file| sum.checked_add(file.length))
        .filter(|&size| size <= limits::CONTENT_BYTES)
        .ok_or_else(|| Invalid(format!("it is larger than {} bytes", limits::CONTENT_BYTES)))?;
    if real_size(files) == 0 {
        return Err(invalid("it has no content: all its files are empty"));
    }
    Geometry::new(size, piece_length).ok_or_else(|| invalid("it has too many pieces"))
}

fn real_size(files: &[FileEntry]) -> u64 {
    files
        .iter()
        .filter(|file| file.kind != FileKind::Padding)
        .fold(0, |sum, file| sum.saturating_add(file.length))
}

fn read_hashes(pieces: Option<Value<'_>>, count: u32) -> Result<Vec<PieceHash>, Invalid> {
    let pieces = pieces
        .and_then(Value::bytes)
        .ok_or_else(|| invalid("it has no piece hashes"))?;
    let hashes = pieces.chunks(20);
    if hashes.len() != count as usize {
        return Err(Invalid(format!(
            "it has hashes for {} pieces, but {count} pieces",
            hashes.len()
        )));
    }
    hashes
        .map(|hash| hash.try_into().map(PieceHash))
        .collect::<Result<_, _>>()
        .map_err(|_| invalid("its last piece hash is cut short"))
}

fn invalid(why: &str) -> Invalid {
    Invalid(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::bencode::{bytes, decode, dict, int, list};

    type Entries = Vec<(&'static str, Vec<u8>)>;

    fn torrent(info: Entries) -> Vec<u8> {
        dict([("info", dict(info))])
    }

    fn folder(files: impl IntoIterator<Item = Entries>, pieces: usize) -> Vec<u8> {
        torrent(vec![
            ("files", list(files.into_iter().map(dict))),
            ("name", bytes("t")),
            ("piece length", int(10)),
            ("pieces", bytes(vec![7; 20 * pieces])),
        ])
    }

    fn file(name: &str, length: i64) -> Entries {
        vec![("length", int(length)), ("path", list([bytes(name)]))]
    }

    fn with(mut entries: Entries, key: &'static str, value: Vec<u8>) -> Entries {
        entries.push((key, value));
        entries
    }

    fn refused(text: &[u8]) -> String {
        Metainfo::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn padding_counts_in_pieces_and_nowhere_else() {
        let padding = vec![("attr", bytes("p")), ("length", int(5))];
        let link = vec![
            ("attr", bytes("l")),
            ("length", int(9)),
            ("path", list([bytes("l")])),
        ];
        let program = with(file("b", 3), "attr", bytes("hx"));
        let meta = Metainfo::parse(&folder([file("a", 5), padding, program, link], 2)).unwrap();
        assert_eq!(
            (meta.size(), meta.geometry.size(), meta.geometry.pieces()),
            (8, 13, 2)
        );
        let kinds: Vec<_> = meta
            .files
            .iter()
            .map(|file| (file.kind, file.length, file.executable))
            .collect();
        use FileKind::{File, Padding, Symlink};
        assert_eq!(
            kinds,
            [
                (File, 5, false),
                (Padding, 5, false),
                (File, 3, true),
                (Symlink, 0, false)
            ]
        );
        assert_eq!(meta.files[2].path, ["t", "b"]);
        assert_eq!(meta.hashes, [PieceHash([7; 20]); 2]);
        assert!(!meta.single && !meta.hybrid && !meta.private);
    }

    #[test]
    fn numbers_that_do_not_fit_are_refused() {
        assert_eq!(
            refused(&folder([file("a", 11)], 1)),
            "it has hashes for 1 pieces, but 2 pieces"
        );
        assert_eq!(
            refused(&folder([file("a", -1)], 1)),
            "a file has a negative length"
        );
        let huge = 1 << 52;
        let larger = refused(&folder([file("a", huge), file("b", huge), file("c", 1)], 1));
        assert_eq!(larger, "it is larger than 9007199254740992 bytes");
        let overflow = refused(&folder((0..9).map(|_| file("a", i64::MAX)), 1));
        assert_eq!(overflow, "two files are named \"t/a\"");
        assert_eq!(
            refused(&folder([file("a", 0)], 0)),
            "it has no content: all its files are empty"
        );
        let lone = |piece_length, pieces: &[u8]| {
            torrent(vec![
                ("length", int(5)),
                ("name", bytes("t")),
                ("piece length", int(piece_length)),
                ("pieces", bytes(pieces)),
            ])
        };
        assert!(Metainfo::parse(&lone(16, &[0; 20])).is_ok_and(|meta| meta.single));
        assert_eq!(
            refused(&lone(16, &[0; 19])),
            "its last piece hash is cut short"
        );
        for length in [0, -16, i64::from(limits::PIECE_LENGTH) + 1, i64::MIN] {
            assert!(
                refused(&lone(length, &[0; 20])).starts_with("its piece length of "),
                "{length}"
            );
        }
    }

    #[test]
    fn a_hybrid_is_read_by_its_first_half() {
        let lone = vec![
            ("length", int(5)),
            ("meta version", int(2)),
            ("name", bytes("t")),
            ("piece length", int(16)),
        ];
        assert_eq!(
            refused(&torrent(lone.clone())),
            "it is a v2-only torrent (BEP 52), which brooklet does not support"
        );
        let hybrid = Metainfo::parse(&torrent(with(lone, "pieces", bytes([1; 20])))).unwrap();
        assert!(hybrid.hybrid && hybrid.files.len() == 1);
    }

    /// BEP 3: "the hash is that of the bencoded form as found in the metainfo file", whatever its order and unknown keys.
    #[test]
    fn the_info_hash_is_that_of_the_bytes_as_they_stand() {
        let info = b"d4:name1:t6:lengthi5e6:pieces20:aaaaaaaaaaaaaaaaaaaa12:piece lengthi16e1:?lee";
        let text = [b"d4:info", &info[..], b"eJUNK"].concat();
        let meta = Metainfo::parse(&text).unwrap();
        assert_eq!(meta.info_hash.0[..], Sha1::digest(info)[..]);
        assert!(decode(&text).is_ok_and(|(_, rest)| rest == b"JUNK"));
    }

    #[test]
    fn files_are_counted() {
        let one = dict(file("a", 1));
        let files = list(std::iter::repeat_n(one, limits::FILES + 1));
        let text = torrent(vec![("files", files), ("name", bytes("t"))]);
        assert_eq!(refused(&text), "it has more than 500000 files");
    }
}
