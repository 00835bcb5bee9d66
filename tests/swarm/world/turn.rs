//! A session's turn, as the real loop gives it: what came is read, plans are made, effects
//! performed, and what is to be said is written as far as the sockets take it.

use std::hash::Hash as _;

use brooklet::base::{BLOCK, Block, Duration, TorrentKey, sooner};
use brooklet::mse::Encryption;
use brooklet::peer::{EndReason, Segment};
use brooklet::session::{Appetite, DiskLoad, Session, sleep};
use brooklet::torrent::{Effect, Report, Snapshot};
use brooklet::tracker::Action;
use brooklet::wire::Message;
use brooklet::wire::message::{PIECE_HEADER, piece_header};

use super::manners::{Answer, Manners};
use super::node::Role;
use super::queue::{Act, Event};
use super::world::World;

/// Bytes read at a time, as the real loop does.
const READ: usize = 192 * 1024;
/// A torrent that wakes up takes up to so many milliseconds for it.
const WAKING: u64 = 2000;

impl World {
    /// A node's session has its turn.
    pub fn turn(&mut self, n: usize) {
        let Some(mut session) = self.nodes[n].session.take() else {
            return;
        };
        self.nodes[n].turned_at = Some(self.now);
        let session_ref = &mut session;
        let mut busy = std::mem::take(&mut self.nodes[n].writer.news);
        busy |= self.read(n, session_ref);
        session_ref.plan(self.now);
        busy |= self.perform(n, session_ref);
        let nodes = self.nodes.len();
        self.nodes[n].watch.look(session_ref, nodes, self.strict);
        self.nodes[n].look_at_disk();
        let reread = self.read_back(n, session_ref);
        busy |= self.flush(n, session_ref);
        let now = self.now;
        self.nodes[n].watch(session_ref, busy || reread, now);
        if session.is_over() && self.nodes[n].writer.is_idle() {
            assert!(self.nodes[n].links.is_empty(), "connections outlive it");
            let lied = |addr| {
                self.node_at(addr)
                    .map(|liar| self.nodes[liar].manners.lies())
            };
            for addr in session.banned() {
                assert_eq!(
                    lied(addr),
                    Some(true),
                    "node {n} has banned {addr}, node {:?}, which never lied",
                    self.node_at(addr)
                );
            }
            return;
        }
        if reread || session.is_pending() || !self.nodes[n].unread.is_empty() {
            self.wake(n, now);
        }
        let next_upload_at = session.next_upload_at(now);
        if let Some(due) = sooner(session.next_deadline(), next_upload_at) {
            self.wake(n, due);
        }
        self.nodes[n].session = Some(session);
    }

    /// Reads once from each connection that something came on. Whether there was any.
    fn read(&mut self, n: usize, session: &mut Session) -> bool {
        let mut busy = false;
        if self.rough {
            self.rng.shuffle(self.nodes[n].unread.make_contiguous());
        }
        for _ in 0..self.nodes[n].unread.len() {
            let Some((conn, dir)) = self.nodes[n].unread.pop_front() else {
                break;
            };
            let side = &mut self.conns[conn];
            side.pipes[dir].queued = false;
            let Some(key) = side.keys[1 - dir] else {
                continue;
            };
            let load = if sleep::waits(session, key) {
                DiskLoad {
                    full: true,
                    overfull: true,
                }
            } else {
                self.nodes[n].writer.load()
            };
            match session.appetite(key, load) {
                Some(Appetite::AfterUploads) => {
                    side.pipes[dir].queued = true;
                    self.nodes[n].unread.push_back((conn, dir));
                    continue;
                }
                Some(Appetite::AfterDisk) => {
                    session.suspend_reading(key, self.now);
                    side.pipes[dir].queued = true;
                    self.nodes[n].suspended.push((conn, dir));
                    continue;
                }
                Some(Appetite::Read(_)) | None => {}
            }
            busy = true;
            self.read_one(n, session, key, (conn, dir));
        }
        busy
    }

    fn read_one(&mut self, n: usize, session: &mut Session, key: usize, way: (usize, usize)) {
        let (conn, dir) = way;
        let most = if self.rough {
            1 + self.rng.below(20_000) as usize
        } else {
            READ
        };
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        buffer.extend_from_slice(session.unparsed(key).unwrap_or_default());
        let pipe = &mut self.conns[conn].pipes[dir];
        let got = pipe.inbox.read(most, &self.source, &mut buffer);
        let left = !pipe.inbox.is_empty();
        match pipe.ended {
            Some(in_order) if got == 0 => {
                let network = || EndReason::Network("connection reset".to_string());
                let reason = if in_order {
                    EndReason::Closed
                } else {
                    network()
                };
                session.handle_closed(key, reason, self.now);
            }
            ended if left || ended.is_some() => self.alert(conn, dir),
            _ => {}
        }
        // What waited for its torrent to wake up is handed in again.
        let kept = !buffer.is_empty() && session.peer(key).is_none();
        let mut input = session.open(key, &mut buffer);
        let mut written: Vec<(Block, &[u8])> = Vec::new();
        while let Some(write) = (got > 0 || kept)
            .then(|| session.receive(key, &mut input, self.now))
            .flatten()
        {
            written.push((write.block, write.data));
        }
        if !written.is_empty() {
            let torrent = session.torrent_of(key).expect("blocks are a torrent's");
            self.write(n, session, torrent, &written);
        }
        self.buffer = buffer;
        if sleep::waits(session, key) {
            self.alert(conn, dir);
        }
        self.offer(conn, dir);
    }

    fn perform(&mut self, n: usize, session: &mut Session) -> bool {
        let mut busy = false;
        while let Some(effect) = session.next_effect() {
            busy = true;
            match effect {
                Effect::Dial { key, addr, .. } => match self.node_at(addr) {
                    Some(to) => {
                        let conn = self.call(n, to, key);
                        self.nodes[n].links.insert(key, (conn, 0));
                    }
                    None => session.handle_closed(key, EndReason::Closed, self.now),
                },
                Effect::Hangup { key } => {
                    self.nodes[n].outs.remove(&key);
                    if let Some((conn, end)) = self.nodes[n].links.remove(&key) {
                        self.close(conn, end);
                    }
                }
                Effect::Tracker {
                    action: Action::Connect { id, request, .. },
                    ..
                } => {
                    let way = self.nodes[n].link.latency * 4;
                    let event = Event::Tracker(n, self.nodes[n].run, id, request);
                    self.queue.push(self.now + way, event);
                }
                Effect::Tracker { .. }
                | Effect::ReadAhead { .. }
                | Effect::MakeReady { .. }
                | Effect::FindNodes { .. }
                | Effect::KeepNodes
                | Effect::LookUp { .. }
                | Effect::Write { .. }
                | Effect::Rest { .. }
                | Effect::Datagram { .. }
                | Effect::Search(_)
                | Effect::Trace { .. } => {}
                Effect::Metadata { .. } | Effect::ReadMetadata { .. } => {
                    unreachable!("all torrents are described")
                }
                Effect::Sleep { torrent } => {
                    // What is to be saved is saved at once here.
                    if self.sleepy && sleep::fall_asleep(session, torrent) {
                        self.nodes[n].slept += 1;
                    }
                }
                Effect::Wake { torrent } => {
                    let takes = Duration::from_millis(self.rng.below(WAKING));
                    let event = Event::Awake(n, self.nodes[n].run, torrent);
                    self.queue.push(self.now + takes, event);
                }
                Effect::Reopen { .. } => unreachable!("nobody resumes what has failed"),
                Effect::Close { torrent, .. } => {
                    self.nodes[n].shares[torrent].forgotten = true;
                    session.forget(torrent);
                }
                Effect::Save { torrent, snapshot } => self.save(n, torrent, snapshot),
                Effect::Report { torrent, report } => self.hear(n, torrent, report),
            }
        }
        busy
    }

    fn save(&mut self, n: usize, torrent: TorrentKey, snapshot: Snapshot) {
        let node = &mut self.nodes[n];
        let share = &mut node.shares[torrent];
        let right = snapshot
            .verified
            .ones()
            .all(|piece| share.disk.is_right(piece));
        assert!(right || node.manners.claims_all(), "what is saved is wrong");
        share.saved = Some(snapshot);
    }

    fn hear(&mut self, n: usize, torrent: Option<TorrentKey>, report: Report) {
        let node = &mut self.nodes[n];
        if self.told && !matches!(report, Report::Progress(_)) {
            let seconds = self.now.as_micros() as f64 / 1e6;
            println!("{seconds:10.4} node {n} at {}: {report:?}", node.addr.ip());
        }
        let share = torrent.map(|torrent| &mut node.shares[torrent]);
        match (report, share) {
            (Report::Piece { index, ok: true }, Some(share)) => {
                share.hold(index);
                if share.number == 0 {
                    self.spread(n, index);
                }
            }
            (Report::Piece { ok: false, .. }, _) => node.fate.failed += 1,
            (Report::Complete { .. }, Some(share)) => {
                share.done = true;
                if node
                    .shares
                    .iter()
                    .all(|share| share.done || share.forgotten)
                {
                    node.fate.done.get_or_insert(self.now);
                }
            }
            (Report::Error(why), _) => panic!("node {n} failed: {why}"),
            _ => {}
        }
    }

    /// A client has a piece: seeds that leave as soon as there is another copy may do so now.
    fn spread(&mut self, n: usize, piece: u32) {
        if self.nodes[n].is_client() && self.copied.set(piece) && self.copied.all() {
            for seed in 0..self.nodes.len() {
                if self.seeds_leave && self.nodes[seed].role == Role::Seed {
                    self.queue.push(self.now, Event::Script(Act::Leave(seed)));
                }
            }
        }
    }

    /// Content that is to be hashed, a slice at a time. Whether there was any.
    fn read_back(&mut self, n: usize, session: &mut Session) -> bool {
        let mut slices = 0;
        while slices < 16 {
            let Some((torrent, block)) = session.next_read() else {
                break;
            };
            slices += 1;
            self.buffer.clear();
            let share = &self.nodes[n].shares[torrent];
            share.disk.read(block, &mut self.buffer);
            session.handle_read(torrent, block, &self.buffer);
        }
        slices > 0
    }

    /// Writes to every connection that has something to send and a socket that takes it; under an
    /// upload limit blocks in the order of their turns. Whether anything went.
    fn flush(&mut self, n: usize, session: &mut Session) -> bool {
        let mut keys = session.take_unflushed();
        keys.append(&mut self.nodes[n].writable);
        let mut busy = false;
        for key in keys {
            let allowance = session.upload_allowance(key);
            busy |= self.flush_one(n, session, key, allowance) > 0;
        }
        while let Some(key) = session.next_upload(self.now) {
            busy |= self.flush_one(n, session, key, BLOCK.into()) > 0;
        }
        busy
    }

    fn flush_one(&mut self, n: usize, session: &mut Session, key: usize, most: u64) -> usize {
        let node = &mut self.nodes[n];
        let Some(&(conn, end)) = node.links.get(&key) else {
            return 0;
        };
        if !session.wants_to_send(key) {
            return 0;
        }
        if node.encryption != Encryption::Off {
            return self.flush_sealed(n, session, key, most);
        }
        let (manners, out) = (node.manners, node.outs.entry(key).or_default());
        let other = self.conns[conn].nodes[1 - end];
        let pipe = &mut self.conns[conn].pipes[end];
        let mut room = pipe.room();
        let (mut sent, mut allowance) = (0, most);
        for segment in session.transmit(key) {
            if room == 0 {
                break;
            }
            let part = match segment {
                Segment::Bytes(bytes) if manners == Manners::OnlyTakes => {
                    bytes.hash(&mut self.digest);
                    let kept = manners.filter(bytes, &mut out.greeted);
                    pipe.socket().push_bytes(&kept);
                    bytes.len()
                }
                Segment::Bytes(bytes) => {
                    let part = bytes.len().min(room);
                    bytes[..part].hash(&mut self.digest);
                    pipe.socket().push_bytes(&bytes[..part]);
                    part
                }
                Segment::Block { block, skip } if skip > 0 || allowance >= block.len.into() => {
                    allowance = allowance.saturating_sub(block.len.into());
                    let whole = PIECE_HEADER + block.len as usize;
                    match manners.answers(block) {
                        Answer::Send => {}
                        Answer::Nothing => break,
                        Answer::Drop => {
                            sent += whole - skip;
                            continue;
                        }
                        Answer::Reject => {
                            let mut reject = Vec::new();
                            Message::Reject(block).encode(&mut reject);
                            pipe.socket().push_bytes(&reject);
                            sent += whole - skip;
                            continue;
                        }
                    }
                    if skip == 0 {
                        let torrent = session.torrent_of(key).expect("blocks are a torrent's");
                        let has = node.shares[torrent].disk.is_right(block.piece);
                        assert!(has || manners.claims_all(), "{block:?} is not on disk");
                        out.spoilt = manners.spoils(node.blocks_sent, n, block, &mut self.rng);
                        node.blocks_sent += 1;
                    }
                    let part = (whole - skip).min(room);
                    let to = skip + part;
                    (block, skip, to, out.spoilt).hash(&mut self.digest);
                    pipe.socket().push_frame(block, skip, to, out.spoilt);
                    *node.sent_to.entry(other).or_default() += part as u64;
                    part
                }
                Segment::Block { .. } => break,
            };
            room = room.saturating_sub(part);
            sent += part;
        }
        self.finish_flush(n, session, key, sent);
        sent
    }

    /// The same of a node that may encrypt: bytes are put together, sealed, and sent as far as
    /// there is room. Such nodes mean well.
    fn flush_sealed(&mut self, n: usize, session: &mut Session, key: usize, most: u64) -> usize {
        let node = &mut self.nodes[n];
        let (conn, end) = node.links[&key];
        let other = self.conns[conn].nodes[1 - end];
        let pipe = &mut self.conns[conn].pipes[end];
        let (room, mut bytes, mut allowance) = (pipe.room(), Vec::new(), most);
        for segment in session.transmit(key) {
            match segment {
                _ if bytes.len() >= room => break,
                Segment::Bytes(part) => bytes.extend_from_slice(part),
                Segment::Block { block, skip } if skip > 0 || allowance >= block.len.into() => {
                    allowance = allowance.saturating_sub(block.len.into());
                    let start = bytes.len();
                    bytes.extend_from_slice(&piece_header(block));
                    bytes.extend_from_slice(self.source.read(block));
                    node.blocks_sent += u32::from(skip == 0);
                    bytes.drain(start..start + skip);
                }
                Segment::Block { .. } => break,
            }
        }
        let sealed = session.seal(key, &mut bytes).bytes();
        let sent = sealed.len().min(room);
        sealed[..sent].hash(&mut self.digest);
        pipe.socket().push_bytes(&sealed[..sent]);
        *node.sent_to.entry(other).or_default() += sent as u64;
        self.finish_flush(n, session, key, sent);
        sent
    }

    /// So many bytes have gone to the socket of this slot.
    fn finish_flush(&mut self, n: usize, session: &mut Session, key: usize, sent: usize) {
        let (conn, end) = self.nodes[n].links[&key];
        // A full socket tells when it has room again.
        let takes_more = self.conns[conn].pipes[end].room() > 0;
        if sent > 0 {
            session.transmitted(key, sent, self.now);
            self.offer(conn, end);
        }
        if takes_more && session.upload_allowance(key) == 0 {
            session.await_upload(key);
        }
    }
}
