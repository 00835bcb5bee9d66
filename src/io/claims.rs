//! Which torrent of the process has which files: two that write to the same would spoil each
//! other's content.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::disk::opening::Request;
use crate::base::id::InfoHash;

/// What is taken.
#[derive(Debug, Default)]
pub struct Claims {
    torrents: BTreeSet<InfoHash>,
    /// By the file or folder under which all content of a torrent lies.
    places: BTreeMap<PathBuf, Claim>,
}

#[derive(Debug)]
struct Claim {
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
        // A folder that is not there yet is nobody else's.
        let dir = request.dir.canonicalize();
        let dir = dir.unwrap_or_else(|_| request.dir.clone());
        let place = dir.join(&metainfo.name);
        let writes = request.download;
        if let Some(claim) = self
            .places
            .get(&place)
            .filter(|claim| writes || claim.writes)
        {
            return Err(Taken::Files(claim.name.clone()));
        }
        let name = metainfo.name.clone();
        self.places.entry(place).or_insert(Claim { name, writes });
        self.torrents.insert(metainfo.info_hash);
        Ok(())
    }
}
