//! What proves that a file is the one that we wrote, even if its length and time have changed.
//!
//! A file's number (inode) is given to another file once it is deleted, often to the next one that
//! is made. Together with the moment at which it was made, which no program can set, it stands for
//! one file alone, under whatever name. Not every file system keeps that moment.

use std::num::NonZeroU64;

/// Bytes for each file: inode, seconds, nanoseconds.
const BIRTH: usize = 20;

/// Which file it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Birth {
    /// Its number on its file system.
    pub inode: NonZeroU64,
    /// When it was made: seconds since 1970.
    pub seconds: i64,
    /// When it was made: nanoseconds within the second.
    pub nanos: u32,
}

/// Where the files of a torrent lie, and which they are.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Owned {
    /// The path of the folder that they lie in, without links on its way; `None` in resume data
    /// that were written before this was recorded, and where it cannot be told.
    pub folder: Option<Vec<u8>>,
    /// Each file, by its number in the torrent; `None` where that is not known.
    births: Vec<Option<Birth>>,
}

impl Owned {
    /// Nothing is known of this many files.
    pub fn new(files: usize) -> Owned {
        Owned {
            folder: None,
            births: vec![None; files],
        }
    }

    /// Which file this is; `None`: that is not known.
    pub fn birth(&self, file: usize) -> Option<Birth> {
        self.births.get(file).copied().flatten()
    }

    /// The files of which it is known which they are.
    pub fn known(&self) -> impl Iterator<Item = (usize, Birth)> + '_ {
        let births = self.births.iter().enumerate();
        births.filter_map(|(file, birth)| Some((file, (*birth)?)))
    }

    /// Notes which file this is.
    pub fn set(&mut self, file: usize, birth: Option<Birth>) {
        if let Some(known) = self.births.get_mut(file) {
            *known = birth;
        }
    }

    /// The files as resume data record them: nothing where nothing is known.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.births.iter().flat_map(|it| birth_bytes(*it)).collect()
    }

    /// What resume data recorded of this many files; `None` if it is damaged.
    pub fn from_bytes(folder: Option<&[u8]>, births: Option<&[u8]>, files: usize) -> Option<Owned> {
        let births = births.unwrap_or_default();
        let fits = births.is_empty() || births.len() == files.checked_mul(BIRTH)?;
        fits.then(|| Owned {
            folder: folder.map(<[u8]>::to_vec),
            births: births.chunks_exact(BIRTH).map(birth).collect(),
        })
    }

    /// Bytes that a folder and this many files have at most in resume data.
    pub fn most_bytes(files: usize) -> usize {
        FOLDER + files * BIRTH
    }
}

/// Bytes of the longest path of a folder that the system has (PATH_MAX of Linux).
const FOLDER: usize = 4096;

fn birth_bytes(birth: Option<Birth>) -> [u8; BIRTH] {
    let mut bytes = [0; BIRTH];
    if let Some(birth) = birth {
        bytes[..8].copy_from_slice(&birth.inode.get().to_be_bytes());
        bytes[8..16].copy_from_slice(&birth.seconds.to_be_bytes());
        bytes[16..].copy_from_slice(&birth.nanos.to_be_bytes());
    }
    bytes
}

fn birth(bytes: &[u8]) -> Option<Birth> {
    let (inode, time) = bytes.split_first_chunk()?;
    let (seconds, nanos) = time.split_first_chunk()?;
    Some(Birth {
        inode: NonZeroU64::new(u64::from_be_bytes(*inode))?,
        seconds: i64::from_be_bytes(*seconds),
        nanos: u32::from_be_bytes(*nanos.first_chunk()?),
    })
}
