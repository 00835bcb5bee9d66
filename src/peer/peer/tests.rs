//! What a connection says once, and how long it waits for whom.

use super::*;
use crate::base::{BLOCK, Bits, Geometry, InfoHash, PeerId};
use crate::peer::input::Input;
use crate::wire::Handshake;

const LOCAL: PeerId = PeerId(*b"-bk0100-ABCDEFGHIJKL");
const REMOTE: PeerId = PeerId(*b"-TR3000-abcdefghijkl");

fn at(seconds: u64) -> Time {
    Time::from_micros(seconds * 1_000_000)
}

fn hear(peer: &mut Peer, bytes: &[u8], now: Time) {
    let mut input = Input::new(bytes);
    while let Some(event) = peer.next_event(&mut input, now).unwrap() {
        if let Event::Requested(block) = event {
            peer.serve(block).unwrap();
        }
    }
}

fn says(message: Message<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.encode(&mut bytes);
    bytes
}

/// An open connection to a peer that asks for this many blocks; all but they is sent.
fn asking_for(blocks: usize) -> Peer {
    let info_hash = InfoHash([7; 20]);
    let geometry = Geometry::new(u64::from(BLOCK) * 1000, BLOCK).unwrap();
    let local = Local {
        info_hash,
        peer_id: LOCAL,
        dht: false,
        geometry,
        unsent: limits::UNSENT,
    };
    let mut greeting = Greeting::accept(([192, 0, 2, 1], 50_001).into(), at(0));
    let theirs = Handshake::with_fast(info_hash, REMOTE);
    assert_eq!(greeting.answer(&theirs, &local), Ok(true));
    let mut peer = Peer::opened(local, &mut greeting, at(0));
    peer.introduce(&Bits::full(1000), Vec::new());
    peer.unchoke();
    peer.transmitted(peer.unsent(), at(0));
    for piece in 0..blocks as u32 {
        let request = says(Message::Request(geometry.block(piece, 0)));
        hear(&mut peer, &request, at(0));
    }
    peer
}

#[test]
fn a_peer_that_takes_blocks_and_is_not_read_from_is_not_silent() {
    let silence = limits::SILENCE.as_secs();
    let mut peer = asking_for(limits::UPLOADS_FULL + 10);
    assert!(peer.is_upload_queue_full());
    let frame = BLOCK as usize + 13;
    peer.transmitted(frame, at(silence - 1));
    assert_eq!(peer.handle_timeout(at(silence)), Ok(()));
    assert!(peer.next_deadline(at(silence)) > Some(at(silence)));
    // Once it takes nothing either, it is.
    let later = at(10 * silence);
    assert_eq!(peer.handle_timeout(later), Err(EndReason::Silent));

    // Who has little to wait for is listened to.
    let mut peer = asking_for(limits::UPLOADS_FULL);
    peer.transmitted(frame, at(silence - 1));
    assert!(!peer.is_upload_queue_full());
    assert_eq!(peer.handle_timeout(at(silence)), Err(EndReason::Silent));
}

#[test]
fn what_is_so_already_is_not_said_again() {
    let mut peer = asking_for(0);
    peer.unchoke();
    assert_eq!(peer.unsent(), 0);
    peer.choke();
    assert_eq!(peer.unsent(), says(Message::Choke).len());
    peer.choke();
    assert_eq!(peer.unsent(), says(Message::Choke).len());
}

#[test]
fn a_socket_that_takes_nothing_has_heard_nothing() {
    let mut peer = asking_for(0);
    let due = peer.next_deadline(at(1));
    peer.choke();
    assert_eq!(peer.transmitted(0, at(60)), 0);
    assert_eq!(
        peer.next_deadline(at(60)),
        due,
        "the keep-alive is still due"
    );
}

#[test]
fn a_block_that_is_sent_in_parts_counts_once() {
    let mut peer = asking_for(1);
    let (mut sent, mut content) = (0, 0);
    let frame = BLOCK as usize + 13;
    while sent < frame {
        let part = 1000.min(frame - sent);
        content += peer.transmitted(part, at(1));
        sent += part;
    }
    assert_eq!(content, u64::from(BLOCK));
    assert!(!peer.wants_to_send(true));
}
