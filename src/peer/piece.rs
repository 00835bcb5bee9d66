//! The blocks that a peer requested and is to get, in the order of its requests. Blocks leave as
//! frames of 13 bytes and the data, which comes from the file; the queue remembers how much of the
//! first frame is gone.

use std::collections::VecDeque;

use super::queue::slim;
use crate::base::{Block, limits};
use crate::wire::message::PIECE_HEADER;

/// The blocks that wait to be sent to one peer.
#[derive(Debug, Default)]
pub struct Uploads {
    queue: VecDeque<Block>,
    sent: usize,
    excess: u32,
}

/// Why a request is not queued.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// The queue is full.
    Full,
    /// It has been full for so many requests that the peer cannot be reading the answers.
    Flood,
}

impl Uploads {
    /// Queues a block; one that waits already is not queued twice.
    pub fn queue(&mut self, block: Block) -> Result<(), Refused> {
        // A long queue is not searched: that costs more than to send a block twice now and then.
        if self.queue.len() < limits::UPLOADS_FULL && self.queue.contains(&block) {
            return Ok(());
        }
        if self.queue.len() >= limits::QUEUED_UPLOADS {
            return Err(self.refuse());
        }
        self.queue.push_back(block);
        Ok(())
    }

    /// Counts a request that was not queued.
    pub fn refuse(&mut self) -> Refused {
        self.excess = self.excess.saturating_add(1);
        if self.excess > limits::EXCESS_UPLOADS {
            Refused::Flood
        } else {
            Refused::Full
        }
    }

    /// Takes a block back; true if it waited. A block that is partly sent stays: a frame that has
    /// begun must be finished.
    pub fn cancel(&mut self, block: Block) -> bool {
        let first = usize::from(self.sent > 0);
        let place = self
            .queue
            .iter()
            .skip(first)
            .position(|&queued| queued == block);
        let removed = place.and_then(|place| self.queue.remove(place.saturating_add(first)));
        slim(&mut self.queue);
        removed.is_some()
    }

    /// Takes back everything that is not partly sent and for which `keep` is false.
    pub fn drop_all(&mut self, keep: impl Fn(Block) -> bool) -> Vec<Block> {
        let first = usize::from(self.sent > 0);
        let (kept, dropped): (Vec<_>, Vec<_>) = (0_usize..)
            .zip(self.queue.drain(..))
            .partition(|&(place, block)| place < first || keep(block));
        self.queue.extend(kept.into_iter().map(|(_, block)| block));
        slim(&mut self.queue);
        dropped.into_iter().map(|(_, block)| block).collect()
    }

    /// The blocks that wait, the first perhaps partly sent: see [`Uploads::sent_of_first`].
    pub fn waiting(&self) -> impl Iterator<Item = Block> + '_ {
        self.queue.iter().copied()
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Bytes of the first block's frame that are gone.
    pub fn sent_of_first(&self) -> usize {
        self.sent
    }

    /// Notes that bytes of block frames are gone; returns how many of these were content.
    pub fn on_sent(&mut self, bytes: usize) -> u64 {
        let (mut left, mut content) = (bytes, 0_u64);
        while let Some(first) = self.queue.front() {
            let frame = PIECE_HEADER.saturating_add(first.len as usize);
            let part = left.min(frame.saturating_sub(self.sent));
            let header_left = PIECE_HEADER.saturating_sub(self.sent);
            content = content.saturating_add(part.saturating_sub(header_left) as u64);
            left = left.saturating_sub(part);
            self.sent = self.sent.saturating_add(part);
            if self.sent < frame {
                break;
            }
            (self.sent, self.excess) = (0, 0);
            self.queue.pop_front();
        }
        slim(&mut self.queue);
        content
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(begin: u32) -> Block {
        Block {
            piece: 1,
            begin,
            len: 100,
        }
    }

    #[test]
    fn frames_leave_in_parts() {
        let mut uploads = Uploads::default();
        assert_eq!(
            (
                uploads.queue(block(0)),
                uploads.queue(block(100)),
                uploads.queue(block(0))
            ),
            (Ok(()), Ok(()), Ok(()))
        );
        assert_eq!(uploads.len(), 2);
        assert_eq!((uploads.on_sent(10), uploads.sent_of_first()), (0, 10));
        assert!(!uploads.cancel(block(0)), "it has begun");
        assert_eq!(
            (uploads.on_sent(3 + 100 + 13 + 1), uploads.sent_of_first()),
            (101, 14)
        );
        assert_eq!((uploads.on_sent(99), uploads.is_empty()), (99, true));
    }

    #[test]
    fn dropping_keeps_what_has_begun() {
        let mut uploads = Uploads::default();
        for begin in [0, 100, 200, 300] {
            assert_eq!(uploads.queue(block(begin)), Ok(()));
        }
        uploads.on_sent(1);
        assert_eq!(
            uploads.drop_all(|b| b.begin == 200),
            [block(100), block(300)]
        );
        assert_eq!(
            uploads.waiting().collect::<Vec<_>>(),
            [block(0), block(200)]
        );
        assert!(uploads.cancel(block(200)));
    }

    #[test]
    fn the_queue_is_bounded_and_floods_are_seen() {
        let mut uploads = Uploads::default();
        for begin in 0..limits::QUEUED_UPLOADS as u32 {
            assert_eq!(uploads.queue(block(begin)), Ok(()));
        }
        for _ in 0..limits::EXCESS_UPLOADS {
            assert_eq!(uploads.queue(block(70_000)), Err(Refused::Full));
        }
        assert_eq!(uploads.queue(block(70_000)), Err(Refused::Flood));
    }
}
