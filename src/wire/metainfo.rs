//! A `.torrent` file (BEP 3): a dictionary whose `info` says what the content is, and whose other
//! keys say where to find it. The SHA-1 of the bytes of `info`, as they stand in the file, is the
//! torrent's name in the whole swarm.
//!
//! A torrent that describes its content by BEP 52 too (a hybrid) is read by its BEP 3 half; one
//! that describes it by BEP 52 only is refused. What could lead out of the download folder is
//! refused; a name that cannot be written gets one of its own (see [`super::paths`]).

use sha1::{Digest as _, Sha1};

use super::bencode::{self, Value};
use super::files::{FileEntry, Invalid};
use super::given::Names;
use super::naming::{self, Matching};
use super::{info, paths, sources};
use crate::base::{Geometry, InfoHash, PieceHash};

/// What a `.torrent` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metainfo {
    /// SHA-1 of the raw bytes of the `info` value.
    pub info_hash: InfoHash,
    /// Bytes of the `info` value.
    pub info_size: u32,
    /// The torrent's name on disk: that of its file, or of the folder of its files.
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
    /// How the torrent spells its names, where that is not how they are on disk.
    pub names: Names,
}

impl Metainfo {
    /// Reads a `.torrent`. Bytes behind its dictionary are ignored.
    pub fn parse(text: &[u8]) -> Result<Metainfo, Invalid> {
        let (root, _) = bencode::decode(text)
            .map_err(|malformed| Invalid::new(format!("it is not bencoded: {malformed}")))?;
        let root = root
            .dict()
            .ok_or_else(|| Invalid::new("it is no dictionary"))?;
        let [
            info,
            announce,
            announce_list,
            url_list,
            nodes,
            comment,
            comment_utf8,
            created_by,
            creation_date,
        ] = root.pick([
            "info",
            "announce",
            "announce-list",
            "url-list",
            "nodes",
            "comment",
            "comment.utf-8",
            "created by",
            "creation date",
        ]);
        let raw_info = info
            .and_then(Value::dict)
            .ok_or_else(|| Invalid::new("it has no info dictionary"))?;
        let info = info::read(raw_info)?;
        Ok(Metainfo {
            info_hash: InfoHash(Sha1::digest(raw_info.raw()).into()),
            info_size: u32::try_from(raw_info.raw().len()).unwrap_or(u32::MAX),
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
            names: info.names,
        })
    }

    /// What stands for the metainfo of a torrent of which only a link is known.
    pub fn of_link(info_hash: InfoHash, name: String) -> Metainfo {
        Metainfo {
            info_hash,
            info_size: 0,
            name,
            geometry: Geometry::UNKNOWN,
            hashes: Vec::new(),
            files: Vec::new(),
            private: false,
            trackers: Vec::new(),
            web_seeds: Vec::new(),
            nodes: Vec::new(),
            comment: None,
            created_by: None,
            creation_date: None,
            hybrid: false,
            single: true,
            names: Names::default(),
        }
    }

    /// The same for a file system that folds letters (see [`super::fold`]): files whose names it
    /// would take for one get names of their own. `None` where there are no such files.
    pub fn folded(&self) -> Option<Metainfo> {
        naming::clashes(&self.files, Matching::Folded).then(|| {
            let mut folded = self.clone();
            naming::separate(&mut folded.files, &mut folded.names, Matching::Folded);
            folded
        })
    }

    /// Bytes of all its files, padding left out.
    pub fn size(&self) -> u64 {
        info::real_size(&self.files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// BEP 3: "the hash is that of the bencoded form as found in the metainfo file", whatever its
    /// order and unknown keys.
    #[test]
    fn the_info_hash_is_that_of_the_bytes_as_they_stand() {
        let info = b"d4:name1:t6:lengthi5e6:pieces20:aaaaaaaaaaaaaaaaaaaa12:piece lengthi16e1:?lee";
        let text = [b"d4:info", &info[..], b"eJUNK"].concat();
        let meta = Metainfo::parse(&text).unwrap();
        assert_eq!(meta.info_hash.0[..], Sha1::digest(info)[..]);
        assert!(bencode::decode(&text).is_ok_and(|(_, rest)| rest == b"JUNK"));
    }

    #[test]
    fn what_is_no_torrent_is_refused_in_words() {
        let refused = |text: &[u8]| Metainfo::parse(text).unwrap_err().to_string();
        let html = refused(b"<html>");
        assert_eq!(
            html,
            "it is not bencoded: no value begins with this byte at byte 0"
        );
        assert_eq!(refused(b"4:spam"), "it is no dictionary");
        assert_eq!(refused(b"d4:infolee"), "it has no info dictionary");
        assert_eq!(refused(b"d4:infodee"), "it has no name");
    }
}
