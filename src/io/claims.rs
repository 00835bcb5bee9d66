//! Which torrent of the process has which files: two that write to the same would spoil each
//! other's content.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::disk::threads::opening::Request;
use crate::base::{InfoHash, SortedSet};

/// What is taken.
#[derive(Debug, Default)]
pub struct Claims {
    torrents: SortedSet<InfoHash>,
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
    /// Another one has what it needs, and one of the two writes there.
    By(Holder),
}

/// A torrent that has what another one needs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Holder {
    /// Its info hash.
    pub info_hash: InfoHash,
    /// Its name.
    pub name: String,
    /// Its files are not the same: one of the two lies in the folder of the other.
    pub is_nested: bool,
}

impl Taken {
    /// Why a torrent of this name is not run, as a line for the user.
    pub fn words(&self, name: &str) -> String {
        match self {
            Taken::Twice => format!("{name}: the same torrent is named twice"),
            Taken::By(other) if other.is_nested => {
                let other = &other.name;
                format!("{name}: its folder and that of {other} lie within each other")
            }
            Taken::By(other) => {
                let other = &other.name;
                format!("{name}: its files are those of {other}, which is named first")
            }
        }
    }
}

impl Claims {
    /// Takes the files of one more torrent; that of a link takes none until they are known.
    ///
    /// # Errors
    /// They are taken.
    pub fn take(&mut self, request: &Request) -> Result<(), Taken> {
        let metainfo = &request.metainfo;
        if self.torrents.contains(&metainfo.info_hash) {
            return Err(Taken::Twice);
        }
        if !metainfo.files.is_empty() {
            self.take_place(request)?;
        }
        self.torrents.insert(metainfo.info_hash);
        Ok(())
    }

    /// Takes the files of a torrent that has become known.
    ///
    /// # Errors
    /// Another torrent has them.
    pub fn take_place(&mut self, request: &Request) -> Result<(), Taken> {
        let metainfo = &request.metainfo;
        let place = place(&request.dir.join(&metainfo.name));
        let writes = request.download;
        if let Some((other, claim)) = self.overlapping(&place, writes) {
            return Err(Taken::By(Holder {
                info_hash: claim.info_hash,
                name: claim.name.clone(),
                is_nested: *other != place,
            }));
        }
        let name = metainfo.name.clone();
        let info_hash = metainfo.info_hash;
        self.places.entry(place).or_insert_with(|| Claim {
            info_hash,
            name,
            writes,
        });
        Ok(())
    }

    /// A torrent whose content lies at this path, in it or around it.
    pub fn holder(&self, path: &Path) -> Option<InfoHash> {
        let (_, claim) = self.overlapping(&place(path), true)?;
        Some(claim.info_hash)
    }

    /// What is claimed at this place, around it or in it; with `writes` also places that are only
    /// read.
    fn overlapping(&self, place: &Path, writes: bool) -> Option<(&PathBuf, &Claim)> {
        let around = place
            .ancestors()
            .filter_map(|outer| self.places.get_key_value(outer));
        // What lies in a folder comes behind it in the order of paths.
        let inside = self.places.range(place.to_path_buf()..);
        let inside = inside.take_while(|(inner, _)| inner.starts_with(place));
        let mut found = around.chain(inside);
        found.find(|(_, claim)| writes || claim.writes)
    }

    /// A torrent is gone: its files may be another's.
    pub fn release(&mut self, info_hash: &InfoHash) {
        self.torrents.remove(info_hash);
        self.places.retain(|_, claim| claim.info_hash != *info_hash);
    }
}

/// The path by which a place is known, whatever way leads there.
fn place(path: &Path) -> PathBuf {
    // A folder that is not there yet has no other torrent in it.
    let dir = path.parent().and_then(|dir| dir.canonicalize().ok());
    match (dir, path.file_name()) {
        (Some(dir), Some(name)) => dir.join(name),
        _ => path.to_path_buf(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(places: &[(&str, bool)]) -> Claims {
        let mut claims = Claims::default();
        for (number, &(at, writes)) in places.iter().enumerate() {
            let claim = Claim {
                info_hash: InfoHash([number as u8; 20]),
                name: String::from(at),
                writes,
            };
            claims.places.insert(PathBuf::from(at), claim);
        }
        claims
    }

    #[test]
    fn a_place_is_taken_by_what_lies_at_it_around_it_or_in_it() {
        let claims = claims(&[("/d/a", true), ("/d/b/c/d", false), ("/d/ab", true)]);
        let found = |at: &str, writes| {
            let found = claims.overlapping(Path::new(at), writes);
            found.map(|(place, _)| place.to_str().unwrap())
        };
        for (at, writes, taken) in [
            ("/d/a", true, Some("/d/a")),
            ("/d/a/x/y", true, Some("/d/a")),
            ("/d/a.b", true, None),
            ("/d/a b", true, None),
            ("/d/b", true, Some("/d/b/c/d")),
            ("/d/b/c", false, None),
            ("/d/b/c/d/e", true, Some("/d/b/c/d")),
            ("/d/c", true, None),
            ("/d", true, Some("/d/a")),
            ("/d", false, Some("/d/a")),
        ] {
            assert_eq!(found(at, writes), taken, "{at}");
        }
    }
}
