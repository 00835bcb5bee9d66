//! The folders of content that do not answer: the server of their mount may be gone, or their disk
//! may sleep. What lies there waits, and keeps no thread and no memory from what lies elsewhere.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{self, Path, PathBuf};

use crate::base::limits;

/// The folders that threads wait for at a moment.
#[derive(Clone, Debug, Default)]
pub struct Silent {
    folders: Vec<PathBuf>,
    /// The mounts that these lie on, going by their names.
    on: Vec<PathBuf>,
    /// All mounts.
    mounts: Vec<PathBuf>,
    /// How often a disk had ceased to answer or answered again by that moment.
    pub turns: u64,
}

impl Silent {
    /// These do not answer.
    pub fn new(folders: Vec<PathBuf>, turns: u64) -> Silent {
        if folders.is_empty() {
            return Silent::by_table(b"", folders, turns);
        }
        // The system tells this without asking a disk.
        let table = std::fs::read("/proc/self/mountinfo");
        Silent::by_table(&table.unwrap_or_default(), folders, turns)
    }

    /// The same by the system's table of mounts.
    fn by_table(table: &[u8], folders: Vec<PathBuf>, turns: u64) -> Silent {
        let mut silent = Silent {
            mounts: mounts(table),
            turns,
            ..Silent::default()
        };
        let on = folders.iter().filter_map(|folder| silent.mount(folder));
        silent.on = on.map(Path::to_path_buf).collect();
        silent.folders = folders;
        silent
    }

    /// Becomes what is known `now`. Whether that is something else.
    pub fn follow(&mut self, now: &Silent) -> bool {
        let is_new = self.turns != now.turns;
        if is_new {
            self.clone_from(now);
        }
        is_new
    }

    /// Whether it is of no use to ask this folder now: it does not answer, or as many threads wait
    /// for its mount as may. A single folder may not answer for another reason, such as a link that
    /// leads to another mount.
    pub fn has(&self, folder: &Path) -> bool {
        if self.folders.iter().any(|it| it == folder) {
            return true;
        }
        if self.on.len() < limits::OPENERS_EACH {
            return false;
        }
        let mount = self.mount(folder);
        let beside = self.on.iter().filter(|it| Some(it.as_path()) == mount);
        beside.count() >= limits::OPENERS_EACH
    }

    fn mount(&self, folder: &Path) -> Option<&Path> {
        let folder = path::absolute(folder).ok()?;
        let around = self.mounts.iter().filter(|it| folder.starts_with(it));
        let mount = around.max_by_key(|it| it.as_os_str().len())?;
        Some(mount)
    }
}

/// Where file systems are mounted, by the table of the system.
fn mounts(table: &[u8]) -> Vec<PathBuf> {
    let lines = table.split(|&byte| byte == b'\n');
    let places = lines.filter_map(|line| line.split(|&byte| byte == b' ').nth(4));
    places.map(|it| unescaped(it).into()).collect()
}

/// A path of the table, which has `\NNN`, in octal digits, for spaces, tabs, line breaks and
/// backslashes.
fn unescaped(mut path: &[u8]) -> OsString {
    let mut bytes = Vec::with_capacity(path.len());
    while let [first, rest @ ..] = path {
        path = rest;
        match (first, rest) {
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', rest @ ..]) => {
                bytes.push(((a - b'0') << 6) | ((b - b'0') << 3) | (c - b'0'));
                path = rest;
            }
            _ => bytes.push(*first),
        }
    }
    OsString::from_vec(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_have_the_names_that_their_users_gave_them() {
        let table = "1 0 0:1 / /a\\040b\\011c\\012d\\134e\\9 rw - x x\n2 0 0:1 / /\u{e9} rw - x x";
        let table = table.as_bytes();
        let names = ["/a b\tc\nd\\e\\9", "/\u{e9}"];
        assert_eq!(mounts(table), names.map(PathBuf::from));
    }

    #[test]
    fn a_mount_whose_name_is_not_utf8_has_its_bound_and_hides_no_other() {
        let table = b"22 1 8:1 / / rw - ext4 /dev/sda rw\n36 22 0:32 / /mnt/caf\xe9 rw - x x\n\
                      37 22 0:33 / /mnt/b rw - x x\n";
        for mount in [&b"/mnt/caf\xe9"[..], b"/mnt/b"] {
            let below = |name: &str| {
                let path = [mount, b"/", name.as_bytes()].concat();
                PathBuf::from(OsString::from_vec(path))
            };
            let folders = (0..limits::OPENERS_EACH).map(|number| below(&number.to_string()));
            let silent = Silent::by_table(table, folders.collect(), 1);
            assert!(silent.has(&below("x")) && !silent.has(Path::new("/mnt/c/x")));
        }
    }

    #[test]
    fn a_few_folders_of_a_mount_are_asked_and_those_elsewhere_always() {
        let table = b"22 1 8:1 / / rw - ext4 /dev/sda rw\n\
                     36 22 0:32 / /mnt/my\\040disk rw shared:1 - nfs4 host:/ rw\n";
        let silent = |count: usize| {
            let folders = (0..count).map(|it| PathBuf::from(format!("/mnt/my disk/{it}")));
            Silent::by_table(table, folders.collect(), 1)
        };
        let few = silent(limits::OPENERS_EACH - 1);
        assert!(few.has(Path::new("/mnt/my disk/0")));
        assert!(!few.has(Path::new("/mnt/my disk/x")));
        let most = silent(limits::OPENERS_EACH);
        assert!(most.has(Path::new("/mnt/my disk/x")));
        assert!(most.has(Path::new("/mnt/my disk")));
        for elsewhere in ["/mnt/my", "/mnt/my disk2", "/", "relative"] {
            assert!(!most.has(Path::new(elsewhere)), "{elsewhere}");
        }
        assert!(!Silent::default().has(Path::new("/")));
        assert!(Silent::new(vec![PathBuf::from("/a")], 1).has(Path::new("/a")));
    }
}
