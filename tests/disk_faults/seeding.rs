//! Faults while seeding: nobody gets wrong bytes. What cannot be read is refused, and the seed goes
//! on; a file that another program has changed ends it.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::{FileExt as _, symlink};
use std::path::Path;
use std::time::Instant;

use crate::support::bench::{Bench, SOON, checked, listening};
use crate::support::child::Child;
use crate::support::content::{Content, noise};
use crate::support::peer::{Manners, Peer, frame, handshake, numbers, read_frame};
use crate::support::torrent::Torrent;
use crate::{KIB, MIB, assert_fails, assert_recovers, assert_warned, faulty, file, get};

const BLOCK: u32 = 16 * KIB as u32;

/// A peer that takes, and says what it got.
struct Leecher<'a> {
    bench: &'a Bench,
    stream: TcpStream,
}

/// What became of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Got {
    Block(u32, u32),
    Reject(u32, u32),
}

impl<'a> Leecher<'a> {
    /// Connects, with or without the fast extension (BEP 6), and waits until it is unchoked.
    fn join(client: &mut Child, bench: &'a Bench, fast: bool) -> Leecher<'a> {
        checked(client);
        let mut stream = TcpStream::connect(listening(client)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(3 * SOON)).unwrap();
        let mut hello = handshake(&bench.torrent.info_hash, 7);
        hello[27] |= if fast { 4 } else { 0 };
        stream.write_all(&hello).unwrap();
        io::Read::read_exact(&mut stream, &mut [0; 68]).unwrap();
        // Who supports it says first what it has (BEP 6): nothing.
        let have_none = if fast { frame(15, &[]) } else { Vec::new() };
        stream
            .write_all(&[have_none, frame(2, &[])].concat())
            .unwrap();
        let mut leecher = Leecher { bench, stream };
        while leecher.read().0 != 1 {}
        leecher
    }

    /// Asks for these blocks (piece, number) at once.
    fn ask(&mut self, blocks: &[(u32, u32)]) {
        self.try_to_ask(blocks).unwrap();
    }

    fn try_to_ask(&mut self, blocks: &[(u32, u32)]) -> io::Result<()> {
        let message = |&(piece, number)| numbers(6, &[piece, number * BLOCK, BLOCK]);
        let messages: Vec<u8> = blocks.iter().flat_map(message).collect();
        self.stream.write_all(&messages)
    }

    /// Asks for this block again and again, until the other end hangs up.
    fn ask_until_the_end(mut self, block: (u32, u32)) {
        let start = Instant::now();
        while self.try_to_ask(&[block]).is_ok() && self.hear_one() {
            assert!(start.elapsed() < SOON, "it goes on");
        }
    }

    /// The next answers. A block with any other bytes than those of the torrent is a failure.
    fn hear(&mut self, count: usize) -> Vec<Got> {
        let mut heard = Vec::new();
        while heard.len() < count {
            let (id, payload) = self.read();
            let number = |at: usize| u32::from_be_bytes(payload[at..at + 4].try_into().unwrap());
            match id {
                7 => {
                    self.assert_right(&payload);
                    heard.push(Got::Block(number(0), number(4) / BLOCK));
                }
                16 => heard.push(Got::Reject(number(0), number(4) / BLOCK)),
                _ => {}
            }
        }
        heard
    }

    /// Hears all there is until the other end hangs up.
    fn hear_out(mut self) {
        while self.hear_one() {}
    }

    /// Hears whatever comes next. False: the other end hung up.
    fn hear_one(&mut self) -> bool {
        match read_frame(&mut self.stream) {
            Ok(Some((7, payload))) => self.assert_right(&payload),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                panic!("it neither answers nor hangs up")
            }
            Err(_) => return false,
        }
        true
    }

    fn assert_right(&self, payload: &[u8]) {
        let number = |at: usize| u32::from_be_bytes(payload[at..at + 4].try_into().unwrap());
        let torrent = &self.bench.torrent;
        let start = number(0) as usize * torrent.piece_length + number(4) as usize;
        let data = &payload[8..];
        assert!(
            data == &torrent.bytes[start..start + data.len()],
            "wrong bytes"
        );
    }

    fn read(&mut self) -> (u8, Vec<u8>) {
        loop {
            if let Some(message) = read_frame(&mut self.stream).expect("it stays connected") {
                return message;
            }
        }
    }
}

/// A whole content of 16 pieces that needs no check.
fn seeder(number: u64) -> (Bench, Peer) {
    let bench = Bench::new(number, MIB);
    let seed = Peer::start(&bench.torrent, Manners::default());
    get(&bench, &seed, "").success(SOON);
    (bench, seed)
}

/// It still runs, and ends when it is told to; another run finds so many pieces.
fn assert_goes_on(bench: &Bench, mut child: Child, have: u64) {
    assert!(child.is_running());
    child.signal("TERM");
    assert_eq!(child.code(SOON), 143);
    let mut again = bench.run("seed", &[]);
    assert_eq!(checked(&mut again), have);
}

#[test]
fn what_cannot_be_read_is_refused_and_the_rest_is_served() {
    for fast in [true, false] {
        let (bench, _seed) = seeder(1);
        let mut child = faulty(&bench, "seed", "read:2:EIO", &[]);
        let mut leecher = Leecher::join(&mut child, &bench, fast);
        leecher.ask(&[(3, 0)]);
        assert_eq!(leecher.hear(1), [Got::Block(3, 0)]);
        leecher.ask(&[(5, 0)]);
        if fast {
            assert_eq!(leecher.hear(1), [Got::Reject(5, 0)]);
        }
        // It is not tried again, and nothing else suffers.
        leecher.ask(&[(5, 2), (6, 3)]);
        if fast {
            assert_eq!(leecher.hear(2), [Got::Reject(5, 2), Got::Block(6, 3)])
        } else {
            assert_eq!(leecher.hear(1), [Got::Block(6, 3)])
        }
        assert_warned(&mut child, &["content.bin: input/output error"]);
        // The disk is well again: the piece is looked at, and found.
        assert_goes_on(&bench, child, 16);
    }
}

/// Blocks that lie in one buffer are sent, though the next one cannot be read: what is refused
/// comes behind them.
#[test]
fn a_block_that_cannot_be_read_does_not_disturb_those_before_it() {
    for bad in 1..=6_u32 {
        let (bench, _seed) = seeder(2);
        let mut child = faulty(&bench, "seed", &format!("read:{bad}:EIO"), &[]);
        let mut leecher = Leecher::join(&mut child, &bench, true);
        // None follows the one before it in the content, so that each is read by a call.
        let blocks = [(3, 0), (3, 2), (3, 1), (4, 1), (4, 0), (5, 0)];
        leecher.ask(&blocks);
        let heard = leecher.hear(blocks.len());
        let lost = blocks[bad as usize - 1].0;
        for (place, &(piece, number)) in (1..).zip(&blocks) {
            // Of the piece that is lost, what was read before.
            let served = piece != lost || place < bad;
            let wanted = if served {
                Got::Block(piece, number)
            } else {
                Got::Reject(piece, number)
            };
            assert!(heard.contains(&wanted), "{bad}: {wanted:?} of {heard:?}");
        }
        leecher.ask(&[(7, 0)]);
        assert_eq!(leecher.hear(1), [Got::Block(7, 0)]);
    }
}

/// Blocks in a row are read by one call; after an error each is read by its own.
#[test]
fn blocks_that_cannot_be_read_at_once_are_read_one_by_one() {
    let row = [(3, 2), (3, 3), (4, 0), (4, 1), (4, 2)];
    for (fault, served) in [
        ("read:1:EIO", true),
        ("read:1:SHORT", true),
        ("read:1+:EIO", false),
    ] {
        let (bench, _seed) = seeder(4);
        let mut child = faulty(&bench, "seed", fault, &[]);
        let mut leecher = Leecher::join(&mut child, &bench, true);
        leecher.ask(&row);
        let got = row.map(|(piece, number)| {
            if served {
                Got::Block(piece, number)
            } else {
                Got::Reject(piece, number)
            }
        });
        let heard = leecher.hear(row.len());
        assert!(
            got.iter().all(|got| heard.contains(got)),
            "{fault}: {heard:?}"
        );
    }
}

#[test]
fn blocks_in_a_row_are_right_across_the_borders_of_files_and_padding() {
    let block = BLOCK as usize;
    let files = [
        ("a", 3 * block),
        ("b", 2 * block - 1),
        ("c", 5 * block),
        ("d", 1),
        ("e", 7 * block + 100),
        ("f", 4 * block),
    ];
    let content = || Content::folder(5, "rows", &files);
    for torrent in [
        Torrent::new(content(), 4 * block),
        Torrent::aligned(content(), 4 * block),
    ] {
        let bench = Bench::of(torrent);
        bench.fill();
        let mut child = bench.run("seed", &[]);
        let mut leecher = Leecher::join(&mut child, &bench, true);
        let whole = bench.torrent.bytes.len() / (4 * block);
        let all: Vec<(u32, u32)> = (0..whole as u32)
            .flat_map(|piece| (0..4).map(move |number| (piece, number)))
            .collect();
        assert!(all.len() > 16);
        leecher.ask(&all);
        let heard = leecher.hear(all.len());
        for &(piece, number) in &all {
            assert!(
                heard.contains(&Got::Block(piece, number)),
                "{piece} {number}"
            );
        }
    }
}

#[test]
fn what_cannot_be_read_while_checking_is_not_forgotten() {
    let bench = Bench::new(3, MIB);
    bench.fill();
    let mut child = faulty(&bench, "seed", "read:4:EIO", &[]);
    assert_eq!(checked(&mut child), 15);
    child.line("missing or damaged", SOON);
    let warned = crate::lines(&mut child, true);
    assert!(
        warned.len() == 2 && warned[0].contains("content.bin: input/output error"),
        "{warned:?}"
    );
    assert_goes_on(&bench, child, 16);
}

/// What another program does to a file.
type Deed = fn(&Path);

/// Deeds that leave a file which is another one.
const OTHER: [(&str, Deed); 5] = [
    ("overwritten", |path| {
        let file = File::options().write(true).open(path).unwrap();
        file.write_all_at(&noise(9, 200 * KIB), 300 * KIB as u64)
            .unwrap();
    }),
    ("cut off", |path| {
        let file = File::options().write(true).open(path).unwrap();
        file.set_len(100 * KIB as u64).unwrap();
    }),
    ("grown", |path| {
        let mut file = File::options().append(true).open(path).unwrap();
        file.write_all(b"and more").unwrap();
    }),
    ("replaced", |path| {
        let other = path.with_extension("new");
        fs::write(&other, noise(9, MIB)).unwrap();
        fs::rename(&other, path).unwrap();
    }),
    ("deleted", |path| fs::remove_file(path).unwrap()),
];

/// Deeds that leave something in the way.
const IN_THE_WAY: [(&str, Deed); 2] = [
    ("a link", |path| {
        let other = path.with_extension("old");
        fs::write(&other, noise(9, MIB)).unwrap();
        fs::remove_file(path).unwrap();
        symlink(&other, path).unwrap();
    }),
    ("a folder", |path| {
        fs::remove_file(path).unwrap();
        fs::create_dir(path).unwrap();
    }),
];

/// It ends with exit code 1, an error event, and one line that names the file and says what to do.
fn assert_ended(child: &mut Child, name: &str) {
    assert_fails(child, &[name, "another program", "start again"]);
    assert_eq!(child.events("error").len(), 1);
    let stopped = child.event("stopped", SOON);
    assert_eq!(stopped.get("reason").text(), "error");
}

#[test]
fn a_file_that_another_program_changes_is_never_served_wrong_and_ends_it() {
    // Whether it is open already when that happens.
    for open in [true, false] {
        for (deed, run) in OTHER.into_iter().chain(IN_THE_WAY) {
            let (bench, seed) = seeder(4);
            let mut child = bench.run("seed", &[]);
            let mut leecher = Leecher::join(&mut child, &bench, !open);
            if open {
                leecher.ask(&[(0, 0)]);
                assert_eq!(leecher.hear(1), [Got::Block(0, 0)]);
            }
            run(&file(&bench));
            eprintln!("{deed}, {open}");
            // What is open and has lost its name only is still what it was, and served until that
            // is noticed.
            if open && !["overwritten", "cut off", "grown"].contains(&deed) {
                leecher.ask_until_the_end((0, 1));
            } else {
                let blocks: Vec<(u32, u32)> = (0..16).map(|piece| (piece, 1)).collect();
                leecher.ask(&blocks);
                leecher.hear_out();
            }
            assert_ended(&mut child, "content.bin: ");
            // The next run looks at what is there.
            let path = file(&bench);
            if path.is_dir() {
                fs::remove_dir(&path).unwrap();
            } else if path.is_symlink() {
                fs::remove_file(&path).unwrap();
            } else if deed == "replaced" {
                // Another file is the user's own.
                let mut again = get(&bench, &seed, "");
                assert_fails(&mut again, &["content.bin: ", "--overwrite"]);
                fs::remove_file(&path).unwrap();
            } else if deed == "grown" {
                File::options()
                    .write(true)
                    .open(&path)
                    .unwrap()
                    .set_len(MIB as u64)
                    .unwrap();
            }
            let _ = fs::remove_file(path.with_extension("old"));
            assert_recovers(&bench);
        }
    }
}

#[test]
fn a_download_that_goes_on_seeding_ends_as_well() {
    let bench = Bench::new(7, MIB);
    let seed = Peer::start(&bench.torrent, Manners::default());
    let options = ["--seed", "--peer", &seed.addr()];
    let mut child = faulty(&bench, "get", "", &options);
    child.event("complete", SOON);
    let mut leecher = Leecher::join(&mut child, &bench, false);
    let other = File::options().write(true).open(file(&bench)).unwrap();
    other.write_all_at(&noise(9, 100 * KIB), 0).unwrap();
    leecher.ask(&[(0, 0), (9, 0)]);
    leecher.hear_out();
    assert_ended(&mut child, "content.bin: ");
    assert_eq!(assert_recovers(&bench), 14);
}

/// Writes something else over a file, and puts its time back.
fn forge(path: &Path, len: usize) {
    let time = fs::metadata(path).unwrap().modified().unwrap();
    let file = File::options().write(true).open(path).unwrap();
    file.write_all_at(&noise(8, len), 0).unwrap();
    file.set_modified(time).unwrap();
}

/// What is recorded vouches no more for the file that was changed, even if its time is put back,
/// and still for the other: that one is not looked into, as a forgery shows that has its time.
#[test]
fn only_the_file_that_was_changed_is_hashed_again() {
    let content = Content::folder(8, "t", &[("a", 512 * KIB), ("b", 512 * KIB)]);
    let bench = Bench::of(Torrent::new(content, 64 * KIB));
    let seed = Peer::start(&bench.torrent, Manners::default());
    get(&bench, &seed, "").success(SOON);
    let (a, b) = (bench.content().join("t/a"), bench.content().join("t/b"));
    let time = fs::metadata(&a).unwrap().modified().unwrap();
    let mut child = bench.run("seed", &[]);
    let mut leecher = Leecher::join(&mut child, &bench, false);
    let file = File::options().write(true).open(&a).unwrap();
    file.write_all_at(&noise(9, 512 * KIB), 0).unwrap();
    leecher.ask(&[(1, 0)]);
    leecher.hear_out();
    assert_ended(&mut child, "t/a: ");
    file.set_modified(time).unwrap();
    forge(&b, 512 * KIB);
    assert_eq!(checked(&mut bench.run("seed", &[])), 8);
}

/// A block of a hundred files, of which one is not what it was: nothing of it is sent.
#[test]
fn one_file_of_many_ends_it() {
    let files: Vec<(String, usize)> = (0..512).map(|n| (format!("{n}"), 320)).collect();
    let files: Vec<(&str, usize)> = files.iter().map(|(path, len)| (&path[..], *len)).collect();
    for gone in [true, false] {
        let content = Content::folder(6, "many", &files);
        let bench = Bench::of(Torrent::new(content, BLOCK as usize));
        let seed = Peer::start(&bench.torrent, Manners::default());
        get(&bench, &seed, "").success(SOON);
        let mut child = bench.run("seed", &[]);
        let mut leecher = Leecher::join(&mut child, &bench, true);
        // Its bytes are in the third block.
        let path = bench.content().join("many/120");
        if gone {
            fs::remove_file(&path).unwrap()
        } else {
            fs::write(&path, noise(9, 320)).unwrap()
        }
        // Nobody asks for that one: nothing is wrong with the others.
        leecher.ask(&[(0, 0), (5, 0)]);
        assert_eq!(leecher.hear(2).len(), 2);
        leecher.ask(&[(2, 0)]);
        leecher.hear_out();
        assert_ended(&mut child, "many/120: ");
        assert_eq!(assert_recovers(&bench), 9);
    }
}

#[test]
fn a_folder_that_is_moved_away_and_back_costs_nothing() {
    let (bench, _seed) = seeder(5);
    let mut child = bench.run("seed", &[]);
    let mut leecher = Leecher::join(&mut child, &bench, true);
    let away = bench.dir.join("away");
    fs::rename(bench.content(), &away).unwrap();
    leecher.ask(&[(0, 0), (1, 0)]);
    // The folder was opened before: what is sent is what it was, wherever it lies.
    leecher.hear(2);
    assert!(child.is_running());
    child.signal("TERM");
    assert_eq!(child.code(SOON), 143);
    let mut lost = bench.run("seed", &[]);
    assert_fails(&mut lost, &["content: "]);
    fs::rename(&away, bench.content()).unwrap();
    assert_eq!(assert_recovers(&bench), 16);
}
