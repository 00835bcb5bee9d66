//! Peers that abuse being served. They wait until they are unchoked, so only a few are there at a
//! time.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::acts::End::{self, Because, Stays};
use super::{assert_calm, assert_ends, assert_serves, bench, completes, ended, event, seeding};
use crate::support::bench::{Bench, checked, listening};
use crate::support::child::Child;
use crate::support::peer::{frame, greet_fast, numbers, read_frame, reset};
use crate::support::torrent::Torrent;

const BLOCK: u32 = 16 * 1024;

type Take = fn(&mut TcpStream) -> io::Result<()>;

const TAKERS: &[(&str, End, Take)] = &[
    ("requests, and reads nothing", Stays, |stream| {
        stream.write_all(&requests(0..250).repeat(20))?;
        stay_deaf(stream)
    }),
    (
        "requests and cancels, and reads nothing",
        Because("it does not read what we send"),
        |stream| {
            // The system is not to keep much of what is said to it.
            rustix::net::sockopt::set_socket_recv_buffer_size(&stream, 64 * 1024)?;
            let pair = [numbers(6, &[1, 0, 1]), numbers(8, &[1, 0, 1])].concat();
            for _ in 0..1_000 {
                stream.write_all(&pair.repeat(1_000))?;
            }
            stay_deaf(stream)
        },
    ),
    (
        "requests and cancels, and reads the rejects",
        Stays,
        |stream| {
            let pair = [numbers(6, &[1, 0, BLOCK]), numbers(8, &[1, 0, BLOCK])].concat();
            let mut reading = stream.try_clone()?;
            let reader = thread::spawn(move || io::copy(&mut reading, &mut io::sink()));
            for _ in 0..100 {
                stream.write_all(&pair.repeat(1_000))?;
            }
            let _ = reader.join();
            Ok(())
        },
    ),
    ("cancels of a long queue, from its end", Stays, |stream| {
        let cancels: Vec<u8> = (0..250)
            .rev()
            .flat_map(|piece| numbers(8, &[piece, 0, BLOCK]))
            .collect();
        for _ in 0..20 {
            stream.write_all(&[requests(0..250), cancels.clone()].concat())?;
            // Each is answered, by a block or by a reject.
            for _ in 0..250 {
                while !matches!(read_frame(stream)?, Some((7 | 16, _))) {}
            }
        }
        Ok(())
    }),
    ("reads a byte at a time", Stays, |stream| {
        stream.write_all(&requests(0..100))?;
        for _ in 0..400 {
            stream.read_exact(&mut [0])?;
            thread::sleep(Duration::from_millis(1));
        }
        io::copy(stream, &mut io::sink()).map(drop)
    }),
    (
        "resets in the middle of a block",
        Because("it reset the connection"),
        |stream| {
            stream.write_all(&requests(0..100))?;
            stream.read_exact(&mut [0; 100_000])?;
            reset(stream)
        },
    ),
    (
        "says its last word with blocks on their way",
        Because("it closed the connection"),
        |stream| {
            stream.write_all(&requests(0..100))?;
            stream.shutdown(Shutdown::Write)?;
            io::copy(stream, &mut io::sink()).map(drop)
        },
    ),
    (
        "asks a hundred thousand times for one block",
        Stays,
        |stream| {
            let mut reading = stream.try_clone()?;
            let reader = thread::spawn(move || {
                // A few MiB are enough of it.
                io::copy(
                    &mut Read::by_ref(&mut reading).take(8 << 20),
                    &mut io::sink(),
                )
            });
            stream.write_all(&numbers(6, &[0, 0, BLOCK]).repeat(100_000))?;
            let _ = reader.join();
            stay_deaf(stream)
        },
    ),
];

fn requests(pieces: std::ops::Range<u32>) -> Vec<u8> {
    pieces
        .flat_map(|piece| numbers(6, &[piece, 0, BLOCK]))
        .collect()
}

/// Keeps the connection alive and reads nothing, until the other side hangs up.
fn stay_deaf(stream: &mut TcpStream) -> io::Result<()> {
    loop {
        stream.write_all(&frame(99, &[]))?;
        thread::sleep(Duration::from_millis(100));
    }
}

/// Greets, is interested, waits to be unchoked, and takes.
fn take(mut stream: TcpStream, torrent: &Torrent, number: u16, take: Take) -> io::Result<()> {
    stream.set_nodelay(true)?;
    greet_fast(&mut stream, torrent, number)?;
    stream.write_all(&[frame(15, &[]), frame(2, &[])].concat())?;
    while !matches!(read_frame(&mut stream)?, Some((1, _))) {}
    take(&mut stream)
}

/// Two of each, one after the other, so that each is served; those that stay are left to starve.
fn perform_all(child: &mut Child, bench: &Bench, addr: SocketAddr) {
    for (number, &(name, end, act)) in (1..).zip(TAKERS) {
        for twin in [0, 100] {
            let stream = TcpStream::connect(addr).unwrap();
            let (own, torrent) = (stream.try_clone().unwrap(), Arc::clone(&bench.torrent));
            let from = stream.local_addr().unwrap().to_string();
            let visit = thread::spawn(move || take(stream, &torrent, number + twin, act));
            event(child, name, &from, "connected");
            match end {
                Because(why) | End::Door(why) => assert_ends(child, name, &from, why),
                Stays => {
                    thread::sleep(Duration::from_millis(500));
                    assert_eq!(ended(child, &from), None, "{name}");
                    let _ = own.shutdown(Shutdown::Both);
                }
            }
            // What became of the connection is not the question.
            let _ = visit.join().unwrap();
        }
    }
}

#[test]
fn a_seed_serves_on() {
    let (bench, mut seed, addr) = seeding(11);
    perform_all(&mut seed, &bench, addr);
    assert_serves(&bench, addr);
    assert_calm(&mut seed, Duration::from_secs(60));
}

#[test]
fn a_download_serves_on() {
    let bench = bench(12);
    // All but the last piece is there.
    let mut part = bench.torrent.content.clone();
    let len = part.files[0].1.len();
    part.files[0].1.truncate(len - 20_000);
    part.write(&bench.content());
    let mut get = bench.run("get", &["--seed"]);
    let addr = listening(&mut get);
    assert_eq!(checked(&mut get), u64::from(bench.torrent.pieces()) - 1);
    perform_all(&mut get, &bench, addr);
    let good = completes(&bench, &mut get, addr);
    assert_calm(&mut get, Duration::from_secs(60));
    drop(get);
    let _ = good.join().unwrap();
}
