//! What must be true of every node at all times, whatever others do to it.

use brooklet::base::{Block, Duration, Time};
use brooklet::session::Session;

use super::disk::Source;
use super::node::{Node, Share};

/// Nodes in a world in which each turn of each is looked at closely, unless every world is to be.
const FEW: usize = 12;
/// In a larger one, one turn in so many is; and in one with more nodes than that.
const SOMETIMES: u32 = 4;
const MANY: (usize, u32) = (50, 256);
/// What is on disk is looked at once in so many turns.
const SELDOM: u32 = 64;
/// Turns in a row, close to each other, in which nothing happens though the session wanted them;
/// and more for each connection: one in which it has become readable and is not read, since the
/// disk is behind, and one for its reminder, which may have moved away.
const IDLE_TURNS: (usize, usize) = (10, 2);
/// Turns are close to each other if not so far apart.
const CLOSE: Duration = Duration::from_millis(100);

/// What is remembered of a node to see that.
#[derive(Default)]
pub struct Watch {
    turns: u32,
    idle: usize,
    last: Time,
}

impl Watch {
    /// Plans are made and performed, in a world of so many nodes. `strict`: it is not to be passed
    /// over.
    pub fn look(&mut self, session: &Session, nodes: usize, strict: bool) {
        self.turns += 1;
        let every = match nodes {
            _ if strict => 1,
            0..=FEW => 1,
            many if many > MANY.0 => MANY.1,
            _ => SOMETIMES,
        };
        if self.turns % every == 0 || session.is_over() {
            session.assert_invariants();
        }
    }
}

impl Share {
    /// A piece is right, says the session.
    pub fn hold(&mut self, piece: u32) {
        assert!(
            self.disk.is_right(piece),
            "piece {piece} is verified and wrong"
        );
        assert!(self.verified.set(piece), "piece {piece} is verified twice");
    }

    /// A block is about to be written: nothing wrong may go over what is verified.
    pub fn on_write(&mut self, block: Block, data: &[u8], source: &Source) {
        let harmless = !self.verified.get(block.piece) || data == source.read(block);
        assert!(harmless, "{block:?} spoils a piece that is verified");
    }
}

impl Node {
    /// Asserts that the content of each piece that is verified is on disk, now and then.
    pub fn look_at_disk(&self) {
        if self.watch.turns % SELDOM == 0 && !self.manners.claims_all() {
            assert!(self.shares.iter().all(Share::is_safe), "lost content");
        }
    }

    /// A turn is over; `busy`: something happened in it.
    pub fn watch(&mut self, session: &mut Session, busy: bool, now: Time) {
        let watch = &mut self.watch;
        let close = now.since(watch.last) < CLOSE;
        watch.idle = if busy || !close { 0 } else { watch.idle + 1 };
        watch.last = now;
        let (few, each) = IDLE_TURNS;
        assert!(
            watch.idle < few + each * self.links.len(),
            "node {} turns in vain at {now:?}, pending: {}, next: {:?}",
            self.number,
            session.is_pending(),
            session.next_deadline()
        );
        assert_eq!(session.connections(), self.links.len(), "a slot leaks");
    }
}
