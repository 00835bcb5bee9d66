//! Datagrams of UDP trackers, both ways.

use brooklet::base::limits;
use brooklet::wire::compact::Family;
use brooklet::wire::udp_tracker::{Body, Request, Response};

/// Fails where a promise is broken.
pub fn run(datagram: &[u8]) {
    if let Ok(request) = Request::parse(datagram) {
        let mut written = Vec::new();
        request.encode(&mut written);
        assert!(written.len() <= datagram.len());
        assert_eq!(Request::parse(&written), Ok(request));
    }
    for family in [Family::V4, Family::V6] {
        let Ok(response) = Response::parse(datagram, family) else {
            continue;
        };
        match &response.body {
            Body::Announce(reply) => {
                assert!(reply.peers.len() <= limits::REPLY_PEERS);
                assert!(
                    reply
                        .peers
                        .iter()
                        .all(|peer| Family::of(peer.ip()) == family)
                );
            }
            Body::Error(words) => assert!(!words.contains(char::is_control)),
            Body::Connect(_) | Body::Scrape(_) => {}
        }
        let mut written = Vec::new();
        response.encode(&mut written);
        let again = Response::parse(&written, family).expect("what we write can be read");
        // A negative interval is none, and none is written as 0.
        match (again.body, response.body) {
            (Body::Announce(again), Body::Announce(reply)) => assert_eq!(again.peers, reply.peers),
            (again, body) => assert_eq!(again, body),
        }
    }
}
