//! Whose a file is that lies where a download would write, when resume data of that torrent are
//! there: the file that we wrote is ours whatever another program has made of it; one that was put
//! in its place, or lies in another folder, is the user's.

mod support;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use support::bench::{Bench, SOON, checked, wait_verified};
use support::child::{Child, Stream};
use support::content::{Content, noise};
use support::peer::{Manners, Peer};
use support::torrent::Torrent;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
const PIECE: usize = 64 * KIB;
const OWN: &[u8] = b"my own words";
const SLOW: [&str; 3] = ["--sequential", "--down", "256K"];

fn bench(number: u64) -> (Bench, Peer) {
    let bench = Bench::new(number, MIB);
    let seed = Peer::start(&bench.torrent, Manners::default());
    (bench, seed)
}

fn get(bench: &Bench, seed: &Peer, options: &[&str]) -> Child {
    bench.get(&[seed.addr()], options)
}

/// A download that was stopped in the middle.
fn stopped(number: u64, signal: &str) -> (Bench, Peer) {
    let (bench, seed) = bench(number);
    let mut child = get(&bench, &seed, &SLOW);
    wait_verified(&mut child, 3);
    stop(&mut child, signal);
    (bench, seed)
}

fn stop(child: &mut Child, signal: &str) {
    if signal == "KILL" {
        child.kill();
    } else {
        child.signal(signal);
        assert_eq!(child.code(SOON), 143);
    }
}

fn file(bench: &Bench) -> PathBuf {
    bench.content().join("content.bin")
}

fn cut(path: &Path, len: usize) {
    let file = File::options().write(true).open(path).unwrap();
    file.set_len(len as u64).unwrap();
}

/// Puts another file in the place of ours: made beside it and renamed, or made when ours is gone,
/// so that it may be given the same inode.
fn replace(path: &Path, bytes: &[u8], renamed: bool) {
    if renamed {
        let beside = path.with_extension("beside");
        fs::write(&beside, bytes).unwrap();
        fs::rename(beside, path).unwrap();
    } else {
        fs::remove_file(path).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

fn assert_goes_on(bench: &Bench, seed: &Peer, options: &[&str], case: &str) {
    let mut child = get(bench, seed, options);
    let code = child.code(SOON);
    if code != 0 {
        child.fail(&format!("{case}: exit code {code}"));
    }
    bench.assert_whole();
}

/// It ends with 1, names `--overwrite`, and leaves the file as it is.
fn assert_refused(bench: &Bench, seed: &Peer, options: &[&str], path: &Path, case: &str) {
    let before = fs::read(path).unwrap();
    let mut child = get(bench, seed, options);
    let code = child.code(SOON);
    let said = child.text(Stream::Err);
    if code != 1 || !said.contains("content.bin: ") || !said.contains("--overwrite") {
        child.fail(&format!("{case}: exit code {code}"));
    }
    assert!(fs::read(path).unwrap() == before, "{case}: it was written");
}

#[test]
fn our_own_file_that_another_program_has_cut_off_is_written_again() {
    for (number, len) in [(1, 1), (2, 100), (3, PIECE + 1)] {
        let (bench, seed) = stopped(number, "TERM");
        cut(&file(&bench), len);
        let mut child = get(&bench, &seed, &[]);
        assert_eq!(checked(&mut child), (len / PIECE) as u64);
        child.success(SOON);
        bench.assert_whole();
        // The same after it was complete, and with nothing believed.
        cut(&file(&bench), len);
        assert_goes_on(&bench, &seed, &["--recheck"], &format!("cut to {len}"));
    }
}

#[test]
fn our_own_file_in_which_nothing_matches_any_more_is_written_again() {
    for (number, bytes) in [
        (4, OWN.to_vec()),
        (5, noise(99, MIB / 2)),
        (6, noise(98, MIB)),
    ] {
        let (bench, seed) = stopped(number, "TERM");
        fs::write(file(&bench), bytes).unwrap();
        assert_goes_on(&bench, &seed, &[], "written over in place");
    }
}

/// It is the same file in whatever folder.
#[test]
fn our_own_file_may_be_moved_and_cut_off() {
    let (bench, seed) = stopped(7, "TERM");
    cut(&file(&bench), 100);
    let other = bench.dir.folder("other");
    fs::rename(file(&bench), other.join("content.bin")).unwrap();
    get(&bench, &seed, &["--dir", other.to_str().unwrap()]).success(SOON);
    bench.torrent.content.assert_in(&other);
}

#[test]
fn one_of_several_files_may_be_cut_off() {
    let files = [("a", 256 * KIB), ("b", 256 * KIB), ("c", 256 * KIB)];
    let bench = Bench::of(Torrent::new(Content::folder(8, "t", &files), PIECE));
    let seed = Peer::start(&bench.torrent, Manners::default());
    let mut child = get(&bench, &seed, &SLOW);
    wait_verified(&mut child, 6);
    stop(&mut child, "TERM");
    cut(&bench.content().join("t/b"), 5);
    let mut child = get(&bench, &seed, &[]);
    assert_eq!(checked(&mut child), 4);
    child.success(SOON);
    bench.assert_whole();
}

#[test]
fn another_file_in_the_place_of_ours_is_the_users_own() {
    for signal in ["TERM", "KILL"] {
        for (number, len) in [(10, OWN.len()), (11, MIB / 2), (12, MIB)] {
            for renamed in [true, false] {
                let (bench, seed) = stopped(number, "TERM");
                if signal == "KILL" {
                    // What is on record now says that more may have been written.
                    let mut child = get(&bench, &seed, &SLOW);
                    wait_verified(&mut child, 1);
                    stop(&mut child, signal);
                }
                replace(&file(&bench), &noise(97, len), renamed);
                let case = format!("{signal}, {len} bytes, renamed: {renamed}");
                assert_refused(&bench, &seed, &[], &file(&bench), &case);
                assert_refused(&bench, &seed, &["--recheck"], &file(&bench), &case);
                assert_goes_on(&bench, &seed, &["--overwrite"], &case);
            }
        }
    }
}

/// The end of the run in which that is noticed must not make it ours.
#[test]
fn a_file_that_was_put_in_the_place_of_ours_under_way_is_the_users_own() {
    for (number, len) in [(20, OWN.len()), (21, MIB)] {
        let (bench, seed) = stopped(number, "TERM");
        let mut child = get(&bench, &seed, &SLOW);
        wait_verified(&mut child, 1);
        let bytes = noise(96, len);
        replace(&file(&bench), &bytes, true);
        assert_eq!(child.code(SOON), 1);
        assert!(fs::read(file(&bench)).unwrap() == bytes);
        assert_refused(&bench, &seed, &[], &file(&bench), &format!("{len} bytes"));
    }
}

/// Before the first write of this run to it there is no open file that would tell.
#[test]
fn a_file_that_is_put_in_the_place_of_ours_before_the_first_write_is_not_written_to() {
    let files = [("a", 256 * KIB), ("content.bin", 256 * KIB)];
    let bench = Bench::of(Torrent::new(Content::folder(25, "t", &files), PIECE));
    let seed = Peer::start(&bench.torrent, Manners::default());
    let path = bench.content().join("t/content.bin");
    fs::create_dir_all(bench.content().join("t")).unwrap();
    fs::write(&path, &bench.torrent.bytes[256 * KIB..448 * KIB]).unwrap();
    let mut child = get(&bench, &seed, &["--sequential", "--down", "64K"]);
    wait_verified(&mut child, 1);
    replace(&path, OWN, true);
    assert_eq!(child.code(SOON), 1);
    assert!(child.text(Stream::Err).contains("--overwrite"));
    assert!(fs::read(&path).unwrap() == OWN);
}

#[test]
fn resume_data_of_one_folder_say_nothing_of_a_file_in_another() {
    for signal in ["TERM", "KILL"] {
        for (number, len) in [(30, OWN.len()), (31, MIB / 2), (32, MIB)] {
            let (bench, seed) = stopped(number, signal);
            let other = bench.dir.folder("other");
            let path = other.join("content.bin");
            fs::write(&path, noise(95, len)).unwrap();
            let options = ["--dir", other.to_str().unwrap()];
            let case = format!("{signal}, {len} bytes");
            assert_refused(&bench, &seed, &options, &path, &case);
            // Nor does the refusal take from the first what is known of it.
            if signal == "TERM" {
                cut(&file(&bench), 1);
            }
            assert_goes_on(&bench, &seed, &[], &case);
        }
    }
}

/// A neighbour that was not chosen and was there before is not ours after a kill either.
#[test]
fn a_kill_does_not_make_a_neighbour_ours() {
    let files = [("a", 300 * KIB), ("content.bin", 300 * KIB)];
    let bench = Bench::of(Torrent::new(Content::folder(40, "t", &files), PIECE));
    let seed = Peer::start(&bench.torrent, Manners::default());
    let path = bench.content().join("t/content.bin");
    fs::create_dir_all(bench.content().join("t")).unwrap();
    fs::write(&path, noise(94, 300 * KIB)).unwrap();
    let mut child = get(&bench, &seed, &["--files", "1", "--down", "128K"]);
    wait_verified(&mut child, 1);
    stop(&mut child, "KILL");
    assert_refused(&bench, &seed, &[], &path, "all files");
    get(&bench, &seed, &["--files", "1"]).success(SOON);
    assert!(fs::read(&path).unwrap() == noise(94, 300 * KIB));
}

/// What was made after the last save is not on record: it is known by its length.
#[test]
fn after_a_kill_what_was_written_since_the_last_save_is_ours() {
    let (bench, seed) = stopped(50, "KILL");
    let bytes = fs::read(file(&bench)).unwrap();
    assert_eq!(bytes.len(), MIB);
    // As if it had been killed in its first piece.
    let keep = File::options().write(true).open(file(&bench)).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&keep, &vec![0; MIB - 1], 1).unwrap();
    assert_goes_on(&bench, &seed, &[], "killed");
}
