//! State files, and the thread that writes them.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use brooklet::io::disk::handles::pool::Side;
use brooklet::io::disk::threads::saver::{Job, Outcome};
use brooklet::io::disk::{ContentFiles, Saver, Unsaved, Why, state};

use crate::support::content::noise;
use crate::support::dir::Dir;
use crate::{Content, PIECE, support, torrent, whole};

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn the_state_is_replaced_whole_and_a_wrong_length_is_bounded() {
    let dir = Dir::new();
    let path = dir.join("deep/er/x.resume");
    assert_eq!(state::load(&path, 10), Ok(None));
    state::replace(&path, b"first").unwrap();
    state::replace(&path, b"second").unwrap();
    assert_eq!(state::load(&path, 100), Ok(Some(b"second".to_vec())));
    assert_eq!(state::load(&path, 3), Ok(Some(b"sec".to_vec())));
    assert_eq!(
        fs::read_dir(dir.join("deep/er")).unwrap().count(),
        1,
        "nothing is left over"
    );
    assert_eq!(
        fs::metadata(dir.join("deep/er")).unwrap().mode() & 0o777,
        0o700
    );
    dir.file("file", "");
    assert_eq!(
        state::replace(&dir.join("file/x"), b"").unwrap_err().why,
        Why::InTheWay
    );
}

/// A saver, and the poll that it wakes.
pub struct Helper {
    poll: mio::Poll,
    saver: Saver,
}

impl Helper {
    pub fn new() -> Helper {
        let poll = mio::Poll::new().unwrap();
        let waker = mio::Waker::new(poll.registry(), mio::Token(3)).unwrap();
        let saver = Saver::new(Arc::new(waker));
        Helper { poll, saver }
    }

    /// Saves this as torrent 5's, and waits for the outcome, for which the saver wakes the poll.
    pub fn save(&mut self, disk: &mut ContentFiles, path: &Path, bytes: &[u8]) -> Outcome {
        let job = Job {
            tree: disk.tree(Side::Helper),
            content: disk.unsynced(),
            path: path.to_path_buf(),
            bytes: Some(bytes.to_vec()),
        };
        assert!(self.saver.next_outcome().is_none());
        self.saver.save(5, job)?;
        let mut events = mio::Events::with_capacity(1);
        support::poll(&mut self.poll, &mut events, MINUTE);
        let woken = events.iter().next().map(|event| event.token());
        assert_eq!(woken, Some(mio::Token(3)));
        let (id, outcome) = self.saver.next_outcome().unwrap();
        assert!(id == 5 && self.saver.next_outcome().is_none());
        outcome
    }
}

#[test]
fn jobs_are_saved_and_errors_come_back() {
    let dir = Dir::new();
    let torrent = torrent(&[("t/a", 20_000), ("t/b", 20_000)]);
    let mut disk = Content::new(&dir, &torrent);
    let mut saver = Helper::new();
    disk.write_all(&noise(1, 40_000));
    let path = dir.join("state/x");
    let synced = saver.save(&mut disk, &path, b"one").unwrap();
    assert_eq!(synced.bytes, 40_000);
    assert_eq!(fs::read(&path).unwrap(), b"one");
    // A state folder that cannot be used costs the resume file only.
    disk.write(whole(&torrent, 0), &noise(2, PIECE as usize))
        .unwrap();
    dir.file("file", "in the way");
    let refused = saver.save(&mut disk, &dir.join("file/x"), b"two");
    match refused {
        Err(Unsaved::Record(error)) => assert_eq!(error.why, Why::InTheWay),
        other => panic!("{other:?}"),
    }
    assert!(saver.save(&mut disk, &path, b"three").is_ok());
    // A link where content was: what was written is not there, and nothing may be recorded.
    disk.write(whole(&torrent, 0), &noise(2, PIECE as usize))
        .unwrap();
    fs::remove_file(dir.join("t/a")).unwrap();
    symlink("/dev/null", dir.join("t/a")).unwrap();
    match saver.save(&mut disk, &path, b"four") {
        Err(Unsaved::Content(error)) => {
            assert_eq!((error.path, error.why), (dir.join("t/a"), Why::Changed));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(fs::read(&path).unwrap(), b"three");
}

#[test]
fn what_is_not_where_it_was_written_is_not_saved() {
    let torrent = torrent(&[("t/a", 20_000), ("t/b", 20_000)]);
    for (case, break_it) in CASES {
        let dir = Dir::new();
        let mut disk = Content::new(&dir, &torrent);
        disk.write_all(&noise(1, 40_000));
        break_it(&dir.join("t/b"));
        match Helper::new().save(&mut disk, &dir.join("state/x"), b"one") {
            Err(Unsaved::Content(error)) => {
                assert_eq!(
                    (error.path, error.why),
                    (dir.join("t/b"), Why::Changed),
                    "{case}"
                );
            }
            other => panic!("{case}: {other:?}"),
        }
        assert!(!dir.join("state").exists(), "{case}");
    }
}

/// What another program may do to a file.
type Deed = fn(&Path);
const CASES: [(&str, Deed); 5] = [
    ("deleted", |path| fs::remove_file(path).unwrap()),
    ("moved", |path| {
        fs::rename(path, path.with_extension("old")).unwrap()
    }),
    ("cut off", |path| {
        File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_len(9)
            .unwrap();
    }),
    ("replaced", |path| {
        let copy = path.with_extension("new");
        fs::copy(path, &copy).unwrap();
        let time = fs::metadata(path).unwrap().modified().unwrap();
        File::options()
            .write(true)
            .open(&copy)
            .unwrap()
            .set_modified(time)
            .unwrap();
        fs::rename(copy, path).unwrap();
    }),
    ("a folder", |path| {
        fs::remove_file(path).unwrap();
        fs::create_dir(path).unwrap();
    }),
];
