//! Which torrent of the process has which files: two that write to the same would spoil each
//! other's content.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::disk::threads::opening::Request;
use crate::base::{InfoHash, SortedSet};

/// What is taken.
#[derive(Debug, Default)]
pub struct Claims {
    torrents: SortedSet<InfoHash>,
    /// By the file or folder under which all content of a torrent lies: as bytes, since paths are
    /// compared name by name, which takes long.
    places: BTreeMap<Box<OsStr>, Claim>,
    /// The folder that was looked at last, and where it is without links on the way.
    last: Option<(PathBuf, PathBuf)>,
}

#[derive(Debug)]
struct Claim {
    info_hash: InfoHash,
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
    /// Why a torrent of this name is not run, as a line for the user. `way`: how the other one came
    /// first.
    pub fn words(&self, name: &str, way: &str) -> String {
        match self {
            Taken::Twice => format!("{name}: the same torrent is named twice"),
            Taken::By(other) if other.is_nested => {
                let other = &other.name;
                format!("{name}: its folder and that of {other} lie within each other")
            }
            Taken::By(other) => {
                let hash = if other.name == name {
                    format!(" ({})", other.info_hash)
                } else {
                    String::new()
                };
                let other = &other.name;
                format!("{name}: its files are those of {other}{hash}, which {way} first")
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
        let place = self.place(&request.dir.join(&metainfo.name));
        let writes = request.download;
        if let Some((other, claim)) = self.overlapping(&place, writes) {
            return Err(Taken::By(Holder {
                info_hash: claim.info_hash,
                // A torrent's content bears its name.
                name: Path::new(other)
                    .file_name()
                    .unwrap_or(other)
                    .to_string_lossy()
                    .into_owned(),
                is_nested: other != place.as_os_str(),
            }));
        }
        let info_hash = metainfo.info_hash;
        let place = place.into_os_string().into_boxed_os_str();
        let claim = Claim { info_hash, writes };
        self.places.entry(place).or_insert(claim);
        Ok(())
    }

    /// Folders are looked at anew from now on: many torrents were taken whose folder is mostly the
    /// same.
    pub fn look_again(&mut self) {
        self.last = None;
    }

    /// The path by which a place is known: see [`place`].
    fn place(&mut self, path: &Path) -> PathBuf {
        let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
            return place(path);
        };
        if let Some((_, real)) = self.last.as_ref().filter(|(last, _)| last == dir) {
            return real.join(name);
        }
        let found = place(path);
        // A folder that is not there yet may turn out to be a link.
        if dir.is_dir() {
            let real = found.parent().unwrap_or(dir);
            self.last = Some((dir.to_path_buf(), real.to_path_buf()));
        }
        found
    }

    /// A torrent whose content lies at this path, in it or around it.
    pub fn holder(&self, path: &Path) -> Option<InfoHash> {
        let (_, claim) = self.overlapping(&place(path), true)?;
        Some(claim.info_hash)
    }

    /// What is claimed at this place, around it or in it; with `writes` also places that are only
    /// read.
    fn overlapping(&self, place: &Path, writes: bool) -> Option<(&OsStr, &Claim)> {
        let around = place
            .ancestors()
            .filter_map(|outer| self.places.get_key_value(outer.as_os_str()));
        let mut folder = place.as_os_str().to_owned();
        folder.push("/");
        let prefix = folder.as_bytes().to_vec();
        let inside = self.places.range(folder.into_boxed_os_str()..);
        let inside = inside.take_while(|(inner, _)| inner.as_bytes().starts_with(&prefix));
        let mut found = around.chain(inside);
        let found = found.find(|(_, claim)| writes || claim.writes);
        found.map(|(place, claim)| (&**place, claim))
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
                writes,
            };
            claims.places.insert(OsStr::new(at).into(), claim);
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
