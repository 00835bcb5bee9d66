//! Tells in words what peers say and what they are told, for a log. It reads the plain bytes that
//! pass `Session::open` and `Session::transmitted`, so that the protocol machines need not.

use crate::base::{PeerKey, SortedMap};
use crate::mse::Shield;
use crate::peer::{Greeting, Input, Segment};
use crate::torrent::{Effect, Effects, Slot};
use crate::wire::message::{PIECE_HEADER, PREFIX, frame_len};
use crate::wire::{Handshake, Message, handshake};

/// What was told so far.
#[derive(Debug, Default)]
pub(super) struct Tracer {
    /// Bytes of a message that are still to be sent, where a write cut it in two. It was told when
    /// its first byte was sent.
    begun: SortedMap<PeerKey, usize>,
}

impl Tracer {
    /// Tells each whole message of a read, but for those that were put back while their torrent
    /// slept: they were told when they came.
    pub(super) fn tell_received(&self, slot: &Slot, mut input: Input<'_>, effects: &mut Effects) {
        let told = slot.greeting().map_or(0, Greeting::put_back_len);
        if slot.greeting().is_some() {
            let Ok(Some(theirs)) = Handshake::parse(input.rest()) else {
                return;
            };
            input.take(handshake::LEN);
            if input.taken() > told {
                let words = format!("handshake {:?}", theirs.peer_id);
                tell(slot, false, words, effects);
            }
        }
        while let Some(len) = frame_len(input.rest()) {
            let frame = input.take(PREFIX.saturating_add(len as usize));
            let frame = frame.and_then(|frame| frame.get(PREFIX..));
            let Some(Ok(message)) = frame.map(Message::parse) else {
                return;
            };
            if input.taken() > told {
                tell(slot, false, message.to_string(), effects);
            }
        }
    }

    /// Tells each message that begins in what is sent: this many bytes of what the slot has to
    /// send.
    pub(super) fn tell_sent(
        &mut self,
        (key, slot): (PeerKey, &Slot),
        sent: usize,
        effects: &mut Effects,
    ) {
        let mut begun = self.begun.remove(&key).unwrap_or(0);
        let mut left = sent;
        let mut unsealed = slot.unsealed().len();
        for segment in slot.transmit() {
            match segment {
                _ if left == 0 => break,
                Segment::Bytes(_) if unsealed > 0 => {
                    let part = left.min(unsealed);
                    let words = format!("{part} bytes of the encrypted handshake");
                    tell(slot, true, words, effects);
                    let shield = slot.shield.as_deref();
                    if part == unsealed && shield.is_some_and(Shield::carries_initial) {
                        tell(slot, true, String::from("handshake"), effects);
                    }
                    left -= part;
                    unsealed = 0;
                }
                Segment::Bytes(bytes) => {
                    let end = left.min(bytes.len());
                    let mut at = begun;
                    while at < end {
                        let (words, len) = first_message(&bytes[at..]);
                        tell(slot, true, words, effects);
                        at += len;
                    }
                    begun = at - end;
                    left -= end;
                }
                Segment::Block { block, skip } => {
                    if skip == 0 {
                        let (piece, begin, len) = (block.piece, block.begin, block.len);
                        let words = format!("piece {piece} at {begin}, {len} bytes");
                        tell(slot, true, words, effects);
                    }
                    left -= left.min(PIECE_HEADER + block.len as usize - skip);
                }
            }
        }
        if begun > 0 {
            self.begun.insert(key, begun);
        }
    }

    /// A connection is over.
    pub(super) fn forget(&mut self, key: PeerKey) {
        self.begun.remove(&key);
    }
}

/// The first of the messages that wait to be sent, which are whole, and how long it is.
fn first_message(bytes: &[u8]) -> (String, usize) {
    if let Ok(Some(_)) = Handshake::parse(bytes) {
        return (String::from("handshake"), handshake::LEN);
    }
    let len = frame_len(bytes).map_or(bytes.len(), |len| PREFIX + len as usize);
    let frame = bytes.get(PREFIX..len).map(Message::parse);
    match frame {
        Some(Ok(message)) => (message.to_string(), len),
        _ => (format!("{} bytes", bytes.len()), bytes.len()),
    }
}

fn tell(slot: &Slot, ours: bool, words: String, effects: &mut Effects) {
    let addr = slot.addr();
    effects.push_back(Effect::Trace { addr, ours, words });
}
