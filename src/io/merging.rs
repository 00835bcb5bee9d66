//! Two sources of one torrent: what the second one says is added to what the first one said.

use std::sync::Arc;

use super::claims::{Claims, Taken};
use super::setup::Setup;
use crate::base::limits;

/// Adds the trackers that are not there, as many as a torrent may have.
pub fn add_tiers(there: &mut Vec<Vec<String>>, others: &[Vec<String>]) {
    for tier in others {
        let known = |url: &&String| {
            let mut known = there.iter().flatten();
            known.any(|known| known.trim() == url.trim())
        };
        let room = limits::TRACKERS.saturating_sub(there.iter().map(Vec::len).sum());
        let fresh = tier.iter().filter(|url| !known(url)).take(room);
        let fresh: Vec<String> = fresh.cloned().collect();
        if !fresh.is_empty() {
            there.push(fresh);
        }
    }
}

/// Adds what is not there of peers or web seeds, up to so many in all. Returns what is new.
pub fn add_names(there: &mut Vec<String>, others: &[String], most: usize) -> Vec<String> {
    let before = there.len();
    for name in others {
        if there.len() < most && !there.contains(name) {
            there.push(name.clone());
        }
    }
    there[before.min(there.len())..].to_vec()
}

/// Adds what the second setup of one torrent says to the first one: whether there was anything. If
/// only a link was known and the second has the torrent, that takes its place.
///
/// # Errors
/// Another torrent has the files of the second.
pub fn add_setup(there: &mut Setup, mut other: Setup, claims: &mut Claims) -> Result<bool, Taken> {
    let described = there.origin.wanted.is_some() && other.origin.wanted.is_none();
    if described {
        claims.take_place(&other.request())?;
        std::mem::swap(there, &mut other);
    }
    let trackers = match &other.origin.wanted {
        Some(wanted) => wanted.link.trackers.clone(),
        None => other.metainfo.trackers.clone(),
    };
    let before = count(there);
    match &mut there.origin.wanted {
        Some(wanted) => {
            add_tiers(&mut wanted.link.trackers, &trackers);
            if let Some(other) = &other.origin.wanted {
                let seeds = (&mut wanted.link.web_seeds, &other.link.web_seeds);
                add_names(seeds.0, seeds.1, limits::WEB_SEEDS);
            }
        }
        None => add_tiers(&mut Arc::make_mut(&mut there.metainfo).trackers, &trackers),
    }
    let peers = &mut there.origin.peers;
    add_names(peers, &other.origin.peers, limits::LINK_PEERS);
    Ok(described || count(there) > before)
}

/// Trackers and peers that a setup names.
fn count(setup: &Setup) -> usize {
    let tiers = match &setup.origin.wanted {
        Some(wanted) => &wanted.link.trackers,
        None => &setup.metainfo.trackers,
    };
    tiers.iter().map(Vec::len).sum::<usize>() + setup.origin.peers.len()
}
