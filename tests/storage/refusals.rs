//! A disk that is full, a user who may not, a process that may open few files.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use brooklet::base::Block;
use brooklet::io::disk::{Why, state};

use crate::restart::{TIME, resumed, snapshot};
use crate::saving::Helper;
use crate::support::child::copy_program;
use crate::support::content::noise;
use crate::support::dir::Dir;
use crate::{Content, PIECE, support, torrent, whole};

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
    let mut disk = Content::new(&mount, &torrent);
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

/// Twenty thousand files in a process that may open 64: written, read, pinned, synced, settled.
#[test]
fn twenty_thousand_files_need_few_handles() {
    const INSIDE: &str = "BROOKLET_FEW_HANDLES";
    if std::env::var_os(INSIDE).is_none() {
        let own = std::env::current_exe().unwrap();
        let script =
            "ulimit -n 64; exec \"$0\" --exact refusals::twenty_thousand_files_need_few_handles";
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
    let mut disk = Content::new(&dir, &torrent);
    assert_eq!(disk.look(), []);
    disk.write_all(&content);
    let open = fs::read_dir("/proc/self/fd").unwrap().count();
    assert!(open < 32, "{open}");
    let mut back = vec![0; content.len()];
    disk.read(0, &mut back).unwrap();
    assert!(back == content);
    let synced = Helper::new().save(&mut disk, &dir.join("state/x"), &[1]);
    assert_eq!(synced.unwrap().bytes, 2_000_000);
    assert!(disk.give_real_times(TIME));
    assert!(
        resumed(&dir, &torrent, &snapshot(&disk, &torrent, true))
            .hash
            .count()
            == 0
    );
}

#[test]
fn what_may_not_be_read_or_written_is_denied() {
    const INSIDE: &str = "BROOKLET_AS_NOBODY";
    if let Some(dir) = std::env::var_os(INSIDE) {
        let torrent = torrent(&[("t/secret", 100), ("t/new", 100)]);
        let mut disk = Content::new(Path::new(&dir), &torrent);
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
    copy_program(std::env::current_exe().unwrap(), &own);
    let mut nobody = Command::new("setpriv");
    nobody
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"])
        .arg(own);
    nobody
        .args([
            "--exact",
            "refusals::what_may_not_be_read_or_written_is_denied",
        ])
        .env(INSIDE, &*dir);
    passes(&mut nobody);
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
