//! Replies of KRPC: what a node answers.

use std::net::SocketAddr;

use super::node_info::{NodeInfo, nodes};
use crate::base::{Duration, InfoHash, NodeId, limits};
use crate::wire::bencode::{self, Dict, Value};
use crate::wire::compact::{self, Family};

/// A reply. Which keys it has follows from what was asked, and from the client: many answer
/// `get_peers` with both peers and nodes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reply<'a> {
    /// The answering node's id.
    pub id: NodeId,
    /// Nodes with IPv4 addresses, as they stand in the message; `None`: the key is absent.
    pub nodes: Option<&'a [u8]>,
    /// The same with IPv6 addresses (BEP 32).
    pub nodes6: Option<&'a [u8]>,
    /// Peers of the torrent that was asked for.
    pub values: Option<Values<'a>>,
    /// Proves, when it is sent back with an announce, that we received this.
    pub token: Option<&'a [u8]>,
    /// Info hashes that the node knows (BEP 51).
    pub samples: Option<Samples<'a>>,
}

/// Peers as they stand in a message: bencoded strings of 6 or 18 bytes, one after the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Values<'a>(pub &'a [u8]);

/// A choice of a node's info hashes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Samples<'a> {
    /// How long to wait before asking again.
    pub interval: Duration,
    /// How many info hashes the node has.
    pub count: u32,
    /// Some of them, 20 bytes each.
    pub hashes: &'a [u8],
}

impl<'a> Reply<'a> {
    /// A reply with nothing but an id: the one to `ping` and `announce_peer`.
    pub fn bare(id: NodeId) -> Reply<'a> {
        Reply {
            id,
            nodes: None,
            nodes6: None,
            values: None,
            token: None,
            samples: None,
        }
    }

    /// The nodes of a family, [`limits::KRPC_NODES`] at most.
    pub fn nodes_of(&self, family: Family) -> impl Iterator<Item = NodeInfo> + use<'a> {
        let list = match family {
            Family::V4 => self.nodes,
            Family::V6 => self.nodes6,
        };
        nodes(list.unwrap_or_default(), family).take(limits::KRPC_NODES)
    }

    /// Reads what stands under `r`; `None`: it has no id.
    pub(super) fn read(reply: Dict<'a>) -> Option<Reply<'a>> {
        let keys = [
            "id", "nodes", "nodes6", "values", "token", "samples", "interval", "num",
        ];
        let [id, nodes, nodes6, values, token, samples, interval, num] =
            reply.pick(keys).map(|value| value.unwrap_or(Value::Int(0)));
        let samples = samples.bytes().map(|hashes| Samples {
            interval: Duration::from_secs(interval.int().unwrap_or(0).try_into().unwrap_or(0)),
            count: num.int().unwrap_or(0).try_into().unwrap_or(0),
            hashes,
        });
        let token = token.bytes();
        Some(Reply {
            id: NodeId(id.bytes()?.try_into().ok()?),
            nodes: nodes.bytes(),
            nodes6: nodes6.bytes(),
            values: values.list().map(|list| Values(list.body())),
            token: token.filter(|token| token.len() <= limits::KRPC_TOKEN),
            samples,
        })
    }

    pub(super) fn write(&self) -> Vec<u8> {
        let mut keys = vec![("id", bencode::bytes(self.id.0))];
        let strings = [
            ("nodes", self.nodes),
            ("nodes6", self.nodes6),
            ("token", self.token),
        ];
        for (key, string) in strings {
            keys.extend(string.map(|string| (key, bencode::bytes(string))));
        }
        if let Some(Values(values)) = self.values {
            keys.push(("values", bencode::list([values.to_vec()])));
        }
        if let Some(samples) = self.samples {
            let interval = i64::try_from(samples.interval.as_secs()).unwrap_or(i64::MAX);
            keys.push(("interval", bencode::int(interval)));
            keys.push(("num", bencode::int(samples.count.into())));
            keys.push(("samples", bencode::bytes(samples.hashes)));
        }
        bencode::dict(keys)
    }
}

impl Values<'_> {
    /// The peers, [`limits::KRPC_PEERS`] at most. What is no address is left out.
    pub fn iter(&self) -> impl Iterator<Item = SocketAddr> {
        let mut rest = self.0;
        let values = std::iter::from_fn(move || {
            let (value, behind) = bencode::decode_nearest(rest).ok()?;
            rest = behind;
            Some(value)
        });
        let addr = |value: Value<'_>| {
            let bytes = value.bytes()?;
            let family = match bytes.len() {
                6 => Family::V4,
                18 => Family::V6,
                _ => return None,
            };
            compact::parse(bytes, family).pop()
        };
        values.filter_map(addr).take(limits::KRPC_PEERS)
    }
}

impl Samples<'_> {
    /// The info hashes.
    pub fn iter(&self) -> impl Iterator<Item = InfoHash> {
        let hashes = self.hashes.chunks_exact(20);
        hashes.filter_map(|hash| hash.try_into().ok().map(InfoHash))
    }
}

/// Appends a peer to the values of a reply.
pub fn pack_value(peer: SocketAddr, values: &mut Vec<u8>) {
    let prefix: &[u8] = match Family::of(peer.ip()) {
        Family::V4 => b"6:",
        Family::V6 => b"18:",
    };
    values.extend(prefix);
    compact::encode(peer, values);
}
