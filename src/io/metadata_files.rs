//! The `info` dictionaries that peers ask for. They are read from the `.torrent` files when a peer
//! asks, and kept in memory for a while, since the peer will ask for the next block. So a seed of a
//! thousand torrents keeps none of them while no peer asks.

use std::path::PathBuf;

use sha1::{Digest as _, Sha1};

use super::disk::state;
use crate::base::{InfoHash, Now, PeerKey, SortedMap, TorrentKey, limits};
use crate::session::{Session, extending};
use crate::wire::bencode::{self, Value};
use crate::wire::extended::metadata::BLOCK;

/// Where they lie, and the one that was asked for last.
#[derive(Debug)]
pub struct MetadataFiles {
    state_dir: PathBuf,
    /// The `.torrent` files that do not lie in the state folder.
    elsewhere: SortedMap<InfoHash, PathBuf>,
    kept: Option<Kept>,
}

#[derive(Debug)]
struct Kept {
    info_hash: InfoHash,
    /// `None`: it cannot be read.
    info: Option<Vec<u8>>,
    until: Now,
}

impl MetadataFiles {
    /// All lie in this folder, as `INFOHASH.torrent`.
    pub fn new(state_dir: PathBuf) -> MetadataFiles {
        MetadataFiles {
            state_dir,
            elsewhere: SortedMap::new(),
            kept: None,
        }
    }

    /// That of this torrent lies here.
    pub fn set(&mut self, info_hash: InfoHash, path: PathBuf) {
        self.elsewhere.insert(info_hash, path);
    }

    /// Sends the peer under this key the block that it waits for, or says that it cannot be had.
    pub fn answer(
        &mut self,
        session: &mut Session,
        (torrent, key): (TorrentKey, PeerKey),
        piece: u32,
        now: Now,
    ) {
        let Some(info_hash) = session.torrent(torrent).map(|it| it.order.info_hash) else {
            return;
        };
        let block = self.block(info_hash, piece, now);
        extending::handle_metadata(session, (torrent, key), piece, block);
    }

    /// A block of a torrent's dictionary. `None`: it cannot be had.
    fn block(&mut self, info_hash: InfoHash, piece: u32, now: Now) -> Option<&[u8]> {
        let until = now + limits::METADATA_KEPT;
        match &mut self.kept {
            Some(kept) if kept.info_hash == info_hash => kept.until = until,
            _ => {
                self.kept = Some(Kept {
                    info_hash,
                    info: self.load(info_hash),
                    until,
                });
            }
        }
        let info = self.kept.as_ref()?.info.as_deref()?;
        let start = piece.checked_mul(BLOCK)? as usize;
        let end = info.len().min(start + BLOCK as usize);
        info.get(start..end).filter(|block| !block.is_empty())
    }

    /// When [`MetadataFiles::sweep`] is due.
    pub fn next_deadline(&self) -> Option<Now> {
        self.kept.as_ref().map(|kept| kept.until)
    }

    /// Frees the dictionaries that no peer has asked for lately.
    pub fn sweep(&mut self, now: Now) {
        self.kept.take_if(|kept| kept.until <= now);
    }

    fn load(&self, info_hash: InfoHash) -> Option<Vec<u8>> {
        let own = || self.state_dir.join(format!("{info_hash}.torrent"));
        let path = self.elsewhere.get(&info_hash).cloned();
        let path = path.unwrap_or_else(own);
        let text = state::load(&path, limits::METAINFO_BYTES).ok().flatten()?;
        let (root, _) = bencode::decode(&text).ok()?;
        let info = root.dict()?.get("info").and_then(Value::dict)?.raw();
        // The file may be another torrent's by now.
        (Sha1::digest(info)[..] == info_hash.0).then(|| info.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Duration;

    #[test]
    fn blocks_are_those_of_the_file_while_it_is_the_torrents() {
        let dir = std::env::temp_dir().join(format!("brooklet-metadata-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let info = format!("d1:x20000:{}e", "y".repeat(20_000));
        let info_hash = InfoHash(Sha1::digest(&info).into());
        let path = dir.join("t.torrent");
        std::fs::write(&path, format!("d4:info{info}1:zi1ee")).unwrap();
        let mut files = MetadataFiles::new(dir.clone());
        let now = Now::default();
        assert_eq!(files.block(info_hash, 0, now), None, "nothing lies there");
        files.set(info_hash, path.clone());
        let later = now + limits::METADATA_KEPT;
        assert_eq!(files.next_deadline(), Some(later));
        files.sweep(later);
        assert_eq!(
            files.block(info_hash, 0, later),
            Some(&info.as_bytes()[..16_384])
        );
        assert_eq!(
            files.block(info_hash, 1, later),
            Some(&info.as_bytes()[16_384..])
        );
        assert_eq!(files.block(info_hash, 2, later), None);
        assert_eq!(files.block(info_hash, u32::MAX, later), None);
        // While it is kept, the file is not read.
        std::fs::write(&path, "d4:infod1:xi1eee").unwrap();
        assert!(files.block(info_hash, 0, later).is_some());
        files.sweep(later + (limits::METADATA_KEPT - Duration::from_millis(1)));
        assert!(files.block(info_hash, 0, later).is_some());
        files.sweep(later + limits::METADATA_KEPT);
        assert_eq!(files.block(info_hash, 0, later), None, "it is another's");
        std::fs::remove_dir_all(dir).unwrap();
    }
}
