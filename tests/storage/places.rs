//! Where content lies on disk, and where it never does.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use brooklet::base::Block;
use brooklet::io::disk::{ContentFiles, Pool, Why};
use brooklet::wire::Metainfo;

use crate::restart::TIME;
use crate::support::content::noise;
use crate::support::dir::Dir;
use crate::{Content, PIECE, torrent, whole};

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
    let mut disk = Content::new(&dir.join("new/folder"), &torrent);
    disk.write_all(&content);
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
    // One for each: after an error nothing more is written.
    let content = || Content::new(&dir.join("in"), &torrent);
    let mut disk = content();
    let refused = disk.look();
    assert_eq!(refused.len(), 3, "{refused:?}");
    assert!(refused.iter().all(|error| error.why == Why::InTheWay));
    assert_eq!(disk.stamps(), [None; 3]);
    for (piece, path) in [(0, "in/t/sub"), (2, "in/t/g"), (3, "in/t/x/y")] {
        let block = whole(&torrent, piece);
        let mut disk = content();
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
        let mut disk = Content::new(&dir.join("linked"), torrent);
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
        let mut disk = Content::new(&dir, &torrent);
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
    let mut disk = Content::new(&dir, &torrent);
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
    // Writing makes the short one as long as it will be, keeps what is there, and leaves the long
    // one's end alone.
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
fn what_lies_in_a_missing_folder_is_missing_and_nothing_else_is() {
    let dir = Dir::new();
    let torrent = torrent(&[
        ("t/a/b/1", 5),
        ("t/a/b/2", 5),
        ("t/a/bc", 5),
        ("t/a/c/d/3", 5),
        ("t/a/c/4", 5),
        ("t/e", 5),
    ]);
    for path in ["t/a/bc", "t/a/c/4", "t/e"] {
        dir.file(path, "12345");
    }
    let mut disk = ContentFiles::new(&dir, Arc::clone(&torrent), &Pool::for_process());
    let mut there = || {
        assert_eq!(disk.look(), []);
        let stamps = disk.stamps().iter();
        stamps.map(Option::is_some).collect::<Vec<_>>()
    };
    assert_eq!(there(), [false, false, true, false, true, true]);
    dir.file("t/a/b/2", "12345");
    assert_eq!(there(), [false, true, true, false, true, true]);
}

#[test]
fn files_without_bytes_are_made_when_asked_for() {
    let dir = Dir::new();
    let torrent = torrent(&[("t/a/one", 0), ("t/b/two", 0), ("t/c", 9)]);
    let mut disk = ContentFiles::new(&dir, Arc::clone(&torrent), &Pool::for_process());
    disk.make_empty([1, 2]).unwrap();
    assert!(
        dir.join("t/b/two").is_file() && !dir.join("t/a").exists() && !dir.join("t/c").exists()
    );
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
    let mut disk = ContentFiles::new(&dir, Arc::clone(&torrent), &Pool::for_process());
    assert_eq!(disk.look(), []);
    disk.read(0, &mut [0; 20_000]).unwrap();
    disk.make_empty(0..2).unwrap();
    assert!(disk.give_real_times(TIME));
    assert_eq!([stat("t"), stat("t/a"), stat("t/empty")], before);
}

#[test]
fn holes_are_found_and_data_is_none() {
    let dir = Dir::new();
    let torrent = torrent(&[("t/a", 40 * 16_384), ("t/b", 40 * 16_384)]);
    let mut disk = Content::new(&dir, &torrent);
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
    let mut disk = Content::new(&dir, &torrent);
    assert!(!disk.is_hole(50), "a file that is not there has no holes");
}
