//! Queries of KRPC: what a node asks another.

use super::failure::Failure;
use crate::base::{InfoHash, NodeId, limits};
use crate::wire::bencode::{self, Dict, List, Value};

/// A query.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Query<'a> {
    /// The querier's id, as it says.
    pub id: NodeId,
    /// What it asks.
    pub ask: Ask<'a>,
    /// The families of nodes it wants to hear of (BEP 32); `None`: that of the packet.
    pub want: Option<Want>,
}

/// What is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ask<'a> {
    /// Are you there?
    Ping,
    /// Which nodes are near to this target?
    FindNode(NodeId),
    /// A method that we do not know and that names a target: it is answered with the nodes near to
    /// that and a token, as libtorrent does. The crate `mainline` asks for tokens by the `get` of
    /// BEP 44.
    Other(NodeId),
    /// Who has this torrent, and which nodes are near to it?
    GetPeers(InfoHash),
    /// The querier takes part in this torrent.
    AnnouncePeer {
        /// The torrent.
        info_hash: InfoHash,
        /// The port that peers may dial.
        port: u16,
        /// The port of the packet counts instead.
        implied: bool,
        /// From the answer to [`Ask::GetPeers`].
        token: &'a [u8],
    },
    /// Which info hashes do you know (BEP 51), and which nodes near to this target?
    SampleInfohashes(NodeId),
}

/// Families of nodes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Want {
    /// `n4`.
    pub v4: bool,
    /// `n6`.
    pub v6: bool,
}

const METHODS: [&str; 6] = [
    "ping",
    "find_node",
    "get_peers",
    "announce_peer",
    "sample_infohashes",
    "get",
];

impl<'a> Query<'a> {
    /// Reads the arguments of a query.
    ///
    /// # Errors
    /// What the querier is to be told.
    pub(super) fn read(method: &[u8], args: Dict<'a>) -> Result<Query<'a>, Failure<'static>> {
        let keys = [
            "id",
            "info_hash",
            "target",
            "port",
            "implied_port",
            "token",
            "want",
        ];
        let [id, info_hash, target, port, implied, token, want] = args.pick(keys);
        let id = needed(id, b"missing or bad id")?;
        let torrent = || needed(info_hash, b"missing or bad info_hash");
        let place = || needed(target, b"missing or bad target");
        let ask = match method {
            b"ping" => Ask::Ping,
            b"find_node" => Ask::FindNode(place()?),
            b"get_peers" => Ask::GetPeers(InfoHash(torrent()?.0)),
            b"sample_infohashes" => Ask::SampleInfohashes(place()?),
            b"announce_peer" => {
                let implied = implied.and_then(Value::int).unwrap_or(0) != 0;
                let port = port.and_then(Value::int).unwrap_or(0);
                let port = u16::try_from(port).unwrap_or(0);
                if port == 0 && !implied {
                    return Err(protocol(b"missing or bad port"));
                }
                let token = token.and_then(Value::bytes).unwrap_or_default();
                Ask::AnnouncePeer {
                    info_hash: InfoHash(torrent()?.0),
                    port,
                    implied,
                    token: token.get(..limits::KRPC_TOKEN).unwrap_or(token),
                }
            }
            _ => match place().or_else(|_| torrent()) {
                Ok(place) => Ask::Other(place),
                Err(_) => {
                    return Err(Failure {
                        code: Failure::UNKNOWN,
                        words: b"unknown method",
                    });
                }
            },
        };
        let want = want.and_then(Value::list).map(Want::read);
        Ok(Query { id, ask, want })
    }

    /// The name of the method; of those that we do not know, one.
    pub fn method(&self) -> &'static str {
        let [ping, find_node, get_peers, announce_peer, sample, get] = METHODS;
        match self.ask {
            Ask::Ping => ping,
            Ask::FindNode(_) => find_node,
            Ask::Other(_) => get,
            Ask::GetPeers(_) => get_peers,
            Ask::AnnouncePeer { .. } => announce_peer,
            Ask::SampleInfohashes(_) => sample,
        }
    }

    /// The arguments.
    pub(super) fn write(&self) -> Vec<u8> {
        let mut args = vec![("id", bencode::bytes(self.id.0))];
        match self.ask {
            Ask::Ping => {}
            Ask::FindNode(target) | Ask::Other(target) | Ask::SampleInfohashes(target) => {
                args.push(("target", bencode::bytes(target.0)));
            }
            Ask::GetPeers(torrent) => args.push(("info_hash", bencode::bytes(torrent.0))),
            Ask::AnnouncePeer {
                info_hash,
                port,
                implied,
                token,
            } => {
                args.push(("info_hash", bencode::bytes(info_hash.0)));
                // Nodes of rqbit do not store what is announced without this key.
                args.push(("implied_port", bencode::int(implied.into())));
                args.push(("port", bencode::int(port.into())));
                args.push(("token", bencode::bytes(token)));
            }
        }
        if let Some(want) = self.want {
            args.push(("want", want.write()));
        }
        bencode::dict(args)
    }
}

impl Want {
    fn read(list: List<'_>) -> Want {
        let named = |name: &[u8]| list.iter().any(|item| item.bytes() == Some(name));
        Want {
            v4: named(b"n4"),
            v6: named(b"n6"),
        }
    }

    fn write(self) -> Vec<u8> {
        let families = [(self.v4, "n4"), (self.v6, "n6")];
        let named = families.into_iter().filter(|(wanted, _)| *wanted);
        bencode::list(named.map(|(_, name)| bencode::bytes(name)))
    }
}

fn needed(value: Option<Value<'_>>, what: &'static [u8]) -> Result<NodeId, Failure<'static>> {
    let id = value.and_then(Value::bytes).unwrap_or_default();
    id.try_into().map(NodeId).map_err(|_| protocol(what))
}

fn protocol(words: &'static [u8]) -> Failure<'static> {
    Failure {
        code: Failure::PROTOCOL,
        words,
    }
}
