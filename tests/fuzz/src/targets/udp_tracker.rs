//! Datagrams of UDP trackers, both ways, and of uTP.

use brooklet::base::limits;
use brooklet::session::datagrams::Protocol;
use brooklet::wire::Family;
use brooklet::wire::udp_tracker::{Body, Request, Response};
use brooklet::wire::utp_packet::Packet;

/// Fails where a promise is broken.
pub fn run(datagram: &[u8]) {
    if let Ok(request) = Request::parse(datagram) {
        let mut written = Vec::new();
        request.encode(&mut written);
        assert!(written.len() <= datagram.len());
        assert_eq!(Request::parse(&written), Ok(request));
    }
    if let Ok(packet) = Packet::parse(datagram) {
        assert_eq!(Protocol::of(datagram), Protocol::Utp);
        let mut written = Vec::new();
        packet.encode(&mut written);
        assert!(written.len() <= datagram.len());
        assert_eq!(Packet::parse(&written), Ok(packet));
    }
    for family in [Family::V4, Family::V6] {
        let Ok(response) = Response::parse(datagram, family) else {
            continue;
        };
        match &response.body {
            Body::Announce(reply) => {
                assert!(reply.peers.len() <= limits::REPLY_PEERS);
                assert_ne!(reply.misplaced, Some(family));
                let named = reply.misplaced.unwrap_or(family);
                let mut families = reply.peers.iter().map(|peer| Family::of(peer.ip()));
                assert!(families.all(|family| family == named));
            }
            Body::Error(words) => assert!(!words.contains(char::is_control)),
            Body::Connect(_) | Body::Scrape(_) => {}
        }
        let mut written = Vec::new();
        response.encode(&mut written);
        let again = Response::parse(&written, family).expect("what we write can be read");
        // A negative interval is none, and none is written as 0.
        match (again.body, response.body) {
            (Body::Announce(again), Body::Announce(reply)) => {
                // Part of an entry at the end of a list may have told what the list is.
                if again.misplaced == reply.misplaced {
                    assert_eq!(again.peers, reply.peers);
                }
            }
            (again, body) => assert_eq!(again, body),
        }
    }
}
