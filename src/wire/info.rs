//! The `info` dictionary of a torrent (BEP 3, BEP 27, BEP 47): its files and how they are cut into
//! pieces. All of it is checked here once, so that nothing behind has to: there is a hash for each
//! piece, sizes add up without overflow, and each path is safe and belongs to one file.

use super::bencode::{Dict, Value};
use super::files::{FileEntry, FileKind, Invalid};
use super::given::Names;
use super::naming::{self, Matching};
use super::paths;
use crate::base::{Geometry, PieceHash, limits};

/// What the `info` dictionary says.
pub(super) struct Info {
    pub(super) name: String,
    pub(super) geometry: Geometry,
    pub(super) hashes: Vec<PieceHash>,
    pub(super) files: Vec<FileEntry>,
    pub(super) private: bool,
    pub(super) hybrid: bool,
    pub(super) single: bool,
    pub(super) names: Names,
}

/// Reads the dictionary.
pub(super) fn read(info: Dict<'_>) -> Result<Info, Invalid> {
    let [
        name,
        name_utf8,
        piece_length,
        pieces,
        private,
        length,
        files,
        attr,
        meta_version,
        file_tree,
    ] = info.pick([
        "name",
        "name.utf-8",
        "piece length",
        "pieces",
        "private",
        "length",
        "files",
        "attr",
        "meta version",
        "file tree",
    ]);
    let hybrid = file_tree.is_some() || meta_version == Some(Value::Int(2));
    if hybrid && pieces.is_none() {
        return Err(Invalid::new(
            "it is a v2-only torrent (BEP 52), which brooklet does not support",
        ));
    }
    let (name, root) = paths::name(name, name_utf8)?;
    let single = files.is_none();
    let mut names = Names {
        root,
        ..Names::default()
    };
    let mut files = match files {
        Some(files) => read_files(&name, files, &mut names)?,
        None => vec![FileEntry {
            path: name.as_str().into(),
            length: read_length(length)?,
            kind: FileKind::File,
            executable: attributes(attr).contains(&b'x'),
        }],
    };
    naming::separate(&mut files, &mut names, Matching::Exact);
    let geometry = read_geometry(&files, piece_length)?;
    Ok(Info {
        name,
        geometry,
        hashes: read_hashes(pieces, geometry)?,
        files,
        private: private.and_then(Value::int).is_some_and(|flag| flag != 0),
        hybrid,
        single,
        names,
    })
}

/// Bytes of these files, padding left out.
pub(super) fn real_size(files: &[FileEntry]) -> u64 {
    files
        .iter()
        .filter(|file| file.kind != FileKind::Padding)
        .fold(0, |sum, file| sum.saturating_add(file.length))
}

fn read_files(name: &str, files: Value<'_>, names: &mut Names) -> Result<Vec<FileEntry>, Invalid> {
    let files = files
        .list()
        .ok_or_else(|| Invalid::new("its files are no list"))?;
    let entry = |(number, file)| match number {
        number if number < limits::FILES => read_file(name, number, file, names),
        _ => Err(Invalid::new(format!(
            "it has more than {} files",
            limits::FILES
        ))),
    };
    files.iter().enumerate().map(entry).collect()
}

fn read_file(
    name: &str,
    number: usize,
    file: Value<'_>,
    names: &mut Names,
) -> Result<FileEntry, Invalid> {
    let file = file
        .dict()
        .ok_or_else(|| Invalid::new("a file is described by something else than a dictionary"))?;
    let [length, path, path_utf8, attr, target] =
        file.pick(["length", "path", "path.utf-8", "attr", "symlink path"]);
    let attributes = attributes(attr);
    let kind = match attributes {
        flags if flags.contains(&b'p') => FileKind::Padding,
        flags if flags.contains(&b'l') => FileKind::Symlink,
        _ => FileKind::File,
    };
    let path = if kind == FileKind::Padding {
        String::new()
    } else {
        let (below, given) = paths::path(path, path_utf8)?;
        names.files.extend(given.map(|given| (number, given)));
        format!("{name}/{below}")
    };
    if kind == FileKind::Symlink {
        let target = target.and_then(Value::list).into_iter();
        let target: Vec<_> = target
            .flat_map(|components| components.iter())
            .filter_map(Value::bytes)
            .map(String::from_utf8_lossy)
            .collect();
        names.links.insert(number, target.join("/").into());
    }
    Ok(FileEntry {
        path: path.into(),
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
        .ok_or_else(|| Invalid::new("a file has no length"))?;
    u64::try_from(length).map_err(|_| Invalid::new("a file has a negative length"))
}

fn read_geometry(
    files: &[FileEntry],
    piece_length: Option<Value<'_>>,
) -> Result<Geometry, Invalid> {
    let piece_length = piece_length
        .and_then(Value::int)
        .ok_or_else(|| Invalid::new("it has no piece length"))?;
    let piece_length = u32::try_from(piece_length)
        .ok()
        .filter(|length| (1..=limits::PIECE_LENGTH).contains(length))
        .ok_or_else(|| {
            let most = limits::PIECE_LENGTH;
            Invalid::new(format!(
                "its piece length of {piece_length} bytes is not between 1 and {most}"
            ))
        })?;
    let size = files
        .iter()
        .try_fold(0_u64, |sum, file| sum.checked_add(file.length))
        .filter(|&size| size <= limits::CONTENT_BYTES)
        .ok_or_else(|| {
            Invalid::new(format!("it is larger than {} bytes", limits::CONTENT_BYTES))
        })?;
    if real_size(files) == 0 {
        return Err(Invalid::new("it has no content: all its files are empty"));
    }
    Geometry::new(size, piece_length).ok_or_else(|| Invalid::new("it has too many pieces"))
}

fn read_hashes(pieces: Option<Value<'_>>, geometry: Geometry) -> Result<Vec<PieceHash>, Invalid> {
    let (count, length) = (geometry.pieces(), u64::from(geometry.piece_length()));
    let full = geometry.size().checked_rem(length) == Some(0);
    let pieces = pieces
        .and_then(Value::bytes)
        .ok_or_else(|| Invalid::new("it has no piece hashes"))?;
    let mut hashes = pieces.chunks(20);
    let whole = pieces.len() % 20 == 0;
    // Some makers add one of no bytes where the last piece is a full one.
    if full && whole && hashes.len() == (count as usize).saturating_add(1) {
        hashes.next_back();
    }
    if hashes.len() != count as usize {
        let found = hashes.len();
        return Err(Invalid::new(format!(
            "it has {found} piece hashes where its content needs {count}"
        )));
    }
    // All at once: a vector that grows is copied again and again.
    let mut all = Vec::with_capacity(count as usize);
    for hash in hashes {
        let hash = hash.try_into().map(PieceHash);
        all.push(hash.map_err(|_| Invalid::new("its last piece hash is cut short"))?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::bencode::{bytes, dict, int, list};
    use crate::wire::metainfo::Metainfo;

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
        assert_eq!(&*meta.files[2].path, "t/b");
        assert_eq!(meta.hashes, [PieceHash([7; 20]); 2]);
        assert!(!meta.single && !meta.hybrid && !meta.private);
    }

    #[test]
    fn numbers_that_do_not_fit_are_refused() {
        assert_eq!(
            refused(&folder([file("a", 11)], 1)),
            "it has 1 piece hashes where its content needs 2"
        );
        assert_eq!(
            refused(&folder([file("a", -1)], 1)),
            "a file has a negative length"
        );
        let huge = 1 << 52;
        let larger = refused(&folder([file("a", huge), file("b", huge), file("c", 1)], 1));
        assert_eq!(larger, "it is larger than 9007199254740992 bytes");
        let overflow = refused(&folder((0..9).map(|_| file("a", i64::MAX)), 1));
        assert_eq!(overflow, "it is larger than 9007199254740992 bytes");
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

    /// rqbit and py3createtorrent add the SHA-1 of no bytes where the last piece is a full one.
    #[test]
    fn one_piece_hash_too_many_behind_a_full_last_piece_is_dropped() {
        let with_bytes = |size: i64, pieces: &[u8]| {
            Metainfo::parse(&torrent(vec![
                ("length", int(size)),
                ("name", bytes("t")),
                ("piece length", int(16)),
                ("pieces", bytes(pieces)),
            ]))
        };
        let with_hashes = |size, hashes: usize| {
            let pieces: Vec<u8> = (0..hashes).flat_map(|hash| [hash as u8; 20]).collect();
            with_bytes(size, &pieces)
        };
        let meta = with_hashes(48, 4).unwrap();
        assert_eq!(meta.geometry.pieces(), 3);
        assert_eq!(meta.hashes, [0, 1, 2].map(|hash| PieceHash([hash; 20])));
        for (size, hashes) in [(48, 5), (48, 2), (47, 4), (49, 5)] {
            assert!(with_hashes(size, hashes).is_err(), "{size} {hashes}");
        }
        for len in [1, 19] {
            let torn = with_bytes(48, &vec![7; 60 + len]);
            assert!(torn.is_err(), "{len} bytes of a fourth one");
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

    #[test]
    fn files_are_counted() {
        let one = dict(file("a", 1));
        let files = list(std::iter::repeat_n(one, limits::FILES + 1));
        let text = torrent(vec![("files", files), ("name", bytes("t"))]);
        assert_eq!(refused(&text), "it has more than 500000 files");
    }
}
