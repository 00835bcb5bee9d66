//! Hostile peers in numbers: who only takes up a place, who comes and goes, who fills memory, who
//! makes work with a torrent of many pieces.

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{
    KIB, MIB, assert_calm, assert_over, assert_serves, bench, connect_from, event, seeding,
};
use crate::support::bench::{SOON, listening};
use crate::support::child::{Child, brooklet};
use crate::support::dir::Dir;
use crate::support::peer::{
    Manners, Server, frame, greet_fast, handshake, next_request, numbers, piece, read_frame, reset,
    visit,
};
use crate::support::torrent::{Torrent, metainfo, sparse};

/// Far more than the 60 places that there are by default.
const CROWD: u16 = 500;

/// How one takes up a place without being of use.
#[derive(Clone, Copy, PartialEq)]
enum Silence {
    /// Says nothing.
    Mute,
    /// Says its handshake and nothing more.
    Greeted,
    /// Says its handshake a byte at a time, far too slowly.
    Slow,
}

const SILENCES: [Silence; 3] = [Silence::Mute, Silence::Greeted, Silence::Slow];

/// Many who take up places.
fn silent(addr: SocketAddr, torrent: &Torrent, silence: Silence) -> Vec<TcpStream> {
    let call = |number: u16| {
        let mut stream = TcpStream::connect(addr).unwrap();
        if silence == Silence::Greeted {
            // Most are not let in.
            let _ = stream.write_all(&handshake(&torrent.info_hash, number));
        }
        stream
    };
    let crowd: Vec<TcpStream> = (1..=CROWD).map(call).collect();
    if silence == Silence::Slow {
        let mut streams: Vec<TcpStream> = crowd.iter().flat_map(TcpStream::try_clone).collect();
        let hello = handshake(&torrent.info_hash, 1);
        thread::spawn(move || {
            for byte in hello {
                streams.retain_mut(|stream| stream.write_all(&[byte]).is_ok());
                thread::sleep(Duration::from_secs(1));
            }
        });
    }
    crowd
}

/// A good peer that calls again whenever it is not let in, until told to stop.
fn keep_calling(
    addr: SocketAddr,
    torrent: &Arc<Torrent>,
    stop: &Arc<AtomicBool>,
) -> thread::JoinHandle<()> {
    let (torrent, stop) = (Arc::clone(torrent), Arc::clone(stop));
    thread::spawn(move || {
        while !stop.load(Ordering::SeqCst) {
            let _ = visit(addr, &torrent, &Manners::default());
            thread::sleep(Duration::from_millis(100));
        }
    })
}

/// A download whose places a silent crowd has taken completes from a good peer that calls.
fn an_incoming_peer_gets_in(seed: u64, silence: Silence) {
    let bench = bench(seed);
    let mut get = bench.run("get", &["--seed"]);
    let addr = listening(&mut get);
    let crowd = silent(addr, &bench.torrent, silence);
    let stop = Arc::new(AtomicBool::new(false));
    let good = keep_calling(addr, &bench.torrent, &stop);
    get.event("complete", 2 * SOON);
    bench.assert_whole();
    assert_calm(&mut get, Duration::from_secs(30));
    stop.store(true, Ordering::SeqCst);
    drop((get, crowd));
    good.join().unwrap();
}

/// The same from a good peer that can only be called.
fn a_peer_that_can_be_dialed_is_dialed(seed: u64, silence: Silence) {
    let bench = bench(seed);
    let open = Arc::new(AtomicBool::new(false));
    let (ready, torrent) = (Arc::clone(&open), Arc::clone(&bench.torrent));
    let good = Server::start(move |mut stream| {
        if !ready.load(Ordering::SeqCst) {
            return reset(&stream);
        }
        greet_fast(&mut stream, &torrent, CROWD + 1)?;
        stream.write_all(&[frame(14, &[]), frame(1, &[])].concat())?;
        loop {
            let block = next_request(&mut stream)?;
            stream.write_all(&piece(&torrent, block, false))?;
        }
    });
    let mut get = bench.get(&[good.addr.to_string()], &["--seed"]);
    let addr = listening(&mut get);
    event(
        &mut get,
        "the first try",
        &good.addr.to_string(),
        "disconnected",
    );
    let crowd = silent(addr, &bench.torrent, silence);
    open.store(true, Ordering::SeqCst);
    get.event("complete", 2 * SOON);
    bench.assert_whole();
    assert_calm(&mut get, Duration::from_secs(30));
    drop(crowd);
}

/// A seed whose places a silent crowd has taken serves one that comes later.
fn a_seed_lets_others_in(seed: u64, silence: Silence) {
    let (bench, mut seed, addr) = seeding(seed);
    let crowd = silent(addr, &bench.torrent, silence);
    assert_serves(&bench, addr);
    assert_calm(&mut seed, Duration::from_secs(30));
    drop(crowd);
}

/// The same with each kind of crowd, at one time.
fn with_each(seed: u64, test: fn(u64, Silence)) {
    thread::scope(|scope| {
        for (seed, silence) in (seed..).zip(SILENCES) {
            scope.spawn(move || test(seed, silence));
        }
    });
}

#[test]
fn a_silent_crowd_keeps_no_peer_out() {
    with_each(20, an_incoming_peer_gets_in);
}

#[test]
fn a_silent_crowd_does_not_stop_dials() {
    with_each(23, a_peer_that_can_be_dialed_is_dialed);
}

#[test]
fn a_silent_crowd_keeps_no_seed_from_serving() {
    with_each(26, a_seed_lets_others_in);
}

/// Thousands come and go. No handle and no memory is lost on them.
fn storm(child: &mut Child, addr: SocketAddr, torrent: &Torrent) {
    let call = |number: u16| -> io::Result<()> {
        let mut stream = TcpStream::connect(addr)?;
        match number % 4 {
            0 => return Ok(()),
            1 => return reset(&stream),
            2 => greet_fast(&mut stream, torrent, number)?,
            _ => {
                greet_fast(&mut stream, torrent, number)?;
                stream.write_all(&[numbers(4, &[5]), frame(2, &[]), frame(1, &[])].concat())?;
            }
        }
        reset(&stream)
    };
    // Who of them is let in depends on who is there.
    let some = |from: u16| (from..from + 500).for_each(|number| drop(call(number)));
    some(1);
    settle(child, 0);
    let (handles, peak) = (child.handles(), child.peak());
    (1..8).for_each(|round| some(round * 500));
    settle(child, handles);
    let grown = child.peak() - peak;
    assert!(grown < MIB, "{} KiB more than before", grown / KIB);
}

/// Waits until no more handles are open than these (0: until their number stays).
fn settle(child: &Child, handles: usize) {
    let began = Instant::now();
    let mut before = 0;
    loop {
        let now = child.handles();
        if now <= handles || (handles == 0 && now == before) {
            return;
        }
        assert!(began.elapsed() < SOON, "{now} handles, {handles} before");
        before = now;
        thread::sleep(Duration::from_millis(300));
    }
}

#[test]
fn a_peer_that_comes_and_goes_leaves_nothing_behind() {
    let bench = bench(29);
    let mut get = bench.run("get", &["--seed"]);
    let addr = listening(&mut get);
    storm(&mut get, addr, &bench.torrent);
    let stop = Arc::new(AtomicBool::new(false));
    let good = keep_calling(addr, &bench.torrent, &stop);
    get.event("complete", 2 * SOON);
    bench.assert_whole();
    // As a seed it goes on.
    storm(&mut get, addr, &bench.torrent);
    assert_serves(&bench, addr);
    assert_calm(&mut get, Duration::from_secs(60));
    stop.store(true, Ordering::SeqCst);
    drop(get);
    good.join().unwrap();
}

/// All places are taken by peers that fill each queue that we keep for them: requests, messages
/// that they do not read, the start of a message. The sum stays inside of what we may have.
#[test]
fn memory_has_a_bound_however_many_fill_it() {
    let (bench, mut seed, addr) = seeding(30);
    let before = seed.peak();
    let fill = |number: u16| {
        let torrent = Arc::clone(&bench.torrent);
        thread::spawn(move || -> io::Result<()> {
            // A small window makes small packets, of which the system keeps few for a peer that
            // reads nothing.
            let mut stream = connect_from(Ipv4Addr::LOCALHOST, addr, 4 * KIB);
            greet_fast(&mut stream, &torrent, number)?;
            stream.write_all(&[frame(15, &[]), frame(2, &[])].concat())?;
            let mut allowed = Vec::new();
            while allowed.len() < 10 {
                if let Some((17, piece)) = read_frame(&mut stream)? {
                    allowed.push(u32::from(piece[3]));
                }
            }
            let request = |n: usize, begin, len| numbers(6, &[allowed[n % 10], begin, len]);
            // So much that the system keeps no more of it for us,
            let blocks = (0..40).flat_map(|n| request(n, n as u32 / 10 * 16_384, 16_384));
            stream.write_all(&blocks.collect::<Vec<u8>>())?;
            // as many rejects as may wait,
            let refused = (0..250).find(|piece| !allowed.contains(piece)).unwrap();
            stream.write_all(&numbers(6, &[refused, 0, 1]).repeat(1_900))?;
            // as many requests, and the start of a block.
            let many = (0..1_900).flat_map(|n| request(n, n as u32, 1));
            stream.write_all(&many.collect::<Vec<u8>>())?;
            stream.write_all(&frame(7, &[0; 16 * KIB])[..16 * KIB])?;
            loop {
                stream.write_all(&frame(99, &[]))?;
                thread::sleep(Duration::from_millis(100));
            }
        })
    };
    let visits: Vec<_> = (1..=60).map(fill).collect();
    let began = Instant::now();
    let mut last = 0;
    while seed.peak() < before + MIB || seed.peak() != last {
        last = seed.peak();
        let kib = last / KIB;
        assert!(began.elapsed() < SOON, "{kib} KiB: they fill nothing");
        thread::sleep(Duration::from_millis(500));
    }
    assert_calm(&mut seed, Duration::from_secs(60));
    drop(seed);
    for visit in visits {
        let _ = visit.join().unwrap();
    }
}

/// With hundreds of thousands of pieces a bitfield costs a look at each. Who floods us with them is
/// hung up on before that adds up.
#[test]
fn bitfields_of_many_pieces_cost_little() {
    const PIECES: u32 = 220_000;
    let dir = Dir::new();
    let info = sparse("large", &[], u64::from(PIECES) * 16_384, 16_384);
    let path = dir.file("torrent", metainfo(&info, &[]));
    let mut command = brooklet(None);
    command
        .arg("get")
        .arg(path)
        .arg("--dir")
        .arg(dir.folder("content"));
    command.arg("--state").arg(dir.join("state"));
    command.args(["--json", "--port", "0", "--bind", "127.0.0.1"]);
    let mut get = Child::spawn("brooklet", &mut command);
    let addr = listening(&mut get);
    let hash: [u8; 20] =
        sha1::Digest::finalize(<sha1::Sha1 as sha1::Digest>::new_with_prefix(&info)).into();
    let before = get.cpu();
    let flood = |number: u16| {
        thread::spawn(move || -> io::Result<()> {
            let mut stream = TcpStream::connect(addr)?;
            stream.write_all(&handshake(&hash, number))?;
            let bits = |bits: u8| frame(5, &vec![bits; PIECES as usize / 8]);
            // Each changes all pieces.
            let pair = [bits(0xaa), bits(0x55)].concat();
            (0..2_000).try_for_each(|_| stream.write_all(&pair))
        })
    };
    let visits: Vec<_> = (1..=10).map(flood).collect();
    for visit in visits {
        assert_over("bitfields", &visit);
        assert!(visit.join().unwrap().is_err(), "it could send all of that");
    }
    let (work, peak) = (get.cpu() - before, get.peak());
    eprintln!("{work:?} of processor time, {} KiB", peak / KIB);
    // A thousand bitfields: 5 ms each at most, in a build with assertions.
    assert!(work < Duration::from_secs(20), "{work:?}");
    assert!(get.is_running());
}
