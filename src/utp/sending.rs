//! What we send: bytes wait in a ring until they are acknowledged, and are cut into packets when
//! they are sent. They are kept once, whatever becomes of their packets.

use std::collections::VecDeque;

use super::number::distance;
use crate::base::{Duration, Time, limits};

/// The sending half of a connection.
#[derive(Debug)]
pub(super) struct Sender {
    /// Bytes that are not acknowledged, those included that were not sent.
    ring: VecDeque<u8>,
    /// Where they begin in the stream.
    base: u64,
    /// Where the part begins that was not cut into packets.
    cut: u64,
    /// A packet ends here.
    edge: u64,
    /// Packets that are not acknowledged, or come after one that is not.
    packets: VecDeque<Sent>,
    /// The number of the first of them, or of the next one.
    first: u16,
    /// Bytes under way.
    flying: usize,
    /// Packets that are to be sent again.
    lost: usize,
    /// Packets of which it was heard that they got there.
    named: u64,
    /// How often anything was sent.
    turn: u64,
    /// The last turns that got there, the latest first.
    arrived: [u64; limits::UTP_REORDERED],
    /// By how many turns packets were overtaken that got there all the same.
    overtaken: u64,
    /// The shortest time until a packet was acknowledged that was sent once.
    quickest: Duration,
    /// Packets that got there since any was overtaken.
    orderly: u32,
    /// Acknowledgements that said nothing new.
    repeats: usize,
    /// Packets that got there and were not named: each acknowledgement is for one that came, and an
    /// extension of usual length names but 32 of them.
    unnamed: usize,
    /// A packet was lost, and none sent again since.
    hurry: bool,
    end: End,
}

/// A packet that was sent.
#[derive(Clone, Copy, Debug)]
struct Sent {
    at: u64,
    len: u16,
    state: State,
    /// It was sent once.
    once: bool,
    /// It was made longer, to find out what the path takes.
    padded: bool,
    is_last: bool,
    /// An acknowledgement named later ones and not this one.
    passed: bool,
    turn: u64,
    /// That of the first time.
    begun: u64,
    sent: Time,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Flying,
    /// To be sent again.
    Lost,
    /// It got there.
    Arrived,
}

/// Whether anything follows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    Open,
    /// The last packet is to be sent.
    Wanted,
    Sent,
}

/// What an acknowledgement says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Acked {
    /// Something got there that was not known to have.
    pub any: bool,
    /// Bytes of that.
    pub bytes: usize,
    /// A round trip.
    pub trip: Option<Duration>,
    /// A packet was lost.
    pub lost: bool,
    /// The same of one that was made longer: it got there, or was lost.
    pub padded: Option<bool>,
}

/// A packet that is to be sent now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Piece {
    /// Its number.
    pub number: u16,
    /// Bytes of content.
    pub len: usize,
    /// It is the last one.
    pub is_last: bool,
    at: u64,
}

impl Sender {
    /// The next packet has this number.
    pub(super) fn new(number: u16) -> Sender {
        Sender {
            ring: VecDeque::new(),
            base: 0,
            cut: 0,
            edge: 0,
            packets: VecDeque::new(),
            first: number,
            flying: 0,
            lost: 0,
            named: 0,
            turn: 0,
            arrived: [0; limits::UTP_REORDERED],
            overtaken: 0,
            quickest: Duration::MAX,
            orderly: 0,
            repeats: 0,
            unnamed: 0,
            hurry: false,
            end: End::Open,
        }
    }

    /// The number of the next new packet.
    pub(super) fn next_number(&self) -> u16 {
        self.first.wrapping_add(self.packets.len() as u16)
    }

    /// Bytes of memory that it takes.
    pub(super) fn bytes(&self) -> usize {
        self.ring.len()
    }

    /// Bytes under way.
    pub(super) fn flying(&self) -> usize {
        self.flying
    }

    /// Bytes under way that did not get there, as far as is known: less than [`Sender::flying`] by
    /// those that got there and were not named.
    pub(super) fn in_network(&self) -> usize {
        let waiting = self.packets.len().max(1);
        let bytes = (self.cut - self.base) as usize;
        self.flying.saturating_sub(self.unnamed * bytes / waiting)
    }

    /// Whether the next lost packet is sent again whatever the window is.
    pub(super) fn hurries(&self) -> bool {
        self.hurry
    }

    /// Bytes that were not sent.
    pub(super) fn unsent(&self) -> usize {
        self.ring.len() - (self.cut - self.base) as usize
    }

    /// Bytes that were not sent and may go into one packet.
    pub(super) fn unsent_together(&self) -> usize {
        let edge = self.edge.checked_sub(self.cut).filter(|&before| before > 0);
        edge.map_or(self.unsent(), |before| before as usize)
    }

    /// A packet ends behind what was written.
    pub(super) fn end_packet(&mut self) {
        self.edge = self.base + self.ring.len() as u64;
    }

    /// Whether anything waits for an acknowledgement.
    pub(super) fn is_waiting(&self) -> bool {
        !self.packets.is_empty()
    }

    /// Whether the last packet was acknowledged.
    pub(super) fn is_over(&self) -> bool {
        self.end == End::Sent && self.packets.is_empty()
    }

    /// Adds bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) {
        self.ring.extend(bytes);
    }

    /// Nothing follows what was written.
    pub(super) fn close(&mut self) {
        if self.end == End::Open {
            self.end = End::Wanted;
        }
    }

    /// Bytes of the first packet that is to be sent again.
    pub(super) fn next_lost(&self) -> Option<usize> {
        if self.lost == 0 {
            return None;
        }
        let lost = self.packets.iter().find(|it| it.state == State::Lost)?;
        Some(usize::from(lost.len))
    }

    /// Sends that packet again.
    pub(super) fn resend(&mut self, now: Time) -> Option<Piece> {
        let place = self.packets.iter().position(|it| it.state == State::Lost)?;
        self.turn += 1;
        self.hurry = false;
        let sent = &mut self.packets[place];
        sent.passed = false;
        (sent.state, sent.once, sent.padded) = (State::Flying, false, false);
        (sent.turn, sent.sent) = (self.turn, now);
        self.lost -= 1;
        self.flying += usize::from(sent.len);
        Some(Piece {
            number: self.first.wrapping_add(place as u16),
            len: usize::from(sent.len),
            is_last: sent.is_last,
            at: sent.at,
        })
    }

    /// Whether the last packet is to be sent, and everything before it was.
    pub(super) fn wants_to_end(&self) -> bool {
        self.end == End::Wanted && self.unsent() == 0
    }

    /// Whether one more packet may be under way.
    pub(super) fn has_numbers(&self) -> bool {
        self.packets.len() < limits::UTP_UNDER_WAY
    }

    /// Cuts a packet of so many bytes, which is sent now; none: the last one.
    pub(super) fn cut(&mut self, len: usize, padded: bool, now: Time) -> Piece {
        let piece = Piece {
            number: self.next_number(),
            len,
            is_last: len == 0,
            at: self.cut,
        };
        self.turn += 1;
        self.packets.push_back(Sent {
            at: self.cut,
            len: len as u16,
            state: State::Flying,
            once: true,
            padded,
            is_last: piece.is_last,
            passed: false,
            turn: self.turn,
            begun: self.turn,
            sent: now,
        });
        self.cut += len as u64;
        self.flying += len;
        if piece.is_last {
            self.end = End::Sent;
        }
        piece
    }

    /// Appends the content of a packet.
    pub(super) fn copy(&self, piece: Piece, out: &mut Vec<u8>) {
        let begin = (piece.at - self.base) as usize;
        let end = begin + piece.len;
        let (front, back) = self.ring.as_slices();
        let middle = front.len();
        out.extend_from_slice(&front[begin.min(middle)..end.min(middle)]);
        out.extend_from_slice(&back[begin.max(middle) - middle..end.max(middle) - middle]);
    }

    /// Takes an acknowledgement. `bare`: it came with nothing else that is new. `None`: it
    /// acknowledges what was never sent.
    pub(super) fn on_ack(&mut self, ack: u16, sack: &[u8], bare: bool, now: Time) -> Option<Acked> {
        let through = distance(self.first, ack) + 1;
        if through > self.packets.len() as i32 {
            return None;
        }
        let mut acked = Acked::default();
        if through < 0 {
            return Some(acked);
        }
        let (mut latest, mut again) = (0, 0);
        let before = self.named;
        for _ in 0..through {
            if let Some(sent) = self.packets.pop_front() {
                if !sent.once {
                    again = sent.turn;
                }
                self.note(sent, &mut acked, &mut latest, now);
                self.first = self.first.wrapping_add(1);
            }
        }
        let base = self.packets.front().map_or(self.cut, |sent| sent.at);
        self.ring.drain(..(base - self.base) as usize);
        self.base = base;
        if self.ring.is_empty() {
            self.ring = VecDeque::new();
        }
        let mut last = 0;
        for (byte, bits) in sack.iter().enumerate().filter(|(_, bits)| **bits != 0) {
            for bit in (0..8).filter(|bit| (bits >> bit) & 1 == 1) {
                // The first bit stands for the second packet: the first one is missing.
                let place = byte * 8 + bit + 1;
                let Some(sent) = self.packets.get(place).copied() else {
                    break;
                };
                last = place;
                if sent.state != State::Arrived {
                    self.note(sent, &mut acked, &mut latest, now);
                    self.packets[place].state = State::Arrived;
                }
            }
        }
        self.find_lost(last, &mut acked);
        if sack.is_empty() && self.packets.front().is_some_and(|it| it.turn < again) {
            // Of those sent before the packet that was sent again this one did not come either,
            // and a receiver that names none says so only now (RFC 6582).
            self.lose(0, &mut acked);
        }
        let news = (self.named - before) as usize;
        self.unnamed = (self.unnamed + usize::from(news == 0 && bare)).saturating_sub(news);
        if self.packets.is_empty() {
            self.unnamed = 0;
        }
        if through > 0 || acked.any {
            self.repeats = 0;
        } else if bare && sack.is_empty() && self.flying > 0 {
            self.repeats += 1;
            if let Some(first) = self.packets.front_mut() {
                first.passed = true;
            }
            if self.repeats == limits::UTP_REORDERED {
                self.lose(0, &mut acked);
            }
        }
        // Where packets come late it may still come.
        self.hurry |= acked.lost && self.overtaken <= limits::UTP_REORDERED as u64;
        Some(acked)
    }

    /// A packet got there.
    fn note(&mut self, sent: Sent, acked: &mut Acked, latest: &mut u64, now: Time) {
        match sent.state {
            State::Arrived => return,
            State::Flying => self.flying -= usize::from(sent.len),
            State::Lost => self.lost -= 1,
        }
        acked.any = true;
        self.named += 1;
        acked.bytes += usize::from(sent.len);
        if sent.padded {
            acked.padded = Some(true);
        }
        if sent.once && sent.turn > *latest {
            *latest = sent.turn;
            acked.trip = Some(now.since(sent.sent));
        }
        if sent.once {
            self.quickest = self.quickest.min(now.since(sent.sent));
        }
        // What comes sooner after it was sent again than any round trip took was late, not lost.
        let late = !sent.once && now.since(sent.sent) < self.quickest;
        let passed = sent.once && (sent.passed || sent.state == State::Lost);
        if (late || passed) && sent.begun < self.arrived[0] {
            let overtaken = self.arrived[0] - sent.begun + 1;
            let most = limits::UTP_REORDERED_MOST;
            self.overtaken = self.overtaken.max(overtaken).min(most);
            self.orderly = 0;
        } else {
            self.orderly += 1;
            if self.orderly == limits::UTP_REORDERED_FOR {
                self.orderly = 0;
                self.overtaken = self.overtaken * 3 / 4;
            }
        }
        let place = self.arrived.iter().position(|&turn| turn < sent.turn);
        if let Some(place) = place {
            self.arrived[place..].rotate_right(1);
            self.arrived[place] = sent.turn;
        }
    }

    /// A packet is lost if several that were sent after it got there.
    fn find_lost(&mut self, last: usize, acked: &mut Acked) {
        let overtaken = self.overtaken.min(self.packets.len() as u64 / 2);
        let limit = self.arrived[limits::UTP_REORDERED - 1];
        let limit = limit.min(self.arrived[0].saturating_sub(overtaken));
        for place in 0..last {
            let sent = &mut self.packets[place];
            sent.passed = true;
            if sent.state == State::Flying && sent.turn < limit {
                self.lose(place, acked);
            }
        }
    }

    fn lose(&mut self, place: usize, acked: &mut Acked) {
        let Some(sent) = self.packets.get_mut(place) else {
            return;
        };
        if sent.state == State::Flying {
            sent.state = State::Lost;
            self.flying -= usize::from(sent.len);
            self.lost += 1;
            if sent.padded {
                acked.padded = Some(false);
            } else {
                acked.lost = true;
            }
        }
    }

    /// A packet that was made longer cannot be sent: it is sent again as it should be.
    pub(super) fn lose_padded(&mut self) {
        let place = self.packets.iter().position(|sent| sent.padded);
        if let Some(place) = place {
            self.lose(place, &mut Acked::default());
        }
    }

    /// No acknowledgement came: all that is under way is sent again. Returns whether that was but a
    /// packet that was made longer.
    pub(super) fn lose_all(&mut self) -> bool {
        let mut acked = Acked::default();
        for place in 0..self.packets.len() {
            self.lose(place, &mut acked);
        }
        (self.repeats, self.unnamed, self.hurry) = (0, 0, false);
        acked.padded.is_some() && !acked.lost
    }
}

#[cfg(test)]
mod tests;
