//! What happens to a session from outside: connections come up and end, bytes of peers are received
//! and sent, the disk has read or written. Each function notes that, and puts the torrents and
//! slots concerned on the agenda; `planning` decides what follows. Some things do not wait for it:
//! a piece is judged, and hosts that poisoned it banned, before the next message of a peer;
//! connections that are over or in the way end (`hang_up`); a torrent that fails leaves its swarm.

use std::net::SocketAddr;

use super::accepting;
use super::appetite::{Appetite, DiskLoad};
use super::extending;
use super::meeting::Meeting;
use super::parting;
use super::punching;
use super::requested;
use super::sending::Sealed;
use super::session::Session;
use super::shielding;
use super::streams;
use super::web_seeds;
use crate::base::{Block, PeerKey, Time, TorrentKey};
use crate::peer::incoming::Failed;
use crate::peer::{EndReason, Event, Greeting, Input, Peer};
use crate::torrent::{Effect, Machine, Report, Slot, Twins};

/// A block to be written. Blocks are written in arrival order, since one may come twice.
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

    /// A peer dials us; its handshake will say for which torrent. The key of the slot for the
    /// socket, or `None`: close it.
    pub fn handle_accepted(&mut self, addr: SocketAddr, now: Time) -> Option<PeerKey> {
        if !self.torrents.expect_peers() {
            return None;
        }
        let failed = if self.bans.covers(addr) {
            Some(Failed::Banned)
        } else {
            let room = self.has_room_to_accept(addr, now);
            (!room).then_some(Failed::NoRoom)
        };
        if let Some(failed) = failed {
            self.incoming.count(failed, now);
            return None;
        }
        self.connections.on_accept();
        Some(self.add_slot(Slot::new(Greeting::accept(addr, now), None)))
    }

    /// A dial was answered. It may have been given up in the same turn: then nothing happens.
    pub fn handle_connected(&mut self, key: PeerKey, now: Time) {
        let Some(slot) = self.slots.get_mut(key).filter(|slot| slot.is_dialing()) else {
            return;
        };
        slot.handle_connected(&mut self.shielding.rng, now);
        self.connections.on_connected();
        streams::drop_call(self, key, now);
        web_seeds::on_connected(self, key);
        self.touch(key);
    }

    /// The connection over TCP failed, or the other end closed it. A dial may go on over uTP.
    pub fn handle_closed(&mut self, key: PeerKey, reason: EndReason, now: Time) {
        if !streams::goes_on(self, key, &reason, now) {
            self.hang_up(key, reason, now);
        }
    }

    // What peers send.

    /// Takes the seal off bytes that a peer sent: the counterpart of [`Session::seal`]. All bytes
    /// of peers pass these two places, so what is done to all of them is done here, in place:
    /// encrypted handshakes are taken off, what is encrypted is decrypted, messages are traced.
    ///
    /// `bytes`: what was read from a slot's socket, behind what [`Session::unparsed`] has kept. The
    /// input that comes back goes to [`Session::receive`].
    pub fn open<'a>(&mut self, key: PeerKey, bytes: &'a mut [u8]) -> Input<'a> {
        if let Some(content) = web_seeds::open(self, key, bytes) {
            return Input::new(bytes.get(..content).unwrap_or_default());
        }
        let setting = (&self.torrents, self.config.us.encryption);
        let slot = self.slots.get_mut(key);
        let taken = slot.map_or(0, |slot| self.shielding.open(slot, setting, bytes));
        let mut input = Input::new(bytes);
        input.take(taken);
        if let (Some(tracer), Some(slot)) = (&self.tracer, self.slots.get(key)) {
            tracer.tell_received(slot, input, &mut self.effects);
        }
        input
    }

    /// Takes unsealed bytes, up to the next block: that is to be written, and then
    /// [`Session::handle_written`] or [`Session::handle_unwritten`] to be called. `None`: the input
    /// is used up, or the connection is over.
    pub fn receive<'a>(
        &mut self,
        key: PeerKey,
        input: &mut Input<'a>,
        now: Time,
    ) -> Option<Write<'a>> {
        let write = match self.greet(key, input, now) {
            Ok(true) => self.next_write(key, input, now),
            Ok(false) => None,
            Err(reason) => {
                self.hang_up(key, reason, now);
                None
            }
        };
        self.touch(key);
        write
    }

    /// Reads the peer's handshake, if that has not come. Returns whether messages may follow.
    fn greet(&mut self, key: PeerKey, input: &mut Input<'_>, now: Time) -> Result<bool, EndReason> {
        match self.slots.get(key).map(|slot| &slot.machine) {
            None => Ok(false),
            Some(Machine::Peer(_) | Machine::Web(_)) => Ok(true),
            Some(Machine::Greeting(_)) => {
                let mut meeting = Meeting {
                    slots: &mut self.slots,
                    torrents: &mut self.torrents,
                    agenda: &mut self.agenda,
                    impatient: &self.impatient,
                    us: &self.config.us,
                    utp: self.utp.is_some(),
                    effects: &mut self.effects,
                };
                meeting.greet(key, input, now)
            }
        }
    }

    fn next_write<'a>(
        &mut self,
        key: PeerKey,
        input: &mut Input<'a>,
        now: Time,
    ) -> Option<Write<'a>> {
        let torrent = self.torrent_of(key)?;
        while let Some((torrent, block, data)) = web_seeds::receive(self, key, input, now) {
            self.apply_verdicts(torrent, now);
            let at = input.taken() - data.len();
            if accepting::accept(self, key, (block, data), now) {
                return Some(Write {
                    torrent,
                    block,
                    at,
                    data,
                });
            }
        }
        loop {
            // Verdicts on pieces come before the next message, which may be about these pieces.
            self.apply_verdicts(torrent, now);
            let member = self.member(key).filter(|it| !it.peer.is_closing())?;
            let handled = match member.peer.next_event(input, now) {
                Ok(None) => return None,
                Ok(Some(Event::Block { block, data })) => {
                    if accepting::accept(self, key, (block, data), now) {
                        // A block's data are the end of its frame, up to which the input is read.
                        let at = input.taken() - data.len();
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
                Err(reason) => Err(reason),
            };
            if let Err(reason) = handled {
                self.hang_up(key, reason, now);
                return None;
            }
        }
    }

    /// Whether this slot's socket is to be read, and how much of it. `None`: there is no such slot.
    pub fn appetite(&self, key: PeerKey, disk: DiskLoad) -> Option<Appetite> {
        let slot = self.slots.get(key)?;
        Some(Appetite::of(slot, disk))
    }

    /// Suspends reading from a slot's socket, since the disk is behind: meanwhile no block that its
    /// peer owes us is late.
    pub fn suspend_reading(&mut self, key: PeerKey, now: Time) {
        if let Some(member) = self.member(key) {
            member.peer.suspend_reading(now);
        }
        web_seeds::suspend(self, key, true, now);
    }

    /// It is read again.
    pub fn resume_reading(&mut self, key: PeerKey, now: Time) {
        if let Some(member) = self.member(key) {
            member.peer.resume_reading(now);
            self.touch(key);
        }
        web_seeds::suspend(self, key, false, now);
    }

    /// Every byte for a peer passes here last of all: see [`Session::open`]. `bytes`: the front
    /// of what [`Session::transmit`] names, where it is written from. A socket may take less than
    /// all of it: nothing counts as sent before [`Session::transmitted`], and what is left over is
    /// sealed again.
    pub fn seal<'a>(&mut self, key: PeerKey, bytes: &'a mut [u8]) -> Sealed<'a> {
        debug_assert!(bytes.is_empty() || self.wants_to_send(key), "slot {key}");
        if let Some(slot) = self.slots.get(key) {
            self.shielding.seal(key, slot, bytes);
        }
        Sealed::new(bytes)
    }

    /// Notes this many bytes of what was sealed as sent: they are metered and traced.
    pub fn transmitted(&mut self, key: PeerKey, bytes: usize, now: Time) {
        let Some(slot) = self.slots.get_mut(key) else {
            return;
        };
        if let (Some(tracer), None) = (&mut self.tracer, slot.web()) {
            tracer.tell_sent((key, slot), bytes, &mut self.effects);
        }
        let bytes = self.shielding.transmitted(key, slot, bytes);
        let content = match &mut slot.machine {
            Machine::Peer(member) => member.peer.transmitted(bytes, now),
            Machine::Greeting(greeting) => return greeting.transmitted(bytes, now),
            Machine::Web(pull) => return pull.transmitted(bytes),
        };
        if self.peer(key).is_some_and(Peer::awaits_metadata) {
            self.touch(key);
        }
        if let Some(torrent) = self.torrent_of(key).filter(|_| content > 0) {
            self.sending().count(torrent, key, content, now);
            self.stir(torrent);
        }
    }

    // What the disk did.

    /// What [`Session::next_read`] asked for.
    pub fn handle_read(&mut self, torrent: TorrentKey, block: Block, data: &[u8]) {
        self.with_torrent(torrent, |torrent, lent| {
            torrent.awake_mut().handle_read(block, data);
            torrent.stir(lent);
        });
    }

    /// What [`Session::next_read`] asked for cannot be read. During the check its piece counts as
    /// missing; later it means that a file of ours is gone, and the torrent ends.
    pub fn handle_unreadable(&mut self, torrent: TorrentKey, why: String, now: Time) {
        let failed = self.with_torrent(torrent, |torrent, lent| {
            let content = torrent.awake_mut();
            let Some(checking) = &mut content.checking else {
                return Err(why);
            };
            if let Some(slice) = checking.next_slice() {
                content.damage.on_unchecked(slice.piece);
            }
            checking.fail();
            torrent.report(Report::Warning(why), lent.effects);
            torrent.stir(lent);
            Ok(())
        });
        if let Some(Err(why)) = failed {
            self.fail(torrent, why, now);
        }
    }

    /// The piece of [`Session::next_hole`] lies in a hole of its file. True if that alone decides
    /// that the piece is missing; otherwise it must be read.
    pub fn handle_hole(&mut self, torrent: TorrentKey) -> bool {
        self.stir(torrent);
        let checking = self.torrents.get_mut(torrent);
        let checking = checking.and_then(|torrent| torrent.awake_mut().checking.as_mut());
        checking.is_some_and(|checking| checking.hole())
    }

    /// Blocks of [`Session::receive`] are on disk, and can be read back. Their pieces do not count
    /// as verified before that. They are passed in arrival order, and those of several peers
    /// together: hashing several pieces at once is faster.
    pub fn handle_written(&mut self, torrent: TorrentKey, blocks: &[(Block, &[u8])]) {
        self.with_torrent(torrent, |torrent, lent| {
            torrent.awake_mut().pieces.written(blocks);
            torrent.stir(lent);
        });
    }

    /// A block could not be written: whatever its hash says, its piece is not verified, and the
    /// torrent ends.
    pub fn handle_unwritten(&mut self, torrent: TorrentKey, block: Block, why: String, now: Time) {
        if let Some(torrent) = self.torrents.get_mut(torrent) {
            torrent.awake_mut().damage.on_unwritten(block.piece);
        }
        self.fail(torrent, why, now);
    }

    /// Blocks that a peer asked for cannot be read: their pieces are no longer served.
    pub fn handle_unsendable(&mut self, torrent: TorrentKey, pieces: &[u32], why: String) {
        let Some(lossy) = self.torrents.get_mut(torrent) else {
            return;
        };
        lossy.report(Report::Warning(why), &mut self.effects);
        for &piece in pieces {
            lossy.awake_mut().damage.on_unreadable(piece);
        }
        for key in lossy.connections.clone() {
            if let Some(member) = self.member(key) {
                member
                    .peer
                    .drop_uploads(|block| pieces.contains(&block.piece));
                self.touch(key);
            }
        }
    }

    /// Another program has changed a file: the torrent ends, and what is recorded of that file is
    /// recorded anew.
    pub fn handle_changed(&mut self, torrent: TorrentKey, why: String, now: Time) {
        if let Some(torrent) = self.torrents.get_mut(torrent) {
            torrent.resume_state.set_outdated();
        }
        self.fail(torrent, why, now);
    }

    // Helpers.

    pub(super) fn observe(
        &mut self,
        key: PeerKey,
        event: Event<'_>,
        now: Time,
    ) -> Result<(), EndReason> {
        let Some((torrent, member)) = self.slots.get_mut(key).and_then(Slot::peer_of_mut) else {
            return Ok(());
        };
        let content = self.torrents[torrent].awake_mut();
        let (pieces, haves) = (&mut content.pieces, &content.haves);
        match event {
            Event::Holdings(before) => {
                pieces.left_swarm(&before);
                pieces.joined(member.peer.holdings());
                let have = member.peer.holdings();
                let pending = haves.pending.iter();
                let pending = pending.filter(|&&piece| have.has(piece)).count();
                member.useful = pieces.wants_of(have) + pending as u32;
            }
            Event::Have(piece) => {
                pieces.on_have(piece);
                if member.peer.holdings().is_seed() {
                    pieces.became_seed();
                }
                let pending = haves.pending.contains(&piece);
                member.useful += u32::from(pieces.needs(piece) || pending);
            }
            Event::Choked(dropped) => self.give_back(key, &dropped),
            Event::Rejected(block) => self.give_back(key, &[block]),
            Event::Interested(_) => content.choking.set_due(),
            Event::Requested(block) => return requested::answer(self, key, block, now),
            Event::Punch(message) => punching::hear(self, key, message, now),
            Event::Unchoked | Event::Allowed(_) | Event::Block { .. } => {}
            _ => return extending::observe(self, key, event, now),
        }
        Ok(())
    }

    /// Blocks that a peer will not send go back to the piece table, and to what may be asked for.
    pub(super) fn give_back(&mut self, key: PeerKey, blocks: &[Block]) {
        let Some((torrent, _)) = self.slots.get(key).and_then(Slot::peer_of) else {
            return;
        };
        let torrent = &mut self.torrents[torrent];
        torrent.release(key, blocks);
        let bytes = blocks.iter().map(|block| u64::from(block.len)).sum();
        torrent.traffic.down_limit.give_back(bytes);
        self.down.bucket.give_back(bytes);
        self.down.queue.refund(torrent.key, key, bytes);
    }

    /// Ends a connection: its slot and its socket are given up when effects are performed next.
    pub(super) fn hang_up(&mut self, key: PeerKey, reason: EndReason, now: Time) {
        if web_seeds::hang_up(self, key, &reason, now) {
            return;
        }
        let slot = self.slots.get_mut(key);
        let Some(slot) = slot.filter(|slot| !slot.is_closing()) else {
            return;
        };
        let setting = self.config.us.encryption;
        let (context, utp) = ((&mut self.torrents, setting), self.utp.is_some());
        let reason = shielding::why(slot, context, utp, reason);
        self.timers.disarm(key, slot);
        let (addr, outbound, was_dialing) = (slot.addr(), slot.is_outbound(), slot.is_dialing());
        let (torrent, greeted) = (slot.torrent, slot.member().is_some());
        let encrypted = slot.shield.is_some();
        match &mut slot.machine {
            Machine::Greeting(greeting) => {
                if let Some(failed) = Failed::of(greeting, &reason).filter(|_| !outbound) {
                    self.incoming.count(failed, now);
                }
                greeting.close(reason.clone());
            }
            Machine::Web(_) => {}
            Machine::Peer(_) => parting::part_with_peer(self, key, &reason, now),
        }
        self.connections.on_closed(was_dialing);
        if let Some(torrent) = torrent.map(|torrent| &mut self.torrents[torrent]) {
            torrent.set_choking_due();
            if outbound && !greeted {
                torrent.on_failed_dial((addr, &reason, setting), &mut self.bans, &mut self.effects);
            }
            let mut twins = Twins::of(torrent, &mut self.slots);
            twins.on_connection_over(key, was_dialing, &reason, now);
            if greeted || outbound {
                let reason = reason.to_string();
                let report = Report::Disconnected {
                    addr,
                    reason,
                    encrypted,
                };
                torrent.report(report, &mut self.effects);
            }
        }
        streams::hang_up(self, key, (&reason, was_dialing), now);
        self.effects.push_back(Effect::Hangup { key });
        torrent.into_iter().for_each(|torrent| self.stir(torrent));
    }

    /// No torrent is left that a peer could ask for: connections that have not named one end, too.
    pub(super) fn leave_strangers(&mut self, now: Time) {
        let strangers = self.slots.iter().filter(|(_, it)| it.torrent.is_none());
        for key in strangers.map(|(key, _)| key).collect::<Vec<PeerKey>>() {
            self.hang_up(key, EndReason::Stopping, now);
        }
    }
}
