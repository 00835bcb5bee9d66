//! The `info` dictionaries that peers ask for. They are read from the `.torrent` files when a peer
//! asks, and kept in memory for a while, since the peer will ask for the next block. So a seed of a
//! thousand torrents keeps none of them while no peer asks. Reading and hashing them takes a small
//! part of the time, whatever peers ask for: if need be they wait.

use std::path::PathBuf;

use sha1::{Digest as _, Sha1};

use super::disk::state;
use crate::base::{Duration, InfoHash, PeerKey, SortedMap, Time, TorrentKey, limits, sooner};
use crate::session::{Session, extending};
use crate::wire::bencode;
use crate::wire::extended::metadata::BLOCK;

/// Where they lie, and those that were asked for lately.
#[derive(Debug)]
pub struct MetadataFiles {
    state_dir: PathBuf,
    /// The `.torrent` files that do not lie in the state folder.
    elsewhere: SortedMap<InfoHash, PathBuf>,
    /// The one that was asked for last comes last.
    kept: Vec<Kept>,
    /// Blocks that peers wait for, of dictionaries that are not kept.
    waiting: Vec<Waiting>,
    /// No file is read before.
    next_read: Time,
}

#[derive(Debug)]
struct Kept {
    info_hash: InfoHash,
    /// `None`: it cannot be read.
    info: Option<Vec<u8>>,
    until: Time,
}

impl Kept {
    fn bytes(&self) -> usize {
        self.info.as_ref().map_or(0, Vec::len)
    }
}

/// A block that a peer waits for.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    info_hash: InfoHash,
    torrent: TorrentKey,
    key: PeerKey,
    piece: u32,
}

impl MetadataFiles {
    /// All lie in this folder, as `INFOHASH.torrent`.
    pub fn new(state_dir: PathBuf) -> MetadataFiles {
        MetadataFiles {
            state_dir,
            elsewhere: SortedMap::new(),
            kept: Vec::new(),
            waiting: Vec::new(),
            next_read: Time::default(),
        }
    }

    /// That of this torrent lies here.
    pub fn set(&mut self, info_hash: InfoHash, path: PathBuf) {
        self.elsewhere.insert(info_hash, path);
    }

    /// Sends the peer under this key the block that it waits for, or says that it cannot be had;
    /// now, or once its file may be read.
    pub fn answer(
        &mut self,
        session: &mut Session,
        (torrent, key): (TorrentKey, PeerKey),
        piece: u32,
        now: Time,
    ) {
        let Some(info_hash) = session.torrent(torrent).map(|it| it.order.info_hash) else {
            return;
        };
        self.waiting.push(Waiting {
            info_hash,
            torrent,
            key,
            piece,
        });
        self.answer_all(session, now);
    }

    /// Frees the dictionaries that no peer has asked for lately, and reads those that peers wait
    /// for.
    pub fn turn(&mut self, session: &mut Session, now: Time) {
        self.sweep(now);
        self.answer_all(session, now);
    }

    /// When [`MetadataFiles::turn`] is due.
    pub fn next_deadline(&self) -> Option<Time> {
        let read = Some(self.next_read).filter(|_| !self.waiting.is_empty());
        self.kept
            .iter()
            .map(|kept| Some(kept.until))
            .fold(read, sooner)
    }

    fn answer_all(&mut self, session: &mut Session, now: Time) {
        for wait in std::mem::take(&mut self.waiting) {
            if self.keep(wait.info_hash, now) {
                let block = self.block(wait.piece);
                let peer = (wait.torrent, wait.key);
                extending::handle_metadata(session, peer, wait.piece, block);
            } else {
                self.waiting.push(wait);
            }
        }
    }

    /// Has this dictionary kept, as the one that was asked for last. False: its file may not be
    /// read yet.
    fn keep(&mut self, info_hash: InfoHash, now: Time) -> bool {
        let until = now + limits::METADATA_KEPT;
        let place = self.kept.iter().position(|it| it.info_hash == info_hash);
        if let Some(place) = place {
            let kept = self.kept.remove(place);
            self.kept.push(Kept { until, ..kept });
            return true;
        }
        if now < self.next_read {
            return false;
        }
        let (info, read) = self.load(info_hash);
        let micros = read as u64 * 1_000_000 / u64::from(limits::METADATA_READ);
        self.next_read = now + Duration::from_micros(micros);
        let room = limits::METADATA_CACHE.saturating_sub(info.as_ref().map_or(0, Vec::len));
        while self.kept.iter().map(Kept::bytes).sum::<usize>() > room
            || self.kept.len() >= limits::METADATA_CACHED
        {
            self.kept.remove(0);
        }
        self.kept.push(Kept {
            info_hash,
            info,
            until,
        });
        true
    }

    /// A block of the dictionary that was asked for last. `None`: it cannot be had.
    fn block(&self, piece: u32) -> Option<&[u8]> {
        let info = self.kept.last()?.info.as_deref()?;
        let start = piece.checked_mul(BLOCK)? as usize;
        let end = info.len().min(start + BLOCK as usize);
        info.get(start..end).filter(|block| !block.is_empty())
    }

    fn sweep(&mut self, now: Time) {
        self.kept.retain(|kept| kept.until > now);
    }

    /// A dictionary, and how many bytes were read for it.
    fn load(&self, info_hash: InfoHash) -> (Option<Vec<u8>>, usize) {
        let own = || state::path(&self.state_dir, info_hash, "torrent");
        let path = self.elsewhere.get(&info_hash).cloned();
        let path = path.unwrap_or_else(own);
        let text = state::load(&path, limits::METAINFO_BYTES);
        let text = text.ok().flatten().unwrap_or_default();
        let root = bencode::decode(&text).ok();
        let root = root.as_ref().and_then(|(root, _)| root.dict());
        let info = root.and_then(|root| Some(root.get("info")?.dict()?.raw()));
        // The file may be another torrent's by now.
        let right = info.filter(|info| Sha1::digest(info)[..] == info_hash.0);
        (right.map(<[u8]>::to_vec), text.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of `.torrent` files, and what serves them.
    struct Folder {
        dir: PathBuf,
        files: MetadataFiles,
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.dir);
        }
    }

    impl Folder {
        fn new(name: &str) -> Folder {
            let name = format!("brooklet-metadata-{name}-{}", std::process::id());
            let dir = std::env::temp_dir().join(name);
            std::fs::create_dir_all(&dir).unwrap();
            let files = MetadataFiles::new(dir.clone());
            Folder { dir, files }
        }

        /// Puts a torrent there whose dictionary has a little more than so many bytes.
        fn put(&self, letter: &str, bytes: usize) -> (InfoHash, String) {
            let info = format!("d1:x{bytes}:{}e", letter.repeat(bytes));
            let info_hash = InfoHash(Sha1::digest(&info).into());
            let path = self.dir.join(format!("{info_hash}.torrent"));
            std::fs::write(path, format!("d4:info{info}1:zi1ee")).unwrap();
            (info_hash, info)
        }

        /// A block, if its file was read; `None`: it may not be read yet.
        fn block(&mut self, info_hash: InfoHash, piece: u32, now: Time) -> Option<Option<&[u8]>> {
            let kept = self.files.keep(info_hash, now);
            kept.then(|| self.files.block(piece))
        }

        fn names(&self) -> Vec<InfoHash> {
            self.files.kept.iter().map(|kept| kept.info_hash).collect()
        }
    }

    fn later(seconds: u64) -> Time {
        Time::default() + Duration::from_secs(seconds)
    }

    #[test]
    fn blocks_are_those_of_the_file_while_it_is_the_torrents() {
        let mut folder = Folder::new("blocks");
        let (info_hash, info) = folder.put("y", 20_000);
        let path = folder.dir.join("elsewhere");
        std::fs::rename(folder.dir.join(format!("{info_hash}.torrent")), &path).unwrap();
        let (now, end) = (later(0), later(0) + limits::METADATA_KEPT);
        assert_eq!(
            folder.block(info_hash, 0, now),
            Some(None),
            "nothing lies there"
        );
        folder.files.set(info_hash, path.clone());
        assert_eq!(folder.files.next_deadline(), Some(end));
        folder.files.sweep(end);
        let bytes = info.as_bytes();
        for (piece, block) in [
            (0, Some(&bytes[..16_384])),
            (1, Some(&bytes[16_384..])),
            (2, None),
            (u32::MAX, None),
        ] {
            assert_eq!(folder.block(info_hash, piece, end), Some(block));
        }
        // While it is kept, the file is not read.
        std::fs::write(&path, "d4:infod1:xi1eee").unwrap();
        assert!(folder.block(info_hash, 0, end).is_some());
        folder
            .files
            .sweep(end + (limits::METADATA_KEPT - Duration::from_millis(1)));
        assert!(folder.block(info_hash, 0, end).flatten().is_some());
        folder.files.sweep(end + limits::METADATA_KEPT);
        let another = folder.block(info_hash, 0, end + limits::METADATA_KEPT);
        assert_eq!(another, Some(None), "it is another's");
    }

    #[test]
    fn those_that_peers_ask_for_in_turn_are_kept_as_far_as_there_is_room() {
        let mut folder = Folder::new("turns");
        let bytes = limits::METADATA_CACHE / 2 - 100;
        let [a, b, c] = ["a", "b", "c"].map(|letter| folder.put(letter, bytes).0);
        folder.block(a, 0, later(0));
        folder.block(b, 0, later(10));
        for turn in 0..100 {
            let of = if turn % 2 == 0 { a } else { b };
            assert!(folder.block(of, turn, later(10)).flatten().is_some());
        }
        assert_eq!(folder.names(), [a, b]);
        folder.block(a, 0, later(10));
        // The third makes room by the one that was asked for longest ago.
        folder.block(c, 0, later(20));
        assert_eq!(folder.names(), [a, c]);
        // One that is longer than the bound is kept alone.
        let (long, _) = folder.put("l", limits::METADATA_CACHE + 1);
        assert!(folder.block(long, 0, later(30)).flatten().is_some());
        assert_eq!(folder.names(), [long]);
    }

    #[test]
    fn so_many_are_kept_and_so_much_is_read_a_second() {
        let mut folder = Folder::new("pace");
        let missing = |number: usize| InfoHash([number as u8; 20]);
        for number in 0..limits::METADATA_CACHED + 5 {
            assert_eq!(folder.block(missing(number), 0, later(0)), Some(None));
        }
        assert_eq!(folder.names().len(), limits::METADATA_CACHED);
        assert_eq!(folder.names()[0], missing(5));
        let second = limits::METADATA_READ as usize;
        let (long, _) = folder.put("l", second);
        let (short, _) = folder.put("s", 9);
        assert!(folder.block(long, 0, later(1)).is_some());
        assert!(folder.block(long, 1, later(1)).is_some());
        assert_eq!(folder.block(short, 0, later(2)), None, "not yet");
        assert!(folder.block(short, 0, later(3)).flatten().is_some());
    }
}
