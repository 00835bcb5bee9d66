//! Faults while a download is under way, at each of the calls that it makes.

use std::fs;

use crate::support::bench::{Bench, SOON, checked};
use crate::support::child::{Child, brooklet};
use crate::support::content::Content;
use crate::support::peer::{Manners, Peer};
use crate::support::torrent::Torrent;
use crate::{
    FAULTS, KIB, MIB, assert_fails, assert_nothing_lost, assert_recovers, assert_warned, faulty,
    file, get, lines, paced, resume,
};

#[test]
fn what_cannot_be_written_ends_it_and_nothing_verified_is_lost() {
    let bench = Bench::new(1, MIB);
    let seed = paced(&bench, 8 * MIB);
    for (faults, why) in [
        ("open:1:EACCES", "permission denied"),
        ("open:1:EIO", "input/output error"),
        ("resize:1:ENOSPC", "the disk is full"),
        ("write:1:EIO", "input/output error"),
        ("write:3:EIO", "input/output error"),
        ("write:3+:ENOSPC", "the disk is full"),
        ("write:3+:EDQUOT", "quota"),
        ("write:4+:EROFS", "read-only file system"),
        ("write:2:ESTALE", "stale"),
        ("write:2:SHORT,write:3:EIO", "input/output error"),
    ] {
        let mut child = get(&bench, &seed, faults);
        assert_fails(&mut child, &["content.bin: ", why]);
        assert_nothing_lost(&bench, &mut child);
        fs::remove_file(file(&bench)).unwrap();
        fs::remove_file(resume(&bench)).unwrap();
    }
}

#[test]
fn content_that_does_not_reach_the_disk_is_never_vouched_for() {
    // Synced in the middle, and only at the end.
    for (size, faults, name, why) in [
        (6 * MIB, "sync:1:EIO", "content.bin: ", "input/output error"),
        (6 * MIB, "sync:2:EIO", "content.bin: ", "input/output error"),
        (MIB, "sync:1:EIO", "content.bin: ", "input/output error"),
        (MIB, "sync:1+:ENOSPC", "content.bin: ", "the disk is full"),
        (MIB, "syncname:1:EIO", "content: ", "input/output error"),
        (MIB, "open:2:ENOENT", "content.bin: ", "another program"),
    ] {
        let bench = Bench::new(2, size);
        let seed = paced(&bench, 12 * MIB);
        let mut child = get(&bench, &seed, faults);
        assert_fails(&mut child, &[name, why]);
        // What was saved before speaks of nothing that was written since.
        let saved = crate::record::verified(&bench);
        let synced = if faults == "sync:2:EIO" { 96 } else { 0 };
        assert!(saved <= synced, "{faults}: {saved} pieces are vouched for");
        assert_nothing_lost(&bench, &mut child);
    }
}

#[test]
fn short_writes_and_times_that_cannot_be_set_do_no_harm() {
    for faults in ["write:1+:SHORT", "time:1:EIO", "time:1+:EACCES"] {
        let bench = Bench::new(3, MIB);
        let seed = Peer::start(&bench.torrent, Manners::default());
        let mut child = get(&bench, &seed, faults);
        child.success(SOON);
        // One that fails once is tried with the time of access, too.
        let warned = usize::from(faults == "time:1+:EACCES");
        assert_eq!(lines(&mut child, true).len(), warned, "{faults}");
        bench.assert_whole();
        // Known without a look into it, or hashed: all is there.
        assert_eq!(assert_recovers(&bench), 16, "{faults}");
        assert_eq!(seed.sent(), MIB as u64);
    }
}

#[test]
fn resume_data_that_cannot_be_saved_only_cost_a_check() {
    for call in ["create", "fill", "flush", "rename", "settle"] {
        for (when, error) in [("1", "ENOSPC"), ("1+", "EIO"), ("1+", "EROFS")] {
            let bench = Bench::new(4, MIB);
            let seed = Peer::start(&bench.torrent, Manners::default());
            let mut child = get(&bench, &seed, &format!("{call}:{when}:{error}"));
            child.success(SOON);
            bench.assert_whole();
            assert_warned(
                &mut child,
                &["resume data not saved: ", &bench.torrent.hex()],
            );
            let before = fs::read(resume(&bench)).ok();
            // The cause may be gone before the end.
            assert!(
                before.is_some() || when == "1+",
                "{call}: it was not tried again"
            );
            assert_eq!(assert_recovers(&bench), 16);
        }
    }
}

#[test]
fn what_cannot_be_read_while_checking_is_named_and_fetched_again() {
    let bench = Bench::new(5, MIB);
    bench.fill();
    let seed = Peer::start(&bench.torrent, Manners::default());
    let mut child = get(&bench, &seed, "read:3:EIO,read:5:EIO");
    assert_eq!(checked(&mut child), 14);
    child.success(SOON);
    assert_warned(&mut child, &["content.bin: input/output error"]);
    bench.assert_whole();
    assert_eq!(seed.sent(), 128 * KIB as u64);
}

#[test]
fn what_cannot_be_read_back_ends_it() {
    // Blocks of one piece from two peers: some come before their turn and are read back to be
    // hashed.
    let bench = Bench::of(Torrent::new(
        Content::file(6, "content.bin", 4 * MIB),
        4 * MIB,
    ));
    let seeds = [paced(&bench, 8 * MIB), paced(&bench, 8 * MIB)];
    let peers = seeds
        .iter()
        .flat_map(|seed| [String::from("--peer"), seed.addr()]);
    let peers: Vec<String> = peers.collect();
    let options: Vec<&str> = peers.iter().map(String::as_str).collect();
    let mut child = faulty(&bench, "get", "read:1+:EIO", &options);
    assert_fails(&mut child, &["content.bin: input/output error"]);
    assert_recovers(&bench);
}

#[test]
fn resume_data_that_cannot_be_read_are_named_and_cost_a_check() {
    let bench = Bench::new(7, MIB);
    let seed = Peer::start(&bench.torrent, Manners::default());
    get(&bench, &seed, "").success(SOON);
    let mut child = get(&bench, &seed, "load:1:EIO");
    assert_eq!(checked(&mut child), 16);
    child.success(SOON);
    assert_warned(&mut child, &[&bench.torrent.hex(), "input/output error"]);
    assert_eq!(seed.sent(), MIB as u64);
}

/// What waits for the disk is given up: at this pace it would take a minute.
#[test]
fn an_error_behind_a_slow_disk_does_not_wait_for_what_is_queued() {
    let bench = Bench::new(8, 16 * MIB);
    let seed = Peer::start(&bench.torrent, Manners::default());
    let mut command = brooklet(None);
    bench.arguments(&mut command, "get");
    command.args(["--peer", &seed.addr()]);
    command.env(FAULTS, "write:4:EIO");
    command.env("BROOKLET_WRITE_PACE", (48 * KIB).to_string());
    let mut child = Child::spawn("brooklet", &mut command);
    child.line("input/output error", 3 * SOON);
    let since = std::time::Instant::now();
    assert_fails(&mut child, &["content.bin: input/output error"]);
    assert!(since.elapsed() < SOON / 2, "{:?}", since.elapsed());
    assert_nothing_lost(&bench, &mut child);
}

#[test]
fn check_names_what_cannot_be_read() {
    let bench = Bench::new(9, MIB);
    bench.fill();
    let mut command = brooklet(None);
    command.arg("check").arg(bench.dir.join("torrent"));
    command.arg("--dir").arg(bench.content());
    command.env(FAULTS, "read:3:EIO");
    let mut child = Child::spawn("brooklet", &mut command);
    assert_eq!(child.code(SOON), 4);
    child.line("unreadable content.bin: input/output error", SOON);
}
