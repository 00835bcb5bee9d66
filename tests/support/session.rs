//! A session in memory, among peers that say what a test has them say, in the words of
//! `transcript`. Nothing here touches a socket, a file or a clock: the content is a `Vec`, and time
//! goes by when a test says so.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use sha1::{Digest as _, Sha1};

use brooklet::base::{
    BLOCK, Bits, Block, Duration, Geometry, InfoHash, PeerId, PieceHash, Time, TorrentKey, Totals,
    limits,
};
use brooklet::mse::Encryption;
use brooklet::peer::{Local, Segment};
use brooklet::session::{Config, Session, reopening};
use brooklet::torrent::{Effect, Files, Order, Progress, Report, Snapshot, Source, Stay, Then, Us};
use brooklet::tracker::{Action, Families};
use brooklet::wire::lsd::Search;
use brooklet::wire::message::{frame_len, piece_header};
use brooklet::wire::{Message, handshake};

use crate::transcript::Setting;
use crate::transcript::words::{encode, message_words};

/// Blocks in each piece.
pub const BLOCKS: u32 = 2;
/// Bytes of each piece.
pub const PIECE: u32 = BLOCKS * BLOCK;

/// One session and what the world around it knows.
pub struct Bench {
    /// It.
    pub session: Session,
    /// Its torrent.
    pub torrent: TorrentKey,
    /// The torrent and its content.
    pub setting: Setting,
    /// What the session has written.
    pub disk: Vec<u8>,
    /// `info` dictionaries that were fetched.
    pub metadata: Vec<Vec<u8>>,
    /// Blocks of the metadata that peers wait for.
    pub wanted: Vec<(usize, u32)>,
    /// What it reported.
    pub reports: Vec<Report>,
    /// What it wanted saved.
    pub saves: Vec<Snapshot>,
    /// How often its files could be closed.
    pub rests: usize,
    /// Torrents that may sleep.
    pub drowsy: Vec<TorrentKey>,
    /// Torrents that are to wake up.
    pub waking: Vec<TorrentKey>,
    /// Datagrams that were sent, and whom to.
    pub datagrams: Vec<(SocketAddr, Vec<u8>)>,
    /// Hosts of web seeds that are to be looked up.
    pub lookups: Vec<String>,
    /// What was announced to the local network.
    pub searches: Vec<Search>,
    /// When hosts of the DHT were asked for, and whether the usual ones, too.
    pub finds: Vec<(Time, bool)>,
    /// How often nodes of the DHT were to be kept.
    pub keeps: usize,
    /// Messages that were traced: of whom, whether we sent them, in words.
    pub traced: Vec<(SocketAddr, bool, String)>,
    /// Torrents that were to be forgotten, and whether with their content.
    pub closed: Vec<(TorrentKey, bool)>,
    /// Torrents that are to be opened anew.
    pub reopened: Vec<TorrentKey>,
    /// What it wants of trackers.
    pub announces: Vec<Action>,
    /// The time.
    pub now: Time,
    peers: BTreeMap<usize, Other>,
    dialled: Vec<(usize, SocketAddr)>,
    /// Peers that read nothing.
    deaf: Vec<usize>,
    held: Bits,
    download: bool,
}

/// The other end of a connection.
#[derive(Default)]
struct Other {
    greeted: bool,
    bytes: Vec<u8>,
    said: Vec<String>,
    extended: Vec<(u8, Vec<u8>)>,
    hung_up: bool,
}

impl Bench {
    /// A download of so many pieces that has some of them.
    pub fn getter(pieces: u32, held: &[u32]) -> Bench {
        Bench::new(pieces, held, true)
    }

    /// A seed.
    pub fn seeder(pieces: u32) -> Bench {
        let all: Vec<u32> = (0..pieces).collect();
        Bench::new(pieces, &all, false)
    }

    /// A download with other settings than the usual ones.
    pub fn getter_with(
        pieces: u32,
        held: &[u32],
        adjust: impl FnOnce(&mut Config, &mut Order),
    ) -> Bench {
        Bench::with(pieces, held, true, adjust)
    }

    fn new(pieces: u32, held: &[u32], download: bool) -> Bench {
        Bench::with(pieces, held, download, |_, _| ())
    }

    fn with(
        pieces: u32,
        held: &[u32],
        download: bool,
        adjust: impl FnOnce(&mut Config, &mut Order),
    ) -> Bench {
        let size = pieces * PIECE;
        let content: Vec<u8> = (0..size).map(|at| (at ^ (at >> 9)) as u8).collect();
        let setting = Setting {
            local: Local {
                info_hash: InfoHash(*b"abcdefghijklmnopqrst"),
                peer_id: PeerId(*b"-bk0100-ABCDEFGHIJKL"),
                dht: false,
                geometry: Geometry::new(u64::from(size), PIECE).unwrap(),
                unsent: limits::UNSENT,
            },
            content,
            info: Vec::new(),
        };
        let mut trusted = Bits::new(pieces);
        let mut disk = vec![0; size as usize];
        for &piece in held {
            trusted.set(piece);
            let range = (piece * PIECE) as usize..((piece + 1) * PIECE) as usize;
            disk[range.clone()].copy_from_slice(&setting.content[range]);
        }
        let held = trusted.clone();
        let (mut config, mut order) = terms(&setting, trusted, download);
        adjust(&mut config, &mut order);
        let mut session = Session::new(config, 1, Time::default());
        let torrent = session
            .add(order, Time::default())
            .expect("it is the first");
        let mut bench = Bench {
            session,
            torrent,
            setting,
            disk,
            reports: Vec::new(),
            metadata: Vec::new(),
            wanted: Vec::new(),
            saves: Vec::new(),
            rests: 0,
            drowsy: Vec::new(),
            waking: Vec::new(),
            traced: Vec::new(),
            datagrams: Vec::new(),
            lookups: Vec::new(),
            searches: Vec::new(),
            finds: Vec::new(),
            keeps: 0,
            closed: Vec::new(),
            reopened: Vec::new(),
            announces: Vec::new(),
            now: Time::default(),
            peers: BTreeMap::new(),
            dialled: Vec::new(),
            deaf: Vec::new(),
            held,
            download,
        };
        bench.turn();
        bench
    }

    /// A download that has nothing, of a client with this name.
    pub fn named(pieces: u32, name: [u8; 20]) -> Bench {
        let mut bench = Bench::getter(pieces, &[]);
        bench.setting.local.peer_id = PeerId(name);
        let (config, order) = terms(&bench.setting, Bits::new(pieces), true);
        bench.start(config, order);
        bench.turn();
        bench
    }

    /// Begins anew, otherwise than by the rules of the house; what it does first is still to come.
    pub fn begins(&mut self, change: impl FnOnce(&mut Config, &mut Order)) {
        let (mut config, mut order) = terms(&self.setting, self.held.clone(), self.download);
        change(&mut config, &mut order);
        self.start(config, order);
        self.reports.clear();
        self.saves.clear();
    }

    fn start(&mut self, config: Config, order: Order) {
        self.session = Session::new(config, 1, self.now);
        let added = self.session.add(order, self.now);
        self.torrent = added.expect("it is the first");
    }

    /// What its torrent was begun with.
    pub fn order(&self) -> Order {
        terms(&self.setting, self.held.clone(), self.download).1
    }

    /// Takes on another torrent of the same content.
    pub fn adds(&mut self, name: &str, change: impl FnOnce(&mut Order)) -> TorrentKey {
        let (_, mut order) = terms(&self.setting, self.held.clone(), self.download);
        order.name = name.to_string();
        order.info_hash = InfoHash(Sha1::digest(name).into());
        change(&mut order);
        let added = self.session.add(order, self.now);
        added.expect("it is another")
    }

    /// How far the torrent is.
    pub fn progress(&self) -> Progress {
        let torrent = self.session.torrent(self.torrent);
        torrent.expect("it is there").progress(self.now)
    }

    /// Somebody calls us and says nothing yet. The key.
    pub fn accepts(&mut self, addr: SocketAddr) -> usize {
        let key = self.session.handle_accepted(addr, self.now);
        let key = key.expect("there is room");
        self.peers.insert(key, Other::default());
        key
    }

    /// We are told of an address, and call it: the network is still to answer. The key.
    pub fn dials(&mut self, addr: SocketAddr) -> usize {
        self.session
            .add_peers(self.torrent, &[addr], Source::Tracker, self.now);
        self.turn();
        self.dialled(addr).expect("we call it")
    }

    /// The key of a call to this address that nobody has asked for yet.
    pub fn dialled(&mut self, addr: SocketAddr) -> Option<usize> {
        let place = self.dialled.iter().position(|&(_, to)| to == addr)?;
        let (key, _) = self.dialled.remove(place);
        self.peers.insert(key, Other::default());
        Some(key)
    }

    /// A peer calls us, and both handshakes are exchanged. Its key.
    pub fn join(&mut self, number: u8, fast: bool) -> usize {
        let addr = SocketAddr::from(([192, 0, 2, number], 50_001));
        let key = self
            .session
            .handle_accepted(addr, self.now)
            .expect("there is room");
        self.peers.insert(key, Other::default());
        self.greet(key, number, fast);
        key
    }

    /// We are told of a peer and call it; it answers, and both handshakes are exchanged. Its key.
    pub fn call(&mut self, number: u8, fast: bool) -> usize {
        let addr = SocketAddr::from(([192, 0, 2, number], 6881));
        self.session
            .add_peers(self.torrent, &[addr], Source::User, self.now);
        self.turn();
        let place = self
            .dialled
            .iter()
            .position(|&(_, dialled)| dialled == addr);
        let (key, _) = self.dialled.remove(place.expect("we call it"));
        self.peers.insert(key, Other::default());
        self.session.handle_connected(key, self.now);
        self.turn();
        self.greet(key, number, fast);
        key
    }

    /// Many peers call us, more than the usual number of places. Their keys.
    pub fn crowd(&mut self, count: u16) -> Vec<usize> {
        let (mut config, order) = terms(&self.setting, self.held.clone(), self.download);
        config.max_peers = count.into();
        self.start(config, order);
        self.turn();
        let numbers = 1..=count;
        let join = |number: u16| {
            let [high, low] = number.to_be_bytes();
            let key = self.accepts(SocketAddr::from(([198, 18, high, low], 50_001)));
            self.says(key, &format!("handshake fast -TR3000-abcdefg{number:05}"));
            key
        };
        numbers.map(join).collect()
    }

    fn greet(&mut self, key: usize, number: u8, fast: bool) {
        let caps = if fast { "fast" } else { "plain" };
        self.says(
            key,
            &format!("handshake {caps} -TR3000-abcdefghi{number:03}"),
        );
    }

    /// A peer says something; then the session has its turn.
    pub fn says(&mut self, key: usize, words: &str) {
        let bytes = encode(words, &self.setting);
        self.sends(key, &bytes);
    }

    /// A peer sends these bytes, which must be whole messages; then the session has its turn.
    pub fn sends(&mut self, key: usize, bytes: &[u8]) {
        self.hands(key, bytes);
        self.turn();
    }

    /// A peer sends these bytes, whole messages, and the session's turn is not over.
    pub fn hands(&mut self, key: usize, bytes: &[u8]) {
        let mut bytes = bytes.to_vec();
        let mut input = self.session.open(key, &mut bytes);
        while let Some(write) = self.session.receive(key, &mut input, self.now) {
            let start = self.setting.local.geometry.offset(write.block) as usize;
            self.disk[start..start + write.data.len()].copy_from_slice(write.data);
            self.session
                .handle_written(write.torrent, &[(write.block, write.data)]);
        }
    }

    /// A peer answers these requests (`request 3 at 0, 16384 bytes`, as [`Bench::hears`] gives
    /// them).
    pub fn sends_blocks(&mut self, key: usize, requests: &[String]) {
        for request in requests.iter().filter(|said| said.starts_with("request ")) {
            self.says(key, &request.replace("request ", "piece "));
        }
    }

    /// Whatever is asked for comes, from everybody, until nothing more is asked for.
    pub fn everything_comes(&mut self) {
        let keys: Vec<usize> = self.peers.keys().copied().collect();
        while keys.iter().any(|&key| {
            let asked = self.hears(key);
            self.sends_blocks(key, &asked);
            asked.iter().any(|said| said.starts_with("request "))
        }) {}
    }

    /// The session's turn, as the loop would give it one.
    pub fn turn(&mut self) {
        loop {
            self.session.plan(self.now);
            while let Some(effect) = self.session.next_effect() {
                match effect {
                    Effect::Dial { key, addr, .. } => self.dialled.push((key, addr)),
                    Effect::Hangup { key } => {
                        if let Some(other) = self.peers.get_mut(&key) {
                            other.hung_up = true;
                        }
                    }
                    Effect::Report { report, .. } => self.reports.push(report),
                    Effect::Save { snapshot, .. } => self.saves.push(snapshot),
                    Effect::Tracker { action, .. } => self.announces.push(action),
                    Effect::Close { torrent, data } => {
                        self.closed.push((torrent, data));
                        self.session.forget(torrent);
                    }
                    Effect::Reopen { torrent } => {
                        self.reopened.push(torrent);
                        reopening::release_files(&mut self.session, torrent, self.now);
                    }
                    Effect::LookUp { host, .. } => self.lookups.push(host),
                    Effect::Write {
                        torrent,
                        block,
                        data,
                    } => {
                        let start = self.setting.local.geometry.offset(block) as usize;
                        self.disk[start..start + data.len()].copy_from_slice(&data);
                        self.session.handle_written(torrent, &[(block, &data)]);
                    }
                    Effect::Rest { .. } => self.rests += 1,
                    Effect::Sleep { torrent } => self.drowsy.push(torrent),
                    Effect::Wake { torrent } => self.waking.push(torrent),
                    Effect::Metadata { info, .. } => self.metadata.push(info),
                    Effect::ReadMetadata { key, piece, .. } => self.wanted.push((key, piece)),
                    Effect::FindNodes { usual } => self.finds.push((self.now, usual)),
                    Effect::KeepNodes => self.keeps += 1,
                    Effect::ReadAhead { .. } | Effect::MakeReady { .. } => {}
                    Effect::Search(search) => self.searches.push(search),
                    Effect::Datagram { to, bytes } => self.datagrams.push((to, bytes)),
                    Effect::Trace { addr, ours, words } => self.traced.push((addr, ours, words)),
                }
            }
            let Some((torrent, block)) = self.session.next_read() else {
                break;
            };
            let start = self.setting.local.geometry.offset(block) as usize;
            let data = self.disk[start..start + block.len as usize].to_vec();
            self.session.handle_read(torrent, block, &data);
        }
        for key in self.session.take_unflushed() {
            if !self.deaf.contains(&key) {
                self.flush(key);
            }
        }
    }

    /// From now on this peer reads nothing.
    pub fn stops_reading(&mut self, key: usize) {
        self.deaf.push(key);
    }

    fn flush(&mut self, key: usize) {
        let mut bytes: Vec<u8> = Vec::new();
        for segment in self.session.transmit(key) {
            match segment {
                Segment::Bytes(part) => bytes.extend(part),
                Segment::Block { block, skip } => {
                    let frame = [&piece_header(block)[..], &self.read(block)].concat();
                    bytes.extend(&frame[skip..]);
                }
            }
        }
        let sealed = self.session.seal(key, &mut bytes).bytes();
        self.session.transmitted(key, sealed.len(), self.now);
        let other = self.peers.entry(key).or_default();
        if bytes.starts_with(b"GET ") {
            let request = String::from_utf8(bytes).expect("it is text");
            other.said.push(request);
            return;
        }
        other.bytes.extend(bytes);
        loop {
            let whole = if !other.greeted {
                Some(handshake::LEN)
            } else {
                frame_len(&other.bytes).map(|len| len as usize + 4)
            };
            let Some(whole) = whole.filter(|&whole| whole <= other.bytes.len()) else {
                break;
            };
            let frame: Vec<u8> = other.bytes.drain(..whole).collect();
            if !std::mem::replace(&mut other.greeted, true) {
                other.said.push("handshake".to_string());
                continue;
            }
            other.said.push(message_words(&frame));
            if let Ok(Message::Extended { id, payload }) = Message::parse(&frame[4..]) {
                other.extended.push((id, payload.to_vec()));
            }
        }
    }

    fn read(&self, block: Block) -> Vec<u8> {
        let start = self.setting.local.geometry.offset(block) as usize;
        self.disk[start..start + block.len as usize].to_vec()
    }

    /// What we have said to a peer since this was called last.
    pub fn hears(&mut self, key: usize) -> Vec<String> {
        std::mem::take(&mut self.peers.entry(key).or_default().said)
    }

    /// The numbers and payloads of messages of extensions among that.
    pub fn hears_extended(&mut self, key: usize) -> Vec<(u8, Vec<u8>)> {
        std::mem::take(&mut self.peers.entry(key).or_default().extended)
    }

    /// Whether we hung up on it.
    pub fn is_gone(&self, key: usize) -> bool {
        self.peers.get(&key).is_some_and(|other| other.hung_up)
    }

    /// The pieces that were verified, in that order.
    pub fn verified(&self) -> Vec<u32> {
        let pieces = self.reports.iter().filter_map(|report| match report {
            Report::Piece { index, ok: true } => Some(*index),
            _ => None,
        });
        pieces.collect()
    }

    /// Time goes by, with a turn whenever the session has something to do.
    pub fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        let mut turns = 0;
        while let Some(due) = self.session.next_deadline().filter(|&due| due <= until) {
            turns = if due > self.now { 0 } else { turns + 1 };
            assert!(turns < 3, "a deadline that is past does not go away");
            self.now = self.now.max(due);
            self.turn();
        }
        self.now = self.now.max(until);
        self.turn();
    }
}

/// What the process and its torrent are begun with, by the rules of the house.
fn terms(setting: &Setting, trusted: Bits, download: bool) -> (Config, Order) {
    let Local {
        info_hash,
        peer_id,
        geometry,
        unsent,
        ..
    } = setting.local;
    let hash = |piece: &[u8]| PieceHash(Sha1::digest(piece).into());
    let us = Us {
        peer_id,
        port: 6881,
        key: 0,
        families: Families { v4: true, v6: true },
        allow_local: false,
        encryption: Encryption::default(),
        share: unsent,
        heartbeat: false,
    };
    let config = Config {
        us,
        max_peers: limits::PEERS,
        down: None,
        up: None,
        active: None,
        metadata: 2 * limits::MIB,
        utp: None,
        after_stay: Then::End,
    };
    let order = Order {
        name: "content".to_string(),
        info_hash,
        size: geometry.size(),
        geometry,
        files: Files::default(),
        hashes: setting.content.chunks(PIECE as usize).map(hash).collect(),
        wanted: if download {
            Bits::full(geometry.pieces())
        } else {
            Bits::new(geometry.pieces())
        },
        download,
        stay: Stay::Until {
            ratio: None,
            time: None,
        },
        trusted,
        to_hash: Bits::new(geometry.pieces()),
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
    (config, order)
}
