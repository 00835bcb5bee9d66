//! Answers to queries of other nodes. The length of an answer is bounded: to an address that is not
//! proved to be the querier's own (no node that has answered us is there), an answer has a few
//! times the length of the query at most.

use std::net::SocketAddr;

use super::half::Half;
use super::tokens::Tokens;
use crate::base::{InfoHash, NodeId, Rng, Time, limits};
use crate::wire::Family;
use crate::wire::krpc::{
    Ask, Body, Failure, Message, Query, Reply, Samples, Values, pack_node, pack_value,
};

/// The parts of our node that an answer needs.
#[derive(Debug)]
pub struct Answering<'a> {
    /// Our part of the family that the query came over, then of the other one, if we take part in
    /// it.
    pub halves: (&'a mut Half, Option<&'a mut Half>),
    /// Our tokens.
    pub tokens: &'a Tokens,
    /// For choices.
    pub rng: &'a mut Rng,
    /// The time.
    pub now: Time,
}

/// Bytes of `v`: two letters and a version.
pub const VERSION: &[u8] = b"bk\x01\x00";

impl Answering<'_> {
    /// The datagram that answers a query.
    pub fn answer(&mut self, from: SocketAddr, transaction: &[u8], query: &Query<'_>) -> Vec<u8> {
        let is_proved = self.halves.0.table.is_known(from);
        let [mut nodes, mut nodes6, mut values] = [const { Vec::new() }; 3];
        let own = self.halves.0.table.own();
        let (token, hashes): (_, Vec<u8>);
        let mut reply = Reply::bare(own);
        match query.ask {
            Ask::Ping => {}
            Ask::FindNode(target) => {
                self.name_nodes(query, target, is_proved, [&mut nodes, &mut nodes6]);
            }
            Ask::Other(target) => {
                self.name_nodes(query, target, is_proved, [&mut nodes, &mut nodes6]);
                let place = InfoHash(target.0);
                token = self.tokens.make(from.ip(), place, self.now);
                reply.token = Some(&token);
            }
            Ask::GetPeers(info_hash) => {
                let target = NodeId::from(info_hash);
                self.name_nodes(query, target, is_proved, [&mut nodes, &mut nodes6]);
                self.name_peers(info_hash, is_proved, &mut values);
                token = self.tokens.make(from.ip(), info_hash, self.now);
                reply.token = Some(&token);
            }
            Ask::SampleInfohashes(target) => {
                self.name_nodes(query, target, is_proved, [&mut nodes, &mut nodes6]);
                let most = if is_proved {
                    limits::DHT_SAMPLES
                } else {
                    limits::DHT_UNPROVED
                };
                let store = &self.halves.0.store;
                let samples = store.samples(most, self.rng);
                hashes = samples.iter().flat_map(|hash| hash.0).collect();
                reply.samples = Some(Samples {
                    interval: limits::DHT_SAMPLE_INTERVAL,
                    count: store.hashes() as u32,
                    hashes: &hashes,
                });
            }
            Ask::AnnouncePeer { .. } => {
                if let Err(failure) = self.store(from, query) {
                    return encode(from, transaction, Body::Failure(failure));
                }
            }
        }
        reply.nodes = Some(&*nodes).filter(|list| !list.is_empty());
        reply.nodes6 = Some(&*nodes6).filter(|list| !list.is_empty());
        if is_about_nodes(query) && reply.nodes.is_none() && reply.nodes6.is_none() {
            // Clients expect the key even without nodes.
            reply.nodes = Some(b"");
        }
        reply.values = Some(Values(&values)).filter(|_| !values.is_empty());
        encode(from, transaction, Body::Reply(reply))
    }

    /// Writes the nodes nearest to a target, of the families that are wanted (BEP 32).
    fn name_nodes(
        &self,
        query: &Query<'_>,
        target: NodeId,
        is_proved: bool,
        [nodes, nodes6]: [&mut Vec<u8>; 2],
    ) {
        let own = self.halves.0.family;
        let wanted = query.want.filter(|want| want.v4 || want.v6);
        let is_wanted = |family| match (wanted, family) {
            (Some(want), Family::V4) => want.v4,
            (Some(want), Family::V6) => want.v6,
            (None, family) => family == own,
        };
        let both = is_wanted(Family::V4) && is_wanted(Family::V6);
        let most = if both && !is_proved {
            limits::DHT_UNPROVED / 2
        } else {
            limits::DHT_K
        };
        let halves = [Some(&*self.halves.0), self.halves.1.as_deref()];
        for half in halves.into_iter().flatten() {
            if is_wanted(half.family) {
                let list = match half.family {
                    Family::V4 => &mut *nodes,
                    Family::V6 => &mut *nodes6,
                };
                let closest = half.table.closest(&target, most);
                closest.iter().for_each(|node| pack_node(node, list));
            }
        }
    }

    /// Writes some of the peers of a torrent.
    fn name_peers(&mut self, info_hash: InfoHash, is_proved: bool, values: &mut Vec<u8>) {
        let most = if is_proved {
            limits::DHT_VALUES
        } else {
            limits::DHT_UNPROVED
        };
        let store = &self.halves.0.store;
        let peers = store.some(info_hash, most, self.rng, self.now);
        peers.iter().for_each(|&peer| pack_value(peer, values));
    }

    /// Stores a peer that announces itself.
    fn store(&mut self, from: SocketAddr, query: &Query<'_>) -> Result<(), Failure<'static>> {
        let Some((info_hash, peer)) = self.announced(from, query) else {
            return Err(Failure {
                code: Failure::PROTOCOL,
                words: b"invalid token",
            });
        };
        self.halves.0.store.insert(info_hash, peer, self.now);
        Ok(())
    }

    /// The torrent and the peer that this query announces, if its token is good.
    pub fn announced(&self, from: SocketAddr, query: &Query<'_>) -> Option<(InfoHash, SocketAddr)> {
        let Ask::AnnouncePeer {
            info_hash,
            port,
            implied,
            token,
        } = query.ask
        else {
            return None;
        };
        let port = if implied { from.port() } else { port };
        let (ip, now) = (from.ip(), self.now);
        let is_valid = self.tokens.is_valid(token, ip, info_hash, now);
        is_valid.then_some((info_hash, SocketAddr::new(ip, port)))
    }
}

/// The datagram around an answer.
pub fn encode(to: SocketAddr, transaction: &[u8], body: Body<'_>) -> Vec<u8> {
    let message = Message {
        transaction,
        body,
        version: Some(VERSION),
        external: Some(to),
        read_only: false,
    };
    let mut bytes = Vec::new();
    message.encode(&mut bytes);
    bytes
}

fn is_about_nodes(query: &Query<'_>) -> bool {
    !matches!(query.ask, Ask::Ping | Ask::AnnouncePeer { .. })
}
