//! The parts of the process that a torrent may touch, lent to it for one call: the connections to
//! its own peers, the agenda, what torrents share as they ask trackers, and the effects.

use slab::Slab;

use super::agenda::Agenda;
use super::bans::Bans;
use super::effect::Effects;
use super::slot::{Member, Slot};
use crate::base::{PeerKey, SortedSet, TorrentKey};
use crate::tracker::Shared;

/// What the process lends a torrent for one call.
#[derive(Debug)]
pub struct Lent<'a> {
    /// The slots of all torrents. A torrent takes those of its own connections only.
    pub slots: &'a mut Slab<Slot>,
    /// What is to be visited in this turn.
    pub agenda: &'a mut Agenda,
    /// Hosts that are not dialed.
    pub bans: &'a Bans,
    /// What the torrents' trackers have in common.
    pub shared: &'a mut Shared,
    /// What the outside is to do.
    pub effects: &'a mut Effects,
}

impl Lent<'_> {
    /// The member under this key; `None`: its handshakes are not done.
    ///
    /// # Panics
    /// It is a connection of another torrent: an error of the caller.
    pub fn get(&mut self, torrent: TorrentKey, key: PeerKey) -> Option<&mut Member> {
        let slot = self.slots.get_mut(key)?;
        let owner = slot.torrent;
        let member = slot.member_mut()?;
        assert_eq!(owner, Some(torrent), "slot {key} is another torrent's");
        Some(member)
    }
}

/// The slots under these keys.
pub fn slots<'a>(
    slots: &'a Slab<Slot>,
    keys: &'a SortedSet<PeerKey>,
) -> impl Iterator<Item = (PeerKey, &'a Slot)> {
    let slot = |&key| slots.get(key).map(|slot| (key, slot));
    keys.iter().filter_map(slot)
}

/// The members under these keys: slots whose handshakes are not done are left out.
pub fn greeted<'a>(
    slots: &'a Slab<Slot>,
    keys: &'a SortedSet<PeerKey>,
) -> impl Iterator<Item = (PeerKey, &'a Member)> {
    let member = |(key, slot): (PeerKey, &'a Slot)| slot.member().map(|member| (key, member));
    self::slots(slots, keys).filter_map(member)
}
