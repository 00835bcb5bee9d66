//! Receiving: peers that dial are accepted, sockets are read into receive buffers, what is in these
//! goes to the session, and the blocks among that to the disk. Blocks that came out of order, and
//! files that were there before, are read back from disk to be hashed.

use std::io;

use super::disk::{Blocks, Unsaved, Written};
use super::gathered::EVENTS;
use super::net::{PeerSocket, Stream, tcp};
use super::reactor::Reactor;
use crate::base::{Block, PeerKey, SortedSet, Time, TorrentKey, limits};
use crate::peer::{EndReason, Peer};
use crate::session::{Appetite, DiskLoad, sleep, view, web_seeds};
use crate::torrent::Effect;
use crate::torrent::Source;

/// Reads whose blocks are hashed together: with those of several peers there are several pieces,
/// which go faster together than one after the other. What was read must still be in the
/// second-level cache then.
pub const GATHERED: usize = 4;

impl Reactor {
    /// Takes the connections that peers have made.
    pub(super) fn accept_peers(&mut self, now: Time) {
        for place in std::mem::take(&mut self.listeners.ready) {
            let Some(socket) = self.listeners.sockets.get(place) else {
                continue;
            };
            // Bounded, so that a flood of connections does not keep the others waiting: what is
            // left is accepted in the next turn.
            let mut accepted = 0;
            loop {
                if accepted == EVENTS {
                    self.listeners.ready.push(place);
                    self.busy = true;
                    break;
                }
                accepted += 1;
                match socket.accept() {
                    Ok((stream, addr)) => {
                        let Some(key) = self.session.handle_accepted(addr, now) else {
                            continue;
                        };
                        let mut socket = PeerSocket::new(tcp::Way::Tcp(Stream::new(stream)));
                        let kept = socket
                            .finish()
                            .and_then(|_| self.sockets.add(self.poll.registry(), key, socket));
                        if let Err(error) = kept {
                            let reason = EndReason::Network(tcp::plain(&error));
                            self.session.handle_closed(key, reason, now);
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => {
                        // The process may be out of file handles. The poll reports only new
                        // connections, so waiting ones are accepted with the next.
                        log::debug!("a peer could not be accepted: {}", tcp::plain(&error));
                        break;
                    }
                }
            }
        }
    }

    /// One read of each socket that may have something, in the order in which they came to have it.
    pub(super) fn read_peers(&mut self, now: Time) {
        self.store.begin_turn();
        // Sockets that waited for the disk have waited longer than those that were read since.
        let mut keys = self.take_resumable(now);
        keys.append(&mut self.sockets.unread);
        for key in keys {
            let most = match self.session.appetite(key, self.disk_load(key)) {
                None => continue,
                Some(Appetite::Read(most)) => most,
                Some(Appetite::AfterUploads) => {
                    self.sockets.after_uploads.push(key);
                    continue;
                }
                Some(Appetite::AfterDisk) => {
                    self.session.suspend_reading(key, now);
                    self.sockets.after_disk.push(key);
                    continue;
                }
            };
            let Some(socket) = self.sockets.get(key) else {
                continue;
            };
            socket.queued = false;
            self.read_peer(key, most, now);
            let Some(socket) = self.sockets.get(key) else {
                continue;
            };
            if socket.readable {
                socket.queued = true;
                self.sockets.unread.push(key);
            }
        }
        self.tell_written(now);
        self.busy |= !self.sockets.unread.is_empty();
    }

    /// Reads at most this many bytes of a socket.
    fn read_peer(&mut self, key: usize, most: usize, now: Time) {
        let (Some(socket), Some(start)) = (self.sockets.get(key), self.session.unparsed(key))
        else {
            return;
        };
        let cut = start.len();
        let longest = self.session.longest_frame();
        assert!(cut <= longest, "a cut frame is no longer than a whole one");
        let room = longest + limits::READ;
        // A new one comes from the system zeroed: what is never read into takes no memory.
        let mut buffer = self.free.pop().unwrap_or_else(|| vec![0; room]);
        buffer.resize(room, 0);
        buffer[..cut].copy_from_slice(start);
        let mut blocks = Blocks::new();
        let torrent = self.session.torrent_of(key);
        // Before the handshakes are done the kept bytes are handed in again even if nothing new has
        // come: they may be a whole handshake that waited until its torrent was awake.
        let may_wait = cut > 0 && self.session.peer(key).is_none();
        let utp = self.session.utp.as_deref_mut();
        match socket.read(&mut buffer[cut..cut + most], utp, now) {
            Ok(None) if !may_wait => {}
            Ok(Some(0)) => {
                socket.readable = false;
                self.session.handle_closed(key, EndReason::Closed, now);
            }
            Ok(read) => {
                let bytes = &mut buffer[..cut + read.unwrap_or(0)];
                let mut input = self.session.open(key, bytes);
                while let Some(write) = self.session.receive(key, &mut input, now) {
                    blocks.push((write.block, write.at));
                }
                // Its bytes were put back: it is to be read again, though its socket is empty.
                socket.readable |= sleep::waits(&self.session, key);
            }
            Err(error) => {
                socket.readable = false;
                self.session
                    .handle_closed(key, EndReason::Network(tcp::plain(&error)), now);
            }
        }
        if self.session.peer(key).is_some_and(only_takes) {
            self.sockets.heard.push(key);
        }
        match torrent.filter(|_| !blocks.is_empty()) {
            Some(torrent) => {
                if let Some(written) = self.store.write(torrent, buffer, blocks) {
                    self.take_written(torrent, written, now);
                }
            }
            None => self.free.push(buffer),
        }
    }

    /// Has the kernel acknowledge at once what was read in this turn from peers that have got all
    /// they asked for: see [`PeerSocket::acknowledge`]. While blocks wait for a peer, sending these
    /// acknowledges by itself.
    pub(super) fn acknowledge(&mut self) {
        let mut heard = std::mem::take(&mut self.sockets.heard);
        for key in heard.drain(..) {
            let served = |peer: &Peer| only_takes(peer) && peer.uploads_waiting() == 0;
            let socket = self.sockets.get(key);
            if let Some(socket) = socket.filter(|socket| socket.unanswered) {
                if self.session.peer(key).is_some_and(served) {
                    socket.acknowledge();
                }
            }
        }
        self.sockets.heard = heard;
    }

    /// Sockets that waited for the disk and need not any more are read in the next turn.
    pub(super) fn resume_sockets(&mut self, now: Time) {
        let mut keys = self.take_resumable(now);
        if keys.is_empty() {
            return;
        }
        keys.append(&mut self.sockets.unread);
        self.sockets.unread = keys;
        self.busy = true;
    }

    /// Takes the sockets that need not wait for the disk any more.
    fn take_resumable(&mut self, now: Time) -> Vec<usize> {
        let (waiting, keys): (Vec<usize>, Vec<usize>) =
            std::mem::take(&mut self.sockets.after_disk)
                .into_iter()
                .partition(|&key| self.awaits_disk(key));
        self.sockets.after_disk = waiting;
        for &key in &keys {
            self.session.resume_reading(key, now);
        }
        keys
    }

    /// Whether a socket still waits: until its torrent is awake, or until the disk has caught up.
    fn awaits_disk(&self, key: PeerKey) -> bool {
        let full = self.disk_load(key).full;
        match self.session.peer(key) {
            Some(_) => full,
            None => web_seeds::waits(&self.session, key, full) || sleep::waits(&self.session, key),
        }
    }

    /// How far the disk is behind for what a peer sends. While the peer's torrent sleeps, nothing
    /// may be read from it, as if the disk were behind. Its other messages, such as requests, wait
    /// behind its blocks.
    fn disk_load(&self, key: PeerKey) -> DiskLoad {
        match self.session.torrent_of(key) {
            Some(_) if sleep::waits(&self.session, key) => DiskLoad {
                full: true,
                overfull: true,
            },
            Some(torrent) if self.store.has(torrent) => DiskLoad {
                full: self.store.is_behind(torrent),
                overfull: self.store.is_overfull(torrent),
            },
            Some(_) | None => DiskLoad::default(),
        }
    }

    /// Takes the outcome of writing one buffer; the session is told of several at once.
    pub(super) fn take_written(&mut self, torrent: TorrentKey, written: Written, now: Time) {
        self.written.push((torrent, written));
        if self.written.len() == GATHERED {
            self.tell_written(now);
        }
    }

    /// Does something for web seeds: looks up a host, or writes a block that was not read.
    pub(super) fn fetch(&mut self, effect: Effect, now: Time) {
        match effect {
            Effect::LookUp { info_hash, host } => {
                self.outreach
                    .look_ups
                    .look_up_web_seed(info_hash, host, now);
            }
            Effect::Write {
                torrent,
                block,
                data,
            } => {
                if let Some(written) = self.store.write(torrent, data, vec![(block, 0)]) {
                    self.take_written(torrent, written, now);
                }
                self.busy = true;
            }
            _ => {}
        }
    }

    /// Takes what look-ups have found of peers, nodes and web seeds.
    pub(super) fn take_found(&mut self, now: Time) {
        let look_ups = &mut self.outreach.look_ups;
        for (of, host, found) in look_ups.take_web_seeds() {
            web_seeds::handle_found(&mut self.session, &of, &host, &found, now);
        }
        self.session.finding.add_nodes(&look_ups.take_nodes());
        for (of, addr) in look_ups.take_peers() {
            let source = of.map_or(Source::User, |_| Source::Link);
            for torrent in view::keys_of(&self.session, of) {
                self.session.add_peers(torrent, &[addr], source, now);
            }
        }
    }

    /// Tells the session what was written.
    pub(super) fn tell_written(&mut self, now: Time) {
        let mut written = std::mem::take(&mut self.written);
        let torrents: SortedSet<TorrentKey> = written.iter().map(|(torrent, _)| *torrent).collect();
        for &torrent in &torrents {
            let theirs = written.iter().filter(|(other, _)| *other == torrent);
            let theirs: Vec<&Written> = theirs.map(|(_, written)| written).collect();
            self.tell_written_of(torrent, &theirs, now);
        }
        for (_, written) in written.drain(..) {
            if self.free.len() < GATHERED + self.store.spare() {
                self.free.push(written.buffer);
            }
        }
        self.written = written;
    }

    /// Tells the session what was written of one torrent.
    fn tell_written_of(&mut self, torrent: TorrentKey, written: &[&Written], now: Time) {
        if let Some(message) = self.store.content(torrent).take_unpinned() {
            self.session.warn(Some(torrent), message);
        }
        let mut good: Vec<(Block, &[u8])> = Vec::new();
        for written in written {
            let sure = written.failed.as_ref().map(|failed| failed.from);
            let blocks = &written.blocks[..sure.unwrap_or(written.blocks.len())];
            let data = |at: usize, block: &Block| &written.buffer[at..at + block.len as usize];
            good.extend(blocks.iter().map(|&(block, at)| (block, data(at, &block))));
        }
        if !good.is_empty() {
            self.session.handle_written(torrent, &good);
        }
        let whole = !good.is_empty() && self.session.is_newly_complete(torrent);
        for written in written {
            if let Some(failed) = &written.failed {
                for &(block, _) in &written.blocks[failed.from..] {
                    let why = failed.error.to_string();
                    self.session.handle_unwritten(torrent, block, why, now);
                }
            }
        }
        if whole {
            self.look_for_changes(torrent, now);
        }
    }

    /// Saves what is due, and tells the session what was not saved.
    pub(super) fn go_on_saving(&mut self, now: Time) {
        self.store.go_on();
        while let Some((torrent, unsaved)) = self.store.next_unsaved() {
            self.on_unsaved(torrent, unsaved, now);
        }
    }

    /// Content that did not reach the disk ends its torrent; resume data that were not saved only
    /// cost the next run a check.
    pub(super) fn on_unsaved(&mut self, torrent: TorrentKey, unsaved: Unsaved, now: Time) {
        match unsaved {
            Unsaved::Content(error) => self.session.fail(torrent, error.to_string(), now),
            Unsaved::Record(error) => {
                let message = format!("resume data not saved: {error}");
                self.session.warn(Some(torrent), message);
            }
        }
    }

    /// Makes a torrent's files that have no bytes, and cuts those that are too long to their
    /// length.
    pub(super) fn make_ready(&mut self, torrent: TorrentKey, now: Time) {
        if let Err(error) = self.store.make_ready(torrent) {
            self.session.fail(torrent, error.to_string(), now);
        }
    }

    /// Before a download counts as complete: fails it if another program has changed what was
    /// written.
    fn look_for_changes(&mut self, torrent: TorrentKey, now: Time) {
        if let Some(error) = self.store.find_changed(torrent) {
            let why = error.to_string();
            self.session.handle_changed(torrent, why, now);
        }
    }

    /// Content that is to be hashed: existing files, and blocks that came out of order. In slices,
    /// for a bounded time.
    pub(super) fn read_back(&mut self, now: Time) {
        while self.clock.now().since(now) < limits::CHECK_TURN {
            if let Some((torrent, piece)) = self.session.next_hole() {
                let hole = self.store.content(torrent).is_hole(piece);
                if hole && self.session.handle_hole(torrent) {
                    self.busy = true;
                    continue;
                }
            }
            let Some((torrent, block)) = self.session.next_read() else {
                return;
            };
            self.busy = true;
            let content = self.store.content(torrent);
            let offset = content.layout().geometry().offset(block);
            let slice = &mut self.buffer[..block.len as usize];
            match content.read(offset, slice) {
                Ok(()) => {
                    self.session.handle_read(torrent, block, slice);
                    if self.session.is_newly_complete(torrent) {
                        self.look_for_changes(torrent, now);
                    }
                }
                Err(error) => {
                    let why = error.to_string();
                    self.session.handle_unreadable(torrent, why, now);
                }
            }
        }
    }
}

/// Whether a peer only downloads from us: it is unchoked and interested, and owes us no blocks.
fn only_takes(peer: &Peer) -> bool {
    let choke = peer.choke_state();
    peer.is_open() && !choke.am_choking && choke.peer_interested && peer.in_flight() == 0
}
