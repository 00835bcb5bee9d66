//! Which torrent of the process has which files: two that write to the same would spoil each
//! other's content.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::disk::opening::Request;
use crate::base::InfoHash;

/// What is taken.
#[derive(Debug, Default)]
pub struct Claims {
    torrents: BTreeSet<InfoHash>,
    /// By the file or folder under which all content of a torrent lies.
    places: BTreeMap<PathBuf, Claim>,
}

#[derive(Debug)]
struct Claim {
    info_hash: InfoHash,
    name: String,
    writes: bool,
}

/// Why a torrent cannot be run beside the others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Taken {
    /// It is among them.
    Twice,
    /// Its files are those of the torrent with this name, and one of the two writes to them.
    Files(String),
}

impl Claims {
    /// Takes the files of one more torrent.
    ///
    /// # Errors
    /// They are taken.
    pub fn take(&mut self, request: &Request) -> Result<(), Taken> {
        let metainfo = &request.metainfo;
        if self.torrents.contains(&metainfo.info_hash) {
            return Err(Taken::Twice);
        }
        let place = place(&request.dir.join(&metainfo.name));
        let writes = request.download;
        if let Some(claim) = self
            .places
            .get(&place)
            .filter(|claim| writes || claim.writes)
        {
            return Err(Taken::Files(claim.name.clone()));
        }
        let name = metainfo.name.clone();
        let info_hash = metainfo.info_hash;
        self.places.entry(place).or_insert(Claim {
            info_hash,
            name,
            writes,
        });
        self.torrents.insert(info_hash);
        Ok(())
    }

    /// The torrent whose content lies at this path.
    pub fn holder(&self, path: &Path) -> Option<InfoHash> {
        self.places.get(&place(path)).map(|claim| claim.info_hash)
    }

    /// A torrent is gone: its files may be another's.
    pub fn release(&mut self, info_hash: &InfoHash) {
        self.torrents.remove(info_hash);
        self.places.retain(|_, claim| claim.info_hash != *info_hash);
    }
}

/// The path by which a place is known, whatever way leads there.
fn place(path: &Path) -> PathBuf {
    // A folder that is not there yet is nobody else's.
    let dir = path.parent().and_then(|dir| dir.canonicalize().ok());
    match (dir, path.file_name()) {
        (Some(dir), Some(name)) => dir.join(name),
        _ => path.to_path_buf(),
    }
}
