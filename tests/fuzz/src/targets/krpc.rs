//! Messages of the DHT, and its file of nodes: what is read stays within its limits, and is
//! written again so that it reads the same.

use brooklet::base::limits;
use brooklet::dht::Saved;
use brooklet::wire::Family;
use brooklet::wire::krpc::{Body, Message, Unreadable};

/// Fails where a promise is broken.
pub fn run(bytes: &[u8]) {
    match Message::parse(bytes) {
        Ok(message) => check(&message),
        Err(Unreadable::Query { transaction, .. }) => {
            assert!(transaction.len() <= limits::KRPC_TRANSACTION);
        }
        Err(Unreadable::Malformed(malformed)) => assert!(malformed.at <= bytes.len()),
    }
    if let Ok(saved) = Saved::read(bytes) {
        assert!(saved.nodes.len() <= 2 * limits::DHT_SAVED);
        assert_eq!(Saved::read(saved.write().as_bytes()), Ok(saved));
    }
}

fn check(message: &Message<'_>) {
    assert!(message.transaction.len() <= limits::KRPC_TRANSACTION);
    if let Body::Reply(reply) = &message.body {
        for family in [Family::V4, Family::V6] {
            let nodes: Vec<_> = reply.nodes_of(family).collect();
            assert!(nodes.len() <= limits::KRPC_NODES);
            assert!(
                nodes
                    .iter()
                    .all(|node| Family::of(node.addr.ip()) == family)
            );
        }
        let peers = reply.values.map_or(0, |values| values.iter().count());
        assert!(peers <= limits::KRPC_PEERS);
        assert!(
            reply
                .token
                .is_none_or(|token| token.len() <= limits::KRPC_TOKEN)
        );
    }
    if let Body::Failure(failure) = &message.body {
        assert!(!failure.shown().contains(char::is_control));
    }
    if let Some(client) = message.client() {
        assert!(!client.contains(char::is_control));
    }
    let mut written = Vec::new();
    message.encode(&mut written);
    assert_eq!(
        Message::parse(&written),
        Ok(*message),
        "what we write can be read"
    );
}
