//! What the other end sends: packets are put in order, and their bytes kept until they are read.

use std::collections::VecDeque;

use super::number::distance;
use crate::base::limits;

/// The receiving half of a connection.
#[derive(Debug)]
pub(super) struct Receiver {
    /// The number of the last packet in front of which none is missing.
    ack: u16,
    /// Bytes that are in order and not read.
    ready: VecDeque<u8>,
    /// Packets from `ack + 2` on that came before one that is missing: `ack + 1`.
    early: VecDeque<Option<Box<[u8]>>>,
    /// Bytes of them, and what else they take.
    early_bytes: usize,
    /// The number of the last packet that the other end sends.
    last: Option<u16>,
    /// Nothing is to be kept, since nobody reads any more.
    deaf: bool,
}

/// What became of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Came {
    /// It was the next one.
    Next,
    /// One before it is missing, or it filled a gap and another is left, or it came before.
    Odd,
    /// It is of no use.
    Useless,
}

impl Receiver {
    /// After the packet of this number.
    pub(super) fn new(ack: u16) -> Receiver {
        Receiver {
            ack,
            ready: VecDeque::new(),
            early: VecDeque::new(),
            early_bytes: 0,
            last: None,
            deaf: false,
        }
    }

    /// The number of the last packet in front of which none is missing.
    pub(super) fn ack(&self) -> u16 {
        self.ack
    }

    /// Bytes of memory that it takes.
    pub(super) fn bytes(&self) -> usize {
        self.ready.len() + self.early_bytes
    }

    /// Whether there is something to read: bytes, or the end.
    pub(super) fn is_readable(&self) -> bool {
        !self.ready.is_empty() || self.is_over()
    }

    /// Whether everything came that the other end sends.
    pub(super) fn is_over(&self) -> bool {
        self.last == Some(self.ack)
    }

    /// Whether a packet is missing that others came after.
    pub(super) fn has_gap(&self) -> bool {
        !self.early.is_empty()
    }

    /// Takes a packet. `most`: bytes of memory that it all may take.
    pub(super) fn take(&mut self, number: u16, content: &[u8], is_last: bool, most: usize) -> Came {
        let ahead = distance(self.ack, number);
        let past_end = self.last.is_some_and(|last| distance(last, number) > 0);
        if ahead <= 0 || past_end {
            // What comes again was not acknowledged, or the acknowledgement was lost.
            return if ahead <= 0 { Came::Odd } else { Came::Useless };
        }
        let early = ahead as usize - 1;
        let cost = content.len() + if early > 0 { limits::UTP_EARLY_COST } else { 0 };
        // Without the missing packet nothing can be read, and so no memory be freed.
        let needed = early == 0 && self.ready.is_empty();
        let full = !self.deaf && !needed && self.bytes() + cost > most;
        if full || early > limits::UTP_EARLY {
            return Came::Useless;
        }
        if is_last {
            if distance(self.ack, number) < self.early.len() as i32 + 1 {
                // It sent packets after its last one.
                return Came::Useless;
            }
            self.last = Some(number);
        }
        if early > 0 {
            self.keep(early - 1, content);
            return Came::Odd;
        }
        self.put(content);
        self.ack = self.ack.wrapping_add(1);
        let mut odd = false;
        while let Some(next) = self.early.pop_front() {
            odd = true;
            let Some(content) = next else { break };
            self.early_bytes -= content.len() + limits::UTP_EARLY_COST;
            self.put(&content);
            self.ack = self.ack.wrapping_add(1);
        }
        if odd { Came::Odd } else { Came::Next }
    }

    fn keep(&mut self, place: usize, content: &[u8]) {
        if self.early.len() <= place {
            self.early.resize_with(place + 1, || None);
        }
        let kept = &mut self.early[place];
        if kept.is_none() {
            let content = if self.deaf { &[] } else { content };
            self.early_bytes += content.len() + limits::UTP_EARLY_COST;
            *kept = Some(content.into());
        }
    }

    fn put(&mut self, content: &[u8]) {
        if !self.deaf {
            self.ready.extend(content);
        }
    }

    /// Moves bytes out, as many as there are and the buffer holds.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> usize {
        let most = buffer.len().min(self.ready.len());
        let (front, back) = self.ready.as_slices();
        let first = most.min(front.len());
        buffer[..first].copy_from_slice(&front[..first]);
        buffer[first..most].copy_from_slice(&back[..most - first]);
        self.ready.drain(..most);
        if self.ready.is_empty() {
            // Most connections have nothing to read most of the time.
            self.ready = VecDeque::new();
        }
        most
    }

    /// Nobody reads any more: what comes is acknowledged and dropped.
    pub(super) fn close(&mut self) {
        self.deaf = true;
        self.ready = VecDeque::new();
        for content in self.early.iter_mut().flatten() {
            self.early_bytes -= content.len();
            *content = Box::default();
        }
    }

    /// Bytes of the extension that says which packets after the missing one came: a multiple of
    /// four, and none if none is missing.
    pub(super) fn sack_len(&self) -> usize {
        self.early.len().min(SACK_BITS).div_ceil(32) * 4
    }

    /// Writes these bytes. What is not told now is told once the gap has moved up.
    pub(super) fn sack(&self, out: &mut Vec<u8>) {
        out.resize(self.sack_len(), 0);
        for (place, early) in self.early.iter().take(SACK_BITS).enumerate() {
            out[place / 8] |= u8::from(early.is_some()) << (place % 8);
        }
    }
}

/// Packets that an acknowledgement tells of beyond a gap: with a bit for each, 64 bytes.
const SACK_BITS: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = 10_000;

    fn text(receiver: &mut Receiver) -> String {
        let mut buffer = [0; 100];
        let n = receiver.read(&mut buffer);
        String::from_utf8(buffer[..n].to_vec()).unwrap()
    }

    #[test]
    fn packets_are_put_in_order() {
        let mut receiver = Receiver::new(65_534);
        let mut take = |number, content: &[u8], last| receiver.take(number, content, last, MOST);
        assert_eq!(take(65_535, b"a", false), Came::Next);
        assert_eq!(take(65_535, b"a", false), Came::Odd, "it came before");
        assert_eq!(take(1, b"c", false), Came::Odd);
        assert_eq!(take(1, b"x", false), Came::Odd, "the first counts");
        assert_eq!(take(3, b"e", true), Came::Odd);
        assert_eq!(
            take(4, b"f", false),
            Came::Useless,
            "it comes after the last"
        );
        assert_eq!(take(0, b"b", false), Came::Odd);
        let mut sack = Vec::new();
        receiver.sack(&mut sack);
        assert_eq!((receiver.ack(), &sack[..]), (1, &[1, 0, 0, 0][..]));
        assert_eq!(text(&mut receiver), "abc");
        assert!(!receiver.is_over() && receiver.has_gap());
        receiver.take(2, b"d", false, MOST);
        assert!(receiver.is_over() && !receiver.has_gap());
        assert_eq!((text(&mut receiver), receiver.bytes()), ("de".into(), 0));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut receiver = Receiver::new(0);
        // Packets of one byte, all but the first one.
        for number in 2..10_000_u16 {
            receiver.take(number, b"x", false, limits::UTP_WINDOW);
        }
        assert_eq!(receiver.early.len(), limits::UTP_EARLY);
        let most = limits::UTP_EARLY * (limits::UTP_EARLY_COST + 1);
        assert_eq!(receiver.bytes(), most);
        let mut sack = Vec::new();
        receiver.sack(&mut sack);
        assert_eq!(sack, [255; SACK_BITS / 8]);
        let mut receiver = Receiver::new(0);
        assert_eq!(receiver.take(1, &[0; 600], false, 1000), Came::Next);
        assert_eq!(receiver.take(2, &[0; 600], false, 1000), Came::Useless);
        receiver.read(&mut [0; 600]);
        assert_eq!(receiver.take(2, &[0; 600], false, 1000), Came::Next);
    }

    /// Early packets have taken all the memory, which has become less since: the missing one is
    /// taken, or nothing could ever be read.
    #[test]
    fn the_missing_packet_is_taken_in_any_case() {
        let mut receiver = Receiver::new(0);
        for number in 2..10 {
            receiver.take(number, &[7; 600], false, MOST);
        }
        assert_eq!(receiver.take(1, &[7; 600], false, 1_000), Came::Odd);
        assert_eq!(receiver.ack(), 9);
        // While there is something to read, no more than that.
        assert_eq!(receiver.take(10, &[7; 600], false, 1_000), Came::Useless);
    }

    #[test]
    fn what_nobody_reads_is_not_kept() {
        let mut receiver = Receiver::new(0);
        receiver.take(2, &[0; 600], false, MOST);
        receiver.take(4, &[], true, MOST);
        receiver.close();
        receiver.take(1, &[0; 600], false, MOST);
        receiver.take(3, &[0; 600], false, MOST);
        assert!(receiver.is_over());
        assert_eq!(receiver.bytes(), 0);
    }
}
