//! What a start does with what the last run has left: limits, torrents that were to be removed,
//! many torrents.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::run::{Run, SOON, one, wait};
use super::support::content::Content;
use super::support::torrent::Torrent;
use super::support::trackers::OpenTracker;

#[test]
fn limits_that_were_set_hold_until_the_options_change() {
    let mut run = Run::start();
    run.says(&["limit", "--down", "2M"]);
    run.restart(&[]);
    assert_eq!(run.limits(), [Some(2097), None]);
    // Each direction for itself; and what was set while there was an option.
    run.restart(&["--up", "1M"]);
    assert_eq!(run.limits(), [Some(2097), Some(1049)]);
    run.says(&["limit", "--up", "none"]);
    run.restart(&["--up", "1M"]);
    assert_eq!(run.limits(), [Some(2097), None]);
    run.restart(&["--up", "4M"]);
    assert_eq!(run.limits(), [Some(2097), Some(4194)]);
    // A file that is read again is an option, too.
    fs::write(run.folder().join("config"), "down 1M\n").unwrap();
    run.child.signal("HUP");
    wait("the limit is the old one", || run.limits()[0] == Some(1049));
    run.says(&["limit", "--down", "3M"]);
    run.restart(&["--up", "4M"]);
    assert_eq!(run.limits(), [Some(3146), Some(4194)]);
    run.stop();
    fs::write(run.folder().join("config"), "").unwrap();
    run.start_again(&[]);
    assert_eq!(run.limits(), [None, None]);
}

/// How many files there are below a folder.
fn files(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let count = |path: &Path| if path.is_dir() { files(path) } else { 1 };
    entries.map(|entry| count(&entry.path())).sum()
}

/// Removes a torrent with its data, and kills the process when `now` says so. Whether it answered.
fn kill_amid_removal(run: &mut Run, number: &str, mut now: impl FnMut() -> bool) -> bool {
    let mut client = run.asks(&["remove", "--data", number]);
    while !now() {
        std::hint::spin_loop();
    }
    run.child.kill();
    client.exit(SOON).success()
}

/// Whatever moment the process dies at: if it has answered, all of it goes in the end; if not, it
/// is all there, or goes.
#[test]
fn a_torrent_that_is_removed_with_its_data_is_not_left_half() {
    let names: Vec<String> = (0..300).map(|n| format!("{:02}/{n:03}", n % 20)).collect();
    let list: Vec<(&str, usize)> = names.iter().map(|name| (name.as_str(), 300)).collect();
    let torrent = Torrent::new(Content::folder(1, "many", &list), 1 << 14);
    let mut run = Run::start();
    let downloads = run.folder().join("downloads");
    let (mut halves, mut random) = (0, 1_u64);
    for round in 0..60_u64 {
        if round >= 12 && halves > 0 {
            break;
        }
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let Some(tracker) = OpenTracker::start(&[torrent.info_hash]) else {
            return;
        };
        // Downloaded each time, since what was written is ours to delete.
        let giver = run.seed(&torrent, &tracker);
        run.restart(&["--allow-local"]);
        let added = run.add(&torrent, &[&tracker.http_url]);
        let number = added.split(' ').next().unwrap().to_string();
        run.until(&["seeding"]);
        assert_eq!(files(&downloads), 300);
        drop(giver);
        // Some are killed as soon as the first file is gone, others at any moment.
        let within = Duration::from_micros((random >> 33) % 4_000 * (1 + round % 4));
        let begun = Instant::now();
        let answered = kill_amid_removal(&mut run, &number, || match round % 2 {
            0 => files(&downloads) < 300,
            _ => begun.elapsed() > within,
        });
        let rest = files(&downloads);
        halves += usize::from(rest > 0 && rest < 300);
        run.start_again(&["--allow-local"]);
        let gone = || files(&downloads) == 0 && run.torrents().is_empty();
        if !answered && rest == 300 {
            let there = || run.torrents().len() == 1 && files(&downloads) == 300;
            wait("it is neither there nor gone", || there() || gone());
            if there() {
                run.says(&["remove", &number, "--data"]);
            }
        }
        wait("it is there yet", gone);
        let state = run.folder().join("torrents");
        wait("something is kept of it", || files(&state) == 1);
        assert_eq!(fs::read_dir(&downloads).unwrap().count(), 0, "folders stay");
    }
    assert!(halves > 0, "no kill came in the middle");
}

/// A kill amid a removal may come when the files of a folder are gone and the folder is not.
#[test]
fn folders_that_a_kill_left_empty_go_too() {
    let content = Content::folder(
        1,
        "book",
        &[("a/x", 20_000), ("b/c/y", 20_000), ("z", 20_000)],
    );
    let torrent = Torrent::new(content, 1 << 14);
    let Some(tracker) = OpenTracker::start(&[torrent.info_hash]) else {
        return;
    };
    let mut run = Run::start();
    run.restart(&["--allow-local"]);
    let giver = run.seed(&torrent, &tracker);
    run.add(&torrent, &[&tracker.http_url]);
    run.until(&["seeding"]);
    drop(giver);
    run.child.kill();
    let downloads = run.folder().join("downloads");
    for gone in ["a/x", "b/c/y"] {
        fs::remove_file(downloads.join("book").join(gone)).unwrap();
    }
    run.start_again(&[]);
    wait("it is not loaded", || run.torrents().len() == 1);
    run.says(&["remove", "1", "--data"]);
    let left = || fs::read_dir(&downloads).unwrap().count();
    wait("folders stay", || left() == 0);
}

#[test]
fn what_a_kill_left_of_a_save_goes_with_its_torrent() {
    let run = Run::start();
    let torrent = one("some", 1000, 1);
    run.add(&torrent, &[]);
    let state = run.folder().join("torrents");
    for ending in ["resume.new", "torrent.new"] {
        fs::write(state.join(format!("{}.{ending}", torrent.hex())), "torn").unwrap();
    }
    run.says(&["remove", "1"]);
    wait("something is kept of it", || files(&state) == 1);
}

/// A client that asks at once is answered once all are there.
#[test]
fn a_thousand_torrents_are_there_for_the_first_client() {
    let torrents = (0..1000).map(|number| one(&format!("t{number:04}"), 100, number));
    let run = Run::with_torrents(torrents, &["--no-trackers"]);
    assert_eq!(run.torrents().len(), 1000);
    let known = run.add(&one("t0999", 100, 999), &[]);
    assert!(
        known.ends_with(" t0999 (it was there already)\n"),
        "{known}"
    );
    assert_eq!(run.add(&one("new", 100, 5000), &[]), "1001 new\n");
    run.says(&["pause", "1001"]);
    let torrents = run.torrents();
    assert_eq!(torrents.len(), 1001);
    let numbers: Vec<u64> = torrents.iter().map(|it| it.get("number").count()).collect();
    assert_eq!(numbers, (1..=1001).collect::<Vec<u64>>());
}

#[test]
fn a_torrent_in_the_folder_of_another_is_refused() {
    let run = Run::start();
    let outer = Torrent::new(
        Content::folder(1, "outer", &[("a/b", 1000), ("c", 1000)]),
        1 << 14,
    );
    run.add(&outer, &[]);
    let inside = run.folder().join("downloads/outer/a");
    let path = run.dir.join("b.torrent");
    one("b", 1000, 2).write(&path, &[]);
    let line = [
        "add",
        "-d",
        inside.to_str().unwrap(),
        path.to_str().unwrap(),
    ];
    fs::create_dir_all(&inside).unwrap();
    let why = "its folder and that of number 1, outer, lie within each other";
    assert_eq!(run.refused(&line, 1), format!("b: {why}"));
    run.says(&["remove", "1"]);
    assert_eq!(run.says(&line), "2 b\n");
    let outer = run.dir.join("outer.torrent");
    let why = "its folder and that of number 2, b, lie within each other";
    let said = run.refused(&["add", outer.to_str().unwrap()], 1);
    assert_eq!(said, format!("outer: {why}"));
}
