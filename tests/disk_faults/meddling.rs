//! Other programs that change files while they are downloaded.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::{FileExt as _, symlink};
use std::path::Path;

use crate::support::bench::{Bench, SOON, wait_verified};
use crate::support::child::Child;
use crate::support::content::{Content, noise};
use crate::support::peer::Peer;
use crate::support::torrent::Torrent;
use crate::{
    KIB, MIB, assert_fails, assert_nothing_lost, assert_recovers, file, get, lines, paced,
};

/// What another program does, and how it is put right again.
type Deed = fn(&Path);

fn nothing(_: &Path) {}

fn clear(path: &Path) {
    let _ = fs::remove_file(path);
    let _ = fs::remove_dir(path);
}

/// A download of 16 pieces, this done to its file when four are there: it fails with a line that
/// names the file, and recovers.
fn assert_noticed(deed: &str, run: Deed, mend: Deed) {
    let bench = Bench::new(1, MIB);
    let seed = paced(&bench, 2 * MIB);
    let mut child = get(&bench, &seed, "");
    wait_verified(&mut child, 4);
    run(&file(&bench));
    eprintln!("{deed}");
    assert_fails(&mut child, &["content.bin: ", "another program"]);
    assert_never_complete(&mut child);
    mend(&file(&bench));
    assert_recovers(&bench);
}

/// Whoever reads the events must not take a damaged download for a complete one.
fn assert_never_complete(child: &mut Child) {
    assert_eq!(child.events("complete").len(), 0);
    assert_eq!(child.events("error").len(), 1);
    let stopped = child.event("stopped", SOON);
    assert_eq!(stopped.get("reason").text(), "error");
}

#[test]
fn a_file_that_is_cut_off_grown_or_overwritten_is_noticed() {
    assert_noticed(
        "cut off",
        // Two of the four pieces that are there stay at least: they prove it to be the torrent's.
        |path| open(path).set_len((MIB - 100 * KIB) as u64).unwrap(),
        nothing,
    );
    assert_noticed("emptied", |path| open(path).set_len(0).unwrap(), nothing);
    assert_noticed(
        "emptied and grown again",
        |path| {
            open(path).set_len(0).unwrap();
            open(path).set_len(MIB as u64).unwrap();
        },
        nothing,
    );
    assert_noticed(
        "grown",
        |path| {
            let mut file = File::options().append(true).open(path).unwrap();
            file.write_all(b"and more").unwrap();
        },
        |path| open(path).set_len(MIB as u64).unwrap(),
    );
    assert_noticed(
        "overwritten",
        |path| open(path).write_all_at(&noise(9, 100 * KIB), 0).unwrap(),
        nothing,
    );
}

#[test]
fn a_file_that_is_deleted_or_replaced_is_noticed() {
    assert_noticed("deleted", |path| fs::remove_file(path).unwrap(), nothing);
    assert_noticed(
        "replaced",
        |path| {
            let other = path.with_extension("new");
            fs::write(&other, noise(9, MIB)).unwrap();
            fs::rename(&other, path).unwrap();
        },
        nothing,
    );
    assert_noticed(
        "replaced by a copy of the same time",
        |path| {
            let copy = path.with_extension("new");
            fs::copy(path, &copy).unwrap();
            let time = fs::metadata(path).unwrap().modified().unwrap();
            open(&copy).set_modified(time).unwrap();
            fs::rename(&copy, path).unwrap();
        },
        nothing,
    );
    assert_noticed(
        "a link",
        |path| {
            fs::remove_file(path).unwrap();
            symlink("/dev/null", path).unwrap();
        },
        clear,
    );
    assert_noticed(
        "a folder",
        |path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        },
        clear,
    );
}

/// A folder of two files: the second is downloaded when something happens to the first, which is
/// complete and synced.
#[test]
fn a_file_that_goes_when_it_is_complete_is_noticed_at_the_end() {
    let content = Content::folder(2, "t", &[("a", 256 * KIB), ("b", 768 * KIB)]);
    let bench = Bench::of(Torrent::new(content, 64 * KIB));
    let seed = paced(&bench, 2 * MIB);
    let options = ["--sequential", "--peer", &seed.addr()];
    let mut child = crate::faulty(&bench, "get", "", &options);
    wait_verified(&mut child, 6);
    fs::remove_file(bench.content().join("t/a")).unwrap();
    assert_fails(&mut child, &["t/a: ", "another program"]);
    assert_never_complete(&mut child);
    assert_eq!(assert_recovers(&bench), 12);
}

/// Wherever the folder lies now: what was written lies there.
#[test]
fn a_folder_that_is_moved_away_is_noticed_and_can_be_moved_back() {
    let content = Content::folder(3, "t", &[("sub/a", 512 * KIB), ("sub/b", 512 * KIB)]);
    let bench = Bench::of(Torrent::new(content, 64 * KIB));
    let seed = paced(&bench, 2 * MIB);
    let mut child = get(&bench, &seed, "");
    wait_verified(&mut child, 4);
    let (here, away) = (bench.content().join("t"), bench.content().join("away"));
    fs::rename(&here, &away).unwrap();
    // It may have had the folder open and fill it there, or find that nothing is where it should
    // be.
    let code = child.code(SOON);
    if code == 1 {
        let said = lines(&mut child, false);
        assert!(said.len() == 1 && said[0].contains("content/t"), "{said:?}");
    } else {
        assert_eq!(code, 0);
    }
    // What it may have begun to make in the same place is of no use.
    let _ = fs::remove_dir_all(&here);
    fs::rename(&away, &here).unwrap();
    assert_nothing_lost(&bench, &mut child);
}

#[test]
fn a_state_folder_that_is_deleted_is_made_again() {
    let bench = Bench::new(4, MIB);
    let seed: Peer = paced(&bench, 2 * MIB);
    let mut child = get(&bench, &seed, "");
    wait_verified(&mut child, 4);
    let state = bench.dir.join("state");
    fs::remove_dir_all(&state).unwrap();
    child.success(SOON);
    assert!(lines(&mut child, true).is_empty());
    assert_eq!(crate::record::verified(&bench), 16);
    assert_recovers(&bench);
}

fn open(path: &Path) -> File {
    File::options().write(true).open(path).unwrap()
}
