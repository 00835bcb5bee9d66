//! A node: a real session with its disk, its place in the network, and what became of it.

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::rc::Rc;

use brooklet::base::{
    Bits, Duration, Geometry, InfoHash, PeerId, Time, TorrentKey, Totals, limits,
};
use brooklet::mse::Encryption;
use brooklet::session::{Config, Session};
use brooklet::torrent::{Files, Order, Snapshot, Stay, Then, Us};
use brooklet::tracker::Families;

use super::disk::{Disk, Source};
use super::manners::Manners;
use super::tracker;
use super::watch::Watch;
use super::writer::Writer;

/// Where everybody listens.
const PORT: u16 = 6881;

/// A node's place in the network.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    /// Bytes a second out.
    pub up: u64,
    /// Bytes a second in.
    pub down: u64,
    /// From here to the middle of the network.
    pub latency: Duration,
    /// It cannot be called.
    pub natted: bool,
    /// Where it is when the network falls apart.
    pub side: bool,
}

/// What a node is there for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// It has everything.
    Seed,
    /// It wants everything, and stays as long as this when it has it.
    Client(Option<Duration>),
}

/// What became of a node.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fate {
    /// When it first came.
    pub joined: Option<Time>,
    /// When it had everything.
    pub done: Option<Time>,
    /// Pieces that came and were wrong.
    pub failed: u32,
}

/// What is remembered of a connection, beside what the session does.
#[derive(Clone, Copy, Debug, Default)]
pub struct Out {
    /// Our handshake is out.
    pub greeted: bool,
    /// What spoils the block that is being sent.
    pub spoilt: Option<u8>,
}

/// A torrent of a node. All torrents have the same content, and each node a disk for each.
pub struct Share {
    /// Which of the world's torrents it is.
    pub number: u32,
    pub disk: Disk,
    /// The pieces that its session said were right.
    pub verified: Bits,
    pub saved: Option<Snapshot>,
    /// It was complete once.
    pub done: bool,
    /// Its session has forgotten it: its key may be another's.
    pub forgotten: bool,
}

impl Share {
    fn new(number: u32, full: bool, source: &Rc<Source>) -> Share {
        let pieces = source.geometry.pieces();
        let (disk, verified) = if full {
            (Disk::full(source), Bits::full(pieces))
        } else {
            (Disk::new(source), Bits::new(pieces))
        };
        Share {
            number,
            disk,
            verified,
            saved: None,
            done: false,
            forgotten: false,
        }
    }

    /// Whether all that is verified is on disk.
    pub fn is_safe(&self) -> bool {
        let mut verified = self.verified.ones();
        verified.all(|piece| self.disk.is_right(piece))
    }

    /// The pieces that a restart hashes: after a stop in order none, else whatever was written and
    /// is not known to be right.
    fn unsure(&self, geometry: Geometry, trusted: &Bits) -> Bits {
        let mut unsure = Bits::new(geometry.pieces());
        let clean = self.saved.as_ref().is_some_and(|saved| saved.clean);
        let pieces = (0..geometry.pieces()).filter(|&piece| !trusted.get(piece));
        for piece in pieces.filter(|&piece| !clean && self.disk.has_any(piece)) {
            unsure.set(piece);
        }
        unsure
    }
}

/// One of them.
pub struct Node {
    pub number: usize,
    pub addr: SocketAddrV4,
    pub link: Link,
    pub role: Role,
    pub manners: Manners,
    pub session: Option<Session>,
    /// Its torrents, by the keys that its session has for them.
    pub shares: Vec<Share>,
    pub fate: Fate,
    pub watch: Watch,
    /// Connection and end by the session's key.
    pub links: BTreeMap<usize, (usize, usize)>,
    pub outs: BTreeMap<usize, Out>,
    /// Directions to read from.
    pub unread: VecDeque<(usize, usize)>,
    /// Keys whose sockets have room again.
    pub writable: Vec<usize>,
    /// Directions that wait for the uplink.
    pub turns: VecDeque<(usize, usize)>,
    pub sending: bool,
    pub down_free: Time,
    pub wake_at: Option<Time>,
    pub turned_at: Option<Time>,
    pub blocks_sent: u32,
    /// Bytes of block frames written to the sockets of each other node, by its number.
    pub sent_to: BTreeMap<usize, u64>,
    /// How often its session was started.
    pub run: u32,
    /// How often a torrent of it fell asleep.
    pub slept: u32,
    /// It vanished: it does not even refuse calls.
    pub gone: bool,
    /// Connections that it had then.
    pub forsaken: Vec<usize>,
    /// Bytes a second that its disk takes; none: any number at once.
    pub disk_rate: Option<u64>,
    /// Bytes a second that its session may receive and send; none: any number.
    pub limits: (Option<u64>, Option<u64>),
    /// It tells peers of others, and hears of others from them.
    pub pex: bool,
    /// Whether its connections are encrypted.
    pub encryption: Encryption,
    /// Connections that its session may have.
    pub max_peers: usize,
    /// Torrents that it may download at the same time; none: any number.
    pub active: Option<usize>,
    pub writer: Writer,
    /// Directions that are not read while the disk is behind.
    pub suspended: Vec<(usize, usize)>,
    /// When it is to come.
    pub joins: Time,
    /// From when to when it is to be away.
    pub absent: Vec<(Time, Time)>,
}

impl Node {
    /// One that has not started.
    pub fn new(
        number: usize,
        role: Role,
        manners: Manners,
        link: Link,
        source: &Rc<Source>,
    ) -> Node {
        // Spread over the address space, since some choices depend on the network (BEP 6).
        let host = (number as u32 + 1).wrapping_mul(0x9e_3779) & 0xff_ffff;
        let mut node = Node {
            number,
            addr: SocketAddrV4::new(Ipv4Addr::from_bits(0x0b00_0000 | host), PORT),
            link,
            role,
            manners,
            session: None,
            shares: Vec::new(),
            fate: Fate::default(),
            watch: Watch::default(),
            links: BTreeMap::new(),
            outs: BTreeMap::new(),
            unread: VecDeque::new(),
            writable: Vec::new(),
            turns: VecDeque::new(),
            sending: false,
            down_free: Time::default(),
            wake_at: None,
            turned_at: None,
            blocks_sent: 0,
            sent_to: BTreeMap::new(),
            run: 0,
            slept: 0,
            gone: false,
            forsaken: Vec::new(),
            disk_rate: None,
            limits: (None, None),
            pex: false,
            encryption: Encryption::Off,
            max_peers: limits::PEERS,
            active: None,
            writer: Writer::default(),
            suspended: Vec::new(),
            joins: Time::default(),
            absent: Vec::new(),
        };
        node.takes(0, source);
        node
    }

    /// It takes part in one more torrent.
    pub fn takes(&mut self, number: u32, source: &Rc<Source>) {
        let full = self.role == Role::Seed && !self.manners.claims_all();
        self.shares.push(Share::new(number, full, source));
    }

    /// Whether it answers calls without a session.
    pub fn is_mute(&self) -> bool {
        self.manners == Manners::Mute
    }

    /// Whether it is a client that means well.
    pub fn is_client(&self) -> bool {
        self.role != Role::Seed && self.manners == Manners::Honest
    }

    /// Whether it has all it came for, or came for nothing.
    pub fn is_satisfied(&self) -> bool {
        self.role == Role::Seed || self.is_mute() || self.fate.done.is_some()
    }

    /// The address that a call comes from.
    pub fn caller_addr(&self, conn: usize) -> SocketAddr {
        let port = 49_152 + (conn % 16_384) as u16;
        SocketAddr::from((*self.addr.ip(), port))
    }

    /// Starts the session, with what is on disk.
    pub fn start(&mut self, source: &Source, seed: u64, now: Time) {
        self.run += 1;
        self.outs.clear();
        self.unread.clear();
        self.writable.clear();
        self.suspended.clear();
        self.writer = Writer::default();
        self.gone = false;
        self.fate.joined.get_or_insert(now);
        let mut session = Session::new(self.config(), seed, now);
        for place in 0..self.shares.len() {
            let order = self.order(&self.shares[place], source);
            self.shares[place].verified = order.trusted.clone();
            assert_eq!(session.add(order, now), Ok(place));
        }
        self.session = Some(session);
    }

    /// Adds one more torrent to the session that runs: `full`, it is a seed of it. Its key.
    pub fn adds(&mut self, number: u32, full: bool, source: &Rc<Source>, now: Time) -> TorrentKey {
        let share = Share::new(number, full, source);
        let mut order = self.order(&share, source);
        (order.trusted, order.download) = (share.verified.clone(), !full);
        order.to_hash = Bits::new(source.geometry.pieces());
        let mut session = self.session.take().expect("it runs");
        let key = session.add(order, now).expect("it is new");
        self.session = Some(session);
        if key == self.shares.len() {
            self.shares.push(share);
        } else {
            assert!(self.shares[key].forgotten, "its key is another's");
            self.shares[key] = share;
        }
        key
    }

    /// What a torrent that has slept is begun with again: all of it is there.
    pub fn order_again(&self, share: &Share, source: &Source) -> Order {
        Order {
            trusted: share.verified.clone(),
            to_hash: Bits::new(source.geometry.pieces()),
            ..self.order(share, source)
        }
    }

    fn order(&self, share: &Share, source: &Source) -> Order {
        let geometry = source.geometry;
        let pieces = geometry.pieces();
        let download = self.role != Role::Seed;
        let trusted = match &share.saved {
            _ if !download => Bits::full(pieces),
            Some(saved) => saved.verified.clone(),
            None => Bits::new(pieces),
        };
        let time = match self.role {
            Role::Seed => None,
            Role::Client(time) => time,
        };
        Order {
            name: "content".to_string(),
            info_hash: info_hash(share.number),
            size: geometry.size(),
            geometry,
            files: Files::default(),
            hashes: source.hashes.clone(),
            wanted: if download {
                Bits::full(pieces)
            } else {
                Bits::new(pieces)
            },
            download,
            stay: Stay::Until { ratio: None, time },
            to_hash: share.unsure(geometry, &trusted),
            trusted,
            doubted: Vec::new(),
            earlier: Totals::default(),
            trackers: vec![vec![tracker::URL.to_string()]],
            dht: false,
            pex: self.pex,
            lsd: false,
            timeout: None,
            sequential: false,
            metadata_size: None,
        }
    }

    fn config(&self) -> Config {
        let us = Us {
            peer_id: self.peer_id(),
            port: PORT,
            key: self.number as u32,
            families: Families {
                v4: true,
                v6: false,
            },
            allow_local: false,
            encryption: self.encryption,
            share: limits::UNSENT,
            heartbeat: false,
        };
        Config {
            us,
            max_peers: self.max_peers,
            down: self.limits.0,
            up: self.limits.1,
            active: self.active,
            metadata: limits::MIB,
            utp: None,
            after_stay: Then::End,
        }
    }

    fn peer_id(&self) -> PeerId {
        // Which of two crossing calls stays depends on its order, so this must not be the order of
        // coming.
        let name = (self.number as u32 + 1).wrapping_mul(0x9e37_79b9);
        let mut id = *b"-bk0100-............";
        id[8..16].copy_from_slice(format!("{name:08x}").as_bytes());
        id[16..].copy_from_slice(&self.run.to_be_bytes());
        PeerId(id)
    }
}

fn info_hash(number: u32) -> InfoHash {
    let mut hash = *b"abcdefghijklmnopqrst";
    for (byte, add) in hash.iter_mut().zip(number.to_le_bytes()) {
        *byte = byte.wrapping_add(add);
    }
    InfoHash(hash)
}
