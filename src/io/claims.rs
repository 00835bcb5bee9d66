//! Which torrent of the process has which files: two that write to the same would spoil each
//! other's content.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::base::{InfoHash, SortedSet};

/// What is taken.
#[derive(Debug, Default)]
pub struct Claims {
    torrents: SortedSet<InfoHash>,
    /// By the file or folder under which all content of a torrent lies: as bytes, since paths are
    /// compared name by name, which takes long.
    places: BTreeMap<Box<OsStr>, Claim>,
    /// No place that was taken has a path shorter than this.
    shortest: Option<usize>,
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
    /// Takes the files of one more torrent. `place`: where its content lies, without links on the
    /// way, as [`real`](super::disk::threads::finding::real) says; `None`: only a link is known.
    /// `writes`: it is downloaded.
    ///
    /// # Errors
    /// They are taken.
    pub fn take(
        &mut self,
        info_hash: InfoHash,
        place: Option<PathBuf>,
        writes: bool,
    ) -> Result<(), Taken> {
        if self.torrents.contains(&info_hash) {
            return Err(Taken::Twice);
        }
        if let Some(place) = place {
            self.take_place(info_hash, place, writes)?;
        }
        self.torrents.insert(info_hash);
        Ok(())
    }

    /// Takes the files of a torrent that has become known.
    ///
    /// # Errors
    /// Another torrent has them.
    pub fn take_place(
        &mut self,
        info_hash: InfoHash,
        place: PathBuf,
        writes: bool,
    ) -> Result<(), Taken> {
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
        // A copy, since the thread that found the place has its memory for what it opens next.
        let place: Box<OsStr> = place.as_os_str().into();
        let length = place.len();
        self.shortest = Some(self.shortest.map_or(length, |it| it.min(length)));
        let claim = Claim { info_hash, writes };
        self.places.entry(place).or_insert(claim);
        Ok(())
    }

    /// A torrent whose content lies at this place, in it or around it.
    pub fn holder(&self, place: &Path) -> Option<InfoHash> {
        let (_, claim) = self.overlapping(place, true)?;
        Some(claim.info_hash)
    }

    /// What is claimed at this place, around it or in it; with `writes` also places that are only
    /// read.
    fn overlapping(&self, place: &Path, writes: bool) -> Option<(&OsStr, &Claim)> {
        let around = place
            .ancestors()
            .take_while(|outer| Some(outer.as_os_str().len()) >= self.shortest)
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
