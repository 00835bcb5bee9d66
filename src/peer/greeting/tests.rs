//! Handshakes in both directions, cut, slow, wrong and followed by messages.

use super::*;
use crate::base::{Duration, Geometry, InfoHash, PeerId};
use crate::peer::peer::{Peer, Segment};
use crate::wire::Message;

const TORRENT: InfoHash = InfoHash([7; 20]);
const OURS: PeerId = PeerId(*b"-bk0100-ABCDEFGHIJKL");
const THEIRS: PeerId = PeerId(*b"-TR3000-abcdefghijkl");

fn local() -> Local {
    Local {
        info_hash: TORRENT,
        peer_id: OURS,
        dht: false,
        geometry: Geometry::new(1 << 20, 1 << 14).unwrap(),
        unsent: limits::UNSENT,
    }
}

fn at(seconds: u64) -> Time {
    Time::from_micros(seconds * 1_000_000)
}

fn addr() -> SocketAddr {
    ([192, 0, 2, 1], 6881).into()
}

fn handshake(info_hash: InfoHash, peer_id: PeerId) -> Vec<u8> {
    let mut bytes = Vec::new();
    let made = if peer_id == OURS {
        Handshake::ours
    } else {
        Handshake::with_fast
    };
    made(info_hash, peer_id).encode(&mut bytes);
    bytes
}

/// A connection that is up, begun by us or by the peer.
fn connected(outbound: bool) -> Greeting {
    if !outbound {
        return Greeting::accept(addr(), at(0));
    }
    let mut greeting = Greeting::dial(&local(), addr(), at(0));
    greeting.handle_connected(at(0));
    greeting
}

#[test]
fn the_end_that_dialed_speaks_first_and_the_other_when_it_is_answered() {
    let mut dialed = Greeting::dial(&local(), addr(), at(0));
    assert!(dialed.transmit().is_empty(), "there is no connection yet");
    dialed.handle_connected(at(1));
    assert_eq!(dialed.transmit(), handshake(TORRENT, OURS));
    let mut accepted = connected(false);
    let bytes = handshake(TORRENT, THEIRS);
    let theirs = accepted.next_handshake(&mut Input::new(&bytes)).unwrap();
    assert!(accepted.transmit().is_empty(), "the torrent is not known");
    assert_eq!(accepted.answer(&theirs.unwrap(), &local()), Ok(true));
    assert_eq!(accepted.transmit(), handshake(TORRENT, OURS));
}

#[test]
fn a_handshake_may_be_cut_at_every_byte_and_what_follows_is_left() {
    let whole = handshake(TORRENT, THEIRS);
    for (outbound, cut) in [false, true]
        .into_iter()
        .flat_map(|out| (0..68).map(move |n| (out, n)))
    {
        let mut greeting = connected(outbound);
        let mut first = Input::new(&whole[..cut]);
        assert_eq!(greeting.next_handshake(&mut first), Ok(None), "{cut}");
        assert_eq!(greeting.unparsed(), &whole[..cut]);
        let mut rest = [greeting.unparsed(), &whole[cut..]].concat();
        rest.extend(b"\0\0\0\x01\x02");
        let mut second = Input::new(&rest);
        let theirs = greeting.next_handshake(&mut second).unwrap().unwrap();
        assert_eq!((theirs.info_hash, theirs.peer_id), (TORRENT, THEIRS));
        assert!(greeting.unparsed().is_empty());
        assert_eq!(second.rest(), b"\0\0\0\x01\x02", "{cut}");
    }
}

#[test]
fn byte_by_byte_it_is_one_handshake_and_no_more_time() {
    let mut greeting = connected(false);
    let whole = handshake(TORRENT, THEIRS);
    for (place, &byte) in whole.iter().enumerate() {
        let read = [greeting.unparsed(), &[byte]].concat();
        let come = greeting.next_handshake(&mut Input::new(&read)).unwrap();
        assert_eq!(come.is_some(), place == 67, "{place}");
        assert!(greeting.unparsed().len() < handshake::LEN);
        let due = greeting.next_deadline();
        assert_eq!(due, Some(at(0) + limits::HANDSHAKE_TIME), "{place}");
    }
}

#[test]
fn the_first_wrong_byte_is_enough() {
    for wrong in 0..20 {
        let mut greeting = connected(false);
        let mut bytes = handshake(TORRENT, THEIRS)[..=wrong].to_vec();
        bytes[wrong] ^= 1;
        let refused = greeting.next_handshake(&mut Input::new(&bytes));
        assert_eq!(refused, Err(EndReason::NotBitTorrent), "{wrong}");
        assert!(greeting.foreign().is_some());
    }
    // Ten megabytes of anything are refused by the first of them, and none is kept.
    let mut greeting = connected(false);
    let junk = vec![0x13; 10 << 20];
    let refused = greeting.next_handshake(&mut Input::new(&junk));
    assert_eq!(refused, Err(EndReason::NotBitTorrent));
    assert!(greeting.unparsed().is_empty());
}

#[test]
fn another_torrent_and_ourselves() {
    for outbound in [false, true] {
        let other = Handshake::with_fast(InfoHash([8; 20]), THEIRS);
        let mut greeting = connected(outbound);
        let said = greeting.transmit().len();
        let refused = greeting.answer(&other, &local());
        assert_eq!(refused, Err(EndReason::OtherTorrent));
        assert_eq!(greeting.transmit().len(), said, "nothing more is said");
    }
    let ourselves = Handshake::with_fast(TORRENT, OURS);
    let mut dialed = connected(true);
    assert_eq!(
        dialed.answer(&ourselves, &local()),
        Err(EndReason::Ourselves)
    );
    // The other end answers once, ignores the rest, and waits for the first to hang up.
    let mut accepted = connected(false);
    assert_eq!(accepted.answer(&ourselves, &local()), Ok(false));
    assert_eq!(accepted.transmit(), handshake(TORRENT, OURS));
    let more = handshake(TORRENT, THEIRS);
    let mut input = Input::new(&more);
    assert_eq!(accepted.next_handshake(&mut input), Ok(None));
    assert!(input.rest().is_empty() && accepted.is_ourselves());
    let late = accepted.handle_timeout(at(0) + limits::HANDSHAKE_TIME);
    assert_eq!(late, Err(EndReason::HandshakeTimeout));
}

#[test]
fn the_network_and_the_peer_have_their_time_each() {
    let tick = Duration::from_micros(1);
    let mut greeting = Greeting::dial(&local(), addr(), at(0));
    let due = at(0) + limits::CONNECT_TIME;
    assert_eq!(greeting.next_deadline(), Some(due));
    assert_eq!(greeting.handle_timeout(at(9)), Ok(()));
    assert_eq!(greeting.handle_timeout(due), Err(EndReason::ConnectTimeout));
    greeting.handle_connected(at(9));
    let due = at(9) + limits::HANDSHAKE_TIME;
    assert_eq!(greeting.next_deadline(), Some(due));
    let before = Time::from_micros(due.as_micros() - 1);
    assert_eq!(
        (greeting.handle_timeout(before), before + tick),
        (Ok(()), due)
    );
    assert_eq!(
        greeting.handle_timeout(due),
        Err(EndReason::HandshakeTimeout)
    );
    greeting.close(EndReason::HandshakeTimeout);
    assert!(greeting.next_deadline().is_none() && greeting.transmit().is_empty());
}

#[test]
fn nothing_can_come_before_there_is_a_connection() {
    let mut greeting = Greeting::dial(&local(), addr(), at(0));
    let bytes = handshake(TORRENT, THEIRS);
    let early = greeting.next_handshake(&mut Input::new(&bytes));
    assert_eq!(early, Err(EndReason::OutOfPlace(Kind::Handshake)));
}

#[test]
fn what_was_not_sent_of_our_handshake_goes_out_before_messages() {
    for sent in [0, 1, 67, 68] {
        let mut greeting = connected(true);
        greeting.transmitted(sent, at(1));
        let theirs = Handshake::with_fast(TORRENT, THEIRS);
        assert_eq!(greeting.answer(&theirs, &local()), Ok(true));
        let mut peer = Peer::opened(local(), &mut greeting, at(2));
        peer.set_interested(true);
        let mut said = handshake(TORRENT, OURS)[sent..].to_vec();
        Message::Interested.encode(&mut said);
        let segments: Vec<Segment<'_>> = peer.transmit().collect();
        assert_eq!(segments, [Segment::Bytes(&said)], "{sent}");
        assert!(peer.is_outbound() && peer.is_open() && peer.addr() == addr());
    }
}
