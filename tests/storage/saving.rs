//! State files, and the thread that writes them.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use brooklet::base::bits::Bits;
use brooklet::base::rate::Totals;
use brooklet::io::disk::content::Disk;
use brooklet::io::disk::disk_error::Why;
use brooklet::io::disk::saver::{Job, Saver, Unsaved};
use brooklet::io::disk::saving::{Saving, Standing};
use brooklet::io::disk::state;
use brooklet::storage::resume::Resume;
use brooklet::torrent::effect::Snapshot;

use crate::support::content::noise;
use crate::support::dir::Dir;
use crate::{Content, PIECE, torrent, whole};

const MINUTE: Duration = Duration::from_secs(60);

pub fn waker() -> Arc<mio::Waker> {
    let poll = mio::Poll::new().unwrap();
    Arc::new(mio::Waker::new(poll.registry(), mio::Token(0)).unwrap())
}

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

#[test]
fn jobs_are_saved_in_turn_and_errors_come_back() {
    let dir = Dir::new();
    let torrent = torrent(&[("t/a", 20_000), ("t/b", 20_000)]);
    let mut disk = Content::new(&dir, &torrent);
    let mut poll = mio::Poll::new().unwrap();
    let waker = mio::Waker::new(poll.registry(), mio::Token(3)).unwrap();
    let mut saver = Saver::new(Arc::new(waker), disk.tree().unwrap());
    assert!(!saver.busy() && saver.next_outcome().is_none());
    disk.write_all(&noise(1, 40_000));
    let path = dir.join("state/x");
    saver
        .save(Job {
            content: disk.unsynced(),
            path: path.clone(),
            bytes: Some(b"one".to_vec()),
        })
        .unwrap();
    assert!(saver.busy());
    let mut events = mio::Events::with_capacity(1);
    poll.poll(&mut events, Some(MINUTE)).unwrap();
    assert_eq!(
        events.iter().next().map(|event| event.token()),
        Some(mio::Token(3))
    );
    let synced = saver.next_outcome().unwrap().unwrap();
    assert_eq!(synced.bytes, 40_000);
    assert!(!saver.busy() && saver.next_outcome().is_none());
    assert_eq!(fs::read(&path).unwrap(), b"one");
    // A state folder that cannot be used costs the resume file only.
    disk.write(whole(&torrent, 0), &noise(2, PIECE as usize))
        .unwrap();
    dir.file("file", "in the way");
    let mut save = |content, path: &str, bytes: &[u8]| {
        let (path, bytes) = (dir.join(path), Some(bytes.to_vec()));
        let sent = saver.save(Job {
            content,
            path,
            bytes,
        });
        sent.and_then(|()| saver.next_outcome_within(MINUTE).unwrap().map(|_| ()))
    };
    let record = |outcome| match outcome {
        Err(Unsaved::Record(error)) => error.why,
        other => panic!("{other:?}"),
    };
    let content = |outcome| match outcome {
        Err(Unsaved::Content(error)) => (error.path, error.why),
        other => panic!("{other:?}"),
    };
    let refused = save(disk.unsynced(), "file/x", b"two");
    assert_eq!(record(refused), Why::InTheWay);
    assert_eq!(save(disk.unsynced(), "state/x", b"three"), Ok(()));
    // A link where content was: what was written is not there, and nothing may be recorded any
    // more.
    disk.write(whole(&torrent, 0), &noise(2, PIECE as usize))
        .unwrap();
    fs::remove_file(dir.join("t/a")).unwrap();
    symlink("/dev/null", dir.join("t/a")).unwrap();
    let refused = save(disk.unsynced(), "state/x", b"four");
    assert_eq!(content(refused), (dir.join("t/a"), Why::Changed));
    content(save(disk.unsynced(), "state/x", b"five"));
    assert_eq!(fs::read(&path).unwrap(), b"three");
}

#[test]
fn what_is_not_where_it_was_written_is_not_saved() {
    let torrent = torrent(&[("t/a", 20_000), ("t/b", 20_000)]);
    for (case, break_it) in CASES {
        let dir = Dir::new();
        let mut disk = Content::new(&dir, &torrent);
        let mut saver = Saver::new(waker(), disk.tree().unwrap());
        disk.write_all(&noise(1, 40_000));
        break_it(&dir.join("t/b"));
        let (content, path) = (disk.unsynced(), dir.join("state/x"));
        let bytes = Some(b"one".to_vec());
        saver
            .save(Job {
                content,
                path,
                bytes,
            })
            .unwrap();
        match saver.next_outcome_within(MINUTE).unwrap() {
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

fn standing(disk: &mut Disk, writing: bool) -> Standing<'_> {
    Standing { disk, writing }
}

/// What was verified when the time is over counts, though more is still on its way to the disk.
#[test]
fn what_waits_for_the_disk_does_not_keep_the_rest_from_being_recorded() {
    let dir = Dir::new();
    let torrent = torrent(&[("t", 4 * 16_384)]);
    let path = dir.join("state/x");
    let mut disk = Content::new(&dir, &torrent);
    disk.look();
    let tree = disk.tree().unwrap();
    let mut saving = Saving::new(waker(), tree, path.clone(), torrent.info_hash, false);
    disk.write_all(&noise(1, 3 * PIECE as usize));
    let mut held = Bits::new(4);
    held.set(1);
    let snapshot = Snapshot {
        held: held.clone(),
        totals: Totals { down: 1, up: 2 },
        clean: true,
    };
    saving.save(snapshot, standing(&mut disk, true)).unwrap();
    saving.finish(standing(&mut disk, true), MINUTE).unwrap();
    let saved = fs::read(&path).unwrap();
    let saved = Resume::decode(&saved, torrent.info_hash, disk.layout()).unwrap();
    assert_eq!((saved.held, saved.clean), (held, false));
}

/// After a kill nobody would look for what was written under a resume file that says that nothing
/// is.
#[test]
fn nothing_may_be_written_while_the_resume_file_is_clean() {
    let dir = Dir::new();
    let torrent = torrent(&[("t", 4 * 16_384)]);
    let path = dir.join("state/x");
    let mut disk = Content::new(&dir, &torrent);
    let tree = disk.tree().unwrap();
    let mut saving = Saving::new(waker(), tree, path, torrent.info_hash, true);
    assert!(saving.is_behind(&disk));
    let snapshot = |clean| Snapshot {
        held: Bits::new(4),
        totals: Totals::default(),
        clean,
    };
    for clean in [false, true, false] {
        saving
            .save(snapshot(clean), standing(&mut disk, false))
            .unwrap();
        saving.finish(standing(&mut disk, false), MINUTE).unwrap();
        assert_eq!(saving.is_behind(&disk), clean);
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
