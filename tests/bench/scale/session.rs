//! Turns of a session of which few connections do anything: four seeds send, the others are there.

use std::collections::VecDeque;
use std::net::SocketAddr;

use brooklet::base::{
    BLOCK, Bits, Block, Duration, Geometry, InfoHash, PeerId, PieceHash, Time, Totals,
};
use brooklet::mse::Encryption;
use brooklet::peer::{FrameLimits, Segment};
use brooklet::session::{Config, Session};
use brooklet::torrent::{Effect, Files, Order, Report, Stay, Then, Us};
use brooklet::tracker::Families;
use brooklet::wire::message::{frame_len, piece_header};
use brooklet::wire::{Handshake, Message};
use sha1::{Digest as _, Sha1};

use super::{Row, Watch, median, resident, row};

const PIECES: u32 = 2_000;
/// Blocks of a piece.
const BLOCKS: u32 = 64;
/// Connections that send.
const ACTIVE: usize = 4;
/// Blocks that come in a round.
const TURNS: usize = 1_000;
/// A block comes this often: 160 MB/s.
const GAP: Duration = Duration::from_micros(100);

/// All rows, a value for each of these numbers of connections.
pub fn rows(connections: &[usize]) -> Vec<Row> {
    let columns: Vec<Vec<f64>> = connections.iter().map(|&count| column(count)).collect();
    let values = |place: usize| columns.iter().map(|column| column[place]).collect();
    vec![
        row("a turn for a keep-alive", "ns", values(0)),
        row(
            "a turn for a block within a piece, SHA-1 included",
            "ns",
            values(1),
        ),
        row("a turn for a block that ends a piece", "ns", values(2)),
        row(
            "  connections written to for a piece",
            "of each 100",
            values(3),
        ),
        row(
            "a peer joins: greeting, bitfield, allowed pieces",
            "ns",
            values(4),
        ),
    ]
}

/// What a peer takes, with its share of the session's own: to be measured before anything else has
/// left memory behind.
pub fn memory(connections: &[usize]) -> Row {
    let each = |&count: &usize| {
        let before = resident();
        let worlds: Vec<World> = (0..10_000 / count)
            .map(|_| World::new(count, &mut Watch::default()))
            .collect();
        let peers = worlds.len() * count;
        std::mem::forget(worlds);
        (resident() - before) / peers as f64
    };
    row(
        "memory of a peer",
        "bytes",
        connections.iter().map(each).collect(),
    )
}

/// The same session a few times; see [`rows`].
fn column(count: usize) -> Vec<f64> {
    let mut joining = Watch::default();
    let mut world = World::new(count, &mut joining);
    let mut rounds = Vec::new();
    let quiet = median(|| {
        let mut watch = Watch::default();
        for turn in 0..TURNS {
            let key = world.keys[ACTIVE + turn % (count - ACTIVE)];
            world.turn(key, &[0; 4], &mut watch);
        }
        watch.nanos_each(TURNS)
    });
    let inner = median(|| {
        let round = world.download(TURNS);
        rounds.push(round);
        round.0
    });
    let middle = |pick: fn(&(f64, f64, f64)) -> f64| {
        let mut values: Vec<f64> = rounds.iter().map(pick).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    vec![
        quiet,
        inner,
        middle(|round| round.1),
        middle(|round| round.2),
        joining.nanos_each(count),
    ]
}

struct World {
    session: Session,
    keys: Vec<usize>,
    asked: Vec<VecDeque<Block>>,
    now: Time,
    ended: usize,
    written: usize,
}

impl World {
    /// So many connections: the first few are seeds that unchoke us, the others have half of the
    /// pieces or next to nothing, choke us, and allow us ten pieces (BEP 6), as every client that
    /// has the fast extension does.
    fn new(count: usize, watch: &mut Watch) -> World {
        let mut world = World {
            session: session(count),
            keys: Vec::new(),
            asked: vec![VecDeque::new(); ACTIVE],
            now: Time::default(),
            ended: 0,
            written: 0,
        };
        world.finish(&mut Watch::default());
        for number in 0..count {
            let ip = [10, 1, (number / 250) as u8, (number % 250) as u8 + 1];
            let accepted = world
                .session
                .handle_accepted(SocketAddr::from((ip, 50_001)), world.now);
            let key = accepted.expect("there is room");
            world.keys.push(key);
            let mut hello = Vec::new();
            let mut name = *b"-XX0001-000000000000";
            name[12..16].copy_from_slice(&(number as u32).to_be_bytes());
            Handshake::with_fast(InfoHash([7; 20]), PeerId(name)).encode(&mut hello);
            introduce(number, &mut hello);
            world.turn(key, &hello, watch);
        }
        world
    }

    /// Something comes from a connection, and the loop turns once; only what the session does is
    /// timed.
    fn turn(&mut self, key: usize, bytes: &[u8], watch: &mut Watch) {
        let (session, now) = (&mut self.session, self.now);
        let mut bytes = bytes.to_vec();
        watch.time(|| {
            let mut input = session.open(key, &mut bytes);
            while let Some(write) = session.receive(key, &mut input, now) {
                session.handle_written(write.torrent, &[(write.block, write.data)]);
            }
        });
        self.finish(watch);
    }

    fn finish(&mut self, watch: &mut Watch) {
        let (session, now) = (&mut self.session, self.now);
        let (ended, keys) = watch.time(|| {
            session.plan(now);
            let mut ended = 0;
            while let Some(effect) = session.next_effect() {
                ended += usize::from(matches!(
                    effect,
                    Effect::Report {
                        report: Report::Piece { .. },
                        ..
                    }
                ));
            }
            while let Some((torrent, block)) = session.next_read() {
                session.handle_read(torrent, block, &vec![0; block.len as usize]);
            }
            let keys = session.take_unflushed();
            std::hint::black_box(session.next_deadline());
            (ended, keys)
        });
        self.ended += ended;
        self.written += keys.len();
        for key in keys {
            self.flush(key);
        }
    }

    /// What is written to a connection; the requests to those that send are remembered.
    fn flush(&mut self, key: usize) {
        let mut bytes = Vec::new();
        for segment in self.session.transmit(key) {
            if let Segment::Bytes(part) = segment {
                bytes.extend_from_slice(part);
            }
        }
        self.session.seal(key, &mut bytes);
        self.session.transmitted(key, bytes.len(), self.now);
        let Some(place) = self
            .keys
            .iter()
            .take(ACTIVE)
            .position(|&other| other == key)
        else {
            return;
        };
        let mut rest = &bytes[..];
        if rest.starts_with(b"\x13BitTorrent protocol") {
            rest = &rest[68..];
        }
        while let Some(len) = frame_len(rest) {
            let (frame, after) = rest.split_at(4 + len as usize);
            rest = after;
            if let Ok(Message::Request(block)) = Message::parse(&frame[4..]) {
                self.asked[place].push_back(block);
            }
        }
    }

    /// So many blocks come. Nanoseconds for one within a piece, for one that ends it, and
    /// connections written to for a piece, as percent of all.
    fn download(&mut self, turns: usize) -> (f64, f64, f64) {
        let zeros = vec![0; BLOCK as usize];
        let (mut inner, mut last) = (Watch::default(), Watch::default());
        let (mut inners, mut lasts) = (0, 0);
        self.written = 0;
        let mut frame = Vec::new();
        for turn in 0..turns {
            self.now = self.now + GAP;
            let place = turn % ACTIVE;
            let Some(block) = self.asked[place].pop_front() else {
                continue;
            };
            frame.clear();
            frame.extend_from_slice(&piece_header(block));
            frame.extend_from_slice(&zeros);
            let (before, mut watch) = (self.ended, Watch::default());
            self.turn(self.keys[place], &frame, &mut watch);
            let (total, count) = if self.ended == before {
                (&mut inner, &mut inners)
            } else {
                (&mut last, &mut lasts)
            };
            total.spent += watch.spent;
            total.spans += watch.spans;
            *count += 1;
        }
        let written = 100.0 * self.written as f64 / lasts as f64 / self.keys.len() as f64;
        (inner.nanos_each(inners), last.nanos_each(lasts), written)
    }
}

/// What a connection says after its handshake.
fn introduce(number: usize, out: &mut Vec<u8>) {
    if number < ACTIVE {
        Message::HaveAll.encode(out);
        Message::Unchoke.encode(out);
        return;
    }
    let mut bits = Bits::new(PIECES);
    let step = if number % 2 == 0 { 2 } else { 500 };
    (0..PIECES).step_by(step).for_each(|piece| {
        bits.set(piece);
    });
    Message::Bitfield(&bits.to_bytes()).encode(out);
    for place in 0..10 {
        Message::AllowedFast((number as u32 * 37 + place * 191) % PIECES).encode(out);
    }
}

fn session(count: usize) -> Session {
    let piece = BLOCKS * BLOCK;
    let size = u64::from(PIECES) * u64::from(piece);
    let hash = PieceHash(Sha1::digest(vec![0; piece as usize]).into());
    let us = Us {
        peer_id: PeerId([b'b'; 20]),
        port: 6881,
        key: 0,
        families: Families { v4: true, v6: true },
        allow_local: false,
        encryption: Encryption::Off,
        share: FrameLimits::of(PIECES).longest(),
        heartbeat: false,
    };
    let config = Config {
        us,
        max_peers: count,
        down: None,
        up: None,
        active: None,
        metadata: 2 << 20,
        utp: None,
        after_stay: Then::End,
    };
    let order = Order {
        name: "content".to_string(),
        info_hash: InfoHash([7; 20]),
        size,
        geometry: Geometry::new(size, piece).expect("measures"),
        files: Files::default(),
        hashes: vec![hash; PIECES as usize],
        wanted: Bits::full(PIECES),
        download: true,
        stay: Stay::Until {
            ratio: None,
            time: None,
        },
        trusted: Bits::new(PIECES),
        to_hash: Bits::new(PIECES),
        doubted: Vec::new(),
        earlier: Totals::default(),
        trackers: Vec::new(),
        dht: false,
        pex: false,
        lsd: false,
        timeout: None,
        sequential: false,
        metadata_size: None,
    };
    let mut session = Session::new(config, 1, Time::default());
    session
        .add(order, Time::default())
        .expect("it is the first");
    session
}
