use super::*;
use crate::base::Duration;
use mio::Poll;
use std::fs;
use std::os::unix::fs::symlink;

const TORRENT: &[u8] =
    b"d4:infod6:lengthi5e4:name1:a12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaaee";

/// A watch folder, and a clock.
struct World {
    folder: PathBuf,
    watch: Watch,
    now: Time,
    _poll: Poll,
}

impl World {
    fn new(name: &str) -> World {
        let id = std::process::id();
        let folder = std::env::temp_dir().join(format!("brooklet-watch-{name}-{id}"));
        let _ = fs::remove_dir_all(&folder);
        let poll = Poll::new().unwrap();
        let now = Time::default() + Duration::from_secs(1000);
        let warn = &mut |line: String| panic!("{line}");
        let watch = Watch::open(&folder, poll.registry(), warn, now).unwrap();
        World {
            folder: folder.join("watch"),
            watch,
            now,
            _poll: poll,
        }
    }

    fn put(&mut self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.folder.join(name), content).unwrap();
        self.watch.on_event();
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
    }

    /// The next that is found: its name, and why it is refused.
    fn next(&mut self) -> Option<(String, Option<String>)> {
        let found = self.watch.next(self.now)?;
        let name = found.name.into_string().unwrap();
        Some((name, found.content.err()))
    }

    fn failed(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.join(FAILED)).unwrap().flatten();
        let names = entries.map(|entry| entry.file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.folder.parent().unwrap());
    }
}

#[test]
fn a_file_is_taken_when_it_is_whole_and_refused_when_it_stays_torn() {
    let mut world = World::new("torn");
    assert_eq!(world.next(), None);
    let almost = limits::WATCH_SETTLED - Duration::from_millis(1);
    for most in [1, 20, TORRENT.len() - 1] {
        world.put("a.torrent", &TORRENT[..most]);
        assert_eq!(world.next(), None, "{most} bytes");
        assert_eq!(
            world.watch.next_deadline(),
            Some(world.now + limits::WATCH_SETTLED)
        );
        world.pass(almost);
        assert_eq!(world.next(), None, "{most} bytes");
    }
    world.put("a.torrent", TORRENT);
    assert_eq!(world.next(), Some((String::from("a.torrent"), None)));
    assert_eq!(world.next(), None, "it is being added");
    world.watch.accept(OsStr::new("a.torrent")).unwrap();
    assert!(!world.folder.join("a.torrent").exists());
    world.put("b.torrent", &TORRENT[..20]);
    assert_eq!(world.next(), None);
    world.pass(limits::WATCH_SETTLED);
    let (name, why) = world.next().unwrap();
    assert!(name == "b.torrent" && why.is_some());
    let line = world.watch.refuse(OsStr::new("b.torrent"), "torn");
    assert_eq!(line, format!("{}/b.torrent: torn", world.folder.display()));
    assert_eq!(world.failed(), ["b.torrent", "b.torrent.error"]);
    let reason = fs::read_to_string(world.folder.join("failed/b.torrent.error"));
    assert_eq!(reason.unwrap(), "torn\n");
    // Another of this name finds a place beside it.
    world.put("b.torrent", "x");
    assert_eq!(world.next(), None);
    world.watch.refuse(OsStr::new("b.torrent"), "torn");
    assert_eq!(world.failed().len(), 4);
}

#[test]
fn what_can_never_be_taken_is_refused_at_once() {
    let mut world = World::new("kinds");
    world.put("elsewhere", TORRENT);
    world.put(".hidden.torrent", TORRENT);
    fs::create_dir(world.folder.join("folder.torrent")).unwrap();
    symlink(
        world.folder.join("elsewhere"),
        world.folder.join("link.torrent"),
    )
    .unwrap();
    let big = fs::File::create(world.folder.join("large.TORRENT")).unwrap();
    big.set_len(limits::METAINFO_BYTES as u64 + 1).unwrap();
    let mut found = Vec::new();
    while let Some((name, why)) = world.next() {
        found.push(format!("{name}: {}", why.unwrap()));
        world.watch.refuse(OsStr::new(&name), "no");
    }
    world.pass(limits::WATCH_SETTLED);
    let (name, why) = world.next().unwrap();
    found.push(format!("{name}: {}", why.unwrap()));
    assert_eq!(
        found,
        [
            "folder.torrent: it is a folder",
            "link.torrent: it is a symbolic link: put the torrent itself here",
            "large.TORRENT: it is longer than 64 MiB, which no torrent is",
        ]
    );
    assert!(world.folder.join("elsewhere").exists());
    assert!(world.folder.join(".hidden.torrent").exists());
}

/// BEP 9 links end nowhere: the beginning of one is one with fewer trackers.
#[test]
fn a_link_is_whole_with_the_end_of_its_line_or_when_it_stays_as_it_is() {
    let mut world = World::new("links");
    let link = format!("magnet:?xt=urn:btih:{}&tr=udp://a:1", "ab".repeat(20));
    world.put("a.magnet", &link);
    assert_eq!(world.next(), None, "more may come");
    world.put("a.magnet", format!("{link}23\n"));
    let found = world.watch.next(world.now).unwrap().content.unwrap();
    let Brought::Link(whole) = found else {
        panic!("it is a link");
    };
    assert_eq!(whole.trackers, [["udp://a:123"]]);
    world.put("b.MAGNET", &link);
    world.put("c.magnet", "magnet:?xt=urn:btih:00\n");
    world.put("d.magnet", "hello\n");
    assert_eq!(world.next(), None);
    world.pass(limits::WATCH_SETTLED);
    assert_eq!(world.next(), Some((String::from("b.MAGNET"), None)));
    for (name, words) in [
        ("c.magnet", "its info hash is neither"),
        (
            "d.magnet",
            "it holds neither a magnet link nor an info hash",
        ),
    ] {
        let (found, why) = world.next().unwrap();
        assert!(found == name && why.unwrap().starts_with(words), "{name}");
    }
}

#[test]
fn a_bounded_number_is_added_at_a_time_and_a_rare_rescan_finds_the_rest() {
    let mut world = World::new("many");
    assert_eq!(world.next(), None);
    for n in 0..=limits::WATCH_AT_ONCE {
        fs::write(world.folder.join(format!("{n:02}.torrent")), TORRENT).unwrap();
    }
    assert_eq!(world.next(), None, "nobody has told of them");
    assert_eq!(
        world.watch.next_deadline(),
        Some(world.now + limits::WATCH_RESCAN)
    );
    world.pass(limits::WATCH_RESCAN);
    for _ in 0..limits::WATCH_AT_ONCE {
        assert_eq!(world.next().unwrap().1, None);
    }
    assert_eq!(world.next(), None);
    assert!(!world.watch.is_pending() && world.watch.next_deadline().is_none());
    world.watch.accept(OsStr::new("00.torrent")).unwrap();
    assert!(world.watch.is_pending());
    assert_eq!(world.next(), Some((String::from("16.torrent"), None)));
}

#[test]
fn a_file_that_took_the_place_of_one_that_was_added_stays() {
    let mut world = World::new("place");
    world.put("a.torrent", TORRENT);
    assert!(world.next().is_some());
    fs::remove_file(world.folder.join("a.torrent")).unwrap();
    world.put("a.torrent", [TORRENT, b"x"].concat());
    world.watch.accept(OsStr::new("a.torrent")).unwrap();
    assert!(world.folder.join("a.torrent").exists());
    assert!(world.watch.is_pending());
}

#[test]
fn a_refused_file_with_the_longest_name_is_put_away_too() {
    let mut world = World::new("long");
    let stem = "x".repeat(NAME_BYTES - ".torrent".len());
    for count in 1..=2 {
        world.put(&format!("{stem}.torrent"), "no torrent");
        assert_eq!(world.next(), None);
        world.pass(limits::WATCH_SETTLED);
        let (name, why) = world.next().unwrap();
        let line = world.watch.refuse(OsStr::new(&name), &why.unwrap());
        assert!(!line.contains("cannot be moved"), "{line}");
        let failed = world.failed();
        assert_eq!(failed.len(), 2 * count, "{failed:?}");
        let torrents = failed.iter().filter(|name| name.ends_with("x.torrent"));
        assert_eq!(torrents.count(), count, "{failed:?}");
    }
    assert_eq!(fs::read_dir(&world.folder).unwrap().count(), 1);
}

/// The system tells of the old folder only.
#[test]
fn a_folder_in_the_place_of_the_old_one_is_watched_soon() {
    let mut world = World::new("again");
    assert_eq!(world.next(), None);
    let old = world.folder.with_file_name("old");
    for moved in [true, false] {
        if moved {
            fs::rename(&world.folder, &old).unwrap();
        } else {
            fs::remove_dir_all(&world.folder).unwrap();
        }
        fs::create_dir(&world.folder).unwrap();
        world.put("a.torrent", TORRENT);
        world.next();
        world.pass(limits::WATCH_SETTLED);
        if let Some((name, why)) = world.next() {
            assert_eq!((name.as_str(), why), ("a.torrent", None));
        }
        assert_eq!(world.watch.adding, 1);
        world.watch.accept(OsStr::new("a.torrent")).unwrap();
        // From now on it tells of this one.
        world.put("b.torrent", TORRENT);
        assert_eq!(world.next(), Some((String::from("b.torrent"), None)));
        world.watch.accept(OsStr::new("b.torrent")).unwrap();
    }
}
