use super::super::opening::Due;
use super::*;
use crate::wire::Metainfo;

/// An upload of a torrent whose folder does not exist.
fn request() -> Request {
    let pieces = "x".repeat(20);
    let info = format!("d6:lengthi9e4:name1:f12:piece lengthi16384e6:pieces20:{pieces}e");
    let metainfo = Metainfo::parse(format!("d4:info{info}e").as_bytes()).unwrap();
    let nowhere = PathBuf::from("/nonexistent");
    Request {
        metainfo: Arc::new(metainfo),
        dir: nowhere.clone(),
        state_dir: nowhere,
        download: false,
        selection: None,
        overwrite: false,
        recheck: false,
        due: Due::Nothing,
    }
}

/// An opener with this many threads that wait for folders of this mount, which do not answer.
fn stuck(threads: usize, mount: &str) -> Opener {
    let poll = mio::Poll::new().unwrap();
    let waker = Waker::new(poll.registry(), mio::Token(0)).unwrap();
    let opener = Opener::new(Arc::new(waker), Pool::new(4));
    for number in 0..threads {
        let gone = Path::new(mount).join(format!("gone-{number}"));
        let at = At {
            dir: gone.clone(),
            asks: Some((gone, Instant::now())),
            told: true,
        };
        let number = 1000 + number as u64;
        opener.shared.lock().threads.insert(number, at);
    }
    opener.shared.lock().on_turn();
    opener
}

#[test]
fn the_loop_is_told_at_once_where_all_others_wait_for_a_disk_that_does_not_answer() {
    let mut opener = stuck(limits::OPENERS_EACH, "/");
    opener.open(5, request());
    opener.hand_over();
    let (shared, number) = (&opener.shared, 1);
    let thread = Thread { shared, number };
    assert_eq!([thread.has_done(), thread.has_done()], [true; 2]);
}

#[test]
fn a_thread_more_goes_on_while_others_wait_up_to_a_bound() {
    let mut opener = stuck(limits::OPENERS_EACH - 1, "/");
    opener.open(5, request());
    opener.open(6, request());
    let torrents = [opener.wait(), opener.wait()].map(|(torrent, outcome)| {
        let why = outcome.result.unwrap_err();
        assert_eq!(why, "/nonexistent: there is no such folder");
        torrent
    });
    assert_eq!(torrents, [5, 6]);
    assert!(!opener.is_busy());
    // Those of another mount do not count, up to the bound of all.
    let mut opener = stuck(limits::OPENERS - 1, "/proc");
    opener.open(5, request());
    assert_eq!(opener.wait().0, 5);
    for (threads, mount) in [(limits::OPENERS, "/proc"), (limits::OPENERS_EACH, "/")] {
        let mut opener = stuck(threads, mount);
        opener.open(5, request());
        opener.hand_over();
        opener.look_after();
        assert_eq!(opener.shared.lock().queue.len(), 1, "{mount}");
    }
    let mut opener = stuck(limits::OPENERS, "/proc");
    opener.open(5, request());
    opener.hand_over();
    // One that gets its answer goes on with what waits.
    opener.shared.lock().threads.clear();
    opener.shared.lock().on_turn();
    opener.look_after();
    assert_eq!(opener.wait().0, 5);
}
