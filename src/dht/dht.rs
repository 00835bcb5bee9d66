//! Our node in the DHT. A datagram that comes in changes what the node knows; `turn` decides what
//! to ask. Answers go out at once, queries when the pace allows.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::active::Lookups;
use super::answer::{self, Answering};
use super::answer_limits::AnswerLimits;
use super::half::Half;
use super::lookup::Found;
use super::output::{Event, Output, Outputs, Report};
use super::pace::Pace;
use super::queries::{Purpose, Queries, Sent};
use super::reached::Reached;
use super::round_trips::RoundTrips;
use super::saved::Saved;
use super::silent::Silent;
use super::tokens::Tokens;
use super::wanted::{Want, Wanted};
use crate::base::reach::may_name;
use crate::base::{InfoHash, NodeId, Rng, Time, plain, sooner};
use crate::wire::Family;
use crate::wire::krpc::{Body, Message, NodeInfo, Query, Reply, Unreadable};

/// What a node is made with.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Take part over IPv4.
    pub v4: bool,
    /// Take part over IPv6.
    pub v6: bool,
    /// What was kept from an earlier run.
    pub saved: Saved,
}

/// Our node. After each [`Dht::receive`], each change of what is wanted, and when
/// [`Dht::next_deadline`] has come, [`Dht::turn`] is to be called, and then [`Dht::next_output`]
/// until there is none.
#[derive(Debug)]
pub struct Dht {
    /// IPv4, then IPv6.
    pub(super) halves: [Option<Half>; 2],
    pub(super) wanted: Wanted,
    pub(super) lookups: Lookups,
    pub(super) queries: Queries,
    /// Announces that wait to be sent: the torrent, and the node.
    pub(super) announces: VecDeque<(InfoHash, Found)>,
    pub(super) pace: Pace,
    pub(super) round_trips: RoundTrips,
    pub(super) silent: Silent,
    pub(super) reached: Reached,
    pub(super) tokens: Tokens,
    pub(super) answer_limits: AnswerLimits,
    /// When upkeep may ask again, and when it has something to ask.
    pub(super) upkeep: (Time, Option<Time>),
    /// When a node last answered us.
    pub(super) heard: Time,
    pub(super) rng: Rng,
    pub(super) outputs: Outputs,
}

impl Dht {
    /// A node that knows only the nodes that were saved. `secret`: what tokens are made of.
    pub fn new(config: Config, secret: u64, mut rng: Rng, now: Time) -> Dht {
        let mut half = |there: bool, family| {
            let (id, nodes) = config.saved.nodes_of(family);
            there.then(|| Half::new(family, id, nodes, &mut rng, now))
        };
        let halves = [half(config.v4, Family::V4), half(config.v6, Family::V6)];
        Dht {
            halves,
            wanted: Wanted::default(),
            lookups: Lookups::default(),
            queries: Queries::default(),
            announces: VecDeque::new(),
            pace: Pace::default(),
            round_trips: RoundTrips::default(),
            silent: Silent::default(),
            reached: Reached::new(now),
            tokens: Tokens::new(secret, now),
            answer_limits: AnswerLimits::new(&mut rng),
            upkeep: (now, None),
            heard: now,
            rng,
            outputs: Outputs::default(),
        }
    }

    /// An address where a node may be: a bootstrap host, or one that a torrent or a peer's `port`
    /// message names.
    pub fn add_contact(&mut self, addr: SocketAddr) {
        let addr = plain(addr);
        if !may_name(addr, addr) {
            return;
        }
        let family = Family::of(addr.ip());
        if let Some(half) = self.half(family) {
            half.add_contact(addr);
            let all = self.lookups.iter_mut();
            all.filter(|active| active.family == family)
                .for_each(|active| active.lookup.add_contact(addr));
        }
    }

    /// A torrent takes part: its peers are looked for, and it is announced, until
    /// [`Dht::unwant`]. Called again it changes how.
    pub fn want(&mut self, info_hash: InfoHash, want: Want, now: Time) {
        self.wanted.insert(info_hash, want, now);
    }

    /// A torrent takes no part any more.
    pub fn unwant(&mut self, info_hash: InfoHash) {
        self.wanted.remove(info_hash);
        self.lookups.remove(info_hash);
        self.announces.retain(|(other, _)| *other != info_hash);
    }

    /// How a torrent takes part, if it does.
    pub fn wanted(&self, info_hash: InfoHash) -> Option<Want> {
        self.wanted.get(info_hash)
    }

    /// Whether each step is to be reported.
    pub fn watch(&mut self, watched: bool) {
        self.outputs.watched = watched;
    }

    /// We are gone soon: our queries say that we only read, and nobody keeps us in a table.
    pub fn only_read(&mut self) {
        self.reached.set_brief();
    }

    /// A datagram came.
    pub fn receive(&mut self, from: SocketAddr, datagram: &[u8], now: Time) {
        let from = plain(from);
        let family = Family::of(from.ip());
        if self.half(family).is_none() || !may_name(from, from) {
            return;
        }
        match Message::parse(datagram) {
            Ok(message) => match message.body {
                Body::Query(query) => self.on_query(from, &message, &query, now),
                Body::Reply(reply) if self.id(family) == Some(reply.id) => {
                    // Others know us by an earlier id.
                    let half = self.half(family);
                    half.into_iter().for_each(|half| half.table.remove(from));
                    self.on_refusal(from, &message, "it is our own node".into());
                }
                Body::Reply(reply) => self.on_reply(from, &message, &reply, now),
                Body::Failure(failure) => self.on_refusal(from, &message, failure.shown()),
            },
            Err(Unreadable::Query {
                transaction,
                failure,
            }) => {
                if self.may_answer(from, now) {
                    let bytes = answer::encode(from, transaction, Body::Failure(failure));
                    self.outputs.push(Output::Datagram { to: from, bytes });
                }
            }
            Err(Unreadable::Malformed(_)) => {}
        }
    }

    /// Does what is due.
    pub fn turn(&mut self, now: Time) {
        self.pace.forget_wait();
        while let Some(sent) = self.queries.next_lost(now) {
            let half = self.half(Family::of(sent.to.ip()));
            let is_host_known = half.is_some_and(|half| half.table.is_host_known(sent.to));
            self.silent.note(sent.to, is_host_known, now);
            // If no other node has answered since, our own network is the likely cause.
            let is_alone = self.heard <= sent.at;
            if let Some(half) = self.half(Family::of(sent.to.ip())).filter(|_| !is_alone) {
                half.table.on_silence(sent.to);
                half.forget_saved(sent.to);
            }
            self.on_no_answer(sent, Event::Silent);
        }
        self.note_slow(now);
        self.send_announces(now);
        loop {
            self.begin_lookups(now);
            self.send_lookups(now);
            if !self.end_lookups(now) {
                break;
            }
            self.send_announces(now);
        }
        self.keep_up(now);
    }

    /// When [`Dht::turn`] has something to do though nothing happens.
    pub fn next_deadline(&self) -> Option<Time> {
        let slow_after = self.round_trips.slow_after();
        let mut next = sooner(self.queries.next_deadline(), self.pace.next_deadline());
        next = sooner(next, self.lookups.next_deadline(slow_after));
        let has_room = self.lookups.has_room();
        for half in self.halves.iter().flatten() {
            if has_room && half.can_ask() {
                next = sooner(next, self.wanted.next_deadline(half.family));
            }
            if has_room {
                next = sooner(next, self.home_at(half.family));
            }
        }
        sooner(next, self.upkeep.1)
    }

    /// What the outside is to do, or to know.
    pub fn next_output(&mut self) -> Option<Output> {
        self.outputs.pop()
    }

    /// What to keep for the next run.
    pub fn saved(&self) -> Saved {
        let id = |half: &Option<Half>| half.as_ref().map(|half| half.table.own());
        let halves = self.halves.iter().flatten();
        Saved {
            id4: id(&self.halves[0]),
            id6: id(&self.halves[1]),
            nodes: halves.flat_map(|half| half.table.to_save()).collect(),
        }
    }

    /// Our id in one family's DHT, if we take part.
    pub fn id(&self, family: Family) -> Option<NodeId> {
        let half = self.halves[family.index()].as_ref();
        half.map(|half| half.table.own())
    }

    /// Whether we take part in one family's DHT and know an address to ask.
    pub fn can_ask(&self, family: Family) -> bool {
        let half = self.halves[family.index()].as_ref();
        half.is_some_and(Half::can_ask)
    }

    /// Nodes in the routing tables.
    pub fn nodes(&self) -> usize {
        let halves = self.halves.iter().flatten();
        halves.map(|half| half.table.len()).sum()
    }

    /// Peers that others left with us.
    pub fn stored_peers(&self) -> usize {
        let halves = self.halves.iter().flatten();
        halves.map(|half| half.store.peers()).sum()
    }

    pub(super) fn half(&mut self, family: Family) -> Option<&mut Half> {
        self.halves[family.index()].as_mut()
    }

    // Receiving.

    /// Whether a query is answered. BEP 43: who only reads "no longer responds to 'query' messages
    /// that it receives".
    fn may_answer(&mut self, from: SocketAddr, now: Time) -> bool {
        let is_read_only = self.reached.is_read_only(from.ip(), now);
        !is_read_only && self.answer_limits.may_answer(from.ip(), now)
    }

    fn on_query(&mut self, from: SocketAddr, message: &Message<'_>, query: &Query<'_>, now: Time) {
        self.reached.on_query(from.ip(), now);
        if !self.may_answer(from, now) {
            return;
        }
        let [v4, v6] = &mut self.halves;
        let halves = match Family::of(from.ip()) {
            Family::V4 => (v4.as_mut(), v6.as_mut()),
            Family::V6 => (v6.as_mut(), v4.as_mut()),
        };
        let (Some(half), other) = halves else {
            return;
        };
        if !message.read_only {
            let info = NodeInfo {
                id: query.id,
                addr: from,
            };
            if !self.silent.has(from, now) && half.table.suggest(info) {
                self.upkeep.1 = Some(self.upkeep.0);
            }
        }
        let mut answering = Answering {
            halves: (half, other),
            tokens: &self.tokens,
            rng: &mut self.rng,
            now,
        };
        let announced = answering.announced(from, query);
        let bytes = answering.answer(from, message.transaction, query);
        self.outputs.push(Output::Datagram { to: from, bytes });
        if let Some((info_hash, peer)) = announced {
            if self.wanted.get(info_hash).is_some() {
                self.outputs.push(Output::Peers {
                    info_hash,
                    from: Some(from),
                    peers: vec![peer],
                });
            }
        }
    }

    fn on_reply(&mut self, from: SocketAddr, message: &Message<'_>, reply: &Reply<'_>, now: Time) {
        let Some(sent) = self.queries.take(message.transaction, from) else {
            return;
        };
        self.heard = now;
        self.silent.forget(from);
        self.reached.on_answer(from.ip(), now);
        let round_trip = now.since(sent.at);
        self.round_trips.note(round_trip);
        let node = NodeInfo {
            id: reply.id,
            addr: from,
        };
        let (mut own, mut other) = (Vec::new(), Vec::new());
        let family = Family::of(from.ip());
        for named in [Family::V4, Family::V6]
            .into_iter()
            .flat_map(|family| reply.nodes_of(family))
        {
            if may_name(from, named.addr) && self.id(Family::of(named.addr.ip())) != Some(named.id)
            {
                let list = if Family::of(named.addr.ip()) == family {
                    &mut own
                } else {
                    &mut other
                };
                list.push(named);
            }
        }
        if let Some(half) = self.halves[family.index()].as_mut() {
            let before = half.table.len();
            if sent.id.is_some_and(|id| id != reply.id) {
                half.table.remove(from);
            }
            if !message.read_only {
                half.table.on_answer(node, now);
                if half.has_grown(before) {
                    self.wanted.hurry(family, before == 0, now);
                }
            }
            half.forget_saved(from);
            if let Some(seen) = message.external {
                half.note_vote(from, seen.ip(), &mut self.rng, now);
            }
        }
        self.suggest(&own, now);
        self.suggest(&other, now);
        let peers = self.take_peers(from, &sent, reply, message.external);
        if let Purpose::Lookup(number, info_hash) = sent.purpose {
            if let Some(active) = self.lookups.get_mut(number) {
                active.peers += peers;
                active.lookup.on_answer(node, reply.token, &own);
            }
            if let Some(info_hash) = info_hash.filter(|_| !other.is_empty()) {
                self.lend(info_hash, from, &other);
            }
        }
        if let Purpose::Announce(info_hash) = sent.purpose {
            self.wanted.on_announced(info_hash, family, reply.id, now);
        }
        let nodes = own.len() + other.len();
        let client = message.client();
        self.report(&sent, Some(reply.id), || Event::Answered {
            round_trip,
            nodes,
            peers,
            client,
        });
    }

    /// Hands over the peers of a reply; returns how many. `external`: where its sender sees us;
    /// that address is left out.
    fn take_peers(
        &mut self,
        from: SocketAddr,
        sent: &Sent,
        reply: &Reply<'_>,
        external: Option<SocketAddr>,
    ) -> usize {
        let Purpose::Lookup(_, Some(info_hash)) = sent.purpose else {
            return 0;
        };
        let (Some(values), Some(want)) = (reply.values, self.wanted.get(info_hash)) else {
            return 0;
        };
        let is_us = |peer: &SocketAddr| {
            external.is_some_and(|seen| plain(seen).ip() == peer.ip())
                && want.port == Some(peer.port())
        };
        let peers: Vec<SocketAddr> = values
            .iter()
            .map(plain)
            .filter(|peer| may_name(from, *peer) && !is_us(peer))
            .collect();
        let count = peers.len();
        if count > 0 {
            self.outputs.push(Output::Peers {
                info_hash,
                from: Some(from),
                peers,
            });
        }
        count
    }

    fn on_refusal(&mut self, from: SocketAddr, message: &Message<'_>, words: String) {
        if let Some(sent) = self.queries.take(message.transaction, from) {
            self.on_no_answer(sent, Event::Refused { words });
        }
    }

    fn on_no_answer(&mut self, sent: Sent, event: Event) {
        if let Purpose::Lookup(number, _) = sent.purpose {
            if let Some(active) = self.lookups.get_mut(number) {
                active.lookup.on_failure(sent.to);
            }
        }
        self.report(&sent, sent.id, || event);
    }

    pub(super) fn report(
        &mut self,
        sent: &Sent,
        id: Option<NodeId>,
        event: impl FnOnce() -> Event,
    ) {
        let target = match sent.purpose {
            Purpose::Lookup(number, _) => self
                .lookups
                .get_mut(number)
                .map(|active| active.lookup.target()),
            Purpose::Announce(info_hash) => Some(info_hash.into()),
            Purpose::Check => None,
        };
        if let Some(target) = target {
            self.outputs.report(|| Report {
                target,
                node: sent.to,
                bits: id.map(|id| id.distance(&target).bits()),
                event: event(),
            });
        }
    }
}
