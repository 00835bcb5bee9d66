//! What comes in: connections, what peers send message by message, and what the disk did. It
//! changes what is known and nothing else; what follows from it is decided in `planning`.

use std::net::SocketAddr;

use super::appetite::{Appetite, DiskLoad};
use super::session::Session;
use crate::base::geometry::Block;
use crate::base::id::PeerId;
use crate::base::key::{PeerKey, TorrentKey};
use crate::base::limits;
use crate::base::reach::Reach;
use crate::base::time::Now;
use crate::peer::caller::Failed;
use crate::peer::fast::allowed_fast_set;
use crate::peer::fault::Fault;
use crate::peer::input::Input;
use crate::peer::peer::{Event, Peer};
use crate::peer::phase::Phase;
use crate::pieces::Accepted;
use crate::torrent::checking::Checking;
use crate::torrent::effect::{Effect, Report};
use crate::torrent::stage::Stage;
use crate::torrent::twins::Twins;
use crate::wire::utp_packet::{Kind, Packet};

/// A block to be written; blocks in the order in which they come, since one may come again.
#[derive(Clone, Copy, Debug)]
pub struct Write<'a> {
    /// The torrent.
    pub torrent: TorrentKey,
    /// Where it belongs.
    pub block: Block,
    /// Where its content begins in the buffer that was read into.
    pub at: usize,
    /// Its content there.
    pub data: &'a [u8],
}

impl Session {
    // Connections.

    /// A peer dials us. The key of the slot for the socket, or `None`: close it.
    pub fn handle_accepted(&mut self, addr: SocketAddr, now: Now) -> Option<PeerKey> {
        let torrent = self.torrents.iter().next()?;
        let (key, stage, local) = (torrent.key, torrent.life.stage, torrent.local);
        let banned = self.bans.covers(addr);
        if stage != Stage::Running || banned || !self.has_room_to_accept(addr, now) {
            let failed = match stage {
                Stage::Running if banned => Failed::Banned,
                Stage::Running => Failed::NoRoom,
                Stage::Checking => Failed::TooEarly,
                _ => return None,
            };
            self.callers.count(failed, now);
            return None;
        }
        self.dials.on_accept();
        Some(self.add_slot(key, Peer::accept(local, addr, now), now))
    }

    /// A dial was answered. It may have been given up in the same turn.
    pub fn handle_connected(&mut self, key: PeerKey, now: Now) {
        let slot = self.slots.get_mut(key);
        if let Some(slot) = slot.filter(|slot| *slot.peer.phase() == Phase::Dialing) {
            self.dials.on_connected();
            slot.peer.handle_connected(now);
            self.touch(key);
        }
    }

    /// The connection failed, or the other end closed it.
    pub fn handle_closed(&mut self, key: PeerKey, fault: Fault, now: Now) {
        self.hang_up(key, fault, now);
    }

    /// The answer to a uTP packet from this address: a refusal of the connection that it opens.
    /// Some clients (Transmission 4.1: after 21.7 s) turn to TCP late unless they are refused.
    /// `None`: no answer, to other packets as to peers that would not be accepted over TCP either.
    pub fn answer_utp(&mut self, from: SocketAddr, packet: &Packet, now: Now) -> Option<Packet> {
        let answerable = packet.kind == Kind::Syn
            && self.torrents.iter().any(|t| t.is_running())
            && from.port() != 0
            && Reach::of(from.ip()) != Reach::Nowhere
            && !self.bans.covers(from);
        (answerable && self.refusals.enter(now)).then(|| packet.refusal(now.as_micros() as u32))
    }

    // What peers send.

    /// Takes what was read from a slot's socket, up to the next block: that is to be written, and
    /// then [`Session::handle_written`] or [`Session::handle_unwritten`] to be called. `None`: the
    /// input is used up, or the connection is over.
    pub fn receive<'a>(
        &mut self,
        key: PeerKey,
        input: &mut Input<'a>,
        now: Now,
    ) -> Option<Write<'a>> {
        let write = self.next_write(key, input, now);
        self.touch(key);
        write
    }

    fn next_write<'a>(
        &mut self,
        key: PeerKey,
        input: &mut Input<'a>,
        now: Now,
    ) -> Option<Write<'a>> {
        let torrent = self.torrent_of(key)?;
        loop {
            // What is known of pieces comes before what a peer says of them.
            self.judge(torrent, now);
            let slot = self.slots.get_mut(key);
            let slot = slot.filter(|slot| !slot.peer.is_closing())?;
            let handled = match slot.peer.next_event(input, now) {
                Ok(None) => return None,
                Ok(Some(Event::Block { block, data })) => {
                    if self.accept(key, block, data, now) {
                        // A block's data are the end of its frame, up to which the input is read.
                        let at = input.at() - data.len();
                        return Some(Write {
                            torrent,
                            block,
                            at,
                            data,
                        });
                    }
                    Ok(())
                }
                Ok(Some(event)) => self.observe(key, event, now),
                Err(fault) => Err(fault),
            };
            if let Err(fault) = handled {
                self.hang_up(key, fault, now);
                return None;
            }
        }
    }

    /// Whether this slot's socket is to be read, and how much of it. `None`: there is no such slot.
    pub fn appetite(&self, key: PeerKey, disk: DiskLoad) -> Option<Appetite> {
        let slot = self.slots.get(key)?;
        Some(Appetite::of(&slot.peer, disk))
    }

    /// A slot's socket is not read from now on, since the disk cannot take what comes: nothing that
    /// its peer owes us is late.
    pub fn stop_listening(&mut self, key: PeerKey, now: Now) {
        if let Some(slot) = self.slots.get_mut(key) {
            slot.peer.stop_listening(now);
        }
    }

    /// It is read again.
    pub fn listen(&mut self, key: PeerKey, now: Now) {
        if let Some(slot) = self.slots.get_mut(key) {
            slot.peer.listen(now);
            self.touch(key);
        }
    }

    /// Notes bytes of a slot's [`Peer::transmit`] as sent.
    pub fn transmitted(&mut self, key: PeerKey, bytes: usize, now: Now) {
        if let Some(slot) = self.slots.get_mut(key) {
            let (content, torrent) = (slot.peer.transmitted(bytes, now), slot.torrent);
            let traffic = &mut self.torrents[torrent].traffic;
            traffic.up.add(content, now);
            traffic.up_limit.take(content, now);
            self.up.meter.add(content, now);
            self.up.bucket.take(content, now);
            self.up.queue.charge(key, content);
            if content > 0 {
                self.stir(torrent);
            }
        }
    }

    // What the disk did.

    /// What [`Session::next_read`] asked for.
    pub fn handle_read(&mut self, torrent: TorrentKey, block: Block, data: &[u8]) {
        self.with(torrent, |torrent, with| {
            match &mut torrent.checking {
                Some(checking) => checking.take(data),
                None => torrent.pieces.handle_reread(block, data),
            }
            torrent.stir(with);
        });
    }

    /// What [`Session::next_read`] asked for cannot be read. While checking that piece does not
    /// count; later our own file is gone.
    pub fn handle_unreadable(&mut self, torrent: TorrentKey, why: String, now: Now) {
        let failed = self.with(torrent, |torrent, with| {
            let Some(checking) = &mut torrent.checking else {
                return Err(why);
            };
            if let Some(slice) = checking.next_slice() {
                torrent.damage.on_unchecked(slice.piece);
            }
            checking.fail();
            torrent.report(Report::Warning(why), with.effects);
            torrent.stir(with);
            Ok(())
        });
        if let Some(Err(why)) = failed {
            self.fail(torrent, why, now);
        }
    }

    /// The piece of [`Session::next_hole`] lies in a hole of its file. Whether it is decided by
    /// that: if not, it must be read.
    pub fn handle_hole(&mut self, torrent: TorrentKey) -> bool {
        self.stir(torrent);
        let checking = self.torrents.get_mut(torrent);
        let checking = checking.and_then(|torrent| torrent.checking.as_mut());
        checking.is_some_and(Checking::hole)
    }

    /// Blocks of [`Session::receive`] are on disk: what is read from their files from now on is
    /// that. Their pieces do not count before. They are passed in arrival order, and those of
    /// several peers together: hashing several pieces at once is faster.
    pub fn handle_written(&mut self, torrent: TorrentKey, blocks: &[(Block, &[u8])]) {
        self.with(torrent, |torrent, with| {
            torrent.pieces.written(blocks);
            torrent.stir(with);
        });
    }

    /// A block could not be written: whatever its hash says, its piece is not held, and the torrent
    /// ends.
    pub fn handle_unwritten(&mut self, torrent: TorrentKey, block: Block, why: String, now: Now) {
        if let Some(torrent) = self.torrents.get_mut(torrent) {
            torrent.damage.on_unwritten(block.piece);
        }
        self.fail(torrent, why, now);
    }

    /// Blocks that a peer asked for cannot be read: their pieces are no longer served.
    pub fn handle_lost(&mut self, torrent: TorrentKey, pieces: &[u32], why: String) {
        let Some(lossy) = self.torrents.get_mut(torrent) else {
            return;
        };
        lossy.report(Report::Warning(why), &mut self.effects);
        for &piece in pieces {
            lossy.damage.on_unreadable(piece);
        }
        for key in lossy.members.clone() {
            let lost = |block: Block| pieces.contains(&block.piece);
            self.slots[key].peer.drop_uploads(lost);
            self.touch(key);
        }
    }

    /// Another program has changed a file: the torrent ends, and what is recorded of that file is
    /// recorded anew.
    pub fn handle_changed(&mut self, torrent: TorrentKey, why: String, now: Now) {
        if let Some(torrent) = self.torrents.get_mut(torrent) {
            torrent.record.set_outdated();
        }
        self.fail(torrent, why, now);
    }

    /// Whether a download has become whole and has not said so yet: that is the moment to look at
    /// its files.
    pub fn is_whole(&self, torrent: TorrentKey) -> bool {
        let torrent = self.torrents.get(torrent);
        torrent.is_some_and(|torrent| torrent.is_whole())
    }

    // Helpers.

    fn accept(&mut self, key: PeerKey, block: Block, data: &[u8], now: Now) -> bool {
        let Some(slot) = self.slots.get(key) else {
            return false;
        };
        let torrent = &mut self.torrents[slot.torrent];
        let content = torrent.pieces.content_of(block);
        torrent.traffic.down.add(content, now);
        self.down.meter.add(content, now);
        let from = slot.peer.addr();
        if torrent.pieces.accept(key, from, block, data) != Accepted::Fresh {
            return false;
        }
        let mut others = Vec::new();
        torrent.pieces.also_asked(block, key, &mut others);
        for other in others {
            if let Some(slot) = self.slots.get_mut(other) {
                slot.peer.cancel(block);
                self.touch(other);
            }
        }
        true
    }

    fn observe(&mut self, key: PeerKey, event: Event<'_>, now: Now) -> Result<(), Fault> {
        let slot = &mut self.slots[key];
        let torrent = &mut self.torrents[slot.torrent];
        match event {
            Event::Greeted(remote) => return self.greeted(key, remote, now),
            Event::Holdings(before) => {
                torrent.pieces.left_swarm(&before);
                torrent.pieces.joined(slot.peer.holdings());
                let have = slot.peer.holdings();
                let untold = torrent.news.untold.iter();
                let untold = untold.filter(|&&piece| have.has(piece)).count();
                slot.useful = torrent.pieces.wants_of(have) + untold as u32;
            }
            Event::Have(piece) => {
                torrent.pieces.on_have(piece);
                if slot.peer.holdings().is_seed() {
                    torrent.pieces.became_seed();
                }
                let untold = torrent.news.untold.contains(&piece);
                slot.useful += u32::from(torrent.pieces.needs(piece) || untold);
            }
            Event::Choked(dropped) => self.give_back(key, &dropped),
            Event::Rejected(block) => self.give_back(key, &[block]),
            Event::Interested(_) => torrent.choking.set_due(),
            Event::Requested(block) => return self.requested(key, block, now),
            Event::Unchoked | Event::Allowed(_) | Event::Block { .. } => {}
        }
        Ok(())
    }

    fn greeted(&mut self, key: PeerKey, remote: PeerId, now: Now) -> Result<(), Fault> {
        let torrent = &mut self.torrents[self.slots[key].torrent];
        let ids = (remote, torrent.local.peer_id);
        let mut twins = Twins::of(torrent, &mut self.slots);
        if let Some(older) = twins.resolve(key, ids, &self.agenda.closing, now)? {
            self.agenda.closing.push((older, Fault::Duplicate));
        }
        let slot = &mut self.slots[key];
        slot.remote = Some(remote);
        let addr = slot.peer.addr();
        if self.impatient.covers(&remote, addr) {
            slot.peer.hurry_keep_alives();
        }
        let (info_hash, pieces) = (torrent.local.info_hash, torrent.local.geometry.pieces());
        let mut allowed = allowed_fast_set(addr.ip(), info_hash, pieces, limits::ALLOWED_FAST);
        let mut held = torrent.served();
        // It is told of these with the others.
        for &piece in &torrent.news.untold {
            held.clear(piece);
        }
        allowed.retain(|&piece| held.get(piece));
        slot.peer.introduce(&held, allowed);
        let client = remote.client();
        torrent.report(Report::Connected { addr, client }, &mut self.effects);
        Ok(())
    }

    fn requested(&mut self, key: PeerKey, block: Block, now: Now) -> Result<(), Fault> {
        let slot = &mut self.slots[key];
        let torrent = &self.torrents[slot.torrent];
        let held = torrent.pieces.held().get(block.piece) && !torrent.damage.is_lost(block.piece);
        let choked = slot.peer.choke_state().am_choking;
        if !held || (choked && !slot.peer.may_have_choked(block)) {
            return slot.peer.refuse(block);
        }
        (slot.offered, slot.wasted) = (now, None);
        let served = slot.peer.serve(block);
        self.read_ahead(key, block);
        served
    }

    /// Blocks that a peer will not send go back to the piece table, and to what may be asked for.
    pub(super) fn give_back(&mut self, key: PeerKey, blocks: &[Block]) {
        let torrent = self.slots[key].torrent;
        let torrent = &mut self.torrents[torrent];
        torrent.release(key, blocks);
        let bytes = blocks.iter().map(|block| u64::from(block.len)).sum();
        torrent.traffic.down_limit.give_back(bytes);
        self.down.bucket.give_back(bytes);
        self.down.queue.refund(key, bytes);
    }

    /// Peers ask for what follows, too: a stretch of the piece at a time, so that most requests
    /// cost no hint.
    fn read_ahead(&mut self, key: PeerKey, block: Block) {
        let stretch = limits::SLICE as u32;
        let slot = &mut self.slots[key];
        let torrent = &self.torrents[slot.torrent];
        let sent = slot.peer.up().total();
        if block.begin % stretch == 0 && slot.read_ahead <= sent + limits::READ_AHEAD {
            let left = torrent.local.geometry.piece_size(block.piece) - block.begin;
            let len = left.min(stretch);
            slot.read_ahead += u64::from(len);
            self.effects.push_back(Effect::ReadAhead {
                torrent: torrent.key,
                block: Block { len, ..block },
            });
        }
    }

    /// Ends a connection: its slot is free and its socket closed when this turn is over.
    pub(super) fn hang_up(&mut self, key: PeerKey, fault: Fault, now: Now) {
        let slot = self.slots.get_mut(key);
        let Some(slot) = slot.filter(|slot| !slot.peer.is_closing()) else {
            return;
        };
        if *slot.peer.phase() == Phase::Greeting && !slot.peer.is_outbound() {
            if let Some(failed) = Failed::of(&slot.peer, &fault) {
                self.callers.count(failed, now);
            }
        }
        self.impatient.note(&slot.peer, &fault, now);
        let peer = &mut slot.peer;
        let (was_open, was_dialing) = (peer.is_open(), *peer.phase() == Phase::Dialing);
        let (addr, outbound) = (peer.addr(), peer.is_outbound());
        let remote = slot.remote.take();
        let greeted = remote.is_some();
        let blocks = peer.close(fault.clone());
        self.timers.disarm(key, slot);
        let torrent = &mut self.torrents[slot.torrent];
        torrent.census.recount(slot);
        torrent.choking.set_due();
        if was_open {
            torrent.pieces.left_swarm(slot.peer.holdings());
        }
        self.give_back(key, &blocks);
        self.down.queue.forget(key);
        self.up.queue.forget(key);
        let torrent = &mut self.torrents[self.slots[key].torrent];
        if was_open {
            torrent.pieces.forget(key);
        }
        self.dials.on_closed(was_dialing);
        if outbound && !greeted {
            torrent.on_failed_dial(addr, &fault, &mut self.effects);
        }
        let mut twins = Twins::of(torrent, &mut self.slots);
        twins.on_connection_over(key, remote, was_dialing, &fault, now);
        if greeted || outbound {
            let reason = fault.to_string();
            torrent.report(Report::Disconnected { addr, reason }, &mut self.effects);
        }
        self.effects.push_back(Effect::Hangup { key });
        let torrent = torrent.key;
        self.stir(torrent);
    }
}
