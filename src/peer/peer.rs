//! One connection. Feed it what was read through [`Peer::next_event`] until that gives `None`; call [`Peer::handle_timeout`] when
//! [`Peer::next_deadline`] is reached; write what [`Peer::transmit`] names and report it to [`Peer::transmitted`]. The other
//! methods are commands (a bare verb: we do) and getters.

use std::net::SocketAddr;

use super::choke::Choke;
use super::fault::Fault;
use super::input::Input;
use super::phase::{Capabilities, Phase, Step, step};
use super::piece::{HEADER, Refused, Uploads};
use super::request::{Arrival, Requests};
use crate::base::bits::Bits;
use crate::base::geometry::{Block, Geometry};
use crate::base::holdings::Holdings;
use crate::base::id::{InfoHash, PeerId};
use crate::base::limits;
use crate::base::rate::Meter;
use crate::base::time::{Now, sooner};
use crate::wire::handshake::{self, Handshake};
use crate::wire::message::{Kind, Message};

/// Unasked blocks after which a peer is a nuisance: requests and cancels cross on the way, but not so often.
const UNASKED_MOST: u32 = 64;

/// What every connection of a torrent says of us.
#[derive(Clone, Copy, Debug)]
pub struct Local {
    /// The torrent.
    pub info_hash: InfoHash,
    /// Our name in this session.
    pub peer_id: PeerId,
    /// The torrent's measures.
    pub geometry: Geometry,
}

/// What happened on a connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event<'a> {
    /// The peer's handshake came and is right.
    Greeted(PeerId),
    /// It said what it has: see [`Peer::holdings`].
    Holdings,
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
    /// A block that we asked for (or called off not long ago).
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

/// One connection to one peer.
#[derive(Debug)]
pub struct Peer {
    local: Local,
    addr: SocketAddr,
    outbound: bool,
    phase: Phase,
    caps: Capabilities,
    holdings: Holdings,
    choke: Choke,
    requests: Requests,
    uploads: Uploads,
    allowed_to_us: Vec<u32>,
    allowed_to_peer: Vec<u32>,
    unasked: u32,
    cut: Vec<u8>,
    out: Vec<u8>,
    out_sent: usize,
    down: Meter,
    up: Meter,
    since: Now,
    heard: Now,
    said: Now,
}

impl Peer {
    /// A peer that we are calling.
    pub fn dial(local: Local, addr: SocketAddr, now: Now) -> Peer {
        Peer::new(local, addr, true, Phase::Dialing, now)
    }

    /// A peer that called us.
    pub fn accept(local: Local, addr: SocketAddr, now: Now) -> Peer {
        Peer::new(local, addr, false, Phase::Greeting, now)
    }

    fn new(local: Local, addr: SocketAddr, outbound: bool, phase: Phase, now: Now) -> Peer {
        Peer {
            local,
            addr,
            outbound,
            phase,
            caps: Capabilities::default(),
            holdings: Holdings::nothing(local.geometry.pieces()),
            choke: Choke::default(),
            requests: Requests::default(),
            uploads: Uploads::default(),
            allowed_to_us: Vec::new(),
            allowed_to_peer: Vec::new(),
            unasked: 0,
            cut: Vec::new(),
            out: Vec::new(),
            out_sent: 0,
            down: Meter::new(now),
            up: Meter::new(now),
            since: now,
            heard: now,
            said: now,
        }
    }

    // Getters.

    /// Where it is.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Whether we called it.
    pub fn is_outbound(&self) -> bool {
        self.outbound
    }

    /// Whether both handshakes are done and nothing has ended the connection.
    pub fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Opening | Phase::Open)
    }

    /// Whether it is over.
    pub fn is_closing(&self) -> bool {
        matches!(self.phase, Phase::Closing(_))
    }

    /// How far the connection is.
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// Which pieces it has.
    pub fn holdings(&self) -> &Holdings {
        &self.holdings
    }

    /// Who chokes whom.
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
    pub fn since(&self) -> Now {
        self.since
    }

    /// How many more blocks to ask for. While it chokes us only those of [`Peer::allowed`] count.
    pub fn room(&self, now: Now) -> usize {
        match self.is_open() && self.choke.am_interested {
            true => self.requests.room(now),
            false => 0,
        }
    }

    /// The only pieces that may be asked for now; `None`: any.
    pub fn allowed(&self) -> Option<&[u32]> {
        self.choke
            .peer_choking
            .then_some(self.allowed_to_us.as_slice())
    }

    /// Whether the fast extension lets it ask for this piece even while we choke it.
    pub fn may_ask_choked(&self, piece: u32) -> bool {
        self.allowed_to_peer.contains(&piece)
    }

    /// Requests in flight.
    pub fn in_flight(&self) -> usize {
        self.requests.len()
    }

    /// Whether it owes us blocks and sends none.
    pub fn is_snubbing(&self, now: Now) -> bool {
        self.requests.is_snubbing(now)
    }

    /// Blocks that wait to be sent to it.
    pub fn uploads_waiting(&self) -> usize {
        self.uploads.len()
    }

    /// The start of a frame that the last read cut in two. It belongs in front of what is read next.
    pub fn cut(&self) -> &[u8] {
        &self.cut
    }

    // Input.

    /// The network connection is up.
    pub fn handle_connected(&mut self, now: Now) {
        if self.phase == Phase::Dialing {
            self.phase = Phase::Greeting;
            (self.since, self.heard) = (now, now);
            self.greet();
        }
    }

    /// Takes the next message off the input. `None`: it is used up, and the start of a cut frame is kept.
    pub fn next_event<'a>(
        &mut self,
        input: &mut Input<'a>,
        now: Now,
    ) -> Result<Option<Event<'a>>, Fault> {
        self.heard = now;
        if self.phase == Phase::Greeting {
            return self.next_handshake(input);
        }
        let bitfield_bytes = self.local.geometry.pieces().div_ceil(8) as usize;
        while let Some(frame) = input.next_frame(bitfield_bytes)? {
            let message = Message::parse(frame).map_err(Fault::Malformed)?;
            log::trace!("{} <- {message}", self.addr);
            match step(&self.phase, message.kind(), self.caps) {
                Step::Take => {}
                Step::Enter(phase) => self.phase = phase,
                Step::Ignore(_) => continue,
                Step::Refuse(fault) => return Err(fault),
            }
            if let Some(event) = self.on_message(message, now)? {
                return Ok(Some(event));
            }
        }
        self.keep(input);
        Ok(None)
    }

    /// Deadlines that have passed: an error ends the connection.
    pub fn handle_timeout(&mut self, now: Now) -> Result<(), Fault> {
        match self.phase {
            Phase::Dialing if now.since(self.since) >= limits::CONNECT_TIME => {
                return Err(Fault::ConnectTimeout);
            }
            Phase::Greeting if now.since(self.since) >= limits::HANDSHAKE_TIME => {
                return Err(Fault::HandshakeTimeout);
            }
            Phase::Opening | Phase::Open => {}
            _ => return Ok(()),
        }
        if self.out.len().saturating_sub(self.out_sent) > limits::UNSENT {
            return Err(Fault::NotReading);
        }
        if now.since(self.heard) >= limits::SILENCE {
            return Err(Fault::Silent);
        }
        if now.since(self.said) >= limits::KEEP_ALIVE {
            self.say(Message::KeepAlive);
            // What waits already will be said as soon as the peer reads; one keep-alive at a time is enough.
            self.said = now;
        }
        Ok(())
    }

    /// The blocks that have just become late: they may be asked of others. Each is named once.
    pub fn take_late(&mut self, now: Now) -> Vec<Block> {
        self.requests.take_late(now)
    }

    /// When to call [`Peer::handle_timeout`] and [`Peer::take_late`].
    pub fn next_deadline(&self, now: Now) -> Option<Now> {
        match self.phase {
            Phase::Dialing => Some(self.since.later(limits::CONNECT_TIME)),
            Phase::Greeting => Some(self.since.later(limits::HANDSHAKE_TIME)),
            Phase::Opening | Phase::Open => {
                let silence = self.heard.later(limits::SILENCE);
                let keep_alive = self.said.later(limits::KEEP_ALIVE);
                sooner(
                    Some(silence.min(keep_alive)),
                    self.requests.next_deadline(now),
                )
            }
            Phase::Closing(_) => None,
        }
    }

    // Commands.

    /// Says what we have, first of all (BEP 3, BEP 6), and which pieces it may ask for while choked.
    pub fn introduce(&mut self, held: &Bits, allowed: Vec<u32>) {
        match (self.caps.fast, held.count()) {
            (true, 0) => self.say(Message::HaveNone),
            (true, count) if count == held.len() => self.say(Message::HaveAll),
            (false, 0) => {}
            _ => self.say(Message::Bitfield(&held.to_bytes())),
        }
        if self.caps.fast {
            for &piece in &allowed {
                self.say(Message::AllowedFast(piece));
            }
            self.allowed_to_peer = allowed;
        }
    }

    /// Asks for a block.
    pub fn request(&mut self, block: Block, now: Now) {
        self.requests.ask(block, now);
        self.say(Message::Request(block));
    }

    /// Calls a request off, since somebody else answered it.
    pub fn cancel(&mut self, block: Block) {
        if self.requests.call_off(block) {
            self.say(Message::Cancel(block));
        }
    }

    /// Tells it that we have a piece, unless it has that itself.
    pub fn have(&mut self, piece: u32) {
        if !self.holdings.has(piece) {
            self.say(Message::Have(piece));
        }
    }

    /// Says whether we want something of it.
    pub fn set_interested(&mut self, interested: bool) {
        if self.choke.am_interested != interested {
            self.choke.am_interested = interested;
            self.say(if interested {
                Message::Interested
            } else {
                Message::NotInterested
            });
        }
    }

    /// Stops answering its requests; those that wait are dropped, and rejected where the fast extension wants it (BEP 6).
    pub fn choke(&mut self) {
        if self.choke.am_choking {
            return;
        }
        self.choke.am_choking = true;
        self.say(Message::Choke);
        let (fast, allowed) = (self.caps.fast, &self.allowed_to_peer);
        let dropped = self
            .uploads
            .drop_all(|block| fast && allowed.contains(&block.piece));
        if fast {
            for block in dropped {
                self.say(Message::Reject(block));
            }
        }
    }

    /// Begins to answer its requests.
    pub fn unchoke(&mut self) {
        if self.choke.am_choking {
            self.choke.am_choking = false;
            self.say(Message::Unchoke);
        }
    }

    /// Queues a block that it asked for.
    pub fn serve(&mut self, block: Block) -> Result<(), Fault> {
        let queued = self.uploads.queue(block);
        self.after_queueing(block, queued)
    }

    /// Turns a request down.
    pub fn refuse(&mut self, block: Block) -> Result<(), Fault> {
        let refused = Err(self.uploads.refuse());
        self.after_queueing(block, refused)
    }

    /// Drops all blocks that wait and satisfy `which`, since they cannot be read.
    pub fn drop_uploads(&mut self, which: impl Fn(Block) -> bool) {
        for block in self.uploads.drop_all(|block| !which(block)) {
            if self.caps.fast {
                self.say(Message::Reject(block));
            }
        }
    }

    /// Ends the connection: the requests that were in flight go back to the piece table.
    pub fn close(&mut self, fault: Fault) -> Vec<Block> {
        if !self.is_closing() {
            self.phase = Phase::Closing(fault);
        }
        self.uploads = Uploads::default();
        (self.out, self.out_sent, self.cut) = (Vec::new(), 0, Vec::new());
        self.requests.take_all()
    }

    // Output.

    /// Whether there is anything to send; blocks count only if `blocks` does.
    pub fn wants_to_send(&self, blocks: bool) -> bool {
        self.out.len() > self.out_sent
            || self.uploads.sent_of_first() > 0
            || (blocks && !self.uploads.is_empty())
    }

    /// What to send, in order: a block that has begun, messages, the other blocks.
    pub fn transmit(&self) -> impl Iterator<Item = Segment<'_>> {
        let skip = self.uploads.sent_of_first();
        let begun = usize::from(skip > 0);
        let first = self
            .uploads
            .waiting()
            .take(begun)
            .map(move |block| Segment::Block { block, skip });
        let bytes = self
            .out
            .get(self.out_sent..)
            .filter(|bytes| !bytes.is_empty());
        let others = self
            .uploads
            .waiting()
            .skip(begun)
            .map(|block| Segment::Block { block, skip: 0 });
        first.chain(bytes.map(Segment::Bytes)).chain(others)
    }

    /// Notes how many bytes of that were sent. Returns how many of them were content.
    pub fn transmitted(&mut self, bytes: usize, now: Now) -> u64 {
        if bytes == 0 {
            return 0;
        }
        self.said = now;
        let mut left = bytes;
        let mut content = 0;
        let begun = self.uploads.sent_of_first();
        if begun > 0 {
            let frame = self
                .uploads
                .waiting()
                .next()
                .map_or(0, |block| HEADER.saturating_add(block.len as usize));
            let part = left.min(frame.saturating_sub(begun));
            content = self.uploads.on_sent(part);
            left = left.saturating_sub(part);
        }
        let part = left.min(self.out.len().saturating_sub(self.out_sent));
        self.out_sent = self.out_sent.saturating_add(part);
        if self.out_sent == self.out.len() {
            self.out.clear();
            self.out_sent = 0;
        }
        content = self
            .uploads
            .on_sent(left.saturating_sub(part))
            .saturating_add(content);
        self.up.add(content, now);
        content
    }

    // Helpers.

    fn greet(&mut self) {
        let Local {
            info_hash, peer_id, ..
        } = self.local;
        Handshake::with_fast(info_hash, peer_id).encode(&mut self.out);
        log::trace!("{} -> handshake", self.addr);
    }

    fn say(&mut self, message: Message<'_>) {
        log::trace!("{} -> {message}", self.addr);
        message.encode(&mut self.out);
    }

    fn keep(&mut self, input: &mut Input<'_>) {
        let rest = input.take(input.rest().len()).unwrap_or_default();
        if rest.is_empty() {
            self.cut = Vec::new();
        } else {
            self.cut.clear();
            self.cut.extend_from_slice(rest);
        }
    }

    fn next_handshake<'a>(&mut self, input: &mut Input<'a>) -> Result<Option<Event<'a>>, Fault> {
        let Some(theirs) = Handshake::parse(input.rest()).map_err(|_| Fault::NotBitTorrent)? else {
            self.keep(input);
            return Ok(None);
        };
        input.take(handshake::LEN);
        log::trace!("{} <- handshake {:?}", self.addr, theirs.peer_id);
        if theirs.info_hash != self.local.info_hash {
            return Err(Fault::OtherTorrent);
        }
        if theirs.peer_id == self.local.peer_id {
            return Err(Fault::Ourselves);
        }
        self.caps = Capabilities {
            fast: theirs.fast(),
        };
        if let Step::Enter(phase) = step(&self.phase, Kind::Handshake, self.caps) {
            self.phase = phase;
        }
        if !self.outbound {
            self.greet();
        }
        Ok(Some(Event::Greeted(theirs.peer_id)))
    }

    fn on_message<'a>(
        &mut self,
        message: Message<'a>,
        now: Now,
    ) -> Result<Option<Event<'a>>, Fault> {
        let pieces = self.local.geometry.pieces();
        Ok(match message {
            Message::Choke => self.on_choke(),
            Message::Unchoke => self.choke.peer_choking.then(|| {
                self.choke.peer_choking = false;
                Event::Unchoked
            }),
            Message::Interested => self.on_interest(true),
            Message::NotInterested => self.on_interest(false),
            Message::Have(piece) => {
                self.known(piece)?;
                self.holdings.add(piece).then_some(Event::Have(piece))
            }
            Message::Bitfield(bytes) => {
                let bits = Bits::from_bytes(bytes, pieces).ok_or(Fault::BadBitfield)?;
                self.holdings = Holdings::from(bits);
                Some(Event::Holdings)
            }
            Message::HaveAll => {
                self.holdings = Holdings::everything(pieces);
                Some(Event::Holdings)
            }
            Message::HaveNone => Some(Event::Holdings),
            Message::Request(block) => {
                let fair = self.local.geometry.contains(block) && block.len <= limits::SERVED_BLOCK;
                if !fair {
                    return Err(Fault::BadRequest);
                }
                Some(Event::Requested(block))
            }
            Message::Cancel(block) => {
                // BEP 6: a cancelled request is answered too, by the block or by a reject.
                if self.uploads.cancel(block) && self.caps.fast {
                    self.say(Message::Reject(block));
                }
                None
            }
            Message::Piece { piece, begin, data } => self.on_block(piece, begin, data, now)?,
            Message::Reject(block) => {
                let choked = self.choke.peer_choking;
                self.requests
                    .on_reject(block, choked, now)
                    .then_some(Event::Rejected(block))
            }
            Message::AllowedFast(piece) => {
                self.known(piece)?;
                let news = self.allowed_to_us.len() < limits::ALLOWED_FAST_KEPT
                    && !self.allowed_to_us.contains(&piece);
                news.then(|| {
                    self.allowed_to_us.push(piece);
                    Event::Allowed(piece)
                })
            }
            Message::Suggest(piece) => {
                self.known(piece)?;
                None
            }
            Message::KeepAlive
            | Message::Port(_)
            | Message::Extended { .. }
            | Message::Unknown(_) => None,
        })
    }

    fn known(&self, piece: u32) -> Result<(), Fault> {
        match piece < self.local.geometry.pieces() {
            true => Ok(()),
            false => Err(Fault::NoSuchPiece(piece)),
        }
    }

    /// BEP 3: a choke drops what was asked. BEP 6: with the fast extension it does not; each request is answered or rejected.
    fn on_choke<'a>(&mut self) -> Option<Event<'a>> {
        if self.choke.peer_choking {
            return None;
        }
        self.choke.peer_choking = true;
        let dropped = if self.caps.fast {
            Vec::new()
        } else {
            self.requests.take_all()
        };
        Some(Event::Choked(dropped))
    }

    fn on_interest<'a>(&mut self, interested: bool) -> Option<Event<'a>> {
        if self.choke.peer_interested == interested {
            return None;
        }
        self.choke.peer_interested = interested;
        Some(Event::Interested(interested))
    }

    fn on_block<'a>(
        &mut self,
        piece: u32,
        begin: u32,
        data: &'a [u8],
        now: Now,
    ) -> Result<Option<Event<'a>>, Fault> {
        let Ok(len) = u32::try_from(data.len()) else {
            return Err(Fault::BadRequest);
        };
        let block = Block { piece, begin, len };
        self.down.add(u64::from(len), now);
        match self.requests.on_block(block, &self.down, now) {
            Arrival::Expected | Arrival::CalledOff => Ok(Some(Event::Block { block, data })),
            Arrival::Unasked => {
                self.unasked = self.unasked.saturating_add(1);
                match self.unasked > UNASKED_MOST {
                    true => Err(Fault::UnaskedBlocks),
                    false => Ok(None),
                }
            }
        }
    }

    fn after_queueing(&mut self, block: Block, queued: Result<(), Refused>) -> Result<(), Fault> {
        match queued {
            Ok(()) => Ok(()),
            Err(Refused::Flood) => Err(Fault::RequestFlood),
            Err(Refused::Full) => {
                if self.caps.fast {
                    self.say(Message::Reject(block));
                }
                Ok(())
            }
        }
    }
}
