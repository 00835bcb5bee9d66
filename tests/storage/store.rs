//! The files of several torrents in one store: what goes wrong with one, or is slow, is nothing to
//! the others, and a record says only what is on disk.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, Instant};

use brooklet::base::{Bits, Block, TorrentKey, Totals};
use brooklet::io::disk::threads::opening::{Due, Outcome, Request, StoreParams};
use brooklet::io::disk::threads::saving::Means;
use brooklet::io::disk::{Closed, ContentFiles, Pool, Saver, Saving, Store, Unsaved, Why, Writer};
use brooklet::storage::Resume;
use brooklet::storage::resume::verdict;
use brooklet::torrent::Snapshot;
use brooklet::wire::Metainfo;

use crate::support::content::noise;
use crate::support::dir::Dir;
use crate::{Content, PIECE, support, torrent, whole};

const LONG: Duration = Duration::from_secs(60);
/// Receive buffers that the thread may have.
const BUFFERS: usize = 4;

/// A store, and the poll that it wakes.
pub struct Bench {
    poll: mio::Poll,
    pub store: Store,
}

impl Bench {
    pub fn new() -> Bench {
        let poll = mio::Poll::new().unwrap();
        let waker = mio::Waker::new(poll.registry(), mio::Token(0)).unwrap();
        let store = Store::new(Arc::new(waker), BUFFERS, Pool::for_process());
        Bench { poll, store }
    }

    /// Keeps a torrent's files below this folder; its record is not clean.
    fn insert(&mut self, key: TorrentKey, dir: &Path, torrent: &Arc<Metainfo>) -> PathBuf {
        let mut content = ContentFiles::new(dir, Arc::clone(torrent), self.store.pool());
        content.look();
        let params = StoreParams {
            path: dir.with_extension("resume"),
            clean: false,
            chosen: Vec::new(),
            overwrite: false,
        };
        let path = params.path.clone();
        self.store.insert(key, content, params);
        path
    }

    /// Writes a block, and says why that failed if it did at once.
    fn write(&mut self, key: TorrentKey, block: Block, data: &[u8]) -> Option<Why> {
        let written = self.store.write(key, data.to_vec(), vec![(block, 0)])?;
        written.failed.map(|failed| failed.error.why)
    }

    /// Writes a block again and again, all in one turn, until the thread is given it.
    fn slow_down(&mut self, key: TorrentKey, block: Block, data: &[u8]) {
        let begun = Instant::now();
        while self
            .store
            .write(key, data.to_vec(), vec![(block, 0)])
            .is_some()
        {
            assert!(begun.elapsed() < LONG);
        }
    }

    /// Waits for the threads until something is so.
    fn wait(&mut self, mut is_so: impl FnMut(&mut Store) -> bool) {
        let begun = Instant::now();
        loop {
            while self.store.next_written().is_some() {}
            self.store.go_on();
            self.store.hand_over();
            if is_so(&mut self.store) {
                return;
            }
            assert!(begun.elapsed() < LONG);
            let mut events = mio::Events::with_capacity(1);
            support::poll(&mut self.poll, &mut events, LONG);
        }
    }

    /// Waits until so many handles are open.
    fn wait_for_handles(&self, count: usize) {
        let begun = Instant::now();
        while self.store.pool().len() != count {
            assert!(begun.elapsed() < LONG);
            std::thread::yield_now();
        }
    }

    fn closed(&mut self) -> Closed {
        let mut closed = None;
        self.wait(|store| {
            closed = store.next_closed();
            closed.is_some()
        });
        closed.unwrap()
    }
}

/// A snapshot with all of these pieces, of so many.
fn snapshot(pieces: u32, verified: impl IntoIterator<Item = u32>, clean: bool) -> Snapshot {
    let mut bits = Bits::new(pieces);
    for piece in verified {
        bits.set(piece);
    }
    Snapshot {
        verified: bits,
        totals: Totals::default(),
        clean,
    }
}

#[test]
fn a_disk_that_refuses_one_torrent_leaves_the_others_going() {
    let dir = Dir::new();
    let torrent = torrent(&[("t", 4 * u64::from(PIECE))]);
    let mut bench = Bench::new();
    let data = noise(1, PIECE as usize);
    let good = bench.insert(7, &dir.join("good"), &torrent);
    // Where one's file should be is a folder; another's content is gone when it is to be synced.
    fs::create_dir_all(dir.join("barred/t")).unwrap();
    bench.insert(0, &dir.join("barred"), &torrent);
    let gone = bench.insert(2, &dir.join("gone"), &torrent);
    assert_eq!(
        bench.write(0, whole(&torrent, 0), &data),
        Some(Why::InTheWay)
    );
    assert_eq!(bench.write(7, whole(&torrent, 1), &data), None);
    assert_eq!(bench.write(2, whole(&torrent, 1), &data), None);
    fs::remove_file(dir.join("gone/t")).unwrap();
    for key in [2, 7] {
        bench.store.save(key, snapshot(4, [1], false));
    }
    let mut unsaved = Vec::new();
    bench.wait(|store| {
        unsaved.extend(std::iter::from_fn(|| store.next_unsaved()));
        store.is_saved()
    });
    match &unsaved[..] {
        [(2, Unsaved::Content(error))] => assert_eq!(error.why, Why::Changed),
        other => panic!("{other:?}"),
    }
    assert!(!gone.exists());
    // Again, now that the other has failed; and nothing is held up by what is not synced of it.
    assert_eq!(bench.write(7, whole(&torrent, 2), &data), None);
    bench.store.save(7, snapshot(4, [1, 2], true));
    bench.wait(|store| store.is_saved());
    assert!(!bench.store.is_behind(2) && bench.store.next_unsaved().is_none());
    let saved = Resume::decode(
        &fs::read(good).unwrap(),
        torrent.info_hash,
        bench.store.content(7).layout(),
    );
    assert_eq!(saved.unwrap().verified.count(), 2);
}

#[test]
fn a_full_disk_stops_one_torrent() {
    if !support::root() {
        return;
    }
    let dir = Dir::new();
    let small = dir.folder("small");
    let mount = |program: &str, args: &[&str]| {
        let status = Command::new(program).args(args).arg(&small).status();
        assert!(status.unwrap().success());
    };
    mount("mount", &["-t", "tmpfs", "-o", "size=256k", "tmpfs"]);
    let torrent = torrent(&[("t", 64 * u64::from(PIECE))]);
    let mut bench = Bench::new();
    bench.insert(0, &small, &torrent);
    bench.insert(1, &dir.join("large"), &torrent);
    let content = noise(1, 64 * PIECE as usize);
    let mut refused = None;
    for (piece, data) in (0..).zip(content.chunks(PIECE as usize)) {
        let block = whole(&torrent, piece);
        refused = refused.or(bench.write(0, block, data));
        assert_eq!(bench.write(1, block, data), None);
    }
    let mut back = vec![0; content.len()];
    bench.store.content(1).read(0, &mut back).unwrap();
    drop(bench);
    mount("umount", &[]);
    assert_eq!(refused, Some(Why::Full));
    assert!(back == content);
}

/// A download that is paused: its files get their real times. When it goes on they are still ours.
#[test]
fn files_that_got_their_real_times_are_written_to_again() {
    for slow in [false, true] {
        let dir = Dir::new();
        let torrent = torrent(&[("t", 8 * u64::from(PIECE))]);
        let mut bench = Bench::new();
        bench.insert(0, &dir, &torrent);
        let data = |piece: u32| noise(u64::from(piece), PIECE as usize);
        for piece in 0..8 {
            bench.store.save(0, snapshot(8, 0..piece, false));
            bench.wait(|store| store.is_saved());
            if slow && piece == 0 {
                bench.slow_down(0, whole(&torrent, 0), &data(0));
            }
            assert_eq!(bench.write(0, whole(&torrent, piece), &data(piece)), None);
            bench.store.save(0, snapshot(8, 0..piece + 1, true));
            // Nothing may be written while the record that nothing is comes to be.
            bench.wait(|store| store.is_behind(0) && store.is_written());
            bench.wait(|store| store.content(0).ledger().has_real_times());
            let changed = bench.store.find_changed(0).map(|error| error.to_string());
            assert_eq!(changed, None, "piece {piece}");
        }
        let mut back = vec![0; 8 * PIECE as usize];
        bench.store.content(0).read(0, &mut back).unwrap();
        let content: Vec<u8> = (0..8).flat_map(data).collect();
        assert!(back == content);
    }
}

/// A torrent that is closed while a thread has blocks of it: they are written, then what was to be
/// saved is saved, and then its files are let go. Its key is another's meanwhile.
#[test]
fn a_torrent_that_is_closed_amid_writes_is_written_and_then_saved() {
    const PIECES: u32 = 64;
    let dir = Dir::new();
    let torrent = torrent(&[("t", u64::from(PIECES * PIECE))]);
    let mut bench = Bench::new();
    let path = bench.insert(3, &dir.join("a"), &torrent);
    let content = noise(1, (PIECES * PIECE) as usize);
    let data = |piece: u32| &content[(piece * PIECE) as usize..][..PIECE as usize];
    bench.slow_down(3, whole(&torrent, 0), data(0));
    for piece in 0..PIECES {
        // The last one to come counts.
        assert_eq!(
            bench.write(3, whole(&torrent, piece), &noise(9, PIECE as usize)),
            None
        );
        assert_eq!(bench.write(3, whole(&torrent, piece), data(piece)), None);
    }
    assert!(!bench.store.is_written());
    bench.store.save(3, snapshot(PIECES, 0..PIECES, true));
    bench.store.close(3, torrent.info_hash);
    bench.insert(3, &dir.join("b"), &torrent);
    assert_eq!(bench.write(3, whole(&torrent, 5), data(5)), None);
    let mut content_files = ContentFiles::new(&dir.join("a"), Arc::clone(&torrent), &Pool::new(4));
    let mut closed = None;
    bench.wait(|store| {
        closed = store.next_closed();
        // Whenever the record says that nothing is being written, all of it is there.
        let saved = fs::read(&path)
            .ok()
            .and_then(|saved| Resume::decode(&saved, torrent.info_hash, content_files.layout()));
        if saved.is_some_and(|saved| saved.clean) {
            assert!(fs::read(dir.join("a/t")).unwrap() == content);
        }
        closed.is_some()
    });
    let info_hash = torrent.info_hash;
    assert_eq!(
        closed,
        Some(Closed {
            info_hash,
            unsaved: None
        })
    );
    content_files.look();
    let saved = fs::read(&path).unwrap();
    let saved = Resume::decode(&saved, info_hash, content_files.layout()).unwrap();
    let verdict = verdict(Some(&saved), content_files.layout(), content_files.stamps());
    assert!(saved.clean && verdict.trusted.count() == PIECES && verdict.hash.count() == 0);
    // The folder and the file of the other one are left, once the thread has let go.
    bench.wait_for_handles(2);
    bench.store.close(3, torrent.info_hash);
    assert_eq!(bench.closed().unsaved, None);
    bench.wait_for_handles(0);
}

/// What a torrent on a slow disk has queued leaves the others their part.
#[test]
fn buffers_are_divided_among_the_torrents_that_wait_for_a_disk() {
    let dir = Dir::new();
    let torrent = torrent(&[("t", 4 * u64::from(PIECE))]);
    let poll = mio::Poll::new().unwrap();
    let waker = mio::Waker::new(poll.registry(), mio::Token(0)).unwrap();
    let mut writer = Writer::new(Arc::new(waker), BUFFERS);
    for id in 0..3 {
        let content = Content::new(&dir.join(id.to_string()), &torrent);
        writer.begin(id, content.disk.writer(true));
    }
    let data = noise(1, PIECE as usize);
    let write = |writer: &mut Writer, id| {
        let blocks = vec![(whole(&torrent, 0), 0)];
        writer.write(id, data.clone(), blocks).is_some()
    };
    // All in one turn, until the thread is given one: it is the first of its buffers.
    let slow_down = |writer: &mut Writer, id| {
        let begun = Instant::now();
        while write(writer, id) {
            assert!(begun.elapsed() < LONG);
        }
    };
    slow_down(&mut writer, 0);
    for _ in 1..BUFFERS {
        assert!(!writer.is_full(0));
        slow_down(&mut writer, 0);
    }
    assert!(writer.is_full(0) && !writer.is_overfull(0));
    assert!(!writer.is_full(1), "the loop writes it");
    slow_down(&mut writer, 1);
    assert!(!writer.is_full(1), "it has one of four");
    slow_down(&mut writer, 1);
    assert!(writer.is_full(1) && writer.is_full(0), "it has two of four");
    slow_down(&mut writer, 2);
    assert!(writer.is_full(2), "it has its one");
    let begun = Instant::now();
    while !(0..3).all(|id| writer.is_idle(id)) {
        if writer.next_outcome().is_none() {
            std::thread::yield_now();
        }
        assert!(begun.elapsed() < LONG);
    }
    assert!(!(0..3).any(|slot| writer.is_full(slot)));
}

/// The saves of one torrent, and what they need.
struct Saves {
    disk: Content,
    saving: Saving,
    saver: Saver,
    poll: mio::Poll,
}

impl Saves {
    fn new(dir: &Path, torrent: &Arc<Metainfo>, path: &Path, clean: bool) -> Saves {
        let mut disk = Content::new(dir, torrent);
        disk.look();
        let poll = mio::Poll::new().unwrap();
        let waker = mio::Waker::new(poll.registry(), mio::Token(0)).unwrap();
        Saves {
            disk,
            saving: Saving::new(path.to_path_buf(), clean),
            saver: Saver::new(Arc::new(waker)),
            poll,
        }
    }

    /// Does what is to be done until it is done.
    fn go_on(&mut self, writing: bool) {
        loop {
            let means = Means {
                id: 0,
                content: &mut self.disk,
                writing,
                saver: &mut self.saver,
            };
            self.saving.go_on(false, means).unwrap();
            if self.saving.is_done() {
                return;
            }
            let mut events = mio::Events::with_capacity(1);
            support::poll(&mut self.poll, &mut events, LONG);
            if let Some((_, outcome)) = self.saver.next_outcome() {
                self.saving.take(outcome, &mut self.disk).unwrap();
            }
        }
    }
}

/// What was verified when the time is over counts, though more is still on its way to the disk.
#[test]
fn what_waits_for_the_disk_does_not_keep_the_rest_from_being_recorded() {
    let dir = Dir::new();
    let torrent = torrent(&[("t", 4 * 16_384)]);
    let path = dir.join("state/x");
    let mut saves = Saves::new(&dir, &torrent, &path, false);
    saves.disk.write_all(&noise(1, 3 * PIECE as usize));
    saves.saving.save(snapshot(4, [1], true));
    saves.saving.hurry();
    saves.go_on(true);
    let saved = fs::read(&path).unwrap();
    let saved = Resume::decode(&saved, torrent.info_hash, saves.disk.layout()).unwrap();
    assert_eq!(
        (saved.verified, saved.clean),
        (snapshot(4, [1], true).verified, false)
    );
}

/// After a kill nobody would look for what was written under a resume file that says that nothing
/// is.
#[test]
fn nothing_may_be_written_while_the_resume_file_is_clean() {
    let dir = Dir::new();
    let torrent = torrent(&[("t", 4 * 16_384)]);
    let mut saves = Saves::new(&dir, &torrent, &dir.join("state/x"), true);
    assert!(saves.saving.forbids_writing());
    for clean in [false, true, false] {
        saves.saving.save(snapshot(4, [], clean));
        saves.go_on(false);
        assert_eq!(saves.saving.forbids_writing(), clean);
    }
}

pub fn request(dir: &Path, torrent: &Arc<Metainfo>) -> Request {
    Request {
        metainfo: Arc::clone(torrent),
        dir: dir.to_path_buf(),
        state_dir: dir.with_extension("state"),
        download: true,
        selection: None,
        overwrite: false,
        recheck: false,
        due: Due::Nothing,
    }
}

/// What is on disk and on record comes back from the thread; an idle torrent holds nothing open,
/// and one that cannot be begun says why.
#[test]
fn torrents_are_opened_by_a_thread() {
    let dir = Dir::new();
    let torrent = torrent(&[("t", 4 * u64::from(PIECE))]);
    let mut bench = Bench::new();
    dir.file("barred", "no folder");
    bench.store.open(0, request(&dir.join("a"), &torrent));
    bench.store.open(1, request(&dir.join("barred"), &torrent));
    let mut opened = Vec::new();
    bench.wait(|store| {
        opened.extend(std::iter::from_fn(|| store.next_opened()));
        opened.len() == 2
    });
    let barred = opened.pop().unwrap();
    let why = format!("{}: it is not a folder", dir.join("barred").display());
    assert_eq!((barred.0, barred.1.result.unwrap_err()), (1, why));
    let (key, Outcome { warnings, result }) = opened.pop().unwrap();
    let found = result.unwrap();
    assert!(key == 0 && warnings.is_empty());
    assert!(found.verdict.trusted.count() == 0 && found.params.clean);
    // A download of it, and the next look at it.
    bench.store.insert(0, found.content, found.params);
    bench.store.rest(0);
    assert!(bench.store.pool().is_empty());
    assert!(
        bench.store.is_behind(0),
        "it must be on record before it is written to"
    );
    bench.store.save(0, snapshot(4, [], false));
    bench.wait(|store| store.is_saved());
    assert_eq!(
        bench.write(0, whole(&torrent, 2), &noise(1, PIECE as usize)),
        None
    );
    bench.store.save(0, snapshot(4, [2], true));
    bench.store.close(0, torrent.info_hash);
    assert_eq!(bench.closed().unsaved, None);
    bench.store.open(0, request(&dir.join("a"), &torrent));
    let (_, again) = bench.store.wait_opened();
    let again = again.result.unwrap();
    assert_eq!(again.verdict.trusted.ones().collect::<Vec<_>>(), [2]);
    assert_eq!(again.verdict.hash.count(), 0);
}

/// A folder that is mounted by bindfs, which may be stopped: then what is asked of it lasts.
struct Mount {
    bindfs: Child,
    folder: PathBuf,
}

impl Mount {
    fn new(real: &Path, folder: PathBuf) -> Mount {
        let mut bindfs = Command::new("bindfs");
        let bindfs = bindfs.arg("-f").args([real, &folder]).spawn().unwrap();
        let mount = Mount { bindfs, folder };
        let is_mounted = || {
            let asked = Command::new("mountpoint")
                .arg("-q")
                .arg(&mount.folder)
                .status();
            asked.unwrap().success()
        };
        let begun = Instant::now();
        while !is_mounted() {
            assert!(begun.elapsed() < LONG);
        }
        mount
    }

    fn signal(&self, name: &str) {
        // The kill of the shell itself: the program of that name is no part of a small Debian.
        let sent = Command::new("sh")
            .args(["-c", "kill -s \"$1\" \"$2\"", "sh", name])
            .arg(self.bindfs.id().to_string())
            .status();
        assert!(sent.unwrap().success());
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = self.bindfs.kill();
        let _ = self.bindfs.wait();
        let _ = Command::new("umount").arg("-l").arg(&self.folder).status();
    }
}

/// The mount of a server that is gone.
#[test]
fn a_folder_that_hangs_keeps_no_other_torrent_waiting() {
    if !support::root() || !support::installed(&["bindfs", "mountpoint"]) {
        return;
    }
    if !Path::new("/dev/fuse").exists() {
        support::skip("there is no /dev/fuse");
        return;
    }
    let dir = Dir::new();
    let mount = Mount::new(&dir.folder("real"), dir.folder("mount"));
    mount.signal("STOP");
    let torrent = torrent(&[("t", 4 * u64::from(PIECE))]);
    let mut bench = Bench::new();
    bench.store.open(0, request(&mount.folder, &torrent));
    for key in 1..100 {
        bench
            .store
            .open(key, request(&dir.join(key.to_string()), &torrent));
    }
    // Nothing waits for the folder so far, since it does not answer.
    let others: Vec<TorrentKey> = (1..100).map(|_| bench.store.wait_opened().0).collect();
    assert!(others == (1..100).collect::<Vec<_>>());
    assert!(bench.store.next_opened().is_none());
    mount.signal("CONT");
    let (key, opened) = bench.store.wait_opened();
    assert!(key == 0 && opened.result.is_ok());
}
