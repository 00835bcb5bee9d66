//! Peers of a session in memory that exchange peers (BEP 11).

use std::net::SocketAddr;
use std::num::NonZeroU32;

use brooklet::base::{Duration, PeerId};
use brooklet::wire::{ExtendedGreeting, Handshake, Message, PeerExchange};

use crate::session::Bench;

/// The number under which the peers of these tests want to hear of others.
pub const THEIRS: u8 = 7;
/// Ours.
pub const OURS: u8 = 1;

/// A download that exchanges peers.
pub fn bench() -> Bench {
    Bench::getter_with(4, &[], |_, order| {
        order.pex = true;
        order.metadata_size = NonZeroU32::new(7);
    })
}

pub fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub fn says(bench: &mut Bench, key: usize, id: u8, payload: &[u8]) {
    let mut bytes = Vec::new();
    Message::Extended { id, payload }.encode(&mut bytes);
    bench.sends(key, &bytes);
}

/// What a peer says of itself, but for its port.
pub fn wanting() -> ExtendedGreeting {
    ExtendedGreeting {
        exchange: Some(THEIRS),
        ..ExtendedGreeting::default()
    }
}

pub fn greets(bench: &mut Bench, key: usize, number: u8, said: &ExtendedGreeting) {
    let mut bytes = Vec::new();
    let peer_id = PeerId(*b"-TR4100-abcdefghijkl").0.map(|byte| byte ^ number);
    Handshake::ours(bench.setting.local.info_hash, PeerId(peer_id)).encode(&mut bytes);
    bench.sends(key, &bytes);
    let mut payload = Vec::new();
    said.encode(&mut payload);
    says(bench, key, 0, &payload);
}

/// A peer dials us, and says at which port it listens.
pub fn dials_us(bench: &mut Bench, number: u8, port: Option<u16>) -> usize {
    let key = bench.accepts(([192, 0, 2, number], 50_001).into());
    greets(bench, key, number, &ExtendedGreeting { port, ..wanting() });
    key
}

/// We dial a peer at port 6881.
pub fn is_dialed(bench: &mut Bench, number: u8) -> usize {
    let to = SocketAddr::from(([192, 0, 2, number], 6881));
    let key = bench.dials(to);
    bench.session.handle_connected(key, bench.now);
    bench.turn();
    greets(bench, key, number, &wanting());
    key
}

/// What a peer was told of others since this was called last.
pub fn told(bench: &mut Bench, key: usize) -> Vec<PeerExchange> {
    let heard = bench.hears_extended(key).into_iter();
    let heard = heard.filter(|(id, _)| *id == THEIRS);
    heard
        .map(|(_, it)| PeerExchange::parse(&it).unwrap())
        .collect()
}

/// A peer names these.
pub fn names(bench: &mut Bench, key: usize, added: &[(SocketAddr, u8)]) {
    let mut payload = Vec::new();
    let (added, dropped) = (added.to_vec(), Vec::new());
    PeerExchange { added, dropped }.encode(&mut payload);
    says(bench, key, OURS, &payload);
}

/// Time goes by in which these peers are not silent.
pub fn passes(bench: &mut Bench, keys: &[usize], seconds: u64) {
    for second in 1..=seconds {
        bench.wait(Duration::from_secs(1));
        for &key in keys.iter().filter(|_| second % 50 == 0) {
            bench.says(key, "keep-alive");
        }
    }
}
