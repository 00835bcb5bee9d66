//! Peers found without a tracker: in the local network (see `nearby`), and by our node in the DHT
//! (BEP 5), one for all torrents. The node is made when the first torrent takes part: a process
//! whose torrents are all private (BEP 27) sends no packet of the DHT. `datagrams` hands it its
//! datagrams; the peers that it finds go to the torrents.

use std::net::SocketAddr;

use super::hosts::{Hosts, longest_wait};
use super::nearby::Nearby;
use super::torrents::Torrents;
use crate::base::{InfoHash, Rng, SortedMap, SortedSet, Time, TorrentKey, limits, sooner};
use crate::dht::{self, Dht, Event, Output, Summary, Want};
use crate::torrent::{Effect, Lent, Namer, Report, Source, Torrent};
use crate::wire::Family;

/// The values that our node is made with.
#[derive(Clone, Debug)]
pub struct Start {
    /// Families, and what was kept from an earlier run.
    pub config: dht::Config,
    /// The secret of tokens. It is apart from `seed`, whose other effects are visible to other
    /// nodes.
    pub secret: u64,
    /// Decides everything else that is random.
    pub seed: u64,
    /// Whether the user named bootstrap hosts, which [`Effect::FindNodes`] asks for.
    pub named_hosts: bool,
    /// Whether the usual bootstrap hosts may be asked, too.
    pub usual_hosts: bool,
}

/// Our node, and what it is asked for.
#[derive(Debug, Default)]
pub struct Finding {
    /// The values for our node, until it is made; `None` without the DHT.
    start: Option<Box<Start>>,
    dht: Option<Box<Dht>>,
    /// Where nodes may be that were named before ours was made.
    contacts: Vec<SocketAddr>,
    /// Torrents that take part, and the distinct peers that the lookup under way has found.
    wanted: SortedMap<InfoHash, (TorrentKey, SortedSet<SocketAddr>)>,
    /// When bootstrap hosts are looked up.
    hosts: Hosts,
    /// When the nodes are to be saved for the next run.
    keep_at: Option<Time>,
    /// The search of the local network.
    pub nearby: Nearby,
    /// Something has happened that our node must act on.
    stirred: bool,
    /// Whether each step is reported.
    watched: bool,
}

impl Finding {
    /// Torrents may be found by the DHT from now on.
    pub fn join(&mut self, start: Start) {
        self.start = Some(Box::new(start));
    }

    /// Our node, if any torrent has taken part.
    pub fn dht(&self) -> Option<&Dht> {
        self.dht.as_deref()
    }

    /// Addresses where nodes of the DHT may be: hosts to begin with, or what a torrent or a peer
    /// names.
    pub fn add_nodes(&mut self, addrs: &[SocketAddr]) {
        if let Some(dht) = &mut self.dht {
            addrs.iter().for_each(|&addr| dht.add_contact(addr));
            self.stirred |= !addrs.is_empty();
        } else if self.start.is_some() {
            let room = limits::DHT_CONTACTS - self.contacts.len();
            self.contacts.extend(addrs.iter().take(room));
        }
    }

    /// Each step is reported from now on.
    pub fn watch(&mut self) {
        self.watched = true;
        self.dht.iter_mut().for_each(|dht| dht.watch(true));
    }

    /// A datagram of the DHT came.
    pub fn receive(&mut self, from: SocketAddr, datagram: &[u8], now: Time) {
        let wanted = !self.wanted.is_empty();
        if let Some(dht) = self.dht.as_mut().filter(|_| wanted) {
            dht.receive(from, datagram, now);
            self.stirred = true;
        }
    }

    /// When something is to be done though nothing happens.
    pub fn next_deadline(&self) -> Option<Time> {
        let nearby = self.nearby.next_deadline();
        let Some(dht) = self.dht.as_ref().filter(|_| !self.wanted.is_empty()) else {
            return nearby;
        };
        if self.stirred {
            return Some(Time::default());
        }
        let hosts = self.hosts.next_deadline();
        let next = sooner(dht.next_deadline(), sooner(hosts, self.keep_at));
        sooner(nearby, next)
    }

    /// Has the torrents of this turn take part, and does what is due. `port`: the one that peers
    /// may dial.
    pub fn plan(&mut self, torrents: &mut Torrents, lent: &mut Lent<'_>, port: u16, now: Time) {
        self.nearby.plan(torrents, lent, now);
        if self.dht.is_none() && self.start.is_none() {
            return;
        }
        for &key in &lent.agenda.torrents {
            if let Some(torrent) = torrents.get(key) {
                self.note(torrent, port, now);
            }
        }
        // Without a torrent that takes part the node neither asks nor answers: the last one may
        // have turned out to be private.
        let wanted = !self.wanted.is_empty();
        let Some(dht) = self.dht.as_mut().filter(|_| wanted) else {
            return;
        };
        let due = dht.next_deadline().is_some_and(|at| at <= now);
        if std::mem::take(&mut self.stirred) || due {
            dht.turn(now);
        }
        let nodes = dht.nodes();
        while let Some(output) = self.dht.as_mut().and_then(|dht| dht.next_output()) {
            self.take(output, torrents, lent, now);
        }
        self.hosts.know(nodes, now);
        if let Some(usual) = self.due_hosts(torrents, now) {
            lent.effects.push_back(Effect::FindNodes { usual });
        }
        if self.keep_at.is_some_and(|at| at <= now) {
            self.keep_at = Some(now + limits::DHT_KEEP);
            lent.effects.push_back(Effect::KeepNodes);
        }
    }

    /// A torrent takes part, in another way than before, or no longer.
    fn note(&mut self, torrent: &Torrent, port: u16, now: Time) {
        let info_hash = torrent.order.info_hash;
        if torrent.order.dht && torrent.life.is_among_peers() {
            let want = Want {
                port: Some(port),
                implied: true,
                is_urgent: torrent.is_downloading() && torrent.census.open == 0,
            };
            self.want(torrent.key, info_hash, want, now);
            self.hosts.hurry(longest_wait(torrent));
        } else {
            self.unwant(info_hash);
        }
    }

    fn take(&mut self, output: Output, torrents: &mut Torrents, lent: &mut Lent<'_>, now: Time) {
        match output {
            Output::Datagram { to, bytes } => {
                lent.effects.push_back(Effect::Datagram { to, bytes });
            }
            Output::Peers {
                info_hash,
                from,
                peers,
            } => {
                let Some((key, found)) = self.wanted.get_mut(&info_hash) else {
                    return;
                };
                note_found(found, &peers);
                if let Some(torrent) = torrents.get_mut(*key) {
                    let by = from.map_or(Source::Dht.into(), |from| Namer::at(Source::Dht, from));
                    torrent.add_peers(&peers, by, lent.bans, now);
                    let own = |peer: &&SocketAddr| from.is_some_and(|it| it.ip() == peer.ip());
                    for &peer in peers.iter().filter(own) {
                        torrent.candidates.hear(peer, now);
                    }
                    torrent.stir(lent);
                }
                // They are dialed in this turn.
                torrents.refile(*key);
            }
            Output::Looked(summary) => self.report(&summary, torrents, lent),
            Output::Report(report) => {
                let (ours, words) = words(&report);
                let addr = report.node;
                lent.effects.push_back(Effect::Trace { addr, ours, words });
            }
        }
    }

    fn report(&mut self, summary: &Summary, torrents: &mut Torrents, lent: &mut Lent<'_>) {
        let Some((key, found)) = self.wanted.get_mut(&summary.info_hash) else {
            return;
        };
        let theirs = |addr: &SocketAddr| Family::of(addr.ip()) == summary.family;
        let peers = found.iter().filter(|addr| theirs(addr)).count();
        found.retain(|addr| !theirs(addr));
        if found.is_empty() {
            // Its memory is needed by the next lookup, of another torrent.
            *found = SortedSet::new();
        }
        let nodes = summary.answers;
        let other = summary.family.other();
        let both = self.dht.as_ref().is_some_and(|dht| dht.can_ask(other));
        let looked = torrents.get_mut(*key);
        if let Some(awake) = looked.and_then(|torrent| torrent.awake.as_mut()) {
            awake.search.on_lookup(summary.family, (nodes, peers), both);
        }
        let (torrent, report) = (Some(*key), Report::Dht { nodes, peers });
        lent.effects.push_back(Effect::Report { torrent, report });
    }

    fn want(&mut self, key: TorrentKey, info_hash: InfoHash, want: Want, now: Time) {
        if let Some(start) = self.start.take() {
            let Start {
                config,
                secret,
                seed,
                named_hosts,
                usual_hosts,
            } = *start;
            let has_saved = !config.saved.nodes.is_empty();
            self.hosts = Hosts::new(named_hosts, usual_hosts, has_saved, now);
            let mut dht = Dht::new(config, secret, Rng::from_seed(seed), now);
            dht.watch(self.watched);
            let contacts = std::mem::take(&mut self.contacts).into_iter();
            contacts.for_each(|addr| dht.add_contact(addr));
            self.dht = Some(Box::new(dht));
            self.keep_at = Some(now + limits::DHT_KEEP);
        }
        let Some(dht) = &mut self.dht else {
            return;
        };
        if dht.wanted(info_hash) != Some(want) {
            dht.want(info_hash, want, now);
            self.stirred = true;
        }
        match self.wanted.get_mut(&info_hash) {
            // The torrent was removed and added again.
            Some((known, _)) => *known = key,
            None => {
                self.wanted.insert(info_hash, (key, SortedSet::new()));
            }
        }
    }

    fn unwant(&mut self, info_hash: InfoHash) {
        if let (Some(_), Some(dht)) = (self.wanted.remove(&info_hash), &mut self.dht) {
            dht.unwant(info_hash);
            self.stirred = true;
        }
    }

    /// Whether bootstrap hosts are to be looked up now, and whether the usual ones, too.
    fn due_hosts(&mut self, torrents: &Torrents, now: Time) -> Option<bool> {
        if self.wanted.is_empty() {
            return None;
        }
        let wanted = self.wanted.values();
        let torrents = wanted.filter_map(|(key, _)| torrents.get(*key));
        let least = || torrents.map(longest_wait).min().unwrap_or_default();
        self.hosts.due(least, now)
    }
}

fn note_found(found: &mut SortedSet<SocketAddr>, peers: &[SocketAddr]) {
    for &peer in peers {
        if found.len() < limits::DHT_COUNTED {
            found.insert(peer);
        }
    }
}

/// A step of a lookup in words, and whether we sent something.
pub fn words(report: &dht::Report) -> (bool, String) {
    let bits = report.bits.map(|bits| format!(", {bits} bits away"));
    let place = format!("{}{}", report.target, bits.unwrap_or_default());
    match &report.event {
        Event::Asked => (true, format!("DHT: asked about {place}")),
        Event::Announced => (true, format!("DHT: announced {place}")),
        Event::Answered {
            round_trip,
            nodes,
            peers,
            client,
        } => {
            let client = client.as_ref().map(|client| format!(" ({client})"));
            let milliseconds = round_trip.as_millis();
            let words = format!(
                "DHT: nodes: {nodes}, peers: {peers}, after {milliseconds} ms about {place}{}",
                client.unwrap_or_default()
            );
            (false, words)
        }
        Event::Slow => (false, format!("DHT: slow to answer about {place}")),
        Event::Silent => (false, format!("DHT: silent about {place}")),
        Event::Refused { words } => (false, format!("DHT: refused: {words}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_counted_of_a_lookup_are_distinct_and_bounded() {
        let mut found = SortedSet::new();
        let peer = |number: usize| SocketAddr::from(((number as u32).to_be_bytes(), 7));
        let peers: Vec<SocketAddr> = (0..100).map(peer).collect();
        (0..2).for_each(|_| note_found(&mut found, &peers));
        assert_eq!(found.len(), 100);
        let peers: Vec<SocketAddr> = (0..10_000).map(peer).collect();
        note_found(&mut found, &peers);
        assert_eq!(found.len(), limits::DHT_COUNTED);
    }
}
