//! State files, and the thread that writes them.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::sync::Arc;
use std::time::Duration;

use brooklet::io::disk_error::Why;
use brooklet::io::saver::{Job, Saver};
use brooklet::io::state;

use crate::support::content::noise;
use crate::support::dir::Dir;
use crate::{Content, PIECE, torrent, whole};

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
    // What is gone needs no sync; a restart sees that it is gone.
    fs::remove_file(dir.join("t/b")).unwrap();
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
    poll.poll(&mut events, Some(Duration::from_secs(60)))
        .unwrap();
    assert_eq!(
        events.iter().next().map(|event| event.token()),
        Some(mio::Token(3))
    );
    let synced = saver.next_outcome().unwrap().unwrap();
    assert_eq!(synced.bytes, 40_000);
    assert!(!saver.busy() && saver.next_outcome().is_none());
    assert_eq!(fs::read(&path).unwrap(), b"one");
    // A link where content was: it cannot be synced, and then nothing may be recorded.
    disk.write(whole(&torrent, 0), &noise(2, PIECE as usize))
        .unwrap();
    fs::remove_file(dir.join("t/a")).unwrap();
    symlink("/dev/null", dir.join("t/a")).unwrap();
    saver
        .save(Job {
            content: disk.unsynced(),
            path: path.clone(),
            bytes: Some(b"two".to_vec()),
        })
        .unwrap();
    let later = Job {
        content: disk.unsynced(),
        path: path.clone(),
        bytes: Some(b"three".to_vec()),
    };
    let _ = saver.save(later);
    let error = saver.finish(Duration::from_secs(60)).unwrap_err();
    assert_eq!((error.path, error.why), (dir.join("t/a"), Why::InTheWay));
    assert_eq!(fs::read(&path).unwrap(), b"one");
}
