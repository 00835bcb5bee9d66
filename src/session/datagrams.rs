//! Datagrams that are for none of the machines. A peer that has uTP calls us over it first, and
//! some clients (Transmission 4.1: 21.7 s) turn to TCP late unless they are refused. So the packet
//! that opens a uTP connection is answered with one that refuses it, and nothing is remembered.

use std::net::SocketAddr;

use super::session::Session;
use super::stage::Stage;
use crate::base::reach::Reach;
use crate::base::time::Now;
use crate::wire::utp_packet::{Kind, Packet};

impl Session {
    /// The answer to a uTP packet from this address: a refusal of the connection that it opens, so
    /// that the peer turns to TCP. `None`: no answer, to other packets as to those who would not
    /// be accepted over TCP either.
    pub fn answer_utp(&mut self, from: SocketAddr, packet: &Packet, now: Now) -> Option<Packet> {
        let answerable = packet.kind == Kind::Syn
            && self.stage == Stage::Running
            && from.port() != 0
            && Reach::of(from.ip()) != Reach::Nowhere
            && !self.torrent.candidates.is_banned(from);
        let refused = answerable && self.refusals.enter(now);
        refused.then(|| packet.refusal(now.as_micros() as u32))
    }
}
