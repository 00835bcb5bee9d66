//! Routes datagrams of the client's one UDP port. Trackers, uTP and the DHT share it, and the first
//! bytes tell them apart. `io` only receives and sends.
//!
//! A tracker's answer is found again by its address and transaction id. Where uTP is switched off,
//! a peer that calls over it is refused, so that it turns to TCP at once. A datagram of another
//! protocol is dropped.

use std::net::SocketAddr;

use super::session::Session;
use crate::base::{Reach, Time};
use crate::torrent::{Effect, Namer, Source};
use crate::tracker;
use crate::wire::utp_packet::{Kind, Packet};

/// The protocol of a datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protocol {
    /// An answer of a tracker (BEP 15): the action in four bytes, of which three are zero.
    Tracker,
    /// uTP (BEP 29): the packet's type in the high half of the first byte, version 1 in the low.
    Utp,
    /// The DHT (BEP 5): a bencoded dictionary.
    Dht,
    /// None of these.
    Unknown,
}

impl Protocol {
    /// That of a datagram.
    pub fn of(datagram: &[u8]) -> Protocol {
        match datagram {
            [0, 0, 0, _, ..] => Protocol::Tracker,
            [first, ..] if first & 0x0f == 1 && first >> 4 <= 4 => Protocol::Utp,
            [b'd', ..] => Protocol::Dht,
            _ => Protocol::Unknown,
        }
    }
}

/// Takes a datagram that came from this address. What is to be sent in return is an
/// [`Effect::Datagram`].
pub fn handle(session: &mut Session, from: SocketAddr, bytes: &[u8], now: Time) {
    match Protocol::of(bytes) {
        Protocol::Tracker => session.handle_tracker(tracker::Input::Datagram { from, bytes }, now),
        Protocol::Utp => handle_utp(session, from, bytes, now),
        Protocol::Dht => session.finding.receive(from, bytes, now),
        Protocol::Unknown => {}
    }
}

/// Takes a datagram that came to a group of the local network: a peer that is found so is dialed at
/// once.
pub fn handle_search(session: &mut Session, from: SocketAddr, bytes: &[u8], now: Time) {
    let found = session.finding.nearby.receive(from, bytes, now);
    let Some((peer, info_hashes)) = found else {
        return;
    };
    for info_hash in info_hashes {
        if let Some(torrent) = session.torrents.find(&info_hash) {
            let by = Namer::at(Source::Local, peer);
            session.add_peers(torrent, &[peer], by, now);
            if let Some(torrent) = session.torrents.get_mut(torrent) {
                torrent.candidates.hear(peer, now);
            }
        }
    }
}

/// Hands a packet to its connection over uTP. Nobody may call while no torrent is among
/// peers or being checked, nor from an address that would be refused over TCP.
///
/// Where uTP is switched off a call is refused, and nothing else answered: some clients
/// (Transmission 4.1: after 21.7 s) turn to TCP late unless they are refused.
fn handle_utp(session: &mut Session, from: SocketAddr, bytes: &[u8], now: Time) {
    if from.port() == 0 || Reach::of(from.ip()) == Reach::Nowhere {
        return;
    }
    let (torrents, bans) = (&session.torrents, &session.bans);
    let welcome = || torrents.expect_peers() && !bans.covers(from);
    if let Some(utp) = &mut session.utp {
        return utp.receive(from, bytes, welcome, now);
    }
    let Ok(packet) = Packet::parse(bytes) else {
        return;
    };
    if packet.kind == Kind::Syn && welcome() && session.refusals.enter(now) {
        let mut bytes = Vec::new();
        packet.refusal(now.as_micros() as u32).encode(&mut bytes);
        session
            .effects
            .push_back(Effect::Datagram { to: from, bytes });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell() {
        for (datagram, protocol) in [
            (&b"\0\0\0\x01\0\0\0\x07"[..], Protocol::Tracker),
            (b"\0\0\0\x03\0\0\0\x07no", Protocol::Tracker),
            (b"\x01\0\0\x01", Protocol::Utp),
            (b"\x41\0", Protocol::Utp),
            (b"\x51\0", Protocol::Unknown),
            (b"\x42\0", Protocol::Unknown),
            (b"d1:ad2:id20:", Protocol::Dht),
            (b"\0\0\0", Protocol::Unknown),
            (b"\0\0\x04\x17\x27\x10\x19\x80", Protocol::Unknown),
            (b"", Protocol::Unknown),
        ] {
            assert_eq!(Protocol::of(datagram), protocol, "{datagram:?}");
        }
    }
}
