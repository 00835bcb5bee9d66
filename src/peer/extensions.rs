//! The extended handshakes of both ends of a connection (BEP 10), and the blocks of metadata that
//! the peer waits for. A message that we send has the number that the peer gave the extension; a
//! message that comes has the number that we gave it.

use std::collections::VecDeque;

use super::end_reason::EndReason;
use crate::base::{Time, limits};
use crate::wire::extended::HANDSHAKE;
use crate::wire::extended::metadata::blocks;
use crate::wire::{ExtendedGreeting, Extension, HolePunch, MetadataMessage, PeerExchange};

/// What is known of a peer's extensions.
#[derive(Debug, Default)]
pub struct Extensions {
    /// What we offered.
    ours: ExtendedGreeting,
    /// What the peer said, the later over the earlier.
    theirs: ExtendedGreeting,
    /// How many handshakes of it came.
    told: u32,
    /// Blocks of the metadata that it waits for.
    wanted: VecDeque<u32>,
    /// The one that is being read for it.
    reading: Option<u32>,
    /// How many were read for it.
    served: u32,
    /// It gets no other before.
    next_at: Time,
}

/// What a message of an extension means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Heard<'a> {
    /// It said which extensions it speaks, or changed that.
    Greeting,
    /// It named other peers.
    Exchange(PeerExchange),
    /// A message of the metadata extension.
    Metadata(MetadataMessage<'a>),
    /// A message about hole punching.
    Punch(HolePunch),
    /// Nothing that concerns us.
    Nothing,
}

impl Extensions {
    /// What the peer said.
    pub fn theirs(&self) -> &ExtendedGreeting {
        &self.theirs
    }

    /// Whether the peer has said anything.
    pub fn is_known(&self) -> bool {
        self.told > 0
    }

    /// We offer this: the payload of our handshake.
    pub(super) fn greet(&mut self, ours: ExtendedGreeting) -> Vec<u8> {
        let mut payload = Vec::new();
        ours.encode(&mut payload);
        self.ours = ours;
        payload
    }

    /// A message came under this number.
    pub(super) fn hear<'a>(&mut self, id: u8, payload: &'a [u8]) -> Result<Heard<'a>, EndReason> {
        if id == HANDSHAKE {
            self.told = self.told.saturating_add(1);
            if self.told > limits::EXTENDED_TOLD {
                return Err(EndReason::ExtendedFlood);
            }
            let said = ExtendedGreeting::parse(payload).map_err(EndReason::Malformed)?;
            self.theirs.update(said);
            return Ok(Heard::Greeting);
        }
        match Extension::of(id) {
            // A peer that names others in a way that cannot be read may be a good one otherwise.
            Some(Extension::Exchange) if self.ours.number(Extension::Exchange).is_some() => {
                Ok(PeerExchange::parse(payload).map_or(Heard::Nothing, Heard::Exchange))
            }
            Some(Extension::Metadata) if self.ours.number(Extension::Metadata).is_some() => {
                let message = MetadataMessage::parse(payload).map_err(EndReason::Malformed)?;
                Ok(Heard::Metadata(message))
            }
            Some(Extension::HolePunch) if self.ours.number(Extension::HolePunch).is_some() => {
                Ok(HolePunch::parse(payload).map_or(Heard::Nothing, Heard::Punch))
            }
            _ => Ok(Heard::Nothing),
        }
    }

    /// The peer waits for a block; false: it waits for too many.
    pub(super) fn want(&mut self, piece: u32) -> bool {
        let room = self.wanted.len() < limits::METADATA_QUEUE;
        if room {
            self.wanted.push_back(piece);
        }
        room
    }

    /// How many blocks it waits for.
    pub(super) fn wanting(&self) -> usize {
        self.wanted.len()
    }

    /// When the next block that it waits for may be read; `None`: it waits for none, or for one
    /// that is being read.
    pub(super) fn wanted_at(&self) -> Option<Time> {
        let waits = self.reading.is_none() && !self.wanted.is_empty();
        waits.then_some(self.next_at)
    }

    /// Removes and returns the next block that it waits for, if that may be read now. Most peers
    /// ask for each block once: one that has got all of them several times gets further ones
    /// slowly.
    pub(super) fn next_wanted(&mut self, now: Time) -> Option<u32> {
        self.wanted_at().filter(|&at| at <= now)?;
        self.reading = self.wanted.pop_front();
        self.served = self.served.saturating_add(1);
        let all = blocks(self.ours.metadata_size.unwrap_or(0));
        if self.served >= all.saturating_mul(limits::METADATA_COPIES) {
            self.next_at = now.later(limits::METADATA_AGAIN);
        }
        self.reading
    }

    /// A block was read, or cannot be: whether that is the one that it waits for.
    pub(super) fn on_read(&mut self, piece: u32) -> bool {
        let waited = self.reading == Some(piece);
        if waited {
            self.reading = None;
        }
        waited
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &[u8] = b"d8:msg_typei0e5:piecei0ee";

    /// BEP 10: ids "are local to this particular end": a message comes under the number that we
    /// gave, whatever the peer's number for the extension is.
    #[test]
    fn what_comes_has_our_number() {
        let mut extensions = Extensions::default();
        let offer = ExtendedGreeting {
            metadata: Some(Extension::Metadata.ours()),
            exchange: Some(Extension::Exchange.ours()),
            ..ExtendedGreeting::default()
        };
        let ours = b"d1:md11:ut_metadatai2e6:ut_pexi1eee";
        assert_eq!(extensions.greet(offer), ours);
        let theirs = b"d1:md11:ut_metadatai9eee";
        assert_eq!(extensions.hear(0, theirs), Ok(Heard::Greeting));
        assert_eq!(extensions.theirs().number(Extension::Metadata), Some(9));
        let asked = Heard::Metadata(MetadataMessage::Request(0));
        assert_eq!(extensions.hear(2, REQUEST), Ok(asked));
        let named = b"d5:added6:\x0a\0\0\x01\0\x02e";
        let named = (1, &named[..], PeerExchange::parse(named).unwrap());
        assert_eq!(
            extensions.hear(named.0, named.1),
            Ok(Heard::Exchange(named.2))
        );
        for other in [9, 255] {
            assert_eq!(extensions.hear(other, REQUEST), Ok(Heard::Nothing));
        }
        assert!(extensions.hear(2, b"le").is_err());
        assert_eq!(
            extensions.hear(1, b"le"),
            Ok(Heard::Nothing),
            "it is no reason to hang up"
        );
    }

    #[test]
    fn what_we_did_not_offer_is_not_heard() {
        let mut extensions = Extensions::default();
        extensions.greet(ExtendedGreeting::default());
        assert_eq!(extensions.hear(2, b"rubbish"), Ok(Heard::Nothing));
        assert_eq!(extensions.hear(1, b"de"), Ok(Heard::Nothing));
    }

    #[test]
    fn handshakes_and_what_waits_are_bounded() {
        let mut extensions = Extensions::default();
        for _ in 0..limits::EXTENDED_TOLD {
            assert_eq!(extensions.hear(0, b"de"), Ok(Heard::Greeting));
        }
        assert_eq!(extensions.hear(0, b"de"), Err(EndReason::ExtendedFlood));
        assert!((0..limits::METADATA_QUEUE).all(|_| extensions.want(7)));
        assert!(!extensions.want(7));
        assert_eq!(extensions.next_wanted(Time::default()), Some(7));
        assert!(extensions.want(7) && extensions.wanting() == limits::METADATA_QUEUE);
    }
    #[test]
    fn blocks_are_read_one_after_the_other_and_slowly_for_one_that_has_got_all() {
        let mut extensions = Extensions::default();
        extensions.greet(ExtendedGreeting {
            metadata_size: Some(40_000),
            ..ExtendedGreeting::default()
        });
        let all = 3 * limits::METADATA_COPIES;
        let now = Time::default();
        for piece in 0..all {
            assert!(extensions.want(piece % 3));
            assert_eq!(extensions.wanted_at(), Some(now));
            assert_eq!(extensions.next_wanted(now), Some(piece % 3));
            assert_eq!(extensions.next_wanted(now), None, "one is being read");
            assert!(!extensions.on_read(7) && extensions.on_read(piece % 3));
            assert!(!extensions.on_read(piece % 3));
        }
        assert!(extensions.want(0));
        let later = now + limits::METADATA_AGAIN;
        assert_eq!(extensions.next_wanted(now), None);
        assert_eq!(extensions.wanted_at(), Some(later));
        assert_eq!(extensions.next_wanted(later), Some(0));
    }
}
