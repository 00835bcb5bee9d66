//! Torrents that are dropped into the watch folder.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::Duration;

use brooklet::base::limits;

use super::run::{Run, SOON, one, wait};
use super::support::child::Stream;
use super::support::dir::Dir;

impl Run {
    pub fn watch(&self) -> PathBuf {
        self.folder().join("watch")
    }

    fn names(&self) -> Vec<String> {
        let name = |torrent: &super::support::json::Json| torrent.get("name").text().to_string();
        self.torrents().iter().map(name).collect()
    }

    /// Waits until a file was refused; the reason.
    pub fn reason(&self, name: &str) -> String {
        let (place, error) = (
            self.watch().join("failed").join(name),
            self.watch().join(format!("failed/{name}.error")),
        );
        wait(&format!("{name} is not refused"), || {
            fs::symlink_metadata(&place).is_ok()
        });
        assert!(fs::symlink_metadata(self.watch().join(name)).is_err());
        let reason = fs::read_to_string(error).unwrap();
        assert_eq!(reason.lines().count(), 1, "{reason}");
        reason.trim_end().to_string()
    }
}

#[test]
fn a_torrent_is_taken_once_it_is_whole() {
    let run = Run::start();
    let first = one("first", 100_000, 1);
    let whole = fs::read(first.write(&run.dir.join("first.torrent"), &[])).unwrap();
    let mut file = fs::File::create(run.watch().join("first.torrent")).unwrap();
    for part in whole.chunks(whole.len() / 3 + 1) {
        assert!(run.torrents().is_empty());
        assert!(run.watch().join("first.torrent").exists());
        file.write_all(part).unwrap();
    }
    drop(file);
    wait("it is not taken", || run.names() == ["first"]);
    let kept = run
        .folder()
        .join(format!("torrents/{}.torrent", first.hex()));
    assert_eq!(fs::read(kept).unwrap(), whole);
    wait("it is there yet", || {
        !run.watch().join("first.torrent").exists()
    });
    // Moved there from elsewhere, and under another name.
    let second = one("second", 100_000, 2);
    let other = second.write(&run.dir.join("x"), &[]);
    fs::rename(other, run.watch().join("x.TORRENT")).unwrap();
    wait("it is not taken", || run.names() == ["first", "second"]);
    assert_eq!(fs::read_dir(run.watch().join("failed")).unwrap().count(), 0);
}

#[test]
fn what_is_no_torrent_goes_to_failed_with_the_reason_beside_it() {
    let mut run = Run::start();
    let watch = run.watch();
    let whole = fs::read(one("a", 100_000, 1).write(&run.dir.join("a"), &[])).unwrap();
    fs::write(watch.join("torn.torrent"), &whole[..whole.len() / 2]).unwrap();
    fs::write(watch.join("link.magnet"), "magnet:?xt=urn:btih:00").unwrap();
    fs::write(watch.join("hash.magnet"), "d2474e86c95b19b8\n").unwrap();
    fs::create_dir(watch.join("folder.torrent")).unwrap();
    symlink(run.dir.join("a"), watch.join("out.torrent")).unwrap();
    let huge = fs::File::create(watch.join("huge.torrent")).unwrap();
    huge.set_len(limits::METAINFO_BYTES as u64 * 2).unwrap();
    for (name, words) in [
        ("torn.torrent", ""),
        (
            "link.magnet",
            "its info hash is neither 40 hexadecimal digits",
        ),
        (
            "hash.magnet",
            "it holds neither a magnet link nor an info hash",
        ),
        ("folder.torrent", "it is a folder"),
        ("out.torrent", "it is a symbolic link"),
        ("huge.torrent", "it is longer than 64 MiB"),
    ] {
        let reason = run.reason(name);
        assert!(reason.starts_with(words), "{name}: {reason}");
        let path = watch.join(name);
        run.child
            .line(&format!("{}: {reason}", path.display()), SOON);
    }
    assert!(run.torrents().is_empty());
    assert_eq!(
        fs::read(run.dir.join("a")).unwrap(),
        whole,
        "nothing behind a link moves"
    );
}

#[test]
fn the_same_torrent_twice_and_another_of_the_same_files_are_refused() {
    let mut run = Run::start();
    let (first, other) = (one("same", 100_000, 1), one("same", 100_000, 2));
    run.add(&first, &[]);
    first.write(&run.watch().join("again.torrent"), &[]);
    let reason = run.reason("again.torrent");
    assert_eq!(reason, "same: it is there already, as number 1");
    other.write(&run.watch().join("other.torrent"), &[]);
    let reason = run.reason("other.torrent");
    assert_eq!(
        reason,
        "same: number 1, same, has the same files: remove that first"
    );
    run.child.line("other.torrent: same: number 1", SOON);
    let said = run.child.text(Stream::Err);
    assert_eq!(said.matches("again.torrent").count(), 1, "{said}");
    assert_eq!(run.names(), ["same"]);
    // Once the first is gone, its files are free.
    run.says(&["remove", "1"]);
    other.write(&run.watch().join("other.torrent"), &[]);
    wait("it is not taken", || {
        run.torrents().iter().any(|it| it.get("number").count() > 1)
    });
}

#[test]
fn many_are_taken_and_an_idle_process_uses_no_time() {
    let run = Run::start();
    for n in 0..50 {
        one(&format!("t{n:02}"), 20_000, n)
            .write(&run.watch().join(format!("{n:02}.torrent")), &[]);
    }
    wait("not all are taken", || run.torrents().len() == 50);
    let numbers: Vec<u64> = run
        .torrents()
        .iter()
        .map(|it| it.get("number").count())
        .collect();
    assert_eq!(numbers, (1..=50).collect::<Vec<u64>>());
    run.says(&["pause", "all"]);
    run.until(&["paused"]);
    // What is measured is the time that passes.
    let before = run.child.cpu();
    std::thread::sleep(Duration::from_secs(5));
    let used = run.child.cpu() - before;
    assert!(used <= Duration::from_millis(10), "{used:?}");
}

/// Each thread's waits that ended, which tell how often the process woke.
fn wakes(pid: u32) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let lines = tasks.flat_map(|task| {
        let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
        let waits = status.lines().find(|line| line.starts_with("voluntary"));
        waits.map(str::to_owned)
    });
    lines.collect()
}

#[test]
fn fifty_idle_seeds_take_few_threads_and_files_and_do_not_wake() {
    let dir = Dir::new();
    let content = dir.folder("content");
    let quiet = ["--no-dht", "--no-lsd", "-d", content.to_str().unwrap()];
    let child = Run::begin(&dir.join("run"), &quiet);
    let run = Run { dir, child };
    for n in 0..50 {
        let torrent = one(&format!("t{n:02}"), 50_000, n);
        torrent.content.write(&content);
        torrent.write(&run.watch().join(format!("{n:02}.torrent")), &[]);
    }
    wait("not all are taken", || run.torrents().len() == 50);
    run.until(&["seeding"]);
    let pid = run.child.pid();
    // What is measured is the time that passes.
    wait("it wakes again and again", || {
        let before = wakes(pid);
        std::thread::sleep(Duration::from_secs(3));
        before == wakes(pid)
    });
    let threads = wakes(pid).len();
    assert!(threads <= 4, "{threads} threads");
    let handles = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let files =
        handles.filter(|it| fs::read_link(it.path()).is_ok_and(|to| to.starts_with(&content)));
    assert!(
        files.count() <= limits::OPEN_FILES.min(49),
        "a file of each is open"
    );
}
