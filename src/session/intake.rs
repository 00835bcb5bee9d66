//! What comes in: from peers, message by message, and from the disk. It changes what is known and
//! nothing else; what follows from it is decided in `planning`.

use super::appetite::{Appetite, DiskLoad};
use super::callers::Failed;
use super::checking::Checking;
use super::effect::{Effect, Report, Write};
use super::patience;
use super::session::Session;
use super::slot::Slot;
use super::stage::Stage;
use crate::base::geometry::Block;
use crate::base::id::PeerId;
use crate::base::limits;
use crate::base::time::Now;
use crate::peer::fast::allowed_fast_set;
use crate::peer::fault::Fault;
use crate::peer::input::Input;
use crate::peer::peer::Event;
use crate::peer::phase::Phase;
use crate::pieces::Accepted;

impl Session {
    /// Takes what was read from a slot's socket, up to the next block: that is to be written, and
    /// then [`Session::handle_written`] or [`Session::handle_unwritten`] to be called. `None`: the
    /// input is used up, or the connection is over.
    pub fn receive<'a>(
        &mut self,
        key: usize,
        input: &mut Input<'a>,
        now: Now,
    ) -> Option<Write<'a>> {
        let write = self.next_write(key, input, now);
        self.touch(key);
        write
    }

    fn next_write<'a>(&mut self, key: usize, input: &mut Input<'a>, now: Now) -> Option<Write<'a>> {
        loop {
            // What is known of pieces comes before what a peer says of them.
            self.judge_pieces(now);
            let slot = self
                .slots
                .get_mut(key)
                .filter(|slot| !slot.peer.is_closing())?;
            let handled = match slot.peer.next_event(input, now) {
                Ok(None) => return None,
                Ok(Some(Event::Block { block, data })) => {
                    if self.accept(key, block, data, now) {
                        // A block's data are the end of its frame, up to which the input is read.
                        let at = input.at() - data.len();
                        return Some(Write { block, at, data });
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
    pub fn appetite(&self, key: usize, disk: DiskLoad) -> Option<Appetite> {
        let slot = self.slots.get(key)?;
        Some(Appetite::of(&slot.peer, disk))
    }

    /// A slot's socket is not read from now on, since the disk cannot take what comes: nothing that
    /// its peer owes us is late.
    pub fn stop_listening(&mut self, key: usize, now: Now) {
        if let Some(slot) = self.slots.get_mut(key) {
            slot.peer.stop_listening(now);
        }
    }

    /// It is read again.
    pub fn listen(&mut self, key: usize, now: Now) {
        if let Some(slot) = self.slots.get_mut(key) {
            slot.peer.listen(now);
            self.touch(key);
        }
    }

    /// The connection failed, or the other end closed it.
    pub fn handle_closed(&mut self, key: usize, fault: Fault, now: Now) {
        self.hang_up(key, fault, now);
    }

    /// What [`Session::next_read`] asked for.
    pub fn handle_read(&mut self, block: Block, data: &[u8]) {
        match &mut self.checking {
            Some(checking) => checking.take(data),
            None => self.torrent.pieces.handle_reread(block, data),
        }
    }

    /// What [`Session::next_read`] asked for cannot be read. While checking that piece does not
    /// count; later our own file is gone.
    pub fn handle_unreadable(&mut self, why: String, now: Now) {
        let Some(checking) = &mut self.checking else {
            return self.fail(why, now);
        };
        if let Some(slice) = checking.next_slice() {
            self.damage.on_unchecked(slice.piece);
        }
        checking.fail();
        self.report(Report::Warning(why));
    }

    /// The piece of [`Session::next_hole`] lies in a hole of its file. Whether it is decided by
    /// that: if not, it must be read.
    pub fn handle_hole(&mut self) -> bool {
        self.checking.as_mut().is_some_and(Checking::hole)
    }

    /// Blocks of [`Session::receive`] are on disk: what is read from their files from now on is
    /// that. Their pieces do not count before. In the order in which they came; of as many peers at
    /// once as may be, since several pieces are hashed faster than one.
    pub fn handle_written(&mut self, blocks: &[(Block, &[u8])]) {
        self.torrent.pieces.written(blocks);
    }

    /// A block could not be written: whatever its hash says, its piece is not held, and the session
    /// ends.
    pub fn handle_unwritten(&mut self, block: Block, why: String, now: Now) {
        self.damage.on_unwritten(block.piece);
        self.fail(why, now);
    }

    /// Blocks that a peer asked for cannot be read: their pieces are no longer served, to nobody.
    pub fn handle_lost(&mut self, pieces: &[u32], why: String) {
        self.report(Report::Warning(why));
        for &piece in pieces {
            self.damage.on_unreadable(piece);
        }
        let keys: Vec<usize> = self.slots.iter().map(|(key, _)| key).collect();
        for key in keys {
            self.slots[key]
                .peer
                .drop_uploads(|block| pieces.contains(&block.piece));
            self.touch(key);
        }
    }

    /// Another program has changed a file: the session ends, and what is recorded of that file is
    /// recorded anew.
    pub fn handle_changed(&mut self, why: String, now: Now) {
        self.record.set_outdated();
        self.fail(why, now);
    }

    fn accept(&mut self, key: usize, block: Block, data: &[u8], now: Now) -> bool {
        let Some(slot) = self.slots.get(key) else {
            return false;
        };
        let from = slot.peer.addr();
        let content = self.torrent.pieces.content_of(block);
        self.down.meter.add(content, now);
        if self.torrent.pieces.accept(key, from, block, data) != Accepted::Fresh {
            return false;
        }
        let mut others = Vec::new();
        self.torrent.pieces.also_asked(block, key, &mut others);
        for other in others {
            if let Some(slot) = self.slots.get_mut(other) {
                slot.peer.cancel(block);
                self.touch(other);
            }
        }
        true
    }

    fn observe(&mut self, key: usize, event: Event<'_>, now: Now) -> Result<(), Fault> {
        match event {
            Event::Greeted(remote) => self.greeted(key, remote, now),
            Event::Holdings(before) => {
                let slot = &mut self.slots[key];
                self.torrent.pieces.left_swarm(&before);
                self.torrent.pieces.joined(slot.peer.holdings());
                let have = slot.peer.holdings();
                let untold = self.news.untold.iter().filter(|&&piece| have.has(piece));
                slot.useful = self.torrent.pieces.wants_of(have) + untold.count() as u32;
                Ok(())
            }
            Event::Have(piece) => {
                let (pieces, slot) = (&mut self.torrent.pieces, &mut self.slots[key]);
                pieces.on_have(piece);
                if slot.peer.holdings().is_seed() {
                    pieces.became_seed();
                }
                let counts = pieces.needs(piece) || self.news.untold.contains(&piece);
                slot.useful += u32::from(counts);
                Ok(())
            }
            Event::Choked(dropped) => {
                self.give_back(key, &dropped);
                Ok(())
            }
            Event::Rejected(block) => {
                self.give_back(key, &[block]);
                Ok(())
            }
            Event::Interested(_) => {
                self.choke_due = true;
                Ok(())
            }
            Event::Requested(block) => self.requested(key, block, now),
            Event::Unchoked | Event::Allowed(_) | Event::Block { .. } => Ok(()),
        }
    }

    fn greeted(&mut self, key: usize, remote: PeerId, now: Now) -> Result<(), Fault> {
        self.resolve_duplicate(key, remote, now)?;
        let info_hash = self.local.info_hash;
        let slot = &mut self.slots[key];
        slot.remote = Some(remote);
        let addr = slot.peer.addr();
        if patience::is_short(&remote) || self.impatient.contains(&addr.ip().to_canonical()) {
            slot.peer.hurry_keep_alives();
        }
        let pieces = self.local.geometry.pieces();
        let mut allowed = allowed_fast_set(addr.ip(), info_hash, pieces, limits::ALLOWED_FAST);
        let mut held = self.served();
        // It is told of these with the others.
        for &piece in &self.news.untold {
            held.clear(piece);
        }
        allowed.retain(|&piece| held.get(piece));
        self.slots[key].peer.introduce(&held, allowed);
        let client = remote.client();
        self.report(Report::Connected { addr, client });
        Ok(())
    }

    fn requested(&mut self, key: usize, block: Block, now: Now) -> Result<(), Fault> {
        let held = self.torrent.pieces.held().get(block.piece) && !self.damage.is_lost(block.piece);
        let Slot {
            peer,
            offered,
            wasted,
            ..
        } = &mut self.slots[key];
        let choked = peer.choke_state().am_choking;
        if !held || (choked && !peer.may_have_choked(block)) {
            return peer.refuse(block);
        }
        (*offered, *wasted) = (now, None);
        let served = peer.serve(block);
        self.read_ahead(key, block);
        served
    }

    /// Blocks that a peer will not send go back to the piece table, and to what may be asked for.
    pub(super) fn give_back(&mut self, key: usize, blocks: &[Block]) {
        self.torrent.release(key, blocks);
        let bytes = blocks.iter().map(|block| u64::from(block.len)).sum();
        self.down.bucket.give_back(bytes);
        self.down.queue.refund(key, bytes);
    }

    /// Peers ask for what follows, too: a stretch of the piece at a time, so that most requests
    /// cost no hint.
    fn read_ahead(&mut self, key: usize, block: Block) {
        let stretch = limits::SLICE as u32;
        let slot = &mut self.slots[key];
        let sent = slot.peer.up().total();
        if block.begin % stretch == 0 && slot.read_ahead <= sent + limits::READ_AHEAD {
            let left = self.local.geometry.piece_size(block.piece) - block.begin;
            let len = left.min(stretch);
            slot.read_ahead += u64::from(len);
            self.effects
                .push_back(Effect::ReadAhead(Block { len, ..block }));
        }
    }

    /// Ends a connection: its slot is free and its socket closed when this turn is over.
    pub(super) fn hang_up(&mut self, key: usize, fault: Fault, now: Now) {
        let Some(slot) = self
            .slots
            .get_mut(key)
            .filter(|slot| !slot.peer.is_closing())
        else {
            return;
        };
        if *slot.peer.phase() == Phase::Greeting && !slot.peer.is_outbound() {
            self.count_failed(key, &fault, now);
        }
        self.note_patience(key, &fault, now);
        let slot = &mut self.slots[key];
        let Slot { peer, remote, .. } = slot;
        let (was_open, was_dialing) = (peer.is_open(), *peer.phase() == Phase::Dialing);
        let (addr, outbound, greeted) = (peer.addr(), peer.is_outbound(), remote.take().is_some());
        let blocks = peer.close(fault.clone());
        self.timers.disarm(key, slot);
        self.census.recount(slot);
        let peer = &slot.peer;
        if was_open {
            self.torrent.pieces.left_swarm(peer.holdings());
        }
        self.give_back(key, &blocks);
        self.down.queue.forget(key);
        self.up.queue.forget(key);
        if was_open {
            self.torrent.pieces.forget(key);
        }
        self.dials.on_closed(was_dialing);
        self.choke_due = true;
        if outbound && !greeted {
            self.tell_failed_dial(addr, &fault);
        }
        self.on_connection_over(key, was_dialing, &fault, now);
        if greeted || outbound {
            self.report(Report::Disconnected {
                addr,
                reason: fault.to_string(),
            });
        }
        self.effects.push_back(Effect::Hangup { key });
    }

    /// Something can be asked for again: all that had room left are looked at in this turn.
    pub(super) fn wake_wanting(&mut self) {
        for key in std::mem::take(&mut self.agenda.wants_more) {
            if let Some(slot) = self.slots.get_mut(key) {
                slot.wants_more = false;
            }
            self.touch(key);
        }
    }

    /// Counts a caller that is turned away at once.
    pub(super) fn count_turned_away(&mut self, banned: bool, now: Now) {
        let failed = match self.stage {
            Stage::Running if banned => Failed::Banned,
            Stage::Running => Failed::NoRoom,
            Stage::Checking => Failed::TooEarly,
            Stage::Leaving { .. } | Stage::Over => return,
        };
        self.callers.count(failed, now);
    }

    /// Counts a caller whose connection ends before it greeted us.
    pub(super) fn count_failed(&mut self, key: usize, fault: &Fault, now: Now) {
        let failed = self
            .slots
            .get(key)
            .and_then(|slot| Failed::of(&slot.peer, fault));
        if let Some(failed) = failed {
            self.callers.count(failed, now);
        }
    }

    /// Whether peers are talked to.
    pub(super) fn is_running(&self) -> bool {
        self.stage == Stage::Running
    }
}
