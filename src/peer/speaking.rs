//! Messages to a peer: commands queue messages, which go out as bytes and blocks.

use super::end_reason::EndReason;
use super::outbox::Outbox;
use super::peer::{Peer, Segment};
use super::phase::Phase;
use super::piece::{Refused, Uploads};
use crate::base::{Bits, Block, Time};
use crate::wire::extended::HANDSHAKE;
use crate::wire::extended::metadata::BLOCK;
use crate::wire::message::PIECE_HEADER;
use crate::wire::{ExtendedGreeting, Extension, HolePunch, Message, MetadataMessage, PeerExchange};

impl Peer {
    /// Sends the first message, which pieces we have (BEP 3, BEP 6), and then which pieces it may
    /// request while choked.
    pub fn introduce(&mut self, have: &Bits, allowed: Vec<u32>) {
        match (self.caps.fast, have.count()) {
            (true, 0) => self.say(Message::HaveNone),
            (true, count) if count == have.len() => self.say(Message::HaveAll),
            (false, 0) => {}
            _ => self.say(Message::Bitfield(&have.to_bytes())),
        }
        if self.caps.fast {
            for &piece in &allowed {
                self.say(Message::AllowedFast(piece));
            }
            self.allowed.to_peer = allowed;
        }
    }

    /// Says at which port of UDP our node of the DHT is, if it is a node, too (BEP 5).
    pub fn say_node(&mut self, port: u16) {
        if self.caps.dht {
            self.say(Message::Port(port));
        }
    }

    /// Says which extensions we speak, if it speaks any (BEP 10).
    pub fn extend(&mut self, ours: ExtendedGreeting) {
        if let Some(extensions) = &mut self.extensions {
            let payload = extensions.greet(ours);
            let (id, payload) = (HANDSHAKE, payload.as_slice());
            self.say(Message::Extended { id, payload });
        }
    }

    /// Sends a message of the metadata extension, under the number that the peer gave it. False:
    /// the peer gave none.
    pub fn say_metadata(&mut self, message: MetadataMessage<'_>) -> bool {
        let mut payload = Vec::new();
        message.encode(&mut payload);
        self.say_extended(Extension::Metadata, &payload)
    }

    /// Names other peers to it (BEP 11). False: it does not want to hear of them.
    pub fn say_exchange(&mut self, message: &PeerExchange) -> bool {
        let mut payload = Vec::new();
        message.encode(&mut payload);
        self.say_extended(Extension::Exchange, &payload)
    }

    /// Sends a message about hole punching (BEP 55). False: it knows nothing of that.
    pub fn say_punch(&mut self, message: HolePunch) -> bool {
        let mut payload = Vec::new();
        message.encode(&mut payload);
        self.say_extended(Extension::HolePunch, &payload)
    }

    fn say_extended(&mut self, extension: Extension, payload: &[u8]) -> bool {
        let theirs = self.extensions().map(|it| it.theirs());
        let id = theirs.and_then(|it| it.number(extension));
        if let Some(id) = id {
            self.say(Message::Extended { id, payload });
        }
        id.is_some()
    }

    /// It asked for a block of the metadata, which waits until [`Peer::next_metadata`].
    pub fn queue_metadata(&mut self, piece: u32) {
        let queued = self.extensions.as_mut().is_none_or(|it| it.want(piece));
        if !queued {
            self.say_metadata(MetadataMessage::Reject(piece));
        }
    }

    /// Whether it waits for blocks of the metadata.
    pub fn awaits_metadata(&self) -> bool {
        self.extensions().is_some_and(|it| it.wanting() > 0)
    }

    /// When the next block of the metadata may be read for it; `None`: it waits for none, or has
    /// not taken what was sent before.
    pub fn metadata_at(&self) -> Option<Time> {
        let takes = self.is_open() && self.unsent() < BLOCK as usize;
        self.extensions().filter(|_| takes)?.wanted_at()
    }

    /// The next block of the metadata to be read for it, if that may be now: then
    /// [`Peer::answer_metadata`] is to follow.
    pub fn next_metadata(&mut self, now: Time) -> Option<u32> {
        self.metadata_at()?;
        self.extensions.as_mut()?.next_wanted(now)
    }

    /// Sends it the block that was read for it, or says that it cannot be had. Another than the
    /// one of [`Peer::next_metadata`] is not sent.
    pub fn answer_metadata(&mut self, piece: u32, message: MetadataMessage<'_>) {
        let mut extensions = self.extensions.as_mut();
        if extensions.as_mut().is_some_and(|it| it.on_read(piece)) {
            self.say_metadata(message);
        }
    }

    /// Asks for a block.
    pub fn request(&mut self, block: Block, now: Time) {
        self.requests.ask(block, now);
        self.say(Message::Request(block));
    }

    /// Cancels a request, since another peer answered it.
    pub fn cancel(&mut self, block: Block) {
        if self.requests.call_off(block) {
            self.say(Message::Cancel(block));
        }
    }

    /// Tells it that we have a piece, even if it has that piece itself: a super-seed (BEP 16) shows
    /// the next piece to a peer only when that peer has said `have` for the last one. A peer that
    /// said in one message that it has everything is no super-seed and is not told.
    pub fn have(&mut self, piece: u32) {
        if !self.declared_whole {
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

    /// Stops answering its requests; those that wait are dropped, and rejected where the fast
    /// extension wants it (BEP 6).
    pub fn choke(&mut self) {
        if self.choke.am_choking {
            return;
        }
        self.choke.am_choking = true;
        self.say(Message::Choke);
        let (fast, allowed) = (self.caps.fast, &self.allowed.to_peer);
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
    pub fn serve(&mut self, block: Block) -> Result<(), EndReason> {
        let queued = self.uploads.queue(block);
        self.after_queueing(block, queued)
    }

    /// Turns a request down.
    pub fn refuse(&mut self, block: Block) -> Result<(), EndReason> {
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
    pub fn close(&mut self, reason: EndReason) -> Vec<Block> {
        if !self.is_closing() {
            self.phase = Phase::Closing(reason);
        }
        self.uploads = Uploads::default();
        (self.out, self.cut) = (Outbox::default(), Vec::new());
        self.requests.take_all()
    }

    /// Whether there is anything to send; blocks count only if `blocks` does.
    pub fn wants_to_send(&self, blocks: bool) -> bool {
        !self.out.waiting().is_empty()
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
        let bytes = Some(self.out.waiting()).filter(|bytes| !bytes.is_empty());
        let others = self
            .uploads
            .waiting()
            .skip(begun)
            .map(|block| Segment::Block { block, skip: 0 });
        first.chain(bytes.map(Segment::Bytes)).chain(others)
    }

    /// How many bytes of that are our handshake's: they come first.
    pub fn unsaid_handshake(&self) -> usize {
        self.out.handshake()
    }

    /// Notes how many bytes of that were sent. Returns how many of them were content.
    pub fn transmitted(&mut self, bytes: usize, now: Time) -> u64 {
        if bytes == 0 {
            return 0;
        }
        self.contact.on_said(now);
        let mut left = bytes;
        let mut content = 0;
        let begun = self.uploads.sent_of_first();
        if begun > 0 {
            let frame = self
                .uploads
                .waiting()
                .next()
                .map_or(0, |block| PIECE_HEADER.saturating_add(block.len as usize));
            let part = left.min(frame.saturating_sub(begun));
            content = self.uploads.on_sent(part);
            left = left.saturating_sub(part);
        }
        let part = self.out.on_sent(left);
        content = self
            .uploads
            .on_sent(left.saturating_sub(part))
            .saturating_add(content);
        self.up.add(content, now);
        content
    }

    pub(super) fn say(&mut self, message: Message<'_>) {
        self.out.push(message);
    }

    fn after_queueing(
        &mut self,
        block: Block,
        queued: Result<(), Refused>,
    ) -> Result<(), EndReason> {
        match queued {
            Ok(()) => Ok(()),
            Err(Refused::Flood) => Err(EndReason::RequestFlood),
            Err(Refused::Full) => {
                if self.caps.fast {
                    self.say(Message::Reject(block));
                }
                Ok(())
            }
        }
    }
}
