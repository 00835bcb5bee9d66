//! The content of a `.torrent` to be made: the files under a path, and their hashes.
//!
//! As with mktorrent, symbolic links are followed, to files and to folders, and a broken one is an
//! error; named pipes, sockets and devices are left out. Where content is read to be sent no link
//! is followed, so those that are here are named.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::fs::{Access, access};

use super::disk_error::{DiskError, Why};
use super::hash;
use crate::base::{Geometry, PieceHash, limits, sorted_by};
use crate::storage::{Layout, Pattern, create};
use crate::wire::FileEntry;

/// What lies under a path.
#[derive(Debug)]
pub struct Source {
    /// The name it has there, which will be the torrent's.
    pub name: String,
    /// Its files, in the torrent's order.
    pub files: Vec<FileEntry>,
    /// Whether it is one file, not a folder.
    pub single: bool,
    /// What is neither file nor folder, and was left out.
    pub skipped: Vec<PathBuf>,
    /// The symbolic links that lead to any of it.
    pub links: Vec<PathBuf>,
    /// Files that are the output itself, and were left out.
    pub own: Vec<PathBuf>,
    dir: PathBuf,
}

/// What is left out of a torrent.
#[derive(Debug)]
pub struct Omit {
    /// Files and folders that any of these patterns means.
    exclude: Vec<[Pattern; 2]>,
    /// Whether each pattern has meant something.
    used: Vec<bool>,
    /// Device and inode of the file that the torrent will be written to, if it exists.
    output: Option<(u64, u64)>,
}

impl Omit {
    /// Leaves out what these globs mean, and the file at `output`.
    pub fn new(exclude: &[String], output: Option<&Path>) -> Omit {
        let metadata = output.and_then(|output| fs::metadata(output).ok());
        Omit {
            exclude: exclude.iter().map(|text| patterns(text)).collect(),
            used: vec![false; exclude.len()],
            output: metadata.filter(Metadata::is_file).as_ref().map(id),
        }
    }

    /// Places of the patterns that have meant nothing so far.
    pub fn idle(&self) -> impl Iterator<Item = usize> {
        let used = self.used.iter().enumerate();
        used.filter(|(_, used)| !**used).map(|(place, _)| place)
    }

    fn excludes(&mut self, path: &str) -> bool {
        let mut out = false;
        for (patterns, used) in self.exclude.iter().zip(&mut self.used) {
            let means = patterns.iter().any(|pattern| pattern.means(path));
            *used |= means;
            out |= means;
        }
        out
    }
}

impl Source {
    /// The name that a torrent of what lies at `path` has.
    ///
    /// # Errors
    /// Nothing is there, or its name is none that a torrent can hold.
    pub fn name(path: &Path) -> Result<String, DiskError> {
        look(path)?;
        name_of(&named(path)?)
    }

    /// Looks at everything under `path`, but for what is left out.
    ///
    /// # Errors
    /// Something cannot be looked at or read, or has a name that a torrent cannot hold.
    pub fn find(path: &Path, omit: &mut Omit) -> Result<Source, DiskError> {
        let metadata = look(path)?;
        let named = named(path)?;
        let name = name_of(&named)?;
        let dir = named.parent().unwrap_or(Path::new("")).to_path_buf();
        let mut source = Source {
            name: name.clone(),
            files: Vec::new(),
            single: metadata.is_file(),
            skipped: Vec::new(),
            links: Vec::new(),
            own: Vec::new(),
            dir,
        };
        let own = source.dir.join(&name);
        if fs::symlink_metadata(&own).is_ok_and(|found| found.is_symlink()) {
            source.links.push(own);
        }
        source.add(&named, name, &metadata, &mut Walk::new(omit))?;
        source.files = create::sorted(source.files);
        source.links = sorted_by(source.links, Ord::cmp);
        Ok(source)
    }

    /// Bytes in all.
    pub fn size(&self) -> u64 {
        self.files
            .iter()
            .fold(0, |sum, file| sum.saturating_add(file.length))
    }

    /// Hashes all of it on all cores. `tick` is told now and then how many bytes are done.
    ///
    /// # Errors
    /// The first file that could not be read, or became shorter.
    pub fn hash(
        &self,
        geometry: Geometry,
        tick: impl FnMut(u64),
    ) -> Result<Vec<PieceHash>, DiskError> {
        let layout = Layout::new(&self.files, geometry);
        let failed = OnceLock::new();
        let reader = || {
            let mut open = None;
            let (layout, failed) = (&layout, &failed);
            move |offset, buffer: &mut [u8]| {
                failed.get().is_none()
                    && self
                        .read(layout, &mut open, offset, buffer)
                        .map_err(|error| failed.set(error))
                        .is_ok()
            }
        };
        let hashes: Option<Vec<PieceHash>> =
            hash::pieces(geometry, reader, tick).into_iter().collect();
        let lost = || {
            DiskError::new(
                self.dir.join(&self.name),
                Why::Other(String::from("not read to its end")),
            )
        };
        hashes.ok_or_else(|| failed.into_inner().unwrap_or_else(lost))
    }

    fn add(
        &mut self,
        place: &Path,
        path: String,
        metadata: &Metadata,
        walk: &mut Walk<'_>,
    ) -> Result<(), DiskError> {
        let refuse = |why: &str| Err(DiskError::new(place, Why::Other(String::from(why))));
        if metadata.is_file() {
            if self.files.len() == limits::FILES {
                return refuse("there are too many files for a torrent");
            }
            if walk.omit.output == Some(id(metadata)) {
                self.own.push(place.to_path_buf());
                return Ok(());
            }
            // Hashing may take an hour before it comes to this file.
            access(place, Access::READ_OK).map_err(|errno| DiskError::new(place, errno))?;
            self.files.push(create::file(path.into(), metadata.len()));
            return Ok(());
        }
        if !metadata.is_dir() {
            self.skipped.push(place.to_path_buf());
            return Ok(());
        }
        if walk.above.contains(&id(metadata)) {
            return refuse("this link leads back to a folder that it lies in");
        }
        walk.above.push(id(metadata));
        let entries = fs::read_dir(place).map_err(|error| DiskError::new(place, error))?;
        for entry in entries {
            let entry = entry.map_err(|error| DiskError::new(place, error))?;
            let below = entry.path();
            let lossy = format!("{path}/{}", entry.file_name().to_string_lossy());
            if walk.omit.excludes(&lossy) {
                continue;
            }
            if entry.file_type().is_ok_and(|kind| kind.is_symlink()) {
                self.links.push(below.clone());
            }
            let metadata = look(&below)?;
            let path = format!("{path}/{}", name_of(&below)?);
            self.add(&below, path, &metadata, walk)?;
        }
        walk.above.pop();
        Ok(())
    }

    fn read(
        &self,
        layout: &Layout,
        open: &mut Option<(usize, File)>,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<(), DiskError> {
        for span in layout.spans(offset, buffer.len()) {
            let path = || self.dir.join(&*self.files[span.file].path);
            let file = match open {
                Some((file, open)) if *file == span.file => open,
                _ => {
                    let opened =
                        File::open(path()).map_err(|error| DiskError::new(path(), error))?;
                    &mut open.insert((span.file, opened)).1
                }
            };
            let part = &mut buffer[span.at..span.at + span.len];
            file.read_exact_at(part, span.offset)
                .map_err(|error| DiskError::new(path(), error))?;
        }
        Ok(())
    }
}

/// What lies at a path, where a symbolic link leads.
fn look(path: &Path) -> Result<Metadata, DiskError> {
    fs::metadata(path).map_err(|error| {
        let missing = error.kind() == io::ErrorKind::NotFound;
        let link = fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink());
        if missing && link {
            let target = fs::read_link(path).unwrap_or_default();
            let target = target.display();
            let why = format!("a dangling symbolic link: there is no {target}");
            return DiskError::new(path, Why::Other(why));
        }
        DiskError::new(path, error)
    })
}

/// What a glob may mean: brackets may be letters of a name. A `/` at its end only says that it is
/// meant for folders.
fn patterns(text: &str) -> [Pattern; 2] {
    let text = text.trim_end_matches('/');
    [true, false].map(|sets| Pattern::new(text, sets))
}

/// A walk through folders.
struct Walk<'a> {
    omit: &'a mut Omit,
    /// Device and inode of each folder that we are in.
    above: Vec<(u64, u64)>,
}

impl Walk<'_> {
    fn new(omit: &mut Omit) -> Walk<'_> {
        let above = Vec::new();
        Walk { omit, above }
    }
}

/// The path with a name at its end: `.` and the like have none of their own.
fn named(path: &Path) -> Result<PathBuf, DiskError> {
    match path.file_name() {
        Some(_) => Ok(path.to_path_buf()),
        None => fs::canonicalize(path).map_err(|error| DiskError::new(path, error)),
    }
}

fn id(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

fn name_of(path: &Path) -> Result<String, DiskError> {
    let refuse = |why: &str| DiskError::new(path, Why::Other(String::from(why)));
    let name = path.file_name().ok_or_else(|| refuse("it has no name"))?;
    let name = name
        .to_str()
        .ok_or_else(|| refuse("its name is not UTF-8, and a torrent's must be"))?;
    Ok(String::from(name))
}
