//! Handles of content files, and of the folders on their way: one pool for the whole process,
//! however many torrents there are. When there are too many, the one that was used least recently
//! is closed; one that is in use then lasts until that use is over.
//!
//! The threads that read, write and sync share a pool. It is locked only to look a handle up, never
//! while a disk is asked for anything.

use std::fs::File;
use std::ops::Deref;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use rustix::process::Resource;

use super::stat::Identity;
use crate::base::{SortedMap, limits};

/// The two users of handles: each has files and a folder of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The event loop, which reads.
    Reader,
    /// The half that writes.
    Writer,
    /// The helper threads.
    Helper,
}

/// What a handle of one torrent leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HandleKey {
    /// The folder that everything lies in.
    Root,
    /// The folder that was visited last.
    Folder(Side),
    /// A file, by its number, opened to be read or to be written.
    File(usize, Side),
}

/// A file or folder that is open.
#[derive(Debug)]
pub struct Handle {
    file: File,
    /// The names that lead to a folder.
    names: Box<str>,
    /// When its name was known to lead to it last.
    named: Mutex<Instant>,
}

impl Handle {
    /// The names that lead to a folder from the root.
    pub fn names(&self) -> &str {
        &self.names
    }

    /// Whether its name was known to lead to it within this time.
    pub fn was_named_within(&self, time: Duration) -> bool {
        lock(&self.named).elapsed() < time
    }

    /// Notes that its name leads to it.
    pub fn on_named(&self) {
        *lock(&self.named) = Instant::now();
    }
}

impl Deref for Handle {
    type Target = File;

    fn deref(&self) -> &File {
        &self.file
    }
}

/// The handles of all torrents.
#[derive(Clone, Debug)]
pub struct Pool {
    open: Arc<Mutex<Open>>,
}

#[derive(Debug)]
struct Open {
    /// Each with the time of its last use, counted in uses.
    handles: SortedMap<(u64, HandleKey), (u64, Arc<Handle>)>,
    uses: u64,
    /// Torrents that had a share so far.
    shares: u64,
    most: usize,
    /// The folder that a torrent's content was found in last: most torrents lie in one.
    root: Option<Root>,
}

/// A folder of content, as long as a torrent has it open.
#[derive(Debug)]
struct Root {
    dir: Box<Path>,
    identity: Identity,
    handle: Weak<Handle>,
}

impl Pool {
    /// At most `most` handles.
    pub fn new(most: usize) -> Pool {
        let open = Open {
            handles: SortedMap::new(),
            uses: 0,
            shares: 0,
            most: most.max(1),
            root: None,
        };
        Pool {
            open: Arc::new(Mutex::new(open)),
        }
    }

    /// A quarter of what the process may open, and no more than [`limits::OPEN_FILES`]: the rest is
    /// for sockets, which matter more.
    pub fn for_process() -> Pool {
        let most = rustix::process::getrlimit(Resource::Nofile).current;
        let share = usize::try_from(most.unwrap_or(u64::MAX) / 4).unwrap_or(usize::MAX);
        Pool::new(share.min(limits::OPEN_FILES))
    }

    /// The handles of one torrent. They are closed when the share is dropped.
    pub fn share(&self) -> Share {
        let mut open = lock(&self.open);
        open.shares += 1;
        Share {
            pool: self.clone(),
            number: open.shares,
        }
    }

    /// Handles that are open.
    pub fn len(&self) -> usize {
        lock(&self.open).handles.len()
    }

    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The handles of one torrent.
#[derive(Debug)]
pub struct Share {
    pool: Pool,
    number: u64,
}

impl Share {
    /// A handle that is open. It counts as used.
    pub fn get(&self, key: HandleKey) -> Option<Arc<Handle>> {
        let mut open = lock(&self.pool.open);
        open.uses += 1;
        let now = open.uses;
        let (used, handle) = open.handles.get_mut(&(self.number, key))?;
        *used = now;
        Some(Arc::clone(handle))
    }

    /// Uses the handle that another torrent has of `dir`, if `dir` still leads to that folder
    /// (`identity`).
    pub fn join(&self, dir: &Path, identity: Identity) {
        let open = lock(&self.pool.open);
        let root = open.root.as_ref();
        let root = root.filter(|root| root.identity == identity && *root.dir == *dir);
        let handle = root.and_then(|root| root.handle.upgrade());
        drop(open);
        if let Some(handle) = handle {
            self.insert(HandleKey::Root, handle);
        }
    }

    /// Keeps the folder of the content, which was opened.
    pub fn keep_root(&self, dir: &Path, identity: Identity, file: File) -> Arc<Handle> {
        let handle = self.keep(HandleKey::Root, "", file);
        lock(&self.pool.open).root = Some(Root {
            dir: dir.into(),
            identity,
            handle: Arc::downgrade(&handle),
        });
        handle
    }

    /// Closes a handle of any torrent if the maximum is reached, so that one can be opened.
    pub fn make_room(&self) {
        let mut open = lock(&self.pool.open);
        let mut closed = Vec::new();
        while open.handles.len() >= open.most {
            let used = |(key, (used, _)): (&(u64, HandleKey), &(u64, Arc<Handle>))| (*used, *key);
            let Some((_, oldest)) = open.handles.iter().map(used).min() else {
                break;
            };
            closed.extend(open.handles.remove(&oldest));
        }
        // To close a file may take as long as a disk likes.
        drop(open);
    }

    /// Keeps a handle that was opened. `names`: where a folder lies.
    pub fn keep(&self, key: HandleKey, names: &str, file: File) -> Arc<Handle> {
        let handle = Arc::new(Handle {
            file,
            names: names.into(),
            named: Mutex::new(Instant::now()),
        });
        self.insert(key, Arc::clone(&handle));
        handle
    }

    fn insert(&self, key: HandleKey, handle: Arc<Handle>) {
        self.make_room();
        let mut open = lock(&self.pool.open);
        open.uses += 1;
        let entry = (open.uses, handle);
        let before = open.handles.insert((self.number, key), entry);
        // To close a file may take as long as a disk likes.
        drop(open);
        drop(before);
    }

    /// Closes all of them; what is used again is opened again.
    pub fn close(&self) {
        let mut open = lock(&self.pool.open);
        let ours = (self.number, HandleKey::Root)..(self.number + 1, HandleKey::Root);
        let closed = open.handles.take_range(ours);
        drop(open);
        drop(closed);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.close();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> File {
        File::open("/dev/null").unwrap()
    }

    #[test]
    fn the_handle_that_was_used_least_recently_is_closed() {
        let pool = Pool::new(3);
        let (one, other) = (pool.share(), pool.share());
        let file = |number| HandleKey::File(number, Side::Reader);
        one.keep(file(0), "", open());
        other.keep(file(0), "", open());
        one.keep(HandleKey::File(0, Side::Writer), "", open());
        assert!(one.get(file(0)).is_some());
        one.keep(file(1), "", open());
        assert!(pool.len() == 3 && other.get(file(0)).is_none());
        assert!(one.get(file(0)).is_some() && one.get(file(1)).is_some());
    }

    #[test]
    fn a_torrent_that_goes_closes_its_own_handles_only() {
        let pool = Pool::new(8);
        let shares: Vec<Share> = (0..3).map(|_| pool.share()).collect();
        for share in &shares {
            share.keep(HandleKey::Root, "", open());
            share.keep(HandleKey::File(7, Side::Writer), "", open());
        }
        shares[1].close();
        assert_eq!(pool.len(), 4);
        assert!(shares[1].get(HandleKey::Root).is_none());
        assert!(
            shares[0].get(HandleKey::Root).is_some() && shares[2].get(HandleKey::Root).is_some()
        );
        drop(shares);
        assert!(pool.is_empty());
    }

    #[test]
    fn torrents_that_join_a_folder_keep_to_the_maximum() {
        let pool = Pool::new(2);
        let dir = Path::new("/dev");
        let identity = Identity::of(&dir.metadata().unwrap());
        let shares = [(); 5].map(|()| pool.share());
        let first = shares[0].keep_root(dir, identity, File::open(dir).unwrap());
        for share in &shares[1..] {
            share.join(dir, identity);
            assert!(pool.len() <= 2, "{}", pool.len());
            assert!(Arc::ptr_eq(&first, &share.get(HandleKey::Root).unwrap()));
        }
    }

    #[test]
    fn torrents_of_one_folder_have_it_open_once_as_long_as_it_is_the_same() {
        let pool = Pool::new(8);
        let [one, two, other] = [(); 3].map(|()| pool.share());
        let (dir, elsewhere) = (Path::new("/dev"), Path::new("/proc"));
        let [here, there] = [dir, elsewhere].map(|it| Identity::of(&it.metadata().unwrap()));
        let first = one.keep_root(dir, here, File::open(dir).unwrap());
        two.join(dir, here);
        let second = two.get(HandleKey::Root).unwrap();
        assert!(Arc::ptr_eq(&first, &second));
        // Another folder, and another one that has taken the name.
        other.join(elsewhere, here);
        other.join(dir, there);
        assert!(other.get(HandleKey::Root).is_none());
        drop((one, two, first, second));
        other.join(dir, here);
        assert!(other.get(HandleKey::Root).is_none(), "nobody has it open");
    }
}
