//! The lookups under way, by number, in the order in which they began.

use std::net::SocketAddr;

use super::lookup::{Found, Lookup};
use crate::base::{Duration, InfoHash, Time, limits, sooner};
use crate::wire::Family;

/// A lookup under way, and what it is for.
#[derive(Debug)]
pub struct Active {
    /// Its number.
    pub number: u32,
    /// Whose DHT.
    pub family: Family,
    /// The torrent that it looks for; `None`: the nodes near to our own id.
    pub info_hash: Option<InfoHash>,
    /// Peers that came.
    pub peers: usize,
    /// The lookup itself.
    pub lookup: Lookup,
}

/// All lookups under way.
#[derive(Debug, Default)]
pub struct Lookups {
    active: Vec<Active>,
    last: u32,
}

impl Lookups {
    /// Begins one.
    pub fn begin(&mut self, family: Family, info_hash: Option<InfoHash>, lookup: Lookup) {
        self.last = self.last.wrapping_add(1);
        self.active.push(Active {
            number: self.last,
            family,
            info_hash,
            peers: 0,
            lookup,
        });
    }

    /// Whether another one may begin.
    pub fn has_room(&self) -> bool {
        self.active.len() < limits::DHT_LOOKUPS
    }

    /// Whether one of this family is under way.
    pub fn has(&self, family: Family) -> bool {
        self.active.iter().any(|active| active.family == family)
    }

    /// Whether a lookup asks this address, or is about to.
    pub fn will_ask(&self, addr: SocketAddr) -> bool {
        let mut all = self.active.iter();
        all.any(|active| active.lookup.will_ask(addr))
    }

    /// By its number.
    pub fn get_mut(&mut self, number: u32) -> Option<&mut Active> {
        self.iter_mut().find(|active| active.number == number)
    }

    /// The one for this torrent in this family.
    pub fn of_mut(&mut self, info_hash: InfoHash, family: Family) -> Option<&mut Active> {
        self.iter_mut()
            .find(|active| active.info_hash == Some(info_hash) && active.family == family)
    }

    /// All.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Active> {
        self.active.iter_mut()
    }

    /// Removes and returns a lookup that is over, with the nodes that it found.
    pub fn next_done(&mut self) -> Option<(Active, Vec<Found>)> {
        let mut all = self.active.iter();
        let index = all.position(|active| active.lookup.is_done())?;
        let active = self.active.remove(index);
        let found = active.lookup.found();
        Some((active, found))
    }

    /// Ends the lookups for a torrent.
    pub fn remove(&mut self, info_hash: InfoHash) {
        self.active
            .retain(|active| active.info_hash != Some(info_hash));
    }

    /// When something is to be looked at.
    pub fn next_deadline(&self, slow_after: Duration) -> Option<Time> {
        let all = self.active.iter();
        all.map(|active| active.lookup.next_deadline(slow_after))
            .fold(None, sooner)
    }
}
