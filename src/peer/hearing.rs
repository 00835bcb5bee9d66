//! Messages of a peer: the input is cut into messages, `phase` says whether each may come now, and
//! its meaning for us comes out as an event.

use super::end_reason::EndReason;
use super::extensions::Heard;
use super::frames::FrameLimits;
use super::input::Input;
use super::local::Local;
use super::peer::{Event, Peer};
use super::phase::{Step, step};
use super::request::Arrival;
use crate::base::{Bits, Block, Holdings, Time, limits};
use crate::wire::Message;
use crate::wire::message::{BITFIELD, PREFIX, frame_len};

impl Peer {
    /// Takes the next message off the input. `None`: it is used up, and the start of a cut frame is
    /// kept.
    pub fn next_event<'a>(
        &mut self,
        input: &mut Input<'a>,
        now: Time,
    ) -> Result<Option<Event<'a>>, EndReason> {
        self.contact.on_heard(now);
        loop {
            if let Some(bytes) = self.long_bitfield(input.rest()) {
                return Ok(Some(Event::LongBitfield(bytes)));
            }
            let Some(frame) = input.next_frame(self.frame_limits())? else {
                break;
            };
            if self.is_overfull() {
                return Err(EndReason::NotReading);
            }
            let message = Message::parse(frame).map_err(EndReason::Malformed)?;
            match step(&self.phase, message.kind(), self.caps) {
                Step::Take => {}
                Step::Enter(phase) => self.phase = phase,
                Step::Ignore(_) => continue,
                Step::Refuse(reason) => return Err(reason),
            }
            if let Some(event) = self.on_message(message, now)? {
                return Ok(Some(event));
            }
        }
        self.keep(input);
        Ok(None)
    }

    /// How long its frames may be.
    pub fn frame_limits(&self) -> FrameLimits {
        match &self.early {
            None => FrameLimits::of(self.local.geometry.pieces()),
            Some(early) => self.early_limits().granted(early.granted),
        }
    }

    fn early_limits(&self) -> FrameLimits {
        let theirs = self.extensions().map(|it| it.theirs());
        FrameLimits::early(theirs.and_then(|it| it.metadata_size))
    }

    /// Bytes of the frame that begins here, if that is a bitfield for which there is no grant yet.
    fn long_bitfield(&self, rest: &[u8]) -> Option<usize> {
        self.early.as_ref()?;
        let (len, id) = (frame_len(rest)?, rest.get(PREFIX).copied());
        let is_bitfield = id == Some(BITFIELD);
        let allowed = self.early_limits().check(len, id).is_ok();
        let waits = is_bitfield && allowed && self.frame_limits().check(len, id).is_err();
        waits.then_some(len as usize)
    }

    /// There is memory for a bitfield whose frame has this many bytes.
    pub fn grant_bitfield(&mut self, bytes: usize) {
        if let Some(early) = &mut self.early {
            early.granted = bytes;
        }
    }

    /// Bytes that its bitfield may take while there are no metadata, if that is longer than is
    /// usual.
    pub fn granted_bitfield(&self) -> usize {
        self.early.as_ref().map_or(0, |early| early.granted)
    }

    /// There are no metadata yet: messages about pieces are kept until [`Peer::learn`].
    pub fn await_metadata(&mut self) {
        self.early = Some(Box::default());
    }

    /// The metadata are there: messages about pieces that were kept are applied.
    ///
    /// # Errors
    /// They do not fit the torrent.
    pub fn learn(&mut self, local: Local) -> Result<(), EndReason> {
        self.local = local;
        let Some(early) = self.early.take() else {
            return Ok(());
        };
        let learned = early.learn(local.geometry.pieces())?;
        self.holdings = learned.holdings;
        self.declared_whole = learned.declared_whole;
        self.allowed.to_us = learned.allowed;
        Ok(())
    }

    /// Whether it has said that it has pieces, though the metadata are not there yet.
    pub fn has_early(&self) -> bool {
        self.early.as_ref().is_some_and(|early| early.has_any())
    }

    fn keep(&mut self, input: &mut Input<'_>) {
        let rest = input.take(input.rest().len()).unwrap_or_default();
        if self.cut.capacity() / 4 >= rest.len() {
            self.cut = Vec::new();
        }
        self.cut.clear();
        self.cut.extend_from_slice(rest);
    }

    fn on_message<'a>(
        &mut self,
        message: Message<'a>,
        now: Time,
    ) -> Result<Option<Event<'a>>, EndReason> {
        if self.early.is_some() && message.kind().is_about_pieces() {
            return self.on_early(message).map(|()| None);
        }
        let pieces = self.local.geometry.pieces();
        Ok(match message {
            Message::Choke => self.on_choke(now),
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
                let bits = Bits::from_bytes(bytes, pieces).ok_or(EndReason::BadBitfield)?;
                Some(self.on_holdings(Holdings::from(bits))?)
            }
            Message::HaveAll => Some(self.on_holdings(Holdings::everything(pieces))?),
            Message::HaveNone => Some(self.on_holdings(Holdings::nothing(pieces))?),
            Message::Request(block) => {
                let fair = self.local.geometry.contains(block) && block.len <= limits::SERVED_BLOCK;
                if !fair {
                    return Err(EndReason::BadRequest);
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
                if choked {
                    self.allowed.on_reject(block.piece);
                }
                self.requests
                    .on_reject(block, choked, now)
                    .then_some(Event::Rejected(block))
            }
            Message::AllowedFast(piece) => {
                self.known(piece)?;
                let new = self.allowed.on_allowed(piece);
                new.then_some(Event::Allowed(piece))
            }
            Message::Suggest(piece) => {
                self.known(piece)?;
                None
            }
            Message::Extended { id, payload } => self.on_extended(id, payload)?,
            // It counts once: with many ports the peer would have us send to all of its host.
            Message::Port(port) => {
                self.caps.dht = false;
                Some(Event::Node(port))
            }
            Message::KeepAlive | Message::Unknown(_) => None,
        })
    }

    /// A message about pieces before we have the metadata: it is kept, or answered as by a peer
    /// without pieces.
    fn on_early(&mut self, message: Message<'_>) -> Result<(), EndReason> {
        let Some(early) = &mut self.early else {
            return Ok(());
        };
        match message {
            Message::Have(piece) => early.on_have(piece),
            Message::AllowedFast(piece) => early.on_allowed(piece),
            Message::Bitfield(_) | Message::HaveAll | Message::HaveNone => {
                self.holdings_told = self.holdings_told.saturating_add(1);
                if self.holdings_told > limits::HOLDINGS_TOLD {
                    return Err(EndReason::HoldingsFlood);
                }
                match message {
                    Message::Bitfield(bytes) => early.on_bitfield(bytes),
                    other => early.on_all(other == Message::HaveAll),
                }
            }
            Message::Request(block) if self.caps.fast => self.say(Message::Reject(block)),
            Message::Piece { .. } => {
                self.unasked = self.unasked.saturating_add(1);
                if self.unasked > limits::UNASKED {
                    return Err(EndReason::UnaskedBlocks);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn on_extended<'a>(
        &mut self,
        id: u8,
        payload: &'a [u8],
    ) -> Result<Option<Event<'a>>, EndReason> {
        let Some(extensions) = &mut self.extensions else {
            return Ok(None);
        };
        Ok(match extensions.hear(id, payload)? {
            Heard::Greeting => Some(Event::Extended),
            Heard::Exchange(message) => Some(Event::Exchange(message)),
            Heard::Metadata(message) => Some(Event::Metadata(message)),
            Heard::Punch(message) => Some(Event::Punch(message)),
            Heard::Nothing => None,
        })
    }

    fn on_holdings<'a>(&mut self, holdings: Holdings) -> Result<Event<'a>, EndReason> {
        self.holdings_told = self.holdings_told.saturating_add(1);
        if self.holdings_told > limits::HOLDINGS_TOLD {
            return Err(EndReason::HoldingsFlood);
        }
        self.declared_whole = holdings.is_seed();
        let before = std::mem::replace(&mut self.holdings, holdings);
        Ok(Event::Holdings(before))
    }

    fn known(&self, piece: u32) -> Result<(), EndReason> {
        if piece < self.local.geometry.pieces() {
            Ok(())
        } else {
            Err(EndReason::NoSuchPiece(piece))
        }
    }

    /// BEP 3: a choke drops what was asked. BEP 6: with the fast extension it does not; each
    /// request is answered or rejected.
    fn on_choke<'a>(&mut self, now: Time) -> Option<Event<'a>> {
        if self.choke.peer_choking {
            return None;
        }
        self.choke.peer_choking = true;
        self.requests.on_choke(now);
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
        now: Time,
    ) -> Result<Option<Event<'a>>, EndReason> {
        let Ok(len) = u32::try_from(data.len()) else {
            return Err(EndReason::BadRequest);
        };
        let block = Block { piece, begin, len };
        self.down.add(u64::from(len), now);
        match self.requests.on_block(block, &self.down, now) {
            Arrival::Expected | Arrival::CalledOff => Ok(Some(Event::Block { block, data })),
            Arrival::Unasked => {
                self.unasked = self.unasked.saturating_add(1);
                if self.unasked > limits::UNASKED {
                    Err(EndReason::UnaskedBlocks)
                } else {
                    Ok(None)
                }
            }
        }
    }
}
