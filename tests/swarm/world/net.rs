//! The network: connections like TCP's between nodes. Each direction delivers its bytes in order,
//! or ends. A node's uplink sends packets of its connections in turn, a packet takes its time there
//! and on the receiver's downlink, and between them the latency of the way; so each of the
//! connections in progress gets its fair share at both ends. What a reader has not taken keeps a
//! sender from sending more (a window), and what could not be sent keeps a session from writing
//! more (a socket's buffer). In a rough network packets of different connections overtake each
//! other.

use brooklet::base::{Duration, Time};

use super::queue::Event;
use super::stream::Stream;
use super::world::World;

/// Bytes of a packet: a block and its header.
const PACKET: usize = 16 * 1024 + 13;
/// Bytes that may be on their way in one direction and not yet read.
const WINDOW: usize = 6 * PACKET;
/// Bytes that wait in a socket to be sent.
const SOCKET: usize = 2 * PACKET;
/// Milliseconds that a packet may be delayed by in a rough network.
const JITTER: u64 = 30;
/// Seconds until a call that is not answered is repeated, each time.
const CALLS: [u64; 3] = [1, 2, 4];

/// A connection, from 0, who called, to 1.
pub struct Conn {
    /// The nodes at its ends.
    pub nodes: [usize; 2],
    /// What their sessions know it by; none where it is not up, or over.
    pub keys: [Option<usize>; 2],
    /// From end 0, and from end 1.
    pub pipes: [Pipe; 2],
    pub way: Way,
    pub latency: Duration,
}

/// What becomes of what is sent on a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// It arrives.
    Open,
    /// Nothing arrives any more, and nobody is told: an end has vanished, or what is between has
    /// forgotten them.
    Lost,
    /// One end has forgotten the connection and refuses what the other sends; that one knows
    /// nothing before it sends something.
    HalfOpen,
    /// It did, and its packet is on its way back.
    Refused,
}

/// One direction.
#[derive(Default)]
pub struct Pipe {
    /// In the sender's socket.
    waiting: Stream,
    /// On the way.
    flight: Stream,
    /// In the receiver's socket.
    pub inbox: Stream,
    /// When the last of what is on the way comes.
    arrives: Time,
    /// How the receiver will see it end, once the rest is read: in order, or not.
    pub ended: Option<bool>,
    /// The receiver is to look at it.
    pub queued: bool,
    in_turn: bool,
    blocked: bool,
    closing: bool,
    deaf: bool,
}

impl Pipe {
    /// Bytes that the sender's socket takes. With none, the sender is told when there is room.
    pub fn room(&mut self) -> usize {
        let room = SOCKET.saturating_sub(self.waiting.len());
        self.blocked |= room == 0;
        room
    }

    /// The sender's socket, to write to.
    pub fn socket(&mut self) -> &mut Stream {
        &mut self.waiting
    }

    /// Drops all that is on its way.
    pub fn clear(&mut self) {
        self.waiting.clear();
        self.flight.clear();
        self.inbox.clear();
    }

    /// Whether something was sent that has not arrived.
    pub fn is_unsettled(&self) -> bool {
        !self.waiting.is_empty() || !self.flight.is_empty()
    }

    fn may_send(&self) -> bool {
        !self.waiting.is_empty() && self.flight.len() + self.inbox.len() + PACKET <= WINDOW
    }
}

impl World {
    /// A node calls another. The number of the connection.
    pub fn call(&mut self, from: usize, to: usize, key: usize) -> usize {
        let latency = self.nodes[from].link.latency + self.nodes[to].link.latency;
        self.conns.push(Conn {
            nodes: [from, to],
            keys: [Some(key), None],
            pipes: Default::default(),
            way: Way::Open,
            latency,
        });
        let conn = self.conns.len() - 1;
        self.queue.push(self.now + latency, Event::Syn(conn, 0));
        conn
    }

    /// A call has come; what becomes of it.
    pub fn on_syn(&mut self, conn: usize, repeated: usize) {
        let Conn {
            nodes: [from, to],
            latency,
            ..
        } = self.conns[conn];
        let silent = self.nodes[to].link.natted || self.is_apart(conn) || self.nodes[to].gone;
        if self.conns[conn].keys[0].is_none() {
            return;
        }
        if silent {
            if let Some(&wait) = CALLS.get(repeated) {
                let at = self.now + Duration::from_secs(wait);
                self.queue.push(at, Event::Syn(conn, repeated + 1));
            }
            return;
        }
        let answered = self.now + latency;
        if self.nodes[to].is_mute() {
            self.conns[conn].pipes[0].deaf = true;
            self.queue.push(answered, Event::Answered(conn, true));
            return;
        }
        let caller = self.nodes[from].caller_addr(conn);
        let now = self.now;
        let Some(session) = self.nodes[to].session.as_mut() else {
            self.queue.push(answered, Event::Answered(conn, false));
            return;
        };
        self.queue.push(answered, Event::Answered(conn, true));
        match session.handle_accepted(caller, now) {
            Some(key) => {
                self.conns[conn].keys[1] = Some(key);
                self.nodes[to].links.insert(key, (conn, 1));
                self.wake(to, self.now);
            }
            None => {
                self.conns[conn].pipes[0].deaf = true;
                self.close(conn, 1);
            }
        }
    }

    /// A call was answered, or refused.
    pub fn on_answered(&mut self, conn: usize, answer: bool) {
        let Conn { nodes, keys, .. } = self.conns[conn];
        let (now, node) = (self.now, nodes[0]);
        let Some(key) = keys[0] else { return };
        let Some(session) = self.nodes[node].session.as_mut() else {
            return;
        };
        if answer {
            session.handle_connected(key, now);
        } else {
            self.end(conn, 1, false);
        }
        self.wake(node, now);
    }

    /// An end closes: what it has written still goes out, what it has not read is dropped.
    pub fn close(&mut self, conn: usize, end: usize) {
        let side = &mut self.conns[conn];
        side.keys[end] = None;
        side.pipes[1 - end].deaf = true;
        side.pipes[1 - end].inbox.clear();
        side.pipes[end].closing = true;
        if side.pipes[1 - end].closing {
            // Both ends have closed.
            side.pipes.iter_mut().for_each(|pipe| pipe.waiting.clear());
        }
        let side = &self.conns[conn];
        if side.pipes[end].waiting.is_empty() {
            let at = side.pipes[end].arrives.max(self.now + side.latency);
            self.queue.push(at, Event::Fin(conn, end));
        }
        self.offer(conn, 1 - end);
    }

    /// The reader of a direction is to look at it.
    pub fn alert(&mut self, conn: usize, dir: usize) {
        let reader = self.conns[conn].nodes[1 - dir];
        let pipe = &mut self.conns[conn].pipes[dir];
        if !pipe.queued {
            pipe.queued = true;
            self.nodes[reader].unread.push_back((conn, dir));
            self.wake(reader, self.now);
        }
    }

    /// A direction may have something to send: it comes to its turn on the uplink.
    pub fn offer(&mut self, conn: usize, dir: usize) {
        let apart = self.is_apart(conn);
        let side = &mut self.conns[conn];
        let pipe = &mut side.pipes[dir];
        if side.way == Way::HalfOpen && side.keys[dir].is_some() && pipe.is_unsettled() && !apart {
            side.way = Way::Refused;
            let back = self.now + side.latency * 2;
            self.queue.push(back, Event::Refused(conn, dir));
        }
        if pipe.in_turn || !pipe.may_send() || apart || side.way != Way::Open {
            return;
        }
        pipe.in_turn = true;
        let sender = side.nodes[dir];
        self.nodes[sender].turns.push_back((conn, dir));
        self.send(sender);
    }

    /// A node's uplink takes the next packet, if it is free.
    pub fn send(&mut self, node: usize) {
        while !self.nodes[node].sending {
            let Some((conn, dir)) = self.nodes[node].turns.pop_front() else {
                return;
            };
            let apart = self.is_apart(conn);
            let side = &mut self.conns[conn];
            let pipe = &mut side.pipes[dir];
            pipe.in_turn = false;
            if !pipe.may_send() || apart || side.way != Way::Open {
                continue;
            }
            let before = pipe.waiting.len();
            pipe.waiting.shift(PACKET, &mut pipe.flight);
            let left = pipe.waiting.len();
            let free = pipe.blocked && left <= SOCKET / 2;
            pipe.blocked &= !free;
            let (last, latency, key) = (left == 0 && pipe.closing, side.latency, side.keys[dir]);
            let took = span(before - left, self.nodes[node].link.up);
            self.nodes[node].sending = true;
            let sent = self.now + took;
            let jitter = if self.rough {
                Duration::from_millis(self.rng.below(JITTER))
            } else {
                Duration::default()
            };
            pipe.arrives = pipe.arrives.max(sent + latency + jitter);
            let arrives = pipe.arrives;
            self.queue.push(sent, Event::Sent(node));
            self.queue
                .push(arrives, Event::Arrive(conn, dir, before - left));
            if last {
                self.queue.push(arrives, Event::Fin(conn, dir));
            }
            if let (true, Some(key)) = (free, key) {
                self.nodes[node].writable.push(key);
                self.wake(node, self.now);
            }
            self.offer(conn, dir);
        }
    }

    /// A packet comes to the downlink of who reads it.
    pub fn on_arrive(&mut self, conn: usize, dir: usize, bytes: usize) {
        let reader = self.conns[conn].nodes[1 - dir];
        let node = &mut self.nodes[reader];
        node.down_free = node.down_free.max(self.now) + span(bytes, node.link.down);
        self.queue
            .push(node.down_free, Event::Deliver(conn, dir, bytes));
    }

    /// A packet is there.
    pub fn on_deliver(&mut self, conn: usize, dir: usize, bytes: usize) {
        let side = &mut self.conns[conn];
        let pipe = &mut side.pipes[dir];
        // What is written to a connection that is reset, by who has not heard of it yet, comes
        // nowhere.
        if side.way != Way::Open || pipe.ended == Some(false) {
            return;
        }
        pipe.flight.shift(bytes, &mut pipe.inbox);
        if pipe.deaf {
            pipe.inbox.clear();
            self.offer(conn, dir);
        } else {
            self.alert(conn, dir);
        }
    }

    /// The end of a direction comes to the downlink, behind all that came before.
    pub fn on_fin(&mut self, conn: usize, dir: usize) {
        if self.conns[conn].way == Way::Open {
            let reader = self.conns[conn].nodes[1 - dir];
            let at = self.nodes[reader].down_free.max(self.now);
            self.queue.push(at, Event::Ended(conn, dir));
        }
    }

    /// A direction ends for its reader, in order or not.
    pub fn end(&mut self, conn: usize, dir: usize, in_order: bool) {
        let side = &mut self.conns[conn];
        if side.keys[1 - dir].is_some() && side.way != Way::Lost {
            side.pipes[dir].ended = Some(in_order);
            self.alert(conn, dir);
        }
    }

    /// Whether the ends of a connection cannot reach each other.
    pub fn is_apart(&self, conn: usize) -> bool {
        let [a, b] = self.conns[conn].nodes;
        self.parted && self.nodes[a].link.side != self.nodes[b].link.side
    }
}

/// How long so many bytes take at so many a second.
pub fn span(bytes: usize, rate: u64) -> Duration {
    Duration::from_micros(bytes as u64 * 1_000_000 / rate)
}

/// The first moment a turn may be at: those that would follow each other closely are one, as they
/// are in a real loop.
pub fn round_up(at: Time) -> Time {
    const TURN: u64 = 500;
    Time::from_micros(at.as_micros().div_ceil(TURN) * TURN)
}
