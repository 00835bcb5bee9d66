//! Many torrents on a disk that does not answer, beside others on a disk that does.

use std::path::{Path, PathBuf};

use super::run::{Run, SOON, one, wait};
use super::support::child::Child;
use super::support::dir::Dir;
use super::support::room::Room;

/// A process, and a mount that may cease to answer.
struct Beside {
    room: Room,
    run: Run,
    content: PathBuf,
}

impl Beside {
    fn start() -> Option<Beside> {
        if !Room::can_bind() {
            return None;
        }
        let dir = Dir::new();
        let content = dir.folder("content");
        dir.folder("real");
        let room = Room::bind(&content, &dir.join("real"));
        let child = Beside::begin(&room, &dir.join("run"));
        let run = Run { dir, child };
        Some(Beside { room, run, content })
    }

    fn begin(room: &Room, folder: &Path) -> Child {
        Run::begin_by(room.brooklet(), folder, &["--no-trackers", "--no-dht"])
    }

    /// A command that adds a torrent whose content is to lie below the mount.
    fn adding(&self, number: u64, below: &str) -> Child {
        let path = self.run.dir.join(format!("m{number}.torrent"));
        one(&format!("m{number}"), 1000, number).write(&path, &[]);
        let dir = self.content.join(below);
        let [dir, path] = [&dir, &path].map(|it| it.to_str().unwrap());
        self.run.asks(&["add", "-d", dir, path])
    }

    /// Such commands, for one folder or for a folder each.
    fn adding_many(&self, numbers: std::ops::Range<u64>, own: bool) -> Vec<Child> {
        let adding = |number| {
            let of = if own {
                format!("of/{number}")
            } else {
                String::from("of")
            };
            self.adding(number, &of)
        };
        numbers.map(adding).collect()
    }

    /// One whose content lies elsewhere, for which it need not wait.
    fn add_elsewhere(&self, number: u64) {
        let added = self
            .run
            .add(&one(&format!("e{number}"), 1000, 100 + number), &[]);
        assert!(added.ends_with(&format!(" e{number}\n")), "{added}");
    }

    /// How many torrents are there whose names begin so.
    fn there(&self, letter: char) -> usize {
        let torrents = self.run.torrents();
        let is_such = |it: &&super::support::json::Json| it.get("name").text().starts_with(letter);
        torrents.iter().filter(is_such).count()
    }
}

/// They lie in one folder, or each has its own.
#[test]
fn a_start_takes_up_what_lies_elsewhere() {
    for own in [false, true] {
        let Some(mut beside) = Beside::start() else {
            return;
        };
        let all = 20;
        for number in 0..all {
            beside.adding_many(number..number + 1, own)[0].success(SOON);
            beside.add_elsewhere(number);
        }
        beside.run.child.kill();
        beside.room.stall();
        beside.run.child = Beside::begin(&beside.room, &beside.run.folder());
        wait("those elsewhere are not there", || {
            beside.there('e') == all as usize
        });
        assert_eq!(beside.there('m'), 0);
        // One more is added, and one that waits is not taken for a new one.
        beside.add_elsewhere(all);
        let mut again = beside.adding(7, "of");
        assert_eq!(beside.there('e'), all as usize + 1);
        assert!(again.is_running());
        beside.room.go_on();
        again.success(SOON);
        wait("they are not there", || beside.there('m') == all as usize);
        beside.run.stop();
    }
}

/// More are being added than there are threads, and than are added at one time.
#[test]
fn torrents_elsewhere_are_added_while_many_wait() {
    for own in [false, true] {
        let Some(mut beside) = Beside::start() else {
            return;
        };
        beside.adding(99, "of").success(SOON);
        beside.run.until(&["downloading"]);
        beside.room.stall();
        let mut waiting = beside.adding_many(0..10, own);
        beside.run.child.line("the disk does not answer", SOON);
        for number in 0..5 {
            beside.add_elsewhere(number);
        }
        assert!(waiting.iter_mut().all(Child::is_running));
        // No memory is kept for any number of them: the last ones are told.
        let mut more = beside.adding_many(10..20, own);
        wait("none is refused", || {
            more.iter_mut().any(|it| !it.is_running())
        });
        beside.add_elsewhere(5);
        beside.room.go_on();
        for add in &mut waiting {
            add.success(SOON);
        }
        let codes: Vec<i32> = more.iter_mut().map(|it| it.code(SOON)).collect();
        assert!(codes.contains(&1) && codes.contains(&0), "{codes:?}");
        beside.run.stop();
    }
}

/// Torrents that are there already, and wait for their disk, keep none of those that lie elsewhere
/// from being added, however often they are added again.
#[test]
fn torrents_elsewhere_are_added_while_many_that_wait_are_added_again() {
    let Some(mut beside) = Beside::start() else {
        return;
    };
    let all = 20;
    for number in 0..all {
        beside.adding_many(number..number + 1, false)[0].success(SOON);
    }
    beside.run.child.kill();
    beside.room.stall();
    beside.run.child = Beside::begin(&beside.room, &beside.run.folder());
    let mut again = beside.adding_many(0..all, false);
    beside.run.child.line("the disk does not answer", SOON);
    for number in 0..3 {
        beside.add_elsewhere(number);
    }
    assert!(again.iter_mut().any(Child::is_running));
    beside.room.go_on();
    let codes: Vec<i32> = again.iter_mut().map(|it| it.code(SOON)).collect();
    assert!(codes.contains(&0), "{codes:?}");
    wait("they are not there", || beside.there('m') == all as usize);
    beside.run.stop();
}
