//! One of each datagram of a UDP tracker (BEP 15), both ways.

use std::net::SocketAddr;

use brooklet::base::{Duration, InfoHash, PeerId};
use brooklet::wire::Scraped;
use brooklet::wire::announce::{Event, Query, Reply};
use brooklet::wire::udp_tracker::{Body, Request, Response};

/// What clients ask, and what trackers answer.
pub fn datagrams() -> (Vec<Request>, Vec<Response>) {
    let (connection, transaction) = (0x0102_0304_0506_0708, 9);
    let query = Query {
        info_hash: InfoHash([1; 20]),
        peer_id: PeerId([2; 20]),
        port: 6881,
        uploaded: 1,
        downloaded: 2,
        left: 3,
        event: Some(Event::Stopped),
        num_want: 80,
        key: 4,
        tracker_id: None,
    };
    let info_hashes = vec![InfoHash([3; 20]), InfoHash([4; 20])];
    let requests = vec![
        Request::Connect { transaction },
        Request::Announce {
            connection,
            transaction,
            query,
        },
        Request::Scrape {
            connection,
            transaction,
            info_hashes,
        },
    ];
    let reply = Reply {
        interval: Some(Duration::from_secs(1800)),
        seeders: Some(1),
        leechers: Some(2),
        peers: vec![SocketAddr::from(([1, 2, 3, 4], 5)); 3],
        ..Reply::default()
    };
    let bodies = [
        Body::Connect(connection),
        Body::Announce(reply),
        Body::Scrape(vec![Scraped::default(); 2]),
        Body::Error(String::from("no")),
    ];
    let responses = bodies.map(|body| Response { transaction, body });
    (requests, responses.into())
}
