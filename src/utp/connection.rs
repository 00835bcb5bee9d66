//! One connection: what comes in, what time brings, and its end. What it sends is decided in
//! `departing`.

use std::net::SocketAddr;

use super::congestion::Congestion;
use super::mtu::Mtu;
use super::receiving::{Came, Receiver};
use super::resend::RoundTrips;
use super::sending::{Acked, Sender};
use crate::base::{Time, limits, sooner};
use crate::wire::utp_packet::{Body, Kind, Packet};

/// Why a connection is over, other than by its end having come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gone {
    /// Nobody answered our call.
    NoAnswer,
    /// The other end refused our call.
    Refused,
    /// The other end has forgotten the connection.
    Reset,
    /// Nothing was acknowledged any more.
    Silent,
}

/// Why we end a connection, in libtorrent's numbers, which its users see.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// No reason of these.
    None = 0,
    /// The same peer is connected already.
    Duplicate = 1,
    /// The torrent is left, or the program ends.
    Leaving = 2,
    /// The peer is banned.
    Blocked = 5,
    /// Neither end has anything that the other needs.
    NoUse = 6,
    /// Nothing came for too long.
    Silent = 8,
    /// The handshake took too long.
    Handshake = 11,
    /// There are too many connections.
    Full = 15,
    /// The torrent is none of ours.
    OtherTorrent = 257,
    /// It is a connection to ourselves.
    Ourselves = 258,
}

/// How far a connection is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// Our call is not answered; so often it was sent, and then it is sent again.
    Calling(u32, Time),
    /// Both ends know of it.
    Open,
    /// We have closed it, and it is forgotten by then.
    Closing(Time),
}

/// What is to be acknowledged.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Acks {
    /// Packets that came since the last acknowledgement.
    pub pending: u32,
    /// It is to be said at once.
    pub urgent: bool,
    /// When it is to be said at the latest.
    pub at: Option<Time>,
    /// The room that was told last.
    pub told: usize,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub to: SocketAddr,
    /// The number by which the other end names it; ours is next to it.
    pub receive_id: u16,
    pub send_id: u16,
    /// Who reads and writes it.
    pub owner: Option<usize>,
    pub state: State,
    pub sender: Sender,
    pub receiver: Receiver,
    pub congestion: Congestion,
    pub trips: RoundTrips,
    pub mtu: Mtu,
    /// Bytes that the other end takes.
    pub window: usize,
    /// How long its last packet was under way by both clocks.
    pub difference: u32,
    pub acks: Acks,
    /// When something was sent last.
    pub said: Time,
    /// Since when an acknowledgement is awaited.
    pub since: Time,
    /// The window is used up.
    pub limited: bool,
    /// A packet is sent whatever the other end takes.
    pub forced: bool,
    /// Why we end it.
    pub reason: Option<Reason>,
    pub notes: Notes,
}

/// What is kept for the table of connections.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Notes {
    /// It is on the list of those that may have something to send.
    pub due: bool,
    /// The owner was told that there is something to read.
    pub readable: bool,
    /// The owner waits for room.
    pub blocked: bool,
    /// When a reminder to look at it comes up.
    pub armed: Option<Time>,
    /// Bytes that are counted for it.
    pub counted: usize,
    /// The number of the call by which the other end began it.
    pub call: Option<u16>,
    /// The other end has acknowledged a packet of ours: it is where it says.
    pub proven: bool,
    /// Why it is over.
    pub gone: Option<Gone>,
}

impl Connection {
    /// We call: this is the number of the call.
    pub fn call(
        to: SocketAddr,
        receive_id: u16,
        number: u16,
        owner: usize,
        now: Time,
    ) -> Connection {
        let mut connection = Connection::new(to, (receive_id, receive_id.wrapping_add(1)), now);
        connection.sender = Sender::new(number.wrapping_add(1));
        connection.state = State::Calling(0, now);
        connection.owner = Some(owner);
        connection
    }

    /// A peer called from there, under this number of its connection; `theirs` is the number of its
    /// call, `ours` that of our answer.
    pub fn accept(from: SocketAddr, id: u16, theirs: u16, ours: u16, now: Time) -> Connection {
        let mut connection = Connection::new(from, (id.wrapping_add(1), id), now);
        connection.sender = Sender::new(ours);
        connection.receiver = Receiver::new(theirs);
        connection.notes.call = Some(theirs);
        connection
    }

    fn new(to: SocketAddr, (receive_id, send_id): (u16, u16), now: Time) -> Connection {
        let mtu = Mtu::to(to.ip());
        Connection {
            to,
            receive_id,
            send_id,
            owner: None,
            state: State::Open,
            sender: Sender::new(0),
            receiver: Receiver::new(0),
            congestion: Congestion::new(mtu.known()),
            trips: RoundTrips::default(),
            mtu,
            window: 0,
            difference: 0,
            acks: Acks::default(),
            said: now,
            since: now,
            limited: false,
            forced: false,
            reason: None,
            notes: Notes::default(),
        }
    }

    /// Takes a packet. `most`: bytes of memory that the connection may take for what comes.
    pub fn receive(&mut self, packet: &Packet, body: Body<'_>, most: usize, now: Time) {
        let calling = matches!(self.state, State::Calling(..));
        match packet.kind {
            Kind::Syn => return,
            Kind::Reset => {
                let refused = if calling { Gone::Refused } else { Gone::Reset };
                self.notes.gone = Some(refused);
                return;
            }
            Kind::State if calling => {
                if packet.ack != self.sender.next_number().wrapping_sub(1) {
                    return;
                }
                // The number of this answer is used for the first packet with content, too.
                self.receiver = Receiver::new(packet.seq.wrapping_sub(1));
                if let State::Calling(1, _) = self.state {
                    self.trips.add(now.since(self.since));
                }
                self.state = State::Open;
                self.trips.on_heard();
            }
            Kind::Data | Kind::Fin if calling => return,
            Kind::Data | Kind::Fin | Kind::State => {}
        }
        // More room is news of its own; less of it means that something came.
        let more_room = packet.window as usize > self.window;
        let bare = packet.kind == Kind::State && !more_room;
        let Some(acked) = self.sender.on_ack(packet.ack, body.sack, bare, now) else {
            return;
        };
        self.window = packet.window as usize;
        self.difference = (now.as_micros() as u32).wrapping_sub(packet.timestamp);
        self.congestion.on_their_delay(self.difference, now);
        if packet.difference != 0 {
            self.congestion.on_delay(packet.difference, now);
        }
        self.on_acked(acked, now);
        if matches!(packet.kind, Kind::Data | Kind::Fin) {
            let is_last = packet.kind == Kind::Fin;
            let came = self.receiver.take(packet.seq, body.content, is_last, most);
            self.acks.pending += 1;
            self.acks.urgent |= came != Came::Next || is_last;
            let at = now + limits::UTP_ACK_DELAY;
            self.acks.at = Some(self.acks.at.map_or(at, |before| before.min(at)));
        }
    }

    fn on_acked(&mut self, acked: Acked, now: Time) {
        let packet = self.mtu.known();
        match acked.padded {
            Some(true) => self.mtu.on_arrived(now),
            Some(false) => self.mtu.on_lost(false, now),
            None => {}
        }
        if let Some(trip) = acked.trip {
            self.trips.add(trip);
        }
        if acked.any {
            self.notes.proven = true;
            self.trips.on_heard();
            self.since = now;
            let trip = self.trips.mean();
            self.congestion
                .on_acked(acked.bytes, self.limited, trip, packet, now);
        } else if self.window == 0 {
            // It lives, and takes nothing for now.
            self.trips.on_heard();
        }
        if acked.lost {
            self.congestion.on_lost(self.trips.mean(), packet, now);
        }
    }

    /// When [`Connection::handle_timeout`] is due.
    pub fn deadline(&self) -> Option<Time> {
        let keep = Some(self.said + limits::UTP_KEEP_ALIVE);
        match self.state {
            State::Calling(_, at) => Some(at),
            State::Open => sooner(sooner(self.resend_at(), self.acks.at), keep),
            State::Closing(at) => sooner(sooner(self.resend_at(), self.acks.at), Some(at)),
        }
    }

    /// When what is under way counts as lost, or, where the other end takes nothing, it is asked
    /// again.
    fn resend_at(&self) -> Option<Time> {
        let waits = self.sender.is_waiting() || (self.sender.unsent() > 0 && self.window == 0);
        waits.then(|| self.since + self.trips.patience())
    }

    /// Deadlines that have passed.
    pub fn handle_timeout(&mut self, now: Time) {
        match self.state {
            State::Calling(times, at) if at <= now && times >= limits::UTP_SYNS => {
                self.notes.gone = Some(Gone::NoAnswer);
                return;
            }
            State::Closing(at) if at <= now => {
                self.notes.gone = Some(Gone::Silent);
                return;
            }
            _ => {}
        }
        if self.acks.at.is_some_and(|at| at <= now) {
            self.acks.urgent = true;
        }
        if self.resend_at().is_some_and(|at| at <= now) {
            self.on_silence(now);
        }
        if now.since(self.said) >= limits::UTP_KEEP_ALIVE && self.state == State::Open {
            self.acks.urgent = true;
        }
    }

    fn on_silence(&mut self, now: Time) {
        self.since = now;
        if !self.sender.is_waiting() {
            self.forced = true;
            self.trips.on_silence();
            return;
        }
        let packet = self.mtu.known();
        if self.sender.lose_all() {
            self.mtu.on_lost(false, now);
            return;
        }
        let silences = self.trips.on_silence();
        self.congestion.on_silence(packet, now);
        if silences == 2 {
            self.mtu.on_silence();
        }
        if silences > limits::UTP_SILENCES {
            self.notes.gone = Some(Gone::Silent);
        }
    }

    /// A packet that tries a size is too large for an interface on the way: nothing was sent.
    pub fn on_too_large(&mut self, now: Time) {
        self.sender.lose_padded();
        self.mtu.on_lost(true, now);
    }

    /// Nobody reads or writes it any more: what was written is sent, and then that this is the end.
    pub fn close(&mut self, reason: Reason, now: Time) {
        self.owner = None;
        if matches!(self.state, State::Calling(..)) {
            self.notes.gone = Some(Gone::NoAnswer);
            return;
        }
        self.reason = Some(reason);
        self.sender.close();
        self.receiver.close();
        self.state = State::Closing(now + limits::UTP_LINGER);
    }

    /// Whether both ends are done with it.
    pub fn is_over(&self) -> bool {
        let closed = matches!(self.state, State::Closing(_));
        self.notes.gone.is_some() || (closed && self.sender.is_over() && !self.acks.urgent)
    }

    /// Bytes that may be written now. `most`: bytes of memory that it may take for what is sent.
    pub fn room(&self, most: usize) -> usize {
        if self.state != State::Open || self.sender.unsent() > limits::UTP_AHEAD / 4 {
            return 0;
        }
        let most = most.min(self.sender.bytes() + limits::UTP_AHEAD);
        most.saturating_sub(self.sender.bytes())
    }

    /// Bytes of memory that it takes.
    pub fn bytes(&self) -> usize {
        self.sender.bytes() + self.receiver.bytes()
    }
}
