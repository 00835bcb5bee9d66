//! What a connection sends next: its call, packets again that were lost, new ones as far as the
//! window and the other end allow, its end, and acknowledgements. As many packets of one size as
//! the system takes at a time are put one behind the other.

use std::net::SocketAddr;

use super::connection::{Connection, State};
use super::sending::Piece;
use crate::base::{Time, limits};
use crate::wire::utp_packet::{Extensions, HEAD, Kind, LEAD, Packet};

/// Datagrams one behind the other, to be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Datagrams {
    /// Where to.
    pub to: SocketAddr,
    /// Bytes of each; the last one may be shorter.
    pub each: usize,
    /// Whether they may be cut on the way.
    pub fragments: Fragments,
}

/// Bytes of the extension that says why a connection ends.
const REASON: usize = LEAD + 6;
/// Bytes by which a packet is made longer at least.
const PADDING_LEAST: usize = LEAD + 2;

/// Whether a datagram may be cut in several packets on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fragments {
    /// As the system does it.
    Usual,
    /// Not at all: it finds out what the path takes, see [`Utp::on_too_large`](super::Utp).
    Never,
    /// By all means: it is longer than what the path is known to take by now.
    Allowed,
}

/// What is sent next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Next {
    Call,
    Again,
    New(usize),
    /// So many bytes of content in a datagram of so many.
    Padded(usize, usize),
    End,
    Ack,
}

impl Connection {
    /// Whether anything is to be sent now.
    pub fn wants_to_send(&self, now: Time) -> bool {
        self.next(now).is_some()
    }

    /// Appends the datagrams that are to be sent now, as many as go together. `room`: bytes that
    /// the other end may be told to send.
    pub fn transmit(&mut self, room: usize, now: Time, out: &mut Vec<u8>) -> Option<Datagrams> {
        let start = out.len();
        let mut each = 0;
        let mut fragments = Fragments::Usual;
        for _ in 0..limits::UTP_BATCH {
            let Some(next) = self.next(now) else { break };
            let alone = matches!(next, Next::Padded(..));
            let expected = self.length(next);
            let full = out.len() - start + expected > limits::UTP_BATCH_BYTES;
            if each > 0 && (alone || full || expected > each) {
                break;
            }
            // It was cut when the path took more.
            let cut = expected > self.mtu.known();
            let before = out.len();
            self.put(next, room, now, out);
            let len = out.len() - before;
            if each == 0 {
                each = len;
            }
            if alone {
                fragments = Fragments::Never;
            } else if cut {
                fragments = Fragments::Allowed;
            }
            if alone || len < each {
                break;
            }
        }
        self.limited = self.is_limited();
        (each > 0).then_some(Datagrams {
            to: self.to,
            each,
            fragments,
        })
    }

    /// Whether more would be under way if the window were larger.
    fn is_limited(&self) -> bool {
        let largest = self.mtu.known() - HEAD;
        let waits = self
            .sender
            .next_lost()
            .unwrap_or(self.sender.unsent().min(largest));
        waits > 0 && self.sender.in_network() + waits > self.congestion.window()
    }

    fn next(&self, now: Time) -> Option<Next> {
        if let State::Calling(times, at) = self.state {
            return (at <= now && times < limits::UTP_SYNS).then_some(Next::Call);
        }
        let content = self.next_content(now);
        if content.is_some() {
            return content;
        }
        if self.sender.wants_to_end() && self.sender.has_numbers() {
            return Some(Next::End);
        }
        let ack = self.acks.urgent || self.acks.pending > 1;
        ack.then_some(Next::Ack)
    }

    /// A packet with content, if there may be one now.
    fn next_content(&self, now: Time) -> Option<Next> {
        let flying = self.sender.in_network();
        let window = self.congestion.window();
        if let Some(len) = self.sender.next_lost() {
            // The first one after a loss is sent at once, as TCP does (RFC 6675).
            let may = flying == 0 || flying + len <= window || self.sender.hurries();
            return may.then_some(Next::Again);
        }
        let unsent = self.sender.unsent_together();
        let largest = self.mtu.known() - HEAD;
        let len = unsent.min(largest);
        if len == 0 || !self.sender.has_numbers() {
            return None;
        }
        if self.forced {
            return Some(Next::New(len));
        }
        if flying + len > window && flying > 0 {
            return None;
        }
        let flying = self.sender.flying();
        if flying + len > self.window {
            // What it takes may be less than a packet; then it is sent that much once all else has
            // come.
            let some = if flying == 0 { self.window.min(len) } else { 0 };
            return (some > 0).then_some(Next::New(some));
        }
        if unsent > largest && flying + largest <= window {
            if let Some(size) = self.mtu.next(now) {
                let len = largest.min(size - HEAD - PADDING_LEAST);
                return Some(Next::Padded(len, size));
            }
        }
        Some(Next::New(len))
    }

    /// Bytes of the datagram at most.
    fn length(&self, next: Next) -> usize {
        match next {
            Next::Call => HEAD,
            Next::End => HEAD + REASON,
            Next::Ack => HEAD + 2 + self.receiver.sack_len(),
            Next::Again => HEAD + self.sender.next_lost().unwrap_or(0),
            Next::New(len) => HEAD + len,
            Next::Padded(_, size) => size,
        }
    }

    fn put(&mut self, next: Next, room: usize, now: Time, out: &mut Vec<u8>) {
        let piece = match next {
            Next::Call => return self.put_call(now, out),
            Next::Ack => return self.put_ack(room, now, out),
            Next::Again => self.sender.resend(now),
            Next::New(len) => Some(self.cut(len, false, now)),
            Next::Padded(len, size) => {
                self.mtu.on_tried(size);
                Some(self.cut(len, true, now))
            }
            Next::End => Some(self.cut(0, false, now)),
        };
        let Some(piece) = piece else { return };
        let padding = match next {
            Next::Padded(len, size) => size - HEAD - len - LEAD,
            _ => 0,
        };
        self.put_piece(piece, padding, room, now, out);
    }

    fn cut(&mut self, len: usize, padded: bool, now: Time) -> Piece {
        if !self.sender.is_waiting() {
            self.since = now;
        }
        self.forced = false;
        self.sender.cut(len, padded, now)
    }

    fn put_call(&mut self, now: Time, out: &mut Vec<u8>) {
        if let State::Calling(times, _) = self.state {
            let wait = limits::UTP_RESEND_FIRST * (1 << times.min(4));
            self.state = State::Calling(times + 1, now + wait);
            self.since = now;
        }
        let call = Packet {
            kind: Kind::Syn,
            connection: self.receive_id,
            timestamp: now.as_micros() as u32,
            difference: 0,
            window: limits::UTP_WINDOW_LEAST as u32,
            seq: self.sender.next_number().wrapping_sub(1),
            ack: 0,
        };
        call.encode(out);
        self.said = now;
    }

    fn put_ack(&mut self, room: usize, now: Time, out: &mut Vec<u8>) {
        let mut sack = Vec::new();
        self.receiver.sack(&mut sack);
        let extensions = Extensions {
            sack: &sack,
            ..Extensions::default()
        };
        let number = self.sender.next_number();
        self.head(Kind::State, number, room, now)
            .encode_with(extensions, out);
        self.on_acknowledged(room);
    }

    fn put_piece(
        &mut self,
        piece: Piece,
        padding: usize,
        room: usize,
        now: Time,
        out: &mut Vec<u8>,
    ) {
        let kind = if piece.is_last { Kind::Fin } else { Kind::Data };
        let reason = self.reason.filter(|_| piece.is_last);
        let extensions = Extensions {
            sack: &[],
            reason: reason.map(|reason| reason as u32),
            padding,
        };
        self.head(kind, piece.number, room, now)
            .encode_with(extensions, out);
        self.sender.copy(piece, out);
        // Which packets are missing is said in a packet without content.
        if !self.receiver.has_gap() {
            self.on_acknowledged(room);
        }
    }

    fn on_acknowledged(&mut self, room: usize) {
        self.acks.pending = 0;
        (self.acks.urgent, self.acks.at) = (false, None);
        self.acks.told = room;
    }

    fn head(&mut self, kind: Kind, seq: u16, room: usize, now: Time) -> Packet {
        self.said = now;
        Packet {
            kind,
            connection: self.send_id,
            timestamp: now.as_micros() as u32,
            difference: self.difference,
            window: room as u32,
            seq,
            ack: self.receiver.ack(),
        }
    }
}
