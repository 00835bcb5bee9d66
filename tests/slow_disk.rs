//! A disk slower than the network. Writing is slowed down by `BROOKLET_WRITE_PACE`; the seeds are
//! as quick as they can be. What is asserted is mostly an order of events: how much the disk took
//! between one message and another, told by the `have`s that come on the same connection, so that a
//! slow machine does no harm. Where the disk keeps the loop waiting, each answer costs what it
//! writes in a turn.

mod support;

use std::fs;
use std::io;
use std::net::TcpStream;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use brooklet::base::InfoHash;
use brooklet::storage::{Layout, Resume};
use brooklet::wire::Metainfo;
use support::bench::{Bench, SOON, checked, listening, verified, wait_verified};
use support::child::{Child, Stream, brooklet};
use support::content::Content;
use support::peer::{Manners, Peer, frame, greet, numbers, read_frame};
use support::room::Room;
use support::torrent::Torrent;

/// As if the disk took only so many bytes a second.
const PACE: &str = "BROOKLET_WRITE_PACE";
const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
const BLOCK: usize = 16 * KIB;
/// Blocks in one receive buffer: what is written at a time at most.
const BUFFER: usize = 12;
/// Round trips of a leecher.
const TRIPS: usize = 40;

#[test]
fn a_leecher_is_served_while_the_disk_is_busy() {
    // A buffer takes three seconds. A loop that writes makes each answer wait for four blocks and
    // more.
    assert_served_while_busy(1, 64 * KIB, 3 * BUFFER);
}

#[test]
fn a_leecher_is_served_while_many_seeds_keep_the_disk_busy() {
    // No buffer takes 40 ms, but there are as many of them in a turn as there are seeds.
    assert_served_while_busy(24, 5 * MIB, TRIPS * BUFFER);
}

#[test]
fn pieces_are_announced_and_served_only_once_they_are_written() {
    let bench = one_block_pieces(3, 4 * MIB);
    let seed = Peer::start(&bench.torrent, Manners::default());
    let mut get = slow(&bench, std::slice::from_ref(&seed), 128 * KIB, &[]);
    let mut leecher = Leecher::join(&mut get, &bench);
    // Asked for before they are there, they come later or not at all.
    for piece in 1..20 {
        leecher.ask(piece);
    }
    let (mut haves, mut most_ahead) = (0, 0);
    while haves < 60 {
        match leecher.next() {
            Said::Have(piece) => {
                haves += 1;
                assert_written(&bench, &bench.content(), piece);
                let there = haves * BLOCK as u64;
                most_ahead = most_ahead.max(seed.sent().saturating_sub(there));
            }
            Said::Block(piece) => assert_written(&bench, &bench.content(), piece),
            Said::Other => {}
        }
    }
    // Otherwise this has shown nothing.
    assert!(
        most_ahead > 4 * (BUFFER * BLOCK) as u64,
        "nothing waited: {most_ahead}"
    );
}

#[test]
fn an_interrupt_does_not_wait_for_all_that_waits_for_the_disk() {
    let bench = Bench::new(4, 16 * MIB);
    let piece = bench.torrent.piece_length as u64;
    let seed = Peer::start(&bench.torrent, Manners::default());
    let mut get = slow(&bench, std::slice::from_ref(&seed), 128 * KIB, &[]);
    wait_verified(&mut get, 4);
    wait_until("much waits for the disk", || {
        seed.sent() > 3 * MIB as u64 / 2
    });
    get.signal("INT");
    assert_eq!(get.code(SOON), 130);
    let before = seed.sent();
    let written = verified(&mut get);
    // What was under way was given up: at this pace it would have taken ten seconds.
    assert!(
        written * piece + MIB as u64 / 2 < before,
        "{written} pieces of {before} bytes"
    );
    assert_recorded_is_there(&bench, &bench.content());

    let mut again = bench.get(&[seed.addr()], &[]);
    let have = checked(&mut again);
    again.success(SOON);
    bench.assert_whole();
    assert!(
        have >= written,
        "{have} pieces of {written} were found again"
    );
    let size = bench.torrent.bytes.len() as u64;
    assert_eq!(
        seed.sent() - before,
        size - have * piece,
        "only what was not there is fetched again"
    );
}

#[test]
fn memory_stays_inside_the_budget_and_the_processor_rests() {
    for (piece_length, memory) in [(1, "16M"), (16, "16M"), (1, "4M"), (16, "4M")] {
        let content = Content::file(5, "content.bin", 32 * MIB);
        let bench = Bench::of(Torrent::new(content, piece_length * MIB));
        let options = ["--memory", memory];
        // The program itself and what it knows of the torrent, before anybody sent anything.
        let mut idle = slow(&bench, &[], 1, &options);
        checked(&mut idle);
        let own = peak(&idle);
        idle.kill();

        let seeds = seeds(&bench, 8);
        let mut get = slow(&bench, &seeds, MIB, &options);
        wait_until("the disk is behind", || sent(&seeds) > 6 * MIB as u64);
        let (cpu, since) = (get.cpu(), Instant::now());
        thread::sleep(Duration::from_secs(3));
        let (cpu, time) = (get.cpu() - cpu, since.elapsed());
        let peak = peak(&get);
        assert!(get.is_running());
        let budget = match memory {
            "16M" => 16 * KIB as u64,
            // Code and libraries alone are most of so little, the more so in a build for tests.
            _ => own + 4 * KIB as u64,
        };
        assert!(
            peak <= budget,
            "{peak} KiB of {budget}, pieces of {piece_length} MiB"
        );
        assert!(
            cpu < time / 10,
            "busy for {cpu:?} of {time:?} with nothing to do"
        );
    }
}

#[test]
fn a_disk_that_fills_up_behind_the_loop_ends_it_with_a_line() {
    if !Room::possible() {
        return;
    }
    let bench = Bench::new(6, 8 * MIB);
    let seed = Peer::start(&bench.torrent, Manners::default());
    let room = Room::make(&bench.content(), "size=2m");
    let mut get = room.get(&bench, &seed.addr(), &[(PACE, MIB.to_string())]);
    // One write is as slow as it must be for the thread to be there; the disk is full only two
    // seconds later.
    wait_verified(&mut get, 2);
    wait_until("a thread writes", || {
        threads(&get).contains(&"writer".into())
    });
    assert_eq!(get.code(3 * SOON), 1);
    let text = get.text(Stream::Err);
    let ours = |line: &&str| line.starts_with("brooklet: ");
    let lines: Vec<&str> = text.lines().filter(ours).collect();
    let full = |line: &str| line.contains("content.bin: ") && line.contains("full");
    if lines.len() != 1 || !full(lines[0]) {
        get.fail("it should end with one line that names the file and says why");
    }
    let recorded = assert_recorded_is_there(&bench, &room.inside);
    let written = verified(&mut get);
    assert_eq!(
        u64::from(recorded),
        written,
        "all that is verified is kept, and nothing else"
    );

    room.run("mount -o remount,size=20m \"$1\"");
    let before = seed.sent();
    let mut again = room.get(&bench, &seed.addr(), &[]);
    let have = checked(&mut again);
    assert!(
        have >= written,
        "{have} pieces of {written} were found again"
    );
    again.success(SOON);
    bench.torrent.content.assert_in(&room.inside);
    let missing = bench.torrent.bytes.len() as u64 - have * bench.torrent.piece_length as u64;
    assert_eq!(seed.sent() - before, missing);
}

#[test]
fn a_download_with_one_buffer_ends_and_is_whole() {
    let bench = Bench::new(7, 8 * MIB);
    let seeds = seeds(&bench, 8);
    let mut get = slow(&bench, &seeds, 2 * MIB, &["--memory", "1M"]);
    get.success(6 * SOON);
    bench.assert_whole();
}

/// Lets a leecher ask one block after the other of a piece that is there, while this many quick
/// seeds keep a disk of this pace busy. All the answers must come before the disk has taken more
/// than `most` blocks.
fn assert_served_while_busy(count: usize, pace: usize, most: usize) {
    // Pieces are a block each, so that each block which is written is told to others.
    let bench = one_block_pieces(1, 32 * MIB);
    let first = &bench.torrent.bytes[..BLOCK];
    fs::write(bench.content().join("content.bin"), first).unwrap();
    let seeds = seeds(&bench, count);
    let mut get = slow(&bench, &seeds, pace, &[]);
    let mut leecher = Leecher::join(&mut get, &bench);
    let ahead = (pace / 2).max(MIB) as u64;
    wait_until("the disk is behind", || sent(&seeds) > ahead);
    // This comes behind all that was written until now.
    let before = leecher.round_trip();
    let mut taken = 0;
    for trip in 0..TRIPS {
        taken += leecher.round_trip();
        assert!(taken <= most, "{trip} answers while it took {taken} blocks");
    }
    let there = ((before + taken) * BLOCK) as u64;
    assert!(sent(&seeds) > there, "the disk has had a rest: {there}");
}

/// Names of a process's threads.
fn threads(child: &Child) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{}/task", child.pid())).unwrap();
    tasks
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .map(|name| name.trim().to_string())
        .collect()
}

/// A torrent of one file whose pieces are a block each, so that each block which is written is told
/// to others.
fn one_block_pieces(seed: u64, len: usize) -> Bench {
    Bench::of(Torrent::new(Content::file(seed, "content.bin", len), BLOCK))
}

/// Peers that serve as fast as they can.
fn seeds(bench: &Bench, count: usize) -> Vec<Peer> {
    (0..count)
        .map(|_| Peer::start(&bench.torrent, Manners::default()))
        .collect()
}

/// Bytes that they have sent.
fn sent(seeds: &[Peer]) -> u64 {
    seeds.iter().map(Peer::sent).sum()
}

/// A download to a disk that takes so many bytes a second.
fn slow(bench: &Bench, seeds: &[Peer], pace: usize, options: &[&str]) -> Child {
    let mut command = brooklet(None);
    bench.arguments(&mut command, "get");
    for seed in seeds {
        command.args(["--peer", &seed.addr()]);
    }
    command.env(PACE, pace.to_string());
    Child::spawn("brooklet", command.args(options))
}

/// A peer that takes.
struct Leecher(TcpStream);

enum Said {
    Have(u32),
    Block(u32),
    Other,
}

impl Leecher {
    /// Connects, is interested, and waits until it is unchoked.
    fn join(client: &mut Child, bench: &Bench) -> Leecher {
        checked(client);
        let mut stream = TcpStream::connect(listening(client)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(3 * SOON)).unwrap();
        greet(&mut stream, &bench.torrent, 7).unwrap();
        send(&mut stream, &frame(2, &[])).unwrap();
        let mut leecher = Leecher(stream);
        while leecher.read().0 != 1 {}
        leecher
    }

    /// Asks for the first block of a piece.
    fn ask(&mut self, piece: u32) {
        send(&mut self.0, &numbers(6, &[piece, 0, BLOCK as u32])).unwrap();
    }

    /// Asks for the first block of all and waits for it. How many pieces it was told of meanwhile.
    fn round_trip(&mut self) -> usize {
        self.ask(0);
        let mut told = 0;
        loop {
            match self.next() {
                Said::Block(0) => return told,
                Said::Have(_) => told += 1,
                _ => {}
            }
        }
    }

    fn next(&mut self) -> Said {
        let (id, payload) = self.read();
        let piece = payload
            .first_chunk()
            .map_or(0, |&bytes| u32::from_be_bytes(bytes));
        match id {
            4 => Said::Have(piece),
            7 => Said::Block(piece),
            _ => Said::Other,
        }
    }

    fn read(&mut self) -> (u8, Vec<u8>) {
        loop {
            if let Some(message) = read_frame(&mut self.0).expect("an answer, and no hanging up") {
                return message;
            }
        }
    }
}

fn send(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    io::Write::write_all(stream, bytes)
}

fn assert_written(bench: &Bench, content: &Path, piece: u32) {
    let torrent = &bench.torrent;
    let start = piece as usize * torrent.piece_length;
    let end = (start + torrent.piece_length).min(torrent.bytes.len());
    let mut found = vec![0; end - start];
    let file = fs::File::open(content.join("content.bin")).unwrap();
    file.read_exact_at(&mut found, start as u64).unwrap();
    assert!(
        found == torrent.bytes[start..end],
        "piece {piece} is not on disk"
    );
}

/// The resume data vouch for no piece that is not there. How many they vouch for.
fn assert_recorded_is_there(bench: &Bench, content: &Path) -> u32 {
    let torrent = fs::read(bench.dir.join("torrent")).unwrap();
    let metainfo = Metainfo::parse(&torrent).unwrap();
    let layout = Layout::new(&metainfo.files, metainfo.geometry);
    let path = format!("state/{}.resume", bench.torrent.hex());
    let text = fs::read(bench.dir.join(path)).unwrap();
    let resume = Resume::decode(&text, InfoHash(bench.torrent.info_hash), &layout).unwrap();
    for piece in resume.verified.ones() {
        assert_written(bench, content, piece);
    }
    resume.verified.count()
}

/// Kibibytes that a process has had in memory at most.
fn peak(child: &Child) -> u64 {
    let text = fs::read_to_string(format!("/proc/{}/status", child.pid())).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok())
        .unwrap()
}

fn wait_until(what: &str, test: impl Fn() -> bool) {
    let deadline = Instant::now() + 3 * SOON;
    while !test() {
        assert!(Instant::now() < deadline, "it never came that {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
