//! Which peer is asked for which block of one partial piece: a list in the order of blocks, so that
//! its memory follows what is outstanding and not the length of the piece.

use std::collections::VecDeque;
use std::ops::Range;

use crate::base::PeerKey;

#[derive(Clone, Copy, Debug)]
struct Ask {
    number: u32,
    peer: PeerKey,
    late: bool,
}

/// The outstanding requests of one piece. Blocks are named by their number in the piece.
#[derive(Clone, Debug, Default)]
pub(super) struct Asks(VecDeque<Ask>);

impl Asks {
    /// Whether no request is outstanding.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every request, in the order of blocks.
    pub fn iter(&self) -> impl Iterator<Item = (u32, PeerKey)> + '_ {
        self.0.iter().map(|ask| (ask.number, ask.peer))
    }

    /// Whether any peer is asked for this block.
    pub fn any(&self, number: u32) -> bool {
        !self.span(number).is_empty()
    }

    /// Whether this peer is asked for this block.
    pub fn has(&self, number: u32, peer: PeerKey) -> bool {
        self.0.range(self.span(number)).any(|ask| ask.peer == peer)
    }

    /// How many peers are asked for this block and not late with it.
    pub fn timely(&self, number: u32) -> usize {
        let asks = self.0.range(self.span(number));
        asks.filter(|ask| !ask.late).count()
    }

    /// Whether this peer is asked for anything.
    pub fn involves(&self, peer: PeerKey) -> bool {
        self.0.iter().any(|ask| ask.peer == peer)
    }

    /// This peer is asked for this block, for which it was not.
    pub fn add(&mut self, number: u32, peer: PeerKey) {
        let ask = Ask {
            number,
            peer,
            late: false,
        };
        self.0.insert(self.span(number).end, ask);
    }

    /// This peer is late with this block; true if it was asked and not late before.
    pub fn delay(&mut self, number: u32, peer: PeerKey) -> bool {
        let span = self.span(number);
        let ask = self.0.range_mut(span).find(|ask| ask.peer == peer);
        ask.is_some_and(|ask| !std::mem::replace(&mut ask.late, true))
    }

    /// Every request is late.
    pub fn delay_all(&mut self) {
        self.0.iter_mut().for_each(|ask| ask.late = true);
    }

    /// This peer is not asked for this block any more; true if it was.
    pub fn remove(&mut self, number: u32, peer: PeerKey) -> bool {
        let mut span = self.span(number);
        match span.find(|&place| self.0[place].peer == peer) {
            Some(place) => self.0.remove(place).is_some(),
            None => false,
        }
    }

    /// This block is asked of no peer any more; `peers` gets those that were asked.
    pub fn clear(&mut self, number: u32, peers: &mut Vec<PeerKey>) {
        let span = self.span(number);
        peers.extend(self.0.drain(span).map(|ask| ask.peer));
    }

    fn span(&self, number: u32) -> Range<usize> {
        let start = self.0.partition_point(|ask| ask.number < number);
        let rest = self.0.range(start..);
        start..start + rest.take_while(|ask| ask.number == number).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_kept_by_block_and_peer() {
        let mut asks = Asks::default();
        for (number, peer) in [(5, 1), (2, 1), (5, 3), (9, 2)] {
            asks.add(number, peer);
        }
        assert_eq!(
            asks.iter().collect::<Vec<_>>(),
            [(2, 1), (5, 1), (5, 3), (9, 2)]
        );
        assert!(asks.has(5, 3) && !asks.has(5, 2) && !asks.any(4) && asks.any(9));
        assert!(asks.delay(5, 1) && !asks.delay(5, 1) && !asks.delay(2, 3));
        assert_eq!((asks.timely(5), asks.timely(2), asks.timely(4)), (1, 1, 0));
        assert!(asks.remove(2, 1) && !asks.remove(2, 1) && asks.involves(1));
        let mut peers = Vec::new();
        asks.clear(5, &mut peers);
        asks.clear(4, &mut peers);
        assert_eq!(peers, [1, 3]);
        asks.delay_all();
        assert_eq!(asks.timely(9), 0);
        assert!(!asks.involves(1) && asks.remove(9, 2) && asks.is_empty());
    }
}
