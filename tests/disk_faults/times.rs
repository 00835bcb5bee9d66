//! File systems that ignore a modification time, or take it only with the time of access.

use std::fs;

use crate::support::bench::{Bench, SOON, checked, verified, wait_verified};
use crate::support::child::Child;
use crate::support::content::Content;
use crate::support::peer::{Manners, Peer};
use crate::support::room::Room;
use crate::support::torrent::Torrent;
use crate::{
    KIB, MIB, assert_fails, assert_recovers, assert_warned, faulty, file, lines, missing, paced,
};

/// Two files that take some seconds, so that the clock shows each write.
fn two_files(number: u64) -> (Bench, Peer) {
    // All pieces have the same length, so that their number tells the bytes that lack.
    let files = [("a", 2 * MIB + 100), ("b", MIB - 100)];
    let bench = Bench::of(Torrent::new(Content::folder(number, "t", &files), 64 * KIB));
    let seed = paced(&bench, MIB);
    (bench, seed)
}

/// Downloads onto this mount, killed once and stopped once on the way, and ends well.
fn assert_like_any_other(bench: &Bench, seed: &Peer, room: &Room) {
    let mut had = 0;
    for signal in ["KILL", "TERM"] {
        let mut child = room.get(bench, &seed.addr(), &[]);
        let have = checked(&mut child);
        assert!(have >= had, "{have} of {had} pieces");
        wait_verified(&mut child, 8);
        child.signal(signal);
        child.exit(SOON);
        assert_eq!(lines(&mut child, true), Vec::<String>::new());
        had = have + verified(&mut child);
    }
    let mut child = room.get(bench, &seed.addr(), &[]);
    assert_eq!(checked(&mut child), had);
    child.success(SOON);
    assert_eq!(lines(&mut child, true), Vec::<String>::new());
    bench.torrent.content.assert_in(&room.inside);
    let mut again = room.get(bench, "127.0.0.1:1", &[]);
    again.success(SOON);
    assert_eq!(checked(&mut again), u64::from(bench.torrent.pieces()));
}

#[test]
fn a_file_system_that_ignores_a_modification_time_alone_is_like_any_other() {
    if !Room::can_bind() {
        return;
    }
    let (bench, seed) = two_files(1);
    let real = bench.dir.folder("real");
    let room = Room::bind(&bench.content(), &real);
    assert_like_any_other(&bench, &seed, &room);
}

/// Each call to set a time succeeds and does nothing.
const IGNORED: &str = "time:1+:SHORT";
const REFUSED: &str = "time:1+:EROFS";

fn get(bench: &Bench, seed: &Peer, faults: &str) -> Child {
    faulty(bench, "get", faults, &["--peer", &seed.addr()])
}

#[test]
fn where_no_time_can_be_set_it_is_said_once_and_nobody_is_accused() {
    for (number, faults) in [(3, IGNORED), (4, REFUSED)] {
        let (bench, seed) = two_files(number);
        let mut child = get(&bench, &seed, faults);
        child.success(SOON);
        assert_warned(
            &mut child,
            &["content/t/", "modification time", "hashed again"],
        );
        bench.assert_whole();
        let other = Peer::start(&bench.torrent, Manners::default());
        let mut again = get(&bench, &other, faults);
        again.success(SOON);
        assert_eq!(checked(&mut again), u64::from(bench.torrent.pieces()));
        assert_eq!(other.sent(), 0);
    }
}

#[test]
fn where_no_time_can_be_set_a_kill_loses_nothing() {
    let (bench, seed) = two_files(5);
    let mut child = get(&bench, &seed, IGNORED);
    wait_verified(&mut child, 8);
    child.kill();
    let had = verified(&mut child);
    let seed = Peer::start(&bench.torrent, Manners::default());
    let mut again = get(&bench, &seed, IGNORED);
    let have = checked(&mut again);
    assert!(have >= had, "{have} of {had} pieces");
    again.success(SOON);
    bench.assert_whole();
    assert!(seed.sent() <= missing(&bench, have));
}

/// Nobody can tell that write from ours, so it accuses nobody; but what it damaged is found.
#[test]
fn where_no_time_can_be_set_a_write_by_another_program_is_found_by_the_next_run() {
    let bench = Bench::new(6, MIB);
    let seed = paced(&bench, MIB);
    let mut child = get(&bench, &seed, IGNORED);
    wait_verified(&mut child, 8);
    let now = fs::metadata(file(&bench)).unwrap().modified().unwrap();
    let open = fs::File::options().write(true).open(file(&bench)).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&open, &vec![0x55; MIB], 0).unwrap();
    assert!(fs::metadata(file(&bench)).unwrap().modified().unwrap() >= now);
    child.success(SOON);
    let have = assert_recovers(&bench);
    assert!(have < 16, "{have}");
}

#[test]
fn where_no_time_can_be_set_a_file_that_is_cut_off_is_noticed() {
    let bench = Bench::new(7, MIB);
    let seed = paced(&bench, MIB);
    let mut child = get(&bench, &seed, IGNORED);
    wait_verified(&mut child, 4);
    let open = fs::File::options().write(true).open(file(&bench)).unwrap();
    open.set_len(1000).unwrap();
    assert_fails(&mut child, &["content.bin: ", "another program"]);
}
