//! Peer exchange (BEP 11), our side of it: which peers of a torrent others may be told of, and who
//! is told of whom when. A peer is named if it can be dialed, as far as we know: we dialed it, or
//! it said at which port it listens.
//!
//! Each change, a peer that came or one that went, has a number. Of a peer that is told it is only
//! remembered up to which change, so a torrent with many peers keeps no list for each of them.

use std::net::SocketAddr;

use slab::Slab;

use super::exchanged::Exchanged;
use super::lent;
use super::slot::{Member, Slot};
use super::way::Transport;
use crate::base::reach::{is_link_local, may_name, stands_for};
use crate::base::{Duration, PeerKey, SortedSet, Time, limits, sooner, sorted_by_key};
use crate::wire::extended::exchange::{ENCRYPTED, HOLE_PUNCH, REACHABLE, SEED, UTP};
use crate::wire::{Extension, PeerExchange};

/// The changes among the peers of one torrent.
#[derive(Debug, Default)]
pub struct Exchange {
    /// The number of the last one.
    changes: u32,
    /// Peers that went, those last that went last.
    gone: Vec<Gone>,
    /// When somebody is to be told of something.
    at: Option<Time>,
}

/// A peer that went.
#[derive(Clone, Copy, Debug)]
struct Gone {
    addr: SocketAddr,
    /// The number of the change by which it came.
    came: u32,
    /// That of the change by which it went.
    went: u32,
}

/// A peer that others may be told of.
#[derive(Clone, Copy, Debug)]
struct Here {
    addr: SocketAddr,
    came: u32,
    flags: u8,
    key: PeerKey,
}

impl Exchange {
    /// A peer has greeted us, or has said something of itself.
    pub fn on_known(&mut self, member: &mut Member, now: Time) {
        let theirs = member.peer.extensions().map(|it| it.theirs());
        let wants = theirs.is_some_and(|it| it.number(Extension::Exchange).is_some());
        if member.exchanged.came == 0 && member.dialable_at().is_some() {
            member.exchanged.came = self.change(now);
        }
        if !wants {
            member.exchanged.next = None;
        } else if member.exchanged.next.is_none() {
            let next = now + limits::PEX_SOON;
            member.exchanged.next = Some(next);
            self.at = sooner(self.at, Some(next));
        }
    }

    /// A peer has gone.
    pub fn on_gone(&mut self, member: &mut Member, now: Time) {
        let Exchanged { came, .. } = std::mem::take(&mut member.exchanged);
        if let Some(addr) = member.dialable_at().filter(|_| came > 0) {
            if self.gone.len() == limits::PEX_NAMED {
                self.gone.remove(0);
            }
            let went = self.change(now);
            self.gone.push(Gone { addr, came, went });
        }
    }

    fn change(&mut self, now: Time) -> u32 {
        self.changes += 1;
        self.at = sooner(self.at, Some(now + limits::PEX_SOON));
        self.changes
    }

    /// When [`Exchange::plan`] has something to do.
    pub fn deadline(&self) -> Option<Time> {
        self.at
    }

    /// Who of these is to be told something now, and what.
    pub fn plan(
        &mut self,
        slots: &mut Slab<Slot>,
        keys: &SortedSet<PeerKey>,
        now: Time,
    ) -> Vec<(PeerKey, PeerExchange)> {
        let mut messages = Vec::new();
        if self.at.is_none_or(|at| at > now) {
            return messages;
        }
        self.at = None;
        let here = lent::greeted(slots, keys).filter_map(|(key, member)| Here::of(key, member));
        let here = sorted_by_key(here.collect(), |it| it.came);
        for &key in keys.iter() {
            let member = slots.get_mut(key).and_then(Slot::member_mut);
            let Some(member) = member.filter(|it| it.peer.is_open()) else {
                continue;
            };
            let Some(next) = member.exchanged.next else {
                continue;
            };
            if next <= now {
                if let Some(message) = self.message(key, member, &here) {
                    let spread = now.as_micros() % limits::PEX_SPREAD.as_micros() as u64;
                    let gap = limits::PEX_GAP + Duration::from_micros(spread);
                    member.exchanged.next = Some(now + gap);
                    messages.push((key, message));
                }
            }
            if member.exchanged.told < self.changes {
                self.at = sooner(self.at, member.exchanged.next);
            }
        }
        messages
    }

    /// What this peer is told now, if there is anything that it has not heard of.
    fn message(&self, key: PeerKey, member: &mut Member, here: &[Here]) -> Option<PeerExchange> {
        let (told, to) = (member.exchanged.told, member.peer.addr());
        let own = member.dialable_at();
        let concerns = |addr: SocketAddr| {
            own != Some(addr)
                && may_name(to, addr)
                && !is_link_local(addr)
                && stands_for(addr.ip()).is_none()
        };
        let mut until = self.changes;
        let mut message = PeerExchange::default();
        let news = here.iter().filter(|it| it.came > told);
        for it in news.filter(|it| it.key != key && concerns(it.addr)) {
            if message.added.len() == limits::PEX_NAMED {
                until = it.came - 1;
                break;
            }
            message.added.push((it.addr, it.flags));
        }
        let lost = self.gone.iter().filter(|it| it.came <= told);
        let lost = lost.filter(|it| it.went > told && it.went <= until && concerns(it.addr));
        let came_back = |addr| here.iter().any(|it| it.addr == addr);
        let lost = lost.map(|it| it.addr).filter(|&addr| !came_back(addr));
        message.dropped.extend(lost);
        member.exchanged.told = until;
        (!message.is_empty()).then_some(message)
    }
}

/// The peers of a message that are worth dialing, and what is said of them: none that is nearer to
/// us than the sender, neither the sender itself nor us, and we listen on this port. `complete`:
/// there is nothing to be had from seeds.
pub fn worth_dialing(
    message: PeerExchange,
    (sender, port): (&Member, u16),
    complete: bool,
) -> Vec<(SocketAddr, u8)> {
    let from = sender.peer.addr();
    let seen = sender.peer.extensions().and_then(|it| it.theirs().your_ip);
    let ours = seen.map(|ip| SocketAddr::new(ip.to_canonical(), port));
    let (own, mut named) = (sender.dialable_at(), message.added);
    named.retain(|&(addr, flags)| {
        let ends = [own, ours].contains(&Some(addr));
        may_name(from, addr) && !ends && !(complete && flags & SEED != 0)
    });
    named
}

impl Here {
    fn of(key: PeerKey, member: &Member) -> Option<Here> {
        let peer = &member.peer;
        let came = member.exchanged.came;
        let said = peer.extensions().map(|it| it.theirs());
        let only = said.and_then(|it| it.upload_only);
        let seed = only == Some(true) || peer.holdings().is_seed();
        let mut flags = if seed { SEED } else { 0 };
        if peer.is_outbound() {
            flags |= REACHABLE;
        }
        let wishes = said.and_then(|it| it.encryption);
        if wishes.unwrap_or(member.encrypted) {
            flags |= ENCRYPTED;
        }
        if member.transport == Transport::Utp {
            flags |= UTP;
        }
        // Whoever calls through routers does so over uTP.
        if said.is_some_and(|it| it.number(Extension::HolePunch).is_some()) {
            flags |= HOLE_PUNCH | UTP;
        }
        let here = came > 0 && peer.is_open();
        member.dialable_at().filter(|_| here).map(|addr| Here {
            addr,
            came,
            flags,
            key,
        })
    }
}
