//! What our node wants sent, and what it has found, as values.

use std::collections::VecDeque;
use std::net::SocketAddr;

use crate::base::{Duration, InfoHash, NodeId, limits};
use crate::wire::Family;

/// Something for the outside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// Send a datagram from the client's port.
    Datagram {
        /// Where to.
        to: SocketAddr,
        /// Its content.
        bytes: Vec<u8>,
    },
    /// Peers of a torrent that is wanted.
    Peers {
        /// The torrent.
        info_hash: InfoHash,
        /// The node that named them, or the peer itself, which has just announced itself to us;
        /// `None`: they did so earlier.
        from: Option<SocketAddr>,
        /// The peers.
        peers: Vec<SocketAddr>,
    },
    /// A lookup for a torrent is over; its announces, if any, are in line.
    Looked(Summary),
    /// A step for the log (`-vv`).
    Report(Report),
}

/// What came of a lookup for a torrent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Summary {
    /// The torrent.
    pub info_hash: InfoHash,
    /// Whose DHT.
    pub family: Family,
    /// Nodes that were asked.
    pub queries: usize,
    /// Those that answered.
    pub answers: usize,
    /// Peers that they named, the same ones several times.
    pub peers: usize,
    /// Nodes that it is to be announced to.
    pub announced: usize,
}

/// One step of a lookup.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// What is looked for: the info hash of a torrent, or another id.
    pub target: NodeId,
    /// The node.
    pub node: SocketAddr,
    /// How far it is from the target, in bits; `None`: its id is not known.
    pub bits: Option<usize>,
    /// What happened.
    pub event: Event,
}

/// What happened between us and a node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// It was asked.
    Asked,
    /// It answered.
    Answered {
        /// The time that it took.
        round_trip: Duration,
        /// How many nodes it named.
        nodes: usize,
        /// How many peers it named.
        peers: usize,
        /// The client, if it says.
        client: Option<String>,
    },
    /// It is slow; another is asked in its place.
    Slow,
    /// It did not answer.
    Silent,
    /// It refused.
    Refused {
        /// Its words.
        words: String,
    },
    /// The torrent was announced to it.
    Announced,
}

/// Outputs on their way.
#[derive(Debug, Default)]
pub struct Outputs {
    queue: VecDeque<Output>,
    reports: usize,
    /// Steps are reported.
    pub watched: bool,
}

impl Outputs {
    /// For the outside.
    pub fn push(&mut self, output: Output) {
        self.queue.push_back(output);
    }

    /// Reports a step, if steps are reported.
    pub fn report(&mut self, report: impl FnOnce() -> Report) {
        if self.watched && self.reports < limits::DHT_REPORTS {
            self.reports += 1;
            self.queue.push_back(Output::Report(report()));
        }
    }

    /// The oldest.
    pub fn pop(&mut self) -> Option<Output> {
        let first = self.queue.pop_front();
        if matches!(first, Some(Output::Report(_))) {
            self.reports -= 1;
        }
        if self.queue.is_empty() {
            self.queue = VecDeque::new();
        }
        first
    }
}
