//! Peers that do every wrong thing that a byte stream allows, to a download and to a seed.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::support::bench::{Bench, SOON, checked, listening};
use crate::support::child::Child;
use crate::support::content::noise;
use crate::support::peer::{Block, Manners, Peer, Server, frame, greet, handshake, numbers, piece};
use crate::support::torrent::Torrent;

const MIB: usize = 1024 * 1024;

/// What a hostile peer does with a connection.
type Act = fn(&mut TcpStream, &Torrent) -> io::Result<()>;

const ACTS: &[(&str, Act)] = &[
    ("noise in place of a handshake", |stream, _| {
        stream.write_all(&noise(1, 4096))
    }),
    ("HTTP", |stream, _| {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    }),
    ("a protocol name of 255 bytes", |stream, _| {
        stream.write_all(&[0xff; 300])
    }),
    ("half a handshake", |stream, torrent| {
        stream.write_all(&handshake(&torrent.info_hash, 1)[..40])
    }),
    ("a handshake a byte at a time", |stream, torrent| {
        for byte in handshake(&torrent.info_hash, 2) {
            stream.write_all(&[byte])?;
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }),
    ("another torrent", |stream, _| {
        stream.write_all(&handshake(&[7; 20], 3))
    }),
    ("a frame of 4 GiB", |stream, torrent| {
        greet(stream, torrent, 4)?;
        stream.write_all(&[0xff; 4])?;
        flood(stream, &[0xff; 65536], 64)
    }),
    ("a frame of 2 MiB of an unknown kind", |stream, torrent| {
        greet(stream, torrent, 5)?;
        stream.write_all(&frame(99, &vec![0; 2 * MIB]))
    }),
    ("a frame cut short", |stream, torrent| {
        greet(stream, torrent, 6)?;
        stream.write_all(&frame(7, &[0; 16 * 1024])[..5000])?;
        stream.shutdown(std::net::Shutdown::Write)
    }),
    ("noise after the handshake", |stream, torrent| {
        greet(stream, torrent, 7)?;
        flood(stream, &noise(7, 65536), 16)
    }),
    ("a bitfield too short", |stream, torrent| {
        greet(stream, torrent, 8)?;
        stream.write_all(&frame(5, &[0xff]))
    }),
    ("a bitfield too long", |stream, torrent| {
        greet(stream, torrent, 9)?;
        stream.write_all(&frame(5, &vec![0xff; MIB - 1]))
    }),
    ("bitfields without end", |stream, torrent| {
        greet(stream, torrent, 10)?;
        let bits = vec![0xff; torrent.pieces().div_ceil(8) as usize];
        flood(stream, &frame(5, &bits), 10_000)
    }),
    ("pieces that do not exist", |stream, torrent| {
        greet(stream, torrent, 11)?;
        flood(stream, &numbers(4, &[torrent.pieces()]), 100)?;
        flood(stream, &numbers(4, &[u32::MAX]), 100)
    }),
    ("every message, empty", |stream, torrent| {
        greet(stream, torrent, 12)?;
        (0..=255).try_for_each(|id| stream.write_all(&frame(id, &[])))
    }),
    ("keep-alives without end", |stream, torrent| {
        greet(stream, torrent, 13)?;
        flood(stream, &[0; 64 * 1024], 100)
    }),
    ("choke and unchoke without end", |stream, torrent| {
        greet(stream, torrent, 14)?;
        flood(stream, &[frame(1, &[]), frame(0, &[])].concat(), 50_000)
    }),
    ("interested and not without end", |stream, torrent| {
        greet(stream, torrent, 15)?;
        flood(stream, &[frame(2, &[]), frame(3, &[])].concat(), 50_000)
    }),
    ("blocks nobody asked for", |stream, torrent| {
        greet(stream, torrent, 16)?;
        let block = Block {
            piece: 3,
            begin: 0,
            len: 16 * 1024,
        };
        flood(stream, &piece(torrent, block, true), 500)
    }),
    ("blocks beyond the end", |stream, torrent| {
        greet(stream, torrent, 17)?;
        let mut message = numbers(7, &[u32::MAX, u32::MAX]);
        message.extend_from_slice(&[1; 100]);
        message[3] += 100;
        flood(stream, &message, 100)
    }),
    (
        "requests without asking to be unchoked",
        |stream, torrent| {
            greet(stream, torrent, 18)?;
            flood(stream, &numbers(6, &[0, 0, 16 * 1024]), 20_000)
        },
    ),
    ("requests without reading", |stream, torrent| {
        greet(stream, torrent, 19)?;
        stream.write_all(&frame(2, &[]))?;
        thread::sleep(Duration::from_millis(300));
        flood(stream, &numbers(6, &[0, 0, 16 * 1024]), 20_000)
    }),
    ("requests for too much", |stream, torrent| {
        greet(stream, torrent, 20)?;
        stream.write_all(&frame(2, &[]))?;
        for block in [
            [0, 0, u32::MAX],
            [0, u32::MAX, 1],
            [u32::MAX, 0, 1],
            [0, 0, 0],
            [0, 1, 1 << 20],
        ] {
            flood(stream, &numbers(6, &block), 100)?;
            flood(stream, &numbers(8, &block), 100)?;
        }
        Ok(())
    }),
    (
        "promises everything and gives nothing",
        |stream, torrent| {
            greet(stream, torrent, 21)?;
            let bits = vec![0xff; torrent.pieces() as usize / 8];
            stream.write_all(&frame(5, &bits))?;
            stream.write_all(&frame(1, &[]))?;
            io::copy(stream, &mut io::sink()).map(drop)
        },
    ),
    (
        "fast messages without the fast extension",
        |stream, torrent| {
            greet(stream, torrent, 22)?;
            for id in [0x0e, 0x0f, 0x0d, 0x11, 0x10] {
                flood(stream, &numbers(id, &[0, 0, 16 * 1024]), 100)?;
            }
            Ok(())
        },
    ),
    ("the fast extension, misused", |stream, torrent| {
        let mut hello = handshake(&torrent.info_hash, 23);
        hello[27] |= 4;
        stream.write_all(&hello)?;
        stream.read_exact(&mut [0; 68])?;
        stream.write_all(&frame(0x0e, &[]))?;
        stream.write_all(&frame(0x0f, &[]))?;
        flood(stream, &numbers(0x11, &[u32::MAX]), 1000)?;
        flood(stream, &numbers(0x0d, &[5]), 10_000)?;
        flood(stream, &numbers(0x10, &[0, 0, 16 * 1024]), 1000)
    }),
];

fn flood(stream: &mut TcpStream, bytes: &[u8], times: usize) -> io::Result<()> {
    (0..times).try_for_each(|_| stream.write_all(bytes))
}

/// Performs, then reads until the other side hangs up.
fn perform(act: Act, mut stream: TcpStream, torrent: &Torrent) -> io::Result<()> {
    act(&mut stream, torrent)?;
    io::copy(&mut stream, &mut io::sink()).map(drop)
}

fn bench(seed: u64) -> Bench {
    // A multiple of eight pieces, so that a bitfield has no spare bits.
    Bench::new(seed, 16 * MIB)
}

#[test]
fn a_download_goes_on() {
    let bench = bench(1);
    let hostile: Vec<Server> = ACTS
        .iter()
        .map(|&(_, act)| {
            let torrent = Arc::clone(&bench.torrent);
            Server::start(move |stream| perform(act, stream, &torrent))
        })
        .collect();
    let manners = Manners {
        rate: Some(4 * MIB as u64),
        ..Manners::default()
    };
    let good = Peer::start(&bench.torrent, manners);
    let addresses = hostile.iter().map(|peer| peer.addr.to_string());
    let addresses: Vec<String> = addresses.chain([good.addr()]).collect();
    let mut get = bench.get(&addresses, &["--seed"]);
    get.event("complete", 2 * SOON);
    bench.assert_whole();
    for (server, (name, _)) in hostile.iter().zip(ACTS) {
        assert!(server.accepted() > 0, "{name}: never met");
    }
    assert_calm(&mut get);
}

#[test]
fn a_seed_goes_on() {
    let bench = bench(2);
    bench.fill();
    let mut seed = bench.run("seed", &[]);
    let addr = listening(&mut seed);
    checked(&mut seed);
    let visits: Vec<_> = ACTS
        .iter()
        .flat_map(|act| [act; 3])
        .map(|&(_, act)| {
            let torrent = Arc::clone(&bench.torrent);
            thread::spawn(move || perform(act, TcpStream::connect(addr)?, &torrent))
        })
        .collect();
    let getter = Bench::of(Torrent::clone(&bench.torrent));
    getter.get(&[addr.to_string()], &[]).success(2 * SOON);
    getter.assert_whole();
    assert_calm(&mut seed);
    drop(seed);
    for visit in visits {
        // What became of the connection is not the question.
        let _ = visit.join().unwrap();
    }
}

#[test]
fn each_alone_does_no_harm() {
    let bench = bench(3);
    bench.fill();
    let mut seed = bench.run("seed", &[]);
    let addr = listening(&mut seed);
    checked(&mut seed);
    for (name, act) in ACTS {
        let mut stream = TcpStream::connect(addr).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_millis(200)))
            .unwrap();
        stream
            .set_write_timeout(Some(Duration::from_millis(500)))
            .unwrap();
        let _ = act(&mut stream, &bench.torrent);
        let _ = stream.read(&mut [0; 1024]);
        assert!(seed.is_running(), "{name}");
    }
    assert_calm(&mut seed);
}

/// It lives, holds little memory, and uses next to no processor time once they have had their say.
fn assert_calm(child: &mut Child) {
    assert!(child.is_running());
    let peak = peak(child);
    assert!(peak < 64 * MIB, "{peak} bytes at most");
    // Some of them still talk: the first quiet second counts.
    let quiet = (0..20).any(|_| {
        let before = child.cpu();
        thread::sleep(Duration::from_secs(1));
        child.cpu() - before <= Duration::from_millis(20)
    });
    assert!(quiet, "it spins");
    assert!(child.is_running());
}

/// The most memory that it ever had, in bytes.
fn peak(child: &Child) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|text| text.trim().strip_suffix(" kB"));
    kib.and_then(|text| text.parse::<usize>().ok()).unwrap() * 1024
}
