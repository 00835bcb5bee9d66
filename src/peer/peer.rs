//! One connection on which both handshakes are done; before that it is a [`Greeting`]. Feed it what
//! was read through [`Peer::next_event`] until that gives `None`; call [`Peer::handle_timeout`]
//! when [`Peer::next_deadline`] is reached; write what [`Peer::transmit`] names and report it to
//! [`Peer::transmitted`]. The other methods are commands (a bare verb: we do) and getters.

use std::net::SocketAddr;

use super::choke::Choke;
use super::contact::Contact;
use super::early::Early;
use super::end_reason::EndReason;
use super::extensions::Extensions;
use super::fast::AllowedFast;
use super::greeting::Greeting;
use super::local::Local;
use super::outbox::Outbox;
use super::phase::{Capabilities, Phase};
use super::piece::Uploads;
use super::request::Requests;
use crate::base::{Block, Duration, Holdings, Meter, Time, limits, sooner};
use crate::wire::{HolePunch, Message, MetadataMessage, PeerExchange};

/// What happened on a connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event<'a> {
    /// It said which pieces it has: see [`Peer::holdings`]. These are the pieces that it was
    /// thought to have before.
    Holdings(Holdings),
    /// It begins to send a bitfield whose frame has this many bytes, longer than is usual, and
    /// there are no metadata yet: answer with [`Peer::grant_bitfield`], or hang up.
    LongBitfield(usize),
    /// It has one more piece.
    Have(u32),
    /// It does not answer our requests any more; these are off.
    Choked(Vec<Block>),
    /// It answers our requests.
    Unchoked,
    /// It wants something of us, or no longer.
    Interested(bool),
    /// It asks for a block: answer with [`Peer::serve`] or [`Peer::refuse`].
    Requested(Block),
    /// A block that we asked for (or cancelled not long ago).
    Block {
        /// Which.
        block: Block,
        /// Its content, in the buffer that was read into.
        data: &'a [u8],
    },
    /// It will not send this block that we asked for.
    Rejected(Block),
    /// It sends this piece even while it chokes us.
    Allowed(u32),
    /// It said which extensions it speaks, or changed that: see [`Peer::extensions`].
    Extended,
    /// Its node of the DHT is at this port of UDP (BEP 5). It is told once.
    Node(u16),
    /// It named other peers (BEP 11).
    Exchange(PeerExchange),
    /// A message of the metadata extension (BEP 9).
    Metadata(MetadataMessage<'a>),
    /// A message about hole punching (BEP 55).
    Punch(HolePunch),
}

/// A part of what is to be sent next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Segment<'a> {
    /// These bytes.
    Bytes(&'a [u8]),
    /// The frame of this block, but for its first `skip` bytes.
    Block {
        /// Which block: its frame is the header and the data.
        block: Block,
        /// Bytes of the frame that are gone already.
        skip: usize,
    },
}

/// One connection to one peer, both handshakes done.
#[derive(Debug)]
pub struct Peer {
    pub(super) local: Local,
    pub(super) addr: SocketAddr,
    pub(super) outbound: bool,
    pub(super) phase: Phase,
    pub(super) caps: Capabilities,
    pub(super) holdings: Holdings,
    pub(super) choke: Choke,
    pub(super) requests: Requests,
    /// What both ends said of extensions; `None`: not both speak the protocol.
    pub(super) extensions: Option<Box<Extensions>>,
    /// What it said of pieces, as long as there are no metadata.
    pub(super) early: Option<Box<Early>>,
    pub(super) uploads: Uploads,
    /// It said in one message that it has every piece.
    pub(super) declared_whole: bool,
    /// How many times it said all that it has.
    pub(super) holdings_told: u32,
    pub(super) allowed: AllowedFast,
    pub(super) unasked: u32,
    pub(super) cut: Vec<u8>,
    pub(super) out: Outbox,
    pub(super) down: Meter,
    pub(super) up: Meter,
    pub(super) contact: Contact,
}

impl Peer {
    /// The peer whose handshake was answered by [`Greeting::answer`]. What has not been sent of our
    /// own handshake goes out first.
    pub fn opened(local: Local, greeting: &mut Greeting, now: Time) -> Peer {
        Peer {
            local,
            addr: greeting.addr,
            outbound: greeting.outbound,
            phase: Phase::Opening,
            caps: greeting.caps,
            holdings: Holdings::nothing(local.geometry.pieces()),
            choke: Choke::default(),
            requests: Requests::default(),
            extensions: greeting.caps.extended.then(Box::default),
            early: None,
            uploads: Uploads::default(),
            declared_whole: false,
            holdings_told: 0,
            allowed: AllowedFast::default(),
            unasked: 0,
            cut: Vec::new(),
            out: Outbox::new(std::mem::take(&mut greeting.out)),
            down: Meter::new(now),
            up: Meter::new(now),
            contact: Contact::new(greeting, now),
        }
    }

    // Getters.

    /// Where it is.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Whether we dialed it.
    pub fn is_outbound(&self) -> bool {
        self.outbound
    }

    /// Whether nothing has ended the connection.
    pub fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Opening | Phase::Open)
    }

    /// Whether it is over.
    pub fn is_closing(&self) -> bool {
        matches!(self.phase, Phase::Closing(_))
    }

    /// How long we have said nothing to it.
    pub fn unspoken(&self, now: Time) -> Duration {
        self.contact.unspoken(now)
    }

    /// Sends something at least each [`limits::KEEP_ALIVE_SHORT`] from now on, since this peer
    /// hangs up early.
    pub fn hurry_keep_alives(&mut self) {
        self.contact.hurry_keep_alives();
    }

    /// How far the connection is.
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// Which pieces it has.
    pub fn holdings(&self) -> &Holdings {
        &self.holdings
    }

    /// Whether it said in one message that it has every piece: then it is sent no `have`.
    pub fn declared_whole(&self) -> bool {
        self.declared_whole
    }

    /// What is known of its extensions; `None`: it speaks none.
    pub fn extensions(&self) -> Option<&Extensions> {
        self.extensions.as_deref()
    }

    /// Which end chokes the other, and which is interested.
    pub fn choke_state(&self) -> Choke {
        self.choke
    }

    /// Content that came from it.
    pub fn down(&self) -> &Meter {
        &self.down
    }

    /// Content that went to it.
    pub fn up(&self) -> &Meter {
        &self.up
    }

    /// The moment the connection came up.
    pub fn since(&self) -> Time {
        self.contact.since
    }

    /// How many more blocks to ask for. While it chokes us only those of [`Peer::allowed`] count.
    pub fn room(&self, now: Time) -> usize {
        if self.is_open() && self.choke.am_interested && !self.contact.is_clock_stopped() {
            let theirs = self.extensions().and_then(|it| it.theirs().queue);
            let queue = theirs.map_or(usize::MAX, |most| (most as usize).max(1));
            let room = queue.saturating_sub(self.requests.len());
            self.requests.room(now).min(room)
        } else {
            0
        }
    }

    /// The only pieces that may be asked for now; `None`: any.
    pub fn allowed(&self) -> Option<&[u32]> {
        self.choke
            .peer_choking
            .then_some(self.allowed.to_us.as_slice())
    }

    /// Whether it may have this block though we choke it: the piece is in its allowed fast set (BEP
    /// 6), the peer has few pieces yet, and it has not got the set too often.
    pub fn may_have_choked(&self, block: Block) -> bool {
        let geometry = self.local.geometry;
        let allowed = self.allowed.to_peer.contains(&block.piece);
        let poor = self.holdings.count() < limits::ALLOWED_FAST;
        let most =
            u64::from(limits::ALLOWED_FAST).saturating_mul(u64::from(geometry.piece_length()));
        allowed && poor && self.up.total() < most.saturating_mul(limits::ALLOWED_FAST_AGAIN)
    }

    /// Requests in flight.
    pub fn in_flight(&self) -> usize {
        self.requests.len()
    }

    /// The blocks of these.
    pub fn requested(&self) -> impl Iterator<Item = Block> + '_ {
        self.requests.iter()
    }

    /// Bytes of messages (blocks aside) that wait to be sent to it.
    pub fn unsent(&self) -> usize {
        self.out.waiting().len()
    }

    /// Whether more waits for it than may: it does not read.
    pub fn is_overfull(&self) -> bool {
        self.unsent() > self.local.unsent
    }

    /// Whether it owes us blocks and sends none.
    pub fn is_snubbing(&self, now: Time) -> bool {
        self.requests.is_snubbing(self.contact.its_time(now))
    }

    /// Blocks that wait to be sent to it.
    pub fn uploads_waiting(&self) -> usize {
        self.uploads.len()
    }

    /// Whether so many of its requests wait that we do not read from it before some are answered.
    pub fn is_upload_queue_full(&self) -> bool {
        self.uploads.len() >= limits::UPLOADS_FULL
    }

    /// The start of a frame that the last read cut in two. It belongs in front of what is read
    /// next.
    pub fn unparsed(&self) -> &[u8] {
        &self.cut
    }

    /// Deadlines that have passed: an error ends the connection.
    pub fn handle_timeout(&mut self, now: Time) -> Result<(), EndReason> {
        if !self.is_open() {
            return Ok(());
        }
        let listened_to = !self.is_upload_queue_full() || self.up.rate(now) == 0;
        if self.contact.is_silent(now) && listened_to {
            return Err(EndReason::Silent);
        }
        if self.contact.is_keep_alive_due(now) {
            self.say(Message::KeepAlive);
            // If messages wait already, the peer gets them as soon as it reads, and needs no
            // keep-alive.
            self.contact.on_said(now);
        }
        Ok(())
    }

    /// The blocks that have just become late: they may be asked of others. Each is named once.
    pub fn take_late(&mut self, now: Time) -> Vec<Block> {
        self.requests.take_late(self.contact.its_time(now))
    }

    /// The requests that are lost: they are taken back.
    pub fn take_lost(&mut self, now: Time) -> Vec<Block> {
        self.requests.take_lost(self.contact.its_time(now))
    }

    /// We stop reading from it, for a reason of ours: nothing that it owes us is late meanwhile.
    pub fn suspend_reading(&mut self, now: Time) {
        self.contact.stop_clock(now);
    }

    /// We read from it again.
    pub fn resume_reading(&mut self, now: Time) {
        if let Some(stopped_for) = self.contact.start_clock(now) {
            self.requests.postpone(stopped_for);
        }
    }

    /// When to call [`Peer::handle_timeout`], [`Peer::take_late`] and [`Peer::take_lost`].
    pub fn next_deadline(&self, now: Time) -> Option<Time> {
        if !self.is_open() {
            return None;
        }
        let mut silence = self.contact.silent_at();
        if self.is_upload_queue_full() {
            // It is we that do not read.
            silence = silence.max(now.later(limits::CHOKE_ROUND));
        }
        // Where it may have a block now, it waits for others or for a limit.
        let metadata = self.metadata_at().filter(|&at| at > now);
        let next = sooner(Some(self.contact.keep_alive_at()), metadata);
        if self.contact.is_clock_stopped() {
            return next;
        }
        let requests = self.requests.next_deadline(now);
        sooner(sooner(Some(silence), next), requests)
    }
}

#[cfg(test)]
mod tests;
