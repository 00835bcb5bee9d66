//! Messages that wait to be sent to a peer, blocks aside.

use crate::wire::Message;

/// Bytes of an empty outbox that a peer keeps: what a turn's requests take.
pub const KEPT: usize = 1024;
/// Bytes of the longest message but for a bitfield and a block.
const SHORT_MESSAGE: usize = 32;

/// Messages in line, of which the first may have been sent in part.
#[derive(Debug, Default)]
pub struct Outbox {
    bytes: Vec<u8>,
    sent: usize,
    /// Bytes of our handshake that are still to be sent, before all others.
    handshake: usize,
}

impl Outbox {
    /// What is left of our handshake is in line, and nothing else.
    pub fn new(handshake: Vec<u8>) -> Outbox {
        Outbox {
            handshake: handshake.len(),
            bytes: handshake,
            sent: 0,
        }
    }

    /// Puts a message in line.
    pub fn push(&mut self, message: Message<'_>) {
        // In steps of a quarter: of many peers that do not read, half of the memory would be unused
        // otherwise.
        if self.bytes.capacity().saturating_sub(self.bytes.len()) < SHORT_MESSAGE {
            self.bytes.reserve_exact((self.bytes.len() / 4).max(KEPT));
        }
        message.encode(&mut self.bytes);
    }

    /// How many bytes of that are our handshake's.
    pub fn handshake(&self) -> usize {
        self.handshake
    }

    /// What is to be sent.
    pub fn waiting(&self) -> &[u8] {
        self.bytes.get(self.sent..).unwrap_or_default()
    }

    /// Notes up to `most` bytes as sent; returns how many there were.
    pub fn on_sent(&mut self, most: usize) -> usize {
        let part = most.min(self.waiting().len());
        self.sent = self.sent.saturating_add(part);
        self.handshake = self.handshake.saturating_sub(part);
        self.drop_sent();
        part
    }

    /// Forgets messages that are gone. Otherwise they would be kept for ever for a peer that never
    /// reads all that waits.
    fn drop_sent(&mut self) {
        let whole = self.sent == self.bytes.len();
        if whole || self.sent >= KEPT.max(self.bytes.len() / 2) {
            self.bytes.drain(..self.sent);
            self.sent = 0;
            let room = self.bytes.len().saturating_mul(2).max(KEPT);
            self.bytes.shrink_to(room);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::limits;

    #[test]
    fn messages_that_are_gone_take_no_memory_though_some_always_wait() {
        let mut out = Outbox::default();
        out.push(Message::Choke);
        for _ in 0..100_000 {
            out.push(Message::Choke);
            assert_eq!(out.on_sent(5), 5);
            assert_eq!(out.waiting().len(), 5);
        }
        assert!(out.bytes.capacity() <= 4 * KEPT);
        while out.waiting().len() <= limits::UNSENT {
            out.push(Message::Choke);
        }
        let (len, capacity) = (out.bytes.len(), out.bytes.capacity());
        assert!(capacity <= len + len / 4 + KEPT, "{capacity} for {len}");
        let waiting = out.waiting().len();
        assert_eq!(out.on_sent(usize::MAX), waiting);
        assert!(out.bytes.capacity() <= KEPT);
    }
}
