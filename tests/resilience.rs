//! What must not stop a download: being killed, peers that hold back, say nothing or lie, and half
//! the content here and half there. And how a run is stopped.

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use support::bench::{Bench, SOON, checked, listening, verified, wait_verified};
use support::child::Child;
use support::clients::{Program, libtorrent};
use support::content::noise;
use support::net::free_port;
use support::peer::{Answer, Block, Manners, Peer, Server, handshake, visit};
use support::torrent::{metainfo, sparse};

const MIB: usize = 1024 * 1024;
const BLOCK: usize = 16 * 1024;

fn good() -> Manners {
    Manners::default()
}

fn at_rate(rate: u64) -> Manners {
    Manners {
        rate: Some(rate),
        ..good()
    }
}

#[test]
fn ten_kills_cost_less_than_a_tenth() {
    let bench = Bench::new(1, 40 * MIB);
    let seed = Peer::start(&bench.torrent, at_rate(6 * MIB as u64));
    // Ten moments between 0.1 s and 0.8 s after it began to get.
    let moments = noise(0x6b11, 10).into_iter();
    let mut had = 0;
    for moment in moments.map(|byte| Duration::from_millis(100 + u64::from(byte) * 700 / 255)) {
        let mut get = bench.get(&[seed.addr()], &[]);
        let have = checked(&mut get);
        assert!(have >= had, "{have} pieces of {had} were found again");
        thread::sleep(moment);
        get.kill();
        had = have + verified(&mut get);
    }
    let mut get = bench.get(&[seed.addr()], &[]);
    get.success(3 * SOON);
    bench.assert_whole();
    let (size, sent) = (bench.torrent.bytes.len() as u64, seed.sent());
    assert!(sent <= size + size / 10, "{sent} bytes sent for {size}");
}

#[test]
fn ten_kills_under_a_limit_cost_less_than_a_tenth() {
    if !Program::Libtorrent.installed() {
        return;
    }
    let bench = Bench::new(2, 64 * MIB);
    bench.torrent.content.write(&bench.dir.folder("seed"));
    let (torrent, folder) = (bench.dir.join("torrent"), bench.dir.join("seed"));
    let address = format!("127.0.0.1:{}", free_port());
    let mut seed = libtorrent(None, &torrent, &folder, &address);
    let mut seed = Child::spawn("libtorrent", &mut seed);
    seed.line("seeding\": true", SOON);

    let get = || bench.get(std::slice::from_ref(&address), &["--down", "8M"]);
    for moment in noise(0x6b12, 10) {
        let mut get = get();
        checked(&mut get);
        thread::sleep(Duration::from_millis(100 + u64::from(moment) * 800 / 255));
        get.kill();
    }
    get().success(3 * SOON);
    bench.assert_whole();
    // Its counter never falls; what it says once the last one has left is the end of it.
    let size = bench.torrent.bytes.len() as u64;
    let mut sent = 0;
    seed.event_where("state", SOON, |state| {
        sent = state.get("uploaded").count();
        sent >= size && state.get("peers").count() == 0
    });
    assert!(sent <= size + size / 10, "{sent} bytes sent for {size}");
}

#[test]
fn a_seed_of_ten_gib_starts_without_hashing() {
    const SIZE: u64 = 10 << 30;
    const WRITTEN: usize = 128 * MIB;
    let bench = Bench::new(3, 1);
    // The rest is a hole, which need not be read to know what is in it.
    let written = noise(3, WRITTEN);
    let info = sparse("sparse", &written, SIZE, 4 * MIB);
    bench.dir.file("torrent", metainfo(&info, &[]));
    let mut content = std::fs::File::create(bench.content().join("sparse")).unwrap();
    content.write_all(&written).unwrap();
    content.set_len(SIZE).unwrap();

    let mut first = bench.run("seed", &[]);
    let all = first.event("checked", Duration::from_secs(300));
    assert_eq!(all.get("have"), all.get("pieces"));
    assert!(first.bytes_read() >= WRITTEN as u64, "it has to hash");
    first.signal("TERM");
    assert_eq!(first.code(SOON), 143);

    let mut second = bench.run("seed", &[]);
    let again = second.event("checked", SOON);
    assert_eq!(again.get("have"), all.get("pieces"));
    assert!(second.age() < Duration::from_secs(2), "{:?}", second.age());
    let read = second.bytes_read();
    assert!(read < 4 * MIB as u64, "{read} bytes read");
}

/// The scripted peers below hold back this block.
const HELD: Block = Block {
    piece: 17,
    begin: 2 * BLOCK as u32,
    len: BLOCK as u32,
};

#[test]
fn a_block_withheld_for_ever_comes_from_a_peer_that_had_it_all_along() {
    let bench = Bench::new(4, 8 * MIB);
    let others = Arc::new(Countdown::new(bench.torrent.bytes.len() / BLOCK - 1));
    let (first, second) = (Arc::clone(&others), Arc::clone(&others));
    let holder = Manners {
        answer: Box::new(move |block| match block {
            HELD => Answer::Hold,
            block => first.serve(block),
        }),
        ..good()
    };
    let slow = Manners {
        answer: Box::new(move |block| match block {
            HELD => Answer::Serve,
            block => second.serve(block),
        }),
        ..at_rate(64 * 1024)
    };
    let holder = Peer::start(&bench.torrent, holder);
    let slow = Peer::start(&bench.torrent, slow);
    let mut get = bench.get(&[holder.addr(), slow.addr()], &[]);
    others.wait();
    let since = Instant::now();
    get.success(SOON);
    assert!(
        since.elapsed() < Duration::from_secs(5),
        "{:?}",
        since.elapsed()
    );
    bench.assert_whole();
}

#[test]
fn a_block_withheld_for_ever_comes_from_a_peer_that_joins_late() {
    let bench = Bench::new(5, 8 * MIB);
    let others = Arc::new(Countdown::new(bench.torrent.bytes.len() / BLOCK - 1));
    let served = Arc::clone(&others);
    let holder = Manners {
        answer: Box::new(move |block| match block {
            HELD => Answer::Hold,
            block => served.serve(block),
        }),
        ..good()
    };
    let holder = Peer::start(&bench.torrent, holder);
    let mut get = bench.get(&[holder.addr()], &[]);
    let addr = listening(&mut get);
    others.wait();
    let torrent = Arc::clone(&bench.torrent);
    let since = Instant::now();
    thread::spawn(move || visit(addr, &torrent, &good()));
    get.success(SOON);
    assert!(
        since.elapsed() < Duration::from_secs(5),
        "{:?}",
        since.elapsed()
    );
    bench.assert_whole();
}

/// Waits until this many different blocks have been asked for.
struct Countdown {
    missing: Mutex<std::collections::BTreeSet<Block>>,
    wanted: usize,
    all: std::sync::Condvar,
}

impl Countdown {
    fn new(wanted: usize) -> Countdown {
        Countdown {
            missing: Mutex::default(),
            wanted,
            all: std::sync::Condvar::new(),
        }
    }

    fn serve(&self, block: Block) -> Answer {
        let mut seen = self.missing.lock().unwrap();
        seen.insert(block);
        if seen.len() == self.wanted {
            self.all.notify_all();
        }
        Answer::Serve
    }

    fn wait(&self) {
        let seen = self.missing.lock().unwrap();
        let missing = |seen: &mut std::collections::BTreeSet<Block>| seen.len() < self.wanted;
        let (seen, late) = self
            .all
            .wait_timeout_while(seen, 3 * SOON, missing)
            .unwrap();
        assert!(
            !late.timed_out(),
            "{} of {} blocks",
            seen.len(),
            self.wanted
        );
    }
}

#[test]
fn forty_silent_peers_do_not_keep_out_a_good_one() {
    let bench = Bench::new(6, 4 * MIB);
    let silent = silent_peers(&bench);
    let addresses: Vec<String> = silent.iter().map(|peer| peer.addr.to_string()).collect();
    let mut get = bench.get(&addresses, &[]);
    let addr = listening(&mut get);
    let deadline = Instant::now() + SOON;
    while silent.iter().any(|peer| peer.accepted() == 0) {
        assert!(Instant::now() < deadline, "not all were met");
        thread::sleep(Duration::from_millis(20));
    }
    let torrent = Arc::clone(&bench.torrent);
    let since = Instant::now();
    thread::spawn(move || visit(addr, &torrent, &good()));
    get.success(SOON);
    assert!(
        since.elapsed() < Duration::from_secs(5),
        "{:?}",
        since.elapsed()
    );
    bench.assert_whole();
}

#[test]
fn a_good_peer_among_forty_silent_ones_is_found() {
    let bench = Bench::new(14, 4 * MIB);
    let silent = silent_peers(&bench);
    let one = Peer::start(&bench.torrent, good());
    let addresses = silent.iter().map(|peer| peer.addr.to_string());
    let addresses: Vec<String> = addresses.chain([one.addr()]).collect();
    bench.get(&addresses, &[]).success(SOON);
    bench.assert_whole();
}

/// Forty that never say a word, or nothing after their handshake.
fn silent_peers(bench: &Bench) -> Vec<Server> {
    let silent = |number: u16| {
        let torrent = Arc::clone(&bench.torrent);
        Server::start(move |mut stream| {
            if number % 2 == 0 {
                support::peer::greet(&mut stream, &torrent, number)?;
            }
            std::io::copy(&mut stream, &mut std::io::sink()).map(drop)
        })
    };
    (0..40).map(silent).collect()
}

#[test]
fn two_halves_make_a_whole() {
    let bench = Bench::new(7, 8 * MIB + 12_345);
    let half = |parity: u32| Manners {
        has: Box::new(move |piece| piece % 2 == parity),
        ..good()
    };
    let even = Peer::start(&bench.torrent, half(0));
    let odd = Peer::start(&bench.torrent, half(1));
    bench.get(&[even.addr(), odd.addr()], &[]).success(SOON);
    bench.assert_whole();
}

#[test]
fn a_liar_does_not_spoil_it_for_its_neighbour() {
    for every in [1, 7] {
        let bench = Bench::new(8, 8 * MIB);
        let counter = AtomicU64::new(0);
        let liar = Manners {
            answer: Box::new(
                move |_| match counter.fetch_add(1, Ordering::SeqCst) % every {
                    0 => Answer::Corrupt,
                    _ => Answer::Serve,
                },
            ),
            ..good()
        };
        let liar = Peer::start(&bench.torrent, liar);
        let honest = Peer::start(&bench.torrent, at_rate(4 * MIB as u64));
        let mut get = bench.get(&[liar.addr(), honest.addr()], &[]);
        get.success(SOON);
        bench.assert_whole();
        assert!(liar.sent() > 0, "it was never asked");
        assert!(liar.sent() < 8 * MIB as u64, "{} bytes of it", liar.sent());
        assert_eq!(honest.accepted(), 1, "the honest one was sent away");
    }
}

#[test]
fn a_signal_saves_what_is_there_and_says_so() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let bench = Bench::new(9, 16 * MIB);
        let tracker = Tracker::start(false);
        bench.trackers(&[&tracker.url()]);
        let seed = Peer::start(&bench.torrent, at_rate(6 * MIB as u64));
        let mut get = bench.get(&[seed.addr()], &[]);
        wait_verified(&mut get, 20);
        get.signal(signal);
        let asked = Instant::now();
        assert_eq!(get.code(SOON), code);
        assert!(
            asked.elapsed() < Duration::from_millis(3500),
            "{:?}",
            asked.elapsed()
        );
        assert_eq!(
            get.event("stopped", SOON).get("reason").text(),
            format!("SIG{signal}")
        );
        assert!(tracker.heard("event=started") && tracker.heard("event=stopped"));

        let mut again = bench.get(&[seed.addr()], &[]);
        let have = checked(&mut again);
        assert!(have >= verified(&mut get), "{have} pieces were found again");
        let read = again.bytes_read();
        assert!(read < 2 * MIB as u64, "{read} bytes read to find them");
        again.success(SOON);
        bench.assert_whole();
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for (signal, number) in [("INT", 2), ("TERM", 15)] {
        let bench = Bench::new(10, MIB);
        // It answers `started` and never answers `stopped`, so that leaving takes as long as it
        // may.
        let tracker = Tracker::start(true);
        bench.trackers(&[&tracker.url()]);
        let mut get = bench.run("get", &[]);
        get.event("tracker", SOON);
        get.signal(signal);
        tracker.wait_for("event=stopped");
        assert!(get.is_running());
        // What comes within a tenth of a second of the first counts as the same.
        let first = Instant::now();
        while first.elapsed() < Duration::from_millis(150) {
            thread::yield_now();
        }
        get.signal(signal);
        let asked = Instant::now();
        let status: ExitStatus = get.exit(SOON);
        assert!(
            asked.elapsed() < Duration::from_millis(500),
            "{:?}",
            asked.elapsed()
        );
        let told = status.code() == Some(128 + number) || status.signal() == Some(number);
        assert!(told, "{status}");
    }
}

#[test]
fn a_tracker_that_hangs_delays_the_end_by_two_seconds_at_most() {
    let bench = Bench::new(11, MIB);
    let tracker = Tracker::start(true);
    bench.trackers(&[&tracker.url()]);
    let seed = Peer::start(&bench.torrent, at_rate(MIB as u64));
    let mut get = bench.get(&[seed.addr()], &[]);
    get.event("complete", SOON);
    let since = Instant::now();
    get.success(SOON);
    assert!(
        since.elapsed() < Duration::from_millis(2500),
        "{:?}",
        since.elapsed()
    );
    assert!(tracker.heard("event=completed"));
}

#[test]
fn idle_means_idle() {
    let bench = Bench::new(12, MIB);
    bench.fill();
    let mut seed = bench.run("seed", &[]);
    let addr = listening(&mut seed);
    checked(&mut seed);
    let silent =
        Server::start(|mut stream| std::io::copy(&mut stream, &mut std::io::sink()).map(drop));
    let empty = Bench::new(13, MIB);
    let mut get = empty.get(&[silent.addr.to_string()], &[]);
    let mut visitor = std::net::TcpStream::connect(addr).unwrap();
    support::peer::greet(&mut visitor, &bench.torrent, 1).unwrap();
    get.event("peer", SOON + SOON);
    assert_idle(&seed);
    assert_idle(&get);
}

/// A process that waits for others may use no more than a hundredth of a core.
fn assert_idle(child: &Child) {
    let before = child.cpu();
    thread::sleep(Duration::from_secs(3));
    let used = child.cpu() - before;
    assert!(used <= Duration::from_millis(30), "{used:?} in 3 s");
}

/// An HTTP tracker that knows no peers.
struct Tracker {
    server: Server,
    heard: Mutex<(Receiver<String>, Vec<String>)>,
}

impl Tracker {
    /// With `hang` it does not answer who leaves.
    fn start(hang: bool) -> Tracker {
        let (sender, receiver) = channel();
        let server = Server::start(move |mut stream| {
            let mut line = String::new();
            BufReader::new(stream.try_clone()?).read_line(&mut line)?;
            let leaving = line.contains("event=stopped") || line.contains("event=completed");
            let _ = sender.send(line);
            if hang && leaving {
                return std::io::copy(&mut stream, &mut std::io::sink()).map(drop);
            }
            let body = "d8:intervali1800e5:peers0:e";
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
        });
        Tracker {
            server,
            heard: Mutex::new((receiver, Vec::new())),
        }
    }

    fn url(&self) -> String {
        format!("http://{}/announce", self.server.addr)
    }

    /// Whether it was asked something that contains this.
    fn heard(&self, text: &str) -> bool {
        let (incoming, lines) = &mut *self.heard.lock().unwrap();
        lines.extend(incoming.try_iter());
        lines.iter().any(|line| line.contains(text))
    }

    fn wait_for(&self, text: &str) {
        let (incoming, lines) = &mut *self.heard.lock().unwrap();
        while !lines.iter().any(|line| line.contains(text)) {
            lines.push(incoming.recv_timeout(SOON).unwrap());
        }
    }
}

/// Transmission asks for ten seconds' worth at once, whatever the rate, and answers a reject by
/// asking again.
#[test]
fn a_peer_that_asks_for_everything_at_once_gets_everything() {
    const BLOCK: usize = 16 * 1024;
    let bench = Bench::new(77, 1500 * BLOCK);
    bench.fill();
    let mut seed = bench.run("seed", &[]);
    let addr = listening(&mut seed);
    checked(&mut seed);
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    let mut said = handshake(&bench.torrent.info_hash, 1);
    said.extend([0, 0, 0, 1, 2]);
    for number in 0..1500_u32 {
        let (piece, begin) = (number / 4, number % 4 * BLOCK as u32);
        said.extend([0, 0, 0, 13, 6]);
        said.extend(
            [piece, begin, BLOCK as u32]
                .iter()
                .flat_map(|word| word.to_be_bytes()),
        );
    }
    let unchoked = said.len() - 1500 * 17;
    stream.write_all(&said[..unchoked]).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    reader.read_exact(&mut [0; 68]).unwrap();
    let mut blocks = 0;
    while blocks < 1500 {
        let mut length = [0; 4];
        reader.read_exact(&mut length).unwrap();
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        reader.read_exact(&mut frame).unwrap();
        match frame.first() {
            Some(1) => stream.write_all(&said[unchoked..]).unwrap(),
            Some(7) => blocks += 1,
            Some(16) => panic!("a reject after {blocks} blocks"),
            _ => {}
        }
    }
}
