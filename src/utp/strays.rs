//! Packets that belong to no connection: calls, and what is left of connections that are forgotten.
//! Each answer is no longer than what it answers, and their number in a second is bounded: calls
//! and refusals apart, so that neither keeps the other from being answered. What ends a connection
//! of our own is not counted.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::cookie::Cookies;
use crate::base::{Duration, Time, limits};
use crate::wire::utp_packet::{HEAD, Kind, Packet};

/// Answers to packets that belong to no connection.
#[derive(Debug)]
pub(super) struct Strays {
    cookies: Cookies,
    /// Connections that peers began and that ended lately: whose, its number there and that of the
    /// call; and when it ended.
    ended: VecDeque<((SocketAddr, u16, u16), Time)>,
    answers: VecDeque<(SocketAddr, Packet)>,
    since: Time,
    answered: u32,
    refused: u32,
}

impl Strays {
    /// Answers by this secret.
    pub(super) fn new(secret: u64) -> Strays {
        Strays {
            cookies: Cookies(secret),
            ended: VecDeque::new(),
            answers: VecDeque::new(),
            since: Time::default(),
            answered: 0,
            refused: 0,
        }
    }

    /// The numbers of a call and of our answer to it, if this packet is one of the first that
    /// followed: the very first may be lost, or late. A late copy of one opens no connection again
    /// that has ended.
    pub(super) fn admits(
        &self,
        from: SocketAddr,
        packet: &Packet,
        now: Time,
    ) -> Option<(u16, u16)> {
        let (cookie, id) = (
            packet.ack.wrapping_add(1),
            packet.connection.wrapping_sub(1),
        );
        let mut calls = (1..=limits::UTP_FIRST).map(|before| packet.seq.wrapping_sub(before));
        let is_known = |call: &u16| self.cookies.is_valid(cookie, (from, id, *call), now);
        let call = calls.find(is_known).filter(|_| packet.kind == Kind::Data);
        let call = call.filter(|&call| {
            let mut ended = self.ended.iter();
            let name = (from, id, call);
            !ended.any(|&(name_of, at)| name_of == name && !is_void(at, now))
        });
        call.map(|call| (call, cookie))
    }

    /// A connection that a peer began by this call has ended.
    pub(super) fn on_ended(&mut self, from: SocketAddr, id: u16, call: u16, now: Time) {
        while let Some(&(_, at)) = self.ended.front() {
            if !is_void(at, now) && self.ended.len() < limits::UTP_ENDED {
                break;
            }
            self.ended.pop_front();
        }
        self.ended.push_back(((from, id, call), now));
    }

    /// Answers a call.
    pub(super) fn answer(&mut self, from: SocketAddr, call: &Packet, now: Time) {
        let timestamp = now.as_micros() as u32;
        let answer = Packet {
            kind: Kind::State,
            connection: call.connection,
            timestamp,
            difference: timestamp.wrapping_sub(call.timestamp),
            window: limits::UTP_WINDOW_LEAST as u32,
            seq: self.cookies.make(from, call.connection, call.seq, now),
            ack: call.seq,
        };
        self.begin(now);
        self.answered += 1;
        if self.answered <= limits::UTP_ANSWERS {
            self.answers.push_back((from, answer));
        }
    }

    /// Says that there is no such connection. An acknowledgement is not answered: it needs nothing.
    pub(super) fn refuse(&mut self, from: SocketAddr, packet: &Packet, now: Time) {
        if matches!(packet.kind, Kind::State | Kind::Reset) {
            return;
        }
        self.begin(now);
        self.refused += 1;
        if self.refused <= limits::UTP_STRAYS {
            let refusal = packet.refusal(now.as_micros() as u32);
            self.answers.push_back((from, refusal));
        }
    }

    /// Ends a connection of ours that is needed no more.
    pub(super) fn hang_up(&mut self, to: SocketAddr, connection: u16, now: Time) {
        let reset = Packet {
            kind: Kind::Reset,
            connection,
            timestamp: now.as_micros() as u32,
            difference: 0,
            window: 0,
            seq: 0,
            ack: 0,
        };
        self.answers.push_back((to, reset));
    }

    fn begin(&mut self, now: Time) {
        if now.since(self.since) >= Duration::from_secs(1) {
            (self.since, self.answered, self.refused) = (now, 0, 0);
        }
    }

    /// Appends the next answer.
    pub(super) fn transmit(&mut self, out: &mut Vec<u8>) -> Option<(SocketAddr, usize)> {
        let (to, packet) = self.answers.pop_front()?;
        packet.encode(out);
        Some((to, HEAD))
    }
}

/// Whether the number of an answer that was given before this moment proves nothing any more.
fn is_void(at: Time, now: Time) -> bool {
    now.since(at) >= limits::UTP_COOKIES * 2
}
