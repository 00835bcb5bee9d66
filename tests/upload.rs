//! What peers get of the built program over real sockets: an upload limit is shared by all that
//! wait for it, and a peer whose kernel holds small messages back is not kept waiting.

mod support;

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use support::bench::{Bench, SOON, checked, listening, verified};
use support::child::Child;
use support::content::Content;
use support::net::free_port;
use support::peer::{frame, greet, numbers, read_frame};
use support::torrent::Torrent;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
const BLOCK: u64 = 16 * KIB;
/// Limits in bytes a second.
const RATES: [u64; 4] = [10 * KIB, 100 * KIB, MIB, 10 * MIB];
/// What may pass between four peers until their shares are looked at: it takes half a minute at the
/// least limit.
const PATIENCE: Duration = Duration::from_secs(180);

/// Bytes after which the shares are looked at: some blocks for each of four peers, and two seconds'
/// worth at high limits.
fn enough(rate: u64) -> u64 {
    (2 * rate).max(18 * BLOCK)
}

fn assert_shared(shares: &[u64], what: &str) {
    let equal = shares.iter().sum::<u64>() / shares.len() as u64;
    let least = shares.iter().min().expect("there is somebody");
    assert!(2 * least >= equal, "{what}: {shares:?}");
    println!("{what}: {shares:?}");
}

/// One block a piece.
fn blocks(seed: u64, count: u64) -> Torrent {
    let content = Content::file(seed, "content.bin", (count * BLOCK) as usize);
    Torrent::new(content, BLOCK as usize)
}

/// Takes blocks, with eight requests under way, and counts their bytes, until it is `over`.
fn take(seed: SocketAddr, torrent: &Torrent, got: &AtomicU64, over: &dyn Fn() -> bool) {
    let mut stream = TcpStream::connect(seed).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let port = stream.local_addr().unwrap().port();
    greet(&mut stream, torrent, port).unwrap();
    stream.write_all(&frame(2, &[])).unwrap();
    let mut wanted = (0..torrent.pieces()).cycle();
    let mut ask = |stream: &mut TcpStream, count| {
        let requests = wanted.by_ref().take(count);
        let requests: Vec<u8> = requests
            .flat_map(|piece| numbers(6, &[piece, 0, BLOCK as u32]))
            .collect();
        stream.write_all(&requests).unwrap();
    };
    while !over() {
        match read_frame(&mut stream).unwrap() {
            Some((1, _)) => ask(&mut stream, 8),
            Some((7, payload)) => {
                got.fetch_add(payload.len() as u64 - 8, Ordering::SeqCst);
                ask(&mut stream, 1);
            }
            _ => {}
        }
    }
}

/// Seeds with a limit to four peers. What each of them got.
fn seeds(rate: u64) -> Vec<u64> {
    let bench = Bench::of(blocks(rate, 64));
    bench.fill();
    let mut seed = bench.run("seed", &["--up", &rate.to_string()]);
    let addr = listening(&mut seed);
    checked(&mut seed);
    let got = [0; 4].map(AtomicU64::new);
    let sum = || -> u64 { got.iter().map(|got| got.load(Ordering::SeqCst)).sum() };
    let over = || sum() >= enough(rate);
    thread::scope(|scope| {
        for got in &got {
            scope.spawn(|| take(addr, &bench.torrent, got, &over));
        }
    });
    got.map(AtomicU64::into_inner).to_vec()
}

#[test]
fn a_seed_shares_its_upload_limit() {
    thread::scope(|scope| {
        let runs = RATES.map(|rate| (rate, scope.spawn(move || seeds(rate))));
        for (rate, run) in runs {
            assert_shared(&run.join().unwrap(), &format!("{rate} B/s"));
        }
    });
}

/// Four downloads that have a quarter each and give each other theirs, with a limit. What each of
/// them got.
fn downloads(rate: u64) -> Vec<u64> {
    let count = 4 * enough(rate) / BLOCK;
    let torrent = blocks(rate, count);
    let benches = [0, 1, 2, 3].map(|quarter| {
        let bench = Bench::of(torrent.clone());
        let mut bytes = vec![0; torrent.bytes.len()];
        for piece in (0..count).filter(|piece| piece % 4 == quarter) {
            let range = (piece * BLOCK) as usize..((piece + 1) * BLOCK) as usize;
            bytes[range.clone()].copy_from_slice(&torrent.bytes[range]);
        }
        std::fs::write(bench.content().join("content.bin"), bytes).unwrap();
        bench
    });
    // Each looks at what it has in a run of its own, so that afterwards all begin at the same time.
    let ports = benches.each_ref().map(|bench| {
        let mut get = bench.get(&[], &[]);
        assert_eq!(checked(&mut get), count / 4);
        get.signal("INT");
        get.exit(SOON);
        free_port().to_string()
    });
    let mut gets: Vec<(Child, u64)> = Vec::new();
    for (bench, port) in benches.iter().zip(&ports) {
        let others = ports.iter().filter(|&other| other != port);
        let others: Vec<String> = others.map(|other| format!("127.0.0.1:{other}")).collect();
        let options = ["--up", &rate.to_string(), "--port", port];
        gets.push((bench.get(&others, &options), 0));
    }
    let start = Instant::now();
    loop {
        for (get, got) in &mut gets {
            *got = BLOCK * verified(get);
        }
        let got: Vec<u64> = gets.iter().map(|&(_, got)| got).collect();
        if got.iter().sum::<u64>() >= 4 * enough(rate) {
            return got;
        }
        assert!(start.elapsed() < PATIENCE, "{rate} B/s: {got:?}");
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn downloaders_share_their_upload_limits_with_each_other() {
    thread::scope(|scope| {
        let runs = RATES.map(|rate| (rate, scope.spawn(move || downloads(rate))));
        for (rate, run) in runs {
            assert_shared(&run.join().unwrap(), &format!("{rate} B/s"));
        }
    });
}

/// With Nagle's algorithm a message waits until the last one is acknowledged, which the kernel may
/// delay by 40 ms.
#[test]
fn requests_behind_an_unacknowledged_have_are_not_kept_waiting() {
    let bench = Bench::of(blocks(7, 64));
    bench.fill();
    let mut seed = bench.run("seed", &[]);
    let addr = listening(&mut seed);
    checked(&mut seed);
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_nodelay(false).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    greet(&mut stream, &bench.torrent, 1).unwrap();
    stream.write_all(&frame(2, &[])).unwrap();
    let next = |stream: &mut TcpStream, id: u8| {
        while read_frame(stream)
            .unwrap()
            .is_none_or(|(other, _)| other != id)
        {}
    };
    next(&mut stream, 1);
    let rounds = 50;
    let mut slow = 0;
    for piece in 0..rounds {
        let start = Instant::now();
        // As torrent-stream does it for each block that comes.
        stream.write_all(&numbers(4, &[piece])).unwrap();
        stream
            .write_all(&numbers(6, &[piece, 0, BLOCK as u32]))
            .unwrap();
        next(&mut stream, 7);
        slow += u32::from(start.elapsed() >= Duration::from_millis(35));
    }
    assert!(
        slow < rounds / 2,
        "{slow} of {rounds} requests were kept waiting"
    );
}
