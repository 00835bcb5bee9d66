//! What our node asks: the lookups of torrents and of our home, the announces that follow
//! them, and the upkeep of the routing table.

use std::net::SocketAddr;

use super::active::Active;
use super::answer::VERSION;
use super::dht::Dht;
use super::lookup::{Found, Lookup};
use super::output::{Event, Output, Report, Summary};
use super::queries::{Purpose, Queries, Sent};
use super::silent::Silent;
use super::table::Table;
use super::wanted::Outcome;
use crate::base::{Duration, InfoHash, NodeId, Time, limits, sooner};
use crate::wire::Family;
use crate::wire::krpc::{Ask, Body, Message, NodeInfo, Query, Want as Families};

const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

/// Torrents are looked up first; our home waits for them, but no longer than this.
const HOME_WAITS: Duration = Duration::from_secs(10);

impl Dht {
    /// Some nodes have become slow: others are asked in their place.
    pub(super) fn note_slow(&mut self, now: Time) {
        let slow_after = self.round_trips.slow_after();
        for active in self.lookups.iter_mut() {
            for node in active.lookup.tick(slow_after, now) {
                let target = active.lookup.target();
                self.outputs.report(|| Report {
                    target,
                    node,
                    bits: None,
                    event: Event::Slow,
                });
            }
        }
    }

    /// Announces torrents to the nodes that were found, as the pace allows.
    pub(super) fn send_announces(&mut self, now: Time) {
        while let Some((info_hash, found)) = self.announces.front() {
            let want = self.wanted.get(*info_hash);
            let (Some(port), Some(token)) = (want.and_then(|want| want.port), &found.token) else {
                self.announces.pop_front();
                continue;
            };
            if !self.pace.take(now) {
                return;
            }
            let (info_hash, node, token) = (*info_hash, found.node, token.clone());
            self.announces.pop_front();
            let ask = Ask::AnnouncePeer {
                info_hash,
                port,
                implied: want.is_some_and(|want| want.implied),
                token: &token,
            };
            let purpose = Purpose::Announce(info_hash);
            self.send(node.addr, Some(node.id), ask, purpose, now);
        }
    }

    /// Begins the lookups that are due.
    pub(super) fn begin_lookups(&mut self, now: Time) {
        for family in FAMILIES {
            if self.home_at(family).is_some_and(|at| at <= now) && self.lookups.has_room() {
                self.begin_home(family);
            }
        }
        // One of each family in turn.
        loop {
            let mut began = false;
            for family in FAMILIES {
                let can_ask = self.half(family).is_some_and(|half| half.can_ask());
                if can_ask && self.lookups.has_room() {
                    if let Some(info_hash) = self.wanted.begin_lookup(family, now) {
                        self.begin_torrent(info_hash, family, now);
                        began = true;
                    }
                }
            }
            if !began {
                return;
            }
        }
    }

    /// When our home is to be looked up: the nodes near to our own id.
    pub(super) fn home_at(&self, family: Family) -> Option<Time> {
        let half = self.halves.iter().flatten();
        let due = half
            .filter(|half| half.family == family)
            .find_map(|half| half.home_due())?;
        let is_busy = self.lookups.has(family) || self.wanted_by(family, due + HOME_WAITS);
        Some(if is_busy { due + HOME_WAITS } else { due })
    }

    /// Whether a torrent's lookup is due by then.
    fn wanted_by(&self, family: Family, by: Time) -> bool {
        let due = self.wanted.next_deadline(family);
        due.is_some_and(|due| due <= by)
    }

    fn begin_home(&mut self, family: Family) {
        let Some(half) = self.half(family) else {
            return;
        };
        half.begin_home();
        let target = half.table.own();
        let (seeds, reserve) = half.seeds(&target);
        let lookup = Lookup::new(target, &seeds, reserve);
        self.lookups.begin(family, None, lookup);
    }

    fn begin_torrent(&mut self, info_hash: InfoHash, family: Family, now: Time) {
        let target = NodeId::from(info_hash);
        let nearest = self.wanted.nodes(info_hash, family);
        let Some(half) = self.halves.iter().flatten().find(|it| it.family == family) else {
            return;
        };
        let (mut seeds, reserve) = half.seeds(&target);
        let stored = half
            .store
            .some(info_hash, limits::DHT_PEERS_EACH, &mut self.rng, now);
        seeds.extend(nearest);
        let lookup = Lookup::new(target, &seeds, reserve);
        self.lookups.begin(family, Some(info_hash), lookup);
        if !stored.is_empty() {
            self.outputs.push(Output::Peers {
                info_hash,
                from: None,
                peers: stored,
            });
        }
    }

    /// Sends what the lookups ask next, as the pace allows.
    pub(super) fn send_lookups(&mut self, now: Time) {
        while let Some((number, info_hash, target, ask)) = self.next_ask(now) {
            if !self.pace.take(now) {
                return;
            }
            if let Some(active) = self.lookups.get_mut(number) {
                active.lookup.on_asked(ask.addr, now);
            }
            let query = match info_hash {
                Some(info_hash) => Ask::GetPeers(info_hash),
                None => Ask::FindNode(target),
            };
            let purpose = Purpose::Lookup(number, info_hash);
            self.send(ask.addr, ask.id, query, purpose, now);
        }
    }

    /// The next node that a lookup asks. It skips nodes that were silent lately, and further ports
    /// of a host that is being asked at many.
    fn next_ask(
        &mut self,
        now: Time,
    ) -> Option<(u32, Option<InfoHash>, NodeId, super::lookup::Ask)> {
        let (silent, queries, halves) = (&self.silent, &self.queries, &self.halves);
        for active in self.lookups.iter_mut() {
            while let Some(ask) = active.lookup.peek() {
                let half = halves[Family::of(ask.addr.ip()).index()].as_ref();
                let table = half.map(|half| &half.table);
                let is_left_alone = is_left_alone(ask.addr, (silent, queries), table, now);
                if ask.id.is_some() && is_left_alone {
                    active.lookup.pass_over(ask.addr);
                    continue;
                }
                let target = active.lookup.target();
                return Some((active.number, active.info_hash, target, ask));
            }
        }
        None
    }

    /// Ends the lookups that are done. Returns whether there was one.
    pub(super) fn end_lookups(&mut self, now: Time) -> bool {
        let mut ended = false;
        while let Some((active, found)) = self.lookups.next_done() {
            ended = true;
            match active.info_hash {
                Some(info_hash) => self.end_torrent(info_hash, &active, found, now),
                None => {
                    if let Some(half) = self.half(active.family) {
                        half.end_home(now);
                    }
                }
            }
        }
        ended
    }

    fn end_torrent(&mut self, info_hash: InfoHash, active: &Active, found: Vec<Found>, now: Time) {
        let nodes: Vec<NodeInfo> = found.iter().map(|found| found.node).collect();
        let outcome = Outcome {
            answered: active.lookup.answers() > 0,
            few: active.lookup.answers() < limits::DHT_POOR,
            nodes: &nodes,
        };
        let (family, rng) = (active.family, &mut self.rng);
        self.wanted.end(info_hash, family, outcome, rng, now);
        let open = self.wanted.get(info_hash).and_then(|want| want.port);
        let to: Vec<Found> = found
            .into_iter()
            .filter(|found| open.is_some() && found.token.is_some())
            .filter(|found| self.wanted.is_news(info_hash, family, found.node.id, now))
            .collect();
        self.outputs.push(Output::Looked(Summary {
            info_hash,
            family,
            queries: active.lookup.queries(),
            answers: active.lookup.answers(),
            peers: active.peers,
            announced: to.len(),
        }));
        let to = to.into_iter().map(|found| (info_hash, found));
        self.announces.extend(to);
    }

    /// Hands nodes of the other family, which this node named to a lookup, to that family's lookup
    /// of the same torrent.
    pub(super) fn lend(&mut self, info_hash: InfoHash, from: SocketAddr, nodes: &[NodeInfo]) {
        let other = Family::of(from.ip()).other();
        if let Some(active) = self.lookups.of_mut(info_hash, other) {
            active.lookup.add_named(nodes, from);
        }
    }

    /// Notes nodes that were named: upkeep may ask whether they are alive.
    pub(super) fn suggest(&mut self, nodes: &[NodeInfo], now: Time) {
        for node in nodes {
            let is_silent = self.silent.has(node.addr, now);
            let half = self.half(Family::of(node.addr.ip()));
            let Some(half) = half.filter(|_| !is_silent) else {
                continue;
            };
            if half.table.suggest(*node) {
                self.upkeep.1 = Some(self.upkeep.0);
            }
        }
    }

    /// Asks one node of the routing table, or one that may come into it, from time to time.
    pub(super) fn keep_up(&mut self, now: Time) {
        let (free_at, due) = self.upkeep;
        if due.is_some_and(|due| due > now) {
            return;
        }
        let mut next_free = free_at;
        if free_at <= now {
            if let Some((node, target)) = self.next_check(now) {
                let is_young = self.nodes() < limits::DHT_YOUNG;
                let gap = if is_young {
                    limits::DHT_UPKEEP_YOUNG
                } else {
                    limits::DHT_UPKEEP
                };
                next_free = now + gap;
                if self.pace.take(now) {
                    let ask = Ask::FindNode(target);
                    self.send(node.addr, Some(node.id), ask, Purpose::Check, now);
                }
            }
        }
        let checks = self.halves.iter().flatten().map(|half| half.check_at());
        let next = checks.fold(None, sooner);
        // What is due may be skipped, as silent nodes are.
        let least = next_free.max(now + limits::DHT_UPKEEP_YOUNG);
        self.upkeep = (next_free, next.map(|at| at.max(least)));
    }

    fn next_check(&mut self, now: Time) -> Option<(NodeInfo, NodeId)> {
        let mut halves: Vec<usize> = vec![0, 1];
        self.rng.shuffle(&mut halves);
        for index in halves {
            let Some(half) = &mut self.halves[index] else {
                continue;
            };
            if let Some(node) = half.next_saved() {
                if !self.silent.has(node.addr, now) {
                    return Some((node, half.table.own()));
                }
            }
            if let Some(check) = half.table.next_check(now, &mut self.rng) {
                let addr = check.node.addr;
                // Whoever claims to write from an address makes us ask there: once is enough.
                let (silent, queries) = (&self.silent, &self.queries);
                let is_asked = queries.has(addr)
                    || is_left_alone(addr, (silent, queries), Some(&half.table), now)
                    || self.lookups.will_ask(addr);
                if !check.is_new || !is_asked {
                    return Some((check.node, check.target));
                }
            }
        }
        None
    }

    /// Sends a query.
    fn send(
        &mut self,
        to: SocketAddr,
        id: Option<NodeId>,
        ask: Ask<'_>,
        purpose: Purpose,
        now: Time,
    ) {
        let families = self.halves.iter().flatten();
        let is_poor = families.clone().any(|half| half.is_poor());
        let want = (families.count() == 2 && is_poor && !matches!(ask, Ask::AnnouncePeer { .. }))
            .then_some(Families { v4: true, v6: true });
        let Some(own) = self.half(Family::of(to.ip())).map(|half| half.table.own()) else {
            return;
        };
        let sent = Sent {
            to,
            id,
            at: now,
            purpose,
        };
        let transaction = self.queries.add(sent, &mut self.rng);
        let message = Message {
            transaction: &transaction,
            body: Body::Query(Query { id: own, ask, want }),
            version: Some(VERSION),
            external: None,
            read_only: self.reached.is_read_only(to.ip(), now),
        };
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        self.reached.on_sent(to.ip(), now);
        self.outputs.push(Output::Datagram { to, bytes });
        let event = match purpose {
            Purpose::Announce(_) => Event::Announced,
            Purpose::Lookup(..) | Purpose::Check => Event::Asked,
        };
        self.report(&sent, id, || event);
    }
}

/// Whether an address is not to be asked: it was silent lately, or several ports of its host were,
/// or are being asked, and it is not known to answer.
fn is_left_alone(
    addr: SocketAddr,
    (silent, queries): (&Silent, &Queries),
    table: Option<&Table>,
    now: Time,
) -> bool {
    let ports = silent.other_ports(addr, now) + queries.other_ports(addr);
    let is_known = || table.is_some_and(|table| table.is_known(addr));
    silent.has(addr, now) || (ports >= limits::DHT_PORTS_EACH && !is_known())
}
