//! Disk: what is read, written, kept open and left unsaved, and for how long.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sha1::{Digest as _, Sha1};

use brooklet::base::{Bits, Geometry, PieceHash, limits};
use brooklet::storage::{Backlog, Check};

use crate::session;
use crate::support::bench::{Bench, SOON, checked, listening, wait_verified};
use crate::support::child::{Child, Stream, brooklet};
use crate::support::content::Content;
use crate::support::peer::{Manners, Peer, Server, visit};
use crate::support::room::Room;
use crate::support::torrent::{Torrent, metainfo, sparse};

#[test]
fn bytes_read_at_a_time() {
    for (more, slices) in [(0, 1), (1, 2)] {
        let size = limits::SLICE + more;
        let content = vec![3; size];
        let geometry = Geometry::new(size as u64, size as u32).unwrap();
        let hashes = [PieceHash(Sha1::digest(&content).into())];
        let mut check = Check::new(geometry, Bits::full(1));
        let mut read = 0;
        while let Some(slice) = check.next_slice() {
            assert!(slice.len as usize <= limits::SLICE);
            let bytes = &content[slice.begin as usize..][..slice.len as usize];
            let verdict = check.take(bytes, &hashes);
            read += 1;
            assert_eq!(verdict.is_some_and(|verdict| verdict.ok), read == slices);
        }
        assert_eq!(read, slices);
    }
}

/// What may be unsynced in the end, on a disk that takes so many bytes a second.
fn unsynced(rate: f64) -> u64 {
    let mut backlog = Backlog::default();
    for round in 0..40 {
        // Batches differ, as they do.
        let bytes = backlog.most() / (2 + round % 2);
        backlog.on_synced(bytes, Duration::from_secs_f64(bytes as f64 / rate));
    }
    backlog.most()
}

#[test]
fn bytes_that_are_not_synced() {
    assert_eq!(Backlog::default().most(), limits::UNSYNCED_FIRST);
    assert_eq!(unsynced(1e3), limits::UNSYNCED_LEAST);
    assert_eq!(unsynced(1e12), limits::UNSYNCED_MOST);
    let rate = 20e6;
    let taken = (rate * limits::UNSYNCED_TIME.as_secs_f64()) as u64;
    let most = unsynced(rate);
    assert!((taken * 9 / 10..=taken * 11 / 10).contains(&most), "{most}");
}

#[test]
fn saves_while_pieces_come_in() {
    let mut bench = session::Bench::getter(200, &[]);
    let peer = bench.join(1, true);
    bench.says(peer, "have all");
    bench.says(peer, "unchoke");
    let (mut saves, mut saved_at, mut gaps) = (bench.saves.len(), bench.now, Vec::new());
    let mut asked = Vec::new();
    while bench.verified().len() < 190 {
        bench.wait(Duration::from_millis(250));
        asked.extend(
            bench
                .hears(peer)
                .into_iter()
                .filter(|said| said.starts_with("request ")),
        );
        if !asked.is_empty() {
            let next = asked.remove(0);
            bench.sends_blocks(peer, &[next]);
        }
        if bench.saves.len() > saves {
            saves = bench.saves.len();
            gaps.push(bench.now.since(saved_at));
            saved_at = bench.now;
        }
    }
    assert!(gaps.len() > 5, "{gaps:?}");
    let usual = limits::SAVE_EVERY..limits::SAVE_EVERY + Duration::from_secs(1);
    assert!(gaps.iter().all(|gap| usual.contains(gap)), "{gaps:?}");
}

/// Files of the content that a process has open.
fn open_files(child: &Child, bench: &Bench) -> usize {
    let links = fs::read_dir(format!("/proc/{}/fd", child.pid())).unwrap();
    let targets = links
        .flatten()
        .filter_map(|link| fs::read_link(link.path()).ok());
    let content = bench.content();
    targets
        .filter(|path| path.starts_with(&content) && path.is_file())
        .count()
}

#[test]
fn files_that_are_open() {
    let names: Vec<String> = (0..300).map(|n| format!("f{n}")).collect();
    let files: Vec<(&str, usize)> = names.iter().map(|name| (&name[..], 20_000)).collect();
    let bench = Bench::of(Torrent::new(Content::folder(7, "many", &files), 64 * 1024));
    let most = Arc::new(AtomicUsize::new(0));
    let seed = Peer::start(&bench.torrent, Manners::default());
    let mut get = bench.get(&[seed.addr()], &["--seed"]);
    let addr = listening(&mut get);
    while get.events("complete").is_empty() {
        most.fetch_max(open_files(&get, &bench), Ordering::SeqCst);
        assert!(get.is_running() && get.age() < 3 * SOON);
    }
    let other = Bench::of(Torrent::clone(&bench.torrent));
    let mut leech = other.get(&[addr.to_string()], &[]);
    while leech.is_running() {
        most.fetch_max(open_files(&get, &bench), Ordering::SeqCst);
        assert!(leech.age() < 3 * SOON);
    }
    leech.success(SOON);
    other.assert_whole();
    let most = most.load(Ordering::SeqCst);
    assert!(most <= limits::OPEN_FILES, "{most} files were open");
    assert!(
        most >= limits::OPEN_FILES / 2,
        "{most} of 300 files were open"
    );
}

/// A check of what is on disk leaves time for everything else, also where there is nothing to read:
/// holes of a sparse file.
#[test]
fn time_that_a_turn_may_take_for_the_check() {
    const PIECES: u64 = 3_000_000;
    const PIECE: usize = 16 * 1024;
    let bench = Bench::new(8, 1);
    let info = sparse("sparse", &[], PIECES * PIECE as u64, PIECE);
    bench.dir.file("torrent", metainfo(&info, &[]));
    let content = fs::File::create(bench.content().join("sparse")).unwrap();
    content.set_len(PIECES * PIECE as u64).unwrap();
    let mut seed = bench.run("seed", &[]);
    let addr = listening(&mut seed);
    // A peer that dials and names another torrent is refused, once in each turn of the loop.
    let other = [&b"\x13BitTorrent protocol"[..], &[0; 48]].concat();
    let (mut waits, begun) = (Vec::new(), Instant::now());
    while seed.events("checked").is_empty() {
        let asked = Instant::now();
        let mut stream = TcpStream::connect(addr).unwrap();
        let most = Duration::from_millis(500);
        stream.set_read_timeout(Some(most)).unwrap();
        stream.write_all(&other).unwrap();
        let read = stream.read(&mut [0; 1]);
        if !read.is_err_and(|error| error.kind() == ErrorKind::WouldBlock) {
            waits.push(asked.elapsed());
        }
        assert!(seed.is_running() && begun.elapsed() < 6 * SOON);
    }
    // The wait in which half of the time was spent, in that long or longer ones. If nobody were
    // heard before the end, it would be all of it.
    waits.sort_unstable();
    let (all, mut spent) = (waits.iter().sum::<Duration>(), Duration::ZERO);
    let usual = waits.iter().find(|&&wait| {
        spent += wait;
        spent >= all / 2
    });
    assert!(all > 10 * limits::CHECK_TURN, "{all:?} is too little time");
    assert!(
        usual.is_some_and(|&usual| usual < all / 4),
        "{usual:?} of {all:?}"
    );
}

/// A download from a peer that sends a block now and then, to a disk that takes so long for each.
fn paced(block: Duration) -> Child {
    let bench = Bench::of(Torrent::new(
        Content::file(9, "content.bin", 512 * 1024),
        16 * 1024,
    ));
    let manners = Manners {
        rate: Some(256 * 1024),
        ..Manners::default()
    };
    let seed = Peer::start(&bench.torrent, manners);
    let mut command = brooklet(None);
    bench.arguments(&mut command, "get");
    let pace = (16.0 * 1024.0 / block.as_secs_f64()) as u64;
    command.args(["--peer", &seed.addr()]);
    command.env("BROOKLET_WRITE_PACE", pace.to_string());
    let mut get = Child::spawn("brooklet", &mut command);
    wait_verified(&mut get, 16);
    // The folders may go now: what matters has been seen.
    get
}

fn has_writer(child: &Child) -> bool {
    let tasks = fs::read_dir(format!("/proc/{}/task", child.pid())).unwrap();
    tasks.flatten().any(|task| {
        fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name.trim() == "writer")
    })
}

#[test]
fn time_that_a_turn_may_take_for_writing() {
    if !cfg!(feature = "faults") {
        return crate::support::skip("it needs --features faults");
    }
    assert!(!has_writer(&paced(limits::SLOW_WRITE / 16)));
    assert!(has_writer(&paced(
        limits::SLOW_WRITE + limits::SLOW_WRITE / 4
    )));
}

/// A place for state that can be made to hang. `None`, and the test is skipped, where there is
/// none.
fn room(bench: &Bench) -> Option<Room> {
    let possible = Room::can_bind();
    possible.then(|| Room::bind(&bench.dir.folder("state"), &bench.dir.folder("real")))
}

/// An address at which nobody listens.
const NOBODY: &str = "127.0.0.1:1";

/// How long it lasts from a signal to the end.
fn time_to_stop(get: &mut Child) -> Duration {
    let begun = Instant::now();
    get.signal("INT");
    assert_eq!(get.code(SOON), 130);
    let took = begun.elapsed();
    let said = get.text(Stream::Err);
    assert!(
        said.contains("not saved yet: the disk is too slow"),
        "{said}"
    );
    took
}

/// On a busy machine everything takes longer, but nothing is given up sooner.
const LEEWAY: Duration = Duration::from_secs(3);
const EARLY: Duration = Duration::from_millis(50);

#[test]
fn time_for_the_last_save_after_a_signal() {
    let bench = Bench::new(10, 1 << 16);
    let Some(room) = room(&bench) else { return };
    let mut get = room.get(&bench, NOBODY, &[]);
    checked(&mut get);
    room.stall();
    let took = time_to_stop(&mut get);
    let most = limits::STOP_PATIENCE;
    assert!((most - EARLY..most + LEEWAY).contains(&took), "{took:?}");
}

#[test]
fn time_for_the_last_save_after_slow_trackers() {
    let tracker = Server::start(|mut stream| {
        // The first announce is answered, the others are not.
        let mut request = [0; 2048];
        let read = stream.read(&mut request)?;
        let first = request[..read].windows(13).any(|it| it == b"event=started");
        if first {
            let body = "d8:intervali1800e5:peers0:e";
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            return std::io::Write::write_all(&mut stream, [&head, body].concat().as_bytes());
        }
        std::io::copy(&mut stream, &mut std::io::sink()).map(drop)
    });
    let bench = Bench::new(11, 1 << 16);
    let Some(room) = room(&bench) else { return };
    bench.trackers(&[&format!("http://{}/announce", tracker.addr)]);
    let mut get = room.get(&bench, NOBODY, &[]);
    get.event("tracker", SOON);
    room.stall();
    let took = time_to_stop(&mut get);
    let most = limits::FAREWELL + limits::STOP_PATIENCE_LEAST;
    assert!((most - EARLY..most + LEEWAY).contains(&took), "{took:?}");
}

/// Nobody who is not in a hurry gives up: the state of a download that is complete is waited for.
#[test]
fn time_for_the_last_save_of_a_complete_download() {
    let bench = Bench::new(12, 1 << 16);
    let Some(room) = room(&bench) else { return };
    let mut get = room.get(&bench, NOBODY, &[]);
    let addr = listening(&mut get);
    // The first record is there before the first block is written.
    let record = format!("{}.resume", bench.torrent.hex());
    let record = bench.dir.join("real").join(record);
    let deadline = Instant::now() + SOON;
    while !record.exists() {
        assert!(Instant::now() < deadline, "no record is saved");
        std::thread::sleep(Duration::from_millis(5));
    }
    room.stall();
    let torrent = Arc::clone(&bench.torrent);
    std::thread::spawn(move || visit(addr, &torrent, &Manners::default()));
    get.event("complete", SOON);
    let waited = limits::STOP_PATIENCE + limits::STOP_PATIENCE_LEAST;
    std::thread::sleep(waited);
    assert!(get.is_running() && waited < limits::SAVE_PATIENCE);
    room.go_on();
    assert_eq!(get.code(SOON), 0);
    bench.assert_whole();
}

/// A file of the user's own is written over if so many bytes in a row are the torrent's, or half of
/// a shorter one, and not if there is one piece less.
#[test]
fn bytes_that_prove_a_file_to_be_the_torrents() {
    let proof = limits::PROOF as usize;
    let piece = 64;
    for (len, enough) in [(64 * proof, proof), (proof, proof / 2)] {
        for (right, code) in [(enough, 0), (enough - piece, 1)] {
            let content = Content::file(len as u64, "content.bin", len);
            let bench = Bench::of(Torrent::new(content, piece));
            let seed = Peer::start(&bench.torrent, Manners::default());
            let own: Vec<u8> = bench.torrent.bytes.iter().map(|byte| !byte).collect();
            let own = [&bench.torrent.bytes[..right], &own[right..]].concat();
            fs::write(bench.content().join("content.bin"), &own).unwrap();
            let mut child = bench.get(&[seed.addr()], &[]);
            assert_eq!(child.code(SOON), code, "{right} bytes of {len}");
        }
    }
}
