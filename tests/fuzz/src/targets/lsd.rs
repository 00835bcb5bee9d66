//! Searches of the local network: what is read is written again so that it reads the same, and
//! whatever comes, only torrents of ours are found, at the sender's own address.

use std::net::SocketAddr;

use brooklet::base::{Duration, InfoHash, Time};
use brooklet::lsd::Lsd;
use brooklet::wire::Family;
use brooklet::wire::lsd::Search;

/// Fails where a promise is broken.
pub fn run(bytes: &[u8]) {
    let ours = InfoHash([0xab; 20]);
    let (mut lsd, now) = (Lsd::new(6881, 1), Time::default());
    lsd.want(ours, now);
    let from: SocketAddr = "192.0.2.1:6771".parse().unwrap();
    for seconds in 0..3 {
        let now = now + Duration::from_secs(seconds);
        if let Some((addr, found)) = lsd.receive(from, bytes, now) {
            assert!(addr.ip() == from.ip() && addr.port() != 0);
            assert!(!found.is_empty() && found.iter().all(|it| *it == ours));
        }
    }
    match Search::parse(bytes) {
        Ok(search) => {
            assert!(search.port != 0);
            for family in [Family::V4, Family::V6] {
                let text = search.encode(family);
                assert_eq!(Search::parse(text.as_bytes()), Ok(search.clone()));
            }
        }
        Err(malformed) => assert!(malformed.at <= bytes.len()),
    }
}
