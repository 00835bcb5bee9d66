//! A session in a small world: a disk that may be slow or fail, peers that do anything, trackers,
//! and time that jumps. A script says what happens; after each turn it is asserted that the session
//! keeps its promises.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

use brooklet::base::{BLOCK, Bits, Block, Duration, Time, TorrentKey, limits, sooner};
use brooklet::peer::{EndReason, Peer, Segment};
use brooklet::session::Session;
use brooklet::torrent::{Effect, Report};
use brooklet::wire::message::piece_header;

use super::other::Other;
use super::outside::Outside;
use super::torrent::Torrent;

/// Turns after which nothing may be left to do at one moment.
const TURNS: usize = 40;
/// The least time that a turn takes.
const TICK: Duration = Duration::from_micros(1);

/// The first torrent, which most peers are about; there is a second one with the same content.
pub const TORRENT: TorrentKey = 0;
/// The keys of both.
const TORRENTS: [TorrentKey; 2] = [TORRENT, 1];

/// The session and all around it.
pub struct World {
    pub torrent: &'static Torrent,
    pub session: Session,
    pub now: Time,
    pub outside: Outside,
    pub disk: Disk,
    pub peers: BTreeMap<usize, Other>,
    /// Calls that the network has not answered.
    pub calls: Vec<usize>,
    pub stopped: bool,
    /// Peers that have room again for what we send.
    unwritten: BTreeSet<usize>,
    complete: [bool; 2],
    verified: [Bits; 2],
}

/// The content on disk, and what is on its way there.
pub struct Disk {
    bytes: [Vec<u8>; 2],
    /// Writes take their time.
    pub slow: bool,
    /// Pieces that cannot be read.
    pub broken: BTreeSet<u32>,
    /// Those of them that the session was told of.
    lost: BTreeSet<(TorrentKey, u32)>,
    waiting: VecDeque<(TorrentKey, Block, Vec<u8>)>,
}

impl World {
    /// A world around this `Session`. `disk`: what there is of the first torrent.
    pub fn new(torrent: &'static Torrent, session: Session, disk: Vec<u8>) -> World {
        let mut world = World {
            torrent,
            session,
            now: Time::default(),
            outside: Outside::default(),
            disk: Disk {
                bytes: [disk, vec![0; torrent.content.len()]],
                slow: false,
                broken: BTreeSet::new(),
                lost: BTreeSet::new(),
                waiting: VecDeque::new(),
            },
            peers: BTreeMap::new(),
            calls: Vec::new(),
            stopped: false,
            unwritten: BTreeSet::new(),
            complete: [false; 2],
            verified: TORRENTS.map(|_| Bits::new(torrent.geometry().pieces())),
        };
        world.turn();
        world
    }

    /// Somebody calls us.
    pub fn accept(&mut self, addr: SocketAddr) -> Option<usize> {
        let key = self.session.handle_accepted(addr, self.now)?;
        self.add(key);
        Some(key)
    }

    /// The network answers a call, one way or the other.
    pub fn answer_call(&mut self, place: usize, through: bool) {
        if self.calls.is_empty() {
            return;
        }
        let key = self.calls.swap_remove(place % self.calls.len());
        if through {
            self.session.handle_connected(key, self.now)
        } else {
            self.session
                .handle_closed(key, EndReason::Network("refused".into()), self.now)
        }
    }

    /// Bytes come from a peer.
    pub fn hear(&mut self, key: usize, bytes: &[u8]) {
        let Some(cut) = self.session.unparsed(key) else {
            return;
        };
        // The loop does not read from those who wait for the disk or for what they asked for.
        let deaf = self.peers.get(&key).is_some_and(|other| other.unheard);
        let sated = self
            .session
            .peer(key)
            .is_some_and(Peer::is_upload_queue_full);
        if self.calls.contains(&key) || sated || deaf {
            return;
        }
        let mut read = [cut, bytes].concat();
        if let Some(other) = self.peers.get_mut(&key) {
            other.say(bytes);
        }
        let mut input = self.session.open(key, &mut read);
        while let Some(write) = self.session.receive(key, &mut input, self.now) {
            assert_eq!(write.data.len(), write.block.len as usize);
            let waits = (write.torrent, write.block, write.data.to_vec());
            self.disk.waiting.push_back(waits);
        }
        if !self.disk.slow {
            self.write(usize::MAX);
        }
    }

    /// A peer is read from no longer, or again.
    pub fn suspend_reading(&mut self, key: usize, suspended: bool) {
        if let Some(other) = self.peers.get_mut(&key) {
            other.unheard = suspended;
            if suspended {
                self.session.suspend_reading(key, self.now)
            } else {
                self.session.resume_reading(key, self.now)
            }
        }
    }

    /// So many of the waiting blocks reach the disk, and the session hears of them together.
    pub fn write(&mut self, most: usize) {
        let most = most.min(self.disk.waiting.len());
        let written: Vec<_> = self.disk.waiting.drain(..most).collect();
        for (torrent, block, data) in &written {
            let verified = self.session.pieces(*torrent).verified().get(block.piece);
            assert!(
                !verified,
                "{block:?} is written to a piece that is verified"
            );
            self.disk.bytes[*torrent][self.torrent.range(*block)].copy_from_slice(data);
        }
        for torrent in TORRENTS {
            let of_it = written.iter().filter(|(of, ..)| *of == torrent);
            let told: Vec<(Block, &[u8])> =
                of_it.map(|(_, block, data)| (*block, &data[..])).collect();
            if !told.is_empty() {
                self.session.handle_written(torrent, &told);
            }
        }
    }

    /// The first of the waiting blocks cannot be written.
    pub fn fail_write(&mut self) {
        if let Some((torrent, block, _)) = self.disk.waiting.pop_front() {
            self.session
                .handle_unwritten(torrent, block, "the disk is full".into(), self.now);
            self.stopped |= torrent == TORRENT;
        }
    }

    /// The loop's turn, until there is nothing more to do at this moment.
    pub fn turn(&mut self) {
        for _ in 0..TURNS {
            self.session.plan(self.now);
            self.perform();
            self.session.assert_invariants();
            let read = self.read_back();
            self.flush();
            self.check();
            let due = self
                .session
                .next_deadline()
                .is_some_and(|due| due <= self.now);
            if !read && !due && self.unwritten.is_empty() && !self.session.is_pending() {
                return;
            }
            // A turn takes time.
            self.now = self.now + TICK;
        }
        panic!("the session does not come to rest: {:?}", self.session);
    }

    /// Time goes by, with a turn for each of the session's deadlines.
    pub fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(due) = self.next_deadline().filter(|&due| due <= until) {
            self.now = self.now.max(due);
            self.turn();
        }
        self.now = self.now.max(until);
        self.turn();
    }

    fn next_deadline(&mut self) -> Option<Time> {
        let due = self.session.next_deadline();
        let turn = self.session.next_upload_at(self.now);
        // What is due in less than a microsecond is due now: some time goes by in any case.
        sooner(due, turn.map(|at| at.max(self.now + TICK)))
    }

    /// A peer takes so many bytes from now on.
    pub fn read(&mut self, key: usize, bytes: usize) {
        if let Some(other) = self.peers.get_mut(&key) {
            other.window = bytes;
            self.unwritten.insert(key);
        }
    }

    fn add(&mut self, key: usize) {
        let before = self.peers.insert(key, Other::reading());
        assert!(before.is_none(), "slot {key} is somebody's");
    }

    fn perform(&mut self) {
        while let Some(effect) = self.session.next_effect() {
            match effect {
                Effect::Dial { key, .. } => {
                    self.add(key);
                    self.calls.push(key);
                }
                Effect::Hangup { key } => {
                    assert!(self.peers.remove(&key).is_some(), "slot {key} is nobody's");
                    self.calls.retain(|&call| call != key);
                    assert!(self.session.unparsed(key).is_none());
                }
                Effect::Tracker { action, .. } => self.outside.perform(action),
                Effect::ReadAhead { block, .. } => assert!(self.torrent.geometry().contains(block)),
                Effect::Save { torrent, snapshot } => {
                    let verified = snapshot.verified.ones();
                    verified.for_each(|piece| self.check_piece(torrent, piece));
                }
                Effect::Report { torrent, report } => self.note(torrent, &report),
                Effect::FindNodes { .. }
                | Effect::KeepNodes
                | Effect::LookUp { .. }
                | Effect::Write { .. }
                | Effect::MakeReady { .. }
                | Effect::Rest { .. }
                | Effect::Sleep { .. }
                | Effect::Datagram { .. }
                | Effect::Search(_)
                | Effect::Metadata { .. }
                | Effect::Trace { .. } => {}
                Effect::Wake { .. } => unreachable!("no torrent sleeps"),
                Effect::ReadMetadata { .. } => panic!("nothing of metadata is offered"),
                Effect::Close { torrent, .. } => self.session.forget(torrent),
                Effect::Reopen { .. } => unreachable!("nobody resumes what has failed"),
            }
        }
    }

    fn note(&mut self, torrent: Option<TorrentKey>, report: &Report) {
        match report {
            Report::Stopped { .. } => self.stopped |= torrent == Some(TORRENT),
            Report::Complete { .. } => {
                let complete = &mut self.complete[torrent.expect("a torrent is complete")];
                assert!(!std::mem::replace(complete, true), "complete twice");
            }
            _ => {}
        }
    }

    /// Reads what the session wants to see of the disk; whether there was anything.
    fn read_back(&mut self) -> bool {
        let mut any = false;
        // In parts, as when time is short.
        for _ in 0..8 {
            let zeros = |(torrent, piece): (TorrentKey, u32)| {
                let block = Block {
                    piece,
                    begin: 0,
                    len: self.torrent.geometry().piece_size(piece),
                };
                let bytes = &self.disk.bytes[torrent][self.torrent.range(block)];
                bytes.iter().all(|&byte| byte == 0)
            };
            let hole = self.session.next_hole().filter(|&hole| zeros(hole));
            if hole.is_some_and(|(torrent, _)| self.session.handle_hole(torrent)) {
                any = true;
                continue;
            }
            let Some((torrent, block)) = self.session.next_read() else {
                return any;
            };
            any = true;
            assert!(self.torrent.geometry().contains(block) && block.len as usize <= limits::SLICE);
            if self.disk.broken.contains(&block.piece) {
                self.session
                    .handle_unreadable(torrent, "the disk is broken".into(), self.now);
                continue;
            }
            let data = &self.disk.bytes[torrent][self.torrent.range(block)];
            self.session.handle_read(torrent, block, data);
        }
        any
    }

    /// Writes to every slot that has something to send and a socket that takes it, as the loop
    /// does.
    fn flush(&mut self) {
        let mut keys = self.session.take_unflushed();
        keys.extend(std::mem::take(&mut self.unwritten));
        for key in keys {
            self.flush_peer(key, self.session.upload_allowance(key));
        }
        while let Some(key) = self.session.next_upload(self.now) {
            self.flush_peer(key, BLOCK.into());
        }
    }

    /// Writes to a peer's socket as much as its window has room for, and has the peer hear it; of
    /// blocks that have not begun no more than `allowance` bytes.
    fn flush_peer(&mut self, key: usize, mut allowance: u64) {
        let Some(other) = self.peers.get_mut(&key) else {
            return;
        };
        if self.calls.contains(&key) {
            return;
        }
        let Some(torrent) = self.session.torrent_of(key) else {
            return;
        };
        let (mut bytes, mut lost) = (Vec::new(), None);
        for segment in self.session.transmit(key) {
            match segment {
                _ if bytes.len() >= other.window => break,
                Segment::Bytes(part) => bytes.extend(part),
                Segment::Block { block, skip } => {
                    // A frame that has begun has been paid for.
                    if skip == 0 && allowance < u64::from(block.len.min(BLOCK)) {
                        break;
                    }
                    if self.disk.broken.contains(&block.piece) {
                        let known = self.disk.lost.contains(&(torrent, block.piece));
                        assert!(!known || skip > 0, "{block:?} is served and cannot be read");
                        lost = Some((block.piece, skip > 0));
                        break;
                    }
                    let data = &self.disk.bytes[torrent][self.torrent.range(block)];
                    let right = data == self.torrent.block(block);
                    assert!(right, "{block:?} is served and wrong");
                    bytes.extend(&[&piece_header(block)[..], data].concat()[skip..]);
                    allowance = allowance.saturating_sub(block.len.into());
                }
            }
        }
        bytes.truncate(other.window);
        other.window -= bytes.len();
        let takes_more = other.window > 0;
        other.hear(&bytes, self.torrent);
        self.session.seal(key, &mut bytes);
        self.session.transmitted(key, bytes.len(), self.now);
        if takes_more && self.session.upload_allowance(key) == 0 {
            self.session.await_upload(key);
        }
        if let Some((piece, begun)) = lost {
            self.disk.lost.insert((torrent, piece));
            self.session
                .handle_unsendable(torrent, &[piece], "the disk is broken".into());
            if begun {
                self.session
                    .handle_closed(key, EndReason::Unreadable, self.now);
            } else {
                // What comes behind it may be sent.
                self.unwritten.insert(key);
            }
        }
    }

    /// The promises that hold between any two things that happen.
    fn check(&mut self) {
        for torrent in TORRENTS {
            let verified = self.session.pieces(torrent).verified().ones();
            let new = verified.filter(|&piece| !self.verified[torrent].get(piece));
            for piece in new.collect::<Vec<u32>>() {
                self.verified[torrent].set(piece);
                self.check_piece(torrent, piece);
            }
        }
        for &key in self.peers.keys() {
            assert!(self.session.unparsed(key).is_some(), "slot {key} is there");
            let waiting: usize = self
                .session
                .transmit(key)
                .map(|segment| match segment {
                    Segment::Bytes(bytes) => bytes.len(),
                    Segment::Block { .. } => 0,
                })
                .sum();
            // What comes next is refused, but a turn's own messages may still be said.
            assert!(
                waiting <= self.torrent.local.unsent + 32 * 1024,
                "{waiting} bytes wait"
            );
            let uploads = self.session.peer(key).map_or(0, Peer::uploads_waiting);
            assert!(uploads <= limits::QUEUED_UPLOADS);
        }
    }

    fn check_piece(&self, torrent: TorrentKey, piece: u32) {
        let block = Block {
            piece,
            begin: 0,
            len: self.torrent.geometry().piece_size(piece),
        };
        let range = self.torrent.range(block);
        assert!(
            self.disk.bytes[torrent][range.clone()] == self.torrent.content[range],
            "piece {piece} is verified and wrong"
        );
    }
}
