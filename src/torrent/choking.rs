//! Which peers of a torrent are choked and unchoked, and when that is decided anew.

use slab::Slab;

use super::census::Census;
use super::choker::{Choker, View};
use super::lent;
use super::slot::{Member, Slot};
use crate::base::{PeerKey, Rng, SortedSet, Time, limits};

/// The choker and what makes it decide.
#[derive(Debug)]
pub struct Choking {
    choker: Choker,
    /// Something has happened that may leave an upload slot empty.
    due: bool,
    /// Peers that want something of us, as the process counts them.
    pub counted: usize,
    /// When to check whether the peers unchoked last use their slots.
    unused_at: Option<Time>,
}

/// What the process says of a decision.
#[derive(Clone, Copy)]
pub struct Terms<'a> {
    /// Peers that may be unchoked.
    pub slots: usize,
    /// All connections are taken: unused upload slots are given to others.
    pub short: bool,
    /// Nothing is left to download.
    pub seeding: bool,
    /// Whether a peer waits for the upload limit.
    pub starved: &'a dyn Fn(PeerKey) -> bool,
}

impl Choking {
    /// No peer is unchoked, and the first round is due at once.
    pub fn new(now: Time, rng: Rng) -> Choking {
        Choking {
            choker: Choker::new(now, rng),
            due: false,
            counted: 0,
            unused_at: None,
        }
    }

    /// Something has happened that may leave an upload slot empty.
    pub fn set_due(&mut self) {
        self.due = true;
    }

    /// When all peers are judged anew.
    pub fn next_round(&self) -> Time {
        self.choker.next_round()
    }

    /// When to check whether the peers unchoked last use their slots, which matters while all
    /// connections are taken.
    pub fn unused_at(&self) -> Option<Time> {
        self.unused_at
    }

    /// Decides, if it is time: the peers to choke (true) and to unchoke.
    pub fn decide(
        &mut self,
        census: Census,
        (slots, keys): (&Slab<Slot>, &SortedSet<PeerKey>),
        terms: Terms<'_>,
        now: Time,
    ) -> Vec<(PeerKey, bool)> {
        let due = now >= self.choker.next_round();
        let unused_due = terms.short && self.unused_at.is_some_and(|at| at <= now);
        if !due && !unused_due && !self.due {
            return Vec::new();
        }
        self.due = false;
        self.unused_at = self.unused_at.filter(|&at| at > now);
        let (interested, served) = (census.interested, census.served);
        if !due && (served == interested || (served > terms.slots && !unused_due)) {
            return Vec::new();
        }
        let open = lent::greeted(slots, keys).filter(|(_, member)| member.peer.is_open());
        let views: Vec<View> = open
            .map(|(key, member)| view(key, member, terms, now))
            .collect();
        let (seeding, most) = (terms.seeding, terms.slots);
        if !due {
            let refilled = self.choker.refill(&views, most, seeding, now);
            return refilled.into_iter().map(|key| (key, false)).collect();
        }
        let chosen = self.choker.round(&views, most, seeding, now);
        let choked = |view: &View| (view.key, !chosen.contains(&view.key));
        views.iter().map(choked).collect()
    }

    /// Chokes or unchokes a peer. Whether that is a change.
    pub fn set(&mut self, member: &mut Member, choking: bool, now: Time) -> bool {
        if member.peer.choke_state().am_choking == choking {
            return false;
        }
        if choking {
            if member.is_unused(now) {
                member.wasted = Some(now);
            }
            member.waits_since = now;
            member.peer.choke();
        } else {
            member.offered = now;
            member.peer.unchoke();
            let due = now + limits::UNUSED;
            self.unused_at = self.unused_at.filter(|&at| at > now).or(Some(due));
        }
        true
    }
}

fn view(key: PeerKey, member: &Member, terms: Terms<'_>, now: Time) -> View {
    let peer = &member.peer;
    View {
        key,
        interested: peer.choke_state().peer_interested,
        unchoked: !peer.choke_state().am_choking,
        rate: if terms.seeding {
            peer.up().rate(now)
        } else {
            peer.down().rate(now)
        },
        // A peer that has nothing for us is not asked for anything, so it has no way to show that
        // it no longer snubs us.
        snubbing: member.useful > 0 && peer.is_snubbing(now),
        starved: (terms.starved)(key),
        idle_unchoked: terms.short && member.is_idle_unchoked(now),
        since: peer.since(),
        waits_since: member.waits_since.max(peer.since()),
    }
}
