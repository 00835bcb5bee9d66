//! Our part in the DHT of one address family (BEP 32): an id, the nodes that we know, and the peers
//! that others stored here. The two families are separate networks.

use std::net::{IpAddr, SocketAddr};

use super::peer_store::PeerStore;
use super::table::Table;
use super::votes::Votes;
use super::wanted::backoff;
use super::{guard, secure_id};
use crate::base::{NodeId, Rng, Time, limits};
use crate::wire::Family;
use crate::wire::krpc::NodeInfo;

/// One family's part.
#[derive(Debug)]
pub struct Half {
    /// Which family.
    pub family: Family,
    /// The nodes that we know, and our own id.
    pub table: Table,
    /// The peers that others announced.
    pub store: PeerStore,
    /// Addresses to begin with.
    contacts: Vec<SocketAddr>,
    /// Nodes of an earlier run that were not asked yet.
    saved: Vec<NodeInfo>,
    votes: Votes,
    /// When our id last followed a vote.
    moved: Option<Time>,
    /// When our home, the nodes near to our own id, is to be looked up; `None`: that is under way.
    home_due: Option<Time>,
    /// Our id has changed while its neighbours were looked up.
    has_moved: bool,
    failures: u32,
    /// See [`Half::has_grown`].
    most: usize,
}

impl Half {
    /// With the id and the nodes of an earlier run, if there was one.
    pub fn new(
        family: Family,
        id: Option<NodeId>,
        saved: Vec<NodeInfo>,
        rng: &mut Rng,
        now: Time,
    ) -> Half {
        let id = id.unwrap_or_else(|| NodeId::random(rng));
        Half {
            family,
            table: Table::new(id),
            store: PeerStore::default(),
            contacts: Vec::new(),
            saved,
            votes: Votes::default(),
            moved: None,
            home_due: Some(now),
            has_moved: false,
            failures: 0,
            most: 0,
        }
    }

    /// An address where a node may be: lookups that begin from now on ask it if no node that they
    /// know answers. Of too many the oldest is forgotten.
    pub fn add_contact(&mut self, addr: SocketAddr) {
        if self.contacts.contains(&addr) {
            return;
        }
        if self.contacts.len() >= limits::DHT_CONTACTS {
            self.contacts.remove(0);
        }
        self.contacts.push(addr);
    }

    /// Whether we know any address to ask.
    pub fn can_ask(&self) -> bool {
        self.table.len() > 0 || !self.saved.is_empty() || !self.contacts.is_empty()
    }

    /// Nodes with which a lookup of this target begins, and the addresses to ask if they are
    /// silent.
    pub fn seeds(&self, target: &NodeId) -> (Vec<NodeInfo>, Vec<SocketAddr>) {
        let mut seeds = self.table.closest(target, 2 * limits::DHT_K);
        if self.is_poor() {
            let mut saved = self.saved.clone();
            saved.sort_unstable_by_key(|node| node.id.distance(target));
            saved.truncate(2 * limits::DHT_K);
            seeds.extend(saved);
        }
        (seeds, self.contacts.clone())
    }

    /// A node of an earlier run to ask, while few are known.
    pub fn next_saved(&mut self) -> Option<NodeInfo> {
        if self.table.len() >= limits::DHT_YOUNG {
            self.saved = Vec::new();
        }
        self.saved.pop()
    }

    /// When upkeep has something to ask.
    pub fn check_at(&self) -> Option<Time> {
        if self.saved.is_empty() {
            self.table.check_at()
        } else {
            Some(Time::default())
        }
    }

    /// Whether more nodes are wanted than are known.
    pub fn is_poor(&self) -> bool {
        self.table.len() < limits::DHT_POOR
    }

    /// Whether more nodes are known than ever since none was, and not many yet: what those could
    /// not tell that were known before, the new one may. `before`: how many were known before it
    /// answered. Each number counts once, since a node may call itself otherwise each time.
    pub fn has_grown(&mut self, before: usize) -> bool {
        if before == 0 {
            self.most = 0;
        }
        let count = self.table.len().min(limits::DHT_POOR);
        let has_grown = count > self.most;
        self.most = self.most.max(count);
        has_grown
    }

    /// A node of an earlier run has answered or was silent.
    pub fn forget_saved(&mut self, addr: SocketAddr) {
        if !self.saved.is_empty() {
            self.saved.retain(|node| !guard::is_same(node.addr, addr));
        }
    }

    /// A node says where it sees us. If several agree, and our id does not fit that address (BEP
    /// 42), we get one that does, and look for our new neighbours.
    pub fn note_vote(&mut self, voter: SocketAddr, seen: IpAddr, rng: &mut Rng, now: Time) {
        if Family::of(seen.to_canonical()) != self.family {
            return;
        }
        self.votes.note(voter, seen);
        let Some(ip) = self.votes.winner() else {
            return;
        };
        let settled = self
            .moved
            .is_some_and(|at| now.since(at) < limits::DHT_ID_KEPT);
        if secure_id::fits(&self.table.own(), ip) || settled {
            return;
        }
        self.moved = Some(now);
        self.table.move_to(secure_id::make(ip, rng));
        self.home_due = self.home_due.map(|_| now);
        self.has_moved = true;
    }

    /// When our home is to be looked up: the nodes near to our own id.
    pub fn home_due(&self) -> Option<Time> {
        self.home_due.filter(|_| self.can_ask())
    }

    /// It is being looked up.
    pub fn begin_home(&mut self) {
        self.home_due = None;
        self.has_moved = false;
    }

    /// It was looked up. While few nodes are known, that is repeated soon.
    pub fn end_home(&mut self, now: Time) {
        let wait = if self.is_poor() {
            self.failures += 1;
            backoff(self.failures - 1)
        } else {
            self.failures = 0;
            limits::DHT_QUESTIONABLE
        };
        self.home_due = Some(if self.has_moved { now } else { now + wait });
    }
}
