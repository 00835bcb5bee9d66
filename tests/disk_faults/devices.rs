//! Real devices and users that refuse: file systems in memory that are small, one on a loop device
//! that turns read-only, folders of another user.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::support;
use crate::support::bench::{Bench, SOON, checked, wait_verified};
use crate::support::child::{Child, command_as_nobody, copy_program};
use crate::support::peer::{Manners, Peer};
use crate::support::room::Room;
use crate::{MIB, assert_fails, assert_recovers, assert_warned, get, missing, paced};

/// Another run in this room completes, and fetches what was not there. How many pieces it found.
fn recovers_in(room: &Room, bench: &Bench) -> u64 {
    let seed = Peer::start(&bench.torrent, Manners::default());
    let mut again = room.get(bench, &seed.addr(), &[]);
    let have = checked(&mut again);
    again.success(SOON);
    bench.torrent.content.assert_in(&room.inside);
    assert_eq!(seed.sent(), missing(bench, have), "{have} pieces");
    have
}

#[test]
fn a_disk_that_is_full_keeps_what_it_has_and_takes_the_rest_when_there_is_room() {
    if !Room::possible() {
        return;
    }
    let bench = Bench::new(1, 8 * MIB);
    let room = Room::make(&bench.content(), "size=3m");
    let seed = Peer::start(&bench.torrent, Manners::default());
    let mut child = room.get(&bench, &seed.addr(), &[]);
    assert_fails(&mut child, &["content.bin: ", "the disk is full"]);
    let verified = support::bench::verified(&mut child);
    room.run("mount -o remount,size=20m \"$1\"");
    let have = recovers_in(&room, &bench);
    assert!(have >= verified.max(24), "{have} of {verified}");
}

/// An ext4 that finds an error turns read-only (`errors=remount-ro`); `abort` makes it find one.
#[test]
fn a_disk_that_turns_read_only_ends_it_with_a_line() {
    if !Room::possible() || !support::installed(&["mkfs.ext4"]) {
        return;
    }
    if !Path::new("/dev/loop-control").exists() {
        return support::skip("there are no loop devices");
    }
    let bench = Bench::new(2, 2 * MIB);
    let image = bench.dir.file("image", vec![0; 16 * MIB]);
    let mount = "mkfs.ext4 -q -F \"$1\" && mount -o loop,errors=remount-ro \"$1\" \"$2\"";
    let room = Room::with(&bench.content(), mount, image.to_str().unwrap());
    let seed = paced(&bench, 2 * MIB);
    let mut child = room.get(&bench, &seed.addr(), &[]);
    wait_verified(&mut child, 8);
    room.run("mount -o remount,abort \"$1\"");
    assert_fails(&mut child, &["content"]);
    let again = format!(
        "umount \"$1\" && mount -o loop {} \"$1\" && rm -rf \"$1\"/lost+found",
        image.display()
    );
    room.run(&again);
    recovers_in(&room, &bench);
}

/// It completes; only what it knows of that is not recorded, and it says why.
fn assert_costs_resume_data(mut child: Child, bench: &Bench, why: &str) {
    child.success(SOON);
    assert_warned(&mut child, &["resume data not saved: ", why]);
    bench.assert_whole();
}

#[test]
fn a_state_folder_that_is_full_costs_the_resume_data_only() {
    if !Room::possible() {
        return;
    }
    // No room for a file's first byte.
    let bench = Bench::new(3, MIB);
    let state = bench.dir.folder("state");
    let fill = "mount -t tmpfs -o \"$1\" none \"$2\" && ! cat /dev/zero > \"$2\"/ballast";
    let room = Room::with(&state, &format!("{{ {fill}; }} 2>&1"), "size=64k");
    let seed = Peer::start(&bench.torrent, Manners::default());
    let child = room.get(&bench, &seed.addr(), &[]);
    assert_costs_resume_data(child, &bench, "the disk is full");
    assert_eq!(assert_recovers(&bench), 16);
}

/// The program, run by a user who owns nothing.
fn as_nobody(bench: &Bench, seed: &Peer) -> Child {
    // Nobody may not look into every folder that a build lies in.
    let own = bench.dir.join("brooklet");
    if !own.exists() {
        copy_program(env!("CARGO_BIN_EXE_brooklet"), &own);
    }
    let mut command = command_as_nobody(None, own);
    bench.arguments(&mut command, "get");
    Child::spawn("brooklet", command.args(["--peer", &seed.addr()]))
}

fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn folders_and_files_of_another_user_are_named() {
    if !support::root() {
        return;
    }
    let bench = Bench::new(4, MIB);
    let seed = Peer::start(&bench.torrent, Manners::default());
    allow(&bench.dir.folder("state"), 0o777);
    allow(&bench.content(), 0o755);
    let denied = ["content.bin: permission denied"];
    assert_fails(&mut as_nobody(&bench, &seed), &denied);
    allow(&bench.content(), 0o777);
    // A part of it, which others may read and only its owner may write to.
    let part = &bench.torrent.bytes[..MIB / 2];
    fs::write(crate::file(&bench), part).unwrap();
    assert_fails(&mut as_nobody(&bench, &seed), &denied);
    assert!(fs::read(crate::file(&bench)).unwrap() == part);
    // Now it may be written to, but its time may not be set.
    allow(&crate::file(&bench), 0o666);
    as_nobody(&bench, &seed).success(SOON);
    bench.assert_whole();
    assert_eq!(assert_recovers(&bench), 16);
}

/// It does not take a peer to find out.
#[test]
fn a_folder_that_cannot_be_written_to_ends_it_at_once() {
    if !Room::possible() {
        return;
    }
    let bench = Bench::new(6, MIB);
    let nobody = "127.0.0.1:1";
    let room = Room::make(&bench.content(), "size=3m,ro");
    let refused = ["content.bin: ", "read-only"];
    assert_fails(&mut room.get(&bench, nobody, &[]), &refused);
    // Part of it is there.
    let half = MIB / 2;
    let part =
        format!("mount -o remount,rw \"$1\" && head -c {half} /dev/zero > \"$1\"/content.bin");
    room.run(&format!("{part} && mount -o remount,ro \"$1\""));
    assert_fails(&mut room.get(&bench, nobody, &[]), &refused);
    // What is whole need not be written.
    room.run("mount -o remount,rw \"$1\"");
    recovers_in(&room, &bench);
    room.run("mount -o remount,ro \"$1\"");
    room.get(&bench, nobody, &[]).success(SOON);
}

#[test]
fn a_state_folder_of_another_user_costs_the_resume_data_only() {
    if !support::root() {
        return;
    }
    let bench = Bench::new(5, MIB);
    let seed = Peer::start(&bench.torrent, Manners::default());
    allow(&bench.dir.folder("state"), 0o755);
    allow(&bench.content(), 0o777);
    assert_costs_resume_data(as_nobody(&bench, &seed), &bench, "permission denied");
    get(&bench, &seed, "").success(SOON);
    assert_eq!(seed.sent(), MIB as u64);
}
