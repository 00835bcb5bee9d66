//! Which addresses count as one node's. A stranger may name any address, and all ports of a host
//! that it wants us to flood.

use crate::base::Reach;
use std::net::SocketAddr;

/// Whether two addresses count as one node's: one IP address has one node, but for local ones,
/// where the port counts too.
pub fn is_same(one: SocketAddr, other: SocketAddr) -> bool {
    one == other || (one.ip() == other.ip() && !Reach::of(one.ip()).is_local())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_address_has_one_node_in_public() {
        assert!(is_same(addr("192.0.2.1:1"), addr("192.0.2.1:2")));
        assert!(!is_same(addr("127.0.0.1:1"), addr("127.0.0.1:2")));
    }
}
