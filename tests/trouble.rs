//! What the machine may refuse: room on the disk, a folder, a port, handles. And files that are not
//! as they should be. Each gets one clear line, and nothing is lost.

mod support;

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Command;

use support::bench::{Bench, SOON, checked};
use support::child::{Child, Stream, command};
use support::content::Content;
use support::peer::{Manners, Peer};
use support::torrent::Torrent;

const MIB: usize = 1024 * 1024;

#[test]
fn a_full_disk_ends_it_with_a_line() {
    let bench = Bench::new(1, 8 * MIB);
    let Some(mut get) = get_on_mount(&bench, "size=2m") else {
        return;
    };
    assert_fails(&mut get, &["content.bin"]);
}

#[test]
fn a_folder_that_cannot_be_written_ends_it_with_a_line() {
    let bench = Bench::new(2, MIB);
    let Some(mut get) = get_on_mount(&bench, "ro") else {
        return;
    };
    assert_fails(&mut get, &["content"]);
}

#[test]
fn a_folder_that_is_a_file_ends_it_with_a_line() {
    let bench = Bench::new(3, MIB);
    fs::remove_dir(bench.content()).unwrap();
    fs::write(bench.content(), "in the way").unwrap();
    let seed = Peer::start(&bench.torrent, Manners::default());
    let mut get = bench.get(&[seed.addr()], &[]);
    assert_fails(&mut get, &["content"]);
    assert_eq!(fs::read(bench.content()).unwrap(), b"in the way");
}

#[test]
fn a_state_folder_that_cannot_be_used_costs_the_resume_data_only() {
    let bench = Bench::new(11, MIB);
    let seed = Peer::start(&bench.torrent, Manners::default());
    let state = bench.content().join("state");
    fs::write(&state, "in the way").unwrap();
    let mut get = bench.get(&[seed.addr()], &["--state", state.to_str().unwrap()]);
    get.success(SOON);
    bench.assert_whole();
    assert_eq!(fs::read(&state).unwrap(), b"in the way");
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let bench = Bench::new(4, MIB);
    bench.fill();
    for verb in ["seed", "get"] {
        let mut child = bench.run(verb, &["--port", &port]);
        assert_fails(&mut child, &[&port]);
    }
}

#[test]
fn a_file_that_is_too_short_is_completed() {
    let bench = Bench::new(5, 4 * MIB);
    bench.fill();
    let file = bench.content().join("content.bin");
    let opened = fs::OpenOptions::new().write(true).open(&file).unwrap();
    opened.set_len(3 * MIB as u64 + 5).unwrap();

    let mut seeder = bench.run("seed", &[]);
    assert_eq!(checked(&mut seeder), 48, "3 MiB in pieces of 64 KiB");
    seeder.kill();
    assert_eq!(fs::metadata(&file).unwrap().len(), 3 * MIB as u64 + 5);

    let seed = Peer::start(&bench.torrent, Manners::default());
    bench.get(&[seed.addr()], &[]).success(SOON);
    bench.assert_whole();
    assert_eq!(seed.sent(), MIB as u64, "what was there is kept");
}

#[test]
fn a_folder_in_the_place_of_a_file_ends_it_with_a_line() {
    let bench = Bench::new(7, MIB);
    fs::create_dir(bench.content().join("content.bin")).unwrap();
    let seed = Peer::start(&bench.torrent, Manners::default());
    let mut get = bench.get(&[seed.addr()], &[]);
    assert_fails(&mut get, &["content.bin"]);
}

#[test]
fn twenty_thousand_files_need_few_handles() {
    let files: Vec<(String, usize)> = (0..20_000)
        .map(|number| (format!("{}/{number}", number / 500), number % 211))
        .collect();
    let files: Vec<(&str, usize)> = files
        .iter()
        .map(|(path, len)| (path.as_str(), *len))
        .collect();
    let bench = Bench::of(Torrent::new(Content::folder(8, "many", &files), 16 * 1024));
    let seed = Peer::start(&bench.torrent, Manners::default());
    let mut limited = command(None, "sh");
    limited.args(["-c", "ulimit -n 256 && exec \"$@\"", "sh"]);
    limited.arg(env!("CARGO_BIN_EXE_brooklet"));
    bench.arguments(&mut limited, "get");
    let mut get = Child::spawn("brooklet", limited.args(["--peer", &seed.addr()]));
    // Some disks take a minute to make so many files.
    get.success(9 * SOON);
    bench.assert_whole();
}

#[test]
fn content_that_is_complete_is_not_touched() {
    let bench = Bench::new(9, 2 * MIB);
    bench.fill();
    let file = bench.content().join("content.bin");
    let long_ago = std::time::SystemTime::UNIX_EPOCH + SOON;
    let opened = fs::File::options().write(true).open(&file).unwrap();
    opened.set_modified(long_ago).unwrap();
    for _ in 0..2 {
        bench.run("get", &[]).success(SOON);
        assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), long_ago);
    }
}

#[test]
fn damaged_resume_data_only_costs_a_check() {
    let bench = Bench::new(10, 2 * MIB);
    bench.fill();
    bench.run("get", &[]).success(SOON);
    let file = bench
        .dir
        .join(format!("state/{}.resume", bench.torrent.hex()));
    let saved = fs::read(&file).unwrap();
    let mut flipped = saved.clone();
    flipped[saved.len() / 2] ^= 0xff;
    let longer = [&saved[..], b"more"].concat();
    for damaged in [b"", &saved[..saved.len() / 2], &flipped, &longer] {
        fs::write(&file, damaged).unwrap();
        bench.run("get", &[]).success(SOON);
        bench.assert_whole();
    }
}

/// A `get` whose content folder is a file system of its own, which nobody else sees; `None`, and
/// skipped, if we may not.
fn get_on_mount(bench: &Bench, options: &str) -> Option<Child> {
    if !support::root() || !support::installed(&["unshare", "mount"]) {
        return None;
    }
    let seed = Peer::start(&bench.torrent, Manners::default());
    let mut mounted = mounting(&bench.content(), options);
    bench.arguments(&mut mounted, "get");
    let mut get = Child::spawn("brooklet", mounted.args(["--peer", &seed.addr()]));
    // The seed stays until the download has ended.
    get.exit(SOON);
    Some(get)
}

/// Runs brooklet in a mount namespace with a tmpfs on this folder.
fn mounting(folder: &Path, options: &str) -> Command {
    let mut mounting = command(None, "unshare");
    let script = "mount -t tmpfs -o \"$1\" none \"$2\" && shift 2 && exec \"$@\"";
    mounting.args(["--mount", "sh", "-c", script, "sh", options]);
    mounting.arg(folder).arg(env!("CARGO_BIN_EXE_brooklet"));
    mounting
}

/// It ends with exit code 1 and one line on standard error that names all this, and says the same
/// as an event.
fn assert_fails(child: &mut Child, names: &[&str]) {
    let code = child.code(SOON);
    assert_eq!(code, 1);
    let text = child.text(Stream::Err);
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("brooklet: ") && !line.starts_with("brooklet: warning: "))
        .collect();
    let &[line] = &lines[..] else {
        child.fail("it should end with one line that begins with \"brooklet: \"");
    };
    if !names.iter().all(|name| line.contains(name)) || line.matches(": ").count() < 2 {
        child.fail(&format!("{line:?} should name {names:?} and say why"));
    }
    let message = child.event("error", SOON);
    assert!(
        line.contains(message.get("message").text()),
        "{line:?}, but {message:?}"
    );
}
