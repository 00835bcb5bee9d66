//! Content made up from a seed: the same seed gives the same bytes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The files of a torrent, held in memory.
#[derive(Clone, Debug)]
pub struct Content {
    /// Name of the torrent: of its folder, or of its only file.
    pub name: String,
    /// Paths below the name, in order, with their bytes. A content of one file has one with an
    /// empty path.
    pub files: Vec<(String, Vec<u8>)>,
}

/// Bytes that do not repeat and do not compress (xorshift).
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

impl Content {
    /// One file.
    pub fn file(seed: u64, name: &str, len: usize) -> Content {
        Content {
            name: name.into(),
            files: vec![(String::new(), noise(seed, len))],
        }
    }

    /// A folder of files with these lengths.
    pub fn folder(seed: u64, name: &str, files: &[(&str, usize)]) -> Content {
        let seeds = seed * 1000..;
        let files = files
            .iter()
            .zip(seeds)
            .map(|(&(path, len), seed)| (path.to_string(), noise(seed, len)))
            .collect();
        Content {
            name: name.into(),
            files,
        }
    }

    /// Six files of awkward sizes and names: empty, one byte, one byte over a block, with
    /// everything in its name, deep down, and exactly one piece long.
    pub fn awkward(seed: u64, piece_length: usize) -> Content {
        let files = [
            ("empty", 0),
            ("one", 1),
            ("block and a byte", 16 * 1024 + 1),
            // Transmission puts underscores in place of what Windows does not allow (`"`, `?`, `:`
            // and others).
            ("-rf 'quo`te' $HOME & ünï 文字 #1 %41;.txt", 70_000),
            ("a/b/c/d/e/f/deep", 1_234_567),
            ("one piece", piece_length),
        ];
        Content::folder(seed, "awkward names -- és", &files)
    }

    /// Bytes in all.
    pub fn len(&self) -> usize {
        self.files.iter().map(|(_, bytes)| bytes.len()).sum()
    }

    /// All files one after the other, as pieces are cut from them.
    pub fn bytes(&self) -> Vec<u8> {
        self.files
            .iter()
            .flat_map(|(_, bytes)| bytes.iter().copied())
            .collect()
    }

    /// Writes everything below a folder, as BEP 3 lays it out.
    pub fn write(&self, folder: &Path) {
        for (path, bytes) in &self.files {
            let path = self.place(folder, path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }

    /// The same without its empty files.
    pub fn without_empty(&self) -> Content {
        let mut content = self.clone();
        content.files.retain(|(_, bytes)| !bytes.is_empty());
        content
    }

    /// Panics unless exactly these files lie below the folder under the torrent's name, byte for
    /// byte.
    pub fn assert_in(&self, folder: &Path) {
        for (path, bytes) in &self.files {
            let path = self.place(folder, path);
            let found = fs::read(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
            let end = bytes.len().min(found.len());
            let differs = (0..end).find(|&at| bytes[at] != found[at]);
            assert_eq!(differs, None, "{}: first wrong byte", path.display());
            assert_eq!(found.len(), bytes.len(), "{}: length", path.display());
        }
        let mut found = BTreeMap::new();
        list(&folder.join(&self.name), "", &mut found);
        let wanted: BTreeMap<String, u64> = self
            .files
            .iter()
            .map(|(path, bytes)| (path.clone(), bytes.len() as u64))
            .collect();
        assert_eq!(found, wanted, "files below {}", folder.display());
    }

    fn place(&self, folder: &Path, path: &str) -> std::path::PathBuf {
        match path {
            "" => folder.join(&self.name),
            path => folder.join(&self.name).join(path),
        }
    }
}

fn list(path: &Path, name: &str, found: &mut BTreeMap<String, u64>) {
    if !path.is_dir() {
        found.insert(name.into(), path.metadata().unwrap().len());
        return;
    }
    for entry in fs::read_dir(path).unwrap() {
        let entry = entry.unwrap();
        let child = entry.file_name().into_string().unwrap();
        let name = match name {
            "" => child,
            _ => format!("{name}/{child}"),
        };
        list(&entry.path(), &name, found);
    }
}
