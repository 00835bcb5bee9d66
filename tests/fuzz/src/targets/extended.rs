//! Messages of extensions: what is read stays within its limits, and is written again so that it
//! reads the same.

use std::net::SocketAddr;

use brooklet::base::limits;
use brooklet::wire::{ExtendedGreeting, HolePunch, MetadataMessage, PeerExchange};

/// Fails where a promise is broken.
pub fn run(bytes: &[u8]) {
    let mut written = Vec::new();
    match ExtendedGreeting::parse(bytes) {
        Ok(said) => {
            assert!(said.client.iter().all(|it| !it.contains(char::is_control)));
            said.encode(&mut written);
            assert_eq!(ExtendedGreeting::parse(&written), Ok(said));
        }
        Err(malformed) => assert!(malformed.at <= bytes.len()),
    }
    if let Ok(message) = MetadataMessage::parse(bytes) {
        written.clear();
        message.encode(&mut written);
        if message != MetadataMessage::Unknown {
            assert_eq!(MetadataMessage::parse(&written), Ok(message));
        }
    }
    match HolePunch::parse(bytes) {
        Ok(message) => {
            written.clear();
            message.encode(&mut written);
            assert_eq!(HolePunch::parse(&written), Ok(message));
        }
        Err(malformed) => assert!(malformed.at <= bytes.len()),
    }
    if let Ok(said) = PeerExchange::parse(bytes) {
        assert!(said.added.len() <= 2 * limits::PEX_TAKEN);
        assert!(said.dropped.len() <= 2 * limits::PEX_TAKEN);
        written.clear();
        said.encode(&mut written);
        // IPv4 comes first, as it was read.
        assert_eq!(PeerExchange::parse(&written), Ok(said.clone()));
        assert!(
            said.added
                .iter()
                .map(|it| it.0)
                .is_sorted_by_key(|it: SocketAddr| it.is_ipv6())
        );
    }
}
