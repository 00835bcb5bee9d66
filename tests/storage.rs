//! Content on a real disk: where it may lie, what a restart may believe of it, and what happens when the disk refuses.

mod support;

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use brooklet::base::bits::Bits;
use brooklet::base::geometry::{Block, Geometry};
use brooklet::base::id::InfoHash;
use brooklet::io::disk::Disk;
use brooklet::io::disk_error::Why;
use brooklet::io::saver::{Job, Saver};
use brooklet::io::state;
use brooklet::storage::resume::{self, Resume, Verdict};
use brooklet::wire::metainfo::{FileEntry, FileKind, Metainfo};
use support::content::noise;
use support::dir::Dir;

const PIECE: u32 = 16 * 1024;

/// A torrent of these files; a name that begins with a dot is padding.
fn torrent(files: &[(&str, u64)]) -> Arc<Metainfo> {
    let files: Vec<FileEntry> = files
        .iter()
        .map(|&(path, length)| FileEntry {
            path: path.split('/').map(String::from).collect(),
            length,
            kind: if path.starts_with('.') {
                FileKind::Padding
            } else {
                FileKind::File
            },
            executable: path.ends_with(".sh"),
        })
        .collect();
    let size = files.iter().map(|file| file.length).sum();
    Arc::new(Metainfo {
        info_hash: InfoHash([7; 20]),
        name: files[0].path[0].clone(),
        geometry: Geometry::new(size, PIECE).unwrap(),
        hashes: Vec::new(),
        single: files[0].path.len() == 1,
        files,
        private: false,
        trackers: Vec::new(),
        web_seeds: Vec::new(),
        nodes: Vec::new(),
        comment: None,
        created_by: None,
        creation_date: None,
        hybrid: false,
    })
}

/// The block that is the whole of a piece.
fn whole(torrent: &Metainfo, piece: u32) -> Block {
    torrent.geometry.block(piece, 0)
}

fn write_all(disk: &mut Disk, torrent: &Metainfo, content: &[u8]) {
    for (piece, data) in (0..).zip(content.chunks(PIECE as usize)) {
        disk.write(whole(torrent, piece), data).unwrap();
    }
}

#[test]
fn content_lies_where_bep_3_says_and_padding_nowhere() {
    let dir = Dir::new();
    let torrent = torrent(&[
        ("t/a", 20_000),
        (".pad", 12_768),
        ("t/b/c.sh", 1),
        ("t/d/e/f", 40_000),
    ]);
    let content = noise(1, torrent.geometry.size() as usize);
    let mut disk = Disk::new(&dir.join("new/folder"), Arc::clone(&torrent));
    write_all(&mut disk, &torrent, &content);
    let read = |path: &str| fs::read(dir.join("new/folder/t").join(path)).unwrap();
    assert!(read("a") == content[..20_000]);
    assert!(read("b/c.sh") == content[32_768..32_769]);
    assert!(read("d/e/f") == content[32_769..]);
    assert_eq!(fs::read_dir(dir.join("new/folder/t")).unwrap().count(), 3);
    let mode = |path: &str| {
        fs::metadata(dir.join("new/folder/t").join(path))
            .unwrap()
            .mode()
            & 0o100
    };
    assert_eq!(
        (mode("a"), mode("b/c.sh")),
        (0, 0o100),
        "who owns it may execute it"
    );
    let mut back = vec![1; content.len()];
    disk.read(0, &mut back).unwrap();
    assert!(back[..20_000] == content[..20_000] && back[32_768..] == content[32_768..]);
    assert!(
        back[20_000..32_768].iter().all(|&byte| byte == 0),
        "padding is zeros"
    );
}

#[test]
fn links_on_disk_are_not_followed() {
    let dir = Dir::new();
    let outside = dir.folder("outside");
    dir.file("outside/f", "precious");
    let torrent = torrent(&[("t/sub/f", 20_000), ("t/g", 20_000), ("t/x/y/z", 20_000)]);
    dir.folder("in/t/x");
    symlink(&outside, dir.join("in/t/sub")).unwrap();
    symlink(outside.join("f"), dir.join("in/t/g")).unwrap();
    symlink(outside.join("new"), dir.join("in/t/x/y")).unwrap();
    let mut disk = Disk::new(&dir.join("in"), Arc::clone(&torrent));
    let refused = disk.look();
    assert_eq!(refused.len(), 3, "{refused:?}");
    assert!(refused.iter().all(|error| error.why == Why::InTheWay));
    assert_eq!(disk.stamps(), [None; 3]);
    for (piece, path) in [(0, "in/t/sub"), (2, "in/t/g"), (3, "in/t/x/y")] {
        let block = whole(&torrent, piece);
        let error = disk
            .write(block, &noise(1, block.len as usize))
            .unwrap_err();
        assert_eq!((error.path, error.why), (dir.join(path), Why::InTheWay));
        let error = disk
            .read(torrent.geometry.offset(block), &mut [0; 9])
            .unwrap_err();
        assert_eq!(error.why, Why::InTheWay);
    }
    assert_eq!(fs::read(outside.join("f")).unwrap(), b"precious");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
}

#[test]
fn the_torrents_own_name_may_be_no_link_but_its_folder_may() {
    let dir = Dir::new();
    dir.folder("real/outside");
    dir.file("real/file", "precious");
    symlink("real", dir.join("linked")).unwrap();
    symlink("outside", dir.join("real/t")).unwrap();
    symlink("file", dir.join("real/s")).unwrap();
    let many = torrent(&[("t/f", 5)]);
    let one = torrent(&[("s", 5)]);
    let free = torrent(&[("u/f", 5)]);
    let write = |torrent: &Arc<Metainfo>| {
        let mut disk = Disk::new(&dir.join("linked"), Arc::clone(torrent));
        disk.write(whole(torrent, 0), b"12345")
            .map_err(|error| error.why)
    };
    assert_eq!(write(&many), Err(Why::InTheWay));
    assert_eq!(write(&one), Err(Why::InTheWay));
    assert_eq!(write(&free), Ok(()));
    assert_eq!(fs::read(dir.join("real/u/f")).unwrap(), b"12345");
    assert_eq!(fs::read(dir.join("real/file")).unwrap(), b"precious");
}

#[test]
fn what_is_no_file_is_in_the_way() {
    let dir = Dir::new();
    dir.folder("t/f");
    dir.file("t/sub", "a file where a folder belongs");
    let pipe = dir.join("t/p");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    for path in ["t/f", "t/sub/x", "t/p"] {
        let torrent = torrent(&[(path, 5)]);
        let mut disk = Disk::new(&dir, Arc::clone(&torrent));
        assert_eq!(
            disk.write(whole(&torrent, 0), b"12345").unwrap_err().why,
            Why::InTheWay,
            "{path}"
        );
        assert_eq!(
            disk.read(0, &mut [0; 5]).unwrap_err().why,
            Why::InTheWay,
            "{path}"
        );
        assert_eq!(disk.look()[0].why, Why::InTheWay, "{path}");
    }
}

#[test]
fn short_missing_and_long_files_are_told_apart() {
    let dir = Dir::new();
    dir.file("t/short", noise(1, 100));
    dir.file("t/long", noise(2, 70_000));
    let torrent = torrent(&[("t/short", 60_000), ("t/long", 60_000), ("t/gone", 60_000)]);
    let mut disk = Disk::new(&dir, Arc::clone(&torrent));
    assert_eq!(disk.look(), []);
    assert_eq!(disk.oversized().collect::<Vec<_>>(), [1]);
    let mut read = |offset: u64, len: usize| {
        let mut buffer = vec![0; len];
        disk.read(offset, &mut buffer)
            .map_err(|error| (error.path, error.why))
            .map(|()| buffer)
    };
    assert!(read(0, 100).unwrap() == noise(1, 100));
    assert_eq!(read(0, 101), Err((dir.join("t/short"), Why::Short)));
    assert!(read(60_000, 60_000).unwrap() == noise(2, 70_000)[..60_000]);
    assert_eq!(read(119_999, 2), Err((dir.join("t/gone"), Why::Missing)));
    // Writing makes the short one as long as it will be, keeps what is there, and leaves the long one's end alone.
    disk.write(
        Block {
            piece: 7,
            begin: 0,
            len: 10,
        },
        &noise(3, 10),
    )
    .unwrap();
    disk.write(
        Block {
            piece: 3,
            begin: 0,
            len: 10,
        },
        &noise(4, 10),
    )
    .unwrap();
    let long = fs::read(dir.join("t/long")).unwrap();
    let at = 7 * PIECE as usize - 60_000;
    assert!(
        long.len() == 70_000
            && long[at..at + 10] == noise(3, 10)
            && long[at + 10..] == noise(2, 70_000)[at + 10..]
    );
    let short = fs::read(dir.join("t/short")).unwrap();
    let at = 3 * PIECE as usize;
    assert!(
        short.len() == 60_000
            && short[..100] == noise(1, 100)
            && short[at..at + 10] == noise(4, 10)
    );
}

#[test]
fn a_full_disk_says_so_and_loses_nothing() {
    if !support::root() {
        return;
    }
    let dir = Dir::new();
    let mount = dir.folder("small");
    let tmpfs = ["-t", "tmpfs", "-o", "size=1M", "tmpfs"];
    assert!(
        Command::new("mount")
            .args(tmpfs)
            .arg(&mount)
            .status()
            .unwrap()
            .success()
    );
    let torrent = torrent(&[("t", 4 << 20)]);
    let mut disk = Disk::new(&mount, Arc::clone(&torrent));
    let data = noise(1, PIECE as usize);
    let failed =
        (0..256).find_map(|piece| Some((piece, disk.write(whole(&torrent, piece), &data).err()?)));
    let mut back = vec![0; data.len()];
    disk.read(0, &mut back).unwrap();
    let replaced = state::replace(&mount.join("x.resume"), &noise(2, 100_000));
    drop(disk);
    assert!(
        Command::new("umount")
            .arg(&mount)
            .status()
            .unwrap()
            .success()
    );
    let (piece, error) = failed.unwrap();
    assert!((10..=64).contains(&piece), "{piece}");
    assert_eq!((error.path, error.why), (mount.join("t"), Why::Full));
    assert!(back == data);
    assert_eq!(replaced.unwrap_err().why, Why::Full);
}

/// Twenty thousand files in a process that may open 64: written, read, held, synced, settled.
#[test]
fn twenty_thousand_files_need_few_handles() {
    const INSIDE: &str = "BROOKLET_FEW_HANDLES";
    if std::env::var_os(INSIDE).is_none() {
        let own = std::env::current_exe().unwrap();
        let script = "ulimit -n 64; exec \"$0\" --exact twenty_thousand_files_need_few_handles";
        let mut few = Command::new("sh");
        few.args(["-c", script]).arg(own).env(INSIDE, "1");
        // Some disks take half a minute to make so many files.
        if Path::new("/dev/shm").is_dir() {
            few.env("TMPDIR", "/dev/shm");
        }
        passes(&mut few);
        return;
    }
    let dir = Dir::new();
    let names: Vec<String> = (0..20_000).map(|n| format!("t/{}/{n}", n / 500)).collect();
    let files: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 100)).collect();
    let torrent = torrent(&files);
    let content = noise(1, 2_000_000);
    let mut disk = Disk::new(&dir, Arc::clone(&torrent));
    assert_eq!(disk.look(), []);
    write_all(&mut disk, &torrent, &content);
    disk.pin();
    let open = fs::read_dir("/proc/self/fd").unwrap().count();
    assert!(open < 32, "{open}");
    let mut back = vec![0; content.len()];
    disk.read(0, &mut back).unwrap();
    assert!(back == content);
    let waker = waker();
    let mut saver = Saver::new(waker);
    let (content, path) = (disk.unsynced().unwrap(), dir.join("state/x"));
    assert_eq!(content.1.len(), 20_000);
    saver
        .save(Job {
            content,
            path,
            bytes: vec![1],
        })
        .unwrap();
    saver.finish(Duration::from_secs(120)).unwrap();
    assert_eq!(disk.settle(1_000), Ok(false));
    assert_eq!(disk.settle(usize::MAX), Ok(true));
    assert!(
        resumed(&dir, &torrent, &snapshot(&disk, &torrent, true))
            .hash
            .count()
            == 0
    );
}

/// Runs this test program again, under other conditions.
fn passes(command: &mut Command) {
    let done = command.output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(
        done.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&done.stderr)
    );
}

fn waker() -> Arc<mio::Waker> {
    let poll = mio::Poll::new().unwrap();
    Arc::new(mio::Waker::new(poll.registry(), mio::Token(0)).unwrap())
}

/// What would be saved now, every other piece held.
fn snapshot(disk: &Disk, torrent: &Metainfo, clean: bool) -> Vec<u8> {
    let mut held = Bits::new(torrent.geometry.pieces());
    for piece in (0..torrent.geometry.pieces()).step_by(2) {
        held.set(piece);
    }
    let resume = Resume {
        info_hash: torrent.info_hash,
        held,
        files: disk.stamps().to_vec(),
        clean,
        downloaded: 1,
        uploaded: 2,
    };
    resume.encode()
}

/// What another run would make of this.
fn resumed(dir: &Path, torrent: &Arc<Metainfo>, saved: &[u8]) -> Verdict {
    let mut disk = Disk::new(dir, Arc::clone(torrent));
    assert_eq!(disk.look(), []);
    let resume = Resume::decode(saved, torrent.info_hash, disk.layout());
    resume::verdict(resume.as_ref(), disk.layout(), disk.stamps())
}

/// A download of eight pieces that was killed: everything written, half of it saved as held. Time goes by before each step.
fn killed(dir: &Path, torrent: &Arc<Metainfo>) -> Vec<u8> {
    let mut disk = Disk::new(dir, Arc::clone(torrent));
    disk.look();
    let content = noise(1, torrent.geometry.size() as usize);
    write_all(&mut disk, torrent, &content[..5 * PIECE as usize]);
    disk.pin();
    let saved = snapshot(&disk, torrent, false);
    std::thread::sleep(Duration::from_millis(20));
    write_all(&mut disk, torrent, &content);
    disk.pin();
    saved
}

fn even(pieces: u32) -> Vec<u32> {
    (0..pieces).step_by(2).collect()
}

fn odd(pieces: u32) -> Vec<u32> {
    (1..pieces).step_by(2).collect()
}

fn list(bits: &Bits) -> Vec<u32> {
    bits.ones().collect()
}

#[test]
fn after_a_kill_what_was_saved_is_trusted_and_only_the_rest_is_hashed() {
    let dir = Dir::new();
    let torrent = torrent(&[("t/a", 4 * 16_384), ("t/b", 4 * 16_384)]);
    let saved = killed(&dir, &torrent);
    let found = resumed(&dir, &torrent, &saved);
    assert_eq!((list(&found.trusted), list(&found.hash)), (even(8), odd(8)));
}

#[test]
fn another_programs_write_is_noticed_even_after_a_kill() {
    let dir = Dir::new();
    let torrent = torrent(&[("t/a", 4 * 16_384), ("t/b", 4 * 16_384)]);
    let saved = killed(&dir, &torrent);
    std::thread::sleep(Duration::from_millis(20));
    let mut bytes = fs::read(dir.join("t/b")).unwrap();
    bytes[0] ^= 1;
    fs::write(dir.join("t/b"), bytes).unwrap();
    let found = resumed(&dir, &torrent, &saved);
    assert_eq!(list(&found.trusted), [0, 2]);
    assert_eq!(list(&found.hash), [1, 3, 4, 5, 6, 7]);
}

#[test]
fn a_write_by_others_between_look_and_download_is_noticed() {
    let dir = Dir::new();
    let torrent = torrent(&[("t", 4 * 16_384)]);
    dir.file("t", noise(5, 4 * 16_384));
    let mut disk = Disk::new(&dir, Arc::clone(&torrent));
    disk.look();
    std::thread::sleep(Duration::from_millis(20));
    dir.file("t", noise(6, 4 * 16_384));
    disk.write(whole(&torrent, 1), &noise(7, PIECE as usize))
        .unwrap();
    disk.pin();
    let found = resumed(&dir, &torrent, &snapshot(&disk, &torrent, false));
    assert_eq!(
        (list(&found.trusted), list(&found.hash)),
        (vec![], vec![0, 1, 2, 3])
    );
    disk.settle(usize::MAX).unwrap();
    let found = resumed(&dir, &torrent, &snapshot(&disk, &torrent, true));
    assert_eq!(found.hash.count(), 4);
}

#[test]
fn after_a_clean_end_nothing_is_hashed_and_times_are_real() {
    let dir = Dir::new();
    let torrent = torrent(&[("t/a", 4 * 16_384), ("t/b", 4 * 16_384)]);
    let mut disk = Disk::new(&dir, Arc::clone(&torrent));
    disk.look();
    write_all(&mut disk, &torrent, &noise(1, 8 * PIECE as usize));
    disk.pin();
    std::thread::sleep(Duration::from_millis(50));
    let before = SystemTime::now() - Duration::from_millis(20);
    assert_eq!(disk.settle(usize::MAX), Ok(true));
    let modified = |path| fs::metadata(dir.join(path)).unwrap().modified().unwrap();
    assert!(modified("t/a") > before && modified("t/b") > before);
    let found = resumed(&dir, &torrent, &snapshot(&disk, &torrent, true));
    assert_eq!((list(&found.trusted), list(&found.hash)), (even(8), vec![]));
}

#[test]
fn a_file_gone_at_the_end_does_not_keep_the_rest_from_being_recorded() {
    let dir = Dir::new();
    let torrent = torrent(&[("t/a", 4 * 16_384), ("t/b", 4 * 16_384)]);
    let mut disk = Disk::new(&dir, Arc::clone(&torrent));
    write_all(&mut disk, &torrent, &noise(1, 8 * PIECE as usize));
    fs::remove_file(dir.join("t/a")).unwrap();
    assert_eq!(disk.settle(usize::MAX), Ok(true));
    let found = resumed(&dir, &torrent, &snapshot(&disk, &torrent, true));
    assert_eq!(
        (list(&found.trusted), list(&found.hash)),
        (vec![4, 6], vec![])
    );
}

/// interface.md: "Files that are already complete keep their modification time."
#[test]
fn a_complete_file_keeps_its_time_when_a_piece_it_shares_comes_again() {
    let dir = Dir::new();
    let torrent = torrent(&[("t/whole", 20_000), ("t/gone", 20_000)]);
    let content = noise(1, 40_000);
    dir.file("t/whole", &content[..20_000]);
    let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    File::options()
        .write(true)
        .open(dir.join("t/whole"))
        .unwrap()
        .set_modified(old)
        .unwrap();
    let mut disk = Disk::new(&dir, Arc::clone(&torrent));
    disk.look();
    write_all(&mut disk, &torrent, &content);
    disk.pin();
    assert_eq!(disk.settle(usize::MAX), Ok(true));
    assert_eq!(
        fs::metadata(dir.join("t/whole"))
            .unwrap()
            .modified()
            .unwrap(),
        old
    );
    assert!(fs::read(dir.join("t/gone")).unwrap() == content[20_000..]);
}

#[test]
fn nothing_is_touched_by_looking_and_reading() {
    let dir = Dir::new();
    let torrent = torrent(&[("t/a", 20_000), ("t/empty", 0)]);
    dir.file("t/a", noise(1, 20_000));
    dir.file("t/empty", "");
    let stat = |path: &str| {
        let found = fs::metadata(dir.join(path)).unwrap();
        (found.ctime(), found.ctime_nsec(), found.size())
    };
    let before = [stat("t"), stat("t/a"), stat("t/empty")];
    std::thread::sleep(Duration::from_millis(20));
    let mut disk = Disk::new(&dir, Arc::clone(&torrent));
    assert_eq!(disk.look(), []);
    disk.read(0, &mut [0; 20_000]).unwrap();
    disk.make_empty(0..2).unwrap();
    disk.pin();
    assert_eq!(disk.settle(usize::MAX), Ok(true));
    assert_eq!([stat("t"), stat("t/a"), stat("t/empty")], before);
}

#[test]
fn files_without_bytes_are_made_when_asked_for() {
    let dir = Dir::new();
    let torrent = torrent(&[("t/a/one", 0), ("t/b/two", 0), ("t/c", 9)]);
    let mut disk = Disk::new(&dir, Arc::clone(&torrent));
    disk.make_empty([1, 2]).unwrap();
    assert!(
        dir.join("t/b/two").is_file() && !dir.join("t/a").exists() && !dir.join("t/c").exists()
    );
}

#[test]
fn holes_are_found_and_data_is_none() {
    let dir = Dir::new();
    let torrent = torrent(&[("t/a", 40 * 16_384), ("t/b", 40 * 16_384)]);
    let mut disk = Disk::new(&dir, Arc::clone(&torrent));
    let data = noise(1, PIECE as usize);
    disk.write(whole(&torrent, 20), &data).unwrap();
    disk.write(whole(&torrent, 79), &data).unwrap();
    let holes: Vec<u32> = (0..80).filter(|&piece| disk.is_hole(piece)).collect();
    // A file system may allocate more than was written, never less.
    assert!(!holes.contains(&20) && !holes.contains(&79), "{holes:?}");
    assert!(
        holes.contains(&0) && holes.contains(&39) && holes.contains(&50),
        "{holes:?}"
    );
    assert!(disk.is_hole(1));
    disk.write(whole(&torrent, 2), &data).unwrap();
    assert!(!disk.is_hole(2), "what was a hole is none any more");
    fs::remove_file(dir.join("t/b")).unwrap();
    let mut disk = Disk::new(&dir, Arc::clone(&torrent));
    assert!(!disk.is_hole(50), "a file that is not there has no holes");
}

#[test]
fn what_may_not_be_read_or_written_is_denied() {
    const INSIDE: &str = "BROOKLET_AS_NOBODY";
    if let Some(dir) = std::env::var_os(INSIDE) {
        let torrent = torrent(&[("t/secret", 100), ("t/new", 100)]);
        let mut disk = Disk::new(Path::new(&dir), Arc::clone(&torrent));
        assert_eq!(disk.look(), []);
        assert_eq!(disk.read(0, &mut [0; 9]).unwrap_err().why, Why::Denied);
        for begin in [0, 100] {
            let block = Block {
                piece: 0,
                begin,
                len: 100,
            };
            assert_eq!(disk.write(block, &[0; 100]).unwrap_err().why, Why::Denied);
        }
        return;
    }
    if !support::root() {
        return;
    }
    let dir = Dir::new();
    let secret = dir.file("t/secret", noise(1, 100));
    fs::set_permissions(secret, fs::Permissions::from_mode(0o600)).unwrap();
    // Nobody may not look into every folder that a build lies in.
    let own = dir.join("test");
    fs::copy(std::env::current_exe().unwrap(), &own).unwrap();
    let mut nobody = Command::new("setpriv");
    nobody
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"])
        .arg(own);
    nobody
        .args(["--exact", "what_may_not_be_read_or_written_is_denied"])
        .env(INSIDE, &*dir);
    passes(&mut nobody);
}

#[test]
fn the_state_is_replaced_whole_and_a_wrong_length_is_bounded() {
    let dir = Dir::new();
    let path = dir.join("deep/er/x.resume");
    assert_eq!(state::load(&path, 10), Ok(None));
    state::replace(&path, b"first").unwrap();
    state::replace(&path, b"second").unwrap();
    assert_eq!(state::load(&path, 100), Ok(Some(b"second".to_vec())));
    assert_eq!(state::load(&path, 3), Ok(Some(b"sec".to_vec())));
    assert_eq!(
        fs::read_dir(dir.join("deep/er")).unwrap().count(),
        1,
        "nothing is left over"
    );
    assert_eq!(
        fs::metadata(dir.join("deep/er")).unwrap().mode() & 0o777,
        0o700
    );
    dir.file("file", "");
    assert_eq!(
        state::replace(&dir.join("file/x"), b"").unwrap_err().why,
        Why::InTheWay
    );
}

#[test]
fn jobs_are_saved_in_turn_and_errors_come_back() {
    let dir = Dir::new();
    let torrent = torrent(&[("t/a", 20_000), ("t/b", 20_000)]);
    let mut disk = Disk::new(&dir, Arc::clone(&torrent));
    let mut poll = mio::Poll::new().unwrap();
    let waker = mio::Waker::new(poll.registry(), mio::Token(3)).unwrap();
    let mut saver = Saver::new(Arc::new(waker));
    assert!(!saver.busy() && saver.next_outcome().is_none());
    write_all(&mut disk, &torrent, &noise(1, 40_000));
    // What is gone needs no sync; a restart sees that it is gone.
    fs::remove_file(dir.join("t/b")).unwrap();
    let path = dir.join("state/x");
    saver
        .save(Job {
            content: disk.unsynced().unwrap(),
            path: path.clone(),
            bytes: b"one".to_vec(),
        })
        .unwrap();
    assert!(saver.busy());
    let mut events = mio::Events::with_capacity(1);
    poll.poll(&mut events, Some(Duration::from_secs(60)))
        .unwrap();
    assert_eq!(
        events.iter().next().map(|event| event.token()),
        Some(mio::Token(3))
    );
    assert_eq!(saver.next_outcome(), Some(Ok(())));
    assert!(!saver.busy() && saver.next_outcome().is_none());
    assert_eq!(fs::read(&path).unwrap(), b"one");
    // A link where content was: it cannot be synced, and then nothing may be recorded.
    disk.write(whole(&torrent, 0), &noise(2, PIECE as usize))
        .unwrap();
    fs::remove_file(dir.join("t/a")).unwrap();
    symlink("/dev/null", dir.join("t/a")).unwrap();
    saver
        .save(Job {
            content: disk.unsynced().unwrap(),
            path: path.clone(),
            bytes: b"two".to_vec(),
        })
        .unwrap();
    let later = Job {
        content: disk.unsynced().unwrap(),
        path: path.clone(),
        bytes: b"three".to_vec(),
    };
    let _ = saver.save(later);
    let error = saver.finish(Duration::from_secs(60)).unwrap_err();
    assert_eq!((error.path, error.why), (dir.join("t/a"), Why::InTheWay));
    assert_eq!(fs::read(&path).unwrap(), b"one");
}
