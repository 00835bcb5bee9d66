//! Compact node info (BEP 5, BEP 32): the id of a node, and its address and port: 26 bytes for
//! IPv4, 38 for IPv6, one after the other.

use std::net::SocketAddr;

use crate::base::NodeId;
use crate::wire::compact::{self, Family};

/// A node as others name it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct NodeInfo {
    /// Its id.
    pub id: NodeId,
    /// Where it takes queries.
    pub addr: SocketAddr,
}

/// The nodes of a list. A part of one at the end is ignored.
pub fn nodes(list: &[u8], family: Family) -> impl Iterator<Item = NodeInfo> + '_ {
    let bytes = match family {
        Family::V4 => 26,
        Family::V6 => 38,
    };
    list.chunks_exact(bytes).filter_map(move |node| {
        let (id, addr) = node.split_first_chunk::<20>()?;
        let addr = compact::parse(addr, family).pop()?;
        Some(NodeInfo {
            id: NodeId(*id),
            addr,
        })
    })
}

/// Appends a node to a list of its family.
pub fn pack_node(node: &NodeInfo, list: &mut Vec<u8>) {
    list.extend(node.id.0);
    compact::encode(node.addr, list);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// BEP 5: "Known as "Compact node info" the 20-byte Node ID in network byte order has the
    /// compact IP-address/port info concatenated to the end."
    #[test]
    fn a_list_is_read_as_it_was_written() {
        for (family, addrs, bytes) in [
            (Family::V4, ["192.0.2.1:6881", "198.51.100.9:1"], 26),
            (Family::V6, ["[2001:db8::1]:6881", "[2001:db8::2]:1"], 38),
        ] {
            let (mut list, mut named) = (Vec::new(), Vec::new());
            for (place, addr) in addrs.into_iter().enumerate() {
                let node = NodeInfo {
                    id: NodeId([place as u8; 20]),
                    addr: addr.parse().unwrap(),
                };
                pack_node(&node, &mut list);
                named.push(node);
            }
            assert_eq!(list.len(), 2 * bytes);
            assert_eq!(list[20 + bytes - 22..20 + bytes - 20], [0x1a, 0xe1]);
            assert_eq!(nodes(&list, family).collect::<Vec<_>>(), named);
            for cut in bytes..2 * bytes {
                assert_eq!(nodes(&list[..cut], family).count(), 1, "cut to {cut}");
            }
            assert_eq!(nodes(&list[..bytes - 1], family).count(), 0);
        }
    }
}
