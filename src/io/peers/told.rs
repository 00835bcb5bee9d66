//! What the user was told of already.

use std::net::SocketAddr;

use super::{Event, Source};
use crate::base::{SortedMap, SortedSet, limits};

/// The peers that were told of each source.
#[derive(Default)]
pub(super) struct Told(SortedMap<Source, SortedSet<SocketAddr>>);

impl Told {
    /// One was found: what is to be told of it.
    pub(super) fn add(&mut self, peer: SocketAddr, source: Source) -> Option<Event> {
        let told = self.0.get_or_insert_with(source.clone(), SortedSet::new);
        let is_full = told.len() >= limits::PEERS_LISTED;
        if told.len() > limits::PEERS_LISTED || !told.insert(peer) {
            return None;
        }
        Some(if is_full {
            Event::More(source)
        } else {
            Event::Peer(peer, source)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_source_has_its_bound_and_it_is_told_when_there_are_more() {
        let mut told = Told::default();
        let peer = |number: usize| SocketAddr::from(((number as u32).to_be_bytes(), 7));
        for number in 0..limits::PEERS_LISTED {
            let event = Event::Peer(peer(number), Source::Dht);
            assert_eq!(told.add(peer(number), Source::Dht), Some(event));
        }
        assert_eq!(told.add(peer(5), Source::Dht), None, "it was told");
        let events = (limits::PEERS_LISTED..2 * limits::PEERS_LISTED)
            .filter_map(|number| told.add(peer(number), Source::Dht));
        assert!(events.eq([Event::More(Source::Dht)]), "once");
        let event = Event::Peer(peer(5), Source::Nearby);
        assert_eq!(told.add(peer(5), Source::Nearby), Some(event));
    }
}
