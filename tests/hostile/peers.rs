//! Peers that do every wrong thing that a byte stream allows, to a download and to a seed. brooklet
//! says why it hung up, keeps those that did nothing wrong, serves the good peer or completes from
//! it, and stays small and calm.

mod acts;
mod crowds;
mod takers;

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use self::acts::{Act, End, acts, drip};
use crate::support::bench::{Bench, SOON, checked, listening};
use crate::support::child::Child;
use crate::support::json::Json;
use crate::support::peer::{
    Manners, Peer, Server, bitfield, frame, greet, handshake, next_request, piece, visit,
};
use crate::support::torrent::Torrent;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
/// Memory that brooklet may ever have, all told, unless `--memory` says otherwise.
const MEMORY: usize = 16 * MIB;
/// Acts performed to a seed at one time: fewer than there are places.
const AT_ONCE: usize = 20;

/// 255 pieces of 64 KiB, so that a bitfield has a spare bit; the last piece is shorter.
fn bench(seed: u64) -> Bench {
    Bench::new(seed, 16 * MIB - 100 * KIB)
}

/// A seed of all that, and where it listens.
fn seeding(seed: u64) -> (Bench, Child, SocketAddr) {
    let bench = bench(seed);
    bench.fill();
    let mut seed = bench.run("seed", &[]);
    let addr = listening(&mut seed);
    checked(&mut seed);
    (bench, seed, addr)
}

#[test]
fn a_download_goes_on() {
    let bench = bench(1);
    let acts = acts();
    let server = |act: &Act| {
        let (act, torrent) = (act.clone(), Arc::clone(&bench.torrent));
        Server::start(move |stream| act.perform(stream, &torrent))
    };
    let hostile: Vec<Server> = acts.iter().map(server).collect();
    let addresses: Vec<String> = hostile.iter().map(|peer| peer.addr.to_string()).collect();
    let mut get = bench.get(&addresses, &["--seed"]);
    let addr = listening(&mut get);
    for (act, addr) in acts.iter().zip(&addresses) {
        match act.get {
            End::Because(why) | End::Door(why) => assert_ends(&mut get, &act.name, addr, why),
            End::Stays => {
                event(&mut get, &act.name, addr, "connected");
            }
        }
    }
    // Only now comes one that is any good.
    let good = completes(&bench, &mut get, addr);
    for (act, addr) in acts.iter().zip(&addresses) {
        // Who says that it has everything is of no use to us from now on.
        let ended = ended(&mut get, addr).filter(|why| !why.contains("neither of us"));
        assert!(
            act.get != End::Stays || ended.is_none(),
            "{}: {ended:?}",
            act.name
        );
    }
    assert_calm(&mut get, Duration::from_secs(60));
    drop((get, hostile));
    let _ = good.join().unwrap();
}

#[test]
fn a_seed_goes_on() {
    let (bench, mut seed, addr) = seeding(2);
    let mut staying = Vec::new();
    for wave in acts().chunks(AT_ONCE) {
        let begin = |act: &Act| {
            let stream = TcpStream::connect(addr).unwrap();
            let (own, torrent) = (stream.try_clone().unwrap(), Arc::clone(&bench.torrent));
            let (act, from) = (act.clone(), stream.local_addr().unwrap().to_string());
            let perform = act.clone();
            (
                act,
                from,
                own,
                thread::spawn(move || perform.perform(stream, &torrent)),
            )
        };
        let wave: Vec<_> = wave.iter().map(begin).collect();
        for (act, from, own, visit) in wave {
            match act.seed {
                End::Because(why) => assert_ends(&mut seed, &act.name, &from, why),
                End::Door(_) => assert_over(&act.name, &visit),
                End::Stays => {
                    event(&mut seed, &act.name, &from, "connected");
                    staying.push((act.name, from, own, visit));
                }
            }
        }
    }
    assert_serves(&bench, addr);
    assert_calm(&mut seed, Duration::from_secs(60));
    for (name, from, own, visit) in staying {
        let ended = ended(&mut seed, &from);
        assert!(ended.is_none() && !visit.is_finished(), "{name}: {ended:?}");
        let _ = own.shutdown(std::net::Shutdown::Both);
        // What became of the connection is not the question.
        let _ = visit.join().unwrap();
    }
}

#[test]
fn a_peer_that_takes_too_long_to_greet_is_hung_up_on() {
    let (bench, mut seed, addr) = seeding(3);
    let began = Instant::now();
    let slow = || {
        let (mut stream, torrent) = (
            TcpStream::connect(addr).unwrap(),
            Arc::clone(&bench.torrent),
        );
        thread::spawn(move || {
            for byte in handshake(&torrent.info_hash, 1) {
                if stream.write_all(&[byte]).is_err() {
                    break;
                }
                thread::sleep(Duration::from_secs(1));
            }
        })
    };
    let visits: Vec<_> = (0..30).map(|_| slow()).collect();
    for visit in &visits {
        assert_over("a byte a second", visit);
    }
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(18), "{took:?}");
    assert!(seed.events("peer").is_empty(), "nobody of them is a peer");
    assert_calm(&mut seed, Duration::from_secs(10));
}

#[test]
fn a_whole_download_a_byte_at_a_time() {
    let bench = Bench::new(4, 192 * KIB);
    let torrent = Arc::clone(&bench.torrent);
    let slow = Server::start(move |mut stream| {
        stream.set_nodelay(true)?;
        drip(&mut stream, &handshake(&torrent.info_hash, 1))?;
        drip(&mut stream, &bitfield(&torrent, |_| true))?;
        drip(&mut stream, &frame(1, &[]))?;
        stream.read_exact(&mut [0; 68])?;
        loop {
            let block = next_request(&mut stream)?;
            for byte in piece(&torrent, block, false) {
                stream.write_all(&[byte])?;
            }
        }
    });
    let mut get = bench.get(&[slow.addr.to_string()], &["--seed"]);
    get.event("complete", 3 * SOON);
    bench.assert_whole();
    assert_calm(&mut get, Duration::from_secs(60));
}

/// Two connections with the same peer id, from one address and from another: who borrows an id
/// neither ends the connection to its owner nor keeps it out.
#[test]
fn a_copied_peer_id_ends_no_connection() {
    let bench = bench(5);
    for number in [1, 65_535] {
        let mut get = bench.run("get", &[]);
        let addr = listening(&mut get);
        let call = |from: [u8; 4]| {
            let stream = connect_from(from.into(), addr, 64 * KIB);
            let name = stream.local_addr().unwrap().to_string();
            (stream, name)
        };
        let (mut first, name) = call([127, 0, 0, 1]);
        greet(&mut first, &bench.torrent, number).unwrap();
        event(&mut get, "the first", &name, "connected");
        let (mut second, twin) = call([127, 0, 0, 1]);
        let _ = greet(&mut second, &bench.torrent, number);
        let closed = io::copy(&mut second, &mut io::sink());
        assert!(closed.is_ok() || closed.is_err(), "it is over");
        assert_eq!(ended(&mut get, &twin), None, "it was never greeted");
        let (mut other, thief) = call([127, 0, 0, 2]);
        greet(&mut other, &bench.torrent, number).unwrap();
        event(&mut get, "the thief", &thief, "connected");
        assert_eq!(ended(&mut get, &name), None);
    }
}

/// Our own peer id in the mouth of others: who calls us with it is not listened to, whom we call is
/// forgotten.
#[test]
fn our_own_peer_id_is_no_other_peers() {
    let bench = bench(6);
    let torrent = Arc::clone(&bench.torrent);
    let mirror = Server::start(move |mut stream| {
        let mut theirs = [0; 68];
        stream.read_exact(&mut theirs)?;
        stream.write_all(&theirs)?;
        stream.write_all(&bitfield(&torrent, |_| true))?;
        io::copy(&mut stream, &mut io::sink()).map(drop)
    });
    let good = Peer::start(&bench.torrent, Manners::default());
    let mut get = bench.get(&[mirror.addr.to_string(), good.addr()], &["--seed"]);
    let addr = listening(&mut get);
    assert_ends(
        &mut get,
        "a mirror",
        &mirror.addr.to_string(),
        "it is this very client",
    );
    let mut caller = TcpStream::connect(addr).unwrap();
    let mut theirs = handshake(&bench.torrent.info_hash, 1);
    caller.write_all(&theirs).unwrap();
    caller.read_exact(&mut theirs).unwrap();
    let mut caller = TcpStream::connect(addr).unwrap();
    caller.write_all(&theirs).unwrap();
    let _ = caller.write_all(&frame(2, &[]).repeat(100_000));
    get.event("complete", 2 * SOON);
    bench.assert_whole();
    assert_calm(&mut get, Duration::from_secs(30));
    assert_eq!(mirror.accepted(), 1, "it is not called again");
}

/// One that has everything sends a byte a second; it is the only one to have the rarest piece until
/// a good one comes late.
#[test]
fn a_peer_that_sends_the_rarest_piece_a_byte_a_second_delays_no_download() {
    let bench = bench(7);
    let torrent = Arc::clone(&bench.torrent);
    let slow = Server::start(move |mut stream| {
        stream.set_nodelay(true)?;
        greet(&mut stream, &torrent, 1)?;
        stream.write_all(&bitfield(&torrent, |_| true))?;
        stream.write_all(&frame(1, &[]))?;
        let block = next_request(&mut stream)?;
        for byte in piece(&torrent, block, false) {
            stream.write_all(&[byte])?;
            thread::sleep(Duration::from_secs(1));
        }
        Ok(())
    });
    let most = Manners {
        has: Box::new(|piece| piece != 7),
        ..Manners::default()
    };
    let most = Peer::start(&bench.torrent, most);
    let mut get = bench.get(&[slow.addr.to_string(), most.addr()], &["--seed"]);
    let addr = listening(&mut get);
    let pieces = bench.torrent.pieces() as usize;
    crate::support::bench::wait_verified(&mut get, pieces - 1);
    let good = completes(&bench, &mut get, addr);
    assert_calm(&mut get, Duration::from_secs(30));
    drop(get);
    let _ = good.join().unwrap();
}

/// A good peer calls the download, which completes; its visit is over when the download is.
fn completes(
    bench: &Bench,
    get: &mut Child,
    addr: SocketAddr,
) -> thread::JoinHandle<io::Result<()>> {
    let torrent = Arc::clone(&bench.torrent);
    let good = thread::spawn(move || visit(addr, &torrent, &Manners::default()));
    get.event("complete", 2 * SOON);
    bench.assert_whole();
    good
}

/// Another brooklet gets the whole content from this one.
fn assert_serves(bench: &Bench, addr: SocketAddr) {
    let getter = Bench::of(Torrent::clone(&bench.torrent));
    getter.get(&[addr.to_string()], &[]).success(2 * SOON);
    getter.assert_whole();
}

/// Waits until brooklet says that this connection is `state`.
fn event(child: &mut Child, what: &str, addr: &str, state: &str) -> Json {
    let its = |event: &Json| event.get("addr").text() == addr && event.get("state").text() == state;
    child.find(&format!("{what} ({addr}) {state}"), 2 * SOON, |_, line| {
        let event = Json::parse(line).ok()?;
        let counts = event.find("event")?.text() == "peer" && its(&event);
        counts.then_some(event)
    })
}

/// Waits until brooklet says that a connection ended, and why: this must be in it.
fn assert_ends(child: &mut Child, name: &str, addr: &str, why: &str) {
    let event = event(child, name, addr, "disconnected");
    let reason = event.get("reason").text();
    assert!(
        reason.contains(why),
        "{name}: {reason:?} in place of {why:?}"
    );
}

/// Why brooklet said that a connection ended, if it did.
fn ended(child: &mut Child, addr: &str) -> Option<String> {
    let events = child.events("peer");
    let mut ends = events.iter().filter(|event| {
        event.get("addr").text() == addr && event.get("state").text() == "disconnected"
    });
    ends.next()
        .map(|event| event.get("reason").text().to_string())
}

/// Waits until a visit is over.
fn assert_over<T>(name: &str, visit: &thread::JoinHandle<T>) {
    let began = Instant::now();
    while !visit.is_finished() {
        assert!(began.elapsed() < 3 * SOON, "{name}: it is not hung up on");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Connects from this address; the system takes no more than so many bytes for us.
fn connect_from(from: Ipv4Addr, to: SocketAddr, takes: usize) -> TcpStream {
    use rustix::net::{AddressFamily, SocketType, bind, connect, socket, sockopt};
    let stream = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    sockopt::set_socket_recv_buffer_size(&stream, takes).unwrap();
    bind(&stream, &SocketAddr::from((from, 0))).unwrap();
    connect(&stream, &to).unwrap();
    stream.into()
}

/// It lives, never held much memory, has not worked for longer than `most`, and uses next to no
/// processor time once all have had their say.
fn assert_calm(child: &mut Child, most: Duration) {
    assert!(child.is_running());
    let (peak, cpu) = (child.peak(), child.cpu());
    eprintln!("{} KiB at most, {cpu:?} of processor time", peak / KIB);
    assert!(peak < MEMORY, "{} KiB at most", peak / KIB);
    assert!(cpu < most, "{cpu:?} of processor time");
    // Some of them still talk: the first quiet seconds count.
    let quiet = (0..10).any(|_| {
        let before = child.cpu();
        thread::sleep(Duration::from_secs(2));
        child.cpu() - before <= Duration::from_millis(60)
    });
    assert!(quiet, "it spins");
    assert!(child.is_running());
}
