//! What hostile peers do with a connection, and how brooklet ends it: each act stands here once and
//! is performed to a download and to a seed.

mod blocks;

use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::Duration;

use crate::support::content::noise;
use crate::support::peer::{
    Block, bitfield, frame, greet, greet_fast, handshake, next_request, numbers, piece, reset,
};
use crate::support::torrent::Torrent;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
const BLOCK: u32 = 16 * 1024;
/// The first block of a piece somewhere in the content.
const SAMPLE: Block = Block {
    piece: 3,
    begin: 0,
    len: BLOCK,
};

/// How it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// brooklet says that it ended because of this.
    Because(&'static str),
    /// brooklet hangs up; what it says of that, if it does, is this. Who calls and never greets is
    /// not worth an event.
    Door(&'static str),
    /// brooklet keeps the connection: there is nothing wrong with it, or it may get better.
    Stays,
}

use End::{Because, Door, Stays};

const NO_BITTORRENT: End = Door("it does not speak BitTorrent");
const CLOSED: End = Because("it closed the connection");
const RESET: End = Because("it reset the connection");
const UNREADABLE: End = Because("it sent a message that cannot be read");
const BITFIELD: End = Because("its bitfield does not fit the torrent");
const REPEATS: End = Because("it says again and again what it has");
const NO_PIECE: End = Because(", which does not exist");
const NO_BYTES: End = Because("it asked for bytes that no piece has");
const FLOOD: End = Because("it floods us with requests");
const UNASKED: End = Because("it sends blocks that we did not ask for");
const NOT_AGREED: End = Because(", which was not agreed on");
const NO_USE: End = Because("neither of us needs anything of the other");
const POISON: End = Because("it sent data that do not match the torrent");

/// What is done with a connection.
type Perform = Arc<dyn Fn(&mut TcpStream, &Torrent) -> io::Result<()> + Send + Sync>;

/// One way to be hostile.
#[derive(Clone)]
pub struct Act {
    /// What it is.
    pub name: String,
    /// How a download ends it.
    pub get: End,
    /// How a seed ends it.
    pub seed: End,
    perform: Perform,
}

impl Act {
    /// Performs, then reads until the other side hangs up.
    pub fn perform(&self, mut stream: TcpStream, torrent: &Torrent) -> io::Result<()> {
        stream.set_nodelay(true)?;
        (self.perform)(&mut stream, torrent)?;
        io::copy(&mut stream, &mut io::sink()).map(drop)
    }
}

struct Acts(Vec<Act>);

impl Acts {
    fn add(
        &mut self,
        name: impl Into<String>,
        (get, seed): (End, End),
        perform: impl Fn(&mut TcpStream, &Torrent) -> io::Result<()> + Send + Sync + 'static,
    ) {
        self.0.push(Act {
            name: name.into(),
            get,
            seed,
            perform: Arc::new(perform),
        });
    }

    /// Bytes in place of a handshake.
    fn knock(&mut self, name: &str, end: End, bytes: impl Into<Vec<u8>>) {
        let bytes = bytes.into();
        self.add(name, (end, end), move |stream, _| stream.write_all(&bytes));
    }

    /// Greets, says this once, and listens from then on.
    fn say(
        &mut self,
        name: impl Into<String>,
        end: End,
        words: impl Fn(&Torrent) -> Vec<u8> + Send + Sync + 'static,
    ) {
        self.add(name, (end, end), move |stream, torrent| {
            greet(stream, torrent, unique())?;
            stream.write_all(&words(torrent))
        });
    }

    /// The same with the fast extension.
    fn say_fast(
        &mut self,
        name: impl Into<String>,
        ends: (End, End),
        words: impl Fn(&Torrent) -> Vec<u8> + Send + Sync + 'static,
    ) {
        self.add(name, ends, move |stream, torrent| {
            greet_fast(stream, torrent, unique())?;
            stream.write_all(&words(torrent))
        });
    }

    /// Promises everything, lets us ask, and answers each request like this. A seed has no use for
    /// such a peer.
    fn answer(
        &mut self,
        name: &str,
        get: End,
        answer: impl Fn(&mut TcpStream, &Torrent, Block) -> io::Result<()> + Send + Sync + 'static,
    ) {
        self.add(name, (get, NO_USE), move |stream, torrent| {
            greet_fast(stream, torrent, unique())?;
            stream.write_all(&[frame(14, &[]), frame(1, &[])].concat())?;
            loop {
                let block = next_request(stream)?;
                answer(stream, torrent, block)?;
            }
        });
    }
}

/// A number that no other connection has.
fn unique() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// All acts that a peer can perform whatever the other side does.
pub fn acts() -> Vec<Act> {
    let mut acts = Acts(Vec::new());
    handshakes(&mut acts);
    lengths(&mut acts);
    holdings(&mut acts);
    disorder(&mut acts);
    blocks::ranges(&mut acts);
    blocks::blocks(&mut acts);
    floods(&mut acts);
    ends(&mut acts);
    acts.0
}

fn handshakes(acts: &mut Acts) {
    acts.knock(
        "noise in place of a handshake",
        NO_BITTORRENT,
        noise(1, 4096),
    );
    acts.knock("HTTP", NO_BITTORRENT, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    acts.knock("a protocol name of 255 bytes", NO_BITTORRENT, [0xff; 300]);
    let words = [frame(2, &[]), frame(1, &[]), numbers(4, &[0])].concat();
    acts.knock("messages in place of a handshake", NO_BITTORRENT, words);
    let other = handshake(&[7; 20], 3);
    acts.knock("another torrent", Door("it named another torrent"), other);
    for (name, why, leave) in [
        (
            "half a handshake",
            "it closed the connection",
            hang_up as Leave,
        ),
        (
            "half a handshake and a reset",
            "it reset the connection",
            break_off,
        ),
    ] {
        acts.add(name, (Door(why), Door(why)), move |stream, torrent| {
            stream.write_all(&handshake(&torrent.info_hash, 1)[..40])?;
            leave(stream)
        });
    }
    acts.add(
        "a handshake a byte at a time",
        (Stays, Stays),
        |stream, torrent| drip(stream, &handshake(&torrent.info_hash, unique())),
    );
    // The last bytes of the handshake are the peer id, whatever they look like.
    acts.add(
        "messages before the handshake is whole",
        (Stays, Stays),
        |stream, torrent| {
            let hello = handshake(&torrent.info_hash, 0);
            stream.write_all(&[&hello[..48], &frame(2, &[]).repeat(10)].concat())
        },
    );
    let end = Because("it announced a message of 323119476 bytes");
    acts.say("two handshakes", end, |torrent| {
        handshake(&torrent.info_hash, 1)
    });
}

fn lengths(acts: &mut Acts) {
    let end = Because("it announced a message of 4294967295 bytes");
    acts.say("a message of 4 GiB", end, |_| vec![0xff; 4 * MIB]);
    let end = Because("it announced a message of 16777216 bytes");
    acts.say("16 MiB announced", end, |_| vec![1, 0, 0, 0]);
    acts.say("16 MiB of nothing", end, |_| {
        frame(99, &vec![0; 16 * MIB - 1])
    });
    acts.say("a bitfield of 16 MiB", end, |_| {
        frame(5, &vec![0; 16 * MIB - 1])
    });
    let end = Because("it announced a message of 16394 bytes");
    for (kind, id) in [("block", 7), ("message of no kind", 99)] {
        let name = format!("a {kind} that is a byte too long");
        acts.say(name, end, move |_| frame(id, &vec![0; 16 * KIB + 9]));
    }
    let end = Because("it announced a message of 17409 bytes");
    acts.say("a message of an extension that is too long", end, |_| {
        frame(20, &vec![0; 17 * KIB])
    });
    acts.say("every message, empty", UNREADABLE, |_| {
        (0..=255).flat_map(|id| frame(id, &[])).collect()
    });
    for (kind, id, len) in [
        ("have", 4, 3),
        ("request", 6, 11),
        ("piece", 7, 7),
        ("choke", 0, 1),
    ] {
        let name = format!("a {kind} of {len} bytes");
        acts.say(name, UNREADABLE, move |_| frame(id, &vec![0; len]));
    }
    acts.say("noise", Because("it announced a message of"), |_| {
        noise(7, MIB)
    });
}

fn holdings(acts: &mut Acts) {
    let bits = |torrent: &Torrent| torrent.pieces().div_ceil(8) as usize;
    acts.say("a bitfield of one byte", BITFIELD, |_| frame(5, &[0xff]));
    acts.say("no bitfield", BITFIELD, |_| frame(5, &[]));
    acts.say(
        "a bitfield that is a byte too long",
        BITFIELD,
        move |torrent| frame(5, &vec![0; bits(torrent) + 1]),
    );
    acts.say("a bitfield with spare bits set", BITFIELD, move |torrent| {
        frame(5, &vec![0xff; bits(torrent)])
    });
    acts.say("bitfields without end", REPEATS, |torrent| {
        half(torrent).repeat(10_000)
    });
    acts.say_fast("nothing, said without end", (REPEATS, REPEATS), |_| {
        frame(15, &[]).repeat(10_000)
    });
    acts.say_fast("everything, said twice", (Stays, NO_USE), |_| {
        frame(14, &[]).repeat(2)
    });
    acts.say_fast(
        "everything and nothing in turns",
        (REPEATS, REPEATS),
        |torrent| {
            [frame(15, &[]), numbers(4, &[5]), half(torrent)]
                .concat()
                .repeat(1_000)
        },
    );
    acts.say("a bitfield after haves", Stays, |torrent| {
        [
            numbers(4, &[0]),
            numbers(4, &[9]),
            half(torrent),
            numbers(4, &[1]),
            half(torrent),
        ]
        .concat()
    });
    acts.say("one have without end", Stays, |_| {
        numbers(4, &[3]).repeat(200_000)
    });
    acts.say("haves of all but one, again and again", Stays, |torrent| {
        let all = (1..torrent.pieces()).flat_map(|piece| numbers(4, &[piece]));
        all.collect::<Vec<u8>>().repeat(200)
    });
}

fn disorder(acts: &mut Acts) {
    acts.say("requests before anything else", Stays, |_| {
        request(0, 0, BLOCK).repeat(100)
    });
    acts.say("blocks before anything was asked", Stays, |torrent| {
        whole_block(torrent).repeat(10)
    });
    acts.say("cancels of nothing", Stays, |_| {
        numbers(8, &[0, 0, BLOCK]).repeat(100_000)
    });
    acts.say_fast("rejects of nothing", (Stays, Stays), |_| {
        numbers(16, &[0, 0, BLOCK]).repeat(100_000)
    });
    acts.say("unchoke, choke, not interested first of all", Stays, |_| {
        [frame(1, &[]), frame(0, &[]), frame(3, &[]), frame(0, &[])].concat()
    });
    for (kind, id, len) in [
        ("have all", 14, 0),
        ("have none", 15, 0),
        ("suggest", 13, 1),
        ("reject", 16, 3),
        ("allowed fast", 17, 1),
    ] {
        let name = format!("{kind}, which was not agreed on");
        acts.say(name, NOT_AGREED, move |_| {
            numbers(id, &[0, 0, BLOCK][..len])
        });
    }
}

fn floods(acts: &mut Acts) {
    acts.say("keep-alives without end", Stays, |_| vec![0; 8 * MIB]);
    acts.say("choke and unchoke without end", Stays, |_| {
        [frame(1, &[]), frame(0, &[])].concat().repeat(200_000)
    });
    acts.say("interested and not without end", Stays, |_| {
        [frame(2, &[]), frame(3, &[])].concat().repeat(200_000)
    });
    acts.say("messages of no kind without end", Stays, |_| {
        frame(99, &[0; 9]).repeat(100_000)
    });
    acts.say("messages of extensions without end", Stays, |_| {
        [frame(20, &[0; 90]), frame(9, &[1, 2])]
            .concat()
            .repeat(20_000)
    });
    acts.say_fast("suggestions without end", (Stays, Stays), |_| {
        numbers(13, &[5]).repeat(200_000)
    });
    acts.say_fast("allowed fast without end", (Stays, Stays), |torrent| {
        let allowed = (0..torrent.pieces()).flat_map(|piece| numbers(17, &[piece]));
        allowed.collect::<Vec<u8>>().repeat(500)
    });
    acts.say("requests without asking to be unchoked", FLOOD, |_| {
        request(0, 0, BLOCK).repeat(20_000)
    });
    acts.say_fast(
        "requests and cancels while choked",
        (FLOOD, FLOOD),
        |torrent| {
            let piece = torrent.pieces() - 1;
            let words = |piece| [request(piece, 0, 1), numbers(8, &[piece, 0, 1])].concat();
            // One of them at least is not in the allowed-fast set.
            (piece - 40..=piece)
                .flat_map(words)
                .collect::<Vec<u8>>()
                .repeat(200)
        },
    );
}

fn ends(acts: &mut Acts) {
    for (how, end, leave) in [
        ("the end", CLOSED, hang_up as Leave),
        ("a reset", RESET, break_off),
    ] {
        let name = format!("{how} after the handshake");
        acts.add(name, (end, end), move |stream, torrent| {
            greet(stream, torrent, unique())?;
            leave(stream)
        });
        let name = format!("{how} in the middle of a message");
        acts.add(name, (end, end), move |stream, torrent| {
            greet(stream, torrent, unique())?;
            stream.write_all(&whole_block(torrent)[..5_000])?;
            leave(stream)
        });
    }
}

type Leave = fn(&mut TcpStream) -> io::Result<()>;

/// Says its last word.
fn hang_up(stream: &mut TcpStream) -> io::Result<()> {
    stream.shutdown(Shutdown::Write)
}

/// Resets the connection once what we wrote has arrived.
fn break_off(stream: &mut TcpStream) -> io::Result<()> {
    read_until_quiet(stream)?;
    reset(stream)
}

/// Reads what there is: a reset with something unread on our side is sent at once, before what we
/// wrote has arrived.
fn read_until_quiet(stream: &mut TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_millis(200)))?;
    // It ends with a time-out.
    let _ = io::copy(stream, &mut io::sink());
    stream.set_read_timeout(None)
}

/// A byte at a time.
pub fn drip(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    bytes.iter().try_for_each(|&byte| {
        thread::sleep(Duration::from_millis(1));
        stream.write_all(&[byte])
    })
}

fn half(torrent: &Torrent) -> Vec<u8> {
    bitfield(torrent, |piece| piece % 2 == 0)
}

fn request(piece: u32, begin: u32, len: u32) -> Vec<u8> {
    numbers(6, &[piece, begin, len])
}

fn whole_block(torrent: &Torrent) -> Vec<u8> {
    piece(torrent, SAMPLE, true)
}
