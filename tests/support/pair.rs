//! The two machines of one connection, one after the other, as a session runs them: a `Greeting`
//! until both handshakes are done, then a `Peer`. Only one torrent can be named here.

use std::net::SocketAddr;

use brooklet::base::{Block, PeerId, Time};
use brooklet::peer::{EndReason, Event, Greeting, Input, Local, Peer, Phase, Segment};

/// One connection.
pub struct Pair {
    local: Local,
    machine: Machine,
}

enum Machine {
    Greeting(Greeting),
    Peer(Box<Peer>),
}

/// What happened on a connection.
pub enum Heard<'a> {
    /// The peer's handshake came and is right.
    Greeted(PeerId),
    /// Anything after that.
    Event(Event<'a>),
}

impl Pair {
    /// A connection that we begin.
    pub fn dial(local: Local, addr: SocketAddr, now: Time) -> Pair {
        let machine = Machine::Greeting(Greeting::dial(&local, addr, now));
        Pair { local, machine }
    }

    /// A connection that a peer began.
    pub fn accept(local: Local, addr: SocketAddr, now: Time) -> Pair {
        let machine = Machine::Greeting(Greeting::accept(addr, now));
        Pair { local, machine }
    }

    /// The peer, once both handshakes are done.
    pub fn opened(&mut self) -> Option<&mut Peer> {
        match &mut self.machine {
            Machine::Greeting(_) => None,
            Machine::Peer(peer) => Some(peer),
        }
    }

    /// The peer, both handshakes being done.
    pub fn peer(&mut self) -> &mut Peer {
        self.opened().expect("both handshakes are done")
    }

    /// The same, for good.
    pub fn into_peer(self) -> Peer {
        match self.machine {
            Machine::Greeting(greeting) => panic!("no handshake came: {greeting:?}"),
            Machine::Peer(peer) => *peer,
        }
    }

    /// Takes what is next off the input.
    pub fn next_event<'a>(
        &mut self,
        input: &mut Input<'a>,
        now: Time,
    ) -> Result<Option<Heard<'a>>, EndReason> {
        let greeting = match &mut self.machine {
            Machine::Peer(peer) => return Ok(peer.next_event(input, now)?.map(Heard::Event)),
            Machine::Greeting(greeting) => greeting,
        };
        let Some(theirs) = greeting.next_handshake(input)? else {
            return Ok(None);
        };
        if !greeting.answer(&theirs, &self.local)? {
            input.take(input.rest().len());
            return Ok(None);
        }
        let peer = Peer::opened(self.local, greeting, now);
        self.machine = Machine::Peer(Box::new(peer));
        Ok(Some(Heard::Greeted(theirs.peer_id)))
    }

    /// How far the connection is.
    pub fn phase(&self) -> &Phase {
        match &self.machine {
            Machine::Greeting(greeting) => greeting.phase(),
            Machine::Peer(peer) => peer.phase(),
        }
    }

    /// Whether it is over.
    pub fn is_closing(&self) -> bool {
        matches!(self.phase(), Phase::Closing(_))
    }

    /// What the last read cut in two.
    pub fn unparsed(&self) -> &[u8] {
        match &self.machine {
            Machine::Greeting(greeting) => greeting.unparsed(),
            Machine::Peer(peer) => peer.unparsed(),
        }
    }

    /// What to send.
    pub fn transmit(&self) -> Vec<Segment<'_>> {
        match &self.machine {
            Machine::Greeting(greeting) => match greeting.transmit() {
                [] => Vec::new(),
                bytes => vec![Segment::Bytes(bytes)],
            },
            Machine::Peer(peer) => peer.transmit().collect(),
        }
    }

    /// So much of that is gone.
    pub fn transmitted(&mut self, bytes: usize, now: Time) {
        match &mut self.machine {
            Machine::Greeting(greeting) => greeting.transmitted(bytes, now),
            Machine::Peer(peer) => drop(peer.transmitted(bytes, now)),
        }
    }

    /// The network connection is up.
    pub fn handle_connected(&mut self, now: Time) {
        if let Machine::Greeting(greeting) = &mut self.machine {
            greeting.handle_connected(now);
        }
    }

    /// When to call [`Pair::handle_timeout`].
    pub fn next_deadline(&self, now: Time) -> Option<Time> {
        match &self.machine {
            Machine::Greeting(greeting) => greeting.next_deadline(),
            Machine::Peer(peer) => peer.next_deadline(now),
        }
    }

    /// Time has passed: the blocks that are late, and those that are lost.
    pub fn handle_timeout(&mut self, now: Time) -> (Result<(), EndReason>, [Vec<Block>; 2]) {
        match &mut self.machine {
            Machine::Greeting(greeting) => (greeting.handle_timeout(now), Default::default()),
            Machine::Peer(peer) => {
                let woken = peer.handle_timeout(now);
                (woken, [peer.take_late(now), peer.take_lost(now)])
            }
        }
    }

    /// Ends it: the blocks that were in flight.
    pub fn close(&mut self, reason: EndReason) -> Vec<Block> {
        match &mut self.machine {
            Machine::Greeting(greeting) => {
                greeting.close(reason);
                Vec::new()
            }
            Machine::Peer(peer) => peer.close(reason),
        }
    }
}
